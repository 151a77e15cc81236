//! Copies of runs, sealed and being written.

use std::fs;
use std::path::{Path, PathBuf};

use eventstore::error::EventStoreError;
use eventstore::manifest::RunStatus;
use eventstore::recovery::{Outcome, RecoveryOptions, recover};
use eventstore::store::{BackendKind, CopiedRun, ReaderOptions, copy_run, open_sealed_run};
use eventstore::verifier::{VerifyOptions, verify_run};
use eventstore::writer::CloseOptions;

use crate::common::flow::assert_is_flow;
use crate::common::sample::INSTANCE;
use crate::common::temporary::TemporaryFolder;
use crate::here::{append, open};
use crate::{GROUP, RUN, follow, path_of, seal, writer, written};

/// The files of a run with their content; one for a run that is a file.
fn content(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    if run.is_file() {
        return vec![(PathBuf::new(), fs::read(run).unwrap())];
    }
    let mut names: Vec<_> = fs::read_dir(run).unwrap().map(|file| file.unwrap().path()).collect();
    names.sort();
    names
        .iter()
        .map(|name| (name.strip_prefix(run).unwrap().into(), fs::read(name).unwrap()))
        .collect()
}

/// Copies made under load recover to a prefix that has all that was acknowledged when they were
/// asked for, and verify; the writer goes on and seals.
#[test]
fn copy_of_a_live_run_is_a_prefix_with_everything_acknowledged() {
    let base = TemporaryFolder::new("copy-live");
    let mut writer = writer(base.path(), 300, "seal");
    let mut copies = Vec::new();
    for _ in 0..6 {
        for _ in 0..20 {
            writer.line().expect("an ack");
        }
        let before = follow(base.path()).view().high_watermark();
        let target = TemporaryFolder::new("copy-live-target");
        let copied = copy_run(&path_of(base.path(), RUN), target.path()).unwrap();
        let after = follow(base.path()).view().high_watermark();
        assert!((before..=after).contains(&copied.high_watermark), "{before} {copied:?} {after}");
        copies.push((target, copied));
    }
    writer.wait_for("sealed");
    writer.finish().expect_success();
    let mut unsealed = 0;
    for (target, copied) in copies {
        let path = path_of(target.path(), RUN);
        assert_eq!(copied.path, path);
        if copied.status == RunStatus::Running {
            unsealed += 1;
            let swept = recover(target.path(), INSTANCE, RecoveryOptions::default()).unwrap();
            assert_eq!(swept.runs[0].outcome, Outcome::SealedAs(RunStatus::CrashedRecovered));
        }
        let report = verify_run(&path, VerifyOptions::default()).unwrap();
        assert_eq!((report.findings, report.entries_scanned), (vec![], copied.high_watermark));
        let reader = open_sealed_run(&path, &ReaderOptions::default()).unwrap();
        assert_eq!(assert_is_flow(reader.view()), copied.high_watermark);
    }
    assert!(unsealed > 0, "every copy was made after the seal");
}

/// The copy of a run that was left ends at its watermark, and can be followed as left.
#[test]
fn copy_of_a_run_that_was_left_is_left_too() {
    let base = TemporaryFolder::new("copy-left");
    let target = TemporaryFolder::new("copy-left-target");
    drop(written(base.path(), RUN, 40, &mut |_| {}));
    let copied = copy_run(&path_of(base.path(), RUN), target.path()).unwrap();
    let total = 40 * GROUP as u64;
    assert_eq!((copied.status, copied.high_watermark), (RunStatus::Running, total));
    assert_eq!(assert_is_flow(follow(target.path()).view()), total);
    let bytes: usize = content(&copied.path).iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(copied.bytes, bytes as u64);
}

/// A sealed run of either backend is copied byte for byte; a second copy there is refused and
/// changes nothing.
#[test]
fn sealed_run_is_copied_byte_for_byte_and_never_over_another() {
    let base = TemporaryFolder::new("copy-sealed");
    let target = TemporaryFolder::new("copy-sealed-target");
    seal(written(base.path(), RUN, 60, &mut |_| {}));
    let other = TemporaryFolder::new("copy-sealed-redb");
    let run = open(other.path(), BackendKind::Redb);
    append(&run, 1, 5);
    run.close(&CloseOptions::default()).unwrap();
    let redb = run.path().unwrap().to_path_buf();
    let redb_target = TemporaryFolder::new("copy-sealed-redb-target");
    for (path, target, last) in [
        (path_of(base.path(), RUN), target.path().join("deep/er"), 60 * GROUP as u64),
        (redb, redb_target.path().to_path_buf(), 6),
    ] {
        let copied = copy_run(&path, &target).unwrap();
        let expected = content(&path);
        assert!(content(&copied.path) == expected, "{} is not the same", copied.path.display());
        let bytes = expected.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let (status, path_there) = (RunStatus::Ended, copied.path.clone());
        assert_eq!(copied, CopiedRun { path: path_there, status, high_watermark: last, bytes });
        let again = copy_run(&path, &target).unwrap_err();
        assert!(matches!(again, EventStoreError::AlreadyExists(_)), "{again:?}");
        let onto_itself = copy_run(&path, path.parent().unwrap().parent().unwrap()).unwrap_err();
        assert!(matches!(onto_itself, EventStoreError::AlreadyExists(_)), "{onto_itself:?}");
        assert!(content(&copied.path) == expected && content(&path) == expected);
        let names = fs::read_dir(target.join(INSTANCE)).unwrap();
        let names: Vec<_> = names.map(|name| name.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "the lock and the copy: {names:?}");
    }
}

/// A redb run that is being written is not copied, and the refusal says what can be.
#[test]
fn redb_run_that_is_written_is_not_copied() {
    let base = TemporaryFolder::new("copy-redb");
    let target = TemporaryFolder::new("copy-redb-target");
    let run = open(base.path(), BackendKind::Redb);
    let refused = copy_run(run.path().unwrap(), target.path()).unwrap_err();
    assert!(matches!(refused, EventStoreError::Unsupported { .. }), "{refused:?}");
    assert!(refused.to_string().contains("log backend"), "{refused}");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "nothing is left");
}
