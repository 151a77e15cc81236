/* One order's whole life, found in the store alone: the index on its client id gives the first
 * event, that event's correlation id the others, their causation ids what made each happen. */
#ifndef EXAMPLE_ORDER_LIFE_H
#define EXAMPLE_ORDER_LIFE_H

#include <stdio.h>

#include "eventstore.h"
#include "message.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LIFE_EVENTS_MAX = 32 };

typedef struct life_event {
    uint64_t seq;
    uint64_t cause_seq; /* 0: a strategy's decision, nothing caused it */
    message what;
    message cause;
} life_event;

typedef struct order_life {
    life_event events[LIFE_EVENTS_MAX];
    uint32_t count;
    uint32_t reserved;
} order_life;

/* Finds at most LIFE_EVENTS_MAX events. Returns what the store answered when it failed, with `err`
 * filled; ES_ERR_NOT_FOUND without a message when the id leads to no order. */
es_status order_life_find(es_reader *reader, const char *client_id, order_life *life,
                          es_error *err);

/* A table, times in UTC; a cause of another order is named with it. */
void order_life_print(const order_life *life, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
