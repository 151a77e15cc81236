//! Verify and runs: what is said of good, damaged, left and held runs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::harness::{
    Folder, INSTANCE, Ran, command, golden, keys_in_order, numbered_line, numbered_run, run,
};

const REPORT_KEYS: &str = "run_id status high_watermark entries_scanned clean findings";

/// The findings that FORMAT.md promises for each golden run, and not one byte written.
#[test]
fn verify_finds_what_is_wrong_with_each_golden_run() {
    let Some((base, runs)) = golden("golden_verify") else { return };
    for (id, expected) in &runs {
        let path = base.join(INSTANCE).join(format!("{id}.redb"));
        // Where a write is refused, one that was tried would show.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        let before = fs::read(&path).unwrap();
        let ran = run(&[&"verify", &"--json", &path]);
        assert_eq!(fs::read(&path).unwrap(), before, "{id}: changed");
        let findings = match &id[11..] {
            "ended001" | "empty001" => json!([]),
            "badhash1" => json!([
                {"kind": "hash_mismatch", "seq": 3},
                {"kind": "index_drift", "index": "VenueOrderId", "key": key_of(expected, 3),
                 "target": 3, "drift": "corrupted"},
            ]),
            "gap00001" => json!([{"kind": "gap", "from": 4, "to": 4}]),
            "moved001" => json!([{"kind": "seq_mismatch", "table_key": 2, "embedded_seq": 5}]),
            "drift001" => json!([{"kind": "index_drift", "index": "ClientOrderId", "key": "GHOST",
                                  "target": 99, "drift": "dangling"}]),
            _ => {
                assert!(ran.failed(2).contains("recover it first"), "{id}: {ran:?}");
                continue;
            }
        };
        let is_clean = findings == json!([]);
        assert_eq!((ran.status, &*ran.stderr), (Some(i32::from(!is_clean)), ""), "{id}");
        let report = ran.object();
        assert_eq!(report["findings"], findings, "{id}");
        assert_eq!(report["clean"], is_clean, "{id}");
        assert_eq!(report["run_id"], **id);
        assert_eq!(report["status"], expected["manifest"]["status"]);
        assert_eq!(report["high_watermark"], expected["manifest"]["high_watermark"]);
        assert_eq!(keys_in_order(&ran.stdout).join(" "), REPORT_KEYS);
        let said = run(&[&"verify", &path]).stdout;
        assert_eq!(said.contains("clean"), is_clean, "{said}");
    }
}

/// The venue order id that was handed in with an entry.
fn key_of(expected: &Value, seq: usize) -> Value {
    let keys = expected["entries"][seq - 1]["index_keys"].as_array().unwrap();
    keys.iter().find(|key| key[0] == "VenueOrderId").unwrap()[1].clone()
}

/// A run made here verifies clean; one byte changed in it does not, and the command survives.
#[test]
fn damage_anywhere_is_found_or_harmless() {
    let base = Folder::new("damage");
    let path = numbered_run(base.path(), "r-1", 40);
    let whole = fs::read(&path).unwrap();
    let clean = run(&[&"verify", &"--json", &path]).done().object();
    assert_eq!((&clean["clean"], &clean["entries_scanned"]), (&json!(true), &json!(41)));
    let dumped = run(&[&"dump", &"--json", &path]).done().stdout;
    let damaged_path = base.join("damaged.redb");
    let mut found = 0;
    // Most of a short run's file is empty; and every byte of a run is the library's own test.
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    for at in used.iter().copied().step_by(used.len() / 100) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&damaged_path, &damaged).unwrap();
        let ran = run(&[&"verify", &"--json", &damaged_path]);
        assert_eq!(fs::read(&damaged_path).unwrap(), damaged, "byte {at}: changed");
        match ran.status {
            Some(0) => {
                let read = run(&[&"dump", &"--json", &damaged_path]).done().stdout;
                assert!(read == dumped, "byte {at}: verified clean, reads differently");
            }
            Some(1) => {
                found += 1;
                assert_eq!(ran.object()["clean"], false, "byte {at}");
                assert_eq!(ran.stderr, "", "byte {at}");
            }
            _ => assert_eq!(ran.failed(2).lines().count(), 1, "byte {at}: {ran:?}"),
        }
    }
    assert!(found > 0, "no damage was found");
}

/// A file cut off in the middle is damage, in the report and in the status.
#[test]
fn truncated_run_is_damaged() {
    let base = Folder::new("cut_off");
    let path = numbered_run(base.path(), "r-1", 500);
    let whole = fs::read(&path).unwrap();
    for length in [9, 320, 4096, whole.len() / 2] {
        let cut = base.write("cut.redb", &whole[..length]);
        let ran = run(&[&"verify", &"--json", &cut]);
        assert_eq!(ran.status, Some(1), "{length}: {ran:?}");
        let report = ran.object();
        assert_eq!(report["findings"][0]["kind"], "damaged", "{length}: {report}");
        assert_eq!(report["clean"], false);
    }
}

/// Starts a verification of a run that takes a while.
fn slow_verification(base: &Folder, more: &[&str]) -> Child {
    let path = numbered_run(base.path(), "r-1", 60_000);
    command()
        .args(["verify", "--json"])
        .args(more)
        .arg(path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The verifying child of a process, once it is past its birth, in which its parent waits for it.
fn inspector_of(parent: u32) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let child: i32 = children.split_whitespace().next()?.parse().ok()?;
    let line = fs::read(format!("/proc/{child}/cmdline")).ok()?;
    let is_born = line.split(|byte| *byte == 0).any(|word| word == b"inspect");
    is_born.then(|| Pid::from_raw(child)).flatten()
}

/// The same, waited for.
fn inspector(verifier: &Child) -> Pid {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(child) = inspector_of(verifier.id()) {
            return child;
        }
        assert!(Instant::now() < deadline, "no child process was seen");
    }
}

/// Whoever reads a file may die of it: that is damage, said in the report, and not a crash.
#[test]
fn death_of_the_verifying_child_is_damage() {
    let base = Folder::new("child_dies");
    let verifier = slow_verification(&base, &[]);
    let child = inspector(&verifier);
    kill_process(child, Signal::ABORT).unwrap();
    let ran = Ran::from(verifier.wait_with_output().unwrap());
    assert_eq!((ran.status, &*ran.stderr), (Some(1), ""));
    let report = ran.object();
    assert_eq!(keys_in_order(&ran.stdout).join(" "), REPORT_KEYS);
    assert_eq!(report["findings"][0]["kind"], "damaged");
    assert!(report["findings"][0]["reason"].as_str().unwrap().contains("SIGABRT"), "{report}");
    assert_eq!((&report["run_id"], &report["clean"]), (&Value::Null, &json!(false)));
}

/// What ends the child from outside, as a system short of memory does, says nothing of the file.
#[test]
fn verifying_child_ended_from_outside_is_no_damage() {
    for (signal, name) in
        [(Signal::KILL, "SIGKILL"), (Signal::XCPU, "SIGXCPU"), (Signal::TERM, "SIGTERM")]
    {
        let base = Folder::new("child_ended");
        let verifier = slow_verification(&base, &[]);
        kill_process(inspector(&verifier), signal).unwrap();
        let ran = Ran::from(verifier.wait_with_output().unwrap());
        let line = ran.failed(2);
        assert!(line.contains("r-1.redb: not verified") && line.contains(name), "{line}");
        assert_eq!(ran.stdout, "");
    }
}

/// The child may use so much memory and no more, and leaves no core file of its death.
#[test]
fn verifying_child_is_limited() {
    let base = Folder::new("limits");
    let mut verifier = slow_verification(&base, &[]);
    let path = format!("/proc/{}/limits", inspector(&verifier).as_raw_nonzero());
    let limit = |name: &str| -> Option<u64> {
        let limits = fs::read_to_string(&path).ok()?;
        let line = limits.lines().find(|line| line.starts_with(name))?;
        line[name.len()..].split_whitespace().next()?.parse().ok()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    let bytes = loop {
        if let Some(bytes) = limit("Max address space") {
            break bytes;
        }
        assert!(Instant::now() < deadline, "the child has no limit on its address space");
    };
    assert!((1 << 30..4 << 30).contains(&bytes), "{bytes} bytes");
    assert_eq!(limit("Max core file size"), Some(0));
    assert!(verifier.wait().unwrap().success());
}

/// A verification that takes too long ends with a line and status 2, its child with it.
#[test]
fn verification_ends_when_its_time_is_up() {
    let base = Folder::new("time_is_up");
    let verifier = slow_verification(&base, &["--timeout", "1"]);
    let child = inspector(&verifier);
    // Stands for a file that sends its reader round in circles.
    let is_stopped = kill_process(child, Signal::STOP).is_ok();
    let ran = Ran::from(verifier.wait_with_output().unwrap());
    assert!(is_stopped);
    assert!(ran.failed(2).contains("not verified within 1 s"), "{ran:?}");
    assert!(test_kill_process(child).is_err(), "the child lives on");
}

/// Runs are listed by start, with the reason for those that cannot be read.
#[test]
fn runs_lists_every_state() {
    let Some((base, runs)) = golden("golden_runs") else { return };
    let folder = base.join(INSTANCE);
    fs::write(folder.join("1700000009-letter01.redb"), "a letter").unwrap();
    let ran = run(&[&"runs", &"--base", &base.path(), &"--json"]).done();
    let keys = "run_id instance_id status high_watermark start_ts_init end_ts_init backend bytes \
                parent_run_id path held";
    let listed = ran.objects();
    assert_eq!(listed.len(), runs.len() + 1);
    for ((line, object), (id, expected)) in ran.stdout.lines().zip(&listed).zip(&runs) {
        let manifest = &expected["manifest"];
        let path = folder.join(format!("{id}.redb"));
        assert_eq!(keys_in_order(line).join(" "), keys);
        assert_eq!(object["run_id"], **id);
        for key in ["instance_id", "parent_run_id", "start_ts_init"] {
            assert_eq!(object[key], manifest[key], "{id} {key}");
        }
        let is_left = id.ends_with("running1") || id.ends_with("killed01");
        assert_eq!(
            object["status"],
            if is_left { json!("Running") } else { manifest["status"].clone() }
        );
        assert_eq!(object["bytes"], fs::metadata(&path).unwrap().len());
        assert_eq!(object["path"], path.to_str().unwrap());
        assert_eq!((&object["backend"], &object["held"]), (&json!("redb"), &json!(false)));
        assert_eq!(object["high_watermark"], expected["manifest"]["high_watermark"], "{id}");
    }
    let last = &listed[runs.len()];
    assert_eq!(keys_in_order(ran.stdout.lines().last().unwrap()).join(" "), "path error");
    assert!(last["error"].as_str().unwrap().contains("not a run file"), "{last}");

    let table = run(&[&"runs", &"--base", &base.path(), &"--instance", &INSTANCE]).done().stdout;
    for (id, _) in &runs {
        assert!(table.contains(id), "{table}");
    }
    assert!(table.contains("2023-11-14T22:13:20.000000000Z  1700000000000000000"), "{table}");
    assert!(table.contains("unreadable") && table.contains("letter01"), "{table}");
}

/// What another process writes is listed as held, and what its lock hides is null.
#[test]
fn held_run_is_listed_as_held() {
    let base = Folder::new("held");
    let mut writer = command()
        .args(["ingest", "--base"])
        .arg(base.path())
        .args(["--instance", INSTANCE, "--run-id", "r-1", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    stdin.write_all(numbered_line(1).as_bytes()).unwrap();
    let path = base.join(INSTANCE).join("r-1.redb");
    while !path.exists() {
        std::thread::yield_now();
    }
    let listed = run(&[&"runs", &"--base", &base.path(), &"--json"]).done().object();
    assert_eq!((&listed["held"], &listed["run_id"]), (&json!(true), &json!("r-1")));
    for hidden in ["status", "high_watermark", "start_ts_init", "end_ts_init", "parent_run_id"] {
        assert_eq!(listed[hidden], Value::Null, "{hidden}");
    }
    drop(stdin);
    assert!(writer.wait().unwrap().success());
    let listed = run(&[&"runs", &"--base", &base.path(), &"--json"]).done().object();
    assert_eq!((&listed["held"], &listed["status"]), (&json!(false), &json!("Ended")));
}

/// A base or an instance that is not there is status 2; a base without instances is not.
#[test]
fn missing_base_is_refused() {
    let base = Folder::new("no_base");
    assert!(run(&[&"runs", &"--base", &base.join("none")]).failed(2).contains("none"));
    let missing = run(&[&"runs", &"--base", &base.path(), &"--instance", &"i-9"]);
    assert!(missing.failed(2).contains("i-9"), "{missing:?}");
    assert_eq!(run(&[&"runs", &"--base", &base.path(), &"--json"]).done().stdout, "");
}
