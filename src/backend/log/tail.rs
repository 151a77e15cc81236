//! Finds where the log of a run that was not sealed really ends, from its last segment alone.
//!
//! The end is that of the last group that counts (`walk`). What follows may be the torn remains of
//! one group that was never acknowledged, and is then not part of the run. It is damage instead
//! when the watermark says that more was acknowledged, or when a group behind it shows that the
//! broken one had been whole. Reads only. Who cuts: `finish`.

use std::path::Path;

use super::format::SEGMENT_HEADER_BYTES;
use super::index_file::Index;
use super::run::LogRun;
use super::segment::{Segment, segment_number};
use super::small_file::{MANIFEST, read_watermark};
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
    let missing = (1..=last).find(|number| found.binary_search(number).is_err());
    match missing {
        None => Ok(last),
        Some(number) => {
            let reason = format!("segment {number} of {last} is missing");
            Err(EventStoreError::corrupted(&run.path, reason))
        }
    }
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
    let (disk, path) = run.segment_disk(last, Purpose::Read)?;
    let incarnation = run.incarnation(last);
    let place = Place { disk: &*disk, path: &path, number: last, incarnation };
    let walked = walk(place, &before)?;
    check_end(run, place, &walked)?;
    let chain = walked.table.chain.clone();
    let index = Index::Memory { table: walked.table, keys: walked.keys };
    run.push_segment(Segment::new(last, &run.files, path, index));
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
    let mark = read_watermark(&*run.folder, run.start.incarnation)?;
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

/// Checks every segment of a run, from the first to the last: each group, how they join, and the
/// index of each segment that has one. A sealed run ends where its seal says (segment, offset).
/// Answers the chain after the last group.
///
/// # Errors
/// `Corrupted` names the first fault; those of reading.
pub(super) fn check_all(run: &LogRun, sealed_last: Option<(u64, u64)>) -> Result<Chain> {
    let last = match sealed_last {
        Some((last, _)) => last,
        None => last_used(run)?,
    };
    let mut chain = Chain::start(run.start.link);
    for number in 1..=last {
        let (disk, path) = run.segment_disk(number, Purpose::Read)?;
        let incarnation = run.incarnation(number);
        let place = Place { disk: &*disk, path: &path, number, incarnation };
        let walked = walk(place, &chain)?;
        if sealed_last.is_none() && number == last {
            check_end(run, place, &walked)?;
        } else {
            check_finished(place, &walked, sealed_last.is_some())?;
        }
        if let Some(sealed) = sealed_last.filter(|sealed| sealed.0 == number)
            && sealed.1 != walked.table.end
        {
            let (found, expected) = (walked.table.end, sealed.1);
            let reason = format!("it ends at byte {found}, the seal says {expected}");
            return Err(EventStoreError::corrupted(&path, reason));
        }
        check_index(run, number, &walked)?;
        chain = walked.table.chain;
    }
    Ok(chain)
}

/// A segment that is not the last one of a run that was left has nothing behind its last group;
/// cut or, until it is, zeros.
fn check_finished(place: Place<'_>, walked: &Walked, is_cut: bool) -> Result<()> {
    let End::Broken(reason) = &walked.end else { return Ok(()) };
    let failed = |error| EventStoreError::from_io("reading a segment", Some(place.path), error);
    let len = place.disk.len().map_err(failed)?;
    let mut at = walked.table.end;
    let mut bytes = vec![0; 64 << 10];
    while at < len {
        let count = (len - at).min(bytes.len() as u64) as usize;
        place.disk.read(at, &mut bytes[..count]).map_err(failed)?;
        if is_cut || bytes[..count].iter().any(|byte| *byte != 0) {
            return Err(EventStoreError::corrupted(place.path, reason.clone()));
        }
        at += count as u64;
    }
    Ok(())
}

/// An index that is there is the one that its segment gives.
fn check_index(run: &LogRun, number: u64, walked: &Walked) -> Result<()> {
    let name = super::segment::index_name(number);
    let path = run.path_of(&name);
    let failed = |error| EventStoreError::from_io("reading an index", Some(&path), error);
    let disk = match run.folder.open(&name, Purpose::Read) {
        Ok(disk) => disk,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let expected =
        super::index_file::encode(number, run.incarnation(number), &walked.table, &walked.keys);
    let len = disk.len().map_err(failed)?;
    let mut found = vec![0; expected.len().min(len as usize)];
    disk.read(0, &mut found).map_err(failed)?;
    if len != expected.len() as u64 || found != expected {
        let reason = "it is not the index of its segment: delete it, it is made again";
        return Err(EventStoreError::corrupted(&path, reason));
    }
    Ok(())
}

/// The chain that a seal names is the one that the log has.
///
/// # Errors
/// `Corrupted`.
pub(super) fn check_sealed_chain(run: &LogRun, sealed: &Chain, found: &Chain) -> Result<()> {
    if sealed == found {
        return Ok(());
    }
    let path = run.path_of(MANIFEST);
    let reason = format!(
        "the log ends with entry {} in group {}, the seal says entry {} in group {}",
        found.high_watermark(),
        found.group,
        sealed.high_watermark(),
        sealed.group
    );
    Err(EventStoreError::corrupted(&path, reason))
}
