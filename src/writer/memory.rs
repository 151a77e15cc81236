//! The memory of a run's queue: the slots, and the buffers that go through them.
//!
//! It is made, touched and locked before the run is, so that where it cannot be had no run is left.

use std::sync::Arc;

use super::buffer::{EntryBuffer, Pool};
use super::handoff::queue::{Queue, Taker};
use super::options::Settings;
use crate::error::{EventStoreError, Fault, Result};
use crate::platform::memory::{LockedMemory, lock_limit_bytes};

/// An empty queue and its pool of buffers.
pub(crate) struct QueueMemory {
    pub(super) locked: Option<LockedMemory>,
    pub(super) queue: Arc<Queue<Box<EntryBuffer>>>,
    pub(super) taker: Taker<Box<EntryBuffer>>,
    pub(super) pool: Pool,
}

impl QueueMemory {
    /// Makes it as the settings say.
    ///
    /// # Errors
    /// `OutOfMemory`; `Backend` when the memory cannot be locked.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        check_room(settings)?;
        let (queue, taker) =
            Queue::new(settings.next_seq(), settings.queue_entries, settings.queue_bytes);
        let pool = Pool::new(settings.queue_entries as usize, settings.queue_bytes);
        let mut locked = None;
        if settings.lock_memory {
            let mut places = vec![queue.slots_place()];
            pool.prefault(|buffer| places.extend(buffer.places()))?;
            locked = Some(lock(places)?);
        } else if settings.prefault {
            pool.prefault(|_| ())?;
        }
        Ok(Self { locked, queue, taker, pool })
    }
}

/// Reserves as much as is needed for what is made next, and releases it at once: those allocations
/// abort the process where memory runs out.
fn check_room(settings: &Settings) -> Result<()> {
    let entries = settings.queue_entries as usize;
    let mut bytes = Queue::<Box<EntryBuffer>>::slots_bytes(settings.queue_entries);
    bytes += Pool::list_bytes(entries);
    if settings.prefault || settings.lock_memory {
        bytes += Pool::buffers_bytes(entries, settings.queue_bytes);
    }
    Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| EventStoreError::OutOfMemory)
}

fn lock(places: Vec<std::ops::Range<usize>>) -> Result<LockedMemory> {
    let bytes: usize = places.iter().map(ExactSizeIterator::len).sum();
    LockedMemory::lock(places).map_err(|error| {
        let allowed = lock_limit_bytes().map_or("any".into(), |limit| limit.to_string());
        let action = format!(
            "locking {bytes} bytes of queue memory (RLIMIT_MEMLOCK: {allowed}; raise it, or ask for \
             a smaller queue)"
        );
        EventStoreError::Backend(Box::new(Fault::from_io(&action, None, error)))
    })
}
