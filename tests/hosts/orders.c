/* Handles freed in every order: a run, two readers of it, a report. After each free the others work,
 * after the last nothing is held.
 *
 * usage: orders BASE SIZE
 */
#include "host.h"

enum { RUN, READER, OTHER_READER, REPORT, HANDLES };

/* How the run is left before its handle is freed. */
enum ending { CLOSED, DETACHED };

static es_run *run;
static es_reader *readers[2];
static es_report *report;
static int freed[HANDLES];

static void check_run(void) {
    es_run_state state;
    es_error err;
    es_status status = es_get_run_state(run, &state, sizeof state, &err);
    CHECK(status == (freed[RUN] ? ES_ERR_BAD_HANDLE : ES_OK));
    if (!freed[RUN]) CHECK(state.high_watermark >= 3 && state.halt_status == ES_OK);
}

static void check_reader(int which) {
    es_entry entry;
    es_error err;
    char arena[256];
    es_status status = es_get_entry(readers[which], 3, &entry, sizeof entry, arena, sizeof arena, NULL, &err);
    CHECK(status == (freed[READER + which] ? ES_ERR_BAD_HANDLE : ES_OK));
    if (status == ES_OK) CHECK(entry.seq == 3 && memcmp(arena + entry.payload_offset, "three", 5) == 0);
}

static void check_report(void) {
    es_report_summary summary = ES_REPORT_SUMMARY_INIT;
    es_error err;
    es_status status = es_get_report_summary(report, &summary, &err);
    CHECK(status == (freed[REPORT] ? ES_ERR_BAD_HANDLE : ES_OK));
    if (status == ES_OK) CHECK(summary.rows >= 1);
}

static void free_handle(int which) {
    if (which == RUN) es_free_run(run);
    if (which == READER) es_free_reader(readers[0]);
    if (which == OTHER_READER) es_free_reader(readers[1]);
    if (which == REPORT) es_free_report(report);
    freed[which] = 1;
}

static void check_all(void) {
    check_run();
    check_reader(0);
    check_reader(1);
    check_report();
}

/* The run can be had by somebody else: sealed already, or left to be sealed. */
static void check_nothing_is_held(const char *run_id, enum ending ending) {
    uint64_t deadline = now_ns() + 60ull * SECOND_NS;
    es_reader *reader = NULL;
    es_status status, wanted = ending == CLOSED ? ES_ERR_CLOSED : ES_OK;
    do { /* the writer of a detached run lets go on its own thread */
        status = es_open_crashed_run(base, ES_NTS, INSTANCE, ES_NTS, run_id, ES_NTS, NULL, &reader, NULL);
    } while (status == ES_ERR_LOCKED && now_ns() < deadline);
    CHECK(status == ES_OK);
    CHECK(es_seal_run(reader, ES_RUN_CRASHED_RECOVERED, NULL, NULL) == wanted);
    es_free_reader(reader);
    wait_for_writers();
    CHECK(count_files() == 0);
}

static void free_in_order(const int *order, enum ending ending) {
    static unsigned number;
    es_open_options options = patient();
    char run_id[32];
    int at;
    snprintf(run_id, sizeof run_id, "order-%u", number++);
    memset(freed, 0, sizeof freed);
    run = open_run(run_id, &options);
    append(run, "one", 3);
    append(run, "two", 3);
    append(run, "three", 5);
    MUST(es_open_reader(run, &readers[0], &err_));
    MUST(es_open_reader(run, &readers[1], &err_));
    if (ending == CLOSED) CHECK(close_run(run) == 4);
    MUST(es_list_runs(base, ES_NTS, INSTANCE, ES_NTS, &report, &err_));
    check_all();
    for (at = 0; at < HANDLES; at++) {
        free_handle(order[at]);
        check_all();
    }
    for (at = 0; at < HANDLES; at++) free_handle(order[at]); /* does nothing */
    check_all();
    check_nothing_is_held(run_id, ending);
}

/* All orders, by exchanging the handle at `from` with each behind it. */
static unsigned every_order(int *order, int from, unsigned step) {
    static unsigned number;
    unsigned done = 0;
    int at;
    if (from == HANDLES) {
        if (number++ % step != 0) return 0;
        free_in_order(order, CLOSED);
        free_in_order(order, DETACHED);
        return 1;
    }
    for (at = from; at < HANDLES; at++) {
        int kept = order[from];
        order[from] = order[at];
        order[at] = kept;
        done += every_order(order, from + 1, step);
        order[at] = order[from];
        order[from] = kept;
    }
    return done;
}

int main(int argc, char **argv) {
    int order[HANDLES] = {RUN, READER, OTHER_READER, REPORT};
    unsigned done;
    if (!begin(argc, argv, 3)) return 2;
    done = every_order(order, 0, 24 / scaled(24));
    CHECK(done == scaled(24) || size_percent < 100);
    return end("orders");
}
