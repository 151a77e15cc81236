//! How much may still be queued, in entries and in bytes, in one atomic word.
//!
//! Reserving room is what makes a slot of the ring safe to write: at most as many entries are
//! reserved as there are slots, and room is given back only after a slot was emptied.

use super::queue::Size;
use super::sync::{AtomicU64, Ordering, Padded};

const BYTES_BITS: u32 = 43;
const BYTES_MASK: u64 = (1 << BYTES_BITS) - 1;

/// Most entries that a queue may be set to hold.
pub(crate) const ENTRIES_MAX: u64 = (1 << (64 - BYTES_BITS)) - 1;
/// Most bytes that a queue may be set to hold.
pub(crate) const BYTES_MAX: u64 = 1 << (BYTES_BITS - 2);

/// The room of one queue.
pub(super) struct Room {
    taken: Padded<AtomicU64>,
    entries_max: u64,
    bytes_max: u64,
}

impl Room {
    pub(super) fn new(entries_max: u64, bytes_max: u64) -> Self {
        debug_assert!(entries_max <= ENTRIES_MAX && bytes_max <= BYTES_MAX);
        Self { taken: Padded::new(AtomicU64::new(0)), entries_max, bytes_max }
    }

    /// Reserves room for `entries` with `bytes` in all; false when there is none.
    pub(super) fn reserve(&self, entries: u64, bytes: u64) -> bool {
        debug_assert!(entries <= self.entries_max && bytes <= BYTES_MAX);
        let mut word = self.taken.load(Ordering::Relaxed);
        loop {
            if !self.fits(unpack(word), entries, bytes) {
                return false;
            }
            // Acquire: the slots that the writer emptied before it gave room back are ours now.
            match self.taken.compare_exchange_weak(
                word,
                word + pack(entries, bytes),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(current) => word = current,
            }
        }
    }

    /// Whether [`Room::reserve`] would find room right now.
    pub(super) fn admits(&self, entries: u64, bytes: u64) -> bool {
        self.fits(self.taken(), entries, bytes)
    }

    /// An empty queue admits any bytes, so that one claim of any legal size can pass.
    fn fits(&self, taken: Size, entries: u64, bytes: u64) -> bool {
        taken.entries + entries <= self.entries_max
            && (taken.entries == 0 || taken.bytes + bytes <= self.bytes_max)
    }

    /// Gives room back, after the slots were emptied or when the claim failed.
    pub(super) fn release(&self, entries: u64, bytes: u64) {
        self.taken.fetch_sub(pack(entries, bytes), Ordering::Release);
    }

    pub(super) fn taken(&self) -> Size {
        unpack(self.taken.load(Ordering::Relaxed))
    }

    /// Whether the next smallest claim would be refused.
    pub(super) fn is_full(&self) -> bool {
        !self.admits(1, 1)
    }
}

fn pack(entries: u64, bytes: u64) -> u64 {
    entries << BYTES_BITS | bytes
}

fn unpack(word: u64) -> Size {
    Size { entries: word >> BYTES_BITS, bytes: word & BYTES_MASK }
}

// One oversized claim on top of a full queue must not carry into the entries.
const _: () = assert!(BYTES_MAX + (crate::limits::BATCH_BYTES_MAX as u64) < BYTES_MASK);
