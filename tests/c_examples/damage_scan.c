/* Preloaded before the library: changes one byte that es_scan_range gives back, at the sequence that
 * ES_DAMAGE_SEQ names. An example that compares must notice. */
#define _GNU_SOURCE /* RTLD_NEXT */

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "eventstore.h"

typedef es_status (*scan_range_fn)(es_reader *, const es_scan_request *, es_entry *, size_t, size_t,
                                   void *, size_t, es_scan_result *, es_error *);

es_status es_scan_range(es_reader *reader, const es_scan_request *request, es_entry *entries,
                        size_t stride, size_t entry_cap, void *arena, size_t arena_cap,
                        es_scan_result *result, es_error *err) {
    void *symbol = dlsym(RTLD_NEXT, "es_scan_range");
    const char *seq_text = getenv("ES_DAMAGE_SEQ");
    const char *part = getenv("ES_DAMAGE_PART");
    scan_range_fn real;
    es_status status;
    uint64_t seq;
    uint64_t i;
    if (symbol == NULL || seq_text == NULL || part == NULL) {
        abort();
    }
    memcpy(&real, &symbol, sizeof real);
    seq = strtoull(seq_text, NULL, 10);
    status = real(reader, request, entries, stride, entry_cap, arena, arena_cap, result, err);
    for (i = 0; status == ES_OK && i < result->rows; i++) {
        es_entry *entry = &entries[i];
        if (entry->seq != seq) {
            continue;
        }
        if (strcmp(part, "payload") == 0) {
            ((uint8_t *)arena)[entry->payload_offset + entry->payload_len - 1] ^= 1;
        } else if (strcmp(part, "topic") == 0) {
            ((uint8_t *)arena)[entry->topic_offset] ^= 1;
        } else if (strcmp(part, "payload_type") == 0) {
            ((uint8_t *)arena)[entry->payload_type_offset] ^= 1;
        } else if (strcmp(part, "keys") == 0) {
            ((uint8_t *)arena)[entry->keys_offset + entry->keys_len - 1] ^= 1;
        } else if (strcmp(part, "ts_init") == 0) {
            entry->ts_init ^= 1;
        } else if (strcmp(part, "ts_publish") == 0) {
            entry->ts_publish ^= 1;
        } else if (strcmp(part, "correlation_id") == 0) {
            entry->correlation_id[15] ^= 1;
        } else if (strcmp(part, "causation_id") == 0) {
            entry->causation_id[15] ^= 1;
        } else {
            abort();
        }
    }
    return status;
}
