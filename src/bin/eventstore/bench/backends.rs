//! The backends that are measured: the one place that names them. A new one is one row.

use eventstore::ffi::constants::{
    ES_BACKEND_LOG, ES_BACKEND_MEMORY, ES_BACKEND_REDB, ES_DURABILITY_ONE_PHASE,
    ES_DURABILITY_TWO_PHASE,
};

/// A backend as the C interface numbers it.
#[derive(Debug)]
pub(crate) struct Backend {
    /// The name on the command line and in every row.
    pub(crate) name: &'static str,
    /// `ES_BACKEND_*`.
    pub(crate) code: u32,
    /// Whether its runs are files: they can be opened again, and a flush is what limits them.
    pub(crate) keeps_files: bool,
    /// Whether most goals are about it: measured with all samples, over captures, and opened at
    /// the largest size. What others take to open grows with the run, into minutes.
    pub(crate) has_goals: bool,
    /// The ways of committing that are measured, the default first: `ES_DURABILITY_*`, and how
    /// many flushes a commit then is.
    pub(crate) commits: &'static [(u32, u32)],
}

/// All of them, in the order of the table.
pub(crate) static BACKENDS: &[Backend] = &[
    Backend {
        name: "log",
        code: ES_BACKEND_LOG,
        keeps_files: true,
        has_goals: true,
        commits: &[(0, 1)],
    },
    Backend {
        name: "redb",
        code: ES_BACKEND_REDB,
        keeps_files: true,
        has_goals: false,
        commits: &[(ES_DURABILITY_TWO_PHASE, 2), (ES_DURABILITY_ONE_PHASE, 1)],
    },
    Backend {
        name: "memory",
        code: ES_BACKEND_MEMORY,
        keeps_files: false,
        has_goals: false,
        commits: &[(0, 0)],
    },
];

/// The backend with this name.
pub(crate) fn named(name: &str) -> &'static Backend {
    let found = BACKENDS.iter().find(|backend| backend.name == name);
    found.expect("clap lets only these names through")
}
