//! What the disk allows: the very bytes of our frames, written and flushed, and nothing else.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::frames::Pieces;
use super::pairs::Sample;

/// Writes groups of `batch` frames over a file that was filled with zeros and flushed, one
/// `pwrite` and one `fdatasync` a group, at least one, until `slice` is over; `at` walks round the
/// file.
pub(crate) fn raw_loop(
    file: &File,
    file_bytes: u64,
    at: &mut u64,
    frames: &Pieces,
    batch: usize,
    slice: Duration,
) -> io::Result<Sample> {
    let (mut first, mut entries) = (0, 0);
    let begun = Instant::now();
    while entries == 0 || begun.elapsed() < slice {
        if first + batch > frames.len() {
            first = 0;
        }
        let group = frames.joined(first..first + batch);
        if *at + group.len() as u64 > file_bytes {
            *at = 0;
        }
        file.write_all_at(group, *at)?; // pwrite
        file.sync_data()?; // fdatasync
        *at += group.len() as u64;
        first += batch;
        entries += batch as u64;
    }
    Ok(Sample { count: entries, spent: begun.elapsed() })
}
