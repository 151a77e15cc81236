//! Bytes that lie over a file: written by redb, not (yet) on the disk.
//!
//! Segments never overlap; a later write cuts what it covers. Their bytes stand behind each other in
//! one piece of memory that is used again, warm, for the next commit. Pure memory, no locks.

use std::collections::BTreeMap;
use std::ops::Range;

/// More memory than that is not kept for the next use.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Segments by their offset in the file.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// What was written, in its order. What was covered since stays until all is cleared.
    bytes: Vec<u8>,
    /// Each segment's part of `bytes`; none is empty.
    by_offset: BTreeMap<u64, Range<usize>>,
}

impl Segments {
    pub(super) fn is_empty(&self) -> bool {
        self.by_offset.is_empty()
    }

    /// What they take in memory.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes of the file they cover.
    pub(super) fn covered_bytes(&self) -> usize {
        self.by_offset.values().map(Range::len).sum()
    }

    /// Forgets all of them, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.by_offset.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
    }

    /// Lays `data` over everything below it.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        if let Some(part) = self.by_offset.get(&offset)
            && part.len() == data.len()
        {
            // Most of what is written twice: it takes no more memory.
            self.bytes[part.clone()].copy_from_slice(data);
            return;
        }
        self.cut(offset, offset + data.len() as u64);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        self.insert(offset, start..self.bytes.len());
    }

    /// Removes everything from `len` on.
    pub(super) fn truncate(&mut self, len: u64) {
        self.cut(len, u64::MAX);
    }

    fn cut(&mut self, start: u64, end: u64) {
        let before = self.by_offset.range(..start).next_back();
        let first = match before {
            Some((&at, part)) if at + part.len() as u64 > start => at,
            _ => start,
        };
        let touched: Vec<u64> = self.by_offset.range(first..end).map(|(&at, _)| at).collect();
        for at in touched {
            let part = self.by_offset.remove(&at).expect("listed above");
            let segment_end = at + part.len() as u64;
            if at < start {
                self.insert(at, part.start..part.start + (start - at) as usize);
            }
            if segment_end > end {
                self.insert(end, part.start + (end - at) as usize..part.end);
            }
        }
    }

    fn insert(&mut self, offset: u64, part: Range<usize>) {
        if !part.is_empty() {
            self.by_offset.insert(offset, part);
        }
    }

    /// What they have of a range: where, and the bytes, in order.
    pub(super) fn within(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, &[u8])> {
        let before = self.by_offset.range(..start).next_back();
        before.into_iter().chain(self.by_offset.range(start..end)).filter_map(move |(&at, part)| {
            let skipped = start.saturating_sub(at) as usize;
            let left = end.saturating_sub(at.max(start)) as usize;
            let bytes = self.bytes[part.clone()].get(skipped..)?;
            let bytes = &bytes[..left.min(bytes.len())];
            (!bytes.is_empty()).then_some((at.max(start), bytes))
        })
    }

    /// Runs of adjacent segments: where each starts, and its parts in order.
    pub(super) fn runs(&self) -> Vec<(u64, Vec<&[u8]>)> {
        let mut runs: Vec<(u64, Vec<&[u8]>)> = Vec::new();
        let mut run_end = None;
        for (&at, part) in &self.by_offset {
            let bytes = &self.bytes[part.clone()];
            match runs.last_mut() {
                Some((_, parts)) if run_end == Some(at) => parts.push(bytes),
                _ => runs.push((at, vec![bytes])),
            }
            run_end = Some(at + part.len() as u64);
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn page_written_again_takes_no_more_memory() {
        let mut segments = Segments::default();
        for byte in 0..100 {
            segments.write(4096, &[byte; 4096]);
        }
        assert_eq!(segments.held_bytes(), 4096);
        assert_eq!(segments.runs(), [(4096, vec![&[99; 4096][..]])]);
    }

    proptest! {
        /// Any order of writes and truncations reads like the same on a plain array.
        #[test]
        fn equals_a_plain_array(steps in proptest::collection::vec((0u64..60, 0usize..20, any::<bool>()), 1..40)) {
            let mut segments = Segments::default();
            let mut plain: Vec<Option<u8>> = vec![None; 100];
            for (number, (offset, length, cut)) in steps.into_iter().enumerate() {
                if cut && length == 0 {
                    segments.truncate(offset);
                    plain[offset as usize..].fill(None);
                } else if cut && length == 1 {
                    segments.clear();
                    plain.fill(None);
                } else {
                    segments.write(offset, &vec![number as u8; length]);
                    plain[offset as usize..offset as usize + length].fill(Some(number as u8));
                }
            }
            let mut read: Vec<Option<u8>> = vec![None; 100];
            for (at, bytes) in segments.within(0, 100) {
                for (place, byte) in read[at as usize..].iter_mut().zip(bytes) {
                    prop_assert_eq!(*place, None, "segments overlap");
                    *place = Some(*byte);
                }
            }
            prop_assert_eq!(segments.covered_bytes(), plain.iter().flatten().count());
            let in_runs: usize =
                segments.runs().iter().flat_map(|(_, parts)| parts).map(|part| part.len()).sum();
            prop_assert_eq!(in_runs, segments.covered_bytes());
            prop_assert_eq!(read, plain);
        }
    }
}
