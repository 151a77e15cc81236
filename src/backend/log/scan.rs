//! Visits the rows of a range, each decoded, in its place, and with its hash recomputed.
//!
//! Streams in either direction with one window of the log in memory, hashes the rows in it many at
//! a time, and stops at the first row that is not as it was written. Only entries up to the caller's
//! high-watermark are looked at, so that nothing the writer is about to write is ever read. The
//! memory of a visit is kept for the next: filling fresh pages costs as much as hashing the rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use parking_lot::Mutex;

use super::format::{
    GROUP_HEADER_BYTES, GroupHeader, GroupKind, RECORD_HEADER_BYTES, Record, RecordHeader,
};
use super::segment::{Segment, damaged};
use super::table::{Mark, Stretch};
use crate::backend::RowVisitor;
use crate::codec;
use crate::entry::Row;
use crate::error::{EventStoreError, Fault, Result};
use crate::hash::{BATCH_ENTRIES, HashBatch};

/// How much is read at once when rows are visited in a row.
const STREAM_BYTES: usize = 256 << 10;
/// A record longer than this is shown on its own when rows are visited downwards.
const LONG_RECORD_BYTES: usize = 20 << 10;

/// Memory of visits that ended, for those to come.
#[derive(Default)]
pub(super) struct IdleMemory(Mutex<Vec<Memory>>);

/// What one visit needs.
pub(super) struct Memory {
    bytes: Vec<u8>,
    batch: Batch,
}

impl IdleMemory {
    /// So many visits at a time find memory; more make their own.
    const IDLE_MAX: usize = 4;
    /// A window that one large record stretched beyond this is not kept.
    const BYTES_MAX: usize = 2 * STREAM_BYTES;

    /// Lends a visit its memory.
    pub(super) fn lend<T>(&self, visit: impl FnOnce(&mut Memory) -> T) -> T {
        let found = self.0.lock().pop();
        let mut memory = found.unwrap_or_else(|| Memory { bytes: Vec::new(), batch: Batch::new() });
        let answer = visit(&mut memory);
        memory.batch.reset();
        let mut idle = self.0.lock();
        if idle.len() < Self::IDLE_MAX && memory.bytes.len() <= Self::BYTES_MAX {
            idle.push(memory);
        }
        answer
    }
}

impl std::fmt::Debug for IdleMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("IdleMemory").field(&self.0.lock().len()).finish()
    }
}

/// A part of a segment in memory.
struct Window<'m> {
    segment: Arc<Segment>,
    /// Nothing beyond is read.
    end: u64,
    start: u64,
    /// So many of the bytes are those of the segment from `start` on.
    len: usize,
    bytes: &'m mut Vec<u8>,
    /// The next read need not reach beyond; no more than a guess.
    enough: u64,
}

impl Window<'_> {
    /// The bytes of a range, read in larger pieces.
    fn get(&mut self, offset: u64, count: usize) -> Result<&[u8]> {
        let end = offset.checked_add(count as u64).filter(|end| *end <= self.end);
        let Some(end) = end else {
            let reason = format!("{count} bytes at byte {offset} reach beyond the last group");
            return Err(EventStoreError::corrupted(&self.segment.path, reason));
        };
        if offset < self.start || end > self.start + self.len as u64 {
            let most = self.end.min(if offset < self.enough { self.enough } else { u64::MAX });
            let ahead = (most - offset).min(STREAM_BYTES as u64) as usize;
            self.fill(offset, ahead.max(count))?;
        }
        let at = (offset - self.start) as usize;
        Ok(&self.bytes[at..at + count])
    }

    /// Kept apart from [`Window::get`], which a visit calls for every record.
    #[cold]
    fn fill(&mut self, offset: u64, count: usize) -> Result<()> {
        if self.bytes.len() < count {
            self.bytes.resize(count, 0);
        }
        (self.start, self.len) = (offset, 0);
        let read = self.segment.file.read(offset, &mut self.bytes[..count]);
        read.map_err(|error| damaged(&self.segment.path, error))?;
        self.len = count;
        Ok(())
    }

    /// Whether [`Window::get`] of this range reads nothing new.
    fn has(&self, offset: u64, count: usize) -> bool {
        let end = offset.saturating_add(count as u64);
        offset >= self.start && end <= self.start + self.len as u64
    }

    /// A record's bytes, which are in memory.
    fn slice(&self, place: Place) -> &[u8] {
        let at = (place.offset - self.start) as usize;
        &self.bytes[at..at + place.bytes]
    }
}

/// Walks the records of a segment from a mark on.
struct Cursor<'m> {
    window: Window<'m>,
    offset: u64,
    left: u32,
    seq: u64,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    seq: u64,
    offset: u64,
    bytes: usize,
}

impl Place {
    fn end(self) -> u64 {
        self.offset.saturating_add(self.bytes as u64)
    }
}

impl<'m> Cursor<'m> {
    fn at(segment: &Arc<Segment>, stretch: &Stretch, to: u64, bytes: &'m mut Vec<u8>) -> Self {
        let Mark { seq, offset, left, .. } = stretch.mark;
        let (segment, end, enough) = (segment.clone(), stretch.end, stretch.guess(to));
        let window = Window { segment, end, start: 0, len: 0, bytes, enough };
        Self { window, offset, left, seq }
    }

    /// Steps to the next record; answers where it is, `None` at the end of the segment.
    fn step(&mut self) -> Result<Option<Place>> {
        while self.left == 0 {
            if self.offset >= self.window.end {
                return Ok(None);
            }
            let bytes = self.window.get(self.offset, GROUP_HEADER_BYTES)?;
            let Some((header, _)) = GroupHeader::decode(bytes) else {
                let reason = format!("no group header stands at byte {}", self.offset);
                return Err(EventStoreError::corrupted(&self.window.segment.path, reason));
            };
            self.offset += GROUP_HEADER_BYTES as u64;
            match header.kind {
                GroupKind::Anchor => self.offset = self.offset.saturating_add(header.body_bytes),
                GroupKind::Entries => {
                    (self.left, self.seq) = (header.count, header.first_seq);
                }
            }
        }
        let head = self.window.get(self.offset, RECORD_HEADER_BYTES)?;
        let head = head.first_chunk().expect("the length asked for");
        let bytes = RecordHeader::decode(head).record_bytes();
        let place = Place { seq: self.seq, offset: self.offset, bytes };
        self.offset = place.end();
        self.left -= 1;
        self.seq += 1;
        Ok(Some(place))
    }

    /// Whether the next step reads nothing new.
    fn is_next_in_memory(&self) -> bool {
        self.window.has(self.offset, GROUP_HEADER_BYTES + RECORD_HEADER_BYTES)
    }
}

/// Records on their way to the visitor, their hashes computed together.
struct Batch {
    places: Vec<Place>,
    hasher: HashBatch,
    /// Grows from a few to [`BATCH_ENTRIES`], so that a short visit hashes little in vain.
    entries_max: usize,
}

impl Batch {
    const ENTRIES_FIRST: usize = 4;

    fn new() -> Self {
        let (places, hasher) = (Vec::new(), HashBatch::new());
        Self { places, hasher, entries_max: Self::ENTRIES_FIRST }
    }

    /// Ready for another visit.
    fn reset(&mut self) {
        self.places.clear();
        self.entries_max = Self::ENTRIES_FIRST;
    }

    fn is_full(&self) -> bool {
        self.places.len() >= self.entries_max
    }

    /// Shows the records as rows, in their order, up to the first that is not as it was written.
    fn show(
        &mut self,
        window: &mut Window<'_>,
        visit: &mut RowVisitor<'_>,
    ) -> Result<ControlFlow<()>> {
        let first = self.places.iter().map(|place| place.offset).min();
        let end = self.places.iter().map(|place| place.end()).max();
        let (Some(first), Some(end)) = (first, end) else { return Ok(ControlFlow::Continue(())) };
        window.get(first, (end - first) as usize)?;
        let window = &*window;
        let mut rows = Vec::with_capacity(self.places.len());
        let mut failure = None;
        for place in self.places.drain(..) {
            match row_at(window, place) {
                Ok(row) => rows.push(row),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        self.entries_max = (self.entries_max * 2).min(BATCH_ENTRIES);
        for (row, hash) in rows.iter().zip(self.hasher.hashes_of(rows.iter().map(|row| &row.entry)))
        {
            if row.entry.entry_hash != *hash {
                return Err(EventStoreError::HashMismatch { seq: row.entry.seq });
            }
            if visit(*row).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        failure.map_or(Ok(ControlFlow::Continue(())), Err)
    }
}

/// The row of a record whose bytes are in memory, its hash not looked at yet.
fn row_at<'w>(window: &'w Window<'_>, place: Place) -> Result<Row<'w>> {
    let path = &window.segment.path;
    let seq = place.seq;
    let bad = |reason: String| {
        let fault = Fault::new(format!("entry {seq}: {reason}")).at(path).of_entry(seq);
        EventStoreError::Corrupted(Box::new(fault))
    };
    let record = Record::parse(window.slice(place)).map_err(|reason| bad(reason.to_owned()))?;
    let entry = codec::decode_entry(record.frame).map_err(|error| bad(error.to_string()))?;
    if entry.seq != seq {
        return Err(EventStoreError::SeqMismatch { table_key: seq, embedded_seq: entry.seq });
    }
    Ok(Row { entry, keys: Some(record.keys) })
}

/// A hole from `missing` to the entry before `next`.
fn gap(missing: u64, next: u64) -> EventStoreError {
    EventStoreError::Gap { prev: missing - 1, next, missing }
}

/// Visits the rows `from..=to` of one segment upwards; `to` lies in it or behind it. Answers the
/// next entry to visit, or that the visitor has broken off.
pub(super) fn forward(
    segment: &Arc<Segment>,
    from: u64,
    to: u64,
    memory: &mut Memory,
    visit: &mut RowVisitor<'_>,
) -> Result<ControlFlow<(), u64>> {
    let Some(stretch) = segment.stretch_near(from) else { return Ok(ControlFlow::Continue(from)) };
    let Memory { bytes, batch } = memory;
    let mut cursor = Cursor::at(segment, &stretch, to, bytes);
    let mut expected = from;
    while expected <= to {
        // What was collected is shown before anything else is read, and before what is wrong
        // behind it is told.
        let is_due = batch.is_full() || !cursor.is_next_in_memory();
        if is_due && batch.show(&mut cursor.window, visit)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let place = match cursor.step() {
            Ok(Some(place)) if place.seq < expected => continue,
            Ok(Some(place)) if place.seq > expected => Err(gap(expected, place.seq)),
            Ok(Some(place)) => Ok(place),
            Ok(None) => break,
            Err(error) => Err(error),
        };
        match place {
            Ok(place) if cursor.window.has(place.offset, place.bytes) => batch.places.push(place),
            place => {
                if batch.show(&mut cursor.window, visit)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                batch.places.push(place?);
            }
        }
        expected += 1;
    }
    Ok(match batch.show(&mut cursor.window, visit)? {
        ControlFlow::Break(()) => ControlFlow::Break(()),
        ControlFlow::Continue(()) => ControlFlow::Continue(expected),
    })
}

/// The same downwards, from `to` to the first of the segment or `from`.
pub(super) fn backward(
    segment: &Arc<Segment>,
    from: u64,
    to: u64,
    memory: &mut Memory,
    visit: &mut RowVisitor<'_>,
) -> Result<ControlFlow<(), u64>> {
    let first = from.max(segment.first_seq());
    let Memory { bytes, batch } = memory;
    let mut last = to;
    while last >= first {
        let Some(stretch) = segment.stretch_at(last) else { break };
        let mark = stretch.mark;
        let mut cursor = Cursor::at(segment, &stretch, last, bytes);
        let mut places = Vec::new();
        let mut failure = None;
        while cursor.seq <= last || cursor.left == 0 {
            match cursor.step() {
                Ok(Some(place)) if place.seq <= last => places.push(place),
                Ok(_) => break,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let is_ended = places.iter().any(|place| place.seq < first);
        while let Some(place) = places.pop() {
            if place.seq < first {
                break;
            }
            if place.seq != last {
                if batch.show(&mut cursor.window, visit)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                return Err(failure.unwrap_or_else(|| gap(place.seq + 1, last + 1)));
            }
            batch.places.push(place);
            last -= 1;
            if (batch.is_full() || place.bytes > LONG_RECORD_BYTES)
                && batch.show(&mut cursor.window, visit)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        if batch.show(&mut cursor.window, visit)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if is_ended {
            return Ok(ControlFlow::Continue(first - 1));
        }
        if last >= mark.seq {
            return Err(failure.unwrap_or_else(|| gap(mark.seq, last + 1)));
        }
    }
    Ok(ControlFlow::Continue(last))
}
