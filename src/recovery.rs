//! Goes through an instance whose engine died, and leaves every run sealed or reported.
//!
//! Under the instance's lock, each run that is `Running`, or was sealed and not closed in order,
//! is examined over a copy-on-write view and only then repaired in place and sealed. What is
//! damaged or no run is reported and not touched; temporary names are moved aside, never deleted.
//! One bad file never ends the sweep. Killed at any point and run again, it reaches the same end.

mod aside;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::aside::{ASIDE_FOLDER, move_aside};
use crate::backend::EventReader;
use crate::backend::run_format::{Examined, FoundRun, Hold};
use crate::catalogue::{NamedRun, instance_names};
use crate::entry::Row;
use crate::error::{EventStoreError, Result};
use crate::limits::LIFECYCLE_TOPIC_PREFIX;
use crate::manifest::RunStatus;
use crate::planted::planted;
use crate::platform::lock::{InstanceLock, LOCK_FILE};
use crate::progress::{ProgressCallback, Teller};
use crate::verifier::Finding;
use crate::verifier::survey::{RowSink, Surveyed, walk};

/// How to recover an instance.
pub struct RecoveryOptions<'p> {
    /// Only say what would be done: changes nothing, and does not lock the instance. Each run is
    /// held as a reader holds it while it is looked at: another process's sweep then skips it.
    pub dry_run: bool,
    /// Key of the run digests; a keyed run that is sealed without it gets no digest.
    pub digest_key: Option<[u8; 32]>,
    /// Memory for pages, in bytes; 32 MiB.
    pub cache_bytes: usize,
    /// Is told how far each run is. `Break` ends the sweep between two entries, with `Timeout`;
    /// what was sealed by then stays sealed.
    pub progress: Option<&'p mut ProgressCallback<'p>>,
}

impl Default for RecoveryOptions<'_> {
    fn default() -> Self {
        Self { dry_run: false, digest_key: None, cache_bytes: 32 << 20, progress: None }
    }
}

/// What became of a name in the instance's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was `Running` and is sealed now.
    SealedAs(RunStatus),
    /// It was sealed, not closed in order, and is closed now.
    Repaired,
    /// Its structure is unsound; not a byte was changed. Salvage is the way out.
    Damaged,
    /// Somebody holds it; it was left alone.
    Held,
    /// A temporary name or the stub of a creation, moved into `.aside`.
    MovedAside,
    /// Not openable as a run; not a byte was changed.
    Unreadable,
    /// The storage refused (full, I/O error): the run is as readable as before. Recover again.
    Postponed,
}

/// One name that needed attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredRun {
    /// The run, as its file is named; the whole name for what is no run's.
    pub run_id: String,
    /// Where it lies now.
    pub path: PathBuf,
    /// What became of it; with `dry_run`, what would.
    pub outcome: Outcome,
    /// Why, for people.
    pub reason: Option<String>,
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// What needed attention, by name. Runs that were in order are not listed.
    pub runs: Vec<RecoveredRun>,
    /// The newest run that is sealed `CrashedRecovered`. The next run's parent is that or a newer
    /// one that is sealed `Ended`, which needed no attention and is not considered here.
    pub parent_run_id: Option<String>,
}

/// Sweeps an instance. `[blocks]` as long as reading what must be looked at takes, several times.
///
/// # Errors
/// `Locked` while a writer or another recovery has the instance; `NotFound` when there is no such
/// instance; `InvalidArgument` for its id; `Unsupported` for a file system without locks;
/// `Timeout` when the progress callback ended it. What is wrong with one run is in the report.
pub fn recover(
    base: &Path,
    instance_id: &str,
    options: RecoveryOptions<'_>,
) -> Result<RecoveryReport> {
    let _lock = match options.dry_run {
        true => None,
        false => Some(InstanceLock::acquire_existing(base, instance_id)?),
    };
    let mut sweep =
        Sweep { base, instance_id, options, report: RecoveryReport::default(), parent: None };
    for name in instance_names(base, instance_id)? {
        if name == LOCK_FILE || name == ASIDE_FOLDER {
            continue;
        }
        if name.starts_with('.') {
            sweep.set_aside(&name);
        } else if let Some(named) = NamedRun::parse(base, &name) {
            sweep.look_at(&named, &name)?;
        }
    }
    sweep.report.parent_run_id = sweep.parent.map(|(_, run_id)| run_id);
    Ok(sweep.report)
}

struct Sweep<'s, 'p> {
    base: &'s Path,
    instance_id: &'s str,
    options: RecoveryOptions<'p>,
    report: RecoveryReport,
    /// The newest run sealed `CrashedRecovered`: when it started, and its id.
    parent: Option<(u64, String)>,
}

/// What became of a run, and why.
type Fate = (Outcome, Option<String>);

/// What an examined run asks for.
enum Need {
    Seal(RunStatus, Option<String>),
    Close,
}

impl Need {
    /// What carrying it out would come to.
    fn announced(self) -> Fate {
        match self {
            Self::Seal(status, reason) => (Outcome::SealedAs(status), reason),
            Self::Close => (Outcome::Repaired, None),
        }
    }
}

impl Sweep<'_, '_> {
    fn set_aside(&mut self, name: &str) {
        let path = self.base.join(self.instance_id).join(name);
        let reason = Some("a temporary name: its creation never completed".to_owned());
        let (path, outcome, reason) = match self.options.dry_run {
            true => (path, Outcome::MovedAside, reason),
            false => match move_aside(self.base, self.instance_id, name) {
                Ok(moved) => (moved, Outcome::MovedAside, reason),
                Err(error) => (path, Outcome::Postponed, Some(error.to_string())),
            },
        };
        self.report.runs.push(RecoveredRun { run_id: name.to_owned(), path, outcome, reason });
    }

    fn look_at(&mut self, named: &NamedRun, name: &str) -> Result<()> {
        let fate = match self.fate_of(named) {
            Ok(None) | Err(EventStoreError::NotFound(_)) => return Ok(()),
            Ok(Some(fate)) => fate,
            Err(error @ EventStoreError::Timeout) => return Err(error),
            Err(EventStoreError::Locked(fault)) => (Outcome::Held, Some(fault.message)),
            // Refused by the storage on the way, while no run was touched.
            Err(error @ EventStoreError::Disk(_)) => (Outcome::Postponed, Some(error.to_string())),
            Err(error) => (Outcome::Unreadable, Some(error.to_string())),
        };
        let path = self.base.join(self.instance_id).join(name);
        let (outcome, reason) = fate;
        let run_id = named.run_id.clone();
        self.report.runs.push(RecoveredRun { run_id, path, outcome, reason });
        Ok(())
    }

    /// `None` for a run that is in order.
    fn fate_of(&mut self, named: &NamedRun) -> Result<Option<Fate>> {
        let found = named.format.find(self.instance_id, &named.run_id, Hold::Shared)?;
        match found.open(self.options.cache_bytes).and_then(|view| view.manifest()) {
            Ok(manifest) if manifest.status.is_sealed() => {
                self.consider(manifest.status, manifest.start_ts_init, &named.run_id);
                return Ok(None);
            }
            Err(error) if error.is_unsupported_format() => return Err(error),
            // Running, not closed in order, or damaged: looked at in earnest.
            Ok(_) | Err(_) => {}
        }
        let found = match self.options.dry_run {
            true => found,
            false => {
                drop(found);
                named.format.find(self.instance_id, &named.run_id, Hold::Exclusive)?
            }
        };
        if let (false, Err(error)) = (self.options.dry_run, found.distrust_cache()) {
            return Ok(Some((Outcome::Postponed, Some(error.to_string()))));
        }
        let view = match found.examine(self.options.cache_bytes, 1)? {
            Examined::Sound(view) => view,
            Examined::Unsound(error) => {
                return Ok(Some((Outcome::Damaged, Some(error.to_string()))));
            }
        };
        let manifest = view.manifest()?;
        let need = match manifest.status {
            RunStatus::Running => self.judge(&*found, view, &named.run_id)?,
            _ => Need::Close,
        };
        let fate = match self.options.dry_run {
            true => need.announced(),
            false => self.carry_out(found, need),
        };
        let status = match fate.0 {
            Outcome::SealedAs(status) => status,
            _ => manifest.status,
        };
        self.consider(status, manifest.start_ts_init, &named.run_id);
        Ok(Some(fate))
    }

    /// Says as what a run that was left is to be sealed.
    fn judge(
        &mut self,
        found: &dyn FoundRun,
        view: Arc<dyn EventReader>,
        run_id: &str,
    ) -> Result<Need> {
        let entries_total = view.high_watermark();
        let cache_bytes = self.options.cache_bytes;
        let tell =
            self.options.progress.as_mut().map(|tell| &mut **tell as &mut ProgressCallback<'_>);
        let teller = Teller::new(run_id, entries_total, tell);
        let mut tail = Tail { teller, ends_in_order: false, faults: 0, first_fault: None };
        if !planted("seal_unseen") {
            let mut run = Surveyed::sound(found, view.clone(), cache_bytes);
            if walk(&mut run, &mut tail)?.is_broken_off {
                return Err(EventStoreError::Timeout);
            }
        }
        match view.latest_snapshot_anchor() {
            // An anchor is stored once its entry is durable: that entry is lost.
            Ok(Some(anchor)) if anchor.high_watermark > entries_total => {
                let covered = anchor.high_watermark;
                tail.add(format!("the anchor covers entry {covered}, the last is {entries_total}"));
            }
            Ok(_) => {}
            Err(error @ EventStoreError::Corrupted(_)) => tail.add(error.to_string()),
            Err(error) => return Err(error),
        }
        Ok(match (tail.first_fault, tail.ends_in_order) {
            (Some(first), _) => {
                let more = tail.faults - 1;
                let reason = if more == 0 { first } else { format!("{first}, and {more} more") };
                Need::Seal(RunStatus::Quarantined, Some(reason))
            }
            (None, true) => Need::Seal(RunStatus::Ended, None),
            (None, false) => Need::Seal(RunStatus::CrashedRecovered, None),
        })
    }

    fn carry_out(&mut self, found: Box<dyn FoundRun>, need: Need) -> Fate {
        let refused = |error: EventStoreError| match error {
            EventStoreError::Corrupted(_) => (Outcome::Damaged, Some(error.to_string())),
            _ => (Outcome::Postponed, Some(error.to_string())),
        };
        let adopted = found.adopt(self.options.cache_bytes, self.options.digest_key);
        let mut store = match adopted {
            Ok(store) => store,
            Err(error) => return refused(error),
        };
        if let Need::Seal(status, _) = &need
            && let Err(error) = store.seal(*status)
        {
            store.abandon();
            return refused(error);
        }
        let fate = need.announced();
        match store.close() {
            Ok(()) => fate,
            // Sealed, and durably so; the next sweep closes it.
            Err(error) => (fate.0, Some(format!("sealed, but not closed in order: {error}"))),
        }
    }

    fn consider(&mut self, status: RunStatus, start_ts_init: u64, run_id: &str) {
        if status == RunStatus::CrashedRecovered {
            let candidate = (start_ts_init, run_id.to_owned());
            self.parent = self.parent.take().max(Some(candidate));
        }
    }
}

/// Looks at the rows of a run that was left, for how it ended and what is wrong.
struct Tail<'p> {
    teller: Teller<'p>,
    ends_in_order: bool,
    faults: u64,
    first_fault: Option<String>,
}

impl Tail<'_> {
    fn add(&mut self, fault: String) {
        self.faults += 1;
        self.first_fault.get_or_insert(fault);
    }
}

impl RowSink for Tail<'_> {
    fn good(&mut self, row: Row<'_>) -> ControlFlow<()> {
        let (topic, payload_type) = (row.entry.topic, row.entry.payload_type);
        self.ends_in_order = topic.strip_prefix(LIFECYCLE_TOPIC_PREFIX) == Some("RunEnded")
            && payload_type == "RunEnded";
        self.teller.add_entry()
    }

    fn bad(&mut self, finding: Finding) {
        self.ends_in_order = false;
        self.add(finding.to_string());
    }
}
