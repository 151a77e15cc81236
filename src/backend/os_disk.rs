//! The disk of the operating system: forwards to `platform`, decides nothing.
//!
//! Locks are redb's, taken through its `FileBackend` over the same open file description, so
//! that this store and any other user of redb exclude each other.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::disk::{BootId, Disk, Folder, LockMode, LockRange, Purpose, Volume};
use crate::platform::boot;
use crate::platform::descriptor::{Descriptor, Wrapped};
use crate::platform::directory::{self, Access, Directory};
use crate::platform::file;

/// One file.
#[derive(Debug)]
pub(crate) struct OsDisk {
    locks: Wrapped<FileBackend>,
    /// A lock was asked for.
    is_locked: AtomicBool,
}

impl OsDisk {
    /// Opens a file by the host's path.
    pub(crate) fn open(path: &Path, purpose: Purpose) -> io::Result<Arc<dyn Disk>> {
        Ok(Self::on(directory::open_path(path, access(purpose))?))
    }

    fn on(descriptor: Descriptor) -> Arc<dyn Disk> {
        let locks = descriptor
            .wrap(|file| FileBackend::new(file).expect("redb 4 takes any file, without a call"));
        Arc::new(Self { locks, is_locked: AtomicBool::new(false) })
    }
}

impl Drop for OsDisk {
    /// Closing alone would leave a lock to a child that was just started and has a copy of the
    /// descriptor until its own program begins. A forked child has no locks of its parent's.
    fn drop(&mut self) {
        if self.is_locked.load(Ordering::Relaxed) && self.locks.raw() >= 0 {
            let _ = self.unlock_all();
        }
    }
}

fn access(purpose: Purpose) -> Access {
    match purpose {
        Purpose::Read => Access::Read,
        Purpose::Write => Access::Write,
    }
}

fn lock_error(error: BackendError) -> io::Error {
    match error {
        BackendError::Io(error) => error,
        BackendError::Unsupported => io::Error::from(io::ErrorKind::Unsupported),
        other => io::Error::other(other),
    }
}

impl Disk for OsDisk {
    fn len(&self) -> io::Result<u64> {
        file::len(self.locks.raw())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        file::read_exact(self.locks.raw(), offset, out)
    }

    fn write(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        file::write_all(self.locks.raw(), offset, parts)
    }

    fn extend(&self, from: u64, to: u64) -> io::Result<()> {
        file::allocate(self.locks.raw(), from, to)
    }

    fn free_zeros(&self, from: u64, to: u64) -> io::Result<()> {
        file::punch_hole(self.locks.raw(), from, to)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        file::truncate(self.locks.raw(), len)
    }

    fn start_writeback(&self, from: u64, to: u64) {
        file::start_writeback(self.locks.raw(), from, to);
    }

    fn write_back(&self, from: u64, to: u64) -> io::Result<()> {
        file::write_back(self.locks.raw(), from, to)
    }

    fn sync_data(&self) -> io::Result<()> {
        file::sync_data(self.locks.raw())
    }

    fn forget_cached(&self) -> io::Result<()> {
        file::sync_all(self.locks.raw())?;
        file::drop_cached(self.locks.raw())
    }

    fn forget_cached_part(&self, from: u64, to: u64) -> io::Result<()> {
        file::sync_all(self.locks.raw())?;
        file::drop_cached_part(self.locks.raw(), from, to)
    }

    fn is_unlinked(&self) -> io::Result<bool> {
        file::is_unlinked(self.locks.raw())
    }

    fn lock(&self, range: LockRange, mode: LockMode, wait: bool) -> io::Result<bool> {
        self.is_locked.store(true, Ordering::Relaxed);
        let locks = self.locks.get();
        let (start, end) = range;
        let answer = match (mode, wait) {
            (LockMode::Exclusive, false) => locks.try_lock_range(start, end),
            (LockMode::Shared, false) => locks.try_lock_shared_range(start, end),
            (LockMode::Exclusive, true) => locks.lock_range(start, end).map(|()| true),
            (LockMode::Shared, true) => locks.lock_shared_range(start, end).map(|()| true),
        };
        answer.map_err(lock_error)
    }

    fn unlock(&self, (start, end): LockRange) -> io::Result<()> {
        self.locks.get().unlock_range(start, end).map_err(lock_error)
    }

    fn is_locked_elsewhere(&self, (start, end): LockRange) -> io::Result<bool> {
        self.locks.get().query_lock_range(start, end).map_err(lock_error)
    }

    fn unlock_all(&self) -> io::Result<()> {
        self.locks.get().close()
    }
}

/// A directory.
#[derive(Debug)]
struct OsFolder(Directory);

impl Folder for OsFolder {
    fn open(&self, name: &str, purpose: Purpose) -> io::Result<Arc<dyn Disk>> {
        Ok(OsDisk::on(self.0.open_file(name, access(purpose))?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn Disk>> {
        Ok(OsDisk::on(self.0.open_file(name, Access::New)?))
    }

    fn contains(&self, name: &str) -> io::Result<bool> {
        self.0.contains(name)
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename_new(from, to)
    }

    fn make_folder(&self, name: &str) -> io::Result<Arc<dyn Folder>> {
        if self.0.contains(name)? {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        Ok(Arc::new(Self(self.0.make_child(name)?)))
    }

    fn open_folder(&self, name: &str) -> io::Result<Arc<dyn Folder>> {
        Ok(Arc::new(Self(self.0.open_child(name)?)))
    }

    fn remove_folder(&self, name: &str) -> io::Result<()> {
        self.0.remove_child(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.0.names()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn boot(&self) -> Option<BootId> {
        boot::id()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Opens a directory by the host's path, itself and not what a symbolic link points at.
pub(crate) fn open_folder(path: &Path) -> io::Result<Arc<dyn Folder>> {
    Ok(Arc::new(OsFolder(Directory::open_path(path)?)))
}

/// The base directory, entered anew for each call: nothing is held open between runs.
#[derive(Debug)]
pub(crate) struct OsVolume {
    base: PathBuf,
}

impl OsVolume {
    pub(crate) fn new(base: &Path) -> Self {
        Self { base: base.to_path_buf() }
    }
}

impl Volume for OsVolume {
    fn make_instance(&self, instance_id: &str) -> io::Result<Arc<dyn Folder>> {
        Ok(Arc::new(OsFolder(Directory::make_base(&self.base)?.make_child(instance_id)?)))
    }

    fn open_instance(&self, instance_id: &str) -> io::Result<Arc<dyn Folder>> {
        Ok(Arc::new(OsFolder(Directory::open_base(&self.base)?.open_child(instance_id)?)))
    }

    fn path(&self, instance_id: &str) -> PathBuf {
        self.base.join(instance_id)
    }
}
