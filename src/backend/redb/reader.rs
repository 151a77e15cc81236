//! The redb backend's reader: each call reads one commit, under one guard against panics.
//!
//! No call begins a read transaction or takes a lock that a commit holds while it flushes; see
//! `snapshot` and `storage_file`. What a row must pass: `scan`.

use std::any::Any;
use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::fault::At;
use super::run_file::RunFile;
use super::scan;
use super::snapshot::Snapshot;
use crate::backend::{Direction, EventReader, KeyVisitor, RowVisitor};
use crate::digest::RunDigest;
use crate::error::Result;
use crate::index::{IndexKey, IndexKind};
use crate::manifest::RunManifest;
use crate::snapshot::SnapshotAnchor;

/// A view of one run, from any thread.
pub(super) struct RedbReader(pub(super) Arc<RunFile>);

impl RedbReader {
    fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    /// As [`RunFile::read_on`], for code that calls back into the caller's: its panics are its own.
    fn read_visiting<T>(
        &self,
        mut read: impl FnMut(&Snapshot, &mut Visits) -> Result<T>,
    ) -> Result<T> {
        let mut visits = Visits { panic: None };
        let result = self.0.read_on(|snapshot| read(snapshot, &mut visits));
        match visits.panic {
            Some(panic) => resume_unwind(panic),
            None => result,
        }
    }

    /// The first entry at or after `ts_init`, by halving over the commits; `false` where the file
    /// lacks commit rows, or has ones that contradict each other.
    fn first_by_commits(&self, found: &Snapshot, ts_init: u64) -> Result<(bool, Option<u64>)> {
        let (mut low, mut high) = (1, found.high_watermark());
        let mut candidate = None;
        while low <= high {
            let middle = low + (high - low) / 2;
            let bounds = found.with_commit_row(middle, self.path(), |row| {
                Ok(((row.first_seq, row.last_seq), row.ts_init_max, row.run_ts_init_max))
            })?;
            let Some((range, own_max, run_max)) = bounds else { return Ok((false, None)) };
            let (first_seq, last_seq) = range;
            if run_max >= ts_init {
                candidate = Some((range, own_max));
                high = first_seq - 1;
            } else {
                // The largest number there is has no row after it.
                let Some(next) = last_seq.checked_add(1) else { break };
                low = next;
            }
        }
        match candidate {
            // The run reached that time in this very commit, or the rows are not to be trusted.
            Some((_, own_max)) if own_max < ts_init => Ok((false, None)),
            Some((range, _)) => Ok((true, self.first_by_scan(found, ts_init, range)?)),
            None => Ok((true, None)),
        }
    }

    fn first_by_scan(
        &self,
        found: &Snapshot,
        ts_init: u64,
        range: (u64, u64),
    ) -> Result<Option<u64>> {
        let mut first = None;
        scan::visit(found, self.path(), range, Direction::Forward, &mut |row| {
            if row.entry.ts_init < ts_init {
                return ControlFlow::Continue(());
            }
            first = Some(row.entry.seq);
            ControlFlow::Break(())
        })?;
        Ok(first)
    }
}

/// Keeps a panic of the caller's code apart from redb's.
struct Visits {
    panic: Option<Box<dyn Any + Send>>,
}

impl Visits {
    fn call(&mut self, visit: impl FnOnce() -> ControlFlow<()>) -> ControlFlow<()> {
        catch_unwind(AssertUnwindSafe(visit)).unwrap_or_else(|panic| {
            self.panic = Some(panic);
            ControlFlow::Break(())
        })
    }
}

impl EventReader for RedbReader {
    fn manifest(&self) -> Result<RunManifest> {
        self.0.read_on(|found| found.manifest(self.path()))
    }

    fn high_watermark(&self) -> u64 {
        self.0.high_watermark()
    }

    fn visit_range(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        // What is left, should the writer close the file in the middle.
        let (mut from, mut to) = (from, to);
        self.read_visiting(|found, visits| {
            scan::visit(found, self.path(), (from, to), direction, &mut |row| {
                match direction {
                    Direction::Forward => from = row.entry.seq.saturating_add(1),
                    Direction::Backward => to = row.entry.seq.saturating_sub(1),
                }
                visits.call(|| visit(row))
            })
        })
    }

    fn lookup(&self, kind: IndexKind, key: &str) -> Result<Option<u64>> {
        self.0.read_on(|found| found.lookup(kind, key, self.path()))
    }

    fn visit_index(
        &self,
        kind: IndexKind,
        after: Option<&str>,
        visit: &mut KeyVisitor<'_>,
    ) -> Result<()> {
        let mut after = after.map(str::to_owned);
        self.read_visiting(|found, visits| {
            let Some(table) = found.index(kind, self.path())? else { return Ok(()) };
            let last = after.clone();
            let start = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            for row in table.range::<&str>((start, Bound::Unbounded)).at(self.path())? {
                let (key, seq) = row.at(self.path())?;
                // Read before the caller's code runs: a panic over a damaged key is redb's.
                let (key, seq) = (key.value(), seq.value());
                let last = after.get_or_insert_default();
                last.clear();
                last.push_str(key);
                if visits.call(|| visit(key, seq)).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn recorded_keys(&self, seq: u64) -> Result<Option<Vec<IndexKey>>> {
        self.0.read_on(|found| found.recorded_keys(seq, self.path()))
    }

    fn first_seq_at(&self, ts_init: u64) -> Result<Option<u64>> {
        self.0.read_on(|found| {
            let (has_commit_rows, first) = self.first_by_commits(found, ts_init)?;
            if has_commit_rows {
                return Ok(first);
            }
            self.first_by_scan(found, ts_init, (1, found.high_watermark()))
        })
    }

    fn latest_snapshot_anchor(&self) -> Result<Option<SnapshotAnchor>> {
        self.0.read_on(|found| found.anchor(self.path()))
    }

    fn digest(&self) -> Result<Option<RunDigest>> {
        self.0.read_on(|found| found.digest(self.path()))
    }
}
