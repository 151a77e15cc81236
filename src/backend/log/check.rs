//! Checks a whole run: each segment, how they join, and their indices.
//!
//! Segments are walked by several threads and joined in their order, so that the fault that is
//! named is always the first. Reads only. Where a log that was not sealed ends: `tail`.

use std::ops::ControlFlow;

use super::apart::Apart;
use super::index_file::{self, EncodedKeys};
use super::keys::Keys;
use super::run::LogRun;
use super::segment::index_name;
use super::small_file::MANIFEST;
use super::table::Chain;
use super::tail::{check_end, last_used};
use super::walk::{End, Place, Walked};
use crate::backend::disk::Purpose;
use crate::error::{EventStoreError, Result};
use crate::platform::parallel::in_order;

/// Checks every segment of a run, from the first to the last: each group, how they join, and the
/// index of each segment that has one. A sealed run ends where its seal says (segment, offset).
/// Answers the chain after the last group.
///
/// # Errors
/// `Corrupted` names the first fault; those of reading.
pub(super) fn check_all(
    run: &LogRun,
    sealed_last: Option<(u64, u64)>,
    threads: usize,
) -> Result<Chain> {
    let last = match sealed_last {
        Some((last, _)) => last,
        None => last_used(run)?,
    };
    let mut chain = Chain::start(run.start.link);
    let mut failure = None;
    let look = |number| Looked::at(run, number);
    in_order(threads, 1..last.saturating_add(1), look, |number, looked| {
        let is_last = number == last;
        match looked.and_then(|looked| looked.check(run, &chain, sealed_last, is_last)) {
            Ok(next) => {
                chain = next;
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    failure.map_or(Ok(chain), Err)
}

/// A segment on its way through the check, and its keys as its index must have them.
struct Looked {
    number: u64,
    apart: Apart,
    keys: EncodedKeys,
}

impl Looked {
    fn at(run: &LogRun, number: u64) -> Result<Self> {
        let mut apart = Apart::walk(run, number)?;
        let keys = EncodedKeys::of(&apart.walked.keys);
        apart.walked.keys = Keys::new();
        Ok(Self { number, apart, keys })
    }

    /// Answers the chain after the segment.
    fn check(
        mut self,
        run: &LogRun,
        before: &Chain,
        sealed_last: Option<(u64, u64)>,
        is_last: bool,
    ) -> Result<Chain> {
        if self.apart.join(before)? {
            self.keys = EncodedKeys::of(&self.apart.walked.keys);
        }
        let (place, walked) = (self.apart.opened.place(), &self.apart.walked);
        match sealed_last {
            None if is_last => check_end(run, place, walked)?,
            _ => check_finished(place, walked, sealed_last.is_some())?,
        }
        if let Some((_, expected)) = sealed_last.filter(|_| is_last)
            && expected != walked.table.end
        {
            let found = walked.table.end;
            let reason = format!("it ends at byte {found}, the seal says {expected}");
            return Err(EventStoreError::corrupted(place.path, reason));
        }
        self.check_index(run)?;
        Ok(self.apart.walked.table.chain)
    }

    /// An index that is there is the one that its segment gives.
    fn check_index(&self, run: &LogRun) -> Result<()> {
        let name = index_name(self.number);
        let path = run.path_of(&name);
        let failed = |error| EventStoreError::from_io("reading an index", Some(&path), error);
        let disk = match run.folder.open(&name, Purpose::Read) {
            Ok(disk) => disk,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let incarnation = run.incarnation(self.number);
        let table = &self.apart.walked.table;
        let expected = index_file::encode(self.number, incarnation, table, &self.keys);
        let len = disk.len().map_err(failed)?;
        let mut found = vec![0; expected.len().min(len as usize)];
        disk.read(0, &mut found).map_err(failed)?;
        if len != expected.len() as u64 || found != expected {
            let reason = "it is not the index of its segment: delete it, it is made again";
            return Err(EventStoreError::corrupted(&path, reason));
        }
        Ok(())
    }
}

/// A segment that is not the last one of a run that was left has nothing behind its last group;
/// cut or, until it is, zeros.
fn check_finished(place: Place<'_>, walked: &Walked, is_cut: bool) -> Result<()> {
    match fault_behind(place, walked, is_cut)? {
        None => Ok(()),
        Some(reason) => Err(EventStoreError::corrupted(place.path, reason)),
    }
}

/// What is wrong behind the last group of a segment that takes no more, if something is.
///
/// # Errors
/// Those of reading.
pub(super) fn fault_behind(
    place: Place<'_>,
    walked: &Walked,
    is_cut: bool,
) -> Result<Option<String>> {
    let End::Broken(reason) = &walked.end else { return Ok(None) };
    let failed = |error| EventStoreError::from_io("reading a segment", Some(place.path), error);
    let len = place.disk.len().map_err(failed)?;
    let mut at = walked.table.end;
    let mut bytes = vec![0; 64 << 10];
    while at < len {
        let count = (len - at).min(bytes.len() as u64) as usize;
        match place.disk.read(at, &mut bytes[..count]) {
            // Of a run that is followed: its writer has cut it meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read.map_err(failed)?,
        }
        if is_cut || bytes[..count].iter().any(|byte| *byte != 0) {
            return Ok(Some(reason.clone()));
        }
        at += count as u64;
    }
    Ok(None)
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
