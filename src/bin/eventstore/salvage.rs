//! `eventstore salvage`: the good entries of a damaged run, in a new one.

use std::io;
use std::ops::ControlFlow;

use eventstore::salvage::{self, SalvageOptions, SalvageReport};
use serde::Serialize;

use crate::arguments::Salvage;
use crate::failure::{Exit, Failure, Outcome};
use crate::finding::{Finding, FindingInWords};
use crate::ingest::new_run_id;
use crate::progress::Progress;
use crate::screen::{Screen, Tone, shown};
use crate::table::grouped;
use crate::verify::finding_lines;

/// What `salvage --json` prints.
#[derive(Serialize)]
struct Saved<'a> {
    run_id: &'a str,
    path: String,
    parent_run_id: Option<&'a str>,
    copied: u64,
    high_watermark: u64,
    lost: Vec<Finding>,
}

pub(crate) fn run(arguments: &Salvage, screen: &mut Screen) -> Outcome {
    let run_id = new_run_id(arguments.run_id.as_deref())?;
    let place = &arguments.place;
    let progress = Progress::over_entries();
    let mut told = |reached: &eventstore::progress::Progress| {
        progress.reached(reached.entries, reached.entries_total);
        ControlFlow::Continue(())
    };
    let options = SalvageOptions { progress: Some(&mut told), ..SalvageOptions::default() };
    let salvaged =
        salvage::salvage_run(&arguments.run, &place.base, &place.instance, &run_id, options);
    progress.clear();
    let report = salvaged.map_err(|error| Failure::about(&arguments.run, &error))?;
    if arguments.json {
        screen.json(&Saved {
            run_id: &report.run_id,
            path: report.path.display().to_string(),
            parent_run_id: report.parent_run_id.as_deref(),
            copied: report.copied,
            high_watermark: report.high_watermark,
            lost: report.lost.iter().map(Finding::from).collect(),
        })?;
    } else {
        print(screen, &report)?;
    }
    Ok(Exit::Done)
}

fn print(screen: &mut Screen, report: &SalvageReport) -> io::Result<()> {
    let label = |name: &str| screen.paint(Tone::Heading, &format!("{name:<7}"));
    let lost = match report.lost.len() {
        0 => screen.paint(Tone::Good, "nothing"),
        1 => screen.paint(Tone::Bad, "1 finding"),
        count => screen.paint(Tone::Bad, &format!("{} findings", grouped(count as u64))),
    };
    let parent = report.parent_run_id.as_deref().map_or_else(|| "none".to_owned(), shown);
    let mut copied = grouped(report.copied);
    if report.lifecycle > 0 {
        copied.push_str(&format!("; {} lifecycle entries were left out", report.lifecycle));
    }
    let mut lines = vec![
        format!("{} {}  CrashedRecovered", label("run"), report.run_id),
        format!("{} {}", label("file"), report.path.display()),
        format!("{} {parent}", label("parent")),
        format!("{} {copied}", label("copied")),
        format!("{} {lost}", label("lost")),
    ];
    let in_words: Vec<FindingInWords> = report.lost.iter().map(FindingInWords::from).collect();
    lines.extend(finding_lines(screen, &in_words));
    lines.iter().try_for_each(|line| screen.line(line))
}
