/* One message of the trading engine, and the bytes it becomes in the store.
 *
 * The payload is PAYLOAD_BYTES long, integers little-endian, absent numbers 0:
 *
 *     0  16  the message's own id, a version 4 UUID; correlation and causation ids name such ids
 *    16   8  client order number
 *    24   8  venue order number
 *    32   8  quantity: ordered, or of the fill (OrderFilled)
 *    40   8  quantity of the order that is still open
 *    48   8  position after the message, negative = short (Position*)
 *    56   8  cash after the message, in ticks times quantity (Position*)
 *    64   4  price in ticks: the limit, or the fill's (OrderFilled)
 *    68   2  strategy
 *    70   2  instrument
 *    72   1  side: 1 buy, 2 sell
 *    73   1  order type: 1 limit, 2 market
 *    74   1  reason, enum report_reason of matching.h
 *    75   1  layout version, 1
 */
#ifndef EXAMPLE_MESSAGE_H
#define EXAMPLE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PAYLOAD_BYTES = 76, PAYLOAD_VERSION = 1, ORDER_ID_BYTES_MAX = 32, TOPIC_BYTES_MAX = 64 };

enum message_type {
    MESSAGE_SUBMIT_ORDER = 0,
    MESSAGE_REPLACE_ORDER,
    MESSAGE_CANCEL_ORDER,
    MESSAGE_ORDER_SUBMITTED,
    MESSAGE_ORDER_ACCEPTED,
    MESSAGE_ORDER_REJECTED,
    MESSAGE_ORDER_FILLED,
    MESSAGE_ORDER_CANCELED,
    MESSAGE_ORDER_REPLACED,
    MESSAGE_ORDER_CANCEL_REJECTED,
    MESSAGE_ORDER_REPLACE_REJECTED,
    MESSAGE_POSITION_OPENED,
    MESSAGE_POSITION_CHANGED,
    MESSAGE_POSITION_CLOSED,
    MESSAGE_TYPE_COUNT
};

enum { STRATEGY_COUNT = 4, INSTRUMENT_COUNT = 4 };

typedef struct message {
    uint64_t ts_ns;             /* the engine's clock, ns since the Unix epoch */
    uint64_t client_order;
    uint64_t venue_order;
    uint64_t quantity;
    uint64_t left;
    int64_t position;
    int64_t cash;
    uint32_t price_ticks;
    uint16_t strategy;
    uint16_t instrument;
    uint8_t side;
    uint8_t order_type;
    uint8_t reason;
    uint8_t type;               /* enum message_type */
    uint8_t has_causation;
    uint8_t id[16];
    uint8_t correlation_id[16]; /* the id of the SubmitOrder that began the order's life */
    uint8_t causation_id[16];   /* the id of the message that made this one happen */
} message;

const char *message_type_name(unsigned type);          /* "OrderFilled"; "?" for a foreign number */
int message_type_of(const char *name, size_t name_len); /* -1 for a foreign name */
const char *strategy_name(unsigned strategy);
const char *instrument_name(unsigned instrument);
const char *side_name(unsigned side);
const char *reason_name(unsigned reason);

void message_encode(const message *m, uint8_t payload[PAYLOAD_BYTES]);
/* Fills what the payload holds; 0, or -1 for another length or version. */
int message_decode(const void *payload, uint64_t payload_len, message *m);

/* "orders.SIM.ALFA"; NUL-terminated. All three return the length. */
size_t message_topic(const message *m, char topic[TOPIC_BYTES_MAX]);
size_t client_order_id(uint16_t strategy, uint64_t number, char id[ORDER_ID_BYTES_MAX]);
size_t venue_order_id(uint64_t number, char id[ORDER_ID_BYTES_MAX]);

#ifdef __cplusplus
}
#endif

#endif
