//! Entries: one captured message and its metadata, borrowed and owned.

use crate::headers::Headers;
use crate::index::{IndexKind, KeyList};

/// One committed message, borrowed from wherever it lies: a file's page, a queue's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryView<'a> {
    /// Position in the run, from 1, without holes; the only order of replay.
    pub seq: u64,
    /// The domain clock, in nanoseconds since the Unix epoch.
    pub ts_init: u64,
    /// When it was handed to the store, in nanoseconds since the Unix epoch; need not rise with `seq`.
    pub ts_publish: u64,
    /// Where the message was published.
    pub topic: &'a str,
    /// Which encoder made the payload.
    pub payload_type: &'a str,
    /// The message, opaque.
    pub payload: &'a [u8],
    /// Causal headers.
    pub headers: Headers,
    /// BLAKE3 of all of the above, see `hash`.
    pub entry_hash: [u8; 32],
}

impl EntryView<'_> {
    /// An owned copy.
    pub fn to_entry(&self) -> Entry {
        Entry {
            seq: self.seq,
            ts_init: self.ts_init,
            ts_publish: self.ts_publish,
            topic: self.topic.to_owned(),
            payload_type: self.payload_type.to_owned(),
            payload: self.payload.to_vec(),
            headers: self.headers,
            entry_hash: self.entry_hash,
        }
    }
}

/// One committed message, owned. The fields are those of [`EntryView`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Entry {
    pub seq: u64,
    pub ts_init: u64,
    pub ts_publish: u64,
    pub topic: String,
    pub payload_type: String,
    pub payload: Vec<u8>,
    pub headers: Headers,
    pub entry_hash: [u8; 32],
}

impl Entry {
    /// The entry, borrowed.
    pub fn view(&self) -> EntryView<'_> {
        EntryView {
            seq: self.seq,
            ts_init: self.ts_init,
            ts_publish: self.ts_publish,
            topic: &self.topic,
            payload_type: &self.payload_type,
            payload: &self.payload,
            headers: self.headers,
            entry_hash: self.entry_hash,
        }
    }
}

/// An entry and the keys under which it can be found; both become durable together.
#[derive(Debug, Clone, Copy)]
pub struct AppendEntry<'a> {
    /// The entry, its `seq` and `entry_hash` final.
    pub entry: EntryView<'a>,
    /// Its keys.
    pub keys: KeyList<'a>,
}

/// What a producer hands in: an entry that has no `seq` and no hash yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Draft<'a> {
    /// Where the message is published: 1 to 1,024 bytes, not below `run.lifecycle.`.
    pub topic: &'a str,
    /// Which encoder made the payload: 1 to 1,024 bytes.
    pub payload_type: &'a str,
    /// The message: at most 64 MiB.
    pub payload: &'a [u8],
    /// Causal headers.
    pub headers: Headers,
    /// The domain clock, in nanoseconds since the Unix epoch.
    pub ts_init: u64,
    /// In nanoseconds since the Unix epoch; 0 lets the store stamp it.
    pub ts_publish: u64,
    /// At most 16 keys.
    pub keys: &'a [(IndexKind, &'a str)],
}

/// A row as a reader sees it: the entry, and the keys it was committed with where the file records them.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The entry, its hash recomputed and equal.
    pub entry: EntryView<'a>,
    /// `None` where the file keeps no key lists.
    pub keys: Option<KeyList<'a>>,
}
