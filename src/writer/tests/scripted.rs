//! A backend that can be held, failed and made to panic at will.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, ThreadId};

use crate::backend::memory::MemoryStore;
use crate::backend::{EventReader, EventStore, Sealed};
use crate::entry::AppendEntry;
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::{RunManifest, RunStatus};
use crate::snapshot::SnapshotAnchor;

/// What the backend does with the next appends.
#[derive(Default)]
pub(super) struct Script {
    /// Appends wait while this is set.
    pub(super) held: Mutex<bool>,
    pub(super) changed: Condvar,
    /// The append that fails, counted from 1; 0 = none.
    pub(super) fails_at: AtomicU64,
    pub(super) panics_at: AtomicU64,
    pub(super) appends: AtomicU64,
    /// How many entries each append had.
    pub(super) groups: Mutex<Vec<usize>>,
    /// Which thread made each append.
    pub(super) threads: Mutex<Vec<ThreadId>>,
}

impl Script {
    pub(super) fn hold(&self) {
        *self.held.lock().unwrap() = true;
    }

    pub(super) fn release(&self) {
        *self.held.lock().unwrap() = false;
        self.changed.notify_all();
    }
}

/// The memory backend under a script.
pub(super) struct ScriptedStore {
    pub(super) inner: MemoryStore,
    pub(super) script: Arc<Script>,
}

impl EventStore for ScriptedStore {
    fn open_run(&mut self, manifest: &RunManifest) -> Result<()> {
        self.inner.open_run(manifest)
    }

    fn load_crashed(&mut self, instance_id: &str, run_id: &str) -> Result<()> {
        self.inner.load_crashed(instance_id, run_id)
    }

    fn append_batch(&mut self, entries: &[AppendEntry<'_>]) -> Result<u64> {
        self.script.threads.lock().unwrap().push(thread::current().id());
        let number = self.script.appends.fetch_add(1, Ordering::SeqCst) + 1;
        let mut held = self.script.held.lock().unwrap();
        while *held {
            held = self.script.changed.wait(held).unwrap();
        }
        drop(held);
        self.script.groups.lock().unwrap().push(entries.len());
        if self.script.fails_at.load(Ordering::SeqCst) == number {
            let mut fault = Fault::new("no space left on device");
            fault.errno = Some(libc::ENOSPC);
            return Err(EventStoreError::Disk(Box::new(fault)));
        }
        assert_ne!(self.script.panics_at.load(Ordering::SeqCst), number, "planted panic");
        self.inner.append_batch(entries)
    }

    fn record_snapshot_anchor(&mut self, anchor: &SnapshotAnchor) -> Result<()> {
        self.inner.record_snapshot_anchor(anchor)
    }

    fn seal(&mut self, status: RunStatus) -> Result<Sealed> {
        self.inner.seal(status)
    }

    fn close(&mut self) -> Result<()> {
        self.inner.close()
    }

    fn abandon(&mut self) {
        self.inner.abandon();
    }

    fn reader(&self) -> Result<Arc<dyn EventReader>> {
        self.inner.reader()
    }
}
