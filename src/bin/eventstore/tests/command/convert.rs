//! `convert`: what it prints, what it leaves, and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Folder, INSTANCE, Ran, command, golden, keys_in_order, numbered_run, run};

fn convert(path: &Path, to: &str, base: &Path) -> Ran {
    run(&[&"convert", &path, &"--to", &to, &"--base", &base, &"--json"])
}

fn path_in(report: &Value) -> PathBuf {
    report["path"].as_str().expect("a path").into()
}

fn dump(path: &Path) -> String {
    run(&[&"dump", &"--json", &path]).done().stdout
}

/// There and back, the dumps are the same to the byte, and the digest is kept.
#[test]
fn converted_run_dumps_the_same() {
    let bases = ["convert", "convert-log", "convert-back"].map(Folder::new);
    let path = numbered_run(bases[0].path(), "r-1", 300);
    let before = fs::read(&path).unwrap();
    let there = convert(&path, "log", bases[1].path()).done();
    assert_eq!(
        keys_in_order(there.stdout.trim_end()),
        [
            "run_id",
            "instance_id",
            "path",
            "backend",
            "status",
            "high_watermark",
            "digest",
            "digest_origin",
            "dropped",
        ]
    );
    let report = there.object();
    assert_eq!(path_in(&report), bases[1].join(INSTANCE).join("r-1.eslog"));
    let told = ["run_id", "instance_id", "backend", "status", "digest_origin"];
    assert_eq!(told.map(|key| &report[key]), ["r-1", INSTANCE, "log", "Ended", "kept"]);
    assert_eq!((&report["high_watermark"], &report["dropped"]), (&json!(301), &json!([])));
    let back = convert(&path_in(&report), "redb", bases[2].path()).done().object();
    assert_eq!(back["digest"], report["digest"]);
    let whole = dump(&path);
    assert_eq!(whole.lines().count(), 302);
    assert!(dump(&path_in(&report)) == whole && dump(&path_in(&back)) == whole);
    assert!(fs::read(&path).unwrap() == before, "the original was changed");
    for threads in ["1", "2", "0"] {
        let verified = run(&[&"verify", &"--threads", &threads, &path_in(&report)]).done().stdout;
        assert!(verified.contains("clean") && verified.contains("matches"), "{verified}");
    }
    let words = run(&[&"convert", &path, &"--to", &"redb", &"--base", &bases[1].join("more")]);
    let words = words.done().stdout;
    assert!(words.contains("301, compared") && words.contains("kept, and computed"), "{words}");
}

/// A golden run with a dangling index row is converted without it and says so; damaged and left
/// ones are refused in one line, with status 1 and 2.
#[test]
fn golden_runs_are_converted_or_refused_in_one_line() {
    let Some((base, runs)) = golden("golden_convert") else { return };
    let target = Folder::new("golden-target");
    for (id, expected) in &runs {
        let path = base.join(INSTANCE).join(format!("{id}.redb"));
        let ran = convert(&path, "log", target.path());
        match id.split_once('-').unwrap().1 {
            "ended001" | "empty001" => {
                let report = ran.done().object();
                assert_eq!(report["digest_origin"], "own");
                let dumped = dump(&path_in(&report));
                let dumped: Vec<Value> =
                    dumped.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                assert_eq!(dumped[0]["manifest"], expected["manifest"]);
                assert_eq!(dumped[0]["snapshot_anchor"], expected["snapshot_anchor"]);
                let entries = expected["entries"].as_array().unwrap();
                assert_eq!(dumped.len(), 1 + entries.len());
                for (entry, expected) in dumped[1..].iter().zip(entries) {
                    assert_eq!(entry["entry_hash"], expected["entry_hash"]);
                }
            }
            "drift001" => {
                let report = ran.done().object();
                assert_eq!(report["dropped"][0]["key"], "GHOST");
                assert_eq!(report["dropped"][0]["drift"], "dangling");
            }
            "running1" | "killed01" => assert!(ran.failed(2).contains("recover"), "{ran:?}"),
            _ => assert!(ran.failed(1).contains("eventstore salvage"), "{ran:?}"),
        }
    }
}

/// Names that are taken, files that are no runs, and wrong words: status 2.
#[test]
fn what_cannot_be_converted_is_refused_in_one_line() {
    let (base, target) = (Folder::new("convert-no"), Folder::new("convert-no-target"));
    let path = numbered_run(base.path(), "r-1", 3);
    for to in ["redb", "log"] {
        let ran = convert(&path, to, base.path());
        assert!(ran.failed(2).contains("another base"), "{ran:?}");
    }
    let text = base.write("text", "a letter");
    assert!(convert(&text, "log", target.path()).failed(2).contains("not a run file"));
    assert!(convert(&base.join("none"), "log", target.path()).status == Some(2));
    assert!(convert(&path, "tape", target.path()).failed(2).contains("tape"));
    let many = run(&[&"verify", &"--threads", &"1025", &path]);
    assert!(many.failed(2).contains("1025"), "{many:?}");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
}

/// SIGKILL at whatever moment: no run, or the whole run; and the next one succeeds.
#[test]
fn killed_convert_is_run_again() {
    let base = Folder::new("convert-killed");
    let path = numbered_run(base.path(), "r-1", 6_000);
    let whole = dump(&path);
    let (mut killed, mut made) = (0, 0);
    for after_ms in [0, 3, 10, 20, 40, 80, 120, 200, 400, 3_000] {
        let target = Folder::new("convert-killed-target");
        let mut child = command()
            .arg("convert")
            .arg(&path)
            .args(["--to", "log", "--base"])
            .arg(target.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(after_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        let copy = target.join(INSTANCE).join("r-1.eslog");
        if copy.exists() {
            made += 1;
        } else {
            killed += 1;
            convert(&path, "log", target.path()).done();
        }
        assert!(dump(&copy) == whole, "killed after {after_ms} ms");
        run(&[&"verify", &copy]).done();
    }
    println!("{killed} killed before the name was given, {made} after");
    assert!(killed > 0, "none was killed in time");
}
