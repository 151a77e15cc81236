/* What the session remembers of each event that it handed to the store.
 *
 * Promise: every captured byte is kept, in memory, so a comparison with what the store gives back
 * is exact: no hash stands in for a field. About 250 bytes an event. Only a demonstration or a test
 * needs such a thing: an engine trusts the store, which checks a BLAKE3 hash on every read. */
#ifndef EXAMPLE_JOURNAL_H
#define EXAMPLE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "eventstore.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct journal {
    uint8_t *bytes;
    size_t used;
    size_t cap;
    size_t *starts; /* [i]: where the event of sequence i + 1 begins */
    uint64_t count;
    uint64_t start_cap;
} journal;

/* `j` zeroed is an empty journal. */
void journal_free(journal *j);

/* The draft's lengths are numbers, not ES_NTS. 0; -1 when memory runs out, or when `seq` is not the
 * one after the last. */
int journal_append(journal *j, uint64_t seq, const es_draft *draft);

/* NULL when `entry`, whose variable parts lie in `arena`, is what was handed in; otherwise the name
 * of the first part that differs. */
const char *journal_difference(const journal *j, const es_entry *entry, const uint8_t *arena);

#ifdef __cplusplus
}
#endif

#endif
