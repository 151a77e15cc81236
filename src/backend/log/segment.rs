//! One segment as readers and the writer share it: its file, and its index in whatever form.
//!
//! The index of the growing segment is in memory and becomes a file when the segment is finished;
//! readers hold the segment and never notice. No lock here is held over I/O of the writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;

use super::filter::Sought;
use super::index_file::Index;
use super::keys::Keys;
use super::open_files::{OpenFile, OpenFiles};
use super::table::{Chain, Mark, Stretch, Table};
use crate::error::{EventStoreError, Result};
use crate::index::{IndexKind, KeyList};

/// The name of a segment's file.
pub(super) fn segment_name(number: u64) -> String {
    format!("{number:010}.seg")
}

/// The name of its index.
pub(super) fn index_name(number: u64) -> String {
    format!("{number:010}.idx")
}

/// The number of the segment whose file has this name.
pub(super) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    // A number that is parsed may have a sign.
    let is_number = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok()?;
    (is_number && number > 0).then_some(number)
}

/// See the module.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) file: OpenFile,
    pub(super) path: PathBuf,
    /// Of its table, which never changes them.
    first_seq: u64,
    ts_init_before: u64,
    /// Why the segment cannot be told of behind its end: it is damaged there.
    fault: Option<String>,
    index: RwLock<Arc<RwLock<Index>>>,
}

/// An entry that the writer has taken in.
pub(super) struct Added<'a> {
    pub(super) mark: Mark,
    pub(super) keys: KeyList<'a>,
}

impl Segment {
    pub(super) fn new(
        number: u64,
        files: &Arc<OpenFiles>,
        path: PathBuf,
        index: Index,
    ) -> Arc<Self> {
        Self::up_to_fault(number, files, path, index, None)
    }

    /// One whose index was made of what stands before a fault, if there is one.
    pub(super) fn up_to_fault(
        number: u64,
        files: &Arc<OpenFiles>,
        path: PathBuf,
        index: Index,
        fault: Option<String>,
    ) -> Arc<Self> {
        let file = files.file(segment_name(number));
        let Table { first_seq, ts_init_before, .. } = *index.table();
        let index = RwLock::new(Arc::new(RwLock::new(index)));
        Arc::new(Self { number, file, path, first_seq, ts_init_before, fault, index })
    }

    /// Sees to it that no entry and no key of the segment is missing from its index.
    ///
    /// # Errors
    /// `Corrupted` for one that is damaged.
    pub(super) fn check_whole(&self) -> Result<()> {
        let damage = |reason: &String| EventStoreError::corrupted(&self.path, reason.clone());
        self.fault.as_ref().map_or(Ok(()), |reason| Err(damage(reason)))
    }

    fn index<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        let index = self.index.read().clone();
        let guard = index.read();
        look(&guard)
    }

    /// Replaces the index by its other form.
    pub(super) fn set_index(&self, index: Index) {
        let former = std::mem::replace(&mut *self.index.write(), Arc::new(RwLock::new(index)));
        drop(former);
    }

    /// Takes note of entries that need not be durable yet: until they are, the run's
    /// high-watermark hides them.
    pub(super) fn add<'a>(&self, added: impl Iterator<Item = Added<'a>>) {
        self.grow(|table, keys| {
            for item in added {
                let seq = item.mark.seq;
                table.add(item.mark);
                keys.add(item.keys, seq);
            }
        });
    }

    /// Takes note of a group that is durable now.
    pub(super) fn reach(&self, chain: &Chain, end: u64) {
        self.grow(|table, _| {
            table.chain = chain.clone();
            table.end = end;
        });
    }

    fn grow(&self, change: impl FnOnce(&mut Table, &mut Keys)) {
        let index = self.index.read().clone();
        let mut guard = index.write();
        let Index::Memory { table, keys } = &mut *guard else {
            unreachable!("only the growing segment takes groups")
        };
        change(table, keys);
    }

    /// Where a walk goes on behind the last group: the table with the last of its marks alone.
    pub(super) fn tip(&self) -> Table {
        self.index(|index| {
            let table = index.table();
            let marks = table.marks.last().copied().into_iter().collect();
            Table { marks, chain: table.chain.clone(), ..*table }
        })
    }

    /// Takes note of what a walk from the tip has found.
    pub(super) fn extend(&self, found: Table, keys: Keys) {
        self.grow(|table, known| {
            let last = table.marks.last().map_or(0, |mark| mark.seq);
            table.marks.extend(found.marks.into_iter().filter(|mark| mark.seq > last));
            (table.chain, table.end) = (found.chain, found.end);
            known.extend(keys);
        });
    }

    /// The table and keys of a segment whose index is in memory.
    pub(super) fn in_memory<T>(&self, look: impl FnOnce(&Table, &Keys) -> T) -> Option<T> {
        self.index(|index| match index {
            Index::Memory { table, keys } => Some(look(table, keys)),
            Index::File(_) => None,
        })
    }

    pub(super) fn first_seq(&self) -> u64 {
        self.first_seq
    }

    pub(super) fn ts_init_before(&self) -> u64 {
        self.ts_init_before
    }

    /// Where the last durable group ends.
    pub(super) fn end(&self) -> u64 {
        self.index(|index| index.table().end)
    }

    /// The log after the last durable group.
    pub(super) fn chain(&self) -> Chain {
        self.index(|index| index.table().chain.clone())
    }

    pub(super) fn stretch_at(&self, seq: u64) -> Option<Stretch> {
        self.index(|index| index.table().stretch_at(seq))
    }

    pub(super) fn stretch_near(&self, seq: u64) -> Option<Stretch> {
        self.index(|index| index.table().stretch_near(seq))
    }

    pub(super) fn mark_before(&self, ts_init: u64) -> Option<Mark> {
        self.index(|index| index.table().mark_before(ts_init))
    }

    /// Whether the segment may have the key; `false` is certain. Reads nothing.
    pub(super) fn may_have(&self, sought: &Sought<'_>) -> bool {
        self.index.read().read().may_have(sought)
    }

    pub(super) fn lookup(&self, sought: &Sought<'_>) -> Result<Option<u64>> {
        let found = self.index(|index| index.lookup(sought));
        match found.map_err(|error| damaged(&self.path, error))? {
            None => self.check_whole().map(|()| None),
            found => Ok(found),
        }
    }

    pub(super) fn keys_after(
        &self,
        kind: IndexKind,
        after: Option<&str>,
        count: usize,
    ) -> Result<Vec<(String, u64)>> {
        self.check_whole()?;
        self.index(|index| index.keys_after(kind, after, count))
            .map_err(|error| damaged(&self.path, error))
    }
}

/// Bytes that fail their checksum or are not there are damage; anything else is the system's.
pub(super) fn damaged(path: &Path, error: std::io::Error) -> EventStoreError {
    match error.kind() {
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => {
            EventStoreError::corrupted(path, error.to_string())
        }
        _ => EventStoreError::from_io_within("reading", path, error),
    }
}
