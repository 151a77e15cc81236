//! What a backend hands to the behaviours, and what they share.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use eventstore::backend::memory::MemoryStore;
use eventstore::backend::{Direction, EventReader, EventStore, Sealed};
use eventstore::error::{EventStoreError, Result};
use eventstore::index::IndexKind;
use eventstore::manifest::{RunManifest, RunStatus};

use crate::common::format;
use crate::common::sample::{self, INSTANCE, Keyed};

/// One backend, with a place of its own for its runs.
pub trait Fixture {
    /// A store over this fixture's runs.
    fn store(&self, digest_key: Option<[u8; 32]>) -> Box<dyn EventStore>;

    /// The store after its process ended and another one began; it was closed or abandoned.
    fn restart(
        &self,
        store: Box<dyn EventStore>,
        digest_key: Option<[u8; 32]>,
    ) -> Box<dyn EventStore>;

    /// Closes the store's sealed run and reads it as a stranger would: by name where the runs
    /// outlive the store.
    fn close_and_read(&self, store: &mut dyn EventStore, run_id: &str) -> Arc<dyn EventReader>;

    /// Opens a sealed run by name. Only asked of backends whose runs outlive their store.
    fn open_sealed(&self, run_id: &str) -> Result<Arc<dyn EventReader>>;

    /// The file that a run is recognised by. Only asked of backends whose runs outlive their store.
    fn run_path(&self, run_id: &str) -> PathBuf;

    /// Whether entries are stored with the hash given; the C interface computes it.
    fn stores_hashes_as_given(&self) -> bool {
        true
    }

    /// How many random cases a model test runs; fewer where each commit is a flush.
    fn model_cases(&self) -> u32;
}

/// Runs in memory.
pub struct Memory;

impl Fixture for Memory {
    fn store(&self, digest_key: Option<[u8; 32]>) -> Box<dyn EventStore> {
        Box::new(MemoryStore::new(digest_key))
    }

    fn restart(
        &self,
        store: Box<dyn EventStore>,
        _digest_key: Option<[u8; 32]>,
    ) -> Box<dyn EventStore> {
        store
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
        256
    }
}

/// A store with a new run that holds `entries`, one commit per `group` of them.
pub fn store_with(
    fixture: &dyn Fixture,
    manifest: &RunManifest,
    entries: &[Keyed],
    group: usize,
) -> Box<dyn EventStore> {
    let mut store = fixture.store(None);
    store.open_run(manifest).expect("the name is free");
    append_groups(&mut *store, entries, group);
    store
}

pub fn append_groups(store: &mut dyn EventStore, entries: &[Keyed], group: usize) {
    for batch in entries.chunks(group.max(1)) {
        let high_watermark = sample::append(store, batch).expect("in order");
        assert_eq!(Some(high_watermark), batch.last().map(|item| item.entry.seq));
    }
}

/// The rows of a range with their keys, and the error that ended them.
pub fn collect(
    reader: &dyn EventReader,
    from: u64,
    to: u64,
    direction: Direction,
) -> (Vec<Keyed>, Result<()>) {
    let mut rows = Vec::new();
    let end = reader.visit_range(from, to, direction, &mut |row| {
        let keys = row.keys.expect("this backend records keys").to_vec();
        rows.push(Keyed { entry: row.entry.to_entry(), keys });
        ControlFlow::Continue(())
    });
    (rows, end)
}

/// All rows in order of `seq`, none of them damaged.
pub fn all_rows(reader: &dyn EventReader) -> Vec<Keyed> {
    let (rows, end) = collect(reader, 1, u64::MAX, Direction::Forward);
    end.expect("no damage");
    rows
}

/// An index from its start.
pub fn index_of(reader: &dyn EventReader, kind: IndexKind) -> Vec<(String, u64)> {
    let mut keys = Vec::new();
    reader
        .visit_index(kind, None, &mut |key, seq| {
            keys.push((key.to_owned(), seq));
            ControlFlow::Continue(())
        })
        .expect("no damage");
    keys
}

/// The index that entries should give: the first `seq` of each key, in byte order.
pub fn naive_index(entries: &[Keyed], kind: IndexKind) -> Vec<(String, u64)> {
    // Ordered by the bytes of the keys.
    let mut keys: BTreeMap<&[u8], (String, u64)> = BTreeMap::new();
    for item in entries {
        for key in item.keys.iter().filter(|key| key.kind == kind) {
            let first = || (key.key.clone(), item.entry.seq);
            keys.entry(key.key.as_bytes()).or_insert_with(first);
        }
    }
    keys.into_values().collect()
}

/// The manifest as it should stand once `entries` are sealed.
pub fn sealed_manifest(start: &RunManifest, entries: &[Keyed], status: RunStatus) -> RunManifest {
    RunManifest {
        status,
        high_watermark: entries.len() as u64,
        end_ts_init: entries.iter().map(|item| item.entry.ts_init).max(),
        ..start.clone()
    }
}

/// Checks everything a reader says of a live or sealed run against what was written.
pub fn assert_holds(reader: &dyn EventReader, manifest: &RunManifest, entries: &[Keyed]) {
    assert_eq!(reader.high_watermark(), entries.len() as u64);
    assert_eq!(reader.manifest().unwrap(), *manifest);
    assert_eq!(all_rows(reader), entries);
    for kind in IndexKind::ALL {
        assert_eq!(index_of(reader, kind), naive_index(entries, kind), "{}", kind.name());
    }
}

/// Checks a sealed run as a whole, its digest included.
pub fn assert_sealed(
    reader: &dyn EventReader,
    sealed: &Sealed,
    start: &RunManifest,
    entries: &[Keyed],
    status: RunStatus,
) {
    let manifest = sealed_manifest(start, entries, status);
    assert_holds(reader, &manifest, entries);
    assert_eq!(sealed.high_watermark, entries.len() as u64);
    let anchor = reader.latest_snapshot_anchor().unwrap();
    let rows: Vec<_> = entries.iter().map(Keyed::for_digest).collect();
    let digest = sealed.digest.expect("a run that is not quarantined has a digest");
    assert!(!digest.keyed);
    assert_eq!(digest.bytes, format::run_digest(None, &rows, anchor.as_ref(), &manifest));
    assert_eq!(reader.digest().unwrap(), Some(digest), "stored as returned");
}

/// The error's variant and numbers, without its text, for comparison.
pub fn kind_of<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => "Ok".to_owned(),
        Err(EventStoreError::OutOfOrder { high_watermark, seq, next_seq }) => {
            format!("OutOfOrder durable {high_watermark} seq {seq} next {next_seq}")
        }
        Err(EventStoreError::HashMismatch { seq }) => format!("HashMismatch {seq}"),
        Err(EventStoreError::InvalidArgument { .. }) => "InvalidArgument".to_owned(),
        Err(other) => {
            let debug = format!("{other:?}");
            debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
        }
    }
}

pub const RUN: &str = "1700000000-abcd0001";

pub fn manifest() -> RunManifest {
    sample::full_manifest(RUN)
}

pub fn reload(
    fixture: &dyn Fixture,
    store: Box<dyn EventStore>,
    digest_key: Option<[u8; 32]>,
) -> Box<dyn EventStore> {
    let mut store = fixture.restart(store, digest_key);
    store.load_crashed(INSTANCE, RUN).expect("an unsealed run loads");
    store
}
