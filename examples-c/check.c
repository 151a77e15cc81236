#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_ENTRIES = 1024, PAGE_BYTES = 1024 * 1024, KEYS_A_PAGE = 4096, DIFFERENCES_SHOWN = 5 };

typedef struct page {
    es_entry entries[PAGE_ENTRIES];
    uint8_t arena[PAGE_BYTES];
} page;

/* The store closes each run with an entry of its own. */
static const char *run_ended_difference(const es_entry *entry, const uint8_t *arena) {
    const char *type = (const char *)arena + entry->payload_type_offset;
    return strcmp(type, "RunEnded") != 0 || entry->payload_len != 0 ? "RunEnded" : NULL;
}

static void compare(const capture *c, const page *p, const es_entry *entry, uint64_t expected_seq,
                    scan_check *out) {
    const char *part = NULL;
    if (entry->seq != expected_seq) {
        part = "order";
    } else if (entry->seq == c->last_seq + 1) {
        part = run_ended_difference(entry, p->arena);
    } else {
        part = journal_difference(&c->remembered, entry, p->arena);
    }
    if (part != NULL) {
        out->different += 1;
        if (out->different <= DIFFERENCES_SHOWN) {
            fprintf(stderr, "seq %" PRIu64 " (expected %" PRIu64 "): %s differs\n", entry->seq,
                    expected_seq, part);
        }
    } else if (entry->seq <= c->last_seq) {
        out->equal += 1;
    }
}

int check_scan(es_reader *reader, const capture *c, uint32_t direction, scan_check *out) {
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    es_scan_result result = ES_SCAN_RESULT_INIT;
    uint64_t total = c->last_seq + 1; /* and RunEnded */
    uint64_t seen = 0;
    uint64_t began_ns = now_ns();
    es_error err;
    page *p = (page *)malloc(sizeof *p);
    memset(out, 0, sizeof *out);
    if (p == NULL) {
        return complain("check", ES_ERR_OUT_OF_MEMORY, NULL);
    }
    request.direction = direction;
    do {
        uint64_t i;
        es_status status =
            es_scan_range(reader, &request, p->entries, sizeof p->entries[0], PAGE_ENTRIES,
                          p->arena, PAGE_BYTES, &result, &err);
        if (status != ES_OK) {
            free(p);
            return complain("es_scan_range", status, &err);
        }
        for (i = 0; i < result.rows; i++) {
            compare(c, p, &p->entries[i], direction == ES_FORWARD ? seen + 1 : total - seen, out);
            seen += 1;
        }
        if (direction == ES_FORWARD) {
            request.from = result.next_seq;
        } else {
            request.to = result.next_seq;
        }
    } while (result.more);
    if (seen != total) {
        fprintf(stderr, "the scan gave %" PRIu64 " entries of %" PRIu64 "\n", seen, total);
        out->different += seen < total ? total - seen : 0;
    }
    out->took_ns = now_ns() - began_ns;
    free(p);
    return 0;
}

/* The id of that kind of an order and where it was seen first; 0: the order has none. */
static uint64_t id_of(const capture *c, uint64_t number, uint32_t kind,
                      char id[ORDER_ID_BYTES_MAX]) {
    const order_seen *seen = &c->orders[number];
    if (kind == ES_INDEX_CLIENT_ORDER_ID) {
        client_order_id((uint16_t)seen->strategy, number, id);
        return seen->client_seq;
    }
    venue_order_id(seen->venue_order, id);
    return seen->venue_seq;
}

/* Counts the keys of the index, page by page; each page begins after the last key of the one
 * before. */
static int count_keys(es_reader *reader, uint32_t kind, uint64_t *listed) {
    es_index_request request = ES_INDEX_REQUEST_INIT;
    es_index_result result = ES_INDEX_RESULT_INIT;
    es_index_row *rows = (es_index_row *)malloc(KEYS_A_PAGE * sizeof *rows);
    char *arena = (char *)malloc(PAGE_BYTES);
    char after[ORDER_ID_BYTES_MAX]; /* a copy: the next page overwrites the arena */
    es_status status = ES_ERR_OUT_OF_MEMORY;
    es_error err;
    err.message[0] = '\0';
    *listed = 0;
    request.kind = kind;
    if (rows == NULL || arena == NULL) {
        goto done;
    }
    do {
        status = es_scan_index(reader, &request, rows, sizeof rows[0], KEYS_A_PAGE, arena,
                               PAGE_BYTES, &result, &err);
        if (status != ES_OK) {
            goto done;
        }
        if (result.rows > 0) {
            const es_index_row *last = &rows[result.rows - 1];
            request.after_len = last->key_len < sizeof after ? last->key_len : sizeof after;
            memcpy(after, arena + last->key_offset, request.after_len);
            request.after = after;
        }
        *listed += result.rows;
    } while (result.more);
done:
    free(rows);
    free(arena);
    return status == ES_OK ? 0 : complain("es_scan_index", status, &err);
}

int check_index(es_reader *reader, const capture *c, uint32_t kind, index_check *out) {
    uint64_t began_ns = now_ns();
    uint64_t number;
    uint64_t seq;
    es_error err;
    es_status status;
    memset(out, 0, sizeof *out);
    for (number = 1; number <= c->last_order; number++) {
        char id[ORDER_ID_BYTES_MAX];
        uint64_t first_seq = id_of(c, number, kind, id);
        if (first_seq == 0) {
            continue;
        }
        out->ids += 1;
        status = es_lookup(reader, kind, id, ES_NTS, &seq, &err);
        if (status == ES_OK && seq == first_seq) {
            out->found += 1;
        } else if (status != ES_OK && status != ES_ERR_NOT_FOUND) {
            return complain("es_lookup", status, &err);
        }
    }
    out->took_ns = now_ns() - began_ns;
    status = es_lookup(reader, kind, "no such order", ES_NTS, &seq, &err);
    if (status != ES_ERR_NOT_FOUND) { /* an index that finds everything finds nothing */
        return complain("es_lookup of an unknown id", status, status == ES_OK ? NULL : &err);
    }
    return count_keys(reader, kind, &out->listed);
}
