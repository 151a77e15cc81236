//! The log backend: a run is a directory of append-only segments, a commit one write and one flush.
//!
//! Promises what [`EventStore`] does. `<base>/<instance_id>/<run_id>.eslog/` has no second copy of
//! an entry anywhere; indices are projections, made again from the log where they are missing.
//! Takes the run's own lock and leaves the instance's to its caller. Where to look: bytes
//! `format`, appending `writer`, where a killed run ends `resume` and `tail`, the check of a whole
//! run `check`, what readers share `run`, how those of other processes keep up `follow`.
//!
//! # Format, version 1
//!
//! All integers are little-endian; every checksum is CRC-32C (Castagnoli). A reader refuses a
//! version it does not know, and bytes that are not exactly as described.
//!
//! | file | what | there |
//! |---|---|---|
//! | `manifest` | what the run is; carries the run's lock | always, never changed |
//! | `0000000001.seg`, ... | the log, in segments numbered from 1 | always |
//! | `0000000001.idx`, ... | the index of a finished segment | may be missing: made again |
//! | `open` | the watermarks | until the run is sealed and closed in order |
//! | `seal.reserve` | zeros: space for the seal | until it is sealed |
//! | `seal` | how the run ended | once it is sealed |
//!
//! **Small file** (`manifest`, `seal`, and the head of an index): 8 bytes of magic, u32 version,
//! u32 length of the body, the body, u32 checksum of everything before it. Nothing follows but in
//! an index.
//!
//! **`manifest`**, magic `ESLOGRUN`: u64 flags (1: the run's digest is keyed), u64 incarnation of
//! the run (random), the frame of the manifest as it was at the start.
//!
//! **Segment**: a header of 64 bytes, then groups without a space between them, then zeros up to
//! the length that was prepared, or nothing once the segment was cut at its end. Prepared means
//! written with zeros, the header written, flushed, the directory flushed, all before the first
//! group. Header: `ESLOGSEG`, u32 version, u32 0, u64 number, u64 incarnation of the segment (that
//! of the run plus the number, wrapping), 28 bytes 0, u32 checksum of the 60 bytes before it.
//!
//! **Group**: a header of 64 bytes, then the body. One group is one commit.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `ESGR` |
//! | 4 | 4 | kind: 1 entries, 2 an anchor |
//! | 8 | 8 | the first entry's seq; of an anchor the next one |
//! | 16 | 4 | how many entries; of an anchor 0 |
//! | 20 | 4 | checksum of the body |
//! | 24 | 8 | length of the body |
//! | 32 | 8 | incarnation of the segment |
//! | 40 | 8 | number of the group, from 1 over the whole run |
//! | 48 | 8 | the largest `ts_init` of the run up to here |
//! | 56 | 4 | checksum of the group header before this one, over segments too; of the `manifest` file for the first: the chain |
//! | 60 | 4 | checksum of the 60 bytes before it |
//!
//! The body of entries: a record each. **Record**: u32 length of the frame, u32 number of keys,
//! u32 length of the keys, u32 checksum of these 12 bytes and the keys; the entry's frame (FORMAT.md);
//! the keys as in the run digest (u16 kind, u16 length, bytes). The body of an anchor: its frame.
//!
//! **`open`**: two watermarks, at 0 and at 4096; that of group `n` stands at `n % 2 * 4096`: u64
//! incarnation of the run, u64 group, u64 its last seq, u64 number of the segment that the group is
//! in, u64 where its header starts there, 16 bytes boot id (the kernel's random number for this start
//! of the system, as its UUID is read; zeros: not known), u32 checksum of the group's header, u32
//! checksum of the 60 bytes before it. Written after a group's flush, never flushed itself: after a
//! kill it is exact, after a power cut it may only be lower. The higher sound one counts; none says
//! nothing. Segment 0 (the watermark of a copy) says nothing of the place. The file is there, 8192
//! bytes long, from before the run has its name until the seal is durable: a run without a seal that
//! has it otherwise is damaged.
//!
//! **Readers in other processes** take up the groups up to the watermark and nothing behind it, from
//! the next segment once nothing stands behind the last group of this one. They hold byte 2^61 of
//! `manifest` shared; whoever deletes the run first takes it exclusively. A seal counts for them
//! once `open` is gone, or the writer is.
//!
//! **Where the log ends** that was not sealed: the last segment is the one of the highest number
//! that has any byte but zeros behind its header. Its last group is the last that holds its
//! checksums, has the number and seq that come next, and names the header before it. A watermark
//! above it, or a group of a number two higher or more anywhere behind it, is damage; anything else
//! behind it was never acknowledged and does not belong to the run.
//!
//! **After a kill** that end is found without a look at what lies before it: if the boot id is that
//! of now and the header of the watermark's group stands where the watermark says, the last group is
//! the last of the whole ones that follow without a space from there on, provided that zeros follow
//! it (4096 bytes, or to the end of the file) and that the next segment, if there is one, has zeros
//! behind its header. Damage before the watermark's end is then found when the segment is first read.
//! A group behind the watermark may be whole in the kernel's memory alone, since its flush may have
//! been refused: before a seal it is flushed and read anew.
//!
//! **`seal`**, magic `ESLOGEND`: u64 last segment, u64 where it ends, u64 last group, u64 checksum
//! of its header, u64 next seq, u64 largest `ts_init`; a byte 0 or 1 and 33 bytes of digest
//! (FORMAT.md); u32 length and frame of the latest anchor (length 0: none); the sealed manifest's
//! frame. Written into `seal.reserve`, cut, flushed, renamed, the directory flushed.
//!
//! **Index**, magic `ESLOGIDX`: u64 number and incarnation of the segment, u64 first seq, u64
//! largest `ts_init` before it, u64 end, then as in the seal the last group, its checksum, next seq
//! and largest `ts_init`; u32 length and frame of the latest anchor; u32 count of marks, each u64
//! seq, u64 offset of its record, u32 how many records its group has from there on, u64 largest
//! `ts_init` before it (one mark for the first record and one for each that starts 16 KiB or more
//! behind the last that has one); the filter; u32 count of blocks, each u64 offset from the end of
//! this head, u32 length, u32 checksum, and its first key as in the block with seq 0. Then the
//! blocks: keys in order of kind and bytes, each u16 kind, u16 length, u64 the first seq in this
//! segment, bytes; a block ends with the key that makes it 1024 bytes or longer.
//! A finished segment without an index ends where the first group of the next one, or the seal, says
//! that it does, with nothing but zeros behind it until it is cut; any other end is damage.
//!
//! **Filter**: u32 kind (1, others are not read), u32 count of filter blocks (the keys divided by
//! 16, rounded up), each eight u32. A key's hash is the BLAKE3 of its u16 kind and its bytes. With
//! `h` = the hash's first u64, its filter block is `h * count / 2^64`, rounded down; in word `i` of
//! that, the bit of value `2^(b % 32)` is set, `b` being byte `8 + i` of the hash. Where any of the
//! eight is not set, the segment does not have the key. An index without a filter that is sound and
//! of this kind is no index: it is made again.

mod ahead;
mod apart;
mod check;
mod copy;
mod create;
mod filter;
mod flusher;
mod follow;
mod format;
mod found;
mod heads;
mod index_file;
mod keys;
mod open_files;
mod opened;
mod reader;
mod rebuild;
mod resume;
mod run;
mod scan;
mod segment;
mod small_file;
mod table;
mod tail;
mod walk;
mod writer;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::ahead::Site;
use self::found::LogFound;
pub(crate) use self::found::{LogFiles, find_path};
use self::reader::LogReader;
use self::run::LogRun;
use self::segment::segment_number;
use self::small_file::{OPEN, SEAL_RESERVE, Seal, write_seal};
use self::writer::Writer;
use super::disk::Volume;
use super::ledger::Ledger;
use super::os_disk::OsVolume;
use super::run_format::{CopySource, Examined, FoundRun, Hold};
use super::{Direction, EventReader, EventStore, Pipeline, Sealed};
use crate::digest::RunDigest;
use crate::entry::AppendEntry;
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::{RunManifest, RunStatus};
use crate::platform::signal::blocking_sigxfsz;
use crate::snapshot::SnapshotAnchor;

/// How a run's log is written.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Keys the run's digest; never stored.
    pub digest_key: Option<[u8; 32]>,
    /// How long a segment becomes at most, in bytes; the first ones are shorter. 64 MiB.
    pub segment_bytes_max: u64,
    /// Prepare and finish segments on a thread; without, appends do it on their way.
    pub uses_thread: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { digest_key: None, segment_bytes_max: 64 << 20, uses_thread: true }
    }
}

/// The log backend. Dropped with a run open, it lets go of it as [`EventStore::abandon`] does.
#[derive(Debug)]
pub struct LogStore {
    volume: Arc<dyn Volume>,
    options: LogOptions,
    open: Option<Open>,
}

struct Open {
    run: Arc<LogRun>,
    /// `None` for a run that was found after a crash, and once closed or abandoned.
    writer: Option<Writer>,
    ledger: Ledger,
    /// Found after a crash: its ledger is empty until it is sealed.
    is_found: bool,
    /// Closed or abandoned.
    is_let_go: bool,
}

impl LogStore {
    /// A store of runs below `base`, which is made when the first run is.
    pub fn new(base: &Path, options: LogOptions) -> Self {
        Self::on(Arc::new(OsVolume::new(base)), options)
    }

    /// The same over another disk: how the power-cut test drives the code that ships.
    #[doc(hidden)]
    pub fn on(volume: Arc<dyn Volume>, options: LogOptions) -> Self {
        Self { volume, options, open: None }
    }

    /// The directory of the run that is open or was last.
    pub fn run_path(&self) -> Option<PathBuf> {
        self.open.as_ref().map(|open| open.run.path.clone())
    }

    /// A store that goes on with a run that was found, for reading and sealing.
    fn adopting(found: &LogFound, options: LogOptions) -> Result<Self> {
        let mut store = Self::new(Path::new(""), options);
        store.adopt(found.left_to_seal()?)?;
        Ok(store)
    }

    fn adopt(&mut self, run: Arc<LogRun>) -> Result<()> {
        let manifest = run.manifest();
        let is_sealed = manifest.status.is_sealed();
        let ledger = Ledger::crashed(manifest, None, None);
        self.open = Some(Open { run, writer: None, ledger, is_found: true, is_let_go: false });
        // Sealed, but not closed: that is all that was missing.
        if is_sealed { self.close() } else { Ok(()) }
    }

    fn open(&mut self) -> Result<&mut Open> {
        self.open.as_mut().ok_or_else(no_run)
    }

    /// Lets go of the run of this name if it is this store's own. Makes room otherwise.
    fn give_up_or_leave(&mut self, instance_id: &str, run_id: &str) -> Result<()> {
        match &mut self.open {
            Some(open) if open.is_named(instance_id, run_id) => {
                self.abandon();
                Ok(())
            }
            _ => self.leave_sealed(),
        }
    }

    /// Makes room for another run: closes the one that is open, if it is sealed. One that was
    /// closed or abandoned before is in nobody's way.
    fn leave_sealed(&mut self) -> Result<()> {
        match &self.open {
            None | Some(Open { is_let_go: true, .. }) => {}
            Some(open) if open.ledger.is_sealed() => self.close()?,
            Some(open) => {
                let reason = "this store's run is not sealed, seal it before opening another";
                let fault = Fault::new(reason).at(&open.run.path);
                return Err(EventStoreError::CrashedPredecessor(Box::new(fault)));
            }
        }
        self.open = None;
        Ok(())
    }
}

fn no_run() -> EventStoreError {
    EventStoreError::backend("no run is open in this store")
}

impl Open {
    fn is_named(&self, instance_id: &str, run_id: &str) -> bool {
        let manifest = self.ledger.manifest();
        manifest.instance_id == instance_id && manifest.run_id == run_id
    }

    fn writer(&mut self) -> Result<&mut Writer> {
        self.writer.as_mut().ok_or(EventStoreError::Closed)
    }

    fn seal(&mut self, status: RunStatus, digest_key: Option<&[u8; 32]>) -> Result<Sealed> {
        let (manifest, digest) = match self.is_found {
            true => self.sum_up(status, digest_key)?,
            false => {
                let manifest = self.ledger.sealed_manifest(status)?;
                let has_digest = status != RunStatus::Quarantined;
                let digest = has_digest.then(|| self.ledger.digest_for(&manifest));
                (manifest, digest)
            }
        };
        self.seal_as(manifest, digest)
    }

    fn seal_as(&mut self, manifest: RunManifest, digest: Option<RunDigest>) -> Result<Sealed> {
        if let Some(writer) = &mut self.writer {
            writer.end(false)?;
        }
        let last = self.run.segment(self.run.segment_count())?;
        let chain = match &self.writer {
            Some(writer) => writer.chain().clone(),
            None => last.chain(),
        };
        let seal = Seal {
            manifest: manifest.clone(),
            digest,
            last_segment: last.number,
            end: last.end(),
            chain,
        };
        write_seal(&*self.run.folder, &seal).map_err(|error| {
            if let Some(writer) = &mut self.writer {
                writer.stop();
            }
            failed("sealing the run", &self.run.path)(error)
        })?;
        self.run.publish_seal(manifest.clone(), digest);
        let high_watermark = manifest.high_watermark;
        self.ledger.sealed(manifest);
        Ok(Sealed { high_watermark, digest })
    }

    /// What a seal writes for a run that was found and not written by this process.
    fn sum_up(
        &self,
        status: RunStatus,
        digest_key: Option<&[u8; 32]>,
    ) -> Result<(RunManifest, Option<RunDigest>)> {
        // Answers for a status or a run that cannot be sealed, before anything is read.
        let unsealed = self.ledger.sealed_manifest(status)?;
        let is_keyed = self.run.start.is_keyed;
        let replayed = self.replay(digest_key.filter(|_| is_keyed));
        if status == RunStatus::Quarantined {
            // Damage is why it is quarantined: sum up what can be read.
            let manifest = replayed.and_then(|ledger| ledger.sealed_manifest(status));
            let high_watermark = self.run.high_watermark();
            let chain = self.run.segment(self.run.segment_count())?.chain();
            let end_ts_init = (high_watermark > 0).then_some(chain.ts_init_max);
            let damaged = RunManifest { status, high_watermark, end_ts_init, ..unsealed };
            return Ok((manifest.unwrap_or(damaged), None));
        }
        let ledger = replayed?;
        let manifest = ledger.sealed_manifest(status)?;
        let can_digest = !is_keyed || digest_key.is_some();
        let digest = can_digest.then(|| ledger.digest_for(&manifest));
        Ok((manifest, digest))
    }

    fn replay(&self, digest_key: Option<&[u8; 32]>) -> Result<Ledger> {
        let view = LogReader(self.run.clone());
        let anchor = view.latest_snapshot_anchor()?;
        let mut ledger = Ledger::crashed(self.run.manifest(), anchor, digest_key);
        view.visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
            ledger.replay(&row.entry, row.keys);
            ControlFlow::Continue(())
        })?;
        Ok(ledger)
    }

    /// Leaves nothing of a sealed run but the log, its indices, and the seal.
    fn tidy_sealed(&self) -> io::Result<()> {
        let run = &self.run;
        let site = Site::new(run.folder.clone(), run.start.incarnation);
        let last = run.segment_count();
        for name in run.folder.names()? {
            let is_spare = segment_number(&name).is_some_and(|number| number > last);
            if is_spare || name == SEAL_RESERVE || name.ends_with(".new") {
                run.folder.remove(&name)?;
            }
        }
        for number in 1..=last {
            let segment = match run.segment(number) {
                Ok(segment) if segment.check_whole().is_ok() => segment,
                // What is damaged, and what must join it, stays as it is: for a salvage.
                Ok(_) | Err(EventStoreError::Corrupted(_)) => continue,
                Err(error) => return Err(io::Error::other(error.to_string())),
            };
            match ahead::finish(&site, &segment) {
                // A full disk: the index is made again by whoever needs it.
                Err(error) if is_full(&error) && site.refused().is_none() => {
                    let _ = run.folder.remove(&format!("{}.new", segment::index_name(number)));
                }
                finished => finished?,
            }
        }
        run.folder.sync()?;
        // Last: without it, the run counts as closed in order.
        if run.folder.contains(OPEN)? {
            run.folder.remove(OPEN)?;
            run.folder.sync()?;
        }
        Ok(())
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EventStoreError + use<> {
    let path = path.to_path_buf();
    move |error| EventStoreError::from_io_within(action, &path, error)
}

impl EventStore for LogStore {
    fn open_run(&mut self, manifest: &RunManifest) -> Result<()> {
        manifest.check_new()?;
        self.leave_sealed()?;
        let path = self.volume.path(&manifest.instance_id);
        let instance = self.volume.make_instance(&manifest.instance_id).map_err(|error| {
            EventStoreError::from_io("opening the instance's directory", Some(&path), error)
        })?;
        let (run, writer) = create::create(&*instance, manifest, &self.options)?;
        let ledger = Ledger::new(manifest.clone(), self.options.digest_key.as_ref());
        let writer = Some(writer);
        self.open = Some(Open { run, writer, ledger, is_found: false, is_let_go: false });
        Ok(())
    }

    fn load_crashed(&mut self, instance_id: &str, run_id: &str) -> Result<()> {
        self.give_up_or_leave(instance_id, run_id)?;
        let found = found::find_in(&*self.volume, instance_id, run_id, Hold::Exclusive)?;
        self.adopt(found.left_to_seal()?)
    }

    fn append_batch(&mut self, entries: &[AppendEntry<'_>]) -> Result<u64> {
        let open = self.open()?;
        open.ledger.check_append(entries)?;
        if !entries.is_empty() {
            let writer = open.writer()?;
            blocking_sigxfsz(|| writer.append(entries))?;
            open.ledger.committed(entries);
        }
        Ok(open.ledger.high_watermark())
    }

    fn pipeline(&mut self) -> Option<&mut dyn Pipeline> {
        let writer = self.open.as_mut()?.writer.as_mut()?;
        writer.can_start().then_some(self)
    }

    fn record_snapshot_anchor(&mut self, anchor: &SnapshotAnchor) -> Result<()> {
        let open = self.open()?;
        open.ledger.check_anchor(anchor)?;
        open.writer()?.anchor(anchor)?;
        open.ledger.anchored(anchor);
        Ok(())
    }

    fn seal(&mut self, status: RunStatus) -> Result<Sealed> {
        let digest_key = self.options.digest_key;
        self.open()?.seal(status, digest_key.as_ref())
    }

    fn seal_keeping(&mut self, status: RunStatus, digest: Option<RunDigest>) -> Result<Sealed> {
        let open = self.open()?;
        if open.is_found {
            return Err(EventStoreError::Closed);
        }
        let manifest = open.ledger.sealed_manifest(status)?;
        open.seal_as(manifest, digest)
    }

    fn close(&mut self) -> Result<()> {
        let open = self.open()?;
        if open.is_let_go {
            return Ok(());
        }
        open.is_let_go = true;
        let mut ended = match open.writer.take() {
            Some(mut writer) => writer.end(false),
            None => Ok(()),
        };
        if ended.is_ok() && open.run.manifest().status.is_sealed() {
            ended = open.tidy_sealed().map_err(failed("closing the run", &open.run.path));
        }
        open.run.let_go();
        ended
    }

    fn abandon(&mut self) {
        if let Some(mut open) = self.open.take()
            && let Some(mut writer) = open.writer.take()
        {
            let _ = writer.end(true);
        }
    }

    fn reader(&self) -> Result<Arc<dyn EventReader>> {
        let open = self.open.as_ref().ok_or_else(no_run)?;
        Ok(Arc::new(LogReader(open.run.clone())))
    }
}

impl Pipeline for LogStore {
    fn start(&mut self, entries: &[AppendEntry<'_>]) -> Result<()> {
        let open = self.open()?;
        open.ledger.check_append(entries)?;
        open.writer()?.start(entries)?;
        open.ledger.started(entries);
        Ok(())
    }

    fn is_flushed(&self) -> bool {
        let writer = self.open.as_ref().and_then(|open| open.writer.as_ref());
        writer.is_none_or(Writer::is_flushed)
    }

    fn finish(&mut self) -> Result<u64> {
        let open = self.open()?;
        let high_watermark = open.writer()?.finish()?;
        open.ledger.acknowledged(high_watermark);
        Ok(high_watermark)
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("path", &self.run.path).finish_non_exhaustive()
    }
}

/// Opens what a writer left, sealed since or not, without ever writing to it.
///
/// # Errors
/// `NotFound`; `Locked` by a writer or by recovery; `Corrupted`; `UnsupportedFormat`.
pub(crate) fn open_left(path: &Path) -> Result<Arc<dyn EventReader>> {
    Ok(Arc::new(LogReader(LogFound::at(path)?.left()?)))
}

/// Opens a sealed run for reading, without ever writing to it. `check` verifies every checksum
/// first, at a cost that grows with the run.
///
/// # Errors
/// `NotFound`; `Locked` by a writer; `NotSealed` for a run that recovery must look at first;
/// `Corrupted`; `UnsupportedFormat`.
pub fn open_sealed(path: &Path, check: bool) -> Result<Arc<dyn EventReader>> {
    open_found(&LogFound::at(path)?, check)
}

/// Opens a run that another process may be writing, as far as it was acknowledged, and keeps up with
/// it; a sealed one as [`open_sealed`] does. Nobody deletes it meanwhile.
///
/// # Errors
/// `NotFound`; `Locked` while it is being deleted; `Corrupted`; `UnsupportedFormat`; `Unsupported`
/// for the `check` of a run that is not sealed.
pub(crate) fn open_live(path: &Path, check: bool) -> Result<Arc<dyn EventReader>> {
    let run = follow::open(path)?;
    match (check, run.follow()) {
        (true, None) => open_sealed(path, true),
        (true, Some(_)) => {
            let what = "checking a run whole that is not sealed: open it without the check".into();
            Err(EventStoreError::Unsupported { what })
        }
        (false, _) => Ok(Arc::new(LogReader(Arc::new(run)))),
    }
}

/// Opens a run to be copied, whoever writes it.
///
/// # Errors
/// Those of [`open_live`].
pub(crate) fn open_copy(path: &Path) -> Result<Box<dyn CopySource>> {
    Ok(Box::new(copy::LogCopy(follow::open(path)?)))
}

/// [`open_sealed`] over another disk, by the run's ids.
#[doc(hidden)]
pub fn open_sealed_on(
    volume: &dyn Volume,
    instance_id: &str,
    run_id: &str,
    check: bool,
) -> Result<Arc<dyn EventReader>> {
    open_found(&found::find_in(volume, instance_id, run_id, Hold::Shared)?, check)
}

fn open_found(found: &LogFound, check: bool) -> Result<Arc<dyn EventReader>> {
    let run = found.sealed()?;
    if check && let Examined::Unsound(error) = found.examine(0, 0)? {
        return Err(error);
    }
    Ok(Arc::new(LogReader(run)))
}
