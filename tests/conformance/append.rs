//! Appending: order, atomicity, keys, and entries that come back as they went in.

use eventstore::backend::{Direction, EventReader};
use eventstore::entry::Entry;
use eventstore::headers::{Headers, Uuid};
use eventstore::index::IndexKind;
use eventstore::limits;
use eventstore::manifest::RunStatus;

use super::fixture::{
    Fixture, RUN, append_groups, assert_holds, collect, index_of, kind_of, manifest,
    sealed_manifest, store_with,
};
use crate::common::sample::{self, Keyed, client, hashed, venue};

/// Every header shape, empty and large payloads, extreme times, texts beyond ASCII; read live
/// and again after seal and close.
pub fn entries_of_every_shape_read_back_equal(fixture: &dyn Fixture) {
    let v4 = Uuid([1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16]);
    let ids = [None, Some(Uuid([0; 16])), Some(Uuid([0xFF; 16])), Some(v4)];
    let payloads = [0, 1, 1023, 4096, 70_000, 1 << 20];
    let mut entries = Vec::new();
    for correlation_id in ids {
        for causation_id in ids {
            let seq = entries.len() as u64 + 1;
            let length = payloads[entries.len() % payloads.len()];
            let entry = Entry {
                seq,
                ts_init: [0, u64::MAX, sample::START_TS][entries.len() % 3],
                ts_publish: [u64::MAX, 1][entries.len() % 2],
                topic: ["x", "exec.größe.注文", "a\0b"][entries.len() % 3].to_owned(),
                payload_type: ["y", "🦀"][entries.len() % 2].to_owned(),
                payload: (0..length).map(|i: u32| (i * 7 + seq as u32) as u8).collect(),
                headers: Headers { correlation_id, causation_id },
                entry_hash: [0; 32],
            };
            entries.push(Keyed { entry: hashed(entry), keys: vec![client(format!("注-{seq}"))] });
        }
    }
    let mut store = store_with(fixture, &manifest(), &entries, 5);
    assert_holds(&*store.reader().unwrap(), &manifest(), &entries);
    store.seal(RunStatus::Ended).unwrap();
    let reader = fixture.close_and_read(&mut *store, RUN);
    let sealed = sealed_manifest(&manifest(), &entries, RunStatus::Ended);
    assert_holds(&*reader, &sealed, &entries);
}

/// The longest topic, type and keys, and as many keys as a draft may carry.
pub fn largest_allowed_texts_and_keys_read_back_equal(fixture: &dyn Fixture) {
    let mut item = sample::keyed(1);
    item.entry.topic = "t".repeat(limits::TOPIC_BYTES_MAX);
    item.entry.payload_type = "p".repeat(limits::PAYLOAD_TYPE_BYTES_MAX);
    item.entry = hashed(item.entry);
    item.keys = (0..limits::INDEX_KEYS_MAX)
        .map(|i| format!("{i:0width$}", width = limits::INDEX_KEY_BYTES_MAX))
        .map(|key| if key.ends_with('0') { venue(key) } else { client(key) })
        .collect();
    let entries = [item];
    let store = store_with(fixture, &manifest(), &entries, 1);
    assert_holds(&*store.reader().unwrap(), &manifest(), &entries);
}

/// An empty batch answers the high-watermark and is no commit.
pub fn empty_batch_changes_nothing(fixture: &dyn Fixture) {
    let entries = sample::run_of(3);
    let mut store = store_with(fixture, &manifest(), &[], 1);
    assert_eq!(sample::append(&mut *store, &[]).unwrap(), 0);
    append_groups(&mut *store, &entries, 3);
    assert_eq!(sample::append(&mut *store, &[]).unwrap(), 3);
    assert_holds(&*store.reader().unwrap(), &manifest(), &entries);
}

/// A batch out of order is refused whole, wherever in it the fault lies, and costs nothing.
pub fn out_of_order_names_durable_and_offending_seq_and_writes_nothing(fixture: &dyn Fixture) {
    let entries = sample::run_of(6);
    let mut store = store_with(fixture, &manifest(), &entries[..3], 2);
    let batch = |seqs: &[u64]| -> Vec<Keyed> { seqs.iter().map(|&s| sample::keyed(s)).collect() };
    for (seqs, offending, next) in [
        (&[0][..], 0, 4),
        (&[1], 1, 4),
        (&[3, 4], 3, 4),
        (&[5], 5, 4),
        (&[u64::MAX], u64::MAX, 4),
        (&[4, 6], 6, 5),
        (&[4, 5, 5], 5, 6),
        (&[4, 5, 6, 1], 1, 7),
    ] {
        let answer = kind_of(sample::append(&mut *store, &batch(seqs)));
        let expected = format!("OutOfOrder durable 3 seq {offending} next {next}");
        assert_eq!(answer, expected, "batch {seqs:?}");
        assert_holds(&*store.reader().unwrap(), &manifest(), &entries[..3]);
    }
    assert_eq!(sample::append(&mut *store, &entries[3..]).unwrap(), 6, "the run goes on");
    assert_holds(&*store.reader().unwrap(), &manifest(), &entries);
}

/// A sealed run takes no more entries.
pub fn append_after_seal_is_closed_and_changes_nothing(fixture: &dyn Fixture) {
    let entries = sample::run_of(3);
    let mut store = store_with(fixture, &manifest(), &entries[..2], 1);
    store.seal(RunStatus::Ended).unwrap();
    assert_eq!(kind_of(sample::append(&mut *store, &entries[2..])), "Closed");
    let reader = fixture.close_and_read(&mut *store, RUN);
    let sealed = sealed_manifest(&manifest(), &entries[..2], RunStatus::Ended);
    assert_holds(&*reader, &sealed, &entries[..2]);
}

/// The first entry that mentions a key keeps it, and the two kinds know nothing of each other.
pub fn first_key_wins_within_a_batch_and_across(fixture: &dyn Fixture) {
    let keys = [
        vec![client("A"), client("A")],
        vec![client("A"), venue("A"), client("B")],
        vec![client("B"), venue("B"), venue("A")],
        vec![venue("C"), client("A"), client("C")],
    ];
    let entries: Vec<Keyed> = (1..)
        .zip(keys)
        .map(|(seq, keys)| Keyed { entry: sample::keyed(seq).entry, keys })
        .collect();
    for group in 1..=entries.len() {
        // A name for each, since one fixture keeps all its runs.
        let manifest = sample::full_manifest(&format!("group-{group}"));
        let store = store_with(fixture, &manifest, &entries, group);
        let reader = store.reader().unwrap();
        let index = |kind| index_of(&*reader, kind);
        let named =
            |pairs: [(&str, u64); 3]| pairs.map(|(key, seq)| (key.to_owned(), seq)).to_vec();
        let client_keys = named([("A", 1), ("B", 2), ("C", 4)]);
        let venue_keys = named([("A", 2), ("B", 3), ("C", 4)]);
        assert_eq!(index(IndexKind::CLIENT_ORDER_ID), client_keys, "groups of {group}");
        assert_eq!(index(IndexKind::VENUE_ORDER_ID), venue_keys, "groups of {group}");
        assert_eq!(reader.lookup(IndexKind::CLIENT_ORDER_ID, "A").unwrap(), Some(1));
        assert_eq!(reader.lookup(IndexKind::VENUE_ORDER_ID, "A").unwrap(), Some(2));
    }
}

/// As many entries as a batch may have, with more key bytes than a commit's record holds in one
/// piece.
pub fn batch_of_the_largest_count_is_one_commit(fixture: &dyn Fixture) {
    let count = limits::BATCH_ENTRIES_MAX as u64;
    let entries: Vec<Keyed> = (1..=count)
        .map(|seq| {
            let mut item = sample::keyed(seq);
            item.entry.payload = seq.to_le_bytes().to_vec();
            item.entry = hashed(item.entry);
            item.keys = vec![client(format!("order-{seq:024}")), venue(format!("v-{}", seq / 9))];
            item
        })
        .collect();
    let mut store = store_with(fixture, &manifest(), &entries, entries.len());
    let reader = store.reader().unwrap();
    assert_eq!(reader.high_watermark(), count);
    assert!(all_equal(&*reader, &entries));
    for seq in (1..=count).step_by(997).chain([count]) {
        let keys = &entries[seq as usize - 1].keys;
        assert_eq!(reader.recorded_keys(seq).unwrap().as_ref(), Some(keys), "entry {seq}");
        let own = reader.lookup(IndexKind::CLIENT_ORDER_ID, &keys[0].key).unwrap();
        assert_eq!(own, Some(seq));
        let first = (seq / 9 * 9).max(1);
        assert_eq!(reader.lookup(IndexKind::VENUE_ORDER_ID, &keys[1].key).unwrap(), Some(first));
    }
    let next = sample::keyed(count + 1);
    assert_eq!(sample::append(&mut *store, &[next]).unwrap(), count + 1);
}

fn all_equal(reader: &dyn EventReader, entries: &[Keyed]) -> bool {
    let (rows, end) = collect(reader, 1, u64::MAX, Direction::Forward);
    end.expect("no damage");
    // Not `assert_eq`, which would print all of both on failure.
    rows == entries
}

/// An entry's own list is kept as it was given; indices are made from it, not it from them.
pub fn recorded_keys_are_those_given_with_duplicates_in_order(fixture: &dyn Fixture) {
    let keys =
        [vec![], vec![venue("Z"), client("A"), venue("Z"), client("Z")], vec![client("A")], vec![]];
    let entries: Vec<Keyed> = (1..)
        .zip(&keys)
        .map(|(seq, keys)| Keyed { entry: sample::keyed(seq).entry, keys: keys.clone() })
        .collect();
    let mut store = store_with(fixture, &manifest(), &entries, 3);
    let check = |reader: &dyn EventReader| {
        for (seq, keys) in (1..).zip(&keys) {
            assert_eq!(reader.recorded_keys(seq).unwrap().as_ref(), Some(keys), "entry {seq}");
        }
        for beyond in [0, 5, u64::MAX] {
            assert_eq!(reader.recorded_keys(beyond).unwrap(), None, "entry {beyond}");
        }
    };
    check(&*store.reader().unwrap());
    store.seal(RunStatus::Ended).unwrap();
    check(&*fixture.close_and_read(&mut *store, RUN));
}

/// The hash is stored as given and recomputed at each read: damage shows at its row, in scan
/// order, with the good rows before it; other rows are not affected.
pub fn wrong_stored_hash_surfaces_after_the_good_rows(fixture: &dyn Fixture) {
    if !fixture.stores_hashes_as_given() {
        return;
    }
    let mut entries = sample::run_of(6);
    entries[3].entry.entry_hash[31] ^= 1;
    let mut store = store_with(fixture, &manifest(), &entries, 4);
    store.seal(RunStatus::Ended).unwrap();
    let reader = fixture.close_and_read(&mut *store, RUN);
    let (rows, end) = collect(&*reader, 1, u64::MAX, Direction::Forward);
    assert_eq!((rows, kind_of(end)), (entries[..3].to_vec(), "HashMismatch 4".to_owned()));
    let (mut rows, end) = collect(&*reader, 1, u64::MAX, Direction::Backward);
    rows.reverse();
    assert_eq!((rows, kind_of(end)), (entries[4..].to_vec(), "HashMismatch 4".to_owned()));
    assert_eq!(kind_of(reader.scan_seq(4)), "HashMismatch 4");
    assert_eq!(reader.scan_seq(5).unwrap().as_ref(), Some(&entries[4].entry));
}
