//! Looks without sleeping, for about as long as a fast disk takes to flush.
//!
//! Putting a thread to sleep and waking it costs tens of microseconds where its processor falls
//! idle meanwhile: as much as a flush of a fast disk. So one waiter at a time looks for the time
//! of a commit or two before it sleeps, and the writer, after a commit that somebody waited for,
//! looks a moment for the next. Neither does on a slow disk, where sleeping costs nothing by
//! comparison, on a single processor, or when the run's wait policy is to park.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::options::WaitPolicy;

/// Beyond this, a commit takes so long that sleeping through it costs little by comparison.
const SPIN_COMMIT_MAX: Duration = Duration::from_micros(400);
/// Until the first commit has been timed.
const COMMIT_GUESS: Duration = Duration::from_micros(100);
/// How long the writer looks for what comes after a commit that somebody waited for.
const NEXT_MAX: Duration = Duration::from_micros(50);
/// How often is looked between two looks at the clock.
const LOOKS: u32 = 32;

/// Whether and by whom there is any spinning in one run.
pub(super) struct Spin {
    is_allowed: bool,
    /// A waiter spins right now: a second one sleeps.
    has_waiter: AtomicBool,
}

impl Spin {
    pub(super) fn new(policy: WaitPolicy) -> Self {
        let has_more = std::thread::available_parallelism().is_ok_and(|count| count.get() > 1);
        let is_allowed = has_more && policy != WaitPolicy::Park;
        Self { is_allowed, has_waiter: AtomicBool::new(false) }
    }

    /// Whether a waiter spins right now.
    pub(super) fn has_waiter(&self) -> bool {
        self.has_waiter.load(Ordering::Relaxed)
    }

    /// Looks for an answer that the next commit will bring, which takes about as long as the
    /// last one did; `None` when it is time to sleep.
    pub(super) fn await_commit<T>(
        &self,
        last_commit: Duration,
        until: Option<Instant>,
        look: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        if !self.is_worthwhile(last_commit) || self.has_waiter.swap(true, Ordering::Relaxed) {
            return None;
        }
        let commit = if last_commit.is_zero() { COMMIT_GUESS } else { last_commit };
        let patience = Instant::now() + 2 * commit;
        let answer = spin(until.map_or(patience, |until| until.min(patience)), look);
        self.has_waiter.store(false, Ordering::Relaxed);
        answer
    }

    /// Looks for the next work, after a commit that somebody waited for and that took so long.
    pub(super) fn await_work(&self, last_commit: Duration, has_work: impl Fn() -> bool) {
        if self.is_worthwhile(last_commit) {
            spin(Instant::now() + NEXT_MAX, || has_work().then_some(()));
        }
    }

    fn is_worthwhile(&self, last_commit: Duration) -> bool {
        self.is_allowed && last_commit <= SPIN_COMMIT_MAX
    }
}

fn spin<T>(until: Instant, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        for _ in 0..LOOKS {
            if let Some(answer) = look() {
                return Some(answer);
            }
            std::hint::spin_loop();
        }
        if Instant::now() >= until {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const FAST: Duration = Duration::from_micros(50);

    /// An answer that is there is found; one that never comes ends the looking, at the latest when
    /// the caller's time is up.
    #[test]
    fn looking_ends_with_the_answer_or_with_the_time() {
        let spin = Spin { is_allowed: true, has_waiter: AtomicBool::new(false) };
        let mut looks = 0;
        let third = || {
            looks += 1;
            (looks == 3).then_some(looks)
        };
        assert_eq!(spin.await_commit(FAST, None, third), Some(3));
        assert_eq!(spin.await_commit(FAST, None, || None::<()>), None);
        let mut looks = 0;
        let none = spin.await_commit(SPIN_COMMIT_MAX, Some(Instant::now()), || {
            looks += 1;
            None::<()>
        });
        assert_eq!((none, looks), (None, LOOKS), "the clock is looked at after so many looks");
        assert!(!spin.has_waiter());
    }

    /// Nobody spins through a slow commit or after one, beside another who does, or where it is not
    /// allowed.
    #[test]
    fn nobody_spins_where_sleeping_is_cheaper() {
        let looked_for_work = |spin: &Spin, commit| {
            let looked = Cell::new(false);
            spin.await_work(commit, || looked.replace(true));
            looked.get()
        };
        let looked = |spin: &Spin, commit| spin.await_commit(commit, None, || Some(())).is_some();
        let spin = Spin { is_allowed: true, has_waiter: AtomicBool::new(false) };
        assert!(looked(&spin, FAST));
        assert!(looked_for_work(&spin, FAST));
        let slow = SPIN_COMMIT_MAX + Duration::from_nanos(1);
        assert!(!looked(&spin, slow));
        assert!(!looked_for_work(&spin, slow));
        assert!(!looked(&Spin { is_allowed: true, has_waiter: AtomicBool::new(true) }, FAST));
        let forbidden = Spin { is_allowed: false, has_waiter: AtomicBool::new(false) };
        assert!(!looked(&forbidden, FAST));
        assert!(!looked_for_work(&forbidden, FAST));
        assert!(!Spin::new(WaitPolicy::Park).is_allowed);
    }
}
