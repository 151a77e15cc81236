//! One call of `bench`: what was asked for, what is written, and the rows so far.

use std::rc::Rc;

use super::arguments::Bench;
use super::folder::WorkFolder;
use super::frames::{self, Pieces};
use super::pool::{Pool, Shapes};
use super::row::Row;
use crate::failure::Failure;
use crate::screen::Screen;

/// Everything that the measurements share.
pub(crate) struct Session<'a> {
    pub(crate) arguments: &'a Bench,
    pub(crate) shapes: &'a Shapes,
    pub(crate) folder: WorkFolder,
    pub(crate) rows: Vec<Row>,
    printed: usize,
}

/// Entries whose frames and preimages the limits go over, again and again.
const LIMIT_ENTRIES: usize = 20_000;

impl<'a> Session<'a> {
    pub(crate) fn new(arguments: &'a Bench, shapes: &'a Shapes, folder: WorkFolder) -> Self {
        Self { arguments, shapes, folder, rows: Vec::new(), printed: 0 }
    }

    /// Entries to be written, at most so many.
    pub(crate) fn pool(&self, most: usize) -> Pool<'a> {
        Pool::new(self.shapes, most.min(self.arguments.entries as usize).max(1))
    }

    /// What the raw loop writes: at least a group of `batch`.
    pub(crate) fn frames(&self, batch: usize) -> Rc<Pieces> {
        let count = LIMIT_ENTRIES.max(batch);
        Rc::new(frames::frames(&Pool::new(self.shapes, count), count))
    }

    /// What the entry hashes are made of.
    pub(crate) fn preimages(&self) -> Rc<Pieces> {
        Rc::new(frames::preimages(&Pool::new(self.shapes, LIMIT_ENTRIES), LIMIT_ENTRIES))
    }

    /// Removes what the last measurement wrote, between two of them.
    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        self.folder.clear()
    }

    /// Prints the rows that are new as JSON.
    pub(crate) fn print(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        if self.arguments.json {
            for row in &self.rows[self.printed..] {
                screen.json(row)?;
            }
            screen.flush()?;
        }
        self.printed = self.rows.len();
        Ok(())
    }
}
