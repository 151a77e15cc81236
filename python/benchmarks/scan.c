/* The C side of scan.py: a full scan in pages, and what a call costs.
 *
 *     scan RUN_FILE ARENA_BYTES   prints entries, seconds of the scan, of its
 *                                 processor time, a sum over the rows
 *     scan --calls                prints nanoseconds a call: es_status_is_fatal, then
 *                                 es_get_high_watermark, then es_get_run_state */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "eventstore.h"

enum { PAGE_ENTRIES = 65536, CALLS = 2000000 };

static double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int fail(const es_error *err) {
    fprintf(stderr, "%s: %s\n", es_status_name(err->code), err->message);
    return 1;
}

static int scan(const char *path, size_t arena_cap) {
    es_reader *reader = NULL;
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    es_scan_result result = ES_SCAN_RESULT_INIT;
    es_entry *entries = malloc(PAGE_ENTRIES * sizeof *entries);
    void *arena = malloc(arena_cap);
    uint64_t rows = 0, sum = 0;
    double start, seconds;
    clock_t cpu;
    es_error err;
    if (entries == NULL || arena == NULL) return 1;
    if (es_open_sealed_run(path, ES_NTS, NULL, &reader, &err) != ES_OK) return fail(&err);
    start = now_seconds();
    cpu = clock();
    do {
        if (es_scan_range(reader, &request, entries, sizeof *entries, PAGE_ENTRIES, arena,
                          arena_cap, &result, &err) != ES_OK) return fail(&err);
        rows += result.rows;
        if (result.rows > 0) sum += entries[result.rows - 1].seq;
        request.from = result.next_seq;
    } while (result.more);
    seconds = now_seconds() - start;
    printf("%" PRIu64 " %.6f %.6f %" PRIu64 "\n", rows, seconds,
           (double)(clock() - cpu) / CLOCKS_PER_SEC, sum);
    es_free_reader(reader);
    free(entries);
    free(arena);
    return 0;
}

static int calls(void) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    es_run *run = NULL;
    es_reader *reader = NULL;
    es_run_state state;
    es_error err;
    uint64_t seq = 0, sum = 0;
    double start, first, second, third;
    int i;
    options.backend = ES_BACKEND_MEMORY;
    options.halt_after_ns = ES_FOREVER;
    manifest.run_id.data = "run", manifest.run_id.len = ES_NTS;
    manifest.instance_id.data = "engine", manifest.instance_id.len = ES_NTS;
    if (es_open_run("", 0, &manifest, &options, &run, &err) != ES_OK) return fail(&err);
    if (es_open_reader(run, &reader, &err) != ES_OK) return fail(&err);
    start = now_seconds();
    for (i = 0; i < CALLS; i++) sum += (uint64_t)es_status_is_fatal(-i);
    first = now_seconds();
    for (i = 0; i < CALLS; i++) {
        if (es_get_high_watermark(reader, &seq, &err) != ES_OK) return fail(&err);
        sum += seq;
    }
    second = now_seconds();
    for (i = 0; i < CALLS; i++) {
        if (es_get_run_state(run, &state, sizeof state, &err) != ES_OK) return fail(&err);
        sum += state.high_watermark;
    }
    third = now_seconds();
    printf("%.1f %.1f %.1f %" PRIu64 "\n", (first - start) / CALLS * 1e9,
           (second - first) / CALLS * 1e9, (third - second) / CALLS * 1e9, sum);
    es_free_reader(reader);
    es_free_run(run);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--calls") == 0) return calls();
    if (argc != 3) return 2;
    return scan(argv[1], (size_t)strtoull(argv[2], NULL, 10));
}
