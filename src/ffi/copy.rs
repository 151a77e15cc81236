//! Copying a run, sealed or being written.
//!
//! What a copy holds and how it becomes durable: `store` and the backends.

use std::ffi::c_char;
use std::path::Path;

use super::args;
use super::error::es_error;
use super::guarded;
use super::out::{self, Out};
use super::status::*;
use crate::store::copy_run;

/// What a copy holds. Initialise with ES_COPY_RESULT_INIT or es_init_copy_result.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_copy_result {
    /// sizeof(es_copy_result).
    pub struct_size: u32,
    /// 1: the run was sealed, and so is the copy. 0: the copy is to be recovered.
    pub sealed: u32,
    /// ES_RUN_*.
    pub status: u32,
    /// Zero.
    pub reserved0: u32,
    /// The last entry of the copy.
    pub high_watermark: u64,
    /// The length of the copy, in bytes.
    pub bytes: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// Fills a copy result with zeros and its size.
/// @param result  caller's memory
/// @param size    sizeof(es_copy_result)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_copy_result(
    result: *mut es_copy_result,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `result` is the caller's memory of `size` bytes.
        unsafe { out::init(result, size, |_| ()) }
    })
}

/// Copies a run to `<base>/<instance_id>/`, under its own instance and run id. The copy is on stable
/// storage when it returns ES_OK; before, its name does not exist. A sealed run is copied byte for
/// byte. A run of the log backend may be copied while any process writes it, at no cost to the
/// writer but the disk's: the copy has exactly the entries acknowledged at some moment of the call,
/// and is as if the process had died just then: ES_RUN_RUNNING, for es_recover. Entries are not
/// checked on the way: verify the copy.
/// @param path      the run's file, or its directory (log backend), UTF-8
/// @param path_len  its length in bytes, or ES_NTS; at most 4,095
/// @param base      another directory of all instances, UTF-8; made if missing
/// @param base_len  its length in bytes, or ES_NTS; at most 4,095
/// @param out       receives what was copied, its struct_size set; may be NULL
/// @param err       filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_ALREADY_EXISTS: a run of this id is there, unchanged: choose another base;
///         ES_ERR_UNSUPPORTED: a redb run that is being written or recovered: copy it once it is
///         sealed; or the file system has no locks;
///         ES_ERR_NOT_SEALED: a redb run that was left: recover it first;
///         ES_ERR_LOCKED: the run is being deleted, or another process writes or recovers its
///         instance below base: try again later;
///         ES_ERR_NOT_FOUND: no such run; ES_ERR_CORRUPTED: it is no run, or what was acknowledged
///         is damaged: verify or salvage it once it is sealed;
///         ES_ERR_UNSUPPORTED_FORMAT: use a library that knows it;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER:
///         correct what err names;
///         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno: free space, or correct the directory;
///         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_copy_run(
    path: *const c_char,
    path_len: usize,
    base: *const c_char,
    base_len: usize,
    out: *mut es_copy_result,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands.
        unsafe {
            let out = Out::sized_unless_null("out", out)?;
            let path = args::path("path", path, path_len)?;
            let base = args::path("base", base, base_len)?;
            let copied = copy_run(Path::new(path), Path::new(base))?;
            out.put(es_copy_result {
                struct_size: 0,
                sealed: copied.status.is_sealed().into(),
                status: copied.status.code(),
                reserved0: 0,
                high_watermark: copied.high_watermark,
                bytes: copied.bytes,
                reserved: [0; 2],
            });
        }
        Ok(())
    })
}
