//! Binds the calling thread to one processor.

/// Binds the calling thread to this processor; one that does not exist is left unbound, since a
/// run must open on a smaller machine too.
pub(crate) fn pin_this_thread(cpu: usize) {
    if cpu >= libc::CPU_SETSIZE as usize {
        return;
    }
    // SAFETY: an all-zero set is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `cpu` is within the set, checked above.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the kernel reads as many bytes as `set` has. Its refusal leaves the thread unbound.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
}
