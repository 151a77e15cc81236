//! Commits of the log beside readers in other processes: the same calls as without them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use eventstore::backend::Ended;
use eventstore::store::{ReaderOptions, open_live_run};

use super::record::{Call, calls};
use super::{RUN, trace};
use crate::common::sample::INSTANCE;
use crate::common::temporary::TemporaryFolder;

const READERS: usize = 3;
/// So few that no segment is prepared meanwhile.
const APPENDS: usize = 30;

/// Follows the run from when it is there; answers how often it saw the run grow before its seal.
fn follow(base: &Path, is_over: &AtomicBool) -> usize {
    let path = base.join(INSTANCE).join(format!("{RUN}.eslog"));
    let reader = loop {
        match open_live_run(&path, &ReaderOptions::default()) {
            Ok(reader) => break reader,
            Err(_) if is_over.load(Ordering::Acquire) => return 0,
            Err(_) => thread::yield_now(),
        }
    };
    let (mut seen, mut growths) = (0, 0);
    loop {
        let tail = reader.wait_tail(seen + 1, u64::MAX).expect("a sound run");
        if let Some(ended) = tail.ended {
            assert!(matches!(ended, Ended::Sealed(_)), "{ended:?}");
            return growths;
        }
        (seen, growths) = (tail.high_watermark, growths + 1);
    }
}

/// Every call with a descriptor of the run's files, commit by commit.
fn calls_by_commit(calls: &[Call]) -> Vec<Vec<&Call>> {
    let is_ack = |call: &&Call| call.said().is_some_and(|line| line.starts_with("ack"));
    let acks: Vec<usize> = calls.iter().filter(is_ack).map(|call| call.began).collect();
    let between = |commit: &[usize]| {
        let inside = calls.iter().filter(|call| call.began > commit[0] && call.ended < commit[1]);
        inside.filter(|call| call.arguments.contains(".eslog")).collect()
    };
    acks.windows(2).map(between).collect()
}

/// With readers or without, a commit makes three calls on the files of its run, and the 64 bytes of
/// the watermark are all that there is for readers.
#[test]
fn readers_add_no_system_call_to_a_commit() {
    let folder = TemporaryFolder::new("followed");
    let is_over = AtomicBool::new(false);
    let told = [("ES_APPENDS", "30"), ("ES_WAY", "log")];
    let (traced, growths) = thread::scope(|scope| {
        let readers: Vec<_> =
            (0..READERS).map(|_| scope.spawn(|| follow(folder.path(), &is_over))).collect();
        // All calls that take a descriptor or a path, reads and locks included.
        let traced = trace("appends", folder.path(), &["-e", "trace=%desc,%file"], &told);
        is_over.store(true, Ordering::Release);
        let growths: Vec<usize> =
            readers.into_iter().map(|reader| reader.join().expect("a reader")).collect();
        (traced, growths)
    });
    let Some(traced) = traced else { return };
    traced.finished.expect_success();
    let calls = calls(&traced.record);
    let commits = calls_by_commit(&calls);
    assert_eq!(commits.len(), APPENDS - 1);
    for commit in &commits {
        let [group, flush, mark] = commit[..] else { panic!("{commit:#?}") };
        assert!(group.name.starts_with("pwrite") && group.path().ends_with(".seg"), "{group:?}");
        assert!(flush.name == "fdatasync" && flush.path() == group.path(), "{flush:?}");
        assert!(mark.name.starts_with("pwrite") && mark.path().ends_with("/open"), "{mark:?}");
    }
    eprintln!(
        "{} commits, 3 calls each, beside readers that saw {growths:?} growths",
        commits.len()
    );
    assert!(growths.iter().all(|growths| *growths > 5), "they did not follow: {growths:?}");
}
