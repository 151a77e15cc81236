//! The verifier's report in the shape of CLI.md, and in words.

use eventstore::verifier::{self, DigestVerdict, VerifyReport};
use serde::{Deserialize, Serialize};

/// What `verify --json` prints. What cannot be known is null.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) run_id: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) high_watermark: Option<u64>,
    pub(crate) entries_scanned: Option<u64>,
    pub(crate) clean: bool,
    pub(crate) findings: Vec<Finding>,
}

/// One finding.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Finding {
    HashMismatch { seq: u64 },
    SeqMismatch { table_key: u64, embedded_seq: u64 },
    Undecodable { seq: u64, reason: String },
    Gap { from: u64, to: u64 },
    IndexDrift { index: String, key: String, target: Option<u64>, drift: String },
    ManifestMismatch { field: String, reason: String },
    AnchorInvalid { reason: String },
    DigestMismatch { reason: String },
    Damaged { reason: String },
}

/// The same report for people.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InWords {
    /// What became of the run digest.
    pub(crate) digest: String,
    pub(crate) findings: Vec<FindingInWords>,
}

/// The kind of a finding, and what it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FindingInWords {
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl From<&VerifyReport> for Report {
    fn from(report: &VerifyReport) -> Self {
        Self {
            run_id: report.run_id.clone(),
            status: report.status.map(|status| status.name().to_owned()),
            high_watermark: report.high_watermark,
            entries_scanned: Some(report.entries_scanned),
            clean: report.is_clean(),
            findings: report.findings.iter().map(Finding::from).collect(),
        }
    }
}

impl Report {
    /// Of a file of which nothing is known but that it is damaged.
    pub(crate) fn of_damage(reason: impl Into<String>) -> Self {
        Self {
            run_id: None,
            status: None,
            high_watermark: None,
            entries_scanned: None,
            clean: false,
            findings: vec![Finding::Damaged { reason: reason.into() }],
        }
    }
}

impl From<&verifier::Finding> for Finding {
    fn from(finding: &verifier::Finding) -> Self {
        use verifier::Finding as Found;
        match finding.clone() {
            Found::HashMismatch { seq } => Self::HashMismatch { seq },
            Found::SeqMismatch { table_key, embedded_seq } => {
                Self::SeqMismatch { table_key, embedded_seq }
            }
            Found::Undecodable { seq, reason } => Self::Undecodable { seq, reason },
            Found::Gap { from, to } => Self::Gap { from, to },
            Found::IndexDrift { kind, key, target, drift } => Self::IndexDrift {
                index: kind.name().to_owned(),
                key,
                target,
                drift: drift.name().to_owned(),
            },
            Found::ManifestMismatch { field, reason } => {
                Self::ManifestMismatch { field: field.to_owned(), reason }
            }
            Found::AnchorInvalid { reason } => Self::AnchorInvalid { reason },
            Found::DigestMismatch { reason } => Self::DigestMismatch { reason },
            Found::Damaged { reason } => Self::Damaged { reason },
            other => Self::Damaged { reason: other.to_string() },
        }
    }
}

impl From<&verifier::Finding> for FindingInWords {
    fn from(finding: &verifier::Finding) -> Self {
        Self { kind: finding.kind_name().to_owned(), text: finding.to_string() }
    }
}

impl From<&VerifyReport> for InWords {
    fn from(report: &VerifyReport) -> Self {
        let digest = match &report.digest {
            DigestVerdict::Matches => "matches".to_owned(),
            DigestVerdict::Differs => "differs".to_owned(),
            DigestVerdict::Absent { why } => format!("absent: {why}"),
            DigestVerdict::NotChecked { why } => format!("not checked: {why}"),
        };
        Self { digest, findings: report.findings.iter().map(FindingInWords::from).collect() }
    }
}

impl InWords {
    /// See [`Report::of_damage`].
    pub(crate) fn of_damage(reason: impl Into<String>) -> Self {
        let text = reason.into();
        let finding = FindingInWords { kind: "damaged".to_owned(), text };
        Self { digest: "not checked".to_owned(), findings: vec![finding] }
    }
}
