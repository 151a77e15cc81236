//! Finding entries: by key, by time; and pages of an index.
//!
//! An index is a projection: what it says is checked against entries by the verifier, not here.

use std::ffi::{c_char, c_void};
use std::ops::ControlFlow;

use super::args::{self, READ_KEY_BYTES_MAX};
use super::error::{Refusal, es_error};
use super::guarded;
use super::handle::{self, es_reader};
use super::out::{self, Arena, Out, Rows};
use super::status::*;
use crate::index::IndexKind;

/// One row of an index: a key and the first entry that has it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_index_row {
    /// The first entry with this key.
    pub seq: u64,
    /// Where the key starts in the arena: UTF-8, NUL-terminated.
    pub key_offset: u64,
    /// Its length in bytes, the NUL not counted.
    pub key_len: u32,
    /// Zero.
    pub reserved: u32,
}

/// Which part of an index to read. Initialise with ES_INDEX_REQUEST_INIT or
/// es_init_index_request.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_index_request {
    /// sizeof(es_index_request).
    pub struct_size: u32,
    /// ES_INDEX_*.
    pub kind: u32,
    /// Go on after this key, UTF-8, at most 1 MiB; NULL: from the start. May lie in the arena: it is
    /// copied first.
    pub after: *const c_char,
    /// Its length in bytes, or ES_NTS.
    pub after_len: usize,
    /// Most rows of this page; 0: no limit but row_cap.
    pub max_rows: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// What a page of an index holds. Initialise with ES_INDEX_RESULT_INIT or es_init_index_result.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_index_result {
    /// sizeof(es_index_result).
    pub struct_size: u32,
    /// 1: the index has more rows: call again with after = the last key.
    pub more: u32,
    /// How many rows were filled.
    pub rows: u64,
    /// How many bytes of the arena were used.
    pub arena_used: u64,
}

/// Fills an index request with zeros and its size: client order ids, from the start.
/// @param request  caller's memory
/// @param size     sizeof(es_index_request)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_index_request(
    request: *mut es_index_request,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `request` is the caller's memory of `size` bytes.
        unsafe { out::init(request, size, |_| ()) }
    })
}

/// Fills an index result with zeros and its size.
/// @param result  caller's memory
/// @param size    sizeof(es_index_result)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_index_result(
    result: *mut es_index_result,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `result` is the caller's memory of `size` bytes.
        unsafe { out::init(result, size, |_| ()) }
    })
}

/// Finds the first entry that was committed with a key.
/// @param reader   the reader
/// @param kind     ES_INDEX_*
/// @param key      the key, UTF-8; of more than 1 MiB it is refused
/// @param key_len  its length in bytes, or ES_NTS
/// @param seq      receives the seq
/// @param err      filled on failure; may be NULL
/// @return ES_OK; ES_ERR_NOT_FOUND: no entry has it;
///         ES_ERR_CORRUPTED: verify the run; ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
///         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_PANIC: free the reader and report it.
/// [any thread] [never blocks] behind a commit; it reads the file. Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_lookup(
    reader: *mut es_reader,
    kind: u32,
    key: *const c_char,
    key_len: usize,
    seq: *mut u64,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let reader = handle::reader(reader)?;
            let kind = read_kind("kind", kind)?;
            let key = args::text("key", key, key_len, READ_KEY_BYTES_MAX)?;
            out::check("seq", seq)?;
            let found = reader.view().lookup(kind, key)?;
            out::put(seq, found.ok_or_else(|| not_found("key", "no entry has it"))?);
        }
        Ok(())
    })
}

/// Reads one page of an index, in byte order of its keys: as many whole rows as fit all limits.
/// @param reader     the reader
/// @param request    which index, after which key
/// @param rows       array of rows to fill; each element is written for its whole stride, the rest
///                   of it with zeros; unspecified beyond result->rows
/// @param stride     bytes from one row to the next, at least sizeof(es_index_row)
/// @param row_cap    how many rows it holds, at least 1
/// @param arena      receives the keys; NULL only with arena_cap 0; unspecified beyond
///                   result->arena_used
/// @param arena_cap  its size in bytes
/// @param result     caller's memory, its struct_size set
/// @param err        filled on failure; may be NULL
/// @return ES_OK, with 0 rows when there are none;
///         ES_ERR_BUFFER_TOO_SMALL: the first key needs err->required bytes of arena;
///         ES_ERR_CORRUPTED: verify the run; ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
///         correct the call; ES_ERR_PANIC: free the reader and report it.
/// [any thread] [never blocks] behind a commit; it reads the file. Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_scan_index(
    reader: *mut es_reader,
    request: *const es_index_request,
    rows: *mut es_index_row,
    stride: usize,
    row_cap: usize,
    arena: *mut c_void,
    arena_cap: usize,
    result: *mut es_index_result,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let reader = handle::reader(reader)?;
            let request: es_index_request = args::required("request", request)?;
            args::reserved("request.reserved", &request.reserved)?;
            let kind = read_kind("request.kind", request.kind)?;
            let after =
                args::text("request.after", request.after, request.after_len, READ_KEY_BYTES_MAX)?;
            // Copied, since the natural place of the last key is the arena written below.
            let after = (!request.after.is_null()).then(|| after.to_owned());
            let rows = Rows::new("rows", rows, stride, row_cap, request.max_rows)?;
            let arena = Arena::new("arena", arena, arena_cap)?;
            let result = Out::sized("result", result)?;
            let mut page = Page { rows, arena, stopped: false, required: 0 };
            let visited = reader
                .view()
                .visit_index(kind, after.as_deref(), &mut |key, seq| page.take(key, seq));
            result.put(page.finish(visited)?);
        }
        Ok(())
    })
}

/// Finds the first entry whose ts_init is at or after a time. Times may step back in a run: it is
/// the first by seq.
/// @param reader   the reader
/// @param ts_init  the time, in nanoseconds since the Unix epoch
/// @param seq      receives the seq
/// @param err      filled on failure; may be NULL
/// @return ES_OK; ES_ERR_NOT_FOUND: all entries are earlier;
///         ES_ERR_HASH_MISMATCH, ES_ERR_SEQ_MISMATCH, ES_ERR_GAP, ES_ERR_CORRUPTED: verify the
///         run; ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_PANIC: free the reader and report it.
/// [any thread] [never blocks] behind a commit; it reads the file. Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_find_first_seq(
    reader: *mut es_reader,
    ts_init: u64,
    seq: *mut u64,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: `seq` is NULL or the caller's memory; nobody frees a handle that a call uses.
        unsafe {
            let reader = handle::reader(reader)?;
            out::check("seq", seq)?;
            let found = reader.view().first_seq_at(ts_init)?;
            out::put(seq, found.ok_or_else(|| not_found("ts_init", "all entries are earlier"))?);
        }
        Ok(())
    })
}

fn not_found(field: &'static str, reason: &'static str) -> Refusal {
    Refusal::call(ES_ERR_NOT_FOUND, field, reason)
}

fn read_kind(field: &'static str, kind: u32) -> Result<IndexKind, Refusal> {
    u16::try_from(kind)
        .ok()
        .and_then(IndexKind::from_code)
        .ok_or_else(|| args::unknown(field, kind))
}

/// The caller's memory for a page of an index, and how far it is filled.
struct Page {
    rows: Rows,
    arena: Arena,
    stopped: bool,
    required: usize,
}

impl Page {
    fn take(&mut self, key: &str, seq: u64) -> ControlFlow<()> {
        let key_offset = self.arena.used();
        let end = key_offset + key.len() + 1;
        if self.rows.is_full() || end > self.arena.cap() {
            self.stopped = true;
            self.required = end;
            return ControlFlow::Break(());
        }
        self.arena.copy_text(key_offset, key);
        self.arena.set_used(end);
        self.rows.push(es_index_row {
            seq,
            key_offset: key_offset as u64,
            key_len: key.len() as u32,
            reserved: 0,
        });
        ControlFlow::Continue(())
    }

    /// Good rows before a damaged one are an answer; the next page begins with the damage.
    fn finish(&self, visited: crate::error::Result<()>) -> Result<es_index_result, Refusal> {
        let more = self.stopped || visited.is_err();
        if self.rows.used() == 0 {
            visited?;
            if self.stopped {
                return Err(Refusal::TooSmall { field: "arena", required: self.required });
            }
        }
        Ok(es_index_result {
            struct_size: 0,
            more: more.into(),
            rows: self.rows.used() as u64,
            arena_used: self.arena.used() as u64,
        })
    }
}
