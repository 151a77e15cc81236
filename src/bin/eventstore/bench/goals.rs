//! The goals P1 to P12 as numbers, and what a row that misses one is known to lose its time to.
//!
//! Most are the log's; redb has those on its commits and its memory. How rows stand to them:
//! `verdict`.

use super::peers::STAND_IN;
use crate::table::grouped;

/// What the name of a row measured over captures ends with.
pub(crate) const CAPTURES: &str = ", captures";
/// The name of the row that counts a submit's system calls.
pub(crate) const SUBMIT_CALLS: &str = "submit system calls";
/// Every goal's number, in order.
pub(crate) const NUMBERS: [&str; 12] =
    ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12"];
/// Those that are measured over captures too.
const CAPTURED: [&str; 4] = ["P1", "P3", "P5", "P10"];

/// A number that a row is held against.
pub(crate) struct Goal {
    pub(crate) number: &'static str,
    pub(crate) backend: &'static str,
    /// The row's name, without what it is measured over.
    pub(crate) what: &'static str,
    pub(crate) batch: u64,
    pub(crate) bound: Bound,
    /// Printed only of a row that misses.
    why: &'static str,
}

/// What a goal is about.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// The ratio to the limit is at least this.
    RatioAtLeast(f64),
    /// The ratio to the limit is at most this.
    RatioAtMost(f64),
    /// The value is at most this.
    ValueAtMost(f64),
    /// The ratio to the peer's stand-in is at least this.
    PeerAtLeast(f64),
}

use Bound::{PeerAtLeast, RatioAtLeast, RatioAtMost, ValueAtMost};

impl Goal {
    /// Whether it is measured over captures too. Calls are the same whatever is handed over.
    pub(crate) fn is_captured(&self) -> bool {
        CAPTURED.contains(&self.number) && self.what != SUBMIT_CALLS
    }

    pub(crate) fn why(&self) -> &'static str {
        self.why
    }

    /// `>= 0.75`, `>= 5 x plain redb`, `<= 100`.
    pub(crate) fn bound_text(&self) -> String {
        match self.bound {
            RatioAtLeast(bound) => format!(">= {bound}"),
            RatioAtMost(bound) => format!("<= {bound}"),
            ValueAtMost(bound) => format!("<= {}", grouped(bound as u64)),
            PeerAtLeast(bound) => format!(">= {bound} x {STAND_IN}"),
        }
    }
}

const MIB: f64 = 1024.0 * 1024.0;
const US: f64 = 1e3;
const MS: f64 = 1e6;

const FEW: &str = "each entry is copied, hashed, framed and checksummed first, the watermark is a \
    second write, and the next segment is filled on the same disk";
const HASHED: &str = "the raw loop has its frames ready; here each entry is copied, hashed, framed \
    and checksummed first, and one batch at a time leaves no flush to do it behind; as many zeros go \
    to the same disk, for the next segment";
const AHEAD: &str = "as many zeros go to the same disk meanwhile, for the next segments, while the \
    raw loop goes round one file; what is left of hashing and framing is done behind a flush";
const PEER_FLUSH: &str = "the stand-in hashes nothing, so that beside the flush both pay, our own \
    copy, hash and frame bound the factor";
const TWO_FLUSHES: &str = "a second flush a commit, a row with the commit's keys and times, and a \
    hash an entry, none of which the stand-in has";
const ONE_FLUSH: &str = "a row with the commit's keys and times and a hash an entry, neither of which \
    the stand-in has";
const COLD_SUBMIT: &str = "between two submits the queue's lines leave the near caches, and the \
    writer on the other processor has taken them; the clock is in it too, as the same loop without \
    the call shows";
const TAIL: &str = "the host or the kernel takes the processor away: the same percentile of the loop \
    without the call shows how often; the writer's flushes add to it";
const BURST: &str = "nothing but the copy, the slot and its release is left, in the time a burst of \
    cold slots takes";
const CALLED: &str = "the writer was asleep and had to be woken";
const WAKES: &str = "the writer is woken, and wakes who waits: on top of the write and its flush";
const SCANNED: &str = "every entry is read from the page cache, decoded, and copied into the \
    caller's arena on top of its hash; the limit's preimages lie in memory";
const READ_CALL: &str = "a system call reads the frame before its hash is checked; the limit's \
    bytes are in the processor's cache";
const LOOKED_UP: &str = "the key is looked for in the index blocks, newest last: system calls, where \
    the block is not in memory";
const OPENED: &str = "a file a segment is looked at when a sealed run is opened";
const RECOVERED: &str = "a name a segment is read when a killed run is opened; a commit that was under \
    way is flushed first, which takes as long as the disk takes";
const VERIFIED: &str = "beside the hash it follows the chain of groups, decodes every entry, and \
    rebuilds every index to compare";
const TAKEN: &str = "index blocks and group headers, and short payloads in which the hash of 32 \
    bytes weighs most";
const GROWN: &str = "what is known of finished segments stays in memory";
const CACHED: &str = "redb's cache fills up to its set size, and its list of free pages grows";
const KEPT: &str = "it keeps the run in memory: that is what it is for";
const FLUSHED: &str = "a commit flushes more than its data";

const fn goal(
    number: &'static str,
    (backend, what, batch): (&'static str, &'static str, u64),
    bound: Bound,
    why: &'static str,
) -> Goal {
    Goal { number, backend, what, batch, bound, why }
}

/// All of them, in order.
pub(crate) static GOALS: [Goal; 43] = [
    goal("P1", ("log", "append", 1), RatioAtLeast(0.90), FEW),
    goal("P1", ("log", "append", 10), RatioAtLeast(0.85), FEW),
    goal("P1", ("log", "append", 100), RatioAtLeast(0.75), HASHED),
    goal("P1", ("log", "append", 1000), RatioAtLeast(0.50), HASHED),
    goal("P1", ("log", "append", 100), PeerAtLeast(5.0), PEER_FLUSH),
    goal("P1", ("log", "append", 1000), PeerAtLeast(7.0), PEER_FLUSH),
    goal("P1", ("log", "stream", 1000), RatioAtLeast(0.70), AHEAD),
    goal("P1", ("log", "stream", 1000), PeerAtLeast(10.0), AHEAD),
    goal("P2", ("redb", "append", 1), PeerAtLeast(0.6), TWO_FLUSHES),
    goal("P2", ("redb", "append", 10), PeerAtLeast(0.6), TWO_FLUSHES),
    goal("P2", ("redb", "append", 100), PeerAtLeast(1.1), TWO_FLUSHES),
    goal("P2", ("redb", "append", 1000), PeerAtLeast(1.5), TWO_FLUSHES),
    goal("P2", ("redb", "append, 1 flush", 1), PeerAtLeast(0.85), ONE_FLUSH),
    goal("P2", ("redb", "append, 1 flush", 10), PeerAtLeast(0.85), ONE_FLUSH),
    goal("P3", ("log", "submit 1000/s p50", 1), ValueAtMost(100.0), COLD_SUBMIT),
    goal("P3", ("log", "submit 1000/s p99", 1), ValueAtMost(US), COLD_SUBMIT),
    goal("P3", ("log", "submit 1000/s p99.9", 1), ValueAtMost(20.0 * US), TAIL),
    goal("P3", ("log", "submit 10000/s p50", 1), ValueAtMost(100.0), COLD_SUBMIT),
    goal("P3", ("log", "submit 10000/s p99", 1), ValueAtMost(US), COLD_SUBMIT),
    goal("P3", ("log", "submit 10000/s p99.9", 1), ValueAtMost(20.0 * US), TAIL),
    goal("P3", ("log", "submit 100000/s p50", 1), ValueAtMost(100.0), COLD_SUBMIT),
    goal("P3", ("log", "submit 100000/s p99", 1), ValueAtMost(US), TAIL),
    goal("P3", ("log", "submit 100000/s p99.9", 1), ValueAtMost(20.0 * US), TAIL),
    goal("P3", ("log", "submit burst", 1000), ValueAtMost(100.0), BURST),
    goal("P3", ("log", SUBMIT_CALLS, 1), ValueAtMost(0.0), CALLED),
    goal("P4", ("log", "append ack p50", 1), RatioAtMost(1.25), WAKES),
    goal("P5", ("log", "scan", 1), RatioAtLeast(3.0), SCANNED),
    goal("P5", ("log", "scan, lanes", 1), RatioAtLeast(0.6), SCANNED),
    goal("P6", ("log", "get", 1), RatioAtMost(1.3), READ_CALL),
    goal("P6", ("log", "lookup", 1), ValueAtMost(500.0), LOOKED_UP),
    goal("P7", ("log", "open sealed, growth", 1), RatioAtMost(1.5), OPENED),
    goal("P7", ("log", "open sealed, small", 1), ValueAtMost(5.0 * MS), OPENED),
    goal("P7", ("log", "open sealed, large", 1), ValueAtMost(5.0 * MS), OPENED),
    goal("P8", ("log", "open killed, growth", 1), RatioAtMost(1.5), RECOVERED),
    // 0.85 of what P5 asks for, of as many processors as hash beside it.
    goal("P9", ("log", "verify", 1), RatioAtLeast(0.85 * 3.0), VERIFIED),
    goal("P9", ("log", "verify, lanes", 1), RatioAtLeast(0.85 * 0.6), VERIFIED),
    goal("P10", ("log", "stream disk", 1000), RatioAtMost(1.15), TAKEN),
    goal("P11", ("log", "memory growth", 1000), ValueAtMost(16.0 * MIB), GROWN),
    goal("P11", ("redb", "memory growth", 1000), ValueAtMost(16.0 * MIB), CACHED),
    goal("P11", ("memory", "memory growth", 1000), ValueAtMost(16.0 * MIB), KEPT),
    goal("P12", ("log", "append flushes", 1), ValueAtMost(1.0), FLUSHED),
    goal("P12", ("redb", "append flushes", 1), ValueAtMost(2.0), FLUSHED),
    goal("P12", ("redb", "append flushes, 1 flush", 1), ValueAtMost(1.0), FLUSHED),
];
