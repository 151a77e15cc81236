//! The keys of one segment in memory, in the order of their bytes; the first `seq` of a key wins.
//!
//! Every entry that names an order asks here whether the name is known, so a key's first bytes
//! stand in the tree itself: most comparisons follow no pointer then, and the usual order id takes
//! no memory of its own. On disk: `index_file`.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::index::{IndexKind, KeyList};

/// How many bytes of a key stand in the tree.
const HEAD_BYTES: usize = 16;

/// One key. Its order is that of its bytes: first the head, filled up with zeros and read as
/// numbers, then the rest; of two that differ in zeros at the end alone, the shorter comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    head: [u64; HEAD_BYTES / 8],
    rest: Box<[u8]>,
    len: usize,
}

impl Key {
    fn new(text: &str) -> Self {
        let (start, rest) = text.as_bytes().split_at(text.len().min(HEAD_BYTES));
        let mut bytes = [0; HEAD_BYTES];
        bytes[..start.len()].copy_from_slice(start);
        let (numbers, _) = bytes.as_chunks();
        let head = std::array::from_fn(|at| u64::from_be_bytes(numbers[at]));
        Self { head, rest: rest.into(), len: text.len() }
    }

    fn to_text(&self) -> String {
        let mut bytes = Vec::new();
        self.write(&mut bytes).to_owned()
    }

    /// Makes `bytes` the key's, and reads them.
    fn write<'b>(&self, bytes: &'b mut Vec<u8>) -> &'b str {
        bytes.clear();
        self.head.iter().for_each(|number| bytes.extend_from_slice(&number.to_be_bytes()));
        bytes.truncate(self.len);
        bytes.extend_from_slice(&self.rest);
        std::str::from_utf8(bytes).expect("it was made from a text")
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeMap<IndexKind, BTreeMap<Key, u64>>);

impl Keys {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Takes note of the keys of an entry.
    pub(super) fn add(&mut self, list: KeyList<'_>, seq: u64) {
        for (kind, key) in list.iter() {
            self.0.entry(kind).or_default().entry(Key::new(key)).or_insert(seq);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Takes over the keys of later entries.
    pub(super) fn extend(&mut self, later: Self) {
        for (kind, keys) in later.0 {
            let index = self.0.entry(kind).or_default();
            for (key, seq) in keys {
                index.entry(key).or_insert(seq);
            }
        }
    }

    pub(super) fn get(&self, kind: IndexKind, key: &str) -> Option<u64> {
        self.0.get(&kind)?.get(&Key::new(key)).copied()
    }

    /// Up to `count` keys after one, or from the start.
    pub(super) fn after(
        &self,
        kind: IndexKind,
        after: Option<&str>,
        count: usize,
    ) -> Vec<(String, u64)> {
        let start = after.map_or(Bound::Unbounded, |key| Bound::Excluded(Key::new(key)));
        let Some(index) = self.0.get(&kind) else { return Vec::new() };
        let rest = index.range((start, Bound::Unbounded));
        rest.take(count).map(|(key, seq)| (key.to_text(), *seq)).collect()
    }

    /// Shows all keys, by kind and then by their bytes.
    pub(super) fn visit(&self, mut each: impl FnMut(IndexKind, &str, u64)) {
        let mut bytes = Vec::new();
        for (kind, index) in &self.0 {
            index.iter().for_each(|(key, seq)| each(*kind, key.write(&mut bytes), *seq));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The order of keys is that of their bytes, and each is got back as it was given: around
        /// the length of a head, with letters across its end, and with zeros at the end.
        #[test]
        fn keys_order_as_their_bytes(one in "[a\0é]{0,24}", other in "[a\0é]{0,24}") {
            let (first, second) = (Key::new(&one), Key::new(&other));
            prop_assert_eq!(first.cmp(&second), one.as_bytes().cmp(other.as_bytes()));
            prop_assert_eq!(first.to_text(), one);
        }
    }
}
