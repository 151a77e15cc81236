//! Runs the writer's hand-off through all thread interleavings that a bound of preemptions allows.
//!
//! The modules are included from `src/writer/handoff`, the very files that ship. Each model holds
//! for every execution, and each is shown to be able to fail: with a fault planted in the shipped
//! source, it must.

#[path = "../../../src/limits.rs"]
#[allow(dead_code, reason = "only one bound is needed here")]
mod limits;

/// What the shipped modules call `crate::writer::handoff`.
#[path = "../../../src/writer/handoff/mod.rs"]
#[allow(dead_code, reason = "the model has no use for every method")]
mod handoff;

mod planted {
    //! The faults of `src/planted.rs`, always there in this crate, chosen by `ES_PLANT`.

    use std::sync::OnceLock;

    pub(crate) fn planted(name: &str) -> bool {
        static ACTIVE: OnceLock<String> = OnceLock::new();
        ACTIVE.get_or_init(|| std::env::var("ES_PLANT").unwrap_or_default()) == name
    }
}

#[cfg(test)]
mod models;
