//! One row a commit: its entries' key lists and time bounds, so that the indices can be rebuilt
//! and a time be found without a scan.
//!
//! The row's key is the last `seq` it covers; a commit that needs more than 1 MiB is split into
//! several rows, each complete in itself. Layout, integers little-endian:
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 1 | version, 1 |
//! | 1 | 8 | first `seq` covered |
//! | 9 | 8 | smallest `ts_init` of the entries covered |
//! | 17 | 8 | largest `ts_init` of the entries covered |
//! | 25 | 8 | largest `ts_init` of the run up to the last entry covered |
//! | 33 | 4 each | per entry, in order: where its key list starts, from the row's start |
//! | then | | the key lists, each ending where the next starts: per key `u16` kind, `u16` length, bytes |

use crate::entry::AppendEntry;
use crate::index::KeyList;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 33;
const OFFSET_BYTES: usize = 4;
/// A row is closed before it would grow beyond this.
const ROW_BYTES_MAX: usize = 1 << 20;

/// A row, read.
#[derive(Debug, Clone, Copy)]
pub(super) struct CommitRow<'a> {
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    ts_init_min: u64,
    pub(super) ts_init_max: u64,
    pub(super) run_ts_init_max: u64,
    bytes: &'a [u8],
}

impl<'a> CommitRow<'a> {
    /// Reads the row stored under `last_seq`; `None` for anything but a whole one.
    pub(super) fn parse(last_seq: u64, bytes: &'a [u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        if *bytes.first()? != VERSION {
            return None;
        }
        let row = Self {
            first_seq: number(1)?,
            last_seq,
            ts_init_min: number(9)?,
            ts_init_max: number(17)?,
            run_ts_init_max: number(25)?,
            bytes,
        };
        let entries = usize::try_from(last_seq.checked_sub(row.first_seq)?).ok()?.checked_add(1)?;
        let lists_start = entries.checked_mul(OFFSET_BYTES)?.checked_add(HEADER_BYTES)?;
        let is_ordered =
            row.ts_init_min <= row.ts_init_max && row.ts_init_max <= row.run_ts_init_max;
        let is_whole = is_ordered
            && row.first_seq > 0
            && lists_start <= bytes.len()
            && row.start_of(0) == Some(lists_start);
        is_whole.then_some(row)
    }

    /// Whether the row tells of this entry.
    pub(super) fn covers(&self, seq: u64) -> bool {
        (self.first_seq..=self.last_seq).contains(&seq)
    }

    /// The keys of a covered entry; `None` when the list is damaged.
    pub(super) fn keys(&self, seq: u64) -> Option<KeyList<'a>> {
        let index = usize::try_from(seq - self.first_seq).ok()?;
        let start = self.start_of(index)?;
        let end = if seq == self.last_seq { self.bytes.len() } else { self.start_of(index + 1)? };
        let list = self.bytes.get(start..end)?;
        KeyList::parse(count_keys(list)?, list)
    }

    fn start_of(&self, index: usize) -> Option<usize> {
        let at = HEADER_BYTES + index * OFFSET_BYTES;
        let start = u32::from_le_bytes(self.bytes.get(at..at + OFFSET_BYTES)?.try_into().ok()?);
        Some(start as usize)
    }
}

fn count_keys(mut list: &[u8]) -> Option<u32> {
    let mut count = 0;
    while !list.is_empty() {
        let length = u16::from_le_bytes(list.get(2..4)?.try_into().ok()?);
        list = list.get(4 + usize::from(length)..)?;
        count += 1;
    }
    Some(count)
}

/// A row about to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewRow {
    pub(super) last_seq: u64,
    pub(super) bytes: Vec<u8>,
}

/// The rows of one commit; `run_ts_init_max` is the run's largest `ts_init` before it.
pub(super) fn encode(entries: &[AppendEntry<'_>], run_ts_init_max: Option<u64>) -> Vec<NewRow> {
    let mut rows = Vec::new();
    let mut run_max = run_ts_init_max.unwrap_or(0);
    let mut rest = entries;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(fitting(rest));
        rows.push(encode_row(part, &mut run_max));
        rest = after;
    }
    rows
}

/// How many entries go into the next row: at least one.
fn fitting(entries: &[AppendEntry<'_>]) -> usize {
    let mut row_bytes = HEADER_BYTES;
    let fits = |item: &&AppendEntry<'_>| {
        row_bytes += OFFSET_BYTES + item.keys.as_bytes().len();
        row_bytes <= ROW_BYTES_MAX
    };
    entries.iter().take_while(fits).count().max(1)
}

fn encode_row(entries: &[AppendEntry<'_>], run_max: &mut u64) -> NewRow {
    let times = || entries.iter().map(|item| item.entry.ts_init);
    let (min, max) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    *run_max = max.max(*run_max);
    let lists: usize = entries.iter().map(|item| item.keys.as_bytes().len()).sum();
    let lists_start = HEADER_BYTES + entries.len() * OFFSET_BYTES;
    let mut bytes = Vec::with_capacity(lists_start + lists);
    bytes.push(VERSION);
    for number in [entries[0].entry.seq, min, max, *run_max] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let mut start = lists_start;
    for item in entries {
        bytes.extend_from_slice(&(start as u32).to_le_bytes());
        start += item.keys.as_bytes().len();
    }
    for item in entries {
        bytes.extend_from_slice(item.keys.as_bytes());
    }
    NewRow { last_seq: entries[entries.len() - 1].entry.seq, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::EntryView;
    use crate::headers::Headers;
    use crate::index::{IndexKey, IndexKind, encode_keys};

    fn item<'a>(seq: u64, ts_init: u64, keys: &'a (u32, Vec<u8>)) -> AppendEntry<'a> {
        let entry = EntryView {
            seq,
            ts_init,
            ts_publish: 0,
            topic: "t",
            payload_type: "p",
            payload: &[],
            headers: Headers::default(),
            entry_hash: [0; 32],
        };
        AppendEntry { entry, keys: KeyList::parse(keys.0, &keys.1).unwrap() }
    }

    /// A commit of three entries reads back: bounds, the run's largest time, and each key list.
    #[test]
    fn row_round_trips() {
        let keys = [
            encode_keys(&[IndexKey::new(IndexKind::CLIENT_ORDER_ID, "c-1")]).unwrap(),
            encode_keys(&[]).unwrap(),
            encode_keys(&vec![IndexKey::new(IndexKind::VENUE_ORDER_ID, "é"); 2]).unwrap(),
        ];
        let times = [30, 10, 20];
        let batch: Vec<_> = (0..3).map(|i| item(7 + i as u64, times[i], &keys[i])).collect();
        let rows = encode(&batch, Some(25));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].last_seq, 9);
        let row = CommitRow::parse(9, &rows[0].bytes).unwrap();
        assert_eq!((row.first_seq, row.ts_init_min, row.ts_init_max), (7, 10, 30));
        assert_eq!(row.run_ts_init_max, 30);
        for (i, expected) in batch.iter().enumerate() {
            assert_eq!(row.keys(7 + i as u64), Some(expected.keys));
        }
        for cut in 0..rows[0].bytes.len() {
            let whole = CommitRow::parse(9, &rows[0].bytes[..cut]).is_some_and(|row| {
                (7..=9).all(|seq| row.keys(seq).is_some()) && row.keys(9) == Some(batch[2].keys)
            });
            assert!(!whole, "cut at {cut}");
        }
    }

    /// A commit above 1 MiB becomes rows that cover it without hole or overlap.
    #[test]
    fn large_commit_is_split() {
        let many: Vec<IndexKey> =
            (0..16).map(|_| IndexKey::new(IndexKind::CLIENT_ORDER_ID, "k".repeat(512))).collect();
        let keys = encode_keys(&many).unwrap();
        let batch: Vec<_> = (1..=300).map(|seq| item(seq, 1000 - seq, &keys)).collect();
        let rows = encode(&batch, None);
        assert!(rows.len() > 1);
        let mut next = 1;
        for row in &rows {
            assert!(row.bytes.len() <= ROW_BYTES_MAX);
            let parsed = CommitRow::parse(row.last_seq, &row.bytes).unwrap();
            assert_eq!(parsed.first_seq, next);
            assert_eq!(parsed.run_ts_init_max, 999);
            next = row.last_seq + 1;
        }
        assert_eq!(next, 301);
    }
}
