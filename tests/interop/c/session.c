/* The session that every language captures and reads back; this one says what is expected.
 *
 *     session BASE
 *
 * Captures 300 entries of 150 orders into BASE/INTEROP/session.redb, seals the run, opens it again
 * by its path and prints what it reads. All times and ids are fixed, so that every language must
 * print the same lines. Exit code 0 only when every call answered as it must. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "eventstore.h"

enum { ORDERS = 150, BATCH_ORDERS = 25, PAGE_ENTRIES = 64, ARENA_BYTES = 64 * 1024 };

static const uint64_t START_NS = UINT64_C(1740992400000000000);
static const uint64_t PATIENCE_NS = UINT64_C(10000000000);
static const uint64_t FNV_OFFSET = UINT64_C(0xcbf29ce484222325);
static const uint64_t FNV_PRIME = UINT64_C(0x100000001b3);

/* An order's texts and bytes; the two drafts of an order point into it. */
typedef struct order {
    char client_id[24];
    char venue_id[16];
    char accepted[96];
    uint8_t filled[24];
    es_index_key keys[2];
} order;

static void put_u64(uint8_t *at, uint64_t value) {
    unsigned i;
    for (i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static void put_id(uint8_t id[16], uint8_t kind, uint64_t number) {
    uint8_t i;
    for (i = 0; i < 16; i++) {
        id[i] = i;
    }
    id[0] = kind;
    id[1] = (uint8_t)number;
    id[2] = (uint8_t)(number >> 8);
}

/* The two drafts of an order: that the venue accepted it, and that it was filled. */
static void make_drafts(uint64_t number, order *o, es_draft drafts[2]) {
    uint64_t price = 10000 + number * 37 % 101, quantity = 1 + number % 7;
    unsigned i;
    memset(o, 0, sizeof *o);
    memset(drafts, 0, 2 * sizeof drafts[0]);
    snprintf(o->client_id, sizeof o->client_id, "Z\xc3\x9cRICH-%04u", (unsigned)number);
    snprintf(o->venue_id, sizeof o->venue_id, "V-%04u", (unsigned)number);
    snprintf(o->accepted, sizeof o->accepted,
             "{\"order\":\"%s\",\"price\":%" PRIu64 ",\"quantity\":%" PRIu64 "}", o->client_id, price,
             quantity);
    put_u64(o->filled, number);
    put_u64(o->filled + 8, price);
    put_u64(o->filled + 16, quantity);
    o->keys[0].kind = ES_INDEX_CLIENT_ORDER_ID;
    o->keys[0].key = o->client_id;
    o->keys[0].key_len = ES_NTS;
    o->keys[1].kind = ES_INDEX_VENUE_ORDER_ID;
    o->keys[1].key = o->venue_id;
    o->keys[1].key_len = ES_NTS;

    drafts[0].topic = "orders.SIM.ALFA";
    drafts[0].payload_type = "OrderAccepted";
    drafts[0].payload = o->accepted;
    drafts[0].payload_len = strlen(o->accepted);
    drafts[1].topic = "fills.SIM.ALFA";
    drafts[1].payload_type = "OrderFilled";
    drafts[1].payload = o->filled;
    drafts[1].payload_len = sizeof o->filled;
    drafts[1].flags = ES_DRAFT_HAS_CAUSATION_ID;
    put_id(drafts[1].causation_id, 2, number);
    for (i = 0; i < 2; i++) {
        drafts[i].topic_len = ES_NTS;
        drafts[i].payload_type_len = ES_NTS;
        drafts[i].keys = o->keys;
        drafts[i].key_count = 2;
        drafts[i].flags |= ES_DRAFT_HAS_CORRELATION_ID;
        put_id(drafts[i].correlation_id, 1, number);
        drafts[i].ts_init = START_NS + (2 * number - 1 + i) * 1000;
        drafts[i].ts_publish = drafts[i].ts_init + 250;
    }
}

/* What a refused call says; the run takes it for a mistake and claims nothing. */
static es_status print_refused(es_run *run, const es_draft *draft, char *line, size_t line_cap) {
    es_submit_options options = ES_SUBMIT_OPTIONS_INIT;
    es_error err;
    es_status status;
    options.expected_seq = 7;
    status = es_submit(run, draft, sizeof *draft, &options, NULL, &err);
    if (status == ES_OK) {
        return ES_ERR_PANIC; /* it must not be accepted */
    }
    snprintf(line, line_cap, "refused %s next %" PRIu64 ": %s", es_status_name(status),
             err.next_seq, err.message);
    return ES_OK;
}

static es_status capture(es_run *run, char *refused, size_t refused_cap, es_error *err) {
    static order orders[BATCH_ORDERS];
    static es_draft drafts[2 * BATCH_ORDERS];
    es_append_options append = ES_APPEND_OPTIONS_INIT;
    es_append_result appended = ES_APPEND_RESULT_INIT;
    es_status status = ES_OK;
    uint64_t number, seq = 0;
    unsigned i;
    for (number = 1; number <= ORDERS - BATCH_ORDERS; number++) {
        make_drafts(number, &orders[0], drafts);
        for (i = 0; i < 2; i++) {
            status = es_submit(run, &drafts[i], sizeof drafts[i], NULL, &seq, err);
            if (status != ES_OK) {
                return status;
            }
        }
    }
    status = es_wait_durable(run, seq, PATIENCE_NS, err);
    if (status != ES_OK) {
        return status;
    }
    status = print_refused(run, &drafts[0], refused, refused_cap);
    if (status != ES_OK) {
        return status;
    }
    for (i = 0; i < BATCH_ORDERS; i++) {
        make_drafts(number + i, &orders[i], &drafts[2 * i]);
    }
    append.expected_seq = seq + 1;
    status = es_append_batch(run, drafts, sizeof drafts[0], 2 * BATCH_ORDERS, &append, &appended, err);
    if (status != ES_OK) {
        return status;
    }
    return es_record_anchor(run, appended.high_watermark, "snapshots/300.bin", ES_NTS, "none:300",
                            ES_NTS, PATIENCE_NS, err);
}

static uint64_t fnv(uint64_t sum, const uint8_t *bytes, uint64_t count) {
    uint64_t i;
    for (i = 0; i < count; i++) {
        sum = (sum ^ bytes[i]) * FNV_PRIME;
    }
    return sum;
}

static es_status read_back(es_reader *reader, es_error *err) {
    static es_entry entries[PAGE_ENTRIES];
    static uint8_t arena[ARENA_BYTES];
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    es_scan_result page = ES_SCAN_RESULT_INIT;
    uint64_t hashes = FNV_OFFSET, contents = FNV_OFFSET, count = 0, first = 0, last = 0, i;
    unsigned pages = 0;
    do {
        es_status status = es_scan_range(reader, &request, entries, sizeof entries[0], PAGE_ENTRIES,
                                         arena, sizeof arena, &page, err);
        if (status != ES_OK) {
            return status;
        }
        for (i = 0; i < page.rows; i++) {
            const es_entry *entry = &entries[i];
            const uint8_t *topic = arena + entry->topic_offset;
            first = first == 0 ? entry->seq : first;
            last = entry->seq;
            count += 1;
            if (strncmp((const char *)topic, "run.lifecycle.", 14) == 0) {
                continue; /* the store's RunEnded: its ts_publish is the clock's */
            }
            hashes = fnv(hashes, entry->entry_hash, sizeof entry->entry_hash);
            contents = fnv(contents, topic, entry->topic_len);
            contents = fnv(contents, arena + entry->payload_offset, entry->payload_len);
            contents = fnv(contents, arena + entry->keys_offset, entry->keys_len);
        }
        pages += 1;
        request.from = page.next_seq;
    } while (page.more);
    printf("entries %" PRIu64 " first %" PRIu64 " last %" PRIu64 " pages %u\n", count, first, last,
           pages);
    printf("hashes %016" PRIx64 "\n", hashes);
    printf("contents %016" PRIx64 "\n", contents);
    return ES_OK;
}

static es_status print_lookups(es_reader *reader, es_error *err) {
    es_anchor anchor;
    char texts[256];
    size_t needed = 0;
    uint64_t client = 0, venue = 0;
    es_status status = es_lookup(reader, ES_INDEX_CLIENT_ORDER_ID, "Z\xc3\x9cRICH-0077", ES_NTS,
                                 &client, err);
    if (status == ES_OK) {
        status = es_lookup(reader, ES_INDEX_VENUE_ORDER_ID, "V-0150", ES_NTS, &venue, err);
    }
    if (status == ES_OK) {
        status = es_get_anchor(reader, &anchor, sizeof anchor, texts, sizeof texts, &needed, err);
    }
    if (status == ES_OK) {
        printf("lookup Z\xc3\x9cRICH-0077 %" PRIu64 " V-0150 %" PRIu64 "\n", client, venue);
        printf("anchor %" PRIu64 " %s\n", anchor.high_watermark, anchor.blob_ref.data);
    }
    return status;
}

int main(int argc, char **argv) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    es_close_result closed = ES_CLOSE_RESULT_INIT;
    es_run *run = NULL;
    es_reader *reader = NULL;
    es_error err = {0};
    es_status status;
    char path[4096], refused[256];
    size_t needed = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: session BASE\n");
        return 2;
    }
    manifest.instance_id.data = "INTEROP";
    manifest.instance_id.len = ES_NTS;
    manifest.run_id.data = "session";
    manifest.run_id.len = ES_NTS;
    manifest.start_ts_init = START_NS;
    options.halt_after_ns = PATIENCE_NS;
    if ((status = es_open_run(argv[1], ES_NTS, &manifest, &options, &run, &err)) != ES_OK ||
        (status = capture(run, refused, sizeof refused, &err)) != ES_OK ||
        (status = es_get_run_path(run, path, sizeof path, &needed, &err)) != ES_OK ||
        (status = es_close_run(run, NULL, &closed, &err)) != ES_OK ||
        (status = closed.sealed ? ES_OK : closed.halt_status) != ES_OK) {
        goto done;
    }
    es_free_run(run);
    run = NULL;
    if ((status = es_open_sealed_run(path, ES_NTS, NULL, &reader, &err)) == ES_OK &&
        (status = read_back(reader, &err)) == ES_OK && (status = print_lookups(reader, &err)) == ES_OK) {
        printf("%s\n", refused);
    }
done:
    if (status != ES_OK) {
        fprintf(stderr, "%s: %s\n", es_status_name(status), err.message);
    }
    es_free_reader(reader);
    es_free_run(run);
    return status == ES_OK ? 0 : 1;
}
