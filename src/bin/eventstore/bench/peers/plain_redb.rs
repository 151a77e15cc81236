//! redb as it comes, the file under our own backend of that name.

use std::path::Path;

use redb::{Database, Durability, TableDefinition};

use super::{Entry, Peer, failed};
use crate::failure::Failure;

pub(super) const NAME: &str = "plain redb";
pub(super) const GUARANTEE: &str = "defaults: Durability::Immediate in one phase, one fdatasync a \
    commit; a table by seq, one by key; one transaction a batch";

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const KEYS: TableDefinition<'_, &str, u64> = TableDefinition::new("keys");

pub(super) struct PlainRedb(Database);

impl PlainRedb {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        Database::create(path).map(Self).map_err(|error| failed(NAME, &error))
    }

    fn insert(&mut self, entries: &[Entry<'_>]) -> Result<(), redb::Error> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut rows = transaction.open_table(ENTRIES)?;
            let mut keys = transaction.open_table(KEYS)?;
            for entry in entries {
                rows.insert(entry.seq, entry.frame)?;
                for key in &entry.keys {
                    keys.insert(*key, entry.seq)?;
                }
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Peer for PlainRedb {
    fn commit(&mut self, entries: &[Entry<'_>]) -> Result<(), Failure> {
        self.insert(entries).map_err(|error| failed(NAME, &error))
    }
}
