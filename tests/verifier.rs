//! The verifier finds what is wrong with a run, all of it, and changes nothing.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::sample::{self, INSTANCE};
use common::temporary::TemporaryFolder;
use common::{golden, shared};
use eventstore::backend::EventStore;
use eventstore::backend::redb::{RedbOptions, RedbStore};
use eventstore::codec;
use eventstore::error::EventStoreError;
use eventstore::index::IndexKind;
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::verifier::{
    DigestVerdict, Drift, Finding, VerifyOptions, VerifyReport, verify_run,
};
use redb::{Database, ReadableTable, TableDefinition};

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const MANIFEST: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("manifest");
const ANCHOR: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("snapshot_anchor");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("es_meta");
const COMMITS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("es_commits");
const CLIENTS: TableDefinition<'_, &str, u64> = TableDefinition::new("client_order_id_idx");
const VENUES: TableDefinition<'_, &str, u64> = TableDefinition::new("venue_order_id_idx");

fn verify(path: &Path) -> VerifyReport {
    let before = fs::read(path).unwrap();
    let report = verify_run(path, VerifyOptions::default()).unwrap();
    assert!(before == fs::read(path).unwrap(), "verifying changed the file");
    report
}

/// A sealed run of 40 entries with an anchor at 20, and its digest.
fn sealed_run(base: &Path, digest_key: Option<[u8; 32]>) -> (PathBuf, [u8; 32]) {
    let options = RedbOptions { digest_key, ..RedbOptions::default() };
    let mut store = RedbStore::new(base, options);
    store.open_run(&sample::full_manifest("r-1")).unwrap();
    for chunk in sample::run_of(40).chunks(7) {
        sample::append(&mut store, chunk).unwrap();
    }
    store.record_snapshot_anchor(&sample::anchor(20)).unwrap();
    let digest = store.seal(RunStatus::Ended).unwrap().digest.unwrap().bytes;
    store.close().unwrap();
    (base.join(INSTANCE).join("r-1.redb"), digest)
}

/// A run on which somebody operated with a tool that keeps the file's checksums right.
fn operated(label: &str, operate: impl FnOnce(&redb::WriteTransaction)) -> VerifyReport {
    let base = TemporaryFolder::new(label);
    let (path, _) = sealed_run(base.path(), None);
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    operate(&transaction);
    transaction.commit().unwrap();
    database.close().unwrap();
    verify(&path)
}

/// The findings, without the digest's: every change of an entry or key changes that too.
fn beside_digest(report: &VerifyReport) -> Vec<Finding> {
    let mut findings = report.findings.clone();
    findings.retain(|finding| !matches!(finding, Finding::DigestMismatch { .. }));
    findings
}

fn frame_of(transaction: &redb::WriteTransaction, seq: u64) -> Vec<u8> {
    transaction.open_table(ENTRIES).unwrap().get(seq).unwrap().unwrap().value().to_vec()
}

fn edit_manifest(transaction: &redb::WriteTransaction, edit: impl FnOnce(&mut RunManifest)) {
    let mut table = transaction.open_table(MANIFEST).unwrap();
    let frame = table.get("current").unwrap().unwrap().value().to_vec();
    let mut manifest = codec::decode_manifest(&frame).unwrap();
    edit(&mut manifest);
    table.insert("current", codec::encode_manifest(&manifest).as_slice()).unwrap();
}

/// Every golden file gives what FORMAT.md's table says.
#[test]
fn golden_files_give_what_the_format_page_says() {
    let test = "golden_files_give_what_the_format_page_says";
    if shared::shared_path(test, "golden").is_none() {
        return;
    }
    let drift = |kind, key: &str, target, drift| Finding::IndexDrift {
        kind,
        key: key.into(),
        target: Some(target),
        drift,
    };
    for run_id in golden::RUNS {
        let run = golden::copy_of(test, run_id).unwrap();
        let verified = verify_run(&run.path, VerifyOptions::default());
        assert!(run.bytes == fs::read(&run.path).unwrap(), "verifying changed {run_id}");
        let report = match verified {
            Ok(report) => report,
            Err(error) => {
                let is_unsealed = run_id.ends_with("running1") || run_id.ends_with("killed01");
                assert!(is_unsealed && matches!(error, EventStoreError::NotSealed(_)), "{error}");
                continue;
            }
        };
        assert_eq!(report.run_id.as_deref(), Some(run_id));
        assert!(matches!(report.digest, DigestVerdict::Absent { .. }), "{:?}", report.digest);
        let of_entry = |seq: u64| -> Vec<Finding> {
            let item = &run.expected.entries[seq as usize - 1];
            let first = |key: &&eventstore::index::IndexKey| {
                let earlier = &run.expected.entries[..seq as usize - 1];
                !earlier.iter().any(|other| other.keys.contains(key))
            };
            let keys = item.keys.iter().filter(first);
            keys.map(|key| drift(key.kind, &key.key, seq, Drift::Corrupted)).collect()
        };
        let expected = match run_id.split_once('-').unwrap().1 {
            "ended001" | "empty001" => vec![],
            "badhash1" => [vec![Finding::HashMismatch { seq: 3 }], of_entry(3)].concat(),
            "gap00001" => vec![Finding::Gap { from: 4, to: 4 }],
            "moved001" => vec![Finding::SeqMismatch { table_key: 2, embedded_seq: 5 }],
            "drift001" => vec![drift(IndexKind::CLIENT_ORDER_ID, "GHOST", 99, Drift::Dangling)],
            other => panic!("{other} should not be sealed"),
        };
        let mut found = report.findings.clone();
        if !run_id.ends_with("badhash1") && !run_id.ends_with("drift001") {
            // Keys of a row that is missing or another's drift as well.
            found.retain(|finding| !matches!(finding, Finding::IndexDrift { .. }));
        }
        println!("{run_id}: {:?}", report.findings);
        assert_eq!(found, expected, "{run_id}");
    }
}

/// A run that nobody touched is clean, and its digest is that which its seal answered.
#[test]
fn untouched_run_is_clean() {
    let base = TemporaryFolder::new("clean");
    let (path, digest) = sealed_run(base.path(), None);
    let expected = VerifyOptions { expected_digest: Some(digest), ..VerifyOptions::default() };
    let report = verify_run(&path, expected).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!(report.digest, DigestVerdict::Matches);
    assert_eq!((report.entries_scanned, report.high_watermark), (40, Some(40)));
    assert_eq!(report.status, Some(RunStatus::Ended));
    let other = VerifyOptions { expected_digest: Some([7; 32]), ..VerifyOptions::default() };
    let report = verify_run(&path, other).unwrap();
    assert!(matches!(&*report.findings, [Finding::DigestMismatch { .. }]), "{:?}", report.findings);
}

/// A keyed digest is checked with its key, refused with another, and not claimed without one.
#[test]
fn keyed_digest_is_checked_with_its_key_alone() {
    let base = TemporaryFolder::new("keyed");
    let (path, digest) = sealed_run(base.path(), Some([9; 32]));
    let with = |digest_key, expected_digest| {
        let options = VerifyOptions { digest_key, expected_digest, ..VerifyOptions::default() };
        verify_run(&path, options).unwrap()
    };
    let report = with(Some([9; 32]), Some(digest));
    assert!(report.is_clean() && report.digest == DigestVerdict::Matches, "{report:?}");
    assert_eq!(with(Some([8; 32]), None).digest, DigestVerdict::Differs);
    let report = with(None, Some(digest));
    assert!(report.is_clean() && matches!(report.digest, DigestVerdict::NotChecked { .. }));

    // Whoever holds the key is not content with a digest that anyone can make.
    let plain = TemporaryFolder::new("plain");
    let (path, _) = sealed_run(plain.path(), None);
    let options = VerifyOptions { digest_key: Some([9; 32]), ..VerifyOptions::default() };
    assert_eq!(verify_run(&path, options).unwrap().digest, DigestVerdict::Differs);
}

/// Bad rows of every kind in one run are all reported, gaps as ranges.
#[test]
fn bad_rows_are_all_reported() {
    let report = operated("rows", |transaction| {
        let of_eleven = frame_of(transaction, 11);
        let mut of_three = frame_of(transaction, 3);
        let last = of_three.len() - 1;
        of_three[last] ^= 1;
        let mut entries = transaction.open_table(ENTRIES).unwrap();
        entries.insert(3, of_three.as_slice()).unwrap();
        entries.insert(5, of_eleven.as_slice()).unwrap();
        entries.insert(7, b"NESC\x01".as_slice()).unwrap();
        for seq in [20, 21, 22, 39, 40] {
            entries.remove(seq).unwrap();
        }
    });
    let rows: Vec<Finding> = beside_digest(&report)
        .into_iter()
        .filter(|finding| !matches!(finding, Finding::IndexDrift { .. }))
        .collect();
    let [hash, order, Finding::Undecodable { seq: 7, reason }, middle, tail, manifest] = &rows[..]
    else {
        panic!("{rows:#?}");
    };
    assert_eq!(*hash, Finding::HashMismatch { seq: 3 });
    assert_eq!(*order, Finding::SeqMismatch { table_key: 5, embedded_seq: 11 });
    assert!(reason.contains("malformed frame"), "{reason}");
    assert_eq!(*middle, Finding::Gap { from: 20, to: 22 });
    assert_eq!(*tail, Finding::Gap { from: 39, to: 40 });
    let is_named = matches!(manifest, Finding::ManifestMismatch { field: "high_watermark", .. });
    assert!(is_named, "{manifest:?}");
    assert_eq!(report.digest, DigestVerdict::Differs);
    assert_eq!(report.entries_scanned, 40 - 8);
    // Of the bad rows, 5 is the first with its key, and of the missing ones 20, 21 and 40 are.
    let drifts = |wanted| {
        let is_wanted = |finding: &&Finding| matches!(finding, Finding::IndexDrift { drift, .. } if *drift == wanted);
        report.findings.iter().filter(is_wanted).count()
    };
    assert_eq!((drifts(Drift::Corrupted), drifts(Drift::Dangling)), (1, 3));
}

/// Every way in which an index row and the entries can disagree is told apart.
#[test]
fn index_drift_is_found_both_ways() {
    let report = operated("drift", |transaction| {
        let mut clients = transaction.open_table(CLIENTS).unwrap();
        clients.insert("O-1", 5).unwrap(); // committed with 4 first, and with 5
        clients.insert("O-2", 3).unwrap(); // 3 was not committed with it
        clients.insert("GHOST", 99).unwrap();
        clients.insert("ZERO", 0).unwrap();
        clients.insert("NOBODYS", 10).unwrap();
        let mut venues = transaction.open_table(VENUES).unwrap();
        venues.remove("V-3").unwrap();
    });
    let mut found: Vec<_> = beside_digest(&report)
        .into_iter()
        .map(|finding| match finding {
            Finding::IndexDrift { key, target, drift, .. } => (key, target, drift),
            other => panic!("{other}"),
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        ("GHOST", 99, Drift::Dangling),
        ("NOBODYS", 10, Drift::Wrong),
        ("O-1", 5, Drift::Wrong),
        ("O-2", 3, Drift::Wrong),
        ("V-3", 13, Drift::Missing),
        ("ZERO", 0, Drift::Dangling),
    ];
    let expected = expected.map(|(key, target, drift)| (key.to_owned(), Some(target), drift));
    assert_eq!(found, expected);
    // The digest covers the keys of the entries, which nobody touched.
    assert_eq!(report.digest, DigestVerdict::Matches);
}

/// The manifest is compared with the entries, and its other fields with the digest.
#[test]
fn manifest_that_was_edited_is_found() {
    let fields = |report: &VerifyReport| -> Vec<&'static str> {
        let field = |finding: &Finding| match finding {
            Finding::ManifestMismatch { field, .. } => Some(*field),
            _ => None,
        };
        report.findings.iter().filter_map(field).collect()
    };
    let report = operated("manifest", |transaction| {
        edit_manifest(transaction, |manifest| {
            manifest.high_watermark = 30;
            manifest.end_ts_init = None;
        });
    });
    assert_eq!(fields(&report), ["high_watermark", "end_ts_init"]);
    assert_eq!((report.entries_scanned, report.high_watermark), (40, Some(40)));
    let report = operated("manifest-hash", |transaction| {
        edit_manifest(transaction, |manifest| manifest.config_hash = "other".into());
    });
    assert_eq!((fields(&report).len(), report.digest), (0, DigestVerdict::Differs));
    let report = operated("manifest-far", |transaction| {
        edit_manifest(transaction, |manifest| manifest.high_watermark = u64::MAX);
    });
    assert_eq!(fields(&report), ["high_watermark"]);
    let is_gap = |finding: &Finding| matches!(finding, Finding::Gap { from: 41, .. });
    assert!(report.findings.iter().any(is_gap), "{:?}", report.findings);
}

/// An anchor beyond the run, or not in the format, cannot be restored from.
#[test]
fn invalid_anchor_is_found() {
    let beyond = codec::encode_anchor(&sample::anchor(41));
    for frame in [beyond.as_slice(), b"NESC\x01junk".as_slice()] {
        let report = operated("anchor", |transaction| {
            transaction.open_table(ANCHOR).unwrap().insert("latest", frame).unwrap();
        });
        let found = beside_digest(&report);
        assert!(matches!(&*found, [Finding::AnchorInvalid { .. }]), "{found:?}");
        assert_eq!(report.digest, DigestVerdict::Differs);
    }
}

/// A digest that is gone is said to be absent, and is a finding for whoever expects it.
#[test]
fn absent_digest_is_a_finding_when_one_is_expected() {
    let base = TemporaryFolder::new("absent");
    let (path, digest) = sealed_run(base.path(), None);
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().remove("digest").unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    let report = verify(&path);
    assert!(report.is_clean() && matches!(report.digest, DigestVerdict::Absent { .. }));
    let expected = VerifyOptions { expected_digest: Some(digest), ..VerifyOptions::default() };
    let report = verify_run(&path, expected).unwrap();
    assert!(matches!(&*report.findings, [Finding::DigestMismatch { .. }]), "{:?}", report.findings);
}

/// A commit row that is not in the format costs its entries their keys and time bounds: said once.
#[test]
fn malformed_commit_row_is_found() {
    let report = operated("commit-row", |transaction| {
        let mut commits = transaction.open_table(COMMITS).unwrap();
        commits.insert(14, b"\x01".as_slice()).unwrap();
    });
    let rows: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| matches!(finding, Finding::Undecodable { .. }))
        .collect();
    assert!(matches!(&*rows, [Finding::Undecodable { seq: 8, .. }]), "{rows:?}");
    assert_eq!(report.entries_scanned, 33);
}

/// What is no run is refused, unchanged; what was one and is damaged is a finding.
#[test]
fn files_that_are_no_runs_are_refused() {
    let base = TemporaryFolder::new("foreign");
    let path = base.path().join("r-1.redb");
    let refuse = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let refused = verify_run(&path, VerifyOptions::default()).unwrap_err();
        assert!(fs::read(&path).unwrap() == bytes, "{refused}");
        refused
    };
    for bytes in [b"".as_slice(), b"text", b"SQLite format 3\0", &[0; 4096]] {
        let refused = refuse(bytes);
        assert!(matches!(refused, EventStoreError::Corrupted(_)), "{refused}");
    }
    let other = base.path().join("other.redb");
    let database = Database::create(&other).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("numbers")).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    let refused = refuse(&fs::read(&other).unwrap());
    assert!(matches!(refused, EventStoreError::Corrupted(_)), "{refused}");

    let (run, _) = sealed_run(base.path(), None);
    let database = Database::create(&run).unwrap();
    let transaction = database.begin_write().unwrap();
    let formats = TableDefinition::<&str, u32>::new("store_format");
    transaction.open_table(formats).unwrap().insert("codec", 2).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    let refused = refuse(&fs::read(&run).unwrap());
    assert!(matches!(refused, EventStoreError::UnsupportedFormat { found: 2, .. }), "{refused}");
    let missing = verify_run(&base.path().join("none.redb"), VerifyOptions::default());
    assert!(matches!(missing, Err(EventStoreError::NotFound(_))));
}

/// A run whose writer lives is not verified, and whoever waits may end it.
#[test]
fn live_run_is_locked_and_progress_may_end_it() {
    let base = TemporaryFolder::new("live");
    let mut store = RedbStore::new(base.path(), RedbOptions::default());
    store.open_run(&RunManifest::new("r-1", INSTANCE, 5)).unwrap();
    let path = store.run_path().unwrap();
    let refused = verify_run(&path, VerifyOptions::default()).unwrap_err();
    assert!(matches!(refused, EventStoreError::Locked(_)), "{refused}");
    sample::append(&mut store, &sample::light_entries(1, 10_000)).unwrap();
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    let mut told = Vec::new();
    let mut tell = |progress: &eventstore::progress::Progress| {
        told.push(progress.entries);
        if told.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = VerifyOptions { progress: Some(&mut tell), ..VerifyOptions::default() };
    let ended = verify_run(&path, options).unwrap_err();
    assert!(matches!(ended, EventStoreError::Timeout), "{ended}");
    assert_eq!(told, [4096, 8192]);
}
