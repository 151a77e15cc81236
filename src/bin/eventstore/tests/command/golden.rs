//! The golden runs of FORMAT.md through every command: what it says of each is what comes out.

use std::fs;

use serde_json::Value;

use crate::harness::{INSTANCE, golden, run};

/// An entry of the golden JSON as a dump of a file without key lists prints it.
fn without_keys(entry: &Value) -> Value {
    let mut entry = entry.clone();
    entry.as_object_mut().unwrap().remove("index_keys");
    entry
}

/// Good rows, then the exit status and the words for the first bad one.
#[test]
fn dump_gives_the_good_rows_and_stops_at_the_first_bad_one() {
    let Some((base, runs)) = golden("golden_dump") else { return };
    for (id, expected) in &runs {
        let path = base.join(INSTANCE).join(format!("{id}.redb"));
        let before = fs::read(&path).unwrap();
        let ran = run(&[&"dump", &"--json", &path]);
        let entries = expected["entries"].as_array().unwrap();
        let (good, end) = match &id[11..] {
            "ended001" | "empty001" | "drift001" => (entries.len(), None),
            "badhash1" => (2, Some((1, "entry 3 does not match its hash"))),
            "gap00001" => (3, Some((1, "entry 4 is missing: 3 is followed by 5"))),
            "moved001" => (1, Some((1, "the row of entry 2 holds entry 5"))),
            "running1" | "killed01" => (0, Some((2, "recover it first"))),
            other => panic!("a golden run that no test knows: {other}"),
        };
        match end {
            None => assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{id}"),
            Some((status, words)) => {
                let line = ran.failed(status);
                assert!(line.contains(words) && line.contains(id), "{line}");
                assert!(status == 2 || line.contains("eventstore salvage"), "{line}");
            }
        }
        let dumped = ran.objects();
        assert_eq!(fs::read(&path).unwrap(), before, "{id}: a dump changed the file");
        if end.is_some_and(|(status, _)| status == 2) {
            assert_eq!(dumped.len(), 0, "{id}");
            continue;
        }
        assert_eq!(dumped[0]["manifest"], expected["manifest"], "{id}");
        assert_eq!(dumped[0]["snapshot_anchor"], expected["snapshot_anchor"], "{id}");
        assert_eq!(dumped.len(), 1 + good, "{id}");
        for (entry, expected) in dumped[1..].iter().zip(entries) {
            assert_eq!(*entry, without_keys(expected), "{id}");
        }
    }
}

/// Each entry alone is what it is in a dump; each key leads to the first entry that has it.
#[test]
fn get_and_lookup_find_what_is_there() {
    let Some((base, runs)) = golden("golden_get") else { return };
    let (id, expected) = &runs[0];
    let path = base.join(INSTANCE).join(format!("{id}.redb"));
    let entries = expected["entries"].as_array().unwrap();
    let mut looked_up = std::collections::BTreeSet::new();
    for (at, entry) in entries.iter().enumerate() {
        if at % 10 == 0 {
            let seq = (at + 1).to_string();
            let found = run(&[&"get", &"--json", &path, &seq]).done().object();
            assert_eq!(found, without_keys(entry));
        }
        for key in entry["index_keys"].as_array().unwrap() {
            let (kind, key) = (key[0].as_str().unwrap(), key[1].as_str().unwrap());
            if !looked_up.insert((kind, key)) || looked_up.len() % 5 != 1 {
                continue;
            }
            let index = if kind == "ClientOrderId" { "client" } else { "venue" };
            let found = run(&[&"lookup", &"--json", &path, &index, &key]).done().object();
            assert_eq!(found, without_keys(entry), "{kind} {key}");
        }
    }
    assert!(looked_up.len() > 10, "{} keys", looked_up.len());
    for missing in ["0", "61", "18446744073709551615"] {
        let ran = run(&[&"get", &path, &missing]);
        assert!(ran.failed(1).contains(&format!("no entry {missing}")), "{ran:?}");
    }
    assert!(run(&[&"lookup", &path, &"venue", &"nobody"]).failed(1).contains("\"nobody\""));
    let damaged = base.join(INSTANCE).join("1700000003-badhash1.redb");
    assert!(run(&[&"get", &damaged, &"3"]).failed(1).contains("hash"));
    run(&[&"get", &damaged, &"2"]).done();
}
