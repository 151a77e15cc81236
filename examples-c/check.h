/* Compares a run, as the store gives it back, with what the session remembers having captured. */
#ifndef EXAMPLE_CHECK_H
#define EXAMPLE_CHECK_H

#include "capture.h"
#include "eventstore.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct scan_check {
    uint64_t equal;     /* events that came back byte for byte */
    uint64_t different; /* and those that did not, or not in their place */
    uint64_t took_ns;
} scan_check;

typedef struct index_check {
    uint64_t ids;    /* that were captured */
    uint64_t found;  /* looked up, answered with the first event that carries them */
    uint64_t listed; /* by iterating over the index */
    uint64_t took_ns;
} index_check;

/* All return 0 when the calls succeeded, whatever was found, or -1 with the reason on stderr. */

/* Scans everything in `direction`. The run must hold what was captured, in order, and then the
 * RunEnded entry of the store itself. Each difference is named on stderr, the first few of them. */
int check_scan(es_reader *reader, const capture *c, uint32_t direction, scan_check *out);

int check_index(es_reader *reader, const capture *c, uint32_t kind, index_check *out);

#ifdef __cplusplus
}
#endif

#endif
