//! Ingest: what comes in is what a dump gives back, and how an ingest ends.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Folder, INSTANCE, numbered_line, numbered_run, run, run_with_input, shared};

fn hex_of(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Two days of real order flow come back event for event.
#[test]
fn shared_data_comes_back_equal() {
    let name = "shared_data_comes_back_equal";
    let Some(data) = shared(name, "data") else { return };
    let base = Folder::new(name);
    for file in ["bitstamp_btcusd_20150501.jsonl.zst", "bats_pitch_sample.jsonl.zst"] {
        let source = data.join(file);
        let ran = run(&[
            &"ingest",
            &"--base",
            &base.path(),
            &"--instance",
            &INSTANCE,
            &"--json",
            &source,
        ])
        .done();
        let report = ran.object();
        let dump = run(&[&"dump", &"--json", &report["path"].as_str().unwrap()]).done();
        let dumped = dump.objects();

        let mut text = String::new();
        let mut decoder = zstd::Decoder::new(fs::File::open(&source).unwrap()).unwrap();
        decoder.read_to_string(&mut text).unwrap();
        let events: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(report["entries"], events.len());
        assert_eq!(report["high_watermark"], events.len() + 1);
        // The manifest before them, the run's own last entry behind.
        assert_eq!(dumped.len(), events.len() + 2);
        assert_eq!(dumped[0]["manifest"]["start_ts_init"], events[0]["ts"]);
        assert_eq!(dumped.last().unwrap()["topic"], "run.lifecycle.RunEnded");
        for (at, (event, entry)) in events.iter().zip(&dumped[1..]).enumerate() {
            assert_eq!(entry["seq"], at + 1);
            assert_eq!(entry["ts_init"], event["ts"], "{event}");
            if !event["ts_recv"].is_null() {
                assert_eq!(entry["ts_publish"], event["ts_recv"], "{event}");
            }
            assert_eq!(entry["topic"], event["topic"], "{event}");
            assert_eq!(entry["payload_type"], event["type"], "{event}");
            assert_eq!(entry["payload_hex"], hex_of(event["payload"].as_str().unwrap()), "{event}");
            let ids = [("ClientOrderId", "client_order_id"), ("VenueOrderId", "venue_order_id")];
            let keys: Vec<Value> = ids
                .iter()
                .filter(|(_, key)| !event[key].is_null())
                .map(|(kind, key)| json!([kind, event[key]]))
                .collect();
            assert_eq!(entry["index_keys"], Value::from(keys), "{event}");
        }
    }
}

/// What a dump prints, an ingest takes: the same entries under the same numbers and hashes, times
/// of publication kept; what a run writes itself is skipped and counted.
#[test]
fn dump_feeds_ingest() {
    let base = Folder::new("dump_feeds_ingest");
    let line = r#"{"ts":7,"ts_recv":9,"topic":"ü","type":"P","payload":"00ff","payload_encoding":"hex",
        "client_order_id":"c","venue_order_id":"v","correlation_id":"1ca87fb1-f839-4f0f-bfa3-c8051bdbae95"}"#
        .replace('\n', " ");
    let input = format!("{line}\n{}\n{}", numbered_line(2), numbered_line(3));
    let ingest = |run_id: &str, input: &str| {
        let place: [&dyn AsRef<std::ffi::OsStr>; 7] =
            [&"ingest", &"--base", &base.path(), &"--instance", &INSTANCE, &"--run-id", &run_id];
        let ran = run_with_input(&[&place[..], &[&"-"]].concat(), input).done();
        let dump = run(&[&"dump", &"--json", &base.join(INSTANCE).join(format!("{run_id}.redb"))]);
        (ran.stdout, dump.done().stdout)
    };
    let (said, first) = ingest("first", &input);
    assert!(!said.contains("skipped"), "{said}");
    let (said, second) = ingest("second", &first);
    assert!(said.contains("skipped   2 lines"), "{said}");
    let entries = |dump: &str| -> Vec<String> {
        let captured = dump.lines().skip(1).filter(|line| !line.contains("run.lifecycle."));
        captured.map(str::to_owned).collect()
    };
    assert_eq!(entries(&first).len(), 3);
    assert_eq!(entries(&first), entries(&second));
    assert!(entries(&first)[0].contains("\"ts_publish\":9,"), "{first}");
}

/// Events with a key `manifest` are captured like any other, whatever it holds and in both forms;
/// without their time they are bad lines, not the head of a dump.
#[test]
fn event_with_a_key_named_manifest_is_captured() {
    let base = Folder::new("key_manifest");
    let lines = r#"{"ts":1,"topic":"orders","type":"P","payload":"a","manifest":"v7"}
        {"ts":2,"topic":"orders","type":"P","payload":"b"}
        {"ts":3,"topic":"cargo","type":"P","payload":"c","manifest":{"container":"X"}}
        {"ts_init":4,"topic":"cargo","payload_type":"P","payload_hex":"64","manifest":[]}"#;
    let place: [&dyn AsRef<std::ffi::OsStr>; 7] =
        [&"ingest", &"--base", &base.path(), &"--instance", &INSTANCE, &"--json", &"-"];
    let report = run_with_input(&place, lines).done().object();
    assert_eq!((&report["entries"], &report["high_watermark"]), (&json!(4), &json!(5)));
    let timeless = r#"{"topic":"orders","type":"P","payload":"a","manifest":"v7"}"#;
    let ran = run_with_input(&place, timeless);
    assert!(ran.failed(1).contains("neither `ts` nor"), "{ran:?}");
}

/// A bad line is named by file and number; what stood before it is durable and the run is sealed.
#[test]
fn bad_line_stops_the_ingest_and_seals_what_was_before() {
    for (at, (bad, reason)) in [
        ("{\"ts\":1,\"topic\":\"t\",\"type\":\"P\"}", "no `payload`"),
        ("nonsense", "expected"),
        (
            "{\"ts\":1,\"topic\":\"run.lifecycle.X\",\"type\":\"P\",\"payload\":\"\"}",
            "run.lifecycle.",
        ),
        ("{\"ts\":1,\"topic\":\"\",\"type\":\"P\",\"payload\":\"\"}", "topic: 0 bytes"),
        (
            "{\"ts\":1,\"topic\":\"t\",\"type\":\"P\",\"payload\":\"\",\"client_order_id\":\"\"}",
            "index key",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let base = Folder::new("bad_line");
        let lines =
            format!("{}\n{}{bad}\n{}", numbered_line(1), numbered_line(2), numbered_line(3));
        let file = base.write("lines.jsonl", lines);
        let run_id = format!("r-{at}");
        let ran = run(&[
            &"ingest",
            &"--base",
            &base.path(),
            &"--instance",
            &INSTANCE,
            &"--run-id",
            &run_id,
            &"--json",
            &file,
        ]);
        // The blank line between the first two counts as a line of the file.
        let place = format!("{}:4: ", file.display());
        let line = ran.failed(1);
        assert!(line.starts_with(&place) && line.contains(reason), "{line}");
        assert_eq!(ran.object()["entries"], 2);
        let path = base.join(INSTANCE).join(format!("{run_id}.redb"));
        let dumped = run(&[&"dump", &"--json", &path]).done().objects();
        assert_eq!(dumped.len(), 4, "manifest, two entries, RunEnded");
        assert_eq!(dumped[0]["manifest"]["status"], "Ended");
    }
}

/// An input that breaks off in the middle of its compression is damage at a line of that file.
#[test]
fn truncated_compressed_file_is_named() {
    let base = Folder::new("truncated");
    let lines: String = (1..=20_000).map(numbered_line).collect();
    let whole = zstd::encode_all(lines.as_bytes(), 1).unwrap();
    let file = base.write("lines.jsonl.zst", &whole[..whole.len() - 5]);
    let ran =
        run(&[&"ingest", &"--base", &base.path(), &"--instance", &INSTANCE, &"--json", &file]);
    let line = ran.failed(1);
    assert!(line.starts_with(&format!("{}:", file.display())), "{line}");
    assert!(line.contains("reading failed"), "{line}");
    assert_eq!(ran.object()["high_watermark"], ran.object()["entries"].as_u64().unwrap() + 1);
}

/// Nothing in, an empty run out; and default names are of the documented shape and differ.
#[test]
fn empty_input_makes_an_empty_sealed_run() {
    let base = Folder::new("empty_input");
    let mut names = BTreeSet::new();
    for _ in 0..2 {
        let arguments: [&dyn AsRef<std::ffi::OsStr>; 7] =
            [&"ingest", &"--base", &base.path(), &"--instance", &INSTANCE, &"--json", &"-"];
        let report = run_with_input(&arguments, "").done().object();
        assert_eq!((&report["entries"], &report["high_watermark"]), (&json!(0), &json!(1)));
        let name = report["run_id"].as_str().unwrap().to_owned();
        let (seconds, random) = name.split_once('-').unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!(now.as_secs().abs_diff(seconds.parse().unwrap()) < 60, "{name}");
        assert!(random.len() == 8 && random.bytes().all(|b| b.is_ascii_alphanumeric()), "{name}");
        assert!(Path::new(report["path"].as_str().unwrap()).exists());
        names.insert(name);
    }
    assert_eq!(names.len(), 2);
}

/// A name that is taken is refused, and the run that has it stays as it is.
#[test]
fn taken_run_id_is_refused_and_nothing_changes() {
    let base = Folder::new("taken");
    let path = numbered_run(base.path(), "r-1", 5);
    let before = fs::read(&path).unwrap();
    let lines = base.write("lines.jsonl", numbered_line(1));
    let ran = run(&[
        &"ingest",
        &"--base",
        &base.path(),
        &"--instance",
        &INSTANCE,
        &"--run-id",
        &"r-1",
        &lines,
    ]);
    assert!(ran.failed(2).contains("r-1"), "{ran:?}");
    assert_eq!(ran.stdout, "");
    assert_eq!(fs::read(&path).unwrap(), before);
}
