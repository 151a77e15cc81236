//! The thread that fills space with zeros before redb gets there; see `footprint` for why.
//!
//! It starts when it is first woken, stands back for every other thread, and ends before the file
//! is closed. Without it, and where it does not keep up, commits do what they can themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use parking_lot::Mutex;

use crate::platform::thread;

/// Between two steps: what one wrote is on its way to the disk, and commits come first.
const PAUSE: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Filler {
    thread: Mutex<Option<(SyncSender<()>, JoinHandle<()>)>>,
    is_ended: Arc<AtomicBool>,
}

impl Filler {
    /// Lets the thread take steps until one answers that there is nothing to do.
    pub(super) fn wake(&self, step: impl Fn() -> bool + Send + 'static) {
        let mut running = self.thread.lock();
        if running.is_none() && !self.is_ended.load(Ordering::Acquire) {
            let (sender, calls) = sync_channel(1);
            let is_ended = Arc::clone(&self.is_ended);
            let spawned = thread::spawn("es-redb-fill", move || {
                thread::stand_back();
                for () in calls {
                    while !is_ended.load(Ordering::Acquire) && step() {
                        sleep(PAUSE);
                    }
                }
            });
            match spawned {
                Ok(handle) => *running = Some((sender, handle)),
                // Not asked for again with each commit: they do without it.
                Err(_) => self.is_ended.store(true, Ordering::Release),
            }
        }
        if let Some((sender, _)) = &*running {
            // A call that waits to be taken counts for this one too.
            let _ = sender.try_send(());
        }
    }

    /// Returns when the step that is under way is done; none follows.
    pub(super) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        let running = self.thread.lock().take();
        if let Some((sender, handle)) = running {
            drop(sender);
            // A panic there was told on standard error; what it left unfilled is filled by nobody.
            let _ = handle.join();
        }
    }
}
