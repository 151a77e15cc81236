//! Opening a run: what a new one looks like, and what a name that exists answers.

use eventstore::backend::Direction;
use eventstore::index::IndexKind;
use eventstore::manifest::{RunManifest, RunStatus};

use super::fixture::{
    Fixture, RUN, assert_holds, assert_sealed, index_of, kind_of, manifest, store_with,
};
use crate::common::sample::{self, INSTANCE};

/// Nothing is in a new run, wherever one looks.
pub fn new_run_is_running_and_empty(fixture: &dyn Fixture) {
    let store = store_with(fixture, &manifest(), &[], 1);
    let reader = store.reader().unwrap();
    assert_eq!(reader.high_watermark(), 0);
    assert_eq!(reader.manifest().unwrap().status, RunStatus::Running);
    for direction in [Direction::Forward, Direction::Backward] {
        assert_eq!(reader.scan_range(1, u64::MAX, direction).unwrap(), []);
    }
    assert_eq!(reader.scan_seq(1).unwrap(), None);
    for kind in IndexKind::ALL {
        assert_eq!(reader.lookup(kind, "O-1").unwrap(), None);
        assert_eq!(index_of(&*reader, kind), []);
    }
    assert_eq!(reader.recorded_keys(1).unwrap(), None);
    assert_eq!(reader.first_seq_at(0).unwrap(), None);
    assert_eq!(reader.latest_snapshot_anchor().unwrap(), None);
    assert_eq!(reader.digest().unwrap(), None);
}

/// A live run shows the manifest of its start: commits do not move its high-watermark field.
pub fn manifest_reads_as_given_until_sealed(fixture: &dyn Fixture) {
    let store = store_with(fixture, &manifest(), &sample::run_of(5), 2);
    let reader = store.reader().unwrap();
    assert_eq!(reader.manifest().unwrap(), manifest());
    assert_eq!(reader.high_watermark(), 5);
}

/// A store writes one run at a time, and refusing a second one does the first no harm.
pub fn second_open_while_unsealed_is_refused_and_harmless(fixture: &dyn Fixture) {
    let entries = sample::run_of(4);
    let mut store = store_with(fixture, &manifest(), &entries[..3], 3);
    let other_seed = RunManifest { seed: Some(1), ..manifest() };
    assert_eq!(kind_of(store.open_run(&other_seed)), "CrashedPredecessor");
    assert_eq!(kind_of(store.open_run(&sample::full_manifest("other"))), "CrashedPredecessor");
    assert_eq!(sample::append(&mut *store, &entries[3..]).unwrap(), 4);
    assert_holds(&*store.reader().unwrap(), &manifest(), &entries);
}

/// The name of a finished run is taken for ever.
pub fn sealed_and_closed_name_is_already_exists_and_unchanged(fixture: &dyn Fixture) {
    let entries = sample::run_of(3);
    let mut store = store_with(fixture, &manifest(), &entries, 1);
    let sealed = store.seal(RunStatus::Ended).unwrap();
    let reader = fixture.close_and_read(&mut *store, RUN);
    let other_seed = RunManifest { seed: Some(1), ..manifest() };
    // Readers of a sealed run may hold a shared lock, which a new writer would meet first.
    drop(reader);
    assert_eq!(kind_of(store.open_run(&other_seed)), "AlreadyExists");
    let mut store = fixture.restart(store, None);
    assert_eq!(kind_of(store.open_run(&other_seed)), "AlreadyExists");
    store.load_crashed(INSTANCE, RUN).expect("a sealed run loads for reading");
    let reader = store.reader().unwrap();
    assert_sealed(&*reader, &sealed, &manifest(), &entries, RunStatus::Ended);
}

/// A writer that vanished leaves its name to recovery.
pub fn abandoned_name_is_crashed_predecessor(fixture: &dyn Fixture) {
    let mut store = store_with(fixture, &manifest(), &sample::run_of(3), 1);
    store.abandon();
    let mut store = fixture.restart(store, None);
    assert_eq!(kind_of(store.open_run(&manifest())), "CrashedPredecessor");
    store.load_crashed(INSTANCE, RUN).unwrap();
    assert_holds(&*store.reader().unwrap(), &manifest(), &sample::run_of(3));
}

/// A file closed in order that is still `Running` was not sealed: recovery's as well.
pub fn name_closed_while_running_is_crashed_predecessor(fixture: &dyn Fixture) {
    let mut store = store_with(fixture, &manifest(), &sample::run_of(3), 1);
    store.close().unwrap();
    let mut store = fixture.restart(store, None);
    assert_eq!(kind_of(store.open_run(&manifest())), "CrashedPredecessor");
}

/// Killed between seal and close: sealed, yet in need of repair.
pub fn name_sealed_but_not_closed_is_crashed_predecessor(fixture: &dyn Fixture) {
    let mut store = store_with(fixture, &manifest(), &sample::run_of(3), 1);
    store.seal(RunStatus::Ended).unwrap();
    store.abandon();
    let mut store = fixture.restart(store, None);
    assert_eq!(kind_of(store.open_run(&manifest())), "CrashedPredecessor");
}

/// A sealed run makes room for the next one of the same store.
pub fn next_run_opens_after_seal_and_former_stays_whole(fixture: &dyn Fixture) {
    let entries = sample::run_of(3);
    let mut store = store_with(fixture, &manifest(), &entries, 1);
    let sealed = store.seal(RunStatus::Ended).unwrap();
    let former = fixture.close_and_read(&mut *store, RUN);
    let next = sample::full_manifest("1700000001-abcd0002");
    store.open_run(&next).unwrap();
    assert_eq!(sample::append(&mut *store, &entries[..1]).unwrap(), 1);
    assert_holds(&*store.reader().unwrap(), &next, &entries[..1]);
    assert_sealed(&*former, &sealed, &manifest(), &entries, RunStatus::Ended);
}

/// Ids name files, so what could climb out of a folder is an argument out of bounds.
pub fn path_like_ids_are_refused(fixture: &dyn Fixture) {
    let long = "x".repeat(129);
    let mut store = fixture.store(None);
    for bad in ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a b", "größe", "a\0", &long] {
        let mut run = manifest();
        run.run_id = bad.to_owned();
        assert_eq!(kind_of(store.open_run(&run)), "InvalidArgument", "run id {bad:?}");
        let mut instance = manifest();
        instance.instance_id = bad.to_owned();
        assert_eq!(kind_of(store.open_run(&instance)), "InvalidArgument", "instance id {bad:?}");
    }
    store.open_run(&manifest()).expect("nothing was opened by the refused calls");
}

/// Before a run is open there is nothing to read or to write.
pub fn calls_without_a_run_answer_backend(fixture: &dyn Fixture) {
    let mut store = fixture.store(None);
    assert_eq!(kind_of(store.reader().map(|_| ())), "Backend");
    assert_eq!(kind_of(sample::append(&mut *store, &sample::run_of(1))), "Backend");
    assert_eq!(kind_of(store.record_snapshot_anchor(&sample::anchor(1))), "Backend");
    assert_eq!(kind_of(store.seal(RunStatus::Ended)), "Backend");
}
