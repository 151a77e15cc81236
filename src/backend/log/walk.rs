//! Reads a segment group by group, checks all of it, and makes its table and keys.
//!
//! A group counts when its header and body hold their checksums and it joins the one before it;
//! the walk ends at the first that does not. What that end means (the tail of a killed run, or
//! damage) is for the caller: `tail`. Entries are not decoded, only their records taken apart.

use std::path::Path;

use super::format::{
    self, GROUP_HEADER_BYTES, GroupHeader, GroupKind, RECORD_HEADER_BYTES, Record, RecordHeader,
    SEGMENT_HEADER_BYTES, checksum, find_magic, segment_header,
};
use super::keys::Keys;
use super::table::{Chain, Mark, Table};
use crate::backend::disk::Disk;
use crate::error::{EventStoreError, Result};
use crate::planted::planted;

/// How a walk ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// With the file, or with the last group that was asked for.
    OfFile,
    /// Before bytes that are no next group, for this reason.
    Broken(String),
}

/// What a segment holds.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) table: Table,
    pub(super) keys: Keys,
    pub(super) end: End,
    /// How many marks its first group set.
    pub(super) first_marks: usize,
}

/// One segment, to be walked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'d> {
    pub(super) disk: &'d dyn Disk,
    pub(super) path: &'d Path,
    pub(super) number: u64,
    pub(super) incarnation: u64,
}

/// Walks a segment that joins `chain`.
///
/// # Errors
/// Those of reading; damage is in the answer.
pub(super) fn walk(place: Place<'_>, chain: &Chain) -> Result<Walked> {
    let mut walk = Walk::new(place, chain)?;
    let end = walk.walk_on()?;
    Ok(walk.ended(end))
}

/// Walks on behind what a table tells of, up to the group of this number. Nothing behind that
/// group is looked at: a writer may be at work there. The answer has what was added; of the marks
/// before, the last.
///
/// # Errors
/// Those of reading; damage is in the answer.
pub(super) fn walk_on(place: Place<'_>, tip: Table, last_group: u64) -> Result<Walked> {
    let mut walk = Walk::new(place, &tip.chain)?;
    (walk.table, walk.last_group) = (tip, last_group);
    let end = walk.walk_on()?;
    Ok(walk.ended(end))
}

/// Walks a segment and goes on behind whatever is damaged, as far as groups can be recognised.
///
/// # Errors
/// Those of reading.
pub(super) fn walk_damaged(place: Place<'_>, chain: &Chain) -> Result<Walked> {
    let mut walk = Walk::new(place, chain)?;
    walk.is_tolerant = true;
    let mut end = walk.walk_on()?;
    while let End::Broken(_) = end {
        let Some(offset) = next_header(place, walk.table.end + 1, walk.table.chain.group + 1)?
        else {
            break;
        };
        walk.table.end = offset;
        walk.rejoins = true;
        end = walk.walk_on()?;
    }
    Ok(walk.ended(end))
}

/// Where, from an offset on, the header of a group of this number or a later one stands.
///
/// # Errors
/// Those of reading.
pub(super) fn next_header(place: Place<'_>, from: u64, number: u64) -> Result<Option<u64>> {
    const CHUNK_BYTES: usize = 1 << 20;
    let len = place.disk.len().map_err(reading(place.path))?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = from.max(SEGMENT_HEADER_BYTES);
    while at + GROUP_HEADER_BYTES as u64 <= len {
        let count = (len - at).min(CHUNK_BYTES as u64) as usize;
        let bytes = &mut chunk[..count];
        place.disk.read(at, bytes).map_err(reading(place.path))?;
        let mut start = 0;
        while let Some(found) = find_magic(&bytes[start..]) {
            start += found;
            let Some(head) = bytes.get(start..start + GROUP_HEADER_BYTES) else { break };
            let is_later = |(header, _): (GroupHeader, u32)| {
                header.incarnation == place.incarnation && header.number >= number
            };
            if GroupHeader::decode(head).is_some_and(is_later) {
                return Ok(Some(at + start as u64));
            }
            start += 1;
        }
        if count < CHUNK_BYTES {
            break;
        }
        // A header may lie across the end of a chunk.
        at += (count - GROUP_HEADER_BYTES) as u64;
    }
    Ok(None)
}

struct Walk<'d> {
    place: Place<'d>,
    len: u64,
    table: Table,
    keys: Keys,
    first_marks: Option<usize>,
    body: Vec<u8>,
    is_tolerant: bool,
    /// The next group need not join the one before it.
    rejoins: bool,
    /// The walk ends behind the group of this number.
    last_group: u64,
}

fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> EventStoreError + use<> {
    let path = path.to_path_buf();
    move |error| EventStoreError::from_io("reading a segment", Some(&path), error)
}

impl<'d> Walk<'d> {
    fn new(place: Place<'d>, chain: &Chain) -> Result<Self> {
        Ok(Self {
            place,
            len: place.disk.len().map_err(reading(place.path))?,
            table: Table::new(chain, SEGMENT_HEADER_BYTES),
            keys: Keys::new(),
            first_marks: None,
            body: Vec::new(),
            is_tolerant: false,
            rejoins: false,
            last_group: u64::MAX,
        })
    }

    fn ended(self, end: End) -> Walked {
        let first_marks = self.first_marks.unwrap_or(0);
        Walked { table: self.table, keys: self.keys, end, first_marks }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.place.disk.read(offset, out).map_err(reading(self.place.path))
    }

    fn walk_on(&mut self) -> Result<End> {
        if self.table.end == SEGMENT_HEADER_BYTES
            && let Some(reason) = self.header_fault()?
            && !self.is_tolerant
        {
            return Ok(End::Broken(reason));
        }
        loop {
            let is_last = self.table.chain.group >= self.last_group;
            if is_last || self.table.end >= self.len {
                return Ok(End::OfFile);
            }
            if let Some(reason) = self.group()? {
                return Ok(End::Broken(reason));
            }
        }
    }

    fn header_fault(&self) -> Result<Option<String>> {
        let mut found = [0; SEGMENT_HEADER_BYTES as usize];
        if self.len < SEGMENT_HEADER_BYTES {
            return Ok(Some(format!("it has {} bytes, not even a header", self.len)));
        }
        self.read(0, &mut found)?;
        let expected = segment_header(self.place.number, self.place.incarnation);
        Ok((found != expected).then(|| "its header is not that of this segment".to_owned()))
    }

    /// Takes the next group; a text says why there is none.
    fn group(&mut self) -> Result<Option<String>> {
        let at = self.table.end;
        let remaining = self.len - at;
        if remaining < GROUP_HEADER_BYTES as u64 {
            return Ok(Some(format!("{remaining} bytes follow byte {at}, no group fits")));
        }
        let mut head = [0; GROUP_HEADER_BYTES];
        match self.place.disk.read(at, &mut head) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Ok(Some(format!("it was cut before byte {at} since its length was read")));
            }
            read => read.map_err(reading(self.place.path))?,
        }
        let Some((header, link)) = GroupHeader::decode(&head) else {
            return Ok(Some(format!("no group header stands at byte {at}")));
        };
        if let Some(reason) = self.joint_fault(&header) {
            return Ok(Some(format!("the group at byte {at} {reason}")));
        }
        if header.body_bytes > remaining - GROUP_HEADER_BYTES as u64 {
            return Ok(Some(format!("the group at byte {at} does not fit the file")));
        }
        let mut body = std::mem::take(&mut self.body);
        body.resize(header.body_bytes as usize, 0);
        self.read(at + GROUP_HEADER_BYTES as u64, &mut body)?;
        let found = checksum(&body);
        let is_sound = found == header.body_checksum || planted("log_skip_group_checksum");
        let fault = if !is_sound && !self.is_tolerant {
            let expected = header.body_checksum;
            Some(format!(
                "the group at byte {at} fails its checksum (stored {expected:08x}, computed \
                 {found:08x})"
            ))
        } else {
            self.take(&header, &body).map(|reason| format!("the group at byte {at} {reason}"))
        };
        self.body = body;
        if fault.is_some() && !self.is_tolerant {
            return Ok(fault);
        }
        let chain = &mut self.table.chain;
        (chain.group, chain.link) = (header.number, link);
        chain.next_seq = header.next_seq();
        chain.ts_init_max = header.ts_init_max;
        self.rejoins = false;
        self.first_marks.get_or_insert(self.table.marks.len());
        self.table.end = at + GROUP_HEADER_BYTES as u64 + header.body_bytes;
        Ok(None)
    }

    fn joint_fault(&self, header: &GroupHeader) -> Option<String> {
        let chain = &self.table.chain;
        if header.incarnation != self.place.incarnation {
            return Some("is another segment's".into());
        }
        if self.rejoins || planted("log_skip_chain") {
            return (header.first_seq < chain.next_seq).then(|| "repeats entries".into());
        }
        if header.number != chain.group + 1 {
            return Some(format!("is number {}, expected {}", header.number, chain.group + 1));
        }
        if header.previous != chain.link {
            return Some("does not join the group before it".into());
        }
        if header.first_seq != chain.next_seq {
            let (found, expected) = (header.first_seq, chain.next_seq);
            return Some(format!("starts at entry {found}, expected {expected}"));
        }
        None
    }

    /// Takes a body apart.
    fn take(&mut self, header: &GroupHeader, body: &[u8]) -> Option<String> {
        if header.kind == GroupKind::Anchor {
            self.table.chain.anchor = Some(body.to_vec());
            return (header.count != 0).then(|| "is an anchor and counts entries".into());
        }
        let base = self.table.end + GROUP_HEADER_BYTES as u64;
        let (mut at, mut ts_init_max) = (0, self.table.chain.ts_init_max);
        for index in 0..header.count {
            let seq = header.first_seq.checked_add(u64::from(index))?;
            let Some(head) = body.get(at..).and_then(|rest| rest.first_chunk()) else {
                return Some(format!("has no room for entry {seq}"));
            };
            let end = at + RecordHeader::decode(head).record_bytes();
            let Some(bytes) = body.get(at..end) else {
                return Some(format!("has no room for entry {seq}"));
            };
            if index == 0 && self.is_tolerant {
                // So that damage in one group never hides the next.
                self.table.marks.push(Mark { seq, offset: base, left: header.count, ts_init_max });
            }
            let mark =
                Mark { seq, offset: base + at as u64, left: header.count - index, ts_init_max };
            match Record::parse(bytes) {
                Ok(record) => {
                    if !self.is_tolerant {
                        self.table.add(mark);
                    }
                    self.keys.add(record.keys, seq);
                    ts_init_max = ts_init_max.max(record.ts_init().unwrap_or(0));
                }
                Err(_) if self.is_tolerant => {}
                Err(reason) => return Some(format!("has entry {seq}: {reason}")),
            }
            at = end;
        }
        (at != body.len()).then(|| "is longer than its entries".into())
    }
}

const _: () = assert!(RECORD_HEADER_BYTES == 16 && format::VERSION == 1);
