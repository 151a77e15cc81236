//! The claim word: the next `seq`, and whether the run is closed or halted, in one atomic word.
//!
//! Because all three change by one compare-and-swap, no claim succeeds after a close or a halt,
//! and the order of claims is the order of `seq`. It does not know whether there is room.

use super::sync::{AtomicU64, Ordering, Padded};
use crate::planted::planted;

const CLOSED: u64 = 1;
const HALTED: u64 = 2;
const STATE_BITS: u32 = 2;

/// Why a claim was refused; nothing was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Closed,
    Halted,
    /// The guard asked for another `seq` than the next.
    OutOfOrder {
        next_seq: u64,
    },
}

/// The word that all producers swap.
pub(crate) struct Claim {
    word: Padded<AtomicU64>,
}

impl Claim {
    pub(crate) fn new(next_seq: u64) -> Self {
        Self { word: Padded::new(AtomicU64::new(next_seq << STATE_BITS)) }
    }

    /// Claims `count` sequences in a row and answers the first. `expected_seq` other than 0 must
    /// be that first one.
    pub(crate) fn claim(&self, count: u64, expected_seq: u64) -> Result<u64, Refused> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            refuse(word)?;
            let next_seq = word >> STATE_BITS;
            if expected_seq != 0 && expected_seq != next_seq {
                return Err(Refused::OutOfOrder { next_seq });
            }
            // Each claim passes on what the claims before it know. The room that makes this slot
            // safe may be another's: who reserves first and claims last gets a slot that was
            // emptied after its own reservation, but before that of a claim in between.
            let order = if planted("relaxed_claim") { Ordering::Relaxed } else { Ordering::AcqRel };
            match self.word.compare_exchange_weak(
                word,
                word + (count << STATE_BITS),
                order,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(next_seq),
                Err(current) => word = current,
            }
        }
    }

    /// Refuses all later claims, after `count` last ones of the closer itself; answers the first
    /// of those. `Err` when the run was closed or halted before.
    pub(crate) fn close(&self, count: u64) -> Result<u64, Refused> {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            refuse(word)?;
            match self.word.compare_exchange_weak(
                word,
                (word + (count << STATE_BITS)) | CLOSED,
                // The writer that sees the bit must see the closer's request.
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Ok(word >> STATE_BITS),
                Err(current) => word = current,
            }
        }
    }

    /// Refuses all later claims. Whoever sees the bit sees what was written before this call.
    pub(crate) fn halt(&self) {
        self.word.fetch_or(HALTED, Ordering::AcqRel);
    }

    /// The first `seq` that is not claimed.
    pub(crate) fn next_seq(&self) -> u64 {
        self.word.load(Ordering::Acquire) >> STATE_BITS
    }

    /// The same while claims are taken: once closed, the last one is the closer's own.
    pub(crate) fn open_next_seq(&self) -> Result<u64, Refused> {
        let word = self.word.load(Ordering::Acquire);
        refuse(word).map(|()| word >> STATE_BITS)
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.word.load(Ordering::Acquire) & HALTED != 0
    }

    /// Why a claim would be refused right now.
    pub(crate) fn refusal(&self) -> Option<Refused> {
        self.open_next_seq().err()
    }

    /// Once closed: the first `seq` that no producer claimed will follow.
    pub(crate) fn closed_at(&self) -> Option<u64> {
        let word = self.word.load(Ordering::Acquire);
        (word & CLOSED != 0).then_some(word >> STATE_BITS)
    }
}

fn refuse(word: u64) -> Result<(), Refused> {
    // Halted first: a run that failed while closing must not look as if it closed in order.
    if word & HALTED != 0 {
        Err(Refused::Halted)
    } else if word & CLOSED != 0 {
        Err(Refused::Closed)
    } else {
        Ok(())
    }
}
