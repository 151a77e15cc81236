//! One commit as readers see it: a read transaction and its tables, shared by all of them.
//!
//! The writer publishes a snapshot after each commit and readers share it, because beginning a
//! read takes a mutex that redb holds while it grows the file. Tables are opened by the first
//! reader that needs them. Checks nothing but the presence of rows: `scan`, `reader`.

use std::path::Path;
use std::sync::OnceLock;

use redb::{
    Key, ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, TableError, Value,
};

use super::commit_row::CommitRow;
use super::fault::{At, corrupted, guarded, undecodable};
use super::tables;
use crate::codec;
use crate::digest::RunDigest;
use crate::error::{EventStoreError, Result};
use crate::index::{IndexKey, IndexKind};
use crate::manifest::RunManifest;
use crate::snapshot::SnapshotAnchor;

pub(super) type TextTable = ReadOnlyTable<&'static str, &'static [u8]>;
pub(super) type NumberTable = ReadOnlyTable<&'static str, u64>;
pub(super) type RowTable = ReadOnlyTable<u64, &'static [u8]>;

/// A table that may be absent, opened once.
type Opened<T> = OnceLock<Option<T>>;

/// See the module.
pub(super) struct Snapshot {
    high_watermark: u64,
    entries: Opened<RowTable>,
    commits: Opened<RowTable>,
    client_order_ids: Opened<NumberTable>,
    venue_order_ids: Opened<NumberTable>,
    transaction: ReadTransaction,
}

impl Snapshot {
    /// The commit that made `high_watermark` durable.
    pub(super) fn new(transaction: ReadTransaction, high_watermark: u64) -> Self {
        Self {
            high_watermark,
            entries: OnceLock::new(),
            commits: OnceLock::new(),
            client_order_ids: OnceLock::new(),
            venue_order_ids: OnceLock::new(),
            transaction,
        }
    }

    /// A commit found in a file: its high-watermark is the largest that any table knows of, so
    /// that a tail that is missing from one of them is a gap and not silence.
    ///
    /// # Errors
    /// What is not a run that this version reads.
    pub(super) fn examine(transaction: ReadTransaction, path: &Path) -> Result<Self> {
        let found = Self::new(transaction, 0);
        found.check_is_run(path)?;
        found.measured(path)
    }

    /// The same commit with its high-watermark, see [`Snapshot::examine`].
    pub(super) fn measured(self, path: &Path) -> Result<Self> {
        let high_watermark =
            self.sealed_at(path)?.max(self.last_entry(path)?).max(self.last_commit(path)?);
        Ok(Self { high_watermark, ..self })
    }

    /// The same for a file whose structure is unsound: what cannot be read does not count.
    pub(super) fn measured_as_far_as_readable(self, path: &Path) -> Self {
        let ends = [Self::sealed_at, Self::last_entry, Self::last_commit];
        let readable = |end: fn(&Self, &Path) -> Result<u64>| {
            guarded(path, &mut false, || end(&self, path)).unwrap_or(0)
        };
        let high_watermark = ends.into_iter().map(readable).max().unwrap_or(0);
        Self { high_watermark, ..self }
    }

    fn sealed_at(&self, path: &Path) -> Result<u64> {
        let manifest = self.manifest(path)?;
        Ok(if manifest.status.is_sealed() { manifest.high_watermark } else { 0 })
    }

    fn last_entry(&self, path: &Path) -> Result<u64> {
        last_key(self.entries(path)?, path)
    }

    fn last_commit(&self, path: &Path) -> Result<u64> {
        last_key(self.commits(path)?, path)
    }

    pub(super) fn high_watermark(&self) -> u64 {
        self.high_watermark
    }

    /// Refuses what is no run that this version reads, or has no manifest at all.
    pub(super) fn check_is_run(&self, path: &Path) -> Result<()> {
        self.check_format(path)?;
        self.text_row(tables::MANIFEST, tables::MANIFEST_KEY, path, |_| Ok(()))?
            .ok_or_else(|| corrupted(path, "has no manifest"))
    }

    fn check_format(&self, path: &Path) -> Result<()> {
        let Some(table) = self.open(tables::STORE_FORMAT, path)? else {
            return Err(corrupted(path, "has no table store_format: not a run, or damaged"));
        };
        let Some(found) = table.get(tables::CODEC_KEY).at(path)?.map(|row| row.value()) else {
            return Err(corrupted(path, "store_format names no codec: not a run, or damaged"));
        };
        if found != tables::CODEC_FORMAT {
            let path = path.to_path_buf();
            return Err(EventStoreError::UnsupportedFormat { found, path });
        }
        Ok(())
    }

    /// The manifest as stored.
    pub(super) fn manifest(&self, path: &Path) -> Result<RunManifest> {
        self.text_row(tables::MANIFEST, tables::MANIFEST_KEY, path, |frame| {
            codec::decode_manifest(frame).map_err(|error| undecodable(path, "manifest", error))
        })?
        .ok_or_else(|| corrupted(path, "has no manifest"))
    }

    /// The latest anchor.
    pub(super) fn anchor(&self, path: &Path) -> Result<Option<SnapshotAnchor>> {
        self.text_row(tables::ANCHOR, tables::ANCHOR_KEY, path, |frame| {
            codec::decode_anchor(frame).map_err(|error| undecodable(path, "anchor", error))
        })
    }

    /// The digest that the seal stored.
    pub(super) fn digest(&self, path: &Path) -> Result<Option<RunDigest>> {
        self.text_row(tables::META, tables::DIGEST_KEY, path, |stored| {
            RunDigest::from_stored(stored).ok_or_else(|| {
                corrupted(path, format!("the stored digest of {} bytes is malformed", stored.len()))
            })
        })
    }

    /// Whether a digest key was given when the run was opened.
    pub(super) fn is_keyed(&self, path: &Path) -> Result<bool> {
        let keyed = self.text_row(tables::META, tables::KEYED_KEY, path, |row| Ok(row == [1]))?;
        Ok(keyed.unwrap_or(false))
    }

    /// The first `seq` that was committed with this key.
    pub(super) fn lookup(&self, kind: IndexKind, key: &str, path: &Path) -> Result<Option<u64>> {
        match self.index(kind, path)? {
            Some(table) => Ok(table.get(key).at(path)?.map(|row| row.value())),
            None => Ok(None),
        }
    }

    /// The keys that an entry was committed with.
    pub(super) fn recorded_keys(&self, seq: u64, path: &Path) -> Result<Option<Vec<IndexKey>>> {
        if seq == 0 || seq > self.high_watermark {
            return Ok(None);
        }
        self.with_commit_row(seq, path, |row| match row.keys(seq) {
            Some(keys) => Ok(keys.to_vec()),
            None => Err(corrupted(path, format!("the key list of entry {seq} is damaged"))),
        })
    }

    /// Shows the commit row that covers `seq` to `look`; `None` when there is none.
    pub(super) fn with_commit_row<T>(
        &self,
        seq: u64,
        path: &Path,
        look: impl FnOnce(CommitRow<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some(table) = self.commits(path)? else { return Ok(None) };
        let Some(row) = table.range(seq..).at(path)?.next() else { return Ok(None) };
        let (key, value) = row.at(path)?;
        let row = parse_commit_row(key.value(), value.value(), path)?;
        if row.covers(seq) { look(row).map(Some) } else { Ok(None) }
    }

    pub(super) fn entries(&self, path: &Path) -> Result<Option<&RowTable>> {
        self.open_once(&self.entries, tables::ENTRIES, path)
    }

    pub(super) fn commits(&self, path: &Path) -> Result<Option<&RowTable>> {
        self.open_once(&self.commits, tables::COMMITS, path)
    }

    pub(super) fn index(&self, kind: IndexKind, path: &Path) -> Result<Option<&NumberTable>> {
        let opened = if kind == IndexKind::CLIENT_ORDER_ID {
            &self.client_order_ids
        } else {
            &self.venue_order_ids
        };
        self.open_once(opened, tables::index_table(kind), path)
    }

    fn text_row<T>(
        &self,
        definition: tables::Texts,
        key: &str,
        path: &Path,
        read: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<Option<T>> {
        let table: Option<TextTable> = self.open(definition, path)?;
        let Some(table) = table else { return Ok(None) };
        let Some(row) = table.get(key).at(path)? else { return Ok(None) };
        read(row.value()).map(Some)
    }

    fn open_once<'s, K: Key + 'static, V: Value + 'static>(
        &self,
        opened: &'s Opened<ReadOnlyTable<K, V>>,
        definition: TableDefinition<'_, K, V>,
        path: &Path,
    ) -> Result<Option<&'s ReadOnlyTable<K, V>>> {
        if opened.get().is_none() {
            let _ = opened.set(self.open(definition, path)?);
        }
        Ok(opened.get().and_then(Option::as_ref))
    }

    fn open<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
        path: &Path,
    ) -> Result<Option<ReadOnlyTable<K, V>>> {
        match self.transaction.open_table(definition) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error).at(path),
        }
    }
}

fn last_key(table: Option<&RowTable>, path: &Path) -> Result<u64> {
    match table {
        Some(table) => Ok(table.last().at(path)?.map_or(0, |(key, _)| key.value())),
        None => Ok(0),
    }
}

/// Reads a row of `es_commits`.
pub(super) fn parse_commit_row<'a>(
    last_seq: u64,
    bytes: &'a [u8],
    path: &Path,
) -> Result<CommitRow<'a>> {
    CommitRow::parse(last_seq, bytes).ok_or_else(|| {
        corrupted(path, format!("the commit row that ends at entry {last_seq} is malformed"))
    })
}
