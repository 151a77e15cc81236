//! Where runs are written while measuring; gone afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::failure::Failure;

/// A folder of its own, removed with all it holds when dropped.
pub(crate) struct WorkFolder(PathBuf);

static NEXT: AtomicU32 = AtomicU32::new(0);

impl WorkFolder {
    pub(crate) fn new(within: &Path) -> Result<Self, Failure> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = within.join(format!("eventstore-bench-{}-{number}", std::process::id()));
        fs::create_dir_all(&path)
            .map_err(|error| Failure::from_io(path.display(), "making the folder", &error))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A folder in it, for one run: a base has one writer at a time.
    pub(crate) fn base(&self) -> Result<PathBuf, Failure> {
        let path = self.0.join(format!("base-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&path)
            .map_err(|error| Failure::from_io(path.display(), "making the folder", &error))?;
        Ok(path)
    }

    /// Removes what is in it, and waits until the disk has that behind it too.
    pub(crate) fn clear(&self) -> Result<(), Failure> {
        let failed = |error| Failure::from_io(self.0.display(), "clearing the folder", &error);
        for item in fs::read_dir(&self.0).map_err(failed)? {
            fs::remove_dir_all(item.map_err(failed)?.path()).map_err(failed)?;
        }
        fs::File::open(&self.0).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // What is left over is in a folder whose name says whose it was.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a file or a folder takes on the disk.
pub(crate) fn disk_bytes(path: &Path) -> Result<u64, Failure> {
    use std::os::unix::fs::MetadataExt;
    const BLOCK_BYTES: u64 = 512;
    let failed = |error| Failure::from_io(path.display(), "looking at the run", &error);
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_dir() {
        return Ok(metadata.blocks() * BLOCK_BYTES);
    }
    let mut total = 0;
    for item in fs::read_dir(path).map_err(failed)? {
        total += disk_bytes(&item.map_err(failed)?.path())?;
    }
    Ok(total)
}

/// Bytes that a folder's disk has room for.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, Failure> {
    let disk = rustix::fs::statvfs(path)
        .map_err(|error| Failure::from_io(path.display(), "looking at the disk", &error.into()))?;
    Ok(disk.f_bavail * disk.f_frsize)
}
