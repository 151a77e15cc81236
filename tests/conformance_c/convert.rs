//! Between Rust values and what the C header declares, as a C program would fill it in.

use std::ffi::c_char;
use std::path::{Path, PathBuf};
use std::ptr;

use eventstore::entry::AppendEntry;
use eventstore::error::{EventStoreError, Fault};
use eventstore::ffi::constants::*;
use eventstore::ffi::draft::{es_draft, es_index_key};
use eventstore::ffi::error::es_error;
use eventstore::ffi::manifest::{es_manifest, es_string, es_string_pair};
use eventstore::ffi::status::*;
use eventstore::manifest::{RegisteredComponents, RunManifest, RunStatus, TextMap};

/// Zeroed memory, which every struct of the header starts from.
pub(crate) fn zeroed<T>() -> T {
    // SAFETY: only used for structs of the header: integers, raw pointers and an optional
    // function pointer, for all of which zero is a value.
    unsafe { std::mem::zeroed() }
}

/// What a call answered, as the error it stands for.
pub(crate) fn answer(call: impl FnOnce(*mut es_error) -> es_status) -> Result<(), EventStoreError> {
    let mut err: es_error = zeroed();
    let status = call(&raw mut err);
    if status == ES_OK {
        return Ok(());
    }
    assert_eq!(err.code, status, "es_error is written whole");
    Err(error_of(&err))
}

/// The text of an `es_error`.
fn message_of(err: &es_error) -> String {
    let bytes: Vec<u8> =
        err.message.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0).collect();
    String::from_utf8(bytes).expect("messages are UTF-8")
}

fn error_of(err: &es_error) -> EventStoreError {
    let fault = || Box::new(Fault { errno: Some(err.os_errno), ..Fault::new(message_of(err)) });
    match err.code {
        ES_ERR_INVALID_ARGUMENT | ES_ERR_INVALID_UTF8 => EventStoreError::InvalidArgument {
            item: usize::try_from(err.item_index).ok().filter(|_| err.item_index != ES_NONE),
            field: "named in the reason",
            reason: message_of(err),
        },
        ES_ERR_LOCKED => EventStoreError::Locked(fault()),
        ES_ERR_CLOSED => EventStoreError::Closed,
        ES_ERR_OUT_OF_ORDER => EventStoreError::OutOfOrder {
            high_watermark: err.high_watermark,
            seq: err.seq,
            next_seq: err.next_seq,
        },
        ES_ERR_ALREADY_EXISTS => EventStoreError::AlreadyExists(fault()),
        ES_ERR_NOT_FOUND => EventStoreError::NotFound(fault()),
        ES_ERR_NOT_SEALED => EventStoreError::NotSealed(fault()),
        ES_ERR_CRASHED_PREDECESSOR => EventStoreError::CrashedPredecessor(fault()),
        ES_ERR_CORRUPTED => EventStoreError::Corrupted(fault()),
        ES_ERR_HASH_MISMATCH => EventStoreError::HashMismatch { seq: err.seq },
        ES_ERR_SEQ_MISMATCH => {
            EventStoreError::SeqMismatch { table_key: err.seq, embedded_seq: err.next_seq }
        }
        ES_ERR_GAP => {
            EventStoreError::Gap { prev: err.prev_seq, next: err.next_seq, missing: err.seq }
        }
        ES_ERR_UNSUPPORTED_FORMAT => {
            EventStoreError::UnsupportedFormat { found: err.format_found, path: PathBuf::new() }
        }
        ES_ERR_DISK => EventStoreError::Disk(fault()),
        ES_ERR_BACKEND => EventStoreError::Backend(fault()),
        ES_ERR_UNSUPPORTED => EventStoreError::Unsupported { what: message_of(err) },
        other => panic!("status {other} in a conforming call: {}", message_of(err)),
    }
}

/// A text with its length, not NUL-terminated.
pub(crate) fn text(text: &str) -> (*const c_char, usize) {
    (text.as_ptr().cast(), text.len())
}

pub(crate) fn path_text(path: &Path) -> (*const c_char, usize) {
    text(path.to_str().expect("test paths are UTF-8"))
}

fn string(given: &str) -> es_string {
    let (data, len) = text(given);
    es_string { data, len }
}

/// A C manifest with the arrays that it points to.
pub(crate) struct CManifest {
    pub(crate) manifest: es_manifest,
    _lists: Vec<Vec<es_string>>,
    _maps: Vec<Vec<es_string_pair>>,
}

pub(crate) fn manifest(from: &RunManifest) -> CManifest {
    let parts = &from.registered_components;
    let lists: Vec<Vec<es_string>> = [&from.feature_flags, &parts.subscriptions, &parts.endpoints]
        .map(|list| list.iter().map(|item| string(item)).collect())
        .into();
    let maps: Vec<Vec<es_string_pair>> =
        [&from.adapter_versions, &parts.actors, &parts.strategies, &parts.algorithms]
            .map(|map| {
                let pair = |(key, value): &(String, String)| es_string_pair {
                    key: string(key),
                    value: string(value),
                };
                map.iter().map(pair).collect()
            })
            .into();
    let seed_flag = if from.seed.is_some() { ES_MANIFEST_HAS_SEED } else { 0 };
    let end_flag = if from.end_ts_init.is_some() { ES_MANIFEST_HAS_END } else { 0 };
    let manifest = es_manifest {
        struct_size: size_of::<es_manifest>() as u32,
        schema_version: from.schema_version,
        run_id: string(&from.run_id),
        parent_run_id: from
            .parent_run_id
            .as_deref()
            .map_or(es_string { data: ptr::null(), len: 0 }, string),
        instance_id: string(&from.instance_id),
        binary_hash: string(&from.binary_hash),
        crate_versions: string(&from.crate_versions),
        config_hash: string(&from.config_hash),
        feature_flags: lists[0].as_ptr(),
        feature_flag_count: lists[0].len(),
        adapter_versions: maps[0].as_ptr(),
        adapter_version_count: maps[0].len(),
        actors: maps[1].as_ptr(),
        actor_count: maps[1].len(),
        strategies: maps[2].as_ptr(),
        strategy_count: maps[2].len(),
        algorithms: maps[3].as_ptr(),
        algorithm_count: maps[3].len(),
        subscriptions: lists[1].as_ptr(),
        subscription_count: lists[1].len(),
        endpoints: lists[2].as_ptr(),
        endpoint_count: lists[2].len(),
        seed: from.seed.unwrap_or(0),
        start_ts_init: from.start_ts_init,
        end_ts_init: from.end_ts_init.unwrap_or(0),
        high_watermark: from.high_watermark,
        status: from.status.code(),
        flags: seed_flag | end_flag,
        reserved: [0; 4],
    };
    CManifest { manifest, _lists: lists, _maps: maps }
}

/// The manifest that `es_get_manifest` filled in.
///
/// # Safety
/// The arena that its pointers point to is still there.
pub(crate) unsafe fn manifest_from(given: &es_manifest) -> RunManifest {
    // SAFETY: the library filled pointers and counts, and the arena is still there.
    unsafe {
        RunManifest {
            run_id: owned(given.run_id),
            parent_run_id: (!given.parent_run_id.data.is_null())
                .then(|| owned(given.parent_run_id)),
            instance_id: owned(given.instance_id),
            binary_hash: owned(given.binary_hash),
            schema_version: given.schema_version,
            crate_versions: owned(given.crate_versions),
            feature_flags: list(given.feature_flags, given.feature_flag_count),
            adapter_versions: map(given.adapter_versions, given.adapter_version_count),
            config_hash: owned(given.config_hash),
            registered_components: RegisteredComponents {
                actors: map(given.actors, given.actor_count),
                strategies: map(given.strategies, given.strategy_count),
                algorithms: map(given.algorithms, given.algorithm_count),
                subscriptions: list(given.subscriptions, given.subscription_count),
                endpoints: list(given.endpoints, given.endpoint_count),
            },
            seed: (given.flags & ES_MANIFEST_HAS_SEED != 0).then_some(given.seed),
            start_ts_init: given.start_ts_init,
            end_ts_init: (given.flags & ES_MANIFEST_HAS_END != 0).then_some(given.end_ts_init),
            high_watermark: given.high_watermark,
            status: RunStatus::from_code(given.status).expect("a known status"),
        }
    }
}

/// A text in an arena, which must end in NUL behind its length.
///
/// # Safety
/// The library put the text there, and the arena is still there. So for the two below.
pub(crate) unsafe fn owned(given: es_string) -> String {
    // SAFETY: `len` bytes and a NUL were written at `data`.
    let bytes = unsafe { std::slice::from_raw_parts(given.data.cast::<u8>(), given.len + 1) };
    assert_eq!(bytes[given.len], 0, "texts in an arena are NUL-terminated");
    std::str::from_utf8(&bytes[..given.len]).expect("texts are UTF-8").to_owned()
}

unsafe fn list(items: *const es_string, count: usize) -> Vec<String> {
    assert!(count == 0 || items.is_aligned(), "lists in an arena are aligned");
    // SAFETY: `count` items were written at `items`.
    (0..count).map(|index| unsafe { owned(*items.add(index)) }).collect()
}

unsafe fn map(items: *const es_string_pair, count: usize) -> TextMap {
    assert!(count == 0 || items.is_aligned(), "lists in an arena are aligned");
    let pair = |index| {
        // SAFETY: `count` items were written at `items`.
        unsafe { (owned((*items.add(index)).key), owned((*items.add(index)).value)) }
    };
    (0..count).map(pair).collect()
}

/// The drafts of a batch, with the keys that they point to.
pub(crate) struct CDrafts {
    pub(crate) drafts: Vec<es_draft>,
    _keys: Vec<Vec<es_index_key>>,
}

pub(crate) fn drafts(entries: &[AppendEntry<'_>]) -> CDrafts {
    let keys: Vec<Vec<es_index_key>> = entries
        .iter()
        .map(|item| {
            let key = |(kind, key): (eventstore::index::IndexKind, &str)| es_index_key {
                key: key.as_ptr().cast(),
                key_len: key.len(),
                kind: u32::from(kind.code()),
                reserved: 0,
            };
            item.keys.iter().map(key).collect()
        })
        .collect();
    let draft = |(item, keys): (&AppendEntry<'_>, &Vec<es_index_key>)| {
        let entry = &item.entry;
        let headers = &entry.headers;
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        es_draft {
            topic: entry.topic.as_ptr().cast(),
            topic_len: entry.topic.len(),
            payload_type: entry.payload_type.as_ptr().cast(),
            payload_type_len: entry.payload_type.len(),
            payload: entry.payload.as_ptr().cast(),
            payload_len: entry.payload.len(),
            keys: keys.as_ptr(),
            key_count: keys.len() as u32,
            flags: flag(headers.correlation_id.is_some(), ES_DRAFT_HAS_CORRELATION_ID)
                | flag(headers.causation_id.is_some(), ES_DRAFT_HAS_CAUSATION_ID),
            ts_init: entry.ts_init,
            ts_publish: entry.ts_publish,
            correlation_id: headers.correlation_id.map_or([0; 16], |id| id.0),
            causation_id: headers.causation_id.map_or([0; 16], |id| id.0),
        }
    };
    CDrafts { drafts: entries.iter().zip(&keys).map(draft).collect(), _keys: keys }
}
