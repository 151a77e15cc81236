#include "order_life.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_ENTRIES = 1024, PAGE_BYTES = 512 * 1024 };

/* One page of a scan: the entries, and the arena that holds their texts and payloads. */
typedef struct page {
    es_entry entries[PAGE_ENTRIES];
    uint8_t arena[PAGE_BYTES];
} page;

/* 1 when the entry is one of the engine's messages (RunEnded, for one, is not). */
static int read_message(const page *p, const es_entry *entry, message *m) {
    int type = message_type_of((const char *)p->arena + entry->payload_type_offset,
                               entry->payload_type_len);
    memset(m, 0, sizeof *m);
    if (type < 0 || message_decode(p->arena + entry->payload_offset, entry->payload_len, m) != 0) {
        return 0;
    }
    m->type = (uint8_t)type;
    m->ts_ns = entry->ts_init;
    m->has_causation = (entry->flags & ES_ENTRY_HAS_CAUSATION_ID) != 0;
    memcpy(m->correlation_id, entry->correlation_id, 16);
    memcpy(m->causation_id, entry->causation_id, 16);
    return 1;
}

/* An event of this order: its correlation id is that of the order's first event. */
static void keep_if_of_order(order_life *life, const message *m, uint64_t seq) {
    life_event *next = &life->events[life->count];
    if (life->count == LIFE_EVENTS_MAX) {
        return;
    }
    if (life->count > 0 && memcmp(m->correlation_id, life->events[0].what.correlation_id, 16) != 0) {
        return;
    }
    next->seq = seq;
    next->what = *m;
    life->count += 1;
}

static void keep_if_cause(order_life *life, const message *m, uint64_t seq) {
    uint32_t i;
    for (i = 0; i < life->count; i++) {
        life_event *effect = &life->events[i];
        if (effect->what.has_causation && memcmp(effect->what.causation_id, m->id, 16) == 0) {
            effect->cause_seq = seq;
            effect->cause = *m;
        }
    }
}

/* Reads from..to page by page and hands each message to `keep`. */
static es_status walk(es_reader *reader, uint64_t from, uint64_t to, page *p, order_life *life,
                      void (*keep)(order_life *, const message *, uint64_t), es_error *err) {
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    es_scan_result result = ES_SCAN_RESULT_INIT;
    es_status status;
    message m;
    request.from = from;
    request.to = to;
    do {
        uint64_t i;
        status = es_scan_range(reader, &request, p->entries, sizeof p->entries[0], PAGE_ENTRIES,
                               p->arena, PAGE_BYTES, &result, err);
        if (status != ES_OK) {
            return status;
        }
        for (i = 0; i < result.rows; i++) {
            if (read_message(p, &p->entries[i], &m)) {
                keep(life, &m, p->entries[i].seq);
            }
        }
        request.from = result.next_seq;
    } while (result.more);
    return ES_OK;
}

es_status order_life_find(es_reader *reader, const char *client_id, order_life *life,
                          es_error *err) {
    page *p = (page *)malloc(sizeof *p);
    uint64_t first_seq = 0;
    es_status status;
    memset(life, 0, sizeof *life);
    if (p == NULL) {
        err->message[0] = '\0';
        return ES_ERR_OUT_OF_MEMORY;
    }
    status = es_lookup(reader, ES_INDEX_CLIENT_ORDER_ID, client_id, ES_NTS, &first_seq, err);
    if (status == ES_OK) {
        status = walk(reader, first_seq, UINT64_MAX, p, life, keep_if_of_order, err);
    }
    if (status == ES_OK && life->count == 0) {
        err->message[0] = '\0';
        status = ES_ERR_NOT_FOUND;
    }
    if (status == ES_OK) { /* a cause may belong to another order; it lies between first and last */
        uint64_t last_seq = life->events[life->count - 1].seq;
        status = walk(reader, first_seq, last_seq, p, life, keep_if_cause, err);
    }
    free(p);
    return status;
}

static void print_time(uint64_t ts_ns, FILE *out) {
    uint64_t us = ts_ns / 1000 % (UINT64_C(86400) * 1000000);
    fprintf(out, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64, us / 3600000000u,
            us / 60000000u % 60, us / 1000000u % 60, us % 1000000u);
}

static void describe(const message *m, char *text, size_t cap) {
    switch (m->type) {
    case MESSAGE_SUBMIT_ORDER:
    case MESSAGE_ORDER_SUBMITTED:
    case MESSAGE_ORDER_ACCEPTED:
    case MESSAGE_ORDER_REPLACED:
    case MESSAGE_ORDER_FILLED:
        if (m->price_ticks == 0) {
            snprintf(text, cap, "%s %" PRIu64 " at market, %" PRIu64 " open", side_name(m->side),
                     m->quantity, m->left);
        } else {
            snprintf(text, cap, "%s %" PRIu64 " at %" PRIu32 ", %" PRIu64 " open",
                     side_name(m->side), m->quantity, m->price_ticks, m->left);
        }
        break;
    case MESSAGE_REPLACE_ORDER:
        snprintf(text, cap, "to %" PRIu64 " at %" PRIu32, m->quantity, m->price_ticks);
        break;
    case MESSAGE_POSITION_OPENED:
    case MESSAGE_POSITION_CHANGED:
    case MESSAGE_POSITION_CLOSED:
        snprintf(text, cap, "%s %s %+" PRId64, strategy_name(m->strategy),
                 instrument_name(m->instrument), m->position);
        break;
    default:
        snprintf(text, cap, "%s", reason_name(m->reason));
        break;
    }
}

void order_life_print(const order_life *life, FILE *out) {
    uint32_t i;
    fprintf(out, "  %8s  %-15s  %-20s  %-31s  %s\n", "seq", "time (UTC)", "event", "what",
            "because of");
    for (i = 0; i < life->count; i++) {
        const life_event *event = &life->events[i];
        char what[96];
        char other[ORDER_ID_BYTES_MAX];
        describe(&event->what, what, sizeof what);
        fprintf(out, "  %8" PRIu64 "  ", event->seq);
        print_time(event->what.ts_ns, out);
        fprintf(out, "  %-20s  %-31s  ", message_type_name(event->what.type), what);
        if (event->cause_seq == 0) {
            fprintf(out, "a decision of %s\n", strategy_name(event->what.strategy));
        } else if (event->cause.client_order == event->what.client_order) {
            fprintf(out, "%" PRIu64 " %s\n", event->cause_seq,
                    message_type_name(event->cause.type));
        } else {
            client_order_id(event->cause.strategy, event->cause.client_order, other);
            fprintf(out, "%" PRIu64 " %s of %s\n", event->cause_seq,
                    message_type_name(event->cause.type), other);
        }
    }
}
