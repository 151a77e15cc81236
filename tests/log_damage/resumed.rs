//! What a killed run is opened by while the system runs that it was written in: its watermark.
//!
//! The answer is that of a walk through the last segment, whatever the watermark says; what opening
//! does not look at, reading does. `MemoryVolume::restart` is the start of another system.

use std::sync::atomic::Ordering;

use eventstore::backend::log::{LogOptions, LogStore, open_sealed_on};
use eventstore::backend::{Direction, EventStore};
use eventstore::error::EventStoreError;
use eventstore::index::IndexKind;
use eventstore::manifest::{RunManifest, RunStatus};

use crate::disk::{Content, MemoryVolume};
use crate::{
    GROUP_ENTRIES, INSTANCE, RUN, anchor, append, file_of, flip, groups, killed, last_used_segment,
    load, store,
};

/// Where the two watermarks stand, and how long one is.
const MARKS: [usize; 2] = [0, 4096];
const MARK_BYTES: usize = 64;

/// A run of groups of this many entries in segments of this length, left after each of which its
/// watermarks are kept.
fn left(segment_bytes_max: u64, groups: u64, entries: u64) -> (MemoryVolume, Vec<Content>) {
    let volume = MemoryVolume::default();
    let options = LogOptions { digest_key: None, segment_bytes_max, uses_thread: false };
    let mut store = LogStore::on(volume.as_volume(), options);
    store.open_run(&RunManifest::new(RUN, INSTANCE, 5)).unwrap();
    let marks = || volume.everything().1[file_of(&volume, "open")].clone();
    let mut after = vec![marks()];
    for group in 0..groups {
        append(&mut store, group * entries + 1, (group + 1) * entries);
        after.push(marks());
    }
    store.abandon();
    (volume, after)
}

fn put_marks(volume: &MemoryVolume, marks: &Content) {
    volume.change(file_of(volume, "open"), |content| *content = marks.clone());
}

/// How often opening a killed run reads, and how many bytes.
fn reads_of_opening(volume: &MemoryVolume) -> (u64, u64) {
    let counts = [&volume.knobs.reads, &volume.knobs.read_bytes];
    counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    store(volume).load_crashed(INSTANCE, RUN).unwrap();
    let [reads, bytes] = counts.map(|count| count.load(Ordering::Relaxed));
    (reads, bytes)
}

/// Opening what a kill left reads the small files, one group header, and the zeros behind the last
/// group and in the segment behind it: to the byte the same whether the last segment has little or
/// much, of a run that has one segment or many. After another start it is walked.
#[test]
fn opening_a_killed_run_reads_the_same_whatever_its_length() {
    const SEGMENT_BYTES: u64 = 64 << 10;
    let counts = [20, 80, 1_030].map(|count| left(SEGMENT_BYTES, count, GROUP_ENTRIES).0);
    let shapes = counts.each_ref().map(|volume| {
        let (name, file) = last_used_segment(volume);
        (name, groups(&volume.everything().1[file].to_vec()).len())
    });
    println!("{shapes:?}");
    assert_eq!(shapes[0].0, shapes[1].0, "one of them has its only segment fuller");
    assert!(shapes[1].1 > 3 * shapes[0].1, "{shapes:?}");
    assert!(&*shapes[2].0 > "0000000010.seg", "one of them has many segments");
    let read = counts.each_ref().map(reads_of_opening);
    println!("{read:?}");
    assert_eq!(read, [read[0]; 3]);
    counts[1].restart();
    let walked = reads_of_opening(&counts[1]);
    assert!(walked.1 > read[1].1 + SEGMENT_BYTES / 2, "{walked:?} after another start");
}

/// Opening a sealed run reads its small files alone. A hundred times the entries change nothing.
#[test]
fn opening_a_sealed_run_reads_the_same_whatever_its_length() {
    let read = [20, 2_000].map(|count| {
        let (volume, _) = left(4 << 10, count, GROUP_ENTRIES);
        let mut recovery = store(&volume);
        recovery.load_crashed(INSTANCE, RUN).unwrap();
        recovery.seal(RunStatus::Ended).unwrap();
        recovery.close().unwrap();
        drop(recovery);
        volume.knobs.read_bytes.store(0, Ordering::Relaxed);
        open_sealed_on(&volume, INSTANCE, RUN, false).unwrap();
        volume.knobs.read_bytes.load(Ordering::Relaxed)
    });
    println!("{read:?}");
    assert_eq!(read[0], read[1]);
}

/// A watermark that is older than the log, in this segment or one before, leads to the same end; so
/// does one that is torn, and none.
#[test]
fn older_watermark_leads_to_the_same_end() {
    let (volume, marks) = left(4 << 10, 24, GROUP_ENTRIES);
    let whole = load(&volume).unwrap();
    for (group, mark) in marks.iter().enumerate() {
        put_marks(&volume, mark);
        assert_eq!(load(&volume).unwrap(), whole, "the watermark of group {group}");
    }
}

/// A watermark with these bytes at a place, its checksum made right.
fn forge(marks: &Content, at: usize, bytes: &[u8]) -> Content {
    let mut file = marks.to_vec();
    for start in MARKS {
        let mark = &mut file[start..start + MARK_BYTES];
        mark[at..at + bytes.len()].copy_from_slice(bytes);
        let sum = crc32c::crc32c(&mark[..MARK_BYTES - 4]);
        mark[MARK_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    }
    Content::from_bytes(&file)
}

/// A place that is not that of the group sends opening to the walk, whatever stands there; a group
/// that is not the log's is damage, as ever.
#[test]
fn watermark_of_a_wrong_place_falls_back_to_the_walk() {
    let (volume, marks) = left(4 << 10, 24, GROUP_ENTRIES);
    let whole = load(&volume).unwrap();
    let newest = marks.last().unwrap();
    let (name, file) = last_used_segment(&volume);
    let segment: u64 = name[..10].parse().unwrap();
    let bytes = volume.everything().1[file].to_vec();
    let groups = groups(&bytes);
    let elsewhere =
        groups.iter().flat_map(|(start, end)| [*start as u64, *end as u64, *end as u64 - 1]);
    let len = bytes.len() as u64;
    let offsets = elsewhere.chain([0, 1, 63, 65, len - 64, len - 63, len, u64::MAX - 63, u64::MAX]);
    let segments = [0, segment - 1, segment + 1, segment + 2, u64::MAX];
    let forged = offsets.map(|offset| (32, offset)).chain(segments.map(|number| (24, number)));
    let mut count = 0;
    for (at, number) in forged {
        put_marks(&volume, &forge(newest, at, &number.to_le_bytes()));
        assert_eq!(load(&volume).unwrap(), whole, "{number} at byte {at}");
        count += 1;
    }
    assert!(count > 15, "{count} places");
    for (at, bytes) in [(56, &7_u32.to_le_bytes()[..]), (8, &25_u64.to_le_bytes())] {
        put_marks(&volume, &forge(newest, at, bytes));
        let answer = load(&volume);
        assert!(matches!(answer, Err(EventStoreError::Corrupted(_))), "byte {at}: {answer:?}");
    }
}

/// Between two starts lies a power cut, after which the watermark may be low: a group behind it that
/// is lost is then found by those that follow it, although opening would end before it.
#[test]
fn group_lost_behind_the_watermark_of_another_start_is_found() {
    // Of groups longer than what is looked at behind the end.
    let (volume, marks) = left(64 << 10, 6, 40);
    let whole = load(&volume).unwrap();
    put_marks(&volume, &marks[3]);
    let (_, file) = last_used_segment(&volume);
    let (start, end) = groups(&volume.everything().1[file].to_vec())[3];
    assert!(end - start > 4096 + 64, "{} bytes", end - start);
    volume.restart();
    assert_eq!(load(&volume).unwrap(), whole);
    volume.change(file, |content| content.write(start as u64, &vec![0; end - start]));
    let answer = load(&volume).map(|_| ());
    assert!(matches!(answer, Err(EventStoreError::Corrupted(_))), "{answer:?}");
}

/// Damage that opening does not look at is told by whatever reads the last segment, each time, and
/// by the seal; nothing is sealed or shown without the entries that are damaged.
#[test]
fn damage_that_opening_does_not_look_at_is_told_by_reading_and_sealing() {
    let (volume, _) = left(64 << 10, 6, 40);
    let whole = load(&volume).unwrap();
    let (name, file) = last_used_segment(&volume);
    let (start, _) = groups(&volume.everything().1[file].to_vec())[2];
    volume.change(file, |content| flip(content, start as u64 + 100, 3));
    let mut recovery = store(&volume);
    recovery.load_crashed(INSTANCE, RUN).expect("its end is as it was left");
    let reader = recovery.reader().unwrap();
    assert_eq!(reader.high_watermark(), 240);
    assert_eq!(reader.manifest().unwrap().status, RunStatus::Running);
    let answers = [
        reader.scan_seq(1).map(drop),
        reader.scan_seq(240).map(drop),
        reader.scan_range(1, 240, Direction::Backward).map(drop),
        reader.lookup(IndexKind::CLIENT_ORDER_ID, "order-1").map(drop),
        reader.first_seq_at(1100).map(drop),
        reader.latest_snapshot_anchor().map(drop),
        recovery.seal(RunStatus::CrashedRecovered).map(drop),
        recovery.seal(RunStatus::Quarantined).map(drop),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let Err(EventStoreError::Corrupted(fault)) = answer else { panic!("{number}: {answer:?}") };
        let text = fault.to_string();
        assert!(text.contains(&name) && text.contains("sound up to 80"), "{number}: {text}");
    }
    volume.change(file, |content| flip(content, start as u64 + 100, 3));
    assert_eq!(crate::said(&*reader), whole, "what is right again is read");
    assert_eq!(recovery.seal(RunStatus::CrashedRecovered).unwrap().high_watermark, 240);
    recovery.close().unwrap();
}

/// The latest anchor is found wherever it stands: in the last segment, before it, and in the very
/// group that the watermark names.
#[test]
fn latest_anchor_is_found_wherever_it_stands() {
    for groups_behind in [0, 1, 20] {
        let volume = MemoryVolume::default();
        let mut writer = store(&volume);
        writer.open_run(&RunManifest::new(RUN, INSTANCE, 5)).unwrap();
        append(&mut writer, 1, 3);
        writer.record_snapshot_anchor(&anchor(2)).unwrap();
        writer.record_snapshot_anchor(&anchor(3)).unwrap();
        for group in 1..=groups_behind {
            append(&mut writer, group * 3 + 1, group * 3 + 3);
        }
        writer.abandon();
        let mut recovery = store(&volume);
        recovery.load_crashed(INSTANCE, RUN).unwrap();
        let found = recovery.reader().unwrap().latest_snapshot_anchor().unwrap();
        assert_eq!(found, Some(anchor(3)), "{groups_behind} groups behind it");
        recovery.seal(RunStatus::CrashedRecovered).unwrap();
        recovery.close().unwrap();
    }
}

/// A whole group behind the watermark may be in the kernel's memory alone: it counts once it was
/// flushed and read anew. Without one nothing is flushed: all that counts was, before it was marked.
/// A torn one does not count.
#[test]
fn group_behind_the_watermark_counts_once_stable_storage_has_it() {
    let (volume, marks) = left(64 << 10, 6, GROUP_ENTRIES);
    volume.knobs.syncs.store(0, Ordering::Relaxed);
    let whole = load(&volume).unwrap();
    assert_eq!(volume.knobs.syncs.load(Ordering::Relaxed), 0, "the watermark is exact");
    put_marks(&volume, &marks[5]);
    assert_eq!(load(&volume).unwrap(), whole);
    assert_eq!(volume.knobs.forgotten.load(Ordering::Relaxed), 1, "read anew before it counts");
    let (_, file) = last_used_segment(&volume);
    let (start, end) = groups(&volume.everything().1[file].to_vec())[5];
    for cut in (start..end).rev().step_by(9) {
        volume.change(file, |content| content.write(cut as u64, &vec![0; end - cut]));
        let mut recovery = store(&volume);
        recovery.load_crashed(INSTANCE, RUN).unwrap();
        assert_eq!(recovery.reader().unwrap().high_watermark(), 15, "cut at byte {cut}");
    }
}

/// The watermarks of a run that has no group yet say nothing.
#[test]
fn run_without_groups_is_opened() {
    let volume = killed();
    assert!(load(&volume).is_ok());
    let (empty, _) = left(4 << 10, 0, 1);
    let mut recovery = store(&empty);
    recovery.load_crashed(INSTANCE, RUN).unwrap();
    assert_eq!(recovery.seal(RunStatus::CrashedRecovered).unwrap().high_watermark, 0);
}

/// A run without a seal has its watermarks, whatever happened: without them it cannot be told a
/// torn tail from one that was acknowledged and is damaged, so neither is cut off.
#[test]
fn killed_run_without_its_watermarks_is_refused_as_it_is() {
    let volume = killed();
    let expect_refused = |volume: &MemoryVolume, what: &str, says: &str| {
        let kept = |volume: &MemoryVolume| {
            let (names, contents) = volume.everything();
            (names, contents.iter().map(Content::to_vec).collect::<Vec<_>>())
        };
        let before = kept(volume);
        for is_restarted in [false, true] {
            if is_restarted {
                volume.restart();
            }
            match load(volume).map(drop) {
                Err(error @ EventStoreError::Corrupted(_)) => {
                    assert!(error.to_string().contains(says), "{what}: {error}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        assert!(kept(volume) == before, "{what}: the run was changed");
    };
    let file = file_of(&volume, "open");
    for length in [0, MARK_BYTES as u64, 4096, 2 * 4096 - 1, 2 * 4096 + 1] {
        let volume = volume.copy();
        volume.change(file, |content| content.set_len(length));
        expect_refused(&volume, "another length", &format!("it has {length} bytes"));
    }
    let (mut names, contents) = volume.everything();
    names.retain(|(_, name), _| name != "open");
    let volume = MemoryVolume::with_names(names, contents);
    expect_refused(&volume, "no file", "the watermarks are gone and there is no seal");
}
