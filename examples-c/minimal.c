/* The smallest complete use of the store: one durable event, sealed, read back.
 *
 *     minimal [DIRECTORY]
 *
 * Prints the event; exit code 0 only when every call succeeded. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "eventstore.h"

int main(int argc, char **argv) {
    const char *base = argc > 1 ? argv[1] : "runs";
    es_manifest manifest = ES_MANIFEST_INIT;
    es_open_options options = ES_OPEN_OPTIONS_INIT;
    es_close_result closed = ES_CLOSE_RESULT_INIT;
    es_run *run = NULL;
    es_reader *reader = NULL;
    es_draft draft = ES_DRAFT_INIT;
    es_index_key key;
    es_entry entry;
    es_error err;
    es_status status;
    char run_id[32];
    char arena[4096];
    uint64_t seq = 0;
    size_t needed = 0;
    int exit_code = 1;

    err.message[0] = '\0';
    manifest.instance_id.data = "TRADER-1";
    manifest.instance_id.len = ES_NTS;
    snprintf(run_id, sizeof run_id, "%lld", (long long)time(NULL)); /* each session its own */
    manifest.run_id.data = run_id;
    manifest.run_id.len = ES_NTS;
    manifest.start_ts_init = UINT64_C(1740992400000000000);

    /* How long a full queue may stand still before the run ends itself. 250 ms is the default; a
     * disk shared with a build needs more, an engine that must not trade unrecorded maybe less. */
    options.halt_after_ns = UINT64_C(10000000000);

    status = es_open_run(base, ES_NTS, &manifest, &options, &run, &err);
    if (status != ES_OK) {
        goto done;
    }

    memset(&key, 0, sizeof key);
    key.kind = ES_INDEX_CLIENT_ORDER_ID;
    key.key = "ORDER-1";
    key.key_len = ES_NTS;

    draft.topic = "orders.SIM.ALFA";
    draft.topic_len = ES_NTS;
    draft.payload_type = "OrderAccepted";
    draft.payload_type_len = ES_NTS;
    draft.payload = "{\"order\":\"ORDER-1\",\"price\":\"10.05\"}";
    draft.payload_len = strlen((const char *)draft.payload);
    draft.keys = &key;
    draft.key_count = 1;
    draft.ts_init = UINT64_C(1740992400000000001);

    status = es_submit(run, &draft, sizeof draft, NULL, &seq, &err); /* returns at once */
    if (status != ES_OK) {
        goto done;
    }
    status = es_wait_durable(run, seq, ES_FOREVER, &err); /* from here on it survives */
    if (status != ES_OK) {
        goto done;
    }
    status = es_close_run(run, NULL, &closed, &err);
    if (status != ES_OK) {
        goto done;
    }
    if (!closed.sealed) { /* the run had halted: it is left for recovery, and this is why */
        status = closed.halt_status;
        goto done;
    }

    status = es_open_reader(run, &reader, &err);
    if (status != ES_OK) {
        goto done;
    }
    status = es_lookup(reader, ES_INDEX_CLIENT_ORDER_ID, "ORDER-1", ES_NTS, &seq, &err);
    if (status != ES_OK) {
        goto done;
    }
    status = es_get_entry(reader, seq, &entry, sizeof entry, arena, sizeof arena, &needed, &err);
    if (status != ES_OK) {
        goto done;
    }
    printf("seq %" PRIu64 " of %" PRIu64 ": %s %s %.*s\n", entry.seq, closed.high_watermark,
           arena + entry.topic_offset, arena + entry.payload_type_offset, (int)entry.payload_len,
           arena + entry.payload_offset);
    exit_code = 0;
done:
    if (status != ES_OK) {
        fprintf(stderr, "%s: %s\n", es_status_name(status),
                err.message[0] != '\0' ? err.message : es_status_message(status));
    }
    es_free_reader(reader);
    es_free_run(run);
    return exit_code;
}
