//! The manifest: from the caller's struct, and back into the caller's arena.
//!
//! One struct serves both ways, so that what was read can describe the next run. Counts and
//! lengths are bounded before anything is read or reserved.

use std::ffi::{c_char, c_void};

use super::args;
use super::constants::*;
use super::error::{Refusal, es_error};
use super::guarded;
use super::handle::{self, es_reader};
use super::out::{self, Out, Shelf};
use super::status::*;
use crate::limits::{FRAME_ITEMS_MAX, ID_BYTES_MAX, MANIFEST_BYTES_MAX};
use crate::manifest::{RegisteredComponents, RunManifest, RunStatus, TextMap};

/// A text: UTF-8 bytes and how many. In: len may be ES_NTS, and data NULL only with len 0. Out:
/// data is NUL-terminated, the NUL not counted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_string {
    /// The bytes.
    pub data: *const c_char,
    /// How many.
    pub len: usize,
}

/// A name and what it stands for.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_string_pair {
    /// The name.
    pub key: es_string,
    /// What it stands for.
    pub value: es_string,
}

/// What a run says of itself. In, for es_open_run: pointers into the caller's memory, needed
/// during the call only. Out, of es_get_manifest: pointers into the caller's arena, valid as long
/// as that is neither moved nor overwritten. Initialise with ES_MANIFEST_INIT or
/// es_init_manifest. Lists keep their order.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct es_manifest {
    /// sizeof(es_manifest).
    pub struct_size: u32,
    /// Version of the payload schemas.
    pub schema_version: u32,
    /// Names the run, unique in its instance; it names the file. 1 to 128 bytes A-Z a-z 0-9 . _ -
    /// and no dot first.
    pub run_id: es_string,
    /// The run whose state this one continues; data NULL: none.
    pub parent_run_id: es_string,
    /// The trading instance; it names the directory. Same alphabet as run_id.
    pub instance_id: es_string,
    /// Hash of the engine's binary.
    pub binary_hash: es_string,
    /// Versions of the engine's parts.
    pub crate_versions: es_string,
    /// Hash of the engine's configuration.
    pub config_hash: es_string,
    /// Features that the engine was built with.
    pub feature_flags: *const es_string,
    /// How many.
    pub feature_flag_count: usize,
    /// Adapter name to version.
    pub adapter_versions: *const es_string_pair,
    /// How many.
    pub adapter_version_count: usize,
    /// Actor id to configuration hash.
    pub actors: *const es_string_pair,
    /// How many.
    pub actor_count: usize,
    /// Strategy id to configuration hash.
    pub strategies: *const es_string_pair,
    /// How many.
    pub strategy_count: usize,
    /// Execution algorithm id to configuration hash.
    pub algorithms: *const es_string_pair,
    /// How many.
    pub algorithm_count: usize,
    /// Subscribed topics.
    pub subscriptions: *const es_string,
    /// How many.
    pub subscription_count: usize,
    /// Registered endpoints.
    pub endpoints: *const es_string,
    /// How many.
    pub endpoint_count: usize,
    /// Seed of a deterministic engine, with ES_MANIFEST_HAS_SEED.
    pub seed: u64,
    /// When the run started, in nanoseconds since the Unix epoch.
    pub start_ts_init: u64,
    /// Out, with ES_MANIFEST_HAS_END: the largest ts_init, once sealed. In: 0.
    pub end_ts_init: u64,
    /// Out: the largest durable seq, once sealed. In: 0.
    pub high_watermark: u64,
    /// Out: ES_RUN_*. In: ES_RUN_RUNNING.
    pub status: u32,
    /// ES_MANIFEST_*.
    pub flags: u32,
    /// Zero.
    pub reserved: [u64; 4],
}

/// Fills a manifest with zeros and its size.
/// @param manifest  caller's memory
/// @param size      sizeof(es_manifest)
/// @return ES_OK; ES_ERR_NULL_POINTER; ES_ERR_STRUCT_SIZE: size is impossible, pass sizeof.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_init_manifest(manifest: *mut es_manifest, size: usize) -> es_status {
    guarded!(std::ptr::null_mut(), {
        // SAFETY: `manifest` is the caller's memory of `size` bytes.
        unsafe { out::init(manifest, size, |_| ()) }
    })
}

/// Gives the manifest of a run: as sealed, else as it was written at the start. Lists and texts
/// go to the arena, lists aligned to 8 bytes whatever the arena's own alignment.
/// @param reader     the reader
/// @param out        caller's memory, its struct_size set; receives pointers into the arena
/// @param arena      caller's memory; NULL only with arena_cap 0
/// @param arena_cap  its size in bytes
/// @param needed     receives the size that suffices, on ES_OK and on ES_ERR_BUFFER_TOO_SMALL; may be NULL
/// @param err        filled on failure; may be NULL
/// @return ES_OK;
///         ES_ERR_BUFFER_TOO_SMALL: call again with *needed bytes; out is untouched;
///         ES_ERR_CORRUPTED: keep a copy, verify or salvage it; ES_ERR_BACKEND: see err->os_errno;
///         ES_ERR_STRUCT_SIZE, ES_ERR_NULL_POINTER, ES_ERR_BAD_HANDLE, ES_ERR_USED_AFTER_FORK:
///         correct the call; ES_ERR_PANIC: free the reader and report it.
/// [any thread] [never blocks] Since 0.1.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn es_get_manifest(
    reader: *mut es_reader,
    out: *mut es_manifest,
    arena: *mut c_void,
    arena_cap: usize,
    needed: *mut usize,
    err: *mut es_error,
) -> es_status {
    guarded!(err, {
        // SAFETY: the pointers are NULL or the caller's memory, as the header demands; nobody
        // frees a handle that a call uses.
        unsafe {
            let out = Out::sized("out", out)?;
            let mut shelf = Shelf::new("arena", arena, arena_cap)?;
            let manifest = handle::reader(reader)?.view().manifest()?;
            shelf.require(shelf_bytes(&manifest), needed)?;
            out.put(write(&manifest, &mut shelf));
        }
        Ok(())
    })
}

/// Reads a manifest for a new run.
///
/// # Safety
/// `pointer` is NULL or the caller's manifest, its pointers and counts as the header demands.
pub(super) unsafe fn read(
    field: &'static str,
    pointer: *const es_manifest,
) -> Result<RunManifest, Refusal> {
    // SAFETY: NULL or the caller's manifest and what it points to.
    unsafe {
        let given: es_manifest = args::required(field, pointer)?;
        let known = ES_MANIFEST_HAS_SEED | ES_MANIFEST_HAS_END;
        args::known_flags("manifest.flags", given.flags, known)?;
        args::reserved("manifest.reserved", &given.reserved)?;
        let mut texts = Texts { left_bytes: MANIFEST_BYTES_MAX };
        let has_end = given.flags & ES_MANIFEST_HAS_END != 0;
        Ok(RunManifest {
            run_id: texts.id("manifest.run_id", given.run_id)?,
            parent_run_id: match given.parent_run_id {
                es_string { data, len: 0 } if data.is_null() => None,
                parent => Some(texts.id("manifest.parent_run_id", parent)?),
            },
            instance_id: texts.id("manifest.instance_id", given.instance_id)?,
            binary_hash: texts.one("manifest.binary_hash", given.binary_hash)?,
            schema_version: given.schema_version,
            crate_versions: texts.one("manifest.crate_versions", given.crate_versions)?,
            feature_flags: texts.list(
                "manifest.feature_flags",
                given.feature_flags,
                given.feature_flag_count,
            )?,
            adapter_versions: texts.map(
                "manifest.adapter_versions",
                given.adapter_versions,
                given.adapter_version_count,
            )?,
            config_hash: texts.one("manifest.config_hash", given.config_hash)?,
            registered_components: RegisteredComponents {
                actors: texts.map("manifest.actors", given.actors, given.actor_count)?,
                strategies: texts.map(
                    "manifest.strategies",
                    given.strategies,
                    given.strategy_count,
                )?,
                algorithms: texts.map(
                    "manifest.algorithms",
                    given.algorithms,
                    given.algorithm_count,
                )?,
                subscriptions: texts.list(
                    "manifest.subscriptions",
                    given.subscriptions,
                    given.subscription_count,
                )?,
                endpoints: texts.list(
                    "manifest.endpoints",
                    given.endpoints,
                    given.endpoint_count,
                )?,
            },
            seed: seed(&given)?,
            start_ts_init: given.start_ts_init,
            end_ts_init: (has_end || given.end_ts_init != 0).then_some(given.end_ts_init),
            high_watermark: given.high_watermark,
            status: RunStatus::from_code(given.status)
                .ok_or_else(|| args::unknown("manifest.status", given.status))?,
        })
    }
}

/// A seed without its flag would be lost, and the run not replayable.
fn seed(given: &es_manifest) -> Result<Option<u64>, Refusal> {
    let set = given.flags & ES_MANIFEST_HAS_SEED != 0;
    if !set && given.seed != 0 {
        let reason = "is set, but flags lack ES_MANIFEST_HAS_SEED";
        return Err(Refusal::invalid("manifest.seed", reason));
    }
    Ok(set.then_some(given.seed))
}

/// Copies texts while their sum stays within what a manifest may hold.
struct Texts {
    left_bytes: usize,
}

impl Texts {
    /// # Safety
    /// `text` is as the header demands of a text handed in. So for the other methods.
    unsafe fn bounded(
        &mut self,
        field: &'static str,
        text: es_string,
        max: usize,
    ) -> Result<String, Refusal> {
        // SAFETY: handed down from the caller.
        let text = unsafe { args::text(field, text.data, text.len, max.min(self.left_bytes)) }?;
        self.left_bytes -= text.len();
        args::owned(text)
    }

    unsafe fn id(&mut self, field: &'static str, text: es_string) -> Result<String, Refusal> {
        // SAFETY: handed down from the caller.
        unsafe { self.bounded(field, text, ID_BYTES_MAX) }
    }

    unsafe fn one(&mut self, field: &'static str, text: es_string) -> Result<String, Refusal> {
        // SAFETY: handed down from the caller.
        unsafe { self.bounded(field, text, MANIFEST_BYTES_MAX) }
    }

    unsafe fn list(
        &mut self,
        field: &'static str,
        items: *const es_string,
        count: usize,
    ) -> Result<Vec<String>, Refusal> {
        let mut list = args::list_for(field, items, count, FRAME_ITEMS_MAX as usize)?;
        for index in 0..count {
            // SAFETY: the caller gives `count` items at `items`, which is not NULL then.
            let text = unsafe {
                let item = items.add(index).read_unaligned();
                self.one(field, item).map_err(|refusal| refusal.at_item(index))?
            };
            list.push(text);
        }
        Ok(list)
    }

    unsafe fn map(
        &mut self,
        field: &'static str,
        items: *const es_string_pair,
        count: usize,
    ) -> Result<TextMap, Refusal> {
        let mut map = args::list_for(field, items, count, FRAME_ITEMS_MAX as usize)?;
        for index in 0..count {
            // SAFETY: the caller gives `count` items at `items`, which is not NULL then.
            let pair = unsafe {
                let item = items.add(index).read_unaligned();
                let key = self.one(field, item.key).map_err(|refusal| refusal.at_item(index))?;
                let value =
                    self.one(field, item.value).map_err(|refusal| refusal.at_item(index))?;
                (key, value)
            };
            map.push(pair);
        }
        Ok(map)
    }
}

fn lists(manifest: &RunManifest) -> [&Vec<String>; 3] {
    let parts = &manifest.registered_components;
    [&manifest.feature_flags, &parts.subscriptions, &parts.endpoints]
}

fn maps(manifest: &RunManifest) -> [&TextMap; 4] {
    let parts = &manifest.registered_components;
    [&manifest.adapter_versions, &parts.actors, &parts.strategies, &parts.algorithms]
}

fn singles(manifest: &RunManifest) -> [Option<&str>; 6] {
    [
        Some(&manifest.run_id),
        manifest.parent_run_id.as_deref(),
        Some(&manifest.instance_id),
        Some(&manifest.binary_hash),
        Some(&manifest.crate_versions),
        Some(&manifest.config_hash),
    ]
}

/// The arena that suffices whatever its alignment.
fn shelf_bytes(manifest: &RunManifest) -> usize {
    let singles = singles(manifest).into_iter().flatten().map(Shelf::text_bytes);
    let lists = lists(manifest).into_iter().flatten();
    let maps = maps(manifest).into_iter().flatten();
    let listed = lists.map(|text| size_of::<es_string>() + Shelf::text_bytes(text));
    let mapped = maps.map(|(key, value)| {
        size_of::<es_string_pair>() + Shelf::text_bytes(key) + Shelf::text_bytes(value)
    });
    Shelf::ALIGN_BYTES - 1 + singles.chain(listed).chain(mapped).sum::<usize>()
}

/// Arrays first, so that one alignment at the start serves them all; then the texts.
fn write(manifest: &RunManifest, shelf: &mut Shelf) -> es_manifest {
    let [flag_array, subscription_array, endpoint_array] =
        lists(manifest).map(|list| shelf.array::<es_string>(list.len()));
    let [adapter_array, actor_array, strategy_array, algorithm_array] =
        maps(manifest).map(|map| shelf.array::<es_string_pair>(map.len()));
    let [run_id, parent_run_id, instance_id, binary_hash, crate_versions, config_hash] =
        singles(manifest).map(|text| shelf.text(text));
    for (array, list) in
        [flag_array, subscription_array, endpoint_array].into_iter().zip(lists(manifest))
    {
        for (index, text) in list.iter().enumerate() {
            let item = shelf.text(Some(text));
            shelf.set(array, index, item);
        }
    }
    for (array, map) in [adapter_array, actor_array, strategy_array, algorithm_array]
        .into_iter()
        .zip(maps(manifest))
    {
        for (index, (key, value)) in map.iter().enumerate() {
            let pair =
                es_string_pair { key: shelf.text(Some(key)), value: shelf.text(Some(value)) };
            shelf.set(array, index, pair);
        }
    }
    let parts = &manifest.registered_components;
    let seed_flag = if manifest.seed.is_some() { ES_MANIFEST_HAS_SEED } else { 0 };
    let end_flag = if manifest.end_ts_init.is_some() { ES_MANIFEST_HAS_END } else { 0 };
    es_manifest {
        struct_size: 0,
        schema_version: manifest.schema_version,
        run_id,
        parent_run_id,
        instance_id,
        binary_hash,
        crate_versions,
        config_hash,
        feature_flags: flag_array.pointer(),
        feature_flag_count: manifest.feature_flags.len(),
        adapter_versions: adapter_array.pointer(),
        adapter_version_count: manifest.adapter_versions.len(),
        actors: actor_array.pointer(),
        actor_count: parts.actors.len(),
        strategies: strategy_array.pointer(),
        strategy_count: parts.strategies.len(),
        algorithms: algorithm_array.pointer(),
        algorithm_count: parts.algorithms.len(),
        subscriptions: subscription_array.pointer(),
        subscription_count: parts.subscriptions.len(),
        endpoints: endpoint_array.pointer(),
        endpoint_count: parts.endpoints.len(),
        seed: manifest.seed.unwrap_or(0),
        start_ts_init: manifest.start_ts_init,
        end_ts_init: manifest.end_ts_init.unwrap_or(0),
        high_watermark: manifest.high_watermark,
        status: manifest.status.code(),
        flags: seed_flag | end_flag,
        reserved: [0; 4],
    }
}
