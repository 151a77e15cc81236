//! What operators and an engine's boot do, over runs of the log backend: list, verify, recover,
//! salvage, retain; through the interface that does not name the backend.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::sample::{self, INSTANCE};
use common::temporary::TemporaryFolder;
use eventstore::backend::log::{LogOptions, LogStore};
use eventstore::backend::{Direction, EventStore};
use eventstore::catalogue::list_runs;
use eventstore::error::EventStoreError;
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::recovery::{Outcome, RecoveryOptions, recover};
use eventstore::retention::{Keep, apply_retention, plan_retention};
use eventstore::salvage::{SalvageOptions, salvage_run};
use eventstore::store::{
    BackendKind, OpenOptions, ReaderOptions, open_crashed_run, open_run, open_sealed_run,
};
use eventstore::verifier::{DigestVerdict, Finding, VerifyOptions, verify_run};

fn path_of(base: &Path, run_id: &str) -> PathBuf {
    base.join(INSTANCE).join(format!("{run_id}.eslog"))
}

/// A run of 120 entries in several segments, an anchor at 20.
fn written(base: &Path, run_id: &str, start: u64) -> LogStore {
    let options = LogOptions { segment_bytes_max: 8 << 10, ..LogOptions::default() };
    let mut store = LogStore::new(base, options);
    store.open_run(&RunManifest::new(run_id, INSTANCE, start)).unwrap();
    for chunk in sample::run_of(120).chunks(7) {
        sample::append(&mut store, chunk).unwrap();
    }
    store.record_snapshot_anchor(&sample::anchor(20)).unwrap();
    store
}

fn sealed(base: &Path, run_id: &str, start: u64) -> PathBuf {
    let mut store = written(base, run_id, start);
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    path_of(base, run_id)
}

/// Every file of a run with its content.
fn content(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(run).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

fn flip(file: &Path, offset: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[offset] ^= 4;
    fs::write(file, bytes).unwrap();
}

/// A sealed run verifies clean, its digest included, and is not written to.
#[test]
fn sealed_run_verifies_clean_and_is_not_changed() {
    let base = TemporaryFolder::new("log-clean");
    let path = sealed(base.path(), "r-1", 1);
    let before = content(&path);
    assert!(before.len() > 6, "several segments, each with an index");
    let report = verify_run(&path, VerifyOptions::default()).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!((report.entries_scanned, report.digest), (120, DigestVerdict::Matches));
    let reader = open_sealed_run(&path, &ReaderOptions::default()).unwrap();
    assert_eq!(reader.restore_plan().unwrap().replay_from, 21);
    assert!(before == content(&path), "reading changed the run");
}

/// How many descriptors of this process are files of a run.
fn open_files_of(path: &Path) -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    let targets =
        descriptors.filter_map(|descriptor| fs::read_link(descriptor.unwrap().path()).ok());
    targets.filter(|target| target.starts_with(path)).count()
}

/// However many segments a run has, few files of it are open, beside the writer and afterwards.
#[test]
fn long_run_keeps_few_files_open() {
    let base = TemporaryFolder::new("log-long");
    let options = LogOptions { segment_bytes_max: 8 << 10, ..LogOptions::default() };
    let mut store = LogStore::new(base.path(), options);
    store.open_run(&RunManifest::new("r-1", INSTANCE, 1)).unwrap();
    for chunk in sample::run_of(4_000).chunks(7) {
        sample::append(&mut store, chunk).unwrap();
    }
    let path = path_of(base.path(), "r-1");
    let segments = fs::read_dir(&path).unwrap().filter(|file| {
        file.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "seg")
    });
    assert!(segments.count() > 100, "many times the files that stay open");
    let view = store.reader().unwrap();
    assert_eq!(view.scan_range(1, 4_000, Direction::Forward).unwrap().len(), 4_000);
    let open = open_files_of(&path);
    assert!(open < 50, "{open} files are open beside the writer");
    drop(view);
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    drop(store);
    let reader = open_sealed_run(&path, &ReaderOptions::default()).unwrap();
    let mut rows = 0;
    let visited = reader.view().visit_range(1, u64::MAX, Direction::Backward, &mut |_| {
        rows += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((visited.is_ok(), rows), (true, 4_000));
    let open = open_files_of(&path);
    assert!(open < 50, "{open} files are open for a reader");
}

/// A missing index is made again by the reader: same answers, and still a sound run.
#[test]
fn missing_index_changes_no_answer() {
    let base = TemporaryFolder::new("log-index");
    let path = sealed(base.path(), "r-1", 1);
    for (file, _) in content(&path) {
        if file.extension().is_some_and(|extension| extension == "idx") {
            fs::remove_file(file).unwrap();
        }
    }
    assert!(verify_run(&path, VerifyOptions::default()).unwrap().is_clean());
}

/// Damage in the middle of a run: the verifier names it and counts what is whole, and salvage
/// copies all entries but those of the damaged place into a run of the same backend.
#[test]
fn damaged_run_is_verified_and_salvaged() {
    let base = TemporaryFolder::new("log-salvage");
    let path = sealed(base.path(), "r-1", 1);
    flip(&path.join("0000000002.seg"), 400);
    let report = verify_run(&path, VerifyOptions::default()).unwrap();
    let Finding::Damaged { reason } = &report.findings[0] else { panic!("{report:?}") };
    assert!(reason.starts_with("0000000002.seg: the group at byte"), "{reason}");
    assert!((100..120).contains(&report.entries_scanned), "{}", report.entries_scanned);
    let swept = recover(base.path(), INSTANCE, RecoveryOptions::default()).unwrap();
    assert!(swept.runs.is_empty(), "a sealed run is not swept: {swept:?}");
    let salvaged =
        salvage_run(&path, base.path(), INSTANCE, "r-2", SalvageOptions::default()).unwrap();
    assert_eq!(salvaged.path, path_of(base.path(), "r-2"));
    assert_eq!(salvaged.copied, report.entries_scanned);
    assert!(verify_run(&salvaged.path, VerifyOptions::default()).unwrap().is_clean());
}

/// A file whose name claims a segment far beyond what the run can have, or one by a number with a
/// sign, is named as what is wrong, and costs neither the entries nor memory for all the segments
/// before it.
#[test]
fn number_of_a_stray_file_is_not_trusted() {
    let base = TemporaryFolder::new("log-stray");
    let path = sealed(base.path(), "r-1", 1);
    for (name, salvaged) in [("9999999999.seg", "r-2"), ("+000000001.seg", "r-3")] {
        fs::write(path.join(name), "").unwrap();
        let report = verify_run(&path, VerifyOptions::default()).unwrap();
        let Finding::Damaged { reason } = &report.findings[0] else { panic!("{report:?}") };
        assert!(reason.contains(&format!("{name} is no part of the sealed run")), "{reason}");
        assert_eq!(report.entries_scanned, 120);
        let options = SalvageOptions::default();
        let salvaged = salvage_run(&path, base.path(), INSTANCE, salvaged, options).unwrap();
        assert_eq!(salvaged.copied, 120);
        fs::remove_file(path.join(name)).unwrap();
    }
}

/// A seal whose checksum is right may still name segments that there never were: it is told, and
/// no memory is taken for them.
#[test]
fn number_of_segments_in_a_seal_is_not_trusted() {
    let base = TemporaryFolder::new("log-forged-seal");
    let path = sealed(base.path(), "r-1", 1);
    let seal = fs::read(path.join("seal")).unwrap();
    for last_segment in [0, 1_000, u64::MAX / 16, u64::MAX] {
        let mut forged = seal.clone();
        // Behind magic, version and length.
        forged[16..24].copy_from_slice(&u64::to_le_bytes(last_segment));
        let body_end = forged.len() - 4;
        let sum = crc32c::crc32c(&forged[..body_end]).to_le_bytes();
        forged[body_end..].copy_from_slice(&sum);
        fs::write(path.join("seal"), forged).unwrap();
        let error = open_sealed_run(&path, &ReaderOptions::default()).err().unwrap();
        let text = error.to_string();
        assert!(matches!(error, EventStoreError::Corrupted(_)), "{text}");
        assert!(text.contains(&format!("segment {last_segment} is missing")), "{text}");
        assert!(!verify_run(&path, VerifyOptions::default()).unwrap().findings.is_empty());
        let name = format!("salvaged-{last_segment}");
        let options = SalvageOptions::default();
        let salvaged = salvage_run(&path, base.path(), INSTANCE, &name, options).unwrap();
        assert_eq!(salvaged.copied, 120);
    }
}

/// A sweep seals what was left, closes what was sealed alone, reports what is damaged without
/// touching it, and moves aside what never became a run; a second sweep has nothing to do but to
/// report the damage again.
#[test]
fn sweep_deals_with_every_kind_of_run() {
    let base = TemporaryFolder::new("log-sweep");
    written(base.path(), "1-left", 1).abandon();
    let mut unclosed = written(base.path(), "2-unclosed", 2);
    unclosed.seal(RunStatus::Ended).unwrap();
    unclosed.abandon();
    written(base.path(), "3-damaged", 3).abandon();
    let damaged = path_of(base.path(), "3-damaged");
    flip(&damaged.join("0000000002.seg"), 200);
    let stub = base.path().join(INSTANCE).join(".4.eslog.new-1-1");
    fs::create_dir(&stub).unwrap();
    fs::write(stub.join("manifest"), "half").unwrap();
    let before = content(&damaged);
    let swept = recover(base.path(), INSTANCE, RecoveryOptions::default()).unwrap();
    let outcomes: Vec<_> =
        swept.runs.iter().map(|run| (run.run_id.as_str(), run.outcome)).collect();
    assert_eq!(
        outcomes,
        [
            (".4.eslog.new-1-1", Outcome::MovedAside),
            ("1-left", Outcome::SealedAs(RunStatus::CrashedRecovered)),
            ("2-unclosed", Outcome::Repaired),
            ("3-damaged", Outcome::Damaged),
        ]
    );
    assert_eq!(swept.parent_run_id.as_deref(), Some("1-left"));
    assert!(before == content(&damaged), "the damaged run was changed");
    for run_id in ["1-left", "2-unclosed"] {
        let report = verify_run(&path_of(base.path(), run_id), VerifyOptions::default()).unwrap();
        assert_eq!((report.findings, report.entries_scanned), (vec![], 120), "{run_id}");
    }
    let again = recover(base.path(), INSTANCE, RecoveryOptions::default()).unwrap();
    assert_eq!(again.runs.len(), 1, "{again:?}");
}

/// A tail that ends in `RunEnded` was closed but for its seal; one whose entry has a wrong hash is
/// quarantined, for its structure is sound.
#[test]
fn wrong_hash_in_a_sound_log_is_quarantined() {
    let base = TemporaryFolder::new("log-quarantine");
    let mut store = LogStore::new(base.path(), LogOptions::default());
    store.open_run(&RunManifest::new("r-1", INSTANCE, 1)).unwrap();
    let mut entries = sample::run_of(5);
    entries[2].entry.entry_hash[0] ^= 1;
    sample::append(&mut store, &entries).unwrap();
    store.abandon();
    let swept = recover(base.path(), INSTANCE, RecoveryOptions::default()).unwrap();
    assert_eq!(swept.runs[0].outcome, Outcome::SealedAs(RunStatus::Quarantined));
    let report = verify_run(&path_of(base.path(), "r-1"), VerifyOptions::default()).unwrap();
    assert!(report.findings.contains(&Finding::HashMismatch { seq: 3 }), "{:?}", report.findings);
}

/// Retention deletes whole directories, and nothing of them is left.
#[test]
fn retention_deletes_runs_of_this_backend() {
    let base = TemporaryFolder::new("log-retention");
    for (number, run_id) in ["a", "b", "c"].into_iter().enumerate() {
        sealed(base.path(), run_id, 10 + number as u64);
    }
    let listed = list_runs(base.path(), INSTANCE).unwrap();
    assert!(listed.iter().all(|run| run.backend == BackendKind::Log && run.bytes > 10_000));
    let plan = plan_retention(base.path(), INSTANCE, Keep::Last(1)).unwrap();
    let deleted = plan.delete.len();
    assert_eq!(deleted, 2);
    apply_retention(base.path(), INSTANCE, &plan).unwrap();
    let left: Vec<_> = fs::read_dir(base.path().join(INSTANCE))
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".es.lock")
        .collect();
    assert_eq!(left, ["c.eslog"]);
}

/// One id, one run, whatever the backend.
#[test]
fn run_ids_are_unique_over_the_backends() {
    let base = TemporaryFolder::new("log-unique");
    let options = |backend| OpenOptions { backend, ..OpenOptions::default() };
    for (run_id, first, second) in
        [("r-1", BackendKind::Log, BackendKind::Redb), ("r-2", BackendKind::Redb, BackendKind::Log)]
    {
        let manifest = RunManifest::new(run_id, INSTANCE, 1);
        let run = open_run(base.path(), &manifest, options(first)).unwrap();
        run.close(&eventstore::writer::CloseOptions::default()).unwrap();
        let taken = open_run(base.path(), &manifest, options(second)).map(|_| ());
        assert!(matches!(taken, Err(EventStoreError::AlreadyExists(_))), "{run_id}: {taken:?}");
    }
}

/// A left run is opened by its ids, read, sealed through the reader, and opens as sealed.
#[test]
fn left_run_is_sealed_through_its_reader() {
    let base = TemporaryFolder::new("log-left");
    written(base.path(), "r-1", 1).abandon();
    let options = ReaderOptions::default();
    let reader = open_crashed_run(base.path(), INSTANCE, "r-1", &options).unwrap();
    assert_eq!(reader.view().high_watermark(), 120);
    let report = reader.seal(RunStatus::CrashedRecovered).unwrap();
    assert!(report.digest.is_some());
    drop(reader);
    let sealed = open_sealed_run(&path_of(base.path(), "r-1"), &options).unwrap();
    assert_eq!(sealed.view().manifest().unwrap().status, RunStatus::CrashedRecovered);
}
