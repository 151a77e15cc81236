"""Arguments that C cannot take: refused by name, on every path, before anything is done.

ctypes keeps the low bits of an integer that is too large or negative, so a wrong one would be
stored as a wrong value instead of being told.
"""

import array
import re

import pytest

import eventstore
from eventstore import Draft

U64 = 2**64
# pandas' NaT is the least of 64 signed bits.
OUTSIDE_U64 = [-1, -(2**63), U64, U64 + 7]

RANGE_OF_U64 = r"0 to 18446744073709551615"


def refused(name, value, call, allowed=RANGE_OF_U64):
    with pytest.raises(ValueError, match=rf"^{name} is {value}: .*{allowed}$") as caught:
        call()
    assert not isinstance(caught.value, eventstore.EventStoreError), "it reached the library"


@pytest.fixture
def run(open_run):
    run = open_run(backend=eventstore.Backend.MEMORY)
    run.append("t", "p", b"first", ts_init=1, keys=[(0, "K")])
    return run


@pytest.mark.parametrize("value", OUTSIDE_U64)
def test_integers_of_an_entry_outside_their_range_are_refused(run, value):
    for name in ("ts_init", "ts_publish"):
        given = {name: value}
        refused(name, value, lambda: run.submit("t", "p", b"x", **given))
        refused(name, value, lambda: run.append("t", "p", b"x", **given))
        refused(name, value, lambda: run.submit_many([Draft("t", "p", b"x", **given)]))
    for call in (run.submit, run.append):
        refused("expected_seq", value, lambda: call("t", "p", b"x", expected_seq=value))
    many = [Draft("t", "p", b"x")]
    refused("expected_seq", value, lambda: run.submit_many(many, expected_seq=value))
    refused("expected_seq", value, lambda: run.append_many(many, expected_seq=value))
    assert run.state.last_claimed_seq == 1


@pytest.mark.parametrize("name", ["group_linger", "hot"])
@pytest.mark.parametrize("seconds", [-1, 1e10, float("inf"), float("nan"), None])
def test_seconds_that_cannot_last_forever_are_refused(tmp_path, name, seconds):
    given = {name: seconds}
    says = f"{name} is {seconds!r} seconds: give 0 to 1e9"
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        eventstore.open_run(tmp_path, run_id="run", instance_id="engine", **given)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [-1, 2**32, 2**32 + 1])
def test_kinds_outside_their_range_are_refused(run, kind):
    most = "0 to 4294967295"
    refused("kind", kind, lambda: run.submit("t", "p", b"", keys=[(kind, "K")]), most)
    refused("kind", kind, lambda: run.append("t", "p", b"", keys=[(kind, "K")]), most)
    with run.reader() as reader:
        refused("kind", kind, lambda: reader.lookup("K", kind), most)
        refused("kind", kind, lambda: next(reader.index_rows(kind)), most)
    assert run.state.last_claimed_seq == 1


@pytest.mark.parametrize("value", [-1, U64, U64 + 1])
def test_seqs_and_times_outside_their_range_are_refused(run, value):
    refused("seq", value, lambda: run.wait_durable(value, timeout=0))
    refused("seq", value, lambda: run.record_anchor(value, "blob", "hash"))
    refused("end_ts_init", value, lambda: run.close(end_ts_init=value))
    refused("end_ts_publish", value, lambda: run.close(end_ts_publish=value))
    with run.reader() as reader:
        assert reader.anchor is None
        refused("seq", value, lambda: reader.entry(value))
        refused("seq", value, lambda: reader.wait_tail(value, timeout=0))
        refused("from_seq", value, lambda: reader.scan(value))
        refused("to_seq", value, lambda: reader.scan(1, value))
        refused("ts_init", value, lambda: reader.first_seq_at(value))
        refused("from_seq", value, lambda: next(reader.follow(value)), "1 to 18446744073709551615")
    assert run.state.phase is eventstore.Phase.OPEN


@pytest.mark.parametrize(
    ("name", "value", "most"),
    [
        ("seed", -1, U64 - 1),
        ("start_ts_init", -1, U64 - 1),
        ("schema_version", 2**32 + 3, 2**32 - 1),
        ("queue_entries", -1, U64 - 1),
        ("queue_bytes", U64, U64 - 1),
        ("group_entries", U64 + 1, U64 - 1),
        ("group_bytes", -1, U64 - 1),
        ("cache_bytes", U64, U64 - 1),
        ("backend", 2**32 + 2, 2**32 - 1),
        ("durability", -1, 2**32 - 1),
        ("wait_policy", 2**32, 2**32 - 1),
        # -1 plus the one that C adds would be 0, which binds to no CPU.
        ("writer_cpu", -1, 2**32 - 2),
        ("writer_cpu", 2**32 - 1, 2**32 - 2),
    ],
)
def test_options_of_opening_outside_their_range_are_refused(open_run, tmp_path, name, value, most):
    refused(name, value, lambda: open_run(**{name: value}), f"0 to {most}")
    assert list(tmp_path.iterdir()) == []


def test_numbers_of_operations_outside_their_range_are_refused(tmp_path):
    refused("cache_bytes", -1, lambda: eventstore.open_sealed("run", cache_bytes=-1))
    refused("cache_bytes", -1, lambda: eventstore.open_live("run", cache_bytes=-1))
    refused("cache_bytes", -1, lambda: eventstore.open_crashed("base", "i", "r", cache_bytes=-1))
    refused("threads", 1025, lambda: eventstore.verify("run", threads=1025), "0 to 1024")
    keep = eventstore.Keep.LAST
    refused("keep_count", U64, lambda: eventstore.plan_retention(tmp_path, "i", keep, U64))


class Index:
    """As numpy's integers are: no int, but one can be had."""

    def __index__(self):
        return 7


def test_the_largest_integers_and_those_of_other_types_are_stored(run):
    for call in (run.submit, run.append):
        call("t", "p", b"", ts_init=U64 - 1, ts_publish=U64 - 1)
        call("t", "p", b"", ts_init=Index(), ts_publish=Index())
        with pytest.raises(TypeError):
            call("t", "p", b"", ts_init=1.5)
    run.flush()
    with run.reader() as reader:
        times = [(entry.ts_init, entry.ts_publish) for entry in reader.scan(2)]
    assert times == [(U64 - 1, U64 - 1), (7, 7)] * 2


@pytest.mark.parametrize("payload", [5, 0, True, 1.5, None, [1, 2], (3,), {"a": 1}])
def test_a_payload_without_a_buffer_is_refused(run, payload):
    for call in (run.submit, run.append):
        with pytest.raises(TypeError, match=f"^payload is of type {type(payload).__name__}: "):
            call("t", "p", payload)
    assert run.state.last_claimed_seq == 1


def test_any_buffer_is_a_payload(run):
    strided = memoryview(b"a-b-c")[::2]
    for payload in (bytearray(b"abc"), strided, array.array("H", [0x6261, 0x0063])):
        run.submit("t", "p", payload)
        run.append("t", "p", payload)
    with run.reader() as reader:
        stored = [entry.payload for entry in reader.scan(2)]
    assert stored == [b"abc"] * 4 + [b"abc\0"] * 2
