//! I/O on an open descriptor: whole reads and writes, real space, flushes.
//!
//! Every call loops over short counts and interruptions, treats a count of 0 as an error, and
//! never lets a file size limit raise its signal. Nothing here is buffered or locked. A call
//! that wrote nothing may be repeated; a failed flush may not (the kernel forgets the pages).

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use super::descriptor::retry;
use super::memory;
use super::signal::without_sigxfsz;

/// Most parts that one `pwritev` takes.
const PARTS_MAX: usize = 1024;
/// Written at a time where the file system cannot allocate.
const ZEROS_BYTES: usize = 1 << 20;

/// The length of the file, in bytes.
pub(crate) fn len(fd: RawFd) -> io::Result<u64> {
    Ok(stat(fd)?.st_size as u64)
}

/// Refuses anything but a regular file: a FIFO would block, a device would not keep the bytes.
pub(crate) fn check_regular(fd: RawFd) -> io::Result<()> {
    let kind = stat(fd)?.st_mode & libc::S_IFMT;
    let found = match kind {
        libc::S_IFREG => return Ok(()),
        libc::S_IFDIR => "a directory",
        libc::S_IFIFO => "a FIFO",
        libc::S_IFSOCK => "a socket",
        libc::S_IFCHR | libc::S_IFBLK => "a device",
        _ => "not a file",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("is {found}, expected a regular file")))
}

/// Whether the file has no name any more.
pub(crate) fn is_unlinked(fd: RawFd) -> io::Result<bool> {
    Ok(stat(fd)?.st_nlink == 0)
}

fn stat(fd: RawFd) -> io::Result<libc::stat> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    let place = stat.as_mut_ptr();
    // SAFETY: `place` is valid for the result, which is read only after success.
    unsafe {
        retry(|| libc::fstat(fd, place))?;
        Ok(stat.assume_init())
    }
}

/// Fills `out` from `offset`.
pub(crate) fn read_exact(fd: RawFd, mut offset: u64, mut out: &mut [u8]) -> io::Result<()> {
    while !out.is_empty() {
        // SAFETY: `out` is writable for its length.
        let count =
            unsafe { libc::pread(fd, out.as_mut_ptr().cast(), out.len(), to_offset(offset)?) };
        match count {
            0 => {
                let reason = format!("the file ends {} bytes early", out.len());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
            }
            -1 => continue_if_interrupted()?,
            count => {
                offset += count as u64;
                out = &mut out[count as usize..];
            }
        }
    }
    Ok(())
}

/// Writes all parts, one after the other, from `offset`.
pub(crate) fn write_all(fd: RawFd, mut offset: u64, parts: &[&[u8]]) -> io::Result<()> {
    without_sigxfsz(|| {
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let count = rest.len().min(PARTS_MAX) as libc::c_int;
            // SAFETY: `IoSlice` has the layout of `iovec`, and each part is readable for its length.
            let written =
                unsafe { libc::pwritev(fd, rest.as_ptr().cast(), count, to_offset(offset)?) };
            match written {
                0 => return Err(io::Error::new(io::ErrorKind::WriteZero, "0 bytes were written")),
                -1 => continue_if_interrupted()?,
                written => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut rest, written as usize);
                }
            }
        }
        Ok(())
    })
}

/// Cuts the file at `len`, or extends it without space of its own.
pub(crate) fn truncate(fd: RawFd, len: u64) -> io::Result<()> {
    without_sigxfsz(|| {
        let len = to_offset(len)?;
        // SAFETY: no pointers.
        retry(|| unsafe { libc::ftruncate(fd, len) }).map(drop)
    })
}

/// Extends the file from `from` to `to` with zeros that have real space, so that running out of
/// it strikes here and not in a later write.
pub(crate) fn allocate(fd: RawFd, from: u64, to: u64) -> io::Result<()> {
    without_sigxfsz(|| {
        let (offset, count) = (to_offset(from)?, to_offset(to - from)?);
        // SAFETY: no pointers.
        match retry(|| unsafe { libc::fallocate(fd, 0, offset, count) }) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => {
                write_zeros(fd, from, to)
            }
            other => other.map(drop),
        }
    })
}

/// Gives back the space of a range, which then reads as zeros; the length stays. A file system
/// that cannot do that keeps the range as it is.
pub(crate) fn punch_hole(fd: RawFd, from: u64, to: u64) -> io::Result<()> {
    const MODE: libc::c_int = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    let (offset, count) = (to_offset(from)?, to_offset(to - from)?);
    // SAFETY: no pointers.
    match retry(|| unsafe { libc::fallocate(fd, MODE, offset, count) }) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => {
            Ok(())
        }
        other => other.map(drop),
    }
}

fn write_zeros(fd: RawFd, mut from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES];
    while from < to {
        let count = (to - from).min(ZEROS_BYTES as u64);
        write_all(fd, from, &[&zeros[..count as usize]])?;
        from += count;
    }
    Ok(())
}

/// Begins to write a range of what the kernel holds to the disk, without waiting for it, and
/// without taking the failure of an earlier write from the flush that is to tell it. Nothing where
/// the system has no such call.
pub(crate) fn start_writeback(fd: RawFd, from: u64, to: u64) {
    #[cfg(target_os = "linux")]
    if let (Ok(offset), Ok(count)) = (to_offset(from), to_offset(to - from)) {
        // SAFETY: no pointers.
        unsafe { libc::sync_file_range(fd, offset, count, libc::SYNC_FILE_RANGE_WRITE) };
    }
}

/// Writes a range of what the kernel holds to the disk and waits until the device has it, without a
/// flush. Tells a failed write of the file, which its next flush then does not. Nothing where the
/// system has no such call.
pub(crate) fn write_back(fd: RawFd, from: u64, to: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        const ALL: libc::c_uint = libc::SYNC_FILE_RANGE_WAIT_BEFORE
            | libc::SYNC_FILE_RANGE_WRITE
            | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        let (offset, count) = (to_offset(from)?, to_offset(to - from)?);
        // SAFETY: no pointers.
        match retry(|| unsafe { libc::sync_file_range(fd, offset, count, ALL) }) {
            // The call itself is not to be had: nothing was tried, and the flush will do it all.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {}
            other => drop(other?),
        }
    }
    Ok(())
}

/// Puts the file's content on stable storage.
pub(crate) fn sync_data(fd: RawFd) -> io::Result<()> {
    // SAFETY: no pointers.
    retry(|| unsafe { libc::fdatasync(fd) }).map(drop)
}

/// Puts the file's content and all its attributes, or a directory's names, on stable storage.
pub(crate) fn sync_all(fd: RawFd) -> io::Result<()> {
    // SAFETY: no pointers.
    retry(|| unsafe { libc::fsync(fd) }).map(drop)
}

/// Asks the kernel to forget its copy of the file, so that the next read comes from the disk: a
/// failed flush may have left pages in memory that the disk never got.
pub(crate) fn drop_cached(fd: RawFd) -> io::Result<()> {
    // A count of 0 is all.
    drop_range(fd, 0, 0)
}

/// The same of a part of the file at least.
pub(crate) fn drop_cached_part(fd: RawFd, from: u64, to: u64) -> io::Result<()> {
    let (from, to) = whole_folios(from, to, memory::page_bytes());
    drop_range(fd, from, to - from)
}

fn drop_range(fd: RawFd, from: u64, count: u64) -> io::Result<()> {
    let (offset, count) = (to_offset(from)?, to_offset(count)?);
    // SAFETY: no pointers.
    match unsafe { libc::posix_fadvise(fd, offset, count, libc::POSIX_FADV_DONTNEED) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// The range made as wide as what the kernel keeps in one piece, for it drops no part of a piece: of
/// pages of 4 KiB up to 2 MiB, at a multiple of that. Of other pages all of the file, as 0 to 0.
fn whole_folios(from: u64, to: u64, page_bytes: usize) -> (u64, u64) {
    const FOLIO_BYTES: u64 = 2 << 20;
    if page_bytes != 4096 {
        return (0, 0);
    }
    (from - from % FOLIO_BYTES, to.next_multiple_of(FOLIO_BYTES))
}

/// The bytes that the file system has left for this user.
pub(crate) fn free_bytes(fd: RawFd) -> io::Result<u64> {
    let mut stat = MaybeUninit::<libc::statvfs>::uninit();
    let place = stat.as_mut_ptr();
    // SAFETY: `place` is valid for the result, which is read only after success.
    let stat = unsafe {
        retry(|| libc::fstatvfs(fd, place))?;
        stat.assume_init()
    };
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn to_offset(offset: u64) -> io::Result<libc::off_t> {
    libc::off_t::try_from(offset).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))
}

fn continue_if_interrupted() -> io::Result<()> {
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::whole_folios;

    /// A range grows to whole pieces, and to the whole file where their size is not known.
    #[test]
    fn range_to_be_dropped_ends_between_pieces_of_the_cache() {
        const PIECE: u64 = 2 << 20;
        let wide = |from, to| whole_folios(from, to, 4096);
        assert_eq!(wide(PIECE + 5, PIECE + 6), (PIECE, 2 * PIECE));
        assert_eq!(wide(PIECE - 1, PIECE + 1), (0, 2 * PIECE));
        assert_eq!(wide(PIECE, 2 * PIECE), (PIECE, 2 * PIECE));
        assert_eq!(whole_folios(PIECE + 5, PIECE + 6, 65536), (0, 0));
    }
}
