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
const PROGRESS_ENTRIES: u64 = 4096;

/// Tells whoever waits, if anybody does.
pub(crate) struct Teller<'t> {
    told: Progress,
    tell: Option<&'t mut ProgressCallback<'t>>,
}

impl<'t> Teller<'t> {
    /// About one run of so many entries.
    pub(crate) fn new(
        run_id: &str,
        entries_total: u64,
        tell: Option<&'t mut ProgressCallback<'_>>,
    ) -> Self {
        let told = Progress { run_id: run_id.to_owned(), entries: 0, entries_total };
        Self { told, tell: tell.map(|tell| tell as &mut ProgressCallback<'t>) }
    }

    /// Another entry is done.
    pub(crate) fn add_entry(&mut self) -> ControlFlow<()> {
        self.told.entries += 1;
        match &mut self.tell {
            Some(tell) if self.told.entries.is_multiple_of(PROGRESS_ENTRIES) => tell(&self.told),
            _ => ControlFlow::Continue(()),
        }
    }
}
