//! The files of a run that are open for reading: the latest few, whatever the length of the run.
//!
//! A long run has more segments and indices than a process may have descriptors, and running out
//! of them would halt the engine that writes. A file that was not read for a while is closed, and
//! opened again when it is next read; whoever reads it meanwhile keeps it open. The file that the
//! writer appends to is its own: `writer`.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::backend::disk::{Disk, Folder, Purpose};

/// How many files of a run stay open for reading.
const OPEN_FILES_MAX: usize = 32;

/// See the module.
#[derive(Debug)]
pub(super) struct OpenFiles {
    folder: Arc<dyn Folder>,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    /// Counts reads.
    clock: u64,
    files: Vec<Opened>,
}

#[derive(Debug)]
struct Opened {
    id: Id,
    /// When it was read last.
    read_at: u64,
    disk: Arc<dyn Disk>,
}

/// A name of up to 16 bytes, which all files that are read this way have, as a number: every read
/// looks for it.
type Id = u128;

fn id(name: &str) -> Id {
    let mut bytes = [0; size_of::<Id>()];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Id::from_le_bytes(bytes)
}

impl OpenFiles {
    pub(super) fn new(folder: Arc<dyn Folder>) -> Arc<Self> {
        Arc::new(Self { folder, recent: Mutex::default() })
    }

    /// A file of this name, to be opened when it is read.
    pub(super) fn file(self: &Arc<Self>, name: String) -> OpenFile {
        OpenFile { files: self.clone(), id: id(&name), name }
    }

    /// Opens the file of this name anew when it is next read: it is another one now.
    pub(super) fn forget(&self, name: &str) {
        self.recent.lock().files.retain(|open| open.id != id(name));
    }

    fn open(&self, id: Id, name: &str) -> io::Result<Arc<dyn Disk>> {
        let mut recent = self.recent.lock();
        recent.clock += 1;
        let read_at = recent.clock;
        let files = &mut recent.files;
        if let Some(open) = files.iter_mut().find(|open| open.id == id) {
            open.read_at = read_at;
            return Ok(open.disk.clone());
        }
        let disk = self.folder.open(name, Purpose::Read)?;
        if files.len() == OPEN_FILES_MAX {
            let oldest = files.iter().enumerate().min_by_key(|(_, open)| open.read_at);
            let (oldest, _) = oldest.expect("some are open");
            files.swap_remove(oldest);
        }
        files.push(Opened { id, read_at, disk: disk.clone() });
        Ok(disk)
    }
}

/// A file of a run, for reading.
#[derive(Debug, Clone)]
pub(super) struct OpenFile {
    files: Arc<OpenFiles>,
    id: Id,
    name: String,
}

impl OpenFile {
    /// The run's files.
    pub(super) fn files(&self) -> &Arc<OpenFiles> {
        &self.files
    }

    /// The file's length, in bytes.
    pub(super) fn len(&self) -> io::Result<u64> {
        self.files.open(self.id, &self.name)?.len()
    }

    /// Fills `out` from `offset`, or fails.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.files.open(self.id, &self.name)?.read(offset, out)
    }
}
