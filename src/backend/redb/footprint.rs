//! Which parts of a growing file were ever written, in chunks of 64 KiB.
//!
//! Growth takes real space for twice what the file holds, and redb's close trims little of it:
//! it likes to use the last pages first. What was never written reads as zeros, with space of its
//! own or without; so a sealed run gives that space back and not a byte changes.

use std::ops::Range;

pub(super) const CHUNK_BYTES: u64 = 64 << 10;

/// See the module. Pure memory.
#[derive(Debug)]
pub(super) struct Footprint {
    /// One bit a chunk, for chunks from `first` on; those before count as written.
    bits: Vec<u64>,
    first: u64,
}

impl Footprint {
    /// Of a file whose first `len` bytes may all have been written.
    pub(super) fn new(len: u64) -> Self {
        Self { bits: Vec::new(), first: len.div_ceil(CHUNK_BYTES) }
    }

    fn place(&self, chunk: u64) -> Option<(usize, u64)> {
        let index = chunk.checked_sub(self.first)?;
        Some(((index / 64) as usize, 1 << (index % 64)))
    }

    fn is_written(&self, chunk: u64) -> bool {
        self.place(chunk)
            .is_none_or(|(word, bit)| self.bits.get(word).is_some_and(|bits| bits & bit != 0))
    }

    /// Takes note of a write, and answers how many of its bytes need writing: zeros at its end
    /// over chunks that were never written are there already.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> usize {
        let mut end = offset + data.len() as u64;
        while end > offset {
            let chunk = (end - 1) / CHUNK_BYTES;
            let start = (chunk * CHUNK_BYTES).max(offset);
            let part = &data[(start - offset) as usize..(end - offset) as usize];
            if self.is_written(chunk) || part.iter().any(|byte| *byte != 0) {
                break;
            }
            end = start;
        }
        for chunk in offset / CHUNK_BYTES..end.div_ceil(CHUNK_BYTES) {
            if let Some((word, bit)) = self.place(chunk) {
                if self.bits.len() <= word {
                    self.bits.resize(word + 1, 0);
                }
                self.bits[word] |= bit;
            }
        }
        (end - offset) as usize
    }

    /// Takes note that the file was cut: what grows there again is fresh.
    pub(super) fn truncate(&mut self, len: u64) {
        let kept = len.div_ceil(CHUNK_BYTES);
        if kept < self.first {
            *self = Self::new(len);
            return;
        }
        for chunk in kept..self.first + self.bits.len() as u64 * 64 {
            if let Some((word, bit)) = self.place(chunk) {
                self.bits[word] &= !bit;
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHUNKS: u64 = 40;

    proptest! {
        /// Whatever is written, cut and grown: skipped bytes and chunks called unwritten are zero
        /// in a plain file that got every byte.
        #[test]
        fn what_counts_as_unwritten_is_zero(steps in proptest::collection::vec(
            (0..CHUNKS * 16, 1u64..40, any::<bool>(), any::<bool>()), 1..30,
        )) {
            const UNIT: u64 = CHUNK_BYTES / 16;
            let mut footprint = Footprint::new(2 * CHUNK_BYTES);
            let mut plain = vec![1; 2 * CHUNK_BYTES as usize];
            let mut written = plain.clone();
            for (at, units, is_zero, cut) in steps {
                let (offset, count) = (at * UNIT, units * UNIT);
                if cut {
                    plain.truncate(offset as usize);
                    written.truncate(offset as usize);
                    footprint.truncate(offset);
                    continue;
                }
                let end = (offset + count) as usize;
                plain.resize(plain.len().max(end), 0);
                written.resize(plain.len(), 0);
                let mut data = vec![u8::from(!is_zero); count as usize];
                // A page's own header, then zeros.
                data[0] = 1;
                let kept = footprint.write(offset, &data);
                plain[offset as usize..end].copy_from_slice(&data);
                written[offset as usize..offset as usize + kept].copy_from_slice(&data[..kept]);
            }
            prop_assert!(plain == written);
            for range in footprint.unwritten(plain.len() as u64) {
                let part = &plain[range.start as usize..range.end as usize];
                prop_assert!(part.iter().all(|byte| *byte == 0), "{range:?}");
            }
        }
    }
}
