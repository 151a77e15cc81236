//! One step of the writer's work: gather a group, commit it, acknowledge it; end the run.
//!
//! The same steps run on the writer's thread and, in manual mode, on the host's. Invariants:
//! (W1) the watermark moves only after the backend has answered for that group; (W2) entries are
//! committed in the order of `seq`, claims whole; (W3) after the first failure nothing is written;
//! (W4) room is given back only after the slots were emptied and their group is durable.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::buffer::EntryBuffer;
use super::group;
use super::handoff::queue::{Size, Taker};
use super::report::CloseReport;
use super::shared::{End, Shared};
use crate::backend::EventStore;
use crate::entry::AppendEntry;
use crate::error::{EventStoreError, Result, panic_text};
use crate::hash::HashBatch;
use crate::manifest::RunStatus;
use crate::planted::planted;

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

/// The side of a run that writes.
pub(super) struct Driver {
    shared: Arc<Shared>,
    /// `None` once the run has ended.
    store: Option<Box<dyn EventStore>>,
    taker: Taker<Box<EntryBuffer>>,
    /// Boxes, since they move between here, the queue and the pool as pointers.
    #[allow(clippy::vec_box)]
    group: Vec<Box<EntryBuffer>>,
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
        match catch_unwind(AssertUnwindSafe(|| self.step_unguarded())) {
            Ok(step) => step,
            Err(panic) => {
                if let Some(mut store) = self.store.take() {
                    // Its drop could panic again: what abandoning does not let go of is leaked.
                    let _ = catch_unwind(AssertUnwindSafe(|| store.abandon()));
                    std::mem::forget(store);
                }
                self.shared.view.writer_is_gone();
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
    }

    fn step_unguarded(&mut self) -> Step {
        if self.store.is_none() {
            return Step::Finished;
        }
        if self.shared.queue.claim.is_halted() {
            self.abandon();
            return Step::Finished;
        }
        match self.work() {
            Ok(step) => step,
            Err(error) => {
                self.shared.halt(error);
                self.abandon();
                Step::Finished
            }
        }
    }

    fn work(&mut self) -> Result<Step> {
        if self.store_due_anchor()? {
            return Ok(Step::Worked(0));
        }
        let size = self.gather();
        if size.entries > 0 {
            self.commit_group(size)?;
            return Ok(Step::Worked(size.entries));
        }
        self.end_if_drained()
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
        let mut group = std::mem::take(&mut self.group);
        self.commit(self.taker.next_seq() - size.entries, &group, size)?;
        for buffer in group.drain(..) {
            self.shared.pool.put(buffer);
        }
        self.group = group;
        Ok(())
    }

    /// Hashes, commits and acknowledges entries in a row from `first_seq`, and gives back the room
    /// that they had in the queue.
    fn commit(&mut self, first_seq: u64, buffers: &[Box<EntryBuffer>], room: Size) -> Result<()> {
        let mut entries: Vec<AppendEntry<'_>> =
            (first_seq..).zip(buffers).map(|(seq, buffer)| buffer.to_append(seq)).collect();
        self.hasher.fill(&mut entries);
        for buffer in buffers {
            self.ts_init_max = self.ts_init_max.max(Some(buffer.ts_init()));
        }
        let last_seq = first_seq + entries.len() as u64 - 1;
        if planted("ack_before_commit") {
            self.shared.watermark.advance(last_seq);
        }
        let started = Instant::now();
        let durable_seq = self.open_store().append_batch(&entries)?;
        assert_eq!(durable_seq, last_seq, "the backend acknowledges what it was given");
        self.shared.stats.committed(entries.len() as u64, room.bytes, started.elapsed());
        self.shared.stall.progressed();
        // W4, and before the acknowledgement: whoever waited for that finds room again.
        self.taker.give_back(room);
        // W1.
        self.shared.watermark.advance(durable_seq);
        self.shared.signal_durable_fd();
        Ok(())
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
        self.shared.release_instance();
        self.shared.close.answer(report);
        self.shared.watermark.announce();
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
