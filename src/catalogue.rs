//! What runs there are below a base, whatever state they are in.
//!
//! Listing never writes and never waits: a run that somebody holds is listed as held, and one
//! that cannot be read with the reason. It costs a few pages a run, but for a run that needs
//! repair, which is read whole to say what a repair would leave.

use std::path::{Path, PathBuf};

use crate::backend::run_format::{Examined, FoundRun, Hold, RunFormat};
use crate::error::{EventStoreError, Result};
use crate::manifest::{RunManifest, check_id};
use crate::platform::directory::Directory;
use crate::store::{self, BackendKind};

/// One run of an instance.
#[derive(Debug, Clone)]
pub struct RunListing {
    /// The run, as its file is named.
    pub run_id: String,
    /// Its file or directory.
    pub path: PathBuf,
    /// Its length on the disk, in bytes.
    pub bytes: u64,
    /// The backend it is of.
    pub backend: BackendKind,
    /// What is known of it.
    pub state: ListedState,
}

/// What a listing knows of a run.
// A listing is made once and short: a box a run would cost its readers more than the bytes.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone)]
pub enum ListedState {
    /// Read.
    Summary(RunSummary),
    /// A writer or recovery holds it: what its lock hides is not known.
    Held,
    /// Not readable as a run.
    Unreadable(EventStoreError),
}

/// What a run says of itself.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// The manifest as stored.
    pub manifest: RunManifest,
    /// The largest entry, whatever the manifest says.
    pub high_watermark: u64,
    /// It was not closed in order: recovery must look at it before it can be read.
    pub needs_repair: bool,
}

impl RunListing {
    /// What the run says of itself, where it could be read.
    pub fn summary(&self) -> Option<&RunSummary> {
        match &self.state {
            ListedState::Summary(summary) => Some(summary),
            _ => None,
        }
    }

    /// Whether somebody else holds the run.
    pub fn is_held(&self) -> bool {
        matches!(self.state, ListedState::Held)
    }

    /// The place in a listing: by (`start_ts_init`, run id), what cannot be read after that.
    fn order(&self) -> (bool, u64, &str, &Path) {
        let start = self.summary().map(|summary| summary.manifest.start_ts_init);
        (start.is_none(), start.unwrap_or(0), &self.run_id, &self.path)
    }
}

/// The runs of an instance by (`start_ts_init`, run id); those that are held or unreadable after.
///
/// # Errors
/// `InvalidArgument` for the id; `NotFound` when there is no such instance; `Backend`. One bad
/// file is an entry of the list, not an error.
pub fn list_runs(base: &Path, instance_id: &str) -> Result<Vec<RunListing>> {
    let mut listings = Vec::new();
    for name in instance_names(base, instance_id)? {
        let Some(named) = NamedRun::parse(base, &name) else { continue };
        let path = base.join(instance_id).join(&name);
        let (state, bytes) = match named.format.find(instance_id, &named.run_id, Hold::Shared) {
            Ok(found) => (look(&*found), found.bytes()),
            Err(error) => {
                let state = match error {
                    EventStoreError::Locked(_) => ListedState::Held,
                    // Deleted while we looked.
                    EventStoreError::NotFound(_) => continue,
                    error => ListedState::Unreadable(error),
                };
                (state, std::fs::symlink_metadata(&path).map_or(0, |found| found.len()))
            }
        };
        let NamedRun { run_id, backend, .. } = named;
        listings.push(RunListing { run_id, path, bytes, backend, state });
    }
    listings.sort_by(|one, other| one.order().cmp(&other.order()));
    Ok(listings)
}

/// The instances that have a directory below a base, sorted.
///
/// # Errors
/// `NotFound` when there is no base; `Backend`.
pub fn list_instances(base: &Path) -> Result<Vec<String>> {
    let failed = |error| EventStoreError::from_io("listing the base", Some(base), error);
    let directory = Directory::open_base(base).map_err(failed)?;
    let mut names = directory.names().map_err(failed)?;
    names
        .retain(|name| check_id("instance_id", name).is_ok() && directory.open_child(name).is_ok());
    Ok(names)
}

/// Every name in an instance's directory, sorted.
pub(crate) fn instance_names(base: &Path, instance_id: &str) -> Result<Vec<String>> {
    check_id("instance_id", instance_id)?;
    let path = base.join(instance_id);
    let failed = |error| EventStoreError::from_io("listing the instance", Some(&path), error);
    let base = Directory::open_base(base).map_err(failed)?;
    base.open_child(instance_id).and_then(|found| found.names()).map_err(failed)
}

/// A name that a run of some backend has.
pub(crate) struct NamedRun {
    pub(crate) run_id: String,
    pub(crate) backend: BackendKind,
    pub(crate) format: Box<dyn RunFormat>,
}

impl NamedRun {
    /// `None` for what is no run's name.
    pub(crate) fn parse(base: &Path, name: &str) -> Option<Self> {
        store::run_formats(base).into_iter().find_map(|(backend, format)| {
            let run_id = name.strip_suffix(format.suffix())?.to_owned();
            (!run_id.starts_with('.')).then_some(Self { run_id, backend, format })
        })
    }
}

/// Memory for pages of a run that is only listed, in bytes.
const LOOK_CACHE_BYTES: usize = 4 << 20;

fn look(found: &dyn FoundRun) -> ListedState {
    match summarize(found, LOOK_CACHE_BYTES) {
        Ok(summary) => ListedState::Summary(summary),
        Err(error) => ListedState::Unreadable(error),
    }
}

/// What a run says of itself; one that was not closed in order is examined whole.
pub(crate) fn summarize(found: &dyn FoundRun, cache_bytes: usize) -> Result<RunSummary> {
    let (view, needs_repair) = match found.open(cache_bytes) {
        Ok(view) => (view, false),
        Err(EventStoreError::NotSealed(_)) => match found.examine(cache_bytes, 1)? {
            Examined::Sound(view) => (view, true),
            Examined::Unsound(error) => return Err(error),
        },
        Err(error) => return Err(error),
    };
    let high_watermark = view.high_watermark();
    Ok(RunSummary { manifest: view.manifest()?, high_watermark, needs_repair })
}
