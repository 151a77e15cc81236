//! Where the copy is built, and how it gets its name. The invariants: the module above.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::{RunManifest, check_id};
use crate::planted::planted;
use crate::platform::directory::Directory;
use crate::platform::lock::InstanceLock;
use crate::store;

/// The place of a copy, its name free and its instance held. Dropped, nothing temporary is left.
pub(super) struct Place {
    instance: Directory,
    instance_id: String,
    /// The name, in the instance's directory, of the folder that the copy is built in.
    temporary: String,
    /// That folder: a base of its own.
    staging: PathBuf,
    _lock: InstanceLock,
}

impl Place {
    /// Takes the instance's lock and makes the folder to build in.
    ///
    /// # Errors
    /// `Locked`; `AlreadyExists`; `InvalidArgument` for ids that name no file; `Unsupported`;
    /// `Disk`, `Backend`.
    pub(super) fn take(base: &Path, manifest: &RunManifest) -> Result<Self> {
        let RunManifest { run_id, instance_id, .. } = manifest;
        check_id("run_id", run_id)?;
        check_id("instance_id", instance_id)?;
        let path = base.join(instance_id);
        let failed =
            |error| EventStoreError::from_io("making room for the copy", Some(&path), error);
        let lock = InstanceLock::acquire(base, instance_id)?;
        let instance = Directory::open_base(base)
            .and_then(|base| base.open_child(instance_id))
            .map_err(failed)?;
        for (_, format) in store::run_formats(base) {
            let name = format!("{run_id}{}", format.suffix());
            if instance.contains(&name).map_err(failed)? {
                let reason = "a run of this name exists; convert into another base";
                let fault = Fault::new(reason).at(&path.join(name));
                return Err(EventStoreError::AlreadyExists(Box::new(fault)));
            }
        }
        let temporary = format!(".{run_id}.converting");
        // C2: under the lock, whoever made it is dead.
        remove_tree(&instance, &temporary).map_err(failed)?;
        instance.make_child(&temporary).map_err(failed)?;
        let staging = path.join(&temporary);
        let (staging, lock) = match planted("convert_in_place") {
            true => (base.to_path_buf(), InstanceLock::acquire(&staging, instance_id)?),
            false => (staging, lock),
        };
        Ok(Self { instance, instance_id: instance_id.clone(), temporary, staging, _lock: lock })
    }

    /// The base to build in.
    pub(super) fn staging(&self) -> &Path {
        &self.staging
    }

    /// C1: gives the copy, which is whole and durable, its name; answers where it lies.
    ///
    /// # Errors
    /// `Disk`, `Backend`.
    pub(super) fn publish(&self, built: &Path) -> Result<PathBuf> {
        let name = built.file_name().and_then(|name| name.to_str()).expect("made of ids");
        let path = self.instance.path().join(name);
        let moved = || {
            let staging = self.instance.open_child(&self.temporary)?;
            staging.open_child(&self.instance_id)?.move_new(name, &self.instance, name)?;
            self.instance.sync()
        };
        match moved() {
            Err(_) if planted("convert_in_place") => Ok(path),
            Err(error) => Err(EventStoreError::from_io("naming the copy", Some(&path), error)),
            Ok(()) => Ok(path),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is moved aside by the next recovery.
        let _ = remove_tree(&self.instance, &self.temporary);
    }
}

/// Removes what has this name, whatever is in it; what is not there is removed.
fn remove_tree(directory: &Directory, name: &str) -> io::Result<()> {
    match directory.open_child(name) {
        Ok(child) => {
            for inner in child.names()? {
                remove_tree(&child, &inner)?;
            }
            drop(child);
            directory.remove_child(name)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A file, or a link, which is not followed.
        Err(_) => directory.remove(name),
    }
}
