//! What callers may choose: how the queue and the writer behave, how to submit, how to close.

/// What the writer does while it has nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WaitPolicy {
    /// Looks without a pause while the run is hot: a core for the lowest latency.
    Spin,
    /// Looks about every 100 us while the run is hot. The default.
    #[default]
    Timed,
    /// Sleeps at once; each submit into an idle run then costs a system call.
    Park,
}

/// How the queue and the writer of a run behave; all bounds were checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) queue_entries: u64,
    pub(crate) queue_bytes: u64,
    pub(crate) group_entries: u64,
    pub(crate) group_bytes: u64,
    pub(crate) group_linger_ns: u64,
    pub(crate) halt_after_ns: u64,
    pub(crate) hot_ns: u64,
    pub(crate) wait_policy: WaitPolicy,
    pub(crate) writer_cpu: Option<usize>,
    pub(crate) manual: bool,
    pub(crate) run_started: bool,
    pub(crate) prefault: bool,
    pub(crate) lock_memory: bool,
    pub(crate) require_uuid_v4: bool,
}

impl Settings {
    /// The first `seq` that a producer can claim; a `RunStarted` entry comes before it.
    pub(super) fn next_seq(&self) -> u64 {
        if self.run_started { 2 } else { 1 }
    }
}

/// How to submit.
#[derive(Debug, Clone, Copy, Default)]
pub struct SubmitOptions {
    /// The `seq` that the first draft must get; 0 = any.
    pub expected_seq: u64,
    /// How long to wait for room in the queue; 0 = not at all, `u64::MAX` = without end.
    pub timeout_ns: u64,
}

/// How to close.
#[derive(Debug, Clone, Copy)]
pub struct CloseOptions {
    /// How long to wait; `u64::MAX` = without end. After a time-out, close again.
    pub timeout_ns: u64,
    /// The `ts_init` of the `RunEnded` entry; 0 = the largest so far, else the run's start.
    pub end_ts_init: u64,
    /// The `ts_publish` of that entry; 0 = stamped, in a manual run its `ts_init`.
    pub end_ts_publish: u64,
}

impl Default for CloseOptions {
    fn default() -> Self {
        Self { timeout_ns: u64::MAX, end_ts_init: 0, end_ts_publish: 0 }
    }
}
