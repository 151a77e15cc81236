//! `eventstore dump`: a sealed run's manifest, anchor and entries.
//!
//! Rows stream: a run of any length is printed in the memory of a few hundred rows. The first bad
//! row ends the dump, after every good one before it.

use std::ops::ControlFlow;

use eventstore::backend::Direction;
use eventstore::entry::{EntryView, Row};
use eventstore::manifest::RunManifest;
use eventstore::reader::Reader;
use eventstore::snapshot::SnapshotAnchor;

use crate::arguments::Dump;
use crate::entry::{self, as_text};
use crate::failure::{Exit, Failure, Outcome};
use crate::screen::{Screen, Tone, shown};
use crate::table::{Align, Cell, Columns, cut, grouped};
use crate::{hex, json, time};

pub(crate) fn run(arguments: &Dump, screen: &mut Screen) -> Outcome {
    let about = |error| Failure::about(&arguments.run, &error);
    let reader = entry::open(&arguments.run)?;
    let manifest = reader.view().manifest().map_err(about)?;
    let anchor = reader.view().latest_snapshot_anchor().map_err(about)?;
    let mut printer = printer(arguments.json);
    printer.head(screen, &manifest, anchor.as_ref())?;

    let mut unprinted = Ok(());
    let from = first_candidate(arguments, &reader);
    let to = arguments.to.unwrap_or(u64::MAX);
    let direction = if arguments.reverse { Direction::Backward } else { Direction::Forward };
    let scanned = reader.view().visit_range(from, to, direction, &mut |row| {
        if wanted(arguments, &row.entry) {
            unprinted = printer.row(screen, &row);
        }
        if unprinted.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    unprinted?;
    printer.end(screen)?;
    // What is good stands on the screen before the reason why there is no more.
    screen.flush()?;
    scanned.map_err(about)?;
    Ok(Exit::Done)
}

/// The first row that may be wanted. Damage on the way to it is left to the scan to meet in order.
fn first_candidate(arguments: &Dump, reader: &Reader) -> u64 {
    let Some(since) = arguments.since else { return arguments.from };
    match reader.view().first_seq_at(since) {
        // From 0 the scan would visit nothing, which is what was asked for.
        Ok(Some(seq)) if arguments.from > 0 => arguments.from.max(seq),
        Ok(None) => 0,
        Ok(Some(_)) | Err(_) => arguments.from,
    }
}

fn wanted(arguments: &Dump, entry: &EntryView<'_>) -> bool {
    arguments.since.is_none_or(|since| entry.ts_init >= since)
        && arguments.until.is_none_or(|until| entry.ts_init <= until)
        && arguments.topic.as_ref().is_none_or(|glob| glob.is_match(entry.topic))
        && arguments.payload_type.as_ref().is_none_or(|glob| glob.is_match(entry.payload_type))
}

/// The form that was asked for.
pub(crate) fn printer(is_json: bool) -> Box<dyn Printer> {
    if is_json { Box::new(JsonLines) } else { Box::new(Table::new()) }
}

/// How a dump looks, and what `tail` prints.
pub(crate) trait Printer {
    fn head(
        &mut self,
        screen: &mut Screen,
        manifest: &RunManifest,
        anchor: Option<&SnapshotAnchor>,
    ) -> Result<(), Failure>;
    fn row(&mut self, screen: &mut Screen, row: &Row<'_>) -> Result<(), Failure>;
    /// Prints what was held back: the next row may be long in coming.
    fn pause(&mut self, screen: &mut Screen) -> Result<(), Failure>;
    fn end(&mut self, screen: &mut Screen) -> Result<(), Failure>;
}

struct JsonLines;

impl Printer for JsonLines {
    fn head(
        &mut self,
        screen: &mut Screen,
        manifest: &RunManifest,
        anchor: Option<&SnapshotAnchor>,
    ) -> Result<(), Failure> {
        let snapshot_anchor = anchor.map(json::Anchor::from);
        Ok(screen.json(&json::Head { manifest: manifest.into(), snapshot_anchor })?)
    }

    fn row(&mut self, screen: &mut Screen, row: &Row<'_>) -> Result<(), Failure> {
        Ok(screen.json(&json::Entry::of_row(&row.entry, row.keys))?)
    }

    fn pause(&mut self, _: &mut Screen) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self, _: &mut Screen) -> Result<(), Failure> {
        Ok(())
    }
}

/// Aligned columns, a few hundred rows at a time.
struct Table {
    columns: Columns,
    rows: Vec<Vec<Cell>>,
    is_headed: bool,
    count: u64,
}

const ROWS_AT_ONCE: usize = 256;
/// Room for the payload where the output has no width of its own.
const PREVIEW_CELLS: usize = 80;
const PREVIEW_CELLS_MIN: usize = 12;

impl Table {
    fn new() -> Self {
        let columns = Columns::new(&[
            ("seq", Align::Right),
            ("time", Align::Left),
            ("ts_init", Align::Right),
            ("topic", Align::Left),
            ("type", Align::Left),
            ("bytes", Align::Right),
            ("payload", Align::Left),
        ]);
        Self { columns, rows: Vec::new(), is_headed: false, count: 0 }
    }

    fn print_rows(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        self.columns.fit(&self.rows);
        if !self.is_headed {
            screen.line("")?;
            screen.line(&self.columns.heading(screen))?;
            self.is_headed = true;
        }
        let before = self.columns.width_before_last();
        let room = screen.columns().map_or(PREVIEW_CELLS, |columns| columns.saturating_sub(before));
        for mut row in self.rows.drain(..) {
            if let Some(payload) = row.last_mut() {
                payload.cut(room.max(PREVIEW_CELLS_MIN));
            }
            screen.line(&self.columns.row(screen, &row))?;
        }
        Ok(())
    }
}

impl Printer for Table {
    fn head(
        &mut self,
        screen: &mut Screen,
        manifest: &RunManifest,
        anchor: Option<&SnapshotAnchor>,
    ) -> Result<(), Failure> {
        for (name, text) in manifest_fields(manifest, anchor) {
            let name = screen.paint(Tone::Heading, &format!("{name:<16}"));
            screen.line(&format!("{name}  {text}"))?;
        }
        Ok(())
    }

    fn row(&mut self, screen: &mut Screen, row: &Row<'_>) -> Result<(), Failure> {
        let entry = &row.entry;
        self.rows.push(vec![
            Cell::plain(entry.seq.to_string()),
            Cell::plain(time::readable(entry.ts_init)),
            Cell::new(Tone::Faint, entry.ts_init.to_string()),
            Cell::plain(shown(entry.topic)),
            Cell::plain(shown(entry.payload_type)),
            Cell::plain(entry.payload.len().to_string()),
            Cell::new(Tone::Faint, preview(entry.payload)),
        ]);
        self.count += 1;
        if self.rows.len() == ROWS_AT_ONCE {
            self.print_rows(screen)?;
        }
        Ok(())
    }

    fn pause(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        if self.rows.is_empty() { Ok(()) } else { self.print_rows(screen) }
    }

    fn end(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        if self.count == 0 {
            screen.line("")?;
            return Ok(screen.line("no entries")?);
        }
        self.pause(screen)
    }
}

/// The start of the payload, longer than any screen is wide.
fn preview(payload: &[u8]) -> String {
    const BYTES: usize = 400;
    let start = &payload[..payload.len().min(BYTES)];
    let whole = match std::str::from_utf8(start) {
        // A character may lie across the cut.
        Err(error) if error.error_len().is_none() => &start[..error.valid_up_to()],
        _ => start,
    };
    match as_text(whole) {
        Some(text) => cut(&shown(text), BYTES),
        None => hex::encode(&start[..start.len().min(BYTES / 2)]),
    }
}

fn manifest_fields(
    manifest: &RunManifest,
    anchor: Option<&SnapshotAnchor>,
) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("run", shown(&manifest.run_id)),
        ("instance", shown(&manifest.instance_id)),
        ("status", manifest.status.name().to_owned()),
        ("entries", grouped(manifest.high_watermark)),
        ("start", time::both(manifest.start_ts_init)),
        ("end", manifest.end_ts_init.map_or_else(|| "none".into(), time::both)),
        ("parent", manifest.parent_run_id.as_deref().map_or_else(|| "none".into(), shown)),
    ];
    if let Some(anchor) = anchor {
        let (blob, hash) = (shown(&anchor.blob_ref), shown(&anchor.content_hash));
        fields.push(("anchor", format!("up to {}  {blob}  {hash}", anchor.high_watermark)));
    }
    let parts = &manifest.registered_components;
    let pairs = |map: &[(String, String)]| {
        let texts: Vec<String> =
            map.iter().map(|(key, value)| format!("{}={}", shown(key), shown(value))).collect();
        texts.join("  ")
    };
    let list =
        |items: &[String]| items.iter().map(|item| shown(item)).collect::<Vec<_>>().join("  ");
    // Said only where the engine said anything.
    let described = [
        ("binary hash", shown(&manifest.binary_hash)),
        ("config hash", shown(&manifest.config_hash)),
        ("crate versions", shown(&manifest.crate_versions)),
        ("features", list(&manifest.feature_flags)),
        ("adapters", pairs(&manifest.adapter_versions)),
        ("actors", pairs(&parts.actors)),
        ("strategies", pairs(&parts.strategies)),
        ("algorithms", pairs(&parts.algorithms)),
        ("subscriptions", list(&parts.subscriptions)),
        ("endpoints", list(&parts.endpoints)),
        ("schema version", manifest.schema_version.to_string()),
        ("seed", manifest.seed.map_or_else(String::new, |seed| seed.to_string())),
    ];
    fields.extend(described.into_iter().filter(|(_, text)| !text.is_empty() && text != "0"));
    fields
}
