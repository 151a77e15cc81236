//! The run's own view of itself, and when it is let go of.
//!
//! A view holds the run's lock. So once the host is done with the run (it has dropped it, or closed
//! a halted one) and the writer is gone, whichever comes last lets go of the run's own view; from
//! then on a view is opened anew, beside whoever recovers the run.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::backend::EventReader;
use crate::error::Result;

/// Opens a view of a run whose writer is gone.
pub(crate) type Reopen = Box<dyn Fn() -> Result<Arc<dyn EventReader>> + Send + Sync>;

/// See the module.
pub(super) struct LiveView {
    state: Mutex<State>,
    /// `None` where a view holds no lock: then it is kept.
    reopen: Option<Reopen>,
}

struct State {
    view: Option<Arc<dyn EventReader>>,
    host_is_done: bool,
    writer_is_gone: bool,
}

impl LiveView {
    pub(super) fn new(view: Arc<dyn EventReader>, reopen: Option<Reopen>) -> Self {
        let state = State { view: Some(view), host_is_done: false, writer_is_gone: false };
        Self { state: Mutex::new(state), reopen }
    }

    /// The view, or a new one.
    pub(super) fn get(&self) -> Result<Arc<dyn EventReader>> {
        let current = self.state.lock().view.clone();
        match (current, &self.reopen) {
            (Some(view), _) => Ok(view),
            (None, Some(reopen)) => reopen(),
            (None, None) => unreachable!("a view that cannot be opened again is kept"),
        }
    }

    /// The host has dropped the run, or closed it after a halt.
    pub(super) fn host_is_done(&self) {
        self.let_go(|state| state.host_is_done = true);
    }

    /// The writer has ended or abandoned the run.
    pub(super) fn writer_is_gone(&self) {
        self.let_go(|state| state.writer_is_gone = true);
    }

    fn let_go(&self, note: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        note(&mut state);
        if self.reopen.is_some() && state.host_is_done && state.writer_is_gone {
            drop(state.view.take());
        }
    }
}
