//! Index keys: the names under which an entry can be found again.
//!
//! A key list has one encoding, [`KeyList`], made once at submit and then copied verbatim into
//! the run's digest and into the per-commit record: per key `u16` LE kind, `u16` LE length, bytes.

use crate::error::{EventStoreError, Result};
use crate::limits::{INDEX_KEY_BYTES_MAX, INDEX_KEYS_MAX};

/// What sort of name a key is. A later sort takes the next number; old files stay readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexKind(u16);

impl IndexKind {
    /// The id that this side gave an order.
    pub const CLIENT_ORDER_ID: Self = Self(0);
    /// The id that the venue gave an order.
    pub const VENUE_ORDER_ID: Self = Self(1);
    /// All kinds that this version writes.
    pub const ALL: [Self; 2] = [Self::CLIENT_ORDER_ID, Self::VENUE_ORDER_ID];

    /// The kind with this number, if this version knows it.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.0 == code)
    }

    /// The number that files and the C interface use.
    pub fn code(self) -> u16 {
        self.0
    }

    /// The name that people and JSON use.
    pub fn name(self) -> &'static str {
        match self {
            Self::CLIENT_ORDER_ID => "ClientOrderId",
            _ => "VenueOrderId",
        }
    }
}

/// One key of an entry, owned.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexKey {
    /// What sort of name it is.
    pub kind: IndexKind,
    /// The name.
    pub key: String,
}

impl IndexKey {
    /// A key of the given kind.
    pub fn new(kind: IndexKind, key: impl Into<String>) -> Self {
        Self { kind, key: key.into() }
    }
}

/// The field that errors about a key name.
const KEY_FIELD: &str = "index key";

fn check_key_length(key: &[u8]) -> Result<()> {
    if key.is_empty() || key.len() > INDEX_KEY_BYTES_MAX {
        let reason = format!("{} bytes, allowed are 1 to {INDEX_KEY_BYTES_MAX}", key.len());
        return Err(EventStoreError::invalid(KEY_FIELD, reason));
    }
    Ok(())
}

/// The keys of one entry in their stored encoding; always well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyList<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> KeyList<'a> {
    /// The list without keys.
    pub const EMPTY: KeyList<'static> = KeyList { count: 0, bytes: &[] };

    /// Takes bytes read from a file; `None` unless they are `count` whole keys of known kinds
    /// and nothing more.
    pub fn parse(count: u32, bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        for _ in 0..count {
            let (_, _, after) = split_key(rest)?;
            rest = after;
        }
        rest.is_empty().then_some(Self { count, bytes })
    }

    /// Takes bytes that [`push_raw_key`] and [`check_encoded_keys`] passed.
    pub(crate) fn trusted(count: u32, bytes: &'a [u8]) -> Self {
        debug_assert!(Self::parse(count, bytes).is_some());
        Self { count, bytes }
    }

    /// How many keys there are.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The stored encoding.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The keys, in the order given at submit, duplicates kept.
    pub fn iter(&self) -> impl Iterator<Item = (IndexKind, &'a str)> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (kind, key, after) = split_key(rest)?;
            rest = after;
            Some((kind, key))
        })
    }

    /// The keys, owned.
    pub fn to_vec(&self) -> Vec<IndexKey> {
        self.iter().map(|(kind, key)| IndexKey::new(kind, key)).collect()
    }
}

/// Appends one key to a list under construction, its length checked and its bytes not yet.
///
/// # Errors
/// `InvalidArgument` names the bound.
pub(crate) fn push_raw_key(list: &mut Vec<u8>, kind: IndexKind, key: &[u8]) -> Result<()> {
    check_key_length(key)?;
    list.extend_from_slice(&kind.0.to_le_bytes());
    list.extend_from_slice(&(key.len() as u16).to_le_bytes());
    list.extend_from_slice(key);
    Ok(())
}

/// Checks the bytes of keys that [`push_raw_key`] appended: UTF-8 without NUL.
///
/// # Errors
/// `InvalidArgument` says what is wrong.
pub(crate) fn check_encoded_keys(mut list: &[u8]) -> Result<()> {
    while let [_, _, low, high, rest @ ..] = list {
        let (key, after) = rest.split_at(usize::from(u16::from_le_bytes([*low, *high])));
        if !key.is_ascii() && std::str::from_utf8(key).is_err() {
            return Err(EventStoreError::invalid(KEY_FIELD, "not UTF-8"));
        }
        if key.contains(&0) {
            return Err(EventStoreError::invalid(KEY_FIELD, "contains a NUL byte"));
        }
        list = after;
    }
    Ok(())
}

/// Encodes the keys of an entry that is appended without the writer (tests, conversion).
///
/// # Errors
/// `InvalidArgument` for too many keys or a key outside its bounds.
pub fn encode_keys(keys: &[IndexKey]) -> Result<(u32, Vec<u8>)> {
    if keys.len() > INDEX_KEYS_MAX {
        let reason = format!("{} keys, allowed are at most {INDEX_KEYS_MAX}", keys.len());
        return Err(EventStoreError::invalid("index keys", reason));
    }
    let mut bytes = Vec::new();
    for key in keys {
        push_raw_key(&mut bytes, key.kind, key.key.as_bytes())?;
    }
    check_encoded_keys(&bytes)?;
    Ok((keys.len() as u32, bytes))
}

/// Encodes keys that were found in a file: the bounds of writers do not bind them. `None` when a
/// key is longer than its length can say.
pub(crate) fn encode_found_keys(keys: &[IndexKey]) -> Option<(u32, Vec<u8>)> {
    let mut bytes = Vec::new();
    for IndexKey { kind, key } in keys {
        bytes.extend_from_slice(&kind.0.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(key.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(key.as_bytes());
    }
    Some((keys.len() as u32, bytes))
}

fn split_key(bytes: &[u8]) -> Option<(IndexKind, &str, &[u8])> {
    let kind = IndexKind::from_code(u16::from_le_bytes(bytes.get(0..2)?.try_into().ok()?))?;
    let length = usize::from(u16::from_le_bytes(bytes.get(2..4)?.try_into().ok()?));
    let key = std::str::from_utf8(bytes.get(4..4 + length)?).ok()?;
    Some((kind, key, &bytes[4 + length..]))
}
