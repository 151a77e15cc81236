//! A run's open file as its readers share it, through every stage of the run's life.
//!
//! While the run is written, readers share the snapshot that the writer published last. Once the
//! writer has let go, they read on: after a close through a read-only view of their own, opened
//! when the first of them asks; after an abandonment through the last snapshot, whose file can no
//! longer be written. Either way they hold the run's lock, so that nobody repairs or deletes what
//! they read. The descriptor goes with the last of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use redb::{Builder, ReadableDatabase};

use super::fault::{At, guarded, is_closed};
use super::snapshot::Snapshot;
use super::storage_file::{Mode, StorageFile};
use crate::backend::disk::Disk;
use crate::error::{EventStoreError, Result};

/// See the module.
pub(super) struct RunFile {
    path: PathBuf,
    cache_bytes: usize,
    storage: StorageFile,
    view: RwLock<View>,
    /// What an unclean file was reopened through: its database is leaked and would keep it open.
    reopened: Mutex<Option<StorageFile>>,
}

enum View {
    /// A snapshot that can be read.
    Ready(Arc<Snapshot>),
    /// Closed in order, with this high-watermark: the next reader opens a view of its own.
    Closed(u64),
    /// redb panicked on the file.
    Broken(EventStoreError),
}

impl RunFile {
    pub(super) fn new(
        path: PathBuf,
        cache_bytes: usize,
        storage: StorageFile,
        first: Snapshot,
    ) -> Arc<Self> {
        let view = RwLock::new(View::Ready(Arc::new(first)));
        Arc::new(Self { path, cache_bytes, storage, view, reopened: Mutex::new(None) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn storage(&self) -> &StorageFile {
        &self.storage
    }

    /// Shows readers the next commit.
    pub(super) fn publish(&self, next: Snapshot) {
        let previous = std::mem::replace(&mut *self.view.write(), View::Ready(Arc::new(next)));
        // Ends a read transaction, which takes a mutex of redb's: not under the lock of readers.
        drop(previous);
    }

    /// Takes note that redb has closed the file: its snapshots can no longer be read.
    pub(super) fn closed(&self) {
        let closed = View::Closed(self.high_watermark());
        let previous = std::mem::replace(&mut *self.view.write(), closed);
        drop(previous);
    }

    /// The commit to read.
    pub(super) fn snapshot(&self) -> Result<Arc<Snapshot>> {
        match &*self.view.read() {
            View::Ready(snapshot) => return Ok(snapshot.clone()),
            View::Broken(error) => return Err(error.clone()),
            View::Closed(_) => {}
        }
        let mut view = self.view.write();
        if matches!(&*view, View::Closed(_)) {
            *view = match self.reopen() {
                Ok(snapshot) => View::Ready(Arc::new(snapshot)),
                // Recovery has it: ask again when that is done.
                Err(error @ EventStoreError::Locked(_)) => return Err(error),
                Err(error) => View::Broken(error),
            };
        }
        match &*view {
            View::Ready(snapshot) => Ok(snapshot.clone()),
            View::Broken(error) => Err(error.clone()),
            View::Closed(_) => unreachable!("replaced above"),
        }
    }

    /// The largest durable sequence, as of the last look at the file; whether that can still be
    /// read is for the next read to say. 0 for a file that broke.
    pub(super) fn high_watermark(&self) -> u64 {
        match &*self.view.read() {
            View::Ready(snapshot) => snapshot.high_watermark(),
            View::Closed(high_watermark) => *high_watermark,
            View::Broken(_) => 0,
        }
    }

    fn reopen(&self) -> Result<Snapshot> {
        let failed = |error| EventStoreError::from_io("reading", Some(&self.path), error);
        let disk = self.storage.disk().map_err(failed)?;
        match open_read_only(disk.clone(), Mode::CopyOnWrite, &self.path, self.cache_bytes) {
            Ok((snapshot, _)) => Ok(snapshot),
            // Its closing writes failed: what they left is put right in memory.
            Err(EventStoreError::NotSealed(_)) => self.reopen_unclean(disk),
            Err(error) => Err(error),
        }
    }

    fn reopen_unclean(&self, disk: Arc<dyn Disk>) -> Result<Snapshot> {
        let failed = |error| EventStoreError::from_io("reading", Some(&self.path), error);
        let storage = StorageFile::new(disk, Mode::CopyOnWrite).map_err(failed)?;
        *self.reopened.lock() = Some(storage.clone());
        guarded(&self.path, &mut false, || {
            let mut builder = Builder::new();
            builder.set_cache_size(self.cache_bytes);
            let database = builder.create_with_backend(storage).at(&self.path)?;
            let snapshot = Snapshot::examine(database.begin_read().at(&self.path)?, &self.path);
            // Dropped, it would end the snapshot. It can neither write nor hold a lock.
            std::mem::forget(database);
            snapshot
        })
    }

    /// As [`RunFile::read`], and again in the reopened file when the writer closes it meanwhile.
    /// What `read` did before it failed stays done: it goes on where it was.
    pub(super) fn read_on<T>(&self, mut read: impl FnMut(&Snapshot) -> Result<T>) -> Result<T> {
        loop {
            let snapshot = self.snapshot()?;
            match self.read_in(snapshot.clone(), &mut read) {
                Err(error) if is_closed(&error) => self.await_close(&snapshot),
                other => return other,
            }
        }
    }

    /// The writer is between closing the file and saying so here.
    fn await_close(&self, closed: &Arc<Snapshot>) {
        let is_current = |view: &View| matches!(view, View::Ready(now) if Arc::ptr_eq(now, closed));
        while is_current(&self.view.read()) {
            std::thread::yield_now();
        }
    }

    /// Reads the current commit; a panic of redb breaks the view for good.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Snapshot) -> Result<T>) -> Result<T> {
        self.read_in(self.snapshot()?, read)
    }

    fn read_in<T>(
        &self,
        snapshot: Arc<Snapshot>,
        read: impl FnOnce(&Snapshot) -> Result<T>,
    ) -> Result<T> {
        let mut is_caught = false;
        let result = guarded(&self.path, &mut is_caught, || read(&snapshot));
        if let (true, Err(error)) = (is_caught, &result) {
            let mut view = self.view.write();
            if matches!(&*view, View::Ready(current) if Arc::ptr_eq(current, &snapshot)) {
                std::mem::forget(std::mem::replace(&mut *view, View::Broken(error.clone())));
            }
            std::mem::forget(snapshot);
        }
        result
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // Snapshots end first: ending a read transaction may still look at the file.
        if let View::Ready(snapshot) = std::mem::replace(self.view.get_mut(), View::Closed(0)) {
            drop(snapshot);
        }
        if let Some(reopened) = self.reopened.get_mut().take() {
            reopened.release();
        }
        self.storage.release();
    }
}

/// Opens a file that redb has closed in order, without ever writing to it.
///
/// # Errors
/// `Locked`, `NotSealed` when it was not closed in order, `Corrupted`, `UnsupportedFormat`.
pub(super) fn open_read_only(
    disk: Arc<dyn Disk>,
    mode: Mode,
    path: &Path,
    cache_bytes: usize,
) -> Result<(Snapshot, StorageFile)> {
    check_header(&*disk, path)?;
    let failed = |error| EventStoreError::from_io("reading", Some(path), error);
    let storage = StorageFile::new(disk, mode).map_err(failed)?;
    let mut is_caught = false;
    let opened = guarded(path, &mut is_caught, || {
        let database = Builder::new()
            .set_cache_size(cache_bytes)
            .open_read_only_with_backend(storage.clone())
            .at(path)?;
        // The transaction keeps the file open after the database is dropped.
        let transaction = database.begin_read().at(path)?;
        Snapshot::examine(transaction, path)
    });
    let snapshot = opened.inspect_err(|_| {
        storage.let_go();
        storage.release();
    })?;
    Ok((snapshot, storage))
}

/// The first bytes of every redb file.
const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";

/// Refuses a file that redb must not see: it would make a new store out of an empty one.
///
/// # Errors
/// `Corrupted` says what was found.
pub(super) fn check_header(disk: &dyn Disk, path: &Path) -> Result<()> {
    let failed = |error| EventStoreError::from_io("reading the header", Some(path), error);
    let len = disk.len().map_err(failed)?;
    let mut found = [0; MAGIC.len()];
    let count = MAGIC.len().min(usize::try_from(len).unwrap_or(usize::MAX));
    disk.read(0, &mut found[..count]).map_err(failed)?;
    if found == MAGIC {
        return Ok(());
    }
    let what = match len {
        0 => "is empty: a creation that never completed".to_owned(),
        _ if found.starts_with(b"SQLite") => "is a SQLite database".to_owned(),
        _ => {
            let found = found[..count].escape_ascii();
            format!("starts with \"{found}\", expected \"{}\"", MAGIC.escape_ascii())
        }
    };
    let message = format!("{what}, not a run file; move it aside");
    Err(EventStoreError::foreign(path, message))
}
