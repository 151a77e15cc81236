"""What is done around runs: list, recover, verify, salvage, copy, retain.

Each call answers with a record of plain values. They read files and may take long: Ctrl-C ends
the waiting, the operation itself goes on to its end on a thread of its own. None of them needs a
run to be open, and none but `recover`, `salvage`, `copy_run` and `apply_retention` writes.
"""

from __future__ import annotations

import enum
from ctypes import byref, sizeof
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Optional, Tuple

from . import _structs as s
from ._abi import ABI_VERSION, PathLike, ReportHandle, lib, new_arena, path_bytes
from ._errors import BufferTooSmallError, error_from
from ._model import Backend, IndexKind, RunStatus
from ._ranges import U32_MAX, in_range
from ._reader import key_bytes
from ._wait import interruptible

_DRY_RUN = 1
_DIGEST_KEY = 2
_EXPECTED_DIGEST = 4
_REPORT_HAS_STATUS = 1
_REPORT_HAS_HIGH_WATERMARK = 2
_REPORT_CLEAN = 4
_ROW_HAS_MANIFEST = 1
_ROW_HAS_END = 2
_ROW_NEEDS_REPAIR = 4
_PAGE_ROWS = 256


class Outcome(enum.IntEnum):
    """What an operation found or did with a run."""

    LISTED = 0
    SEALED = 1
    REPAIRED = 2
    DAMAGED = 3
    HELD = 4
    MOVED_ASIDE = 5
    UNREADABLE = 6
    POSTPONED = 7
    KEPT = 8
    TO_DELETE = 9
    DELETED = 10
    SKIPPED = 11


class FindingKind(enum.IntEnum):
    """What kind of thing is wrong with a run."""

    HASH_MISMATCH = 1
    SEQ_MISMATCH = 2
    UNDECODABLE = 3
    GAP = 4
    INDEX_DRIFT = 5
    MANIFEST_MISMATCH = 6
    ANCHOR_INVALID = 7
    DIGEST_MISMATCH = 8
    DAMAGED = 9


class Drift(enum.IntEnum):
    """How an index row and the entries disagree."""

    NONE = 0
    DANGLING = 1
    CORRUPTED = 2
    WRONG = 3
    MISSING = 4


class DigestCheck(enum.IntEnum):
    """What verifying said of the run digest."""

    MATCHES = 1
    DIFFERS = 2
    ABSENT = 3
    NOT_CHECKED = 4


class Keep(enum.IntEnum):
    """What a retention plan keeps: all runs, the newest ones, or from the restore point on."""

    FULL = 1
    LAST = 2
    ANCHORED = 3


@dataclass(frozen=True)
class RunRow:
    """One run in a report. What the operation does not tell is None."""

    run_id: str
    path: str
    outcome: Outcome
    reason: str
    status: Optional[RunStatus]
    backend: Optional[Backend]
    parent_run_id: Optional[str]
    bytes: int
    high_watermark: Optional[int]
    start_ts_init: Optional[int]
    end_ts_init: Optional[int]
    needs_repair: bool


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a run; `text` is a line for people."""

    kind: FindingKind
    seq: int
    other_seq: int
    text: str
    drift: Drift = Drift.NONE
    index_kind: Optional[int] = None
    key: Optional[str] = None


@dataclass(frozen=True)
class Recovery:
    """What `recover` did. `parent_run_id` is the newest run that is sealed CRASHED_RECOVERED; a
    newer one that is sealed ENDED, which `list_runs` tells, is the better parent."""

    parent_run_id: Optional[str]
    runs: Tuple[RunRow, ...]


@dataclass(frozen=True)
class Verification:
    """What `verify` found. `reason` says why the digest is absent or was not checked."""

    is_clean: bool
    run_id: str
    status: Optional[RunStatus]
    high_watermark: Optional[int]
    entries: int
    digest: DigestCheck
    reason: str
    findings: Tuple[Finding, ...]

    def __bool__(self) -> bool:
        return self.is_clean


@dataclass(frozen=True)
class Copy:
    """What `copy_run` copied. Not `sealed`: the copy is to be recovered."""

    sealed: bool
    status: RunStatus
    high_watermark: int
    bytes: int


@dataclass(frozen=True)
class Salvage:
    """What `salvage` copied, and as findings what was lost."""

    run: RunRow
    parent_run_id: str
    high_watermark: int
    entries: int
    lifecycle: int
    findings: Tuple[Finding, ...]


@dataclass(frozen=True)
class Retention:
    """What `apply_retention` did."""

    deleted: int
    runs: Tuple[RunRow, ...]


class RetentionPlan:
    """What `plan_retention` proposes; nothing is deleted until `apply_retention`."""

    def __init__(self, base: bytes, instance_id: str, report: "_Report") -> None:
        summary = report.summary()
        self._base = base
        self._report = report
        self.instance_id = instance_id
        self.runs: Tuple[RunRow, ...] = report.runs()
        self.restore_point: Optional[str] = summary.run_id.decode("utf-8") or None
        self.reason: str = summary.reason.decode("utf-8", "replace")

    @property
    def to_delete(self) -> Tuple[RunRow, ...]:
        """The runs that would go, oldest first."""
        return tuple(row for row in self.runs if row.outcome is Outcome.TO_DELETE)

    @property
    def kept(self) -> Tuple[RunRow, ...]:
        """The runs that stay, each with its reason."""
        return tuple(row for row in self.runs if row.outcome is Outcome.KEPT)

    def __repr__(self) -> str:
        return f"<RetentionPlan: {len(self.to_delete)} to delete, {len(self.kept)} kept>"


class _Report:
    """An es_report: read page by page into values, freed with its last reference."""

    def __init__(self, handle: ReportHandle) -> None:
        self._handle = handle

    def open_handle(self) -> ReportHandle:
        return self._handle

    def summary(self) -> s.EsReportSummary:
        out, err = s.EsReportSummary(), s.EsError()
        status = lib.es_get_report_summary(self._handle, byref(out), byref(err))
        if status:
            raise error_from(status, err)
        return out

    def runs(self) -> Tuple[RunRow, ...]:
        return tuple(
            _run_row(row, arena) for row, arena in self._rows(lib.es_read_run_rows, s.EsRunRow)
        )

    def findings(self) -> Tuple[Finding, ...]:
        return tuple(
            _finding(row, arena) for row, arena in self._rows(lib.es_read_findings, s.EsFinding)
        )

    def _rows(self, function: Any, kind: Any) -> Iterator[Tuple[Any, memoryview]]:
        result = s.EsPageResult(more=1)
        rows = (kind * _PAGE_ROWS)()
        arena = new_arena(1 << 18)
        start = 0
        while result.more:
            err = s.EsError()
            status = function(
                self._handle, start, rows, sizeof(kind), _PAGE_ROWS, arena, len(arena),
                byref(result), byref(err),
            )  # fmt: skip
            if status == BufferTooSmallError.code:
                arena = new_arena(err.required)
                result.more = 1
                continue
            if status:
                raise error_from(status, err)
            for row in rows[: result.rows]:
                yield row, memoryview(arena).cast("B")
            start += result.rows


def _text(arena: memoryview, at: int, length: int) -> str:
    return bytes(arena[at : at + length]).decode("utf-8", "replace")


def _run_row(row: s.EsRunRow, arena: memoryview) -> RunRow:
    has_manifest = bool(row.flags & _ROW_HAS_MANIFEST)
    outcome = Outcome(row.outcome)
    return RunRow(
        run_id=_text(arena, row.run_id_offset, row.run_id_len),
        path=_text(arena, row.path_offset, row.path_len),
        outcome=outcome,
        reason=_text(arena, row.reason_offset, row.reason_len),
        status=RunStatus(row.status) if has_manifest or outcome is Outcome.SEALED else None,
        backend=Backend(row.backend) if row.backend else None,
        parent_run_id=_text(arena, row.parent_offset, row.parent_len) or None,
        bytes=row.bytes,
        high_watermark=row.high_watermark if has_manifest else None,
        start_ts_init=row.start_ts_init if has_manifest else None,
        end_ts_init=row.end_ts_init if row.flags & _ROW_HAS_END else None,
        needs_repair=bool(row.flags & _ROW_NEEDS_REPAIR),
    )


def _finding(row: s.EsFinding, arena: memoryview) -> Finding:
    is_drift = row.kind == FindingKind.INDEX_DRIFT
    return Finding(
        kind=FindingKind(row.kind),
        seq=row.seq,
        other_seq=row.other_seq,
        text=_text(arena, row.text_offset, row.text_len),
        drift=Drift(row.drift),
        index_kind=IndexKind(row.index_kind) if is_drift else None,
        key=_text(arena, row.key_offset, row.key_len) if is_drift else None,
    )


_THREADS_MAX = 1024


def _options(
    digest_key: Optional[bytes] = None,
    expected_digest: Optional[bytes] = None,
    dry_run: bool = False,
) -> s.EsOperationOptions:
    options = s.EsOperationOptions(abi_version=ABI_VERSION)
    if dry_run:
        options.flags |= _DRY_RUN
    if digest_key is not None:
        options.flags |= _DIGEST_KEY
        options.digest_key[:] = key_bytes(digest_key)
    if expected_digest is not None:
        options.flags |= _EXPECTED_DIGEST
        options.expected_digest[:] = key_bytes(expected_digest)
    return options


def _report_of(function: Callable[..., int], texts: "list[bytes]", *rest: Any) -> _Report:
    """Calls an operation: texts first, each with its length, then what it takes besides."""
    parameters = [item for data in texts for item in (data, len(data))]

    def call() -> ReportHandle:
        handle, err = ReportHandle(), s.EsError()
        status = function(*parameters, *rest, byref(handle), byref(err))
        if status:
            raise error_from(status, err)
        return handle

    return _Report(interruptible(call))


def list_runs(base: PathLike, instance_id: str) -> Tuple[RunRow, ...]:
    """The runs of an instance by start and run id, in whatever state they are; those that are held
    or not readable come last."""
    texts = [path_bytes(base), instance_id.encode("utf-8")]
    return _report_of(lib.es_list_runs, texts).runs()


def recover(
    base: PathLike, instance_id: str, *, dry_run: bool = False, digest_key: Optional[bytes] = None
) -> Recovery:
    """Sweeps an instance whose engine died: seals each run that was left and reports what it did.

    Call it at boot, before `open_run`. Killed and called again, it reaches the same end. With
    `dry_run` it only says what would be done.

    Raises:
        LockedError: a writer lives, or another process recovers.
        NotFoundError: no such instance: nothing was ever written.
    """
    texts = [path_bytes(base), instance_id.encode("utf-8")]
    report = _report_of(lib.es_recover, texts, byref(_options(digest_key, dry_run=dry_run)))
    return Recovery(report.summary().parent_run_id.decode("utf-8") or None, report.runs())


def verify(
    path: PathLike,
    *,
    digest_key: Optional[bytes] = None,
    expected_digest: Optional[bytes] = None,
    threads: int = 0,
) -> Verification:
    """Reads a sealed run whole and reports everything that is wrong with it; never writes.

    Damage is a finding, not an exception: `if not verify(path): ...`. Reads with so many threads,
    the caller's among them; 0: as many as there are processors that the process may use.
    """
    options = _options(digest_key, expected_digest)
    options.threads = in_range("threads", threads, _THREADS_MAX)
    report = _report_of(lib.es_verify_run, [path_bytes(path)], byref(options))
    summary = report.summary()
    return Verification(
        is_clean=bool(summary.flags & _REPORT_CLEAN),
        run_id=summary.run_id.decode("utf-8"),
        status=RunStatus(summary.status) if summary.flags & _REPORT_HAS_STATUS else None,
        high_watermark=summary.high_watermark
        if summary.flags & _REPORT_HAS_HIGH_WATERMARK
        else None,
        entries=summary.entries,
        digest=DigestCheck(summary.digest),
        reason=summary.reason.decode("utf-8", "replace"),
        findings=report.findings(),
    )


def salvage(
    path: PathLike,
    base: PathLike,
    instance_id: str,
    run_id: str,
    *,
    digest_key: Optional[bytes] = None,
) -> Salvage:
    """Copies the good rows of a quarantined or damaged run into a new run, which it seals.

    The old file is never written; when the call fails, no new run is left.
    """
    texts = [
        path_bytes(path), path_bytes(base), instance_id.encode("utf-8"), run_id.encode("utf-8"),
    ]  # fmt: skip
    report = _report_of(lib.es_salvage_run, texts, byref(_options(digest_key)))
    summary = report.summary()
    return Salvage(
        run=report.runs()[0],
        parent_run_id=summary.parent_run_id.decode("utf-8"),
        high_watermark=summary.high_watermark,
        entries=summary.entries,
        lifecycle=summary.lifecycle,
        findings=report.findings(),
    )


def copy_run(path: PathLike, base: PathLike) -> Copy:
    """Copies a run to another base, under its own instance and run id; durable when it returns.

    A sealed run is copied byte for byte. A run of the log backend may be copied while any process
    writes it: the copy has what is acknowledged, and is to be recovered.

    Raises:
        AlreadyExistsError: a run of this id is there, unchanged.
        UnsupportedError: a redb run that is being written or recovered.
    """
    out, source, target = s.EsCopyResult(), path_bytes(path), path_bytes(base)

    def call() -> None:
        err = s.EsError()
        status = lib.es_copy_run(
            source, len(source), target, len(target), byref(out), byref(err)
        )
        if status:
            raise error_from(status, err)

    interruptible(call)
    return Copy(bool(out.sealed), RunStatus(out.status), out.high_watermark, out.bytes)


def plan_retention(
    base: PathLike, instance_id: str, keep: Keep, keep_count: int = 0
) -> RetentionPlan:
    """Proposes which sealed runs may be deleted; deletes nothing, always keeps a restore point.

    Args:
        base: directory of all instances.
        instance_id: the instance.
        keep: what to keep.
        keep_count: with `Keep.LAST`: how many of the newest.
    """
    data = path_bytes(base)
    texts = [data, instance_id.encode("utf-8")]
    how, count = in_range("keep", keep, U32_MAX), in_range("keep_count", keep_count)
    report = _report_of(lib.es_plan_retention, texts, how, count)
    return RetentionPlan(data, instance_id, report)


def apply_retention(plan: RetentionPlan) -> Retention:
    """Deletes what a plan proposes, durably, as far as it is still so; skips what anybody reads."""
    texts = [plan._base, plan.instance_id.encode("utf-8")]
    report = _report_of(lib.es_apply_retention, texts, plan._report.open_handle())
    return Retention(report.summary().entries, report.runs())
