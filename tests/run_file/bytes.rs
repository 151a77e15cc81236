//! The tables of a run and their rows, read with redb alone and compared with bytes that are laid
//! out here by hand.

use eventstore::backend::EventStore;
use eventstore::backend::redb::{RedbOptions, RedbStore};
use eventstore::entry::Entry;
use eventstore::headers::{Headers, Uuid};
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::snapshot::SnapshotAnchor;
use redb::{ReadOnlyDatabase, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};

use super::common::sample::{self, Keyed, client, venue};
use super::common::temporary::TemporaryFolder;

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const COMMITS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("es_commits");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("es_meta");
const MANIFEST: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("manifest");
const ANCHOR: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("snapshot_anchor");
const FORMAT: TableDefinition<'_, &str, u32> = TableDefinition::new("store_format");
const CLIENT: TableDefinition<'_, &str, u64> = TableDefinition::new("client_order_id_idx");
const VENUE: TableDefinition<'_, &str, u64> = TableDefinition::new("venue_order_id_idx");

fn first() -> Keyed {
    let entry = Entry {
        seq: 1,
        ts_init: 0x0102,
        ts_publish: 0x0304,
        topic: "exec.a".into(),
        payload_type: "Ö".into(),
        payload: vec![0xAA, 0xBB],
        headers: Headers { correlation_id: Some(Uuid([0x1F; 16])), causation_id: None },
        entry_hash: [0; 32],
    };
    Keyed { entry: sample::hashed(entry), keys: vec![client("C1"), venue("V1")] }
}

fn second() -> Keyed {
    let entry = Entry {
        seq: 2,
        ts_init: 0x0100,
        ts_publish: 1,
        topic: "t".into(),
        payload_type: "p".into(),
        payload: vec![],
        headers: Headers { correlation_id: None, causation_id: Some(Uuid([0xE0; 16])) },
        entry_hash: [0; 32],
    };
    Keyed { entry: sample::hashed(entry), keys: vec![] }
}

fn third() -> Keyed {
    let mut third = second();
    third.entry.seq = 3;
    Keyed { entry: sample::hashed(third.entry), keys: vec![client("C1"), client("C2")] }
}

/// Writes a sealed run of three entries in two commits and answers where it lies.
fn sealed_run(base: &TemporaryFolder) -> (std::path::PathBuf, [u8; 33]) {
    let key = Some([5; 32]);
    let options = RedbOptions { digest_key: key, ..RedbOptions::default() };
    let mut store = RedbStore::new(base.path(), options);
    store.open_run(&RunManifest::new("r-1", "i-1", 7)).unwrap();
    sample::append(&mut store, &[first(), second()]).unwrap();
    sample::append(&mut store, &[third()]).unwrap();
    let anchor =
        SnapshotAnchor { high_watermark: 2, blob_ref: "b".into(), content_hash: "blake3:0".into() };
    store.record_snapshot_anchor(&anchor).unwrap();
    let sealed = store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    (base.path().join("i-1/r-1.redb"), sealed.digest.unwrap().to_stored())
}

/// Tables, frames and our own rows stand in the file exactly as FORMAT.md and `commit_row.rs` say.
#[test]
fn tables_and_frames_are_laid_out_as_the_format_says() {
    let base = TemporaryFolder::new("bytes");
    let (path, digest) = sealed_run(&base);
    let database = ReadOnlyDatabase::open(path).unwrap();
    let read = database.begin_read().unwrap();
    let mut names: Vec<String> =
        read.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    names.sort();
    let expected = [
        "client_order_id_idx",
        "entries",
        "es_commits",
        "es_meta",
        "manifest",
        "snapshot_anchor",
        "store_format",
        "venue_order_id_idx",
    ];
    assert_eq!(names, expected, "the reserve is gone once sealed");

    let format = read.open_table(FORMAT).unwrap();
    assert_eq!(format.get("codec").unwrap().unwrap().value(), 1);
    let entries = read.open_table(ENTRIES).unwrap();
    assert_eq!(entries.get(1).unwrap().unwrap().value(), first_frame());
    assert_eq!(entries.get(2).unwrap().unwrap().value(), second_frame());
    assert_eq!(entries.iter().unwrap().count(), 3);
    let manifest = read.open_table(MANIFEST).unwrap();
    assert_eq!(manifest.get("current").unwrap().unwrap().value(), manifest_frame());
    let anchor = read.open_table(ANCHOR).unwrap();
    assert_eq!(anchor.get("latest").unwrap().unwrap().value(), anchor_frame());

    let index = |definition: TableDefinition<'_, &str, u64>| {
        let table = read.open_table(definition).unwrap();
        let rows = table.iter().unwrap().map(|row| row.unwrap());
        rows.map(|(key, seq)| (key.value().to_owned(), seq.value())).collect::<Vec<_>>()
    };
    assert_eq!(index(CLIENT), [("C1".to_owned(), 1), ("C2".to_owned(), 3)]);
    assert_eq!(index(VENUE), [("V1".to_owned(), 1)]);

    let commits = read.open_table(COMMITS).unwrap();
    assert_eq!(commits.iter().unwrap().count(), 2, "one row a commit");
    assert_eq!(commits.get(2).unwrap().unwrap().value(), first_commit_row());
    assert_eq!(commits.get(3).unwrap().unwrap().value(), second_commit_row());
    let meta = read.open_table(META).unwrap();
    assert_eq!(meta.get("keyed").unwrap().unwrap().value(), [1]);
    assert_eq!(meta.get("digest").unwrap().unwrap().value(), digest);
    assert_eq!(digest[0], 1, "keyed");
}

#[rustfmt::skip]
fn first_frame() -> Vec<u8> {
    // The preimage of the hash, integers big-endian.
    let preimage: &[&[u8]] = &[
        b"nautilus-event-store/entry/v1",
        &[0, 0, 0, 0, 0, 0, 0, 1], &[0, 0, 0, 0, 0, 0, 1, 2], &[0, 0, 0, 0, 0, 0, 3, 4],
        &[0, 0, 0, 0, 0, 0, 0, 6], b"exec.a",
        &[0, 0, 0, 0, 0, 0, 0, 2], &[0xC3, 0x96],
        &[0, 0, 0, 0, 0, 0, 0, 2], &[0xAA, 0xBB],
        &[1], &[0x1F; 16],
        &[0],
    ];
    let hash = blake3::hash(&preimage.concat());
    let frame: &[&[u8]] = &[
        b"NESC\x01", hash.as_bytes(),
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &[1], &[36, 0, 0, 0, 0, 0, 0, 0], b"1f1f1f1f-1f1f-1f1f-1f1f-1f1f1f1f1f1f",
        &[0],
        &[6, 0, 0, 0, 0, 0, 0, 0], b"exec.a",
        &[2, 0, 0, 0, 0, 0, 0, 0], &[0xC3, 0x96],
        &[2, 0, 0, 0, 0, 0, 0, 0], &[0xAA, 0xBB],
        &[2, 1, 0, 0, 0, 0, 0, 0], &[4, 3, 0, 0, 0, 0, 0, 0],
    ];
    frame.concat()
}

#[rustfmt::skip]
fn second_frame() -> Vec<u8> {
    let preimage: &[&[u8]] = &[
        b"nautilus-event-store/entry/v1",
        &[0, 0, 0, 0, 0, 0, 0, 2], &[0, 0, 0, 0, 0, 0, 1, 0], &[0, 0, 0, 0, 0, 0, 0, 1],
        &[0, 0, 0, 0, 0, 0, 0, 1], b"t",
        &[0, 0, 0, 0, 0, 0, 0, 1], b"p",
        &[0, 0, 0, 0, 0, 0, 0, 0],
        &[0],
        &[1], &[0xE0; 16],
    ];
    let hash = blake3::hash(&preimage.concat());
    let frame: &[&[u8]] = &[
        b"NESC\x01", hash.as_bytes(),
        &[2, 0, 0, 0, 0, 0, 0, 0],
        &[0],
        &[1], &[36, 0, 0, 0, 0, 0, 0, 0], b"e0e0e0e0-e0e0-e0e0-e0e0-e0e0e0e0e0e0",
        &[1, 0, 0, 0, 0, 0, 0, 0], b"t",
        &[1, 0, 0, 0, 0, 0, 0, 0], b"p",
        &[0, 0, 0, 0, 0, 0, 0, 0],
        &[0, 1, 0, 0, 0, 0, 0, 0], &[1, 0, 0, 0, 0, 0, 0, 0],
    ];
    frame.concat()
}

#[rustfmt::skip]
fn manifest_frame() -> Vec<u8> {
    let empty: &[u8] = &[0; 8];
    let frame: &[&[u8]] = &[
        b"NESC\x01",
        &[3, 0, 0, 0, 0, 0, 0, 0], b"r-1",
        &[0],                                    // no parent
        &[3, 0, 0, 0, 0, 0, 0, 0], b"i-1",
        empty,                                   // binary hash
        &[0, 0, 0, 0],                           // schema version
        empty, empty, empty, empty,              // crate versions, flags, adapters, config hash
        empty, empty, empty, empty, empty,       // actors to endpoints
        &[0],                                    // no seed
        &[7, 0, 0, 0, 0, 0, 0, 0],               // start
        &[1], &[2, 1, 0, 0, 0, 0, 0, 0],         // end: the largest, not the last
        &[3, 0, 0, 0, 0, 0, 0, 0],               // high-watermark
        &[1, 0, 0, 0],                           // Ended
    ];
    frame.concat()
}

#[rustfmt::skip]
fn anchor_frame() -> Vec<u8> {
    let frame: &[&[u8]] = &[
        b"NESC\x01",
        &[2, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0], b"b",
        &[8, 0, 0, 0, 0, 0, 0, 0], b"blake3:0",
    ];
    frame.concat()
}

#[rustfmt::skip]
fn first_commit_row() -> Vec<u8> {
    let row: &[&[u8]] = &[
        &[1],                                    // version
        &[1, 0, 0, 0, 0, 0, 0, 0],               // first seq
        &[0, 1, 0, 0, 0, 0, 0, 0],               // smallest ts_init
        &[2, 1, 0, 0, 0, 0, 0, 0],               // largest ts_init
        &[2, 1, 0, 0, 0, 0, 0, 0],               // largest of the run so far
        &[41, 0, 0, 0], &[53, 0, 0, 0],          // where the two key lists start
        &[0, 0], &[2, 0], b"C1",
        &[1, 0], &[2, 0], b"V1",
    ];
    row.concat()
}

#[rustfmt::skip]
fn second_commit_row() -> Vec<u8> {
    let row: &[&[u8]] = &[
        &[1],
        &[3, 0, 0, 0, 0, 0, 0, 0],
        &[0, 1, 0, 0, 0, 0, 0, 0],
        &[0, 1, 0, 0, 0, 0, 0, 0],
        &[2, 1, 0, 0, 0, 0, 0, 0],
        &[37, 0, 0, 0],
        &[0, 0], &[2, 0], b"C1",
        &[0, 0], &[2, 0], b"C2",
    ];
    row.concat()
}

/// While a run is written, the reserve of 1 MiB is a live row of its file.
#[test]
fn running_run_holds_its_reserve() {
    let base = TemporaryFolder::new("reserve");
    let mut store = RedbStore::new(base.path(), RedbOptions::default());
    store.open_run(&RunManifest::new("r-1", "i-1", 7)).unwrap();
    store.close().unwrap();
    let database = ReadOnlyDatabase::open(base.path().join("i-1/r-1.redb")).unwrap();
    let read = database.begin_read().unwrap();
    let reserve: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("es_reserve");
    let reserve = read.open_table(reserve).unwrap();
    let (_, row) = reserve.first().unwrap().unwrap();
    assert_eq!(row.value().len().next_power_of_two(), 1 << 20);
    assert!(row.value().iter().all(|byte| *byte == 0), "no stale memory reaches the disk");
}
