//! The writer over a backend that can be held, failed and made to panic at will.

mod full;
mod scripted;
mod side_by_side;
mod wheel;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use self::scripted::{Script, ScriptedStore};
use super::*;
use crate::backend::memory::MemoryStore;
use crate::backend::{Direction, EventStore};
use crate::entry::{Draft, Entry};
use crate::error::EventStoreError;
use crate::index::IndexKind;
use crate::manifest::{RunManifest, RunStatus};
use crate::snapshot::SnapshotAnchor;

fn settings() -> Settings {
    Settings {
        queue_entries: 64,
        queue_bytes: 1 << 20,
        group_entries: 16,
        group_bytes: 1 << 20,
        group_linger_ns: 0,
        halt_after_ns: u64::MAX,
        hot_ns: 1_000_000,
        wait_policy: WaitPolicy::Timed,
        writer_cpu: None,
        manual: false,
        run_started: false,
        prefault: false,
        lock_memory: false,
        require_uuid_v4: false,
    }
}

fn start_with(
    settings: &Settings,
    script: &Arc<Script>,
    on_halt: Option<HaltCallback>,
) -> Arc<Run> {
    let manifest = RunManifest::new("r-1", "i-1", 1000);
    let mut store = ScriptedStore { inner: MemoryStore::new(None), script: Arc::clone(script) };
    store.open_run(&manifest).unwrap();
    let created = Created { store: Box::new(store), path: None, instance_lock: None, reopen: None };
    let memory = QueueMemory::new(settings).unwrap();
    let thread = WriterThread::spawn(settings).unwrap();
    Arc::new(Run::start(created, &manifest, settings, memory, thread, on_halt).unwrap())
}

fn start(settings: &Settings) -> (Arc<Run>, Arc<Script>) {
    let script = Arc::new(Script::default());
    (start_with(settings, &script, None), script)
}

fn draft(ts_init: u64) -> Draft<'static> {
    Draft { topic: "t", payload_type: "P", payload: b"payload", ts_init, ..Draft::default() }
}

const AT_ONCE: SubmitOptions = SubmitOptions { expected_seq: 0, timeout_ns: 0 };
const SECOND_NS: u64 = 1_000_000_000;

fn submit(run: &Run, ts_init: u64) -> u64 {
    run.submit(&draft(ts_init), AT_ONCE).unwrap()
}

fn entries(run: &Run) -> Vec<Entry> {
    run.view().unwrap().scan_range(1, u64::MAX, Direction::Forward).unwrap()
}

/// Holds the writer inside a commit of one entry.
fn hold_in_commit(run: &Run, script: &Script) {
    script.hold();
    submit(run, 1);
    while script.appends.load(Ordering::SeqCst) == 0 {
        thread::yield_now();
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(5), "not within 5 s: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn anchor(seq: u64) -> SnapshotAnchor {
    SnapshotAnchor { high_watermark: seq, blob_ref: "b".into(), content_hash: "h".into() }
}

/// What is submitted is durable after the wait, in order, with its keys.
#[test]
fn submitted_entries_become_durable_in_order() {
    let (run, _) = start(&settings());
    let keys = [(IndexKind::CLIENT_ORDER_ID, "O-1")];
    let first = run.submit(&Draft { keys: &keys, ..draft(5) }, AT_ONCE).unwrap();
    let second = submit(&run, 6);
    assert_eq!((first, second), (1, 2));
    run.wait_durable(second, SECOND_NS).unwrap();
    let stored: Vec<_> = entries(&run).iter().map(|entry| (entry.seq, entry.ts_init)).collect();
    assert_eq!(stored, [(1, 5), (2, 6)]);
    assert_eq!(run.view().unwrap().lookup(IndexKind::CLIENT_ORDER_ID, "O-1").unwrap(), Some(1));
    assert!(entries(&run)[0].ts_publish > 1_600_000_000_000_000_000, "stamped by the clock");
}

/// While one commit is under way the next group gathers, up to its limit, batches whole.
#[test]
fn groups_gather_during_a_commit_and_keep_batches_whole() {
    let (run, script) = start(&settings());
    hold_in_commit(&run, &script);
    for ts in 0..10 {
        submit(&run, ts);
    }
    run.submit_batch(&[draft(1); 8], AT_ONCE).unwrap();
    run.submit_batch(&[draft(1); 20], AT_ONCE).unwrap();
    submit(&run, 9);
    script.release();
    run.flush(SECOND_NS).unwrap();
    assert_eq!(*script.groups.lock().unwrap(), [1, 10, 8, 20, 1]);
}

/// A full queue answers at once, or after the time given, and claims nothing.
#[test]
fn full_queue_answers_at_once_or_after_the_timeout() {
    let (run, script) = start(&settings());
    hold_in_commit(&run, &script);
    for ts in 0..63 {
        submit(&run, ts);
    }
    let full = run.submit(&draft(1), AT_ONCE);
    assert!(matches!(full, Err(EventStoreError::QueueFull)), "{full:?}");
    let begun = Instant::now();
    let waited = SubmitOptions { expected_seq: 0, timeout_ns: 20_000_000 };
    let full = run.submit(&draft(1), waited);
    assert!(matches!(full, Err(EventStoreError::QueueFull)), "{full:?}");
    assert!(begun.elapsed() >= Duration::from_millis(20));
    assert_eq!(run.state().last_claimed_seq, 64);
    script.release();
    let patient = SubmitOptions { expected_seq: 0, timeout_ns: u64::MAX };
    assert_eq!(run.submit(&draft(1), patient).unwrap(), 65);
}

/// Bytes bound the queue too; an empty queue admits one claim of any legal size.
#[test]
fn queue_is_bounded_in_bytes_but_admits_one_large_claim() {
    let small = Settings { queue_bytes: 4096, ..settings() };
    let (run, script) = start(&small);
    let large = vec![7; 1 << 20];
    script.hold();
    run.submit(&Draft { payload: &large, ..draft(1) }, AT_ONCE).unwrap();
    let full = run.submit(&draft(1), AT_ONCE);
    assert!(matches!(full, Err(EventStoreError::QueueFull)), "{full:?}");
    script.release();
    run.flush(SECOND_NS).unwrap();
    submit(&run, 2);
    run.flush(SECOND_NS).unwrap();
    assert_eq!(entries(&run)[0].payload, large);
}

/// The guard refuses any seq but the next and claims nothing.
#[test]
fn failed_guard_claims_nothing_and_says_what_is_next() {
    let (run, _) = start(&settings());
    submit(&run, 1);
    let guarded = |expected_seq| SubmitOptions { expected_seq, timeout_ns: 0 };
    let refused = run.submit(&draft(1), guarded(5)).unwrap_err();
    let EventStoreError::OutOfOrder { seq, next_seq, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((seq, next_seq), (5, 2));
    assert_eq!(run.submit(&draft(1), guarded(2)).unwrap(), 2);
}

/// Eight producers with batches: every batch stands in a row, nothing is missing or twice.
#[test]
fn concurrent_batches_stay_contiguous() {
    let (run, _) = start(&Settings { queue_entries: 1024, ..settings() });
    let producers: Vec<_> = (0..8u64)
        .map(|producer| {
            let run = Arc::clone(&run);
            thread::spawn(move || {
                let patient = SubmitOptions { expected_seq: 0, timeout_ns: u64::MAX };
                for round in 0..200 {
                    let batch = [draft(producer * 1000 + round); 3];
                    run.submit_batch(&batch, patient).unwrap();
                }
            })
        })
        .collect();
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    run.flush(SECOND_NS * 10).unwrap();
    let stored = entries(&run);
    assert_eq!(stored.len(), 8 * 200 * 3);
    for batch in stored.chunks(3) {
        assert!(batch.iter().all(|entry| entry.ts_init == batch[0].ts_init));
    }
}

/// A backend failure halts: the first reason stays, waiters wake, what was durable stays so, and
/// closing writes nothing.
#[test]
fn backend_failure_halts_the_run_for_good() {
    let (run, script) = start(&settings());
    run.append_batch(&[draft(1)], 0).unwrap();
    script.fails_at.store(2, Ordering::SeqCst);
    let failure = run.append_batch(&[draft(2); 3], 0).unwrap_err();
    assert_eq!(failure.claimed, Some((2, 3)));
    assert!(matches!(&failure.error, EventStoreError::Halted { reason }
        if matches!(**reason, EventStoreError::Disk(_))));
    let later = run.submit(&draft(3), AT_ONCE);
    assert!(matches!(later, Err(EventStoreError::Halted { .. })), "{later:?}");
    run.wait_durable(1, 0).unwrap();
    let report = run.close(&CloseOptions::default()).unwrap();
    assert_eq!((report.status, report.high_watermark), (RunStatus::Running, 1));
    assert!(report.halt.is_some_and(|reason| reason.fault().unwrap().errno == Some(libc::ENOSPC)));
    assert_eq!(run.state().phase, Phase::Halted);
    assert_eq!(entries(&run).len(), 1);
}

/// A panic below the writer halts the run instead of hanging its waiters.
#[test]
fn panic_in_the_writer_halts_the_run() {
    let (run, script) = start(&settings());
    script.panics_at.store(1, Ordering::SeqCst);
    let EventStoreError::Halted { reason } = run.append_batch(&[draft(1)], 0).unwrap_err().error
    else {
        panic!("it did not halt");
    };
    assert!(reason.to_string().contains("planted panic"), "{reason}");
}

/// Full and nothing committed for too long: halted with a callback, once; the commit that ends
/// later still counts, and does not un-halt.
#[test]
fn stall_halts_once_and_a_late_commit_still_counts() {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let callback: HaltCallback = Box::new(move |error| {
        assert_eq!(error.fault().unwrap().kind, std::io::ErrorKind::TimedOut);
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let script = Arc::new(Script::default());
    let impatient = Settings { halt_after_ns: 30_000_000, ..settings() };
    let run = start_with(&impatient, &script, Some(callback));
    hold_in_commit(&run, &script);
    thread::sleep(Duration::from_millis(60));
    assert_eq!(run.state().phase, Phase::Open, "a slow commit alone is no stall");
    for ts in 0..63 {
        submit(&run, ts);
    }
    let begun = Instant::now();
    let waited = run.wait_durable(1, u64::MAX);
    assert!(matches!(waited, Err(EventStoreError::Halted { .. })), "{waited:?}");
    assert!(begun.elapsed() >= Duration::from_millis(30), "{:?}", begun.elapsed());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    script.release();
    while run.state().high_watermark == 0 {
        thread::yield_now();
    }
    assert_eq!(run.state().phase, Phase::Halted);
    let report = run.close(&CloseOptions::default()).unwrap();
    assert_eq!((report.status, report.high_watermark), (RunStatus::Running, 1));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// A poll of the state notices a stall that nobody waits for.
#[test]
fn poll_of_the_state_notices_a_stall() {
    let script = Arc::new(Script::default());
    let run = start_with(&Settings { halt_after_ns: 10_000_000, ..settings() }, &script, None);
    hold_in_commit(&run, &script);
    for ts in 0..63 {
        submit(&run, ts);
    }
    run.state();
    thread::sleep(Duration::from_millis(15));
    assert_eq!(run.state().phase, Phase::Halted);
    script.release();
}

/// Inside the callback only the state may be asked for.
#[test]
fn calls_from_the_callback_are_busy() {
    let slot: Arc<Mutex<Option<Arc<Run>>>> = Arc::default();
    let answers: Arc<Mutex<Vec<String>>> = Arc::default();
    let (inside, heard) = (Arc::clone(&slot), Arc::clone(&answers));
    let callback: HaltCallback = Box::new(move |_| {
        let run = inside.lock().unwrap().take().unwrap();
        let mut heard = heard.lock().unwrap();
        heard.push(format!("{:?}", run.state().phase));
        heard.push(format!("{}", run.submit(&draft(1), AT_ONCE).unwrap_err()));
        heard.push(format!("{}", run.flush(0).unwrap_err()));
        heard.push(format!("{}", run.close(&CloseOptions::default()).unwrap_err()));
    });
    let script = Arc::new(Script::default());
    script.fails_at.store(1, Ordering::SeqCst);
    let run = start_with(&settings(), &script, Some(callback));
    *slot.lock().unwrap() = Some(Arc::clone(&run));
    run.append_batch(&[draft(1)], 0).unwrap_err();
    while answers.lock().unwrap().len() < 4 {
        thread::yield_now();
    }
    let busy = "busy: the run's halt callback is running";
    assert_eq!(*answers.lock().unwrap(), ["Halted", busy, busy, busy]);
}

/// What the host gave the callback is its own again once a halted run is closed: not before the
/// callback has returned.
#[test]
fn halted_run_is_closed_when_its_callback_has_returned() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let has_returned = Arc::new(AtomicBool::new(false));
    let returned = Arc::clone(&has_returned);
    let callback: HaltCallback = Box::new(move |_| {
        let _ = released.recv();
        thread::sleep(Duration::from_millis(20));
        returned.store(true, Ordering::SeqCst);
    });
    let script = Arc::new(Script::default());
    script.fails_at.store(1, Ordering::SeqCst);
    let run = start_with(&settings(), &script, Some(callback));
    submit(&run, 1);
    wait_until("it halts", || run.state().phase == Phase::Halted);
    for timeout_ns in [0, 20_000_000] {
        let closed = run.close(&CloseOptions { timeout_ns, ..CloseOptions::default() });
        assert!(matches!(closed, Err(EventStoreError::Timeout)), "{closed:?}");
    }
    release.send(()).unwrap();
    let report = run.close(&CloseOptions::default()).unwrap();
    assert!(has_returned.load(Ordering::SeqCst), "closed while the callback runs");
    assert!(report.halt.is_some());
}

/// Closing commits what is queued, then `RunEnded`, seals, and says the same again.
#[test]
fn close_commits_the_queue_then_run_ended_and_seals() {
    let (run, script) = start(&settings());
    hold_in_commit(&run, &script);
    for ts in [50, 20] {
        submit(&run, ts);
    }
    let poll = CloseOptions { timeout_ns: 0, ..CloseOptions::default() };
    assert!(matches!(run.close(&poll), Err(EventStoreError::Timeout)));
    assert_eq!(run.state().phase, Phase::Closing);
    assert!(matches!(run.submit(&draft(1), AT_ONCE), Err(EventStoreError::Closed)));
    script.release();
    let report = run.close(&CloseOptions::default()).unwrap();
    assert_eq!((report.status, report.high_watermark), (RunStatus::Ended, 4));
    assert!(report.digest.is_some() && report.halt.is_none());
    let last = entries(&run).pop().unwrap();
    assert_eq!(
        (last.topic.as_str(), last.payload_type.as_str()),
        ("run.lifecycle.RunEnded", "RunEnded")
    );
    assert_eq!((last.ts_init, last.payload.len()), (50, 0));
    let again = run.close(&CloseOptions::default()).unwrap();
    assert_eq!((again.digest, again.high_watermark), (report.digest, 4));
    let manifest = run.view().unwrap().manifest().unwrap();
    assert_eq!((manifest.status, manifest.end_ts_init), (RunStatus::Ended, Some(50)));
    assert_eq!(run.state().phase, Phase::Closed);
}

/// With the time of its end given, a run's digest depends on its entries alone.
#[test]
fn equal_entries_make_equal_digests_when_the_end_is_given() {
    let digest = |end_ts_publish| {
        let (run, _) = start(&settings());
        run.submit(&Draft { ts_publish: 60, ..draft(50) }, AT_ONCE).unwrap();
        run.close(&CloseOptions { end_ts_publish, ..CloseOptions::default() }).unwrap().digest
    };
    assert!(digest(77).is_some() && digest(77) == digest(77));
    assert!(digest(77) != digest(78) && digest(0) != digest(0), "0: stamped by the clock");
}

/// An empty run ends with `RunEnded` at its start.
#[test]
fn empty_run_ends_at_its_start() {
    let (run, _) = start(&settings());
    run.close(&CloseOptions::default()).unwrap();
    assert_eq!(entries(&run)[0].ts_init, 1000);
}

/// Dropping detaches: what is queued is committed, the run stays `Running`.
#[test]
fn drop_commits_the_queue_and_leaves_the_run_running() {
    let (run, script) = start(&settings());
    let view = run.view().unwrap();
    hold_in_commit(&run, &script);
    submit(&run, 2);
    drop(run);
    assert_eq!(view.high_watermark(), 0);
    script.release();
    let begun = Instant::now();
    while view.high_watermark() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(5), "the queue was not committed");
        thread::yield_now();
    }
    assert_eq!(view.manifest().unwrap().status, RunStatus::Running);
}

/// Anchors name claimed entries, never step back, wait for durability, and are drained by close.
#[test]
fn anchors_wait_for_their_entry_and_never_step_back() {
    let (run, script) = start(&settings());
    hold_in_commit(&run, &script);
    submit(&run, 2);
    for seq in [0, 3] {
        let refused = run.record_anchor(&anchor(seq), 0);
        assert!(matches!(refused, Err(EventStoreError::InvalidArgument { .. })), "{refused:?}");
    }
    assert!(matches!(run.record_anchor(&anchor(2), 0), Err(EventStoreError::Timeout)));
    let back = run.record_anchor(&anchor(1), 0);
    assert!(matches!(back, Err(EventStoreError::InvalidArgument { .. })), "{back:?}");
    assert_eq!(run.view().unwrap().latest_snapshot_anchor().unwrap(), None);
    script.release();
    run.close(&CloseOptions::default()).unwrap();
    assert_eq!(run.view().unwrap().latest_snapshot_anchor().unwrap(), Some(anchor(2)));
    assert!(matches!(run.record_anchor(&anchor(2), 0), Err(EventStoreError::Closed)));
}

/// Manual mode has no thread and no clock: nothing moves until it is driven.
#[test]
fn manual_mode_moves_only_when_driven() {
    let manual = Settings { manual: true, run_started: true, ..settings() };
    let (run, _) = start(&manual);
    submit(&run, 7);
    assert!(matches!(run.wait_durable(2, 0), Err(EventStoreError::Timeout)));
    assert_eq!(run.do_work().unwrap(), 1);
    assert_eq!(run.do_work().unwrap(), 0);
    submit(&run, 8);
    run.flush(u64::MAX).unwrap();
    run.record_anchor(&anchor(3), u64::MAX).unwrap();
    let stored: Vec<_> = entries(&run).iter().map(|entry| entry.ts_publish).collect();
    assert_eq!(stored, [1000, 7, 8]);
    let report = run.close(&CloseOptions::default()).unwrap();
    assert_eq!((report.status, report.high_watermark), (RunStatus::Ended, 4));
    assert!(matches!(run.do_work(), Err(EventStoreError::Closed)));
}

/// In manual mode a second driving thread is refused; a submit is not.
#[test]
fn manual_mode_has_one_driver_at_a_time() {
    let (run, script) = start(&Settings { manual: true, ..settings() });
    script.hold();
    submit(&run, 1);
    let driver = {
        let run = Arc::clone(&run);
        thread::spawn(move || run.flush(u64::MAX))
    };
    while script.appends.load(Ordering::SeqCst) == 0 {
        thread::yield_now();
    }
    assert!(matches!(run.do_work(), Err(EventStoreError::Busy { .. })));
    assert_eq!(submit(&run, 2), 2);
    script.release();
    driver.join().unwrap().unwrap();
}

/// A run with `RunStarted` has it as its first durable entry, its payload the components.
#[test]
fn run_started_is_the_first_entry() {
    let (run, _) = start(&Settings { run_started: true, ..settings() });
    assert_eq!(run.state().high_watermark, 1);
    let first = entries(&run).remove(0);
    assert_eq!((first.topic.as_str(), first.ts_init), ("run.lifecycle.RunStarted", 1000));
    let components = crate::codec::decode_components(&first.payload).unwrap();
    assert_eq!(components, crate::manifest::RegisteredComponents::default());
    assert_eq!(submit(&run, 1), 2);
}

/// Whatever is wrong with a draft is named with its item and field, and nothing is claimed.
#[test]
fn bad_drafts_are_named_and_claim_nothing() {
    let (run, _) = start(&settings());
    let good = RawDraft { topic: b"t", payload_type: b"P", ..RawDraft::default() };
    let long = [b'x'; 1025];
    let key = |kind, key| [RawKey { kind, key }];
    let too_many = [RawKey { kind: 0, key: b"k" }; 17];
    let bad: [(&str, RawDraft<'_>); 11] = [
        ("topic", RawDraft { topic: b"", ..good }),
        ("topic", RawDraft { topic: &long, ..good }),
        ("topic", RawDraft { topic: b"\xff", ..good }),
        ("topic", RawDraft { topic: b"run.lifecycle.X", ..good }),
        ("payload_type", RawDraft { payload_type: b"", ..good }),
        ("payload_type", RawDraft { payload_type: b"a\xc3", ..good }),
        ("keys", RawDraft { keys: &too_many, ..good }),
        ("index key", RawDraft { keys: &key(0, b""), ..good }),
        ("index key", RawDraft { keys: &key(1, b"a\0b"), ..good }),
        ("index key", RawDraft { keys: &key(1, b"\xff"), ..good }),
        ("index key kind", RawDraft { keys: &key(9, b"k"), ..good }),
    ];
    for (expected, draft) in bad {
        let mut batch = [good, good, draft].into_iter();
        let refused = run.submit_raw_batch(3, &mut |_, take| take(&batch.next().unwrap()), AT_ONCE);
        let Err(EventStoreError::InvalidArgument { item, field, .. }) = &refused else {
            panic!("{expected}: {refused:?}");
        };
        assert_eq!((*item, *field), (Some(2), expected));
    }
    let over = run.submit_batch(&vec![draft(1); 65], AT_ONCE);
    assert!(matches!(over, Err(EventStoreError::InvalidArgument { .. })), "{over:?}");
    assert_eq!(run.state().last_claimed_seq, 0);
    assert_eq!(submit(&run, 1), 1);
}

/// Waiting for a seq that nobody claimed is a mistake, not a wait.
#[test]
fn waiting_for_an_unclaimed_seq_is_refused() {
    let (run, _) = start(&settings());
    run.wait_durable(0, 0).unwrap();
    let refused = run.wait_durable(1, u64::MAX);
    assert!(matches!(refused, Err(EventStoreError::InvalidArgument { .. })), "{refused:?}");
}

/// An idle, parked writer is woken by a plain submit.
#[test]
fn parked_writer_is_woken_by_a_submit() {
    for wait_policy in [WaitPolicy::Park, WaitPolicy::Timed, WaitPolicy::Spin] {
        let (run, _) = start(&Settings { wait_policy, ..settings() });
        for round in 1..=3 {
            wait_until(&format!("{wait_policy:?} parks"), || run.is_writer_parked());
            submit(&run, round);
            let is_durable = || run.state().high_watermark == round;
            wait_until(&format!("{wait_policy:?} wakes"), is_durable);
        }
    }
}

/// Whoever asks and does not wait wakes a parked writer as well: an anchor is stored, the run ends.
#[test]
fn parked_writer_is_woken_by_an_anchor_and_by_a_close_that_poll() {
    let (run, _) = start(&settings());
    run.append_batch(&[draft(1)], 0).unwrap();
    wait_until("the writer parks", || run.is_writer_parked());
    let asked = run.record_anchor(&anchor(1), 0);
    assert!(matches!(asked, Ok(()) | Err(EventStoreError::Timeout)), "{asked:?}");
    let stored = || run.view().unwrap().latest_snapshot_anchor().unwrap().is_some();
    wait_until("the anchor is stored", stored);
    wait_until("the writer parks", || run.is_writer_parked());
    let poll = CloseOptions { timeout_ns: 0, ..CloseOptions::default() };
    wait_until("the run is closed", || run.close(&poll).is_ok());
}

/// A warm run takes its buffers from the pool and gives them back.
#[test]
fn buffers_return_to_the_pool() {
    let (run, _) = start(&settings());
    for ts in 0..1000 {
        run.append_batch(&[draft(ts)], 0).unwrap();
    }
    run.close(&CloseOptions::default()).unwrap();
    let pooled = run.stats().pooled_buffers;
    assert!((1..=2).contains(&pooled), "{pooled} buffers for one entry at a time");
    assert_eq!((run.stats().commits, run.stats().entries), (1001, 1001));
}

/// A visitor of a live run may stop whenever it likes.
#[test]
fn live_scan_can_stop_early() {
    let (run, _) = start(&settings());
    run.append_batch(&[draft(1); 10], 0).unwrap();
    let mut seen = 0;
    let visit = &mut |_: crate::entry::Row<'_>| {
        seen += 1;
        if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    run.view().unwrap().visit_range(1, u64::MAX, Direction::Backward, visit).unwrap();
    assert_eq!(seen, 3);
}
