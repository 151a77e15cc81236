//! Numbers in a run's files that no writer wrote, under checksums that hold: an error, whatever
//! they are, and never an allocation of their size.

use eventstore::backend::Direction;
use eventstore::backend::log::open_sealed_on;
use eventstore::error::EventStoreError;

use crate::disk::{Content, MemoryVolume, Node};
use crate::{GROUP_ENTRIES, GROUPS, INSTANCE, RUN, file_of, sealed};

const LAST: u64 = GROUPS * GROUP_ENTRIES;

/// Numbers of the seal's and of an index's body, by their place there.
const SEAL_LAST_SEGMENT: usize = 0;
const SEAL_NEXT_SEQ: usize = 4;
const INDEX_END: usize = 4;
const INDEX_NEXT_SEQ: usize = 7;

/// Puts a number into the body of a small file, or of an index's head, and the checksum right.
fn forge(volume: &MemoryVolume, name: &str, at: usize, number: u64) {
    volume.change(file_of(volume, name), |content| {
        let mut bytes = content.to_vec();
        let body_bytes = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
        bytes[16 + 8 * at..24 + 8 * at].copy_from_slice(&number.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..16 + body_bytes]);
        bytes[16 + body_bytes..20 + body_bytes].copy_from_slice(&sum.to_le_bytes());
        *content = Content::from_bytes(&bytes);
    });
}

/// A run that has a file with this name too.
fn with_file(volume: &MemoryVolume, name: &str) -> MemoryVolume {
    let (mut names, mut contents) = volume.everything();
    let (folder, _) = names.keys().find(|(_, name)| name == "manifest").expect("every run has one");
    names.insert((*folder, name.to_owned()), Node::File(contents.len()));
    contents.push(Content::default());
    MemoryVolume::with_names(names, contents)
}

/// A seal that names more segments than there are files is refused before there is room made for
/// them, although the last of them has one.
#[test]
fn seal_of_more_segments_than_there_are_is_refused() {
    let volume = with_file(&sealed(), "9999999999.seg");
    forge(&volume, "seal", SEAL_LAST_SEGMENT, 9_999_999_999);
    let opened = open_sealed_on(&volume, INSTANCE, RUN, false).map(drop);
    assert!(matches!(opened, Err(EventStoreError::Corrupted(_))), "{opened:?}");
}

/// Entries are numbered from 1, so that the one behind the last is never number 0.
#[test]
fn next_entry_of_number_zero_is_refused() {
    let volume = sealed();
    forge(&volume, "seal", SEAL_NEXT_SEQ, 0);
    let opened = open_sealed_on(&volume, INSTANCE, RUN, false).map(drop);
    assert!(matches!(opened, Err(EventStoreError::Corrupted(_))), "{opened:?}");
}

/// An index that tells of bytes behind its segment's end, or of no entries, is not believed: the
/// segment answers.
#[test]
fn index_of_more_than_its_segment_is_made_again() {
    for (at, number) in [(INDEX_END, u64::MAX), (INDEX_NEXT_SEQ, 0)] {
        let volume = sealed();
        forge(&volume, "0000000002.idx", at, number);
        let reader = open_sealed_on(&volume, INSTANCE, RUN, false).expect("its seal is sound");
        let rows = reader.scan_range(1, LAST, Direction::Forward).expect("its segments are sound");
        assert_eq!(rows.len() as u64, LAST);
    }
}
