//! Sample runs: manifests with every field set, entries of every shape, and their batches.

use eventstore::backend::EventStore;
use eventstore::entry::{AppendEntry, Entry};
use eventstore::error::Result;
use eventstore::headers::{Headers, Uuid};
use eventstore::index::{self, IndexKey, IndexKind, KeyList};
use eventstore::manifest::{RegisteredComponents, RunManifest};
use eventstore::snapshot::SnapshotAnchor;

use super::format;

pub const INSTANCE: &str = "trader-007";
/// The time of the first entry of [`run_of`], in nanoseconds since the Unix epoch.
pub const START_TS: u64 = 1_700_000_000_000_000_000;

/// An entry and its keys, as they are handed to a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    pub entry: Entry,
    pub keys: Vec<IndexKey>,
}

impl Keyed {
    pub fn for_digest(&self) -> format::KeyedEntry {
        (self.entry.clone(), Some(self.keys.clone()))
    }
}

pub fn client(key: impl Into<String>) -> IndexKey {
    IndexKey::new(IndexKind::CLIENT_ORDER_ID, key)
}

pub fn venue(key: impl Into<String>) -> IndexKey {
    IndexKey::new(IndexKind::VENUE_ORDER_ID, key)
}

/// A manifest that sets every field that a new run may set.
pub fn full_manifest(run_id: &str) -> RunManifest {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    RunManifest {
        parent_run_id: Some("1699999999-parent01".into()),
        binary_hash: "blake3:00ff".into(),
        schema_version: 7,
        crate_versions: "engine 1.2.3".into(),
        feature_flags: vec!["live".into(), "größe".into()],
        // Not sorted: the order given is part of the manifest.
        adapter_versions: vec![pair("bitstamp", "2"), pair("bats", "1")],
        config_hash: "cafe".into(),
        registered_components: RegisteredComponents {
            actors: vec![pair("actor-b", "1"), pair("actor-a", "2")],
            strategies: vec![pair("maker", "3")],
            algorithms: vec![pair("twap", "4")],
            subscriptions: vec!["data.quotes".into()],
            endpoints: vec!["exec.engine".into(), String::new()],
        },
        seed: Some(u64::MAX),
        ..RunManifest::new(run_id, INSTANCE, START_TS)
    }
}

/// The entry with its hash put right, computed without the crate's own hash.
pub fn hashed(mut entry: Entry) -> Entry {
    entry.entry_hash = format::entry_hash(&entry);
    entry
}

/// One entry of an order flow: topics, header shapes, payload lengths and keys vary with `seq`;
/// every 16th timestamp steps back.
pub fn keyed(seq: u64) -> Keyed {
    let order = seq / 4;
    let id = |salt: u8| {
        let mut bytes = [salt; 16];
        bytes[..8].copy_from_slice(&seq.to_be_bytes());
        Uuid(bytes)
    };
    let step_back = if seq % 16 == 9 { 5_000 } else { 0 };
    let time = START_TS.wrapping_add(seq.wrapping_mul(1_000));
    let entry = Entry {
        seq,
        ts_init: time.wrapping_sub(step_back),
        ts_publish: time.wrapping_add(seq % 7),
        topic: ["exec.command", "exec.event", "data.größe"][(seq % 3) as usize].to_owned(),
        payload_type: ["SubmitOrder", "OrderFilled"][(seq % 2) as usize].to_owned(),
        payload: (0..seq % 97).map(|i| (i * 31).wrapping_add(seq) as u8).collect(),
        headers: Headers {
            correlation_id: (seq & 1 != 0).then(|| id(1)),
            causation_id: (seq & 2 != 0).then(|| id(2)),
        },
        entry_hash: [0; 32],
    };
    let keys = match seq % 4 {
        0 => vec![client(format!("O-{order}"))],
        1 => vec![client(format!("O-{order}")), venue(format!("V-{order}"))],
        2 => vec![],
        _ => vec![venue(format!("V-{order}")), venue(format!("V-{order}"))],
    };
    Keyed { entry: hashed(entry), keys }
}

/// The entries `1..=count` of the order flow.
pub fn run_of(count: u64) -> Vec<Keyed> {
    (1..=count).map(keyed).collect()
}

/// The entries `from..=to` of the order flow, with keys but almost no payload.
pub fn light_entries(from: u64, to: u64) -> Vec<Keyed> {
    (from..=to)
        .map(|seq| {
            let Keyed { mut entry, keys } = keyed(seq);
            entry.payload.truncate(8);
            Keyed { entry: hashed(entry), keys }
        })
        .collect()
}

/// Appends all of `entries` as one batch.
pub fn append(store: &mut dyn EventStore, entries: &[Keyed]) -> Result<u64> {
    let lists: Vec<(u32, Vec<u8>)> = entries
        .iter()
        .map(|item| index::encode_keys(&item.keys).expect("sample keys are within bounds"))
        .collect();
    let batch: Vec<AppendEntry<'_>> = entries
        .iter()
        .zip(&lists)
        .map(|(item, (count, bytes))| AppendEntry {
            entry: item.entry.view(),
            keys: KeyList::parse(*count, bytes).expect("encoded just now"),
        })
        .collect();
    store.append_batch(&batch)
}

pub fn anchor(high_watermark: u64) -> SnapshotAnchor {
    SnapshotAnchor {
        high_watermark,
        blob_ref: format!("snapshots/{high_watermark}.größe"),
        content_hash: format!("blake3:{high_watermark:064x}"),
    }
}
