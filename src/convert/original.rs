//! The run that is converted, a batch of rows at a time, each with the keys that it is to have.
//!
//! Where the file records no key list for an entry, the entry has the keys whose index rows point
//! at it, by kind and then by bytes. Those are gathered for a stretch of entries at a time: memory
//! has a bound, and a run of very many keys has its indices gone through more than once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::run_format::FoundRun;
use crate::backend::{Direction, EventReader};
use crate::digest::RunDigest;
use crate::entry::Entry;
use crate::error::{EventStoreError, Fault, Result};
use crate::index::{IndexKey, IndexKind, KeyList, encode_found_keys};
use crate::manifest::RunManifest;
use crate::snapshot::SnapshotAnchor;

/// A batch is at most so long.
const BATCH_ENTRIES: usize = 4096;
/// A batch ends with the entry that makes it so many bytes or more.
const BATCH_BYTES: usize = 1 << 20;
/// Memory for the keys that are gathered at a time, in bytes.
const GATHERED_BYTES: usize = 32 << 20;
/// What a gathered key costs besides its bytes.
const KEY_COST_BYTES: usize = 96;

/// See the module.
pub(super) struct Original {
    pub(super) view: Arc<dyn EventReader>,
    pub(super) manifest: RunManifest,
    pub(super) anchor: Option<SnapshotAnchor>,
    pub(super) digest: Option<RunDigest>,
    /// The first entry's keys are recorded.
    pub(super) begins_with_key_lists: bool,
    path: PathBuf,
}

/// An entry and its keys.
pub(super) struct Kept {
    pub(super) entry: Entry,
    key_count: u32,
    key_bytes: Vec<u8>,
}

impl Kept {
    pub(super) fn keys(&self) -> KeyList<'_> {
        KeyList::trusted(self.key_count, &self.key_bytes)
    }
}

impl Original {
    /// # Errors
    /// `NotSealed`; `Corrupted`; `UnsupportedFormat`.
    pub(super) fn open(found: &dyn FoundRun, path: &Path, cache_bytes: usize) -> Result<Self> {
        let view = found.open(cache_bytes)?;
        let manifest = view.manifest()?;
        if !manifest.status.is_sealed() {
            let reason = "the run is not sealed: recover it first";
            return Err(EventStoreError::NotSealed(Box::new(Fault::new(reason).at(path))));
        }
        Ok(Self {
            anchor: view.latest_snapshot_anchor()?,
            digest: view.digest()?,
            begins_with_key_lists: view.recorded_keys(1)?.is_some(),
            path: path.to_path_buf(),
            manifest,
            view,
        })
    }

    pub(super) fn last(&self) -> u64 {
        self.view.high_watermark()
    }

    /// All rows, from the first.
    pub(super) fn rows(&self) -> Rows<'_> {
        Rows {
            original: self,
            next: 1,
            gathered: BTreeMap::new(),
            end: 0,
            gathered_bytes: GATHERED_BYTES,
            lacked_key_lists: false,
        }
    }
}

/// The rows on their way.
pub(super) struct Rows<'o> {
    original: &'o Original,
    next: u64,
    /// Keys by the entry they point at, of all entries from the last asked for to before `end`.
    gathered: BTreeMap<u64, Vec<IndexKey>>,
    end: u64,
    /// Memory for them.
    gathered_bytes: usize,
    /// Some entry's keys were not recorded.
    pub(super) lacked_key_lists: bool,
}

impl Rows<'_> {
    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// Those of [`EventReader::visit_range`]; `Unsupported` for a key that no list can hold.
    pub(super) fn next_batch(&mut self) -> Result<Option<Vec<Kept>>> {
        let (view, from) = (&self.original.view, self.next);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut without_list = Vec::new();
        view.visit_range(from, u64::MAX, Direction::Forward, &mut |row| {
            let entry = row.entry.to_entry();
            bytes += entry.payload.len() + entry.topic.len() + entry.payload_type.len();
            let keys = row.keys.unwrap_or_default();
            if row.keys.is_none() {
                without_list.push(batch.len());
            }
            let (key_count, key_bytes) = (keys.len(), keys.as_bytes().to_vec());
            bytes += key_bytes.len();
            batch.push(Kept { entry, key_count, key_bytes });
            match batch.len() < BATCH_ENTRIES && bytes < BATCH_BYTES {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        for at in without_list {
            self.lacked_key_lists = true;
            let kept: &mut Kept = &mut batch[at];
            let keys = self.keys_of(kept.entry.seq)?;
            (kept.key_count, kept.key_bytes) = encode_found_keys(&keys).ok_or_else(|| {
                let (path, seq) = (self.original.path.display(), kept.entry.seq);
                let what = format!("{path}: a key of entry {seq} that is longer than 65,535 bytes");
                EventStoreError::Unsupported { what }
            })?;
        }
        self.next += batch.len() as u64;
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }

    fn keys_of(&mut self, seq: u64) -> Result<Vec<IndexKey>> {
        if seq >= self.end {
            self.gather(seq)?;
        }
        Ok(self.gathered.remove(&seq).unwrap_or_default())
    }

    /// Gathers the keys of the entries from this one on, of as many as there is memory for.
    fn gather(&mut self, from: u64) -> Result<()> {
        let mut by_seq: BTreeMap<u64, Vec<IndexKey>> = BTreeMap::new();
        let (mut end, mut bytes) = (self.original.last() + 1, 0);
        for kind in IndexKind::ALL {
            self.original.view.visit_index(kind, None, &mut |key, seq| {
                if !(from..end).contains(&seq) {
                    return ControlFlow::Continue(());
                }
                by_seq.entry(seq).or_default().push(IndexKey::new(kind, key));
                bytes += key.len() + KEY_COST_BYTES;
                while bytes > self.gathered_bytes && by_seq.len() > 1 {
                    let (last, keys) = by_seq.pop_last().expect("more than one");
                    bytes -= keys.iter().map(|key| key.key.len() + KEY_COST_BYTES).sum::<usize>();
                    end = last;
                }
                ControlFlow::Continue(())
            })?;
        }
        (self.gathered, self.end) = (by_seq, end);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::EventStore;
    use crate::backend::memory::MemoryStore;
    use crate::entry::{AppendEntry, EntryView};
    use crate::headers::Headers;
    use crate::index::encode_keys;
    use crate::manifest::RunStatus;

    fn keys(seq: u64) -> Vec<IndexKey> {
        let kinds = IndexKind::ALL.into_iter();
        let mut keys: Vec<_> = kinds
            .flat_map(|kind| {
                (0..seq % 4)
                    .map(move |number| IndexKey::new(kind, format!("{}-{number}", seq * 7 % 100)))
            })
            .collect();
        keys.sort();
        keys
    }

    /// Whatever memory there is, every entry gets the keys whose rows point at it, in their order.
    #[test]
    fn keys_are_gathered_whole_within_any_memory() {
        let mut store = MemoryStore::new(None);
        store.open_run(&RunManifest::new("r", "i", 0)).unwrap();
        for seq in 1..=90 {
            let (count, bytes) = encode_keys(&keys(seq)).unwrap();
            let entry = EntryView {
                seq,
                ts_init: 0,
                ts_publish: 0,
                topic: "t",
                payload_type: "p",
                payload: &[],
                headers: Headers::default(),
                entry_hash: [0; 32],
            };
            store
                .append_batch(&[AppendEntry { entry, keys: KeyList::trusted(count, &bytes) }])
                .unwrap();
        }
        store.seal(RunStatus::Ended).unwrap();
        let view = store.reader().unwrap();
        let original = Original {
            manifest: view.manifest().unwrap(),
            anchor: None,
            digest: None,
            begins_with_key_lists: false,
            path: PathBuf::new(),
            view,
        };
        for bytes in [1, 300, 1_000, 1 << 20] {
            let mut rows = Rows { gathered_bytes: bytes, ..original.rows() };
            for seq in 1..=90 {
                assert_eq!(rows.keys_of(seq).unwrap(), keys(seq), "entry {seq} of {bytes} bytes");
            }
        }
    }
}
