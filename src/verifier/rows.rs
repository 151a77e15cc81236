//! Sums up the rows of a run on their way through the verifier, part by part.
//!
//! Several threads look at parts of the run at a time; the parts are added in their order. A part
//! in which anything is wrong does not count: the ordinary walk goes through it, and on to the next
//! part that begins with a good row. So findings, sums and the digest are those of a walk by one
//! thread, whatever the number of threads.

use std::ops::ControlFlow;

use super::finding::Finding;
use super::index_check::IndexCheck;
use super::survey::{RowSink, Surveyed, Walk, Walked};
use crate::backend::{Direction, EventReader};
use crate::digest::DigestBuilder;
use crate::entry::Row;
use crate::error::Result;
use crate::planted::planted;
use crate::platform::parallel::in_order;
use crate::progress::Teller;

/// A part is at most so long: its share of the digest's input is kept until its turn comes.
const PART_ENTRIES_MAX: u64 = 4096;
/// A run is cut into so many parts a thread, so that all end at about the same time.
const PARTS_PER_THREAD: u64 = 8;
/// A hole of more parts is leapt over.
const LEAP_PARTS: u64 = 1024;
/// After so many leaps one thread does the rest: entries that lie so far apart were made to.
const LEAPS_MAX: u32 = 16;

/// What the rows of a run come to.
pub(super) struct Rows<'r, 't> {
    /// Where keys are looked up; `None` where no index can be trusted, or none need be.
    pub(super) indexed: Option<&'r dyn EventReader>,
    pub(super) digest: DigestBuilder,
    pub(super) indices: IndexCheck,
    pub(super) entries: u64,
    pub(super) ts_init_max: Option<u64>,
    pub(super) findings: Vec<Finding>,
    teller: Teller<'t>,
}

impl<'t> Rows<'_, 't> {
    pub(super) fn new(teller: Teller<'t>, key: Option<&[u8; 32]>) -> Self {
        Self {
            indexed: None,
            digest: DigestBuilder::new(key),
            indices: IndexCheck::default(),
            entries: 0,
            ts_init_max: None,
            findings: Vec::new(),
            teller,
        }
    }

    /// Adds the rows of a part, in which all are good.
    fn add(&mut self, part: Part) -> ControlFlow<()> {
        self.digest.add_encoded(&part.digest);
        self.ts_init_max = self.ts_init_max.max(part.ts_init_max);
        self.entries += part.entries;
        self.indices.add_part(part.indices);
        (0..part.entries).try_for_each(|_| self.teller.add_entry())
    }
}

impl RowSink for Rows<'_, '_> {
    fn good(&mut self, row: Row<'_>) -> ControlFlow<()> {
        self.digest.add_entry(&row.entry.entry_hash, row.keys);
        self.ts_init_max = self.ts_init_max.max(Some(row.entry.ts_init));
        self.entries += 1;
        if let Some(view) = self.indexed {
            self.indices.add(view, &row);
        }
        self.teller.add_entry()
    }

    fn bad(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

/// What a part of a run comes to, if every row of it is good.
struct Part {
    /// What the digest takes in.
    digest: Vec<u8>,
    indices: IndexCheck,
    entries: u64,
    ts_init_max: Option<u64>,
}

impl Part {
    /// Looks at the rows `from..=to`; `None` when anything is wrong with any of them.
    fn of(
        view: &dyn EventReader,
        indexed: Option<&dyn EventReader>,
        from: u64,
        to: u64,
    ) -> Option<Self> {
        let (digest, indices) = (Vec::new(), IndexCheck::default());
        let mut part = Self { digest, indices, entries: 0, ts_init_max: None };
        let visited = view.visit_range(from, to, Direction::Forward, &mut |row| {
            DigestBuilder::encode_entry(&mut part.digest, &row.entry.entry_hash, row.keys);
            part.ts_init_max = part.ts_init_max.max(Some(row.entry.ts_init));
            part.entries += 1;
            if let Some(indexed) = indexed {
                part.indices.add(indexed, &row);
            }
            ControlFlow::Continue(())
        });
        (visited.is_ok() && part.entries == to - from + 1).then_some(part)
    }
}

/// Shows every row of a sound run to the sums, with so many threads.
///
/// # Errors
/// Those of the system. Damage goes to the sums.
pub(super) fn walk_in_parts(
    run: &mut Surveyed<'_>,
    rows: &mut Rows<'_, '_>,
    threads: usize,
) -> Result<Walked> {
    let view = run.view().clone();
    let mut walk = Walk::new(run);
    for _ in 0..LEAPS_MAX {
        let Some(first) = walk.next().filter(|_| threads > 1) else { break };
        side_by_side(&mut walk, rows, &*view, first, threads)?;
    }
    walk.walk_on(rows, &|_| false)?;
    Ok(walk.walked())
}

/// Walks from `first` on, to the end or to behind a hole of many parts.
fn side_by_side(
    walk: &mut Walk<'_, '_>,
    rows: &mut Rows<'_, '_>,
    view: &dyn EventReader,
    first: u64,
    threads: usize,
) -> Result<()> {
    let (last, count, indexed) = (walk.last(), walk.last() - first, rows.indexed);
    let length = (count / (PARTS_PER_THREAD * threads as u64)).clamp(1, PART_ENTRIES_MAX);
    let bounds = |number: u64| {
        let from = first + number * length;
        (from, from.saturating_add(length - 1).min(last))
    };
    let mut failure = None;
    in_order(
        threads,
        0..count / length + 1,
        |number| {
            let (from, to) = bounds(number);
            Part::of(view, indexed, from, to)
        },
        |number, part| {
            let (from, to) = bounds(number);
            let leap_from = from.saturating_add(LEAP_PARTS * length);
            match walk.next() {
                None => return ControlFlow::Break(()),
                // The walk has passed it.
                Some(next) if next > leap_from => return ControlFlow::Break(()),
                Some(next) if next > from => return ControlFlow::Continue(()),
                Some(_) => {}
            }
            let is_skipped = number == 1 && planted("verify_skip_part");
            let begins_part = |seq: u64| seq > from && (seq - first).is_multiple_of(length);
            match part {
                Some(_) if is_skipped => walk.pass(to, ControlFlow::Continue(())),
                Some(part) => walk.pass(to, rows.add(part)),
                None => failure = walk.walk_on(rows, &begins_part).err(),
            }
            if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    );
    failure.map_or(Ok(()), Err)
}
