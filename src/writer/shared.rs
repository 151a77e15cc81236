//! What producers, waiters and the writer of one run share, and how a run halts.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use parking_lot::Mutex;

use super::anchors::AnchorQueue;
use super::buffer::{EntryBuffer, FillRules, Pool};
use super::group::GroupLimits;
use super::handoff::close::CloseGate;
use super::handoff::doorbell::Doorbell;
use super::handoff::halt::Halt;
use super::handoff::queue::{Queue, Taker};
use super::handoff::watermark::Watermark;
use super::live_view::LiveView;
use super::memory::QueueMemory;
use super::options::Settings;
use super::report::CloseReport;
use super::spin::Spin;
use super::stall::StallWatch;
use crate::error::{EventStoreError, Fault};
use crate::platform::descriptor::Descriptor;
use crate::platform::lock::InstanceLock;
use crate::platform::memory::LockedMemory;

/// How a run is to end.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// Commit a last `RunEnded` entry with this `ts_init` (0 = the largest so far) and `ts_publish`
    /// (0 = stamped), and seal.
    Seal { end_ts_init: u64, end_ts_publish: u64 },
    /// Commit what is queued and leave the run `Running`.
    Detach,
}

impl End {
    /// How many sequences the writer's own last entries take.
    pub(super) fn own_entries(self) -> u64 {
        match self {
            Self::Seal { .. } => 1,
            Self::Detach => 0,
        }
    }
}

/// Called once with the first failure, on the thread that noticed it.
pub type HaltCallback = Box<dyn FnOnce(&EventStoreError) + Send>;

/// The shared state of one run.
pub(super) struct Shared {
    /// Of the queue and the pool, which it must not outlive.
    _locked: Option<LockedMemory>,
    pub(super) queue: Arc<Queue<Box<EntryBuffer>>>,
    pub(super) doorbell: Doorbell,
    /// Shared with readers, which outlive the rest.
    pub(super) watermark: Arc<Watermark>,
    pub(super) halt: Halt<Arc<EventStoreError>>,
    pub(super) close: CloseGate<End, CloseReport>,
    pub(super) pool: Pool,
    pub(super) anchors: AnchorQueue,
    pub(super) stall: StallWatch,
    pub(super) spin: Spin,
    pub(super) stats: Stats,
    pub(super) fill_rules: FillRules,
    pub(super) group_limits: GroupLimits,
    pub(super) queue_entries: u64,
    pub(super) durable_fd: OnceLock<Descriptor>,
    on_halt: Mutex<Option<HaltCallback>>,
    /// The callback of a halt has returned, or there was none.
    has_told: AtomicBool,
    /// The thread that runs the callback right now.
    callback_thread: Mutex<Option<ThreadId>>,
    instance_lock: Mutex<Option<InstanceLock>>,
    pub(super) view: LiveView,
}

/// Sums over the life of a run.
#[derive(Default)]
pub(super) struct Stats {
    pub(super) commits: AtomicU64,
    pub(super) entries: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) last_commit_ns: AtomicU64,
    pub(super) longest_commit_ns: AtomicU64,
}

impl Stats {
    pub(super) fn last_commit(&self) -> Duration {
        Duration::from_nanos(self.last_commit_ns.load(Ordering::Relaxed))
    }

    pub(super) fn committed(&self, entries: u64, bytes: u64, took: Duration) {
        let took_ns = took.as_nanos() as u64;
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.last_commit_ns.store(took_ns, Ordering::Relaxed);
        self.longest_commit_ns.fetch_max(took_ns, Ordering::Relaxed);
    }
}

impl Shared {
    /// The state of a run around its empty queue, everything before that durable, and the writer's
    /// end of the queue.
    pub(super) fn new(
        memory: QueueMemory,
        settings: &Settings,
        on_halt: Option<HaltCallback>,
        instance_lock: Option<InstanceLock>,
        view: LiveView,
    ) -> (Self, Taker<Box<EntryBuffer>>) {
        let QueueMemory { locked, queue, taker, pool } = memory;
        let shared = Self {
            _locked: locked,
            queue,
            doorbell: Doorbell::new(),
            watermark: Arc::new(Watermark::new(settings.next_seq() - 1)),
            halt: Halt::new(),
            close: CloseGate::new(),
            pool,
            anchors: AnchorQueue::new(),
            stall: StallWatch::new(if settings.manual { u64::MAX } else { settings.halt_after_ns }),
            spin: Spin::new(settings.wait_policy),
            stats: Stats::default(),
            fill_rules: FillRules::of(settings),
            group_limits: GroupLimits {
                entries_max: settings.group_entries,
                bytes_max: settings.group_bytes,
            },
            queue_entries: settings.queue_entries,
            durable_fd: OnceLock::new(),
            on_halt: Mutex::new(on_halt),
            has_told: AtomicBool::new(false),
            callback_thread: Mutex::new(None),
            instance_lock: Mutex::new(instance_lock),
            view,
        };
        (shared, taker)
    }

    /// Latches a failure, wakes everybody and, for the first one, runs the callback.
    pub(super) fn halt(&self, reason: EventStoreError) {
        let reason = Arc::new(reason);
        if !self.halt.latch(&self.queue.claim, Arc::clone(&reason)) {
            return;
        }
        self.watermark.announce();
        self.doorbell.ring();
        self.signal_durable_fd();
        if let Some(callback) = self.on_halt.lock().take() {
            *self.callback_thread.lock() = Some(std::thread::current().id());
            // The host's code: whatever it does, the marker must go and nothing may unwind here.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                callback(&reason);
            }));
            *self.callback_thread.lock() = None;
            drop(outcome);
        }
        self.has_told.store(true, Ordering::Release);
        self.watermark.announce();
    }

    /// Whether the callback of a halt is done with: the host may free what it had been given.
    pub(super) fn has_told(&self) -> bool {
        self.has_told.load(Ordering::Acquire)
    }

    /// Halts the run if the queue has been full without a commit for too long.
    pub(super) fn halt_if_stalled(&self, is_full: impl FnOnce() -> bool) {
        if let Some(stalled) = self.stall.stalled_for(is_full) {
            let taken = self.queue.taken();
            let mut fault = Fault::new(format!(
                "queue full ({} of {} entries, {} bytes) and nothing committed for {} ms",
                taken.entries,
                self.queue_entries,
                taken.bytes,
                stalled.as_millis()
            ));
            fault.kind = std::io::ErrorKind::TimedOut;
            self.halt(EventStoreError::Backend(Box::new(fault)));
        }
    }

    /// The error that calls on a halted run answer.
    pub(super) fn halted(&self) -> EventStoreError {
        match self.halt.reason() {
            Some(reason) => EventStoreError::Halted { reason },
            None => unreachable!("the reason is stored before the claim word says halted"),
        }
    }

    /// Refuses every call but the state from within the callback.
    pub(super) fn refuse_in_callback(&self) -> Result<(), EventStoreError> {
        let inside = self.queue.claim.is_halted()
            && *self.callback_thread.lock() == Some(std::thread::current().id());
        if inside {
            return Err(EventStoreError::Busy { what: "the run's halt callback is running" });
        }
        Ok(())
    }

    /// Whether anything may be left for the writer to do.
    pub(super) fn has_pending(&self) -> bool {
        let claim = &self.queue.claim;
        self.queue.taken().entries > 0
            || claim.is_halted()
            || claim.closed_at().is_some()
            || !self.anchors.is_empty()
    }

    /// Tells whoever polls the descriptor that something changed.
    pub(super) fn signal_durable_fd(&self) {
        if let Some(fd) = self.durable_fd.get() {
            // A counter that cannot be written means that the host closed it: its own affair.
            let _ = fd.signal();
        }
    }

    /// Lets another writer of this instance in.
    pub(super) fn release_instance(&self) {
        drop(self.instance_lock.lock().take());
    }

    pub(super) fn last_claimed_seq(&self) -> u64 {
        self.queue.claim.next_seq() - 1
    }

    /// The report of a run that halted: nothing was sealed.
    pub(super) fn halt_report(&self) -> Option<CloseReport> {
        self.halt.reason().map(|reason| CloseReport {
            status: crate::manifest::RunStatus::Running,
            high_watermark: self.watermark.durable(),
            digest: None,
            halt: Some(reason),
        })
    }
}
