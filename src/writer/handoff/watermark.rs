//! The durable watermark: the largest `seq` that the backend has acknowledged, and its waiters.
//!
//! It only rises, and only the writer moves it, after the backend's answer and never before. Readers
//! of the run wait for it too, and for its end.

use std::time::Instant;

use super::signal::Signal;
use super::sync::{AtomicU32, AtomicU64, Ordering, Padded};

/// The high-watermark of a run that is being written.
pub(crate) struct Watermark {
    durable: Padded<AtomicU64>,
    /// 1: it moves no more.
    ended: AtomicU32,
    signal: Signal,
}

impl Watermark {
    pub(crate) fn new(durable: u64) -> Self {
        let (durable, ended) = (Padded::new(AtomicU64::new(durable)), AtomicU32::new(0));
        Self { durable, ended, signal: Signal::new() }
    }

    /// Everything up to here survives whatever happens. Acquire: a reader that sees a `seq` here
    /// finds its entry.
    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Acknowledges everything up to `seq`.
    pub(crate) fn advance(&self, seq: u64) {
        debug_assert!(seq >= self.durable.load(Ordering::Relaxed));
        self.durable.store(seq, Ordering::Release);
        self.signal.announce();
    }

    /// Tells that it moves no more: the run is sealed, or its writer has let go of it.
    pub(crate) fn end(&self) {
        self.ended.store(1, Ordering::Release);
        self.signal.announce();
    }

    /// Whether it moves no more. Acquire: who sees it finds the seal, if there is one.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) == 1
    }

    /// Wakes all who wait, so that they look at whatever else changed: room, a halt, a close.
    pub(crate) fn announce(&self) {
        self.signal.announce();
    }

    /// Whether anybody waits.
    pub(crate) fn has_waiters(&self) -> bool {
        self.signal.has_waiters()
    }

    /// Waits until `look` answers; `None` when the deadline is over. See [`Signal::wait`].
    pub(crate) fn wait<T>(
        &self,
        deadline: Option<Instant>,
        look: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        self.signal.wait(deadline, look)
    }
}
