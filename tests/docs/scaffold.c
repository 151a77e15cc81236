/* What a piece of C in the guide stands in: a run with three durable entries, the order ORDER-1
 * among them, a reader of it, a draft to submit, and the variables that every caller has. Pieces
 * are functions; a piece that returns other than 0 has failed. FRAGMENTS lists them. */
#include <eventstore.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct given {
    const char *base;
    es_run *run;
    es_reader *reader;
    es_draft draft;
    uint64_t seq;
} given;

#define FRAGMENT(name)                                                                            \
    static int name(given *g) {                                                                   \
        const char *base = g->base;                                                               \
        es_run *run = g->run;                                                                     \
        es_reader *reader = g->reader;                                                            \
        es_draft draft = g->draft;                                                                \
        uint64_t seq = g->seq;                                                                    \
        es_status status = ES_OK;                                                                 \
        es_error err;                                                                             \
        (void)base, (void)run, (void)reader, (void)draft, (void)seq, (void)status, (void)err;

#define END_OF_FRAGMENT                                                                           \
    return 0;                                                                                     \
    }

@FRAGMENTS@

#define CHECK(call)                                                                               \
    do {                                                                                          \
        es_status answer = (call);                                                                \
        if (answer != ES_OK) {                                                                    \
            fprintf(stderr, "%s: %s: %s\n", #call, es_status_name(answer), err.message);          \
            return 2;                                                                             \
        }                                                                                         \
    } while (0)

static int play(const char *base, const char *place, const char *run_id, int (*fragment)(given *)) {
    es_error err = {0};
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    es_index_key key = ES_INDEX_KEY_INIT;
    given g = {base, NULL, NULL, ES_DRAFT_INIT, 0};
    int answer;
    manifest.instance_id.data = "engine";
    manifest.instance_id.len = ES_NTS;
    manifest.run_id.data = run_id;
    manifest.run_id.len = ES_NTS;
    options.halt_after_ns = ES_FOREVER;
    key.kind = ES_INDEX_CLIENT_ORDER_ID;
    key.key = "ORDER-1";
    key.key_len = ES_NTS;
    g.draft.topic = "orders";
    g.draft.topic_len = ES_NTS;
    g.draft.payload_type = "text/plain";
    g.draft.payload_type_len = ES_NTS;
    g.draft.payload = "buy 1";
    g.draft.payload_len = 5;
    g.draft.keys = &key;
    g.draft.key_count = 1;
    CHECK(es_open_run(base, ES_NTS, &manifest, &options, &g.run, &err));
    for (int entry = 0; entry < 3; entry++) {
        g.draft.ts_init += 1000;
        CHECK(es_submit(g.run, &g.draft, sizeof g.draft, NULL, &g.seq, &err));
    }
    CHECK(es_wait_durable(g.run, g.seq, ES_FOREVER, &err));
    CHECK(es_open_reader(g.run, &g.reader, &err));
    answer = fragment(&g);
    if (answer != 0) {
        fprintf(stderr, "%s: the piece answers %d\n", place, answer);
    }
    CHECK(es_close_run(g.run, NULL, NULL, &err));
    es_free_reader(g.reader);
    es_free_run(g.run);
    return answer;
}

int main(int argc, char **argv) {
    static const struct {
        const char *place;
        int (*play)(given *);
    } fragments[] = {@NAMES@};
    char run_id[32];
    for (size_t at = 0; argc == 2 && at < sizeof fragments / sizeof fragments[0]; at++) {
        snprintf(run_id, sizeof run_id, "run-%u", (unsigned)at);
        if (play(argv[1], fragments[at].place, run_id, fragments[at].play) != 0) {
            return 1;
        }
    }
    return argc == 2 ? 0 : 2;
}
