//! The redb backend's run file, from outside: what it holds byte for byte, how it behaves when the
//! disk is full, slow or damaged, and what it makes of files that are no runs.

mod common;
#[path = "disk/mod.rs"]
mod disk;

#[path = "run_file/ahead.rs"]
mod ahead;
#[path = "run_file/bytes.rs"]
mod bytes;
#[path = "run_file/cost.rs"]
mod cost;
#[path = "run_file/damage.rs"]
mod damage;
#[path = "run_file/foreign.rs"]
mod foreign;
#[path = "run_file/full.rs"]
mod full;
#[path = "run_file/slow.rs"]
mod slow;

use eventstore::backend::redb::{RedbOptions, RedbStore};
use eventstore::backend::{EventReader, EventStore};

use common::sample::{self, Keyed};
use disk::MemoryVolume;

const RUN: &str = "r-1";
const FILE: &str = "r-1.redb";

/// Memory for pages, in bytes: small, so that reads reach the disk.
const CACHE_BYTES: usize = 1 << 20;

fn options() -> RedbOptions {
    RedbOptions { cache_bytes: CACHE_BYTES, ..RedbOptions::default() }
}

fn store_on(volume: &MemoryVolume) -> RedbStore {
    RedbStore::on(volume.as_volume(), options())
}

/// A new run on a disk in memory, with these entries in one commit.
fn run_on(volume: &MemoryVolume, entries: &[Keyed]) -> RedbStore {
    let mut store = store_on(volume);
    store.open_run(&sample::full_manifest(RUN)).unwrap();
    sample::append(&mut store, entries).unwrap();
    store
}

/// Checks every row of a run of `sample::keyed` entries, and its watermark.
fn assert_rows(reader: &dyn EventReader, last: u64) {
    use eventstore::backend::Direction;
    use std::ops::ControlFlow;

    assert_eq!(reader.high_watermark(), last);
    let mut next = 1;
    let scanned = reader.visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
        let expected = sample::keyed(next);
        assert_eq!(row.entry, expected.entry.view());
        assert_eq!(row.keys.map(|keys| keys.to_vec()), Some(expected.keys));
        next += 1;
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    assert_eq!(next, last + 1);
}
