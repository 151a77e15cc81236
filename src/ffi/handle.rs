//! Handles: what `es_run *`, `es_reader *` and `es_report *` point to, and whether they still do.
//!
//! A handle is the address of a slot in slabs that are never given back, so that any pointer can
//! be judged: outside the slabs it is no handle; inside, its slot tells type, fork generation and
//! whether it is free. Nothing else here reads through a caller's pointer. A slot is used again
//! only after `REUSE_AFTER_FREES` later frees, which keeps stale handles recognisable for long.

use std::alloc::{Layout, alloc_zeroed};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::close::inside_callback;
use super::error::Refusal;
use super::fork;
use super::report::Report;
use super::status::*;
use crate::error::EventStoreError;
use crate::planted::planted;
use crate::reader::Reader;
use crate::writer::Run;

/// A run that this process writes. Made by es_open_run, freed by es_free_run; its readers outlive
/// it. After es_close_run it still answers state, stats, path, es_wait_durable and
/// es_open_reader.
pub struct es_run {
    _slot: Slot,
}

/// A view of a run for reading. Made by es_open_reader, es_open_sealed_run, es_open_live_run or
/// es_open_crashed_run, freed by es_free_reader; independent of any es_run.
pub struct es_reader {
    _slot: Slot,
}

/// What an operation over runs answered. Made by es_list_runs, es_recover, es_verify_run,
/// es_salvage_run, es_plan_retention or es_apply_retention, freed by es_free_report; holds memory
/// alone, no file and no lock.
pub struct es_report {
    _slot: Slot,
}

// C may use a handle from any thread: what it stands for must allow that.
const _: () = {
    const fn crosses_threads<T: Send + Sync>() {}
    crosses_threads::<Run>();
    crosses_threads::<Reader>();
    crosses_threads::<Report>();
};

/// How many later frees a slot waits for before it is used again.
const REUSE_AFTER_FREES: usize = 1024;
const FIRST_SLAB_SLOTS: usize = 64;
/// 64 slots doubling 26 times are 4 thousand million handles.
const SLABS_MAX: usize = 26;

const FREE: u32 = 0;
const RUN: u32 = 0x4e55_5253;
const READER: u32 = 0x4452_5253;
const REPORT: u32 = 0x5052_5253;

/// Zeroed memory is a free slot.
#[repr(C, align(32))]
struct Slot {
    kind: AtomicU32,
    /// The fork generation that it was made in.
    generation: AtomicU32,
    object: AtomicPtr<()>,
}

/// A slab: `slots` is written before `start`, and neither ever changes again.
struct Slab {
    start: AtomicPtr<Slot>,
    slots: AtomicUsize,
}

static SLABS: [Slab; SLABS_MAX] =
    [const { Slab { start: AtomicPtr::new(std::ptr::null_mut()), slots: AtomicUsize::new(0) } };
        SLABS_MAX];

/// Gives a run to the caller.
pub(super) fn give_run(run: Run) -> Result<*mut es_run, Refusal> {
    give(RUN, run).map(NonNull::as_ptr).map(<*mut Slot>::cast)
}

/// Gives a reader to the caller.
pub(super) fn give_reader(reader: Reader) -> Result<*mut es_reader, Refusal> {
    give(READER, reader).map(NonNull::as_ptr).map(<*mut Slot>::cast)
}

/// Gives a report to the caller.
pub(super) fn give_report(report: Report) -> Result<*mut es_report, Refusal> {
    give(REPORT, report).map(NonNull::as_ptr).map(<*mut Slot>::cast)
}

/// The run that a handle stands for.
///
/// # Safety
/// No thread frees the handle during `'a`; the header makes that the caller's duty.
pub(super) unsafe fn run<'a>(handle: *mut es_run) -> Result<&'a Run, Refusal> {
    if inside_callback() {
        return Err(Refusal::Store(EventStoreError::Busy { what: "a callback is running" }));
    }
    // SAFETY: handed down from the caller.
    unsafe { run_in_callback(handle) }
}

/// The same, also for the host's halt callback.
///
/// # Safety
/// As for [`run`].
pub(super) unsafe fn run_in_callback<'a>(handle: *mut es_run) -> Result<&'a Run, Refusal> {
    let object = find("run", handle.cast(), RUN)?;
    // SAFETY: a live slot of kind RUN holds the Box<Run> that `give` put there, and it is not
    // freed during 'a.
    Ok(unsafe { &*object.cast::<Run>() })
}

/// The reader that a handle stands for.
///
/// # Safety
/// No thread frees the handle during `'a`; the header makes that the caller's duty.
pub(super) unsafe fn reader<'a>(handle: *mut es_reader) -> Result<&'a Reader, Refusal> {
    let object = find("reader", handle.cast(), READER)?;
    // SAFETY: a live slot of kind READER holds the Box<Reader> that `give` put there, and it is
    // not freed during 'a.
    Ok(unsafe { &*object.cast::<Reader>() })
}

/// The report that a handle stands for.
///
/// # Safety
/// No thread frees the handle during `'a`; the header makes that the caller's duty.
pub(super) unsafe fn report<'a>(handle: *mut es_report) -> Result<&'a Report, Refusal> {
    let object = find("report", handle.cast(), REPORT)?;
    // SAFETY: a live slot of kind REPORT holds the Box<Report> that `give` put there, and it is
    // not freed during 'a.
    Ok(unsafe { &*object.cast::<Report>() })
}

/// Frees a report; nothing happens for what is no live report of this process.
///
/// # Safety
/// No other thread is in a call on the handle.
pub(super) unsafe fn free_report(handle: *mut es_report) {
    if let Some(object) = release(handle.cast(), REPORT) {
        // SAFETY: `release` gave this Box<Report> to this call alone.
        drop(unsafe { Box::from_raw(object.cast::<Report>()) });
    }
}

/// Frees a run; nothing happens for what is no live run of this process.
///
/// # Safety
/// No other thread is in a call on the handle.
pub(super) unsafe fn free_run(handle: *mut es_run) {
    if let Some(object) = release(handle.cast(), RUN) {
        // SAFETY: `release` gave this Box<Run> to this call alone.
        drop(unsafe { Box::from_raw(object.cast::<Run>()) });
    }
}

/// Frees a reader; nothing happens for what is no live reader of this process.
///
/// # Safety
/// No other thread is in a call on the handle.
pub(super) unsafe fn free_reader(handle: *mut es_reader) {
    if let Some(object) = release(handle.cast(), READER) {
        // SAFETY: `release` gave this Box<Reader> to this call alone.
        drop(unsafe { Box::from_raw(object.cast::<Reader>()) });
    }
}

/// The slot at an address, if it is the address of one.
fn slot_at(handle: *mut Slot) -> Option<&'static Slot> {
    let address = handle.addr();
    for slab in &SLABS {
        let start = slab.start.load(Ordering::Acquire);
        if start.is_null() {
            return None;
        }
        let offset = address.wrapping_sub(start.addr());
        if offset < slab.slots.load(Ordering::Relaxed) * size_of::<Slot>() {
            // SAFETY: `offset` lies in the slab, so the slot's index does; slabs are never freed,
            // and a zeroed slot is a valid one.
            let slot = unsafe { &*start.add(offset / size_of::<Slot>()) };
            return offset.is_multiple_of(size_of::<Slot>()).then_some(slot);
        }
    }
    None
}

fn find(parameter: &'static str, handle: *mut Slot, kind: u32) -> Result<*mut (), Refusal> {
    let bad = |reason: &'static str| Refusal::call(ES_ERR_BAD_HANDLE, parameter, reason);
    if handle.is_null() {
        return Err(bad("is NULL"));
    }
    let slot = slot_at(handle).ok_or_else(|| bad("is no handle of this library"))?;
    match slot.kind.load(Ordering::Acquire) {
        found if found == kind => {}
        FREE => return Err(bad("was freed")),
        _ => return Err(bad("is a handle of another type")),
    }
    if slot.generation.load(Ordering::Relaxed) != fork::generation() {
        let reason = "was made before the fork; open one of this process";
        return Err(Refusal::call(ES_ERR_USED_AFTER_FORK, parameter, reason));
    }
    Ok(slot.object.load(Ordering::Relaxed))
}

/// Who hands out slots. A forked child makes its own: the parent's lock may have been held.
struct Allocator {
    generation: u32,
    state: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    /// Freed slots, oldest first.
    freed: VecDeque<&'static Slot>,
    /// Slots of the newest slab that were never used.
    fresh: &'static [Slot],
}

static ALLOCATOR: AtomicPtr<Allocator> = AtomicPtr::new(std::ptr::null_mut());

fn allocator() -> &'static Allocator {
    let generation = fork::generation();
    let current = ALLOCATOR.load(Ordering::Acquire);
    // SAFETY: allocators are leaked below, so what was ever stored stays valid.
    if let Some(allocator) = unsafe { current.as_ref() }
        && allocator.generation == generation
    {
        return allocator;
    }
    let fresh = Box::into_raw(Box::new(Allocator { generation, state: Mutex::default() }));
    match ALLOCATOR.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: just leaked, and stored for good.
        Ok(_) => unsafe { &*fresh },
        Err(other) => {
            // SAFETY: `fresh` was not published; `other` was, by another thread of this process,
            // and is never freed.
            unsafe {
                drop(Box::from_raw(fresh));
                &*other
            }
        }
    }
}

fn give<T: Send + Sync>(kind: u32, object: T) -> Result<NonNull<Slot>, Refusal> {
    fork::watch();
    let slot = allocator().state.lock().take()?;
    slot.generation.store(fork::generation(), Ordering::Relaxed);
    slot.object.store(Box::into_raw(Box::new(object)).cast(), Ordering::Relaxed);
    // Last: whoever sees the kind sees the object.
    slot.kind.store(kind, Ordering::Release);
    Ok(NonNull::from(slot))
}

/// Takes the object out of a live slot, once; in a forked child it stays for good.
fn release(handle: *mut Slot, kind: u32) -> Option<*mut ()> {
    let slot = slot_at(handle)?;
    if slot.generation.load(Ordering::Relaxed) != fork::generation() {
        return None;
    }
    if planted("freed_handle_stays_valid") {
        return Some(slot.object.load(Ordering::Relaxed));
    }
    slot.kind.compare_exchange(kind, FREE, Ordering::AcqRel, Ordering::Relaxed).ok()?;
    let object = slot.object.swap(std::ptr::null_mut(), Ordering::Relaxed);
    allocator().state.lock().freed.push_back(slot);
    Some(object)
}

impl Slots {
    fn take(&mut self) -> Result<&'static Slot, Refusal> {
        if self.freed.len() > REUSE_AFTER_FREES
            && let Some(slot) = self.freed.pop_front()
        {
            return Ok(slot);
        }
        if self.fresh.is_empty() {
            self.fresh = new_slab().ok_or(Refusal::Store(EventStoreError::OutOfMemory))?;
        }
        let (first, rest) = self.fresh.split_first().expect("a slab has slots");
        self.fresh = rest;
        Ok(first)
    }
}

/// Makes the next slab, twice as large as the one before. Called under the allocator's lock.
fn new_slab() -> Option<&'static [Slot]> {
    let index = SLABS.iter().position(|slab| slab.start.load(Ordering::Relaxed).is_null())?;
    let slots = FIRST_SLAB_SLOTS << index;
    let layout = Layout::array::<Slot>(slots).ok()?;
    // SAFETY: the layout is not empty.
    let start = NonNull::new(unsafe { alloc_zeroed(layout) }.cast::<Slot>())?;
    SLABS[index].slots.store(slots, Ordering::Relaxed);
    SLABS[index].start.store(start.as_ptr(), Ordering::Release);
    // SAFETY: `slots` zeroed slots were allocated at `start`; they are never freed.
    Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), slots) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const KIND: u32 = 7;
    const OTHER_KIND: u32 = 8;

    /// Takes part in a test alone: all handles of a process share the slabs.
    static ALONE: Mutex<()> = Mutex::new(());

    fn make() -> *mut Slot {
        give(KIND, 5_u64).expect("memory for a slot").as_ptr()
    }

    fn free(handle: *mut Slot) -> bool {
        match release(handle, KIND) {
            // SAFETY: `release` gave this Box<u64>, which `make` put there, to this call alone.
            Some(object) => drop(unsafe { Box::from_raw(object.cast::<u64>()) }),
            None => return false,
        }
        true
    }

    fn status(handle: *mut Slot, kind: u32) -> es_status {
        find("run", handle, kind).map_or_else(|refusal| refusal.status(), |_| ES_OK)
    }

    /// A freed handle is recognised for as long as 1,024 others are freed after it.
    #[test]
    fn slot_is_used_again_only_after_many_later_frees() {
        let _alone = ALONE.lock();
        let first = make();
        assert!(free(first));
        for later in 0..REUSE_AFTER_FREES {
            assert_eq!(status(first, KIND), ES_ERR_BAD_HANDLE, "after {later} later frees");
            let next = make();
            assert_ne!(next, first, "after {later} later frees");
            assert!(free(next));
        }
        let again: HashSet<_> = (0..2 * REUSE_AFTER_FREES).map(|_| make()).collect();
        assert_eq!(again.len(), 2 * REUSE_AFTER_FREES, "no slot twice");
        assert!(again.into_iter().all(free));
    }

    /// Of two frees one has an effect, in any order of threads.
    #[test]
    fn object_is_freed_once_by_racing_threads() {
        let _alone = ALONE.lock();
        for _ in 0..200 {
            let handle = make().addr();
            let freed: usize = std::thread::scope(|scope| {
                let frees: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(move || free(std::ptr::with_exposed_provenance_mut(handle)))
                    })
                    .collect();
                frees.into_iter().map(|free| usize::from(free.join().expect("no panic"))).sum()
            });
            assert_eq!(freed, 1);
        }
    }

    /// No pointer but that of a live slot of the right kind is a handle.
    #[test]
    fn pointers_that_are_no_handles_are_recognised() {
        let _alone = ALONE.lock();
        let handle = make();
        assert_eq!(status(handle, KIND), ES_OK);
        assert_eq!(status(handle, OTHER_KIND), ES_ERR_BAD_HANDLE);
        let local = 0_u64;
        for wild in [
            std::ptr::null_mut(),
            (&raw const local).cast_mut().cast(),
            handle.wrapping_byte_add(1),
            handle.wrapping_byte_add(size_of::<Slot>() / 2),
            std::ptr::without_provenance_mut(usize::MAX),
        ] {
            assert_eq!(status(wild, KIND), ES_ERR_BAD_HANDLE, "{wild:?}");
            assert!(!free(wild), "{wild:?}");
        }
        assert!(free(handle));
    }
}
