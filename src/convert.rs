//! Copies a sealed run, entry by entry, into a run of another backend or another base.
//!
//! The copy has the ids of the original, its entries with their hashes and keys, its anchor, its
//! manifest, and its digest. The original is verified before, the copy compared with it and
//! verified after; only then does the copy get its name. The original is never written.
//!
//! A kill at any moment leaves no run under the name, or the whole one (C1): the copy is built in
//! a folder of its own, inside the instance's and under a temporary name, and gets its place by one
//! rename. `Running` under its name it could be taken for a run that its engine left: recovery
//! would seal a part of it and offer that as the parent. What a dead conversion left is recovery's
//! to move aside, as every temporary name is, and the next conversion of the run deletes it: of
//! what it holds the original is there (C2). Both happen under the instance's lock.

mod compare;
mod original;
mod place;

use std::path::{Path, PathBuf};

use self::compare::compare;
use self::original::{Kept, Original};
use self::place::Place;
use crate::backend::EventStore;
use crate::backend::run_format::{Hold, RunFormat};
use crate::digest::RunDigest;
use crate::entry::AppendEntry;
use crate::error::{EventStoreError, Fault, Result};
use crate::index::KeyList;
use crate::manifest::{RunManifest, RunStatus};
use crate::planted::planted;
use crate::progress::{Progress, ProgressCallback, Stages};
use crate::store::{self, BackendKind, NewRun};
use crate::verifier::{DigestVerdict, Drift, Finding, VerifyOptions, VerifyReport, verify_run};

/// How to convert a run.
pub struct ConvertOptions<'p> {
    /// Key of the original's digest, to check it with, before and after; of the copy's own digest
    /// where the original has none that can be kept.
    pub digest_key: Option<[u8; 32]>,
    /// Memory for pages, in bytes, of each of the two runs; 16 MiB.
    pub cache_bytes: usize,
    /// How many threads verify, as in [`VerifyOptions::threads`].
    pub threads: usize,
    /// Is told how far it is. Each entry counts four times: it is verified, copied, compared, and
    /// verified again.
    pub progress: Option<&'p mut ProgressCallback<'p>>,
}

impl Default for ConvertOptions<'_> {
    fn default() -> Self {
        Self { digest_key: None, cache_bytes: 16 << 20, threads: 0, progress: None }
    }
}

/// Where the copy's digest is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestOrigin {
    /// It is the original's, and computed again over the copy it is the same.
    Kept,
    /// It is the original's. It is keyed and no key was given: whoever has the key can check it.
    KeptUnchecked,
    /// The original records no key lists, so the copy has one of its own.
    Own,
    /// There is none, as in the original.
    Absent,
}

/// What came of a conversion.
#[derive(Debug, Clone)]
pub struct ConvertReport {
    /// The run, the same as before.
    pub run_id: String,
    /// Its instance, the same as before.
    pub instance_id: String,
    /// The copy's file or directory.
    pub path: PathBuf,
    /// Its backend.
    pub backend: BackendKind,
    /// As the original is sealed.
    pub status: RunStatus,
    /// How many entries there are.
    pub high_watermark: u64,
    /// The copy's digest.
    pub digest: Option<RunDigest>,
    /// Where that is from.
    pub digest_origin: DigestOrigin,
    /// Index rows of an original without key lists that point at no entry. The copy has none.
    pub dropped: Vec<Finding>,
}

/// Converts the sealed run at `path` into `<base>/<instance_id>/<run_id>` of another backend, or of
/// the same. `[blocks]` as long as reading the original three times, writing the copy and reading
/// it twice takes.
///
/// # Errors
/// `NotSealed`; `NotFound`; `Locked` while somebody writes the original or holds the instance below
/// `base`; `AlreadyExists` for a name that a run of whatever backend has there: name another base;
/// `UnsupportedFormat`; `Corrupted` with the first finding about the original: salvage it;
/// `InvalidArgument` for the memory backend, and for a missing `digest_key` where the copy needs a
/// keyed digest of its own; `Unsupported` for a file system without locks, and for a key that no
/// file can hold; `Timeout` when the progress callback ended it; `Disk`, `Backend`. Nothing is left
/// under the copy's name.
pub fn convert_run(
    path: &Path,
    to: BackendKind,
    base: &Path,
    options: ConvertOptions<'_>,
) -> Result<ConvertReport> {
    if to == BackendKind::Memory {
        return Err(EventStoreError::invalid("to", "the memory backend keeps no run"));
    }
    let ConvertOptions { digest_key, cache_bytes, threads, progress } = options;
    let found = store::find_run(path)?;
    let original = Original::open(&*found, path, cache_bytes)?;
    let manifest = &original.manifest;
    let place = Place::take(base, manifest)?;
    let stages = Stages::new(&manifest.run_id, original.last(), 4, progress);
    let mut conversion =
        Conversion { original: &original, digest_key, cache_bytes, threads, stages };
    let findings = conversion.verify(path)?.findings;
    let dropped = accepted(path, findings, &original)?;
    let (built, format, origin) = conversion.write(to, place.staging())?;
    let (digest, digest_origin) = conversion.check(&built, &*format, origin)?;
    Ok(ConvertReport {
        run_id: manifest.run_id.clone(),
        instance_id: manifest.instance_id.clone(),
        path: place.publish(&built)?,
        backend: to,
        status: manifest.status,
        high_watermark: original.last(),
        digest,
        digest_origin,
        dropped,
    })
}

/// A conversion on its way.
struct Conversion<'o, 'p> {
    original: &'o Original,
    digest_key: Option<[u8; 32]>,
    cache_bytes: usize,
    threads: usize,
    stages: Stages<'p>,
}

impl Conversion<'_, '_> {
    fn verify(&mut self, path: &Path) -> Result<VerifyReport> {
        let Self { digest_key, cache_bytes, threads, .. } = *self;
        let mut tell = |reached: &Progress| self.stages.reached(reached);
        let report = verify_run(
            path,
            VerifyOptions {
                digest_key,
                cache_bytes,
                threads,
                progress: Some(&mut tell),
                ..VerifyOptions::default()
            },
        )?;
        self.stages.next();
        Ok(report)
    }

    /// Writes the copy, sealed and closed, below a base of its own.
    fn write(
        &mut self,
        to: BackendKind,
        base: &Path,
    ) -> Result<(PathBuf, Box<dyn RunFormat>, DigestOrigin)> {
        let manifest = new_manifest(&self.original.manifest);
        let key = key_of_copy(self.original, self.digest_key);
        let new = store::create_run(to, base, &manifest, self.cache_bytes, key)?;
        let NewRun { mut store, path, format, lock } = new;
        match self.copy_into(&mut *store) {
            Ok(origin) => {
                self.stages.next();
                drop((store, lock));
                Ok((path, format, origin))
            }
            Err(error) => {
                store.abandon();
                Err(error)
            }
        }
    }

    fn copy_into(&mut self, new: &mut dyn EventStore) -> Result<DigestOrigin> {
        let mut rows = self.original.rows();
        while let Some(batch) = rows.next_batch()? {
            append(new, &batch)?;
            self.stages.add(batch.len() as u64)?;
        }
        if let Some(anchor) = &self.original.anchor {
            new.record_snapshot_anchor(anchor)?;
        }
        let (status, digest) = (self.original.manifest.status, self.original.digest);
        let origin = self.digest_origin(rows.lacked_key_lists)?;
        match origin {
            DigestOrigin::Own => new.seal(status)?,
            DigestOrigin::Absent => new.seal_keeping(status, None)?,
            DigestOrigin::Kept | DigestOrigin::KeptUnchecked => new.seal_keeping(status, digest)?,
        };
        new.close()?;
        Ok(origin)
    }

    /// Which digest the copy is to have.
    fn digest_origin(&self, lacked_key_lists: bool) -> Result<DigestOrigin> {
        let Original { manifest, digest, .. } = self.original;
        Ok(match digest {
            Some(_) if !lacked_key_lists => DigestOrigin::Kept,
            None if !lacked_key_lists && self.original.last() > 0 => DigestOrigin::Absent,
            _ if manifest.status == RunStatus::Quarantined => DigestOrigin::Absent,
            Some(RunDigest { keyed: true, .. }) if self.digest_key.is_none() => {
                let reason = "the run's digest is keyed and covers no key lists: the copy needs \
                              one of its own, give the key";
                return Err(EventStoreError::invalid("digest_key", reason));
            }
            _ => DigestOrigin::Own,
        })
    }

    /// Compares the copy with the original and verifies it; answers its digest.
    fn check(
        &mut self,
        built: &Path,
        format: &dyn RunFormat,
        origin: DigestOrigin,
    ) -> Result<(Option<RunDigest>, DigestOrigin)> {
        let RunManifest { instance_id, run_id, .. } = &self.original.manifest;
        let copy = format.find(instance_id, run_id, Hold::Exclusive)?;
        // What is compared is what the disk has.
        copy.distrust_cache()?;
        let view = copy.open(self.cache_bytes)?;
        compare(self.original, &*view, built, &mut self.stages)?;
        let digest = view.digest()?;
        if origin == DigestOrigin::Kept && digest != self.original.digest {
            return Err(differs(built, "its digest"));
        }
        drop((view, copy));
        self.stages.next();
        let report = self.verify(built)?;
        if let Some(finding) = report.findings.first() {
            return Err(differs(built, &finding.to_string()));
        }
        let origin = match (origin, &report.digest) {
            (origin, DigestVerdict::Matches) => origin,
            (DigestOrigin::Kept, DigestVerdict::NotChecked { .. }) => DigestOrigin::KeptUnchecked,
            (DigestOrigin::Absent, DigestVerdict::Absent { .. }) => DigestOrigin::Absent,
            (_, verdict) => return Err(differs(built, &format!("its digest: {verdict:?}"))),
        };
        Ok((digest, origin))
    }
}

/// The index rows to be dropped, if nothing else is wrong.
fn accepted(path: &Path, findings: Vec<Finding>, original: &Original) -> Result<Vec<Finding>> {
    let is_droppable = |finding: &&Finding| {
        matches!(finding, Finding::IndexDrift { drift: Drift::Dangling, .. })
            && !original.begins_with_key_lists
    };
    let fault = findings.iter().find(|finding| !is_droppable(finding));
    match fault {
        None => Ok(findings),
        Some(fault) => {
            let reason = format!("a damaged run is not converted: {fault}");
            Err(EventStoreError::corrupted(path, reason))
        }
    }
}

/// The key that the copy is made with. A digest that is kept is stored as it is; the key then says
/// no more than that it is keyed, and any will do.
fn key_of_copy(original: &Original, given: Option<[u8; 32]>) -> Option<[u8; 32]> {
    match original.digest {
        Some(RunDigest { keyed: true, .. }) => Some(given.unwrap_or_default()),
        Some(RunDigest { keyed: false, .. }) => None,
        None => given,
    }
}

/// What the copy's manifest says until it is sealed.
fn new_manifest(sealed: &RunManifest) -> RunManifest {
    let status = RunStatus::Running;
    RunManifest { end_ts_init: None, high_watermark: 0, status, ..sealed.clone() }
}

fn append(new: &mut dyn EventStore, batch: &[Kept]) -> Result<()> {
    let loses_keys = planted("convert_loses_keys");
    let items: Vec<AppendEntry<'_>> = batch
        .iter()
        .map(|kept| AppendEntry {
            entry: kept.entry.view(),
            keys: if loses_keys { KeyList::EMPTY } else { kept.keys() },
        })
        .collect();
    new.append_batch(&items).map(drop)
}

/// The copy is not what it was made of.
fn differs(path: &Path, what: &str) -> EventStoreError {
    let reason =
        format!("the copy is not what was written, and is not kept: {what}; convert again");
    EventStoreError::Backend(Box::new(Fault::new(reason).at(path)))
}
