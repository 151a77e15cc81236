//! Waiting for a run to grow or to end, as a reader.
//!
//! How a wait is woken, and how often a run of another process is looked at: `reader`.

use super::close::inside_callback;
use super::constants::*;
use super::error::es_error;
use super::guarded;
use super::handle::{self, es_reader};
use super::out::{self, Out};
use super::status::*;
use crate::error::EventStoreError;
use crate::manifest::RunStatus;
use crate::reader::{Ended, Tail};

/// How far a run is, and whether more comes. Initialise with ES_TAIL_RESULT_INIT or
/// es_init_tail_result.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_tail_result {
    /// sizeof(es_tail_result).
    pub struct_size: u32,
    /// ES_TAIL_*; 0: more may come.
    pub flags: u32,
    /// ES_RUN_*; ES_RUN_RUNNING unless it is sealed.
    pub status: u32,
    /// Zero.
    pub reserved0: u32,
    /// The largest durable seq.
    pub high_watermark: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// Fills a tail result with zeros and its size.
/// @param result  caller's memory
/// @param size    sizeof(es_tail_result)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_tail_result(
    result: *mut es_tail_result,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `result` is the caller's memory of `size` bytes.
        unsafe { out::init(result, size, |_| ()) }
    })
}

/// Waits until a run's high-watermark is seq or more, or nothing more comes: the run was sealed,
/// or its writer is gone without sealing it. With ES_OK look at out->flags: ES_TAIL_SEALED and
/// ES_TAIL_WRITER_GONE say that what is durable by now, up to out->high_watermark, is all. Any
/// reader may wait; of a sealed or crashed run it is answered at once.
///
/// Within the writing process a commit wakes its waiters, which costs its writer a system call. A
/// run that another process writes (es_open_live_run) is looked at after naps that grow from 50 us
/// to 2 ms: so late an entry is noticed at most, and about 500 times a second, of five system calls
/// each, while nothing comes; that costs its writer nothing. A manual run is not driven by a wait.
/// @param reader      the reader
/// @param seq         the next entry wanted: the high-watermark so far plus 1; 0 only asks
/// @param timeout_ns  longest wait in nanoseconds; 0 polls, ES_FOREVER waits without end. A signal
///                    does not end a wait: wait in slices to look for one
/// @param out         receives how far the run is, its struct_size set; may be NULL
/// @param err         filled on failure; may be NULL
/// @return ES_OK: read on, or stop, as out->flags says;
///         ES_ERR_TIMEOUT: nothing new: call again;
///         ES_ERR_CORRUPTED: entries that were acknowledged are damaged or missing: what lies
///         before them can be read; verify or salvage the run once it is sealed;
///         ES_ERR_LOCKED, ES_ERR_NOT_FOUND: the run was closed since, and recovery has it, or it
///         was deleted: open it anew;
///         ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_UNSUPPORTED_FORMAT: use a library that knows it;
///         ES_ERR_BUSY: called from on_halt: call it later;
///         ES_ERR_STRUCT_SIZE, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: free the reader and report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_wait_tail(
    reader: *mut es_reader,
    seq: u64,
    timeout_ns: u64,
    out: *mut es_tail_result,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: `out` is NULL or the caller's memory; nobody frees a handle that a call uses.
        unsafe {
            let reader = handle::reader(reader)?;
            let out = Out::sized_unless_null("out", out)?;
            if inside_callback() {
                return Err(EventStoreError::Busy { what: "a callback is running" }.into());
            }
            out.put(tail_result(reader.wait_tail(seq, timeout_ns)?));
        }
        Ok(())
    })
}

fn tail_result(tail: Tail) -> es_tail_result {
    let (flags, status) = match tail.ended {
        None => (0, RunStatus::Running),
        Some(Ended::WriterGone) => (ES_TAIL_WRITER_GONE, RunStatus::Running),
        Some(Ended::Sealed(status)) => (ES_TAIL_SEALED, status),
    };
    es_tail_result {
        struct_size: 0,
        flags,
        status: status.code(),
        reserved0: 0,
        high_watermark: tail.high_watermark,
        reserved: [0; 2],
    }
}
