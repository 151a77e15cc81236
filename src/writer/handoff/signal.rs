//! Wakes threads that wait for a shared word to change, and costs a fence when nobody waits.
//!
//! Whoever changes a word then calls [`Signal::announce`]; a waiter counts itself, looks at the
//! word again, and sleeps. The two fences make sure that one of them sees the other.

use std::time::Instant;

use super::sync::{AtomicU32, Monitor, Ordering, fence};

/// Where threads wait.
pub(crate) struct Signal {
    waiting: AtomicU32,
    monitor: Monitor<()>,
}

impl Signal {
    pub(crate) fn new() -> Self {
        Self { waiting: AtomicU32::new(0), monitor: Monitor::new(()) }
    }

    /// Wakes all waiters, so that they look again. Call after the change.
    pub(crate) fn announce(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) != 0 {
            // Held once, so that a waiter is either before its look or already asleep.
            drop(self.monitor.lock());
            self.monitor.notify_all();
        }
    }

    /// Whether anybody waits.
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) != 0
    }

    /// Sleeps until `look` answers, or the deadline is over: then `None`. `look` runs under the
    /// signal's lock: a few loads, no calls back here.
    pub(crate) fn wait<T>(
        &self,
        deadline: Option<Instant>,
        mut look: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let mut guard = self.monitor.lock();
        self.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let answer = loop {
            if let Some(answer) = look() {
                break Some(answer);
            }
            if deadline.is_some_and(|at| Instant::now() >= at) {
                break None;
            }
            guard = self.monitor.wait(guard, deadline);
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        answer
    }
}
