//! Runs as operations find them: held by their lock, looked at without a write.
//!
//! What each look is worth: `run_format`. A damaged run is read group by group, going on behind
//! whatever is broken.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::{check_all, check_sealed_chain};
use super::create::{self, folder_name, locked, no_manifest};
use super::index_file::Index;
use super::keys::Keys;
use super::opened::Opened;
use super::reader::LogReader;
use super::resume::{Behind, resume};
use super::run::LogRun;
use super::segment::{Segment, segment_name, segment_number};
use super::small_file::{MANIFEST, OPEN, SEAL, Seal, Start, read_all, read_seal};
use super::table::{Chain, Table};
use super::walk::walk_damaged;
use super::{LogOptions, LogStore, tail};
use crate::backend::disk::{Disk, FOLLOW_RANGE, Folder, HOLD_RANGE, LockMode, Purpose, Volume};
use crate::backend::os_disk::{self, OsVolume};
use crate::backend::run_format::{Examined, FoundRun, Hold, RunFormat};
use crate::backend::{EventReader, EventStore};
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::check_id;
use crate::planted::planted;

/// Missing indices are made again by as many threads as there are processors for them.
const ALL_THREADS: usize = 0;

/// So many segments may be missing from a damaged run: a file of a higher number than that allows
/// is somebody else's, and its number says nothing.
const MISSING_MAX: usize = 1 << 16;

/// The runs below one base.
pub(crate) struct LogFiles {
    volume: Arc<dyn Volume>,
}

impl LogFiles {
    pub(crate) fn new(base: &Path) -> Self {
        Self { volume: Arc::new(OsVolume::new(base)) }
    }
}

impl RunFormat for LogFiles {
    fn suffix(&self) -> &'static str {
        ".eslog"
    }

    fn find(&self, instance_id: &str, run_id: &str, hold: Hold) -> Result<Box<dyn FoundRun>> {
        let found = find_in(&*self.volume, instance_id, run_id, hold)?;
        Ok(Box::new(found))
    }
}

/// Opens and holds a run by its ids.
pub(super) fn find_in(
    volume: &dyn Volume,
    instance_id: &str,
    run_id: &str,
    hold: Hold,
) -> Result<LogFound> {
    check_id("instance_id", instance_id)?;
    check_id("run_id", run_id)?;
    let instance_path = volume.path(instance_id);
    let instance = volume
        .open_instance(instance_id)
        .map_err(failed("opening the instance's directory", &instance_path))?;
    let name = folder_name(run_id);
    let path = instance.path(&name);
    let folder = open_folder(instance.open_folder(&name), &path)?;
    LogFound::hold(folder, path, hold, Some((instance, name)))
}

/// Opens and holds a run by the host's path.
pub(crate) fn find_path(path: &Path) -> Result<Box<dyn FoundRun>> {
    Ok(Box::new(LogFound::at(path)?))
}

fn open_folder(opened: io::Result<Arc<dyn Folder>>, path: &Path) -> Result<Arc<dyn Folder>> {
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(EventStoreError::foreign(path, "is not a directory, not a run; move it aside"))
        }
        opened => opened.map_err(failed("opening the run", path)),
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EventStoreError + use<> {
    let path = path.to_path_buf();
    move |error| EventStoreError::from_io(action, Some(&path), error)
}

/// One run. The lock goes with the last view of it.
pub(super) struct LogFound {
    folder: Arc<dyn Folder>,
    path: PathBuf,
    lock: Arc<dyn Disk>,
    hold: Hold,
    start: Start,
    /// Where it lies and under which name, if it was found by its ids.
    name: Option<(Arc<dyn Folder>, String)>,
}

impl LogFound {
    /// Opens a run by the host's path, for looking alone, and holds it.
    ///
    /// # Errors
    /// Those of [`RunFormat::find`].
    pub(super) fn at(path: &Path) -> Result<Self> {
        let folder = open_folder(os_disk::open_folder(path), path)?;
        Self::hold(folder, path.to_path_buf(), Hold::Shared, None)
    }

    fn hold(
        folder: Arc<dyn Folder>,
        path: PathBuf,
        hold: Hold,
        name: Option<(Arc<dyn Folder>, String)>,
    ) -> Result<Self> {
        let (purpose, mode) = match hold {
            Hold::Shared => (Purpose::Read, LockMode::Shared),
            Hold::Exclusive => (Purpose::Write, LockMode::Exclusive),
        };
        let lock = match folder.open(MANIFEST, purpose) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(no_manifest(&path));
            }
            opened => opened.map_err(failed("opening the run", &path))?,
        };
        if !lock.lock(HOLD_RANGE, mode, false).map_err(failed("locking the run", &path))? {
            return Err(locked(&path));
        }
        if lock.is_unlinked().map_err(failed("reading", &path))? {
            let fault = Fault::new("the run was deleted a moment ago").at(&path);
            return Err(EventStoreError::NotFound(Box::new(fault)));
        }
        let manifest_path = path.join(MANIFEST);
        let bytes = read_all(&*lock, &manifest_path)?;
        let start = Start::decode(&bytes, &manifest_path)?;
        Ok(Self { folder, path, lock, hold, start, name })
    }

    /// Makes the next reads of what a flush may have been refused for come from stable storage, at
    /// a cost that does not grow with the run: no segment but the last takes groups, and it was
    /// begun only after every group before it was flushed (L4). A prepared one may stand behind it.
    fn distrust_tail(&self) -> Result<()> {
        let names = self.names()?;
        let segments = names.iter().filter_map(|name| segment_number(name));
        let first = segments.max().unwrap_or(0).saturating_sub(1);
        self.distrust(names.iter().filter(|name| {
            let number = segment_number(name);
            number.map_or(!name.ends_with(".idx"), |number| number >= first)
        }))
    }

    fn names(&self) -> Result<Vec<String>> {
        self.folder.names().map_err(failed("reading", &self.path))
    }

    fn distrust<'n>(&self, names: impl Iterator<Item = &'n String>) -> Result<()> {
        if planted("log_trust_cache") {
            return Ok(());
        }
        for name in names {
            let disk = self.folder.open(name, Purpose::Write);
            disk.and_then(|disk| disk.forget_cached())
                .map_err(failed("flushing the run", &self.path))?;
        }
        Ok(())
    }

    fn run(&self, threads: usize) -> LogRun {
        let (folder, lock) = (self.folder.clone(), self.lock.clone());
        LogRun::new(folder, self.path.clone(), lock, self.start.clone(), threads)
    }

    /// The seal of a run that was closed in order after it.
    fn closed_seal(&self) -> Result<Option<Seal>> {
        let is_open = self.folder.contains(OPEN).map_err(failed("reading", &self.path))?;
        if is_open { Ok(None) } else { read_seal(&*self.folder) }
    }

    /// The run as a sealed one.
    ///
    /// # Errors
    /// `NotSealed`; those of reading.
    pub(super) fn sealed(&self) -> Result<Arc<LogRun>> {
        let Some(seal) = self.closed_seal()? else {
            let reason = "the run was not sealed and closed in order: recover it first";
            return Err(EventStoreError::NotSealed(Box::new(Fault::new(reason).at(&self.path))));
        };
        let run = self.run(ALL_THREADS);
        run.adopt_seal(&seal)?;
        Ok(Arc::new(run))
    }

    /// The run as its writer left it, sealed or not, from its last segment at most.
    ///
    /// # Errors
    /// `Corrupted` when acknowledged entries are damaged or missing; those of reading. What it does
    /// not read of the last segment fails when it is read.
    pub(super) fn left(&self) -> Result<Arc<LogRun>> {
        let run = self.run(ALL_THREADS);
        match read_seal(&*self.folder)? {
            Some(seal) => run.adopt_seal(&seal)?,
            None if resume(&run, Behind::Read)? => {}
            None => tail::load(&run)?,
        }
        Ok(Arc::new(run))
    }

    /// The same, to be sealed: after a refused flush the kernel may show what the disk never got,
    /// so what counts is on stable storage. What a watermark of this start of the system names is.
    ///
    /// # Errors
    /// Those of [`LogFound::left`], and of flushing.
    pub(super) fn left_to_seal(&self) -> Result<Arc<LogRun>> {
        let run = self.run(ALL_THREADS);
        let is_sealed = self.folder.contains(SEAL).map_err(failed("reading", &self.path))?;
        if !is_sealed && resume(&run, Behind::Seal)? {
            return Ok(Arc::new(run));
        }
        self.distrust_tail()?;
        let run = self.left()?;
        // Before anything is acknowledged once more.
        flush_last(&run)?;
        Ok(run)
    }

    /// Checks all of it, with so many threads.
    fn checked(&self, threads: usize) -> Result<Arc<LogRun>> {
        let run = self.run(threads);
        match read_seal(&*self.folder)? {
            Some(seal) => {
                let is_closed = self.closed_seal()?.is_some();
                let found = self.check_sealed(&run, &seal, is_closed)?;
                check_sealed_chain(&run, &seal.chain, &found)?;
                run.adopt_seal(&seal)?;
            }
            None => {
                check_all(&run, None, run.threads())?;
                tail::load(&run)?;
            }
        }
        Ok(Arc::new(run))
    }

    fn check_sealed(&self, run: &LogRun, seal: &Seal, is_closed: bool) -> Result<Chain> {
        if seal.manifest.run_id != self.start.manifest.run_id
            || seal.manifest.instance_id != self.start.manifest.instance_id
        {
            return Err(EventStoreError::corrupted(&self.path, "the seal is another run's"));
        }
        if is_closed {
            self.check_names(seal)?;
            return check_all(run, Some((seal.last_segment, seal.end)), run.threads());
        }
        // Killed between seal and close: nothing was cut yet.
        check_all(run, None, run.threads())
    }

    /// A sealed and closed run has no file but its own.
    fn check_names(&self, seal: &Seal) -> Result<()> {
        for name in self.names()? {
            let stem = name.strip_suffix(".idx").map(|stem| format!("{stem}.seg"));
            let number = segment_number(stem.as_deref().unwrap_or(&name));
            let is_own = match number {
                Some(number) => number <= seal.last_segment,
                None => [MANIFEST, SEAL].contains(&name.as_str()),
            };
            if !is_own {
                let reason = format!("{name} is no part of the sealed run");
                return Err(EventStoreError::corrupted(&self.path, reason));
            }
        }
        Ok(())
    }

    /// All that can be read, segment by segment.
    fn damaged(&self) -> Result<Arc<LogRun>> {
        let run = self.run(ALL_THREADS);
        let mut chain = Chain::start(self.start.link);
        let numbers = tail::numbers(&run)?;
        let highest = (numbers.len() + MISSING_MAX) as u64;
        let last = numbers.into_iter().filter(|number| *number <= highest).max().unwrap_or(0);
        for number in 1..=last {
            let Ok(opened) = Opened::of(&run, number) else {
                // Its place stays empty, so that the others keep theirs.
                let table = Table::new(&chain, 0);
                let index = Index::Memory { table, keys: Keys::new() };
                let path = run.path_of(&segment_name(number));
                run.push_segment(Segment::new(number, &run.files, path, index));
                continue;
            };
            let walked = walk_damaged(opened.place(), &chain)?;
            chain = walked.table.chain.clone();
            let index = Index::Memory { table: walked.table, keys: walked.keys };
            run.push_segment(Segment::new(number, &run.files, opened.path, index));
        }
        run.publish(&chain);
        if let Ok(Some(seal)) = read_seal(&*self.folder) {
            run.publish_seal(seal.manifest, seal.digest);
        }
        Ok(Arc::new(run))
    }
}

impl FoundRun for LogFound {
    fn bytes(&self) -> u64 {
        let names = self.folder.names().unwrap_or_default();
        let len = |name: &String| self.folder.open(name, Purpose::Read)?.len();
        names.iter().filter_map(|name| len(name).ok()).sum()
    }

    fn distrust_cache(&self) -> Result<()> {
        self.distrust(self.names()?.iter())
    }

    fn open(&self, _cache_bytes: usize) -> Result<Arc<dyn EventReader>> {
        Ok(Arc::new(LogReader(self.sealed()?)))
    }

    fn examine(&self, _cache_bytes: usize, threads: usize) -> Result<Examined> {
        match self.checked(threads) {
            Ok(run) => Ok(Examined::Sound(Arc::new(LogReader(run)))),
            Err(error @ EventStoreError::Corrupted(_)) => Ok(Examined::Unsound(error)),
            Err(error) => Err(error),
        }
    }

    fn examines_indices(&self) -> bool {
        true
    }

    fn open_damaged(&self, _cache_bytes: usize) -> Result<Arc<dyn EventReader>> {
        Ok(Arc::new(LogReader(self.damaged()?)))
    }

    fn adopt(
        self: Box<Self>,
        _cache_bytes: usize,
        digest_key: Option<[u8; 32]>,
    ) -> Result<Box<dyn EventStore>> {
        debug_assert_eq!(self.hold, Hold::Exclusive);
        let options = LogOptions { digest_key, ..LogOptions::default() };
        Ok(Box::new(LogStore::adopting(&self, options)?))
    }

    fn remove(self: Box<Self>) -> Result<()> {
        debug_assert_eq!(self.hold, Hold::Exclusive);
        let Some((instance, name)) = &self.name else {
            let what = "deleting a run that was opened by its path".to_owned();
            return Err(EventStoreError::Unsupported { what });
        };
        let failed_lock = failed("locking the run", &self.path);
        let is_free =
            self.lock.lock(FOLLOW_RANGE, LockMode::Exclusive, false).map_err(failed_lock)?;
        if !is_free && !planted("log_delete_what_is_followed") {
            let fault =
                Fault::new("a reader in this or another process follows the run, wait for it");
            return Err(EventStoreError::Locked(Box::new(fault.at(&self.path))));
        }
        // Under a temporary name first: a crash on the way leaves what recovery moves aside.
        let leaving = format!(".{name}.removed-{}", std::process::id());
        let removed = instance
            .rename_new(name, &leaving)
            .and_then(|()| instance.sync())
            .and_then(|()| create::remove(&**instance, &leaving))
            .and_then(|()| instance.sync());
        removed.map_err(failed("deleting the run", &self.path))
    }
}

/// Flushes the last segment: what was read of it may be in the kernel's memory alone.
fn flush_last(run: &LogRun) -> Result<()> {
    let number = run.segment_count();
    let path = run.path_of(&segment_name(number));
    let (disk, _) = run.segment_disk(number, Purpose::Write)?;
    disk.sync_data().map_err(failed("flushing the last segment", &path))
}
