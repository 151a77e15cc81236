//! eventstore: the authoritative, durable log of one trading engine session.
#![deny(unsafe_code)]

pub mod backend;
pub mod catalogue;
pub mod codec;
pub mod digest;
pub mod entry;
pub mod error;
pub mod ffi;
pub mod hash;
pub mod headers;
pub mod index;
pub mod limits;
pub mod manifest;
mod planted;
mod platform;
pub mod progress;
pub mod reader;
pub mod recovery;
pub mod retention;
pub mod salvage;
pub mod snapshot;
pub mod store;
pub mod verifier;
pub mod writer;
