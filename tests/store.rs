//! Opening, exclusion and the life of a run through the Rust API, over the real file backend.

mod common;

use std::path::Path;

use common::sample;
use common::temporary::TemporaryFolder;
use eventstore::backend::Direction;
use eventstore::entry::Draft;
use eventstore::error::{EventStoreError, Result};
use eventstore::index::IndexKind;
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::reader::Reader;
use eventstore::snapshot::SnapshotAnchor;
use eventstore::store::{self, BackendKind, OpenOptions, ReaderOptions};
use eventstore::writer::{CloseOptions, Run, SubmitOptions};

const RUN_ID: &str = "r-1";

fn options() -> OpenOptions {
    OpenOptions { halt_after_ns: u64::MAX, ..OpenOptions::default() }
}

fn open(base: &Path, run_id: &str) -> Result<Run> {
    store::open_run(base, &RunManifest::new(run_id, sample::INSTANCE, 5), options())
}

fn open_crashed(base: &Path) -> Result<Reader> {
    store::open_crashed_run(base, sample::INSTANCE, RUN_ID, &ReaderOptions::default())
}

fn append(run: &Run, count: u64) {
    let keys = [(IndexKind::CLIENT_ORDER_ID, "O-1")];
    let draft =
        Draft { topic: "t", payload_type: "P", payload: b"x", keys: &keys, ..Draft::default() };
    for ts_init in 1..=count {
        run.submit(&Draft { ts_init, ..draft }, SubmitOptions::default()).unwrap();
    }
    run.flush(u64::MAX).unwrap();
}

/// A session as an engine has it: open, append, anchor, close; then read it from its file.
#[test]
fn session_is_sealed_and_read_back() {
    let base = TemporaryFolder::new("session");
    let run = open(base.path(), RUN_ID).unwrap();
    let path = run.path().unwrap().to_owned();
    append(&run, 10);
    let anchor =
        SnapshotAnchor { high_watermark: 4, blob_ref: "s3://b".into(), content_hash: "h".into() };
    run.record_anchor(&anchor, u64::MAX).unwrap();
    let live = Reader::of(&run).unwrap();
    let report = run.close(&CloseOptions::default()).unwrap();
    assert_eq!((report.status, report.high_watermark), (RunStatus::Ended, 11));
    drop(run);

    let sealed = store::open_sealed_run(&path, &ReaderOptions::default()).unwrap();
    for reader in [&sealed, &live] {
        let view = reader.view();
        assert_eq!(view.scan_range(1, u64::MAX, Direction::Backward).unwrap().len(), 11);
        assert_eq!(view.lookup(IndexKind::CLIENT_ORDER_ID, "O-1").unwrap(), Some(1));
        assert_eq!(view.digest().unwrap(), report.digest);
        let plan = reader.restore_plan().unwrap();
        assert_eq!((plan.anchor, plan.replay_from, plan.replay_to), (Some(anchor.clone()), 5, 11));
    }
    let refused = sealed.seal(RunStatus::Ended).unwrap_err();
    assert!(matches!(refused, EventStoreError::Unsupported { .. }), "{refused}");
}

/// One writer an instance: a second, and recovery, are refused until the first is gone.
#[test]
fn second_writer_of_an_instance_is_locked_out() {
    let base = TemporaryFolder::new("exclusion");
    let run = open(base.path(), RUN_ID).unwrap();
    for second in [open(base.path(), "r-2").err(), open_crashed(base.path()).err()] {
        assert!(matches!(second, Some(EventStoreError::Locked(_))), "{second:?}");
    }
    run.close(&CloseOptions::default()).unwrap();
    open(base.path(), "r-2").unwrap();
}

/// A run that its writer left is refused by name, opened as crashed, sealed, and then exists.
#[test]
fn left_run_is_sealed_by_who_comes_next() {
    let base = TemporaryFolder::new("left");
    let run = open(base.path(), RUN_ID).unwrap();
    append(&run, 3);
    drop(run);
    let reopened = loop {
        match open(base.path(), RUN_ID) {
            // The writer of the dropped run is still letting go.
            Err(EventStoreError::Locked(_)) => std::thread::yield_now(),
            other => break other,
        }
    };
    let refused = reopened.err().expect("a run that was left is not opened for writing");
    assert!(matches!(refused, EventStoreError::CrashedPredecessor(_)), "{refused}");
    let crashed = open_crashed(base.path()).unwrap();
    assert_eq!(crashed.view().high_watermark(), 3);
    let report = crashed.seal(RunStatus::CrashedRecovered).unwrap();
    assert_eq!((report.status, report.high_watermark), (RunStatus::CrashedRecovered, 3));
    assert_eq!(crashed.view().scan_range(1, 9, Direction::Forward).unwrap().len(), 3);
    assert!(matches!(crashed.seal(RunStatus::Ended), Err(EventStoreError::Closed)));
    drop(crashed);
    let taken = open(base.path(), RUN_ID).err();
    assert!(matches!(taken, Some(EventStoreError::AlreadyExists(_))), "{taken:?}");
}

/// What does not exist is not found, and nothing is made by asking.
#[test]
fn missing_run_is_not_found_and_nothing_is_made() {
    let base = TemporaryFolder::new("missing");
    let missing = open_crashed(base.path()).err();
    assert!(matches!(missing, Some(EventStoreError::NotFound(_))), "{missing:?}");
    let path = base.path().join("nothing.redb");
    let missing = store::open_sealed_run(&path, &ReaderOptions::default()).err();
    assert!(matches!(missing, Some(EventStoreError::NotFound(_))), "{missing:?}");
    assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0);
}

/// Options outside their bounds are named, before anything is made.
#[test]
fn bad_options_are_named_and_make_nothing() {
    let base = TemporaryFolder::new("options");
    let manifest = RunManifest::new(RUN_ID, sample::INSTANCE, 5);
    let bad = [
        ("queue_entries", OpenOptions { queue_entries: 0, ..options() }),
        ("queue_bytes", OpenOptions { queue_bytes: 1, ..options() }),
        ("group_entries", OpenOptions { group_entries: usize::MAX, ..options() }),
        ("group_bytes", OpenOptions { group_bytes: 0, ..options() }),
        ("cache_bytes", OpenOptions { cache_bytes: 10, ..options() }),
    ];
    for (expected, options) in bad {
        let refused = store::open_run(base.path(), &manifest, options).err();
        let Some(EventStoreError::InvalidArgument { field, .. }) = refused else {
            panic!("{expected}: {refused:?}");
        };
        assert_eq!(field, expected);
    }
    for run_id in ["", ".hidden", "a/b", "..", "a b", "ü", &"x".repeat(129)] {
        let refused = open(base.path(), run_id).err();
        let named =
            matches!(&refused, Some(EventStoreError::InvalidArgument { field: "run_id", .. }));
        assert!(named, "{run_id:?}: {refused:?}");
    }
    assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0);
}

/// A memory run ignores the base, takes no lock and keeps its data for its readers.
#[test]
fn memory_run_leaves_nothing_and_outlives_its_handle() {
    let base = TemporaryFolder::new("memory");
    let memory = || OpenOptions { backend: BackendKind::Memory, ..options() };
    let manifest = RunManifest::new(RUN_ID, sample::INSTANCE, 5);
    let run = store::open_run(base.path(), &manifest, memory()).unwrap();
    let _same_name = store::open_run(base.path(), &manifest, memory()).unwrap();
    append(&run, 3);
    let reader = Reader::of(&run).unwrap();
    run.close(&CloseOptions::default()).unwrap();
    drop(run);
    assert_eq!(reader.view().scan_range(1, 9, Direction::Forward).unwrap().len(), 4);
    assert_eq!(reader.path(), None);
    assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0);
}

/// A copy of each descriptor below the base, as a child has them between its start and its own
/// program: what a spawn hands on without a fork handler.
struct Inherited(Vec<i32>);

impl Inherited {
    fn below(base: &Path) -> Self {
        let mut copies = Vec::new();
        for item in std::fs::read_dir("/proc/self/fd").expect("of this process") {
            let path = item.expect("a descriptor").path();
            if std::fs::read_link(&path).is_ok_and(|target| target.starts_with(base)) {
                let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
                // SAFETY: copies a descriptor; no memory is involved.
                copies.push(unsafe { libc::dup(number.expect("a number")) });
            }
        }
        Self(copies)
    }
}

impl Drop for Inherited {
    fn drop(&mut self) {
        for copy in &self.0 {
            // SAFETY: the copy is this value's own.
            unsafe { libc::close(*copy) };
        }
    }
}

/// A host that starts another program at the very moment when it closes a run gets its locks back
/// all the same: the instance's, the closed run's, and those of a run that was left.
#[test]
fn child_that_is_being_started_keeps_no_lock() {
    for backend in [BackendKind::Redb, BackendKind::Log] {
        let base = TemporaryFolder::new("started");
        let open = |run_id: &str| {
            let options = OpenOptions { backend, manual: true, ..options() };
            store::open_run(base.path(), &RunManifest::new(run_id, sample::INSTANCE, 5), options)
        };
        let run = open(RUN_ID).unwrap();
        append(&run, 3);
        let inherited = Inherited::below(base.path());
        assert!(inherited.0.len() >= 2, "the instance's lock and the run");
        drop(run);
        let left = open_crashed(base.path());
        let left = left.unwrap_or_else(|error| panic!("{backend:?}, left: {error}"));
        let also_inherited = Inherited::below(base.path());
        left.seal(RunStatus::CrashedRecovered).unwrap();
        let path = left.path().unwrap().to_owned();
        drop(left);
        let sealed = store::open_sealed_run(&path, &ReaderOptions::default());
        sealed.unwrap_or_else(|error| panic!("{backend:?}, sealed: {error}"));
        let next = open("r-2").unwrap_or_else(|error| panic!("{backend:?}, next: {error}"));
        let third = Inherited::below(base.path());
        next.close(&CloseOptions::default()).unwrap();
        drop(next);
        open("r-3").unwrap_or_else(|error| panic!("{backend:?}, closed: {error}"));
        drop((inherited, also_inherited, third));
    }
}
