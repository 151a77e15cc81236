//! The run manifest: which engine session a run is, and how far it came.

use crate::error::{EventStoreError, Result};
use crate::limits::{FRAME_ITEMS_MAX, ID_BYTES_MAX};

/// Where a run is in its life. Anything but `Running` is sealed and takes no more writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// Being written, or its process died.
    Running,
    /// Stopped in order.
    Ended,
    /// Its process died; sealed by recovery.
    CrashedRecovered,
    /// Failed its integrity check; never a parent.
    Quarantined,
}

impl RunStatus {
    /// All states, at the place of their number.
    pub const ALL: [Self; 4] =
        [Self::Running, Self::Ended, Self::CrashedRecovered, Self::Quarantined];

    /// The number that files and the C interface use.
    pub fn code(self) -> u32 {
        self as u32
    }

    /// The state with this number.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }

    /// The name that people and JSON use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Ended => "Ended",
            Self::CrashedRecovered => "CrashedRecovered",
            Self::Quarantined => "Quarantined",
        }
    }

    /// Whether a run in this state takes no more writes.
    pub fn is_sealed(self) -> bool {
        self != Self::Running
    }
}

/// An ordered map of texts, in the order given.
pub type TextMap = Vec<(String, String)>;

/// The parts that were registered with the engine, each with the hash of its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegisteredComponents {
    /// Actor id to configuration hash.
    pub actors: TextMap,
    /// Strategy id to configuration hash.
    pub strategies: TextMap,
    /// Execution algorithm id to configuration hash.
    pub algorithms: TextMap,
    /// Subscribed topics.
    pub subscriptions: Vec<String>,
    /// Registered endpoints.
    pub endpoints: Vec<String>,
}

/// What a run says of itself. Written at start; `end_ts_init`, `high_watermark` and `status` are
/// updated at seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunManifest {
    /// Names the run, unique in its instance over all backends.
    pub run_id: String,
    /// The run whose state this one continues.
    pub parent_run_id: Option<String>,
    /// The trading instance.
    pub instance_id: String,
    /// Hash of the engine's binary.
    pub binary_hash: String,
    /// Version of the payload schemas.
    pub schema_version: u32,
    /// Versions of the engine's parts.
    pub crate_versions: String,
    /// Features the engine was built with.
    pub feature_flags: Vec<String>,
    /// Adapter name to version.
    pub adapter_versions: TextMap,
    /// Hash of the engine's configuration.
    pub config_hash: String,
    /// What was registered at start.
    pub registered_components: RegisteredComponents,
    /// Seed of a deterministic engine.
    pub seed: Option<u64>,
    /// When the run started, on the domain clock, in nanoseconds since the Unix epoch.
    pub start_ts_init: u64,
    /// The largest `ts_init` of its entries, once sealed.
    pub end_ts_init: Option<u64>,
    /// The largest durable sequence, once sealed; 0 before.
    pub high_watermark: u64,
    /// Where the run is in its life.
    pub status: RunStatus,
}

impl RunManifest {
    /// The manifest of a new run, all descriptive fields empty.
    pub fn new(
        run_id: impl Into<String>,
        instance_id: impl Into<String>,
        start_ts_init: u64,
    ) -> Self {
        Self {
            run_id: run_id.into(),
            parent_run_id: None,
            instance_id: instance_id.into(),
            binary_hash: String::new(),
            schema_version: 0,
            crate_versions: String::new(),
            feature_flags: Vec::new(),
            adapter_versions: Vec::new(),
            config_hash: String::new(),
            registered_components: RegisteredComponents::default(),
            seed: None,
            start_ts_init,
            end_ts_init: None,
            high_watermark: 0,
            status: RunStatus::Running,
        }
    }

    /// Checks what a caller hands in for a new run: ids that may name files, a fresh state.
    ///
    /// # Errors
    /// `InvalidArgument` names the field.
    pub fn check_new(&self) -> Result<()> {
        check_id("run_id", &self.run_id)?;
        check_id("instance_id", &self.instance_id)?;
        if let Some(parent) = &self.parent_run_id {
            check_id("parent_run_id", parent)?;
        }
        if self.status.is_sealed() || self.high_watermark != 0 || self.end_ts_init.is_some() {
            return Err(EventStoreError::invalid(
                "manifest",
                "a new run has status Running, high-watermark 0 and no end",
            ));
        }
        let parts = &self.registered_components;
        let longest = [
            self.feature_flags.len(),
            self.adapter_versions.len(),
            parts.actors.len(),
            parts.strategies.len(),
            parts.algorithms.len(),
            parts.subscriptions.len(),
            parts.endpoints.len(),
        ];
        if longest.into_iter().any(|count| count as u64 > FRAME_ITEMS_MAX) {
            let reason = format!("a list has more than {FRAME_ITEMS_MAX} items");
            return Err(EventStoreError::invalid("manifest", reason));
        }
        Ok(())
    }
}

/// Checks an id that names a file: 1 to 128 bytes of `[A-Za-z0-9._-]`, not starting with a dot.
///
/// # Errors
/// `InvalidArgument` with `field` as its field.
pub fn check_id(field: &'static str, id: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if id.is_empty() || id.len() > ID_BYTES_MAX {
        let reason = format!("{} bytes, allowed are 1 to {ID_BYTES_MAX}", id.len());
        return Err(EventStoreError::invalid(field, reason));
    }
    if id.starts_with('.') || !id.bytes().all(allowed) {
        let reason = format!(
            "{id:?} may hold letters, digits, '.', '_' and '-' only, and not start with a dot"
        );
        return Err(EventStoreError::invalid(field, reason));
    }
    Ok(())
}
