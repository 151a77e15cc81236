//! One bit flipped at every byte offset of a run: whatever passes for good is good.
//!
//! Over both backends that keep files, of the log every file. A sealed run: after a clean verdict no read by any function differs from the original. A killed
//! run: recovery never seals as good a run that misses an acknowledged entry. The offsets are
//! swept in child processes, so that an abort is counted and not suffered. `cargo test` takes
//! every so-manyeth offset, `ES_CAMPAIGN=1` all of them; all eight bits of each file's header always.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use common::process::{self, Running};
use common::sample::{self, INSTANCE};
use common::temporary::TemporaryFolder;
use eventstore::backend::log::{LogOptions, LogStore};
use eventstore::backend::redb::{RedbOptions, RedbStore};
use eventstore::backend::{Direction, EventReader, EventStore};
use eventstore::index::IndexKind;
use eventstore::manifest::RunStatus;
use eventstore::recovery::{Outcome, RecoveryOptions, recover};
use eventstore::store::{self, ReaderOptions};
use eventstore::verifier::{VerifyOptions, verify_run};

common::process::child_roles!(play);

const RUN_ID: &str = "r-1";
const ENTRIES: u64 = 100;
const CACHE_BYTES: usize = 1 << 20;
/// Both commit slots of redb and the flags that choose between them.
const REDB_HEADER_BYTES: u64 = 320;
/// The head of a segment; of the other files of a log, most of what they hold.
const LOG_HEADER_BYTES: u64 = 64;
/// Short, so that the entries fill several.
const SEGMENT_BYTES: u64 = 16 << 10;
/// Processes that share the offsets.
const WORKERS: u64 = 2;
/// How much longer the steps are in pages of zeros, unless every offset is asked for.
const BLANK_STRIDE: u64 = 16;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Redb,
    Log,
}

impl Kind {
    /// The backend that this role was started for.
    fn told() -> Self {
        if process::told("ES_BACKEND") == "Log" { Self::Log } else { Self::Redb }
    }

    fn store(self, base: &Path) -> Box<dyn EventStore> {
        match self {
            Self::Redb => Box::new(RedbStore::new(base, RedbOptions::default())),
            Self::Log => {
                let options =
                    LogOptions { segment_bytes_max: SEGMENT_BYTES, ..LogOptions::default() };
                Box::new(LogStore::new(base, options))
            }
        }
    }

    fn run_path(self, base: &Path) -> PathBuf {
        let ending = if self == Self::Log { "eslog" } else { "redb" };
        base.join(INSTANCE).join(format!("{RUN_ID}.{ending}"))
    }

    fn header_bytes(self) -> u64 {
        if self == Self::Log { LOG_HEADER_BYTES } else { REDB_HEADER_BYTES }
    }
}

fn write_run(kind: Kind, base: &Path) -> Box<dyn EventStore> {
    let mut store = kind.store(base);
    store.open_run(&sample::full_manifest(RUN_ID)).unwrap();
    let entries = sample::run_of(ENTRIES);
    let (first, rest) = entries.split_at(60);
    for batch in [first, &rest[..30], &rest[30..]] {
        sample::append(&mut *store, batch).unwrap();
        let last = batch[batch.len() - 1].entry.seq;
        if last == 60 {
            store.record_snapshot_anchor(&sample::anchor(50)).unwrap();
        }
    }
    store
}

/// The files of a run and what they hold.
#[derive(PartialEq)]
struct Files(Vec<(PathBuf, Vec<u8>)>);

impl Files {
    fn of(run: &Path) -> Self {
        let mut paths = vec![run.to_owned()];
        if run.is_dir() {
            paths = fs::read_dir(run).unwrap().map(|item| item.unwrap().path()).collect();
        }
        paths.sort();
        Self(paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect())
    }

    /// Puts the run back as it was, whatever was made of it.
    fn restore(&self, run: &Path) {
        if run.is_dir() {
            for item in fs::read_dir(run).unwrap() {
                fs::remove_file(item.unwrap().path()).unwrap();
            }
        }
        for (path, bytes) in &self.0 {
            fs::write(path, bytes).unwrap();
        }
    }

    fn flip(&mut self, place: Flip) {
        self.0[place.file].1[place.offset as usize] ^= place.bits;
        let (path, bytes) = &self.0[place.file];
        let file = fs::File::options().write(true).open(path).unwrap();
        let byte = bytes[place.offset as usize];
        file.write_all_at(&[byte], place.offset).unwrap();
    }
}

/// Some bits of one byte.
#[derive(Debug, Clone, Copy)]
struct Flip {
    file: usize,
    offset: u64,
    bits: u8,
}

/// What every function of a reader answers, in one text.
fn answers(view: &dyn EventReader) -> String {
    let mut all = format!("{:?} {}\n", view.manifest(), view.high_watermark());
    for direction in [Direction::Forward, Direction::Backward] {
        let end = view.visit_range(1, u64::MAX, direction, &mut |row| {
            let _ = writeln!(all, "{:?} {:?}", row.entry, row.keys);
            ControlFlow::Continue(())
        });
        let _ = writeln!(all, "{end:?}");
    }
    for seq in 0..=ENTRIES + 1 {
        let _ = writeln!(all, "{:?} {:?}", view.scan_seq(seq), view.recorded_keys(seq));
    }
    for kind in IndexKind::ALL {
        let end = view.visit_index(kind, None, &mut |key, seq| {
            let _ = writeln!(all, "{key} {seq}");
            ControlFlow::Continue(())
        });
        let _ = writeln!(all, "{end:?}");
        for number in 0..=ENTRIES / 4 + 1 {
            for key in [format!("O-{number}"), format!("V-{number}")] {
                let _ = writeln!(all, "{:?}", view.lookup(kind, &key));
            }
        }
    }
    for step in 0..ENTRIES + 2 {
        let time = sample::START_TS + step * 1000 - 500;
        let _ = writeln!(all, "{:?}", view.first_seq_at(time));
    }
    let _ = writeln!(all, "{:?} {:?}", view.latest_snapshot_anchor(), view.digest());
    all
}

fn read_all(path: &Path) -> Option<String> {
    let options = ReaderOptions { cache_bytes: CACHE_BYTES, ..ReaderOptions::default() };
    let reader = store::open_sealed_run(path, &options).ok()?;
    let mut all = answers(reader.view());
    let _ = writeln!(all, "{:?}", reader.restore_plan());
    Some(all)
}

/// Each flip of a worker. Pages of zeros, which are most of a young run and hold nothing, are swept
/// with longer steps.
fn flips(kind: Kind, files: &Files) -> Vec<Flip> {
    const PAGE_BYTES: usize = 4096;
    let (worker, stride) = (process::told_number("ES_WORKER"), process::told_number("ES_STRIDE"));
    let mut flips = Vec::new();
    for (file, (_, whole)) in files.0.iter().enumerate() {
        for (page, bytes) in whole.chunks(PAGE_BYTES).enumerate() {
            let is_blank = bytes.iter().all(|&byte| byte == 0);
            let stride = if is_blank && stride > 1 { stride * BLANK_STRIDE } else { stride };
            let start = (page * PAGE_BYTES) as u64;
            for offset in start..start + bytes.len() as u64 {
                let bits = match offset {
                    _ if offset % WORKERS != worker => 0..0,
                    _ if offset < kind.header_bytes() => 0..8,
                    _ if (offset / WORKERS).is_multiple_of(stride) => {
                        let bit = (common::flow::mix(offset) % 8) as u8;
                        bit..bit + 1
                    }
                    _ => 0..0,
                };
                flips.extend(bits.map(|bit| Flip { file, offset, bits: 1 << bit }));
            }
        }
    }
    flips
}

fn play(role: &str) {
    std::panic::set_hook(Box::new(|_| {}));
    let base = PathBuf::from(process::told("ES_BASE"));
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    match role {
        "sealed" => sweep_sealed(&base, &mut counts),
        "killed" => sweep_killed(&base, &mut counts),
        other => panic!("no role {other}"),
    }
    for (what, count) in counts {
        process::say(&format!("count {count} {what}"));
    }
    process::say("done");
}

/// Runs `check` on each flip of a run; says where before, so that whoever waits knows where a child
/// died. The run is as it was before and after each.
fn for_each_flip(
    base: &Path,
    kind: Kind,
    mut check: impl FnMut(&Files, Flip) -> Result<(), String>,
) {
    let place = fs::File::create(base.join("place")).unwrap();
    let run = kind.run_path(base);
    let mut files = Files::of(&run);
    for flip in flips(kind, &files) {
        let name = files.0[flip.file].0.file_name().unwrap().to_owned();
        let where_at = format!("{name:?}, byte {}, bits {:#04x}", flip.offset, flip.bits);
        place.set_len(0).unwrap();
        place.write_all_at(where_at.as_bytes(), 0).unwrap();
        files.flip(flip);
        let checked = catch_unwind(AssertUnwindSafe(|| check(&files, flip)));
        match checked {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => process::say(&format!("FAULT at {where_at}: {fault}")),
            Err(_) => process::say(&format!("FAULT at {where_at}: a panic got out")),
        }
        files.0[flip.file].1[flip.offset as usize] ^= flip.bits;
        files.restore(&run);
    }
}

fn sweep_sealed(base: &Path, counts: &mut BTreeMap<String, u64>) {
    let kind = Kind::told();
    let mut run = write_run(kind, base);
    run.seal(RunStatus::Ended).unwrap();
    run.close().unwrap();
    let path = kind.run_path(base);
    let original = read_all(&path).unwrap();
    let mut count = |what: &str| *counts.entry(what.to_owned()).or_default() += 1;
    for_each_flip(base, kind, |flipped, _| {
        let options = VerifyOptions { cache_bytes: CACHE_BYTES, ..VerifyOptions::default() };
        let verified = verify_run(&path, options);
        let read = read_all(&path);
        count("flips");
        let is_same = read.as_ref() == Some(&original);
        match &verified {
            Err(error) => count(&format!("refused: {}", name_of(error))),
            Ok(report) if report.is_clean() && is_same => count("clean, and reads the same"),
            Ok(report) if report.is_clean() => return Err("clean, and reads differ".into()),
            Ok(report) => {
                count(&format!("found, first as {}", report.findings[0].kind_name()));
                if report.findings.len() > 1 {
                    count("found, with the entries concerned");
                }
            }
        }
        if !is_same {
            count("readers without verify: answers differ or fail");
        }
        if Files::of(&path) == *flipped { Ok(()) } else { Err("the run was written to".into()) }
    });
}

fn name_of(error: &eventstore::error::EventStoreError) -> String {
    let text = format!("{error:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}

fn sweep_killed(base: &Path, counts: &mut BTreeMap<String, u64>) {
    let kind = Kind::told();
    write_run(kind, base).abandon();
    let path = kind.run_path(base);
    let whole = Files::of(&path);
    let sweep = || {
        let options = RecoveryOptions { cache_bytes: CACHE_BYTES, ..RecoveryOptions::default() };
        recover(base, INSTANCE, options).unwrap()
    };
    assert_eq!(sweep().runs[0].outcome, Outcome::SealedAs(RunStatus::CrashedRecovered));
    let original = read_all(&path).unwrap();
    whole.restore(&path);
    let mut count = |what: String| *counts.entry(what).or_default() += 1;
    for_each_flip(base, kind, |flipped, _| {
        let report = sweep();
        let outcome = report.runs[0].outcome;
        count("flips".into());
        count(format!("{outcome:?}"));
        match outcome {
            Outcome::SealedAs(RunStatus::CrashedRecovered) => match read_all(&path) {
                Some(all) if all == original => Ok(()),
                Some(_) => Err("sealed as good, and reads differ".into()),
                None => Err("sealed as good, and cannot be opened".into()),
            },
            Outcome::SealedAs(RunStatus::Quarantined) => Ok(()),
            Outcome::Damaged | Outcome::Unreadable if Files::of(&path) == *flipped => Ok(()),
            other => Err(format!("{other:?}, or the run was written to")),
        }
    });
}

/// Sweeps with all workers; answers how often what was seen. Panics with every fault.
fn sweep(role: &str, kind: Kind, stride: u64) -> BTreeMap<String, u64> {
    let folders: Vec<TemporaryFolder> =
        (0..WORKERS).map(|_| TemporaryFolder::in_memory(role)).collect();
    let start = |(worker, folder): (usize, &TemporaryFolder)| {
        let mut command = process::command(role);
        command.env("ES_BASE", folder.path()).env("ES_BACKEND", format!("{kind:?}"));
        command.env("ES_WORKER", worker.to_string());
        command.env("ES_STRIDE", stride.to_string());
        Running::start(command)
    };
    let running: Vec<Running> = folders.iter().enumerate().map(start).collect();
    let (mut counts, mut faults) = (BTreeMap::new(), Vec::new());
    for (running, folder) in running.into_iter().zip(&folders) {
        let ended = running.finish();
        for line in &ended.lines {
            if let Some(counted) = line.strip_prefix("count ") {
                let (count, what) = counted.split_once(' ').unwrap();
                *counts.entry(what.to_owned()).or_default() += count.parse::<u64>().unwrap();
            } else if line.starts_with("FAULT") {
                faults.push(line.clone());
            }
        }
        if ended.lines.last().is_none_or(|line| line != "done") {
            let place = fs::read_to_string(folder.path().join("place")).unwrap_or_default();
            faults.push(format!("the process died at {place}: {}", ended.status));
        }
    }
    println!("{kind:?}, {role}, every {stride}. offset, all bits of each header: {counts:#?}");
    assert!(faults.is_empty(), "{} faults: {:#?}", faults.len(), &faults[..faults.len().min(20)]);
    counts
}

fn stride(of_cargo_test: u64) -> u64 {
    if process::is_campaign() { 1 } else { of_cargo_test }
}

/// A sealed run: what verifies clean reads the same by every function; nothing panics out, nothing
/// aborts, nothing is written.
#[test]
fn flipped_sealed_run_that_verifies_clean_reads_the_same() {
    let counts = sweep("sealed", Kind::Redb, stride(97));
    assert!(counts["flips"] > 1000);
    // The sweep has teeth: without the verifier, many of these flips would be read as they are.
    assert!(counts["readers without verify: answers differ or fail"] > 100, "{counts:?}");
    assert!(counts["clean, and reads the same"] > 100, "{counts:?}");
}

/// The same of a log, of which every byte is covered: no flip verifies clean.
#[test]
fn flipped_sealed_log_never_verifies_clean() {
    let counts = sweep("sealed", Kind::Log, stride(23));
    assert!(counts["flips"] > 1000);
    assert_eq!(counts.get("clean, and reads the same"), None, "{counts:?}");
    assert!(counts["readers without verify: answers differ or fail"] > 100, "{counts:?}");
}

/// A killed run: what is sealed as good holds every acknowledged entry; what is not good is
/// quarantined, or reported with not a byte changed.
#[test]
fn flipped_killed_run_is_never_sealed_as_good_without_its_entries() {
    let counts = sweep("killed", Kind::Redb, stride(97));
    assert!(counts["flips"] > 1000);
    assert!(counts["Damaged"] > 100, "{counts:?}");
}

/// The same of a log.
#[test]
fn flipped_killed_log_is_never_sealed_as_good_without_its_entries() {
    let counts = sweep("killed", Kind::Log, stride(23));
    assert!(counts["flips"] > 1000);
    assert!(counts["Damaged"] > 100, "{counts:?}");
}
