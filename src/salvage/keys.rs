//! The keys of an entry that is copied: as recorded, else from the index rows that point at it.
//!
//! A file of another writer records no key lists; its index rows are then gathered once, in
//! memory that grows with them. Such an entry gets back the keys that it was the first to have.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::backend::EventReader;
use crate::entry::Row;
use crate::error::{EventStoreError, Result};
use crate::index::{IndexKey, IndexKind, encode_keys};
use crate::verifier::Finding;

/// See the module.
pub(super) struct KeySource {
    view: Arc<dyn EventReader>,
    by_seq: Option<HashMap<u64, Vec<IndexKey>>>,
    lost: Vec<Finding>,
}

impl KeySource {
    pub(super) fn new(view: Arc<dyn EventReader>) -> Self {
        Self { view, by_seq: None, lost: Vec::new() }
    }

    /// How many keys the row has, and their stored encoding.
    ///
    /// # Errors
    /// Those of the system. Keys that cannot be read or written are lost, not errors.
    pub(super) fn of(&mut self, row: &Row<'_>) -> Result<(u32, Vec<u8>)> {
        if let Some(keys) = row.keys {
            return Ok((keys.len(), keys.as_bytes().to_vec()));
        }
        if self.by_seq.is_none() {
            self.by_seq = Some(self.gather()?);
        }
        let keys = self.by_seq.as_mut().and_then(|by_seq| by_seq.remove(&row.entry.seq));
        let keys = keys.unwrap_or_default();
        match encode_keys(&keys) {
            Ok(encoded) => Ok(encoded),
            Err(error) => {
                let reason = format!("its keys are not copied: {error}");
                self.lost.push(Finding::Undecodable { seq: row.entry.seq, reason });
                Ok((0, Vec::new()))
            }
        }
    }

    fn gather(&mut self) -> Result<HashMap<u64, Vec<IndexKey>>> {
        let mut by_seq: HashMap<u64, Vec<IndexKey>> = HashMap::new();
        for kind in IndexKind::ALL {
            let gathered = self.view.visit_index(kind, None, &mut |key, seq| {
                by_seq.entry(seq).or_default().push(IndexKey::new(kind, key));
                ControlFlow::Continue(())
            });
            match gathered {
                Ok(()) => {}
                Err(EventStoreError::Corrupted(fault)) => {
                    let reason = format!("index {} ends early: {}", kind.name(), fault.message);
                    self.lost.push(Finding::Damaged { reason });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(by_seq)
    }

    /// What became of keys that are not copied, and rows that point at no copied entry.
    pub(super) fn lost(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.lost)
    }
}
