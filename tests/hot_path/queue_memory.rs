//! What an engine may ask for at open, so that nothing of its queue is slow later: memory that is
//! there (prefault) and stays (lock), and a processor for the writer. Counted in a process each.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use eventstore::ffi::constants::{ES_BACKEND_MEMORY, ES_OPEN_LOCK_MEMORY, ES_OPEN_PREFAULT};
use eventstore::ffi::open::es_open_options;
use eventstore::ffi::status::{ES_ERR_BACKEND, ES_ERR_OUT_OF_MEMORY};

use crate::c_run::{CRun, open_options};
use crate::common::allocation::allocations;
use crate::common::process::{self, Finished, say, told, told_number};
use crate::common::temporary::TemporaryFolder;

const QUEUE_ENTRIES: u64 = 1024;
/// 1,024 bytes an entry.
const QUEUE_BYTES: u64 = 1 << 20;
/// Of the queue's buffers and slots; what describes each buffer comes on top.
const LOCKED_KIB_MIN: u64 = (QUEUE_BYTES + QUEUE_ENTRIES * 16) / 1024;

/// The roles of this file.
pub(crate) fn play(role: &str) {
    match role {
        "first-submits" => count_first_submits(),
        "locked" => lock_and_free(),
        "lock-refused" => lock_beyond_the_limit(),
        "no-memory" => open_without_memory(),
        "writer-cpu" => say_where_the_writer_runs(),
        other => panic!("no role is called {other}"),
    }
}

fn small_queue(flags: u32) -> es_open_options {
    es_open_options {
        flags,
        queue_entries: QUEUE_ENTRIES,
        queue_bytes: QUEUE_BYTES,
        ..open_options()
    }
}

fn child(role: &str, told: &[(&str, u64)]) -> Finished {
    let mut command = process::command(role);
    command.envs(told.iter().map(|(name, value)| (name, value.to_string())));
    Finished::of(command).expect_success()
}

/// Fills the queue once, with nothing warm, and says what that allocated.
fn count_first_submits() {
    let base = TemporaryFolder::new("first-submits");
    let options = es_open_options {
        backend: ES_BACKEND_MEMORY,
        ..small_queue(told_number("ES_FLAGS") as u32)
    };
    let run =
        CRun::open_with(&options, base.path()).unwrap_or_else(|error| panic!("{}", error.code));
    let payload = vec![7; told_number("ES_PAYLOAD") as usize];
    let before = allocations();
    for _ in 0..QUEUE_ENTRIES / 2 {
        run.submit_payload(&payload);
    }
    say(&format!("allocations {}", allocations() - before));
    run.close();
}

/// A prefaulted queue has its memory: all of `queue_bytes`, a share for each entry. One that is
/// not allocates for each first submit, so the count sees it.
#[test]
fn first_submits_into_a_prefaulted_queue_allocate_nothing() {
    let count = |flags: u32, payload_bytes: u64| -> u64 {
        let said = child(
            "first-submits",
            &[("ES_FLAGS", u64::from(flags)), ("ES_PAYLOAD", payload_bytes)],
        );
        said.said("allocations").parse().expect("a number")
    };
    assert_eq!(count(ES_OPEN_PREFAULT, 64), 0);
    assert_eq!(count(ES_OPEN_PREFAULT, 900), 0);
    assert_eq!(count(ES_OPEN_LOCK_MEMORY, 900), 0);
    let cold = count(0, 64);
    assert!(cold > 1, "{cold} allocations of a cold queue");
}

/// A number of kibibytes that the kernel says of this process.
fn locked_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("VmLck");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Says how much is locked before, while each of two runs lives, in a child with a run of its own,
/// and at the end.
fn lock_and_free() {
    let [one, two, three] = ["locked-1", "locked-2", "locked-3"].map(TemporaryFolder::new);
    let flags = told_number("ES_FLAGS") as u32;
    let open = |base: &TemporaryFolder| {
        CRun::open_with(&small_queue(flags), base.path())
            .unwrap_or_else(|error| panic!("{}", error.code))
    };
    let say_locked = |when: &str| say(&format!("{when} {}", locked_kib()));
    say_locked("before");
    let first = open(&one);
    say_locked("first");
    let second = open(&two);
    say_locked("both");
    in_a_child(|| {
        say_locked("child");
        let own = open(&three);
        say_locked("child-own");
        drop(own);
        wait_until(|| locked_kib() == 0);
        say_locked("child-after");
    });
    say_locked("still");
    for _ in 0..4 * QUEUE_ENTRIES {
        while first.queue_entries() > QUEUE_ENTRIES / 2 {
            std::thread::yield_now();
        }
        first.submit();
    }
    assert_eq!(first.close(), 4 * QUEUE_ENTRIES + 1);
    drop(first);
    // The writer's thread may be the last that holds it.
    wait_until(|| locked_kib() < 2 * LOCKED_KIB_MIN || flags == 0);
    say_locked("second");
    drop(second);
    wait_until(|| locked_kib() == 0);
    say_locked("after");
}

/// Does this in a forked child, which must end well.
fn in_a_child(what: impl FnOnce()) {
    // SAFETY: the child does what any host may after a fork, and never returns from here.
    let child = unsafe { libc::fork() };
    if child == 0 {
        what();
        // SAFETY: ends the process, nothing else.
        unsafe { libc::_exit(0) };
    }
    let mut status = -1;
    // SAFETY: `status` is a valid place for the answer.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
}

fn wait_until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The kernel counts a locked queue as locked, for each run, until the run is freed; without the
/// flag it counts nothing.
#[test]
fn locked_queue_stays_in_memory_until_the_run_is_freed() {
    let locked = child("locked", &[("ES_FLAGS", u64::from(ES_OPEN_LOCK_MEMORY))]);
    let kib = |when| locked.last_number(when).expect("it said so");
    eprintln!("VmLck, KiB: {:?}", locked.lines);
    assert_eq!((kib("before"), kib("after")), (0, 0));
    // A child inherits no lock, may lock, and unlocks nothing of its parent's.
    assert_eq!((kib("child"), kib("child-after"), kib("still")), (0, 0, kib("both")));
    assert!(kib("child-own") >= LOCKED_KIB_MIN, "{}", kib("child-own"));
    assert!(kib("first") >= LOCKED_KIB_MIN, "{}", kib("first"));
    assert!(kib("both") >= 2 * LOCKED_KIB_MIN, "{}", kib("both"));
    assert!(kib("second") >= LOCKED_KIB_MIN, "{}", kib("second"));
    let plain = child("locked", &[("ES_FLAGS", u64::from(ES_OPEN_PREFAULT))]);
    assert_eq!(plain.last_number("both"), Some(0));
}

/// From here on the limit counts for this thread, root's or not.
fn give_up_the_right_to_lock(limit_bytes: u64) {
    const VERSION_3: u32 = 0x2008_0522;
    const CAP_IPC_LOCK: u32 = 14;
    let mut header = [VERSION_3, 0];
    // Effective, permitted, inheritable; then the same for the higher numbers.
    let mut sets = [0_u32; 6];
    // SAFETY: both are as large as this version of the call says.
    let read = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    assert_eq!(read, 0);
    sets[0] &= !(1 << CAP_IPC_LOCK);
    // SAFETY: as above.
    let written = unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) };
    assert_eq!(written, 0);
    let limit = libc::rlimit { rlim_cur: limit_bytes, rlim_max: limit_bytes };
    // SAFETY: `limit` is a valid place.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) }, 0);
}

fn lock_beyond_the_limit() {
    let base = TemporaryFolder::new("lock-refused");
    give_up_the_right_to_lock(told_number("ES_LIMIT"));
    let Err(error) = CRun::open_with(&small_queue(ES_OPEN_LOCK_MEMORY), base.path()) else {
        return say("opened");
    };
    say(&format!("code {}", error.code));
    say(&format!("errno {}", error.os_errno));
    let text: Vec<u8> = error.message.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    say(&format!("message {}", String::from_utf8(text).expect("UTF-8")));
    say(&format!("locked {}", locked_kib()));
    say(&format!("left {}", is_folder_used(base.path())));
    // The name is still free.
    let run = CRun::open_with(&small_queue(0), base.path());
    run.unwrap_or_else(|error| panic!("{}", error.code)).close();
}

fn is_folder_used(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut items| items.next().is_some())
}

/// Where the kernel refuses, opening fails, says which limit it was and what that allows, and
/// leaves neither locked memory nor a run; within the limit it opens.
#[test]
fn lock_beyond_the_limit_is_refused_by_name_and_leaves_nothing() {
    for limit in [65_536, 0] {
        let refused = child("lock-refused", &[("ES_LIMIT", limit)]);
        eprintln!("{}", refused.said("message"));
        let errno = if limit == 0 { libc::EPERM } else { libc::ENOMEM };
        assert_eq!(refused.said("code"), ES_ERR_BACKEND.to_string());
        assert_eq!(refused.said("errno"), errno.to_string());
        let named = format!("RLIMIT_MEMLOCK: {limit};");
        assert!(refused.said("message").contains(&named), "{}", refused.said("message"));
        assert_eq!((refused.said("locked"), refused.said("left")), ("0", "false"));
    }
    let opened = child("lock-refused", &[("ES_LIMIT", 8 << 20)]);
    assert_eq!(opened.lines, ["opened"]);
}

/// Opens the largest queue where no more than 16 MiB can be had.
fn open_without_memory() {
    let base = TemporaryFolder::new("no-memory");
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = statm.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    let most = pages * 4096 + (16 << 20);
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: `limit` is a valid place.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    let options = es_open_options {
        queue_entries: told_number("ES_ENTRIES"),
        flags: told_number("ES_FLAGS") as u32,
        backend: ES_BACKEND_MEMORY,
        ..open_options()
    };
    match CRun::open_with(&options, base.path()) {
        Ok(_) => say("opened"),
        Err(error) => say(&format!("code {}", error.code)),
    }
}

/// A queue for which there is no memory is refused; the host lives.
#[test]
fn queue_without_memory_is_refused() {
    let most_entries = (1 << 21) - 1;
    for (entries, flags) in [(most_entries, 0), (65_536, ES_OPEN_PREFAULT)] {
        let told = [("ES_ENTRIES", entries), ("ES_FLAGS", u64::from(flags))];
        let refused = child("no-memory", &told);
        assert_eq!(refused.said("code"), ES_ERR_OUT_OF_MEMORY.to_string());
    }
}

/// The processors that a thread of this process may run on, as the kernel writes them.
fn processors_of(task: &Path) -> String {
    let status = fs::read_to_string(task.join("status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.expect("its processors").trim().to_owned()
}

fn say_where_the_writer_runs() {
    let base = TemporaryFolder::new("writer-cpu");
    let writer_cpu: u32 = told("ES_CPU").parse().expect("a number");
    let options = es_open_options { writer_cpu, ..small_queue(0) };
    let run =
        CRun::open_with(&options, base.path()).unwrap_or_else(|error| panic!("{}", error.code));
    run.submit();
    run.flush(); // with a processor of its own the writer did it, so it is bound
    // Without one this thread may have: the writer's need not have begun.
    let is_writer = |task: &Path| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "es-writer")
    };
    let tasks = || {
        fs::read_dir("/proc/self/task").expect("Linux").map(|task| task.expect("a thread").path())
    };
    let since = Instant::now();
    while !tasks().any(|task| is_writer(&task)) && since.elapsed() < Duration::from_secs(10) {
        std::thread::yield_now();
    }
    for task in tasks() {
        let who = if is_writer(&task) { "writer" } else { "host" };
        say(&format!("{who} {}", processors_of(&task)));
    }
    run.close();
}

/// The writer, and it alone, is bound to the processor asked for; to none when none was, or one
/// that is not there.
#[test]
fn writer_is_bound_to_its_processor() {
    let own = processors_of(Path::new("/proc/self"));
    let last: u64 = own.rsplit([',', '-']).next().and_then(|cpu| cpu.parse().ok()).expect("a list");
    for (asked, writer) in [(last + 1, last.to_string()), (0, own.clone()), (60_000, own.clone())] {
        let said = child("writer-cpu", &[("ES_CPU", asked)]);
        assert_eq!((said.said("writer"), said.said("host")), (writer.as_str(), own.as_str()));
    }
}
