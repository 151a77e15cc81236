//! Drafts without pointers: an array of structs, and one arena that their offsets count from.
//!
//! What a scan is for reading, this is for writing: for languages whose memory moves, and for
//! pages that a scan gave. Drafts with pointers: `draft`.

use std::ffi::c_void;

use super::args;
use super::constants::*;
use super::draft::{Refused, Take, sharpen};
use super::error::{Refusal, es_error};
use super::guarded;
use super::handle::{self, es_run};
use super::out;
use super::status::*;
use super::submit::{es_submit_options, submit_options};
use crate::error::EventStoreError;
use crate::limits::{BATCH_ENTRIES_MAX, INDEX_KEYS_MAX};
use crate::writer::{RawDraft, RawKey};

/// A draft whose texts, payload and keys lie in an arena; offsets count from its start, each
/// with its length must lie inside. Fields and order are those of es_entry behind its seq, so that
/// an entry of a page is a draft too. Initialise with ES_PACKED_DRAFT_INIT, which is all zeros. It
/// has no size of its own: es_submit_packed takes the stride of the array, so that it can grow.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_packed_draft {
    /// The domain clock, in nanoseconds since the Unix epoch.
    pub ts_init: u64,
    /// When it was published, in nanoseconds since the Unix epoch; 0: stamped at submit (in a
    /// manual run: ts_init).
    pub ts_publish: u64,
    /// Where the topic starts: UTF-8, 1 to 1,024 bytes, not below "run.lifecycle.".
    pub topic_offset: u64,
    /// Where the payload type starts: UTF-8, 1 to 1,024 bytes.
    pub payload_type_offset: u64,
    /// Where the payload starts: any bytes.
    pub payload_offset: u64,
    /// Where the keys start: per key a u16 kind (ES_INDEX_*), a u16 length (both little-endian),
    /// the bytes: UTF-8 without NUL, 1 to 512.
    pub keys_offset: u64,
    /// Length of the payload, in bytes, at most 64 MiB.
    pub payload_len: u64,
    /// Length of the topic, in bytes.
    pub topic_len: u32,
    /// Length of the payload type, in bytes.
    pub payload_type_len: u32,
    /// Length of all keys together, in bytes.
    pub keys_len: u32,
    /// How many keys, at most 16.
    pub key_count: u32,
    /// ES_DRAFT_*; ES_ENTRY_KEYS_RECORDED is allowed and says nothing.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// With ES_DRAFT_HAS_CORRELATION_ID: the workflow it is part of.
    pub correlation_id: [u8; 16],
    /// With ES_DRAFT_HAS_CAUSATION_ID: the message that caused it.
    pub causation_id: [u8; 16],
}

/// Hands a batch that holds no pointers to the writer and returns its first seq at once: all or
/// none, contiguous seqs, one commit. Bytes are copied. A page that es_scan_range filled is such a
/// batch: pass &entries[0].ts_init as drafts, the stride of the entries, and their arena.
/// @param run        the run
/// @param drafts     array of drafts; needed during the call only
/// @param stride     bytes from one draft to the next: sizeof(es_packed_draft), or that of the
///                   struct they lie in
/// @param count      how many, 1 to 65,536, together at most 256 MiB and at most queue_entries
/// @param arena      what the offsets count from; needed during the call only; NULL only with
///                   arena_len 0
/// @param arena_len  its length in bytes
/// @param options    NULL: no expected seq, do not wait
/// @param first_seq  receives the seq of the first draft; may be NULL
/// @param err        filled on failure, item_index telling which draft; may be NULL
/// @return ES_OK;
///         ES_ERR_QUEUE_FULL: no room, not within timeout_ns either: nothing was claimed: try again;
///         ES_ERR_OUT_OF_ORDER: expected_seq is not the next: compare err->seq, err->next_seq;
///         ES_ERR_CLOSED: es_close_run has begun: open a new run;
///         ES_ERR_HALTED: es_get_run_state names the reason: close it, then recover it;
///         ES_ERR_INVALID_ARGUMENT, ES_ERR_INVALID_UTF8, ES_ERR_UNSUPPORTED_FIELD,
///         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
///         nothing was claimed: correct what err names;
///         ES_ERR_BUSY: called from on_halt, or a manual run is in use: call it later;
///         ES_ERR_OUT_OF_MEMORY: nothing was claimed: free memory; ES_ERR_PANIC: close the run
///         and report it.
/// [any thread] [never blocks] unless timeout_ns asks for it. Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_submit_packed(
    run: *mut es_run,
    drafts: *const es_packed_draft,
    stride: usize,
    count: usize,
    arena: *const c_void,
    arena_len: usize,
    options: *const es_submit_options,
    first_seq: *mut u64,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let run = handle::run(run)?;
            let options = submit_options(options)?;
            let mut drafts = PackedDrafts::new(drafts, stride, count, arena, arena_len)?;
            let claimed =
                run.submit_raw_batch(count, &mut |at, take| drafts.hand(at, take), options);
            let claimed = claimed.map_err(|error| drafts.refused.explain(error))?;
            out::put_unless_null(first_seq, claimed);
        }
        Ok(())
    })
}

/// A batch in the caller's memory, read draft by draft.
struct PackedDrafts<'a> {
    first: *const u8,
    stride: usize,
    arena: &'a [u8],
    refused: Refused,
}

impl PackedDrafts<'_> {
    /// Checks the array and the arena.
    ///
    /// # Safety
    /// `arena` is NULL or readable for `arena_len` bytes.
    unsafe fn new(
        first: *const es_packed_draft,
        stride: usize,
        count: usize,
        arena: *const c_void,
        arena_len: usize,
    ) -> Result<Self, Refusal> {
        if count == 0 {
            return Err(Refusal::invalid("count", "0 drafts, allowed are 1 to 65536"));
        }
        args::check_array::<es_packed_draft>("drafts", first, stride, count, BATCH_ENTRIES_MAX)?;
        // SAFETY: handed down from the caller.
        let arena = unsafe { args::bytes("arena", arena, arena_len, isize::MAX as usize) }?;
        Ok(Self { first: first.cast(), stride, arena, refused: Refused::default() })
    }

    /// Hands draft `index` to the store.
    ///
    /// # Safety
    /// `index` lies within the count that was checked.
    unsafe fn hand(&mut self, index: usize, take: &mut Take<'_>) -> Result<(), EventStoreError> {
        // SAFETY: `index` is within the caller's array, whose extent `check_array` bounded.
        let draft: es_packed_draft =
            unsafe { args::item(self.first.add(index * self.stride), self.stride) };
        let arena = self.arena;
        self.refused.keep(index, || {
            let mut keys = [RawKey { kind: 0, key: &[] }; INDEX_KEYS_MAX];
            let raw = raw_draft(&draft, arena, &mut keys)?;
            take(&raw).map_err(|error| sharpen(&raw, error))
        })
    }
}

/// The draft's parts in the arena.
fn raw_draft<'a>(
    draft: &es_packed_draft,
    arena: &'a [u8],
    keys: &'a mut [RawKey<'a>; INDEX_KEYS_MAX],
) -> Result<RawDraft<'a>, Refusal> {
    let known = ES_DRAFT_HAS_CORRELATION_ID | ES_DRAFT_HAS_CAUSATION_ID | ES_ENTRY_KEYS_RECORDED;
    args::known_flags("draft.flags", draft.flags, known)?;
    args::reserved("draft.reserved", &[u64::from(draft.reserved)])?;
    let encoded = part("keys", arena, draft.keys_offset, u64::from(draft.keys_len))?;
    let keys = read_keys(encoded, draft.key_count as usize, keys)?;
    let topic_len = u64::from(draft.topic_len);
    let type_len = u64::from(draft.payload_type_len);
    Ok(RawDraft {
        topic: part("topic", arena, draft.topic_offset, topic_len)?,
        payload_type: part("payload_type", arena, draft.payload_type_offset, type_len)?,
        payload: part("payload", arena, draft.payload_offset, draft.payload_len)?,
        correlation_id: (draft.flags & ES_DRAFT_HAS_CORRELATION_ID != 0)
            .then_some(draft.correlation_id),
        causation_id: (draft.flags & ES_DRAFT_HAS_CAUSATION_ID != 0).then_some(draft.causation_id),
        ts_init: draft.ts_init,
        ts_publish: draft.ts_publish,
        keys,
    })
}

/// What a draft names of the arena; nothing of length 0, wherever that is.
fn part<'a>(
    field: &'static str,
    arena: &'a [u8],
    offset: u64,
    len: u64,
) -> Result<&'a [u8], Refusal> {
    if len == 0 {
        return Ok(&[]);
    }
    let inside = offset.checked_add(len).filter(|end| *end <= arena.len() as u64);
    // Both fit a usize, as the arena's own length does.
    inside.map(|end| &arena[offset as usize..end as usize]).ok_or_else(|| {
        let reason =
            format!("{len} bytes from offset {offset}, the arena has {} bytes", arena.len());
        Refusal::invalid(field, reason)
    })
}

/// The keys one behind the other, exactly `count` of them.
fn read_keys<'a>(
    mut encoded: &'a [u8],
    count: usize,
    keys: &'a mut [RawKey<'a>; INDEX_KEYS_MAX],
) -> Result<&'a [RawKey<'a>], Refusal> {
    if count > INDEX_KEYS_MAX {
        let reason = format!("{count} keys, allowed are at most {INDEX_KEYS_MAX}");
        return Err(Refusal::invalid("index keys", reason));
    }
    for (index, slot) in keys.iter_mut().enumerate().take(count) {
        let Some((head, rest)) = encoded.split_first_chunk::<4>() else {
            return Err(Refusal::invalid("index keys", format!("{index} of {count} keys")));
        };
        // Read once: the caller's memory may change.
        let [kind_low, kind_high, len_low, len_high] = *head;
        let len = usize::from(u16::from_le_bytes([len_low, len_high]));
        let Some((key, rest)) = rest.split_at_checked(len) else {
            let reason = format!("key {index} of {len} bytes, {} are left", rest.len());
            return Err(Refusal::invalid("index keys", reason));
        };
        *slot = RawKey { kind: u32::from(u16::from_le_bytes([kind_low, kind_high])), key };
        encoded = rest;
    }
    if !encoded.is_empty() {
        let reason = format!("{} bytes behind the last of {count} keys", encoded.len());
        return Err(Refusal::invalid("index keys", reason));
    }
    Ok(&keys[..count])
}
