/* The operations over runs, through C: used as meant on an instance with runs of every kind, and
 * misused in every way, each wrong call answered as documented and nothing changed by it.
 *
 * usage: operate redb|log BASE
 */
#include "check.h"

typedef struct text {
    const char *data;
    size_t len;
    es_status status;
} text;

static uint32_t backend;
static const char *base;
static char path[4096]; /* of the sealed run */
static char long_text[5001];
static es_report *report; /* a listing */
static es_report *freed;
static es_reader *reader;
static es_report *no_reports[7];
#define NO_REPORTS 7

#define BAD_REPORTS(call)                                                \
    do {                                                                 \
        size_t which_;                                                   \
        for (which_ = 0; which_ < NO_REPORTS; which_++) {                \
            es_report *h = no_reports[which_];                           \
            REFUSED(ES_ERR_BAD_HANDLE, "report", (call));                \
        }                                                                \
    } while (0)

#define INSTANCE "instance", ES_NTS

static es_run *open_run(const char *run_id, uint64_t start) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    manifest.run_id.data = run_id;
    manifest.run_id.len = ES_NTS;
    manifest.instance_id.data = "instance";
    manifest.instance_id.len = ES_NTS;
    manifest.start_ts_init = start;
    options.backend = backend;
    options.halt_after_ns = ES_FOREVER;
    ACCEPTED(es_open_run(base, ES_NTS, &manifest, &options, &out.run, &err));
    return out.run;
}

/* A run of three entries; sealed with an anchor at 2, or left as a killed process leaves it. */
static void write_run(const char *run_id, uint64_t start, int sealed) {
    es_run *run = open_run(run_id, start);
    es_index_key key = {"O-1", 3, ES_INDEX_CLIENT_ORDER_ID, 0};
    es_draft draft = ES_DRAFT_INIT;
    int at;
    draft.topic = "orders";
    draft.topic_len = ES_NTS;
    draft.payload_type = "Order";
    draft.payload_type_len = ES_NTS;
    draft.payload = "payload";
    draft.payload_len = 7;
    draft.keys = &key;
    draft.key_count = 1;
    for (at = 0; at < 3; at++) ACCEPTED(es_append_batch(run, &draft, sizeof draft, 1, NULL, NULL, &err));
    if (sealed) {
        ACCEPTED(es_record_anchor(run, 2, "blob", ES_NTS, "hash", ES_NTS, ES_FOREVER, &err));
        ACCEPTED(es_close_run(run, NULL, NULL, &err));
        ACCEPTED(es_get_run_path(run, path, sizeof path, NULL, &err));
    }
    es_free_run(run);
}

static es_status list(void) { return es_list_runs(base, ES_NTS, INSTANCE, &out.report, &err); }

static void set_up(void) {
    static char not_a_handle[256];
    es_status status;
    memset(long_text, 'a', sizeof long_text - 1);
    write_run("r-1", 10, 1);
    write_run("r-2", 20, 1);
    write_run("r-3", 30, 0);
    /* The writer of the run that was left lets go on its own thread. */
    do {
        prepare();
        status = es_recover(base, ES_NTS, INSTANCE, NULL, &out.report, &err);
    } while (status == ES_ERR_LOCKED);
    CHECK(status == ES_OK, "recovered");
    freed = out.report;
    ACCEPTED(es_get_report_summary(freed, &out.summary, &err));
    CHECK(out.summary.rows == 1 && strcmp(out.summary.parent_run_id, "r-3") == 0, "one run was left");
    ACCEPTED(es_read_run_rows(freed, 0, out.runs, sizeof out.runs[0], 4, out.arena, 1024, &out.page, &err));
    CHECK(out.page.rows == 1 && out.page.more == 0, "one row");
    CHECK(out.runs[0].outcome == ES_OUTCOME_SEALED && out.runs[0].status == ES_RUN_CRASHED_RECOVERED, "sealed");
    CHECK(strcmp(out.arena + out.runs[0].run_id_offset, "r-3") == 0, "named");
    es_free_report(freed);

    ACCEPTED(list());
    report = out.report;
    ACCEPTED(es_open_sealed_run(path, ES_NTS, NULL, &out.reader, &err));
    reader = out.reader;
    no_reports[0] = NULL;
    no_reports[1] = freed;
    no_reports[2] = (es_report *)(void *)reader;
    no_reports[3] = (es_report *)(void *)not_a_handle;
    no_reports[4] = (es_report *)(uintptr_t)1;
    no_reports[5] = (es_report *)UINTPTR_MAX;
    no_reports[6] = (es_report *)(void *)((char *)(void *)report + 1);
}

static void reading_reports(void) {
    size_t stride = sizeof(es_run_row);
    es_run_row *no_rows = NULL;
    es_finding *no_findings = NULL;
    BAD_REPORTS(es_get_report_summary(h, &out.summary, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_get_report_summary(report, NULL, &err));
    prepare();
    out.summary.struct_size = 583;
    before.summary.struct_size = 583;
    refused(__LINE__, "summary of 583 bytes", es_get_report_summary(report, &out.summary, &err),
            ES_ERR_STRUCT_SIZE, "out", ITEM_NONE);

    BAD_REPORTS(es_read_run_rows(h, 0, out.runs, stride, 4, out.arena, 1024, &out.page, &err));
    REFUSED(ES_ERR_NULL_POINTER, "rows", es_read_run_rows(report, 0, no_rows, stride, 4, out.arena, 1024, &out.page, &err));
    REFUSED(ES_ERR_STRUCT_SIZE, "stride", es_read_run_rows(report, 0, out.runs, offsetof(es_run_row, flags) - 1, 4, out.arena, 1024, &out.page, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "stride", es_read_run_rows(report, 0, out.runs, SIZE_MAX, 4, out.arena, 1024, &out.page, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "rows", es_read_run_rows(report, 0, out.runs, stride, 0, out.arena, 1024, &out.page, &err));
    REFUSED(ES_ERR_NULL_POINTER, "arena", es_read_run_rows(report, 0, out.runs, stride, 4, NULL, 1024, &out.page, &err));
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "arena", es_read_run_rows(report, 0, out.runs, stride, 4, NULL, 0, &out.page, &err));
    REFUSED(ES_ERR_BUFFER_TOO_SMALL, "arena", es_read_run_rows(report, 0, out.runs, stride, 4, out.arena, 9, &out.page, &err));
    REFUSED(ES_ERR_NULL_POINTER, "result", es_read_run_rows(report, 0, out.runs, stride, 4, out.arena, 1024, NULL, &err));

    BAD_REPORTS(es_read_findings(h, 0, out.findings, sizeof(es_finding), 4, out.arena, 1024, &out.page, &err));
    REFUSED(ES_ERR_NULL_POINTER, "rows", es_read_findings(report, 0, no_findings, sizeof(es_finding), 4, out.arena, 1024, &out.page, &err));
    REFUSED(ES_ERR_STRUCT_SIZE, "stride", es_read_findings(report, 0, out.findings, 8, 4, out.arena, 1024, &out.page, &err));
    REFUSED(ES_ERR_NULL_POINTER, "result", es_read_findings(report, 0, out.findings, sizeof(es_finding), 4, out.arena, 1024, NULL, &err));

    /* A page at a time, each row whole, until there are no more. */
    ACCEPTED(es_read_run_rows(report, 0, out.runs, stride, 2, out.arena, 1024, &out.page, &err));
    CHECK(out.page.rows == 2 && out.page.more == 1, "two of three");
    CHECK(strcmp(out.arena + out.runs[1].run_id_offset, "r-2") == 0 && out.runs[1].run_id_len == 3, "by start");
    CHECK(strcmp(out.arena + out.runs[1].path_offset, path) == 0, "its path");
    CHECK(out.runs[0].flags == (ES_ROW_HAS_MANIFEST | ES_ROW_HAS_END) && out.runs[0].status == ES_RUN_ENDED, "ended");
    CHECK(out.runs[0].high_watermark == 4 && out.runs[0].start_ts_init == 10 && out.runs[0].bytes > 0, "numbers");
    CHECK(out.runs[0].backend == backend && out.runs[0].outcome == ES_OUTCOME_LISTED, "listed");
    ACCEPTED(es_read_run_rows(report, 2, out.runs, stride, 2, out.arena, 1024, &out.page, &err));
    CHECK(out.page.rows == 1 && out.page.more == 0, "the third");
    ACCEPTED(es_read_run_rows(report, UINT64_MAX, out.runs, stride, 2, NULL, 0, &out.page, &err));
    CHECK(out.page.rows == 0 && out.page.more == 0, "beyond the last");
    ACCEPTED(es_read_findings(report, 0, out.findings, sizeof(es_finding), 4, NULL, 0, &out.page, &err));
    CHECK(out.page.rows == 0 && out.page.more == 0, "a listing has no findings");
}

/* Every text parameter of every operation, wrong in every way. */
static void texts(void) {
    static const text paths[] = {{NULL, 3, ES_ERR_NULL_POINTER},
                                 {NULL, 0, ES_ERR_INVALID_ARGUMENT}, {"", ES_NTS, ES_ERR_INVALID_ARGUMENT},
                                 {"a\0b", 3, ES_ERR_INVALID_ARGUMENT}, {"\xc3", 1, ES_ERR_INVALID_UTF8},
                                 {long_text, ES_NTS, ES_ERR_INVALID_ARGUMENT},
                                 {long_text, SIZE_MAX - 1, ES_ERR_INVALID_ARGUMENT}};
    static const text ids[] = {{NULL, 3, ES_ERR_NULL_POINTER}, {NULL, 0, ES_ERR_INVALID_ARGUMENT},
                               {"..", 2, ES_ERR_INVALID_ARGUMENT}, {"a/b", ES_NTS, ES_ERR_INVALID_ARGUMENT},
                               {".x", ES_NTS, ES_ERR_INVALID_ARGUMENT}, {"\xff", 1, ES_ERR_INVALID_UTF8},
                               {long_text, ES_NTS, ES_ERR_INVALID_ARGUMENT}};
    size_t at;
    for (at = 0; at < sizeof paths / sizeof paths[0]; at++) {
        const text *t = &paths[at];
        REFUSED(t->status, "base", es_list_runs(t->data, t->len, INSTANCE, &out.report, &err));
        REFUSED(t->status, "base", es_recover(t->data, t->len, INSTANCE, NULL, &out.report, &err));
        REFUSED(t->status, "path", es_verify_run(t->data, t->len, NULL, &out.report, &err));
        REFUSED(t->status, "path", es_salvage_run(t->data, t->len, base, ES_NTS, INSTANCE, "n", 1, NULL, &out.report, &err));
        REFUSED(t->status, "base", es_salvage_run(path, ES_NTS, t->data, t->len, INSTANCE, "n", 1, NULL, &out.report, &err));
        REFUSED(t->status, "base", es_plan_retention(t->data, t->len, INSTANCE, ES_KEEP_FULL, 0, &out.report, &err));
        REFUSED(t->status, "base", es_apply_retention(t->data, t->len, INSTANCE, report, &out.report, &err));
    }
    for (at = 0; at < sizeof ids / sizeof ids[0]; at++) {
        const text *t = &ids[at];
        REFUSED(t->status, "instance_id", es_list_runs(base, ES_NTS, t->data, t->len, &out.report, &err));
        REFUSED(t->status, "instance_id", es_recover(base, ES_NTS, t->data, t->len, NULL, &out.report, &err));
        REFUSED(t->status, "instance_id", es_salvage_run(path, ES_NTS, base, ES_NTS, t->data, t->len, "n", 1, NULL, &out.report, &err));
        REFUSED(t->status, "run_id", es_salvage_run(path, ES_NTS, base, ES_NTS, INSTANCE, t->data, t->len, NULL, &out.report, &err));
        REFUSED(t->status, "instance_id", es_plan_retention(base, ES_NTS, t->data, t->len, ES_KEEP_FULL, 0, &out.report, &err));
    }
}

static void options_and_outs(void) {
    static const size_t sizes[] = {0, 1, 4, 12, 87, 4097, 0xffffffffu};
    es_operation_options options = ES_OPERATION_OPTIONS_INIT;
    size_t at;
    for (at = 0; at < sizeof sizes / sizeof sizes[0]; at++) {
        options.struct_size = (uint32_t)sizes[at];
        REFUSED(ES_ERR_STRUCT_SIZE, "options", es_verify_run(path, ES_NTS, &options, &out.report, &err));
    }
    options.struct_size = (uint32_t)sizeof options;
    options.abi_version = 0;
    REFUSED(ES_ERR_ABI_MISMATCH, "abi_version", es_recover(base, ES_NTS, INSTANCE, &options, &out.report, &err));
    options.abi_version = ES_ABI_VERSION;
    options.flags = 64;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.flags", es_recover(base, ES_NTS, INSTANCE, &options, &out.report, &err));
    /* Flags of another call are refused too: they would be ignored. */
    options.flags = ES_OPERATION_DRY_RUN;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.flags", es_verify_run(path, ES_NTS, &options, &out.report, &err));
    options.flags = ES_OPERATION_EXPECTED_DIGEST;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.flags", es_recover(base, ES_NTS, INSTANCE, &options, &out.report, &err));
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.flags",
            es_salvage_run(path, ES_NTS, base, ES_NTS, INSTANCE, "n", 1, &options, &out.report, &err));
    options.flags = 0;
    options.threads = 1025;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "options.threads", es_verify_run(path, ES_NTS, &options, &out.report, &err));
    /* Calls that work with one thread refuse what they would ignore. */
    options.threads = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.threads", es_recover(base, ES_NTS, INSTANCE, &options, &out.report, &err));
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.threads",
            es_salvage_run(path, ES_NTS, base, ES_NTS, INSTANCE, "n", 1, &options, &out.report, &err));
    options.threads = 0;
    options.reserved[3] = 1;
    REFUSED(ES_ERR_UNSUPPORTED_FIELD, "options.reserved", es_verify_run(path, ES_NTS, &options, &out.report, &err));
    options.reserved[3] = 0;
    options.digest_key[31] = 1;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "options.digest_key", es_verify_run(path, ES_NTS, &options, &out.report, &err));
    options.digest_key[31] = 0;
    options.expected_digest[0] = 1;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "options.expected_digest", es_verify_run(path, ES_NTS, &options, &out.report, &err));
    options.expected_digest[0] = 0;
    options.cache_bytes = 1000;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "options.cache_bytes", es_verify_run(path, ES_NTS, &options, &out.report, &err));
    options.cache_bytes = UINT64_MAX;
    REFUSED(ES_ERR_INVALID_ARGUMENT, "options.cache_bytes", es_verify_run(path, ES_NTS, &options, &out.report, &err));

    REFUSED(ES_ERR_NULL_POINTER, "out", es_list_runs(base, ES_NTS, INSTANCE, NULL, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_recover(base, ES_NTS, INSTANCE, NULL, NULL, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_verify_run(path, ES_NTS, NULL, NULL, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_salvage_run(path, ES_NTS, base, ES_NTS, INSTANCE, "n", 1, NULL, NULL, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_plan_retention(base, ES_NTS, INSTANCE, ES_KEEP_FULL, 0, NULL, &err));
    REFUSED(ES_ERR_NULL_POINTER, "out", es_apply_retention(base, ES_NTS, INSTANCE, report, NULL, &err));

    REFUSED(ES_ERR_INVALID_ARGUMENT, "keep", es_plan_retention(base, ES_NTS, INSTANCE, 0, 0, &out.report, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "keep", es_plan_retention(base, ES_NTS, INSTANCE, 4, 0, &out.report, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "keep_count", es_plan_retention(base, ES_NTS, INSTANCE, ES_KEEP_ANCHORED, 1, &out.report, &err));
    BAD_REPORTS(es_apply_retention(base, ES_NTS, INSTANCE, h, &out.report, &err));
    REFUSED(ES_ERR_INVALID_ARGUMENT, "report", es_apply_retention(base, ES_NTS, INSTANCE, report, &out.report, &err));

    REFUSED(ES_ERR_NOT_FOUND, "", es_list_runs(base, ES_NTS, "nobody", ES_NTS, &out.report, &err));
    REFUSED(ES_ERR_NOT_FOUND, "", es_recover(base, ES_NTS, "nobody", ES_NTS, NULL, &out.report, &err));
    REFUSED(ES_ERR_NOT_FOUND, "", es_verify_run("/nowhere/r.redb", ES_NTS, NULL, &out.report, &err));
    REFUSED(ES_ERR_ALREADY_EXISTS, "", es_salvage_run(path, ES_NTS, base, ES_NTS, INSTANCE, "r-1", ES_NTS, NULL, &out.report, &err));
}

/* A living writer keeps recovery and salvage out; a dry run and a listing look beside it. */
static void beside_a_writer(void) {
    es_operation_options options = ES_OPERATION_OPTIONS_INIT;
    es_run *run = open_run("r-4", 40);
    es_report *looked;
    char live[4096];
    ACCEPTED(es_get_run_path(run, live, sizeof live, NULL, &err));
    watch(run);
    REFUSED(ES_ERR_LOCKED, "", es_recover(base, ES_NTS, INSTANCE, NULL, &out.report, &err));
    REFUSED(ES_ERR_LOCKED, "", es_verify_run(live, ES_NTS, NULL, &out.report, &err));
    REFUSED(ES_ERR_LOCKED, "", es_salvage_run(path, ES_NTS, base, ES_NTS, INSTANCE, "n", 1, NULL, &out.report, &err));
    options.flags = ES_OPERATION_DRY_RUN;
    ACCEPTED(es_recover(base, ES_NTS, INSTANCE, &options, &out.report, &err));
    looked = out.report;
    ACCEPTED(es_read_run_rows(looked, 0, out.runs, sizeof out.runs[0], 4, out.arena, 1024, &out.page, &err));
    CHECK(out.page.rows == 1 && out.runs[0].outcome == ES_OUTCOME_HELD && out.runs[0].reason_len > 0, "held");
    es_free_report(looked);
    watch(NULL);
    ACCEPTED(es_close_run(run, NULL, NULL, &err));
    es_free_run(run);
}

/* A run of the log backend, followed and copied while it is written. */
static void followed_and_copied(void) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    es_draft draft = ES_DRAFT_INIT;
    es_run *run;
    es_reader *live;
    char log[4096], other[4096];
    manifest.run_id.data = "log-1";
    manifest.run_id.len = ES_NTS;
    manifest.instance_id.data = "followed";
    manifest.instance_id.len = ES_NTS;
    options.halt_after_ns = ES_FOREVER;
    options.backend = ES_BACKEND_LOG;
    ACCEPTED(es_open_run(base, ES_NTS, &manifest, &options, &out.run, &err));
    run = out.run;
    ACCEPTED(es_get_run_path(run, log, sizeof log, NULL, &err));
    ACCEPTED(es_open_live_run(log, ES_NTS, NULL, &out.reader, &err));
    live = out.reader;
    REFUSED(ES_ERR_TIMEOUT, "", es_wait_tail(live, 1, 1000000, &out.tail, &err));
    draft.topic = "orders";
    draft.topic_len = ES_NTS;
    draft.payload_type = "Order";
    draft.payload_type_len = ES_NTS;
    ACCEPTED(es_append_batch(run, &draft, sizeof draft, 1, NULL, NULL, &err));
    ACCEPTED(es_wait_tail(live, 1, 0, &out.tail, &err));
    CHECK(out.tail.flags == 0 && out.tail.high_watermark == 1, "followed");
    snprintf(other, sizeof other, "%s-copies", base);
    ACCEPTED(es_copy_run(log, ES_NTS, other, ES_NTS, &out.copy, &err));
    CHECK(out.copy.sealed == 0 && out.copy.status == ES_RUN_RUNNING && out.copy.high_watermark == 1, "copied");
    CHECK(out.copy.bytes > 0 && out.copy.reserved0 == 0, "of some length");
    REFUSED(ES_ERR_ALREADY_EXISTS, "exists", es_copy_run(log, ES_NTS, other, ES_NTS, &out.copy, &err));
    REFUSED(ES_ERR_ALREADY_EXISTS, "exists", es_copy_run(log, ES_NTS, base, ES_NTS, &out.copy, &err));
    ACCEPTED(es_copy_run(path, ES_NTS, other, ES_NTS, NULL, &err));
    ACCEPTED(es_close_run(run, NULL, NULL, &err));
    es_free_run(run);
    ACCEPTED(es_wait_tail(live, UINT64_MAX, ES_FOREVER, &out.tail, &err));
    CHECK(out.tail.flags == ES_TAIL_SEALED && out.tail.high_watermark == 2, "told of the seal");
    es_free_reader(live);
    REFUSED(ES_ERR_BAD_HANDLE, "was freed", es_wait_tail(live, 1, 0, &out.tail, &err));
}

static void used_as_meant(void) {
    es_operation_options options = ES_OPERATION_OPTIONS_INIT;
    es_report *found, *done;
    ACCEPTED(es_get_digest(reader, options.expected_digest, 32, NULL, &err));
    options.flags = ES_OPERATION_EXPECTED_DIGEST;
    ACCEPTED(es_verify_run(path, ES_NTS, &options, &out.report, &err));
    found = out.report;
    ACCEPTED(es_get_report_summary(found, &out.summary, &err));
    CHECK(out.summary.flags == (ES_REPORT_HAS_STATUS | ES_REPORT_HAS_HIGH_WATERMARK | ES_REPORT_CLEAN), "clean");
    CHECK(out.summary.entries == 4 && out.summary.digest == ES_DIGEST_MATCHES && out.summary.findings == 0, "whole");
    CHECK(strcmp(out.summary.run_id, "r-2") == 0 && out.summary.status == ES_RUN_ENDED, "the run");
    es_free_report(found);
    options.threads = 3;
    ACCEPTED(es_verify_run(path, ES_NTS, &options, &out.report, &err));
    found = out.report;
    ACCEPTED(es_get_report_summary(found, &out.summary, &err));
    CHECK(out.summary.entries == 4 && out.summary.digest == ES_DIGEST_MATCHES && out.summary.findings == 0, "by three");
    es_free_report(found);
    options.threads = 0;
    options.expected_digest[0] ^= 1;
    ACCEPTED(es_verify_run(path, ES_NTS, &options, &out.report, &err));
    found = out.report;
    ACCEPTED(es_read_findings(found, 0, out.findings, sizeof(es_finding), 4, out.arena, 1024, &out.page, &err));
    CHECK(out.page.rows == 1 && out.findings[0].kind == ES_FINDING_DIGEST_MISMATCH, "another digest");
    CHECK(strncmp(out.arena + out.findings[0].text_offset, "run digest: expected", 20) == 0, "for people");
    es_free_report(found);

    ACCEPTED(es_salvage_run(path, ES_NTS, base, ES_NTS, "instance-2", ES_NTS, "new", ES_NTS, NULL, &out.report, &err));
    found = out.report;
    ACCEPTED(es_get_report_summary(found, &out.summary, &err));
    CHECK(out.summary.entries == 3 && out.summary.lifecycle == 1 && out.summary.high_watermark == 3, "copied");
    CHECK(strcmp(out.summary.run_id, "new") == 0 && strcmp(out.summary.parent_run_id, "r-2") == 0, "of its parent");
    es_free_report(found);

    ACCEPTED(es_plan_retention(base, ES_NTS, INSTANCE, ES_KEEP_ANCHORED, 0, &out.report, &err));
    found = out.report;
    ACCEPTED(es_get_report_summary(found, &out.summary, &err));
    CHECK(out.summary.entries == 1 && strcmp(out.summary.run_id, "r-2") == 0 && out.summary.reason[0] == 0, "a plan");
    ACCEPTED(es_apply_retention(base, ES_NTS, INSTANCE, found, &out.report, &err));
    done = out.report;
    ACCEPTED(es_read_run_rows(done, 0, out.runs, sizeof out.runs[0], 4, out.arena, 1024, &out.page, &err));
    CHECK(out.page.rows == 1 && out.runs[0].outcome == ES_OUTCOME_DELETED, "deleted");
    CHECK(strcmp(out.arena + out.runs[0].run_id_offset, "r-1") == 0, "the oldest");
    es_free_report(done);
    ACCEPTED(es_apply_retention(base, ES_NTS, INSTANCE, found, &out.report, &err));
    done = out.report;
    ACCEPTED(es_read_run_rows(done, 0, out.runs, sizeof out.runs[0], 4, out.arena, 1024, &out.page, &err));
    CHECK(out.page.rows == 1 && out.runs[0].outcome == ES_OUTCOME_SKIPPED && out.runs[0].reason_len > 0, "gone");
    es_free_report(done);
    es_free_report(found);
    ACCEPTED(es_plan_retention(base, ES_NTS, INSTANCE, ES_KEEP_LAST, 9, &out.report, &err));
    found = out.report;
    ACCEPTED(es_get_report_summary(found, &out.summary, &err));
    CHECK(out.summary.entries == 0 && out.summary.reason[0] != 0, "it says why nothing goes");
    es_free_report(found);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    backend = backend_of(argv[1]);
    base = argv[2];
    set_up();
    reading_reports();
    texts();
    options_and_outs();
    beside_a_writer();
    followed_and_copied();
    used_as_meant();
    es_free_reader(reader);
    es_free_report(report);
    REFUSED(ES_ERR_BAD_HANDLE, "was freed", es_get_report_summary(report, &out.summary, &err));
    es_free_report(report);
    es_free_report(NULL);
    printf("operations over %s: %u calls checked, %u failures\n", argv[1], calls, failures);
    return failures == 0 ? 0 : 1;
}
