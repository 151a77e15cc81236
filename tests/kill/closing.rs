//! Kills at every changing system call from the close on, and of the sealing of a crashed run.
//!
//! The run is manual, so that the calls of a writer are the same each time: a first pass counts
//! them, then one child dies at each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use eventstore::entry::Draft;
use eventstore::manifest::RunStatus;
use eventstore::recovery::{RecoveryOptions, recover};
use eventstore::store::{BackendKind, OpenOptions, ReaderOptions, open_crashed_run, open_run};
use eventstore::writer::CloseOptions;

use super::{RUN, backend_name, check_left, told_backend};
use crate::common::flow::{Step, claim_ends};
use crate::common::process::{self, Finished, is_campaign, say, told};
use crate::common::sample::{self, INSTANCE};
use crate::common::temporary::TemporaryFolder;

const STEPS: u64 = 6;
/// The calls that change a file or its name; nothing else does, since no file is mapped.
const CHANGING: [&str; 10] = [
    "openat",
    "pwritev",
    "pwrite64",
    "fallocate",
    "ftruncate",
    "fsync",
    "fdatasync",
    "renameat2",
    "unlinkat",
    "mkdirat",
];

/// Role: writes a short flow, says `closing`, closes; or dies there, when it is told to.
pub(super) fn write_and_close() {
    let base = told("ES_BASE");
    let options = OpenOptions { manual: true, ..super::options(told_backend()) };
    say("opening");
    let run = open_run(Path::new(&base), &sample::full_manifest(RUN), options).expect("a new run");
    say("open");
    let mut last_seq = 0;
    for number in 0..STEPS {
        last_seq = Step::number(number).write(&run, last_seq + 1);
        say(&format!("ack {last_seq}"));
    }
    say("closing");
    if std::env::var_os("ES_DIE").is_some() {
        // SAFETY: ends this process.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    run.close(&CloseOptions::default()).expect("a close");
    say("closed");
}

/// Role: seals a run that a killed writer left.
pub(super) fn seal_crashed() {
    let base = told("ES_BASE");
    say("opening");
    let options = ReaderOptions::default();
    let reader = open_crashed_run(Path::new(&base), INSTANCE, RUN, &options).expect("it opens");
    say("closing");
    if !reader.view().manifest().expect("a manifest").status.is_sealed() {
        reader.seal(RunStatus::CrashedRecovered).expect("a seal");
    }
    say("closed");
}

/// Role: writes enough in manual mode for a log to want its next segment; says how many threads
/// the process has then.
pub(super) fn count_threads() {
    let options = OpenOptions { manual: true, ..super::options(told_backend()) };
    let run = open_run(Path::new(&told("ES_BASE")), &sample::full_manifest(RUN), options);
    let run = run.expect("a new run");
    let payload = vec![7; 3 << 20];
    let draft = Draft { topic: "t", payload_type: "p", payload: &payload, ..Draft::default() };
    for _ in 0..2 {
        run.append_batch(&[draft], 0).expect("an append");
        let threads = fs::read_dir("/proc/self/task").expect("of this process").count();
        say(&format!("threads {threads}"));
    }
    run.close(&CloseOptions::default()).expect("a close");
}

/// A manual run has no thread of its own, whatever its backend: the host drives all work.
#[test]
fn manual_run_has_no_thread_of_its_own() {
    for kind in KINDS {
        let folder = TemporaryFolder::new("threads");
        let mut command = process::command("threads");
        command.env("ES_BASE", folder.path()).env("ES_BACKEND", backend_name(kind));
        let said = Finished::of(command).expect_success().lines;
        assert_eq!(said, ["threads 1", "threads 1"], "{kind:?}");
    }
}

/// Role: the sweep of an instance that a killed writer left.
pub(super) fn sweep() {
    let base = told("ES_BASE");
    say("opening");
    recover(Path::new(&base), INSTANCE, RecoveryOptions::default()).expect("a sweep");
    say("closed");
}

/// Sweeps again, wherever the first sweep was killed: the run ends as one that nobody disturbed,
/// and nothing is left to do.
fn sweep_to_the_end(base: &Path) {
    let sweep = || recover(base, INSTANCE, RecoveryOptions::default()).expect("a sweep");
    let report = sweep();
    assert_eq!(report.parent_run_id.as_deref(), Some(RUN), "{report:?}");
    let again = sweep();
    assert!(again.runs.is_empty(), "{again:?}");
}

/// How often each changing call was made until a line was said, in a record of strace.
fn calls_until(record: &str, line: &str) -> BTreeMap<&'static str, usize> {
    let end = record.find(&format!("\"{line}\\n\"")).expect("the line was said");
    let count = |call: &&'static str| {
        let opening = format!(" {call}(");
        (*call, record[..end].lines().filter(|line| line.contains(&opening)).count())
    };
    CHANGING.iter().map(count).collect()
}

/// Runs a role below `base`, under strace with these options besides; `None` without strace.
fn trace(kind: BackendKind, role: &str, base: &Path, more: &[&str]) -> Option<(Finished, String)> {
    let record = base.join("record");
    let traced = format!("trace={},write", CHANGING.join(","));
    let options = [&["-e", &traced], more].concat();
    let mut command = process::traced("kill at each call", role, &record, &options)?;
    command.env("ES_BASE", base.join("base")).env("ES_BACKEND", backend_name(kind));
    let finished = Finished::of(command);
    Some((finished, fs::read_to_string(&record).expect("strace wrote its record")))
}

/// Kills the role at each changing call between two of its lines, each time over what `prepare`
/// made, and checks what is left; answers how many kills there were.
fn kill_at_each(
    kind: BackendKind,
    role: &str,
    (from, to): (&str, &str),
    prepare: &dyn Fn(&Path),
) -> Option<usize> {
    let folder = TemporaryFolder::new("count");
    prepare(&folder.path().join("base"));
    let (finished, record) = trace(kind, role, folder.path(), &[])?;
    finished.expect_success();
    let (first, last) = (calls_until(&record, from), calls_until(&record, to));
    let mut kills = 0;
    for call in CHANGING {
        for number in first[call] + 1..=last[call] {
            let folder = TemporaryFolder::new("kill-at");
            let base = folder.path().join("base");
            prepare(&base);
            let inject = format!("inject={call}:signal=SIGKILL:when={number}");
            let (finished, record) = trace(kind, role, folder.path(), &["-e", &inject])?;
            let killed = record.trim_end().ends_with("+++ killed by SIGKILL +++");
            assert!(killed, "{call} {number}: not killed, {finished:?}");
            if role == "recover" {
                sweep_to_the_end(&base);
            }
            let was_left = role != "close";
            let was_open = was_left || finished.last("open").is_some();
            let prepared = if was_left { acknowledged_by_prepared() } else { 0 };
            let acknowledged = finished.last_number("ack").unwrap_or(prepared);
            let found = check_left(kind, &base, was_open, acknowledged);
            assert!(found >= acknowledged, "{call} {number}");
            kills += 1;
        }
    }
    Some(kills)
}

fn acknowledged_by_prepared() -> u64 {
    *claim_ends(STEPS).last().expect("steps")
}

/// A writer that died with everything acknowledged and nothing sealed.
fn leave_crashed(kind: BackendKind, base: &Path) {
    let mut command = process::command("close");
    command.env("ES_BASE", base).env("ES_DIE", "1").env("ES_BACKEND", backend_name(kind));
    assert_eq!(Finished::of(command).signal(), Some(libc::SIGKILL));
}

/// Both backends that keep files.
const KINDS: [BackendKind; 2] = [BackendKind::Redb, BackendKind::Log];

/// Kills at each call for both; at least so many of each.
fn expect_kills(role: &str, lines: (&str, &str), least: usize, is_crashed_first: bool) {
    for kind in KINDS {
        let prepare = |base: &Path| {
            if is_crashed_first {
                leave_crashed(kind, base);
            }
        };
        let Some(kills) = kill_at_each(kind, role, lines, &prepare) else { return };
        let (from, to) = lines;
        eprintln!("{kind:?}: {kills} kills, one at each changing call from {from:?} to {to:?}");
        assert!(kills >= least, "{kind:?}: {kills} changing calls only");
    }
}

#[test]
fn kills_between_the_seal_and_the_end_of_close_lose_nothing() {
    expect_kills("close", ("closing", "closed"), 10, false);
}

#[test]
fn kills_while_a_run_is_made_leave_none_or_a_whole_one() {
    expect_kills("close", ("opening", "open"), 10, false);
}

#[test]
fn kills_while_a_crashed_run_is_sealed_lose_nothing() {
    expect_kills("seal", ("opening", "closed"), 5, true);
}

#[test]
fn kills_during_a_recovery_change_nothing_about_its_end() {
    expect_kills("recover", ("opening", "closed"), 5, true);
}

/// The commits in between as well: the first one, or in a campaign all of them.
#[test]
fn kills_at_each_call_of_a_commit_lose_nothing() {
    let first = format!("ack {}", claim_ends(1).last().expect("a step"));
    let lines = if is_campaign() { ("opening", "closed") } else { ("open", &*first) };
    expect_kills("close", lines, 3, false);
}
