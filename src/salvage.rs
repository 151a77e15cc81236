//! Copies the good rows of a quarantined or damaged run into a new one.
//!
//! The new run has sequences of its own, names the old one as its parent, and is sealed
//! `CrashedRecovered`. Lifecycle entries are not copied; the anchor is, with its sequence, when
//! the old structure is sound. What was lost is listed. The old file is never written. Fails
//! whole: a new run that could not be finished is deleted again (killed, it is left `Running`).

mod keys;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use self::keys::KeySource;
use crate::backend::run_format::{FoundRun, Hold};
use crate::backend::{EventReader, EventStore};
use crate::digest::RunDigest;
use crate::entry::{AppendEntry, Entry, Row};
use crate::error::{EventStoreError, Fault, Result};
use crate::hash::entry_hash;
use crate::index::KeyList;
use crate::limits::LIFECYCLE_TOPIC_PREFIX;
use crate::manifest::{RunManifest, RunStatus, check_id};
use crate::progress::{ProgressCallback, Teller};
use crate::snapshot::SnapshotAnchor;
use crate::store::{self, NewRun};
use crate::verifier::Finding;
use crate::verifier::survey::{RowSink, Surveyed, walk};

/// How to salvage a run.
pub struct SalvageOptions<'p> {
    /// Key of the new run's digest.
    pub digest_key: Option<[u8; 32]>,
    /// Memory for pages, in bytes, of each of the two runs; 16 MiB.
    pub cache_bytes: usize,
    /// Is told how far the old run is.
    pub progress: Option<&'p mut ProgressCallback<'p>>,
}

impl Default for SalvageOptions<'_> {
    fn default() -> Self {
        Self { digest_key: None, cache_bytes: 16 << 20, progress: None }
    }
}

/// What was saved, and what was not.
#[derive(Debug, Clone)]
pub struct SalvageReport {
    /// The new run.
    pub run_id: String,
    /// Its file or directory.
    pub path: PathBuf,
    /// The old run, as the new one's manifest names it.
    pub parent_run_id: Option<String>,
    /// Entries copied.
    pub copied: u64,
    /// Lifecycle entries, which are good and were not copied.
    pub lifecycle: u64,
    /// What is wrong with the rest.
    pub lost: Vec<Finding>,
    /// The new run's largest entry.
    pub high_watermark: u64,
    /// The new run's digest.
    pub digest: Option<RunDigest>,
}

/// Copies the good rows of the run at `path` into a new run. `[blocks]` as long as reading the
/// one and writing the other takes.
///
/// # Errors
/// `NotFound`; `Locked` while somebody writes the old run or holds the new one's instance;
/// `NotSealed` for a sound run that was left: recover it; `Corrupted` when nothing can be read,
/// `UnsupportedFormat`; those of [`store::open_run`] for the new run; `Timeout` when the progress
/// callback ended it; `Disk`, `Backend`. Nothing is left under the new run's name.
pub fn salvage_run(
    path: &Path,
    base: &Path,
    instance_id: &str,
    run_id: &str,
    options: SalvageOptions<'_>,
) -> Result<SalvageReport> {
    check_id("run_id", run_id)?;
    check_id("instance_id", instance_id)?;
    let found = store::find_run(path)?;
    let mut old = Surveyed::open(&*found, options.cache_bytes)?;
    let old_manifest = old.view().manifest();
    if let (None, Ok(manifest)) = (old.damage(), &old_manifest)
        && !manifest.status.is_sealed()
    {
        let reason = "the run was left and its structure is sound: recover it first";
        return Err(EventStoreError::NotSealed(Box::new(Fault::new(reason).at(path))));
    }
    let manifest = new_manifest(old_manifest.ok(), path, instance_id, run_id);
    let SalvageOptions { digest_key, cache_bytes, progress } = options;
    let mut new =
        store::create_run(store::backend_at(path), base, &manifest, cache_bytes, digest_key)?;
    match fill(&mut old, &mut *new.store, &manifest, progress) {
        Ok(mut report) => {
            report.path = new.path;
            Ok(report)
        }
        Err(error) => {
            discard(new, &manifest);
            Err(error)
        }
    }
}

/// What the new run says of itself: what the old one said, but for its state.
fn new_manifest(
    old: Option<RunManifest>,
    path: &Path,
    instance_id: &str,
    run_id: &str,
) -> RunManifest {
    let file_stem = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    let old_id = old.as_ref().map(|manifest| manifest.run_id.clone());
    let is_id = |id: &String| check_id("run_id", id).is_ok();
    let parent_run_id = old_id.filter(is_id).or(file_stem.filter(is_id));
    let described = old.unwrap_or_else(|| RunManifest::new(run_id, instance_id, 0));
    RunManifest {
        run_id: run_id.to_owned(),
        parent_run_id,
        instance_id: instance_id.to_owned(),
        end_ts_init: None,
        high_watermark: 0,
        status: RunStatus::Running,
        ..described
    }
}

fn fill(
    old: &mut Surveyed<'_>,
    new: &mut dyn EventStore,
    manifest: &RunManifest,
    progress: Option<&mut ProgressCallback<'_>>,
) -> Result<SalvageReport> {
    let view = old.view().clone();
    let mut lost = Vec::new();
    let anchor = match old.damage() {
        Some(damage) => {
            lost.push(Finding::Damaged { reason: damage.to_string() });
            None
        }
        None => anchor_of(&*view, &mut lost),
    };
    let entries_total = view.high_watermark();
    let run_id = manifest.parent_run_id.clone().unwrap_or_default();
    let mut copy = Copy {
        new,
        keys: KeySource::new(view),
        batch: Vec::new(),
        batch_bytes: 0,
        copied: 0,
        lifecycle: 0,
        anchor_seq: anchor.as_ref().map_or(0, |anchor| anchor.high_watermark),
        anchor_copied: 0,
        lost,
        failure: None,
        teller: Teller::new(&run_id, entries_total, progress),
    };
    let is_broken_off = walk(old, &mut copy)?.is_broken_off;
    if let Some(error) = copy.failure.take() {
        return Err(error);
    }
    if is_broken_off {
        return Err(EventStoreError::Timeout);
    }
    copy.flush()?;
    if let (Some(anchor), 1..) = (&anchor, copy.anchor_copied) {
        let mapped = SnapshotAnchor { high_watermark: copy.anchor_copied, ..anchor.clone() };
        copy.new.record_snapshot_anchor(&mapped)?;
    }
    copy.lost.extend(copy.keys.lost());
    let sealed = copy.new.seal(RunStatus::CrashedRecovered)?;
    copy.new.close()?;
    Ok(SalvageReport {
        run_id: manifest.run_id.clone(),
        path: PathBuf::new(),
        parent_run_id: manifest.parent_run_id.clone(),
        copied: copy.copied,
        lifecycle: copy.lifecycle,
        lost: copy.lost,
        high_watermark: sealed.high_watermark,
        digest: sealed.digest,
    })
}

fn anchor_of(view: &dyn EventReader, lost: &mut Vec<Finding>) -> Option<SnapshotAnchor> {
    let reason = match view.latest_snapshot_anchor() {
        Ok(None) => return None,
        Ok(Some(anchor)) if anchor.check().is_err() => "a text of it is outside its bounds".into(),
        Ok(Some(anchor)) if anchor.high_watermark > view.high_watermark() => {
            format!("it covers entry {}, beyond the run", anchor.high_watermark)
        }
        Ok(anchor) => return anchor,
        Err(error) => error.to_string(),
    };
    lost.push(Finding::AnchorInvalid { reason });
    None
}

/// Deletes a new run that could not be finished.
fn discard(new: NewRun, manifest: &RunManifest) {
    let NewRun { mut store, format, lock, .. } = new;
    store.abandon();
    drop(store);
    // What cannot be deleted stays `Running`, and the next recovery names it.
    let found = format.find(&manifest.instance_id, &manifest.run_id, Hold::Exclusive);
    let _ = found.and_then(FoundRun::remove);
    drop(lock);
}

/// An entry on its way into the new run.
struct Copied {
    entry: Entry,
    key_count: u32,
    key_bytes: Vec<u8>,
}

/// Takes the good rows, a batch at a time, into the new run.
struct Copy<'c, 'p> {
    new: &'c mut dyn EventStore,
    keys: KeySource,
    batch: Vec<Copied>,
    batch_bytes: usize,
    copied: u64,
    lifecycle: u64,
    /// The old anchor's sequence, and how many entries up to it were copied.
    anchor_seq: u64,
    anchor_copied: u64,
    lost: Vec<Finding>,
    failure: Option<EventStoreError>,
    teller: Teller<'p>,
}

const BATCH_ENTRIES: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;

impl Copy<'_, '_> {
    fn flush(&mut self) -> Result<()> {
        let batch: Vec<AppendEntry<'_>> = self
            .batch
            .iter()
            .map(|item| AppendEntry {
                entry: item.entry.view(),
                keys: KeyList::trusted(item.key_count, &item.key_bytes),
            })
            .collect();
        self.new.append_batch(&batch)?;
        self.batch.clear();
        self.batch_bytes = 0;
        Ok(())
    }

    fn take(&mut self, row: &Row<'_>) -> Result<()> {
        let (key_count, key_bytes) = self.keys.of(row)?;
        let mut entry = row.entry.to_entry();
        self.copied += 1;
        entry.seq = self.copied;
        entry.entry_hash = entry_hash(&entry.view());
        if row.entry.seq <= self.anchor_seq {
            self.anchor_copied = self.copied;
        }
        self.batch_bytes += entry.payload.len() + entry.topic.len() + key_bytes.len();
        self.batch.push(Copied { entry, key_count, key_bytes });
        if self.batch.len() >= BATCH_ENTRIES || self.batch_bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }
}

impl RowSink for Copy<'_, '_> {
    fn good(&mut self, row: Row<'_>) -> ControlFlow<()> {
        if row.entry.topic.starts_with(LIFECYCLE_TOPIC_PREFIX) {
            self.lifecycle += 1;
        } else if let Err(error) = self.take(&row) {
            self.failure = Some(error);
            return ControlFlow::Break(());
        }
        self.teller.add_entry()
    }

    fn bad(&mut self, finding: Finding) {
        self.lost.push(finding);
    }
}
