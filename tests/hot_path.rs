//! The hot path, proved by the kernel and the allocator: a warm submit makes no system call and
//! allocates nothing.
//!
//! The submitting thread of a child process runs under a seccomp filter that kills the process on
//! any system call, the thread's own end included. It submits through the C interface. Each proof
//! has a case that it catches. Where the queue's memory is, and the writer runs: `queue_memory`.

#[path = "hot_path/c_run.rs"]
mod c_run;
mod common;
#[path = "hot_path/queue_memory.rs"]
mod queue_memory;
#[path = "hot_path/seccomp.rs"]
mod seccomp;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use c_run::CRun;
use common::process::{self, Finished, say, told};
use common::temporary::TemporaryFolder;
use common::{allocation, shared};
use eventstore::ffi::constants::{ES_BACKEND_LOG, ES_BACKEND_MEMORY, ES_BACKEND_REDB};

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

common::process::child_roles!(play);

const SUBMITS: u64 = 1_000_000;
const WARM_UP_SUBMITS: u64 = 100_000;
/// Half of the queue: the submitting thread waits, without a call, while more is queued.
const QUEUED_MAX: u64 = 32_768;
/// How many submits go between two looks at the queue.
const PACE: u64 = 64;

fn play(role: &str) {
    match role {
        "clock" => seccomp::on_a_thread_without_calls(|| {
            std::hint::black_box(std::time::SystemTime::now());
        }),
        "submit" => submit_without_calls(&told("ES_BACKEND"), &told("ES_FLAW")),
        "instructions" => submit_counted(),
        other => queue_memory::play(other),
    }
}

fn open(backend: &str, base: &TemporaryFolder) -> CRun {
    let backend = match backend {
        "memory" => ES_BACKEND_MEMORY,
        "redb" => ES_BACKEND_REDB,
        "log" => ES_BACKEND_LOG,
        other => panic!("no backend is called {other}"),
    };
    CRun::open(backend, base.path())
}

/// Submits one after the other, never with more than `QUEUED_MAX` in the queue.
fn submit_many(run: &CRun, count: u64, mut besides: impl FnMut(u64)) {
    for number in 0..count {
        while number % PACE == 0 && run.queue_entries() + PACE > QUEUED_MAX {
            std::hint::spin_loop();
        }
        run.submit();
        besides(number);
    }
}

/// The system call, and not the one that the virtual library answers without the kernel.
fn read_clock_through_the_kernel() {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for the result.
    unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_REALTIME, &raw mut now) };
}

/// Says how many allocations 10^6 submits made, if it lives to say so.
fn submit_without_calls(backend: &str, flaw: &str) {
    let base = TemporaryFolder::new("hot-path");
    let run = Arc::new(open(backend, &base));
    submit_many(&run, WARM_UP_SUBMITS, |_| ());
    run.flush();
    let allocations = Arc::new(AtomicU64::new(0));
    let seen = (Arc::clone(&run), Arc::clone(&allocations), flaw.to_owned());
    let started = Instant::now();
    seccomp::on_a_thread_without_calls(move || {
        let (run, allocations, flaw) = seen;
        let before = allocation::allocations();
        submit_many(&run, SUBMITS, |number| match flaw.as_str() {
            "clock" if number == SUBMITS / 2 => read_clock_through_the_kernel(),
            "vec" if number == SUBMITS / 2 => drop(std::hint::black_box(vec![number])),
            _ => {}
        });
        allocations.store(allocation::allocations() - before, Ordering::Release);
    });
    let elapsed = started.elapsed();
    say(&format!("allocations {}", allocations.load(Ordering::Acquire)));
    say(&format!("ns-per-submit {}", elapsed.as_nanos() as u64 / SUBMITS));
    run.flush();
    assert_eq!(run.close(), WARM_UP_SUBMITS + SUBMITS + 1);
}

fn submit_child(backend: &str, flaw: &str) -> Finished {
    let mut command = process::command("submit");
    command.env("ES_BACKEND", backend).env("ES_FLAW", flaw);
    Finished::of(command)
}

/// Whether filters work here and the clock answers without the kernel, which is the machine's
/// matter and not the store's.
fn can_measure(test: &str) -> bool {
    let clock = Finished::of(process::command("clock"));
    if clock.signal() == Some(libc::SIGSYS) {
        shared::not_run_without_tool(test, "this machine's clock_gettime is a real system call");
        return false;
    }
    if clock.lines.iter().any(|line| line == seccomp::REFUSED) {
        shared::not_run_without_tool(test, "seccomp filters are refused here");
        return false;
    }
    clock.expect_success();
    true
}

fn assert_calls_and_allocates_nothing(backend: &str) {
    let submitted = submit_child(backend, "none").expect_success();
    eprintln!(
        "{backend}: {SUBMITS} submits under the filter: {} allocations, {} ns each, the wait for \
         room included",
        submitted.said("allocations"),
        submitted.said("ns-per-submit"),
    );
    assert_eq!(submitted.said("allocations"), "0");
}

#[test]
fn a_million_submits_make_no_system_call_and_allocate_nothing_in_memory() {
    if can_measure("hot_path memory") {
        assert_calls_and_allocates_nothing("memory");
    }
}

#[test]
fn a_million_submits_make_no_system_call_and_allocate_nothing_over_redb() {
    if can_measure("hot_path redb") {
        assert_calls_and_allocates_nothing("redb");
    }
}

#[test]
fn a_million_submits_make_no_system_call_and_allocate_nothing_over_a_log() {
    if can_measure("hot_path log") {
        assert_calls_and_allocates_nothing("log");
    }
}

/// The filter sees one call among a million submits, and the counter one allocation.
#[test]
fn one_system_call_is_fatal_and_one_allocation_is_counted() {
    if can_measure("hot_path flaws") {
        assert_eq!(submit_child("memory", "clock").signal(), Some(libc::SIGSYS));
        let counted = submit_child("memory", "vec").expect_success();
        assert_eq!(counted.said("allocations"), "1");
    }
}

const COUNTED_SUBMITS: u64 = 2_000;
/// An optimised build takes far fewer than the tests' own profile takes.
const INSTRUCTIONS_MAX: u64 = if cfg!(debug_assertions) { 3_000 } else { 2_000 };

/// Its name is what the tool is told to count in.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn es_test_counted_submits(run: &CRun) {
    submit_many(run, COUNTED_SUBMITS, |_| ());
}

fn submit_counted() {
    let base = TemporaryFolder::new("instructions");
    let run = open("memory", &base);
    submit_many(&run, COUNTED_SUBMITS, |_| ());
    run.flush();
    es_test_counted_submits(&run);
    run.close();
}

/// Counts what one warm submit executes, from the C call down: a key, two ids, a time
/// stamp, 64 bytes.
#[test]
fn a_warm_submit_takes_few_instructions() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        shared::not_run_without_tool("hot_path instructions", "valgrind is missing");
        return;
    }
    let folder = TemporaryFolder::new("callgrind");
    let record = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg("--toggle-collect=es_test_counted_submits")
        .arg(format!("--callgrind-out-file={}", record.display()))
        .arg(std::env::current_exe().expect("the test's own path"))
        .env("ES_ROLE", "instructions")
        .output()
        .expect("valgrind starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let total = text.lines().find_map(|line| line.split("Collected :").nth(1));
    let total: u64 = total.expect("a total").trim().parse().expect("a number");
    let each = total / COUNTED_SUBMITS;
    eprintln!("a warm submit takes {each} instructions in this profile");
    assert!((100..INSTRUCTIONS_MAX).contains(&each), "{each} instructions a submit");
}
