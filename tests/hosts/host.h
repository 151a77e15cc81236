/* What the hosts that behave badly share: runs, drafts, and a way to fail.
 *
 * Every host is started as `host BASE SIZE [LIBRARY]`: where its runs go, and how much of a load
 * it makes, 100 for all of it. It says on standard output how many things it checked, and on the
 * first that does not hold it says which, and ends. */
#ifndef ES_TEST_HOST_H
#define ES_TEST_HOST_H

#include <dirent.h>
#include <eventstore.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INSTANCE "host"
#define SECOND_NS 1000000000u

static const char *base;
static unsigned size_percent;
static atomic_uint checks;

static inline void fail(const char *file, int line, const char *what, es_status status, const es_error *err) {
    printf("%s:%d: %s\n", file, line, what);
    if (status != ES_OK) printf("    status %d: %s\n", (int)status, err == NULL ? "" : err->message);
    fflush(stdout);
    _exit(1);
}

#define CHECK(holds)                                                           \
    do {                                                                       \
        atomic_fetch_add(&checks, 1);                                          \
        if (!(holds)) fail(__FILE__, __LINE__, #holds, ES_OK, NULL);           \
    } while (0)

/* `call` names `&err_`, which is this check's own: hosts have many threads. */
#define MUST(call)                                                             \
    do {                                                                       \
        es_error err_;                                                         \
        es_status answer_ = (call);                                            \
        atomic_fetch_add(&checks, 1);                                          \
        if (answer_ != ES_OK) fail(__FILE__, __LINE__, #call, answer_, &err_); \
    } while (0)

static inline int begin(int argc, char **argv, int arguments) {
    if (argc != arguments) return 0;
    base = argv[1];
    size_percent = (unsigned)strtoul(argv[2], NULL, 10);
    return size_percent > 0;
}

static inline int end(const char *name) {
    printf("%s: %u checks\n", name, atomic_load(&checks));
    return 0;
}

/* So many of it at full size; at least one. */
static inline unsigned scaled(unsigned full) {
    unsigned number = full * size_percent / 100;
    return number == 0 ? 1 : number;
}

static inline uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static inline void sleep_us(long microseconds) {
    struct timespec moment = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&moment, NULL);
}

/* A disk that other tests use as well may stall for long: no run of a host halts for that. */
/* Options of a run over the backend that the environment names, redb if none. */
static inline es_open_options patient(void) {
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    const char *backend = getenv("ES_HOST_BACKEND");
    options.halt_after_ns = ES_FOREVER;
    if (backend != NULL && strcmp(backend, "log") == 0) options.backend = ES_BACKEND_LOG;
    return options;
}

static inline es_run *open_run(const char *run_id, const es_open_options *options) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_run *run = NULL;
    manifest.run_id.data = run_id;
    manifest.run_id.len = ES_NTS;
    manifest.instance_id.data = INSTANCE;
    manifest.instance_id.len = ES_NTS;
    MUST(es_open_run(base, ES_NTS, &manifest, options, &run, &err_));
    return run;
}

static inline es_draft draft_of(const void *payload, size_t payload_len) {
    es_draft draft = ES_DRAFT_INIT;
    draft.topic = "orders";
    draft.topic_len = ES_NTS;
    draft.payload_type = "Order";
    draft.payload_type_len = ES_NTS;
    draft.payload = payload;
    draft.payload_len = payload_len;
    draft.ts_init = 1;
    return draft;
}

static inline uint64_t append(es_run *run, const void *payload, size_t payload_len) {
    es_draft draft = draft_of(payload, payload_len);
    es_append_result done = ES_APPEND_RESULT_INIT;
    MUST(es_append_batch(run, &draft, sizeof draft, 1, NULL, &done, &err_));
    return done.first_seq;
}

/* Submits, waiting for room as long as it takes. */
static inline uint64_t submit(es_run *run, const es_draft *draft) {
    es_submit_options options = ES_SUBMIT_OPTIONS_INIT;
    uint64_t seq = 0;
    options.timeout_ns = ES_FOREVER;
    MUST(es_submit(run, draft, sizeof *draft, &options, &seq, &err_));
    return seq;
}

/* Closes a run that must not have halted; answers its high-watermark. */
static inline uint64_t close_run(es_run *run) {
    es_close_result closed = ES_CLOSE_RESULT_INIT;
    MUST(es_close_run(run, NULL, &closed, &err_));
    CHECK(closed.sealed == 1);
    return closed.high_watermark;
}

static inline pthread_t start(void *(*play)(void *), void *with) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, play, with) == 0);
    return thread;
}

static inline void finish(pthread_t thread) { CHECK(pthread_join(thread, NULL) == 0); }

/* How many threads of the library live. */
static inline unsigned count_writers(void) {
    char path[300], comm[32];
    unsigned count = 0;
    struct dirent *name;
    DIR *names = opendir("/proc/self/task");
    CHECK(names != NULL);
    while ((name = readdir(names)) != NULL) {
        FILE *file;
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", name->d_name);
        file = fopen(path, "r");
        if (file == NULL) continue; /* it has ended meanwhile */
        count += fgets(comm, sizeof comm, file) != NULL && strncmp(comm, "es-", 3) == 0;
        fclose(file);
    }
    closedir(names);
    return count;
}

/* How many files below the base are open. */
static inline unsigned count_files(void) {
    char folder[4096], link[300], target[4096];
    unsigned count = 0;
    struct dirent *name;
    DIR *names = opendir("/proc/self/fd");
    CHECK(names != NULL);
    while ((name = readdir(names)) != NULL) {
        ssize_t length;
        snprintf(link, sizeof link, "/proc/self/fd/%s", name->d_name);
        length = readlink(link, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        count += realpath(base, folder) != NULL && strncmp(target, folder, strlen(folder)) == 0;
    }
    closedir(names);
    return count;
}

/* The threads of the library end on their own, soon. */
static inline void wait_for_writers(void) {
    uint64_t deadline = now_ns() + 60ull * SECOND_NS;
    while (count_writers() > 0 && now_ns() < deadline) sleep_us(1000);
    CHECK(count_writers() == 0);
}

/* Looks at every entry of a reader in order, its texts and payload in `arena`. */
static inline uint64_t for_each(es_reader *reader, size_t arena_cap,
                                void (*look)(const es_entry *entry, const char *arena, void *with), void *with) {
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    es_scan_result page = ES_SCAN_RESULT_INIT;
    es_entry entries[64];
    uint64_t count = 0, at;
    char *arena = (char *)malloc(arena_cap);
    CHECK(arena != NULL);
    do {
        MUST(es_scan_range(reader, &request, entries, sizeof entries[0], 64, arena, arena_cap, &page, &err_));
        for (at = 0; at < page.rows; at++) {
            count++;
            CHECK(entries[at].seq == count);
            look(&entries[at], arena, with);
        }
        request.from = page.next_seq;
    } while (page.more);
    free(arena);
    return count;
}

#endif
