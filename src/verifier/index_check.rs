//! Compares the indices with the entries, both ways, in one pass over each.
//!
//! While the entries go by, each recorded key is looked up, and rows that point at the very entry
//! that goes by are counted. If that count is the length of the index, every row has an entry
//! that records its key, and no row needs to be looked at one by one; only otherwise each is. What
//! several checks found of neighbouring entries can be added up.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::finding::{Drift, Finding};
use crate::backend::{Direction, EventReader};
use crate::entry::Row;
use crate::error::{EventStoreError, Result};
use crate::index::{IndexKind, KeyList};
use crate::planted::planted;
use crate::platform::parallel::in_order;

/// See the module.
#[derive(Default)]
pub(super) struct IndexCheck {
    confirmed: [u64; IndexKind::ALL.len()],
    /// Some entry's keys are recorded; a file of another writer records none.
    has_key_lists: bool,
    /// Keys that have a finding; grows with the findings alone.
    reported: HashSet<(IndexKind, String)>,
    pub(super) findings: Vec<Finding>,
    /// A lookup failed: the index cannot be read.
    pub(super) failure: Option<EventStoreError>,
}

impl IndexCheck {
    /// Looks up the keys of an entry that goes by.
    pub(super) fn add(&mut self, view: &dyn EventReader, row: &Row<'_>) {
        let Some(keys) = row.keys else { return };
        self.has_key_lists = true;
        if keys.is_empty() || planted("skip_index_check") {
            return;
        }
        let mut of_entry: Vec<(IndexKind, &str)> = keys.iter().collect();
        of_entry.sort_unstable();
        of_entry.dedup();
        for (kind, key) in of_entry {
            match view.lookup(kind, key) {
                Ok(Some(target)) if target == row.entry.seq => {
                    self.confirmed[usize::from(kind.code())] += 1;
                }
                // Whether the earlier entry records the key was seen when it went by.
                Ok(Some(target)) if target < row.entry.seq => {}
                Ok(Some(target)) => self.report(kind, key, target, Drift::Wrong),
                Ok(None) => self.report(kind, key, row.entry.seq, Drift::Missing),
                Err(error) => self.failure = self.failure.take().or(Some(error)),
            }
        }
    }

    /// Adds what another check found of the entries that come next.
    pub(super) fn add_part(&mut self, part: Self) {
        let Self { confirmed, has_key_lists, reported: _, findings, failure } = part;
        for (sum, more) in self.confirmed.iter_mut().zip(confirmed) {
            *sum += more;
        }
        self.has_key_lists |= has_key_lists;
        for finding in findings {
            if let Finding::IndexDrift { kind, key, .. } = &finding
                && self.reported.insert((*kind, key.clone()))
            {
                self.findings.push(finding);
            }
        }
        self.failure = self.failure.take().or(failure);
    }

    /// Looks at the rows, once all entries went by; `has_bad_rows` when some were not good. The
    /// indices are gone through side by side.
    ///
    /// # Errors
    /// `Corrupted` when an index cannot be read to its end.
    pub(super) fn finish(
        &mut self,
        view: &dyn EventReader,
        has_bad_rows: bool,
        threads: usize,
    ) -> Result<()> {
        let mut counts = Vec::new();
        let kind = |number: u64| IndexKind::ALL[number as usize];
        let kinds = 0..IndexKind::ALL.len() as u64;
        in_order(
            threads,
            kinds,
            |number| count_rows(view, kind(number)),
            |number, counted| {
                counts.push((kind(number), counted));
                ControlFlow::Continue(())
            },
        );
        for (kind, counted) in counts {
            let (rows, dangling) = counted?;
            let is_unconfirmed =
                self.has_key_lists && rows != self.confirmed[usize::from(kind.code())];
            if is_unconfirmed || has_bad_rows || dangling > 0 {
                self.look_at_rows(view, kind)?;
            }
        }
        Ok(())
    }

    fn look_at_rows(&mut self, view: &dyn EventReader, kind: IndexKind) -> Result<()> {
        let mut failure = None;
        view.visit_index(kind, None, &mut |key, target| match drift_of(view, kind, key, target) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(drift)) => {
                self.report(kind, key, target, drift);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failure.map_or(Ok(()), Err)
    }

    fn report(&mut self, kind: IndexKind, key: &str, target: u64, drift: Drift) {
        if self.reported.insert((kind, key.to_owned())) {
            let (key, target) = (key.to_owned(), Some(target));
            self.findings.push(Finding::IndexDrift { kind, key, target, drift });
        }
    }
}

/// How many rows an index has, and how many of them point at no entry that there could be.
fn count_rows(view: &dyn EventReader, kind: IndexKind) -> Result<(u64, u64)> {
    let high_watermark = view.high_watermark();
    let (mut rows, mut dangling) = (0, 0);
    view.visit_index(kind, None, &mut |_, target| {
        rows += 1;
        dangling += u64::from(target == 0 || target > high_watermark);
        ControlFlow::Continue(())
    })?;
    Ok((rows, dangling))
}

/// What is wrong with one index row, as far as its target tells.
fn drift_of(
    view: &dyn EventReader,
    kind: IndexKind,
    key: &str,
    target: u64,
) -> Result<Option<Drift>> {
    let mut records = None;
    let looked = view.visit_range(target, target, Direction::Forward, &mut |row| {
        let has_key = |keys: KeyList<'_>| keys.iter().any(|one| one == (kind, key));
        records = Some(row.keys.map(has_key));
        ControlFlow::Break(())
    });
    match (looked, records) {
        (Ok(()), None) | (Err(EventStoreError::Gap { .. }), _) => Ok(Some(Drift::Dangling)),
        (Ok(()), Some(Some(false))) => Ok(Some(Drift::Wrong)),
        (Ok(()), Some(_)) => Ok(None),
        (Err(EventStoreError::HashMismatch { .. } | EventStoreError::SeqMismatch { .. }), _) => {
            Ok(Some(Drift::Corrupted))
        }
        (Err(EventStoreError::Corrupted(fault)), _) if fault.seq.is_some() => {
            Ok(Some(Drift::Corrupted))
        }
        (Err(error), _) => Err(error),
    }
}
