/* A library that panics in every call (planted): each answers so, and nothing else happens.
 *
 * usage: ES_PLANT=panic_in_call panic
 */
#include "check.h"

int main(void) {
    es_manifest manifest = ES_MANIFEST_INIT;
    es_reader *reader = (es_reader *)(void *)&err;
    watch(NULL);
    REFUSED(ES_ERR_PANIC, "planted at the start of a call", es_flush(NULL, 0, &err));
    REFUSED(ES_ERR_PANIC, "src/ffi/panic.rs line",
            es_open_run("base", ES_NTS, &manifest, NULL, &out.run, &err));
    REFUSED(ES_ERR_PANIC, "planted", es_get_high_watermark(reader, &out.seq, &err));
    CHECK(es_flush(NULL, 0, NULL) == ES_ERR_PANIC, "without es_error");
    CHECK(es_init_manifest(&manifest, sizeof manifest) == ES_ERR_PANIC, "a call that takes no es_error");
    CHECK(es_status_is_fatal(ES_ERR_PANIC) == 1, "the caller is told to give up");
    es_free_run(NULL);
    es_free_reader(reader);
    ACCEPTED(es_status_is_retryable(ES_OK));
    printf("panic: %u calls checked, %u failures\n", calls, failures);
    return failures == 0 ? 0 : 1;
}
