//! The JSON shapes of CLI.md: keys in this order, numbers as integers, absent values as null.

use std::borrow::Cow;

use eventstore::entry::EntryView;
use eventstore::headers::Uuid;
use eventstore::index::{IndexKey, KeyList};
use eventstore::manifest::RunManifest;
use eventstore::snapshot::SnapshotAnchor;
use serde::Serialize;

use crate::hex;

/// The first line of a dump.
#[derive(Serialize)]
pub(crate) struct Head<'a> {
    pub(crate) manifest: Manifest<'a>,
    pub(crate) snapshot_anchor: Option<Anchor<'a>>,
}

/// An ordered map as a list of pairs.
type Pairs<'a> = &'a [(String, String)];

/// A run's manifest.
#[derive(Serialize)]
pub(crate) struct Manifest<'a> {
    run_id: &'a str,
    parent_run_id: Option<&'a str>,
    instance_id: &'a str,
    binary_hash: &'a str,
    schema_version: u32,
    crate_versions: &'a str,
    feature_flags: &'a [String],
    adapter_versions: Pairs<'a>,
    config_hash: &'a str,
    registered_components: Components<'a>,
    seed: Option<u64>,
    start_ts_init: u64,
    end_ts_init: Option<u64>,
    high_watermark: u64,
    status: &'static str,
}

#[derive(Serialize)]
struct Components<'a> {
    actors: Pairs<'a>,
    strategies: Pairs<'a>,
    algorithms: Pairs<'a>,
    subscriptions: &'a [String],
    endpoints: &'a [String],
}

impl<'a> From<&'a RunManifest> for Manifest<'a> {
    fn from(manifest: &'a RunManifest) -> Self {
        let parts = &manifest.registered_components;
        Self {
            run_id: &manifest.run_id,
            parent_run_id: manifest.parent_run_id.as_deref(),
            instance_id: &manifest.instance_id,
            binary_hash: &manifest.binary_hash,
            schema_version: manifest.schema_version,
            crate_versions: &manifest.crate_versions,
            feature_flags: &manifest.feature_flags,
            adapter_versions: &manifest.adapter_versions,
            config_hash: &manifest.config_hash,
            registered_components: Components {
                actors: &parts.actors,
                strategies: &parts.strategies,
                algorithms: &parts.algorithms,
                subscriptions: &parts.subscriptions,
                endpoints: &parts.endpoints,
            },
            seed: manifest.seed,
            start_ts_init: manifest.start_ts_init,
            end_ts_init: manifest.end_ts_init,
            high_watermark: manifest.high_watermark,
            status: manifest.status.name(),
        }
    }
}

/// A snapshot anchor.
#[derive(Serialize)]
pub(crate) struct Anchor<'a> {
    high_watermark: u64,
    blob_ref: &'a str,
    content_hash: &'a str,
}

impl<'a> From<&'a SnapshotAnchor> for Anchor<'a> {
    fn from(anchor: &'a SnapshotAnchor) -> Self {
        Self {
            high_watermark: anchor.high_watermark,
            blob_ref: &anchor.blob_ref,
            content_hash: &anchor.content_hash,
        }
    }
}

/// An entry.
#[derive(Serialize)]
pub(crate) struct Entry<'a> {
    seq: u64,
    ts_init: u64,
    ts_publish: u64,
    topic: &'a str,
    payload_type: &'a str,
    payload_hex: String,
    correlation_id: Option<String>,
    causation_id: Option<String>,
    entry_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    index_keys: Option<Vec<(&'static str, Cow<'a, str>)>>,
}

impl<'a> Entry<'a> {
    fn without_keys(entry: &EntryView<'a>) -> Self {
        let text = |id: Option<Uuid>| id.map(|id| id.to_string());
        Self {
            seq: entry.seq,
            ts_init: entry.ts_init,
            ts_publish: entry.ts_publish,
            topic: entry.topic,
            payload_type: entry.payload_type,
            payload_hex: hex::encode(entry.payload),
            correlation_id: text(entry.headers.correlation_id),
            causation_id: text(entry.headers.causation_id),
            entry_hash: hex::encode(&entry.entry_hash),
            index_keys: None,
        }
    }

    /// A row of a scan; its keys where the file records them.
    pub(crate) fn of_row(entry: &EntryView<'a>, keys: Option<KeyList<'a>>) -> Self {
        let index_keys =
            keys.map(|keys| keys.iter().map(|(kind, key)| (kind.name(), key.into())).collect());
        Self { index_keys, ..Self::without_keys(entry) }
    }

    /// An entry that was read alone, and its recorded keys.
    pub(crate) fn of_entry(entry: &EntryView<'a>, keys: Option<&'a [IndexKey]>) -> Self {
        let index_keys =
            keys.map(|keys| keys.iter().map(|key| (key.kind.name(), (&*key.key).into())).collect());
        Self { index_keys, ..Self::without_keys(entry) }
    }
}
