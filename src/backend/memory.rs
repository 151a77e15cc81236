//! Runs kept in memory: for tests and simulation, and the oracle that the other backends are
//! compared with.
//!
//! Every run lives as long as its store or one of its readers; nothing reaches a disk, so durable
//! means no more than that here. Each method is the plainest statement of the contract in
//! [`crate::backend`]. Readers share the rows by reference and look at the live run.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use parking_lot::RwLock;

use super::ledger::Ledger;
use super::{Direction, EventReader, EventStore, KeyVisitor, RowVisitor, Sealed};
use crate::digest::RunDigest;
use crate::entry::{AppendEntry, Entry, Row};
use crate::error::{EventStoreError, Fault, Result};
use crate::hash;
use crate::index::{IndexKey, IndexKind, KeyList};
use crate::manifest::{RunManifest, RunStatus};
use crate::snapshot::SnapshotAnchor;

/// Rows and keys are taken out of the lock this many at a time, so that neither a slow visitor
/// nor a long run keeps the writer waiting.
const CHUNK_ITEMS: usize = 256;

/// Writes runs that live in memory.
pub struct MemoryStore {
    digest_key: Option<[u8; 32]>,
    runs: BTreeMap<RunName, KeptRun>,
    open: Option<OpenRun>,
}

/// Instance id and run id.
type RunName = (String, String);

struct KeptRun {
    content: Arc<RwLock<Content>>,
    /// Let go by `close`, as opposed to `abandon` or not at all.
    closed_in_order: bool,
}

struct OpenRun {
    name: RunName,
    ledger: Ledger,
    content: Arc<RwLock<Content>>,
}

/// What readers see of a run.
struct Content {
    /// Entry `n` stands at `n - 1`.
    rows: Vec<Arc<StoredRow>>,
    indices: BTreeMap<IndexKind, BTreeMap<String, u64>>,
    manifest: RunManifest,
    anchor: Option<SnapshotAnchor>,
    digest: Option<RunDigest>,
}

struct StoredRow {
    entry: Entry,
    key_count: u32,
    key_bytes: Vec<u8>,
}

impl StoredRow {
    fn new(item: &AppendEntry<'_>) -> Arc<Self> {
        Arc::new(Self {
            entry: item.entry.to_entry(),
            key_count: item.keys.len(),
            key_bytes: item.keys.as_bytes().to_vec(),
        })
    }

    fn keys(&self) -> KeyList<'_> {
        KeyList::trusted(self.key_count, &self.key_bytes)
    }
}

impl MemoryStore {
    /// A store without runs; with a key, the digests that it seals are keyed.
    pub fn new(digest_key: Option<[u8; 32]>) -> Self {
        Self { digest_key, runs: BTreeMap::new(), open: None }
    }

    fn open_mut(&mut self) -> Result<&mut OpenRun> {
        self.open.as_mut().ok_or_else(no_run)
    }

    /// Makes room for the next run.
    ///
    /// # Errors
    /// `CrashedPredecessor` when the open run is not sealed.
    fn leave_sealed(&mut self) -> Result<()> {
        match &self.open {
            Some(open) if !open.ledger.is_sealed() => Err(crashed_predecessor(&open.name)),
            _ => self.close(),
        }
    }

    fn let_go(&mut self, in_order: bool) {
        if let Some(open) = self.open.take()
            && let Some(kept) = self.runs.get_mut(&open.name)
        {
            kept.closed_in_order = in_order;
        }
    }
}

impl EventStore for MemoryStore {
    fn open_run(&mut self, manifest: &RunManifest) -> Result<()> {
        manifest.check_new()?;
        self.leave_sealed()?;
        let name = (manifest.instance_id.clone(), manifest.run_id.clone());
        if let Some(kept) = self.runs.get(&name) {
            let sealed = kept.content.read().manifest.status.is_sealed();
            return Err(if sealed && kept.closed_in_order {
                let text = format!("run {}/{} exists and is sealed", name.0, name.1);
                EventStoreError::AlreadyExists(Box::new(Fault::new(text)))
            } else {
                crashed_predecessor(&name)
            });
        }
        let content = Arc::new(RwLock::new(Content::new(manifest.clone())));
        let kept = KeptRun { content: Arc::clone(&content), closed_in_order: false };
        self.runs.insert(name.clone(), kept);
        let ledger = Ledger::new(manifest.clone(), self.digest_key.as_ref());
        self.open = Some(OpenRun { name, ledger, content });
        Ok(())
    }

    fn load_crashed(&mut self, instance_id: &str, run_id: &str) -> Result<()> {
        let name = (instance_id.to_owned(), run_id.to_owned());
        if self.open.as_ref().is_some_and(|open| open.name != name) {
            self.leave_sealed()?;
        }
        let Some(kept) = self.runs.get_mut(&name) else {
            let text = format!("run {instance_id}/{run_id} is not in this memory store");
            return Err(EventStoreError::NotFound(Box::new(Fault::new(text))));
        };
        kept.closed_in_order = false;
        let content = Arc::clone(&kept.content);
        let ledger = content.read().replayed(self.digest_key.as_ref());
        self.open = Some(OpenRun { name, ledger, content });
        Ok(())
    }

    fn append_batch(&mut self, entries: &[AppendEntry<'_>]) -> Result<u64> {
        let open = self.open_mut()?;
        open.ledger.check_append(entries)?;
        let rows: Vec<_> = entries.iter().map(StoredRow::new).collect();
        open.content.write().commit(rows);
        open.ledger.committed(entries);
        Ok(open.ledger.high_watermark())
    }

    fn record_snapshot_anchor(&mut self, anchor: &SnapshotAnchor) -> Result<()> {
        let open = self.open_mut()?;
        open.ledger.check_anchor(anchor)?;
        open.content.write().anchor = Some(anchor.clone());
        open.ledger.anchored(anchor);
        Ok(())
    }

    fn seal(&mut self, status: RunStatus) -> Result<Sealed> {
        let open = self.open_mut()?;
        let manifest = open.ledger.sealed_manifest(status)?;
        let digest = (status != RunStatus::Quarantined).then(|| open.ledger.digest_for(&manifest));
        self.seal_keeping(status, digest)
    }

    fn seal_keeping(&mut self, status: RunStatus, digest: Option<RunDigest>) -> Result<Sealed> {
        let open = self.open_mut()?;
        let manifest = open.ledger.sealed_manifest(status)?;
        let mut content = open.content.write();
        content.digest = digest;
        content.manifest = manifest.clone();
        drop(content);
        open.ledger.sealed(manifest);
        Ok(Sealed { high_watermark: open.ledger.high_watermark(), digest })
    }

    fn close(&mut self) -> Result<()> {
        self.let_go(true);
        Ok(())
    }

    fn abandon(&mut self) {
        self.let_go(false);
    }

    fn reader(&self) -> Result<Arc<dyn EventReader>> {
        let open = self.open.as_ref().ok_or_else(no_run)?;
        Ok(Arc::new(MemoryReader { content: Arc::clone(&open.content) }))
    }
}

impl Content {
    fn new(manifest: RunManifest) -> Self {
        Self { rows: Vec::new(), indices: BTreeMap::new(), manifest, anchor: None, digest: None }
    }

    fn commit(&mut self, rows: Vec<Arc<StoredRow>>) {
        for row in &rows {
            for (kind, key) in row.keys().iter() {
                let index = self.indices.entry(kind).or_default();
                // Looked up first: most keys of an order's later events are known already, and
                // `entry` would copy each of them.
                if !index.contains_key(key) {
                    index.insert(key.to_owned(), row.entry.seq);
                }
            }
        }
        self.rows.extend(rows);
    }

    /// The state of a run whose writer is gone, from what it left.
    fn replayed(&self, digest_key: Option<&[u8; 32]>) -> Ledger {
        let mut ledger = Ledger::crashed(self.manifest.clone(), self.anchor.clone(), digest_key);
        for row in &self.rows {
            ledger.replay(&row.entry.view(), Some(row.keys()));
        }
        ledger
    }
}

/// A live view of one run.
struct MemoryReader {
    content: Arc<RwLock<Content>>,
}

impl MemoryReader {
    fn row(&self, seq: u64) -> Option<Arc<StoredRow>> {
        let place = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.content.read().rows.get(place).cloned()
    }

    /// The rows of an inclusive range that is not empty and lies within the high-watermark, up to
    /// a chunk of them from the end at which the scan starts, in its order.
    fn chunk(&self, from: u64, to: u64, direction: Direction) -> Vec<Arc<StoredRow>> {
        let (first, last) = (from as usize - 1, to as usize - 1);
        let rows = &self.content.read().rows[first..=last];
        match direction {
            Direction::Forward => rows.iter().take(CHUNK_ITEMS).cloned().collect(),
            Direction::Backward => rows.iter().rev().take(CHUNK_ITEMS).cloned().collect(),
        }
    }
}

impl EventReader for MemoryReader {
    fn manifest(&self) -> Result<RunManifest> {
        Ok(self.content.read().manifest.clone())
    }

    fn high_watermark(&self) -> u64 {
        self.content.read().rows.len() as u64
    }

    fn visit_range(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        if from == 0 {
            return Ok(());
        }
        let (mut from, mut to) = (from, to.min(self.high_watermark()));
        while from <= to {
            let chunk = self.chunk(from, to, direction);
            match direction {
                Direction::Forward => from += chunk.len() as u64,
                Direction::Backward => to -= chunk.len() as u64,
            }
            for row in chunk {
                let entry = row.entry.view();
                hash::check_entry(&entry)?;
                if visit(Row { entry, keys: Some(row.keys()) }).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn lookup(&self, kind: IndexKind, key: &str) -> Result<Option<u64>> {
        let content = self.content.read();
        Ok(content.indices.get(&kind).and_then(|index| index.get(key)).copied())
    }

    fn visit_index(
        &self,
        kind: IndexKind,
        after: Option<&str>,
        visit: &mut KeyVisitor<'_>,
    ) -> Result<()> {
        let mut after = after.map(str::to_owned);
        loop {
            let start = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let chunk: Vec<(String, u64)> = match self.content.read().indices.get(&kind) {
                None => return Ok(()),
                Some(index) => index
                    .range::<str, _>((start, Bound::Unbounded))
                    .take(CHUNK_ITEMS)
                    .map(|(key, seq)| (key.clone(), *seq))
                    .collect(),
            };
            let Some((last, _)) = chunk.last() else { return Ok(()) };
            after = Some(last.clone());
            for (key, seq) in &chunk {
                if visit(key, *seq).is_break() {
                    return Ok(());
                }
            }
        }
    }

    fn recorded_keys(&self, seq: u64) -> Result<Option<Vec<IndexKey>>> {
        Ok(self.row(seq).map(|row| row.keys().to_vec()))
    }

    fn first_seq_at(&self, ts_init: u64) -> Result<Option<u64>> {
        let mut found = None;
        self.visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
            if row.entry.ts_init < ts_init {
                return ControlFlow::Continue(());
            }
            found = Some(row.entry.seq);
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    fn latest_snapshot_anchor(&self) -> Result<Option<SnapshotAnchor>> {
        Ok(self.content.read().anchor.clone())
    }

    fn digest(&self) -> Result<Option<RunDigest>> {
        Ok(self.content.read().digest)
    }
}

fn no_run() -> EventStoreError {
    EventStoreError::backend("no run is open in this memory store: open one first")
}

fn crashed_predecessor((instance_id, run_id): &RunName) -> EventStoreError {
    let text = format!("run {instance_id}/{run_id} was not sealed and closed: recover it first");
    EventStoreError::CrashedPredecessor(Box::new(Fault::new(text)))
}
