//! The hand-off between producers, the writer and waiters: every shared word of a run.
//!
//! These modules decide nothing about files. They are the ones that a model checker runs through
//! all thread interleavings (`tests/model`), in the very source that ships: whatever they need of
//! atomics, locks and cells comes through [`sync`], which `--cfg loom` exchanges.
//!
//! The order of one submit, cited by number elsewhere:
//! 1. [`room`] is reserved, so that a slot of [`ring`] is known to be free (both in [`queue`]);
//! 2. one compare-and-swap on [`claim`] fixes the `seq`, and refuses when closed or halted;
//! 3. the slot is published with a release store;
//! 4. [`doorbell`] is rung, only if the writer has parked.
//!
//! And of one commit: 5. the backend says durable; 6. the room is given back; 7. [`watermark`]
//! moves and all waiters wake.

#![allow(unsafe_code)] // in `queue` and `ring` alone, see tests/tidy.rs

pub(crate) mod claim;
pub(crate) mod close;
pub(crate) mod doorbell;
pub(crate) mod halt;
pub(crate) mod queue;
pub(crate) mod ring;
pub(crate) mod room;
pub(crate) mod signal;
pub(crate) mod sync;
pub(crate) mod watermark;
