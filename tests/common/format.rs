//! FORMAT.md stated a second time, field by field and without the crate's codec, hash or digest.
//!
//! Slow and plain, so that it can be compared with the page by eye.

use eventstore::entry::Entry;
use eventstore::index::IndexKey;
use eventstore::manifest::RunManifest;
use eventstore::snapshot::SnapshotAnchor;

/// An entry and the keys that it was handed in with; `None` where they were not recorded.
pub type KeyedEntry = (Entry, Option<Vec<IndexKey>>);

fn header() -> Vec<u8> {
    vec![0x4E, 0x45, 0x53, 0x43, 0x01]
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn list(items: &[String]) -> Vec<u8> {
    let mut bytes = (items.len() as u64).to_le_bytes().to_vec();
    for item in items {
        bytes.extend(string(item));
    }
    bytes
}

fn map(items: &[(String, String)]) -> Vec<u8> {
    let mut bytes = (items.len() as u64).to_le_bytes().to_vec();
    for (key, value) in items {
        bytes.extend(string(key));
        bytes.extend(string(value));
    }
    bytes
}

fn option(value: Option<Vec<u8>>) -> Vec<u8> {
    value.map_or(vec![0], |bytes| [vec![1], bytes].concat())
}

fn uuid(id: [u8; 16]) -> Vec<u8> {
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[0..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]];
    string(&parts.join("-"))
}

/// The frame of an entry.
pub fn entry_frame(entry: &Entry) -> Vec<u8> {
    [
        header(),
        entry.entry_hash.to_vec(),
        entry.seq.to_le_bytes().to_vec(),
        option(entry.headers.correlation_id.map(|id| uuid(id.0))),
        option(entry.headers.causation_id.map(|id| uuid(id.0))),
        string(&entry.topic),
        string(&entry.payload_type),
        (entry.payload.len() as u64).to_le_bytes().to_vec(),
        entry.payload.clone(),
        entry.ts_init.to_le_bytes().to_vec(),
        entry.ts_publish.to_le_bytes().to_vec(),
    ]
    .concat()
}

/// The frame of a manifest.
pub fn manifest_frame(manifest: &RunManifest) -> Vec<u8> {
    let parts = &manifest.registered_components;
    [
        header(),
        string(&manifest.run_id),
        option(manifest.parent_run_id.as_deref().map(string)),
        string(&manifest.instance_id),
        string(&manifest.binary_hash),
        manifest.schema_version.to_le_bytes().to_vec(),
        string(&manifest.crate_versions),
        list(&manifest.feature_flags),
        map(&manifest.adapter_versions),
        string(&manifest.config_hash),
        map(&parts.actors),
        map(&parts.strategies),
        map(&parts.algorithms),
        list(&parts.subscriptions),
        list(&parts.endpoints),
        option(manifest.seed.map(|seed| seed.to_le_bytes().to_vec())),
        manifest.start_ts_init.to_le_bytes().to_vec(),
        option(manifest.end_ts_init.map(|end| end.to_le_bytes().to_vec())),
        manifest.high_watermark.to_le_bytes().to_vec(),
        (manifest.status as u32).to_le_bytes().to_vec(),
    ]
    .concat()
}

/// The frame of an anchor.
pub fn anchor_frame(anchor: &SnapshotAnchor) -> Vec<u8> {
    [
        header(),
        anchor.high_watermark.to_le_bytes().to_vec(),
        string(&anchor.blob_ref),
        string(&anchor.content_hash),
    ]
    .concat()
}

/// The hash of an entry, from all its fields but the stored hash.
pub fn entry_hash(entry: &Entry) -> [u8; 32] {
    let big_endian = |number: u64| number.to_be_bytes().to_vec();
    let counted = |bytes: &[u8]| [&(bytes.len() as u64).to_be_bytes(), bytes].concat();
    let id = |id: Option<[u8; 16]>| option(id.map(|bytes| bytes.to_vec()));
    let preimage = [
        b"nautilus-event-store/entry/v1".to_vec(),
        big_endian(entry.seq),
        big_endian(entry.ts_init),
        big_endian(entry.ts_publish),
        counted(entry.topic.as_bytes()),
        counted(entry.payload_type.as_bytes()),
        counted(&entry.payload),
        id(entry.headers.correlation_id.map(|id| id.0)),
        id(entry.headers.causation_id.map(|id| id.0)),
    ]
    .concat();
    *blake3::hash(&preimage).as_bytes()
}

/// The digest of a whole run.
pub fn run_digest(
    key: Option<&[u8; 32]>,
    entries: &[KeyedEntry],
    anchor: Option<&SnapshotAnchor>,
    sealed: &RunManifest,
) -> [u8; 32] {
    let mut preimage = b"eventstore/run-digest/v1".to_vec();
    for (entry, keys) in entries {
        preimage.extend(entry.entry_hash);
        preimage.extend(keys.as_ref().map_or(u32::MAX, |keys| keys.len() as u32).to_le_bytes());
        for key in keys.iter().flatten() {
            preimage.extend(key.kind.code().to_le_bytes());
            preimage.extend((key.key.len() as u16).to_le_bytes());
            preimage.extend(key.key.as_bytes());
        }
    }
    let counted = |frame: Vec<u8>| [(frame.len() as u64).to_le_bytes().to_vec(), frame].concat();
    preimage.extend(option(anchor.map(|anchor| counted(anchor_frame(anchor)))));
    preimage.extend(counted(manifest_frame(sealed)));
    match key {
        None => *blake3::hash(&preimage).as_bytes(),
        Some(key) => *blake3::keyed_hash(key, &preimage).as_bytes(),
    }
}
