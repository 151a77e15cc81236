//! Writes and flushes groups on a thread of its own, one after the other, so that the next group
//! is prepared while this one is on its way to the disk.
//!
//! Groups come in the order of the log and are answered in that order. After the first that is
//! refused none is written any more: those behind it are answered with an error (L3). The thread
//! starts when it is first asked for.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::backend::disk::Disk;
use crate::planted::planted;
use crate::platform::thread;

/// A group, header first, and where it goes.
pub(super) struct Write {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

impl Write {
    /// Writes and flushes it.
    pub(super) fn perform(&self) -> io::Result<()> {
        self.disk.write(self.offset, &[&self.bytes])?;
        if planted("skip_sync") { Ok(()) } else { self.disk.sync_data() }
    }
}

/// See the module.
pub(super) struct Flusher {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Write>,
    /// In the order in which they were handed over.
    done: VecDeque<(Write, io::Result<()>)>,
    has_failed: bool,
    is_ended: bool,
}

impl Flusher {
    pub(super) fn new() -> Self {
        Self { shared: Arc::default(), thread: None }
    }

    /// Whether there is a thread to hand groups to; starts it when there is none yet.
    pub(super) fn is_ready(&mut self) -> bool {
        if self.thread.is_none() {
            let shared = self.shared.clone();
            self.thread = thread::spawn("es-log-flush", move || shared.work()).ok();
        }
        self.thread.is_some()
    }

    /// Hands a group over.
    pub(super) fn start(&mut self, write: Write) {
        self.shared.state.lock().waiting.push_back(write);
        self.shared.changed.notify_all();
    }

    /// Whether the oldest group that was not waited for yet is done with.
    pub(super) fn is_done(&self) -> bool {
        !self.shared.state.lock().done.is_empty()
    }

    /// Waits for the oldest group; gives its bytes back, to be used again.
    ///
    /// # Errors
    /// Why it was refused.
    pub(super) fn wait(&mut self) -> io::Result<Vec<u8>> {
        let mut state = self.shared.state.lock();
        loop {
            if let Some((write, answer)) = state.done.pop_front() {
                return answer.map(|()| write.bytes);
            }
            if self.thread.as_ref().is_none_or(|thread| thread.is_finished()) {
                return Err(io::Error::other("the thread that flushes groups is gone"));
            }
            // Looks again now and then: a thread that panicked tells nobody.
            let soon = std::time::Duration::from_millis(100);
            self.shared.changed.wait_for(&mut state, soon);
        }
    }

    /// Ends the thread, once the group that it is writing is done with.
    pub(super) fn end(&mut self) {
        self.shared.state.lock().is_ended = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there was answered as a failure of its group.
            let _ = thread.join();
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn work(&self) {
        loop {
            let mut state = self.state.lock();
            let write = loop {
                if state.is_ended {
                    return;
                }
                match state.waiting.pop_front() {
                    Some(write) => break write,
                    None => self.changed.wait(&mut state),
                }
            };
            let has_failed = state.has_failed && !planted("log_go_on_after_failure");
            drop(state);
            let answer = match has_failed {
                false => write.perform(),
                true => Err(io::Error::other("an earlier group was refused")),
            };
            let mut state = self.state.lock();
            state.has_failed |= answer.is_err();
            state.done.push_back((write, answer));
            self.changed.notify_all();
        }
    }
}
