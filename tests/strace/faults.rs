//! Calls that fail: the run halts at the first one with what the system said, retries nothing,
//! acknowledges nothing more, and goes on answering.

use std::path::Path;

use eventstore::backend::Direction;
use eventstore::error::EventStoreError;
use eventstore::manifest::RunStatus;
use eventstore::store::{BackendKind, OpenOptions, ReaderOptions, open_crashed_run, open_run};
use eventstore::writer::{CloseOptions, Phase, SubmitOptions};

use BackendKind::{Log, Redb};

use super::record::{Call, calls};
use super::{RUN, Traced, told_backend, trace};
use crate::common::flow::{Step, assert_is_flow, with_drafts};
use crate::common::process::{say, told, told_number};
use crate::common::sample::{self, INSTANCE, Keyed};
use crate::common::temporary::TemporaryFolder;

/// Role: appends until the run halts, then asks it everything that a host may still ask.
pub(super) fn append_until_halted() {
    let base = told("ES_BASE");
    let (backend, manual) = (told_backend(), told("ES_WRITER") == "manual");
    let options = OpenOptions { backend, manual, ..OpenOptions::default() };
    let run = open_run(Path::new(&base), &sample::full_manifest(RUN), options).expect("a new run");
    let mut next_seq = 1;
    let failure = loop {
        let items: Vec<Keyed> = (next_seq..next_seq + 20).map(sample::keyed).collect();
        match with_drafts(&items, |drafts| run.append_batch(drafts, next_seq)) {
            Ok(appended) => {
                next_seq = appended.high_watermark + 1;
                say(&format!("ack {}", appended.high_watermark));
            }
            Err(failure) => break failure,
        }
    };
    let EventStoreError::Halted { reason } = &failure.error else { panic!("{failure:?}") };
    let errno = reason.fault().and_then(|fault| fault.errno).unwrap_or(0);
    say(&format!("halted {} {errno}", variant(reason)));
    assert_eq!(failure.claimed, Some((next_seq, 20)));
    let state = run.state();
    assert_eq!(state.phase, Phase::Halted);
    assert_eq!(state.high_watermark, next_seq - 1);
    let refused =
        with_drafts(&[sample::keyed(1)], |drafts| run.submit(&drafts[0], SubmitOptions::default()));
    assert!(matches!(refused, Err(EventStoreError::Halted { .. })), "{refused:?}");
    run.wait_durable(next_seq - 1, 0).expect("what was durable still is");
    let view = run.view().expect("a view");
    assert_eq!(assert_is_flow(&*view), next_seq - 1);
    assert_eq!(
        view.scan_range(1, 5, Direction::Backward).expect("a scan").len() as u64,
        5.min(next_seq - 1)
    );
    let report = run.close(&CloseOptions::default()).expect("closing a halted run");
    assert_eq!((report.status, report.high_watermark), (RunStatus::Running, next_seq - 1));
    assert!(report.halt.is_some());
    say("answered");
}

/// Role: writes some steps of the flow, which must succeed, and closes.
pub(super) fn append_through() {
    let base = told("ES_BASE");
    let manifest = sample::full_manifest(RUN);
    let options = OpenOptions { backend: told_backend(), ..OpenOptions::default() };
    let run = open_run(Path::new(&base), &manifest, options).expect("a new run");
    let mut last_seq = 0;
    for number in 0..told_number("ES_STEPS") {
        last_seq = Step::number(number).write(&run, last_seq + 1);
    }
    run.close(&CloseOptions::default()).expect("a close");
    say(&format!("written {last_seq}"));
}

fn variant(error: &EventStoreError) -> &'static str {
    match error {
        EventStoreError::Backend(_) => "Backend",
        EventStoreError::Disk(_) => "Disk",
        _ => "another",
    }
}

/// Which of the writer's calls fails.
#[derive(Debug, Clone, Copy)]
enum Nth {
    /// Counted from the end of the opening, in a manual run: one thread makes all calls.
    AfterOpen(usize),
    /// Of the writer's thread, of its own. More than an opening makes, whose thread is another.
    OfThread(usize),
}

/// How often an opening makes this call; `None` without strace.
fn calls_of_an_open(backend: BackendKind, name: &str) -> Option<usize> {
    let folder = TemporaryFolder::new("open");
    let way = if backend == BackendKind::Log { "log" } else { "two" };
    let told = [("ES_APPENDS", "1"), ("ES_WAY", way)];
    let traced = trace("appends", folder.path(), &[], &told)?;
    traced.finished.expect_success();
    let calls = calls(&traced.record);
    let open = calls.iter().find(|call| call.said() == Some("open")).expect("it opened").began;
    Some(calls.iter().filter(|call| call.ended < open && call.name == name).count())
}

/// Role: opens a run where the system gives no thread.
pub(super) fn open_without_a_thread() {
    let options = OpenOptions { backend: told_backend(), ..OpenOptions::default() };
    let error = open_run(Path::new(&told("ES_BASE")), &sample::full_manifest(RUN), options)
        .err()
        .expect("no run without its thread");
    let errno = error.fault().and_then(|fault| fault.errno);
    assert_eq!((variant(&error), errno), ("Backend", Some(libc::EAGAIN)), "{error}");
    say(&format!("refused {error}"));
}

/// A thread that the system refuses is told by what it was for, and leaves no run behind: the name
/// is still to be had.
#[test]
fn refused_thread_leaves_no_run() {
    for backend in [Redb, Log] {
        let folder = TemporaryFolder::new("refused");
        let inject = ["-e", "trace=clone,clone3", "-e", "inject=clone,clone3:error=EAGAIN"];
        let name = format!("{backend:?}");
        let told = [("ES_BACKEND", &*name)];
        let Some(traced) = trace("refused", folder.path(), &inject, &told) else { return };
        let finished = traced.finished.expect_success();
        let reason = finished.last("refused").expect("it said so");
        assert!(reason.contains("starting the writer thread"), "{reason}");
        let options = OpenOptions { backend, ..OpenOptions::default() };
        let run = open_run(folder.path(), &sample::full_manifest(RUN), options);
        run.expect("the name is free").close(&CloseOptions::default()).expect("a close");
    }
}

/// Makes one of these calls fail, and expects a halt for this reason.
fn assert_halts(backend: BackendKind, call: &str, error: &str, nth: Nth, expected: &str) {
    let folder = TemporaryFolder::new("fault");
    let Some(opening) = calls_of_an_open(backend, call) else { return };
    let (number, writer) = match nth {
        Nth::AfterOpen(number) => (opening + number, "manual"),
        Nth::OfThread(number) => (opening + number, "thread"),
    };
    let inject = format!("inject={call}:error={error}:when={number}");
    let name = format!("{backend:?}");
    let told = [("ES_WRITER", writer), ("ES_BACKEND", &*name)];
    let Some(traced) = trace("halts", folder.path(), &["-e", &inject], &told) else { return };
    let Traced { finished, record } = traced;
    let finished = finished.expect_success();
    assert_eq!(finished.said("halted"), expected, "{call} {error} {nth:?}");
    assert_eq!(finished.last("answered"), Some(""));
    let calls = calls(&record);
    let failed = calls.iter().find(|call| call.was_injected()).expect("a failed call");
    let later: Vec<&Call> = calls.iter().filter(|call| call.began > failed.ended).collect();
    let touched: Vec<&&Call> = later.iter().filter(|call| call.is_for_run_file()).collect();
    assert!(touched.is_empty(), "after {call} {error} {nth:?} came {touched:#?}");
    let acks = |call: &&&Call| call.said().is_some_and(|line| line.starts_with("ack"));
    assert_eq!(later.iter().filter(acks).count(), 0, "nothing is acknowledged after a failure");
    let acknowledged = finished.last_number("ack").unwrap_or(0);
    let reader = open_crashed_run(folder.path(), INSTANCE, RUN, &ReaderOptions::default());
    let reader = reader.expect("a halted run opens");
    assert!(assert_is_flow(reader.view()) >= acknowledged);
    let report = reader.seal(RunStatus::CrashedRecovered).expect("a seal");
    eprintln!(
        "{backend:?}: {call} {nth:?} failed with {error}: halted {expected}, {acknowledged} acknowledged, {} \
         found",
        report.high_watermark
    );
}

#[test]
fn failed_flush_halts_for_good() {
    for nth in [Nth::AfterOpen(1), Nth::AfterOpen(2), Nth::AfterOpen(5), Nth::OfThread(1)] {
        assert_halts(Redb, "fdatasync", "EIO", nth, "Backend 5");
    }
}

#[test]
fn failed_write_halts_for_good() {
    for nth in [Nth::AfterOpen(1), Nth::AfterOpen(2), Nth::AfterOpen(9), Nth::OfThread(1)] {
        assert_halts(Redb, "pwritev", "EIO", nth, "Backend 5");
    }
}

#[test]
fn full_disk_halts_as_disk() {
    assert_halts(Redb, "pwritev", "ENOSPC", Nth::AfterOpen(3), "Disk 28");
    assert_halts(Redb, "pwritev", "EDQUOT", Nth::OfThread(1), "Disk 122");
    assert_halts(Redb, "fdatasync", "ENOSPC", Nth::AfterOpen(3), "Disk 28");
    assert_halts(Redb, "fallocate", "ENOSPC", Nth::AfterOpen(1), "Disk 28");
}

/// Each call of a commit of the log: the write of the group, its flush, the watermark. Manual, so
/// that no thread prepares a segment meanwhile.
#[test]
fn failed_call_of_a_log_commit_halts_for_good() {
    for (call, error, nth, expected) in [
        ("pwritev", "EIO", 1, "Backend 5"),
        ("pwritev", "EIO", 2, "Backend 5"),
        ("pwritev", "ENOSPC", 9, "Disk 28"),
        ("pwritev", "EDQUOT", 4, "Disk 122"),
        ("fdatasync", "EIO", 1, "Backend 5"),
        ("fdatasync", "EIO", 6, "Backend 5"),
        ("fdatasync", "ENOSPC", 2, "Disk 28"),
    ] {
        assert_halts(Log, call, error, Nth::AfterOpen(nth), expected);
    }
}

/// An interrupted call is made again; nobody notices.
#[test]
fn interrupted_calls_are_made_again() {
    for backend in [Redb, Log] {
        interrupt_calls(backend);
    }
}

fn interrupt_calls(backend: BackendKind) {
    let kinds = "inject=pwritev,fdatasync,fsync,fallocate,pread64:error=EINTR:when=1+2";
    let Some(interrupted) = survived(backend, &["-e", kinds]) else { return };
    assert!(interrupted > 50);
}

/// Where the system does not have the call that waits for a part of a segment, or forbids it, flushes
/// do it all.
#[test]
fn waiting_for_a_part_is_done_without() {
    for error in ["ENOSYS", "EPERM"] {
        let inject = format!("inject=sync_file_range:error={error}");
        let Some(refused) = survived(Log, &["-e", "trace=sync_file_range", "-e", &inject]) else {
            return;
        };
        assert!(refused > 0);
    }
}

/// A run that is written and closed while calls fail as told, and then reads as if none had: how
/// many failed.
fn survived(backend: BackendKind, faults: &[&str]) -> Option<usize> {
    let folder = TemporaryFolder::new("survived");
    let name = format!("{backend:?}");
    let told = [("ES_STEPS", "30"), ("ES_BACKEND", &*name)];
    let traced = trace("survives", folder.path(), faults, &told)?;
    traced.finished.expect_success();
    let failed = calls(&traced.record).iter().filter(|call| call.was_injected()).count();
    eprintln!("{backend:?}: {failed} failed calls survived");
    let reader = open_crashed_run(folder.path(), INSTANCE, RUN, &ReaderOptions::default());
    assert_is_flow(reader.expect("a sealed run opens").view());
    Some(failed)
}
