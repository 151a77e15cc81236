//! Copies a run, sealed or being written, into another base.
//!
//! A sealed run is copied file by file. Of one that is not, the copy has what is acknowledged and
//! is as if the process had died just then: the segments up to there, and a watermark that says so.
//! Built under a temporary name and flushed whole before it is named, as a new run is (`create`).

use std::io;
use std::path::Path;

use super::create::{self, folder_name};
use super::failed;
use super::format::Marked;
use super::run::LogRun;
use super::segment::{damaged, index_name, segment_name};
use super::small_file::{MANIFEST, OPEN, SEAL, read_all, read_seal, write_new, write_reserves};
use super::table::Chain;
use crate::backend::disk::{Folder, Purpose, Volume, copy_bytes};
use crate::backend::os_disk::OsVolume;
use crate::backend::run_format::{CopiedRun, CopySource, taken, unfinished_copy_name};
use crate::error::{EventStoreError, Result};
use crate::manifest::RunManifest;

/// A run to be copied; see the module.
pub(super) struct LogCopy(pub(super) LogRun);

/// Where the copy ends.
struct Extent {
    last_segment: u64,
    /// In the last segment.
    end: u64,
    chain: Chain,
    is_sealed: bool,
    /// Sealed and closed in order: no file changes any more.
    is_closed: bool,
}

impl CopySource for LogCopy {
    fn manifest(&self) -> Result<RunManifest> {
        self.0.prepare()?;
        Ok(self.0.manifest())
    }

    fn copy_to(&self, base: &Path) -> Result<CopiedRun> {
        let manifest = self.manifest()?;
        let extent = self.extent()?;
        let volume = OsVolume::new(base);
        let name = folder_name(&manifest.run_id);
        let path = volume.path(&manifest.instance_id).join(&name);
        let copying = || failed("copying the run", &path);
        let instance = volume.make_instance(&manifest.instance_id).map_err(copying())?;
        let temporary = unfinished_copy_name(&name);
        let folder = instance.make_folder(&temporary).map_err(copying())?;
        let built = self.build(&*folder, &extent).and_then(|bytes| {
            folder.sync().map_err(copying())?;
            match instance.rename_new(&temporary, &name) {
                Err(error) if is_taken(&error) => Err(taken(&path)),
                named => named.map(|()| bytes).map_err(copying()),
            }
        });
        let bytes = built.inspect_err(|_| {
            // What is left is a temporary name, which recovery moves aside.
            let _ = create::remove(&*instance, &temporary);
        })?;
        instance.sync().map_err(copying())?;
        let high_watermark = extent.chain.high_watermark();
        Ok(CopiedRun { path, status: manifest.status, high_watermark, bytes })
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty)
}

impl LogCopy {
    fn extent(&self) -> Result<Extent> {
        let run = &self.0;
        if run.manifest().status.is_sealed()
            && let Some(seal) = read_seal(&*run.folder)?
        {
            let is_open = run.folder.contains(OPEN).map_err(failed("reading", &run.path))?;
            let (last_segment, end) = (seal.last_segment, seal.end);
            let is_closed = !is_open;
            return Ok(Extent { last_segment, end, chain: seal.chain, is_sealed: true, is_closed });
        }
        let follow = run.follow().expect("a run that was not sealed when opened is followed");
        let (last_segment, tip) = follow.end();
        let (is_sealed, is_closed) = (false, false);
        Ok(Extent { last_segment, end: tip.end, chain: tip.chain, is_sealed, is_closed })
    }

    /// Fills the copy's directory; answers how many bytes it has.
    fn build(&self, to: &dyn Folder, extent: &Extent) -> Result<u64> {
        let run = &self.0;
        let writing = |error| failed("writing the copy", &to.path(""))(error);
        let manifest = read_all(&*run.lock, &run.path_of(MANIFEST))?;
        write_new(to, MANIFEST, &manifest).map_err(writing)?;
        for number in 1..=extent.last_segment {
            self.copy_segment(to, number, extent)?;
        }
        if extent.is_sealed {
            self.copy_file(to, SEAL, None)?;
        } else {
            // Where its group stands is not said: who opens the copy looks through the segment.
            let mark = Marked { watermark: extent.chain.watermark(), ..Marked::default() };
            let bytes = mark.encode(run.start.incarnation);
            let marks = write_reserves(to, manifest.len() as u64).map_err(writing)?;
            let marked = marks.write(mark.place(), &[&bytes]).and_then(|()| marks.sync_data());
            marked.map_err(writing)?;
        }
        let names = to.names().map_err(writing)?;
        let lens = names.iter().map(|name| to.open(name, Purpose::Read)?.len());
        lens.sum::<io::Result<u64>>().map_err(writing)
    }

    fn copy_segment(&self, to: &dyn Folder, number: u64, extent: &Extent) -> Result<()> {
        let is_last = number == extent.last_segment;
        let count = match extent.is_closed {
            true => None,
            false if is_last => Some(extent.end),
            // It may not be cut at its end yet, or be cut right now.
            false => {
                let segment = self.0.segment(number)?;
                segment.check_whole()?;
                Some(segment.end())
            }
        };
        self.copy_file(to, &segment_name(number), count)?;
        if is_last && !extent.is_sealed {
            return Ok(());
        }
        match self.copy_file(to, &index_name(number), None) {
            // It is made again by whoever needs it.
            Err(EventStoreError::NotFound(_)) => Ok(()),
            copied => copied,
        }
    }

    /// Copies a file, or so many bytes of it. `NotFound` when it is not there.
    fn copy_file(&self, to: &dyn Folder, name: &str, count: Option<u64>) -> Result<()> {
        let path = self.0.path_of(name);
        let opening = |error| EventStoreError::from_io("opening", Some(&path), error);
        let source = self.0.folder.open(name, Purpose::Read).map_err(opening)?;
        let count = match count {
            Some(count) => count,
            None => source.len().map_err(opening)?,
        };
        let target = to.create(name).map_err(failed("writing the copy", &to.path(name)))?;
        copy_bytes(&*source, &*target, count).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(&path, error),
            _ => failed("copying a file of the run", &path)(error),
        })
    }
}
