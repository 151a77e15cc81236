/* Every function, every parameter, every way to get it wrong: the documented answer, the item
 * named, nothing changed.
 *
 * usage: misuse redb|log|memory BASE
 */
#include "check.h"

#include <unistd.h>

typedef struct text {
    const char *data;
    size_t len;
    es_status status;
} text;

static const char *backend_name;
static uint32_t backend;
static const char *base;
static es_run *run;        /* open, with entries */
static es_reader *reader;  /* of that run */
static es_run *freed_run;
static es_reader *freed_reader;
static char long_text[5001]; /* 5,000 times 'a' */
#define KEY_BYTES_MAX (1u << 20) /* of a key that a read may name */
static char long_key[KEY_BYTES_MAX + 2];

/* What is no run: freed, of the other type, wild. */
static es_run *no_runs[8];
static es_reader *no_readers[8];
#define NO_HANDLES 8

#define BAD_RUNS(call)                                                   \
    do {                                                                 \
        size_t which_;                                                   \
        for (which_ = 0; which_ < NO_HANDLES; which_++) {                \
            es_run *h = no_runs[which_];                                 \
            REFUSED(ES_ERR_BAD_HANDLE, "run", (call));                   \
        }                                                                \
    } while (0)

#define BAD_READERS(call)                                                \
    do {                                                                 \
        size_t which_;                                                   \
        for (which_ = 0; which_ < NO_HANDLES; which_++) {                \
            es_reader *h = no_readers[which_];                           \
            REFUSED(ES_ERR_BAD_HANDLE, "reader", (call));                \
        }                                                                \
    } while (0)

/* Sizes that a struct of `type` cannot have. */
#define BAD_SIZES(type, variable, field, word, call)                                        \
    do {                                                                                    \
        static const size_t sizes_[] = {0, 1, 4, 12, 4097, 0xffffffffu};                    \
        size_t which_;                                                                      \
        for (which_ = 0; which_ < sizeof sizes_ / sizeof sizes_[0]; which_++) {             \
            variable.struct_size = (uint32_t)sizes_[which_];                                \
            REFUSED(ES_ERR_STRUCT_SIZE, word, (call));                                      \
        }                                                                                   \
        variable.struct_size = (uint32_t)sizeof(type);                                      \
    } while (0)

static es_manifest good_manifest(const char *run_id) {
    es_manifest manifest = ES_MANIFEST_INIT;
    manifest.run_id.data = run_id;
    manifest.run_id.len = ES_NTS;
    manifest.instance_id.data = "instance";
    manifest.instance_id.len = ES_NTS;
    return manifest;
}

static es_open_options good_options(void) {
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    options.backend = backend;
    options.halt_after_ns = ES_FOREVER; /* a slow disk is no mistake of the caller */
    return options;
}

static const es_index_key keys[2] = {{"O-1", 3, ES_INDEX_CLIENT_ORDER_ID, 0},
                                     {"V-1", ES_NTS, ES_INDEX_VENUE_ORDER_ID, 0}};

static es_draft good_draft(void) {
    es_draft draft = ES_DRAFT_INIT;
    draft.topic = "orders.new";
    draft.topic_len = ES_NTS;
    draft.payload_type = "Order";
    draft.payload_type_len = 5;
    draft.payload = "payload";
    draft.payload_len = 7;
    draft.keys = keys;
    draft.key_count = 2;
    draft.ts_init = 1000;
    return draft;
}

static void set_up(void) {
    es_manifest manifest = good_manifest("watched");
    es_open_options options = good_options();
    es_draft draft = good_draft();
    es_manifest other = good_manifest("freed");
    static char not_a_handle[256];

    memset(long_text, 'a', sizeof long_text - 1);
    memset(long_key, 'a', sizeof long_key - 1);
    other.instance_id.data = "instance-2";
    ACCEPTED(es_open_run(base, ES_NTS, &other, &options, &out.run, &err));
    freed_run = out.run;
    ACCEPTED(es_open_reader(freed_run, &out.reader, &err));
    freed_reader = out.reader;
    ACCEPTED(es_close_run(freed_run, NULL, NULL, &err));
    es_free_reader(freed_reader);
    es_free_run(freed_run);

    ACCEPTED(es_open_run(base, ES_NTS, &manifest, &options, &out.run, &err));
    run = out.run;
    ACCEPTED(es_open_reader(run, &out.reader, &err));
    reader = out.reader;
    ACCEPTED(es_append_batch(run, &draft, sizeof draft, 1, NULL, &out.append, &err));
    CHECK(out.append.first_seq == 1 && out.append.count == 1 && out.append.high_watermark == 1, "append");
    ACCEPTED(es_append_batch(run, &draft, sizeof draft, 1, NULL, NULL, &err));
    ACCEPTED(es_record_anchor(run, 1, "blob", ES_NTS, "blake3:00", ES_NTS, ES_FOREVER, &err));

    no_runs[0] = NULL;
    no_runs[1] = freed_run;
    no_runs[2] = (es_run *)(void *)reader;
    no_runs[3] = (es_run *)(void *)not_a_handle;
    no_runs[4] = (es_run *)(uintptr_t)1;
    no_runs[5] = (es_run *)UINTPTR_MAX;
    no_runs[6] = (es_run *)(void *)((char *)(void *)run + 1);
    no_runs[7] = (es_run *)(void *)malloc(64);
    no_readers[0] = NULL;
    no_readers[1] = freed_reader;
    no_readers[2] = (es_reader *)(void *)run;
    no_readers[3] = (es_reader *)(void *)not_a_handle;
    no_readers[4] = (es_reader *)(uintptr_t)1;
    no_readers[5] = (es_reader *)UINTPTR_MAX;
    no_readers[6] = (es_reader *)(void *)((char *)(void *)reader + 1);
    no_readers[7] = (es_reader *)(void *)malloc(64);
    watch(run);
}

/* es_init_x: the same bytes as ES_X_INIT, and sizes checked. */
#define INIT_CASE(type, initialiser, init)                                                   \
    do {                                                                                     \
        type fresh = initialiser;                                                            \
        unsigned char larger[sizeof(type) + 16];                                             \
        uint32_t size_;                                                                      \
        unsigned char *memory = (unsigned char *)malloc(sizeof(type) + 1);                   \
        memset(memory, CANARY, sizeof(type) + 1);                                            \
        CHECK(init((type *)(void *)(memory + 1), sizeof(type)) == ES_OK, "odd address");     \
        CHECK(memcmp(memory + 1, &fresh, sizeof(type)) == 0, #init " differs from " #initialiser); \
        memset(larger, CANARY, sizeof larger);                                               \
        CHECK(init((type *)(void *)larger, sizeof larger) == ES_OK, "a later, larger struct"); \
        memcpy(&size_, larger, sizeof size_);                                                \
        CHECK(size_ == sizeof larger && larger[sizeof larger - 1] == 0, "its size, its tail"); \
        CHECK(init(NULL, sizeof(type)) == ES_ERR_NULL_POINTER, "NULL");                      \
        memset(memory, CANARY, sizeof(type));                                                \
        CHECK(init((type *)(void *)memory, 0) == ES_ERR_STRUCT_SIZE, "size 0");              \
        CHECK(init((type *)(void *)memory, 12) == ES_ERR_STRUCT_SIZE, "size 12");            \
        CHECK(init((type *)(void *)memory, 4097) == ES_ERR_STRUCT_SIZE, "size 4097");        \
        CHECK(init((type *)(void *)memory, SIZE_MAX) == ES_ERR_STRUCT_SIZE, "size SIZE_MAX"); \
        CHECK(all_canary(memory, sizeof(type)), "written although refused");                 \
        free(memory);                                                                        \
    } while (0)

static void initialisers(void) {
    INIT_CASE(es_open_options, ES_OPEN_OPTIONS_INIT, es_init_open_options);
    INIT_CASE(es_reader_options, ES_READER_OPTIONS_INIT, es_init_reader_options);
    INIT_CASE(es_manifest, ES_MANIFEST_INIT, es_init_manifest);
    INIT_CASE(es_submit_options, ES_SUBMIT_OPTIONS_INIT, es_init_submit_options);
    INIT_CASE(es_append_options, ES_APPEND_OPTIONS_INIT, es_init_append_options);
    INIT_CASE(es_append_result, ES_APPEND_RESULT_INIT, es_init_append_result);
    INIT_CASE(es_close_options, ES_CLOSE_OPTIONS_INIT, es_init_close_options);
    INIT_CASE(es_close_result, ES_CLOSE_RESULT_INIT, es_init_close_result);
    INIT_CASE(es_scan_request, ES_SCAN_REQUEST_INIT, es_init_scan_request);
    INIT_CASE(es_scan_result, ES_SCAN_RESULT_INIT, es_init_scan_result);
    INIT_CASE(es_index_request, ES_INDEX_REQUEST_INIT, es_init_index_request);
    INIT_CASE(es_index_result, ES_INDEX_RESULT_INIT, es_init_index_result);
    INIT_CASE(es_restore_plan, ES_RESTORE_PLAN_INIT, es_init_restore_plan);
    INIT_CASE(es_operation_options, ES_OPERATION_OPTIONS_INIT, es_init_operation_options);
    INIT_CASE(es_report_summary, ES_REPORT_SUMMARY_INIT, es_init_report_summary);
    INIT_CASE(es_page_result, ES_PAGE_RESULT_INIT, es_init_page_result);
    INIT_CASE(es_tail_result, ES_TAIL_RESULT_INIT, es_init_tail_result);
    INIT_CASE(es_copy_result, ES_COPY_RESULT_INIT, es_init_copy_result);
}

static void identity(void) {
    CHECK(es_abi_version() == ES_ABI_VERSION, "header and library differ");
    CHECK(strcmp(es_version(), "0.1.0") == 0, es_version());
    CHECK(strcmp(es_status_name(ES_ERR_GAP), "ES_ERR_GAP") == 0, "name");
    CHECK(strcmp(es_status_name(-1000), "unknown status") == 0, "name of -1000");
    CHECK(strcmp(es_status_message(INT32_MIN), "unknown status") == 0, "message of INT32_MIN");
    CHECK(strcmp(es_status_message(1), "unknown status") == 0, "message of 1");
    CHECK(es_status_is_retryable(ES_ERR_QUEUE_FULL) == 1, "queue full is retryable");
    CHECK(es_status_is_retryable(ES_ERR_CLOSED) == 0, "closed is not");
    CHECK(es_status_is_fatal(ES_ERR_HALTED) == 1, "halted is fatal");
    CHECK(es_status_is_fatal(ES_ERR_TIMEOUT) == 0 && es_status_is_fatal(-1000) == 0, "others are not");
}

#define OPEN(manifest_, options_) es_open_run(base, ES_NTS, manifest_, options_, &out.run, &err)

static void open_run_options(void) {
    es_manifest manifest = good_manifest("refused");
    es_open_options options = good_options();
    unsigned char larger[sizeof(es_open_options) + 8];

    REFUSED(ES_ERR_NULL_POINTER, "out", es_open_run(base, ES_NTS, &manifest, &options, NULL, &err));
    BAD_SIZES(es_open_options, options, struct_size, "options", OPEN(&manifest, &options));
    options.abi_version = 0;
    REFUSED(ES_ERR_ABI_MISMATCH, "abi_version", OPEN(&manifest, &options));
    options.abi_version = 7u << 16;
    REFUSED(ES_ERR_ABI_MISMATCH, "abi_version", OPEN(&manifest, &options));
    options = good_options();
    options.flags = 1u << 31;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.flags", OPEN(&manifest, &options));
    options = good_options();
    options.reserved0 = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.reserved0", OPEN(&manifest, &options));
    options = good_options();
    options.reserved1[3] = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.reserved1", OPEN(&manifest, &options));
    options = good_options();
    options.backend = 99;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "options.backend", OPEN(&manifest, &options));
    options = good_options();
    options.durability = 3;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "options.durability", OPEN(&manifest, &options));
    options = good_options();
    options.wait_policy = 4;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "options.wait_policy", OPEN(&manifest, &options));
    options = good_options();
    options.digest_key[31] = 1;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "options.digest_key", OPEN(&manifest, &options));
    options = good_options();
    options.queue_entries = UINT64_MAX;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "queue_entries", OPEN(&manifest, &options));
    options = good_options();
    options.queue_bytes = UINT64_MAX;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "queue_bytes", OPEN(&manifest, &options));
    options = good_options();
    options.group_entries = UINT64_MAX;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "group_entries", OPEN(&manifest, &options));
    options = good_options();
    options.group_bytes = UINT64_MAX;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "group_bytes", OPEN(&manifest, &options));
    options = good_options();
    options.cache_bytes = UINT64_MAX;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "cache_bytes", OPEN(&manifest, &options));

    /* A newer program's larger struct: refused while it says something, and only then. */
    options = good_options();
    memset(larger, 0, sizeof larger);
    options.struct_size = (uint32_t)sizeof larger;
    memcpy(larger, &options, sizeof options);
    larger[sizeof larger - 1] = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options",
            OPEN(&manifest, (es_open_options *)(void *)larger));
    larger[sizeof larger - 1] = 0;
    options.struct_size = 99; /* an odd address, and the manifest the only mistake */
    manifest.status = 77;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "manifest.status",
            OPEN(&manifest, (es_open_options *)(void *)larger));
}

static void open_run_manifest(void) {
    static const char *const bad_ids[] = {"", ".", "..", "../up", "/etc/passwd", "a/b", "a\\b", "nul\x01",
                                          ".hidden", "sp ace", "caf\xc3\xa9", "C:"};
    es_open_options options = good_options();
    es_manifest manifest = good_manifest("refused");
    es_string list[2] = {{"one", ES_NTS}, {"\xff\xfe", 2}};
    es_string_pair map[2] = {{{"one", 3}, {"1", 1}}, {{NULL, 5}, {"2", 1}}};
    size_t at;

    REFUSED(ES_ERR_NULL_POINTER, "manifest", OPEN(NULL, &options));
    BAD_SIZES(es_manifest, manifest, struct_size, "manifest", OPEN(&manifest, &options));
    for (at = 0; at < sizeof bad_ids / sizeof bad_ids[0]; at++) {
        manifest = good_manifest(bad_ids[at]);
        REFUSED(ES_ERR_INVALID_ARGUMENT, "run_id", OPEN(&manifest, &options));
        manifest = good_manifest("refused");
        manifest.instance_id.data = bad_ids[at];
        REFUSED(ES_ERR_INVALID_ARGUMENT, "instance_id", OPEN(&manifest, &options));
        manifest = good_manifest("refused");
        manifest.parent_run_id.data = bad_ids[at];
        manifest.parent_run_id.len = ES_NTS;
        REFUSED(ES_ERR_INVALID_ARGUMENT, "parent_run_id", OPEN(&manifest, &options));
    }
    manifest = good_manifest(long_text);
    REFUSED(ES_ERR_INVALID_ARGUMENT, "run_id", OPEN(&manifest, &options));
    manifest.run_id.len = 129;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "run_id", OPEN(&manifest, &options));
    manifest.run_id.len = SIZE_MAX - 1;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "run_id", OPEN(&manifest, &options));
    manifest = good_manifest("a\0b");
    manifest.run_id.len = 3;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "run_id", OPEN(&manifest, &options));
    manifest = good_manifest("\xff");
    REFUSED(ES_ERR_INVALID_UTF8, "run_id", OPEN(&manifest, &options));
    manifest = good_manifest(NULL);
    REFUSED(ES_ERR_NULL_POINTER, "run_id", OPEN(&manifest, &options));
    manifest.run_id.len = 0;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "run_id", OPEN(&manifest, &options));
    manifest = good_manifest("refused");
    manifest.binary_hash.len = 9;
    REFUSED(ES_ERR_NULL_POINTER, "binary_hash", OPEN(&manifest, &options));
    manifest = good_manifest("refused");
    manifest.config_hash.data = long_text;
    manifest.config_hash.len = (size_t)1 << 40;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "config_hash", OPEN(&manifest, &options));

    manifest = good_manifest("refused");
    manifest.feature_flag_count = 1;
    REFUSED(ES_ERR_NULL_POINTER, "feature_flags", OPEN(&manifest, &options));
    manifest.feature_flags = list;
    manifest.feature_flag_count = SIZE_MAX;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "feature_flags", OPEN(&manifest, &options));
    manifest.feature_flag_count = 2;
    REFUSED_ITEM(ES_ERR_INVALID_UTF8, "feature_flags", 1, OPEN(&manifest, &options));
    manifest = good_manifest("refused");
    manifest.actors = map;
    manifest.actor_count = 2;
    REFUSED_ITEM(ES_ERR_NULL_POINTER, "actors", 1, OPEN(&manifest, &options));
    manifest.actor_count = (size_t)1 << 60;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "actors", OPEN(&manifest, &options));

    manifest = good_manifest("refused");
    manifest.flags = 4;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "manifest.flags", OPEN(&manifest, &options));
    manifest = good_manifest("refused");
    manifest.reserved[0] = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "manifest.reserved", OPEN(&manifest, &options));
    manifest = good_manifest("refused");
    manifest.seed = 42;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "manifest.seed", OPEN(&manifest, &options));
    manifest = good_manifest("refused");
    manifest.status = ES_RUN_ENDED;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "manifest", OPEN(&manifest, &options));
    manifest = good_manifest("refused");
    manifest.high_watermark = 1;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "manifest", OPEN(&manifest, &options));
    manifest = good_manifest("refused");
    manifest.end_ts_init = 1;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "manifest", OPEN(&manifest, &options));
}

/* What is wrong with a path, for each function that takes one. */
static const text bad_paths[] = {{NULL, 3, ES_ERR_NULL_POINTER},     {NULL, ES_NTS, ES_ERR_NULL_POINTER},
                                 {NULL, 0, ES_ERR_INVALID_ARGUMENT}, {"", ES_NTS, ES_ERR_INVALID_ARGUMENT},
                                 {"a\0b", 3, ES_ERR_INVALID_ARGUMENT}, {"\xc3", 1, ES_ERR_INVALID_UTF8},
                                 {long_text, ES_NTS, ES_ERR_INVALID_ARGUMENT},
                                 {long_text, 4096, ES_ERR_INVALID_ARGUMENT},
                                 {long_text, SIZE_MAX - 1, ES_ERR_INVALID_ARGUMENT}};

static void open_paths(void) {
    es_manifest manifest = good_manifest("refused");
    es_open_options options = good_options();
    es_reader_options reader_options = ES_READER_OPTIONS_INIT;
    size_t at;

    for (at = 0; at < sizeof bad_paths / sizeof bad_paths[0]; at++) {
        const text *path = &bad_paths[at];
        if (backend != ES_BACKEND_MEMORY)
            REFUSED(path->status, "base",
                    es_open_run(path->data, path->len, &manifest, &options, &out.run, &err));
        REFUSED(path->status, "path",
                es_open_sealed_run(path->data, path->len, NULL, &out.reader, &err));
        REFUSED(path->status, "path", es_open_live_run(path->data, path->len, NULL, &out.reader, &err));
        REFUSED(path->status, "path", es_copy_run(path->data, path->len, base, ES_NTS, &out.copy, &err));
        REFUSED(path->status, "base", es_copy_run(base, ES_NTS, path->data, path->len, &out.copy, &err));
        REFUSED(path->status, "base", es_open_crashed_run(path->data, path->len, "i", 1, "r", 1, NULL,
                                                          &out.reader, &err));
    }
    REFUSED(ES_ERR_NULL_POINTER, "out", es_open_sealed_run("x", 1, NULL, NULL, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_open_live_run("x", 1, NULL, NULL, &err));
    BAD_SIZES(es_reader_options, reader_options, struct_size, "options",
              es_open_live_run("x", 1, &reader_options, &out.reader, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out",
            es_open_crashed_run(base, ES_NTS, "i", 1, "r", 1, NULL, NULL, &err));
    BAD_SIZES(es_reader_options, reader_options, struct_size, "options",
              es_open_sealed_run("x", 1, &reader_options, &out.reader, &err));
    reader_options.abi_version = 0;
    REFUSED(ES_ERR_ABI_MISMATCH, "abi_version",
            es_open_sealed_run("x", 1, &reader_options, &out.reader, &err));
    reader_options.abi_version = ES_ABI_VERSION;
    reader_options.flags = 64;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.flags",
            es_open_live_run("x", 1, &reader_options, &out.reader, &err));
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.flags",
            es_open_crashed_run(base, ES_NTS, "i", 1, "r", 1, &reader_options, &out.reader, &err));
    reader_options.flags = 0;
    reader_options.reserved0 = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.reserved0",
            es_open_sealed_run("x", 1, &reader_options, &out.reader, &err));
    reader_options.reserved0 = 0;
    reader_options.reserved[1] = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.reserved",
            es_open_sealed_run("x", 1, &reader_options, &out.reader, &err));
    reader_options.reserved[1] = 0;
    reader_options.digest_key[0] = 1;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "options.digest_key",
            es_open_sealed_run("x", 1, &reader_options, &out.reader, &err));

    REFUSED(ES_ERR_INVALID_ARGUMENT, "instance_id",
            es_open_crashed_run(base, ES_NTS, "../..", ES_NTS, "r", 1, NULL, &out.reader, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "run_id",
            es_open_crashed_run(base, ES_NTS, "i", 1, "a/b", ES_NTS, NULL, &out.reader, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "run_id",
            es_open_crashed_run(base, ES_NTS, "i", 1, long_text, ES_NTS, NULL, &out.reader, &err));
    REFUSED(ES_ERR_NULL_POINTER, "instance_id",
            es_open_crashed_run(base, ES_NTS, NULL, 1, "r", 1, NULL, &out.reader, &err));
    REFUSED(ES_ERR_INVALID_UTF8, "run_id",
            es_open_crashed_run(base, ES_NTS, "i", 1, "\xff", 1, NULL, &out.reader, &err));
    REFUSED(ES_ERR_NOT_FOUND, "",
            es_open_crashed_run(base, ES_NTS, "nobody", ES_NTS, "r", 1, NULL, &out.reader, &err));
    REFUSED(ES_ERR_NOT_FOUND, "", es_open_sealed_run("/nowhere/run.redb", ES_NTS, NULL, &out.reader, &err));
    REFUSED(ES_ERR_NOT_FOUND, "", es_open_live_run("/nowhere/run.eslog", ES_NTS, NULL, &out.reader, &err));
    REFUSED(ES_ERR_NOT_FOUND, "", es_copy_run("/nowhere/run.eslog", ES_NTS, base, ES_NTS, &out.copy, &err));
    if (backend == ES_BACKEND_REDB) {
        REFUSED(ES_ERR_UNSUPPORTED, "log backend",
                es_open_live_run(watched_path, ES_NTS, NULL, &out.reader, &err));
        REFUSED(ES_ERR_UNSUPPORTED, "log backend",
                es_copy_run(watched_path, ES_NTS, base, ES_NTS, &out.copy, &err));
    }
    prepare();
    out.copy.struct_size = 31;
    before.copy.struct_size = 31;
    refused(__LINE__, "es_copy_run, result of 31 bytes", es_copy_run("x", 1, base, ES_NTS, &out.copy, &err),
            ES_ERR_STRUCT_SIZE, "out", ITEM_NONE);

    BAD_RUNS(es_open_reader(h, &out.reader, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_open_reader(run, NULL, &err));
}

static void open_taken_names(void) {
    es_manifest manifest = good_manifest("watched");
    es_open_options options = good_options();
    es_manifest ended = good_manifest("freed");
    ended.instance_id.data = "instance-2";
    if (backend == ES_BACKEND_MEMORY) return;
    REFUSED(ES_ERR_LOCKED, "", OPEN(&manifest, &options));
    REFUSED(ES_ERR_ALREADY_EXISTS, "", OPEN(&ended, &options));
    REFUSED(ES_ERR_LOCKED, "", es_open_crashed_run(base, ES_NTS, "instance", ES_NTS, "watched", ES_NTS, NULL,
                                                   &out.reader, &err));
    {
        /* A sealed run opens too, and is not sealed again. */
        es_reader *sealed;
        ACCEPTED(es_open_crashed_run(base, ES_NTS, "instance-2", ES_NTS, "freed", ES_NTS, NULL, &out.reader, &err));
        sealed = out.reader;
        REFUSED(ES_ERR_CLOSED, "", es_seal_run(sealed, ES_RUN_CRASHED_RECOVERED, &out.close, &err));
        es_free_reader(sealed);
    }
}

/* One draft, handed in each of the three ways. `item` of a single submit is none. */
#define EACH_WAY(wanted, word, draft)                                                              \
    do {                                                                                           \
        es_draft pair_[2];                                                                         \
        pair_[0] = good_draft();                                                                   \
        pair_[1] = (draft);                                                                        \
        REFUSED(wanted, word, es_submit(run, &(draft), sizeof(draft), NULL, &out.seq, &err));      \
        REFUSED_ITEM(wanted, word, 1,                                                              \
                     es_submit_batch(run, pair_, sizeof pair_[0], 2, NULL, &out.seq, &err));       \
        REFUSED_ITEM(wanted, word, 1,                                                              \
                     es_append_batch(run, pair_, sizeof pair_[0], 2, NULL, &out.append, &err));    \
    } while (0)

static void draft_texts(void) {
    static const struct {
        text text;
    } cases[] = {{{NULL, 3, ES_ERR_NULL_POINTER}},
                 {{NULL, ES_NTS, ES_ERR_NULL_POINTER}},
                 {{NULL, 0, ES_ERR_INVALID_ARGUMENT}},
                 {{"", ES_NTS, ES_ERR_INVALID_ARGUMENT}},
                 {{"bad \xf0\x28", ES_NTS, ES_ERR_INVALID_UTF8}},
                 {{"cut \xe2\x82", 6, ES_ERR_INVALID_UTF8}},
                 {{long_text, ES_NTS, ES_ERR_INVALID_ARGUMENT}},
                 {{long_text, 1025, ES_ERR_INVALID_ARGUMENT}},
                 {{long_text, SIZE_MAX - 1, ES_ERR_INVALID_ARGUMENT}}};
    size_t at;
    for (at = 0; at < sizeof cases / sizeof cases[0]; at++) {
        const text *bad = &cases[at].text;
        es_draft draft = good_draft();
        es_index_key key = {NULL, 0, ES_INDEX_CLIENT_ORDER_ID, 0};
        draft.topic = bad->data;
        draft.topic_len = bad->len;
        EACH_WAY(bad->status, "topic", draft);
        draft = good_draft();
        draft.payload_type = bad->data;
        draft.payload_type_len = bad->len;
        EACH_WAY(bad->status, "payload_type", draft);
        draft = good_draft();
        key.key = bad->data;
        key.key_len = bad->len;
        draft.keys = &key;
        draft.key_count = 1;
        EACH_WAY(bad->status, "index key", draft);
    }
}

static void draft_fields(void) {
    es_index_key key = {"k", 1, ES_INDEX_CLIENT_ORDER_ID, 0};
    es_draft draft = good_draft();
    draft.topic = "run.lifecycle.RunEnded";
    EACH_WAY(ES_ERR_INVALID_ARGUMENT, "topic", draft);
    draft = good_draft();
    draft.payload = NULL;
    EACH_WAY(ES_ERR_NULL_POINTER, "payload", draft);
    draft = good_draft();
    draft.payload_len = ES_PAYLOAD_BYTES_MAX + 1;
    EACH_WAY(ES_ERR_INVALID_ARGUMENT, "payload", draft);
    draft.payload_len = ES_NTS;
    EACH_WAY(ES_ERR_INVALID_ARGUMENT, "payload", draft);
    draft = good_draft();
    draft.keys = NULL;
    EACH_WAY(ES_ERR_NULL_POINTER, "index keys", draft);
    draft = good_draft();
    draft.key_count = 17;
    EACH_WAY(ES_ERR_INVALID_ARGUMENT, "index keys", draft);
    draft.key_count = UINT32_MAX;
    EACH_WAY(ES_ERR_INVALID_ARGUMENT, "index keys", draft);
    draft = good_draft();
    draft.flags = 4;
    EACH_WAY(ES_ERR_UNSUPPORTED_FIELD, "draft.flags", draft);
    draft = good_draft();
    draft.keys = &key;
    draft.key_count = 1;
    key.kind = 2;
    EACH_WAY(ES_ERR_INVALID_ARGUMENT, "index key kind", draft);
    key.kind = UINT32_MAX;
    EACH_WAY(ES_ERR_INVALID_ARGUMENT, "index key kind", draft);
    key.kind = 0;
    key.reserved = 1;
    EACH_WAY(ES_ERR_UNSUPPORTED_FIELD, "index key reserved", draft);
    key.reserved = 0;
    key.key = "nul\0";
    key.key_len = 4;
    EACH_WAY(ES_ERR_INVALID_ARGUMENT, "index key", draft);
}

static void draft_shapes(void) {
    unsigned char larger[sizeof(es_draft) + 8];
    es_draft draft = good_draft();
    size_t size;
    for (size = 0; size < offsetof(es_draft, causation_id); size += 37) {
        REFUSED(ES_ERR_STRUCT_SIZE, "draft", es_submit(run, &draft, size, NULL, &out.seq, &err));
        REFUSED(ES_ERR_STRUCT_SIZE, "stride",
                es_submit_batch(run, &draft, size, 1, NULL, &out.seq, &err));
        REFUSED(ES_ERR_STRUCT_SIZE, "stride",
                es_append_batch(run, &draft, size, 1, NULL, &out.append, &err));
    }
    REFUSED(ES_ERR_STRUCT_SIZE, "draft", es_submit(run, &draft, SIZE_MAX, NULL, &out.seq, &err));
    REFUSED(ES_ERR_NULL_POINTER, "draft", es_submit(run, NULL, sizeof draft, NULL, &out.seq, &err));
    memset(larger, 0, sizeof larger);
    memcpy(larger, &draft, sizeof draft);
    larger[sizeof larger - 1] = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "draft",
            es_submit(run, (es_draft *)(void *)larger, sizeof larger, NULL, &out.seq, &err));

    REFUSED(ES_ERR_NULL_POINTER, "drafts",
            es_submit_batch(run, NULL, sizeof draft, 1, NULL, &out.seq, &err));
    REFUSED(ES_ERR_NULL_POINTER, "drafts",
            es_append_batch(run, NULL, sizeof draft, 1, NULL, &out.append, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "count",
            es_submit_batch(run, &draft, sizeof draft, 0, NULL, &out.seq, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "count",
            es_submit_batch(run, &draft, sizeof draft, 65537, NULL, &out.seq, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "count",
            es_append_batch(run, &draft, sizeof draft, SIZE_MAX, NULL, &out.append, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "stride",
            es_append_batch(run, &draft, SIZE_MAX / 2, 3, NULL, &out.append, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "stride",
            es_submit_batch(run, &draft, SIZE_MAX, 65536, NULL, &out.seq, &err));
    BAD_RUNS(es_submit(h, &draft, sizeof draft, NULL, &out.seq, &err));
    BAD_RUNS(es_submit_batch(h, &draft, sizeof draft, 1, NULL, &out.seq, &err));
    BAD_RUNS(es_append_batch(h, &draft, sizeof draft, 1, NULL, &out.append, &err));
    BAD_RUNS(es_append_batch(h, NULL, 0, 0, NULL, NULL, &err));
    ACCEPTED(es_append_batch(run, NULL, 0, 0, NULL, &out.append, &err));
    CHECK(out.append.count == 0 && out.append.high_watermark == 2, "an empty batch does nothing");
}

/* One packed draft, second of two. */
#define PACKED(wanted, word, change)                                                               \
    do {                                                                                           \
        es_packed_draft pair_[2];                                                                  \
        pair_[0] = good;                                                                           \
        pair_[1] = good;                                                                           \
        pair_[1].change;                                                                           \
        REFUSED_ITEM(wanted, word, 1,                                                              \
                     es_submit_packed(run, pair_, sizeof pair_[0], 2, arena, sizeof arena, NULL,   \
                                      &out.seq, &err));                                            \
    } while (0)

static void packed_drafts(void) {
    static const char arena[] = "topic\xff\0\0\3\0abc\1\0\2\0de";
    es_submit_options submit = ES_SUBMIT_OPTIONS_INIT;
    es_packed_draft good = ES_PACKED_DRAFT_INIT;
    size_t size;
    good.topic_len = 5;
    good.payload_type_len = 4;
    good.payload_len = 5;
    good.keys_offset = 6;
    good.keys_len = 13;
    good.key_count = 2;
    PACKED(ES_ERR_INVALID_ARGUMENT, "topic", topic_len = 0);
    PACKED(ES_ERR_INVALID_ARGUMENT, "topic", topic_len = sizeof arena + 1);
    PACKED(ES_ERR_INVALID_ARGUMENT, "topic", topic_offset = UINT64_MAX);
    PACKED(ES_ERR_INVALID_ARGUMENT, "topic", topic_offset = UINT64_MAX - 4);
    PACKED(ES_ERR_INVALID_UTF8, "topic", topic_len = 6);
    PACKED(ES_ERR_INVALID_ARGUMENT, "payload_type", payload_type_len = UINT32_MAX);
    PACKED(ES_ERR_INVALID_ARGUMENT, "payload_type", payload_type_len = 0);
    PACKED(ES_ERR_INVALID_UTF8, "payload_type", payload_type_offset = 3);
    PACKED(ES_ERR_INVALID_ARGUMENT, "payload", payload_offset = sizeof arena - 4);
    PACKED(ES_ERR_INVALID_ARGUMENT, "payload", payload_len = UINT64_MAX);
    PACKED(ES_ERR_INVALID_ARGUMENT, "keys", keys_offset = sizeof arena - 12);
    PACKED(ES_ERR_INVALID_ARGUMENT, "index keys", keys_len = 12);
    PACKED(ES_ERR_INVALID_ARGUMENT, "index keys", keys_len = 14);
    PACKED(ES_ERR_INVALID_ARGUMENT, "index keys", keys_len = 9);
    PACKED(ES_ERR_INVALID_ARGUMENT, "index keys", key_count = 1);
    PACKED(ES_ERR_INVALID_ARGUMENT, "index keys", key_count = 0);
    PACKED(ES_ERR_INVALID_ARGUMENT, "index keys", key_count = 17);
    PACKED(ES_ERR_INVALID_ARGUMENT, "index keys", key_count = UINT32_MAX);
    PACKED(ES_ERR_INVALID_ARGUMENT, "index key", keys_offset = 5);
    PACKED(ES_ERR_UNSUPPORTED_FIELD, "draft.flags", flags = 8);
    PACKED(ES_ERR_UNSUPPORTED_FIELD, "draft.reserved", reserved = 1);

    REFUSED(ES_ERR_NULL_POINTER, "drafts",
            es_submit_packed(run, NULL, sizeof good, 1, arena, sizeof arena, NULL, &out.seq, &err));
    REFUSED(ES_ERR_NULL_POINTER, "arena",
            es_submit_packed(run, &good, sizeof good, 1, NULL, 1, NULL, &out.seq, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "arena",
            es_submit_packed(run, &good, sizeof good, 1, arena, SIZE_MAX, NULL, &out.seq, &err));
    REFUSED_ITEM(ES_ERR_INVALID_ARGUMENT, "keys", 0,
                 es_submit_packed(run, &good, sizeof good, 1, NULL, 0, NULL, &out.seq, &err));
    for (size = 0; size < offsetof(es_packed_draft, causation_id); size += 37)
        REFUSED(ES_ERR_STRUCT_SIZE, "stride",
                es_submit_packed(run, &good, size, 1, arena, sizeof arena, NULL, &out.seq, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "count",
            es_submit_packed(run, &good, sizeof good, 0, arena, sizeof arena, NULL, &out.seq, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "count",
            es_submit_packed(run, &good, sizeof good, 65537, arena, sizeof arena, NULL, &out.seq, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "stride",
            es_submit_packed(run, &good, SIZE_MAX, 65536, arena, sizeof arena, NULL, &out.seq, &err));
    BAD_SIZES(es_submit_options, submit, struct_size, "options",
              es_submit_packed(run, &good, sizeof good, 1, arena, sizeof arena, &submit, &out.seq, &err));
    BAD_RUNS(es_submit_packed(h, &good, sizeof good, 1, arena, sizeof arena, NULL, &out.seq, &err));
}

static void write_options(void) {
    es_draft draft = good_draft();
    es_submit_options submit = ES_SUBMIT_OPTIONS_INIT;
    es_append_options append = ES_APPEND_OPTIONS_INIT;
    BAD_SIZES(es_submit_options, submit, struct_size, "options",
              es_submit(run, &draft, sizeof draft, &submit, &out.seq, &err));
    BAD_SIZES(es_submit_options, submit, struct_size, "options",
              es_submit_batch(run, &draft, sizeof draft, 1, &submit, &out.seq, &err));
    BAD_SIZES(es_append_options, append, struct_size, "options",
              es_append_batch(run, &draft, sizeof draft, 1, &append, &out.append, &err));
    submit.flags = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.flags",
            es_submit(run, &draft, sizeof draft, &submit, &out.seq, &err));
    submit.flags = 0;
    submit.reserved[1] = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.reserved",
            es_submit_batch(run, &draft, sizeof draft, 1, &submit, &out.seq, &err));
    append.flags = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.flags",
            es_append_batch(run, &draft, sizeof draft, 1, &append, &out.append, &err));
    append.flags = 0;
    append.reserved[0] = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.reserved",
            es_append_batch(run, &draft, sizeof draft, 1, &append, &out.append, &err));
    prepare();
    out.append.struct_size = 8;
    before.append.struct_size = 8;
    refused(__LINE__, "es_append_batch, result of 8 bytes",
            es_append_batch(run, &draft, sizeof draft, 1, NULL, &out.append, &err),
            ES_ERR_STRUCT_SIZE, "out", ITEM_NONE);

    submit.reserved[1] = 0;
    submit.expected_seq = 9;
    REFUSED(ES_ERR_OUT_OF_ORDER, "9", es_submit(run, &draft, sizeof draft, &submit, &out.seq, &err));
    CHECK(err.seq == 9 && err.next_seq == 3 && err.high_watermark == 2, "numbers of out of order");
    append.reserved[0] = 0;
    append.expected_seq = 2;
    REFUSED(ES_ERR_OUT_OF_ORDER, "2",
            es_append_batch(run, &draft, sizeof draft, 1, &append, &out.append, &err));
    CHECK(err.seq == 2 && err.next_seq == 3 && err.count == 0, "nothing was claimed");
}

static void waiting_and_anchors(void) {
    static const text cases[] = {{NULL, 3, ES_ERR_NULL_POINTER},
                                 {NULL, 0, ES_ERR_INVALID_ARGUMENT},
                                 {"\xff", 1, ES_ERR_INVALID_UTF8},
                                 {long_text, ES_NTS, ES_ERR_INVALID_ARGUMENT},
                                 {long_text, 4097, ES_ERR_INVALID_ARGUMENT},
                                 {long_text, SIZE_MAX - 1, ES_ERR_INVALID_ARGUMENT}};
    size_t at;
    BAD_RUNS(es_wait_durable(h, 0, 0, &err));
    BAD_RUNS(es_flush(h, 0, &err));
    BAD_RUNS(es_record_anchor(h, 1, "b", 1, "h", 1, 0, &err));
    BAD_RUNS(es_do_work(h, &out.seq, &err));
    ACCEPTED(es_wait_durable(run, 0, 0, &err));
    ACCEPTED(es_wait_durable(run, 2, 0, &err));
    ACCEPTED(es_flush(run, 0, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "seq", es_wait_durable(run, 3, 0, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "seq", es_wait_durable(run, UINT64_MAX, ES_FOREVER, &err));
    REFUSED(ES_ERR_UNSUPPORTED, "", es_do_work(run, &out.seq, &err));
    for (at = 0; at < sizeof cases / sizeof cases[0]; at++) {
        const text *bad = &cases[at];
        REFUSED(bad->status, "blob_ref",
                es_record_anchor(run, 1, bad->data, bad->len, "h", 1, ES_FOREVER, &err));
        REFUSED(bad->status, "content_hash",
                es_record_anchor(run, 1, "b", 1, bad->data, bad->len, ES_FOREVER, &err));
    }
    REFUSED(ES_ERR_INVALID_ARGUMENT, "seq", es_record_anchor(run, 0, "b", 1, "h", 1, ES_FOREVER, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "seq", es_record_anchor(run, 3, "b", 1, "h", 1, ES_FOREVER, &err));
}

static void run_getters(void) {
    size_t size;
    BAD_RUNS(es_get_run_state(h, &out.state, sizeof out.state, &err));
    BAD_RUNS(es_get_run_stats(h, &out.stats, sizeof out.stats, &err));
    BAD_RUNS(es_get_run_path(h, out.path, sizeof out.path, &out.needed, &err));
    BAD_RUNS(es_open_durable_fd(h, &out.fd, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_get_run_state(run, NULL, sizeof out.state, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_get_run_stats(run, NULL, sizeof out.stats, &err));
    REFUSED(ES_ERR_NULL_POINTER, "fd", es_open_durable_fd(run, NULL, &err));
    REFUSED(ES_ERR_NULL_POINTER, "path", es_get_run_path(run, NULL, 9, &out.needed, &err));
    for (size = 0; size < offsetof(es_run_state, reserved); size += 22) {
        REFUSED(ES_ERR_STRUCT_SIZE, "out", es_get_run_state(run, &out.state, size, &err));
        REFUSED(ES_ERR_STRUCT_SIZE, "out", es_get_run_stats(run, &out.stats, size, &err));
    }
    REFUSED(ES_ERR_STRUCT_SIZE, "out", es_get_run_state(run, &out.state, 4097, &err));
    REFUSED(ES_ERR_STRUCT_SIZE, "out", es_get_run_stats(run, &out.stats, SIZE_MAX, &err));
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "path", es_get_run_path(run, NULL, 0, &out.needed, &err));
    CHECK(err.required == (watched_path[0] == 0 ? 1 : strlen(watched_path) + 1), "size of the path");
    if (watched_path[0] != 0) {
        prepare();
        CHECK(es_get_run_path(run, out.path, 4, &out.needed, NULL) == ES_ERR_BUFFER_TOO_SMALL, "4 bytes");
        CHECK(out.path[0] == 0 && all_canary(out.path + 1, 63), "an empty text, nothing else");
        CHECK(out.needed == strlen(watched_path) + 1, "needed");
    }
    ACCEPTED(es_get_run_state(run, &out.state, sizeof out.state, &err));
    CHECK(out.state.high_watermark == 2 && out.state.phase == ES_PHASE_OPEN, "state");
    ACCEPTED(es_get_run_stats(run, &out.stats, sizeof out.stats, &err));
    CHECK(out.stats.entries == 2 && out.stats.reserved == 0, "stats");
    ACCEPTED(es_open_durable_fd(run, &out.fd, &err));
}

#define SCAN(request_, stride_, cap_, arena_, arena_cap_) \
    es_scan_range(reader, request_, out.entries, stride_, cap_, arena_, arena_cap_, &out.scan, &err)

static void scanning(void) {
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    es_entry *none = NULL;
    size_t stride;
    BAD_READERS(es_scan_range(h, &request, out.entries, sizeof(es_entry), 4, out.arena, 1024, &out.scan, &err));
    REFUSED(ES_ERR_NULL_POINTER, "request", SCAN(NULL, sizeof(es_entry), 4, out.arena, 1024));
    REFUSED(ES_ERR_NULL_POINTER, "entries",
            es_scan_range(reader, &request, none, sizeof(es_entry), 4, out.arena, 1024, &out.scan, &err));
    REFUSED(ES_ERR_NULL_POINTER, "arena", SCAN(&request, sizeof(es_entry), 4, NULL, 1024));
    REFUSED(ES_ERR_NULL_POINTER, "result",
            es_scan_range(reader, &request, out.entries, sizeof(es_entry), 4, out.arena, 1024, NULL, &err));
    BAD_SIZES(es_scan_request, request, struct_size, "request",
              SCAN(&request, sizeof(es_entry), 4, out.arena, 1024));
    prepare();
    out.scan.struct_size = 3;
    before.scan.struct_size = 3;
    refused(__LINE__, "es_scan_range, result of 3 bytes",
            SCAN(&request, sizeof(es_entry), 4, out.arena, 1024), ES_ERR_STRUCT_SIZE, "result", ITEM_NONE);
    for (stride = 0; stride < offsetof(es_entry, entry_hash); stride += 50)
        REFUSED(ES_ERR_STRUCT_SIZE, "stride", SCAN(&request, stride, 4, out.arena, 1024));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "stride", SCAN(&request, SIZE_MAX / 2, 4, out.arena, 1024));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "entries", SCAN(&request, sizeof(es_entry), 0, out.arena, 1024));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "stride", SCAN(&request, sizeof(es_entry), SIZE_MAX, out.arena, 1024));
    request.direction = 2;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "request.direction",
            SCAN(&request, sizeof(es_entry), 4, out.arena, 1024));
    request.direction = ES_FORWARD;
    request.reserved[0] = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "request.reserved",
            SCAN(&request, sizeof(es_entry), 4, out.arena, 1024));
    request.reserved[0] = 0;
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "arena", SCAN(&request, sizeof(es_entry), 4, out.arena, 20));
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "arena", SCAN(&request, sizeof(es_entry), 4, NULL, 0));
    {
        /* An arena of the heap that is one byte too small, so that a write beyond it is seen. */
        size_t required = (size_t)err.required;
        char *exact = (char *)malloc(required - 1);
        REFUSED(ES_ERR_BUFFER_TOO_SMALL, "arena", SCAN(&request, sizeof(es_entry), 4, exact, required - 1));
        free(exact);
        exact = (char *)malloc(required);
        ACCEPTED(SCAN(&request, sizeof(es_entry), 4, exact, required));
        CHECK(out.scan.rows == 1 && out.scan.more == 1 && out.scan.next_seq == 2, "exactly one row fits");
        free(exact);
    }
    ACCEPTED(SCAN(&request, sizeof(es_entry), 4, out.arena, 1024));
    CHECK(out.scan.rows == 2 && out.scan.more == 0 && out.scan.next_seq == 3, "both rows");
    CHECK(strcmp(out.arena + out.entries[1].topic_offset, "orders.new") == 0, "topic");
    CHECK(all_canary(&out.entries[2], sizeof(es_entry) * 2), "rows beyond the last are untouched");
    /* Memory that overlaps, at an odd address: nonsense for the caller, harmless for the library. */
    ACCEPTED(es_scan_range(reader, &request, (es_entry *)(void *)(out.arena + 1), sizeof(es_entry), 2, out.arena,
                           1023, &out.scan, &err));
    request.from = 0;
    ACCEPTED(SCAN(&request, sizeof(es_entry), 4, out.arena, 1024));
    CHECK(out.scan.rows == 0 && out.scan.more == 0, "from 0 names nothing");
}

static void single_reads(void) {
    size_t size;
    BAD_READERS(es_get_entry(h, 1, &out.entries[0], sizeof(es_entry), out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_NULL_POINTER, "entry", es_get_entry(reader, 1, NULL, sizeof(es_entry), out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_NULL_POINTER, "arena",
            es_get_entry(reader, 1, &out.entries[0], sizeof(es_entry), NULL, 5, &out.needed, &err));
    for (size = 0; size < offsetof(es_entry, entry_hash); size += 50)
        REFUSED(ES_ERR_STRUCT_SIZE, "entry",
                es_get_entry(reader, 1, &out.entries[0], size, out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_STRUCT_SIZE, "entry",
            es_get_entry(reader, 1, &out.entries[0], SIZE_MAX, out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_NOT_FOUND, "seq",
            es_get_entry(reader, 0, &out.entries[0], sizeof(es_entry), out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_NOT_FOUND, "seq",
            es_get_entry(reader, 3, &out.entries[0], sizeof(es_entry), out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_NOT_FOUND, "seq", es_get_entry(reader, UINT64_MAX, &out.entries[0], sizeof(es_entry),
                                                  out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "arena",
            es_get_entry(reader, 1, &out.entries[0], sizeof(es_entry), NULL, 0, &out.needed, &err));
    ACCEPTED(es_get_entry(reader, 1, &out.entries[0], sizeof(es_entry), out.arena, 1024,
                          &out.needed, &err));
    CHECK(out.entries[0].seq == 1 && out.entries[0].key_count == 2, "entry 1");

    BAD_READERS(es_get_high_watermark(h, &out.seq, &err));
    REFUSED(ES_ERR_NULL_POINTER, "seq", es_get_high_watermark(reader, NULL, &err));
    BAD_READERS(es_get_digest(h, out.digest, 32, &out.keyed, &err));
    REFUSED(ES_ERR_NULL_POINTER, "digest", es_get_digest(reader, NULL, 32, &out.keyed, &err));
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "digest", es_get_digest(reader, out.digest, 31, &out.keyed, &err));
    REFUSED(ES_ERR_NOT_FOUND, "digest", es_get_digest(reader, out.digest, 32, &out.keyed, &err));
    BAD_READERS(es_get_reader_path(h, out.path, 64, &out.needed, &err));
    REFUSED(ES_ERR_NULL_POINTER, "path", es_get_reader_path(reader, NULL, 9, &out.needed, &err));
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "path", es_get_reader_path(reader, NULL, 0, &out.needed, &err));
    BAD_READERS(es_find_first_seq(h, 1, &out.seq, &err));
    REFUSED(ES_ERR_NULL_POINTER, "seq", es_find_first_seq(reader, 1, NULL, &err));
    REFUSED(ES_ERR_NOT_FOUND, "ts_init", es_find_first_seq(reader, UINT64_MAX, &out.seq, &err));
}

/* Waiting for more as a reader: nothing new, what is there, and the wrong ways to ask. */
static void tails(void) {
    BAD_READERS(es_wait_tail(h, 1, 0, &out.tail, &err));
    prepare();
    out.tail.struct_size = 23;
    before.tail.struct_size = 23;
    refused(__LINE__, "es_wait_tail, result of 23 bytes", es_wait_tail(reader, 1, 0, &out.tail, &err),
            ES_ERR_STRUCT_SIZE, "out", ITEM_NONE);
    REFUSED(ES_ERR_TIMEOUT, "", es_wait_tail(reader, 3, 0, &out.tail, &err));
    REFUSED(ES_ERR_TIMEOUT, "", es_wait_tail(reader, UINT64_MAX, 1000000, &out.tail, &err));
    ACCEPTED(es_wait_tail(reader, 2, ES_FOREVER, &out.tail, &err));
    CHECK(out.tail.flags == 0 && out.tail.status == ES_RUN_RUNNING && out.tail.high_watermark == 2, "two entries");
    CHECK(out.tail.reserved0 == 0 && out.tail.reserved[0] == 0 && out.tail.reserved[1] == 0, "reserved");
    ACCEPTED(es_wait_tail(reader, 0, 0, NULL, &err));
}

static void wholes(void) {
    size_t size;
    BAD_READERS(es_get_manifest(h, &out.manifest, out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_get_manifest(reader, NULL, out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_NULL_POINTER, "arena", es_get_manifest(reader, &out.manifest, NULL, 5, &out.needed, &err));
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "arena", es_get_manifest(reader, &out.manifest, NULL, 0, &out.needed, &err));
    {
        size_t required = (size_t)err.required;
        char *exact = (char *)malloc(required - 1);
        REFUSED(ES_ERR_BUFFER_TOO_SMALL, "arena",
                es_get_manifest(reader, &out.manifest, exact, required - 1, &out.needed, &err));
        free(exact);
        exact = (char *)malloc(required + 3);
        ACCEPTED(es_get_manifest(reader, &out.manifest, exact + 3, required, &out.needed, &err));
        CHECK(strcmp(out.manifest.run_id.data, "watched") == 0, "run id");
        CHECK(out.manifest.parent_run_id.data == NULL && out.manifest.struct_size == sizeof(es_manifest), "none");
        free(exact);
    }
    prepare();
    out.manifest.struct_size = 20;
    before.manifest.struct_size = 20;
    refused(__LINE__, "es_get_manifest, 20 bytes",
            es_get_manifest(reader, &out.manifest, out.arena, 1024, &out.needed, &err), ES_ERR_STRUCT_SIZE,
            "out", ITEM_NONE);

    BAD_READERS(es_get_anchor(h, &out.anchor, sizeof out.anchor, out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out",
            es_get_anchor(reader, NULL, sizeof out.anchor, out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_NULL_POINTER, "arena",
            es_get_anchor(reader, &out.anchor, sizeof out.anchor, NULL, 5, &out.needed, &err));
    for (size = 0; size < offsetof(es_anchor, content_hash); size += 13)
        REFUSED(ES_ERR_STRUCT_SIZE, "out",
                es_get_anchor(reader, &out.anchor, size, out.arena, 1024, &out.needed, &err));
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "arena",
            es_get_anchor(reader, &out.anchor, sizeof out.anchor, out.arena, 3, &out.needed, &err));
    ACCEPTED(es_get_anchor(reader, &out.anchor, sizeof out.anchor, out.arena, 1024, &out.needed, &err));
    CHECK(strcmp(out.anchor.blob_ref.data, "blob") == 0 && out.anchor.high_watermark == 1, "anchor");

    BAD_READERS(es_get_restore_plan(h, &out.plan, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_get_restore_plan(reader, NULL, &err));
    prepare();
    out.plan.struct_size = 23;
    before.plan.struct_size = 23;
    refused(__LINE__, "es_get_restore_plan, 23 bytes", es_get_restore_plan(reader, &out.plan, &err),
            ES_ERR_STRUCT_SIZE, "out", ITEM_NONE);
    ACCEPTED(es_get_restore_plan(reader, &out.plan, &err));
    CHECK(out.plan.has_anchor == 1 && out.plan.replay_from == 2 && out.plan.replay_to == 2, "plan");
}

#define INDEX(request_, stride_, cap_, arena_, arena_cap_) \
    es_scan_index(reader, request_, out.rows, stride_, cap_, arena_, arena_cap_, &out.index, &err)

static void indices(void) {
    static const text cases[] = {{NULL, 3, ES_ERR_NULL_POINTER},
                                 {NULL, 0, ES_ERR_NOT_FOUND},
                                 {"", ES_NTS, ES_ERR_NOT_FOUND},
                                 {"\xff", 1, ES_ERR_INVALID_UTF8},
                                 {long_key, KEY_BYTES_MAX, ES_ERR_NOT_FOUND},
                                 {long_key, KEY_BYTES_MAX + 1, ES_ERR_INVALID_ARGUMENT},
                                 {long_key, ES_NTS, ES_ERR_INVALID_ARGUMENT},
                                 {long_text, (size_t)1 << 32, ES_ERR_INVALID_ARGUMENT},
                                 {long_text, SIZE_MAX - 1, ES_ERR_INVALID_ARGUMENT}};
    es_index_request request = ES_INDEX_REQUEST_INIT;
    es_index_row *none = NULL;
    size_t at;
    for (at = 0; at < sizeof cases / sizeof cases[0]; at++)
        REFUSED(cases[at].status, "key",
                es_lookup(reader, ES_INDEX_CLIENT_ORDER_ID, cases[at].data, cases[at].len, &out.seq, &err));
    BAD_READERS(es_lookup(h, ES_INDEX_CLIENT_ORDER_ID, "O-1", ES_NTS, &out.seq, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "kind", es_lookup(reader, 2, "O-1", ES_NTS, &out.seq, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "kind", es_lookup(reader, UINT32_MAX, "O-1", ES_NTS, &out.seq, &err));
    REFUSED(ES_ERR_NULL_POINTER, "seq", es_lookup(reader, ES_INDEX_CLIENT_ORDER_ID, "O-1", ES_NTS, NULL, &err));
    REFUSED(ES_ERR_NOT_FOUND, "key", es_lookup(reader, ES_INDEX_CLIENT_ORDER_ID, "V-1", ES_NTS, &out.seq, &err));
    ACCEPTED(es_lookup(reader, ES_INDEX_VENUE_ORDER_ID, "V-1", ES_NTS, &out.seq, &err));
    CHECK(out.seq == 1, "the first entry with the key");

    BAD_READERS(es_scan_index(h, &request, out.rows, sizeof(es_index_row), 4, out.arena, 1024, &out.index, &err));
    REFUSED(ES_ERR_NULL_POINTER, "request", INDEX(NULL, sizeof(es_index_row), 4, out.arena, 1024));
    REFUSED(ES_ERR_NULL_POINTER, "rows", es_scan_index(reader, &request, none, sizeof(es_index_row), 4, out.arena,
                                                       1024, &out.index, &err));
    REFUSED(ES_ERR_NULL_POINTER, "arena", INDEX(&request, sizeof(es_index_row), 4, NULL, 1024));
    REFUSED(ES_ERR_NULL_POINTER, "result",
            es_scan_index(reader, &request, out.rows, sizeof(es_index_row), 4, out.arena, 1024, NULL, &err));
    BAD_SIZES(es_index_request, request, struct_size, "request",
              INDEX(&request, sizeof(es_index_row), 4, out.arena, 1024));
    REFUSED(ES_ERR_STRUCT_SIZE, "stride", INDEX(&request, 0, 4, out.arena, 1024));
    REFUSED(ES_ERR_STRUCT_SIZE, "stride", INDEX(&request, offsetof(es_index_row, reserved) - 1, 4, out.arena, 1024));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "stride", INDEX(&request, SIZE_MAX, 4, out.arena, 1024));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "rows", INDEX(&request, sizeof(es_index_row), 0, out.arena, 1024));
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "arena", INDEX(&request, sizeof(es_index_row), 4, out.arena, 3));
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "arena", INDEX(&request, sizeof(es_index_row), 4, NULL, 0));
    prepare();
    out.index.struct_size = 15;
    before.index.struct_size = 15;
    refused(__LINE__, "es_scan_index, result of 15 bytes",
            INDEX(&request, sizeof(es_index_row), 4, out.arena, 1024), ES_ERR_STRUCT_SIZE, "result", ITEM_NONE);
    request.kind = 7;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "request.kind", INDEX(&request, sizeof(es_index_row), 4, out.arena, 1024));
    request.kind = 0;
    request.reserved[1] = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "request.reserved",
            INDEX(&request, sizeof(es_index_row), 4, out.arena, 1024));
    request.reserved[1] = 0;
    request.after = "\xc0";
    request.after_len = 1;
    REFUSED(ES_ERR_INVALID_UTF8, "request.after", INDEX(&request, sizeof(es_index_row), 4, out.arena, 1024));
    request.after = long_key;
    request.after_len = KEY_BYTES_MAX + 1;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "request.after", INDEX(&request, sizeof(es_index_row), 4, out.arena, 1024));
    request.after_len = KEY_BYTES_MAX;
    ACCEPTED(INDEX(&request, sizeof(es_index_row), 4, out.arena, 1024));
    request.after = NULL;
    REFUSED(ES_ERR_NULL_POINTER, "request.after", INDEX(&request, sizeof(es_index_row), 4, out.arena, 1024));
    request.after_len = 0;
    ACCEPTED(INDEX(&request, sizeof(es_index_row), 4, out.arena, 1024));
    CHECK(out.index.rows == 1 && out.index.more == 0 && out.rows[0].seq == 1, "one key");
    CHECK(strcmp(out.arena + out.rows[0].key_offset, "O-1") == 0, "NUL-terminated");
}

static void closing(void) {
    es_close_options options = ES_CLOSE_OPTIONS_INIT;
    BAD_RUNS(es_close_run(h, NULL, &out.close, &err));
    BAD_SIZES(es_close_options, options, struct_size, "options", es_close_run(run, &options, &out.close, &err));
    options.flags = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.flags", es_close_run(run, &options, &out.close, &err));
    options.flags = 0;
    options.reserved[0] = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.reserved", es_close_run(run, &options, &out.close, &err));
    prepare();
    out.close.struct_size = 5;
    before.close.struct_size = 5;
    refused(__LINE__, "es_close_run, result of 5 bytes", es_close_run(run, NULL, &out.close, &err),
            ES_ERR_STRUCT_SIZE, "out", ITEM_NONE);

    BAD_READERS(es_seal_run(h, ES_RUN_ENDED, &out.close, &err));
    REFUSED(ES_ERR_UNSUPPORTED, "", es_seal_run(reader, ES_RUN_ENDED, &out.close, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "status", es_seal_run(reader, 4, &out.close, &err));
    prepare();
    out.close.struct_size = 63;
    before.close.struct_size = 63;
    refused(__LINE__, "es_seal_run, result of 63 bytes", es_seal_run(reader, ES_RUN_ENDED, &out.close, &err),
            ES_ERR_STRUCT_SIZE, "out", ITEM_NONE);
    {
        /* Freeing what is no handle does nothing. */
        size_t which;
        for (which = 0; which < NO_HANDLES; which++) {
            es_free_run(no_runs[which]);
            es_free_reader(no_readers[which]);
        }
        check_watched(__LINE__, "es_free_run, es_free_reader of what is no handle");
    }
}

/* The last: a closed run, a freed one, and readers that outlive both. */
static void end(void) {
    es_draft draft = good_draft();
    es_close_result first;
    watch(NULL);
    ACCEPTED(es_close_run(run, NULL, &out.close, &err));
    CHECK(out.close.sealed == 1 && out.close.status == ES_RUN_ENDED && out.close.digest_present == 1, "sealed");
    CHECK(out.close.high_watermark == 3 && out.close.halt_status == ES_OK, "with RunEnded");
    first = out.close;
    ACCEPTED(es_close_run(run, NULL, &out.close, &err));
    CHECK(memcmp(&first, &out.close, sizeof first) == 0, "close again answers the same");
    watch(run);
    REFUSED(ES_ERR_CLOSED, "", es_submit(run, &draft, sizeof draft, NULL, &out.seq, &err));
    REFUSED(ES_ERR_CLOSED, "", es_append_batch(run, &draft, sizeof draft, 1, NULL, &out.append, &err));
    REFUSED(ES_ERR_CLOSED, "", es_record_anchor(run, 2, "b", 1, "h", 1, 0, &err));
    ACCEPTED(es_wait_durable(run, 3, 0, &err));
    watch(NULL);
    es_free_run(run);
    REFUSED(ES_ERR_BAD_HANDLE, "was freed", es_flush(run, 0, &err));
    es_free_run(run);
    ACCEPTED(es_get_high_watermark(reader, &out.seq, &err));
    CHECK(out.seq == 3, "a reader outlives its run");
    ACCEPTED(es_wait_tail(reader, UINT64_MAX, ES_FOREVER, &out.tail, &err));
    CHECK(out.tail.flags == ES_TAIL_SEALED && out.tail.status == ES_RUN_ENDED && out.tail.high_watermark == 3, "sealed");
    es_free_reader(reader);
    REFUSED(ES_ERR_BAD_HANDLE, "was freed", es_get_high_watermark(reader, &out.seq, &err));
    es_free_reader(reader);
    if (backend != ES_BACKEND_MEMORY) {
        ACCEPTED(es_open_sealed_run(watched_path, ES_NTS, NULL, &out.reader, &err));
        reader = out.reader;
        ACCEPTED(es_get_digest(reader, out.digest, 32, &out.keyed, &err));
        CHECK(memcmp(out.digest, first.digest, 32) == 0 && all_canary(out.digest + 32, 8), "the digest of close");
        es_free_reader(reader);
    }
    free(no_runs[7]);
    free(no_readers[7]);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    backend_name = argv[1];
    backend = backend_of(backend_name);
    base = argv[2];
    initialisers();
    identity();
    set_up();
    open_run_options();
    open_run_manifest();
    open_paths();
    open_taken_names();
    draft_texts();
    draft_fields();
    draft_shapes();
    packed_drafts();
    write_options();
    waiting_and_anchors();
    run_getters();
    scanning();
    single_reads();
    tails();
    wholes();
    indices();
    closing();
    end();
    printf("%s: %u calls checked, %u failures\n", backend_name, calls, failures);
    return failures == 0 ? 0 : 1;
}
