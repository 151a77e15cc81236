"""Reading a run: live beside its writer, sealed, or after a crash.

A reader is a Python sequence of its entries: `reader[0]` is the first one, whose `seq` is 1;
`reader[-1]`, `reader[10:20]`, `reversed(reader)` and `for entry in reader` do what a list would.
By sequence number: `entry`, `scan`. Every entry was checked against its hash for this read.
Any thread may read, several at once; reads release Python's lock.
"""

from __future__ import annotations

import os
from ctypes import (
    addressof,
    byref,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    create_string_buffer,
    sizeof,
    string_at,
)
from types import TracebackType
from typing import TYPE_CHECKING, Any, Iterator, Optional, Sequence, Type, TypeVar, Union, overload

from . import _structs as s
from ._abi import ABI_VERSION, Owner, PathLike, ReaderHandle, lib, new_arena, path_bytes
from ._errors import BadHandleError, BufferTooSmallError, NotFoundError, error_from, status_name
from ._manifest import read_manifest
from ._model import (
    Anchor,
    CloseResult,
    Digest,
    Entry,
    IndexKind,
    IndexRow,
    Manifest,
    RestorePlan,
    RunStatus,
    Tail,
)
from ._pages import OnDamage, get_entry, scan_entries
from ._ranges import U32_MAX, in_range
from ._wait import in_slices, interruptible

if TYPE_CHECKING:
    from ._arrays import EntryArrays

R = TypeVar("R", bound="Reader")

_READ_CHECK = 1
_READ_DIGEST_KEY = 2
_TAIL_SEALED = 1
_TAIL_WRITER_GONE = 2
_INDEX_PAGE_ROWS = 1024


def close_result(out: s.EsCloseResult) -> CloseResult:
    """The answer of closing or sealing as a value."""
    return CloseResult(
        sealed=bool(out.sealed),
        status=RunStatus(out.status),
        high_watermark=out.high_watermark,
        digest=bytes(out.digest) if out.digest_present else None,
        halt_status=status_name(out.halt_status),
        halt_errno=out.halt_errno,
    )


class EntryView(Sequence[Entry]):
    """A slice of a run: entries are read when they are asked for, page by page.

    Made by slicing a reader; can be sliced again. `to_numpy` and the tables work on it as on the
    reader when its step is 1.
    """

    def __init__(self, reader: "Reader", positions: range) -> None:
        self._reader = reader
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> "EntryView": ...
    def __getitem__(self, at: Union[int, slice]) -> "Union[Entry, EntryView]":
        if isinstance(at, slice):
            return EntryView(self._reader, self._positions[at])
        return self._reader.entry(self._positions[at] + 1)

    def __iter__(self) -> Iterator[Entry]:
        positions = self._positions
        if not positions:
            return iter(())
        if positions.step == 1:
            return self._reader.scan(positions[0] + 1, positions[-1] + 1)
        if positions.step == -1:
            return self._reader.scan(positions[-1] + 1, positions[0] + 1, backward=True)
        return (self._reader.entry(position + 1) for position in positions)

    def __reversed__(self) -> Iterator[Entry]:
        return iter(self[::-1])

    def __repr__(self) -> str:
        return f"<{len(self)} entries of {self._reader!r}>"

    def to_numpy(self, columns: Optional[Sequence[str]] = None) -> "EntryArrays":
        """As `Reader.to_numpy`, of these entries."""
        if self._positions.step != 1:
            raise ValueError(
                f"a step of {self._positions.step}: read a contiguous slice, then pick"
            )
        if not self._positions:
            return self._reader.to_numpy(1, 0, columns=columns)
        return self._reader.to_numpy(
            self._positions[0] + 1, self._positions[-1] + 1, columns=columns
        )

    def to_arrow(self) -> Any:
        """As `Reader.to_arrow`, of these entries."""
        return self.to_numpy().to_arrow()

    def to_pandas(self) -> Any:
        """As `Reader.to_pandas`, of these entries."""
        return self.to_numpy().to_pandas()

    def to_polars(self) -> Any:
        """As `Reader.to_polars`, of these entries."""
        return self.to_numpy().to_polars()


class Reader(Sequence[Entry]):
    """A view of a run for reading; made by `Run.reader`, `open_sealed`, `open_live` or
    `open_crashed`.

    Of a live run it sees each entry as soon as it is durable, so `len` grows. It keeps working
    after the run is closed. Close it, or use it in a `with`: as long as it is open, nobody else
    repairs or deletes the run.
    """

    def __init__(self, handle: ReaderHandle) -> None:
        self._handle: Optional[ReaderHandle] = handle

    def close(self) -> None:
        """Lets go of the file and its locks. Calls after that raise BadHandleError."""
        self._handle = None

    def __enter__(self: R) -> R:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._handle is None:
            return f"<{type(self).__name__}: closed>"
        return f"<{type(self).__name__} {self.path or 'in memory'}: {len(self)} entries>"

    # As a sequence: positions from 0.

    def __len__(self) -> int:
        return self.high_watermark

    def __iter__(self) -> Iterator[Entry]:
        return self.scan()

    def __reversed__(self) -> Iterator[Entry]:
        return self.scan(backward=True)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> EntryView: ...
    def __getitem__(self, at: Union[int, slice]) -> Union[Entry, EntryView]:
        positions = range(len(self))
        if isinstance(at, slice):
            return EntryView(self, positions[at])
        try:
            position = positions[at]
        except IndexError:
            raise IndexError(f"entry {at} of {len(positions)}") from None
        return self.entry(position + 1)

    # By sequence number: from 1.

    def entry(self, seq: int) -> Entry:
        """The entry with a sequence number.

        Raises:
            NotFoundError: it is 0 or beyond the high-watermark.
            DataError: the entry is damaged.
        """
        return get_entry(self, in_range("seq", seq))

    def scan(
        self,
        from_seq: int = 1,
        to_seq: Optional[int] = None,
        *,
        backward: bool = False,
        on_damage: Optional[OnDamage] = None,
    ) -> Iterator[Entry]:
        """The entries from `from_seq` to `to_seq`, both included; a live run's as of now.

        A damaged entry raises a DataError that tells its `seq`, after everything before it was
        given. With `on_damage`, that is called with the error instead and the entry is skipped.
        """
        first = max(1, in_range("from_seq", from_seq))
        return scan_entries(self, first, self._last_of(to_seq), backward, on_damage)

    def _last_of(self, to_seq: Optional[int]) -> int:
        high_watermark = self.high_watermark
        return high_watermark if to_seq is None else min(in_range("to_seq", to_seq), high_watermark)

    @property
    def high_watermark(self) -> int:
        """The largest durable seq; 0: none."""
        return self._number(lib.es_get_high_watermark)

    # Following.

    def wait_tail(self, seq: int, timeout: Optional[float] = None) -> Tail:
        """Waits until the run holds `seq`, is sealed, or its writer is gone without sealing it.

        Answers at once for a run that nobody writes. Ctrl-C ends the waiting.

        Raises:
            WaitTimeoutError: nothing new within `timeout` seconds: call again.
            CorruptedError: entries that were acknowledged are damaged or missing.
        """
        wanted = in_range("seq", seq)
        out, err = s.EsTailResult(), s.EsError()

        def wait(slice_ns: int) -> int:
            answer: int = lib.es_wait_tail(
                self.open_handle(), wanted, slice_ns, byref(out), byref(err)
            )
            return answer

        status = in_slices(wait, timeout)
        if status:
            raise error_from(status, err)
        return Tail(
            high_watermark=out.high_watermark,
            sealed=bool(out.flags & _TAIL_SEALED),
            writer_gone=bool(out.flags & _TAIL_WRITER_GONE),
            status=RunStatus(out.status),
        )

    def follow(self, from_seq: int = 1) -> Iterator[Entry]:
        """The entries from `from_seq` on as they become durable, until no more come: the run is
        sealed, or its writer is gone; `wait_tail(0)` then says which."""
        seq = in_range("from_seq", from_seq, least=1)
        while True:
            tail = self.wait_tail(seq)
            for entry in self.scan(seq, tail.high_watermark):
                yield entry
                seq = entry.seq + 1
            if tail.sealed or tail.writer_gone:
                return

    # Finding.

    def lookup(self, key: str, kind: int = IndexKind.CLIENT_ORDER_ID) -> Optional[int]:
        """The seq of the first entry that was committed with a key; None when no entry has it."""
        data = key.encode("utf-8")
        return self._number_or_none(lib.es_lookup, in_range("kind", kind, U32_MAX), data, len(data))

    def find_client_order(self, client_order_id: str) -> Optional[Entry]:
        """The first entry with a client order id; None when no entry has it."""
        seq = self.lookup(client_order_id, IndexKind.CLIENT_ORDER_ID)
        return None if seq is None else self.entry(seq)

    def find_venue_order(self, venue_order_id: str) -> Optional[Entry]:
        """The first entry with a venue order id; None when no entry has it."""
        seq = self.lookup(venue_order_id, IndexKind.VENUE_ORDER_ID)
        return None if seq is None else self.entry(seq)

    def first_seq_at(self, ts_init: int) -> Optional[int]:
        """The first seq whose `ts_init` is at or after a time; None when all are earlier."""
        return self._number_or_none(lib.es_find_first_seq, in_range("ts_init", ts_init))

    def index_rows(
        self, kind: int = IndexKind.CLIENT_ORDER_ID, *, after: Optional[str] = None
    ) -> Iterator[IndexRow]:
        """The keys of an index in byte order, each with the first entry that has it."""
        request = s.EsIndexRequest(kind=in_range("kind", kind, U32_MAX))
        result = s.EsIndexResult()
        rows = (s.EsIndexRow * _INDEX_PAGE_ROWS)()
        arena_cap = 1 << 18
        arena = new_arena(arena_cap)
        last = None if after is None else after.encode("utf-8")
        result.more = 1
        while result.more:
            if last is not None:
                request.after, request.after_len = last, len(last)
            err = s.EsError()
            status = lib.es_scan_index(
                self.open_handle(), byref(request), rows, sizeof(s.EsIndexRow), len(rows), arena,
                arena_cap, byref(result), byref(err),
            )  # fmt: skip
            if status:
                raise error_from(status, err)
            for row in rows[: result.rows]:
                key = string_at(addressof(arena) + row.key_offset, row.key_len)
                last = key
                yield IndexRow(key.decode("utf-8"), row.seq)

    # What the run says of itself.

    @property
    def manifest(self) -> Manifest:
        """The manifest: as sealed, else as it was written at the start."""
        return read_manifest(self)

    @property
    def anchor(self) -> Optional[Anchor]:
        """The latest anchor; None when the run has none."""
        out, err, needed = s.EsAnchor(), s.EsError(), c_size_t(8300)
        status = BufferTooSmallError.code
        while status == BufferTooSmallError.code:
            cap = needed.value
            arena = new_arena(cap)
            status = lib.es_get_anchor(
                self.open_handle(), byref(out), sizeof(out), arena, cap, byref(needed), byref(err)
            )
        if status == NotFoundError.code:
            return None
        if status:
            raise error_from(status, err)
        return Anchor(
            out.high_watermark,
            string_at(out.blob_ref.data, out.blob_ref.len).decode("utf-8"),
            string_at(out.content_hash.data, out.content_hash.len).decode("utf-8"),
        )

    @property
    def restore_plan(self) -> RestorePlan:
        """What to replay after the latest anchor."""
        out, err = s.EsRestorePlan(), s.EsError()
        status = lib.es_get_restore_plan(self.open_handle(), byref(out), byref(err))
        if status:
            raise error_from(status, err)
        return RestorePlan(bool(out.has_anchor), out.anchor_seq, out.replay_from, out.replay_to)

    @property
    def digest(self) -> Optional[Digest]:
        """The run digest of the seal; None when the run is not sealed or has none."""
        out, keyed, err = (c_uint8 * 32)(), c_uint32(), s.EsError()
        status = lib.es_get_digest(self.open_handle(), out, 32, byref(keyed), byref(err))
        if status == NotFoundError.code:
            return None
        if status:
            raise error_from(status, err)
        return Digest(bytes(out), bool(keyed.value))

    @property
    def path(self) -> Optional[str]:
        """The path of the file; None for a memory run."""
        return read_path(lib.es_get_reader_path, self)

    # For analysis; the optional packages are imported when they are asked for.

    def to_numpy(
        self,
        from_seq: int = 1,
        to_seq: Optional[int] = None,
        *,
        columns: Optional[Sequence[str]] = None,
        on_damage: Optional[OnDamage] = None,
    ) -> "EntryArrays":
        """A scan straight into numpy: one structured array of rows, and the arenas that its
        offsets count from. With `columns` (fields of `ENTRY_DTYPE`) only those are kept, and no
        arena. A long scan runs on several threads at once, unless `on_damage` asks for order.
        Needs numpy: `pip install eventstore[numpy]`.
        """
        from ._arrays import scan_arrays

        first = max(1, in_range("from_seq", from_seq))
        return scan_arrays(self, first, self._last_of(to_seq), columns, on_damage)

    def to_arrow(self, from_seq: int = 1, to_seq: Optional[int] = None, **options: Any) -> Any:
        """A scan as a `pyarrow.Table`, see `EntryArrays.to_arrow`."""
        return self.to_numpy(from_seq, to_seq).to_arrow(**options)

    def to_pandas(self, from_seq: int = 1, to_seq: Optional[int] = None, **options: Any) -> Any:
        """A scan as a `pandas.DataFrame`, see `EntryArrays.to_arrow`."""
        return self.to_numpy(from_seq, to_seq).to_pandas(**options)

    def to_polars(self, from_seq: int = 1, to_seq: Optional[int] = None, **options: Any) -> Any:
        """A scan as a `polars.DataFrame`, see `EntryArrays.to_arrow`."""
        return self.to_numpy(from_seq, to_seq).to_polars(**options)

    # Inside.

    def open_handle(self) -> ReaderHandle:
        """For the package's own calls."""
        if self._handle is None:
            raise BadHandleError("the reader is closed")
        return self._handle

    def _number(self, function: Any, *arguments: Any) -> int:
        out, err = c_uint64(), s.EsError()
        status = function(self.open_handle(), *arguments, byref(out), byref(err))
        if status:
            raise error_from(status, err)
        return out.value

    def _number_or_none(self, function: Any, *arguments: Any) -> Optional[int]:
        try:
            return self._number(function, *arguments)
        except NotFoundError:
            return None


def read_path(function: Any, owner: Owner) -> Optional[str]:
    """The path that a run's or a reader's call gives; None for a memory run."""
    needed, err = c_size_t(4096), s.EsError()
    status = BufferTooSmallError.code
    while status == BufferTooSmallError.code:
        text = create_string_buffer(needed.value)
        status = function(owner.open_handle(), text, len(text), byref(needed), byref(err))
    if status:
        raise error_from(status, err)
    return os.fsdecode(text.value) or None


class SealedRun(Reader):
    """A sealed run, opened by `open_sealed`; nobody changes it any more."""


class LiveRun(Reader):
    """A run that another process may be writing, opened by `open_live`; nobody deletes it."""


class CrashedRun(Reader):
    """A run whose process died, opened by `open_crashed`, which holds the instance's lock."""

    def seal(self, status: RunStatus = RunStatus.CRASHED_RECOVERED) -> CloseResult:
        """Seals it; it opens with `open_sealed` after that. Reads the run once for its digest.

        Raises:
            DataError: it is damaged: seal it `RunStatus.QUARANTINED`, then salvage it.
            ClosedError: it is sealed already.
            BusyError: another thread seals it, or a call that Ctrl-C ended still does.
        """
        out, code = s.EsCloseResult(), in_range("status", status, U32_MAX)

        def call() -> None:
            err = s.EsError()
            answer = lib.es_seal_run(self.open_handle(), code, byref(out), byref(err))
            if answer:
                raise error_from(answer, err)

        interruptible(call)
        return close_result(out)


def _reader_options(
    check: bool, cache_bytes: int, digest_key: Optional[bytes]
) -> s.EsReaderOptions:
    options = s.EsReaderOptions(
        abi_version=ABI_VERSION, cache_bytes=in_range("cache_bytes", cache_bytes)
    )
    if check:
        options.flags |= _READ_CHECK
    if digest_key is not None:
        options.flags |= _READ_DIGEST_KEY
        options.digest_key[:] = key_bytes(digest_key)
    return options


def key_bytes(digest_key: bytes) -> bytes:
    """A digest key or digest, refused unless it has its 32 bytes."""
    if len(digest_key) != 32:
        raise ValueError(f"a digest key and a digest have 32 bytes, this one {len(digest_key)}")
    return digest_key


def open_sealed(path: PathLike, *, check: bool = False, cache_bytes: int = 0) -> SealedRun:
    """Opens a sealed run for reading; the file is never written to.

    Args:
        path: the run's file.
        check: read the whole file once and check it, at open.
        cache_bytes: the page cache; 0 is 64 MiB.

    Raises:
        NotSealedError: recover it, or read it with `open_crashed`.
        LockedError: it is being written or recovered.
        NotFoundError, CorruptedError, UnsupportedFormatError: as their names say.
    """
    options = _reader_options(check, cache_bytes, None)
    data = path_bytes(path)

    def call() -> ReaderHandle:
        handle, err = ReaderHandle(), s.EsError()
        status = lib.es_open_sealed_run(data, len(data), byref(options), byref(handle), byref(err))
        if status:
            raise error_from(status, err)
        return handle

    return SealedRun(interruptible(call) if check else call())


def open_live(path: PathLike, *, cache_bytes: int = 0) -> LiveRun:
    """Opens a run that another process may be writing, and follows it; costs its writer nothing.

    Of the log backend alone: a redb run is read within the process that writes it until it is
    sealed. A sealed run opens as with `open_sealed`.

    Raises:
        UnsupportedError: a redb run that is being written or recovered.
        NotFoundError, CorruptedError, UnsupportedFormatError: as their names say.
    """
    options = _reader_options(False, cache_bytes, None)
    data = path_bytes(path)
    handle, err = ReaderHandle(), s.EsError()
    status = lib.es_open_live_run(data, len(data), byref(options), byref(handle), byref(err))
    if status:
        raise error_from(status, err)
    return LiveRun(handle)


def open_crashed(
    base: PathLike,
    instance_id: str,
    run_id: str,
    *,
    cache_bytes: int = 0,
    digest_key: Optional[bytes] = None,
) -> CrashedRun:
    """Opens a run whose process died, for reading and `CrashedRun.seal`.

    Checks the whole file, then repairs its structure; holds the instance's lock until the reader
    is closed. To seal everything that an instance left, `recover` is enough.
    """
    options = _reader_options(False, cache_bytes, digest_key)
    texts = [path_bytes(base), instance_id.encode("utf-8"), run_id.encode("utf-8")]
    parameters = [item for data in texts for item in (data, len(data))]

    def call() -> ReaderHandle:
        handle, err = ReaderHandle(), s.EsError()
        status = lib.es_open_crashed_run(*parameters, byref(options), byref(handle), byref(err))
        if status:
            raise error_from(status, err)
        return handle

    return CrashedRun(interruptible(call))
