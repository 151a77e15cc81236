//! What an idle writer costs, for each wait policy: part of `bench submit`.

use std::thread;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use super::exported::{Run, RunOptions};
use super::policy::POLICIES;
use super::row::{Row, Unit};
use super::session::Session;
use crate::failure::Failure;

/// The writer stays hot for longer than it is looked at.
pub(crate) const HOT_NS: u64 = 600_000_000_000;
/// Slices that one policy is looked at.
const SLICES: u32 = 4;

/// Processor time of the whole process while nobody submits and the writer is hot. After
/// `hot_ns` every policy parks.
pub(crate) fn measure(session: &mut Session<'_>) -> Result<(), Failure> {
    for backend in session.backends() {
        for (wait_policy, name) in POLICIES {
            let options = RunOptions {
                backend: backend.code,
                wait_policy,
                hot_ns: HOT_NS,
                ..RunOptions::default()
            };
            let run = Run::open(&session.folder.base()?, "run", options)?;
            let pool = session.pool(1);
            run.append(&pool.drafts(), 0, 1)?;
            let (begun, used) = (Instant::now(), used_seconds());
            thread::sleep(session.arguments.slice() * SLICES);
            let cores = (used_seconds() - used) / begun.elapsed().as_secs_f64();
            run.close()?;
            let row = Row {
                value: cores,
                limit: "one processor".into(),
                limit_value: 1.0,
                ratio_to_limit: cores,
                ..session.row(&format!("submit idle, {name}"), backend.name, Unit::Cores)
            };
            session.rows.push(row);
        }
    }
    Ok(())
}

/// Processor time that this process has taken so far.
fn used_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}
