//! The numbers of the interface that are not statuses: flags, kinds, versions, sentinels.
//!
//! One table makes the Rust constants and, through `tests/header.rs`, the header's. cbindgen does
//! not see what a macro makes, so nothing is written twice. A number is never changed or reused.

/// One constant as the header shows it.
#[derive(Debug)]
pub struct ConstantRow {
    /// The heading of its group in the header.
    pub group: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its Rust type, which decides the suffix in C.
    pub kind: &'static str,
    /// Its value.
    pub value: u64,
    /// Its comment.
    pub doc: &'static str,
}

macro_rules! constants {
    ($($group:literal: { $($name:ident: $kind:ident = $value:expr, $doc:literal;)* })*) => {
        $($(
            #[doc = $doc]
            pub const $name: $kind = $value;
        )*)*
        /// Every constant, in the order of the header.
        pub static CONSTANTS: &[ConstantRow] = &[$($(ConstantRow {
            group: $group,
            name: stringify!($name),
            kind: stringify!($kind),
            value: $value as u64,
            doc: $doc,
        },)*)*];
    };
}

constants! {
    "versions and sentinels": {
        ES_ABI_VERSION: u32 = 1,
            "The version of this interface: major << 16 | minor. This is 0.1.";
        ES_NTS: usize = usize::MAX,
            "As the length of a text: the text ends at its NUL.";
        ES_POLL: u64 = 1,
            "As a timeout_ns inside a struct: do not wait. (There, 0 means the default.)";
        ES_FOREVER: u64 = u64::MAX,
            "As a timeout: wait without end. As halt_after_ns: never halt for a stall.";
        ES_NONE: u64 = u64::MAX,
            "No item (es_error.item_index); not known (es_run_stats.free_bytes).";
    }
    "es_open_options.flags": {
        ES_OPEN_MANUAL_WRITER: u32 = 1,
            "No thread and no clock: the host calls es_do_work.";
        ES_OPEN_RUN_STARTED: u32 = 2,
            "Write a RunStarted entry as seq 1, durable before open returns.";
        ES_OPEN_PREFAULT: u32 = 4,
            "Make all of the queue's memory at open, queue_bytes / queue_entries for each entry, and touch it.";
        ES_OPEN_REQUIRE_UUID_V4: u32 = 8,
            "Refuse correlation and causation ids that are not RFC 4122 version 4.";
        ES_OPEN_DIGEST_KEY: u32 = 16,
            "digest_key holds a key for the run digest.";
        ES_OPEN_LOCK_MEMORY: u32 = 32,
            "As ES_OPEN_PREFAULT, and lock it into memory until the run is freed.";
    }
    "es_open_options.backend": {
        ES_BACKEND_REDB: u32 = 1, "One file per run. The default.";
        ES_BACKEND_MEMORY: u32 = 2, "No file; for tests and simulation.";
        ES_BACKEND_LOG: u32 = 3, "One directory per run: a commit is one write and one flush.";
    }
    "es_open_options.durability": {
        ES_DURABILITY_TWO_PHASE: u32 = 1,
            "Two flushes per commit: no damage of the newest commit can pass for one that never was. The default.";
        ES_DURABILITY_ONE_PHASE: u32 = 2,
            "One flush per commit; after a kill or power loss a newest commit that was damaged on the disk is dropped without a word.";
    }
    "es_open_options.wait_policy": {
        ES_WAIT_SPIN: u32 = 1, "It looks without a pause while hot, then parks: a core for the lowest latency.";
        ES_WAIT_TIMED: u32 = 2, "It looks about every 100 us while hot, then parks. The default.";
        ES_WAIT_PARK: u32 = 3, "It parks as soon as it has no work; each submit into an idle run costs a system call.";
    }
    "es_manifest.status, es_close_result.status": {
        ES_RUN_RUNNING: u32 = 0, "Being written, or its process died.";
        ES_RUN_ENDED: u32 = 1, "Stopped in order; sealed.";
        ES_RUN_CRASHED_RECOVERED: u32 = 2, "Its process died; sealed afterwards.";
        ES_RUN_QUARANTINED: u32 = 3, "Failed its integrity check; sealed without a digest.";
    }
    "es_manifest.flags": {
        ES_MANIFEST_HAS_SEED: u32 = 1, "seed is set.";
        ES_MANIFEST_HAS_END: u32 = 2, "end_ts_init is set (sealed runs with entries).";
    }
    "es_draft.flags": {
        ES_DRAFT_HAS_CORRELATION_ID: u32 = 1, "correlation_id is set.";
        ES_DRAFT_HAS_CAUSATION_ID: u32 = 2, "causation_id is set.";
    }
    "es_entry.flags": {
        ES_ENTRY_HAS_CORRELATION_ID: u32 = 1, "correlation_id is set.";
        ES_ENTRY_HAS_CAUSATION_ID: u32 = 2, "causation_id is set.";
        ES_ENTRY_KEYS_RECORDED: u32 = 4,
            "The file records this entry's keys: key_count 0 means it has none. Without the flag they are unknown.";
    }
    "es_index_key.kind, es_index_request.kind": {
        ES_INDEX_CLIENT_ORDER_ID: u32 = 0, "The id that this side gave an order.";
        ES_INDEX_VENUE_ORDER_ID: u32 = 1, "The id that the venue gave an order.";
    }
    "es_scan_request.direction": {
        ES_FORWARD: u32 = 0, "From the smallest seq up.";
        ES_BACKWARD: u32 = 1, "From the largest seq down.";
    }
    "es_reader_options.flags": {
        ES_READ_CHECK: u32 = 1, "Check the whole file at open; reads it once.";
        ES_READ_DIGEST_KEY: u32 = 2, "digest_key holds the key of a keyed run, for es_seal_run.";
    }
    "es_tail_result.flags": {
        ES_TAIL_SEALED: u32 = 1, "The run is sealed, with status: no more entries come.";
        ES_TAIL_WRITER_GONE: u32 = 2,
            "Its writer is gone and has not sealed it: no more entries come until es_recover seals it.";
    }
    "es_run_state.phase": {
        ES_PHASE_OPEN: u32 = 0, "Takes entries.";
        ES_PHASE_CLOSING: u32 = 1, "es_close_run has begun; commits what is queued.";
        ES_PHASE_CLOSED: u32 = 2, "Sealed.";
        ES_PHASE_HALTED: u32 = 3, "Stopped by a failure; see halt_status.";
    }
    "es_operation_options.flags": {
        ES_OPERATION_DRY_RUN: u32 = 1, "es_recover: only say what would be done; changes nothing, locks no more than a reader does.";
        ES_OPERATION_DIGEST_KEY: u32 = 2, "digest_key holds the key of the run digest.";
        ES_OPERATION_EXPECTED_DIGEST: u32 = 4, "es_verify_run: expected_digest holds what the digest must be.";
    }
    "keep of es_plan_retention": {
        ES_KEEP_FULL: u32 = 1, "Keep every run.";
        ES_KEEP_LAST: u32 = 2, "Keep the newest keep_count sealed runs, and the newest restore point.";
        ES_KEEP_ANCHORED: u32 = 3, "Keep the newest restore point and what is not older.";
    }
    "es_report_summary.flags": {
        ES_REPORT_HAS_STATUS: u32 = 1, "status is known.";
        ES_REPORT_HAS_HIGH_WATERMARK: u32 = 2, "high_watermark is known.";
        ES_REPORT_CLEAN: u32 = 4, "es_verify_run found nothing wrong.";
    }
    "es_report_summary.digest": {
        ES_DIGEST_MATCHES: u32 = 1, "The stored digest is that of the run.";
        ES_DIGEST_DIFFERS: u32 = 2, "It is not; there is a finding.";
        ES_DIGEST_ABSENT: u32 = 3, "The file has none; reason says why.";
        ES_DIGEST_NOT_CHECKED: u32 = 4, "It could not be computed; reason says why.";
    }
    "es_run_row.outcome": {
        ES_OUTCOME_LISTED: u32 = 0, "es_list_runs: read.";
        ES_OUTCOME_SEALED: u32 = 1, "es_recover: it was left and is sealed now, with status. es_salvage_run: the new run.";
        ES_OUTCOME_REPAIRED: u32 = 2, "es_recover: it was sealed, not closed in order, and is closed now.";
        ES_OUTCOME_DAMAGED: u32 = 3, "es_recover: its structure is unsound; unchanged. Salvage it.";
        ES_OUTCOME_HELD: u32 = 4, "Somebody holds it; left alone.";
        ES_OUTCOME_MOVED_ASIDE: u32 = 5, "es_recover: a temporary name, moved into .aside.";
        ES_OUTCOME_UNREADABLE: u32 = 6, "Not openable as a run; unchanged.";
        ES_OUTCOME_POSTPONED: u32 = 7, "es_recover: the storage refused; as readable as before. Recover again.";
        ES_OUTCOME_KEPT: u32 = 8, "es_plan_retention: it stays; reason says why.";
        ES_OUTCOME_TO_DELETE: u32 = 9, "es_plan_retention: it would go.";
        ES_OUTCOME_DELETED: u32 = 10, "es_apply_retention: it is gone, durably.";
        ES_OUTCOME_SKIPPED: u32 = 11, "es_apply_retention: it is left alone; reason says why.";
    }
    "es_run_row.flags": {
        ES_ROW_HAS_MANIFEST: u32 = 1, "status, high_watermark and start_ts_init are known.";
        ES_ROW_HAS_END: u32 = 2, "end_ts_init is known.";
        ES_ROW_NEEDS_REPAIR: u32 = 4, "It was not closed in order: recover the instance.";
    }
    "es_finding.kind": {
        ES_FINDING_HASH_MISMATCH: u32 = 1, "The bytes of entry seq are not those that its hash was made of.";
        ES_FINDING_SEQ_MISMATCH: u32 = 2, "The row of entry seq holds entry other_seq.";
        ES_FINDING_UNDECODABLE: u32 = 3, "The row of entry seq is not in the format.";
        ES_FINDING_GAP: u32 = 4, "Entries seq to other_seq are missing.";
        ES_FINDING_INDEX_DRIFT: u32 = 5, "An index row and the entries disagree.";
        ES_FINDING_MANIFEST_MISMATCH: u32 = 6, "The manifest and the entries disagree.";
        ES_FINDING_ANCHOR_INVALID: u32 = 7, "The latest anchor cannot be restored from.";
        ES_FINDING_DIGEST_MISMATCH: u32 = 8, "The run digest is not that of the run, or absent though expected.";
        ES_FINDING_DAMAGED: u32 = 9, "The file's own structure is hurt.";
    }
    "es_finding.drift": {
        ES_DRIFT_NONE: u32 = 0, "No index drift.";
        ES_DRIFT_DANGLING: u32 = 1, "The row points at an entry that is not there.";
        ES_DRIFT_CORRUPTED: u32 = 2, "The row points at an entry that is damaged.";
        ES_DRIFT_WRONG: u32 = 3, "The row points at an entry that is not the first with this key.";
        ES_DRIFT_MISSING: u32 = 4, "No row, though entry seq was committed with the key.";
    }
    "bounds; a value beyond them answers ES_ERR_INVALID_ARGUMENT": {
        ES_ID_BYTES_MAX: u32 = 128, "Longest run_id or instance_id: A-Z a-z 0-9 . _ - and no dot first.";
        ES_TOPIC_BYTES_MAX: u32 = 1024, "Longest topic; the shortest is 1.";
        ES_PAYLOAD_TYPE_BYTES_MAX: u32 = 1024, "Longest payload type; the shortest is 1.";
        ES_INDEX_KEY_BYTES_MAX: u32 = 512, "Longest index key that a draft may carry; the shortest is 1.";
        ES_INDEX_KEYS_MAX: u32 = 16, "Most index keys of one draft.";
        ES_PAYLOAD_BYTES_MAX: u32 = 64 << 20, "Largest payload.";
        ES_BATCH_ENTRIES_MAX: u32 = 65_536, "Most drafts of one batch.";
        ES_BATCH_BYTES_MAX: u32 = 256 << 20, "Largest batch, in bytes of its texts, payloads and keys.";
    }
}

// The header's bounds are those that the store keeps.
const _: () = {
    use crate::limits;
    assert!(ES_ID_BYTES_MAX as usize == limits::ID_BYTES_MAX);
    assert!(ES_TOPIC_BYTES_MAX as usize == limits::TOPIC_BYTES_MAX);
    assert!(ES_PAYLOAD_TYPE_BYTES_MAX as usize == limits::PAYLOAD_TYPE_BYTES_MAX);
    assert!(ES_INDEX_KEY_BYTES_MAX as usize == limits::INDEX_KEY_BYTES_MAX);
    assert!(ES_INDEX_KEYS_MAX as usize == limits::INDEX_KEYS_MAX);
    assert!(ES_PAYLOAD_BYTES_MAX as usize == limits::PAYLOAD_BYTES_MAX);
    assert!(ES_BATCH_ENTRIES_MAX as usize == limits::BATCH_ENTRIES_MAX);
    assert!(ES_BATCH_BYTES_MAX as usize == limits::BATCH_BYTES_MAX);
};
