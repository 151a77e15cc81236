//! Signals: what the writer's thread blocks, and how file I/O survives a file size limit.
//!
//! A write past `RLIMIT_FSIZE` raises SIGXFSZ, whose default action ends the host. So every write
//! runs with it blocked and takes it back after `EFBIG`, unless it was pending before. Blocking
//! takes two system calls: a commit blocks it once for all its writes, and the writer's thread for
//! good.

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

thread_local! {
    static SIGXFSZ: Cell<Sigxfsz> = const { Cell::new(Sigxfsz::AsTheHostHasIt) };
}

/// What became of SIGXFSZ on a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sigxfsz {
    AsTheHostHasIt,
    /// Blocked; one that comes is of our own writes.
    Blocked,
    /// Blocked with one pending, which is the host's and stays.
    BlockedAndPending,
}

/// Left open on the writer's thread: faults of the thread itself, which only it can answer for.
const LEFT_OPEN: [libc::c_int; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGABRT,
];

/// Restores the caller's signal mask when dropped.
pub(crate) struct MaskGuard {
    previous: libc::sigset_t,
}

/// Blocks all but the thread's own faults on the calling thread until the guard is dropped: a
/// thread spawned in between is born with that mask.
pub(crate) fn block_for_spawn() -> MaskGuard {
    let mut blocked = empty_set();
    // SAFETY: `blocked` is an initialised set, and the signal numbers are valid.
    unsafe {
        libc::sigfillset(&raw mut blocked);
        for signal in LEFT_OPEN {
            libc::sigdelset(&raw mut blocked, signal);
        }
    }
    MaskGuard { previous: set_mask(libc::SIG_SETMASK, &blocked) }
}

impl Drop for MaskGuard {
    fn drop(&mut self) {
        set_mask(libc::SIG_SETMASK, &self.previous);
    }
}

/// Tells that the calling thread was spawned under [`block_for_spawn`] and keeps that mask.
pub(crate) fn mark_masked() {
    SIGXFSZ.set(Sigxfsz::Blocked);
}

/// Runs file I/O so that a file size limit is an error and never a signal.
pub(crate) fn without_sigxfsz<T>(operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    blocking_sigxfsz(|| {
        let result = operation();
        if is_file_size_limit(&result) && SIGXFSZ.get() == Sigxfsz::Blocked {
            take_pending();
        }
        result
    })
}

/// Blocks SIGXFSZ around several operations of [`without_sigxfsz`], which then cost no system call
/// for it. Free where it is blocked already: within itself, and on the store's own threads.
pub(crate) fn blocking_sigxfsz<T>(work: impl FnOnce() -> T) -> T {
    if SIGXFSZ.get() != Sigxfsz::AsTheHostHasIt {
        return work();
    }
    let mut only = empty_set();
    // SAFETY: `only` is an initialised set.
    unsafe { libc::sigaddset(&raw mut only, libc::SIGXFSZ) };
    let guard = BlockGuard(MaskGuard { previous: set_mask(libc::SIG_BLOCK, &only) });
    // Unblocked before means that none was pending; blocked before, one may be the host's.
    let was_pending = has_sigxfsz(&guard.0.previous) && is_pending();
    SIGXFSZ.set(if was_pending { Sigxfsz::BlockedAndPending } else { Sigxfsz::Blocked });
    work()
}

/// Gives SIGXFSZ back to the host when dropped, also by a panic.
struct BlockGuard(MaskGuard);

impl Drop for BlockGuard {
    fn drop(&mut self) {
        SIGXFSZ.set(Sigxfsz::AsTheHostHasIt);
    }
}

fn is_file_size_limit<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.raw_os_error() == Some(libc::EFBIG))
}

fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises the set that it is given.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn set_mask(how: libc::c_int, set: &libc::sigset_t) -> libc::sigset_t {
    let mut previous = empty_set();
    // SAFETY: both sets are initialised and live on this stack. It fails for a bad `how` alone.
    unsafe { libc::pthread_sigmask(how, set, &raw mut previous) };
    previous
}

fn has_sigxfsz(set: &libc::sigset_t) -> bool {
    // SAFETY: `set` is an initialised set.
    unsafe { libc::sigismember(set, libc::SIGXFSZ) == 1 }
}

fn is_pending() -> bool {
    let mut pending = empty_set();
    // SAFETY: `pending` is a valid place for the result.
    unsafe { libc::sigpending(&raw mut pending) };
    has_sigxfsz(&pending)
}

fn take_pending() {
    let mut only = empty_set();
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `only` is an initialised set, the information is not asked for, the time is valid.
    unsafe {
        libc::sigaddset(&raw mut only, libc::SIGXFSZ);
        libc::sigtimedwait(&only, ptr::null_mut(), &at_once);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn too_big() -> io::Result<()> {
        // SAFETY: raises a signal on this thread, as the kernel does before it answers EFBIG.
        unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGXFSZ) };
        Err(io::Error::from_raw_os_error(libc::EFBIG))
    }

    /// The signal of a refused write is gone when the guard ends: delivered, it would end the test.
    #[test]
    fn file_size_limit_is_an_error_and_no_signal() {
        std::thread::spawn(|| {
            assert!(without_sigxfsz(too_big).is_err());
            assert!(!is_pending());
        })
        .join()
        .unwrap();
    }

    /// Blocked once around several writes, the signal of each is gone before the next; a panic in
    /// between leaves the mask as it was.
    #[test]
    fn blocked_once_for_several_writes() {
        std::thread::spawn(|| {
            let is_blocked = || has_sigxfsz(&set_mask(libc::SIG_BLOCK, &empty_set()));
            let work = || {
                blocking_sigxfsz(|| {
                    for _ in 0..2 {
                        assert!(without_sigxfsz(too_big).is_err());
                        assert!(is_blocked() && !is_pending());
                    }
                    std::panic::resume_unwind(Box::new("in the middle"));
                })
            };
            assert!(std::panic::catch_unwind(work).is_err());
            assert!(!is_blocked());
            assert!(without_sigxfsz(too_big).is_err());
        })
        .join()
        .unwrap();
    }

    /// A signal that the host had blocked and pending is still there afterwards.
    #[test]
    fn pending_signal_of_the_host_is_kept() {
        std::thread::spawn(|| {
            let guard = block_for_spawn();
            let _ = too_big();
            assert!(without_sigxfsz(too_big).is_err());
            blocking_sigxfsz(|| assert!(without_sigxfsz(too_big).is_err()));
            assert!(is_pending());
            take_pending();
            drop(guard);
        })
        .join()
        .unwrap();
    }

    /// A thread spawned under the guard blocks SIGXFSZ and SIGTERM and leaves its own faults open;
    /// the spawning thread gets its mask back.
    #[test]
    fn spawned_thread_inherits_the_mask() {
        std::thread::spawn(|| {
            let before = set_mask(libc::SIG_BLOCK, &empty_set());
            let guard = block_for_spawn();
            let blocked = std::thread::spawn(|| {
                mark_masked();
                assert!(without_sigxfsz(too_big).is_err());
                assert!(!is_pending());
                let mask = set_mask(libc::SIG_BLOCK, &empty_set());
                // SAFETY: `mask` is an initialised set.
                let is_blocked = |signal| unsafe { libc::sigismember(&mask, signal) == 1 };
                (is_blocked(libc::SIGTERM), LEFT_OPEN.into_iter().any(is_blocked))
            })
            .join()
            .unwrap();
            drop(guard);
            assert_eq!(blocked, (true, false));
            let after = set_mask(libc::SIG_BLOCK, &empty_set());
            assert_eq!(has_sigxfsz(&before), has_sigxfsz(&after));
        })
        .join()
        .unwrap();
    }
}
