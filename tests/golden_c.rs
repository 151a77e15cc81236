//! The golden run files through C: what FORMAT.md says of each is what recover, verify and a scan
//! answer, and verify changes no byte.
//!
//! The program is `golden_c/inspect.c`; it prints a line a fact. (The same from Rust: `golden`,
//! `verifier`, `recovery`; by the command: its own tests.)

mod common;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use eventstore::ffi::constants::{ES_INDEX_CLIENT_ORDER_ID, ES_INDEX_VENUE_ORDER_ID};
use eventstore::headers::Uuid;
use eventstore::index::IndexKind;
use eventstore::manifest::RunStatus;

use common::c_program;
use common::golden::{self, Expected, GoldenRun, INSTANCE, RUNS};
use common::sample::Keyed;
use common::shared::not_run_without_tool;
use common::temporary::TemporaryFolder;

/// Builds the program, where there is a compiler.
fn inspect(test: &str) -> Option<(TemporaryFolder, PathBuf)> {
    if !c_program::has_tool("gcc") {
        not_run_without_tool(test, "gcc");
        return None;
    }
    let folder = TemporaryFolder::new(test);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_c/inspect.c");
    let program = c_program::build(&source, "c11", folder.path(), &["-g"]);
    Some((folder, program))
}

/// What the program prints, and its exit code.
fn printed(program: &Path, arguments: &[&str]) -> (i32, Vec<String>) {
    let output = Command::new(program).args(arguments).output().expect("it was just built");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "stderr is the host's");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (output.status.code().expect("no signal"), text.lines().map(str::to_owned).collect())
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An entry as the program prints it.
fn line_of(item: &Keyed) -> String {
    let entry = &item.entry;
    let id = |id: Option<Uuid>| hex(id.map(|id| id.0).as_ref().map_or(&[][..], |id| &id[..]));
    format!(
        "entry {} {} {} {} {} {} {} {} {}",
        entry.seq,
        entry.ts_init,
        entry.ts_publish,
        hex(entry.topic.as_bytes()),
        hex(entry.payload_type.as_bytes()),
        hex(&entry.payload),
        id(entry.headers.correlation_id),
        id(entry.headers.causation_id),
        hex(&entry.entry_hash),
    )
}

/// The lines of a dump: manifest, anchor, these entries, and the error that ended it.
fn dump_of(expected: &Expected, manifest: &str, good: usize, end: Option<&str>) -> Vec<String> {
    let mut lines = vec![manifest.to_owned()];
    if let Some(anchor) = &expected.anchor {
        lines.push(format!("anchor {} {}", anchor.high_watermark, anchor.blob_ref));
    }
    lines.extend(expected.entries[..good].iter().map(line_of));
    lines.extend(end.map(str::to_owned));
    lines
}

fn sealed_line(expected: &Expected) -> String {
    format!("manifest {} {}", expected.manifest.status as u8, expected.manifest.high_watermark)
}

/// Whether the lines are these; of the last one, an error, only its beginning is compared.
fn assert_lines(found: &[String], expected: &[String], run_id: &str) {
    assert_eq!(found.len(), expected.len(), "{run_id}: {found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        let is_error = expected.starts_with("end ");
        let same = if is_error { found.starts_with(expected) } else { found == expected };
        assert!(same, "{run_id}: found {found:?}, expected {expected:?}");
    }
}

/// The good rows, then the code and the seq of the first bad one.
#[test]
fn scan_gives_the_good_rows_and_names_the_first_bad_one() {
    let test = "c_scan_of_golden_runs";
    let Some((_folder, inspect)) = inspect(test) else { return };
    for run_id in RUNS {
        let Some(GoldenRun { base: _base, path, bytes, expected }) = golden::copy_of(test, run_id)
        else {
            return;
        };
        let (good, end) = match &run_id[11..] {
            "badhash1" => (2, Some("end ES_ERR_HASH_MISMATCH 3 ")),
            "gap00001" => (3, Some("end ES_ERR_GAP 4 ")),
            "moved001" => (1, Some("end ES_ERR_SEQ_MISMATCH 2 ")),
            "running1" | "killed01" => {
                let (code, lines) = printed(&inspect, &["dump", path.to_str().unwrap()]);
                assert_eq!((code, lines.len()), (1, 1), "{run_id}: {lines:?}");
                assert!(lines[0].starts_with("open ES_ERR_NOT_SEALED 0 "), "{run_id}: {lines:?}");
                continue;
            }
            _ => (expected.entries.len(), None),
        };
        let (code, lines) = printed(&inspect, &["dump", path.to_str().unwrap()]);
        assert_eq!(code, 0, "{run_id}: {lines:?}");
        assert_lines(&lines, &dump_of(&expected, &sealed_line(&expected), good, end), run_id);
        assert!(fs::read(&path).unwrap() == bytes, "{run_id}: a scan changed the file");
    }
}

/// The findings of FORMAT.md, each and no other, and not one byte written.
#[test]
fn verify_finds_what_is_wrong_and_writes_nothing() {
    let test = "c_verify_of_golden_runs";
    let Some((_folder, inspect)) = inspect(test) else { return };
    for run_id in RUNS {
        let Some(GoldenRun { base: _base, path, bytes, expected }) = golden::copy_of(test, run_id)
        else {
            return;
        };
        // Where a write is refused, one that was tried would show.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        let (code, lines) = printed(&inspect, &["verify", path.to_str().unwrap()]);
        assert!(fs::read(&path).unwrap() == bytes, "{run_id}: verify changed the file");
        let found: Vec<String> = match &run_id[11..] {
            "running1" | "killed01" => {
                assert_eq!((code, lines.len()), (1, 1), "{run_id}: {lines:?}");
                assert!(lines[0].starts_with("verify ES_ERR_NOT_SEALED 0 "), "{run_id}: {lines:?}");
                continue;
            }
            "badhash1" => {
                let keys = &expected.entries[2].keys;
                let key = keys.iter().find(|key| key.kind == IndexKind::VENUE_ORDER_ID).unwrap();
                let (kind, key) = (ES_INDEX_VENUE_ORDER_ID, hex(key.key.as_bytes()));
                vec![
                    "finding 1 drift 0 index 0 seq 3 other 0 -".to_owned(),
                    format!("finding 5 drift 2 index {kind} seq 3 other 0 {key}"),
                ]
            }
            "gap00001" => vec!["finding 4 drift 0 index 0 seq 4 other 4 -".to_owned()],
            "moved001" => vec!["finding 2 drift 0 index 0 seq 2 other 5 -".to_owned()],
            "drift001" => {
                let kind = ES_INDEX_CLIENT_ORDER_ID;
                vec![format!("finding 5 drift 1 index {kind} seq 99 other 0 {}", hex(b"GHOST"))]
            }
            _ => Vec::new(),
        };
        assert_eq!(code, 0, "{run_id}: {lines:?}");
        let word = if found.is_empty() { "clean " } else { "not clean " };
        assert!(lines[0].starts_with(word), "{run_id}: {lines:?}");
        assert_eq!(lines[1..], found, "{run_id}");
    }
}

/// Recovery seals the two runs that were left with what their JSON says, and touches no other.
#[test]
fn recovery_seals_the_two_runs_that_were_left() {
    let test = "c_recovery_of_golden_runs";
    let Some((folder, inspect)) = inspect(test) else { return };
    let base = folder.path().join("base");
    fs::create_dir_all(base.join(INSTANCE)).unwrap();
    let mut runs = Vec::new();
    for run_id in RUNS {
        let Some(run) = golden::copy_of(test, run_id) else { return };
        let path = base.join(INSTANCE).join(run.path.file_name().unwrap());
        fs::copy(&run.path, &path).unwrap();
        runs.push((run_id, path, run));
    }
    let (sealed, crashed) = (1, RunStatus::CrashedRecovered as u8);
    let recover = ["recover", base.to_str().unwrap(), INSTANCE];
    let (code, lines) = printed(&inspect, &recover);
    let expected = [
        format!("1700000002-running1 {sealed} {crashed}"),
        format!("1700000007-killed01 {sealed} {crashed}"),
        "parent 1700000007-killed01".to_owned(),
    ];
    assert_eq!((code, lines), (0, expected.to_vec()));
    for (run_id, path, run) in &runs {
        if ["1700000002-running1", "1700000007-killed01"].contains(run_id) {
            let count = run.expected.entries.len();
            let manifest = format!("manifest {crashed} {count}");
            let (code, lines) = printed(&inspect, &["dump", path.to_str().unwrap()]);
            assert_eq!(code, 0, "{run_id}: {lines:?}");
            assert_lines(&lines, &dump_of(&run.expected, &manifest, count, None), run_id);
            let (code, lines) = printed(&inspect, &["verify", path.to_str().unwrap()]);
            assert_eq!((code, lines), (0, vec![format!("clean {count} entries")]), "{run_id}");
        } else {
            assert!(fs::read(path).unwrap() == run.bytes, "{run_id} was touched");
        }
    }
    let (code, lines) = printed(&inspect, &recover);
    assert_eq!((code, lines), (0, expected[2..].to_vec()), "nothing is left to do");
}

/// Each of the two runs that were left opens as crashed with all its rows, whatever its file needs
/// first, is sealed through that reader, and from then on opens as sealed and verifies clean.
#[test]
fn left_runs_open_as_crashed_and_are_sealed() {
    let test = "c_seal_of_golden_runs";
    let Some((_folder, inspect)) = inspect(test) else { return };
    let crashed = RunStatus::CrashedRecovered as u8;
    for run_id in ["1700000002-running1", "1700000007-killed01"] {
        let Some(GoldenRun { base, path, bytes, expected }) = golden::copy_of(test, run_id) else {
            return;
        };
        let count = expected.entries.len();
        // The other writer stores the watermark with the seal.
        let left = dump_of(&expected, "manifest 0 0", count, None);
        let sealed = dump_of(&expected, &format!("manifest {crashed} {count}"), count, None);
        let answer = format!("sealed 1 {crashed} {count} digest 1");
        let expected = [&left[..], &[answer], &sealed].concat();
        let seal = ["seal", base.path().to_str().unwrap(), INSTANCE, run_id];
        let (code, lines) = printed(&inspect, &seal);
        assert_eq!(code, 0, "{run_id}: {lines:?}");
        assert_lines(&lines, &expected, run_id);
        assert!(fs::read(&path).unwrap() != bytes, "{run_id}: nothing was written");
        let (code, lines) = printed(&inspect, &["dump", path.to_str().unwrap()]);
        assert_eq!(code, 0, "{run_id}: {lines:?}");
        assert_lines(&lines, &sealed, run_id);
        let (code, lines) = printed(&inspect, &["verify", path.to_str().unwrap()]);
        assert_eq!((code, lines), (0, vec![format!("clean {count} entries")]), "{run_id}");
    }
}
