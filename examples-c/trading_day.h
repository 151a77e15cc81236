/* A day's order flow: four strategies trade four instruments on the venue of matching.h.
 *
 * Promise: one seed and one size give the same messages, ids and times included, on every machine.
 * Each message is handed to the callback as it happens, cause before effect. Knows nothing of the
 * store; who captures the messages: session.c. */
#ifndef EXAMPLE_TRADING_DAY_H
#define EXAMPLE_TRADING_DAY_H

#include "message.h"
#include "positions.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trading_day trading_day;

/* 0 to go on; anything else ends the day, and trading_day_step returns -1. */
typedef int (*message_fn)(void *context, const message *m);

/* The day ends at the first moment that `messages_min` have been sent and every order is closed.
 * NULL when memory runs out. */
trading_day *trading_day_new(uint64_t seed, uint64_t messages_min, message_fn send, void *context);
void trading_day_free(trading_day *day);

/* One decision of one strategy, and all that follows from it. 1: more to come, 0: the day is over,
 * -1: memory ran out or the callback refused a message. */
int trading_day_step(trading_day *day);

uint64_t trading_day_open_ns(void);              /* when the day starts; ns since the Unix epoch */
uint64_t trading_day_clock_ns(const trading_day *day);
uint64_t trading_day_message_count(const trading_day *day);
const positions *trading_day_positions(const trading_day *day);

/* An order worth following: amended more than once, most fills, at most `messages_max` messages.
 * 0 = none. */
uint64_t trading_day_eventful_order(const trading_day *day, uint64_t messages_max);
uint16_t trading_day_strategy_of(const trading_day *day, uint64_t client_order);

#ifdef __cplusplus
}
#endif

#endif
