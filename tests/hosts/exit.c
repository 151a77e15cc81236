/* exit() from another thread while producers submit: no hang, no crash, and what was acknowledged
 * is there. Each session is a child, which this process forks before it uses the library.
 *
 * usage: exit BASE SIZE
 */
#include "host.h"

#include <signal.h>
#include <sys/wait.h>

#define PRODUCERS 4
#define EXIT_CODE 7

enum way { LEFT_OPEN, CLOSED_AT_EXIT, WAYS };

static es_run *run;
static int acknowledged; /* the pipe: each seq that is durable, as 8 bytes */
static enum way way;
static atomic_int has_told; /* before that nobody hurries, nobody leaves */

/* Submits until it is told to stop, or the process is gone. */
static void *produce(void *nothing) {
    es_draft draft = draft_of("exit", 4);
    while (!atomic_load(&has_told)) sleep_us(50);
    for (;;) {
        es_error err;
        uint64_t seq = 0;
        es_status status = es_submit(run, &draft, sizeof draft, NULL, &seq, &err);
        if (status == ES_ERR_QUEUE_FULL) sleep_us(50);
        else if (status == ES_ERR_CLOSED && way == CLOSED_AT_EXIT) return nothing;
        else if (status != ES_OK) fail(__FILE__, __LINE__, "submit", status, &err);
    }
}

static void *append_and_tell(void *nothing) {
    for (;;) {
        es_draft draft = draft_of("told", 4);
        es_append_result done = ES_APPEND_RESULT_INIT;
        es_error err;
        es_status status = es_append_batch(run, &draft, sizeof draft, 1, NULL, &done, &err);
        if (status == ES_ERR_CLOSED && way == CLOSED_AT_EXIT) return nothing;
        if (status != ES_OK) fail(__FILE__, __LINE__, "append", status, &err);
        CHECK(write(acknowledged, &done.first_seq, sizeof done.first_seq) == sizeof done.first_seq);
        atomic_store(&has_told, 1);
    }
}

static void *leave(void *nothing) {
    uint64_t after_us = now_ns() % 30000;
    while (!atomic_load(&has_told)) sleep_us(50);
    sleep_us((long)after_us);
    exit(EXIT_CODE);
    return nothing;
}

static void close_at_exit(void) {
    if (way == CLOSED_AT_EXIT) (void)close_run(run);
}

static void session(const char *run_id) {
    es_open_options options = patient();
    unsigned at;
    run = open_run(run_id, &options);
    append(run, "first", 5);
    CHECK(atexit(close_at_exit) == 0);
    for (at = 0; at < PRODUCERS; at++) CHECK(pthread_detach(start(produce, NULL)) == 0);
    CHECK(pthread_detach(start(append_and_tell, NULL)) == 0);
    CHECK(pthread_detach(start(leave, NULL)) == 0);
    for (;;) pause();
}

static void look(const es_entry *entry, const char *arena, void *with) {
    *(uint64_t *)with = entry->seq;
    CHECK(strcmp(arena + entry->topic_offset, "orders") == 0 || strcmp(arena + entry->payload_type_offset, "RunEnded") == 0);
}

/* The run that a session left, as the next process finds it. */
static void check_left(const char *run_id, uint64_t told) {
    es_reader *reader = NULL;
    es_close_result sealed = ES_CLOSE_RESULT_INIT;
    uint64_t last = 0;
    MUST(es_open_crashed_run(base, ES_NTS, INSTANCE, ES_NTS, run_id, ES_NTS, NULL, &reader, &err_));
    for_each(reader, 1 << 16, look, &last);
    CHECK(last >= told);
    if (way == CLOSED_AT_EXIT) {
        es_status status = es_seal_run(reader, ES_RUN_CRASHED_RECOVERED, &sealed, NULL);
        CHECK(status == ES_ERR_CLOSED);
    } else {
        MUST(es_seal_run(reader, ES_RUN_CRASHED_RECOVERED, &sealed, &err_));
    }
    es_free_reader(reader);
}

static void one_session(unsigned number, uint64_t *told_in_all) {
    char run_id[32];
    int ends[2], status = 0;
    uint64_t seq, told = 0;
    pid_t child;
    snprintf(run_id, sizeof run_id, "exit-%u", number);
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(ends[0]);
        acknowledged = ends[1];
        alarm(120); /* hangs are failures */
        session(run_id);
    }
    close(ends[1]);
    while (read(ends[0], &seq, sizeof seq) == (ssize_t)sizeof seq) {
        CHECK(seq > told);
        told = seq;
        (*told_in_all)++;
    }
    close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CODE);
    /* In a child of its own too: the sessions are forked from a process without the library. */
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        check_left(run_id, told);
        fflush(stdout);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv) {
    unsigned number;
    uint64_t told = 0;
    if (!begin(argc, argv, 3)) return 2;
    for (number = 0; number < scaled(20); number++) {
        way = (enum way)(number % WAYS);
        one_session(number, &told);
    }
    CHECK(told >= scaled(20));
    return end("exit");
}
