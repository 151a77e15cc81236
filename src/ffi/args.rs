//! Pointers in: what the caller hands over, checked before it is looked at.
//!
//! Lengths are bounded before bytes are read, sizes before structs, counts before arrays. Structs
//! are copied out once, whatever their alignment. What a value means is for whoever asked.

use std::borrow::Cow;
use std::ffi::{c_char, c_void};

use super::constants::{ES_ABI_VERSION, ES_NTS, ES_POLL};
use super::error::Refusal;
use super::layout::Plain;
use super::status::*;
use crate::error::EventStoreError;

/// Longest path, in bytes; the operating system's bound without its NUL.
pub(super) const PATH_BYTES_MAX: usize = 4095;
/// Longest key that a read may name, in bytes: far more than writers take and than an entry can
/// record. Views copy the key where nothing may fail, so it must be small as well.
pub(super) const READ_KEY_BYTES_MAX: usize = 1 << 20;
/// Largest size that a struct may claim; one page, as the kernel has it.
pub(super) const STRUCT_BYTES_MAX: usize = 4096;

/// The bytes of a text, not yet known to be UTF-8. With `ES_NTS` no byte beyond `bytes_max` is
/// looked at.
///
/// # Safety
/// `data` is NULL, or readable for `len` bytes, or with `ES_NTS` up to its NUL.
#[inline]
pub(super) unsafe fn text_bytes<'a>(
    field: &'static str,
    data: *const c_char,
    len: usize,
    bytes_max: usize,
) -> Result<&'a [u8], Refusal> {
    let len = match len {
        // SAFETY: not NULL, so readable up to its NUL.
        ES_NTS if !data.is_null() => match unsafe { bounded_len(data, bytes_max) } {
            Some(len) => len,
            None => return Err(too_long(field, format_args!("more than {bytes_max}"), bytes_max)),
        },
        given => given,
    };
    // SAFETY: handed down from the caller.
    unsafe { bytes(field, data.cast(), len, bytes_max) }
}

/// Bytes of a given length.
///
/// # Safety
/// `data` is NULL or readable for `len` bytes.
#[inline]
pub(super) unsafe fn bytes<'a>(
    field: &'static str,
    data: *const c_void,
    len: usize,
    bytes_max: usize,
) -> Result<&'a [u8], Refusal> {
    if data.is_null() {
        return if len == 0 { Ok(&[]) } else { Err(Refusal::null(field)) };
    }
    if len > bytes_max {
        return Err(too_long(field, format_args!("{len}"), bytes_max));
    }
    // SAFETY: not NULL and readable for `len` bytes, which `bytes_max` keeps below isize::MAX.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

/// A text: the same, and UTF-8.
///
/// # Safety
/// As for [`text_bytes`].
pub(super) unsafe fn text<'a>(
    field: &'static str,
    data: *const c_char,
    len: usize,
    bytes_max: usize,
) -> Result<&'a str, Refusal> {
    // SAFETY: handed down from the caller.
    let bytes = unsafe { text_bytes(field, data, len, bytes_max) }?;
    std::str::from_utf8(bytes).map_err(|error| {
        let reason = format!("is not UTF-8 from byte {}", error.valid_up_to());
        Refusal::call(ES_ERR_INVALID_UTF8, field, reason)
    })
}

/// A path: a text without NUL.
///
/// # Safety
/// As for [`text_bytes`].
pub(super) unsafe fn path<'a>(
    field: &'static str,
    data: *const c_char,
    len: usize,
) -> Result<&'a str, Refusal> {
    // SAFETY: handed down from the caller.
    let path = unsafe { text(field, data, len, PATH_BYTES_MAX) }?;
    if path.is_empty() {
        return Err(Refusal::invalid(field, "is empty"));
    }
    if path.contains('\0') {
        return Err(Refusal::invalid(field, "contains a NUL byte"));
    }
    Ok(path)
}

/// A copy of a text, or out of memory.
pub(super) fn owned(text: &str) -> Result<String, Refusal> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len()).map_err(|_| EventStoreError::OutOfMemory)?;
    copy.push_str(text);
    Ok(copy)
}

/// An empty list with room for what a caller's array holds; the array is checked.
pub(super) fn list_for<T, R>(
    field: &'static str,
    items: *const T,
    count: usize,
    count_max: usize,
) -> Result<Vec<R>, Refusal> {
    if count > count_max {
        let reason = format!("{count} items, allowed are at most {count_max}");
        return Err(Refusal::invalid(field, reason));
    }
    if items.is_null() && count > 0 {
        return Err(Refusal::null(field));
    }
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| EventStoreError::OutOfMemory)?;
    Ok(list)
}

/// Checks the shape of an array of structs: stride, count, extent.
pub(super) fn check_array<T: Plain>(
    field: &'static str,
    items: *const T,
    stride: usize,
    count: usize,
    count_max: usize,
) -> Result<(), Refusal> {
    if count > count_max {
        let reason = format!("{count} {field}, allowed are at most {count_max}");
        return Err(Refusal::invalid("count", reason));
    }
    if count == 0 {
        return Ok(());
    }
    if items.is_null() {
        return Err(Refusal::null(field));
    }
    check_stride::<T>(stride, count)
}

/// Checks that an array's elements hold the struct, and that its end is addressable.
pub(super) fn check_stride<T: Plain>(stride: usize, count: usize) -> Result<(), Refusal> {
    if stride < T::LEAST_BYTES {
        let reason = format!("{stride} bytes, at least {} are needed", T::LEAST_BYTES);
        return Err(Refusal::call(ES_ERR_STRUCT_SIZE, "stride", reason));
    }
    match stride.checked_mul(count) {
        Some(extent) if extent <= isize::MAX as usize => Ok(()),
        _ => {
            let reason = format!("{count} times a stride of {stride} bytes is no array");
            Err(Refusal::invalid("stride", reason))
        }
    }
}

/// An element of an array whose stride was checked; what its struct lacks is zero.
///
/// # Safety
/// `item` is readable for `stride` bytes.
pub(super) unsafe fn item<T: Plain>(item: *const u8, stride: usize) -> T {
    // SAFETY: readable for `stride` bytes, of which no more than the struct's are read.
    unsafe { copy_in(item, stride.min(size_of::<T>())) }
}

/// A struct that states its own size; NULL is not allowed.
///
/// # Safety
/// `given` is NULL or readable for the size that its first four bytes state.
#[inline]
pub(super) unsafe fn required<T: Plain>(
    field: &'static str,
    given: *const T,
) -> Result<T, Refusal> {
    if given.is_null() {
        return Err(Refusal::null(field));
    }
    // SAFETY: not NULL, so readable for its own size, which stands in the first four bytes.
    unsafe {
        let size = given.cast::<u32>().read_unaligned() as usize;
        single(field, given, size)
    }
}

/// A struct that states its own size; NULL means the defaults.
///
/// # Safety
/// As for [`required`].
#[inline]
pub(super) unsafe fn options<T: Plain>(field: &'static str, given: *const T) -> Result<T, Refusal> {
    if given.is_null() {
        // SAFETY: no byte is read; all zero is the defaults.
        return Ok(unsafe { copy_in(std::ptr::null(), 0) });
    }
    // SAFETY: handed down from the caller.
    unsafe { required(field, given) }
}

/// A struct that comes with its size, by the rule of openat2: a missing tail is zero, and what
/// lies behind the struct that this library knows must be zero.
///
/// # Safety
/// `given` is NULL or readable for `size` bytes.
#[inline]
pub(super) unsafe fn single<T: Plain>(
    field: &'static str,
    given: *const T,
    size: usize,
) -> Result<T, Refusal> {
    if given.is_null() {
        return Err(Refusal::null(field));
    }
    check_size::<T>(field, size)?;
    let start = given.cast::<u8>();
    for at in size_of::<T>()..size {
        // SAFETY: `at` is below `size`.
        if unsafe { start.add(at).read() } != 0 {
            let reason = format!("byte {at} is set, this library knows {} bytes", size_of::<T>());
            return Err(unsupported(field, reason));
        }
    }
    // SAFETY: readable for `size` bytes, of which no more than the struct's are read.
    Ok(unsafe { copy_in(start, size.min(size_of::<T>())) })
}

/// Checks the size that a caller gives for a struct.
#[inline]
pub(super) fn check_size<T: Plain>(field: &'static str, size: usize) -> Result<(), Refusal> {
    if (T::LEAST_BYTES..=STRUCT_BYTES_MAX).contains(&size) {
        return Ok(());
    }
    Err(impossible_size(field, size, T::LEAST_BYTES))
}

#[cold]
fn impossible_size(field: &'static str, size: usize, least_bytes: usize) -> Refusal {
    let reason = format!(
        "a struct of {size} bytes, allowed are {least_bytes} to {STRUCT_BYTES_MAX}: was it \
         initialised?"
    );
    Refusal::call(ES_ERR_STRUCT_SIZE, field, reason)
}

/// # Safety
/// `start` is readable for `len` bytes, and `len` is at most the size of `T`.
#[inline]
unsafe fn copy_in<T: Plain>(start: *const u8, len: usize) -> T {
    let mut copy = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: `len` bytes are readable at `start` and fit the copy, which is our own; by `Plain`
    // any bytes are a value.
    unsafe {
        std::ptr::copy_nonoverlapping(start, copy.as_mut_ptr().cast(), len);
        copy.assume_init()
    }
}

/// Refuses flags that this library does not know.
#[inline]
pub(super) fn known_flags(field: &'static str, flags: u32, known: u32) -> Result<(), Refusal> {
    match flags & !known {
        0 => Ok(()),
        unknown => Err(unsupported(field, format!("{unknown:#x} is not known to this library"))),
    }
}

/// Refuses what stands in a reserved field.
#[inline]
pub(super) fn reserved(field: &'static str, values: &[u64]) -> Result<(), Refusal> {
    if values.iter().all(|value| *value == 0) {
        return Ok(());
    }
    Err(unsupported(field, "must be zero for this library"))
}

#[cold]
fn unsupported(field: &'static str, reason: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::call(ES_ERR_UNSUPPORTED_FIELD, field, reason)
}

/// A number that names nothing.
pub(super) fn unknown(field: &'static str, value: u32) -> Refusal {
    Refusal::invalid(field, format!("{value} is none of the documented values"))
}

/// Checks the version handshake of options.
pub(super) fn check_abi(abi_version: u32) -> Result<(), Refusal> {
    if abi_version != 0 && abi_version >> 16 == ES_ABI_VERSION >> 16 {
        return Ok(());
    }
    let reason = format!("{abi_version:#x} from the header, the library is {ES_ABI_VERSION:#x}");
    Err(Refusal::call(ES_ERR_ABI_MISMATCH, "options.abi_version", reason))
}

/// A timeout inside a struct: 0 is the default, `ES_POLL` polls.
pub(super) fn timeout_ns(given: u64, default_ns: u64) -> u64 {
    match given {
        0 => default_ns,
        ES_POLL => 0,
        set => set,
    }
}

/// The length of a NUL-terminated text, `None` when it is longer than `bytes_max`.
///
/// # Safety
/// `data` is readable up to its NUL.
unsafe fn bounded_len(data: *const c_char, bytes_max: usize) -> Option<usize> {
    // SAFETY: strnlen reads up to the NUL and never more than the bound.
    let len = unsafe { libc::strnlen(data, bytes_max + 1) };
    (len <= bytes_max).then_some(len)
}

#[cold]
fn too_long(field: &'static str, found: std::fmt::Arguments<'_>, bytes_max: usize) -> Refusal {
    Refusal::invalid(field, format!("{found} bytes, allowed are at most {bytes_max}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::submit::es_submit_options;

    const KNOWN: usize = size_of::<es_submit_options>();

    fn read(bytes: &[u8], size: usize) -> Result<es_submit_options, Refusal> {
        // SAFETY: every test gives at least `size` bytes, or a size that is refused unread.
        unsafe { single("options", bytes.as_ptr().cast(), size) }
    }

    /// A caller of an older header gives fewer bytes; the rest is zero.
    #[test]
    fn smaller_struct_reads_as_zero_behind_its_end() {
        let mut bytes = [0xff_u8; KNOWN];
        bytes[..24].fill(1);
        let options = read(&bytes, 24).expect("24 bytes are what 0.1 needs");
        assert_eq!(options.timeout_ns, 0x0101_0101_0101_0101);
        assert_eq!(options.reserved, [0; 2]);
    }

    /// A caller of a newer header may give more bytes as long as they say nothing.
    #[test]
    fn larger_struct_is_accepted_while_its_tail_is_zero() {
        let mut bytes = [0_u8; KNOWN + 8];
        assert_eq!(read(&bytes, KNOWN + 8).map(|options| options.expected_seq).ok(), Some(0));
        bytes[KNOWN + 7] = 1;
        let refused = read(&bytes, KNOWN + 8).err().expect("a field of a newer header is set");
        assert_eq!(refused.status(), ES_ERR_UNSUPPORTED_FIELD);
    }

    /// Sizes that no header can have are refused before a byte is read.
    #[test]
    fn impossible_sizes_are_refused() {
        for size in [0, 1, 23, STRUCT_BYTES_MAX + 1, usize::MAX] {
            let refused = read(&[], size).err().expect("impossible");
            assert_eq!(refused.status(), ES_ERR_STRUCT_SIZE, "size {size}");
        }
    }

    /// The scan for a NUL stops one byte behind the bound.
    #[test]
    fn unterminated_text_is_refused_at_its_bound() {
        let text = [b'a'; 9];
        // SAFETY: nine bytes are readable, and a bound of 8 looks at no more.
        let read = |bound| unsafe { text_bytes("topic", text.as_ptr().cast(), ES_NTS, bound) };
        assert_eq!(read(8).expect_err("too long").status(), ES_ERR_INVALID_ARGUMENT);
    }
}
