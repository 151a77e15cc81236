//! A million entries go through each backend that keeps files in bounded memory, whichever way
//! they come in.
//!
//! The largest resident size of a child process that does nothing else, as the kernel counts it.

mod common;

use std::fs;
use std::path::Path;
use std::time::Instant;

use common::process::{self, Finished, say, told};
use common::sample;
use common::temporary::TemporaryFolder;
use eventstore::entry::Draft;
use eventstore::index::IndexKind;
use eventstore::store::{BackendKind, OpenOptions, open_run};
use eventstore::writer::{CloseOptions, Run, SubmitOptions};

common::process::child_roles!(play);

const ENTRIES: u64 = 1_000_000;
const BATCH: u64 = 1_000;
const PAYLOAD_BYTES: usize = 256;
const RESIDENT_MAX_MIB: u64 = 128;
const BACKENDS: [BackendKind; 2] = [BackendKind::Redb, BackendKind::Log];

fn play(role: &str) {
    let base = told("ES_BASE");
    let backend = if told("ES_BACKEND") == "Log" { BackendKind::Log } else { BackendKind::Redb };
    let options = OpenOptions { backend, halt_after_ns: u64::MAX, ..OpenOptions::default() };
    let run = open_run(Path::new(&base), &sample::full_manifest("run"), options).expect("a run");
    let started = Instant::now();
    match role {
        "batches" => {
            for batch in 0..ENTRIES / BATCH {
                append(&run, batch * BATCH);
            }
        }
        "pipelined" => {
            for number in 0..ENTRIES {
                submit(&run, number);
            }
            run.flush(u64::MAX).expect("durable");
        }
        "hoarding" => {
            let hoard = vec![7_u8; (RESIDENT_MAX_MIB as usize) << 20];
            append(
                &run,
                std::hint::black_box(&hoard).iter().filter(|byte| **byte == 0).count() as u64,
            );
        }
        other => panic!("no role is called {other}"),
    }
    let elapsed_ms = started.elapsed().as_millis() as u64;
    let report = run.close(&CloseOptions::default()).expect("a close");
    say(&format!("entries {}", report.high_watermark - 1));
    say(&format!("per-ms {}", (report.high_watermark - 1) / elapsed_ms.max(1)));
    say(&format!("resident-kib {}", resident_max_kib()));
}

fn draft<'a>(number: u64, keys: &'a [(IndexKind, &'a str)]) -> Draft<'a> {
    Draft {
        topic: "exec.event",
        payload_type: "OrderFilled",
        payload: &[7; PAYLOAD_BYTES],
        ts_init: number + 1,
        keys,
        ..Draft::default()
    }
}

/// Every fourth entry names a new order.
fn key(number: u64) -> String {
    format!("O-{}", number / 4)
}

fn append(run: &Run, first: u64) {
    let numbers = first..first + BATCH;
    let texts: Vec<String> = numbers.clone().map(key).collect();
    let keys: Vec<_> =
        texts.iter().map(|key| [(IndexKind::CLIENT_ORDER_ID, key.as_str())]).collect();
    let drafts: Vec<_> = numbers.zip(&keys).map(|(number, keys)| draft(number, keys)).collect();
    run.append_batch(&drafts, first + 1).expect("an append");
}

fn submit(run: &Run, number: u64) {
    let key = key(number);
    let keys = [(IndexKind::CLIENT_ORDER_ID, key.as_str())];
    let options = SubmitOptions { timeout_ns: u64::MAX, ..SubmitOptions::default() };
    run.submit(&draft(number, &keys), options).expect("a submit");
}

/// The largest resident size that this process ever had.
fn resident_max_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("of this process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel's count");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// The largest resident size of a child that wrote in this role, in KiB.
fn resident_kib_of(role: &str, backend: BackendKind) -> u64 {
    let base = TemporaryFolder::new(role);
    let mut command = process::command(role);
    command.env("ES_BASE", base.path()).env("ES_BACKEND", format!("{backend:?}"));
    let finished = Finished::of(command).expect_success();
    let resident_kib = finished.last_number("resident-kib").expect("said");
    eprintln!(
        "{backend:?}, {role}: {} entries of {PAYLOAD_BYTES} B, {} a millisecond, at most {} MiB resident",
        finished.said("entries"),
        finished.said("per-ms"),
        resident_kib / 1024
    );
    resident_kib
}

#[test]
fn a_million_entries_in_batches_stay_below_128_mib() {
    for backend in BACKENDS {
        assert!(resident_kib_of("batches", backend) < RESIDENT_MAX_MIB * 1024);
    }
}

#[test]
fn a_million_pipelined_entries_stay_below_128_mib() {
    for backend in BACKENDS {
        assert!(resident_kib_of("pipelined", backend) < RESIDENT_MAX_MIB * 1024);
    }
}

/// The count sees memory that is held.
#[test]
fn a_hoard_is_noticed() {
    assert!(resident_kib_of("hoarding", BackendKind::Redb) > RESIDENT_MAX_MIB * 1024);
}
