//! A run that is being written, as its producers see it.
//!
//! Every method takes `&self` and may be called from any thread. What follows a submit happens in
//! [`super::drive`]; how a caller waits for it, in [`super::wait`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::buffer::{Chain, EntryBuffer, FillRules, Now, RawDraft, RawKey, raw_draft};
use super::drive::{Driver, Step};
use super::handoff::claim::Refused;
use super::handoff::queue::{Reserved, Size};
use super::handoff::watermark::Watermark;
use super::live_view::{LiveView, Reopen};
use super::memory::QueueMemory;
use super::options::{CloseOptions, Settings, SubmitOptions};
use super::report::{AppendFailure, Appended, CloseReport, Phase, RunState, RunStats};
use super::shared::{End, HaltCallback, Shared};
use super::thread::WriterThread;
use super::wait::{self, Deadline};
use super::wheel::{Borrowed, Wheel};
use crate::backend::{EventReader, EventStore};
use crate::entry::Draft;
use crate::error::{EventStoreError, Result};
use crate::hash::HashBatch;
use crate::limits::{BATCH_ENTRIES_MAX, INDEX_KEYS_MAX};
use crate::manifest::RunManifest;
use crate::platform::descriptor::Descriptor;
use crate::platform::lock::InstanceLock;
use crate::platform::{directory, file};
use crate::snapshot::SnapshotAnchor;

/// A run that was created and is to be written.
pub(crate) struct Created {
    pub(crate) store: Box<dyn EventStore>,
    /// `None` in memory, as all that follows.
    pub(crate) path: Option<PathBuf>,
    pub(crate) instance_lock: Option<InstanceLock>,
    pub(crate) reopen: Option<Reopen>,
}

/// Gives the drafts of a batch, one at a time: called with each index in order, and hands the
/// draft to the function it is given exactly once.
pub type DraftAt<'a> =
    dyn FnMut(usize, &mut dyn FnMut(&RawDraft<'_>) -> Result<()>) -> Result<()> + 'a;

/// A run that is being written. Any thread; dropping it without [`Run::close`] detaches: the
/// run stays `Running`, and its thread commits what is queued. A manual run, which has none, and one
/// that has halted drop it.
pub struct Run {
    shared: Arc<Shared>,
    path: Option<PathBuf>,
    wheel: Arc<Wheel>,
    /// The host drives, one call at a time: there is no thread.
    is_manual: bool,
}

const _: () = {
    const fn any_thread<T: Send + Sync>() {}
    any_thread::<Run>();
};

impl Run {
    /// Starts writing a run that was just created from `manifest`; `thread` is the one for these
    /// settings.
    pub(crate) fn start(
        created: Created,
        manifest: &RunManifest,
        settings: &Settings,
        memory: QueueMemory,
        thread: Option<WriterThread>,
        on_halt: Option<HaltCallback>,
    ) -> Result<Self> {
        let Created { mut store, path, instance_lock, reopen } = created;
        let view = LiveView::new(store.reader()?, reopen);
        let mut ts_init_max = None;
        if settings.run_started {
            let payload = crate::codec::encode_components(&manifest.registered_components);
            let first = EntryBuffer::lifecycle(
                "RunStarted",
                &payload,
                manifest.start_ts_init,
                0,
                FillRules::of(settings),
            );
            let mut entries = [first.to_append(1)];
            HashBatch::new().fill(&mut entries);
            store.append_batch(&entries)?;
            ts_init_max = Some(manifest.start_ts_init);
        }
        let (shared, taker) = Shared::new(memory, settings, on_halt, instance_lock, view);
        let shared = Arc::new(shared);
        let driver =
            Driver::new(Arc::clone(&shared), store, taker, ts_init_max, manifest.start_ts_init);
        let wheel = Arc::new(Wheel::new(Arc::clone(&shared), driver, settings));
        if let Some(thread) = thread {
            thread.write(Arc::clone(&wheel), Arc::clone(&shared));
        }
        Ok(Self { shared, path, wheel, is_manual: settings.manual })
    }

    /// Submits one draft and answers its `seq`, durable later. Never waits for the disk.
    ///
    /// # Errors
    /// `InvalidArgument`; `QueueFull`; `OutOfOrder` when the guard failed; `Closed`; `Halted`;
    /// `OutOfMemory`. Nothing was claimed.
    pub fn submit_raw(&self, draft: &RawDraft<'_>, options: SubmitOptions) -> Result<u64> {
        let fill_rules = self.shared.fill_rules;
        let fill =
            |_, buffer: &mut EntryBuffer| buffer.fill(draft, fill_rules, &mut Now::default());
        self.enqueue(1, options, fill, || None).map(|(seq, _)| seq)
    }

    /// Submits a batch, all or nothing, with sequences in a row; answers the first.
    ///
    /// # Errors
    /// Those of [`Run::submit_raw`]; `InvalidArgument` names the item, and is the answer for an
    /// empty batch and for one beyond 65,536 drafts, 256 MiB or the queue.
    pub fn submit_raw_batch(
        &self,
        count: usize,
        draft_at: &mut DraftAt<'_>,
        options: SubmitOptions,
    ) -> Result<u64> {
        self.enqueue_batch(count, draft_at, options, || None).map(|(first_seq, _)| first_seq)
    }

    /// The same for a caller who may borrow the wheel; see [`Run::enqueue`].
    fn enqueue_batch<'r>(
        &'r self,
        count: usize,
        draft_at: &mut DraftAt<'_>,
        options: SubmitOptions,
        borrow: impl FnOnce() -> Option<Borrowed<'r>>,
    ) -> Result<(u64, Option<Borrowed<'r>>)> {
        let entries_max = BATCH_ENTRIES_MAX.min(self.shared.queue_entries as usize);
        if count == 0 || count > entries_max {
            let reason = format!("{count} drafts, allowed are 1 to {entries_max}");
            return Err(EventStoreError::invalid("count", reason));
        }
        let (fill_rules, mut now) = (self.shared.fill_rules, Now::default());
        let fill = |index, buffer: &mut EntryBuffer| {
            draft_at(index, &mut |draft| buffer.fill(draft, fill_rules, &mut now))
                .map_err(|error| error.at_item(index))
        };
        self.enqueue(count, options, fill, borrow)
    }

    /// Submits one draft; see [`Run::submit_raw`].
    ///
    /// # Errors
    /// Those of [`Run::submit_raw`].
    pub fn submit(&self, draft: &Draft<'_>, options: SubmitOptions) -> Result<u64> {
        let keys = raw_keys(draft)?;
        self.submit_raw(&raw_draft(draft, &keys[..draft.keys.len()]), options)
    }

    /// Submits a batch; see [`Run::submit_raw_batch`].
    ///
    /// # Errors
    /// Those of [`Run::submit_raw_batch`].
    pub fn submit_batch(&self, drafts: &[Draft<'_>], options: SubmitOptions) -> Result<u64> {
        self.submit_raw_batch(
            drafts.len(),
            &mut |index, take| take_draft(&drafts[index], take),
            options,
        )
    }

    /// Appends a batch, all or nothing, and waits until it is durable; waits for room as well.
    /// An empty batch changes nothing.
    ///
    /// # Errors
    /// Those of [`Run::submit_raw_batch`]; after the claim, `Halted`.
    pub fn append_raw_batch(
        &self,
        count: usize,
        draft_at: &mut DraftAt<'_>,
        expected_seq: u64,
    ) -> Result<Appended, AppendFailure> {
        let unclaimed = |error| AppendFailure { error, claimed: None };
        if count == 0 {
            let next_seq = self.shared.queue.claim.next_seq();
            let high_watermark = self.shared.watermark.durable();
            return Ok(Appended { first_seq: next_seq, count: 0, high_watermark });
        }
        let options = SubmitOptions { expected_seq, timeout_ns: u64::MAX };
        let borrow = || self.wheel.borrow(count as u64);
        let (first_seq, borrowed) =
            self.enqueue_batch(count, draft_at, options, borrow).map_err(unclaimed)?;
        let count = count as u64;
        // The thread may have had it for a look only.
        let borrowed = borrowed.or_else(|| self.wheel.borrow(count));
        match self.wait_durable_with(borrowed, first_seq + count - 1, u64::MAX) {
            Ok(()) => {
                Ok(Appended { first_seq, count, high_watermark: self.shared.watermark.durable() })
            }
            Err(error) => Err(AppendFailure { error, claimed: Some((first_seq, count)) }),
        }
    }

    /// Appends a batch; see [`Run::append_raw_batch`].
    ///
    /// # Errors
    /// Those of [`Run::append_raw_batch`].
    pub fn append_batch(
        &self,
        drafts: &[Draft<'_>],
        expected_seq: u64,
    ) -> Result<Appended, AppendFailure> {
        self.append_raw_batch(
            drafts.len(),
            &mut |index, take| take_draft(&drafts[index], take),
            expected_seq,
        )
    }

    /// Waits until `seq` is durable; 0 always is, and so is what was durable before a halt or a
    /// close. `timeout_ns` 0 polls, `u64::MAX` waits without end.
    ///
    /// # Errors
    /// `Timeout`; `Halted`; `InvalidArgument` for a `seq` that was never claimed.
    pub fn wait_durable(&self, seq: u64, timeout_ns: u64) -> Result<()> {
        let shared = &self.shared;
        if seq <= shared.watermark.durable() {
            return Ok(());
        }
        shared.refuse_in_callback()?;
        let last_claimed_seq = shared.last_claimed_seq();
        if seq > last_claimed_seq {
            let reason = format!("{seq} was never claimed, the last is {last_claimed_seq}");
            return Err(EventStoreError::invalid("seq", reason));
        }
        let borrowed = if timeout_ns == u64::MAX { self.wheel.borrow(1) } else { None };
        self.wait_durable_with(borrowed, seq, timeout_ns)
    }

    /// Waits for a claimed `seq`, or does the writer's work until it is durable.
    fn wait_durable_with(
        &self,
        borrowed: Option<Borrowed<'_>>,
        seq: u64,
        timeout_ns: u64,
    ) -> Result<()> {
        let is_durable = || (self.shared.watermark.durable() >= seq).then_some(Ok(()));
        let answer = borrowed.and_then(|borrowed| borrowed.work_until(is_durable));
        answer.unwrap_or_else(|| self.wait_for(timeout_ns, is_durable))
    }

    /// Waits until everything that was claimed when it was called is durable.
    ///
    /// # Errors
    /// `Timeout`; `Halted`.
    pub fn flush(&self, timeout_ns: u64) -> Result<()> {
        self.wait_durable(self.shared.last_claimed_seq(), timeout_ns)
    }

    /// Stores an anchor for exactly the `seq` it names, once that is durable, in the order of the
    /// calls; waits until it is stored. After a time-out it stays queued.
    ///
    /// # Errors
    /// `InvalidArgument` for a `seq` below the latest anchor's, above the last claimed, or 0;
    /// `Closed`; `Timeout`; `Halted`.
    pub fn record_anchor(&self, anchor: &SnapshotAnchor, timeout_ns: u64) -> Result<()> {
        let shared = &self.shared;
        shared.refuse_in_callback()?;
        let next_seq = shared.queue.claim.open_next_seq();
        let next_seq = next_seq.map_err(|refused| self.refused(refused, 0))?;
        let ticket = shared.anchors.queue(anchor, next_seq - 1)?;
        // Here, since whoever only polls rings for nobody.
        shared.doorbell.ring_if_parked();
        self.wait_for(timeout_ns, || shared.anchors.is_stored(ticket).then_some(Ok(())))
    }

    /// In manual mode, does one piece of the writer's work; answers how many entries it made
    /// durable.
    ///
    /// # Errors
    /// `Unsupported` when the run has a thread of its own; `Busy` when another thread is in a
    /// call that drives the work; `Halted`; `Closed`.
    pub fn do_work(&self) -> Result<u64> {
        self.shared.refuse_in_callback()?;
        if !self.is_manual {
            let what = "driving a run that has a writer thread of its own".into();
            return Err(EventStoreError::Unsupported { what });
        }
        let mut driver = self.wheel.take().ok_or(BUSY)?;
        match driver.step() {
            Step::Worked(entries) => Ok(entries),
            Step::Idle => Ok(0),
            Step::Finished if self.shared.queue.claim.is_halted() => Err(self.shared.halted()),
            Step::Finished => Err(EventStoreError::Closed),
        }
    }

    /// A descriptor that becomes readable when the high-watermark moved or the run halted; owned
    /// by the run. Reading its 8 bytes rearms it.
    ///
    /// # Errors
    /// `Backend` when the operating system gives none.
    pub fn durable_fd(&self) -> Result<i32> {
        if let Some(fd) = self.shared.durable_fd.get() {
            return Ok(fd.raw());
        }
        let made = Descriptor::eventfd()
            .map_err(|error| EventStoreError::from_io("making an eventfd", None, error))?;
        // Of two threads that race here one keeps its descriptor, the other's is closed again.
        Ok(self.shared.durable_fd.get_or_init(|| made).raw())
    }

    /// Where the run is: a few loads. Notices a stall, and then halts the run.
    pub fn state(&self) -> RunState {
        let shared = &self.shared;
        shared.halt_if_stalled(|| shared.queue.is_full());
        // In this order, so that the high-watermark never exceeds the last claimed.
        let high_watermark = shared.watermark.durable();
        let last_claimed_seq = shared.last_claimed_seq();
        let taken = shared.queue.taken();
        let halted = shared.queue.claim.is_halted();
        let phase = if halted {
            Phase::Halted
        } else if shared.queue.claim.closed_at().is_none() {
            Phase::Open
        } else if shared.close.answered().is_some() {
            Phase::Closed
        } else {
            Phase::Closing
        };
        RunState {
            high_watermark,
            last_claimed_seq,
            queue_entries: taken.entries,
            queue_bytes: taken.bytes,
            phase,
            halt: if halted { shared.halt.reason() } else { None },
        }
    }

    /// What the run has done so far.
    pub fn stats(&self) -> RunStats {
        let stats = &self.shared.stats;
        RunStats {
            commits: stats.commits.load(Ordering::Relaxed),
            entries: stats.entries.load(Ordering::Relaxed),
            bytes: stats.bytes.load(Ordering::Relaxed),
            last_flush_ns: stats.last_commit_ns.load(Ordering::Relaxed),
            longest_flush_ns: stats.longest_commit_ns.load(Ordering::Relaxed),
            free_bytes: self.path.as_deref().and_then(free_bytes),
            pooled_buffers: self.shared.pool.len() as u64,
        }
    }

    /// The run's file or directory; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// A view of this run for any thread, which outlives it. Of a run that was closed after a halt
    /// it is a view of what its file holds by now, at a cost that grows with the file.
    ///
    /// # Errors
    /// For a run that was closed after a halt: `Locked` while recovery has it, `NotFound`,
    /// `Corrupted`.
    pub fn view(&self) -> Result<Arc<dyn EventReader>> {
        self.shared.view.get()
    }

    /// The watermark, for readers that wait for it.
    pub(crate) fn watermark(&self) -> Arc<Watermark> {
        Arc::clone(&self.shared.watermark)
    }

    /// Ends the run: no more submits, everything queued is committed, then a `RunEnded` entry,
    /// the seal, the digest. Again: the same answer. Of a halted run: writes nothing, and says so
    /// once the halt's callback has returned, which the host may then let go of.
    ///
    /// # Errors
    /// `Timeout`: call again. `Busy`.
    pub fn close(&self, options: &CloseOptions) -> Result<CloseReport> {
        let shared = &self.shared;
        shared.refuse_in_callback()?;
        let CloseOptions { end_ts_init, end_ts_publish, .. } = *options;
        let deadline = Deadline::after(Instant::now(), options.timeout_ns);
        let request = End::Seal { end_ts_init, end_ts_publish };
        shared.close.ask(&shared.queue.claim, request.own_entries(), request);
        shared.doorbell.ring_if_parked();
        let answered = self.wait_for(options.timeout_ns, || shared.close.answered().map(Ok));
        if let (Err(EventStoreError::Halted { .. }), Some(report)) =
            (&answered, shared.halt_report())
        {
            self.let_go();
            wait::for_callback(shared, deadline)?;
            return Ok(report);
        }
        answered
    }

    /// A halted run's locks: the instance's at once, the run's as soon as a stuck flush returns
    /// and the last reader is gone.
    fn let_go(&self) {
        self.shared.release_instance();
        self.shared.view.host_is_done();
        if let (true, Some(mut driver)) = (self.is_manual, self.wheel.take()) {
            driver.abandon();
        }
    }

    #[cfg(test)]
    pub(super) fn is_writer_parked(&self) -> bool {
        self.shared.doorbell.is_parked()
    }

    /// One submit, in the order that `handoff` numbers: buffers, room, claim, publish, bell. Nobody
    /// is rung for where the caller has got the wheel, for which it asks once it has room.
    pub(super) fn enqueue<'r>(
        &'r self,
        count: usize,
        options: SubmitOptions,
        fill: impl FnMut(usize, &mut EntryBuffer) -> Result<()>,
        borrow: impl FnOnce() -> Option<Borrowed<'r>>,
    ) -> Result<(u64, Option<Borrowed<'r>>)> {
        let shared = &self.shared;
        let mut drafts = Chain::default();
        let pushed = drafts
            .fill(&shared.pool, count, fill)
            .and_then(|size| self.reserve(size, options.timeout_ns))
            .and_then(|reserved| {
                let borrowed = borrow();
                let pushed = shared.queue.push(reserved, options.expected_seq, &mut drafts);
                let first_seq = pushed.map_err(|refused| {
                    shared.stall.stop();
                    // Whoever waits for the room that was given back.
                    shared.watermark.announce();
                    self.refused(refused, options.expected_seq)
                })?;
                Ok((first_seq, borrowed))
            });
        match pushed {
            Ok((_, None)) => shared.doorbell.ring_if_parked(),
            Ok((_, Some(_))) => {}
            Err(_) => drafts.recycle(&shared.pool),
        }
        pushed
    }

    fn reserve(&self, size: Size, timeout_ns: u64) -> Result<Reserved> {
        let shared = &self.shared;
        if let Some(reserved) = shared.queue.reserve(size) {
            return Ok(reserved);
        }
        shared.halt_if_stalled(|| !shared.queue.admits(size));
        let admitted = || match shared.queue.claim.refusal() {
            Some(refused) => Some(Err(self.refused(refused, 0))),
            None => shared.queue.reserve(size).map(Ok),
        };
        if timeout_ns == 0 {
            return admitted().unwrap_or(Err(EventStoreError::QueueFull));
        }
        match self.wait_for(timeout_ns, admitted) {
            Err(EventStoreError::Timeout) => Err(EventStoreError::QueueFull),
            other => other,
        }
    }

    fn refused(&self, refused: Refused, seq: u64) -> EventStoreError {
        match refused {
            Refused::Closed => EventStoreError::Closed,
            Refused::Halted => match self.shared.refuse_in_callback() {
                Ok(()) => self.shared.halted(),
                Err(busy) => busy,
            },
            Refused::OutOfOrder { next_seq } => {
                let high_watermark = self.shared.watermark.durable();
                EventStoreError::OutOfOrder { high_watermark, seq, next_seq }
            }
        }
    }

    /// Waits for `look`, driving the work in manual mode; see [`wait`].
    fn wait_for<T>(&self, timeout_ns: u64, look: impl FnMut() -> Option<Result<T>>) -> Result<T> {
        let deadline = Deadline::after(Instant::now(), timeout_ns);
        if self.is_manual {
            let mut driver = self.wheel.take().ok_or(BUSY)?;
            return wait::driving(&self.shared, &mut driver, deadline, look);
        }
        wait::sleeping(&self.shared, deadline, look)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.view.host_is_done();
        if self.is_manual {
            if let Some(mut driver) = self.wheel.take() {
                driver.abandon();
            }
            shared.release_instance();
            return;
        }
        shared.close.ask(&shared.queue.claim, End::Detach.own_entries(), End::Detach);
        if shared.queue.claim.is_halted() {
            shared.release_instance();
        }
        shared.doorbell.ring();
    }
}

const BUSY: EventStoreError =
    EventStoreError::Busy { what: "another thread drives this manual run" };

fn free_bytes(path: &Path) -> Option<u64> {
    let opened = directory::open_path(path, directory::Access::Read).ok()?;
    file::free_bytes(opened.raw()).ok()
}

fn raw_keys<'a>(draft: &Draft<'a>) -> Result<[RawKey<'a>; INDEX_KEYS_MAX]> {
    let mut raw = [RawKey::default(); INDEX_KEYS_MAX];
    if draft.keys.len() > raw.len() {
        let reason = format!("{} keys, allowed are at most {}", draft.keys.len(), raw.len());
        return Err(EventStoreError::invalid("keys", reason));
    }
    for (raw, (kind, key)) in raw.iter_mut().zip(draft.keys) {
        *raw = RawKey { kind: u32::from(kind.code()), key: key.as_bytes() };
    }
    Ok(raw)
}

fn take_draft(draft: &Draft<'_>, take: &mut dyn FnMut(&RawDraft<'_>) -> Result<()>) -> Result<()> {
    let keys = raw_keys(draft)?;
    take(&raw_draft(draft, &keys[..draft.keys.len()]))
}
