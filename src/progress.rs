//! How far a long operation is, told to whoever waits for it.

use std::ops::ControlFlow;

/// How far one run is looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The run, as its file is named.
    pub run_id: String,
    /// Entries done.
    pub entries: u64,
    /// Entries in all, as far as is known.
    pub entries_total: u64,
}

/// Is told now and then; `Break` ends the operation with `Timeout`.
pub type ProgressCallback<'p> = dyn FnMut(&Progress) -> ControlFlow<()> + 'p;

/// Entries between two calls of a progress callback.
pub(crate) const PROGRESS_ENTRIES: u64 = 4096;
