/* eventstore.h: an embedded, append-only, durable event store for trading engines.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Generated from src/ffi by tests/header.rs; do not edit.
 *
 * QUICK START (a whole program; tests compile and run it)
 *
 *     #include <eventstore.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         es_run *run = NULL;
 *         es_error err;
 *         uint64_t seq = 0;
 *         es_manifest manifest = ES_MANIFEST_INIT;
 *         es_open_options options = ES_OPEN_OPTIONS_INIT;
 *         es_draft draft = ES_DRAFT_INIT;
 *         es_close_result closed = ES_CLOSE_RESULT_INIT;
 *         manifest.run_id.data = "run-1",       manifest.run_id.len = ES_NTS;
 *         manifest.instance_id.data = "engine", manifest.instance_id.len = ES_NTS;
 *         options.halt_after_ns = 5000000000u;
 *         draft.topic = "orders",           draft.topic_len = ES_NTS;
 *         draft.payload_type = "text/plain", draft.payload_type_len = ES_NTS;
 *         draft.payload = "buy 1",          draft.payload_len = 5;
 *         if (es_open_run("runs", ES_NTS, &manifest, &options, &run, &err) != ES_OK) goto failed;
 *         if (es_submit(run, &draft, sizeof draft, NULL, &seq, &err) != ES_OK) goto failed;
 *         if (es_wait_durable(run, seq, ES_FOREVER, &err) != ES_OK) goto failed;
 *         if (es_close_run(run, NULL, &closed, &err) != ES_OK) goto failed;
 *         if (!closed.sealed) printf("halted: %s\n", es_status_name(closed.halt_status));
 *         printf("entry %u is on stable storage\n", (unsigned)seq);
 *         es_free_run(run);
 *         return 0;
 *     failed:
 *         fprintf(stderr, "%s: %s\n", es_status_name(err.code), err.message);
 *         es_free_run(run);
 *         return 1;
 *     }
 *
 * RULES
 *
 * Answers. Each call that can fail returns an es_status: ES_OK, or a negative number. Details go
 *   to the last parameter, the caller's es_error, which may be NULL. On failure outputs are
 *   untouched and out-handles NULL (the exceptions, *needed and the empty text for a buffer that
 *   is too small, are named at the call). No answer may be ignored; no text need be parsed.
 * Handles. es_run writes, es_reader reads, each made by an es_open_* call; es_report holds what an
 *   operation over runs answered. They are freed by es_free_run, es_free_reader, es_free_report,
 *   in any order: a reader outlives its run. NULL, a freed handle, one of another type and a wild
 *   pointer answer ES_ERR_BAD_HANDLE, and freeing them does nothing. (Best effort for freed ones:
 *   a slot is used again after at least 1,024 later frees.) Freeing a handle while another thread
 *   is in a call on it is the caller's error.
 * Structs. Set options and results up with ES_X_INIT or es_init_x: they carry their size, so that
 *   old programs run with new libraries and the other way round. Zero means the default. Fields
 *   and flags that the library does not know answer ES_ERR_UNSUPPORTED_FIELD. A struct smaller than
 *   the library's lacks fields at its end: they read as zero and are not written. Sizes that lack
 *   more than the last field of version 0.1, or above 4,096 bytes, answer ES_ERR_STRUCT_SIZE.
 *   Output structs that are larger than the library's are filled with zeros behind it.
 * Texts in are a pointer and a length, UTF-8, copied; ES_NTS as the length means NUL-terminated.
 *   NULL only with length 0. From another language give lengths: what its binding makes of a text
 *   with a NUL may be in the locale's encoding.
 * Memory out is the caller's: a buffer or arena, its capacity, and how much is needed. Too small
 *   (NULL with 0 included) answers ES_ERR_BUFFER_TOO_SMALL and says what suffices. Nothing needs
 *   to be freed but handles. Pointers may have any alignment.
 * Time. Timestamps and timeouts are nanoseconds, timestamps since the Unix epoch. A timeout_ns
 *   parameter reads 0 as poll; inside a struct 0 is the documented default and ES_POLL polls;
 *   ES_FOREVER waits without end in both. ES_FOREVER, ES_NONE and ES_NTS are all bits one: -1 where
 *   a language has signed numbers alone.
 * Sequences count from 1; 0 is none.
 * Threads. [any thread]: any number of threads at once, on the same object too. [one thread at a
 *   time per object]: the caller takes turns. [blocks]: may wait for the disk or another thread.
 *   [never blocks]: waits for neither. ES_ERR_PANIC may answer any call; it is a defect of the
 *   library, contained: free the handle and report err->message.
 *
 * CAVEATS
 *
 * - A full queue with no commit for 250 ms halts the run, unless halt_after_ns says otherwise.
 *   Set it on purpose: a laptop's disk can take longer.
 * - Acknowledged is durable. What was submitted but not acknowledged when a run halts or the
 *   process dies is unknown: after reopening, a prefix of it, in whole commits, may be there.
 * - After fork, calls on inherited handles answer ES_ERR_USED_AFTER_FORK in the child, and freeing
 *   them does nothing. The child may open its own. (Valgrind: --child-silent-after-fork=yes.)
 * - One process writes a run. Readers in other processes wait until it is sealed, but for runs of
 *   the log backend, which es_open_live_run follows while they are written.
 * - Network file systems: one that refuses locks is refused; one that only pretends to lock or to
 *   flush loses data. Use a local disk.
 * - Once loaded, the library stays loaded: dlclose does not unload it.
 * - 64-bit little-endian targets only.
 */
#ifndef EVENTSTORE_H
#define EVENTSTORE_H


#include <stddef.h>
#include <stdint.h>

/* The import or visibility marks of functions. */
#ifndef ES_API
#if defined(_WIN32) && !defined(ES_STATIC)
#define ES_API __declspec(dllimport)
#elif defined(__GNUC__)
#define ES_API __attribute__((visibility("default")))
#else
#define ES_API
#endif
#endif

/* Warns where an answer is ignored. */
#ifndef ES_MUST_USE
#if defined(__GNUC__)
#define ES_MUST_USE __attribute__((warn_unused_result))
#elif defined(_MSC_VER)
#define ES_MUST_USE _Check_return_
#else
#define ES_MUST_USE
#endif
#endif

/* versions and sentinels */
/** The version of this interface: major << 16 | minor. This is 0.1. */
#define ES_ABI_VERSION 1u
/** As the length of a text: the text ends at its NUL. */
#define ES_NTS SIZE_MAX
/** As a timeout_ns inside a struct: do not wait. (There, 0 means the default.) */
#define ES_POLL 1ull
/** As a timeout: wait without end. As halt_after_ns: never halt for a stall. */
#define ES_FOREVER UINT64_MAX
/** No item (es_error.item_index); not known (es_run_stats.free_bytes). */
#define ES_NONE UINT64_MAX
/* es_open_options.flags */
/** No thread and no clock: the host calls es_do_work. */
#define ES_OPEN_MANUAL_WRITER 1u
/** Write a RunStarted entry as seq 1, durable before open returns. */
#define ES_OPEN_RUN_STARTED 2u
/** Make all of the queue's memory at open, queue_bytes / queue_entries for each entry, and
 * touch it. */
#define ES_OPEN_PREFAULT 4u
/** Refuse correlation and causation ids that are not RFC 4122 version 4. */
#define ES_OPEN_REQUIRE_UUID_V4 8u
/** digest_key holds a key for the run digest. */
#define ES_OPEN_DIGEST_KEY 16u
/** As ES_OPEN_PREFAULT, and lock it into memory until the run is freed. */
#define ES_OPEN_LOCK_MEMORY 32u
/* es_open_options.backend */
/** One file per run. The default. */
#define ES_BACKEND_REDB 1u
/** No file; for tests and simulation. */
#define ES_BACKEND_MEMORY 2u
/** One directory per run: a commit is one write and one flush. */
#define ES_BACKEND_LOG 3u
/* es_open_options.durability */
/** Two flushes per commit: no damage of the newest commit can pass for one that never was. The
 * default. */
#define ES_DURABILITY_TWO_PHASE 1u
/** One flush per commit; after a kill or power loss a newest commit that was damaged on the
 * disk is dropped without a word. */
#define ES_DURABILITY_ONE_PHASE 2u
/* es_open_options.wait_policy */
/** It looks without a pause while hot, then parks: a core for the lowest latency. */
#define ES_WAIT_SPIN 1u
/** It looks about every 100 us while hot, then parks. The default. */
#define ES_WAIT_TIMED 2u
/** It parks as soon as it has no work; each submit into an idle run costs a system call. */
#define ES_WAIT_PARK 3u
/* es_manifest.status, es_close_result.status */
/** Being written, or its process died. */
#define ES_RUN_RUNNING 0u
/** Stopped in order; sealed. */
#define ES_RUN_ENDED 1u
/** Its process died; sealed afterwards. */
#define ES_RUN_CRASHED_RECOVERED 2u
/** Failed its integrity check; sealed without a digest. */
#define ES_RUN_QUARANTINED 3u
/* es_manifest.flags */
/** seed is set. */
#define ES_MANIFEST_HAS_SEED 1u
/** end_ts_init is set (sealed runs with entries). */
#define ES_MANIFEST_HAS_END 2u
/* es_draft.flags */
/** correlation_id is set. */
#define ES_DRAFT_HAS_CORRELATION_ID 1u
/** causation_id is set. */
#define ES_DRAFT_HAS_CAUSATION_ID 2u
/* es_entry.flags */
/** correlation_id is set. */
#define ES_ENTRY_HAS_CORRELATION_ID 1u
/** causation_id is set. */
#define ES_ENTRY_HAS_CAUSATION_ID 2u
/** The file records this entry's keys: key_count 0 means it has none. Without the flag they are
 * unknown. */
#define ES_ENTRY_KEYS_RECORDED 4u
/* es_index_key.kind, es_index_request.kind */
/** The id that this side gave an order. */
#define ES_INDEX_CLIENT_ORDER_ID 0u
/** The id that the venue gave an order. */
#define ES_INDEX_VENUE_ORDER_ID 1u
/* es_scan_request.direction */
/** From the smallest seq up. */
#define ES_FORWARD 0u
/** From the largest seq down. */
#define ES_BACKWARD 1u
/* es_reader_options.flags */
/** Check the whole file at open; reads it once. */
#define ES_READ_CHECK 1u
/** digest_key holds the key of a keyed run, for es_seal_run. */
#define ES_READ_DIGEST_KEY 2u
/* es_tail_result.flags */
/** The run is sealed, with status: no more entries come. */
#define ES_TAIL_SEALED 1u
/** Its writer is gone and has not sealed it: no more entries come until es_recover seals it. */
#define ES_TAIL_WRITER_GONE 2u
/* es_run_state.phase */
/** Takes entries. */
#define ES_PHASE_OPEN 0u
/** es_close_run has begun; commits what is queued. */
#define ES_PHASE_CLOSING 1u
/** Sealed. */
#define ES_PHASE_CLOSED 2u
/** Stopped by a failure; see halt_status. */
#define ES_PHASE_HALTED 3u
/* es_operation_options.flags */
/** es_recover: only say what would be done; changes nothing, locks no more than a reader does. */
#define ES_OPERATION_DRY_RUN 1u
/** digest_key holds the key of the run digest. */
#define ES_OPERATION_DIGEST_KEY 2u
/** es_verify_run: expected_digest holds what the digest must be. */
#define ES_OPERATION_EXPECTED_DIGEST 4u
/* keep of es_plan_retention */
/** Keep every run. */
#define ES_KEEP_FULL 1u
/** Keep the newest keep_count sealed runs, and the newest restore point. */
#define ES_KEEP_LAST 2u
/** Keep the newest restore point and what is not older. */
#define ES_KEEP_ANCHORED 3u
/* es_report_summary.flags */
/** status is known. */
#define ES_REPORT_HAS_STATUS 1u
/** high_watermark is known. */
#define ES_REPORT_HAS_HIGH_WATERMARK 2u
/** es_verify_run found nothing wrong. */
#define ES_REPORT_CLEAN 4u
/* es_report_summary.digest */
/** The stored digest is that of the run. */
#define ES_DIGEST_MATCHES 1u
/** It is not; there is a finding. */
#define ES_DIGEST_DIFFERS 2u
/** The file has none; reason says why. */
#define ES_DIGEST_ABSENT 3u
/** It could not be computed; reason says why. */
#define ES_DIGEST_NOT_CHECKED 4u
/* es_run_row.outcome */
/** es_list_runs: read. */
#define ES_OUTCOME_LISTED 0u
/** es_recover: it was left and is sealed now, with status. es_salvage_run: the new run. */
#define ES_OUTCOME_SEALED 1u
/** es_recover: it was sealed, not closed in order, and is closed now. */
#define ES_OUTCOME_REPAIRED 2u
/** es_recover: its structure is unsound; unchanged. Salvage it. */
#define ES_OUTCOME_DAMAGED 3u
/** Somebody holds it; left alone. */
#define ES_OUTCOME_HELD 4u
/** es_recover: a temporary name, moved into .aside. */
#define ES_OUTCOME_MOVED_ASIDE 5u
/** Not openable as a run; unchanged. */
#define ES_OUTCOME_UNREADABLE 6u
/** es_recover: the storage refused; as readable as before. Recover again. */
#define ES_OUTCOME_POSTPONED 7u
/** es_plan_retention: it stays; reason says why. */
#define ES_OUTCOME_KEPT 8u
/** es_plan_retention: it would go. */
#define ES_OUTCOME_TO_DELETE 9u
/** es_apply_retention: it is gone, durably. */
#define ES_OUTCOME_DELETED 10u
/** es_apply_retention: it is left alone; reason says why. */
#define ES_OUTCOME_SKIPPED 11u
/* es_run_row.flags */
/** status, high_watermark and start_ts_init are known. */
#define ES_ROW_HAS_MANIFEST 1u
/** end_ts_init is known. */
#define ES_ROW_HAS_END 2u
/** It was not closed in order: recover the instance. */
#define ES_ROW_NEEDS_REPAIR 4u
/* es_finding.kind */
/** The bytes of entry seq are not those that its hash was made of. */
#define ES_FINDING_HASH_MISMATCH 1u
/** The row of entry seq holds entry other_seq. */
#define ES_FINDING_SEQ_MISMATCH 2u
/** The row of entry seq is not in the format. */
#define ES_FINDING_UNDECODABLE 3u
/** Entries seq to other_seq are missing. */
#define ES_FINDING_GAP 4u
/** An index row and the entries disagree. */
#define ES_FINDING_INDEX_DRIFT 5u
/** The manifest and the entries disagree. */
#define ES_FINDING_MANIFEST_MISMATCH 6u
/** The latest anchor cannot be restored from. */
#define ES_FINDING_ANCHOR_INVALID 7u
/** The run digest is not that of the run, or absent though expected. */
#define ES_FINDING_DIGEST_MISMATCH 8u
/** The file's own structure is hurt. */
#define ES_FINDING_DAMAGED 9u
/* es_finding.drift */
/** No index drift. */
#define ES_DRIFT_NONE 0u
/** The row points at an entry that is not there. */
#define ES_DRIFT_DANGLING 1u
/** The row points at an entry that is damaged. */
#define ES_DRIFT_CORRUPTED 2u
/** The row points at an entry that is not the first with this key. */
#define ES_DRIFT_WRONG 3u
/** No row, though entry seq was committed with the key. */
#define ES_DRIFT_MISSING 4u
/* bounds; a value beyond them answers ES_ERR_INVALID_ARGUMENT */
/** Longest run_id or instance_id: A-Z a-z 0-9 . _ - and no dot first. */
#define ES_ID_BYTES_MAX 128u
/** Longest topic; the shortest is 1. */
#define ES_TOPIC_BYTES_MAX 1024u
/** Longest payload type; the shortest is 1. */
#define ES_PAYLOAD_TYPE_BYTES_MAX 1024u
/** Longest index key that a draft may carry; the shortest is 1. */
#define ES_INDEX_KEY_BYTES_MAX 512u
/** Most index keys of one draft. */
#define ES_INDEX_KEYS_MAX 16u
/** Largest payload. */
#define ES_PAYLOAD_BYTES_MAX 67108864u
/** Most drafts of one batch. */
#define ES_BATCH_ENTRIES_MAX 65536u
/** Largest batch, in bytes of its texts, payloads and keys. */
#define ES_BATCH_BYTES_MAX 268435456u

/* statuses: success */
/** Done. Nothing to do. */
#define ES_OK 0
/* statuses: the caller's mistake: nothing was done; correct the call */
/** A pointer that must not be NULL is NULL. Pass the parameter that err->message names. */
#define ES_ERR_NULL_POINTER (-1)
/** An argument is outside its documented bounds. err->message names it, err->item_index the
 * item of a batch or list. */
#define ES_ERR_INVALID_ARGUMENT (-2)
/** A struct size or stride is impossible. Initialise with ES_X_INIT or es_init_x and pass
 * sizeof as the size. */
#define ES_ERR_STRUCT_SIZE (-3)
/** A flag or field is set that this library does not know. Clear reserved fields and unknown
 * flags, or use a newer library. */
#define ES_ERR_UNSUPPORTED_FIELD (-4)
/** The handle is NULL, freed, of another type or no handle at all. Use the handle that an
 * es_open_* call gave, before it is freed. */
#define ES_ERR_BAD_HANDLE (-5)
/** The buffer is too small. Call again with a buffer of at least err->required bytes. */
#define ES_ERR_BUFFER_TOO_SMALL (-6)
/** Header and library are of different interface versions. Initialise options with ES_X_INIT
 * and link the library of that header. */
#define ES_ERR_ABI_MISMATCH (-7)
/** The handle was made before a fork and is used in the child. Open a run or reader of the
 * child's own. */
#define ES_ERR_USED_AFTER_FORK (-8)
/** A text is not UTF-8. err->message names it, err->item_index the item of a batch or list. */
#define ES_ERR_INVALID_UTF8 (-9)
/** The backend or the platform cannot do this. Choose another backend or option. */
#define ES_ERR_UNSUPPORTED (-10)
/** The call is re-entrant, or the object serves another thread. Call from outside the callback,
 * or when the other thread has returned. */
#define ES_ERR_BUSY (-11)
/* statuses: the state of things: trying again, or another name, may help */
/** The queue has no room. Nothing was claimed. Try again, or submit with a timeout. */
#define ES_ERR_QUEUE_FULL (-100)
/** The time is up. Nothing was lost. Call again to go on waiting. */
#define ES_ERR_TIMEOUT (-101)
/** Another writer, recovery or reader holds the lock. Try again when it is gone. */
#define ES_ERR_LOCKED (-102)
/** The run is sealed or closing. It takes no more entries. Open a new run. */
#define ES_ERR_CLOSED (-103)
/** The expected sequence is not the next one. Nothing was claimed. Compare err->seq with
 * err->next_seq. */
#define ES_ERR_OUT_OF_ORDER (-104)
/** A sealed run of this name exists. Choose another run id. */
#define ES_ERR_ALREADY_EXISTS (-105)
/** No such run, file, entry, key, anchor or digest. Nothing to do, or correct the name. */
#define ES_ERR_NOT_FOUND (-106)
/** The run is not sealed, or was not closed in order. Recover it, or read it with
 * es_open_crashed_run. */
#define ES_ERR_NOT_SEALED (-107)
/** A run of this name was left unsealed. Read and seal it with es_open_crashed_run, or choose
 * another run id. */
#define ES_ERR_CRASHED_PREDECESSOR (-108)
/* statuses: damaged data: do not write to the file; verify it */
/** The file's structure is damaged. Keep a copy; verify or salvage it. */
#define ES_ERR_CORRUPTED (-200)
/** An entry does not match its hash. err->seq is damaged. A scan goes on from err->seq + 1. */
#define ES_ERR_HASH_MISMATCH (-201)
/** A row holds the entry of another sequence. Row err->seq holds entry err->next_seq. A scan
 * goes on from err->seq + 1. */
#define ES_ERR_SEQ_MISMATCH (-202)
/** An entry inside the high-watermark is missing. err->seq is the first missing, err->next_seq
 * the next present one. */
#define ES_ERR_GAP (-203)
/** The file's format is not known to this library. Nothing was changed. Use a library of format
 * err->format_found; 0: see err->message. */
#define ES_ERR_UNSUPPORTED_FORMAT (-204)
/* statuses: the environment */
/** The storage refuses the write. Free space or raise the limit. A writing run has halted:
 * close it, then recover it. */
#define ES_ERR_DISK (-300)
/** The backend failed. err->message and err->os_errno say why. A writing run has halted: close
 * it. */
#define ES_ERR_BACKEND (-301)
/** No memory for the call. Nothing was claimed or written. Free memory, then try again. */
#define ES_ERR_OUT_OF_MEMORY (-302)
/* statuses: fatal: the object takes no more work */
/** The run has halted. es_get_run_state names the first reason. Close it, then recover it. */
#define ES_ERR_HALTED (-400)
/** The library failed an internal check. Free the handle; err->message holds the text to
 * report. */
#define ES_ERR_PANIC (-401)

/* Initialisers, as in: es_open_options options = ES_OPEN_OPTIONS_INIT; */
#define ES_STRING_INIT {NULL, 0}
#define ES_OPEN_OPTIONS_INIT {(uint32_t)sizeof(es_open_options), ES_ABI_VERSION, \
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, {0}, {0}}
#define ES_READER_OPTIONS_INIT {(uint32_t)sizeof(es_reader_options), ES_ABI_VERSION, \
    0, 0, 0, {0}, {0}}
#define ES_MANIFEST_INIT {(uint32_t)sizeof(es_manifest), 0, \
    ES_STRING_INIT, ES_STRING_INIT, ES_STRING_INIT, ES_STRING_INIT, ES_STRING_INIT, ES_STRING_INIT, \
    NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, 0, 0, 0, {0}}
#define ES_DRAFT_INIT {NULL, 0, NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, {0}, {0}}
#define ES_PACKED_DRAFT_INIT {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {0}, {0}}
#define ES_INDEX_KEY_INIT {NULL, 0, 0, 0}
#define ES_SUBMIT_OPTIONS_INIT {(uint32_t)sizeof(es_submit_options), 0, 0, 0, {0}}
#define ES_APPEND_OPTIONS_INIT {(uint32_t)sizeof(es_append_options), 0, 0, {0}}
#define ES_APPEND_RESULT_INIT {(uint32_t)sizeof(es_append_result), 0, 0, 0, 0}
#define ES_CLOSE_OPTIONS_INIT {(uint32_t)sizeof(es_close_options), 0, 0, 0, 0, {0}}
#define ES_CLOSE_RESULT_INIT {(uint32_t)sizeof(es_close_result), 0, 0, 0, 0, {0}, 0, 0, {0}}
#define ES_SCAN_REQUEST_INIT {(uint32_t)sizeof(es_scan_request), ES_FORWARD, 1, UINT64_MAX, 0, 0, {0}}
#define ES_SCAN_RESULT_INIT {(uint32_t)sizeof(es_scan_result), 0, 0, 0, 0, 0}
#define ES_TAIL_RESULT_INIT {(uint32_t)sizeof(es_tail_result), 0, 0, 0, 0, {0}}
#define ES_INDEX_REQUEST_INIT {(uint32_t)sizeof(es_index_request), 0, NULL, 0, 0, {0}}
#define ES_INDEX_RESULT_INIT {(uint32_t)sizeof(es_index_result), 0, 0, 0}
#define ES_RESTORE_PLAN_INIT {(uint32_t)sizeof(es_restore_plan), 0, 0, 0, 0}
#define ES_OPERATION_OPTIONS_INIT {(uint32_t)sizeof(es_operation_options), ES_ABI_VERSION, \
    0, 0, 0, {0}, {0}, {0}}
#define ES_REPORT_SUMMARY_INIT {(uint32_t)sizeof(es_report_summary), 0, 0, 0, 0, 0, 0, 0, 0, \
    {0}, {0}, {0}, {0}}
#define ES_PAGE_RESULT_INIT {(uint32_t)sizeof(es_page_result), 0, 0, 0}
#define ES_COPY_RESULT_INIT {(uint32_t)sizeof(es_copy_result), 0, 0, 0, 0, 0, {0}}


/**
 * A view of a run for reading. Made by es_open_reader, es_open_sealed_run, es_open_live_run or
 * es_open_crashed_run, freed by es_free_reader; independent of any es_run.
 */
typedef struct es_reader es_reader;

/**
 * What an operation over runs answered. Made by es_list_runs, es_recover, es_verify_run,
 * es_salvage_run, es_plan_retention or es_apply_retention, freed by es_free_report; holds memory
 * alone, no file and no lock.
 */
typedef struct es_report es_report;

/**
 * A run that this process writes. Made by es_open_run, freed by es_free_run; its readers outlive
 * it. After es_close_run it still answers state, stats, path, es_wait_durable and
 * es_open_reader.
 */
typedef struct es_run es_run;

/**
 * What a call answered: ES_OK (0), or one of the negative ES_ERR_* numbers. Positive numbers are
 * never returned. Compare with the constants; a number that your header does not name is a
 * failure all the same.
 */
typedef int32_t es_status;

/**
 * A text: UTF-8 bytes and how many. In: len may be ES_NTS, and data NULL only with len 0. Out:
 * data is NUL-terminated, the NUL not counted.
 */
typedef struct es_string {
    /**
     * The bytes.
     */
    const char *data;
    /**
     * How many.
     */
    size_t len;
} es_string;

/**
 * A name and what it stands for.
 */
typedef struct es_string_pair {
    /**
     * The name.
     */
    struct es_string key;
    /**
     * What it stands for.
     */
    struct es_string value;
} es_string_pair;

/**
 * What a run says of itself. In, for es_open_run: pointers into the caller's memory, needed
 * during the call only. Out, of es_get_manifest: pointers into the caller's arena, valid as long
 * as that is neither moved nor overwritten. Initialise with ES_MANIFEST_INIT or
 * es_init_manifest. Lists keep their order.
 */
typedef struct es_manifest {
    /**
     * sizeof(es_manifest).
     */
    uint32_t struct_size;
    /**
     * Version of the payload schemas.
     */
    uint32_t schema_version;
    /**
     * Names the run, unique in its instance; it names the file. 1 to 128 bytes A-Z a-z 0-9 . _ -
     * and no dot first.
     */
    struct es_string run_id;
    /**
     * The run whose state this one continues; data NULL: none.
     */
    struct es_string parent_run_id;
    /**
     * The trading instance; it names the directory. Same alphabet as run_id.
     */
    struct es_string instance_id;
    /**
     * Hash of the engine's binary.
     */
    struct es_string binary_hash;
    /**
     * Versions of the engine's parts.
     */
    struct es_string crate_versions;
    /**
     * Hash of the engine's configuration.
     */
    struct es_string config_hash;
    /**
     * Features that the engine was built with.
     */
    const struct es_string *feature_flags;
    /**
     * How many.
     */
    size_t feature_flag_count;
    /**
     * Adapter name to version.
     */
    const struct es_string_pair *adapter_versions;
    /**
     * How many.
     */
    size_t adapter_version_count;
    /**
     * Actor id to configuration hash.
     */
    const struct es_string_pair *actors;
    /**
     * How many.
     */
    size_t actor_count;
    /**
     * Strategy id to configuration hash.
     */
    const struct es_string_pair *strategies;
    /**
     * How many.
     */
    size_t strategy_count;
    /**
     * Execution algorithm id to configuration hash.
     */
    const struct es_string_pair *algorithms;
    /**
     * How many.
     */
    size_t algorithm_count;
    /**
     * Subscribed topics.
     */
    const struct es_string *subscriptions;
    /**
     * How many.
     */
    size_t subscription_count;
    /**
     * Registered endpoints.
     */
    const struct es_string *endpoints;
    /**
     * How many.
     */
    size_t endpoint_count;
    /**
     * Seed of a deterministic engine, with ES_MANIFEST_HAS_SEED.
     */
    uint64_t seed;
    /**
     * When the run started, in nanoseconds since the Unix epoch.
     */
    uint64_t start_ts_init;
    /**
     * Out, with ES_MANIFEST_HAS_END: the largest ts_init, once sealed. In: 0.
     */
    uint64_t end_ts_init;
    /**
     * Out: the largest durable seq, once sealed. In: 0.
     */
    uint64_t high_watermark;
    /**
     * Out: ES_RUN_*. In: ES_RUN_RUNNING.
     */
    uint32_t status;
    /**
     * ES_MANIFEST_*.
     */
    uint32_t flags;
    /**
     * Zero.
     */
    uint64_t reserved[4];
} es_manifest;

/**
 * What went wrong, for programs (numbers) and for people (message). The caller's memory, 256
 * bytes in every version 0.x and 1.x; what it holds before a call is ignored. A failing call
 * writes all of it; a successful one does not touch it. A number that does not apply is 0.
 */
typedef struct es_error {
    /**
     * The status that the call returned.
     */
    es_status code;
    /**
     * The operating system's number, or 0.
     */
    int32_t os_errno;
    /**
     * Which item of a batch or list, from 0; ES_NONE when no item is meant.
     */
    uint64_t item_index;
    /**
     * OUT_OF_ORDER: the seq asked for. HASH_MISMATCH, SEQ_MISMATCH: the damaged row. GAP: the
     * first missing. es_append_batch that fails after its claim: the first claimed.
     */
    uint64_t seq;
    /**
     * OUT_OF_ORDER: the seq it would have got. SEQ_MISMATCH: the seq inside the row. GAP: the
     * next present.
     */
    uint64_t next_seq;
    /**
     * GAP: the last present before the hole, or 0.
     */
    uint64_t prev_seq;
    /**
     * OUT_OF_ORDER: the largest durable seq.
     */
    uint64_t high_watermark;
    /**
     * es_append_batch that fails after its claim: how many were claimed. Whether they are in the
     * run is known after it is reopened: its high-watermark says.
     */
    uint64_t count;
    /**
     * BUFFER_TOO_SMALL: the capacity that suffices, in bytes.
     */
    uint64_t required;
    /**
     * UNSUPPORTED_FORMAT: the store format of the file; 0: it is the database below that is of
     * another format, message says of which.
     */
    uint32_t format_found;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * One line of UTF-8, NUL-terminated, cut at a character: what, where, found against
     * expected, and what to do. Empty for QUEUE_FULL and TIMEOUT. Never parse it.
     */
    char message[184];
} es_error;

/**
 * Told once, when a run halts: the first reason's status and the operating system's number.
 * It runs on the thread that noticed, inside its call or on the store's own thread, must return
 * soon, and may call es_get_run_state only; any other call on that run answers ES_ERR_BUSY, and
 * es_free_run does nothing. It may run before es_open_run has returned. It must not unwind or
 * longjmp out.
 */
typedef void (*es_halt_fn)(void *context,
                           es_status status,
                           int32_t os_errno);

/**
 * How es_open_run opens a run. Zero always means the default. Initialise with
 * ES_OPEN_OPTIONS_INIT or es_init_open_options.
 */
typedef struct es_open_options {
    /**
     * sizeof(es_open_options).
     */
    uint32_t struct_size;
    /**
     * ES_ABI_VERSION; 0 or another major version answers ES_ERR_ABI_MISMATCH.
     */
    uint32_t abi_version;
    /**
     * ES_OPEN_*.
     */
    uint32_t flags;
    /**
     * ES_BACKEND_*; 0: redb.
     */
    uint32_t backend;
    /**
     * ES_DURABILITY_*; 0: two phase.
     */
    uint32_t durability;
    /**
     * ES_WAIT_*; 0: timed.
     */
    uint32_t wait_policy;
    /**
     * The CPU to bind the writer thread to, plus 1; 0: none. One that is not there, or that the
     * process may not use, leaves the thread unbound: a run opens on a smaller machine too.
     */
    uint32_t writer_cpu;
    /**
     * Zero.
     */
    uint32_t reserved0;
    /**
     * The page cache of redb, in bytes; 0: 2 MiB, with which commits are fastest. A larger one helps
     * whoever reads single entries of this run while it is being written.
     */
    uint64_t cache_bytes;
    /**
     * Room of the queue in entries; 0: 65,536.
     */
    uint64_t queue_entries;
    /**
     * Room of the queue in bytes; 0: 64 MiB. An empty queue admits one claim of any legal size.
     */
    uint64_t queue_bytes;
    /**
     * Most entries of one commit; 0: 8,192. A batch is never split.
     */
    uint64_t group_entries;
    /**
     * Most bytes of one commit; 0: 1 MiB. A batch is never split.
     */
    uint64_t group_bytes;
    /**
     * How long a commit waits for more entries, in nanoseconds; 0: not at all.
     */
    uint64_t group_linger_ns;
    /**
     * A full queue and no commit for so long halts the run, in nanoseconds; 0: 250 ms,
     * ES_FOREVER: never.
     */
    uint64_t halt_after_ns;
    /**
     * How long the writer stays hot after a submit, in nanoseconds; 0: 100 ms. While it is hot,
     * a submit makes no system call.
     */
    uint64_t hot_ns;
    /**
     * Called once if the run halts; NULL: nobody.
     */
    es_halt_fn on_halt;
    /**
     * Handed to on_halt; must stay valid until es_close_run has answered ES_OK, or for as long
     * as the process lives.
     */
    void *on_halt_context;
    /**
     * With ES_OPEN_DIGEST_KEY: the key of the run digest. Copied; never stored.
     */
    uint8_t digest_key[32];
    /**
     * Zero.
     */
    uint64_t reserved1[4];
} es_open_options;

/**
 * How a run is opened for reading. Zero always means the default. Initialise with
 * ES_READER_OPTIONS_INIT or es_init_reader_options.
 */
typedef struct es_reader_options {
    /**
     * sizeof(es_reader_options).
     */
    uint32_t struct_size;
    /**
     * ES_ABI_VERSION; 0 or another major version answers ES_ERR_ABI_MISMATCH.
     */
    uint32_t abi_version;
    /**
     * ES_READ_*.
     */
    uint32_t flags;
    /**
     * Zero.
     */
    uint32_t reserved0;
    /**
     * The backend's page cache, in bytes; 0: 64 MiB.
     */
    uint64_t cache_bytes;
    /**
     * With ES_READ_DIGEST_KEY: the key of the run digest. Copied; never stored.
     */
    uint8_t digest_key[32];
    /**
     * Zero.
     */
    uint64_t reserved[4];
} es_reader_options;

/**
 * How a submit is done. Initialise with ES_SUBMIT_OPTIONS_INIT or es_init_submit_options.
 */
typedef struct es_submit_options {
    /**
     * sizeof(es_submit_options).
     */
    uint32_t struct_size;
    /**
     * Zero.
     */
    uint32_t flags;
    /**
     * The seq that the (first) draft must get, else ES_ERR_OUT_OF_ORDER and nothing is claimed;
     * 0: any.
     */
    uint64_t expected_seq;
    /**
     * How long to wait for room in the queue, in nanoseconds; 0 and ES_POLL: not at all.
     */
    uint64_t timeout_ns;
    /**
     * Zero.
     */
    uint64_t reserved[2];
} es_submit_options;

/**
 * How an append is done. Initialise with ES_APPEND_OPTIONS_INIT or es_init_append_options.
 */
typedef struct es_append_options {
    /**
     * sizeof(es_append_options).
     */
    uint32_t struct_size;
    /**
     * Zero.
     */
    uint32_t flags;
    /**
     * The seq that the first draft must get, else ES_ERR_OUT_OF_ORDER and nothing is claimed;
     * 0: any.
     */
    uint64_t expected_seq;
    /**
     * Zero.
     */
    uint64_t reserved[3];
} es_append_options;

/**
 * What an append did. Initialise with ES_APPEND_RESULT_INIT or es_init_append_result.
 */
typedef struct es_append_result {
    /**
     * sizeof(es_append_result).
     */
    uint32_t struct_size;
    /**
     * Zero.
     */
    uint32_t reserved0;
    /**
     * The seq of the first draft; of an empty batch, the next one.
     */
    uint64_t first_seq;
    /**
     * How many entries.
     */
    uint64_t count;
    /**
     * The largest durable seq.
     */
    uint64_t high_watermark;
} es_append_result;

/**
 * A name under which an entry can be found again. Initialise with ES_INDEX_KEY_INIT, which is all
 * zeros. This struct never grows.
 */
typedef struct es_index_key {
    /**
     * UTF-8 without NUL, 1 to 512 bytes.
     */
    const char *key;
    /**
     * Its length in bytes, or ES_NTS.
     */
    size_t key_len;
    /**
     * ES_INDEX_*.
     */
    uint32_t kind;
    /**
     * Zero.
     */
    uint32_t reserved;
} es_index_key;

/**
 * What a producer hands in: an entry without its sequence. All pointers are needed during the
 * call only. Initialise with ES_DRAFT_INIT, which is all zeros. It has no size of its own: calls
 * take its size, or the stride of an array, so that it can grow.
 */
typedef struct es_draft {
    /**
     * Where the message is published: UTF-8, 1 to 1,024 bytes, not below "run.lifecycle.".
     */
    const char *topic;
    /**
     * Its length in bytes, or ES_NTS.
     */
    size_t topic_len;
    /**
     * Which encoder made the payload: UTF-8, 1 to 1,024 bytes.
     */
    const char *payload_type;
    /**
     * Its length in bytes, or ES_NTS.
     */
    size_t payload_type_len;
    /**
     * The message: any bytes; NULL only with payload_len 0.
     */
    const void *payload;
    /**
     * Its length in bytes, at most 64 MiB.
     */
    size_t payload_len;
    /**
     * Names to find the entry by; NULL only with key_count 0.
     */
    const struct es_index_key *keys;
    /**
     * How many, at most 16.
     */
    uint32_t key_count;
    /**
     * ES_DRAFT_*.
     */
    uint32_t flags;
    /**
     * The domain clock, in nanoseconds since the Unix epoch.
     */
    uint64_t ts_init;
    /**
     * When it was published, in nanoseconds since the Unix epoch; 0: stamped at submit (in a
     * manual run: ts_init).
     */
    uint64_t ts_publish;
    /**
     * With ES_DRAFT_HAS_CORRELATION_ID: the workflow it is part of.
     */
    uint8_t correlation_id[16];
    /**
     * With ES_DRAFT_HAS_CAUSATION_ID: the message that caused it.
     */
    uint8_t causation_id[16];
} es_draft;

/**
 * A draft whose texts, payload and keys lie in an arena; offsets count from its start, each
 * with its length must lie inside. Fields and order are those of es_entry behind its seq, so that
 * an entry of a page is a draft too. Initialise with ES_PACKED_DRAFT_INIT, which is all zeros. It
 * has no size of its own: es_submit_packed takes the stride of the array, so that it can grow.
 */
typedef struct es_packed_draft {
    /**
     * The domain clock, in nanoseconds since the Unix epoch.
     */
    uint64_t ts_init;
    /**
     * When it was published, in nanoseconds since the Unix epoch; 0: stamped at submit (in a
     * manual run: ts_init).
     */
    uint64_t ts_publish;
    /**
     * Where the topic starts: UTF-8, 1 to 1,024 bytes, not below "run.lifecycle.".
     */
    uint64_t topic_offset;
    /**
     * Where the payload type starts: UTF-8, 1 to 1,024 bytes.
     */
    uint64_t payload_type_offset;
    /**
     * Where the payload starts: any bytes.
     */
    uint64_t payload_offset;
    /**
     * Where the keys start: per key a u16 kind (ES_INDEX_*), a u16 length (both little-endian),
     * the bytes: UTF-8 without NUL, 1 to 512.
     */
    uint64_t keys_offset;
    /**
     * Length of the payload, in bytes, at most 64 MiB.
     */
    uint64_t payload_len;
    /**
     * Length of the topic, in bytes.
     */
    uint32_t topic_len;
    /**
     * Length of the payload type, in bytes.
     */
    uint32_t payload_type_len;
    /**
     * Length of all keys together, in bytes.
     */
    uint32_t keys_len;
    /**
     * How many keys, at most 16.
     */
    uint32_t key_count;
    /**
     * ES_DRAFT_*; ES_ENTRY_KEYS_RECORDED is allowed and says nothing.
     */
    uint32_t flags;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * With ES_DRAFT_HAS_CORRELATION_ID: the workflow it is part of.
     */
    uint8_t correlation_id[16];
    /**
     * With ES_DRAFT_HAS_CAUSATION_ID: the message that caused it.
     */
    uint8_t causation_id[16];
} es_packed_draft;

/**
 * How a run is closed. Zero always means the default. Initialise with ES_CLOSE_OPTIONS_INIT or
 * es_init_close_options.
 */
typedef struct es_close_options {
    /**
     * sizeof(es_close_options).
     */
    uint32_t struct_size;
    /**
     * Zero.
     */
    uint32_t flags;
    /**
     * Longest wait in nanoseconds; 0 and ES_FOREVER: without end, ES_POLL: do not wait.
     */
    uint64_t timeout_ns;
    /**
     * ts_init of the RunEnded entry, in nanoseconds since the Unix epoch; 0: the largest so far,
     * else the run's start.
     */
    uint64_t end_ts_init;
    /**
     * ts_publish of the RunEnded entry, in nanoseconds since the Unix epoch; 0: stamped (in a
     * manual run: its ts_init). Given, equal entries make runs of equal digests.
     */
    uint64_t end_ts_publish;
    /**
     * Zero.
     */
    uint64_t reserved[1];
} es_close_options;

/**
 * How a run ended. Initialise with ES_CLOSE_RESULT_INIT or es_init_close_result.
 */
typedef struct es_close_result {
    /**
     * sizeof(es_close_result).
     */
    uint32_t struct_size;
    /**
     * 1: sealed. 0: the run had halted and stays ES_RUN_RUNNING for recovery.
     */
    uint32_t sealed;
    /**
     * ES_RUN_*.
     */
    uint32_t status;
    /**
     * 1: digest holds the run digest.
     */
    uint32_t digest_present;
    /**
     * The largest durable seq.
     */
    uint64_t high_watermark;
    /**
     * The run digest; keep it elsewhere as evidence.
     */
    uint8_t digest[32];
    /**
     * Why the run halted, as a status; ES_OK: it did not.
     */
    int32_t halt_status;
    /**
     * The operating system's number of that failure, or 0.
     */
    int32_t halt_errno;
    /**
     * Zero.
     */
    uint64_t reserved[2];
} es_close_result;

/**
 * Where a run stands. It may grow: es_get_run_state takes its size.
 */
typedef struct es_run_state {
    /**
     * The largest durable seq; never above last_claimed_seq.
     */
    uint64_t high_watermark;
    /**
     * The largest seq that a submit was given.
     */
    uint64_t last_claimed_seq;
    /**
     * Entries in the queue.
     */
    uint64_t queue_entries;
    /**
     * Bytes in the queue.
     */
    uint64_t queue_bytes;
    /**
     * Why the run halted, as a status; ES_OK: it did not.
     */
    int32_t halt_status;
    /**
     * The operating system's number of that failure, or 0.
     */
    int32_t halt_errno;
    /**
     * ES_PHASE_*.
     */
    uint32_t phase;
    /**
     * Zero.
     */
    uint32_t reserved;
} es_run_state;

/**
 * What a run has done since it was opened. It may grow: es_get_run_stats takes its size.
 */
typedef struct es_run_stats {
    /**
     * Durable commits of entries, RunEnded's among them; not those of RunStarted, anchors and seal.
     */
    uint64_t commits;
    /**
     * Entries in them.
     */
    uint64_t entries;
    /**
     * Bytes of topics, types, payloads and keys that were submitted for them: none for RunEnded.
     */
    uint64_t bytes;
    /**
     * How long the last commit took, in nanoseconds.
     */
    uint64_t last_flush_ns;
    /**
     * How long the longest commit took, in nanoseconds.
     */
    uint64_t longest_flush_ns;
    /**
     * Free space of the file system, in bytes; ES_NONE: not known.
     */
    uint64_t free_bytes;
    /**
     * Entry buffers at rest in the pool.
     */
    uint64_t pooled_buffers;
    /**
     * Zero.
     */
    uint64_t reserved;
} es_run_stats;

/**
 * What to scan. Initialise with ES_SCAN_REQUEST_INIT (everything, forward) or
 * es_init_scan_request.
 */
typedef struct es_scan_request {
    /**
     * sizeof(es_scan_request).
     */
    uint32_t struct_size;
    /**
     * ES_FORWARD or ES_BACKWARD.
     */
    uint32_t direction;
    /**
     * The smallest seq; 0 names no entry and gives none.
     */
    uint64_t from;
    /**
     * The largest seq; beyond the high-watermark means up to it.
     */
    uint64_t to;
    /**
     * Most rows of this page; 0: no limit but entry_cap.
     */
    uint64_t max_rows;
    /**
     * Most arena bytes of this page, of which the first row may use more; 0: no limit but
     * arena_cap.
     */
    uint64_t max_bytes;
    /**
     * Zero.
     */
    uint64_t reserved[2];
} es_scan_request;

/**
 * What a page holds. Initialise with ES_SCAN_RESULT_INIT or es_init_scan_result.
 */
typedef struct es_scan_result {
    /**
     * sizeof(es_scan_result).
     */
    uint32_t struct_size;
    /**
     * 1: the range has more rows: call again with from (backward: to) = next_seq.
     */
    uint32_t more;
    /**
     * How many rows were filled.
     */
    uint64_t rows;
    /**
     * How many bytes of the arena were used.
     */
    uint64_t arena_used;
    /**
     * Where to go on: the next from (backward: the next to). Also without more: scanning from
     * there follows a live run.
     */
    uint64_t next_seq;
    /**
     * The largest durable seq when the page was made.
     */
    uint64_t high_watermark;
} es_scan_result;

/**
 * One committed entry. Offsets count from the start of the arena that was filled with it, so the
 * same bytes serve another process. It has no size of its own: calls take its size, or the
 * stride of an array, so that it can grow.
 */
typedef struct es_entry {
    /**
     * Position in the run, from 1, without holes; the only order of replay.
     */
    uint64_t seq;
    /**
     * The domain clock, in nanoseconds since the Unix epoch.
     */
    uint64_t ts_init;
    /**
     * When it was published, in nanoseconds since the Unix epoch; need not rise with seq.
     */
    uint64_t ts_publish;
    /**
     * Where the topic starts: UTF-8, NUL-terminated.
     */
    uint64_t topic_offset;
    /**
     * Where the payload type starts: UTF-8, NUL-terminated.
     */
    uint64_t payload_type_offset;
    /**
     * Where the payload starts; a multiple of 8.
     */
    uint64_t payload_offset;
    /**
     * Where the keys start: per key a u16 kind, a u16 length (both little-endian), the bytes.
     */
    uint64_t keys_offset;
    /**
     * Length of the payload, in bytes.
     */
    uint64_t payload_len;
    /**
     * Length of the topic, in bytes, the NUL not counted.
     */
    uint32_t topic_len;
    /**
     * Length of the payload type, in bytes, the NUL not counted.
     */
    uint32_t payload_type_len;
    /**
     * Length of all keys together, in bytes.
     */
    uint32_t keys_len;
    /**
     * How many keys, with ES_ENTRY_KEYS_RECORDED.
     */
    uint32_t key_count;
    /**
     * ES_ENTRY_*.
     */
    uint32_t flags;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * With ES_ENTRY_HAS_CORRELATION_ID: the workflow it is part of.
     */
    uint8_t correlation_id[16];
    /**
     * With ES_ENTRY_HAS_CAUSATION_ID: the message that caused it.
     */
    uint8_t causation_id[16];
    /**
     * BLAKE3 of all of the above but the keys; it was recomputed for this read.
     */
    uint8_t entry_hash[32];
} es_entry;

/**
 * How far a run is, and whether more comes. Initialise with ES_TAIL_RESULT_INIT or
 * es_init_tail_result.
 */
typedef struct es_tail_result {
    /**
     * sizeof(es_tail_result).
     */
    uint32_t struct_size;
    /**
     * ES_TAIL_*; 0: more may come.
     */
    uint32_t flags;
    /**
     * ES_RUN_*; ES_RUN_RUNNING unless it is sealed.
     */
    uint32_t status;
    /**
     * Zero.
     */
    uint32_t reserved0;
    /**
     * The largest durable seq.
     */
    uint64_t high_watermark;
    /**
     * Zero.
     */
    uint64_t reserved[2];
} es_tail_result;

/**
 * Which part of an index to read. Initialise with ES_INDEX_REQUEST_INIT or
 * es_init_index_request.
 */
typedef struct es_index_request {
    /**
     * sizeof(es_index_request).
     */
    uint32_t struct_size;
    /**
     * ES_INDEX_*.
     */
    uint32_t kind;
    /**
     * Go on after this key, UTF-8, at most 1 MiB; NULL: from the start. May lie in the arena: it is
     * copied first.
     */
    const char *after;
    /**
     * Its length in bytes, or ES_NTS.
     */
    size_t after_len;
    /**
     * Most rows of this page; 0: no limit but row_cap.
     */
    uint64_t max_rows;
    /**
     * Zero.
     */
    uint64_t reserved[2];
} es_index_request;

/**
 * What a page of an index holds. Initialise with ES_INDEX_RESULT_INIT or es_init_index_result.
 */
typedef struct es_index_result {
    /**
     * sizeof(es_index_result).
     */
    uint32_t struct_size;
    /**
     * 1: the index has more rows: call again with after = the last key.
     */
    uint32_t more;
    /**
     * How many rows were filled.
     */
    uint64_t rows;
    /**
     * How many bytes of the arena were used.
     */
    uint64_t arena_used;
} es_index_result;

/**
 * One row of an index: a key and the first entry that has it.
 */
typedef struct es_index_row {
    /**
     * The first entry with this key.
     */
    uint64_t seq;
    /**
     * Where the key starts in the arena: UTF-8, NUL-terminated.
     */
    uint64_t key_offset;
    /**
     * Its length in bytes, the NUL not counted.
     */
    uint32_t key_len;
    /**
     * Zero.
     */
    uint32_t reserved;
} es_index_row;

/**
 * What to do to restore an engine: load the snapshot of the anchor, then replay. Initialise with
 * ES_RESTORE_PLAN_INIT or es_init_restore_plan.
 */
typedef struct es_restore_plan {
    /**
     * sizeof(es_restore_plan).
     */
    uint32_t struct_size;
    /**
     * 1: there is an anchor, es_get_anchor gives it. 0: replay from the start.
     */
    uint32_t has_anchor;
    /**
     * The last entry that the snapshot covers, or 0.
     */
    uint64_t anchor_seq;
    /**
     * The first entry to replay.
     */
    uint64_t replay_from;
    /**
     * The last entry to replay; smaller than replay_from when there is nothing to replay.
     */
    uint64_t replay_to;
} es_restore_plan;

/**
 * The latest anchor of a run. The texts lie in the caller's arena.
 */
typedef struct es_anchor {
    /**
     * The last entry that the snapshot covers.
     */
    uint64_t high_watermark;
    /**
     * Where the snapshot lies.
     */
    struct es_string blob_ref;
    /**
     * Its hash.
     */
    struct es_string content_hash;
} es_anchor;

/**
 * What an operation found and did, in numbers. Initialise with ES_REPORT_SUMMARY_INIT or
 * es_init_report_summary. What the operation does not tell is zero or empty.
 */
typedef struct es_report_summary {
    /**
     * sizeof(es_report_summary).
     */
    uint32_t struct_size;
    /**
     * Verify: ES_RUN_*, with ES_REPORT_HAS_STATUS.
     */
    uint32_t status;
    /**
     * Verify: ES_DIGEST_*.
     */
    uint32_t digest;
    /**
     * ES_REPORT_*.
     */
    uint32_t flags;
    /**
     * How many rows es_read_run_rows gives.
     */
    uint64_t rows;
    /**
     * How many es_read_findings gives.
     */
    uint64_t findings;
    /**
     * Verify, with ES_REPORT_HAS_HIGH_WATERMARK; salvage: of the new run.
     */
    uint64_t high_watermark;
    /**
     * Verify: entries that are whole. Salvage: entries copied. Retention: runs to delete, or
     * deleted.
     */
    uint64_t entries;
    /**
     * Salvage: lifecycle entries, which are not copied.
     */
    uint64_t lifecycle;
    /**
     * Verify: the run. Salvage: the new run. Plan: the newest restore point. NUL-terminated.
     */
    char run_id[136];
    /**
     * Recover: the newest recovered run. Salvage: the old run. NUL-terminated.
     */
    char parent_run_id[136];
    /**
     * Plan: why nothing is proposed. Verify: why the digest is absent or not checked. UTF-8,
     * NUL-terminated, cut at a character.
     */
    char reason[256];
    /**
     * Zero.
     */
    uint64_t reserved[2];
} es_report_summary;

/**
 * What a page of a report holds. Initialise with ES_PAGE_RESULT_INIT or es_init_page_result.
 */
typedef struct es_page_result {
    /**
     * sizeof(es_page_result).
     */
    uint32_t struct_size;
    /**
     * 1: there are more: call again with from = from + rows.
     */
    uint32_t more;
    /**
     * How many rows were filled.
     */
    uint64_t rows;
    /**
     * How many bytes of the arena were used.
     */
    uint64_t arena_used;
} es_page_result;

/**
 * One run in a report. Texts are in the arena, UTF-8, NUL-terminated, the NUL not counted.
 */
typedef struct es_run_row {
    /**
     * Where the run id starts; for what is no run, its name.
     */
    uint64_t run_id_offset;
    /**
     * Where the path starts.
     */
    uint64_t path_offset;
    /**
     * Where the parent's run id starts; length 0: none.
     */
    uint64_t parent_offset;
    /**
     * Where the reason starts; length 0: none.
     */
    uint64_t reason_offset;
    /**
     * Length of the run id.
     */
    uint32_t run_id_len;
    /**
     * Length of the path.
     */
    uint32_t path_len;
    /**
     * Length of the parent's run id.
     */
    uint32_t parent_len;
    /**
     * Length of the reason, which is for people.
     */
    uint32_t reason_len;
    /**
     * Length of the file, in bytes; 0 where the operation does not tell.
     */
    uint64_t bytes;
    /**
     * The largest entry, with ES_ROW_HAS_MANIFEST.
     */
    uint64_t high_watermark;
    /**
     * When it started, with ES_ROW_HAS_MANIFEST.
     */
    uint64_t start_ts_init;
    /**
     * Its largest ts_init, with ES_ROW_HAS_END.
     */
    uint64_t end_ts_init;
    /**
     * ES_OUTCOME_*.
     */
    uint32_t outcome;
    /**
     * ES_RUN_*, with ES_ROW_HAS_MANIFEST, or what ES_OUTCOME_SEALED sealed it as.
     */
    uint32_t status;
    /**
     * ES_BACKEND_*; 0 where the operation does not tell.
     */
    uint32_t backend;
    /**
     * ES_ROW_*.
     */
    uint32_t flags;
} es_run_row;

/**
 * One thing that is wrong with a run. Texts are in the arena, UTF-8, NUL-terminated, the NUL not
 * counted.
 */
typedef struct es_finding {
    /**
     * ES_FINDING_*.
     */
    uint32_t kind;
    /**
     * ES_DRIFT_*, of ES_FINDING_INDEX_DRIFT.
     */
    uint32_t drift;
    /**
     * ES_INDEX_*, of ES_FINDING_INDEX_DRIFT.
     */
    uint32_t index_kind;
    /**
     * Length of the key.
     */
    uint32_t key_len;
    /**
     * The entry; of a gap the first missing; of an index drift the entry that the row names, or
     * should name; 0: none.
     */
    uint64_t seq;
    /**
     * ES_FINDING_SEQ_MISMATCH: the seq inside the row. ES_FINDING_GAP: the last missing. Else 0.
     */
    uint64_t other_seq;
    /**
     * Where the key of an index drift starts.
     */
    uint64_t key_offset;
    /**
     * Where a line for people starts: what is wrong, found against expected.
     */
    uint64_t text_offset;
    /**
     * Its length.
     */
    uint32_t text_len;
    /**
     * Zero.
     */
    uint32_t reserved;
} es_finding;

/**
 * How an operation is done. Zero always means the default. Initialise with
 * ES_OPERATION_OPTIONS_INIT or es_init_operation_options.
 */
typedef struct es_operation_options {
    /**
     * sizeof(es_operation_options).
     */
    uint32_t struct_size;
    /**
     * ES_ABI_VERSION, as the program was compiled.
     */
    uint32_t abi_version;
    /**
     * ES_OPERATION_*, those that the call names.
     */
    uint32_t flags;
    /**
     * es_verify_run: how many threads read and check the run, the caller's among them; 0: as many
     * as there are processors that the process may use; at most 1,024. Other calls: 0.
     */
    uint32_t threads;
    /**
     * Memory for pages, in bytes; 0: 32 MiB, salvage 16 MiB for each of its two runs.
     */
    uint64_t cache_bytes;
    /**
     * With ES_OPERATION_DIGEST_KEY: the key of the run digest; never stored.
     */
    uint8_t digest_key[32];
    /**
     * With ES_OPERATION_EXPECTED_DIGEST: the digest that was kept when the run was closed.
     */
    uint8_t expected_digest[32];
    /**
     * Zero.
     */
    uint64_t reserved[4];
} es_operation_options;

/**
 * What a copy holds. Initialise with ES_COPY_RESULT_INIT or es_init_copy_result.
 */
typedef struct es_copy_result {
    /**
     * sizeof(es_copy_result).
     */
    uint32_t struct_size;
    /**
     * 1: the run was sealed, and so is the copy. 0: the copy is to be recovered.
     */
    uint32_t sealed;
    /**
     * ES_RUN_*.
     */
    uint32_t status;
    /**
     * Zero.
     */
    uint32_t reserved0;
    /**
     * The last entry of the copy.
     */
    uint64_t high_watermark;
    /**
     * The length of the copy, in bytes.
     */
    uint64_t bytes;
    /**
     * Zero.
     */
    uint64_t reserved[2];
} es_copy_result;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Gives the name of a status, such as "ES_ERR_QUEUE_FULL".
 * @param status  any number
 * @return static text, never NULL; "unknown status" for a number without a name.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
const char *es_status_name(es_status status);

/**
 * Gives a short English sentence for a status.
 * @param status  any number
 * @return static text, never NULL; "unknown status" for a number without a name.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
const char *es_status_message(es_status status);

/**
 * Tells whether the same call may succeed later although the caller changes nothing.
 * @param status  any number
 * @return 1 for ES_ERR_QUEUE_FULL, ES_ERR_TIMEOUT, ES_ERR_LOCKED and ES_ERR_BUSY, else 0.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
int32_t es_status_is_retryable(es_status status);

/**
 * Tells whether the object that answered it takes no more work: close and free it.
 * @param status  any number
 * @return 1 for ES_ERR_HALTED and ES_ERR_PANIC, else 0.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
int32_t es_status_is_fatal(es_status status);

/**
 * Gives the interface version of the library: major << 16 | minor. A program made with the
 * header of another minor version of the same major works.
 * @return compare with ES_ABI_VERSION.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
uint32_t es_abi_version(void);

/**
 * Gives the version of the library, such as "0.1.0".
 * @return static text, never NULL.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
const char *es_version(void);

/**
 * Fills a manifest with zeros and its size.
 * @param manifest  caller's memory
 * @param size      sizeof(es_manifest)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_manifest(struct es_manifest *manifest,
                           size_t size);

/**
 * Gives the manifest of a run: as sealed, else as it was written at the start. Lists and texts
 * go to the arena, lists aligned to 8 bytes whatever the arena's own alignment.
 * @param reader     the reader
 * @param out        caller's memory, its struct_size set; receives pointers into the arena
 * @param arena      caller's memory; NULL only with arena_cap 0
 * @param arena_cap  its size in bytes
 * @param needed     receives the size that suffices, on ES_OK and on ES_ERR_BUFFER_TOO_SMALL; may be NULL
 * @param err        filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_BUFFER_TOO_SMALL: call again with *needed bytes; out is untouched;
 *         ES_ERR_CORRUPTED: keep a copy, verify or salvage it; ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
 *         correct the call; ES_ERR_PANIC: free the reader and report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_get_manifest(struct es_reader *reader,
                          struct es_manifest *out,
                          void *arena,
                          size_t arena_cap,
                          size_t *needed,
                          struct es_error *err);

/**
 * Fills open options with their defaults.
 * @param options  caller's memory
 * @param size     sizeof(es_open_options)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_open_options(struct es_open_options *options,
                               size_t size);

/**
 * Fills reader options with their defaults.
 * @param options  caller's memory
 * @param size     sizeof(es_reader_options)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_reader_options(struct es_reader_options *options,
                                 size_t size);

/**
 * Creates a run and starts its writer. When it returns ES_OK the run is on stable storage under
 * `<base>/<instance_id>/<run_id>.redb` (the log backend: `.eslog/`), with no entries. An existing
 * name is never changed.
 * @param base      directory of all instances, UTF-8; made if missing; the memory backend ignores it
 * @param base_len  its length in bytes, or ES_NTS; at most 4,095
 * @param manifest  what the run says of itself, copied: status ES_RUN_RUNNING, no high-watermark,
 *                  no end
 * @param options   NULL: the defaults. A stall of 250 ms with a full queue halts the run unless
 *                  halt_after_ns says otherwise: set it on purpose
 * @param out       receives the run, to be freed with es_free_run; NULL on failure
 * @param err       filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_LOCKED: another process writes this instance or recovers it: stop it, try again;
 *         ES_ERR_ALREADY_EXISTS: choose another run id;
 *         ES_ERR_CRASHED_PREDECESSOR: read and seal it with es_open_crashed_run, or choose
 *         another run id;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
 *         ES_ERR_UNSUPPORTED: the file system has no locks;
 *         ES_ERR_CORRUPTED, ES_ERR_UNSUPPORTED_FORMAT: a file of this name is no run: move it away;
 *         ES_ERR_NOT_FOUND, ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno: correct the
 *         directory, free space, raise RLIMIT_MEMLOCK (ES_OPEN_LOCK_MEMORY) or the limit on
 *         threads, or report it. Where the disk failed at the flush of the directory or at the
 *         entry of ES_OPEN_RUN_STARTED, a run is left for es_open_crashed_run; else none is;
 *         ES_ERR_OUT_OF_MEMORY: free memory or ask for a smaller queue; ES_ERR_PANIC: report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_open_run(const char *base,
                      size_t base_len,
                      const struct es_manifest *manifest,
                      const struct es_open_options *options,
                      struct es_run **out,
                      struct es_error *err);

/**
 * Opens a sealed run for reading. The file is never written to.
 * @param path      the run's file, or its directory (log backend), UTF-8
 * @param path_len  its length in bytes, or ES_NTS; at most 4,095
 * @param options   NULL: the defaults
 * @param out       receives the reader, to be freed with es_free_reader; NULL on failure
 * @param err       filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_NOT_SEALED: recover it, or read it with es_open_crashed_run;
 *         ES_ERR_LOCKED: it is being written or recovered: try again later;
 *         ES_ERR_NOT_FOUND: no such file; ES_ERR_CORRUPTED: keep a copy, verify or salvage it;
 *         ES_ERR_UNSUPPORTED_FORMAT: use a library that knows the format;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
 *         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
 *         ES_ERR_PANIC: report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_open_sealed_run(const char *path,
                             size_t path_len,
                             const struct es_reader_options *options,
                             struct es_reader **out,
                             struct es_error *err);

/**
 * Opens a run for reading while another process may be writing it. Each call on the reader sees what
 * was acknowledged up to a moment before, and es_wait_tail waits for more and for the seal. The run
 * is never written to and the writer neither held up nor locked out; nor is recovery. Until the
 * reader is freed nobody deletes the run. A sealed run opens as with es_open_sealed_run. Of the log
 * backend alone: a redb run is read within the process that writes it, with es_open_reader, until it
 * is sealed.
 * @param path      the run's directory (log backend) or file, UTF-8
 * @param path_len  its length in bytes, or ES_NTS; at most 4,095
 * @param options   NULL: the defaults. ES_READ_CHECK is for sealed runs
 * @param out       receives the reader, to be freed with es_free_reader; NULL on failure
 * @param err       filled on failure; may be NULL
 * @return ES_OK, also when its writer is gone: es_wait_tail says so;
 *         ES_ERR_UNSUPPORTED: a redb run that is being written or recovered: wait until it is
 *         sealed; or ES_READ_CHECK and the run is not sealed: leave it out;
 *         ES_ERR_NOT_SEALED: a redb run that was left: recover it;
 *         ES_ERR_LOCKED: it is being deleted; ES_ERR_NOT_FOUND: no such run;
 *         ES_ERR_CORRUPTED: what was acknowledged is damaged or missing: verify or salvage it once
 *         it is sealed; ES_ERR_UNSUPPORTED_FORMAT: use a library that knows the format;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
 *         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
 *         ES_ERR_PANIC: report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_open_live_run(const char *path,
                           size_t path_len,
                           const struct es_reader_options *options,
                           struct es_reader **out,
                           struct es_error *err);

/**
 * Opens a run whose process died, for reading and es_seal_run. Takes the instance's lock until
 * the reader is freed. A redb run is checked whole, then its structure is repaired; one that cannot
 * be repaired is left unchanged. A log run is opened at its end, whatever its length: damage before
 * that is told by whoever reads there, es_seal_run among them. A run that is sealed already opens
 * too; es_seal_run then answers ES_ERR_CLOSED.
 * @param base             directory of all instances, UTF-8
 * @param base_len         its length in bytes, or ES_NTS; at most 4,095
 * @param instance_id      the instance
 * @param instance_id_len  its length in bytes, or ES_NTS
 * @param run_id           the run
 * @param run_id_len       its length in bytes, or ES_NTS
 * @param options          NULL: the defaults. A keyed run needs its key for the digest at seal
 * @param out              receives the reader, to be freed with es_free_reader; NULL on failure
 * @param err              filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_LOCKED: its writer lives, or another process recovers it: try again later;
 *         ES_ERR_NOT_FOUND: no such run; ES_ERR_CORRUPTED: keep a copy, verify or salvage it;
 *         ES_ERR_UNSUPPORTED_FORMAT: use a library that knows the format;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
 *         ES_ERR_UNSUPPORTED: the file system has no locks;
 *         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
 *         ES_ERR_PANIC: report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_open_crashed_run(const char *base,
                              size_t base_len,
                              const char *instance_id,
                              size_t instance_id_len,
                              const char *run_id,
                              size_t run_id_len,
                              const struct es_reader_options *options,
                              struct es_reader **out,
                              struct es_error *err);

/**
 * Gives a reader of a run that this process writes or has closed. It sees each entry as soon as
 * it is durable, keeps working after the run is closed and freed, and is freed on its own. Until
 * then nobody seals a run that was halted or left, and nobody deletes it.
 * @param run  the run
 * @param out  receives the reader, to be freed with es_free_reader; NULL on failure
 * @param err  filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_LOCKED, ES_ERR_NOT_FOUND, ES_ERR_CORRUPTED, ES_ERR_BACKEND: the run was closed
 *         after a halt, and recovery has it, or it is gone, or damaged: open it when sealed;
 *         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_BUSY: called from on_halt: call it later;
 *         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_PANIC: report it.
 * [any thread] [never blocks] unless the run was closed after a halt: it then reads the file.
 * Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_open_reader(struct es_run *run,
                         struct es_reader **out,
                         struct es_error *err);

/**
 * Fills submit options with their defaults.
 * @param options  caller's memory
 * @param size     sizeof(es_submit_options)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_submit_options(struct es_submit_options *options,
                                 size_t size);

/**
 * Fills append options with their defaults.
 * @param options  caller's memory
 * @param size     sizeof(es_append_options)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_append_options(struct es_append_options *options,
                                 size_t size);

/**
 * Fills an append result with zeros and its size.
 * @param result  caller's memory
 * @param size    sizeof(es_append_result)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_append_result(struct es_append_result *result,
                                size_t size);

/**
 * Hands one entry to the writer and returns its seq at once; the hot path. Its bytes are copied.
 * It is durable when the high-watermark has reached the seq: es_wait_durable, es_get_run_state.
 * Never waits for the disk, makes no system call while the writer is hot, allocates nothing once
 * warm. Claim order is seq order is commit order.
 * @param run         the run
 * @param draft       the entry; needed during the call only
 * @param draft_size  sizeof(es_draft)
 * @param options     NULL: no expected seq, do not wait
 * @param seq         receives the seq; may be NULL
 * @param err         filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_QUEUE_FULL: no room, not within timeout_ns either: nothing was claimed: try again;
 *         ES_ERR_OUT_OF_ORDER: expected_seq is not the next: compare err->seq, err->next_seq;
 *         ES_ERR_CLOSED: es_close_run has begun: open a new run;
 *         ES_ERR_HALTED: es_get_run_state names the reason: close it, then recover it;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
 *         nothing was claimed: correct what err names;
 *         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
 *         ES_ERR_OUT_OF_MEMORY: nothing was claimed: free memory; ES_ERR_PANIC: close the run
 *         and report it.
 * [any thread] [never blocks] unless timeout_ns asks for it. Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_submit(struct es_run *run,
                    const struct es_draft *draft,
                    size_t draft_size,
                    const struct es_submit_options *options,
                    uint64_t *seq,
                    struct es_error *err);

/**
 * Hands a batch to the writer and returns its first seq at once: all or none, contiguous seqs,
 * one commit. Bytes are copied.
 * @param run        the run
 * @param drafts     array of drafts; needed during the call only
 * @param stride     bytes from one draft to the next: sizeof(es_draft), or that of the struct
 *                   they lie in
 * @param count      how many, 1 to 65,536, together at most 256 MiB and at most queue_entries
 * @param options    NULL: no expected seq, do not wait
 * @param first_seq  receives the seq of the first draft; may be NULL
 * @param err        filled on failure, item_index telling which draft; may be NULL
 * @return ES_OK;
 *         ES_ERR_QUEUE_FULL: no room, not within timeout_ns either: nothing was claimed: try again;
 *         ES_ERR_OUT_OF_ORDER: expected_seq is not the next: compare err->seq, err->next_seq;
 *         ES_ERR_CLOSED: es_close_run has begun: open a new run;
 *         ES_ERR_HALTED: es_get_run_state names the reason: close it, then recover it;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
 *         nothing was claimed: correct what err names;
 *         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
 *         ES_ERR_OUT_OF_MEMORY: nothing was claimed: free memory; ES_ERR_PANIC: close the run
 *         and report it.
 * [any thread] [never blocks] unless timeout_ns asks for it. Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_submit_batch(struct es_run *run,
                          const struct es_draft *drafts,
                          size_t stride,
                          size_t count,
                          const struct es_submit_options *options,
                          uint64_t *first_seq,
                          struct es_error *err);

/**
 * Appends a batch and returns when it is durable: all or none, contiguous seqs, one commit.
 * Bytes are copied. Without a timeout; for one, use es_submit_batch and es_wait_durable. On a fast
 * disk with nobody else waiting it writes and flushes on the calling thread: do not cancel that
 * thread meanwhile, and a halt that another thread notices is answered once the disk has answered.
 * @param run      the run
 * @param drafts   array of drafts; needed during the call only; NULL only with count 0
 * @param stride   bytes from one draft to the next: sizeof(es_draft), or that of the struct they
 *                 lie in
 * @param count    how many, at most 65,536, together at most 256 MiB and at most queue_entries;
 *                 0 does nothing and answers ES_OK
 * @param options  NULL: no expected seq
 * @param out      receives what was done, its struct_size set; may be NULL
 * @param err      filled on failure, item_index telling which draft; may be NULL
 * @return ES_OK: durable;
 *         ES_ERR_OUT_OF_ORDER: expected_seq is not the next: compare err->seq, err->next_seq;
 *         ES_ERR_CLOSED: es_close_run has begun: open a new run;
 *         ES_ERR_HALTED: err->count entries from err->seq were claimed (0: none); whether they
 *         are in the run, its high-watermark says after it is reopened: close it, then recover it;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
 *         nothing was claimed: correct what err names;
 *         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
 *         ES_ERR_OUT_OF_MEMORY: nothing was claimed: free memory; ES_ERR_PANIC: close the run
 *         and report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_append_batch(struct es_run *run,
                          const struct es_draft *drafts,
                          size_t stride,
                          size_t count,
                          const struct es_append_options *options,
                          struct es_append_result *out,
                          struct es_error *err);

/**
 * Waits until all entries up to a seq are on stable storage. Any seq up to the high-watermark,
 * 0 too, answers ES_OK, also when the run has halted or is closed. With ES_FOREVER it may write and
 * flush on the calling thread, as es_append_batch does; with a timeout it never does.
 * @param run         the run
 * @param seq         a claimed seq, or 0
 * @param timeout_ns  longest wait in nanoseconds; 0 polls, ES_FOREVER waits without end
 * @param err         filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_TIMEOUT: nothing is lost: call again;
 *         ES_ERR_HALTED: it may never become durable: es_get_run_state names the reason: close
 *         the run, then recover it;
 *         ES_ERR_INVALID_ARGUMENT: seq was never claimed;
 *         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
 *         ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_PANIC: close the run and report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_wait_durable(struct es_run *run,
                          uint64_t seq,
                          uint64_t timeout_ns,
                          struct es_error *err);

/**
 * Waits until everything that was claimed when it was called is on stable storage; with ES_FOREVER
 * as es_wait_durable.
 * @param run         the run
 * @param timeout_ns  longest wait in nanoseconds; 0 polls, ES_FOREVER waits without end
 * @param err         filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_TIMEOUT: nothing is lost: call again;
 *         ES_ERR_HALTED: es_get_run_state names the reason: close the run, then recover it;
 *         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
 *         ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_PANIC: close the run and report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_flush(struct es_run *run,
                   uint64_t timeout_ns,
                   struct es_error *err);

/**
 * Commits one group of a run opened with ES_OPEN_MANUAL_WRITER.
 * @param run                the run
 * @param entries_committed  receives how many entries became durable, 0 when there was nothing to
 *                           do; may be NULL
 * @param err                filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_BUSY: another thread works on the run, or called from on_halt: call it later;
 *         ES_ERR_UNSUPPORTED: the run has a writer thread of its own;
 *         ES_ERR_CLOSED: the run is closed;
 *         ES_ERR_HALTED: es_get_run_state names the reason: close the run, then recover it;
 *         ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: close the run and report it.
 * [one thread at a time per object] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_do_work(struct es_run *run,
                     uint64_t *entries_committed,
                     struct es_error *err);

/**
 * Hands a batch that holds no pointers to the writer and returns its first seq at once: all or
 * none, contiguous seqs, one commit. Bytes are copied. A page that es_scan_range filled is such a
 * batch: pass &entries[0].ts_init as drafts, the stride of the entries, and their arena.
 * @param run        the run
 * @param drafts     array of drafts; needed during the call only
 * @param stride     bytes from one draft to the next: sizeof(es_packed_draft), or that of the
 *                   struct they lie in
 * @param count      how many, 1 to 65,536, together at most 256 MiB and at most queue_entries
 * @param arena      what the offsets count from; needed during the call only; NULL only with
 *                   arena_len 0
 * @param arena_len  its length in bytes
 * @param options    NULL: no expected seq, do not wait
 * @param first_seq  receives the seq of the first draft; may be NULL
 * @param err        filled on failure, item_index telling which draft; may be NULL
 * @return ES_OK;
 *         ES_ERR_QUEUE_FULL: no room, not within timeout_ns either: nothing was claimed: try again;
 *         ES_ERR_OUT_OF_ORDER: expected_seq is not the next: compare err->seq, err->next_seq;
 *         ES_ERR_CLOSED: es_close_run has begun: open a new run;
 *         ES_ERR_HALTED: es_get_run_state names the reason: close it, then recover it;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
 *         nothing was claimed: correct what err names;
 *         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
 *         ES_ERR_OUT_OF_MEMORY: nothing was claimed: free memory; ES_ERR_PANIC: close the run
 *         and report it.
 * [any thread] [never blocks] unless timeout_ns asks for it. Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_submit_packed(struct es_run *run,
                           const struct es_packed_draft *drafts,
                           size_t stride,
                           size_t count,
                           const void *arena,
                           size_t arena_len,
                           const struct es_submit_options *options,
                           uint64_t *first_seq,
                           struct es_error *err);

/**
 * Fills close options with their defaults.
 * @param options  caller's memory
 * @param size     sizeof(es_close_options)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_close_options(struct es_close_options *options,
                                size_t size);

/**
 * Fills a close result with zeros and its size.
 * @param result  caller's memory
 * @param size    sizeof(es_close_result)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_close_result(struct es_close_result *result,
                               size_t size);

/**
 * Ends a run: from its start submits answer ES_ERR_CLOSED; what is queued is committed, then a
 * final RunEnded entry, then the run is sealed as ES_RUN_ENDED. A run that has halted is not
 * written to: the answer is ES_OK with sealed 0 and the reason (in words: what es_flush then gives
 * err), and the instance is free for a new run at once. The run itself is let go of once what its
 * writer was in the middle of has ended: until then es_open_crashed_run answers ES_ERR_LOCKED.
 * on_halt has returned when this answers ES_OK: it waits for that, so on_halt must not wait for it.
 * Called again, it answers the same. The handle stays valid for state, stats, es_wait_durable and
 * es_open_reader; free it with es_free_run.
 * @param run      the run
 * @param options  NULL: the defaults, waits without end
 * @param out      receives how it ended, its struct_size set; may be NULL
 * @param err      filled on failure; may be NULL
 * @return ES_OK: look at out->sealed;
 *         ES_ERR_TIMEOUT: closing goes on: call again;
 *         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
 *         ES_ERR_UNSUPPORTED_FIELD, ES_ERR_STRUCT_SIZE, ES_ERR_BAD_HANDLE,
 *         ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_PANIC: free the run and report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_close_run(struct es_run *run,
                       const struct es_close_options *options,
                       struct es_close_result *out,
                       struct es_error *err);

/**
 * Seals a crashed run; it takes no entries after that and opens with es_open_sealed_run. Reads
 * the run once for its digest.
 * @param reader  of es_open_crashed_run
 * @param status  ES_RUN_CRASHED_RECOVERED, ES_RUN_ENDED or ES_RUN_QUARANTINED
 * @param out     receives how it ended, its struct_size set; may be NULL
 * @param err     filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_CLOSED: it is sealed already;
 *         ES_ERR_UNSUPPORTED: the reader is not of es_open_crashed_run;
 *         ES_ERR_INVALID_ARGUMENT: status is none of these;
 *         ES_ERR_HASH_MISMATCH, ES_ERR_SEQ_MISMATCH, ES_ERR_GAP: the run is damaged: seal it
 *         ES_RUN_QUARANTINED; ES_ERR_CORRUPTED: keep a copy, salvage it;
 *         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno: free space, open it again;
 *         ES_ERR_BUSY: another thread seals it;
 *         ES_ERR_STRUCT_SIZE, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: free the reader and report it.
 * [one thread at a time per object] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_seal_run(struct es_reader *reader,
                      uint32_t status,
                      struct es_close_result *out,
                      struct es_error *err);

/**
 * Frees a run's handle; never waits for the disk. A run that was not closed is detached: what is
 * queued is still committed, it stays ES_RUN_RUNNING, and until then opening it again answers
 * ES_ERR_LOCKED. A manual run, which has no thread for that, and one that has halted drop what is
 * queued. Does nothing for NULL, for a handle that is freed already or of another type, in a forked
 * child, and inside on_halt. Must not run while another thread is in a call on it.
 * @param run  the run, or NULL
 * [one thread at a time per object] [never blocks] Since 0.1.
 */
ES_API
void es_free_run(struct es_run *run);

/**
 * Frees a reader and lets go of its file and locks; never waits for the disk. Does nothing for
 * NULL, for a handle that is freed already or of another type, and in a forked child. Must not
 * run while another thread is in a call on it.
 * @param reader  the reader, or NULL
 * [one thread at a time per object] [never blocks] Since 0.1.
 */
ES_API
void es_free_reader(struct es_reader *reader);

/**
 * Tells where a run stands, with a few loads. A stall is noticed here as well: the one call that
 * notices it wakes the waiters and runs on_halt.
 * @param run       the run, open, closed or halted
 * @param out       receives the state
 * @param out_size  sizeof(es_run_state)
 * @param err       filled on failure; may be NULL
 * @return ES_OK; ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
 *         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_PANIC: close the run and report it.
 * [any thread] also from on_halt. [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_get_run_state(struct es_run *run,
                           struct es_run_state *out,
                           size_t out_size,
                           struct es_error *err);

/**
 * Tells what a run has done.
 * @param run       the run, open, closed or halted
 * @param out       receives the statistics
 * @param out_size  sizeof(es_run_stats)
 * @param err       filled on failure; may be NULL
 * @return ES_OK; ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
 *         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_BUSY: called from on_halt: call it
 *         later; ES_ERR_PANIC: close the run and report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_get_run_stats(struct es_run *run,
                           struct es_run_stats *out,
                           size_t out_size,
                           struct es_error *err);

/**
 * Gives the path of a run's file; empty for a memory run.
 * @param run     the run
 * @param path    caller's memory; NULL only with cap 0. NUL-terminated whenever cap > 0: when it
 *                is too small it receives the empty text
 * @param cap     its size in bytes
 * @param needed  receives the size that suffices, the NUL counted, on ES_OK and on
 *                ES_ERR_BUFFER_TOO_SMALL; may be NULL
 * @param err     filled on failure; may be NULL
 * @return ES_OK; ES_ERR_BUFFER_TOO_SMALL: call again with *needed bytes;
 *         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_BUSY: called from on_halt: call it later; ES_ERR_PANIC: close the run and
 *         report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_get_run_path(struct es_run *run,
                          char *path,
                          size_t cap,
                          size_t *needed,
                          struct es_error *err);

/**
 * Gives a descriptor to poll: readable after the high-watermark has moved or the run has halted.
 * Read 8 bytes from it to rearm it, then call es_get_run_state. It belongs to the run: do not
 * close it, and do not use it after es_free_run. Linux only.
 * @param run  the run
 * @param fd   receives the descriptor
 * @param err  filled on failure; may be NULL
 * @return ES_OK, for a closed run too; ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_BUSY: called from on_halt: call it later; ES_ERR_PANIC: close the run and
 *         report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_open_durable_fd(struct es_run *run,
                             int32_t *fd,
                             struct es_error *err);

/**
 * Fills a scan request with its defaults: from 1 to UINT64_MAX, forward, no limits.
 * @param request  caller's memory
 * @param size     sizeof(es_scan_request)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_scan_request(struct es_scan_request *request,
                               size_t size);

/**
 * Fills a scan result with zeros and its size.
 * @param result  caller's memory
 * @param size    sizeof(es_scan_result)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_scan_result(struct es_scan_result *result,
                              size_t size);

/**
 * Reads one page of a range: as many whole entries as fit all limits, each checked against its
 * hash. Stateless: any number of scans may run on one reader. A damaged row ends the page before
 * it with ES_OK and more 1; the next call, which starts at it, fails with its status and seq,
 * and the caller may skip it by asking from err->seq + 1 (backward: to err->seq - 1).
 * @param reader     the reader
 * @param request    the range and limits
 * @param entries    array of entries to fill; each element is written for its whole stride, the
 *                   rest of it with zeros; unspecified beyond result->rows
 * @param stride     bytes from one entry to the next, at least sizeof(es_entry)
 * @param entry_cap  how many entries it holds, at least 1
 * @param arena      receives texts, payloads and keys; NULL only with arena_cap 0; unspecified
 *                   beyond result->arena_used
 * @param arena_cap  its size in bytes
 * @param result     caller's memory, its struct_size set
 * @param err        filled on failure; may be NULL
 * @return ES_OK, with 0 rows when the range holds none;
 *         ES_ERR_BUFFER_TOO_SMALL: the first entry needs err->required bytes of arena;
 *         ES_ERR_HASH_MISMATCH, ES_ERR_SEQ_MISMATCH, ES_ERR_GAP, ES_ERR_CORRUPTED: the first row
 *         is damaged: err->seq says which, verify the run;
 *         ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_UNSUPPORTED_FIELD, ES_ERR_STRUCT_SIZE,
 *         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: free the reader and report it.
 * [any thread] [never blocks] behind a commit; it reads the file. Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_scan_range(struct es_reader *reader,
                        const struct es_scan_request *request,
                        struct es_entry *entries,
                        size_t stride,
                        size_t entry_cap,
                        void *arena,
                        size_t arena_cap,
                        struct es_scan_result *result,
                        struct es_error *err);

/**
 * Reads one entry, checked against its hash.
 * @param reader      the reader
 * @param seq         which
 * @param entry       receives it, its texts and payload in the arena
 * @param entry_size  sizeof(es_entry)
 * @param arena       caller's memory; NULL only with arena_cap 0
 * @param arena_cap   its size in bytes
 * @param needed      receives the size that suffices, on ES_OK and on ES_ERR_BUFFER_TOO_SMALL; may be NULL
 * @param err         filled on failure; may be NULL
 * @return ES_OK; ES_ERR_NOT_FOUND: seq is 0 or beyond the high-watermark;
 *         ES_ERR_BUFFER_TOO_SMALL: call again with *needed bytes; entry is untouched;
 *         ES_ERR_HASH_MISMATCH, ES_ERR_SEQ_MISMATCH, ES_ERR_GAP, ES_ERR_CORRUPTED: the row is
 *         damaged: verify the run; ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
 *         correct the call;
 *         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: free the reader and report it.
 * [any thread] [never blocks] behind a commit; it reads the file. Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_get_entry(struct es_reader *reader,
                       uint64_t seq,
                       struct es_entry *entry,
                       size_t entry_size,
                       void *arena,
                       size_t arena_cap,
                       size_t *needed,
                       struct es_error *err);

/**
 * Fills a tail result with zeros and its size.
 * @param result  caller's memory
 * @param size    sizeof(es_tail_result)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_tail_result(struct es_tail_result *result,
                              size_t size);

/**
 * Waits until a run's high-watermark is seq or more, or nothing more comes: the run was sealed,
 * or its writer is gone without sealing it. With ES_OK look at out->flags: ES_TAIL_SEALED and
 * ES_TAIL_WRITER_GONE say that what is durable by now, up to out->high_watermark, is all. Any
 * reader may wait; of a sealed or crashed run it is answered at once.
 *
 * Within the writing process a commit wakes its waiters, which costs its writer a system call. A
 * run that another process writes (es_open_live_run) is looked at after naps that grow from 50 us
 * to 2 ms: so late an entry is noticed at most, and about 500 times a second, of five system calls
 * each, while nothing comes; that costs its writer nothing. A manual run is not driven by a wait.
 * @param reader      the reader
 * @param seq         the next entry wanted: the high-watermark so far plus 1; 0 only asks
 * @param timeout_ns  longest wait in nanoseconds; 0 polls, ES_FOREVER waits without end. A signal
 *                    does not end a wait: wait in slices to look for one
 * @param out         receives how far the run is, its struct_size set; may be NULL
 * @param err         filled on failure; may be NULL
 * @return ES_OK: read on, or stop, as out->flags says;
 *         ES_ERR_TIMEOUT: nothing new: call again;
 *         ES_ERR_CORRUPTED: entries that were acknowledged are damaged or missing: what lies
 *         before them can be read; verify or salvage the run once it is sealed;
 *         ES_ERR_LOCKED, ES_ERR_NOT_FOUND: the run was closed since, and recovery has it, or it
 *         was deleted: open it anew;
 *         ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_UNSUPPORTED_FORMAT: use a library that knows it;
 *         ES_ERR_BUSY: called from on_halt: call it later;
 *         ES_ERR_STRUCT_SIZE, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: free the reader and report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_wait_tail(struct es_reader *reader,
                       uint64_t seq,
                       uint64_t timeout_ns,
                       struct es_tail_result *out,
                       struct es_error *err);

/**
 * Fills an index request with zeros and its size: client order ids, from the start.
 * @param request  caller's memory
 * @param size     sizeof(es_index_request)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_index_request(struct es_index_request *request,
                                size_t size);

/**
 * Fills an index result with zeros and its size.
 * @param result  caller's memory
 * @param size    sizeof(es_index_result)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_index_result(struct es_index_result *result,
                               size_t size);

/**
 * Finds the first entry that was committed with a key.
 * @param reader   the reader
 * @param kind     ES_INDEX_*
 * @param key      the key, UTF-8; of more than 1 MiB it is refused
 * @param key_len  its length in bytes, or ES_NTS
 * @param seq      receives the seq
 * @param err      filled on failure; may be NULL
 * @return ES_OK; ES_ERR_NOT_FOUND: no entry has it;
 *         ES_ERR_CORRUPTED: verify the run; ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
 *         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_PANIC: free the reader and report it.
 * [any thread] [never blocks] behind a commit; it reads the file. Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_lookup(struct es_reader *reader,
                    uint32_t kind,
                    const char *key,
                    size_t key_len,
                    uint64_t *seq,
                    struct es_error *err);

/**
 * Reads one page of an index, in byte order of its keys: as many whole rows as fit all limits.
 * @param reader     the reader
 * @param request    which index, after which key
 * @param rows       array of rows to fill; each element is written for its whole stride, the rest
 *                   of it with zeros; unspecified beyond result->rows
 * @param stride     bytes from one row to the next, at least sizeof(es_index_row)
 * @param row_cap    how many rows it holds, at least 1
 * @param arena      receives the keys; NULL only with arena_cap 0; unspecified beyond
 *                   result->arena_used
 * @param arena_cap  its size in bytes
 * @param result     caller's memory, its struct_size set
 * @param err        filled on failure; may be NULL
 * @return ES_OK, with 0 rows when there are none;
 *         ES_ERR_BUFFER_TOO_SMALL: the first key needs err->required bytes of arena;
 *         ES_ERR_CORRUPTED: verify the run; ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
 *         correct the call; ES_ERR_PANIC: free the reader and report it.
 * [any thread] [never blocks] behind a commit; it reads the file. Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_scan_index(struct es_reader *reader,
                        const struct es_index_request *request,
                        struct es_index_row *rows,
                        size_t stride,
                        size_t row_cap,
                        void *arena,
                        size_t arena_cap,
                        struct es_index_result *result,
                        struct es_error *err);

/**
 * Finds the first entry whose ts_init is at or after a time. Times may step back in a run: it is
 * the first by seq.
 * @param reader   the reader
 * @param ts_init  the time, in nanoseconds since the Unix epoch
 * @param seq      receives the seq
 * @param err      filled on failure; may be NULL
 * @return ES_OK; ES_ERR_NOT_FOUND: all entries are earlier;
 *         ES_ERR_HASH_MISMATCH, ES_ERR_SEQ_MISMATCH, ES_ERR_GAP, ES_ERR_CORRUPTED: verify the
 *         run; ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_PANIC: free the reader and report it.
 * [any thread] [never blocks] behind a commit; it reads the file. Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_find_first_seq(struct es_reader *reader,
                            uint64_t ts_init,
                            uint64_t *seq,
                            struct es_error *err);

/**
 * Fills a restore plan with zeros and its size.
 * @param plan  caller's memory
 * @param size  sizeof(es_restore_plan)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_restore_plan(struct es_restore_plan *plan,
                               size_t size);

/**
 * Records that a snapshot kept elsewhere covers every entry up to a seq; returns when that is
 * durable. Anchors are stored in call order, each once its seq is durable.
 * @param run               the run
 * @param seq               the last covered entry: claimed, and not before the latest anchor's
 * @param blob_ref          where the snapshot lies: UTF-8, 1 to 4,096 bytes; opaque to the store
 * @param blob_ref_len      its length in bytes, or ES_NTS
 * @param content_hash      its hash, customarily "blake3:HEX": UTF-8, 1 to 4,096 bytes; opaque
 * @param content_hash_len  its length in bytes, or ES_NTS
 * @param timeout_ns        longest wait in nanoseconds; 0 polls, ES_FOREVER waits without end
 * @param err               filled on failure; may be NULL
 * @return ES_OK: durable;
 *         ES_ERR_TIMEOUT: it stays queued and will be stored: es_get_anchor tells when;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
 *         ES_ERR_USED_AFTER_FORK: nothing was queued: correct what err names;
 *         ES_ERR_CLOSED: es_close_run has begun;
 *         ES_ERR_HALTED: it may or may not be stored: close the run, then recover it;
 *         ES_ERR_UNSUPPORTED: the backend keeps no anchors;
 *         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
 *         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: close the run and report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_record_anchor(struct es_run *run,
                           uint64_t seq,
                           const char *blob_ref,
                           size_t blob_ref_len,
                           const char *content_hash,
                           size_t content_hash_len,
                           uint64_t timeout_ns,
                           struct es_error *err);

/**
 * Gives the latest anchor.
 * @param reader     the reader
 * @param out        receives the anchor, its texts in the arena, NUL-terminated
 * @param out_size   sizeof(es_anchor)
 * @param arena      caller's memory; NULL only with arena_cap 0
 * @param arena_cap  its size in bytes
 * @param needed     receives the size that suffices, on ES_OK and on ES_ERR_BUFFER_TOO_SMALL; may be NULL
 * @param err        filled on failure; may be NULL
 * @return ES_OK; ES_ERR_NOT_FOUND: the run has none;
 *         ES_ERR_BUFFER_TOO_SMALL: call again with *needed bytes; out is untouched;
 *         ES_ERR_CORRUPTED: keep a copy, verify or salvage it; ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
 *         correct the call; ES_ERR_PANIC: free the reader and report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_get_anchor(struct es_reader *reader,
                        struct es_anchor *out,
                        size_t out_size,
                        void *arena,
                        size_t arena_cap,
                        size_t *needed,
                        struct es_error *err);

/**
 * Says what to replay after the latest anchor.
 * @param reader  the reader
 * @param out     caller's memory, its struct_size set
 * @param err     filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_CORRUPTED: the anchor lies beyond the high-watermark: verify the run;
 *         ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
 *         correct the call; ES_ERR_PANIC: free the reader and report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_get_restore_plan(struct es_reader *reader,
                              struct es_restore_plan *out,
                              struct es_error *err);

/**
 * Gives the largest durable seq; 0: none. Of a run that another process writes (es_open_live_run)
 * it looks at the run's files; what is wrong with them the other calls tell.
 * @param reader  the reader
 * @param seq     receives it
 * @param err     filled on failure; may be NULL
 * @return ES_OK; ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the
 *         call; ES_ERR_PANIC: free the reader and report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_get_high_watermark(struct es_reader *reader,
                                uint64_t *seq,
                                struct es_error *err);

/**
 * Gives the run digest that was stored at seal.
 * @param reader  the reader
 * @param digest  receives 32 bytes
 * @param cap     its size in bytes, at least 32
 * @param keyed   receives 1 when a key was used, else 0; may be NULL
 * @param err     filled on failure; may be NULL
 * @return ES_OK; ES_ERR_NOT_FOUND: the run is not sealed, is quarantined, or was sealed without
 *         its key;
 *         ES_ERR_BUFFER_TOO_SMALL: cap is below 32;
 *         ES_ERR_CORRUPTED: verify the run; ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_PANIC: free the reader and report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_get_digest(struct es_reader *reader,
                        uint8_t *digest,
                        size_t cap,
                        uint32_t *keyed,
                        struct es_error *err);

/**
 * Gives the path of the file that a reader reads; empty for a memory run.
 * @param reader  the reader
 * @param path    caller's memory; NULL only with cap 0. NUL-terminated whenever cap > 0: when it
 *                is too small it receives the empty text
 * @param cap     its size in bytes
 * @param needed  receives the size that suffices, the NUL counted, on ES_OK and on
 *                ES_ERR_BUFFER_TOO_SMALL; may be NULL
 * @param err     filled on failure; may be NULL
 * @return ES_OK; ES_ERR_BUFFER_TOO_SMALL: call again with *needed bytes;
 *         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
 *         ES_ERR_PANIC: free the reader and report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_get_reader_path(struct es_reader *reader,
                             char *path,
                             size_t cap,
                             size_t *needed,
                             struct es_error *err);

/**
 * Fills a report summary with zeros and its size.
 * @param summary  caller's memory
 * @param size     sizeof(es_report_summary)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_report_summary(struct es_report_summary *summary,
                                 size_t size);

/**
 * Fills a page result with zeros and its size.
 * @param result  caller's memory
 * @param size    sizeof(es_page_result)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_page_result(struct es_page_result *result,
                              size_t size);

/**
 * Gives the summary of a report.
 * @param report  the report
 * @param out     caller's memory, its struct_size set
 * @param err     filled on failure; may be NULL
 * @return ES_OK; ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
 *         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_PANIC: free the report and report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_get_report_summary(struct es_report *report,
                                struct es_report_summary *out,
                                struct es_error *err);

/**
 * Reads one page of a report's rows about runs: as many whole rows as fit all limits.
 * @param report     the report
 * @param from       the first row to give, from 0
 * @param rows       array of rows to fill; each element is written for its whole stride, the rest
 *                   of it with zeros; unspecified beyond result->rows
 * @param stride     bytes from one row to the next, at least sizeof(es_run_row)
 * @param row_cap    how many rows it holds, at least 1
 * @param arena      receives the texts; NULL only with arena_cap 0; unspecified beyond
 *                   result->arena_used
 * @param arena_cap  its size in bytes
 * @param result     caller's memory, its struct_size set
 * @param err        filled on failure; may be NULL
 * @return ES_OK, with 0 rows when there are none;
 *         ES_ERR_BUFFER_TOO_SMALL: the first row needs err->required bytes of arena;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
 *         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_PANIC: free the report and report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_read_run_rows(struct es_report *report,
                           uint64_t from,
                           struct es_run_row *rows,
                           size_t stride,
                           size_t row_cap,
                           void *arena,
                           size_t arena_cap,
                           struct es_page_result *result,
                           struct es_error *err);

/**
 * Reads one page of a report's findings: as many whole ones as fit all limits.
 * @param report     the report
 * @param from       the first finding to give, from 0
 * @param rows       array of findings to fill; each element is written for its whole stride, the
 *                   rest of it with zeros; unspecified beyond result->rows
 * @param stride     bytes from one to the next, at least sizeof(es_finding)
 * @param row_cap    how many it holds, at least 1
 * @param arena      receives the texts; NULL only with arena_cap 0; unspecified beyond
 *                   result->arena_used
 * @param arena_cap  its size in bytes
 * @param result     caller's memory, its struct_size set
 * @param err        filled on failure; may be NULL
 * @return ES_OK, with 0 rows when there are none;
 *         ES_ERR_BUFFER_TOO_SMALL: the first one needs err->required bytes of arena;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
 *         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_PANIC: free the report and report it.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_read_findings(struct es_report *report,
                           uint64_t from,
                           struct es_finding *rows,
                           size_t stride,
                           size_t row_cap,
                           void *arena,
                           size_t arena_cap,
                           struct es_page_result *result,
                           struct es_error *err);

/**
 * Frees a report. Does nothing for NULL, for a handle that is freed already or of another type,
 * and in a forked child. Must not run while another thread is in a call on it.
 * @param report  the report, or NULL
 * [one thread at a time per object] [never blocks] Since 0.1.
 */
ES_API
void es_free_report(struct es_report *report);

/**
 * Fills operation options with the defaults and their size.
 * @param options  caller's memory
 * @param size     sizeof(es_operation_options)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_operation_options(struct es_operation_options *options,
                                    size_t size);

/**
 * Lists the runs of an instance by start_ts_init and run id, in whatever state they are; those
 * that are held or not readable come last. Reads a few pages a run, but the whole of a run that
 * needs repair. Rows: ES_OUTCOME_LISTED, ES_OUTCOME_HELD, ES_OUTCOME_UNREADABLE.
 * @param base             directory of all instances, UTF-8
 * @param base_len         its length in bytes, or ES_NTS; at most 4,095
 * @param instance_id      the instance
 * @param instance_id_len  its length in bytes, or ES_NTS
 * @param out              receives the report, to be freed with es_free_report; NULL on failure
 * @param err              filled on failure; may be NULL
 * @return ES_OK; ES_ERR_NOT_FOUND: no such instance;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_NULL_POINTER: correct what err
 *         names; ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
 *         ES_ERR_PANIC: report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_list_runs(const char *base,
                       size_t base_len,
                       const char *instance_id,
                       size_t instance_id_len,
                       struct es_report **out,
                       struct es_error *err);

/**
 * Sweeps an instance whose engine died: seals each run that was left, closes what was sealed and
 * not closed, moves temporary names aside, and reports what is damaged or no run without touching
 * it. summary.parent_run_id is the newest run that is sealed ES_RUN_CRASHED_RECOVERED; one that is
 * newer and sealed ES_RUN_ENDED, which es_list_runs tells, is the better parent. A row for each
 * name that needed attention. Killed and called again, it reaches the same end.
 * @param base             directory of all instances, UTF-8
 * @param base_len         its length in bytes, or ES_NTS; at most 4,095
 * @param instance_id      the instance
 * @param instance_id_len  its length in bytes, or ES_NTS
 * @param options          NULL: the defaults. ES_OPERATION_DRY_RUN, ES_OPERATION_DIGEST_KEY
 * @param out              receives the report, to be freed with es_free_report; NULL on failure
 * @param err              filled on failure; may be NULL
 * @return ES_OK, whatever is wrong with single runs: look at the rows;
 *         ES_ERR_LOCKED: a writer lives, or another process recovers: try again later;
 *         ES_ERR_NOT_FOUND: no such instance: nothing was ever written;
 *         ES_ERR_UNSUPPORTED: the file system has no locks;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
 *         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
 *         ES_ERR_PANIC: report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_recover(const char *base,
                     size_t base_len,
                     const char *instance_id,
                     size_t instance_id_len,
                     const struct es_operation_options *options,
                     struct es_report **out,
                     struct es_error *err);

/**
 * Reads a sealed run whole and reports everything that is wrong with it as findings; the file is
 * never written. summary.flags has ES_REPORT_CLEAN when there are none. Damage is a finding: the
 * call then answers ES_OK.
 * @param path      the run's file, or its directory (log backend), UTF-8
 * @param path_len  its length in bytes, or ES_NTS; at most 4,095
 * @param options   NULL: the defaults. ES_OPERATION_DIGEST_KEY, ES_OPERATION_EXPECTED_DIGEST
 * @param out       receives the report, to be freed with es_free_report; NULL on failure
 * @param err       filled on failure; may be NULL
 * @return ES_OK: look at the findings;
 *         ES_ERR_NOT_SEALED: recover it first; ES_ERR_NOT_FOUND: no such file;
 *         ES_ERR_LOCKED: it is being written or recovered: try again later;
 *         ES_ERR_CORRUPTED: it is no run; ES_ERR_UNSUPPORTED_FORMAT: use a library that knows it;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
 *         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
 *         ES_ERR_PANIC: report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_verify_run(const char *path,
                        size_t path_len,
                        const struct es_operation_options *options,
                        struct es_report **out,
                        struct es_error *err);

/**
 * Copies the good rows of a quarantined or damaged run into a new run, with new seqs, sealed
 * ES_RUN_CRASHED_RECOVERED, that names the old one as its parent. One row: the new run. Findings:
 * what was lost. The old file is never written; when the call fails, no new run is left.
 * @param path             the old run's file or directory, UTF-8
 * @param path_len         its length in bytes, or ES_NTS; at most 4,095
 * @param base             directory of all instances, UTF-8
 * @param base_len         its length in bytes, or ES_NTS; at most 4,095
 * @param instance_id      the instance of the new run
 * @param instance_id_len  its length in bytes, or ES_NTS
 * @param run_id           the new run
 * @param run_id_len       its length in bytes, or ES_NTS
 * @param options          NULL: the defaults. ES_OPERATION_DIGEST_KEY: of the new run's digest
 * @param out              receives the report, to be freed with es_free_report; NULL on failure
 * @param err              filled on failure; may be NULL
 * @return ES_OK: look at the findings;
 *         ES_ERR_NOT_SEALED: the old run is sound: recover it;
 *         ES_ERR_LOCKED: a run is being written or recovered: try again later;
 *         ES_ERR_ALREADY_EXISTS, ES_ERR_CRASHED_PREDECESSOR: choose another run_id;
 *         ES_ERR_NOT_FOUND: no such file; ES_ERR_CORRUPTED: nothing can be read;
 *         ES_ERR_UNSUPPORTED_FORMAT: use a library that knows it;
 *         ES_ERR_UNSUPPORTED: the file system has no locks;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
 *         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
 *         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
 *         ES_ERR_PANIC: report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_salvage_run(const char *path,
                         size_t path_len,
                         const char *base,
                         size_t base_len,
                         const char *instance_id,
                         size_t instance_id_len,
                         const char *run_id,
                         size_t run_id_len,
                         const struct es_operation_options *options,
                         struct es_report **out,
                         struct es_error *err);

/**
 * Proposes which sealed runs may be deleted; deletes nothing. A plan always keeps a restore
 * point: a sealed run, not quarantined, whose anchor covers an entry that is there. Rows:
 * ES_OUTCOME_KEPT with the reason, then ES_OUTCOME_TO_DELETE, oldest first. summary.entries is
 * how many would go, summary.reason why none would, summary.run_id the restore point.
 * @param base             directory of all instances, UTF-8
 * @param base_len         its length in bytes, or ES_NTS; at most 4,095
 * @param instance_id      the instance
 * @param instance_id_len  its length in bytes, or ES_NTS
 * @param keep             ES_KEEP_*
 * @param keep_count       with ES_KEEP_LAST: how many of the newest; else 0
 * @param out              receives the report, for es_apply_retention and to be freed with
 *                         es_free_report; NULL on failure
 * @param err              filled on failure; may be NULL
 * @return ES_OK; ES_ERR_NOT_FOUND: no such instance;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_NULL_POINTER: correct what err
 *         names; ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
 *         ES_ERR_PANIC: report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_plan_retention(const char *base,
                            size_t base_len,
                            const char *instance_id,
                            size_t instance_id_len,
                            uint32_t keep,
                            uint64_t keep_count,
                            struct es_report **out,
                            struct es_error *err);

/**
 * Deletes what a plan proposes, durably, as far as it is still so: each run is looked at once
 * more under its lock, and one that anybody reads is skipped. Rows: ES_OUTCOME_DELETED,
 * ES_OUTCOME_SKIPPED with the reason. summary.entries is how many were deleted.
 * @param base             directory of all instances, UTF-8
 * @param base_len         its length in bytes, or ES_NTS; at most 4,095
 * @param instance_id      the instance that was planned for
 * @param instance_id_len  its length in bytes, or ES_NTS
 * @param plan             a report of es_plan_retention; stays the caller's
 * @param out              receives the report, to be freed with es_free_report; NULL on failure
 * @param err              filled on failure; may be NULL
 * @return ES_OK: look at the rows;
 *         ES_ERR_INVALID_ARGUMENT: also when plan is a report of another call;
 *         ES_ERR_INVALID_UTF8, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
 *         correct what err names; ES_ERR_BACKEND: see err->os_errno;
 *         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_apply_retention(const char *base,
                             size_t base_len,
                             const char *instance_id,
                             size_t instance_id_len,
                             struct es_report *plan,
                             struct es_report **out,
                             struct es_error *err);

/**
 * Fills a copy result with zeros and its size.
 * @param result  caller's memory
 * @param size    sizeof(es_copy_result)
 * @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
 * [any thread] [never blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_init_copy_result(struct es_copy_result *result,
                              size_t size);

/**
 * Copies a run to `<base>/<instance_id>/`, under its own instance and run id. The copy is on stable
 * storage when it returns ES_OK; before, its name does not exist. A sealed run is copied byte for
 * byte. A run of the log backend may be copied while any process writes it, at no cost to the
 * writer but the disk's: the copy has exactly the entries acknowledged at some moment of the call,
 * and is as if the process had died just then: ES_RUN_RUNNING, for es_recover. Entries are not
 * checked on the way: verify the copy.
 * @param path      the run's file, or its directory (log backend), UTF-8
 * @param path_len  its length in bytes, or ES_NTS; at most 4,095
 * @param base      another directory of all instances, UTF-8; made if missing
 * @param base_len  its length in bytes, or ES_NTS; at most 4,095
 * @param out       receives what was copied, its struct_size set; may be NULL
 * @param err       filled on failure; may be NULL
 * @return ES_OK;
 *         ES_ERR_ALREADY_EXISTS: a run of this id is there, unchanged: choose another base;
 *         ES_ERR_UNSUPPORTED: a redb run that is being written or recovered: copy it once it is
 *         sealed; or the file system has no locks;
 *         ES_ERR_NOT_SEALED: a redb run that was left: recover it first;
 *         ES_ERR_LOCKED: the run is being deleted, or another process writes or recovers its
 *         instance below base: try again later;
 *         ES_ERR_NOT_FOUND: no such run; ES_ERR_CORRUPTED: it is no run, or what was acknowledged
 *         is damaged: verify or salvage it once it is sealed;
 *         ES_ERR_UNSUPPORTED_FORMAT: use a library that knows it;
 *         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER:
 *         correct what err names;
 *         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno: free space, or correct the directory;
 *         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: report it.
 * [any thread] [blocks] Since 0.1.
 */
ES_API
ES_MUST_USE
es_status es_copy_run(const char *path,
                      size_t path_len,
                      const char *base,
                      size_t base_len,
                      struct es_copy_result *out,
                      struct es_error *err);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/* Layout: what the library was built with, checked where the header is used. */
#if defined(__cplusplus)
#define ES_ASSERT_(name, condition) static_assert(condition, #name)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define ES_ASSERT_(name, condition) _Static_assert(condition, #name)
#else
#define ES_ASSERT_(name, condition) typedef char es_assert_##name##_[(condition) ? 1 : -1]
#endif
ES_ASSERT_(pointers_have_64_bits, sizeof(void *) == 8 && sizeof(size_t) == 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "eventstore supports little-endian targets only"
#endif
ES_ASSERT_(es_string_size, sizeof(es_string) == 16);
ES_ASSERT_(es_string_data, offsetof(es_string, data) == 0);
ES_ASSERT_(es_string_len, offsetof(es_string, len) == 8);
ES_ASSERT_(es_string_pair_size, sizeof(es_string_pair) == 32);
ES_ASSERT_(es_string_pair_key, offsetof(es_string_pair, key) == 0);
ES_ASSERT_(es_string_pair_value, offsetof(es_string_pair, value) == 16);
ES_ASSERT_(es_error_size, sizeof(es_error) == 256);
ES_ASSERT_(es_error_code, offsetof(es_error, code) == 0);
ES_ASSERT_(es_error_os_errno, offsetof(es_error, os_errno) == 4);
ES_ASSERT_(es_error_item_index, offsetof(es_error, item_index) == 8);
ES_ASSERT_(es_error_seq, offsetof(es_error, seq) == 16);
ES_ASSERT_(es_error_next_seq, offsetof(es_error, next_seq) == 24);
ES_ASSERT_(es_error_prev_seq, offsetof(es_error, prev_seq) == 32);
ES_ASSERT_(es_error_high_watermark, offsetof(es_error, high_watermark) == 40);
ES_ASSERT_(es_error_count, offsetof(es_error, count) == 48);
ES_ASSERT_(es_error_required, offsetof(es_error, required) == 56);
ES_ASSERT_(es_error_format_found, offsetof(es_error, format_found) == 64);
ES_ASSERT_(es_error_reserved, offsetof(es_error, reserved) == 68);
ES_ASSERT_(es_error_message, offsetof(es_error, message) == 72);
ES_ASSERT_(es_open_options_size, sizeof(es_open_options) == 176);
ES_ASSERT_(es_open_options_struct_size, offsetof(es_open_options, struct_size) == 0);
ES_ASSERT_(es_open_options_abi_version, offsetof(es_open_options, abi_version) == 4);
ES_ASSERT_(es_open_options_flags, offsetof(es_open_options, flags) == 8);
ES_ASSERT_(es_open_options_backend, offsetof(es_open_options, backend) == 12);
ES_ASSERT_(es_open_options_durability, offsetof(es_open_options, durability) == 16);
ES_ASSERT_(es_open_options_wait_policy, offsetof(es_open_options, wait_policy) == 20);
ES_ASSERT_(es_open_options_writer_cpu, offsetof(es_open_options, writer_cpu) == 24);
ES_ASSERT_(es_open_options_reserved0, offsetof(es_open_options, reserved0) == 28);
ES_ASSERT_(es_open_options_cache_bytes, offsetof(es_open_options, cache_bytes) == 32);
ES_ASSERT_(es_open_options_queue_entries, offsetof(es_open_options, queue_entries) == 40);
ES_ASSERT_(es_open_options_queue_bytes, offsetof(es_open_options, queue_bytes) == 48);
ES_ASSERT_(es_open_options_group_entries, offsetof(es_open_options, group_entries) == 56);
ES_ASSERT_(es_open_options_group_bytes, offsetof(es_open_options, group_bytes) == 64);
ES_ASSERT_(es_open_options_group_linger_ns, offsetof(es_open_options, group_linger_ns) == 72);
ES_ASSERT_(es_open_options_halt_after_ns, offsetof(es_open_options, halt_after_ns) == 80);
ES_ASSERT_(es_open_options_hot_ns, offsetof(es_open_options, hot_ns) == 88);
ES_ASSERT_(es_open_options_on_halt, offsetof(es_open_options, on_halt) == 96);
ES_ASSERT_(es_open_options_on_halt_context, offsetof(es_open_options, on_halt_context) == 104);
ES_ASSERT_(es_open_options_digest_key, offsetof(es_open_options, digest_key) == 112);
ES_ASSERT_(es_open_options_reserved1, offsetof(es_open_options, reserved1) == 144);
ES_ASSERT_(es_reader_options_size, sizeof(es_reader_options) == 88);
ES_ASSERT_(es_reader_options_struct_size, offsetof(es_reader_options, struct_size) == 0);
ES_ASSERT_(es_reader_options_abi_version, offsetof(es_reader_options, abi_version) == 4);
ES_ASSERT_(es_reader_options_flags, offsetof(es_reader_options, flags) == 8);
ES_ASSERT_(es_reader_options_reserved0, offsetof(es_reader_options, reserved0) == 12);
ES_ASSERT_(es_reader_options_cache_bytes, offsetof(es_reader_options, cache_bytes) == 16);
ES_ASSERT_(es_reader_options_digest_key, offsetof(es_reader_options, digest_key) == 24);
ES_ASSERT_(es_reader_options_reserved, offsetof(es_reader_options, reserved) == 56);
ES_ASSERT_(es_manifest_size, sizeof(es_manifest) == 288);
ES_ASSERT_(es_manifest_struct_size, offsetof(es_manifest, struct_size) == 0);
ES_ASSERT_(es_manifest_schema_version, offsetof(es_manifest, schema_version) == 4);
ES_ASSERT_(es_manifest_run_id, offsetof(es_manifest, run_id) == 8);
ES_ASSERT_(es_manifest_parent_run_id, offsetof(es_manifest, parent_run_id) == 24);
ES_ASSERT_(es_manifest_instance_id, offsetof(es_manifest, instance_id) == 40);
ES_ASSERT_(es_manifest_binary_hash, offsetof(es_manifest, binary_hash) == 56);
ES_ASSERT_(es_manifest_crate_versions, offsetof(es_manifest, crate_versions) == 72);
ES_ASSERT_(es_manifest_config_hash, offsetof(es_manifest, config_hash) == 88);
ES_ASSERT_(es_manifest_feature_flags, offsetof(es_manifest, feature_flags) == 104);
ES_ASSERT_(es_manifest_feature_flag_count, offsetof(es_manifest, feature_flag_count) == 112);
ES_ASSERT_(es_manifest_adapter_versions, offsetof(es_manifest, adapter_versions) == 120);
ES_ASSERT_(es_manifest_adapter_version_count, offsetof(es_manifest, adapter_version_count) == 128);
ES_ASSERT_(es_manifest_actors, offsetof(es_manifest, actors) == 136);
ES_ASSERT_(es_manifest_actor_count, offsetof(es_manifest, actor_count) == 144);
ES_ASSERT_(es_manifest_strategies, offsetof(es_manifest, strategies) == 152);
ES_ASSERT_(es_manifest_strategy_count, offsetof(es_manifest, strategy_count) == 160);
ES_ASSERT_(es_manifest_algorithms, offsetof(es_manifest, algorithms) == 168);
ES_ASSERT_(es_manifest_algorithm_count, offsetof(es_manifest, algorithm_count) == 176);
ES_ASSERT_(es_manifest_subscriptions, offsetof(es_manifest, subscriptions) == 184);
ES_ASSERT_(es_manifest_subscription_count, offsetof(es_manifest, subscription_count) == 192);
ES_ASSERT_(es_manifest_endpoints, offsetof(es_manifest, endpoints) == 200);
ES_ASSERT_(es_manifest_endpoint_count, offsetof(es_manifest, endpoint_count) == 208);
ES_ASSERT_(es_manifest_seed, offsetof(es_manifest, seed) == 216);
ES_ASSERT_(es_manifest_start_ts_init, offsetof(es_manifest, start_ts_init) == 224);
ES_ASSERT_(es_manifest_end_ts_init, offsetof(es_manifest, end_ts_init) == 232);
ES_ASSERT_(es_manifest_high_watermark, offsetof(es_manifest, high_watermark) == 240);
ES_ASSERT_(es_manifest_status, offsetof(es_manifest, status) == 248);
ES_ASSERT_(es_manifest_flags, offsetof(es_manifest, flags) == 252);
ES_ASSERT_(es_manifest_reserved, offsetof(es_manifest, reserved) == 256);
ES_ASSERT_(es_index_key_size, sizeof(es_index_key) == 24);
ES_ASSERT_(es_index_key_key, offsetof(es_index_key, key) == 0);
ES_ASSERT_(es_index_key_key_len, offsetof(es_index_key, key_len) == 8);
ES_ASSERT_(es_index_key_kind, offsetof(es_index_key, kind) == 16);
ES_ASSERT_(es_index_key_reserved, offsetof(es_index_key, reserved) == 20);
ES_ASSERT_(es_draft_size, sizeof(es_draft) == 112);
ES_ASSERT_(es_draft_topic, offsetof(es_draft, topic) == 0);
ES_ASSERT_(es_draft_topic_len, offsetof(es_draft, topic_len) == 8);
ES_ASSERT_(es_draft_payload_type, offsetof(es_draft, payload_type) == 16);
ES_ASSERT_(es_draft_payload_type_len, offsetof(es_draft, payload_type_len) == 24);
ES_ASSERT_(es_draft_payload, offsetof(es_draft, payload) == 32);
ES_ASSERT_(es_draft_payload_len, offsetof(es_draft, payload_len) == 40);
ES_ASSERT_(es_draft_keys, offsetof(es_draft, keys) == 48);
ES_ASSERT_(es_draft_key_count, offsetof(es_draft, key_count) == 56);
ES_ASSERT_(es_draft_flags, offsetof(es_draft, flags) == 60);
ES_ASSERT_(es_draft_ts_init, offsetof(es_draft, ts_init) == 64);
ES_ASSERT_(es_draft_ts_publish, offsetof(es_draft, ts_publish) == 72);
ES_ASSERT_(es_draft_correlation_id, offsetof(es_draft, correlation_id) == 80);
ES_ASSERT_(es_draft_causation_id, offsetof(es_draft, causation_id) == 96);
ES_ASSERT_(es_packed_draft_size, sizeof(es_packed_draft) == 112);
ES_ASSERT_(es_packed_draft_ts_init, offsetof(es_packed_draft, ts_init) == 0);
ES_ASSERT_(es_packed_draft_ts_publish, offsetof(es_packed_draft, ts_publish) == 8);
ES_ASSERT_(es_packed_draft_topic_offset, offsetof(es_packed_draft, topic_offset) == 16);
ES_ASSERT_(es_packed_draft_payload_type_offset, offsetof(es_packed_draft, payload_type_offset) == 24);
ES_ASSERT_(es_packed_draft_payload_offset, offsetof(es_packed_draft, payload_offset) == 32);
ES_ASSERT_(es_packed_draft_keys_offset, offsetof(es_packed_draft, keys_offset) == 40);
ES_ASSERT_(es_packed_draft_payload_len, offsetof(es_packed_draft, payload_len) == 48);
ES_ASSERT_(es_packed_draft_topic_len, offsetof(es_packed_draft, topic_len) == 56);
ES_ASSERT_(es_packed_draft_payload_type_len, offsetof(es_packed_draft, payload_type_len) == 60);
ES_ASSERT_(es_packed_draft_keys_len, offsetof(es_packed_draft, keys_len) == 64);
ES_ASSERT_(es_packed_draft_key_count, offsetof(es_packed_draft, key_count) == 68);
ES_ASSERT_(es_packed_draft_flags, offsetof(es_packed_draft, flags) == 72);
ES_ASSERT_(es_packed_draft_reserved, offsetof(es_packed_draft, reserved) == 76);
ES_ASSERT_(es_packed_draft_correlation_id, offsetof(es_packed_draft, correlation_id) == 80);
ES_ASSERT_(es_packed_draft_causation_id, offsetof(es_packed_draft, causation_id) == 96);
ES_ASSERT_(es_submit_options_size, sizeof(es_submit_options) == 40);
ES_ASSERT_(es_submit_options_struct_size, offsetof(es_submit_options, struct_size) == 0);
ES_ASSERT_(es_submit_options_flags, offsetof(es_submit_options, flags) == 4);
ES_ASSERT_(es_submit_options_expected_seq, offsetof(es_submit_options, expected_seq) == 8);
ES_ASSERT_(es_submit_options_timeout_ns, offsetof(es_submit_options, timeout_ns) == 16);
ES_ASSERT_(es_submit_options_reserved, offsetof(es_submit_options, reserved) == 24);
ES_ASSERT_(es_append_options_size, sizeof(es_append_options) == 40);
ES_ASSERT_(es_append_options_struct_size, offsetof(es_append_options, struct_size) == 0);
ES_ASSERT_(es_append_options_flags, offsetof(es_append_options, flags) == 4);
ES_ASSERT_(es_append_options_expected_seq, offsetof(es_append_options, expected_seq) == 8);
ES_ASSERT_(es_append_options_reserved, offsetof(es_append_options, reserved) == 16);
ES_ASSERT_(es_append_result_size, sizeof(es_append_result) == 32);
ES_ASSERT_(es_append_result_struct_size, offsetof(es_append_result, struct_size) == 0);
ES_ASSERT_(es_append_result_reserved0, offsetof(es_append_result, reserved0) == 4);
ES_ASSERT_(es_append_result_first_seq, offsetof(es_append_result, first_seq) == 8);
ES_ASSERT_(es_append_result_count, offsetof(es_append_result, count) == 16);
ES_ASSERT_(es_append_result_high_watermark, offsetof(es_append_result, high_watermark) == 24);
ES_ASSERT_(es_close_options_size, sizeof(es_close_options) == 40);
ES_ASSERT_(es_close_options_struct_size, offsetof(es_close_options, struct_size) == 0);
ES_ASSERT_(es_close_options_flags, offsetof(es_close_options, flags) == 4);
ES_ASSERT_(es_close_options_timeout_ns, offsetof(es_close_options, timeout_ns) == 8);
ES_ASSERT_(es_close_options_end_ts_init, offsetof(es_close_options, end_ts_init) == 16);
ES_ASSERT_(es_close_options_end_ts_publish, offsetof(es_close_options, end_ts_publish) == 24);
ES_ASSERT_(es_close_options_reserved, offsetof(es_close_options, reserved) == 32);
ES_ASSERT_(es_close_result_size, sizeof(es_close_result) == 80);
ES_ASSERT_(es_close_result_struct_size, offsetof(es_close_result, struct_size) == 0);
ES_ASSERT_(es_close_result_sealed, offsetof(es_close_result, sealed) == 4);
ES_ASSERT_(es_close_result_status, offsetof(es_close_result, status) == 8);
ES_ASSERT_(es_close_result_digest_present, offsetof(es_close_result, digest_present) == 12);
ES_ASSERT_(es_close_result_high_watermark, offsetof(es_close_result, high_watermark) == 16);
ES_ASSERT_(es_close_result_digest, offsetof(es_close_result, digest) == 24);
ES_ASSERT_(es_close_result_halt_status, offsetof(es_close_result, halt_status) == 56);
ES_ASSERT_(es_close_result_halt_errno, offsetof(es_close_result, halt_errno) == 60);
ES_ASSERT_(es_close_result_reserved, offsetof(es_close_result, reserved) == 64);
ES_ASSERT_(es_run_state_size, sizeof(es_run_state) == 48);
ES_ASSERT_(es_run_state_high_watermark, offsetof(es_run_state, high_watermark) == 0);
ES_ASSERT_(es_run_state_last_claimed_seq, offsetof(es_run_state, last_claimed_seq) == 8);
ES_ASSERT_(es_run_state_queue_entries, offsetof(es_run_state, queue_entries) == 16);
ES_ASSERT_(es_run_state_queue_bytes, offsetof(es_run_state, queue_bytes) == 24);
ES_ASSERT_(es_run_state_halt_status, offsetof(es_run_state, halt_status) == 32);
ES_ASSERT_(es_run_state_halt_errno, offsetof(es_run_state, halt_errno) == 36);
ES_ASSERT_(es_run_state_phase, offsetof(es_run_state, phase) == 40);
ES_ASSERT_(es_run_state_reserved, offsetof(es_run_state, reserved) == 44);
ES_ASSERT_(es_run_stats_size, sizeof(es_run_stats) == 64);
ES_ASSERT_(es_run_stats_commits, offsetof(es_run_stats, commits) == 0);
ES_ASSERT_(es_run_stats_entries, offsetof(es_run_stats, entries) == 8);
ES_ASSERT_(es_run_stats_bytes, offsetof(es_run_stats, bytes) == 16);
ES_ASSERT_(es_run_stats_last_flush_ns, offsetof(es_run_stats, last_flush_ns) == 24);
ES_ASSERT_(es_run_stats_longest_flush_ns, offsetof(es_run_stats, longest_flush_ns) == 32);
ES_ASSERT_(es_run_stats_free_bytes, offsetof(es_run_stats, free_bytes) == 40);
ES_ASSERT_(es_run_stats_pooled_buffers, offsetof(es_run_stats, pooled_buffers) == 48);
ES_ASSERT_(es_run_stats_reserved, offsetof(es_run_stats, reserved) == 56);
ES_ASSERT_(es_entry_size, sizeof(es_entry) == 152);
ES_ASSERT_(es_entry_seq, offsetof(es_entry, seq) == 0);
ES_ASSERT_(es_entry_ts_init, offsetof(es_entry, ts_init) == 8);
ES_ASSERT_(es_entry_ts_publish, offsetof(es_entry, ts_publish) == 16);
ES_ASSERT_(es_entry_topic_offset, offsetof(es_entry, topic_offset) == 24);
ES_ASSERT_(es_entry_payload_type_offset, offsetof(es_entry, payload_type_offset) == 32);
ES_ASSERT_(es_entry_payload_offset, offsetof(es_entry, payload_offset) == 40);
ES_ASSERT_(es_entry_keys_offset, offsetof(es_entry, keys_offset) == 48);
ES_ASSERT_(es_entry_payload_len, offsetof(es_entry, payload_len) == 56);
ES_ASSERT_(es_entry_topic_len, offsetof(es_entry, topic_len) == 64);
ES_ASSERT_(es_entry_payload_type_len, offsetof(es_entry, payload_type_len) == 68);
ES_ASSERT_(es_entry_keys_len, offsetof(es_entry, keys_len) == 72);
ES_ASSERT_(es_entry_key_count, offsetof(es_entry, key_count) == 76);
ES_ASSERT_(es_entry_flags, offsetof(es_entry, flags) == 80);
ES_ASSERT_(es_entry_reserved, offsetof(es_entry, reserved) == 84);
ES_ASSERT_(es_entry_correlation_id, offsetof(es_entry, correlation_id) == 88);
ES_ASSERT_(es_entry_causation_id, offsetof(es_entry, causation_id) == 104);
ES_ASSERT_(es_entry_entry_hash, offsetof(es_entry, entry_hash) == 120);
ES_ASSERT_(es_scan_request_size, sizeof(es_scan_request) == 56);
ES_ASSERT_(es_scan_request_struct_size, offsetof(es_scan_request, struct_size) == 0);
ES_ASSERT_(es_scan_request_direction, offsetof(es_scan_request, direction) == 4);
ES_ASSERT_(es_scan_request_from, offsetof(es_scan_request, from) == 8);
ES_ASSERT_(es_scan_request_to, offsetof(es_scan_request, to) == 16);
ES_ASSERT_(es_scan_request_max_rows, offsetof(es_scan_request, max_rows) == 24);
ES_ASSERT_(es_scan_request_max_bytes, offsetof(es_scan_request, max_bytes) == 32);
ES_ASSERT_(es_scan_request_reserved, offsetof(es_scan_request, reserved) == 40);
ES_ASSERT_(es_scan_result_size, sizeof(es_scan_result) == 40);
ES_ASSERT_(es_scan_result_struct_size, offsetof(es_scan_result, struct_size) == 0);
ES_ASSERT_(es_scan_result_more, offsetof(es_scan_result, more) == 4);
ES_ASSERT_(es_scan_result_rows, offsetof(es_scan_result, rows) == 8);
ES_ASSERT_(es_scan_result_arena_used, offsetof(es_scan_result, arena_used) == 16);
ES_ASSERT_(es_scan_result_next_seq, offsetof(es_scan_result, next_seq) == 24);
ES_ASSERT_(es_scan_result_high_watermark, offsetof(es_scan_result, high_watermark) == 32);
ES_ASSERT_(es_tail_result_size, sizeof(es_tail_result) == 40);
ES_ASSERT_(es_tail_result_struct_size, offsetof(es_tail_result, struct_size) == 0);
ES_ASSERT_(es_tail_result_flags, offsetof(es_tail_result, flags) == 4);
ES_ASSERT_(es_tail_result_status, offsetof(es_tail_result, status) == 8);
ES_ASSERT_(es_tail_result_reserved0, offsetof(es_tail_result, reserved0) == 12);
ES_ASSERT_(es_tail_result_high_watermark, offsetof(es_tail_result, high_watermark) == 16);
ES_ASSERT_(es_tail_result_reserved, offsetof(es_tail_result, reserved) == 24);
ES_ASSERT_(es_index_row_size, sizeof(es_index_row) == 24);
ES_ASSERT_(es_index_row_seq, offsetof(es_index_row, seq) == 0);
ES_ASSERT_(es_index_row_key_offset, offsetof(es_index_row, key_offset) == 8);
ES_ASSERT_(es_index_row_key_len, offsetof(es_index_row, key_len) == 16);
ES_ASSERT_(es_index_row_reserved, offsetof(es_index_row, reserved) == 20);
ES_ASSERT_(es_index_request_size, sizeof(es_index_request) == 48);
ES_ASSERT_(es_index_request_struct_size, offsetof(es_index_request, struct_size) == 0);
ES_ASSERT_(es_index_request_kind, offsetof(es_index_request, kind) == 4);
ES_ASSERT_(es_index_request_after, offsetof(es_index_request, after) == 8);
ES_ASSERT_(es_index_request_after_len, offsetof(es_index_request, after_len) == 16);
ES_ASSERT_(es_index_request_max_rows, offsetof(es_index_request, max_rows) == 24);
ES_ASSERT_(es_index_request_reserved, offsetof(es_index_request, reserved) == 32);
ES_ASSERT_(es_index_result_size, sizeof(es_index_result) == 24);
ES_ASSERT_(es_index_result_struct_size, offsetof(es_index_result, struct_size) == 0);
ES_ASSERT_(es_index_result_more, offsetof(es_index_result, more) == 4);
ES_ASSERT_(es_index_result_rows, offsetof(es_index_result, rows) == 8);
ES_ASSERT_(es_index_result_arena_used, offsetof(es_index_result, arena_used) == 16);
ES_ASSERT_(es_anchor_size, sizeof(es_anchor) == 40);
ES_ASSERT_(es_anchor_high_watermark, offsetof(es_anchor, high_watermark) == 0);
ES_ASSERT_(es_anchor_blob_ref, offsetof(es_anchor, blob_ref) == 8);
ES_ASSERT_(es_anchor_content_hash, offsetof(es_anchor, content_hash) == 24);
ES_ASSERT_(es_restore_plan_size, sizeof(es_restore_plan) == 32);
ES_ASSERT_(es_restore_plan_struct_size, offsetof(es_restore_plan, struct_size) == 0);
ES_ASSERT_(es_restore_plan_has_anchor, offsetof(es_restore_plan, has_anchor) == 4);
ES_ASSERT_(es_restore_plan_anchor_seq, offsetof(es_restore_plan, anchor_seq) == 8);
ES_ASSERT_(es_restore_plan_replay_from, offsetof(es_restore_plan, replay_from) == 16);
ES_ASSERT_(es_restore_plan_replay_to, offsetof(es_restore_plan, replay_to) == 24);
ES_ASSERT_(es_operation_options_size, sizeof(es_operation_options) == 120);
ES_ASSERT_(es_operation_options_struct_size, offsetof(es_operation_options, struct_size) == 0);
ES_ASSERT_(es_operation_options_abi_version, offsetof(es_operation_options, abi_version) == 4);
ES_ASSERT_(es_operation_options_flags, offsetof(es_operation_options, flags) == 8);
ES_ASSERT_(es_operation_options_threads, offsetof(es_operation_options, threads) == 12);
ES_ASSERT_(es_operation_options_cache_bytes, offsetof(es_operation_options, cache_bytes) == 16);
ES_ASSERT_(es_operation_options_digest_key, offsetof(es_operation_options, digest_key) == 24);
ES_ASSERT_(es_operation_options_expected_digest, offsetof(es_operation_options, expected_digest) == 56);
ES_ASSERT_(es_operation_options_reserved, offsetof(es_operation_options, reserved) == 88);
ES_ASSERT_(es_report_summary_size, sizeof(es_report_summary) == 600);
ES_ASSERT_(es_report_summary_struct_size, offsetof(es_report_summary, struct_size) == 0);
ES_ASSERT_(es_report_summary_status, offsetof(es_report_summary, status) == 4);
ES_ASSERT_(es_report_summary_digest, offsetof(es_report_summary, digest) == 8);
ES_ASSERT_(es_report_summary_flags, offsetof(es_report_summary, flags) == 12);
ES_ASSERT_(es_report_summary_rows, offsetof(es_report_summary, rows) == 16);
ES_ASSERT_(es_report_summary_findings, offsetof(es_report_summary, findings) == 24);
ES_ASSERT_(es_report_summary_high_watermark, offsetof(es_report_summary, high_watermark) == 32);
ES_ASSERT_(es_report_summary_entries, offsetof(es_report_summary, entries) == 40);
ES_ASSERT_(es_report_summary_lifecycle, offsetof(es_report_summary, lifecycle) == 48);
ES_ASSERT_(es_report_summary_run_id, offsetof(es_report_summary, run_id) == 56);
ES_ASSERT_(es_report_summary_parent_run_id, offsetof(es_report_summary, parent_run_id) == 192);
ES_ASSERT_(es_report_summary_reason, offsetof(es_report_summary, reason) == 328);
ES_ASSERT_(es_report_summary_reserved, offsetof(es_report_summary, reserved) == 584);
ES_ASSERT_(es_run_row_size, sizeof(es_run_row) == 96);
ES_ASSERT_(es_run_row_run_id_offset, offsetof(es_run_row, run_id_offset) == 0);
ES_ASSERT_(es_run_row_path_offset, offsetof(es_run_row, path_offset) == 8);
ES_ASSERT_(es_run_row_parent_offset, offsetof(es_run_row, parent_offset) == 16);
ES_ASSERT_(es_run_row_reason_offset, offsetof(es_run_row, reason_offset) == 24);
ES_ASSERT_(es_run_row_run_id_len, offsetof(es_run_row, run_id_len) == 32);
ES_ASSERT_(es_run_row_path_len, offsetof(es_run_row, path_len) == 36);
ES_ASSERT_(es_run_row_parent_len, offsetof(es_run_row, parent_len) == 40);
ES_ASSERT_(es_run_row_reason_len, offsetof(es_run_row, reason_len) == 44);
ES_ASSERT_(es_run_row_bytes, offsetof(es_run_row, bytes) == 48);
ES_ASSERT_(es_run_row_high_watermark, offsetof(es_run_row, high_watermark) == 56);
ES_ASSERT_(es_run_row_start_ts_init, offsetof(es_run_row, start_ts_init) == 64);
ES_ASSERT_(es_run_row_end_ts_init, offsetof(es_run_row, end_ts_init) == 72);
ES_ASSERT_(es_run_row_outcome, offsetof(es_run_row, outcome) == 80);
ES_ASSERT_(es_run_row_status, offsetof(es_run_row, status) == 84);
ES_ASSERT_(es_run_row_backend, offsetof(es_run_row, backend) == 88);
ES_ASSERT_(es_run_row_flags, offsetof(es_run_row, flags) == 92);
ES_ASSERT_(es_finding_size, sizeof(es_finding) == 56);
ES_ASSERT_(es_finding_kind, offsetof(es_finding, kind) == 0);
ES_ASSERT_(es_finding_drift, offsetof(es_finding, drift) == 4);
ES_ASSERT_(es_finding_index_kind, offsetof(es_finding, index_kind) == 8);
ES_ASSERT_(es_finding_key_len, offsetof(es_finding, key_len) == 12);
ES_ASSERT_(es_finding_seq, offsetof(es_finding, seq) == 16);
ES_ASSERT_(es_finding_other_seq, offsetof(es_finding, other_seq) == 24);
ES_ASSERT_(es_finding_key_offset, offsetof(es_finding, key_offset) == 32);
ES_ASSERT_(es_finding_text_offset, offsetof(es_finding, text_offset) == 40);
ES_ASSERT_(es_finding_text_len, offsetof(es_finding, text_len) == 48);
ES_ASSERT_(es_finding_reserved, offsetof(es_finding, reserved) == 52);
ES_ASSERT_(es_page_result_size, sizeof(es_page_result) == 24);
ES_ASSERT_(es_page_result_struct_size, offsetof(es_page_result, struct_size) == 0);
ES_ASSERT_(es_page_result_more, offsetof(es_page_result, more) == 4);
ES_ASSERT_(es_page_result_rows, offsetof(es_page_result, rows) == 8);
ES_ASSERT_(es_page_result_arena_used, offsetof(es_page_result, arena_used) == 16);
ES_ASSERT_(es_copy_result_size, sizeof(es_copy_result) == 48);
ES_ASSERT_(es_copy_result_struct_size, offsetof(es_copy_result, struct_size) == 0);
ES_ASSERT_(es_copy_result_sealed, offsetof(es_copy_result, sealed) == 4);
ES_ASSERT_(es_copy_result_status, offsetof(es_copy_result, status) == 8);
ES_ASSERT_(es_copy_result_reserved0, offsetof(es_copy_result, reserved0) == 12);
ES_ASSERT_(es_copy_result_high_watermark, offsetof(es_copy_result, high_watermark) == 16);
ES_ASSERT_(es_copy_result_bytes, offsetof(es_copy_result, bytes) == 24);
ES_ASSERT_(es_copy_result_reserved, offsetof(es_copy_result, reserved) == 32);
#undef ES_ASSERT_

#endif /* EVENTSTORE_H */
