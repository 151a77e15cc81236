/* A price-time priority matching engine: one venue, several instruments.
 *
 * Promise: the same requests in the same order give the same reports, on every machine. It has no
 * clock, no randomness, no floating point and no idea that anybody records what it says: each thing
 * that happens is told once, through a callback, in the order in which it happens.
 * Who sends the orders: trading_day.h. Who captures the reports: session.c. */
#ifndef EXAMPLE_MATCHING_H
#define EXAMPLE_MATCHING_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Prices are whole ticks, 1 to VENUE_PRICE_TICKS_MAX; a limit outside is rejected. */
enum { VENUE_PRICE_TICKS_MAX = 4096, VENUE_QUANTITY_MAX = 10000 };

enum { SIDE_BUY = 1, SIDE_SELL = 2 };
enum { ORDER_LIMIT = 1, ORDER_MARKET = 2 };

enum report_kind {
    REPORT_ACCEPTED = 1,
    REPORT_REJECTED,
    REPORT_FILLED,
    REPORT_CANCELED,
    REPORT_REPLACED,
    REPORT_CANCEL_REJECTED,
    REPORT_REPLACE_REJECTED
};

enum report_reason {
    REASON_NONE = 0,
    REASON_PRICE_OUTSIDE_LIMITS,
    REASON_QUANTITY_OUTSIDE_LIMITS,
    REASON_NO_LIQUIDITY,
    REASON_REQUESTED,
    REASON_TOO_LATE
};

/* What happened to one order. `quantity` is the fill's for REPORT_FILLED, else the order's. */
typedef struct venue_report {
    uint64_t client_order; /* the number that the request came with */
    uint64_t venue_order;  /* 0 for a rejected order: the venue gave it no number */
    uint64_t quantity;
    uint64_t left;         /* quantity still open after this report */
    uint32_t price_ticks;  /* the fill's for REPORT_FILLED, else the order's; 0 for a market order */
    uint16_t instrument;
    uint8_t side;
    uint8_t order_type;
    uint8_t kind;          /* enum report_kind */
    uint8_t reason;        /* enum report_reason */
    uint8_t aggressor;     /* 1: this order's own request made it happen; 0: somebody else's did */
} venue_report;

/* 0 to go on; anything else stops the request, which then returns it. */
typedef int (*venue_report_fn)(void *context, const venue_report *report);

typedef struct order_request {
    uint64_t client_order; /* the caller's own numbering: 1, 2, 3, ... without holes */
    uint64_t quantity;
    uint32_t price_ticks;  /* ignored for a market order */
    uint16_t instrument;
    uint8_t side;
    uint8_t order_type;
} order_request;

typedef struct venue venue;

/* NULL when memory runs out. */
venue *venue_new(uint16_t instrument_count, venue_report_fn report, void *context);
void venue_free(venue *v);

/* Each returns 0, the callback's refusal, or -1 when memory ran out. Cancel and replace take only
 * numbers that were submitted before. */
int venue_submit(venue *v, const order_request *request);
int venue_cancel(venue *v, uint64_t client_order);
/* `quantity` counts what is filled already and must exceed it. The order keeps its place in the
 * queue when only its quantity shrinks; otherwise it goes to the end. */
int venue_replace(venue *v, uint64_t client_order, uint32_t price_ticks, uint64_t quantity);

/* 1 while some quantity of the order rests in the book. */
int venue_is_open(const venue *v, uint64_t client_order);

#ifdef __cplusplus
}
#endif

#endif
