//! Where runs are written while measuring; gone afterwards.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

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
            remove(&item.map_err(failed)?.path()).map_err(failed)?;
        }
        fs::File::open(&self.0).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// A run that was let go of without a close ends on its own thread, which may be preparing a
/// segment of the log: it is waited for.
fn remove(path: &Path) -> io::Result<()> {
    const PAUSE: Duration = Duration::from_millis(50);
    const WAIT_MAX: Duration = Duration::from_secs(10);
    let begun = Instant::now();
    loop {
        match fs::remove_dir_all(path) {
            Err(error)
                if error.kind() == io::ErrorKind::DirectoryNotEmpty
                    && begun.elapsed() < WAIT_MAX =>
            {
                std::thread::sleep(PAUSE);
            }
            removed => return removed,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As a log's thread does that prepares a segment while its folder is being removed.
    #[test]
    fn folder_that_is_still_written_to_is_cleared() {
        let folder = WorkFolder::new(&std::env::temp_dir()).expect("a folder");
        let base = folder.base().expect("a base");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let until = Instant::now() + Duration::from_millis(300);
                for number in 0.. {
                    if Instant::now() > until
                        || fs::write(base.join(number.to_string()), "").is_err()
                    {
                        break;
                    }
                }
            });
            folder.clear().expect("cleared");
        });
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 0);
    }
}
