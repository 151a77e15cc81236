//! `bench` at tiny sizes: which rows there are, what they count, what is left behind. Never how fast
//! anything is.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::{
    Folder, Ran, closed_pipe, command, keys_in_order, not_run_without_tool, numbered_line, run,
};

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
    words.extend(["--pairs", "2", "--slice", "1", "--samples", "100", "--json"]);
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
    for rate in ["1000/s", "10000/s", "100000/s", "10000/s, spin", "10000/s, park"] {
        submits.extend(percentiles(&format!("submit {rate}")));
    }
    let mut appends = set(&["append", "append, 1 flush", "append, limit against itself"]);
    appends.extend(percentiles("append ack"));
    let mut streams = set(&["stream", "stream, 1 flush", "stream, limit against itself"]);
    streams.insert("stream disk".to_owned());
    let sizes = ["small", "large", "growth"];
    let of_sizes = |what: &str| sizes.map(|size| format!("{what}, {size}"));
    let mut opens = set(&["memory", "memory growth"]);
    opens.extend(of_sizes("open sealed").into_iter().chain(of_sizes("open killed")));
    for (subject, expected) in [
        ("append", appends),
        ("stream", streams),
        ("submit", submits),
        ("scan", set(&["scan", "scan, lanes", "scan, copied"])),
        ("get", set(&["get"])),
        ("lookup", set(&["lookup"])),
        ("open", opens),
        ("verify", set(&["verify", "verify, lanes"])),
    ] {
        let ran = tiny(subject, &[]);
        for line in ran.stdout.lines() {
            assert_eq!(keys_in_order(line), KEYS, "{line}");
        }
        let rows = ran.objects();
        let mut found = names(&rows);
        // What needs strace or a second processor is not there everywhere.
        found.retain(|what| !["flushes", "calls", "pinned"].iter().any(|part| what.contains(part)));
        assert_eq!(found, expected, "{subject}");
        for row in &rows {
            assert!(row["limit_value"].as_f64() > Some(0.0), "{row}");
            assert!(row["limit"].as_str().is_some_and(|limit| !limit.is_empty()), "{row}");
            assert!(row["entries"].as_u64() > Some(0) && row["batch"].as_u64() > Some(0), "{row}");
            assert_eq!(row["payload"], 256, "{row}");
            let is_rate = row["unit"] == "entries/s";
            assert!(!is_rate || row["ratio_to_limit"].as_f64() > Some(0.0), "{row}");
        }
    }
}

/// Under strace a commit of the log flushes once, one of redb as often as its durability says, and
/// a submit calls nothing.
#[test]
fn flushes_and_calls_are_counted() {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        let name = "flushes_and_calls_are_counted";
        not_run_without_tool(name, "strace is missing or may not trace here");
        return;
    }
    let counts = |subject: &str, goal: &str| -> BTreeSet<String> {
        let rows = tiny(subject, &["--only", goal]).objects();
        let counted = rows.iter().filter(|row| row["unit"] == "calls");
        counted
            .map(|row| {
                let name = |key: &str| row[key].as_str().expect("a name").to_owned();
                format!("{}, {}: {}", name("what"), name("backend"), row["value"])
            })
            .collect()
    };
    let flushes = [
        "append flushes, log: 1.0",
        "append flushes, redb: 2.0",
        "append flushes, 1 flush, redb: 1.0",
    ];
    assert_eq!(counts("append", "P12"), set(&flushes));
    let calls = ["log", "redb", "memory"].map(|name| format!("submit system calls, {name}: 0.0"));
    assert_eq!(counts("submit", "P3"), BTreeSet::from(calls));
}

/// Rows whose limit is the disk name every peer that the build has, and no other row names one.
#[test]
fn peers_stand_beside_what_is_flushed() {
    let names: &[&str] =
        if cfg!(feature = "peers") { &["lmdb", "plain redb", "sqlite"] } else { &[] };
    for row in tiny("append", &["--batch", "5"]).objects() {
        let is_flushed = row["unit"] == "entries/s"
            && ["log", "redb"].contains(&row["backend"].as_str().expect("a name"));
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
    let appends: Vec<Value> = rows.into_iter().filter(|row| row["unit"] == "entries/s").collect();
    assert_eq!(of(&appends, "payload"), set(&["9"]));
    let ours: Vec<&Value> = appends.iter().filter(|row| row["what"] == "append").collect();
    assert_eq!(ours.len(), 1);
    // Only whole batches are committed and counted.
    assert_eq!(
        (ours[0]["batch"].as_u64(), ours[0]["entries"].as_u64().map(|n| n % 7)),
        (Some(7), Some(0))
    );
}

/// Captures are measured beside the synthetic entries, under names of their own, where a goal asks
/// for it; their payloads are used.
#[test]
fn captures_are_measured_too() {
    let folder = Folder::new("bench-captures");
    let lines: String = (10..60).map(numbered_line).collect();
    let capture = folder.write("capture.jsonl", lines);
    let capture = capture.to_str().expect("UTF-8");
    let rows = tiny("stream", &["--capture", capture]).objects();
    let captured = |row: &&Value| row["what"].as_str().expect("a name").ends_with(", captures");
    let (theirs, others): (Vec<&Value>, Vec<&Value>) = rows.iter().partition(captured);
    assert!(theirs.iter().all(|row| row["payload"] == 2), "{theirs:?}");
    assert!(others.iter().all(|row| row["payload"] == 256), "{others:?}");
    let names: BTreeSet<&str> = theirs.iter().filter_map(|row| row["what"].as_str()).collect();
    let expected = ["stream", "stream disk", "stream, limit against itself"];
    assert_eq!(
        names,
        expected.map(|what| format!("{what}, captures")).iter().map(|s| &**s).collect()
    );
    let rows = tiny("lookup", &["--backend", "log", "--capture", capture]).objects();
    assert!(rows.iter().all(|row| row["payload"] == 256), "{rows:?}");
    let empty = folder.write("empty.jsonl", "");
    let failed = run(&[&"bench", &"scan", &"--capture", &empty]);
    assert!(failed.failed(1).contains("no events"), "{failed:?}");
}

/// The cells of the lines of a Markdown table below a heading.
fn table_below(document: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, section) = document.split_once(heading).expect(heading);
    let section = section.split("\n## ").next().expect("a first part");
    let lines = section.lines().filter(|line| line.starts_with("| ")).skip(2);
    lines.map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// One run of one command gives every goal a verdict, and a reason to each that is not met; every
/// row of its document has a limit; machine, raw loop and plots are there.
#[test]
fn report_gives_every_goal_a_verdict() {
    let folder = Folder::new("bench-report");
    let (runs, report) = (folder.join("runs"), folder.join("BENCHMARKS.md"));
    fs::create_dir(&runs).expect("a folder");
    let ran = run(&[
        &"bench",
        &"all",
        &"--dir",
        &runs,
        &"--report",
        &report,
        &"--entries",
        &"1000",
        &"--large",
        &"2000",
        &"--pairs",
        &"1",
        &"--slice",
        &"1",
        &"--samples",
        &"100",
    ])
    .done();
    for piece in ["kernel:", "mount:", "load before:", "limit's value", "file.sync_data()?"] {
        assert!(ran.stdout.contains(piece), "{piece} in {}", ran.stdout);
    }
    let document = fs::read_to_string(&report).expect("written");
    for piece in
        ["## The machine", "the run was: ", "sync_data", "## The peers", "stands in for it"]
    {
        assert!(document.contains(piece), "{piece} in {document}");
    }
    let command = "`eventstore bench all --dir runs --report BENCHMARKS.md --entries 1000";
    assert!(document.contains(command), "the command, without its folders, in {document}");
    let goals = table_below(&document, "## The goals");
    for number in 1..=12 {
        let number = format!("P{number}");
        assert!(goals.iter().any(|cells| cells[1] == number), "{number} in {goals:?}");
    }
    for cells in &goals {
        let verdict = &cells[6];
        let has_reason = |start: &str| {
            verdict.starts_with(start)
                && verdict.split_once(": ").is_some_and(|(_, why)| why.len() > 8)
        };
        let is_whole = verdict == "met" || has_reason("missed by ") || has_reason("NOT MEASURED: ");
        assert!(is_whole, "{cells:?}");
        assert!(!verdict.contains("not asked for"), "{cells:?}");
    }
    let rows = table_below(&document, "## The rows");
    assert!(rows.iter().all(|cells| !cells[8].is_empty() && !cells[9].is_empty()), "{rows:?}");
    let json = fs::read_to_string(folder.join("benchmarks/rows.jsonl")).expect("written");
    assert_eq!(rows.len(), json.lines().count());
    for plot in ["benchmarks/append.svg", "benchmarks/submit.svg"] {
        assert!(document.contains(plot), "{plot}");
        let svg = fs::read_to_string(folder.join(plot)).expect("written");
        assert!(
            svg.starts_with("<svg") && svg.contains("log") && svg.contains("polyline"),
            "{svg}"
        );
    }
}

/// A report that was asked for is written, whoever reads the output meanwhile.
#[test]
fn report_needs_no_reader_of_the_output() {
    for json in [&[] as &[&str], &["--json"]] {
        let folder = Folder::new("bench-unread");
        let report = folder.join("BENCHMARKS.md");
        let mut bench = command();
        bench.args(["bench", "all", "--only", "P5,P6", "--backend", "memory", "--entries", "200"]);
        bench.args(["--pairs", "1", "--slice", "1", "--samples", "100"]).args(json);
        bench.arg("--dir").arg(folder.path()).arg("--report").arg(&report).stdout(closed_pipe());
        let ended = bench.output().expect("the command starts");
        assert!(ended.status.success(), "{json:?}: {ended:?}");
        let document = fs::read_to_string(&report).expect("written");
        assert!(document.contains("## The rows"), "{json:?}: {document}");
    }
}

/// Goals choose what is measured, and what the verdicts are about.
#[test]
fn only_measures_what_goals_ask_for() {
    let rows = tiny("all", &["--only", "P5,P10", "--backend", "log"]).objects();
    let expected = ["scan", "scan, lanes", "scan, copied", "stream disk"];
    assert_eq!(names(&rows), set(&expected));
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
        &["bench", "append", "--only", "P13"],
        &["bench", "append", "--report", "folder"],
        &["bench", "scan", "--capture", "/nonexistent/x.jsonl"],
        &["bench", "scan", "--dir", "/proc/nowhere"],
    ] {
        let words: Vec<&dyn AsRef<std::ffi::OsStr>> =
            words.iter().map(|word| word as &dyn AsRef<std::ffi::OsStr>).collect();
        run(&words).failed(2);
    }
}
