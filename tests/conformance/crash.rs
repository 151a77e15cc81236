//! Runs whose writer is gone: loading them, what they still take, and sealing them.

use eventstore::manifest::RunStatus;

use super::fixture::{
    Fixture, RUN, append_groups, assert_holds, assert_sealed, kind_of, manifest, reload, store_with,
};
use crate::common::sample::{self, INSTANCE};

/// A name nobody used.
pub fn unknown_run_is_not_found(fixture: &dyn Fixture) {
    let mut store = fixture.store(None);
    assert_eq!(kind_of(store.load_crashed(INSTANCE, RUN)), "NotFound");
    store.open_run(&manifest()).expect("the name is still free");
}

/// After a crash a run is read and sealed; it takes neither entries nor anchors.
pub fn abandoned_run_reads_and_seals_but_takes_nothing(fixture: &dyn Fixture) {
    let entries = sample::run_of(40);
    let mut store = store_with(fixture, &manifest(), &entries, 7);
    store.record_snapshot_anchor(&sample::anchor(20)).unwrap();
    store.abandon();
    let mut store = reload(fixture, store, None);
    let reader = store.reader().unwrap();
    assert_holds(&*reader, &manifest(), &entries);
    assert_eq!(reader.latest_snapshot_anchor().unwrap(), Some(sample::anchor(20)));
    assert_eq!(reader.first_seq_at(entries[30].entry.ts_init).unwrap(), Some(31));
    assert_eq!(kind_of(sample::append(&mut *store, &[sample::keyed(41)])), "Closed");
    assert_eq!(kind_of(store.record_snapshot_anchor(&sample::anchor(30))), "Closed");
    assert_eq!(kind_of(store.seal(RunStatus::Running)), "InvalidArgument");
    let sealed = store.seal(RunStatus::CrashedRecovered).unwrap();
    assert_eq!(kind_of(store.seal(RunStatus::Ended)), "Closed");
    drop(reader);
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_sealed(&*reader, &sealed, &manifest(), &entries, RunStatus::CrashedRecovered);
}

/// A run let go in order but not sealed is loaded just so.
pub fn run_closed_while_running_loads_the_same(fixture: &dyn Fixture) {
    let entries = sample::run_of(10);
    let mut store = store_with(fixture, &manifest(), &entries, 3);
    store.close().unwrap();
    let mut store = reload(fixture, store, None);
    assert_holds(&*store.reader().unwrap(), &manifest(), &entries);
    let sealed = store.seal(RunStatus::Ended).unwrap();
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_sealed(&*reader, &sealed, &manifest(), &entries, RunStatus::Ended);
}

/// The store that wrote a run may give up on it and load it: `open_run` said so.
pub fn own_open_run_loads_as_crashed(fixture: &dyn Fixture) {
    let entries = sample::run_of(4);
    let mut store = store_with(fixture, &manifest(), &entries, 4);
    assert_eq!(kind_of(store.open_run(&manifest())), "CrashedPredecessor");
    store.load_crashed(INSTANCE, RUN).unwrap();
    assert_eq!(kind_of(sample::append(&mut *store, &[sample::keyed(5)])), "Closed");
    let sealed = store.seal(RunStatus::CrashedRecovered).unwrap();
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_sealed(&*reader, &sealed, &manifest(), &entries, RunStatus::CrashedRecovered);
}

/// Reading the entries back once gives the digest that streaming them would have given, the key
/// included.
pub fn digest_of_a_recovered_run_equals_that_of_one_never_crashed(fixture: &dyn Fixture) {
    let key = Some([3; 32]);
    let entries = sample::run_of(50);
    let write = |fixture: &dyn Fixture, run_id: &str| {
        let mut store = fixture.store(key);
        store.open_run(&sample::full_manifest(run_id)).unwrap();
        append_groups(&mut *store, &entries, 8);
        store.record_snapshot_anchor(&sample::anchor(9)).unwrap();
        store
    };
    // The digest covers the run's name: it is the same run in a memory store that never crashed.
    let mut straight = write(&super::fixture::Memory, RUN);
    let expected = straight.seal(RunStatus::CrashedRecovered).unwrap();
    let mut store = write(fixture, RUN);
    store.abandon();
    let mut store = reload(fixture, store, key);
    assert_eq!(store.seal(RunStatus::CrashedRecovered).unwrap(), expected);
    assert!(expected.digest.is_some_and(|digest| digest.keyed));
}

/// Killed before its first commit.
pub fn empty_crashed_run_seals(fixture: &dyn Fixture) {
    let mut store = store_with(fixture, &manifest(), &[], 1);
    store.abandon();
    let mut store = reload(fixture, store, None);
    assert_eq!(store.reader().unwrap().high_watermark(), 0);
    let sealed = store.seal(RunStatus::CrashedRecovered).unwrap();
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_sealed(&*reader, &sealed, &manifest(), &[], RunStatus::CrashedRecovered);
}

/// Killed between seal and close: the seal stands, and the name is then as good as any sealed one.
pub fn sealed_but_unclosed_run_is_repaired_and_closed(fixture: &dyn Fixture) {
    let entries = sample::run_of(12);
    let mut store = store_with(fixture, &manifest(), &entries, 5);
    let sealed = store.seal(RunStatus::Ended).unwrap();
    store.abandon();
    let mut store = reload(fixture, store, None);
    assert_eq!(kind_of(store.seal(RunStatus::CrashedRecovered)), "Closed");
    assert_eq!(kind_of(sample::append(&mut *store, &[sample::keyed(13)])), "Closed");
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_sealed(&*reader, &sealed, &manifest(), &entries, RunStatus::Ended);
    drop(reader);
    let mut store = fixture.restart(store, None);
    assert_eq!(kind_of(store.open_run(&manifest())), "AlreadyExists");
}

/// Recovery that is killed itself is begun again.
pub fn crashed_run_can_crash_again_before_its_seal(fixture: &dyn Fixture) {
    let entries = sample::run_of(6);
    let mut store = store_with(fixture, &manifest(), &entries, 5);
    for _ in 0..3 {
        store.abandon();
        store = reload(fixture, store, None);
        assert_holds(&*store.reader().unwrap(), &manifest(), &entries);
    }
    let sealed = store.seal(RunStatus::CrashedRecovered).unwrap();
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_sealed(&*reader, &sealed, &manifest(), &entries, RunStatus::CrashedRecovered);
}

/// Having let go of an unsealed run, a store may open another, and come back to it.
pub fn store_that_let_go_is_free(fixture: &dyn Fixture) {
    let entries = sample::run_of(6);
    for in_order in [true, false] {
        let start = sample::full_manifest(&format!("left-{in_order}"));
        let other = sample::full_manifest(&format!("other-{in_order}"));
        let mut store = store_with(fixture, &start, &entries, 4);
        if in_order {
            store.close().unwrap();
        } else {
            store.abandon();
        }
        store.open_run(&other).expect("nothing is open");
        append_groups(&mut *store, &entries, 6);
        store.seal(RunStatus::Ended).unwrap();
        store.load_crashed(INSTANCE, &start.run_id).expect("the other one is sealed");
        assert_holds(&*store.reader().unwrap(), &start, &entries);
        let sealed = store.seal(RunStatus::CrashedRecovered).unwrap();
        let reader = fixture.close_and_read(&mut *store, &start.run_id);
        assert_sealed(&*reader, &sealed, &start, &entries, RunStatus::CrashedRecovered);
        drop(reader);
        // Left open when its successor was loaded, which closed it in order.
        assert_eq!(kind_of(fixture.restart(store, None).open_run(&other)), "AlreadyExists");
    }
}
