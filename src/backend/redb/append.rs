//! The write transactions of a run: a batch, an anchor, the seal.
//!
//! Each is one redb transaction that is durable when its function returns. A refusal of the
//! disk is found in the storage file after the commit (redb never sees it, see `storage_file`):
//! nothing was published then, and nothing more is written.

use std::ops::Bound;
use std::path::Path;

use redb::{Database, ReadableTable, Table, WriteTransaction};

use super::commit_row;
use super::fault::At;
use super::reserve::{self, Prober};
use super::storage_file::StorageFile;
use super::tables;
use crate::codec;
use crate::digest::RunDigest;
use crate::entry::{AppendEntry, EntryView};
use crate::error::{EventStoreError, Result};
use crate::index::IndexKind;
use crate::manifest::RunManifest;
use crate::platform::signal::blocking_sigxfsz;
use crate::snapshot::SnapshotAnchor;

/// So many rows or more go through a gap between two rows of their table, where redb fills whole
/// pages at a time. Fewer are inserted one by one: the last page that a gap leaves behind has little
/// in it, and the next commit would leave another.
const GAP_ROWS_MIN: usize = 16;

/// Begins and ends the transactions of one file.
pub(super) struct Writer<'w> {
    pub(super) database: &'w Database,
    pub(super) storage: &'w StorageFile,
    pub(super) path: &'w Path,
    pub(super) two_phase: bool,
}

impl Writer<'_> {
    /// Runs `write` in a transaction, durable when this returns.
    pub(super) fn commit<T>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T>,
    ) -> Result<T> {
        blocking_sigxfsz(|| {
            self.check()?;
            let mut transaction = self.database.begin_write().at(self.path)?;
            transaction.set_two_phase_commit(self.two_phase);
            let written = write(&transaction)?;
            // A growth that was refused: the commit would only be thrown away.
            self.check()?;
            transaction.commit().at(self.path)?;
            self.check()?;
            Ok(written)
        })
    }

    fn check(&self) -> Result<()> {
        let failed =
            |error| EventStoreError::from_io("writing the run file", Some(self.path), error);
        self.storage.check().map_err(failed)
    }

    /// Appends a batch in one transaction.
    pub(super) fn append(
        &self,
        entries: &[AppendEntry<'_>],
        run_ts_init_max: Option<u64>,
        prober: &mut Prober,
    ) -> Result<()> {
        let _committing = self.storage.begin_commit();
        self.commit(|transaction| {
            let (mut batch_bytes, mut keys) = (0, 0);
            for item in entries {
                let bytes = codec::entry_frame_bytes(&item.entry) + item.keys.as_bytes().len();
                batch_bytes += bytes as u64;
                keys += item.keys.len() as u64;
            }
            let mut table = transaction.open_table(tables::ENTRIES).at(self.path)?;
            insert_entries(&mut table, entries, self.path)?;
            drop(table);
            self.index(transaction, entries)?;
            let mut commits = transaction.open_table(tables::COMMITS).at(self.path)?;
            for row in commit_row::encode(entries, run_ts_init_max) {
                commits.insert(row.last_seq, row.bytes.as_slice()).at(self.path)?;
            }
            drop(commits);
            prober.before_commit(transaction, batch_bytes, keys, self.storage, self.path)
        })
    }

    /// Adds the batch's keys that are new, in the order of the index.
    fn index(&self, transaction: &WriteTransaction, entries: &[AppendEntry<'_>]) -> Result<()> {
        let mut keys_by_kind = IndexKind::ALL.map(|kind| (kind, Vec::<(&str, u64)>::new()));
        for item in entries {
            for (kind, key) in item.keys.iter() {
                let of_kind = keys_by_kind.iter_mut().find(|(of, _)| *of == kind);
                of_kind.expect("one of ALL").1.push((key, item.entry.seq));
            }
        }
        for (kind, mut keys) in keys_by_kind {
            if keys.is_empty() {
                continue;
            }
            keys.sort_unstable();
            keys.dedup_by(|later, first| later.0 == first.0);
            let mut table = transaction.open_table(tables::index_table(kind)).at(self.path)?;
            insert_new(&mut table, &keys, self.path)?;
        }
        Ok(())
    }

    /// Stores the anchor.
    pub(super) fn anchor(&self, anchor: &SnapshotAnchor) -> Result<()> {
        let frame = codec::encode_anchor(anchor);
        self.commit(|transaction| {
            let mut table = transaction.open_table(tables::ANCHOR).at(self.path)?;
            table.insert(tables::ANCHOR_KEY, frame.as_slice()).at(self.path)?;
            Ok(())
        })
    }

    /// Writes the tables of a new run.
    pub(super) fn create(&self, manifest: &RunManifest, is_keyed: bool) -> Result<()> {
        let frame = codec::encode_manifest(manifest);
        self.commit(|transaction| {
            let mut format = transaction.open_table(tables::STORE_FORMAT).at(self.path)?;
            format.insert(tables::CODEC_KEY, tables::CODEC_FORMAT).at(self.path)?;
            let mut current = transaction.open_table(tables::MANIFEST).at(self.path)?;
            current.insert(tables::MANIFEST_KEY, frame.as_slice()).at(self.path)?;
            // Other readers of the format expect these three even in a run without entries.
            transaction.open_table(tables::ENTRIES).at(self.path)?;
            for kind in IndexKind::ALL {
                transaction.open_table(tables::index_table(kind)).at(self.path)?;
            }
            transaction.open_table(tables::COMMITS).at(self.path)?;
            let mut meta = transaction.open_table(tables::META).at(self.path)?;
            if is_keyed {
                meta.insert(tables::KEYED_KEY, [1].as_slice()).at(self.path)?;
            }
            drop(meta);
            reserve::take_ballast(transaction, frame.len(), self.path)
        })
    }

    /// Seals the run: manifest and digest in one transaction, after one that makes room for it.
    pub(super) fn seal(&self, sealed: &RunManifest, digest: Option<RunDigest>) -> Result<()> {
        let frame = codec::encode_manifest(sealed);
        // Two-phase whatever the run was written with: the seal is what later openings trust.
        let writer = Writer { two_phase: true, ..*self };
        writer.commit(|transaction| reserve::free_ballast(transaction, self.path))?;
        writer.commit(|transaction| {
            let mut current = transaction.open_table(tables::MANIFEST).at(self.path)?;
            current.insert(tables::MANIFEST_KEY, frame.as_slice()).at(self.path)?;
            if let Some(digest) = digest {
                let mut meta = transaction.open_table(tables::META).at(self.path)?;
                let stored = digest.to_stored();
                meta.insert(tables::DIGEST_KEY, stored.as_slice()).at(self.path)?;
            }
            Ok(())
        })
    }
}

/// Adds the entries behind the last.
fn insert_entries(
    table: &mut Table<'_, u64, &[u8]>,
    entries: &[AppendEntry<'_>],
    path: &Path,
) -> Result<()> {
    let mut frame = Vec::new();
    if entries.len() < GAP_ROWS_MIN {
        for AppendEntry { entry, .. } in entries {
            table.insert(entry.seq, framed(entry, &mut frame)).at(path)?;
        }
        return Ok(());
    }
    let mut end = table.upper_bound_mut(Bound::<u64>::Unbounded).at(path)?;
    for AppendEntry { entry, .. } in entries {
        end.insert_before(entry.seq, framed(entry, &mut frame)).at(path)?;
    }
    end.close().at(path)
}

fn framed<'f>(entry: &EntryView<'_>, frame: &'f mut Vec<u8>) -> &'f [u8] {
    frame.resize(codec::entry_frame_bytes(entry), 0);
    codec::write_entry(entry, frame);
    frame
}

/// Adds the keys that the table does not have; they are sorted, each once. What falls between two
/// keys of the table goes there by one search.
fn insert_new(table: &mut Table<'_, &str, u64>, keys: &[(&str, u64)], path: &Path) -> Result<()> {
    if keys.len() < GAP_ROWS_MIN {
        for (key, seq) in keys {
            if table.get(key).at(path)?.is_none() {
                table.insert(key, seq).at(path)?;
            }
        }
        return Ok(());
    }
    let mut left = keys;
    while let [(first, _), ..] = left {
        let mut gap = table.lower_bound_mut(Bound::Included(first)).at(path)?;
        let next = gap.peek_next().at(path)?.map(|(key, _)| key.value().to_owned());
        let fitting = match &next {
            None => left.len(),
            Some(next) => left.iter().take_while(|(key, _)| key < &next.as_str()).count(),
        };
        for (key, seq) in &left[..fitting] {
            gap.insert_before(key, seq).at(path)?;
        }
        gap.close().at(path)?;
        let known = left.get(fitting).is_some_and(|(key, _)| next.as_deref() == Some(key));
        left = &left[fitting + usize::from(known)..];
    }
    Ok(())
}
