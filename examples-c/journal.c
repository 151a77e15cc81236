#include "journal.h"

#include <stdlib.h>
#include <string.h>

/* The fixed part of a record; topic, payload type, payload and keys follow it in this order. */
typedef struct record {
    uint64_t ts_init;
    uint64_t ts_publish;
    uint64_t payload_len;
    uint32_t topic_len;
    uint32_t payload_type_len;
    uint32_t keys_len;
    uint32_t key_count;
    uint32_t flags; /* ES_ENTRY_HAS_* */
    uint32_t reserved;
    uint8_t correlation_id[16];
    uint8_t causation_id[16];
} record;

void journal_free(journal *j) {
    free(j->bytes);
    free(j->starts);
    memset(j, 0, sizeof *j);
}

static int make_room(journal *j, size_t more) {
    if (j->cap - j->used < more) {
        size_t cap = j->cap * 2 + more + 4096;
        uint8_t *bytes = (uint8_t *)realloc(j->bytes, cap);
        if (bytes == NULL) {
            return -1;
        }
        j->bytes = bytes;
        j->cap = cap;
    }
    if (j->count == j->start_cap) {
        uint64_t cap = j->start_cap * 2 + 4096;
        size_t *starts = (size_t *)realloc(j->starts, (size_t)cap * sizeof *starts);
        if (starts == NULL) {
            return -1;
        }
        j->starts = starts;
        j->start_cap = cap;
    }
    return 0;
}

static void put(journal *j, const void *bytes, size_t len) {
    if (len > 0) {
        memcpy(j->bytes + j->used, bytes, len);
    }
    j->used += len;
}

static void put_u16(journal *j, uint32_t value) {
    uint8_t bytes[2];
    bytes[0] = (uint8_t)(value & 0xff);
    bytes[1] = (uint8_t)(value >> 8 & 0xff);
    put(j, bytes, sizeof bytes);
}

int journal_append(journal *j, uint64_t seq, const es_draft *draft) {
    record r;
    size_t keys_len = 0;
    uint32_t k;
    for (k = 0; k < draft->key_count; k++) {
        keys_len += 4 + draft->keys[k].key_len;
    }
    if (seq != j->count + 1 || make_room(j, sizeof r + draft->topic_len + draft->payload_type_len +
                                                draft->payload_len + keys_len) != 0) {
        return -1;
    }
    memset(&r, 0, sizeof r);
    r.ts_init = draft->ts_init;
    r.ts_publish = draft->ts_publish;
    r.payload_len = draft->payload_len;
    r.topic_len = (uint32_t)draft->topic_len;
    r.payload_type_len = (uint32_t)draft->payload_type_len;
    r.keys_len = (uint32_t)keys_len;
    r.key_count = draft->key_count;
    if ((draft->flags & ES_DRAFT_HAS_CORRELATION_ID) != 0) {
        r.flags |= ES_ENTRY_HAS_CORRELATION_ID;
        memcpy(r.correlation_id, draft->correlation_id, 16);
    }
    if ((draft->flags & ES_DRAFT_HAS_CAUSATION_ID) != 0) {
        r.flags |= ES_ENTRY_HAS_CAUSATION_ID;
        memcpy(r.causation_id, draft->causation_id, 16);
    }
    j->starts[j->count] = j->used;
    j->count += 1;
    put(j, &r, sizeof r);
    put(j, draft->topic, draft->topic_len);
    put(j, draft->payload_type, draft->payload_type_len);
    put(j, draft->payload, draft->payload_len);
    for (k = 0; k < draft->key_count; k++) { /* as es_entry gives them: kind, length, bytes */
        put_u16(j, draft->keys[k].kind);
        put_u16(j, (uint32_t)draft->keys[k].key_len);
        put(j, draft->keys[k].key, draft->keys[k].key_len);
    }
    return 0;
}

static int same(const uint8_t *remembered, uint64_t remembered_len, const uint8_t *given,
                uint64_t given_len) {
    return remembered_len == given_len &&
           (given_len == 0 || memcmp(remembered, given, (size_t)given_len) == 0);
}

const char *journal_difference(const journal *j, const es_entry *entry, const uint8_t *arena) {
    const uint32_t id_flags = ES_ENTRY_HAS_CORRELATION_ID | ES_ENTRY_HAS_CAUSATION_ID;
    const uint8_t *at;
    record r;
    if (entry->seq == 0 || entry->seq > j->count) {
        return "seq";
    }
    at = j->bytes + j->starts[entry->seq - 1];
    memcpy(&r, at, sizeof r);
    at += sizeof r;
    if (entry->ts_init != r.ts_init) {
        return "ts_init";
    }
    if (entry->ts_publish != r.ts_publish) {
        return "ts_publish";
    }
    if ((entry->flags & id_flags) != r.flags) {
        return "presence of ids";
    }
    if (memcmp(entry->correlation_id, r.correlation_id, 16) != 0) {
        return "correlation_id";
    }
    if (memcmp(entry->causation_id, r.causation_id, 16) != 0) {
        return "causation_id";
    }
    if (!same(at, r.topic_len, arena + entry->topic_offset, entry->topic_len)) {
        return "topic";
    }
    at += r.topic_len;
    if (!same(at, r.payload_type_len, arena + entry->payload_type_offset,
              entry->payload_type_len)) {
        return "payload_type";
    }
    at += r.payload_type_len;
    if (!same(at, r.payload_len, arena + entry->payload_offset, entry->payload_len)) {
        return "payload";
    }
    at += r.payload_len;
    if ((entry->flags & ES_ENTRY_KEYS_RECORDED) == 0 || entry->key_count != r.key_count ||
        !same(at, r.keys_len, arena + entry->keys_offset, entry->keys_len)) {
        return "keys";
    }
    return NULL;
}
