//! The exported C functions, called as a C program calls them, in safe Rust.
//!
//! What is measured goes through here and through nothing else of the library. Failures are told in the words of `es_error`.
#![allow(unsafe_code, reason = "C functions; each block says why")]

use std::ffi::{c_char, c_void};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::ptr;

use eventstore::ffi::close::{es_close_run, es_free_reader, es_free_run};
use eventstore::ffi::constants::{ES_ABI_VERSION, ES_FOREVER, ES_FORWARD, ES_OPEN_PREFAULT};
use eventstore::ffi::draft::{es_draft, es_index_key};
use eventstore::ffi::error::es_error;
use eventstore::ffi::handle::{es_reader, es_report, es_run};
use eventstore::ffi::index::es_lookup;
use eventstore::ffi::manifest::{es_manifest, es_string};
use eventstore::ffi::open::{
    es_open_crashed_run, es_open_options, es_open_reader, es_open_run, es_open_sealed_run,
};
use eventstore::ffi::operate::es_verify_run;
use eventstore::ffi::read::{
    es_entry, es_get_entry, es_scan_range, es_scan_request, es_scan_result,
};
use eventstore::ffi::report::{es_free_report, es_get_report_summary, es_report_summary};
use eventstore::ffi::state::es_get_run_path;
use eventstore::ffi::status::{ES_ERR_BUFFER_TOO_SMALL, ES_OK, es_status};
use eventstore::ffi::submit::{
    es_append_batch, es_flush, es_submit, es_submit_batch, es_submit_options, es_wait_durable,
};
use eventstore::index::IndexKind;

use crate::failure::Failure;

/// The instance that all runs of a measurement belong to.
pub(crate) const INSTANCE: &str = "BENCH";

/// How a run is opened, beside what all measured runs have in common.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RunOptions {
    /// `ES_BACKEND_*`.
    pub(crate) backend: u32,
    /// `ES_DURABILITY_*`; 0: the default.
    pub(crate) durability: u32,
    /// `ES_WAIT_*`; 0: the default.
    pub(crate) wait_policy: u32,
    /// 0: the default.
    pub(crate) group_entries: u64,
    /// 0: the default.
    pub(crate) group_bytes: u64,
    /// 0: the default.
    pub(crate) hot_ns: u64,
    /// The writer's processor, counted from 1; 0: any.
    pub(crate) writer_cpu: u32,
}

/// Drafts in C's form; they point into what they were made of.
pub(crate) struct Drafts<'a> {
    drafts: Vec<es_draft>,
    _keys: Vec<es_index_key>,
    of: PhantomData<&'a ()>,
}

/// What a draft is made of.
pub(crate) struct DraftParts<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload_type: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) ts_init: u64,
    pub(crate) ts_publish: u64,
    pub(crate) keys: &'a [(IndexKind, String)],
}

impl<'a> Drafts<'a> {
    /// Drafts of these parts, with so many keys in all.
    pub(crate) fn new(parts: impl Iterator<Item = DraftParts<'a>>, key_count: usize) -> Self {
        // Never grown: drafts point into it.
        let mut keys: Vec<es_index_key> = Vec::with_capacity(key_count);
        let mut drafts = Vec::with_capacity(parts.size_hint().0);
        for part in parts {
            assert!(keys.len() + part.keys.len() <= key_count, "counted by the caller");
            let first_key = keys.as_ptr().wrapping_add(keys.len());
            keys.extend(part.keys.iter().map(|(kind, key)| es_index_key {
                key: key.as_ptr().cast(),
                key_len: key.len(),
                kind: u32::from(kind.code()),
                reserved: 0,
            }));
            drafts.push(es_draft {
                topic: part.topic.as_ptr().cast(),
                topic_len: part.topic.len(),
                payload_type: part.payload_type.as_ptr().cast(),
                payload_type_len: part.payload_type.len(),
                payload: part.payload.as_ptr().cast(),
                payload_len: part.payload.len(),
                keys: first_key,
                key_count: part.keys.len() as u32,
                flags: 0,
                ts_init: part.ts_init,
                ts_publish: part.ts_publish,
                correlation_id: [0; 16],
                causation_id: [0; 16],
            });
        }
        Self { drafts, _keys: keys, of: PhantomData }
    }

    pub(crate) fn len(&self) -> usize {
        self.drafts.len()
    }
}

/// A C struct before its fields are set.
fn zeroed<T: Copy>() -> T {
    // SAFETY: only used for structs of the header: integers, raw pointers and an optional
    // function pointer, for all of which zero is a value.
    unsafe { std::mem::zeroed() }
}

fn text(text: &str) -> es_string {
    es_string { data: text.as_ptr().cast(), len: text.len() }
}

fn path_text(path: &Path) -> Result<es_string, Failure> {
    path.to_str().map(text).ok_or_else(|| {
        Failure::CannotRun(format!("{}: is not UTF-8, which the C interface takes", path.display()))
    })
}

/// What a call answered.
fn answer(call: impl FnOnce(*mut es_error) -> es_status) -> Result<(), Failure> {
    let mut err: es_error = zeroed();
    let status = call(&raw mut err);
    if status == ES_OK {
        return Ok(());
    }
    let message = err.message.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0);
    let message: Vec<u8> = message.collect();
    let message = String::from_utf8_lossy(&message);
    Err(Failure::CannotRun(format!("status {status} while measuring: {message}")))
}

/// A run being written; freed when dropped.
pub(crate) struct Run(*mut es_run);

impl Run {
    /// Creates a run with touched queue memory, which no slow disk halts.
    pub(crate) fn open(base: &Path, run_id: &str, options: RunOptions) -> Result<Self, Failure> {
        let manifest = es_manifest {
            struct_size: size_of::<es_manifest>() as u32,
            run_id: text(run_id),
            instance_id: text(INSTANCE),
            ..zeroed()
        };
        let options = es_open_options {
            struct_size: size_of::<es_open_options>() as u32,
            abi_version: ES_ABI_VERSION,
            flags: ES_OPEN_PREFAULT,
            backend: options.backend,
            durability: options.durability,
            wait_policy: options.wait_policy,
            group_entries: options.group_entries,
            group_bytes: options.group_bytes,
            hot_ns: options.hot_ns,
            writer_cpu: options.writer_cpu,
            halt_after_ns: ES_FOREVER,
            ..zeroed()
        };
        let base = path_text(base)?;
        let mut run = ptr::null_mut();
        // SAFETY: all pointers are to live values of this frame.
        answer(|err| unsafe {
            es_open_run(base.data, base.len, &manifest, &options, &mut run, err)
        })?;
        Ok(Self(run))
    }

    /// Submits the draft at `at`.
    #[inline]
    pub(crate) fn submit(&self, drafts: &Drafts<'_>, at: usize) -> Result<u64, Failure> {
        let draft: *const es_draft = &drafts.drafts[at];
        let mut seq = 0;
        let status =
            // SAFETY: the handle is open; the draft and what it points to live while `drafts` does.
            unsafe {
                es_submit(self.0, draft, size_of::<es_draft>(), ptr::null(), &mut seq, ptr::null_mut())
            };
        if status != ES_OK {
            return Err(Failure::CannotRun(format!("es_submit answered {status} while measuring")));
        }
        Ok(seq)
    }

    /// Submits `count` drafts from `at`, waiting for room; answers the last seq.
    pub(crate) fn submit_batch(
        &self,
        drafts: &Drafts<'_>,
        at: usize,
        count: usize,
    ) -> Result<u64, Failure> {
        let given = &drafts.drafts[at..at + count];
        let options = es_submit_options {
            struct_size: size_of::<es_submit_options>() as u32,
            timeout_ns: ES_FOREVER,
            ..zeroed()
        };
        let (first, stride) = (given.as_ptr(), size_of::<es_draft>());
        let mut seq = 0;
        // SAFETY: the handle is open; `first` starts `count` drafts, which live while `drafts` does.
        answer(|err| unsafe {
            es_submit_batch(self.0, first, stride, count, &options, &mut seq, err)
        })?;
        Ok(seq + count as u64 - 1)
    }

    /// Appends `count` drafts from `at` and waits until they are durable.
    pub(crate) fn append(
        &self,
        drafts: &Drafts<'_>,
        at: usize,
        count: usize,
    ) -> Result<(), Failure> {
        let given = &drafts.drafts[at..at + count];
        let (first, stride) = (given.as_ptr(), size_of::<es_draft>());
        // SAFETY: the handle is open; `first` starts `count` drafts, which live while `drafts` does.
        answer(|err| unsafe {
            es_append_batch(self.0, first, stride, count, ptr::null(), ptr::null_mut(), err)
        })
    }

    pub(crate) fn wait_durable(&self, seq: u64) -> Result<(), Failure> {
        // SAFETY: the handle is open.
        answer(|err| unsafe { es_wait_durable(self.0, seq, ES_FOREVER, err) })
    }

    pub(crate) fn flush(&self) -> Result<(), Failure> {
        // SAFETY: the handle is open.
        answer(|err| unsafe { es_flush(self.0, ES_FOREVER, err) })
    }

    /// Where the run lies; only of a backend that keeps files.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        let mut bytes = [0_u8; 4096];
        let mut needed = 0;
        let (at, cap) = (bytes.as_mut_ptr().cast::<c_char>(), bytes.len());
        // SAFETY: the handle is open; `at` starts `cap` bytes.
        answer(|err| unsafe { es_get_run_path(self.0, at, cap, &mut needed, err) })?;
        let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(cap);
        Ok(PathBuf::from(String::from_utf8_lossy(&bytes[..length]).into_owned()))
    }

    /// A reader of what is committed.
    pub(crate) fn reader(&self) -> Result<Reader, Failure> {
        let mut reader = ptr::null_mut();
        // SAFETY: the handle is open; `reader` is a valid place.
        answer(|err| unsafe { es_open_reader(self.0, &mut reader, err) })?;
        Ok(Reader(reader))
    }

    /// Seals the run.
    pub(crate) fn close(self) -> Result<(), Failure> {
        // SAFETY: the handle is open; it is freed after this call, by the drop.
        answer(|err| unsafe { es_close_run(self.0, ptr::null(), ptr::null_mut(), err) })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // SAFETY: the only owner of the handle, in no other call on it.
        unsafe { es_free_run(self.0) };
    }
}

/// Rows and arena of one page, used again for each.
pub(crate) struct Page {
    rows: Vec<es_entry>,
    arena: Vec<u64>,
}

impl Page {
    /// Room for so many rows and bytes.
    pub(crate) fn new(rows: usize, arena_bytes: usize) -> Self {
        Self { rows: vec![zeroed(); rows], arena: vec![0; arena_bytes.div_ceil(8)] }
    }

    fn arena(&mut self) -> (*mut c_void, usize) {
        (self.arena.as_mut_ptr().cast(), self.arena.len() * 8)
    }
}

/// A reader; freed when dropped.
pub(crate) struct Reader(*mut es_reader);

impl Reader {
    pub(crate) fn open_sealed(path: &Path) -> Result<Self, Failure> {
        let path = path_text(path)?;
        let mut reader = ptr::null_mut();
        // SAFETY: all pointers are to live values of this frame; NULL options are the defaults.
        answer(|err| unsafe {
            es_open_sealed_run(path.data, path.len, ptr::null(), &mut reader, err)
        })?;
        Ok(Self(reader))
    }

    pub(crate) fn open_crashed(base: &Path, run_id: &str) -> Result<Self, Failure> {
        let (base, instance, run_id) = (path_text(base)?, text(INSTANCE), text(run_id));
        let mut reader = ptr::null_mut();
        // SAFETY: all pointers are to live values of this frame; NULL options are the defaults.
        answer(|err| unsafe {
            es_open_crashed_run(
                base.data,
                base.len,
                instance.data,
                instance.len,
                run_id.data,
                run_id.len,
                ptr::null(),
                &mut reader,
                err,
            )
        })?;
        Ok(Self(reader))
    }

    /// Reads a page forward from `from`; answers how many rows, and the seq to go on from if
    /// there are more.
    pub(crate) fn scan(&self, from: u64, page: &mut Page) -> Result<(u64, Option<u64>), Failure> {
        let request = es_scan_request {
            struct_size: size_of::<es_scan_request>() as u32,
            direction: ES_FORWARD,
            from,
            to: u64::MAX,
            ..zeroed()
        };
        let struct_size = size_of::<es_scan_result>() as u32;
        let mut result = es_scan_result { struct_size, ..zeroed() };
        let (rows, row_cap) = (page.rows.as_mut_ptr(), page.rows.len());
        let (arena, arena_cap) = page.arena();
        // SAFETY: the handle is open; rows and arena are as long as said, and the page's own.
        answer(|err| unsafe {
            es_scan_range(
                self.0,
                &request,
                rows,
                size_of::<es_entry>(),
                row_cap,
                arena,
                arena_cap,
                &mut result,
                err,
            )
        })?;
        Ok((result.rows, (result.more != 0).then_some(result.next_seq)))
    }

    /// Reads one entry, making room for it if it needs more; answers its payload's bytes.
    pub(crate) fn get(&self, seq: u64, page: &mut Page) -> Result<u64, Failure> {
        loop {
            let entry: *mut es_entry = &raw mut page.rows[0];
            let (arena, arena_cap) = page.arena();
            let mut needed = 0;
            let mut status = ES_OK;
            // SAFETY: the handle is open; `entry` is one row, the arena as long as said.
            let got = answer(|err| unsafe {
                let size = size_of::<es_entry>();
                status = es_get_entry(self.0, seq, entry, size, arena, arena_cap, &mut needed, err);
                status
            });
            if status != ES_ERR_BUFFER_TOO_SMALL || needed <= arena_cap {
                got?;
                return Ok(page.rows[0].payload_len);
            }
            page.arena.resize(needed.div_ceil(8), 0);
        }
    }

    /// The first seq with this key.
    pub(crate) fn lookup(&self, kind: IndexKind, key: &str) -> Result<u64, Failure> {
        let key = text(key);
        let mut seq = 0;
        // SAFETY: the handle is open; key and `seq` are live values of this frame.
        answer(|err| unsafe {
            es_lookup(self.0, u32::from(kind.code()), key.data, key.len, &mut seq, err)
        })?;
        Ok(seq)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // SAFETY: the only owner of the handle, in no other call on it.
        unsafe { es_free_reader(self.0) };
    }
}

/// Verifies a run; answers how many whole entries it holds.
pub(crate) fn verify(path: &Path) -> Result<u64, Failure> {
    let path = path_text(path)?;
    let mut report: *mut es_report = ptr::null_mut();
    // SAFETY: all pointers are to live values of this frame; NULL options are the defaults.
    answer(|err| unsafe { es_verify_run(path.data, path.len, ptr::null(), &mut report, err) })?;
    let struct_size = size_of::<es_report_summary>() as u32;
    let mut summary = es_report_summary { struct_size, ..zeroed() };
    // SAFETY: the report was given above; `summary` is a valid place.
    let read = answer(|err| unsafe { es_get_report_summary(report, &mut summary, err) });
    // SAFETY: the only owner of the report, in no other call on it.
    unsafe { es_free_report(report) };
    read?;
    if summary.findings > 0 {
        let findings = summary.findings;
        return Err(Failure::Data(format!("a run written to be measured has {findings} findings")));
    }
    Ok(summary.entries)
}
