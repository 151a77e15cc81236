//! What a submit costs under each wait policy of the writer, and with the writer on a processor of
//! its own: part of `bench submit`.

use eventstore::ffi::constants::{ES_WAIT_PARK, ES_WAIT_SPIN, ES_WAIT_TIMED};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::backends::Backend;
use super::exported::{Run, RunOptions};
use super::session::Session;
use super::submit::{Turn, at_rate};
use crate::failure::Failure;

/// How a writer may wait; `timed` is the default.
pub(crate) const POLICIES: [(u32, &str); 3] =
    [(ES_WAIT_SPIN, "spin"), (ES_WAIT_TIMED, "timed"), (ES_WAIT_PARK, "park")];
const RATE: u64 = 10_000;

pub(crate) fn measure(session: &mut Session<'_>) -> Result<(), Failure> {
    for backend in session.backends().into_iter().filter(|backend| backend.has_goals) {
        // The default has the rows that name no policy.
        for (wait_policy, name) in POLICIES.into_iter().filter(|(_, name)| *name != "timed") {
            submit(session, backend, wait_policy, name, 0)?;
        }
        pinned(session, backend)?;
    }
    Ok(())
}

fn submit(
    session: &mut Session<'_>,
    backend: &'static Backend,
    wait_policy: u32,
    name: &str,
    writer_cpu: u32,
) -> Result<(), Failure> {
    let code = backend.code;
    let options = RunOptions { backend: code, wait_policy, writer_cpu, ..RunOptions::default() };
    let run = Run::open(&session.folder.base()?, "run", options)?;
    let turn = Turn { rate: RATE, samples: session.arguments.samples };
    at_rate(session, &format!("submit {RATE}/s, {name}"), backend.name, &run, turn)?;
    run.close()
}

/// The writer on one processor and who submits on another; no row on a machine with one.
fn pinned(session: &mut Session<'_>, backend: &'static Backend) -> Result<(), Failure> {
    let failed = |error: rustix::io::Errno| {
        Failure::from_io("this thread", "choosing its processor", &error.into())
    };
    let allowed = sched_getaffinity(None).map_err(failed)?;
    let mut processors = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let (Some(ours), Some(writers)) = (processors.next(), processors.next()) else {
        return Ok(());
    };
    let mut only = CpuSet::new();
    only.set(ours);
    sched_setaffinity(None, &only).map_err(failed)?;
    let outcome = submit(session, backend, ES_WAIT_TIMED, "pinned", writers as u32 + 1);
    sched_setaffinity(None, &allowed).map_err(failed)?;
    outcome
}
