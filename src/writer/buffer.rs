//! The buffer that carries one draft from a producer to the writer, and the pool of them.
//!
//! A draft's bytes are copied once, and whatever must hold for them (lengths, UTF-8, reserved
//! topics) is checked on the copy, so that a caller who changes its memory meanwhile fools nobody.

use std::ops::Range;

use crossbeam_queue::ArrayQueue;

use super::handoff::queue::Size;
use super::options::Settings;
use crate::entry::{AppendEntry, Draft, EntryView};
use crate::error::{EventStoreError, Result};
use crate::headers::{Headers, Uuid};
use crate::index::{self, IndexKind, KeyList};
use crate::limits::{
    BATCH_BYTES_MAX, INDEX_KEYS_MAX, LIFECYCLE_TOPIC_PREFIX, PAYLOAD_BYTES_MAX,
    PAYLOAD_TYPE_BYTES_MAX, TOPIC_BYTES_MAX,
};
use crate::planted::planted;

/// A draft as bytes that nobody has looked at yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawDraft<'a> {
    /// Becomes the topic: 1 to 1,024 bytes of UTF-8.
    pub topic: &'a [u8],
    /// Becomes the payload type: 1 to 1,024 bytes of UTF-8.
    pub payload_type: &'a [u8],
    /// At most 64 MiB.
    pub payload: &'a [u8],
    /// The workflow this entry is part of.
    pub correlation_id: Option<[u8; 16]>,
    /// The message that directly caused this one.
    pub causation_id: Option<[u8; 16]>,
    /// In nanoseconds since the Unix epoch.
    pub ts_init: u64,
    /// In nanoseconds since the Unix epoch; 0 lets the store stamp it.
    pub ts_publish: u64,
    /// At most 16.
    pub keys: &'a [RawKey<'a>],
}

/// An index key as bytes that nobody has looked at yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawKey<'a> {
    /// The number of its [`IndexKind`].
    pub kind: u32,
    /// 1 to 512 bytes of UTF-8 without NUL.
    pub key: &'a [u8],
}

/// What the store stamps or refuses beyond the fixed bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct FillRules {
    /// Refuse UUIDs that other readers of the file format would not accept.
    pub(super) require_uuid_v4: bool,
    /// No clock: an absent `ts_publish` becomes `ts_init`.
    pub(super) manual: bool,
}

impl FillRules {
    pub(super) fn of(settings: &Settings) -> Self {
        Self { require_uuid_v4: settings.require_uuid_v4, manual: settings.manual }
    }

    /// What an entry's `ts_publish` becomes; 0 was none given.
    fn ts_publish(self, given: u64, ts_init: u64, now: &mut Now) -> u64 {
        match given {
            0 if self.manual => ts_init,
            0 => now.unix_time_ns(),
            given => given,
        }
    }
}

/// The time of one submit, of however many drafts: read when the first of them asks.
#[derive(Default)]
pub(super) struct Now(Option<u64>);

impl Now {
    fn unix_time_ns(&mut self) -> u64 {
        *self.0.get_or_insert_with(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since.map_or(0, |time| time.as_nanos() as u64)
        })
    }
}

/// One draft, copied: topic, payload type, payload and encoded keys, one behind the other.
#[derive(Default)]
pub(super) struct EntryBuffer {
    bytes: Vec<u8>,
    topic_len: usize,
    payload_type_len: usize,
    payload_len: usize,
    key_count: u32,
    headers: Headers,
    ts_init: u64,
    ts_publish: u64,
    /// Of the first buffer of a claim: how much the claim is, since it is never split.
    pub(super) claim: Size,
    /// The next buffer of a claim that is being filled, see [`Chain`].
    next: Option<Box<EntryBuffer>>,
}

impl EntryBuffer {
    /// Copies a draft in and checks the copy.
    pub(super) fn fill(
        &mut self,
        draft: &RawDraft<'_>,
        rules: FillRules,
        now: &mut Now,
    ) -> Result<()> {
        let text = |field, bytes: &[u8], bytes_max| {
            if bytes.is_empty() || bytes.len() > bytes_max {
                let reason = format!("{} bytes, allowed are 1 to {bytes_max}", bytes.len());
                return Err(EventStoreError::invalid(field, reason));
            }
            Ok(())
        };
        text("topic", draft.topic, TOPIC_BYTES_MAX)?;
        text("payload_type", draft.payload_type, PAYLOAD_TYPE_BYTES_MAX)?;
        if draft.payload.len() > PAYLOAD_BYTES_MAX {
            let reason =
                format!("{} bytes, allowed are at most {PAYLOAD_BYTES_MAX}", draft.payload.len());
            return Err(EventStoreError::invalid("payload", reason));
        }
        if draft.keys.len() > INDEX_KEYS_MAX {
            let reason = format!("{} keys, allowed are at most {INDEX_KEYS_MAX}", draft.keys.len());
            return Err(EventStoreError::invalid("keys", reason));
        }
        if planted("check_before_copy") {
            std::str::from_utf8(draft.topic)
                .map_err(|_| EventStoreError::invalid("topic", "not UTF-8"))?;
            self.copy(draft)?;
        } else {
            self.copy(draft)?;
            self.check_texts()?;
        }
        self.headers = Headers {
            correlation_id: draft.correlation_id.map(Uuid),
            causation_id: draft.causation_id.map(Uuid),
        };
        if rules.require_uuid_v4 {
            check_v4("correlation_id", self.headers.correlation_id)?;
            check_v4("causation_id", self.headers.causation_id)?;
        }
        self.ts_init = draft.ts_init;
        self.ts_publish = rules.ts_publish(draft.ts_publish, draft.ts_init, now);
        Ok(())
    }

    fn copy(&mut self, draft: &RawDraft<'_>) -> Result<()> {
        let keys_bytes: usize = draft.keys.iter().map(|key| 4 + key.key.len()).sum();
        let texts_bytes = draft.topic.len() + draft.payload_type.len() + draft.payload.len();
        self.bytes.clear();
        let needed_bytes = texts_bytes + keys_bytes;
        if needed_bytes > self.bytes.capacity() {
            // In exact steps: doubled for one more byte, a full queue would hold twice its drafts.
            self.bytes
                .try_reserve_exact(needed_bytes.next_multiple_of(GROWTH_STEP_BYTES))
                .map_err(|_| EventStoreError::OutOfMemory)?;
        }
        for part in [draft.topic, draft.payload_type, draft.payload] {
            self.bytes.extend_from_slice(part);
        }
        self.topic_len = draft.topic.len();
        self.payload_type_len = draft.payload_type.len();
        self.payload_len = draft.payload.len();
        self.key_count = draft.keys.len() as u32;
        for key in draft.keys {
            let kind = u16::try_from(key.kind).ok().and_then(IndexKind::from_code);
            let Some(kind) = kind else {
                let reason = format!("{} is not a kind of index key", key.kind);
                return Err(EventStoreError::invalid("index key kind", reason));
            };
            index::push_raw_key(&mut self.bytes, kind, key.key)?;
        }
        Ok(())
    }

    fn check_texts(&self) -> Result<()> {
        let utf8 = |field, bytes: &[u8]| {
            // Nearly all are ASCII, which is told faster than UTF-8.
            if bytes.is_ascii() {
                return Ok(());
            }
            std::str::from_utf8(bytes).map(drop).map_err(|error| {
                let reason = format!("not UTF-8 at byte {}", error.valid_up_to());
                EventStoreError::invalid(field, reason)
            })
        };
        let topic = &self.bytes[..self.topic_len];
        utf8("topic", topic)?;
        utf8("payload_type", &self.bytes[self.topic_len..self.payload_at()])?;
        if topic.starts_with(LIFECYCLE_TOPIC_PREFIX.as_bytes()) {
            let reason = format!("topics below {LIFECYCLE_TOPIC_PREFIX} are the store's own");
            return Err(EventStoreError::invalid("topic", reason));
        }
        index::check_encoded_keys(&self.bytes[self.keys_at()..])
    }

    /// Fills in an entry of the store itself; its `ts_publish` is as a draft's.
    pub(super) fn lifecycle(
        name: &str,
        payload: &[u8],
        ts_init: u64,
        ts_publish: u64,
        rules: FillRules,
    ) -> Box<Self> {
        let mut buffer = Box::new(Self::default());
        let topic = format!("{LIFECYCLE_TOPIC_PREFIX}{name}");
        buffer.bytes = [topic.as_bytes(), name.as_bytes(), payload].concat();
        buffer.topic_len = topic.len();
        buffer.payload_type_len = name.len();
        buffer.payload_len = payload.len();
        buffer.ts_init = ts_init;
        buffer.ts_publish = rules.ts_publish(ts_publish, ts_init, &mut Now::default());
        buffer
    }

    /// The addresses of what it consists of.
    pub(super) fn places(&self) -> [Range<usize>; 2] {
        let own = std::ptr::from_ref(self).addr();
        let bytes = self.bytes.as_ptr().addr();
        [own..own + size_of::<Self>(), bytes..bytes + self.bytes.capacity()]
    }

    /// What the entry counts for in the queue and in a group.
    pub(super) fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The entry under its `seq`, its hash still to be filled in.
    pub(super) fn to_append(&self, seq: u64) -> AppendEntry<'_> {
        let text = |bytes| std::str::from_utf8(bytes).expect("checked when it was filled");
        let entry = EntryView {
            seq,
            ts_init: self.ts_init,
            ts_publish: self.ts_publish,
            topic: text(&self.bytes[..self.topic_len]),
            payload_type: text(&self.bytes[self.topic_len..self.payload_at()]),
            payload: &self.bytes[self.payload_at()..self.keys_at()],
            headers: self.headers,
            entry_hash: [0; 32],
        };
        let keys = KeyList::trusted(self.key_count, &self.bytes[self.keys_at()..]);
        AppendEntry { entry, keys }
    }

    fn payload_at(&self) -> usize {
        self.topic_len + self.payload_type_len
    }

    fn keys_at(&self) -> usize {
        self.payload_at() + self.payload_len
    }
}

fn check_v4(field: &'static str, id: Option<Uuid>) -> Result<()> {
    match id {
        Some(id) if !id.is_v4() => {
            Err(EventStoreError::invalid(field, format!("{id} is not an RFC 4122 version 4 UUID")))
        }
        _ => Ok(()),
    }
}

/// The raw form of a draft that is already known to be text; `keys` holds its keys meanwhile.
pub(super) fn raw_draft<'a>(draft: &Draft<'a>, keys: &'a [RawKey<'a>]) -> RawDraft<'a> {
    RawDraft {
        topic: draft.topic.as_bytes(),
        payload_type: draft.payload_type.as_bytes(),
        payload: draft.payload,
        correlation_id: draft.headers.correlation_id.map(|id| id.0),
        causation_id: draft.headers.causation_id.map(|id| id.0),
        ts_init: draft.ts_init,
        ts_publish: draft.ts_publish,
        keys,
    }
}

/// Buffers that wait for their next draft, so that a warm producer allocates nothing.
pub(super) struct Pool {
    /// Those used last: they go first, since the processor's cache still has them. A pool that went
    /// round all its buffers would find each of them cold.
    recent: ArrayQueue<Box<EntryBuffer>>,
    rest: ArrayQueue<Box<EntryBuffer>>,
    bytes_max: u64,
}

/// Buffers grow to a multiple of this.
const GROWTH_STEP_BYTES: usize = 64;
/// So many buffers of ordinary drafts fit the second cache of a processor, with the drafts.
const RECENT_BUFFERS: usize = 1024;

impl Pool {
    /// Room for as many buffers as the queue can hold, and for about `bytes_max` in them.
    pub(super) fn new(buffers_max: usize, bytes_max: u64) -> Self {
        let (recent, rest) = (ArrayQueue::new(RECENT_BUFFERS), ArrayQueue::new(buffers_max));
        Self { recent, rest, bytes_max }
    }

    /// How much memory the lists of so many free buffers take: for each a pointer and a counter.
    pub(super) fn list_bytes(buffers_max: usize) -> usize {
        (RECENT_BUFFERS + buffers_max) * 2 * size_of::<usize>()
    }

    /// How much memory all buffers take once they are made, with what the allocator adds.
    pub(super) fn buffers_bytes(buffers_max: usize, bytes_max: u64) -> usize {
        const ALLOCATOR_BYTES: usize = 2 * 16;
        bytes_max as usize + buffers_max * (size_of::<EntryBuffer>() + ALLOCATOR_BYTES)
    }

    /// Makes all buffers now, each with its share of the bytes, and touches their memory, so that
    /// no first use is slow.
    pub(super) fn prefault(&self, mut made: impl FnMut(&EntryBuffer)) -> Result<()> {
        let share_bytes = self.bytes_max as usize / self.rest.capacity();
        while !self.rest.is_full() {
            let mut buffer = Box::new(EntryBuffer::default());
            let reserved = buffer.bytes.try_reserve_exact(share_bytes);
            reserved.map_err(|_| EventStoreError::OutOfMemory)?;
            buffer.bytes.resize(share_bytes, 0);
            buffer.bytes.clear();
            made(&buffer);
            let _ = self.rest.push(buffer);
        }
        Ok(())
    }

    pub(super) fn get(&self) -> Box<EntryBuffer> {
        self.recent.pop().or_else(|| self.rest.pop()).unwrap_or_default()
    }

    /// Takes a buffer back; one that would make the pool hold too many bytes is freed instead.
    pub(super) fn put(&self, buffer: Box<EntryBuffer>) {
        debug_assert!(buffer.next.is_none());
        let pooled_bytes = buffer.bytes.capacity() as u64 * (self.len() as u64 + 1);
        if pooled_bytes <= self.bytes_max {
            // A full pool frees the buffer, which is right as well.
            let _ = self.recent.push(buffer).or_else(|buffer| self.rest.push(buffer));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.recent.len() + self.rest.len()
    }
}

/// The buffers of one claim while it is being filled: the first owns the rest.
#[derive(Default)]
pub(super) struct Chain {
    first: Option<Box<EntryBuffer>>,
}

impl Chain {
    /// Fills `count` buffers from the pool, one by one; on failure those filled so far remain.
    pub(super) fn fill(
        &mut self,
        pool: &Pool,
        count: usize,
        mut fill: impl FnMut(usize, &mut EntryBuffer) -> Result<()>,
    ) -> Result<Size> {
        let mut size = Size::default();
        let mut end = &mut self.first;
        for index in 0..count {
            let buffer = end.insert(pool.get());
            fill(index, buffer)?;
            size.entries += 1;
            size.bytes += buffer.size_bytes();
            if size.bytes > BATCH_BYTES_MAX as u64 {
                let reason = format!("more than {BATCH_BYTES_MAX} bytes in one batch");
                return Err(EventStoreError::invalid("drafts", reason).at_item(index));
            }
            end = &mut buffer.next;
        }
        if let Some(first) = &mut self.first {
            first.claim = size;
        }
        Ok(size)
    }

    /// Gives the buffers back to the pool.
    pub(super) fn recycle(self, pool: &Pool) {
        for buffer in self {
            pool.put(buffer);
        }
    }
}

/// Hands out the buffers in order.
impl Iterator for Chain {
    type Item = Box<EntryBuffer>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut first = self.first.take()?;
        self.first = first.next.take();
        Some(first)
    }
}

/// Unlinks one by one: the drop of a long chain must not recurse.
impl Drop for Chain {
    fn drop(&mut self) {
        while self.next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// However many buffers were made ahead, one batch after another goes through the same ones;
    /// and none is lost where more are out than are kept as the recent ones.
    #[test]
    fn buffers_used_last_are_used_first() {
        let made = 3 * RECENT_BUFFERS;
        let pool = Pool::new(made, 1 << 30);
        pool.prefault(|_| ()).unwrap();
        let take = |count: usize| -> Vec<_> { (0..count).map(|_| pool.get()).collect() };
        let mut seen = BTreeSet::new();
        for _ in 0..10 {
            for buffer in take(RECENT_BUFFERS) {
                seen.insert(std::ptr::from_ref(&*buffer).addr());
                pool.put(buffer);
            }
        }
        assert_eq!(seen.len(), RECENT_BUFFERS);
        take(made).into_iter().for_each(|buffer| pool.put(buffer));
        assert_eq!(pool.len(), made);
    }
}
