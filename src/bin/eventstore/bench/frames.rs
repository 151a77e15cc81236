//! The bytes that limits are measured over: frames as FORMAT.md lays them out, and the preimages
//! of their hashes.

use std::ops::Range;

use eventstore::codec::{entry_frame_bytes, write_entry};
use eventstore::entry::EntryView;
use eventstore::hash::entry_hash;
use eventstore::headers::Headers;

use super::exported::DraftParts;
use super::pool::Pool;

/// Pieces of bytes, one behind the other.
pub(crate) struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Pieces {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new() }
    }

    #[cfg(test)]
    pub(crate) fn of<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut all = Self::new();
        for piece in pieces {
            all.bytes.extend(piece);
            all.ends.push(all.bytes.len());
        }
        all
    }

    /// Adds an entry's frame, its hash left empty.
    #[cfg(feature = "peers")]
    pub(crate) fn push_unhashed(&mut self, part: &DraftParts<'_>, seq: u64) {
        self.push_frame(&entry(part, seq));
    }

    fn push_frame(&mut self, entry: &EntryView<'_>) {
        let start = self.bytes.len();
        self.bytes.resize(start + entry_frame_bytes(entry), 0);
        write_entry(entry, &mut self.bytes[start..]);
        self.ends.push(self.bytes.len());
    }

    /// Forgets all of them, and keeps the memory.
    #[cfg(feature = "peers")]
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// These pieces as they stand beside each other.
    pub(crate) fn joined(&self, pieces: Range<usize>) -> &[u8] {
        let start = pieces.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[pieces.end - 1]]
    }

    pub(crate) fn piece(&self, at: usize) -> &[u8] {
        self.joined(at..at + 1)
    }
}

fn entry<'a>(part: &DraftParts<'a>, seq: u64) -> EntryView<'a> {
    EntryView {
        seq,
        ts_init: part.ts_init,
        ts_publish: part.ts_publish,
        topic: part.topic,
        payload_type: part.payload_type,
        payload: part.payload,
        headers: Headers::default(),
        entry_hash: [0; 32],
    }
}

/// The frames of the pool's first entries, hashes included.
pub(crate) fn frames(pool: &Pool<'_>, count: usize) -> Pieces {
    let mut frames = Pieces::new();
    for at in 0..count.min(pool.len()) {
        let mut entry = entry(&pool.part(at), at as u64 + 1);
        entry.entry_hash = entry_hash(&entry);
        frames.push_frame(&entry);
    }
    frames
}

/// What the hashes of the pool's first entries are made of.
pub(crate) fn preimages(pool: &Pool<'_>, count: usize) -> Pieces {
    let mut preimages = Pieces::new();
    for at in 0..count.min(pool.len()) {
        let entry = entry(&pool.part(at), at as u64 + 1);
        let bytes = &mut preimages.bytes;
        bytes.extend(b"nautilus-event-store/entry/v1");
        for number in [entry.seq, entry.ts_init, entry.ts_publish] {
            bytes.extend(number.to_be_bytes());
        }
        for text in [entry.topic.as_bytes(), entry.payload_type.as_bytes(), entry.payload] {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text);
        }
        // No correlation id, no causation id.
        bytes.extend([0, 0]);
        preimages.ends.push(preimages.bytes.len());
    }
    preimages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::pool::Shapes;

    /// The limit hashes the very bytes that the store hashes, and writes the very frames.
    #[test]
    fn preimages_are_those_of_the_entry_hash() {
        let shapes = Shapes::synthetic(100);
        let pool = Pool::new(&shapes, 9);
        let (preimages, frames) = (preimages(&pool, 9), frames(&pool, 9));
        for at in 0..9 {
            let entry = entry(&pool.part(at), at as u64 + 1);
            assert_eq!(*blake3::hash(preimages.piece(at)).as_bytes(), entry_hash(&entry));
            let decoded = eventstore::codec::decode_entry(frames.piece(at)).expect("a whole frame");
            assert_eq!(decoded, EntryView { entry_hash: entry_hash(&entry), ..entry });
        }
        assert_eq!(
            frames.joined(0..9).len(),
            (0..9).map(|at| frames.piece(at).len()).sum::<usize>()
        );
    }
}
