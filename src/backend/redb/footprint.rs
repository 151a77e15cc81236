//! Which parts of a growing file were ever written, in chunks of 64 KiB.
//!
//! Growth takes real space for twice what the file holds, and redb's close trims little of it:
//! it likes to use the last pages first. What was never written reads as zeros, with space of its
//! own or without; so a sealed run gives that space back and not a byte changes.
//!
//! Space that was taken but never written is dear to flush: the file system has to note, with the
//! data, that it counts now. So areas of 1 MiB are filled with zeros, and what is written there
//! later overwrites: by a thread before redb gets there, as far as it keeps ahead, and else by the
//! commit that first writes to one.

use std::ops::Range;

use crate::planted::planted;

const CHUNK_BYTES: u64 = 64 << 10;
/// An area's chunks: their bits are a quarter of a word.
const AREA_CHUNKS: u64 = 16;
/// So much is filled ahead, and so much is enough while commits go on.
const AHEAD_CHUNKS: u64 = 512;
const AHEAD_CHUNKS_ENOUGH: u64 = AHEAD_CHUNKS / 2;
/// With less, commits are about to catch up.
const AHEAD_CHUNKS_MIN: u64 = AHEAD_CHUNKS / 4;

/// How soon more is to be filled ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// All is filled that is to be.
    Nothing,
    /// Once no commit follows.
    AtRest,
    /// An area behind each commit.
    BehindCommit,
    /// Commits are about to catch up.
    AtOnce,
}

/// See the module. Pure memory.
#[derive(Debug, Default)]
pub(super) struct Footprint {
    /// The chunks from here on are kept track of; those before count as written.
    first: u64,
    written: Chunks,
    /// Those that redb has laid anything into, zeros among it.
    used: Chunks,
    /// Those that were filled with zeros ahead of any write, or are being filled.
    filled: Chunks,
    /// How many of those redb has laid nothing into.
    ahead: u64,
    /// All areas before this one were filled or written to.
    next_area: u64,
    /// The bytes that are being filled.
    filling: Option<Range<u64>>,
    /// The areas that were written to for the first time since they were asked for.
    entered: Vec<Range<u64>>,
}

impl Footprint {
    /// Of a file whose first `len` bytes may all have been written.
    pub(super) fn new(len: u64) -> Self {
        Self { first: len.div_ceil(CHUNK_BYTES), ..Self::default() }
    }

    fn is_written(&self, chunk: u64) -> bool {
        chunk.checked_sub(self.first).is_none_or(|index| self.written.contains(index))
    }

    /// Takes note of a write, and answers how many of its bytes need writing: zeros at its end
    /// over chunks that were never written are there already.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> usize {
        let mut end = offset + data.len() as u64;
        for index in self.indices(offset, end) {
            let is_new = self.used.insert(index);
            self.ahead -= u64::from(is_new && self.filled.contains(index));
        }
        while end > offset {
            let chunk = (end - 1) / CHUNK_BYTES;
            let start = (chunk * CHUNK_BYTES).max(offset);
            let part = &data[(start - offset) as usize..(end - offset) as usize];
            if self.is_written(chunk) || part.iter().any(|byte| *byte != 0) {
                break;
            }
            end = start;
        }
        for index in self.indices(offset, end) {
            let area = index / AREA_CHUNKS * AREA_CHUNKS;
            if !self.is_begun(area) {
                self.entered.push(self.area_at(area));
            }
            self.written.insert(index);
        }
        (end - offset) as usize
    }

    /// Whether anything of the area was filled or written.
    fn is_begun(&self, area: u64) -> bool {
        [&self.written, &self.filled].iter().any(|set| set.has_any(area, AREA_CHUNKS))
    }

    fn indices(&self, start: u64, end: u64) -> Range<u64> {
        let index = |chunk: u64| chunk.saturating_sub(self.first);
        index(start / CHUNK_BYTES)..index(end.div_ceil(CHUNK_BYTES))
    }

    /// The areas that were written to for the first time since this was last asked: nothing of
    /// them is on the disk.
    pub(super) fn entered(&mut self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.entered)
    }

    /// How soon more of a file of `len` bytes is to be filled.
    pub(super) fn need(&self, len: u64) -> Need {
        if self.area_at(self.next_area).end > len {
            return Need::Nothing;
        }
        match self.ahead {
            AHEAD_CHUNKS.. => Need::Nothing,
            AHEAD_CHUNKS_ENOUGH.. => Need::AtRest,
            AHEAD_CHUNKS_MIN.. => Need::BehindCommit,
            _ => Need::AtOnce,
        }
    }

    /// The next area of a file of `len` bytes to be filled with zeros: nothing of it was written,
    /// and nothing may be before [`Footprint::filled`]. `None` when enough of it is.
    pub(super) fn fill(&mut self, len: u64) -> Option<Range<u64>> {
        while self.ahead < AHEAD_CHUNKS {
            let area = self.next_area;
            let bytes = self.area_at(area);
            if bytes.end > len {
                return None;
            }
            self.next_area += AREA_CHUNKS;
            if !self.is_begun(area) || planted("fill_in_use") {
                for index in area..area + AREA_CHUNKS {
                    self.filled.insert(index);
                    self.ahead += u64::from(!self.used.contains(index));
                }
                self.filling = Some(bytes.clone());
                return Some(bytes);
            }
        }
        None
    }

    /// Takes note that what was being filled is.
    pub(super) fn filled(&mut self) {
        self.filling = None;
    }

    /// The bytes that are being filled.
    pub(super) fn filling(&self) -> Option<&Range<u64>> {
        self.filling.as_ref()
    }

    fn area_at(&self, area: u64) -> Range<u64> {
        let start = (self.first + area) * CHUNK_BYTES;
        start..start + AREA_CHUNKS * CHUNK_BYTES
    }

    /// How much of a file of `len` bytes redb has never laid anything into.
    pub(super) fn unused_bytes(&self, len: u64) -> u64 {
        let chunks = (len / CHUNK_BYTES).saturating_sub(self.first);
        chunks.saturating_sub(self.used.count) * CHUNK_BYTES
    }

    /// Takes note that the file was cut: what grows there again is fresh.
    pub(super) fn truncate(&mut self, len: u64) {
        let kept = len.div_ceil(CHUNK_BYTES);
        if kept < self.first {
            *self = Self::new(len);
            return;
        }
        self.written.truncate(kept - self.first);
        self.used.truncate(kept - self.first);
        self.filled.truncate(kept - self.first);
        let is_ahead = |index: &u64| self.filled.contains(*index) && !self.used.contains(*index);
        self.ahead = (0..kept - self.first).filter(is_ahead).count() as u64;
        self.next_area = self.next_area.min((kept - self.first) / AREA_CHUNKS * AREA_CHUNKS);
    }

    /// The whole chunks of a file of `len` bytes that were never written, as ranges of bytes.
    pub(super) fn unwritten(&self, len: u64) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for chunk in self.first..len / CHUNK_BYTES {
            if self.is_written(chunk) {
                continue;
            }
            let (start, end) = (chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        ranges
    }
}

/// A set of chunks by their index, one bit a chunk.
#[derive(Debug, Default)]
struct Chunks {
    bits: Vec<u64>,
    count: u64,
}

impl Chunks {
    fn contains(&self, index: u64) -> bool {
        self.has_any(index, 1)
    }

    /// Of so many that stand in one word.
    fn has_any(&self, index: u64, count: u64) -> bool {
        let mask = ((1 << count) - 1) << (index % 64);
        self.bits.get((index / 64) as usize).is_some_and(|word| word & mask != 0)
    }

    /// Whether it was not in it.
    fn insert(&mut self, index: u64) -> bool {
        let word = (index / 64) as usize;
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let is_new = !self.contains(index);
        self.count += u64::from(is_new);
        self.bits[word] |= 1 << (index % 64);
        is_new
    }

    /// Keeps those below `kept`.
    fn truncate(&mut self, kept: u64) {
        self.bits.truncate(kept.div_ceil(64) as usize);
        if let (Some(last), rest @ 1..) = (self.bits.get_mut((kept / 64) as usize), kept % 64) {
            *last &= (1 << rest) - 1;
        }
        self.count = self.bits.iter().map(|word| u64::from(word.count_ones())).sum();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    const CHUNKS: u64 = 100;

    /// Filling stops where all is ahead that is to be, is the more pressing the less is left of it,
    /// and leaves out what was entered.
    #[test]
    fn filling_keeps_a_distance() {
        const AREA_BYTES: u64 = AREA_CHUNKS * CHUNK_BYTES;
        let len = 100 * AREA_BYTES;
        let mut footprint = Footprint::new(0);
        footprint.write(AREA_BYTES, &[1]);
        let fill_all = |footprint: &mut Footprint| {
            let areas: Vec<u64> = std::iter::from_fn(|| footprint.fill(len))
                .map(|area| area.start / AREA_BYTES)
                .collect();
            footprint.filled();
            areas
        };
        assert_eq!(footprint.need(len), Need::AtOnce);
        let ahead = AHEAD_CHUNKS / AREA_CHUNKS;
        let expected: Vec<u64> = std::iter::once(0).chain(2..=ahead).collect();
        assert_eq!(fill_all(&mut footprint), expected);
        assert_eq!(footprint.need(len), Need::Nothing);
        let mut areas = (2..=ahead).map(|area| area * AREA_BYTES);
        let mut need_after = |footprint: &mut Footprint, count: u64| {
            for start in areas.by_ref().take(count as usize) {
                footprint.write(start, &[1; AREA_BYTES as usize]);
            }
            footprint.need(len)
        };
        assert_eq!(need_after(&mut footprint, 1), Need::AtRest);
        assert_eq!(need_after(&mut footprint, ahead / 2 - 1), Need::AtRest);
        assert_eq!(need_after(&mut footprint, 1), Need::BehindCommit);
        assert_eq!(need_after(&mut footprint, ahead / 4 - 1), Need::BehindCommit);
        assert_eq!(need_after(&mut footprint, 1), Need::AtOnce);
        assert_eq!(footprint.need((ahead + 1) * AREA_BYTES), Need::Nothing, "the file ends there");
        assert_eq!(fill_all(&mut footprint)[0], ahead + 1);
        assert_eq!(footprint.need(len), Need::Nothing);
    }

    proptest! {
        /// Whatever is written, cut and grown: skipped bytes and chunks called unwritten are zero
        /// in a plain file that got every byte, and filling ahead, or what is entered, changes
        /// nothing else.
        #[test]
        fn what_counts_as_unwritten_is_zero(steps in proptest::collection::vec(
            (0..CHUNKS * 16, 1u64..400, any::<bool>(), 0..4), 1..30,
        )) {
            const UNIT: u64 = CHUNK_BYTES / 16;
            let mut footprint = Footprint::new(2 * CHUNK_BYTES);
            let mut plain = vec![1; 2 * CHUNK_BYTES as usize];
            let mut written = plain.clone();
            let mut used = BTreeSet::from([0, 1]);
            for (at, units, is_zero, what) in steps {
                let (offset, count) = (at * UNIT, units * UNIT);
                if what == 0 {
                    if let Some(area) = footprint.fill(written.len() as u64) {
                        prop_assert_eq!(footprint.filling(), Some(&area));
                        written[area.start as usize..area.end as usize].fill(0);
                        footprint.filled();
                    }
                    continue;
                }
                if what == 1 {
                    plain.truncate(offset as usize);
                    written.truncate(offset as usize);
                    footprint.truncate(offset);
                    used.retain(|chunk| chunk * CHUNK_BYTES < offset);
                    continue;
                }
                let end = (offset + count) as usize;
                plain.resize(plain.len().max(end), 0);
                written.resize(plain.len(), 0);
                let mut data = vec![u8::from(!is_zero); count as usize];
                // A page's own header, then zeros.
                data[0] = 1;
                let kept = footprint.write(offset, &data);
                used.extend(offset / CHUNK_BYTES..(offset + count).div_ceil(CHUNK_BYTES));
                for area in footprint.entered() {
                    let end = (area.end as usize).min(written.len());
                    written[area.start as usize..end].fill(0);
                }
                plain[offset as usize..end].copy_from_slice(&data);
                written[offset as usize..offset as usize + kept].copy_from_slice(&data[..kept]);
            }
            prop_assert!(plain == written);
            let len = plain.len() as u64;
            let unused = (0..len / CHUNK_BYTES).filter(|chunk| !used.contains(chunk)).count() as u64;
            // One that was cut in two counts as used.
            let least = unused.saturating_sub(1) * CHUNK_BYTES;
            // A file that was cut below what it had at first counts from there.
            let first = footprint.first;
            let ahead = (first..len / CHUNK_BYTES)
                .filter(|chunk| footprint.filled.contains(chunk - first) && !used.contains(chunk));
            prop_assert!(footprint.ahead.abs_diff(ahead.count() as u64) <= 1);
            prop_assert!((least..=unused * CHUNK_BYTES).contains(&footprint.unused_bytes(len)));
            for range in footprint.unwritten(plain.len() as u64) {
                let part = &plain[range.start as usize..range.end as usize];
                prop_assert!(part.iter().all(|byte| *byte == 0), "{range:?}");
            }
        }
    }
}
