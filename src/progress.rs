//! How far a long operation is, told to whoever waits for it.

use std::ops::ControlFlow;

use crate::error::{EventStoreError, Result};

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

/// Tells of an operation that goes through the entries of a run several times.
pub(crate) struct Stages<'t> {
    told: Progress,
    entries_each: u64,
    stage: u64,
    tell: Option<&'t mut ProgressCallback<'t>>,
}

impl<'t> Stages<'t> {
    /// About a run of so many entries, each of which is gone through so many times.
    pub(crate) fn new(
        run_id: &str,
        entries_each: u64,
        stages: u64,
        tell: Option<&'t mut ProgressCallback<'t>>,
    ) -> Self {
        let entries_total = entries_each.saturating_mul(stages);
        let told = Progress { run_id: run_id.to_owned(), entries: 0, entries_total };
        Self { told, entries_each, stage: 0, tell }
    }

    /// The next time through begins.
    pub(crate) fn next(&mut self) {
        self.stage += 1;
        self.told.entries = self.stage.saturating_mul(self.entries_each);
    }

    /// What an operation that tells by itself has told.
    pub(crate) fn reached(&mut self, within: &Progress) -> ControlFlow<()> {
        self.told.entries = self.stage.saturating_mul(self.entries_each) + within.entries;
        self.tell_now()
    }

    /// So many more entries are done.
    ///
    /// # Errors
    /// `Timeout` when whoever waits ends it.
    pub(crate) fn add(&mut self, entries: u64) -> Result<()> {
        self.told.entries += entries;
        match self.tell_now() {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(EventStoreError::Timeout),
        }
    }

    fn tell_now(&mut self) -> ControlFlow<()> {
        match &mut self.tell {
            Some(tell) => tell(&self.told),
            None => ControlFlow::Continue(()),
        }
    }
}
