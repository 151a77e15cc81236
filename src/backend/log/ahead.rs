//! Work on segments that a commit need not wait for: preparing the next, finishing the last.
//!
//! A thread of the run does both, started when there is first something to do; where a test needs
//! every step in its place, the caller does them itself. Prepared means: zeros written to the
//! whole length, the header, all of it flushed and so is the name. Finished means: cut at its end,
//! its index written and named. Nothing starts after `stop`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use super::format::{segment_header, segment_incarnation};
use super::index_file::{self, EncodedKeys, Index, IndexFile};
use super::segment::{Segment, index_name, segment_name};
use super::small_file::write_new;
use crate::backend::disk::{Disk, Folder, Purpose, write_zeros};
use crate::planted::planted;
use crate::platform::thread;

/// So much of a prepared segment is on its way to the device at a time: the flush of a commit waits
/// for what the device took before it. All of a segment at once held up a commit for 30 ms.
const PIECE_BYTES: u64 = 1 << 20;

/// How often whoever waits for a segment looks whether the thread is still there.
const LOOK: Duration = Duration::from_millis(100);

/// Where and for which run.
#[derive(Debug, Clone)]
pub(super) struct Site {
    folder: Arc<dyn Folder>,
    /// The run's.
    incarnation: u64,
    /// Why the flush of a cut was refused: final, for no later one would tell what became of it.
    refused: Arc<OnceLock<String>>,
}

impl Site {
    pub(super) fn new(folder: Arc<dyn Folder>, incarnation: u64) -> Self {
        Self { folder, incarnation, refused: Arc::default() }
    }

    /// Whether and why the flush of a cut was refused.
    pub(super) fn refused(&self) -> Option<&str> {
        self.refused.get().map(String::as_str)
    }
}

enum Job {
    Prepare { number: u64, bytes: u64 },
    Finish(Arc<Segment>),
}

/// See the module.
pub(super) struct Ahead {
    site: Site,
    uses_thread: bool,
    stop: Arc<AtomicBool>,
    thread: Option<(Sender<Job>, JoinHandle<()>)>,
    answers: (Sender<Answer>, Receiver<Answer>),
}

/// A prepared segment, or why there is none.
type Answer = io::Result<Arc<dyn Disk>>;

impl Ahead {
    pub(super) fn new(site: Site, uses_thread: bool) -> Self {
        let answers = mpsc::channel();
        Self { site, uses_thread, stop: Arc::default(), thread: None, answers }
    }

    /// Prepares a segment, now or soon.
    pub(super) fn prepare(&mut self, number: u64, bytes: u64) {
        self.submit(Job::Prepare { number, bytes });
    }

    /// Finishes a segment that takes no more groups, now or soon.
    pub(super) fn finish(&mut self, segment: Arc<Segment>) {
        self.submit(Job::Finish(segment));
    }

    /// The segment that was asked for, once it is prepared.
    pub(super) fn prepared(&mut self) -> Answer {
        loop {
            // Asked before the answers are: what it said last is then there.
            let is_gone = self.thread.as_ref().is_none_or(|(_, thread)| thread.is_finished());
            // Looks again now and then: a thread that panicked tells nobody.
            match self.answers.1.recv_timeout(if is_gone { Duration::ZERO } else { LOOK }) {
                Ok(answer) => return answer,
                Err(_) if is_gone => {
                    return Err(io::Error::other("the thread that prepares segments is gone"));
                }
                Err(_) => {}
            }
        }
    }

    /// Whether and why the flush of a cut was refused.
    pub(super) fn refused(&self) -> Option<&str> {
        self.site.refused()
    }

    fn submit(&mut self, job: Job) {
        let job = match self.sender() {
            Some(sender) => match sender.send(job) {
                Ok(()) => return,
                Err(mpsc::SendError(job)) => job,
            },
            None => job,
        };
        work(&self.site, job, &self.answers.0, &self.stop);
    }

    fn sender(&mut self) -> Option<&Sender<Job>> {
        if self.uses_thread && self.thread.is_none() {
            let (sender, jobs) = mpsc::channel();
            let (site, stop) = (self.site.clone(), self.stop.clone());
            let answers = self.answers.0.clone();
            let spawned = thread::spawn("es-log-ahead", move || {
                thread::stand_back();
                for job in jobs {
                    work(&site, job, &answers, &stop);
                }
            });
            // Without a thread, the caller does it.
            self.thread = spawned.ok().map(|handle| (sender, handle));
        }
        self.thread.as_ref().map(|(sender, _)| sender)
    }

    /// Lets what is under way come to an end, and nothing new begin.
    pub(super) fn stop(&mut self, and_drop_queued: bool) {
        if and_drop_queued {
            self.stop.store(true, Ordering::Release);
        }
        if let Some((sender, handle)) = self.thread.take() {
            drop(sender);
            // A panic there was told on standard error, and its answer is missed where it counts.
            let _ = handle.join();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.stop(true);
    }
}

fn work(site: &Site, job: Job, answers: &Sender<Answer>, stop: &AtomicBool) {
    match job {
        Job::Prepare { number, bytes } => {
            // Nobody waits for the answer once the run was let go of.
            let _ = answers.send(prepare(site, number, bytes, stop));
        }
        Job::Finish(segment) if !stop.load(Ordering::Acquire) => {
            // What is not finished now stays in memory, and is finished when the run is closed.
            let _ = finish(site, &segment);
        }
        Job::Finish(_) => {}
    }
}

/// Makes a segment of this length, ready for its first group.
pub(super) fn prepare(site: &Site, number: u64, bytes: u64, stop: &AtomicBool) -> Answer {
    let name = segment_name(number);
    let disk = site.folder.create(&name)?;
    disk.extend(0, bytes)?;
    for from in (0..bytes).step_by(PIECE_BYTES as usize) {
        let piece = from..bytes.min(from + PIECE_BYTES);
        write_zeros(&*disk, piece.clone(), || !stop.load(Ordering::Acquire))?;
        if !planted("log_flood_the_device") {
            disk.write_back(piece.start, piece.end)?;
        }
    }
    let incarnation = segment_incarnation(site.incarnation, number);
    disk.write(0, &[&segment_header(number, incarnation)])?;
    if !planted("skip_sync") {
        disk.sync_data()?;
    }
    site.folder.sync()?;
    Ok(disk)
}

/// Cuts a segment at its end and writes its index. Not for one that is damaged.
///
/// The index says that the cut is durable: it is written after the flush, and where there is none
/// the segment is flushed although it was cut before, by whoever was killed in between.
pub(super) fn finish(site: &Site, segment: &Segment) -> io::Result<()> {
    let incarnation = segment_incarnation(site.incarnation, segment.number);
    let encoded = segment.in_memory(|table, keys| {
        index_file::encode(segment.number, incarnation, table, &EncodedKeys::of(keys))
    });
    let Some(bytes) = encoded else { return Ok(()) };
    cut(site, segment)?;
    let name = index_name(segment.number);
    let temporary = format!("{name}.new");
    for left in [&temporary, &name] {
        if site.folder.contains(left)? {
            site.folder.remove(left)?;
        }
    }
    write_new(&*site.folder, &temporary, &bytes)?;
    site.folder.rename_new(&temporary, &name)?;
    site.folder.sync()?;
    let files = segment.file.files();
    files.forget(&name);
    if let Some(file) = IndexFile::open(files.file(name), segment.number, incarnation)? {
        segment.set_index(Index::File(file));
    }
    Ok(())
}

fn cut(site: &Site, segment: &Segment) -> io::Result<()> {
    let end = segment.end();
    let disk = site.folder.open(&segment_name(segment.number), Purpose::Write)?;
    let len = disk.len()?;
    if len < end {
        let reason = format!("segment {} has {len} bytes of {end}", segment.number);
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    if len > end {
        disk.truncate(end)?;
    }
    if planted("skip_sync") || (len == end && planted("log_forget_the_cut")) {
        return Ok(());
    }
    disk.sync_data().inspect_err(|error| {
        site.refused.get_or_init(|| error.to_string());
    })
}
