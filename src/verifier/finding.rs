//! One thing that is wrong with a run, named so that a program can act on it.

use std::fmt;

use crate::index::IndexKind;

/// How an index row and the entries disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Drift {
    /// The row points at an entry that is not there.
    Dangling,
    /// The row points at an entry that is damaged.
    Corrupted,
    /// The row points at an entry that is not the first with this key.
    Wrong,
    /// An entry was committed with the key, and the index has no row for it.
    Missing,
}

impl Drift {
    /// The name that JSON uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dangling => "dangling",
            Self::Corrupted => "corrupted",
            Self::Wrong => "wrong",
            Self::Missing => "missing",
        }
    }
}

/// One thing that is wrong with a run. Reasons are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The entry's bytes are not those that its hash was made of.
    HashMismatch {
        /// The entry.
        seq: u64,
    },
    /// The row of one entry holds another.
    SeqMismatch {
        /// The sequence that the row is stored under.
        table_key: u64,
        /// The sequence inside the entry.
        embedded_seq: u64,
    },
    /// The row, or the list of its keys, is not in the format.
    Undecodable {
        /// The entry.
        seq: u64,
        /// What stands there.
        reason: String,
    },
    /// Entries are missing.
    Gap {
        /// The first missing one.
        from: u64,
        /// The last missing one.
        to: u64,
    },
    /// An index row and the entries disagree.
    IndexDrift {
        /// The index.
        kind: IndexKind,
        /// The key.
        key: String,
        /// The entry that the row names; the one that it should name when the row is missing.
        target: Option<u64>,
        /// How they disagree.
        drift: Drift,
    },
    /// The manifest and the entries disagree.
    ManifestMismatch {
        /// The manifest's field.
        field: &'static str,
        /// Stored against found.
        reason: String,
    },
    /// The latest anchor cannot be restored from.
    AnchorInvalid {
        /// Why.
        reason: String,
    },
    /// The run digest is not that of the run, or is absent where one was expected.
    DigestMismatch {
        /// Stored or expected against computed.
        reason: String,
    },
    /// The file's own structure is hurt.
    Damaged {
        /// Where, and what was lost with it.
        reason: String,
    },
}

impl Finding {
    /// The name that JSON uses.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::HashMismatch { .. } => "hash_mismatch",
            Self::SeqMismatch { .. } => "seq_mismatch",
            Self::Undecodable { .. } => "undecodable",
            Self::Gap { .. } => "gap",
            Self::IndexDrift { .. } => "index_drift",
            Self::ManifestMismatch { .. } => "manifest_mismatch",
            Self::AnchorInvalid { .. } => "anchor_invalid",
            Self::DigestMismatch { .. } => "digest_mismatch",
            Self::Damaged { .. } => "damaged",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HashMismatch { seq } => write!(f, "entry {seq} does not match its hash"),
            Self::SeqMismatch { table_key, embedded_seq } => {
                write!(f, "the row of entry {table_key} holds entry {embedded_seq}")
            }
            Self::Undecodable { seq, reason } => {
                write!(f, "entry {seq} is not in the format: {reason}")
            }
            Self::Gap { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Gap { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::IndexDrift { kind, key, target, drift } => {
                let (name, drift) = (kind.name(), drift.name());
                write!(f, "index {name}, key {key:?}: {drift}")?;
                target.map_or(Ok(()), |target| write!(f, ", entry {target}"))
            }
            Self::ManifestMismatch { field, reason } => write!(f, "manifest, {field}: {reason}"),
            Self::AnchorInvalid { reason } => write!(f, "snapshot anchor: {reason}"),
            Self::DigestMismatch { reason } => write!(f, "run digest: {reason}"),
            Self::Damaged { reason } => write!(f, "damaged: {reason}"),
        }
    }
}
