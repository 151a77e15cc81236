//! The queue: claim, room and ring put together, so that no caller can get their order wrong.
//!
//! Producers reserve, then push; the one [`Taker`] takes in the order of `seq` and gives room
//! back. This is where the two rules of the ring (R1, R2) are kept.

use std::ops::Range;

use super::claim::{Claim, Refused};
use super::ring::Ring;
use super::room::Room;
use super::sync::Arc;

/// Entries and bytes that a queue counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// Between many producers and one writer.
pub(crate) struct Queue<T> {
    pub(crate) claim: Claim,
    room: Room,
    ring: Ring<T>,
}

/// Room in a queue; spent by [`Queue::push`].
#[must_use = "room that is neither pushed nor given back is lost"]
pub(crate) struct Reserved(Size);

impl<T> Queue<T> {
    /// An empty queue, and the one that takes from it.
    pub(crate) fn new(next_seq: u64, entries_max: u64, bytes_max: u64) -> (Arc<Self>, Taker<T>) {
        let queue = Arc::new(Self {
            claim: Claim::new(next_seq),
            room: Room::new(entries_max, bytes_max),
            ring: Ring::new(entries_max),
        });
        let taker = Taker { queue: Arc::clone(&queue), next_seq, taken_entries: 0 };
        (queue, taker)
    }

    /// How much memory the slots of a queue for so many entries take.
    pub(crate) fn slots_bytes(entries_max: u64) -> usize {
        Ring::<T>::bytes(entries_max)
    }

    /// Reserves room for a claim; `None` when there is none.
    pub(crate) fn reserve(&self, size: Size) -> Option<Reserved> {
        self.room.reserve(size.entries, size.bytes).then_some(Reserved(size))
    }

    /// Claims a `seq` for each item and publishes them; answers the first. `items` are as many as
    /// were reserved, and getting them neither fails nor waits. A refusal claims nothing and
    /// gives the room back, of which the caller then tells; the items stay with the caller.
    pub(crate) fn push(
        &self,
        reserved: Reserved,
        expected_seq: u64,
        mut items: impl Iterator<Item = T>,
    ) -> Result<u64, Refused> {
        let Reserved(size) = reserved;
        let claimed = self.claim.claim(size.entries, expected_seq);
        let first_seq = claimed.inspect_err(|_| self.room.release(size.entries, size.bytes))?;
        for seq in first_seq..first_seq + size.entries {
            let item = items.next().expect("as many items as were reserved");
            // SAFETY: R1: the claim gave `seq` to this call alone. R2: room for it was reserved,
            // and only the taker gives room back, for what it has taken.
            unsafe { self.ring.publish(seq, item) };
        }
        Ok(first_seq)
    }

    /// Whether [`Queue::reserve`] would find room right now.
    pub(crate) fn admits(&self, size: Size) -> bool {
        self.room.admits(size.entries, size.bytes)
    }

    /// What is queued, or taken and not yet given back.
    pub(crate) fn taken(&self) -> Size {
        self.room.taken()
    }

    /// The addresses of the slots.
    pub(crate) fn slots_place(&self) -> Range<usize> {
        self.ring.place()
    }

    /// Whether the next smallest claim would be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.room.is_full()
    }
}

/// The one that takes from a queue.
pub(crate) struct Taker<T> {
    queue: Arc<Queue<T>>,
    next_seq: u64,
    /// Taken, and their room not yet given back.
    taken_entries: u64,
}

impl<T> Taker<T> {
    /// The next `seq` that will be taken.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Whether the item so many places on is there; then all before it, of the same claim, are.
    pub(crate) fn is_ready(&self, places: u64) -> bool {
        self.queue.ring.is_published(self.next_seq + places)
    }

    /// Looks at the next item.
    pub(crate) fn peek<R>(&mut self, look: impl FnOnce(&T) -> R) -> Option<R> {
        // SAFETY: there is one taker to a queue, and `&mut` makes this its only call.
        unsafe { self.queue.ring.peek(self.next_seq, look) }
    }

    /// Takes the next item.
    pub(crate) fn take(&mut self) -> Option<T> {
        // SAFETY: as in `peek`; each `seq` is taken once, since it is left behind here.
        let item = unsafe { self.queue.ring.take(self.next_seq) }?;
        self.next_seq += 1;
        self.taken_entries += 1;
        Some(item)
    }

    /// Gives back the room of items that were taken. The caller then wakes the waiters.
    pub(crate) fn give_back(&mut self, size: Size) {
        assert!(size.entries <= self.taken_entries, "room is given back for what was taken");
        self.taken_entries -= size.entries;
        self.queue.room.release(size.entries, size.bytes);
    }
}
