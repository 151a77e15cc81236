//! `eventstore retention`: which runs a rule keeps; the others are deleted only when told to.

use std::io;

use eventstore::retention::{self, RetentionPlan, RetentionReport};
use serde::Serialize;

use crate::arguments::Retention;
use crate::failure::{Exit, Failure, Outcome, concluded, one_line};
use crate::screen::{Screen, Tone};
use crate::table::{self, Align, Cell, readable_bytes};

/// What becomes of a run.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// The rule keeps it.
    Keep,
    /// It would be deleted.
    Delete,
    /// It was.
    Deleted,
    /// It could not be.
    Skipped,
}

#[derive(Serialize)]
struct Decided {
    run_id: String,
    action: Action,
    bytes: Option<u64>,
    reason: Option<String>,
}

/// The last line of `retention --json`.
#[derive(Serialize)]
struct Rule<'a> {
    restore_point: Option<&'a str>,
    reason: Option<&'a str>,
}

pub(crate) fn run(arguments: &Retention, screen: &mut Screen) -> Outcome {
    let place = &arguments.place;
    let about = |error| Failure::about(&place.base.join(&place.instance), &error);
    let plan =
        retention::plan_retention(&place.base, &place.instance, arguments.keep).map_err(about)?;
    let report = match arguments.apply {
        true => {
            let applied = retention::apply_retention(&place.base, &place.instance, &plan);
            Some(applied.map_err(about)?)
        }
        false => None,
    };
    let decided = decisions(&plan, report.as_ref());
    let printed = match arguments.json {
        true => print_json(screen, &plan, &decided),
        false => print(screen, &plan, &decided, arguments.apply),
    };
    let printed = printed.and_then(|()| screen.flush());
    let verdict = match report.and_then(|report| report.skipped.into_iter().next()) {
        None => Ok(Exit::Done),
        Some((run_id, reason)) => {
            let path = place.base.join(&place.instance);
            let path = path.display();
            Err(Failure::CannotRun(format!("{path}: {run_id} was not deleted: {reason}")))
        }
    };
    concluded(verdict, printed.map_err(Failure::from))
}

fn decisions(plan: &RetentionPlan, report: Option<&RetentionReport>) -> Vec<Decided> {
    let kept = plan.kept.iter().map(|run| Decided {
        run_id: run.run_id.clone(),
        action: Action::Keep,
        bytes: None,
        reason: Some(one_line(&run.why.to_string())),
    });
    let candidates = plan.delete.iter().map(|run| {
        let skipped =
            report.and_then(|report| report.skipped.iter().find(|(id, _)| *id == run.run_id));
        let is_deleted = report.is_some_and(|report| report.deleted.contains(&run.run_id));
        let action = match (is_deleted, skipped) {
            (true, _) => Action::Deleted,
            (false, Some(_)) => Action::Skipped,
            (false, None) => Action::Delete,
        };
        let reason = skipped.map(|(_, reason)| one_line(reason));
        Decided { run_id: run.run_id.clone(), action, bytes: Some(run.bytes), reason }
    });
    candidates.chain(kept).collect()
}

fn print_json(screen: &mut Screen, plan: &RetentionPlan, decided: &[Decided]) -> io::Result<()> {
    for run in decided {
        screen.json(run)?;
    }
    let restore_point = plan.restore_point.as_deref();
    screen.json(&Rule { restore_point, reason: plan.reason.as_deref() })
}

fn print(
    screen: &mut Screen,
    plan: &RetentionPlan,
    decided: &[Decided],
    is_applied: bool,
) -> io::Result<()> {
    let heads = [
        ("run", Align::Left),
        ("action", Align::Left),
        ("size", Align::Right),
        ("why", Align::Left),
    ];
    let row = |run: &Decided| {
        let (tone, action) = match run.action {
            Action::Keep => (Tone::Good, "keep"),
            Action::Delete => (Tone::Notice, "delete"),
            Action::Deleted => (Tone::Notice, "deleted"),
            Action::Skipped => (Tone::Bad, "skipped"),
        };
        let reason = run.reason.as_deref().unwrap_or("the rule does not keep it");
        vec![
            Cell::plain(&run.run_id),
            Cell::new(tone, action),
            Cell::plain(run.bytes.map_or_else(String::new, readable_bytes)),
            Cell::plain(reason),
        ]
    };
    if !decided.is_empty() {
        let rows: Vec<Vec<Cell>> = decided.iter().map(row).collect();
        for line in table::lines(screen, &heads, &rows) {
            screen.line(&line)?;
        }
        screen.line("")?;
    }
    let of = |action| decided.iter().filter(move |run| run.action == action);
    let freed: u64 =
        of(Action::Deleted).chain(of(Action::Delete)).filter_map(|run| run.bytes).sum();
    let freed = readable_bytes(freed);
    if let Some(reason) = &plan.reason {
        return screen.line(&format!("nothing to delete: {reason}"));
    }
    match is_applied {
        true => screen.line(&format!("{} deleted, {freed}", of(Action::Deleted).count())),
        false => {
            let count = of(Action::Delete).count();
            screen.line(&format!("{count} to delete, {freed}; --apply deletes"))
        }
    }
}
