//! What cannot be run at all: one clear line, status 2, and nothing changed.

use std::ffi::OsStr;
use std::fs;

use crate::harness::{Folder, INSTANCE, command, golden, numbered_run, run};

/// Wrong usage of every kind is one line that names what is wrong.
#[test]
fn wrong_usage_is_one_line() {
    let cases: [(&[&dyn AsRef<OsStr>], &str); 12] = [
        (&[], "no command given"),
        (&[&"undo"], "undo"),
        (&[&"dump"], "<RUN>"),
        (&[&"dump", &"a", &"b"], "'b'"),
        (&[&"dump", &"a", &"--form", &"1"], "--form"),
        (&[&"dump", &"a", &"--from", &"x"], "--from"),
        (&[&"dump", &"a", &"--since", &"yesterday"], "--since"),
        (&[&"dump", &"a", &"--topic", &"[z"], "--topic"),
        (&[&"get", &"a", &"-1"], "-1"),
        (&[&"lookup", &"a", &"broker", &"k"], "broker"),
        (&[&"ingest", &"--base", &"b", &"-"], "--instance"),
        (&[&"ingest", &"--base", &"b", &"--instance", &"i", &"--backend", &"tape", &"-"], "tape"),
    ];
    for (arguments, word) in cases {
        let ran = run(arguments);
        assert!(ran.failed(2).contains(word), "{ran:?}");
        assert_eq!(ran.stdout, "");
    }
}

/// Help and version are no errors.
#[test]
fn help_and_version_are_printed() {
    for arguments in [&[&"--help" as &dyn AsRef<OsStr>][..], &[&"dump", &"--help"]] {
        let help = run(arguments).done().stdout;
        assert!(help.contains("Usage: eventstore"), "{help}");
    }
    assert!(run(&[&"--version"]).done().stdout.starts_with("eventstore "));
}

/// Files that are no runs, for every command that reads one.
#[test]
fn what_is_no_run_is_refused_and_left_alone() {
    let folder = Folder::new("no_run");
    let redb_header = b"redb\x1A\x0A\xA9\x0D\x0A".as_slice();
    let files = [
        ("missing", None, "missing"),
        ("empty", Some(b"".as_slice()), "is empty"),
        ("text", Some(b"a letter\n".as_slice()), "not a run file"),
        ("sqlite", Some(b"SQLite format 3\0 and pages".as_slice()), "SQLite"),
    ];
    for (name, content, words) in files {
        let path = folder.join(name);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        for command in reading_commands() {
            let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&command[0], &path];
            arguments.extend(command[1..].iter().map(|text| text as &dyn AsRef<OsStr>));
            let ran = run(&arguments);
            let line = ran.failed(2);
            assert!(line.contains(words), "{command:?} {name}: {line}");
            assert!(line.contains(&path.display().to_string()), "{line}");
        }
        assert_eq!(fs::read(&path).ok().as_deref(), content, "{name} was changed");
    }
    // A header and nothing behind it is a run file that was damaged.
    let stump = folder.write("stump", redb_header);
    assert_eq!(run(&[&"dump", &stump]).status, Some(1));
}

fn reading_commands() -> Vec<Vec<&'static str>> {
    vec![vec!["dump"], vec!["get", "1"], vec!["lookup", "client", "c-1"], vec!["verify"]]
}

/// A folder in place of a run file is refused too.
#[test]
fn folder_is_no_run() {
    let folder = Folder::new("folder_run");
    assert!(run(&[&"dump", &folder.path()]).failed(2).contains("folder_run"));
}

/// A file of a later store format is refused by its number.
#[test]
fn future_format_is_refused_by_its_number() {
    let Some((base, _)) = golden("future_format") else { return };
    let path = base.join(INSTANCE).join("1700000001-empty001.redb");
    {
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        let table: redb::TableDefinition<'_, &str, u32> =
            redb::TableDefinition::new("store_format");
        transaction.open_table(table).unwrap().insert("codec", 7).unwrap();
        transaction.commit().unwrap();
    }
    let before = fs::read(&path).unwrap();
    for command in reading_commands() {
        let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&command[0], &path];
        arguments.extend(command[1..].iter().map(|text| text as &dyn AsRef<OsStr>));
        assert!(run(&arguments).failed(2).contains("format 7"), "{command:?}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// While a writer lives, its run is not read and its instance takes no second writer.
#[test]
fn locked_run_is_refused() {
    let base = Folder::new("locked");
    let mut writer = command()
        .args(["ingest", "--base"])
        .arg(base.path())
        .args(["--instance", INSTANCE, "--run-id", "r-1", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, crate::harness::numbered_line(1).as_bytes()).unwrap();
    let path = base.join(INSTANCE).join("r-1.redb");
    while !path.exists() {
        std::thread::yield_now();
    }
    assert!(run(&[&"dump", &path]).failed(2).contains("lock"));
    let lines = base.write("lines", crate::harness::numbered_line(1));
    let second = run(&[&"ingest", &"--base", &base.path(), &"--instance", &INSTANCE, &lines]);
    assert!(second.failed(2).contains("holds this instance"), "{second:?}");
    drop(stdin);
    assert!(writer.wait().unwrap().success());
    run(&[&"dump", &path]).done();
}

/// Inputs are looked at before a run is made: a missing one leaves nothing behind.
#[test]
fn missing_input_makes_no_run() {
    let base = Folder::new("missing_input");
    let good = base.write("good.jsonl", crate::harness::numbered_line(1));
    let store = base.join("store");
    for bad in [base.join("missing.jsonl"), base.path().to_owned()] {
        let ran = run(&[&"ingest", &"--base", &store, &"--instance", &INSTANCE, &good, &bad]);
        assert!(ran.failed(2).contains(&bad.display().to_string()), "{ran:?}");
        assert!(!store.exists());
    }
}

/// Names that could leave the base are refused before anything is made.
#[test]
fn bad_ids_are_refused() {
    let base = Folder::new("bad_ids");
    let lines = base.write("lines", crate::harness::numbered_line(1));
    let store = base.join("store");
    for (instance, run_id) in [("../x", "r"), ("i", "a/b"), ("i", ""), (".i", "r")] {
        let ran = run(&[
            &"ingest",
            &"--base",
            &store,
            &"--instance",
            &instance,
            &"--run-id",
            &run_id,
            &lines,
        ]);
        assert!(ran.failed(2).contains("_id"), "{ran:?}");
        assert!(!store.exists());
    }
    numbered_run(&store, "fine", 1);
}
