//! Finds where the log of a run that was not sealed really ends, from its last segment alone.
//!
//! The end is that of the last group that counts (`walk`). What follows may be the torn remains of
//! one group that was never acknowledged, and is then not part of the run. It is damage instead
//! when the watermark says that more was acknowledged, or when a group behind it shows that the
//! broken one had been whole. Reads only. Who cuts: `ahead`. The check of a whole run: `check`. How
//! a kill is told from a power cut, and this walk then spared: `resume`.

use std::path::Path;

use super::format::SEGMENT_HEADER_BYTES;
use super::index_file::Index;
use super::opened::Opened;
use super::run::LogRun;
use super::segment::{Segment, segment_number};
use super::small_file::read_watermark;
use super::table::Chain;
use super::walk::{End, Place, Walked, next_header, walk};
use crate::backend::disk::{Disk, Purpose};
use crate::error::{EventStoreError, Result};
use crate::planted::planted;

/// The numbers of all segments that have a file, sorted.
///
/// # Errors
/// Those of reading the directory.
pub(super) fn numbers(run: &LogRun) -> Result<Vec<u64>> {
    let names = run.folder.names().map_err(|error| {
        EventStoreError::from_io("listing the run's segments", Some(&run.path), error)
    })?;
    Ok(names.iter().filter_map(|name| segment_number(name)).collect())
}

/// How many segments from the first on have a file, of the sorted numbers of all that have.
pub(super) fn without_gap(numbers: &[u64]) -> u64 {
    (1..).zip(numbers).take_while(|(expected, number)| expected == *number).count() as u64
}

/// # Errors
/// `Corrupted` unless every segment up to the last has a file, by the sorted numbers.
pub(super) fn check_present(run: &LogRun, numbers: &[u64], last: u64) -> Result<()> {
    let present = without_gap(numbers);
    if last <= present {
        return Ok(());
    }
    let reason = format!("segment {} of {last} is missing", present + 1);
    Err(EventStoreError::corrupted(&run.path, reason))
}

/// The last segment that has a group or the beginning of one.
///
/// # Errors
/// `Corrupted` when a segment before it is missing; those of reading.
pub(super) fn last_used(run: &LogRun) -> Result<u64> {
    let found = numbers(run)?;
    let mut last = 1;
    for &number in found.iter().rev() {
        let (disk, path) = run.segment_disk(number, Purpose::Read)?;
        if number == 1 || is_used(&*disk, &path)? {
            last = number;
            break;
        }
    }
    check_present(run, &found, last)?;
    Ok(last)
}

/// Whether anything stands in it but the zeros that it was prepared with. All of it is looked at:
/// of a group that was torn, or of one whose beginning was lost later, any part may be there.
fn is_used(disk: &dyn Disk, path: &Path) -> Result<bool> {
    const LOOK_BYTES: u64 = 256 << 10;
    let failed = |error| EventStoreError::from_io("reading a segment", Some(path), error);
    let len = disk.len().map_err(failed)?;
    let mut bytes = vec![0; LOOK_BYTES as usize];
    let mut at = SEGMENT_HEADER_BYTES;
    while at < len {
        let part = &mut bytes[..(len - at).min(LOOK_BYTES) as usize];
        disk.read(at, part).map_err(failed)?;
        if part.iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
        at += part.len() as u64;
    }
    Ok(false)
}

/// Loads a run that was not sealed, for reading: opens its last segment and publishes its end.
///
/// # Errors
/// `Corrupted` when acknowledged entries are damaged or missing; those of reading.
pub(super) fn load(run: &LogRun) -> Result<()> {
    let last = last_used(run)?;
    run.set_segments(last - 1);
    let before = run.chain_before(last)?;
    let opened = Opened::of(run, last)?;
    let walked = walk(opened.place(), &before)?;
    check_end(run, opened.place(), &walked)?;
    let chain = walked.table.chain.clone();
    let index = Index::Memory { table: walked.table, keys: walked.keys };
    run.push_segment(Segment::new(last, &run.files, opened.path, index));
    run.publish(&chain);
    Ok(())
}

/// Says whether the end of a walk through the last segment is the end of the log.
///
/// # Errors
/// `Corrupted` when it is not.
pub(super) fn check_end(run: &LogRun, place: Place<'_>, walked: &Walked) -> Result<()> {
    let chain = &walked.table.chain;
    let reason = match &walked.end {
        End::OfFile => "the file ends there",
        End::Broken(reason) => reason,
    };
    check_watermark(run, chain, reason, place.path)?;
    let is_headless = walked.table.end == SEGMENT_HEADER_BYTES && reason.contains("its header");
    if is_headless {
        return Err(EventStoreError::corrupted(place.path, reason));
    }
    // The group after the last was written only when the last was whole.
    let later = next_header(place, walked.table.end, chain.group + 2)?;
    if let Some(offset) = later.filter(|_| !planted("log_skip_later_groups")) {
        let text = format!("{reason}, and a later group stands at byte {offset}");
        return Err(EventStoreError::corrupted(place.path, text));
    }
    Ok(())
}

fn check_watermark(run: &LogRun, chain: &Chain, reason: &str, path: &Path) -> Result<()> {
    let mark = read_watermark(&*run.folder, run.start.incarnation)?.watermark;
    if planted("log_ignore_watermark") {
        return Ok(());
    }
    if mark.group > chain.group {
        let (acknowledged, found) = (mark.seq, chain.high_watermark());
        let text = format!(
            "entries up to {acknowledged} were acknowledged, the log is sound up to {found}: {reason}"
        );
        return Err(EventStoreError::corrupted(path, text));
    }
    if mark.group == chain.group && mark.group > 0 && mark.link != chain.link {
        let text = format!("group {} is not the one that was acknowledged", mark.group);
        return Err(EventStoreError::corrupted(path, text));
    }
    Ok(())
}
