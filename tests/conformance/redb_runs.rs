//! The redb backend's fixture: one file a run, below a temporary folder.

use std::path::PathBuf;
use std::sync::Arc;

use eventstore::backend::redb::{RedbOptions, RedbStore, open_sealed};
use eventstore::backend::{EventReader, EventStore};
use eventstore::error::Result;

use super::fixture::Fixture;
use crate::common::sample::INSTANCE;
use crate::common::temporary::TemporaryFolder;

/// Small, so that long scans do not fit and must stream.
const CACHE_BYTES: usize = 1 << 20;

/// Run files in a folder that goes with the fixture.
pub struct Redb {
    base: TemporaryFolder,
    two_phase: bool,
}

impl Redb {
    /// With two-phase commits, the default.
    pub fn two_phase() -> Self {
        Self { base: TemporaryFolder::new("redb"), two_phase: true }
    }

    /// With one-phase commits.
    pub fn one_phase() -> Self {
        Self { base: TemporaryFolder::new("redb"), two_phase: false }
    }
}

impl Fixture for Redb {
    fn store(&self, digest_key: Option<[u8; 32]>) -> Box<dyn EventStore> {
        let two_phase = self.two_phase;
        let options = RedbOptions {
            two_phase,
            cache_bytes: CACHE_BYTES,
            digest_key,
            ..RedbOptions::default()
        };
        Box::new(RedbStore::new(self.base.path(), options))
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
        open_sealed(&self.run_path(run_id), CACHE_BYTES, true)
    }

    fn run_path(&self, run_id: &str) -> PathBuf {
        self.base.path().join(INSTANCE).join(format!("{run_id}.redb"))
    }

    fn model_cases(&self) -> u32 {
        24
    }
}
