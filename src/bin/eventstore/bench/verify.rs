//! `bench verify`: a sealed run verified, beside hashing its preimages on every processor.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::backends::Backend;
use super::exported;
use super::fill::Filled;
use super::lanes;
use super::limits;
use super::pairs::{Middle, Sample, Side, take_turns};
use super::row::{Row, Unit};
use super::session::Session;
use crate::failure::Failure;

/// Whole runs are verified, so that fewer pairs have to do.
const PAIRS_MAX: u32 = 5;

pub(crate) fn measure(
    session: &mut Session<'_>,
    backend: &'static Backend,
    run: &Filled,
) -> Result<(), Failure> {
    let path = run.path().to_owned();
    let verifying = move |_: Duration| {
        let begun = Instant::now();
        let count = exported::verify(&path)?;
        Ok(Sample { count, spent: begun.elapsed() })
    };
    let preimages = session.preimages();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut sides: Vec<Box<dyn Side>> = vec![
        Box::new(verifying),
        Box::new(on_every_core(cores, || limits::hashing(Arc::clone(&preimages)))),
        Box::new(on_every_core(cores, || lanes::hashing(Arc::clone(&preimages)))),
    ];
    let pairs = session.arguments.pairs.min(PAIRS_MAX);
    let samples = take_turns(&mut sides, pairs, session.arguments.slice())?;
    let rate = |side: usize| Middle::of(samples[side].iter().map(|s| s.rate())).median;
    for (what, limit, side) in [("verify", limits::HASH, 1), ("verify, lanes", limits::LANES, 2)] {
        let row = Row {
            entries: session.arguments.entries,
            value: rate(0),
            limit: format!("{limit}, {cores} cores").into(),
            limit_value: rate(side),
            ..session.row(what, backend.name, Unit::EntriesPerSecond)
        };
        let ratio = Middle::of_ratios(&samples[0], &samples[side], Sample::rate);
        session.rows.push(row.with_ratio(ratio));
    }
    Ok(())
}

/// As many of a side as there are cores, all at once.
fn on_every_core<S: Side + Send>(cores: usize, side: impl Fn() -> S) -> impl Side {
    let mut sides: Vec<S> = (0..cores).map(|_| side()).collect();
    move |slice: Duration| {
        let begun = Instant::now();
        let counts = thread::scope(|scope| {
            let work = |side: &mut S| side.work(slice).map(|sample| sample.count);
            let running: Vec<_> =
                sides.iter_mut().map(|side| scope.spawn(move || work(side))).collect();
            let ended = running.into_iter().map(|thread| thread.join().expect("hashing ends"));
            ended.collect::<Result<Vec<u64>, Failure>>()
        })?;
        Ok(Sample { count: counts.iter().sum(), spent: begun.elapsed() })
    }
}
