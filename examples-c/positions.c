#define _POSIX_C_SOURCE 200809L /* fsync, fileno */

#include "positions.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

void positions_apply(positions *p, const message *m) {
    if (m->type < MESSAGE_POSITION_OPENED || m->type > MESSAGE_POSITION_CLOSED) {
        return;
    }
    if (m->strategy < STRATEGY_COUNT && m->instrument < INSTRUMENT_COUNT) {
        p->held[m->strategy][m->instrument].quantity = m->position;
        p->held[m->strategy][m->instrument].cash = m->cash;
    }
}

static uint64_t hash_number(uint64_t hash, int64_t number) {
    unsigned i;
    for (i = 0; i < 8; i++) {
        hash ^= (uint64_t)number >> (8 * i) & 0xff;
        hash *= 1099511628211u;
    }
    return hash;
}

void positions_hash(const positions *p, char hash[CONTENT_HASH_BYTES_MAX]) {
    uint64_t value = 14695981039346656037u;
    unsigned s;
    unsigned i;
    for (s = 0; s < STRATEGY_COUNT; s++) {
        for (i = 0; i < INSTRUMENT_COUNT; i++) {
            value = hash_number(value, p->held[s][i].quantity);
            value = hash_number(value, p->held[s][i].cash);
        }
    }
    snprintf(hash, CONTENT_HASH_BYTES_MAX, "fnv1a64:%016" PRIx64, value);
}

int positions_save(const positions *p, const char *path) {
    FILE *file = fopen(path, "w");
    unsigned s;
    unsigned i;
    int failed;
    if (file == NULL) {
        return -1;
    }
    for (s = 0; s < STRATEGY_COUNT; s++) {
        for (i = 0; i < INSTRUMENT_COUNT; i++) {
            fprintf(file, "%u %u %" PRId64 " %" PRId64 "\n", s, i, p->held[s][i].quantity,
                    p->held[s][i].cash);
        }
    }
    /* The snapshot must be on the disk before the anchor that names it. */
    failed = fflush(file) != 0 || fsync(fileno(file)) != 0;
    if (fclose(file) != 0 || failed) {
        return -1;
    }
    return 0;
}

int positions_load(positions *p, const char *path) {
    FILE *file = fopen(path, "r");
    unsigned row;
    if (file == NULL) {
        return -1;
    }
    memset(p, 0, sizeof *p);
    for (row = 0; row < STRATEGY_COUNT * INSTRUMENT_COUNT; row++) {
        unsigned s;
        unsigned i;
        position at;
        if (fscanf(file, "%u %u %" SCNd64 " %" SCNd64, &s, &i, &at.quantity, &at.cash) != 4 ||
            s >= STRATEGY_COUNT || i >= INSTRUMENT_COUNT) {
            fclose(file);
            errno = EINVAL;
            return -1;
        }
        p->held[s][i] = at;
    }
    fclose(file);
    return 0;
}

void positions_print(const positions *p, FILE *out) {
    unsigned s;
    unsigned i;
    fprintf(out, "  %-10s", "");
    for (i = 0; i < INSTRUMENT_COUNT; i++) {
        fprintf(out, " %10s", instrument_name(i));
    }
    fprintf(out, "\n");
    for (s = 0; s < STRATEGY_COUNT; s++) {
        fprintf(out, "  %-10s", strategy_name(s));
        for (i = 0; i < INSTRUMENT_COUNT; i++) {
            fprintf(out, " %10" PRId64, p->held[s][i].quantity);
        }
        fprintf(out, "\n");
    }
}
