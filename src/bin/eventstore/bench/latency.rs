//! Latencies as histograms, and the rows that their percentiles are.

use hdrhistogram::Histogram;

use super::row::{Row, Unit};
use super::session::Session;

/// Percentiles that are told, and their names.
pub(crate) const PERCENTILES: [(f64, &str); 4] =
    [(50.0, "p50"), (99.0, "p99"), (99.9, "p99.9"), (100.0, "max")];
/// A percentile that fewer samples lie beyond is chance.
const SAMPLES_BEYOND_MIN: f64 = 100.0;

/// An empty histogram of nanoseconds, exact to three digits up to a minute.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds that hdrhistogram takes")
}

/// A row for each percentile, beside the same percentile of the limit.
pub(crate) fn push_rows(
    session: &mut Session<'_>,
    what: &str,
    backend: &'static str,
    (ours, limit): (&Histogram<u64>, &Histogram<u64>),
    limit_name: &'static str,
    schedule: Option<&Schedule>,
) {
    for (percentile, name) in PERCENTILES {
        let value = ours.value_at_percentile(percentile) as f64;
        let limit_value = limit.value_at_percentile(percentile) as f64;
        let row = Row {
            entries: ours.len(),
            value,
            limit: limit_name.into(),
            limit_value,
            // A clock that sees less than its own step says 0.
            ratio_to_limit: value.max(1.0) / limit_value.max(1.0),
            remark: schedule.map(Schedule::text),
            flaw: schedule.and_then(Schedule::flaw).or_else(|| too_few(ours.len(), percentile)),
            ..session.row(&format!("{what} {name}"), backend, Unit::Nanoseconds)
        };
        session.rows.push(row);
    }
}

/// What a percentile of so few samples is worth; the largest is what it is.
fn too_few(samples: u64, percentile: f64) -> Option<String> {
    let beyond = samples as f64 * (100.0 - percentile) / 100.0;
    let is_few = percentile < 100.0 && beyond.round() < SAMPLES_BEYOND_MIN;
    is_few.then(|| format!("{beyond:.0} samples lie beyond, {SAMPLES_BEYOND_MIN:.0} are needed"))
}

/// What a fixed schedule asked for, and what came of it.
pub(crate) struct Schedule {
    /// A second.
    pub(crate) offered: f64,
    pub(crate) achieved: f64,
}

impl Schedule {
    const ACHIEVED_MIN: f64 = 0.99;

    fn text(&self) -> String {
        format!("offered {:.0}/s, achieved {:.0}/s", self.offered, self.achieved)
    }

    fn flaw(&self) -> Option<String> {
        let is_behind = self.achieved < Self::ACHIEVED_MIN * self.offered;
        is_behind.then(|| "the schedule was not kept".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100,000 samples are enough for the last of a thousand, and 99,000 are not.
    #[test]
    fn far_percentiles_need_many_samples() {
        assert_eq!(too_few(100_000, 99.9), None);
        let text = "99 samples lie beyond, 100 are needed";
        assert_eq!(too_few(99_000, 99.9).as_deref(), Some(text));
        assert_eq!((too_few(200, 50.0), too_few(1, 100.0)), (None, None));
    }

    /// A schedule that fell behind by more than a hundredth voids its rows.
    #[test]
    fn schedule_that_was_not_kept_is_a_flaw() {
        let flaw = |achieved| Schedule { offered: 1000.0, achieved }.flaw();
        assert_eq!(flaw(995.0), None);
        assert!(flaw(985.0).is_some());
    }
}
