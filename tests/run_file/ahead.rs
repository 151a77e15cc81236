//! Space that a thread fills with zeros before entries get there.

use std::panic::catch_unwind;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use eventstore::backend::EventStore;
use eventstore::backend::redb::{self, RedbOptions, RedbStore};
use eventstore::manifest::RunStatus;

use super::{CACHE_BYTES, FILE, RUN, assert_rows, options};
use crate::common::sample;
use crate::disk::MemoryVolume;

const BATCH: u64 = 300;
const BATCHES: u64 = 200;

/// Appends on a disk where zeros take long: commits overtake the thread again and again.
fn running(volume: &MemoryVolume, fill_ahead_from_bytes: Option<u64>) -> RedbStore {
    volume.knobs.zeros_delay_ms.store(10, Ordering::Relaxed);
    let options = RedbOptions { fill_ahead_from_bytes, ..options() };
    let mut store = RedbStore::on(volume.as_volume(), options);
    store.open_run(&sample::full_manifest(RUN)).unwrap();
    (0..BATCHES).for_each(|batch| append(&mut store, batch));
    store
}

fn append(store: &mut RedbStore, batch: u64) {
    let entries: Vec<_> = (1..=BATCH).map(|i| sample::keyed(batch * BATCH + i)).collect();
    sample::append(store, &entries).unwrap();
}

fn sealed(fill_ahead_from_bytes: Option<u64>) -> MemoryVolume {
    let volume = MemoryVolume::default();
    let mut store = running(&volume, fill_ahead_from_bytes);
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    volume
}

/// Whoever comes first, the thread or the commit: every entry is on the disk, and every page is as
/// redb wrote it.
#[test]
fn zeros_never_cover_what_was_written() {
    // Zeros in the wrong place are met anywhere, by redb itself among others.
    let is_whole = catch_unwind(|| {
        let volume = sealed(Some(0));
        let filled = volume.knobs.writebacks.load(Ordering::Relaxed);
        let reader = redb::open_sealed_on(volume.disk(FILE), Path::new(FILE), CACHE_BYTES, true);
        assert_rows(&*reader.unwrap(), BATCH * BATCHES);
        filled
    });
    let filled = is_whole.expect("zeros cover what was written");
    assert!(filled > 0, "nothing was filled ahead");
}

/// A thread that is far enough ahead goes on once no commit follows.
#[test]
fn run_at_rest_is_filled_further() {
    const AREA_BYTES: u64 = 1 << 20;
    let volume = MemoryVolume::default();
    let options = RedbOptions { fill_ahead_from_bytes: Some(0), ..options() };
    let mut store = RedbStore::on(volume.as_volume(), options);
    store.open_run(&sample::full_manifest(RUN)).unwrap();
    let mut seqs = 1..;
    let mut append_bytes = |bytes: u64| {
        let entries: Vec<_> = seqs.by_ref().take((bytes / PAGE_BYTES) as usize).map(page).collect();
        sample::append(&mut store, &entries).unwrap();
    };
    // Until the file has room for more than is filled ahead.
    while volume.content(FILE).unwrap().len() < 100 << 20 {
        append_bytes(2 * AREA_BYTES);
    }
    let steps = || volume.knobs.writebacks.load(Ordering::Relaxed);
    for _ in 0..8 {
        let before = steps();
        append_bytes(2 * AREA_BYTES);
        let since = Instant::now();
        while steps() < before + 2 {
            assert!(since.elapsed() < Duration::from_secs(20), "nothing follows");
            sleep(Duration::from_millis(10));
        }
    }
}

const PAGE_BYTES: u64 = 4096;

/// An entry that takes a page.
fn page(seq: u64) -> sample::Keyed {
    let mut item = sample::keyed(seq);
    item.entry.payload = vec![1; 3000];
    sample::Keyed { entry: sample::hashed(item.entry), ..item }
}

/// No thread where none is wanted, and none for a run that stays short.
#[test]
fn short_run_and_one_without_threads_fill_nothing_ahead() {
    for from_bytes in [None, Some(1 << 40)] {
        let volume = sealed(from_bytes);
        assert_eq!(volume.knobs.writebacks.load(Ordering::Relaxed), 0, "{from_bytes:?}");
    }
}

/// Once a run is given up on, the thread writes nothing more either, though a reader goes on.
#[test]
fn abandoned_run_is_filled_no_further() {
    let volume = MemoryVolume::default();
    let mut store = running(&volume, Some(0));
    let is_filling = || volume.knobs.zeros_under_way.load(Ordering::SeqCst) > 0;
    // Between two commits only the thread writes.
    let busy = (BATCHES..3 * BATCHES).find(|batch| {
        append(&mut store, *batch);
        is_filling()
    });
    assert!(busy.is_some(), "nothing was being filled");
    let reader = store.reader().unwrap();
    store.abandon();
    assert!(!is_filling());
    assert_rows(&*reader, (busy.unwrap() + 1) * BATCH);
}
