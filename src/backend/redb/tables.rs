//! The tables of a run file, and the rows whose place is fixed.
//!
//! The first six are FORMAT.md's and shared with another implementation; the `es_` ones are ours,
//! and a file without them opens and reads. What their rows hold: `commit_row`, `reserve`, the
//! constants here.

use redb::TableDefinition;

use crate::index::IndexKind;

pub(super) type Texts = TableDefinition<'static, &'static str, &'static [u8]>;
pub(super) type Numbers = TableDefinition<'static, &'static str, u64>;
pub(super) type Rows = TableDefinition<'static, u64, &'static [u8]>;

/// `"codec"` to the number of the frame encoding.
pub(super) const STORE_FORMAT: TableDefinition<'static, &'static str, u32> =
    TableDefinition::new("store_format");
/// `"current"` to the framed manifest.
pub(super) const MANIFEST: Texts = TableDefinition::new("manifest");
/// `seq` to the framed entry.
pub(super) const ENTRIES: Rows = TableDefinition::new("entries");
/// Key to the first `seq` that has it.
pub(super) const CLIENT_ORDER_IDS: Numbers = TableDefinition::new("client_order_id_idx");
/// Key to the first `seq` that has it.
pub(super) const VENUE_ORDER_IDS: Numbers = TableDefinition::new("venue_order_id_idx");
/// `"latest"` to the framed anchor.
pub(super) const ANCHOR: Texts = TableDefinition::new("snapshot_anchor");
/// Last `seq` of a commit, or of a part of one, to its time bounds and key lists.
pub(super) const COMMITS: Rows = TableDefinition::new("es_commits");
/// What the seal adds and what the opening notes: see the keys below.
pub(super) const META: Texts = TableDefinition::new("es_meta");
/// Space kept for the seal.
pub(super) const RESERVE: Rows = TableDefinition::new("es_reserve");

/// Empty; `reserve` takes and gives back space through it.
pub(super) const PROBE: Rows = TableDefinition::new("es_probe");

pub(super) const CODEC_KEY: &str = "codec";
pub(super) const CODEC_FORMAT: u32 = 1;
pub(super) const MANIFEST_KEY: &str = "current";
pub(super) const ANCHOR_KEY: &str = "latest";
/// In `es_meta`: the run digest as `RunDigest::to_stored` lays it out, written by the seal.
pub(super) const DIGEST_KEY: &str = "digest";
/// In `es_meta`: one byte 1 when a digest key was given at open; the key itself never is.
pub(super) const KEYED_KEY: &str = "keyed";

/// The index table of a kind.
pub(super) fn index_table(kind: IndexKind) -> Numbers {
    if kind == IndexKind::CLIENT_ORDER_ID { CLIENT_ORDER_IDS } else { VENUE_ORDER_IDS }
}
