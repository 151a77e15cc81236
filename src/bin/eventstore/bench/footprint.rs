//! What entries take on the disk: part of `bench stream`.

use super::fill::Filled;
use super::folder::disk_bytes;
use super::row::{Row, Unit};
use super::session::Session;
use crate::failure::Failure;

/// What an entry may take beside its payload.
const ENTRY_BYTES: u64 = 100;

pub(crate) fn measure(session: &mut Session<'_>) -> Result<(), Failure> {
    let entries = session.arguments.entries;
    for backend in session.backends().into_iter().filter(|backend| backend.keeps_files) {
        let sealed = Filled::new(session, backend, entries)?;
        let on_disk = disk_bytes(sealed.path())? as f64;
        let allowed = (session.shapes.payloads_bytes(entries) + entries * ENTRY_BYTES) as f64;
        let row = Row {
            batch: 1000,
            entries,
            value: on_disk,
            limit: "payload + 100 B an entry".into(),
            limit_value: allowed,
            ratio_to_limit: on_disk / allowed,
            ..session.row("stream disk", backend.name, Unit::Bytes)
        };
        session.rows.push(row);
    }
    Ok(())
}
