/* Preloaded before the library: changes what it gives back, so that an example that compares must
 * notice. ES_DAMAGE_PART names the part: of the entry ES_DAMAGE_SEQ, one bit of a field; "row" leaves
 * the entry out; "lookup" makes every lookup answer one seq too far. */
#define _GNU_SOURCE /* RTLD_NEXT */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eventstore.h"

typedef es_status (*scan_range_fn)(es_reader *, const es_scan_request *, es_entry *, size_t, size_t,
                                   void *, size_t, es_scan_result *, es_error *);
typedef es_status (*lookup_fn)(es_reader *, uint32_t, const char *, size_t, uint64_t *, es_error *);

static const char *setting(const char *name) {
    const char *text = getenv(name);
    if (text == NULL) {
        fprintf(stderr, "%s is not set\n", name);
        abort();
    }
    return text;
}

/* The library's own function, as an object pointer: ISO C has no cast between the two. */
static void real_function(const char *name, void *pointer, size_t size) {
    void *symbol = dlsym(RTLD_NEXT, name);
    if (symbol == NULL || size != sizeof symbol) {
        fprintf(stderr, "the library has no %s\n", name);
        abort();
    }
    memcpy(pointer, &symbol, size);
}

static void flip(es_entry *entry, uint8_t *arena, const char *part) {
    if (strcmp(part, "payload") == 0) {
        arena[entry->payload_offset + entry->payload_len - 1] ^= 1;
    } else if (strcmp(part, "topic") == 0) {
        arena[entry->topic_offset] ^= 1;
    } else if (strcmp(part, "payload_type") == 0) {
        arena[entry->payload_type_offset] ^= 1;
    } else if (strcmp(part, "keys") == 0) {
        arena[entry->keys_offset + entry->keys_len - 1] ^= 1;
    } else if (strcmp(part, "ts_init") == 0) {
        entry->ts_init ^= 1;
    } else if (strcmp(part, "ts_publish") == 0) {
        entry->ts_publish ^= 1;
    } else if (strcmp(part, "correlation_id") == 0) {
        entry->correlation_id[15] ^= 1;
    } else if (strcmp(part, "causation_id") == 0) {
        entry->causation_id[15] ^= 1;
    } else {
        fprintf(stderr, "%s is no part of an entry\n", part);
        abort();
    }
}

es_status es_scan_range(es_reader *reader, const es_scan_request *request, es_entry *entries,
                        size_t stride, size_t entry_cap, void *arena, size_t arena_cap,
                        es_scan_result *result, es_error *err) {
    const char *part = setting("ES_DAMAGE_PART");
    uint64_t seq = strtoull(setting("ES_DAMAGE_SEQ"), NULL, 10);
    scan_range_fn real;
    es_status status;
    uint64_t i;
    real_function("es_scan_range", &real, sizeof real);
    status = real(reader, request, entries, stride, entry_cap, arena, arena_cap, result, err);
    if (status != ES_OK || strcmp(part, "lookup") == 0) {
        return status;
    }
    for (i = 0; i < result->rows; i++) {
        if (entries[i].seq != seq) {
            continue;
        }
        if (strcmp(part, "row") == 0) {
            result->rows -= 1;
            memmove(&entries[i], &entries[i + 1], (size_t)(result->rows - i) * sizeof entries[0]);
        } else {
            flip(&entries[i], (uint8_t *)arena, part);
        }
        break;
    }
    return ES_OK;
}

es_status es_lookup(es_reader *reader, uint32_t kind, const char *key, size_t key_len,
                    uint64_t *seq, es_error *err) {
    lookup_fn real;
    es_status status;
    real_function("es_lookup", &real, sizeof real);
    status = real(reader, kind, key, key_len, seq, err);
    if (status == ES_OK && strcmp(setting("ES_DAMAGE_PART"), "lookup") == 0) {
        *seq += 1;
    }
    return status;
}
