//! The golden run files of another implementation: fresh copies of them, and what the JSON beside
//! each says is inside.

use std::fs;
use std::path::PathBuf;

use eventstore::entry::Entry;
use eventstore::headers::{Headers, Uuid};
use eventstore::index::{IndexKey, IndexKind};
use eventstore::manifest::{RegisteredComponents, RunManifest, RunStatus, TextMap};
use eventstore::snapshot::SnapshotAnchor;
use serde_json::Value;

use super::sample::Keyed;
use super::shared::shared_path;
use super::temporary::TemporaryFolder;

/// The instance that wrote the files.
pub const INSTANCE: &str = "trader-001";
/// Every file, by run id.
pub const RUNS: [&str; 8] = [
    "1700000000-ended001",
    "1700000001-empty001",
    "1700000002-running1",
    "1700000003-badhash1",
    "1700000004-gap00001",
    "1700000005-moved001",
    "1700000006-drift001",
    "1700000007-killed01",
];

/// A copy of one run file below a base folder of its own, and what should be in it.
pub struct GoldenRun {
    pub base: TemporaryFolder,
    pub path: PathBuf,
    /// The file's bytes as they were handed out.
    pub bytes: Vec<u8>,
    pub expected: Expected,
}

/// What the JSON file says.
pub struct Expected {
    pub entries: Vec<Keyed>,
    pub manifest: RunManifest,
    pub anchor: Option<SnapshotAnchor>,
}

/// Copies a run, since opening one may repair it; `None`, and said so, without the shared data.
pub fn copy_of(test_name: &str, run_id: &str) -> Option<GoldenRun> {
    let folder = shared_path(test_name, "golden")?;
    let file_name = format!("{run_id}.redb");
    let bytes = fs::read(folder.join(INSTANCE).join(&file_name)).expect("a golden run file");
    let base = TemporaryFolder::new(run_id);
    let path = base.path().join(INSTANCE).join(&file_name);
    fs::create_dir(path.parent().expect("inside the base")).expect("the base is empty");
    fs::write(&path, &bytes).expect("room for a copy");
    let json = fs::read_to_string(folder.join(format!("{run_id}.json"))).expect("a golden JSON");
    let expected = Expected::parse(&serde_json::from_str(&json).expect("valid JSON"));
    Some(GoldenRun { base, path, bytes, expected })
}

impl Expected {
    fn parse(json: &Value) -> Self {
        Self {
            entries: array(&json["entries"]).iter().map(entry).collect(),
            manifest: manifest(&json["manifest"]),
            anchor: present(&json["snapshot_anchor"]).map(|anchor| SnapshotAnchor {
                high_watermark: number(&anchor["high_watermark"]),
                blob_ref: text(&anchor["blob_ref"]),
                content_hash: text(&anchor["content_hash"]),
            }),
        }
    }
}

fn entry(json: &Value) -> Keyed {
    let id = |field: &Value| present(field).map(|id| Uuid(fixed(&text(id).replace('-', ""))));
    Keyed {
        entry: Entry {
            seq: number(&json["seq"]),
            ts_init: number(&json["ts_init"]),
            ts_publish: number(&json["ts_publish"]),
            topic: text(&json["topic"]),
            payload_type: text(&json["payload_type"]),
            payload: bytes(&text(&json["payload_hex"])),
            headers: Headers {
                correlation_id: id(&json["correlation_id"]),
                causation_id: id(&json["causation_id"]),
            },
            entry_hash: fixed(&text(&json["entry_hash"])),
        },
        keys: array(&json["index_keys"]).iter().map(index_key).collect(),
    }
}

fn index_key(json: &Value) -> IndexKey {
    let kind = match text(&json[0]).as_str() {
        "ClientOrderId" => IndexKind::CLIENT_ORDER_ID,
        "VenueOrderId" => IndexKind::VENUE_ORDER_ID,
        other => panic!("unknown index kind {other} in the golden JSON"),
    };
    IndexKey::new(kind, text(&json[1]))
}

fn manifest(json: &Value) -> RunManifest {
    let parts = &json["registered_components"];
    let status = match text(&json["status"]).as_str() {
        "Running" => RunStatus::Running,
        "Ended" => RunStatus::Ended,
        "CrashedRecovered" => RunStatus::CrashedRecovered,
        "Quarantined" => RunStatus::Quarantined,
        other => panic!("unknown status {other} in the golden JSON"),
    };
    RunManifest {
        run_id: text(&json["run_id"]),
        parent_run_id: present(&json["parent_run_id"]).map(text),
        instance_id: text(&json["instance_id"]),
        binary_hash: text(&json["binary_hash"]),
        schema_version: u32::try_from(number(&json["schema_version"])).expect("fits"),
        crate_versions: text(&json["crate_versions"]),
        feature_flags: texts(&json["feature_flags"]),
        adapter_versions: pairs(&json["adapter_versions"]),
        config_hash: text(&json["config_hash"]),
        registered_components: RegisteredComponents {
            actors: pairs(&parts["actors"]),
            strategies: pairs(&parts["strategies"]),
            algorithms: pairs(&parts["algorithms"]),
            subscriptions: texts(&parts["subscriptions"]),
            endpoints: texts(&parts["endpoints"]),
        },
        seed: present(&json["seed"]).map(number),
        start_ts_init: number(&json["start_ts_init"]),
        end_ts_init: present(&json["end_ts_init"]).map(number),
        high_watermark: number(&json["high_watermark"]),
        status,
    }
}

fn present(json: &Value) -> Option<&Value> {
    (!json.is_null()).then_some(json)
}

fn array(json: &Value) -> &[Value] {
    json.as_array().unwrap_or_else(|| panic!("a list instead of {json}"))
}

fn number(json: &Value) -> u64 {
    json.as_u64().unwrap_or_else(|| panic!("a number instead of {json}"))
}

fn text(json: &Value) -> String {
    json.as_str().unwrap_or_else(|| panic!("a text instead of {json}")).to_owned()
}

fn texts(json: &Value) -> Vec<String> {
    array(json).iter().map(text).collect()
}

fn pairs(json: &Value) -> TextMap {
    array(json).iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn fixed<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().expect("as many digits as the field has")
}
