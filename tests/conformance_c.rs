//! The behaviours of the backends, asked again through the exported functions of the C interface.
//!
//! Store and reader below are programs against the header, written in Rust. What the lists leave
//! out, and why, stands at each list.

#[path = "conformance/mod.rs"]
#[allow(dead_code, unused_macros, unused_imports)]
mod behaviour;
mod common;
#[path = "conformance_c/convert.rs"]
mod convert;
#[path = "conformance_c/reader.rs"]
mod reader;
#[path = "conformance_c/store.rs"]
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use behaviour::fixture::{Fixture, collect};
use common::allocation;
use common::sample::{self, INSTANCE};
use common::temporary::TemporaryFolder;
use eventstore::backend::{Direction, EventReader, EventStore};
use eventstore::error::Result;
use eventstore::ffi::constants::{
    ES_BACKEND_LOG, ES_BACKEND_MEMORY, ES_BACKEND_REDB, ES_OPEN_MANUAL_WRITER,
};
use eventstore::manifest::RunStatus;
use store::CStore;

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

/// Runs opened with `es_open_run`, below a folder that goes with the fixture.
pub(crate) struct ThroughC {
    base: TemporaryFolder,
    backend: u32,
    flags: u32,
}

impl ThroughC {
    /// Run files, written by the library's own thread.
    fn redb() -> Self {
        Self { base: TemporaryFolder::new("c-redb"), backend: ES_BACKEND_REDB, flags: 0 }
    }

    /// Run files, written by the calls themselves; freeing the handle abandons the run.
    fn redb_manual() -> Self {
        Self { flags: ES_OPEN_MANUAL_WRITER, ..Self::redb() }
    }

    /// Run directories, written by the library's own thread.
    fn log() -> Self {
        Self { backend: ES_BACKEND_LOG, ..Self::redb() }
    }

    /// Run directories, written by the calls themselves.
    fn log_manual() -> Self {
        Self { flags: ES_OPEN_MANUAL_WRITER, ..Self::log() }
    }

    /// Runs in memory.
    fn memory() -> Self {
        Self { backend: ES_BACKEND_MEMORY, ..Self::redb() }
    }

    fn memory_manual() -> Self {
        Self { flags: ES_OPEN_MANUAL_WRITER, ..Self::memory() }
    }

    fn c_store(&self) -> CStore {
        CStore::new(self.backend, self.flags, self.base.path().to_path_buf(), None)
    }

    fn open(path: &str) -> Result<Arc<dyn EventReader>> {
        store::open_sealed(path.as_ref())
    }
}

impl Fixture for ThroughC {
    fn store(&self, digest_key: Option<[u8; 32]>) -> Box<dyn EventStore> {
        Box::new(CStore::new(self.backend, self.flags, self.base.path().to_path_buf(), digest_key))
    }

    fn restart(
        &self,
        store: Box<dyn EventStore>,
        digest_key: Option<[u8; 32]>,
    ) -> Box<dyn EventStore> {
        drop(store);
        self.store(digest_key)
    }

    fn close_and_read(&self, store: &mut dyn EventStore, run_id: &str) -> Arc<dyn EventReader> {
        store.close().expect("a sealed run closes");
        self.open_sealed(run_id).expect("closed and sealed just now")
    }

    fn open_sealed(&self, run_id: &str) -> Result<Arc<dyn EventReader>> {
        let path = match self.backend {
            ES_BACKEND_LOG => self.base.path().join(INSTANCE).join(format!("{run_id}.eslog")),
            _ => self.run_path(run_id),
        };
        store::once_unlocked(|| store::open_sealed(&path))
    }

    fn stores_hashes_as_given(&self) -> bool {
        false
    }

    fn run_path(&self, run_id: &str) -> PathBuf {
        let folder = self.base.path().join(INSTANCE);
        match self.backend {
            ES_BACKEND_LOG => folder.join(format!("{run_id}.eslog")).join("manifest"),
            _ => folder.join(format!("{run_id}.redb")),
        }
    }

    fn model_cases(&self) -> u32 {
        12
    }
}

/// A `#[test]` for each behaviour that a C program can ask for.
macro_rules! as_c_tests {
    ($suite:ident, $fixture:expr; $($module:ident :: $behaviour:ident,)*) => {
        mod $suite {
            $(as_c_test! { $fixture; $module, $behaviour })*
        }
    };
}

/// One of them. Those without a body:
macro_rules! as_c_test {
    // The writer of an open run holds the instance's lock, so that a second open answers LOCKED
    // before anything else is looked at.
    ($fixture:expr; opening, second_open_while_unsealed_is_refused_and_harmless) => {};
    ($fixture:expr; crash, own_open_run_loads_as_crashed) => {};
    // es_seal_run closes what it seals: there is no run that is sealed and not closed.
    ($fixture:expr; opening, name_sealed_but_not_closed_is_crashed_predecessor) => {};
    ($fixture:expr; durable, running_run_is_not_opened_as_sealed) => {};
    // Here a status of the caller's choice needs a crash, after which readers keep the run to
    // themselves. Beside es_close_run: readers_go_on_while_a_session_closes.
    ($fixture:expr; live, reads_go_on_while_the_run_closes) => {};
    ($fixture:expr; $module:ident, $behaviour:ident) => {
        #[test]
        fn $behaviour() {
            $crate::behaviour::$module::$behaviour(&$fixture);
        }
    };
}

behaviours!(as_c_tests, redb, crate::ThroughC::redb());
durable_behaviours!(as_c_tests, redb_durable, crate::ThroughC::redb_manual());
behaviours!(as_c_tests, log, crate::ThroughC::log());
durable_behaviours!(as_c_tests, log_durable, crate::ThroughC::log_manual());

// What needs no seal with a status of the caller's choice and no crash: the interface seals a
// memory run by closing it alone, and keeps no memory run whose handle is gone.
as_tests! { memory, crate::ThroughC::memory();
    opening::new_run_is_running_and_empty,
    opening::manifest_reads_as_given_until_sealed,
    opening::path_like_ids_are_refused,
    opening::calls_without_a_run_answer_backend,
    append::largest_allowed_texts_and_keys_read_back_equal,
    append::empty_batch_changes_nothing,
    append::out_of_order_names_durable_and_offending_seq_and_writes_nothing,
    append::first_key_wins_within_a_batch_and_across,
    append::batch_of_the_largest_count_is_one_commit,
    scan::every_range_equals_the_naive_slice,
    scan::visitor_that_breaks_sees_no_further_row,
    scan::rows_carry_the_keys_they_were_committed_with,
    scan::hundred_thousand_rows_stream_both_ways,
    scan::single_rows_are_found_and_clamped,
    scan::writer_commits_while_a_visitor_waits,
    scan::scans_nest,
    index::lookup_finds_the_first_seq_of_a_key,
    index::keys_come_in_byte_order,
    index::iteration_resumes_after_any_key,
    index::iteration_ends_early_on_break,
    index::pages_join_to_the_whole_index,
    index::writer_commits_while_an_index_visitor_waits,
    anchor::anchor_outside_its_bounds_is_refused_and_changes_nothing,
    seal::seal_as_running_is_refused_and_run_goes_on,
    live::four_readers_beside_the_writer_see_whole_prefixes,
    live::readers_outlive_abandon,
}

/// Scans that es_close_run meets go on, over both backends.
#[test]
fn readers_go_on_while_a_session_closes() {
    for fixture in [ThroughC::redb(), ThroughC::memory()] {
        let entries = sample::run_of(3000);
        let mut store = fixture.c_store();
        store.open_run(&sample::full_manifest("session")).expect("the name is free");
        sample::append(&mut store, &entries).expect("in order");
        let views = [(); 3].map(|()| store.reader().expect("a run is open"));
        behaviour::live::reads_go_on_while(&views, &entries, || {
            store.close_session(sample::START_TS + 1_000_000);
        });
    }
}

/// A session as a C program closes it: entries, an anchor, es_close_run. Driven by the calls
/// themselves, so that even the times are the same; then all backends give the same bytes.
#[test]
fn closed_session_is_the_same_over_all_backends() {
    let entries = sample::run_of(40);
    let fixtures = [ThroughC::redb_manual(), ThroughC::memory_manual(), ThroughC::log_manual()];
    let [redb, memory, log] = fixtures.each_ref().map(|fixture| {
        let mut store = fixture.c_store();
        store.open_run(&sample::full_manifest("session")).expect("the name is free");
        sample::append(&mut store, &entries[..25]).expect("in order");
        store.record_snapshot_anchor(&sample::anchor(20)).expect("20 is claimed");
        sample::append(&mut store, &entries[25..]).expect("in order");
        let reader = store.reader().expect("a run is open");
        let end_ts_init = sample::START_TS + 1_000_000;
        let closed = store.close_session(end_ts_init);
        let again = store.close_session(end_ts_init);
        assert_eq!(closed, again, "close again answers the same");
        (closed, reader, store)
    });
    assert_eq!(redb.0, memory.0, "high-watermark, status, digest");
    assert_eq!(redb.0.high_watermark, 41, "the 40 entries and RunEnded");
    assert_eq!(redb.0, log.0, "the same for the log");
    for (_, reader, store) in [&redb, &memory, &log] {
        let (rows, end) = collect(&**reader, 1, u64::MAX, Direction::Forward);
        end.expect("no damage");
        assert_eq!(rows[..40], entries);
        assert_eq!(rows[40].entry.topic, "run.lifecycle.RunEnded");
        let manifest = reader.manifest().expect("sealed");
        assert_eq!(manifest.status, RunStatus::Ended);
        assert_eq!(manifest.high_watermark, 41);
        assert_eq!(reader.latest_snapshot_anchor().unwrap(), Some(sample::anchor(20)));
        assert_eq!(reader.digest().unwrap().map(|digest| digest.bytes), redb.0.digest);
        assert_eq!(store.restore_plan(), (20, 21, 41), "anchor, first and last to replay");
    }
    for path in [redb.2.run_path(), log.2.run_path()] {
        let sealed = ThroughC::open(&path).expect("closed in order");
        assert_eq!(sealed.digest().unwrap().map(|digest| digest.bytes), redb.0.digest, "{path}");
    }
    assert_eq!(memory.2.run_path(), "");
}
