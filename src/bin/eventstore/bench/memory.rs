//! What memory a writer takes as its run grows: part of `bench open`, whose killed writers are
//! asked.

use super::backends::Backend;
use super::fill::{self, Filling};
use super::folder::free_bytes;
use super::row::{Row, Unit};
use super::session::Session;
use crate::failure::Failure;
use crate::table::grouped;

/// What an entry takes beside its payload, at most: on the disk, zeros ahead and B-trees included;
/// in memory, of a backend that keeps it there.
const ENTRY_DISK_BYTES: u64 = 1000;
const ENTRY_MEMORY_BYTES: u64 = 800;

pub(crate) fn measure(session: &mut Session<'_>) -> Result<(), Failure> {
    let (early, large) = (session.arguments.entries, session.arguments.large());
    for backend in session.backends() {
        let filling = match session.fillings.remove(&(backend.name, large)) {
            Some(filling) => filling,
            None if has_room(session, backend, large)? => fill::killed(session, backend, large)?.1,
            None => continue,
        };
        rows(session, backend.name, (early, large), &filling);
        session.clear()?;
    }
    Ok(())
}

fn rows(
    session: &mut Session<'_>,
    backend: &'static str,
    (early, large): (u64, u64),
    filling: &Filling,
) {
    let (before, after) = (filling.early_rss_bytes, filling.late_rss_bytes);
    for (what, value) in [("memory", after), ("memory growth", after.saturating_sub(before))] {
        let row = Row {
            batch: 1000,
            entries: large,
            value: value as f64,
            limit: format!("after {} entries", grouped(early)).into(),
            limit_value: before as f64,
            ratio_to_limit: value as f64 / before as f64,
            ..session.row(what, backend, Unit::Bytes)
        };
        session.rows.push(row);
    }
}

const NAMES: [&str; 1] = ["memory growth"];

fn has_room(session: &mut Session<'_>, backend: &Backend, entries: u64) -> Result<bool, Failure> {
    if backend.keeps_files {
        return is_room_on_disk(session, backend, entries, &NAMES);
    }
    let needed = entries * (session.shapes.payload_bytes() + ENTRY_MEMORY_BYTES);
    let Some(available) = available_bytes() else { return Ok(true) };
    Ok(is_room(session, backend, &NAMES, ("memory", needed, available)))
}

/// Whether runs of so many entries have room where they are written; if not, notes it for the rows
/// that are called so.
pub(crate) fn is_room_on_disk(
    session: &mut Session<'_>,
    backend: &Backend,
    entries: u64,
    names: &[&str],
) -> Result<bool, Failure> {
    let needed = entries * (session.shapes.payload_bytes() + ENTRY_DISK_BYTES);
    let available = free_bytes(session.folder.path())?;
    Ok(is_room(session, backend, names, ("disk", needed, available)))
}

fn is_room(
    session: &mut Session<'_>,
    backend: &Backend,
    names: &[&str],
    (of, needed, available): (&str, u64, u64),
) -> bool {
    if needed <= available {
        return true;
    }
    let (needed, available) = (grouped(needed >> 20), grouped(available >> 20));
    let reason = format!("{needed} MiB of {of} may be needed, {available} are free");
    session.cannot_measure(names, backend.name, &reason);
    false
}

/// Memory that may be taken without swapping, as Linux tells.
fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}
