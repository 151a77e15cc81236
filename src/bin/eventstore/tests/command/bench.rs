//! `bench` at tiny sizes: which rows there are, what they count, what is left behind. Never how fast
//! anything is.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::harness::{Folder, Ran, keys_in_order, numbered_line, run};

const KEYS: [&str; 11] = [
    "what",
    "backend",
    "batch",
    "payload",
    "entries",
    "value",
    "unit",
    "limit",
    "limit_value",
    "ratio_to_limit",
    "peers",
];

/// A subject measured with little of everything; the folder for runs must be empty afterwards.
fn tiny(subject: &str, more: &[&str]) -> Ran {
    let folder = Folder::new("bench");
    let path = folder.path().to_str().expect("UTF-8").to_owned();
    let mut words = vec!["bench", subject, "--dir", &path, "--entries", "200"];
    words.extend(["--pairs", "2", "--slice", "1", "--json"]);
    words.extend(more);
    let ran =
        run(&words.iter().map(|word| word as &dyn AsRef<std::ffi::OsStr>).collect::<Vec<_>>());
    assert_eq!(fs::read_dir(folder.path()).expect("the folder lists").count(), 0, "{words:?}");
    ran.done()
}

/// The distinct names of the rows.
fn names(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(|row| row["what"].as_str().expect("a name").to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Every subject gives its rows, each with the keys of CLI.md, a limit, and counts above nothing.
#[test]
fn every_subject_prints_its_rows_beside_limits() {
    let percentiles = |what: &str| ["p50", "p99", "p99.9", "max"].map(|p| format!("{what} {p}"));
    let mut submits = set(&["submit burst", "submit idle, spin", "submit idle, timed"]);
    submits.insert("submit idle, park".to_owned());
    for rate in ["submit 1000/s", "submit 10000/s", "submit 100000/s"] {
        submits.extend(percentiles(rate));
    }
    let mut appends = set(&["append", "append, 1 flush", "append, limit against itself"]);
    appends.extend(percentiles("append ack"));
    let mut streams = set(&["stream", "stream, 1 flush", "stream, limit against itself"]);
    streams.extend(set(&["stream disk", "stream memory", "stream memory growth"]));
    for (subject, expected) in [
        ("append", appends),
        ("stream", streams),
        ("submit", submits),
        ("scan", set(&["scan", "scan, copied"])),
        ("get", set(&["get"])),
        ("lookup", set(&["lookup"])),
        (
            "open",
            set(&["open sealed", "open sealed, growth", "open killed", "open killed, growth"]),
        ),
        ("verify", set(&["verify"])),
    ] {
        let ran = tiny(subject, &[]);
        for line in ran.stdout.lines() {
            assert_eq!(keys_in_order(line), KEYS, "{line}");
        }
        let rows = ran.objects();
        assert_eq!(names(&rows), expected, "{subject}");
        for row in &rows {
            assert!(row["limit_value"].as_f64() > Some(0.0), "{row}");
            assert!(row["entries"].as_u64() > Some(0) && row["batch"].as_u64() > Some(0), "{row}");
            assert_eq!(row["payload"], 256, "{row}");
            let is_rate = row["unit"] == "entries/s";
            assert!(!is_rate || row["ratio_to_limit"].as_f64() > Some(0.0), "{row}");
        }
    }
}

/// Rows whose limit is the disk name every peer that the build has, and no other row names one.
#[test]
fn peers_stand_beside_what_is_flushed() {
    let names: &[&str] =
        if cfg!(feature = "peers") { &["lmdb", "plain redb", "sqlite"] } else { &[] };
    for row in tiny("append", &["--batch", "5"]).objects() {
        let is_flushed = row["unit"] == "entries/s" && row["backend"] == "redb";
        let peers = row["peers"].as_object().expect("an object");
        let found: Vec<&str> = peers.keys().map(String::as_str).collect();
        assert_eq!(found, if is_flushed { names } else { &[] }, "{row}");
        assert!(peers.values().all(|value| value.as_f64() > Some(0.0)), "{row}");
    }
}

/// Without a batch size appends go through four; a batch, a payload and a backend are as asked for.
#[test]
fn options_choose_what_is_measured() {
    let of = |rows: &[Value], key: &str| -> BTreeSet<String> {
        rows.iter().map(|row| row[key].to_string()).collect()
    };
    let rows = tiny("append", &["--backend", "memory"]).objects();
    assert_eq!(of(&rows, "batch"), set(&["1", "10", "100", "1000"]));
    assert_eq!(of(&rows, "backend"), set(&["\"memory\""]));
    assert_eq!(of(&rows, "limit"), set(&["\"blake3, one lane\""]));
    let rows = tiny("append", &["--batch", "7", "--payload", "9", "--backend", "redb"]).objects();
    let appends: Vec<Value> =
        rows.into_iter().filter(|row| row["what"] != "append ack p50").collect();
    assert_eq!(of(&appends, "payload"), set(&["9"]));
    let ours: Vec<&Value> = appends.iter().filter(|row| row["what"] == "append").collect();
    assert_eq!(ours.len(), 1);
    // Only whole batches are committed and counted.
    assert_eq!(
        (ours[0]["batch"].as_u64(), ours[0]["entries"].as_u64().map(|n| n % 7)),
        (Some(7), Some(0))
    );
}

/// Captures stand in for the synthetic entries; their payloads and keys are used.
#[test]
fn mix_takes_entries_from_captures() {
    let folder = Folder::new("bench-mix");
    let lines: String = (10..60).map(numbered_line).collect();
    let capture = folder.write("capture.jsonl", lines);
    let capture = capture.to_str().expect("UTF-8");
    for subject in ["lookup", "stream"] {
        let rows = tiny(subject, &["--backend", "redb", "--mix", capture]).objects();
        assert!(rows.iter().all(|row| row["payload"] == 2), "{rows:?}");
    }
    let empty = folder.write("empty.jsonl", "");
    let failed = run(&[&"bench", &"scan", &"--mix", &empty]);
    assert!(failed.failed(1).contains("no events"), "{failed:?}");
}

/// The table names the machine and shows the raw loop; the document has table, plots and rows.
#[test]
fn report_holds_table_machine_and_plots() {
    let folder = Folder::new("bench-report");
    let report = folder.join("report");
    let small: [&dyn AsRef<std::ffi::OsStr>; 6] =
        [&"--entries", &"100", &"--pairs", &"1", &"--slice", &"1"];
    for (subject, plot) in
        [("append", "benchmarks-append.svg"), ("submit", "benchmarks-submit.svg")]
    {
        let mut words: Vec<&dyn AsRef<std::ffi::OsStr>> =
            vec![&"bench", &subject, &"--show-limit", &"--report", &report];
        let dir = folder.path();
        words.extend(small);
        words.extend([&"--dir" as &dyn AsRef<std::ffi::OsStr>, &dir]);
        let ran = run(&words).done();
        for piece in ["kernel:", "mount:", "load before:", "limit's value", "file.sync_data()?"] {
            assert!(ran.stdout.contains(piece), "{piece} in {}", ran.stdout);
        }
        let read = |name: &str| fs::read_to_string(report.join(name)).expect("written");
        let document = read("benchmarks.md");
        for piece in ["## The machine", "| what | backend |", "fdatasync", plot, "## The peers"] {
            assert!(document.contains(piece), "{piece} in {document}");
        }
        let svg = read(plot);
        assert!(
            svg.starts_with("<svg") && svg.contains("redb") && svg.contains("polyline"),
            "{svg}"
        );
        let rows = read("benchmarks.jsonl");
        let in_table = document.lines().filter(|line| line.starts_with(&format!("| {subject}")));
        assert_eq!(in_table.count(), rows.lines().count());
    }
}

/// What cannot be measured is refused before anything is written.
#[test]
fn wrong_usage_is_refused() {
    for words in [
        &["bench", "nothing"] as &[&str],
        &["bench", "append", "--batch", "0"],
        &["bench", "append", "--batch", "65537"],
        &["bench", "append", "--entries", "99"],
        &["bench", "append", "--backend", "sqlite"],
        &["bench", "append", "--pairs", "0"],
        &["bench", "append", "--payload", "1", "--mix", "x.jsonl"],
        &["bench", "scan", "--mix", "/nonexistent/x.jsonl"],
        &["bench", "scan", "--dir", "/proc/nowhere"],
    ] {
        let words: Vec<&dyn AsRef<std::ffi::OsStr>> =
            words.iter().map(|word| word as &dyn AsRef<std::ffi::OsStr>).collect();
        run(&words).failed(2);
    }
}
