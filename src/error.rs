//! `EventStoreError`: what went wrong, sorted by what a caller does next.
//!
//! A variant exists where a caller acts differently. Kinds and numbers are for programs, texts
//! are for people: whatever a program needs stands in a field, and no caller parses text. The
//! C numbers live in `ffi::status`; nothing here knows them.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of every fallible call in this crate.
pub type Result<T, E = EventStoreError> = std::result::Result<T, E>;

/// What failed, where, and why: the part of an error that a person reads.
#[derive(Debug, Clone)]
pub struct Fault {
    /// One line: what, where, found against expected, and what to do.
    pub message: String,
    /// The class that the operating system or the standard library gives the cause.
    pub kind: io::ErrorKind,
    /// The operating system's number, when it was its refusal.
    pub errno: Option<i32>,
    /// The file or directory concerned.
    pub path: Option<PathBuf>,
    /// The entry concerned, where the damage is that entry's alone.
    pub seq: Option<u64>,
    /// The error underneath, kept for programs that log chains of causes.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A fault that is its message alone.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind: io::ErrorKind::Other,
            errno: None,
            path: None,
            seq: None,
            source: None,
        }
    }

    /// A refusal of the operating system while doing `action` (a gerund: "syncing").
    pub fn from_io(action: &str, path: Option<&Path>, error: io::Error) -> Self {
        Self {
            message: format!("{action} failed: {error}"),
            kind: error.kind(),
            errno: error.raw_os_error(),
            path: path.map(Path::to_path_buf),
            seq: None,
            source: Some(Arc::new(error)),
        }
    }

    /// The same fault with the file it concerns.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.to_path_buf());
        self
    }

    /// The same fault with the entry whose bytes are at fault.
    #[must_use]
    pub fn of_entry(mut self, seq: u64) -> Self {
        self.seq = Some(seq);
        self
    }

    /// The same fault with the error underneath.
    #[must_use]
    pub fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}: {}", path.display(), self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Everything that a call of the store can answer besides its result.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EventStoreError {
    /// The backend failed in a way that no other variant names. A writing run halts.
    #[error("{0}")]
    Backend(Box<Fault>),
    /// The file's own structure is damaged. Do not write to it; verify or salvage it.
    #[error("{0}")]
    Corrupted(Box<Fault>),
    /// The storage refuses the write (no space, quota, file size limit). The run halts; free
    /// space, then recover it. What was acknowledged is safe.
    #[error("{0}")]
    Disk(Box<Fault>),
    /// The entry at `seq` does not match its stored hash: its bytes changed after it was written.
    #[error("entry {seq} does not match its hash: its bytes were changed after it was written")]
    HashMismatch {
        /// The damaged entry.
        seq: u64,
    },
    /// The row stored under one sequence holds the entry of another.
    #[error("the row of entry {table_key} holds entry {embedded_seq}")]
    SeqMismatch {
        /// The sequence that the row is stored under.
        table_key: u64,
        /// The sequence inside the entry.
        embedded_seq: u64,
    },
    /// The sequence asked for is not the next one. Nothing was claimed or written.
    #[error("entry {seq} refused: the next is {next_seq} (durable up to {high_watermark})")]
    OutOfOrder {
        /// The largest durable sequence.
        high_watermark: u64,
        /// The sequence asked for.
        seq: u64,
        /// The sequence that would have been taken.
        next_seq: u64,
    },
    /// The run is sealed or closing and takes no more entries.
    #[error("the run is closed and takes no more entries")]
    Closed,
    /// An entry inside the high-watermark is missing.
    #[error("entry {missing} is missing: {prev} is followed by {next}")]
    Gap {
        /// The last present sequence before the hole, or 0.
        prev: u64,
        /// The next present sequence, or the high-watermark + 1.
        next: u64,
        /// The first missing sequence.
        missing: u64,
    },
    /// A run of this name was not sealed: its process died or still writes. Recover it.
    #[error("{0}")]
    CrashedPredecessor(Box<Fault>),
    /// Another writer, recovery or reader holds the lock. Try again when it is gone.
    #[error("{0}")]
    Locked(Box<Fault>),
    /// A sealed run of this name exists. Choose another run id.
    #[error("{0}")]
    AlreadyExists(Box<Fault>),
    /// No such run, file, entry or anchor.
    #[error("{0}")]
    NotFound(Box<Fault>),
    /// The run is not sealed, or was sealed and not closed in order: recover it before reading.
    #[error("{0}")]
    NotSealed(Box<Fault>),
    /// The file is of a format that this version does not know. Nothing was changed.
    #[error("{}: store format {found} is not supported, this version reads format 1", path.display())]
    UnsupportedFormat {
        /// The format number found in the file.
        found: u32,
        /// The file.
        path: PathBuf,
    },
    /// The file is a redb database of a format of redb's own that this version does not read: an
    /// older redb wrote it, or its header is damaged. Nothing was changed.
    #[error(
        "{}: redb file format {found} is not supported, this version reads 3; of an older redb, or damaged",
        path.display()
    )]
    UnsupportedDatabase {
        /// redb's format number found in the file.
        found: u8,
        /// The file.
        path: PathBuf,
    },
    /// An argument is outside its documented bounds. Nothing was claimed or written.
    #[error("{}{field}: {reason}", item.map(|i| format!("item {i}: ")).unwrap_or_default())]
    InvalidArgument {
        /// The index of the offending item of a batch.
        item: Option<usize>,
        /// The argument or field.
        field: &'static str,
        /// What is wrong with it, and what is allowed.
        reason: String,
    },
    /// The run was halted by an earlier failure. Close it, then recover it.
    #[error("the run is halted: {reason}")]
    Halted {
        /// The first failure.
        reason: Arc<EventStoreError>,
    },
    /// The queue had no room. Nothing was claimed; try again, or wait.
    #[error("the queue is full")]
    QueueFull,
    /// The time is up. Nothing was lost; call again.
    #[error("timed out")]
    Timeout,
    /// No memory for the call. Nothing was claimed or written.
    #[error("out of memory")]
    OutOfMemory,
    /// The call is re-entrant, or the object serves one thread at a time and is in use.
    #[error("busy: {what}")]
    Busy {
        /// What is in use.
        what: &'static str,
    },
    /// The backend or the platform cannot do this.
    #[error("unsupported: {what}")]
    Unsupported {
        /// What cannot be done.
        what: String,
    },
}

impl EventStoreError {
    /// An argument outside its bounds.
    pub fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::InvalidArgument { item: None, field, reason: reason.into() }
    }

    /// The same error, naming the item of a batch that it concerns.
    #[must_use]
    pub fn at_item(self, index: usize) -> Self {
        match self {
            Self::InvalidArgument { field, reason, .. } => {
                Self::InvalidArgument { item: Some(index), field, reason }
            }
            other => other,
        }
    }

    /// The same error, naming the entry that alone it concerns.
    #[must_use]
    pub(crate) fn of_entry(mut self, seq: u64) -> Self {
        if let Self::Corrupted(fault) = &mut self {
            fault.seq = Some(seq);
        }
        self
    }

    /// A failure of the backend that no other variant names.
    pub fn backend(message: impl Into<String>) -> Self {
        Self::Backend(Box::new(Fault::new(message)))
    }

    /// Structural damage of the file at `path`.
    pub fn corrupted(path: &Path, message: impl Into<String>) -> Self {
        Self::Corrupted(Box::new(Fault::new(message).at(path)))
    }

    /// A file at `path` that is no run file at all: empty, or of another program.
    pub fn foreign(path: &Path, message: impl Into<String>) -> Self {
        let mut fault = Fault::new(message).at(path);
        fault.kind = io::ErrorKind::InvalidInput;
        Self::Corrupted(Box::new(fault))
    }

    /// Whether a `Corrupted` says that the file never was a run: there is nothing to salvage.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Corrupted(fault) if fault.kind == io::ErrorKind::InvalidInput)
    }

    /// Whether the file is of a format that this version does not read.
    pub fn is_unsupported_format(&self) -> bool {
        matches!(self, Self::UnsupportedFormat { .. } | Self::UnsupportedDatabase { .. })
    }

    /// An I/O error, sorted: out of space, quota and file size limit are `Disk`, the rest `Backend`.
    pub fn from_io(action: &str, path: Option<&Path>, error: io::Error) -> Self {
        let fault = Box::new(Fault::from_io(action, path, error));
        match fault.errno {
            Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => Self::Disk(fault),
            Some(libc::ENOENT) => Self::NotFound(fault),
            _ => Self::Backend(fault),
        }
    }

    /// As [`EventStoreError::from_io`], for a file of a run that is open: that it is not there does
    /// not make the run one that is not found.
    pub(crate) fn from_io_within(action: &str, path: &Path, error: io::Error) -> Self {
        match Self::from_io(action, Some(path), error) {
            Self::NotFound(fault) => Self::Backend(fault),
            other => other,
        }
    }

    /// The text, cause and place, where the variant has them.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Backend(fault)
            | Self::Corrupted(fault)
            | Self::Disk(fault)
            | Self::CrashedPredecessor(fault)
            | Self::Locked(fault)
            | Self::AlreadyExists(fault)
            | Self::NotFound(fault)
            | Self::NotSealed(fault) => Some(fault),
            Self::Halted { reason } => reason.fault(),
            _ => None,
        }
    }
}

/// What a caught panic says.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
