//! `eventstore recover`: seals what writers left, and names the newest run that was recovered.

use std::io;
use std::ops::ControlFlow;

use eventstore::manifest::RunStatus;
use eventstore::recovery::{self, RecoveredRun, RecoveryOptions, RecoveryReport};
use serde::Serialize;

use crate::arguments::Recover;
use crate::failure::{Exit, Failure, Outcome, concluded, one_line};
use crate::progress::Progress;
use crate::screen::{Screen, Tone, shown};
use crate::table::{self, Align, Cell};

/// A run that needed attention: one of the four middle keys is there, the others are not.
#[derive(Serialize)]
struct Swept<'a> {
    run_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed_as: Option<&'static str>,
    #[serde(skip_serializing_if = "is_not_so")]
    repaired: bool,
    #[serde(skip_serializing_if = "is_not_so")]
    damaged: bool,
    #[serde(skip_serializing_if = "is_not_so")]
    skipped: bool,
    reason: Option<&'a str>,
}

/// The last line: the newest run that is sealed `CrashedRecovered`, offered as a parent.
#[derive(Serialize)]
struct Parent<'a> {
    parent_run_id: Option<&'a str>,
}

fn is_not_so(flag: &bool) -> bool {
    !flag
}

pub(crate) fn run(arguments: &Recover, screen: &mut Screen) -> Outcome {
    let place = &arguments.place;
    let progress = Progress::over_entries();
    let mut told = |reached: &eventstore::progress::Progress| {
        progress.say(|| shown(&reached.run_id));
        progress.reached(reached.entries, reached.entries_total);
        ControlFlow::Continue(())
    };
    let options = RecoveryOptions {
        dry_run: arguments.dry_run,
        progress: Some(&mut told),
        ..RecoveryOptions::default()
    };
    let recovered = recovery::recover(&place.base, &place.instance, options);
    progress.clear();
    let report =
        recovered.map_err(|error| Failure::about(&place.base.join(&place.instance), &error))?;
    let printed = match arguments.json {
        true => print_json(screen, &report),
        false => print(screen, arguments, &report),
    };
    let printed = printed.and_then(|()| screen.flush());
    concluded(verdict(&report, arguments.dry_run), printed.map_err(Failure::from))
}

/// A run that is lost or in doubt is the data's fault; one that could not be looked at or sealed
/// is for another sweep, unless none was meant to be sealed.
fn verdict(report: &RecoveryReport, is_dry_run: bool) -> Outcome {
    use recovery::Outcome as Became;
    let is_at_fault = |run: &RecoveredRun| {
        let quarantined = Became::SealedAs(RunStatus::Quarantined);
        run.outcome == quarantined || matches!(run.outcome, Became::Damaged | Became::Unreadable)
    };
    if report.runs.iter().any(is_at_fault) {
        return Ok(Exit::DataAtFault);
    }
    let is_left = |run: &&RecoveredRun| matches!(run.outcome, Became::Held | Became::Postponed);
    match report.runs.iter().find(is_left) {
        Some(run) if !is_dry_run => {
            let reason = run.reason.as_deref().unwrap_or("it is held");
            let path = run.path.display();
            Err(Failure::CannotRun(format!("{path}: not recovered: {reason}; recover again")))
        }
        _ => Ok(Exit::Done),
    }
}

fn print_json(screen: &mut Screen, report: &RecoveryReport) -> io::Result<()> {
    use recovery::Outcome as Became;
    for run in &report.runs {
        let mut swept = Swept {
            run_id: &run.run_id,
            sealed_as: None,
            repaired: false,
            damaged: false,
            skipped: false,
            reason: run.reason.as_deref(),
        };
        match run.outcome {
            Became::SealedAs(status) => swept.sealed_as = Some(status.name()),
            Became::Repaired => swept.repaired = true,
            Became::Damaged => swept.damaged = true,
            Became::Held | Became::MovedAside | Became::Unreadable | Became::Postponed => {
                swept.skipped = true;
            }
        }
        screen.json(&swept)?;
    }
    screen.json(&Parent { parent_run_id: report.parent_run_id.as_deref() })
}

fn print(screen: &mut Screen, arguments: &Recover, report: &RecoveryReport) -> io::Result<()> {
    if report.runs.is_empty() {
        screen.line("every run is sealed and in order")?;
    } else {
        let done = if arguments.dry_run { "would be" } else { "became" };
        let heads = [("run", Align::Left), (done, Align::Left), ("why", Align::Left)];
        let rows: Vec<Vec<Cell>> = report.runs.iter().map(row).collect();
        for line in table::lines(screen, &heads, &rows) {
            screen.line(&line)?;
        }
        screen.line("")?;
    }
    let label = screen.paint(Tone::Heading, "newest recovered run");
    let parent = report.parent_run_id.as_deref().map_or_else(|| "none".to_owned(), shown);
    screen.line(&format!("{label}  {parent}"))?;
    if arguments.dry_run {
        screen.line("nothing was changed")?;
    }
    Ok(())
}

fn row(run: &RecoveredRun) -> Vec<Cell> {
    use recovery::Outcome as Became;
    let (tone, became) = match run.outcome {
        Became::SealedAs(RunStatus::Quarantined) => (Tone::Bad, "sealed Quarantined".into()),
        Became::SealedAs(status) => (Tone::Good, format!("sealed {}", status.name())),
        Became::Repaired => (Tone::Good, "repaired".into()),
        Became::Damaged => (Tone::Bad, "damaged, unchanged".into()),
        Became::Held => (Tone::Notice, "skipped: held".into()),
        Became::MovedAside => (Tone::Notice, "moved aside".into()),
        Became::Unreadable => (Tone::Bad, "unreadable, unchanged".into()),
        Became::Postponed => (Tone::Notice, "skipped: refused".into()),
    };
    let reason = run.reason.as_deref().map_or_else(String::new, one_line);
    vec![Cell::plain(shown(&run.run_id)), Cell::new(tone, became), Cell::plain(reason)]
}
