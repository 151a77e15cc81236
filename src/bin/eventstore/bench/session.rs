//! One call of `bench`: what was asked for, what is written, and the rows so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arguments::Bench;
use super::backends::Backend;
use super::fill::Filling;
use super::folder::WorkFolder;
use super::frames::{self, Pieces};
use super::goals::CAPTURES;
use super::pool::{Pool, Shapes};
use super::row::{Row, Unit};
use crate::failure::Failure;
use crate::screen::Screen;

/// Everything that the measurements share.
pub(crate) struct Session<'a> {
    pub(crate) arguments: &'a Bench,
    pub(crate) shapes: &'a Shapes,
    pub(crate) folder: WorkFolder,
    pub(crate) rows: Vec<Row>,
    /// Why rows are not there that were asked for, by `what of backend`.
    pub(crate) not_measured: BTreeMap<String, String>,
    /// What processes said that filled a run of a backend and of so many entries.
    pub(crate) fillings: BTreeMap<(&'static str, u64), Filling>,
    printed: usize,
}

/// Entries whose frames and preimages the limits go over, again and again.
const LIMIT_ENTRIES: usize = 20_000;

impl<'a> Session<'a> {
    pub(crate) fn new(arguments: &'a Bench, shapes: &'a Shapes, folder: WorkFolder) -> Self {
        Self {
            arguments,
            shapes,
            folder,
            rows: Vec::new(),
            not_measured: BTreeMap::new(),
            fillings: BTreeMap::new(),
            printed: 0,
        }
    }

    /// A row about a backend, to be completed; it carries the name of what entries are made of.
    pub(crate) fn row(&self, what: &str, backend: &'static str, unit: Unit) -> Row {
        let more = if self.shapes.are_captures() { CAPTURES } else { "" };
        Row {
            what: format!("{what}{more}"),
            backend,
            batch: 1,
            payload: self.shapes.payload_bytes(),
            entries: 1,
            value: 0.0,
            unit,
            limit: "".into(),
            limit_value: 0.0,
            ratio_to_limit: 0.0,
            peers: BTreeMap::new(),
            interval: None,
            remark: None,
            flaw: None,
        }
    }

    /// Notes why these rows of a backend are not there.
    pub(crate) fn cannot_measure(&mut self, names: &[&str], backend: &str, reason: &str) {
        for name in names {
            self.not_measured.insert(format!("{name} of {backend}"), reason.to_owned());
        }
    }

    /// The backends that take part. Captures are measured over those that goals name.
    pub(crate) fn backends(&self) -> Vec<&'static Backend> {
        let mut backends = self.arguments.backends();
        backends.retain(|backend| backend.has_goals || !self.shapes.are_captures());
        backends
    }

    /// Entries to be written, at most so many.
    pub(crate) fn pool(&self, most: usize) -> Pool<'a> {
        Pool::new(self.shapes, most.min(self.arguments.entries as usize).max(1))
    }

    /// What the raw loop writes: at least a group of `batch`.
    pub(crate) fn frames(&self, batch: usize) -> Arc<Pieces> {
        let count = LIMIT_ENTRIES.max(batch);
        Arc::new(frames::frames(&Pool::new(self.shapes, count), count))
    }

    /// What the entry hashes are made of.
    pub(crate) fn preimages(&self) -> Arc<Pieces> {
        Arc::new(frames::preimages(&Pool::new(self.shapes, LIMIT_ENTRIES), LIMIT_ENTRIES))
    }

    /// Removes what the last measurement wrote, between two of them.
    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        self.folder.clear()
    }

    /// Prints the rows that are new as JSON. That nobody reads them ends the measuring, unless a
    /// report was asked for besides.
    pub(crate) fn print(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        let new = self.printed..self.rows.len();
        self.printed = self.rows.len();
        if !self.arguments.json {
            return Ok(());
        }
        match print_rows(&self.rows[new], screen) {
            Err(Failure::OutputClosed) if self.arguments.report.is_some() => Ok(()),
            printed => printed,
        }
    }
}

fn print_rows(rows: &[Row], screen: &mut Screen) -> Result<(), Failure> {
    for row in rows {
        screen.json(row)?;
    }
    screen.flush()?;
    Ok(())
}
