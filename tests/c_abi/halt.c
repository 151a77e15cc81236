/* A run that halts: the callback comes once, may ask for the state alone, and the host lives.
 *
 * usage: halt redb|log BASE
 */
#include "check.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

typedef struct noticed {
    es_run *run;
    unsigned times;
    es_status reason;
    int32_t os_errno;
    atomic_int done; /* the callback may still run when the first waiter is awake */
} noticed;

/* What a host does there: look at the state. And what it must not do. */
static void on_halt(void *context, es_status reason, int32_t os_errno) {
    noticed *seen = (noticed *)context;
    es_draft draft = ES_DRAFT_INIT;
    es_error problem;
    es_reader *reader = NULL;
    es_run_state state;
    seen->times++;
    seen->reason = reason;
    seen->os_errno = os_errno;
    CHECK(es_get_run_state(seen->run, &state, sizeof state, &problem) == ES_OK, "state is legal here");
    CHECK(es_submit(seen->run, &draft, sizeof draft, NULL, NULL, &problem) == ES_ERR_BUSY, "submit");
    CHECK(es_flush(seen->run, ES_FOREVER, &problem) == ES_ERR_BUSY, "flush");
    CHECK(es_wait_durable(seen->run, 0, 0, &problem) == ES_ERR_BUSY, "wait");
    CHECK(es_close_run(seen->run, NULL, NULL, &problem) == ES_ERR_BUSY, "close");
    CHECK(es_open_reader(seen->run, &reader, &problem) == ES_ERR_BUSY && reader == NULL, "reader");
    es_free_run(seen->run);
    CHECK(es_get_run_state(seen->run, &state, sizeof state, &problem) == ES_OK, "free does nothing here");
    atomic_store(&seen->done, 1);
}

int main(int argc, char **argv) {
    static char payload[100000];
    struct rlimit limit = {8 << 20, 8 << 20};
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    es_draft draft = ES_DRAFT_INIT;
    noticed seen = {NULL, 0, ES_OK, 0, 0};
    struct timespec moment = {0, 1000000};
    int waited_ms = 0;
    es_reader *reader;
    uint64_t durable;
    es_status status;
    es_error halted;
    unsigned appended = 0;

    if (argc != 3) return 2;
    watch(NULL);
    options.backend = backend_of(argv[1]);
    manifest.run_id.data = "halts";
    manifest.run_id.len = ES_NTS;
    manifest.instance_id.data = "instance";
    manifest.instance_id.len = ES_NTS;
    options.halt_after_ns = ES_FOREVER;
    options.on_halt = on_halt;
    options.on_halt_context = &seen;
    draft.topic = "t";
    draft.topic_len = ES_NTS;
    draft.payload_type = "p";
    draft.payload_type_len = ES_NTS;
    draft.payload = payload;
    draft.payload_len = sizeof payload;
    ACCEPTED(es_open_run(argv[2], ES_NTS, &manifest, &options, &out.run, &err));
    seen.run = out.run;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;

    do {
        status = es_append_batch(seen.run, &draft, sizeof draft, 1, NULL, NULL, &err);
    } while (status == ES_OK && ++appended < 1000);
    halted = err;
    while (!atomic_load(&seen.done) && waited_ms++ < 10000) nanosleep(&moment, NULL);
    CHECK(status == ES_ERR_HALTED, "the run halts at its limit");
    CHECK(halted.seq == appended + 1 && halted.count == 1 && halted.os_errno == EFBIG, "what was claimed, and why");
    ACCEPTED(es_get_run_state(seen.run, &out.state, sizeof out.state, &err));
    CHECK(out.state.phase == ES_PHASE_HALTED && out.state.halt_status == ES_ERR_DISK, "halted, disk");
    CHECK(out.state.halt_errno == EFBIG && out.state.high_watermark == appended, "EFBIG, what was acknowledged");
    durable = out.state.high_watermark;
    CHECK(seen.times == 1 && seen.reason == ES_ERR_DISK && seen.os_errno == EFBIG, "told once, with the reason");

    REFUSED(ES_ERR_HALTED, "halted", es_submit(seen.run, &draft, sizeof draft, NULL, &out.seq, &err));
    REFUSED(ES_ERR_HALTED, "halted", es_append_batch(seen.run, &draft, sizeof draft, 1, NULL, &out.append, &err));
    CHECK(err.count == 0, "nothing more was claimed");
    ACCEPTED(es_wait_durable(seen.run, durable, 0, &err));
    ACCEPTED(es_close_run(seen.run, NULL, &out.close, &err));
    CHECK(out.close.sealed == 0 && out.close.status == ES_RUN_RUNNING, "not sealed");
    CHECK(out.close.halt_status == ES_ERR_DISK && out.close.halt_errno == EFBIG, "and why");
    CHECK(out.close.high_watermark == durable && out.close.digest_present == 0, "what is durable");
    REFUSED(ES_ERR_HALTED, "File too large", es_flush(seen.run, ES_FOREVER, &err));
    CHECK(strstr(err.message, "halted") != NULL && err.os_errno == EFBIG, "in words, after the close too");
    es_free_run(seen.run);

    /* Recovered with the limit still in force, once what the writer had begun has ended. */
    do {
        prepare();
        status = es_open_crashed_run(argv[2], ES_NTS, "instance", ES_NTS, "halts", ES_NTS, NULL, &out.reader, &err);
    } while (status == ES_ERR_LOCKED && waited_ms++ < 10000 && nanosleep(&moment, NULL) == 0);
    CHECK(status == ES_OK, "it opens");
    reader = out.reader;
    ACCEPTED(es_get_high_watermark(reader, &out.seq, &err));
    CHECK(out.seq >= durable, "acknowledged is durable");
    ACCEPTED(es_seal_run(reader, ES_RUN_CRASHED_RECOVERED, &out.close, &err));
    CHECK(out.close.sealed == 1 && out.close.digest_present == 1, "sealed");
    es_free_reader(reader);
    printf("halt over %s: %u calls checked, %u failures\n", argv[1], calls, failures);
    return failures == 0 ? 0 : 1;
}
