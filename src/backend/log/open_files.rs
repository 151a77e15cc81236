//! The files of a run that are open for reading: the latest few, whatever the length of the run.
//!
//! A long run has more segments and indices than a process may have descriptors, and running out
//! of them would halt the engine that writes. A file that was not read for a while is closed, and
//! opened again when it is next read; whoever reads it meanwhile keeps it open. The file that the
//! writer appends to is its own: `writer`.

use std::collections::VecDeque;
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
    /// The file that was read last stands last.
    recent: Mutex<VecDeque<(String, Arc<dyn Disk>)>>,
}

impl OpenFiles {
    pub(super) fn new(folder: Arc<dyn Folder>) -> Arc<Self> {
        Arc::new(Self { folder, recent: Mutex::default() })
    }

    /// A file of this name, to be opened when it is read.
    pub(super) fn file(self: &Arc<Self>, name: String) -> OpenFile {
        OpenFile { files: self.clone(), name }
    }

    /// Opens the file of this name anew when it is next read: it is another one now.
    pub(super) fn forget(&self, name: &str) {
        self.recent.lock().retain(|(open, _)| open != name);
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Disk>> {
        let mut recent = self.recent.lock();
        if let Some(at) = recent.iter().position(|(open, _)| open == name) {
            let found = recent.remove(at).expect("found there");
            let disk = found.1.clone();
            recent.push_back(found);
            return Ok(disk);
        }
        let disk = self.folder.open(name, Purpose::Read)?;
        if recent.len() == OPEN_FILES_MAX {
            recent.pop_front();
        }
        recent.push_back((name.to_owned(), disk.clone()));
        Ok(disk)
    }
}

/// A file of a run, for reading.
#[derive(Debug, Clone)]
pub(super) struct OpenFile {
    files: Arc<OpenFiles>,
    name: String,
}

impl OpenFile {
    /// The run's files.
    pub(super) fn files(&self) -> &Arc<OpenFiles> {
        &self.files
    }

    /// The file's length, in bytes.
    pub(super) fn len(&self) -> io::Result<u64> {
        self.files.open(&self.name)?.len()
    }

    /// Fills `out` from `offset`, or fails.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.files.open(&self.name)?.read(offset, out)
    }
}
