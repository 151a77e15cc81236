//! Moves what a dead creation left out of the way, without deleting it.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{EventStoreError, Result};
use crate::platform::directory::Directory;

/// Where it goes, in the instance's own directory.
pub(super) const ASIDE_FOLDER: &str = ".aside";

/// Numbers tried for a name that was moved aside before.
const NUMBERS_MAX: u32 = 10_000;

/// Moves a name into the folder, durably; answers where it lies now.
///
/// # Errors
/// `Disk`, `Backend`: it lies where it lay.
pub(super) fn move_aside(base: &Path, instance_id: &str, name: &str) -> Result<PathBuf> {
    let path = base.join(instance_id).join(name);
    let failed = |error| EventStoreError::from_io("moving aside", Some(&path), error);
    moved(base, instance_id, name).map_err(failed)
}

fn moved(base: &Path, instance_id: &str, name: &str) -> io::Result<PathBuf> {
    let directory = Directory::open_base(base)?.open_child(instance_id)?;
    let aside = directory.make_child(ASIDE_FOLDER)?;
    for number in 0..NUMBERS_MAX {
        let target = if number == 0 { name.to_owned() } else { format!("{name}.{number}") };
        match directory.move_new(name, &aside, &target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => {
                // The new name first: a crash in between leaves two names, never none.
                aside.sync()?;
                directory.sync()?;
                return Ok(aside.path().join(target));
            }
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}
