//! `bench scan`, `bench get`, `bench lookup`: reading a run, every hash checked.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backends::Backend;
use super::exported::{Page, Reader};
use super::fill::{Filled, Key};
use super::lanes;
use super::limits;
use super::pairs::{Middle, Sample, Side, take_turns};
use super::pool::xorshift;
use super::row::{Row, Unit};
use super::session::Session;
use crate::failure::Failure;

/// A page of a scan.
const PAGE_ROWS: usize = 4096;
const PAGE_BYTES: usize = 4 << 20;
/// Reads between two looks at the clock.
const READS_PER_LOOK: u64 = 64;
const IN_MEMORY: &str = "a hash map of the keys";

/// A whole run forward, over and over.
pub(crate) fn scan(
    session: &mut Session<'_>,
    backend: &'static Backend,
    run: &Filled,
) -> Result<(), Failure> {
    let (reader, mut page) = (run.reader()?, Page::new(PAGE_ROWS, PAGE_BYTES));
    let mut from = 1;
    let scanning = move |slice: Duration| {
        let mut count = 0;
        let begun = Instant::now();
        while count == 0 || begun.elapsed() < slice {
            let (rows, next) = reader.scan(from, &mut page)?;
            count += rows;
            from = next.unwrap_or(1);
        }
        Ok(Sample { count, spent: begun.elapsed() })
    };
    let preimages = session.preimages();
    let beside: Vec<(&'static str, &'static str, Box<dyn Side>)> = vec![
        ("scan", limits::HASH, Box::new(limits::hashing(Arc::clone(&preimages)))),
        ("scan, lanes", limits::LANES, Box::new(lanes::hashing(Arc::clone(&preimages)))),
        ("scan, copied", limits::COPY, Box::new(limits::copying(preimages))),
    ];
    compare(session, backend, Box::new(scanning), beside, Unit::EntriesPerSecond)
}

/// Entries by seq, in no order.
pub(crate) fn get(
    session: &mut Session<'_>,
    backend: &'static Backend,
    run: &Filled,
) -> Result<(), Failure> {
    let (reader, mut page) = (run.reader()?, Page::new(1, 64 << 10));
    let entries = session.arguments.entries;
    let mut state = 1;
    let getting = reads(move || {
        reader.get(xorshift(&mut state) % entries + 1, &mut page).map(|bytes| {
            black_box(bytes);
        })
    });
    let beside: Vec<(&'static str, &'static str, Box<dyn Side>)> =
        vec![("get", limits::HASH, Box::new(limits::hashing(session.preimages())))];
    compare(session, backend, Box::new(getting), beside, Unit::Nanoseconds)
}

/// Order ids, in no order.
pub(crate) fn lookup(
    session: &mut Session<'_>,
    backend: &'static Backend,
    run: &Filled,
) -> Result<(), Failure> {
    let keys = &run.keys;
    if keys.is_empty() {
        let text = "there are no keys to look up";
        return Err(Failure::Data(text.to_owned()));
    }
    let reader: Reader = run.reader()?;
    let in_memory: HashMap<&Key, u64> = keys.iter().zip(1..).collect();
    let mut next = keys_in_no_order(keys);
    let looking = reads(move || {
        let (kind, key) = next();
        reader.lookup(*kind, key).map(|seq| {
            black_box(seq);
        })
    });
    let mut next = keys_in_no_order(keys);
    let remembering = reads(move || {
        black_box(in_memory.get(next()));
        Ok(())
    });
    let beside: Vec<(&'static str, &'static str, Box<dyn Side>)> =
        vec![("lookup", IN_MEMORY, Box::new(remembering))];
    compare(session, backend, Box::new(looking), beside, Unit::Nanoseconds)
}

fn keys_in_no_order<'a>(keys: &'a [Key]) -> impl FnMut() -> &'a Key {
    let mut state = 1;
    move || &keys[(xorshift(&mut state) % keys.len() as u64) as usize]
}

/// One read after another.
fn reads(mut read: impl FnMut() -> Result<(), Failure>) -> impl Side {
    move |slice: Duration| {
        let mut count = 0;
        let begun = Instant::now();
        while count == 0 || begun.elapsed() < slice {
            for _ in 0..READS_PER_LOOK {
                read()?;
            }
            count += READS_PER_LOOK;
        }
        Ok(Sample { count, spent: begun.elapsed() })
    }
}

/// Ours in turn with the limits beside it, a row for each limit.
fn compare<'a>(
    session: &mut Session<'_>,
    backend: &'static Backend,
    ours: Box<dyn Side + 'a>,
    beside: Vec<(&'static str, &'static str, Box<dyn Side + 'a>)>,
    unit: Unit,
) -> Result<(), Failure> {
    let value = match unit {
        Unit::EntriesPerSecond => Sample::rate,
        _ => Sample::ns_each,
    };
    let mut sides = vec![ours];
    let mut names = Vec::new();
    for (what, limit, side) in beside {
        names.push((what, limit));
        sides.push(side);
    }
    let samples = take_turns(&mut sides, session.arguments.pairs, session.arguments.slice())?;
    let middle = |side: usize| Middle::of(samples[side].iter().map(|s| value(*s))).median;
    for (at, (what, limit)) in names.into_iter().enumerate() {
        let row = Row {
            entries: session.arguments.entries,
            value: middle(0),
            limit: limit.into(),
            limit_value: middle(at + 1),
            ..session.row(what, backend.name, unit)
        };
        let ratio = Middle::of_ratios(&samples[0], &samples[at + 1], value);
        session.rows.push(row.with_ratio(ratio));
    }
    Ok(())
}
