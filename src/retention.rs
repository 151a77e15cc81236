//! Proposes which sealed runs may go, and deletes them when told to.
//!
//! A plan always keeps a restore point: a sealed run, not quarantined, whose latest anchor covers
//! an entry that is there. Runs that are not sealed, held or unreadable are never proposed.
//! Carrying a plan out is a step of its own, which looks at each run once more under its lock; a
//! run that anybody reads is skipped.

use std::fmt;
use std::path::Path;

use crate::backend::run_format::{FoundRun, Hold};
use crate::catalogue::{ListedState, NamedRun, RunListing, list_runs};
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::RunStatus;
use crate::planted::planted;

/// What to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Every run.
    Full,
    /// The newest so many sealed runs, and the newest restore point.
    Last(u64),
    /// The newest restore point and what is not older.
    Anchored,
}

/// Why a run stays.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyKept {
    /// Everything is kept.
    Full,
    /// One of the newest that were asked for.
    Newest,
    /// The newest restore point.
    RestorePoint,
    /// Not older than the newest restore point.
    AfterRestorePoint,
    /// Without a restore point, nothing is proposed.
    NoRestorePoint,
    /// `Running`, or not closed in order.
    NotSealed,
    /// Somebody writes or recovers it.
    Held,
    /// Not readable as a run.
    Unreadable(String),
}

impl fmt::Display for WhyKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "every run is kept",
            Self::Newest => "one of the newest",
            Self::RestorePoint => "the newest restore point",
            Self::AfterRestorePoint => "not older than the newest restore point",
            Self::NoRestorePoint => "there is no restore point",
            Self::NotSealed => "not sealed and closed: recover the instance",
            Self::Held => "held by a writer or a recovery",
            Self::Unreadable(reason) => return write!(f, "unreadable: {reason}"),
        })
    }
}

/// A run that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRun {
    /// The run, as its file is named.
    pub run_id: String,
    /// Why.
    pub why: WhyKept,
}

/// What would be deleted, and what not.
#[derive(Debug, Clone)]
pub struct RetentionPlan {
    /// What stays, in the order of a listing.
    pub kept: Vec<KeptRun>,
    /// What goes, oldest first.
    pub delete: Vec<RunListing>,
    /// The newest restore point.
    pub restore_point: Option<String>,
    /// Why nothing is proposed, when nothing is.
    pub reason: Option<String>,
}

/// What carrying out a plan did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetentionReport {
    /// Deleted, durably.
    pub deleted: Vec<String>,
    /// Left alone, and why.
    pub skipped: Vec<(String, String)>,
}

/// Memory for pages while anchors are read, in bytes.
const CACHE_BYTES: usize = 4 << 20;

/// Proposes what may be deleted. Changes nothing.
///
/// # Errors
/// Those of [`list_runs`].
pub fn plan_retention(base: &Path, instance_id: &str, keep: Keep) -> Result<RetentionPlan> {
    let listings = list_runs(base, instance_id)?;
    let is_restore_point =
        |listing: &&RunListing| is_sealed(listing) && holds_anchor(base, instance_id, listing);
    let point = listings.iter().rev().find(is_restore_point);
    let restore_point = point.map(|listing| listing.run_id.clone());
    let newest_from = newest_from(&listings, keep);
    let point_at =
        listings.iter().position(|listing| Some(&listing.run_id) == restore_point.as_ref());
    let mut plan =
        RetentionPlan { kept: Vec::new(), delete: Vec::new(), restore_point, reason: None };
    for (index, listing) in listings.into_iter().enumerate() {
        let why = match (&listing.state, keep, point_at) {
            (ListedState::Held, ..) => Some(WhyKept::Held),
            (ListedState::Unreadable(error), ..) => Some(WhyKept::Unreadable(error.to_string())),
            _ if !is_sealed(&listing) => Some(WhyKept::NotSealed),
            (_, Keep::Full, _) => Some(WhyKept::Full),
            (_, _, None) => Some(WhyKept::NoRestorePoint),
            (_, _, Some(point_at)) if index == point_at => Some(WhyKept::RestorePoint),
            (_, Keep::Anchored, Some(point_at)) if index > point_at => {
                Some(WhyKept::AfterRestorePoint)
            }
            (_, Keep::Last(_), _) if index >= newest_from => Some(WhyKept::Newest),
            _ => None,
        };
        match why {
            Some(why) => plan.kept.push(KeptRun { run_id: listing.run_id, why }),
            None => plan.delete.push(listing),
        }
    }
    if plan.delete.is_empty() {
        plan.reason = Some(why_nothing(keep, plan.restore_point.as_deref()));
    }
    Ok(plan)
}

/// Where the newest sealed runs that are to be kept begin in the list.
fn newest_from(listings: &[RunListing], keep: Keep) -> usize {
    let Keep::Last(count) = keep else { return 0 };
    let sealed = listings.iter().enumerate().filter(|(_, listing)| is_sealed(listing));
    let newest: Vec<usize> = sealed.map(|(index, _)| index).collect();
    let kept = usize::try_from(count).unwrap_or(usize::MAX).min(newest.len());
    newest.get(newest.len() - kept).copied().unwrap_or(listings.len())
}

fn why_nothing(keep: Keep, restore_point: Option<&str>) -> String {
    match (keep, restore_point) {
        (Keep::Full, _) => "full keeps every run".into(),
        (_, None) => "no sealed run has a valid anchor: without it, what would be left could not \
                      be restored from a snapshot"
            .into(),
        (Keep::Last(count), _) => format!("no sealed run is older than the newest {count}"),
        (Keep::Anchored, Some(point)) => {
            format!("no sealed run is older than the newest restore point, {point}")
        }
    }
}

/// Deletes what a plan proposes, as far as it is still so.
///
/// # Errors
/// `InvalidArgument` for the id. A run that cannot be deleted is skipped, with the reason.
pub fn apply_retention(
    base: &Path,
    instance_id: &str,
    plan: &RetentionPlan,
) -> Result<RetentionReport> {
    crate::manifest::check_id("instance_id", instance_id)?;
    let mut report = RetentionReport::default();
    if plan.delete.is_empty() {
        return Ok(report);
    }
    // Held until the end, so that no other retention takes it away meanwhile.
    let point = match hold_restore_point(base, instance_id, plan) {
        Ok(point) => point,
        Err(error) => {
            let reason = format!("the plan's restore point is gone: {error}");
            let skip = |listing: &RunListing| (listing.run_id.clone(), reason.clone());
            report.skipped = plan.delete.iter().map(skip).collect();
            return Ok(report);
        }
    };
    for listing in &plan.delete {
        let run_id = listing.run_id.clone();
        match delete(base, instance_id, listing) {
            Ok(()) => report.deleted.push(run_id),
            Err(error) => report.skipped.push((run_id, error.to_string())),
        }
    }
    drop(point);
    Ok(report)
}

fn hold_restore_point(
    base: &Path,
    instance_id: &str,
    plan: &RetentionPlan,
) -> Result<Box<dyn FoundRun>> {
    let missing = |reason: &str| EventStoreError::NotFound(Box::new(Fault::new(reason)));
    let run_id = plan.restore_point.as_deref().ok_or_else(|| missing("the plan names none"))?;
    let is_kept = plan.kept.iter().any(|kept| kept.run_id == run_id);
    let listings = list_runs(base, instance_id)?;
    let listing = listings.iter().find(|listing| listing.run_id == run_id);
    let listing = listing.filter(|_| is_kept).ok_or_else(|| missing("it is not there"))?;
    let found = find(base, instance_id, listing, Hold::Shared)?;
    if !is_restore_point(&*found) {
        return Err(missing("it has no valid anchor"));
    }
    Ok(found)
}

/// Looks at the run once more, under its lock, and deletes it.
fn delete(base: &Path, instance_id: &str, listing: &RunListing) -> Result<()> {
    let hold = if planted("delete_what_is_read") { Hold::Shared } else { Hold::Exclusive };
    let found = find(base, instance_id, listing, hold)?;
    let manifest = found.open(CACHE_BYTES)?.manifest()?;
    let planned = listing.summary().map(|summary| &summary.manifest);
    if planned != Some(&manifest) || !manifest.status.is_sealed() {
        let reason = "the run is not the one that was planned for, plan again";
        return Err(EventStoreError::AlreadyExists(Box::new(Fault::new(reason).at(&listing.path))));
    }
    found.remove()
}

fn find(
    base: &Path,
    instance_id: &str,
    listing: &RunListing,
    hold: Hold,
) -> Result<Box<dyn FoundRun>> {
    let name = listing.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let named = NamedRun::parse(base, name).ok_or_else(|| {
        let fault = Fault::new("this is no run's name").at(&listing.path);
        EventStoreError::NotFound(Box::new(fault))
    })?;
    named.format.find(instance_id, &named.run_id, hold)
}

fn is_sealed(listing: &RunListing) -> bool {
    listing.summary().is_some_and(|found| !found.needs_repair && found.manifest.status.is_sealed())
}

fn holds_anchor(base: &Path, instance_id: &str, listing: &RunListing) -> bool {
    find(base, instance_id, listing, Hold::Shared).is_ok_and(|found| is_restore_point(&*found))
}

/// Whether an engine can be restored from this run: its anchor covers an entry that is there.
fn is_restore_point(found: &dyn FoundRun) -> bool {
    let Ok(view) = found.open(CACHE_BYTES) else { return false };
    let Ok(manifest) = view.manifest() else { return false };
    let Ok(Some(anchor)) = view.latest_snapshot_anchor() else { return false };
    let is_good = manifest.status.is_sealed() && manifest.status != RunStatus::Quarantined;
    is_good && matches!(view.scan_seq(anchor.high_watermark), Ok(Some(_)))
}
