/* A caller that changes its buffers while es_submit runs: another thread writes over payload, topic
 * and key. What is stored is some mixture of what was there, whole under its hash; a text is
 * UTF-8 or the call is refused; nobody else's entries are touched.
 *
 * usage: scribble BASE SIZE
 */
#include "host.h"

#define PAYLOAD_BYTES 65536
#define TOPIC_BYTES 64
#define KEY_BYTES 8
#define PATIENCE 2000

/* The scribbler's writes are the misdeed itself, not a finding. */
#if defined(__SANITIZE_THREAD__)
#define THE_MISDEED __attribute__((no_sanitize("thread"), noinline))
#else
#define THE_MISDEED
#endif

static es_run *run;
static volatile unsigned char payload[PAYLOAD_BYTES];
static volatile char topic[TOPIC_BYTES + 1]; /* its last byte is always NUL */
static volatile char key[KEY_BYTES + 1];
static atomic_int over;
static atomic_int begun; /* threads that are at work */
static uint64_t stored, whole, mixed, own;

/* What a topic is made of; each alone is UTF-8, a mixture of two need not be. */
static const char *const characters[] = {"a", "z", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x92\xB0"};
#define CHARACTERS (sizeof characters / sizeof characters[0])

THE_MISDEED static void *scribble(void *nothing) {
    unsigned round = 0;
    while (!atomic_load(&over)) {
        const char *character = characters[++round % CHARACTERS];
        size_t width = 1, at;
        while (character[width] != 0) width++;
        /* Now shorter, now longer: with ES_NTS the length is scribbled over as well. */
        size_t length = 12 + round % 4 * 12;
        for (at = 0; at < TOPIC_BYTES; at++) topic[at] = at < length ? character[at % width] : 0;
        for (at = 0; at < KEY_BYTES; at++) key[at] = character[at % width];
        for (at = 0; at < PAYLOAD_BYTES; at++) payload[at] = (unsigned char)round;
        if (round == 1) atomic_fetch_add(&begun, 1);
    }
    return nothing;
}

/* An entry of another producer, which must stay as it was. */
static void *submit_others(void *nothing) {
    uint64_t number = 0;
    while (!atomic_load(&over)) {
        es_draft draft = draft_of(&number, sizeof number);
        submit(run, &draft);
        if (number++ == 0) atomic_fetch_add(&begun, 1);
        sleep_us(200);
    }
    own = number;
    return nothing;
}

static int is_utf8(const unsigned char *text, size_t length) {
    size_t at = 0, next;
    while (at < length) {
        unsigned first = text[at], width = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
        if (width == 0 || at + width > length) return 0;
        for (next = at + 1; next < at + width; next++)
            if (text[next] >> 6 != 2) return 0;
        at += width;
    }
    return 1;
}

static void look(const es_entry *entry, const char *arena, void *with) {
    const unsigned char *bytes = (const unsigned char *)arena + entry->payload_offset;
    uint64_t *next_own = (uint64_t *)with, number;
    size_t at;
    /* The scan has recomputed its hash. */
    CHECK(entry->topic_len >= 1 && entry->topic_len <= TOPIC_BYTES);
    CHECK(is_utf8((const unsigned char *)arena + entry->topic_offset, entry->topic_len));
    if (strcmp(arena + entry->payload_type_offset, "RunEnded") == 0) return;
    if (entry->payload_len == sizeof number) {
        memcpy(&number, bytes, sizeof number);
        CHECK(number == *next_own && strcmp(arena + entry->topic_offset, "orders") == 0);
        (*next_own)++;
        return;
    }
    CHECK(entry->payload_len == PAYLOAD_BYTES);
    CHECK(entry->key_count == 1 && is_utf8((const unsigned char *)arena + entry->keys_offset + 4, KEY_BYTES));
    stored++;
    for (at = 1; at < PAYLOAD_BYTES && bytes[at] == bytes[0]; at++) continue;
    if (at == PAYLOAD_BYTES) whole++;
    else mixed++;
}

/* Submits what is being scribbled over, so often and on until one was refused; answers how many
 * were, and in *submitted of how many. */
static unsigned submit_scribbled(unsigned times, unsigned *submitted) {
    es_index_key index_key = ES_INDEX_KEY_INIT;
    es_draft draft = draft_of((const void *)(uintptr_t)payload, PAYLOAD_BYTES);
    unsigned refused = 0;
    index_key.key = (const char *)(uintptr_t)key;
    index_key.key_len = KEY_BYTES;
    draft.topic = (const char *)(uintptr_t)topic;
    draft.keys = &index_key;
    draft.key_count = 1;
    while (atomic_load(&begun) < 2) sleep_us(50);
    for (*submitted = 0; *submitted < times || (refused == 0 && *submitted < times + PATIENCE); ++*submitted) {
        es_submit_options options = ES_SUBMIT_OPTIONS_INIT;
        es_error err;
        es_status status;
        options.timeout_ns = ES_FOREVER;
        /* Where threads take turns, as under valgrind, the others get theirs. */
        if (*submitted % 16 == 15) sleep_us(20);
        /* Found in the bytes before they are copied: a NUL may lie in the mixture. */
        draft.topic_len = ES_NTS;
        status = es_submit(run, &draft, sizeof draft, &options, NULL, &err);
        if (status == ES_ERR_INVALID_UTF8 || status == ES_ERR_INVALID_ARGUMENT) refused++;
        else if (status != ES_OK) fail(__FILE__, __LINE__, "submit", status, &err);
    }
    return refused;
}

int main(int argc, char **argv) {
    es_open_options options = patient();
    es_reader *reader = NULL;
    pthread_t threads[2];
    unsigned submitted, refused;
    uint64_t next_own = 0;
    if (!begin(argc, argv, 3)) return 2;
    memset((void *)(uintptr_t)topic, 'a', 12);
    memset((void *)(uintptr_t)key, 'a', KEY_BYTES);
    options.backend = ES_BACKEND_MEMORY;
    run = open_run("scribble", &options);
    threads[0] = start(scribble, NULL);
    threads[1] = start(submit_others, NULL);
    refused = submit_scribbled(scaled(5000), &submitted);
    atomic_store(&over, 1);
    finish(threads[0]);
    finish(threads[1]);
    CHECK(close_run(run) == submitted - refused + own + 1);
    MUST(es_open_reader(run, &reader, &err_));
    es_free_run(run);
    for_each(reader, 8 << 20, look, &next_own);
    es_free_reader(reader);
    printf("%u submits: %u refused, %" PRIu64 " stored mixed, %" PRIu64 " as they were; beside %" PRIu64 " others\n",
           submitted, refused, mixed, whole, own);
    CHECK(next_own == own && stored == submitted - refused);
    CHECK(refused > 0 && mixed > 0 && own > 0);
    return end("scribble");
}
