//! Snapshot anchors: "the cache snapshot at `blob_ref` covers every entry up to `high_watermark`".

use crate::error::{EventStoreError, Result};
use crate::limits::ANCHOR_TEXT_BYTES_MAX;

/// Names a snapshot kept elsewhere and the last entry that it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotAnchor {
    /// The last covered entry; never 0.
    pub high_watermark: u64,
    /// Where the snapshot lies; opaque to the store.
    pub blob_ref: String,
    /// The snapshot's hash, customarily `blake3:<hex>`; opaque to the store.
    pub content_hash: String,
}

impl SnapshotAnchor {
    /// Checks the texts against the bounds that writers keep.
    ///
    /// # Errors
    /// `InvalidArgument` names the field.
    pub fn check(&self) -> Result<()> {
        for (field, text) in [("blob_ref", &self.blob_ref), ("content_hash", &self.content_hash)] {
            if text.is_empty() || text.len() > ANCHOR_TEXT_BYTES_MAX {
                let reason =
                    format!("{} bytes, allowed are 1 to {ANCHOR_TEXT_BYTES_MAX}", text.len());
                return Err(EventStoreError::invalid(field, reason));
            }
        }
        if self.high_watermark == 0 {
            return Err(EventStoreError::invalid("anchor seq", "0 names no entry"));
        }
        Ok(())
    }
}
