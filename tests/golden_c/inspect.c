/* Prints what the C interface says of a run, one fact a line, for a test to compare.
 *
 * usage: inspect verify PATH | inspect dump PATH | inspect recover BASE INSTANCE |
 *        inspect seal BASE INSTANCE RUN */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eventstore.h"

#define ARENA_BYTES 65536

static es_error err;
static char arena[ARENA_BYTES];

static int refused(const char *what, es_status status) {
    printf("%s %s %" PRIu64 " %s\n", what, es_status_name(status), err.seq, err.message);
    return 1;
}

static void hex(const char *bytes, size_t len) {
    size_t at;
    if (len == 0) printf("-");
    for (at = 0; at < len; at++) printf("%02x", (unsigned char)bytes[at]);
}

static int findings(es_report *report) {
    es_page_result page = ES_PAGE_RESULT_INIT;
    es_finding finding;
    uint64_t from = 0;
    do {
        es_status status =
            es_read_findings(report, from, &finding, sizeof finding, 1, arena, sizeof arena, &page, &err);
        if (status != ES_OK) return refused("findings", status);
        if (page.rows == 1) {
            printf("finding %" PRIu32 " drift %" PRIu32 " index %" PRIu32 " seq %" PRIu64 " other %" PRIu64 " ",
                   finding.kind, finding.drift, finding.index_kind, finding.seq, finding.other_seq);
            hex(arena + finding.key_offset, finding.key_len);
            printf("\n");
        }
        from += page.rows;
    } while (page.more != 0);
    return 0;
}

static int verify(const char *path) {
    es_report *report = NULL;
    es_report_summary summary = ES_REPORT_SUMMARY_INIT;
    int code;
    es_status status = es_verify_run(path, ES_NTS, NULL, &report, &err);
    if (status != ES_OK) return refused("verify", status);
    status = es_get_report_summary(report, &summary, &err);
    if (status != ES_OK) return refused("summary", status);
    printf("%s %" PRIu64 " entries\n", (summary.flags & ES_REPORT_CLEAN) != 0 ? "clean" : "not clean", summary.entries);
    code = findings(report);
    es_free_report(report);
    return code;
}

static void print_entry(const es_entry *entry) {
    printf("entry %" PRIu64 " %" PRIu64 " %" PRIu64 " ", entry->seq, entry->ts_init, entry->ts_publish);
    hex(arena + entry->topic_offset, entry->topic_len);
    printf(" ");
    hex(arena + entry->payload_type_offset, entry->payload_type_len);
    printf(" ");
    hex(arena + entry->payload_offset, entry->payload_len);
    printf(" ");
    hex((const char *)entry->correlation_id, (entry->flags & ES_ENTRY_HAS_CORRELATION_ID) != 0 ? 16 : 0);
    printf(" ");
    hex((const char *)entry->causation_id, (entry->flags & ES_ENTRY_HAS_CAUSATION_ID) != 0 ? 16 : 0);
    printf(" ");
    hex((const char *)entry->entry_hash, 32);
    printf("\n");
}

/* Manifest, anchor and rows, until the first bad one. */
static int dump_reader(es_reader *reader) {
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    es_scan_result result = ES_SCAN_RESULT_INIT;
    es_manifest manifest = ES_MANIFEST_INIT;
    es_anchor anchor;
    es_entry entries[7];
    uint64_t row;
    es_status status = es_get_manifest(reader, &manifest, arena, sizeof arena, NULL, &err);
    if (status != ES_OK) return refused("manifest", status);
    printf("manifest %" PRIu32 " %" PRIu64 "\n", manifest.status, manifest.high_watermark);
    status = es_get_anchor(reader, &anchor, sizeof anchor, arena, sizeof arena, NULL, &err);
    if (status == ES_OK) {
        printf("anchor %" PRIu64 " %s\n", anchor.high_watermark, anchor.blob_ref.data);
    } else if (status != ES_ERR_NOT_FOUND) {
        return refused("anchor", status);
    }
    do {
        status = es_scan_range(reader, &request, entries, sizeof entries[0], 7, arena, sizeof arena, &result, &err);
        if (status != ES_OK) {
            refused("end", status);
            break;
        }
        for (row = 0; row < result.rows; row++) print_entry(&entries[row]);
        request.from = result.next_seq;
    } while (result.more != 0);
    return 0;
}

static int dump(const char *path) {
    es_reader *reader = NULL;
    int code;
    es_status status = es_open_sealed_run(path, ES_NTS, NULL, &reader, &err);
    if (status != ES_OK) return refused("open", status);
    code = dump_reader(reader);
    es_free_reader(reader);
    return code;
}

/* A run that was left: read as it is, sealed, and read again through the same reader. */
static int seal(const char *base, const char *instance, const char *run_id) {
    es_reader *reader = NULL;
    es_close_result sealed = ES_CLOSE_RESULT_INIT;
    int code;
    es_status status =
        es_open_crashed_run(base, ES_NTS, instance, ES_NTS, run_id, ES_NTS, NULL, &reader, &err);
    if (status != ES_OK) return refused("crashed", status);
    code = dump_reader(reader);
    status = es_seal_run(reader, ES_RUN_CRASHED_RECOVERED, &sealed, &err);
    if (status != ES_OK) return refused("seal", status);
    printf("sealed %" PRIu32 " %" PRIu32 " %" PRIu64 " digest %" PRIu32 "\n", sealed.sealed, sealed.status,
           sealed.high_watermark, sealed.digest_present);
    if (code == 0) code = dump_reader(reader);
    es_free_reader(reader);
    return code;
}

static int recover(const char *base, const char *instance) {
    es_report *report = NULL;
    es_report_summary summary = ES_REPORT_SUMMARY_INIT;
    es_page_result page = ES_PAGE_RESULT_INIT;
    es_run_row row;
    uint64_t from = 0;
    es_status status = es_recover(base, ES_NTS, instance, ES_NTS, NULL, &report, &err);
    if (status != ES_OK) return refused("recover", status);
    do {
        status = es_read_run_rows(report, from, &row, sizeof row, 1, arena, sizeof arena, &page, &err);
        if (status != ES_OK) return refused("rows", status);
        if (page.rows == 1) printf("%s %" PRIu32 " %" PRIu32 "\n", arena + row.run_id_offset, row.outcome, row.status);
        from += page.rows;
    } while (page.more != 0);
    status = es_get_report_summary(report, &summary, &err);
    if (status != ES_OK) return refused("summary", status);
    printf("parent %s\n", summary.parent_run_id);
    es_free_report(report);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "verify") == 0) return verify(argv[2]);
    if (argc == 3 && strcmp(argv[1], "dump") == 0) return dump(argv[2]);
    if (argc == 4 && strcmp(argv[1], "recover") == 0) return recover(argv[2], argv[3]);
    if (argc == 5 && strcmp(argv[1], "seal") == 0) return seal(argv[2], argv[3], argv[4]);
    fprintf(stderr, "usage: inspect verify PATH | dump PATH | recover BASE INSTANCE | seal BASE INSTANCE RUN\n");
    return 2;
}
