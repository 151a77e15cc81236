/* Checks of the C misuse matrix: one refused or accepted call at a time, and that a refused one
 * changes nothing: not the run, not its file, not one byte of the outputs. */
#ifndef ES_TEST_CHECK_H
#define ES_TEST_CHECK_H

#include <eventstore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ITEM_NONE ES_NONE
#define CANARY 0xA5

/* Everything that a call may write, in one place, so that one comparison sees every byte. */
typedef struct outputs {
    es_run *run;
    es_reader *reader;
    es_report *report;
    uint64_t seq;
    uint64_t numbers[2];
    size_t needed;
    int32_t fd;
    uint32_t keyed;
    uint8_t digest[40];
    char path[64];
    es_append_result append;
    es_close_result close;
    es_scan_result scan;
    es_index_result index;
    es_restore_plan plan;
    es_manifest manifest;
    es_anchor anchor;
    es_run_state state;
    es_run_stats stats;
    es_entry entries[4];
    es_index_row rows[4];
    es_report_summary summary;
    es_page_result page;
    es_run_row runs[4];
    es_finding findings[4];
    char arena[1024];
} outputs;

static outputs out;
static outputs before;
static es_error err;
static unsigned calls, failures;

/* The run that no refused call may change; NULL while there is none. */
static es_run *watched_run;
static char watched_path[4096];
static es_run_state watched_state;
static struct stat watched_file;

static void fail(int line, const char *call, const char *what) {
    failures++;
    printf("%s:%d: %s\n    %s\n    err: %d %s\n", __BASE_FILE__, line, call, what, (int)err.code,
           err.code == ES_OK ? "" : err.message);
}

static int all_canary(const void *memory, size_t size) {
    const unsigned char *bytes = (const unsigned char *)memory;
    size_t at;
    for (at = 0; at < size; at++)
        if (bytes[at] != CANARY) return 0;
    return 1;
}

/* Remembers what the watched run looks like now. */
static void watch(es_run *run) {
    es_error problem;
    watched_run = run;
    if (run == NULL) return;
    if (es_get_run_state(run, &watched_state, sizeof watched_state, &problem) != ES_OK ||
        es_get_run_path(run, watched_path, sizeof watched_path, NULL, &problem) != ES_OK ||
        (watched_path[0] != 0 && stat(watched_path, &watched_file) != 0)) {
        printf("the run cannot be watched: %s\n", problem.message);
        exit(2);
    }
}

static void check_watched(int line, const char *call) {
    es_run_state state;
    es_error problem;
    struct stat file;
    if (watched_run == NULL) return;
    if (es_get_run_state(watched_run, &state, sizeof state, &problem) != ES_OK ||
        state.high_watermark != watched_state.high_watermark ||
        state.last_claimed_seq != watched_state.last_claimed_seq || state.phase != watched_state.phase)
        fail(line, call, "the run has changed");
    if (watched_path[0] == 0) return;
    if (stat(watched_path, &file) != 0 || file.st_size != watched_file.st_size ||
        file.st_mtim.tv_sec != watched_file.st_mtim.tv_sec ||
        file.st_mtim.tv_nsec != watched_file.st_mtim.tv_nsec)
        fail(line, call, "the run's file has changed");
}

/* Fills every output with the canary, sizes of structs excepted. */
static void prepare(void) {
    memset(&out, CANARY, sizeof out);
    out.append.struct_size = (uint32_t)sizeof out.append;
    out.close.struct_size = (uint32_t)sizeof out.close;
    out.scan.struct_size = (uint32_t)sizeof out.scan;
    out.index.struct_size = (uint32_t)sizeof out.index;
    out.plan.struct_size = (uint32_t)sizeof out.plan;
    out.manifest.struct_size = (uint32_t)sizeof out.manifest;
    out.summary.struct_size = (uint32_t)sizeof out.summary;
    out.page.struct_size = (uint32_t)sizeof out.page;
    memset(&err, CANARY, sizeof err);
    memcpy(&before, &out, sizeof out);
}

static void accepted(int line, const char *call, es_status status) {
    calls++;
    if (status != ES_OK) {
        fail(line, call, "is refused, and should not be");
        return;
    }
    if (!all_canary(&err, sizeof err)) fail(line, call, "es_error was written on success");
}

/* `word` must stand in the message: it names what is wrong. */
static void refused(int line, const char *call, es_status status, es_status wanted,
                    const char *word, uint64_t item) {
    char text[160];
    calls++;
    if (status != wanted) {
        snprintf(text, sizeof text, "answers %s, should answer %s", es_status_name(status),
                 es_status_name(wanted));
        fail(line, call, status == ES_OK ? "is accepted, and should not be" : text);
        if (status == ES_OK) err.code = ES_OK;
        return;
    }
    if (err.code != wanted) fail(line, call, "err.code is not the status");
    if (memchr(err.message, 0, sizeof err.message) == NULL) {
        fail(line, call, "err.message does not end");
        return;
    }
    if (strstr(err.message, word) == NULL) {
        snprintf(text, sizeof text, "the message does not name \"%s\"", word);
        fail(line, call, text);
    }
    if (err.item_index != item) {
        snprintf(text, sizeof text, "err.item_index is %llu, should be %llu",
                 (unsigned long long)err.item_index, (unsigned long long)item);
        fail(line, call, text);
    }
    if (err.reserved != 0) fail(line, call, "err.reserved is not zero");
    /* The exceptions that the header names: out-handles become NULL; a buffer that is too small
     * tells what is needed and holds the empty text. */
    if (out.run == NULL) out.run = before.run;
    if (out.reader == NULL) out.reader = before.reader;
    if (out.report == NULL) out.report = before.report;
    if (wanted == ES_ERR_BUFFER_TOO_SMALL) {
        out.needed = before.needed;
        if (out.path[0] == 0) out.path[0] = before.path[0];
        if (err.required == 0) fail(line, call, "err.required is 0");
    }
    if (memcmp(&out, &before, sizeof out) != 0) fail(line, call, "an output was written");
    check_watched(line, call);
}

#define ACCEPTED(call)                                  \
    do {                                                \
        es_status answer_;                              \
        prepare();                                      \
        answer_ = (call);                               \
        accepted(__LINE__, #call, answer_);             \
    } while (0)

#define REFUSED_ITEM(wanted, word, item, call)                            \
    do {                                                                  \
        es_status answer_;                                                \
        prepare();                                                        \
        answer_ = (call);                                                 \
        refused(__LINE__, #call, answer_, (wanted), (word), (item));      \
    } while (0)

#define REFUSED(wanted, word, call) REFUSED_ITEM(wanted, word, ITEM_NONE, call)

#define CHECK(holds, what)                                             \
    do {                                                               \
        calls++;                                                       \
        if (!(holds)) {                                                \
            memset(&err, 0, sizeof err);                               \
            fail(__LINE__, #holds, what);                              \
        }                                                              \
    } while (0)

#endif
