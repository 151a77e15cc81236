//! An ingest that is killed or interrupted leaves a run that recovery seals and that holds a
//! prefix of what was given to it, up to what was said to be durable.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Folder, INSTANCE, Ran, closed_pipe, command, numbered_line, run};

/// Each backend that keeps files, and how its runs end.
const BACKENDS: [(&str, &str); 2] = [("redb", "redb"), ("log", "eslog")];

/// An ingest from standard input over a backend.
fn ingest_over(base: &Folder, backend: &str) -> Command {
    let mut ingest = command();
    ingest.args(["ingest", "--base"]).arg(base.path());
    ingest.args(["--instance", INSTANCE, "--run-id", "r-1", "--backend", backend, "-"]);
    ingest
}

/// The only run of an instance.
fn run_path(base: &Folder, ending: &str) -> PathBuf {
    base.join(INSTANCE).join(format!("r-1.{ending}"))
}

/// An ingest that is fed numbered lines until it dies.
fn fed_ingest(base: &Folder, backend: &str) -> (Child, thread::JoinHandle<()>) {
    let mut ingest = ingest_over(base, backend)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = ingest.stdin.take().unwrap();
    let feeder = thread::spawn(move || {
        // Ends with the broken pipe that the child leaves.
        for number in 1.. {
            if stdin.write_all(numbered_line(number).as_bytes()).is_err() {
                break;
            }
        }
    });
    (ingest, feeder)
}

/// Waits until an ingest listens for every signal that it heeds.
fn wait_for_handlers(ingest: &Child) {
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", ingest.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        let is_caught = |signal: Signal| caught & (1 << (signal.as_raw() - 1)) != 0;
        if [Signal::INT, Signal::TERM, Signal::HUP].into_iter().all(is_caught) {
            return;
        }
        thread::yield_now();
    }
}

/// Waits for the run, lets it grow for a while, and sends the signal.
fn strike(ingest: &Child, path: &Path, after: Duration, signal: Signal) {
    while !path.exists() {
        thread::yield_now();
    }
    thread::sleep(after);
    let process = Pid::from_raw(i32::try_from(ingest.id()).unwrap()).unwrap();
    kill_process(process, signal).unwrap();
}

/// Recovers, and answers how many entries the sealed run holds: a prefix of the input, each whole.
fn recovered_prefix(base: &Folder, ending: &str) -> u64 {
    let swept =
        run(&[&"recover", &"--base", &base.path(), &"--instance", &INSTANCE, &"--json"]).done();
    assert_eq!(swept.objects()[0]["sealed_as"], "CrashedRecovered", "{swept:?}");
    assert_eq!(swept.objects()[1]["parent_run_id"], "r-1");
    let path = run_path(base, ending);
    run(&[&"verify", &path]).done();
    let dumped = run(&[&"dump", &"--json", &path]).done().objects();
    for (number, entry) in (1_u64..).zip(&dumped[1..]) {
        let payload: String = number.to_string().bytes().map(|b| format!("{b:02x}")).collect();
        assert_eq!((&entry["seq"], &entry["payload_hex"]), (&number.into(), &payload.into()));
    }
    dumped.len() as u64 - 1
}

/// SIGKILL at any moment: what is there is a prefix.
#[test]
fn killed_ingest_leaves_a_prefix() {
    for (backend, ending) in BACKENDS {
        let mut longest = 0;
        for after_ms in [0, 1, 4, 11, 37, 90, 160] {
            let base = Folder::new("killed");
            let (mut ingest, feeder) = fed_ingest(&base, backend);
            let path = run_path(&base, ending);
            strike(&ingest, &path, Duration::from_millis(after_ms), Signal::KILL);
            ingest.wait().unwrap();
            feeder.join().unwrap();
            longest = longest.max(recovered_prefix(&base, ending));
        }
        assert!(longest > 100, "{backend}: only {longest} entries were written before a kill");
    }
}

/// SIGINT and SIGTERM leave the run `Running`, say how far it came, and end the process as the
/// signal does; what was said to be durable is there.
#[test]
fn interrupted_ingest_leaves_what_it_says() {
    let blows = [(30, Signal::INT), (90, Signal::INT), (55, Signal::TERM)];
    for ((after_ms, signal), (backend, ending)) in
        blows.into_iter().flat_map(|blow| BACKENDS.map(|backend| (blow, backend)))
    {
        let base = Folder::new("was interrupted");
        let (mut ingest, feeder) = fed_ingest(&base, backend);
        let path = run_path(&base, ending);
        wait_for_handlers(&ingest);
        strike(&ingest, &path, Duration::from_millis(after_ms), signal);
        let status = ingest.wait().unwrap();
        feeder.join().unwrap();
        let ended_by = status.signal();
        assert_eq!(ended_by, Some(signal.as_raw()), "{status}");
        let mut line = String::new();
        ingest.stderr.take().unwrap().read_to_string(&mut line).unwrap();
        assert_eq!(line.lines().count(), 1, "{line}");
        let recover = format!("eventstore recover --base '{}'", base.path().display());
        assert!(line.contains(&recover), "{line}");
        let words: Vec<&str> = line.split(' ').collect();
        let at = words.iter().position(|word| *word == "entries").expect("a count of entries");
        let durable: u64 = words[at - 1].parse().unwrap();
        let listed = run(&[&"runs", &"--base", &base.path(), &"--json"]).done().object();
        assert_eq!((&listed["status"], &listed["held"]), (&"Running".into(), &false.into()));
        // The entry that was being submitted when the signal came may follow what was said.
        let found = recovered_prefix(&base, ending);
        assert!((durable..=durable + 1).contains(&found), "{found} found, {line}");
    }
}

/// A signal while the input is silent is heeded too, and no line was lost.
#[test]
fn interrupt_is_heeded_while_the_input_is_silent() {
    for (backend, ending) in BACKENDS {
        interrupt_silent_ingest(backend, ending, Stdio::null());
    }
}

/// The terminal that a signal came with may be gone: the ingest ends and frees its instance without
/// anybody to tell.
#[test]
fn interrupt_is_heeded_though_nobody_hears_of_it() {
    for (backend, ending) in BACKENDS {
        interrupt_silent_ingest(backend, ending, closed_pipe().into());
    }
}

/// How a process ended; one that does not end is killed, and the test fails.
fn ended_by_itself(process: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
        thread::sleep(Duration::from_millis(10));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    panic!("still alive 20 s after the signal");
}

fn interrupt_silent_ingest(backend: &str, ending: &str, stderr: Stdio) {
    let base = Folder::new("silent");
    let mut ingest = ingest_over(&base, backend)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let mut stdin = ingest.stdin.take().unwrap();
    let lines: String = (1..=10).map(numbered_line).collect();
    stdin.write_all(lines.as_bytes()).unwrap();
    // More empty lines than pipe and buffer hold: once all are written, the ten before are taken.
    stdin.write_all(&[b'\n'; 1 << 20]).unwrap();
    strike(&ingest, &run_path(&base, ending), Duration::from_millis(20), Signal::INT);
    let status = ended_by_itself(&mut ingest);
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{status}");
    assert_eq!(recovered_prefix(&base, ending), 10);
}

/// A disk that takes no more ends the ingest with the reason; what was acknowledged is there.
#[test]
fn full_disk_ends_the_ingest_and_keeps_what_was_durable() {
    for (backend, ending) in BACKENDS {
        fill_disk(backend, ending);
    }
}

fn fill_disk(backend: &str, ending: &str) {
    /// Several times what fits.
    const LINES: u64 = 300_000;
    let base = Folder::new("full_disk");
    // A limit on the size of files stands for the full disk.
    let mut limited = Command::new("sh")
        .args(["-c", "ulimit -f 16384 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_eventstore")])
        .args(["ingest", "--json", "--base"])
        .arg(base.path())
        .args(["--instance", INSTANCE, "--run-id", "r-1", "--backend", backend, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = limited.stdin.take().unwrap();
    let feeder = thread::spawn(move || {
        let lines: String = (1..=LINES).map(numbered_line).collect();
        // Refused once the ingest has ended.
        let _ = stdin.write_all(lines.as_bytes());
    });
    let ran = Ran::from(limited.wait_with_output().unwrap());
    feeder.join().unwrap();
    let line = ran.failed(2);
    assert!(line.contains("File too large") && line.contains("eventstore recover"), "{line}");
    assert_eq!(ran.stdout, "");
    let words: Vec<&str> = line.split(' ').collect();
    let at = words.iter().position(|word| *word == "durable").expect("a count of entries");
    let durable: u64 = words[at - 1].parse().unwrap();
    let kept = recovered_prefix(&base, ending);
    // A group has 8,192 entries at most: some were durable before one did not fit.
    assert!(durable >= 100 && kept >= durable && kept < LINES, "{kept} kept, said {durable}");
}
