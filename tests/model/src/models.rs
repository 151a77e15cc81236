//! The models: a small run of two producers or waiters and one writer each.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::Arc;
use loom::thread;

use crate::handoff::claim::Refused;
use crate::handoff::close::CloseGate;
use crate::handoff::doorbell::{Doorbell, Sleep};
use crate::handoff::halt::Halt;
use crate::handoff::queue::{Queue, Reserved, Size, Taker};
use crate::handoff::sync::{AtomicU64, Ordering as LoomOrdering};
use crate::handoff::watermark::Watermark;
use crate::planted::planted;

const ITEM: u64 = 7;
const ONE: Size = Size { entries: 1, bytes: 1 };

/// A run as small as it can be: room for two entries.
struct Run {
    queue: Arc<Queue<u64>>,
    doorbell: Doorbell,
    watermark: Watermark,
    halt: Halt<&'static str>,
    close: CloseGate<&'static str, u64>,
    /// The largest `seq` that the backend has made durable.
    disk: AtomicU64,
}

impl Run {
    fn new() -> (Arc<Self>, Taker<u64>) {
        let (queue, taker) = Queue::new(1, 2, 1000);
        let run = Arc::new(Self {
            queue,
            doorbell: Doorbell::new(),
            watermark: Watermark::new(0),
            halt: Halt::new(),
            close: CloseGate::new(),
            disk: AtomicU64::new(0),
        });
        (run, taker)
    }

    /// The steps of `writer::Run::enqueue`. The models that use it never queue more than fits.
    fn submit(&self) -> Result<u64, Refused> {
        let reserved = self.queue.reserve(ONE).expect("there is room");
        self.push(reserved)
    }

    fn push(&self, reserved: Reserved) -> Result<u64, Refused> {
        let seq = self.queue.push(reserved, 0, std::iter::once(ITEM))?;
        self.doorbell.ring_if_parked();
        Ok(seq)
    }

    /// The steps of `writer::drive`: takes what is published and commits it.
    fn commit(&self, taker: &mut Taker<u64>) {
        let mut size = Size::default();
        while let Some(item) = taker.take() {
            assert_eq!(item, ITEM, "the slot holds what was published");
            size.entries += 1;
            size.bytes += 1;
        }
        if size.entries > 0 {
            let last_seq = taker.next_seq() - 1;
            if planted("ack_before_commit") {
                self.watermark.advance(last_seq);
            }
            self.disk.store(last_seq, LoomOrdering::Relaxed);
            taker.give_back(size);
            self.watermark.advance(last_seq);
        }
    }

    /// A writer that parks when idle, until `count` entries are durable.
    fn write(&self, mut taker: Taker<u64>, count: u64) {
        while taker.next_seq() <= count {
            self.commit(&mut taker);
            if taker.next_seq() <= count {
                self.doorbell.sleep(Sleep::Park, || taker.is_ready(0));
            }
        }
    }
}

/// Explores a model and answers how many executions that took.
fn explore(model: impl Fn() + Sync + Send + 'static) -> usize {
    let executions = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    executions.load(Ordering::Relaxed)
}

/// Two producers, a parking writer: every entry arrives once, whole, in the order of `seq`.
fn submits_arrive() {
    let (run, taker) = Run::new();
    let producer = {
        let run = Arc::clone(&run);
        thread::spawn(move || run.submit().expect("the run is open"))
    };
    let writer = {
        let run = Arc::clone(&run);
        thread::spawn(move || run.write(taker, 2))
    };
    let mine = run.submit().expect("the run is open");
    let theirs = producer.join().expect("the producer ends");
    writer.join().expect("the writer ends");
    assert_eq!(mine + theirs, 3, "each seq is claimed once");
    assert_eq!(run.watermark.durable(), 2);
    assert_eq!(run.queue.taken().entries, 0, "all room is given back");
}

/// A waiter sleeps until its entry is durable, wakes, and finds it on the disk.
fn waiter_finds_its_entry() {
    let (run, taker) = Run::new();
    let writer = {
        let run = Arc::clone(&run);
        thread::spawn(move || run.write(taker, 1))
    };
    let seq = run.submit().expect("the run is open");
    run.doorbell.ring();
    run.watermark
        .wait(None, || (run.watermark.durable() >= seq).then_some(()))
        .expect("without a deadline the wait ends with an answer");
    assert_eq!(run.disk.load(LoomOrdering::Relaxed), seq, "acknowledged means durable");
    writer.join().expect("the writer ends");
}

/// A slot is used again only after it was emptied: three entries through a ring of two.
fn slots_are_reused_in_turn() {
    let (run, taker) = Run::new();
    let writer = {
        let run = Arc::clone(&run);
        thread::spawn(move || run.write(taker, 3))
    };
    run.submit().expect("the run is open");
    run.submit().expect("the run is open");
    let reserved = run.watermark.wait(None, || run.queue.reserve(ONE));
    let seq = run.push(reserved.expect("without a deadline the wait ends with an answer"));
    assert_eq!(seq, Ok(3));
    writer.join().expect("the writer ends");
    assert_eq!(run.watermark.durable(), 3);
}

/// The slot of a claim may have been emptied for another's reservation: with one entry queued and
/// room for one more, who reserves first may claim last.
fn slots_follow_claims_not_reservations() {
    let (run, taker) = Run::new();
    run.submit().expect("the run is open");
    let producers = [(), ()].map(|()| {
        let run = Arc::clone(&run);
        thread::spawn(move || {
            let reserved = run.watermark.wait(None, || run.queue.reserve(ONE));
            run.push(reserved.expect("without a deadline the wait ends with an answer"))
        })
    });
    run.write(taker, 3);
    let seqs = producers.map(|producer| producer.join().expect("the producer ends"));
    assert!(seqs == [Ok(2), Ok(3)] || seqs == [Ok(3), Ok(2)], "{seqs:?}");
    assert_eq!(run.watermark.durable(), 3);
}

/// A close races a submit: what was claimed before is committed, nothing is claimed after, and
/// the closer's own last `seq` follows all of them.
fn close_drains_what_was_claimed() {
    let (run, taker) = Run::new();
    let producer = {
        let run = Arc::clone(&run);
        thread::spawn(move || run.submit())
    };
    let closer = {
        let run = Arc::clone(&run);
        thread::spawn(move || {
            run.close.ask(&run.queue.claim, 1, "seal");
            run.doorbell.ring();
            run.watermark.wait(None, || run.close.answered()).expect("answered")
        })
    };
    // The steps of `writer::drive`: the end comes when everything claimed before it is committed.
    let drained =
        |next_seq| run.queue.claim.closed_at().is_some_and(|closed_at| next_seq == closed_at - 1);
    let mut taker = taker;
    loop {
        run.commit(&mut taker);
        if drained(taker.next_seq()) {
            break;
        }
        run.doorbell.sleep(Sleep::Park, || taker.is_ready(0) || drained(taker.next_seq()));
    }
    assert_eq!(run.close.asked(), Some("seal"), "the request is there with the bit");
    run.close.answer(taker.next_seq());
    run.watermark.announce();
    let answer = closer.join().expect("the closer ends");
    match producer.join().expect("the producer ends") {
        Ok(seq) => assert!(seq < answer, "a claimed entry lies before the seal"),
        Err(refused) => assert_eq!(refused, Refused::Closed),
    }
    assert_eq!(run.submit(), Err(Refused::Closed));
}

/// An anchor races a close: it may name what producers claimed, never the closer's own last `seq`,
/// which comes after all anchors.
fn anchor_names_no_entry_of_the_closer() {
    let (run, _taker) = Run::new();
    run.submit().expect("the run is open");
    let closer = {
        let run = Arc::clone(&run);
        thread::spawn(move || run.close.ask(&run.queue.claim, 1, "seal"))
    };
    let asker = {
        let run = Arc::clone(&run);
        thread::spawn(move || run.queue.claim.open_next_seq())
    };
    closer.join().expect("the closer ends");
    match asker.join().expect("the asker ends") {
        Ok(next_seq) => assert_eq!(next_seq, 2, "one entry was claimed by a producer"),
        Err(refused) => assert_eq!(refused, Refused::Closed),
    }
}

/// A halt races a submit and a waiter: the first reason stays, whoever is refused finds it, and
/// the waiter wakes.
fn halt_wakes_and_refuses() {
    let (run, _taker) = Run::new();
    let waiter = {
        let run = Arc::clone(&run);
        thread::spawn(move || {
            let woken = run.watermark.wait(None, || run.queue.claim.is_halted().then_some(()));
            woken.expect("without a deadline the wait ends with an answer");
            run.halt.reason().expect("the reason is there with the bit")
        })
    };
    let other = {
        let run = Arc::clone(&run);
        thread::spawn(move || {
            let first = run.halt.latch(&run.queue.claim, "stall");
            if first {
                run.watermark.announce();
            }
            first
        })
    };
    let first = run.halt.latch(&run.queue.claim, "disk");
    if first {
        run.watermark.announce();
    }
    assert_eq!(run.submit(), Err(Refused::Halted));
    let reason = waiter.join().expect("the waiter ends");
    let other_first = other.join().expect("the other ends");
    assert!(first != other_first, "one of them is first");
    assert_eq!(reason, if first { "disk" } else { "stall" });
}

/// All models hold, over more than 1,000 executions in all.
#[test]
fn all_models_hold() {
    let models: [(&str, fn()); 7] = [
        ("submits_arrive", submits_arrive),
        ("waiter_finds_its_entry", waiter_finds_its_entry),
        ("slots_are_reused_in_turn", slots_are_reused_in_turn),
        ("slots_follow_claims_not_reservations", slots_follow_claims_not_reservations),
        ("close_drains_what_was_claimed", close_drains_what_was_claimed),
        ("anchor_names_no_entry_of_the_closer", anchor_names_no_entry_of_the_closer),
        ("halt_wakes_and_refuses", halt_wakes_and_refuses),
    ];
    let mut total = 0;
    for (name, model) in models {
        let executions = explore(model);
        println!("{name}: {executions} executions");
        total += executions;
    }
    assert!(total > 1000, "only {total} executions were explored");
}

/// Runs all models in a process of their own with a fault planted in the shipped source: they
/// must fail, and as they would for that fault. (A failing model may abort its process.)
fn assert_caught(fault: &str, complaint: &str) {
    let child = Command::new(std::env::current_exe().expect("a test knows its binary"))
        .args(["--exact", "models::all_models_hold", "--nocapture"])
        .env("ES_PLANT", fault)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the test binary starts");
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(!child.status.success(), "the models do not notice {fault}");
    assert!(said.contains(complaint), "{fault} was noticed by something else: {said}");
}

/// Publishing without release lets the writer see a slot before its item.
#[test]
fn relaxed_publish_is_caught() {
    assert_caught("relaxed_publish", "Causality violation");
}

/// A claim that does not pass on what it knows lets a producer write a slot that, for all it knows,
/// is still being emptied.
#[test]
fn relaxed_claim_is_caught() {
    assert_caught("relaxed_claim", "Causality violation");
}

/// Without the fences the writer parks over an entry that nobody rings for.
#[test]
fn lost_doorbell_is_caught() {
    assert_caught("lost_doorbell", "deadlock");
}

/// Acknowledging first lets a waiter find its entry missing.
#[test]
fn ack_before_commit_is_caught() {
    assert_caught("ack_before_commit", "acknowledged means durable");
}
