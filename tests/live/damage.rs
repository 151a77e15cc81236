//! What a follower makes of watermarks that are low or torn, and of damage below them.

use std::fs;
use std::path::Path;

use eventstore::backend::{Ended, EventStore};
use eventstore::error::EventStoreError;
use eventstore::reader::Tail;
use eventstore::store::{ReaderOptions, open_live_run};

use crate::common::sample;
use crate::common::temporary::TemporaryFolder;
use crate::{GROUP, RUN, follow, path_of, take_new, written};

/// Where the two watermarks stand.
const PLACES: [usize; 2] = [0, 4096];

/// A run that was left after so many groups, and its watermarks after each.
fn left(base: &Path, groups: u64) -> Vec<Vec<u8>> {
    let mut marks = Vec::new();
    let mut store = written(base, RUN, groups, &mut |_| {
        marks.push(fs::read(path_of(base, RUN).join("open")).unwrap());
    });
    store.abandon();
    marks
}

/// Groups behind the watermark are not looked at, sound as they may be: whoever wrote them may not
/// have flushed them.
#[test]
fn reader_stops_at_the_watermark_whatever_lies_behind_it() {
    let base = TemporaryFolder::new("live-watermark");
    let marks = left(base.path(), 12);
    for groups in [0, 1, 5, 12_u64] {
        fs::write(path_of(base.path(), RUN).join("open"), &marks[groups as usize]).unwrap();
        let reader = follow(base.path());
        let acknowledged = groups * GROUP as u64;
        let expected = Tail { high_watermark: acknowledged, ended: Some(Ended::WriterGone) };
        assert_eq!(reader.wait_tail(0, 0).unwrap(), expected);
        assert_eq!(take_new(&reader, 0), acknowledged);
    }
}

/// A watermark that is being overwritten fails its checksum: the one before it counts.
#[test]
fn torn_watermark_leaves_the_one_before_it() {
    let base = TemporaryFolder::new("live-torn");
    let mut marks = left(base.path(), 12).pop().unwrap();
    // Twelve groups, each a commit: the last watermark stands at the first place.
    marks[PLACES[0] + 9] ^= 1;
    fs::write(path_of(base.path(), RUN).join("open"), &marks).unwrap();
    assert_eq!(take_new(&follow(base.path()), 0), 11 * GROUP as u64);
    marks[PLACES[1] + 9] ^= 1;
    fs::write(path_of(base.path(), RUN).join("open"), &marks).unwrap();
    assert_eq!(take_new(&follow(base.path()), 0), 0);
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 4;
    fs::write(file, bytes).unwrap();
}

/// Damage below the watermark is told as such, when the run is opened and while it is followed, and
/// what lies before it can be read.
#[test]
fn damage_below_the_watermark_is_corrupted_and_hides_nothing_before_it() {
    let base = TemporaryFolder::new("live-damage");
    let run = path_of(base.path(), RUN);
    let mut at = 0;
    let mut store = written(base.path(), RUN, 2, &mut |_| {});
    let reader = follow(base.path());
    // The end of the second group is where the third will stand.
    let bytes = fs::read(run.join("0000000001.seg")).unwrap();
    at += bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1 + 100;
    let more: Vec<_> = (15..=21).map(sample::keyed).collect();
    sample::append(&mut store, &more).unwrap();
    flip(&run.join("0000000001.seg"), at);
    let told = reader.wait_tail(15, u64::MAX);
    assert!(matches!(told, Err(EventStoreError::Corrupted(_))), "{told:?}");
    assert_eq!(
        reader.view().scan_range(1, 14, eventstore::backend::Direction::Forward).unwrap().len(),
        14
    );
    let beyond = reader.view().scan_seq(15);
    assert!(matches!(beyond, Err(EventStoreError::Corrupted(_))), "{beyond:?}");
    let opened = open_live_run(&run, &ReaderOptions::default()).err();
    assert!(matches!(opened, Some(EventStoreError::Corrupted(_))), "{opened:?}");
    flip(&run.join("0000000001.seg"), at);
    assert_eq!(reader.wait_tail(21, 0).unwrap().high_watermark, 21);
    store.abandon();
}

/// A segment that is gone is damage too, and so are the watermarks of a run without a seal.
#[test]
fn missing_files_are_damage() {
    let base = TemporaryFolder::new("live-missing");
    left(base.path(), 60);
    let run = path_of(base.path(), RUN);
    let names: Vec<_> = fs::read_dir(&run).unwrap().map(|file| file.unwrap().path()).collect();
    let mut segments: Vec<_> =
        names.into_iter().filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    segments.sort();
    assert!(segments.len() > 4);
    let used =
        segments.iter().rposition(|path| fs::read(path).unwrap()[64..].iter().any(|b| *b != 0));
    let last = &segments[used.unwrap()];
    let kept = fs::read(last).unwrap();
    fs::remove_file(last).unwrap();
    let corrupted = || {
        let opened = open_live_run(&run, &ReaderOptions::default()).err();
        assert!(matches!(opened, Some(EventStoreError::Corrupted(_))), "{opened:?}");
    };
    corrupted();
    fs::write(last, kept).unwrap();
    assert_eq!(take_new(&follow(base.path()), 0), 60 * GROUP as u64);
    fs::remove_file(run.join("open")).unwrap();
    corrupted();
}

/// A first segment under a number far behind all others, its checksums right: refused, and no room
/// made for as many.
#[test]
fn segment_that_others_are_missing_before_is_refused() {
    const NUMBER: u64 = 9_999_999_999;
    let base = TemporaryFolder::new("live-forged");
    left(base.path(), 2);
    let run = path_of(base.path(), RUN);
    let manifest = fs::read(run.join("manifest")).unwrap();
    let incarnation = u64::from_le_bytes(manifest[24..32].try_into().unwrap());
    let mut segment = fs::read(run.join("0000000001.seg")).unwrap();
    let incarnation = incarnation.wrapping_add(NUMBER).to_le_bytes();
    segment[16..24].copy_from_slice(&NUMBER.to_le_bytes());
    segment[24..32].copy_from_slice(&incarnation);
    segment[64 + 32..64 + 40].copy_from_slice(&incarnation);
    for header in [0, 64] {
        let sum = crc32c::crc32c(&segment[header..header + 60]);
        segment[header + 60..header + 64].copy_from_slice(&sum.to_le_bytes());
    }
    fs::write(run.join(format!("{NUMBER}.seg")), segment).unwrap();
    let opened = open_live_run(&run, &ReaderOptions::default()).map(drop);
    assert!(matches!(opened, Err(EventStoreError::Corrupted(_))), "{opened:?}");
}
