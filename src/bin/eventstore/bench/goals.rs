//! The goals of the backend that has any, as numbers: what the table says of each row.

use super::row::Row;

/// The backend that goals were set for; rows of others stand beside without one.
const GOAL_BACKEND: &str = "log";

/// What a goal is about.
enum Bound {
    /// The ratio to the limit is at least this.
    RatioAtLeast(f64),
    /// The ratio to the limit is at most this.
    RatioAtMost(f64),
    /// The value is at most this.
    ValueAtMost(f64),
}

/// How a row stands to its goal.
pub(crate) struct Verdict {
    pub(crate) is_met: bool,
    pub(crate) text: String,
}

/// The goal's number and bound; `what` as rows have it.
fn goal(what: &str, batch: u64) -> Option<(&'static str, Bound)> {
    Some(match (what, batch) {
        ("append", 1) => ("P1", Bound::RatioAtLeast(0.90)),
        ("append", 10) => ("P1", Bound::RatioAtLeast(0.85)),
        ("append", 100) => ("P1", Bound::RatioAtLeast(0.75)),
        ("append", 1000) => ("P1", Bound::RatioAtLeast(0.50)),
        ("stream", 1000) => ("P1", Bound::RatioAtLeast(0.70)),
        ("submit 1000/s p50" | "submit 10000/s p50" | "submit 100000/s p50", _) => {
            ("P3", Bound::ValueAtMost(100.0))
        }
        ("submit 1000/s p99" | "submit 10000/s p99" | "submit 100000/s p99", _) => {
            ("P3", Bound::ValueAtMost(1_000.0))
        }
        ("submit 1000/s p99.9" | "submit 10000/s p99.9" | "submit 100000/s p99.9", _) => {
            ("P3", Bound::ValueAtMost(20_000.0))
        }
        ("submit burst", _) => ("P3", Bound::ValueAtMost(100.0)),
        ("append ack p50", _) => ("P4", Bound::RatioAtMost(1.25)),
        ("scan", _) => ("P5", Bound::RatioAtLeast(3.0)),
        ("get", _) => ("P6", Bound::RatioAtMost(1.3)),
        ("lookup", _) => ("P6", Bound::ValueAtMost(500.0)),
        ("open sealed, growth", _) => ("P7", Bound::RatioAtMost(1.5)),
        ("open sealed", _) => ("P7", Bound::ValueAtMost(5_000_000.0)),
        ("open killed, growth", _) => ("P8", Bound::RatioAtMost(1.5)),
        // 0.85 of the scan's.
        ("verify", _) => ("P9", Bound::RatioAtLeast(2.55)),
        ("stream disk", _) => ("P10", Bound::RatioAtMost(1.15)),
        ("stream memory growth", _) => ("P11", Bound::ValueAtMost(16.0 * 1024.0 * 1024.0)),
        _ => return None,
    })
}

/// How this row stands to its goal, if it has one.
pub(crate) fn verdict(row: &Row) -> Option<Verdict> {
    if row.backend != GOAL_BACKEND {
        return None;
    }
    let (number, bound) = goal(&row.what, row.batch)?;
    let (found, bound, at_least) = match bound {
        Bound::RatioAtLeast(bound) => (row.ratio_to_limit, bound, true),
        Bound::RatioAtMost(bound) => (row.ratio_to_limit, bound, false),
        Bound::ValueAtMost(bound) => (row.value, bound, false),
    };
    let is_met = if at_least { found >= bound } else { found <= bound };
    let sign = if at_least { ">=" } else { "<=" };
    let how = match (is_met, at_least) {
        (true, _) => "met".to_owned(),
        (false, true) => format!("missed by {:.0} %", 100.0 * (1.0 - found / bound)),
        (false, false) => format!("missed by {:.0} %", 100.0 * (found / bound - 1.0)),
    };
    Some(Verdict { is_met, text: format!("{number} {sign} {bound}: {how}") })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bench::row::Unit;

    fn row(what: &str, backend: &'static str, ratio: f64) -> Row {
        Row {
            what: what.to_owned(),
            backend,
            batch: 100,
            payload: 256,
            entries: 1,
            value: 600.0,
            unit: Unit::EntriesPerSecond,
            limit: "a limit",
            limit_value: 1.0,
            ratio_to_limit: ratio,
            peers: BTreeMap::new(),
            interval: None,
        }
    }

    /// A missed goal says by how much, in the direction that its bound has.
    #[test]
    fn goals_say_met_or_by_how_much_missed() {
        let text = |row: Row| verdict(&row).map(|verdict| (verdict.is_met, verdict.text));
        let met = |text: &str| Some((true, text.to_owned()));
        let missed = |text: &str| Some((false, text.to_owned()));
        assert_eq!(text(row("append", "log", 0.75)), met("P1 >= 0.75: met"));
        assert_eq!(text(row("append", "log", 0.6)), missed("P1 >= 0.75: missed by 20 %"));
        assert_eq!(text(row("get", "log", 2.6)), missed("P6 <= 1.3: missed by 100 %"));
        assert_eq!(text(row("lookup", "log", 1.0)), missed("P6 <= 500: missed by 20 %"));
        assert_eq!(text(row("append", "redb", 0.1)), None);
    }
}
