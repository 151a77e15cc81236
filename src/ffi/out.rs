//! Memory out: the caller's structs, arrays, arenas and buffers.
//!
//! Everything is checked before the work and written after it, byte by byte and never read back,
//! so that alignment and overlap of the caller's memory cannot harm the library.

use std::ffi::{c_char, c_void};
use std::marker::PhantomData;
use std::path::Path;

use super::args::{self, check_size, check_stride};
use super::error::Refusal;
use super::layout::Plain;
use super::manifest::es_string;
use crate::planted::planted;

/// Refuses NULL where the answer goes.
pub(super) fn check<T>(field: &'static str, target: *mut T) -> Result<(), Refusal> {
    if target.is_null() { Err(Refusal::null(field)) } else { Ok(()) }
}

/// Sets an out-handle to NULL, so that it is NULL whatever fails from here on.
///
/// # Safety
/// `target` is NULL or writable for a pointer.
pub(super) unsafe fn clear_handle<T>(
    field: &'static str,
    target: *mut *mut T,
) -> Result<(), Refusal> {
    check(field, target)?;
    // SAFETY: not NULL, so writable.
    unsafe { put(target, std::ptr::null_mut()) };
    Ok(())
}

/// Writes an answer.
///
/// # Safety
/// `target` is writable for a `T`, with any alignment.
pub(super) unsafe fn put<T: Copy>(target: *mut T, value: T) {
    // SAFETY: handed down from the caller.
    unsafe { target.write_unaligned(value) }
}

/// Writes an answer that the caller may not want.
///
/// # Safety
/// `target` is NULL or writable for a `T`, with any alignment.
pub(super) unsafe fn put_unless_null<T: Copy>(target: *mut T, value: T) {
    if !target.is_null() {
        // SAFETY: not NULL, so writable.
        unsafe { put(target, value) };
    }
}

/// Sets a struct up for `es_init_x`: zeros, its size, and what `defaults` adds.
///
/// # Safety
/// `target` is NULL or writable for `size` bytes.
pub(super) unsafe fn init<T: Plain>(
    target: *mut T,
    size: usize,
    defaults: impl FnOnce(&mut T),
) -> Result<(), Refusal> {
    // SAFETY: handed down from the caller; NULL options are all zero.
    unsafe {
        let out = Out::accompanied("struct", target, size)?;
        let mut fresh: T = args::options("struct", std::ptr::null())?;
        defaults(&mut fresh);
        Out { states_size: true, ..out }.put(fresh);
    }
    Ok(())
}

/// A struct of the caller, checked, to be written at the end.
pub(super) struct Out<T> {
    target: *mut u8,
    size: usize,
    states_size: bool,
    kind: PhantomData<T>,
}

impl<T: Plain> Out<T> {
    /// One that states its own size.
    ///
    /// # Safety
    /// `target` is NULL or writable for the size that its first four bytes state, for as long as
    /// the result lives.
    pub(super) unsafe fn sized(field: &'static str, target: *mut T) -> Result<Self, Refusal> {
        check(field, target)?;
        // SAFETY: not NULL, so its first four bytes state the size that is writable.
        unsafe {
            let size = target.cast::<u32>().read_unaligned() as usize;
            let out = Self::accompanied(field, target, size)?;
            Ok(Self { states_size: true, ..out })
        }
    }

    /// One that states its own size, or NULL where the caller does not want it.
    ///
    /// # Safety
    /// As for [`Out::sized`].
    pub(super) unsafe fn sized_unless_null(
        field: &'static str,
        target: *mut T,
    ) -> Result<Self, Refusal> {
        if target.is_null() {
            return Ok(Self {
                target: target.cast(),
                size: 0,
                states_size: false,
                kind: PhantomData,
            });
        }
        // SAFETY: handed down from the caller.
        unsafe { Self::sized(field, target) }
    }

    /// One that comes with its size.
    ///
    /// # Safety
    /// `target` is NULL or writable for `size` bytes, for as long as the result lives.
    pub(super) unsafe fn accompanied(
        field: &'static str,
        target: *mut T,
        size: usize,
    ) -> Result<Self, Refusal> {
        check(field, target)?;
        check_size::<T>(field, size)?;
        Ok(Self { target: target.cast(), size, states_size: false, kind: PhantomData })
    }

    /// Writes the smaller of the two sizes and zeros behind it.
    pub(super) fn put(self, value: T) {
        if self.target.is_null() {
            return;
        }
        // SAFETY: writable for `size` bytes, as the constructor was promised; four of them, where
        // the struct states its size.
        unsafe {
            write_element(self.target, self.size, &value);
            if self.states_size {
                self.target.cast::<u32>().write_unaligned(self.size as u32);
            }
        }
    }
}

/// Writes a struct into `size` bytes: as much of it as fits, zeros behind it.
///
/// # Safety
/// `target` is writable for `size` bytes.
unsafe fn write_element<T: Plain>(target: *mut u8, size: usize, value: &T) {
    let known = if planted("ignore_size") { size_of::<T>() } else { size.min(size_of::<T>()) };
    // SAFETY: both parts lie within `size`; `value` is our own memory, and by `Plain` all of its
    // bytes are initialised.
    unsafe {
        std::ptr::copy_nonoverlapping((&raw const *value).cast(), target, known);
        target.add(known).write_bytes(0, size.saturating_sub(known));
    }
}

/// The caller's array of rows, and how many are filled.
pub(super) struct Rows {
    target: *mut u8,
    stride: usize,
    cap: usize,
    used: usize,
}

impl Rows {
    /// Checks the array; `limit` 0 means none but `cap`.
    ///
    /// # Safety
    /// `target` is NULL or writable for `cap` elements of `stride` bytes, for as long as the
    /// result lives.
    pub(super) unsafe fn new<T: Plain>(
        field: &'static str,
        target: *mut T,
        stride: usize,
        cap: usize,
        limit: u64,
    ) -> Result<Self, Refusal> {
        check(field, target)?;
        check_stride::<T>(stride, cap)?;
        if cap == 0 {
            return Err(Refusal::invalid(field, "a capacity of 0 rows leaves no room"));
        }
        let limit = if limit == 0 { usize::MAX } else { limit.try_into().unwrap_or(usize::MAX) };
        Ok(Self { target: target.cast(), stride, cap: cap.min(limit), used: 0 })
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn is_full(&self) -> bool {
        self.used == self.cap
    }

    /// How many more rows fit.
    pub(super) fn left(&self) -> u64 {
        (self.cap - self.used) as u64
    }

    /// Fills the next row.
    pub(super) fn push<T: Plain>(&mut self, row: T) {
        assert!(!self.is_full(), "row {} of {}", self.used, self.cap);
        // SAFETY: `used` is below the capacity, so the element is writable for `stride` bytes.
        unsafe { write_element(self.target.add(self.used * self.stride), self.stride, &row) };
        self.used += 1;
    }
}

/// The caller's arena, and how far it is filled.
pub(super) struct Arena {
    start: *mut u8,
    cap: usize,
    used: usize,
}

impl Arena {
    /// Payloads start at a multiple of this, so that an aligned arena gives aligned payloads.
    pub(super) const PAYLOAD_ALIGN_BYTES: usize = 8;

    /// Checks an arena.
    ///
    /// # Safety
    /// `start` is NULL or writable for `cap` bytes, for as long as the result lives.
    pub(super) unsafe fn new(
        field: &'static str,
        start: *mut c_void,
        cap: usize,
    ) -> Result<Self, Refusal> {
        if start.is_null() && cap > 0 {
            return Err(Refusal::null(field));
        }
        let overstated = planted("arena_overflow") && !start.is_null();
        let cap = if overstated { cap + 64 } else { cap };
        Ok(Self { start: start.cast(), cap: cap.min(isize::MAX as usize), used: 0 })
    }

    pub(super) fn cap(&self) -> usize {
        self.cap
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn set_used(&mut self, used: usize) {
        self.used = used;
    }

    /// Copies bytes to an offset; the caller has seen that they fit.
    pub(super) fn copy(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset.checked_add(bytes.len()).expect("lengths of memory that exists");
        assert!(end <= self.cap, "byte {end} of an arena of {}", self.cap);
        if bytes.is_empty() {
            return;
        }
        // SAFETY: offset and length lie within the `cap` writable bytes; `bytes` is the library's
        // memory, which no arena of the caller can overlap.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(offset), bytes.len());
        }
    }

    /// Copies a text and its NUL.
    pub(super) fn copy_text(&mut self, offset: usize, text: &str) {
        self.copy(offset, text.as_bytes());
        self.copy(offset + text.len(), &[0]);
    }
}

/// An arena that is filled with pointers into itself.
pub(super) struct Shelf {
    arena: Arena,
}

/// An array on a shelf: where it starts, or NULL when it is empty.
#[derive(Clone, Copy)]
pub(super) struct Array<T> {
    offset: usize,
    pointer: *const T,
}

impl<T> Array<T> {
    pub(super) fn pointer(self) -> *const T {
        self.pointer
    }
}

impl Shelf {
    /// What arrays are aligned to.
    pub(super) const ALIGN_BYTES: usize = 8;

    /// Checks an arena.
    ///
    /// # Safety
    /// As for [`Arena::new`].
    pub(super) unsafe fn new(
        field: &'static str,
        start: *mut c_void,
        cap: usize,
    ) -> Result<Self, Refusal> {
        // SAFETY: handed down from the caller.
        Ok(Self { arena: unsafe { Arena::new(field, start, cap) }? })
    }

    /// What a text takes up.
    pub(super) fn text_bytes(text: &str) -> usize {
        text.len() + 1
    }

    /// Tells the caller what is needed, and refuses an arena that is smaller.
    ///
    /// # Safety
    /// `needed` is NULL or writable.
    pub(super) unsafe fn require(
        &self,
        required: usize,
        needed: *mut usize,
    ) -> Result<(), Refusal> {
        // SAFETY: handed down from the caller.
        unsafe { put_unless_null(needed, required) };
        if self.arena.cap() < required {
            return Err(Refusal::TooSmall { field: "arena", required });
        }
        Ok(())
    }

    /// Sets an aligned array aside.
    pub(super) fn array<T>(&mut self, count: usize) -> Array<T> {
        if count == 0 {
            return Array { offset: 0, pointer: std::ptr::null() };
        }
        let address = self.arena.start.addr() + self.arena.used();
        let offset = self.arena.used() + address.next_multiple_of(Self::ALIGN_BYTES) - address;
        let end = offset + count * size_of::<T>();
        assert!(end <= self.arena.cap(), "byte {end} of an arena of {}", self.arena.cap());
        self.arena.set_used(end);
        Array { offset, pointer: self.arena.start.wrapping_add(offset).cast() }
    }

    /// Fills one element of an array.
    pub(super) fn set<T: Plain>(&mut self, array: Array<T>, index: usize, value: T) {
        // SAFETY: the bytes of a `Plain` value are all initialised.
        let bytes =
            unsafe { std::slice::from_raw_parts((&raw const value).cast::<u8>(), size_of::<T>()) };
        self.arena.copy(array.offset + index * size_of::<T>(), bytes);
    }

    /// Puts a text down; none is NULL.
    pub(super) fn text(&mut self, text: Option<&str>) -> es_string {
        let Some(text) = text else {
            return es_string { data: std::ptr::null(), len: 0 };
        };
        let offset = self.arena.used();
        self.arena.copy_text(offset, text);
        self.arena.set_used(offset + Self::text_bytes(text));
        es_string { data: self.arena.start.wrapping_add(offset).cast(), len: text.len() }
    }
}

/// Writes a path, or the empty text for none, NUL-terminated.
///
/// # Safety
/// `target` is NULL or writable for `cap` bytes, `needed` is NULL or writable.
pub(super) unsafe fn path(
    field: &'static str,
    path: Option<&Path>,
    target: *mut c_char,
    cap: usize,
    needed: *mut usize,
) -> Result<(), Refusal> {
    let text = path.map_or("".into(), |path| path.to_string_lossy());
    // SAFETY: handed down from the caller; the first byte lies within a capacity above 0.
    unsafe {
        let mut arena = Arena::new(field, target.cast(), cap)?;
        let required = text.len() + 1;
        put_unless_null(needed, required);
        if arena.cap() < required {
            if arena.cap() > 0 {
                arena.copy(0, &[0]);
            }
            return Err(Refusal::TooSmall { field, required });
        }
        arena.copy_text(0, &text);
    }
    Ok(())
}
