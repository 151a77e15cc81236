//! Runs of the log backend: every command takes them as it takes a file.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{Folder, INSTANCE, command, numbered_line, numbered_run, run, run_with_input};

/// Ingests so many numbered lines into a log and answers its path.
fn numbered_log(base: &Folder, count: u64) -> PathBuf {
    let lines: String = (1..=count).map(numbered_line).collect();
    let ingest: [&dyn AsRef<OsStr>; 10] = [
        &"ingest",
        &"--base",
        &base.path(),
        &"--instance",
        &INSTANCE,
        &"--run-id",
        &"r-1",
        &"--backend",
        &"log",
        &"-",
    ];
    run_with_input(&ingest, &lines).done();
    base.join(INSTANCE).join("r-1.eslog")
}

/// The files of a run's directory and what they hold.
fn content(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(run).unwrap().map(|item| item.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

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

/// One bit flipped in any part of any file of a log is found by `verify`, which writes nothing.
#[test]
fn damage_of_any_file_of_a_log_is_found() {
    let base = Folder::new("log_flips");
    let path = numbered_log(&base, 40);
    let whole = content(&path);
    for (file, bytes) in &whole {
        for part in 0..6 {
            let mut damaged = bytes.clone();
            damaged[bytes.len() * part / 6] ^= 4;
            fs::write(file, &damaged).unwrap();
            let ran = run(&[&"verify", &path]);
            assert_ne!(ran.status, Some(0), "{} part {part}: {ran:?}", file.display());
            assert!(ran.status.is_some() && ran.stderr.lines().count() <= 1, "{ran:?}");
            assert!(fs::read(file).unwrap() == damaged, "{}: changed", file.display());
            fs::write(file, bytes).unwrap();
        }
    }
    run(&[&"verify", &path]).done();
    assert!(content(&path) == whole);
}

/// A log that is cut off, or misses a file that it needs, is damage.
#[test]
fn log_that_lost_something_is_damaged() {
    let base = Folder::new("log_cut");
    let path = numbered_log(&base, 40);
    let segment = path.join("0000000001.seg");
    let whole = fs::read(&segment).unwrap();
    for length in [0, 40, 64, whole.len() / 2, whole.len() - 1] {
        fs::write(&segment, &whole[..length]).unwrap();
        let ran = run(&[&"verify", &"--json", &path]);
        assert_eq!(ran.status, Some(1), "{length}: {ran:?}");
        assert_eq!(ran.object()["findings"][0]["kind"], "damaged", "{length}: {ran:?}");
    }
    fs::remove_file(&segment).unwrap();
    assert_eq!(run(&[&"verify", &"--json", &path]).object()["clean"], json!(false));
}

/// The checksum of a log's files, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// Directories that are no logs, for every command that reads one: status 2, one line, unchanged.
#[test]
fn what_is_no_log_is_refused_and_left_alone() {
    let base = Folder::new("no_log");
    let sound = fs::read(numbered_log(&base, 3).join("manifest")).unwrap();
    let mut future = sound.clone();
    future[8] = 9;
    let end = future.len() - 4;
    let checksum = crc32c(&future[..end]);
    future[end..].copy_from_slice(&checksum.to_le_bytes());
    let cases: [(&str, Option<&[u8]>, &str); 4] = [
        ("none", None, "has no manifest"),
        ("empty", Some(b""), "empty"),
        ("text", Some(b"a letter to somebody\n"), "not a run"),
        ("future", Some(&future), "format 9"),
    ];
    for (name, manifest, words) in cases {
        let path = base.join(&format!("{name}.eslog"));
        fs::create_dir(&path).unwrap();
        if let Some(bytes) = manifest {
            fs::write(path.join("manifest"), bytes).unwrap();
        }
        let before = content(&path);
        let reads: [&[&dyn AsRef<OsStr>]; 4] = [
            &[&"dump", &path],
            &[&"get", &path, &"1"],
            &[&"lookup", &path, &"client", &"c"],
            &[&"verify", &path],
        ];
        for arguments in reads {
            let ran = run(arguments);
            let line = ran.failed(2);
            assert!(line.contains(words), "{name}: {line}");
            assert!(line.contains(&path.display().to_string()), "{line}");
        }
        assert!(content(&path) == before, "{name} was changed");
    }
}

/// A log that another process writes is listed as held, and keeps recovery and a second writer out.
#[test]
fn held_log_keeps_others_out() {
    let base = Folder::new("held_log");
    let mut writer = command()
        .args(["ingest", "--base"])
        .arg(base.path())
        .args(["--instance", INSTANCE, "--run-id", "r-1", "--backend", "log", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, numbered_line(1).as_bytes()).unwrap();
    let path = base.join(INSTANCE).join("r-1.eslog");
    while !path.exists() {
        std::thread::yield_now();
    }
    let listed = || run(&[&"runs", &"--base", &base.path(), &"--json"]).done().object();
    assert_eq!((&listed()["held"], &listed()["run_id"]), (&json!(true), &json!("r-1")));
    let recover: [&dyn AsRef<OsStr>; 5] =
        [&"recover", &"--base", &base.path(), &"--instance", &INSTANCE];
    assert!(run(&recover).failed(2).contains("holds this instance"));
    let lines = base.write("lines", numbered_line(1));
    let second = run(&[&"ingest", &"--base", &base.path(), &"--instance", &INSTANCE, &lines]);
    assert!(second.failed(2).contains("holds this instance"), "{second:?}");
    drop(stdin);
    assert!(writer.wait().unwrap().success());
    let found: Value = listed();
    assert_eq!((&found["held"], &found["status"]), (&json!(false), &json!("Ended")));
}
