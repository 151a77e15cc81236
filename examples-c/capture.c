#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include "capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const uint64_t patience_ns = UINT64_C(20000000000);

uint64_t now_ns(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        abort(); /* cannot happen on a system that has the clock */
    }
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int complain(const char *doing, es_status status, const es_error *err) {
    /* Queue full and time-out carry numbers only, so that the hot path formats no text. */
    const char *text = err != NULL && err->message[0] != '\0' ? err->message
                                                               : es_status_message(status);
    fprintf(stderr, "%s: %s: %s\n", doing, es_status_name(status), text);
    return -1;
}

void capture_free(capture *c) {
    free(c->submit_ns);
    free(c->orders);
    journal_free(&c->remembered);
}

static int make_room(capture *c, uint64_t client_order) {
    if (c->last_seq == c->submit_ns_cap) {
        uint64_t cap = c->submit_ns_cap * 2 + 65536;
        uint32_t *grown = (uint32_t *)realloc(c->submit_ns, (size_t)cap * sizeof *grown);
        if (grown == NULL) {
            return -1;
        }
        c->submit_ns = grown;
        c->submit_ns_cap = cap;
    }
    if (client_order >= c->order_cap) {
        uint64_t cap = client_order * 2 + 1024;
        order_seen *grown = (order_seen *)realloc(c->orders, (size_t)cap * sizeof *grown);
        if (grown == NULL) {
            return -1;
        }
        memset(grown + c->order_cap, 0, (size_t)(cap - c->order_cap) * sizeof *grown);
        c->orders = grown;
        c->order_cap = cap;
    }
    return 0;
}

/* The hot path. A full queue is back-pressure, not a failure: the disk is slower than the engine
 * just now. The first try does not wait; the second gives the writer time to make room. */
static es_status submit(capture *c, const es_draft *draft, uint64_t *seq, es_error *err) {
    es_submit_options patient = ES_SUBMIT_OPTIONS_INIT;
    es_status status = es_submit(c->run, draft, sizeof *draft, NULL, seq, err);
    if (status != ES_ERR_QUEUE_FULL) {
        return status;
    }
    c->queue_full_count += 1;
    patient.timeout_ns = patience_ns;
    return es_submit(c->run, draft, sizeof *draft, &patient, seq, err);
}

static void remember_order(capture *c, const message *m, uint64_t seq) {
    order_seen *seen = &c->orders[m->client_order];
    if (m->client_order > c->last_order) {
        c->last_order = m->client_order;
    }
    if (seen->client_seq == 0) {
        seen->client_seq = seq;
        seen->strategy = m->strategy;
    }
    if (seen->venue_seq == 0 && m->venue_order != 0) {
        seen->venue_seq = seq;
        seen->venue_order = m->venue_order;
    }
}

int capture_message(void *context, const message *m) {
    capture *c = (capture *)context;
    char topic[TOPIC_BYTES_MAX];
    char client_id[ORDER_ID_BYTES_MAX];
    char venue_id[ORDER_ID_BYTES_MAX];
    uint8_t payload[PAYLOAD_BYTES];
    es_index_key keys[2];
    es_draft draft = ES_DRAFT_INIT;
    es_error err;
    es_status status;
    uint64_t seq = 0;
    uint64_t began_ns;
    uint64_t took_ns;

    message_encode(m, payload);
    memset(keys, 0, sizeof keys);
    keys[0].kind = ES_INDEX_CLIENT_ORDER_ID;
    keys[0].key = client_id;
    keys[0].key_len = client_order_id(m->strategy, m->client_order, client_id);
    keys[1].kind = ES_INDEX_VENUE_ORDER_ID;
    keys[1].key = venue_id;
    keys[1].key_len = venue_order_id(m->venue_order, venue_id);

    draft.topic = topic;
    draft.topic_len = message_topic(m, topic);
    draft.payload_type = message_type_name(m->type);
    draft.payload_type_len = strlen(draft.payload_type);
    draft.payload = payload;
    draft.payload_len = PAYLOAD_BYTES;
    draft.keys = keys;
    draft.key_count = m->venue_order != 0 ? 2 : 1; /* the venue's id comes with its first answer */
    draft.ts_init = m->ts_ns;
    draft.ts_publish = m->ts_ns + 250; /* simulated too; an engine leaves 0: the store stamps it */
    draft.flags = ES_DRAFT_HAS_CORRELATION_ID;
    memcpy(draft.correlation_id, m->correlation_id, 16);
    if (m->has_causation) {
        draft.flags |= ES_DRAFT_HAS_CAUSATION_ID;
        memcpy(draft.causation_id, m->causation_id, 16);
    }

    if (make_room(c, m->client_order) != 0) {
        return complain("capture", ES_ERR_OUT_OF_MEMORY, NULL);
    }
    began_ns = now_ns();
    status = submit(c, &draft, &seq, &err);
    took_ns = now_ns() - began_ns;
    if (status != ES_OK) {
        return complain("es_submit", status, &err);
    }
    if (journal_append(&c->remembered, seq, &draft) != 0) {
        fprintf(stderr, "journal: no memory, or sequence %llu does not follow %llu\n",
                (unsigned long long)seq, (unsigned long long)c->last_seq);
        return -1;
    }
    c->submit_ns[c->last_seq] = took_ns < UINT32_MAX ? (uint32_t)took_ns : UINT32_MAX;
    c->last_seq = seq;
    c->by_type[m->type] += 1;
    remember_order(c, m, seq);
    return 0;
}

int capture_wait_durable(capture *c) {
    uint64_t began_ns = now_ns();
    uint64_t took_ns;
    es_error err;
    es_status status = es_wait_durable(c->run, c->last_seq, patience_ns, &err);
    if (status != ES_OK) {
        return complain("es_wait_durable", status, &err);
    }
    took_ns = now_ns() - began_ns;
    c->waits += 1;
    c->wait_ns += took_ns;
    if (took_ns > c->wait_longest_ns) {
        c->wait_longest_ns = took_ns;
    }
    return 0;
}
