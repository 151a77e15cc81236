"""The structs of `eventstore.h` as ctypes sees them: field for field, in the header's order.

`tests/test_layout.py` compares each size and offset with the header's static asserts, so that a
field that is added, moved or resized there cannot go unnoticed here. A field called like a Python
keyword has an underscore behind it.
"""

from __future__ import annotations

from ctypes import (
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_int32,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
    sizeof,
)
from typing import Any


class _Sized(Structure):
    """A struct that carries its own size, which is what tells the library its version."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(struct_size=sizeof(type(self)), **fields)


class EsString(Structure):
    """A text. The pointer is plain: what it points at may hold NUL."""

    _fields_ = [
        ("data", c_void_p),
        ("len", c_size_t),
    ]


class EsStringPair(Structure):
    """es_string_pair."""

    _fields_ = [
        ("key", EsString),
        ("value", EsString),
    ]


class EsManifest(_Sized):
    """es_manifest."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("schema_version", c_uint32),
        ("run_id", EsString),
        ("parent_run_id", EsString),
        ("instance_id", EsString),
        ("binary_hash", EsString),
        ("crate_versions", EsString),
        ("config_hash", EsString),
        ("feature_flags", POINTER(EsString)),
        ("feature_flag_count", c_size_t),
        ("adapter_versions", POINTER(EsStringPair)),
        ("adapter_version_count", c_size_t),
        ("actors", POINTER(EsStringPair)),
        ("actor_count", c_size_t),
        ("strategies", POINTER(EsStringPair)),
        ("strategy_count", c_size_t),
        ("algorithms", POINTER(EsStringPair)),
        ("algorithm_count", c_size_t),
        ("subscriptions", POINTER(EsString)),
        ("subscription_count", c_size_t),
        ("endpoints", POINTER(EsString)),
        ("endpoint_count", c_size_t),
        ("seed", c_uint64),
        ("start_ts_init", c_uint64),
        ("end_ts_init", c_uint64),
        ("high_watermark", c_uint64),
        ("status", c_uint32),
        ("flags", c_uint32),
        ("reserved", c_uint64 * 4),
    ]


class EsError(Structure):
    """What went wrong; the library writes it whole on failure."""

    _fields_ = [
        ("code", c_int32),
        ("os_errno", c_int32),
        ("item_index", c_uint64),
        ("seq", c_uint64),
        ("next_seq", c_uint64),
        ("prev_seq", c_uint64),
        ("high_watermark", c_uint64),
        ("count", c_uint64),
        ("required", c_uint64),
        ("format_found", c_uint32),
        ("reserved", c_uint32),
        ("message", c_char * 184),
    ]


class EsOpenOptions(_Sized):
    """es_open_options."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("abi_version", c_uint32),
        ("flags", c_uint32),
        ("backend", c_uint32),
        ("durability", c_uint32),
        ("wait_policy", c_uint32),
        ("writer_cpu", c_uint32),
        ("reserved0", c_uint32),
        ("cache_bytes", c_uint64),
        ("queue_entries", c_uint64),
        ("queue_bytes", c_uint64),
        ("group_entries", c_uint64),
        ("group_bytes", c_uint64),
        ("group_linger_ns", c_uint64),
        ("halt_after_ns", c_uint64),
        ("hot_ns", c_uint64),
        ("on_halt", c_void_p),
        ("on_halt_context", c_void_p),
        ("digest_key", c_uint8 * 32),
        ("reserved1", c_uint64 * 4),
    ]


class EsReaderOptions(_Sized):
    """es_reader_options."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("abi_version", c_uint32),
        ("flags", c_uint32),
        ("reserved0", c_uint32),
        ("cache_bytes", c_uint64),
        ("digest_key", c_uint8 * 32),
        ("reserved", c_uint64 * 4),
    ]


class EsSubmitOptions(_Sized):
    """es_submit_options."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("expected_seq", c_uint64),
        ("timeout_ns", c_uint64),
        ("reserved", c_uint64 * 2),
    ]


class EsAppendOptions(_Sized):
    """es_append_options."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("expected_seq", c_uint64),
        ("reserved", c_uint64 * 3),
    ]


class EsAppendResult(_Sized):
    """es_append_result."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved0", c_uint32),
        ("first_seq", c_uint64),
        ("count", c_uint64),
        ("high_watermark", c_uint64),
    ]


class EsIndexKey(Structure):
    """es_index_key."""

    _fields_ = [
        ("key", c_char_p),
        ("key_len", c_size_t),
        ("kind", c_uint32),
        ("reserved", c_uint32),
    ]


class EsDraft(Structure):
    """es_draft."""

    _fields_ = [
        ("topic", c_char_p),
        ("topic_len", c_size_t),
        ("payload_type", c_char_p),
        ("payload_type_len", c_size_t),
        ("payload", c_char_p),
        ("payload_len", c_size_t),
        ("keys", POINTER(EsIndexKey)),
        ("key_count", c_uint32),
        ("flags", c_uint32),
        ("ts_init", c_uint64),
        ("ts_publish", c_uint64),
        ("correlation_id", c_uint8 * 16),
        ("causation_id", c_uint8 * 16),
    ]


class EsPackedDraft(Structure):
    """es_packed_draft."""

    _fields_ = [
        ("ts_init", c_uint64),
        ("ts_publish", c_uint64),
        ("topic_offset", c_uint64),
        ("payload_type_offset", c_uint64),
        ("payload_offset", c_uint64),
        ("keys_offset", c_uint64),
        ("payload_len", c_uint64),
        ("topic_len", c_uint32),
        ("payload_type_len", c_uint32),
        ("keys_len", c_uint32),
        ("key_count", c_uint32),
        ("flags", c_uint32),
        ("reserved", c_uint32),
        ("correlation_id", c_uint8 * 16),
        ("causation_id", c_uint8 * 16),
    ]


class EsCloseOptions(_Sized):
    """es_close_options."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("timeout_ns", c_uint64),
        ("end_ts_init", c_uint64),
        ("end_ts_publish", c_uint64),
        ("reserved", c_uint64 * 1),
    ]


class EsCloseResult(_Sized):
    """es_close_result."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("sealed", c_uint32),
        ("status", c_uint32),
        ("digest_present", c_uint32),
        ("high_watermark", c_uint64),
        ("digest", c_uint8 * 32),
        ("halt_status", c_int32),
        ("halt_errno", c_int32),
        ("reserved", c_uint64 * 2),
    ]


class EsRunState(Structure):
    """es_run_state."""

    _fields_ = [
        ("high_watermark", c_uint64),
        ("last_claimed_seq", c_uint64),
        ("queue_entries", c_uint64),
        ("queue_bytes", c_uint64),
        ("halt_status", c_int32),
        ("halt_errno", c_int32),
        ("phase", c_uint32),
        ("reserved", c_uint32),
    ]


class EsRunStats(Structure):
    """es_run_stats."""

    _fields_ = [
        ("commits", c_uint64),
        ("entries", c_uint64),
        ("bytes", c_uint64),
        ("last_flush_ns", c_uint64),
        ("longest_flush_ns", c_uint64),
        ("free_bytes", c_uint64),
        ("pooled_buffers", c_uint64),
        ("reserved", c_uint64),
    ]


class EsScanRequest(_Sized):
    """es_scan_request."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("direction", c_uint32),
        ("from_", c_uint64),
        ("to", c_uint64),
        ("max_rows", c_uint64),
        ("max_bytes", c_uint64),
        ("reserved", c_uint64 * 2),
    ]


class EsScanResult(_Sized):
    """es_scan_result."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("more", c_uint32),
        ("rows", c_uint64),
        ("arena_used", c_uint64),
        ("next_seq", c_uint64),
        ("high_watermark", c_uint64),
    ]


class EsEntry(Structure):
    """One committed entry; `eventstore.ENTRY_DTYPE` is the same layout for numpy."""

    _fields_ = [
        ("seq", c_uint64),
        ("ts_init", c_uint64),
        ("ts_publish", c_uint64),
        ("topic_offset", c_uint64),
        ("payload_type_offset", c_uint64),
        ("payload_offset", c_uint64),
        ("keys_offset", c_uint64),
        ("payload_len", c_uint64),
        ("topic_len", c_uint32),
        ("payload_type_len", c_uint32),
        ("keys_len", c_uint32),
        ("key_count", c_uint32),
        ("flags", c_uint32),
        ("reserved", c_uint32),
        ("correlation_id", c_uint8 * 16),
        ("causation_id", c_uint8 * 16),
        ("entry_hash", c_uint8 * 32),
    ]


class EsIndexRequest(_Sized):
    """es_index_request."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("after", c_char_p),
        ("after_len", c_size_t),
        ("max_rows", c_uint64),
        ("reserved", c_uint64 * 2),
    ]


class EsIndexResult(_Sized):
    """es_index_result."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("more", c_uint32),
        ("rows", c_uint64),
        ("arena_used", c_uint64),
    ]


class EsIndexRow(Structure):
    """es_index_row."""

    _fields_ = [
        ("seq", c_uint64),
        ("key_offset", c_uint64),
        ("key_len", c_uint32),
        ("reserved", c_uint32),
    ]


class EsRestorePlan(_Sized):
    """es_restore_plan."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("has_anchor", c_uint32),
        ("anchor_seq", c_uint64),
        ("replay_from", c_uint64),
        ("replay_to", c_uint64),
    ]


class EsTailResult(_Sized):
    """es_tail_result."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("status", c_uint32),
        ("reserved0", c_uint32),
        ("high_watermark", c_uint64),
        ("reserved", c_uint64 * 2),
    ]


class EsCopyResult(_Sized):
    """es_copy_result."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("sealed", c_uint32),
        ("status", c_uint32),
        ("reserved0", c_uint32),
        ("high_watermark", c_uint64),
        ("bytes", c_uint64),
        ("reserved", c_uint64 * 2),
    ]


class EsAnchor(Structure):
    """es_anchor."""

    _fields_ = [
        ("high_watermark", c_uint64),
        ("blob_ref", EsString),
        ("content_hash", EsString),
    ]


class EsReportSummary(_Sized):
    """es_report_summary."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_uint32),
        ("digest", c_uint32),
        ("flags", c_uint32),
        ("rows", c_uint64),
        ("findings", c_uint64),
        ("high_watermark", c_uint64),
        ("entries", c_uint64),
        ("lifecycle", c_uint64),
        ("run_id", c_char * 136),
        ("parent_run_id", c_char * 136),
        ("reason", c_char * 256),
        ("reserved", c_uint64 * 2),
    ]


class EsPageResult(_Sized):
    """es_page_result."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("more", c_uint32),
        ("rows", c_uint64),
        ("arena_used", c_uint64),
    ]


class EsRunRow(Structure):
    """es_run_row."""

    _fields_ = [
        ("run_id_offset", c_uint64),
        ("path_offset", c_uint64),
        ("parent_offset", c_uint64),
        ("reason_offset", c_uint64),
        ("run_id_len", c_uint32),
        ("path_len", c_uint32),
        ("parent_len", c_uint32),
        ("reason_len", c_uint32),
        ("bytes", c_uint64),
        ("high_watermark", c_uint64),
        ("start_ts_init", c_uint64),
        ("end_ts_init", c_uint64),
        ("outcome", c_uint32),
        ("status", c_uint32),
        ("backend", c_uint32),
        ("flags", c_uint32),
    ]


class EsFinding(Structure):
    """es_finding."""

    _fields_ = [
        ("kind", c_uint32),
        ("drift", c_uint32),
        ("index_kind", c_uint32),
        ("key_len", c_uint32),
        ("seq", c_uint64),
        ("other_seq", c_uint64),
        ("key_offset", c_uint64),
        ("text_offset", c_uint64),
        ("text_len", c_uint32),
        ("reserved", c_uint32),
    ]


class EsOperationOptions(_Sized):
    """es_operation_options."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("abi_version", c_uint32),
        ("flags", c_uint32),
        ("threads", c_uint32),
        ("cache_bytes", c_uint64),
        ("digest_key", c_uint8 * 32),
        ("expected_digest", c_uint8 * 32),
        ("reserved", c_uint64 * 4),
    ]
