"""An embedded, append-only, durable event store for trading engines.

    import eventstore

    with eventstore.open_run("runs", run_id="run-1", instance_id="engine") as run:
        seq = run.submit("orders", "text/plain", "buy 1",
                         keys=[eventstore.client_order_id("O-1")])
        run.wait_durable(seq)

    with eventstore.open_sealed("runs/engine/run-1.redb") as run:
        for entry in run:
            print(entry.seq, entry.topic, entry.payload)
        frame = run.to_pandas()

Positions in brackets count from 0 as in any Python sequence, `seq` counts from 1. Timeouts are
seconds, None is forever. Exceptions: one class per status, see `EventStoreError`.
"""

from ._abi import abi_version, library_version
from ._errors import (
    AbiMismatchError,
    AlreadyExistsError,
    BackendError,
    BadHandleError,
    BufferTooSmallError,
    BusyError,
    ClosedError,
    CorruptedError,
    CrashedPredecessorError,
    DataError,
    DiskError,
    EventStoreError,
    FatalError,
    GapError,
    HaltedError,
    HashMismatchError,
    InvalidArgumentError,
    InvalidUtf8Error,
    LockedError,
    NotFoundError,
    NotSealedError,
    NullPointerError,
    OutOfMemoryError,
    OutOfOrderError,
    PanicError,
    QueueFullError,
    SeqMismatchError,
    StateError,
    StorageError,
    StructSizeError,
    UnsupportedError,
    UnsupportedFieldError,
    UnsupportedFormatError,
    UsageError,
    UsedAfterForkError,
    WaitTimeoutError,
)
from ._model import (
    Anchor,
    Backend,
    CloseResult,
    Digest,
    Draft,
    Durability,
    Entry,
    IndexKind,
    IndexRow,
    Key,
    Manifest,
    Phase,
    RestorePlan,
    RunState,
    RunStats,
    RunStatus,
    WaitPolicy,
    client_order_id,
    venue_order_id,
)
from ._operations import (
    DigestCheck,
    Drift,
    Finding,
    FindingKind,
    Keep,
    Outcome,
    Recovery,
    Retention,
    RetentionPlan,
    RunRow,
    Salvage,
    Verification,
    apply_retention,
    list_runs,
    plan_retention,
    recover,
    salvage,
    verify,
)
from ._reader import CrashedRun, EntryView, Reader, SealedRun, open_crashed, open_sealed
from ._run import Run, open_run
from ._version import __version__

__all__ = [name for name in dir() if not name.startswith("_")] + ["__version__"]
