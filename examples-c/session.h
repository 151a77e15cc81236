/* One run of the demonstration: what was asked for, what is open, what was found out.
 * session.c leads it through its life, report.c tells a person about it. */
#ifndef EXAMPLE_SESSION_H
#define EXAMPLE_SESSION_H

#include "capture.h"
#include "check.h"
#include "eventstore.h"
#include "positions.h"
#include "trading_day.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PATH_BYTES = 4096 };

typedef struct session {
    /* asked for */
    uint64_t events;
    uint64_t seed;
    uint64_t queue_entries; /* 0 = the store's default */
    uint32_t backend;
    char directory[PATH_BYTES];
    /* made */
    es_run *run;
    es_reader *reader;
    trading_day *day;
    capture captured;
    /* found out */
    uint64_t capture_ns;
    uint64_t anchor_seq;
    uint64_t file_bytes;
    uint64_t high_watermark;
    es_close_result closed;
    es_run_stats stats;
    scan_check forward;
    scan_check backward;
    index_check client_ids;
    index_check venue_ids;
    char run_path[PATH_BYTES];
    char snapshot_path[PATH_BYTES + 64];
    char snapshot_hash[CONTENT_HASH_BYTES_MAX];
} session;

/* Prints the report. 0 when everything came back as it was captured, else -1. */
int session_report(session *s);

#ifdef __cplusplus
}
#endif

#endif
