//! Reads a sealed run whole and reports everything that is wrong with it.
//!
//! The file is never written: its structure is checked over a copy-on-write view, then every
//! entry, both indices, the manifest, the anchor and the run digest. No finding stops the rest.
//! Memory grows with the findings and the threads, not with the run. A run that is not sealed is
//! recovery's.

mod finding;
mod index_check;
mod rows;
pub(crate) mod survey;

use std::path::Path;

pub use self::finding::{Drift, Finding};
use self::index_check::IndexCheck;
use self::rows::{Rows, walk_in_parts};
use self::survey::{Surveyed, Walked, walk};
use crate::backend::EventReader;
use crate::backend::run_format::{Examined, FoundRun};
use crate::digest::RunDigest;
use crate::error::{EventStoreError, Fault, Result};
use crate::limits::THREADS_MAX;
use crate::manifest::{RunManifest, RunStatus};
use crate::platform::parallel::threads_given;
use crate::progress::{ProgressCallback, Teller};
use crate::snapshot::SnapshotAnchor;
use crate::store;

/// How to verify a run.
pub struct VerifyOptions<'p> {
    /// The digest that was kept elsewhere when the run was closed.
    pub expected_digest: Option<[u8; 32]>,
    /// Key of the run digest; a run with a plain digest is then a finding.
    pub digest_key: Option<[u8; 32]>,
    /// Memory for pages, in bytes; 32 MiB.
    pub cache_bytes: usize,
    /// How many threads read and check the run, the caller's among them; 0, the default: as many
    /// as there are processors that the process may use. The report does not depend on it. A run
    /// whose structure is damaged is read by one.
    pub threads: usize,
    /// Is told how far the entries are, on the caller's thread.
    pub progress: Option<&'p mut ProgressCallback<'p>>,
}

impl Default for VerifyOptions<'_> {
    fn default() -> Self {
        Self {
            expected_digest: None,
            digest_key: None,
            cache_bytes: 32 << 20,
            threads: 0,
            progress: None,
        }
    }
}

/// What became of the run digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestVerdict {
    /// The stored digest is that of the run.
    Matches,
    /// It is not; there is a finding.
    Differs,
    /// The file has none.
    Absent {
        /// Why.
        why: String,
    },
    /// It could not be computed.
    NotChecked {
        /// Why.
        why: String,
    },
}

/// Everything that was found.
#[derive(Debug, Clone)]
pub struct VerifyReport {
    /// The run, as its manifest says; `None` where that cannot be read.
    pub run_id: Option<String>,
    /// Its status.
    pub status: Option<RunStatus>,
    /// The largest entry that the file tells of.
    pub high_watermark: Option<u64>,
    /// Entries that are whole and match their hash.
    pub entries_scanned: u64,
    /// In the order: structure, entries, indices, manifest, anchor, digest.
    pub findings: Vec<Finding>,
    /// What became of the run digest.
    pub digest: DigestVerdict,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Verifies a sealed run. `[blocks]` as long as reading the file takes, about twice.
///
/// # Errors
/// `InvalidArgument` for more than 1,024 threads. What cannot be verified: `NotFound`; `Locked` while
/// a writer has it; `NotSealed`;
/// `UnsupportedFormat`; `Corrupted` for what is no run at all; `Timeout` when the progress
/// callback ended it; `Backend`. Damage of a run is a finding, not an error.
pub fn verify_run(path: &Path, options: VerifyOptions<'_>) -> Result<VerifyReport> {
    if options.threads > THREADS_MAX {
        let reason = format!("{}, allowed are 1 to {THREADS_MAX}, or 0", options.threads);
        return Err(EventStoreError::invalid("threads", reason));
    }
    let found = store::find_run(path)?;
    let plain = found.open(options.cache_bytes);
    match found.examine(options.cache_bytes, options.threads)? {
        Examined::Unsound(damage) => verify_unsound(path, &*found, damage, options),
        Examined::Sound(view) => {
            if !view.manifest()?.status.is_sealed() {
                let reason = "the run is not sealed: recover it first";
                return Err(EventStoreError::NotSealed(Box::new(Fault::new(reason).at(path))));
            }
            let refused = match plain {
                Err(error @ EventStoreError::NotSealed(_)) => return Err(error),
                // Readers would be refused although every checksum holds.
                Err(error) => Some(damaged(&error, path)),
                Ok(_) => None,
            };
            let run = Surveyed::sound(&*found, view, options.cache_bytes);
            let mut report = Verification::of(path, run, options).sound()?;
            report.findings.splice(0..0, refused);
            Ok(report)
        }
    }
}

/// Lists what can still be said of a run whose structure is unsound.
fn verify_unsound(
    path: &Path,
    found: &dyn FoundRun,
    damage: EventStoreError,
    options: VerifyOptions<'_>,
) -> Result<VerifyReport> {
    let first = damaged(&damage, path);
    let mut report = match Surveyed::open_unsound(found, options.cache_bytes, damage) {
        Ok(run) => Verification::of(path, run, options).unsound()?,
        Err(EventStoreError::Corrupted(_)) => VerifyReport::unknown(),
        Err(error) => return Err(error),
    };
    report.findings.insert(0, first);
    Ok(report)
}

/// Names the file, where the run at `path` has several.
fn damaged(error: &EventStoreError, path: &Path) -> Finding {
    let Some(fault) = error.fault() else {
        return Finding::Damaged { reason: error.to_string() };
    };
    let inside = fault.path.as_deref().and_then(|file| file.strip_prefix(path).ok());
    let reason = match inside {
        Some(file) if file != Path::new("") => format!("{}: {}", file.display(), fault.message),
        _ => fault.message.clone(),
    };
    Finding::Damaged { reason }
}

impl VerifyReport {
    fn unknown() -> Self {
        Self {
            run_id: None,
            status: None,
            high_watermark: None,
            entries_scanned: 0,
            findings: Vec::new(),
            digest: DigestVerdict::NotChecked { why: "the file's structure is damaged".into() },
        }
    }
}

/// One run on its way through all checks.
struct Verification<'v, 'p> {
    path: &'v Path,
    run: Surveyed<'v>,
    options: VerifyOptions<'p>,
    findings: Vec<Finding>,
}

impl<'v, 'p> Verification<'v, 'p> {
    fn of(path: &'v Path, run: Surveyed<'v>, options: VerifyOptions<'p>) -> Self {
        Self { path, run, options, findings: Vec::new() }
    }

    fn unsound(mut self) -> Result<VerifyReport> {
        let manifest = self.run.view().manifest().ok();
        let high_watermark = self.run.view().high_watermark();
        let run_id = manifest.as_ref().map(|manifest| manifest.run_id.clone());
        let teller = self.teller(run_id.as_deref().unwrap_or_default(), high_watermark);
        let mut rows = Rows::new(teller, None);
        let walked = walk(&mut self.run, &mut rows);
        let Rows { findings, entries, .. } = rows;
        if let Ok(Walked { is_broken_off: true, .. }) = walked {
            return Err(EventStoreError::Timeout);
        }
        self.findings = findings;
        match walked {
            // Not even another view of it can be opened: the rest is lost with the structure.
            Err(EventStoreError::Corrupted(_)) | Ok(_) => {}
            Err(error) => return Err(error),
        }
        Ok(VerifyReport {
            run_id,
            status: manifest.map(|manifest| manifest.status),
            high_watermark: Some(high_watermark),
            entries_scanned: entries,
            findings: self.findings,
            ..VerifyReport::unknown()
        })
    }

    fn sound(mut self) -> Result<VerifyReport> {
        let view = self.run.view().clone();
        let manifest = view.manifest()?;
        let stored = view.digest();
        let key = match &stored {
            Ok(Some(digest)) if digest.keyed => self.options.digest_key,
            _ => None,
        };
        let teller = self.teller(&manifest.run_id, view.high_watermark());
        let mut rows = Rows::new(teller, key.as_ref());
        let to_look_up = self.run.view_to_look_up();
        rows.indexed = to_look_up.as_deref();
        let threads = threads_given(self.options.threads);
        let walked = walk_in_parts(&mut self.run, &mut rows, threads)?;
        if walked.is_broken_off {
            return Err(EventStoreError::Timeout);
        }
        let Rows { digest, indices, entries, ts_init_max, findings, .. } = rows;
        let has_bad_rows = !findings.is_empty();
        self.findings.extend(findings);
        if let Some(view) = &to_look_up {
            self.check_indices(view.as_ref(), indices, has_bad_rows);
        }
        self.check_manifest(&manifest, walked.last_present, ts_init_max, has_bad_rows);
        let anchor = self.check_anchor(view.as_ref());
        let computed = digest.finish(anchor.as_ref(), &manifest);
        let verdict = self.check_digest(&manifest, stored, computed, has_bad_rows);
        Ok(VerifyReport {
            run_id: Some(manifest.run_id),
            status: Some(manifest.status),
            high_watermark: Some(view.high_watermark()),
            entries_scanned: entries,
            findings: self.findings,
            digest: verdict,
        })
    }

    fn teller(&mut self, run_id: &str, entries_total: u64) -> Teller<'p> {
        Teller::new(run_id, entries_total, self.options.progress.take())
    }

    fn check_indices(
        &mut self,
        view: &dyn EventReader,
        mut indices: IndexCheck,
        has_bad_rows: bool,
    ) {
        let threads = threads_given(self.options.threads);
        let finished = indices.finish(view, has_bad_rows, threads);
        self.findings.append(&mut indices.findings);
        if let Some(error) = indices.failure.take().or(finished.err()) {
            self.findings.push(damaged(&error, self.path));
        }
    }

    fn check_manifest(
        &mut self,
        manifest: &RunManifest,
        last_present: u64,
        ts_init_max: Option<u64>,
        has_bad_rows: bool,
    ) {
        if manifest.high_watermark != last_present {
            let reason =
                format!("stored {}, the last entry is {last_present}", manifest.high_watermark);
            self.findings.push(Finding::ManifestMismatch { field: "high_watermark", reason });
        }
        let (stored, found) = (manifest.end_ts_init, ts_init_max);
        // An entry that cannot be read may have been the largest.
        let is_explained = has_bad_rows && stored > found;
        if stored != found && !is_explained {
            let text = |time: Option<u64>| time.map_or("none".to_owned(), |time| time.to_string());
            let reason = format!(
                "stored {}, the largest ts_init of the entries is {}",
                text(stored),
                text(found)
            );
            self.findings.push(Finding::ManifestMismatch { field: "end_ts_init", reason });
        }
    }

    fn check_anchor(&mut self, view: &dyn EventReader) -> Option<SnapshotAnchor> {
        let reason = match view.latest_snapshot_anchor() {
            Ok(None) => return None,
            Ok(Some(anchor)) => {
                let (covered, last) = (anchor.high_watermark, view.high_watermark());
                if covered >= 1 && covered <= last {
                    return Some(anchor);
                }
                let reason = format!("it covers entry {covered}, the run has entries 1 to {last}");
                self.findings.push(Finding::AnchorInvalid { reason });
                return Some(anchor);
            }
            Err(error) => error.to_string(),
        };
        self.findings.push(Finding::AnchorInvalid { reason });
        None
    }

    fn check_digest(
        &mut self,
        manifest: &RunManifest,
        stored: Result<Option<RunDigest>>,
        computed: RunDigest,
        has_bad_rows: bool,
    ) -> DigestVerdict {
        let expected = self.options.expected_digest;
        let stored = match stored {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                let why = absence(manifest.status);
                if expected.is_some() {
                    let reason = format!("one is expected, the run has none: {why}");
                    self.findings.push(Finding::DigestMismatch { reason });
                }
                return DigestVerdict::Absent { why };
            }
            Err(error) => return self.digest_differs(error.to_string()),
        };
        if let Some(expected) = expected.filter(|expected| *expected != stored.bytes) {
            let reason = format!("expected {}, stored {}", hex(&expected), hex(&stored.bytes));
            return self.digest_differs(reason);
        }
        if self.options.digest_key.is_some() && !stored.keyed {
            return self.digest_differs("a key was given, the stored digest is plain".into());
        }
        if stored.keyed && self.options.digest_key.is_none() {
            let why = "it is keyed, and no key was given".to_owned();
            return DigestVerdict::NotChecked { why };
        }
        if has_bad_rows {
            return self.digest_differs("entries that it covers are missing or damaged".into());
        }
        if computed != stored {
            let (stored, computed) = (hex(&stored.bytes), hex(&computed.bytes));
            return self.digest_differs(format!("stored {stored}, computed {computed}"));
        }
        DigestVerdict::Matches
    }

    fn digest_differs(&mut self, reason: String) -> DigestVerdict {
        self.findings.push(Finding::DigestMismatch { reason });
        DigestVerdict::Differs
    }
}

fn absence(status: RunStatus) -> String {
    if status == RunStatus::Quarantined {
        return "a quarantined run gets none".into();
    }
    "its writer makes none, or it was sealed without the key it was opened with".into()
}

fn hex(bytes: &[u8; 32]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
