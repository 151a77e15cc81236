//! Works on numbered pieces with several threads, and hands the results over in order.
//!
//! The calling thread works too: one thread is the caller's alone, and with more, so many are busy
//! and no more. Few pieces are worked on ahead of the one that is handed over next, so that memory
//! does not grow with their number. A panic over a piece becomes the caller's own, once every
//! thread has ended.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use parking_lot::{Condvar, Mutex};

use super::signal;

/// Pieces a thread that may be done or worked on before they are handed over.
const AHEAD_PER_THREAD: u64 = 2;

/// How many threads are meant: 0 is as many as there are processors that this process may use.
pub(crate) fn threads_given(wanted: usize) -> usize {
    match wanted {
        0 => thread::available_parallelism().map_or(1, NonZero::get),
        count => count,
    }
}

/// Works on each piece and hands the results over in the order of the pieces, on the calling
/// thread; `Break` ends it, and pieces that nobody began are left. Where a thread cannot be had,
/// those there are do it.
pub(crate) fn in_order<T: Send>(
    threads: usize,
    pieces: Range<u64>,
    work: impl Fn(u64) -> T + Sync,
    mut take: impl FnMut(u64, T) -> ControlFlow<()>,
) {
    let threads = (threads as u64).min(pieces.end.saturating_sub(pieces.start));
    if threads <= 1 {
        let _ = { pieces }.try_for_each(|piece| take(piece, work(piece)));
        return;
    }
    let desk = Desk::new(pieces, AHEAD_PER_THREAD * threads);
    thread::scope(|scope| {
        // However this ends, nobody begins another piece.
        let stop = StopWhenDropped(&desk);
        let mut helpers = Vec::new();
        for _ in 1..threads {
            let _masked = signal::block_for_spawn();
            let help = || {
                signal::mark_masked();
                while let Some(piece) = desk.wait_for_piece() {
                    desk.put(piece, catch_unwind(AssertUnwindSafe(|| work(piece))));
                }
            };
            let named = thread::Builder::new().name("es-parallel".into());
            let Ok(helper) = named.spawn_scoped(scope, help) else { break };
            helpers.push(helper);
        }
        loop {
            match desk.next() {
                Next::HandOver(piece, Ok(result)) => {
                    if take(piece, result).is_break() {
                        break;
                    }
                }
                Next::HandOver(_, Err(panic)) => resume_unwind(panic),
                Next::Work(piece) => {
                    desk.put(piece, catch_unwind(AssertUnwindSafe(|| work(piece))));
                }
                Next::End => break,
            }
        }
        drop(stop);
        // The scope would wait for them too, in a way that a detector of races cannot see. Their
        // panics are results.
        helpers.into_iter().for_each(|helper| drop(helper.join()));
    });
}

/// Where pieces are given out and results come in.
struct Desk<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    end: u64,
    /// How far the piece that is given out last may be ahead of the one that is handed over next.
    ahead: u64,
}

struct State<T> {
    /// The next piece to be given out.
    given: u64,
    /// The next piece to be handed over.
    shown: u64,
    done: BTreeMap<u64, thread::Result<T>>,
    is_stopped: bool,
}

/// What the calling thread does next.
enum Next<T> {
    HandOver(u64, thread::Result<T>),
    Work(u64),
    End,
}

impl<T> Desk<T> {
    fn new(pieces: Range<u64>, ahead: u64) -> Self {
        let (given, shown) = (pieces.start, pieces.start);
        let state = State { given, shown, done: BTreeMap::new(), is_stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), end: pieces.end, ahead }
    }

    fn give(&self, state: &mut State<T>) -> Option<u64> {
        let piece = state.given;
        let may_begin = piece < self.end && piece - state.shown < self.ahead;
        may_begin.then(|| {
            state.given += 1;
            piece
        })
    }

    /// A piece to work on, once there is one; `None` when there will be none.
    fn wait_for_piece(&self) -> Option<u64> {
        let mut state = self.state.lock();
        loop {
            if state.is_stopped || state.given == self.end {
                return None;
            }
            if let Some(piece) = self.give(&mut state) {
                return Some(piece);
            }
            self.changed.wait(&mut state);
        }
    }

    fn put(&self, piece: u64, result: thread::Result<T>) {
        self.state.lock().done.insert(piece, result);
        self.changed.notify_all();
    }

    fn next(&self) -> Next<T> {
        let mut state = self.state.lock();
        loop {
            let piece = state.shown;
            if piece == self.end {
                return Next::End;
            }
            if let Some(result) = state.done.remove(&piece) {
                state.shown += 1;
                self.changed.notify_all();
                return Next::HandOver(piece, result);
            }
            if let Some(piece) = self.give(&mut state) {
                return Next::Work(piece);
            }
            self.changed.wait(&mut state);
        }
    }
}

struct StopWhenDropped<'d, T>(&'d Desk<T>);

impl<T> Drop for StopWhenDropped<'_, T> {
    fn drop(&mut self) {
        self.0.state.lock().is_stopped = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Whatever the threads, each piece is worked on once and handed over in its turn.
    #[test]
    fn results_come_in_order_and_once() {
        for threads in [1, 2, 3, 8] {
            for pieces in [0..0, 5..6, 3..103] {
                let worked = AtomicU64::new(0);
                let mut taken = Vec::new();
                let work = |piece| {
                    worked.fetch_add(1, Ordering::Relaxed);
                    piece * 2
                };
                in_order(threads, pieces.clone(), work, |piece, result| {
                    taken.push((piece, result));
                    ControlFlow::Continue(())
                });
                let expected: Vec<_> = pieces.clone().map(|piece| (piece, piece * 2)).collect();
                assert_eq!(taken, expected, "{threads} threads over {pieces:?}");
                assert_eq!(worked.into_inner(), expected.len() as u64);
            }
        }
    }

    /// So many threads work, the caller among them; few pieces are ahead of a slow taker.
    #[test]
    fn as_many_threads_work_as_are_given() {
        for threads in [1_usize, 2, 3] {
            let (seen, barrier) = (Mutex::new(HashSet::new()), std::sync::Barrier::new(threads));
            let (mut taken, mut furthest) = (0, 0);
            let started = AtomicU64::new(0);
            let work = |piece| {
                seen.lock().insert(thread::current().id());
                started.fetch_max(piece + 1, Ordering::Relaxed);
                if piece < threads as u64 {
                    // Passed only when so many are at work at once.
                    barrier.wait();
                }
            };
            in_order(threads, 0..200, work, |_, ()| {
                furthest = furthest.max(started.load(Ordering::Relaxed) - taken);
                taken += 1;
                ControlFlow::Continue(())
            });
            let seen = seen.into_inner();
            assert!(seen.len() == threads && seen.contains(&thread::current().id()));
            // The one that is handed over counts as well.
            assert!(furthest <= AHEAD_PER_THREAD * threads as u64 + 1, "{furthest} ahead");
        }
    }

    /// Who has seen enough is asked no more, and a panic over a piece arrives after those before.
    #[test]
    fn break_and_panic_end_it() {
        for threads in [1, 2, 8] {
            let mut taken = 0;
            in_order(
                threads,
                0..1_000_000,
                |piece| piece,
                |piece, _| {
                    taken += 1;
                    if piece == 40 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                },
            );
            assert_eq!(taken, 41);
            let mut last = None;
            let ended = catch_unwind(AssertUnwindSafe(|| {
                let work = |piece| assert!(piece != 30, "piece {piece}");
                in_order(threads, 0..100, work, |piece, ()| {
                    last = Some(piece);
                    ControlFlow::Continue(())
                });
            }));
            let panic = ended.expect_err("the panic is the caller's");
            assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("piece 30"));
            assert_eq!(last, Some(29));
        }
    }
}
