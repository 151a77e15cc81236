//! A host that forks: the child can neither use, nor harm, nor hold what its parent opened.
//!
//! The host is a C program over the shared library (`fork/host.c`), as in life: no Rust code in
//! it knows of the fork. A third process tells who holds the locks.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::process::{Finished, Running};
use common::temporary::TemporaryFolder;
use common::{c_program, shared};

/// The compiled host and a base for its runs; `None`, and said so, without a compiler.
struct Host {
    program: PathBuf,
    folder: TemporaryFolder,
    backend: &'static str,
}

const BACKENDS: [&str; 2] = ["redb", "log"];

impl Host {
    fn build(test: &str, backend: &'static str) -> Option<Self> {
        if !c_program::has_tool("gcc") {
            shared::not_run_without_tool(test, "there is no C compiler");
            return None;
        }
        let folder = TemporaryFolder::new("fork");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fork/host.c");
        let program = c_program::build(&source, "c11", folder.path(), &[]);
        Some(Self { program, folder, backend })
    }

    /// The same under valgrind, errors of the child's too.
    fn command_checked(&self, way: &str) -> Command {
        let mut command = Command::new("valgrind");
        command.args(["--quiet", "--error-exitcode=99", "--leak-check=no"]);
        command.arg("--child-silent-after-fork=yes");
        command.arg(&self.program).arg(way).arg(self.base()).arg(self.backend);
        command
    }

    fn base(&self) -> PathBuf {
        self.folder.path().join("base")
    }

    fn command(&self, way: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(way).arg(self.base()).arg(self.backend);
        command
    }

    fn third_process(&self) -> Finished {
        Finished::of(self.command("third")).expect_success()
    }

    fn file_bytes(&self) -> Vec<u8> {
        let instance = self.base().join("trader-007");
        if self.backend == "redb" {
            return fs::read(instance.join("run.redb")).expect("the run's file");
        }
        let files = fs::read_dir(instance.join("run.eslog")).expect("the run's directory");
        let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
        paths.sort();
        paths.iter().flat_map(|path| fs::read(path).expect("the run's file")).collect()
    }
}

fn over_each_backend(test: &str, check: fn(&Host)) {
    for backend in BACKENDS {
        if let Some(host) = Host::build(test, backend) {
            check(&host);
        }
    }
}

/// The functions of the header that take a handle which somebody else made.
fn calls_on_handles() -> BTreeSet<String> {
    let header = fs::read_to_string(c_program::include_folder().join("eventstore.h"));
    let header = header.expect("the header");
    let declarations = header.split(';').filter_map(|text| text.rsplit_once("es_status es_"));
    let handles = ["struct es_run *", "struct es_reader *", "struct es_report *"];
    let on_handles = declarations.filter_map(|(_, declaration)| {
        let (name, parameters) = declaration.split_once('(')?;
        let is_handle = |parameter: &str| {
            let name = handles.iter().find_map(|handle| parameter.strip_prefix(handle));
            name.is_some_and(|name| !name.starts_with('*'))
        };
        parameters
            .split(',')
            .any(|parameter| is_handle(parameter.trim()))
            .then(|| format!("es_{name}"))
    });
    on_handles.collect()
}

#[test]
fn every_call_of_a_child_answers_used_after_fork() {
    over_each_backend("fork calls", check_calls);
}

fn check_calls(host: &Host) {
    let finished = Finished::of(host.command("calls")).expect_success();
    let mut called = BTreeSet::new();
    for line in &finished.lines {
        if let Some(call) = line.strip_prefix("call ") {
            let (name, answer) = call.split_once(' ').expect("a name and an answer");
            assert_eq!(answer, "ES_ERR_USED_AFTER_FORK", "{name}");
            called.insert(name.to_owned());
        }
    }
    assert_eq!(called, calls_on_handles(), "each function that takes a handle is called");
    assert!(called.len() > 28, "{called:?}");
    for call in ["second", "crashed"] {
        let answers: Vec<&str> =
            finished.lines.iter().filter_map(|line| line.strip_prefix(call)).collect();
        assert_eq!(answers, [" ES_ERR_LOCKED"; 2], "{call}: before and after it frees its copies");
    }
    assert_eq!(finished.last("own"), Some(""), "a child may open runs of its own");
    // The parent appended ten before and ten after, and `RunEnded` follows.
    assert_eq!(finished.said("closed"), "1 21");
}

/// A process that outlives the one that started it, ended with the test.
struct KilledAtEnd(i32);

impl Drop for KilledAtEnd {
    fn drop(&mut self) {
        // SAFETY: a process of this test, which nobody but the system waits for, and only once it
        // is dead: the number is still its own.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }
}

/// Whatever way a child goes, with `exit` and the library's own destructors too, the parent's file
/// and locks stay as they were.
#[test]
fn children_that_leave_harm_nothing() {
    over_each_backend("fork leave", check_leaving);
}

fn check_leaving(host: &Host) {
    let mut command = host.command("leave");
    command.stdin(Stdio::piped());
    let mut running = Running::start_with_input(command);
    let mut input = running.child.stdin.take().expect("piped");
    running.wait_for("ready");
    let before = host.file_bytes();
    input.write_all(b"\n").expect("the host reads");
    let listed = running.wait_for("left");
    assert!(listed.len() >= 3, "a started program has its own descriptors: {listed:?}");
    let inherited = listed.iter().find(|line| line.contains("trader-007"));
    assert_eq!(inherited, None, "no descriptor of the store is inherited");
    assert!(before == host.file_bytes(), "no child wrote");
    let third = host.third_process();
    assert_eq!(third.said("open"), "ES_ERR_LOCKED", "no child gave up the parent's lock");
    assert_eq!(third.said("crashed"), "ES_ERR_LOCKED");
    assert!(before == host.file_bytes(), "nobody wrote");
    input.write_all(b"\n").expect("the host reads");
    assert_eq!(running.finish().expect_success().said("closed"), "1 21");
}

#[test]
fn a_living_parent_keeps_others_out_and_a_dead_one_does_not() {
    over_each_backend("fork stay", check_staying);
}

fn check_staying(host: &Host) {
    let mut running = Running::start(host.command("stay"));
    let child = running.line().expect("a line");
    let child = child.strip_prefix("child ").expect("the child").parse().expect("a number");
    let _grandchild = KilledAtEnd(child);
    running.wait_for("forked");
    let before = host.file_bytes();
    let third = host.third_process();
    assert_eq!(third.said("open"), "ES_ERR_LOCKED", "parent and child live");
    running.kill();
    running.child.wait().expect("a child of ours");
    assert!(before == host.file_bytes(), "neither the child nor the kill wrote");
    let third = host.third_process();
    // SAFETY: signal 0 asks whether the process lives.
    assert_eq!(unsafe { libc::kill(child, 0) }, 0, "the child still lives");
    assert_eq!(third.said("open"), "ES_ERR_CRASHED_PREDECESSOR", "the dead parent's lock is gone");
    assert_eq!(third.said("crashed"), "ES_OK");
    assert_eq!(third.said("sealed"), "ES_OK 10");
}

#[test]
fn forks_amid_submits_reads_and_commits_hang_nobody() {
    over_each_backend("fork storm", check_storm);
}

fn check_storm(host: &Host) {
    let finished = Finished::of(host.command("storm")).expect_success();
    let closed = finished.said("closed");
    eprintln!("200 forks amid submits, reads and commits: closed {closed}");
    assert!(closed.starts_with("1 "), "{closed}");
}

/// Both sides of a fork read and write only what is theirs: every call in a child, and forks amid
/// work, with each access of the library checked.
#[test]
fn forks_are_clean_under_valgrind() {
    if !c_program::has_tool("valgrind") {
        return shared::not_run_without_tool("forks_are_clean_under_valgrind", "no valgrind");
    }
    over_each_backend("fork valgrind", check_memory);
}

fn check_memory(host: &Host) {
    for (way, forks) in [("calls", "0"), ("storm", "3")] {
        let _ = fs::remove_dir_all(host.base());
        let mut command = host.command_checked(way);
        command.arg(forks);
        let finished = Finished::of(command).expect_success();
        assert!(finished.said("closed").starts_with("1 "), "{way}: {finished:?}");
    }
}
