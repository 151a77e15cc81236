//! The run's file as redb sees it: gathers writes until a flush, then a few large ones.
//!
//! Promises: a read never waits for a flush or for file growth (it takes one short lock that
//! neither holds over I/O); space is real once `set_len` returned; after the first refused
//! write, flush or resize nothing more reaches the disk. From then on, and from [`sever`] on,
//! writes stay in memory: redb, which fails every read after a failed write, never learns of it,
//! so that readers keep working. The store asks [`check`] after each commit instead. Opened
//! copy-on-write, a file is in that state from the start.
//!
//! [`sever`]: StorageFile::sever
//! [`check`]: StorageFile::check

use std::io;
use std::ops::{Bound, Range};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex, RwLock};
use redb::{BackendError, StorageBackend};

use super::filler::Filler;
use super::footprint::{Footprint, Need};
use super::segments::Segments;
use crate::backend::disk::{Disk, LockMode, write_zeros};
use crate::planted::planted;

/// Gathered bytes beyond this are written out without a flush.
const GATHERED_BYTES_MAX: usize = 8 << 20;

/// A commit that writes more does not fill the areas that it enters: what that saves its followers
/// is less than it costs.
const FILLING_BYTES_MAX: u64 = 256 << 10;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Writes reach the disk; locks are taken.
    Write,
    /// Writes stay in memory; locks are taken.
    CopyOnWrite,
    /// Writes stay in memory; no locks, for a run that this process has let go of.
    Unlocked,
}

/// The file; clones share it.
#[derive(Debug, Clone)]
pub(super) struct StorageFile {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    disk: RwLock<Option<Arc<dyn Disk>>>,
    takes_locks: bool,
    /// As redb believes.
    len: AtomicU64,
    /// Up to here the disk's bytes count; beyond, what is not in memory is zero.
    disk_len: AtomicU64,
    gathered: Mutex<Gathered>,
    footprint: Mutex<Footprint>,
    /// An area that was being filled is.
    area_filled: Condvar,
    /// Of a file so long or longer, a thread fills areas ahead.
    fill_ahead_from: AtomicU64,
    filler: Filler,
    /// Give back what was never written when redb closes the file.
    trims: AtomicBool,
    /// Held over writes and resizes; never taken by a read.
    writing: Mutex<()>,
    /// Something was written or resized since the last flush.
    unsynced: AtomicBool,
    /// No write reaches the disk any more.
    diverted: AtomicBool,
    failure: OnceLock<Failure>,
    /// Bytes that commits wrote to the file.
    written_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Gathered {
    fresh: Segments,
    /// On its way to the disk.
    leaving: Arc<Segments>,
    /// Empty: the memory of what has left.
    spare: Segments,
}

/// The first refusal; `io::Error` cannot be cloned.
#[derive(Debug)]
struct Failure {
    kind: io::ErrorKind,
    errno: Option<i32>,
    text: String,
}

impl StorageFile {
    /// Wraps an open file.
    pub(super) fn new(disk: Arc<dyn Disk>, mode: Mode) -> io::Result<Self> {
        let len = disk.len()?;
        let shared = Shared {
            disk: RwLock::new(Some(disk)),
            takes_locks: mode != Mode::Unlocked,
            len: AtomicU64::new(len),
            disk_len: AtomicU64::new(len),
            gathered: Mutex::default(),
            footprint: Mutex::new(Footprint::new(len)),
            area_filled: Condvar::new(),
            fill_ahead_from: AtomicU64::new(u64::MAX),
            filler: Filler::default(),
            trims: AtomicBool::new(false),
            writing: Mutex::new(()),
            unsynced: AtomicBool::new(false),
            diverted: AtomicBool::new(mode != Mode::Write),
            failure: OnceLock::new(),
            written_bytes: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Bytes that commits wrote to the file.
    pub(super) fn written_bytes(&self) -> u64 {
        self.shared.written_bytes.load(Ordering::Relaxed)
    }

    /// So much of the file redb has never written to, as a transaction's new pages are only when
    /// it commits.
    pub(super) fn unused_bytes(&self) -> u64 {
        let len = self.shared.len.load(Ordering::Acquire);
        self.shared.footprint.lock().unused_bytes(len)
    }

    /// The first refused write, flush or resize, if any: nothing after it reached the disk.
    pub(super) fn check(&self) -> io::Result<()> {
        match self.shared.failure.get() {
            None => Ok(()),
            Some(Failure { errno: Some(errno), .. }) => Err(io::Error::from_raw_os_error(*errno)),
            Some(Failure { kind, text, .. }) => Err(io::Error::new(*kind, text.clone())),
        }
    }

    /// The run is sealed: space that was taken ahead is given back when redb closes the file.
    pub(super) fn trim_on_close(&self) {
        self.shared.trims.store(true, Ordering::Release);
    }

    fn trim(&self) {
        if !self.shared.trims.load(Ordering::Acquire) || self.is_diverted() {
            return;
        }
        let unwritten =
            self.shared.footprint.lock().unwritten(self.shared.len.load(Ordering::Acquire));
        for range in unwritten {
            // Only space is at stake, and the next range would be refused as well.
            if self.disk().and_then(|disk| disk.free_zeros(range.start, range.end)).is_err() {
                return;
            }
        }
    }

    /// Lets nothing more reach the disk; reads go on, and so does the lock: nobody else may write
    /// what is still read here.
    pub(super) fn sever(&self) {
        self.shared.diverted.store(true, Ordering::Release);
        // A step that is under way comes to its end first.
        self.shared.filler.end();
    }

    /// The same, and lets go of the locks: for a file that nobody reads through this any more.
    pub(super) fn let_go(&self) {
        self.sever();
        if let (true, Ok(disk)) = (self.shared.takes_locks, self.disk()) {
            // A lock that cannot be let go of goes with the descriptor.
            let _ = disk.unlock_all();
        }
    }

    /// Closes the file. Reads fail from now on.
    pub(super) fn release(&self) {
        self.shared.filler.end();
        self.shared.disk.write().take();
    }

    /// The open file, for whoever goes on with it when this is released.
    pub(super) fn disk(&self) -> io::Result<Arc<dyn Disk>> {
        let disk = self.shared.disk.read().clone();
        disk.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the run's file is closed"))
    }

    fn is_diverted(&self) -> bool {
        self.shared.diverted.load(Ordering::Acquire)
    }

    /// Does what would change the disk, unless nothing may any more; its failure is kept.
    fn attempt(&self, what: &str, act: impl FnOnce(&dyn Disk) -> io::Result<()>) {
        if self.is_diverted() {
            return;
        }
        if let Err(error) = self.disk().and_then(|disk| act(&*disk)) {
            let text = format!("{what} failed: {error}");
            let failure = Failure { kind: error.kind(), errno: error.raw_os_error(), text };
            let _ = self.shared.failure.set(failure);
            self.shared.diverted.store(true, Ordering::Release);
        }
    }

    /// Writes what was gathered. Readers see it in memory until the disk has it.
    fn write_out(&self) {
        let leaving = {
            let mut gathered = self.shared.gathered.lock();
            if self.is_diverted() || gathered.fresh.is_empty() {
                return;
            }
            let spare = std::mem::take(&mut gathered.spare);
            gathered.leaving = Arc::new(std::mem::replace(&mut gathered.fresh, spare));
            gathered.leaving.clone()
        };
        self.attempt("writing", |disk| {
            self.shared.unsynced.store(true, Ordering::Release);
            self.await_filling(|area| leaving.within(area.start, area.end).next().is_some());
            let written_bytes = leaving.covered_bytes() as u64;
            let filled_bytes = self.fill_entered(disk, written_bytes)?;
            for (offset, parts) in leaving.runs() {
                disk.write(offset, &parts)?;
            }
            self.shared.written_bytes.fetch_add(filled_bytes + written_bytes, Ordering::Relaxed);
            Ok(())
        });
        if !self.is_diverted() {
            drop(leaving);
            let mut gathered = self.shared.gathered.lock();
            if let Some(mut left) = Arc::into_inner(std::mem::take(&mut gathered.leaving)) {
                left.clear();
                gathered.spare = left;
            }
        }
    }

    /// Fills the areas with zeros that what is being written out enters, and answers how many
    /// bytes those were. Asked after it was taken: whoever gathers has noted the area before.
    fn fill_entered(&self, disk: &dyn Disk, written_bytes: u64) -> io::Result<u64> {
        let entered = self.shared.footprint.lock().entered();
        if entered.is_empty() || written_bytes > FILLING_BYTES_MAX {
            return Ok(0);
        }
        let len = self.shared.len.load(Ordering::Acquire);
        let mut bytes = 0;
        // What was cut since is gone.
        for area in entered.into_iter().filter(|area| area.start < len) {
            let area = area.start..area.end.min(len);
            bytes += area.end - area.start;
            write_zeros(disk, area, || true)?;
        }
        Ok(bytes)
    }

    /// Lets a thread fill areas before redb enters them, once the file is so long.
    pub(super) fn fill_ahead_from(&self, bytes: u64) {
        self.shared.fill_ahead_from.store(bytes, Ordering::Release);
    }

    /// A batch is about to be committed, and was once what this returns is dropped: filling ahead
    /// keeps out of its way.
    pub(super) fn begin_commit(&self) -> Committing<'_> {
        self.shared.filler.begin_commit();
        Committing(self)
    }

    /// How soon more is to be filled ahead.
    fn need(&self, footprint: &Footprint) -> Need {
        let len = self.shared.len.load(Ordering::Acquire);
        if len < self.shared.fill_ahead_from.load(Ordering::Acquire) {
            return Need::Nothing;
        }
        footprint.need(self.fillable_bytes())
    }

    /// How much of the file may be filled: what redb believes to be there and the disk has.
    fn fillable_bytes(&self) -> u64 {
        let len = self.shared.len.load(Ordering::Acquire);
        len.min(self.shared.disk_len.load(Ordering::Acquire))
    }

    /// Fills the next area where no less need is, on the filler's thread, beside whatever else
    /// happens to the file: only what writes into this area or cuts it off waits. Answers the need
    /// that is left.
    fn fill_next(&self, least: Need) -> Need {
        let area = {
            let mut footprint = self.shared.footprint.lock();
            let need = self.need(&footprint);
            if need < least {
                return need;
            }
            // Asked under the lock: whoever resizes says so before it looks what is being filled.
            footprint.fill(self.fillable_bytes())
        };
        let Some(area) = area else { return Need::Nothing };
        let filling = Filling(&self.shared);
        self.attempt("filling", |disk| {
            write_zeros(disk, area.clone(), || true)?;
            disk.start_writeback(area.start, area.end);
            Ok(())
        });
        drop(filling);
        if self.is_diverted() { Need::Nothing } else { self.need(&self.shared.footprint.lock()) }
    }

    /// Waits until no area is being filled that `matters`.
    fn await_filling(&self, matters: impl Fn(&Range<u64>) -> bool) {
        let mut footprint = self.shared.footprint.lock();
        while footprint.filling().is_some_and(&matters) && !planted("fill_over") {
            self.shared.area_filled.wait(&mut footprint);
        }
    }

    fn resize(&self, len: u64) {
        let old_len = self.shared.len.swap(len, Ordering::AcqRel);
        self.await_filling(|area| area.end > len);
        self.attempt("resizing", |disk| {
            self.shared.unsynced.store(true, Ordering::Release);
            if len > old_len { disk.extend(old_len, len) } else { disk.truncate(len) }
        });
        if len < old_len {
            self.shared.gathered.lock().fresh.truncate(len);
            self.shared.footprint.lock().truncate(len);
            self.shared.disk_len.fetch_min(len, Ordering::AcqRel);
        } else if !self.is_diverted() {
            self.shared.disk_len.store(len, Ordering::Release);
        }
    }

    fn read_disk(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk_len = self.shared.disk_len.load(Ordering::Acquire);
        let on_disk = disk_len.saturating_sub(offset).min(out.len() as u64) as usize;
        let (head, tail) = out.split_at_mut(on_disk);
        tail.fill(0);
        if head.is_empty() { Ok(()) } else { self.disk()?.read(offset, head) }
    }

    fn lock(&self, start: Bound<u64>, end: Bound<u64>, mode: LockMode, wait: bool) -> LockAnswer {
        if !self.shared.takes_locks {
            return Ok(true);
        }
        Ok(self.disk()?.lock((start, end), mode, wait)?)
    }
}

/// A batch is being committed, until this is dropped.
pub(super) struct Committing<'s>(&'s StorageFile);

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        let StorageFile { shared } = self.0;
        let need = self.0.need(&shared.footprint.lock());
        let of_file = Arc::downgrade(shared);
        shared.filler.end_commit(need, move |least| match of_file.upgrade() {
            Some(shared) => StorageFile { shared }.fill_next(least),
            None => Need::Nothing,
        });
    }
}

/// An area is being filled, until this is dropped: also by a panic, for commits wait for it.
struct Filling<'s>(&'s Shared);

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        self.0.footprint.lock().filled();
        self.0.area_filled.notify_all();
    }
}

type LockAnswer = Result<bool, BackendError>;

impl StorageBackend for StorageFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.shared.len.load(Ordering::Acquire))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset + out.len() as u64;
        let len = self.shared.len.load(Ordering::Acquire);
        if end > len {
            let reason = format!("a read of {offset} to {end}, the file has {len} bytes");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        // Taken before the disk is read: what leaves memory in between is on the disk by then.
        let over: Vec<(u64, Vec<u8>)> = {
            let gathered = self.shared.gathered.lock();
            let layers = [&*gathered.leaving, &gathered.fresh];
            let parts = layers.into_iter().flat_map(|layer| layer.within(offset, end));
            parts.map(|(at, bytes)| (at, bytes.to_vec())).collect()
        };
        if !over.iter().any(|(_, bytes)| bytes.len() == out.len()) {
            self.read_disk(offset, out)?;
        }
        for (at, bytes) in over {
            out[(at - offset) as usize..][..bytes.len()].copy_from_slice(&bytes);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let _writing = self.shared.writing.lock();
        self.resize(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let _writing = self.shared.writing.lock();
        self.write_out();
        if self.shared.unsynced.swap(false, Ordering::AcqRel) {
            self.attempt("flushing", |disk| match planted("skip_sync") {
                true => Ok(()),
                false => disk.sync_data(),
            });
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let data = match self.shared.footprint.lock().write(offset, data) {
            0 => return Ok(()),
            needed => &data[..needed],
        };
        let is_full = {
            let mut gathered = self.shared.gathered.lock();
            gathered.fresh.write(offset, data);
            gathered.fresh.held_bytes() > GATHERED_BYTES_MAX
        };
        // Never waits: redb may write from a reader's thread, and a flush may be under way.
        if let (true, Some(_writing)) = (is_full, self.shared.writing.try_lock()) {
            self.write_out();
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.shared.filler.end();
        // While the locks are held: nobody else has written to what was never written.
        self.trim();
        if self.shared.takes_locks { self.disk()?.unlock_all() } else { Ok(()) }
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> LockAnswer {
        self.lock(start, end, LockMode::Exclusive, false)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> LockAnswer {
        self.lock(start, end, LockMode::Shared, false)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.lock(start, end, LockMode::Exclusive, true).map(drop)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.lock(start, end, LockMode::Shared, true).map(drop)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.shared.takes_locks {
            self.disk()?.unlock((start, end))?;
        }
        Ok(())
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> LockAnswer {
        if !self.shared.takes_locks {
            return Ok(false);
        }
        Ok(self.disk()?.is_locked_elsewhere((start, end))?)
    }
}
