//! A thread that the kernel kills, with its process, for its first system call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::process::say;

/// Said by a role where the kernel takes no filter.
pub(crate) const REFUSED: &str = "seccomp refused";

/// Kills the process on any call of the calling thread, for good.
fn forbid_calls() -> bool {
    let refuse_all =
        libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_KILL_PROCESS };
    let mut instructions = [refuse_all];
    let program = libc::sock_fprog { len: 1, filter: instructions.as_mut_ptr() };
    // SAFETY: the kernel copies `program` and its one instruction during the call.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    }
}

/// Runs `work` on a thread of its own that may make no system call, and returns when it is done.
/// The thread then spins until the process ends: even its exit would be a call.
pub(crate) fn on_a_thread_without_calls(work: impl FnOnce() + Send + 'static) {
    let done = Arc::new(AtomicBool::new(false));
    let is_done = Arc::clone(&done);
    thread::spawn(move || {
        if forbid_calls() {
            work();
        } else {
            say(REFUSED);
        }
        done.store(true, Ordering::Release);
        loop {
            std::hint::spin_loop();
        }
    });
    while !is_done.load(Ordering::Acquire) {
        thread::sleep(Duration::from_micros(100));
    }
}
