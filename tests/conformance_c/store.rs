//! A run of the C interface, behind the trait that the behaviours ask.
//!
//! The C interface seals a living run as Ended, with a last entry of its own. The behaviours want
//! any status and no such entry, so a run is let go and sealed as a crashed one, which the
//! interface offers too.

use std::path::PathBuf;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventstore::backend::{EventReader, EventStore, Sealed};
use eventstore::digest::RunDigest;
use eventstore::entry::AppendEntry;
use eventstore::error::{EventStoreError, Result};
use eventstore::ffi::anchor::{es_get_restore_plan, es_record_anchor, es_restore_plan};
use eventstore::ffi::close::{
    es_close_options, es_close_result, es_close_run, es_free_run, es_seal_run,
};
use eventstore::ffi::constants::*;
use eventstore::ffi::draft::es_draft;
use eventstore::ffi::handle::es_run;
use eventstore::ffi::open::*;
use eventstore::ffi::state::es_get_run_path;
use eventstore::ffi::submit::*;
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::snapshot::SnapshotAnchor;

use crate::convert::{self, answer, path_text, text, zeroed};
use crate::reader::{CReader, NO_READER};

/// How long the locks of a run may outlive its handle: until its writer has committed.
const DETACH_MAX: Duration = Duration::from_secs(10);

enum Held {
    Nothing,
    Run(*mut es_run),
    Crashed(Arc<CReader>),
}

/// One store: at most one run at a time, by way of the exported functions alone.
pub(crate) struct CStore {
    pub(crate) backend: u32,
    pub(crate) flags: u32,
    pub(crate) base: PathBuf,
    pub(crate) digest_key: Option<[u8; 32]>,
    held: Held,
    name: (String, String),
}

// SAFETY: the header says that the handles may be used from any thread.
unsafe impl Send for CStore {}

impl CStore {
    pub(crate) fn new(
        backend: u32,
        flags: u32,
        base: PathBuf,
        digest_key: Option<[u8; 32]>,
    ) -> Self {
        Self { backend, flags, base, digest_key, held: Held::Nothing, name: Default::default() }
    }

    fn open_options(&self) -> es_open_options {
        let mut options: es_open_options = zeroed();
        options.struct_size = size_of::<es_open_options>() as u32;
        options.abi_version = ES_ABI_VERSION;
        options.backend = self.backend;
        options.flags = self.flags;
        // A slow disk of the test machine is no failure.
        options.halt_after_ns = ES_FOREVER;
        if let Some(key) = self.digest_key {
            options.flags |= ES_OPEN_DIGEST_KEY;
            options.digest_key = key;
        }
        options
    }

    /// Frees what is held; its locks go as soon as its writer has returned.
    fn let_go(&mut self) {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            // SAFETY: the handle is this store's own, and no call on it is running.
            Held::Run(run) => unsafe { es_free_run(run) },
            Held::Crashed(reader) => drop(reader),
            Held::Nothing => {}
        }
    }

    /// The run to write to. A C program cannot even ask without one: there is no handle, and a
    /// reader takes no drafts.
    fn run(&self) -> Result<*mut es_run> {
        match &self.held {
            Held::Run(run) => Ok(*run),
            Held::Nothing if self.name.1.is_empty() => {
                Err(EventStoreError::backend("no run is open"))
            }
            _ => Err(EventStoreError::Closed),
        }
    }

    /// The interface numbers entries itself: a batch whose entries do not follow each other, or
    /// that starts at 0, cannot be asked for. What can be, is asked with `expected_seq`.
    fn refuse_other_numbers(&self, entries: &[AppendEntry<'_>]) -> Result<()> {
        let Some(first) = entries.first().map(|item| item.entry.seq) else { return Ok(()) };
        let high_watermark = self.reader()?.high_watermark();
        if first != 0 && first != high_watermark + 1 {
            return Ok(());
        }
        for (item, next_seq) in entries.iter().zip(high_watermark + 1..) {
            let seq = item.entry.seq;
            if seq != next_seq {
                return Err(EventStoreError::OutOfOrder { high_watermark, seq, next_seq });
            }
        }
        Ok(())
    }

    fn open_crashed(&self, instance_id: &str, run_id: &str) -> Result<Arc<CReader>> {
        let mut options: es_reader_options = zeroed();
        options.struct_size = size_of::<es_reader_options>() as u32;
        options.abi_version = ES_ABI_VERSION;
        if let Some(key) = self.digest_key {
            options.flags = ES_READ_DIGEST_KEY;
            options.digest_key = key;
        }
        let (base, base_len) = path_text(&self.base);
        let (instance, instance_len) = text(instance_id);
        let (run, run_len) = text(run_id);
        let mut reader = NO_READER;
        answer(|err| {
            // SAFETY: texts come with their lengths, the rest are locals.
            unsafe {
                es_open_crashed_run(
                    base,
                    base_len,
                    instance,
                    instance_len,
                    run,
                    run_len,
                    &raw const options,
                    &raw mut reader,
                    err,
                )
            }
        })?;
        Ok(Arc::new(CReader(reader)))
    }
}

/// What es_close_run answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) status: u32,
    pub(crate) high_watermark: u64,
    pub(crate) digest: Option<[u8; 32]>,
}

impl CStore {
    /// Closes the run as a program would; the handle stays.
    pub(crate) fn close_session(&self, end_ts_init: u64) -> Closed {
        let run = self.run().expect("a run is open");
        let mut options: es_close_options = zeroed();
        options.struct_size = size_of::<es_close_options>() as u32;
        options.end_ts_init = end_ts_init;
        let mut result: es_close_result = zeroed();
        result.struct_size = size_of::<es_close_result>() as u32;
        answer(|err| {
            // SAFETY: both structs are locals.
            unsafe { es_close_run(run, &raw const options, &raw mut result, err) }
        })
        .expect("a sound run closes");
        assert_eq!((result.sealed, result.halt_status), (1, 0));
        Closed {
            status: result.status,
            high_watermark: result.high_watermark,
            digest: (result.digest_present == 1).then_some(result.digest),
        }
    }

    /// Anchor seq, first and last seq to replay.
    pub(crate) fn restore_plan(&self) -> (u64, u64, u64) {
        let reader = self.open_reader().expect("a closed run still gives readers");
        let mut plan: es_restore_plan = zeroed();
        plan.struct_size = size_of::<es_restore_plan>() as u32;
        // SAFETY: `plan` is a local.
        answer(|err| unsafe { es_get_restore_plan(reader.0, &raw mut plan, err) })
            .expect("a sound anchor");
        assert_eq!(plan.has_anchor, 1);
        (plan.anchor_seq, plan.replay_from, plan.replay_to)
    }

    /// The path of the run's file; empty in memory.
    pub(crate) fn run_path(&self) -> String {
        let run = self.run().expect("a run is open");
        let mut path = [0_u8; 4096];
        let mut needed = 0;
        answer(|err| {
            // SAFETY: pointer and capacity are those of the array, `needed` is a local.
            unsafe {
                es_get_run_path(run, path.as_mut_ptr().cast(), path.len(), &raw mut needed, err)
            }
        })
        .expect("a path fits");
        assert_eq!(path[needed - 1], 0, "`needed` counts the NUL");
        String::from_utf8(path[..needed - 1].to_vec()).expect("UTF-8")
    }

    fn open_reader(&self) -> Result<CReader> {
        let mut reader = NO_READER;
        let run = self.run()?;
        // SAFETY: `reader` is a local.
        answer(|err| unsafe { es_open_reader(run, &raw mut reader, err) })?;
        Ok(CReader(reader))
    }
}

/// Tries again while a run that was just let go still holds its locks.
pub(crate) fn once_unlocked<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match call() {
            Err(EventStoreError::Locked(_)) if start.elapsed() < DETACH_MAX => {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => return other,
        }
    }
}

impl Drop for CStore {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl EventStore for CStore {
    fn open_run(&mut self, manifest: &RunManifest) -> Result<()> {
        let given = convert::manifest(manifest);
        let options = self.open_options();
        let (base, base_len) = path_text(&self.base);
        let mut run = ptr::null_mut();
        once_unlocked(|| {
            answer(|err| {
                // SAFETY: the base comes with its length, the rest are locals.
                unsafe {
                    es_open_run(
                        base,
                        base_len,
                        &raw const given.manifest,
                        &raw const options,
                        &raw mut run,
                        err,
                    )
                }
            })
        })?;
        self.let_go();
        self.held = Held::Run(run);
        self.name = (manifest.instance_id.clone(), manifest.run_id.clone());
        Ok(())
    }

    fn load_crashed(&mut self, instance_id: &str, run_id: &str) -> Result<()> {
        self.let_go();
        let reader = once_unlocked(|| self.open_crashed(instance_id, run_id))?;
        self.held = Held::Crashed(reader);
        Ok(())
    }

    fn append_batch(&mut self, entries: &[AppendEntry<'_>]) -> Result<u64> {
        let run = self.run()?;
        self.refuse_other_numbers(entries)?;
        let batch = convert::drafts(entries);
        let mut options: es_append_options = zeroed();
        options.struct_size = size_of::<es_append_options>() as u32;
        options.expected_seq = entries.first().map_or(0, |item| item.entry.seq);
        let mut result: es_append_result = zeroed();
        result.struct_size = size_of::<es_append_result>() as u32;
        answer(|err| {
            // SAFETY: pointer, stride and count are those of the batch, the rest are locals.
            unsafe {
                es_append_batch(
                    run,
                    batch.drafts.as_ptr(),
                    size_of::<es_draft>(),
                    batch.drafts.len(),
                    &raw const options,
                    &raw mut result,
                    err,
                )
            }
        })?;
        assert_eq!(result.count, entries.len() as u64);
        Ok(result.high_watermark)
    }

    fn record_snapshot_anchor(&mut self, anchor: &SnapshotAnchor) -> Result<()> {
        let run = self.run()?;
        let (blob_ref, blob_ref_len) = text(&anchor.blob_ref);
        let (hash, hash_len) = text(&anchor.content_hash);
        let seq = anchor.high_watermark;
        answer(|err| {
            // SAFETY: texts come with their lengths.
            unsafe {
                es_record_anchor(run, seq, blob_ref, blob_ref_len, hash, hash_len, ES_FOREVER, err)
            }
        })
    }

    fn seal(&mut self, status: RunStatus) -> Result<Sealed> {
        if let Held::Run(run) = self.held {
            if status == RunStatus::Running {
                // There is no such call for a living run; the argument is refused all the same.
                return Err(EventStoreError::invalid("status", "is not a sealed one"));
            }
            // SAFETY: the handle is this store's own, and no call on it is running.
            unsafe { es_free_run(run) };
            let (instance, name) = self.name.clone();
            self.held = Held::Nothing;
            self.held = Held::Crashed(once_unlocked(|| self.open_crashed(&instance, &name))?);
        }
        let Held::Crashed(reader) = &self.held else { return self.run().map(|_| unreachable!()) };
        let mut result: es_close_result = zeroed();
        result.struct_size = size_of::<es_close_result>() as u32;
        answer(|err| {
            // SAFETY: `result` is a local.
            unsafe { es_seal_run(reader.0, status.code(), &raw mut result, err) }
        })?;
        assert_eq!((result.sealed, result.status), (1, status.code()));
        Ok(Sealed {
            high_watermark: result.high_watermark,
            digest: (result.digest_present == 1)
                .then_some(RunDigest { keyed: self.digest_key.is_some(), bytes: result.digest }),
        })
    }

    fn close(&mut self) -> Result<()> {
        self.let_go();
        Ok(())
    }

    fn abandon(&mut self) {
        self.let_go();
    }

    fn reader(&self) -> Result<Arc<dyn EventReader>> {
        match &self.held {
            Held::Nothing => Err(EventStoreError::backend("no run is open")),
            Held::Crashed(reader) => Ok(Arc::clone(reader) as Arc<dyn EventReader>),
            Held::Run(_) => Ok(Arc::new(self.open_reader()?)),
        }
    }
}

/// Opens a sealed run by path.
pub(crate) fn open_sealed(path: &std::path::Path) -> Result<Arc<dyn EventReader>> {
    let (path, path_len) = path_text(path);
    let mut reader = NO_READER;
    // SAFETY: the path comes with its length, `reader` is a local.
    answer(|err| unsafe { es_open_sealed_run(path, path_len, ptr::null(), &raw mut reader, err) })?;
    Ok(Arc::new(CReader(reader)))
}
