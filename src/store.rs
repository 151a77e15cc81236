//! Opens runs: the one place that knows which backends there are.
//!
//! It checks options, takes the instance's lock, chooses the backend and hands the run to the
//! [`crate::writer`] or to a [`Reader`], or copies it. What a run is, once open, is theirs.

use std::path::{Path, PathBuf};

use crate::backend::EventStore;
use crate::backend::log::{self, LogOptions, LogStore};
use crate::backend::memory::MemoryStore;
use crate::backend::redb::{self, RedbOptions, RedbStore};
use crate::backend::run_format::{FoundRun, RunFormat, taken};
use crate::error::{EventStoreError, Result};
use crate::limits::BATCH_ENTRIES_MAX;
use crate::manifest::{RunManifest, check_id};
use crate::platform::lock::InstanceLock;
use crate::reader::Reader;
use crate::writer::{
    Created, HaltCallback, QUEUE_BYTES_MAX, QUEUE_ENTRIES_MAX, QueueMemory, Run, Settings,
    WaitPolicy, WriterThread,
};

pub use crate::backend::run_format::CopiedRun;

/// Where the entries of a run live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendKind {
    /// One file a run, `<base>/<instance_id>/<run_id>.redb`.
    #[default]
    Redb,
    /// The process's memory, for tests and simulation: nothing survives.
    Memory,
    /// One directory a run, `<base>/<instance_id>/<run_id>.eslog/`: a commit is one write and one
    /// flush.
    Log,
}

/// How a commit of the redb backend reaches the disk. The log backend needs one flush for what two
/// buy here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Two flushes a commit: no damage of the newest commit can pass for one that never was.
    #[default]
    TwoPhase,
    /// One flush a commit. Acknowledged entries survive a kill and a power cut alike, but after
    /// either, a newest commit that was damaged on the disk is dropped without a word.
    OnePhase,
}

/// How to open a run for writing. `Default` is what a trading engine wants first.
pub struct OpenOptions {
    /// Where the entries live.
    pub backend: BackendKind,
    /// How a commit reaches the disk.
    pub durability: Durability,
    /// Memory for pages, in bytes; 2 MiB, see [`RedbOptions::cache_bytes`].
    pub cache_bytes: usize,
    /// Most entries in the queue; 65,536.
    pub queue_entries: usize,
    /// Most bytes in the queue; 64 MiB.
    pub queue_bytes: usize,
    /// Most entries in one commit; 8,192.
    pub group_entries: usize,
    /// Most bytes in one commit; 1 MiB.
    pub group_bytes: usize,
    /// How long a group may wait to grow, in nanoseconds; 0.
    pub group_linger_ns: u64,
    /// With the queue full and nothing committed for so long, the run halts; 250 ms.
    /// `u64::MAX` = never.
    pub halt_after_ns: u64,
    /// How long after its last work the writer stays awake, in nanoseconds; 100 ms.
    pub hot_ns: u64,
    /// What it does meanwhile.
    pub wait_policy: WaitPolicy,
    /// The processor that the writer's thread is bound to.
    pub writer_cpu: Option<usize>,
    /// No thread and no clock: the host drives with [`Run::do_work`].
    pub manual: bool,
    /// Commit a `RunStarted` entry as the first.
    pub run_started: bool,
    /// Make and touch all queue memory at open.
    pub prefault: bool,
    /// Make, touch and lock all queue memory at open.
    pub lock_memory: bool,
    /// Refuse UUIDs that other readers of the file format do not accept.
    pub require_uuid_v4: bool,
    /// Key of the run digest; never stored.
    pub digest_key: Option<[u8; 32]>,
    /// Called once with the first failure.
    pub on_halt: Option<HaltCallback>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            backend: BackendKind::default(),
            durability: Durability::default(),
            cache_bytes: RedbOptions::default().cache_bytes,
            queue_entries: 65_536,
            queue_bytes: 64 << 20,
            group_entries: 8192,
            group_bytes: 1 << 20,
            group_linger_ns: 0,
            halt_after_ns: 250_000_000,
            hot_ns: 100_000_000,
            wait_policy: WaitPolicy::default(),
            writer_cpu: None,
            manual: false,
            run_started: false,
            prefault: false,
            lock_memory: false,
            require_uuid_v4: false,
            digest_key: None,
            on_halt: None,
        }
    }
}

/// How to open a run for reading.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// Memory for pages, in bytes; 64 MiB.
    pub cache_bytes: usize,
    /// Check the whole file's structure before the first read; reads all of it.
    pub check: bool,
    /// Key of the run digest, for sealing a run that was written with one.
    pub digest_key: Option<[u8; 32]>,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, check: false, digest_key: None }
    }
}

/// Creates a run and starts its writer. When it returns, the run is durable under its name.
///
/// # Errors
/// `InvalidArgument` for the manifest or an option; `Locked` while another writer or recovery has
/// the instance; `AlreadyExists`, `CrashedPredecessor` for a name that is taken; `Unsupported`
/// for a file system without locks; `Disk`, `Backend`; `OutOfMemory`. Nothing is left under the run's
/// name, unless the disk failed at the flush of the directory or at `RunStarted`: that run is for
/// recovery.
pub fn open_run(base: &Path, manifest: &RunManifest, options: OpenOptions) -> Result<Run> {
    manifest.check_new()?;
    let settings = checked(&options)?;
    let memory = QueueMemory::new(&settings)?;
    let thread = WriterThread::spawn(&settings)?;
    let created = match options.backend {
        BackendKind::Memory => {
            let mut store = MemoryStore::new(options.digest_key);
            store.open_run(manifest)?;
            Created { store: Box::new(store), path: None, instance_lock: None, reopen: None }
        }
        BackendKind::Redb => create_redb(base, manifest, &options)?,
        BackendKind::Log => create_log(base, manifest, &options)?,
    };
    Run::start(created, manifest, &settings, memory, thread, options.on_halt)
}

fn create_redb(base: &Path, manifest: &RunManifest, options: &OpenOptions) -> Result<Created> {
    let lock = InstanceLock::acquire(base, &manifest.instance_id)?;
    let cache_bytes = options.cache_bytes;
    let mut redb_options = RedbOptions {
        two_phase: options.durability == Durability::TwoPhase,
        cache_bytes,
        digest_key: options.digest_key,
        ..RedbOptions::default()
    };
    if options.manual {
        // It has no thread: what another would fill ahead is filled on the way.
        redb_options.fill_ahead_from_bytes = None;
    }
    let mut store = RedbStore::new(base, redb_options);
    store.open_run(manifest)?;
    let path = store.run_path().expect("the run was created above");
    let left = path.clone();
    Ok(Created {
        store: Box::new(store),
        path: Some(path),
        instance_lock: Some(lock),
        reopen: Some(Box::new(move || redb::open_left(&left, cache_bytes))),
    })
}

fn create_log(base: &Path, manifest: &RunManifest, options: &OpenOptions) -> Result<Created> {
    let lock = InstanceLock::acquire(base, &manifest.instance_id)?;
    // A manual run has no thread: what another would prepare ahead is done on the way.
    let uses_thread = !options.manual;
    let log_options = LogOptions { uses_thread, ..log_options(options.digest_key) };
    let mut store = LogStore::new(base, log_options);
    store.open_run(manifest)?;
    let path = store.run_path().expect("the run was created above");
    let left = path.clone();
    Ok(Created {
        store: Box::new(store),
        path: Some(path),
        instance_lock: Some(lock),
        reopen: Some(Box::new(move || log::open_left(&left))),
    })
}

fn log_options(digest_key: Option<[u8; 32]>) -> LogOptions {
    LogOptions { digest_key, ..LogOptions::default() }
}

/// The backend of what lies at a path: a run of the log backend is a directory.
pub(crate) fn backend_at(path: &Path) -> BackendKind {
    if path.is_dir() { BackendKind::Log } else { BackendKind::Redb }
}

/// Opens a sealed run; its file is never written.
///
/// # Errors
/// `NotFound`; `NotSealed`; `Locked` while its writer lives; `Corrupted`; `UnsupportedFormat`.
pub fn open_sealed_run(path: &Path, options: &ReaderOptions) -> Result<Reader> {
    let view = match backend_at(path) {
        BackendKind::Log => log::open_sealed(path, options.check)?,
        _ => redb::open_sealed(path, options.cache_bytes, options.check)?,
    };
    Ok(Reader::new(view, Some(path.to_path_buf())))
}

/// Opens a run for reading while another process may be writing it, and keeps up with what that
/// acknowledges; a sealed run opens as with [`open_sealed_run`]. It costs the writer nothing; nobody
/// deletes the run as long as the reader lives. Of the log backend alone: a redb run is read within
/// the process that writes it ([`Reader::of`]) until it is sealed.
///
/// # Errors
/// `NotFound`; `Unsupported` for a redb run that somebody holds, and for the check of a run that is
/// not sealed; `NotSealed` for a redb run that nobody holds; `Locked` while the run is being deleted;
/// `Corrupted` when what was acknowledged is damaged or missing; `UnsupportedFormat`.
pub fn open_live_run(path: &Path, options: &ReaderOptions) -> Result<Reader> {
    let view = match backend_at(path) {
        BackendKind::Log => log::open_live(path, options.check)?,
        _ => redb::open_sealed(path, options.cache_bytes, options.check)
            .map_err(|error| held_redb(path, "reading", error))?,
    };
    Ok(Reader::elsewhere(view, path.to_path_buf()))
}

fn held_redb(path: &Path, doing: &str, error: EventStoreError) -> EventStoreError {
    match error {
        // The reason first: the path may be long.
        EventStoreError::Locked(_) => EventStoreError::Unsupported {
            what: format!(
                "{doing} a redb run that somebody has open, only the log backend can; wait for its \
                 seal: {}",
                path.display()
            ),
        },
        other => other,
    }
}

/// Copies a run, sealed or being written by any process, to `<base>/<instance_id>/`, under its own
/// name. The copy is durable and whole when this returns; before, the name does not exist. Of a run
/// that is not sealed it has what is acknowledged, and is as if its process had died just then:
/// `Running`, for recovery. Its entries are not checked. Holds the instance below `base` meanwhile.
///
/// # Errors
/// `AlreadyExists` when the name is taken there, unchanged; `Unsupported` for a redb run that
/// somebody holds; `NotSealed` for a redb run that was left; `Locked` while the run is being deleted
/// or somebody holds the instance below `base`; `NotFound`, `Corrupted`, `UnsupportedFormat` of the
/// run; `Disk`, `Backend`.
pub fn copy_run(path: &Path, base: &Path) -> Result<CopiedRun> {
    let source = match backend_at(path) {
        BackendKind::Log => log::open_copy(path)?,
        _ => redb::open_copy(path).map_err(|error| held_redb(path, "copying", error))?,
    };
    let manifest = source.manifest()?;
    for (_, format) in run_formats(base) {
        let name = format!("{}{}", manifest.run_id, format.suffix());
        let there = base.join(&manifest.instance_id).join(name);
        if std::fs::symlink_metadata(&there).is_ok() {
            return Err(taken(&there));
        }
    }
    let _lock = InstanceLock::acquire(base, &manifest.instance_id)?;
    source.copy_to(base)
}

/// Opens a run whose writer is gone, repairing its structure if need be, for reading and for
/// [`Reader::seal`]. Holds the instance's lock as long as the reader lives.
///
/// # Errors
/// `InvalidArgument` for an id; `Locked` while a writer or recovery has the instance; `NotFound`;
/// `Corrupted` and `UnsupportedFormat`: the file is unchanged. A run that is sealed already is
/// opened, repaired if need be, and cannot be sealed again.
pub fn open_crashed_run(
    base: &Path,
    instance_id: &str,
    run_id: &str,
    options: &ReaderOptions,
) -> Result<Reader> {
    check_id("instance_id", instance_id)?;
    check_id("run_id", run_id)?;
    let lock = InstanceLock::acquire_existing(base, instance_id)?;
    let log_name = format!("{run_id}{}", log::LogFiles::new(base).suffix());
    let log_path = base.join(instance_id).join(log_name);
    if std::fs::symlink_metadata(log_path).is_ok() {
        let mut store = LogStore::new(base, log_options(options.digest_key));
        store.load_crashed(instance_id, run_id)?;
        let path = store.run_path();
        return Reader::crashed(Box::new(store), path, lock);
    }
    let redb_options = RedbOptions {
        cache_bytes: options.cache_bytes,
        digest_key: options.digest_key,
        ..RedbOptions::default()
    };
    let mut store = RedbStore::new(base, redb_options);
    store.load_crashed(instance_id, run_id)?;
    let path = store.run_path();
    Reader::crashed(Box::new(store), path, lock)
}

/// Every backend that keeps runs in files, for operations over all of them.
pub(crate) fn run_formats(base: &Path) -> [(BackendKind, Box<dyn RunFormat>); 2] {
    [
        (BackendKind::Redb, Box::new(redb::RedbFiles::new(base))),
        (BackendKind::Log, Box::new(log::LogFiles::new(base))),
    ]
}

/// Creates a run without a writer's thread, for operations that fill it themselves. Holds the
/// instance meanwhile.
///
/// # Errors
/// Those of [`open_run`]; `InvalidArgument` for a backend without files.
pub(crate) fn create_run(
    backend: BackendKind,
    base: &Path,
    manifest: &RunManifest,
    cache_bytes: usize,
    digest_key: Option<[u8; 32]>,
) -> Result<NewRun> {
    manifest.check_new()?;
    let lock = InstanceLock::acquire(base, &manifest.instance_id)?;
    let (mut store, format): (Box<dyn EventStore>, Box<dyn RunFormat>) = match backend {
        BackendKind::Memory => return Err(EventStoreError::invalid("backend", "has no files")),
        BackendKind::Redb => {
            let options = RedbOptions { cache_bytes, digest_key, ..RedbOptions::default() };
            (Box::new(RedbStore::new(base, options)), Box::new(redb::RedbFiles::new(base)))
        }
        BackendKind::Log => {
            let store = LogStore::new(base, log_options(digest_key));
            (Box::new(store), Box::new(log::LogFiles::new(base)))
        }
    };
    store.open_run(manifest)?;
    let name = format!("{}{}", manifest.run_id, format.suffix());
    let path = base.join(&manifest.instance_id).join(name);
    Ok(NewRun { store, path, format, lock })
}

/// A run that an operation made.
pub(crate) struct NewRun {
    pub(crate) store: Box<dyn EventStore>,
    pub(crate) path: PathBuf,
    pub(crate) format: Box<dyn RunFormat>,
    pub(crate) lock: InstanceLock,
}

/// Opens a run by the host's path, for looking alone, and holds it.
///
/// # Errors
/// `NotFound`; `Locked` while a writer has it; `Corrupted` for what does not start as a run does.
pub(crate) fn find_run(path: &Path) -> Result<Box<dyn FoundRun>> {
    match backend_at(path) {
        BackendKind::Log => log::find_path(path),
        _ => redb::find_path(path),
    }
}

fn checked(options: &OpenOptions) -> Result<Settings> {
    let within = |field, value: usize, least: u64, most: u64| {
        let value = value as u64;
        if (least..=most).contains(&value) {
            return Ok(value);
        }
        Err(EventStoreError::invalid(field, format!("{value}, allowed are {least} to {most}")))
    };
    const BYTES_MIN: u64 = 4096;
    within("cache_bytes", options.cache_bytes, 1 << 20, 1 << 40)?;
    Ok(Settings {
        queue_entries: within("queue_entries", options.queue_entries, 1, QUEUE_ENTRIES_MAX)?,
        queue_bytes: within("queue_bytes", options.queue_bytes, BYTES_MIN, QUEUE_BYTES_MAX)?,
        group_entries: within("group_entries", options.group_entries, 1, BATCH_ENTRIES_MAX as u64)?,
        group_bytes: within("group_bytes", options.group_bytes, BYTES_MIN, QUEUE_BYTES_MAX)?,
        group_linger_ns: options.group_linger_ns,
        halt_after_ns: options.halt_after_ns,
        hot_ns: options.hot_ns,
        wait_policy: options.wait_policy,
        writer_cpu: options.writer_cpu,
        manual: options.manual,
        run_started: options.run_started,
        prefault: options.prefault,
        lock_memory: options.lock_memory,
        require_uuid_v4: options.require_uuid_v4,
    })
}
