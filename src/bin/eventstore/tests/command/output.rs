//! The shape of the output: filters, JSON keys, pipes, generated pages.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::harness::{
    Folder, INSTANCE, Ran, closed_pipe, command, keys_in_order, numbered_run, run, run_with_input,
};

const ENTRY_KEYS: &str = "seq ts_init ts_publish topic payload_type payload_hex correlation_id \
                          causation_id entry_hash index_keys";

/// Keys and their order are what CLI.md fixes, and numbers are integers.
#[test]
fn json_keys_are_the_fixed_ones() {
    let base = Folder::new("json_keys");
    let path = numbered_run(base.path(), "r-1", 3);
    let lines = base.write("lines", crate::harness::numbered_line(1));
    let ingest =
        run(&[&"ingest", &"--base", &base.path(), &"--instance", &INSTANCE, &"--json", &lines]);
    let keys = |line: &str| keys_in_order(line).join(" ");
    assert_eq!(
        keys(&ingest.done().stdout),
        "run_id path entries high_watermark seconds entries_per_second"
    );
    let dump = run(&[&"dump", &"--json", &path]).done().stdout;
    let mut dump_lines = dump.lines();
    assert_eq!(keys(dump_lines.next().unwrap()), "manifest snapshot_anchor");
    for line in dump_lines {
        assert_eq!(keys(line), ENTRY_KEYS);
        assert!(!line.contains('.') || line.contains("\"topic\""), "{line}");
    }
    let get = run(&[&"get", &"--json", &path, &"2"]).done().stdout;
    let lookup = run(&[&"lookup", &"--json", &path, &"client", &"c-2"]).done().stdout;
    assert_eq!(keys(&get), ENTRY_KEYS);
    assert_eq!(get, lookup);
    assert_eq!(get.trim_end(), dump.lines().nth(2).unwrap());
}

/// Each filter of a dump, alone and together.
#[test]
fn dump_filters_choose_rows() {
    let base = Folder::new("filters");
    let line = |ts: u64, topic: &str, kind: &str| {
        format!("{{\"ts\":{ts},\"topic\":\"{topic}\",\"type\":\"{kind}\",\"payload\":\"\"}}\n")
    };
    let lines = [
        line(1_000_000_000, "orders.A", "New"),
        line(2_000_000_000, "orders.B", "Fill"),
        // Time steps back, as it does in real feeds.
        line(1_500_000_000, "trades.A", "Fill"),
        line(3_000_000_000, "orders.A", "Fill"),
    ]
    .concat();
    let place: [&dyn AsRef<OsStr>; 8] =
        [&"ingest", &"--base", &base.path(), &"--instance", &INSTANCE, &"--run-id", &"r", &"-"];
    run_with_input(&place, &lines).done();
    let path = base.join(INSTANCE).join("r.redb");
    let chosen = |filters: &[&str]| -> Vec<u64> {
        let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"dump", &"--json", &path];
        arguments.extend(filters.iter().map(|text| text as &dyn AsRef<OsStr>));
        let objects = run(&arguments).done().objects();
        objects[1..].iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
    };
    let cases: [(&[&str], &[u64]); 15] = [
        (&[], &[1, 2, 3, 4, 5]),
        (&["--reverse"], &[5, 4, 3, 2, 1]),
        (&["--from", "4"], &[4, 5]),
        (&["--to", "2"], &[1, 2]),
        (&["--from", "2", "--to", "3", "--reverse"], &[3, 2]),
        (&["--from", "0"], &[]),
        (&["--from", "9"], &[]),
        (&["--since", "1500000000"], &[2, 3, 4, 5]),
        (&["--since", "1970-01-01T00:00:02.5Z"], &[4, 5]),
        (&["--since", "4000000000"], &[]),
        (&["--until", "1970-01-01T00:00:01.5"], &[1, 3]),
        (&["--since", "1500000000", "--until", "2000000000"], &[2, 3]),
        (&["--topic", "orders.*"], &[1, 2, 4]),
        (&["--topic", "*.{A,Z}", "--type", "Fill"], &[3, 4]),
        (&["--type", "fill"], &[]),
    ];
    for (filters, expected) in cases {
        assert_eq!(chosen(filters), expected, "{filters:?}");
    }
}

/// A reader that has seen enough ends the dump quietly.
#[test]
fn closed_pipe_is_no_error() {
    let base = Folder::new("pipe");
    let path = numbered_run(base.path(), "r-1", 20_000);
    for form in [&["dump", "--json"][..], &["dump"]] {
        let mut child = command()
            .args(form)
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), ended.stderr.len()), (Some(0), 0), "{form:?}");
    }
}

/// Stands for a file on a disk that is full.
fn full_device() -> fs::File {
    fs::OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// A disk that is full while output is written is said, not swallowed.
#[test]
fn full_output_is_an_error() {
    let base = Folder::new("full_output");
    let path = numbered_run(base.path(), "r-1", 10);
    let ended = command().arg("dump").arg(&path).stdout(full_device()).output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("standard output"));
}

/// A fault that was found is the status, though nobody reads the output or its disk is full.
#[test]
fn unread_output_hides_no_fault() {
    let base = Folder::new("unread_fault");
    let whole = fs::read(numbered_run(base.path(), "r-1", 100)).unwrap();
    let cut = base.write("cut.redb", &whole[..whole.len() / 2]);
    let lines = base.write("lines", crate::harness::numbered_line(1) + "nonsense\n");
    fs::write(base.join(INSTANCE).join("r-2.redb"), "a letter").unwrap();
    let place: [&dyn AsRef<OsStr>; 4] = [&"--base", &base.path(), &"--instance", &INSTANCE];
    let with_place = |name: &'static &str, more: &[&'static dyn AsRef<OsStr>]| {
        [&[name as &dyn AsRef<OsStr>][..], &place, more].concat()
    };
    let cases: [(Vec<&dyn AsRef<OsStr>>, &str); 6] = [
        (vec![&"verify", &cut], ""),
        (vec![&"verify", &"--json", &cut], ""),
        (with_place(&"recover", &[]), ""),
        (with_place(&"recover", &[&"--json"]), ""),
        ([with_place(&"ingest", &[]), vec![&lines]].concat(), "lines:2"),
        ([with_place(&"ingest", &[&"--json"]), vec![&lines]].concat(), "lines:2"),
    ];
    for (arguments, reason) in cases {
        let end_of = |stdout: Stdio| {
            let words = arguments.iter().map(|argument| argument.as_ref());
            Ran::from(command().args(words).stdout(stdout).output().unwrap())
        };
        let words: Vec<_> = arguments.iter().map(|argument| argument.as_ref()).collect();
        let closed = end_of(closed_pipe().into());
        assert_eq!(closed.status, Some(1), "{words:?}: {closed:?}");
        // Of the closed pipe itself nothing is said.
        assert_eq!(closed.stderr.lines().count(), usize::from(!reason.is_empty()), "{closed:?}");
        assert!(closed.stderr.contains(reason), "{words:?}: {closed:?}");
        let full = end_of(full_device().into());
        let expected = if reason.is_empty() { "standard output" } else { reason };
        assert!(full.failed(1).contains(expected), "{words:?}: {full:?}");
    }
    // What is sound stays so.
    let sound = base.write("sound.redb", &whole);
    let read = command().arg("verify").arg(&sound).stdout(closed_pipe()).status().unwrap();
    assert_eq!(read.code(), Some(0));
}

/// Where standard error is gone or full, the status alone tells what went wrong.
#[test]
fn status_is_kept_without_standard_error() {
    let base = Folder::new("unheard_error");
    let path = numbered_run(base.path(), "r-1", 1);
    for (seq, status) in [("99", 1), ("x", 2)] {
        for stderr in [Stdio::from(closed_pipe()), Stdio::from(full_device())] {
            let ended = command().arg("get").arg(&path).arg(seq).stderr(stderr).status().unwrap();
            assert_eq!(ended.code(), Some(status), "get {seq}");
        }
    }
    let missing = base.join("missing.redb");
    let ended = command().arg("dump").arg(&missing).stderr(closed_pipe()).status().unwrap();
    assert_eq!(ended.code(), Some(2));
}

/// People get times beside nanoseconds, aligned columns, and no control characters of the data.
#[test]
fn readable_dump_is_aligned_and_harmless() {
    let base = Folder::new("readable");
    let lines = "{\"ts\":1700000000000000001,\"topic\":\"a\\u001b[31m\",\"type\":\"P\",\"payload\":\"x\\u0007\"}\n\
                 {\"ts\":1700000000000000002,\"topic\":\"日本\",\"type\":\"P\",\"payload\":\"second\"}\n";
    let place: [&dyn AsRef<OsStr>; 8] =
        [&"ingest", &"--base", &base.path(), &"--instance", &INSTANCE, &"--run-id", &"r", &"-"];
    run_with_input(&place, lines).done();
    let path = base.join(INSTANCE).join("r.redb");
    let text = run(&[&"dump", &path]).done().stdout;
    assert!(text.contains("2023-11-14T22:13:20.000000001Z  1700000000000000001"), "{text}");
    assert!(text.contains("a\\u{1b}[31m"), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
    let entry = run(&[&"get", &path, &"1"]).done().stdout;
    assert!(entry.chars().all(|c| c == '\n' || !c.is_control()), "{entry}");
}

/// Man pages and completions come out of the definitions, one page a command.
#[test]
fn man_pages_and_completions_are_generated() {
    let folder = Folder::new("generated");
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    run(&[&"generate", &"--man", &man, &"--completions", &completions]).done();
    let names = |path| -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(path)
            .unwrap()
            .map(|item| item.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let pages = names(&man);
    for page in ["eventstore.1", "eventstore-ingest.1", "eventstore-dump.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    assert!(!pages.iter().any(|name| name.contains("generate")), "{pages:?}");
    let dump = fs::read_to_string(man.join("eventstore-dump.1")).unwrap();
    assert!(dump.contains(".SH OPTIONS") && dump.contains("\\-\\-since"), "{dump}");
    assert_eq!(
        names(&completions),
        ["_eventstore", "_eventstore.ps1", "eventstore.bash", "eventstore.elv", "eventstore.fish"]
    );
    let bash = fs::read_to_string(completions.join("eventstore.bash")).unwrap();
    assert!(bash.contains("--reverse"), "{bash}");
    assert!(run(&[&"generate"]).failed(2).contains("--man"));
}
