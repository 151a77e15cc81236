//! Folders that go when the test ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A new, empty folder, removed with all it holds when dropped.
pub struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    /// Makes the folder; `label` tells its test apart in a listing.
    pub fn new(label: &str) -> Self {
        Self::below(&std::env::temp_dir(), label)
    }

    /// The same in memory, where the machine has a place for that: flushes then cost nothing.
    pub fn in_memory(label: &str) -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::below(memory, label) } else { Self::new(label) }
    }

    fn below(parent: &Path, label: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("eventstore-{}-{number}-{label}", std::process::id());
        let path = parent.join(name);
        // A folder left by a killed test process that had the same id.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the temporary folder can be made");
        Self { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
