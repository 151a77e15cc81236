//! Real space kept inside the run file, so that a run whose disk is full can still be sealed.
//!
//! Two parts. The **ballast** is a row of 1 MiB that is live while the run is written, so that
//! redb can neither use its pages nor trim them; the seal frees it in a commit of its own and
//! then writes into it. That commit needs a few free pages, as does the next one; the **probe**
//! sees to them: before pages written since the last probe could have used them up, an append
//! takes 512 KiB in one piece and gives it back in the same transaction, which makes the file grow
//! now if it would have to. Growth has real space (`storage_file`), and its failure fails the
//! append, not the seal.

use std::path::Path;

use redb::WriteTransaction;

use super::fault::At;
use super::tables::{self, RESERVE};
use crate::error::Result;
use crate::planted::planted;

/// What the seal of a run with an ordinary manifest finds free, in bytes.
const BALLAST_BYTES_MIN: usize = 1 << 20;
/// A manifest is copied when it is sealed: the ballast has room for it several times.
const BALLAST_MANIFESTS: usize = 4;
/// The ballast fills its page, whose size is a power of two, but for the page's own header.
const PAGE_HEADER_BYTES: usize = 64;
const PROBE_BYTES: usize = 512 << 10;
/// How much of the probed space the commits after it may use up before the next probe.
const SPENT_BYTES_MAX: u64 = 384 << 10;
/// Pages that a commit writes besides its entries: roots, branches, redb's own tables.
const COMMIT_BYTES: u64 = 64 << 10;

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

/// Gives the ballast back, in the transaction before the one that seals; whether there was one.
pub(super) fn free_ballast(transaction: &WriteTransaction, path: &Path) -> Result<bool> {
    let had_ballast = transaction.delete_table(RESERVE).at(path)?;
    Ok(transaction.delete_table(tables::PROBE).at(path)? | had_ballast)
}

/// Decides when the next probe is due.
#[derive(Debug, Default)]
pub(super) struct Prober {
    /// `None`: this process has not probed yet.
    written_at_probe: Option<u64>,
}

impl Prober {
    /// At the end of an append that is about to add `batch_bytes`, when `written` bytes have
    /// reached the file so far.
    pub(super) fn before_commit(
        &mut self,
        transaction: &WriteTransaction,
        batch_bytes: u64,
        written: u64,
        path: &Path,
    ) -> Result<()> {
        let commit_bytes = COMMIT_BYTES + 2 * batch_bytes;
        let is_spent = self.written_at_probe.is_none_or(|at_probe| {
            written.saturating_sub(at_probe).saturating_add(commit_bytes) > SPENT_BYTES_MAX
        });
        if !is_spent || planted("skip_reserve") {
            return Ok(());
        }
        let mut table = transaction.open_table(tables::PROBE).at(path)?;
        drop(table.insert_reserve(0, PROBE_BYTES - PAGE_HEADER_BYTES).at(path)?);
        table.remove(0).at(path)?;
        // The entries of this batch have their pages already.
        self.written_at_probe = Some(written.saturating_add(batch_bytes));
        Ok(())
    }
}
