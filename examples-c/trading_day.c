#include "trading_day.h"

#include <stdlib.h>
#include <string.h>

#include "matching.h"

enum {
    WORKING_MAX = 24,      /* open orders a strategy keeps; it cancels the oldest beyond that */
    FAIR_TICKS_MIN = 500,
    FAIR_TICKS_MAX = 3500,
    MESSAGES_A_STEP = 4    /* about; sets the pace of the clock only */
};
static const uint64_t day_open_ns = 1740992400000000000u; /* 2025-03-03T09:00:00Z */
static const uint64_t day_length_ns = 8u * 3600u * UINT64_C(1000000000);

/* What the engine keeps of an order; found by its client number. */
typedef struct order_record {
    uint8_t correlation_id[16];
    uint8_t latest_id[16]; /* of its latest message */
    uint32_t message_count;
    uint32_t fill_count;
    uint32_t amend_count;
    uint16_t strategy;
    uint16_t instrument;
} order_record;

typedef struct working_list {
    uint64_t client_order[WORKING_MAX]; /* oldest first; some may have been closed meanwhile */
    unsigned count;
} working_list;

struct trading_day {
    venue *market;
    order_record *orders; /* [0] is not used */
    uint64_t order_cap;
    uint64_t last_order;
    uint64_t random_state;
    uint64_t clock_ns;
    uint64_t gap_ns; /* mean time between two decisions */
    uint64_t message_count;
    uint64_t messages_min;
    uint32_t fair_ticks[INSTRUMENT_COUNT];
    working_list working[STRATEGY_COUNT];
    positions held;
    uint8_t request_id[16]; /* the message that the venue acts on: the cause of what it reports */
    message_fn send;
    void *context;
};

/* splitmix64: one multiplication chain a number, the same on every machine. */
static uint64_t next_random(trading_day *day) {
    uint64_t z;
    day->random_state += 0x9e3779b97f4a7c15u;
    z = day->random_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t random_below(trading_day *day, uint64_t limit) {
    return next_random(day) % limit;
}

/* A version 4 UUID as RFC 9562 lays it out, from the day's own random numbers. */
static void next_uuid(trading_day *day, uint8_t id[16]) {
    uint64_t high = next_random(day);
    uint64_t low = next_random(day);
    unsigned i;
    for (i = 0; i < 8; i++) {
        id[i] = (uint8_t)(high >> (56 - 8 * i) & 0xff);
        id[8 + i] = (uint8_t)(low >> (56 - 8 * i) & 0xff);
    }
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
}

trading_day *trading_day_new(uint64_t seed, uint64_t messages_min, message_fn send, void *context) {
    trading_day *day = (trading_day *)calloc(1, sizeof *day);
    uint64_t steps;
    unsigned i;
    if (day == NULL) {
        return NULL;
    }
    day->random_state = seed;
    day->clock_ns = day_open_ns;
    day->messages_min = messages_min;
    steps = messages_min / MESSAGES_A_STEP + 1;
    day->gap_ns = day_length_ns / steps;
    day->send = send;
    day->context = context;
    for (i = 0; i < INSTRUMENT_COUNT; i++) {
        day->fair_ticks[i] = 1000 + 500 * i;
    }
    return day;
}

void trading_day_free(trading_day *day) {
    if (day != NULL) {
        venue_free(day->market);
        free(day->orders);
        free(day);
    }
}

/* Gives the message its ids and its time, and hands it on. `causation_id` NULL: it is a decision. */
static int send_message(trading_day *day, message *m, const uint8_t *causation_id) {
    order_record *record = &day->orders[m->client_order];
    day->clock_ns += 1000 + random_below(day, 20000);
    m->ts_ns = day->clock_ns;
    m->has_causation = causation_id != NULL;
    if (causation_id != NULL) { /* first: it may be the very id that is written below */
        memcpy(m->causation_id, causation_id, 16);
    }
    next_uuid(day, m->id);
    if (record->message_count == 0) {
        memcpy(record->correlation_id, m->id, 16);
    }
    memcpy(m->correlation_id, record->correlation_id, 16);
    memcpy(record->latest_id, m->id, 16);
    record->message_count += 1;
    day->message_count += 1;
    return day->send(day->context, m);
}

/* A fill moves the strategy's position; the fill is the cause. */
static int send_position(trading_day *day, const message *fill) {
    position *held = &day->held.held[fill->strategy][fill->instrument];
    int64_t signed_quantity = (int64_t)fill->quantity;
    int64_t before = held->quantity;
    message m;
    if (fill->side == SIDE_SELL) {
        signed_quantity = -signed_quantity;
    }
    held->quantity += signed_quantity;
    held->cash -= signed_quantity * (int64_t)fill->price_ticks;
    memset(&m, 0, sizeof m);
    m.type = (uint8_t)(before == 0           ? MESSAGE_POSITION_OPENED
                       : held->quantity == 0 ? MESSAGE_POSITION_CLOSED
                                             : MESSAGE_POSITION_CHANGED);
    m.client_order = fill->client_order;
    m.venue_order = fill->venue_order;
    m.strategy = fill->strategy;
    m.instrument = fill->instrument;
    m.position = held->quantity;
    m.cash = held->cash;
    return send_message(day, &m, fill->id);
}

static uint8_t type_of_report(uint8_t kind) {
    switch (kind) {
    case REPORT_ACCEPTED: return MESSAGE_ORDER_ACCEPTED;
    case REPORT_REJECTED: return MESSAGE_ORDER_REJECTED;
    case REPORT_FILLED: return MESSAGE_ORDER_FILLED;
    case REPORT_CANCELED: return MESSAGE_ORDER_CANCELED;
    case REPORT_REPLACED: return MESSAGE_ORDER_REPLACED;
    case REPORT_CANCEL_REJECTED: return MESSAGE_ORDER_CANCEL_REJECTED;
    default: return MESSAGE_ORDER_REPLACE_REJECTED;
    }
}

/* The venue speaks: turn its report into the engine's message. */
static int on_report(void *context, const venue_report *report) {
    trading_day *day = (trading_day *)context;
    message m;
    int stopped;
    memset(&m, 0, sizeof m);
    m.type = type_of_report(report->kind);
    m.client_order = report->client_order;
    m.venue_order = report->venue_order;
    m.quantity = report->quantity;
    m.left = report->left;
    m.price_ticks = report->price_ticks;
    m.strategy = day->orders[report->client_order].strategy;
    m.instrument = report->instrument;
    m.side = report->side;
    m.order_type = report->order_type;
    m.reason = report->reason;
    stopped = send_message(day, &m, day->request_id);
    if (stopped == 0 && m.type == MESSAGE_ORDER_FILLED) {
        day->orders[report->client_order].fill_count += 1;
        stopped = send_position(day, &m);
    }
    return stopped;
}

static int new_order_record(trading_day *day, uint16_t strategy, uint16_t instrument) {
    uint64_t number = day->last_order + 1;
    if (number >= day->order_cap) {
        uint64_t cap = day->order_cap == 0 ? 1024 : day->order_cap * 2;
        order_record *grown =
            (order_record *)realloc(day->orders, (size_t)cap * sizeof *grown);
        if (grown == NULL) {
            return -1;
        }
        day->orders = grown;
        day->order_cap = cap;
    }
    day->last_order = number;
    memset(&day->orders[number], 0, sizeof day->orders[number]);
    day->orders[number].strategy = strategy;
    day->orders[number].instrument = instrument;
    return 0;
}

static int submit_order(trading_day *day, uint16_t strategy, const order_request *wanted) {
    order_request request = *wanted;
    working_list *working = &day->working[strategy];
    message m;
    int stopped;
    if (new_order_record(day, strategy, request.instrument) != 0) {
        return -1;
    }
    request.client_order = day->last_order;
    memset(&m, 0, sizeof m);
    m.type = MESSAGE_SUBMIT_ORDER;
    m.client_order = request.client_order;
    m.quantity = request.quantity;
    m.left = request.quantity;
    m.price_ticks = request.price_ticks;
    m.strategy = strategy;
    m.instrument = request.instrument;
    m.side = request.side;
    m.order_type = request.order_type;
    stopped = send_message(day, &m, NULL);
    if (stopped == 0) {
        m.type = MESSAGE_ORDER_SUBMITTED;
        stopped = send_message(day, &m, m.id);
    }
    if (stopped != 0) {
        return stopped;
    }
    memcpy(day->request_id, m.id, 16);
    stopped = venue_submit(day->market, &request);
    if (stopped == 0 && venue_is_open(day->market, request.client_order)) {
        working->client_order[working->count] = request.client_order;
        working->count += 1;
    }
    return stopped;
}

/* Cancels (quantity 0) or replaces an order. Its latest message is what the strategy reacts to. */
static int amend_order(trading_day *day, uint64_t number, uint32_t price_ticks, uint64_t quantity) {
    order_record *record = &day->orders[number];
    message m;
    int stopped;
    record->amend_count += 1;
    memset(&m, 0, sizeof m);
    m.type = quantity == 0 ? MESSAGE_CANCEL_ORDER : MESSAGE_REPLACE_ORDER;
    m.client_order = number;
    m.quantity = quantity;
    m.price_ticks = price_ticks;
    m.strategy = record->strategy;
    m.instrument = record->instrument;
    stopped = send_message(day, &m, record->latest_id);
    if (stopped != 0) {
        return stopped;
    }
    memcpy(day->request_id, m.id, 16);
    return quantity == 0 ? venue_cancel(day->market, number)
                         : venue_replace(day->market, number, price_ticks, quantity);
}

static void working_remove(working_list *working, unsigned at) {
    working->count -= 1;
    memmove(&working->client_order[at], &working->client_order[at + 1],
            (working->count - at) * sizeof working->client_order[0]);
}

/* Drops what the venue has closed meanwhile; one time in 8 the strategy has not heard of it yet. */
static void working_tidy(trading_day *day, working_list *working) {
    unsigned at = 0;
    while (at < working->count) {
        if (!venue_is_open(day->market, working->client_order[at]) && random_below(day, 8) != 0) {
            working_remove(working, at);
        } else {
            at += 1;
        }
    }
}

static void move_fair_prices(trading_day *day) {
    unsigned i = (unsigned)random_below(day, INSTRUMENT_COUNT);
    uint64_t turn = random_below(day, 4);
    if (turn == 0 && day->fair_ticks[i] < FAIR_TICKS_MAX) {
        day->fair_ticks[i] += 1;
    } else if (turn == 1 && day->fair_ticks[i] > FAIR_TICKS_MIN) {
        day->fair_ticks[i] -= 1;
    }
}

/* Makers stand a few ticks away from the fair price, takers reach across it. */
static void choose_order(trading_day *day, uint16_t strategy, order_request *request) {
    int is_maker = strategy < 2;
    uint32_t fair_ticks;
    uint32_t away_ticks = (uint32_t)random_below(day, 4);
    memset(request, 0, sizeof *request);
    request->instrument = (uint16_t)random_below(day, INSTRUMENT_COUNT);
    request->side = random_below(day, 2) == 0 ? SIDE_BUY : SIDE_SELL;
    request->order_type = ORDER_LIMIT;
    request->quantity = (is_maker ? 100 : 50) * (1 + random_below(day, 8));
    fair_ticks = day->fair_ticks[request->instrument];
    if (!is_maker && random_below(day, 4) == 0) {
        request->order_type = ORDER_MARKET;
        return;
    }
    if ((request->side == SIDE_BUY) == is_maker) {
        request->price_ticks = fair_ticks - 1 - away_ticks;
    } else {
        request->price_ticks = fair_ticks + 1 + away_ticks;
    }
    switch (random_below(day, 100)) { /* now and then somebody's finger slips */
    case 0: request->price_ticks += VENUE_PRICE_TICKS_MAX; break;
    case 1: request->quantity += VENUE_QUANTITY_MAX; break;
    default: break;
    }
}

static int decide(trading_day *day, uint16_t strategy) {
    working_list *working = &day->working[strategy];
    uint64_t turn = random_below(day, 10);
    order_request request;
    uint64_t number;
    unsigned at;
    working_tidy(day, working);
    if (working->count == WORKING_MAX || (working->count > 4 && turn == 0)) {
        number = working->client_order[0];
        working_remove(working, 0);
        return amend_order(day, number, 0, 0);
    }
    if (working->count > 2 && turn < 3) {
        uint32_t fair_ticks;
        at = (unsigned)random_below(day, working->count);
        number = working->client_order[at];
        fair_ticks = day->fair_ticks[day->orders[number].instrument];
        return amend_order(day, number, fair_ticks - 3 + (uint32_t)random_below(day, 7),
                           100 * (1 + random_below(day, 10)));
    }
    choose_order(day, strategy, &request);
    return submit_order(day, strategy, &request);
}

/* The day is over: cancel what is still open, one order a step. 0 when nothing is left. */
static int wind_down(trading_day *day) {
    unsigned s;
    for (s = 0; s < STRATEGY_COUNT; s++) {
        working_list *working = &day->working[s];
        while (working->count > 0) {
            uint64_t number = working->client_order[0];
            working_remove(working, 0);
            if (venue_is_open(day->market, number)) {
                return amend_order(day, number, 0, 0) == 0 ? 1 : -1;
            }
        }
    }
    return 0;
}

int trading_day_step(trading_day *day) {
    if (day->market == NULL) {
        day->market = venue_new(INSTRUMENT_COUNT, on_report, day);
        if (day->market == NULL) {
            return -1;
        }
    }
    if (day->message_count >= day->messages_min) {
        return wind_down(day);
    }
    day->clock_ns += random_below(day, 2 * day->gap_ns + 1);
    move_fair_prices(day);
    return decide(day, (uint16_t)random_below(day, STRATEGY_COUNT)) == 0 ? 1 : -1;
}

uint64_t trading_day_open_ns(void) {
    return day_open_ns;
}

uint64_t trading_day_clock_ns(const trading_day *day) {
    return day->clock_ns;
}

uint64_t trading_day_message_count(const trading_day *day) {
    return day->message_count;
}

const positions *trading_day_positions(const trading_day *day) {
    return &day->held;
}

uint64_t trading_day_eventful_order(const trading_day *day, uint64_t messages_max) {
    uint64_t chosen = 0;
    uint32_t most_fills = 0;
    uint64_t number;
    for (number = 1; number <= day->last_order; number++) {
        const order_record *record = &day->orders[number];
        if (record->fill_count > most_fills && record->amend_count > 1 &&
            record->message_count <= messages_max) {
            most_fills = record->fill_count;
            chosen = number;
        }
    }
    return chosen;
}

uint16_t trading_day_strategy_of(const trading_day *day, uint64_t client_order) {
    return day->orders[client_order].strategy;
}
