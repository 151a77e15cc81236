//! What the store asks of the operating system: descriptors, directories, file I/O, locks, memory,
//! signals.
//!
//! Every descriptor of the store is made and closed in `descriptor`, so that a forked child can
//! close them all. Besides `ffi` and the queue's slots this is the only `unsafe` code. Nothing
//! here knows runs or entries. Where it is used: the backends, the writer's thread.

#![allow(unsafe_code)]

pub(crate) mod affinity;
pub(crate) mod boot;
pub(crate) mod descriptor;
pub(crate) mod directory;
pub(crate) mod file;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod parallel;
pub(crate) mod signal;
pub(crate) mod thread;
