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

/// One of the raw loop, one of ours, and so on: nothing that lasts longer than a flush meets one
/// of them alone.
pub(crate) fn measure(session: &mut Session<'_>) -> Result<(), Failure> {
    let frames = session.frames(1);
    for backend in session.backends().into_iter().filter(|backend| backend.keeps_files) {
        let base = session.folder.base()?;
        let mut raw = RawDisk::new(&base.join("raw"), frames.clone(), 1)?;
        let options = RunOptions { backend: backend.code, ..RunOptions::default() };
        let run = Run::open(&base, "run", options)?;
        let pool = session.pool(10_000);
        let drafts = pool.drafts();
        let (mut ours, mut limit) = (latency::histogram(), latency::histogram());
        let (begun, lasting) =
            (Instant::now(), session.arguments.slice() * (2 * session.arguments.pairs));
        let mut next = 0;
        while next == 0 || begun.elapsed() < lasting {
            timed(&mut limit, || raw.write_one())?;
            timed(&mut ours, || run.wait_durable(run.submit(&drafts, next % drafts.len())?))?;
            next += 1;
        }
        run.close()?;
        latency::push_rows(session, "append ack", backend.name, (&ours, &limit), limits::RAW, None);
    }
    Ok(())
}

fn timed(
    times: &mut Histogram<u64>,
    work: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    thread::sleep(PAUSE);
    let begun = Instant::now();
    work()?;
    times.saturating_record(begun.elapsed().as_nanos() as u64);
    Ok(())
}
