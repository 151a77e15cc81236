//! Runs of the log backend: every command takes them as it takes a file.

use std::ffi::OsStr;
use std::fs;

use serde_json::json;

use crate::harness::{Folder, INSTANCE, numbered_line, numbered_run, run, run_with_input};

/// Ingested with `--backend log`, a run is dumped, looked up, listed and verified as one of redb
/// with the same entries; damaged, it is found out and salvaged.
#[test]
fn log_run_goes_through_every_command() {
    let base = Folder::new("logged");
    let lines: String = (1..=40).map(numbered_line).collect();
    let ingest: [&dyn AsRef<OsStr>; 11] = [
        &"ingest",
        &"--base",
        &base.path(),
        &"--instance",
        &INSTANCE,
        &"--run-id",
        &"logged",
        &"--backend",
        &"log",
        &"--json",
        &"-",
    ];
    let report = run_with_input(&ingest, &lines).done().object();
    let path = base.join(INSTANCE).join("logged.eslog");
    assert_eq!((&report["path"], &report["high_watermark"]), (&json!(path), &json!(41)));

    let filed = numbered_run(base.path(), "filed", 40);
    let dump = |path| run(&[&"dump", &"--json", path]).done().objects();
    let (logged, other) = (dump(&path), dump(&filed));
    // The manifest before them, and RunEnded behind, tell the runs apart.
    assert_eq!(logged[1..41].len(), 40);
    for (entry, expected) in logged[1..41].iter().zip(&other[1..41]) {
        for key in ["seq", "topic", "payload_type", "payload_hex", "ts_init"] {
            assert_eq!(entry[key], expected[key], "{key}");
        }
    }
    let last = run(&[&"get", &"--json", &path, &"40"]).done().object();
    assert_eq!(last, logged[40]);

    let listed = run(&[&"runs", &"--base", &base.path(), &"--json"]).done().objects();
    let own = listed.iter().find(|listed| listed["run_id"] == "logged").unwrap();
    assert_eq!((&own["backend"], &own["status"]), (&json!("log"), &json!("Ended")));
    assert_eq!(own["path"], json!(path));
    assert_eq!(run(&[&"verify", &"--json", &path]).done().object()["clean"], true);

    let segment = path.join("0000000001.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&segment, &bytes).unwrap();
    let found = run(&[&"verify", &"--json", &path]);
    assert_eq!((found.status, &found.object()["clean"]), (Some(1), &json!(false)));
    let salvage: [&dyn AsRef<OsStr>; 9] = [
        &"salvage",
        &path,
        &"--base",
        &base.path(),
        &"--instance",
        &INSTANCE,
        &"--run-id",
        &"saved",
        &"--json",
    ];
    let saved = run(&salvage).done().object();
    assert_eq!(saved["parent_run_id"], "logged");
    let saved_path = base.join(INSTANCE).join("saved.eslog");
    assert_eq!(saved["path"], json!(saved_path));
    assert_eq!(fs::read(&segment).unwrap(), bytes, "salvage changed the damaged run");
    assert_eq!(run(&[&"verify", &"--json", &saved_path]).done().object()["clean"], true);
}
