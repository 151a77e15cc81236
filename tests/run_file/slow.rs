//! A disk whose flushes last as long as the readers like, or fail: readers do not wait, and nothing
//! is hidden.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventstore::backend::redb::open_sealed_on;
use eventstore::backend::{Direction, EventStore};
use eventstore::error::EventStoreError;
use eventstore::index::IndexKind;
use eventstore::manifest::RunStatus;

use super::common::sample;
use super::disk::MemoryVolume;
use super::{CACHE_BYTES, FILE, assert_rows, run_on};

/// So many rounds of reads are begun and ended within each flush.
const ROUNDS: u64 = 10;

/// Point reads, lookups and scans, begun while a flush is under way, return before it does: the
/// flushes of a commit and the one of a file growth. Each flush ends only after them, so that a
/// read that waits for it waits until the disk loses patience.
#[test]
fn readers_do_not_wait_for_a_flush() {
    let volume = MemoryVolume::default();
    let mut store = run_on(&volume, &sample::run_of(3000));
    let reader = store.reader().unwrap();
    let is_done = AtomicBool::new(false);
    volume.knobs.extends.store(0, Ordering::SeqCst);
    volume.knobs.hold_syncs.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Large enough that the file must grow for it.
            let large: Vec<_> = (3001..=3040)
                .map(|seq| {
                    let mut item = sample::keyed(seq);
                    item.entry.payload = vec![1; 100_000];
                    item.entry = sample::hashed(item.entry);
                    item
                })
                .collect();
            sample::append(&mut store, &large).unwrap();
            sample::append(&mut store, &[sample::keyed(3041)]).unwrap();
            is_done.store(true, Ordering::SeqCst);
        });
        let (mut seq, mut rounds) = (1, 0);
        while !is_done.load(Ordering::SeqCst) {
            let flush = volume.knobs.held.load(Ordering::SeqCst);
            seq = seq * 7 % 2999 + 1;
            assert_eq!(reader.scan_seq(seq).unwrap().unwrap(), sample::keyed(seq).entry);
            let order = format!("O-{}", seq / 4);
            reader.lookup(IndexKind::CLIENT_ORDER_ID, &order).unwrap();
            let some = reader.scan_range(seq, seq + 20, Direction::Backward).unwrap();
            assert!(!some.is_empty());
            reader.manifest().unwrap();
            let is_within = flush == volume.knobs.held.load(Ordering::SeqCst);
            if !is_within || flush <= volume.knobs.released.load(Ordering::SeqCst) {
                // None is under way, or it is about to end.
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            rounds += 1;
            if rounds % ROUNDS == 0 {
                volume.knobs.released.store(flush, Ordering::SeqCst);
            }
        }
    });
    volume.knobs.hold_syncs.store(false, Ordering::SeqCst);
    let growths = volume.knobs.extends.load(Ordering::SeqCst);
    let flushes = volume.knobs.released.load(Ordering::SeqCst);
    let overdue = volume.knobs.overdue.load(Ordering::SeqCst);
    println!("{flushes} flushes, {growths} growths");
    assert_eq!(overdue, 0, "flushes that reads waited for");
    assert!(growths > 0, "the file did not grow");
    // Two commits of two each, and those of the growth.
    assert!(flushes > 4, "{flushes} flushes");
}

/// A failed flush fails the append with its errno, and the store; readers go on, also of pages
/// that are in no cache; not a byte is written after it, not even by dropping the store.
#[test]
fn failed_flush_stops_writing_and_not_reading() {
    let volume = MemoryVolume::default();
    let mut store = run_on(&volume, &sample::run_of(20_000));
    let reader = store.reader().unwrap();
    volume.knobs.fail_errno.store(libc::EIO as u64, Ordering::SeqCst);
    let failed = sample::append(&mut store, &[sample::keyed(20_001)]).unwrap_err();
    assert_eq!(failed.fault().unwrap().errno, Some(libc::EIO), "{failed}");
    volume.knobs.fail_errno.store(0, Ordering::SeqCst);
    let before = volume.content(FILE).unwrap().to_vec();
    let again = sample::append(&mut store, &[sample::keyed(20_001)]).unwrap_err();
    assert!(matches!(again, EventStoreError::Backend(_)), "{again}");
    assert!(store.seal(RunStatus::Ended).is_err());
    assert_rows(&*reader, 20_000);
    store.abandon();
    assert_rows(&*reader, 20_000);
    drop(store);
    assert_rows(&*reader, 20_000);
    drop(reader);
    assert!(volume.content(FILE).unwrap().to_vec() == before, "written after a failed flush");
}

/// What fails while a sealed run is closed is reported by the close.
#[test]
fn failure_of_the_closing_writes_is_reported() {
    let volume = MemoryVolume::default();
    let mut store = run_on(&volume, &sample::run_of(100));
    store.seal(RunStatus::Ended).unwrap();
    let reader = store.reader().unwrap();
    volume.knobs.fail_errno.store(libc::ENOSPC as u64, Ordering::SeqCst);
    let error = store.close().unwrap_err();
    assert!(matches!(error, EventStoreError::Disk(_)), "{error}");
    assert_rows(&*reader, 100);
    volume.knobs.fail_errno.store(0, Ordering::SeqCst);
    drop(store);
    let open_again =
        || open_sealed_on(volume.disk(FILE), FILE.as_ref(), CACHE_BYTES, false).map(drop);
    let held = open_again();
    assert!(matches!(held, Err(EventStoreError::Locked(_))), "its reader holds it: {held:?}");
    drop(reader);
    let unclean = open_again();
    assert!(matches!(unclean, Err(EventStoreError::NotSealed(_))), "{unclean:?}");
    let mut store = super::store_on(&volume);
    store.load_crashed(sample::INSTANCE, super::RUN).unwrap();
    assert_rows(&*store.reader().unwrap(), 100);
    assert_eq!(store.reader().unwrap().manifest().unwrap().status, RunStatus::Ended);
}
