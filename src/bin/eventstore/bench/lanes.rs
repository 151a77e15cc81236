//! The limit of hashing many: BLAKE3 of the same preimages in as many lanes as the processor has.
//!
//! Preimages of as many whole blocks go through the hash crate's kernel side by side, the last
//! block of each by itself; those that are longer than a chunk are hashed one by one. It is written
//! down here, and not taken from the library, so that what is measured is not its own limit.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blake3::platform::Platform;
use blake3::{BLOCK_LEN, CHUNK_LEN, IncrementCounter, OUT_LEN};

use super::frames::Pieces;
use super::pairs::{Sample, Side};

/// BLAKE3's initial chaining value and flags, as its paper has them.
const IV: [u32; 8] = [
    0x6A09_E667,
    0xBB67_AE85,
    0x3C6E_F372,
    0xA54F_F53A,
    0x510E_527F,
    0x9B05_688C,
    0x1F83_D9AB,
    0x5BE0_CD19,
];
const CHUNK_START: u8 = 1 << 0;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;
/// How many are hashed side by side at most: four turns of the widest kernel.
const SIDE_BY_SIDE: usize = 64;
/// Whole blocks before the last of a chunk, at most.
const WHOLE_BLOCKS_MAX: usize = CHUNK_LEN / BLOCK_LEN - 1;

/// Hashes preimages, in order of their lengths, over and over.
pub(crate) fn hashing(preimages: Arc<Pieces>) -> impl Side {
    let groups = groups(&preimages);
    let platform = Platform::detect();
    let mut next = 0;
    move |slice: Duration| {
        let mut count = 0;
        let begun = Instant::now();
        while count == 0 || begun.elapsed() < slice {
            hash_group(platform, &preimages, &groups[next], &mut |_, hash| {
                black_box(hash);
            });
            count += groups[next].len() as u64;
            next = (next + 1) % groups.len();
        }
        Ok(Sample { count, spent: begun.elapsed() })
    }
}

/// Blocks of a preimage that are followed by another.
fn whole_blocks(length: usize) -> usize {
    length.saturating_sub(1) / BLOCK_LEN
}

/// Preimages that are hashed side by side: of as many whole blocks.
fn groups(preimages: &Pieces) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..preimages.len()).collect();
    let blocks = |at: usize| whole_blocks(preimages.piece(at).len());
    order.sort_by_key(|at| blocks(*at));
    let alike = order.chunk_by(|a, b| blocks(*a) == blocks(*b));
    alike.flat_map(|alike| alike.chunks(SIDE_BY_SIDE).map(<[usize]>::to_vec)).collect()
}

type Found<'a> = &'a mut dyn FnMut(usize, [u8; OUT_LEN]);

fn hash_group(platform: Platform, preimages: &Pieces, group: &[usize], found: Found<'_>) {
    let blocks = whole_blocks(preimages.piece(group[0]).len());
    // One kernel for each number of blocks: its length is part of its type.
    macro_rules! with_blocks {
        ($($number:literal)*) => {
            match blocks {
                $($number => side_by_side::<{ $number * BLOCK_LEN }>(platform, preimages, group, found),)*
                _ => group.iter().for_each(|at| {
                    found(*at, *blake3::hash(preimages.piece(*at)).as_bytes());
                }),
            }
        };
    }
    const { assert!(WHOLE_BLOCKS_MAX == 15) };
    with_blocks!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
}

/// The first `WHOLE` bytes of each side by side, then the last block of each.
fn side_by_side<const WHOLE: usize>(
    platform: Platform,
    preimages: &Pieces,
    group: &[usize],
    found: Found<'_>,
) {
    let whole =
        |at: &usize| preimages.piece(*at).first_chunk::<WHOLE>().expect("grouped by blocks");
    let mut inputs = [&[0; WHOLE]; SIDE_BY_SIDE];
    for (input, at) in inputs.iter_mut().zip(group) {
        *input = whole(at);
    }
    let mut values = [0; SIDE_BY_SIDE * OUT_LEN];
    let values = &mut values[..group.len() * OUT_LEN];
    platform.hash_many(
        &inputs[..group.len()],
        &IV,
        0,
        IncrementCounter::No,
        0,
        CHUNK_START,
        0,
        values,
    );
    for (at, value) in group.iter().zip(values.as_chunks::<OUT_LEN>().0) {
        let last = &preimages.piece(*at)[WHOLE..];
        let mut block = [0; BLOCK_LEN];
        block[..last.len()].copy_from_slice(last);
        let mut value = blake3::platform::words_from_le_bytes_32(value);
        platform.compress_in_place(&mut value, &block, last.len() as u8, 0, CHUNK_END | ROOT);
        found(*at, blake3::platform::le_bytes_from_words_32(&value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length comes to the hash that the crate gives it, and none is left out.
    #[test]
    fn hashes_in_lanes_are_those_of_the_crate() {
        let bytes: Vec<u8> = (0..1300_u32).map(|at| (at * 7 % 251) as u8).collect();
        let pieces = Pieces::of((0..=1300).map(|length| &bytes[..length]));
        let mut seen = vec![false; pieces.len()];
        for group in groups(&pieces) {
            hash_group(Platform::detect(), &pieces, &group, &mut |at, hash| {
                assert_eq!(hash, *blake3::hash(pieces.piece(at)).as_bytes(), "{at} bytes");
                seen[at] = true;
            });
        }
        assert!(seen.iter().all(|seen| *seen));
    }
}
