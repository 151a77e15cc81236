/* Drafts without pointers: a page of one run becomes a batch of another, and drafts packed by hand
 * are stored as they lie in the arena.
 *
 * usage: packed BASE
 */
#include "check.h"

#define ENTRIES 50
#define ARENA_BYTES 16384

static es_run *open_new(const char *base, const char *run_id) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    manifest.run_id.data = run_id;
    manifest.run_id.len = ES_NTS;
    manifest.instance_id.data = run_id;
    manifest.instance_id.len = ES_NTS;
    options.halt_after_ns = ES_FOREVER;
    ACCEPTED(es_open_run(base, ES_NTS, &manifest, &options, &out.run, &err));
    return out.run;
}

static uint64_t read_all(es_run *run, es_entry *entries, char *arena) {
    es_reader *reader;
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    ACCEPTED(es_flush(run, ES_FOREVER, &err));
    ACCEPTED(es_open_reader(run, &out.reader, &err));
    reader = out.reader;
    ACCEPTED(es_scan_range(reader, &request, entries, sizeof *entries, ENTRIES, arena, ARENA_BYTES, &out.scan, &err));
    CHECK(out.scan.more == 0, "one page holds the run");
    es_free_reader(reader);
    return out.scan.rows;
}

/* Every second draft has keys and ids; the third has a payload of no bytes. */
static void fill(es_run *run) {
    unsigned at;
    for (at = 1; at <= ENTRIES; at++) {
        char payload[16], order[16];
        es_index_key keys[2] = {ES_INDEX_KEY_INIT, ES_INDEX_KEY_INIT};
        es_draft draft = ES_DRAFT_INIT;
        snprintf(payload, sizeof payload, "payload %u", at);
        snprintf(order, sizeof order, "O-%u", at);
        keys[0].key = order;
        keys[0].key_len = ES_NTS;
        keys[1].key = "V";
        keys[1].key_len = ES_NTS;
        keys[1].kind = ES_INDEX_VENUE_ORDER_ID;
        draft.topic = "orders";
        draft.topic_len = ES_NTS;
        draft.payload_type = "text";
        draft.payload_type_len = ES_NTS;
        draft.payload = payload;
        draft.payload_len = at % 3 == 0 ? 0 : strlen(payload);
        draft.keys = keys;
        draft.key_count = at % 2 * 2;
        draft.flags = at % 2 * (ES_DRAFT_HAS_CORRELATION_ID | ES_DRAFT_HAS_CAUSATION_ID);
        draft.correlation_id[0] = (uint8_t)(at % 2 * at);
        draft.causation_id[15] = (uint8_t)(at % 2 * at);
        draft.ts_init = at;
        draft.ts_publish = at + 7;
        ACCEPTED(es_submit(run, &draft, sizeof draft, NULL, &out.seq, &err));
    }
}

static void check_copy(const es_entry *one, const char *arena_one, const es_entry *other, const char *arena_other) {
    CHECK(memcmp(one->entry_hash, other->entry_hash, sizeof one->entry_hash) == 0, "the hash covers all but the keys");
    CHECK(one->flags == other->flags && one->key_count == other->key_count, "keys and ids");
    CHECK(one->keys_len == other->keys_len &&
              memcmp(arena_one + one->keys_offset, arena_other + other->keys_offset, one->keys_len) == 0,
          "the keys");
}

int main(int argc, char **argv) {
    static es_entry entries[ENTRIES], copies[ENTRIES];
    static char arena[ARENA_BYTES], arena_of_copies[ARENA_BYTES];
    /* A key, then a text, then a byte of payload. */
    static const char by_hand[] = "\1\0\3\0V-1topic?";
    es_packed_draft draft = ES_PACKED_DRAFT_INIT;
    es_submit_options options = ES_SUBMIT_OPTIONS_INIT;
    es_run *from, *to;
    unsigned at;
    if (argc != 2) return 2;
    from = open_new(argv[1], "from");
    to = open_new(argv[1], "to");
    fill(from);
    CHECK(read_all(from, entries, arena) == ENTRIES, "what was written");

    /* The whole page, under its guard. */
    options.expected_seq = 1;
    ACCEPTED(es_submit_packed(to, (const es_packed_draft *)(const void *)&entries[0].ts_init, sizeof entries[0], ENTRIES, arena,
                              sizeof arena, &options, &out.seq, &err));
    CHECK(out.seq == 1, "contiguous seqs");
    CHECK(read_all(to, copies, arena_of_copies) == ENTRIES, "all of them");
    for (at = 0; at < ENTRIES; at++) check_copy(&entries[at], arena, &copies[at], arena_of_copies);
    watch(to);
    REFUSED(ES_ERR_OUT_OF_ORDER, "1",
            es_submit_packed(to, (const es_packed_draft *)(const void *)&entries[0].ts_init, sizeof entries[0], ENTRIES, arena,
                             sizeof arena, &options, &out.seq, &err));
    watch(NULL);

    draft.keys_len = 7;
    draft.key_count = 1;
    draft.topic_offset = 7;
    draft.topic_len = 5;
    draft.payload_type_offset = 7; /* parts may overlap */
    draft.payload_type_len = 3;
    draft.payload_offset = 12;
    draft.payload_len = 1;
    draft.ts_init = 99;
    ACCEPTED(es_submit_packed(to, &draft, sizeof draft, 1, by_hand, 13, NULL, &out.seq, &err));
    CHECK(out.seq == ENTRIES + 1, "the next seq");
    ACCEPTED(es_flush(to, ES_FOREVER, &err));
    {
        es_reader *reader;
        ACCEPTED(es_open_reader(to, &out.reader, &err));
        reader = out.reader;
        ACCEPTED(es_lookup(reader, ES_INDEX_VENUE_ORDER_ID, "V-1", ES_NTS, &out.seq, &err));
        CHECK(out.seq == ENTRIES + 1, "found by its key");
        ACCEPTED(es_get_entry(reader, ENTRIES + 1, &copies[0], sizeof copies[0], arena, sizeof arena, &out.needed, &err));
        CHECK(strcmp(arena + copies[0].topic_offset, "topic") == 0, "its topic");
        CHECK(strcmp(arena + copies[0].payload_type_offset, "top") == 0, "its type");
        CHECK(copies[0].payload_len == 1 && arena[copies[0].payload_offset] == '?', "its payload");
        CHECK(copies[0].ts_init == 99 && copies[0].ts_publish > 99, "its times, one of them stamped");
        es_free_reader(reader);
    }

    /* The store's own last entry is not handed on. */
    ACCEPTED(es_close_run(to, NULL, &out.close, &err));
    {
        es_reader *reader;
        ACCEPTED(es_open_reader(to, &out.reader, &err));
        reader = out.reader;
        ACCEPTED(es_get_entry(reader, ENTRIES + 2, &copies[0], sizeof copies[0], arena_of_copies, sizeof arena_of_copies,
                              &out.needed, &err));
        es_free_reader(reader);
    }
    REFUSED_ITEM(ES_ERR_INVALID_ARGUMENT, "topic", 0,
                 es_submit_packed(from, (const es_packed_draft *)(const void *)&copies[0].ts_init, sizeof copies[0], 1,
                                  arena_of_copies, sizeof arena_of_copies, NULL, &out.seq, &err));
    es_free_run(from);
    es_free_run(to);
    printf("packed: %u calls checked, %u failures\n", calls, failures);
    return failures == 0 ? 0 : 1;
}
