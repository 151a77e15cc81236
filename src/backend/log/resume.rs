//! Opens a run whose process was killed by its watermark, at a cost that does not grow with it.
//!
//! As long as the system runs that the watermark was written in, the kernel has all that the writer
//! left, the exact watermark among it: every group up to the one that it names was flushed, and no
//! more than the few behind it need a look. The last segment is looked through (`fill`) when
//! something in it is first asked for; damage there is told then, as that of finished segments is.
//! Where anything is not as a kill leaves it, the walk through the whole segment decides: `tail`.

use std::sync::Arc;

use super::format::{GROUP_HEADER_BYTES, Marked, SEGMENT_HEADER_BYTES};
use super::index_file::Index;
use super::opened::Opened;
use super::run::LogRun;
use super::segment::{Segment, damaged};
use super::small_file::read_watermark;
use super::table::{Chain, Table};
use super::tail::{numbers, without_gap};
use super::walk::{End, Walked, walk_on};
use crate::backend::disk::Purpose;
use crate::error::{EventStoreError, Result};
use crate::planted::planted;

/// So much behind the last group is looked at: zeros there say that no group was begun.
const CLEAR_BYTES: u64 = 4096;

/// Where a log ends.
#[derive(Debug, Clone)]
pub(super) struct LogEnd {
    pub(super) segment: u64,
    /// In that segment.
    pub(super) offset: u64,
    /// Without the anchor, which any group of any segment may have, until the last is looked through.
    pub(super) chain: Chain,
}

/// What whole groups behind the watermark are worth: whether their flush was refused is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// They are read as they are.
    Read,
    /// They are to be sealed: they count if stable storage has them.
    Seal,
}

/// Publishes the end of a run that was not sealed, if its watermark leads there; `false` when the
/// last segment must be walked.
///
/// # Errors
/// Those of reading and of flushing.
pub(super) fn resume(run: &LogRun, behind: Behind) -> Result<bool> {
    let marked = read_watermark(&*run.folder, run.start.incarnation)?;
    let numbers = numbers(run)?;
    let Some(acknowledged) = acknowledged_end(run, &marked, &numbers)? else { return Ok(false) };
    let Some(mut end) = end_behind(run, &acknowledged, &numbers)? else { return Ok(false) };
    if end.chain.group > acknowledged.chain.group && behind == Behind::Seal {
        forget_cached(run, &acknowledged, &end)?;
        match end_behind(run, &acknowledged, &numbers)? {
            Some(found) => end = found,
            None => return Ok(false),
        }
    }
    run.set_segments(end.segment);
    run.publish(&end.chain);
    run.set_unread_end(end);
    Ok(true)
}

/// The end of the group that a watermark names, if that was written since the system was started
/// and the group's header stands there. Its body is worth what those before it are: it was flushed.
fn acknowledged_end(run: &LogRun, marked: &Marked, numbers: &[u64]) -> Result<Option<LogEnd>> {
    let is_of_now = run.folder.boot().is_some_and(|boot| boot == marked.boot);
    if !is_of_now && !planted("log_trust_another_boot") {
        return Ok(None);
    }
    let Marked { watermark, segment, offset, .. } = *marked;
    if segment == 0 || offset < SEGMENT_HEADER_BYTES || segment > without_gap(numbers) {
        return Ok(None);
    }
    let opened = Opened::of(run, segment)?;
    let Some((header, link)) = opened.header_at(offset)? else { return Ok(None) };
    let found = (header.number, link, header.next_seq());
    let named = (watermark.group, watermark.link, watermark.seq.saturating_add(1));
    let body = offset + GROUP_HEADER_BYTES as u64;
    if found != named || header.body_bytes > opened.len()?.saturating_sub(body) {
        return Ok(None);
    }
    let chain = Chain {
        group: header.number,
        link,
        next_seq: header.next_seq(),
        ts_init_max: header.ts_init_max,
        anchor: None,
    };
    Ok(Some(LogEnd { segment, offset: body + header.body_bytes, chain }))
}

/// The end of the last whole group behind an end; `None` when something else stands behind it.
fn end_behind(run: &LogRun, end: &LogEnd, numbers: &[u64]) -> Result<Option<LogEnd>> {
    let mut end = end.clone();
    loop {
        let opened = Opened::of(run, end.segment)?;
        let tip = Table::new(&end.chain, end.offset);
        let Walked { table, .. } = walk_on(opened.place(), tip, u64::MAX)?;
        (end.offset, end.chain) = (table.end, table.chain);
        if !opened.is_clear(end.offset)? {
            return Ok(None);
        }
        let next = end.segment + 1;
        let has_next = numbers.binary_search(&next).is_ok();
        if !has_next || Opened::of(run, next)?.is_clear(SEGMENT_HEADER_BYTES)? {
            return Ok(Some(end));
        }
        // If no group of it counts, it is not clear behind its header.
        (end.segment, end.offset) = (next, SEGMENT_HEADER_BYTES);
    }
}

/// Makes the next reads of what stands between two ends come from stable storage.
fn forget_cached(run: &LogRun, from: &LogEnd, to: &LogEnd) -> Result<()> {
    if planted("log_trust_cache") {
        return Ok(());
    }
    for number in from.segment..=to.segment {
        let (disk, path) = run.segment_disk(number, Purpose::Write)?;
        let failed = |error| EventStoreError::from_io("flushing a segment", Some(&path), error);
        let start = if number == from.segment { from.offset } else { 0 };
        let end = if number == to.segment { to.offset } else { disk.len().map_err(failed)? };
        disk.forget_cached_part(start, end).map_err(failed)?;
    }
    Ok(())
}

/// Looks through the segment that the log ends in, and keeps what is found.
///
/// # Errors
/// `Corrupted` when it does not lead to the end that was published; those of reading.
pub(super) fn fill(run: &LogRun, end: &LogEnd) -> Result<Arc<Segment>> {
    let before = run.chain_before(end.segment)?;
    let opened = Opened::of(run, end.segment)?;
    let start = Table::new(&before, SEGMENT_HEADER_BYTES);
    let Walked { table, keys, end: ended, .. } = walk_on(opened.place(), start, end.chain.group)?;
    let found = &table.chain;
    if (found.watermark(), table.end) != (end.chain.watermark(), end.offset) {
        let reason = match &ended {
            End::Broken(reason) => reason,
            End::OfFile => "its groups lead elsewhere",
        };
        let (last, sound) = (end.chain.high_watermark(), found.high_watermark());
        let text = format!("the log has entries up to {last}, it is sound up to {sound}: {reason}");
        return Err(EventStoreError::corrupted(&opened.path, text));
    }
    run.publish(found);
    let index = Index::Memory { table, keys };
    let Opened { number, path, .. } = opened;
    run.set_opened(number, Segment::new(number, &run.files, path, index))
}

impl Opened {
    /// Whether nothing was begun at a place behind a group.
    fn is_clear(&self, offset: u64) -> Result<bool> {
        let left = self.len()?.saturating_sub(offset);
        let mut bytes = vec![0; left.min(CLEAR_BYTES) as usize];
        if bytes.is_empty() {
            return Ok(true);
        }
        self.disk.read(offset, &mut bytes).map_err(|error| damaged(&self.path, error))?;
        Ok(bytes.iter().all(|byte| *byte == 0))
    }
}
