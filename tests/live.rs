//! Runs read and copied while they are written: by other processes, and within the writing one.
//!
//! The writer is a child process with tiny segments; the test follows it. What is acknowledged is
//! there at once, in order and nothing else; the seal and the writer's death are told.

mod common;
#[path = "live/copy.rs"]
mod copy;
#[path = "live/damage.rs"]
mod damage;
#[path = "live/here.rs"]
mod here;

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use common::process::{self, Running, say, told, told_number};
use common::sample::{self, INSTANCE};
use common::temporary::TemporaryFolder;
use eventstore::backend::log::{LogOptions, LogStore};
use eventstore::backend::{Direction, Ended, EventStore};
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::reader::{Reader, Tail};
use eventstore::recovery::{RecoveryOptions, recover};
use eventstore::retention::{Keep, RetentionReport, apply_retention, plan_retention};
use eventstore::store::{ReaderOptions, open_live_run};

common::process::child_roles!(play);

const RUN: &str = "run";
const FOREVER: u64 = u64::MAX;
/// Entries of one commit.
const GROUP: usize = 7;
/// The group after which the writer stores an anchor, and the entry that it covers.
const ANCHOR_AFTER: u64 = 20;

fn play(role: &str) {
    match role {
        "writes" => write(),
        "follows" => follow_to_the_end(),
        "forks" => follow_and_fork(),
        other => panic!("no role is called {other}"),
    }
}

fn path_of(base: &Path, run_id: &str) -> PathBuf {
    base.join(INSTANCE).join(format!("{run_id}.eslog"))
}

/// A store whose runs have many segments.
fn store(base: &Path) -> LogStore {
    LogStore::new(base, LogOptions { segment_bytes_max: 8 << 10, ..LogOptions::default() })
}

/// Appends so many groups to a new run, telling of each; answers the store, the run still open.
fn written(base: &Path, run_id: &str, groups: u64, told: &mut dyn FnMut(u64)) -> LogStore {
    let mut store = store(base);
    store.open_run(&RunManifest::new(run_id, INSTANCE, sample::START_TS)).unwrap();
    told(0);
    for group in 0..groups {
        let first = group * GROUP as u64 + 1;
        let items: Vec<_> = (first..first + GROUP as u64).map(sample::keyed).collect();
        let acknowledged = sample::append(&mut store, &items).unwrap();
        if group == ANCHOR_AFTER {
            store.record_snapshot_anchor(&sample::anchor(acknowledged)).unwrap();
        }
        told(acknowledged);
    }
    store
}

fn seal(mut store: LogStore) {
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
}

/// Role: writes `ES_GROUPS` groups, saying each acknowledgement, then seals, or waits to be killed.
/// Step by step, it waits for a line before it goes on.
fn write() {
    let base = told("ES_BASE");
    let end = told("ES_END");
    let store = written(Path::new(&base), RUN, told_number("ES_GROUPS"), &mut |seq| {
        say(&format!("ack {seq}"));
        if end == "step" {
            std::io::stdin().read_line(&mut String::new()).expect("a line");
        }
    });
    if end != "park" {
        seal(store);
        say("sealed");
    } else {
        say("done");
        std::thread::park();
    }
}

fn writer(base: &Path, groups: u64, end: &str) -> Running {
    let mut command = process::command("writes");
    command.env("ES_BASE", base).env("ES_GROUPS", groups.to_string()).env("ES_END", end);
    let mut writer = Running::start_with_input({
        command.stdin(Stdio::piped());
        command
    });
    assert_eq!(writer.line().as_deref(), Some("ack 0"));
    writer
}

fn follow(base: &Path) -> Reader {
    open_live_run(&path_of(base, RUN), &ReaderOptions::default()).expect("a run that is written")
}

/// Takes every entry behind `seen` and compares it; answers the last.
fn take_new(reader: &Reader, seen: u64) -> u64 {
    let mut last = seen;
    let visited = reader.view().visit_range(seen + 1, FOREVER, Direction::Forward, &mut |row| {
        last += 1;
        assert_eq!(row.entry.to_entry(), sample::keyed(last).entry);
        ControlFlow::Continue(())
    });
    visited.expect("what is acknowledged reads");
    last
}

/// Role: follows the run to its end and says how it ended.
fn follow_to_the_end() {
    let reader = follow(Path::new(&told("ES_BASE")));
    let mut seen = 0;
    say("follows");
    loop {
        let tail = reader.wait_tail(seen + 1, FOREVER).expect("a tail");
        seen = take_new(&reader, seen);
        if let (Some(ended), true) = (tail.ended, seen == tail.high_watermark) {
            return say(&format!("ended {ended:?} {seen}"));
        }
    }
}

/// The other reads agree with what is known up to `last`.
fn assert_reads_agree(reader: &Reader, last: u64) {
    let view = reader.view();
    let found = (1..=last).rev().find_map(|seq| sample::keyed(seq).keys.pop());
    if let Some(key) = found {
        let first = (1..=last).find(|seq| sample::keyed(*seq).keys.contains(&key));
        assert_eq!(view.lookup(key.kind, &key.key).unwrap(), first, "{key:?}");
    }
    let time = sample::keyed(last).entry.ts_init;
    let first = (1..=last).find(|seq| sample::keyed(*seq).entry.ts_init >= time);
    assert_eq!(view.first_seq_at(time).unwrap(), first);
    assert_eq!(view.manifest().unwrap().status, RunStatus::Running);
    let covered = (ANCHOR_AFTER + 1) * GROUP as u64;
    let replay_from = reader.restore_plan().unwrap().replay_from;
    assert_eq!(replay_from, if last > covered { covered + 1 } else { 1 }, "at {last}");
}

/// What the writer has acknowledged is there for another process by then, and nothing else: each
/// entry once, in order, over many segments; lookups, times and the anchor besides; at last the seal.
#[test]
fn reader_sees_every_acknowledgement_of_another_process_and_its_seal() {
    let base = TemporaryFolder::new("live-follow");
    let mut writer = writer(base.path(), 200, "step");
    let reader = follow(base.path());
    let (mut seen, mut line) = (0, "ack 0".to_owned());
    while let Some(acknowledged) = line.strip_prefix("ack ") {
        let high_watermark: u64 = acknowledged.parse().expect("a number");
        let running = Tail { high_watermark, ended: None };
        assert_eq!(reader.wait_tail(high_watermark, 0).expect("it is there"), running);
        seen = take_new(&reader, seen);
        assert_eq!(seen, high_watermark);
        if high_watermark.is_multiple_of(10 * GROUP as u64) && high_watermark > 0 {
            assert_reads_agree(&reader, high_watermark);
        }
        writer.child.stdin.as_mut().expect("piped").write_all(b"\n").expect("it reads");
        line = writer.line().expect("a line");
    }
    assert_eq!(line, "sealed");
    let total = 200 * GROUP as u64;
    let sealed = Tail { high_watermark: total, ended: Some(Ended::Sealed(RunStatus::Ended)) };
    assert_eq!(reader.wait_tail(FOREVER, FOREVER).unwrap(), sealed);
    assert_eq!(common::flow::assert_is_flow(reader.view()), total);
    assert!(reader.view().digest().unwrap().is_some());
    writer.finish().expect_success();
    let segments = std::fs::read_dir(path_of(base.path(), RUN)).unwrap();
    assert!(segments.count() > 30, "many segments, each with an index");
}

/// A reader that comes late opens the run from its last segment, and sees the same.
#[test]
fn late_reader_sees_what_an_early_one_sees() {
    let base = TemporaryFolder::new("live-late");
    let mut writer = writer(base.path(), 60, "park");
    writer.wait_for("done");
    let reader = follow(base.path());
    let total = 60 * GROUP as u64;
    let running = Tail { high_watermark: total, ended: None };
    assert_eq!(reader.wait_tail(0, 0).unwrap(), running);
    assert!(reader.wait_tail(total + 1, 0).is_err(), "nothing more yet");
    assert_eq!(common::flow::assert_is_flow(reader.view()), total);
    assert_reads_agree(&reader, total);
    writer.kill();
}

/// A writer's death is told, with all that it had acknowledged; then the seal of recovery, which a
/// reader does not hinder.
#[test]
fn killed_writer_is_told_as_gone_and_then_recovery_as_the_seal() {
    let base = TemporaryFolder::new("live-killed");
    let mut writer = writer(base.path(), 50, "park");
    let reader = follow(base.path());
    writer.wait_for("done");
    let total = 50 * GROUP as u64;
    assert_eq!(reader.wait_tail(total, FOREVER).unwrap().ended, None);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| reader.wait_tail(FOREVER, FOREVER).unwrap());
        writer.kill();
        let gone = Tail { high_watermark: total, ended: Some(Ended::WriterGone) };
        assert_eq!(waiting.join().unwrap(), gone);
    });
    writer.finish();
    let swept = recover(base.path(), INSTANCE, RecoveryOptions::default()).unwrap();
    assert_eq!(swept.parent_run_id.as_deref(), Some(RUN), "{swept:?}");
    let ended = Some(Ended::Sealed(RunStatus::CrashedRecovered));
    assert_eq!(reader.wait_tail(0, 0).unwrap(), Tail { high_watermark: total, ended });
    assert_eq!(common::flow::assert_is_flow(reader.view()), total);
}

/// Many processes follow one writer; each sees the whole run and its seal, and one that is killed
/// while it reads is noticed by nobody.
#[test]
fn many_readers_follow_and_a_killed_one_hurts_nobody() {
    let base = TemporaryFolder::new("live-many");
    let mut writer = writer(base.path(), 150, "seal");
    let mut readers: Vec<Running> = (0..5)
        .map(|_| {
            let mut command = process::command("follows");
            command.env("ES_BASE", base.path());
            Running::start(command)
        })
        .collect();
    for reader in &mut readers {
        assert_eq!(reader.line().as_deref(), Some("follows"));
    }
    let mut killed = readers.pop().expect("five");
    killed.kill();
    writer.wait_for("sealed");
    writer.finish().expect_success();
    killed.finish();
    let expected = format!("Sealed(Ended) {}", 150 * GROUP);
    for reader in readers {
        assert_eq!(reader.finish().expect_success().said("ended"), expected);
    }
}

/// Seals a newer run that can be restored from, so that the first one may go.
fn add_restore_point(base: &Path) {
    let mut newer = store(base);
    newer.open_run(&RunManifest::new("newer", INSTANCE, sample::START_TS + 1)).unwrap();
    sample::append(&mut newer, &sample::run_of(10)).unwrap();
    newer.record_snapshot_anchor(&sample::anchor(10)).unwrap();
    seal(newer);
}

fn retain(base: &Path) -> RetentionReport {
    let plan = plan_retention(base, INSTANCE, Keep::Anchored).unwrap();
    assert_eq!(plan.delete.len(), 1, "{plan:?}");
    apply_retention(base, INSTANCE, &plan).unwrap()
}

/// Retention leaves a run alone that is followed, says why, and deletes it once the reader is gone.
#[test]
fn followed_run_is_not_deleted_until_its_reader_is_gone() {
    let base = TemporaryFolder::new("live-retention");
    let mut writer = writer(base.path(), 30, "seal");
    let reader = follow(base.path());
    writer.wait_for("sealed");
    writer.finish().expect_success();
    add_restore_point(base.path());
    let kept = retain(base.path());
    assert_eq!(kept.deleted, [""; 0], "a run that is read was deleted");
    assert!(kept.skipped[0].1.contains("follows"), "{kept:?}");
    assert_eq!(take_new(&reader, 0), 30 * GROUP as u64);
    drop(reader);
    assert_eq!(retain(base.path()).deleted, [RUN]);
    assert!(!path_of(base.path(), RUN).exists());
}

/// Role: follows the run, forks, and goes; the child stays and does nothing.
fn follow_and_fork() {
    let reader = follow(Path::new(&told("ES_BASE")));
    // SAFETY: this process has one thread; the child only tells its number and waits for a signal.
    let child = unsafe { libc::fork() };
    if child == 0 {
        say(&format!("child {}", std::process::id()));
        // SAFETY: no pointers.
        unsafe { libc::pause() };
    }
    std::mem::forget(reader);
    std::process::exit(0);
}

/// A reader's lock goes with its process, whatever children that has forked.
#[test]
fn forked_child_of_a_reader_holds_no_run() {
    let base = TemporaryFolder::new("live-fork");
    seal(written(base.path(), RUN, 30, &mut |_| {}));
    add_restore_point(base.path());
    let mut command = process::command("forks");
    command.env("ES_BASE", base.path());
    let mut reader = Running::start(command);
    let line = reader.line().expect("a line");
    let child = line.strip_prefix("child ").expect("a child").parse().expect("its number");
    assert!(reader.child.wait().expect("a child of ours").success());
    let deleted = retain(base.path()).deleted;
    // SAFETY: no pointers; the process waits for nothing else.
    unsafe { libc::kill(child, libc::SIGKILL) };
    assert_eq!(deleted, [RUN]);
}
