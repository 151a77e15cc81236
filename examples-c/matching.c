#include "matching.h"

#include <stdlib.h>
#include <string.h>

/* One order, found by its client number. Orders of one price form a list, oldest first; the links
 * are client numbers, 0 = none, so the table may move when it grows. */
typedef struct order {
    uint64_t older;
    uint64_t newer;
    uint64_t venue_order;
    uint64_t quantity;
    uint64_t left;
    uint32_t price_ticks;
    uint16_t instrument;
    uint8_t side;
    uint8_t order_type;
    uint8_t open;
} order;

typedef struct price_level {
    uint64_t oldest;
    uint64_t newest;
} price_level;

/* One side of one instrument's book. `best` is exact whenever the side holds an order: every
 * insertion may improve it, every removal of the last order of the best price looks for the next. */
typedef struct book_side {
    price_level level[VENUE_PRICE_TICKS_MAX + 1];
    uint32_t best_ticks; /* 0 = empty */
} book_side;

struct venue {
    book_side *sides; /* two for each instrument: buy, sell */
    order *orders;    /* by client number; [0] is not used */
    uint64_t order_cap;
    uint64_t last_venue_order;
    uint16_t instrument_count;
    venue_report_fn report;
    void *context;
};

venue *venue_new(uint16_t instrument_count, venue_report_fn report, void *context) {
    venue *v = (venue *)calloc(1, sizeof *v);
    if (v == NULL) {
        return NULL;
    }
    v->sides = (book_side *)calloc((size_t)instrument_count * 2, sizeof *v->sides);
    if (v->sides == NULL) {
        free(v);
        return NULL;
    }
    v->instrument_count = instrument_count;
    v->report = report;
    v->context = context;
    return v;
}

void venue_free(venue *v) {
    if (v != NULL) {
        free(v->orders);
        free(v->sides);
        free(v);
    }
}

int venue_is_open(const venue *v, uint64_t client_order) {
    return client_order < v->order_cap && v->orders[client_order].open;
}

static book_side *side_of(venue *v, uint16_t instrument, uint8_t side) {
    return &v->sides[(size_t)instrument * 2 + (side == SIDE_SELL ? 1 : 0)];
}

static int is_better(uint8_t side, uint32_t price_ticks, uint32_t than_ticks) {
    if (than_ticks == 0) {
        return 1;
    }
    return side == SIDE_BUY ? price_ticks > than_ticks : price_ticks < than_ticks;
}

static void book_insert(venue *v, uint64_t number) {
    order *o = &v->orders[number];
    book_side *side = side_of(v, o->instrument, o->side);
    price_level *level = &side->level[o->price_ticks];
    o->older = level->newest;
    o->newer = 0;
    if (level->newest != 0) {
        v->orders[level->newest].newer = number;
    } else {
        level->oldest = number;
    }
    level->newest = number;
    o->open = 1;
    if (is_better(o->side, o->price_ticks, side->best_ticks)) {
        side->best_ticks = o->price_ticks;
    }
}

/* The next price, away from the other side, that has an order; 0 when there is none. */
static uint32_t next_best(const book_side *side, uint8_t which, uint32_t from_ticks) {
    uint32_t ticks = from_ticks;
    if (which == SIDE_BUY) {
        while (ticks > 0 && side->level[ticks].oldest == 0) {
            ticks -= 1;
        }
        return ticks;
    }
    while (ticks <= VENUE_PRICE_TICKS_MAX && side->level[ticks].oldest == 0) {
        ticks += 1;
    }
    return ticks <= VENUE_PRICE_TICKS_MAX ? ticks : 0;
}

static void book_remove(venue *v, uint64_t number) {
    order *o = &v->orders[number];
    book_side *side = side_of(v, o->instrument, o->side);
    price_level *level = &side->level[o->price_ticks];
    if (o->older != 0) {
        v->orders[o->older].newer = o->newer;
    } else {
        level->oldest = o->newer;
    }
    if (o->newer != 0) {
        v->orders[o->newer].older = o->older;
    } else {
        level->newest = o->older;
    }
    o->open = 0;
    if (level->oldest == 0 && side->best_ticks == o->price_ticks) {
        side->best_ticks = next_best(side, o->side, o->price_ticks);
    }
}

static int tell(venue *v, uint64_t number, enum report_kind kind, enum report_reason reason,
                uint8_t aggressor) {
    const order *o = &v->orders[number];
    venue_report r;
    memset(&r, 0, sizeof r);
    r.client_order = number;
    r.venue_order = o->venue_order;
    r.quantity = o->quantity;
    r.left = o->left;
    r.price_ticks = o->price_ticks;
    r.instrument = o->instrument;
    r.side = o->side;
    r.order_type = o->order_type;
    r.kind = (uint8_t)kind;
    r.reason = (uint8_t)reason;
    r.aggressor = aggressor;
    return v->report(v->context, &r);
}

static int tell_fill(venue *v, uint64_t number, uint64_t quantity, uint32_t price_ticks,
                     uint8_t aggressor) {
    const order *o = &v->orders[number];
    venue_report r;
    memset(&r, 0, sizeof r);
    r.client_order = number;
    r.venue_order = o->venue_order;
    r.quantity = quantity;
    r.left = o->left;
    r.price_ticks = price_ticks;
    r.instrument = o->instrument;
    r.side = o->side;
    r.order_type = o->order_type;
    r.kind = REPORT_FILLED;
    r.aggressor = aggressor;
    return v->report(v->context, &r);
}

static int crosses(const order *o, uint32_t best_ticks) {
    if (best_ticks == 0) {
        return 0;
    }
    if (o->order_type == ORDER_MARKET) {
        return 1;
    }
    return o->side == SIDE_BUY ? best_ticks <= o->price_ticks : best_ticks >= o->price_ticks;
}

/* Trades `number` against the other side, best price first and oldest first, at the price of the
 * order that was there. The order itself is in no book while this runs. */
static int match(venue *v, uint64_t number) {
    order *taker = &v->orders[number];
    book_side *other = side_of(v, taker->instrument, taker->side == SIDE_BUY ? SIDE_SELL : SIDE_BUY);
    while (taker->left > 0 && crosses(taker, other->best_ticks)) {
        uint32_t price_ticks = other->best_ticks;
        uint64_t maker_number = other->level[price_ticks].oldest;
        order *maker = &v->orders[maker_number];
        uint64_t quantity = taker->left < maker->left ? taker->left : maker->left;
        int refused;
        taker->left -= quantity;
        maker->left -= quantity;
        if (maker->left == 0) {
            book_remove(v, maker_number);
        }
        refused = tell_fill(v, number, quantity, price_ticks, 1);
        if (refused == 0) {
            refused = tell_fill(v, maker_number, quantity, price_ticks, 0);
        }
        if (refused != 0) {
            return refused;
        }
    }
    return 0;
}

static int make_room(venue *v, uint64_t number) {
    uint64_t cap = v->order_cap == 0 ? 1024 : v->order_cap;
    order *grown;
    while (cap <= number) {
        cap *= 2;
    }
    if (cap == v->order_cap) {
        return 0;
    }
    grown = (order *)realloc(v->orders, (size_t)cap * sizeof *grown);
    if (grown == NULL) {
        return -1;
    }
    memset(grown + v->order_cap, 0, (size_t)(cap - v->order_cap) * sizeof *grown);
    v->orders = grown;
    v->order_cap = cap;
    return 0;
}

static enum report_reason refusal_of(const order *o) {
    if (o->quantity == 0 || o->quantity > VENUE_QUANTITY_MAX) {
        return REASON_QUANTITY_OUTSIDE_LIMITS;
    }
    if (o->order_type == ORDER_LIMIT &&
        (o->price_ticks == 0 || o->price_ticks > VENUE_PRICE_TICKS_MAX)) {
        return REASON_PRICE_OUTSIDE_LIMITS;
    }
    return REASON_NONE;
}

int venue_submit(venue *v, const order_request *request) {
    uint64_t number = request->client_order;
    enum report_reason refusal;
    order *o;
    int stopped;
    if (make_room(v, number) != 0) {
        return -1;
    }
    o = &v->orders[number];
    o->quantity = request->quantity;
    o->left = request->quantity;
    o->price_ticks = request->order_type == ORDER_MARKET ? 0 : request->price_ticks;
    o->instrument = request->instrument;
    o->side = request->side;
    o->order_type = request->order_type;
    refusal = refusal_of(o);
    if (refusal != REASON_NONE) {
        o->left = 0;
        return tell(v, number, REPORT_REJECTED, refusal, 1);
    }
    v->last_venue_order += 1;
    o->venue_order = v->last_venue_order;
    stopped = tell(v, number, REPORT_ACCEPTED, REASON_NONE, 1);
    if (stopped == 0) {
        stopped = match(v, number);
    }
    if (stopped != 0 || o->left == 0) {
        return stopped;
    }
    if (o->order_type == ORDER_MARKET) {
        o->left = 0;
        return tell(v, number, REPORT_CANCELED, REASON_NO_LIQUIDITY, 1);
    }
    book_insert(v, number);
    return 0;
}

int venue_cancel(venue *v, uint64_t client_order) {
    if (!venue_is_open(v, client_order)) {
        return tell(v, client_order, REPORT_CANCEL_REJECTED, REASON_TOO_LATE, 1);
    }
    book_remove(v, client_order);
    v->orders[client_order].left = 0;
    return tell(v, client_order, REPORT_CANCELED, REASON_REQUESTED, 1);
}

int venue_replace(venue *v, uint64_t client_order, uint32_t price_ticks, uint64_t quantity) {
    order *o = &v->orders[client_order];
    uint64_t filled;
    int stopped;
    if (!venue_is_open(v, client_order)) {
        return tell(v, client_order, REPORT_REPLACE_REJECTED, REASON_TOO_LATE, 1);
    }
    if (price_ticks == 0 || price_ticks > VENUE_PRICE_TICKS_MAX) {
        return tell(v, client_order, REPORT_REPLACE_REJECTED, REASON_PRICE_OUTSIDE_LIMITS, 1);
    }
    filled = o->quantity - o->left;
    if (quantity <= filled || quantity > VENUE_QUANTITY_MAX) {
        return tell(v, client_order, REPORT_REPLACE_REJECTED, REASON_QUANTITY_OUTSIDE_LIMITS, 1);
    }
    if (price_ticks == o->price_ticks && quantity <= o->quantity) {
        o->quantity = quantity;
        o->left = quantity - filled;
        return tell(v, client_order, REPORT_REPLACED, REASON_NONE, 1);
    }
    book_remove(v, client_order);
    o->price_ticks = price_ticks;
    o->quantity = quantity;
    o->left = o->quantity - filled;
    stopped = tell(v, client_order, REPORT_REPLACED, REASON_NONE, 1);
    if (stopped == 0) {
        stopped = match(v, client_order);
    }
    if (stopped == 0 && o->left > 0) {
        book_insert(v, client_order);
    }
    return stopped;
}
