//! Indices: lookups, and iteration in byte order that can be resumed anywhere.

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use eventstore::backend::EventReader;
use eventstore::index::{IndexKey, IndexKind};

use super::fixture::{Fixture, index_of, manifest, naive_index, store_with};
use crate::common::sample::{self, Keyed, client, venue};

const CLIENT: IndexKind = IndexKind::CLIENT_ORDER_ID;
const VENUE: IndexKind = IndexKind::VENUE_ORDER_ID;

fn entries_with(keys: impl IntoIterator<Item = Vec<IndexKey>>) -> Vec<Keyed> {
    let entry = |(seq, keys)| Keyed { entry: sample::keyed(seq).entry, keys };
    (1..).zip(keys).map(entry).collect()
}

/// Keys whose order by bytes differs from the order of submission, of length and of letters.
fn awkward_keys() -> Vec<Keyed> {
    let texts = ["b", "a", "aa", "a-", "ä", "Z", "é", "O-10", "O-9", "注文", "\u{1}", "~", "a "];
    entries_with(texts.map(|text| vec![client(text)]))
}

fn after(reader: &dyn EventReader, kind: IndexKind, after: &str) -> Vec<(String, u64)> {
    let mut keys = Vec::new();
    let end = reader.visit_index(kind, Some(after), &mut |key, seq| {
        keys.push((key.to_owned(), seq));
        ControlFlow::Continue(())
    });
    end.unwrap();
    keys
}

/// Every known key has its first entry, and a near miss has none.
pub fn lookup_finds_the_first_seq_of_a_key(fixture: &dyn Fixture) {
    let entries = sample::run_of(100);
    let store = store_with(fixture, &manifest(), &entries, 9);
    let reader = store.reader().unwrap();
    for kind in IndexKind::ALL {
        for (key, seq) in naive_index(&entries, kind) {
            assert_eq!(reader.lookup(kind, &key).unwrap(), Some(seq), "{key}");
        }
    }
    let too_long = "x".repeat(100_000);
    for absent in ["", "O-", "O-999", "o-1", "O-1 ", "V-1", "\0", &too_long] {
        assert_eq!(reader.lookup(CLIENT, absent).unwrap(), None, "{absent:.20?}");
    }
}

/// The order is that of the bytes, not of any alphabet.
pub fn keys_come_in_byte_order(fixture: &dyn Fixture) {
    let entries = awkward_keys();
    let store = store_with(fixture, &manifest(), &entries, 4);
    let reader = store.reader().unwrap();
    let keys = index_of(&*reader, CLIENT);
    assert_eq!(keys, naive_index(&entries, CLIENT));
    assert!(keys.is_sorted_by(|a, b| a.0.as_bytes() < b.0.as_bytes()));
    assert_eq!(index_of(&*reader, VENUE), [], "the other kind has none of them");
}

/// After a key means strictly after, whether or not the key exists.
pub fn iteration_resumes_after_any_key(fixture: &dyn Fixture) {
    let entries = awkward_keys();
    let store = store_with(fixture, &manifest(), &entries, 13);
    let reader = store.reader().unwrap();
    let all = naive_index(&entries, CLIENT);
    let absent = ["", "\0", "A", "a!", "aaa", "b\0", "\u{10FFFF}"].map(str::to_owned);
    for start in all.iter().map(|(key, _)| key).chain(&absent) {
        let mut expected = all.clone();
        expected.retain(|(key, _)| key.as_bytes() > start.as_bytes());
        assert_eq!(after(&*reader, CLIENT, start), expected, "after {start:?}");
    }
}

/// `Break` ends the iteration at once and is no error.
pub fn iteration_ends_early_on_break(fixture: &dyn Fixture) {
    let entries = entries_with((0..600).map(|i| vec![venue(format!("{i:05}"))]));
    let store = store_with(fixture, &manifest(), &entries, 600);
    let reader = store.reader().unwrap();
    for stop_after in [1, 256, 257, 599] {
        let mut seen = 0;
        let end = reader.visit_index(VENUE, None, &mut |_, seq| {
            seen += 1;
            assert_eq!(seq, seen);
            if seen == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        end.unwrap();
        assert_eq!(seen, stop_after);
    }
}

/// Pages that each resume after the last key of the one before miss nothing and repeat nothing.
pub fn pages_join_to_the_whole_index(fixture: &dyn Fixture) {
    // 7,919 is coprime to 3,000, so the keys arrive out of order.
    let texts = (0..3_000u64).map(|i| format!("O-{}", i * 7_919 % 3_000));
    let entries = entries_with(texts.map(|text| vec![client(text)]));
    let store = store_with(fixture, &manifest(), &entries, 1_000);
    let reader = store.reader().unwrap();
    let all = index_of(&*reader, CLIENT);
    assert_eq!(all, naive_index(&entries, CLIENT));
    for page_keys in [1_usize, 7, 256, 3_000] {
        let mut joined: Vec<(String, u64)> = Vec::new();
        loop {
            let start = joined.last().map(|(key, _)| key.clone());
            let mut page = Vec::new();
            let end = reader.visit_index(CLIENT, start.as_deref(), &mut |key, seq| {
                page.push((key.to_owned(), seq));
                if page.len() == page_keys {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            end.unwrap();
            if page.is_empty() {
                break;
            }
            joined.extend(page);
        }
        assert_eq!(joined, all, "pages of {page_keys}");
    }
}

/// A visitor of an index that takes its time does not keep the writer from committing.
pub fn writer_commits_while_an_index_visitor_waits(fixture: &dyn Fixture) {
    let mut store = store_with(fixture, &manifest(), &sample::run_of(8), 8);
    let reader = store.reader().unwrap();
    let (committed, hears_commit) = mpsc::channel();
    thread::scope(|scope| {
        let mut writer = Some(move || {
            committed.send(sample::append(&mut *store, &[sample::keyed(9)])).unwrap();
            store
        });
        let end = reader.visit_index(CLIENT, None, &mut |_, _| {
            if let Some(write) = writer.take() {
                scope.spawn(write);
                let answer = hears_commit.recv_timeout(Duration::from_secs(5));
                assert_eq!(answer.expect("the commit does not wait for the visitor").unwrap(), 9);
            }
            ControlFlow::Continue(())
        });
        end.unwrap();
    });
}
