//! The run files of another implementation read as FORMAT.md's table says.
//!
//! Each test works on a copy. Without the shared data it says that it did not run.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use eventstore::backend::redb::{self, RedbOptions, RedbStore};
use eventstore::backend::{Direction, EventReader, EventStore};
use eventstore::codec;
use eventstore::entry::Entry;
use eventstore::error::EventStoreError;
use eventstore::hash;
use eventstore::index::IndexKind;
use eventstore::manifest::{RunManifest, RunStatus};

use common::format;
use common::golden::{self, Expected, GoldenRun};

const CACHE_BYTES: usize = 1 << 20;

fn store(base: &Path) -> RedbStore {
    RedbStore::new(base, RedbOptions { cache_bytes: CACHE_BYTES, ..RedbOptions::default() })
}

fn open_sealed(path: &Path) -> Arc<dyn EventReader> {
    redb::open_sealed(path, CACHE_BYTES, false).expect("a sealed run opens")
}

/// The entries of a whole scan, and the error that ended it, in debug form.
fn scan(reader: &dyn EventReader, direction: Direction) -> (Vec<Entry>, Option<EventStoreError>) {
    let mut entries = Vec::new();
    let end = reader.visit_range(1, u64::MAX, direction, &mut |row| {
        assert!(row.keys.is_none(), "the other writer records no key lists");
        entries.push(row.entry.to_entry());
        ControlFlow::Continue(())
    });
    (entries, end.err())
}

fn entries_of(expected: &Expected, seqs: impl IntoIterator<Item = u64>) -> Vec<Entry> {
    seqs.into_iter().map(|seq| expected.entries[seq as usize - 1].entry.clone()).collect()
}

/// The first `seq` of each key handed in, in byte order.
fn first_seqs(expected: &Expected, kind: IndexKind) -> Vec<(String, u64)> {
    let mut keys = std::collections::BTreeMap::new();
    for item in &expected.entries {
        for key in item.keys.iter().filter(|key| key.kind == kind) {
            keys.entry(key.key.clone()).or_insert(item.entry.seq);
        }
    }
    keys.into_iter().collect()
}

fn index_of(reader: &dyn EventReader, kind: IndexKind) -> Vec<(String, u64)> {
    let mut keys = Vec::new();
    let end = reader.visit_index(kind, None, &mut |key, seq| {
        keys.push((key.to_owned(), seq));
        ControlFlow::Continue(())
    });
    end.expect("a sound index");
    keys
}

/// Everything but the rows: manifest, anchor, high-watermark, indices, and what a file of the
/// other writer does not have.
fn assert_frame_of_run(reader: &dyn EventReader, manifest: &RunManifest, expected: &Expected) {
    assert_eq!(reader.manifest().unwrap(), *manifest);
    assert_eq!(reader.high_watermark(), manifest.high_watermark);
    assert_eq!(reader.latest_snapshot_anchor().unwrap(), expected.anchor);
    for item in &expected.entries {
        assert_eq!(reader.recorded_keys(item.entry.seq).unwrap(), None);
    }
    for kind in IndexKind::ALL {
        for (key, seq) in first_seqs(expected, kind) {
            assert_eq!(reader.lookup(kind, &key).unwrap(), Some(seq), "{} {key}", kind.name());
        }
        assert_eq!(reader.lookup(kind, "never used").unwrap(), None);
    }
}

fn assert_indices(reader: &dyn EventReader, expected: &Expected) {
    for kind in IndexKind::ALL {
        assert_eq!(index_of(reader, kind), first_seqs(expected, kind), "{}", kind.name());
    }
}

/// All rows both ways, one by one, and by time.
fn assert_rows(reader: &dyn EventReader, expected: &Expected) {
    let count = expected.entries.len() as u64;
    let (rows, error) = scan(reader, Direction::Forward);
    assert_eq!(rows, entries_of(expected, 1..=count));
    assert!(error.is_none(), "{error:?}");
    let (rows, error) = scan(reader, Direction::Backward);
    assert_eq!(rows, entries_of(expected, (1..=count).rev()));
    assert!(error.is_none(), "{error:?}");
    for item in &expected.entries {
        let entry = reader.scan_seq(item.entry.seq).unwrap();
        assert_eq!(entry.as_ref(), Some(&item.entry));
        let ts_init = item.entry.ts_init;
        let naive = expected.entries.iter().find(|other| other.entry.ts_init >= ts_init);
        let found = reader.first_seq_at(ts_init).unwrap();
        assert_eq!(found, naive.map(|other| other.entry.seq), "at {ts_init}");
    }
    assert_eq!(reader.scan_seq(count + 1).unwrap(), None);
    assert_eq!(reader.first_seq_at(u64::MAX).unwrap(), None);
}

/// A sealed run is opened, looked at, let go, and not one byte of its file has changed.
fn read_sealed(test_name: &str, run_id: &str, look: impl FnOnce(&dyn EventReader, &Expected)) {
    let Some(run) = golden::copy_of(test_name, run_id) else { return };
    let reader = open_sealed(&run.path);
    assert_frame_of_run(&*reader, &run.expected.manifest, &run.expected);
    assert_eq!(reader.digest().unwrap(), None, "the other writer stores no digest");
    look(&*reader, &run.expected);
    drop(reader);
    assert!(fs::read(&run.path).unwrap() == run.bytes, "reading changed the file");
}

/// 60 entries of every shape, an anchor, a full manifest.
#[test]
fn ended_run_reads_back_equal() {
    read_sealed("ended_run_reads_back_equal", "1700000000-ended001", |reader, expected| {
        assert_eq!(expected.entries.len(), 60);
        assert_eq!(expected.anchor.as_ref().map(|anchor| anchor.high_watermark), Some(30));
        assert_rows(reader, expected);
        assert_indices(reader, expected);
    });
}

/// Sealed without a single entry.
#[test]
fn empty_run_reads_back_equal() {
    read_sealed("empty_run_reads_back_equal", "1700000001-empty001", |reader, expected| {
        assert_eq!(expected.manifest.status, RunStatus::CrashedRecovered);
        assert_rows(reader, expected);
        assert_indices(reader, expected);
    });
}

/// The stored hash of entry 3 is wrong: good rows, then the error, from either side.
#[test]
fn bad_hash_surfaces_at_its_row() {
    read_sealed("bad_hash_surfaces_at_its_row", "1700000003-badhash1", |reader, expected| {
        let is_third =
            |error: &EventStoreError| matches!(error, EventStoreError::HashMismatch { seq: 3 });
        let (rows, error) = scan(reader, Direction::Forward);
        assert_eq!(rows, entries_of(expected, [1, 2]));
        assert!(error.as_ref().is_some_and(is_third), "{error:?}");
        let (rows, error) = scan(reader, Direction::Backward);
        assert_eq!(rows, entries_of(expected, [6, 5, 4]));
        assert!(error.as_ref().is_some_and(is_third), "{error:?}");
        let error = reader.scan_seq(3).unwrap_err();
        assert!(is_third(&error), "{error:?}");
        assert_indices(reader, expected);
    });
}

/// Row 4 is gone: the hole is named by its neighbours, from either side and when asked for alone.
#[test]
fn gap_is_named_by_its_neighbours() {
    read_sealed("gap_is_named_by_its_neighbours", "1700000004-gap00001", |reader, expected| {
        let is_fourth = |error: &EventStoreError| {
            matches!(error, EventStoreError::Gap { prev: 3, next: 5, missing: 4 })
        };
        let (rows, error) = scan(reader, Direction::Forward);
        assert_eq!(rows, entries_of(expected, [1, 2, 3]));
        assert!(error.as_ref().is_some_and(is_fourth), "{error:?}");
        let (rows, error) = scan(reader, Direction::Backward);
        assert_eq!(rows, entries_of(expected, [6, 5]));
        assert!(error.as_ref().is_some_and(is_fourth), "{error:?}");
        let error = reader.scan_seq(4).unwrap_err();
        assert!(is_fourth(&error), "{error:?}");
        let after = reader.scan_range(5, 6, Direction::Forward).unwrap();
        assert_eq!(after, entries_of(expected, [5, 6]), "rows beside the hole are good");
        assert_indices(reader, expected);
    });
}

/// Row 2 holds a copy of row 5, whose hash is right: only the key gives it away.
#[test]
fn moved_row_is_a_sequence_mismatch() {
    read_sealed("moved_row_is_a_sequence_mismatch", "1700000005-moved001", |reader, expected| {
        let is_second = |error: &EventStoreError| {
            matches!(error, EventStoreError::SeqMismatch { table_key: 2, embedded_seq: 5 })
        };
        let (rows, error) = scan(reader, Direction::Forward);
        assert_eq!(rows, entries_of(expected, [1]));
        assert!(error.as_ref().is_some_and(is_second), "{error:?}");
        let (rows, error) = scan(reader, Direction::Backward);
        assert_eq!(rows, entries_of(expected, [6, 5, 4, 3]));
        assert!(error.as_ref().is_some_and(is_second), "{error:?}");
        let error = reader.scan_seq(2).unwrap_err();
        assert!(is_second(&error), "{error:?}");
        assert_indices(reader, expected);
    });
}

/// An index row points beyond the run: entries read, and the row is there for the verifier.
#[test]
fn drifted_index_reads_as_it_stands() {
    read_sealed("drifted_index_reads_as_it_stands", "1700000006-drift001", |reader, expected| {
        assert_rows(reader, expected);
        let mut client_keys = first_seqs(expected, IndexKind::CLIENT_ORDER_ID);
        client_keys.push(("GHOST".to_owned(), 99));
        client_keys.sort();
        assert_eq!(index_of(reader, IndexKind::CLIENT_ORDER_ID), client_keys);
        assert_eq!(reader.lookup(IndexKind::CLIENT_ORDER_ID, "GHOST").unwrap(), Some(99));
        let venue_keys = first_seqs(expected, IndexKind::VENUE_ORDER_ID);
        assert_eq!(index_of(reader, IndexKind::VENUE_ORDER_ID), venue_keys);
    });
}

/// Loads a run whose writer is gone, seals it, and reads it as a sealed one.
fn recover(run: &GoldenRun) {
    let GoldenRun { base, path, expected, .. } = run;
    let run_id = &expected.manifest.run_id;
    let refused = redb::open_sealed(path, CACHE_BYTES, false).err();
    assert!(matches!(refused, Some(EventStoreError::NotSealed(_))), "{refused:?}");
    let mut store = store(base.path());
    let refused = store.open_run(&RunManifest::new(run_id, golden::INSTANCE, 1)).err();
    assert!(matches!(refused, Some(EventStoreError::CrashedPredecessor(_))), "{refused:?}");
    assert!(fs::read(path).unwrap() == run.bytes, "asking changed the file");

    store.load_crashed(golden::INSTANCE, run_id).expect("the structure is sound");
    let reader = store.reader().unwrap();
    assert_rows(&*reader, expected);
    assert_indices(&*reader, expected);
    drop(reader);

    let sealed = store.seal(RunStatus::CrashedRecovered).expect("an unsealed run is sealed");
    store.close().expect("a sealed run closes");
    let manifest = RunManifest {
        status: RunStatus::CrashedRecovered,
        end_ts_init: expected.entries.iter().map(|item| item.entry.ts_init).max(),
        // The JSON states how many entries there are; the file stored 0 until now.
        high_watermark: expected.entries.len() as u64,
        ..expected.manifest.clone()
    };
    let entries: Vec<_> = expected.entries.iter().map(|item| (item.entry.clone(), None)).collect();
    let digest = sealed.digest.expect("the recovered run has a digest");
    assert_eq!(sealed.high_watermark, manifest.high_watermark);
    assert_eq!(digest.bytes, format::run_digest(None, &entries, None, &manifest));

    let reader = open_sealed(path);
    assert_frame_of_run(&*reader, &manifest, expected);
    assert_rows(&*reader, expected);
    assert_indices(&*reader, expected);
    assert_eq!(reader.digest().unwrap(), Some(digest));
}

/// Left `Running`, its file closed in order: recovery seals it, and then it equals its JSON.
#[test]
fn running_run_is_recovered_and_equals_its_json() {
    let test_name = "running_run_is_recovered_and_equals_its_json";
    let Some(run) = golden::copy_of(test_name, "1700000002-running1") else { return };
    assert_eq!(run.expected.entries.len(), 5);
    recover(&run);
}

/// Its process died: the file is repaired first.
#[test]
fn killed_run_is_repaired_recovered_and_equals_its_json() {
    let test_name = "killed_run_is_repaired_recovered_and_equals_its_json";
    let Some(run) = golden::copy_of(test_name, "1700000007-killed01") else { return };
    assert_eq!(run.expected.entries.len(), 7);
    recover(&run);
}

/// The hashes that the other implementation computed are those of FORMAT.md, of this crate and of
/// the tests' own second statement; and the frames of all its entries decode to what was encoded.
#[test]
fn hashes_of_the_other_writer_are_computed_alike() {
    let test_name = "hashes_of_the_other_writer_are_computed_alike";
    let mut checked = 0;
    for run_id in golden::RUNS {
        let Some(run) = golden::copy_of(test_name, run_id) else { return };
        for item in &run.expected.entries {
            let entry = &item.entry;
            let frame = format::entry_frame(entry);
            assert_eq!(codec::decode_entry(&frame).unwrap(), entry.view());
            assert_eq!(codec::encode_entry(&entry.view()), frame);
            let computed = format::entry_hash(entry);
            assert_eq!(hash::entry_hash(&entry.view()), computed, "{run_id}, entry {}", entry.seq);
            let is_damaged = run_id.ends_with("badhash1") && entry.seq == 3;
            let is_equal = computed == entry.entry_hash;
            assert_eq!(is_equal, !is_damaged, "{run_id}, entry {}", entry.seq);
            checked += 1;
        }
    }
    assert_eq!(checked, 96, "entries of all golden runs together");
}
