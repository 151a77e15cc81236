//! A run through the C interface, as a host holds it.

use std::ffi::c_char;
use std::path::Path;
use std::ptr;

use eventstore::ffi::close::{es_close_result, es_close_run, es_free_run};
use eventstore::ffi::constants::{
    ES_ABI_VERSION, ES_DRAFT_HAS_CAUSATION_ID, ES_DRAFT_HAS_CORRELATION_ID, ES_FOREVER,
    ES_INDEX_CLIENT_ORDER_ID, ES_OPEN_PREFAULT,
};
use eventstore::ffi::draft::{es_draft, es_index_key};
use eventstore::ffi::error::es_error;
use eventstore::ffi::handle::es_run;
use eventstore::ffi::manifest::{es_manifest, es_string};
use eventstore::ffi::open::{es_open_options, es_open_run};
use eventstore::ffi::state::{es_get_run_state, es_run_state};
use eventstore::ffi::status::{ES_OK, es_status};
use eventstore::ffi::submit::{es_flush, es_submit};

/// An open run; freed when dropped.
pub(crate) struct CRun(*mut es_run);

// SAFETY: the header tags every call that is made here `[any thread]`, the drop aside, which the
// last owner makes alone.
unsafe impl Send for CRun {}
// SAFETY: as above.
unsafe impl Sync for CRun {}

fn text(text: &str) -> es_string {
    es_string { data: text.as_ptr().cast(), len: text.len() }
}

/// A C struct as its INIT macro leaves it, but for its size.
fn zeroed<T: Copy>() -> T {
    // SAFETY: only used for plain C structs, of which zero is a value of every field.
    unsafe { std::mem::zeroed() }
}

/// As ES_OPEN_OPTIONS_INIT.
pub(crate) fn open_options() -> es_open_options {
    es_open_options {
        struct_size: size_of::<es_open_options>() as u32,
        abi_version: ES_ABI_VERSION,
        ..zeroed()
    }
}

#[track_caller]
fn ok(status: es_status) {
    assert_eq!(status, ES_OK);
}

impl CRun {
    /// Default options, but with all queue memory touched and a writer that stays hot: on a
    /// machine with more work than cores a thread may be kept waiting beyond the default 100 ms.
    pub(crate) fn open(backend: u32, base: &Path) -> Self {
        let options = es_open_options {
            flags: ES_OPEN_PREFAULT,
            backend,
            hot_ns: 60_000_000_000,
            ..open_options()
        };
        Self::open_with(&options, base).unwrap_or_else(|error| panic!("{}", error.code))
    }

    /// With options of the test's own.
    pub(crate) fn open_with(options: &es_open_options, base: &Path) -> Result<Self, Box<es_error>> {
        let base = base.to_str().expect("UTF-8");
        let manifest = es_manifest {
            struct_size: size_of::<es_manifest>() as u32,
            run_id: text("run"),
            instance_id: text("engine"),
            ..zeroed()
        };
        let mut run = ptr::null_mut();
        let mut error: es_error = zeroed();
        let base_at = base.as_ptr().cast::<c_char>();
        // SAFETY: all pointers are to live values of this frame and the caller's.
        let status =
            unsafe { es_open_run(base_at, base.len(), &manifest, options, &mut run, &mut error) };
        if status == ES_OK { Ok(Self(run)) } else { Err(Box::new(error)) }
    }

    /// Submits one entry: two ids, a key, 64 bytes, its time stamped by the library.
    pub(crate) fn submit(&self) {
        self.submit_payload(&[7; 64]);
    }

    /// The same with another payload.
    pub(crate) fn submit_payload(&self, payload: &[u8]) {
        let key = b"O-1";
        let keys = es_index_key {
            key: key.as_ptr().cast(),
            key_len: key.len(),
            kind: ES_INDEX_CLIENT_ORDER_ID,
            reserved: 0,
        };
        let (topic, payload_type) = (b"exec.event", b"OrderFilled");
        let draft = es_draft {
            topic: topic.as_ptr().cast(),
            topic_len: topic.len(),
            payload_type: payload_type.as_ptr().cast(),
            payload_type_len: payload_type.len(),
            payload: payload.as_ptr().cast(),
            payload_len: payload.len(),
            keys: &keys,
            key_count: 1,
            flags: ES_DRAFT_HAS_CORRELATION_ID | ES_DRAFT_HAS_CAUSATION_ID,
            ts_init: 1,
            ts_publish: 0,
            correlation_id: [1; 16],
            causation_id: [2; 16],
        };
        let mut seq = 0;
        let size = size_of::<es_draft>();
        // SAFETY: the handle is open, all pointers are to live values of this frame.
        ok(unsafe { es_submit(self.0, &draft, size, ptr::null(), &mut seq, ptr::null_mut()) });
        assert_ne!(seq, 0);
    }

    pub(crate) fn queue_entries(&self) -> u64 {
        let mut state: es_run_state = zeroed();
        let size = size_of::<es_run_state>();
        // SAFETY: the handle is open, `state` is a valid place for the result.
        ok(unsafe { es_get_run_state(self.0, &mut state, size, ptr::null_mut()) });
        state.queue_entries
    }

    pub(crate) fn flush(&self) {
        // SAFETY: the handle is open.
        ok(unsafe { es_flush(self.0, ES_FOREVER, ptr::null_mut()) });
    }

    /// Closes the run; answers its high-watermark.
    pub(crate) fn close(&self) -> u64 {
        let struct_size = size_of::<es_close_result>() as u32;
        let mut closed = es_close_result { struct_size, ..zeroed() };
        // SAFETY: the handle is open, `closed` is a valid place for the result.
        ok(unsafe { es_close_run(self.0, ptr::null(), &mut closed, ptr::null_mut()) });
        assert_eq!(closed.sealed, 1);
        closed.high_watermark
    }
}

impl Drop for CRun {
    fn drop(&mut self) {
        // SAFETY: the last owner of the handle, in no other call on it.
        unsafe { es_free_run(self.0) };
    }
}
