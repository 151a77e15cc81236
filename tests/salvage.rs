//! Salvage copies every good row of a hurt run into a new one, and says what it could not.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::sample::{self, INSTANCE, Keyed};
use common::temporary::TemporaryFolder;
use common::{golden, shared};
use eventstore::backend::redb::{RedbOptions, RedbStore};
use eventstore::backend::{Direction, EventStore};
use eventstore::error::EventStoreError;
use eventstore::index::IndexKey;
use eventstore::manifest::RunStatus;
use eventstore::recovery::{Outcome, RecoveryOptions, recover};
use eventstore::salvage::{SalvageOptions, SalvageReport, salvage_run};
use eventstore::store::{self, OpenOptions, ReaderOptions};
use eventstore::verifier::{Finding, VerifyOptions, verify_run};
use redb::{Database, TableDefinition};

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");

fn path_of(base: &Path, run_id: &str) -> PathBuf {
    base.join(INSTANCE).join(format!("{run_id}.redb"))
}

/// A store with an open run of so many entries in commits of seven, the anchor at 20.
fn written(base: &Path, count: u64) -> RedbStore {
    let mut store = RedbStore::new(base, RedbOptions::default());
    store.open_run(&sample::full_manifest("old")).unwrap();
    for chunk in sample::run_of(count).chunks(7) {
        sample::append(&mut store, chunk).unwrap();
    }
    store.record_snapshot_anchor(&sample::anchor(20)).unwrap();
    store
}

fn salvage(base: &Path, path: &Path) -> SalvageReport {
    let before = fs::read(path).unwrap();
    let report = salvage_run(path, base, INSTANCE, "new", SalvageOptions::default()).unwrap();
    assert!(before == fs::read(path).unwrap(), "salvage changed the old run");
    let verified = verify_run(&report.path, VerifyOptions::default()).unwrap();
    assert!(verified.is_clean(), "{:?}", verified.findings);
    report
}

/// The new run's rows, with the hash of the old sequence left out.
fn rows_of(path: &Path) -> Vec<(Keyed, u64)> {
    let reader = store::open_sealed_run(path, &ReaderOptions::default()).unwrap();
    let mut rows = Vec::new();
    let mut add = |row: eventstore::entry::Row<'_>| {
        let keys: Vec<IndexKey> = row.keys.expect("the new run records keys").to_vec();
        rows.push((Keyed { entry: row.entry.to_entry(), keys }, row.entry.seq));
        ControlFlow::Continue(())
    };
    reader.view().visit_range(1, u64::MAX, Direction::Forward, &mut add).unwrap();
    rows
}

/// Each row of the new run is the old one under its new sequence.
#[track_caller]
fn assert_copied(path: &Path, old: impl IntoIterator<Item = Keyed>) {
    let mut next = 1;
    let expected: Vec<(Keyed, u64)> = old
        .into_iter()
        .map(|mut item| {
            item.entry.seq = next;
            next += 1;
            (Keyed { entry: sample::hashed(item.entry), keys: item.keys }, next - 1)
        })
        .collect();
    let found = rows_of(path);
    assert_eq!(found.len(), expected.len());
    assert!(found == expected);
}

/// A quarantined run: the good rows are copied in order with their keys, the bad ones listed, the
/// anchor moves with the rows it covers, and the new run is what recovery offers as parent.
#[test]
fn quarantined_run_is_salvaged() {
    let base = TemporaryFolder::new("quarantined");
    let mut run = written(base.path(), 40);
    let mut last = sample::keyed(41);
    last.entry.topic = "run.lifecycle.RunStarted".into();
    last.entry = sample::hashed(last.entry);
    sample::append(&mut run, &[last]).unwrap();
    run.close().unwrap();
    let path = path_of(base.path(), "old");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut entries = transaction.open_table(ENTRIES).unwrap();
        entries.remove(5).unwrap();
        entries.remove(6).unwrap();
        entries.insert(30, b"junk".as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    database.close().unwrap();
    let options = || SalvageOptions::default();
    let refused = salvage_run(&path, base.path(), INSTANCE, "new", options()).unwrap_err();
    assert!(matches!(refused, EventStoreError::NotSealed(_)), "{refused}");
    let swept = recover(base.path(), INSTANCE, RecoveryOptions::default()).unwrap();
    assert_eq!(swept.runs[0].outcome, Outcome::SealedAs(RunStatus::Quarantined));
    assert_eq!(swept.parent_run_id, None);

    let report = salvage(base.path(), &path);
    assert_eq!((report.copied, report.lifecycle, report.high_watermark), (37, 1, 37));
    assert_eq!(report.parent_run_id.as_deref(), Some("old"));
    let is_expected = matches!(
        &*report.lost,
        [Finding::Gap { from: 5, to: 6 }, Finding::Undecodable { seq: 30, .. }]
    );
    assert!(is_expected, "{:?}", report.lost);
    assert_copied(
        &report.path,
        sample::run_of(40).into_iter().filter(|item| ![5, 6, 30].contains(&item.entry.seq)),
    );
    let reader = store::open_sealed_run(&report.path, &ReaderOptions::default()).unwrap();
    let manifest = reader.view().manifest().unwrap();
    assert_eq!(manifest.status, RunStatus::CrashedRecovered);
    assert_eq!(manifest.binary_hash, "blake3:00ff");
    // Of the twenty that the snapshot covers, two were lost.
    assert_eq!(reader.restore_plan().unwrap().replay_from, 19);
    drop(reader);
    let swept = recover(base.path(), INSTANCE, RecoveryOptions::default()).unwrap();
    assert_eq!((swept.runs.len(), swept.parent_run_id.as_deref()), (0, Some("new")));
}

/// A killed run with a damaged page: recovery will not have it, salvage gets out what other pages
/// hold, each row whole.
#[test]
fn damaged_run_is_salvaged_row_by_row() {
    let base = TemporaryFolder::new("damaged");
    written(base.path(), 2000).abandon();
    let path = path_of(base.path(), "old");
    let whole = fs::read(&path).unwrap();
    // The page of an entry in the middle, by a payload that no other has.
    let middle = sample::keyed(1065).entry.payload;
    assert!(middle.len() > 90);
    let at = whole.windows(middle.len()).rposition(|window| window == middle).unwrap();
    let mut bytes = whole.clone();
    for byte in &mut bytes[at & !4095..at | 4095] {
        *byte ^= 0x55;
    }
    fs::write(&path, &bytes).unwrap();
    let swept = recover(base.path(), INSTANCE, RecoveryOptions::default()).unwrap();
    assert_eq!(swept.runs[0].outcome, Outcome::Damaged);
    assert!(fs::read(&path).unwrap() == bytes);

    let report = salvage(base.path(), &path);
    println!("{} of 2000 copied; lost: {:#?}", report.copied, report.lost);
    assert!((1900..2000).contains(&report.copied), "{} copied", report.copied);
    assert!(matches!(report.lost[0], Finding::Damaged { .. }));
    let copied = rows_of(&report.path);
    let mut old = sample::run_of(2000).into_iter();
    for (item, _) in copied {
        let times = (item.entry.ts_init, item.entry.ts_publish);
        let mut found = old.find(|old| (old.entry.ts_init, old.entry.ts_publish) == times).unwrap();
        found.entry.seq = item.entry.seq;
        assert_eq!(sample::hashed(found.entry), item.entry);
        assert_eq!(found.keys, item.keys);
    }
}

/// A file of the other writer records no key lists: the keys come from its index.
#[test]
fn golden_run_is_salvaged_with_keys_from_its_index() {
    let test = "golden_run_is_salvaged_with_keys_from_its_index";
    if shared::shared_path(test, "golden").is_none() {
        return;
    }
    let run = golden::copy_of(test, "1700000003-badhash1").unwrap();
    let base = TemporaryFolder::new("golden");
    let report = salvage(base.path(), &run.path);
    assert_eq!(report.lost, [Finding::HashMismatch { seq: 3 }]);
    let mut seen: Vec<IndexKey> = Vec::new();
    let expected = run.expected.entries.iter().map(|item| {
        let mut keys = item.keys.clone();
        keys.retain(|key| !seen.contains(key));
        keys.dedup();
        seen.extend(keys.clone());
        Keyed { entry: item.entry.clone(), keys }
    });
    let expected: Vec<Keyed> = expected.collect();
    assert_copied(&report.path, expected.into_iter().filter(|item| item.entry.seq != 3));
}

/// What cannot be salvaged, and where it cannot go, is refused, and nothing is left behind.
#[test]
fn salvage_that_fails_leaves_nothing() {
    let base = TemporaryFolder::new("refused");
    let mut run = written(base.path(), 9000);
    run.seal(RunStatus::Quarantined).unwrap();
    run.close().unwrap();
    let path = path_of(base.path(), "old");
    let names = || fs::read_dir(base.path().join(INSTANCE)).unwrap().count();
    let options = || SalvageOptions::default();
    let text = base.path().join("text.redb");
    fs::write(&text, "not a run").unwrap();
    let before = names();
    let refused = salvage_run(&text, base.path(), INSTANCE, "new", options()).unwrap_err();
    assert!(matches!(refused, EventStoreError::Corrupted(_)), "{refused}");
    let refused = salvage_run(&path, base.path(), INSTANCE, "old", options()).unwrap_err();
    assert!(matches!(refused, EventStoreError::AlreadyExists(_)), "{refused}");
    let refused = salvage_run(&path, base.path(), INSTANCE, "../new", options()).unwrap_err();
    assert!(matches!(refused, EventStoreError::InvalidArgument { field: "run_id", .. }));
    let mut enough = |_: &eventstore::progress::Progress| ControlFlow::Break(());
    let ended = SalvageOptions { progress: Some(&mut enough), ..options() };
    let refused = salvage_run(&path, base.path(), INSTANCE, "new", ended).unwrap_err();
    assert!(matches!(refused, EventStoreError::Timeout), "{refused}");
    assert_eq!(names(), before + 1, "the lock's file is all that was added");
    let manifest = eventstore::manifest::RunManifest::new("live", INSTANCE, 1);
    let live = store::open_run(base.path(), &manifest, OpenOptions::default()).unwrap();
    let refused = salvage_run(&path, base.path(), INSTANCE, "new", options()).unwrap_err();
    assert!(matches!(refused, EventStoreError::Locked(_)), "{refused}");
    drop(live);
}
