//! Recover, salvage and retention: what is done to runs, and what is left alone.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{
    Folder, INSTANCE, Ran, command, golden, keys_in_order, numbered_line, numbered_run, run,
    run_with_input,
};

fn recover(base: &Path, more: &[&str]) -> Ran {
    let mut arguments: Vec<&dyn AsRef<OsStr>> =
        vec![&"recover", &"--base", &base, &"--instance", &INSTANCE];
    arguments.extend(more.iter().map(|text| text as &dyn AsRef<OsStr>));
    run(&arguments)
}

/// Every file of an instance and what it holds.
fn content(base: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(base.join(INSTANCE))
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "redb"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The two golden runs that were left are sealed, equal their JSON but for the sealed fields, and
/// verify clean; a dry run says the same and changes nothing; a second sweep finds all in order.
#[test]
fn recover_seals_the_golden_runs_that_were_left() {
    let Some((base, runs)) = golden("golden_recover") else { return };
    let before = content(base.path());
    let promised = recover(base.path(), &["--dry-run", "--json"]).done().stdout;
    assert_eq!(content(base.path()), before, "a dry run changed a file");
    assert!(!base.join(INSTANCE).join(".es.lock").exists(), "a dry run took the lock");
    let done = recover(base.path(), &["--json"]).done();
    assert_eq!(done.stdout, promised);
    assert_eq!(
        done.objects(),
        [
            json!({"run_id": "1700000002-running1", "sealed_as": "CrashedRecovered", "reason": null}),
            json!({"run_id": "1700000007-killed01", "sealed_as": "CrashedRecovered", "reason": null}),
            json!({"parent_run_id": "1700000007-killed01"}),
        ]
    );
    assert_eq!(
        keys_in_order(done.stdout.lines().next().unwrap()),
        ["run_id", "sealed_as", "reason"]
    );
    for (id, expected) in &runs {
        let path = base.join(INSTANCE).join(format!("{id}.redb"));
        if !id.ends_with("running1") && !id.ends_with("killed01") {
            let untouched = before.iter().find(|(named, _)| *named == path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), untouched.1, "{id} was sealed already");
            continue;
        }
        let dumped = run(&[&"dump", &"--json", &path]).done().objects();
        let entries = expected["entries"].as_array().unwrap();
        let mut manifest = expected["manifest"].clone();
        manifest["status"] = json!("CrashedRecovered");
        manifest["high_watermark"] = json!(entries.len());
        manifest["end_ts_init"] = entries.iter().map(|e| e["ts_init"].as_u64()).max().into();
        assert_eq!(dumped[0]["manifest"], manifest, "{id}");
        assert_eq!(dumped.len(), 1 + entries.len(), "{id}");
        for (entry, expected) in dumped[1..].iter().zip(entries) {
            assert_eq!(entry["entry_hash"], expected["entry_hash"], "{id}");
        }
        run(&[&"verify", &path]).done();
    }
    let again = recover(base.path(), &["--json"]).done();
    assert_eq!(again.objects(), [json!({"parent_run_id": "1700000007-killed01"})]);
    assert!(recover(base.path(), &[]).done().stdout.contains("in order"));
}

/// A living writer keeps recovery out; a dry run looks on and calls its run skipped.
#[test]
fn recover_waits_for_no_writer() {
    let base = Folder::new("recover_locked");
    let mut writer = command()
        .args(["ingest", "--base"])
        .arg(base.path())
        .args(["--instance", INSTANCE, "--run-id", "r-1", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, numbered_line(1).as_bytes()).unwrap();
    while !base.join(INSTANCE).join("r-1.redb").exists() {
        std::thread::yield_now();
    }
    assert!(recover(base.path(), &[]).failed(2).contains("holds this instance"));
    let looked = recover(base.path(), &["--dry-run", "--json"]).done().objects();
    assert_eq!((&looked[0]["run_id"], &looked[0]["skipped"]), (&json!("r-1"), &json!(true)));
    drop(stdin);
    assert!(writer.wait().unwrap().success());
}

/// What cannot be opened as a run is reported with status 1 and left as it is.
#[test]
fn recover_reports_what_is_no_run() {
    let base = Folder::new("recover_foreign");
    numbered_run(base.path(), "r-1", 2);
    let letter = base.join(INSTANCE).join("r-2.redb");
    fs::write(&letter, "a letter").unwrap();
    let swept = recover(base.path(), &["--json"]);
    assert_eq!((swept.status, &*swept.stderr), (Some(1), ""));
    let objects = swept.objects();
    assert_eq!((&objects[0]["run_id"], &objects[0]["skipped"]), (&json!("r-2"), &json!(true)));
    assert!(objects[0]["reason"].as_str().unwrap().contains("not a run file"), "{objects:?}");
    assert_eq!(fs::read(&letter).unwrap(), b"a letter");
    assert!(recover(&base.join("none"), &[]).failed(2).contains("none"));
}

/// The good rows of each damaged golden run, under new numbers in a run that names the old one.
#[test]
fn salvage_copies_what_is_good() {
    let Some((base, runs)) = golden("golden_salvage") else { return };
    for (ending, lost) in [
        ("badhash1", json!({"kind": "hash_mismatch", "seq": 3})),
        ("gap00001", json!({"kind": "gap", "from": 4, "to": 4})),
        ("moved001", json!({"kind": "seq_mismatch", "table_key": 2, "embedded_seq": 5})),
    ] {
        let (id, expected) = runs.iter().find(|(id, _)| id.ends_with(ending)).unwrap();
        let old = base.join(INSTANCE).join(format!("{id}.redb"));
        let before = fs::read(&old).unwrap();
        let new_id = format!("saved-{ending}");
        let salvage: [&dyn AsRef<OsStr>; 9] = [
            &"salvage",
            &old,
            &"--base",
            &base.path(),
            &"--instance",
            &INSTANCE,
            &"--run-id",
            &new_id,
            &"--json",
        ];
        let saved = run(&salvage).done().object();
        assert_eq!(fs::read(&old).unwrap(), before, "{id} was changed");
        assert_eq!((&saved["run_id"], &saved["parent_run_id"]), (&json!(new_id), &json!(id)));
        let lost_first = saved["lost"].as_array().unwrap()[0].clone();
        assert_eq!(lost_first, lost);
        let path = saved["path"].as_str().unwrap();
        let dumped = run(&[&"dump", &"--json", &path]).done().objects();
        assert_eq!(dumped[0]["manifest"]["status"], "CrashedRecovered");
        assert_eq!(dumped[0]["manifest"]["parent_run_id"], **id);
        let bad = if ending == "gap00001" {
            4
        } else if ending == "moved001" {
            2
        } else {
            3
        };
        let good: Vec<&Value> = expected["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["seq"] != bad)
            .collect();
        assert_eq!(saved["copied"], good.len());
        assert_eq!(dumped.len(), 1 + good.len(), "{id}");
        for (at, (entry, expected)) in dumped[1..].iter().zip(good).enumerate() {
            assert_eq!(entry["seq"], at + 1);
            for key in ["payload_hex", "topic", "ts_init", "ts_publish", "correlation_id"] {
                assert_eq!(entry[key], expected[key], "{id} {key}");
            }
        }
        run(&[&"verify", &path]).done();
        assert!(run(&salvage).failed(2).contains(&new_id), "the name is taken");
    }
}

/// An instance whose second of four runs can be restored from.
fn instance_with_restore_point(base: &Path, golden_run: &Path) {
    numbered_run(base, "a-old", 1);
    // Older than the others by its own clock, which is what a listing goes by.
    let early = "{\"ts\":5,\"topic\":\"t\",\"type\":\"P\",\"payload\":\"\"}";
    let ingest: [&dyn AsRef<OsStr>; 8] =
        [&"ingest", &"--base", &base, &"--instance", &INSTANCE, &"--run-id", &"b-oldest", &"-"];
    run_with_input(&ingest, early).done();
    fs::write(base.join(INSTANCE).join("1700000000-ended001.redb"), fs::read(golden_run).unwrap())
        .unwrap();
}

/// A plan deletes nothing; applied, exactly the plan is deleted and said.
#[test]
fn retention_deletes_only_when_told() {
    let Some((source, _)) = golden("golden_retention") else { return };
    let base = Folder::new("retention");
    let golden_run = source.join(INSTANCE).join("1700000000-ended001.redb");
    instance_with_restore_point(base.path(), &golden_run);
    let retention = |rule: &str, more: &[&str]| {
        let mut arguments: Vec<&dyn AsRef<OsStr>> =
            vec![&"retention", &"--base", &base, &"--instance", &INSTANCE, &"--keep", &rule];
        arguments.extend(more.iter().map(|text| text as &dyn AsRef<OsStr>));
        run(&arguments)
    };
    let actions = |ran: Ran| -> Vec<(String, String)> {
        let objects = ran.objects();
        let (rule, decided) = objects.split_last().unwrap();
        assert_eq!(rule["restore_point"], "1700000000-ended001");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut actions: Vec<(String, String)> =
            decided.iter().map(|run| (text(&run["run_id"]), text(&run["action"]))).collect();
        actions.sort();
        actions
    };
    let expect = |oldest: &str| {
        [("1700000000-ended001", "keep"), ("a-old", "keep"), ("b-oldest", oldest)]
            .map(|(run, action)| (run.to_owned(), action.to_owned()))
    };
    let before = content(base.path());
    assert_eq!(actions(retention("full", &["--json", "--apply"]).done()), expect("keep"));
    assert_eq!(actions(retention("anchored", &["--json"]).done()), expect("delete"));
    assert_eq!(actions(retention("last:2", &["--json"]).done()), expect("delete"));
    assert!(retention("anchored", &[]).done().stdout.contains("--apply deletes"));
    assert_eq!(content(base.path()), before, "a plan deleted something");
    assert_eq!(actions(retention("anchored", &["--json", "--apply"]).done()), expect("deleted"));
    assert!(!base.join(INSTANCE).join("b-oldest.redb").exists());
    assert_eq!(content(base.path()).len(), before.len() - 1);
    for rule in ["none", "last", "last:0", "last:x", "full:1", ""] {
        assert!(retention(rule, &["--apply"]).failed(2).contains("--keep"), "{rule}");
    }
}

impl AsRef<OsStr> for Folder {
    fn as_ref(&self) -> &OsStr {
        self.path().as_os_str()
    }
}
