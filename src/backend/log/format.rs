//! The bytes of segments, groups, records and small files; pure. The layout: [`super`], "Format".
//!
//! Decoding refuses what is not exactly as encoding makes it, and never allocates by a length it
//! read. Where the bytes lie and when they are flushed: `segment`, `writer`, `small_file`.

use crate::backend::disk::BootId;
use crate::codec;
use crate::entry::AppendEntry;
use crate::index::KeyList;

/// The version of every file's layout; another one is refused.
pub(super) const VERSION: u32 = 1;
pub(super) const SEGMENT_HEADER_BYTES: u64 = 64;
pub(super) const GROUP_HEADER_BYTES: usize = 64;
pub(super) const RECORD_HEADER_BYTES: usize = 16;
const SEGMENT_MAGIC: [u8; 8] = *b"ESLOGSEG";
const GROUP_MAGIC: [u8; 4] = *b"ESGR";
/// The shortest frame ends with `ts_init` and `ts_publish`.
const TIMES_BYTES: usize = 16;

/// The checksum of everything in the log.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// What the groups of a segment carry, so that they are told apart from
/// those of another run or segment.
pub(super) fn segment_incarnation(run_incarnation: u64, number: u64) -> u64 {
    run_incarnation.wrapping_add(number)
}

/// The first bytes of a segment.
pub(super) fn segment_header(number: u64, incarnation: u64) -> [u8; SEGMENT_HEADER_BYTES as usize] {
    let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
    bytes[..8].copy_from_slice(&SEGMENT_MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&number.to_le_bytes());
    bytes[24..32].copy_from_slice(&incarnation.to_le_bytes());
    let sum = checksum(&bytes[..60]);
    bytes[60..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// What a group holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupKind {
    /// Records, one an entry.
    Entries,
    /// The frame of a snapshot anchor.
    Anchor,
}

/// What stands before a group's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupHeader {
    pub(super) kind: GroupKind,
    /// Of the first entry, or of the one that comes after an anchor.
    pub(super) first_seq: u64,
    pub(super) count: u32,
    pub(super) body_checksum: u32,
    pub(super) body_bytes: u64,
    /// Of its segment.
    pub(super) incarnation: u64,
    /// From 1, over the whole run.
    pub(super) number: u64,
    /// The largest `ts_init` of the run up to the end of this group.
    pub(super) ts_init_max: u64,
    /// The checksum of the header before this one: the chain.
    pub(super) previous: u32,
}

impl GroupHeader {
    /// The header's bytes and its own checksum, which the next header names.
    pub(super) fn encode(&self) -> ([u8; GROUP_HEADER_BYTES], u32) {
        let mut bytes = [0; GROUP_HEADER_BYTES];
        bytes[..4].copy_from_slice(&GROUP_MAGIC);
        let kind: u32 = match self.kind {
            GroupKind::Entries => 1,
            GroupKind::Anchor => 2,
        };
        bytes[4..8].copy_from_slice(&kind.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.count.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.body_checksum.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.incarnation.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.number.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.ts_init_max.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.previous.to_le_bytes());
        let sum = checksum(&bytes[..60]);
        bytes[60..].copy_from_slice(&sum.to_le_bytes());
        (bytes, sum)
    }

    /// Of the entry that comes after the group.
    pub(super) fn next_seq(&self) -> u64 {
        self.first_seq.saturating_add(u64::from(self.count))
    }

    /// Reads a header; also answers its checksum. `None` for anything but a whole, sound one.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, u32)> {
        let bytes: &[u8; GROUP_HEADER_BYTES] = bytes.try_into().ok()?;
        let sum = u32_at(bytes, 60);
        if bytes[..4] != GROUP_MAGIC || checksum(&bytes[..60]) != sum {
            return None;
        }
        let kind = match u32_at(bytes, 4) {
            1 => GroupKind::Entries,
            2 => GroupKind::Anchor,
            _ => return None,
        };
        let header = Self {
            kind,
            first_seq: u64_at(bytes, 8),
            count: u32_at(bytes, 16),
            body_checksum: u32_at(bytes, 20),
            body_bytes: u64_at(bytes, 24),
            incarnation: u64_at(bytes, 32),
            number: u64_at(bytes, 40),
            ts_init_max: u64_at(bytes, 48),
            previous: u32_at(bytes, 56),
        };
        Some((header, sum))
    }
}

/// Finds the next bytes that may be a group header.
pub(super) fn find_magic(bytes: &[u8]) -> Option<usize> {
    bytes.windows(GROUP_MAGIC.len()).position(|window| window == GROUP_MAGIC)
}

/// What stands before an entry's frame and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) frame_bytes: u32,
    pub(super) key_count: u32,
    pub(super) key_bytes: u32,
    /// Of the three lengths and the keys; the frame has its hash.
    checksum: u32,
}

impl RecordHeader {
    /// How long the record is, header included.
    pub(super) fn record_bytes(&self) -> usize {
        RECORD_HEADER_BYTES + self.frame_bytes as usize + self.key_bytes as usize
    }

    /// Reads a header.
    pub(super) fn decode(bytes: &[u8; RECORD_HEADER_BYTES]) -> Self {
        Self {
            frame_bytes: u32_at(bytes, 0),
            key_count: u32_at(bytes, 4),
            key_bytes: u32_at(bytes, 8),
            checksum: u32_at(bytes, 12),
        }
    }

    fn sum(lengths: &[u8], keys: &[u8]) -> u32 {
        crc32c::crc32c_append(checksum(lengths), keys)
    }
}

/// Appends an entry's record.
pub(super) fn push_record(out: &mut Vec<u8>, item: &AppendEntry<'_>) {
    let frame_bytes = codec::entry_frame_bytes(&item.entry);
    let keys = item.keys.as_bytes();
    let start = out.len();
    out.extend_from_slice(&(frame_bytes as u32).to_le_bytes());
    out.extend_from_slice(&item.keys.len().to_le_bytes());
    out.extend_from_slice(&(keys.len() as u32).to_le_bytes());
    let sum = RecordHeader::sum(&out[start..], keys);
    out.extend_from_slice(&sum.to_le_bytes());
    let at = out.len();
    out.resize(at + frame_bytes, 0);
    codec::write_entry(&item.entry, &mut out[at..]);
    out.extend_from_slice(keys);
}

/// One entry's record, taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) frame: &'a [u8],
    pub(super) keys: KeyList<'a>,
}

impl<'a> Record<'a> {
    /// Reads a whole record. `Err` says what is wrong with it.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let (head, body) = bytes.split_first_chunk().ok_or("the record is cut short")?;
        let header = RecordHeader::decode(head);
        if header.record_bytes() != bytes.len() {
            return Err("the record has another length than it says");
        }
        let (frame, keys) = body.split_at(header.frame_bytes as usize);
        if RecordHeader::sum(&head[..12], keys) != header.checksum {
            return Err("the record's lengths and keys fail their checksum");
        }
        let keys =
            KeyList::parse(header.key_count, keys).ok_or("the record's keys do not parse")?;
        Ok(Self { frame, keys })
    }

    /// The `ts_init` of a frame, wherever its texts end.
    pub(super) fn ts_init(&self) -> Option<u64> {
        let at = self.frame.len().checked_sub(TIMES_BYTES)?;
        Some(u64_at(self.frame, at))
    }
}

/// The acknowledged end of the log: what stood before this point is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Watermark {
    /// The last group, 0 = none.
    pub(super) group: u64,
    /// The checksum of its header.
    pub(super) link: u32,
    /// Its last entry.
    pub(super) seq: u64,
}

/// A watermark as it is stored: with where its group stands, for whoever opens what was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marked {
    pub(super) watermark: Watermark,
    /// The segment that its group is in.
    pub(super) segment: u64,
    /// Of the group's header in it.
    pub(super) offset: u64,
    /// The start of the system that it was written in; zeros where that is not known, or where
    /// nothing is said of the place.
    pub(super) boot: BootId,
}

/// How long a watermark is in its file.
pub(super) const WATERMARK_BYTES: usize = 64;
/// Two places, in sectors of their own, written in turn: a torn one leaves the other.
const WATERMARK_STRIDE: u64 = 4096;
/// Where the two places start.
pub(super) const WATERMARK_OFFSETS: [u64; 2] = [0, WATERMARK_STRIDE];
/// How long the file of watermarks is.
pub(super) const WATERMARK_FILE_BYTES: u64 = 2 * WATERMARK_STRIDE;

impl Marked {
    /// Where it stands.
    pub(super) fn place(&self) -> u64 {
        self.watermark.group % 2 * WATERMARK_STRIDE
    }

    /// Its bytes; `incarnation` is the run's.
    pub(super) fn encode(&self, incarnation: u64) -> [u8; WATERMARK_BYTES] {
        let mut bytes = [0; WATERMARK_BYTES];
        bytes[..8].copy_from_slice(&incarnation.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.watermark.group.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.watermark.seq.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.segment.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.offset.to_le_bytes());
        bytes[40..56].copy_from_slice(&self.boot);
        bytes[56..60].copy_from_slice(&self.watermark.link.to_le_bytes());
        let sum = checksum(&bytes[..60]);
        bytes[60..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8], incarnation: u64) -> Option<Self> {
        let is_sound = u32_at(bytes, 60) == checksum(&bytes[..60]);
        (is_sound && u64_at(bytes, 0) == incarnation).then(|| Self {
            watermark: Watermark {
                group: u64_at(bytes, 8),
                seq: u64_at(bytes, 16),
                link: u32_at(bytes, 56),
            },
            segment: u64_at(bytes, 24),
            offset: u64_at(bytes, 32),
            boot: bytes[40..56].try_into().expect("sixteen bytes"),
        })
    }

    /// The higher of the two in the file; neither is a watermark that says nothing.
    pub(super) fn newest(file: &[u8], incarnation: u64) -> Self {
        let places = WATERMARK_OFFSETS.map(|offset| {
            let bytes = file.get(offset as usize..).and_then(|rest| rest.first_chunk());
            bytes.copied().unwrap_or([0; WATERMARK_BYTES])
        });
        Self::newest_of(&places, incarnation)
    }

    /// The same of its two places.
    pub(super) fn newest_of(places: &[[u8; WATERMARK_BYTES]; 2], incarnation: u64) -> Self {
        let both = places.iter().filter_map(|bytes| Self::decode(bytes, incarnation));
        both.max_by_key(|marked| marked.watermark.group).unwrap_or_default()
    }
}

/// Wraps a small file's body: magic, version, length, body, checksum.
pub(super) fn wrap(magic: [u8; 8], body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(WRAP_BYTES + body.len());
    bytes.extend_from_slice(&magic);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(body);
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// What a wrapper adds to a body, in bytes.
pub(super) const WRAP_BYTES: usize = 20;

/// Why a small file is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// It starts otherwise.
    Foreign,
    /// Another version of the layout.
    Version(u32),
    /// It is damaged.
    Damaged(&'static str),
}

/// The body of a small file.
pub(super) fn unwrap(magic: [u8; 8], bytes: &[u8]) -> Result<&[u8], Refused> {
    if bytes.get(..8) != Some(&magic[..]) {
        return Err(Refused::Foreign);
    }
    let Some((head, rest)) = bytes.split_at_checked(16) else {
        return Err(Refused::Damaged("it is cut short"));
    };
    let is_whole = rest.len() == u32_at(head, 12) as usize + 4;
    if !is_whole || checksum(&bytes[..bytes.len() - 4]) != u32_at(bytes, bytes.len() - 4) {
        return Err(Refused::Damaged("it fails its checksum"));
    }
    match u32_at(head, 8) {
        VERSION => Ok(&rest[..rest.len() - 4]),
        found => Err(Refused::Version(found)),
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: GroupHeader = GroupHeader {
        kind: GroupKind::Entries,
        first_seq: 7,
        count: 3,
        body_checksum: 0xDEAD_BEEF,
        body_bytes: 4711,
        incarnation: 99,
        number: 5,
        ts_init_max: u64::MAX,
        previous: 0x0102_0304,
    };

    const MARKED: Marked = Marked {
        watermark: Watermark { group: 4, link: 0x0506_0708, seq: 12 },
        segment: 2,
        offset: 192,
        boot: [0xB0; 16],
    };

    /// The layout that the module document gives, byte for byte.
    #[test]
    fn group_header_has_the_documented_layout() {
        let (bytes, sum) = HEADER.encode();
        assert_eq!(&bytes[..8], b"ESGR\x01\0\0\0");
        assert_eq!(bytes[8..16], 7_u64.to_le_bytes());
        assert_eq!(bytes[16..24], [3, 0, 0, 0, 0xEF, 0xBE, 0xAD, 0xDE]);
        assert_eq!(bytes[24..32], 4711_u64.to_le_bytes());
        assert_eq!(bytes[56..60], [4, 3, 2, 1]);
        assert_eq!(bytes[60..], sum.to_le_bytes());
        let mark = MARKED.encode(77);
        let numbers: Vec<u64> = (0..5).map(|index| u64_at(&mark, 8 * index)).collect();
        assert_eq!(numbers, [77, 4, 12, 2, 192]);
        assert_eq!(mark[40..60], [&[0xB0; 16][..], &[8, 7, 6, 5]].concat());
        assert_eq!(mark[60..], checksum(&mark[..60]).to_le_bytes());
        assert_eq!(Marked::decode(&mark, 77), Some(MARKED));
        // CRC-32C's published check value.
        assert_eq!(checksum(b"123456789"), 0xE306_9283);
    }

    /// One flipped bit anywhere is noticed, in a group header, a watermark, and a small file.
    #[test]
    fn every_flipped_bit_is_noticed() {
        let (group, sum) = HEADER.encode();
        assert_eq!(GroupHeader::decode(&group), Some((HEADER, sum)));
        let mark = MARKED.encode(77);
        let small = wrap(*b"ESLOGRUN", b"body");
        assert_eq!(unwrap(*b"ESLOGRUN", &small), Ok(&b"body"[..]));
        for bit in 0..8 * GROUP_HEADER_BYTES {
            let mut flipped = group;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(GroupHeader::decode(&flipped), None, "bit {bit}");
        }
        for bit in 0..8 * WATERMARK_BYTES {
            let mut flipped = mark;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Marked::decode(&flipped, 77), None, "bit {bit}");
        }
        for bit in 0..8 * small.len() {
            let mut flipped = small.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unwrap(*b"ESLOGRUN", &flipped).is_err(), "bit {bit}");
        }
    }

    /// A sound file of a later version is told from damage.
    #[test]
    fn later_version_is_refused_by_its_number() {
        let mut bytes = wrap(*b"ESLOGRUN", b"body");
        bytes[8] = 2;
        let end = bytes.len() - 4;
        let sum = checksum(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(unwrap(*b"ESLOGRUN", &bytes), Err(Refused::Version(2)));
    }

    /// Of two watermarks the higher counts, and a torn one leaves the other.
    #[test]
    fn torn_watermark_leaves_the_one_before() {
        let mut file = vec![0; WATERMARK_FILE_BYTES as usize];
        let put = |file: &mut Vec<u8>, mark: Marked| {
            let at = mark.place() as usize;
            file[at..at + WATERMARK_BYTES].copy_from_slice(&mark.encode(5));
        };
        assert_eq!(Marked::newest(&file, 5), Marked::default());
        let watermark = Watermark { group: 3, link: 1, seq: 8 };
        let (third, fourth) = (Marked { watermark, ..MARKED }, MARKED);
        put(&mut file, third);
        put(&mut file, fourth);
        assert_eq!(Marked::newest(&file, 5), fourth);
        assert_eq!(Marked::newest(&file, 6), Marked::default(), "another run's");
        file[fourth.place() as usize + 9] ^= 1;
        assert_eq!(Marked::newest(&file, 5), third);
    }
}
