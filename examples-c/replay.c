/* What an engine does when it starts again: the anchored snapshot first, then the tail.
 *
 *     replay RUN_FILE
 *
 * Restores the positions of a run that session.c captured: loads the snapshot that the anchor names,
 * checks that it is the one that was anchored, applies every event after it, prints the result.
 * Without an anchor it begins with empty positions and replays everything. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eventstore.h"
#include "message.h"
#include "positions.h"

enum { PAGE_ENTRIES = 1024, ARENA_BYTES = 1024 * 1024, TEXT_BYTES = 64 * 1024 };

typedef struct replay {
    es_reader *reader;
    positions held;
    uint64_t applied[MESSAGE_TYPE_COUNT];
    uint64_t skipped; /* entries that are no message of the engine's: the store's RunEnded */
    es_entry *entries;
    uint8_t *arena;
    size_t arena_cap;
} replay;

static int complain(const char *doing, es_status status, const es_error *err) {
    const char *text = err != NULL && err->message[0] != '\0' ? err->message
                                                               : es_status_message(status);
    fprintf(stderr, "%s: %s: %s\n", doing, es_status_name(status), text);
    return -1;
}

static int print_run(replay *r) {
    es_manifest manifest = ES_MANIFEST_INIT;
    size_t needed = 0;
    es_error err;
    es_status status = es_get_manifest(r->reader, &manifest, r->arena, r->arena_cap, &needed, &err);
    if (status != ES_OK) {
        return complain("es_get_manifest", status, &err);
    }
    printf("run         %s of %s, %" PRIu64 " entries\n", manifest.run_id.data,
           manifest.instance_id.data, manifest.high_watermark);
    return 0;
}

static int load_snapshot(replay *r) {
    es_anchor anchor;
    char texts[TEXT_BYTES];
    char hash[CONTENT_HASH_BYTES_MAX];
    size_t needed = 0;
    es_error err;
    es_status status =
        es_get_anchor(r->reader, &anchor, sizeof anchor, texts, sizeof texts, &needed, &err);
    if (status != ES_OK) {
        return complain("es_get_anchor", status, &err);
    }
    if (positions_load(&r->held, anchor.blob_ref.data) != 0) {
        perror(anchor.blob_ref.data);
        return -1;
    }
    positions_hash(&r->held, hash);
    if (strcmp(hash, anchor.content_hash.data) != 0) {
        fprintf(stderr, "%s: the anchor says %s, the file is %s\n", anchor.blob_ref.data,
                anchor.content_hash.data, hash);
        return -1;
    }
    printf("snapshot    seq 1 to %" PRIu64 ", %s: %s\n", anchor.high_watermark, hash,
           anchor.blob_ref.data);
    return 0;
}

static void apply(replay *r, const es_entry *entry) {
    int type = message_type_of((const char *)r->arena + entry->payload_type_offset,
                               entry->payload_type_len);
    message m;
    memset(&m, 0, sizeof m);
    if (type < 0 || message_decode(r->arena + entry->payload_offset, entry->payload_len, &m) != 0) {
        r->skipped += 1;
        return;
    }
    m.type = (uint8_t)type;
    r->applied[type] += 1;
    positions_apply(&r->held, &m);
}

/* Called when one entry alone is larger than the arena. */
static int grow_arena(replay *r, uint64_t required) {
    uint8_t *grown = (uint8_t *)realloc(r->arena, (size_t)required);
    if (grown == NULL) {
        return complain("arena", ES_ERR_OUT_OF_MEMORY, NULL);
    }
    r->arena = grown;
    r->arena_cap = (size_t)required;
    return 0;
}

static int replay_tail(replay *r, uint64_t from, uint64_t to) {
    es_scan_request request = ES_SCAN_REQUEST_INIT;
    es_scan_result result = ES_SCAN_RESULT_INIT;
    es_error err;
    request.from = from;
    request.to = to;
    do {
        uint64_t i;
        es_status status = es_scan_range(r->reader, &request, r->entries, sizeof r->entries[0],
                                         PAGE_ENTRIES, r->arena, r->arena_cap, &result, &err);
        if (status == ES_ERR_BUFFER_TOO_SMALL && grow_arena(r, err.required) == 0) {
            result.more = 1;
            continue;
        }
        if (status != ES_OK) {
            return complain("es_scan_range", status, &err);
        }
        for (i = 0; i < result.rows; i++) {
            apply(r, &r->entries[i]);
        }
        request.from = result.next_seq;
    } while (result.more);
    return 0;
}

static int restore(replay *r) {
    es_restore_plan plan = ES_RESTORE_PLAN_INIT;
    es_error err;
    es_status status = es_get_restore_plan(r->reader, &plan, &err);
    if (status != ES_OK) {
        return complain("es_get_restore_plan", status, &err);
    }
    if (!plan.has_anchor) {
        printf("snapshot    none: from the beginning\n");
    } else if (load_snapshot(r) != 0) {
        return -1;
    }
    if (plan.replay_from > plan.replay_to) {
        printf("replay      nothing: the snapshot covers everything\n");
        return 0;
    }
    printf("replay      seq %" PRIu64 " to %" PRIu64 "\n", plan.replay_from, plan.replay_to);
    return replay_tail(r, plan.replay_from, plan.replay_to);
}

static void print_outcome(const replay *r) {
    unsigned type;
    for (type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        if (r->applied[type] > 0) {
            printf("  %-20s %10" PRIu64 "\n", message_type_name(type), r->applied[type]);
        }
    }
    printf("  %-20s %10" PRIu64 "\n", "skipped", r->skipped);
    printf("positions restored\n");
    positions_print(&r->held, stdout);
}

int main(int argc, char **argv) {
    static replay r; /* zero */
    es_error err;
    es_status status;
    int exit_code = 1;
    if (argc != 2) {
        fprintf(stderr, "usage: replay RUN_FILE\n");
        return 2;
    }
    r.entries = (es_entry *)malloc(PAGE_ENTRIES * sizeof *r.entries);
    r.arena = (uint8_t *)malloc(ARENA_BYTES);
    r.arena_cap = ARENA_BYTES;
    if (r.entries == NULL || r.arena == NULL) {
        complain("replay", ES_ERR_OUT_OF_MEMORY, NULL);
        goto done;
    }
    status = es_open_sealed_run(argv[1], ES_NTS, NULL, &r.reader, &err);
    if (status != ES_OK) {
        complain(argv[1], status, &err);
        goto done;
    }
    if (print_run(&r) != 0 || restore(&r) != 0) {
        goto done;
    }
    print_outcome(&r);
    exit_code = 0;
done:
    es_free_reader(r.reader);
    free(r.entries);
    free(r.arena);
    return exit_code;
}
