//! Keeps up with a run that another process writes.
//!
//! Looks at the watermark, which the writer moves after each flush, and takes up the groups behind
//! what is known, up to the one that it names and no further: whatever lies behind may be half
//! written. Nothing is written, and the one lock taken is one that no writer and no recovery takes
//! (`FOLLOW_RANGE`, shared), so that a follower costs the writer nothing; only who deletes the run
//! meets it. Files are read, never mapped. How long to wait between two looks: `crate::reader`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::create::no_manifest;
use super::format::{GROUP_HEADER_BYTES, GroupHeader, SEGMENT_HEADER_BYTES, Watermark};
use super::index_file::Index;
use super::keys::Keys;
use super::run::LogRun;
use super::segment::{Segment, damaged};
use super::small_file::{
    MANIFEST, OPEN, SEAL, Seal, Start, no_watermarks, read_all, read_open_watermark, read_seal,
};
use super::table::{Chain, Table};
use super::tail::{check_present, numbers};
use super::walk::{End, Place, walk_on};
use crate::backend::disk::{Disk, FOLLOW_RANGE, HOLD_RANGE, LockMode, Purpose};
use crate::backend::os_disk;
use crate::backend::{Ended, Tail};
use crate::error::{EventStoreError, Fault, Result};
use crate::planted::planted;

/// How many threads make missing indices of a run that is followed: beside its writer, one.
const THREADS: usize = 1;

/// See the module.
#[derive(Debug)]
pub(super) struct Follow {
    /// The file of the watermarks.
    marks: Arc<dyn Disk>,
    grown: Mutex<Grown>,
}

/// How far the run is known.
#[derive(Debug)]
struct Grown {
    segment: Arc<Segment>,
    disk: Arc<dyn Disk>,
    /// Segments that are over and whose index was not there yet when they were left.
    unfinished: Vec<Arc<Segment>>,
    is_sealed: bool,
}

/// Opens a run by the host's path, in whatever state, as far as it was acknowledged.
///
/// # Errors
/// `NotFound`; `Locked` while it is being deleted; `Corrupted` when acknowledged entries are
/// damaged or missing; `UnsupportedFormat`.
pub(super) fn open(path: &Path) -> Result<LogRun> {
    let failed = |action| move |error| EventStoreError::from_io(action, Some(path), error);
    let folder = os_disk::open_folder(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory => {
            EventStoreError::foreign(path, "is not a directory, not a run; move it aside")
        }
        _ => failed("opening the run")(error),
    })?;
    let lock = match folder.open(MANIFEST, Purpose::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(no_manifest(path)),
        opened => opened.map_err(failed("opening the run"))?,
    };
    let is_free = lock.lock(FOLLOW_RANGE, LockMode::Shared, false);
    if !is_free.map_err(failed("locking the run"))? {
        let fault = Fault::new("the run is being deleted").at(path);
        return Err(EventStoreError::Locked(Box::new(fault)));
    }
    if lock.is_unlinked().map_err(failed("reading"))? {
        let fault = Fault::new("the run was deleted a moment ago").at(path);
        return Err(EventStoreError::NotFound(Box::new(fault)));
    }
    let manifest_path = path.join(MANIFEST);
    let start = Start::decode(&read_all(&*lock, &manifest_path)?, &manifest_path)?;
    start_following(LogRun::new(folder, path.to_path_buf(), lock, start, THREADS))
}

fn start_following(run: LogRun) -> Result<LogRun> {
    // Before the seal is looked for: it is there for as long as there is none.
    let marks = run.folder.open(OPEN, Purpose::Read);
    if let Some(seal) = settled_seal(&run)? {
        run.adopt_seal(&seal)?;
        return Ok(run);
    }
    let marks = marks.map_err(|error| no_watermarks(&run.path_of(OPEN), error))?;
    let mark = watermark(&run, &*marks)?;
    let last = segment_of(&run, mark.group)?;
    run.set_segments(last - 1);
    let (segment, disk) = next_segment(&run, last, &run.chain_before(last)?)?;
    let mut grown = Grown { segment, disk, unfinished: Vec::new(), is_sealed: false };
    grown.take_up(&run, &mark)?;
    Ok(run.followed(Follow { marks, grown: Mutex::new(grown) }))
}

fn watermark(run: &LogRun, marks: &dyn Disk) -> Result<Watermark> {
    read_open_watermark(marks, run.start.incarnation)
        .map(|marked| marked.watermark)
        .map_err(|error| damaged(&run.path_of(OPEN), error))
}

/// The seal, once it counts: its writer has closed the run in order, or died before it could.
/// Until then it may not have reached the disk yet.
fn settled_seal(run: &LogRun) -> Result<Option<Seal>> {
    let failed = |error| EventStoreError::from_io("reading", Some(&run.path), error);
    if !run.folder.contains(SEAL).map_err(failed)? {
        return Ok(None);
    }
    let is_closing =
        run.folder.contains(OPEN).map_err(failed)? && is_written(run).map_err(failed)?;
    if is_closing { Ok(None) } else { read_seal(&*run.folder) }
}

/// Whether a writer or recovery has the run.
fn is_written(run: &LogRun) -> io::Result<bool> {
    run.lock.is_locked_elsewhere(HOLD_RANGE)
}

/// The segment that holds the group of this number: the last that starts with it or one before.
fn segment_of(run: &LogRun, group: u64) -> Result<u64> {
    let mut head = [0; GROUP_HEADER_BYTES];
    let numbers = numbers(run)?;
    for number in numbers.iter().copied().rev().take_while(|number| *number > 1) {
        let (disk, path) = run.segment_disk(number, Purpose::Read)?;
        let read = disk.read(SEGMENT_HEADER_BYTES, &mut head);
        match read {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            read => read.map_err(|error| damaged(&path, error))?,
        }
        let is_before = |(header, _): (GroupHeader, u32)| {
            header.incarnation == run.incarnation(number) && header.number <= group
        };
        if GroupHeader::decode(&head).is_some_and(is_before) {
            check_present(run, &numbers, number)?;
            return Ok(number);
        }
    }
    Ok(1)
}

/// Opens a segment of which no group is known yet, as the run's last.
fn next_segment(
    run: &LogRun,
    number: u64,
    before: &Chain,
) -> Result<(Arc<Segment>, Arc<dyn Disk>)> {
    let (disk, path) = run.segment_disk(number, Purpose::Read)?;
    let table = Table::new(before, SEGMENT_HEADER_BYTES);
    let index = Index::Memory { table, keys: Keys::new() };
    let segment = Segment::new(number, &run.files, path, index);
    run.push_segment(segment.clone());
    Ok((segment, disk))
}

impl Follow {
    /// Takes up what was acknowledged since, and the seal. What is good before damage is taken up.
    ///
    /// # Errors
    /// `Corrupted` when acknowledged entries are damaged or missing; those of reading.
    pub(super) fn refresh(&self, run: &LogRun) -> Result<()> {
        let mut grown = self.grown.lock();
        if grown.is_sealed {
            return Ok(());
        }
        grown.take_up(run, &watermark(run, &*self.marks)?)?;
        let Some(seal) = settled_seal(run)? else { return Ok(()) };
        // Recovery may have sealed more than its writer had acknowledged.
        grown.take_up(run, &seal.chain.watermark())?;
        run.publish_seal(seal.manifest, seal.digest);
        grown.is_sealed = true;
        Ok(())
    }

    /// How far the run is, after taking up what has come, and why no more comes.
    ///
    /// # Errors
    /// Those of [`Follow::refresh`].
    pub(super) fn tail(&self, run: &LogRun) -> Result<Tail> {
        // Asked first: what its writer did before it went is then seen.
        let failed =
            |error| EventStoreError::from_io("asking for the lock", Some(&run.path), error);
        let is_left = !is_written(run).map_err(failed)?;
        self.refresh(run)?;
        let sealed = Ended::by_seal(run.manifest().status);
        let ended = sealed.or(is_left.then_some(Ended::WriterGone));
        Ok(Tail { high_watermark: run.high_watermark(), ended })
    }

    /// Where the log ends that is known: the last segment, and how far it is.
    pub(super) fn end(&self) -> (u64, Table) {
        let grown = self.grown.lock();
        (grown.segment.number, grown.segment.tip())
    }
}

impl Grown {
    /// Takes up all groups behind the known ones, up to a watermark.
    fn take_up(&mut self, run: &LogRun, mark: &Watermark) -> Result<()> {
        loop {
            let known = self.segment.chain();
            if known.group >= mark.group {
                if planted("log_follow_beyond_watermark") {
                    return self.walk(run, u64::MAX).map(drop);
                }
                return self.check(&known, mark);
            }
            let end = self.walk(run, mark.group)?;
            if self.segment.chain().group < mark.group {
                if !self.is_over()? {
                    return Err(self.damage(end, mark));
                }
                self.turn_to_next(run)?;
            }
        }
    }

    /// The group that a watermark names is the one that is there.
    fn check(&self, known: &Chain, mark: &Watermark) -> Result<()> {
        if known.group > mark.group || mark.group == 0 || known.watermark() == *mark {
            return Ok(());
        }
        let reason = format!("group {} is not the one that was acknowledged", mark.group);
        Err(EventStoreError::corrupted(&self.segment.path, reason))
    }

    fn damage(&self, end: End, mark: &Watermark) -> EventStoreError {
        let reason = match end {
            End::Broken(reason) => reason,
            End::OfFile => "the file ends there".to_owned(),
        };
        let (acknowledged, found) = (mark.seq, self.segment.chain().high_watermark());
        let text = format!(
            "entries up to {acknowledged} were acknowledged, the log is sound up to {found}: {reason}"
        );
        EventStoreError::corrupted(&self.segment.path, text)
    }

    /// Takes up groups of this segment, up to the one of this number, and shows them.
    fn walk(&self, run: &LogRun, last_group: u64) -> Result<End> {
        let segment = &self.segment;
        let (number, path) = (segment.number, &segment.path);
        let incarnation = run.incarnation(number);
        let place = Place { disk: &*self.disk, path, number, incarnation };
        let walked = walk_on(place, segment.tip(), last_group)?;
        let chain = walked.table.chain.clone();
        segment.extend(walked.table, walked.keys);
        run.publish(&chain);
        Ok(walked.end)
    }

    /// Whether this segment has its last group: nothing stands behind it.
    fn is_over(&self) -> Result<bool> {
        let path = &self.segment.path;
        if self.segment.end() == SEGMENT_HEADER_BYTES {
            return Ok(false);
        }
        let mut head = [0; GROUP_HEADER_BYTES];
        match self.disk.read(self.segment.end(), &mut head) {
            // It was cut there, or no group fits.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            read => read
                .map(|()| head.iter().all(|byte| *byte == 0))
                .map_err(|error| damaged(path, error)),
        }
    }

    fn turn_to_next(&mut self, run: &LogRun) -> Result<()> {
        let (segment, disk) = next_segment(run, self.segment.number + 1, &self.segment.chain())?;
        let former = std::mem::replace(&mut self.segment, segment);
        self.disk = disk;
        self.unfinished.push(former);
        // Their keys need no memory once their index has a file.
        self.unfinished.retain(|segment| match run.index_file(segment.number) {
            Ok(Some(file)) if file.table.chain == segment.chain() => {
                segment.set_index(Index::File(file));
                false
            }
            _ => true,
        });
        Ok(())
    }
}
