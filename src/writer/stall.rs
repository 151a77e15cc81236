//! Notices that the queue is full and nothing gets committed.
//!
//! The clock starts when somebody finds no room, and stops whenever room is given back: by a
//! commit, or by a claim that was refused. Whoever looks decides; there is no thread that watches.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The bit that tells a running clock from a stopped one.
const RUNNING: u64 = 1;

/// The stall clock of one run.
pub(super) struct StallWatch {
    epoch: Instant,
    halt_after_ns: u64,
    /// Running: nanoseconds since `epoch` when no room was first found, give or take one. Stopped:
    /// the number of that stop, so that a clock which was stopped meanwhile is told from one
    /// which was not.
    clock: AtomicU64,
    /// The last number given to a stop.
    stops: AtomicU64,
}

impl StallWatch {
    /// `halt_after_ns` of `u64::MAX` never stalls.
    pub(super) fn new(halt_after_ns: u64) -> Self {
        let (clock, stops) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { epoch: Instant::now(), halt_after_ns, clock, stops }
    }

    /// Call after room was given back, not before: a look in between would find the queue full
    /// still, and start a clock that nothing stops.
    pub(super) fn stop(&self) {
        let number = self.stops.fetch_add(RUNNING + 1, Ordering::Relaxed) + RUNNING + 1;
        // Acquire as well: who sees this stop sees the room given back before all earlier ones.
        self.clock.swap(number, Ordering::AcqRel);
    }

    /// Whether somebody found no room, and none was given back since.
    pub(super) fn is_running(&self) -> bool {
        self.clock.load(Ordering::Relaxed) & RUNNING != 0
    }

    /// Called by whoever looks, with how to find out whether there is no room; answers how long
    /// the stall has lasted once that is too long.
    pub(super) fn stalled_for(&self, is_full: impl FnOnce() -> bool) -> Option<Duration> {
        if self.halt_after_ns == u64::MAX {
            return None;
        }
        // Before the look, of which a stop during it makes nothing.
        let clock = self.clock.load(Ordering::Acquire);
        let is_running = clock & RUNNING != 0;
        if !is_running && !is_full() {
            return None;
        }
        let now_ns = self.epoch.elapsed().as_nanos() as u64;
        if !is_running {
            let _ = self.clock.compare_exchange(
                clock,
                now_ns | RUNNING,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            return None;
        }
        let stalled_ns = now_ns.saturating_sub(clock);
        // Once more: this thread may have been kept from its processor since it first looked.
        let is_stalled =
            stalled_ns >= self.halt_after_ns && self.clock.load(Ordering::Relaxed) == clock;
        is_stalled.then(|| Duration::from_nanos(stalled_ns))
    }

    /// How long a waiter may sleep before it looks again.
    pub(super) fn look_again(&self) -> Option<Duration> {
        const LONGEST: Duration = Duration::from_millis(10);
        (self.halt_after_ns != u64::MAX)
            .then(|| Duration::from_nanos(self.halt_after_ns / 8).clamp(SHORTEST, LONGEST))
    }
}

const SHORTEST: Duration = Duration::from_micros(100);

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const HALT_AFTER: Duration = Duration::from_millis(1);

    fn watch() -> StallWatch {
        StallWatch::new(HALT_AFTER.as_nanos() as u64)
    }

    /// The clock runs from the first look that found no room, whatever later ones find.
    #[test]
    fn full_queue_stalls_when_no_room_is_given_back() {
        let watch = watch();
        assert_eq!(watch.stalled_for(|| false), None);
        thread::sleep(2 * HALT_AFTER);
        assert_eq!(watch.stalled_for(|| true), None, "found just now");
        thread::sleep(2 * HALT_AFTER);
        assert!(watch.stalled_for(|| false) >= Some(HALT_AFTER));
        watch.stop();
        assert_eq!(watch.stalled_for(|| true), None, "a new measure");
    }

    /// A queue that is found full just before room is given back is not full: no clock runs on.
    #[test]
    fn room_given_back_during_a_look_starts_no_clock() {
        let watch = watch();
        let full_until_then = || {
            watch.stop();
            true
        };
        assert_eq!(watch.stalled_for(full_until_then), None);
        thread::sleep(2 * HALT_AFTER);
        assert_eq!(watch.stalled_for(|| false), None);
    }
}
