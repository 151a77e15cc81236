//! Which library this is.

use std::ffi::c_char;

use super::constants::ES_ABI_VERSION;

/// Gives the interface version of the library: major << 16 | minor. A program made with the
/// header of another minor version of the same major works.
/// @return compare with ES_ABI_VERSION.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn es_abi_version() -> u32 {
    ES_ABI_VERSION
}

/// Gives the version of the library, such as "0.1.0".
/// @return static text, never NULL.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn es_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
