//! The catalogue lists every run of an instance, whatever state it is in, and changes nothing.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::sample::{self, INSTANCE};
use common::temporary::TemporaryFolder;
use common::{golden, shared};
use eventstore::backend::EventStore;
use eventstore::backend::redb::{RedbOptions, RedbStore};
use eventstore::catalogue::{ListedState, RunListing, list_instances, list_runs};
use eventstore::error::EventStoreError;
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::store::{self, BackendKind, OpenOptions, ReaderOptions};

fn written(base: &Path, run_id: &str, start: u64, count: u64) -> RedbStore {
    let mut store = RedbStore::new(base, RedbOptions::default());
    store.open_run(&RunManifest::new(run_id, INSTANCE, start)).unwrap();
    sample::append(&mut store, &sample::run_of(count)).unwrap();
    store
}

fn names(listings: &[RunListing]) -> Vec<&str> {
    listings.iter().map(|listing| listing.run_id.as_str()).collect()
}

fn bytes_of(folder: &Path) -> BTreeMap<std::ffi::OsString, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    files.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap_or_default())).collect()
}

/// Runs come by when they started, then by id; what cannot be read comes after, with the reason.
#[test]
fn runs_are_listed_by_start_and_id_with_their_state() {
    let base = TemporaryFolder::new("listing");
    let base = base.path();
    let mut sealed = written(base, "r-b", 30, 10);
    sealed.seal(RunStatus::Ended).unwrap();
    sealed.close().unwrap();
    written(base, "r-a", 30, 4).close().unwrap();
    written(base, "r-z", 20, 6).abandon();
    let manifest = RunManifest::new("r-live", INSTANCE, 10);
    let live = store::open_run(base, &manifest, OpenOptions::default()).unwrap();
    let folder = base.join(INSTANCE);
    fs::write(folder.join("text.redb"), "not a run").unwrap();
    fs::write(folder.join("no id!.redb"), "").unwrap();
    fs::write(folder.join(".r.redb.new-1-0"), "stub").unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    fs::create_dir(folder.join("folder.redb")).unwrap();
    let before = bytes_of(&folder);
    let listings = list_runs(base, INSTANCE).unwrap();
    assert!(before == bytes_of(&folder), "listing changed something");
    let expected = ["r-z", "r-a", "r-b", "folder", "no id!", "r-live", "text"];
    assert_eq!(names(&listings), expected);
    let of = |run_id: &str| listings.iter().find(|listing| listing.run_id == run_id).unwrap();
    let states = ["r-z", "r-a", "r-b"].map(|run_id| {
        let found = of(run_id).summary().unwrap();
        (found.manifest.status, found.high_watermark, found.needs_repair)
    });
    let running = RunStatus::Running;
    assert_eq!(states, [(running, 6, true), (running, 4, false), (RunStatus::Ended, 10, false)]);
    assert!(of("r-live").is_held() && of("r-live").bytes > 0);
    for run_id in ["folder", "no id!", "text"] {
        assert!(matches!(of(run_id).state, ListedState::Unreadable(_)), "{run_id}");
    }
    let sealed = of("r-b");
    assert_eq!(sealed.backend, BackendKind::Redb);
    assert_eq!(sealed.bytes, fs::metadata(&sealed.path).unwrap().len());
    drop(live);
}

/// A run that somebody reads is listed like any other, and listing does not disturb its reader.
#[test]
fn reading_and_listing_do_not_disturb_each_other() {
    let base = TemporaryFolder::new("readers");
    let mut run = written(base.path(), "r-1", 1, 5);
    run.seal(RunStatus::Ended).unwrap();
    run.close().unwrap();
    let path = run.run_path().unwrap();
    let reader = store::open_sealed_run(&path, &ReaderOptions::default()).unwrap();
    let listings = list_runs(base.path(), INSTANCE).unwrap();
    assert!(listings[0].summary().is_some());
    store::open_sealed_run(&path, &ReaderOptions::default()).unwrap();
    assert!(reader.view().scan_seq(5).unwrap().is_some());
}

/// The golden instance is listed in the order of its runs, the one that was killed included.
#[test]
fn golden_instance_is_listed() {
    let test = "golden_instance_is_listed";
    let Some(folder) = shared::shared_path(test, "golden") else { return };
    let before = bytes_of(&folder.join(golden::INSTANCE));
    let listings = list_runs(&folder, golden::INSTANCE).unwrap();
    assert!(before == bytes_of(&folder.join(golden::INSTANCE)));
    assert_eq!(names(&listings), golden::RUNS);
    let marks = listings.iter().map(|listing| listing.summary().unwrap().high_watermark);
    let marks: Vec<u64> = marks.collect();
    assert_eq!((marks[0], marks[1], marks[2], marks[7]), (60, 0, 5, 7));
    assert!(listings[7].summary().unwrap().needs_repair);
}

/// Instances are directories with a legal name; links and files are none.
#[test]
fn instances_are_listed() {
    let base = TemporaryFolder::new("instances");
    for name in ["b-2", "a-1", ".hidden", "no id!"] {
        fs::create_dir(base.path().join(name)).unwrap();
    }
    fs::write(base.path().join("file"), "").unwrap();
    std::os::unix::fs::symlink("a-1", base.path().join("link")).unwrap();
    assert_eq!(list_instances(base.path()).unwrap(), ["a-1", "b-2"]);
    assert_eq!(list_runs(base.path(), "a-1").unwrap().len(), 0);
    let missing = list_runs(base.path(), "c-3").unwrap_err();
    assert!(matches!(missing, EventStoreError::NotFound(_)), "{missing}");
    assert!(list_runs(base.path(), "link").is_err());
    let bad = list_runs(base.path(), "../x").unwrap_err();
    assert!(matches!(bad, EventStoreError::InvalidArgument { field: "instance_id", .. }), "{bad}");
    let missing = list_instances(&base.path().join("none")).unwrap_err();
    assert!(matches!(missing, EventStoreError::NotFound(_)), "{missing}");
}
