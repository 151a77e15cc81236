/* Signals during waits: a handler without SA_RESTART interrupts whatever the host's threads wait
 * for, thousands of times, and no call answers otherwise or sooner for it.
 *
 * usage: signals BASE SIZE
 */
#include "host.h"

#include <errno.h>
#include <signal.h>

typedef void (*call_fn)(es_run *run);

static pthread_t host;
static atomic_int storm_over;
static atomic_uint during; /* signals that came while a call ran */
static atomic_int in_call;

static void handle(int signal) {
    int saved = errno;
    (void)signal;
    if (atomic_load(&in_call)) atomic_fetch_add(&during, 1);
    errno = saved;
}

static void *storm(void *nothing) {
    while (!atomic_load(&storm_over)) {
        pthread_kill(host, SIGUSR1);
        sleep_us(20);
    }
    return nothing;
}

#define STORMED(call)                \
    do {                             \
        atomic_store(&in_call, 1);   \
        call;                        \
        atomic_store(&in_call, 0);   \
    } while (0)

static uint64_t submit_one(es_run *run) {
    es_draft draft = draft_of("signals", 7);
    return submit(run, &draft);
}

static void call_wait_durable(es_run *run) {
    uint64_t seq = submit_one(run);
    STORMED(MUST(es_wait_durable(run, seq, ES_FOREVER, &err_)));
}

static void call_wait_with_timeout(es_run *run) {
    uint64_t seq = submit_one(run);
    STORMED(MUST(es_wait_durable(run, seq, 600ull * SECOND_NS, &err_)));
}

static void call_flush(es_run *run) {
    submit_one(run);
    STORMED(MUST(es_flush(run, ES_FOREVER, &err_)));
}

static void call_append(es_run *run) { STORMED(append(run, "signals", 7)); }

/* Waits for room: the queue holds one entry. Out of time may come only when the time is over. */
static void call_submit(es_run *run) {
    static char payload[100000];
    es_draft draft = draft_of(payload, sizeof payload);
    es_submit_options options = ES_SUBMIT_OPTIONS_INIT;
    es_error err;
    es_status status;
    uint64_t started = now_ns();
    options.timeout_ns = 500000;
    STORMED(status = es_submit(run, &draft, sizeof draft, &options, NULL, &err));
    if (status == ES_ERR_QUEUE_FULL) CHECK(now_ns() - started >= options.timeout_ns);
    else if (status != ES_OK) fail(__FILE__, __LINE__, "submit", status, &err);
}

/* Opening, closing, listing, verifying and reading back: what a host does at both ends of a day. */
static void call_close(es_run *unused) {
    static unsigned number;
    es_open_options options = patient();
    es_report *report = NULL;
    es_reader *reader = NULL;
    es_run *run;
    uint64_t last = 0;
    char run_id[32], path[4096];
    (void)unused;
    snprintf(run_id, sizeof run_id, "closed-%u", number++);
    STORMED(run = open_run(run_id, &options));
    submit_one(run);
    MUST(es_get_run_path(run, path, sizeof path, NULL, &err_));
    STORMED(CHECK(close_run(run) == 2));
    es_free_run(run);
    STORMED(MUST(es_verify_run(path, ES_NTS, NULL, &report, &err_)));
    es_free_report(report);
    STORMED(MUST(es_open_sealed_run(path, ES_NTS, NULL, &reader, &err_)));
    MUST(es_get_high_watermark(reader, &last, &err_));
    CHECK(last == 2);
    es_free_reader(reader);
}

/* Makes a call again and again, until signals have come so often during it. */
static void interrupt(const char *name, call_fn call, es_run *run, unsigned least) {
    uint64_t deadline = now_ns() + 60ull * SECOND_NS;
    unsigned times = 0;
    atomic_store(&during, 0);
    while ((times++ < scaled(50) || atomic_load(&during) < least) && now_ns() < deadline) call(run);
    printf("%s: interrupted %u times in %u calls\n", name, atomic_load(&during), times - 1);
    CHECK(atomic_load(&during) >= least);
}

int main(int argc, char **argv) {
    struct sigaction action;
    es_open_options options = patient();
    es_run *run;
    pthread_t thread;
    unsigned least;
    if (!begin(argc, argv, 3)) return 2;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    host = pthread_self();
    options.queue_entries = 1;
    run = open_run("signals", &options);
    least = scaled(500);
    thread = start(storm, NULL);
    interrupt("es_wait_durable", call_wait_durable, run, least);
    interrupt("es_wait_durable with a timeout", call_wait_with_timeout, run, least);
    interrupt("es_flush", call_flush, run, least);
    interrupt("es_append_batch", call_append, run, least);
    interrupt("es_submit for room", call_submit, run, least);
    STORMED(close_run(run));
    es_free_run(run);
    interrupt("es_open_run to es_close_run", call_close, NULL, least);
    atomic_store(&storm_over, 1);
    finish(thread);
    return end("signals");
}
