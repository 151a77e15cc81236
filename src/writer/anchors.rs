//! Anchors that wait until the entry they name is durable, stored in the order of the calls.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::error::{EventStoreError, Result};
use crate::snapshot::SnapshotAnchor;

/// The queue of anchors of one run.
pub(super) struct AnchorQueue {
    waiting: Mutex<Waiting>,
    /// How many anchors are stored durably, in the order of their tickets.
    stored: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    anchors: VecDeque<SnapshotAnchor>,
    /// How many were ever queued: the ticket of the last one.
    queued: u64,
    /// What the next anchor must not lie below.
    latest_seq: u64,
    /// The writer is done and stores no more.
    ended: bool,
}

impl AnchorQueue {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::new(Waiting::default()), stored: AtomicU64::new(0) }
    }

    /// Queues an anchor that names a `seq` from the latest queued anchor's to `last_claimed_seq`;
    /// answers its ticket.
    pub(super) fn queue(&self, anchor: &SnapshotAnchor, last_claimed_seq: u64) -> Result<u64> {
        anchor.check()?;
        let mut waiting = self.waiting.lock();
        if waiting.ended {
            return Err(EventStoreError::Closed);
        }
        let (seq, lowest) = (anchor.high_watermark, waiting.latest_seq.max(1));
        if seq < lowest || seq > last_claimed_seq {
            let reason = format!(
                "{seq} is outside {lowest} (latest anchor) to {last_claimed_seq} (last claimed)"
            );
            return Err(EventStoreError::invalid("anchor seq", reason));
        }
        waiting.latest_seq = seq;
        waiting.anchors.push_back(anchor.clone());
        waiting.queued += 1;
        Ok(waiting.queued)
    }

    /// The next anchor whose entry is durable. It stays queued until [`AnchorQueue::stored`].
    pub(super) fn due(&self, durable_seq: u64) -> Option<SnapshotAnchor> {
        let waiting = self.waiting.lock();
        waiting.anchors.front().filter(|anchor| anchor.high_watermark <= durable_seq).cloned()
    }

    /// Whether none is queued.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.lock().anchors.is_empty()
    }

    /// The one that [`AnchorQueue::due`] answered is durable.
    pub(super) fn stored(&self) {
        self.waiting.lock().anchors.pop_front();
        self.stored.fetch_add(1, Ordering::Release);
    }

    pub(super) fn is_stored(&self, ticket: u64) -> bool {
        self.stored.load(Ordering::Acquire) >= ticket
    }

    /// Takes no more from here on, unless one is still due: then false.
    pub(super) fn end(&self) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.ended = waiting.anchors.is_empty();
        waiting.ended
    }
}
