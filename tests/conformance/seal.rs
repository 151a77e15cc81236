//! Sealing: statuses, the fields it fills, and the digest it leaves.

use eventstore::backend::{EventReader, Sealed};
use eventstore::manifest::{RunManifest, RunStatus};

use super::fixture::{
    Fixture, RUN, append_groups, assert_holds, assert_sealed, kind_of, manifest, sealed_manifest,
    store_with,
};
use crate::common::format;
use crate::common::sample::{self, Keyed};

/// `Running` is not an end.
pub fn seal_as_running_is_refused_and_run_goes_on(fixture: &dyn Fixture) {
    let entries = sample::run_of(4);
    let mut store = store_with(fixture, &manifest(), &entries[..3], 3);
    assert_eq!(kind_of(store.seal(RunStatus::Running)), "InvalidArgument");
    assert_eq!(sample::append(&mut *store, &entries[3..]).unwrap(), 4);
    assert_holds(&*store.reader().unwrap(), &manifest(), &entries);
}

/// The first seal stands.
pub fn second_seal_is_closed_and_changes_nothing(fixture: &dyn Fixture) {
    let entries = sample::run_of(4);
    let mut store = store_with(fixture, &manifest(), &entries, 3);
    let sealed = store.seal(RunStatus::Ended).unwrap();
    for status in [RunStatus::Ended, RunStatus::CrashedRecovered, RunStatus::Quarantined] {
        assert_eq!(kind_of(store.seal(status)), "Closed", "{}", status.name());
    }
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_sealed(&*reader, &sealed, &manifest(), &entries, RunStatus::Ended);
}

/// Each end is stored with the high-watermark and the largest time, and nothing else moves.
pub fn each_status_stores_watermark_and_end(fixture: &dyn Fixture) {
    let entries = sample::run_of(10);
    for status in [RunStatus::Ended, RunStatus::CrashedRecovered, RunStatus::Quarantined] {
        let start = sample::full_manifest(status.name());
        let mut store = store_with(fixture, &start, &entries, 4);
        let live = store.reader().unwrap();
        let sealed = store.seal(status).unwrap();
        assert_eq!(sealed.high_watermark, 10);
        let expected = sealed_manifest(&start, &entries, status);
        assert_holds(&*live, &expected, &entries);
        drop(live);
        let reader = fixture.close_and_read(&mut *store, status.name());
        assert_holds(&*reader, &expected, &entries);
        assert_eq!(reader.digest().unwrap(), sealed.digest);
    }
}

/// Without entries there is no end and no high-watermark, and yet a digest.
pub fn empty_run_seals_without_an_end(fixture: &dyn Fixture) {
    let mut store = store_with(fixture, &manifest(), &[], 1);
    let sealed = store.seal(RunStatus::Ended).unwrap();
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_eq!(reader.manifest().unwrap().end_ts_init, None);
    assert_sealed(&*reader, &sealed, &manifest(), &[], RunStatus::Ended);
}

/// Times step back in real data: the largest counts, in whichever commit it was, 0 included.
pub fn end_is_the_largest_timestamp_not_the_last(fixture: &dyn Fixture) {
    let lists: [&[u64]; 4] = [&[9, 3, 7, 1], &[3, 9, 1], &[0], &[u64::MAX, 0]];
    for (number, times) in lists.into_iter().enumerate() {
        let entries = entries_at(times);
        for (cut, group) in [("single", 1), ("whole", entries.len())] {
            let name = format!("times-{number}-{cut}");
            let mut store = store_with(fixture, &sample::full_manifest(&name), &entries, group);
            store.seal(RunStatus::Ended).unwrap();
            let reader = fixture.close_and_read(&mut *store, &name);
            let largest = times.iter().max().copied();
            assert_eq!(reader.manifest().unwrap().end_ts_init, largest, "{times:?}");
        }
    }
}

fn entries_at(times: &[u64]) -> Vec<Keyed> {
    let at = |(seq, &ts_init): (u64, &u64)| {
        let Keyed { mut entry, keys } = sample::keyed(seq);
        entry.ts_init = ts_init;
        Keyed { entry: sample::hashed(entry), keys }
    };
    (1..).zip(times).map(at).collect()
}

fn digest_from_page(
    key: Option<&[u8; 32]>,
    reader: &dyn EventReader,
    sealed: &RunManifest,
    entries: &[Keyed],
) -> [u8; 32] {
    let rows: Vec<_> = entries.iter().map(Keyed::for_digest).collect();
    let anchor = reader.latest_snapshot_anchor().unwrap();
    format::run_digest(key, &rows, anchor.as_ref(), sealed)
}

/// The digest is the one that FORMAT.md lays out, computed here without the crate's code, for any
/// cut into commits; so it is the same in every backend.
pub fn digest_equals_the_one_computed_from_the_format_page(fixture: &dyn Fixture) {
    let entries = sample::run_of(60);
    for group in [1, 7, 60] {
        let name = format!("group-{group}");
        let start = sample::full_manifest(&name);
        let mut store = store_with(fixture, &start, &entries, group);
        let sealed = store.seal(RunStatus::Ended).unwrap();
        let reader = fixture.close_and_read(&mut *store, &name);
        assert_sealed(&*reader, &sealed, &start, &entries, RunStatus::Ended);
    }
}

/// Only the latest anchor counts, and it counts.
pub fn digest_covers_the_latest_anchor(fixture: &dyn Fixture) {
    let entries = sample::run_of(6);
    let mut store = store_with(fixture, &manifest(), &entries, 6);
    store.record_snapshot_anchor(&sample::anchor(2)).unwrap();
    store.record_snapshot_anchor(&sample::anchor(5)).unwrap();
    let sealed = store.seal(RunStatus::Ended).unwrap();
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_eq!(reader.latest_snapshot_anchor().unwrap(), Some(sample::anchor(5)));
    assert_sealed(&*reader, &sealed, &manifest(), &entries, RunStatus::Ended);
    let rows: Vec<_> = entries.iter().map(Keyed::for_digest).collect();
    let without = format::run_digest(None, &rows, None, &reader.manifest().unwrap());
    assert_ne!(sealed.digest.map(|digest| digest.bytes), Some(without));
}

/// With a key the digest says so, and only that key gives its bytes.
pub fn keyed_digest_needs_the_key(fixture: &dyn Fixture) {
    let key = [0x5A; 32];
    let entries = sample::run_of(12);
    let mut store = fixture.store(Some(key));
    store.open_run(&manifest()).unwrap();
    append_groups(&mut *store, &entries, 5);
    store.record_snapshot_anchor(&sample::anchor(7)).unwrap();
    let Sealed { digest, .. } = store.seal(RunStatus::Ended).unwrap();
    let reader = fixture.close_and_read(&mut *store, RUN);
    let digest = digest.expect("the key was given");
    assert!(digest.keyed);
    assert_eq!(reader.digest().unwrap(), Some(digest));
    let sealed = sealed_manifest(&manifest(), &entries, RunStatus::Ended);
    let from_page = |key| digest_from_page(key, &*reader, &sealed, &entries);
    assert_eq!(digest.bytes, from_page(Some(&key)));
    assert_ne!(digest.bytes, from_page(Some(&[0; 32])));
    assert_ne!(digest.bytes, from_page(None));
}

/// What failed its check is not vouched for.
pub fn quarantined_run_has_no_digest(fixture: &dyn Fixture) {
    let entries = sample::run_of(5);
    let mut store = store_with(fixture, &manifest(), &entries, 5);
    let sealed = store.seal(RunStatus::Quarantined).unwrap();
    assert_eq!(sealed, Sealed { high_watermark: 5, digest: None });
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_eq!(reader.digest().unwrap(), None);
    assert_holds(
        &*reader,
        &sealed_manifest(&manifest(), &entries, RunStatus::Quarantined),
        &entries,
    );
}
