//! What the integration tests share: places on disk, sample runs, and a second statement of
//! FORMAT.md that does not use the crate's own codec.
//!
//! Each test binary includes this folder as a module and uses a part of it.
#![allow(dead_code, unreachable_pub)]

pub mod allocation;
pub mod c_program;
pub mod flow;
pub mod format;
pub mod golden;
pub mod process;
pub mod sample;
pub mod shared;
pub mod temporary;
