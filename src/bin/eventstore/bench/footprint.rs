//! What entries take on the disk, and what writing them takes in memory: part of `bench stream`.

use super::fill::{self, Filled};
use super::folder::disk_bytes;
use super::row::{Row, Unit};
use super::session::Session;
use crate::failure::Failure;

/// What an entry may take beside its payload.
const ENTRY_BYTES: u64 = 100;

pub(crate) fn measure(session: &mut Session<'_>) -> Result<(), Failure> {
    let (entries, payload) = (session.arguments.entries, session.shapes.payload_bytes());
    for backend in session.arguments.backends() {
        if !backend.keeps_files {
            continue;
        }
        let row = |what: &str, value: u64, limit: &'static str, limit_value: u64| Row {
            what: what.to_owned(),
            backend: backend.name,
            batch: 1000,
            payload,
            entries,
            value: value as f64,
            unit: Unit::Bytes,
            limit,
            limit_value: limit_value as f64,
            ratio_to_limit: value as f64 / limit_value as f64,
            peers: Default::default(),
            interval: None,
        };
        let sealed = Filled::new(session, backend, entries)?;
        let on_disk = disk_bytes(sealed.path())?;
        let allowed = entries * (payload + ENTRY_BYTES);
        let disk = row("stream disk", on_disk, "payload + 100 B an entry", allowed);
        let (_, filling) = fill::in_child(session, backend, entries, false)?;
        let (early, late) = (filling.early_rss_bytes, filling.late_rss_bytes);
        let memory = row("stream memory", late, "after a tenth of the entries", early);
        let grown = late.saturating_sub(early);
        let growth = row("stream memory growth", grown, "after a tenth of the entries", early);
        session.rows.extend([disk, memory, growth]);
    }
    Ok(())
}
