//! A run's directory as its readers and its writer share it.
//!
//! Holds the run's lock (on its manifest's file) as long as anybody has it. Segments are opened
//! when they are first needed, so that opening a run costs the same whatever its length. What was
//! acknowledged is published by one number; readers look at nothing beyond it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

use super::create::locked;
use super::follow::Follow;
use super::format::segment_incarnation;
use super::index_file::IndexFile;
use super::open_files::OpenFiles;
use super::resume::LogEnd;
use super::scan::IdleMemory;
use super::segment::{Segment, damaged, index_name, segment_name};
use super::small_file::{Seal, Start, read_seal};
use super::table::Chain;
use super::tail::{check_present, numbers};
use crate::backend::disk::{Disk, Folder, HOLD_RANGE, LockMode, Purpose};
use crate::digest::RunDigest;
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::RunManifest;
use crate::platform::parallel::threads_given;

/// So many segments are believed in without a look at the directory.
const SEGMENTS_UNLISTED: u64 = 1 << 14;

/// See the module.
#[derive(Debug)]
pub(super) struct LogRun {
    pub(super) folder: Arc<dyn Folder>,
    pub(super) files: Arc<OpenFiles>,
    pub(super) path: PathBuf,
    /// The manifest's file, which the lock is on.
    pub(super) lock: Arc<dyn Disk>,
    pub(super) start: Start,
    /// What visits of its rows need.
    pub(super) idle: IdleMemory,
    /// How many threads make missing indices again; 0 as many as there are processors.
    threads_wanted: usize,
    state: RwLock<State>,
    /// The segment of number `n` stands at `n - 1`.
    segments: RwLock<Vec<Arc<OnceLock<Arc<Segment>>>>>,
    /// Where the log ends, if its last segment was not looked through when it was opened.
    unread_end: OnceLock<LogEnd>,
    /// Where the log ends, if that is sealed.
    sealed_end: OnceLock<LogEnd>,
    high_watermark: AtomicU64,
    /// The lock is held, in whatever mode.
    is_held: AtomicBool,
    /// How it is kept up with, where another process writes it.
    follow: Option<Follow>,
}

#[derive(Debug)]
struct State {
    manifest: RunManifest,
    digest: Option<RunDigest>,
    anchor: Option<Vec<u8>>,
}

impl LogRun {
    pub(super) fn new(
        folder: Arc<dyn Folder>,
        path: PathBuf,
        lock: Arc<dyn Disk>,
        start: Start,
        threads_wanted: usize,
    ) -> Self {
        let manifest = start.manifest.clone();
        let state = RwLock::new(State { manifest, digest: None, anchor: None });
        let (segments, high_watermark) = (RwLock::default(), AtomicU64::new(0));
        let is_held = AtomicBool::new(true);
        let files = OpenFiles::new(folder.clone());
        let (unread_end, sealed_end, follow) = (OnceLock::new(), OnceLock::new(), None);
        Self {
            folder,
            files,
            idle: IdleMemory::default(),
            path,
            lock,
            start,
            threads_wanted,
            state,
            segments,
            unread_end,
            sealed_end,
            high_watermark,
            is_held,
            follow,
        }
    }

    /// The same run, kept up with.
    pub(super) fn followed(mut self, follow: Follow) -> Self {
        self.follow = Some(follow);
        self
    }

    pub(super) fn follow(&self) -> Option<&Follow> {
        self.follow.as_ref()
    }

    /// Sees to it that what is about to be read can be, and that all is seen that is acknowledged.
    ///
    /// # Errors
    /// Those of [`LogRun::hold`] and [`Follow::refresh`].
    pub(super) fn prepare(&self) -> Result<()> {
        match &self.follow {
            Some(follow) => follow.refresh(self),
            None => self.hold(),
        }
    }

    /// Lets go of the lock: whoever reads next takes it again, shared.
    pub(super) fn let_go(&self) {
        self.is_held.store(false, Ordering::Release);
        // A lock that cannot be let go of goes with the descriptor.
        let _ = self.lock.unlock_all();
    }

    /// Sees to it that nobody repairs or deletes what is about to be read.
    ///
    /// # Errors
    /// `Locked` while recovery or retention has the run; `NotFound` when it was deleted.
    fn hold(&self) -> Result<()> {
        if self.is_held.load(Ordering::Acquire) {
            return Ok(());
        }
        // Taken before anything is looked at, so that two readers do it once.
        let mut state = self.state.write();
        if self.is_held.load(Ordering::Acquire) {
            return Ok(());
        }
        let failed = |error| EventStoreError::from_io("locking the run", Some(&self.path), error);
        if !self.lock.lock(HOLD_RANGE, LockMode::Shared, false).map_err(failed)? {
            return Err(locked(&self.path));
        }
        if self.lock.is_unlinked().map_err(failed)? {
            let fault = Fault::new("the run was deleted").at(&self.path);
            return Err(EventStoreError::NotFound(Box::new(fault)));
        }
        if let (false, Some(seal)) = (state.manifest.status.is_sealed(), read_seal(&*self.folder)?)
        {
            // Sealed since by recovery.
            (state.manifest, state.digest) = (seal.manifest, seal.digest);
        }
        self.is_held.store(true, Ordering::Release);
        Ok(())
    }

    /// How many threads check segments and make missing indices again. Asked of the system each time,
    /// which opening a run need not wait for.
    pub(super) fn threads(&self) -> usize {
        threads_given(self.threads_wanted)
    }

    pub(super) fn high_watermark(&self) -> u64 {
        self.high_watermark.load(Ordering::Acquire)
    }

    pub(super) fn manifest(&self) -> RunManifest {
        self.state.read().manifest.clone()
    }

    pub(super) fn digest(&self) -> Option<RunDigest> {
        self.state.read().digest
    }

    /// The frame of the latest anchor.
    ///
    /// # Errors
    /// Those of [`LogRun::segment`].
    pub(super) fn anchor(&self) -> Result<Option<Vec<u8>>> {
        if let Some(end) = self.unread_end() {
            self.segment(end.segment)?;
        }
        Ok(self.state.read().anchor.clone())
    }

    pub(super) fn unread_end(&self) -> Option<&LogEnd> {
        self.unread_end.get()
    }

    pub(super) fn sealed_end(&self) -> Option<&LogEnd> {
        self.sealed_end.get()
    }

    /// The last segment is looked through when it is first asked for.
    pub(super) fn set_unread_end(&self, end: LogEnd) {
        self.unread_end.get_or_init(|| end);
    }

    /// Shows readers what is durable now.
    pub(super) fn publish(&self, chain: &Chain) {
        if self.state.read().anchor != chain.anchor {
            self.state.write().anchor.clone_from(&chain.anchor);
        }
        self.high_watermark.store(chain.high_watermark(), Ordering::Release);
    }

    /// Shows readers how the run ended.
    pub(super) fn publish_seal(&self, manifest: RunManifest, digest: Option<RunDigest>) {
        let mut state = self.state.write();
        state.manifest = manifest;
        state.digest = digest;
    }

    /// Takes over a sealed run's end: nothing of the log is read for it.
    ///
    /// # Errors
    /// `Corrupted` when the segment that the log ends in is gone; those of looking for it.
    pub(super) fn adopt_seal(&self, seal: &Seal) -> Result<()> {
        // Before room is made for so many.
        let name = segment_name(seal.last_segment);
        let is_there = self.folder.contains(&name).map_err(|error| {
            EventStoreError::from_io("looking for the last segment", Some(&self.path), error)
        })?;
        if seal.last_segment == 0 || !is_there {
            return Err(self.missing(seal.last_segment));
        }
        // Listing them costs too much where the room costs nothing.
        if seal.last_segment > SEGMENTS_UNLISTED {
            check_present(self, &numbers(self)?, seal.last_segment)?;
        }
        self.set_segments(seal.last_segment);
        let (segment, offset, chain) = (seal.last_segment, seal.end, seal.chain.clone());
        self.sealed_end.get_or_init(|| LogEnd { segment, offset, chain });
        self.publish(&seal.chain);
        self.publish_seal(seal.manifest.clone(), seal.digest);
        Ok(())
    }

    /// There are so many segments, none of them open.
    pub(super) fn set_segments(&self, count: u64) {
        self.segments.write().resize_with(count as usize, Arc::default);
    }

    /// The next segment is open.
    pub(super) fn push_segment(&self, segment: Arc<Segment>) {
        let slot = OnceLock::new();
        slot.get_or_init(|| segment);
        self.segments.write().push(Arc::new(slot));
    }

    pub(super) fn segment_count(&self) -> u64 {
        self.segments.read().len() as u64
    }

    pub(super) fn incarnation(&self, number: u64) -> u64 {
        segment_incarnation(self.start.incarnation, number)
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A segment that is open already.
    ///
    /// # Errors
    /// `Corrupted` for one that the run does not have.
    pub(super) fn opened(&self, number: u64) -> Result<Option<Arc<Segment>>> {
        let segments = self.segments.read();
        let slot = segments.get(number as usize - 1).ok_or_else(|| self.missing(number))?;
        Ok(slot.get().cloned())
    }

    /// Keeps a segment that was opened; answers the one that another thread kept first.
    ///
    /// # Errors
    /// `Corrupted` for one that the run does not have.
    pub(super) fn set_opened(&self, number: u64, segment: Arc<Segment>) -> Result<Arc<Segment>> {
        Ok(self.slot(number)?.get_or_init(|| segment).clone())
    }

    fn slot(&self, number: u64) -> Result<Arc<OnceLock<Arc<Segment>>>> {
        let slot = self.segments.read().get(number as usize - 1).cloned();
        slot.ok_or_else(|| self.missing(number))
    }

    fn missing(&self, number: u64) -> EventStoreError {
        EventStoreError::corrupted(&self.path, format!("segment {number} is missing"))
    }

    /// Opens a segment's file.
    ///
    /// # Errors
    /// `Corrupted` when it is gone; those of reading.
    pub(super) fn segment_disk(
        &self,
        number: u64,
        purpose: Purpose,
    ) -> Result<(Arc<dyn Disk>, PathBuf)> {
        let name = segment_name(number);
        let path = self.path_of(&name);
        match self.folder.open(&name, purpose) {
            Ok(disk) => Ok((disk, path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(self.missing(number)),
            Err(error) => Err(EventStoreError::from_io("opening a segment", Some(&path), error)),
        }
    }

    /// The index of a segment, if its file is there and sound.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn index_file(&self, number: u64) -> Result<Option<IndexFile>> {
        let name = index_name(number);
        let path = self.path_of(&name);
        match IndexFile::open(self.files.file(name), number, self.incarnation(number)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            opened => opened.map_err(|error| damaged(&path, error)),
        }
    }

    /// What the first group of a segment must join.
    ///
    /// # Errors
    /// Those of [`LogRun::segment`]; `Corrupted` when the segment before it is damaged.
    pub(super) fn chain_before(&self, number: u64) -> Result<Chain> {
        match number {
            1 => Ok(Chain::start(self.start.link)),
            _ => {
                let before = self.segment(number - 1)?;
                before.check_whole()?;
                Ok(before.chain())
            }
        }
    }

    /// The last segment for which `is_before` holds of what it starts with, or the first.
    ///
    /// # Errors
    /// Those of [`LogRun::segment`].
    pub(super) fn last_segment_where(
        &self,
        is_before: impl Fn(&Segment) -> bool,
    ) -> Result<Option<Arc<Segment>>> {
        let (mut low, mut high) = (1, self.segment_count());
        if high == 0 {
            return Ok(None);
        }
        // The newest first: it is open already, and most is asked about it.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.holds_of(middle, &is_before)? { low = middle } else { high = middle - 1 }
        }
        self.segment(low).map(Some)
    }

    /// What a segment answers to a question that reads nothing.
    ///
    /// # Errors
    /// Those of [`LogRun::segment`].
    pub(super) fn holds_of(&self, number: u64, holds: impl Fn(&Segment) -> bool) -> Result<bool> {
        let opened = self.segments.read().get(number as usize - 1).and_then(|slot| {
            // Without a share of its own: most are asked one question.
            slot.get().map(|segment| holds(segment))
        });
        opened.map_or_else(|| Ok(holds(&*self.segment(number)?)), Ok)
    }
}
