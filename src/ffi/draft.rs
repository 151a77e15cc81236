//! Drafts: from the caller's arrays to the bytes that the store takes.
//!
//! Each field is read once and each length is bounded before its bytes are looked at. The store
//! copies the bytes and checks the copy, so a caller who changes them meanwhile harms nobody.

use std::ffi::{c_char, c_void};

use super::args;
use super::constants::*;
use super::error::Refusal;
use super::status::*;
use crate::error::EventStoreError;
use crate::limits::{
    BATCH_ENTRIES_MAX, INDEX_KEY_BYTES_MAX, INDEX_KEYS_MAX, PAYLOAD_BYTES_MAX,
    PAYLOAD_TYPE_BYTES_MAX, TOPIC_BYTES_MAX,
};
use crate::writer::{RawDraft, RawKey};

/// A name under which an entry can be found again. Initialise with ES_INDEX_KEY_INIT, which is all
/// zeros. This struct never grows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_index_key {
    /// UTF-8 without NUL, 1 to 512 bytes.
    pub key: *const c_char,
    /// Its length in bytes, or ES_NTS.
    pub key_len: usize,
    /// ES_INDEX_*.
    pub kind: u32,
    /// Zero.
    pub reserved: u32,
}

/// What a producer hands in: an entry without its sequence. All pointers are needed during the
/// call only. Initialise with ES_DRAFT_INIT, which is all zeros. It has no size of its own: calls
/// take its size, or the stride of an array, so that it can grow.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_draft {
    /// Where the message is published: UTF-8, 1 to 1,024 bytes, not below "run.lifecycle.".
    pub topic: *const c_char,
    /// Its length in bytes, or ES_NTS.
    pub topic_len: usize,
    /// Which encoder made the payload: UTF-8, 1 to 1,024 bytes.
    pub payload_type: *const c_char,
    /// Its length in bytes, or ES_NTS.
    pub payload_type_len: usize,
    /// The message: any bytes; NULL only with payload_len 0.
    pub payload: *const c_void,
    /// Its length in bytes, at most 64 MiB.
    pub payload_len: usize,
    /// Names to find the entry by; NULL only with key_count 0.
    pub keys: *const es_index_key,
    /// How many, at most 16.
    pub key_count: u32,
    /// ES_DRAFT_*.
    pub flags: u32,
    /// The domain clock, in nanoseconds since the Unix epoch.
    pub ts_init: u64,
    /// When it was published, in nanoseconds since the Unix epoch; 0: stamped at submit (in a
    /// manual run: ts_init).
    pub ts_publish: u64,
    /// With ES_DRAFT_HAS_CORRELATION_ID: the workflow it is part of.
    pub correlation_id: [u8; 16],
    /// With ES_DRAFT_HAS_CAUSATION_ID: the message that caused it.
    pub causation_id: [u8; 16],
}

/// What the store calls to take one draft.
pub(super) type Take<'t> = dyn FnMut(&RawDraft<'_>) -> Result<(), EventStoreError> + 't;

/// Hands the draft to `take` as bytes, its keys on the stack.
///
/// # Safety
/// The draft's pointers and lengths are as the header demands.
#[inline]
pub(super) unsafe fn with_draft<R>(
    draft: &es_draft,
    take: impl FnOnce(&RawDraft<'_>) -> Result<R, Refusal>,
) -> Result<R, Refusal> {
    let key_count = draft.key_count as usize;
    if key_count > INDEX_KEYS_MAX {
        let reason = format!("{key_count} keys, allowed are at most {INDEX_KEYS_MAX}");
        return Err(Refusal::invalid("index keys", reason));
    }
    if draft.keys.is_null() && key_count > 0 {
        return Err(Refusal::null("index keys"));
    }
    let known = ES_DRAFT_HAS_CORRELATION_ID | ES_DRAFT_HAS_CAUSATION_ID;
    args::known_flags("draft.flags", draft.flags, known)?;
    if key_count == 0 {
        // Most entries have none: not even the room for them is touched.
        // SAFETY: handed down from the caller.
        return take(&unsafe { raw_draft(draft, &[]) }?);
    }
    let mut keys = [RawKey { kind: 0, key: &[] }; INDEX_KEYS_MAX];
    for (index, slot) in keys.iter_mut().enumerate().take(key_count) {
        // SAFETY: the caller gives `key_count` keys at `keys`, which is not NULL; each key's
        // pointer and length are as the header demands.
        *slot = unsafe { read_key(draft.keys.add(index).read_unaligned()) }?;
    }
    // SAFETY: handed down from the caller.
    take(&unsafe { raw_draft(draft, &keys[..key_count]) }?)
}

/// # Safety
/// The draft's texts and payload are as the header demands.
#[inline]
unsafe fn raw_draft<'a>(draft: &es_draft, keys: &'a [RawKey<'a>]) -> Result<RawDraft<'a>, Refusal> {
    // SAFETY: the caller's pointers and lengths, as the header demands.
    unsafe {
        Ok(RawDraft {
            topic: args::text_bytes("topic", draft.topic, draft.topic_len, TOPIC_BYTES_MAX)?,
            payload_type: args::text_bytes(
                "payload_type",
                draft.payload_type,
                draft.payload_type_len,
                PAYLOAD_TYPE_BYTES_MAX,
            )?,
            payload: args::bytes("payload", draft.payload, draft.payload_len, PAYLOAD_BYTES_MAX)?,
            correlation_id: (draft.flags & ES_DRAFT_HAS_CORRELATION_ID != 0)
                .then_some(draft.correlation_id),
            causation_id: (draft.flags & ES_DRAFT_HAS_CAUSATION_ID != 0)
                .then_some(draft.causation_id),
            ts_init: draft.ts_init,
            ts_publish: draft.ts_publish,
            keys,
        })
    }
}

/// # Safety
/// The key's pointer and length are as the header demands.
unsafe fn read_key<'a>(key: es_index_key) -> Result<RawKey<'a>, Refusal> {
    args::reserved("index key reserved", &[u64::from(key.reserved)])?;
    // SAFETY: handed down from the caller.
    let text = unsafe { args::text_bytes("index key", key.key, key.key_len, INDEX_KEY_BYTES_MAX) }?;
    Ok(RawKey { kind: key.kind, key: text })
}

/// The store calls a text that is not UTF-8 an invalid argument; C has a number of its own for
/// it. Looked at after the refusal only, so that the hot path validates once.
pub(super) fn sharpen(raw: &RawDraft<'_>, error: EventStoreError) -> Refusal {
    let EventStoreError::InvalidArgument { item, .. } = &error else {
        return Refusal::Store(error);
    };
    let mut texts = [("topic", raw.topic), ("payload_type", raw.payload_type)]
        .into_iter()
        .chain(raw.keys.iter().map(|key| ("index key", key.key)));
    match texts.find(|(_, text)| std::str::from_utf8(text).is_err()) {
        Some((field, _)) => Refusal::Call {
            status: ES_ERR_INVALID_UTF8,
            item: *item,
            field,
            reason: "is not UTF-8".into(),
        },
        None => Refusal::Store(error),
    }
}

/// A batch in the caller's memory, read draft by draft.
pub(super) struct Drafts {
    first: *const u8,
    stride: usize,
    refused: Refused,
}

impl Drafts {
    /// Checks an array of at least one draft.
    pub(super) fn new(
        first: *const es_draft,
        stride: usize,
        count: usize,
    ) -> Result<Self, Refusal> {
        if count == 0 {
            return Err(Refusal::invalid("count", "0 drafts, allowed are 1 to 65536"));
        }
        Self::new_or_empty(first, stride, count)
    }

    /// Checks an array that may be empty.
    pub(super) fn new_or_empty(
        first: *const es_draft,
        stride: usize,
        count: usize,
    ) -> Result<Self, Refusal> {
        args::check_array::<es_draft>("drafts", first, stride, count, BATCH_ENTRIES_MAX)?;
        Ok(Self { first: first.cast(), stride, refused: Refused::default() })
    }

    /// Hands draft `index` to the store.
    ///
    /// # Safety
    /// `index` lies within the count that was checked, and the caller's array is as the header
    /// demands.
    pub(super) unsafe fn hand(
        &mut self,
        index: usize,
        take: &mut Take<'_>,
    ) -> Result<(), EventStoreError> {
        // SAFETY: `index` is within the caller's array, whose extent `check_array` bounded.
        let draft = unsafe { args::item(self.first.add(index * self.stride), self.stride) };
        self.refused.keep(index, || {
            // SAFETY: handed down from the caller.
            unsafe { with_draft(&draft, |raw| take(raw).map_err(|error| sharpen(raw, error))) }
        })
    }

    /// Why the batch failed: what the boundary kept, else the store's own error.
    pub(super) fn explain(&mut self, error: EventStoreError) -> Refusal {
        self.refused.explain(error)
    }
}

/// What only the boundary can refuse about a draft of a batch, kept while the store learns no more
/// than that it was refused.
#[derive(Default)]
pub(super) struct Refused(Option<Refusal>);

impl Refused {
    /// Hands over draft `index`.
    pub(super) fn keep(
        &mut self,
        index: usize,
        hand_over: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<(), EventStoreError> {
        match hand_over() {
            Ok(()) => Ok(()),
            // Already worded; goes through as it is.
            Err(Refusal::Store(error)) => Err(error),
            Err(refusal) => {
                self.0 = Some(refusal.at_item(index));
                Err(EventStoreError::InvalidArgument {
                    item: Some(index),
                    field: "draft",
                    reason: String::new(),
                })
            }
        }
    }

    /// Why the batch failed: what was kept, else the store's own error.
    pub(super) fn explain(&mut self, error: EventStoreError) -> Refusal {
        self.0.take().unwrap_or(Refusal::Store(error))
    }
}
