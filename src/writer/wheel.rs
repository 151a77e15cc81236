//! Who does the writer's work: its thread, or a caller who would only wait for it.
//!
//! Waking a thread and being woken by it costs more than a fast disk's flush where processors fall
//! asleep between the two. So a caller that waits without end, and alone, takes the wheel when
//! nobody has it, commits what is queued, group by group, until its own entry is durable, and lets
//! go; the thread does everything else. One that appends takes it before it publishes: the thread,
//! awake just then, would be the first at it, and the caller would wait after all. On a disk whose
//! commits take long the wheel stays with the thread: nothing is won there, and whoever waits is to
//! be woken when the run halts. Nothing is lost in between: whoever lets go looks for work after
//! that and rings for the thread, which says that it sleeps before it looks whether the wheel is
//! free (the fences of `handoff::doorbell`).

use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use super::drive::{Driver, Step};
use super::options::{Settings, WaitPolicy};
use super::shared::Shared;
use crate::error::Result;
use crate::planted::planted;

/// A disk whose commits take longer leaves the wheel with the thread, as one that seeks may. Large
/// batches of a slow processor stay below: going back and forth, each would move to the other cache.
const LENT_COMMIT_MAX: Duration = Duration::from_millis(16);
/// How many entries of others a caller commits with its own.
const OTHERS_MAX: u64 = 64;

/// See the module.
pub(super) struct Wheel {
    shared: Arc<Shared>,
    driver: Mutex<Driver>,
    /// Callers may take it: the host has not set a processor or a policy for the thread alone.
    is_lent: bool,
    /// A submit after a caller's commit is to find the thread dozing.
    is_kept_hot: bool,
}

impl Wheel {
    pub(super) fn new(shared: Arc<Shared>, driver: Driver, settings: &Settings) -> Self {
        let is_lent = !settings.manual
            && settings.writer_cpu.is_none()
            && settings.wait_policy != WaitPolicy::Spin;
        let is_kept_hot = settings.wait_policy == WaitPolicy::Timed;
        Self { shared, driver: Mutex::new(driver), is_lent, is_kept_hot }
    }

    /// The driver, unless somebody else has it.
    pub(super) fn take(&self) -> Option<MutexGuard<'_, Driver>> {
        self.driver.try_lock()
    }

    /// The thread's step; idle while a caller has the wheel.
    pub(super) fn step(&self) -> Step {
        self.take_for_work().map_or(Step::Idle, |mut driver| driver.step())
    }

    /// Whether a step of the thread would do something. While a caller has the wheel it would not:
    /// that one looks once more after letting go.
    pub(super) fn has_work(&self) -> bool {
        self.take_for_work().is_some_and(|driver| driver.has_work())
    }

    /// Whether entries are there to be committed by the thread.
    pub(super) fn has_entries(&self) -> bool {
        self.take_for_work().is_some_and(|driver| driver.has_entries())
    }

    /// The driver, where work may be left: a caller that comes for the wheel does not find it taken
    /// for a look. Where none comes, the look is the cheaper one for those who submit: what they
    /// count their room with is not read.
    fn take_for_work(&self) -> Option<MutexGuard<'_, Driver>> {
        if self.is_lent && !self.shared.has_pending() {
            return None;
        }
        self.take()
    }

    /// The wheel, for a caller of whose entries `own_entries` are queued or about to be, and who
    /// will only wait for them. `None` when it is not to be had, or when much else is queued: the
    /// thread prepares one group while another is flushed.
    pub(super) fn borrow(&self, own_entries: u64) -> Option<Borrowed<'_>> {
        let shared = &self.shared;
        let has_others = shared.watermark.has_waiters()
            || shared.spin.has_waiter()
            || shared.queue.taken().entries > own_entries + OTHERS_MAX;
        if !self.is_lent || has_others || shared.stats.last_commit() > LENT_COMMIT_MAX {
            return None;
        }
        let driver = self.take()?;
        Some(Borrowed { driver, _look: LookAfter(self) })
    }
}

/// The wheel in a caller's hands, until this is dropped.
pub(super) struct Borrowed<'w> {
    // Dropped first: what is looked for after it may be done by the thread.
    driver: MutexGuard<'w, Driver>,
    _look: LookAfter<'w>,
}

impl Borrowed<'_> {
    /// Does the work until `look` answers, on the calling thread. `None` when the answer depends on
    /// another thread: wait for it then.
    pub(super) fn work_until<T>(
        mut self,
        mut look: impl FnMut() -> Option<Result<T>>,
    ) -> Option<Result<T>> {
        loop {
            if let Some(answer) = look() {
                return Some(answer);
            }
            match self.driver.step_alone() {
                Step::Worked(_) => {}
                // Another thread is between its claim and its publish, or the run has ended.
                Step::Idle | Step::Finished => return None,
            }
        }
    }
}

/// When dropped, rings for what is left to do.
struct LookAfter<'w>(&'w Wheel);

impl Drop for LookAfter<'_> {
    fn drop(&mut self) {
        let shared = &self.0.shared;
        fence(Ordering::SeqCst);
        if shared.has_pending() && !planted("keep_the_wheel") {
            shared.doorbell.ring();
        } else if self.0.is_kept_hot {
            shared.doorbell.ring_if_parked();
        }
    }
}
