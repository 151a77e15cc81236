/* A trading day, captured as it happens, sealed, and read back.
 *
 *     session [--events N] [--seed N] [--backend redb|log|memory] [--queue N] [DIRECTORY]
 *
 * The engine of trading_day.h trades; capture.c submits each message through the C interface; half
 * way a snapshot of the positions is anchored; then the run is closed, reopened, compared with what
 * was captured and reported on. Exit code 0 only when everything matched. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp */
#define _XOPEN_SOURCE 700       /* realpath */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "session.h"

static const char instance_id[] = "DEMO";
static const char run_id[] = "day-1";
static const uint64_t checkpoint_every_ns = UINT64_C(900000000000); /* of the engine's clock */

static int usage(void) {
    fprintf(stderr, "usage: session [--events N] [--seed N] [--backend redb|log|memory] [--queue N] "
                    "[DIRECTORY]\n");
    return -1;
}

static int parse_number(const char *text, uint64_t *out) {
    char *end;
    unsigned long long value;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0') {
        return usage();
    }
    *out = value;
    return 0;
}

static int parse_backend(const char *text, uint32_t *backend) {
    if (strcmp(text, "redb") == 0) {
        *backend = ES_BACKEND_REDB;
    } else if (strcmp(text, "log") == 0) {
        *backend = ES_BACKEND_LOG;
    } else if (strcmp(text, "memory") == 0) {
        *backend = ES_BACKEND_MEMORY;
    } else {
        return usage();
    }
    return 0;
}

static int parse_arguments(int argc, char **argv, session *s, const char **directory) {
    int i;
    int failed = 0;
    s->events = 100000;
    s->seed = 20250303;
    s->backend = ES_BACKEND_REDB;
    for (i = 1; i < argc && !failed; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (argv[i][0] != '-') {
            failed = *directory != NULL ? usage() : 0;
            *directory = argv[i];
            continue;
        }
        i += 1;
        if (strcmp(argv[i - 1], "--events") == 0) {
            failed = parse_number(value, &s->events);
        } else if (strcmp(argv[i - 1], "--seed") == 0) {
            failed = parse_number(value, &s->seed);
        } else if (strcmp(argv[i - 1], "--queue") == 0) {
            failed = parse_number(value, &s->queue_entries);
        } else if (strcmp(argv[i - 1], "--backend") == 0) {
            failed = parse_backend(value, &s->backend);
        } else {
            failed = usage();
        }
    }
    return failed == 0 && s->events == 0 ? usage() : failed;
}

/* The directory asked for, made when it is missing, or a fresh one under $TMPDIR. */
static int choose_directory(session *s, const char *asked) {
    char fresh[PATH_BYTES];
    const char *tmp = getenv("TMPDIR");
    char *real;
    if (asked == NULL) {
        int len = snprintf(fresh, sizeof fresh, "%s/eventstore-session-XXXXXX",
                           tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
        if (len >= (int)sizeof fresh || mkdtemp(fresh) == NULL) {
            perror(fresh);
            return -1;
        }
        asked = fresh;
    } else if (mkdir(asked, 0700) != 0 && errno != EEXIST) {
        perror(asked);
        return -1;
    }
    real = realpath(asked, NULL); /* the anchor names the snapshot: from anywhere, not from here */
    if (real == NULL || strlen(real) >= sizeof s->directory) {
        perror(asked);
        free(real);
        return -1;
    }
    memcpy(s->directory, real, strlen(real) + 1);
    free(real);
    return 0;
}

static es_string text(const char *nul_terminated) {
    es_string s;
    s.data = nul_terminated;
    s.len = ES_NTS;
    return s;
}

static int open_run(session *s) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    es_string_pair strategies[STRATEGY_COUNT];
    es_error err;
    es_status status;
    size_t needed = 0;
    unsigned i;
    for (i = 0; i < STRATEGY_COUNT; i++) {
        strategies[i].key = text(strategy_name(i));
        strategies[i].value = text("v1");
    }
    manifest.run_id = text(run_id);
    manifest.instance_id = text(instance_id);
    manifest.binary_hash = text("session.c");
    manifest.schema_version = 1;
    manifest.crate_versions = text("matching 1");
    manifest.config_hash = text("default");
    manifest.strategies = strategies;
    manifest.strategy_count = STRATEGY_COUNT;
    manifest.seed = s->seed;
    manifest.flags = ES_MANIFEST_HAS_SEED;
    manifest.start_ts_init = trading_day_open_ns();

    options.backend = s->backend;
    options.queue_entries = s->queue_entries;
    /* The default ends a run after 250 ms of a full queue and no commit: right for an engine that
     * must not trade on unrecorded, wrong for a demonstration on a laptop's busy disk. */
    options.halt_after_ns = UINT64_C(15000000000);

    status = es_open_run(s->directory, ES_NTS, &manifest, &options, &s->run, &err);
    if (status != ES_OK) {
        return complain("es_open_run", status, &err);
    }
    status = es_get_run_path(s->run, s->run_path, sizeof s->run_path, &needed, &err);
    if (status != ES_OK) {
        return complain("es_get_run_path", status, &err);
    }
    return 0;
}

/* Between two steps the engine is at rest: its positions are exactly those after `last_seq`. */
static int record_anchor(session *s) {
    es_error err;
    es_status status;
    const positions *held = trading_day_positions(s->day);
    s->anchor_seq = s->captured.last_seq;
    snprintf(s->snapshot_path, sizeof s->snapshot_path, "%s/positions-%" PRIu64 ".txt",
             s->directory, s->anchor_seq);
    positions_hash(held, s->snapshot_hash);
    if (positions_save(held, s->snapshot_path) != 0) {
        perror(s->snapshot_path);
        return -1;
    }
    status = es_record_anchor(s->run, s->anchor_seq, s->snapshot_path, ES_NTS, s->snapshot_hash,
                              ES_NTS, ES_FOREVER, &err);
    return status == ES_OK ? 0 : complain("es_record_anchor", status, &err);
}

static int trade(session *s) {
    uint64_t next_checkpoint_ns = trading_day_open_ns() + checkpoint_every_ns;
    uint64_t began_ns = now_ns();
    int more = 1;
    while (more > 0) {
        more = trading_day_step(s->day);
        if (more < 0) {
            return -1; /* the reason is on stderr */
        }
        if (trading_day_clock_ns(s->day) >= next_checkpoint_ns) {
            /* What the outside must never see undone waits here: reports to clients, margin. */
            next_checkpoint_ns += checkpoint_every_ns;
            if (capture_wait_durable(&s->captured) != 0) {
                return -1;
            }
        }
        if (s->anchor_seq == 0 && trading_day_message_count(s->day) >= s->events / 2 &&
            record_anchor(s) != 0) {
            return -1;
        }
    }
    if (capture_wait_durable(&s->captured) != 0) {
        return -1;
    }
    s->capture_ns = now_ns() - began_ns;
    return 0;
}

static int close_run(session *s) {
    es_close_options options = ES_CLOSE_OPTIONS_INIT;
    es_close_result closed = ES_CLOSE_RESULT_INIT;
    es_error err;
    es_status status = es_get_run_stats(s->run, &s->stats, sizeof s->stats, &err);
    if (status != ES_OK) {
        return complain("es_get_run_stats", status, &err);
    }
    options.timeout_ns = ES_FOREVER;
    options.end_ts_init = trading_day_clock_ns(s->day);
    status = es_close_run(s->run, &options, &closed, &err);
    if (status != ES_OK) {
        return complain("es_close_run", status, &err);
    }
    if (!closed.sealed || closed.status != ES_RUN_ENDED) {
        /* A halted run closes too, but stays as it is for recovery. */
        return complain("the run was not sealed", closed.halt_status, NULL);
    }
    s->closed = closed;
    return 0;
}

/* What a run takes on the disk: its file, or the files of its directory. */
static int measure_run(const char *path, uint64_t *bytes) {
    char inside[sizeof ((session *)0)->run_path + 256];
    struct stat file;
    struct dirent *item;
    DIR *directory;
    if (stat(path, &file) != 0) {
        perror(path);
        return -1;
    }
    if (!S_ISDIR(file.st_mode)) {
        *bytes = (uint64_t)file.st_size;
        return 0;
    }
    directory = opendir(path);
    if (directory == NULL) {
        perror(path);
        return -1;
    }
    *bytes = 0;
    while ((item = readdir(directory)) != NULL) {
        snprintf(inside, sizeof inside, "%s/%s", path, item->d_name);
        if (stat(inside, &file) == 0 && S_ISREG(file.st_mode)) {
            *bytes += (uint64_t)file.st_size;
        }
    }
    closedir(directory);
    return 0;
}

/* A run is opened as any other program would; a memory run lives on in its handle. */
static int reopen(session *s) {
    es_error err;
    es_status status;
    if (s->backend == ES_BACKEND_MEMORY) {
        status = es_open_reader(s->run, &s->reader, &err);
        return status == ES_OK ? 0 : complain("es_open_reader", status, &err);
    }
    es_free_run(s->run);
    s->run = NULL;
    if (measure_run(s->run_path, &s->file_bytes) != 0) {
        return -1;
    }
    status = es_open_sealed_run(s->run_path, ES_NTS, NULL, &s->reader, &err);
    return status == ES_OK ? 0 : complain("es_open_sealed_run", status, &err);
}

static int check_anchor(session *s) {
    es_anchor anchor;
    char arena[PATH_BYTES + 256];
    size_t needed = 0;
    es_error err;
    es_status status =
        es_get_anchor(s->reader, &anchor, sizeof anchor, arena, sizeof arena, &needed, &err);
    if (status != ES_OK) {
        return complain("es_get_anchor", status, &err);
    }
    if (anchor.high_watermark != s->anchor_seq || strcmp(anchor.blob_ref.data, s->snapshot_path) ||
        strcmp(anchor.content_hash.data, s->snapshot_hash)) {
        fprintf(stderr, "the anchor is not the one that was recorded\n");
        return -1;
    }
    return 0;
}

static int check_digest(session *s) {
    uint8_t digest[32];
    uint32_t keyed = 1;
    es_error err;
    es_status status = es_get_digest(s->reader, digest, sizeof digest, &keyed, &err);
    if (status != ES_OK) {
        return complain("es_get_digest", status, &err);
    }
    if (keyed || !s->closed.digest_present || memcmp(digest, s->closed.digest, 32) != 0) {
        fprintf(stderr, "the digest is not the one that close gave\n");
        return -1;
    }
    return 0;
}

static int check(session *s) {
    es_error err;
    es_status status = es_get_high_watermark(s->reader, &s->high_watermark, &err);
    if (status != ES_OK) {
        return complain("es_get_high_watermark", status, &err);
    }
    if (s->high_watermark != s->captured.last_seq + 1 ||
        s->closed.high_watermark != s->high_watermark) {
        fprintf(stderr, "high watermark %" PRIu64 ", captured %" PRIu64 " and RunEnded\n",
                s->high_watermark, s->captured.last_seq);
        return -1;
    }
    if (check_scan(s->reader, &s->captured, ES_FORWARD, &s->forward) != 0 ||
        check_scan(s->reader, &s->captured, ES_BACKWARD, &s->backward) != 0 ||
        check_index(s->reader, &s->captured, ES_INDEX_CLIENT_ORDER_ID, &s->client_ids) != 0 ||
        check_index(s->reader, &s->captured, ES_INDEX_VENUE_ORDER_ID, &s->venue_ids) != 0) {
        return -1;
    }
    return check_anchor(s) != 0 || check_digest(s) != 0 ? -1 : 0;
}

int main(int argc, char **argv) {
    const char *directory = NULL;
    int exit_code = 1;
    session *s = (session *)calloc(1, sizeof *s);
    if (s == NULL) {
        return 1;
    }
    if (parse_arguments(argc, argv, s, &directory) != 0) {
        exit_code = 2;
        goto done;
    }
    s->day = trading_day_new(s->seed, s->events, capture_message, &s->captured);
    if (s->day == NULL) {
        complain("session", ES_ERR_OUT_OF_MEMORY, NULL);
        goto done;
    }
    if (choose_directory(s, directory) != 0 || open_run(s) != 0) {
        goto done;
    }
    s->captured.run = s->run;
    if (trade(s) != 0 || close_run(s) != 0 || reopen(s) != 0 || check(s) != 0) {
        goto done;
    }
    if (session_report(s) == 0) {
        exit_code = 0;
    }
done:
    es_free_reader(s->reader);
    es_free_run(s->run);
    trading_day_free(s->day);
    capture_free(&s->captured);
    free(s);
    return exit_code;
}
