//! The seam between the backends that keep files and the operating system.
//!
//! A [`Disk`] is one open file, a [`Folder`] the names of one instance's runs or the files of a run
//! that is a directory, a [`Volume`] the base with its instances. The shipped ones (`os_disk`) only
//! forward to `platform`; the power-cut test brings its own, so that it drives the very code that
//! ships. No redb type in the contract but the bounds of its lock calls. What is written, when and
//! in which order: the backends.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range};
use std::path::PathBuf;
use std::sync::Arc;

/// How a range of a file is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Nobody else holds any of it.
    Exclusive,
    /// Others may share it.
    Shared,
}

/// A range of bytes to be locked.
pub type LockRange = (Bound<u64>, Bound<u64>);

/// What a run is held by: the part of its lock range that every opening of redb 4 takes, shared or
/// not, and that it ties to the whole-file lock of its older versions. Beyond any byte of a file.
pub const HOLD_RANGE: LockRange = (Bound::Included((1 << 62) + 1024), Bound::Unbounded);

/// What readers in other processes hold, shared, of a run that its writer may hold as well: whoever
/// deletes a run takes it exclusively first. Below what redb reserves for itself.
pub const FOLLOW_RANGE: LockRange = (Bound::Included(1 << 61), Bound::Included(1 << 61));

/// One open file. Any thread; none of the calls is buffered.
pub trait Disk: Debug + Send + Sync + 'static {
    /// The file's length, in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `out` from `offset`, or fails.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    /// Writes all parts, one after the other, from `offset`, or fails.
    fn write(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()>;
    /// Extends the file from `from` to `to` with zeros that have real space.
    fn extend(&self, from: u64, to: u64) -> io::Result<()>;
    /// Gives back the space of bytes that are zero, and stay so; nothing where this cannot be done.
    fn free_zeros(&self, from: u64, to: u64) -> io::Result<()>;
    /// Cuts the file at `len`.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// Begins to put a part of what was written on stable storage, and does not wait: a flush then
    /// finds less to do. What fails here, the next flush tells.
    fn start_writeback(&self, _from: u64, _to: u64) {}
    /// Returns once the device has taken what was written to a part, so that a flush of another file
    /// need not wait for it. Nothing is on stable storage by it. What fails here, no flush tells
    /// again: only for a file that is then given up.
    fn write_back(&self, _from: u64, _to: u64) -> io::Result<()> {
        Ok(())
    }
    /// Returns once everything written is on stable storage.
    fn sync_data(&self) -> io::Result<()>;
    /// Flushes, then makes the next reads come from stable storage.
    fn forget_cached(&self) -> io::Result<()>;
    /// The same for a part of the file at least, at a cost that does not grow with the rest of it.
    fn forget_cached_part(&self, _from: u64, _to: u64) -> io::Result<()> {
        self.forget_cached()
    }
    /// Whether the file has no name any more.
    fn is_unlinked(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Takes a lock; `false` when somebody else holds it. Waits for it if asked to.
    fn lock(&self, range: LockRange, mode: LockMode, wait: bool) -> io::Result<bool>;
    /// Lets go of a lock.
    fn unlock(&self, range: LockRange) -> io::Result<()>;
    /// Whether somebody else holds a lock that an exclusive one would meet.
    fn is_locked_elsewhere(&self, range: LockRange) -> io::Result<bool>;
    /// Lets go of all locks.
    fn unlock_all(&self) -> io::Result<()>;
}

/// Zeros are written this many at a time: other writes to the file wait no longer.
const ZEROS_BYTES: u64 = 256 << 10;

/// Writes zeros over a range that has space: its blocks are then written ones, and what is written
/// there later changes nothing but their content. Asked before each piece whether it `may_go_on`.
///
/// # Errors
/// The first refused write; `Interrupted` when it might not go on.
pub(crate) fn write_zeros(
    disk: &dyn Disk,
    range: Range<u64>,
    may_go_on: impl Fn() -> bool,
) -> io::Result<()> {
    let zeros = [0; 64 << 10];
    let mut at = range.start;
    while at < range.end {
        if !may_go_on() {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        let bytes = (range.end - at).min(ZEROS_BYTES) as usize;
        let whole = std::iter::repeat_n(&zeros[..], bytes / zeros.len());
        let parts: Vec<&[u8]> = whole.chain([&zeros[..bytes % zeros.len()]]).collect();
        disk.write(at, &parts)?;
        at += bytes as u64;
    }
    Ok(())
}

/// Copies the first bytes of a file into one that is empty, and flushes that.
pub(crate) fn copy_bytes(from: &dyn Disk, to: &dyn Disk, count: u64) -> io::Result<()> {
    const CHUNK_BYTES: u64 = 1 << 20;
    to.extend(0, count)?;
    let mut chunk = vec![0; count.min(CHUNK_BYTES) as usize];
    let mut at = 0;
    while at < count {
        let part = &mut chunk[..(count - at).min(CHUNK_BYTES) as usize];
        from.read(at, part)?;
        to.write(at, &[part])?;
        at += part.len() as u64;
    }
    to.sync_data()
}

/// One start of the operating system; another one has another.
pub type BootId = [u8; 16];

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reading alone.
    Read,
    /// Reading and writing.
    Write,
}

/// A directory: of one instance, or of a run that is one.
pub trait Folder: Debug + Send + Sync + 'static {
    /// Opens a file that exists.
    fn open(&self, name: &str, purpose: Purpose) -> io::Result<Arc<dyn Disk>>;
    /// Makes a file that does not exist.
    fn create(&self, name: &str) -> io::Result<Arc<dyn Disk>>;
    /// Whether something of this name exists.
    fn contains(&self, name: &str) -> io::Result<bool>;
    /// Renames; fails with `AlreadyExists` when the new name is taken.
    fn rename_new(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes a directory that does not exist; its name is durable once this folder is flushed.
    fn make_folder(&self, name: &str) -> io::Result<Arc<dyn Folder>>;
    /// Opens a directory.
    fn open_folder(&self, name: &str) -> io::Result<Arc<dyn Folder>>;
    /// Removes an empty directory.
    fn remove_folder(&self, name: &str) -> io::Result<()>;
    /// All names, sorted.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Removes a file's name.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Returns once all names are on stable storage.
    fn sync(&self) -> io::Result<()>;
    /// The start of the system that runs now: as long as it does, the kernel has what a killed
    /// process wrote. `None` where the system does not tell.
    fn boot(&self) -> Option<BootId>;
    /// Where a file of this name lies, for messages and for the host.
    fn path(&self, name: &str) -> PathBuf;
}

/// The base directory.
pub trait Volume: Debug + Send + Sync + 'static {
    /// Opens an instance's directory, making what is missing; durable when it returns.
    fn make_instance(&self, instance_id: &str) -> io::Result<Arc<dyn Folder>>;
    /// Opens an instance's directory that exists.
    fn open_instance(&self, instance_id: &str) -> io::Result<Arc<dyn Folder>>;
    /// Where an instance's directory lies, for messages.
    fn path(&self, instance_id: &str) -> PathBuf;
}
