//! Walks all rows of a run, good and bad: no bad row ends the walk.
//!
//! After a bad row the walk goes on behind it. Where the file's structure is unsound, reads fail
//! over whole stretches; the walk then leaps ahead in growing steps and halves its way back to
//! the first row that can be read. Memory does not grow with the run.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::finding::Finding;
use crate::backend::run_format::{Examined, FoundRun};
use crate::backend::{Direction, EventReader};
use crate::entry::Row;
use crate::error::{EventStoreError, Result};

/// A run to be walked, sound or not.
pub(crate) struct Surveyed<'f> {
    found: &'f dyn FoundRun,
    view: Arc<dyn EventReader>,
    cache_bytes: usize,
    damage: Option<EventStoreError>,
}

impl<'f> Surveyed<'f> {
    /// Examines the run; one whose structure is unsound is opened all the same.
    ///
    /// # Errors
    /// What is no run; `Corrupted` for one of which nothing can be read.
    pub(crate) fn open(found: &'f dyn FoundRun, cache_bytes: usize) -> Result<Self> {
        match found.examine(cache_bytes, 1)? {
            Examined::Sound(view) => Ok(Self { found, view, cache_bytes, damage: None }),
            Examined::Unsound(error) => Self::open_unsound(found, cache_bytes, error),
        }
    }

    /// Opens a run whose structure was found unsound.
    ///
    /// # Errors
    /// `Corrupted` when nothing of it can be read.
    pub(crate) fn open_unsound(
        found: &'f dyn FoundRun,
        cache_bytes: usize,
        damage: EventStoreError,
    ) -> Result<Self> {
        let view = found.open_damaged(cache_bytes)?;
        Ok(Self { found, view, cache_bytes, damage: Some(damage) })
    }

    /// A run that was examined and is sound.
    pub(crate) fn sound(
        found: &'f dyn FoundRun,
        view: Arc<dyn EventReader>,
        cache_bytes: usize,
    ) -> Self {
        Self { found, view, cache_bytes, damage: None }
    }

    pub(crate) fn view(&self) -> &Arc<dyn EventReader> {
        &self.view
    }

    /// The view, where keys must be looked up to know that the indices are right.
    pub(crate) fn view_to_look_up(&self) -> Option<Arc<dyn EventReader>> {
        (!self.found.examines_indices()).then(|| self.view.clone())
    }

    /// What is wrong with the structure.
    pub(crate) fn damage(&self) -> Option<&EventStoreError> {
        self.damage.as_ref()
    }

    /// Whether this row can be reached at all, good or bad. Afterwards, the view can be used.
    fn can_reach(&mut self, seq: u64) -> Result<bool> {
        let result =
            self.view.visit_range(seq, seq, Direction::Forward, &mut |_| ControlFlow::Break(()));
        match result {
            Err(error) if is_structural(&error) => {
                self.view = self.found.open_damaged(self.cache_bytes)?;
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    /// The first row behind `failed` that can be reached.
    fn next_reachable(&mut self, mut failed: u64, last: u64) -> Result<Option<u64>> {
        /// Steps of one entry before they grow: most damage is one page.
        const SINGLE_STEPS: u32 = 256;
        let (mut steps, mut stride) = (0, 1_u64);
        let mut reached = loop {
            if failed >= last {
                return Ok(None);
            }
            let probe = failed.saturating_add(stride).min(last);
            if self.can_reach(probe)? {
                break probe;
            }
            failed = probe;
            steps += 1;
            if steps > SINGLE_STEPS {
                stride = stride.saturating_mul(2);
            }
        };
        while reached - failed > 1 {
            let middle = failed + (reached - failed) / 2;
            if self.can_reach(middle)? { reached = middle } else { failed = middle }
        }
        Ok(Some(reached))
    }
}

/// Receives what a walk meets, in the order of `seq`.
pub(crate) trait RowSink {
    /// A row whose hash was recomputed and equal; `Break` ends the walk.
    fn good(&mut self, row: Row<'_>) -> ControlFlow<()>;
    /// What is wrong with the next row or rows.
    fn bad(&mut self, finding: Finding);
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Walked {
    /// The largest row that is there, good or bad.
    pub(crate) last_present: u64,
    /// The sink broke it off.
    pub(crate) is_broken_off: bool,
}

/// Shows every row up to the high-watermark to the sink.
///
/// # Errors
/// Those of the system. Damage goes to the sink.
pub(crate) fn walk(run: &mut Surveyed<'_>, sink: &mut dyn RowSink) -> Result<Walked> {
    let mut walk = Walk::new(run);
    walk.walk_on(sink, &|_| false)?;
    Ok(walk.walked)
}

/// A walk that can be held up on its way.
pub(crate) struct Walk<'r, 'f> {
    run: &'r mut Surveyed<'f>,
    last: u64,
    /// The next row to be shown; `None` at the end.
    next: Option<u64>,
    walked: Walked,
    /// What was said last of a row that does not decode.
    repeated: Option<String>,
}

impl<'r, 'f> Walk<'r, 'f> {
    /// Before the first row.
    pub(crate) fn new(run: &'r mut Surveyed<'f>) -> Self {
        let last = run.view.high_watermark();
        let next = Some(1).filter(|&first| first <= last);
        Self { run, last, next, walked: Walked::default(), repeated: None }
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.next
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn walked(&self) -> Walked {
        self.walked
    }

    /// Takes note that the rows up to this one are good and were shown; `flow` is what the sink
    /// said of them.
    pub(crate) fn pass(&mut self, to: u64, flow: ControlFlow<()>) {
        self.walked.last_present = to;
        self.walked.is_broken_off = flow.is_break();
        self.next = self.following(to).filter(|_| flow.is_continue());
    }

    fn following(&self, seq: u64) -> Option<u64> {
        seq.checked_add(1).filter(|&next| next <= self.last)
    }

    /// Goes on to the end, or to before a good row for which `holds_up` says so.
    ///
    /// # Errors
    /// Those of the system. Damage goes to the sink.
    pub(crate) fn walk_on(
        &mut self,
        sink: &mut dyn RowSink,
        holds_up: &dyn Fn(u64) -> bool,
    ) -> Result<()> {
        let last = self.last;
        while let Some(from) = self.next {
            let walked = &mut self.walked;
            let mut held_up = None;
            let view = self.run.view.clone();
            let result = view.visit_range(from, last, Direction::Forward, &mut |row| {
                if holds_up(row.entry.seq) {
                    held_up = Some(row.entry.seq);
                    return ControlFlow::Break(());
                }
                walked.last_present = row.entry.seq;
                let flow = sink.good(row);
                walked.is_broken_off = flow.is_break();
                flow
            });
            let Err(error) = result else {
                self.next = held_up;
                return Ok(());
            };
            let bad = self.look_at_failure(from, error)?;
            self.walked.last_present = self.walked.last_present.max(bad.present.unwrap_or(0));
            self.next = self.following(bad.last);
            // What one damaged record says of many entries is said once.
            let reason = match &bad.finding {
                Finding::Undecodable { reason, .. } => Some(reason.clone()),
                _ => None,
            };
            if reason.is_none() || reason != self.repeated {
                sink.bad(bad.finding);
            }
            self.repeated = reason;
        }
        Ok(())
    }

    /// What is wrong with the next row or rows.
    fn look_at_failure(&mut self, from: u64, error: EventStoreError) -> Result<BadRow> {
        if let Some(bad) = bad_row(&error) {
            return Ok(bad);
        }
        if !is_structural(&error) {
            return Err(error);
        }
        let failed = from.max(self.walked.last_present.saturating_add(1));
        let reached = match self.run.damage {
            Some(_) => {
                self.run.view = self.run.found.open_damaged(self.run.cache_bytes)?;
                self.run.next_reachable(failed, self.last)?
            }
            // A sound structure that cannot be read was made to be so: no way around it.
            None => None,
        };
        let end = reached.map_or(self.last, |reached| reached - 1);
        let reason = format!("entries {failed} to {end} cannot be read: {error}");
        Ok(BadRow { finding: Finding::Damaged { reason }, present: None, last: end })
    }
}

struct BadRow {
    finding: Finding,
    /// The row, if there is one.
    present: Option<u64>,
    /// The last entry that the finding is about.
    last: u64,
}

fn bad_row(error: &EventStoreError) -> Option<BadRow> {
    let (finding, present, last) = match error {
        &EventStoreError::HashMismatch { seq } => (Finding::HashMismatch { seq }, Some(seq), seq),
        &EventStoreError::SeqMismatch { table_key, embedded_seq } => {
            (Finding::SeqMismatch { table_key, embedded_seq }, Some(table_key), table_key)
        }
        &EventStoreError::Gap { next, missing, .. } => {
            let to = next.saturating_sub(1).max(missing);
            (Finding::Gap { from: missing, to }, None, to)
        }
        EventStoreError::Corrupted(fault) => {
            let (seq, reason) = (fault.seq?, fault.message.clone());
            (Finding::Undecodable { seq, reason }, Some(seq), seq)
        }
        _ => return None,
    };
    Some(BadRow { finding, present, last })
}

fn is_structural(error: &EventStoreError) -> bool {
    matches!(error, EventStoreError::Corrupted(fault) if fault.seq.is_none())
}
