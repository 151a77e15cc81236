//! What a backend is: the contract that every way of keeping a run honours.
//!
//! A backend owns bytes and their durability. It does not own threads, batching, queues, the
//! instance's lock or the hashing of entries: those are the writer's and the store's. Two traits:
//! [`EventStore`] writes one run from one thread, [`EventReader`] reads it from any thread beside
//! the writer. One behaviour suite (`tests/conformance.rs`) runs over every backend.

#[doc(hidden)]
pub mod disk;
pub(crate) mod ledger;
pub mod log;
pub mod memory;
pub(crate) mod os_disk;
pub mod redb;
pub(crate) mod run_format;

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::digest::RunDigest;
use crate::entry::{AppendEntry, Entry, Row};
use crate::error::{EventStoreError, Result};
use crate::index::{IndexKey, IndexKind};
use crate::manifest::{RunManifest, RunStatus};
use crate::snapshot::SnapshotAnchor;

/// The order of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the smallest `seq` up.
    Forward,
    /// From the largest `seq` down.
    Backward,
}

/// What sealing a run produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// The largest durable sequence.
    pub high_watermark: u64,
    /// The digest stored with the seal; absent for a quarantined run, and for a keyed run that
    /// was sealed without its key.
    pub digest: Option<RunDigest>,
}

/// Why no more entries come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The run was sealed, as this.
    Sealed(RunStatus),
    /// Its writer is gone and has not sealed it: nothing more comes, until recovery seals it.
    WriterGone,
}

impl Ended {
    /// What a run's status says.
    pub(crate) fn by_seal(status: RunStatus) -> Option<Self> {
        status.is_sealed().then_some(Self::Sealed(status))
    }
}

/// How far a run is, and whether more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// The largest durable sequence.
    pub high_watermark: u64,
    /// Why no more comes; `None` while more may.
    pub ended: Option<Ended>,
}

/// Receives the rows of a scan; `Break` ends it early, which is not an error.
pub type RowVisitor<'v> = dyn FnMut(Row<'_>) -> ControlFlow<()> + 'v;
/// Receives the rows of an index; `Break` ends it early.
pub type KeyVisitor<'v> = dyn FnMut(&str, u64) -> ControlFlow<()> + 'v;

/// Writes one run. One thread at a time; after any error but those of arguments, order and
/// state (`InvalidArgument`, `OutOfOrder`, `Closed`, `AlreadyExists`, `CrashedPredecessor`,
/// `Locked`, `Unsupported`), it takes no more writes. Dropping a store that was neither closed nor
/// abandoned abandons it.
pub trait EventStore: Send {
    /// Creates a run with status `Running` and no entries. When it returns, the run is durable
    /// under its name, content and directory entry; before, the name does not exist.
    ///
    /// # Errors
    /// A name that exists is never changed, and answered in this order: `Locked`, `AlreadyExists`
    /// (sealed and closed in order), `CrashedPredecessor` (anything else), `UnsupportedFormat` or
    /// `Corrupted` for what is not a run at all. A second call while this store's run is not
    /// sealed: `CrashedPredecessor`.
    fn open_run(&mut self, manifest: &RunManifest) -> Result<()>;

    /// Opens the run that [`EventStore::open_run`] answered `CrashedPredecessor` for, repairing
    /// the file's structure if need be, for reading and [`EventStore::seal`]. It takes no entries.
    /// A sealed run that was not closed in order is repaired and closed. What opening does not look
    /// at, reading and sealing check.
    ///
    /// # Errors
    /// `Corrupted` when the structure is unsound (the file is then unchanged), `Locked`, `NotFound`.
    fn load_crashed(&mut self, instance_id: &str, run_id: &str) -> Result<()>;

    /// Appends in one transaction, durable when it returns; answers the new high-watermark.
    /// An empty batch changes nothing. A key that is already known keeps its first `seq`. The
    /// hash of each entry is stored as given.
    ///
    /// # Errors
    /// `OutOfOrder` when a `seq` is not the next one, `Closed` when sealed or opened crashed;
    /// nothing is written then. Any other error: nothing was acknowledged, and what the file
    /// holds of the batch is unknown until the run is reopened.
    fn append_batch(&mut self, entries: &[AppendEntry<'_>]) -> Result<u64>;

    /// The same in two parts, where the backend can prepare one batch while another is on its way
    /// to the disk; `None` where it cannot.
    fn pipeline(&mut self) -> Option<&mut dyn Pipeline> {
        None
    }

    /// Stores the anchor, durable when it returns.
    ///
    /// # Errors
    /// `InvalidArgument` when its high-watermark is 0, above the durable one, or below the latest
    /// anchor's; `Closed` when sealed; `Unsupported`.
    fn record_snapshot_anchor(&mut self, anchor: &SnapshotAnchor) -> Result<()>;

    /// Seals the run: status, high-watermark, digest and (if any entry) the largest `ts_init`,
    /// durable when it returns.
    ///
    /// # Errors
    /// `InvalidArgument` for `Running`, `Closed` when already sealed.
    fn seal(&mut self, status: RunStatus) -> Result<Sealed>;

    /// Seals a run that was written whole as the copy of a sealed one: with the original's digest,
    /// or without one where it has none. The digest is the same where entries, keys, anchor and
    /// manifest are; the caller sees to it. Otherwise as [`EventStore::seal`].
    ///
    /// # Errors
    /// Those of [`EventStore::seal`]; `Unsupported`.
    fn seal_keeping(&mut self, _status: RunStatus, _digest: Option<RunDigest>) -> Result<Sealed> {
        Err(EventStoreError::Unsupported { what: "keeping the digest of another run".into() })
    }

    /// Lets go of a run that stays as it is, in order, so that no repair is needed: after
    /// [`EventStore::seal`], or to leave it `Running`. Readers keep working.
    ///
    /// # Errors
    /// What the file's own closing writes answered; the run may then need repair.
    fn close(&mut self) -> Result<()>;

    /// Lets go of the run at once, without a single write; for one that failed or whose owner is
    /// gone. Its readers keep working and hold its lock: it is free once the last of them is gone.
    fn abandon(&mut self);

    /// A view for any thread, up to the high-watermark at each call.
    ///
    /// # Errors
    /// `Backend` when no run is open.
    fn reader(&self) -> Result<Arc<dyn EventReader>>;
}

/// Appends in two parts: [`Pipeline::start`] takes a batch in, [`Pipeline::finish`] makes it known
/// once it is durable. Several may be started, and each must be finished before any other method of
/// the store that writes is called.
pub trait Pipeline {
    /// Takes a batch in, behind those that were started before, and begins to make it durable.
    /// Nothing of it can be read yet.
    ///
    /// # Errors
    /// As [`EventStore::append_batch`]; what was started before is to be finished all the same.
    fn start(&mut self, entries: &[AppendEntry<'_>]) -> Result<()>;

    /// Whether [`Pipeline::finish`] will not wait.
    fn is_flushed(&self) -> bool;

    /// Waits until the oldest batch that was started is durable; answers the new high-watermark.
    ///
    /// # Errors
    /// As [`EventStore::append_batch`]: nothing of this batch or a later one was acknowledged.
    fn finish(&mut self) -> Result<u64>;
}

/// Reads one run from any thread. No method takes a lock that a commit holds while it flushes.
/// Every row that leaves was decoded and its hash recomputed.
pub trait EventReader: Send + Sync {
    /// The manifest: as sealed, else as it was written at the start.
    ///
    /// # Errors
    /// `Corrupted`.
    fn manifest(&self) -> Result<RunManifest>;

    /// The largest durable sequence; 0 = none.
    fn high_watermark(&self) -> u64;

    /// Visits the rows of the inclusive range, clamped to the high-watermark. `from == 0`,
    /// `from > to` or nothing committed: no row. Rows before an error were good.
    ///
    /// # Errors
    /// In scan order, at the row concerned: `Gap` for a missing row, `SeqMismatch`,
    /// `HashMismatch`, `Corrupted` for one that does not decode.
    fn visit_range(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        visit: &mut RowVisitor<'_>,
    ) -> Result<()>;

    /// The first `seq` that was committed with this key.
    ///
    /// # Errors
    /// `Corrupted`, `Backend`.
    fn lookup(&self, kind: IndexKind, key: &str) -> Result<Option<u64>>;

    /// Visits an index in byte order of its keys, after the given key or from the start. Only
    /// keys whose `seq` lies within the high-watermark of this view or point beyond it through
    /// damage are visited; the verifier tells them apart.
    ///
    /// # Errors
    /// `Corrupted`, `Backend`.
    fn visit_index(
        &self,
        kind: IndexKind,
        after: Option<&str>,
        visit: &mut KeyVisitor<'_>,
    ) -> Result<()>;

    /// The keys that this entry was committed with; `None` where the file does not record them
    /// or the entry is beyond the high-watermark.
    ///
    /// # Errors
    /// `Corrupted`, `Backend`.
    fn recorded_keys(&self, seq: u64) -> Result<Option<Vec<IndexKey>>>;

    /// The first `seq` whose `ts_init` is at or after `ts_init`; `None` if there is none.
    ///
    /// # Errors
    /// `Corrupted`, and what a scan answers.
    fn first_seq_at(&self, ts_init: u64) -> Result<Option<u64>>;

    /// The latest anchor.
    ///
    /// # Errors
    /// `Corrupted`.
    fn latest_snapshot_anchor(&self) -> Result<Option<SnapshotAnchor>>;

    /// The digest stored at seal.
    ///
    /// # Errors
    /// `Corrupted`.
    fn digest(&self) -> Result<Option<RunDigest>>;

    /// How far the run is, and whether more comes, as far as this view can tell. Of a run that
    /// another process writes it is looked at anew.
    ///
    /// # Errors
    /// Those of [`EventReader::manifest`].
    fn tail(&self) -> Result<Tail> {
        // In this order: of a sealed run the high-watermark is then the last.
        let ended = Ended::by_seal(self.manifest()?.status);
        Ok(Tail { high_watermark: self.high_watermark(), ended })
    }

    /// The rows of a small range as a list, see [`EventReader::visit_range`].
    ///
    /// # Errors
    /// Those of [`EventReader::visit_range`]; good rows before it are lost, so page instead
    /// where damage is expected.
    fn scan_range(&self, from: u64, to: u64, direction: Direction) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.visit_range(from, to, direction, &mut |row| {
            entries.push(row.entry.to_entry());
            ControlFlow::Continue(())
        })?;
        Ok(entries)
    }

    /// One entry, checked as in a scan; `None` for 0 and beyond the high-watermark.
    ///
    /// # Errors
    /// Those of [`EventReader::visit_range`].
    fn scan_seq(&self, seq: u64) -> Result<Option<Entry>> {
        Ok(self.scan_range(seq, seq, Direction::Forward)?.pop())
    }
}
