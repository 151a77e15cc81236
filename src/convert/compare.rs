//! Compares the copy with the original, row by row: the last word before the copy gets its name.

use std::ops::ControlFlow;
use std::path::Path;

use super::differs;
use super::original::Original;
use crate::backend::{Direction, EventReader};
use crate::error::Result;
use crate::index::IndexKind;
use crate::progress::Stages;

/// Rows of an index that are read at a time.
const PAGE_KEYS: usize = 1024;

/// Entries with hashes and recorded keys, the indices in their order, manifest and anchor.
///
/// # Errors
/// `Backend` at the first difference; those of reading.
pub(super) fn compare(
    original: &Original,
    copy: &dyn EventReader,
    path: &Path,
    stages: &mut Stages<'_>,
) -> Result<()> {
    if copy.manifest()? != original.manifest {
        return Err(differs(path, "its manifest"));
    }
    if copy.latest_snapshot_anchor()? != original.anchor {
        return Err(differs(path, "its anchor"));
    }
    if copy.high_watermark() != original.last() {
        return Err(differs(path, "how many entries it has"));
    }
    let mut rows = original.rows();
    let mut from = 1;
    while let Some(batch) = rows.next_batch()? {
        let mut expected = batch.iter();
        let to = from + batch.len() as u64 - 1;
        let mut is_same = true;
        copy.visit_range(from, to, Direction::Forward, &mut |row| {
            is_same = expected.next().is_some_and(|kept| {
                row.entry == kept.entry.view() && row.keys == Some(kept.keys())
            });
            if is_same { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if !is_same || expected.next().is_some() {
            let at = to - expected.len() as u64;
            return Err(differs(path, &format!("entry {at}")));
        }
        stages.add(batch.len() as u64)?;
        from = to + 1;
    }
    IndexKind::ALL.into_iter().try_for_each(|kind| compare_index(original, copy, kind, path))
}

fn compare_index(
    original: &Original,
    copy: &dyn EventReader,
    kind: IndexKind,
    path: &Path,
) -> Result<()> {
    let last = original.last();
    let mut expected =
        Index { view: &*original.view, kind, page: Vec::new().into_iter(), after: None };
    let mut found = Index { view: copy, kind, page: Vec::new().into_iter(), after: None };
    loop {
        let next = loop {
            match expected.next()? {
                // Dropped: it points at no entry.
                Some((_, seq)) if seq == 0 || seq > last => {}
                next => break next,
            }
        };
        let copied = found.next()?;
        if next != copied {
            let of = |row: &Option<(String, u64)>| {
                row.as_ref().map(|(key, seq)| format!("{key:?} at {seq}"))
            };
            let what =
                format!("index {}: {:?}, expected {:?}", kind.name(), of(&copied), of(&next));
            return Err(differs(path, &what));
        }
        if next.is_none() {
            return Ok(());
        }
    }
}

/// An index on its way, a page at a time.
struct Index<'v> {
    view: &'v dyn EventReader,
    kind: IndexKind,
    page: std::vec::IntoIter<(String, u64)>,
    after: Option<String>,
}

impl Index<'_> {
    fn next(&mut self) -> Result<Option<(String, u64)>> {
        if self.page.len() == 0 {
            let mut page = Vec::new();
            self.view.visit_index(self.kind, self.after.as_deref(), &mut |key, seq| {
                page.push((key.to_owned(), seq));
                if page.len() < PAGE_KEYS {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })?;
            self.page = page.into_iter();
        }
        let next = self.page.next();
        if let Some((key, _)) = &next {
            self.after = Some(key.clone());
        }
        Ok(next)
    }
}
