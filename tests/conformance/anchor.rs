//! Snapshot anchors: which are taken, and that the latest is read back.

use eventstore::manifest::RunStatus;
use eventstore::snapshot::SnapshotAnchor;

use super::fixture::{Fixture, RUN, kind_of, manifest, store_with};
use crate::common::sample;

/// An anchor may stay at the same entry, which replaces its texts, or step forward.
pub fn anchor_reads_back_and_latest_wins(fixture: &dyn Fixture) {
    let mut store = store_with(fixture, &manifest(), &sample::run_of(5), 5);
    let reader = store.reader().unwrap();
    let again = SnapshotAnchor { blob_ref: "elsewhere".into(), ..sample::anchor(3) };
    for anchor in [sample::anchor(1), sample::anchor(3), again, sample::anchor(5)] {
        store.record_snapshot_anchor(&anchor).unwrap();
        assert_eq!(reader.latest_snapshot_anchor().unwrap().as_ref(), Some(&anchor));
    }
    sample::append(&mut *store, &[sample::keyed(6)]).unwrap();
    assert_eq!(reader.latest_snapshot_anchor().unwrap(), Some(sample::anchor(5)));
    store.record_snapshot_anchor(&sample::anchor(6)).unwrap();
    store.seal(RunStatus::Ended).unwrap();
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_eq!(reader.latest_snapshot_anchor().unwrap(), Some(sample::anchor(6)));
}

/// An anchor names a durable entry, never 0, and never steps back; texts are neither empty nor
/// boundless.
pub fn anchor_outside_its_bounds_is_refused_and_changes_nothing(fixture: &dyn Fixture) {
    let mut store = store_with(fixture, &manifest(), &[], 1);
    assert_eq!(kind_of(store.record_snapshot_anchor(&sample::anchor(1))), "InvalidArgument");
    sample::append(&mut *store, &sample::run_of(5)).unwrap();
    assert_eq!(kind_of(store.record_snapshot_anchor(&sample::anchor(0))), "InvalidArgument");
    assert_eq!(store.reader().unwrap().latest_snapshot_anchor().unwrap(), None);
    store.record_snapshot_anchor(&sample::anchor(3)).unwrap();
    let without_blob = SnapshotAnchor { blob_ref: String::new(), ..sample::anchor(4) };
    let without_hash = SnapshotAnchor { content_hash: String::new(), ..sample::anchor(4) };
    let long = SnapshotAnchor { blob_ref: "x".repeat(4_097), ..sample::anchor(4) };
    let seqs = [0, 1, 2, 6, u64::MAX].map(sample::anchor);
    for anchor in seqs.iter().chain([&without_blob, &without_hash, &long]) {
        let answer = kind_of(store.record_snapshot_anchor(anchor));
        assert_eq!(answer, "InvalidArgument", "anchor {}", anchor.high_watermark);
        let latest = store.reader().unwrap().latest_snapshot_anchor().unwrap();
        assert_eq!(latest, Some(sample::anchor(3)));
    }
    store.record_snapshot_anchor(&sample::anchor(4)).expect("the run goes on");
}

/// A sealed run takes no anchor, be it within bounds or not.
pub fn anchor_after_seal_is_closed(fixture: &dyn Fixture) {
    let mut store = store_with(fixture, &manifest(), &sample::run_of(5), 5);
    store.seal(RunStatus::Ended).unwrap();
    assert_eq!(kind_of(store.record_snapshot_anchor(&sample::anchor(5))), "Closed");
    let reader = fixture.close_and_read(&mut *store, RUN);
    assert_eq!(reader.latest_snapshot_anchor().unwrap(), None);
}
