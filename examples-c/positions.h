/* What the engine's cache knows of its positions: quantity and cash by strategy and instrument.
 *
 * It follows from the Position* messages alone, so a snapshot taken at seq N and the messages after
 * N give the state at the end: session.c records such a snapshot as an anchor, replay.c restores. */
#ifndef EXAMPLE_POSITIONS_H
#define EXAMPLE_POSITIONS_H

#include <stdio.h>

#include "message.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CONTENT_HASH_BYTES_MAX = 32 };

typedef struct position {
    int64_t quantity; /* negative = short */
    int64_t cash;     /* ticks times quantity, received minus paid */
} position;

typedef struct positions {
    position held[STRATEGY_COUNT][INSTRUMENT_COUNT];
} positions;

/* Takes over what a Position* message says; every other message leaves the positions alone. */
void positions_apply(positions *p, const message *m);

/* "fnv1a64:" and 16 hex digits: enough to see that a snapshot is the one that was anchored. Use a
 * cryptographic hash where somebody could want to forge one. */
void positions_hash(const positions *p, char hash[CONTENT_HASH_BYTES_MAX]);

/* One line of text a position. 0, or -1 with errno set. */
int positions_save(const positions *p, const char *path);
int positions_load(positions *p, const char *path);

void positions_print(const positions *p, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
