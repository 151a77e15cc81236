//! The first keys of an index's blocks: says which block may have a key.
//!
//! Of every finished segment they stay in memory, so they lie close together: the texts one behind
//! the other, and of each, behind what all of them start with, eight bytes as a number. A search
//! goes through the numbers alone and looks at the texts of equal ones. Where blocks stand in the
//! file: `index_file`.

use crate::index::IndexKind;

const NUMBER_BYTES: usize = 8;
const KIND_BYTES: usize = 2;

/// A key as keys are ordered: by kind, then by its bytes.
pub(super) fn ordered(kind: IndexKind, key: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(KIND_BYTES + key.len());
    bytes.extend_from_slice(&kind.code().to_be_bytes());
    bytes.extend_from_slice(key.as_bytes());
    bytes
}

/// Where a block of keys stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockPlace {
    pub(super) offset: u64,
    pub(super) bytes: u32,
    pub(super) checksum: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Heads {
    places: Vec<BlockPlace>,
    /// What all texts start with, in bytes.
    shared: usize,
    numbers: Vec<u64>,
    texts: Vec<u8>,
    /// Where each text ends.
    ends: Vec<u32>,
}

impl Heads {
    /// Adds the next block. `None` for more than a segment can have.
    pub(super) fn push(&mut self, place: BlockPlace, kind: IndexKind, first: &str) -> Option<()> {
        self.places.push(place);
        self.texts.extend_from_slice(&ordered(kind, first));
        self.ends.push(u32::try_from(self.texts.len()).ok()?);
        Some(())
    }

    /// Makes them ready to be searched, once all are there.
    pub(super) fn ready(mut self) -> Self {
        if let Some(last) = self.len().checked_sub(1) {
            let both = self.text(0).iter().zip(self.text(last));
            self.shared = both.take_while(|(one, other)| one == other).count();
        }
        self.numbers = (0..self.len()).map(|at| number(self.text(at), self.shared)).collect();
        self.places.shrink_to_fit();
        self.texts.shrink_to_fit();
        self.ends.shrink_to_fit();
        self
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn place(&self, at: usize) -> BlockPlace {
        self.places[at]
    }

    /// The last block.
    pub(super) fn last(&self) -> Option<BlockPlace> {
        self.places.last().copied()
    }

    /// Whether a block starts with a key of a later kind.
    pub(super) fn is_after(&self, at: usize, kind: IndexKind) -> bool {
        self.text(at)[..KIND_BYTES] > kind.code().to_be_bytes()[..]
    }

    /// The block that has the key if any has: the last that does not start behind it.
    pub(super) fn block_of(&self, ordered: &[u8]) -> Option<usize> {
        let common = &self.texts[..self.shared];
        match ordered[..ordered.len().min(self.shared)].cmp(common) {
            std::cmp::Ordering::Less => return None,
            std::cmp::Ordering::Greater => return self.len().checked_sub(1),
            std::cmp::Ordering::Equal => {}
        }
        let wanted = number(ordered, self.shared);
        let (from, to) = (
            self.numbers.partition_point(|number| *number < wanted),
            self.numbers.partition_point(|number| *number <= wanted),
        );
        // Of equal numbers the texts decide.
        let (mut low, mut high) = (from, to);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.text(middle) <= ordered { low = middle + 1 } else { high = middle }
        }
        low.checked_sub(1)
    }

    fn text(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.texts[start as usize..self.ends[at] as usize]
    }
}

/// Eight bytes of a text as a number, filled up with zeros.
fn number(text: &[u8], from: usize) -> u64 {
    let rest = text.get(from..).unwrap_or_default();
    let mut bytes = [0; NUMBER_BYTES];
    let count = rest.len().min(NUMBER_BYTES);
    bytes[..count].copy_from_slice(&rest[..count]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Of any sorted keys, each answer is that of a search through all of them: with equal
        /// numbers, common starts, zeros at the end, and keys shorter than what is shared.
        #[test]
        fn block_is_the_last_that_starts_at_or_before(
            mut firsts in proptest::collection::btree_set((0..2_usize, "a{0,9}[ab\0]{0,3}"), 0..40),
            sought in (0..2_usize, "a{0,9}[ab\0]{0,3}"),
            is_one_kind: bool,
        ) {
            if is_one_kind {
                firsts.retain(|(kind, _)| *kind == 1);
            }
            let mut heads = Heads::default();
            for (kind, first) in &firsts {
                let place = BlockPlace { offset: 0, bytes: 0, checksum: 0 };
                heads.push(place, IndexKind::ALL[*kind], first).unwrap();
            }
            let heads = heads.ready();
            let expected = firsts.iter().filter(|first| **first <= sought).count().checked_sub(1);
            let found = heads.block_of(&ordered(IndexKind::ALL[sought.0], &sought.1));
            prop_assert_eq!(found, expected);
        }
    }
}
