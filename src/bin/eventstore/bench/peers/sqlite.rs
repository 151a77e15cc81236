//! SQLite, as its manual says to set it for durable commits.

use std::path::Path;

use rusqlite::{Connection, params};

use super::{Entry, Peer, failed};
use crate::failure::Failure;

pub(super) const NAME: &str = "sqlite";
pub(super) const GUARANTEE: &str = "journal_mode=WAL, synchronous=FULL: one fsync of the WAL a \
    commit, more at a checkpoint (every 1,000 pages, its default); a table by rowid, one by key; \
    prepared statements, one transaction a batch";

pub(super) struct Sqlite(Connection);

impl Sqlite {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let made = Connection::open(path).and_then(|connection| {
            connection.execute_batch(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
                 CREATE TABLE entries(seq INTEGER PRIMARY KEY, frame BLOB NOT NULL);
                 CREATE TABLE keys(key TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;",
            )?;
            Ok(Self(connection))
        });
        made.map_err(|error| failed(NAME, &error))
    }

    fn insert(&mut self, entries: &[Entry<'_>]) -> rusqlite::Result<()> {
        let transaction = self.0.transaction()?;
        {
            let mut row = transaction.prepare_cached("INSERT INTO entries VALUES(?1, ?2)")?;
            let mut index =
                transaction.prepare_cached("INSERT OR IGNORE INTO keys VALUES(?1, ?2)")?;
            for entry in entries {
                let seq = entry.seq as i64;
                row.execute(params![seq, entry.frame])?;
                for (_, key) in entry.keys {
                    index.execute(params![key, seq])?;
                }
            }
        }
        transaction.commit()
    }
}

impl Peer for Sqlite {
    fn commit(&mut self, entries: &[Entry<'_>]) -> Result<(), Failure> {
        self.insert(entries).map_err(|error| failed(NAME, &error))
    }
}
