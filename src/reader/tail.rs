//! Waits for a run to grow, or to end.
//!
//! Within the writing process a reader sleeps on the run's own watermark and is woken by it. A run
//! that another process writes is looked at again and again, after naps that grow from 50 us to
//! 2 ms: that is how late an entry is noticed at most, and about 500 looks a second while nothing
//! comes, of five system calls with the nap. Nothing here touches the writer.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::backend::{Ended, EventReader, Tail};
use crate::error::{EventStoreError, Result};
use crate::writer::Watermark;

/// Who moves the run on.
pub(super) enum Mover {
    /// Nobody: it is read as it was left.
    Nobody,
    /// A writer in this process.
    Here(Arc<Watermark>),
    /// A writer in another process, if there is one.
    Elsewhere,
}

const FIRST_NAP: Duration = Duration::from_micros(50);
const LONGEST_NAP: Duration = Duration::from_millis(2);

/// Waits until `seq` is durable or nothing more comes; `timeout_ns` 0 polls, `u64::MAX` waits
/// without end.
pub(super) fn wait(
    mover: &Mover,
    view: &dyn EventReader,
    seq: u64,
    timeout_ns: u64,
) -> Result<Tail> {
    let deadline = match timeout_ns {
        u64::MAX => None,
        _ => Instant::now().checked_add(Duration::from_nanos(timeout_ns)),
    };
    if let Mover::Here(watermark) = mover
        && timeout_ns > 0
    {
        let moved = || watermark.durable() >= seq || watermark.is_ended();
        watermark.wait(deadline, || moved().then_some(()));
        return answer(mover, view, seq);
    }
    let mut nap = FIRST_NAP;
    loop {
        match answer(mover, view, seq) {
            Err(EventStoreError::Timeout) => {}
            answered => return answered,
        }
        let left = match deadline {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            None => LONGEST_NAP,
        };
        if left.is_zero() {
            return Err(EventStoreError::Timeout);
        }
        thread::sleep(nap.min(left));
        nap = (nap * 2).min(LONGEST_NAP);
    }
}

/// What can be said now; `Timeout` when that is nothing yet.
fn answer(mover: &Mover, view: &dyn EventReader, seq: u64) -> Result<Tail> {
    // Asked before the seal is looked for, which its writer publishes before it ends.
    let is_left = match mover {
        Mover::Nobody => true,
        Mover::Here(watermark) => watermark.is_ended(),
        Mover::Elsewhere => false,
    };
    let mut tail = view.tail()?;
    tail.ended = tail.ended.or(is_left.then_some(Ended::WriterGone));
    if tail.high_watermark >= seq || tail.ended.is_some() {
        return Ok(tail);
    }
    Err(EventStoreError::Timeout)
}
