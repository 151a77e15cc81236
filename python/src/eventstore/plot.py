"""Pictures of a run: how fast events came, and what happened to one order.

Both draw onto axes of matplotlib and give them back. Needs `pip install eventstore[plot]`; a
program without a display chooses matplotlib's Agg backend before it imports pyplot, or saves the
figure's file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Sequence, Union

from ._arrays import EntryArrays
from ._model import Entry
from ._reader import EntryView, Reader

try:
    import matplotlib.pyplot as plt
    import numpy as np
except ImportError as _error:
    raise ImportError("this needs matplotlib: pip install eventstore[plot]") from _error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Source = Union[Reader, EntryView, EntryArrays]

_TARGET_BINS = 120
_TOPICS_MAX = 6


def _arrays(source: Source, columns: Optional[Sequence[str]]) -> EntryArrays:
    return source if isinstance(source, EntryArrays) else source.to_numpy(columns=columns)


def _axes(ax: "Optional[Axes]") -> "Axes":
    return plt.subplots(figsize=(9, 3.2), layout="constrained")[1] if ax is None else ax


def _nice_width(span_ns: int) -> int:
    """A width of 1, 2 or 5 times a power of ten that gives about the bins that fit a screen."""
    wanted = max(1.0, span_ns / _TARGET_BINS)
    power = 10.0 ** np.floor(np.log10(wanted))
    return int(next(step * power for step in (1, 2, 5, 10) if step * power >= wanted))


def _label(width_ns: int) -> str:
    for unit, size in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if width_ns >= size:
            return f"{width_ns / size:g} {unit}"
    return f"{width_ns} ns"


def rate(
    source: Source,
    *,
    by: Optional[str] = None,
    width: Optional[float] = None,
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Events per second over `ts_init`.

    Args:
        source: a reader, a slice of one, or what `to_numpy` gave.
        by: "topic" or "payload_type": one area for each of the most frequent.
        width: seconds of a bin; None: about 120 bins.
        ax: where to draw; None: a new figure.
    """
    ax = _axes(ax)
    arrays = _arrays(source, None if by else ("ts_init",))
    if not len(arrays):
        ax.set_title("no events")
        return ax
    # Times from the first one: nanoseconds since 1970 do not fit the 53 bits of a float.
    times = arrays["ts_init"]
    origin = int(times.min())
    since = (times - np.uint64(origin)).astype(np.int64)
    span = int(since.max()) + 1
    width_ns = _nice_width(span) if width is None else max(1, int(width * 1e9))
    count = -(-span // width_ns)
    bins = since // width_ns
    left = np.arange(count) * (width_ns / 1e9)
    per_second = 1e9 / width_ns
    if by is None:
        rates = np.bincount(bins, minlength=count) * per_second
        ax.fill_between(left, rates, step="post", alpha=0.4)
        ax.step(left, rates, where="post", linewidth=0.8)
    else:
        codes, texts = arrays.factorize(by)
        frequent = np.argsort(-np.bincount(codes, minlength=len(texts)))[:_TOPICS_MAX]
        layers = [np.bincount(bins[codes == code], minlength=count) for code in frequent]
        labels = [texts[code] for code in frequent]
        others = np.bincount(bins[~np.isin(codes, frequent)], minlength=count)
        if others.any():
            layers.append(others)
            labels.append("others")
        ax.stackplot(left, *[layer * per_second for layer in layers], labels=labels, step="post")
        ax.legend(fontsize="small", loc="upper right")
    ax.set_xlabel(f"seconds since the first event, bins of {_label(width_ns)}")
    ax.set_ylabel("events a second")
    ax.set_xlim(0, count * width_ns / 1e9)
    ax.set_ylim(bottom=0)
    return ax


def order_life(entries: Sequence[Entry], *, ax: "Optional[Axes]" = None) -> "Axes":
    """The events of one order in the order of their seq, each at its time.

    Args:
        entries: `[arrays[at] for at in arrays.with_key("O-1")]`.
        ax: where to draw; None: a new figure.
    """
    ax = _axes(ax)
    if not entries:
        ax.set_title("no events")
        return ax
    origin = entries[0].ts_init
    times: Any = [(entry.ts_init - origin) / 1e6 for entry in entries]
    steps = list(range(len(entries)))
    ax.step(times, steps, where="post", linewidth=0.8, alpha=0.6)
    ax.plot(times, steps, "o", markersize=5)
    ax.set_yticks(steps, [f"{entry.seq}: {entry.payload_type}" for entry in entries])
    ax.invert_yaxis()
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel("milliseconds since the first event")
    return ax
