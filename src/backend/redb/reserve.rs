//! Real space kept inside the run file, so that a run whose disk is full can still be sealed.
//!
//! Two parts. The **ballast** is a row of 1 MiB that is live while the run is written, so that
//! redb can neither use its pages nor trim them; the seal frees it in a commit of its own and
//! then writes into it. That commit needs a few free pages, as does the next one; the **probe**
//! sees to them. As long as enough of the file was never used, they are there. After that, before
//! pages written since the last probe could have used them up, an append takes a piece and gives it
//! back in the same transaction, which makes the file grow now if it would have to. Growth has real
//! space (`storage_file`), and its failure fails the append, not the seal. redb zeroes and copies
//! what is taken: small appends take a large piece once in a while, larger ones, which would use it
//! up at once, a small piece each.

use std::path::Path;

use redb::WriteTransaction;

use super::fault::At;
use super::storage_file::StorageFile;
use super::tables::{self, RESERVE};
use crate::error::Result;
use crate::planted::planted;

/// What the seal of a run with an ordinary manifest finds free, in bytes.
const BALLAST_BYTES_MIN: usize = 1 << 20;
/// A manifest is copied when it is sealed: the ballast has room for it several times.
const BALLAST_MANIFESTS: usize = 4;
/// The ballast fills its page, whose size is a power of two, but for the page's own header.
const PAGE_HEADER_BYTES: usize = 64;
/// Pages that a commit writes besides its entries: roots, branches, redb's own tables.
const COMMIT_BYTES: u64 = 64 << 10;
/// A key's leaf is copied, and may be split.
const KEY_BYTES: u64 = 8 << 10;
/// What must be free behind a probe: the pages of its own commit and of the seal's first.
const NEEDED_BYTES: u64 = 2 * COMMIT_BYTES;
/// So much that redb has never used, beside what is needed, needs no probe: its list of regions may
/// move there.
const ROOM_BYTES: u64 = 128 << 10;
const SMALL_PROBE_BYTES: u64 = NEEDED_BYTES;
const LARGE_PROBE_BYTES: u64 = 512 << 10;
/// An append of so much uses a large probe up within a few commits.
const LARGE_APPEND_BYTES: u64 = 16 << 10;

/// Takes the ballast, when the run is made.
pub(super) fn take_ballast(
    transaction: &WriteTransaction,
    manifest_bytes: usize,
    path: &Path,
) -> Result<()> {
    // Made now, so that a probe finds its table and leaves it as it was.
    transaction.open_table(tables::PROBE).at(path)?;
    if planted("skip_reserve") {
        return Ok(());
    }
    let ballast = (BALLAST_MANIFESTS * manifest_bytes).next_power_of_two().max(BALLAST_BYTES_MIN);
    let mut table = transaction.open_table(RESERVE).at(path)?;
    let mut row = table.insert_reserve(0, ballast - PAGE_HEADER_BYTES).at(path)?;
    row.as_mut().fill(0);
    Ok(())
}

/// Gives the ballast back, in the transaction before the one that seals.
pub(super) fn free_ballast(transaction: &WriteTransaction, path: &Path) -> Result<()> {
    transaction.delete_table(RESERVE).at(path)?;
    transaction.delete_table(tables::PROBE).at(path)?;
    Ok(())
}

/// Decides when the next probe is due.
#[derive(Debug, Default)]
pub(super) struct Prober {
    /// How many bytes had reached the file. `None`: this process has not probed yet.
    written_at_probe: Option<u64>,
    /// How much of the probed space the commits after it may use up.
    spendable_bytes: u64,
}

impl Prober {
    /// At the end of an append that is about to add `batch_bytes` and so many keys.
    pub(super) fn before_commit(
        &mut self,
        transaction: &WriteTransaction,
        batch_bytes: u64,
        keys: u64,
        storage: &StorageFile,
        path: &Path,
    ) -> Result<()> {
        let commit_bytes = COMMIT_BYTES + 2 * batch_bytes;
        // Its own pages were taken from there, and are not written yet.
        let has_room = storage.unused_bytes() > commit_bytes + keys * KEY_BYTES + ROOM_BYTES;
        let written = storage.written_bytes();
        let is_spent = self.written_at_probe.is_none_or(|at_probe| {
            written.saturating_sub(at_probe).saturating_add(commit_bytes) > self.spendable_bytes
        });
        if has_room || !is_spent || planted("skip_reserve") {
            return Ok(());
        }
        let is_large = batch_bytes < LARGE_APPEND_BYTES;
        let bytes = if is_large { LARGE_PROBE_BYTES } else { SMALL_PROBE_BYTES };
        let mut table = transaction.open_table(tables::PROBE).at(path)?;
        drop(table.insert_reserve(0, bytes as usize - PAGE_HEADER_BYTES).at(path)?);
        table.remove(0).at(path)?;
        self.spendable_bytes = bytes - NEEDED_BYTES;
        // The entries of this batch have their pages already.
        self.written_at_probe = Some(written.saturating_add(batch_bytes));
        Ok(())
    }
}
