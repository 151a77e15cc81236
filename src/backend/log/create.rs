//! Makes the directory of a new run, and says why a name that exists is refused.
//!
//! A run appears under its name whole or not at all: it is built under a temporary name (with a
//! leading dot, as no run id has), every file and the directory flushed, renamed without replacing
//! anything, and the instance's directory flushed. Only then does opening it return.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::LogOptions;
use super::ahead::{Site, prepare};
use super::run::LogRun;
use super::small_file::{MANIFEST, OPEN, Start, read_all, read_seal, write_new, write_reserves};
use super::writer::{Files, Writer, segment_bytes};
use crate::backend::disk::{Disk, Folder, HOLD_RANGE, LockMode, Purpose};
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::RunManifest;
use crate::planted::planted;

/// Beside the writer of an engine that trades, no threads are started for readers.
const WRITER_THREADS: usize = 1;

/// The name of a run's directory.
pub(super) fn folder_name(run_id: &str) -> String {
    format!("{run_id}.eslog")
}

/// The file name that the redb backend gives a run; ids are unique over both.
fn redb_name(run_id: &str) -> String {
    format!("{run_id}.redb")
}

/// Makes the run; durable under its name when this returns.
pub(super) fn create(
    instance: &dyn Folder,
    manifest: &RunManifest,
    options: &LogOptions,
) -> Result<(Arc<LogRun>, Writer)> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = folder_name(&manifest.run_id);
    let path = instance.path(&name);
    refuse_existing(instance, &manifest.run_id)?;
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = format!(".{name}.new-{}-{count}", process::id());
    let failed = |action| {
        let path = path.clone();
        move |error| EventStoreError::from_io(action, Some(&path), error)
    };
    let incarnation = RandomState::new().build_hasher().finish();
    let bytes = Start::encode(manifest, options.digest_key.is_some(), incarnation);
    let start = Start::decode(&bytes, &path.join(MANIFEST))?;
    let folder = instance.make_folder(&temporary).map_err(failed("creating the run"))?;
    let built = build(&folder, &bytes, incarnation, options);
    let (lock, files) = built.map_err(failed("creating the run")).inspect_err(|_| {
        // What is left is a temporary name, which recovery moves aside.
        let _ = remove(instance, &temporary);
    })?;
    if !lock.lock(HOLD_RANGE, LockMode::Exclusive, false).map_err(failed("locking the run"))? {
        return Err(locked(&path));
    }
    match instance.rename_new(&temporary, &name) {
        Ok(()) if planted("skip_dir_sync") => {}
        Ok(()) => instance.sync().map_err(failed("flushing the directory"))?,
        Err(error) => {
            let _ = remove(instance, &temporary);
            // Made by somebody else since it was looked for.
            return refuse_existing(instance, &manifest.run_id)
                .and(Err(failed("naming the run")(error)));
        }
    }
    // Opened anew: messages then have the path that the run has now.
    let folder = instance.open_folder(&name).map_err(failed("opening the run"))?;
    let run = Arc::new(LogRun::new(folder, path, lock, start, WRITER_THREADS));
    let writer = Writer::new(&run, files, options.uses_thread, options.segment_bytes_max);
    Ok((run, writer))
}

fn build(
    folder: &Arc<dyn Folder>,
    manifest: &[u8],
    incarnation: u64,
    options: &LogOptions,
) -> io::Result<(Arc<dyn Disk>, Files)> {
    let lock = write_new(&**folder, MANIFEST, manifest)?;
    let marks = write_reserves(&**folder, manifest.len() as u64)?;
    let site = Site::new(folder.clone(), incarnation);
    let bytes = segment_bytes(1, options.segment_bytes_max);
    // Flushes the names as well.
    let first = prepare(&site, 1, bytes, &AtomicBool::new(false))?;
    Ok((lock, Files { first, marks }))
}

/// Deletes a directory and the files in it.
pub(super) fn remove(instance: &dyn Folder, name: &str) -> io::Result<()> {
    let folder = instance.open_folder(name)?;
    for file in folder.names()? {
        folder.remove(&file)?;
    }
    drop(folder);
    instance.remove_folder(name)
}

/// Answers for a run id that is taken.
fn refuse_existing(instance: &dyn Folder, run_id: &str) -> Result<()> {
    let name = folder_name(run_id);
    let path = instance.path(&name);
    let failed = |error| EventStoreError::from_io("looking for the run", Some(&path), error);
    if instance.contains(&name).map_err(failed)? {
        return Err(why_refused(instance, &name, &path));
    }
    let redb = redb_name(run_id);
    if instance.contains(&redb).map_err(failed)? {
        return Err(already_exists(&instance.path(&redb)));
    }
    Ok(())
}

fn why_refused(instance: &dyn Folder, name: &str, path: &Path) -> EventStoreError {
    let failed = |error| EventStoreError::from_io("opening the run", Some(path), error);
    let folder = match instance.open_folder(name) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return EventStoreError::foreign(path, "is not a directory, not a run; move it aside");
        }
        Err(error) => return failed(error),
    };
    let manifest_path = path.join(MANIFEST);
    let opened = folder.open(MANIFEST, Purpose::Read);
    let lock = match opened {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return no_manifest(path),
        Err(error) => return failed(error),
    };
    match lock.lock(HOLD_RANGE, LockMode::Shared, false) {
        Ok(true) => {}
        Ok(false) => return locked(path),
        Err(error) => return failed(error),
    }
    let start =
        read_all(&*lock, &manifest_path).and_then(|bytes| Start::decode(&bytes, &manifest_path));
    match start {
        Err(error @ EventStoreError::UnsupportedFormat { .. }) => return error,
        Err(error) if error.is_foreign() => return error,
        Err(_) => {}
        Ok(_) => {
            let is_closed = folder.contains(OPEN).is_ok_and(|is_open| !is_open);
            if is_closed && matches!(read_seal(&*folder), Ok(Some(_))) {
                return already_exists(path);
            }
        }
    }
    let reason = "a run of this name was not sealed, recover it or choose another run id";
    EventStoreError::CrashedPredecessor(Box::new(Fault::new(reason).at(path)))
}

/// A directory without a manifest never was a run.
pub(super) fn no_manifest(path: &Path) -> EventStoreError {
    EventStoreError::foreign(path, "has no manifest, not a run; move it aside")
}

fn already_exists(path: &Path) -> EventStoreError {
    let reason = "a run of this name exists, choose another run id";
    EventStoreError::AlreadyExists(Box::new(Fault::new(reason).at(path)))
}

/// Somebody else has the run open.
pub(super) fn locked(path: &Path) -> EventStoreError {
    let fault = Fault::new("the run is locked by another writer or reader, wait for it");
    EventStoreError::Locked(Box::new(fault.at(path)))
}
