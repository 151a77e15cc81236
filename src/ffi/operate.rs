//! Operations over the runs of an instance: list, recover, verify, salvage, retain.
//!
//! Each converts its arguments, calls the operation and puts what it answered into a report.
//! How reports are read: `report`.

use std::ffi::c_char;
use std::path::Path;

use super::args;
use super::constants::*;
use super::error::{Refusal, es_error};
use super::guarded;
use super::handle::{self, es_report};
use super::open::digest_key;
use super::out;
use super::report::{NO_NUMBERS, Numbers, Report, RunRow, digest_verdict, es_run_row, listed};
use super::status::*;
use crate::catalogue::list_runs;
use crate::limits::{ID_BYTES_MAX, THREADS_MAX};
use crate::recovery::{Outcome, RecoveredRun, RecoveryOptions, recover};
use crate::retention::{Keep, RetentionPlan, apply_retention, plan_retention};
use crate::salvage::{SalvageOptions, salvage_run};
use crate::verifier::{VerifyOptions, verify_run};

/// How an operation is done. Zero always means the default. Initialise with
/// ES_OPERATION_OPTIONS_INIT or es_init_operation_options.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_operation_options {
    /// sizeof(es_operation_options).
    pub struct_size: u32,
    /// ES_ABI_VERSION, as the program was compiled.
    pub abi_version: u32,
    /// ES_OPERATION_*, those that the call names.
    pub flags: u32,
    /// es_verify_run: how many threads read and check the run, the caller's among them; 0: as many
    /// as there are processors that the process may use; at most 1,024. Other calls: 0.
    pub threads: u32,
    /// Memory for pages, in bytes; 0: 32 MiB, salvage 16 MiB for each of its two runs.
    pub cache_bytes: u64,
    /// With ES_OPERATION_DIGEST_KEY: the key of the run digest; never stored.
    pub digest_key: [u8; 32],
    /// With ES_OPERATION_EXPECTED_DIGEST: the digest that was kept when the run was closed.
    pub expected_digest: [u8; 32],
    /// Zero.
    pub reserved: [u64; 4],
}

/// Fills operation options with the defaults and their size.
/// @param options  caller's memory
/// @param size     sizeof(es_operation_options)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_operation_options(
    options: *mut es_operation_options,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `options` is the caller's memory of `size` bytes.
        unsafe { out::init(options, size, |options| options.abi_version = ES_ABI_VERSION) }
    })
}

/// Lists the runs of an instance by start_ts_init and run id, in whatever state they are; those
/// that are held or not readable come last. Reads a few pages a run, but the whole of a run that
/// needs repair. Rows: ES_OUTCOME_LISTED, ES_OUTCOME_HELD, ES_OUTCOME_UNREADABLE.
/// @param base             directory of all instances, UTF-8
/// @param base_len         its length in bytes, or ES_NTS; at most 4,095
/// @param instance_id      the instance
/// @param instance_id_len  its length in bytes, or ES_NTS
/// @param out              receives the report, to be freed with es_free_report; NULL on failure
/// @param err              filled on failure; may be NULL
/// @return ES_OK; ES_ERR_NOT_FOUND: no such instance;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_NULL_POINTER: correct what err
///         names; ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
///         ES_ERR_PANIC: report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_list_runs(
    base: *const c_char,
    base_len: usize,
    instance_id: *const c_char,
    instance_id_len: usize,
    out: *mut *mut es_report,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands.
        unsafe {
            out::clear_handle("out", out)?;
            let base = args::path("base", base, base_len)?;
            let instance = args::text("instance_id", instance_id, instance_id_len, ID_BYTES_MAX)?;
            let listings = list_runs(Path::new(base), instance)?;
            let rows = listings.iter().map(|run| listed(run, ES_OUTCOME_LISTED)).collect();
            out::put(out, handle::give_report(Report { rows, ..Report::default() })?);
        }
        Ok(())
    })
}

/// Sweeps an instance whose engine died: seals each run that was left, closes what was sealed and
/// not closed, moves temporary names aside, and reports what is damaged or no run without touching
/// it. summary.parent_run_id is the newest run that is sealed ES_RUN_CRASHED_RECOVERED; one that is
/// newer and sealed ES_RUN_ENDED, which es_list_runs tells, is the better parent. A row for each
/// name that needed attention. Killed and called again, it reaches the same end.
/// @param base             directory of all instances, UTF-8
/// @param base_len         its length in bytes, or ES_NTS; at most 4,095
/// @param instance_id      the instance
/// @param instance_id_len  its length in bytes, or ES_NTS
/// @param options          NULL: the defaults. ES_OPERATION_DRY_RUN, ES_OPERATION_DIGEST_KEY
/// @param out              receives the report, to be freed with es_free_report; NULL on failure
/// @param err              filled on failure; may be NULL
/// @return ES_OK, whatever is wrong with single runs: look at the rows;
///         ES_ERR_LOCKED: a writer lives, or another process recovers: try again later;
///         ES_ERR_NOT_FOUND: no such instance: nothing was ever written;
///         ES_ERR_UNSUPPORTED: the file system has no locks;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
///         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
///         ES_ERR_PANIC: report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_recover(
    base: *const c_char,
    base_len: usize,
    instance_id: *const c_char,
    instance_id_len: usize,
    options: *const es_operation_options,
    out: *mut *mut es_report,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands.
        unsafe {
            out::clear_handle("out", out)?;
            let known = ES_OPERATION_DRY_RUN | ES_OPERATION_DIGEST_KEY;
            let given = operation_options(options, known)?.without_threads()?;
            let base = args::path("base", base, base_len)?;
            let instance = args::text("instance_id", instance_id, instance_id_len, ID_BYTES_MAX)?;
            let defaults = RecoveryOptions::default();
            let swept = recover(
                Path::new(base),
                instance,
                RecoveryOptions {
                    dry_run: given.flags & ES_OPERATION_DRY_RUN != 0,
                    digest_key: given.digest_key,
                    cache_bytes: given.cache_bytes.unwrap_or(defaults.cache_bytes),
                    progress: None,
                },
            )?;
            let parent_run_id = swept.parent_run_id.unwrap_or_default();
            let rows = swept.runs.into_iter().map(recovered).collect();
            let numbers = Numbers { parent_run_id, ..Numbers::default() };
            out::put(out, handle::give_report(Report { numbers, rows, ..Report::default() })?);
        }
        Ok(())
    })
}

/// Reads a sealed run whole and reports everything that is wrong with it as findings; the file is
/// never written. summary.flags has ES_REPORT_CLEAN when there are none. Damage is a finding: the
/// call then answers ES_OK.
/// @param path      the run's file, or its directory (log backend), UTF-8
/// @param path_len  its length in bytes, or ES_NTS; at most 4,095
/// @param options   NULL: the defaults. ES_OPERATION_DIGEST_KEY, ES_OPERATION_EXPECTED_DIGEST
/// @param out       receives the report, to be freed with es_free_report; NULL on failure
/// @param err       filled on failure; may be NULL
/// @return ES_OK: look at the findings;
///         ES_ERR_NOT_SEALED: recover it first; ES_ERR_NOT_FOUND: no such file;
///         ES_ERR_LOCKED: it is being written or recovered: try again later;
///         ES_ERR_CORRUPTED: it is no run; ES_ERR_UNSUPPORTED_FORMAT: use a library that knows it;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
///         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
///         ES_ERR_PANIC: report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_verify_run(
    path: *const c_char,
    path_len: usize,
    options: *const es_operation_options,
    out: *mut *mut es_report,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands.
        unsafe {
            out::clear_handle("out", out)?;
            let known = ES_OPERATION_DIGEST_KEY | ES_OPERATION_EXPECTED_DIGEST;
            let given = operation_options(options, known)?;
            let path = args::path("path", path, path_len)?;
            let defaults = VerifyOptions::default();
            let verified = verify_run(
                Path::new(path),
                VerifyOptions {
                    expected_digest: given.expected_digest,
                    digest_key: given.digest_key,
                    cache_bytes: given.cache_bytes.unwrap_or(defaults.cache_bytes),
                    threads: given.threads,
                    progress: None,
                },
            )?;
            let (digest, reason) = digest_verdict(&verified.digest);
            let flag = |set: bool, flag: u32| if set { flag } else { 0 };
            let numbers = Numbers {
                status: verified.status.map_or(0, |status| status.code()),
                digest,
                flags: flag(verified.status.is_some(), ES_REPORT_HAS_STATUS)
                    | flag(verified.high_watermark.is_some(), ES_REPORT_HAS_HIGH_WATERMARK)
                    | flag(verified.is_clean(), ES_REPORT_CLEAN),
                high_watermark: verified.high_watermark.unwrap_or(0),
                entries: verified.entries_scanned,
                run_id: verified.run_id.unwrap_or_default(),
                reason,
                ..Numbers::default()
            };
            let findings = verified.findings;
            out::put(out, handle::give_report(Report { numbers, findings, ..Report::default() })?);
        }
        Ok(())
    })
}

/// Copies the good rows of a quarantined or damaged run into a new run, with new seqs, sealed
/// ES_RUN_CRASHED_RECOVERED, that names the old one as its parent. One row: the new run. Findings:
/// what was lost. The old file is never written; when the call fails, no new run is left.
/// @param path             the old run's file or directory, UTF-8
/// @param path_len         its length in bytes, or ES_NTS; at most 4,095
/// @param base             directory of all instances, UTF-8
/// @param base_len         its length in bytes, or ES_NTS; at most 4,095
/// @param instance_id      the instance of the new run
/// @param instance_id_len  its length in bytes, or ES_NTS
/// @param run_id           the new run
/// @param run_id_len       its length in bytes, or ES_NTS
/// @param options          NULL: the defaults. ES_OPERATION_DIGEST_KEY: of the new run's digest
/// @param out              receives the report, to be freed with es_free_report; NULL on failure
/// @param err              filled on failure; may be NULL
/// @return ES_OK: look at the findings;
///         ES_ERR_NOT_SEALED: the old run is sound: recover it;
///         ES_ERR_LOCKED: a run is being written or recovered: try again later;
///         ES_ERR_ALREADY_EXISTS, ES_ERR_CRASHED_PREDECESSOR: choose another run_id;
///         ES_ERR_NOT_FOUND: no such file; ES_ERR_CORRUPTED: nothing can be read;
///         ES_ERR_UNSUPPORTED_FORMAT: use a library that knows it;
///         ES_ERR_UNSUPPORTED: the file system has no locks;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
///         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
///         ES_ERR_PANIC: report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_salvage_run(
    path: *const c_char,
    path_len: usize,
    base: *const c_char,
    base_len: usize,
    instance_id: *const c_char,
    instance_id_len: usize,
    run_id: *const c_char,
    run_id_len: usize,
    options: *const es_operation_options,
    out: *mut *mut es_report,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands.
        unsafe {
            out::clear_handle("out", out)?;
            let given = operation_options(options, ES_OPERATION_DIGEST_KEY)?.without_threads()?;
            let path = args::path("path", path, path_len)?;
            let base = args::path("base", base, base_len)?;
            let instance = args::text("instance_id", instance_id, instance_id_len, ID_BYTES_MAX)?;
            let run_id = args::text("run_id", run_id, run_id_len, ID_BYTES_MAX)?;
            let defaults = SalvageOptions::default();
            let options = SalvageOptions {
                digest_key: given.digest_key,
                cache_bytes: given.cache_bytes.unwrap_or(defaults.cache_bytes),
                progress: None,
            };
            let saved = salvage_run(Path::new(path), Path::new(base), instance, run_id, options)?;
            let row = es_run_row {
                outcome: ES_OUTCOME_SEALED,
                status: ES_RUN_CRASHED_RECOVERED,
                high_watermark: saved.high_watermark,
                ..NO_NUMBERS
            };
            let rows = vec![RunRow {
                run_id: saved.run_id.clone(),
                path: saved.path.to_string_lossy().into_owned(),
                row: Some(row),
                ..RunRow::default()
            }];
            let numbers = Numbers {
                high_watermark: saved.high_watermark,
                entries: saved.copied,
                lifecycle: saved.lifecycle,
                run_id: saved.run_id,
                parent_run_id: saved.parent_run_id.unwrap_or_default(),
                ..Numbers::default()
            };
            let report = Report { numbers, rows, findings: saved.lost, plan: None };
            out::put(out, handle::give_report(report)?);
        }
        Ok(())
    })
}

/// Proposes which sealed runs may be deleted; deletes nothing. A plan always keeps a restore
/// point: a sealed run, not quarantined, whose anchor covers an entry that is there. Rows:
/// ES_OUTCOME_KEPT with the reason, then ES_OUTCOME_TO_DELETE, oldest first. summary.entries is
/// how many would go, summary.reason why none would, summary.run_id the restore point.
/// @param base             directory of all instances, UTF-8
/// @param base_len         its length in bytes, or ES_NTS; at most 4,095
/// @param instance_id      the instance
/// @param instance_id_len  its length in bytes, or ES_NTS
/// @param keep             ES_KEEP_*
/// @param keep_count       with ES_KEEP_LAST: how many of the newest; else 0
/// @param out              receives the report, for es_apply_retention and to be freed with
///                         es_free_report; NULL on failure
/// @param err              filled on failure; may be NULL
/// @return ES_OK; ES_ERR_NOT_FOUND: no such instance;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_NULL_POINTER: correct what err
///         names; ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
///         ES_ERR_PANIC: report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_plan_retention(
    base: *const c_char,
    base_len: usize,
    instance_id: *const c_char,
    instance_id_len: usize,
    keep: u32,
    keep_count: u64,
    out: *mut *mut es_report,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands.
        unsafe {
            out::clear_handle("out", out)?;
            let keep = match (keep, keep_count) {
                (ES_KEEP_FULL, 0) => Keep::Full,
                (ES_KEEP_LAST, count) => Keep::Last(count),
                (ES_KEEP_ANCHORED, 0) => Keep::Anchored,
                (ES_KEEP_FULL | ES_KEEP_ANCHORED, _) => {
                    return Err(Refusal::invalid("keep_count", "only ES_KEEP_LAST counts runs"));
                }
                (other, _) => return Err(args::unknown("keep", other)),
            };
            let base = args::path("base", base, base_len)?;
            let instance = args::text("instance_id", instance_id, instance_id_len, ID_BYTES_MAX)?;
            let plan = plan_retention(Path::new(base), instance, keep)?;
            out::put(out, handle::give_report(planned(plan))?);
        }
        Ok(())
    })
}

/// Deletes what a plan proposes, durably, as far as it is still so: each run is looked at once
/// more under its lock, and one that anybody reads is skipped. Rows: ES_OUTCOME_DELETED,
/// ES_OUTCOME_SKIPPED with the reason. summary.entries is how many were deleted.
/// @param base             directory of all instances, UTF-8
/// @param base_len         its length in bytes, or ES_NTS; at most 4,095
/// @param instance_id      the instance that was planned for
/// @param instance_id_len  its length in bytes, or ES_NTS
/// @param plan             a report of es_plan_retention; stays the caller's
/// @param out              receives the report, to be freed with es_free_report; NULL on failure
/// @param err              filled on failure; may be NULL
/// @return ES_OK: look at the rows;
///         ES_ERR_INVALID_ARGUMENT: also when plan is a report of another call;
///         ES_ERR_INVALID_UTF8, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
///         correct what err names; ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_PANIC: report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_apply_retention(
    base: *const c_char,
    base_len: usize,
    instance_id: *const c_char,
    instance_id_len: usize,
    plan: *mut es_report,
    out: *mut *mut es_report,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            out::clear_handle("out", out)?;
            let base = args::path("base", base, base_len)?;
            let instance = args::text("instance_id", instance_id, instance_id_len, ID_BYTES_MAX)?;
            let Some(plan) = &handle::report(plan)?.plan else {
                return Err(Refusal::invalid("report", "is not of es_plan_retention"));
            };
            let done = apply_retention(Path::new(base), instance, plan)?;
            let row = |run_id: String, outcome: u32, reason: String| RunRow {
                run_id,
                reason,
                row: Some(es_run_row { outcome, ..NO_NUMBERS }),
                ..RunRow::default()
            };
            let entries = done.deleted.len() as u64;
            let deleted = done.deleted.into_iter();
            let skipped = done.skipped.into_iter();
            let rows = deleted
                .map(|run_id| row(run_id, ES_OUTCOME_DELETED, String::new()))
                .chain(skipped.map(|(run_id, why)| row(run_id, ES_OUTCOME_SKIPPED, why)))
                .collect();
            let numbers = Numbers { entries, ..Numbers::default() };
            out::put(out, handle::give_report(Report { numbers, rows, ..Report::default() })?);
        }
        Ok(())
    })
}

/// Options of an operation, read.
struct GivenOptions {
    flags: u32,
    threads: usize,
    cache_bytes: Option<usize>,
    digest_key: Option<[u8; 32]>,
    expected_digest: Option<[u8; 32]>,
}

impl GivenOptions {
    /// For a call that works with one thread.
    fn without_threads(self) -> Result<Self, Refusal> {
        args::reserved("options.threads", &[self.threads as u64])?;
        Ok(self)
    }
}

/// # Safety
/// `options` is NULL or the caller's operation options.
unsafe fn operation_options(
    options: *const es_operation_options,
    known_flags: u32,
) -> Result<GivenOptions, Refusal> {
    if options.is_null() {
        let (digest_key, expected_digest) = (None, None);
        let (flags, threads, cache_bytes) = (0, 0, None);
        return Ok(GivenOptions { flags, threads, cache_bytes, digest_key, expected_digest });
    }
    // SAFETY: handed down from the caller.
    let given: es_operation_options = unsafe { args::required("options", options) }?;
    args::check_abi(given.abi_version)?;
    args::known_flags("options.flags", given.flags, known_flags)?;
    args::reserved("options.reserved", &given.reserved)?;
    let expects = given.flags & ES_OPERATION_EXPECTED_DIGEST != 0;
    if !expects && given.expected_digest != [0; 32] {
        let reason = "holds a digest, but flags lack ES_OPERATION_EXPECTED_DIGEST";
        return Err(Refusal::invalid("options.expected_digest", reason));
    }
    let cache_bytes = usize::try_from(given.cache_bytes).unwrap_or(usize::MAX);
    if given.cache_bytes != 0 && !(CACHE_BYTES_MIN..=CACHE_BYTES_MAX).contains(&cache_bytes) {
        let reason =
            format!("{cache_bytes}, allowed are {CACHE_BYTES_MIN} to {CACHE_BYTES_MAX}, or 0");
        return Err(Refusal::invalid("options.cache_bytes", reason));
    }
    let threads = given.threads as usize;
    if threads > THREADS_MAX {
        let reason = format!("{threads}, allowed are 1 to {THREADS_MAX}, or 0");
        return Err(Refusal::invalid("options.threads", reason));
    }
    Ok(GivenOptions {
        flags: given.flags,
        threads,
        cache_bytes: Some(cache_bytes).filter(|&bytes| bytes > 0),
        digest_key: digest_key(given.flags & ES_OPERATION_DIGEST_KEY != 0, &given.digest_key)?,
        expected_digest: expects.then_some(given.expected_digest),
    })
}

/// Memory for pages that an operation may be given, in bytes.
const CACHE_BYTES_MIN: usize = 1 << 20;
const CACHE_BYTES_MAX: usize = 1 << 40;

fn recovered(run: RecoveredRun) -> RunRow {
    let (outcome, status) = match run.outcome {
        Outcome::SealedAs(status) => (ES_OUTCOME_SEALED, status.code()),
        Outcome::Repaired => (ES_OUTCOME_REPAIRED, 0),
        Outcome::Damaged => (ES_OUTCOME_DAMAGED, 0),
        Outcome::Held => (ES_OUTCOME_HELD, 0),
        Outcome::MovedAside => (ES_OUTCOME_MOVED_ASIDE, 0),
        Outcome::Unreadable => (ES_OUTCOME_UNREADABLE, 0),
        Outcome::Postponed => (ES_OUTCOME_POSTPONED, 0),
    };
    RunRow {
        run_id: run.run_id,
        path: run.path.to_string_lossy().into_owned(),
        parent: String::new(),
        reason: run.reason.unwrap_or_default(),
        row: Some(es_run_row { outcome, status, ..NO_NUMBERS }),
    }
}

fn planned(plan: RetentionPlan) -> Report {
    let kept = plan.kept.iter().map(|kept| RunRow {
        run_id: kept.run_id.clone(),
        reason: kept.why.to_string(),
        row: Some(es_run_row { outcome: ES_OUTCOME_KEPT, ..NO_NUMBERS }),
        ..RunRow::default()
    });
    let deleted = plan.delete.iter().map(|run| listed(run, ES_OUTCOME_TO_DELETE));
    let rows = kept.chain(deleted).collect();
    let numbers = Numbers {
        entries: plan.delete.len() as u64,
        run_id: plan.restore_point.clone().unwrap_or_default(),
        reason: plan.reason.clone().unwrap_or_default(),
        ..Numbers::default()
    };
    Report { numbers, rows, findings: Vec::new(), plan: Some(plan) }
}
