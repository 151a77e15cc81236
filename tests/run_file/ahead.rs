//! Space that a thread fills with zeros before entries get there.

use std::path::Path;
use std::sync::atomic::Ordering;

use eventstore::backend::EventStore;
use eventstore::backend::redb::{self, RedbOptions, RedbStore};
use eventstore::manifest::RunStatus;

use super::{CACHE_BYTES, FILE, RUN, assert_rows, options};
use crate::common::sample;
use crate::disk::MemoryVolume;

const BATCH: u64 = 300;
const BATCHES: u64 = 200;

/// Appends on a disk where zeros take long: commits overtake the thread again and again.
fn written(fill_ahead_from_bytes: Option<u64>) -> MemoryVolume {
    let volume = MemoryVolume::default();
    volume.knobs.zeros_delay_ms.store(10, Ordering::Relaxed);
    let options = RedbOptions { fill_ahead_from_bytes, ..options() };
    let mut store = RedbStore::on(volume.as_volume(), options);
    store.open_run(&sample::full_manifest(RUN)).unwrap();
    for batch in 0..BATCHES {
        let entries: Vec<_> = (1..=BATCH).map(|i| sample::keyed(batch * BATCH + i)).collect();
        sample::append(&mut store, &entries).unwrap();
    }
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    volume
}

/// Whoever comes first, the thread or the commit: every entry is on the disk, and every page is as
/// redb wrote it.
#[test]
fn zeros_never_cover_what_was_written() {
    let volume = written(Some(0));
    let filled = volume.knobs.writebacks.load(Ordering::Relaxed);
    assert!(filled > 4, "{filled} areas were filled ahead");
    let reader = redb::open_sealed_on(volume.disk(FILE), Path::new(FILE), CACHE_BYTES, true);
    assert_rows(&*reader.unwrap(), BATCH * BATCHES);
}

/// No thread where none is wanted, and none for a run that stays short.
#[test]
fn short_run_and_one_without_threads_fill_nothing_ahead() {
    for from_bytes in [None, Some(1 << 40)] {
        let volume = written(from_bytes);
        assert_eq!(volume.knobs.writebacks.load(Ordering::Relaxed), 0, "{from_bytes:?}");
    }
}
