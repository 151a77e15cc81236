//! How long one entry takes until it is known to be durable, with an idle store and somebody
//! waiting: part of `bench append`.

use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::exported::{Run, RunOptions};
use super::latency;
use super::limits::{self, RawDisk};
use super::session::Session;
use crate::failure::Failure;

/// The store is idle for so long before each.
const PAUSE: Duration = Duration::from_millis(1);

pub(crate) fn measure(session: &mut Session<'_>) -> Result<(), Failure> {
    let frames = session.frames(1);
    for backend in session.arguments.backends() {
        if !backend.keeps_files {
            continue;
        }
        let base = session.folder.base()?;
        let mut raw = RawDisk::new(&base.join("raw"), frames.clone(), 1)?;
        let options = RunOptions { backend: backend.code, ..RunOptions::default() };
        let run = Run::open(&base, "run", options)?;
        let pool = session.pool(10_000);
        let drafts = pool.drafts();
        let (mut ours, mut limit) = (latency::histogram(), latency::histogram());
        let mut next = 0;
        for _ in 0..session.arguments.pairs {
            for_a_slice(session, &mut limit, &mut || raw.write_one())?;
            for_a_slice(session, &mut ours, &mut || {
                next = (next + 1) % drafts.len();
                run.wait_durable(run.submit(&drafts, next)?)
            })?;
        }
        run.close()?;
        latency::push_rows(session, "append ack", backend.name, (&ours, &limit), limits::RAW);
    }
    Ok(())
}

fn for_a_slice(
    session: &Session<'_>,
    times: &mut Histogram<u64>,
    work: &mut dyn FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let slice = Instant::now();
    loop {
        thread::sleep(PAUSE);
        let begun = Instant::now();
        work()?;
        times.saturating_record(begun.elapsed().as_nanos() as u64);
        if slice.elapsed() >= session.arguments.slice() {
            return Ok(());
        }
    }
}
