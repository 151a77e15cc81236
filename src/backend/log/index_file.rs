//! The index of a finished segment: its table and its keys, sorted, in a file of their own.
//!
//! Written once, named when it is whole, never changed; the same segment always gives the same
//! bytes. The table, the filter and the first key of each block are read at once, blocks of keys
//! one at a time, each with a checksum, and only when the filter does not deny the key. Whoever
//! finds it missing or damaged makes it again: `rebuild`.

use std::io;

use super::filter::{Filter, Sought};
use super::format::{self, checksum, u32_at, u64_at};
use super::heads::{BlockPlace, Heads, ordered};
use super::keys::Keys;
use super::open_files::OpenFile;
use super::table::{Chain, Mark, Table};
use crate::index::IndexKind;
use crate::planted::planted;

const MAGIC: [u8; 8] = *b"ESLOGIDX";
/// A block of keys ends with the first that reaches this length: short, since a lookup reads,
/// checks and walks through one.
const BLOCK_BYTES: usize = 1 << 10;
const MARK_BYTES: usize = 28;
const KEY_HEADER_BYTES: usize = 12;
/// Room for a key and its header, to begin with.
const USUAL_KEY_BYTES: usize = 32;

/// Where a block of keys stands, and how it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    first: (IndexKind, String),
    offset: u64,
    bytes: u32,
    checksum: u32,
}

/// An index that is read from its file.
#[derive(Debug)]
pub(super) struct IndexFile {
    file: OpenFile,
    pub(super) table: Table,
    filter: Filter,
    heads: Heads,
}

/// The keys of a segment as they stand in its index: what takes longest to make of it.
#[derive(Debug)]
pub(super) struct EncodedKeys {
    filter: Filter,
    blocks: Vec<Block>,
    bytes: Vec<u8>,
}

impl EncodedKeys {
    pub(super) fn of(keys: &Keys) -> Self {
        let mut encoded = Self {
            filter: Filter::with_room(keys.len()),
            blocks: Vec::new(),
            bytes: Vec::with_capacity(keys.len() * USUAL_KEY_BYTES),
        };
        let mut start: Option<(usize, (IndexKind, String))> = None;
        let mut is_forgotten = planted("log_filter_forgets");
        keys.visit(|kind, key, seq| {
            if !std::mem::take(&mut is_forgotten) {
                encoded.filter.add(kind, key);
            }
            let at = encoded.bytes.len();
            push_key(&mut encoded.bytes, kind, key, seq);
            let (offset, _) = start.get_or_insert_with(|| (at, (kind, key.to_owned())));
            if encoded.bytes.len() - *offset >= BLOCK_BYTES {
                encoded.finish_block(start.take());
            }
        });
        encoded.finish_block(start);
        encoded
    }

    /// Ends the block that started there, if one did.
    fn finish_block(&mut self, start: Option<(usize, (IndexKind, String))>) {
        let Some((offset, first)) = start else { return };
        let block = &self.bytes[offset..];
        let (bytes, checksum) = (block.len() as u32, checksum(block));
        self.blocks.push(Block { first, offset: offset as u64, bytes, checksum });
    }
}

/// The whole file of a segment's index.
pub(super) fn encode(number: u64, incarnation: u64, table: &Table, keys: &EncodedKeys) -> Vec<u8> {
    let mut body = Vec::new();
    let chain = &table.chain;
    for value in [
        number,
        incarnation,
        table.first_seq,
        table.ts_init_before,
        table.end,
        chain.group,
        u64::from(chain.link),
        chain.next_seq,
        chain.ts_init_max,
    ] {
        body.extend_from_slice(&value.to_le_bytes());
    }
    let anchor = chain.anchor.as_deref().unwrap_or_default();
    body.extend_from_slice(&(anchor.len() as u32).to_le_bytes());
    body.extend_from_slice(anchor);
    body.extend_from_slice(&(table.marks.len() as u32).to_le_bytes());
    for mark in &table.marks {
        body.extend_from_slice(&mark.seq.to_le_bytes());
        body.extend_from_slice(&mark.offset.to_le_bytes());
        body.extend_from_slice(&mark.left.to_le_bytes());
        body.extend_from_slice(&mark.ts_init_max.to_le_bytes());
    }
    keys.filter.encode(&mut body);
    body.extend_from_slice(&(keys.blocks.len() as u32).to_le_bytes());
    for block in &keys.blocks {
        body.extend_from_slice(&block.offset.to_le_bytes());
        body.extend_from_slice(&block.bytes.to_le_bytes());
        body.extend_from_slice(&block.checksum.to_le_bytes());
        push_key(&mut body, block.first.0, &block.first.1, 0);
    }
    let mut file = format::wrap(MAGIC, &body);
    file.extend_from_slice(&keys.bytes);
    file
}

fn push_key(out: &mut Vec<u8>, kind: IndexKind, key: &str, seq: u64) {
    out.extend_from_slice(&kind.code().to_le_bytes());
    out.extend_from_slice(&(key.len() as u16).to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(key.as_bytes());
}

/// A reader of what `encode` wrote; every `None` is damage.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4).map(|bytes| u32_at(bytes, 0))
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8).map(|bytes| u64_at(bytes, 0))
    }

    fn key(&mut self) -> Option<(IndexKind, &'a str, u64)> {
        let (code, key, seq) = self.raw_key()?;
        Some((IndexKind::from_code(code)?, std::str::from_utf8(key).ok()?, seq))
    }

    /// A key whose kind and text were not looked at.
    fn raw_key(&mut self) -> Option<(u16, &'a [u8], u64)> {
        let head = self.take(KEY_HEADER_BYTES)?;
        let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let key = self.take(length)?;
        Some((u16::from_le_bytes([head[0], head[1]]), key, u64_at(head, 4)))
    }
}

impl IndexFile {
    /// Reads the table of a segment's index. `None` when it is not whole, damaged or another
    /// segment's.
    pub(super) fn open(file: OpenFile, number: u64, incarnation: u64) -> io::Result<Option<Self>> {
        let len = file.len()?;
        let mut head = [0; 16];
        if len < head.len() as u64 {
            return Ok(None);
        }
        file.read(0, &mut head)?;
        let wrapped_bytes = u64::from(u32_at(&head, 12)) + format::WRAP_BYTES as u64;
        if wrapped_bytes > len {
            return Ok(None);
        }
        let mut wrapped = vec![0; wrapped_bytes as usize];
        file.read(0, &mut wrapped)?;
        let Ok(body) = format::unwrap(MAGIC, &wrapped) else { return Ok(None) };
        let Some((table, filter, heads)) = decode(body, number, incarnation, wrapped_bytes) else {
            return Ok(None);
        };
        let end = heads.last().map_or(wrapped_bytes, |last| last.offset + u64::from(last.bytes));
        Ok((end == len).then_some(Self { file, table, filter, heads }))
    }

    /// Whether the segment may have the key; `false` is certain. Reads nothing.
    fn may_have(&self, sought: &Sought<'_>) -> bool {
        self.filter.may_have(sought)
    }

    /// The first entry that has the key in this segment. `Err` when its block is damaged.
    fn lookup(&self, sought: &Sought<'_>) -> io::Result<Option<u64>> {
        if !self.may_have(sought) {
            return Ok(None);
        }
        let Some(at) = self.heads.block_of(&sought.ordered) else { return Ok(None) };
        let (kind, key) = (sought.kind.code(), sought.key.as_bytes());
        self.block(self.heads.place(at), |bytes| {
            let mut source = Source(bytes);
            while let Some((code, found, seq)) = source.raw_key() {
                if code == kind && found == key {
                    return Some(seq);
                }
            }
            None
        })
    }

    /// Up to about `count` keys of a kind after one, or from the start.
    fn keys_after(
        &self,
        kind: IndexKind,
        after: Option<&str>,
        count: usize,
    ) -> io::Result<Vec<(String, u64)>> {
        let start = self.heads.block_of(&ordered(kind, after.unwrap_or(""))).unwrap_or(0);
        let mut keys = Vec::new();
        for at in start..self.heads.len() {
            if keys.len() >= count || self.heads.is_after(at, kind) {
                break;
            }
            self.block(self.heads.place(at), |bytes| {
                let mut source = Source(bytes);
                while let Some((found_kind, key, seq)) = source.key() {
                    if found_kind == kind && after.is_none_or(|after| key > after) {
                        keys.push((key.to_owned(), seq));
                    }
                }
            })?;
        }
        Ok(keys)
    }

    /// Shows a block that holds its checksum.
    fn block<T>(&self, place: BlockPlace, look: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let (mut usual, mut longer) = ([0; 2 * BLOCK_BYTES], Vec::new());
        let bytes = match usual.get_mut(..place.bytes as usize) {
            Some(bytes) => bytes,
            None => {
                longer.resize(place.bytes as usize, 0);
                &mut longer[..]
            }
        };
        self.file.read(place.offset, bytes)?;
        if checksum(bytes) == place.checksum {
            return Ok(look(bytes));
        }
        let reason = format!("the keys at byte {} fail their checksum", place.offset);
        Err(io::Error::new(io::ErrorKind::InvalidData, reason))
    }
}

fn decode(
    body: &[u8],
    number: u64,
    incarnation: u64,
    keys_start: u64,
) -> Option<(Table, Filter, Heads)> {
    let mut source = Source(body);
    if (source.u64()?, source.u64()?) != (number, incarnation) {
        return None;
    }
    let (first_seq, ts_init_before, end) = (source.u64()?, source.u64()?, source.u64()?);
    let (group, link) = (source.u64()?, u32::try_from(source.u64()?).ok()?);
    let (next_seq, ts_init_max) = (source.u64()?, source.u64()?);
    (first_seq > 0 && next_seq >= first_seq).then_some(())?;
    let anchor_bytes = source.u32()? as usize;
    let anchor = source.take(anchor_bytes)?.to_vec();
    let anchor = (!anchor.is_empty()).then_some(anchor);
    let chain = Chain { group, link, next_seq, ts_init_max, anchor };
    let mark_count = source.u32()? as usize;
    let mut marks = Vec::with_capacity(mark_count.min(source.0.len() / MARK_BYTES));
    for _ in 0..mark_count {
        let (seq, offset, left) = (source.u64()?, source.u64()?, source.u32()?);
        marks.push(Mark { seq, offset, left, ts_init_max: source.u64()? });
    }
    let (filter, rest) = Filter::decode(source.0)?;
    source.0 = rest;
    let (mut heads, mut at) = (Heads::default(), keys_start);
    for _ in 0..source.u32()? {
        let (offset, bytes, checksum) = (source.u64()?, source.u32()?, source.u32()?);
        let (kind, key, _) = source.key()?;
        let place = BlockPlace { offset: offset.checked_add(keys_start)?, bytes, checksum };
        // Each joins the one before it.
        (place.offset == at).then_some(())?;
        at = at.checked_add(u64::from(bytes))?;
        heads.push(place, kind, key)?;
    }
    let table = Table { first_seq, ts_init_before, marks, end, chain };
    let is_whole = source.0.is_empty() && filter.is_empty() == (heads.len() == 0);
    is_whole.then_some((table, filter, heads.ready()))
}

/// What a segment knows of itself, wherever it is kept.
#[derive(Debug)]
pub(super) enum Index {
    /// In memory: the segment grows, or its file is missing or damaged.
    Memory { table: Table, keys: Keys },
    /// In its file.
    File(IndexFile),
}

impl Index {
    pub(super) fn table(&self) -> &Table {
        match self {
            Self::Memory { table, .. } => table,
            Self::File(file) => &file.table,
        }
    }

    /// Whether the segment may have the key; `false` is certain. Reads nothing.
    pub(super) fn may_have(&self, sought: &Sought<'_>) -> bool {
        match self {
            Self::Memory { .. } => true,
            Self::File(file) => file.may_have(sought),
        }
    }

    pub(super) fn lookup(&self, sought: &Sought<'_>) -> io::Result<Option<u64>> {
        match self {
            Self::Memory { keys, .. } => Ok(keys.get(sought.kind, sought.key)),
            Self::File(file) => file.lookup(sought),
        }
    }

    pub(super) fn keys_after(
        &self,
        kind: IndexKind,
        after: Option<&str>,
        count: usize,
    ) -> io::Result<Vec<(String, u64)>> {
        match self {
            Self::Memory { keys, .. } => Ok(keys.after(kind, after, count)),
            Self::File(file) => file.keys_after(kind, after, count),
        }
    }
}
