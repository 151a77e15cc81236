//! Recovery and verification at the sizes of a year of sessions and of one busy day: how long they
//! take and how much memory. The measured sizes run with `ES_CAMPAIGN=1`, small ones always.

mod common;

use std::fs;
use std::path::Path;
use std::time::Instant;

use common::process::{self, Finished};
use common::sample::{self, INSTANCE};
use common::temporary::TemporaryFolder;
use eventstore::backend::EventStore;
use eventstore::backend::log::{LogOptions, LogStore};
use eventstore::backend::redb::{RedbOptions, RedbStore};
use eventstore::catalogue::list_runs;
use eventstore::entry::Entry;
use eventstore::manifest::RunManifest;
use eventstore::recovery::{RecoveryOptions, recover};
use eventstore::verifier::{VerifyOptions, verify_run};

common::process::child_roles!(play);

/// All that an operation may hold in memory, in KiB, its process included.
const MEMORY_KIB_MAX: u64 = 128 << 10;

fn play(role: &str) {
    let base = std::path::PathBuf::from(process::told("ES_BASE"));
    let start = Instant::now();
    match role {
        "recover" => {
            let report = recover(&base, INSTANCE, RecoveryOptions::default()).unwrap();
            process::say(&format!("runs {}", report.runs.len()));
        }
        "verify" => {
            let listings = list_runs(&base, INSTANCE).unwrap();
            for listing in &listings {
                let report = verify_run(&listing.path, VerifyOptions::default()).unwrap();
                assert!(report.is_clean(), "{}: {:?}", listing.run_id, report.findings);
            }
            process::say(&format!("runs {}", listings.len()));
        }
        other => panic!("no role {other}"),
    }
    process::say(&format!("ms {}", start.elapsed().as_millis()));
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    process::say(&format!("peak_kib {}", peak.trim().trim_end_matches(" kB")));
}

/// A store of the backend of this name.
fn store(backend: &str, base: &Path) -> Box<dyn EventStore> {
    match backend {
        "redb" => Box::new(RedbStore::new(base, RedbOptions::default())),
        "log" => Box::new(LogStore::new(base, LogOptions::default())),
        other => panic!("no backend is called {other}"),
    }
}

/// What the files of a run take, in bytes.
fn bytes_of(run: &Path) -> u64 {
    if !run.is_dir() {
        return fs::metadata(run).unwrap().len();
    }
    fs::read_dir(run).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

/// Runs a role over a base and says what it cost; its memory must stay within bounds.
fn measured(role: &str, base: &Path, runs: u64, what: &str) {
    let mut command = process::command(role);
    command.env("ES_BASE", base);
    let ended = Finished::of(command).expect_success();
    let number = |word| ended.last_number(word).unwrap();
    let peak_kib = number("peak_kib");
    println!("{role}: {what} in {} ms, peak {peak_kib} KiB", number("ms"));
    assert_eq!(number("runs"), runs);
    assert!(peak_kib < MEMORY_KIB_MAX, "{role}: peak {peak_kib} KiB");
}

#[test]
fn many_small_runs_are_recovered_and_verified() {
    recover_and_verify_many("redb");
}

#[test]
fn many_small_logs_are_recovered_and_verified() {
    recover_and_verify_many("log");
}

/// Many small runs, each left by a killed engine.
fn recover_and_verify_many(backend: &str) {
    let runs = if process::is_campaign() { 1000 } else { 20 };
    let base = TemporaryFolder::new("many");
    let entries = sample::run_of(100);
    for number in 0..runs {
        let mut store = store(backend, base.path());
        store.open_run(&RunManifest::new(format!("r-{number:04}"), INSTANCE, number)).unwrap();
        sample::append(&mut *store, &entries).unwrap();
        store.abandon();
    }
    let what = format!("{backend}, {runs} runs of {} entries", entries.len());
    measured("recover", base.path(), runs, &what);
    measured("verify", base.path(), runs, &what);
}

#[test]
fn one_large_run_is_recovered_and_verified() {
    recover_and_verify_one("redb");
}

#[test]
fn one_large_log_is_recovered_and_verified() {
    recover_and_verify_one("log");
}

/// One large run, left by a killed engine.
fn recover_and_verify_one(backend: &str) {
    let payload_mib: u64 = if process::is_campaign() { 1024 } else { 16 };
    const PAYLOAD_BYTES: u64 = 512;
    let base = TemporaryFolder::new("large");
    let mut store = store(backend, base.path());
    store.open_run(&RunManifest::new("r-1", INSTANCE, 1)).unwrap();
    let last = (payload_mib << 20) / PAYLOAD_BYTES;
    let mut next = 1;
    while next <= last {
        let batch: Vec<sample::Keyed> = (next..=(next + 2047).min(last))
            .map(|seq| {
                let item = sample::keyed(seq);
                let payload = vec![seq as u8; PAYLOAD_BYTES as usize];
                let entry = sample::hashed(Entry { payload, ..item.entry });
                sample::Keyed { entry, keys: item.keys }
            })
            .collect();
        next = sample::append(&mut *store, &batch).unwrap() + 1;
    }
    store.abandon();
    let ending = if backend == "log" { "eslog" } else { "redb" };
    let bytes = bytes_of(&base.path().join(INSTANCE).join(format!("r-1.{ending}")));
    let what = format!(
        "{backend}, {last} entries, {payload_mib} MiB of payload, {} MiB of files",
        bytes >> 20
    );
    measured("recover", base.path(), 1, &what);
    measured("verify", base.path(), 1, &what);
}
