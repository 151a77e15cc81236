"""The nouns: entries, drafts, keys, manifests and the small records that calls answer with.

Plain immutable values without a tie to a run. Times are nanoseconds since the Unix epoch, as
integers; sequences count from 1.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass
from typing import Mapping, NamedTuple, Optional, Sequence, Tuple, Union
from uuid import UUID

Pairs = Tuple[Tuple[str, str], ...]
PairsIn = Union[Mapping[str, str], Sequence[Tuple[str, str]]]
Payload = Union[bytes, bytearray, memoryview, str]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class IndexKind(enum.IntEnum):
    """What kind of name an index key is."""

    CLIENT_ORDER_ID = 0
    VENUE_ORDER_ID = 1


class RunStatus(enum.IntEnum):
    """How a run ended, or that it has not."""

    RUNNING = 0
    ENDED = 1
    CRASHED_RECOVERED = 2
    QUARANTINED = 3


class Phase(enum.IntEnum):
    """Where the writer of a run stands."""

    OPEN = 0
    CLOSING = 1
    CLOSED = 2
    HALTED = 3


class Backend(enum.IntEnum):
    """Where a run lives."""

    REDB = 1
    MEMORY = 2
    LOG = 3


class Durability(enum.IntEnum):
    """How many flushes a commit takes."""

    TWO_PHASE = 1
    ONE_PHASE = 2


class WaitPolicy(enum.IntEnum):
    """How the writer's thread waits for work."""

    SPIN = 1
    TIMED = 2
    PARK = 3


class Key(NamedTuple):
    """A name under which an entry can be found again."""

    kind: int
    text: str


def client_order_id(text: str) -> Key:
    """A key: the id that this side gave an order."""
    return Key(IndexKind.CLIENT_ORDER_ID, text)


def venue_order_id(text: str) -> Key:
    """A key: the id that the venue gave an order."""
    return Key(IndexKind.VENUE_ORDER_ID, text)


class Draft(NamedTuple):
    """An entry to write: what a batch is made of. `ts_init` None is now."""

    topic: str
    payload_type: str
    payload: Payload
    keys: Sequence[Tuple[int, str]] = ()
    ts_init: Optional[int] = None
    ts_publish: int = 0
    correlation_id: Optional[UUID] = None
    causation_id: Optional[UUID] = None


class Entry(NamedTuple):
    """One committed entry, checked against its hash when it was read.

    `keys` is None when the file does not record them; the indices still find the entry.
    """

    seq: int
    ts_init: int
    ts_publish: int
    topic: str
    payload_type: str
    payload: bytes
    keys: Optional[Tuple[Key, ...]]
    correlation_id: Optional[UUID]
    causation_id: Optional[UUID]
    entry_hash: bytes

    @property
    def time(self) -> datetime.datetime:
        """`ts_init` in UTC, cut to microseconds."""
        return _EPOCH + datetime.timedelta(microseconds=self.ts_init // 1000)


class IndexRow(NamedTuple):
    """A key of an index and the first entry that has it."""

    key: str
    seq: int


@dataclass(frozen=True)
class Anchor:
    """A snapshot kept elsewhere that covers every entry up to `high_watermark`."""

    high_watermark: int
    blob_ref: str
    content_hash: str


@dataclass(frozen=True)
class RestorePlan:
    """What to do to restore an engine: load the snapshot of the anchor, then replay."""

    has_anchor: bool
    anchor_seq: int
    replay_from: int
    replay_to: int

    def __len__(self) -> int:
        """How many entries are to be replayed."""
        return max(0, self.replay_to - self.replay_from + 1)


@dataclass(frozen=True)
class Digest:
    """The run digest that was stored at seal; keep it elsewhere as evidence."""

    value: bytes
    keyed: bool

    def hex(self) -> str:
        """The digest as people copy it."""
        return self.value.hex()


@dataclass(frozen=True)
class CloseResult:
    """How a run ended. `sealed` False: it had halted for `halt_status` and waits for recovery."""

    sealed: bool
    status: RunStatus
    high_watermark: int
    digest: Optional[bytes]
    halt_status: Optional[str]
    halt_errno: int


@dataclass(frozen=True)
class Tail:
    """How far a run is, and whether more comes: `sealed` or `writer_gone` say that it does not."""

    high_watermark: int
    sealed: bool
    writer_gone: bool
    status: RunStatus


@dataclass(frozen=True)
class RunState:
    """Where a run stands."""

    high_watermark: int
    last_claimed_seq: int
    queue_entries: int
    queue_bytes: int
    halt_status: Optional[str]
    halt_errno: int
    phase: Phase


@dataclass(frozen=True)
class RunStats:
    """What a run has done since it was opened. `free_bytes` None: not known."""

    commits: int
    entries: int
    bytes: int
    last_flush_ns: int
    longest_flush_ns: int
    free_bytes: Optional[int]
    pooled_buffers: int


@dataclass(frozen=True)
class Manifest:
    """What a run says of itself. Lists keep their order; `dict(manifest.actors)` is a dict."""

    run_id: str
    instance_id: str
    parent_run_id: Optional[str] = None
    schema_version: int = 0
    binary_hash: str = ""
    crate_versions: str = ""
    config_hash: str = ""
    feature_flags: Tuple[str, ...] = ()
    adapter_versions: Pairs = ()
    actors: Pairs = ()
    strategies: Pairs = ()
    algorithms: Pairs = ()
    subscriptions: Tuple[str, ...] = ()
    endpoints: Tuple[str, ...] = ()
    seed: Optional[int] = None
    start_ts_init: int = 0
    end_ts_init: Optional[int] = None
    high_watermark: int = 0
    status: RunStatus = RunStatus.RUNNING
