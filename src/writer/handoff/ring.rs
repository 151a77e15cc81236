//! The slots between producers and the writer: many write, one reads, each slot by its `seq`.
//!
//! A producer writes the slot of a `seq` that it claimed and publishes it with a release store;
//! the writer takes slots in order of `seq`. The ring never says full: [`super::room`] did that
//! before. Invariants: (R1) one thread claims a `seq`; (R2) when `seq` may be written, the slot's
//! earlier item, `seq - capacity`, was taken, because room for it was given back after that, to
//! this claim or to one before it.

use std::ops::Range;

use super::sync::{AtomicU64, Cell, Ordering};
use crate::planted::planted;

struct Slot<T> {
    /// The `seq` of the item inside; anything else means that the slot is not published yet.
    published: AtomicU64,
    item: Cell<Option<T>>,
}

/// A ring of at least as many slots as the queue has room for entries.
pub(super) struct Ring<T> {
    slots: Box<[Slot<T>]>,
    mask: u64,
}

// SAFETY: items are moved in by one thread and out by another, each alone with the slot (R1, R2),
// with the release store of `published` between them; so `T: Send` is all that sharing needs.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    pub(super) fn new(entries_max: u64) -> Self {
        let capacity = entries_max.next_power_of_two();
        let empty = || Slot { published: AtomicU64::new(0), item: Cell::new(None) };
        Self { slots: (0..capacity).map(|_| empty()).collect(), mask: capacity - 1 }
    }

    /// How much memory the slots for so many entries take.
    pub(super) fn bytes(entries_max: u64) -> usize {
        entries_max.next_power_of_two() as usize * size_of::<Slot<T>>()
    }

    /// The addresses of the slots.
    pub(super) fn place(&self) -> Range<usize> {
        let slots = self.slots.as_ptr_range();
        slots.start.addr()..slots.end.addr()
    }

    /// Moves an item into the slot of `seq`, which the caller has claimed and has room for.
    ///
    /// # Safety
    /// R1: no other call for this `seq` is made. R2: room for it was reserved, and whoever takes
    /// items gives their room back only after [`Ring::take`] answered them.
    pub(super) unsafe fn publish(&self, seq: u64, item: T) {
        let slot = &self.slots[(seq & self.mask) as usize];
        debug_assert!(slot.published.load(Ordering::Relaxed) < seq);
        // SAFETY: by R2 the writer has emptied this slot and will not look inside before the store
        // below; by R1 no other producer has it.
        slot.item.with_mut(|place| unsafe { *place = Some(item) });
        let order = if planted("relaxed_publish") { Ordering::Relaxed } else { Ordering::Release };
        slot.published.store(seq, order);
    }

    /// Whether the item of `seq` can be taken.
    pub(super) fn is_published(&self, seq: u64) -> bool {
        self.slots[(seq & self.mask) as usize].published.load(Ordering::Acquire) == seq
    }

    /// Looks at a published item without taking it.
    ///
    /// # Safety
    /// Only the one thread that takes items calls this.
    pub(super) unsafe fn peek<R>(&self, seq: u64, look: impl FnOnce(&T) -> R) -> Option<R> {
        if !self.is_published(seq) {
            return None;
        }
        let slot = &self.slots[(seq & self.mask) as usize];
        // SAFETY: published and not yet taken, so the producer is done with it (acquire above), and
        // no other thread reads slots.
        slot.item.with_mut(|place| unsafe { (*place).as_ref().map(look) })
    }

    /// Takes the item of `seq`, if it is published.
    ///
    /// # Safety
    /// One thread at a time takes items, each `seq` once.
    pub(super) unsafe fn take(&self, seq: u64) -> Option<T> {
        if !self.is_published(seq) {
            return None;
        }
        let slot = &self.slots[(seq & self.mask) as usize];
        // SAFETY: as in `peek`; the slot is not written again before its room is given back (R2).
        slot.item.with_mut(|place| unsafe { (*place).take() })
    }
}
