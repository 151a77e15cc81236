//! Builds the C examples as C11 and as C++17 against this build's library and runs them.
//!
//! What they print is compared with `examples-c/expected/`, times and places masked; a run with
//! ES_UPDATE_EXPECTED=1 writes those files anew, for the reviewer's diff. Because the
//! examples judge themselves ("came back equal"), preloaded functions that change what a scan or a
//! lookup returns prove that their judgement can be negative. The sources that belong to a
//! program are named once, in the Makefile, which does the building here too.

#[path = "c_examples/built.rs"]
mod built;
mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use built::{LANGUAGES, Outcome, built, run};
use common::shared::{not_run_without_tool, shared_path};
use common::temporary::TemporaryFolder;

/// The number at the start of the rest of the line that begins with `label`.
fn number_after(text: &str, label: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with(label));
    let line = line.unwrap_or_else(|| panic!("no line begins with {label:?} in:\n{text}"));
    let rest = line[label.len()..].trim_start().replace(',', "");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number after {label:?} in {line:?}"))
}

/// The report without what differs from run to run: times, sizes, rates, places, and the digest,
/// which covers the wall-clock stamp of the store's own RunEnded.
fn stable_lines(report: &str) -> String {
    let masked = ["captured", "submit", "queue full", "durable", "file", "digest", "eventstore"];
    let mut stable = String::new();
    for line in report.lines() {
        let label = masked.iter().find(|label| line.starts_with(**label));
        match (label, line.find(" equal "), line.find(" found "), line.find(": /")) {
            (Some(label), ..) => writeln!(stable, "{label} ..."),
            (None, Some(_), ..) | (None, _, Some(_), _) => {
                let kept = line.trim_end_matches("/s").trim_end();
                let kept = kept.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end();
                writeln!(stable, "{kept}")
            }
            (None, _, _, Some(at)) => writeln!(stable, "{}", &line[..at]),
            _ => writeln!(stable, "{line}"),
        }
        .expect("a String takes all");
    }
    stable
}

fn assert_expected(name: &str, printed: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples-c/expected").join(name);
    if std::env::var_os("ES_UPDATE_EXPECTED").is_some() {
        fs::write(&path, printed).expect("the expected output can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(printed == expected, "{}: expected\n{expected}\nprinted\n{printed}", path.display());
}

fn run_file(folder: &TemporaryFolder) -> String {
    folder.path().join("DEMO/day-1.redb").display().to_string()
}

fn path_of(folder: &TemporaryFolder) -> String {
    folder.path().display().to_string()
}

/// The one-line reader means what JSON means, and refuses the rest at the right byte.
#[test]
fn json_line_reads_events_and_refuses_malformed_lines() {
    let Some(built) = built("json_line") else { return };
    for language in LANGUAGES {
        let outcome = run(&mut built.command(language, "json_line_test"));
        assert_eq!(outcome.expect_success(), "json_line: all tests passed\n");
    }
}

/// The quick start stores one event and gives it back.
#[test]
fn minimal_prints_the_event_that_it_stored() {
    let Some(built) = built("minimal") else { return };
    for language in LANGUAGES {
        let folder = TemporaryFolder::new("minimal");
        let outcome = run(built.command(language, "minimal").arg(folder.path()));
        assert_expected("minimal.txt", outcome.expect_success());
    }
}

/// The C++ layer's example captures, seals, reads back and looks up.
#[test]
fn tour_prints_the_session_that_it_captured() {
    let Some(built) = built("tour") else { return };
    let folder = TemporaryFolder::new("tour");
    let outcome = run(built.command("", "tour").arg(folder.path()));
    assert_expected("tour.txt", outcome.expect_success());
    // Where no folder can be made, the program says why.
    let file = folder.path().join("not-a-folder");
    fs::write(&file, "").unwrap();
    let outcome = run(built.command("", "tour").arg(&file));
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.starts_with("ES_ERR_"), "{outcome}");
}

/// The measurement of crossings scans as much both ways, and says where its run is.
#[test]
fn crossing_measures_both_ways() {
    let Some(built) = built("crossing") else { return };
    let folder = TemporaryFolder::new("crossing");
    let mut command = built.command("", "crossing");
    let outcome = run(command.args(["--entries", "5000", "--keep"]).arg(folder.path()));
    let printed = outcome.expect_success();
    assert!(
        printed.contains("es_get_high_watermark ") && printed.contains("5001 entries "),
        "{outcome}"
    );
    let (_, path) = printed.rsplit_once("run ").expect("where the run is");
    assert!(Path::new(path.trim_end()).is_file(), "{outcome}");
}

/// The same day on all backends, from C and from C++, is told in the same words.
#[test]
fn session_prints_the_expected_report_on_every_backend() {
    let Some(built) = built("session") else { return };
    for language in LANGUAGES {
        for backend in ["redb", "log", "memory"] {
            let folder = TemporaryFolder::new("session");
            let mut command = built.command(language, "session");
            command.args(["--events", "5000", "--backend", backend]).arg(folder.path());
            let outcome = run(&mut command);
            assert_expected("session.txt", &stable_lines(outcome.expect_success()));
            assert_eq!(Path::new(&run_file(&folder)).exists(), backend == "redb");
        }
    }
}

/// A queue of 64 entries cannot hold what the engine makes while one commit runs.
#[test]
fn session_waits_for_room_when_the_queue_is_full() {
    let Some(built) = built("session_backpressure") else { return };
    let folder = TemporaryFolder::new("backpressure");
    let mut command = built.command(LANGUAGES[0], "session");
    let outcome = run(command.args(["--events", "5000", "--queue", "64"]).arg(folder.path()));
    let report = outcome.expect_success();
    assert!(number_after(report, "queue full") > 0, "{report}");
    assert_expected("session.txt", &stable_lines(report));
}

/// One changed byte in any part of one event fails the session, which names the part and the seq.
#[test]
fn session_notices_one_changed_byte_in_any_part_of_an_event() {
    let Some(built) = built("session_damage") else { return };
    let parts = [
        "payload",
        "topic",
        "payload_type",
        "keys",
        "ts_init",
        "ts_publish",
        "correlation_id",
        "causation_id",
    ];
    for part in parts {
        let folder = TemporaryFolder::new("damage");
        let mut command = built.command(LANGUAGES[0], "session");
        command.args(["--events", "1000"]).arg(folder.path());
        let outcome = run(built.damage(&mut command, 777, part));
        assert_eq!(outcome.code, Some(1), "{part}: {outcome}");
        let named = format!("seq 777 (expected 777): {part} differs");
        assert_eq!(outcome.stderr.matches(&named).count(), 2, "forward and back: {outcome}");
    }
}

/// An event that is left out and a lookup that leads one event too far fail the session too.
#[test]
fn session_notices_a_missing_event_and_a_wrong_lookup() {
    let Some(built) = built("session_missing") else { return };
    let cases = [
        ("row", "seq 778 (expected 777): order differs", "FAILED: what came back is not"),
        ("lookup", "", "         0 found    "),
    ];
    for (part, said, printed) in cases {
        let folder = TemporaryFolder::new("missing");
        let mut command = built.command(LANGUAGES[0], "session");
        command.args(["--events", "1000"]).arg(folder.path());
        let outcome = run(built.damage(&mut command, 777, part));
        assert_eq!(outcome.code, Some(1), "{part}: {outcome}");
        assert!(outcome.stderr.contains(said), "{said}: {outcome}");
        assert!(outcome.stdout.contains(printed), "{printed}: {outcome}");
    }
}

/// Snapshot and tail give the positions that the engine had at the close.
#[test]
fn replay_restores_the_positions_of_the_session() {
    let Some(built) = built("replay") else { return };
    for language in LANGUAGES {
        let folder = TemporaryFolder::new("replay");
        let mut command = built.command(language, "session");
        let session = run(command.args(["--events", "5000"]).arg(folder.path()));
        let outcome = run(built.command(language, "replay").arg(run_file(&folder)));
        let restored = outcome.expect_success();
        assert_expected("replay.txt", &stable_lines(restored));
        let (_, at_close) =
            session.expect_success().split_once("positions at the close\n").unwrap();
        let (_, restored) = restored.split_once("positions restored\n").unwrap();
        assert!(at_close.starts_with(restored), "{at_close}\n{restored}");
    }
}

/// A snapshot that is not the anchored one is refused, not replayed upon.
#[test]
fn replay_refuses_a_snapshot_that_was_changed() {
    let Some(built) = built("replay_changed") else { return };
    let folder = TemporaryFolder::new("replay_changed");
    run(built.command(LANGUAGES[0], "session").args(["--events", "1000"]).arg(folder.path()))
        .expect_success();
    let mut made = fs::read_dir(folder.path()).unwrap().map(|item| item.unwrap().path());
    let snapshot = made.find(|path| path.is_file()).expect("the session saved one");
    let text = fs::read_to_string(&snapshot).unwrap();
    fs::write(&snapshot, text.replacen("0 0 ", "0 0 1", 1)).unwrap();
    let outcome = run(built.command(LANGUAGES[0], "replay").arg(run_file(&folder)));
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("the anchor says fnv1a64:"), "{outcome}");
}

/// An engine that boots, dies in its session, boots again and goes on knows its position each time;
/// a run that was changed meanwhile is not traded on.
#[test]
fn boot_goes_on_where_the_last_session_ended() {
    let Some(built) = built("boot") else { return };
    for language in LANGUAGES {
        let folder = TemporaryFolder::new("boot");
        let boot = |arguments: &[&str]| {
            run(built.command(language, "boot").arg(folder.path()).args(arguments))
        };
        let mut said = boot(&[]).expect_success().to_owned();
        let died = boot(&["--crash"]);
        assert_eq!((died.code, died.stderr.as_str()), (None, ""), "{died}");
        said += &died.stdout;
        for _ in 0..2 {
            said += boot(&[]).expect_success();
        }
        assert_expected("boot.txt", &said);

        let last = folder.path().join("TRADER-1/session-4.redb");
        let mut bytes = fs::read(&last).unwrap();
        let at = bytes.windows(4).rposition(|window| window == b"Fill").unwrap();
        bytes[at] ^= 1;
        fs::write(&last, bytes).unwrap();
        let refused = boot(&[]);
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.stderr.contains("session-4 has"), "{refused}");
    }
}

/// Lines with every escape, absent times and ids, and payloads from 0 bytes to 2 MiB, which is
/// more than the example's first arena holds. 400 client ids and 300 venue ids among them.
fn generated_lines(count: u64) -> String {
    let large = "x".repeat(2 << 20);
    let mut lines = String::new();
    for number in 0..count {
        let payload = match number % 5 {
            0 => String::new(),
            1 => format!("{{\"price\": \"1.5\", \"number\": {number}}}"),
            2 => "tab\t line\n quote\" backslash\\ nul\u{0} bell\u{7}".to_owned(),
            3 => "Zürich 東京 \u{1f600}".to_owned(),
            _ if number == 4 => large.clone(),
            _ => "y".repeat(number as usize % 997),
        };
        let event = serde_json::json!({
            "ts": 1_700_000_000_000_000_000 + number * 1_000_003,
            "ts_recv": (number % 3 != 0).then_some(1_700_000_000_500_000_000 + number),
            "topic": format!("orders.SIM.SYM{}", number % 7),
            "type": format!("order_{}", number % 3),
            "client_order_id": (number % 2 == 0).then(|| format!("kunde-é-{}", number / 2 % 400)),
            "venue_order_id": (number % 4 != 1).then(|| format!("{}", number % 300)),
            "payload": payload,
        });
        // Written both ways JSON allows: as UTF-8, and with every character beyond ASCII escaped.
        let line = event.to_string();
        let escaped = if number % 2 == 0 { line } else { escape_beyond_ascii(&line) };
        lines.push_str(&escaped);
        lines.push('\n');
    }
    lines
}

fn escape_beyond_ascii(line: &str) -> String {
    let mut escaped = String::new();
    for c in line.chars() {
        if c.is_ascii() {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(escaped, "\\u{unit:04X}").expect("a String takes all");
            }
        }
    }
    escaped
}

fn assert_ingested(outcome: &Outcome, events: u64, client_ids: u64, venue_ids: u64) {
    let report = outcome.expect_success();
    assert_eq!(number_after(report, "captured"), events, "{outcome}");
    assert_eq!(number_after(report, "read back"), events, "{outcome}");
    let ids = format!("ids         {client_ids} client order ids, {venue_ids} venue order ids\n");
    assert!(report.contains(&ids), "expected {ids}{outcome}");
}

/// Every event of two generated files comes back equal, in order, from all backends.
#[test]
fn ingest_reads_generated_lines_back_equal() {
    let Some(built) = built("ingest") else { return };
    let folder = TemporaryFolder::new("ingest");
    let file = folder.path().join("it's generated.jsonl");
    fs::write(&file, generated_lines(3000)).unwrap();
    for language in LANGUAGES {
        for backend in ["redb", "log", "memory"] {
            let mut command = built.command(language, "ingest");
            command.args(["--backend", backend, "--base", &path_of(&folder)]);
            let outcome = run(command.arg(&file).arg(&file));
            assert_ingested(&outcome, 6000, 400, 225);
        }
    }
}

/// The same events through zstd, and through standard input, which can be read only once.
#[test]
fn ingest_reads_compressed_files_and_standard_input() {
    let Some(built) = built("ingest_zstd") else { return };
    let folder = TemporaryFolder::new("ingest_zstd");
    let file = folder.path().join("it's generated.jsonl");
    fs::write(&file, generated_lines(1000)).unwrap();

    let mut command = built.command(LANGUAGES[0], "ingest");
    command.args(["--base", &path_of(&folder), "-"]).stdin(fs::File::open(&file).unwrap());
    assert_ingested(&run(&mut command), 1000, 400, 225);

    if !built::has_tool("zstd") {
        return not_run_without_tool("ingest_zstd", "zstd is not installed");
    }
    run(std::process::Command::new("zstd").args(["-q", "--"]).arg(&file)).expect_success();
    let mut command = built.command(LANGUAGES[0], "ingest");
    command.args(["--base", &path_of(&folder)]).arg(file.with_extension("jsonl.zst"));
    assert_ingested(&run(&mut command), 1000, 400, 225);
}

/// A line that is no event stops the ingest with its file, line and byte.
#[test]
fn ingest_names_the_line_that_is_no_event() {
    let Some(built) = built("ingest_malformed") else { return };
    let folder = TemporaryFolder::new("ingest_malformed");
    let file = folder.path().join("bad.jsonl");
    let good = r#"{"ts":1,"topic":"t","type":"y","payload":"p"}"#;
    let cases = [
        (format!("{good}\n\n{good},\n"), ":3: byte 46: more after the object"),
        (format!("{good}\n{{\"ts\":1}}\n"), ":2: needs ts (a number), topic, type and payload"),
        (r#"{"ts":1,"topic":"","type":"y","payload":"p"}"#.to_owned(), ":1: es_submit: "),
    ];
    for (text, reason) in cases {
        fs::write(&file, text).unwrap();
        let mut command = built.command(LANGUAGES[0], "ingest");
        let outcome = run(command.args(["--base", &path_of(&folder)]).arg(&file));
        assert_eq!(outcome.code, Some(1), "{outcome}");
        assert!(outcome.stderr.contains(&format!("bad.jsonl{reason}")), "{reason}: {outcome}");
    }
}

/// One changed byte fails the ingest too.
#[test]
fn ingest_notices_one_changed_byte() {
    let Some(built) = built("ingest_damage") else { return };
    let folder = TemporaryFolder::new("ingest_damage");
    let file = folder.path().join("generated.jsonl");
    fs::write(&file, generated_lines(500)).unwrap();
    for (part, named) in [("payload", "payload"), ("keys", "keys"), ("ts_init", "ts_init")] {
        let mut command = built.command(LANGUAGES[0], "ingest");
        command.args(["--base", &path_of(&folder)]).arg(&file);
        let outcome = run(built.damage(&mut command, 333, part));
        assert_eq!(outcome.code, Some(1), "{part}: {outcome}");
        let named = format!("generated.jsonl:333: {named} differs at seq 333");
        assert!(outcome.stderr.contains(&named), "{outcome}");
    }
}

/// All 76,000 events of the real captures come back equal, in order, on all backends; the number
/// of different ids is the one that the data's own description states.
#[test]
fn ingest_reads_the_real_captures_back_equal() {
    let name = "ingest_reads_the_real_captures_back_equal";
    let captures = [
        ("bitstamp_btcusd_20150501.jsonl.zst", 56_000, 25_076),
        ("bats_pitch_sample.jsonl.zst", 20_000, 7_563),
    ];
    let Some(built) = built(name) else { return };
    let Some(data) = shared_path(name, "data") else { return };
    if !built::has_tool("zstd") {
        return not_run_without_tool(name, "zstd is not installed");
    }
    let folder = TemporaryFolder::new("captures");
    for backend in ["redb", "log", "memory"] {
        for (file, events, venue_ids) in captures {
            let mut command = built.command(LANGUAGES[0], "ingest");
            command.args(["--backend", backend, "--base", &path_of(&folder)]);
            assert_ingested(&run(command.arg(data.join(file))), events, 0, venue_ids);
        }
    }
}

/// Wrong arguments are answered with how to call the program, and nothing is made.
#[test]
fn wrong_arguments_are_answered_with_the_usage() {
    let Some(built) = built("usage") else { return };
    let cases: [(&str, &[&str]); 7] = [
        ("session", &["--events", "many"]),
        ("session", &["--backend", "paper"]),
        ("session", &["--events"]),
        ("ingest", &[]),
        ("ingest", &["--backend", "paper", "file"]),
        ("replay", &[]),
        ("boot", &[]),
    ];
    for (program, arguments) in cases {
        let outcome = run(built.command(LANGUAGES[0], program).args(arguments));
        assert_eq!(outcome.code, Some(2), "{program} {arguments:?}: {outcome}");
        assert!(outcome.stderr.starts_with(&format!("usage: {program} ")), "{outcome}");
    }
}
