/* A program that uses every struct which may grow, with a guard behind each, and nothing that the
 * older header of tests/abi/older.rs lacks. It prints the sizes on one line, then what it saw. */
#include "eventstore.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD UINT64_C(0xa5a5a5a5a5a5a5a5)
/* A struct and what stands behind it, which no call may touch. */
#define GUARDED(type, name) \
    static struct {         \
        type value;         \
        uint64_t guard;     \
    } name

GUARDED(es_manifest, manifest);
GUARDED(es_open_options, open_options);
GUARDED(es_reader_options, reader_options);
GUARDED(es_submit_options, submit_options);
GUARDED(es_append_options, append_options);
GUARDED(es_append_result, append_result);
GUARDED(es_close_options, close_options);
GUARDED(es_close_result, close_result);
GUARDED(es_run_state, state);
GUARDED(es_run_stats, stats);
GUARDED(es_scan_request, scan_request);
GUARDED(es_scan_result, scan_result);
GUARDED(es_index_request, index_request);
GUARDED(es_index_result, index_result);
GUARDED(es_restore_plan, plan);
GUARDED(es_anchor, anchor);
GUARDED(es_operation_options, operation_options);
GUARDED(es_report_summary, summary);
GUARDED(es_page_result, page);

static struct {
    es_draft value[3];
    uint64_t guard;
} drafts;
static struct {
    es_entry value[4];
    uint64_t guard;
} entries;
static struct {
    es_index_row value[2];
    uint64_t guard;
} rows;
static struct {
    es_run_row value[2];
    uint64_t guard;
} run_rows;
static struct {
    es_finding value[2];
    uint64_t guard;
} findings;

static char arena[4096];
static es_error err;
static es_run *run;
static es_reader *reader;
static es_report *report;

static void ok(es_status status, const char *call) {
    if (status == ES_OK) return;
    printf("%s: %s: %s\n", call, es_status_name(status), err.message);
    exit(1);
}
#define OK(call) ok((call), #call)

static void check_guard(uint64_t guard, const char *name) {
    if (guard == GUARD) return;
    printf("%s: the bytes behind it were written\n", name);
    exit(1);
}

/* Sets a struct up and prints its size. */
#define SET_UP(kind, name)                                          \
    do {                                                            \
        (name).guard = GUARD;                                       \
        OK(es_init_##kind(&(name).value, sizeof((name).value)));    \
        printf(#kind " %u, ", (unsigned)sizeof((name).value));      \
    } while (0)

static void set_up(void) {
    SET_UP(manifest, manifest);
    SET_UP(open_options, open_options);
    SET_UP(reader_options, reader_options);
    SET_UP(submit_options, submit_options);
    SET_UP(append_options, append_options);
    SET_UP(append_result, append_result);
    SET_UP(close_options, close_options);
    SET_UP(close_result, close_result);
    SET_UP(scan_request, scan_request);
    SET_UP(scan_result, scan_result);
    SET_UP(index_request, index_request);
    SET_UP(index_result, index_result);
    SET_UP(restore_plan, plan);
    SET_UP(operation_options, operation_options);
    SET_UP(report_summary, summary);
    SET_UP(page_result, page);
    printf("draft %u, entry %u\n", (unsigned)sizeof(es_draft), (unsigned)sizeof(es_entry));
    state.guard = stats.guard = anchor.guard = GUARD;
    drafts.guard = entries.guard = rows.guard = run_rows.guard = findings.guard = GUARD;
}

static void check_guards(void) {
    check_guard(manifest.guard, "manifest");
    check_guard(append_result.guard, "append result");
    check_guard(close_result.guard, "close result");
    check_guard(state.guard, "state");
    check_guard(stats.guard, "stats");
    check_guard(scan_result.guard, "scan result");
    check_guard(index_result.guard, "index result");
    check_guard(plan.guard, "plan");
    check_guard(anchor.guard, "anchor");
    check_guard(summary.guard, "summary");
    check_guard(page.guard, "page");
    check_guard(entries.guard, "entries");
    check_guard(rows.guard, "index rows");
    check_guard(run_rows.guard, "run rows");
    check_guard(findings.guard, "findings");
}

static void capture(const char *base) {
    static const char *const payloads[] = {"one", "two", "three"};
    static es_index_key key;
    uint64_t seq = 0;
    size_t at;
    manifest.value.run_id.data = "run";
    manifest.value.run_id.len = ES_NTS;
    manifest.value.instance_id.data = "older";
    manifest.value.instance_id.len = ES_NTS;
    manifest.value.start_ts_init = 1;
    open_options.value.halt_after_ns = UINT64_C(5000000000);
    OK(es_open_run(base, ES_NTS, &manifest.value, &open_options.value, &run, &err));
    key.key = "O-1";
    key.key_len = ES_NTS;
    key.kind = ES_INDEX_CLIENT_ORDER_ID;
    for (at = 0; at < 3; at++) {
        drafts.value[at].topic = "orders";
        drafts.value[at].topic_len = ES_NTS;
        drafts.value[at].payload_type = "text/plain";
        drafts.value[at].payload_type_len = ES_NTS;
        drafts.value[at].payload = payloads[at];
        drafts.value[at].payload_len = strlen(payloads[at]);
        drafts.value[at].ts_init = drafts.value[at].ts_publish = 10 + at;
        drafts.value[at].flags = ES_DRAFT_HAS_CORRELATION_ID;
        memset(drafts.value[at].correlation_id, (int)at + 1, 16);
    }
    drafts.value[0].keys = &key;
    drafts.value[0].key_count = 1;
    submit_options.value.expected_seq = 1;
    OK(es_submit(run, drafts.value, sizeof(es_draft), &submit_options.value, &seq, &err));
    OK(es_append_batch(run, drafts.value + 1, sizeof(es_draft), 2, &append_options.value,
                       &append_result.value, &err));
    printf("appended from %u: %u\n", (unsigned)append_result.value.first_seq,
           (unsigned)append_result.value.count);
    OK(es_record_anchor(run, 2, "blob", ES_NTS, "hash", ES_NTS, ES_FOREVER, &err));
    OK(es_get_run_state(run, &state.value, sizeof state.value, &err));
    OK(es_get_run_stats(run, &stats.value, sizeof stats.value, &err));
    printf("state: %u of %u, phase %u; entries %u\n", (unsigned)state.value.high_watermark,
           (unsigned)state.value.last_claimed_seq, (unsigned)state.value.phase,
           (unsigned)stats.value.entries);
    OK(es_open_reader(run, &reader, &err));
    check_guards();
}

static void read_back(void) {
    size_t needed = 0;
    uint64_t at;
    OK(es_scan_range(reader, &scan_request.value, entries.value, sizeof(es_entry), 4, arena,
                     sizeof arena, &scan_result.value, &err));
    printf("scanned %u, next %u\n", (unsigned)scan_result.value.rows,
           (unsigned)scan_result.value.next_seq);
    for (at = 0; at < scan_result.value.rows; at++) {
        const es_entry *entry = &entries.value[at];
        printf("%u %s %s %.*s %u %02x\n", (unsigned)entry->seq, arena + entry->topic_offset,
               arena + entry->payload_type_offset, (int)entry->payload_len,
               arena + entry->payload_offset, (unsigned)entry->ts_init, entry->correlation_id[15]);
    }
    OK(es_get_entry(reader, 3, &entries.value[3], sizeof(es_entry), arena, sizeof arena, &needed,
                    &err));
    printf("entry %u of %u bytes\n", (unsigned)entries.value[3].seq, (unsigned)needed);
    OK(es_scan_index(reader, &index_request.value, rows.value, sizeof(es_index_row), 2, arena,
                     sizeof arena, &index_result.value, &err));
    printf("index: %u, %s at %u\n", (unsigned)index_result.value.rows,
           arena + rows.value[0].key_offset, (unsigned)rows.value[0].seq);
    OK(es_get_anchor(reader, &anchor.value, sizeof anchor.value, arena, sizeof arena, &needed, &err));
    printf("anchor %s at %u\n", anchor.value.blob_ref.data, (unsigned)anchor.value.high_watermark);
    OK(es_get_restore_plan(reader, &plan.value, &err));
    printf("replay from %u\n", (unsigned)plan.value.replay_from);
    OK(es_get_manifest(reader, &manifest.value, arena, sizeof arena, &needed, &err));
    printf("manifest of %s, status %u\n", manifest.value.run_id.data, (unsigned)manifest.value.status);
    check_guards();
}

static void close_and_look(const char *base) {
    static char path[1024];
    size_t needed = 0;
    OK(es_get_run_path(run, path, sizeof path, &needed, &err));
    close_options.value.end_ts_init = 20;
    OK(es_close_run(run, &close_options.value, &close_result.value, &err));
    printf("sealed %u at %u\n", (unsigned)close_result.value.sealed,
           (unsigned)close_result.value.high_watermark);
    es_free_run(run);
    es_free_reader(reader);
    OK(es_open_sealed_run(path, ES_NTS, &reader_options.value, &reader, &err));
    es_free_reader(reader);

    OK(es_list_runs(base, ES_NTS, "older", ES_NTS, &report, &err));
    OK(es_read_run_rows(report, 0, run_rows.value, sizeof(es_run_row), 2, arena, sizeof arena,
                        &page.value, &err));
    printf("listed %u: %s, backend %u\n", (unsigned)page.value.rows,
           arena + run_rows.value[0].run_id_offset, (unsigned)run_rows.value[0].backend);
    es_free_report(report);

    operation_options.value.flags = ES_OPERATION_EXPECTED_DIGEST;
    OK(es_verify_run(path, ES_NTS, &operation_options.value, &report, &err));
    OK(es_get_report_summary(report, &summary.value, &err));
    OK(es_read_findings(report, 0, findings.value, sizeof(es_finding), 2, arena, sizeof arena,
                        &page.value, &err));
    printf("verified %u entries, digest %u, findings %u, first of kind %u\n",
           (unsigned)summary.value.entries, (unsigned)summary.value.digest,
           (unsigned)page.value.rows, (unsigned)findings.value[0].kind);
    es_free_report(report);
    check_guards();
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    set_up();
    capture(argv[1]);
    read_back();
    close_and_look(argv[1]);
    puts("done");
    return 0;
}
