//! What only backends on disk show: exclusion between stores, and runs that outlive theirs.

use std::fs;

use eventstore::backend::Direction;
use eventstore::manifest::RunStatus;

use super::fixture::{
    Fixture, RUN, all_rows, append_groups, assert_holds, assert_sealed, kind_of, manifest,
    store_with,
};
use crate::common::sample::{self, INSTANCE};

/// One writer a run; to the second it is locked, whatever else it may be.
pub fn held_run_is_locked_for_another_store(fixture: &dyn Fixture) {
    let entries = sample::run_of(4);
    let mut first = store_with(fixture, &manifest(), &entries[..3], 3);
    let mut second = fixture.store(None);
    assert_eq!(kind_of(second.open_run(&manifest())), "Locked");
    assert_eq!(kind_of(second.load_crashed(INSTANCE, RUN)), "Locked");
    sample::append(&mut *first, &entries[3..]).expect("the first is not disturbed");
    first.abandon();
    assert_eq!(kind_of(second.open_run(&manifest())), "CrashedPredecessor");
    second.load_crashed(INSTANCE, RUN).expect("the lock went with the first");
    assert_holds(&*second.reader().unwrap(), &manifest(), &entries);
}

/// The lock is asked before the status: sealed does not mean free.
pub fn sealed_run_that_is_still_held_is_locked(fixture: &dyn Fixture) {
    let mut first = store_with(fixture, &manifest(), &sample::run_of(3), 3);
    first.seal(RunStatus::Ended).unwrap();
    let mut second = fixture.store(None);
    assert_eq!(kind_of(second.open_run(&manifest())), "Locked");
    first.close().unwrap();
    assert_eq!(kind_of(second.open_run(&manifest())), "AlreadyExists");
}

/// What `append_batch` answered is there after the store is gone, commit for commit.
pub fn acknowledged_batches_survive_without_a_close(fixture: &dyn Fixture) {
    let entries = sample::run_of(10);
    for count in 0..=entries.len() {
        let run_id = format!("kept-{count}");
        let start = sample::full_manifest(&run_id);
        let mut store = store_with(fixture, &start, &entries[..count], 3);
        store.abandon();
        drop(store);
        let mut store = fixture.store(None);
        store.load_crashed(INSTANCE, &run_id).unwrap();
        assert_holds(&*store.reader().unwrap(), &start, &entries[..count]);
    }
}

/// A sealed run opens as often as one likes, by several at once, and reads the same each time.
pub fn sealed_run_opens_by_name_and_is_not_changed(fixture: &dyn Fixture) {
    let entries = sample::run_of(30);
    let mut store = store_with(fixture, &manifest(), &entries, 8);
    store.record_snapshot_anchor(&sample::anchor(11)).unwrap();
    let sealed = store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    drop(store);
    let readers: Vec<_> = (0..3).map(|_| fixture.open_sealed(RUN).unwrap()).collect();
    for reader in &readers {
        assert_sealed(&**reader, &sealed, &manifest(), &entries, RunStatus::Ended);
        assert_eq!(reader.latest_snapshot_anchor().unwrap(), Some(sample::anchor(11)));
    }
    drop(readers);
    let again = fixture.open_sealed(RUN).unwrap();
    assert_sealed(&*again, &sealed, &manifest(), &entries, RunStatus::Ended);
}

/// A run that is not sealed, or sealed and not closed, is for recovery to open.
pub fn running_run_is_not_opened_as_sealed(fixture: &dyn Fixture) {
    let mut store = store_with(fixture, &manifest(), &sample::run_of(3), 3);
    store.close().unwrap();
    assert_eq!(kind_of(fixture.open_sealed(RUN).map(|_| ())), "NotSealed");
    let name = "unclosed";
    let mut store = store_with(fixture, &sample::full_manifest(name), &sample::run_of(3), 3);
    store.abandon();
    assert_eq!(kind_of(fixture.open_sealed(name).map(|_| ())), "NotSealed");
    let name = "sealed-unclosed";
    let mut store = store_with(fixture, &sample::full_manifest(name), &sample::run_of(3), 3);
    store.seal(RunStatus::Ended).unwrap();
    store.abandon();
    assert_eq!(kind_of(fixture.open_sealed(name).map(|_| ())), "NotSealed");
}

/// No file, no run.
pub fn missing_run_is_not_found(fixture: &dyn Fixture) {
    assert_eq!(kind_of(fixture.open_sealed("never-was").map(|_| ())), "NotFound");
}

/// Recovery that does not have the key seals without a digest: it cannot make the keyed one, and a
/// plain one would be weaker evidence than was asked for.
pub fn keyed_run_sealed_without_its_key_has_no_digest(fixture: &dyn Fixture) {
    let mut store = fixture.store(Some([9; 32]));
    store.open_run(&manifest()).unwrap();
    append_groups(&mut *store, &sample::run_of(5), 2);
    store.abandon();
    drop(store);
    let mut store = fixture.store(None);
    store.load_crashed(INSTANCE, RUN).unwrap();
    let sealed = store.seal(RunStatus::CrashedRecovered).unwrap();
    assert_eq!((sealed.high_watermark, sealed.digest), (5, None));
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_eq!(reader.digest().unwrap(), None);
}

/// What is no run of this format is refused and not touched; with the right first bytes it may be
/// a crashed run, which loading then finds to be none.
pub fn foreign_file_is_refused_and_not_changed(fixture: &dyn Fixture) {
    // Makes the instance's folder.
    let mut store = store_with(fixture, &sample::full_manifest("sound"), &sample::run_of(3), 3);
    store.close().unwrap();
    let sound = fs::read(fixture.run_path("sound")).unwrap();
    let magic_then_nothing = [&sound[..9], &vec![0; 8_192][..]].concat();
    let cut_short = sound[..sound.len() / 2].to_vec();
    for (label, bytes, on_open) in [
        ("empty", Vec::new(), "Corrupted"),
        ("text", b"not a run".to_vec(), "Corrupted"),
        ("zeros", vec![0; 1 << 20], "Corrupted"),
        ("magic", magic_then_nothing, "CrashedPredecessor"),
        ("short", cut_short, "CrashedPredecessor"),
    ] {
        let path = fixture.run_path(label);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &bytes).unwrap();
        let start = sample::full_manifest(label);
        assert_eq!(kind_of(store.open_run(&start)), on_open, "open_run over {label}");
        assert_eq!(kind_of(store.load_crashed(INSTANCE, label)), "Corrupted", "loading {label}");
        let opened = kind_of(fixture.open_sealed(label).map(|_| ()));
        assert!(["Corrupted", "NotSealed"].contains(&opened.as_str()), "{label}: {opened}");
        assert!(fs::read(&path).unwrap() == bytes, "{label} was changed");
    }
}

/// A reader of a run that its writer abandoned reads on, and nobody repairs the run under it: the
/// lock goes with the last reader. The run is larger than the reader's cache.
pub fn readers_of_an_abandoned_run_keep_it_to_themselves(fixture: &dyn Fixture) {
    let entries = sample::run_of(20_000);
    let mut store = store_with(fixture, &manifest(), &entries, 500);
    let (reader, late) = (store.reader().unwrap(), store.reader().unwrap());
    assert_holds(&*reader, &manifest(), &entries);
    store.abandon();
    let mut recovery = fixture.store(None);
    assert_eq!(kind_of(recovery.load_crashed(INSTANCE, RUN)), "Locked");
    assert_holds(&*reader, &manifest(), &entries);
    drop(reader);
    assert_holds(&*late, &manifest(), &entries);
    assert_eq!(kind_of(recovery.load_crashed(INSTANCE, RUN)), "Locked");
    drop(late);
    recovery.load_crashed(INSTANCE, RUN).expect("the lock went with the last reader");
    assert_holds(&*recovery.reader().unwrap(), &manifest(), &entries);
}

/// A reader of a run that its writer left in order reads on; once it has looked again, nobody
/// seals the run under it.
pub fn readers_of_a_left_run_keep_it_to_themselves(fixture: &dyn Fixture) {
    let entries = sample::run_of(3000);
    let mut store = store_with(fixture, &manifest(), &entries, 500);
    let reader = store.reader().unwrap();
    store.close().unwrap();
    drop(store);
    assert_holds(&*reader, &manifest(), &entries);
    let mut recovery = fixture.store(None);
    assert_eq!(kind_of(recovery.load_crashed(INSTANCE, RUN)), "Locked");
    drop(reader);
    recovery.load_crashed(INSTANCE, RUN).expect("the lock went with the reader");
}

/// A reader of a run that its writer left, while recovery has that run, does not pass for empty.
pub fn reader_of_a_run_that_recovery_has_says_so(fixture: &dyn Fixture) {
    let entries = sample::run_of(30);
    let mut store = store_with(fixture, &manifest(), &entries, 5);
    let reader = store.reader().unwrap();
    store.close().unwrap();
    drop(store);
    let mut recovery = fixture.store(None);
    if kind_of(recovery.load_crashed(INSTANCE, RUN)) == "Locked" {
        // The reader has never let go: then it reads on.
        assert_eq!(all_rows(&*reader), entries);
        return;
    }
    assert_eq!(reader.high_watermark(), 30);
    let refused = reader.scan_range(1, u64::MAX, Direction::Forward).map(|_| ());
    assert_eq!(kind_of(refused), "Locked");
    recovery.seal(RunStatus::CrashedRecovered).unwrap();
    recovery.close().unwrap();
    drop(recovery);
    assert_eq!(all_rows(&*reader), entries);
}
