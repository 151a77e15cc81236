//! `eventstore runs`: what runs there are below a base, whatever state they are in.

use std::path::Path;

use eventstore::catalogue::{self, ListedState, RunListing, RunSummary};
use eventstore::manifest::RunStatus;
use eventstore::store::BackendKind;
use serde::Serialize;

use crate::arguments::Runs;
use crate::failure::{Exit, Failure, Outcome, one_line, whole_text};
use crate::screen::{Screen, Tone, shown};
use crate::table::{self, Align, Cell, grouped, readable_bytes};
use crate::time;

/// A run, as CLI.md fixes it.
#[derive(Serialize)]
struct Listed<'a> {
    run_id: &'a str,
    instance_id: &'a str,
    status: Option<&'static str>,
    high_watermark: Option<u64>,
    start_ts_init: Option<u64>,
    end_ts_init: Option<u64>,
    backend: &'static str,
    bytes: u64,
    parent_run_id: Option<&'a str>,
    path: String,
    held: bool,
}

/// A file that cannot be read as a run.
#[derive(Serialize)]
struct Unreadable {
    path: String,
    error: String,
}

pub(crate) fn run(arguments: &Runs, screen: &mut Screen) -> Outcome {
    let base = &arguments.base;
    let about = |path: &Path, error| Failure::about(path, &error);
    let instances = match &arguments.instance {
        Some(instance) => vec![instance.clone()],
        None => catalogue::list_instances(base).map_err(|error| about(base, error))?,
    };
    let mut is_first = true;
    for instance in &instances {
        let path = base.join(instance);
        let listings = catalogue::list_runs(base, instance).map_err(|error| about(&path, error))?;
        if arguments.json {
            for listing in &listings {
                print_json(screen, instance, listing)?;
            }
            continue;
        }
        if !is_first {
            screen.line("")?;
        }
        is_first = false;
        print_table(screen, instance, &listings)?;
    }
    if instances.is_empty() && !arguments.json {
        screen.line(&format!("no instances below {}", base.display()))?;
    }
    Ok(Exit::Done)
}

fn print_json(screen: &mut Screen, instance: &str, listing: &RunListing) -> std::io::Result<()> {
    let path = listing.path.display().to_string();
    if let ListedState::Unreadable(error) = &listing.state {
        return screen.json(&Unreadable { path, error: one_line(&whole_text(error)) });
    }
    let manifest = listing.summary().map(|summary| &summary.manifest);
    screen.json(&Listed {
        run_id: &listing.run_id,
        instance_id: instance,
        status: manifest.map(|manifest| manifest.status.name()),
        high_watermark: listing.summary().map(|summary| summary.high_watermark),
        start_ts_init: manifest.map(|manifest| manifest.start_ts_init),
        end_ts_init: manifest.and_then(|manifest| manifest.end_ts_init),
        backend: backend_name(listing.backend),
        bytes: listing.bytes,
        parent_run_id: manifest.and_then(|manifest| manifest.parent_run_id.as_deref()),
        path,
        held: listing.is_held(),
    })
}

pub(crate) fn backend_name(backend: BackendKind) -> &'static str {
    match backend {
        BackendKind::Redb => "redb",
        BackendKind::Memory => "memory",
        BackendKind::Log => "log",
    }
}

/// How times are written, by the room there is.
#[derive(Clone, Copy)]
enum Times {
    WithNanoseconds,
    Readable,
    ToTheSecond,
}

impl Times {
    fn for_columns(columns: Option<usize>) -> Self {
        match columns {
            Some(0..160) => Self::ToTheSecond,
            Some(160..200) => Self::Readable,
            _ => Self::WithNanoseconds,
        }
    }

    fn cell(self, time: Option<u64>) -> Cell {
        let Some(ns) = time else { return Cell::plain("-") };
        Cell::plain(match self {
            Self::WithNanoseconds => time::both(ns),
            Self::Readable => time::readable(ns),
            Self::ToTheSecond => time::to_the_second(ns),
        })
    }
}

fn print_table(
    screen: &mut Screen,
    instance: &str,
    listings: &[RunListing],
) -> std::io::Result<()> {
    let count = match listings.len() {
        1 => "1 run".to_owned(),
        count => format!("{} runs", grouped(count as u64)),
    };
    let heading = screen.paint(Tone::Heading, instance);
    screen.line(&format!("{heading}  {count}"))?;
    let times = Times::for_columns(screen.columns());
    let heads = [
        ("run", Align::Left),
        ("status", Align::Left),
        ("entries", Align::Right),
        ("start", Align::Left),
        ("end", Align::Left),
        ("size", Align::Right),
        ("backend", Align::Left),
        ("parent", Align::Left),
    ];
    let readable: Vec<&RunListing> = listings
        .iter()
        .filter(|listing| !matches!(listing.state, ListedState::Unreadable(_)))
        .collect();
    let rows: Vec<Vec<Cell>> = readable.iter().map(|listing| row(listing, times)).collect();
    if !rows.is_empty() {
        for line in table::lines(screen, &heads, &rows) {
            screen.line(&line)?;
        }
    }
    for listing in listings {
        if let ListedState::Unreadable(error) = &listing.state {
            let reason = one_line(&whole_text(error));
            let path = listing.path.display().to_string();
            let place = if reason.contains(&path) { String::new() } else { format!("{path}: ") };
            let mark = screen.paint(Tone::Bad, "unreadable");
            screen.line(&format!("{mark}  {place}{reason}"))?;
        }
    }
    Ok(())
}

fn row(listing: &RunListing, times: Times) -> Vec<Cell> {
    let summary = listing.summary();
    let manifest = summary.map(|summary| &summary.manifest);
    let parent = manifest.and_then(|manifest| manifest.parent_run_id.as_deref());
    vec![
        Cell::plain(&listing.run_id),
        status_cell(summary),
        Cell::plain(summary.map_or_else(|| "-".into(), |found| grouped(found.high_watermark))),
        times.cell(manifest.map(|manifest| manifest.start_ts_init)),
        times.cell(manifest.and_then(|manifest| manifest.end_ts_init)),
        Cell::plain(readable_bytes(listing.bytes)),
        Cell::plain(backend_name(listing.backend)),
        Cell::plain(parent.map_or_else(|| "-".into(), shown)),
    ]
}

fn status_cell(summary: Option<&RunSummary>) -> Cell {
    let Some(summary) = summary else { return Cell::new(Tone::Notice, "held") };
    let status = summary.manifest.status;
    match (status, summary.needs_repair) {
        (_, true) => Cell::new(Tone::Notice, format!("{}, needs repair", status.name())),
        (RunStatus::Ended, _) => Cell::new(Tone::Good, status.name()),
        (RunStatus::Quarantined, _) => Cell::new(Tone::Bad, status.name()),
        (RunStatus::Running | RunStatus::CrashedRecovered, _) => {
            Cell::new(Tone::Notice, status.name())
        }
    }
}
