//! The redb backend's run file, from outside: what it holds byte for byte, how it behaves when the
//! disk is full, slow or damaged, and what it makes of files that are no runs.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use eventstore::backend::redb::{RedbOptions, RedbStore, open_sealed};
use eventstore::backend::{Direction, EventReader, EventStore};
use eventstore::entry::{AppendEntry, EntryView};
use eventstore::error::EventStoreError;
use eventstore::hash::entry_hash;
use eventstore::headers::{Headers, Uuid};
use eventstore::index::{IndexKey, IndexKind, KeyList, encode_keys};
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::snapshot::SnapshotAnchor;

/// An owned entry with its keys, hash included.
struct Item {
    seq: u64,
    ts_init: u64,
    payload: Vec<u8>,
    keys: (u32, Vec<u8>),
    headers: Headers,
}

impl Item {
    fn new(seq: u64) -> Self {
        let keys = [
            IndexKey::new(IndexKind::CLIENT_ORDER_ID, format!("c-{}", seq / 2)),
            IndexKey::new(IndexKind::VENUE_ORDER_ID, format!("v-{seq}")),
        ];
        Self {
            seq,
            ts_init: 1000 + seq * 10,
            payload: vec![seq as u8; (seq % 300) as usize],
            keys: encode_keys(&keys[..(seq % 3) as usize]).unwrap(),
            headers: Headers {
                correlation_id: (seq % 2 == 0).then_some(Uuid([seq as u8; 16])),
                causation_id: None,
            },
        }
    }

    fn append(&self) -> AppendEntry<'_> {
        let mut entry = EntryView {
            seq: self.seq,
            ts_init: self.ts_init,
            ts_publish: self.ts_init + 1,
            topic: "exec.command",
            payload_type: "SubmitOrder",
            payload: &self.payload,
            headers: self.headers,
            entry_hash: [0; 32],
        };
        entry.entry_hash = entry_hash(&entry);
        AppendEntry { entry, keys: KeyList::parse(self.keys.0, &self.keys.1).unwrap() }
    }
}

fn append(store: &mut dyn EventStore, seqs: std::ops::RangeInclusive<u64>) {
    let items: Vec<Item> = seqs.map(Item::new).collect();
    let batch: Vec<AppendEntry<'_>> = items.iter().map(Item::append).collect();
    assert_eq!(store.append_batch(&batch).unwrap(), items[items.len() - 1].seq);
}

fn check_rows(reader: &dyn EventReader, last: u64) {
    let mut next = 1;
    reader
        .visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
            let item = Item::new(next);
            assert_eq!(row.entry, item.append().entry);
            assert_eq!(row.keys, Some(item.append().keys));
            next += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(next, last + 1);
    assert_eq!(reader.high_watermark(), last);
    let backward = reader.scan_range(1, u64::MAX, Direction::Backward).unwrap();
    assert!(backward.iter().rev().map(|entry| entry.seq).eq(1..=last));
}

/// A directory of its own, removed when the test passes.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("es-run-file-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn run(&self, name: &str) -> PathBuf {
        self.0.join(format!("i-1/{name}.redb"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn store(base: &Path) -> RedbStore {
    RedbStore::new(base, RedbOptions::default())
}

fn manifest(run_id: &str) -> RunManifest {
    RunManifest::new(run_id, "i-1", 900)
}

/// A run that is written, anchored, sealed and closed reads back the same at every stage, through
/// a reader that was opened at the start and through the sealed file.
#[test]
fn run_reads_back_at_every_stage() {
    let scratch = Scratch::new("stages");
    let mut run = store(&scratch.0);
    run.open_run(&manifest("r-1")).unwrap();
    let reader = run.reader().unwrap();
    check_rows(&*reader, 0);
    append(&mut run, 1..=1);
    check_rows(&*reader, 1);
    append(&mut run, 2..=500);
    check_rows(&*reader, 500);
    let anchor = SnapshotAnchor {
        high_watermark: 250,
        blob_ref: "s3://x".into(),
        content_hash: "blake3:00".into(),
    };
    run.record_snapshot_anchor(&anchor).unwrap();
    assert_eq!(reader.latest_snapshot_anchor().unwrap(), Some(anchor.clone()));
    let sealed = run.seal(RunStatus::Ended).unwrap();
    check_rows(&*reader, 500);
    run.close().unwrap();
    check_rows(&*reader, 500);
    drop(run);
    check_rows(&*reader, 500);
    drop(reader);
    let sealed_reader = open_sealed(&scratch.run("r-1"), 1 << 20, true).unwrap();
    check_rows(&*sealed_reader, 500);
    assert_eq!(sealed_reader.digest().unwrap(), sealed.digest);
    assert!(sealed.digest.is_some());
    assert_eq!(sealed_reader.latest_snapshot_anchor().unwrap(), Some(anchor));
    let stored = sealed_reader.manifest().unwrap();
    assert_eq!((stored.status, stored.high_watermark), (RunStatus::Ended, 500));
    assert_eq!(stored.end_ts_init, Some(6000));
    assert_eq!(sealed_reader.lookup(IndexKind::CLIENT_ORDER_ID, "c-100").unwrap(), Some(200));
    assert_eq!(sealed_reader.first_seq_at(1011).unwrap(), Some(2));
    assert_eq!(sealed_reader.first_seq_at(6001).unwrap(), None);
}

/// A run that is let go of without a word opens as crashed, seals with the digest that an orderly
/// seal would have given, and answers for its name in the documented order.
#[test]
fn abandoned_run_is_recovered() {
    let scratch = Scratch::new("crash");
    let mut orderly = store(&scratch.0);
    orderly.open_run(&manifest("r-0")).unwrap();
    let mut run = store(&scratch.0);
    run.open_run(&manifest("r-1")).unwrap();
    for store in [&mut orderly, &mut run] {
        append(store, 1..=100);
        append(store, 101..=200);
    }
    let reader = run.reader().unwrap();
    let mut other = store(&scratch.0);
    let locked = other.open_run(&manifest("r-1")).unwrap_err();
    assert!(matches!(locked, EventStoreError::Locked(_)), "{locked}");
    let locked = other.load_crashed("i-1", "r-1").unwrap_err();
    assert!(matches!(locked, EventStoreError::Locked(_)), "{locked}");
    run.abandon();
    check_rows(&*reader, 200);
    let crashed = other.open_run(&manifest("r-1")).unwrap_err();
    assert!(matches!(crashed, EventStoreError::CrashedPredecessor(_)), "{crashed}");
    other.load_crashed("i-1", "r-1").unwrap();
    check_rows(&*other.reader().unwrap(), 200);
    assert!(matches!(
        other.append_batch(&[Item::new(201).append()]).unwrap_err(),
        EventStoreError::Closed
    ));
    let sealed = other.seal(RunStatus::CrashedRecovered).unwrap();
    assert_eq!(sealed.high_watermark, 200);
    let again = other.seal(RunStatus::CrashedRecovered).unwrap_err();
    assert!(matches!(again, EventStoreError::Closed));
    other.close().unwrap();
    check_rows(&*reader, 200);
    let exists = store(&scratch.0).open_run(&manifest("r-1")).unwrap_err();
    assert!(matches!(exists, EventStoreError::AlreadyExists(_)), "{exists}");
    let stored = open_sealed(&scratch.run("r-1"), 1 << 20, false).unwrap().manifest().unwrap();
    assert_eq!(stored.end_ts_init, Some(3000));
    orderly.seal(RunStatus::Ended).unwrap();
}
