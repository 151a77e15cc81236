//! `tail`: entries as they come from a run that another process writes, and how it ends.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use eventstore::entry::Draft;
use eventstore::manifest::RunManifest;
use eventstore::store::{BackendKind, OpenOptions, open_run};
use eventstore::writer::{CloseOptions, Run};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Folder, INSTANCE, Ran, command, numbered_run, run, run_with_input};

/// A run that this test writes; the command, another process, follows it.
fn written(base: &Folder, backend: BackendKind) -> (Run, PathBuf) {
    let manifest = RunManifest::new("live", INSTANCE, 1);
    let options = OpenOptions { backend, halt_after_ns: u64::MAX, ..OpenOptions::default() };
    let run = open_run(base.path(), &manifest, options).unwrap();
    let path = run.path().unwrap().to_path_buf();
    (run, path)
}

fn append(run: &Run, count: u64) {
    let draft =
        Draft { topic: "orders", payload_type: "text", payload: b"buy", ..Draft::default() };
    for _ in 0..count {
        run.append_batch(&[draft], 0).unwrap();
    }
}

/// The command, following, its output read line by line.
struct Following {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Following {
    fn start(arguments: &[&dyn AsRef<OsStr>]) -> Self {
        let mut command: Command = command();
        command.arg("tail").args(arguments.iter().map(|argument| argument.as_ref()));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    fn object(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"))
    }

    fn interrupt(&self) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process");
        kill_process(pid, Signal::INT).expect("a child of ours");
    }

    /// What it printed besides, and how it ended.
    fn end(mut self) -> Ran {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.lines, &mut rest).expect("text");
        let mut ran = Ran::from(self.child.wait_with_output().expect("it ends"));
        ran.stdout = rest;
        ran
    }
}

/// Each entry is printed while the run is being written, in the form of `dump`; the seal ends it
/// with the sealed manifest, and what was printed feeds `ingest`.
#[test]
fn entries_are_printed_as_they_come_until_the_seal() {
    let base = Folder::new("tail-json");
    let (written, path) = written(&base, BackendKind::Log);
    let mut following = Following::start(&[&"--json", &path]);
    let mut printed = following.line();
    let head: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(head["manifest"]["status"], "Running");
    for seq in 1..=3 {
        append(&written, 1);
        let line = following.line();
        let entry: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&entry["seq"], &entry["topic"]), (&json!(seq), &json!("orders")));
        printed = format!("{printed}\n{line}");
    }
    written.close(&CloseOptions::default()).unwrap();
    let ran = following.end().done();
    let rest = ran.objects();
    assert_eq!((&rest[0]["seq"], &rest[0]["payload_type"]), (&json!(4), &json!("RunEnded")));
    assert_eq!(rest[1]["manifest"]["status"], "Ended");
    assert_eq!((&rest[1]["manifest"]["high_watermark"], rest.len()), (&json!(4), 2));
    let dumped = run(&[&"dump", &"--json", &path]).done();
    let entries: Vec<&str> = dumped.stdout.lines().skip(1).collect();
    let printed = format!("{printed}\n{}", ran.stdout);
    let tailed: Vec<&str> = printed.lines().skip(1).collect();
    assert_eq!(tailed[..4], entries[..], "the lines of dump");
    let again: [&dyn AsRef<OsStr>; 8] =
        [&"ingest", &"--base", &base.path(), &"--instance", &"other", &"--run-id", &"again", &"-"];
    run_with_input(&again, &printed).done();
}

/// A table for people, from a given entry on, with a last line on the seal.
#[test]
fn table_starts_where_asked_and_ends_with_the_seal() {
    let base = Folder::new("tail-table");
    let (written, path) = written(&base, BackendKind::Log);
    append(&written, 5);
    let mut following = Following::start(&[&"--from", &"5", &path]);
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.contains("orders")) {
        lines.push(following.line());
    }
    assert!(lines.last().unwrap().trim_start().starts_with("5 "), "{lines:?}");
    written.close(&CloseOptions::default()).unwrap();
    let ran = following.end().done();
    assert!(ran.stdout.lines().next().unwrap().contains("RunEnded"), "{ran:?}");
    assert_eq!(ran.stdout.lines().last(), Some("sealed Ended, 6 entries"));
}

/// A writer that is gone without sealing: what is durable is printed, then one line that names
/// recovery, which then works.
#[test]
fn writer_that_is_gone_ends_it_with_what_to_do() {
    let base = Folder::new("tail gone, it's");
    let (written, path) = written(&base, BackendKind::Log);
    append(&written, 2);
    let mut following = Following::start(&[&"--json", &path]);
    assert_eq!(following.object()["manifest"]["run_id"], "live");
    assert_eq!(following.object()["seq"], 1);
    drop(written);
    let ran = following.end();
    let line = ran.failed(2).to_owned();
    assert!(line.contains("its writer is gone") && line.contains("2 entries"), "{line}");
    let command = line.split('`').nth(1).expect("a command");
    let pasted = command.replacen("eventstore", "\"$0\"", 1);
    let shell = Command::new("sh").args(["-c", &pasted, env!("CARGO_BIN_EXE_eventstore")]).output();
    Ran::from(shell.expect("the shell starts")).done();
    assert_eq!(run(&[&"tail", &"--json", &path]).done().objects().len(), 3);
}

/// Interrupted, or with nobody to read on, it ends as asked for, with whole lines.
#[test]
fn interrupt_and_closed_output_are_no_failures() {
    let base = Folder::new("tail-stop");
    let (written, path) = written(&base, BackendKind::Log);
    append(&written, 1);
    let mut following = Following::start(&[&"--json", &path]);
    following.object();
    assert_eq!(following.object()["seq"], 1);
    following.interrupt();
    assert_eq!(following.end().done().stdout, "");
    let mut following = Following::start(&[&"--json", &path]);
    following.object();
    let Following { child, lines } = following;
    drop(lines);
    let ran = Ran::from(child.wait_with_output().expect("it ends by itself"));
    assert_eq!((ran.status, &*ran.stderr), (Some(0), ""));
    written.close(&CloseOptions::default()).unwrap();
}

/// A redb run that is being written cannot be followed, and the line says what can; sealed, it is
/// printed as `dump` prints it.
#[test]
fn redb_run_is_refused_until_it_is_sealed() {
    let base = Folder::new("tail-redb");
    let (written, path) = written(&base, BackendKind::Redb);
    let refused = run(&[&"tail", &path]);
    assert!(refused.failed(2).contains("log backend"), "{refused:?}");
    written.close(&CloseOptions::default()).unwrap();
    let sealed = numbered_run(base.path(), "sealed", 3);
    let tailed = run(&[&"tail", &"--json", &sealed]).done();
    assert_eq!(tailed.stdout, run(&[&"dump", &"--json", &sealed]).done().stdout);
    let tailed = run(&[&"tail", &sealed]).done();
    assert_eq!(tailed.stdout, run(&[&"dump", &sealed]).done().stdout);
    let missing = run(&[&"tail", &base.join("nothing")]);
    assert!(missing.failed(2).contains("nothing"), "{missing:?}");
    let none = run(&[&"tail", &"--from", &"0", &sealed]);
    assert_eq!(none.status, Some(2));
}
