//! Makes the indices of segments again whose files are missing or damaged, several at a time.
//!
//! A segment that is asked for and has none is walked, with those before it that have none either,
//! up to one that has: each must join the one before it. Those right behind it are walked with it
//! as far as there are threads, for whoever looks a key up goes on to them. Nothing is written.
//!
//! A segment that is damaged has an index of what stands before that, and says so to whoever asks
//! for more: no key of it is called absent, nothing joins it, and nothing of it is cut.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::apart::{Apart, goes_on};
use super::check::fault_behind;
use super::index_file::Index;
use super::opened::Opened;
use super::resume::fill;
use super::run::LogRun;
use super::segment::{Segment, damaged};
use super::table::{Chain, Table};
use crate::backend::disk::Purpose;
use crate::error::Result;
use crate::planted::planted;
use crate::platform::parallel::in_order;

impl LogRun {
    /// A segment, opened when it was not yet.
    ///
    /// # Errors
    /// `Corrupted` when its file is gone; those of reading.
    pub(super) fn segment(&self, number: u64) -> Result<Arc<Segment>> {
        if let Some(end) = self.unread_end().filter(|end| end.segment == number) {
            // Where it ends is known, and a file of its index would not be its writer's.
            return self.opened(number)?.map_or_else(|| fill(self, end), Ok);
        }
        match self.open_or_indexed(number)? {
            Some(segment) => Ok(segment),
            None => self.rebuild(number),
        }
    }

    /// A segment that is open, or that has the file of its index; `None` when it must be walked.
    fn open_or_indexed(&self, number: u64) -> Result<Option<Arc<Segment>>> {
        if let Some(segment) = self.opened(number)? {
            return Ok(Some(segment));
        }
        // That the segment itself is gone is said before that of its index.
        let (disk, path) = self.segment_disk(number, Purpose::Read)?;
        let len = disk.len().map_err(|error| damaged(&path, error))?;
        // One that tells of more than there is, is not its index.
        let found = self.index_file(number)?.filter(|file| file.table.end <= len);
        let Some(file) = found else { return Ok(None) };
        let segment = Segment::new(number, &self.files, path, Index::File(file));
        self.set_opened(number, segment).map(Some)
    }

    fn rebuild(&self, number: u64) -> Result<Arc<Segment>> {
        let (mut first, mut end) = (number, number + 1);
        while first > 1 && self.open_or_indexed(first - 1)?.is_none() {
            first -= 1;
        }
        let threads = self.threads();
        let most = first + threads as u64;
        let last = self.unread_end().map_or(self.segment_count(), |unread| unread.segment - 1);
        let is_missing = |next: u64| matches!(self.open_or_indexed(next), Ok(None));
        while end < most && end <= last && is_missing(end) {
            end += 1;
        }
        let mut before = self.chain_before(first)?;
        let mut failure = None;
        in_order(
            threads,
            first..end,
            |piece| Apart::walk(self, piece),
            |piece, apart| {
                let joined = apart.and_then(|apart| self.joined(piece, apart, &before));
                match joined {
                    Ok(segment) => {
                        before = segment.chain();
                        failure = segment.check_whole().err();
                    }
                    Err(error) => failure = Some(error),
                }
                if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        match (self.opened(number)?, failure) {
            (Some(segment), _) => Ok(segment),
            (None, Some(error)) => Err(error),
            (None, None) => unreachable!("every piece is opened or fails"),
        }
    }

    /// The segment that was walked, behind the one that ends so; kept.
    fn joined(&self, number: u64, mut apart: Apart, before: &Chain) -> Result<Arc<Segment>> {
        apart.join(before)?;
        let fault = self.fault_of(&apart)?;
        let Apart { walked, opened: Opened { path, .. }, .. } = apart;
        let index = Index::Memory { table: walked.table, keys: walked.keys };
        self.set_opened(number, Segment::up_to_fault(number, &self.files, path, index, fault))
    }

    /// What is wrong with a segment that takes no more groups, behind the last that counts.
    fn fault_of(&self, apart: &Apart) -> Result<Option<String>> {
        let (place, Table { end, chain, .. }) = (apart.opened.place(), &apart.walked.table);
        if planted("log_rebuild_unchecked") {
            return Ok(None);
        }
        // Behind the end that a seal names may stand what was torn, until it is cut.
        if let Some(sealed) = self.sealed_end().filter(|sealed| sealed.segment == place.number) {
            let is_other = (sealed.offset, sealed.chain.watermark()) != (*end, chain.watermark());
            let reason = || format!("it ends at byte {end}, the seal says {}", sealed.offset);
            return Ok(is_other.then(reason));
        }
        if let Some(reason) = fault_behind(place, &apart.walked, false)? {
            return Ok(Some(reason));
        }
        let next = place.number + 1;
        let is_short = next <= self.segment_count() && !goes_on(&Opened::of(self, next)?, chain)?;
        let last = chain.high_watermark();
        let reason = || format!("it ends with entry {last}, but segment {next} begins elsewhere");
        Ok(is_short.then(reason))
    }
}
