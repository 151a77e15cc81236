//! The one byte of redb's header that says which of its two commit slots counts.
//!
//! With two-phase commits redb takes that byte at its word: a single flipped bit there hands out
//! the commit before the newest one, whole and without an error. So once an unclean file was found
//! sound as it is, the slots' own numbers are compared, and where the other one is newer, redb is
//! made to choose as it does after a one-phase commit: the newest slot whose every page holds its
//! checksum. That is the newest acknowledged commit, or one that was about to be. A file that is
//! not sound as it is stays refused: there, the older slot would pass for the newest.

use std::path::Path;

use redb::StorageBackend;

use super::storage_file::StorageFile;
use crate::error::{EventStoreError, Result};
use crate::planted::planted;

const FLAGS_OFFSET: u64 = 9;
const PRIMARY: u8 = 1;
const RECOVERY_REQUIRED: u8 = 2;
const TWO_PHASE: u8 = 4;
const SLOT_OFFSETS: [u64; 2] = [64, 192];
/// Where a slot keeps the number of its transaction, little-endian.
const TRANSACTION_OFFSET: u64 = 104;
const HEADER_BYTES: u64 = 320;

/// Lets redb choose the newest sound commit where the header's byte names another; answers whether
/// it does. The change reaches the disk with redb's own first write, or stays in memory. Only for
/// a file that was checked as it is.
///
/// # Errors
/// `Backend`.
pub(super) fn prefer_newest(storage: &StorageFile, path: &Path) -> Result<bool> {
    let failed = |error| EventStoreError::from_io("reading the header", Some(path), error);
    if storage.len().map_err(failed)? < HEADER_BYTES || planted("trust_the_primary_bit") {
        return Ok(false);
    }
    let mut flags = [0];
    storage.read(FLAGS_OFFSET, &mut flags).map_err(failed)?;
    let mut transactions = [0; 2];
    for (transaction, slot) in transactions.iter_mut().zip(SLOT_OFFSETS) {
        let mut bytes = [0; 8];
        storage.read(slot + TRANSACTION_OFFSET, &mut bytes).map_err(failed)?;
        *transaction = u64::from_le_bytes(bytes);
    }
    let primary = usize::from(flags[0] & PRIMARY);
    let is_unclean = flags[0] & (RECOVERY_REQUIRED | TWO_PHASE) == RECOVERY_REQUIRED | TWO_PHASE;
    let names_older = is_unclean && transactions[1 - primary] > transactions[primary];
    if names_older {
        storage.write(FLAGS_OFFSET, &[flags[0] & !TWO_PHASE]).map_err(failed)?;
    }
    Ok(names_older)
}

/// One of the two commits that a header holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// The one that the header's byte names.
    Named,
    /// The other.
    Other,
}

/// Makes a copy-on-write file look closed in order after the commit of this slot, so that a
/// reader trusts it.
///
/// # Errors
/// `Backend`.
pub(super) fn forgive_crash(storage: &StorageFile, slot: Slot, path: &Path) -> Result<()> {
    let failed = |error| EventStoreError::from_io("reading the header", Some(path), error);
    if storage.len().map_err(failed)? < HEADER_BYTES {
        return Ok(());
    }
    let mut flags = [0];
    storage.read(FLAGS_OFFSET, &mut flags).map_err(failed)?;
    let other = if slot == Slot::Other { PRIMARY } else { 0 };
    storage.write(FLAGS_OFFSET, &[(flags[0] & !RECOVERY_REQUIRED) ^ other]).map_err(failed)
}
