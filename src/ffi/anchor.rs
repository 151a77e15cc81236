//! Anchors: recording where a snapshot lies, and reading it back with what to replay.
//!
//! Whether an anchor is admissible is the store's to say.

use std::ffi::{c_char, c_void};

use super::args;
use super::error::{Refusal, es_error};
use super::guarded;
use super::handle::{self, es_reader, es_run};
use super::manifest::es_string;
use super::out::{self, Out, Shelf};
use super::status::*;
use crate::limits::ANCHOR_TEXT_BYTES_MAX;
use crate::snapshot::SnapshotAnchor;

/// The latest anchor of a run. The texts lie in the caller's arena.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_anchor {
    /// The last entry that the snapshot covers.
    pub high_watermark: u64,
    /// Where the snapshot lies.
    pub blob_ref: es_string,
    /// Its hash.
    pub content_hash: es_string,
}

/// What to do to restore an engine: load the snapshot of the anchor, then replay. Initialise with
/// ES_RESTORE_PLAN_INIT or es_init_restore_plan.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_restore_plan {
    /// sizeof(es_restore_plan).
    pub struct_size: u32,
    /// 1: there is an anchor, es_get_anchor gives it. 0: replay from the start.
    pub has_anchor: u32,
    /// The last entry that the snapshot covers, or 0.
    pub anchor_seq: u64,
    /// The first entry to replay.
    pub replay_from: u64,
    /// The last entry to replay; smaller than replay_from when there is nothing to replay.
    pub replay_to: u64,
}

/// Fills a restore plan with zeros and its size.
/// @param plan  caller's memory
/// @param size  sizeof(es_restore_plan)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_restore_plan(
    plan: *mut es_restore_plan,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `plan` is the caller's memory of `size` bytes.
        unsafe { out::init(plan, size, |_| ()) }
    })
}

/// Records that a snapshot kept elsewhere covers every entry up to a seq; returns when that is
/// durable. Anchors are stored in call order, each once its seq is durable.
/// @param run               the run
/// @param seq               the last covered entry: claimed, and not before the latest anchor's
/// @param blob_ref          where the snapshot lies: UTF-8, 1 to 4,096 bytes; opaque to the store
/// @param blob_ref_len      its length in bytes, or ES_NTS
/// @param content_hash      its hash, customarily "blake3:HEX": UTF-8, 1 to 4,096 bytes; opaque
/// @param content_hash_len  its length in bytes, or ES_NTS
/// @param timeout_ns        longest wait in nanoseconds; 0 polls, ES_FOREVER waits without end
/// @param err               filled on failure; may be NULL
/// @return ES_OK: durable;
///         ES_ERR_TIMEOUT: it stays queued and will be stored: es_get_anchor tells when;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
///         ES_ERR_USED_AFTER_FORK: nothing was queued: correct what err names;
///         ES_ERR_CLOSED: es_close_run has begun;
///         ES_ERR_HALTED: it may or may not be stored: close the run, then recover it;
///         ES_ERR_UNSUPPORTED: the backend keeps no anchors;
///         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
///         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: close the run and report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_record_anchor(
    run: *mut es_run,
    seq: u64,
    blob_ref: *const c_char,
    blob_ref_len: usize,
    content_hash: *const c_char,
    content_hash_len: usize,
    timeout_ns: u64,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let run = handle::run(run)?;
            let blob_ref = args::text("blob_ref", blob_ref, blob_ref_len, ANCHOR_TEXT_BYTES_MAX)?;
            let content_hash =
                args::text("content_hash", content_hash, content_hash_len, ANCHOR_TEXT_BYTES_MAX)?;
            let anchor = SnapshotAnchor {
                high_watermark: seq,
                blob_ref: args::owned(blob_ref)?,
                content_hash: args::owned(content_hash)?,
            };
            run.record_anchor(&anchor, timeout_ns)?;
        }
        Ok(())
    })
}

/// Gives the latest anchor.
/// @param reader     the reader
/// @param out        receives the anchor, its texts in the arena, NUL-terminated
/// @param out_size   sizeof(es_anchor)
/// @param arena      caller's memory; NULL only with arena_cap 0
/// @param arena_cap  its size in bytes
/// @param needed     receives the size that suffices, on ES_OK and on ES_ERR_BUFFER_TOO_SMALL; may be NULL
/// @param err        filled on failure; may be NULL
/// @return ES_OK; ES_ERR_NOT_FOUND: the run has none;
///         ES_ERR_BUFFER_TOO_SMALL: call again with *needed bytes; out is untouched;
///         ES_ERR_CORRUPTED: keep a copy, verify or salvage it; ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
///         correct the call; ES_ERR_PANIC: free the reader and report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_get_anchor(
    reader: *mut es_reader,
    out: *mut es_anchor,
    out_size: usize,
    arena: *mut c_void,
    arena_cap: usize,
    needed: *mut usize,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let out = Out::accompanied("out", out, out_size)?;
            let mut shelf = Shelf::new("arena", arena, arena_cap)?;
            let anchor = handle::reader(reader)?.view().latest_snapshot_anchor()?;
            let anchor = anchor
                .ok_or_else(|| Refusal::call(ES_ERR_NOT_FOUND, "anchor", "the run has none"))?;
            let texts = [&anchor.blob_ref, &anchor.content_hash];
            shelf.require(texts.into_iter().map(|text| Shelf::text_bytes(text)).sum(), needed)?;
            out.put(es_anchor {
                high_watermark: anchor.high_watermark,
                blob_ref: shelf.text(Some(&anchor.blob_ref)),
                content_hash: shelf.text(Some(&anchor.content_hash)),
            });
        }
        Ok(())
    })
}

/// Says what to replay after the latest anchor.
/// @param reader  the reader
/// @param out     caller's memory, its struct_size set
/// @param err     filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_CORRUPTED: the anchor lies beyond the high-watermark: verify the run;
///         ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
///         correct the call; ES_ERR_PANIC: free the reader and report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_get_restore_plan(
    reader: *mut es_reader,
    out: *mut es_restore_plan,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: `out` is NULL or the caller's memory; nobody frees a handle that a call uses.
        unsafe {
            let out = Out::sized("out", out)?;
            let plan = handle::reader(reader)?.restore_plan()?;
            out.put(es_restore_plan {
                struct_size: 0,
                has_anchor: plan.anchor.is_some().into(),
                anchor_seq: plan.anchor.map_or(0, |anchor| anchor.high_watermark),
                replay_from: plan.replay_from,
                replay_to: plan.replay_to,
            });
        }
        Ok(())
    })
}
