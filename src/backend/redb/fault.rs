//! redb's errors and panics as the store's: the one place where they are translated.
//!
//! redb may panic on a file that was damaged outside it. [`guarded`] turns that into `Corrupted`;
//! whoever calls it then leaks what the panic left behind, because dropping it may panic again
//! where nothing can catch it. Errors of our own storage file come back out as they went in.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{
    CommitError, CursorError, DatabaseError, SetDurabilityError, StorageError, TableError,
    TransactionError,
};

use crate::codec::CodecError;
use crate::error::{EventStoreError, Fault, Result, panic_text};

/// Gives a redb error the file it concerns.
pub(super) trait At<T> {
    /// The result as the store's own.
    fn at(self, path: &Path) -> Result<T>;
}

impl<T, E: IntoStoreError> At<T> for std::result::Result<T, E> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|error| error.into_store_error(path))
    }
}

pub(super) trait IntoStoreError {
    fn into_store_error(self, path: &Path) -> EventStoreError;
}

impl IntoStoreError for StorageError {
    fn into_store_error(self, path: &Path) -> EventStoreError {
        match self {
            Self::Corrupted(reason) => corrupted(path, reason),
            Self::Io(error) => from_io(path, error),
            Self::DatabaseClosed => {
                let mut fault = Fault::new("the run was closed meanwhile").at(path);
                fault.kind = CLOSED;
                EventStoreError::Backend(Box::new(fault))
            }
            other => backend(path, other),
        }
    }
}

/// What tells a read that met the writer's close from all other failures.
const CLOSED: io::ErrorKind = io::ErrorKind::NotConnected;

/// Whether a read failed because the writer closed the file under it.
pub(super) fn is_closed(error: &EventStoreError) -> bool {
    matches!(error, EventStoreError::Backend(fault) if fault.kind == CLOSED)
}

impl IntoStoreError for TableError {
    fn into_store_error(self, path: &Path) -> EventStoreError {
        match self {
            Self::Storage(error) => error.into_store_error(path),
            // A table of another type or missing where one must be: not a run's file, or damaged.
            other => corrupted(path, other.to_string()),
        }
    }
}

impl IntoStoreError for CursorError {
    fn into_store_error(self, path: &Path) -> EventStoreError {
        match self {
            Self::Storage(error) => error.into_store_error(path),
            // Rows behind the next one, which this store did not write.
            other => corrupted(path, other.to_string()),
        }
    }
}

impl IntoStoreError for TransactionError {
    fn into_store_error(self, path: &Path) -> EventStoreError {
        match self {
            Self::Storage(error) => error.into_store_error(path),
            other => backend(path, other),
        }
    }
}

impl IntoStoreError for CommitError {
    fn into_store_error(self, path: &Path) -> EventStoreError {
        match self {
            Self::Storage(error) => error.into_store_error(path),
            other => backend(path, other),
        }
    }
}

impl IntoStoreError for SetDurabilityError {
    fn into_store_error(self, path: &Path) -> EventStoreError {
        backend(path, self)
    }
}

impl IntoStoreError for DatabaseError {
    fn into_store_error(self, path: &Path) -> EventStoreError {
        match self {
            Self::Storage(error) => error.into_store_error(path),
            Self::DatabaseAlreadyOpen | Self::LockProtocolMismatch => locked(path),
            Self::RepairAborted => not_sealed(path, "was not closed in order"),
            Self::UpgradeRequired(found) => {
                EventStoreError::UnsupportedDatabase { found, path: path.to_path_buf() }
            }
            other => backend(path, other),
        }
    }
}

fn from_io(path: &Path, error: io::Error) -> EventStoreError {
    // Also a read beyond the end: redb only asks for pages that a sound file has.
    if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) {
        return corrupted(path, error.to_string());
    }
    EventStoreError::from_io_within("file I/O", path, error)
}

fn backend(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> EventStoreError {
    let fault = Fault::new(format!("redb refuses: {error}")).at(path).because(error);
    EventStoreError::Backend(Box::new(fault))
}

/// Damage of the file's structure.
pub(super) fn corrupted(path: &Path, reason: impl Into<String>) -> EventStoreError {
    EventStoreError::corrupted(path, reason)
}

/// Somebody else has the file open.
pub(super) fn locked(path: &Path) -> EventStoreError {
    let fault = Fault::new("the run's file is locked by another writer or reader, wait for it");
    EventStoreError::Locked(Box::new(fault.at(path)))
}

/// A run that recovery must look at before it can be read as sealed.
pub(super) fn not_sealed(path: &Path, what: &str) -> EventStoreError {
    let fault = Fault::new(format!("the run {what}: recover it first"));
    EventStoreError::NotSealed(Box::new(fault.at(path)))
}

/// A frame that does not decode.
pub(super) fn undecodable(path: &Path, what: &str, error: CodecError) -> EventStoreError {
    let fault = Fault::new(format!("{what}: {error}")).at(path).because(error);
    EventStoreError::Corrupted(Box::new(fault))
}

/// An entry whose frame does not decode.
pub(super) fn undecodable_entry(path: &Path, seq: u64, error: CodecError) -> EventStoreError {
    let fault = Fault::new(format!("entry {seq}: {error}")).at(path).of_entry(seq).because(error);
    EventStoreError::Corrupted(Box::new(fault))
}

/// Runs code that may make redb panic on a damaged file; a panic is `Corrupted`.
///
/// # Errors
/// Those of `read`, and `Corrupted` for a panic. `is_caught` is then set: leak what `read` used.
pub(super) fn guarded<T>(
    path: &Path,
    is_caught: &mut bool,
    read: impl FnOnce() -> Result<T>,
) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        *is_caught = true;
        Err(corrupted(path, format!("redb panicked on the file: {}", panic_text(&*panic))))
    })
}
