//! Damage of a segment whose index is missing: what is asked of it is right or an error, and what
//! is left of it stays as it is.
//!
//! Without its index a segment is walked, and the walk ends where the damage is: that end is no end
//! of the segment.

use std::ops::ControlFlow;

use eventstore::backend::log::open_sealed_on;
use eventstore::backend::{Direction, EventStore};
use eventstore::error::EventStoreError;
use eventstore::index::IndexKind;
use eventstore::manifest::{RunManifest, RunStatus};

use crate::disk::{Content, MemoryVolume};
use crate::{
    GROUP_ENTRIES, GROUPS, INSTANCE, RUN, append, file_of, files, groups, killed, load, sealed,
    store,
};

const LAST: u64 = GROUPS * GROUP_ENTRIES;

/// The numbers of a run's segments that have groups.
fn segments(volume: &MemoryVolume) -> Vec<u64> {
    let (names, contents) = volume.everything();
    let has_groups = |file: usize| !groups(&contents[file].to_vec()).is_empty();
    let used = files(&names).into_iter().filter(|(_, file)| has_groups(*file));
    used.filter_map(|(name, _)| name.strip_suffix(".seg")?.parse().ok()).collect()
}

fn segment(volume: &MemoryVolume, number: u64) -> (usize, Vec<u8>) {
    let file = file_of(volume, &format!("{number:010}.seg"));
    (file, volume.everything().1[file].to_vec())
}

/// The same run without the indices of these segments.
fn without_indices(volume: &MemoryVolume, numbers: &[u64]) -> MemoryVolume {
    let (mut names, contents) = volume.everything();
    let is_named = |name: &str| numbers.iter().any(|number| name == format!("{number:010}.idx"));
    names.retain(|(_, name), _| !is_named(name));
    MemoryVolume::with_names(names, contents)
}

/// What can happen to a segment: a bit that turns in a group, a group that is zeros.
fn damages(whole: &[u8]) -> Vec<(String, Vec<u8>)> {
    let groups = groups(whole);
    let flipped = groups.iter().map(|(start, end)| {
        let mut bytes = whole.to_vec();
        bytes[(start + end) / 2] ^= 1;
        (format!("a bit of the group at byte {start}"), bytes)
    });
    let (start, end) = *groups.last().expect("every segment has groups");
    let mut zeroed = whole.to_vec();
    zeroed[start..end].fill(0);
    flipped.chain([("no last group".to_owned(), zeroed)]).collect()
}

/// A key that was written is found or its segment is called damaged, never absent; the list of keys
/// is whole or an error; and a scan shows what stands before the damage, then says that there is
/// one.
#[test]
fn damage_of_a_segment_without_index_is_told_to_whoever_asks() {
    let volume = sealed();
    let numbers = segments(&volume);
    assert!(numbers.len() > 3, "{numbers:?}");
    for &number in &numbers {
        let (file, whole) = segment(&volume, number);
        for (what, bytes) in damages(&whole) {
            for missing in [&[number][..], &[number, number + 1]] {
                let damaged = without_indices(&volume, missing);
                damaged.change(file, |content| *content = Content::from_bytes(&bytes));
                let what = format!("segment {number}, {what}, without the indices of {missing:?}");
                assert_told(&damaged, &what);
            }
        }
    }
}

#[track_caller]
fn assert_told(damaged: &MemoryVolume, what: &str) {
    let reader = open_sealed_on(damaged, INSTANCE, RUN, false).expect("its seal is sound");
    let mut refused = 0;
    for order in 0..=LAST / 2 {
        let first = (order * 2).max(1);
        match reader.lookup(IndexKind::CLIENT_ORDER_ID, &format!("order-{order}")) {
            Ok(found) => assert_eq!(found, Some(first), "{what}: order-{order}"),
            Err(EventStoreError::Corrupted(_)) => refused += 1,
            Err(error) => panic!("{what}: order-{order}: {error}"),
        }
    }
    assert!(refused > 0, "{what}: a key of the damaged group");
    let listed =
        reader.visit_index(IndexKind::CLIENT_ORDER_ID, None, &mut |_, _| ControlFlow::Continue(()));
    assert!(matches!(listed, Err(EventStoreError::Corrupted(_))), "{what}: {listed:?}");
    let mut next = 1;
    let scanned = reader.visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
        assert_eq!(row.entry.seq, next, "{what}");
        next += 1;
        ControlFlow::Continue(())
    });
    assert!(matches!(scanned, Err(EventStoreError::Corrupted(_))), "{what}: {scanned:?}");
}

/// Opening a run for sealing, and what closing it does then, change no byte of a segment that is
/// damaged, nor of one that must join it: sealed and closed before, or killed and quarantined.
#[test]
fn opening_leaves_a_damaged_segment_as_it_is() {
    for (volume, state) in [(sealed(), "sealed"), (killed(), "killed")] {
        let last = *segments(&volume).last().expect("it has segments");
        for missing in [&[2][..], &[2, 3]] {
            let damaged = without_indices(&volume, missing);
            let (file, whole) = segment(&damaged, 2);
            let (what, bytes) = damages(&whole).swap_remove(0);
            damaged.change(file, |content| *content = Content::from_bytes(&bytes));
            let kept = |number| groups_of(&segment(&damaged, number).1);
            let before: Vec<_> = (1..=last).map(kept).collect();
            let mut store = store(&damaged);
            let loaded = store.load_crashed(INSTANCE, RUN);
            match (state, missing) {
                ("sealed", _) => loaded.expect("nothing of it is read"),
                ("killed", [2]) => {
                    loaded.expect("nothing of it is read");
                    store.seal(RunStatus::Quarantined).expect("damage is why");
                    store.close().expect("what is damaged is left alone");
                    open_sealed_on(&damaged, INSTANCE, RUN, false).expect("closed in order");
                }
                // What its last segment must join cannot be told.
                _ => assert!(matches!(loaded, Err(EventStoreError::Corrupted(_))), "{loaded:?}"),
            }
            let after: Vec<_> = (1..=last).map(kept).collect();
            assert!(before == after, "{state}, {what}, without the indices of {missing:?}");
        }
    }
}

/// A segment up to the last byte that says something.
fn groups_of(segment: &[u8]) -> Vec<u8> {
    let end = segment.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    segment[..end].to_vec()
}

/// A power cut took the watermarks, the name of the last finished segment's index, and the first
/// group of the segment behind it, which was never acknowledged: the end of the log is the end of
/// the finished segment, and damage there is not taken for it.
#[test]
fn acknowledged_group_of_a_segment_without_index_is_no_torn_tail() {
    let volume = MemoryVolume::default();
    let mut store = store(&volume);
    store.open_run(&RunManifest::new(RUN, INSTANCE, 5)).unwrap();
    let mut acknowledged = 0;
    while segments(&volume).last() != Some(&3) {
        append(&mut store, acknowledged + 1, acknowledged + GROUP_ENTRIES);
        acknowledged += GROUP_ENTRIES;
    }
    store.abandon();
    acknowledged -= GROUP_ENTRIES;
    let cut = without_indices(&volume, &[2]);
    let open_file = file_of(&cut, "open");
    cut.change(open_file, |content| content.write(0, &vec![0; content.len() as usize]));
    cut.change(segment(&cut, 3).0, |content| content.write(64, &[0; 64]));
    let said = load(&cut).expect("sound as far as it was acknowledged");
    assert!(said.contains(&format!("seq: {acknowledged},")), "{said}");
    let (file, whole) = segment(&cut, 2);
    let (start, end) = *groups(&whole).last().expect("it is full");
    for at in start..end {
        cut.change(file, |content| crate::flip(content, at as u64, 0));
        let answer = load(&cut).map(|_| ());
        let is_found = matches!(answer, Err(EventStoreError::Corrupted(_)));
        assert!(is_found, "byte {at}: {answer:?}");
        cut.change(file, |content| crate::flip(content, at as u64, 0));
    }
}
