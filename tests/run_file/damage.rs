//! Flipped bits: an error or the same answers, never others, never a panic or an abort.

use std::ops::ControlFlow;
use std::sync::Arc;

use eventstore::backend::redb::open_sealed_on;
use eventstore::backend::{Direction, EventReader, EventStore};
use eventstore::error::{EventStoreError, Result};
use eventstore::index::IndexKind;
use eventstore::manifest::RunStatus;

use super::common::sample::{self, INSTANCE};
use super::disk::{Content, MemoryVolume};
use super::{CACHE_BYTES, FILE, RUN, run_on, store_on};

const ENTRIES: u64 = 120;
/// Prime, so that flips walk through all places of a page.
const STRIDE: usize = 61;

/// Everything that a reader says of a run; the first error ends it.
fn answers(reader: &dyn EventReader) -> Result<Vec<String>> {
    let mut all = vec![
        format!("{:?}", reader.manifest()?),
        format!("{:?}", reader.latest_snapshot_anchor()?),
        format!("{:?}", reader.digest()?),
        reader.high_watermark().to_string(),
    ];
    reader.visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
        all.push(format!("{row:?}"));
        ControlFlow::Continue(())
    })?;
    for kind in IndexKind::ALL {
        reader.visit_index(kind, None, &mut |key, seq| {
            all.push(format!("{key} {seq}"));
            ControlFlow::Continue(())
        })?;
    }
    Ok(all)
}

/// The bytes to flip: many of each page, few of those that hold nothing but zeros.
fn places(content: &Content) -> Vec<usize> {
    let mut places = Vec::new();
    let mut page = [0; 4096];
    for at in (0..content.len()).step_by(page.len()) {
        content.read(at, &mut page);
        let step = if page.iter().all(|byte| *byte == 0) { 2048 } else { STRIDE };
        places
            .extend((at as usize % 7..page.len()).step_by(step).map(|inside| at as usize + inside));
    }
    places
}

fn sealed_volume() -> MemoryVolume {
    let volume = MemoryVolume::default();
    let mut store = run_on(&volume, &sample::run_of(ENTRIES));
    store.record_snapshot_anchor(&sample::anchor(60)).unwrap();
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    volume
}

fn flipped(content: &Content, at: usize) -> MemoryVolume {
    let mut content = content.clone();
    let mut byte = [0];
    content.read(at as u64, &mut byte);
    content.write(at as u64, &[byte[0] ^ 1 << (at % 8)]);
    MemoryVolume::with_files([(FILE.to_owned(), content)])
}

fn open(volume: &MemoryVolume, check: bool) -> Result<Arc<dyn EventReader>> {
    open_sealed_on(volume.disk(FILE), FILE.as_ref(), CACHE_BYTES, check)
}

/// Opened with the check, a sealed run with a flipped bit answers an error or as before.
#[test]
fn checked_open_never_answers_wrong() {
    let volume = sealed_volume();
    let expected = answers(&*open(&volume, true).unwrap()).unwrap();
    let content = volume.content(FILE).unwrap();
    let (mut refused, mut same) = (0, 0);
    for at in places(&content) {
        match open(&flipped(&content, at), true).and_then(|reader| answers(&*reader)) {
            Ok(found) => {
                assert_eq!(found, expected, "byte {at}");
                same += 1;
            }
            Err(_) => refused += 1,
        }
    }
    println!("checked: {refused} refused, {same} the same");
    assert!(refused > 0 && same > 0);
}

/// Opened without it, no damage leaves as a panic; entries are as written or an error.
#[test]
fn unchecked_open_never_panics_and_never_shows_a_wrong_entry() {
    let volume = sealed_volume();
    let content = volume.content(FILE).unwrap();
    let (mut good_rows, mut errors) = (0_u64, 0);
    for at in places(&content) {
        let Ok(reader) = open(&flipped(&content, at), false) else {
            errors += 1;
            continue;
        };
        let scanned = reader.visit_range(1, u64::MAX, Direction::Backward, &mut |row| {
            assert_eq!(row.entry, sample::keyed(row.entry.seq).entry.view(), "byte {at}");
            good_rows += 1;
            ControlFlow::Continue(())
        });
        errors += u64::from(scanned.is_err() || answers(&*reader).is_err());
    }
    println!("unchecked: {good_rows} good rows, {errors} files with an error");
    assert!(errors > 0 && good_rows > 0);
}

/// A crashed run with a flipped bit loads with all that was acknowledged, or is refused with its
/// bytes untouched; it never comes back a batch short.
#[test]
fn damaged_crashed_run_is_whole_or_refused_untouched() {
    let volume = MemoryVolume::default();
    let mut store = run_on(&volume, &sample::run_of(ENTRIES));
    sample::append(&mut store, &[sample::keyed(ENTRIES + 1)]).unwrap();
    let expected = answers(&*store.reader().unwrap()).unwrap();
    store.abandon();
    let content = volume.content(FILE).unwrap();
    let (mut refused, mut same) = (0, 0);
    for at in places(&content) {
        let damaged = flipped(&content, at);
        let before = damaged.content(FILE).unwrap();
        let mut store = store_on(&damaged);
        let loaded = store.load_crashed(INSTANCE, RUN);
        match loaded.and_then(|()| answers(&*store.reader().unwrap())) {
            Ok(found) => {
                assert_eq!(found, expected, "byte {at}");
                same += 1;
            }
            Err(error) => {
                let is_known =
                    matches!(error, EventStoreError::Corrupted(_)) || error.is_unsupported_format();
                assert!(is_known, "byte {at}: {error}");
                assert!(damaged.content(FILE).unwrap().to_vec() == before.to_vec());
                refused += 1;
            }
        }
    }
    println!("crashed: {refused} refused, {same} the same");
    assert!(refused > 0 && same > 0);
}
