//! The first failure of a run: latched once, kept for good.
//!
//! The reason is stored before the claim word says halted, so whoever is refused finds it.

use super::claim::Claim;
use super::sync::Monitor;

/// Where the first reason stays. `R` is cheap to clone.
pub(crate) struct Halt<R> {
    reason: Monitor<Option<R>>,
}

impl<R: Clone> Halt<R> {
    pub(crate) fn new() -> Self {
        Self { reason: Monitor::new(None) }
    }

    /// Latches the reason and stops all claims; true for the one call that was first. The caller
    /// then wakes the waiters.
    pub(crate) fn latch(&self, claim: &Claim, reason: R) -> bool {
        let mut first = self.reason.lock();
        if first.is_some() {
            return false;
        }
        *first = Some(reason);
        // Under the lock: a second caller must not return before claims are refused.
        claim.halt();
        true
    }

    /// The first reason.
    pub(crate) fn reason(&self) -> Option<R> {
        self.reason.lock().clone()
    }
}
