"""Waiting that Ctrl-C ends: Python runs its signal handlers between calls, never inside one.

Waits with a timeout are made in slices; calls that cannot be sliced run on a thread of their own
while this one waits for it. Timeouts are seconds; None is forever, 0 does not wait.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, List, Optional, TypeVar

T = TypeVar("T")

SLICE_NS = 50_000_000
_TIMEOUT = -101
_QUEUE_FULL = -100


def to_ns(seconds: Optional[float], name: str = "timeout") -> Optional[int]:
    """Seconds as whole nanoseconds; None stays None."""
    if seconds is None:
        return None
    if not seconds >= 0:  # a NaN is refused as well
        raise ValueError(f"{name} is {seconds!r} seconds: give 0 or more, or None for forever")
    if seconds > 1e9:  # 31 years, infinity
        return None
    return int(seconds * 1e9)


def to_finite_ns(seconds: float, name: str) -> int:
    """Seconds as whole nanoseconds, for what cannot last forever."""
    if seconds is None or not 0 <= seconds <= 1e9:  # a NaN is refused as well
        raise ValueError(f"{name} is {seconds!r} seconds: give 0 to 1e9")
    return int(seconds * 1e9)


def in_slices(call: Callable[[int], int], timeout: Optional[float]) -> int:
    """Calls with a timeout in nanoseconds until it answers anything but "not yet"."""
    total_ns = to_ns(timeout)
    if total_ns == 0:
        return call(0)
    deadline = None if total_ns is None else time.monotonic_ns() + total_ns
    while True:
        slice_ns = SLICE_NS
        if deadline is not None:
            slice_ns = min(slice_ns, max(0, deadline - time.monotonic_ns()))
        status = call(slice_ns)
        if status not in (_TIMEOUT, _QUEUE_FULL) or (deadline is not None and slice_ns < SLICE_NS):
            return status


def interruptible(call: Callable[[], T]) -> T:
    """Runs a call that may take long. Ctrl-C ends the waiting; the call itself goes on to its end
    on its own thread, and what it made is given back."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    answers: List[Any] = []
    failures: List[BaseException] = []

    def work() -> None:
        try:
            answers.append(call())
        except BaseException as error:  # handed to the waiting thread, whatever it is
            failures.append(error)

    worker = threading.Thread(target=work, name="eventstore-call", daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(SLICE_NS / 1e9)
    if failures:
        raise failures[0]
    answer: T = answers[0]
    return answer
