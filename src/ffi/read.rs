//! Reading entries: pages of a scan, and one entry by its seq.
//!
//! Rows are copied once, from where the backend holds them into the caller's arena, and only
//! whole rows count. What a scan checks and where it stops is the backend's; the page only
//! stops where the caller's limits are reached.

use std::ffi::c_void;
use std::ops::ControlFlow;

use super::args;
use super::constants::*;
use super::error::{Refusal, es_error};
use super::guarded;
use super::handle::{self, es_reader};
use super::out::{self, Arena, Out, Rows};
use super::status::*;
use crate::backend::{Direction, EventReader};
use crate::entry::Row;

/// One committed entry. Offsets count from the start of the arena that was filled with it, so the
/// same bytes serve another process. It has no size of its own: calls take its size, or the
/// stride of an array, so that it can grow.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_entry {
    /// Position in the run, from 1, without holes; the only order of replay.
    pub seq: u64,
    /// The domain clock, in nanoseconds since the Unix epoch.
    pub ts_init: u64,
    /// When it was published, in nanoseconds since the Unix epoch; need not rise with seq.
    pub ts_publish: u64,
    /// Where the topic starts: UTF-8, NUL-terminated.
    pub topic_offset: u64,
    /// Where the payload type starts: UTF-8, NUL-terminated.
    pub payload_type_offset: u64,
    /// Where the payload starts; a multiple of 8.
    pub payload_offset: u64,
    /// Where the keys start: per key a u16 kind, a u16 length (both little-endian), the bytes.
    pub keys_offset: u64,
    /// Length of the payload, in bytes.
    pub payload_len: u64,
    /// Length of the topic, in bytes, the NUL not counted.
    pub topic_len: u32,
    /// Length of the payload type, in bytes, the NUL not counted.
    pub payload_type_len: u32,
    /// Length of all keys together, in bytes.
    pub keys_len: u32,
    /// How many keys, with ES_ENTRY_KEYS_RECORDED.
    pub key_count: u32,
    /// ES_ENTRY_*.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// With ES_ENTRY_HAS_CORRELATION_ID: the workflow it is part of.
    pub correlation_id: [u8; 16],
    /// With ES_ENTRY_HAS_CAUSATION_ID: the message that caused it.
    pub causation_id: [u8; 16],
    /// BLAKE3 of all of the above but the keys; it was recomputed for this read.
    pub entry_hash: [u8; 32],
}

/// What to scan. Initialise with ES_SCAN_REQUEST_INIT (everything, forward) or
/// es_init_scan_request.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_scan_request {
    /// sizeof(es_scan_request).
    pub struct_size: u32,
    /// ES_FORWARD or ES_BACKWARD.
    pub direction: u32,
    /// The smallest seq; 0 names no entry and gives none.
    pub from: u64,
    /// The largest seq; beyond the high-watermark means up to it.
    pub to: u64,
    /// Most rows of this page; 0: no limit but entry_cap.
    pub max_rows: u64,
    /// Most arena bytes of this page, of which the first row may use more; 0: no limit but
    /// arena_cap.
    pub max_bytes: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// What a page holds. Initialise with ES_SCAN_RESULT_INIT or es_init_scan_result.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_scan_result {
    /// sizeof(es_scan_result).
    pub struct_size: u32,
    /// 1: the range has more rows: call again with from (backward: to) = next_seq.
    pub more: u32,
    /// How many rows were filled.
    pub rows: u64,
    /// How many bytes of the arena were used.
    pub arena_used: u64,
    /// Where to go on: the next from (backward: the next to). Also without more: scanning from
    /// there follows a live run.
    pub next_seq: u64,
    /// The largest durable seq when the page was made.
    pub high_watermark: u64,
}

/// Fills a scan request with its defaults: from 1 to UINT64_MAX, forward, no limits.
/// @param request  caller's memory
/// @param size     sizeof(es_scan_request)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_scan_request(
    request: *mut es_scan_request,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `request` is the caller's memory of `size` bytes.
        unsafe {
            out::init(request, size, |fresh| {
                fresh.from = 1;
                fresh.to = u64::MAX;
            })
        }
    })
}

/// Fills a scan result with zeros and its size.
/// @param result  caller's memory
/// @param size    sizeof(es_scan_result)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_scan_result(
    result: *mut es_scan_result,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `result` is the caller's memory of `size` bytes.
        unsafe { out::init(result, size, |_| ()) }
    })
}

/// Reads one page of a range: as many whole entries as fit all limits, each checked against its
/// hash. Stateless: any number of scans may run on one reader. A damaged row ends the page before
/// it with ES_OK and more 1; the next call, which starts at it, fails with its status and seq,
/// and the caller may skip it by asking from err->seq + 1 (backward: to err->seq - 1).
/// @param reader     the reader
/// @param request    the range and limits
/// @param entries    array of entries to fill; each element is written for its whole stride, the
///                   rest of it with zeros; unspecified beyond result->rows
/// @param stride     bytes from one entry to the next, at least sizeof(es_entry)
/// @param entry_cap  how many entries it holds, at least 1
/// @param arena      receives texts, payloads and keys; NULL only with arena_cap 0; unspecified
///                   beyond result->arena_used
/// @param arena_cap  its size in bytes
/// @param result     caller's memory, its struct_size set
/// @param err        filled on failure; may be NULL
/// @return ES_OK, with 0 rows when the range holds none;
///         ES_ERR_BUFFER_TOO_SMALL: the first entry needs err->required bytes of arena;
///         ES_ERR_HASH_MISMATCH, ES_ERR_SEQ_MISMATCH, ES_ERR_GAP, ES_ERR_CORRUPTED: the first row
///         is damaged: err->seq says which, verify the run;
///         ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_UNSUPPORTED_FIELD, ES_ERR_STRUCT_SIZE,
///         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: free the reader and report it.
/// [any thread] [never blocks] behind a commit; it reads the file. Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_scan_range(
    reader: *mut es_reader,
    request: *const es_scan_request,
    entries: *mut es_entry,
    stride: usize,
    entry_cap: usize,
    arena: *mut c_void,
    arena_cap: usize,
    result: *mut es_scan_result,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let reader = handle::reader(reader)?;
            let request: es_scan_request = args::required("request", request)?;
            args::reserved("request.reserved", &request.reserved)?;
            let rows = Rows::new("entries", entries, stride, entry_cap, request.max_rows)?;
            let arena = Arena::new("arena", arena, arena_cap)?;
            let result = Out::sized("result", result)?;
            let range = Range::of(&request, reader.view().high_watermark())?;
            let mut page = Page { rows, arena, soft_cap: soft_cap(request.max_bytes), required: 0 };
            result.put(page.fill(reader.view(), range)?);
        }
        Ok(())
    })
}

/// Reads one entry, checked against its hash.
/// @param reader      the reader
/// @param seq         which
/// @param entry       receives it, its texts and payload in the arena
/// @param entry_size  sizeof(es_entry)
/// @param arena       caller's memory; NULL only with arena_cap 0
/// @param arena_cap   its size in bytes
/// @param needed      receives the size that suffices, on ES_OK and on ES_ERR_BUFFER_TOO_SMALL; may be NULL
/// @param err         filled on failure; may be NULL
/// @return ES_OK; ES_ERR_NOT_FOUND: seq is 0 or beyond the high-watermark;
///         ES_ERR_BUFFER_TOO_SMALL: call again with *needed bytes; entry is untouched;
///         ES_ERR_HASH_MISMATCH, ES_ERR_SEQ_MISMATCH, ES_ERR_GAP, ES_ERR_CORRUPTED: the row is
///         damaged: verify the run; ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
///         correct the call;
///         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: free the reader and report it.
/// [any thread] [never blocks] behind a commit; it reads the file. Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_get_entry(
    reader: *mut es_reader,
    seq: u64,
    entry: *mut es_entry,
    entry_size: usize,
    arena: *mut c_void,
    arena_cap: usize,
    needed: *mut usize,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let view = handle::reader(reader)?.view();
            Out::accompanied("entry", entry, entry_size)?;
            let rows = Rows::new("entry", entry, entry_size, 1, 0)?;
            let arena = Arena::new("arena", arena, arena_cap)?;
            let range = Range { from: seq, to: seq.min(view.high_watermark()), ..Range::ALL };
            let mut page = Page { rows, arena, soft_cap: usize::MAX, required: 0 };
            let filled = page.fill(view, range);
            if page.required > 0 {
                out::put_unless_null(needed, page.required);
            }
            if filled?.rows == 0 {
                let reason = format!("{seq} is 0 or beyond the high-watermark");
                return Err(Refusal::call(ES_ERR_NOT_FOUND, "seq", reason));
            }
        }
        Ok(())
    })
}

/// The rows that a page may hold, clamped to what is durable.
#[derive(Clone, Copy)]
struct Range {
    from: u64,
    to: u64,
    direction: Direction,
    high_watermark: u64,
}

impl Range {
    const ALL: Self =
        Self { from: 1, to: u64::MAX, direction: Direction::Forward, high_watermark: 0 };

    fn of(request: &es_scan_request, high_watermark: u64) -> Result<Self, Refusal> {
        let direction = match request.direction {
            ES_FORWARD => Direction::Forward,
            ES_BACKWARD => Direction::Backward,
            other => return Err(args::unknown("request.direction", other)),
        };
        let to = request.to.min(high_watermark);
        Ok(Self { from: request.from, to, direction, high_watermark })
    }

    /// The part of it that a scan of so many rows visits, so that none is read in vain; of an empty
    /// range an empty one.
    fn at_most(&self, rows: u64) -> (u64, u64) {
        let more = rows.saturating_sub(1);
        match self.direction {
            Direction::Forward => (self.from, self.to.min(self.from.saturating_add(more))),
            Direction::Backward if self.from == 0 => (0, self.to),
            Direction::Backward => (self.from.max(self.to.saturating_sub(more)), self.to),
        }
    }

    /// The seq that a scan visits last.
    fn end(&self) -> u64 {
        match self.direction {
            Direction::Forward => self.to,
            Direction::Backward => self.from,
        }
    }

    /// The seq that a scan visits after `seq`.
    fn after(&self, seq: u64) -> u64 {
        match self.direction {
            Direction::Forward => seq + 1,
            Direction::Backward => seq - 1,
        }
    }

    /// Where a caller goes on after an empty page.
    fn start(&self) -> u64 {
        match self.direction {
            Direction::Forward => self.from,
            Direction::Backward => self.to,
        }
    }
}

/// The caller's memory for a page, and how far it is filled.
struct Page {
    rows: Rows,
    arena: Arena,
    /// Where the page ends although the arena has room, unless it would be empty.
    soft_cap: usize,
    /// What the row that was written last, or the first that did not fit, needs.
    required: usize,
}

impl Page {
    /// Copies rows until a limit or the range is reached.
    fn fill(&mut self, view: &dyn EventReader, range: Range) -> Result<es_scan_result, Refusal> {
        let mut last_seq = None;
        // An empty range too: of a run that is followed, damage may be why it is empty.
        let (from, to) = range.at_most(self.rows.left());
        let visited = view.visit_range(from, to, range.direction, &mut |row| {
            if !self.take(&row) {
                return ControlFlow::Break(());
            }
            last_seq = Some(row.entry.seq);
            if self.rows.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if last_seq.is_none() {
            // The first row decides: damaged, or too large for the arena.
            visited?;
            if self.required > 0 {
                return Err(Refusal::TooSmall { field: "arena", required: self.required });
            }
        }
        Ok(es_scan_result {
            struct_size: 0,
            more: last_seq.is_some_and(|seq| seq != range.end()).into(),
            rows: self.rows.used() as u64,
            arena_used: self.arena.used() as u64,
            next_seq: last_seq.map_or(range.start(), |seq| range.after(seq)),
            high_watermark: range.high_watermark,
        })
    }

    /// Copies one row if it fits whole.
    fn take(&mut self, row: &Row<'_>) -> bool {
        let entry = &row.entry;
        let keys = row.keys.map_or(&[][..], |keys| keys.as_bytes());
        let start = self.arena.used().next_multiple_of(Arena::PAYLOAD_ALIGN_BYTES);
        let topic_offset = start + entry.payload.len();
        let type_offset = topic_offset + entry.topic.len() + 1;
        let keys_offset = type_offset + entry.payload_type.len() + 1;
        let end = keys_offset + keys.len();
        let beyond_limit = end > self.soft_cap && self.rows.used() > 0;
        self.required = end;
        if end > self.arena.cap() || beyond_limit {
            return false;
        }
        self.arena.copy(start, entry.payload);
        self.arena.copy_text(topic_offset, entry.topic);
        self.arena.copy_text(type_offset, entry.payload_type);
        self.arena.copy(keys_offset, keys);
        self.arena.set_used(end);
        let headers = &entry.headers;
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        self.rows.push(es_entry {
            seq: entry.seq,
            ts_init: entry.ts_init,
            ts_publish: entry.ts_publish,
            topic_offset: topic_offset as u64,
            payload_type_offset: type_offset as u64,
            payload_offset: start as u64,
            keys_offset: keys_offset as u64,
            payload_len: entry.payload.len() as u64,
            topic_len: entry.topic.len() as u32,
            payload_type_len: entry.payload_type.len() as u32,
            keys_len: keys.len() as u32,
            key_count: row.keys.map_or(0, |keys| keys.len()),
            flags: flag(headers.correlation_id.is_some(), ES_ENTRY_HAS_CORRELATION_ID)
                | flag(headers.causation_id.is_some(), ES_ENTRY_HAS_CAUSATION_ID)
                | flag(row.keys.is_some(), ES_ENTRY_KEYS_RECORDED),
            reserved: 0,
            correlation_id: headers.correlation_id.map_or([0; 16], |id| id.0),
            causation_id: headers.causation_id.map_or([0; 16], |id| id.0),
            entry_hash: entry.entry_hash,
        });
        true
    }
}

fn soft_cap(max_bytes: u64) -> usize {
    match max_bytes {
        0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    }
}
