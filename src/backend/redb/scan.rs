//! Visits the rows of a range, each decoded, in its place, and with its hash recomputed.
//!
//! Streams in either direction, hashes rows many at a time, and stops at the first row that is not as it was written, in the
//! order of the scan. Key lists come from the commit rows, which are walked beside the entries.

use std::ops::ControlFlow;
use std::path::Path;

use redb::{AccessGuard, Range};

use super::commit_row::CommitRow;
use super::fault::{At, corrupted, undecodable_entry};
use super::snapshot::{RowTable, Snapshot, parse_commit_row};
use crate::backend::{Direction, RowVisitor};
use crate::codec;
use crate::entry::{EntryView, Row};
use crate::error::{EventStoreError, Result};
use crate::hash::{BATCH_ENTRIES, HashBatch};
use crate::index::KeyList;

/// See [`crate::backend::EventReader::visit_range`].
pub(super) fn visit(
    snapshot: &Snapshot,
    path: &Path,
    (from, to): (u64, u64),
    direction: Direction,
    visit: &mut RowVisitor<'_>,
) -> Result<()> {
    let to = to.min(snapshot.high_watermark());
    if from == 0 || from > to {
        return Ok(());
    }
    let scan = Scan { snapshot, path, from, to };
    let Some(entries) = snapshot.entries(path)? else {
        return Err(scan.gap(None, 0));
    };
    match direction {
        Direction::Forward => scan.forward(entries, visit),
        Direction::Backward => scan.backward(entries, visit),
    }
}

struct Scan<'s> {
    snapshot: &'s Snapshot,
    path: &'s Path,
    from: u64,
    to: u64,
}

impl Scan<'_> {
    fn forward(&self, entries: &RowTable, visit: &mut RowVisitor<'_>) -> Result<()> {
        let keys = Keys::new(self.snapshot, self.path, self.from, Direction::Forward)?;
        let mut batch = Batch::new(keys);
        let mut expected = self.from;
        for row in entries.range(self.from..=self.to).at(self.path)? {
            let row = row.at(self.path).map(|(key, frame)| (key.value(), frame));
            match row {
                Ok((seq, frame)) if seq == expected => batch.rows.push((seq, frame)),
                row => {
                    if batch.show(self.path, visit)?.is_break() {
                        return Ok(());
                    }
                    row?;
                    return self.hole(entries, expected, expected);
                }
            }
            if batch.is_full() && batch.show(self.path, visit)?.is_break() {
                return Ok(());
            }
            // The watermark comes from keys of the file, so it may be the largest number.
            let Some(next) = expected.checked_add(1) else {
                return batch.show(self.path, visit).map(drop);
            };
            expected = next;
        }
        if batch.show(self.path, visit)?.is_break() {
            return Ok(());
        }
        if expected <= self.to { self.hole(entries, expected, expected) } else { Ok(()) }
    }

    fn backward(&self, entries: &RowTable, visit: &mut RowVisitor<'_>) -> Result<()> {
        let keys = Keys::new(self.snapshot, self.path, self.to, Direction::Backward)?;
        let mut batch = Batch::new(keys);
        let mut expected = self.to;
        for row in entries.range(self.from..=self.to).at(self.path)?.rev() {
            let row = row.at(self.path).map(|(key, frame)| (key.value(), frame));
            match row {
                Ok((seq, frame)) if seq == expected => batch.rows.push((seq, frame)),
                row => {
                    if batch.show(self.path, visit)?.is_break() {
                        return Ok(());
                    }
                    let (seq, _) = row?;
                    return self.hole(entries, expected, self.from.max(seq + 1));
                }
            }
            if batch.is_full() && batch.show(self.path, visit)?.is_break() {
                return Ok(());
            }
            expected -= 1;
        }
        if batch.show(self.path, visit)?.is_break() {
            return Ok(());
        }
        if expected >= self.from { self.hole(entries, expected, self.from) } else { Ok(()) }
    }

    /// The error for the hole that `inside` lies in; `missing` is the first absent row to name.
    fn hole(&self, entries: &RowTable, inside: u64, missing: u64) -> Result<()> {
        let before = entries.range(..inside).at(self.path)?.next_back();
        let after = entries.range(inside..).at(self.path)?.next();
        let prev = before.transpose().at(self.path)?.map_or(0, |(key, _)| key.value());
        let next = after.transpose().at(self.path)?.map(|(key, _)| key.value());
        Err(match self.gap(next, prev) {
            EventStoreError::Gap { prev, next, .. } => EventStoreError::Gap { prev, next, missing },
            other => other,
        })
    }

    fn gap(&self, next: Option<u64>, prev: u64) -> EventStoreError {
        let end = self.snapshot.high_watermark().saturating_add(1);
        EventStoreError::Gap { prev, next: next.unwrap_or(end), missing: self.from.max(prev + 1) }
    }
}

/// Rows on their way to the visitor, their hashes computed together.
struct Batch<'s> {
    rows: Vec<(u64, AccessGuard<'s, &'static [u8]>)>,
    keys: Keys<'s>,
    hasher: HashBatch,
    /// Grows from a few to [`BATCH_ENTRIES`], so that a short visit hashes little in vain.
    rows_max: usize,
}

impl<'s> Batch<'s> {
    fn new(keys: Keys<'s>) -> Self {
        Self { rows: Vec::new(), keys, hasher: HashBatch::new(), rows_max: 4 }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.rows_max
    }

    /// Shows the rows in their order, up to the first that is not as it was written.
    fn show(&mut self, path: &Path, visit: &mut RowVisitor<'_>) -> Result<ControlFlow<()>> {
        self.rows_max = (self.rows_max * 2).min(BATCH_ENTRIES);
        let mut entries = Vec::with_capacity(self.rows.len());
        let mut failure = None;
        for (seq, frame) in &self.rows {
            match entry_of(path, *seq, frame.value()) {
                Ok(entry) => entries.push(entry),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        for (entry, hash) in entries.iter().zip(self.hasher.hashes_of(entries.iter())) {
            if entry.entry_hash != *hash {
                return Err(EventStoreError::HashMismatch { seq: entry.seq });
            }
            let shown = self.keys.with(entry.seq, |keys| visit(Row { entry: *entry, keys }))?;
            if shown.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        drop(entries);
        self.rows.clear();
        failure.map_or(Ok(ControlFlow::Continue(())), Err)
    }
}

/// The entry in a row, its hash not looked at yet.
fn entry_of<'f>(path: &Path, seq: u64, frame: &'f [u8]) -> Result<EntryView<'f>> {
    let entry = codec::decode_entry(frame).map_err(|error| undecodable_entry(path, seq, error))?;
    if entry.seq != seq {
        return Err(EventStoreError::SeqMismatch { table_key: seq, embedded_seq: entry.seq });
    }
    Ok(entry)
}

/// Walks the commit rows beside the entries, one step a commit.
struct Keys<'s> {
    rows: Option<Range<'s, u64, &'static [u8]>>,
    current: Option<(u64, AccessGuard<'s, &'static [u8]>)>,
    direction: Direction,
    path: &'s Path,
}

impl<'s> Keys<'s> {
    fn new(snapshot: &Snapshot, path: &'s Path, start: u64, direction: Direction) -> Result<Self> {
        let rows = match (snapshot.commits(path)?, direction) {
            (None, _) => None,
            (Some(table), Direction::Forward) => Some(table.range(start..).at(path)?),
            (Some(table), Direction::Backward) => {
                // The row that covers `start` is the first one at or after it.
                let first = table.range(start..).at(path)?.next().transpose().at(path)?;
                let end = first.map_or(u64::MAX, |(key, _)| key.value());
                Some(table.range(..=end).at(path)?)
            }
        };
        Ok(Self { rows, current: None, direction, path })
    }

    fn with<T>(&mut self, seq: u64, show: impl FnOnce(Option<KeyList<'_>>) -> T) -> Result<T> {
        loop {
            if let Some((last_seq, bytes)) = &self.current {
                let row = parse_commit_row(*last_seq, bytes.value(), self.path)
                    .map_err(|error| error.of_entry(seq))?;
                if row.covers(seq) {
                    let keys = row.keys(seq).ok_or_else(|| {
                        corrupted(self.path, format!("the key list of entry {seq} is damaged"))
                            .of_entry(seq)
                    })?;
                    return Ok(show(Some(keys)));
                }
                if self.is_ahead(&row, seq) {
                    return Ok(show(None));
                }
            }
            let Some(rows) = &mut self.rows else { return Ok(show(None)) };
            let next = match self.direction {
                Direction::Forward => rows.next(),
                Direction::Backward => rows.next_back(),
            };
            match next.transpose().at(self.path)? {
                Some((key, bytes)) => self.current = Some((key.value(), bytes)),
                None => {
                    (self.rows, self.current) = (None, None);
                }
            }
        }
    }

    /// Whether the row comes after this entry in the order of the scan: nothing records its keys.
    fn is_ahead(&self, row: &CommitRow<'_>, seq: u64) -> bool {
        match self.direction {
            Direction::Forward => row.first_seq > seq,
            Direction::Backward => row.last_seq < seq,
        }
    }
}
