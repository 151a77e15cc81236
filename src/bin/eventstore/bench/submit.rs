//! `bench submit`: what a submit costs the trading thread.
//!
//! Open loop: a fixed schedule says when each is due, and its latency counts from then, so that a
//! stall is charged to all that it delays. The limit is the same loop without the call, a turn of
//! it after each. Bursts go into an empty queue, and are held against copying their bytes.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::backends::Backend;
use super::exported::{Drafts, Run, RunOptions};
use super::latency::{self, Schedule};
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
/// A backend without goals gets one sample in so many; so do captures at the lowest rate, which
/// would take minutes.
const FEWER: u64 = 10;
const NO_CALL: &str = "the loop without the call";

pub(crate) fn measure(session: &mut Session<'_>) -> Result<(), Failure> {
    for backend in session.backends() {
        for rate in RATES {
            let is_slow = session.shapes.are_captures() && rate == RATES[0];
            let fewer = if is_slow || !backend.has_goals { FEWER } else { 1 };
            let samples = session.arguments.samples.div_ceil(fewer);
            let run = open(session, backend)?;
            let turn = Turn { rate, samples };
            at_rate(session, &format!("submit {rate}/s"), backend.name, &run, turn)?;
            run.close()?;
        }
        bursts(session, backend)?;
    }
    Ok(())
}

fn open(session: &Session<'_>, backend: &Backend) -> Result<Run, Failure> {
    let options = RunOptions { backend: backend.code, ..RunOptions::default() };
    Run::open(&session.folder.base()?, "run", options)
}

/// So many submits at a rate.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) rate: u64,
    pub(crate) samples: u64,
}

/// Submits on a schedule, and pushes a row for each percentile.
pub(crate) fn at_rate(
    session: &mut Session<'_>,
    what: &str,
    backend: &'static str,
    run: &Run,
    turn: Turn,
) -> Result<(), Failure> {
    let mut pool = session.pool(POOL_ENTRIES);
    let (mut ours, mut limit) = (latency::histogram(), latency::histogram());
    let (mut left, mut spent) = (turn.samples, Duration::ZERO);
    while left > 0 {
        let count = left.min(POOL_ENTRIES as u64);
        pool.renumber();
        let drafts = pool.drafts();
        spent += on_schedule(turn.rate, count, (&mut ours, &mut limit), |at| {
            run.submit(&drafts, at as usize % drafts.len()).map(|_| ())
        })?;
        run.flush()?;
        left -= count;
    }
    let achieved = turn.samples as f64 / spent.as_secs_f64();
    let schedule = Schedule { offered: turn.rate as f64, achieved };
    latency::push_rows(session, what, backend, (&ours, &limit), NO_CALL, Some(&schedule));
    Ok(())
}

/// Does the work when it is due, `rate` times a second, and records how late it was done; half-way
/// between does nothing when that is due, and records how late that was, not charging it for what
/// the work delayed. Answers how long it took.
#[inline(always)]
fn on_schedule(
    rate: u64,
    count: u64,
    (ours, limit): (&mut Histogram<u64>, &mut Histogram<u64>),
    mut work: impl FnMut(u64) -> Result<(), Failure>,
) -> Result<Duration, Failure> {
    let due = |at: u64| at * 500_000_000 / rate;
    let begun = Instant::now();
    let wait_until = |due: u64| while (begun.elapsed().as_nanos() as u64) < due {};
    for at in 0..count {
        wait_until(due(2 * at));
        work(at)?;
        ours.saturating_record(begun.elapsed().as_nanos() as u64 - due(2 * at));
        let due_again = due(2 * at + 1).max(begun.elapsed().as_nanos() as u64);
        wait_until(due_again);
        limit.saturating_record(begun.elapsed().as_nanos() as u64 - due_again);
    }
    wait_until(due(2 * count));
    Ok(begun.elapsed())
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
        batch: burst as u64,
        entries: samples[0].iter().map(|sample| sample.count).sum(),
        value: ns(0),
        limit: limits::COPY.into(),
        limit_value: ns(1),
        ..session.row("submit burst", backend.name, Unit::Nanoseconds)
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
