//! Opening: runs for writing, and readers of live, sealed and crashed runs.
//!
//! Turns C options into the store's and hands out handles. What an option means, and which name
//! may be opened, is `store`'s to decide.

use std::ffi::{c_char, c_void};
use std::path::Path;

use super::args;
use super::constants::*;
use super::error::{Refusal, es_error};
use super::handle::{self, es_reader, es_run};
use super::status::*;
use super::{close, guarded, manifest, out};
use crate::limits::ID_BYTES_MAX;
use crate::reader::Reader;
use crate::store::{self, BackendKind, Durability, OpenOptions, ReaderOptions};
use crate::writer::WaitPolicy;

/// Told once, when a run halts: the first reason's status and the operating system's number.
/// It runs on the thread that noticed, inside its call or on the store's own thread, must return
/// soon, and may call es_get_run_state only; any other call on that run answers ES_ERR_BUSY, and
/// es_free_run does nothing. It may run before es_open_run has returned. It must not unwind or
/// longjmp out.
pub type es_halt_fn =
    Option<unsafe extern "C" fn(context: *mut c_void, status: es_status, os_errno: i32)>;

/// How es_open_run opens a run. Zero always means the default. Initialise with
/// ES_OPEN_OPTIONS_INIT or es_init_open_options.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_open_options {
    /// sizeof(es_open_options).
    pub struct_size: u32,
    /// ES_ABI_VERSION; 0 or another major version answers ES_ERR_ABI_MISMATCH.
    pub abi_version: u32,
    /// ES_OPEN_*.
    pub flags: u32,
    /// ES_BACKEND_*; 0: redb.
    pub backend: u32,
    /// ES_DURABILITY_*; 0: two phase.
    pub durability: u32,
    /// ES_WAIT_*; 0: timed.
    pub wait_policy: u32,
    /// The CPU to bind the writer thread to, plus 1; 0: none. One that is not there, or that the
    /// process may not use, leaves the thread unbound: a run opens on a smaller machine too.
    pub writer_cpu: u32,
    /// Zero.
    pub reserved0: u32,
    /// The page cache of redb, in bytes; 0: 2 MiB, with which commits are fastest. A larger one helps
    /// whoever reads single entries of this run while it is being written.
    pub cache_bytes: u64,
    /// Room of the queue in entries; 0: 65,536.
    pub queue_entries: u64,
    /// Room of the queue in bytes; 0: 64 MiB. An empty queue admits one claim of any legal size.
    pub queue_bytes: u64,
    /// Most entries of one commit; 0: 8,192. A batch is never split.
    pub group_entries: u64,
    /// Most bytes of one commit; 0: 1 MiB. A batch is never split.
    pub group_bytes: u64,
    /// How long a commit waits for more entries, in nanoseconds; 0: not at all.
    pub group_linger_ns: u64,
    /// A full queue and no commit for so long halts the run, in nanoseconds; 0: 250 ms,
    /// ES_FOREVER: never.
    pub halt_after_ns: u64,
    /// How long the writer stays hot after a submit, in nanoseconds; 0: 100 ms. While it is hot,
    /// a submit makes no system call.
    pub hot_ns: u64,
    /// Called once if the run halts; NULL: nobody.
    pub on_halt: es_halt_fn,
    /// Handed to on_halt; must stay valid until es_close_run has answered ES_OK, or for as long
    /// as the process lives.
    pub on_halt_context: *mut c_void,
    /// With ES_OPEN_DIGEST_KEY: the key of the run digest. Copied; never stored.
    pub digest_key: [u8; 32],
    /// Zero.
    pub reserved1: [u64; 4],
}

/// How a run is opened for reading. Zero always means the default. Initialise with
/// ES_READER_OPTIONS_INIT or es_init_reader_options.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_reader_options {
    /// sizeof(es_reader_options).
    pub struct_size: u32,
    /// ES_ABI_VERSION; 0 or another major version answers ES_ERR_ABI_MISMATCH.
    pub abi_version: u32,
    /// ES_READ_*.
    pub flags: u32,
    /// Zero.
    pub reserved0: u32,
    /// The backend's page cache, in bytes; 0: 64 MiB.
    pub cache_bytes: u64,
    /// With ES_READ_DIGEST_KEY: the key of the run digest. Copied; never stored.
    pub digest_key: [u8; 32],
    /// Zero.
    pub reserved: [u64; 4],
}

/// Fills open options with their defaults.
/// @param options  caller's memory
/// @param size     sizeof(es_open_options)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_open_options(
    options: *mut es_open_options,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `options` is the caller's memory of `size` bytes.
        unsafe { out::init(options, size, |fresh| fresh.abi_version = ES_ABI_VERSION) }
    })
}

/// Fills reader options with their defaults.
/// @param options  caller's memory
/// @param size     sizeof(es_reader_options)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_reader_options(
    options: *mut es_reader_options,
    size: usize,
) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `options` is the caller's memory of `size` bytes.
        unsafe { out::init(options, size, |fresh| fresh.abi_version = ES_ABI_VERSION) }
    })
}

/// Creates a run and starts its writer. When it returns ES_OK the run is on stable storage under
/// `<base>/<instance_id>/<run_id>.redb` (the log backend: `.eslog/`), with no entries. An existing
/// name is never changed.
/// @param base      directory of all instances, UTF-8; made if missing; the memory backend ignores it
/// @param base_len  its length in bytes, or ES_NTS; at most 4,095
/// @param manifest  what the run says of itself, copied: status ES_RUN_RUNNING, no high-watermark,
///                  no end
/// @param options   NULL: the defaults. A stall of 250 ms with a full queue halts the run unless
///                  halt_after_ns says otherwise: set it on purpose
/// @param out       receives the run, to be freed with es_free_run; NULL on failure
/// @param err       filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_LOCKED: another process writes this instance or recovers it: stop it, try again;
///         ES_ERR_ALREADY_EXISTS: choose another run id;
///         ES_ERR_CRASHED_PREDECESSOR: read and seal it with es_open_crashed_run, or choose
///         another run id;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
///         ES_ERR_UNSUPPORTED: the file system has no locks;
///         ES_ERR_CORRUPTED, ES_ERR_UNSUPPORTED_FORMAT: a file of this name is no run: move it away;
///         ES_ERR_NOT_FOUND, ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno: correct the
///         directory, free space, raise RLIMIT_MEMLOCK (ES_OPEN_LOCK_MEMORY) or the limit on
///         threads, or report it. Where the disk failed at the flush of the directory or at the
///         entry of ES_OPEN_RUN_STARTED, a run is left for es_open_crashed_run; else none is;
///         ES_ERR_OUT_OF_MEMORY: free memory or ask for a smaller queue; ES_ERR_PANIC: report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_open_run(
    base: *const c_char,
    base_len: usize,
    manifest: *const manifest::es_manifest,
    options: *const es_open_options,
    out: *mut *mut es_run,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands.
        unsafe {
            out::clear_handle("out", out)?;
            let options = match options.is_null() {
                true => OpenOptions::default(),
                false => convert_open(&args::required("options", options)?)?,
            };
            let manifest = manifest::read("manifest", manifest)?;
            let base = match options.backend {
                BackendKind::Memory => "",
                BackendKind::Redb | BackendKind::Log => args::path("base", base, base_len)?,
            };
            let run = store::open_run(Path::new(base), &manifest, options)?;
            out::put(out, handle::give_run(run)?);
        }
        Ok(())
    })
}

/// Opens a sealed run for reading. The file is never written to.
/// @param path      the run's file, or its directory (log backend), UTF-8
/// @param path_len  its length in bytes, or ES_NTS; at most 4,095
/// @param options   NULL: the defaults
/// @param out       receives the reader, to be freed with es_free_reader; NULL on failure
/// @param err       filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_NOT_SEALED: recover it, or read it with es_open_crashed_run;
///         ES_ERR_LOCKED: it is being written or recovered: try again later;
///         ES_ERR_NOT_FOUND: no such file; ES_ERR_CORRUPTED: keep a copy, verify or salvage it;
///         ES_ERR_UNSUPPORTED_FORMAT: use a library that knows the format;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
///         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
///         ES_ERR_PANIC: report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_open_sealed_run(
    path: *const c_char,
    path_len: usize,
    options: *const es_reader_options,
    out: *mut *mut es_reader,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands.
        unsafe {
            out::clear_handle("out", out)?;
            let options = reader_options(options)?;
            let path = args::path("path", path, path_len)?;
            let reader = store::open_sealed_run(Path::new(path), &options)?;
            out::put(out, handle::give_reader(reader)?);
        }
        Ok(())
    })
}

/// Opens a run for reading while another process may be writing it. Each call on the reader sees what
/// was acknowledged up to a moment before, and es_wait_tail waits for more and for the seal. The run
/// is never written to and the writer neither held up nor locked out; nor is recovery. Until the
/// reader is freed nobody deletes the run. A sealed run opens as with es_open_sealed_run. Of the log
/// backend alone: a redb run is read within the process that writes it, with es_open_reader, until it
/// is sealed.
/// @param path      the run's directory (log backend) or file, UTF-8
/// @param path_len  its length in bytes, or ES_NTS; at most 4,095
/// @param options   NULL: the defaults. ES_READ_CHECK is for sealed runs
/// @param out       receives the reader, to be freed with es_free_reader; NULL on failure
/// @param err       filled on failure; may be NULL
/// @return ES_OK, also when its writer is gone: es_wait_tail says so;
///         ES_ERR_UNSUPPORTED: a redb run that is being written or recovered: wait until it is
///         sealed; or ES_READ_CHECK and the run is not sealed: leave it out;
///         ES_ERR_NOT_SEALED: a redb run that was left: recover it;
///         ES_ERR_LOCKED: it is being deleted; ES_ERR_NOT_FOUND: no such run;
///         ES_ERR_CORRUPTED: what was acknowledged is damaged or missing: verify or salvage it once
///         it is sealed; ES_ERR_UNSUPPORTED_FORMAT: use a library that knows the format;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
///         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
///         ES_ERR_PANIC: report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_open_live_run(
    path: *const c_char,
    path_len: usize,
    options: *const es_reader_options,
    out: *mut *mut es_reader,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands.
        unsafe {
            out::clear_handle("out", out)?;
            let options = reader_options(options)?;
            let path = args::path("path", path, path_len)?;
            let reader = store::open_live_run(Path::new(path), &options)?;
            out::put(out, handle::give_reader(reader)?);
        }
        Ok(())
    })
}

/// Opens a run whose process died, for reading and es_seal_run. Takes the instance's lock until
/// the reader is freed. A redb run is checked whole, then its structure is repaired; one that cannot
/// be repaired is left unchanged. A log run is opened at its end, whatever its length: damage before
/// that is told by whoever reads there, es_seal_run among them. A run that is sealed already opens
/// too; es_seal_run then answers ES_ERR_CLOSED.
/// @param base             directory of all instances, UTF-8
/// @param base_len         its length in bytes, or ES_NTS; at most 4,095
/// @param instance_id      the instance
/// @param instance_id_len  its length in bytes, or ES_NTS
/// @param run_id           the run
/// @param run_id_len       its length in bytes, or ES_NTS
/// @param options          NULL: the defaults. A keyed run needs its key for the digest at seal
/// @param out              receives the reader, to be freed with es_free_reader; NULL on failure
/// @param err              filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_LOCKED: its writer lives, or another process recovers it: try again later;
///         ES_ERR_NOT_FOUND: no such run; ES_ERR_CORRUPTED: keep a copy, verify or salvage it;
///         ES_ERR_UNSUPPORTED_FORMAT: use a library that knows the format;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_ABI_MISMATCH, ES_ERR_NULL_POINTER: correct what err names;
///         ES_ERR_UNSUPPORTED: the file system has no locks;
///         ES_ERR_DISK, ES_ERR_BACKEND: see err->os_errno; ES_ERR_OUT_OF_MEMORY: free memory;
///         ES_ERR_PANIC: report it.
/// [any thread] [blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_open_crashed_run(
    base: *const c_char,
    base_len: usize,
    instance_id: *const c_char,
    instance_id_len: usize,
    run_id: *const c_char,
    run_id_len: usize,
    options: *const es_reader_options,
    out: *mut *mut es_reader,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands.
        unsafe {
            out::clear_handle("out", out)?;
            let options = reader_options(options)?;
            let base = args::path("base", base, base_len)?;
            let instance = args::text("instance_id", instance_id, instance_id_len, ID_BYTES_MAX)?;
            let run = args::text("run_id", run_id, run_id_len, ID_BYTES_MAX)?;
            let reader = store::open_crashed_run(Path::new(base), instance, run, &options)?;
            out::put(out, handle::give_reader(reader)?);
        }
        Ok(())
    })
}

/// Gives a reader of a run that this process writes or has closed. It sees each entry as soon as
/// it is durable, keeps working after the run is closed and freed, and is freed on its own. Until
/// then nobody seals a run that was halted or left, and nobody deletes it.
/// @param run  the run
/// @param out  receives the reader, to be freed with es_free_reader; NULL on failure
/// @param err  filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_LOCKED, ES_ERR_NOT_FOUND, ES_ERR_CORRUPTED, ES_ERR_BACKEND: the run was closed
///         after a halt, and recovery has it, or it is gone, or damaged: open it when sealed;
///         ES_ERR_OUT_OF_MEMORY: free memory; ES_ERR_BUSY: called from on_halt: call it later;
///         ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK: correct the call;
///         ES_ERR_PANIC: report it.
/// [any thread] [never blocks] unless the run was closed after a halt: it then reads the file.
/// Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_open_reader(
    run: *mut es_run,
    out: *mut *mut es_reader,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: `out` is NULL or the caller's memory; nobody frees a handle that a call uses.
        unsafe {
            out::clear_handle("out", out)?;
            let reader = Reader::of(handle::run(run)?)?;
            out::put(out, handle::give_reader(reader)?);
        }
        Ok(())
    })
}

fn convert_open(options: &es_open_options) -> Result<OpenOptions, Refusal> {
    args::check_abi(options.abi_version)?;
    args::known_flags("options.flags", options.flags, OPEN_FLAGS)?;
    args::reserved("options.reserved0", &[u64::from(options.reserved0)])?;
    args::reserved("options.reserved1", &options.reserved1)?;
    let defaults = OpenOptions::default();
    let bytes_or = |value: u64, default: usize| match value {
        0 => default,
        set => usize::try_from(set).unwrap_or(usize::MAX),
    };
    let ns_or = |value: u64, default: u64| if value == 0 { default } else { value };
    Ok(OpenOptions {
        backend: match options.backend {
            0 | ES_BACKEND_REDB => BackendKind::Redb,
            ES_BACKEND_MEMORY => BackendKind::Memory,
            ES_BACKEND_LOG => BackendKind::Log,
            other => return Err(args::unknown("options.backend", other)),
        },
        durability: match options.durability {
            0 | ES_DURABILITY_TWO_PHASE => Durability::TwoPhase,
            ES_DURABILITY_ONE_PHASE => Durability::OnePhase,
            other => return Err(args::unknown("options.durability", other)),
        },
        wait_policy: match options.wait_policy {
            0 | ES_WAIT_TIMED => WaitPolicy::Timed,
            ES_WAIT_SPIN => WaitPolicy::Spin,
            ES_WAIT_PARK => WaitPolicy::Park,
            other => return Err(args::unknown("options.wait_policy", other)),
        },
        cache_bytes: bytes_or(options.cache_bytes, defaults.cache_bytes),
        queue_entries: bytes_or(options.queue_entries, defaults.queue_entries),
        queue_bytes: bytes_or(options.queue_bytes, defaults.queue_bytes),
        group_entries: bytes_or(options.group_entries, defaults.group_entries),
        group_bytes: bytes_or(options.group_bytes, defaults.group_bytes),
        group_linger_ns: options.group_linger_ns,
        halt_after_ns: ns_or(options.halt_after_ns, defaults.halt_after_ns),
        hot_ns: ns_or(options.hot_ns, defaults.hot_ns),
        writer_cpu: options.writer_cpu.checked_sub(1).map(|cpu| cpu as usize),
        manual: options.flags & ES_OPEN_MANUAL_WRITER != 0,
        run_started: options.flags & ES_OPEN_RUN_STARTED != 0,
        prefault: options.flags & ES_OPEN_PREFAULT != 0,
        lock_memory: options.flags & ES_OPEN_LOCK_MEMORY != 0,
        require_uuid_v4: options.flags & ES_OPEN_REQUIRE_UUID_V4 != 0,
        digest_key: digest_key(options.flags & ES_OPEN_DIGEST_KEY != 0, &options.digest_key)?,
        on_halt: close::halt_callback(options.on_halt, options.on_halt_context),
    })
}

const OPEN_FLAGS: u32 = ES_OPEN_MANUAL_WRITER
    | ES_OPEN_RUN_STARTED
    | ES_OPEN_PREFAULT
    | ES_OPEN_REQUIRE_UUID_V4
    | ES_OPEN_DIGEST_KEY
    | ES_OPEN_LOCK_MEMORY;

/// # Safety
/// `options` is NULL or the caller's reader options.
unsafe fn reader_options(options: *const es_reader_options) -> Result<ReaderOptions, Refusal> {
    if options.is_null() {
        return Ok(ReaderOptions::default());
    }
    // SAFETY: handed down from the caller.
    let options: es_reader_options = unsafe { args::required("options", options) }?;
    args::check_abi(options.abi_version)?;
    args::known_flags("options.flags", options.flags, ES_READ_CHECK | ES_READ_DIGEST_KEY)?;
    args::reserved("options.reserved0", &[u64::from(options.reserved0)])?;
    args::reserved("options.reserved", &options.reserved)?;
    let defaults = ReaderOptions::default();
    Ok(ReaderOptions {
        cache_bytes: match options.cache_bytes {
            0 => defaults.cache_bytes,
            set => usize::try_from(set).unwrap_or(usize::MAX),
        },
        check: options.flags & ES_READ_CHECK != 0,
        digest_key: digest_key(options.flags & ES_READ_DIGEST_KEY != 0, &options.digest_key)?,
    })
}

/// A key without its flag would be ignored, and the run sealed without the evidence meant.
pub(super) fn digest_key(set: bool, key: &[u8; 32]) -> Result<Option<[u8; 32]>, Refusal> {
    if !set && *key != [0; 32] {
        let reason = "holds a key, but flags lack the DIGEST_KEY bit";
        return Err(Refusal::invalid("options.digest_key", reason));
    }
    Ok(set.then_some(*key))
}
