//! Power cuts, and kills of the log: whatever part of the unflushed writes reaches the disk, in
//! whatever order, nothing that was acknowledged is lost, and nothing half done is seen.
//!
//! A whole life of a run (open, appends, anchor, seal, close) is recorded on a disk in memory. At
//! every operation the power is cut, many times with different dice: each sector that was
//! written since the last flush keeps its old bytes or gets those of any of the writes since
//! (`disk/platter.rs`), for the log also cut at any byte. Each image is opened with the code that
//! ships, checked, sealed, closed and checked again; for some, the power is cut during that too.

#[path = "disk/mod.rs"]
mod disk;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use disk::platter::{Dice, Platter};
use disk::{Event, MemoryVolume};
use eventstore::backend::log::{self, LogOptions, LogStore};
use eventstore::backend::redb::{self, RedbOptions, RedbStore};
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
const IMAGES_MIN: usize = 10_000;
const LOG_IMAGES: usize = 4_000;
const LOG_IMAGES_IN_CAMPAIGN: usize = 100_000;
/// Kills whose recovery is cut are so many operations apart.
const KILLS_APART: usize = 7;

/// The backend whose life is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// `fills_ahead`: a thread fills space with zeros, so that no life is the same again.
    Redb { two_phase: bool, fills_ahead: bool },
    /// `side_by_side`: two batches at a time are on their way to the disk.
    Log { side_by_side: bool },
}

impl Kind {
    fn store(self, volume: &MemoryVolume) -> Box<dyn EventStore> {
        match self {
            Self::Redb { two_phase, fills_ahead } => {
                let fill_ahead_from_bytes = fills_ahead.then_some(0);
                let cache_bytes = 4 << 20;
                let options =
                    RedbOptions { two_phase, cache_bytes, fill_ahead_from_bytes, digest_key: None };
                Box::new(RedbStore::on(volume.as_volume(), options))
            }
            Self::Log { side_by_side } => {
                // Short, so that a life has many; without threads, so that it is the same again.
                let (segment_bytes_max, uses_thread) = (16 << 10, side_by_side);
                let options = LogOptions { digest_key: None, segment_bytes_max, uses_thread };
                Box::new(LogStore::on(volume.as_volume(), options))
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Redb { .. } => "r-1.redb",
            Self::Log { .. } => "r-1.eslog",
        }
    }

    fn open_sealed(
        self,
        volume: &MemoryVolume,
        check: bool,
    ) -> Result<Arc<dyn EventReader>, EventStoreError> {
        match self {
            Self::Redb { .. } => {
                let disk = volume.disk(self.name());
                redb::open_sealed_on(disk, Path::new(self.name()), 1 << 20, check)
            }
            Self::Log { .. } => log::open_sealed_on(volume, INSTANCE, RUN, check),
        }
    }

    /// The platter, which for the log tears writes at any byte.
    fn torn(self, platter: Platter) -> Platter {
        match self {
            Self::Redb { .. } => platter,
            Self::Log { .. } => platter.torn_anywhere(),
        }
    }
}

/// What the store has answered so far, and what it was asked and may or may not have done.
#[derive(Debug, Clone, Default, PartialEq)]
struct Promise {
    is_open: bool,
    high_watermark: u64,
    /// The ends of the batches that are under way.
    in_flight: Vec<u64>,
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

fn is_campaign() -> bool {
    std::env::var_os("ES_CAMPAIGN").is_some_and(|value| value == "1")
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

fn append(store: &mut dyn EventStore, from: u64, to: u64) {
    with_batch(from, to, |batch| assert_eq!(store.append_batch(batch).unwrap(), to));
}

fn with_batch(from: u64, to: u64, use_it: impl FnOnce(&[AppendEntry<'_>])) {
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
    use_it(&batch);
}

/// Records a life; the promises are numbered as the events name them.
fn record(plant: Plant, kind: Kind) -> (Vec<Event>, Vec<Promise>) {
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
    let mut store = kind.store(&volume);
    store.open_run(&RunManifest::new(RUN, INSTANCE, 4000)).unwrap();
    promise(&|now| now.is_open = true);
    if plant == Plant::SkipSyncOnceOpen {
        volume.knobs.skip_sync.store(true, Ordering::Relaxed);
    }
    let sizes = [1, 1, 2, 40, 1, 3, 1, 200, 1, 1, 5, 1, 400, 1, 2, 1];
    let mut last = 0;
    let is_side_by_side = store.pipeline().is_some();
    for (number, size) in sizes.into_iter().enumerate() {
        let mut ends = vec![last + size];
        if is_side_by_side && number != 8 {
            ends.push(last + size + 7);
        }
        promise(&|now| now.in_flight = ends.clone());
        match store.pipeline() {
            None => append(&mut *store, last + 1, ends[0]),
            Some(pipeline) => {
                for &end in &ends {
                    with_batch(last + 1, end, |batch| pipeline.start(batch).unwrap());
                    last = end;
                }
            }
        }
        for end in ends {
            if let Some(pipeline) = store.pipeline() {
                assert_eq!(pipeline.finish().unwrap(), end);
            }
            promise(&|now| {
                now.in_flight.remove(0);
                now.high_watermark = end;
            });
            last = end;
        }
        if number == 8 || number == 12 {
            promise(&|now| now.anchor_in_flight = Some(last - 1));
            store.record_snapshot_anchor(&anchor(last - 1)).unwrap();
            promise(&|now| {
                now.anchor_in_flight = None;
                now.anchor = Some(last - 1);
            });
        }
    }
    if matches!(kind, Kind::Redb { fills_ahead: true, .. }) {
        // The thread stands back: on a busy machine it is given the time.
        while volume.knobs.writebacks.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
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

/// What an image showed that it must not show.
type Violation = String;

fn ensure(holds: bool, what: impl FnOnce() -> Violation) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(what()) }
}

fn check_rows(reader: &dyn EventReader, promise: &Promise) -> Result<u64, Violation> {
    let last = reader.high_watermark();
    let is_allowed = last == promise.high_watermark || promise.in_flight.contains(&last);
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
fn check(kind: Kind, volume: &MemoryVolume, promise: &Promise) -> Result<(), Violation> {
    if !volume.names().iter().any(|name| name == kind.name()) {
        return ensure(!promise.is_open, || "the run is gone".into());
    }
    match kind.open_sealed(volume, false) {
        Ok(reader) => {
            let is_allowed = promise.is_sealed || promise.recovery_in_flight;
            ensure(is_allowed, || "sealed and closed before its seal".into())?;
            let status = reader.manifest().map_err(|error| format!("manifest: {error}"))?.status;
            let is_recovered = status == RunStatus::CrashedRecovered && promise.recovery_in_flight;
            ensure(is_recovered || status == RunStatus::Ended, || format!("status {status:?}"))?;
            check_sealed(&*reader, promise, status)?;
            // Nothing is left for later that a check of every byte would call damage.
            let whole = kind.open_sealed(volume, true).map(drop);
            return whole.map_err(|error| format!("closed in order, and not sound: {error}"));
        }
        Err(EventStoreError::NotSealed(_)) => {}
        Err(error) => return Err(format!("the file does not open: {error}")),
    }
    ensure(!promise.is_closed, || "closed in order, and not clean".into())?;
    let mut store = kind.store(volume);
    store.load_crashed(INSTANCE, RUN).map_err(|error| format!("it does not load: {error}"))?;
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
    let reopened = kind.open_sealed(volume, true);
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
    kind: Kind,
    life: &(Vec<Event>, Vec<Promise>),
    images: usize,
    nth: usize,
    dice: &mut Dice,
) -> Result<Counts, Violation> {
    let (events, promises) = life;
    let mut platter = kind.torn(Platter::default());
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
                counts.second_cuts += cut_recovery(kind, &volume, promise, dice).map_err(says)?;
            } else {
                check(kind, &volume, promise).map_err(says)?;
            }
            counts.outcomes.insert((promise.high_watermark, promise.anchor, promise.is_sealed));
        }
    }
    Ok(counts)
}

/// Recovers an image on a recording disk and cuts the power again at every event of that.
fn cut_recovery(
    kind: Kind,
    volume: &MemoryVolume,
    promise: &Promise,
    dice: &mut Dice,
) -> Result<usize, Violation> {
    let recording = volume.copy();
    let mut platter = kind.torn(Platter::of(&recording));
    recording.knobs.record.store(true, Ordering::Relaxed);
    check(kind, &recording, promise)?;
    let events = recording.take_events();
    let promise = Promise { recovery_in_flight: true, ..promise.clone() };
    for event in &events {
        platter.apply(event);
        let image = platter.cut(dice);
        check(kind, &image, &promise)?;
    }
    Ok(events.len())
}

/// At least 10,000 power cuts lose nothing acknowledged and show nothing half done.
#[test]
fn power_cuts_lose_nothing_acknowledged() {
    cut_from_two_seeds(Kind::Redb { two_phase: true, fills_ahead: false }, IMAGES_MIN);
}

/// The log: a few thousand cuts in a test run, 100,000 in a campaign.
#[test]
fn power_cuts_of_the_log_lose_nothing_acknowledged() {
    let images = if is_campaign() { LOG_IMAGES_IN_CAMPAIGN } else { LOG_IMAGES };
    cut_from_two_seeds(Kind::Log { side_by_side: false }, images);
}

/// The same while one batch is prepared and the one before it is on its way to the disk.
#[test]
fn power_cuts_of_the_log_lose_nothing_of_batches_side_by_side() {
    cut_from_two_seeds(Kind::Log { side_by_side: true }, LOG_IMAGES / 2);
}

/// A kill at any operation of a life, or within a write, in a system that runs on: the watermark is
/// exact then, and the run is opened by it. After every few kills, all of them in a campaign, the
/// power is cut at every operation of the recovery, with whatever the killed process had not flushed.
#[test]
fn kills_of_the_log_lose_nothing_acknowledged() {
    for side_by_side in [false, true] {
        let kind = Kind::Log { side_by_side };
        let (events, promises) = record(Plant::None, kind);
        let mut platter = kind.torn(Platter::default());
        let (mut promise, mut images, mut cuts) = (&promises[0], 0, 0);
        let mut dice = Dice(0xD6E8_FEB8_6659_FD93);
        for (number, event) in events.iter().enumerate() {
            let at = |promise: &Promise| format!("{kind:?}, event {number} ({promise:?})");
            for _ in 0..3 {
                let image = platter.kill(Some(event), &mut dice);
                let checked = check(kind, &image, promise);
                checked.unwrap_or_else(|why| panic!("{}: {why}", at(promise)));
                images += 1;
            }
            platter.apply(event);
            if let Event::Promised(number) = event {
                promise = &promises[*number];
            }
            // Between a cut and its flush.
            let is_cut = matches!(
                (event, events.get(number + 1)),
                (Event::SetLen { file, .. }, Some(Event::Sync { file: flushed })) if file == flushed
            );
            if !is_campaign() && !is_cut && !number.is_multiple_of(KILLS_APART) {
                continue;
            }
            let cut = cut_recovery_of_killed(kind, &platter, promise, &mut dice);
            cuts += cut.unwrap_or_else(|why| panic!("{}: {why}", at(promise)));
        }
        println!("{kind:?}: {} events, {images} kills, {cuts} power cuts", events.len());
    }
}

/// Recovers what a kill left and cuts the power at every event of that.
fn cut_recovery_of_killed(
    kind: Kind,
    platter: &Platter,
    promise: &Promise,
    dice: &mut Dice,
) -> Result<usize, Violation> {
    let recording = platter.kill(None, dice);
    recording.knobs.record.store(true, Ordering::Relaxed);
    check(kind, &recording, promise)?;
    let events = recording.take_events();
    let promise = Promise { recovery_in_flight: true, ..promise.clone() };
    let mut platter = platter.clone();
    for event in &events {
        platter.apply(event);
        check(kind, &platter.cut(dice), &promise)?;
    }
    Ok(events.len())
}

fn cut_from_two_seeds(kind: Kind, images_min: usize) {
    let life = Arc::new(record(Plant::None, kind));
    let seeds = [0x9E37_79B9_7F4A_7C15_u64, 0xD1B5_4A32_D192_ED03];
    let each = images_min.div_ceil(life.0.len() * seeds.len());
    let sweeps = seeds.map(|seed| {
        let life = life.clone();
        std::thread::spawn(move || sweep(kind, &life, each, 200, &mut Dice(seed)))
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
    assert!(images >= images_min, "{images} power cuts");
}

/// Whether it is a piece of space that is filled.
fn is_zeros(event: &Event) -> bool {
    const PIECE_BYTES: usize = 256 << 10;
    matches!(event, Event::Write { bytes, .. }
        if bytes.len() == PIECE_BYTES && bytes.iter().all(|byte| *byte == 0))
}

/// The same while a thread fills space with zeros before commits get there.
#[test]
fn power_cuts_beside_the_filling_of_space_lose_nothing_acknowledged() {
    let kind = Kind::Redb { two_phase: true, fills_ahead: true };
    let life = record(Plant::None, kind);
    let alone = record(Plant::None, Kind::Redb { two_phase: true, fills_ahead: false });
    let zeros = |life: &[Event]| life.iter().filter(|event| is_zeros(event)).count();
    assert!(zeros(&life.0) > zeros(&alone.0), "nothing was filled ahead");
    let seed = 0x8EBC_6AF0_9C88_C6E3;
    let counts = sweep(kind, &life, 8, 500, &mut Dice(seed)).unwrap_or_else(|why| panic!("{why}"));
    println!(
        "seed {seed:#x}: {} power cuts, {} during recovery",
        counts.images, counts.second_cuts
    );
}

/// One flush a commit survives power cuts as well; what it risks is silent damage afterwards.
#[test]
fn power_cuts_with_one_flush_a_commit_lose_nothing_acknowledged() {
    let kind = Kind::Redb { two_phase: false, fills_ahead: false };
    let life = record(Plant::None, kind);
    let seed = 0xA076_1D64_78BD_642F;
    let counts = sweep(kind, &life, 8, 500, &mut Dice(seed)).unwrap_or_else(|why| panic!("{why}"));
    println!(
        "seed {seed:#x}: {} power cuts, {} during recovery",
        counts.images, counts.second_cuts
    );
}

/// The sweep notices a disk whose flush does nothing, and one whose directory is never flushed.
#[test]
fn planted_faults_are_caught() {
    let plants = [Plant::SkipSync, Plant::SkipSyncOnceOpen, Plant::SkipDirSync];
    let logs = [false, true].map(|side_by_side| Kind::Log { side_by_side });
    let kinds = [Kind::Redb { two_phase: true, fills_ahead: false }, logs[0], logs[1]];
    for (kind, plant) in kinds.into_iter().flat_map(|kind| plants.map(|plant| (kind, plant))) {
        let life = record(plant, kind);
        let caught = sweep(kind, &life, 20, usize::MAX, &mut Dice(0x2545_F491_4F6C_DD1D));
        println!("{kind:?}, {plant:?}: {:?}", caught.as_ref().err());
        assert!(caught.is_err(), "{kind:?}, {plant:?} was not noticed");
    }
}
