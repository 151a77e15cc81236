//! What a run answers: how an append went, where the run is, what it has done, how it ended.

use std::sync::Arc;

use crate::digest::RunDigest;
use crate::error::EventStoreError;
use crate::manifest::RunStatus;

/// What an append made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The `seq` of the first entry; of an empty batch, the next one.
    pub first_seq: u64,
    /// How many entries.
    pub count: u64,
    /// The durable high-watermark, at least the last of them.
    pub high_watermark: u64,
}

/// An append that failed. What was claimed may be in the run after it is reopened.
#[derive(Debug, Clone)]
pub struct AppendFailure {
    /// Why.
    pub error: EventStoreError,
    /// The first claimed `seq` and how many, if the failure came after the claim.
    pub claimed: Option<(u64, u64)>,
}

/// How closing went.
#[derive(Debug, Clone)]
pub struct CloseReport {
    /// What the run is now; `Running` when it was halted and left for recovery.
    pub status: RunStatus,
    /// The largest durable `seq`.
    pub high_watermark: u64,
    /// The digest stored with the seal.
    pub digest: Option<RunDigest>,
    /// Why the run was halted, if it was.
    pub halt: Option<Arc<EventStoreError>>,
}

/// Where a run is in its writing life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Takes entries.
    Open,
    /// Takes no more; what was claimed is being committed.
    Closing,
    /// Over.
    Closed,
    /// Failed; writes nothing more.
    Halted,
}

/// A moment in the life of a run.
#[derive(Debug, Clone)]
pub struct RunState {
    /// The largest durable `seq`; never above `last_claimed_seq`.
    pub high_watermark: u64,
    /// The largest `seq` given out.
    pub last_claimed_seq: u64,
    /// Entries in the queue, those being committed included.
    pub queue_entries: u64,
    /// Their bytes.
    pub queue_bytes: u64,
    /// Where the run is in its life.
    pub phase: Phase,
    /// The first failure, when halted.
    pub halt: Option<Arc<EventStoreError>>,
}

/// Sums over the life of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunStats {
    /// Groups committed.
    pub commits: u64,
    /// Entries committed.
    pub entries: u64,
    /// Bytes of their topics, types, payloads and keys.
    pub bytes: u64,
    /// How long the last commit took, its flushes included, in nanoseconds.
    pub last_flush_ns: u64,
    /// How long the longest took.
    pub longest_flush_ns: u64,
    /// What the file system has left for this user, in bytes.
    pub free_bytes: Option<u64>,
    /// Buffers that wait for their next draft.
    pub pooled_buffers: u64,
}
