//! Makes the file of a new run, and says why a name that exists is refused.
//!
//! A run appears under its name whole or not at all: it is built under a temporary name (with a
//! leading dot, as no run id has), flushed, renamed without replacing anything, and its directory
//! flushed. Only then does opening it return.

use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Builder, Database};

use super::RedbOptions;
use super::append::Writer;
use super::fault::{At, guarded};
use super::run_file::open_read_only;
use super::storage_file::{Mode, StorageFile};
use crate::backend::disk::{Disk, Folder, Purpose};
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::RunManifest;
use crate::planted::planted;

/// What follows the run id in the name of a run of this backend.
pub(super) const SUFFIX: &str = ".redb";

/// The file name of a run of this backend.
pub(super) fn file_name(run_id: &str) -> String {
    format!("{run_id}{SUFFIX}")
}

/// The directory name that the log backend gives a run; ids are unique over both.
fn log_name(run_id: &str) -> String {
    format!("{run_id}.eslog")
}

/// A file that redb has open for writing.
pub(super) struct OpenFile {
    pub(super) path: PathBuf,
    pub(super) storage: StorageFile,
    pub(super) database: Database,
}

/// Makes the run's file; durable under its name when this returns.
pub(super) fn create(
    folder: &dyn Folder,
    manifest: &RunManifest,
    options: &RedbOptions,
) -> Result<OpenFile> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = file_name(&manifest.run_id);
    let path = folder.path(&name);
    refuse_existing(folder, &manifest.run_id)?;
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = format!(".{name}.new-{}-{count}", process::id());
    let failed = |action| {
        let path = path.clone();
        move |error| EventStoreError::from_io(action, Some(&path), error)
    };
    let disk = folder.create(&temporary).map_err(failed("creating the run file"))?;
    let built = build(disk, manifest, options, &path).inspect_err(|_| {
        // What is left is a temporary name, which recovery moves aside.
        let _ = folder.remove(&temporary);
    })?;
    let published = match folder.rename_new(&temporary, &name) {
        Ok(()) if planted("skip_dir_sync") => Ok(()),
        Ok(()) => folder.sync().map_err(failed("flushing the directory")),
        Err(error) => {
            let _ = folder.remove(&temporary);
            // Made by somebody else since it was looked for.
            refuse_existing(folder, &manifest.run_id).and(Err(failed("naming the run file")(error)))
        }
    };
    match published {
        Ok(()) => Ok(built),
        Err(error) => {
            abandon(built.database, &built.storage);
            Err(error)
        }
    }
}

fn build(
    disk: Arc<dyn Disk>,
    manifest: &RunManifest,
    options: &RedbOptions,
    path: &Path,
) -> Result<OpenFile> {
    let failed = |error| EventStoreError::from_io("creating the run file", Some(path), error);
    let storage = StorageFile::new(disk, Mode::Write).map_err(failed)?;
    let opened = open_database(&storage, options, path);
    let database = opened.inspect_err(|_| storage.release())?;
    let writer = Writer { database: &database, storage: &storage, path, two_phase: true };
    match writer.create(manifest, options.digest_key.is_some()) {
        Ok(()) => {
            if let Some(from_bytes) = options.fill_ahead_from_bytes {
                storage.fill_ahead_from(from_bytes);
            }
            Ok(OpenFile { path: path.to_path_buf(), storage, database })
        }
        Err(error) => {
            abandon(database, &storage);
            Err(error)
        }
    }
}

/// Gives the file to redb for writing; redb repairs what needs it. The header was checked, or the
/// file is new.
pub(super) fn open_database(
    storage: &StorageFile,
    options: &RedbOptions,
    path: &Path,
) -> Result<Database> {
    let mut is_caught = false;
    guarded(path, &mut is_caught, || {
        let mut builder = Builder::new();
        builder.set_cache_size(options.cache_bytes);
        let database = builder.create_with_backend(storage.clone()).at(path)?;
        storage
            .check()
            .map_err(|error| EventStoreError::from_io("opening the run file", Some(path), error))?;
        Ok(database)
    })
    .inspect_err(|_| storage.let_go())
}

/// Lets go of a file without another write. The database is leaked: its own drop would write.
pub(super) fn abandon(database: Database, storage: &StorageFile) {
    storage.let_go();
    storage.release();
    std::mem::forget(database);
}

/// Answers for a run id that is taken.
fn refuse_existing(folder: &dyn Folder, run_id: &str) -> Result<()> {
    let name = file_name(run_id);
    let path = folder.path(&name);
    let failed = |error| EventStoreError::from_io("looking for the run", Some(&path), error);
    if folder.contains(&name).map_err(failed)? {
        return Err(why_refused(folder, &name, &path));
    }
    let log = log_name(run_id);
    if folder.contains(&log).map_err(failed)? {
        return Err(already_exists(&folder.path(&log)));
    }
    Ok(())
}

fn why_refused(folder: &dyn Folder, name: &str, path: &Path) -> EventStoreError {
    let disk = match folder.open(name, Purpose::Read) {
        Ok(disk) => disk,
        Err(error) => return EventStoreError::from_io("opening the run file", Some(path), error),
    };
    // What needs repair is not opened to ask, and what is damaged is for recovery to look at.
    if let Err(error) = super::run_file::check_header(&*disk, path) {
        return error;
    }
    let manifest = open_read_only(disk, Mode::CopyOnWrite, path, PROBE_CACHE_BYTES)
        .and_then(|(snapshot, _)| snapshot.manifest(path));
    match manifest {
        Ok(manifest) if manifest.status.is_sealed() => already_exists(path),
        Err(error @ EventStoreError::Locked(_)) => error,
        Err(error) if error.is_unsupported_format() => error,
        Ok(_) | Err(_) => {
            let reason = "a run of this name was not sealed, recover it or choose another run id";
            EventStoreError::CrashedPredecessor(Box::new(Fault::new(reason).at(path)))
        }
    }
}

/// Reading a manifest takes a few pages.
const PROBE_CACHE_BYTES: usize = 1 << 20;

fn already_exists(path: &Path) -> EventStoreError {
    let reason = "a run of this name exists, choose another run id";
    EventStoreError::AlreadyExists(Box::new(Fault::new(reason).at(path)))
}
