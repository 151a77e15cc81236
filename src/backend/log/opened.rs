//! A segment that is opened to be looked at group by group.
//!
//! Holds its file and what a walk needs to know it by; reads nothing by itself. What readers and
//! the writer share of a segment, and where its index is: `segment`.

use std::path::PathBuf;
use std::sync::Arc;

use super::format::{GROUP_HEADER_BYTES, GroupHeader};
use super::run::LogRun;
use super::segment::damaged;
use super::walk::Place;
use crate::backend::disk::{Disk, Purpose};
use crate::error::Result;

/// See the module.
pub(super) struct Opened {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) path: PathBuf,
    pub(super) number: u64,
    incarnation: u64,
}

impl Opened {
    /// # Errors
    /// `Corrupted` when its file is gone; those of reading.
    pub(super) fn of(run: &LogRun, number: u64) -> Result<Self> {
        let (disk, path) = run.segment_disk(number, Purpose::Read)?;
        Ok(Self { disk, path, number, incarnation: run.incarnation(number) })
    }

    pub(super) fn place(&self) -> Place<'_> {
        let Self { disk, path, number, incarnation } = self;
        Place { disk: &**disk, path, number: *number, incarnation: *incarnation }
    }

    pub(super) fn len(&self) -> Result<u64> {
        self.disk.len().map_err(|error| damaged(&self.path, error))
    }

    /// The header of a group of this segment at an offset, and its checksum, if one stands there.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn header_at(&self, offset: u64) -> Result<Option<(GroupHeader, u32)>> {
        let mut head = [0; GROUP_HEADER_BYTES];
        if self.len()? < offset.saturating_add(head.len() as u64) {
            return Ok(None);
        }
        self.disk.read(offset, &mut head).map_err(|error| damaged(&self.path, error))?;
        Ok(GroupHeader::decode(&head).filter(|(header, _)| header.incarnation == self.incarnation))
    }
}
