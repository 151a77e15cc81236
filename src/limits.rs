//! Every bound of the store, as a named constant with its unit last.
//!
//! These bind writers. A reader accepts any length that fits the file it reads.

/// Longest `run_id` or `instance_id`, in bytes.
pub const ID_BYTES_MAX: usize = 128;
/// Longest topic, in bytes of UTF-8; the shortest is one byte.
pub const TOPIC_BYTES_MAX: usize = 1024;
/// Longest payload type, in bytes of UTF-8; the shortest is one byte.
pub const PAYLOAD_TYPE_BYTES_MAX: usize = 1024;
/// Longest index key, in bytes of UTF-8; the shortest is one byte.
pub const INDEX_KEY_BYTES_MAX: usize = 512;
/// Most index keys that one draft may carry.
pub const INDEX_KEYS_MAX: usize = 16;
/// Largest payload, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;
/// Most drafts in one batch.
pub const BATCH_ENTRIES_MAX: usize = 65_536;
/// Largest batch, in bytes of topics, types, payloads and keys together.
pub const BATCH_BYTES_MAX: usize = 256 << 20;
/// Most items that a list or map in a frame may claim to have (FORMAT.md).
pub const FRAME_ITEMS_MAX: u64 = 1_048_576;
/// Longest blob reference or content hash of an anchor that a writer accepts, in bytes.
pub const ANCHOR_TEXT_BYTES_MAX: usize = 4096;
/// Largest manifest frame that a writer accepts, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 16 << 20;
/// Most threads that a verification may be given.
pub const THREADS_MAX: usize = 1024;
/// Topics that only the store itself may write.
pub const LIFECYCLE_TOPIC_PREFIX: &str = "run.lifecycle.";

// The batch bound must admit the largest single entry, or `append` could never take it.
const _: () = assert!(PAYLOAD_BYTES_MAX < BATCH_BYTES_MAX);
