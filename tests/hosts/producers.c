/* Eight producers at once: every seq is accounted for, and each producer's own order is kept.
 *
 * usage: producers BASE SIZE
 */
#include "host.h"

#define PRODUCERS 8
#define DRAFTS_MAX 20000u
#define BATCH 3

typedef struct order {
    uint32_t producer;
    uint32_t number;
} order;

static es_run *run;
static unsigned drafts;
static uint64_t seqs[PRODUCERS][DRAFTS_MAX]; /* what each submit answered; 0: part of a batch */
static unsigned seen[PRODUCERS];
static uint64_t latest[PRODUCERS];

/* Now one draft, now a few at once. */
static void *produce(void *with) {
    uint32_t producer = (uint32_t)(uintptr_t)with;
    es_submit_options options = ES_SUBMIT_OPTIONS_INIT;
    unsigned number = 0;
    options.timeout_ns = ES_FOREVER;
    while (number < drafts) {
        order orders[BATCH];
        es_draft batch[BATCH];
        unsigned count = number % 5 == 0 && number + BATCH <= drafts ? BATCH : 1, at;
        for (at = 0; at < count; at++) {
            orders[at].producer = producer;
            orders[at].number = number + at;
            batch[at] = draft_of(&orders[at], sizeof orders[at]);
        }
        if (count == 1) {
            seqs[producer][number] = submit(run, &batch[0]);
        } else {
            uint64_t first = 0;
            MUST(es_submit_batch(run, batch, sizeof batch[0], count, &options, &first, &err_));
            for (at = 0; at < count; at++) seqs[producer][number + at] = first + at;
        }
        number += count;
        if (number % 1000 == 0) MUST(es_wait_durable(run, seqs[producer][number - 1], ES_FOREVER, &err_));
    }
    return NULL;
}

static void look(const es_entry *entry, const char *arena, void *with) {
    order found;
    (void)with;
    if (entry->payload_len != sizeof found) {
        CHECK(strcmp(arena + entry->payload_type_offset, "RunEnded") == 0);
        return;
    }
    memcpy(&found, arena + entry->payload_offset, sizeof found);
    CHECK(found.producer < PRODUCERS && found.number < drafts);
    CHECK(found.number == seen[found.producer]);
    CHECK(entry->seq > latest[found.producer]);
    CHECK(entry->seq == seqs[found.producer][found.number]);
    seen[found.producer]++;
    latest[found.producer] = entry->seq;
}

static void with_backend(const char *run_id, uint32_t backend) {
    es_open_options options = patient();
    es_reader *reader = NULL;
    pthread_t threads[PRODUCERS];
    unsigned at;
    options.backend = backend;
    options.queue_entries = 256;
    memset(seqs, 0, sizeof seqs);
    memset(seen, 0, sizeof seen);
    memset(latest, 0, sizeof latest);
    run = open_run(run_id, &options);
    for (at = 0; at < PRODUCERS; at++) threads[at] = start(produce, (void *)(uintptr_t)at);
    for (at = 0; at < PRODUCERS; at++) finish(threads[at]);
    CHECK(close_run(run) == (uint64_t)PRODUCERS * drafts + 1);
    MUST(es_open_reader(run, &reader, &err_));
    es_free_run(run);
    CHECK(for_each(reader, 1 << 16, look, NULL) == (uint64_t)PRODUCERS * drafts + 1);
    for (at = 0; at < PRODUCERS; at++) CHECK(seen[at] == drafts);
    es_free_reader(reader);
}

int main(int argc, char **argv) {
    if (!begin(argc, argv, 3)) return 2;
    drafts = scaled(DRAFTS_MAX);
    with_backend("redb", ES_BACKEND_REDB);
    with_backend("log", ES_BACKEND_LOG);
    with_backend("memory", ES_BACKEND_MEMORY);
    return end("producers");
}
