//! Reading beside the writer, from several threads, and after the writer is gone.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use eventstore::backend::{Direction, EventReader};
use eventstore::index::IndexKind;
use eventstore::manifest::RunStatus;

use super::fixture::{Fixture, all_rows, assert_holds, manifest, sealed_manifest, store_with};
use crate::common::sample;

/// Four threads read all the time: the high-watermark never steps back, it moves by whole commits,
/// and whatever it covers can be read, looked up and equals what was written.
pub fn four_readers_beside_the_writer_see_whole_prefixes(fixture: &dyn Fixture) {
    const GROUP: u64 = 5;
    let entries = sample::run_of(600);
    let mut store = store_with(fixture, &manifest(), &[], 1);
    let finished = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let reader = store.reader().unwrap();
                let (entries, finished) = (&entries, &finished);
                scope.spawn(move || watch(&*reader, entries, finished, GROUP))
            })
            .collect();
        for batch in entries.chunks(GROUP as usize) {
            sample::append(&mut *store, batch).unwrap();
        }
        finished.store(true, Ordering::Release);
        for reader in readers {
            reader.join().expect("no reader saw anything wrong");
        }
    });
}

fn watch(reader: &dyn EventReader, entries: &[sample::Keyed], finished: &AtomicBool, group: u64) {
    let mut former = 0;
    loop {
        let last_round = finished.load(Ordering::Acquire);
        let seen = reader.high_watermark();
        assert!(seen >= former, "the high-watermark went from {former} back to {seen}");
        assert_eq!(seen % group, 0, "a commit is seen whole or not at all");
        if seen > 0 {
            let from = former.max(1);
            let rows = reader.scan_range(from, seen, Direction::Forward).unwrap();
            let expected = entries[from as usize - 1..seen as usize].iter().map(|item| &item.entry);
            assert!(rows.iter().eq(expected), "rows {from} to {seen} differ");
            let newest = &entries[seen as usize - 1];
            assert_eq!(reader.recorded_keys(seen).unwrap().as_ref(), Some(&newest.keys));
            for key in &newest.keys {
                let first = reader.lookup(key.kind, &key.key).unwrap();
                assert!(first.is_some_and(|first| first <= seen), "{} is found", key.key);
            }
            assert!(reader.first_seq_at(newest.entry.ts_init).unwrap() <= Some(seen));
            assert_eq!(reader.manifest().unwrap(), manifest());
        }
        former = seen;
        if last_round {
            assert_eq!(seen, entries.len() as u64);
            return;
        }
    }
}

/// A reader is its own owner of what it reads.
pub fn readers_outlive_close_and_store(fixture: &dyn Fixture) {
    let entries = sample::run_of(300);
    let mut store = store_with(fixture, &manifest(), &entries, 100);
    let reader = store.reader().unwrap();
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    let sealed = sealed_manifest(&manifest(), &entries, RunStatus::Ended);
    assert_holds(&*reader, &sealed, &entries);
    drop(store);
    let other_thread = Arc::clone(&reader);
    thread::spawn(move || assert_eq!(all_rows(&*other_thread).len(), 300)).join().unwrap();
    assert_holds(&*reader, &sealed, &entries);
    assert_eq!(reader.lookup(IndexKind::CLIENT_ORDER_ID, "O-1").unwrap(), Some(4));
}

/// The same when the writer lets go without a write.
pub fn readers_outlive_abandon(fixture: &dyn Fixture) {
    let entries = sample::run_of(300);
    let mut store = store_with(fixture, &manifest(), &entries, 100);
    let reader = store.reader().unwrap();
    store.abandon();
    assert_holds(&*reader, &manifest(), &entries);
    drop(store);
    assert_holds(&*reader, &manifest(), &entries);
}

/// A reader follows the run; it is not a picture of the moment it was made.
pub fn reader_taken_before_an_append_sees_it(fixture: &dyn Fixture) {
    let entries = sample::run_of(9);
    let mut store = store_with(fixture, &manifest(), &[], 1);
    let reader = store.reader().unwrap();
    for count in 1..=entries.len() {
        sample::append(&mut *store, &entries[count - 1..count]).unwrap();
        assert_holds(&*reader, &manifest(), &entries[..count]);
        store.record_snapshot_anchor(&sample::anchor(count as u64)).unwrap();
        let anchor = reader.latest_snapshot_anchor().unwrap();
        assert_eq!(anchor, Some(sample::anchor(count as u64)));
    }
    store.seal(RunStatus::Ended).unwrap();
    let sealed = sealed_manifest(&manifest(), &entries, RunStatus::Ended);
    assert_holds(&*reader, &sealed, &entries);
}

/// A scan that is under way while the run is sealed and closed goes on to its end, in both
/// directions; the run is larger than the reader's cache.
pub fn reads_go_on_while_the_run_closes(fixture: &dyn Fixture) {
    let entries = sample::run_of(3000);
    let mut store = store_with(fixture, &manifest(), &entries, 500);
    let views = [(); 3].map(|()| store.reader().unwrap());
    reads_go_on_while(&views, &entries, || {
        store.seal(RunStatus::Ended).unwrap();
        store.close().unwrap();
    });
}

/// Scans through two views while `close` closes their run, then reads it all through the third.
pub fn reads_go_on_while(
    views: &[Arc<dyn EventReader>; 3],
    entries: &[sample::Keyed],
    close: impl FnOnce(),
) {
    let last = entries.len() as u64;
    let closing = AtomicBool::new(false);
    let scan = |view: &dyn EventReader, direction| {
        let mut seen = Vec::new();
        view.visit_range(1, last, direction, &mut |row| {
            seen.push(row.entry.seq);
            if seen.len() == 100 {
                closing.store(true, Ordering::SeqCst);
                thread::sleep(std::time::Duration::from_millis(150));
            }
            ControlFlow::Continue(())
        })
        .expect("a close is no failure of a read");
        seen
    };
    thread::scope(|scope| {
        let forward = scope.spawn(|| scan(&*views[0], Direction::Forward));
        let backward = scope.spawn(|| scan(&*views[1], Direction::Backward));
        while !closing.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        close();
        assert!(forward.join().unwrap().into_iter().eq(1..=last));
        assert!(backward.join().unwrap().into_iter().eq((1..=last).rev()));
    });
    assert_eq!(all_rows(&*views[2])[..entries.len()], *entries);
}
