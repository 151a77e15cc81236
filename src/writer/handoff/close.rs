//! Ends a run once: the first who asks says how, the writer answers, everybody gets that answer.
//!
//! States: open → asked → done. The request is stored before the claim word says closed, so the
//! writer that sees the bit finds it. A run that halts meanwhile is never answered: whoever waits
//! learns of the halt instead.

use super::claim::{Claim, Refused};
use super::sync::Monitor;

enum State<Q, A> {
    Open,
    Asked(Q),
    Done(A),
}

/// Where the end of a run is agreed. `Q` says how to end it, `A` how that went.
pub(crate) struct CloseGate<Q, A> {
    state: Monitor<State<Q, A>>,
}

impl<Q: Copy, A: Clone> CloseGate<Q, A> {
    pub(crate) fn new() -> Self {
        Self { state: Monitor::new(State::Open) }
    }

    /// Stops all claims and leaves the request for the writer, which the caller then wakes.
    /// `count` sequences are claimed for the writer's own last entries. A run that is closing,
    /// closed or halted stays as it is.
    pub(crate) fn ask(&self, claim: &Claim, count: u64, request: Q) {
        let mut state = self.state.lock();
        if !matches!(*state, State::Open) {
            return;
        }
        *state = State::Asked(request);
        match claim.close(count) {
            Ok(_) => {}
            // Nothing will be carried out: whoever waits learns of the halt.
            Err(Refused::Halted) => *state = State::Open,
            Err(refused) => unreachable!("only this gate closes the claim word: {refused:?}"),
        }
    }

    /// The request, for the writer, until it is answered.
    pub(crate) fn asked(&self) -> Option<Q> {
        match &*self.state.lock() {
            State::Asked(request) => Some(*request),
            _ => None,
        }
    }

    /// The writer is done. The caller then wakes the waiters.
    pub(crate) fn answer(&self, answer: A) {
        *self.state.lock() = State::Done(answer);
    }

    /// How it went, once it is done.
    pub(crate) fn answered(&self) -> Option<A> {
        match &*self.state.lock() {
            State::Done(answer) => Some(answer.clone()),
            _ => None,
        }
    }
}
