//! `bench append` and `bench stream`: durable entries a second, beside the raw loop and the peers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::limits::{self, RawDisk};
use super::pairs::{Middle, Sample, Side, take_turns};
use super::peers;
use super::row::{Beside, NO_BACKEND, Row, Unit};
use super::session::Session;
use super::write::{Style, Writing};
use crate::failure::Failure;

const BATCHES: [u32; 4] = [1, 10, 100, 1000];
const STREAM_BATCH: u32 = 1000;

/// Appends, one batch after another, at each batch size.
pub(crate) fn append(session: &mut Session<'_>) -> Result<(), Failure> {
    let asked = session.arguments.batch.map(|batch| vec![batch]);
    for batch in asked.unwrap_or_else(|| BATCHES.to_vec()) {
        measure(session, "append", batch as usize, Style::Closed)?;
    }
    Ok(())
}

/// Pipelined submits, committed in groups.
pub(crate) fn stream(session: &mut Session<'_>) -> Result<(), Failure> {
    let batch = session.arguments.batch.unwrap_or(STREAM_BATCH);
    measure(session, "stream", batch as usize, Style::Pipelined)
}

/// What a side is in the table.
enum Place {
    /// A row: its name, its backend, the limit it is held against.
    Row(String, &'static str, &'static str),
    Limit(&'static str),
    /// The raw loop once more: what a ratio of equals comes to.
    RawAgain,
    Peer(&'static str),
}

fn measure(
    session: &mut Session<'_>,
    what: &str,
    batch: usize,
    style: Style,
) -> Result<(), Failure> {
    let (places, samples) = {
        let (places, mut sides) = sides(session, what, batch, style)?;
        let (pairs, slice) = (session.arguments.pairs, session.arguments.slice());
        (places, take_turns(&mut sides, pairs, slice)?)
    };
    let of_limit = |name: &str| {
        let found = places.iter().position(|place| matches!(place, Place::Limit(n) if *n == name));
        &samples[found.expect("every limit that a row names is a side")]
    };
    let middle = |samples: &[Sample]| Middle::of(samples.iter().map(|s| s.rate())).median;
    let beside = |ours: &[Sample]| {
        let peers = places.iter().zip(&samples).filter_map(|(place, theirs)| match place {
            Place::Peer(name) => {
                let ratio = Middle::of_ratios(ours, theirs, Sample::rate);
                Some((*name, Beside { value: middle(theirs), ratio }))
            }
            _ => None,
        });
        peers.collect::<BTreeMap<_, _>>()
    };
    for (place, samples) in places.iter().zip(&samples) {
        let (what, backend, limit) = match place {
            Place::Row(what, backend, limit) => (what.clone(), *backend, *limit),
            Place::RawAgain => (format!("{what}, limit against itself"), NO_BACKEND, limits::RAW),
            Place::Limit(_) | Place::Peer(_) => continue,
        };
        // What survives nothing is no match for what survives a power cut.
        let is_match = limit == limits::RAW && backend != NO_BACKEND;
        let row = Row {
            batch: batch as u64,
            entries: samples.iter().map(|sample| sample.count).sum(),
            value: middle(samples),
            limit: limit.into(),
            limit_value: middle(of_limit(limit)),
            peers: if is_match { beside(samples) } else { BTreeMap::new() },
            ..session.row(&what, backend, Unit::EntriesPerSecond)
        };
        let ratio = Middle::of_ratios(samples, of_limit(limit), Sample::rate);
        session.rows.push(row.with_ratio(ratio));
    }
    Ok(())
}

type Sides<'a> = (Vec<Place>, Vec<Box<dyn Side + 'a>>);

/// Every side of one batch size: limits, ours, peers, and the raw loop once more.
fn sides<'a>(
    session: &Session<'a>,
    what: &str,
    batch: usize,
    style: Style,
) -> Result<Sides<'a>, Failure> {
    let backends = session.backends();
    let (mut places, mut sides): Sides<'a> = (Vec::new(), Vec::new());
    let frames = session.frames(batch);
    let raw =
        |name: &str| RawDisk::new(&session.folder.base()?.join(name), Arc::clone(&frames), batch);
    let on_disk = backends.iter().any(|backend| backend.keeps_files);
    if on_disk {
        places.push(Place::Limit(limits::RAW));
        sides.push(Box::new(raw("raw")?));
    }
    for backend in &backends {
        let limit = if backend.keeps_files { limits::RAW } else { limits::HASH };
        for (at, (durability, flushes)) in backend.commits.iter().enumerate() {
            let default = at == 0;
            let name = if default { what.into() } else { format!("{what}, {flushes} flush") };
            places.push(Place::Row(name, backend.name, limit));
            sides.push(Box::new(Writing::new(session, backend, *durability, batch, style)?));
        }
    }
    if on_disk {
        for (name, peer) in peers::writing(session, batch)? {
            places.push(Place::Peer(name));
            sides.push(peer);
        }
        places.push(Place::RawAgain);
        sides.push(Box::new(raw("raw-again")?));
    }
    if backends.iter().any(|backend| !backend.keeps_files) {
        places.push(Place::Limit(limits::HASH));
        sides.push(Box::new(limits::hashing(session.preimages())));
    }
    Ok((places, sides))
}
