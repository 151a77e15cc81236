/* Threads that come and go: each lives for a submit or two, some read, and nothing of them stays.
 *
 * usage: threads BASE SIZE
 */
#include "host.h"

#define AT_ONCE 20
#define THREADS_MAX 1000u

static es_run *run;
static uint64_t seqs[THREADS_MAX];
static unsigned found[THREADS_MAX];

static void *live(void *with) {
    uint32_t number = (uint32_t)(uintptr_t)with;
    es_draft draft = draft_of(&number, sizeof number);
    seqs[number] = submit(run, &draft);
    if (number % 4 == 0) MUST(es_wait_durable(run, seqs[number], ES_FOREVER, &err_));
    if (number % 8 == 0) {
        es_reader *reader = NULL;
        es_entry entry;
        char arena[256];
        size_t needed = 0;
        MUST(es_open_reader(run, &reader, &err_));
        MUST(es_get_entry(reader, seqs[number], &entry, sizeof entry, arena, sizeof arena, &needed, &err_));
        CHECK(memcmp(arena + entry.payload_offset, &number, sizeof number) == 0);
        es_free_reader(reader);
    }
    return NULL;
}

static void look(const es_entry *entry, const char *arena, void *with) {
    uint32_t number;
    (void)with;
    if (entry->payload_len != sizeof number) return; /* RunEnded */
    memcpy(&number, arena + entry->payload_offset, sizeof number);
    CHECK(number < THREADS_MAX && seqs[number] == entry->seq);
    found[number]++;
}

int main(int argc, char **argv) {
    es_open_options options = patient();
    es_reader *reader = NULL;
    unsigned threads, files, number = 0, at;
    if (!begin(argc, argv, 3)) return 2;
    threads = scaled(THREADS_MAX);
    run = open_run("threads", &options);
    files = count_files();
    CHECK(files > 0);
    while (number < threads) {
        pthread_t alive[AT_ONCE];
        unsigned count = threads - number < AT_ONCE ? threads - number : AT_ONCE;
        for (at = 0; at < count; at++) alive[at] = start(live, (void *)(uintptr_t)number++);
        for (at = 0; at < count; at++) finish(alive[at]);
    }
    CHECK(count_files() == files);
    CHECK(count_writers() == 1);
    CHECK(close_run(run) == (uint64_t)threads + 1);
    MUST(es_open_reader(run, &reader, &err_));
    es_free_run(run);
    CHECK(for_each(reader, 1 << 16, look, NULL) == (uint64_t)threads + 1);
    for (at = 0; at < threads; at++) CHECK(found[at] == 1);
    es_free_reader(reader);
    wait_for_writers();
    CHECK(count_files() == 0);
    return end("threads");
}
