//! The layout of every struct that crosses the boundary, written down once.
//!
//! The table holds what was published: sizes and offsets are asserted against it when this
//! compiles, that no byte is padding too, and `tests/header.rs` asserts it in C and C++. A
//! published row never changes, nor its least size; a struct grows at its end.

use super::anchor::{es_anchor, es_restore_plan};
use super::close::{es_close_options, es_close_result};
use super::copy::es_copy_result;
use super::draft::{es_draft, es_index_key};
use super::error::es_error;
use super::index::{es_index_request, es_index_result, es_index_row};
use super::manifest::{es_manifest, es_string, es_string_pair};
use super::open::{es_open_options, es_reader_options};
use super::operate::es_operation_options;
use super::packed::es_packed_draft;
use super::read::{es_entry, es_scan_request, es_scan_result};
use super::report::{es_finding, es_page_result, es_report_summary, es_run_row};
use super::state::{es_run_state, es_run_stats};
use super::submit::{es_append_options, es_append_result, es_submit_options};
use super::tail::es_tail_result;

/// A struct that may be read from and written to the caller's memory as bytes.
///
/// # Safety
/// `repr(C)`, without padding, every pattern of bits a value; `layouts!` asserts the first two.
pub(super) unsafe trait Plain: Copy {
    /// The least size that a caller may claim: version 0.1 without its last field. What a header
    /// lacks at the end reads as zero and is not written.
    const LEAST_BYTES: usize;
}

/// A struct as C sees it.
#[derive(Debug)]
pub struct StructRow {
    /// Its name.
    pub name: &'static str,
    /// Its size.
    pub size: usize,
    /// Its fields and where they start.
    pub fields: &'static [(&'static str, usize)],
}

macro_rules! layouts {
    ($($name:ident, $size:literal bytes, least $least:literal { $($field:ident $offset:literal,)* })*) => {
        $(
            const _: () = {
                assert!(size_of::<$name>() == $size, concat!("size of ", stringify!($name)));
                $(assert!(
                    std::mem::offset_of!($name, $field) == $offset,
                    concat!("offset of ", stringify!($field), " in ", stringify!($name))
                );)*
                assert!(align_of::<$name>() <= 8 && $least <= $size);
                // The fields fill the struct: no padding, and none forgotten here.
                let filled = 0 $(+ field_bytes(|given: &$name| &raw const given.$field))*;
                assert!(filled == $size, "padding, or a field is missing in this table");
            };
            // SAFETY: repr(C), no padding as asserted above; fields are integers, raw pointers and
            // an optional function pointer, for all of which any bits are a value.
            unsafe impl Plain for $name {
                const LEAST_BYTES: usize = $least;
            }
        )*
        /// Every struct, in the order of the header.
        pub static STRUCTS: &[StructRow] = &[$(StructRow {
            name: stringify!($name),
            size: $size,
            fields: &[$((stringify!($field), $offset)),*],
        }),*];
    };
}

/// The size of the field that a projection points to.
const fn field_bytes<S, F>(_: fn(&S) -> *const F) -> usize {
    size_of::<F>()
}

layouts! {
    es_string, 16 bytes, least 16 { data 0, len 8, }
    es_string_pair, 32 bytes, least 32 { key 0, value 16, }
    es_error, 256 bytes, least 256 {
        code 0, os_errno 4, item_index 8, seq 16, next_seq 24, prev_seq 32, high_watermark 40,
        count 48, required 56, format_found 64, reserved 68, message 72,
    }
    es_open_options, 176 bytes, least 144 {
        struct_size 0, abi_version 4, flags 8, backend 12, durability 16, wait_policy 20,
        writer_cpu 24, reserved0 28, cache_bytes 32, queue_entries 40, queue_bytes 48,
        group_entries 56, group_bytes 64, group_linger_ns 72, halt_after_ns 80, hot_ns 88,
        on_halt 96, on_halt_context 104, digest_key 112, reserved1 144,
    }
    es_reader_options, 88 bytes, least 56 {
        struct_size 0, abi_version 4, flags 8, reserved0 12, cache_bytes 16, digest_key 24,
        reserved 56,
    }
    es_manifest, 288 bytes, least 256 {
        struct_size 0, schema_version 4, run_id 8, parent_run_id 24, instance_id 40,
        binary_hash 56, crate_versions 72, config_hash 88, feature_flags 104,
        feature_flag_count 112, adapter_versions 120, adapter_version_count 128, actors 136,
        actor_count 144, strategies 152, strategy_count 160, algorithms 168, algorithm_count 176,
        subscriptions 184, subscription_count 192, endpoints 200, endpoint_count 208, seed 216,
        start_ts_init 224, end_ts_init 232, high_watermark 240, status 248, flags 252,
        reserved 256,
    }
    es_index_key, 24 bytes, least 24 { key 0, key_len 8, kind 16, reserved 20, }
    es_draft, 112 bytes, least 96 {
        topic 0, topic_len 8, payload_type 16, payload_type_len 24, payload 32, payload_len 40,
        keys 48, key_count 56, flags 60, ts_init 64, ts_publish 72, correlation_id 80,
        causation_id 96,
    }
    es_packed_draft, 112 bytes, least 96 {
        ts_init 0, ts_publish 8, topic_offset 16, payload_type_offset 24, payload_offset 32,
        keys_offset 40, payload_len 48, topic_len 56, payload_type_len 60, keys_len 64,
        key_count 68, flags 72, reserved 76, correlation_id 80, causation_id 96,
    }
    es_submit_options, 40 bytes, least 24 {
        struct_size 0, flags 4, expected_seq 8, timeout_ns 16, reserved 24,
    }
    es_append_options, 40 bytes, least 16 { struct_size 0, flags 4, expected_seq 8, reserved 16, }
    es_append_result, 32 bytes, least 24 {
        struct_size 0, reserved0 4, first_seq 8, count 16, high_watermark 24,
    }
    es_close_options, 40 bytes, least 24 {
        struct_size 0, flags 4, timeout_ns 8, end_ts_init 16, end_ts_publish 24, reserved 32,
    }
    es_close_result, 80 bytes, least 64 {
        struct_size 0, sealed 4, status 8, digest_present 12, high_watermark 16, digest 24,
        halt_status 56, halt_errno 60, reserved 64,
    }
    es_run_state, 48 bytes, least 44 {
        high_watermark 0, last_claimed_seq 8, queue_entries 16, queue_bytes 24, halt_status 32,
        halt_errno 36, phase 40, reserved 44,
    }
    es_run_stats, 64 bytes, least 56 {
        commits 0, entries 8, bytes 16, last_flush_ns 24, longest_flush_ns 32, free_bytes 40,
        pooled_buffers 48, reserved 56,
    }
    es_entry, 152 bytes, least 120 {
        seq 0, ts_init 8, ts_publish 16, topic_offset 24, payload_type_offset 32,
        payload_offset 40, keys_offset 48, payload_len 56, topic_len 64, payload_type_len 68,
        keys_len 72, key_count 76, flags 80, reserved 84, correlation_id 88, causation_id 104,
        entry_hash 120,
    }
    es_scan_request, 56 bytes, least 40 {
        struct_size 0, direction 4, from 8, to 16, max_rows 24, max_bytes 32, reserved 40,
    }
    es_scan_result, 40 bytes, least 32 {
        struct_size 0, more 4, rows 8, arena_used 16, next_seq 24, high_watermark 32,
    }
    es_tail_result, 40 bytes, least 24 {
        struct_size 0, flags 4, status 8, reserved0 12, high_watermark 16, reserved 24,
    }
    es_index_row, 24 bytes, least 20 { seq 0, key_offset 8, key_len 16, reserved 20, }
    es_index_request, 48 bytes, least 32 {
        struct_size 0, kind 4, after 8, after_len 16, max_rows 24, reserved 32,
    }
    es_index_result, 24 bytes, least 16 { struct_size 0, more 4, rows 8, arena_used 16, }
    es_anchor, 40 bytes, least 24 { high_watermark 0, blob_ref 8, content_hash 24, }
    es_restore_plan, 32 bytes, least 24 {
        struct_size 0, has_anchor 4, anchor_seq 8, replay_from 16, replay_to 24,
    }
    es_operation_options, 120 bytes, least 88 {
        struct_size 0, abi_version 4, flags 8, threads 12, cache_bytes 16, digest_key 24,
        expected_digest 56, reserved 88,
    }
    es_report_summary, 600 bytes, least 584 {
        struct_size 0, status 4, digest 8, flags 12, rows 16, findings 24, high_watermark 32,
        entries 40, lifecycle 48, run_id 56, parent_run_id 192, reason 328, reserved 584,
    }
    es_run_row, 96 bytes, least 92 {
        run_id_offset 0, path_offset 8, parent_offset 16, reason_offset 24, run_id_len 32,
        path_len 36, parent_len 40, reason_len 44, bytes 48, high_watermark 56, start_ts_init 64,
        end_ts_init 72, outcome 80, status 84, backend 88, flags 92,
    }
    es_finding, 56 bytes, least 52 {
        kind 0, drift 4, index_kind 8, key_len 12, seq 16, other_seq 24, key_offset 32,
        text_offset 40, text_len 48, reserved 52,
    }
    es_page_result, 24 bytes, least 16 { struct_size 0, more 4, rows 8, arena_used 16, }
    es_copy_result, 48 bytes, least 32 {
        struct_size 0, sealed 4, status 8, reserved0 12, high_watermark 16, bytes 24, reserved 32,
    }
}
