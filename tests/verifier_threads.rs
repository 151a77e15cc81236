//! However many threads read a run, the verifier says the same of it, in the same order.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::sample::{self, INSTANCE, client};
use common::temporary::TemporaryFolder;
use common::{golden, shared};
use eventstore::backend::EventStore;
use eventstore::backend::log::{LogOptions, LogStore};
use eventstore::backend::redb::{RedbOptions, RedbStore};
use eventstore::codec;
use eventstore::error::EventStoreError;
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::verifier::{DigestVerdict, VerifyOptions, VerifyReport, verify_run};
use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const MANIFEST: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("manifest");
const COMMITS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("es_commits");
const CLIENTS: TableDefinition<'_, &str, u64> = TableDefinition::new("client_order_id_idx");

fn verify(path: &Path, threads: usize) -> Result<VerifyReport, EventStoreError> {
    verify_run(path, VerifyOptions { threads, ..VerifyOptions::default() })
}

/// The report of one thread, which those of others equal.
#[track_caller]
fn assert_same(what: &str, path: &Path) -> VerifyReport {
    let alone = verify(path, 1);
    for threads in [2, 3, 8, 0] {
        let together = verify(path, threads);
        assert_eq!(format!("{together:#?}"), format!("{alone:#?}"), "{what}, {threads} threads");
    }
    alone.unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn sealed_redb(base: &Path, count: u64) -> PathBuf {
    let mut store = RedbStore::new(base, RedbOptions::default());
    store.open_run(&sample::full_manifest("r-1")).unwrap();
    for chunk in sample::run_of(count).chunks(7) {
        sample::append(&mut store, chunk).unwrap();
    }
    store.record_snapshot_anchor(&sample::anchor(20)).unwrap();
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    base.join(INSTANCE).join("r-1.redb")
}

fn sealed_log(base: &Path, entries: &[sample::Keyed]) -> PathBuf {
    let options = LogOptions { segment_bytes_max: 8 << 10, ..LogOptions::default() };
    let mut store = LogStore::new(base, options);
    store.open_run(&sample::full_manifest("r-1")).unwrap();
    for chunk in entries.chunks(7) {
        sample::append(&mut store, chunk).unwrap();
    }
    store.record_snapshot_anchor(&sample::anchor(20)).unwrap();
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    base.join(INSTANCE).join("r-1.eslog")
}

/// Sound runs of both backends, their digests matching.
#[test]
fn sound_runs_are_clean_with_any_number_of_threads() {
    let base = TemporaryFolder::new("threads-sound");
    let redb = sealed_redb(base.path(), 1_000);
    let other = TemporaryFolder::new("threads-sound-log");
    let log = sealed_log(other.path(), &sample::run_of(1_000));
    for path in [redb, log] {
        let report = assert_same("a sound run", &path);
        assert_eq!(report.findings, []);
        assert_eq!((report.digest, report.entries_scanned), (DigestVerdict::Matches, 1_000));
    }
    let tiny = TemporaryFolder::new("threads-tiny");
    for count in [0, 1, 2] {
        let path = tiny.path().join(count.to_string());
        let mut store = LogStore::new(&path, LogOptions::default());
        store.open_run(&RunManifest::new("r-1", INSTANCE, 5)).unwrap();
        sample::append(&mut store, &sample::run_of(count)).unwrap();
        store.seal(RunStatus::Ended).unwrap();
        store.close().unwrap();
        let report = assert_same("a tiny run", &path.join(INSTANCE).join("r-1.eslog"));
        assert_eq!((report.findings, report.entries_scanned), (vec![], count));
    }
}

/// The files of the other implementation.
#[test]
fn golden_files_are_the_same_with_any_number_of_threads() {
    let test = "golden_files_are_the_same_with_any_number_of_threads";
    if shared::shared_path(test, "golden").is_none() {
        return;
    }
    for run_id in golden::RUNS {
        let run = golden::copy_of(test, run_id).unwrap();
        if run_id.ends_with("running1") || run_id.ends_with("killed01") {
            let refused = verify(&run.path, 8).unwrap_err();
            assert!(matches!(refused, EventStoreError::NotSealed(_)), "{refused}");
            continue;
        }
        assert_same(run_id, &run.path);
    }
}

fn damaged_frame(transaction: &WriteTransaction, seq: u64) -> Vec<u8> {
    let mut frame =
        transaction.open_table(ENTRIES).unwrap().get(seq).unwrap().unwrap().value().to_vec();
    let last = frame.len() - 1;
    frame[last] ^= 1;
    frame
}

fn remove(transaction: &WriteTransaction, seqs: impl IntoIterator<Item = u64>) {
    let mut entries = transaction.open_table(ENTRIES).unwrap();
    for seq in seqs {
        entries.remove(seq).unwrap();
    }
}

/// What somebody does to a run with a tool that keeps the file's checksums right.
type Operation = fn(&WriteTransaction);

const OPERATIONS: [(&str, Operation); 12] = [
    ("hashes here and there", |transaction| {
        for seq in [1, 7, 8, 99, 100, 101, 500, 1_000] {
            let frame = damaged_frame(transaction, seq);
            transaction.open_table(ENTRIES).unwrap().insert(seq, frame.as_slice()).unwrap();
        }
    }),
    ("every hash", |transaction| {
        for seq in 1..=1_000 {
            let frame = damaged_frame(transaction, seq);
            transaction.open_table(ENTRIES).unwrap().insert(seq, frame.as_slice()).unwrap();
        }
    }),
    ("a hole over several parts", |transaction| remove(transaction, 90..700)),
    ("small holes", |transaction| remove(transaction, (3..1_000).step_by(41))),
    ("no end", |transaction| remove(transaction, 640..=1_000)),
    ("no beginning", |transaction| remove(transaction, 1..=333)),
    ("no entries", |transaction| remove(transaction, 1..=1_000)),
    ("rows under other rows' keys", |transaction| {
        let mut entries = transaction.open_table(ENTRIES).unwrap();
        let other = entries.get(11).unwrap().unwrap().value().to_vec();
        for seq in [2, 500, 501] {
            entries.insert(seq, other.as_slice()).unwrap();
        }
    }),
    ("rows that do not decode, alike and apart", |transaction| {
        let mut entries = transaction.open_table(ENTRIES).unwrap();
        for seq in [5, 6, 200, 201, 202, 900] {
            entries.insert(seq, b"NESC\x01".as_slice()).unwrap();
        }
    }),
    ("commit rows that do not parse", |transaction| {
        let mut commits = transaction.open_table(COMMITS).unwrap();
        for seq in [14, 700] {
            commits.insert(seq, b"\x01".as_slice()).unwrap();
        }
    }),
    ("an index that drifted", |transaction| {
        let mut clients = transaction.open_table(CLIENTS).unwrap();
        clients.insert("GHOST", 9_999).unwrap();
        clients.insert("O-3", 15).unwrap();
        clients.insert("O-100", 7).unwrap();
        clients.remove("O-50").unwrap();
        clients.remove("O-200").unwrap();
    }),
    ("an entry far beyond", |transaction| {
        let mut entries = transaction.open_table(ENTRIES).unwrap();
        for seq in [1 << 40, 1 << 62, u64::MAX - 1] {
            let keyed = sample::keyed(seq);
            entries.insert(seq, codec::encode_entry(&keyed.entry.view()).as_slice()).unwrap();
        }
    }),
];

/// Every kind of damage inside a sound file, at the edges of parts and over them.
#[test]
fn operated_runs_are_the_same_with_any_number_of_threads() {
    let base = TemporaryFolder::new("threads-operated");
    let sound = sealed_redb(base.path(), 1_000);
    let path = base.path().join("operated.redb");
    for (what, operate) in OPERATIONS {
        fs::copy(&sound, &path).unwrap();
        let database = Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        operate(&transaction);
        transaction.commit().unwrap();
        database.close().unwrap();
        let report = assert_same(what, &path);
        println!("{what}: {} findings", report.findings.len());
        assert!(!report.findings.is_empty(), "{what} has no finding");
    }
}

/// A manifest that says that there is more, or less, than there is.
#[test]
fn wrong_manifest_is_the_same_with_any_number_of_threads() {
    let base = TemporaryFolder::new("threads-manifest");
    let path = sealed_redb(base.path(), 100);
    for high_watermark in [0, 99, 101, 1 << 50, u64::MAX] {
        let database = Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(MANIFEST).unwrap();
            let frame = table.get("current").unwrap().unwrap().value().to_vec();
            let mut manifest = codec::decode_manifest(&frame).unwrap();
            manifest.high_watermark = high_watermark;
            table.insert("current", codec::encode_manifest(&manifest).as_slice()).unwrap();
        }
        transaction.commit().unwrap();
        database.close().unwrap();
        let report = assert_same(&format!("high-watermark {high_watermark}"), &path);
        assert!(!report.findings.is_empty());
    }
}

/// A log with wrong hashes and keys in a sound structure, and ones whose structure is damaged:
/// a byte here and there in each file, a segment or an index that is missing or another's.
#[test]
fn damaged_logs_are_the_same_with_any_number_of_threads() {
    let mut entries = sample::run_of(1_000);
    for seq in [1, 17, 400, 401, 999] {
        entries[seq].entry.entry_hash[3] ^= 1;
    }
    entries[600].keys = vec![client("O-1")];
    let base = TemporaryFolder::new("threads-hashes");
    let report = assert_same("wrong hashes", &sealed_log(base.path(), &entries));
    assert!(report.findings.len() >= 5, "{:?}", report.findings);

    let base = TemporaryFolder::new("threads-log");
    let path = sealed_log(base.path(), &sample::run_of(400));
    let names: Vec<String> = fs::read_dir(&path)
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect();
    let segments = names.iter().filter(|name| name.ends_with(".seg")).count();
    assert!(segments > 8, "{segments} segments");
    for name in &names {
        let whole = fs::read(path.join(name)).unwrap();
        for place in [whole.len() / 9, whole.len() / 2] {
            let mut bytes = whole.clone();
            bytes[place] ^= 4;
            fs::write(path.join(name), &bytes).unwrap();
            assert_same_or_refused(&format!("{name}, byte {place}"), &path);
        }
        fs::remove_file(path.join(name)).unwrap();
        assert_same_or_refused(&format!("{name} is missing"), &path);
        fs::write(path.join(name), &whole).unwrap();
    }
    for name in &names {
        if let Some(stem) = name.strip_suffix(".idx") {
            let whole = fs::read(path.join(name)).unwrap();
            fs::remove_file(path.join(name)).unwrap();
            // So that the next ones are missing together with it.
            println!("{stem} without its index");
            assert_same("an index is missing", &path);
            fs::write(path.join(name), &whole).unwrap();
        }
    }
    for name in names.iter().filter(|name| name.ends_with(".idx")) {
        fs::remove_file(path.join(name)).unwrap();
    }
    assert_eq!(assert_same("no index at all", &path).findings, []);
}

#[track_caller]
fn assert_same_or_refused(what: &str, path: &Path) {
    let alone = format!("{:#?}", verify(path, 1));
    for threads in [2, 3, 8] {
        assert_eq!(format!("{:#?}", verify(path, threads)), alone, "{what}, {threads} threads");
    }
}

/// Progress comes on the caller's thread, at the same entries, and ends the work.
#[test]
fn progress_is_told_by_the_caller_with_any_number_of_threads() {
    let base = TemporaryFolder::new("threads-progress");
    let mut store = LogStore::new(base.path(), LogOptions::default());
    store.open_run(&RunManifest::new("r-1", INSTANCE, 5)).unwrap();
    sample::append(&mut store, &sample::light_entries(1, 30_000)).unwrap();
    store.seal(RunStatus::Ended).unwrap();
    store.close().unwrap();
    let path = base.path().join(INSTANCE).join("r-1.eslog");
    let caller = std::thread::current().id();
    for threads in [1, 2, 8] {
        let mut told = Vec::new();
        let mut tell = |progress: &eventstore::progress::Progress| {
            assert_eq!(std::thread::current().id(), caller);
            told.push(progress.entries);
            if told.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let options =
            VerifyOptions { threads, progress: Some(&mut tell), ..VerifyOptions::default() };
        let ended = verify_run(&path, options).unwrap_err();
        assert!(matches!(ended, EventStoreError::Timeout), "{ended}");
        assert_eq!(told, [4096, 8192, 12288], "{threads} threads");
    }
}

/// More threads than anybody has are an argument that is refused.
#[test]
fn too_many_threads_are_refused() {
    let refused = verify(Path::new("/nowhere"), 1_025).unwrap_err();
    let is_named = matches!(refused, EventStoreError::InvalidArgument { field: "threads", .. });
    assert!(is_named, "{refused}");
}
