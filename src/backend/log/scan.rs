//! Visits the rows of a range, each decoded, in its place, and with its hash recomputed.
//!
//! Streams in either direction with one window of the log in memory, and stops at the first row
//! that is not as it was written. Only entries up to the caller's high-watermark are looked at,
//! so that nothing the writer is about to write is ever read.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::format::{
    GROUP_HEADER_BYTES, GroupHeader, GroupKind, RECORD_HEADER_BYTES, Record, RecordHeader,
};
use super::segment::{Segment, damaged};
use super::table::Mark;
use crate::backend::RowVisitor;
use crate::codec;
use crate::entry::Row;
use crate::error::{EventStoreError, Fault, Result};
use crate::hash;

/// How much is read at once when rows are visited in a row.
const STREAM_BYTES: usize = 256 << 10;
/// How much is read at once for a single row: as far as a mark can lie before it.
const POINT_BYTES: usize = 20 << 10;

/// A part of a segment in memory.
struct Window {
    segment: Arc<Segment>,
    /// Nothing beyond is read.
    end: u64,
    start: u64,
    bytes: Vec<u8>,
    read_bytes: usize,
}

impl Window {
    /// The bytes of a range, read in larger pieces.
    fn get(&mut self, offset: u64, count: usize) -> Result<&[u8]> {
        let path = &self.segment.path;
        let end = offset.checked_add(count as u64).filter(|end| *end <= self.end);
        let Some(end) = end else {
            let reason = format!("{count} bytes at byte {offset} reach beyond the last group");
            return Err(EventStoreError::corrupted(path, reason));
        };
        if offset < self.start || end > self.start + self.bytes.len() as u64 {
            let ahead = (self.end - offset).min(self.read_bytes as u64) as usize;
            self.bytes.resize(ahead.max(count), 0);
            self.start = offset;
            let read = self.segment.file.read(offset, &mut self.bytes);
            if let Err(error) = read {
                self.bytes.clear();
                return Err(damaged(path, error));
            }
        }
        let at = (offset - self.start) as usize;
        Ok(&self.bytes[at..at + count])
    }
}

/// Walks the records of a segment from a mark on.
struct Cursor {
    window: Window,
    offset: u64,
    left: u32,
    seq: u64,
}

impl Cursor {
    fn at(segment: &Arc<Segment>, mark: Mark, read_bytes: usize) -> Self {
        let end = segment.end();
        let window =
            Window { segment: segment.clone(), end, start: 0, bytes: Vec::new(), read_bytes };
        Self { window, offset: mark.offset, left: mark.left, seq: mark.seq }
    }

    /// Steps to the next record; answers where it is, `None` at the end of the segment.
    fn step(&mut self) -> Result<Option<(u64, u64, usize)>> {
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
        let place = (self.seq, self.offset, RecordHeader::decode(head).record_bytes());
        self.offset = self.offset.saturating_add(place.2 as u64);
        self.left -= 1;
        self.seq += 1;
        Ok(Some(place))
    }

    /// Shows a record as a row; its place must be that of `seq`.
    fn show(
        &mut self,
        (seq, offset, count): (u64, u64, usize),
        visit: &mut RowVisitor<'_>,
    ) -> Result<ControlFlow<()>> {
        let path = self.window.segment.path.clone();
        let bad = |reason: String| {
            let fault = Fault::new(format!("entry {seq}: {reason}")).at(&path).of_entry(seq);
            EventStoreError::Corrupted(Box::new(fault))
        };
        let bytes = self.window.get(offset, count)?;
        let record = Record::parse(bytes).map_err(|reason| bad(reason.to_owned()))?;
        let entry = codec::decode_entry(record.frame).map_err(|error| bad(error.to_string()))?;
        if entry.seq != seq {
            return Err(EventStoreError::SeqMismatch { table_key: seq, embedded_seq: entry.seq });
        }
        hash::check_entry(&entry)?;
        Ok(visit(Row { entry, keys: Some(record.keys) }))
    }
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
    visit: &mut RowVisitor<'_>,
) -> Result<ControlFlow<(), u64>> {
    let Some(mark) = segment.mark_near(from) else { return Ok(ControlFlow::Continue(from)) };
    let read_bytes = if from == to { POINT_BYTES } else { STREAM_BYTES };
    let mut cursor = Cursor::at(segment, mark, read_bytes);
    let mut expected = from;
    while expected <= to {
        let Some(place) = cursor.step()? else { break };
        if place.0 < expected {
            continue;
        }
        if place.0 > expected {
            return Err(gap(expected, place.0));
        }
        if cursor.show(place, visit)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        expected += 1;
    }
    Ok(ControlFlow::Continue(expected))
}

/// The same downwards, from `to` to the first of the segment or `from`.
pub(super) fn backward(
    segment: &Arc<Segment>,
    from: u64,
    to: u64,
    visit: &mut RowVisitor<'_>,
) -> Result<ControlFlow<(), u64>> {
    let first = from.max(segment.first_seq());
    let mut last = to;
    while last >= first {
        let Some(mark) = segment.mark_at(last) else { break };
        let mut cursor = Cursor::at(segment, mark, POINT_BYTES);
        let mut places = Vec::new();
        let mut failure = None;
        while cursor.seq <= last || cursor.left == 0 {
            match cursor.step() {
                Ok(Some(place)) if place.0 <= last => places.push(place),
                Ok(_) => break,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        for place in places.into_iter().rev() {
            if place.0 < first {
                return Ok(ControlFlow::Continue(first - 1));
            }
            if place.0 != last {
                return Err(failure.unwrap_or_else(|| gap(place.0 + 1, last + 1)));
            }
            if cursor.show(place, visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            last -= 1;
        }
        if last >= mark.seq {
            return Err(failure.unwrap_or_else(|| gap(mark.seq, last + 1)));
        }
    }
    Ok(ControlFlow::Continue(last))
}
