//! redb as it comes, the file under our own backend of that name: with the same three tables and the
//! same rows in them, it stands in for a store that hashes nothing and flushes once.

use std::path::Path;

use eventstore::index::IndexKind;
use redb::{Database, Durability, ReadableTable, TableDefinition};

use super::{Entry, Peer, failed};
use crate::failure::Failure;

pub(super) const NAME: &str = super::STAND_IN;
pub(super) const GUARANTEE: &str = "defaults: Durability::Immediate in one phase, one fdatasync a \
    commit; three tables: entries by seq, client order ids, venue order ids, each \
    key looked up before it is inserted; one transaction a batch";

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const CLIENT_ORDER_IDS: TableDefinition<'_, &str, u64> = TableDefinition::new("client_order_ids");
const VENUE_ORDER_IDS: TableDefinition<'_, &str, u64> = TableDefinition::new("venue_order_ids");

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
            let mut client_order_ids = transaction.open_table(CLIENT_ORDER_IDS)?;
            let mut venue_order_ids = transaction.open_table(VENUE_ORDER_IDS)?;
            for entry in entries {
                rows.insert(entry.seq, entry.frame)?;
                for (kind, key) in entry.keys {
                    let index = if *kind == IndexKind::CLIENT_ORDER_ID {
                        &mut client_order_ids
                    } else {
                        &mut venue_order_ids
                    };
                    if index.get(&**key)?.is_none() {
                        index.insert(&**key, entry.seq)?;
                    }
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
