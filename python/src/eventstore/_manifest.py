"""Manifests over the boundary: a `Manifest` into the C struct with its lists, and back.

The C struct points into memory of this side: `manifest_in` gives both, to be kept together.
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_size_t, c_void_p, cast, sizeof, string_at
from typing import Any, List, Sequence, Tuple

from . import _structs as s
from ._abi import Owner, lib, new_arena
from ._errors import BufferTooSmallError, error_from
from ._model import Manifest, Pairs, RunStatus
from ._ranges import U32_MAX, in_range

_HAS_SEED = 1
_HAS_END = 2

_TEXTS = ("run_id", "instance_id", "binary_hash", "crate_versions", "config_hash")
_LISTS = (
    ("feature_flags", "feature_flag_count"),
    ("subscriptions", "subscription_count"),
    ("endpoints", "endpoint_count"),
)
_PAIR_LISTS = (
    ("adapter_versions", "adapter_version_count"),
    ("actors", "actor_count"),
    ("strategies", "strategy_count"),
    ("algorithms", "algorithm_count"),
)


class _Memory:
    """What the pointers of a struct point at."""

    def __init__(self) -> None:
        self.kept: List[Any] = []

    def string(self, text: str) -> s.EsString:
        data = text.encode("utf-8")
        self.kept.append(data)
        return s.EsString(cast(c_char_p(data), c_void_p), len(data))

    def strings(self, texts: Sequence[str]) -> Any:
        array = (s.EsString * max(len(texts), 1))(*[self.string(text) for text in texts])
        self.kept.append(array)
        return cast(array, ctypes.POINTER(s.EsString))

    def pairs(self, pairs: Pairs) -> Any:
        items = [s.EsStringPair(self.string(key), self.string(value)) for key, value in pairs]
        array = (s.EsStringPair * max(len(items), 1))(*items)
        self.kept.append(array)
        return cast(array, ctypes.POINTER(s.EsStringPair))


def manifest_in(manifest: Manifest) -> Tuple[s.EsManifest, _Memory]:
    """The C struct for a new run, and the memory that must live as long as it is used."""
    memory = _Memory()
    out = s.EsManifest()
    out.schema_version = in_range("schema_version", manifest.schema_version, U32_MAX)
    for name in _TEXTS:
        setattr(out, name, memory.string(getattr(manifest, name)))
    if manifest.parent_run_id is not None:
        out.parent_run_id = memory.string(manifest.parent_run_id)
    for name, count in _LISTS:
        setattr(out, name, memory.strings(getattr(manifest, name)))
        setattr(out, count, len(getattr(manifest, name)))
    for name, count in _PAIR_LISTS:
        setattr(out, name, memory.pairs(getattr(manifest, name)))
        setattr(out, count, len(getattr(manifest, name)))
    if manifest.seed is not None:
        out.seed = in_range("seed", manifest.seed)
        out.flags = _HAS_SEED
    out.start_ts_init = in_range("start_ts_init", manifest.start_ts_init)
    return out, memory


def _text(string: s.EsString) -> str:
    return string_at(string.data, string.len).decode("utf-8") if string.data else ""


def read_manifest(reader: Owner) -> Manifest:
    """The manifest that a reader gives."""
    out = s.EsManifest()
    err = s.EsError()
    needed = c_size_t(4096)
    status = BufferTooSmallError.code
    while status == BufferTooSmallError.code:
        capacity = needed.value
        arena = new_arena(capacity)
        status = lib.es_get_manifest(
            reader.open_handle(), byref(out), arena, capacity, byref(needed), byref(err)
        )
    if status:
        raise error_from(status, err)
    assert out.struct_size == sizeof(out)
    fields: "dict[str, Any]" = {name: _text(getattr(out, name)) for name in _TEXTS}
    for name, count in _LISTS:
        array = getattr(out, name)
        fields[name] = tuple(_text(array[i]) for i in range(getattr(out, count)))
    for name, count in _PAIR_LISTS:
        pairs = getattr(out, name)
        fields[name] = tuple(
            (_text(pairs[i].key), _text(pairs[i].value)) for i in range(getattr(out, count))
        )
    return Manifest(
        parent_run_id=_text(out.parent_run_id) if out.parent_run_id.data else None,
        schema_version=out.schema_version,
        seed=out.seed if out.flags & _HAS_SEED else None,
        start_ts_init=out.start_ts_init,
        end_ts_init=out.end_ts_init if out.flags & _HAS_END else None,
        high_watermark=out.high_watermark,
        status=RunStatus(out.status),
        **fields,
    )
