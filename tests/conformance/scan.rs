//! Scanning: ranges, directions, early ends, streaming, and what a visitor may do meanwhile.

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use eventstore::backend::Direction;

use super::fixture::{Fixture, append_groups, collect, manifest, store_with};
use crate::common::sample::{self, Keyed};

/// Every start and end around a run of eight, both ways, commits ending at odd places: ends beyond
/// the high-watermark are clamped, a start of 0 and an inverted range are empty.
pub fn every_range_equals_the_naive_slice(fixture: &dyn Fixture) {
    let entries = sample::run_of(8);
    let store = store_with(fixture, &manifest(), &entries, 3);
    let reader = store.reader().unwrap();
    let ends: Vec<u64> = (0..=10).chain([u64::MAX - 1, u64::MAX]).collect();
    for &from in &ends {
        for &to in &ends {
            let inside = |item: &&Keyed| from != 0 && (from..=to).contains(&item.entry.seq);
            let mut expected: Vec<Keyed> = entries.iter().filter(inside).cloned().collect();
            let (rows, end) = collect(&*reader, from, to, Direction::Forward);
            end.unwrap();
            assert_eq!(rows, expected, "forward {from} to {to}");
            expected.reverse();
            let (rows, end) = collect(&*reader, from, to, Direction::Backward);
            end.unwrap();
            assert_eq!(rows, expected, "backward {from} to {to}");
            let listed = reader.scan_range(from, to, Direction::Backward).unwrap();
            let expected: Vec<_> = expected.into_iter().map(|item| item.entry).collect();
            assert_eq!(listed, expected, "list, backward {from} to {to}");
        }
    }
}

/// `Break` is an end like any other, wherever it comes.
pub fn visitor_that_breaks_sees_no_further_row(fixture: &dyn Fixture) {
    let store = store_with(fixture, &manifest(), &sample::run_of(700), 300);
    let reader = store.reader().unwrap();
    for stop_after in [1, 2, 255, 256, 257, 300, 301, 700] {
        for direction in [Direction::Forward, Direction::Backward] {
            let mut seen = Vec::new();
            let end = reader.visit_range(1, u64::MAX, direction, &mut |row| {
                seen.push(row.entry.seq);
                if seen.len() == stop_after {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            end.expect("an early end is no error");
            let expected: Vec<u64> = match direction {
                Direction::Forward => (1..=700).take(stop_after).collect(),
                Direction::Backward => (1..=700).rev().take(stop_after).collect(),
            };
            assert_eq!(seen, expected, "{direction:?}, break after {stop_after}");
        }
    }
}

/// A row brings its own key list, whatever part of a commit it is.
pub fn rows_carry_the_keys_they_were_committed_with(fixture: &dyn Fixture) {
    let entries = sample::run_of(50);
    let store = store_with(fixture, &manifest(), &entries, 7);
    let reader = store.reader().unwrap();
    for first in [1, 6, 7, 8, 20] {
        let (rows, end) = collect(&*reader, first, 40, Direction::Backward);
        end.unwrap();
        let expected: Vec<_> = entries[first as usize - 1..40].iter().rev().cloned().collect();
        assert_eq!(rows, expected, "from {first}");
    }
}

/// A long scan hands out each row once and in order, and costs memory for a chunk, not for the run.
pub fn hundred_thousand_rows_stream_both_ways(fixture: &dyn Fixture) {
    const COUNT: u64 = 100_000;
    const MEMORY_BYTES_MAX: usize = 8 << 20;
    let mut store = store_with(fixture, &manifest(), &[], 1);
    for first in (1..=COUNT).step_by(10_000) {
        append_groups(&mut *store, &sample::light_entries(first, first + 9_999), 10_000);
    }
    let reader = store.reader().unwrap();
    let mut expected = 1;
    let meter = crate::allocation::Meter::start();
    let forward = reader.visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
        assert_eq!(row.entry.seq, expected);
        expected += 1;
        ControlFlow::Continue(())
    });
    forward.unwrap();
    assert_eq!(expected, COUNT + 1);
    let backward = reader.visit_range(1, u64::MAX, Direction::Backward, &mut |row| {
        expected -= 1;
        assert_eq!(row.entry.seq, expected);
        ControlFlow::Continue(())
    });
    backward.unwrap();
    assert_eq!(expected, 1);
    let peak_bytes = meter.peak_bytes();
    assert!(peak_bytes < MEMORY_BYTES_MAX, "scans of {COUNT} rows took {peak_bytes} bytes");
}

/// One row by its number; 0 and what is beyond the high-watermark are no rows.
pub fn single_rows_are_found_and_clamped(fixture: &dyn Fixture) {
    let entries = sample::run_of(5);
    let store = store_with(fixture, &manifest(), &entries, 2);
    let reader = store.reader().unwrap();
    for item in &entries {
        assert_eq!(reader.scan_seq(item.entry.seq).unwrap().as_ref(), Some(&item.entry));
    }
    for absent in [0, 6, u64::MAX] {
        assert_eq!(reader.scan_seq(absent).unwrap(), None, "entry {absent}");
    }
}

/// A visitor that takes its time does not keep the writer from committing.
pub fn writer_commits_while_a_visitor_waits(fixture: &dyn Fixture) {
    let mut store = store_with(fixture, &manifest(), &sample::run_of(3), 3);
    let reader = store.reader().unwrap();
    let (committed, hears_commit) = mpsc::channel();
    let mut seen = Vec::new();
    thread::scope(|scope| {
        let mut writer = Some(move || {
            committed.send(sample::append(&mut *store, &[sample::keyed(4)])).unwrap();
            store
        });
        let end = reader.visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
            if let Some(write) = writer.take() {
                scope.spawn(write);
                let answer = hears_commit.recv_timeout(Duration::from_secs(5));
                assert_eq!(answer.expect("the commit does not wait for the visitor").unwrap(), 4);
            }
            seen.push(row.entry.seq);
            ControlFlow::Continue(())
        });
        end.unwrap();
    });
    assert_eq!(seen, [1, 2, 3], "the range was clamped when the scan began");
}

/// A visitor may use the reader that calls it.
pub fn scans_nest(fixture: &dyn Fixture) {
    let entries = sample::run_of(20);
    let store = store_with(fixture, &manifest(), &entries, 6);
    let reader = store.reader().unwrap();
    let mut visited = 0;
    let end = reader.visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
        let seq = row.entry.seq;
        let same = reader.scan_seq(seq).unwrap().expect("the row being visited");
        assert_eq!(same.view(), row.entry);
        assert_eq!(reader.recorded_keys(seq).unwrap(), row.keys.map(|keys| keys.to_vec()));
        visited += 1;
        ControlFlow::Continue(())
    });
    end.unwrap();
    assert_eq!(visited, 20);
}
