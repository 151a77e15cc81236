//! An embedded, append-only, durable event store for trading engines.
//!
//! One *run* is one engine session: [`store::open_run`] creates it, any thread submits to it, one
//! thread inside commits. What was acknowledged survives a kill and a power cut; whatever is read
//! was checked against its hash. Engines outside Rust use the C interface, `include/eventstore.h`.
//!
//! ```
//! use eventstore::backend::Direction;
//! use eventstore::entry::Draft;
//! use eventstore::manifest::RunManifest;
//! use eventstore::reader::Reader;
//! use eventstore::store::{BackendKind, OpenOptions, open_run};
//! use eventstore::writer::{CloseOptions, SubmitOptions};
//!
//! # fn main() -> eventstore::error::Result<()> {
//! let manifest = RunManifest::new("run-1", "engine", 0);
//! let options = OpenOptions { backend: BackendKind::Memory, ..OpenOptions::default() };
//! let run = open_run("runs".as_ref(), &manifest, options)?;
//! let draft = Draft { topic: "orders", payload_type: "text", payload: b"buy 1", ..Draft::default() };
//! let seq = run.submit(&draft, SubmitOptions::default())?; // returns at once
//! run.wait_durable(seq, u64::MAX)?; // from here on it survives
//! let reader = Reader::of(&run)?;
//! run.close(&CloseOptions::default())?;
//! assert_eq!(reader.view().scan_range(1, 1, Direction::Forward)?[0].payload, b"buy 1");
//! # Ok(())
//! # }
//! ```
//!
//! The map, each line seeing only those above it:
//! - [`entry`], [`headers`], [`index`], [`manifest`], [`snapshot`], [`error`], [`limits`]: the domain
//! - [`codec`], [`hash`], [`digest`]: bytes and checks
//! - [`backend`]: what a backend promises, and the backends
//! - [`writer`], [`reader`]: one run; [`verifier`], [`recovery`], [`salvage`], [`convert`],
//!   [`retention`], [`catalogue`]: what an operator does with many
//! - [`store`]: opens runs; the one place that names the backends
//! - [`ffi`]: the C interface
#![deny(unsafe_code)]

pub mod backend;
pub mod catalogue;
pub mod codec;
pub mod convert;
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
