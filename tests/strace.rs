//! The order of system calls, seen from outside: what is flushed before an acknowledgement, how
//! often, and what happens when a call fails.
//!
//! Runs children under strace, which also injects the failures. Without it nothing here runs, and
//! says so.

mod common;
#[path = "strace/faults.rs"]
mod faults;
#[path = "strace/followed.rs"]
mod followed;
#[path = "strace/live_reads.rs"]
mod live_reads;
#[path = "strace/record.rs"]
mod record;
#[path = "strace/short_writes.rs"]
mod short_writes;

use std::fs;
use std::path::Path;

use common::flow::with_drafts;
use common::process::{self, Finished, say, told, told_number};
use common::sample;
use common::temporary::TemporaryFolder;
use eventstore::store::{BackendKind, Durability, OpenOptions, open_run};
use eventstore::writer::{CloseOptions, WaitPolicy};
use record::{Call, calls};

common::process::child_roles!(play);

const RUN: &str = "run";

fn play(role: &str) {
    match role {
        "appends" => append_some(),
        "halts" => faults::append_until_halted(),
        "refused" => faults::open_without_a_thread(),
        "survives" => faults::append_through(),
        "reads" => live_reads::read_during_flushes(),
        other => panic!("no role is called {other}"),
    }
}

/// The backend that this role was started for.
fn told_backend() -> BackendKind {
    if told("ES_BACKEND") == "Log" { BackendKind::Log } else { BackendKind::Redb }
}

/// Appends `ES_APPENDS` times 10 entries, saying each acknowledgement, and closes.
fn append_some() {
    let mut options = OpenOptions::default();
    match told("ES_WAY").as_str() {
        "log" => options.backend = BackendKind::Log,
        "parked" => {
            options.backend = BackendKind::Memory;
            options.wait_policy = WaitPolicy::Park;
        }
        "one" => options.durability = Durability::OnePhase,
        "driven" => options.manual = true,
        "driven log" => (options.manual, options.backend) = (true, BackendKind::Log),
        _ => options.durability = Durability::TwoPhase,
    }
    let run = open_run(Path::new(&told("ES_BASE")), &sample::full_manifest(RUN), options);
    let run = run.expect("a new run");
    say("open");
    for number in 0..told_number("ES_APPENDS") {
        let items: Vec<_> = (1..=10).map(|place| sample::keyed(number * 10 + place)).collect();
        let appended = with_drafts(&items, |drafts| run.append_batch(drafts, 0)).expect("append");
        say(&format!("ack {}", appended.high_watermark));
    }
    run.close(&CloseOptions::default()).expect("a close");
}

/// Runs a role under strace, with these options besides; `None`, and said so, without strace.
fn trace(role: &str, base: &Path, more: &[&str], told: &[(&str, &str)]) -> Option<Traced> {
    let folder = TemporaryFolder::new("record");
    let record = folder.path().join("record");
    let kinds = "trace=openat,mkdirat,renameat2,fsync,fdatasync,write,pwritev,pwrite64,fallocate,\
                 ftruncate";
    let options = [&["-y", "-e", kinds], more].concat();
    let mut command = process::traced(&format!("strace {role}"), role, &record, &options)?;
    command.env("ES_BASE", base).envs(told.iter().copied());
    let finished = Finished::of(command);
    let record = fs::read_to_string(&record).expect("strace wrote its record");
    Some(Traced { finished, record })
}

struct Traced {
    finished: Finished,
    record: String,
}

/// What is not flushed by the first acknowledgement although it must be, by name.
fn unflushed_before_first_ack(calls: &[Call]) -> Vec<String> {
    let ack = calls.iter().find(|call| call.said().is_some_and(|line| line.starts_with("ack")));
    let ack = ack.expect("an acknowledgement").began;
    let before: Vec<&Call> = calls.iter().filter(|call| call.ended < ack).collect();
    let flushed_after = |path: &str, line: usize| {
        before.iter().any(|call| {
            ["fsync", "fdatasync"].contains(&call.name.as_str())
                && call.path() == path
                && call.succeeded()
                && call.began > line
        })
    };
    let mut missing = Vec::new();
    let mut require = |what: &str, path: &str, line: usize| {
        if !flushed_after(path, line) {
            missing.push(format!("{what} {path} is not flushed"));
        }
    };
    for call in before.iter().filter(|call| call.succeeded()) {
        match call.name.as_str() {
            "mkdirat" => {
                require("the new directory", &call.named(), call.ended);
                require("the parent of a new directory", call.path(), call.ended);
            }
            "renameat2" => require("the directory of the new name", call.path(), call.ended),
            "pwritev" | "pwrite64" | "fallocate" if call.is_for_run_file() => {
                require("the file", call.path(), call.ended);
            }
            _ => {}
        }
    }
    missing
}

fn first_append(base: &Path, way: &str) -> Option<Vec<Call>> {
    let base = base.join("made/by/the/store");
    let told = [("ES_APPENDS", "1"), ("ES_WAY", way)];
    let traced = trace("appends", &base, &[], &told)?;
    traced.finished.expect_success();
    Some(calls(&traced.record))
}

#[test]
fn file_and_directories_are_flushed_before_the_first_acknowledgement() {
    let folder = TemporaryFolder::new("first-ack");
    let Some(calls) = first_append(folder.path(), "two") else { return };
    let made =
        |name: &str| calls.iter().filter(|call| call.name == name && call.succeeded()).count();
    assert_eq!((made("mkdirat"), made("renameat2")), (5, 1), "{calls:#?}");
    let missing = unflushed_before_first_ack(&calls);
    assert!(missing.is_empty(), "{missing:#?}");
    let flushes = made("fsync");
    eprintln!("5 directories and 1 file made, {flushes} fsync, all in order before `ack`");
}

/// The log: its directory and every file in it besides. Only the watermark is not, which after a
/// power cut may be lower.
#[test]
fn log_is_flushed_before_the_first_acknowledgement_but_for_its_watermark() {
    let folder = TemporaryFolder::new("first-ack-log");
    let Some(calls) = first_append(folder.path(), "log") else { return };
    let made =
        |name: &str| calls.iter().filter(|call| call.name == name && call.succeeded()).count();
    assert_eq!(
        (made("mkdirat"), made("renameat2")),
        (6, 3),
        "the run, its seal and its index: {calls:#?}"
    );
    let missing = unflushed_before_first_ack(&calls);
    assert!(
        missing.iter().all(|what| what.ends_with("/run.eslog/open is not flushed")),
        "{missing:#?}"
    );
    assert_eq!(missing.len(), 1, "{missing:#?}");
}

/// Without any one of the flushes that matter, the check above names what is missing.
#[test]
fn a_missing_flush_is_noticed() {
    let folder = TemporaryFolder::new("doctored");
    let Some(calls) = first_append(folder.path(), "two") else { return };
    let without = |left_out: &dyn Fn(&Call) -> bool| {
        let calls: Vec<Call> = calls.iter().filter(|call| !left_out(call)).cloned().collect();
        unflushed_before_first_ack(&calls).join("\n")
    };
    let of_instance = |call: &Call| call.name == "fsync" && call.path().ends_with(sample::INSTANCE);
    let noticed = without(&of_instance);
    assert!(noticed.contains("the directory of the new name"), "{noticed}");
    let noticed = without(&|call| call.name == "fsync" && call.path().ends_with("/made/by"));
    assert!(noticed.contains("the parent of a new directory"), "{noticed}");
    let noticed = without(&|call| call.name == "fdatasync" && call.path().ends_with("/run.redb"));
    assert!(noticed.contains("the file"), "{noticed}");
}

/// The calls within each commit: from one acknowledgement to the next.
fn by_commit(calls: &[Call]) -> Vec<Vec<&Call>> {
    let said = |call: &&Call| call.said().is_some_and(|line| line.starts_with("ack"));
    let acks: Vec<usize> = calls.iter().filter(said).map(|call| call.began).collect();
    let within = |commit: &[usize]| {
        calls.iter().filter(|call| call.began > commit[0] && call.ended < commit[1]).collect()
    };
    acks.windows(2).map(within).collect()
}

fn count(calls: &[&Call], name: &str) -> usize {
    calls.iter().filter(|call| call.name == name).count()
}

/// How many flushes each commit made: those that did not grow the file, and those that did.
struct Flushes {
    plain: Vec<usize>,
    grown: Vec<usize>,
}

fn flushes_by_commit(calls: &[Call]) -> Flushes {
    let mut flushes = Flushes { plain: Vec::new(), grown: Vec::new() };
    for commit in by_commit(calls) {
        let is_grown = count(&commit, "fallocate") > 0;
        let list = if is_grown { &mut flushes.grown } else { &mut flushes.plain };
        list.push(count(&commit, "fdatasync"));
    }
    flushes
}

/// The rule: a commit flushes twice with two phases and once with one, and once more when the file
/// grows in it. That it may shrink at the end of a commit costs none.
fn assert_flushes_by_commit(durability: &str, each: usize) {
    let folder = TemporaryFolder::new("flushes");
    let told = [("ES_APPENDS", "200"), ("ES_WAY", durability)];
    let Some(traced) = trace("appends", folder.path(), &[], &told) else { return };
    traced.finished.expect_success();
    let found = flushes_by_commit(&calls(&traced.record));
    eprintln!(
        "{durability}-phase: {} commits with {each} fdatasync each, and {} that grew the file, with \
         {:?}",
        found.plain.len(),
        found.grown.len(),
        found.grown
    );
    assert_eq!(found.plain.len() + found.grown.len(), 199);
    assert!(found.plain.iter().all(|count| *count == each), "{:?}", found.plain);
    assert!(found.plain.len() > 180, "most commits do not grow the file");
    assert!(found.grown.iter().all(|count| *count == each + 1), "{:?}", found.grown);
}

#[test]
fn two_phase_commit_flushes_twice() {
    assert_flushes_by_commit("two", 2);
}

#[test]
fn one_phase_commit_flushes_once() {
    assert_flushes_by_commit("one", 1);
}

/// The rule of the log: whatever a thread does ahead, a commit is one write of the segment, its
/// flush, and the 64 bytes of the watermark, and no other call that changes a file.
#[test]
fn log_commit_is_one_write_one_flush_and_the_watermark() {
    let folder = TemporaryFolder::new("flushes-log");
    let told = [("ES_APPENDS", "50"), ("ES_WAY", "log")];
    let Some(traced) = trace("appends", folder.path(), &[], &told) else { return };
    traced.finished.expect_success();
    let calls = calls(&traced.record);
    let commits = by_commit(&calls);
    assert_eq!(commits.len(), 49);
    for mut inside in commits {
        inside.retain(|call| call.is_for_run_file());
        let [group, flush, mark] = inside[..] else { panic!("{inside:#?}") };
        assert!(group.name.starts_with("pwrite") && group.path().ends_with(".seg"), "{group:?}");
        assert!(flush.name == "fdatasync" && flush.path() == group.path(), "{flush:?}");
        assert!(mark.name.starts_with("pwrite") && mark.path().ends_with("/open"), "{mark:?}");
        assert_eq!(mark.result, "64", "{mark:?}");
    }
}

/// A commit that the caller makes blocks SIGXFSZ and gives it back, once for all that it writes.
fn assert_one_change_of_the_mask(way: &str) {
    let folder = TemporaryFolder::new("mask");
    let told = [("ES_APPENDS", "50"), ("ES_WAY", way)];
    let only = ["-e", "trace=rt_sigprocmask,write,pwritev"];
    let Some(traced) = trace("appends", folder.path(), &only, &told) else { return };
    traced.finished.expect_success();
    let calls = calls(&traced.record);
    let commits = by_commit(&calls);
    assert_eq!(commits.len(), 49);
    for commit in commits {
        let (writes, changes) = (count(&commit, "pwritev"), count(&commit, "rt_sigprocmask"));
        assert!(
            writes > 1 && changes == 2,
            "{way}: {writes} writes, the mask changed {changes} times"
        );
    }
}

#[test]
fn commit_blocks_its_signal_once() {
    assert_one_change_of_the_mask("driven");
    assert_one_change_of_the_mask("driven log");
}

/// A caller who appends alone wakes nobody and is woken by nobody, even where the writer's thread
/// sleeps for good: it takes the wheel before it publishes. In memory, because a disk whose commits
/// take more than 16 ms leaves the wheel with the thread.
#[test]
fn lone_append_wakes_no_thread() {
    let folder = TemporaryFolder::new("lone");
    let told = [("ES_APPENDS", "50"), ("ES_WAY", "parked")];
    let only = ["-e", "trace=futex,write"];
    let Some(traced) = trace("appends", folder.path(), &only, &told) else { return };
    traced.finished.expect_success();
    let calls = calls(&traced.record);
    let commits = by_commit(&calls);
    let quiet = commits.iter().filter(|commit| count(commit, "futex") == 0).count();
    eprintln!("{quiet} of 49 appends without a futex call");
    // What follows a commit that lost its processor for 16 ms is the thread's.
    assert!(commits.len() == 49 && quiet > 25, "{quiet} of 49 appends without a futex call");
}
