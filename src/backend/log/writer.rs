//! Appends groups to the growing segment: one write and one flush a commit.
//!
//! Invariants: (L1) a group is written only where zeros were flushed before, behind the last
//! durable group; (L2) nothing is published or marked as acknowledged before its flush returned;
//! (L3) after the first refused write or flush nothing is written any more: what the kernel kept
//! of those pages is not known; (L4) a segment takes its first group only after the one before it
//! took its last.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::ahead::{Ahead, Site, fill};
use super::format::{
    GROUP_HEADER_BYTES, GroupHeader, GroupKind, SEGMENT_HEADER_BYTES, checksum, push_record,
};
use super::index_file::Index;
use super::run::LogRun;
use super::segment::{Added, Segment, segment_name};
use super::table::{Chain, Keys, Mark, Table};
use crate::backend::disk::Disk;
use crate::codec;
use crate::entry::AppendEntry;
use crate::error::{EventStoreError, Result};
use crate::planted::planted;
use crate::snapshot::SnapshotAnchor;

/// How long the first segment is; each one is twice as long as the one before, up to the limit.
pub(super) const FIRST_SEGMENT_BYTES: u64 = 1 << 20;

/// The length of a segment.
pub(super) fn segment_bytes(number: u64, bytes_max: u64) -> u64 {
    let doublings = (number - 1).min(32) as u32;
    (FIRST_SEGMENT_BYTES << doublings).min(bytes_max)
}

/// The side of a run that appends.
pub(super) struct Writer {
    run: Arc<LogRun>,
    segment: Arc<Segment>,
    /// The growing segment, open for writing, and how long it is.
    disk: Arc<dyn Disk>,
    capacity: u64,
    chain: Chain,
    marks: Arc<dyn Disk>,
    ahead: Ahead,
    /// The next segment was asked for.
    is_asked: bool,
    segment_bytes_max: u64,
    /// Reused: the group, header first.
    buffer: Vec<u8>,
    has_failed: bool,
}

/// The files that a writer starts with.
pub(super) struct Files {
    /// The first segment, prepared.
    pub(super) first: Arc<dyn Disk>,
    /// The watermarks'.
    pub(super) marks: Arc<dyn Disk>,
}

impl Writer {
    pub(super) fn new(
        run: &Arc<LogRun>,
        files: Files,
        uses_thread: bool,
        segment_bytes_max: u64,
    ) -> Self {
        let chain = Chain::start(run.start.link);
        let segment = grown(run, 1, &chain);
        let site = Site { folder: run.folder.clone(), incarnation: run.start.incarnation };
        Self {
            run: run.clone(),
            segment,
            disk: files.first,
            capacity: segment_bytes(1, segment_bytes_max),
            chain,
            marks: files.marks,
            ahead: Ahead::new(site, uses_thread),
            is_asked: false,
            segment_bytes_max,
            buffer: Vec::new(),
            has_failed: false,
        }
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Appends entries that are in order, durable when it returns.
    ///
    /// # Errors
    /// `Disk`, `Backend`: nothing more is written from then on.
    pub(super) fn append(&mut self, entries: &[AppendEntry<'_>]) -> Result<()> {
        self.check()?;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.resize(GROUP_HEADER_BYTES, 0);
        let mut added = Vec::with_capacity(entries.len());
        let mut ts_init_max = self.chain.ts_init_max;
        for (item, left) in entries.iter().zip((1..=entries.len() as u32).rev()) {
            let offset = buffer.len() as u64;
            added.push(Mark { seq: item.entry.seq, offset, left, ts_init_max });
            push_record(&mut buffer, item);
            ts_init_max = ts_init_max.max(item.entry.ts_init);
        }
        let (first_seq, count) = (self.chain.next_seq, entries.len() as u32);
        let next =
            Chain { next_seq: first_seq + u64::from(count), ts_init_max, ..self.chain.clone() };
        let offset = self.commit(GroupKind::Entries, &mut buffer, next);
        self.buffer = buffer;
        let offset = offset?;
        let added = added.into_iter().zip(entries).map(|(mark, item)| Added {
            mark: Mark { offset: offset + mark.offset, ..mark },
            keys: item.keys,
        });
        self.published(added)
    }

    /// Stores an anchor, durable when it returns.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub(super) fn anchor(&mut self, anchor: &SnapshotAnchor) -> Result<()> {
        self.check()?;
        let frame = codec::encode_anchor(anchor);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.resize(GROUP_HEADER_BYTES, 0);
        buffer.extend_from_slice(&frame);
        let next = Chain { anchor: Some(frame), ..self.chain.clone() };
        let offset = self.commit(GroupKind::Anchor, &mut buffer, next);
        self.buffer = buffer;
        offset?;
        self.published(std::iter::empty())
    }

    fn check(&self) -> Result<()> {
        match self.has_failed {
            false => Ok(()),
            true => Err(EventStoreError::backend("an earlier write of this run was refused")),
        }
    }

    /// Writes and flushes the group in `buffer`, whose first bytes are kept for its header; answers
    /// where it stands. `next` is the chain after it, but for the group itself.
    fn commit(&mut self, kind: GroupKind, buffer: &mut [u8], next: Chain) -> Result<u64> {
        let offset = self.make_room(buffer.len() as u64).map_err(|error| self.failed(error))?;
        let body = &buffer[GROUP_HEADER_BYTES..];
        let header = GroupHeader {
            kind,
            first_seq: self.chain.next_seq,
            count: (next.next_seq - self.chain.next_seq) as u32,
            body_checksum: checksum(body),
            body_bytes: body.len() as u64,
            incarnation: self.run.incarnation(self.segment.number),
            number: self.chain.group + 1,
            ts_init_max: next.ts_init_max,
            previous: self.chain.link,
        };
        let (head, link) = header.encode();
        buffer[..GROUP_HEADER_BYTES].copy_from_slice(&head);
        let written = self
            .disk
            .write(offset, &[buffer])
            .and_then(|()| if planted("skip_sync") { Ok(()) } else { self.disk.sync_data() });
        written.map_err(|error| self.failed(error))?;
        self.chain = Chain { group: header.number, link, ..next };
        Ok(offset)
    }

    /// L2: after the flush. The watermark itself is not flushed: after a kill the kernel has it,
    /// after a power cut it may only be lower.
    fn published<'a>(&mut self, added: impl Iterator<Item = Added<'a>>) -> Result<()> {
        let end = self.segment.end().max(SEGMENT_HEADER_BYTES) + self.buffer.len() as u64;
        let mark = self.chain.watermark();
        if !planted("log_skip_watermark") {
            let bytes = mark.encode(self.run.start.incarnation);
            let marked = self.marks.write(mark.offset(), &[&bytes]);
            marked.map_err(|error| self.failed(error))?;
        }
        self.segment.grow(added, &self.chain, end);
        self.run.publish(&self.chain);
        self.ask_for_next(end);
        Ok(())
    }

    /// Once half of the segment is used up.
    fn ask_for_next(&mut self, end: u64) {
        if !self.is_asked && end > self.capacity / 2 {
            let number = self.segment.number + 1;
            self.ahead.prepare(number, segment_bytes(number, self.segment_bytes_max));
            self.is_asked = true;
        }
    }

    /// Where a group of this length goes, in this segment or the next.
    fn make_room(&mut self, bytes: u64) -> io::Result<u64> {
        let end = self.segment.end();
        if end + bytes <= self.capacity {
            return Ok(end);
        }
        if !self.is_asked {
            self.ask_for_next(u64::MAX);
        }
        self.is_asked = false;
        let number = self.segment.number + 1;
        let disk = self.ahead.prepared()?;
        let mut capacity = segment_bytes(number, self.segment_bytes_max);
        let needed = SEGMENT_HEADER_BYTES + bytes;
        if needed > capacity {
            disk.extend(capacity, needed)?;
            fill(&*disk, capacity, needed, &AtomicBool::new(false))?;
            disk.sync_data()?;
            capacity = needed;
        }
        // L4: the last group of the former is durable already.
        let former = std::mem::replace(&mut self.segment, grown(&self.run, number, &self.chain));
        (self.disk, self.capacity) = (disk, capacity);
        self.ahead.finish(former);
        Ok(SEGMENT_HEADER_BYTES)
    }

    /// L3.
    fn failed(&mut self, error: io::Error) -> EventStoreError {
        self.has_failed = !planted("log_go_on_after_failure");
        match EventStoreError::from_io("writing the log", Some(&self.segment.path), error) {
            EventStoreError::NotFound(fault) => EventStoreError::Backend(fault),
            other => other,
        }
    }

    /// Ends all work on segments; `is_abandoned` drops what has not begun.
    ///
    /// # Errors
    /// `Backend` after a failure: nothing may be written any more.
    pub(super) fn end(&mut self, is_abandoned: bool) -> Result<()> {
        self.ahead.stop(is_abandoned);
        self.check()
    }
}

/// A segment without groups, at the end of the run's.
fn grown(run: &LogRun, number: u64, chain: &Chain) -> Arc<Segment> {
    let table = Table::new(chain, SEGMENT_HEADER_BYTES);
    let index = Index::Memory { table, keys: Keys::new() };
    let path = run.path_of(&segment_name(number));
    let segment = Segment::new(number, &run.files, path, index);
    run.push_segment(segment.clone());
    segment
}
