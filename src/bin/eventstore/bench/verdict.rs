//! How rows stand to the goals: met, missed by how much and why, or not measured and why.
//!
//! A goal never goes without a verdict: what was not asked for, has no tool here or rests on too few
//! samples says so.

use super::goals::{Bound, CAPTURES, GOALS, Goal};
use super::peers;
use super::row::{Row, Unit, number};
use super::session::Session;

/// How a goal was met.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Standing {
    Met,
    /// By how many percent of the bound.
    Missed(f64),
    NotMeasured(String),
}

/// A goal and the row that is held against it.
pub(crate) struct Verdict<'a> {
    pub(crate) goal: &'a Goal,
    /// Whether it is about entries of captures.
    of_captures: bool,
    row: Option<&'a Row>,
    pub(crate) standing: Standing,
}

/// How a row stands to each goal that it has.
pub(crate) fn verdicts(row: &Row) -> Vec<Verdict<'_>> {
    let (what, of_captures) = match row.what.strip_suffix(CAPTURES) {
        Some(what) => (what, true),
        None => (&*row.what, false),
    };
    let is_for = |goal: &&Goal| {
        (goal.backend, goal.what, goal.batch) == (row.backend, what, row.batch)
            && (goal.is_captured() || !of_captures)
    };
    let found = GOALS.iter().filter(is_for);
    found
        .map(|goal| Verdict { goal, of_captures, row: Some(row), standing: standing(goal, row) })
        .collect()
}

/// Every goal that was asked for, over what entries were asked for.
pub(crate) fn summary<'a>(session: &'a Session<'_>) -> Vec<Verdict<'a>> {
    let mixes: &[bool] =
        if session.arguments.capture.is_empty() { &[false] } else { &[false, true] };
    let asked = GOALS.iter().filter(|goal| session.arguments.asks_for(&[goal.number]));
    let mut verdicts = Vec::new();
    for goal in asked {
        for &of_captures in mixes.iter().filter(|of_captures| !**of_captures || goal.is_captured())
        {
            verdicts.push(of_goal(session, goal, of_captures));
        }
    }
    verdicts
}

fn of_goal<'a>(session: &'a Session<'_>, goal: &'a Goal, of_captures: bool) -> Verdict<'a> {
    let what = format!("{}{}", goal.what, if of_captures { CAPTURES } else { "" });
    let is_asked =
        |row: &&Row| (row.backend, &*row.what, row.batch) == (goal.backend, &*what, goal.batch);
    let row = session.rows.iter().find(is_asked);
    let standing = row.map_or_else(
        || {
            let reason = session.not_measured.get(&format!("{what} of {}", goal.backend));
            Standing::NotMeasured(reason.cloned().unwrap_or_else(|| "not asked for".to_owned()))
        },
        |row| standing(goal, row),
    );
    Verdict { goal, of_captures, row, standing }
}

fn standing(goal: &Goal, row: &Row) -> Standing {
    if let Some(flaw) = &row.flaw {
        return Standing::NotMeasured(flaw.clone());
    }
    let Some(found) = found(goal, row) else {
        return Standing::NotMeasured(peers::NONE.to_owned());
    };
    let missed = match goal.bound {
        Bound::RatioAtLeast(bound) | Bound::PeerAtLeast(bound) => 1.0 - found / bound,
        Bound::RatioAtMost(bound) | Bound::ValueAtMost(bound) if bound > 0.0 => found / bound - 1.0,
        Bound::RatioAtMost(_) | Bound::ValueAtMost(_) => found,
    };
    if missed > 0.0 { Standing::Missed(missed * 100.0) } else { Standing::Met }
}

/// What the bound is about; `None` without the peer.
fn found(goal: &Goal, row: &Row) -> Option<f64> {
    match goal.bound {
        Bound::RatioAtLeast(_) | Bound::RatioAtMost(_) => Some(row.ratio_to_limit),
        Bound::ValueAtMost(_) => Some(row.value),
        Bound::PeerAtLeast(_) => row.peers.get(peers::STAND_IN).map(|peer| peer.ratio.median),
    }
}

/// The columns of the summary.
pub(crate) const HEADS: [&str; 6] = ["goal", "what", "batch", "bound", "found", "verdict"];

impl Verdict<'_> {
    pub(crate) fn is_met(&self) -> bool {
        self.standing == Standing::Met
    }

    /// As it stands beside its row.
    pub(crate) fn short(&self) -> String {
        let how = match &self.standing {
            Standing::Met => "met".to_owned(),
            Standing::Missed(percent) => format!("missed by {} %", number(*percent)),
            Standing::NotMeasured(_) => "not measured".to_owned(),
        };
        format!("{} {}: {how}", self.goal.number, self.goal.bound_text())
    }

    /// Its line of the summary.
    pub(crate) fn cells(&self) -> [String; 6] {
        let goal = self.goal;
        let found = match (&self.standing, self.row.zip(self.row.and_then(|row| found(goal, row))))
        {
            (Standing::NotMeasured(_), _) | (_, None) => "-".to_owned(),
            (_, Some((row, found))) => match goal.bound {
                Bound::ValueAtMost(_) => format!("{} {}", number(found), row.unit.name()),
                _ => format!("{found:.2}"),
            },
        };
        let more = if self.of_captures { CAPTURES } else { "" };
        let verdict = match &self.standing {
            Standing::Met => "met".to_owned(),
            Standing::Missed(percent) => {
                let beyond = self.row.and_then(|row| beyond_limit(goal, row)).unwrap_or_default();
                format!("missed by {} %: {beyond}{}", number(*percent), goal.why())
            }
            Standing::NotMeasured(reason) => format!("NOT MEASURED: {reason}"),
        };
        [
            goal.number.to_owned(),
            format!("{}{more}, {}", goal.what, goal.backend),
            goal.batch.to_string(),
            goal.bound_text(),
            found,
            verdict,
        ]
    }
}

/// What a commit costs on top of the raw loop's, which no ratio shows.
fn beyond_limit(goal: &Goal, row: &Row) -> Option<String> {
    let is_rate =
        row.unit == Unit::EntriesPerSecond && matches!(goal.bound, Bound::RatioAtLeast(_));
    if !is_rate || row.batch == 1 && !row.what.starts_with("append") {
        return None;
    }
    let beyond_us = (1.0 / row.value - 1.0 / row.limit_value) * row.batch as f64 * 1e6;
    Some(format!("{} us a commit beyond the raw loop; ", number(beyond_us)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bench::goals::NUMBERS;
    use crate::bench::pairs::Middle;
    use crate::bench::row::Beside;

    fn row(what: &str, backend: &'static str, batch: u64, ratio: f64) -> Row {
        Row {
            what: what.to_owned(),
            backend,
            batch,
            payload: 256,
            entries: 1,
            value: 600.0,
            unit: Unit::EntriesPerSecond,
            limit: "a limit".into(),
            limit_value: 1000.0,
            ratio_to_limit: ratio,
            peers: BTreeMap::new(),
            interval: None,
            remark: None,
            flaw: None,
        }
    }

    fn shorts(row: &Row) -> Vec<String> {
        verdicts(row).iter().map(Verdict::short).collect()
    }

    /// A missed goal says by how much, in the direction that its bound has.
    #[test]
    fn goals_say_met_or_by_how_much_missed() {
        assert_eq!(shorts(&row("append", "log", 10, 0.85)), ["P1 >= 0.85: met"]);
        assert_eq!(shorts(&row("append", "log", 10, 0.68)), ["P1 >= 0.85: missed by 20.0 %"]);
        assert_eq!(shorts(&row("get", "log", 1, 2.6)), ["P6 <= 1.3: missed by 100 %"]);
        assert_eq!(shorts(&row("lookup", "log", 1, 1.0)), ["P6 <= 500: missed by 20.0 %"]);
        assert_eq!(shorts(&row("append", "memory", 10, 0.1)), [""; 0]);
    }

    /// A bound of nothing is missed by anything.
    #[test]
    fn bound_of_zero_is_met_by_zero_alone() {
        let mut calls = row("submit system calls", "log", 1, 0.0);
        assert_eq!(shorts(&calls), ["P3 <= 0: missed by 60,000 %"]);
        calls.value = 0.0;
        assert_eq!(shorts(&calls), ["P3 <= 0: met"]);
    }

    /// A factor of the peer is one of pairs, and without the peer it is not measured.
    #[test]
    fn peer_goals_need_the_peer() {
        let mut append = row("append", "log", 100, 0.75);
        let without = ["P1 >= 0.75: met", "P1 >= 5 x plain redb: not measured"];
        assert_eq!(shorts(&append), without);
        let ratio = Middle { median: 4.0, low: 3.0, high: 5.0 };
        append.peers.insert(peers::STAND_IN, Beside { value: 1.0, ratio });
        assert_eq!(shorts(&append)[1], "P1 >= 5 x plain redb: missed by 20.0 %");
    }

    /// What captures were measured for has its goals, and no row with a flaw has a verdict.
    #[test]
    fn captures_have_goals_and_flaws_no_verdict() {
        let mut scan = row("scan, captures", "log", 1, 3.5);
        assert_eq!(shorts(&scan), ["P5 >= 3: met"]);
        scan.flaw = Some("too few".to_owned());
        assert_eq!(shorts(&scan), ["P5 >= 3: not measured"]);
        assert_eq!(shorts(&row("get, captures", "log", 1, 1.0)), [""; 0]);
    }

    /// No goal's number is without a bound.
    #[test]
    fn every_number_has_a_goal() {
        for number in NUMBERS {
            assert!(GOALS.iter().any(|goal| goal.number == number), "{number}");
        }
    }
}
