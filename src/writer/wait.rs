//! How a caller waits: asleep beside the writer's thread, or driving the work itself.

use std::time::{Duration, Instant};

use super::drive::{Driver, Step};
use super::shared::Shared;
use crate::error::{EventStoreError, Result};

/// When to stop waiting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deadline {
    Never,
    At(Instant),
    /// Look once.
    Poll,
}

impl Deadline {
    pub(super) fn after(now: Instant, timeout_ns: u64) -> Self {
        match timeout_ns {
            0 => Self::Poll,
            u64::MAX => Self::Never,
            // A time beyond what the clock can say is never.
            _ => now.checked_add(Duration::from_nanos(timeout_ns)).map_or(Self::Never, Self::At),
        }
    }

    fn is_over(self) -> bool {
        match self {
            Self::Never => false,
            Self::At(at) => Instant::now() >= at,
            Self::Poll => true,
        }
    }

    /// The earlier of this and so much time from now.
    fn within(self, time: Option<Duration>) -> Option<Instant> {
        let soon = time.map(|time| Instant::now() + time);
        match (self, soon) {
            (Self::At(at), Some(soon)) => Some(at.min(soon)),
            (Self::At(at), None) => Some(at),
            (_, soon) => soon,
        }
    }
}

/// Sleeps until `look` answers, the run halts or the time is up. Wakes now and then to notice a
/// stall.
pub(super) fn sleeping<T>(
    shared: &Shared,
    deadline: Deadline,
    mut look: impl FnMut() -> Option<Result<T>>,
) -> Result<T> {
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        if shared.queue.claim.is_halted() {
            // What was awaited may have come with the commit that was under way.
            return look().unwrap_or_else(|| Err(shared.halted()));
        }
        if deadline.is_over() {
            return Err(EventStoreError::Timeout);
        }
        shared.doorbell.ring();
        let until = deadline.within(shared.stall.look_again());
        let mut look_or_halt = || {
            if let Some(answer) = look() {
                return Some(Some(answer));
            }
            shared.queue.claim.is_halted().then_some(None)
        };
        let woken = shared
            .spin
            .await_commit(shared.stats.last_commit(), until, &mut look_or_halt)
            .or_else(|| shared.watermark.wait(until, look_or_halt));
        if let Some(Some(answer)) = woken {
            return answer;
        }
        shared.halt_if_stalled(|| shared.queue.is_full());
    }
}

/// Sleeps until the callback of a halt has returned or the time is up.
pub(super) fn for_callback(shared: &Shared, deadline: Deadline) -> Result<()> {
    while !shared.has_told() {
        if deadline.is_over() {
            return Err(EventStoreError::Timeout);
        }
        shared.watermark.wait(deadline.within(None), || shared.has_told().then_some(()));
    }
    Ok(())
}

/// Does the writer's work until `look` answers, the run halts or the time is up.
pub(super) fn driving<T>(
    shared: &Shared,
    driver: &mut Driver,
    deadline: Deadline,
    mut look: impl FnMut() -> Option<Result<T>>,
) -> Result<T> {
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        if shared.queue.claim.is_halted() {
            return Err(shared.halted());
        }
        if deadline.is_over() {
            return Err(EventStoreError::Timeout);
        }
        if driver.step() == Step::Idle {
            // Another thread is between its claim and its publish.
            std::thread::yield_now();
        }
    }
}
