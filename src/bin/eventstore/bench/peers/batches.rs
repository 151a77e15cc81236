//! A peer as a side: batches of the same entries that ours get.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Entry, Peer};
use crate::bench::frames::Pieces;
use crate::bench::pairs::{Sample, Side};
use crate::bench::pool::Pool;
use crate::bench::session::Session;
use crate::bench::write::slice_entries;
use crate::failure::Failure;

pub(super) struct Batches<'a> {
    peer: Box<dyn Peer>,
    pool: Pool<'a>,
    /// Made once and used again: a peer does not look into them.
    frames: Arc<Pieces>,
    batch: usize,
    next_seq: u64,
}

impl<'a> Batches<'a> {
    pub(super) fn new(session: &Session<'a>, batch: usize, peer: Box<dyn Peer>) -> Self {
        let pool = Pool::new(session.shapes, slice_entries(batch));
        Self { peer, pool, frames: session.frames(batch), batch, next_seq: 1 }
    }
}

impl Side for Batches<'_> {
    fn work(&mut self, slice: Duration) -> Result<Sample, Failure> {
        self.pool.renumber();
        let entries: Vec<Entry<'_>> = (0..self.pool.len())
            .map(|at| Entry {
                seq: self.next_seq + at as u64,
                frame: self.frames.piece(at % self.frames.len()),
                keys: self.pool.part(at).keys,
            })
            .collect();
        let mut count = 0;
        let begun = Instant::now();
        for batch in entries.chunks_exact(self.batch) {
            self.peer.commit(batch)?;
            count += batch.len() as u64;
            if begun.elapsed() >= slice {
                break;
            }
        }
        let sample = Sample { count, spent: begun.elapsed() };
        self.next_seq += count;
        Ok(sample)
    }
}
