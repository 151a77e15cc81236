//! The writer's thread: steps while there is work, and sleeps as the wait policy says.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::drive::Step;
use super::options::{Settings, WaitPolicy};
use super::shared::Shared;
use super::wheel::Wheel;
use crate::error::{EventStoreError, Fault, Result};
use crate::platform::{affinity, thread};

/// How long a hot writer dozes between looks. A timed sleep takes at least the kernel's timer
/// slack of 50 us more, so a shorter one would not end sooner.
const DOZE: Duration = Duration::from_micros(50);

/// A thread without a run as yet. Dropped without one, it ends.
pub(crate) struct WriterThread(SyncSender<(Arc<Wheel>, Arc<Shared>)>);

impl WriterThread {
    /// Starts the thread that a run of these settings has, before the run is made: where the system
    /// refuses the thread, no run is left behind. `None` for a manual run.
    pub(crate) fn spawn(settings: &Settings) -> Result<Option<Self>> {
        if settings.manual {
            return Ok(None);
        }
        let (policy, cpu) = (settings.wait_policy, settings.writer_cpu);
        let hot = Duration::from_nanos(settings.hot_ns);
        let linger = Duration::from_nanos(settings.group_linger_ns);
        let (sender, receiver) = sync_channel(1);
        let work = move || {
            let Ok((wheel, shared)) = receiver.recv() else { return };
            if let Some(cpu) = cpu {
                affinity::pin_this_thread(cpu);
            }
            Loop { wheel, shared, policy, hot, linger }.run();
        };
        thread::spawn("es-writer", work).map_err(|error| {
            let fault = Fault::from_io("starting the writer thread", None, error);
            EventStoreError::Backend(Box::new(fault))
        })?;
        Ok(Some(Self(sender)))
    }

    /// Gives it its run.
    pub(super) fn write(self, wheel: Arc<Wheel>, shared: Arc<Shared>) {
        // Room for one: never waits, and the thread waits for it.
        let _ = self.0.send((wheel, shared));
    }
}

struct Loop {
    wheel: Arc<Wheel>,
    shared: Arc<Shared>,
    policy: WaitPolicy,
    hot: Duration,
    linger: Duration,
}

impl Loop {
    fn run(self) {
        let mut last_work = Instant::now();
        let mut commits_seen = 0;
        loop {
            self.gather_longer();
            let is_awaited = self.shared.spin.has_waiter() || self.shared.watermark.has_waiters();
            match self.wheel.step() {
                Step::Worked(_) => {
                    last_work = Instant::now();
                    if is_awaited {
                        let last_commit = self.shared.stats.last_commit();
                        self.shared.spin.await_work(last_commit, || self.wheel.has_entries());
                    }
                }
                Step::Idle => {
                    // Callers who commit themselves keep the run hot as well: a submit after
                    // theirs must find the thread dozing, not parked.
                    let commits = self.shared.stats.commits.load(Ordering::Relaxed);
                    if commits != commits_seen {
                        (commits_seen, last_work) = (commits, Instant::now());
                    }
                    self.sleep(last_work.elapsed() < self.hot);
                }
                Step::Finished => return,
            }
        }
    }

    fn sleep(&self, hot: bool) {
        use super::handoff::doorbell::Sleep;
        let sleep = match self.policy {
            WaitPolicy::Spin if hot => {
                std::hint::spin_loop();
                return;
            }
            WaitPolicy::Timed if hot => Sleep::Doze(Instant::now() + DOZE),
            _ => Sleep::Park,
        };
        self.shared.doorbell.sleep(sleep, || self.wheel.has_work());
    }

    /// Lets a group grow for the time set, unless somebody waits for it, it is full, or it keeps
    /// others out of the queue: none of those could join it.
    fn gather_longer(&self) {
        use super::handoff::doorbell::Sleep;
        if self.linger.is_zero() || !self.wheel.has_work() {
            return;
        }
        let until = Instant::now() + self.linger;
        let in_no_hurry = || {
            let (taken, limits) = (self.shared.queue.taken(), self.shared.group_limits);
            taken.entries < limits.entries_max
                && taken.bytes < limits.bytes_max
                && !self.shared.queue.is_full()
                && !self.shared.stall.is_running()
                && !self.shared.watermark.has_waiters()
                && !self.shared.spin.has_waiter()
                && !self.shared.queue.claim.is_halted()
                && self.shared.queue.claim.closed_at().is_none()
        };
        while in_no_hurry() && Instant::now() < until {
            let look_again = until.min(Instant::now() + DOZE);
            self.shared.doorbell.sleep(Sleep::Doze(look_again), || !in_no_hurry());
        }
    }
}
