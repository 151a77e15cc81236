//! Power cuts: whatever part of the unflushed writes reaches the disk, in whatever order, nothing
//! that was acknowledged is lost, and nothing half done is seen.
//!
//! A whole life of a run (open, appends, anchor, seal, close) is recorded on a disk in memory. At
//! every operation the power is cut, many times with different dice: each sector that was
//! written since the last flush keeps its old bytes or gets those of any of the writes since, in
//! units of 512 or 4096 bytes; the length is the flushed one or any later; names made, renamed or
//! removed since the directory's last flush may not be. Each image is opened with the code that
//! ships, checked, sealed, closed and checked again; for some, the power is cut during that too.

#[path = "disk/mod.rs"]
mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use disk::{Content, Event, MemoryVolume};
use eventstore::backend::redb::{RedbOptions, RedbStore, open_sealed_on};
use eventstore::backend::{Direction, EventReader, EventStore};
use eventstore::entry::{AppendEntry, EntryView};
use eventstore::error::EventStoreError;
use eventstore::hash::entry_hash;
use eventstore::headers::Headers;
use eventstore::index::{IndexKey, IndexKind, KeyList, encode_keys};
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::snapshot::SnapshotAnchor;

const FILE: &str = "r-1.redb";
const IMAGES_MIN: usize = 10_000;

/// What the store has answered so far, and what it was asked and may or may not have done.
#[derive(Debug, Clone, Default, PartialEq)]
struct Promise {
    is_open: bool,
    high_watermark: u64,
    /// The end of the batch that is under way.
    in_flight: Option<u64>,
    anchor: Option<u64>,
    anchor_in_flight: Option<u64>,
    is_sealed: bool,
    seal_in_flight: Option<RunStatus>,
    /// A recovery was under way, which seals what it finds running.
    recovery_in_flight: bool,
    is_closed: bool,
}

/// Whether a sound build is driven, or one with a fault planted in its disk.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Plant {
    None,
    SkipSync,
    SkipSyncOnceOpen,
    SkipDirSync,
}

/// Small dice with a seed that can be printed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    }
}

fn options(two_phase: bool) -> RedbOptions {
    RedbOptions { two_phase, cache_bytes: 4 << 20, digest_key: None }
}

fn anchor(high_watermark: u64) -> SnapshotAnchor {
    SnapshotAnchor { high_watermark, blob_ref: "blob".into(), content_hash: "blake3:00".into() }
}

fn keys_of(seq: u64) -> (u32, Vec<u8>) {
    let keys = [
        IndexKey::new(IndexKind::CLIENT_ORDER_ID, format!("c-{seq}")),
        IndexKey::new(IndexKind::VENUE_ORDER_ID, format!("v-{}", seq / 3)),
    ];
    encode_keys(&keys[..(seq % 3) as usize]).unwrap()
}

fn payload_of(seq: u64) -> Vec<u8> {
    let length = if seq.is_multiple_of(17) { 9000 } else { seq as usize * 37 % 600 };
    vec![seq as u8; length]
}

fn with_entry<T>(seq: u64, use_it: impl FnOnce(&EntryView<'_>) -> T) -> T {
    let payload = payload_of(seq);
    let mut entry = EntryView {
        seq,
        ts_init: 5000 + seq * 7 % 100,
        ts_publish: seq,
        topic: "exec.event",
        payload_type: "OrderFilled",
        payload: &payload,
        headers: Headers::default(),
        entry_hash: [0; 32],
    };
    entry.entry_hash = entry_hash(&entry);
    use_it(&entry)
}

fn append(store: &mut RedbStore, from: u64, to: u64) {
    let payloads: Vec<_> = (from..=to).map(payload_of).collect();
    let keys: Vec<_> = (from..=to).map(keys_of).collect();
    let mut batch = Vec::new();
    for ((seq, payload), keys) in (from..=to).zip(&payloads).zip(&keys) {
        let entry = with_entry(seq, |entry| EntryView {
            payload,
            topic: "exec.event",
            payload_type: "OrderFilled",
            ..*entry
        });
        batch.push(AppendEntry { entry, keys: KeyList::parse(keys.0, &keys.1).unwrap() });
    }
    assert_eq!(store.append_batch(&batch).unwrap(), to);
}

/// Records a life; the promises are numbered as the events name them.
fn record(plant: Plant, two_phase: bool) -> (Vec<Event>, Vec<Promise>) {
    let volume = MemoryVolume::recording();
    volume.knobs.skip_sync.store(plant == Plant::SkipSync, Ordering::Relaxed);
    volume.knobs.skip_dir_sync.store(plant == Plant::SkipDirSync, Ordering::Relaxed);
    let mut promises = vec![Promise::default()];
    let mut promise = |change: &dyn Fn(&mut Promise)| {
        let mut next = promises[promises.len() - 1].clone();
        change(&mut next);
        promises.push(next);
        volume.promise(promises.len() - 1);
    };
    let mut store = RedbStore::on(volume.as_volume(), options(two_phase));
    store.open_run(&RunManifest::new("r-1", "i-1", 4000)).unwrap();
    promise(&|now| now.is_open = true);
    if plant == Plant::SkipSyncOnceOpen {
        volume.knobs.skip_sync.store(true, Ordering::Relaxed);
    }
    let sizes = [1, 1, 2, 40, 1, 3, 1, 200, 1, 1, 5, 1, 400, 1, 2, 1];
    let mut last = 0;
    for (number, size) in sizes.into_iter().enumerate() {
        promise(&|now| now.in_flight = Some(last + size));
        append(&mut store, last + 1, last + size);
        last += size;
        promise(&|now| {
            now.in_flight = None;
            now.high_watermark = last;
        });
        if number == 8 || number == 12 {
            promise(&|now| now.anchor_in_flight = Some(last - 1));
            store.record_snapshot_anchor(&anchor(last - 1)).unwrap();
            promise(&|now| {
                now.anchor_in_flight = None;
                now.anchor = Some(last - 1);
            });
        }
    }
    promise(&|now| now.seal_in_flight = Some(RunStatus::Ended));
    store.seal(RunStatus::Ended).unwrap();
    promise(&|now| now.is_sealed = true);
    store.close().unwrap();
    promise(&|now| now.is_closed = true);
    drop(store);
    (volume.take_events(), promises)
}

/// A disk as events leave it: what is certainly on it, and what was done since the last flush.
#[derive(Debug, Clone, Default)]
struct Platter {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    pending_names: Vec<Event>,
}

#[derive(Debug, Clone, Default)]
struct File {
    flushed: Content,
    /// As it would be without a power cut.
    current: Content,
    pending: Vec<Event>,
}

impl Platter {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Create { file, .. } => {
                self.files.resize_with((*file + 1).max(self.files.len()), File::default);
                self.pending_names.push(event.clone());
            }
            Event::Write { file, offset, bytes } => {
                let file = &mut self.files[*file];
                file.current.write(*offset, bytes);
                file.pending.push(event.clone());
            }
            Event::SetLen { file, len } => {
                let file = &mut self.files[*file];
                file.current.set_len(*len);
                file.pending.push(event.clone());
            }
            Event::Sync { file } => {
                let file = &mut self.files[*file];
                file.flushed = file.current.clone();
                file.pending.clear();
            }
            Event::Rename { .. } | Event::Remove { .. } => self.pending_names.push(event.clone()),
            Event::SyncNames => {
                for event in std::mem::take(&mut self.pending_names) {
                    apply_name(&mut self.names, &event);
                }
            }
            Event::Promised(_) => {}
        }
    }

    /// One outcome of a power cut at this moment.
    fn cut(&self, dice: &mut Dice) -> MemoryVolume {
        let mut names = self.names.clone();
        // Names change in order, and any number of the changes may have been kept.
        let kept = dice.roll(self.pending_names.len() + 1);
        for event in &self.pending_names[..kept] {
            apply_name(&mut names, event);
        }
        let mut files: BTreeMap<usize, Content> = BTreeMap::new();
        for &file in names.values() {
            files.entry(file).or_insert_with(|| self.files[file].cut(dice));
        }
        MemoryVolume::with_files(
            names.into_iter().map(|(name, file)| (name, files.remove(&file).unwrap())),
        )
    }
}

fn apply_name(names: &mut BTreeMap<String, usize>, event: &Event) {
    match event {
        Event::Create { name, file } => {
            names.insert(name.clone(), *file);
        }
        Event::Rename { from, to } => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Event::Remove { name } => {
            names.remove(name);
        }
        _ => {}
    }
}

impl File {
    fn cut(&self, dice: &mut Dice) -> Content {
        let mut content = self.flushed.clone();
        let lens = |event: &Event| match event {
            Event::SetLen { len, .. } => Some(*len),
            _ => None,
        };
        let mut lengths = vec![content.len()];
        lengths.extend(self.pending.iter().filter_map(lens));
        let length = lengths[dice.roll(lengths.len())];
        // How much of what was written is kept: nothing, about all, or a coin for each sector.
        let (keep, of) = [(0, 1), (1, 2), (1, 2), (7, 8), (1, 8), (1, 1)][dice.roll(6)];
        let sector = [512, 4096][dice.roll(2)];
        // In any order, so that an early write may win over a later one.
        let mut order: Vec<usize> = (0..self.pending.len()).collect();
        if dice.roll(2) == 0 {
            for at in (1..order.len()).rev() {
                order.swap(at, dice.roll(at + 1));
            }
        }
        let longest = lengths.into_iter().max().unwrap_or(0);
        content.set_len(longest);
        for number in order {
            let Event::Write { offset, bytes, .. } = &self.pending[number] else { continue };
            for (index, part) in bytes.chunks(sector).enumerate() {
                let at = offset + (index * sector) as u64;
                if dice.roll(of) < keep && at + part.len() as u64 <= longest {
                    content.write(at, part);
                }
            }
        }
        content.set_len(length);
        content
    }
}

/// What an image showed that it must not show.
type Violation = String;

fn ensure(holds: bool, what: impl FnOnce() -> Violation) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(what()) }
}

fn check_rows(reader: &dyn EventReader, promise: &Promise) -> Result<u64, Violation> {
    let last = reader.high_watermark();
    let is_allowed = last == promise.high_watermark || Some(last) == promise.in_flight;
    ensure(is_allowed, || format!("the watermark is {last}"))?;
    let mut next = 1;
    let scanned = reader.visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
        let is_same = with_entry(next, |entry| *entry == row.entry);
        let keys = keys_of(next);
        if !is_same || row.keys != KeyList::parse(keys.0, &keys.1) {
            return ControlFlow::Break(());
        }
        next += 1;
        ControlFlow::Continue(())
    });
    scanned.map_err(|error| format!("the scan fails: {error}"))?;
    ensure(next == last + 1, || format!("entry {next} of {last} is not as it was written"))?;
    for seq in 1..=last {
        let keys = keys_of(seq);
        let first = KeyList::parse(keys.0, &keys.1).unwrap().iter().next();
        if let Some((kind, key)) = first {
            let found = reader.lookup(kind, key).map_err(|error| format!("lookup: {error}"))?;
            ensure(found == Some(seq), || format!("key {key} leads to {found:?}"))?;
        }
    }
    let found = reader.lookup(IndexKind::CLIENT_ORDER_ID, &format!("c-{}", last + 1));
    ensure(matches!(found, Ok(None)), || format!("a key beyond the watermark: {found:?}"))?;
    let found = reader.latest_snapshot_anchor().map_err(|error| format!("anchor: {error}"))?;
    let found = found.map(|anchor| anchor.high_watermark);
    let is_allowed =
        found == promise.anchor || found.is_some() && found == promise.anchor_in_flight;
    ensure(is_allowed, || format!("the anchor is {found:?}"))?;
    Ok(last)
}

/// Opens an image as a restarted engine would, and checks it against what was promised.
fn check(volume: &MemoryVolume, promise: &Promise) -> Result<(), Violation> {
    if !volume.names().iter().any(|name| name == FILE) {
        return ensure(!promise.is_open, || "the run is gone".into());
    }
    let path = Path::new(FILE);
    match open_sealed_on(volume.disk(FILE), path, 1 << 20, false) {
        Ok(reader) => {
            let is_allowed = promise.is_sealed || promise.recovery_in_flight;
            ensure(is_allowed, || "sealed and closed before its seal".into())?;
            let status = reader.manifest().map_err(|error| format!("manifest: {error}"))?.status;
            let is_recovered = status == RunStatus::CrashedRecovered && promise.recovery_in_flight;
            ensure(is_recovered || status == RunStatus::Ended, || format!("status {status:?}"))?;
            return check_sealed(&*reader, promise, status);
        }
        Err(EventStoreError::NotSealed(_)) => {}
        Err(error) => return Err(format!("the file does not open: {error}")),
    }
    ensure(!promise.is_closed, || "closed in order, and not clean".into())?;
    let mut store = RedbStore::on(volume.as_volume(), options(true));
    store.load_crashed("i-1", "r-1").map_err(|error| format!("it does not load: {error}"))?;
    let reader = store.reader().unwrap();
    check_rows(&*reader, promise)?;
    let status = reader.manifest().map_err(|error| format!("manifest: {error}"))?.status;
    let is_allowed = match status {
        RunStatus::Running => !promise.is_sealed,
        RunStatus::Ended => promise.is_sealed || promise.seal_in_flight.is_some(),
        status => promise.recovery_in_flight && status == RunStatus::CrashedRecovered,
    };
    ensure(is_allowed, || format!("its status is {status:?}"))?;
    let sealed_as = if status == RunStatus::Running {
        let answer = store.seal(RunStatus::CrashedRecovered);
        answer.map_err(|error| format!("it does not seal: {error}"))?;
        RunStatus::CrashedRecovered
    } else {
        status
    };
    store.close().map_err(|error| format!("it does not close: {error}"))?;
    drop(store);
    let reopened = open_sealed_on(volume.disk(FILE), path, 1 << 20, true);
    let reader = reopened.map_err(|error| format!("sealed, it does not open: {error}"))?;
    check_sealed(&*reader, promise, sealed_as)
}

fn check_sealed(
    reader: &dyn EventReader,
    promise: &Promise,
    status: RunStatus,
) -> Result<(), Violation> {
    let last = check_rows(reader, promise)?;
    let manifest = reader.manifest().map_err(|error| format!("manifest: {error}"))?;
    let end = (1..=last).map(|seq| with_entry(seq, |entry| entry.ts_init)).max();
    let found = (manifest.status, manifest.high_watermark, manifest.end_ts_init);
    ensure(found == (status, last, end), || format!("sealed as {found:?}"))?;
    let digest = reader.digest().map_err(|error| format!("digest: {error}"))?;
    ensure(digest.is_some(), || "sealed without a digest".into())
}

/// A count of what was tried.
#[derive(Debug, Default)]
struct Counts {
    images: usize,
    second_cuts: usize,
    outcomes: BTreeSet<(u64, Option<u64>, bool)>,
}

/// Cuts the power at every event, `images` times each; every `nth` image once more during its
/// recovery.
fn sweep(
    life: &(Vec<Event>, Vec<Promise>),
    images: usize,
    nth: usize,
    dice: &mut Dice,
) -> Result<Counts, Violation> {
    let (events, promises) = life;
    let mut platter = Platter::default();
    let mut promise = &promises[0];
    let mut counts = Counts::default();
    for (number, event) in events.iter().enumerate() {
        platter.apply(event);
        if let Event::Promised(number) = event {
            promise = &promises[*number];
        }
        for _ in 0..images {
            let seed = dice.0;
            let volume = platter.cut(dice);
            counts.images += 1;
            let says = |what| format!("event {number} ({promise:?}), seed {seed:#x}: {what}");
            if counts.images.is_multiple_of(nth) {
                counts.second_cuts += cut_recovery(volume, promise, dice).map_err(says)?;
            } else {
                check(&volume, promise).map_err(says)?;
            }
            counts.outcomes.insert((promise.high_watermark, promise.anchor, promise.is_sealed));
        }
    }
    Ok(counts)
}

/// Recovers an image on a recording disk and cuts the power again at every event of that.
fn cut_recovery(
    volume: MemoryVolume,
    promise: &Promise,
    dice: &mut Dice,
) -> Result<usize, Violation> {
    let Some(content) = volume.content(FILE) else { return check(&volume, promise).map(|()| 0) };
    let file = File { flushed: content.clone(), current: content, pending: Vec::new() };
    let names = BTreeMap::from([(FILE.to_owned(), 0)]);
    let mut platter = Platter { files: vec![file.clone()], names, pending_names: Vec::new() };
    let recording = MemoryVolume::with_files([(FILE.to_owned(), file.current)]);
    recording.knobs.record.store(true, Ordering::Relaxed);
    check(&recording, promise)?;
    let events = recording.take_events();
    let promise = Promise { recovery_in_flight: true, ..promise.clone() };
    for event in &events {
        platter.apply(event);
        let image = platter.cut(dice);
        check(&image, &promise)?;
    }
    Ok(events.len())
}

/// At least 10,000 power cuts lose nothing acknowledged and show nothing half done.
#[test]
fn power_cuts_lose_nothing_acknowledged() {
    let life = Arc::new(record(Plant::None, true));
    let seeds = [0x9E37_79B9_7F4A_7C15_u64, 0xD1B5_4A32_D192_ED03];
    let each = IMAGES_MIN.div_ceil(life.0.len() * seeds.len());
    let sweeps = seeds.map(|seed| {
        let life = life.clone();
        std::thread::spawn(move || sweep(&life, each, 200, &mut Dice(seed)))
    });
    let mut images = 0;
    for (seed, sweep) in seeds.into_iter().zip(sweeps) {
        let counts = sweep.join().unwrap().unwrap_or_else(|violation| panic!("{violation}"));
        println!(
            "seed {seed:#x}: {} events, {} power cuts, {} more during recovery, {} promises",
            life.0.len(),
            counts.images,
            counts.second_cuts,
            counts.outcomes.len()
        );
        images += counts.images;
    }
    assert!(images >= IMAGES_MIN, "{images} power cuts");
}

/// One flush a commit survives power cuts as well; what it risks is silent damage afterwards.
#[test]
fn power_cuts_with_one_flush_a_commit_lose_nothing_acknowledged() {
    let life = record(Plant::None, false);
    let seed = 0xA076_1D64_78BD_642F;
    let counts = sweep(&life, 8, 500, &mut Dice(seed)).unwrap_or_else(|why| panic!("{why}"));
    println!(
        "seed {seed:#x}: {} power cuts, {} during recovery",
        counts.images, counts.second_cuts
    );
}

/// The sweep notices a disk whose flush does nothing, and one whose directory is never flushed.
#[test]
fn planted_faults_are_caught() {
    for plant in [Plant::SkipSync, Plant::SkipSyncOnceOpen, Plant::SkipDirSync] {
        let life = record(plant, true);
        let caught = sweep(&life, 20, usize::MAX, &mut Dice(0x2545_F491_4F6C_DD1D));
        println!("{plant:?}: {:?}", caught.as_ref().err());
        assert!(caught.is_err(), "{plant:?} was not noticed");
    }
}
