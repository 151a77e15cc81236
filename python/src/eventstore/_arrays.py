"""A scan straight into numpy: the rows of `es_entry` as a structured array, texts in arenas.

The library writes rows and texts where numpy will read them; nothing is copied and no value is
made per row. A row's offsets count from the arena of its page, which is kept as it is. Tables for
Arrow, pandas and polars: `_tables.py`.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from ._abi import Owner
from ._model import Entry
from ._pages import ENTRY, ENTRY_SIZE, OnDamage, PageScan, TextCache, unpack_entry
from ._wait import SLICE_NS

try:
    import numpy as np
except ImportError as _error:
    raise ImportError("this needs numpy: pip install eventstore[numpy]") from _error

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENTRY_DTYPE = np.dtype([
    ("seq", "<u8"),
    ("ts_init", "<u8"),
    ("ts_publish", "<u8"),
    ("topic_offset", "<u8"),
    ("payload_type_offset", "<u8"),
    ("payload_offset", "<u8"),
    ("keys_offset", "<u8"),
    ("payload_len", "<u8"),
    ("topic_len", "<u4"),
    ("payload_type_len", "<u4"),
    ("keys_len", "<u4"),
    ("key_count", "<u4"),
    ("flags", "<u4"),
    ("reserved", "<u4"),
    ("correlation_id", "V16"),
    ("causation_id", "V16"),
    ("entry_hash", "V32"),
])  # fmt: skip
"""The layout of `es_entry`, field for field."""

TEXT_COLUMNS = ("topic", "payload_type", "payload")

# Kept arenas are fresh memory, and its first touch is most of what a scan costs beyond C's: of 1,
# 2, 8 and 64 MiB, 8 took the least processor time. What is used again and again fits a cache.
_KEPT_ARENA_BYTES = 8 << 20
_REUSED_ARENA_BYTES = 1 << 20
# A long scan runs in as many parts at once: reading, checking and first touches all go side by side.
_PARTS_MAX = min(4, os.cpu_count() or 1)
_PART_ROWS_MIN = 50_000
_REUSED_ROWS = 8192


class EntryArrays:
    """Entries as arrays.

    Attributes:
        rows: a structured array, one row an entry; `rows["ts_init"]` is a column.
        arenas: the bytes that the offsets of rows count from, one array a page.
        starts: the first row of each arena, and behind them the number of rows.

    `len`, iteration and `[i]` (an `Entry`) do what a list of entries would; `arrays["seq"]` is the
    column of that name.
    """

    def __init__(
        self, rows: "NDArray[Any]", arenas: "List[NDArray[np.uint8]]", starts: List[int]
    ) -> None:
        self.rows = rows
        self.arenas = arenas
        self.starts = np.asarray([*starts, len(rows)], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: Union[int, str]) -> Any:
        if isinstance(at, str):
            return self.rows[at]
        position = range(len(self.rows))[at]
        arena = self._arena_of(position).data
        return unpack_entry(ENTRY.unpack(self.rows[position].tobytes()), arena, TextCache())

    def __iter__(self) -> Iterator[Entry]:
        cache = TextCache()
        for rows, arena in self.pages():
            view = arena.data
            for fields in ENTRY.iter_unpack(rows.data.cast("B")) if len(rows) else ():
                yield unpack_entry(fields, view, cache)

    def __repr__(self) -> str:
        return f"<EntryArrays: {len(self.rows)} rows, {len(self.arenas)} arenas>"

    @property
    def nbytes(self) -> int:
        """How many bytes it holds."""
        return int(self.rows.nbytes) + sum(int(arena.nbytes) for arena in self.arenas)

    def pages(self) -> "Iterator[Tuple[NDArray[Any], NDArray[np.uint8]]]":
        """Rows with the arena that their offsets count from, page after page."""
        if self.rows.dtype != ENTRY_DTYPE:
            raise ValueError(
                "the texts were left out: to_numpy was asked for "
                f"{', '.join(self.rows.dtype.names or ())} only"
            )
        for number, arena in enumerate(self.arenas):
            yield self.rows[self.starts[number] : self.starts[number + 1]], arena

    def payload(self, at: int) -> memoryview:
        """The payload of a row, not copied."""
        position = range(len(self.rows))[at]
        arena = self._arena_of(position)
        start = int(self.rows["payload_offset"][position])
        return arena.data[start : start + int(self.rows["payload_len"][position])]

    def where(self, column: str, text: Union[str, bytes]) -> "NDArray[np.bool_]":
        """Which rows have exactly this topic, payload_type or payload: a mask for `rows`."""
        if column not in TEXT_COLUMNS:
            raise ValueError(f"{column!r} is none of {', '.join(TEXT_COLUMNS)}")
        wanted = np.frombuffer(text.encode("utf-8") if isinstance(text, str) else text, np.uint8)
        masks = []
        for rows, arena in self.pages():
            mask = rows[column + "_len"] == len(wanted)
            offsets = rows[column + "_offset"]
            for at, byte in enumerate(wanted):
                candidates = np.flatnonzero(mask)
                mask[candidates] = arena[offsets[candidates] + np.uint64(at)] == byte
            masks.append(mask)
        return np.concatenate(masks) if masks else np.zeros(0, dtype=np.bool_)

    def factorize(self, column: str) -> "Tuple[NDArray[np.int64], List[str]]":
        """Codes and texts of topic or payload_type: `texts[codes[i]]` is what row i has."""
        if column not in ("topic", "payload_type"):
            raise ValueError(f"{column!r} is neither topic nor payload_type")
        known: Dict[bytes, int] = {}
        codes = np.zeros(len(self.rows), dtype=np.int64)
        for page, (rows, arena) in enumerate(self.pages()):
            page_codes = codes[self.starts[page] : self.starts[page + 1]]
            lengths = rows[column + "_len"]
            for length in np.unique(lengths).tolist():
                at = np.flatnonzero(lengths == length)
                starts = rows[column + "_offset"][at].astype(np.int64)
                texts = arena[starts[:, None] + np.arange(length)].view(f"V{length}").reshape(-1)
                found, inverse = np.unique(texts, return_inverse=True)
                numbers = [known.setdefault(text.tobytes(), len(known)) for text in found]
                page_codes[at] = np.asarray(numbers)[inverse]
        return codes, [text.decode("utf-8") for text in known]

    def with_key(self, text: str, kind: Optional[int] = None) -> "NDArray[np.int64]":
        """The positions of the rows that carry a key: every one, not only the first."""
        wanted = text.encode("utf-8")
        found = []
        for page, (rows, arena) in enumerate(self.pages()):
            for keys in keys_of(rows, arena):
                length, pattern = len(wanted), np.frombuffer(wanted, np.uint8)
                chosen = keys.length == length
                if kind is not None:
                    chosen &= keys.kind == kind
                for at, byte in enumerate(pattern):
                    candidates = np.flatnonzero(chosen)
                    chosen[candidates] = arena[keys.start[candidates] + at] == byte
                found.append(keys.row[chosen] + self.starts[page])
        return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)

    def to_arrow(self, **options: Any) -> Any:
        """A `pyarrow.Table`: a row an entry, built without a Python value per row.

        Columns: seq, ts_init and ts_publish (nanoseconds, UTC), topic and payload_type
        (dictionaries), payload (binary), client_order_id and venue_order_id (the first key of
        each kind, null without one), correlation_id, causation_id, entry_hash.

        Args:
            columns: only these, in this order.
        """
        from ._tables import to_arrow

        return to_arrow(self, **options)

    def to_pandas(self, **options: Any) -> Any:
        """A `pandas.DataFrame` with the columns of `to_arrow`."""
        from ._tables import to_pandas

        return to_pandas(self, **options)

    def to_polars(self, **options: Any) -> Any:
        """A `polars.DataFrame` with the columns of `to_arrow`."""
        from ._tables import to_polars

        return to_polars(self, **options)

    def _arena_of(self, position: int) -> "NDArray[np.uint8]":
        if self.rows.dtype != ENTRY_DTYPE:
            raise ValueError("the texts were left out: to_numpy was asked for columns")
        return self.arenas[int(np.searchsorted(self.starts, position, side="right")) - 1]


class KeysAt:
    """The n-th key of each row that has one: parallel arrays."""

    def __init__(self, row: Any, kind: Any, start: Any, length: Any) -> None:
        self.row = row
        self.kind = kind
        self.start = start
        self.length = length


def keys_of(rows: "NDArray[Any]", arena: "NDArray[np.uint8]") -> Iterator[KeysAt]:
    """The keys of a page: first keys, second keys, and so on, at most 16 steps."""
    row = np.flatnonzero(rows["key_count"])
    at = rows["keys_offset"][row].astype(np.int64)
    left = rows["key_count"][row].astype(np.int64)
    while len(row):
        kind = arena[at] | arena[at + 1].astype(np.uint16) << 8
        length = (arena[at + 2] | arena[at + 3].astype(np.uint16) << 8).astype(np.int64)
        yield KeysAt(row, kind, at + 4, length)
        goes_on = left > 1
        at = (at + 4 + length)[goes_on]
        row, left = row[goes_on], left[goes_on] - 1


def _kept_dtype(columns: Sequence[str]) -> "np.dtype[Any]":
    fields: Dict[str, Any] = dict(ENTRY_DTYPE.fields or {})
    unknown = [name for name in columns if name not in fields]
    if unknown:
        raise ValueError(f"no such column: {', '.join(unknown)}; there are {', '.join(fields)}")
    kinds: Dict[str, Any] = {name: fields[name][0] for name in columns}
    return np.dtype(list(kinds.items()))


class PackedPage(NamedTuple):
    """Rows and arena as es_submit_packed takes them; `kept` holds the memory."""

    address: int
    stride: int
    row_count: int
    arena_address: int
    arena_bytes: int
    kept: Tuple[Any, Any]


def packed_page(rows: "NDArray[Any]", arena: Any) -> PackedPage:
    """Rows of `ENTRY_DTYPE` and their arena, as drafts."""
    rows = np.asarray(rows)
    if rows.dtype != ENTRY_DTYPE or rows.ndim != 1:
        raise ValueError("rows must be one row an entry, of ENTRY_DTYPE")
    rows = np.ascontiguousarray(rows)
    texts = np.frombuffer(arena, np.uint8)
    # Behind its seq an entry is laid out as a draft.
    address = rows.ctypes.data + ENTRY_DTYPE.fields["ts_init"][1]  # type: ignore[index]
    return PackedPage(
        address, rows.strides[0], len(rows), texts.ctypes.data, texts.nbytes, (rows, texts)
    )


def scan_arrays(
    reader: Owner,
    first: int,
    last: int,
    columns: Optional[Sequence[str]],
    on_damage: Optional[OnDamage],
) -> EntryArrays:
    """The entries from `first` to `last` as arrays; with `columns` only those fields."""
    count = max(0, last - first + 1)
    if columns is not None:
        scan = PageScan(first, last, False, on_damage)
        return _scan_columns(reader, scan, count, _kept_dtype(columns))
    rows = np.empty(count, ENTRY_DTYPE)
    arena_bytes = _KEPT_ARENA_BYTES if count > 1000 else 1 << 18
    # A callback comes from the caller's thread and in order, so such a scan has one part.
    parts = 1 if on_damage is not None else min(_PARTS_MAX, count // _PART_ROWS_MIN)
    if parts <= 1:
        part = _Part(reader, PageScan(first, last, False, on_damage), rows, 0, arena_bytes)
        part.fill()
        return EntryArrays(rows[: part.filled], part.arenas, part.starts)
    bounds = [count * number // parts for number in range(parts + 1)]
    filling = []
    for start, end in zip(bounds, bounds[1:]):
        scan = PageScan(first + start, first + end - 1, False, None)
        filling.append(_Part(reader, scan, rows[start:end], start, arena_bytes))
    _fill_at_once(filling)
    arenas = [arena for part in filling for arena in part.arenas]
    return EntryArrays(rows, arenas, [start for part in filling for start in part.starts])


class _Part:
    """A part of a scan: fills its rows, `start` of which lie before it."""

    def __init__(
        self, reader: Owner, scan: PageScan, rows: "NDArray[Any]", start: int, arena_bytes: int
    ) -> None:
        self.reader = reader
        self.arena_bytes = arena_bytes
        self.scan = scan
        self.rows = rows
        self.start = start
        self.filled = 0
        self.arenas: "List[NDArray[np.uint8]]" = []
        self.starts: List[int] = []
        self.failure: Optional[BaseException] = None
        self.is_wanted = True

    def fill(self) -> None:
        """Scans page after page, each into an arena of its own."""
        scan, count = self.scan, len(self.rows)
        arena_bytes = self.arena_bytes
        arena = np.empty(arena_bytes, np.uint8)
        while scan.has_more and self.is_wanted:
            got = scan.next_page(
                self.reader,
                self.rows.ctypes.data + self.filled * ENTRY_SIZE,
                count - self.filled,
                arena.ctypes.data,
                len(arena),
            )
            if got < 0:
                arena = np.empty(scan.required, np.uint8)
                continue
            if got:
                self.arenas.append(arena[: scan.result.arena_used])
                self.starts.append(self.start + self.filled)
                self.filled += got
                if scan.has_more:
                    arena = np.empty(arena_bytes, np.uint8)

    def fill_or_fail(self) -> None:
        """The same on a thread of its own."""
        try:
            self.fill()
        except BaseException as error:  # raised by the thread that waits
            self.failure = error


def _fill_at_once(parts: List[_Part]) -> None:
    """Fills every part on a thread of its own; of several failures the first part's is raised."""
    threads = [threading.Thread(target=part.fill_or_fail, daemon=True) for part in parts]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(SLICE_NS / 1e9)  # Ctrl-C comes between two slices
    except BaseException:
        for part in parts:
            part.is_wanted = False
        raise
    for part in parts:
        if part.failure is not None:
            raise part.failure
        assert part.filled == len(part.rows), "a sequence without holes"


def _scan_columns(reader: Owner, scan: PageScan, count: int, dtype: "np.dtype[Any]") -> EntryArrays:
    """Fixed columns only: one page of memory is used again and again."""
    kept = np.empty(count, dtype)
    page = np.empty(min(max(count, 1), _REUSED_ROWS), ENTRY_DTYPE)
    arena = np.empty(_REUSED_ARENA_BYTES, np.uint8)
    filled = 0
    while scan.has_more:
        got = scan.next_page(reader, page.ctypes.data, len(page), arena.ctypes.data, len(arena))
        if got < 0:
            arena = np.empty(scan.required, np.uint8)
            continue
        for name in dtype.names or ():
            kept[name][filled : filled + got] = page[name][:got]
        filled += got
    return EntryArrays(kept[:filled], [], [])
