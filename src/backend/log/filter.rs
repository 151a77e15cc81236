//! Says of a key, without reading the blocks of an index, that its segment does not have it.
//!
//! A split-block Bloom filter: each key sets one bit in each of the eight words of one block, so
//! that asking costs one cache line, whatever the number of keys. It never denies a key that is
//! there. Of keys that are not, it lets about one in 700 pass (16 bits a key): of two hundred
//! segments, a lookup reads a block in vain in 0.3. Where it stands in the file: `index_file`.

use super::heads::ordered;
use crate::index::IndexKind;
use crate::planted::planted;

/// Of this kind is every filter that this version writes; another one is not read.
const KIND: u32 = 1;
const WORDS: usize = 8;
const BLOCK_BYTES: usize = 4 * WORDS;
/// Keys a block, if they are spread evenly.
const BLOCK_KEYS: usize = 16;
/// A kind and a key up to this length are hashed in one piece.
const SHORT_BYTES: usize = 64;

/// What a filter knows of a key: where its block is, as a fraction of all, and a bit in each word.
#[derive(Debug, Clone, Copy)]
struct Print {
    place: u64,
    bits: [u8; WORDS],
}

impl Print {
    /// Of BLAKE3: no choice of keys makes a filter worse than chance does.
    fn of(kind: IndexKind, key: &str) -> Self {
        let mut short = [0; SHORT_BYTES];
        let (kind, key) = (kind.code().to_le_bytes(), key.as_bytes());
        let hash = match short.get_mut(..kind.len() + key.len()) {
            // At once, without a hasher to set up: what most keys are.
            Some(bytes) => {
                bytes[..kind.len()].copy_from_slice(&kind);
                bytes[kind.len()..].copy_from_slice(key);
                *blake3::hash(bytes).as_bytes()
            }
            None => *blake3::Hasher::new().update(&kind).update(key).finalize().as_bytes(),
        };
        let (place, rest) = hash.split_first_chunk().expect("a hash has 32 bytes");
        let bits = rest.first_chunk().expect("a hash has 32 bytes");
        Self { place: u64::from_le_bytes(*place), bits: bits.map(|byte| byte % 32) }
    }
}

/// A key that is looked for, its print, and its bytes as they are ordered: made once for all
/// segments.
#[derive(Debug, Clone)]
pub(super) struct Sought<'k> {
    pub(super) kind: IndexKind,
    pub(super) key: &'k str,
    pub(super) ordered: Vec<u8>,
    print: Print,
}

impl<'k> Sought<'k> {
    pub(super) fn new(kind: IndexKind, key: &'k str) -> Self {
        Self { kind, key, ordered: ordered(kind, key), print: Print::of(kind, key) }
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    blocks: Vec<[u32; WORDS]>,
}

impl Filter {
    /// A filter for so many keys, none of them in it yet; one for no keys has no block.
    pub(super) fn with_room(count: usize) -> Self {
        Self { blocks: vec![[0; WORDS]; count.div_ceil(BLOCK_KEYS)] }
    }

    /// Adds a key.
    pub(super) fn add(&mut self, kind: IndexKind, key: &str) {
        let print = Print::of(kind, key);
        let at = self.block_of(&print).expect("keys are counted before");
        for (word, bit) in self.blocks[at].iter_mut().zip(print.bits) {
            *word |= 1 << bit;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Whether the segment may have the key; `false` is certain.
    pub(super) fn may_have(&self, sought: &Sought<'_>) -> bool {
        let Some(at) = self.block_of(&sought.print) else { return false };
        let mut words = self.blocks[at].iter().zip(sought.print.bits);
        words.all(|(word, bit)| (word >> bit) & 1 == 1) || planted("log_ignore_filter")
    }

    fn block_of(&self, print: &Print) -> Option<usize> {
        let count = self.blocks.len();
        let at = (u128::from(print.place) * count as u128) >> u64::BITS;
        (count > 0).then_some(at as usize)
    }

    /// Appends kind, number of blocks, and blocks.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&KIND.to_le_bytes());
        out.extend_from_slice(&(self.blocks.len() as u32).to_le_bytes());
        for word in self.blocks.as_flattened() {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }

    /// Reads what `encode` wrote from the start of `bytes`; also answers what follows. `None` for
    /// another kind and for what is cut short.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (kind, rest) = bytes.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let count = u32::from_le_bytes(*count) as usize;
        let (blocks, rest) = rest.split_at_checked(count.checked_mul(BLOCK_BYTES)?)?;
        let words = |block: &[u8]| {
            let (words, _) = block.as_chunks();
            std::array::from_fn(|at| u32::from_le_bytes(words[at]))
        };
        let blocks = blocks.chunks_exact(BLOCK_BYTES).map(words).collect();
        (u32::from_le_bytes(*kind) == KIND).then_some((Self { blocks }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(numbers: std::ops::Range<u32>) -> Vec<(IndexKind, String)> {
        let kind = |number: u32| IndexKind::ALL[number as usize % 2];
        numbers.map(|number| (kind(number), format!("O-20261127-{number}"))).collect()
    }

    fn filter(keys: &[(IndexKind, String)]) -> Filter {
        let mut filter = Filter::with_room(keys.len());
        keys.iter().for_each(|(kind, key)| filter.add(*kind, key));
        filter
    }

    /// No key is denied that is there, and no more of the others pass than the module says.
    #[test]
    fn keys_that_are_there_pass_and_few_others_do() {
        let there = keys(0..20_000);
        let filter = filter(&there);
        let passes = |(kind, key): &&(IndexKind, String)| filter.may_have(&Sought::new(*kind, key));
        assert_eq!(there.iter().filter(passes).count(), there.len());
        let others = keys(1_000_000..1_200_000);
        let passed = others.iter().filter(passes).count();
        println!("{passed} of {} keys that are not there pass", others.len());
        assert!(passed < others.len() / 600, "{passed} of {} pass", others.len());
        // The other kind's key of the same name is another key.
        let swapped =
            there.iter().map(|(kind, key)| (IndexKind::ALL[1 - usize::from(kind.code())], key));
        let passed =
            swapped.filter(|(kind, key)| filter.may_have(&Sought::new(*kind, key))).count();
        assert!(passed < 100, "{passed} pass under the other kind");
    }

    /// A key's print is of one hash, however long it is.
    #[test]
    fn print_is_of_one_hash_at_every_length() {
        for length in 0..200 {
            let key = "k".repeat(length);
            let hash = *blake3::hash(format!("\x01\0{key}").as_bytes()).as_bytes();
            let print = Print::of(IndexKind::VENUE_ORDER_ID, &key);
            assert_eq!(print.place.to_le_bytes(), hash[..8], "{length} bytes");
            assert_eq!(
                print.bits.as_slice(),
                <[u8; 8]>::try_from(&hash[8..16]).unwrap().map(|byte| byte % 32),
                "{length} bytes"
            );
        }
    }

    /// The layout that the module document of the log gives, byte for byte.
    #[test]
    fn filter_has_the_documented_layout() {
        let mut bytes = Vec::new();
        filter(&[]).encode(&mut bytes);
        assert_eq!(bytes, [1, 0, 0, 0, 0, 0, 0, 0]);
        bytes.clear();
        let one = filter(&keys(0..1));
        one.encode(&mut bytes);
        assert_eq!(&bytes[..8], [1, 0, 0, 0, 1, 0, 0, 0]);
        let hash = *blake3::hash(b"\0\0O-20261127-0").as_bytes();
        for word in 0..8 {
            let stored = u32::from_le_bytes(bytes[8 + 4 * word..][..4].try_into().unwrap());
            assert_eq!(stored, 1 << (hash[8 + word] % 32), "word {word}");
        }
        bytes.push(7);
        assert_eq!(Filter::decode(&bytes), Some((one, &[7_u8][..])));
        for cut in 0..bytes.len() - 1 {
            assert_eq!(Filter::decode(&bytes[..cut]), None, "cut at {cut}");
        }
        bytes[0] = 2;
        assert_eq!(Filter::decode(&bytes), None, "another kind");
    }
}
