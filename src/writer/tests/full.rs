//! A queue without room: who is to be told when there is some again, and when it is a stall.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::{AT_ONCE, draft, settings, start, submit, wait_until};
use crate::error::EventStoreError;
use crate::writer::buffer::{EntryBuffer, FillRules, Now};
use crate::writer::{Phase, RawDraft, Run, Settings, SubmitOptions, WaitPolicy};

/// Submits a batch whose guard fails, and calls `meanwhile` when it has got its room and not yet
/// its refusal.
fn submit_refused(run: &Run, count: usize, meanwhile: impl FnOnce()) {
    let (rules, mut now) = (FillRules::of(&settings()), Now::default());
    let draft = RawDraft { topic: b"t", payload_type: b"P", ..RawDraft::default() };
    let fill = |_, buffer: &mut EntryBuffer| buffer.fill(&draft, rules, &mut now);
    let guarded = SubmitOptions { expected_seq: 77, timeout_ns: 0 };
    let refused = run.enqueue(count, guarded, fill, || {
        meanwhile();
        None
    });
    let error = refused.map(|(seq, _)| seq).unwrap_err();
    assert!(matches!(error, EventStoreError::OutOfOrder { .. }), "{error:?}");
}

/// A poll that finds the queue full of entries about to be refused does not make an idle run stall.
#[test]
fn queue_full_of_refused_entries_is_no_stall() {
    let halt_after = Duration::from_millis(10);
    let halt_after_ns = halt_after.as_nanos() as u64;
    let (run, _) = start(&Settings { halt_after_ns, ..settings() });
    submit_refused(&run, 64, || assert_eq!(run.state().queue_entries, 64));
    thread::sleep(2 * halt_after);
    let state = run.state();
    assert_eq!(state.phase, Phase::Open, "{:?}", state.halt);
}

/// A group that keeps others out of the queue is committed, however long it might linger: one that
/// fills the queue, and one that leaves too little room for a batch.
#[test]
fn group_that_keeps_others_out_does_not_linger() {
    let minute_ns = 60_000_000_000;
    let patient = Settings { group_linger_ns: minute_ns, halt_after_ns: minute_ns, ..settings() };
    let (run, _) = start(&Settings { queue_entries: 8, ..patient });
    wait_until("the writer parks", || run.is_writer_parked());
    run.submit_batch(&vec![draft(1); 8], AT_ONCE).unwrap();
    wait_until("the full queue is committed", || run.state().high_watermark == 8);
    wait_until("the writer parks", || run.is_writer_parked());
    submit(&run, 2);
    let refused = run.submit_batch(&vec![draft(2); 8], AT_ONCE);
    assert!(matches!(refused, Err(EventStoreError::QueueFull)), "{refused:?}");
    wait_until("what was in the way is committed", || run.state().high_watermark == 9);
}

/// Whoever waits for room is woken when a refused claim gives some back, with no commit to do it.
#[test]
fn room_of_a_refused_claim_is_announced() {
    let (run, _) = start(&Settings { wait_policy: WaitPolicy::Park, ..settings() });
    let (admitted, seqs) = channel();
    submit_refused(&run, 64, || {
        let run = run.clone();
        let patient = SubmitOptions { expected_seq: 0, timeout_ns: u64::MAX };
        let watermark = run.watermark();
        thread::spawn(move || admitted.send(run.submit(&draft(1), patient).unwrap()));
        wait_until("somebody waits", || watermark.has_waiters());
        thread::sleep(Duration::from_millis(20)); // it has looked, and is asleep
    });
    let seq = seqs.recv_timeout(Duration::from_secs(5));
    assert_eq!(seq, Ok(1), "it sleeps beside an empty queue");
}
