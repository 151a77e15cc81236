//! A row of the table: what was measured, beside its limit and its peers. Its JSON is CLI.md's.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::pairs::Middle;
use super::verdict;
use crate::screen::{Screen, Tone};
use crate::table::{self, Align, Cell, grouped};

/// The row's backend where the store takes no part.
pub(crate) const NO_BACKEND: &str = "none";

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    /// More is better.
    #[serde(rename = "entries/s")]
    EntriesPerSecond,
    /// Less is better, as of all below.
    #[serde(rename = "ns")]
    Nanoseconds,
    #[serde(rename = "bytes")]
    Bytes,
    #[serde(rename = "cores")]
    Cores,
    /// A commit, or a submit.
    #[serde(rename = "calls")]
    Calls,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EntriesPerSecond => "entries/s",
            Self::Nanoseconds => "ns",
            Self::Bytes => "bytes",
            Self::Cores => "cores",
            Self::Calls => "calls",
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) backend: &'static str,
    /// Entries of a commit; 1 for what takes single entries.
    pub(crate) batch: u64,
    /// Bytes of an entry's payload, on average.
    pub(crate) payload: u64,
    /// How many entries the value is made of, or the run's, where that is read.
    pub(crate) entries: u64,
    #[serde(serialize_with = "rounded")]
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    /// What the machine allows.
    pub(crate) limit: Cow<'static, str>,
    #[serde(serialize_with = "rounded")]
    pub(crate) limit_value: f64,
    #[serde(serialize_with = "rounded")]
    pub(crate) ratio_to_limit: f64,
    /// Who else did the same work in the same turns, under the same guarantee.
    #[serde(serialize_with = "rounded_all")]
    pub(crate) peers: BTreeMap<&'static str, Beside>,
    /// The interval of the ratio, where pairs were taken.
    #[serde(skip)]
    pub(crate) interval: Option<(f64, f64)>,
    /// What else the reader must know of this row.
    #[serde(skip)]
    pub(crate) remark: Option<String>,
    /// Why no verdict may rest on this row.
    #[serde(skip)]
    pub(crate) flaw: Option<String>,
}

/// A peer's value, and ours to it as the median over pairs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside {
    pub(crate) value: f64,
    pub(crate) ratio: Middle,
}

impl Row {
    /// The ratio and its interval from pairs.
    pub(crate) fn with_ratio(mut self, ratio: Middle) -> Self {
        self.ratio_to_limit = ratio.median;
        self.interval = Some((ratio.low, ratio.high));
        self
    }
}

/// To six significant digits: more is noise.
fn rounded<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(significant(*value))
}

fn rounded_all<S: Serializer>(
    peers: &BTreeMap<&'static str, Beside>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(peers.iter().map(|(name, peer)| (name, significant(peer.value))))
}

fn significant(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// Where the ratio stands among the columns.
const RATIO: usize = 9;

/// The columns of the table and of the document.
pub(crate) const HEADS: [(&str, Align); 13] = [
    ("what", Align::Left),
    ("backend", Align::Left),
    ("batch", Align::Right),
    ("payload", Align::Right),
    ("entries", Align::Right),
    ("value", Align::Right),
    ("unit", Align::Left),
    ("limit", Align::Left),
    ("limit's value", Align::Right),
    ("ratio", Align::Right),
    ("peers", Align::Left),
    ("goal", Align::Left),
    ("remark", Align::Left),
];

/// The row's cells as text.
pub(crate) fn cells(row: &Row) -> [String; 13] {
    let peers = row.peers.iter().map(|(name, peer)| {
        let Middle { median, low, high } = peer.ratio;
        format!("{name} {}: {median:.2} ({low:.2}-{high:.2})", number(peer.value))
    });
    let ratio = match row.interval {
        Some((low, high)) => format!("{:.2} ({low:.2}-{high:.2})", row.ratio_to_limit),
        None => format!("{:.2}", row.ratio_to_limit),
    };
    let goals: Vec<String> = verdict::verdicts(row).into_iter().map(|v| v.short()).collect();
    let remarks = [row.remark.as_deref(), row.flaw.as_deref()];
    [
        row.what.clone(),
        row.backend.to_owned(),
        grouped(row.batch),
        grouped(row.payload),
        grouped(row.entries),
        number(row.value),
        row.unit.name().to_owned(),
        row.limit.to_string(),
        number(row.limit_value),
        ratio,
        peers.collect::<Vec<_>>().join(", "),
        goals.join("; "),
        remarks.into_iter().flatten().collect::<Vec<_>>().join("; "),
    ]
}

/// `1,234,567`, `12.3`, `0.004`: enough digits to compare, none to admire.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => grouped(value.round() as u64),
        middle if middle >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// The rows as lines of a table.
pub(crate) fn lines(screen: &Screen, rows: &[Row]) -> Vec<String> {
    let of_row = |row: &Row| {
        let verdicts = verdict::verdicts(row);
        let tone = match verdicts.iter().map(|verdict| verdict.is_met()).min() {
            Some(true) => Tone::Good,
            Some(false) => Tone::Notice,
            None => Tone::Plain,
        };
        let texts = cells(row);
        let ratio = Cell::new(tone, texts[RATIO].clone());
        let mut cells = texts.map(Cell::plain).to_vec();
        cells[RATIO] = ratio;
        cells
    };
    table::lines(screen, &HEADS, &rows.iter().map(of_row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small and large values keep the digits that a comparison needs.
    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!(
            [0.0, 0.0123, 3.25, 99.96, 123.4, 4_800_000.4].map(number),
            ["0.000", "0.012", "3.2", "100.0", "123", "4,800,000"]
        );
        assert_eq!(significant(123_456_789.0), 123_457_000.0);
    }
}
