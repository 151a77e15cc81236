//! What every backend must know of its run while it writes it: the rules of order and the sums
//! that a seal stores. No bytes, no files; a backend asks before it writes and tells after.

use crate::digest::{DigestBuilder, RunDigest};
use crate::entry::{AppendEntry, EntryView};
use crate::error::{EventStoreError, Result};
use crate::index::KeyList;
use crate::manifest::{RunManifest, RunStatus};
use crate::snapshot::SnapshotAnchor;

/// The state of one open run.
pub(crate) struct Ledger {
    manifest: RunManifest,
    /// Of the next entry to be taken in; those up to it need not be durable yet.
    next_seq: u64,
    high_watermark: u64,
    ts_init_max: Option<u64>,
    anchor: Option<SnapshotAnchor>,
    digest: DigestBuilder,
    /// Opened after a crash: may be read and sealed, takes no entries and no anchors.
    crashed: bool,
}

impl Ledger {
    /// A new run.
    pub(crate) fn new(manifest: RunManifest, digest_key: Option<&[u8; 32]>) -> Self {
        Self {
            manifest,
            next_seq: 1,
            high_watermark: 0,
            ts_init_max: None,
            anchor: None,
            digest: DigestBuilder::new(digest_key),
            crashed: false,
        }
    }

    /// A run whose process died, before its entries are replayed with [`Ledger::replay`].
    pub(crate) fn crashed(
        manifest: RunManifest,
        anchor: Option<SnapshotAnchor>,
        digest_key: Option<&[u8; 32]>,
    ) -> Self {
        Self { crashed: true, anchor, ..Self::new(manifest, digest_key) }
    }

    pub(crate) fn manifest(&self) -> &RunManifest {
        &self.manifest
    }

    pub(crate) fn high_watermark(&self) -> u64 {
        self.high_watermark
    }

    /// The largest `ts_init` so far.
    pub(crate) fn ts_init_max(&self) -> Option<u64> {
        self.ts_init_max
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.manifest.status.is_sealed()
    }

    /// Refuses a batch that is out of order, before anything is written.
    pub(crate) fn check_append(&self, entries: &[AppendEntry<'_>]) -> Result<()> {
        if self.is_sealed() || self.crashed {
            return Err(EventStoreError::Closed);
        }
        let high_watermark = self.high_watermark;
        for (next_seq, item) in (self.next_seq..).zip(entries) {
            let seq = item.entry.seq;
            if seq != next_seq {
                return Err(EventStoreError::OutOfOrder { high_watermark, seq, next_seq });
            }
        }
        Ok(())
    }

    /// Takes note of a batch that is durable now.
    pub(crate) fn committed(&mut self, entries: &[AppendEntry<'_>]) {
        self.started(entries);
        self.high_watermark = self.next_seq - 1;
    }

    /// Takes note of a batch that is on its way to the disk: [`Ledger::acknowledged`] follows.
    pub(crate) fn started(&mut self, entries: &[AppendEntry<'_>]) {
        for item in entries {
            self.take_in(&item.entry, Some(item.keys));
        }
    }

    /// Takes note that what was started is durable up to here.
    pub(crate) fn acknowledged(&mut self, high_watermark: u64) {
        self.high_watermark = high_watermark;
    }

    /// Takes note of one entry that was read back.
    pub(crate) fn replay(&mut self, entry: &EntryView<'_>, keys: Option<KeyList<'_>>) {
        self.take_in(entry, keys);
        self.high_watermark = entry.seq;
    }

    fn take_in(&mut self, entry: &EntryView<'_>, keys: Option<KeyList<'_>>) {
        self.digest.add_entry(&entry.entry_hash, keys);
        self.next_seq = entry.seq + 1;
        self.ts_init_max = self.ts_init_max.max(Some(entry.ts_init));
    }

    /// Refuses an anchor that names an entry not durable, or steps back.
    pub(crate) fn check_anchor(&self, anchor: &SnapshotAnchor) -> Result<()> {
        if self.is_sealed() || self.crashed {
            return Err(EventStoreError::Closed);
        }
        anchor.check()?;
        let lowest = self.anchor.as_ref().map_or(1, |latest| latest.high_watermark);
        let (seq, highest) = (anchor.high_watermark, self.high_watermark);
        if seq < lowest || seq > highest {
            let reason =
                format!("{seq} is outside {lowest} (latest anchor) to {highest} (durable)");
            return Err(EventStoreError::invalid("anchor seq", reason));
        }
        Ok(())
    }

    /// Takes note of an anchor that is durable now.
    pub(crate) fn anchored(&mut self, anchor: &SnapshotAnchor) {
        self.anchor = Some(anchor.clone());
    }

    /// The manifest as it will stand once sealed.
    pub(crate) fn sealed_manifest(&self, status: RunStatus) -> Result<RunManifest> {
        if !status.is_sealed() {
            return Err(EventStoreError::invalid("status", "a run is not sealed as Running"));
        }
        if self.is_sealed() {
            return Err(EventStoreError::Closed);
        }
        Ok(RunManifest {
            status,
            high_watermark: self.high_watermark,
            end_ts_init: self.ts_init_max,
            ..self.manifest.clone()
        })
    }

    /// The digest of all entries so far, the anchor and that manifest.
    pub(crate) fn digest_for(&self, sealed: &RunManifest) -> RunDigest {
        self.digest.clone().finish(self.anchor.as_ref(), sealed)
    }

    /// Takes note that the run is durably sealed.
    pub(crate) fn sealed(&mut self, manifest: RunManifest) {
        self.manifest = manifest;
    }
}
