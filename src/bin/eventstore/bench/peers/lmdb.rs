//! LMDB through heed, with its default flags: every commit is flushed.
#![allow(unsafe_code, reason = "opening an environment maps its file")]

use std::path::Path;

use heed::byteorder::BE;
use heed::types::{Bytes, Str, U64};
use heed::{Database, Env, EnvOpenOptions, PutFlags};

use super::{Entry, Peer, failed};
use crate::failure::Failure;

pub(super) const NAME: &str = "lmdb";
pub(super) const GUARANTEE: &str = "default flags: data pages written and one fdatasync, then the \
    meta page written through O_DSYNC, a commit; appended by seq (MDB_APPEND), keys in a second \
    database (MDB_NOOVERWRITE); one transaction a batch";

/// Room that is mapped, not taken.
const MAP_BYTES: usize = 64 << 30;

pub(super) struct Lmdb {
    env: Env,
    entries: Database<U64<BE>, Bytes>,
    keys: Database<Str, U64<BE>>,
}

impl Lmdb {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let make = || -> Result<Self, heed::Error> {
            std::fs::create_dir_all(path)?;
            let mut options = EnvOpenOptions::new();
            options.map_size(MAP_BYTES).max_dbs(2);
            // SAFETY: the folder was made for this process alone, and nobody cuts its file short.
            let env = unsafe { options.open(path)? };
            let mut transaction = env.write_txn()?;
            let entries = env.create_database(&mut transaction, Some("entries"))?;
            let keys = env.create_database(&mut transaction, Some("keys"))?;
            transaction.commit()?;
            Ok(Self { env, entries, keys })
        };
        make().map_err(|error| failed(NAME, &error))
    }

    fn put(&mut self, entries: &[Entry<'_>]) -> Result<(), heed::Error> {
        let mut transaction = self.env.write_txn()?;
        for entry in entries {
            let (append, first) = (PutFlags::APPEND, PutFlags::NO_OVERWRITE);
            self.entries.put_with_flags(&mut transaction, append, &entry.seq, entry.frame)?;
            for (_, key) in entry.keys {
                match self.keys.put_with_flags(&mut transaction, first, key, &entry.seq) {
                    Err(heed::Error::Mdb(heed::MdbError::KeyExist)) => {}
                    put => put?,
                }
            }
        }
        transaction.commit()
    }
}

impl Peer for Lmdb {
    fn commit(&mut self, entries: &[Entry<'_>]) -> Result<(), Failure> {
        self.put(entries).map_err(|error| failed(NAME, &error))
    }
}
