//! The sides that ours are held against: the disk, the hash, the memory.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::frames::Pieces;
use super::pairs::{Sample, Side};
use super::raw_loop::raw_loop;
use crate::failure::Failure;

/// Names of limits, as rows carry them.
pub(crate) const RAW: &str = "pwrite + fdatasync";
pub(crate) const HASH: &str = "blake3, one lane";
pub(crate) const LANES: &str = "blake3, in lanes";
pub(crate) const COPY: &str = "memcpy";

/// The source of the raw loop, to be printed beside its numbers.
pub(crate) const RAW_SOURCE: &str = include_str!("raw_loop.rs");

const FILE_BYTES: u64 = 64 << 20;

/// A file filled with zeros and flushed, its frames written over it and flushed in turn.
pub(crate) struct RawDisk {
    file: File,
    file_bytes: u64,
    at: u64,
    frames: Arc<Pieces>,
    batch: usize,
}

impl RawDisk {
    pub(crate) fn new(path: &Path, frames: Arc<Pieces>, batch: usize) -> Result<Self, Failure> {
        let failed = |error| Failure::from_io(path.display(), "filling the raw file", &error);
        // Room for a few of the largest groups.
        let file_bytes = FILE_BYTES.max(4 * frames.joined(0..frames.len()).len() as u64);
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create_new(true).open(path).map_err(failed)?;
        let zeros = vec![0; 1 << 20];
        let mut left = file_bytes;
        while left > 0 {
            let piece = zeros.len().min(left as usize);
            file.write_all(&zeros[..piece]).map_err(failed)?;
            left -= piece as u64;
        }
        file.sync_all().map_err(failed)?;
        Ok(Self { file, file_bytes, at: 0, frames, batch })
    }

    /// One group.
    pub(crate) fn write_one(&mut self) -> Result<(), Failure> {
        self.work(Duration::from_nanos(1)).map(|_| ())
    }
}

impl Side for RawDisk {
    fn work(&mut self, slice: Duration) -> Result<Sample, Failure> {
        let Self { file, file_bytes, at, frames, batch } = self;
        raw_loop(file, *file_bytes, at, frames, *batch, slice)
            .map_err(|error| Failure::from_io("the raw file", "writing", &error))
    }
}

/// Hashes preimages one after another.
pub(crate) fn hashing(preimages: Arc<Pieces>) -> impl Side {
    over_pieces(preimages, |piece| {
        black_box(blake3::hash(piece));
    })
}

/// Copies as many bytes into one place, which stays in the cache.
pub(crate) fn copying(pieces: Arc<Pieces>) -> impl Side {
    let mut place = vec![0; (0..pieces.len()).map(|at| pieces.piece(at).len()).max().unwrap_or(0)];
    over_pieces(pieces, move |piece| {
        place[..piece.len()].copy_from_slice(black_box(piece));
        black_box(&mut place);
    })
}

/// Does the same with one piece after another; looks at the clock now and then.
fn over_pieces(pieces: Arc<Pieces>, mut work: impl FnMut(&[u8])) -> impl Side {
    const PIECES_PER_LOOK: usize = 64;
    let mut next = 0;
    move |slice: Duration| {
        let mut count = 0;
        let begun = Instant::now();
        while count == 0 || begun.elapsed() < slice {
            for _ in 0..PIECES_PER_LOOK {
                work(pieces.piece(next));
                next = (next + 1) % pieces.len();
            }
            count += PIECES_PER_LOOK as u64;
        }
        Ok(Sample { count, spent: begun.elapsed() })
    }
}
