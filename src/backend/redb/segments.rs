//! Bytes that lie over a file: written by redb, not (yet) on the disk.
//!
//! Segments never overlap; a later write cuts what it covers. Pure memory, no locks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Shared bytes and the part of them that counts.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    bytes: Arc<[u8]>,
    part: Range<usize>,
}

impl Segment {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.part.clone()]
    }

    fn from(&self, skip: u64) -> Self {
        let part = self.part.start + skip as usize..self.part.end;
        Self { bytes: self.bytes.clone(), part }
    }

    fn up_to(&self, count: u64) -> Self {
        let part = self.part.start..self.part.start + count as usize;
        Self { bytes: self.bytes.clone(), part }
    }
}

/// Segments by their offset in the file.
#[derive(Debug, Default)]
pub(super) struct Segments {
    by_offset: BTreeMap<u64, Segment>,
    total_bytes: usize,
}

impl Segments {
    pub(super) fn is_empty(&self) -> bool {
        self.by_offset.is_empty()
    }

    pub(super) fn total_bytes(&self) -> usize {
        self.total_bytes
    }

    /// Lays `data` over everything below it.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let end = offset + data.len() as u64;
        self.clear(offset, end);
        self.insert(offset, Segment { bytes: Arc::from(data), part: 0..data.len() });
    }

    /// Removes everything from `len` on.
    pub(super) fn truncate(&mut self, len: u64) {
        self.clear(len, u64::MAX);
    }

    fn clear(&mut self, start: u64, end: u64) {
        let before = self.by_offset.range(..start).next_back();
        let first = match before {
            Some((&at, segment)) if at + segment.bytes().len() as u64 > start => at,
            _ => start,
        };
        let touched: Vec<u64> = self.by_offset.range(first..end).map(|(&at, _)| at).collect();
        for at in touched {
            let segment = self.by_offset.remove(&at).expect("listed above");
            let length = segment.bytes().len() as u64;
            self.total_bytes -= length as usize;
            if at < start {
                self.insert(at, segment.up_to(start - at));
            }
            if at + length > end {
                self.insert(end, segment.from(end - at));
            }
        }
    }

    fn insert(&mut self, offset: u64, segment: Segment) {
        if !segment.part.is_empty() {
            self.total_bytes += segment.part.len();
            self.by_offset.insert(offset, segment);
        }
    }

    /// The segments that touch a range, in order.
    pub(super) fn touching(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, &Segment)> {
        let before = self.by_offset.range(..start).next_back();
        let before = before.filter(move |(at, segment)| *at + segment.bytes().len() as u64 > start);
        before
            .into_iter()
            .chain(self.by_offset.range(start..end))
            .map(|(&at, segment)| (at, segment))
    }

    /// Runs of adjacent segments: where each starts, and its parts in order.
    pub(super) fn runs(&self) -> Vec<(u64, Vec<&[u8]>)> {
        let mut runs: Vec<(u64, Vec<&[u8]>)> = Vec::new();
        let mut run_end = None;
        for (&at, segment) in &self.by_offset {
            match runs.last_mut() {
                Some((_, parts)) if run_end == Some(at) => parts.push(segment.bytes()),
                _ => runs.push((at, vec![segment.bytes()])),
            }
            run_end = Some(at + segment.bytes().len() as u64);
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
                } else {
                    segments.write(offset, &vec![number as u8; length]);
                    plain[offset as usize..offset as usize + length].fill(Some(number as u8));
                }
            }
            let mut read: Vec<Option<u8>> = vec![None; 100];
            for (at, segment) in segments.touching(0, 100) {
                for (place, byte) in read[at as usize..].iter_mut().zip(segment.bytes()) {
                    prop_assert_eq!(*place, None, "segments overlap");
                    *place = Some(*byte);
                }
            }
            prop_assert_eq!(segments.total_bytes(), plain.iter().flatten().count());
            let in_runs: usize =
                segments.runs().iter().flat_map(|(_, parts)| parts).map(|part| part.len()).sum();
            prop_assert_eq!(in_runs, segments.total_bytes());
            prop_assert_eq!(read, plain);
        }
    }
}
