//! Reads of a live run while its writer waits for the disk: they return, whatever is being flushed.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use eventstore::backend::{Direction, EventReader};
use eventstore::store::{BackendKind, OpenOptions, open_run};
use eventstore::writer::{Run, WaitPolicy};

use super::record::{Call, calls};
use super::{RUN, told_backend, trace};
use crate::common::flow::with_drafts;
use crate::common::process::{say, told};
use crate::common::sample;
use crate::common::temporary::TemporaryFolder;

/// How long each flush is made to last: reads take a small part of it on a machine that has more to
/// do than cores.
const FLUSH: Duration = Duration::from_millis(500);
/// Between two rounds of reads, so that the record stays short.
const PAUSE: Duration = Duration::from_millis(2);
/// What the role says behind each round.
const ROUND: &str = "round";
const SMALL_APPENDS: u64 = 3;
/// Larger than what is free in the file, so that it grows.
const LARGE_BYTES: usize = 3 << 20;

/// Role: reads in a loop while another thread appends; says when each round of reads has ended.
pub(super) fn read_during_flushes() {
    let backend = told_backend();
    // Spins, so that its thread makes every commit: delays are counted for each thread.
    let wait_policy = WaitPolicy::Spin;
    let options =
        OpenOptions { backend, halt_after_ns: u64::MAX, wait_policy, ..OpenOptions::default() };
    let base = told("ES_BASE");
    let run = open_run(Path::new(&base), &sample::full_manifest(RUN), options).expect("a new run");
    append(&run, 100, 0);
    say("open");
    let is_done = AtomicBool::new(false);
    let flaw = told("ES_FLAW");
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..SMALL_APPENDS {
                append(&run, 20, 0);
            }
            append(&run, 1, LARGE_BYTES);
            append(&run, 1, LARGE_BYTES);
            is_done.store(true, Ordering::Release);
        });
        say(ROUND);
        while !is_done.load(Ordering::Acquire) {
            // Each time a new view, as a reader that has just been opened has it.
            let view = run.view().expect("a view");
            read_all_ways(&*view);
            if flaw == "flush" {
                run.flush(u64::MAX).expect("durable");
            }
            thread::sleep(PAUSE);
            say(ROUND);
        }
    });
    say("end");
    // Closing it in order would only add to the time that this takes.
    std::mem::forget(run);
}

fn append(run: &Run, count: u64, payload_bytes: usize) {
    let next_seq = run.state().last_claimed_seq + 1;
    let mut items: Vec<_> = (next_seq..next_seq + count).map(sample::keyed).collect();
    if payload_bytes > 0 {
        items[0].entry.payload = vec![7; payload_bytes];
    }
    with_drafts(&items, |drafts| run.append_batch(drafts, 0)).expect("an append");
}

fn read_all_ways(view: &dyn EventReader) {
    let last_seq = view.high_watermark();
    assert_eq!(view.scan_seq(last_seq).expect("a get").expect("there").seq, last_seq);
    assert!(view.scan_seq(1).expect("a get").is_some());
    let key = &sample::keyed(5).keys[0];
    assert!(view.lookup(key.kind, &key.key).expect("a lookup").is_some());
    assert_eq!(view.scan_range(1, 100, Direction::Backward).expect("rows").len(), 100);
    let mut keys = 0;
    view.visit_index(key.kind, None, &mut |_, _| {
        keys += 1;
        ControlFlow::Continue(())
    })
    .expect("an index");
    assert!(keys > 10);
    assert!(view.first_seq_at(sample::START_TS).expect("a time").is_some());
    assert!(view.latest_snapshot_anchor().expect("no anchor").is_none());
}

struct Seen {
    /// The delayed flushes.
    flushes: usize,
    /// Those within which a whole round of reads began and ended.
    flushes_read_in: usize,
    /// How often the file grew and that was flushed; of a log, how many segments were prepared.
    growths: usize,
}

fn read_beside_slow_flushes(backend: BackendKind, flaw: &str) -> Option<Seen> {
    let folder = TemporaryFolder::new("live-reads");
    // strace counts for each thread. The opening thread of redb makes fewer than so many; a log's
    // writer makes one a commit.
    let first = if backend == BackendKind::Log { 2 } else { 7 };
    let inject = format!("inject=fdatasync:delay_enter={}:when={first}+", FLUSH.as_micros());
    let name = format!("{backend:?}");
    let told = [("ES_FLAW", flaw), ("ES_BACKEND", &*name)];
    let traced = trace("reads", folder.path(), &["--seccomp-bpf", "-e", &inject], &told)?;
    traced.finished.expect_success();
    let calls = calls(&traced.record);
    let open = calls.iter().find(|call| call.said() == Some("open")).expect("it opened").ended;
    let end = calls.iter().find(|call| call.said() == Some("end")).expect("it ended").began;
    let writes: Vec<&Call> = calls
        .iter()
        .filter(|call| call.began > open && call.ended < end && call.is_for_run_file())
        .collect();
    let is_flush = |call: &&&Call| call.name == "fdatasync" && call.was_injected();
    let is_growth = |pair: &&[&Call]| pair[0].name == "fallocate" && is_flush(&&pair[1]);
    let rounds: Vec<&Call> = calls.iter().filter(|call| call.said() == Some(ROUND)).collect();
    let is_read_in = |flush: &&&Call| {
        rounds.windows(2).any(|pair| pair[0].began > flush.began && pair[1].ended < flush.ended)
    };
    Some(Seen {
        flushes: writes.iter().filter(is_flush).count(),
        flushes_read_in: writes.iter().filter(is_flush).filter(is_read_in).count(),
        growths: match backend {
            BackendKind::Log => writes.iter().filter(|call| call.name == "fallocate").count(),
            _ => writes.windows(2).filter(is_growth).count(),
        },
    })
}

#[test]
fn reads_return_while_a_flush_is_delayed() {
    assert_reads_return(BackendKind::Redb);
}

#[test]
fn reads_of_a_log_return_while_a_flush_is_delayed() {
    assert_reads_return(BackendKind::Log);
}

fn assert_reads_return(backend: BackendKind) {
    let Some(seen) = read_beside_slow_flushes(backend, "none") else { return };
    let Seen { flushes, flushes_read_in, growths } = seen;
    eprintln!(
        "{backend:?}: reads within {flushes_read_in} of {flushes} flushes, {growths} growths"
    );
    assert!(flushes >= 4 && growths >= 1, "{flushes} flushes, {growths} growths");
    assert_eq!(flushes_read_in, flushes, "flushes within which all reads returned");
}

/// A read that did wait for a flush would be noticed.
#[test]
fn a_read_that_waits_for_a_flush_is_noticed() {
    let Some(seen) = read_beside_slow_flushes(BackendKind::Redb, "flush") else { return };
    assert!(seen.flushes_read_in < seen.flushes, "{} flushes", seen.flushes);
}
