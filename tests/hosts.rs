//! Hosts that behave badly: each habit is a C program of `hosts/`, run plain and under valgrind.
//!
//! They judge the library themselves and end with the first thing that does not hold. What forks
//! do is in `fork.rs`. `tests/sanitizers.sh` runs the same programs over a library that is
//! instrumented with AddressSanitizer and with ThreadSanitizer.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::c_program;
use common::shared::not_run_without_tool;
use common::temporary::TemporaryFolder;

/// A host, and the least number of things that it checks at full size.
struct Host {
    name: &'static str,
    checks: u64,
    /// How much of its load it makes under valgrind, in percent.
    valgrind_percent: u32,
}

const HOSTS: [Host; 7] = [
    Host { name: "exit", checks: 100, valgrind_percent: 15 },
    Host { name: "load", checks: 4_000, valgrind_percent: 5 },
    Host { name: "orders", checks: 2_000, valgrind_percent: 25 },
    Host { name: "producers", checks: 1_500_000, valgrind_percent: 2 },
    Host { name: "scribble", checks: 5_000, valgrind_percent: 4 },
    Host { name: "signals", checks: 1_000, valgrind_percent: 4 },
    Host { name: "threads", checks: 5_000, valgrind_percent: 10 },
];

const VALGRIND: [&str; 5] = [
    "valgrind",
    "--quiet",
    "--error-exitcode=99",
    "--child-silent-after-fork=yes",
    "--leak-check=no",
];

fn folder_of_hosts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts")
}

/// Compiles a host. The one that loads the library on its own is not linked to it.
fn build(name: &str, folder: &Path) -> PathBuf {
    let source = folder_of_hosts().join(name).with_extension("c");
    if name != "load" {
        return c_program::build(&source, "c11", folder, &["-D_GNU_SOURCE", "-g"]);
    }
    let program = folder.join(name);
    let mut command = c_program::compiler("c11");
    command.args(["-D_GNU_SOURCE", "-g"]).arg(&source).args(["-lpthread", "-ldl", "-o"]);
    c_program::succeed(command.arg(&program));
    program
}

/// Runs a host and answers how many things it checked. Its standard error is its own: nothing of
/// the library may stand there.
fn run(name: &str, backend: &str, percent: u32, under: &[&str]) -> Option<u64> {
    for tool in std::iter::once("gcc").chain(under.first().copied()) {
        if !c_program::has_tool(tool) {
            not_run_without_tool(&format!("host {name}"), tool);
            return None;
        }
    }
    let folder = TemporaryFolder::new(name);
    let program = build(name, folder.path());
    let mut words = under.iter().map(std::ffi::OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().expect("the program at least"));
    command.args(words).arg(folder.path().join("base")).arg(percent.to_string());
    command.env("ES_HOST_BACKEND", backend);
    if name == "load" {
        command.arg(c_program::library());
    }
    let output = c_program::succeed(&mut command);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}: stderr is the host's");
    eprint!("{printed}");
    let last = printed.lines().last().and_then(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let checks = last.and_then(|rest| rest.strip_suffix(" checks")?.parse().ok());
    Some(checks.unwrap_or_else(|| panic!("{name} does not end with its count: {printed}")))
}

fn run_plain(name: &str) {
    run_over(name, "redb");
}

fn run_over(name: &str, backend: &str) {
    let host = HOSTS.iter().find(|host| host.name == name).expect("in the table");
    if let Some(checks) = run(name, backend, 100, &[]) {
        assert!(checks >= host.checks, "{name}: only {checks} things were checked");
    }
}

/// exit() from another thread while producers submit: the process goes, and what it was told is
/// durable is there; with a close at exit the run is sealed.
#[test]
fn exit_amid_submits_loses_nothing_told() {
    run_plain("exit");
}

/// dlopen and dlclose in a loop, all freed or a run open: the library stays loaded, once.
#[test]
fn unloading_unloads_nothing_that_runs() {
    run_plain("load");
}

/// A run, two readers and a report, freed in all 24 orders, closed before and not.
#[test]
fn handles_are_freed_in_every_order() {
    run_plain("orders");
}

/// Exits, frees and signals over a log, whose second thread prepares segments meanwhile.
#[test]
fn habits_harm_no_log() {
    for name in ["exit", "orders", "signals"] {
        run_over(name, "log");
    }
}

/// Eight producers at once, over each backend: every seq is accounted for, each one's own order is kept.
#[test]
fn eight_producers_keep_their_orders() {
    run_plain("producers");
}

/// A buffer that changes during a submit is stored as some mixture, valid in itself, or refused.
#[test]
fn scribbled_buffers_harm_nobody() {
    run_plain("scribble");
}

/// Signals without SA_RESTART, hundreds during each kind of wait, change no answer.
#[test]
fn interrupted_waits_go_on() {
    run_plain("signals");
}

/// A thousand threads that live for a submit or two leave nothing behind.
#[test]
fn short_threads_leave_nothing() {
    run_plain("threads");
}

/// All of them, smaller, with every read and write of the library checked by valgrind.
#[test]
fn hosts_are_clean_under_valgrind() {
    for host in &HOSTS {
        run(host.name, "redb", host.valgrind_percent, &VALGRIND);
    }
}

/// No host of the folder is left out of the table, nor of the sanitizers' script.
#[test]
fn every_host_is_run() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sanitizers.sh");
    let script = fs::read_to_string(script).expect("the script");
    let listed = script.lines().find_map(|line| line.strip_prefix("hosts=\"")?.strip_suffix('"'));
    let listed: Vec<&str> = listed.expect("the script's list").split(' ').collect();
    let mut names = Vec::new();
    for item in fs::read_dir(folder_of_hosts()).expect("the folder of the hosts") {
        let path = item.expect("a listed file").path();
        if path.extension().is_some_and(|extension| extension == "c") {
            names.push(path.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    names.sort();
    assert_eq!(names, HOSTS.map(|host| host.name));
    assert_eq!(names, listed);
}
