#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order_life.h"
#include "session.h"

static int everything_matched(const session *s) {
    return s->forward.equal == s->captured.last_seq && s->forward.different == 0 &&
           s->backward.equal == s->captured.last_seq && s->backward.different == 0 &&
           s->client_ids.found == s->client_ids.ids && s->client_ids.listed == s->client_ids.ids &&
           s->venue_ids.found == s->venue_ids.ids && s->venue_ids.listed == s->venue_ids.ids;
}

/* 1234567 -> "1,234,567" */
static const char *grouped(uint64_t number, char out[32]) {
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, number);
    int from;
    int to = 0;
    for (from = 0; from < len; from++) {
        if (from > 0 && (len - from) % 3 == 0) {
            out[to] = ',';
            to += 1;
        }
        out[to] = digits[from];
        to += 1;
    }
    out[to] = '\0';
    return out;
}

static double per_second(uint64_t count, uint64_t took_ns) {
    return took_ns == 0 ? 0.0 : (double)count * 1e9 / (double)took_ns;
}

static int by_value(const void *a, const void *b) {
    uint32_t x;
    uint32_t y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static void print_speed(session *s) {
    capture *c = &s->captured;
    uint64_t n = c->last_seq;
    uint64_t total_ns = 0;
    uint64_t i;
    char a[32];
    char b[32];
    for (i = 0; i < n; i++) {
        total_ns += c->submit_ns[i];
    }
    qsort(c->submit_ns, (size_t)n, sizeof c->submit_ns[0], by_value);
    printf("captured    %s events in %.3f s, %s events/s, all durable\n", grouped(n, a),
           (double)s->capture_ns / 1e9,
           grouped((uint64_t)per_second(n, s->capture_ns), b));
    printf("submit      %.2f us mean, %.2f us median, %.2f us p99, %.1f us longest\n",
           (double)total_ns / 1e3 / (double)n, (double)c->submit_ns[n / 2] / 1e3,
           (double)c->submit_ns[n - 1 - n / 100] / 1e3, (double)c->submit_ns[n - 1] / 1e3);
    printf("queue full  %s times, waited for room\n", grouped(c->queue_full_count, a));
    printf("durable     %" PRIu64 " waits, %.2f ms mean, %.2f ms longest; %" PRIu64
           " commits of %" PRIu64 " events\n",
           c->waits, (double)c->wait_ns / 1e6 / (double)c->waits,
           (double)c->wait_longest_ns / 1e6, s->stats.commits,
           s->stats.commits == 0 ? 0 : s->stats.entries / s->stats.commits);
}

static void print_run(const session *s) {
    char a[32];
    unsigned i;
    if (s->backend != ES_BACKEND_MEMORY) {
        printf("file        %s bytes, %.0f bytes an event: %s\n", grouped(s->file_bytes, a),
               (double)s->file_bytes / (double)s->captured.last_seq, s->run_path);
    } else {
        printf("file        none: a memory run\n");
    }
    printf("hwm         %s, the store's RunEnded included\n", grouped(s->high_watermark, a));
    printf("digest      ");
    for (i = 0; i < 32; i++) {
        printf("%02x", s->closed.digest[i]);
    }
    printf("\nanchor      positions after seq %s, %s\n", grouped(s->anchor_seq, a),
           s->snapshot_hash);
}

static void print_types(const session *s) {
    char a[32];
    unsigned type;
    printf("\nevents by type\n");
    for (type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        uint64_t count = s->captured.by_type[type];
        printf("  %-20s %10s %6.2f %%\n", message_type_name(type), grouped(count, a),
               100.0 * (double)count / (double)s->captured.last_seq);
    }
    printf("  %-20s %10s\n", "total", grouped(s->captured.last_seq, a));
}

static void print_scan(const char *name, const scan_check *scan) {
    char a[32];
    char b[32];
    printf("  %-20s %10s equal %6s different %12.0f /s\n", name, grouped(scan->equal, a),
           grouped(scan->different, b), per_second(scan->equal + scan->different, scan->took_ns));
}

static void print_index(const char *name, const index_check *index) {
    char a[32];
    char b[32];
    printf("  %-20s %10s found %6s missing   %12.0f /s\n", name, grouped(index->found, a),
           grouped(index->ids - index->found, b), per_second(index->ids, index->took_ns));
}

static int print_order_life(const session *s) {
    order_life life;
    char client_id[ORDER_ID_BYTES_MAX];
    uint64_t number = trading_day_eventful_order(s->day, 20);
    es_error err;
    es_status status;
    if (number == 0) {
        printf("\nno order of so short a day is worth following\n");
        return 0;
    }
    client_order_id(trading_day_strategy_of(s->day, number), number, client_id);
    status = order_life_find(s->reader, client_id, &life, &err);
    if (status != ES_OK) {
        return complain("order life", status, &err);
    }
    printf("\nlife of order %s, by index and headers\n", client_id);
    order_life_print(&life, stdout);
    return 0;
}

int session_report(session *s) {
    printf("eventstore %s, a trading day through the C interface, %s\n\n", es_version(),
           s->backend == ES_BACKEND_REDB ? "redb" : s->backend == ES_BACKEND_LOG ? "log" : "memory");
    print_speed(s);
    print_run(s);
    print_types(s);
    printf("\nread back\n");
    print_scan("forward", &s->forward);
    print_scan("backward", &s->backward);
    print_index("by client order id", &s->client_ids);
    print_index("by venue order id", &s->venue_ids);
    printf("\npositions at the close\n");
    positions_print(trading_day_positions(s->day), stdout);
    if (print_order_life(s) != 0) {
        return -1;
    }
    if (!everything_matched(s)) {
        printf("\nFAILED: what came back is not what was captured\n");
        return -1;
    }
    printf("\neverything captured came back equal\n");
    return 0;
}
