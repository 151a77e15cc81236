"""Writing a run: submit, wait until durable, anchor, close.

`submit` hands an entry over and returns its seq at once; `append` returns when it is durable. Any
number of threads may write one run. Every wait ends on Ctrl-C; timeouts are seconds, None is
forever, 0 does not wait. Reading: `Run.reader`.
"""

from __future__ import annotations

import time
import warnings
from ctypes import byref, c_int32, c_uint64, sizeof
from types import TracebackType
from typing import Any, Iterable, Optional, Sequence, Tuple, Type, TypeVar
from uuid import UUID

from . import _structs as s
from ._abi import (
    ABI_VERSION,
    FOREVER,
    NONE,
    POLL,
    PathLike,
    ReaderHandle,
    RunHandle,
    lib,
    path_bytes,
)
from ._drafts import (
    HAS_CAUSATION_ID,
    HAS_CORRELATION_ID,
    Batch,
    payload_bytes,
    text_and_length,
)
from ._errors import BadHandleError, HaltedError, error_from, status_name
from ._manifest import manifest_in
from ._model import (
    Backend,
    CloseResult,
    Draft,
    Durability,
    Manifest,
    PairsIn,
    Payload,
    Phase,
    RunState,
    RunStats,
    WaitPolicy,
)
from ._ranges import U32_MAX, in_range
from ._reader import Reader, close_result, key_bytes, read_path
from ._wait import in_slices, interruptible, to_finite_ns, to_ns

W = TypeVar("W", bound="Run")

_MANUAL_WRITER = 1
_RUN_STARTED = 2
_PREFAULT = 4
_REQUIRE_UUID_V4 = 8
_DIGEST_KEY = 16
_LOCK_MEMORY = 32


class Run:
    """A run that this process writes; made by `open_run`.

    In a `with`: leaving it in order closes and seals the run, and raises HaltedError when it had
    halted. Leaving it by an exception detaches, see `detach`: what was submitted is still
    committed, the run stays running, and `recover` seals it as what it is, the trace of a program
    that failed.
    """

    def __init__(self, handle: RunHandle) -> None:
        self._handle: Optional[RunHandle] = handle
        self._result: Optional[CloseResult] = None

    def __enter__(self: W) -> W:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is not None:
            self.detach()
        elif self._handle is not None:
            result = self.close()
            if not result.sealed:
                raise HaltedError(
                    f"the run halted for {result.halt_status} and is not sealed; entries beyond "
                    f"{result.high_watermark} may be lost: recover the instance"
                )

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None and self._result is None:
            warnings.warn(
                f"{self!r} was neither closed nor detached",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    def __repr__(self) -> str:
        if self._handle is None:
            return "<Run: detached>"
        state = self.state
        where = self.path or "in memory"
        return f"<Run {where}: {state.phase.name.lower()}, {state.high_watermark} durable>"

    # Writing.

    def submit(
        self,
        topic: str,
        payload_type: str,
        payload: Payload,
        *,
        keys: Sequence[Tuple[int, str]] = (),
        ts_init: Optional[int] = None,
        ts_publish: int = 0,
        correlation_id: Optional[UUID] = None,
        causation_id: Optional[UUID] = None,
        expected_seq: int = 0,
        timeout: Optional[float] = 0,
    ) -> int:
        """Hands one entry to the writer and gives its seq at once; bytes are copied.

        It is durable when `wait_durable` with that seq has returned.

        Args:
            topic: where the message is published, not below "run.lifecycle.".
            payload_type: which encoder made the payload.
            payload: the message, anything with a buffer; a str is encoded as UTF-8.
            keys: names to find the entry by: `client_order_id("O-1")`, `venue_order_id("V-1")`.
            ts_init: the domain clock in nanoseconds since the Unix epoch; None: now.
            ts_publish: when it was published; 0: stamped by the library.
            correlation_id: the workflow it is part of.
            causation_id: the message that caused it.
            expected_seq: the seq that it must get; 0: any.
            timeout: how long to wait for room in the queue.

        Raises:
            QueueFullError: no room; nothing was claimed.
            OutOfOrderError: `expected_seq` is not the next one; nothing was claimed.
            ClosedError, HaltedError: the run takes no more entries.
        """
        draft = s.EsDraft()
        draft.topic, draft.topic_len = text_and_length(topic)
        draft.payload_type, draft.payload_type_len = text_and_length(payload_type)
        data = payload_bytes(payload)
        draft.payload, draft.payload_len = data, len(data)
        draft.ts_init = time.time_ns() if ts_init is None else in_range("ts_init", ts_init)
        if ts_publish:
            draft.ts_publish = in_range("ts_publish", ts_publish)
        if keys:
            array = (s.EsIndexKey * len(keys))()
            for item, (kind, text) in zip(array, keys):
                item.kind = in_range("kind", kind, U32_MAX)
                item.key, item.key_len = text_and_length(text)
            draft.keys, draft.key_count = array, len(keys)
        if correlation_id is not None:
            draft.flags |= HAS_CORRELATION_ID
            draft.correlation_id[:] = correlation_id.bytes
        if causation_id is not None:
            draft.flags |= HAS_CAUSATION_ID
            draft.causation_id[:] = causation_id.bytes
        seq, err = c_uint64(), s.EsError()
        if timeout == 0 and not expected_seq:
            status = lib.es_submit(
                self._handle, byref(draft), sizeof(draft), None, byref(seq), byref(err)
            )
        else:
            options = s.EsSubmitOptions(expected_seq=in_range("expected_seq", expected_seq))

            def call(slice_ns: int) -> int:
                options.timeout_ns = max(slice_ns, POLL)
                return lib.es_submit(  # type: ignore[no-any-return]
                    self._handle, byref(draft), sizeof(draft), byref(options), byref(seq),
                    byref(err),
                )  # fmt: skip

            status = in_slices(call, timeout)
        if status:
            raise self._error(status, err)
        return seq.value

    def submit_many(
        self, drafts: Iterable[Draft], *, expected_seq: int = 0, timeout: Optional[float] = 0
    ) -> range:
        """Hands a batch to the writer and gives its seqs at once: all or none, one commit.

        At most 65,536 drafts. The parameters and errors are those of `submit`; `item_index` of an
        error tells which draft. An empty batch does nothing.
        """
        options = s.EsSubmitOptions(expected_seq=in_range("expected_seq", expected_seq))
        batch = Batch(drafts)
        if not batch.count:
            return range(0)
        first, err = c_uint64(), s.EsError()

        def call(slice_ns: int) -> int:
            options.timeout_ns = max(slice_ns, POLL)
            return lib.es_submit_batch(  # type: ignore[no-any-return]
                self._handle, batch.address, batch.stride, batch.count, byref(options),
                byref(first), byref(err),
            )  # fmt: skip

        status = in_slices(call, timeout)
        if status:
            raise self._error(status, err)
        return range(first.value, first.value + batch.count)

    def submit_page(
        self, rows: Any, arena: Any, *, expected_seq: int = 0, timeout: Optional[float] = 0
    ) -> range:
        """Hands entries to the writer as numpy has them: all or none, one commit.

        Args:
            rows: of `ENTRY_DTYPE`, as `EntryArrays.pages()` gives them, whole, a part (`rows[mask]`)
                or changed; their seq and entry_hash say nothing. At most 65,536.
            arena: the bytes that their offsets count from; entries are copied out of it.
            expected_seq, timeout: as for `submit`.

        Raises:
            InvalidArgumentError: `item_index` tells which row; one below "run.lifecycle.", too.
            QueueFullError, OutOfOrderError, ClosedError, HaltedError: as for `submit`.
        """
        from ._arrays import packed_page

        options = s.EsSubmitOptions(expected_seq=in_range("expected_seq", expected_seq))
        page = packed_page(rows, arena)
        if not page.row_count:
            return range(0)
        first, err = c_uint64(), s.EsError()

        def call(slice_ns: int) -> int:
            options.timeout_ns = max(slice_ns, POLL)
            return lib.es_submit_packed(  # type: ignore[no-any-return]
                self._handle, page.address, page.stride, page.row_count, page.arena_address,
                page.arena_bytes, byref(options), byref(first), byref(err),
            )  # fmt: skip

        status = in_slices(call, timeout)
        if status:
            raise self._error(status, err)
        return range(first.value, first.value + page.row_count)

    def append(
        self,
        topic: str,
        payload_type: str,
        payload: Payload,
        *,
        keys: Sequence[Tuple[int, str]] = (),
        ts_init: Optional[int] = None,
        ts_publish: int = 0,
        correlation_id: Optional[UUID] = None,
        causation_id: Optional[UUID] = None,
        expected_seq: int = 0,
    ) -> int:
        """Writes one entry and gives its seq when it is durable; waits for room if it must.

        The parameters are those of `submit`. When it fails after its claim, the error's `seq` and
        `count` say what was claimed; whether that is in the run is known after recovery.
        """
        draft = Draft(
            topic, payload_type, payload, keys, ts_init, ts_publish, correlation_id, causation_id
        )
        return self.append_many([draft], expected_seq=expected_seq)[0]

    def append_many(self, drafts: Iterable[Draft], *, expected_seq: int = 0) -> range:
        """Writes a batch and gives its seqs when it is durable: all or none, one commit.

        Ctrl-C ends the waiting, not the writing: the batch is committed all the same.
        """
        seqs = self.submit_many(drafts, expected_seq=expected_seq, timeout=None)
        if seqs:
            try:
                self.wait_durable(seqs[-1])
            except HaltedError as error:
                error.seq, error.count = seqs[0], len(seqs)
                raise
        return seqs

    def wait_durable(self, seq: int, timeout: Optional[float] = None) -> None:
        """Returns when all entries up to `seq` are on stable storage.

        Raises:
            WaitTimeoutError: the time is up; nothing is lost.
            HaltedError: it may never become durable.
            InvalidArgumentError: `seq` was never claimed.
        """
        err, wanted = s.EsError(), in_range("seq", seq)
        status = in_slices(
            lambda slice_ns: lib.es_wait_durable(self._handle, wanted, slice_ns, byref(err)),
            timeout,
        )
        if status:
            raise self._error(status, err)

    def flush(self, timeout: Optional[float] = None) -> int:
        """Returns when everything claimed until now is on stable storage; gives the last seq."""
        seq = self.state.last_claimed_seq
        self.wait_durable(seq, timeout)
        return seq

    def do_work(self) -> int:
        """Commits one group of a run with a manual writer; gives how many entries."""
        committed, err = c_uint64(), s.EsError()
        status = lib.es_do_work(self._handle, byref(committed), byref(err))
        if status:
            raise self._error(status, err)
        return committed.value

    def record_anchor(
        self, seq: int, blob_ref: str, content_hash: str, timeout: Optional[float] = None
    ) -> None:
        """Records that a snapshot kept elsewhere covers every entry up to `seq`, durably.

        Args:
            seq: the last covered entry: claimed, and not before the latest anchor's.
            blob_ref: where the snapshot lies; opaque to the store.
            content_hash: its hash, customarily "blake3:HEX"; opaque.
            timeout: after WaitTimeoutError or Ctrl-C it stays queued and will be stored.
        """
        covered = in_range("seq", seq)
        ref, content = blob_ref.encode("utf-8"), content_hash.encode("utf-8")
        timeout_ns = to_ns(timeout)

        def call() -> None:
            err = s.EsError()
            status = lib.es_record_anchor(
                self._handle, covered, ref, len(ref), content, len(content),
                FOREVER if timeout_ns is None else timeout_ns, byref(err),
            )  # fmt: skip
            if status:
                raise self._error(status, err)

        # Asking again would record it again, so it is not asked in slices.
        call() if timeout_ns == 0 else interruptible(call)

    # Ending.

    def close(
        self, timeout: Optional[float] = None, *, end_ts_init: int = 0, end_ts_publish: int = 0
    ) -> CloseResult:
        """Commits what is queued, ends and seals the run. Called again, it answers the same.

        Look at `sealed`: a run that had halted is not written to and waits for `recover`. State,
        stats and `reader` go on working. The times are those of the RunEnded entry; 0: the largest
        `ts_init` so far, and the clock. With both given, equal entries make equal digests.

        Raises:
            WaitTimeoutError: closing goes on; call again.
        """
        options, out, err = s.EsCloseOptions(), s.EsCloseResult(), s.EsError()
        options.end_ts_init = in_range("end_ts_init", end_ts_init)
        options.end_ts_publish = in_range("end_ts_publish", end_ts_publish)

        def call(slice_ns: int) -> int:
            options.timeout_ns = max(slice_ns, POLL)
            return lib.es_close_run(  # type: ignore[no-any-return]
                self._handle, byref(options), byref(out), byref(err)
            )

        status = in_slices(call, timeout)
        if status:
            raise self._error(status, err)
        self._result = close_result(out)
        return self._result

    @property
    def close_result(self) -> Optional[CloseResult]:
        """What `close` answered, also when a `with` called it; None before."""
        return self._result

    def detach(self) -> None:
        """Lets go of a run without sealing it; never waits for the disk.

        What is queued is still committed as long as the process lives; with a manual writer it is
        dropped. `recover` seals the run. Of a closed run it frees what was left. Calls after that
        raise BadHandleError.
        """
        self._handle = None

    # Looking.

    @property
    def state(self) -> RunState:
        """Where the run stands; a few loads."""
        out, err = s.EsRunState(), s.EsError()
        status = lib.es_get_run_state(self._handle, byref(out), sizeof(out), byref(err))
        if status:
            raise self._error(status, err)
        return RunState(
            high_watermark=out.high_watermark,
            last_claimed_seq=out.last_claimed_seq,
            queue_entries=out.queue_entries,
            queue_bytes=out.queue_bytes,
            halt_status=status_name(out.halt_status),
            halt_errno=out.halt_errno,
            phase=Phase(out.phase),
        )

    @property
    def stats(self) -> RunStats:
        """What the run has done since it was opened."""
        out, err = s.EsRunStats(), s.EsError()
        status = lib.es_get_run_stats(self._handle, byref(out), sizeof(out), byref(err))
        if status:
            raise self._error(status, err)
        return RunStats(
            commits=out.commits,
            entries=out.entries,
            bytes=out.bytes,
            last_flush_ns=out.last_flush_ns,
            longest_flush_ns=out.longest_flush_ns,
            free_bytes=None if out.free_bytes == NONE else out.free_bytes,
            pooled_buffers=out.pooled_buffers,
        )

    @property
    def path(self) -> Optional[str]:
        """The path of the file; None for a memory run."""
        return read_path(lib.es_get_run_path, self)

    def reader(self) -> Reader:
        """A reader of this run: it sees each entry as soon as it is durable."""
        handle, err = ReaderHandle(), s.EsError()
        status = lib.es_open_reader(self._handle, byref(handle), byref(err))
        if status:
            raise self._error(status, err)
        return Reader(handle)

    def durable_fd(self) -> int:
        """A descriptor for an event loop: readable after the high-watermark has moved or the run
        has halted. Read 8 bytes to rearm it, then look at `state`. The run's: do not close it,
        and do not use it after `detach`. Linux only.
        """
        fd, err = c_int32(), s.EsError()
        status = lib.es_open_durable_fd(self._handle, byref(fd), byref(err))
        if status:
            raise self._error(status, err)
        return fd.value

    # Inside.

    def open_handle(self) -> RunHandle:
        """For the package's own calls."""
        if self._handle is None:
            raise BadHandleError("the run was detached")
        return self._handle

    def _error(self, status: int, err: s.EsError) -> Exception:
        if self._handle is None and status == BadHandleError.code:
            return BadHandleError("the run was detached")
        return error_from(status, err)


def _pairs(pairs: PairsIn) -> Tuple[Tuple[str, str], ...]:
    items = pairs.items() if hasattr(pairs, "items") else pairs
    return tuple((key, value) for key, value in items)


def open_run(
    base: PathLike,
    *,
    run_id: str,
    instance_id: str,
    backend: Backend = Backend.REDB,
    durability: Durability = Durability.TWO_PHASE,
    halt_after: Optional[float] = 0.25,
    queue_entries: int = 0,
    queue_bytes: int = 0,
    group_entries: int = 0,
    group_bytes: int = 0,
    group_linger: float = 0,
    cache_bytes: int = 0,
    wait_policy: WaitPolicy = WaitPolicy.TIMED,
    hot: float = 0,
    writer_cpu: Optional[int] = None,
    manual_writer: bool = False,
    run_started: bool = False,
    prefault: bool = False,
    lock_memory: bool = False,
    require_uuid_v4: bool = False,
    digest_key: Optional[bytes] = None,
    parent_run_id: Optional[str] = None,
    schema_version: int = 0,
    binary_hash: str = "",
    crate_versions: str = "",
    config_hash: str = "",
    feature_flags: Sequence[str] = (),
    adapter_versions: PairsIn = (),
    actors: PairsIn = (),
    strategies: PairsIn = (),
    algorithms: PairsIn = (),
    subscriptions: Sequence[str] = (),
    endpoints: Sequence[str] = (),
    seed: Optional[int] = None,
    start_ts_init: Optional[int] = None,
) -> Run:
    """Creates a run and starts its writer; on stable storage when it returns.

    Args:
        base: directory of all instances; made if missing. The memory backend ignores it.
        run_id: names the run and its file, unique in the instance: A-Z a-z 0-9 . _ -
        instance_id: names the trading instance and its directory.
        backend: a file, a log (a directory), or memory for tests and simulation.
        durability: two flushes a commit, or one.
        halt_after: a full queue and no commit for so many seconds halts the run; None: never.
            The default is the library's; a laptop's disk can take longer.
        queue_entries, queue_bytes: room of the queue; 0: 65,536 and 64 MiB.
        group_entries, group_bytes: most of one commit; 0: 8,192 and 1 MiB.
        group_linger: seconds that a commit waits for more entries.
        cache_bytes: the page cache of a file; 0: 2 MiB, with which commits are fastest.
        wait_policy: how the writer's thread waits for work.
        hot: seconds that it stays hot after a submit; 0: 0.1.
        writer_cpu: the CPU to bind it to.
        manual_writer: no thread and no clock: the program calls `Run.do_work`.
        run_started: write a RunStarted entry as seq 1.
        prefault: make and touch all of the queue's memory now instead of at first use.
        lock_memory: the same, and keep it from being paged out until the run is freed; where
            RLIMIT_MEMLOCK does not allow it, opening fails.
        require_uuid_v4: refuse other correlation and causation ids.
        digest_key: 32 bytes that key the run digest.
        parent_run_id ... start_ts_init: what the run says of itself, see `Manifest`;
            `start_ts_init` None: now.

    Raises:
        CrashedPredecessorError: recover the instance, or choose another run id.
        AlreadyExistsError: choose another run id.
        LockedError: another process writes this instance or recovers it.
    """
    manifest, memory = manifest_in(
        Manifest(
            run_id=run_id,
            instance_id=instance_id,
            parent_run_id=parent_run_id,
            schema_version=schema_version,
            binary_hash=binary_hash,
            crate_versions=crate_versions,
            config_hash=config_hash,
            feature_flags=tuple(feature_flags),
            adapter_versions=_pairs(adapter_versions),
            actors=_pairs(actors),
            strategies=_pairs(strategies),
            algorithms=_pairs(algorithms),
            subscriptions=tuple(subscriptions),
            endpoints=tuple(endpoints),
            seed=seed,
            start_ts_init=time.time_ns() if start_ts_init is None else start_ts_init,
        )
    )
    flags = (
        (_MANUAL_WRITER if manual_writer else 0)
        | (_RUN_STARTED if run_started else 0)
        | (_PREFAULT if prefault else 0)
        | (_LOCK_MEMORY if lock_memory else 0)
        | (_REQUIRE_UUID_V4 if require_uuid_v4 else 0)
        | (_DIGEST_KEY if digest_key is not None else 0)
    )
    halt_after_ns = to_ns(halt_after, "halt_after")
    options = s.EsOpenOptions(
        abi_version=ABI_VERSION,
        flags=flags,
        backend=in_range("backend", backend, U32_MAX),
        durability=in_range("durability", durability, U32_MAX),
        wait_policy=in_range("wait_policy", wait_policy, U32_MAX),
        writer_cpu=0 if writer_cpu is None else in_range("writer_cpu", writer_cpu, U32_MAX - 1) + 1,
        cache_bytes=in_range("cache_bytes", cache_bytes),
        queue_entries=in_range("queue_entries", queue_entries),
        queue_bytes=in_range("queue_bytes", queue_bytes),
        group_entries=in_range("group_entries", group_entries),
        group_bytes=in_range("group_bytes", group_bytes),
        group_linger_ns=to_finite_ns(group_linger, "group_linger"),
        halt_after_ns=FOREVER if halt_after_ns is None else max(1, halt_after_ns),
        hot_ns=to_finite_ns(hot, "hot"),
    )
    if digest_key is not None:
        options.digest_key[:] = key_bytes(digest_key)
    handle, err = RunHandle(), s.EsError()
    path = path_bytes(base)
    status = lib.es_open_run(
        path, len(path), byref(manifest), byref(options), byref(handle), byref(err)
    )
    del memory  # it had to live until here
    if status:
        raise error_from(status, err)
    return Run(handle)
