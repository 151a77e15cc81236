//! What operations ask of a backend's run files, in whatever state these were found.
//!
//! A [`RunFormat`] finds the runs of one base, a [`FoundRun`] is one of them, open and locked for
//! as long as it lives. Nothing here writes to a run but [`FoundRun::adopt`] and
//! [`FoundRun::remove`]. Which runs are looked at, and what becomes of them: `catalogue`,
//! `verifier`, `recovery`, `salvage`, `retention`.

use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{EventReader, EventStore};
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::{RunManifest, RunStatus};

/// How a run's file is held meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Readers may hold it too, a writer may not.
    Shared,
    /// Nobody else holds it.
    Exclusive,
}

/// What an examination found.
pub(crate) enum Examined {
    /// Every part of the structure holds its checksum.
    Sound(Arc<dyn EventReader>),
    /// Some part does not; the reason is for people.
    Unsound(EventStoreError),
}

/// The run files of one backend below one base.
pub(crate) trait RunFormat: Send + Sync {
    /// What follows the run id in a run's name, dot included.
    fn suffix(&self) -> &'static str;

    /// Opens and holds a run, without following a symbolic link below the base.
    ///
    /// # Errors
    /// `Locked` when somebody holds it otherwise; `NotFound`; `Corrupted` for what does not start
    /// as a file of this format does; `Backend` for what cannot be opened.
    fn find(&self, instance_id: &str, run_id: &str, hold: Hold) -> Result<Box<dyn FoundRun>>;
}

/// A run that is to be copied, held so that nobody deletes it meanwhile.
pub(crate) trait CopySource {
    /// What the run says of itself.
    fn manifest(&self) -> Result<RunManifest>;

    /// Copies it as it stands to `<base>/<instance_id>/`, under its own name, durable there and
    /// whole when this returns; before, the name does not exist. Of a run that is being written:
    /// what is acknowledged, as if its process had died then.
    ///
    /// # Errors
    /// `AlreadyExists`; `Corrupted`; `Disk`, `Backend`. What is left is a temporary name at most.
    fn copy_to(&self, base: &Path) -> Result<CopiedRun>;
}

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedRun {
    /// Its file or directory.
    pub path: PathBuf,
    /// `Running` for a run that is to be recovered.
    pub status: RunStatus,
    /// Its last entry.
    pub high_watermark: u64,
    /// Its length on the disk, in bytes.
    pub bytes: u64,
}

/// A name in the copy's directory that is taken.
pub(crate) fn taken(path: &Path) -> EventStoreError {
    let reason = "a run of this name exists there, choose another base";
    EventStoreError::AlreadyExists(Box::new(Fault::new(reason).at(path)))
}

/// The name of a copy before it is whole; recovery moves what a crash leaves of it aside.
pub(crate) fn unfinished_copy_name(name: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!(".{name}.copy-{}-{count}", process::id())
}

/// One run, open and held until dropped.
pub(crate) trait FoundRun: Send {
    /// How long it is on the disk, in bytes.
    fn bytes(&self) -> u64;

    /// Flushes the file and makes the next reads come from stable storage: after a failed flush,
    /// the kernel's copy holds what the disk never got.
    ///
    /// # Errors
    /// `Disk`, `Backend`.
    fn distrust_cache(&self) -> Result<()>;

    /// A plain view, at a cost that does not grow with the run. Trusts the file's structure.
    ///
    /// # Errors
    /// `NotSealed` when it was not closed in order, whatever its status; `Corrupted`;
    /// `UnsupportedFormat`.
    fn open(&self, cache_bytes: usize) -> Result<Arc<dyn EventReader>>;

    /// A view of what a repair would leave, after a check of the whole structure. Nothing is
    /// written: repairs stay in memory. A backend that can check in parts does it with so many
    /// threads, 0 as many as there are processors for them; what is found does not depend on it.
    ///
    /// # Errors
    /// `Corrupted` for a sound file that holds no run; `UnsupportedFormat`; `Backend`.
    fn examine(&self, cache_bytes: usize, threads: usize) -> Result<Examined>;

    /// Whether [`FoundRun::examine`] compares every index with the entries, so that what it calls
    /// sound has no row too many, too few or wrong.
    fn examines_indices(&self) -> bool {
        false
    }

    /// A view of a file whose structure is unsound: each read may fail, or panic inside and
    /// answer `Corrupted`, and after that another view must be opened.
    ///
    /// # Errors
    /// `Corrupted` when not even that is possible; `UnsupportedFormat`.
    fn open_damaged(&self, cache_bytes: usize) -> Result<Arc<dyn EventReader>>;

    /// Repairs the file in place if need be and goes on with it for reading and sealing, as
    /// [`EventStore::load_crashed`] does. Only after [`FoundRun::examine`], held exclusively.
    ///
    /// # Errors
    /// `Disk` and `Backend`: the file is as readable as before; `Corrupted`.
    fn adopt(
        self: Box<Self>,
        cache_bytes: usize,
        digest_key: Option<[u8; 32]>,
    ) -> Result<Box<dyn EventStore>>;

    /// Deletes the run, durably. Only held exclusively.
    ///
    /// # Errors
    /// `NotFound` when another file has its name by now; `Backend`.
    fn remove(self: Box<Self>) -> Result<()>;
}
