"""The functions of libeventstore, declared for ctypes, and the handles that own what they made.

Declarations are compared with the header by `tests/test_layout.py`. A handle frees itself with its
last reference: a call in another thread holds one, so that nothing is freed under it. Nothing in
here is for users of the package.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_char_p, c_int32, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from typing import Any, List, Protocol, Union

from . import _structs as s
from ._library import ABI_MAJOR, ABI_MINOR, load

ABI_VERSION = ABI_MAJOR << 16 | ABI_MINOR
FOREVER = 2**64 - 1
NONE = 2**64 - 1
POLL = 1

PathLike = Union[str, "os.PathLike[str]"]

lib = load()

_ERR = POINTER(s.EsError)
_SEQ_OUT = POINTER(c_uint64)
_SIZE_OUT = POINTER(c_size_t)
_HANDLE_OUT = POINTER(c_void_p)
_TEXT = [c_char_p, c_size_t]
_ARENA = [c_void_p, c_size_t]
_ROWS = [c_void_p, c_size_t, c_size_t]

# name: what it returns, then its parameters. Runs, readers, reports and rows are plain addresses.
PROTOTYPES: "dict[str, List[Any]]" = {
    "es_abi_version": [c_uint32],
    "es_version": [c_char_p],
    "es_status_name": [c_char_p, c_int32],
    "es_status_message": [c_char_p, c_int32],
    "es_status_is_retryable": [c_int32, c_int32],
    "es_status_is_fatal": [c_int32, c_int32],
    "es_open_run": [
        c_int32,
        *_TEXT,
        POINTER(s.EsManifest),
        POINTER(s.EsOpenOptions),
        _HANDLE_OUT,
        _ERR,
    ],
    "es_open_sealed_run": [c_int32, *_TEXT, POINTER(s.EsReaderOptions), _HANDLE_OUT, _ERR],
    "es_open_live_run": [c_int32, *_TEXT, POINTER(s.EsReaderOptions), _HANDLE_OUT, _ERR],
    "es_wait_tail": [c_int32, c_void_p, c_uint64, c_uint64, POINTER(s.EsTailResult), _ERR],
    "es_open_crashed_run": [
        c_int32,
        *_TEXT,
        *_TEXT,
        *_TEXT,
        POINTER(s.EsReaderOptions),
        _HANDLE_OUT,
        _ERR,
    ],
    "es_open_reader": [c_int32, c_void_p, _HANDLE_OUT, _ERR],
    "es_submit": [
        c_int32,
        c_void_p,
        POINTER(s.EsDraft),
        c_size_t,
        POINTER(s.EsSubmitOptions),
        _SEQ_OUT,
        _ERR,
    ],
    "es_submit_batch": [
        c_int32,
        c_void_p,
        c_void_p,
        c_size_t,
        c_size_t,
        POINTER(s.EsSubmitOptions),
        _SEQ_OUT,
        _ERR,
    ],
    "es_submit_packed": [
        c_int32,
        c_void_p,
        c_void_p,
        c_size_t,
        c_size_t,
        c_void_p,
        c_size_t,
        POINTER(s.EsSubmitOptions),
        _SEQ_OUT,
        _ERR,
    ],
    "es_wait_durable": [c_int32, c_void_p, c_uint64, c_uint64, _ERR],
    "es_do_work": [c_int32, c_void_p, _SEQ_OUT, _ERR],
    "es_close_run": [c_int32, c_void_p, POINTER(s.EsCloseOptions), POINTER(s.EsCloseResult), _ERR],
    "es_seal_run": [c_int32, c_void_p, c_uint32, POINTER(s.EsCloseResult), _ERR],
    "es_free_run": [None, c_void_p],
    "es_free_reader": [None, c_void_p],
    "es_free_report": [None, c_void_p],
    "es_get_run_state": [c_int32, c_void_p, POINTER(s.EsRunState), c_size_t, _ERR],
    "es_get_run_stats": [c_int32, c_void_p, POINTER(s.EsRunStats), c_size_t, _ERR],
    "es_get_run_path": [c_int32, c_void_p, c_void_p, c_size_t, _SIZE_OUT, _ERR],
    "es_get_reader_path": [c_int32, c_void_p, c_void_p, c_size_t, _SIZE_OUT, _ERR],
    "es_open_durable_fd": [c_int32, c_void_p, POINTER(c_int32), _ERR],
    "es_scan_range": [
        c_int32,
        c_void_p,
        POINTER(s.EsScanRequest),
        *_ROWS,
        *_ARENA,
        POINTER(s.EsScanResult),
        _ERR,
    ],
    "es_get_entry": [
        c_int32,
        c_void_p,
        c_uint64,
        POINTER(s.EsEntry),
        c_size_t,
        *_ARENA,
        _SIZE_OUT,
        _ERR,
    ],
    "es_lookup": [c_int32, c_void_p, c_uint32, *_TEXT, _SEQ_OUT, _ERR],
    "es_scan_index": [
        c_int32,
        c_void_p,
        POINTER(s.EsIndexRequest),
        *_ROWS,
        *_ARENA,
        POINTER(s.EsIndexResult),
        _ERR,
    ],
    "es_find_first_seq": [c_int32, c_void_p, c_uint64, _SEQ_OUT, _ERR],
    "es_record_anchor": [c_int32, c_void_p, c_uint64, *_TEXT, *_TEXT, c_uint64, _ERR],
    "es_get_anchor": [
        c_int32,
        c_void_p,
        POINTER(s.EsAnchor),
        c_size_t,
        *_ARENA,
        _SIZE_OUT,
        _ERR,
    ],
    "es_get_restore_plan": [c_int32, c_void_p, POINTER(s.EsRestorePlan), _ERR],
    "es_get_high_watermark": [c_int32, c_void_p, _SEQ_OUT, _ERR],
    "es_get_digest": [c_int32, c_void_p, POINTER(c_uint8), c_size_t, POINTER(c_uint32), _ERR],
    "es_get_manifest": [c_int32, c_void_p, POINTER(s.EsManifest), *_ARENA, _SIZE_OUT, _ERR],
    "es_get_report_summary": [c_int32, c_void_p, POINTER(s.EsReportSummary), _ERR],
    "es_read_run_rows": [
        c_int32,
        c_void_p,
        c_uint64,
        *_ROWS,
        *_ARENA,
        POINTER(s.EsPageResult),
        _ERR,
    ],
    "es_read_findings": [
        c_int32,
        c_void_p,
        c_uint64,
        *_ROWS,
        *_ARENA,
        POINTER(s.EsPageResult),
        _ERR,
    ],
    "es_list_runs": [c_int32, *_TEXT, *_TEXT, _HANDLE_OUT, _ERR],
    "es_recover": [c_int32, *_TEXT, *_TEXT, POINTER(s.EsOperationOptions), _HANDLE_OUT, _ERR],
    "es_verify_run": [c_int32, *_TEXT, POINTER(s.EsOperationOptions), _HANDLE_OUT, _ERR],
    "es_salvage_run": [
        c_int32,
        *_TEXT,
        *_TEXT,
        *_TEXT,
        *_TEXT,
        POINTER(s.EsOperationOptions),
        _HANDLE_OUT,
        _ERR,
    ],
    "es_copy_run": [c_int32, *_TEXT, *_TEXT, POINTER(s.EsCopyResult), _ERR],
    "es_plan_retention": [c_int32, *_TEXT, *_TEXT, c_uint32, c_uint64, _HANDLE_OUT, _ERR],
    "es_apply_retention": [c_int32, *_TEXT, *_TEXT, c_void_p, _HANDLE_OUT, _ERR],
}

for _name, (_answer, *_parameters) in PROTOTYPES.items():
    _function = getattr(lib, _name)
    _function.restype = _answer
    _function.argtypes = _parameters


class RunHandle(c_void_p):
    """Owns an es_run. Passed as it is to the library, which keeps it alive during the call."""

    _free = lib.es_free_run

    def __del__(self) -> None:
        RunHandle._free(self)


class ReaderHandle(c_void_p):
    """Owns an es_reader."""

    _free = lib.es_free_reader

    def __del__(self) -> None:
        ReaderHandle._free(self)


class ReportHandle(c_void_p):
    """Owns an es_report."""

    _free = lib.es_free_report

    def __del__(self) -> None:
        ReportHandle._free(self)


class Owner(Protocol):
    """What holds a handle: a run, a reader or a report.

    Calls are written `lib.es_x(owner.open_handle(), ...)`, the handle in no variable: a frame that
    a traceback keeps alive must not keep a closed run open.
    """

    def open_handle(self) -> c_void_p:
        """The handle; raises BadHandleError once it is closed."""


def new_arena(size: int) -> "ctypes.Array[ctypes.c_char]":
    """Memory for the library to fill; untouched pages of it cost nothing."""
    return (ctypes.c_char * max(size, 1)).from_buffer(bytearray(max(size, 1)))


def path_bytes(path: PathLike) -> bytes:
    """A path as the library takes it."""
    return os.fsencode(os.fspath(path))


def library_version() -> str:
    """The version of the loaded library, such as "0.1.0"."""
    version: bytes = lib.es_version()
    return version.decode("ascii")


def abi_version() -> "tuple[int, int]":
    """The interface version of the loaded library, major and minor."""
    version: int = lib.es_abi_version()
    return version >> 16, version & 0xFFFF
