//! Callers who do the writer's work themselves, beside its thread.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::{draft, settings, start, submit, wait_until};
use crate::error::EventStoreError;
use crate::writer::{CloseOptions, Settings, SubmitOptions, WaitPolicy};

const WAIT: SubmitOptions = SubmitOptions { expected_seq: 0, timeout_ns: u64::MAX };

/// A caller who waits without end, and alone, commits on its own thread. The writer's thread is rung
/// by the submit, so it may be the first at any one entry, but not for ever.
#[test]
fn lone_waiter_commits_itself() {
    let settings = Settings { wait_policy: WaitPolicy::Park, ..settings() };
    let (run, script) = start(&settings);
    let caller = thread::current().id();
    let since = Instant::now();
    let own_commits = || {
        let threads = script.threads.lock().unwrap();
        threads.iter().filter(|thread| **thread == caller).count()
    };
    while own_commits() < 10 {
        assert!(since.elapsed() < Duration::from_secs(10), "{} of its own", own_commits());
        run.wait_durable(submit(&run, 1), u64::MAX).unwrap();
    }
}

/// A plain submit that comes while a caller has the wheel is committed without anybody waiting for
/// it, although the writer's thread was woken, found the wheel taken, and parked again.
#[test]
fn nothing_is_left_behind_when_the_wheel_is_let_go() {
    let settings = Settings { wait_policy: WaitPolicy::Park, ..settings() };
    let (run, script) = start(&settings);
    let mut own_commits = 0;
    for _ in 0..20 {
        let appends = script.appends.load(Ordering::SeqCst);
        script.hold();
        let caller = {
            let run = run.clone();
            thread::spawn(move || run.append_batch(&[draft(1)], 0).unwrap())
        };
        while script.appends.load(Ordering::SeqCst) == appends {
            thread::yield_now();
        }
        let holder = *script.threads.lock().unwrap().last().unwrap();
        own_commits += u32::from(holder == caller.thread().id());
        let seq = submit(&run, 2);
        thread::sleep(Duration::from_millis(20)); // the thread has parked again
        script.release();
        caller.join().unwrap();
        let since = Instant::now();
        while run.state().high_watermark < seq {
            assert!(since.elapsed() < Duration::from_secs(10), "entry {seq} was left behind");
            thread::yield_now();
        }
    }
    assert!(own_commits > 0, "no caller ever had the wheel");
}

/// Where the policy keeps the thread hot, an append that it had no part in does too: a submit after
/// it finds the thread dozing, not parked.
#[test]
fn append_leaves_the_thread_hot() {
    let (run, script) = start(&Settings { hot_ns: 1_000_000_000, ..settings() });
    wait_until("an idle thread parks", || run.is_writer_parked());
    run.append_batch(&[draft(1)], 0).unwrap();
    assert_eq!(*script.threads.lock().unwrap(), [thread::current().id()]);
    wait_until("the thread is hot", || !run.is_writer_parked());
    thread::sleep(Duration::from_millis(20));
    assert!(!run.is_writer_parked(), "the thread stays hot");
}

/// A refused write on the caller's own thread halts the run for everybody.
#[test]
fn refused_write_of_a_caller_halts_the_run() {
    let (run, script) = start(&settings());
    script.fails_at.store(2, Ordering::SeqCst);
    run.wait_durable(submit(&run, 1), u64::MAX).unwrap();
    let seq = submit(&run, 2);
    let answer = run.wait_durable(seq, u64::MAX);
    assert!(matches!(answer, Err(EventStoreError::Halted { .. })), "{answer:?}");
    let later = run.submit(&draft(3), WAIT);
    assert!(matches!(later, Err(EventStoreError::Halted { .. })), "{later:?}");
    assert_eq!(run.close(&CloseOptions::default()).unwrap().high_watermark, 1);
}
