//! Appends groups to the growing segment: one write and one flush a commit, at once or, when
//! the next group is to be prepared meanwhile, on the flusher's thread.
//!
//! Invariants: (L1) a group is written only where zeros were flushed before, behind the last
//! durable group; (L2) nothing is published or marked as acknowledged before its flush returned;
//! (L3) after the first refused write or flush nothing is written any more: what the kernel kept
//! of those pages is not known; (L4) a segment takes its first group only after the one before it
//! took its last.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::ahead::{Ahead, Site};
use super::flusher::{Flusher, Write};
use super::format::{
    GROUP_HEADER_BYTES, GroupHeader, GroupKind, Marked, SEGMENT_HEADER_BYTES, checksum, push_record,
};
use super::index_file::Index;
use super::keys::Keys;
use super::run::LogRun;
use super::segment::{Added, Segment, segment_name};
use super::table::{Chain, Mark, Table};
use crate::backend::disk::{BootId, Disk, write_zeros};
use crate::codec;
use crate::entry::AppendEntry;
use crate::error::{EventStoreError, Result};
use crate::planted::planted;
use crate::snapshot::SnapshotAnchor;

/// How long the first segment is; each one is twice as long as the one before, up to the limit.
pub(super) const FIRST_SEGMENT_BYTES: u64 = 1 << 20;

/// The longest group whose memory is kept for the next one.
const SPARE_BYTES_MAX: usize = 8 << 20;

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
    boot: BootId,
    ahead: Ahead,
    /// The next segment was asked for.
    is_asked: bool,
    segment_bytes_max: u64,
    /// Where the last group ends in its segment.
    end: u64,
    /// Groups that were written, or are about to be, and are not published yet.
    started: VecDeque<Started>,
    flusher: Flusher,
    uses_thread: bool,
    /// Reused: the bytes of groups.
    spare: Vec<Vec<u8>>,
    has_failed: bool,
}

/// A group on its way to the disk: what is published once it is durable.
struct Started {
    segment: Arc<Segment>,
    chain: Chain,
    /// Where it starts and ends in its segment.
    offset: u64,
    end: u64,
    /// The last one of its segment.
    is_last: bool,
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
        let site = Site::new(run.folder.clone(), run.start.incarnation);
        Self {
            run: run.clone(),
            segment,
            disk: files.first,
            capacity: segment_bytes(1, segment_bytes_max),
            chain,
            marks: files.marks,
            boot: run.folder.boot().unwrap_or_default(),
            ahead: Ahead::new(site, uses_thread),
            is_asked: false,
            segment_bytes_max,
            end: SEGMENT_HEADER_BYTES,
            started: VecDeque::new(),
            flusher: Flusher::new(),
            uses_thread,
            spare: Vec::new(),
            has_failed: false,
        }
    }

    /// Behind the last group, which need not be durable yet.
    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Whether groups can be started, and finished later.
    pub(super) fn can_start(&mut self) -> bool {
        self.uses_thread && self.flusher.is_ready()
    }

    /// Appends entries that are in order, durable when it returns.
    ///
    /// # Errors
    /// `Disk`, `Backend`: nothing more is written from then on.
    pub(super) fn append(&mut self, entries: &[AppendEntry<'_>]) -> Result<()> {
        let (write, marks) = self.frame(entries)?;
        self.perform(write)?;
        self.index(entries, marks);
        self.publish()
    }

    /// Takes entries in that are in order, and begins to make them durable.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub(super) fn start(&mut self, entries: &[AppendEntry<'_>]) -> Result<()> {
        let (write, marks) = self.frame(entries)?;
        self.flusher.start(write);
        self.index(entries, marks);
        Ok(())
    }

    /// Whether [`Writer::finish`] will not wait.
    pub(super) fn is_flushed(&self) -> bool {
        self.flusher.is_done()
    }

    /// Waits for the oldest group that was started; answers the high-watermark with it.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub(super) fn finish(&mut self) -> Result<u64> {
        let bytes = self.flusher.wait().map_err(|error| self.failed(error))?;
        self.keep(bytes);
        self.publish()?;
        Ok(self.run.high_watermark())
    }

    /// Stores an anchor, durable when it returns.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub(super) fn anchor(&mut self, anchor: &SnapshotAnchor) -> Result<()> {
        let frame = codec::encode_anchor(anchor);
        let mut bytes = self.begin()?;
        bytes.extend_from_slice(&frame);
        let next = Chain { anchor: Some(frame), ..self.chain.clone() };
        let write = self.close_group(GroupKind::Anchor, bytes, next)?;
        self.perform(write)?;
        self.publish()
    }

    /// The bytes of a group with room for its header.
    fn begin(&mut self) -> Result<Vec<u8>> {
        self.check()?;
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.resize(GROUP_HEADER_BYTES, 0);
        Ok(bytes)
    }

    fn check(&self) -> Result<()> {
        if self.has_failed {
            return Err(EventStoreError::backend("an earlier write of this run was refused"));
        }
        match self.ahead.refused().filter(|_| !planted("log_go_on_after_failure")) {
            None => Ok(()),
            Some(reason) => {
                let text = format!("the flush of a segment that was cut was refused: {reason}");
                Err(EventStoreError::backend(text))
            }
        }
    }

    /// Nothing is written any more: the seal was refused, and how much of it is there is not known.
    pub(super) fn stop(&mut self) {
        self.has_failed = true;
    }

    /// The group of these entries, and where in its segment each of them stands.
    fn frame(&mut self, entries: &[AppendEntry<'_>]) -> Result<(Write, Vec<Mark>)> {
        let mut bytes = self.begin()?;
        let mut marks = Vec::with_capacity(entries.len());
        let mut ts_init_max = self.chain.ts_init_max;
        for (item, left) in entries.iter().zip((1..=entries.len() as u32).rev()) {
            let offset = bytes.len() as u64;
            marks.push(Mark { seq: item.entry.seq, offset, left, ts_init_max });
            push_record(&mut bytes, item);
            ts_init_max = ts_init_max.max(item.entry.ts_init);
        }
        let next_seq = self.chain.next_seq + entries.len() as u64;
        let next = Chain { next_seq, ts_init_max, ..self.chain.clone() };
        let write = self.close_group(GroupKind::Entries, bytes, next)?;
        marks.iter_mut().for_each(|mark| mark.offset += write.offset);
        Ok((write, marks))
    }

    /// Gives a group its place and its header. `next` is the chain after it, but for the group
    /// itself.
    fn close_group(&mut self, kind: GroupKind, mut bytes: Vec<u8>, next: Chain) -> Result<Write> {
        let offset = self.make_room(bytes.len() as u64).map_err(|error| self.failed(error))?;
        let body = &bytes[GROUP_HEADER_BYTES..];
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
        bytes[..GROUP_HEADER_BYTES].copy_from_slice(&head);
        self.end = offset + bytes.len() as u64;
        self.chain = Chain { group: header.number, link, ..next };
        let (segment, chain, end) = (self.segment.clone(), self.chain.clone(), self.end);
        self.started.push_back(Started { segment, chain, offset, end, is_last: false });
        Ok(Write { disk: self.disk.clone(), offset, bytes })
    }

    /// Writes and flushes a group here and now.
    fn perform(&mut self, write: Write) -> Result<()> {
        debug_assert_eq!(self.started.len(), 1, "what was started is finished first");
        write.perform().map_err(|error| {
            self.started.pop_back();
            self.failed(error)
        })?;
        self.keep(write.bytes);
        Ok(())
    }

    /// For the next group; the memory of an unusually large one goes back to the allocator.
    fn keep(&mut self, bytes: Vec<u8>) {
        if bytes.capacity() <= SPARE_BYTES_MAX {
            self.spare.push(bytes);
        }
    }

    fn index(&self, entries: &[AppendEntry<'_>], marks: Vec<Mark>) {
        let added = marks.into_iter().zip(entries);
        self.segment.add(added.map(|(mark, item)| Added { mark, keys: item.keys }));
    }

    /// L2: after the flush of the oldest group. The watermark itself is not flushed: after a kill
    /// the kernel has it, after a power cut it may only be lower.
    fn publish(&mut self) -> Result<()> {
        let group = self.started.pop_front().expect("it was started before it was flushed");
        let mark = Marked {
            watermark: group.chain.watermark(),
            segment: group.segment.number,
            offset: group.offset,
            boot: self.boot,
        };
        if !planted("log_skip_watermark") {
            let bytes = mark.encode(self.run.start.incarnation);
            let marked = self.marks.write(mark.place(), &[&bytes]);
            marked.map_err(|error| self.failed(error))?;
        }
        group.segment.reach(&group.chain, group.end);
        self.run.publish(&group.chain);
        if group.is_last {
            self.ahead.finish(group.segment);
        }
        self.ask_for_next(self.end);
        Ok(())
    }

    /// Once an eighth of the segment is used up: the next is twice as long at first, and is to be
    /// ready before the rest is used up at the speed of the disk.
    fn ask_for_next(&mut self, end: u64) {
        if !self.is_asked && end > self.capacity / 8 {
            let number = self.segment.number + 1;
            self.ahead.prepare(number, segment_bytes(number, self.segment_bytes_max));
            self.is_asked = true;
        }
    }

    /// Where a group of this length goes, in this segment or the next.
    fn make_room(&mut self, bytes: u64) -> io::Result<u64> {
        if self.end + bytes <= self.capacity {
            return Ok(self.end);
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
            write_zeros(&*disk, capacity..needed, || true)?;
            disk.sync_data()?;
            capacity = needed;
        }
        // L4: groups are written in their order.
        let former = std::mem::replace(&mut self.segment, grown(&self.run, number, &self.chain));
        (self.disk, self.capacity) = (disk, capacity);
        match self.started.back_mut() {
            Some(last) => last.is_last = true,
            None => self.ahead.finish(former),
        }
        Ok(SEGMENT_HEADER_BYTES)
    }

    /// L3.
    fn failed(&mut self, error: io::Error) -> EventStoreError {
        self.has_failed = !planted("log_go_on_after_failure");
        EventStoreError::from_io_within("writing the log", &self.segment.path, error)
    }

    /// Ends all work on segments; `is_abandoned` drops what has not begun.
    ///
    /// # Errors
    /// `Backend` after a failure: nothing may be written any more.
    pub(super) fn end(&mut self, is_abandoned: bool) -> Result<()> {
        self.flusher.end();
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
