//! `bench submit`: what a submit costs the trading thread.
//!
//! Open loop: a fixed schedule says when each is due, and its latency counts from then, so that a
//! stall is charged to all that it delays. The limit is the same loop without the call. Bursts go
//! into an empty queue, and are held against copying their bytes.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::backends::Backend;
use super::exported::{Drafts, Run, RunOptions};
use super::latency;
use super::limits;
use super::pairs::{Middle, Sample, Side, take_turns};
use super::pool::Pool;
use super::row::{Row, Unit};
use super::session::Session;
use crate::failure::Failure;

const RATES: [u64; 3] = [1_000, 10_000, 100_000];
const BURST: usize = 1_000;
/// Entries made ready; a slice goes round them.
const POOL_ENTRIES: usize = 32_000;
/// Percentiles far out need more samples than rates do.
const SLICES_PER_TURN: u32 = 2;
const NO_CALL: &str = "the loop without the call";

pub(crate) fn measure(session: &mut Session<'_>) -> Result<(), Failure> {
    for backend in session.arguments.backends() {
        at_rates(session, backend)?;
        bursts(session, backend)?;
    }
    Ok(())
}

fn open(session: &Session<'_>, backend: &Backend) -> Result<Run, Failure> {
    let options = RunOptions { backend: backend.code, ..RunOptions::default() };
    Run::open(&session.folder.base()?, "run", options)
}

fn at_rates(session: &mut Session<'_>, backend: &'static Backend) -> Result<(), Failure> {
    let mut pool = session.pool(POOL_ENTRIES);
    for rate in RATES {
        let run = open(session, backend)?;
        let turn = session.arguments.slice() * SLICES_PER_TURN;
        let (mut ours, mut limit) = (latency::histogram(), latency::histogram());
        for _ in 0..session.arguments.pairs {
            pool.renumber();
            let drafts = pool.drafts();
            on_schedule(rate, turn, &mut limit, |_| Ok(()))?;
            on_schedule(rate, turn, &mut ours, |at| {
                run.submit(&drafts, at as usize % drafts.len()).map(|_| ())
            })?;
            run.flush()?;
        }
        run.close()?;
        let what = format!("submit {rate}/s");
        latency::push_rows(session, &what, backend.name, (&ours, &limit), NO_CALL);
    }
    Ok(())
}

/// Does the work when it is due, `rate` times a second, and records how late it was done.
#[inline(always)]
fn on_schedule(
    rate: u64,
    turn: Duration,
    latencies: &mut Histogram<u64>,
    mut work: impl FnMut(u64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let count = (turn.as_nanos() as u64 * rate / 1_000_000_000).max(1);
    let begun = Instant::now();
    for at in 0..count {
        let due = at * 1_000_000_000 / rate;
        while (begun.elapsed().as_nanos() as u64) < due {}
        work(at)?;
        latencies.saturating_record(begun.elapsed().as_nanos() as u64 - due);
    }
    Ok(())
}

fn bursts(session: &mut Session<'_>, backend: &'static Backend) -> Result<(), Failure> {
    let burst = BURST.min(session.arguments.entries as usize);
    let side = Bursts { run: open(session, backend)?, pool: session.pool(burst) };
    let mut sides: Vec<Box<dyn Side>> =
        vec![Box::new(side), Box::new(limits::copying(session.preimages()))];
    let samples = take_turns(&mut sides, session.arguments.pairs, session.arguments.slice())?;
    drop(sides);
    let ns = |side: usize| Middle::of(samples[side].iter().map(|s| s.ns_each())).median;
    let row = Row {
        what: "submit burst".to_owned(),
        backend: backend.name,
        batch: burst as u64,
        payload: session.shapes.payload_bytes(),
        entries: samples[0].iter().map(|sample| sample.count).sum(),
        value: ns(0),
        unit: Unit::Nanoseconds,
        limit: limits::COPY,
        limit_value: ns(1),
        ratio_to_limit: 0.0,
        peers: Default::default(),
        interval: None,
    };
    let ratio = Middle::of_ratios(&samples[0], &samples[1], Sample::ns_each);
    session.rows.push(row.with_ratio(ratio));
    Ok(())
}

/// Bursts into an empty queue; emptying it does not count.
struct Bursts<'a> {
    run: Run,
    pool: Pool<'a>,
}

impl Side for Bursts<'_> {
    fn work(&mut self, slice: Duration) -> Result<Sample, Failure> {
        let (mut count, mut spent) = (0, Duration::ZERO);
        let begun = Instant::now();
        while count == 0 || begun.elapsed() < slice {
            self.pool.renumber();
            let drafts: Drafts<'_> = self.pool.drafts();
            let burst = Instant::now();
            for at in 0..drafts.len() {
                self.run.submit(&drafts, at)?;
            }
            spent += burst.elapsed();
            count += drafts.len() as u64;
            self.run.flush()?;
        }
        Ok(Sample { count, spent })
    }
}
