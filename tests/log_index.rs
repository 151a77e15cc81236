//! The index of a long log: what a lookup reads of it, and how it is made again.
//!
//! Runs of hundreds of segments on a disk in memory, which counts what is read.

#[path = "disk/mod.rs"]
mod disk;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use disk::{Content, MemoryVolume, Node};
use eventstore::backend::log::{LogOptions, LogStore, open_sealed_on};
use eventstore::backend::{EventReader, EventStore};
use eventstore::entry::{AppendEntry, EntryView};
use eventstore::hash::entry_hash;
use eventstore::headers::Headers;
use eventstore::index::{IndexKey, IndexKind, KeyList, encode_keys};
use eventstore::manifest::{RunManifest, RunStatus};

const INSTANCE: &str = "i-1";
const RUN: &str = "r-1";
const BATCHES: u64 = 700;
const BATCH_ENTRIES: u64 = 8;

/// Three entries an order, the order's id its client's and its venue's key in turn.
fn key_of(seq: u64) -> IndexKey {
    IndexKey::new(IndexKind::ALL[(seq % 2) as usize], format!("O-20261127-{}", seq / 3))
}

/// One that stands between those that are there.
fn absent_key(number: usize) -> String {
    format!("O-20261127-{number}x")
}

/// A sealed run of many short segments, and the first entry of each key.
fn sealed() -> (MemoryVolume, BTreeMap<IndexKey, u64>) {
    let volume = MemoryVolume::default();
    let options = LogOptions { digest_key: None, segment_bytes_max: 4 << 10, uses_thread: false };
    let mut store = LogStore::on(volume.as_volume(), options);
    store.open_run(&RunManifest::new(RUN, INSTANCE, 5)).unwrap();
    let mut firsts = BTreeMap::new();
    for batch in 0..BATCHES {
        let seqs: Vec<u64> = (batch * BATCH_ENTRIES + 1..=(batch + 1) * BATCH_ENTRIES).collect();
        let keys: Vec<_> = seqs.iter().map(|seq| encode_keys(&[key_of(*seq)]).unwrap()).collect();
        let mut items = Vec::new();
        for (seq, keys) in seqs.iter().zip(&keys) {
            firsts.entry(key_of(*seq)).or_insert(*seq);
            let mut entry = EntryView {
                seq: *seq,
                // Steps back now and then, so that the largest so far is another's.
                ts_init: 1000 + seq - seq % 50,
                ts_publish: *seq,
                topic: "orders",
                payload_type: "text/plain",
                payload: &[7; 40],
                headers: Headers::default(),
                entry_hash: [0; 32],
            };
            entry.entry_hash = entry_hash(&entry);
            items.push(AppendEntry { entry, keys: KeyList::parse(keys.0, &keys.1).unwrap() });
        }
        store.append_batch(&items).unwrap();
    }
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    (volume, firsts)
}

fn open(volume: &MemoryVolume, check: bool) -> Arc<dyn EventReader> {
    open_sealed_on(volume, INSTANCE, RUN, check).expect("a sound run")
}

/// The numbers of the files whose names end so.
fn files(volume: &MemoryVolume, ending: &str) -> Vec<usize> {
    let (names, _) = volume.everything();
    let file = |((_, name), node): (&(usize, String), &Node)| match node {
        Node::File(file) if name.ends_with(ending) => Some(*file),
        _ => None,
    };
    names.iter().filter_map(file).collect()
}

fn without_indices(volume: &MemoryVolume) -> MemoryVolume {
    let (mut names, contents) = volume.everything();
    names.retain(|(_, name), _| !name.ends_with(".idx"));
    MemoryVolume::with_names(names, contents)
}

#[track_caller]
fn assert_lookups(reader: &dyn EventReader, firsts: &BTreeMap<IndexKey, u64>) {
    for (key, seq) in firsts {
        assert_eq!(reader.lookup(key.kind, &key.key).unwrap(), Some(*seq), "{key:?}");
    }
    assert_eq!(reader.lookup(IndexKind::CLIENT_ORDER_ID, "O-20261127-x").unwrap(), None);
}

/// Over hundreds of segments a lookup reads the one block that the key is in, and hardly another;
/// of a key that is nowhere it reads next to nothing.
#[test]
fn lookup_reads_one_block_however_many_segments_there_are() {
    let (volume, firsts) = sealed();
    let segments = files(&volume, ".seg").len();
    assert!(segments >= 200, "{segments} segments");
    let reader = open(&volume, false);
    // Opens each index once.
    assert_lookups(&*reader, &firsts);
    let reads = &volume.knobs.reads;
    let before = reads.load(Ordering::Relaxed);
    assert_lookups(&*reader, &firsts);
    let (found, keys) = (reads.load(Ordering::Relaxed) - before, firsts.len() as u64);
    let before = reads.load(Ordering::Relaxed);
    let absent = 10_000;
    for number in 0..absent {
        let found = reader.lookup(IndexKind::ALL[number % 2], &absent_key(number)).unwrap();
        assert_eq!(found, None);
    }
    let in_vain = reads.load(Ordering::Relaxed) - before;
    println!("{segments} segments: {found} reads for {keys} keys, {in_vain} for {absent} absent");
    assert!(found >= keys && found < keys * 3 / 2, "{found} reads for {keys} keys");
    assert!(in_vain > 0, "no filter lets no other key pass");
    assert!(in_vain < absent as u64, "{in_vain} reads for {absent} absent keys");
}

/// An index whose head is damaged, its filter among it, is not believed: the segment answers.
#[test]
fn damaged_filter_changes_no_answer() {
    let (volume, firsts) = sealed();
    let damaged = volume.copy();
    let indices = files(&damaged, ".idx");
    for (number, file) in indices.iter().enumerate() {
        damaged.change(*file, |content| {
            let bytes = content.to_vec();
            let head = 16 + u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
            // Everywhere in the heads, a place a file.
            let at = 16 + (head - 16) * number / indices.len();
            content.write(at as u64, &[bytes[at] ^ 0x40]);
        });
    }
    assert_lookups(&*open(&damaged, false), &firsts);
    // Without a filter, as an earlier build wrote it: the head is shorter, its checksum right.
    let older = volume.copy();
    for file in &indices {
        older.change(*file, |content| {
            let bytes = content.to_vec();
            let body = 16 + u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
            let mut head = bytes[..body].to_vec();
            let number_at =
                |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            // Nine numbers, no anchor, the marks.
            let filter = 16 + 9 * 8 + 4 + 4 + 28 * number_at(16 + 9 * 8 + 4);
            assert_eq!(number_at(filter), 1, "its kind");
            head.drain(filter..filter + 8 + 32 * number_at(filter + 4));
            let length = (head.len() - 16) as u32;
            head[12..16].copy_from_slice(&length.to_le_bytes());
            let sum = crc32c::crc32c(&head).to_le_bytes();
            let whole = [&head[..], &sum, &bytes[body + 4..]].concat();
            *content = Content::from_bytes(&whole);
        });
    }
    assert_lookups(&*open(&older, false), &firsts);
}

/// Without any index, each is made again once, whatever is asked for first; and what is made is
/// what was there: a check of the whole run compares them byte for byte.
#[test]
fn missing_indices_are_made_again_once() {
    let (volume, firsts) = sealed();
    let keys: Vec<&IndexKey> = firsts.keys().collect();
    for (what, first) in [("the first", 0), ("the middle", keys.len() / 2)] {
        let without = without_indices(&volume);
        let total: u64 = without.everything().1.iter().map(|content| content.len()).sum();
        let reader = open(&without, false);
        let read_bytes = &without.knobs.read_bytes;
        read_bytes.store(0, Ordering::Relaxed);
        let key = keys[first];
        assert_eq!(reader.lookup(key.kind, &key.key).unwrap(), Some(firsts[key]), "{what}");
        let found = reader.first_seq_at(1000 + BATCHES * 4).unwrap();
        assert_eq!(found, open(&volume, false).first_seq_at(1000 + BATCHES * 4).unwrap());
        assert_lookups(&*reader, &firsts);
        let read = read_bytes.load(Ordering::Relaxed);
        println!("{what} first: {read} bytes read of {total}");
        assert!(read < total * 5 / 4, "{what} first: {read} bytes read of {total}");
        let mut rows = 0;
        for kind in IndexKind::ALL {
            let counted = reader.visit_index(kind, None, &mut |key, seq| {
                rows += 1;
                assert_eq!(firsts.get(&IndexKey::new(kind, key)), Some(&seq));
                ControlFlow::Continue(())
            });
            counted.unwrap();
        }
        assert_eq!(rows, firsts.len());
    }
    open(&volume, true);
}
