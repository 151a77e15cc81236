//! The writer over a backend that takes a batch in while another is on its way to the disk.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::{draft, settings};
use crate::backend::memory::MemoryStore;
use crate::backend::{Direction, EventReader, EventStore, Pipeline, Sealed};
use crate::entry::{AppendEntry, Entry};
use crate::error::{EventStoreError, Result};
use crate::index::KeyList;
use crate::manifest::{RunManifest, RunStatus};
use crate::snapshot::SnapshotAnchor;
use crate::writer::{
    CloseOptions, Created, QueueMemory, Run, Settings, SubmitOptions, WriterThread,
};

/// What happened, and what shall happen.
#[derive(Default)]
struct Script {
    /// Until then, no batch becomes durable.
    is_released: AtomicBool,
    /// Up to where batches became durable.
    durable_seq: AtomicU64,
    started_max: AtomicUsize,
    /// The batch whose flush is refused, counted from 1; 0 = none.
    fails_at: AtomicUsize,
    finished: AtomicUsize,
    /// The sizes of batches, and 0 for an anchor.
    order: Mutex<Vec<usize>>,
}

struct SideBySideStore {
    inner: MemoryStore,
    started: VecDeque<Vec<Entry>>,
    script: Arc<Script>,
}

impl SideBySideStore {
    fn append_released(&mut self, entries: &[AppendEntry<'_>]) -> Result<u64> {
        while !self.is_flushed() {
            thread::sleep(Duration::from_millis(1));
        }
        let durable_seq = self.inner.append_batch(entries)?;
        self.script.durable_seq.store(durable_seq, Ordering::SeqCst);
        Ok(durable_seq)
    }
}

impl EventStore for SideBySideStore {
    fn open_run(&mut self, manifest: &RunManifest) -> Result<()> {
        self.inner.open_run(manifest)
    }

    fn load_crashed(&mut self, instance_id: &str, run_id: &str) -> Result<()> {
        self.inner.load_crashed(instance_id, run_id)
    }

    fn append_batch(&mut self, entries: &[AppendEntry<'_>]) -> Result<u64> {
        assert!(self.started.is_empty(), "what was started is finished first");
        self.script.order.lock().unwrap().push(entries.len());
        self.append_released(entries)
    }

    fn pipeline(&mut self) -> Option<&mut dyn Pipeline> {
        Some(self)
    }

    fn record_snapshot_anchor(&mut self, anchor: &SnapshotAnchor) -> Result<()> {
        assert!(self.started.is_empty(), "what was started is finished first");
        self.script.order.lock().unwrap().push(0);
        self.inner.record_snapshot_anchor(anchor)
    }

    fn seal(&mut self, status: RunStatus) -> Result<Sealed> {
        assert!(self.started.is_empty(), "what was started is finished first");
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

impl Pipeline for SideBySideStore {
    fn start(&mut self, entries: &[AppendEntry<'_>]) -> Result<()> {
        self.started.push_back(entries.iter().map(|item| item.entry.to_entry()).collect());
        self.script.started_max.fetch_max(self.started.len(), Ordering::SeqCst);
        self.script.order.lock().unwrap().push(entries.len());
        Ok(())
    }

    fn is_flushed(&self) -> bool {
        self.script.is_released.load(Ordering::SeqCst)
    }

    fn finish(&mut self) -> Result<u64> {
        if self.script.finished.fetch_add(1, Ordering::SeqCst) + 1
            == self.script.fails_at.load(Ordering::SeqCst)
        {
            return Err(EventStoreError::backend("planted"));
        }
        let entries = self.started.pop_front().expect("a batch was started");
        let as_appends = |entry| AppendEntry { entry, keys: KeyList::EMPTY };
        let entries: Vec<_> = entries.iter().map(Entry::view).map(as_appends).collect();
        self.append_released(&entries)
    }
}

const GROUP_ENTRIES: u64 = 300;

fn start(script: &Arc<Script>) -> Run {
    let manifest = RunManifest::new("r-1", "i-1", 1000);
    let (inner, script) = (MemoryStore::new(None), script.clone());
    let mut store = Box::new(SideBySideStore { inner, started: VecDeque::new(), script });
    store.open_run(&manifest).unwrap();
    let created = Created { store, path: None, instance_lock: None, reopen: None };
    let settings = Settings { queue_entries: 4096, group_entries: GROUP_ENTRIES, ..settings() };
    let memory = QueueMemory::new(&settings).unwrap();
    let thread = WriterThread::spawn(&settings).unwrap();
    Run::start(created, &manifest, &settings, memory, thread, None).unwrap()
}

/// Under a backlog two batches are on their way at once, an anchor comes when its entry is durable
/// and nothing is on its way, and everything is read back in its order.
#[test]
fn backlog_is_committed_side_by_side_and_in_order() {
    let script = Arc::new(Script::default());
    let run = start(&script);
    let mut payloads = Vec::new();
    for ts_init in 1..=3000 {
        run.submit(&draft(ts_init), SubmitOptions::default()).unwrap();
        payloads.push(ts_init);
    }
    let anchor = |high_watermark| SnapshotAnchor {
        high_watermark,
        blob_ref: "blob".into(),
        content_hash: "blake3:00".into(),
    };
    let queued = run.record_anchor(&anchor(700), 0);
    assert!(matches!(queued, Err(EventStoreError::Timeout)), "{queued:?}");
    assert_eq!(run.state().high_watermark, 0, "nothing is acknowledged before its flush");
    script.is_released.store(true, Ordering::SeqCst);
    let closed = run.close(&CloseOptions::default()).unwrap();
    assert_eq!((closed.status, closed.high_watermark), (RunStatus::Ended, 3001));
    let reader = run.view().unwrap();
    let read = reader.scan_range(1, 3000, Direction::Forward).unwrap();
    let read: Vec<_> = read.iter().map(|entry| entry.ts_init).collect();
    assert_eq!(read, payloads);
    assert_eq!(reader.latest_snapshot_anchor().unwrap().unwrap().high_watermark, 700);
    assert_eq!(script.started_max.load(Ordering::SeqCst), 2);
    let order = script.order.lock().unwrap();
    assert!(order.iter().all(|size| *size as u64 <= GROUP_ENTRIES), "{order:?}");
    let before_anchor: usize = order.iter().take_while(|size| **size > 0).sum();
    assert!((700..=700 + 3 * GROUP_ENTRIES as usize).contains(&before_anchor), "{order:?}");
}

/// A refused flush halts the run; what was started behind it is not acknowledged.
#[test]
fn refused_flush_halts_and_acknowledges_nothing_behind_it() {
    let script = Arc::new(Script::default());
    script.fails_at.store(2, Ordering::SeqCst);
    let run = start(&script);
    for ts_init in 1..=3000 {
        run.submit(&draft(ts_init), SubmitOptions::default()).unwrap();
    }
    script.is_released.store(true, Ordering::SeqCst);
    let answer = run.flush(u64::MAX);
    assert!(matches!(answer, Err(EventStoreError::Halted { .. })), "{answer:?}");
    let durable_seq = script.durable_seq.load(Ordering::SeqCst);
    assert_eq!(run.state().high_watermark, durable_seq);
    assert_eq!(script.finished.load(Ordering::SeqCst), 2, "nothing behind it is waited for");
}
