//! Backends with one flaw each, to show that the behaviours catch it.
//!
//! A flaw is laid around the memory backend, at the calls where a real backend would have it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use eventstore::backend::memory::MemoryStore;
use eventstore::backend::{Direction, EventReader, EventStore, KeyVisitor, RowVisitor, Sealed};
use eventstore::digest::RunDigest;
use eventstore::entry::{AppendEntry, Row};
use eventstore::error::{EventStoreError, Result};
use eventstore::hash;
use eventstore::index::{self, IndexKey, IndexKind, KeyList};
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::snapshot::SnapshotAnchor;
use parking_lot::{Mutex, RwLock};

use super::fixture::Fixture;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Answers a refused batch with success.
    SwallowsOutOfOrder,
    /// Keeps the good entries before the one that was out of order.
    WritesPrefixOfRefusedBatch,
    /// Corrects the hash that it was to store.
    StoresItsOwnHash,
    /// Finds a key's latest entry.
    LastKeyWins,
    /// Takes a start of 0 for 1.
    ZeroIsOne,
    /// Scans backward from the wrong end.
    BackwardIsForward,
    /// Goes on after the visitor broke off.
    IgnoresBreak,
    /// Gives rows without their keys.
    RowsLoseKeys,
    /// Reads all of a range before it hands out the first row.
    ListsBeforeItStreams,
    /// Keeps the writer out while a visitor runs.
    VisitsUnderLock,
    /// Resumes an index at the key instead of after it.
    ResumesAtKey,
    /// Answers a refused anchor with success.
    SwallowsBadAnchor,
    /// Makes the digest without the anchor.
    DigestForgetsAnchor,
    /// Makes a plain digest although a key was given.
    DigestForgetsKey,
    /// Vouches for a quarantined run.
    QuarantinedHasDigest,
    /// Seals again.
    SealsTwice,
    /// Takes the last timestamp for the largest.
    EndIsTheLast,
    /// Searches times as if they never stepped back.
    TimesByHalves,
    /// Shows entries before they are committed.
    WatermarkRunsAhead,
    /// Shows the run as it was when the reader was made.
    ReaderStandsStill,
    /// Takes the name of a run that exists.
    ReusesNames,
    /// Takes entries into a run that was loaded after a crash.
    AppendsAfterCrash,
    /// Loses what it acknowledged when it is not closed in order.
    ForgetsOnAbandon,
}

/// The memory backend with a flaw.
pub struct Flawed(pub Flaw);

impl Fixture for Flawed {
    fn store(&self, digest_key: Option<[u8; 32]>) -> Box<dyn EventStore> {
        let digest_key = digest_key.filter(|_| self.0 != Flaw::DigestForgetsKey);
        Box::new(FlawedStore {
            flaw: self.0,
            inner: MemoryStore::new(digest_key),
            anchor: Arc::default(),
            gate: Arc::default(),
            crashed: false,
        })
    }

    fn restart(
        &self,
        store: Box<dyn EventStore>,
        digest_key: Option<[u8; 32]>,
    ) -> Box<dyn EventStore> {
        if self.0 == Flaw::ForgetsOnAbandon { self.store(digest_key) } else { store }
    }

    fn close_and_read(&self, store: &mut dyn EventStore, _run_id: &str) -> Arc<dyn EventReader> {
        let reader = store.reader().expect("a run is open");
        store.close().expect("a sealed run closes");
        reader
    }

    fn open_sealed(&self, _run_id: &str) -> Result<Arc<dyn EventReader>> {
        unreachable!("a memory run has no place to be opened at")
    }

    fn run_path(&self, _run_id: &str) -> PathBuf {
        unreachable!("a memory run has no place to be opened at")
    }

    fn model_cases(&self) -> u32 {
        64
    }
}

struct FlawedStore {
    flaw: Flaw,
    inner: MemoryStore,
    /// The anchor that readers show while the digest does not cover it.
    anchor: Arc<Mutex<Option<SnapshotAnchor>>>,
    /// Held by visitors and commits alike.
    gate: Arc<RwLock<()>>,
    crashed: bool,
}

impl EventStore for FlawedStore {
    fn open_run(&mut self, manifest: &RunManifest) -> Result<()> {
        match self.inner.open_run(manifest) {
            Err(EventStoreError::AlreadyExists(_) | EventStoreError::CrashedPredecessor(_))
                if self.flaw == Flaw::ReusesNames =>
            {
                self.inner = MemoryStore::new(None);
                self.inner.open_run(manifest)
            }
            answer => answer,
        }
    }

    fn load_crashed(&mut self, instance_id: &str, run_id: &str) -> Result<()> {
        self.crashed = true;
        self.inner.load_crashed(instance_id, run_id)
    }

    fn append_batch(&mut self, entries: &[AppendEntry<'_>]) -> Result<u64> {
        let _gate = (self.flaw == Flaw::VisitsUnderLock).then(|| self.gate.write());
        if self.flaw == Flaw::StoresItsOwnHash {
            let mut corrected = entries.to_vec();
            for item in &mut corrected {
                item.entry.entry_hash = hash::entry_hash(&item.entry);
            }
            return self.inner.append_batch(&corrected);
        }
        match (self.inner.append_batch(entries), self.flaw) {
            (Err(EventStoreError::OutOfOrder { seq, .. }), Flaw::SwallowsOutOfOrder) => Ok(seq),
            (Err(error), Flaw::WritesPrefixOfRefusedBatch) => {
                for item in entries {
                    if self.inner.append_batch(&[*item]).is_err() {
                        break;
                    }
                }
                Err(error)
            }
            (Err(EventStoreError::Closed), Flaw::AppendsAfterCrash) if self.crashed => Ok(0),
            (answer, _) => answer,
        }
    }

    fn record_snapshot_anchor(&mut self, anchor: &SnapshotAnchor) -> Result<()> {
        match (self.flaw, self.inner.record_snapshot_anchor(anchor)) {
            (Flaw::SwallowsBadAnchor, Err(EventStoreError::InvalidArgument { .. })) => Ok(()),
            (_, answer) => answer,
        }
    }

    fn seal(&mut self, status: RunStatus) -> Result<Sealed> {
        if self.flaw == Flaw::DigestForgetsAnchor {
            return self.seal_without_anchor(status);
        }
        match (self.flaw, self.inner.seal(status)) {
            (Flaw::SealsTwice, Err(EventStoreError::Closed)) => {
                Ok(Sealed { high_watermark: 0, digest: None })
            }
            (Flaw::QuarantinedHasDigest, Ok(Sealed { high_watermark, digest: None })) => {
                let digest = Some(RunDigest { keyed: false, bytes: [1; 32] });
                Ok(Sealed { high_watermark, digest })
            }
            (_, answer) => answer,
        }
    }

    fn close(&mut self) -> Result<()> {
        self.inner.close()
    }

    fn abandon(&mut self) {
        self.inner.abandon();
    }

    fn reader(&self) -> Result<Arc<dyn EventReader>> {
        let inner = self.inner.reader()?;
        Ok(Arc::new(FlawedReader {
            flaw: self.flaw,
            made_at: inner.high_watermark(),
            inner,
            anchor: Arc::clone(&self.anchor),
            gate: Arc::clone(&self.gate),
        }))
    }
}

impl FlawedStore {
    /// Writes the run a second time without its anchor, and seals that one.
    fn seal_without_anchor(&mut self, status: RunStatus) -> Result<Sealed> {
        let reader = self.inner.reader()?;
        *self.anchor.lock() = reader.latest_snapshot_anchor()?;
        let mut bare = MemoryStore::new(None);
        bare.open_run(&reader.manifest()?)?;
        reader.visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
            let item = AppendEntry { entry: row.entry, keys: row.keys.unwrap_or_default() };
            bare.append_batch(&[item]).expect("a copy in order");
            ControlFlow::Continue(())
        })?;
        self.inner = bare;
        self.inner.seal(status)
    }
}

struct FlawedReader {
    flaw: Flaw,
    made_at: u64,
    inner: Arc<dyn EventReader>,
    anchor: Arc<Mutex<Option<SnapshotAnchor>>>,
    gate: Arc<RwLock<()>>,
}

impl FlawedReader {
    fn visit_listed(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        for entry in self.inner.scan_range(from, to, direction)? {
            let keys = self.inner.recorded_keys(entry.seq)?.unwrap_or_default();
            let (count, bytes) = index::encode_keys(&keys)?;
            let row = Row { entry: entry.view(), keys: KeyList::parse(count, &bytes) };
            if visit(row).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl EventReader for FlawedReader {
    fn manifest(&self) -> Result<RunManifest> {
        let mut manifest = self.inner.manifest()?;
        if self.flaw == Flaw::EndIsTheLast && manifest.status.is_sealed() {
            let last = self.inner.scan_seq(self.inner.high_watermark())?;
            manifest.end_ts_init = last.map(|entry| entry.ts_init);
        }
        Ok(manifest)
    }

    fn high_watermark(&self) -> u64 {
        match self.flaw {
            Flaw::WatermarkRunsAhead => self.inner.high_watermark() + 1,
            Flaw::ReaderStandsStill => self.made_at,
            _ => self.inner.high_watermark(),
        }
    }

    fn visit_range(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        let _gate = (self.flaw == Flaw::VisitsUnderLock).then(|| self.gate.read());
        match self.flaw {
            Flaw::ZeroIsOne => self.inner.visit_range(from.max(1), to, direction, visit),
            Flaw::BackwardIsForward => self.inner.visit_range(from, to, Direction::Forward, visit),
            Flaw::IgnoresBreak => self.inner.visit_range(from, to, direction, &mut |row| {
                let _ = visit(row);
                ControlFlow::Continue(())
            }),
            Flaw::RowsLoseKeys => self.inner.visit_range(from, to, direction, &mut |row| {
                visit(Row { keys: Some(KeyList::EMPTY), ..row })
            }),
            Flaw::ListsBeforeItStreams => self.visit_listed(from, to, direction, visit),
            Flaw::ReaderStandsStill => {
                self.inner.visit_range(from, to.min(self.made_at), direction, visit)
            }
            _ => self.inner.visit_range(from, to, direction, visit),
        }
    }

    fn lookup(&self, kind: IndexKind, key: &str) -> Result<Option<u64>> {
        if self.flaw != Flaw::LastKeyWins {
            return self.inner.lookup(kind, key);
        }
        let mut last = None;
        self.inner.visit_range(1, u64::MAX, Direction::Backward, &mut |row| {
            let mentions = row.keys.unwrap_or_default().iter().any(|named| named == (kind, key));
            last = mentions.then_some(row.entry.seq);
            if mentions { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(last)
    }

    fn visit_index(
        &self,
        kind: IndexKind,
        after: Option<&str>,
        visit: &mut KeyVisitor<'_>,
    ) -> Result<()> {
        let _gate = (self.flaw == Flaw::VisitsUnderLock).then(|| self.gate.read());
        if self.flaw == Flaw::ResumesAtKey
            && let Some(key) = after
            && let Some(seq) = self.inner.lookup(kind, key)?
            && visit(key, seq).is_break()
        {
            return Ok(());
        }
        self.inner.visit_index(kind, after, visit)
    }

    fn recorded_keys(&self, seq: u64) -> Result<Option<Vec<IndexKey>>> {
        self.inner.recorded_keys(seq)
    }

    fn first_seq_at(&self, ts_init: u64) -> Result<Option<u64>> {
        if self.flaw != Flaw::TimesByHalves {
            return self.inner.first_seq_at(ts_init);
        }
        let entries = self.inner.scan_range(1, u64::MAX, Direction::Forward)?;
        let place = entries.partition_point(|entry| entry.ts_init < ts_init);
        Ok(entries.get(place).map(|entry| entry.seq))
    }

    fn latest_snapshot_anchor(&self) -> Result<Option<SnapshotAnchor>> {
        let kept = self.anchor.lock().clone();
        Ok(self.inner.latest_snapshot_anchor()?.or(kept))
    }

    fn digest(&self) -> Result<Option<RunDigest>> {
        self.inner.digest()
    }
}
