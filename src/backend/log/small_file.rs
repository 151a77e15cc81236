//! The files of a run that are not the log itself: what it is, how it ended, how far it got.
//!
//! Each is whole or refused: a checksum covers all of it, and its length is exact. The seal is
//! written into space that was taken when the run was made, so that a full disk cannot refuse it,
//! and becomes the seal by its name. Who writes them when: `create`, `finish`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::format::{
    self, Marked, Refused, WATERMARK_BYTES, WATERMARK_FILE_BYTES, WATERMARK_OFFSETS, u32_at, u64_at,
};
use super::table::Chain;
use crate::backend::disk::{Disk, Folder, Purpose};
use crate::codec;
use crate::digest::RunDigest;
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::RunManifest;
use crate::planted::planted;

/// What the run is: written once, before the run has its name. Its lock is the run's.
pub(super) const MANIFEST: &str = "manifest";
/// How the run ended.
pub(super) const SEAL: &str = "seal";
/// Space for the seal.
pub(super) const SEAL_RESERVE: &str = "seal.reserve";
/// The watermarks; there until the run was sealed and closed in order.
pub(super) const OPEN: &str = "open";

const MANIFEST_MAGIC: [u8; 8] = *b"ESLOGRUN";
const SEAL_MAGIC: [u8; 8] = *b"ESLOGEND";
const DIGEST_BYTES: usize = 33;
/// Room in the seal's space for all but the manifest and the anchor.
const SEAL_SPARE_BYTES: u64 = 16 << 10;

/// What the manifest's file says.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) manifest: RunManifest,
    /// The run's digest is keyed.
    pub(super) is_keyed: bool,
    /// Drawn when the run was made.
    pub(super) incarnation: u64,
    /// The checksum of the file, which the first group names.
    pub(super) link: u32,
}

impl Start {
    /// The file's bytes.
    pub(super) fn encode(manifest: &RunManifest, is_keyed: bool, incarnation: u64) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&u64::from(is_keyed).to_le_bytes());
        body.extend_from_slice(&incarnation.to_le_bytes());
        body.extend_from_slice(&codec::encode_manifest(manifest));
        format::wrap(MANIFEST_MAGIC, &body)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// `Corrupted`, `UnsupportedFormat`.
    pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let body = body_of(MANIFEST_MAGIC, bytes, path)?;
        let damaged = |reason: &str| EventStoreError::corrupted(path, reason.to_owned());
        let (head, frame) = body.split_at_checked(16).ok_or_else(|| damaged("it is too short"))?;
        let is_keyed = match u64_at(head, 0) {
            0 => false,
            1 => true,
            _ => return Err(damaged("it has flags that this version does not know")),
        };
        let manifest = codec::decode_manifest(frame).map_err(|error| undecodable(path, error))?;
        let link = u32_at(bytes, bytes.len() - 4);
        Ok(Self { manifest, is_keyed, incarnation: u64_at(head, 8), link })
    }
}

/// What the seal says.
#[derive(Debug, Clone)]
pub(super) struct Seal {
    pub(super) manifest: RunManifest,
    pub(super) digest: Option<RunDigest>,
    /// The segment that the log ends in.
    pub(super) last_segment: u64,
    /// Where in it.
    pub(super) end: u64,
    pub(super) chain: Chain,
}

impl Seal {
    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let chain = &self.chain;
        for value in [
            self.last_segment,
            self.end,
            chain.group,
            u64::from(chain.link),
            chain.next_seq,
            chain.ts_init_max,
        ] {
            body.extend_from_slice(&value.to_le_bytes());
        }
        body.push(u8::from(self.digest.is_some()));
        body.extend_from_slice(&self.digest.map_or([0; DIGEST_BYTES], |digest| digest.to_stored()));
        let anchor = chain.anchor.as_deref().unwrap_or_default();
        body.extend_from_slice(&(anchor.len() as u32).to_le_bytes());
        body.extend_from_slice(anchor);
        body.extend_from_slice(&codec::encode_manifest(&self.manifest));
        format::wrap(SEAL_MAGIC, &body)
    }

    fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let body = body_of(SEAL_MAGIC, bytes, path)?;
        let [numbers, digest, anchor, frame] =
            split_seal(body).ok_or_else(|| EventStoreError::corrupted(path, "it is too short"))?;
        let digest = match digest[0] {
            0 => None,
            _ => Some(RunDigest::from_stored(&digest[1..]).ok_or_else(|| {
                EventStoreError::corrupted(path, "the digest is neither plain nor keyed")
            })?),
        };
        let manifest = codec::decode_manifest(frame).map_err(|error| undecodable(path, error))?;
        let number = |index: usize| u64_at(numbers, 8 * index);
        if number(4) == 0 {
            return Err(EventStoreError::corrupted(path, "the entry behind its last has number 0"));
        }
        let chain = Chain {
            group: number(2),
            link: number(3) as u32,
            next_seq: number(4),
            ts_init_max: number(5),
            anchor: (!anchor.is_empty()).then(|| anchor.to_vec()),
        };
        Ok(Self { manifest, digest, last_segment: number(0), end: number(1), chain })
    }
}

/// The numbers, the digest with its flag, the anchor, and the manifest.
fn split_seal(body: &[u8]) -> Option<[&[u8]; 4]> {
    let (numbers, rest) = body.split_at_checked(48)?;
    let (digest, rest) = rest.split_at_checked(1 + DIGEST_BYTES)?;
    let (length, rest) = rest.split_at_checked(4)?;
    let (anchor, frame) = rest.split_at_checked(u32_at(length, 0) as usize)?;
    Some([numbers, digest, anchor, frame])
}

fn undecodable(path: &Path, error: codec::CodecError) -> EventStoreError {
    let fault = Fault::new(format!("manifest: {error}")).at(path).because(error);
    EventStoreError::Corrupted(Box::new(fault))
}

fn body_of<'b>(magic: [u8; 8], bytes: &'b [u8], path: &Path) -> Result<&'b [u8]> {
    format::unwrap(magic, bytes).map_err(|refused| match refused {
        Refused::Version(found) => {
            EventStoreError::UnsupportedFormat { found, path: path.to_path_buf() }
        }
        Refused::Damaged(reason) => EventStoreError::corrupted(path, reason),
        Refused::Foreign => {
            let found = bytes[..bytes.len().min(8)].escape_ascii();
            let what = match bytes.len() {
                0 => "is empty".to_owned(),
                _ => format!("starts with \"{found}\", expected \"{}\"", magic.escape_ascii()),
            };
            EventStoreError::foreign(path, format!("{what}, not a run; move it aside"))
        }
    })
}

/// The whole content of a small file.
///
/// # Errors
/// Those of reading; `Corrupted` for one that is far too long.
pub(super) fn read_all(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>> {
    const BYTES_MAX: u64 = 64 << 20;
    let failed = |error| EventStoreError::from_io("reading", Some(path), error);
    let len = disk.len().map_err(failed)?;
    if len > BYTES_MAX {
        return Err(EventStoreError::foreign(path, format!("it has {len} bytes")));
    }
    let mut bytes = vec![0; len as usize];
    disk.read(0, &mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The seal, if there is one.
///
/// # Errors
/// `Corrupted`, `UnsupportedFormat`, `Backend`.
pub(super) fn read_seal(folder: &dyn Folder) -> Result<Option<Seal>> {
    let path = folder.path(SEAL);
    match folder.open(SEAL, Purpose::Read) {
        Ok(disk) => Seal::decode(&read_all(&*disk, &path)?, &path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EventStoreError::from_io("opening the seal", Some(&path), error)),
    }
}

/// The highest watermark of a run without a seal. Its file had its name and length before the run
/// had its own, and keeps them until the seal is durable: without them it cannot be told what of
/// the run was acknowledged.
///
/// # Errors
/// Those of reading; `Corrupted`.
pub(super) fn read_watermark(folder: &dyn Folder, incarnation: u64) -> Result<Marked> {
    let path = folder.path(OPEN);
    let disk = folder.open(OPEN, Purpose::Read).map_err(|error| no_watermarks(&path, error))?;
    let bytes = read_all(&*disk, &path)?;
    if bytes.len() as u64 != WATERMARK_FILE_BYTES && !planted("log_any_watermarks") {
        let text = format!("it has {} bytes instead of {WATERMARK_FILE_BYTES}", bytes.len());
        return Err(EventStoreError::corrupted(&path, text));
    }
    Ok(Marked::newest(&bytes, incarnation))
}

/// What opening the watermarks of a run without a seal answers.
pub(super) fn no_watermarks(path: &Path, error: io::Error) -> EventStoreError {
    match error.kind() {
        io::ErrorKind::NotFound => {
            EventStoreError::corrupted(path, "the watermarks are gone and there is no seal")
        }
        _ => EventStoreError::from_io("opening the watermarks", Some(path), error),
    }
}

/// The highest watermark of a run that is being written: its two places alone are read, and one
/// that is being overwritten meanwhile fails its checksum and leaves the other.
///
/// # Errors
/// Those of reading.
pub(super) fn read_open_watermark(disk: &dyn Disk, incarnation: u64) -> io::Result<Marked> {
    newest_read(incarnation, |offset, place| disk.read(offset, place))
}

/// A commit between the two reads can leave both of them torn, so what says nothing is read again.
/// It stays so where there was no group yet, or where a power cut lost both.
fn newest_read(
    incarnation: u64,
    mut read: impl FnMut(u64, &mut [u8]) -> io::Result<()>,
) -> io::Result<Marked> {
    const ATTEMPTS: usize = 8;
    let mut newest = Marked::default();
    for _ in 0..ATTEMPTS {
        let mut places = [[0; WATERMARK_BYTES]; 2];
        for (place, offset) in places.iter_mut().zip(WATERMARK_OFFSETS) {
            read(offset, place)?;
        }
        newest = Marked::newest_of(&places, incarnation);
        let is_unwritten = places.as_flattened().iter().all(|byte| *byte == 0);
        if newest != Marked::default() || is_unwritten || planted("log_read_marks_once") {
            break;
        }
    }
    Ok(newest)
}

/// Makes a file with this content, flushed; its name is not.
pub(super) fn write_new(
    folder: &dyn Folder,
    name: &str,
    bytes: &[u8],
) -> io::Result<Arc<dyn Disk>> {
    let disk = folder.create(name)?;
    disk.extend(0, bytes.len() as u64)?;
    disk.write(0, &[bytes])?;
    if !planted("skip_sync") {
        disk.sync_data()?;
    }
    Ok(disk)
}

/// Takes the space for the watermarks and the seal.
pub(super) fn write_reserves(
    folder: &dyn Folder,
    manifest_bytes: u64,
) -> io::Result<Arc<dyn Disk>> {
    let anchor_bytes = 3 * crate::limits::ANCHOR_TEXT_BYTES_MAX as u64;
    let seal_bytes = SEAL_SPARE_BYTES + anchor_bytes + 2 * manifest_bytes;
    if !planted("skip_reserve") {
        write_new(folder, SEAL_RESERVE, &vec![0; seal_bytes as usize])?;
    }
    write_new(folder, OPEN, &vec![0; WATERMARK_FILE_BYTES as usize])
}

/// Writes the seal, durable under its name when this returns.
pub(super) fn write_seal(folder: &dyn Folder, seal: &Seal) -> io::Result<()> {
    let bytes = seal.encode();
    let disk = match folder.open(SEAL_RESERVE, Purpose::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => folder.create(SEAL_RESERVE)?,
        opened => opened?,
    };
    let len = disk.len()?;
    if len < bytes.len() as u64 {
        disk.extend(len, bytes.len() as u64)?;
    }
    disk.write(0, &[&bytes])?;
    disk.truncate(bytes.len() as u64)?;
    if !planted("skip_sync") {
        disk.sync_data()?;
    }
    folder.rename_new(SEAL_RESERVE, SEAL)?;
    folder.sync()
}

#[cfg(test)]
mod tests {
    use super::super::format::Watermark;
    use super::*;

    /// A reader that a commit overtakes finds the place torn that it is at, twice in a row.
    #[test]
    fn watermark_torn_in_both_places_is_read_again() {
        let watermark = Watermark { group: 9, link: 7, seq: 90 };
        let marked = Marked { watermark, ..Marked::default() };
        let mut torn_reads = 2;
        let read = |offset, place: &mut [u8]| {
            if offset == marked.place() || torn_reads > 0 {
                place.copy_from_slice(&marked.encode(3));
            }
            if torn_reads > 0 {
                place[20] ^= 1;
                torn_reads -= 1;
            }
            Ok(())
        };
        assert_eq!(newest_read(3, read).unwrap(), marked);
    }

    /// Where both stay torn nothing is known, and reading ends.
    #[test]
    fn watermark_lost_in_both_places_says_nothing() {
        let read = |_, place: &mut [u8]| {
            place.fill(0xA5);
            Ok(())
        };
        assert_eq!(newest_read(3, read).unwrap(), Marked::default());
    }
}
