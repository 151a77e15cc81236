//! Faults planted on purpose, to show that the tests catch them.
//!
//! Only a build with `--cfg es_planted` has any: there, the variable `ES_PLANT` names the one
//! that is active. In every other build the answer is a constant and the check costs nothing.
//! Each stands at the very place of the guarantee that it breaks.

/// Whether the fault of this name is active.
#[cfg(es_planted)]
pub(crate) fn planted(name: &str) -> bool {
    std::env::var("ES_PLANT").is_ok_and(|active| active == name)
}

/// Whether the fault of this name is active: never, in this build.
#[cfg(not(es_planted))]
pub(crate) const fn planted(_name: &str) -> bool {
    false
}
