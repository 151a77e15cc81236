//! Reports: what an operation over runs answers, kept until the caller has read it page by page.
//!
//! One kind of report serves all operations: a summary, rows about runs, findings about entries.
//! Nothing here reads a run; the operations are in `operate`.

use std::ffi::{c_char, c_void};

use super::constants::*;
use super::error::{Refusal, es_error};
use super::guarded;
use super::handle::{self, es_report};
use super::out::{self, Arena, Out, Rows};
use super::status::*;
use crate::catalogue::{ListedState, RunListing};
use crate::retention::RetentionPlan;
use crate::store::BackendKind;
use crate::verifier::{DigestVerdict, Drift, Finding};

/// What an operation found and did, in numbers. Initialise with ES_REPORT_SUMMARY_INIT or
/// es_init_report_summary. What the operation does not tell is zero or empty.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_report_summary {
    /// sizeof(es_report_summary).
    pub struct_size: u32,
    /// Verify: ES_RUN_*, with ES_REPORT_HAS_STATUS.
    pub status: u32,
    /// Verify: ES_DIGEST_*.
    pub digest: u32,
    /// ES_REPORT_*.
    pub flags: u32,
    /// How many rows es_read_run_rows gives.
    pub rows: u64,
    /// How many es_read_findings gives.
    pub findings: u64,
    /// Verify, with ES_REPORT_HAS_HIGH_WATERMARK; salvage: of the new run.
    pub high_watermark: u64,
    /// Verify: entries that are whole. Salvage: entries copied. Retention: runs to delete, or
    /// deleted.
    pub entries: u64,
    /// Salvage: lifecycle entries, which are not copied.
    pub lifecycle: u64,
    /// Verify: the run. Salvage: the new run. Plan: the newest restore point. NUL-terminated.
    pub run_id: [c_char; 136],
    /// Recover: the newest recovered run. Salvage: the old run. NUL-terminated.
    pub parent_run_id: [c_char; 136],
    /// Plan: why nothing is proposed. Verify: why the digest is absent or not checked. UTF-8,
    /// NUL-terminated, cut at a character.
    pub reason: [c_char; 256],
    /// Zero.
    pub reserved: [u64; 2],
}

/// One run in a report. Texts are in the arena, UTF-8, NUL-terminated, the NUL not counted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_run_row {
    /// Where the run id starts; for what is no run, its name.
    pub run_id_offset: u64,
    /// Where the path starts.
    pub path_offset: u64,
    /// Where the parent's run id starts; length 0: none.
    pub parent_offset: u64,
    /// Where the reason starts; length 0: none.
    pub reason_offset: u64,
    /// Length of the run id.
    pub run_id_len: u32,
    /// Length of the path.
    pub path_len: u32,
    /// Length of the parent's run id.
    pub parent_len: u32,
    /// Length of the reason, which is for people.
    pub reason_len: u32,
    /// Length of the file, in bytes; 0 where the operation does not tell.
    pub bytes: u64,
    /// The largest entry, with ES_ROW_HAS_MANIFEST.
    pub high_watermark: u64,
    /// When it started, with ES_ROW_HAS_MANIFEST.
    pub start_ts_init: u64,
    /// Its largest ts_init, with ES_ROW_HAS_END.
    pub end_ts_init: u64,
    /// ES_OUTCOME_*.
    pub outcome: u32,
    /// ES_RUN_*, with ES_ROW_HAS_MANIFEST, or what ES_OUTCOME_SEALED sealed it as.
    pub status: u32,
    /// ES_BACKEND_*; 0 where the operation does not tell.
    pub backend: u32,
    /// ES_ROW_*.
    pub flags: u32,
}

/// One thing that is wrong with a run. Texts are in the arena, UTF-8, NUL-terminated, the NUL not
/// counted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_finding {
    /// ES_FINDING_*.
    pub kind: u32,
    /// ES_DRIFT_*, of ES_FINDING_INDEX_DRIFT.
    pub drift: u32,
    /// ES_INDEX_*, of ES_FINDING_INDEX_DRIFT.
    pub index_kind: u32,
    /// Length of the key.
    pub key_len: u32,
    /// The entry; of a gap the first missing; of an index drift the entry that the row names, or
    /// should name; 0: none.
    pub seq: u64,
    /// ES_FINDING_SEQ_MISMATCH: the seq inside the row. ES_FINDING_GAP: the last missing. Else 0.
    pub other_seq: u64,
    /// Where the key of an index drift starts.
    pub key_offset: u64,
    /// Where a line for people starts: what is wrong, found against expected.
    pub text_offset: u64,
    /// Its length.
    pub text_len: u32,
    /// Zero.
    pub reserved: u32,
}

/// What a page of a report holds. Initialise with ES_PAGE_RESULT_INIT or es_init_page_result.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_page_result {
    /// sizeof(es_page_result).
    pub struct_size: u32,
    /// 1: there are more: call again with from = from + rows.
    pub more: u32,
    /// How many rows were filled.
    pub rows: u64,
    /// How many bytes of the arena were used.
    pub arena_used: u64,
}

/// Fills a report summary with zeros and its size.
/// @param summary  caller's memory
/// @param size     sizeof(es_report_summary)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_report_summary(
    summary: *mut es_report_summary,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `summary` is the caller's memory of `size` bytes.
        unsafe { out::init(summary, size, |_| ()) }
    })
}

/// Fills a page result with zeros and its size.
/// @param result  caller's memory
/// @param size    sizeof(es_page_result)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_page_result(
    result: *mut es_page_result,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `result` is the caller's memory of `size` bytes.
        unsafe { out::init(result, size, |_| ()) }
    })
}

/// Gives the summary of a report.
/// @param report  the report
/// @param out     caller's memory, its struct_size set
/// @param err     filled on failure; may be NULL
/// @return ES_OK; ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
///         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_PANIC: free the report and report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_get_report_summary(
    report: *mut es_report,
    out: *mut es_report_summary,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: `out` is NULL or the caller's memory; nobody frees a handle that a call uses.
        unsafe {
            let report = handle::report(report)?;
            Out::sized("out", out)?.put(report.summary());
        }
        Ok(())
    })
}

/// Reads one page of a report's rows about runs: as many whole rows as fit all limits.
/// @param report     the report
/// @param from       the first row to give, from 0
/// @param rows       array of rows to fill; each element is written for its whole stride, the rest
///                   of it with zeros; unspecified beyond result->rows
/// @param stride     bytes from one row to the next, at least sizeof(es_run_row)
/// @param row_cap    how many rows it holds, at least 1
/// @param arena      receives the texts; NULL only with arena_cap 0; unspecified beyond
///                   result->arena_used
/// @param arena_cap  its size in bytes
/// @param result     caller's memory, its struct_size set
/// @param err        filled on failure; may be NULL
/// @return ES_OK, with 0 rows when there are none;
///         ES_ERR_BUFFER_TOO_SMALL: the first row needs err->required bytes of arena;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
///         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_PANIC: free the report and report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_read_run_rows(
    report: *mut es_report,
    from: u64,
    rows: *mut es_run_row,
    stride: usize,
    row_cap: usize,
    arena: *mut c_void,
    arena_cap: usize,
    result: *mut es_page_result,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let report = handle::report(report)?;
            let rows = Rows::new("rows", rows, stride, row_cap, 0)?;
            let arena = Arena::new("arena", arena, arena_cap)?;
            let result = Out::sized("result", result)?;
            let mut page = Page { rows, arena };
            result.put(page.fill(&report.rows, from, Page::run_row)?);
        }
        Ok(())
    })
}

/// Reads one page of a report's findings: as many whole ones as fit all limits.
/// @param report     the report
/// @param from       the first finding to give, from 0
/// @param rows       array of findings to fill; each element is written for its whole stride, the
///                   rest of it with zeros; unspecified beyond result->rows
/// @param stride     bytes from one to the next, at least sizeof(es_finding)
/// @param row_cap    how many it holds, at least 1
/// @param arena      receives the texts; NULL only with arena_cap 0; unspecified beyond
///                   result->arena_used
/// @param arena_cap  its size in bytes
/// @param result     caller's memory, its struct_size set
/// @param err        filled on failure; may be NULL
/// @return ES_OK, with 0 rows when there are none;
///         ES_ERR_BUFFER_TOO_SMALL: the first one needs err->required bytes of arena;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE,
///         ES_ERR_USED_AFTER_FORK: correct the call; ES_ERR_PANIC: free the report and report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_read_findings(
    report: *mut es_report,
    from: u64,
    rows: *mut es_finding,
    stride: usize,
    row_cap: usize,
    arena: *mut c_void,
    arena_cap: usize,
    result: *mut es_page_result,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let report = handle::report(report)?;
            let rows = Rows::new("rows", rows, stride, row_cap, 0)?;
            let arena = Arena::new("arena", arena, arena_cap)?;
            let result = Out::sized("result", result)?;
            let mut page = Page { rows, arena };
            result.put(page.fill(&report.findings, from, Page::finding)?);
        }
        Ok(())
    })
}

/// Frees a report. Does nothing for NULL, for a handle that is freed already or of another type,
/// and in a forked child. Must not run while another thread is in a call on it.
/// @param report  the report, or NULL
/// [one thread at a time per object] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn es_free_report(report: *mut es_report) {
    let _ = guarded!(std::ptr::null_mut(), {
        // SAFETY: the caller is in no other call on this handle.
        unsafe { handle::free_report(report) };
        Ok(())
    });
}

/// What a report handle stands for.
#[derive(Default)]
pub(super) struct Report {
    pub(super) numbers: Numbers,
    pub(super) rows: Vec<RunRow>,
    pub(super) findings: Vec<Finding>,
    /// Of es_plan_retention, for es_apply_retention.
    pub(super) plan: Option<RetentionPlan>,
}

/// The summary without its texts' shapes.
#[derive(Default)]
pub(super) struct Numbers {
    pub(super) status: u32,
    pub(super) digest: u32,
    pub(super) flags: u32,
    pub(super) high_watermark: u64,
    pub(super) entries: u64,
    pub(super) lifecycle: u64,
    pub(super) run_id: String,
    pub(super) parent_run_id: String,
    pub(super) reason: String,
}

/// A row about a run.
#[derive(Default)]
pub(super) struct RunRow {
    pub(super) run_id: String,
    pub(super) path: String,
    pub(super) parent: String,
    pub(super) reason: String,
    /// The numbers; offsets and lengths are filled in by the page.
    pub(super) row: Option<es_run_row>,
}

impl Report {
    fn summary(&self) -> es_report_summary {
        let numbers = &self.numbers;
        es_report_summary {
            struct_size: size_of::<es_report_summary>() as u32,
            status: numbers.status,
            digest: numbers.digest,
            flags: numbers.flags,
            rows: self.rows.len() as u64,
            findings: self.findings.len() as u64,
            high_watermark: numbers.high_watermark,
            entries: numbers.entries,
            lifecycle: numbers.lifecycle,
            run_id: fixed(&numbers.run_id),
            parent_run_id: fixed(&numbers.parent_run_id),
            reason: fixed(&numbers.reason),
            reserved: [0; 2],
        }
    }
}

/// A text in a field of fixed size, NUL-terminated, cut at a character.
fn fixed<const BYTES: usize>(text: &str) -> [c_char; BYTES] {
    let mut field = [0; BYTES];
    let mut end = text.len().min(BYTES - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    for (place, byte) in field.iter_mut().zip(&text.as_bytes()[..end]) {
        *place = *byte as c_char;
    }
    field
}

pub(super) const NO_NUMBERS: es_run_row = es_run_row {
    run_id_offset: 0,
    path_offset: 0,
    parent_offset: 0,
    reason_offset: 0,
    run_id_len: 0,
    path_len: 0,
    parent_len: 0,
    reason_len: 0,
    bytes: 0,
    high_watermark: 0,
    start_ts_init: 0,
    end_ts_init: 0,
    outcome: 0,
    status: 0,
    backend: 0,
    flags: 0,
};

/// A row about a run of a listing.
pub(super) fn listed(listing: &RunListing, outcome: u32) -> RunRow {
    let backend = match listing.backend {
        BackendKind::Redb => ES_BACKEND_REDB,
        BackendKind::Memory => ES_BACKEND_MEMORY,
        BackendKind::Log => ES_BACKEND_LOG,
    };
    let mut row = es_run_row { bytes: listing.bytes, backend, outcome, ..NO_NUMBERS };
    let (mut parent, mut reason) = (String::new(), String::new());
    match &listing.state {
        ListedState::Held => row.outcome = ES_OUTCOME_HELD,
        ListedState::Unreadable(error) => {
            row.outcome = ES_OUTCOME_UNREADABLE;
            reason = error.to_string();
        }
        ListedState::Summary(summary) => {
            let manifest = &summary.manifest;
            row.flags = ES_ROW_HAS_MANIFEST;
            row.status = manifest.status.code();
            row.high_watermark = summary.high_watermark;
            row.start_ts_init = manifest.start_ts_init;
            if let Some(end) = manifest.end_ts_init {
                (row.end_ts_init, row.flags) = (end, row.flags | ES_ROW_HAS_END);
            }
            if summary.needs_repair {
                row.flags |= ES_ROW_NEEDS_REPAIR;
            }
            parent = manifest.parent_run_id.clone().unwrap_or_default();
        }
    }
    let path = listing.path.to_string_lossy().into_owned();
    RunRow { run_id: listing.run_id.clone(), path, parent, reason, row: Some(row) }
}

/// How a digest fared, and why.
pub(super) fn digest_verdict(verdict: &DigestVerdict) -> (u32, String) {
    match verdict {
        DigestVerdict::Matches => (ES_DIGEST_MATCHES, String::new()),
        DigestVerdict::Differs => (ES_DIGEST_DIFFERS, String::new()),
        DigestVerdict::Absent { why } => (ES_DIGEST_ABSENT, why.clone()),
        DigestVerdict::NotChecked { why } => (ES_DIGEST_NOT_CHECKED, why.clone()),
    }
}

/// The caller's memory for a page, and how far it is filled.
struct Page {
    rows: Rows,
    arena: Arena,
}

impl Page {
    /// Fills in items from `from` on until a limit is met.
    fn fill<T>(
        &mut self,
        items: &[T],
        from: u64,
        put: impl Fn(&mut Self, &T) -> Result<(), usize>,
    ) -> Result<es_page_result, Refusal> {
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(items.len());
        for item in &items[from..] {
            if self.rows.is_full() {
                break;
            }
            match put(self, item) {
                Ok(()) => {}
                Err(required) if self.rows.used() == 0 => {
                    return Err(Refusal::TooSmall { field: "arena", required });
                }
                Err(_) => break,
            }
        }
        Ok(es_page_result {
            struct_size: size_of::<es_page_result>() as u32,
            more: u32::from(from + self.rows.used() < items.len()),
            rows: self.rows.used() as u64,
            arena_used: self.arena.used() as u64,
        })
    }

    /// Copies texts and answers where each starts; `Err` is the arena that they need.
    fn texts<const COUNT: usize>(&mut self, texts: [&str; COUNT]) -> Result<[u64; COUNT], usize> {
        let needed: usize = texts.iter().map(|text| text.len() + 1).sum();
        let end = self.arena.used() + needed;
        if end > self.arena.cap() {
            return Err(end);
        }
        Ok(texts.map(|text| {
            let offset = self.arena.used();
            self.arena.copy_text(offset, text);
            self.arena.set_used(offset + text.len() + 1);
            offset as u64
        }))
    }

    fn run_row(&mut self, item: &RunRow) -> Result<(), usize> {
        let texts = [&item.run_id, &item.path, &item.parent, &item.reason].map(String::as_str);
        let [run_id_offset, path_offset, parent_offset, reason_offset] = self.texts(texts)?;
        let [run_id_len, path_len, parent_len, reason_len] = texts.map(|text| text.len() as u32);
        self.rows.push(es_run_row {
            run_id_offset,
            path_offset,
            parent_offset,
            reason_offset,
            run_id_len,
            path_len,
            parent_len,
            reason_len,
            ..item.row.unwrap_or(NO_NUMBERS)
        });
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> Result<(), usize> {
        let key = match finding {
            Finding::IndexDrift { key, .. } => key.as_str(),
            _ => "",
        };
        let text = finding.to_string();
        let [key_offset, text_offset] = self.texts([key, &text])?;
        let row = es_finding {
            kind: kind_of(finding),
            drift: ES_DRIFT_NONE,
            index_kind: 0,
            key_len: key.len() as u32,
            seq: 0,
            other_seq: 0,
            key_offset,
            text_offset,
            text_len: text.len() as u32,
            reserved: 0,
        };
        self.rows.push(match finding {
            Finding::HashMismatch { seq } | Finding::Undecodable { seq, .. } => {
                es_finding { seq: *seq, ..row }
            }
            Finding::SeqMismatch { table_key, embedded_seq } => {
                es_finding { seq: *table_key, other_seq: *embedded_seq, ..row }
            }
            Finding::Gap { from, to } => es_finding { seq: *from, other_seq: *to, ..row },
            Finding::IndexDrift { kind, target, drift, .. } => es_finding {
                seq: target.unwrap_or(0),
                drift: drift_code(*drift),
                index_kind: u32::from(kind.code()),
                ..row
            },
            _ => row,
        });
        Ok(())
    }
}

fn kind_of(finding: &Finding) -> u32 {
    match finding {
        Finding::HashMismatch { .. } => ES_FINDING_HASH_MISMATCH,
        Finding::SeqMismatch { .. } => ES_FINDING_SEQ_MISMATCH,
        Finding::Undecodable { .. } => ES_FINDING_UNDECODABLE,
        Finding::Gap { .. } => ES_FINDING_GAP,
        Finding::IndexDrift { .. } => ES_FINDING_INDEX_DRIFT,
        Finding::ManifestMismatch { .. } => ES_FINDING_MANIFEST_MISMATCH,
        Finding::AnchorInvalid { .. } => ES_FINDING_ANCHOR_INVALID,
        Finding::DigestMismatch { .. } => ES_FINDING_DIGEST_MISMATCH,
        Finding::Damaged { .. } => ES_FINDING_DAMAGED,
    }
}

fn drift_code(drift: Drift) -> u32 {
    match drift {
        Drift::Dangling => ES_DRIFT_DANGLING,
        Drift::Corrupted => ES_DRIFT_CORRUPTED,
        Drift::Wrong => ES_DRIFT_WRONG,
        Drift::Missing => ES_DRIFT_MISSING,
    }
}
