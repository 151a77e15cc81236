//! Makes the indices of segments again whose files are missing or damaged, several at a time.
//!
//! A segment that is asked for and has none is walked, with those before it that have none either,
//! up to one that has: each must join the one before it. Those right behind it are walked with it
//! as far as there are threads, for whoever looks a key up goes on to them. Nothing is written.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::apart::Apart;
use super::index_file::Index;
use super::resume::fill;
use super::run::LogRun;
use super::segment::Segment;
use crate::backend::disk::Purpose;
use crate::error::Result;
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
        let (_, path) = self.segment_disk(number, Purpose::Read)?;
        let Some(file) = self.index_file(number)? else { return Ok(None) };
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
                let joined = apart.and_then(|mut apart| {
                    apart.join(&before)?;
                    Ok(apart)
                });
                match joined {
                    Ok(Apart { walked, path, .. }) => {
                        before = walked.table.chain.clone();
                        let index = Index::Memory { table: walked.table, keys: walked.keys };
                        let segment = Segment::new(piece, &self.files, path, index);
                        failure = self.set_opened(piece, segment).err();
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
}
