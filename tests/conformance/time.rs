//! The first entry at or after a time, over timestamps that step back.

use eventstore::backend::EventReader;
use eventstore::manifest::RunStatus;

use super::fixture::{Fixture, RUN, manifest, store_with};
use crate::common::sample::{self, Keyed};

fn at_times(times: impl IntoIterator<Item = u64>) -> Vec<Keyed> {
    let at = |(seq, ts_init)| {
        let Keyed { mut entry, keys } = sample::keyed(seq);
        entry.ts_init = ts_init;
        entry.payload.truncate(4);
        Keyed { entry: sample::hashed(entry), keys }
    };
    (1..).zip(times).map(at).collect()
}

fn assert_equals_naive(reader: &dyn EventReader, entries: &[Keyed], ts_init: u64) {
    let naive = entries.iter().find(|item| item.entry.ts_init >= ts_init);
    let expected = naive.map(|item| item.entry.seq);
    assert_eq!(reader.first_seq_at(ts_init).unwrap(), expected, "at {ts_init}");
}

/// Every time around a short run, for every cut into commits, live and sealed.
pub fn first_seq_at_equals_the_naive_search(fixture: &dyn Fixture) {
    // Steps back within and across commits, repeats, and a largest value in the middle.
    let entries = at_times([5, 3, 8, 8, 2, 20, 7, 1, 20, 0, 12, 21]);
    let searched = || (0..=23).chain([u64::MAX]);
    for group in 1..=entries.len() {
        let name = format!("group-{group}");
        let mut store = store_with(fixture, &sample::full_manifest(&name), &entries, group);
        let live = store.reader().unwrap();
        searched().for_each(|ts_init| assert_equals_naive(&*live, &entries, ts_init));
        drop(live);
        store.seal(RunStatus::Ended).unwrap();
        let sealed = fixture.close_and_read(&mut *store, &name);
        searched().for_each(|ts_init| assert_equals_naive(&*sealed, &entries, ts_init));
    }
}

/// A search over hundreds of commits, where a search by halves that trusted each commit's own
/// times instead of the largest so far would go astray.
pub fn first_seq_at_over_many_commits_equals_the_naive_search(fixture: &dyn Fixture) {
    let saw = |i: u64| sample::START_TS + i * 10 - (i % 13) * 40 + (i % 7) * 25;
    let entries = at_times((13..1_513).map(saw));
    let mut store = store_with(fixture, &manifest(), &entries, 6);
    let live = store.reader().unwrap();
    let first = saw(13) - 600;
    for ts_init in (first..first + 17_000).step_by(11).chain([0, u64::MAX]) {
        assert_equals_naive(&*live, &entries, ts_init);
    }
    for item in &entries {
        assert_equals_naive(&*live, &entries, item.entry.ts_init);
        assert_equals_naive(&*live, &entries, item.entry.ts_init + 1);
    }
    drop(live);
    store.seal(RunStatus::Ended).unwrap();
    let sealed = fixture.close_and_read(&mut *store, RUN);
    for item in entries.iter().step_by(7) {
        assert_equals_naive(&*sealed, &entries, item.entry.ts_init);
    }
}
