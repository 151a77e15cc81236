//! Who else can make entries durable, under the same guarantee; behind the feature `peers`.
//!
//! Each keeps the frame of every entry under its seq and the first seq of every key, and has one
//! durable transaction a batch. Frames are made while the clock runs, as ours are, but none of them
//! hashes, which is to their favour. Each is written down by itself: what it flushes, with which settings.

#[cfg(feature = "peers")]
mod lmdb;
#[cfg(feature = "peers")]
mod plain_redb;
#[cfg(feature = "peers")]
mod sqlite;

#[cfg(feature = "peers")]
use eventstore::index::IndexKind;

use super::pairs::Side;
use super::session::Session;
use crate::failure::Failure;

/// What each peer is and what it promises, for the document.
#[cfg(feature = "peers")]
pub(crate) const DESCRIBED: [(&str, &str); 3] = [
    (sqlite::NAME, sqlite::GUARANTEE),
    (lmdb::NAME, lmdb::GUARANTEE),
    (plain_redb::NAME, plain_redb::GUARANTEE),
];
#[cfg(not(feature = "peers"))]
pub(crate) const DESCRIBED: [(&str, &str); 0] = [];

/// How to read their rows.
pub(crate) const ABOUT: &str = "\
Each keeps the frame of every entry under its seq and the first seq of every key, one durable \
transaction a batch. Frames are made while the clock runs; none of them hashes, to their favour.";

/// The peer that stands in for the store that goals P1 and P2 speak of.
pub(crate) const STAND_IN: &str = "plain redb";
/// What is said of that, wherever a ratio to it is printed.
pub(crate) const ABOUT_STAND_IN: &str = "\
The peer of goals P1 and P2 is another store, which is not run here. Plain redb stands in for it: one \
phase, the same three tables, no hashing. Where the goals were set both were measured, within 8 % of \
each other.";
/// Why a build has no ratio to it.
pub(crate) const NONE: &str = "this build has no peers; build it with --features peers";

type Named<'a> = (&'static str, Box<dyn Side + 'a>);

/// Every peer, ready to write batches of this size; none in a build without them.
#[cfg(not(feature = "peers"))]
pub(crate) fn writing<'a>(_: &Session<'a>, _: usize) -> Result<Vec<Named<'a>>, Failure> {
    Ok(Vec::new())
}

/// Every peer, ready to write batches of this size.
#[cfg(feature = "peers")]
pub(crate) fn writing<'a>(session: &Session<'a>, batch: usize) -> Result<Vec<Named<'a>>, Failure> {
    let side = |peer| Batches::new(session, batch, peer);
    let base = |name: &str| -> Result<std::path::PathBuf, Failure> {
        let folder = session.folder.base()?;
        Ok(folder.join(name))
    };
    Ok(vec![
        (sqlite::NAME, Box::new(side(Box::new(sqlite::Sqlite::create(&base("peer.sqlite")?)?)))),
        (lmdb::NAME, Box::new(side(Box::new(lmdb::Lmdb::create(&base("peer.lmdb")?)?)))),
        (
            plain_redb::NAME,
            Box::new(side(Box::new(plain_redb::PlainRedb::create(&base("peer.redb")?)?))),
        ),
    ])
}

/// An entry for a peer: its seq, its frame, its keys.
#[cfg(feature = "peers")]
struct Entry<'a> {
    seq: u64,
    frame: &'a [u8],
    keys: &'a [(IndexKind, String)],
}

/// A store that commits a batch durably.
#[cfg(feature = "peers")]
trait Peer {
    fn commit(&mut self, entries: &[Entry<'_>]) -> Result<(), Failure>;
}

#[cfg(feature = "peers")]
fn failed(name: &str, error: &impl std::fmt::Display) -> Failure {
    Failure::CannotRun(format!("the peer {name} failed: {error}"))
}

#[cfg(feature = "peers")]
use batches::Batches;

#[cfg(feature = "peers")]
mod batches;
