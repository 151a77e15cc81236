/* The engine's side of the store: each message becomes a draft and is submitted as it happens.
 *
 * Promise: when capture_message returns 0 the message has its place (`last_seq`) in the run, and the
 * journal holds what was handed in. It is durable after capture_wait_durable, not before.
 * Who opens and closes the run: session.c. Who compares: check.h. */
#ifndef EXAMPLE_CAPTURE_H
#define EXAMPLE_CAPTURE_H

#include "eventstore.h"
#include "journal.h"
#include "message.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where an order's ids were seen first: what a lookup must answer. 0 = never. */
typedef struct order_seen {
    uint64_t client_seq;
    uint64_t venue_seq;
    uint64_t venue_order;
    uint64_t strategy;
} order_seen;

typedef struct capture {
    es_run *run;
    uint64_t last_seq;
    uint64_t by_type[MESSAGE_TYPE_COUNT];
    uint64_t queue_full_count; /* submits that found the queue full and had to wait */
    uint64_t waits;            /* for durability */
    uint64_t wait_ns;
    uint64_t wait_longest_ns;
    uint32_t *submit_ns;       /* how long each submit took */
    uint64_t submit_ns_cap;
    order_seen *orders;        /* by client order number; [0] is not used */
    uint64_t order_cap;
    uint64_t last_order;
    journal remembered;
} capture;

/* `c` zeroed, but for `run`, is ready. Frees what it keeps, not the run. */
void capture_free(capture *c);

/* Both tell stderr why they fail. capture_message is a message_fn: 0, or -1. */
int capture_message(void *context, const message *m);
int capture_wait_durable(capture *c);

/* Nanoseconds of a clock that only goes forward. */
uint64_t now_ns(void);

/* "doing: ES_ERR_NAME: what the store says" on stderr; always -1. */
int complain(const char *doing, es_status status, const es_error *err);

#ifdef __cplusplus
}
#endif

#endif
