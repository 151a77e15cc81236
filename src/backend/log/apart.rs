//! Walks a segment before those before it were walked, so that several are walked at a time.
//!
//! What a walk takes from the segments before it is little: what the first group must join, the
//! largest `ts_init`, and the anchor. The first is assumed to be what the first group itself
//! names, and the others are put right afterwards. Where the assumption was wrong, the segment is
//! walked again: the answer is always that of a walk in turn.

use super::format::SEGMENT_HEADER_BYTES;
use super::opened::Opened;
use super::run::LogRun;
use super::table::Chain;
use super::walk::{Walked, walk};
use crate::error::Result;

/// A segment that was walked and not yet joined.
pub(super) struct Apart {
    pub(super) opened: Opened,
    assumed: Chain,
    pub(super) walked: Walked,
}

impl Apart {
    /// Walks a segment of a run.
    ///
    /// # Errors
    /// `Corrupted` when its file is gone; those of reading.
    pub(super) fn walk(run: &LogRun, number: u64) -> Result<Self> {
        let opened = Opened::of(run, number)?;
        let assumed = named_by_first_group(&opened)?.unwrap_or_else(|| Chain::start(0));
        let walked = walk(opened.place(), &assumed)?;
        Ok(Self { opened, assumed, walked })
    }

    /// Makes the walk one that began with `before`; answers whether it had to be walked again.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn join(&mut self, before: &Chain) -> Result<bool> {
        if joint(&self.assumed) != joint(before) {
            self.walked = walk(self.opened.place(), before)?;
            return Ok(true);
        }
        let Walked { table, first_marks, .. } = &mut self.walked;
        table.ts_init_before = before.ts_init_max;
        // From its second group on, a walk goes by what the groups name.
        for mark in &mut table.marks[..*first_marks] {
            mark.ts_init_max = mark.ts_init_max.max(before.ts_init_max);
        }
        if table.chain.group == before.group {
            table.chain = before.clone();
        } else if table.chain.anchor.is_none() {
            table.chain.anchor.clone_from(&before.anchor);
        }
        Ok(false)
    }
}

/// What the first group behind a chain has to name of it.
fn joint(chain: &Chain) -> (u64, u32, u64) {
    (chain.group, chain.link, chain.next_seq)
}

/// Whether a segment goes on where a chain ends; one of whose first group nothing can be told does
/// not tell otherwise.
///
/// # Errors
/// Those of reading.
pub(super) fn goes_on(opened: &Opened, chain: &Chain) -> Result<bool> {
    Ok(named_by_first_group(opened)?.is_none_or(|named| joint(&named) == joint(chain)))
}

/// The chain that the first group names as the one before it, without what it does not name.
fn named_by_first_group(opened: &Opened) -> Result<Option<Chain>> {
    let first = opened.header_at(SEGMENT_HEADER_BYTES)?;
    Ok(first.filter(|(header, _)| header.number > 0).map(|(header, _)| Chain {
        group: header.number - 1,
        link: header.previous,
        next_seq: header.first_seq,
        ..Chain::start(0)
    }))
}
