//! The thread that fills space with zeros before redb gets there; see `footprint` for why.
//!
//! It starts when it is first needed, stands back for every other thread, and ends before the file
//! is closed. Without it, and where it does not keep up, commits do what they can themselves.
//!
//! A commit's flush waits for whatever zeros are on their way to the disk. So as long as enough is
//! ahead, they wait until the run is at rest; with less, one area follows a commit, to be gone
//! before the next one flushes; and only where commits are about to catch up does one follow the
//! other regardless.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::footprint::Need;
use crate::planted::planted;
use crate::platform::thread;

/// Between two steps in a row: what one wrote is on its way to the disk, and commits come first.
const PAUSE: Duration = Duration::from_millis(1);

/// A run is at rest when no commit began or ended for so long.
const REST: Duration = Duration::from_millis(5);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Filler {
    thread: Mutex<Option<(SyncSender<()>, JoinHandle<()>)>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_ended: AtomicBool,
    /// Commits begun and commits ended: odd while one is under way.
    turns: AtomicU64,
    /// The thread looks again by itself, and need not be called.
    looks_again: AtomicBool,
}

impl Filler {
    /// A commit begins; [`Filler::end_commit`] is to follow.
    pub(super) fn begin_commit(&self) {
        self.shared.turns.fetch_add(1, Ordering::AcqRel);
    }

    /// The commit has ended, and leaves so much need. The thread takes its `step`s, each with the
    /// least need that it is for, and learns what need is left.
    pub(super) fn end_commit(&self, need: Need, step: impl Fn(Need) -> Need + Send + 'static) {
        self.shared.turns.fetch_add(1, Ordering::AcqRel);
        // Should it see no need any more just now, the next commit calls it.
        let is_awaited = need > Need::AtRest || !self.shared.looks_again.load(Ordering::Acquire);
        if need == Need::Nothing || !is_awaited {
            return;
        }
        let mut running = self.thread.lock();
        if running.is_none() && !self.shared.is_ended.load(Ordering::Acquire) {
            let (sender, calls) = sync_channel(1);
            let shared = Arc::clone(&self.shared);
            let spawned = thread::spawn("es-redb-fill", move || {
                thread::stand_back();
                shared.work(&calls, step);
            });
            match spawned {
                Ok(handle) => *running = Some((sender, handle)),
                // Not asked for again with each commit: they do without it.
                Err(_) => self.shared.is_ended.store(true, Ordering::Release),
            }
        }
        if let Some((sender, _)) = &*running {
            // A call that waits to be taken counts for this one too.
            let _ = sender.try_send(());
        }
    }

    /// Returns when the step that is under way is done; none follows.
    pub(super) fn end(&self) {
        self.shared.is_ended.store(true, Ordering::Release);
        let running = self.thread.lock().take();
        if let Some((sender, handle)) = running {
            drop(sender);
            // A panic there was told on standard error; what it left unfilled is filled by nobody.
            let _ = handle.join();
        }
    }
}

impl Shared {
    /// The thread's work: a step behind each call, and others until there is no need.
    fn work(&self, calls: &Receiver<()>, step: impl Fn(Need) -> Need) {
        let (mut need, mut turns, mut is_at_rest) = (Need::Nothing, 0, false);
        loop {
            self.looks_again.store(need != Need::Nothing, Ordering::Release);
            let pause = if is_at_rest || need == Need::AtOnce { PAUSE } else { REST };
            let call = match need {
                Need::Nothing => calls.recv().map_err(RecvTimeoutError::from),
                _ => calls.recv_timeout(pause),
            };
            if call == Err(RecvTimeoutError::Disconnected) || self.is_ended.load(Ordering::Acquire)
            {
                return;
            }
            let before = std::mem::replace(&mut turns, self.turns.load(Ordering::Acquire));
            let is_still = turns == before && turns.is_multiple_of(2);
            is_at_rest = call.is_err() && (is_still || planted("fill_beside_commits"));
            need = step(match call {
                Ok(()) => Need::BehindCommit,
                Err(_) if is_at_rest => Need::AtRest,
                Err(_) => Need::AtOnce,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// A thread whose steps leave `need`, and the least need of each.
    fn steps_that_leave(need: Need) -> (impl Fn(Need) -> Need + Clone, Receiver<Need>) {
        let (sender, steps) = channel();
        let step = move |least| {
            let _ = sender.send(least);
            need
        };
        (step, steps)
    }

    /// While a commit is under way, only what commits are about to catch up with is filled; once
    /// there is none, whatever is left.
    #[test]
    fn zeros_wait_for_a_run_at_rest() {
        let filler = Filler::default();
        let (step, steps) = steps_that_leave(Need::AtRest);
        filler.begin_commit();
        filler.end_commit(Need::AtRest, step.clone());
        assert_eq!(steps.recv_timeout(LONG), Ok(Need::BehindCommit));
        filler.begin_commit();
        // The first may still be of the time before.
        let next = || steps.recv_timeout(LONG).expect("it looks again by itself");
        let mut seen =
            std::iter::repeat_with(next).take(100).skip_while(|least| *least == Need::AtRest);
        let under_way: Vec<Need> = seen.by_ref().take(10).collect();
        assert_eq!(under_way, [Need::AtOnce; 10], "a commit is under way");
        filler.end_commit(Need::AtRest, step);
        assert!(seen.any(|least| least == Need::AtRest), "a run at rest is filled further");
        filler.end();
        while steps.try_recv().is_ok() {}
        assert!(steps.recv_timeout(4 * REST).is_err(), "it has ended");
    }

    /// A commit that leaves more than a need at rest is followed by a step; none is called for where
    /// the thread looks again by itself, nor where there is no need.
    #[test]
    fn thread_is_called_where_it_has_to_be() {
        let filler = Filler::default();
        let (leave_nothing, steps) = steps_that_leave(Need::Nothing);
        let shared = Arc::clone(&filler.shared);
        let step = move |least| {
            // Until the thread takes it back, which is the last it does before it waits.
            shared.looks_again.store(true, Ordering::Release);
            leave_nothing(least)
        };
        let wait_until_it_waits = || {
            let started = Instant::now();
            while filler.shared.looks_again.load(Ordering::Acquire) {
                assert!(started.elapsed() < LONG, "it goes on though no need is left");
                std::thread::yield_now();
            }
        };
        filler.end_commit(Need::Nothing, step.clone());
        assert!(filler.thread.lock().is_none(), "nothing to do");
        for _ in 0..3 {
            filler.end_commit(Need::AtRest, step.clone());
            assert_eq!(steps.recv_timeout(LONG), Ok(Need::BehindCommit));
            wait_until_it_waits();
        }
        assert!(steps.recv_timeout(4 * REST).is_err(), "no need is left");
        filler.shared.looks_again.store(true, Ordering::Release);
        filler.end_commit(Need::AtRest, step.clone());
        assert!(steps.recv_timeout(4 * REST).is_err(), "it looks again by itself");
        filler.end_commit(Need::BehindCommit, step);
        assert_eq!(steps.recv_timeout(LONG), Ok(Need::BehindCommit));
        filler.end();
    }
}
