//! Walks a segment before those before it were walked, so that several are walked at a time.
//!
//! What a walk takes from the segments before it is little: what the first group must join, the
//! largest `ts_init`, and the anchor. The first is assumed to be what the first group itself
//! names, and the others are put right afterwards. Where the assumption was wrong, the segment is
//! walked again: the answer is always that of a walk in turn.

use std::path::PathBuf;
use std::sync::Arc;

use super::format::{GROUP_HEADER_BYTES, GroupHeader, SEGMENT_HEADER_BYTES};
use super::run::LogRun;
use super::table::Chain;
use super::walk::{Place, Walked, walk};
use crate::backend::disk::{Disk, Purpose};
use crate::error::{EventStoreError, Result};

/// A segment that was walked and not yet joined.
pub(super) struct Apart {
    disk: Arc<dyn Disk>,
    pub(super) path: PathBuf,
    number: u64,
    incarnation: u64,
    assumed: Chain,
    pub(super) walked: Walked,
}

impl Apart {
    /// Walks a segment of a run.
    ///
    /// # Errors
    /// `Corrupted` when its file is gone; those of reading.
    pub(super) fn walk(run: &LogRun, number: u64) -> Result<Self> {
        let (disk, path) = run.segment_disk(number, Purpose::Read)?;
        let incarnation = run.incarnation(number);
        let place = Place { disk: &*disk, path: &path, number, incarnation };
        let assumed = named_by_first_group(place)?.unwrap_or_else(|| Chain::start(0));
        let walked = walk(place, &assumed)?;
        Ok(Self { disk, path, number, incarnation, assumed, walked })
    }

    pub(super) fn place(&self) -> Place<'_> {
        let Self { disk, path, number, incarnation, .. } = self;
        Place { disk: &**disk, path, number: *number, incarnation: *incarnation }
    }

    /// Makes the walk one that began with `before`; answers whether it had to be walked again.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn join(&mut self, before: &Chain) -> Result<bool> {
        if joint(&self.assumed) != joint(before) {
            self.walked = walk(self.place(), before)?;
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

/// Whether the segment of this number goes on where a chain ends; one of whose first group nothing
/// can be told does not tell otherwise.
///
/// # Errors
/// As [`Apart::walk`].
pub(super) fn goes_on(run: &LogRun, number: u64, chain: &Chain) -> Result<bool> {
    let (disk, path) = run.segment_disk(number, Purpose::Read)?;
    let incarnation = run.incarnation(number);
    let place = Place { disk: &*disk, path: &path, number, incarnation };
    let named = named_by_first_group(place)?;
    Ok(named.is_none_or(|named| joint(&named) == joint(chain)))
}

/// The chain that the first group names as the one before it, without what it does not name.
fn named_by_first_group(place: Place<'_>) -> Result<Option<Chain>> {
    let Some((header, _)) = header_at(place, SEGMENT_HEADER_BYTES)? else { return Ok(None) };
    let GroupHeader { number, previous, first_seq, incarnation, .. } = header;
    let is_own = number > 0 && incarnation == place.incarnation;
    Ok(is_own.then(|| Chain {
        group: number - 1,
        link: previous,
        next_seq: first_seq,
        ..Chain::start(0)
    }))
}

/// The group header at an offset and its checksum, if one stands there.
///
/// # Errors
/// Those of reading.
pub(super) fn header_at(place: Place<'_>, offset: u64) -> Result<Option<(GroupHeader, u32)>> {
    let failed = |error| EventStoreError::from_io("reading a segment", Some(place.path), error);
    let mut head = [0; GROUP_HEADER_BYTES];
    if place.disk.len().map_err(failed)? < offset.saturating_add(head.len() as u64) {
        return Ok(None);
    }
    place.disk.read(offset, &mut head).map_err(failed)?;
    Ok(GroupHeader::decode(&head))
}
