"""Pages of a scan turned into `Entry` values, and the loop that asks for one page after another.

Pages make the price of crossing into C vanish: one call a page, then plain unpacking. Whole pages
into numpy without a value per row: `_arrays.py`.
"""

from __future__ import annotations

import ctypes
import struct
from ctypes import byref, sizeof
from typing import Callable, Dict, Iterator, List, Optional, Tuple
from uuid import UUID

from . import _structs as s
from ._abi import Owner, lib, new_arena
from ._errors import BufferTooSmallError, DataError, GapError, error_from
from ._model import Entry, IndexKind, Key

ENTRY = struct.Struct("<8Q6I16s16s32s")
ENTRY_SIZE = ENTRY.size
HAS_CORRELATION_ID = 1
HAS_CAUSATION_ID = 2
KEYS_RECORDED = 4

FORWARD = 0
BACKWARD = 1

OnDamage = Callable[[DataError], None]

_PAGE_ROWS = 1024
_ARENA_BYTES = 1 << 20
_KEY_HEAD = struct.Struct("<HH")
_KINDS: Dict[int, int] = {int(kind): kind for kind in IndexKind}


class TextCache:
    """Texts that come again and again, decoded once."""

    def __init__(self) -> None:
        self._texts: Dict[bytes, str] = {}

    def text(self, data: bytes) -> str:
        text = self._texts.get(data)
        if text is None:
            text = data.decode("utf-8")
            if len(self._texts) < 4096:
                self._texts[data] = text
        return text


def unpack_keys(data: bytes, count: int) -> Tuple[Key, ...]:
    """The keys of an entry: per key a u16 kind, a u16 length, the bytes."""
    keys: List[Key] = []
    at = 0
    for _ in range(count):
        kind, length = _KEY_HEAD.unpack_from(data, at)
        at += _KEY_HEAD.size
        keys.append(Key(_KINDS.get(kind, kind), data[at : at + length].decode("utf-8")))
        at += length
    return tuple(keys)


def unpack_entry(fields: Tuple[int, ...], arena: memoryview, cache: TextCache) -> Entry:
    """One entry from the fields of its row and the arena that its offsets count from."""
    (seq, ts_init, ts_publish, topic_at, type_at, payload_at, keys_at, payload_len,
     topic_len, type_len, keys_len, key_count, flags, _reserved,
     correlation_id, causation_id, entry_hash) = fields  # fmt: skip
    keys: Optional[Tuple[Key, ...]] = None
    if flags & KEYS_RECORDED:
        keys = (
            unpack_keys(bytes(arena[keys_at : keys_at + keys_len]), key_count) if key_count else ()
        )
    return Entry(
        seq,
        ts_init,
        ts_publish,
        cache.text(bytes(arena[topic_at : topic_at + topic_len])),
        cache.text(bytes(arena[type_at : type_at + type_len])),
        bytes(arena[payload_at : payload_at + payload_len]),
        keys,
        UUID(bytes=correlation_id) if flags & HAS_CORRELATION_ID else None,  # type: ignore[arg-type]
        UUID(bytes=causation_id) if flags & HAS_CAUSATION_ID else None,  # type: ignore[arg-type]
        entry_hash,  # type: ignore[arg-type]
    )


def get_entry(reader: Owner, seq: int) -> Entry:
    """One entry by its sequence."""
    row = s.EsEntry()
    err = s.EsError()
    needed = ctypes.c_size_t(2048)
    status = BufferTooSmallError.code
    while status == BufferTooSmallError.code:
        capacity = needed.value
        arena = new_arena(capacity)
        status = lib.es_get_entry(
            reader.open_handle(), seq, byref(row), sizeof(row), arena, capacity, byref(needed),
            byref(err),
        )  # fmt: skip
    if status:
        raise error_from(status, err)
    return unpack_entry(ENTRY.unpack(bytes(row)), memoryview(arena).cast("B"), TextCache())


def after_damage(error: DataError, backward: bool, at: int) -> int:
    """The seq to go on from behind a damaged row."""
    damaged = error.seq or at
    if backward:
        return damaged - 1
    if isinstance(error, GapError) and error.next_seq > damaged:
        return error.next_seq
    return damaged + 1


class PageScan:
    """Asks for the pages of a range, one after another, from wherever the last one ended."""

    def __init__(self, first: int, last: int, backward: bool, on_damage: Optional[OnDamage]):
        self.request = s.EsScanRequest(direction=BACKWARD if backward else FORWARD)
        self.request.from_ = first
        self.request.to = last
        self.result = s.EsScanResult()
        self.backward = backward
        self.on_damage = on_damage
        self.required = 0

    @property
    def has_more(self) -> bool:
        """Whether the range holds anything that was not asked for yet."""
        request = self.request
        return bool(request.to >= max(1, request.from_))

    def next_page(
        self, reader: Owner, rows: object, row_cap: int, arena: object, arena_cap: int
    ) -> int:
        """Fills a page and moves on; says how many rows it has.

        -1: the arena is too small for the first row, `required` bytes would do; nothing moved.
        A damaged row is handed to `on_damage` and skipped: 0 rows then. Without it, it is raised.
        """
        err = s.EsError()
        request, result = self.request, self.result
        status = lib.es_scan_range(
            reader.open_handle(), byref(request), rows, ENTRY_SIZE, row_cap, arena, arena_cap,
            byref(result), byref(err),
        )  # fmt: skip
        if status == BufferTooSmallError.code:
            self.required = err.required
            return -1
        if status:
            error = error_from(status, err)
            if not isinstance(error, DataError) or error.seq == 0 or self.on_damage is None:
                raise error
            self.on_damage(error)
            at = request.to if self.backward else request.from_
            self._go_on(after_damage(error, self.backward, at))
            return 0
        if result.more:
            self._go_on(result.next_seq)
        else:
            request.from_, request.to = 1, 0
        rows_filled: int = result.rows
        return rows_filled

    def _go_on(self, seq: int) -> None:
        if self.backward:
            self.request.to = seq
        else:
            self.request.from_ = seq


def scan_entries(
    reader: Owner,
    first: int,
    last: int,
    backward: bool = False,
    on_damage: Optional[OnDamage] = None,
) -> Iterator[Entry]:
    """The entries from `first` to `last`, in that or the other direction."""
    scan = PageScan(first, last, backward, on_damage)
    cache = TextCache()
    row_cap = min(_PAGE_ROWS, max(1, last - first + 1))
    rows = (s.EsEntry * row_cap)()
    packed = memoryview(rows).cast("B")
    arena_cap = _ARENA_BYTES if row_cap > 16 else 1 << 16
    arena = new_arena(arena_cap)
    view = memoryview(arena).cast("B")
    while scan.has_more:
        filled = scan.next_page(reader, rows, row_cap, arena, arena_cap)
        if filled < 0:
            arena_cap = scan.required
            arena = new_arena(arena_cap)
            view = memoryview(arena).cast("B")
            continue
        for fields in ENTRY.iter_unpack(packed[: filled * ENTRY_SIZE]):
            yield unpack_entry(fields, view, cache)
