//! A run being written, as a side: appends that wait, or submits that do not.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::backends::Backend;
use super::exported::{Drafts, Run, RunOptions};
use super::pairs::{Sample, Side};
use super::pool::Pool;
use super::session::Session;
use crate::failure::Failure;

/// How batches are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// One batch after another is durable before the next is handed over.
    Closed,
    /// All are handed over, then the last is waited for; a commit is one batch.
    Pipelined,
}

/// A run with batches to be written to it.
pub(crate) struct Writing<'a> {
    options: RunOptions,
    base: PathBuf,
    run: Option<Run>,
    runs: u32,
    /// Entries in the run that is open.
    written: u64,
    /// A run that holds so many is left for a new one, between slices.
    entries_max: u64,
    pool: Pool<'a>,
    batch: usize,
    style: Style,
}

/// Most batches, and most entries, that are made ready for a slice.
const SLICE_BATCHES_MAX: usize = 4_000;
const SLICE_ENTRIES_MAX: usize = 200_000;

/// How many entries are made ready for a slice of such batches.
pub(crate) fn slice_entries(batch: usize) -> usize {
    (SLICE_BATCHES_MAX * batch).min(SLICE_ENTRIES_MAX).max(batch)
}

impl<'a> Writing<'a> {
    pub(crate) fn new(
        session: &Session<'a>,
        backend: &Backend,
        durability: u32,
        batch: usize,
        style: Style,
    ) -> Result<Self, Failure> {
        // A pipelined commit is one batch, whatever the batch's bytes.
        let pipelined = |limit: u64| if style == Style::Pipelined { limit } else { 0 };
        let options = RunOptions {
            backend: backend.code,
            durability,
            group_entries: pipelined(batch as u64),
            group_bytes: pipelined(64 << 20),
            ..RunOptions::default()
        };
        let entries = (session.arguments.entries as usize).max(batch);
        let pool = Pool::new(session.shapes, slice_entries(batch).min(entries));
        let base = session.folder.base()?;
        Ok(Self {
            options,
            base,
            run: None,
            runs: 0,
            written: 0,
            entries_max: session.arguments.entries,
            pool,
            batch,
            style,
        })
    }

    fn next_run(&mut self) -> Result<(), Failure> {
        if let Some(run) = self.run.take() {
            run.close()?;
        }
        self.runs += 1;
        self.written = 0;
        self.run = Some(Run::open(&self.base, &format!("run-{}", self.runs), self.options)?);
        Ok(())
    }
}

impl Side for Writing<'_> {
    fn work(&mut self, slice: Duration) -> Result<Sample, Failure> {
        if self.run.is_none() || self.written >= self.entries_max {
            self.next_run()?;
        }
        self.pool.renumber();
        let run = self.run.as_ref().expect("opened above");
        let drafts = self.pool.drafts();
        let sample = match self.style {
            Style::Closed => append(run, &drafts, self.batch, slice)?,
            Style::Pipelined => stream(run, &drafts, self.batch, slice)?,
        };
        self.written += sample.count;
        Ok(sample)
    }
}

fn append(
    run: &Run,
    drafts: &Drafts<'_>,
    batch: usize,
    slice: Duration,
) -> Result<Sample, Failure> {
    let mut count = 0;
    let begun = Instant::now();
    while count + batch <= drafts.len() && (count == 0 || begun.elapsed() < slice) {
        run.append(drafts, count, batch)?;
        count += batch;
    }
    Ok(Sample { count: count as u64, spent: begun.elapsed() })
}

fn stream(
    run: &Run,
    drafts: &Drafts<'_>,
    batch: usize,
    slice: Duration,
) -> Result<Sample, Failure> {
    let (mut count, mut last_seq) = (0, 0);
    let begun = Instant::now();
    while count + batch <= drafts.len() && (count == 0 || begun.elapsed() < slice) {
        last_seq = run.submit_batch(drafts, count, batch)?;
        count += batch;
    }
    run.wait_durable(last_seq)?;
    Ok(Sample { count: count as u64, spent: begun.elapsed() })
}
