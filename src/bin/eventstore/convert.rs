//! `eventstore convert`: a sealed run as a run of another backend, the same to the last hash.

use std::io;
use std::ops::ControlFlow;

use eventstore::convert::{self, ConvertOptions, ConvertReport, DigestOrigin};
use serde::Serialize;

use crate::arguments::Convert;
use crate::failure::{Exit, Failure, Outcome};
use crate::finding::{Finding, FindingInWords};
use crate::hex;
use crate::progress::Progress;
use crate::runs::backend_name;
use crate::screen::{Screen, Tone};
use crate::table::grouped;
use crate::verify::finding_lines;

/// What `convert --json` prints.
#[derive(Serialize)]
struct Converted<'a> {
    run_id: &'a str,
    instance_id: &'a str,
    path: String,
    backend: &'static str,
    status: &'static str,
    high_watermark: u64,
    digest: Option<String>,
    digest_origin: &'static str,
    dropped: Vec<Finding>,
}

pub(crate) fn run(arguments: &Convert, screen: &mut Screen) -> Outcome {
    let progress = Progress::over_entries();
    let mut told = |reached: &eventstore::progress::Progress| {
        progress.reached(reached.entries, reached.entries_total);
        ControlFlow::Continue(())
    };
    let options = ConvertOptions { progress: Some(&mut told), ..ConvertOptions::default() };
    let backend = arguments.to.kind();
    let converted = convert::convert_run(&arguments.run, backend, &arguments.base, options);
    progress.clear();
    let report = converted.map_err(|error| Failure::about(&arguments.run, &error))?;
    if arguments.json {
        screen.json(&Converted {
            run_id: &report.run_id,
            instance_id: &report.instance_id,
            path: report.path.display().to_string(),
            backend: backend_name(report.backend),
            status: report.status.name(),
            high_watermark: report.high_watermark,
            digest: report.digest.map(|digest| hex::encode(&digest.bytes)),
            digest_origin: name_of(report.digest_origin),
            dropped: report.dropped.iter().map(Finding::from).collect(),
        })?;
    } else {
        print(screen, &report)?;
    }
    Ok(Exit::Done)
}

fn name_of(origin: DigestOrigin) -> &'static str {
    match origin {
        DigestOrigin::Kept => "kept",
        DigestOrigin::KeptUnchecked => "kept_unchecked",
        DigestOrigin::Own => "own",
        DigestOrigin::Absent => "absent",
    }
}

fn print(screen: &mut Screen, report: &ConvertReport) -> io::Result<()> {
    let label = |name: &str| screen.paint(Tone::Heading, &format!("{name:<7}"));
    let digest = match report.digest_origin {
        DigestOrigin::Kept => "kept, and computed again: the same",
        DigestOrigin::KeptUnchecked => "kept; it is keyed, verify it with the key",
        DigestOrigin::Own => "the copy's own: the original records no key lists",
        DigestOrigin::Absent => "none, as in the original",
    };
    let mut lines = vec![
        format!("{} {}  {}", label("run"), report.run_id, report.status.name()),
        format!("{} {}", label("file"), report.path.display()),
        format!(
            "{} {}, compared with the original and verified",
            label("entries"),
            grouped(report.high_watermark)
        ),
        format!("{} {digest}", label("digest")),
    ];
    if !report.dropped.is_empty() {
        let count = grouped(report.dropped.len() as u64);
        let dropped = screen.paint(Tone::Notice, &format!("{count} index rows without an entry"));
        lines.push(format!("{} {dropped}", label("dropped")));
    }
    let in_words: Vec<FindingInWords> = report.dropped.iter().map(FindingInWords::from).collect();
    lines.extend(finding_lines(screen, &in_words));
    lines.iter().try_for_each(|line| screen.line(line))
}
