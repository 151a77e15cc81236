"""One exception class per status of the library, in a hierarchy by what the caller does next.

    EventStoreError
      UsageError         the call is wrong: nothing was done; correct it
      StateError         the state of things: trying again, or another name, may help
      DataError          damaged data: do not write to the file; verify it
      StorageError       the environment: disk, backend, memory
      FatalError         the object takes no more work: close it, recover

Where Python has a built-in exception that means the same, the class is one of those too
(`TimeoutError`, `ValueError`, `LookupError`, `FileExistsError`, `MemoryError`).
"""

from __future__ import annotations

from typing import Dict, Optional, Type

from ._abi import NONE, lib
from ._structs import EsError


class EventStoreError(Exception):
    """What a call of the library answered. Numbers that do not apply are 0.

    Attributes:
        code: the status, such as -104.
        name: its name, such as "ES_ERR_OUT_OF_ORDER".
        message: one line: what, where, found against expected, what to do. Never parse it.
        os_errno: the operating system's number, or 0.
        item_index: which draft of a batch, from 0; None when no item is meant.
        seq: the seq asked for, the damaged one, the first missing, or the first claimed.
        next_seq: the seq it would have got, the one inside the row, or the next present.
        prev_seq: the last present before a gap.
        high_watermark: the largest durable seq, of OutOfOrderError.
        count: how many entries were claimed by an append that failed after its claim.
        format_found: the store format of the file, of UnsupportedFormatError; 0: the message says.
    """

    code: int = 0

    def __init__(self, message: str, code: Optional[int] = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.name: str = lib.es_status_name(self.code).decode("ascii")
        self.os_errno = 0
        self.item_index: Optional[int] = None
        self.seq = 0
        self.next_seq = 0
        self.prev_seq = 0
        self.high_watermark = 0
        self.count = 0
        self.format_found = 0

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may succeed later although the caller changes nothing."""
        return bool(lib.es_status_is_retryable(self.code))

    @property
    def is_fatal(self) -> bool:
        """Whether the object that answered takes no more work."""
        return bool(lib.es_status_is_fatal(self.code))


class UsageError(EventStoreError):
    """The caller's mistake: nothing was done; correct the call."""


class StateError(EventStoreError):
    """The state of things: trying again, or another name, may help."""


class DataError(EventStoreError):
    """Damaged data: do not write to the file; verify it. `seq` says which entry, if one."""


class StorageError(EventStoreError):
    """The environment failed: disk, backend or memory. `os_errno` may say why."""


class FatalError(EventStoreError):
    """The object takes no more work: close it, then recover."""


class NullPointerError(UsageError):
    """A pointer is NULL that must not be; a defect of this package."""

    code = -1


class InvalidArgumentError(UsageError, ValueError):
    """An argument is outside its documented bounds; the message names it."""

    code = -2


class StructSizeError(UsageError):
    """A struct size is impossible; a defect of this package."""

    code = -3


class UnsupportedFieldError(UsageError):
    """The library does not know a field or flag: use a newer library."""

    code = -4


class BadHandleError(UsageError):
    """The run or reader is closed, detached or freed already."""

    code = -5


class BufferTooSmallError(UsageError):
    """A buffer is too small; a defect of this package."""

    code = -6


class AbiMismatchError(UsageError):
    """Package and library are of different interface versions."""

    code = -7


class UsedAfterForkError(UsageError):
    """Made before a fork and used in the child: open one of the child's own."""

    code = -8


class InvalidUtf8Error(UsageError, ValueError):
    """A text is not UTF-8; the message names it."""

    code = -9


class UnsupportedError(UsageError):
    """The backend or the platform cannot do this."""

    code = -10


class BusyError(UsageError):
    """The object serves another thread: call again when that has returned."""

    code = -11


class QueueFullError(StateError):
    """No room in the queue; nothing was claimed. Try again, or submit with a timeout."""

    code = -100


class WaitTimeoutError(StateError, TimeoutError):
    """The time is up. Nothing was lost: call again to go on waiting."""

    code = -101


class LockedError(StateError):
    """Another writer, recovery or reader holds the lock: try again when it is gone."""

    code = -102


class ClosedError(StateError):
    """The run is sealed or closing: it takes no more entries."""

    code = -103


class OutOfOrderError(StateError):
    """expected_seq (`seq`) is not the next one (`next_seq`). Nothing was claimed."""

    code = -104


class AlreadyExistsError(StateError, FileExistsError):
    """A sealed run of this name exists: choose another run id."""

    code = -105


class NotFoundError(StateError, LookupError):
    """No such run, file, entry, key, anchor or digest."""

    code = -106


class NotSealedError(StateError):
    """The run is not sealed, or was not closed in order: recover it, or `open_crashed`."""

    code = -107


class CrashedPredecessorError(StateError):
    """A run of this name was left unsealed: recover it, or choose another run id."""

    code = -108


class CorruptedError(DataError):
    """The file's structure is damaged: keep a copy; verify or salvage it."""

    code = -200


class HashMismatchError(DataError):
    """Entry `seq` does not match its hash; a scan goes on from `seq` + 1."""

    code = -201


class SeqMismatchError(DataError):
    """Row `seq` holds entry `next_seq`; a scan goes on from `seq` + 1."""

    code = -202


class GapError(DataError):
    """Entries from `seq` up to, not including, `next_seq` are missing."""

    code = -203


class UnsupportedFormatError(DataError):
    """The file has format `format_found`, which this library does not know; 0: the message says."""

    code = -204


class DiskError(StorageError):
    """The storage refuses the write. A writing run has halted: close it, then recover."""

    code = -300


class BackendError(StorageError):
    """The backend failed; `message` and `os_errno` say why."""

    code = -301


class OutOfMemoryError(StorageError, MemoryError):
    """No memory for the call. Nothing was claimed or written."""

    code = -302


class HaltedError(FatalError):
    """The run has halted; `Run.state` names the first reason. Close it, then recover."""

    code = -400


class PanicError(FatalError):
    """The library failed an internal check; report `message`."""

    code = -401


def _all_below(base: Type[EventStoreError]) -> "list[Type[EventStoreError]]":
    return [base, *(found for sub in base.__subclasses__() for found in _all_below(sub))]


_CLASSES: Dict[int, Type[EventStoreError]] = {
    found.code: found for found in _all_below(EventStoreError) if found.code
}
_BANDS = (UsageError, StateError, DataError, StorageError, FatalError)


def error_class(code: int) -> Type[EventStoreError]:
    """The class of a status. One that this package does not know gets the class of its band."""
    known = _CLASSES.get(code)
    if known is not None:
        return known
    band = -code // 100
    return _BANDS[band] if code < 0 and band < len(_BANDS) else EventStoreError


def status_name(code: int) -> Optional[str]:
    """The name of a status; None for success."""
    return lib.es_status_name(code).decode("ascii") if code else None


def error_from(status: int, err: EsError) -> EventStoreError:
    """The exception for a failed call whose details are in `err`."""
    message = err.message.decode("utf-8", "replace")
    if not message:
        message = lib.es_status_message(status).decode("utf-8")
    error = error_class(status)(message, status)
    error.os_errno = err.os_errno
    error.item_index = None if err.item_index == NONE else err.item_index
    error.seq = err.seq
    error.next_seq = err.next_seq
    error.prev_seq = err.prev_seq
    error.high_watermark = err.high_watermark
    error.count = err.count
    error.format_found = err.format_found
    return error
