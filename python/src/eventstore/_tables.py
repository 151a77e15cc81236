"""Arrow, pandas and polars tables from a scan, built in whole columns.

A page's arena is cut where a column's texts begin and end; every second piece is a text, and
Arrow takes those in one step. So no byte and no row passes through Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ._arrays import EntryArrays, keys_of
from ._model import IndexKind
from ._pages import HAS_CAUSATION_ID, HAS_CORRELATION_ID

try:
    import pyarrow as pa
except ImportError as _error:
    raise ImportError("this needs pyarrow: pip install eventstore[arrow]") from _error

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = (
    "seq", "ts_init", "ts_publish", "topic", "payload_type", "payload", "client_order_id",
    "venue_order_id", "correlation_id", "causation_id", "entry_hash",
)  # fmt: skip

_TIME = pa.timestamp("ns", "UTC")
_DICTIONARIES = ("topic", "payload_type")
_KEY_COLUMNS = {
    "client_order_id": IndexKind.CLIENT_ORDER_ID,
    "venue_order_id": IndexKind.VENUE_ORDER_ID,
}
_ID_COLUMNS = {"correlation_id": HAS_CORRELATION_ID, "causation_id": HAS_CAUSATION_ID}


def _texts(
    arena: "NDArray[np.uint8]", start: "NDArray[Any]", length: "NDArray[Any]", kind: Any
) -> Any:
    """An Arrow array of the texts that lie at these places of an arena."""
    count = len(start)
    if count == 0:
        return pa.array([], type=kind)
    end = start.astype(np.int64) + length.astype(np.int64)
    if not length.all():
        # An empty text may lie anywhere: it lies where the last one ended.
        is_empty = length == 0
        furthest = np.maximum.accumulate(np.where(is_empty, 0, end))
        start = np.where(is_empty, furthest, start)
        end = np.where(is_empty, furthest, end)
    cuts = np.empty(2 * count, np.int64)
    cuts[0::2] = start
    cuts[1::2] = end
    picks: Optional[Any] = None
    if np.any(cuts[1:] < cuts[:-1]):
        # Not in the order of the rows: cut in the arena's order, pick in the rows'.
        order = np.argsort(start, kind="stable")
        cuts = cuts.reshape(count, 2)[order].reshape(-1)
        picks = np.empty(count, np.int64)
        picks[order] = np.arange(0, 2 * count, 2)
    large = kind in (pa.large_string(), pa.large_binary())
    offsets = cuts if large else cuts.astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(arena)]
    pieces = pa.Array.from_buffers(kind, 2 * count - 1, buffers)
    return pieces.take(pa.array(np.arange(0, 2 * count, 2) if picks is None else picks))


def _times(column: "NDArray[Any]", name: str) -> Any:
    if len(column) and int(column.max()) >= 1 << 63:
        raise ValueError(f"{name} has times after the year 2262: read it with to_numpy")
    return pa.array(np.ascontiguousarray(column).view("<i8")).cast(_TIME)


def _fixed(column: "NDArray[Any]", present: "Optional[NDArray[np.bool_]]" = None) -> Any:
    """16 or 32 bytes a row, null where they are not present."""
    kind = pa.binary(column.dtype.itemsize)
    data = pa.py_buffer(np.ascontiguousarray(column))
    valid = None
    if present is not None:
        valid = pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(kind, len(column), [valid, data])


def _first_keys(rows: "NDArray[Any]", arena: "NDArray[np.uint8]", kind: int) -> Any:
    """The first key of a kind of each row, null without one."""
    start = np.zeros(len(rows), np.int64)
    length = np.full(len(rows), -1, np.int64)
    for keys in keys_of(rows, arena):
        chosen = (keys.kind == kind) & (length[keys.row] < 0)
        start[keys.row[chosen]] = keys.start[chosen]
        length[keys.row[chosen]] = keys.length[chosen]
    present = np.flatnonzero(length >= 0)
    texts = _texts(arena, start[present], length[present], _text_kind(arena, "string"))
    picks = np.zeros(len(rows), np.int64)
    picks[present] = np.arange(len(present))
    return texts.take(pa.array(picks, mask=length < 0))


def _text_kind(arena: "NDArray[np.uint8]", kind: str) -> Any:
    large = len(arena) >= 1 << 31
    if kind == "string":
        return pa.large_string() if large else pa.string()
    return pa.large_binary() if large else pa.binary()


def _paged(arrays: EntryArrays, name: str) -> Any:
    """A column whose texts lie in arenas: one Arrow chunk a page."""
    pages: List[Tuple[Any, Any]] = list(arrays.pages())
    kind = "binary" if name == "payload" else "string"
    column_kind = pa.binary() if name == "payload" else pa.string()
    chunks = []
    for rows, arena in pages:
        if name in _KEY_COLUMNS:
            chunk = _first_keys(rows, arena, _KEY_COLUMNS[name])
        else:
            chunk = _texts(
                arena, rows[name + "_offset"], rows[name + "_len"], _text_kind(arena, kind)
            )
        chunks.append(chunk)
        if chunk.type != column_kind:
            column_kind = chunk.type
    column = pa.chunked_array([chunk.cast(column_kind) for chunk in chunks], type=column_kind)
    return column.dictionary_encode().unify_dictionaries() if name in _DICTIONARIES else column


def _column(arrays: EntryArrays, name: str) -> Any:
    rows = arrays.rows
    if name == "seq":
        return pa.array(np.ascontiguousarray(rows["seq"]))
    if name in ("ts_init", "ts_publish"):
        return _times(rows[name], name)
    if name in _ID_COLUMNS:
        return _fixed(rows[name], (rows["flags"] & _ID_COLUMNS[name]) != 0)
    if name == "entry_hash":
        return _fixed(rows[name])
    return _paged(arrays, name)


def to_arrow(arrays: EntryArrays, *, columns: Optional[Sequence[str]] = None) -> Any:
    """See `EntryArrays.to_arrow`."""
    wanted = COLUMNS if columns is None else tuple(columns)
    unknown = [name for name in wanted if name not in COLUMNS]
    if unknown:
        raise ValueError(f"no such column: {', '.join(unknown)}; there are {', '.join(COLUMNS)}")
    table: Dict[str, Any] = {name: _column(arrays, name) for name in wanted}
    return pa.table(table)


def to_pandas(arrays: EntryArrays, *, columns: Optional[Sequence[str]] = None) -> Any:
    """See `EntryArrays.to_pandas`."""
    try:
        import pandas  # noqa: F401  # Arrow's own message does not name the extra
    except ImportError as error:
        raise ImportError("this needs pandas: pip install eventstore[pandas]") from error
    return to_arrow(arrays, columns=columns).to_pandas()


def to_polars(arrays: EntryArrays, *, columns: Optional[Sequence[str]] = None) -> Any:
    """See `EntryArrays.to_polars`."""
    try:
        import polars
    except ImportError as error:
        raise ImportError("this needs polars: pip install eventstore[polars]") from error
    return polars.from_arrow(to_arrow(arrays, columns=columns))
