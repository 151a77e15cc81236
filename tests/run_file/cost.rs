//! What opening costs: a bounded number of pages, whatever the run's length.

use std::sync::atomic::Ordering;

use eventstore::backend::EventStore;
use eventstore::backend::redb::{RedbOptions, RedbStore, open_sealed_on};
use eventstore::entry::{AppendEntry, Entry, EntryView};
use eventstore::headers::Headers;
use eventstore::index::{IndexKind, KeyList};
use eventstore::manifest::RunStatus;

use super::common::sample;
use super::common::temporary::TemporaryFolder;
use super::disk::MemoryVolume;
use super::{CACHE_BYTES, FILE, RUN};

const BATCH: u64 = 10_000;
/// Reads of an open, its watermark and its manifest: the roots of a few tables and what hangs
/// below them on one path each.
const READS_MAX: u64 = 40;

fn tiny(seq: u64) -> EntryView<'static> {
    let mut entry = EntryView {
        seq,
        ts_init: seq,
        ts_publish: 1,
        topic: "t",
        payload_type: "p",
        payload: &[],
        headers: Headers::default(),
        entry_hash: [0; 32],
    };
    entry.entry_hash = eventstore::hash::entry_hash(&entry);
    entry
}

fn sealed_run(entries: u64) -> MemoryVolume {
    let volume = MemoryVolume::default();
    let mut store = RedbStore::on(volume.as_volume(), RedbOptions::default());
    store.open_run(&sample::full_manifest(RUN)).unwrap();
    for first in (1..=entries).step_by(BATCH as usize) {
        let batch: Vec<AppendEntry<'_>> = (first..first + BATCH.min(entries))
            .map(|seq| AppendEntry { entry: tiny(seq), keys: KeyList::EMPTY })
            .collect();
        store.append_batch(&batch).unwrap();
    }
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    volume
}

/// Reads of the disk for opening a sealed run, and for one entry, one time and one key of it.
fn reads(volume: &MemoryVolume, entries: u64) -> (u64, u64) {
    let reads = &volume.knobs.reads;
    reads.store(0, Ordering::SeqCst);
    let reader = open_sealed_on(volume.disk(FILE), FILE.as_ref(), CACHE_BYTES, false).unwrap();
    assert_eq!(reader.high_watermark(), entries);
    assert_eq!(reader.manifest().unwrap().end_ts_init, Some(entries));
    let opening = reads.swap(0, Ordering::SeqCst);
    let middle = entries / 2 + 1;
    let entry: Entry = reader.scan_seq(middle).unwrap().unwrap();
    assert_eq!(entry.view(), tiny(middle));
    assert_eq!(reader.lookup(IndexKind::CLIENT_ORDER_ID, "none").unwrap(), None);
    assert_eq!(reader.recorded_keys(middle).unwrap(), Some(vec![]));
    (opening, reads.load(Ordering::SeqCst))
}

/// Space taken ahead of what was written, the reserve's included, goes back when a sealed run is
/// closed; a run that is left running keeps its reserve.
#[test]
fn sealed_run_gives_back_what_it_never_wrote() {
    use std::os::unix::fs::MetadataExt;

    let folder = TemporaryFolder::new("space");
    let allocated = |run_id: &str, is_sealed: bool| {
        let mut store = RedbStore::new(folder.path(), RedbOptions::default());
        store.open_run(&sample::full_manifest(run_id)).unwrap();
        sample::append(&mut store, &sample::run_of(10)).unwrap();
        if is_sealed {
            store.seal(RunStatus::Ended).unwrap();
        }
        store.close().unwrap();
        let path = store.run_path().unwrap();
        std::fs::metadata(path).unwrap().blocks() * 512
    };
    let (running, sealed) = (allocated("running", false), allocated("sealed", true));
    println!("10 entries: {running} bytes while running, {sealed} once sealed");
    assert!(running > 1 << 20, "{running} bytes hold no reserve of 1 MiB");
    assert!(sealed < 512 << 10, "{sealed} bytes for 10 entries");
}

/// A run a thousand times as long costs as many reads to open, but for the depth of its trees.
#[test]
fn open_reads_a_bounded_number_of_pages() {
    let (short, long) = (sealed_run(1_000), sealed_run(1_000_000));
    let (short_open, short_read) = reads(&short, 1_000);
    let (long_open, long_read) = reads(&long, 1_000_000);
    println!(
        "reads at 10^3 and 10^6 entries: open {short_open} and {long_open}, \
         one entry with its keys {short_read} and {long_read}"
    );
    assert!(long_open <= READS_MAX, "{long_open} reads");
    assert!(long_open <= short_open + 8, "{long_open} against {short_open} reads");
    assert!(long_read <= short_read + 8, "{long_read} against {short_read} reads");
}

/// How many bytes of the file were written in a run that commits so many entries at a time.
fn written_bytes(entries: u64, batch: u64) -> u64 {
    let volume = MemoryVolume::default();
    let mut store = RedbStore::on(volume.as_volume(), RedbOptions::default());
    store.open_run(&sample::full_manifest(RUN)).unwrap();
    for first in (1..=entries).step_by(batch as usize) {
        let batch: Vec<_> = (first..first + batch).map(sample::keyed).collect();
        sample::append(&mut store, &batch).unwrap();
    }
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    let given_back = volume.knobs.freed_bytes.load(Ordering::SeqCst);
    volume.content(FILE).unwrap().len() - given_back
}

/// Pages are filled as well by small commits as by large ones.
#[test]
fn small_commits_take_little_more_space_than_large_ones() {
    const ENTRIES: u64 = 8_000;
    let large = written_bytes(ENTRIES, ENTRIES);
    for batch in [1, 5, 20] {
        let small = written_bytes(ENTRIES, batch);
        assert!(small < large * 13 / 10, "{batch} at a time: {small} bytes, all at once: {large}");
    }
}
