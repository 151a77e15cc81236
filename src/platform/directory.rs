//! Directories below the base: made, entered and flushed without following a symbolic link.
//!
//! A name is durable only when its directory was flushed, and a directory's own name only when
//! its parent was; so whoever makes one here flushes both. Names are single components, checked
//! by the caller against the alphabet of ids. What the files hold: `file`.

use std::ffi::{CString, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::descriptor::{Descriptor, retry};
use super::file;
use crate::planted::planted;

/// An open directory and the path it was reached by, for messages.
#[derive(Debug)]
pub(crate) struct Directory {
    descriptor: Descriptor,
    path: PathBuf,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// A file that does not exist yet.
    New,
    /// A file that is made when it does not exist.
    WriteOrNew,
}

impl Directory {
    /// Opens the base directory; symbolic links on the way to it are the host's choice.
    pub(crate) fn open_base(path: &Path) -> io::Result<Self> {
        let descriptor = Descriptor::open_base(&c_string(path.as_os_str())?)?;
        Ok(Self { descriptor, path: path.to_path_buf() })
    }

    /// Opens the base directory, making it and its missing parents, each durable before its child.
    pub(crate) fn make_base(path: &Path) -> io::Result<Self> {
        match Self::open_base(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(base) => {
                // Whoever made it may have died before it flushed the name. A parent that we may
                // not open is one that we cannot have made it in.
                match Self::open_base(&path.join("..")) {
                    Ok(parent) => parent.sync()?,
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                    Err(error) => return Err(error),
                }
                return Ok(base);
            }
            Err(error) => return Err(error),
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let Some(name) = path.file_name() else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        Self::make_base(parent)?.make_entry(name)?;
        Self::open_base(path)
    }

    /// Opens a directory by a path that the host gave, itself and not what a symbolic link points at.
    pub(crate) fn open_path(path: &Path) -> io::Result<Self> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        let descriptor = Descriptor::open(None, &c_string(path.as_os_str())?, flags)?;
        Ok(Self { descriptor, path: path.to_path_buf() })
    }

    /// Opens a directory in this one, itself and not what a symbolic link points at.
    pub(crate) fn open_child(&self, name: &str) -> io::Result<Self> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        let name_c = c_string(OsStr::new(name))?;
        let descriptor = Descriptor::open(Some(&self.descriptor), &name_c, flags)?;
        Ok(Self { descriptor, path: self.path.join(name) })
    }

    /// Opens a directory in this one, making it when it is missing; durable when it returns.
    pub(crate) fn make_child(&self, name: &str) -> io::Result<Self> {
        match self.open_child(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_entry(OsStr::new(name))?;
                self.open_child(name)
            }
            Ok(child) => {
                // Whoever made it may have died before it flushed the name.
                self.sync()?;
                Ok(child)
            }
            Err(error) => Err(error),
        }
    }

    fn make_entry(&self, name: &OsStr) -> io::Result<()> {
        let name_c = c_string(name)?;
        // SAFETY: `name_c` is NUL-terminated and outlives the call.
        let made = retry(|| unsafe { libc::mkdirat(self.raw(), name_c.as_ptr(), 0o700) });
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(_) => {
                let flags = libc::O_RDONLY | libc::O_DIRECTORY;
                let child = Descriptor::open(Some(&self.descriptor), &name_c, flags)?;
                file::sync_all(child.raw())?;
            }
        }
        // Also when another process made it a moment ago: its flush may not have happened yet.
        self.sync()
    }

    /// Opens a file in this directory. Anything but a regular file is refused.
    pub(crate) fn open_file(&self, name: &str, access: Access) -> io::Result<Descriptor> {
        let flags = match access {
            Access::Read => libc::O_RDONLY,
            Access::Write => libc::O_RDWR,
            Access::New => libc::O_RDWR | libc::O_CREAT | libc::O_EXCL,
            Access::WriteOrNew => libc::O_RDWR | libc::O_CREAT,
        };
        let name_c = c_string(OsStr::new(name))?;
        let opened = Descriptor::open(Some(&self.descriptor), &name_c, flags)?;
        file::check_regular(opened.raw())?;
        Ok(opened)
    }

    /// Whether something of this name exists, whatever it is.
    pub(crate) fn contains(&self, name: &str) -> io::Result<bool> {
        let name_c = c_string(OsStr::new(name))?;
        let mut stat = MaybeUninit::<libc::stat>::uninit();
        let stat = stat.as_mut_ptr();
        // SAFETY: `name_c` is NUL-terminated, `stat` is a valid place for a result not read.
        let found = retry(|| unsafe {
            libc::fstatat(self.raw(), name_c.as_ptr(), stat, libc::AT_SYMLINK_NOFOLLOW)
        });
        match found {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Renames within this directory; `AlreadyExists` when the new name is taken, whatever it is.
    pub(crate) fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.move_new(from, self, to)
    }

    /// Renames into another directory; `AlreadyExists` when the new name is taken there.
    pub(crate) fn move_new(&self, from: &str, other: &Self, to: &str) -> io::Result<()> {
        let (from_c, to_c) = (c_string(OsStr::new(from))?, c_string(OsStr::new(to))?);
        let (at, there) = (self.raw(), other.raw());
        // SAFETY: both names are NUL-terminated and outlive the call.
        let moved = retry(|| unsafe {
            libc::renameat2(at, from_c.as_ptr(), there, to_c.as_ptr(), libc::RENAME_NOREPLACE)
        });
        match moved {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => {
                // SAFETY: both names are NUL-terminated and outlive the call.
                retry(|| unsafe { libc::linkat(at, from_c.as_ptr(), there, to_c.as_ptr(), 0) })?;
                self.remove(from)
            }
            other => other.map(drop),
        }
    }

    /// The names in this directory, sorted, without `.` and `..`. One that is not UTF-8 is no name
    /// of the store and left out.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        // An opening of its own, because the place in the listing belongs to the opening.
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        let listing = Descriptor::open(Some(&self.descriptor), c".", flags)?;
        let mut names = Vec::new();
        let mut buffer = vec![0_u8; 64 << 10];
        loop {
            // SAFETY: `buffer` is writable for its length.
            let count = unsafe {
                libc::syscall(
                    libc::SYS_getdents64,
                    listing.raw(),
                    buffer.as_mut_ptr(),
                    buffer.len(),
                )
            };
            match count {
                0 => break,
                -1 => return Err(io::Error::last_os_error()),
                count => names.extend(entry_names(&buffer[..count as usize])),
            }
        }
        names.retain(|name| name != "." && name != "..");
        names.sort_unstable();
        Ok(names)
    }

    /// Removes a file's name.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let name_c = c_string(OsStr::new(name))?;
        // SAFETY: `name_c` is NUL-terminated and outlives the call.
        retry(|| unsafe { libc::unlinkat(self.raw(), name_c.as_ptr(), 0) }).map(drop)
    }

    /// Removes an empty directory in this one.
    pub(crate) fn remove_child(&self, name: &str) -> io::Result<()> {
        let name_c = c_string(OsStr::new(name))?;
        // SAFETY: `name_c` is NUL-terminated and outlives the call.
        retry(|| unsafe { libc::unlinkat(self.raw(), name_c.as_ptr(), libc::AT_REMOVEDIR) })
            .map(drop)
    }

    /// Puts the names in this directory on stable storage.
    pub(crate) fn sync(&self) -> io::Result<()> {
        if planted("skip_dir_sync") {
            return Ok(());
        }
        file::sync_all(self.raw())
    }

    /// Where this directory lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn raw(&self) -> libc::c_int {
        self.descriptor.raw()
    }
}

/// The names in what the kernel answered: per entry 16 bytes, `u16` length of the whole entry, a
/// byte of type, then the name up to a NUL.
fn entry_names(mut entries: &[u8]) -> Vec<String> {
    const LENGTH_OFFSET: usize = 16;
    const NAME_OFFSET: usize = 19;
    let mut names = Vec::new();
    while let Some(&[low, high]) = entries.get(LENGTH_OFFSET..LENGTH_OFFSET + 2) {
        let length = usize::from(u16::from_ne_bytes([low, high])).clamp(NAME_OFFSET, entries.len());
        let (entry, rest) = entries.split_at(length);
        let name = entry[NAME_OFFSET..].split(|&byte| byte == 0).next().unwrap_or_default();
        names.extend(std::str::from_utf8(name).ok().map(str::to_owned));
        entries = rest;
    }
    names
}

/// Opens a file by a path that the host gave, itself and not what a symbolic link points at.
pub(crate) fn open_path(path: &Path, access: Access) -> io::Result<Descriptor> {
    let flags = if access == Access::Read { libc::O_RDONLY } else { libc::O_RDWR };
    let opened = Descriptor::open(None, &c_string(path.as_os_str())?, flags)?;
    file::check_regular(opened.raw())?;
    Ok(opened)
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the path contains a NUL byte"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("es-directory-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    /// A taken name is never replaced, and a missing chain of directories is made.
    #[test]
    fn rename_never_replaces() {
        let path = scratch("rename");
        let base = Directory::make_base(&path.join("a/b")).unwrap();
        base.open_file(".temporary", Access::New).unwrap();
        fs::write(path.join("a/b/taken"), "old").unwrap();
        let refused = base.rename_new(".temporary", "taken").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        base.rename_new(".temporary", "free").unwrap();
        assert_eq!(fs::read(path.join("a/b/taken")).unwrap(), b"old");
        assert!(base.contains("free").unwrap() && !base.contains(".temporary").unwrap());
        fs::remove_dir_all(&path).unwrap();
    }

    /// Symbolic links, directories and FIFOs are refused where a file or directory is expected.
    #[test]
    fn planted_objects_are_refused() {
        let path = scratch("planted");
        let base = Directory::make_base(&path).unwrap();
        fs::create_dir(path.join("real")).unwrap();
        fs::write(path.join("file"), "").unwrap();
        std::os::unix::fs::symlink("real", path.join("link")).unwrap();
        std::os::unix::fs::symlink("file", path.join("file-link")).unwrap();
        let fifo = c_string(path.join("fifo").as_os_str()).unwrap();
        // SAFETY: `fifo` is NUL-terminated and outlives the call.
        assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
        assert!(base.open_child("link").is_err() && base.make_child("link").is_err());
        for name in ["file-link", "fifo", "real"] {
            assert!(base.open_file(name, Access::Read).is_err(), "{name}");
            assert!(base.open_file(name, Access::Write).is_err(), "{name}");
        }
        assert!(base.open_file("file", Access::Write).is_ok());
        fs::remove_dir_all(&path).unwrap();
    }
}
