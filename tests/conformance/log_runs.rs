//! The log backend's fixture: one directory a run, below a temporary folder.

use std::path::PathBuf;
use std::sync::Arc;

use eventstore::backend::log::{LogOptions, LogStore, open_sealed};
use eventstore::backend::{EventReader, EventStore};
use eventstore::error::Result;

use super::fixture::Fixture;
use crate::common::sample::INSTANCE;
use crate::common::temporary::TemporaryFolder;

/// Runs in a folder that goes with the fixture.
pub struct Log {
    base: TemporaryFolder,
    segment_bytes_max: u64,
    uses_thread: bool,
}

impl Log {
    /// As it ships.
    pub fn default_size() -> Self {
        let LogOptions { segment_bytes_max, uses_thread, .. } = LogOptions::default();
        Self { base: TemporaryFolder::new("log"), segment_bytes_max, uses_thread }
    }

    /// With segments so short that every run of a few entries has several.
    pub fn short_segments() -> Self {
        let base = TemporaryFolder::new("log-short");
        Self { base, segment_bytes_max: 8 << 10, uses_thread: false }
    }
}

impl Fixture for Log {
    fn store(&self, digest_key: Option<[u8; 32]>) -> Box<dyn EventStore> {
        let (segment_bytes_max, uses_thread) = (self.segment_bytes_max, self.uses_thread);
        let options = LogOptions { digest_key, segment_bytes_max, uses_thread };
        Box::new(LogStore::new(self.base.path(), options))
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
        open_sealed(&self.base.path().join(INSTANCE).join(format!("{run_id}.eslog")), true)
    }

    fn run_path(&self, run_id: &str) -> PathBuf {
        self.base.path().join(INSTANCE).join(format!("{run_id}.eslog")).join("manifest")
    }

    fn model_cases(&self) -> u32 {
        24
    }
}
