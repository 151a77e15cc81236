/* Measures the store through its exported functions, beside what the disk allows.
 *
 *     measure [--seconds N] [DIRECTORY]
 *
 * Appends: one durable batch after another, the log backend, redb with two flushes and with one a
 * commit, and the raw loop (pwrite of as many bytes into a zero-filled file, then fdatasync) in
 * turn, A B C D A B C D; medians of the rounds. Entries: 256 bytes of payload, an order id as key
 * on one in four.
 * Submits: single calls at a fixed schedule beside the same loop without the call, and bursts of
 * 1,000 into an empty queue. Exit code 0 when every call succeeded. */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "eventstore.h"

enum { PAYLOAD_BYTES = 256, BATCH_MAX = 1000, ROUNDS = 5, SAMPLES_MAX = 2000000 };

/* What FORMAT.md's frame of such an entry takes, headers absent: the raw loop writes as much. */
enum { FRAME_BYTES = 5 + 32 + 8 + 1 + 1 + 8 + 24 + 8 + 11 + 8 + PAYLOAD_BYTES + 16 };

static es_draft drafts[BATCH_MAX];
static es_index_key keys[BATCH_MAX];
static char key_texts[BATCH_MAX][24];
static char payload[PAYLOAD_BYTES];
static uint64_t next_order = 0;
static const char *directory = "build/measure";

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int by_value(const void *left, const void *right) {
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}

/* Fills the first `count` drafts with new order ids. */
static void next_batch(size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        es_draft *draft = &drafts[i];
        memset(draft, 0, sizeof *draft);
        draft->topic = "exec.command.SubmitOrder";
        draft->topic_len = 24;
        draft->payload_type = "SubmitOrder";
        draft->payload_type_len = 11;
        draft->payload = payload;
        draft->payload_len = sizeof payload;
        draft->ts_init = ++next_order;
        if (next_order % 4 == 0) {
            const int length = snprintf(key_texts[i], sizeof key_texts[i], "O-%012" PRIu64, next_order);
            keys[i].kind = ES_INDEX_CLIENT_ORDER_ID;
            keys[i].key = key_texts[i];
            keys[i].key_len = (size_t)length;
            draft->keys = &keys[i];
            draft->key_count = 1;
        }
    }
}

/* What is measured: a backend, and how it commits. */
struct way {
    uint32_t backend, durability;
};

static const struct way LOG = {ES_BACKEND_LOG, 0};
static const struct way TWO_PHASE = {ES_BACKEND_REDB, ES_DURABILITY_TWO_PHASE};
static const struct way ONE_PHASE = {ES_BACKEND_REDB, ES_DURABILITY_ONE_PHASE};

static es_run *open_run(struct way way, es_error *err) {
    static unsigned number = 0;
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    es_run *run = NULL;
    char run_id[48];
    snprintf(run_id, sizeof run_id, "%lld-%ld-%u", (long long)time(NULL), (long)getpid(), number++);
    manifest.instance_id.data = "MEASURE";
    manifest.instance_id.len = ES_NTS;
    manifest.run_id.data = run_id;
    manifest.run_id.len = ES_NTS;
    options.backend = way.backend;
    options.durability = way.durability;
    options.flags = ES_OPEN_PREFAULT;
    options.halt_after_ns = ES_FOREVER; /* a slow disk is to be measured, not to end the run */
    if (es_open_run(directory, ES_NTS, &manifest, &options, &run, err) != ES_OK) {
        return NULL;
    }
    return run;
}

/* Removes a file, or a directory with the files in it. */
static int remove_run(const char *path) {
    DIR *folder = opendir(path);
    struct dirent *item;
    if (folder == NULL) {
        return unlink(path) == 0;
    }
    while ((item = readdir(folder)) != NULL) {
        if (item->d_name[0] != '.') {
            unlinkat(dirfd(folder), item->d_name, 0);
        }
    }
    closedir(folder);
    return rmdir(path) == 0;
}

/* Closes the run and removes it. */
static int end_run(es_run *run, es_error *err) {
    char path[4096];
    size_t needed = 0;
    int done = es_get_run_path(run, path, sizeof path, &needed, err) == ES_OK &&
               es_close_run(run, NULL, NULL, err) == ES_OK;
    es_free_run(run);
    return done && remove_run(path);
}

/* Durable appends of `batch` entries for `duration_ns`; entries per second, or negative. */
static double append_rate(struct way way, size_t batch, uint64_t duration_ns, es_error *err) {
    es_run *run = open_run(way, err);
    uint64_t begun, spent = 0, entries = 0;
    if (run == NULL) {
        return -1;
    }
    while (spent < duration_ns) {
        next_batch(batch);
        begun = now_ns();
        if (es_append_batch(run, drafts, sizeof drafts[0], batch, NULL, NULL, err) != ES_OK) {
            es_free_run(run);
            return -1;
        }
        spent += now_ns() - begun;
        entries += batch;
    }
    return end_run(run, err) ? (double)entries * 1e9 / (double)spent : -1;
}

/* The limit: as many bytes a batch, written over a zero-filled file and flushed. */
static double raw_rate(size_t batch, uint64_t duration_ns) {
    static char bytes[BATCH_MAX * FRAME_BYTES];
    const size_t length = batch * FRAME_BYTES;
    const off_t file_bytes = 64 << 20;
    char path[4096];
    uint64_t begun, spent = 0, entries = 0;
    off_t at = 0;
    int fd;
    snprintf(path, sizeof path, "%s/raw", directory);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -1;
    }
    memset(bytes, 0, sizeof bytes);
    while (at < file_bytes && pwrite(fd, bytes, 65536, at) == 65536) {
        at += 65536;
    }
    memset(bytes, 0x5a, sizeof bytes);
    if (at < file_bytes || fsync(fd) != 0) {
        close(fd);
        return -1;
    }
    at = 0;
    while (spent < duration_ns) {
        if (at + (off_t)length > file_bytes) {
            at = 0;
        }
        begun = now_ns();
        if (pwrite(fd, bytes, length, at) != (ssize_t)length || fdatasync(fd) != 0) {
            close(fd);
            return -1;
        }
        spent += now_ns() - begun;
        at += (off_t)length;
        entries += batch;
    }
    close(fd);
    unlink(path);
    return (double)entries * 1e9 / (double)spent;
}

static int measure_appends(uint64_t round_ns, es_error *err) {
    static const size_t batches[] = {1, 10, 100, 1000};
    size_t i, round;
    printf("durable appends, entries/s (median of %d rounds)\n", ROUNDS);
    printf("  batch         log   two-phase   one-phase         raw   log/raw   two-phase/raw\n");
    for (i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        double log[ROUNDS], two[ROUNDS], one[ROUNDS], raw[ROUNDS];
        for (round = 0; round < ROUNDS; round++) {
            log[round] = append_rate(LOG, batches[i], round_ns, err);
            two[round] = append_rate(TWO_PHASE, batches[i], round_ns, err);
            one[round] = append_rate(ONE_PHASE, batches[i], round_ns, err);
            raw[round] = raw_rate(batches[i], round_ns);
            if (log[round] < 0 || two[round] < 0 || one[round] < 0 || raw[round] < 0) {
                return 0;
            }
        }
        printf("  %5zu %11.0f %11.0f %11.0f %11.0f   %7.2f   %.2f\n", batches[i],
               median(log, ROUNDS), median(two, ROUNDS), median(one, ROUNDS), median(raw, ROUNDS),
               median(log, ROUNDS) / median(raw, ROUNDS), median(two, ROUNDS) / median(raw, ROUNDS));
    }
    return 1;
}

static void print_latencies(const char *what, double *ns, size_t count) {
    qsort(ns, count, sizeof *ns, by_value);
    printf("  %-24s %9.0f %9.0f %9.0f %9.0f\n", what, ns[count / 2], ns[count * 99 / 100],
           ns[count * 999 / 1000], ns[count - 1]);
}

/* Submits at a fixed schedule; `run` NULL: the same loop without the call. */
static int open_loop(es_run *run, uint64_t rate, size_t count, double *ns, es_error *err) {
    const uint64_t begun = now_ns();
    size_t i;
    for (i = 0; i < count; i++) {
        const uint64_t due = begun + (uint64_t)i * UINT64_C(1000000000) / rate;
        uint64_t seq, called;
        next_batch(1);
        while (now_ns() < due) {
        }
        called = now_ns();
        if (run != NULL && es_submit(run, &drafts[0], sizeof drafts[0], NULL, &seq, err) != ES_OK) {
            return 0;
        }
        ns[i] = (double)(now_ns() - called);
    }
    return 1;
}

static int measure_submits(uint64_t round_ns, es_error *err) {
    static const uint64_t rates[] = {1000, 10000, 100000};
    double *ns = (double *)malloc(SAMPLES_MAX * sizeof *ns);
    es_run *run = open_run(TWO_PHASE, err);
    double bursts[200];
    char what[40];
    size_t i, burst;
    int done = ns != NULL && run != NULL;
    printf("\nsubmit of one entry, ns         p50       p99     p99.9       max\n");
    for (i = 0; done && i < sizeof rates / sizeof rates[0]; i++) {
        const size_t count = (size_t)(rates[i] * (4 * round_ns / 1000000) / 1000);
        snprintf(what, sizeof what, "%" PRIu64 "/s, no call", rates[i]);
        done = open_loop(NULL, rates[i], count, ns, err);
        print_latencies(what, ns, count);
        snprintf(what, sizeof what, "%" PRIu64 "/s", rates[i]);
        done = done && open_loop(run, rates[i], count, ns, err);
        print_latencies(what, ns, count);
    }
    for (burst = 0; done && burst < 200; burst++) {
        uint64_t begun, seq = 0;
        next_batch(BATCH_MAX);
        begun = now_ns();
        for (i = 0; done && i < BATCH_MAX; i++) {
            done = es_submit(run, &drafts[i], sizeof drafts[i], NULL, &seq, err) == ES_OK;
        }
        bursts[burst] = (double)(now_ns() - begun) / BATCH_MAX;
        done = done && es_flush(run, ES_FOREVER, err) == ES_OK;
    }
    if (done) {
        printf("\nburst of 1,000 into an empty queue: %.0f ns a submit (median of 200)\n",
               median(bursts, 200));
    }
    free(ns);
    return done && end_run(run, err);
}

int main(int argc, char **argv) {
    double seconds = 1;
    es_error err;
    int i;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            seconds = atof(argv[++i]);
        } else {
            directory = argv[i];
        }
    }
    memset(&err, 0, sizeof err);
    memset(payload, 0x61, sizeof payload);
    if (seconds <= 0 || seconds > 5) {
        fprintf(stderr, "measure: --seconds takes more than 0 and at most 5\n");
        return 2;
    }
    {
        /* The first run makes the directory. */
        es_run *run = open_run(TWO_PHASE, &err);
        if (run == NULL || !end_run(run, &err)) {
            fprintf(stderr, "measure: %s: %s\n", es_status_name(err.code), err.message);
            return 1;
        }
    }
    if (!measure_appends((uint64_t)(seconds * 1e9), &err) ||
        !measure_submits((uint64_t)(seconds * 1e9), &err)) {
        fprintf(stderr, "measure: %s: %s\n", es_status_name(err.code), err.message);
        return 1;
    }
    return 0;
}
