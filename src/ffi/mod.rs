//! The C interface: `include/eventstore.h` in Rust.
//!
//! Exported functions convert, call and convert back; they decide nothing. Their comments are
//! written for C readers, because cbindgen copies them into the header. Tables that a macro makes
//! (`status`, `constants`, `layout`) reach the header through `tests/header.rs`. Whoever looks
//! for behaviour goes to `store`, `writer`, `reader` and the operations.
#![allow(unsafe_code, reason = "pointers of the caller; each block says why")]
#![allow(non_camel_case_types, reason = "types carry the names that C sees")]
#![allow(clippy::missing_safety_doc, reason = "the C comment of a function is its contract")]
#![allow(rustdoc::broken_intra_doc_links, reason = "[any thread] is a tag of the C comments")]
#![allow(clippy::doc_lazy_continuation, clippy::doc_overindented_list_items)]
#![allow(clippy::too_many_arguments, reason = "pointer and length are two parameters in C")]

pub mod constants;
pub mod layout;
pub mod status;

pub mod anchor;
pub mod close;
pub mod copy;
pub mod draft;
pub mod error;
pub mod identity;
pub mod index;
pub mod manifest;
pub mod open;
pub mod operate;
pub mod packed;
pub mod read;
pub mod report;
pub mod state;
pub mod submit;
pub mod summary;
pub mod tail;

mod args;
mod fork;
pub mod handle;
mod out;
mod panic;

use panic::guarded;
