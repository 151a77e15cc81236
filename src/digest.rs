//! The run digest: one BLAKE3 over a whole run, stored at seal, equal in every backend.
//!
//! It covers each entry hash with the keys the entry was committed with, the latest anchor and
//! the sealed manifest. With a key (32 bytes, never stored) it is evidence against whoever can
//! rewrite the file. Layout: FORMAT.md, "Run digest".

use crate::codec;
use crate::index::KeyList;
use crate::manifest::RunManifest;
use crate::snapshot::SnapshotAnchor;

/// 24 bytes of ASCII that tell this hash from all others; FORMAT.md counts them so.
const DOMAIN: &[u8] = b"eventstore/run-digest/v1";
const KEYS_NOT_RECORDED: u32 = u32::MAX;

/// A finished digest, as it is stored with the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunDigest {
    /// Whether a key was used.
    pub keyed: bool,
    /// The hash.
    pub bytes: [u8; 32],
}

/// The length of a stored digest, in bytes.
pub const STORED_BYTES: usize = 33;

impl RunDigest {
    /// The stored form: a byte plain (0) or keyed (1), then the hash.
    pub fn to_stored(self) -> [u8; STORED_BYTES] {
        let mut stored = [0; STORED_BYTES];
        stored[0] = u8::from(self.keyed);
        stored[1..].copy_from_slice(&self.bytes);
        stored
    }

    /// Reads the stored form; `None` for anything else.
    pub fn from_stored(stored: &[u8]) -> Option<Self> {
        let stored: &[u8; STORED_BYTES] = stored.try_into().ok()?;
        let keyed = match stored[0] {
            0 => false,
            1 => true,
            _ => return None,
        };
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&stored[1..]);
        Some(Self { keyed, bytes })
    }
}

/// A digest under construction, fed in the order of `seq`.
#[derive(Clone)]
pub struct DigestBuilder {
    hasher: blake3::Hasher,
    /// What comes next, not hashed yet.
    pending: Vec<u8>,
    keyed: bool,
}

/// So much is hashed at a time: BLAKE3 fills the lanes of the vector unit with a long piece that
/// starts at a multiple of its own length, and takes a few bytes at a time ten times as long.
const PIECE_BYTES: usize = 32 << 10;

impl DigestBuilder {
    /// Starts a digest, keyed when a key is given.
    pub fn new(key: Option<&[u8; 32]>) -> Self {
        let hasher = key.map_or_else(blake3::Hasher::new, blake3::Hasher::new_keyed);
        Self { hasher, pending: DOMAIN.to_vec(), keyed: key.is_some() }
    }

    /// Adds the next entry; `keys` is `None` where they were not recorded.
    pub fn add_entry(&mut self, entry_hash: &[u8; 32], keys: Option<KeyList<'_>>) {
        Self::encode_entry(&mut self.pending, entry_hash, keys);
        let whole = self.pending.len() / PIECE_BYTES * PIECE_BYTES;
        self.hash_pending(whole);
    }

    fn hash_pending(&mut self, bytes: usize) {
        if bytes > 0 {
            self.hasher.update(&self.pending[..bytes]);
            self.pending.drain(..bytes);
        }
    }

    /// Appends what [`DigestBuilder::add_entry`] would take in of an entry.
    pub(crate) fn encode_entry(
        out: &mut Vec<u8>,
        entry_hash: &[u8; 32],
        keys: Option<KeyList<'_>>,
    ) {
        out.extend_from_slice(entry_hash);
        let count = keys.map_or(KEYS_NOT_RECORDED, |keys| keys.len());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(keys.map_or(&[], |keys| keys.as_bytes()));
    }

    /// Adds the next entries, as [`DigestBuilder::encode_entry`] appended them.
    pub(crate) fn add_encoded(&mut self, entries: &[u8]) {
        self.hash_pending(self.pending.len());
        self.hasher.update(entries);
    }

    /// Ends the digest with the latest anchor and the manifest as sealed.
    pub fn finish(mut self, anchor: Option<&SnapshotAnchor>, sealed: &RunManifest) -> RunDigest {
        self.pending.push(u8::from(anchor.is_some()));
        if let Some(anchor) = anchor {
            self.add_frame(&codec::encode_anchor(anchor));
        }
        self.add_frame(&codec::encode_manifest(sealed));
        self.hash_pending(self.pending.len());
        RunDigest { keyed: self.keyed, bytes: *self.hasher.finalize().as_bytes() }
    }

    fn add_frame(&mut self, frame: &[u8]) {
        self.pending.extend_from_slice(&(frame.len() as u64).to_le_bytes());
        self.pending.extend_from_slice(frame);
    }
}

const _: () = assert!(DOMAIN.len() == 24);
