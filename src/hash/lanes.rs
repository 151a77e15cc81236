//! BLAKE3's compression of one block in each of 16 lanes, every lane with a length of its own.
//!
//! The hash crate's vector kernel takes whole blocks alone, and compressing the last, shorter block
//! of each preimage singly cost twice as much as all blocks before it together. The function below
//! is the specification's (section 2.2), written so that the compiler turns each step into vector
//! instructions; it is compiled once for each vector unit that is worth it and chosen at run time.
//! A plain build of the same function is what other processors run, and what tests compare with.

#![allow(unsafe_code)] // in `compress` alone, see tests/tidy.rs

use super::batch::IV;

/// How many blocks are compressed side by side.
pub(super) const LANES: usize = 16;

/// A word of each lane.
type Words = [u32; LANES];

/// One block a lane, on its way to the compression.
pub(super) struct Blocks {
    /// The chaining values before the blocks; after [`Blocks::compress`] those behind them.
    values: [Words; 8],
    message: [Words; 16],
    block_len: Words,
}

/// Which of the message's words each round uses, in the order of its steps.
const SCHEDULE: [[usize; 16]; 7] = schedule();

const fn schedule() -> [[usize; 16]; 7] {
    const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
    let mut rounds = [[0; 16]; 7];
    let mut word = 0;
    while word < 16 {
        let (mut round, mut source) = (0, word);
        while round < 7 {
            rounds[round][word] = source;
            source = PERMUTATION[source];
            round += 1;
        }
        word += 1;
    }
    rounds
}

impl Blocks {
    pub(super) fn new() -> Self {
        Self { values: [[0; LANES]; 8], message: [[0; LANES]; 16], block_len: [0; LANES] }
    }

    /// Gives a lane its chaining value and its block, of which `len` bytes count.
    pub(super) fn set(&mut self, lane: usize, value: &[u32; 8], block: &[u8; 64], len: u8) {
        for (words, word) in self.values.iter_mut().zip(value) {
            words[lane] = *word;
        }
        let (block, _) = block.as_chunks::<4>();
        for (words, bytes) in self.message.iter_mut().zip(block) {
            words[lane] = u32::from_le_bytes(*bytes);
        }
        self.block_len[lane] = u32::from(len);
    }

    /// The chaining value of a lane.
    pub(super) fn value(&self, lane: usize) -> [u32; 8] {
        std::array::from_fn(|word| self.values[word][lane])
    }

    /// Compresses all lanes' blocks.
    pub(super) fn compress(&mut self, flags: u8) {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                // SAFETY: the processor has what the function was compiled for.
                unsafe { compress_avx512(self, flags) };
                return;
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has what the function was compiled for.
                unsafe { compress_avx2(self, flags) };
                return;
            }
        }
        compress_plain(self, flags);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl")]
fn compress_avx512(blocks: &mut Blocks, flags: u8) {
    compress_plain(blocks, flags);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn compress_avx2(blocks: &mut Blocks, flags: u8) {
    compress_plain(blocks, flags);
}

/// Inlined into each of its callers, which decide the instructions that it becomes.
#[inline(always)]
fn compress_plain(blocks: &mut Blocks, flags: u8) {
    let Blocks { values, message, block_len } = blocks;
    let mut state = [[0; LANES]; 16];
    state[..8].copy_from_slice(values);
    for (words, word) in state[8..12].iter_mut().zip(IV) {
        *words = [word; LANES];
    }
    // The counter's words, 12 and 13, stay zero: a preimage is one chunk.
    state[14] = *block_len;
    state[15] = [u32::from(flags); LANES];
    for words in SCHEDULE {
        let pair = |step: usize| (&message[words[2 * step]], &message[words[2 * step + 1]]);
        for column in 0..4 {
            mix(&mut state, [column, 4 + column, 8 + column, 12 + column], pair(column));
        }
        for column in 0..4 {
            let diagonal =
                [column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4];
            mix(&mut state, diagonal, pair(4 + column));
        }
    }
    for (word, value) in values.iter_mut().enumerate() {
        for lane in 0..LANES {
            value[lane] = state[word][lane] ^ state[word + 8][lane];
        }
    }
}

/// The quarter round.
#[inline(always)]
fn mix(state: &mut [Words; 16], [a, b, c, d]: [usize; 4], (first, second): (&Words, &Words)) {
    for lane in 0..LANES {
        let mut at = [state[a][lane], state[b][lane], state[c][lane], state[d][lane]];
        for (word, [turn_d, turn_b]) in [(first[lane], [16, 12]), (second[lane], [8, 7])] {
            at[0] = at[0].wrapping_add(at[1]).wrapping_add(word);
            at[3] = (at[3] ^ at[0]).rotate_right(turn_d);
            at[2] = at[2].wrapping_add(at[3]);
            at[1] = (at[1] ^ at[2]).rotate_right(turn_b);
        }
        [state[a][lane], state[b][lane], state[c][lane], state[d][lane]] = at;
    }
}

#[cfg(test)]
mod tests {
    use blake3::platform::Platform;

    use super::*;

    /// Each way of compressing, at every block length, equals the hash crate's single-lane one.
    #[test]
    fn every_lane_equals_the_single_compression() {
        let mut ways: Vec<fn(&mut Blocks, u8)> = vec![|blocks, flags| blocks.compress(flags)];
        ways.push(compress_plain);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has what the function was compiled for.
            ways.push(|blocks, flags| unsafe { compress_avx2(blocks, flags) });
        }
        for (way, len) in ways.iter().flat_map(|way| (0..=64_u8).map(move |len| (way, len))) {
            let mut blocks = Blocks::new();
            let mut expected = [[0; 8]; LANES];
            for (lane, value) in expected.iter_mut().enumerate() {
                let block = std::array::from_fn(|at| (at * 7 + lane * 31) as u8 ^ len);
                let len = (len + lane as u8).min(64);
                *value = std::array::from_fn(|word| (word * 0x0101_0101 + lane) as u32);
                blocks.set(lane, value, &block, len);
                Platform::portable().compress_in_place(value, &block, len, 0, 0x0A);
            }
            way(&mut blocks, 0x0A);
            for (lane, value) in expected.iter().enumerate() {
                assert_eq!(blocks.value(lane), *value, "lane {lane} from length {len} on");
            }
        }
    }
}
