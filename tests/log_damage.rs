//! Damage of a run of the log backend: found, wherever it is, and never taken for a torn tail.
//!
//! Runs on a disk in memory, so that every byte of a whole run can be changed and the run opened
//! again. The oracle is what was written. What a power cut leaves: `power_cut.rs`; what a killed
//! run is opened by while the system that it was written in runs on: `log_damage/resumed.rs`; a
//! damaged segment without an index: `log_damage/unindexed.rs`; numbers that no writer wrote:
//! `log_damage/forged.rs`.

#[path = "disk/mod.rs"]
mod disk;
#[path = "log_damage/forged.rs"]
mod forged;
#[path = "log_damage/prepared.rs"]
mod prepared;
#[path = "log_damage/resumed.rs"]
mod resumed;
#[path = "log_damage/unindexed.rs"]
mod unindexed;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use disk::{Content, Event, MemoryVolume, Names, Node};
use eventstore::backend::log::{LogOptions, LogStore, open_sealed_on};
use eventstore::backend::{Direction, EventReader, EventStore};
use eventstore::entry::{AppendEntry, EntryView};
use eventstore::error::EventStoreError;
use eventstore::hash::entry_hash;
use eventstore::headers::Headers;
use eventstore::index::{IndexKey, IndexKind, KeyList, encode_keys};
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::snapshot::SnapshotAnchor;

const INSTANCE: &str = "i-1";
const RUN: &str = "r-1";
const GROUPS: u64 = 24;
const GROUP_ENTRIES: u64 = 3;

fn store(volume: &MemoryVolume) -> LogStore {
    // Short, so that a small run has several.
    let (segment_bytes_max, uses_thread) = (4 << 10, false);
    let options = LogOptions { digest_key: None, segment_bytes_max, uses_thread };
    LogStore::on(volume.as_volume(), options)
}

fn append(store: &mut LogStore, from: u64, to: u64) {
    assert_eq!(try_append(store, from, to).unwrap(), to);
}

fn try_append(store: &mut LogStore, from: u64, to: u64) -> Result<u64, EventStoreError> {
    let keys: Vec<_> = (from..=to)
        .map(|seq| {
            let key = IndexKey::new(IndexKind::CLIENT_ORDER_ID, format!("order-{}", seq / 2));
            encode_keys(&[key]).unwrap()
        })
        .collect();
    let payloads: Vec<Vec<u8>> = (from..=to).map(|seq| vec![seq as u8; 60]).collect();
    let batch: Vec<AppendEntry<'_>> = (from..=to)
        .zip(&keys)
        .zip(&payloads)
        .map(|((seq, keys), payload)| {
            let mut entry = EntryView {
                seq,
                ts_init: 1000 + seq,
                ts_publish: seq,
                topic: "orders",
                payload_type: "text/plain",
                payload,
                headers: Headers::default(),
                entry_hash: [0; 32],
            };
            entry.entry_hash = entry_hash(&entry);
            AppendEntry { entry, keys: KeyList::parse(keys.0, &keys.1).unwrap() }
        })
        .collect();
    store.append_batch(&batch)
}

fn anchor(high_watermark: u64) -> SnapshotAnchor {
    SnapshotAnchor { high_watermark, blob_ref: "b".into(), content_hash: "blake3:00".into() }
}

/// A run of `GROUPS` groups and an anchor in the middle; the last group is entries.
fn written() -> (MemoryVolume, LogStore) {
    let volume = MemoryVolume::default();
    let mut store = store(&volume);
    store.open_run(&RunManifest::new(RUN, INSTANCE, 5)).unwrap();
    for group in 0..GROUPS {
        append(&mut store, group * GROUP_ENTRIES + 1, (group + 1) * GROUP_ENTRIES);
        if group == GROUPS / 2 {
            store.record_snapshot_anchor(&anchor(4)).unwrap();
        }
    }
    (volume, store)
}

fn killed() -> MemoryVolume {
    let (volume, mut store) = written();
    store.abandon();
    volume
}

fn sealed() -> MemoryVolume {
    let (volume, mut store) = written();
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    volume
}

/// Everything that a reader says, as one text; errors as their kind.
fn said(reader: &dyn EventReader) -> String {
    let mut text = format!("{:?} {:?}", reader.manifest(), reader.digest());
    for direction in [Direction::Forward, Direction::Backward] {
        let end = reader.visit_range(1, u64::MAX, direction, &mut |row| {
            text += &format!("{:?} {:?}\n", row.entry, row.keys.map(|keys| keys.to_vec()));
            ControlFlow::Continue(())
        });
        text += &format!("{end:?}\n");
    }
    let keys = reader.visit_index(IndexKind::CLIENT_ORDER_ID, None, &mut |key, seq| {
        text += &format!("{key} {seq}\n");
        ControlFlow::Continue(())
    });
    text + &format!("{keys:?} {:?}", reader.latest_snapshot_anchor())
}

/// The files of the run's folder, with their names.
fn files(names: &Names) -> Vec<(String, usize)> {
    let file = |((_, name), node): (&(usize, String), &Node)| match node {
        Node::File(file) => Some((name.clone(), *file)),
        Node::Folder(_) => None,
    };
    names.iter().filter_map(file).collect()
}

fn flip(content: &mut Content, offset: u64, bit: u8) {
    let mut byte = [0];
    content.read(offset, &mut byte);
    content.write(offset, &[byte[0] ^ 1 << bit]);
}

fn open(volume: &MemoryVolume) -> Result<Arc<dyn EventReader>, EventStoreError> {
    open_sealed_on(volume, INSTANCE, RUN, true)
}

/// Whatever the batch, a commit is one write of the log and one flush, and the watermark, unflushed.
#[test]
fn commit_is_one_write_one_flush_and_an_unflushed_watermark() {
    let volume = MemoryVolume::recording();
    let mut store = LogStore::on(
        volume.as_volume(),
        LogOptions { uses_thread: false, ..LogOptions::default() },
    );
    store.open_run(&RunManifest::new(RUN, INSTANCE, 5)).unwrap();
    volume.take_events();
    let mut last = 0;
    // Short of an eighth of the segment, when the next one is prepared.
    for size in [1, 10, 100, 500] {
        append(&mut store, last + 1, last + size);
        last += size;
        let events = volume.take_events();
        let [
            Event::Write { file: log, .. },
            Event::Sync { file: flushed },
            Event::Write { file: marks, bytes, .. },
        ] = &events[..]
        else {
            panic!("a batch of {size} is {} operations", events.len());
        };
        assert!(log == flushed && marks != log && bytes.len() == 64, "a batch of {size}");
    }
}

/// One bit at every byte of every file of a sealed run: refused each time, as damage.
#[test]
fn every_flipped_byte_of_a_sealed_run_is_found() {
    let volume = sealed();
    let whole = said(&*open(&volume).expect("a sound run"));
    let (mut flips, mut unfound) = (0, Vec::new());
    let (names, contents) = volume.everything();
    for (name, file) in files(&names) {
        for offset in 0..contents[file].len() {
            let bit = (offset % 8) as u8;
            volume.change(file, |content| flip(content, offset, bit));
            match open(&volume) {
                Err(EventStoreError::Corrupted(_) | EventStoreError::UnsupportedFormat { .. }) => {}
                other => unfound.push((name.clone(), offset, other.map(|_| ()))),
            }
            volume.change(file, |content| flip(content, offset, bit));
            flips += 1;
        }
    }
    println!("{flips} flips in {} files", files(&names).len());
    assert!(flips > 15_000, "{flips} flips");
    assert!(unfound.is_empty(), "{} unfound: {:?}", unfound.len(), unfound.first());
    assert_eq!(said(&*open(&volume).unwrap()), whole, "the sweep put everything back");
}

/// Cut, extended, missing, swapped and doubled files of a sealed run are found.
#[test]
fn files_of_a_sealed_run_that_are_not_its_own_are_found() {
    let volume = sealed();
    let (names, contents) = volume.everything();
    let files = files(&names);
    let segments: Vec<usize> =
        files.iter().filter(|(name, _)| name.ends_with(".seg")).map(|(_, file)| *file).collect();
    assert!(segments.len() >= 3, "{} segments", segments.len());
    let expect_found = |volume: &MemoryVolume, what: &str| match open(volume) {
        Err(EventStoreError::Corrupted(_)) => {}
        other => panic!("{what}: {:?}", other.map(|_| ())),
    };
    for (name, file) in &files {
        let length = contents[*file].len();
        for changed in [0, 1, 15, 63, 64, length / 2, length - 1, length + 1, length + 4096] {
            let volume = volume.copy();
            volume.change(*file, |content| content.set_len(changed));
            expect_found(&volume, &format!("{name} of {length} bytes has {changed}"));
        }
    }
    for pair in segments.windows(2) {
        let mut swapped = contents.clone();
        swapped.swap(pair[0], pair[1]);
        expect_found(&MemoryVolume::with_names(names.clone(), swapped), "two segments swapped");
        let mut doubled = contents.clone();
        doubled[pair[1]] = contents[pair[0]].clone();
        expect_found(&MemoryVolume::with_names(names.clone(), doubled), "a segment twice");
    }
    for (key, node) in &names {
        if matches!(node, Node::File(_)) && key.1.ends_with(".seg") {
            let mut fewer = names.clone();
            fewer.remove(key);
            let volume = MemoryVolume::with_names(fewer, contents.clone());
            expect_found(&volume, &format!("{} is missing", key.1));
        }
    }
}

/// The same segment of another run, written by the same calls, does not pass for this run's.
#[test]
fn segment_of_another_run_is_found() {
    let (volume, other) = (sealed(), sealed());
    let ((names, mut contents), (_, others)) = (volume.everything(), other.everything());
    for (name, file) in files(&names) {
        if name.ends_with(".seg") {
            let own = std::mem::replace(&mut contents[file], others[file].clone());
            let spliced = MemoryVolume::with_names(names.clone(), contents.clone());
            let answer = open(&spliced).map(|_| ());
            assert!(matches!(answer, Err(EventStoreError::Corrupted(_))), "{name}: {answer:?}");
            contents[file] = own;
        }
    }
}

/// Loads a killed run and says all that it reads.
fn load(volume: &MemoryVolume) -> Result<String, EventStoreError> {
    let mut store = store(volume);
    store.load_crashed(INSTANCE, RUN)?;
    Ok(said(&*store.reader()?))
}

/// The number of the file of this name.
fn file_of(volume: &MemoryVolume, wanted: &str) -> usize {
    let (names, _) = volume.everything();
    files(&names).into_iter().find(|(name, _)| name == wanted).expect("it is there").1
}

/// The segment that the last group of a killed run is in: the last that is not zeros alone.
fn last_used_segment(volume: &MemoryVolume) -> (String, usize) {
    let (names, contents) = volume.everything();
    let is_used = |file: usize| contents[file].to_vec().iter().skip(64).any(|byte| *byte != 0);
    let mut segments = files(&names).into_iter().filter(|(name, _)| name.ends_with(".seg"));
    segments.rfind(|(_, file)| is_used(*file)).expect("groups were written")
}

/// One bit at every byte of the last segment of a killed run, and of its watermarks: either damage,
/// or the run reads exactly as it was written. Nothing acknowledged is dropped as a torn tail. Where
/// the system was started anew, loading finds the damage; before, reading at the latest.
#[test]
fn flipped_killed_run_is_whole_or_damaged_never_shorter() {
    let volume = killed();
    for is_restarted in [false, true] {
        if is_restarted {
            volume.restart();
        }
        let (damaged, late, same) = flip_what_loading_reads(&volume);
        println!("restarted {is_restarted}: {damaged} and {late} found, {same} changed nothing");
        assert!(damaged + late > 500 && same > 500, "{damaged} and {late} found, {same} harmless");
        assert_eq!(late == 0, is_restarted, "{late} found by reading alone");
    }
}

/// How many flips loading found, reading found, and changed nothing.
fn flip_what_loading_reads(volume: &MemoryVolume) -> (usize, usize, usize) {
    let whole = load(volume).unwrap();
    let (mut damaged, mut late, mut same) = (0, 0, 0);
    for (name, file) in [last_used_segment(volume), ("open".into(), file_of(volume, "open"))] {
        let length = volume.everything().1[file].len();
        for offset in 0..length {
            let bit = (offset % 8) as u8;
            volume.change(file, |content| flip(content, offset, bit));
            match load(volume) {
                Err(EventStoreError::Corrupted(_)) => damaged += 1,
                Ok(text) if text == whole => same += 1,
                Ok(text) if text.contains("Err(Corrupted") => late += 1,
                Ok(_) => panic!("{name}, byte {offset}: loads, and reads otherwise"),
                Err(error) => panic!("{name}, byte {offset}: {error}"),
            }
            volume.change(file, |content| flip(content, offset, bit));
        }
    }
    (damaged, late, same)
}

/// The same in the segments before it, which loading does not read: whatever is read of them is
/// right or an error, and the check of the whole run, which comes before any seal, finds it.
#[test]
fn flip_before_the_last_segment_of_a_killed_run_never_reads_as_another_entry() {
    let volume = killed();
    let whole = load(&volume).unwrap();
    let (last, _) = last_used_segment(&volume);
    let (names, contents) = volume.everything();
    let (mut errors, mut same) = (0, 0);
    for (name, file) in files(&names).into_iter().filter(|(name, _)| name.ends_with(".seg")) {
        for offset in (0..contents[file].len()).filter(|_| name < last) {
            let bit = (offset % 8) as u8;
            volume.change(file, |content| flip(content, offset, bit));
            match load(&volume) {
                Ok(text) if text == whole => same += 1,
                Ok(text) if text.contains("Err(") => errors += 1,
                Ok(_) => panic!("{name}, byte {offset}: reads otherwise, without an error"),
                Err(EventStoreError::Corrupted(_)) => errors += 1,
                Err(error) => panic!("{name}, byte {offset}: {error}"),
            }
            volume.change(file, |content| flip(content, offset, bit));
        }
    }
    println!("{errors} flips lead to errors, {same} change no answer");
    assert!(errors > 5_000, "{errors} errors");
}

/// The groups of a segment: where each starts and ends, by the layout that the module describes.
fn groups(segment: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut groups) = (64, Vec::new());
    while segment.get(at..at + 4) == Some(b"ESGR") {
        let body = u64::from_le_bytes(segment[at + 24..at + 32].try_into().unwrap()) as usize;
        groups.push((at, at + 64 + body));
        at += 64 + body;
    }
    groups
}

/// A group that is missing, swapped with its neighbour, or there twice is found in a sealed run,
/// although each group's own checksums hold; the log's own chain does it, without an index.
#[test]
fn groups_out_of_place_are_found() {
    let volume = sealed();
    let (mut names, contents) = volume.everything();
    names.retain(|(_, name), _| !name.ends_with(".idx"));
    open(&MemoryVolume::with_names(names.clone(), contents.clone())).expect("sound without them");
    let mut tried = 0;
    for (name, file) in files(&names).into_iter().filter(|(name, _)| name.ends_with(".seg")) {
        let whole = contents[file].to_vec();
        let groups = groups(&whole);
        for pair in groups.windows(2) {
            let [(a, b), (_, c)] = pair else { unreachable!() };
            let (first, second) = (&whole[*a..*b], &whole[*b..*c]);
            let (head, tail) = (&whole[..*a], &whole[*c..]);
            for (what, changed) in [
                ("missing", [head, second, tail].concat()),
                ("swapped", [head, second, first, tail].concat()),
                ("twice", [head, first, first, second, tail].concat()),
                ("in another's place", [head, first, first, tail].concat()),
            ] {
                let mut contents = contents.clone();
                contents[file] = Content::from_bytes(&changed);
                let answer = open(&MemoryVolume::with_names(names.clone(), contents)).map(|_| ());
                let is_found = matches!(answer, Err(EventStoreError::Corrupted(_)));
                assert!(is_found, "{name}, byte {a}, {what}: {answer:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "{tried} changes");
}

/// With the watermark lost, as in a power cut, damage before the last group is still told from a
/// torn tail by the groups that follow it.
#[test]
fn damage_before_the_last_group_is_found_without_a_watermark() {
    let (volume, mut store) = written();
    let mut last = GROUPS * GROUP_ENTRIES;
    let (file, groups) = loop {
        let (_, file) = last_used_segment(&volume);
        let groups = groups(&volume.everything().1[file].to_vec());
        if groups.len() >= 3 {
            break (file, groups);
        }
        append(&mut store, last + 1, last + 3);
        last += 3;
    };
    store.abandon();
    let open_file = file_of(&volume, "open");
    volume.change(open_file, |content| content.write(0, &vec![0; content.len() as usize]));
    load(&volume).expect("sound without a watermark");
    for &(start, end) in &groups[..groups.len() - 1] {
        for offset in start..end {
            volume.change(file, |content| flip(content, offset as u64, 3));
            let answer = load(&volume).map(|_| ());
            let is_found = matches!(answer, Err(EventStoreError::Corrupted(_)));
            assert!(is_found, "byte {offset}: {answer:?}");
            volume.change(file, |content| flip(content, offset as u64, 3));
        }
    }
}

/// The same when the first group of the last segment is gone without a trace, as if the segment had
/// not been begun.
#[test]
fn lost_beginning_of_a_segment_is_found_without_a_watermark() {
    let volume = MemoryVolume::default();
    let options = LogOptions { digest_key: None, segment_bytes_max: 32 << 10, uses_thread: false };
    let mut store = LogStore::on(volume.as_volume(), options);
    store.open_run(&RunManifest::new(RUN, INSTANCE, 5)).unwrap();
    let mut last = 0;
    let (file, (start, end)) = loop {
        append(&mut store, last + 1, last + 40);
        last += 40;
        let (name, file) = last_used_segment(&volume);
        let groups = groups(&volume.everything().1[file].to_vec());
        if name != "0000000001.seg" && groups.len() == 3 {
            break (file, groups[0]);
        }
    };
    assert!(end - start > 4096 + 64, "longer than a page");
    store.abandon();
    let open_file = file_of(&volume, "open");
    volume.change(open_file, |content| content.write(0, &vec![0; content.len() as usize]));
    load(&volume).expect("sound without a watermark");
    volume.change(file, |content| content.write(start as u64, &vec![0; end - start]));
    let answer = load(&volume).map(|_| ());
    assert!(matches!(answer, Err(EventStoreError::Corrupted(_))), "{answer:?}");
}

/// What a refused flush left may be in the kernel's memory alone, so that the last segment of a
/// killed run, the one prepared behind it and the small files are flushed before it is opened for
/// sealing; the segments before it, which were whole before it was begun, are not.
#[test]
fn killed_run_is_flushed_before_it_is_trusted() {
    let volume = killed().copy();
    volume.knobs.record.store(true, Ordering::Relaxed);
    store(&volume).load_crashed(INSTANCE, RUN).unwrap();
    let mut flushed: Vec<usize> = volume
        .take_events()
        .iter()
        .filter_map(|event| if let Event::Sync { file } = event { Some(*file) } else { None })
        .collect();
    flushed.sort_unstable();
    flushed.dedup();
    let names = files(&volume.everything().0);
    let segments = names.iter().filter(|(name, _)| name.ends_with(".seg"));
    let mut segments: Vec<_> = segments.map(|(name, _)| name.clone()).collect();
    segments.sort_unstable();
    assert!(segments.len() > 3, "{segments:?}");
    let is_trusted = |name: &str| {
        name.ends_with(".idx") || segments[..segments.len() - 2].contains(&name.to_owned())
    };
    let expected = names.iter().filter(|(name, _)| !is_trusted(name));
    let mut expected: Vec<usize> = expected.map(|(_, file)| *file).collect();
    expected.sort_unstable();
    assert_eq!(flushed, expected, "every file that may be wrong is flushed");
}

/// What was never acknowledged is dropped: a group that a power cut tore, with its watermark.
#[test]
fn torn_group_that_was_not_acknowledged_is_dropped() {
    let (volume, mut store) = written();
    let mut last = GROUPS * GROUP_ENTRIES;
    // A group that goes into the segment that the one before it went into.
    let (names, contents, file) = loop {
        let (names, contents) = volume.everything();
        let (_, file) = last_used_segment(&volume);
        append(&mut store, last + 1, last + 3);
        if last_used_segment(&volume).1 == file {
            break (names, contents, file);
        }
        last += 3;
    };
    store.abandon();
    let open_file = file_of(&volume, "open");
    let (_, after) = volume.everything();
    let (before, full) = (contents[file].to_vec(), after[file].to_vec());
    let start = before.iter().zip(&full).position(|(old, new)| old != new).unwrap();
    let end = full.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for cut in (start..end).step_by(7) {
        // As a power cut leaves it: the watermark lower, the group in part.
        let mut torn = before.clone();
        torn[start..cut].copy_from_slice(&full[start..cut]);
        let mut image = contents.clone();
        image[file] = Content::from_bytes(&torn);
        let image = MemoryVolume::with_names(names.clone(), image);
        let mut recovery = self::store(&image);
        recovery.load_crashed(INSTANCE, RUN).unwrap_or_else(|why| panic!("cut at {cut}: {why}"));
        assert_eq!(recovery.reader().unwrap().high_watermark(), last, "cut at {cut}");
        // With the watermark of the whole group, the same is damage.
        image.change(open_file, |content| *content = after[open_file].clone());
        drop(recovery);
        let loaded = self::store(&image).load_crashed(INSTANCE, RUN);
        assert!(matches!(loaded, Err(EventStoreError::Corrupted(_))), "cut at {cut}: {loaded:?}");
    }
}

/// After a refused write or flush nothing more is written, and what was acknowledged is read.
#[test]
fn refused_write_stops_the_store_and_keeps_what_was_acknowledged() {
    let (volume, mut store) = written();
    let last = GROUPS * GROUP_ENTRIES;
    let reader = store.reader().unwrap();
    volume.knobs.fail_errno.store(libc::EIO as u64, Ordering::Relaxed);
    let refused = store.record_snapshot_anchor(&anchor(last));
    assert!(matches!(refused, Err(EventStoreError::Backend(_))), "{refused:?}");
    volume.knobs.fail_errno.store(0, Ordering::Relaxed);
    let (_, before) = volume.everything();
    assert!(store.record_snapshot_anchor(&anchor(last)).is_err(), "it is not tried again");
    assert!(store.seal(RunStatus::Ended).is_err(), "nor is the run sealed");
    let (_, after) = volume.everything();
    assert!(before.iter().zip(&after).all(|(a, b)| a.to_vec() == b.to_vec()), "it was written");
    assert_eq!(reader.scan_range(1, last, Direction::Forward).unwrap().len() as u64, last);
    store.abandon();
    drop(reader);
    let mut recovery = self::store(&volume);
    recovery.load_crashed(INSTANCE, RUN).unwrap();
    assert_eq!(recovery.seal(RunStatus::CrashedRecovered).unwrap().high_watermark, last);
}

/// A seal that was refused is final: whether it counts is not known, so that nothing may follow it.
#[test]
fn nothing_is_written_behind_a_refused_seal() {
    let volume = MemoryVolume::default();
    let mut store = self::store(&volume);
    store.open_run(&RunManifest::new(RUN, INSTANCE, 5)).unwrap();
    append(&mut store, 1, GROUP_ENTRIES);
    volume.knobs.fail_errno.store(libc::EIO as u64, Ordering::Relaxed);
    let sealed = store.seal(RunStatus::Ended);
    assert!(matches!(sealed, Err(EventStoreError::Backend(_))), "{sealed:?}");
    volume.knobs.fail_errno.store(0, Ordering::Relaxed);
    let appended = try_append(&mut store, GROUP_ENTRIES + 1, GROUP_ENTRIES + 1);
    assert!(matches!(appended, Err(EventStoreError::Backend(_))), "{appended:?}");
}

/// A segment that takes no more groups is cut at its end; a flush of that which is refused stops the
/// run: no later one would tell what became of the cut.
#[test]
fn refused_flush_of_a_cut_stops_the_run() {
    let (volume, mut store) = written();
    volume.knobs.fail_sync_of_cut.store(true, Ordering::Relaxed);
    let last = GROUPS * GROUP_ENTRIES;
    let refused = (last + 1..last + 100).find_map(|seq| try_append(&mut store, seq, seq).err());
    assert!(matches!(refused, Some(EventStoreError::Backend(_))), "{refused:?}");
    volume.knobs.fail_sync_of_cut.store(false, Ordering::Relaxed);
    assert!(store.seal(RunStatus::Ended).is_err(), "nor is the run sealed");
}

/// Of batches on their way to the disk, none behind a refused one is written, and none of them
/// is acknowledged, although the disk takes writes again.
#[test]
fn refused_batch_stops_those_behind_it() {
    let volume = MemoryVolume::default();
    let options = LogOptions { digest_key: None, segment_bytes_max: 16 << 10, uses_thread: true };
    let mut store = LogStore::on(volume.as_volume(), options);
    store.open_run(&RunManifest::new(RUN, INSTANCE, 1)).unwrap();
    let entry_of = |seq| {
        let mut entry = EntryView {
            seq,
            ts_init: 1,
            ts_publish: 1,
            topic: "t",
            payload_type: "p",
            payload: b"some bytes",
            headers: Headers::default(),
            entry_hash: [0; 32],
        };
        entry.entry_hash = entry_hash(&entry);
        AppendEntry { entry, keys: KeyList::EMPTY }
    };
    store.append_batch(&[entry_of(1)]).unwrap();
    let (_, before) = volume.everything();
    let pipeline = store.pipeline().expect("the log has one");
    volume.knobs.fail_errno.store(libc::EIO as u64, Ordering::Relaxed);
    pipeline.start(&[entry_of(2)]).unwrap();
    while !pipeline.is_flushed() {
        std::thread::yield_now();
    }
    volume.knobs.fail_errno.store(0, Ordering::Relaxed);
    pipeline.start(&[entry_of(3)]).unwrap();
    for seq in [2, 3] {
        let refused = pipeline.finish();
        assert!(matches!(refused, Err(EventStoreError::Backend(_))), "entry {seq}: {refused:?}");
    }
    assert!(pipeline.start(&[entry_of(4)]).is_err(), "it is not tried again");
    let (_, after) = volume.everything();
    assert!(before.iter().zip(&after).all(|(a, b)| a.to_vec() == b.to_vec()), "it was written");
    let reader = store.reader().unwrap();
    assert_eq!(reader.high_watermark(), 1);
    assert_eq!(reader.scan_range(1, 9, Direction::Forward).unwrap().len(), 1);
}

/// A full disk refuses the append that needs a new segment, and the run is sealed all the same.
#[test]
fn run_on_a_full_disk_is_sealed() {
    let (volume, mut store) = written();
    let total: u64 = volume.everything().1.iter().map(Content::len).sum();
    volume.knobs.capacity_bytes.store(total, Ordering::Relaxed);
    let mut last = GROUPS * GROUP_ENTRIES;
    let refused = loop {
        let payload = vec![7; 200];
        let mut entry = EntryView {
            seq: last + 1,
            ts_init: 1,
            ts_publish: 1,
            topic: "t",
            payload_type: "p",
            payload: &payload,
            headers: Headers::default(),
            entry_hash: [0; 32],
        };
        entry.entry_hash = entry_hash(&entry);
        match store.append_batch(&[AppendEntry { entry, keys: KeyList::EMPTY }]) {
            Ok(durable) => last = durable,
            Err(error) => break error,
        }
        assert!(last < 1_000, "the disk never fills up");
    };
    assert!(matches!(refused, EventStoreError::Disk(_)), "{refused}");
    store.abandon();
    let mut recovery = self::store(&volume);
    recovery.load_crashed(INSTANCE, RUN).unwrap();
    let sealed = recovery.seal(RunStatus::CrashedRecovered).expect("the seal has its space");
    assert_eq!(sealed.high_watermark, last);
    recovery.close().expect("closing needs no space");
    drop(recovery);
    assert_eq!(open(&volume).unwrap().high_watermark(), last);
}
