//! Run files as operations find them: held by a lock of ours, looked at without a write.
//!
//! All views go through copy-on-write storage over one open file, so that the lock taken first
//! covers everything that follows, up to the repair in place. What each look is worth:
//! `run_format`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Builder, ConcurrencyMode, ReadableDatabase};

use super::commit_slots::Slot;
use super::fault::{At, guarded, locked};
use super::reader::RedbReader;
use super::run_file::{RunFile, check_header, open_read_only};
use super::snapshot::Snapshot;
use super::storage_file::{Mode, StorageFile};
use super::{RedbOptions, RedbStore, Run, commit_slots, create, recover};
use crate::backend::disk::{Disk, Folder, HOLD_RANGE, LockMode, Purpose, Volume};
use crate::backend::ledger::Ledger;
use crate::backend::os_disk::{OsDisk, OsVolume};
use crate::backend::run_format::{Examined, FoundRun, Hold, RunFormat};
use crate::backend::{EventReader, EventStore};
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::check_id;

/// The run files below one base.
pub(crate) struct RedbFiles {
    volume: Arc<dyn Volume>,
}

impl RedbFiles {
    pub(crate) fn new(base: &Path) -> Self {
        Self { volume: Arc::new(OsVolume::new(base)) }
    }
}

impl RunFormat for RedbFiles {
    fn suffix(&self) -> &'static str {
        create::SUFFIX
    }

    fn find(&self, instance_id: &str, run_id: &str, hold: Hold) -> Result<Box<dyn FoundRun>> {
        check_id("instance_id", instance_id)?;
        check_id("run_id", run_id)?;
        let folder_path = Path::new(instance_id);
        let folder = self.volume.open_instance(instance_id).map_err(|error| {
            EventStoreError::from_io("opening the instance's directory", Some(folder_path), error)
        })?;
        let name = create::file_name(run_id);
        let path = folder.path(&name);
        let disk =
            folder.open(&name, purpose(hold)).map_err(failed("opening the run file", &path))?;
        let name = Some((folder, name));
        Ok(Box::new(RedbRun::hold(disk, path, hold, name)?))
    }
}

/// Opens and holds a run file by the host's path.
pub(crate) fn find_path(path: &Path) -> Result<Box<dyn FoundRun>> {
    let disk = OsDisk::open(path, Purpose::Read).map_err(failed("opening the run file", path))?;
    Ok(Box::new(RedbRun::hold(disk, path.to_path_buf(), Hold::Shared, None)?))
}

fn purpose(hold: Hold) -> Purpose {
    match hold {
        Hold::Shared => Purpose::Read,
        Hold::Exclusive => Purpose::Write,
    }
}

fn failed(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> EventStoreError + use<> {
    let path = path.to_path_buf();
    move |error| EventStoreError::from_io(action, Some(&path), error)
}

/// One run file. The lock goes with the last view of it.
pub(super) struct RedbRun {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    hold: Hold,
    bytes: u64,
    /// Where it lies and under which name, if it was found by its ids.
    name: Option<(Arc<dyn Folder>, String)>,
}

impl RedbRun {
    pub(super) fn hold(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        hold: Hold,
        name: Option<(Arc<dyn Folder>, String)>,
    ) -> Result<Self> {
        check_header(&*disk, &path)?;
        let mode = match hold {
            Hold::Shared => LockMode::Shared,
            Hold::Exclusive => LockMode::Exclusive,
        };
        if !disk.lock(HOLD_RANGE, mode, false).map_err(failed("locking", &path))? {
            return Err(locked(&path));
        }
        if disk.is_unlinked().map_err(failed("reading", &path))? {
            // Deleted since it was opened; its name may be another run's by now.
            let fault = Fault::new("the run was deleted a moment ago").at(&path);
            return Err(EventStoreError::NotFound(Box::new(fault)));
        }
        let bytes = disk.len().map_err(failed("reading", &path))?;
        Ok(Self { disk, path, hold, bytes, name })
    }

    /// The file, its writes kept in memory, under the lock that this run holds.
    fn storage(&self) -> Result<StorageFile> {
        StorageFile::new(self.disk.clone(), Mode::Unlocked).map_err(failed("reading", &self.path))
    }

    /// Checks every page, then what stands in the tables.
    fn check(&self, storage: &StorageFile, cache_bytes: usize) -> Result<Snapshot, Refusal> {
        let path = &self.path;
        let mut is_caught = false;
        let sound = guarded(path, &mut is_caught, || {
            // What the check repairs is closed in memory, and read from there.
            Builder::new()
                .set_cache_size(cache_bytes)
                .set_check_integrity_on_open(true)
                .create_with_backend(storage.clone())
                .at(path)?
                .close()
                .at(path)?;
            let database = Builder::new()
                .set_cache_size(cache_bytes)
                .open_read_only_with_backend(storage.clone())
                .at(path)?;
            database.begin_read().at(path)
        });
        let transaction = sound.map_err(Refusal::of)?;
        let mut is_run = Ok(());
        let examined = guarded(path, &mut is_caught, || {
            let found = Snapshot::new(transaction, 0);
            is_run = found.check_is_run(path);
            found.measured(path)
        });
        is_run.map_err(Refusal::Other)?;
        examined.map_err(Refusal::of)
    }

    /// Opens the commit of one slot as it is, trusting every page of it.
    fn open_slot(&self, slot: Slot, cache_bytes: usize) -> Result<Arc<dyn EventReader>> {
        let storage = self.storage()?;
        let mut is_caught = false;
        let opened = guarded(&self.path, &mut is_caught, || {
            commit_slots::forgive_crash(&storage, slot, &self.path)?;
            let found = self.newest(&storage, cache_bytes, 0)?;
            found.check_is_run(&self.path)?;
            let high_watermark = found.measured_as_far_as_readable(&self.path).high_watermark();
            // Opened anew: after a read that failed while measuring, redb refuses all others.
            self.newest(&storage, cache_bytes, high_watermark)
        });
        let snapshot = opened.inspect_err(|_| storage.release())?;
        Ok(self.view(storage, snapshot, cache_bytes))
    }

    /// The commit that the file's header names, unchecked.
    fn newest(
        &self,
        storage: &StorageFile,
        cache_bytes: usize,
        high_watermark: u64,
    ) -> Result<Snapshot> {
        // In this mode a reader needs no list of free pages, which a crash leaves unwritten.
        let database = Builder::new()
            .set_cache_size(cache_bytes)
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .open_read_only_with_backend(storage.clone())
            .at(&self.path)?;
        Ok(Snapshot::new(database.begin_read().at(&self.path)?, high_watermark))
    }

    fn view(
        &self,
        storage: StorageFile,
        snapshot: Snapshot,
        cache_bytes: usize,
    ) -> Arc<dyn EventReader> {
        let file = RunFile::new(self.path.clone(), cache_bytes, storage, snapshot);
        Arc::new(RedbReader(file))
    }
}

/// Why a file is not looked into any further.
enum Refusal {
    Unsound(EventStoreError),
    Other(EventStoreError),
}

impl Refusal {
    fn of(error: EventStoreError) -> Self {
        match error {
            EventStoreError::Corrupted(_) => Self::Unsound(error),
            other => Self::Other(other),
        }
    }
}

impl FoundRun for RedbRun {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn distrust_cache(&self) -> Result<()> {
        self.disk.forget_cached().map_err(failed("flushing the run file", &self.path))
    }

    fn open(&self, cache_bytes: usize) -> Result<Arc<dyn EventReader>> {
        let (snapshot, storage) =
            open_read_only(self.disk.clone(), Mode::Unlocked, &self.path, cache_bytes)?;
        Ok(self.view(storage, snapshot, cache_bytes))
    }

    fn examine(&self, cache_bytes: usize, _threads: usize) -> Result<Examined> {
        let mut storage = self.storage()?;
        let mut checked = self.check(&storage, cache_bytes);
        if checked.is_ok() {
            let newest = self.storage()?;
            if commit_slots::prefer_newest(&newest, &self.path)?
                && let Ok(snapshot) = self.check(&newest, cache_bytes)
            {
                checked = Ok(snapshot);
                std::mem::replace(&mut storage, newest).release();
            } else {
                newest.release();
            }
        }
        match checked {
            Ok(snapshot) => Ok(Examined::Sound(self.view(storage, snapshot, cache_bytes))),
            Err(refusal) => {
                storage.release();
                match refusal {
                    Refusal::Unsound(error) => Ok(Examined::Unsound(error)),
                    Refusal::Other(error) => Err(error),
                }
            }
        }
    }

    fn open_damaged(&self, cache_bytes: usize) -> Result<Arc<dyn EventReader>> {
        // What the newest commit no longer gives, the one before it may.
        self.open_slot(Slot::Named, cache_bytes)
            .or_else(|error| self.open_slot(Slot::Other, cache_bytes).map_err(|_| error))
    }

    fn adopt(
        self: Box<Self>,
        cache_bytes: usize,
        digest_key: Option<[u8; 32]>,
    ) -> Result<Box<dyn EventStore>> {
        debug_assert_eq!(self.hold, Hold::Exclusive);
        let options = RedbOptions { cache_bytes, digest_key, ..RedbOptions::default() };
        let loaded = recover::open_in_place(self.disk.clone(), self.path.clone(), &options)?;
        let manifest = loaded.file.read(|found| found.manifest(loaded.file.path()))?;
        let run = Run {
            file: loaded.file,
            database: loaded.database,
            ledger: Ledger::crashed(manifest, None, None),
            is_found: true,
            prober: super::Prober::default(),
        };
        let mut store = RedbStore::new(Path::new(""), options);
        store.run = Some(run);
        Ok(Box::new(store))
    }

    fn remove(self: Box<Self>) -> Result<()> {
        debug_assert_eq!(self.hold, Hold::Exclusive);
        let Some((folder, name)) = &self.name else {
            let what = "deleting a run that was opened by its path".to_owned();
            return Err(EventStoreError::Unsupported { what });
        };
        folder.remove(name).map_err(failed("deleting the run file", &self.path))?;
        folder.sync().map_err(failed("flushing the directory", &self.path))
    }
}
