//! Copies a sealed run's file into another base, byte for byte.
//!
//! The run is held shared meanwhile, so that nobody changes or deletes it. Built under a temporary
//! name and flushed before it is named, as a new run is (`create`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::create::file_name;
use super::found::RedbRun;
use crate::backend::disk::{Disk, Purpose, Volume, copy_bytes};
use crate::backend::os_disk::{OsDisk, OsVolume};
use crate::backend::run_format::{
    CopiedRun, CopySource, FoundRun, Hold, taken, unfinished_copy_name,
};
use crate::error::{EventStoreError, Fault, Result};
use crate::manifest::RunManifest;

/// Memory for pages while the manifest is read, in bytes.
const CACHE_BYTES: usize = 4 << 20;

/// A sealed run to be copied.
struct RedbCopy {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Holds the lock.
    _found: RedbRun,
    manifest: RunManifest,
}

/// Opens a sealed run to be copied.
///
/// # Errors
/// `NotFound`; `Locked` while it is written or recovered; `NotSealed`; `Corrupted`;
/// `UnsupportedFormat`.
pub(crate) fn open_copy(path: &Path) -> Result<Box<dyn CopySource>> {
    let opened = OsDisk::open(path, Purpose::Read);
    let disk = opened
        .map_err(|error| EventStoreError::from_io("opening the run file", Some(path), error))?;
    let found = RedbRun::hold(disk.clone(), path.to_path_buf(), Hold::Shared, None)?;
    let manifest = found.open(CACHE_BYTES)?.manifest()?;
    if !manifest.status.is_sealed() {
        let fault = Fault::new("the run is not sealed: recover it first").at(path);
        return Err(EventStoreError::NotSealed(Box::new(fault)));
    }
    Ok(Box::new(RedbCopy { disk, path: path.to_path_buf(), _found: found, manifest }))
}

impl CopySource for RedbCopy {
    fn manifest(&self) -> Result<RunManifest> {
        Ok(self.manifest.clone())
    }

    fn copy_to(&self, base: &Path) -> Result<CopiedRun> {
        let volume = OsVolume::new(base);
        let name = file_name(&self.manifest.run_id);
        let path = volume.path(&self.manifest.instance_id).join(&name);
        let failed = |error| EventStoreError::from_io("copying the run", Some(&path), error);
        let bytes = self.disk.len().map_err(|error| {
            EventStoreError::from_io("reading the run file", Some(&self.path), error)
        })?;
        let instance = volume.make_instance(&self.manifest.instance_id).map_err(failed)?;
        let temporary = unfinished_copy_name(&name);
        let copied = instance
            .create(&temporary)
            .and_then(|target| copy_bytes(&*self.disk, &*target, bytes))
            .and_then(|()| instance.rename_new(&temporary, &name));
        match copied {
            Ok(()) => instance.sync().map_err(failed)?,
            Err(error) => {
                let _ = instance.remove(&temporary);
                return Err(match error.kind() {
                    io::ErrorKind::AlreadyExists => taken(&path),
                    _ => failed(error),
                });
            }
        }
        let RunManifest { status, high_watermark, .. } = self.manifest;
        Ok(CopiedRun { path, status, high_watermark, bytes })
    }
}
