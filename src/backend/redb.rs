//! The redb backend: one file a run, `<base>/<instance_id>/<run_id>.redb`, as FORMAT.md has it.
//!
//! Promises what [`EventStore`] does, with two-phase commits unless told otherwise. Takes the
//! run's own lock and leaves the instance's to its caller. No type of redb leaves this module.
//! Where to look: new files `create`, transactions `append`, readers `reader` and `scan`, the
//! bytes on their way to the disk `storage_file`, crashed runs `recover`, full disks `reserve`.

mod append;
mod commit_row;
mod commit_slots;
mod copy;
mod create;
mod fault;
mod filler;
mod footprint;
mod found;
mod reader;
mod recover;
mod reserve;
mod run_file;
mod scan;
mod segments;
mod snapshot;
mod storage_file;
mod tables;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableDatabase};

use self::append::Writer;
pub(crate) use self::copy::open_copy;
use self::fault::{At, not_sealed};
pub(crate) use self::found::{RedbFiles, find_path};
use self::reader::RedbReader;
use self::reserve::Prober;
use self::run_file::RunFile;
use self::snapshot::Snapshot;
use self::storage_file::Mode;
use super::disk::{Disk, Purpose, Volume};
use super::ledger::Ledger;
use super::os_disk::{OsDisk, OsVolume};
use super::run_format::Examined;
use super::{EventReader, EventStore, Sealed};
use crate::digest::RunDigest;
use crate::entry::AppendEntry;
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::{RunManifest, RunStatus, check_id};
use crate::snapshot::SnapshotAnchor;

/// How a run file is written.
#[derive(Debug, Clone)]
pub struct RedbOptions {
    /// Flush each commit twice, so that a damaged newest commit is told from a torn one. Without
    /// it, one flipped bit after a crash can take back the newest batch silently.
    pub two_phase: bool,
    /// Memory for cached pages, in bytes; up to half of it for pages not yet written. The pages of
    /// a commit go into memory that the oldest pages leave: in a large cache, memory that the
    /// processor has long forgotten. What reads of a run that is being written gain by it, its
    /// commits lose.
    pub cache_bytes: usize,
    /// Keys the run's digest; never stored.
    pub digest_key: Option<[u8; 32]>,
    /// From this length of the file on, a thread of the run's own fills space with zeros before
    /// entries get there. `None`: small commits fill it when they do.
    pub fill_ahead_from_bytes: Option<u64>,
}

impl Default for RedbOptions {
    fn default() -> Self {
        Self {
            two_phase: true,
            cache_bytes: 2 << 20,
            digest_key: None,
            // A short run does without the thread.
            fill_ahead_from_bytes: Some(8 << 20),
        }
    }
}

/// The redb backend. Dropped with a run open, it lets go of it as [`EventStore::abandon`] does.
#[derive(Debug)]
pub struct RedbStore {
    volume: Arc<dyn Volume>,
    options: RedbOptions,
    run: Option<Run>,
}

struct Run {
    file: Arc<RunFile>,
    /// `None` once closed or abandoned.
    database: Option<Database>,
    ledger: Ledger,
    /// Found after a crash: its ledger is empty until it is sealed.
    is_found: bool,
    prober: Prober,
}

impl RedbStore {
    /// A store of runs below `base`, which is made when the first run is.
    pub fn new(base: &Path, options: RedbOptions) -> Self {
        Self::on(Arc::new(OsVolume::new(base)), options)
    }

    /// The same over another disk: how the power-cut test drives the code that ships.
    #[doc(hidden)]
    pub fn on(volume: Arc<dyn Volume>, options: RedbOptions) -> Self {
        Self { volume, options, run: None }
    }

    /// The file of the run that is open or was last.
    pub fn run_path(&self) -> Option<PathBuf> {
        self.run.as_ref().map(|run| run.file.path().to_path_buf())
    }

    /// Lets go of the run of this name if it is this store's own: its writer gives up on it. Makes
    /// room otherwise.
    fn give_up_or_leave(&mut self, instance_id: &str, run_id: &str) -> Result<()> {
        match &mut self.run {
            Some(run) if run.is_named(instance_id, run_id) => {
                run.abandon();
                self.run = None;
                Ok(())
            }
            _ => self.leave_sealed(),
        }
    }

    fn run(&mut self) -> Result<&mut Run> {
        self.run.as_mut().ok_or_else(no_run)
    }

    /// Makes room for another run: closes the one that is open, if it is sealed. One that was
    /// closed or abandoned before is in nobody's way.
    fn leave_sealed(&mut self) -> Result<()> {
        match &self.run {
            None | Some(Run { database: None, .. }) => Ok(()),
            Some(run) if run.ledger.is_sealed() => self.close(),
            Some(run) => {
                let reason = "this store's run is not sealed, seal it before opening another";
                let fault = Fault::new(reason).at(run.file.path());
                Err(EventStoreError::CrashedPredecessor(Box::new(fault)))
            }
        }
    }
}

fn no_run() -> EventStoreError {
    EventStoreError::backend("no run is open in this store")
}

impl Run {
    fn is_named(&self, instance_id: &str, run_id: &str) -> bool {
        let manifest = self.ledger.manifest();
        manifest.instance_id == instance_id && manifest.run_id == run_id
    }

    fn database(&self) -> Result<&Database> {
        self.database.as_ref().ok_or(EventStoreError::Closed)
    }

    fn writer<'w>(&'w self, options: &RedbOptions) -> Result<Writer<'w>> {
        Ok(Writer {
            database: self.database()?,
            storage: self.file.storage(),
            path: self.file.path(),
            two_phase: options.two_phase,
        })
    }

    /// Shows readers what was committed last.
    fn publish(&self, high_watermark: u64) -> Result<()> {
        let transaction = self.database()?.begin_read().at(self.file.path())?;
        self.file.publish(Snapshot::new(transaction, high_watermark));
        Ok(())
    }

    fn seal_as(
        &mut self,
        sealed: RunManifest,
        digest: Option<RunDigest>,
        options: &RedbOptions,
    ) -> Result<Sealed> {
        self.writer(options)?.seal(&sealed, digest)?;
        self.file.storage().trim_on_close();
        let high_watermark = sealed.high_watermark;
        self.ledger.sealed(sealed);
        self.publish(high_watermark)?;
        Ok(Sealed { high_watermark, digest })
    }

    fn abandon(&mut self) {
        if let Some(database) = self.database.take() {
            self.file.storage().sever();
            // Its own drop would write; readers may still be reading through it.
            std::mem::forget(database);
        }
    }
}

impl EventStore for RedbStore {
    fn open_run(&mut self, manifest: &RunManifest) -> Result<()> {
        manifest.check_new()?;
        self.leave_sealed()?;
        let path = self.volume.path(&manifest.instance_id);
        let folder = self.volume.make_instance(&manifest.instance_id).map_err(|error| {
            EventStoreError::from_io("opening the instance's directory", Some(&path), error)
        })?;
        let open = create::create(&*folder, manifest, &self.options)?;
        let ledger = Ledger::new(manifest.clone(), self.options.digest_key.as_ref());
        let first = match open.database.begin_read().at(&open.path) {
            Ok(transaction) => Snapshot::new(transaction, 0),
            Err(error) => {
                create::abandon(open.database, &open.storage);
                return Err(error);
            }
        };
        self.run = Some(Run {
            file: RunFile::new(open.path, self.options.cache_bytes, open.storage, first),
            database: Some(open.database),
            ledger,
            is_found: false,
            prober: Prober::default(),
        });
        Ok(())
    }

    fn load_crashed(&mut self, instance_id: &str, run_id: &str) -> Result<()> {
        check_id("instance_id", instance_id)?;
        check_id("run_id", run_id)?;
        self.give_up_or_leave(instance_id, run_id)?;
        let path = self.volume.path(instance_id);
        let folder = self.volume.open_instance(instance_id).map_err(|error| {
            EventStoreError::from_io("opening the instance's directory", Some(&path), error)
        })?;
        let loaded = recover::load(&*folder, run_id, &self.options)?;
        let manifest = loaded.file.read(|found| found.manifest(loaded.file.path()))?;
        self.run = Some(Run {
            file: loaded.file,
            database: loaded.database,
            ledger: Ledger::crashed(manifest, None, None),
            is_found: true,
            prober: Prober::default(),
        });
        Ok(())
    }

    fn append_batch(&mut self, entries: &[AppendEntry<'_>]) -> Result<u64> {
        let options = self.options.clone();
        let run = self.run()?;
        run.ledger.check_append(entries)?;
        if entries.is_empty() {
            return Ok(run.ledger.high_watermark());
        }
        let mut prober = std::mem::take(&mut run.prober);
        let writer = run.writer(&options)?;
        writer.append(entries, run.ledger.ts_init_max(), &mut prober)?;
        run.prober = prober;
        run.ledger.committed(entries);
        let high_watermark = run.ledger.high_watermark();
        run.publish(high_watermark)?;
        Ok(high_watermark)
    }

    fn record_snapshot_anchor(&mut self, anchor: &SnapshotAnchor) -> Result<()> {
        let options = self.options.clone();
        let run = self.run()?;
        run.ledger.check_anchor(anchor)?;
        run.writer(&options)?.anchor(anchor)?;
        run.ledger.anchored(anchor);
        run.publish(run.ledger.high_watermark())
    }

    fn seal(&mut self, status: RunStatus) -> Result<Sealed> {
        let options = self.options.clone();
        let run = self.run()?;
        let mut sealed = run.ledger.sealed_manifest(status)?;
        let digest = if run.is_found {
            let digest_key = options.digest_key.as_ref();
            let (found, digest) = recover::sum_up(&run.file, status, digest_key)?;
            sealed = found;
            digest
        } else {
            (status != RunStatus::Quarantined).then(|| run.ledger.digest_for(&sealed))
        };
        run.seal_as(sealed, digest, &options)
    }

    fn seal_keeping(&mut self, status: RunStatus, digest: Option<RunDigest>) -> Result<Sealed> {
        let options = self.options.clone();
        let run = self.run()?;
        if run.is_found {
            return Err(EventStoreError::Closed);
        }
        let sealed = run.ledger.sealed_manifest(status)?;
        run.seal_as(sealed, digest, &options)
    }

    fn close(&mut self) -> Result<()> {
        let run = self.run()?;
        if let Err(error) = run.file.storage().check() {
            run.abandon();
            let path = run.file.path();
            return Err(EventStoreError::from_io("closing the run file", Some(path), error));
        }
        match run.database.take() {
            Some(database) => recover::close(&run.file, database),
            None => Ok(()),
        }
    }

    fn abandon(&mut self) {
        if let Some(mut run) = self.run.take() {
            run.abandon();
        }
    }

    fn reader(&self) -> Result<Arc<dyn EventReader>> {
        let run = self.run.as_ref().ok_or_else(no_run)?;
        Ok(Arc::new(RedbReader(run.file.clone())))
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("path", &self.file.path()).finish_non_exhaustive()
    }
}

/// Opens what a writer left, sealed since or not, without ever writing to it: what a repair would
/// do stays in memory. Reads the whole file unless it was closed in order.
///
/// # Errors
/// `NotFound`; `Locked` by a writer or by recovery; `Corrupted`; `UnsupportedFormat`.
pub(crate) fn open_left(path: &Path, cache_bytes: usize) -> Result<Arc<dyn EventReader>> {
    let run = found::find_path(path)?;
    match run.open(cache_bytes) {
        Err(EventStoreError::NotSealed(_)) => match run.examine(cache_bytes, 1)? {
            Examined::Sound(view) => Ok(view),
            Examined::Unsound(error) => Err(error),
        },
        other => other,
    }
}

/// Opens a sealed run for reading, without ever writing to it. `check` verifies the checksum of
/// every page first, at a cost that grows with the file.
///
/// # Errors
/// `NotFound`; `Locked` by a writer; `NotSealed` for a run that recovery must look at first;
/// `Corrupted`; `UnsupportedFormat`.
pub fn open_sealed(path: &Path, cache_bytes: usize, check: bool) -> Result<Arc<dyn EventReader>> {
    let failed = |error| EventStoreError::from_io("opening the run file", Some(path), error);
    open_sealed_on(OsDisk::open(path, Purpose::Read).map_err(failed)?, path, cache_bytes, check)
}

/// The same over another disk; `path` is for messages.
#[doc(hidden)]
pub fn open_sealed_on(
    disk: Arc<dyn Disk>,
    path: &Path,
    cache_bytes: usize,
    check: bool,
) -> Result<Arc<dyn EventReader>> {
    let (snapshot, storage) =
        run_file::open_read_only(disk.clone(), Mode::CopyOnWrite, path, cache_bytes)?;
    let file = RunFile::new(path.to_path_buf(), cache_bytes, storage, snapshot);
    let status = file.read(|found| found.manifest(path))?.status;
    if !status.is_sealed() {
        return Err(not_sealed(path, "is not sealed"));
    }
    if check {
        // Under the reader's own lock, which this open file already holds.
        recover::check_structure(disk, Mode::Unlocked, path, cache_bytes)?;
    }
    Ok(Arc::new(RedbReader(file)))
}
