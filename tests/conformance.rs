//! One list of behaviours, run over every backend. The list: `conformance/mod.rs`.

#[path = "conformance/mod.rs"]
mod behaviour;
mod common;

use common::allocation;

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

behaviours!(as_tests, memory, crate::behaviour::fixture::Memory);
