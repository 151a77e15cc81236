//! A reader of the C interface, behind the trait that the behaviours ask.
//!
//! It pages with arenas that start tiny and grow to what `required` says, so that every scan goes
//! through the page protocol.

use std::ops::ControlFlow;
use std::ptr;

use eventstore::backend::{Direction, EventReader, KeyVisitor, RowVisitor};
use eventstore::digest::RunDigest;
use eventstore::entry::{EntryView, Row};
use eventstore::error::{EventStoreError, Result};
use eventstore::ffi::anchor::{es_anchor, es_get_anchor};
use eventstore::ffi::close::es_free_reader;
use eventstore::ffi::constants::*;
use eventstore::ffi::handle::es_reader;
use eventstore::ffi::index::*;
use eventstore::ffi::manifest::{es_get_manifest, es_manifest};
use eventstore::ffi::read::*;
use eventstore::ffi::summary::{es_get_digest, es_get_high_watermark};
use eventstore::headers::{Headers, Uuid};
use eventstore::index::{IndexKey, IndexKind, KeyList};
use eventstore::manifest::RunManifest;
use eventstore::snapshot::SnapshotAnchor;

use crate::convert::{answer, manifest_from, owned, text, zeroed};

/// Rows of one page: few, so that a scan takes many.
const PAGE_ROWS: usize = 61;

/// An `es_reader *`, freed when dropped.
pub(crate) struct CReader(pub(crate) *mut es_reader);

// SAFETY: the header says that every call on a reader may come from any thread.
unsafe impl Send for CReader {}
// SAFETY: as above, and from many at once.
unsafe impl Sync for CReader {}

impl Drop for CReader {
    fn drop(&mut self) {
        // SAFETY: the handle is this object's own, and no call on it is running.
        unsafe { es_free_reader(self.0) };
    }
}

/// Calls with an arena that is too small at first, then with what is asked for.
fn with_arena<T>(mut call: impl FnMut(&mut [u8], &mut usize) -> (i32, T)) -> (i32, T) {
    let mut arena = vec![0_u8; 3];
    loop {
        let mut needed = 0;
        let (status, value) = call(&mut arena, &mut needed);
        if status != eventstore::ffi::status::ES_ERR_BUFFER_TOO_SMALL {
            return (status, value);
        }
        assert!(needed > arena.len(), "needed {needed} of {}", arena.len());
        // At an odd address, since arenas may have any alignment.
        arena = vec![0; needed];
    }
}

impl CReader {
    /// One page from `request` on; `arena` grows until its first row fits.
    fn page(&self, request: &es_scan_request, arena: &mut Vec<u8>) -> Result<Page> {
        let mut entries: Vec<es_entry> = vec![zeroed(); PAGE_ROWS];
        let mut result: es_scan_result = zeroed();
        result.struct_size = size_of::<es_scan_result>() as u32;
        loop {
            let mut required = 0;
            let answered = answer(|err| {
                // SAFETY: pointers and capacities are those of the vectors above.
                let status = unsafe {
                    es_scan_range(
                        self.0,
                        request,
                        entries.as_mut_ptr(),
                        size_of::<es_entry>(),
                        PAGE_ROWS,
                        arena.as_mut_ptr().cast(),
                        arena.len(),
                        &raw mut result,
                        err,
                    )
                };
                if status == eventstore::ffi::status::ES_ERR_BUFFER_TOO_SMALL {
                    // SAFETY: a failing call has written `err` whole.
                    required = unsafe { (*err).required } as usize;
                    return 0;
                }
                status
            });
            answered?;
            if required == 0 {
                entries.truncate(result.rows as usize);
                return Ok(Page { entries, result });
            }
            assert!(required > arena.len(), "progress is guaranteed");
            arena.resize(required, 0);
        }
    }
}

struct Page {
    entries: Vec<es_entry>,
    result: es_scan_result,
}

fn bytes(arena: &[u8], offset: u64, length: u64) -> &[u8] {
    &arena[offset as usize..(offset + length) as usize]
}

/// A text in an arena, which must end in NUL behind its length.
fn arena_text(arena: &[u8], offset: u64, length: u32) -> &str {
    let with_nul = bytes(arena, offset, u64::from(length) + 1);
    let (nul, text) = with_nul.split_last().expect("at least the NUL");
    assert_eq!(*nul, 0, "texts in an arena are NUL-terminated");
    std::str::from_utf8(text).expect("UTF-8")
}

fn row<'a>(entry: &es_entry, arena: &'a [u8]) -> Row<'a> {
    let id = |flag: u32, bytes: [u8; 16]| (entry.flags & flag != 0).then_some(Uuid(bytes));
    let keys = (entry.flags & ES_ENTRY_KEYS_RECORDED != 0).then(|| {
        let list = bytes(arena, entry.keys_offset, u64::from(entry.keys_len));
        KeyList::parse(entry.key_count, list).expect("whole keys")
    });
    Row {
        entry: EntryView {
            seq: entry.seq,
            ts_init: entry.ts_init,
            ts_publish: entry.ts_publish,
            topic: arena_text(arena, entry.topic_offset, entry.topic_len),
            payload_type: arena_text(arena, entry.payload_type_offset, entry.payload_type_len),
            payload: bytes(arena, entry.payload_offset, entry.payload_len),
            headers: Headers {
                correlation_id: id(ES_ENTRY_HAS_CORRELATION_ID, entry.correlation_id),
                causation_id: id(ES_ENTRY_HAS_CAUSATION_ID, entry.causation_id),
            },
            entry_hash: entry.entry_hash,
        },
        keys,
    }
}

/// `None` for NOT_FOUND.
fn found<T>(answered: Result<()>, value: T) -> Result<Option<T>> {
    match answered {
        Ok(()) => Ok(Some(value)),
        Err(EventStoreError::NotFound(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

impl EventReader for CReader {
    fn manifest(&self) -> Result<RunManifest> {
        let mut filled: es_manifest = zeroed();
        filled.struct_size = size_of::<es_manifest>() as u32;
        let mut kept = Vec::new();
        answer(|err| {
            let (status, arena) = with_arena(|arena, needed| {
                // SAFETY: pointers and capacity are those of the arena above; `arena` is moved
                // out only after a call that filled it.
                let status = unsafe {
                    es_get_manifest(
                        self.0,
                        &raw mut filled,
                        arena.as_mut_ptr().cast(),
                        arena.len(),
                        needed,
                        err,
                    )
                };
                // SAFETY: on success the pointers lie in `arena`, which is still there.
                (status, (status == 0).then(|| unsafe { manifest_from(&filled) }))
            });
            kept.extend(arena);
            status
        })?;
        Ok(kept.pop().expect("filled on success"))
    }

    fn high_watermark(&self) -> u64 {
        let mut seq = 0;
        // SAFETY: `seq` is a local.
        answer(|err| unsafe { es_get_high_watermark(self.0, &raw mut seq, err) })
            .expect("a live reader");
        seq
    }

    fn visit_range(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        let mut request: es_scan_request = zeroed();
        request.struct_size = size_of::<es_scan_request>() as u32;
        (request.from, request.to) = (from, to);
        request.direction = if direction == Direction::Backward { ES_BACKWARD } else { ES_FORWARD };
        let mut arena = Vec::new();
        loop {
            let page = self.page(&request, &mut arena)?;
            for entry in &page.entries {
                if visit(row(entry, &arena)).is_break() {
                    return Ok(());
                }
            }
            if page.result.more == 0 {
                return Ok(());
            }
            // A scan ends where the run did when it began.
            request.to = request.to.min(page.result.high_watermark);
            match direction {
                Direction::Forward => request.from = page.result.next_seq,
                Direction::Backward => request.to = page.result.next_seq,
            }
        }
    }

    fn lookup(&self, kind: IndexKind, key: &str) -> Result<Option<u64>> {
        let (key, key_len) = text(key);
        let mut seq = 0;
        let answered = answer(|err| {
            // SAFETY: key and length are those of a str, `seq` is a local.
            unsafe { es_lookup(self.0, u32::from(kind.code()), key, key_len, &raw mut seq, err) }
        });
        found(answered, seq)
    }

    fn visit_index(
        &self,
        kind: IndexKind,
        after: Option<&str>,
        visit: &mut KeyVisitor<'_>,
    ) -> Result<()> {
        let mut last = after.map(str::to_owned);
        // Room for the longest key that writers take, and little more.
        let mut arena = vec![0_u8; 600];
        loop {
            let mut request: es_index_request = zeroed();
            request.struct_size = size_of::<es_index_request>() as u32;
            request.kind = u32::from(kind.code());
            if let Some(last) = &last {
                (request.after, request.after_len) = text(last);
            }
            let mut rows: Vec<es_index_row> = vec![zeroed(); PAGE_ROWS];
            let mut result: es_index_result = zeroed();
            result.struct_size = size_of::<es_index_result>() as u32;
            answer(|err| {
                // SAFETY: pointers and capacities are those of the vectors above.
                unsafe {
                    es_scan_index(
                        self.0,
                        &raw const request,
                        rows.as_mut_ptr(),
                        size_of::<es_index_row>(),
                        PAGE_ROWS,
                        arena.as_mut_ptr().cast(),
                        arena.len(),
                        &raw mut result,
                        err,
                    )
                }
            })?;
            for row in &rows[..result.rows as usize] {
                let key = arena_text(&arena, row.key_offset, row.key_len);
                if visit(key, row.seq) == ControlFlow::Break(()) {
                    return Ok(());
                }
                last = Some(key.to_owned());
            }
            if result.more == 0 {
                return Ok(());
            }
        }
    }

    fn recorded_keys(&self, seq: u64) -> Result<Option<Vec<IndexKey>>> {
        let mut entry: es_entry = zeroed();
        let mut keys = None;
        let answered = answer(|err| {
            let (status, read) = with_arena(|arena, needed| {
                // SAFETY: `entry` is a local, pointer and capacity are those of the arena.
                let status = unsafe {
                    es_get_entry(
                        self.0,
                        seq,
                        &raw mut entry,
                        size_of::<es_entry>(),
                        arena.as_mut_ptr().cast(),
                        arena.len(),
                        needed,
                        err,
                    )
                };
                (status, (status == 0).then(|| row(&entry, arena).keys.map(|keys| keys.to_vec())))
            });
            keys = read.flatten();
            status
        });
        Ok(found(answered, keys)?.flatten())
    }

    fn first_seq_at(&self, ts_init: u64) -> Result<Option<u64>> {
        let mut seq = 0;
        // SAFETY: `seq` is a local.
        let answered =
            answer(|err| unsafe { es_find_first_seq(self.0, ts_init, &raw mut seq, err) });
        found(answered, seq)
    }

    fn latest_snapshot_anchor(&self) -> Result<Option<SnapshotAnchor>> {
        let mut filled: es_anchor = zeroed();
        let mut anchor = None;
        let answered = answer(|err| {
            let (status, read) = with_arena(|arena, needed| {
                // SAFETY: `filled` is a local, pointer and capacity are those of the arena, which
                // is still there when its texts are read.
                unsafe {
                    let status = es_get_anchor(
                        self.0,
                        &raw mut filled,
                        size_of::<es_anchor>(),
                        arena.as_mut_ptr().cast(),
                        arena.len(),
                        needed,
                        err,
                    );
                    let read = (status == 0).then(|| SnapshotAnchor {
                        high_watermark: filled.high_watermark,
                        blob_ref: owned(filled.blob_ref),
                        content_hash: owned(filled.content_hash),
                    });
                    (status, read)
                }
            });
            anchor = read;
            status
        });
        Ok(found(answered, anchor)?.flatten())
    }

    fn digest(&self) -> Result<Option<RunDigest>> {
        let (mut bytes, mut keyed) = ([0; 32], 0);
        // SAFETY: both are locals, `bytes` of the size given.
        let answered = answer(|err| unsafe {
            es_get_digest(self.0, bytes.as_mut_ptr(), bytes.len(), &raw mut keyed, err)
        });
        found(answered, RunDigest { keyed: keyed == 1, bytes })
    }
}

/// A NULL handle to be filled.
pub(crate) const NO_READER: *mut es_reader = ptr::null_mut();
