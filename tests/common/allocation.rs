//! Counts the memory that the current thread holds, for tests that bound it.
//!
//! A test binary that uses it names [`Counting`] as its global allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    // Constant and without a destructor, so that the allocator may use them at any time.
    static HELD_BYTES: Cell<isize> = const { Cell::new(0) };
    static PEAK_BYTES: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting for each thread what it took and gave back.
pub struct Counting;

fn count(bytes: isize) {
    let held = HELD_BYTES.get() + bytes;
    HELD_BYTES.set(held);
    PEAK_BYTES.set(PEAK_BYTES.get().max(held));
}

// SAFETY: every call is handed on to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        count(layout.size() as isize);
        // SAFETY: `layout` is the caller's, who promised that its size is not zero.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `place` came from `alloc` above, so from the system, with this same layout.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Measures from its start on, on the thread that started it.
pub struct Meter {
    start_bytes: isize,
}

impl Meter {
    pub fn start() -> Self {
        PEAK_BYTES.set(HELD_BYTES.get());
        Self { start_bytes: HELD_BYTES.get() }
    }

    /// The most that was held at once beyond what was held at the start, in bytes.
    pub fn peak_bytes(&self) -> usize {
        usize::try_from(PEAK_BYTES.get() - self.start_bytes).unwrap_or(0)
    }
}

/// How often the calling thread has asked for memory so far.
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}
