//! What is known of one segment without reading it: where entries stand.
//!
//! A projection of the segment's groups, as its keys (`keys`) are: kept in memory while the segment
//! grows and written to a file once it is finished (`index_file`). Never an authority: both are
//! made again from the segment (`walk`).

use super::format::Watermark;

/// A mark is set when this many bytes lie between an entry and the last one that has one.
const MARK_BYTES: u64 = 16 << 10;
/// Read beyond what an entry is guessed to need: a group's header, and records a little longer.
const GUESS_SPARE_BYTES: u64 = 256;

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) seq: u64,
    /// Of its record.
    pub(super) offset: u64,
    /// How many records its group still has from here on.
    pub(super) left: u32,
    /// The largest `ts_init` of all entries before it; 0 when there is none.
    pub(super) ts_init_max: u64,
}

/// Where to look for an entry: from a mark on, behind which another may stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) mark: Mark,
    next: Option<Mark>,
    /// Where the segment's last group ends.
    pub(super) end: u64,
}

impl Stretch {
    /// Up to where must be read to have an entry, if all records up to the next mark are of about
    /// the same length: mostly right, never to be relied on. Too little costs another read, all of
    /// the stretch would be twice as much as is needed.
    pub(super) fn guess(&self, seq: u64) -> u64 {
        let Some(next) = self.next.filter(|next| next.seq > seq) else { return u64::MAX };
        let records = next.seq.saturating_sub(self.mark.seq).max(1);
        let bytes = next.offset.saturating_sub(self.mark.offset);
        let each = bytes / records;
        let before = seq.saturating_sub(self.mark.seq).saturating_mul(each);
        let wanted = before
            .saturating_add(each.saturating_mul(2))
            .saturating_add(GUESS_SPARE_BYTES)
            .min(bytes);
        self.mark.offset.saturating_add(wanted)
    }
}

/// Where the log stands between two groups: what the next one must join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    /// The number of the last group, 0 = none.
    pub(super) group: u64,
    /// The checksum of its header; of the manifest's file before the first.
    pub(super) link: u32,
    pub(super) next_seq: u64,
    /// The largest `ts_init` so far; 0 before the first entry.
    pub(super) ts_init_max: u64,
    /// The frame of the latest anchor.
    pub(super) anchor: Option<Vec<u8>>,
}

impl Chain {
    /// Before the first group.
    pub(super) fn start(link: u32) -> Self {
        Self { group: 0, link, next_seq: 1, ts_init_max: 0, anchor: None }
    }

    pub(super) fn high_watermark(&self) -> u64 {
        self.next_seq - 1
    }

    pub(super) fn watermark(&self) -> Watermark {
        Watermark { group: self.group, link: self.link, seq: self.high_watermark() }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Of the first entry that the segment has or would have.
    pub(super) first_seq: u64,
    /// The largest `ts_init` before the segment; 0 = none.
    pub(super) ts_init_before: u64,
    pub(super) marks: Vec<Mark>,
    /// Where the last group ends.
    pub(super) end: u64,
    /// After the last group.
    pub(super) chain: Chain,
}

impl Table {
    /// A segment without groups.
    pub(super) fn new(chain: &Chain, start: u64) -> Self {
        Self {
            first_seq: chain.next_seq,
            ts_init_before: chain.ts_init_max,
            marks: Vec::new(),
            end: start,
            chain: chain.clone(),
        }
    }

    /// Takes note of an entry; `mark` says where it stands and what came before it.
    pub(super) fn add(&mut self, mark: Mark) {
        let is_due = self.marks.last().is_none_or(|last| mark.offset >= last.offset + MARK_BYTES);
        if is_due {
            self.marks.push(mark);
        }
    }

    /// What starts with the last mark at or before an entry.
    pub(super) fn stretch_at(&self, seq: u64) -> Option<Stretch> {
        let count = self.marks.partition_point(|mark| mark.seq <= seq);
        self.stretch(count.checked_sub(1)?)
    }

    /// The same, or with the first mark behind it.
    pub(super) fn stretch_near(&self, seq: u64) -> Option<Stretch> {
        self.stretch_at(seq).or_else(|| self.stretch(0))
    }

    fn stretch(&self, at: usize) -> Option<Stretch> {
        let mark = *self.marks.get(at)?;
        Some(Stretch { mark, next: self.marks.get(at + 1).copied(), end: self.end })
    }

    /// The last mark before which no entry is as late as `ts_init`.
    pub(super) fn mark_before(&self, ts_init: u64) -> Option<Mark> {
        let count = self.marks.partition_point(|mark| mark.ts_init_max < ts_init);
        self.marks.get(count.saturating_sub(1)).copied()
    }
}
