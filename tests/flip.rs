//! One bit flipped at every byte offset of a run file: whatever passes for good is good.
//!
//! A sealed run: after a clean verdict no read by any function differs from the original. A killed
//! run: recovery never seals as good a run that misses an acknowledged entry. The offsets are
//! swept in child processes, so that an abort is counted and not suffered. `cargo test` takes
//! every so-manyeth offset, `ES_CAMPAIGN=1` all of them; all eight bits of the header always.

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
/// Both commit slots and the flags that choose between them.
const HEADER_BYTES: u64 = 320;
/// Processes that share the offsets.
const WORKERS: u64 = 2;
/// How much longer the steps are in pages of zeros, unless every offset is asked for.
const BLANK_STRIDE: u64 = 16;

fn write_run(base: &Path) -> RedbStore {
    let mut store = RedbStore::new(base, RedbOptions::default());
    store.open_run(&sample::full_manifest(RUN_ID)).unwrap();
    let entries = sample::run_of(ENTRIES);
    let (first, rest) = entries.split_at(60);
    for batch in [first, &rest[..30], &rest[30..]] {
        sample::append(&mut store, batch).unwrap();
        let last = batch[batch.len() - 1].entry.seq;
        if last == 60 {
            store.record_snapshot_anchor(&sample::anchor(50)).unwrap();
        }
    }
    store
}

fn run_path(base: &Path) -> PathBuf {
    base.join(INSTANCE).join(format!("{RUN_ID}.redb"))
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

/// Each flip of a worker: the offset and the bits of its byte that change. Pages of zeros, which
/// are most of a young file and hold nothing, are swept with longer steps.
fn flips(whole: &[u8]) -> impl Iterator<Item = (u64, u8)> {
    const PAGE_BYTES: usize = 4096;
    let (worker, stride) = (process::told_number("ES_WORKER"), process::told_number("ES_STRIDE"));
    let is_blank: Vec<bool> =
        whole.chunks(PAGE_BYTES).map(|page| page.iter().all(|&byte| byte == 0)).collect();
    (0..whole.len() as u64).filter(move |offset| offset % WORKERS == worker).flat_map(
        move |offset| {
            let is_blank = is_blank[offset as usize / PAGE_BYTES];
            let stride = if is_blank && stride > 1 { stride * BLANK_STRIDE } else { stride };
            let bits = match offset {
                0..HEADER_BYTES => 0..8,
                _ if (offset / WORKERS).is_multiple_of(stride) => {
                    let bit = (common::flow::mix(offset) % 8) as u8;
                    bit..bit + 1
                }
                _ => 0..0,
            };
            bits.map(move |bit| (offset, 1 << bit))
        },
    )
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

/// Runs `check` on each flip; says where before, so that whoever waits knows where a child died.
fn for_each_flip(base: &Path, whole: &[u8], mut check: impl FnMut(u64, u8) -> Result<(), String>) {
    let place = fs::File::create(base.join("place")).unwrap();
    for (offset, bits) in flips(whole) {
        place.write_all_at(&offset.to_le_bytes(), 0).unwrap();
        let checked = catch_unwind(AssertUnwindSafe(|| check(offset, bits)));
        match checked {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => {
                process::say(&format!("FAULT at {offset}, bits {bits:#04x}: {fault}"))
            }
            Err(_) => {
                process::say(&format!("FAULT at {offset}, bits {bits:#04x}: a panic got out"))
            }
        }
    }
}

fn sweep_sealed(base: &Path, counts: &mut BTreeMap<String, u64>) {
    let mut run = write_run(base);
    run.seal(RunStatus::Ended).unwrap();
    run.close().unwrap();
    let path = run_path(base);
    let original = read_all(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    let mut count = |what: &str| *counts.entry(what.to_owned()).or_default() += 1;
    for_each_flip(base, &whole, |offset, bits| {
        let byte = whole[offset as usize];
        file.write_all_at(&[byte ^ bits], offset).unwrap();
        let options = VerifyOptions { cache_bytes: CACHE_BYTES, ..VerifyOptions::default() };
        let verified = verify_run(&path, options);
        let read = read_all(&path);
        let is_kept = fs::read(&path).unwrap()[offset as usize] == byte ^ bits;
        file.write_all_at(&[byte], offset).unwrap();
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
        if is_kept { Ok(()) } else { Err("the file was written".into()) }
    });
}

fn name_of(error: &eventstore::error::EventStoreError) -> String {
    let text = format!("{error:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}

fn sweep_killed(base: &Path, counts: &mut BTreeMap<String, u64>) {
    write_run(base).abandon();
    let path = run_path(base);
    let whole = fs::read(&path).unwrap();
    let sweep = || {
        let options = RecoveryOptions { cache_bytes: CACHE_BYTES, ..RecoveryOptions::default() };
        recover(base, INSTANCE, options).unwrap()
    };
    assert_eq!(sweep().runs[0].outcome, Outcome::SealedAs(RunStatus::CrashedRecovered));
    let original = read_all(&path).unwrap();
    let mut count = |what: String| *counts.entry(what).or_default() += 1;
    for_each_flip(base, &whole, |offset, bits| {
        let mut flipped = whole.clone();
        flipped[offset as usize] ^= bits;
        fs::write(&path, &flipped).unwrap();
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
            Outcome::Damaged | Outcome::Unreadable if fs::read(&path).unwrap() == flipped => Ok(()),
            other => Err(format!("{other:?}, or the file was written")),
        }
    });
}

/// Sweeps with all workers; answers how often what was seen. Panics with every fault.
fn sweep(role: &str, stride: u64) -> BTreeMap<String, u64> {
    let folders: Vec<TemporaryFolder> =
        (0..WORKERS).map(|_| TemporaryFolder::in_memory(role)).collect();
    let start = |(worker, folder): (usize, &TemporaryFolder)| {
        let mut command = process::command(role);
        command.env("ES_BASE", folder.path());
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
            let place = fs::read(folder.path().join("place")).unwrap_or_default();
            let offset = place.try_into().map_or(0, u64::from_le_bytes);
            faults.push(format!("the process died at offset {offset}: {}", ended.status));
        }
    }
    println!("{role}, every {stride}. offset and all bits of the header: {counts:#?}");
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
    let counts = sweep("sealed", stride(97));
    assert!(counts["flips"] > 1000);
    // The sweep has teeth: without the verifier, many of these flips would be read as they are.
    assert!(counts["readers without verify: answers differ or fail"] > 100, "{counts:?}");
    assert!(counts["clean, and reads the same"] > 100, "{counts:?}");
}

/// A killed run: what is sealed as good holds every acknowledged entry; what is not good is
/// quarantined, or reported with not a byte changed.
#[test]
fn flipped_killed_run_is_never_sealed_as_good_without_its_entries() {
    let counts = sweep("killed", stride(97));
    assert!(counts["flips"] > 1000);
    assert!(counts["Damaged"] > 100, "{counts:?}");
}
