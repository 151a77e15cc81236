#include "message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[MESSAGE_TYPE_COUNT] = {
    "SubmitOrder",         "ReplaceOrder",         "CancelOrder",    "OrderSubmitted",
    "OrderAccepted",       "OrderRejected",        "OrderFilled",    "OrderCanceled",
    "OrderReplaced",       "OrderCancelRejected",  "OrderReplaceRejected",
    "PositionOpened",      "PositionChanged",      "PositionClosed",
};
static const char *const strategy_names[STRATEGY_COUNT] = {"MAKER-1", "MAKER-2", "TREND", "REVERT"};
static const char *const instrument_names[INSTRUMENT_COUNT] = {"ALFA", "BRAVO", "CARGO", "DELTA"};
static const char *const reason_names[] = {"",
                                           "price outside limits",
                                           "quantity outside limits",
                                           "no liquidity",
                                           "requested",
                                           "too late"};

const char *message_type_name(unsigned type) {
    return type < MESSAGE_TYPE_COUNT ? type_names[type] : "?";
}

int message_type_of(const char *name, size_t name_len) {
    int type;
    for (type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        if (strlen(type_names[type]) == name_len && memcmp(type_names[type], name, name_len) == 0) {
            return type;
        }
    }
    return -1;
}

const char *strategy_name(unsigned strategy) {
    return strategy < STRATEGY_COUNT ? strategy_names[strategy] : "?";
}

const char *instrument_name(unsigned instrument) {
    return instrument < INSTRUMENT_COUNT ? instrument_names[instrument] : "?";
}

const char *side_name(unsigned side) {
    return side == 1 ? "buy" : side == 2 ? "sell" : "";
}

const char *reason_name(unsigned reason) {
    return reason < sizeof reason_names / sizeof reason_names[0] ? reason_names[reason] : "?";
}

static void put(uint8_t *at, unsigned bytes, uint64_t value) {
    unsigned i;
    for (i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8 * i) & 0xff);
    }
}

static uint64_t get(const uint8_t *at, unsigned bytes) {
    uint64_t value = 0;
    unsigned i;
    for (i = 0; i < bytes; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

void message_encode(const message *m, uint8_t payload[PAYLOAD_BYTES]) {
    memcpy(payload, m->id, 16);
    put(payload + 16, 8, m->client_order);
    put(payload + 24, 8, m->venue_order);
    put(payload + 32, 8, m->quantity);
    put(payload + 40, 8, m->left);
    put(payload + 48, 8, (uint64_t)m->position);
    put(payload + 56, 8, (uint64_t)m->cash);
    put(payload + 64, 4, m->price_ticks);
    put(payload + 68, 2, m->strategy);
    put(payload + 70, 2, m->instrument);
    payload[72] = m->side;
    payload[73] = m->order_type;
    payload[74] = m->reason;
    payload[75] = PAYLOAD_VERSION;
}

int message_decode(const void *payload, uint64_t payload_len, message *m) {
    const uint8_t *at = (const uint8_t *)payload;
    if (payload_len != PAYLOAD_BYTES || at[75] != PAYLOAD_VERSION) {
        return -1;
    }
    memcpy(m->id, at, 16);
    m->client_order = get(at + 16, 8);
    m->venue_order = get(at + 24, 8);
    m->quantity = get(at + 32, 8);
    m->left = get(at + 40, 8);
    m->position = (int64_t)get(at + 48, 8);
    m->cash = (int64_t)get(at + 56, 8);
    m->price_ticks = (uint32_t)get(at + 64, 4);
    m->strategy = (uint16_t)get(at + 68, 2);
    m->instrument = (uint16_t)get(at + 70, 2);
    m->side = at[72];
    m->order_type = at[73];
    m->reason = at[74];
    return 0;
}

size_t message_topic(const message *m, char topic[TOPIC_BYTES_MAX]) {
    const char *family = m->type <= MESSAGE_CANCEL_ORDER       ? "commands"
                         : m->type >= MESSAGE_POSITION_OPENED ? "positions"
                                                               : "orders";
    int length = snprintf(topic, TOPIC_BYTES_MAX, "%s.SIM.%s", family, instrument_name(m->instrument));
    return (size_t)length;
}

size_t client_order_id(uint16_t strategy, uint64_t number, char id[ORDER_ID_BYTES_MAX]) {
    int length = snprintf(id, ORDER_ID_BYTES_MAX, "%s-%06" PRIu64, strategy_name(strategy), number);
    return (size_t)length;
}

size_t venue_order_id(uint64_t number, char id[ORDER_ID_BYTES_MAX]) {
    int length = snprintf(id, ORDER_ID_BYTES_MAX, "SIM%08" PRIu64, number);
    return (size_t)length;
}
