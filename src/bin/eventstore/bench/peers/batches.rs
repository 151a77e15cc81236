//! A peer as a side: batches of the same entries that ours get.

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
    /// Of one batch.
    frames: Pieces,
    batch: usize,
    next_seq: u64,
}

impl<'a> Batches<'a> {
    pub(super) fn new(session: &Session<'a>, batch: usize, peer: Box<dyn Peer>) -> Self {
        let pool = Pool::new(session.shapes, slice_entries(batch));
        Self { peer, pool, frames: Pieces::new(), batch, next_seq: 1 }
    }

    /// Frames the batch that begins with this entry of the pool, and commits it.
    fn commit(&mut self, first: usize) -> Result<(), Failure> {
        let Self { pool, frames, batch, next_seq, .. } = self;
        frames.clear();
        for at in 0..*batch {
            frames.push_unhashed(&pool.part(first + at), *next_seq + at as u64);
        }
        let entry = |at: usize| Entry {
            seq: *next_seq + at as u64,
            frame: frames.piece(at),
            keys: pool.part(first + at).keys,
        };
        let entries: Vec<Entry<'_>> = (0..*batch).map(entry).collect();
        self.peer.commit(&entries)?;
        self.next_seq += self.batch as u64;
        Ok(())
    }
}

impl Side for Batches<'_> {
    fn work(&mut self, slice: Duration) -> Result<Sample, Failure> {
        self.pool.renumber();
        let mut count = 0;
        let begun = Instant::now();
        while count + self.batch <= self.pool.len() {
            self.commit(count)?;
            count += self.batch;
            if begun.elapsed() >= slice {
                break;
            }
        }
        Ok(Sample { count: count as u64, spent: begun.elapsed() })
    }
}
