//! What a run is doing: state, statistics, path, and the descriptor to poll.

use std::ffi::c_char;

use super::constants::*;
use super::error::{errno_of, es_error, status_of};
use super::guarded;
use super::handle::{self, es_run};
use super::out::{self, Out};
use super::status::*;
use crate::writer::Phase;

/// Where a run stands. It may grow: es_get_run_state takes its size.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_run_state {
    /// The largest durable seq; never above last_claimed_seq.
    pub high_watermark: u64,
    /// The largest seq that a submit was given.
    pub last_claimed_seq: u64,
    /// Entries in the queue.
    pub queue_entries: u64,
    /// Bytes in the queue.
    pub queue_bytes: u64,
    /// Why the run halted, as a status; ES_OK: it did not.
    pub halt_status: i32,
    /// The operating system's number of that failure, or 0.
    pub halt_errno: i32,
    /// ES_PHASE_*.
    pub phase: u32,
    /// Zero.
    pub reserved: u32,
}

/// What a run has done since it was opened. It may grow: es_get_run_stats takes its size.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_run_stats {
    /// Durable commits of entries, RunEnded's among them; not those of RunStarted, anchors and seal.
    pub commits: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes of topics, types, payloads and keys that were submitted for them: none for RunEnded.
    pub bytes: u64,
    /// How long the last commit took, in nanoseconds.
    pub last_flush_ns: u64,
    /// How long the longest commit took, in nanoseconds.
    pub longest_flush_ns: u64,
    /// Free space of the file system, in bytes; ES_NONE: not known.
    pub free_bytes: u64,
    /// Entry buffers at rest in the pool.
    pub pooled_buffers: u64,
    /// Zero.
    pub reserved: u64,
}

/// Tells where a run stands, with a few loads. A stall is noticed here as well: the one call that
/// notices it wakes the waiters and runs on_halt.
/// @param run       the run, open, closed or halted
/// @param out       receives the state
/// @param out_size  sizeof(es_run_state)
/// @param err       filled on failure; may be NULL
/// @return ES_OK; ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
///         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_PANIC: close the run and report it.
/// [any thread] also from on_halt. [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_get_run_state(
    run: *mut es_run,
    out: *mut es_run_state,
    out_size: usize,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: `out` is NULL or the caller's memory; nobody frees a handle that a call uses.
        unsafe {
            let out = Out::accompanied("out", out, out_size)?;
            let state = handle::run_in_callback(run)?.state();
            let halt = state.halt.as_deref();
            out.put(es_run_state {
                high_watermark: state.high_watermark,
                last_claimed_seq: state.last_claimed_seq,
                queue_entries: state.queue_entries,
                queue_bytes: state.queue_bytes,
                halt_status: halt.map_or(ES_OK, status_of),
                halt_errno: halt.map_or(0, errno_of),
                phase: match state.phase {
                    Phase::Open => ES_PHASE_OPEN,
                    Phase::Closing => ES_PHASE_CLOSING,
                    Phase::Closed => ES_PHASE_CLOSED,
                    Phase::Halted => ES_PHASE_HALTED,
                },
                reserved: 0,
            });
        }
        Ok(())
    })
}

/// Tells what a run has done.
/// @param run       the run, open, closed or halted
/// @param out       receives the statistics
/// @param out_size  sizeof(es_run_stats)
/// @param err       filled on failure; may be NULL
/// @return ES_OK; ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
///         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_BUSY: called from on_halt: call it
///         later; ES_ERR_PANIC: close the run and report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_get_run_stats(
    run: *mut es_run,
    out: *mut es_run_stats,
    out_size: usize,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: `out` is NULL or the caller's memory; nobody frees a handle that a call uses.
        unsafe {
            let out = Out::accompanied("out", out, out_size)?;
            let stats = handle::run(run)?.stats();
            out.put(es_run_stats {
                commits: stats.commits,
                entries: stats.entries,
                bytes: stats.bytes,
                last_flush_ns: stats.last_flush_ns,
                longest_flush_ns: stats.longest_flush_ns,
                free_bytes: stats.free_bytes.unwrap_or(ES_NONE),
                pooled_buffers: stats.pooled_buffers,
                reserved: 0,
            });
        }
        Ok(())
    })
}

/// Gives the path of a run's file; empty for a memory run.
/// @param run     the run
/// @param path    caller's memory; NULL only with cap 0. NUL-terminated whenever cap > 0: when it
///                is too small it receives the empty text
/// @param cap     its size in bytes
/// @param needed  receives the size that suffices, the NUL counted, on ES_OK and on
///                ES_ERR_BUFFER_TOO_SMALL; may be NULL
/// @param err     filled on failure; may be NULL
/// @return ES_OK; ES_ERR_BUFFER_TOO_SMALL: call again with *needed bytes;
///         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_BUSY: called from on_halt: call it later; ES_ERR_PANIC: close the run and
///         report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_get_run_path(
    run: *mut es_run,
    path: *mut c_char,
    cap: usize,
    needed: *mut usize,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe { out::path("path", handle::run(run)?.path(), path, cap, needed) }
    })
}

/// Gives a descriptor to poll: readable after the high-watermark has moved or the run has halted.
/// Read 8 bytes from it to rearm it, then call es_get_run_state. It belongs to the run: do not
/// close it, and do not use it after es_free_run. Linux only.
/// @param run  the run
/// @param fd   receives the descriptor
/// @param err  filled on failure; may be NULL
/// @return ES_OK, for a closed run too; ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_BUSY: called from on_halt: call it later; ES_ERR_PANIC: close the run and
///         report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_open_durable_fd(
    run: *mut es_run,
    fd: *mut i32,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: `fd` is NULL or the caller's memory; nobody frees a handle that a call uses.
        unsafe {
            out::check("fd", fd)?;
            out::put(fd, handle::run(run)?.durable_fd()?);
        }
        Ok(())
    })
}
