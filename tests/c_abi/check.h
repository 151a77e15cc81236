/* Checks of the C misuse matrix: one refused or accepted call at a time, and that a refused one
 * changes nothing: not the run, not its file, not one byte of the outputs. */
#ifndef ES_TEST_CHECK_H
#define ES_TEST_CHECK_H

#include <dirent.h>
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
    es_tail_result tail;
    es_copy_result copy;
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
static unsigned long long watched_files;

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

/* The backend that the first argument of a matrix names. */
static inline uint32_t backend_of(const char *name) {
    if (strcmp(name, "redb") == 0) return ES_BACKEND_REDB;
    if (strcmp(name, "log") == 0) return ES_BACKEND_LOG;
    if (strcmp(name, "memory") == 0) return ES_BACKEND_MEMORY;
    fprintf(stderr, "no backend is called %s\n", name);
    exit(2);
}

static unsigned long long mixed(unsigned long long print, unsigned long long number) {
    return (print ^ number) * 1099511628211u;
}

/* A number that changes when the file, or one in the directory, gets another size or is written. */
static unsigned long long fingerprint(const char *path) {
    unsigned long long print = 14695981039346656037u;
    char inside[4400];
    struct stat file;
    struct dirent *item;
    DIR *directory;
    if (stat(path, &file) != 0) return 0;
    print = mixed(print, (unsigned long long)file.st_size);
    print = mixed(print, (unsigned long long)file.st_mtim.tv_sec);
    print = mixed(print, (unsigned long long)file.st_mtim.tv_nsec);
    directory = S_ISDIR(file.st_mode) ? opendir(path) : NULL;
    while (directory != NULL && (item = readdir(directory)) != NULL) {
        if (item->d_name[0] == '.') continue;
        snprintf(inside, sizeof inside, "%s/%s", path, item->d_name);
        print = mixed(print, fingerprint(inside));
    }
    if (directory != NULL) closedir(directory);
    return print;
}

/* Remembers what the watched run looks like now. */
static void watch(es_run *run) {
    es_error problem;
    watched_run = run;
    if (run == NULL) return;
    if (es_get_run_state(run, &watched_state, sizeof watched_state, &problem) != ES_OK ||
        es_get_run_path(run, watched_path, sizeof watched_path, NULL, &problem) != ES_OK ||
        (watched_path[0] != 0 && (watched_files = fingerprint(watched_path)) == 0)) {
        printf("the run cannot be watched: %s\n", problem.message);
        exit(2);
    }
}

static void check_watched(int line, const char *call) {
    es_run_state state;
    es_error problem;
    if (watched_run == NULL) return;
    if (es_get_run_state(watched_run, &state, sizeof state, &problem) != ES_OK ||
        state.high_watermark != watched_state.high_watermark ||
        state.last_claimed_seq != watched_state.last_claimed_seq || state.phase != watched_state.phase)
        fail(line, call, "the run has changed");
    if (watched_path[0] == 0) return;
    if (fingerprint(watched_path) != watched_files)
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
    out.tail.struct_size = (uint32_t)sizeof out.tail;
    out.copy.struct_size = (uint32_t)sizeof out.copy;
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
