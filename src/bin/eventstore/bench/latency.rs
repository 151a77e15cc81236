//! Latencies as histograms, and the rows that their percentiles are.

use hdrhistogram::Histogram;

use super::row::{Row, Unit};
use super::session::Session;

/// Percentiles that are told, and their names.
pub(crate) const PERCENTILES: [(f64, &str); 4] =
    [(50.0, "p50"), (99.0, "p99"), (99.9, "p99.9"), (100.0, "max")];

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
) {
    for (percentile, name) in PERCENTILES {
        let value = ours.value_at_percentile(percentile) as f64;
        let limit_value = limit.value_at_percentile(percentile) as f64;
        let payload = session.shapes.payload_bytes();
        session.rows.push(Row {
            what: format!("{what} {name}"),
            backend,
            batch: 1,
            payload,
            entries: ours.len(),
            value,
            unit: Unit::Nanoseconds,
            limit: limit_name,
            limit_value,
            // A clock that sees less than its own step says 0.
            ratio_to_limit: value.max(1.0) / limit_value.max(1.0),
            peers: Default::default(),
            interval: None,
        });
    }
}
