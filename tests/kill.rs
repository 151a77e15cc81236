//! SIGKILL at any time loses nothing that was acknowledged, and leaves a run that can be sealed.
//!
//! A child writes the deterministic flow and says each acknowledgement; the test kills it at
//! random times and compares what is found with what must be there. Kills at the exact system
//! calls of the closing phase: `kill/closing.rs`.

#[path = "kill/closing.rs"]
mod closing;
mod common;

use std::path::Path;
use std::thread;
use std::time::Duration;

use common::flow::{Step, assert_is_flow, claim_ends, mix};
use common::process::{self, Finished, Running, is_campaign, say, told};
use common::sample::{self, INSTANCE};
use common::temporary::TemporaryFolder;
use eventstore::digest::RunDigest;
use eventstore::error::EventStoreError;
use eventstore::manifest::RunStatus;
use eventstore::reader::Reader;
use eventstore::store::{
    BackendKind, OpenOptions, ReaderOptions, open_crashed_run, open_run, open_sealed_run,
};
use eventstore::writer::CloseOptions;

common::process::child_roles!(play);

const RUN: &str = "run";
const STEPS: u64 = 80;
const KILLS: u64 = 50;
const KILLS_IN_CAMPAIGN: u64 = 2_000;

fn play(role: &str) {
    match role {
        "write" => write_flow(),
        "close" => closing::write_and_close(),
        "seal" => closing::seal_crashed(),
        "recover" => closing::sweep(),
        "threads" => closing::count_threads(),
        other => panic!("no role is called {other}"),
    }
}

/// Writes the whole flow, saying each acknowledgement, and closes.
fn write_flow() {
    let base = told("ES_BASE");
    let manifest = sample::full_manifest(RUN);
    let run = open_run(Path::new(&base), &manifest, options(told_backend())).expect("a new run");
    say("open");
    let mut last_seq = 0;
    for number in 0..STEPS {
        last_seq = Step::number(number).write(&run, last_seq + 1);
        say(&format!("ack {last_seq}"));
    }
    let report = run.close(&CloseOptions::default()).expect("a close");
    say(&format!("closed {}", report.high_watermark));
}

fn backend_name(kind: BackendKind) -> &'static str {
    if kind == BackendKind::Log { "log" } else { "redb" }
}

/// The backend that this role was started for.
fn told_backend() -> BackendKind {
    if told("ES_BACKEND") == "log" { BackendKind::Log } else { BackendKind::Redb }
}

fn options(backend: BackendKind) -> OpenOptions {
    OpenOptions { backend, ..OpenOptions::default() }
}

fn writer(base: &Path, kind: BackendKind) -> Running {
    let mut command = process::command("write");
    command.env("ES_BASE", base).env("ES_BACKEND", backend_name(kind));
    Running::start(command)
}

/// What a killed writer left: the last `seq` it had acknowledged and the one that was found.
struct Left {
    acknowledged: u64,
    found: u64,
    /// After the first acknowledgement and before the last.
    was_midway: bool,
}

/// Kills a writer some time after its `after`th line and checks what it left.
fn kill_one(kind: BackendKind, after: u64, delay: Duration) -> Left {
    let base = TemporaryFolder::new("kill");
    let mut writer = writer(base.path(), kind);
    let mut lines = Vec::new();
    for _ in 0..after {
        lines.extend(writer.line());
    }
    thread::sleep(delay);
    writer.kill();
    let mut finished = writer.finish();
    lines.append(&mut finished.lines);
    let said = Finished { lines, status: finished.status };
    let acknowledged = said.last_number("ack").unwrap_or(0);
    let is_last = acknowledged == *claim_ends(STEPS).last().expect("steps");
    let found = check_left(kind, base.path(), said.last("open").is_some(), acknowledged);
    Left { acknowledged, found, was_midway: acknowledged > 0 && !is_last }
}

/// Reads, seals and reopens what a killed writer left; answers the last `seq` of the flow in it.
fn check_left(kind: BackendKind, base: &Path, was_open: bool, acknowledged: u64) -> u64 {
    let reader = match open_crashed_run(base, INSTANCE, RUN, &ReaderOptions::default()) {
        // Killed while the run was being made: then there is none, and its name is free.
        Err(EventStoreError::NotFound(_)) if !was_open => {
            let manifest = sample::full_manifest(RUN);
            let again = open_run(base, &manifest, options(kind)).expect("a free name");
            again.close(&CloseOptions::default()).expect("a close");
            return 0;
        }
        opened => opened.expect("a killed run opens"),
    };
    let found = assert_is_flow(reader.view());
    assert!(found >= acknowledged, "{acknowledged} was acknowledged, {found} is there");
    let ends = claim_ends(STEPS);
    assert!(found == 0 || ends.contains(&found), "{found} is inside a claim");
    seal_and_reopen(kind, reader, base);
    found
}

/// Seals what is not sealed yet, and reads it again as a sealed run.
fn seal_and_reopen(kind: BackendKind, reader: Reader, base: &Path) {
    let manifest = reader.view().manifest().expect("a manifest");
    let high_watermark = reader.view().high_watermark();
    let entries = assert_is_flow(reader.view());
    if !manifest.status.is_sealed() {
        let report = reader.seal(RunStatus::CrashedRecovered).expect("a seal");
        assert_eq!(report.high_watermark, high_watermark);
        assert!(report.digest.is_some());
    }
    drop(reader);
    let suffix = if kind == BackendKind::Log { "eslog" } else { "redb" };
    let path = base.join(INSTANCE).join(format!("{RUN}.{suffix}"));
    let options = ReaderOptions { check: true, ..ReaderOptions::default() };
    let sealed = open_sealed_run(&path, &options).expect("a sealed run opens");
    assert_eq!(assert_is_flow(sealed.view()), entries);
    let manifest = sealed.view().manifest().expect("a manifest");
    assert!(manifest.status.is_sealed());
    assert_eq!(manifest.high_watermark, high_watermark);
    assert!(digest(&sealed).is_some());
}

fn digest(reader: &Reader) -> Option<RunDigest> {
    reader.view().digest().expect("it reads")
}

/// Prints how many kills found how much of the flow written.
fn print_spread(kills: &[Left]) {
    let total = *claim_ends(STEPS).last().expect("steps");
    let mut tenths = [0; 11];
    for left in kills {
        tenths[(left.found * 10 / total) as usize] += 1;
    }
    let midway = kills.iter().filter(|left| left.was_midway).count();
    let ahead = kills.iter().filter(|left| left.found > left.acknowledged).count();
    let before = kills.iter().filter(|left| left.acknowledged == 0).count();
    eprintln!(
        "{} kills: {midway} between the first and the last acknowledgement, {before} before it, {} \
         after it; {ahead} found more than was acknowledged; found of {total}, by tenths: {tenths:?}",
        kills.len(),
        kills.len() - midway - before,
    );
}

#[test]
fn fifty_kills_lose_nothing_acknowledged() {
    kill_many(BackendKind::Redb);
}

#[test]
fn fifty_kills_of_a_log_lose_nothing_acknowledged() {
    kill_many(BackendKind::Log);
}

fn kill_many(kind: BackendKind) {
    let kills = if is_campaign() { KILLS_IN_CAMPAIGN } else { KILLS };
    let seed = std::process::id().into();
    let one = |number: u64| {
        let random = mix(mix(seed) + number);
        // One line for the opening and one for each step; a step takes about a millisecond.
        let after = random % (STEPS + 3);
        let delay = Duration::from_micros((random >> 32) % 2_500);
        kill_one(kind, after, delay)
    };
    let left: Vec<Left> = thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            scope.spawn(move || (0..kills).filter(|n| n % 2 == half).map(one).collect::<Vec<_>>())
        });
        halves.into_iter().flat_map(|half| half.join().expect("no kill lost anything")).collect()
    });
    print_spread(&left);
    let midway = left.iter().filter(|left| left.was_midway).count() as u64;
    assert!(midway >= kills * 3 / 5, "only {midway} of {kills} kills were midway");
}

/// A writer that nobody kills: the flow is whole, sealed as `Ended`, and there is no fault in the
/// comparison itself.
#[test]
fn unharmed_writer_leaves_the_whole_flow() {
    for kind in [BackendKind::Redb, BackendKind::Log] {
        let base = TemporaryFolder::new("unharmed");
        let said = writer(base.path(), kind).finish().expect_success();
        let total = *claim_ends(STEPS).last().expect("steps");
        assert_eq!(said.last_number("ack"), Some(total));
        assert_eq!(said.last_number("closed"), Some(total + 1));
        assert_eq!(check_left(kind, base.path(), true, total), total);
    }
}
