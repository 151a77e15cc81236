//! The end of a run: closing, sealing a crashed one, halting, and freeing handles.
//!
//! Closing can fail and be called again; freeing cannot fail and never waits. What either does to
//! the file is the store's.

use std::cell::Cell;
use std::ffi::c_void;

use super::args;
use super::constants::*;
use super::error::{errno_of, es_error, status_of};
use super::guarded;
use super::handle::{self, es_reader, es_run};
use super::open::es_halt_fn;
use super::out::{self, Out};
use super::status::*;
use crate::manifest::RunStatus;
use crate::writer::{CloseOptions, CloseReport, HaltCallback};

/// How a run is closed. Zero always means the default. Initialise with ES_CLOSE_OPTIONS_INIT or
/// es_init_close_options.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_close_options {
    /// sizeof(es_close_options).
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// Longest wait in nanoseconds; 0 and ES_FOREVER: without end, ES_POLL: do not wait.
    pub timeout_ns: u64,
    /// ts_init of the RunEnded entry, in nanoseconds since the Unix epoch; 0: the largest so far,
    /// else the run's start.
    pub end_ts_init: u64,
    /// ts_publish of the RunEnded entry, in nanoseconds since the Unix epoch; 0: stamped (in a
    /// manual run: its ts_init). Given, equal entries make runs of equal digests.
    pub end_ts_publish: u64,
    /// Zero.
    pub reserved: [u64; 1],
}

/// How a run ended. Initialise with ES_CLOSE_RESULT_INIT or es_init_close_result.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_close_result {
    /// sizeof(es_close_result).
    pub struct_size: u32,
    /// 1: sealed. 0: the run had halted and stays ES_RUN_RUNNING for recovery.
    pub sealed: u32,
    /// ES_RUN_*.
    pub status: u32,
    /// 1: digest holds the run digest.
    pub digest_present: u32,
    /// The largest durable seq.
    pub high_watermark: u64,
    /// The run digest; keep it elsewhere as evidence.
    pub digest: [u8; 32],
    /// Why the run halted, as a status; ES_OK: it did not.
    pub halt_status: i32,
    /// The operating system's number of that failure, or 0.
    pub halt_errno: i32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// Fills close options with their defaults.
/// @param options  caller's memory
/// @param size     sizeof(es_close_options)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_close_options(
    options: *mut es_close_options,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `options` is the caller's memory of `size` bytes.
        unsafe { out::init(options, size, |_| ()) }
    })
}

/// Fills a close result with zeros and its size.
/// @param result  caller's memory
/// @param size    sizeof(es_close_result)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_close_result(
    result: *mut es_close_result,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `result` is the caller's memory of `size` bytes.
        unsafe { out::init(result, size, |_| ()) }
    })
}

/// Ends a run: from its start submits answer ES_ERR_CLOSED; what is queued is committed, then a
/// final RunEnded entry, then the run is sealed as ES_RUN_ENDED. A run that has halted is not
/// written to: the answer is ES_OK with sealed 0 and the reason (in words: what es_flush then gives
/// err), and the instance is free for a new run at once. The run itself is let go of once what its
/// writer was in the middle of has ended: until then es_open_crashed_run answers ES_ERR_LOCKED.
/// on_halt has returned when this answers ES_OK: it waits for that, so on_halt must not wait for it.
/// Called again, it answers the same. The handle stays valid for state, stats, es_wait_durable and
/// es_open_reader; free it with es_free_run.
/// @param run      the run
/// @param options  NULL: the defaults, waits without end
/// @param out      receives how it ended, its struct_size set; may be NULL
/// @param err      filled on failure; may be NULL
/// @return ES_OK: look at out->sealed;
///         ES_ERR_TIMEOUT: closing goes on: call again;
///         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
///         ES_ERR_UNSUPPORTED_FIELD, ES_ERR_STRUCT_SIZE, ES_ERR_BAD_HANDLE,
///         ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_PANIC: free the run and report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_close_run(
    run: *mut es_run,
    options: *const es_close_options,
    out: *mut es_close_result,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let run = handle::run(run)?;
            let options: es_close_options = args::options("options", options)?;
            args::known_flags("options.flags", options.flags, 0)?;
            args::reserved("options.reserved", &options.reserved)?;
            let out = Out::sized_unless_null("out", out)?;
            let report = run.close(&CloseOptions {
                timeout_ns: args::timeout_ns(options.timeout_ns, ES_FOREVER),
                end_ts_init: options.end_ts_init,
                end_ts_publish: options.end_ts_publish,
            })?;
            out.put(close_result(&report));
        }
        Ok(())
    })
}

/// Seals a crashed run; it takes no entries after that and opens with es_open_sealed_run. Reads
/// the run once for its digest.
/// @param reader  of es_open_crashed_run
/// @param status  ES_RUN_CRASHED_RECOVERED, ES_RUN_ENDED or ES_RUN_QUARANTINED
/// @param out     receives how it ended, its struct_size set; may be NULL
/// @param err     filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_CLOSED: it is sealed already;
///         ES_ERR_UNSUPPORTED: the reader is not of es_open_crashed_run;
///         ES_ERR_INVALID_ARGUMENT: status is none of these;
///         ES_ERR_HASH_MISMATCH, ES_ERR_SEQ_MISMATCH, ES_ERR_GAP: the run is damaged: seal it
///         ES_RUN_QUARANTINED; ES_ERR_CORRUPTED: keep a copy, salvage it;
///         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno: free space, open it again;
///         ES_ERR_BUSY: another thread seals it;
///         ES_ERR_STRUCT_SIZE, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: free the reader and report it.
/// [one thread at a time per object] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_seal_run(
    reader: *mut es_reader,
    status: u32,
    out: *mut es_close_result,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: `out` is NULL or the caller's memory; nobody frees a handle that a call uses.
        unsafe {
            let reader = handle::reader(reader)?;
            let out = Out::sized_unless_null("out", out)?;
            let status =
                RunStatus::from_code(status).ok_or_else(|| args::unknown("status", status))?;
            let report = reader.seal(status)?;
            out.put(close_result(&report));
        }
        Ok(())
    })
}

/// Frees a run's handle; never waits for the disk. A run that was not closed is detached: what is
/// queued is still committed, it stays ES_RUN_RUNNING, and until then opening it again answers
/// ES_ERR_LOCKED. A manual run, which has no thread for that, and one that has halted drop what is
/// queued. Does nothing for NULL, for a handle that is freed already or of another type, in a forked
/// child, and inside on_halt. Must not run while another thread is in a call on it.
/// @param run  the run, or NULL
/// [one thread at a time per object] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn es_free_run(run: *mut es_run) {
    let _ = guarded!(std::ptr::null_mut(), {
        if !inside_callback() {
            // SAFETY: the caller is in no other call on this handle.
            unsafe { handle::free_run(run) };
        }
        Ok(())
    });
}

/// Frees a reader and lets go of its file and locks; never waits for the disk. Does nothing for
/// NULL, for a handle that is freed already or of another type, and in a forked child. Must not
/// run while another thread is in a call on it.
/// @param reader  the reader, or NULL
/// [one thread at a time per object] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn es_free_reader(reader: *mut es_reader) {
    let _ = guarded!(std::ptr::null_mut(), {
        // SAFETY: the caller is in no other call on this handle.
        unsafe { handle::free_reader(reader) };
        Ok(())
    });
}

fn close_result(report: &CloseReport) -> es_close_result {
    let halt = report.halt.as_deref();
    es_close_result {
        struct_size: 0,
        sealed: report.status.is_sealed().into(),
        status: report.status.code(),
        digest_present: report.digest.is_some().into(),
        high_watermark: report.high_watermark,
        digest: report.digest.map_or([0; 32], |digest| digest.bytes),
        halt_status: halt.map_or(ES_OK, status_of),
        halt_errno: halt.map_or(0, errno_of),
        reserved: [0; 2],
    }
}

thread_local! {
    static INSIDE_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread runs the host's halt callback, where freeing the run would pull the
/// ground from under the call that noticed.
pub(super) fn inside_callback() -> bool {
    INSIDE_CALLBACK.get()
}

/// The host's callback as the store takes it.
pub(super) fn halt_callback(function: es_halt_fn, context: *mut c_void) -> Option<HaltCallback> {
    struct Context(*mut c_void);
    // SAFETY: the header says that the callback runs on the thread that noticed; the host made
    // what `context` points to fit for that.
    unsafe impl Send for Context {}
    let function = function?;
    let context = Context(context);
    Some(Box::new(move |reason| {
        // The whole struct, not only its field, which alone could not cross threads.
        let Context(context) = { context };
        let before = INSIDE_CALLBACK.replace(true);
        // SAFETY: function and context are the host's own pair, valid as the header demands.
        unsafe { function(context, status_of(reason), errno_of(reason)) };
        INSIDE_CALLBACK.set(before);
    }))
}
