/* What an engine does when it starts: recover what the last session left, list the runs, choose
 * the one to go on from, verify it, restore its state, and open a run of its own.
 *
 *     boot DIRECTORY [--crash]
 *
 * The "engine" trades one lot at a time and keeps one number, its position. Half way through a
 * session it takes a snapshot of it, a file beside the runs, and anchors that in the run. With
 * --crash it then dies in the middle of its session, without a word to the store. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eventstore.h"

#define INSTANCE "TRADER-1"
#define FILLS 10

static es_error err;

static int failed(const char *what, es_status status) {
    fprintf(stderr, "%s: %s: %s\n", what, es_status_name(status), err.message);
    return 1;
}

/* Seals what the last session left. The instance that was never written has nothing to seal. */
static int recover(const char *base) {
    es_report *report = NULL;
    es_report_summary summary = ES_REPORT_SUMMARY_INIT;
    es_page_result page = ES_PAGE_RESULT_INIT;
    es_run_row row;
    char arena[16384];
    uint64_t from = 0;
    es_status status = es_recover(base, ES_NTS, INSTANCE, ES_NTS, NULL, &report, &err);
    if (status == ES_ERR_NOT_FOUND) {
        printf("recover: first start, nothing to recover\n");
        return 0;
    }
    if (status != ES_OK) {
        return failed("recover", status);
    }
    status = es_get_report_summary(report, &summary, &err);
    while (status == ES_OK && from < summary.rows) {
        status = es_read_run_rows(report, from, &row, sizeof row, 1, arena, sizeof arena, &page, &err);
        if (status == ES_OK) {
            printf("recover: %s, outcome %" PRIu32 ", status %" PRIu32 "%s%s\n", arena + row.run_id_offset,
                   row.outcome, row.status, row.reason_len > 0 ? ": " : "", arena + row.reason_offset);
            from += page.rows;
        }
    }
    if (status == ES_OK && summary.rows == 0) {
        printf("recover: every run was closed in order\n");
    }
    es_free_report(report);
    return status == ES_OK ? 0 : failed("recover", status);
}

/* The newest sealed run that is not quarantined is the parent of the next; counts the runs too. */
static int choose_parent(const char *base, char run_id[136], char path[4096], uint64_t *runs) {
    es_report *report = NULL;
    es_page_result page = ES_PAGE_RESULT_INIT;
    es_run_row rows[16];
    char arena[65536];
    uint64_t at;
    es_status status = es_list_runs(base, ES_NTS, INSTANCE, ES_NTS, &report, &err);
    run_id[0] = '\0';
    *runs = 0;
    if (status == ES_ERR_NOT_FOUND) {
        return 0;
    }
    do {
        if (status == ES_OK) {
            status = es_read_run_rows(report, *runs, rows, sizeof rows[0], 16, arena, sizeof arena, &page, &err);
        }
        if (status != ES_OK) {
            es_free_report(report);
            return failed("list", status);
        }
        for (at = 0; at < page.rows; at++) {
            const es_run_row *row = &rows[at];
            int sealed = (row->flags & ES_ROW_HAS_MANIFEST) != 0 &&
                         (row->status == ES_RUN_ENDED || row->status == ES_RUN_CRASHED_RECOVERED);
            if (sealed && row->run_id_len < 136 && row->path_len < 4096) {
                memcpy(run_id, arena + row->run_id_offset, row->run_id_len + (size_t)1);
                memcpy(path, arena + row->path_offset, row->path_len + (size_t)1);
            }
        }
        *runs += page.rows;
    } while (page.more != 0);
    es_free_report(report);
    return 0;
}

/* A run that is not as it was written is no state to trade on. */
static int verify(const char *path) {
    es_report *report = NULL;
    es_report_summary summary = ES_REPORT_SUMMARY_INIT;
    es_status status = es_verify_run(path, ES_NTS, NULL, &report, &err);
    if (status == ES_OK) {
        status = es_get_report_summary(report, &summary, &err);
    }
    es_free_report(report);
    if (status != ES_OK) {
        return failed("verify", status);
    }
    if ((summary.flags & ES_REPORT_CLEAN) == 0) {
        fprintf(stderr, "verify: %s has %" PRIu64 " findings: salvage it\n", summary.run_id, summary.findings);
        return 1;
    }
    printf("verify: %s is clean, %" PRIu64 " entries\n", summary.run_id, summary.entries);
    return 0;
}

static int read_snapshot(const char *name, long *position) {
    FILE *file = fopen(name, "r");
    int read = file != NULL && fscanf(file, "%ld", position) == 1;
    if (file != NULL) {
        fclose(file);
    }
    if (!read) {
        fprintf(stderr, "restore: the snapshot %s cannot be read\n", name);
    }
    return read ? 0 : 1;
}

/* The snapshot that the anchor names, and the fills that came after it. */
static int restore(const char *path, long *position) {
    es_reader *reader = NULL;
    es_restore_plan plan = ES_RESTORE_PLAN_INIT;
    es_anchor anchor;
    es_entry entry;
    char arena[4096];
    uint64_t seq;
    int code = 0;
    es_status status = es_open_sealed_run(path, ES_NTS, NULL, &reader, &err);
    if (status == ES_OK) {
        status = es_get_restore_plan(reader, &plan, &err);
    }
    *position = 0;
    if (status == ES_OK && plan.has_anchor) {
        status = es_get_anchor(reader, &anchor, sizeof anchor, arena, sizeof arena, NULL, &err);
        if (status == ES_OK) {
            code = read_snapshot(anchor.blob_ref.data, position);
        }
    }
    for (seq = plan.replay_from; status == ES_OK && code == 0 && seq <= plan.replay_to; seq++) {
        status = es_get_entry(reader, seq, &entry, sizeof entry, arena, sizeof arena, NULL, &err);
        if (status == ES_OK && strcmp(arena + entry.payload_type_offset, "Fill") == 0) {
            *position += strtol(arena + entry.payload_offset, NULL, 10);
        }
    }
    es_free_reader(reader);
    if (status != ES_OK) {
        return failed("restore", status);
    }
    if (code == 0) {
        printf("restore: %s, replayed %" PRIu64 " to %" PRIu64 ", position %ld\n",
               plan.has_anchor ? "from the snapshot" : "from nothing", plan.replay_from, plan.replay_to, *position);
    }
    return code;
}

/* Writes the snapshot first and anchors it then: an anchor must never name what is not there. */
static int take_snapshot(es_run *run, const char *base, const char *run_id, uint64_t seq, long position) {
    char name[4300];
    FILE *file;
    int written;
    es_status status;
    snprintf(name, sizeof name, "%s/%s-%" PRIu64 ".snapshot", base, run_id, seq);
    file = fopen(name, "w");
    written = file != NULL && fprintf(file, "%ld\n", position) > 0;
    if (file != NULL && fclose(file) != 0) { /* a real engine flushes file and directory as well */
        written = 0;
    }
    if (!written) {
        fprintf(stderr, "snapshot: %s cannot be written\n", name);
        return 1;
    }
    status = es_record_anchor(run, seq, name, ES_NTS, "none", ES_NTS, ES_FOREVER, &err);
    return status == ES_OK ? 0 : failed("anchor", status);
}

/* A session: ten fills of one lot, a snapshot after the fifth. */
static int trade(es_run *run, const char *base, const char *run_id, long position, int crash) {
    es_close_result closed = ES_CLOSE_RESULT_INIT;
    uint64_t seq = 0;
    es_status status;
    int fill;
    for (fill = 1; fill <= FILLS; fill++) {
        es_draft draft = ES_DRAFT_INIT;
        draft.topic = "fills";
        draft.topic_len = ES_NTS;
        draft.payload_type = "Fill";
        draft.payload_type_len = ES_NTS;
        draft.payload = "1"; /* the NUL goes along, so that strtol ends */
        draft.payload_len = 2;
        draft.ts_init = (uint64_t)fill;
        status = es_submit(run, &draft, sizeof draft, NULL, &seq, &err);
        if (status == ES_OK) {
            status = es_wait_durable(run, seq, ES_FOREVER, &err);
        }
        if (status != ES_OK) {
            return failed("trade", status);
        }
        position += 1;
        if (fill == FILLS / 2 && take_snapshot(run, base, run_id, seq, position) != 0) {
            return 1;
        }
        if (crash && fill == FILLS - 2) {
            printf("trade: position %ld, and the engine dies\n", position);
            fflush(stdout);
            abort();
        }
    }
    status = es_close_run(run, NULL, &closed, &err);
    if (status != ES_OK) {
        return failed("close", status);
    }
    if (!closed.sealed) { /* it had halted: the next start recovers it */
        return failed("close", closed.halt_status);
    }
    printf("trade: position %ld, sealed with %" PRIu64 " entries\n", position, closed.high_watermark);
    return 0;
}

int main(int argc, char **argv) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    es_run *run = NULL;
    char parent[136], path[4096], run_id[32];
    uint64_t runs = 0;
    long position = 0;
    int crash = argc > 2 && strcmp(argv[2], "--crash") == 0;
    int code;
    es_status status;
    if (argc < 2) {
        fprintf(stderr, "usage: boot DIRECTORY [--crash]\n");
        return 2;
    }
    if (recover(argv[1]) != 0 || choose_parent(argv[1], parent, path, &runs) != 0) {
        return 1;
    }
    if (parent[0] != '\0') {
        if (verify(path) != 0 || restore(path, &position) != 0) {
            return 1;
        }
        manifest.parent_run_id.data = parent;
        manifest.parent_run_id.len = ES_NTS;
    }
    snprintf(run_id, sizeof run_id, "session-%" PRIu64, runs + 1); /* a real one: the time and chance */
    manifest.run_id.data = run_id;
    manifest.run_id.len = ES_NTS;
    manifest.instance_id.data = INSTANCE;
    manifest.instance_id.len = ES_NTS;
    manifest.start_ts_init = runs + 1;
    options.halt_after_ns = UINT64_C(10000000000);
    status = es_open_run(argv[1], ES_NTS, &manifest, &options, &run, &err);
    if (status != ES_OK) {
        return failed("open", status);
    }
    printf("open: %s, parent %s\n", run_id, parent[0] != '\0' ? parent : "none");
    code = trade(run, argv[1], run_id, position, crash);
    es_free_run(run);
    return code;
}
