//! Conversion keeps a run whole, in either direction, or leaves nothing under its name.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::process::{self, Running, say, told, told_number};
use common::sample::{self, INSTANCE};
use common::temporary::TemporaryFolder;
use common::{golden, shared};
use eventstore::backend::log::{LogOptions, LogStore};
use eventstore::backend::redb::{RedbOptions, RedbStore};
use eventstore::backend::{Direction, EventStore};
use eventstore::convert::{ConvertOptions, ConvertReport, DigestOrigin, convert_run};
use eventstore::digest::RunDigest;
use eventstore::error::EventStoreError;
use eventstore::index::IndexKind;
use eventstore::manifest::RunStatus;
use eventstore::recovery::{Outcome, RecoveryOptions, recover};
use eventstore::store::{BackendKind, ReaderOptions, open_sealed_run};
use eventstore::verifier::{DigestVerdict, Drift, Finding, VerifyOptions, verify_run};
use redb::{Database, TableDefinition};

common::process::child_roles!(play);

const RUN: &str = "r-1";
const KEY: [u8; 32] = [9; 32];
/// So many that each part of a conversion tells its progress more than once.
const MANY: u64 = 9_000;

fn play(role: &str) {
    assert_eq!(role, "convert");
    convert_and_die();
}

fn store(base: &Path, backend: BackendKind, digest_key: Option<[u8; 32]>) -> Box<dyn EventStore> {
    match backend {
        BackendKind::Log => {
            let segment_bytes_max = 8 << 10;
            let options = LogOptions { digest_key, segment_bytes_max, ..LogOptions::default() };
            Box::new(LogStore::new(base, options))
        }
        _ => Box::new(RedbStore::new(base, RedbOptions { digest_key, ..RedbOptions::default() })),
    }
}

fn path_of(base: &Path, backend: BackendKind, run_id: &str) -> PathBuf {
    let suffix = if backend == BackendKind::Log { "eslog" } else { "redb" };
    base.join(INSTANCE).join(format!("{run_id}.{suffix}"))
}

/// A run of so many entries with an anchor, if it reaches so far, sealed.
fn sealed(
    base: &Path,
    backend: BackendKind,
    count: u64,
    status: RunStatus,
    digest_key: Option<[u8; 32]>,
) -> (PathBuf, Option<RunDigest>) {
    let mut store = store(base, backend, digest_key);
    store.open_run(&sample::full_manifest(RUN)).unwrap();
    for chunk in sample::run_of(count).chunks(500) {
        sample::append(&mut *store, chunk).unwrap();
    }
    if count >= 20 {
        store.record_snapshot_anchor(&sample::anchor(20)).unwrap();
    }
    let digest = store.seal(status).unwrap().digest;
    store.close().unwrap();
    (path_of(base, backend, RUN), digest)
}

fn convert(path: &Path, to: BackendKind, base: &Path) -> Result<ConvertReport, EventStoreError> {
    convert_run(path, to, base, ConvertOptions::default())
}

/// All that a reader says of a run, as one text.
fn said(path: &Path) -> String {
    let reader = open_sealed_run(path, &ReaderOptions::default()).unwrap();
    let view = reader.view();
    let mut text = format!("{:?}\n{:?}\n", view.manifest().unwrap(), view.digest().unwrap());
    text += &format!("{:?}\n", view.latest_snapshot_anchor().unwrap());
    for direction in [Direction::Forward, Direction::Backward] {
        let visited = view.visit_range(1, u64::MAX, direction, &mut |row| {
            text += &format!("{:?} {:?}\n", row.entry, row.keys.map(|keys| keys.to_vec()));
            ControlFlow::Continue(())
        });
        visited.unwrap();
    }
    for kind in IndexKind::ALL {
        let visited = view.visit_index(kind, None, &mut |key, seq| {
            text += &format!("{kind:?} {key} {seq}\n");
            ControlFlow::Continue(())
        });
        visited.unwrap();
    }
    text
}

/// The names in an instance's directory, the lock left out.
fn names(base: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(base.join(INSTANCE))
        .into_iter()
        .flatten()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".es.lock")
        .collect();
    names.sort();
    names
}

/// Every file below a path and what it holds.
fn content(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    if path.is_file() {
        return vec![(path.to_path_buf(), fs::read(path).unwrap())];
    }
    let mut inside: Vec<PathBuf> =
        fs::read_dir(path).unwrap().map(|item| item.unwrap().path()).collect();
    inside.sort();
    inside.iter().flat_map(|path| content(path)).collect()
}

/// There and back, runs of every status, empty ones and ones of many segments: each copy says what
/// the original says, to the digest, and the original is not changed.
#[test]
fn conversion_keeps_everything_both_ways() {
    let kinds = [BackendKind::Redb, BackendKind::Log];
    for (from, to) in [(kinds[0], kinds[1]), (kinds[1], kinds[0]), (kinds[1], kinds[1])] {
        for (count, status) in [
            (0, RunStatus::Ended),
            (1, RunStatus::CrashedRecovered),
            (700, RunStatus::Ended),
            (40, RunStatus::Quarantined),
        ] {
            let what = format!("{count} entries {status:?}, {from:?} to {to:?}");
            let bases = ["first", "second", "third"].map(TemporaryFolder::new);
            let (path, digest) = sealed(bases[0].path(), from, count, status, None);
            let (before, whole) = (content(&path), said(&path));
            let report = convert(&path, to, bases[1].path()).expect(&what);
            assert_eq!(report.path, path_of(bases[1].path(), to, RUN), "{what}");
            assert_eq!((report.backend, report.status), (to, status), "{what}");
            assert_eq!((report.high_watermark, report.digest), (count, digest), "{what}");
            let origin = match status {
                RunStatus::Quarantined => DigestOrigin::Absent,
                _ => DigestOrigin::Kept,
            };
            assert_eq!((report.digest_origin, report.dropped.len()), (origin, 0), "{what}");
            assert!(said(&report.path) == whole, "{what}: the copy differs");
            let back = convert(&report.path, from, bases[2].path()).expect(&what);
            assert!(said(&back.path) == whole, "{what}: the copy of the copy differs");
            assert!(content(&path) == before, "{what}: the original was changed");
            for base in &bases[1..] {
                assert_eq!(names(base.path()).len(), 1, "{what}");
            }
        }
    }
}

/// The golden runs to the log and back: what their JSON says. Sound ones get a digest of their own
/// and keep it on the way back; a dangling index row is dropped and named; damaged ones are refused
/// with what is wrong, those that were left with what to do.
#[test]
fn golden_runs_are_converted_or_refused() {
    let test = "golden_runs_are_converted_or_refused";
    if shared::shared_path(test, "golden").is_none() {
        return;
    }
    for run_id in golden::RUNS {
        let run = golden::copy_of(test, run_id).unwrap();
        let bases = ["golden-log", "golden-redb"].map(TemporaryFolder::new);
        let converted = convert(&run.path, BackendKind::Log, bases[0].path());
        assert!(fs::read(&run.path).unwrap() == run.bytes, "{run_id} was changed");
        let there = match (run_id.split_once('-').unwrap().1, converted) {
            ("ended001" | "empty001" | "drift001", converted) => converted.unwrap(),
            ("running1" | "killed01", Err(EventStoreError::NotSealed(_))) => continue,
            (_, Err(EventStoreError::Corrupted(fault))) => {
                println!("{run_id}: {fault}");
                let word = match run_id.split_once('-').unwrap().1 {
                    "badhash1" => "entry 3 does not match its hash",
                    "gap00001" => "entry 4 is missing",
                    _ => "the row of entry 2 holds entry 5",
                };
                assert!(fault.message.contains(word), "{fault}");
                assert_eq!(names(bases[0].path()).len(), 0);
                continue;
            }
            (_, other) => panic!("{run_id}: {other:?}"),
        };
        let back = convert(&there.path, BackendKind::Redb, bases[1].path()).unwrap();
        assert_eq!(there.digest_origin, DigestOrigin::Own);
        assert_eq!((back.digest_origin, back.digest), (DigestOrigin::Kept, there.digest));
        let dropped = there.dropped.iter().map(|finding| match finding {
            Finding::IndexDrift { key, target, drift: Drift::Dangling, .. } => (&**key, *target),
            other => panic!("{other}"),
        });
        let expected =
            if run_id.ends_with("drift001") { vec![("GHOST", Some(99))] } else { vec![] };
        assert_eq!((dropped.collect::<Vec<_>>(), back.dropped.len()), (expected, 0));
        assert!(said(&there.path) == said(&back.path));
        let reader = open_sealed_run(&back.path, &ReaderOptions::default()).unwrap();
        let view = reader.view();
        assert_eq!(view.manifest().unwrap(), run.expected.manifest);
        assert_eq!(view.latest_snapshot_anchor().unwrap(), run.expected.anchor);
        let entries = view.scan_range(1, u64::MAX, Direction::Forward).unwrap();
        let expected: Vec<_> = run.expected.entries.iter().map(|item| item.entry.clone()).collect();
        assert_eq!(entries, expected);
        let mut seen = std::collections::HashSet::new();
        for item in &run.expected.entries {
            let mut recorded = view.recorded_keys(item.entry.seq).unwrap().unwrap();
            let mut firsts: Vec<_> =
                item.keys.iter().filter(|key| seen.insert((*key).clone())).cloned().collect();
            recorded.sort();
            firsts.sort();
            assert_eq!(recorded, firsts, "{run_id}, entry {}", item.entry.seq);
            for key in &firsts {
                assert_eq!(view.lookup(key.kind, &key.key).unwrap(), Some(item.entry.seq));
            }
        }
    }
}

/// A keyed digest stays what it is: without the key it is carried over and said to be unchecked,
/// with the key it is computed again, with another key the run is refused.
#[test]
fn keyed_digest_is_kept() {
    for (from, to) in [(BackendKind::Redb, BackendKind::Log), (BackendKind::Log, BackendKind::Redb)]
    {
        let base = TemporaryFolder::new("keyed");
        let (path, digest) = sealed(base.path(), from, 60, RunStatus::Ended, Some(KEY));
        let with = |digest_key, label| {
            let target = TemporaryFolder::new(label);
            let options = ConvertOptions { digest_key, ..ConvertOptions::default() };
            let converted = convert_run(&path, to, target.path(), options);
            let verdict = converted.as_ref().ok().map(|report| {
                let key = VerifyOptions { digest_key: Some(KEY), ..VerifyOptions::default() };
                verify_run(&report.path, key).unwrap().digest
            });
            (converted, verdict)
        };
        for (key, origin) in [(None, DigestOrigin::KeptUnchecked), (Some(KEY), DigestOrigin::Kept)]
        {
            let (converted, verdict) = with(key, "keyed-target");
            let report = converted.unwrap();
            assert_eq!((report.digest, report.digest_origin), (digest, origin));
            assert!(report.digest.unwrap().keyed);
            assert_eq!(verdict, Some(DigestVerdict::Matches));
        }
        let (refused, _) = with(Some([8; 32]), "keyed-other");
        assert!(matches!(refused, Err(EventStoreError::Corrupted(_))), "{refused:?}");
    }
}

/// A run that was keyed and sealed without its key has no digest, and neither has its copy.
#[test]
fn absent_digest_stays_absent() {
    let (base, target) = (TemporaryFolder::new("absent"), TemporaryFolder::new("absent-target"));
    let mut left = store(base.path(), BackendKind::Redb, Some(KEY));
    left.open_run(&sample::full_manifest(RUN)).unwrap();
    sample::append(&mut *left, &sample::run_of(30)).unwrap();
    left.abandon();
    drop(left);
    recover(base.path(), INSTANCE, RecoveryOptions::default()).unwrap();
    let path = path_of(base.path(), BackendKind::Redb, RUN);
    let report = convert(&path, BackendKind::Log, target.path()).unwrap();
    assert_eq!((report.digest, report.digest_origin), (None, DigestOrigin::Absent));
    assert!(said(&report.path) == said(&path));
}

/// Keys that no writer of ours would take, in a file of another: all of them are kept.
#[test]
fn keys_beyond_the_bounds_of_writers_are_kept() {
    let (base, target) = (TemporaryFolder::new("foreign"), TemporaryFolder::new("foreign-target"));
    let (path, _) = sealed(base.path(), BackendKind::Redb, 40, RunStatus::Ended, None);
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let long = "k".repeat(5_000);
    {
        // As another writer's file: without our tables.
        transaction.delete_table(TableDefinition::<u64, &[u8]>::new("es_commits")).unwrap();
        transaction.delete_table(TableDefinition::<&str, &[u8]>::new("es_meta")).unwrap();
        let mut clients = transaction
            .open_table(TableDefinition::<&str, u64>::new("client_order_id_idx"))
            .unwrap();
        for number in 0..50 {
            clients.insert(format!("many-{number:02}").as_str(), 7).unwrap();
        }
        for key in [long.as_str(), "", "with\0nul"] {
            clients.insert(key, 9).unwrap();
        }
    }
    transaction.commit().unwrap();
    database.close().unwrap();
    let report = convert(&path, BackendKind::Log, target.path()).unwrap();
    assert_eq!((report.digest_origin, report.dropped.len()), (DigestOrigin::Own, 0));
    let reader = open_sealed_run(&report.path, &ReaderOptions::default()).unwrap();
    // The venue's key that entry 7 was handed in with is the earlier entry 5's.
    assert_eq!(reader.view().recorded_keys(7).unwrap().unwrap().len(), 50);
    for key in [long.as_str(), "", "with\0nul"] {
        let found = reader.view().lookup(IndexKind::CLIENT_ORDER_ID, key).unwrap();
        assert_eq!(found, Some(9), "{} bytes", key.len());
    }
}

/// What cannot be converted is refused, and nothing is made for it.
#[test]
fn refusals_leave_nothing_behind() {
    let (base, target) = (TemporaryFolder::new("refused"), TemporaryFolder::new("refused-target"));
    let (path, _) = sealed(base.path(), BackendKind::Redb, 30, RunStatus::Ended, None);
    let before = names(base.path());
    for to in [BackendKind::Log, BackendKind::Redb] {
        let taken = convert(&path, to, base.path());
        assert!(matches!(taken, Err(EventStoreError::AlreadyExists(_))), "{taken:?}");
    }
    assert_eq!(names(base.path()), before);
    let memory = convert(&path, BackendKind::Memory, target.path());
    assert!(matches!(memory, Err(EventStoreError::InvalidArgument { .. })), "{memory:?}");
    let missing = convert(&base.path().join("none.redb"), BackendKind::Log, target.path());
    assert!(matches!(missing, Err(EventStoreError::NotFound(_))), "{missing:?}");
    let foreign = base.path().join("foreign.redb");
    fs::write(&foreign, "a letter").unwrap();
    let refused = convert(&foreign, BackendKind::Log, target.path()).unwrap_err();
    assert!(refused.is_foreign(), "{refused}");

    let other = TemporaryFolder::new("refused-live");
    let mut live = store(other.path(), BackendKind::Log, None);
    live.open_run(&sample::full_manifest("live")).unwrap();
    let live_path = path_of(other.path(), BackendKind::Log, "live");
    let locked = convert(&live_path, BackendKind::Redb, target.path());
    assert!(matches!(locked, Err(EventStoreError::Locked(_))), "{locked:?}");
    live.close().unwrap();
    drop(live);
    let unsealed = convert(&live_path, BackendKind::Redb, target.path());
    assert!(matches!(unsealed, Err(EventStoreError::NotSealed(_))), "{unsealed:?}");
    assert_eq!(names(target.path()), [""; 0]);
}

/// Whoever waits may end it at any time; nothing but the lock is left, and the next one succeeds.
#[test]
fn ended_conversion_leaves_nothing_behind() {
    let (base, target) = (TemporaryFolder::new("ended"), TemporaryFolder::new("ended-target"));
    let (path, digest) = sealed(base.path(), BackendKind::Redb, MANY, RunStatus::Ended, None);
    let mut ends = 0;
    let report = loop {
        let (mut told, mut last) = (0, 0);
        let mut tell = |progress: &eventstore::progress::Progress| {
            assert!(progress.entries >= last && progress.entries <= progress.entries_total);
            assert_eq!(progress.entries_total, 4 * MANY);
            last = progress.entries;
            told += 1;
            if told > ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let options = ConvertOptions { progress: Some(&mut tell), ..ConvertOptions::default() };
        match convert_run(&path, BackendKind::Log, target.path(), options) {
            Ok(report) => break report,
            Err(error) => assert!(matches!(error, EventStoreError::Timeout), "{error}"),
        }
        assert_eq!(names(target.path()), [""; 0], "ended at call {ends}");
        ends += 1;
    };
    println!("ended at each of {ends} calls");
    assert!(ends > 8 && report.digest == digest);
}

/// Converts, and dies of SIGKILL at the progress call of the given number.
fn convert_and_die() {
    let (path, base, at) = (told("ES_PATH"), told("ES_BASE"), told_number("ES_AT"));
    let mut calls = 0;
    let mut tell = |_: &eventstore::progress::Progress| {
        if calls == at {
            say("dying");
            // SAFETY: asks nothing of memory.
            unsafe { libc::raise(libc::SIGKILL) };
        }
        calls += 1;
        ControlFlow::Continue(())
    };
    let options = ConvertOptions { progress: Some(&mut tell), ..ConvertOptions::default() };
    convert_run(Path::new(&path), BackendKind::Log, Path::new(&base), options).unwrap();
    say("done");
}

/// Killed at any time, a conversion leaves no run under the name: a sweep finds no run, moves aside
/// what was left, and so does without a sweep the next conversion, which succeeds.
#[test]
fn killed_conversion_leaves_no_half_run() {
    let base = TemporaryFolder::new("killed");
    let (path, digest) = sealed(base.path(), BackendKind::Redb, MANY, RunStatus::Ended, None);
    let mut kills = 0;
    loop {
        let target = TemporaryFolder::new("killed-target");
        let mut command = process::command("convert");
        command.env("ES_PATH", &path).env("ES_BASE", target.path());
        command.env("ES_AT", kills.to_string());
        let lines = Running::start(command).finish().lines;
        let made = path_of(target.path(), BackendKind::Log, RUN);
        if lines == ["done"] {
            assert!(verify_run(&made, VerifyOptions::default()).unwrap().is_clean());
            break;
        }
        assert_eq!(lines, ["dying"]);
        assert!(!made.exists(), "killed at call {kills}, a run is there");
        if kills % 2 == 0 && target.path().join(INSTANCE).exists() {
            let swept = recover(target.path(), INSTANCE, RecoveryOptions::default()).unwrap();
            let is_aside = swept.runs.iter().all(|run| run.outcome == Outcome::MovedAside);
            assert!(is_aside && swept.parent_run_id.is_none(), "{swept:?}");
        }
        let report = convert(&path, BackendKind::Log, target.path()).unwrap();
        assert_eq!((report.digest, report.path), (digest, made));
        let left = names(target.path());
        assert!(left.iter().all(|name| name == "r-1.eslog" || name == ".aside"), "{left:?}");
        kills += 1;
    }
    println!("killed at each of {kills} calls");
    assert!(kills > 8, "{kills} kills");
}
