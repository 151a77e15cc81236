//! One step of the writer's work: gather a group, commit it, acknowledge it; end the run.
//!
//! The same steps run on the writer's thread and, in manual mode, on the host's. Invariants:
//! (W1) the watermark moves only after the backend has answered for that group; (W2) entries are
//! committed in the order of `seq`, claims whole; (W3) after the first failure nothing is written;
//! (W4) room is given back only after the slots were emptied and their group is durable.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::buffer::EntryBuffer;
use super::group;
use super::handoff::queue::{Size, Taker};
use super::report::CloseReport;
use super::shared::{End, Shared};
use crate::backend::{EventStore, Pipeline};
use crate::entry::AppendEntry;
use crate::error::{EventStoreError, Result, panic_text};
use crate::hash::{BATCH_ENTRIES, HashBatch};
use crate::manifest::RunStatus;
use crate::planted::planted;

/// How many entries must wait for the next group to be prepared early.
const BACKLOG_ENTRIES: u64 = 256;
/// How many groups may be on their way to the disk: one is flushed, the next waits for it.
const STARTED_GROUPS_MAX: usize = 2;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// That many entries became durable (0: an anchor did).
    Worked(u64),
    /// There was nothing to do.
    Idle,
    /// The run has ended; the driver will never have work again.
    Finished,
}

/// Boxes, since they move between here, the queue and the pool as pointers.
#[allow(clippy::vec_box)]
type Group = Vec<Box<EntryBuffer>>;

/// The side of a run that writes.
pub(super) struct Driver {
    shared: Arc<Shared>,
    /// `None` once the run has ended.
    store: Option<Box<dyn EventStore>>,
    taker: Taker<Box<EntryBuffer>>,
    group: Group,
    hasher: HashBatch,
    /// The largest `ts_init` so far: what `RunEnded` is stamped with unless the closer says
    /// otherwise.
    ts_init_max: Option<u64>,
    start_ts_init: u64,
}

impl Driver {
    /// `taker` starts behind what `store` already holds, whose largest `ts_init` is given.
    pub(super) fn new(
        shared: Arc<Shared>,
        store: Box<dyn EventStore>,
        taker: Taker<Box<EntryBuffer>>,
        ts_init_max: Option<u64>,
        start_ts_init: u64,
    ) -> Self {
        let store = Some(store);
        let (group, hasher) = (Vec::new(), HashBatch::new());
        Self { shared, store, taker, group, hasher, ts_init_max, start_ts_init }
    }

    /// Does one piece of work. A panic below it halts the run and leaks what it was in the
    /// middle of.
    pub(super) fn step(&mut self) -> Step {
        self.step_with(true)
    }

    /// The same for a caller who waits for one group: it never goes on to those behind it.
    pub(super) fn step_alone(&mut self) -> Step {
        self.step_with(false)
    }

    fn step_with(&mut self, side_by_side: bool) -> Step {
        match catch_unwind(AssertUnwindSafe(|| self.step_unguarded(side_by_side))) {
            Ok(step) => step,
            Err(panic) => {
                if let Some(mut store) = self.store.take() {
                    // Its drop could panic again: what abandoning does not let go of is leaked.
                    let _ = catch_unwind(AssertUnwindSafe(|| store.abandon()));
                    std::mem::forget(store);
                }
                self.shared.view.writer_is_gone();
                self.shared.watermark.end();
                let text = panic_text(&*panic);
                self.shared.halt(EventStoreError::backend(format!("the writer panicked: {text}")));
                Step::Finished
            }
        }
    }

    /// Whether entries are there to be committed; one load.
    pub(super) fn has_entries(&self) -> bool {
        self.taker.is_ready(0)
    }

    /// Whether a step would do something; a few loads.
    pub(super) fn has_work(&self) -> bool {
        let shared = &self.shared;
        self.has_entries()
            || shared.queue.claim.is_halted()
            || self.drained().is_some()
            || shared.anchors.due(shared.watermark.durable()).is_some()
    }

    /// Lets go of the run without a write.
    pub(super) fn abandon(&mut self) {
        if let Some(mut store) = self.store.take() {
            store.abandon();
        }
        self.shared.view.writer_is_gone();
        self.shared.watermark.end();
    }

    fn step_unguarded(&mut self, side_by_side: bool) -> Step {
        if self.store.is_none() {
            return Step::Finished;
        }
        if self.shared.queue.claim.is_halted() {
            self.abandon();
            return Step::Finished;
        }
        match self.work(side_by_side) {
            Ok(step) => step,
            Err(error) => {
                self.shared.halt(error);
                self.abandon();
                Step::Finished
            }
        }
    }

    fn work(&mut self, side_by_side: bool) -> Result<Step> {
        if self.store_due_anchor()? {
            return Ok(Step::Worked(0));
        }
        let size = self.gather();
        if size.entries == 0 {
            return self.end_if_drained();
        }
        let has_backlog = side_by_side && self.has_backlog(size.entries);
        if has_backlog && self.open_store().pipeline().is_some() {
            return self.commit_side_by_side(size).map(Step::Worked);
        }
        self.commit_group(size)?;
        Ok(Step::Worked(size.entries))
    }

    fn store_due_anchor(&mut self) -> Result<bool> {
        let Some(anchor) = self.shared.anchors.due(self.shared.watermark.durable()) else {
            return Ok(false);
        };
        self.open_store().record_snapshot_anchor(&anchor)?;
        self.shared.anchors.stored();
        self.shared.watermark.announce();
        Ok(true)
    }

    /// Takes whole claims from the queue until the group is full or nothing more is there.
    fn gather(&mut self) -> Size {
        let mut size = Size::default();
        while let Some(claim) = self.taker.peek(|first| first.claim) {
            let whole = self.taker.is_ready(claim.entries - 1);
            if !whole || !group::admits(size, claim, self.shared.group_limits) {
                break;
            }
            for _ in 0..claim.entries {
                self.group.push(self.taker.take().expect("the whole claim is there"));
            }
            size.entries += claim.entries;
            size.bytes += claim.bytes;
        }
        size
    }

    fn commit_group(&mut self, size: Size) -> Result<()> {
        let group = std::mem::take(&mut self.group);
        self.commit(self.taker.next_seq() - size.entries, &group, size)?;
        self.recycle(group);
        Ok(())
    }

    /// Whether enough entries wait behind those that were taken to prepare them before the group
    /// before them is flushed. With fewer, a group is better cut when the disk is free for it:
    /// what comes until then still belongs to it.
    fn has_backlog(&self, taken_entries: u64) -> bool {
        self.shared.queue.taken().entries >= taken_entries + BACKLOG_ENTRIES
    }

    /// Commits the group that was gathered and those behind it, each prepared while the one before
    /// it is on its way to the disk, as long as there is a backlog; answers how many entries.
    fn commit_side_by_side(&mut self, first: Size) -> Result<u64> {
        let mut started = VecDeque::with_capacity(STARTED_GROUPS_MAX);
        let mut next = Some(first);
        let (mut waiting, mut worked) = (0, 0);
        while next.is_some() || !started.is_empty() {
            if let Some(size) = next.take() {
                self.start_group(size)?;
                started.push_back((size, Instant::now()));
                waiting += size.entries;
            }
            let is_free = started.len() < STARTED_GROUPS_MAX;
            if is_free && self.has_backlog(waiting) && !self.is_wanted_elsewhere() {
                next = Some(self.gather()).filter(|size| size.entries > 0);
            }
            if next.is_none()
                && let Some((size, since)) = started.pop_front()
            {
                let durable_seq = self.started_store().finish()?;
                self.acknowledge(durable_seq, size, since.elapsed());
                waiting -= size.entries;
                worked += size.entries;
            }
        }
        Ok(worked)
    }

    /// Takes the gathered group into the store and gives its buffers back.
    fn start_group(&mut self, size: Size) -> Result<()> {
        let group = std::mem::take(&mut self.group);
        let first_seq = self.taker.next_seq() - size.entries;
        let entries = self.hashed(first_seq, &group);
        self.started_store().start(&entries)?;
        drop(entries);
        self.recycle(group);
        Ok(())
    }

    fn recycle(&mut self, mut group: Group) {
        group.drain(..).for_each(|buffer| self.shared.pool.put(buffer));
        self.group = group;
    }

    fn started_store(&mut self) -> &mut dyn Pipeline {
        self.open_store().pipeline().expect("it had one when the first group was started")
    }

    /// Whether an anchor is due or the run has halted: groups that were started come first.
    fn is_wanted_elsewhere(&self) -> bool {
        let shared = &self.shared;
        shared.queue.claim.is_halted() || shared.anchors.due(shared.watermark.durable()).is_some()
    }

    /// The entries of these buffers, in a row from `first_seq`, hashed.
    fn hashed<'b>(
        &mut self,
        first_seq: u64,
        buffers: &'b [Box<EntryBuffer>],
    ) -> Vec<AppendEntry<'b>> {
        let mut entries: Vec<AppendEntry<'b>> = Vec::with_capacity(buffers.len());
        for part in buffers.chunks(BATCH_ENTRIES) {
            // What is looked at is hashed while the processor's cache still has it.
            let at = entries.len();
            let numbered = (first_seq + at as u64..).zip(part);
            entries.extend(numbered.map(|(seq, buffer)| buffer.to_append(seq)));
            self.hasher.fill(&mut entries[at..]);
        }
        for item in &entries {
            self.ts_init_max = self.ts_init_max.max(Some(item.entry.ts_init));
        }
        entries
    }

    /// Hashes, commits and acknowledges entries in a row from `first_seq`, and gives back the room
    /// that they had in the queue.
    fn commit(&mut self, first_seq: u64, buffers: &[Box<EntryBuffer>], room: Size) -> Result<()> {
        let entries = self.hashed(first_seq, buffers);
        let last_seq = first_seq + entries.len() as u64 - 1;
        if planted("ack_before_commit") {
            self.shared.watermark.advance(last_seq);
        }
        let started = Instant::now();
        let durable_seq = self.open_store().append_batch(&entries)?;
        assert_eq!(durable_seq, last_seq, "the backend acknowledges what it was given");
        self.acknowledge(durable_seq, room, started.elapsed());
        Ok(())
    }

    /// Everything up to `durable_seq` is on stable storage; gives back the room that it had.
    fn acknowledge(&mut self, durable_seq: u64, room: Size, took: Duration) {
        let shared = &self.shared;
        let entries = durable_seq.saturating_sub(shared.watermark.durable());
        shared.stats.committed(entries, room.bytes, took);
        // W4, and before the acknowledgement: whoever waited for that finds room again.
        self.taker.give_back(room);
        shared.stall.stop();
        // W1.
        shared.watermark.advance(durable_seq);
        shared.signal_durable_fd();
    }

    /// Once closed, with everything that was claimed committed and every anchor stored: ends the
    /// run as it was asked to.
    fn end_if_drained(&mut self) -> Result<Step> {
        let Some((end, last_seq)) = self.drained() else {
            return Ok(Step::Idle);
        };
        if !self.shared.anchors.end() {
            return Ok(Step::Idle);
        }
        let report = match end {
            End::Seal { end_ts_init, end_ts_publish } => {
                self.seal(last_seq, end_ts_init, end_ts_publish)?
            }
            End::Detach => self.detach()?,
        };
        // Whoever is told by what follows finds the run held by its readers alone.
        self.shared.view.writer_is_gone();
        self.shared.release_instance();
        self.shared.close.answer(report);
        self.shared.watermark.end();
        Ok(Step::Finished)
    }

    /// How the run is to end and the last `seq` it then has, once everything that producers
    /// claimed is committed.
    fn drained(&self) -> Option<(End, u64)> {
        let closed_at = self.shared.queue.claim.closed_at()?;
        let end = self.shared.close.asked()?;
        (self.taker.next_seq() == closed_at - end.own_entries()).then_some((end, closed_at - 1))
    }

    fn seal(&mut self, seq: u64, end_ts_init: u64, end_ts_publish: u64) -> Result<CloseReport> {
        let ts_init = match end_ts_init {
            0 => self.ts_init_max.unwrap_or(self.start_ts_init),
            given => given,
        };
        let rules = self.shared.fill_rules;
        let last = EntryBuffer::lifecycle("RunEnded", &[], ts_init, end_ts_publish, rules);
        self.commit(seq, &[last], Size::default())?;
        let store = self.open_store();
        let sealed = store.seal(RunStatus::Ended)?;
        store.close()?;
        self.store = None;
        Ok(CloseReport {
            status: RunStatus::Ended,
            high_watermark: sealed.high_watermark,
            digest: sealed.digest,
            halt: None,
        })
    }

    fn detach(&mut self) -> Result<CloseReport> {
        self.open_store().close()?;
        self.store = None;
        Ok(CloseReport {
            status: RunStatus::Running,
            high_watermark: self.shared.watermark.durable(),
            digest: None,
            halt: None,
        })
    }

    fn open_store(&mut self) -> &mut dyn EventStore {
        self.store.as_mut().expect("the run has not ended").as_mut()
    }
}
