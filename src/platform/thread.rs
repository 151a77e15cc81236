//! The store's own threads: named for debuggers, deaf to the host's signals, known to be ours.

use std::cell::Cell;
use std::io;
use std::thread::{Builder, JoinHandle};

use super::signal;

thread_local! {
    static IS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// Starts a thread; all signals but those of faults stay with the host's threads.
///
/// # Errors
/// What the system answered: nothing runs then.
pub(crate) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let _masked = signal::block_for_spawn();
    Builder::new().name(name.to_owned()).spawn(move || {
        signal::mark_masked();
        IS_OWN.set(true);
        work();
    })
}

/// Makes the calling thread wait for processors that others want: what it does is not urgent.
pub(crate) fn stand_back() {
    const NICE: libc::c_int = 10;
    // On Linux a thread's priority is its own. Refused, it works as others do.
    #[cfg(target_os = "linux")]
    // SAFETY: takes numbers alone; 0 is the calling thread.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
    }
}

/// Whether this thread is one of the store's own: what a panic there says is not for the host's
/// standard error.
pub(crate) fn is_own() -> bool {
    // `try_with`, since a thread may panic while its locals are being destroyed.
    IS_OWN.try_with(Cell::get).unwrap_or(false)
}
