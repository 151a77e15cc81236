/* A host that forks while it writes a run. Which way: the first argument; where: the second;
 * over which backend: the third; a storm's forks: the fourth. Talks in lines on its standard
 * output; tests/fork.rs judges them. */
#define _GNU_SOURCE
#include <eventstore.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static es_run *run;
static es_reader *reader;
static es_report *report;
static es_report *plan;
static uint32_t backend;
static volatile sig_atomic_t storm_over;

static void fail(const char *what, es_status status) {
    printf("failed %s %s\n", what, es_status_name(status));
    fflush(stdout);
    _exit(1);
}

static void say(const char *line) {
    printf("%s\n", line);
    fflush(stdout);
}

static es_draft draft_of(const char *payload) {
    es_draft draft = ES_DRAFT_INIT;
    draft.topic = "exec.event";
    draft.topic_len = ES_NTS;
    draft.payload_type = "OrderFilled";
    draft.payload_type_len = ES_NTS;
    draft.payload = payload;
    draft.payload_len = strlen(payload);
    draft.ts_init = 1;
    return draft;
}

static es_status open_run(const char *base, uint32_t kind, es_run **out) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    manifest.run_id.data = "run";
    manifest.run_id.len = ES_NTS;
    manifest.instance_id.data = "trader-007";
    manifest.instance_id.len = ES_NTS;
    options.backend = kind;
    options.halt_after_ns = ES_FOREVER;
    return es_open_run(base, ES_NTS, &manifest, &options, out, NULL);
}

static void append_ten(void) {
    es_draft drafts[10];
    for (int i = 0; i < 10; i++) drafts[i] = draft_of("of the parent");
    es_status status = es_append_batch(run, drafts, sizeof drafts[0], 10, NULL, NULL, NULL);
    if (status != ES_OK) fail("append", status);
}

static void close_and_say(void) {
    es_close_result closed = ES_CLOSE_RESULT_INIT;
    es_status status = es_close_run(run, NULL, &closed, NULL);
    if (status != ES_OK) fail("close", status);
    printf("closed %u %llu\n", closed.sealed, (unsigned long long)closed.high_watermark);
    fflush(stdout);
}

static void wait_for(pid_t child) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) fail("child", (es_status)status);
}

static void open_reports(const char *base) {
    es_status status = es_list_runs(base, ES_NTS, "trader-007", ES_NTS, &report, NULL);
    if (status == ES_OK)
        status = es_plan_retention(base, ES_NTS, "trader-007", ES_NTS, ES_KEEP_FULL, 0, &plan, NULL);
    if (status != ES_OK) fail("reports", status);
}

/* In a child: each call on what the parent opened, and its answer. */
static void call_everything(const char *base) {
    char bytes[4096];
    uint64_t seq = 0;
    uint32_t keyed = 0;
    int32_t fd = 0;
    size_t needed = 0;
    es_draft draft = draft_of("of a child");
    es_entry entry;
    es_index_row row;
    es_anchor anchor;
    es_run_state state;
    es_run_stats stats;
    es_reader *other = NULL;
    es_report *other_report = NULL;
    es_report_summary summary = ES_REPORT_SUMMARY_INIT;
    es_page_result page = ES_PAGE_RESULT_INIT;
    es_run_row run_row;
    es_finding finding;
    es_manifest manifest = ES_MANIFEST_INIT;
    es_restore_plan restore;
    es_packed_draft packed = ES_PACKED_DRAFT_INIT;
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    es_tail_result tail = ES_TAIL_RESULT_INIT;
    es_scan_result scanned = ES_SCAN_RESULT_INIT;
    es_index_request keys;
    es_index_result listed;
    if (es_init_index_request(&keys, sizeof keys) != ES_OK) fail("init", 0);
    if (es_init_index_result(&listed, sizeof listed) != ES_OK) fail("init", 0);
    if (es_init_restore_plan(&restore, sizeof restore) != ES_OK) fail("init", 0);
#define CALL(name, ...) printf("call " #name " %s\n", es_status_name(name(__VA_ARGS__, NULL)))
    CALL(es_submit, run, &draft, sizeof draft, NULL, &seq);
    CALL(es_submit_batch, run, &draft, sizeof draft, 1, NULL, &seq);
    CALL(es_submit_packed, run, &packed, sizeof packed, 1, "t", 1, NULL, &seq);
    CALL(es_append_batch, run, &draft, sizeof draft, 1, NULL, NULL);
    CALL(es_wait_durable, run, 1, 0);
    CALL(es_flush, run, ES_FOREVER);
    CALL(es_do_work, run, NULL);
    CALL(es_record_anchor, run, 1, "blob", ES_NTS, "hash", ES_NTS, ES_FOREVER);
    CALL(es_get_run_state, run, &state, sizeof state);
    CALL(es_get_run_stats, run, &stats, sizeof stats);
    CALL(es_get_run_path, run, bytes, sizeof bytes, &needed);
    CALL(es_open_durable_fd, run, &fd);
    CALL(es_open_reader, run, &other);
    CALL(es_close_run, run, NULL, NULL);
    CALL(es_seal_run, reader, ES_RUN_ENDED, NULL);
    CALL(es_scan_range, reader, &request, &entry, sizeof entry, 1, bytes, sizeof bytes, &scanned);
    CALL(es_get_entry, reader, 1, &entry, sizeof entry, bytes, sizeof bytes, &needed);
    CALL(es_lookup, reader, ES_INDEX_CLIENT_ORDER_ID, "O-1", ES_NTS, &seq);
    CALL(es_wait_tail, reader, 1, ES_FOREVER, &tail);
    CALL(es_scan_index, reader, &keys, &row, sizeof row, 1, bytes, sizeof bytes, &listed);
    CALL(es_find_first_seq, reader, 0, &seq);
    CALL(es_get_anchor, reader, &anchor, sizeof anchor, bytes, sizeof bytes, &needed);
    CALL(es_get_restore_plan, reader, &restore);
    CALL(es_get_high_watermark, reader, &seq);
    CALL(es_get_digest, reader, (uint8_t *)bytes, 32, &keyed);
    CALL(es_get_manifest, reader, &manifest, bytes, sizeof bytes, &needed);
    CALL(es_get_reader_path, reader, bytes, sizeof bytes, &needed);
    CALL(es_get_report_summary, report, &summary);
    CALL(es_read_run_rows, report, 0, &run_row, sizeof run_row, 1, bytes, sizeof bytes, &page);
    CALL(es_read_findings, report, 0, &finding, sizeof finding, 1, bytes, sizeof bytes, &page);
    CALL(es_apply_retention, base, ES_NTS, "trader-007", ES_NTS, plan, &other_report);
    fflush(stdout);
}

/* A child may open runs of its own. */
static void use_a_run_of_its_own(void) {
    es_run *own = NULL;
    es_draft draft = draft_of("of a child's own run");
    uint64_t seq = 0;
    es_status status = open_run("", ES_BACKEND_MEMORY, &own);
    if (status != ES_OK) fail("own run", status);
    status = es_submit(own, &draft, sizeof draft, NULL, &seq, NULL);
    if (status != ES_OK) fail("own submit", status);
    status = es_close_run(own, NULL, NULL, NULL);
    if (status != ES_OK) fail("own close", status);
    es_free_run(own);
    say("own");
}

/* A child is not a second writer of its parent's run, nor one that recovers it. */
static void open_what_the_parent_writes(const char *base) {
    es_run *second = NULL;
    es_reader *crashed = NULL;
    printf("second %s\n", es_status_name(open_run(base, backend, &second)));
    printf("crashed %s\n", es_status_name(es_open_crashed_run(base, ES_NTS, "trader-007", ES_NTS, "run",
                                                             ES_NTS, NULL, &crashed, NULL)));
    fflush(stdout);
}

static void case_calls(const char *base) {
    open_reports(base);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        call_everything(base);
        open_what_the_parent_writes(base);
        es_free_report(report);
        es_free_report(plan);
        es_free_reader(reader);
        es_free_run(run);
        open_what_the_parent_writes(base);
        use_a_run_of_its_own();
        _exit(0);
    }
    wait_for(child);
    append_ten();
    close_and_say();
    es_free_report(plan);
    es_free_report(report);
}

static void wait_for_the_test(const char *line) {
    say(line);
    if (getchar() == EOF) fail("standard input", 0);
}

/* The ways in which a child may go; the parent goes on when it is told to. */
static void case_leave(void) {
    wait_for_the_test("ready");
    for (int way = 0; way < 4; way++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            if (way == 0) _exit(0);
            if (way == 2) es_free_reader(reader), es_free_run(run);
            if (way == 3 && es_close_run(run, NULL, NULL, NULL) != ES_ERR_USED_AFTER_FORK) _exit(2);
            exit(0); /* with atexit handlers and the library's destructors */
        }
        wait_for(child);
    }
    pid_t spawned = 0;
    char *const list[] = {"ls", "-l", "/proc/self/fd", NULL};
    char *const nothing[] = {NULL};
    if (posix_spawn(&spawned, "/bin/ls", NULL, NULL, list, nothing) != 0) fail("spawn", 0);
    wait_for(spawned);
    wait_for_the_test("left");
    append_ten();
    close_and_say();
}

static void case_stay(void) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        for (;;) pause();
    printf("child %d\n", (int)child);
    say("forked");
    for (;;) pause();
}

static void *submit_on(void *nothing) {
    es_draft draft = draft_of("in a storm");
    uint64_t seq = 0;
    while (!storm_over) {
        es_status status = es_submit(run, &draft, sizeof draft, NULL, &seq, NULL);
        if (status == ES_ERR_QUEUE_FULL) usleep(100);
        else if (status != ES_OK) fail("submit", status);
    }
    return nothing;
}

static void *read_on(void *nothing) {
    while (!storm_over) {
        es_reader *other = NULL;
        uint64_t seq = 0;
        es_status status = es_open_reader(run, &other, NULL);
        if (status == ES_OK) status = es_get_high_watermark(other, &seq, NULL);
        if (status != ES_OK) fail("read", status);
        es_free_reader(other);
    }
    return nothing;
}

/* Forks while other threads submit and read and the writer commits. */
static void case_storm(int forks) {
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, submit_on, NULL);
    pthread_create(&threads[1], NULL, read_on, NULL);
    for (int i = 0; i < forks; i++) {
        pid_t child = fork();
        if (child == 0) {
            es_run_state state;
            _exit(es_get_run_state(run, &state, sizeof state, NULL) != ES_ERR_USED_AFTER_FORK);
        }
        wait_for(child);
    }
    storm_over = 1;
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    close_and_say();
}

/* A third process: what does it get? */
static void case_third(const char *base) {
    es_reader *crashed = NULL;
    es_run *again = NULL;
    printf("open %s\n", es_status_name(open_run(base, backend, &again)));
    es_free_run(again);
    es_status status = es_open_crashed_run(base, ES_NTS, "trader-007", ES_NTS, "run", ES_NTS, NULL,
                                           &crashed, NULL);
    printf("crashed %s\n", es_status_name(status));
    if (status == ES_OK) {
        es_close_result sealed = ES_CLOSE_RESULT_INIT;
        status = es_seal_run(crashed, ES_RUN_CRASHED_RECOVERED, &sealed, NULL);
        printf("sealed %s %llu\n", es_status_name(status), (unsigned long long)sealed.high_watermark);
    }
    es_free_reader(crashed);
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    backend = strcmp(argv[3], "log") == 0 ? ES_BACKEND_LOG : ES_BACKEND_REDB;
    const char *way = argv[1];
    if (strcmp(way, "third") == 0) {
        case_third(argv[2]);
        return 0;
    }
    es_status status = open_run(argv[2], backend, &run);
    if (status != ES_OK) fail("open", status);
    append_ten();
    status = es_open_reader(run, &reader, NULL);
    if (status != ES_OK) fail("reader", status);
    if (strcmp(way, "calls") == 0) case_calls(argv[2]);
    if (strcmp(way, "leave") == 0) case_leave();
    if (strcmp(way, "stay") == 0) case_stay();
    if (strcmp(way, "storm") == 0) case_storm(argc > 4 ? atoi(argv[4]) : 200);
    es_free_reader(reader);
    es_free_run(run);
    return 0;
}
