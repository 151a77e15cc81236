//! The exclusive lock of one trading instance: one writer or one recovery at a time.
//!
//! A kernel lock on `<base>/<instance_id>/.es.lock`, tied to the open file description: it goes
//! when the process dies, whatever way, and never needs a timeout or a process number. The file
//! stays; deleting it would let two holders lock two files of one name. The run's own lock: the
//! backend's.

use std::io;
use std::mem;
use std::path::Path;

use super::descriptor::{Descriptor, retry};
use super::directory::{Access, Directory};
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::check_id;

/// The name of the lock's file in the instance's directory.
pub(crate) const LOCK_FILE: &str = ".es.lock";

/// Holds the instance until dropped.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    file: Descriptor,
}

impl InstanceLock {
    /// Takes the lock, making the instance's directory when it is missing.
    ///
    /// # Errors
    /// `Locked` when somebody holds it, `Unsupported` when the file system refuses locks.
    pub(crate) fn acquire(base: &Path, instance_id: &str) -> Result<Self> {
        check_id("instance_id", instance_id)?;
        let directory = Directory::make_base(base).and_then(|base| base.make_child(instance_id));
        Self::lock_in(base, instance_id, directory)
    }

    /// Takes the lock of an instance that has been written to.
    ///
    /// # Errors
    /// `NotFound` when there is no such directory, and those of [`InstanceLock::acquire`].
    pub(crate) fn acquire_existing(base: &Path, instance_id: &str) -> Result<Self> {
        check_id("instance_id", instance_id)?;
        let directory = Directory::open_base(base).and_then(|base| base.open_child(instance_id));
        Self::lock_in(base, instance_id, directory)
    }

    fn lock_in(base: &Path, instance_id: &str, directory: io::Result<Directory>) -> Result<Self> {
        let path = base.join(instance_id);
        let directory = directory.map_err(|error| {
            EventStoreError::from_io("opening the instance's directory", Some(&path), error)
        })?;
        let lock_path = path.join(LOCK_FILE);
        let file = directory.open_file(LOCK_FILE, Access::WriteOrNew).map_err(|error| {
            EventStoreError::from_io("opening the lock", Some(&lock_path), error)
        })?;
        match set_lock(&file, libc::F_WRLCK) {
            Ok(()) => Ok(Self { file }),
            Err(error) => Err(refused(&lock_path, error)),
        }
    }
}

impl Drop for InstanceLock {
    /// Closing alone would leave the lock to a child that was just started and has a copy of the
    /// descriptor until its own program begins. In a forked child this changes nothing.
    fn drop(&mut self) {
        let _ = set_lock(&self.file, libc::F_UNLCK);
    }
}

fn set_lock(file: &Descriptor, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: `flock` is plain numbers, for which zero is valid: the whole file.
    let mut lock: libc::flock = unsafe { mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: `lock` outlives the call.
    retry(|| unsafe { libc::fcntl(file.raw(), libc::F_OFD_SETLK, &raw const lock) }).map(drop)
}

fn refused(path: &Path, error: io::Error) -> EventStoreError {
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => {
            let fault =
                Fault::new("a writer or a recovery holds this instance, wait until it ends");
            EventStoreError::Locked(Box::new(fault.at(path)))
        }
        Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP | libc::ENOLCK) => {
            let what = format!(
                "{}: the file system refuses locks ({error}), use a local one",
                path.display()
            );
            EventStoreError::Unsupported { what }
        }
        _ => EventStoreError::from_io("locking", Some(path), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A second holder is refused, in the same process too, until the first lets go.
    #[test]
    fn second_holder_is_refused_until_the_first_is_gone() {
        let base = std::env::temp_dir().join(format!("es-lock-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let first = InstanceLock::acquire(&base, "i-1").unwrap();
        let second = InstanceLock::acquire(&base, "i-1").unwrap_err();
        assert!(matches!(second, EventStoreError::Locked(_)), "{second}");
        InstanceLock::acquire(&base, "i-2").unwrap();
        drop(first);
        InstanceLock::acquire(&base, "i-1").unwrap();
        assert!(base.join("i-1/.es.lock").exists());
        fs::remove_dir_all(&base).unwrap();
    }
}
