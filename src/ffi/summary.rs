//! What a reader knows of its run as a whole: high-watermark, digest, path.

use std::ffi::c_char;

use super::error::{Refusal, es_error};
use super::guarded;
use super::handle::{self, es_reader};
use super::out;
use super::status::*;

const DIGEST_BYTES: usize = 32;

/// Gives the largest durable seq; 0: none. Of a run that another process writes (es_open_live_run)
/// it looks at the run's files; what is wrong with them the other calls tell.
/// @param reader  the reader
/// @param seq     receives it
/// @param err     filled on failure; may be NULL
/// @return ES_OK; ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the
///         call; ES_ERR_PANIC: free the reader and report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_get_high_watermark(
    reader: *mut es_reader,
    seq: *mut u64,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: `seq` is NULL or the caller's memory; nobody frees a handle that a call uses.
        unsafe {
            out::check("seq", seq)?;
            out::put(seq, handle::reader(reader)?.view().high_watermark());
        }
        Ok(())
    })
}

/// Gives the run digest that was stored at seal.
/// @param reader  the reader
/// @param digest  receives 32 bytes
/// @param cap     its size in bytes, at least 32
/// @param keyed   receives 1 when a key was used, else 0; may be NULL
/// @param err     filled on failure; may be NULL
/// @return ES_OK; ES_ERR_NOT_FOUND: the run is not sealed, is quarantined, or was sealed without
///         its key;
///         ES_ERR_BUFFER_TOO_SMALL: cap is below 32;
///         ES_ERR_CORRUPTED: verify the run; ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_PANIC: free the reader and report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_get_digest(
    reader: *mut es_reader,
    digest: *mut u8,
    cap: usize,
    keyed: *mut u32,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, `digest` of `cap` bytes; nobody
        // frees a handle that a call uses.
        unsafe {
            let reader = handle::reader(reader)?;
            out::check("digest", digest)?;
            if cap < DIGEST_BYTES {
                return Err(Refusal::TooSmall { field: "digest", required: DIGEST_BYTES });
            }
            let found = reader.view().digest()?;
            let found = found
                .ok_or_else(|| Refusal::call(ES_ERR_NOT_FOUND, "digest", "the run has none"))?;
            out::put(digest.cast::<[u8; DIGEST_BYTES]>(), found.bytes);
            out::put_unless_null(keyed, u32::from(found.keyed));
        }
        Ok(())
    })
}

/// Gives the path of the file that a reader reads; empty for a memory run.
/// @param reader  the reader
/// @param path    caller's memory; NULL only with cap 0. NUL-terminated whenever cap > 0: when it
///                is too small it receives the empty text
/// @param cap     its size in bytes
/// @param needed  receives the size that suffices, the NUL counted, on ES_OK and on
///                ES_ERR_BUFFER_TOO_SMALL; may be NULL
/// @param err     filled on failure; may be NULL
/// @return ES_OK; ES_ERR_BUFFER_TOO_SMALL: call again with *needed bytes;
///         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_PANIC: free the reader and report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_get_reader_path(
    reader: *mut es_reader,
    path: *mut c_char,
    cap: usize,
    needed: *mut usize,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe { out::path("path", handle::reader(reader)?.path(), path, cap, needed) }
    })
}
