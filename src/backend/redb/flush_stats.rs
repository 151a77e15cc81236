//! What the flushes of a run cost, counted as they happen.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// What the flushes of a run cost so far; read from any thread.
#[derive(Debug, Default)]
pub struct FlushStats {
    flushes: AtomicU64,
    written_bytes: AtomicU64,
    last_ns: AtomicU64,
    longest_ns: AtomicU64,
}

impl FlushStats {
    /// How many flushes there were.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Relaxed)
    }

    /// Bytes that commits wrote to the file.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    /// How long the last flush took, in nanoseconds.
    pub fn last_ns(&self) -> u64 {
        self.last_ns.load(Ordering::Relaxed)
    }

    /// How long the longest flush took, in nanoseconds.
    pub fn longest_ns(&self) -> u64 {
        self.longest_ns.load(Ordering::Relaxed)
    }

    pub(super) fn record_written(&self, bytes: u64) {
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn record_flush(&self, started: Instant) {
        let elapsed_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last_ns.store(elapsed_ns, Ordering::Relaxed);
        self.longest_ns.fetch_max(elapsed_ns, Ordering::Relaxed);
        self.flushes.fetch_add(1, Ordering::Relaxed);
    }
}
