//! Retention proposes what may go, keeps what can be restored from, and takes nothing away from a
//! reader.

mod common;

use std::path::{Path, PathBuf};

use common::sample::{self, INSTANCE};
use common::temporary::TemporaryFolder;
use eventstore::backend::EventStore;
use eventstore::backend::redb::{RedbOptions, RedbStore};
use eventstore::codec;
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::retention::{
    Keep, RetentionPlan, RetentionReport, WhyKept, apply_retention, plan_retention,
};
use eventstore::store::{self, OpenOptions, ReaderOptions};
use redb::{Database, TableDefinition};

fn path_of(base: &Path, run_id: &str) -> PathBuf {
    base.join(INSTANCE).join(format!("{run_id}.redb"))
}

/// A run of ten entries sealed with this status, with an anchor if asked for.
fn sealed(base: &Path, run_id: &str, start: u64, status: RunStatus, anchor: Option<u64>) {
    let mut store = RedbStore::new(base, RedbOptions::default());
    store.open_run(&RunManifest::new(run_id, INSTANCE, start)).unwrap();
    sample::append(&mut store, &sample::run_of(10)).unwrap();
    if let Some(covered) = anchor {
        store.record_snapshot_anchor(&sample::anchor(covered)).unwrap();
    }
    store.seal(status).unwrap();
    store.close().unwrap();
}

/// Seven sealed runs, named against their age: anchors in 2, 4 (quarantined) and 5.
fn instance(label: &str) -> TemporaryFolder {
    let base = TemporaryFolder::new(label);
    let ended = RunStatus::Ended;
    for (number, run_id) in ["z", "y", "x", "w", "v", "u", "t"].into_iter().enumerate() {
        let (status, anchor) = match number {
            2 => (ended, Some(10)),
            4 => (RunStatus::Quarantined, Some(3)),
            5 => (ended, Some(7)),
            _ => (ended, None),
        };
        sealed(base.path(), run_id, 100 + number as u64, status, anchor);
    }
    base
}

fn plan(base: &Path, keep: Keep) -> RetentionPlan {
    plan_retention(base, INSTANCE, keep).unwrap()
}

fn deleted_by(plan: &RetentionPlan) -> Vec<&str> {
    plan.delete.iter().map(|listing| listing.run_id.as_str()).collect()
}

fn why(plan: &RetentionPlan, run_id: &str) -> WhyKept {
    plan.kept.iter().find(|kept| kept.run_id == run_id).expect("kept").why.clone()
}

/// Each policy deletes what it says, by age and not by name, and keeps the newest restore point.
#[test]
fn policies_propose_by_age_and_keep_a_restore_point() {
    let base = instance("policies");
    let full = plan(base.path(), Keep::Full);
    assert_eq!((deleted_by(&full).len(), full.kept.len()), (0, 7));
    assert!(full.reason.is_some_and(|reason| reason.contains("every run")));

    let anchored = plan(base.path(), Keep::Anchored);
    assert_eq!(deleted_by(&anchored), ["z", "y", "x", "w", "v"]);
    assert_eq!(anchored.restore_point.as_deref(), Some("u"));
    assert_eq!(why(&anchored, "u"), WhyKept::RestorePoint);
    assert_eq!(why(&anchored, "t"), WhyKept::AfterRestorePoint);
    assert_eq!(anchored.reason, None);

    assert_eq!(deleted_by(&plan(base.path(), Keep::Last(3))), ["z", "y", "x", "w"]);
    // One is asked for, and the restore point stays as well.
    let last = plan(base.path(), Keep::Last(1));
    assert_eq!(deleted_by(&last), ["z", "y", "x", "w", "v"]);
    assert_eq!((why(&last, "t"), why(&last, "u")), (WhyKept::Newest, WhyKept::RestorePoint));
    assert_eq!(deleted_by(&plan(base.path(), Keep::Last(0))), ["z", "y", "x", "w", "v", "t"]);
    for many in [7, 8, u64::MAX] {
        let all = plan(base.path(), Keep::Last(many));
        assert!(all.delete.is_empty() && all.reason.is_some(), "{many}");
    }
}

/// Without a run to restore from, nothing is proposed, and the plan says why: no anchor, one that
/// only a quarantined run has, one beyond what is durable.
#[test]
fn nothing_is_proposed_without_a_restore_point() {
    let base = TemporaryFolder::new("none");
    sealed(base.path(), "r-1", 1, RunStatus::Ended, None);
    sealed(base.path(), "r-2", 2, RunStatus::Quarantined, Some(5));
    sealed(base.path(), "r-3", 3, RunStatus::Ended, Some(5));
    let beyond = codec::encode_anchor(&sample::anchor(11));
    let database = Database::create(path_of(base.path(), "r-3")).unwrap();
    let transaction = database.begin_write().unwrap();
    let anchors = TableDefinition::<&str, &[u8]>::new("snapshot_anchor");
    transaction.open_table(anchors).unwrap().insert("latest", beyond.as_slice()).unwrap();
    // The manifest claims an entry that is not there.
    let manifests = TableDefinition::<&str, &[u8]>::new("manifest");
    let claim = RunManifest {
        high_watermark: 11,
        status: RunStatus::Ended,
        ..RunManifest::new("r-3", INSTANCE, 3)
    };
    let frame = codec::encode_manifest(&claim);
    transaction.open_table(manifests).unwrap().insert("current", frame.as_slice()).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    for keep in [Keep::Anchored, Keep::Last(1)] {
        let plan = plan(base.path(), keep);
        assert!(plan.delete.is_empty() && plan.restore_point.is_none(), "{plan:?}");
        assert!(plan.reason.as_deref().is_some_and(|reason| reason.contains("anchor")));
        assert_eq!(why(&plan, "r-1"), WhyKept::NoRestorePoint);
    }
}

/// Runs that are not sealed, held or unreadable stay, whatever their age.
#[test]
fn what_is_not_sealed_is_never_proposed() {
    let base = instance("unsealed");
    let mut killed = RedbStore::new(base.path(), RedbOptions::default());
    killed.open_run(&RunManifest::new("killed", INSTANCE, 1)).unwrap();
    sample::append(&mut killed, &sample::run_of(3)).unwrap();
    killed.abandon();
    let mut unclosed = RedbStore::new(base.path(), RedbOptions::default());
    unclosed.open_run(&RunManifest::new("unclosed", INSTANCE, 2)).unwrap();
    unclosed.seal(RunStatus::Ended).unwrap();
    unclosed.abandon();
    std::fs::write(path_of(base.path(), "text"), "not a run").unwrap();
    let manifest = RunManifest::new("live", INSTANCE, 3);
    let live = store::open_run(base.path(), &manifest, OpenOptions::default()).unwrap();
    let plan = plan(base.path(), Keep::Anchored);
    assert_eq!(deleted_by(&plan), ["z", "y", "x", "w", "v"]);
    assert_eq!(why(&plan, "killed"), WhyKept::NotSealed);
    assert_eq!(why(&plan, "unclosed"), WhyKept::NotSealed);
    assert_eq!(why(&plan, "live"), WhyKept::Held);
    assert!(matches!(why(&plan, "text"), WhyKept::Unreadable(_)));
    drop(live);
}

/// A plan deletes what it lists and nothing else, also beside a living writer; a run that is read
/// is skipped, and its reader reads on.
#[test]
fn applying_deletes_the_plan_and_skips_what_is_read() {
    let base = instance("apply");
    let manifest = RunManifest::new("live", INSTANCE, 200);
    let live = store::open_run(base.path(), &manifest, OpenOptions::default()).unwrap();
    let plan = plan(base.path(), Keep::Anchored);
    let options = ReaderOptions::default();
    let reader = store::open_sealed_run(&path_of(base.path(), "x"), &options).unwrap();
    let report = apply_retention(base.path(), INSTANCE, &plan).unwrap();
    assert_eq!(report.deleted, ["z", "y", "w", "v"]);
    assert!(matches!(&*report.skipped, [(run_id, why)] if run_id == "x" && why.contains("locked")));
    assert!(reader.view().scan_seq(10).unwrap().is_some() && path_of(base.path(), "x").exists());
    for run_id in ["z", "y", "w", "v"] {
        assert!(!path_of(base.path(), run_id).exists(), "{run_id}");
    }
    for run_id in ["u", "t", "live"] {
        assert!(path_of(base.path(), run_id).exists(), "{run_id}");
    }
    drop((reader, live));
    let report = apply_retention(base.path(), INSTANCE, &plan).unwrap();
    assert_eq!(report.deleted, ["x"]);
    assert_eq!(report.skipped.len(), 4, "{report:?}");
}

/// A plan that no longer fits what is there deletes nothing of it.
#[test]
fn stale_plan_deletes_nothing() {
    let base = instance("stale");
    let plan = plan(base.path(), Keep::Anchored);
    std::fs::remove_file(path_of(base.path(), "z")).unwrap();
    sealed(base.path(), "z", 999, RunStatus::Ended, None);
    let report = apply_retention(base.path(), INSTANCE, &plan).unwrap();
    assert_eq!(report.deleted, ["y", "x", "w", "v"]);
    assert!(matches!(&*report.skipped, [(run_id, why)] if run_id == "z" && why.contains("plan")));

    let base = instance("pointless");
    let plan = plan_retention(base.path(), INSTANCE, Keep::Anchored).unwrap();
    std::fs::remove_file(path_of(base.path(), "u")).unwrap();
    let report = apply_retention(base.path(), INSTANCE, &plan).unwrap();
    assert_eq!((report.deleted.len(), report.skipped.len()), (0, 5));
    let empty = RetentionPlan { delete: Vec::new(), ..plan };
    let report = apply_retention(base.path(), INSTANCE, &empty).unwrap();
    assert_eq!(report, RetentionReport::default());
}
