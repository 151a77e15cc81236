//! Notices that the queue is full and nothing gets committed.
//!
//! The clock starts when somebody first finds the queue full, and every commit stops it. Whoever
//! looks decides; there is no thread that watches.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The stall clock of one run.
pub(super) struct StallWatch {
    epoch: Instant,
    halt_after_ns: u64,
    /// Nanoseconds since `epoch` when the queue was first found full; 0 = not full.
    full_since_ns: AtomicU64,
}

impl StallWatch {
    /// `halt_after_ns` of `u64::MAX` never stalls.
    pub(super) fn new(halt_after_ns: u64) -> Self {
        Self { epoch: Instant::now(), halt_after_ns, full_since_ns: AtomicU64::new(0) }
    }

    /// Something was committed.
    pub(super) fn progressed(&self) {
        self.full_since_ns.store(0, Ordering::Relaxed);
    }

    /// Called by whoever looks, with whether the queue is full; answers how long the stall has
    /// lasted once that is too long.
    pub(super) fn stalled_for(&self, is_full: bool) -> Option<Duration> {
        if self.halt_after_ns == u64::MAX {
            return None;
        }
        let since_ns = self.full_since_ns.load(Ordering::Relaxed);
        if since_ns == 0 && !is_full {
            return None;
        }
        let now_ns = (self.epoch.elapsed().as_nanos() as u64).max(1);
        if since_ns == 0 {
            // A commit in between may have reset it to 0: then this starts a new measure, and the
            // next commit stops that one.
            let _ = self.full_since_ns.compare_exchange(
                0,
                now_ns,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            return None;
        }
        let stalled_ns = now_ns.saturating_sub(since_ns);
        (stalled_ns >= self.halt_after_ns).then(|| Duration::from_nanos(stalled_ns))
    }

    /// How long a waiter may sleep before it looks again.
    pub(super) fn look_again(&self) -> Option<Duration> {
        const LONGEST: Duration = Duration::from_millis(10);
        (self.halt_after_ns != u64::MAX)
            .then(|| Duration::from_nanos(self.halt_after_ns / 8).clamp(SHORTEST, LONGEST))
    }
}

const SHORTEST: Duration = Duration::from_micros(100);
