//! How the writer sleeps, and how producers and waiters wake it without a system call too many.
//!
//! States: awake → dozing (a short timed sleep: only those who wait for the writer ring) or
//! parked (no end: everybody rings) → awake. The writer says that it sleeps and then looks for
//! work again; a producer publishes and then looks at the state: the fences make sure that one
//! of them sees the other.

use std::time::Instant;

use super::sync::{AtomicU32, Monitor, Ordering, fence};
use crate::planted::planted;

const AWAKE: u32 = 0;
const DOZING: u32 = 1;
const PARKED: u32 = 2;

/// How deeply the writer sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Until the time given; a plain submit does not end it.
    Doze(Instant),
    /// Until somebody rings.
    Park,
}

/// The writer's bell.
pub(crate) struct Doorbell {
    state: AtomicU32,
    rung: Monitor<bool>,
}

impl Doorbell {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU32::new(AWAKE), rung: Monitor::new(false) }
    }

    /// After a publish, or another request: wakes a parked writer. No system call otherwise.
    pub(crate) fn ring_if_parked(&self) {
        self.ring_from(PARKED);
    }

    /// Before a wait: wakes the writer however it sleeps.
    pub(crate) fn ring(&self) {
        self.ring_from(DOZING);
    }

    #[cfg(test)]
    pub(crate) fn is_parked(&self) -> bool {
        self.state.load(Ordering::Relaxed) == PARKED
    }

    fn ring_from(&self, depth: u32) {
        if !planted("lost_doorbell") {
            fence(Ordering::SeqCst);
        }
        if self.state.load(Ordering::Relaxed) >= depth {
            *self.rung.lock() = true;
            self.rung.notify_all();
        }
    }

    /// The writer sleeps, unless `has_work` says otherwise after it has said so.
    pub(crate) fn sleep(&self, sleep: Sleep, has_work: impl Fn() -> bool) {
        let (state, deadline) = match sleep {
            Sleep::Doze(until) => (DOZING, Some(until)),
            Sleep::Park => (PARKED, None),
        };
        self.state.store(state, Ordering::Relaxed);
        if !planted("lost_doorbell") {
            fence(Ordering::SeqCst);
        }
        if !has_work() {
            let mut rung = self.rung.lock();
            while !*rung && deadline.is_none_or(|at| Instant::now() < at) {
                rung = self.rung.wait(rung, deadline);
            }
        }
        self.state.store(AWAKE, Ordering::Relaxed);
        *self.rung.lock() = false;
    }
}
