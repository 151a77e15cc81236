//! The entry hash: BLAKE3 over the preimage that FORMAT.md defines; equal in every backend.

mod batch;
mod lanes;

pub(crate) use self::batch::{BATCH_ENTRIES, HashBatch};
use crate::entry::EntryView;
use crate::error::{EventStoreError, Result};
use crate::headers::{Headers, Uuid};

const DOMAIN: &[u8; 29] = b"nautilus-event-store/entry/v1";
/// Preimages up to this size are laid out on the stack and hashed by one call, which costs less
/// than a call a field.
const STACK_BYTES: usize = 1024;
/// All of a preimage but topic, type, payload and ids.
const FIXED_BYTES: usize = DOMAIN.len() + 3 * 8 + 3 * 8 + 2;

/// The hash of an entry, computed from all its fields but the stored hash.
pub fn entry_hash(entry: &EntryView<'_>) -> [u8; 32] {
    if Preimage::bytes_of(entry) <= STACK_BYTES {
        let mut preimage = Preimage { bytes: [0; STACK_BYTES], len: 0 };
        feed(entry, |bytes| preimage.put(bytes));
        *blake3::hash(&preimage.bytes[..preimage.len]).as_bytes()
    } else {
        let mut hasher = blake3::Hasher::new();
        feed(entry, |bytes| {
            hasher.update(bytes);
        });
        *hasher.finalize().as_bytes()
    }
}

/// Recomputes the hash of an entry that was read.
///
/// # Errors
/// `HashMismatch` when the stored one differs.
pub fn check_entry(entry: &EntryView<'_>) -> Result<()> {
    if entry_hash(entry) == entry.entry_hash {
        Ok(())
    } else {
        Err(EventStoreError::HashMismatch { seq: entry.seq })
    }
}

struct Preimage {
    bytes: [u8; STACK_BYTES],
    len: usize,
}

impl Preimage {
    /// How long the preimage of an entry is.
    fn bytes_of(entry: &EntryView<'_>) -> usize {
        let texts = entry.topic.len() + entry.payload_type.len() + entry.payload.len();
        let Headers { correlation_id, causation_id } = entry.headers;
        let ids = usize::from(correlation_id.is_some()) + usize::from(causation_id.is_some());
        FIXED_BYTES + texts + ids * 16
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

fn feed(entry: &EntryView<'_>, mut put: impl FnMut(&[u8])) {
    // One piece of a length known beforehand, which copies faster than four.
    let mut head = [0; DOMAIN.len() + 3 * 8];
    head[..DOMAIN.len()].copy_from_slice(DOMAIN);
    for (place, number) in
        head[DOMAIN.len()..].chunks_exact_mut(8).zip([entry.seq, entry.ts_init, entry.ts_publish])
    {
        place.copy_from_slice(&number.to_be_bytes());
    }
    put(&head);
    for bytes in [entry.topic.as_bytes(), entry.payload_type.as_bytes(), entry.payload] {
        put(&(bytes.len() as u64).to_be_bytes());
        put(bytes);
    }
    for id in [entry.headers.correlation_id, entry.headers.causation_id] {
        match id {
            None => put(&[0]),
            Some(Uuid(bytes)) => {
                put(&[1]);
                put(&bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second, slow statement of the preimage, kept apart from `feed`.
    fn naive(entry: &EntryView<'_>) -> [u8; 32] {
        let mut all = b"nautilus-event-store/entry/v1".to_vec();
        for number in [entry.seq, entry.ts_init, entry.ts_publish] {
            all.extend(number.to_be_bytes());
        }
        all.extend((entry.topic.len() as u64).to_be_bytes());
        all.extend(entry.topic.bytes());
        all.extend((entry.payload_type.len() as u64).to_be_bytes());
        all.extend(entry.payload_type.bytes());
        all.extend((entry.payload.len() as u64).to_be_bytes());
        all.extend(entry.payload);
        for id in [entry.headers.correlation_id, entry.headers.causation_id] {
            all.extend(id.map_or(vec![0], |id| [&[1], &id.0[..]].concat()));
        }
        *blake3::hash(&all).as_bytes()
    }

    /// Both ways of hashing agree with the naive preimage at every payload length and header shape.
    #[test]
    fn equals_the_naive_hash_at_every_length() {
        let payload: Vec<u8> = (0..5000u32).map(|i| (i * 31 % 251) as u8).collect();
        for length in 0..=payload.len() {
            let shape = length % 4;
            let entry = EntryView {
                seq: length as u64,
                ts_init: u64::MAX - length as u64,
                ts_publish: 3,
                topic: "exec.command",
                payload_type: "SubmitOrder",
                payload: &payload[..length],
                headers: Headers {
                    correlation_id: (shape & 1 != 0).then_some(Uuid([7; 16])),
                    causation_id: (shape & 2 != 0).then_some(Uuid([9; 16])),
                },
                entry_hash: [0; 32],
            };
            assert_eq!(entry_hash(&entry), naive(&entry), "payload of {length} bytes");
        }
    }
}
