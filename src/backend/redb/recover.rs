//! Opens the file of a run whose process died, and sums it up for its seal.
//!
//! In this order: flush the file and drop the kernel's copy (after a failed flush memory holds
//! what the disk never got), check every page over a copy-on-write view (an unsound file is
//! answered `Corrupted` and not touched), and only then let redb repair it in place. Cost grows
//! with the file. Which runs, and what status they get: `recovery`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Builder, Database, ReadableDatabase, ReadableTable};

use super::RedbOptions;
use super::commit_slots;
use super::create::{OpenFile, abandon, file_name, open_database};
use super::fault::{At, guarded};
use super::run_file::{RunFile, check_header, open_read_only};
use super::scan;
use super::snapshot::Snapshot;
use super::storage_file::{Mode, StorageFile};
use crate::backend::Direction;
use crate::backend::disk::{Disk, Folder, Purpose};
use crate::backend::ledger::Ledger;
use crate::codec;
use crate::digest::RunDigest;
use crate::error::{EventStoreError, Result};
use crate::manifest::{RunManifest, RunStatus};

/// A run that was opened after a crash.
pub(super) struct Loaded {
    pub(super) file: Arc<RunFile>,
    /// `None` for a sealed run, which is closed by now.
    pub(super) database: Option<Database>,
}

/// See [`crate::backend::EventStore::load_crashed`].
pub(super) fn load(folder: &dyn Folder, run_id: &str, options: &RedbOptions) -> Result<Loaded> {
    let name = file_name(run_id);
    let path = folder.path(&name);
    let failed = |action| {
        let path = path.clone();
        move |error| EventStoreError::from_io(action, Some(&path), error)
    };
    let disk = folder.open(&name, Purpose::Write).map_err(failed("opening the run file"))?;
    check_header(&*disk, &path)?;
    disk.forget_cached().map_err(failed("flushing the run file"))?;
    match open_read_only(disk.clone(), Mode::CopyOnWrite, &path, options.cache_bytes) {
        Ok((snapshot, storage)) if snapshot.manifest(&path)?.status.is_sealed() => {
            let file = RunFile::new(path, options.cache_bytes, storage, snapshot);
            return Ok(Loaded { file, database: None });
        }
        Err(error @ EventStoreError::Locked(_)) => return Err(error),
        // Not closed in order, damaged, or left running: looked at below.
        Ok(_) | Err(_) => {}
    }
    check_structure(disk.clone(), Mode::CopyOnWrite, &path, options.cache_bytes)?;
    open_in_place(disk, path, options)
}

/// Lets redb repair a file whose structure was checked, and goes on with it.
pub(super) fn open_in_place(
    disk: Arc<dyn Disk>,
    path: PathBuf,
    options: &RedbOptions,
) -> Result<Loaded> {
    let failed = |error| EventStoreError::from_io("opening the run file", Some(&path), error);
    let storage = StorageFile::new(disk, Mode::Write).map_err(failed)?;
    commit_slots::prefer_newest(&storage, &path)?;
    let database = open_database(&storage, options, &path)?;
    adopt(OpenFile { path, storage, database }, options)
}

/// Checks the checksum of every page and that this is a run, without changing a byte.
pub(super) fn check_structure(
    disk: Arc<dyn Disk>,
    mode: Mode,
    path: &Path,
    cache_bytes: usize,
) -> Result<()> {
    debug_assert_ne!(mode, Mode::Write);
    let failed = |error| EventStoreError::from_io("reading", Some(path), error);
    let storage = StorageFile::new(disk, mode).map_err(failed)?;
    let mut is_caught = false;
    let checked = guarded(path, &mut is_caught, || {
        let database = Builder::new()
            .set_cache_size(cache_bytes)
            .set_check_integrity_on_open(true)
            .create_with_backend(storage.clone())
            .at(path)?;
        Snapshot::examine(database.begin_read().at(path)?, path)?;
        database.close().at(path)
    });
    storage.let_go();
    storage.release();
    checked
}

fn adopt(open: OpenFile, options: &RedbOptions) -> Result<Loaded> {
    let OpenFile { path, storage, database } = open;
    let mut is_caught = false;
    let examined = guarded(&path, &mut is_caught, || {
        let snapshot = Snapshot::examine(database.begin_read().at(&path)?, &path)?;
        let manifest = snapshot.manifest(&path)?;
        Ok((snapshot, manifest))
    });
    let (snapshot, manifest) = match examined {
        Ok(examined) => examined,
        Err(error) => {
            abandon(database, &storage);
            return Err(error);
        }
    };
    let file = RunFile::new(path, options.cache_bytes, storage, snapshot);
    if !manifest.status.is_sealed() {
        return Ok(Loaded { file, database: Some(database) });
    }
    // Sealed, but not closed: the repair is all that was missing.
    close(&file, database)?;
    Ok(Loaded { file, database: None })
}

/// Closes a file in order.
///
/// # Errors
/// What its closing writes answered; nothing more was written after that.
pub(super) fn close(file: &RunFile, database: Database) -> Result<()> {
    let mut is_caught = false;
    let closed = guarded(file.path(), &mut is_caught, || database.close().at(file.path()));
    let written = file.storage().check();
    file.storage().let_go();
    file.closed();
    let failed = |error| EventStoreError::from_io("closing the run file", Some(file.path()), error);
    written.map_err(failed).and(closed)
}

/// What a seal writes for a run that was found and not written by this process.
pub(super) fn sum_up(
    file: &RunFile,
    status: RunStatus,
    digest_key: Option<&[u8; 32]>,
) -> Result<(RunManifest, Option<RunDigest>)> {
    let (manifest, is_keyed) =
        file.read(|found| Ok((found.manifest(file.path())?, found.is_keyed(file.path())?)))?;
    let replayed = replay(file, manifest.clone(), digest_key.filter(|_| is_keyed));
    if status == RunStatus::Quarantined {
        // Damage is why it is quarantined: sum up what can be read.
        return match replayed {
            Ok(ledger) => Ok((ledger.sealed_manifest(status)?, None)),
            Err(_) => Ok((damaged_manifest(file, manifest, status)?, None)),
        };
    }
    let ledger = replayed?;
    let sealed = ledger.sealed_manifest(status)?;
    let can_digest = !is_keyed || digest_key.is_some();
    let digest = can_digest.then(|| ledger.digest_for(&sealed));
    Ok((sealed, digest))
}

fn replay(file: &RunFile, manifest: RunManifest, key: Option<&[u8; 32]>) -> Result<Ledger> {
    file.read(|found| {
        let anchor = found.anchor(file.path())?;
        let mut ledger = Ledger::crashed(manifest, anchor, key);
        let all = (1, found.high_watermark());
        scan::visit(found, file.path(), all, Direction::Forward, &mut |row| {
            ledger.replay(&row.entry, row.keys);
            ControlFlow::Continue(())
        })?;
        Ok(ledger)
    })
}

fn damaged_manifest(
    file: &RunFile,
    manifest: RunManifest,
    status: RunStatus,
) -> Result<RunManifest> {
    if !status.is_sealed() || manifest.status.is_sealed() {
        return Err(EventStoreError::Closed);
    }
    file.read(|found| {
        let high_watermark = found.high_watermark();
        let end_ts_init = largest_ts_init(found, file.path())?;
        Ok(RunManifest { status, high_watermark, end_ts_init, ..manifest })
    })
}

/// The largest `ts_init` that the last commit row names, else that any readable entry has.
fn largest_ts_init(found: &Snapshot, path: &Path) -> Result<Option<u64>> {
    let last = found.high_watermark();
    let from_row = found.with_commit_row(last, path, |row| Ok(row.run_ts_init_max));
    if let Ok(Some(largest)) = from_row {
        return Ok(Some(largest));
    }
    let Some(entries) = found.entries(path)? else { return Ok(None) };
    let mut largest = None;
    for row in entries.iter().at(path)? {
        let (_, frame) = row.at(path)?;
        if let Ok(entry) = codec::decode_entry(frame.value()) {
            largest = largest.max(Some(entry.ts_init));
        }
    }
    Ok(largest)
}
