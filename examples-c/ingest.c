/* Captures events from JSON Lines files into a new run and reads every one back.
 *
 *     ingest [--backend redb|log|memory] [--base DIRECTORY] FILE...
 *
 * Files as event_lines.h describes. The run is closed, reopened and compared with a second pass
 * over the files, event by event, so memory stays small whatever their size. A line that is not an
 * event stops the ingest, named by file and line; what came before it is sealed. Exit code 0 only
 * when everything came back equal and in order. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime, mkdtemp */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event_lines.h"
#include "eventstore.h"

enum { PATH_BYTES = 4096, PAGE_ENTRIES = 1024, ARENA_BYTES = 1024 * 1024 };

typedef struct ingest {
    event_lines lines;
    const char *base; /* NULL: a fresh directory */
    uint32_t backend;
    es_run *run;
    es_reader *reader;
    es_entry *entries;
    uint8_t *arena;
    size_t arena_cap;
    uint64_t captured;
    uint64_t queue_full_count;
    uint64_t capture_ns;
    uint64_t equal;
    uint64_t compare_ns;
    uint64_t ids[2]; /* by index kind: how many different ones */
    char fresh_base[PATH_BYTES];
    char path[PATH_BYTES];
} ingest;

static int complain(const char *doing, es_status status, const es_error *err) {
    const char *text = err != NULL && err->message[0] != '\0' ? err->message
                                                               : es_status_message(status);
    fprintf(stderr, "%s: %s: %s\n", doing, es_status_name(status), text);
    return -1;
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) {
        abort(); /* cannot happen with the two clocks that are asked for */
    }
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int parse_arguments(int argc, char **argv, ingest *in) {
    int i = 1;
    in->backend = ES_BACKEND_REDB;
    for (; i + 1 < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i += 2) {
        if (strcmp(argv[i], "--base") == 0) {
            in->base = argv[i + 1];
        } else if (strcmp(argv[i], "--backend") == 0 && strcmp(argv[i + 1], "redb") == 0) {
            in->backend = ES_BACKEND_REDB;
        } else if (strcmp(argv[i], "--backend") == 0 && strcmp(argv[i + 1], "log") == 0) {
            in->backend = ES_BACKEND_LOG;
        } else if (strcmp(argv[i], "--backend") == 0 && strcmp(argv[i + 1], "memory") == 0) {
            in->backend = ES_BACKEND_MEMORY;
        } else {
            break;
        }
    }
    in->lines.names = argv + i;
    in->lines.name_count = argc - i;
    if (i == argc || (argv[i][0] == '-' && argv[i][1] != '\0')) {
        fprintf(stderr, "usage: ingest [--backend redb|log|memory] [--base DIRECTORY] FILE...\n");
        return -1;
    }
    return 0;
}

static int open_run(ingest *in) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    char run_id[64];
    const char *tmp = getenv("TMPDIR");
    size_t needed = 0;
    es_error err;
    es_status status;
    if (in->base == NULL && in->backend != ES_BACKEND_MEMORY) {
        int len = snprintf(in->fresh_base, sizeof in->fresh_base, "%s/eventstore-ingest-XXXXXX",
                           tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
        if (len >= (int)sizeof in->fresh_base || mkdtemp(in->fresh_base) == NULL) {
            perror(in->fresh_base);
            return -1;
        }
        in->base = in->fresh_base;
    }
    snprintf(run_id, sizeof run_id, "%" PRIu64, clock_ns(CLOCK_REALTIME));
    manifest.instance_id.data = "INGEST";
    manifest.instance_id.len = ES_NTS;
    manifest.run_id.data = run_id;
    manifest.run_id.len = ES_NTS;
    manifest.start_ts_init = clock_ns(CLOCK_REALTIME);

    options.backend = in->backend;
    /* Files wait for the disk as long as it takes: nobody trades on this run. */
    options.halt_after_ns = ES_FOREVER;

    status = es_open_run(in->base, in->base == NULL ? 0 : ES_NTS, &manifest, &options, &in->run,
                         &err);
    if (status != ES_OK) {
        return complain("es_open_run", status, &err);
    }
    status = es_get_run_path(in->run, in->path, sizeof in->path, &needed, &err);
    return status == ES_OK ? 0 : complain("es_get_run_path", status, &err);
}

/* Reading lines is faster than most disks; a full queue means: let the writer catch up. */
static es_status submit(ingest *in, const es_draft *draft, uint64_t *seq, es_error *err) {
    es_submit_options patient = ES_SUBMIT_OPTIONS_INIT;
    es_status status = es_submit(in->run, draft, sizeof *draft, NULL, seq, err);
    if (status != ES_ERR_QUEUE_FULL) {
        return status;
    }
    in->queue_full_count += 1;
    patient.timeout_ns = ES_FOREVER;
    return es_submit(in->run, draft, sizeof *draft, &patient, seq, err);
}

static int capture(ingest *in) {
    uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t seq = 0;
    es_draft draft;
    es_error err;
    es_status status;
    int found;
    while ((found = event_lines_next(&in->lines, &draft)) == 1) {
        status = submit(in, &draft, &seq, &err);
        if (status != ES_OK) {
            fprintf(stderr, "%s:%" PRIu64 ": ", in->lines.names[in->lines.name_at],
                    in->lines.line_number);
            return complain("es_submit", status, &err);
        }
        in->captured += 1;
    }
    status = es_flush(in->run, ES_FOREVER, &err);
    if (status != ES_OK) {
        return complain("es_flush", status, &err);
    }
    in->capture_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
    return found;
}

static int close_run(ingest *in) {
    es_close_result closed = ES_CLOSE_RESULT_INIT;
    es_error err;
    es_status status = es_close_run(in->run, NULL, &closed, &err);
    if (status != ES_OK) {
        return complain("es_close_run", status, &err);
    }
    if (!closed.sealed) {
        return complain("the run was not sealed", closed.halt_status, NULL);
    }
    return 0;
}

static int reopen(ingest *in) {
    es_error err;
    es_status status;
    if (in->backend == ES_BACKEND_MEMORY) {
        status = es_open_reader(in->run, &in->reader, &err);
        return status == ES_OK ? 0 : complain("es_open_reader", status, &err);
    }
    es_free_run(in->run);
    in->run = NULL;
    status = es_open_sealed_run(in->path, ES_NTS, NULL, &in->reader, &err);
    return status == ES_OK ? 0 : complain("es_open_sealed_run", status, &err);
}

static int same(const void *captured, size_t captured_len, const uint8_t *given,
                uint64_t given_len) {
    return captured_len == given_len &&
           (captured_len == 0 || memcmp(captured, given, captured_len) == 0);
}

/* Keys lie one after the other: kind and length as little-endian u16, then the bytes. */
static int same_keys(const es_draft *draft, const es_entry *entry, const uint8_t *arena) {
    const uint8_t *at = arena + entry->keys_offset;
    const uint8_t *end = at + entry->keys_len;
    uint32_t k;
    if ((entry->flags & ES_ENTRY_KEYS_RECORDED) == 0 || entry->key_count != draft->key_count) {
        return 0;
    }
    for (k = 0; k < draft->key_count; k++) {
        const es_index_key *key = &draft->keys[k];
        if ((size_t)(end - at) < 4 + key->key_len ||
            (uint32_t)(at[0] | at[1] << 8) != key->kind ||
            (size_t)(at[2] | at[3] << 8) != key->key_len ||
            memcmp(at + 4, key->key, key->key_len) != 0) {
            return 0;
        }
        at += 4 + key->key_len;
    }
    return at == end;
}

/* The name of the first part that differs, or NULL. */
static const char *difference(const ingest *in, const es_draft *draft, const es_entry *entry) {
    if (entry->seq != in->equal + 1) {
        return "seq";
    }
    if (entry->ts_init != draft->ts_init) {
        return "ts_init";
    }
    if (draft->ts_publish != 0 && entry->ts_publish != draft->ts_publish) { /* 0: it was stamped */
        return "ts_publish";
    }
    if ((entry->flags & (ES_ENTRY_HAS_CORRELATION_ID | ES_ENTRY_HAS_CAUSATION_ID)) != 0) {
        return "ids";
    }
    if (!same(draft->topic, draft->topic_len, in->arena + entry->topic_offset, entry->topic_len)) {
        return "topic";
    }
    if (!same(draft->payload_type, draft->payload_type_len, in->arena + entry->payload_type_offset,
              entry->payload_type_len)) {
        return "payload type";
    }
    if (!same(draft->payload, draft->payload_len, in->arena + entry->payload_offset,
              entry->payload_len)) {
        return "payload";
    }
    return same_keys(draft, entry, in->arena) ? NULL : "keys";
}

/* Each id must lead to this event or to an earlier one; the first of an id counts it. */
static int look_up(ingest *in, const es_draft *draft, uint64_t seq) {
    uint32_t k;
    for (k = 0; k < draft->key_count; k++) {
        const es_index_key *key = &draft->keys[k];
        uint64_t first_seq = 0;
        es_error err;
        es_status status =
            es_lookup(in->reader, key->kind, key->key, key->key_len, &first_seq, &err);
        if (status != ES_OK) {
            return complain("es_lookup", status, &err);
        }
        if (first_seq > seq) {
            fprintf(stderr, "%.*s: found at seq %" PRIu64 ", but seq %" PRIu64 " has it\n",
                    (int)key->key_len, key->key, first_seq, seq);
            return -1;
        }
        in->ids[key->kind] += first_seq == seq;
    }
    return 0;
}

/* One entry of the run against the next event of the files; after the last event, RunEnded. */
static int compare(ingest *in, const es_entry *entry) {
    es_draft draft;
    const char *part;
    int found;
    if (in->equal == in->captured) {
        const char *type = (const char *)in->arena + entry->payload_type_offset;
        if (entry->seq == in->captured + 1 && strcmp(type, "RunEnded") == 0) {
            return 0;
        }
        fprintf(stderr, "seq %" PRIu64 ": %s was never captured\n", entry->seq, type);
        return -1;
    }
    found = event_lines_next(&in->lines, &draft);
    if (found != 1) {
        fprintf(stderr, "seq %" PRIu64 ": the files hold no such event any more\n", entry->seq);
        return -1;
    }
    part = difference(in, &draft, entry);
    if (part != NULL) {
        fprintf(stderr, "%s:%" PRIu64 ": %s differs at seq %" PRIu64 "\n",
                in->lines.names[in->lines.name_at], in->lines.line_number, part, entry->seq);
        return -1;
    }
    in->equal += 1;
    return look_up(in, &draft, entry->seq);
}

/* Called when one entry alone is larger than the arena. */
static int grow_arena(ingest *in, uint64_t required) {
    uint8_t *grown = (uint8_t *)realloc(in->arena, (size_t)required);
    if (grown == NULL) {
        return complain("arena", ES_ERR_OUT_OF_MEMORY, NULL);
    }
    in->arena = grown;
    in->arena_cap = (size_t)required;
    return 0;
}

static int read_back(ingest *in) {
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    es_scan_result result = ES_SCAN_RESULT_INIT;
    uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
    es_error err;
    event_lines_rewind(&in->lines);
    do {
        uint64_t i;
        es_status status = es_scan_range(in->reader, &request, in->entries, sizeof in->entries[0],
                                         PAGE_ENTRIES, in->arena, in->arena_cap, &result, &err);
        if (status == ES_ERR_BUFFER_TOO_SMALL && grow_arena(in, err.required) == 0) {
            result.more = 1;
            continue;
        }
        if (status != ES_OK) {
            return complain("es_scan_range", status, &err);
        }
        for (i = 0; i < result.rows; i++) {
            if (compare(in, &in->entries[i]) != 0) {
                return -1;
            }
        }
        request.from = result.next_seq;
    } while (result.more);
    in->compare_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
    return 0;
}

static double per_second(uint64_t count, uint64_t took_ns) {
    return took_ns == 0 ? 0.0 : (double)count * 1e9 / (double)took_ns;
}

static int report(const ingest *in) {
    printf("captured    %" PRIu64 " events of %d files, all durable\n", in->captured,
           in->lines.name_count);
    printf("read back   %" PRIu64 " equal and in order\n", in->equal);
    printf("ids         %" PRIu64 " client order ids, %" PRIu64 " venue order ids\n",
           in->ids[ES_INDEX_CLIENT_ORDER_ID], in->ids[ES_INDEX_VENUE_ORDER_ID]);
    printf("rates       %.0f events/s captured, %.0f /s compared and looked up\n",
           per_second(in->captured, in->capture_ns), per_second(in->equal, in->compare_ns));
    printf("queue full  %" PRIu64 " times, waited for room\n", in->queue_full_count);
    printf("run         %s\n", in->backend == ES_BACKEND_MEMORY ? "in memory" : in->path);
    return in->equal == in->captured ? 0 : -1;
}

int main(int argc, char **argv) {
    static ingest in; /* zero */
    int captured;
    int exit_code = 1;
    if (parse_arguments(argc, argv, &in) != 0) {
        return 2;
    }
    in.entries = (es_entry *)malloc(PAGE_ENTRIES * sizeof *in.entries);
    in.arena = (uint8_t *)malloc(ARENA_BYTES);
    in.arena_cap = ARENA_BYTES;
    if (in.entries == NULL || in.arena == NULL) {
        complain("ingest", ES_ERR_OUT_OF_MEMORY, NULL);
        goto done;
    }
    if (open_run(&in) != 0) {
        goto done;
    }
    captured = capture(&in);
    if (close_run(&in) != 0 || captured != 0) {
        goto done;
    }
    if (reopen(&in) != 0 || read_back(&in) != 0) {
        goto done;
    }
    if (report(&in) == 0) {
        exit_code = 0;
    }
done:
    es_free_reader(in.reader);
    es_free_run(in.run);
    event_lines_free(&in.lines);
    free(in.entries);
    free(in.arena);
    return exit_code;
}
