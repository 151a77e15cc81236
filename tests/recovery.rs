//! A recovery sweep seals what was left, reports the rest, and reaches the same end however often
//! it is killed on the way.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::process::{self, Finished, Running};
use common::sample::{self, INSTANCE};
use common::temporary::TemporaryFolder;
use common::{flow, golden, shared};
use eventstore::backend::log::{LogOptions, LogStore};
use eventstore::backend::redb::{RedbOptions, RedbStore};
use eventstore::backend::{Direction, EventStore};
use eventstore::entry::Entry;
use eventstore::error::EventStoreError;
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::recovery::{Outcome, RecoveryOptions, RecoveryReport, recover};
use eventstore::store::{self, OpenOptions, ReaderOptions};
use eventstore::verifier::{VerifyOptions, verify_run};
use redb::{Database, TableDefinition};

common::process::child_roles!(play);

fn play(role: &str) {
    let base = PathBuf::from(process::told("ES_BASE"));
    match role {
        "recover" => {}
        "recover on a full disk" => refuse_writes(),
        other => panic!("no role {other}"),
    }
    let report = recover(&base, INSTANCE, RecoveryOptions::default()).unwrap();
    for run in &report.runs {
        process::say(&format!("{} {:?}", run.run_id, run.outcome));
    }
}

/// From here on every write to any file fails with `EFBIG`.
fn refuse_writes() {
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid structure for the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
}

fn sweep(base: &Path) -> RecoveryReport {
    recover(base, INSTANCE, RecoveryOptions::default()).unwrap()
}

fn outcomes(report: &RecoveryReport) -> BTreeMap<&str, Outcome> {
    report.runs.iter().map(|run| (run.run_id.as_str(), run.outcome)).collect()
}

fn path_of(base: &Path, run_id: &str) -> PathBuf {
    base.join(INSTANCE).join(format!("{run_id}.redb"))
}

/// A store with an open run of so many entries, in commits of seven.
fn written(base: &Path, run_id: &str, start_ts_init: u64, count: u64) -> RedbStore {
    let mut store = RedbStore::new(base, RedbOptions::default());
    store.open_run(&RunManifest::new(run_id, INSTANCE, start_ts_init)).unwrap();
    for chunk in sample::run_of(count).chunks(7) {
        sample::append(&mut store, chunk).unwrap();
    }
    store
}

/// As a killed process leaves it.
fn killed(base: &Path, run_id: &str, start_ts_init: u64, count: u64) {
    written(base, run_id, start_ts_init, count).abandon();
}

/// The same over the log backend.
fn killed_log(base: &Path, run_id: &str, start_ts_init: u64, count: u64) {
    let mut store = LogStore::new(base, LogOptions::default());
    store.open_run(&RunManifest::new(run_id, INSTANCE, start_ts_init)).unwrap();
    for chunk in sample::run_of(count).chunks(7) {
        sample::append(&mut store, chunk).unwrap();
    }
    store.abandon();
}

/// A run left `Running` in order, on which somebody operated with a tool that keeps checksums.
fn operated(base: &Path, run_id: &str, operate: impl FnOnce(&redb::WriteTransaction)) {
    written(base, run_id, 50, 30).close().unwrap();
    let database = Database::create(path_of(base, run_id)).unwrap();
    let transaction = database.begin_write().unwrap();
    operate(&transaction);
    transaction.commit().unwrap();
    database.close().unwrap();
}

/// Every file below the instance, but the lock, and its bytes.
fn files(base: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(base.join(INSTANCE)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_file() && name != ".es.lock" {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

/// What a sealed run holds, as far as readers can tell.
fn content(base: &Path, run_id: &str) -> (RunManifest, Vec<Entry>) {
    let log_path = base.join(INSTANCE).join(format!("{run_id}.eslog"));
    let path = if log_path.exists() { log_path } else { path_of(base, run_id) };
    let reader = store::open_sealed_run(&path, &ReaderOptions::default()).unwrap();
    let view = reader.view();
    (view.manifest().unwrap(), view.scan_range(1, u64::MAX, Direction::Forward).unwrap())
}

/// The golden instance: two runs are sealed with what they hold, the others are not touched.
#[test]
fn golden_instance_is_recovered_as_the_format_page_says() {
    let test = "golden_instance_is_recovered_as_the_format_page_says";
    let Some(folder) = shared::shared_path(test, "golden") else { return };
    let base = TemporaryFolder::new("golden");
    let instance = base.path().join(golden::INSTANCE);
    fs::create_dir(&instance).unwrap();
    for entry in fs::read_dir(folder.join(golden::INSTANCE)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), instance.join(entry.file_name())).unwrap();
    }
    let bytes_of = |run_id: &str| fs::read(instance.join(format!("{run_id}.redb"))).unwrap();
    let before = golden::RUNS.map(bytes_of);
    let crashed = Outcome::SealedAs(RunStatus::CrashedRecovered);
    let expected =
        BTreeMap::from([("1700000002-running1", crashed), ("1700000007-killed01", crashed)]);

    let dry = RecoveryOptions { dry_run: true, ..RecoveryOptions::default() };
    let planned = recover(base.path(), golden::INSTANCE, dry).unwrap();
    assert_eq!(outcomes(&planned), expected);
    assert!(before == golden::RUNS.map(bytes_of), "a dry run changed a file");
    assert!(!instance.join(".es.lock").exists(), "a dry run took the lock");

    let report = recover(base.path(), golden::INSTANCE, RecoveryOptions::default()).unwrap();
    assert_eq!(outcomes(&report), expected);
    assert_eq!(report.parent_run_id.as_deref(), Some("1700000007-killed01"));
    assert_eq!(planned.parent_run_id, report.parent_run_id);
    for (run_id, before) in golden::RUNS.into_iter().zip(before) {
        let path = instance.join(format!("{run_id}.redb"));
        if !expected.contains_key(run_id) {
            assert!(fs::read(&path).unwrap() == before, "{run_id} was touched");
            continue;
        }
        let json = golden::copy_of(test, run_id).unwrap().expected;
        let reader = store::open_sealed_run(&path, &ReaderOptions::default()).unwrap();
        let entries: Vec<Entry> = json.entries.iter().map(|item| item.entry.clone()).collect();
        let found = reader.view().scan_range(1, u64::MAX, Direction::Forward).unwrap();
        assert_eq!(found, entries, "{run_id}");
        let manifest = reader.view().manifest().unwrap();
        let sealed = RunManifest {
            status: RunStatus::CrashedRecovered,
            high_watermark: entries.len() as u64,
            end_ts_init: entries.iter().map(|entry| entry.ts_init).max(),
            ..json.manifest
        };
        assert_eq!(manifest, sealed, "{run_id}");
        assert!(verify_run(&path, VerifyOptions::default()).unwrap().is_clean(), "{run_id}");
    }
    let again = recover(base.path(), golden::INSTANCE, RecoveryOptions::default()).unwrap();
    assert_eq!((again.runs.len(), again.parent_run_id), (0, report.parent_run_id));
}

/// Runs that hold what was written to them, in every state that an engine can leave one in.
fn leave_sound_runs(base: &Path) {
    killed(base, "a-killed", 10, 20);
    killed(base, "b-empty", 11, 0);
    written(base, "c-left", 12, 9).close().unwrap();
    let mut ended = written(base, "d-ended", 13, 9);
    let mut last = sample::keyed(10);
    last.entry.topic = "run.lifecycle.RunEnded".into();
    last.entry.payload_type = "RunEnded".into();
    last.entry = sample::hashed(last.entry);
    sample::append(&mut ended, &[last]).unwrap();
    ended.abandon();
    let mut unclosed = written(base, "e-unclosed", 14, 9);
    unclosed.seal(RunStatus::Ended).unwrap();
    unclosed.abandon();
    let mut sealed = written(base, "f-sealed", 15, 9);
    sealed.seal(RunStatus::Ended).unwrap();
    sealed.close().unwrap();
}

/// Runs that lost something: entries, or whole pages.
fn leave_hurt_runs(base: &Path) {
    let entries = TableDefinition::<u64, &[u8]>::new("entries");
    operated(base, "g-gap", |transaction| {
        transaction.open_table(entries).unwrap().remove(4).unwrap();
    });
    operated(base, "h-tail", |transaction| {
        transaction.open_table(entries).unwrap().remove(30).unwrap();
    });
    operated(base, "i-junk", |transaction| {
        transaction.open_table(entries).unwrap().insert(9, b"junk".as_slice()).unwrap();
    });
    let anchors = TableDefinition::<&str, &[u8]>::new("snapshot_anchor");
    let beyond = eventstore::codec::encode_anchor(&sample::anchor(31));
    operated(base, "j-anchor", |transaction| {
        transaction.open_table(anchors).unwrap().insert("latest", beyond.as_slice()).unwrap();
    });
    killed(base, "k-damaged", 16, 300);
    let damaged = path_of(base, "k-damaged");
    let mut bytes = fs::read(&damaged).unwrap();
    let length = bytes.len();
    for at in (4096..length).step_by(512) {
        bytes[at] ^= 1;
    }
    fs::write(&damaged, &bytes).unwrap();
}

/// What else may lie there; answers the writer of the run that is held.
fn leave_the_rest(base: &Path) -> RedbStore {
    let held = written(base, "l-held", 17, 5);
    for (name, text) in [("m-text", "not a run"), ("n-sqlite", "SQLite format 3\0"), ("o-none", "")]
    {
        fs::write(path_of(base, name), text).unwrap();
    }
    fs::write(base.join(INSTANCE).join(".p.redb.new-1-0"), "stub").unwrap();
    fs::write(base.join(INSTANCE).join("notes.txt"), "mine").unwrap();
    std::os::unix::fs::symlink(path_of(base, "a-killed"), path_of(base, "q-link")).unwrap();
    held
}

/// One of every kind in one instance: each is dealt with by the rules, none ends the sweep.
#[test]
fn every_kind_of_run_is_dealt_with_in_one_sweep() {
    let base = TemporaryFolder::new("kinds");
    let base = base.path();
    leave_sound_runs(base);
    leave_hurt_runs(base);
    let mut held = leave_the_rest(base);

    let before = files(base);
    let report = sweep(base);
    let found = outcomes(&report);
    let quarantined = Outcome::SealedAs(RunStatus::Quarantined);
    let crashed = Outcome::SealedAs(RunStatus::CrashedRecovered);
    let expected = BTreeMap::from([
        ("a-killed", crashed),
        ("b-empty", crashed),
        ("c-left", crashed),
        ("d-ended", Outcome::SealedAs(RunStatus::Ended)),
        ("e-unclosed", Outcome::Repaired),
        ("g-gap", quarantined),
        ("h-tail", quarantined),
        ("i-junk", quarantined),
        ("j-anchor", quarantined),
        ("k-damaged", Outcome::Damaged),
        ("l-held", Outcome::Held),
        ("m-text", Outcome::Unreadable),
        ("n-sqlite", Outcome::Unreadable),
        ("o-none", Outcome::Unreadable),
        (".p.redb.new-1-0", Outcome::MovedAside),
        ("q-link", Outcome::Unreadable),
    ]);
    assert_eq!(found, expected, "{report:#?}");
    assert_eq!(report.parent_run_id.as_deref(), Some("c-left"));
    for run in report.runs.iter().filter(|run| !matches!(run.outcome, Outcome::SealedAs(_))) {
        let has_reason = run.reason.as_deref().is_some_and(|reason| !reason.is_empty());
        assert_eq!(has_reason, run.outcome != Outcome::Repaired, "{run:?}");
    }
    let after = files(base);
    let untouched = ["f-sealed", "k-damaged", "l-held", "m-text", "n-sqlite", "o-none"]
        .map(|id| format!("{id}.redb"));
    for name in untouched.into_iter().chain(["notes.txt".into()]) {
        assert!(before[&name] == after[&name], "{name} was touched");
    }
    let aside = base.join(INSTANCE).join(".aside/.p.redb.new-1-0");
    assert_eq!(fs::read_to_string(aside).unwrap(), "stub");
    let (manifest, entries) = content(base, "a-killed");
    assert_eq!((manifest.high_watermark, entries.len()), (20, 20));
    assert_eq!(content(base, "e-unclosed").0.status, RunStatus::Ended);
    let tail = store::open_sealed_run(&path_of(base, "h-tail"), &ReaderOptions::default()).unwrap();
    assert_eq!(tail.view().manifest().unwrap().high_watermark, 30, "the lost entry counts");

    // Again: what is damaged or no run is reported again, nothing else; held runs come later.
    let again = sweep(base);
    let left: Vec<&str> = again.runs.iter().map(|run| run.run_id.as_str()).collect();
    assert_eq!(left, ["k-damaged", "l-held", "m-text", "n-sqlite", "o-none", "q-link"]);
    assert_eq!(again.parent_run_id.as_deref(), Some("c-left"));
    held.abandon();
    assert_eq!(sweep(base).parent_run_id.as_deref(), Some("l-held"));
}

/// A living writer keeps recovery out of the whole instance; a dry run may look.
#[test]
fn living_writer_keeps_recovery_out() {
    let base = TemporaryFolder::new("living");
    killed(base.path(), "a-killed", 10, 5);
    let manifest = RunManifest::new("b-live", INSTANCE, 20);
    let run = store::open_run(base.path(), &manifest, OpenOptions::default()).unwrap();
    let refused = recover(base.path(), INSTANCE, RecoveryOptions::default()).unwrap_err();
    assert!(matches!(refused, EventStoreError::Locked(_)), "{refused}");
    let dry = RecoveryOptions { dry_run: true, ..RecoveryOptions::default() };
    let planned = recover(base.path(), INSTANCE, dry).unwrap();
    let crashed = Outcome::SealedAs(RunStatus::CrashedRecovered);
    let expected = BTreeMap::from([("a-killed", crashed), ("b-live", Outcome::Held)]);
    assert_eq!(outcomes(&planned), expected);
    drop(run);
    let missing = recover(base.path(), "nobody", RecoveryOptions::default()).unwrap_err();
    assert!(matches!(missing, EventStoreError::NotFound(_)), "{missing}");
}

/// A name that was moved aside before is not replaced.
#[test]
fn moving_aside_replaces_nothing() {
    let base = TemporaryFolder::new("aside");
    let instance = base.path().join(INSTANCE);
    fs::create_dir(&instance).unwrap();
    for text in ["first", "second"] {
        fs::write(instance.join(".r.redb.new-1-0"), text).unwrap();
        let report = sweep(base.path());
        assert_eq!(report.runs[0].outcome, Outcome::MovedAside, "{report:?}");
        assert_eq!(fs::read_to_string(&report.runs[0].path).unwrap(), text);
    }
    assert_eq!(fs::read_dir(instance.join(".aside")).unwrap().count(), 2);
}

/// A keyed run that is recovered with its key gets the digest that its own writer would give it;
/// without the key, none.
#[test]
fn keyed_run_gets_its_digest_only_with_the_key() {
    let base = TemporaryFolder::new("keyed");
    let key = Some([3; 32]);
    let options = RedbOptions { digest_key: key, ..RedbOptions::default() };
    let mut digests = Vec::new();
    for run_id in ["r-1", "r-2"] {
        let mut run = RedbStore::new(base.path(), options.clone());
        run.open_run(&RunManifest::new(run_id, INSTANCE, 5)).unwrap();
        sample::append(&mut run, &sample::run_of(9)).unwrap();
        run.abandon();
        let digest_key = key.filter(|_| run_id == "r-1");
        recover(
            base.path(),
            INSTANCE,
            RecoveryOptions { digest_key, ..RecoveryOptions::default() },
        )
        .unwrap();
        let path = path_of(base.path(), run_id);
        let reader = store::open_sealed_run(&path, &ReaderOptions::default()).unwrap();
        digests.push(reader.view().digest().unwrap());
    }
    assert!(digests[0].is_some_and(|digest| digest.keyed), "{digests:?}");
    assert_eq!(digests[1], None);
    let with_key = VerifyOptions { digest_key: key, ..VerifyOptions::default() };
    assert!(verify_run(&path_of(base.path(), "r-1"), with_key).unwrap().is_clean());
}

/// Storage that refuses every write: the sweep says so, and what was readable before still is.
#[test]
fn full_disk_is_reported_and_costs_nothing() {
    let base = TemporaryFolder::new("full");
    killed(base.path(), "r-1", 5, 200);
    killed(base.path(), "r-2", 6, 3);
    killed_log(base.path(), "r-3", 7, 200);
    let mut child = process::command("recover on a full disk");
    child.env("ES_BASE", base.path());
    let said = Finished::of(child).expect_success().lines;
    assert_eq!(said, ["r-1 Postponed", "r-2 Postponed", "r-3 Postponed"]);
    let report = sweep(base.path());
    let crashed = Outcome::SealedAs(RunStatus::CrashedRecovered);
    let expected = BTreeMap::from([("r-1", crashed), ("r-2", crashed), ("r-3", crashed)]);
    assert_eq!(outcomes(&report), expected);
    let expected: Vec<Entry> = sample::run_of(200).into_iter().map(|item| item.entry).collect();
    for run_id in ["r-1", "r-3"] {
        assert!(content(base.path(), run_id).1 == expected, "{run_id}");
    }
}

/// Killed at any moment and started again, recovery reaches the end of an undisturbed one.
#[test]
fn killed_recovery_reaches_the_same_end() {
    let rounds = if process::is_campaign() { 200 } else { 5 };
    let prepare = |base: &Path| {
        for number in 0..12 {
            let leave = if number % 3 == 2 { killed_log } else { killed };
            leave(base, &format!("r-{number:02}"), 100 + number, 40 * number);
        }
        let mut unclosed = written(base, "s-unclosed", 50, 9);
        unclosed.seal(RunStatus::CrashedRecovered).unwrap();
        unclosed.abandon();
        fs::write(base.join(INSTANCE).join(".t.redb.new-1-0"), "stub").unwrap();
    };
    let calm = TemporaryFolder::new("calm");
    prepare(calm.path());
    let undisturbed = sweep(calm.path());
    let (mut kills, mut whole) = (0, 0);
    for round in 0..rounds {
        let base = TemporaryFolder::new("killed");
        prepare(base.path());
        for attempt in 0.. {
            let mut command = process::command("recover");
            command.env("ES_BASE", base.path());
            let mut child = Running::start(command);
            let random = flow::mix(round * 1000 + attempt);
            std::thread::sleep(Duration::from_micros(random % 40_000));
            child.kill();
            let ended = child.finish();
            if ended.signal().is_none() {
                whole += 1;
                break;
            }
            kills += 1;
        }
        let report = sweep(base.path());
        assert!(report.runs.is_empty(), "round {round}: {report:?}");
        assert_eq!(report.parent_run_id, undisturbed.parent_run_id, "round {round}");
        for run_id in (0..12).map(|n| format!("r-{n:02}")).chain(["s-unclosed".into()]) {
            assert!(content(base.path(), &run_id) == content(calm.path(), &run_id), "{run_id}");
        }
        assert!(base.path().join(INSTANCE).join(".aside/.t.redb.new-1-0").exists());
    }
    println!("{kills} kills over {rounds} instances, {whole} sweeps came to their end");
    assert!(kills > rounds, "the sweeps were over before they could be killed: {kills}");
}
