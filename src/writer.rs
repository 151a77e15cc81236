//! A run that is being written: submits from any thread, one thread that commits.
//!
//! Submit copies the draft, claims the next `seq` and returns; the writer makes groups of what
//! has gathered, commits each durably and only then moves the high-watermark. After the first
//! failure the run is halted and writes nothing more. Must not be asked how bytes lie on disk:
//! that is the backend's. Next: `handoff` for the order of events, `drive` for one step.

mod anchors;
mod buffer;
mod drive;
mod group;
mod handoff;
mod live_view;
mod memory;
mod options;
mod report;
mod run;
mod shared;
mod spin;
mod stall;
#[cfg(test)]
mod tests;
mod thread;
mod wait;
mod wheel;

pub use buffer::{RawDraft, RawKey};
pub use options::{CloseOptions, SubmitOptions, WaitPolicy};
pub use report::{AppendFailure, Appended, CloseReport, Phase, RunState, RunStats};
pub use run::{DraftAt, Run};
pub use shared::HaltCallback;

pub(crate) use handoff::room::{BYTES_MAX as QUEUE_BYTES_MAX, ENTRIES_MAX as QUEUE_ENTRIES_MAX};
pub(crate) use handoff::watermark::Watermark;
pub(crate) use memory::QueueMemory;
pub(crate) use options::Settings;
pub(crate) use run::Created;
pub(crate) use thread::WriterThread;
