//! Waiting within the writing process, for every backend, and what only some backends can do.

use std::path::Path;
use std::thread;
use std::time::Duration;

use eventstore::backend::Ended;
use eventstore::error::EventStoreError;
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::reader::{Reader, Tail};
use eventstore::store::{
    BackendKind, OpenOptions, ReaderOptions, open_crashed_run, open_live_run, open_run,
    open_sealed_run,
};
use eventstore::writer::{CloseOptions, Run};

use crate::common::flow::with_drafts;
use crate::common::sample::{self, INSTANCE};
use crate::common::temporary::TemporaryFolder;
use crate::{FOREVER, RUN};

const BACKENDS: [BackendKind; 3] = [BackendKind::Redb, BackendKind::Memory, BackendKind::Log];

pub(crate) fn open(base: &Path, backend: BackendKind) -> Run {
    let options = OpenOptions { backend, halt_after_ns: FOREVER, ..OpenOptions::default() };
    open_run(base, &RunManifest::new(RUN, INSTANCE, 1), options).expect("a new run")
}

pub(crate) fn append(run: &Run, from: u64, to: u64) {
    let items: Vec<_> = (from..=to).map(sample::keyed).collect();
    with_drafts(&items, |drafts| run.append_batch(drafts, from)).expect("an append");
}

fn is_timeout(answer: &Result<Tail, EventStoreError>) -> bool {
    matches!(answer, Err(EventStoreError::Timeout))
}

/// A waiter is woken by the commit that it waits for, and by the seal.
#[test]
fn commits_and_the_seal_wake_readers_of_the_writing_process() {
    for backend in BACKENDS {
        let base = TemporaryFolder::new("live-here");
        let run = open(base.path(), backend);
        let reader = Reader::of(&run).unwrap();
        let running = |high_watermark| Tail { high_watermark, ended: None };
        assert_eq!(reader.wait_tail(0, 0).unwrap(), running(0));
        assert!(is_timeout(&reader.wait_tail(1, 0)) && is_timeout(&reader.wait_tail(1, 2_000_000)));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| reader.wait_tail(5, FOREVER).unwrap());
            thread::sleep(Duration::from_millis(20));
            append(&run, 1, 5);
            assert_eq!(waiting.join().unwrap(), running(5), "{backend:?}");
            let waiting = scope.spawn(|| reader.wait_tail(FOREVER, FOREVER).unwrap());
            thread::sleep(Duration::from_millis(20));
            run.close(&CloseOptions::default()).unwrap();
            let ended = Some(Ended::Sealed(RunStatus::Ended));
            assert_eq!(waiting.join().unwrap(), Tail { high_watermark: 6, ended }, "{backend:?}");
        });
    }
}

/// A run that was let go of without a seal wakes its waiters too, and so is it read when opened as
/// crashed.
#[test]
fn writer_that_lets_go_is_told_as_gone() {
    for backend in BACKENDS {
        let base = TemporaryFolder::new("live-gone");
        let run = open(base.path(), backend);
        append(&run, 1, 5);
        let reader = Reader::of(&run).unwrap();
        let gone = Tail { high_watermark: 5, ended: Some(Ended::WriterGone) };
        thread::scope(|scope| {
            let waiting = scope.spawn(|| reader.wait_tail(FOREVER, FOREVER).unwrap());
            drop(run);
            assert_eq!(waiting.join().unwrap(), gone, "{backend:?}");
        });
        drop(reader);
        if backend == BackendKind::Memory {
            continue;
        }
        let options = ReaderOptions::default();
        let crashed = open_crashed_run(base.path(), INSTANCE, RUN, &options).unwrap();
        assert_eq!(crashed.wait_tail(FOREVER, FOREVER).unwrap(), gone, "{backend:?}");
        crashed.seal(RunStatus::CrashedRecovered).unwrap();
        let ended = Some(Ended::Sealed(RunStatus::CrashedRecovered));
        assert_eq!(crashed.wait_tail(9, 0).unwrap(), Tail { high_watermark: 5, ended });
    }
}

/// Once a run is told as gone, nobody but its readers holds it: it can be recovered at once.
#[test]
fn run_that_is_told_as_gone_can_be_recovered_at_once() {
    for number in 0..400 {
        let backend = [BackendKind::Redb, BackendKind::Log][number % 2];
        let base = TemporaryFolder::new("live-gone-at-once");
        let run = open(base.path(), backend);
        append(&run, 1, 1);
        let reader = Reader::of(&run).unwrap();
        drop(run);
        reader.wait_tail(FOREVER, FOREVER).unwrap();
        drop(reader);
        let options = ReaderOptions::default();
        let crashed = open_crashed_run(base.path(), INSTANCE, RUN, &options);
        assert!(crashed.is_ok(), "{backend:?}, the {number}th: {:?}", crashed.err());
    }
}

/// A sealed run of either backend opens as live, and answers at once that it is sealed.
#[test]
fn sealed_run_is_answered_at_once() {
    for (backend, suffix) in [(BackendKind::Redb, "redb"), (BackendKind::Log, "eslog")] {
        let base = TemporaryFolder::new("live-sealed");
        let run = open(base.path(), backend);
        append(&run, 1, 5);
        run.close(&CloseOptions::default()).unwrap();
        let path = base.path().join(INSTANCE).join(format!("{RUN}.{suffix}"));
        let checked = ReaderOptions { check: true, ..ReaderOptions::default() };
        let readers = [
            open_sealed_run(&path, &ReaderOptions::default()).unwrap(),
            open_live_run(&path, &ReaderOptions::default()).unwrap(),
            open_live_run(&path, &checked).unwrap(),
        ];
        for reader in readers {
            let ended = Some(Ended::Sealed(RunStatus::Ended));
            let expected = Tail { high_watermark: 6, ended };
            assert_eq!(reader.wait_tail(FOREVER, FOREVER).unwrap(), expected, "{backend:?}");
            assert_eq!(reader.view().scan_seq(5).unwrap().unwrap(), sample::keyed(5).entry);
        }
    }
}

/// A redb run that is being written is refused with what to do instead; so is the check of a log
/// run that is.
#[test]
fn what_live_reading_cannot_do_is_refused() {
    let base = TemporaryFolder::new("live-refused");
    let run = open(base.path(), BackendKind::Redb);
    let options = ReaderOptions::default();
    let path = run.path().unwrap().to_path_buf();
    let refused = open_live_run(&path, &options).err().expect("a refusal");
    assert!(matches!(refused, EventStoreError::Unsupported { .. }), "{refused:?}");
    assert!(refused.to_string().contains("log backend"), "{refused}");
    drop(run);
    let other = TemporaryFolder::new("live-refused-log");
    let run = open(other.path(), BackendKind::Log);
    let checked = ReaderOptions { check: true, ..options };
    let refused = open_live_run(run.path().unwrap(), &checked).err().expect("a refusal");
    assert!(matches!(refused, EventStoreError::Unsupported { .. }), "{refused:?}");
    let missing = open_live_run(&other.path().join("nothing"), &options).err();
    assert!(matches!(missing, Some(EventStoreError::NotFound(_))), "{missing:?}");
}
