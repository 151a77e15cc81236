//! Writing: submit, append, wait, flush, and one step of a manual run.
//!
//! Drafts come from `draft`. The store checks, claims and copies; nothing here decides.

use super::args;
use super::draft::{Drafts, es_draft, sharpen, with_draft};
use super::error::{Refusal, es_error};
use super::guarded;
use super::handle::{self, es_run};
use super::out::{self, Out};
use super::status::*;
use crate::writer::{RawDraft, SubmitOptions};

/// How a submit is done. Initialise with ES_SUBMIT_OPTIONS_INIT or es_init_submit_options.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_submit_options {
    /// sizeof(es_submit_options).
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// The seq that the (first) draft must get, else ES_ERR_OUT_OF_ORDER and nothing is claimed;
    /// 0: any.
    pub expected_seq: u64,
    /// How long to wait for room in the queue, in nanoseconds; 0 and ES_POLL: not at all.
    pub timeout_ns: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// How an append is done. Initialise with ES_APPEND_OPTIONS_INIT or es_init_append_options.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_append_options {
    /// sizeof(es_append_options).
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// The seq that the first draft must get, else ES_ERR_OUT_OF_ORDER and nothing is claimed;
    /// 0: any.
    pub expected_seq: u64,
    /// Zero.
    pub reserved: [u64; 3],
}

/// What an append did. Initialise with ES_APPEND_RESULT_INIT or es_init_append_result.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_append_result {
    /// sizeof(es_append_result).
    pub struct_size: u32,
    /// Zero.
    pub reserved0: u32,
    /// The seq of the first draft; of an empty batch, the next one.
    pub first_seq: u64,
    /// How many entries.
    pub count: u64,
    /// The largest durable seq.
    pub high_watermark: u64,
}

/// Fills submit options with their defaults.
/// @param options  caller's memory
/// @param size     sizeof(es_submit_options)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_submit_options(
    options: *mut es_submit_options,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `options` is the caller's memory of `size` bytes.
        unsafe { out::init(options, size, |_| ()) }
    })
}

/// Fills append options with their defaults.
/// @param options  caller's memory
/// @param size     sizeof(es_append_options)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_append_options(
    options: *mut es_append_options,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `options` is the caller's memory of `size` bytes.
        unsafe { out::init(options, size, |_| ()) }
    })
}

/// Fills an append result with zeros and its size.
/// @param result  caller's memory
/// @param size    sizeof(es_append_result)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_append_result(
    result: *mut es_append_result,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `result` is the caller's memory of `size` bytes.
        unsafe { out::init(result, size, |_| ()) }
    })
}

/// Hands one entry to the writer and returns its seq at once; the hot path. Its bytes are copied.
/// It is durable when the high-watermark has reached the seq: es_wait_durable, es_get_run_state.
/// Never waits for the disk, makes no system call while the writer is hot, allocates nothing once
/// warm. Claim order is seq order is commit order.
/// @param run         the run
/// @param draft       the entry; needed during the call only
/// @param draft_size  sizeof(es_draft)
/// @param options     NULL: no expected seq, do not wait
/// @param seq         receives the seq; may be NULL
/// @param err         filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_QUEUE_FULL: no room, not within timeout_ns either: nothing was claimed: try again;
///         ES_ERR_OUT_OF_ORDER: expected_seq is not the next: compare err->seq, err->next_seq;
///         ES_ERR_CLOSED: es_close_run has begun: open a new run;
///         ES_ERR_HALTED: es_get_run_state names the reason: close it, then recover it;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
///         nothing was claimed: correct what err names;
///         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
///         ES_ERR_OUT_OF_MEMORY: nothing was claimed: free memory; ES_ERR_PANIC: close the run
///         and report it.
/// [any thread] [never blocks] unless timeout_ns asks for it. Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_submit(
    run: *mut es_run,
    draft: *const es_draft,
    draft_size: usize,
    options: *const es_submit_options,
    seq: *mut u64,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let run = handle::run(run)?;
            let options = submit_options(options)?;
            let draft: es_draft = args::single("draft", draft, draft_size)?;
            let claimed = with_draft(&draft, |raw| {
                run.submit_raw(raw, options).map_err(|error| sharpen(raw, error))
            })?;
            out::put_unless_null(seq, claimed);
        }
        Ok(())
    })
}

/// Hands a batch to the writer and returns its first seq at once: all or none, contiguous seqs,
/// one commit. Bytes are copied.
/// @param run        the run
/// @param drafts     array of drafts; needed during the call only
/// @param stride     bytes from one draft to the next: sizeof(es_draft), or that of the struct
///                   they lie in
/// @param count      how many, 1 to 65,536, together at most 256 MiB and at most queue_entries
/// @param options    NULL: no expected seq, do not wait
/// @param first_seq  receives the seq of the first draft; may be NULL
/// @param err        filled on failure, item_index telling which draft; may be NULL
/// @return ES_OK;
///         ES_ERR_QUEUE_FULL: no room, not within timeout_ns either: nothing was claimed: try again;
///         ES_ERR_OUT_OF_ORDER: expected_seq is not the next: compare err->seq, err->next_seq;
///         ES_ERR_CLOSED: es_close_run has begun: open a new run;
///         ES_ERR_HALTED: es_get_run_state names the reason: close it, then recover it;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
///         nothing was claimed: correct what err names;
///         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
///         ES_ERR_OUT_OF_MEMORY: nothing was claimed: free memory; ES_ERR_PANIC: close the run
///         and report it.
/// [any thread] [never blocks] unless timeout_ns asks for it. Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_submit_batch(
    run: *mut es_run,
    drafts: *const es_draft,
    stride: usize,
    count: usize,
    options: *const es_submit_options,
    first_seq: *mut u64,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let run = handle::run(run)?;
            let options = submit_options(options)?;
            let mut drafts = Drafts::new(drafts, stride, count)?;
            let claimed =
                run.submit_raw_batch(count, &mut |at, take| drafts.hand(at, take), options);
            let claimed = claimed.map_err(|error| drafts.explain(error))?;
            out::put_unless_null(first_seq, claimed);
        }
        Ok(())
    })
}

/// Appends a batch and returns when it is durable: all or none, contiguous seqs, one commit.
/// Bytes are copied. Without a timeout; for one, use es_submit_batch and es_wait_durable. On a fast
/// disk with nobody else waiting it writes and flushes on the calling thread: do not cancel that
/// thread meanwhile, and a halt that another thread notices is answered once the disk has answered.
/// @param run      the run
/// @param drafts   array of drafts; needed during the call only; NULL only with count 0
/// @param stride   bytes from one draft to the next: sizeof(es_draft), or that of the struct they
///                 lie in
/// @param count    how many, at most 65,536, together at most 256 MiB and at most queue_entries;
///                 0 does nothing and answers ES_OK
/// @param options  NULL: no expected seq
/// @param out      receives what was done, its struct_size set; may be NULL
/// @param err      filled on failure, item_index telling which draft; may be NULL
/// @return ES_OK: durable;
///         ES_ERR_OUT_OF_ORDER: expected_seq is not the next: compare err->seq, err->next_seq;
///         ES_ERR_CLOSED: es_close_run has begun: open a new run;
///         ES_ERR_HALTED: err->count entries from err->seq were claimed (0: none); whether they
///         are in the run, its high-watermark says after it is reopened: close it, then recover it;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
///         nothing was claimed: correct what err names;
///         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
///         ES_ERR_OUT_OF_MEMORY: nothing was claimed: free memory; ES_ERR_PANIC: close the run
///         and report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_append_batch(
    run: *mut es_run,
    drafts: *const es_draft,
    stride: usize,
    count: usize,
    options: *const es_append_options,
    out: *mut es_append_result,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let run = handle::run(run)?;
            let options: es_append_options = args::options("options", options)?;
            args::known_flags("options.flags", options.flags, 0)?;
            args::reserved("options.reserved", &options.reserved)?;
            let out = Out::sized_unless_null("out", out)?;
            let mut drafts = Drafts::new_or_empty(drafts, stride, count)?;
            let hand = &mut |at, take: &mut dyn FnMut(&RawDraft<'_>) -> _| drafts.hand(at, take);
            let done = run.append_raw_batch(count, hand, options.expected_seq);
            let done = done.map_err(|failure| match drafts.explain(failure.error) {
                Refusal::Store(error) => Refusal::Append(error, failure.claimed),
                refusal => refusal,
            })?;
            out.put(es_append_result {
                struct_size: 0,
                reserved0: 0,
                first_seq: done.first_seq,
                count: done.count,
                high_watermark: done.high_watermark,
            });
        }
        Ok(())
    })
}

/// Waits until all entries up to a seq are on stable storage. Any seq up to the high-watermark,
/// 0 too, answers ES_OK, also when the run has halted or is closed. With ES_FOREVER it may write and
/// flush on the calling thread, as es_append_batch does; with a timeout it never does.
/// @param run         the run
/// @param seq         a claimed seq, or 0
/// @param timeout_ns  longest wait in nanoseconds; 0 polls, ES_FOREVER waits without end
/// @param err         filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_TIMEOUT: nothing is lost: call again;
///         ES_ERR_HALTED: it may never become durable: es_get_run_state names the reason: close
///         the run, then recover it;
///         ES_ERR_INVALID_ARGUMENT: seq was never claimed;
///         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
///         ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_PANIC: close the run and report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_wait_durable(
    run: *mut es_run,
    seq: u64,
    timeout_ns: u64,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: nobody frees a handle that a call uses.
        Ok(unsafe { handle::run(run) }?.wait_durable(seq, timeout_ns)?)
    })
}

/// Waits until everything that was claimed when it was called is on stable storage; with ES_FOREVER
/// as es_wait_durable.
/// @param run         the run
/// @param timeout_ns  longest wait in nanoseconds; 0 polls, ES_FOREVER waits without end
/// @param err         filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_TIMEOUT: nothing is lost: call again;
///         ES_ERR_HALTED: es_get_run_state names the reason: close the run, then recover it;
///         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
///         ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_PANIC: close the run and report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_flush(
    run: *mut es_run,
    timeout_ns: u64,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: nobody frees a handle that a call uses.
        Ok(unsafe { handle::run(run) }?.flush(timeout_ns)?)
    })
}

/// Commits one group of a run opened with ES_OPEN_MANUAL_WRITER.
/// @param run                the run
/// @param entries_committed  receives how many entries became durable, 0 when there was nothing to
///                           do; may be NULL
/// @param err                filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_BUSY: another thread works on the run, or called from on_halt: call it later;
///         ES_ERR_UNSUPPORTED: the run has a writer thread of its own;
///         ES_ERR_CLOSED: the run is closed;
///         ES_ERR_HALTED: es_get_run_state names the reason: close the run, then recover it;
///         ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: close the run and report it.
/// [one thread at a time per object] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_do_work(
    run: *mut es_run,
    entries_committed: *mut u64,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: `entries_committed` is NULL or the caller's memory; nobody frees a handle that
        // a call uses.
        unsafe {
            let committed = handle::run(run)?.do_work()?;
            out::put_unless_null(entries_committed, committed);
        }
        Ok(())
    })
}

/// # Safety
/// `options` is NULL or the caller's submit options.
pub(super) unsafe fn submit_options(
    options: *const es_submit_options,
) -> Result<SubmitOptions, Refusal> {
    // SAFETY: handed down from the caller.
    let options: es_submit_options = unsafe { args::options("options", options) }?;
    args::known_flags("options.flags", options.flags, 0)?;
    args::reserved("options.reserved", &options.reserved)?;
    Ok(SubmitOptions {
        expected_seq: options.expected_seq,
        timeout_ns: args::timeout_ns(options.timeout_ns, 0),
    })
}
