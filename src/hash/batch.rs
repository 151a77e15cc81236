//! Hashes many entries at a time, side by side in the lanes of the processor's vector unit.
//!
//! One entry alone keeps one lane busy: its blocks depend on each other. Of several preimages of
//! equal block count, all blocks but the last go through the hash crate's multi-lane kernel, which
//! answers a chaining value each; the last blocks, whose lengths differ, go through our own
//! (`lanes`). Preimages beyond one chunk of BLAKE3 (1,024 bytes) are hashed on their own. The kernel's
//! module is hidden and unstable, so the crate's version is pinned, and the result is tested to be
//! that of [`super::entry_hash`] at every length.

use blake3::platform::Platform;
use blake3::{BLOCK_LEN, CHUNK_LEN, IncrementCounter};

use super::lanes::{Blocks, LANES};
use super::{Preimage, entry_hash};
use crate::entry::{AppendEntry, EntryView};

/// How many entries are worth collecting before [`HashBatch::hashes`]: several times the widest
/// vector unit's lanes, and their preimages still fit the first cache.
pub(crate) const BATCH_ENTRIES: usize = 64;
/// Below this many lanes the crate's ordinary way is as fast.
const LANES_MIN: usize = 4;

// Of BLAKE3's specification, section 2.1 and 2.2.
const CHUNK_START: u8 = 1 << 0;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;
pub(super) const IV: [u32; 8] = [
    0x6A09_E667,
    0xBB67_AE85,
    0x3C6E_F372,
    0xA54F_F53A,
    0x510E_527F,
    0x9B05_688C,
    0x1F83_D9AB,
    0x5BE0_CD19,
];

/// Entries on their way to be hashed together. Reused: it keeps its memory.
pub(crate) struct HashBatch {
    platform: Option<Platform>,
    /// The preimages of one chunk at most, each filled up with zeros to whole blocks.
    preimages: Vec<u8>,
    spans: Vec<Span>,
    hashes: Vec<[u8; 32]>,
}

/// Where a preimage stands.
#[derive(Clone, Copy)]
struct Span {
    at: usize,
    /// Without the zeros; 0 for an entry that was hashed when it was added.
    len: usize,
}

impl Span {
    /// How many blocks it has before the last one.
    fn full_blocks(self) -> usize {
        self.len.saturating_sub(1) / BLOCK_LEN
    }
}

impl HashBatch {
    pub(crate) fn new() -> Self {
        let platform = Platform::detect();
        let is_wide = platform.simd_degree() >= LANES_MIN;
        Self::on(is_wide.then_some(platform))
    }

    /// On the given vector unit; on none, each entry is hashed the ordinary way.
    fn on(platform: Option<Platform>) -> Self {
        Self { platform, preimages: Vec::new(), spans: Vec::new(), hashes: Vec::new() }
    }

    /// Forgets all entries.
    pub(crate) fn clear(&mut self) {
        self.preimages.clear();
        self.spans.clear();
        self.hashes.clear();
    }

    /// Adds an entry behind those added so far.
    pub(crate) fn push(&mut self, entry: &EntryView<'_>) {
        let len = Preimage::bytes_of(entry);
        if self.platform.is_none() || len > CHUNK_LEN {
            self.spans.push(Span { at: 0, len: 0 });
            self.hashes.push(entry_hash(entry));
            return;
        }
        let at = self.preimages.len();
        super::feed(entry, |bytes| self.preimages.extend_from_slice(bytes));
        debug_assert_eq!(self.preimages.len(), at + len);
        self.preimages.resize(at + len.next_multiple_of(BLOCK_LEN), 0);
        self.spans.push(Span { at, len });
        self.hashes.push([0; 32]);
    }

    /// The hashes of all entries added since the last [`HashBatch::clear`], in their order.
    pub(crate) fn hashes(&mut self) -> &[[u8; 32]] {
        if let Some(platform) = self.platform {
            let present = self.spans.iter().filter(|span| span.len != 0);
            let mut counts: u32 = present.fold(0, |set, span| set | 1 << span.full_blocks());
            while counts != 0 {
                let full_blocks = counts.trailing_zeros() as usize;
                counts &= counts - 1;
                self.hash_of_equal_length(platform, full_blocks);
            }
        }
        &self.hashes
    }

    /// The hashes of these entries, in their order.
    pub(crate) fn hashes_of<'e>(
        &mut self,
        entries: impl ExactSizeIterator<Item = &'e EntryView<'e>>,
    ) -> &[[u8; 32]] {
        self.clear();
        if entries.len() < LANES_MIN {
            self.hashes.extend(entries.map(entry_hash));
            return &self.hashes;
        }
        entries.for_each(|entry| self.push(entry));
        self.hashes()
    }

    /// Gives each entry its hash; best of [`BATCH_ENTRIES`] at a time.
    pub(crate) fn fill(&mut self, entries: &mut [AppendEntry<'_>]) {
        let hashes = self.hashes_of(entries.iter().map(|item| &item.entry)).iter();
        entries.iter_mut().zip(hashes).for_each(|(item, hash)| item.entry.entry_hash = *hash);
    }

    fn hash_of_equal_length(&mut self, platform: Platform, full_blocks: usize) {
        let mut indices = [0; BATCH_ENTRIES];
        let mut count = 0;
        for index in 0..self.spans.len() {
            let span = self.spans[index];
            if span.len != 0 && span.full_blocks() == full_blocks {
                indices[count] = index;
                count += 1;
            }
            if count == BATCH_ENTRIES || (index + 1 == self.spans.len() && count > 0) {
                self.hash_lanes(platform, full_blocks, &indices[..count]);
                count = 0;
            }
        }
    }

    /// Hashes up to [`BATCH_ENTRIES`] entries that all have so many blocks before the last one.
    fn hash_lanes(&mut self, platform: Platform, full_blocks: usize, indices: &[usize]) {
        let mut values = [0; BATCH_ENTRIES * 32];
        let starts = indices.iter().map(|index| self.spans[*index].at);
        /// One call of the kernel, which takes the length of its inputs as a constant.
        macro_rules! chain {
            ($($blocks:literal)*) => {
                match full_blocks {
                    0 => {}
                    $($blocks => {
                        chain_values::<{ $blocks * BLOCK_LEN }>(
                            platform, &self.preimages, starts, &mut values,
                        );
                    })*
                    _ => unreachable!("a chunk has 16 blocks, the last one is apart"),
                }
            };
        }
        chain!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        let start_flag = if full_blocks == 0 { CHUNK_START } else { 0 };
        let flags = start_flag | CHUNK_END | ROOT;
        let (indices, values) = (indices.chunks(LANES), values.chunks(LANES * 32));
        for (indices, values) in indices.zip(values) {
            let mut blocks = Blocks::new();
            for (lane, (index, value)) in indices.iter().zip(values.chunks_exact(32)).enumerate() {
                let Span { at, len } = self.spans[*index];
                let last = at + full_blocks * BLOCK_LEN;
                let block = self.preimages[last..].first_chunk();
                let block = block.expect("filled up to whole blocks");
                let value = if full_blocks == 0 { IV } else { words_of(value) };
                blocks.set(lane, &value, block, (len - full_blocks * BLOCK_LEN) as u8);
            }
            blocks.compress(flags);
            for (lane, index) in indices.iter().enumerate() {
                self.hashes[*index] = bytes_of(blocks.value(lane));
            }
        }
    }
}

/// The chaining values behind the first `N` bytes of each preimage.
fn chain_values<const N: usize>(
    platform: Platform,
    preimages: &[u8],
    starts: impl Iterator<Item = usize>,
    values: &mut [u8; BATCH_ENTRIES * 32],
) {
    let mut inputs = [&[0; N]; BATCH_ENTRIES];
    let mut count = 0;
    for start in starts {
        inputs[count] = preimages[start..].first_chunk().expect("it has so many blocks");
        count += 1;
    }
    let (increment, out) = (IncrementCounter::No, &mut values[..count * 32]);
    platform.hash_many(&inputs[..count], &IV, 0, increment, 0, CHUNK_START, 0, out);
}

fn words_of(bytes: &[u8]) -> [u32; 8] {
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|index| u32::from_le_bytes(words[index]))
}

fn bytes_of(words: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::{Headers, Uuid};

    /// Every vector unit that this processor has, and none.
    fn platforms() -> Vec<Option<Platform>> {
        let mut all = vec![None, Some(Platform::portable()), Some(Platform::detect())];
        #[cfg(target_arch = "x86_64")]
        all.extend([Platform::sse2(), Platform::sse41(), Platform::avx2()].map(|unit| unit));
        all
    }

    fn entry(payload: &[u8], shape: usize) -> EntryView<'_> {
        EntryView {
            seq: 1 + payload.len() as u64,
            ts_init: u64::MAX - payload.len() as u64,
            ts_publish: shape as u64,
            topic: &"exec.command.of-some-length"[..1 + payload.len() % 27],
            payload_type: "SubmitOrder",
            payload,
            headers: Headers {
                correlation_id: (shape & 1 != 0).then_some(Uuid([7; 16])),
                causation_id: (shape & 2 != 0).then_some(Uuid([9; 16])),
            },
            entry_hash: [0; 32],
        }
    }

    /// In batches of every size up to two full ones, on every vector unit, with neighbours of
    /// other lengths: the hash of every payload of 0 to 5,000 bytes in every header shape is the
    /// ordinary one.
    #[test]
    fn equals_the_ordinary_hash_at_every_length_and_header_shape() {
        let payload: Vec<u8> = (0..=5000_u32).map(|i| (i * 31 % 251) as u8).collect();
        for platform in platforms() {
            let mut batch = HashBatch::on(platform);
            let lengths = (0..=5000).flat_map(|length| (0..4).map(move |shape| (length, shape)));
            let mut pending = Vec::new();
            for (length, shape) in lengths {
                let entry = entry(&payload[..length], shape);
                batch.push(&entry);
                pending.push(entry);
                if pending.len() < 1 + length % (2 * BATCH_ENTRIES + 3) && length < 5000 {
                    continue;
                }
                let expected: Vec<_> = pending.iter().map(entry_hash).collect();
                assert_eq!(batch.hashes(), expected, "up to {length} bytes on {platform:?}");
                batch.clear();
                pending.clear();
            }
            assert!(batch.hashes().len() < 4, "all but the last few were compared");
        }
    }
}
