"""Drafts as the library takes them: a whole batch packed into two pieces of memory.

Texts, payloads and keys lie behind each other in one piece, the array of `es_draft` and
`es_index_key` in the other; so a batch costs Python a few operations a draft.
"""

from __future__ import annotations

import ctypes
import functools
import struct
import time
from typing import Iterable, List, Tuple

from ._model import Draft, Payload
from ._ranges import U32_MAX, in_range

_DRAFT = struct.Struct("<7Q2I2Q16s16s")
_KEY = struct.Struct("<2Q2I")
_NO_ID = bytes(16)
HAS_CORRELATION_ID = 1
HAS_CAUSATION_ID = 2


@functools.lru_cache(maxsize=4096)
def _encoded(text: str) -> bytes:
    return text.encode("utf-8")


def text_and_length(text: str) -> Tuple[bytes, int]:
    """A text that comes again and again, encoded once."""
    data = _encoded(text)
    return data, len(data)


def payload_bytes(payload: Payload) -> bytes:
    """What is stored of a payload. Only a buffer has bytes: `bytes(5)` would be five zeros."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, str):
        return payload.encode("utf-8")
    try:
        return memoryview(payload).tobytes()
    except TypeError:
        given = type(payload).__name__
        raise TypeError(
            f"payload is of type {given}: give bytes, a buffer of them, or str"
        ) from None


def _address(data: bytes) -> int:
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


class Batch:
    """An array of drafts in memory: `address`, `stride`, `count`."""

    stride = _DRAFT.size

    def __init__(self, drafts: Iterable[Draft]) -> None:
        now = 0
        parts: List[bytes] = []
        rows: List[Tuple[int, int, int, int, int, int, int, int, int, int, int, bytes, bytes]] = []
        keys: List[Tuple[int, int, int]] = []
        at = 0
        for topic, payload_type, payload, draft_keys, ts_init, ts_publish, cor, cau in drafts:
            topic_data = _encoded(topic)
            type_data = _encoded(payload_type)
            data = payload_bytes(payload)
            parts += (topic_data, type_data, data)
            type_at = at + len(topic_data)
            data_at = type_at + len(type_data)
            topic_at, at = at, data_at + len(data)
            first_key = len(keys)
            for kind, text in draft_keys:
                key_data = text.encode("utf-8")
                parts.append(key_data)
                keys.append((at, len(key_data), in_range("kind", kind, U32_MAX)))
                at += len(key_data)
            if ts_init is None:
                ts_init = now = now or time.time_ns()
            else:
                ts_init = in_range("ts_init", ts_init)
            if ts_publish:
                ts_publish = in_range("ts_publish", ts_publish)
            rows.append((
                topic_at, len(topic_data), type_at, len(type_data), data_at, len(data), first_key,
                len(keys) - first_key,
                (HAS_CORRELATION_ID if cor else 0) | (HAS_CAUSATION_ID if cau else 0),
                ts_init, ts_publish, cor.bytes if cor else _NO_ID, cau.bytes if cau else _NO_ID,
            ))  # fmt: skip
        self.count = len(rows)
        self._texts = b"".join(parts)
        base = _address(self._texts)
        key_array = b"".join(
            [_KEY.pack(base + key_at, length, kind, 0) for key_at, length, kind in keys]
        )
        self._keys = key_array
        key_base = _address(key_array)
        pack, key_size = _DRAFT.pack, _KEY.size
        self._drafts = b"".join([
            pack(base + row[0], row[1], base + row[2], row[3], base + row[4], row[5],
                 key_base + row[6] * key_size if row[7] else 0, *row[7:])
            for row in rows
        ])  # fmt: skip
        self.address = _address(self._drafts)
