//! Reading a run: live beside its writer, sealed, or after a crash.
//!
//! A reader adds to the backend's view what readers of every backend share: waiting for more, the
//! restore plan, the run's path, and the sealing of a run that its writer left. Any thread.

mod tail;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use self::tail::Mover;

pub use crate::backend::{Ended, Tail};
use crate::backend::{EventReader, EventStore};
use crate::error::{EventStoreError, Result};
use crate::manifest::RunStatus;
use crate::platform::lock::InstanceLock;
use crate::snapshot::SnapshotAnchor;
use crate::writer::{CloseReport, Run};

/// What an engine does to stand where the run stood: load the snapshot, replay the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePlan {
    /// The snapshot to start from; without one, start empty.
    pub anchor: Option<SnapshotAnchor>,
    /// The first `seq` to replay.
    pub replay_from: u64,
    /// The last one; below `replay_from` when nothing is to be replayed.
    pub replay_to: u64,
}

/// A view of one run. Any thread; outlives the run's writer.
pub struct Reader {
    view: Arc<dyn EventReader>,
    path: Option<PathBuf>,
    mover: Mover,
    crashed: Option<Mutex<Crashed>>,
}

/// A run without a writer, held for sealing under the instance's lock.
struct Crashed {
    store: Box<dyn EventStore>,
    _instance_lock: InstanceLock,
}

const _: () = {
    const fn any_thread<T: Send + Sync>() {}
    any_thread::<Reader>();
};

impl Reader {
    /// A reader of a sealed run.
    pub(crate) fn new(view: Arc<dyn EventReader>, path: Option<PathBuf>) -> Self {
        Self { view, path, mover: Mover::Nobody, crashed: None }
    }

    /// A reader of a run that another process may be writing.
    pub(crate) fn elsewhere(view: Arc<dyn EventReader>, path: PathBuf) -> Self {
        Self { view, path: Some(path), mover: Mover::Elsewhere, crashed: None }
    }

    /// A reader of a run that is being written, or was. As long as it lives nobody else repairs or
    /// deletes the run.
    ///
    /// # Errors
    /// Those of [`Run::view`].
    pub fn of(run: &Run) -> Result<Self> {
        let (path, mover) = (run.path().map(Path::to_path_buf), Mover::Here(run.watermark()));
        Ok(Self { view: run.view()?, path, mover, crashed: None })
    }

    /// A reader of a run that its writer left, which it may seal.
    pub(crate) fn crashed(
        store: Box<dyn EventStore>,
        path: Option<PathBuf>,
        instance_lock: InstanceLock,
    ) -> Result<Self> {
        let view = store.reader()?;
        let crashed = Mutex::new(Crashed { store, _instance_lock: instance_lock });
        Ok(Self { view, path, mover: Mover::Nobody, crashed: Some(crashed) })
    }

    /// The rows, keys, anchor and manifest of the run.
    pub fn view(&self) -> &dyn EventReader {
        &*self.view
    }

    /// The run's file or directory; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Waits until `seq` is durable, the run is sealed, or its writer is gone without sealing it;
    /// answers at once for a run that nobody writes. `timeout_ns` 0 polls, `u64::MAX` waits without
    /// end. A run that this process writes wakes its waiters; one of another process is looked at
    /// again every 2 ms at the latest.
    ///
    /// # Errors
    /// `Timeout`: call again; `Corrupted` when what was acknowledged is damaged or missing; those of
    /// the view's manifest.
    pub fn wait_tail(&self, seq: u64, timeout_ns: u64) -> Result<Tail> {
        tail::wait(&self.mover, &*self.view, seq, timeout_ns)
    }

    /// The latest anchor and the range to replay after it.
    ///
    /// # Errors
    /// `Corrupted` when the anchor names an entry beyond the high-watermark.
    pub fn restore_plan(&self) -> Result<RestorePlan> {
        let anchor = self.view.latest_snapshot_anchor()?;
        // After the anchor, since on a live run both rise.
        let replay_to = self.view.high_watermark();
        let covered = anchor.as_ref().map_or(0, |anchor| anchor.high_watermark);
        if covered > replay_to {
            let path = self.path.as_deref().unwrap_or(Path::new(""));
            let message = format!("the anchor covers entry {covered}, the run ends at {replay_to}");
            return Err(EventStoreError::corrupted(path, message));
        }
        Ok(RestorePlan { anchor, replay_from: covered + 1, replay_to })
    }

    /// Seals a run that its writer left, durably, and closes its file in order.
    ///
    /// # Errors
    /// `Unsupported` for a reader that was not opened for it; `Closed` when it is sealed already;
    /// `Busy` while another thread seals it; `InvalidArgument` for `Running`; the error of the first
    /// bad row, unless it is sealed `Quarantined`; `Disk`, `Backend`.
    pub fn seal(&self, status: RunStatus) -> Result<CloseReport> {
        let Some(crashed) = &self.crashed else {
            let what = "sealing through a reader that was not opened with es_open_crashed_run";
            return Err(EventStoreError::Unsupported { what: what.into() });
        };
        // Not waited for: sealing reads the whole run, and has no timeout to end the wait with.
        let Some(mut crashed) = crashed.try_lock() else {
            return Err(EventStoreError::Busy { what: "another thread seals this run" });
        };
        let sealed = crashed.store.seal(status)?;
        crashed.store.close()?;
        Ok(CloseReport {
            status,
            high_watermark: sealed.high_watermark,
            digest: sealed.digest,
            halt: None,
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(crashed) = &mut self.crashed {
            crashed.get_mut().store.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;
    use std::{env, fs, process, thread};

    use super::*;
    use crate::backend::memory::MemoryStore;
    use crate::manifest::RunManifest;

    /// Sealing has no timeout, so a second thread is answered and not made to wait.
    #[test]
    fn seal_beside_another_thread_is_busy() {
        let base = env::temp_dir().join(format!("es-reader-seal-{}", process::id()));
        let lock = InstanceLock::acquire(&base, "i").unwrap();
        let mut store = MemoryStore::new(None);
        store.open_run(&RunManifest::new("r", "i", 0)).unwrap();
        let reader = Reader::crashed(Box::new(store), None, lock).unwrap();
        thread::scope(|scope| {
            let sealing = reader.crashed.as_ref().unwrap().lock();
            let (answer, answered) = mpsc::channel();
            let second = &reader;
            scope.spawn(move || answer.send(second.seal(RunStatus::CrashedRecovered)).unwrap());
            let answer = answered.recv_timeout(Duration::from_secs(10));
            drop(sealing);
            let refused = answer.expect("the second thread waits").unwrap_err();
            assert!(matches!(refused, EventStoreError::Busy { .. }), "{refused}");
        });
        assert_eq!(reader.seal(RunStatus::CrashedRecovered).unwrap().high_watermark, 0);
        fs::remove_dir_all(&base).unwrap();
    }
}
