"""Waits end on Ctrl-C and on time, on a disk that hangs; a halted run is told as one.

The disk hangs in a child whose fdatasync is held by a preloaded library, so this needs a C
compiler, and Linux.
"""

import os
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import need_tool

import eventstore
from eventstore import _wait

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def stall(tmp_path_factory):
    compiler = shlex.split(os.environ.get("CC", "cc"))
    need_tool(compiler[0])
    library = tmp_path_factory.mktemp("stall") / "stall.so"
    subprocess.run([*compiler, "-shared", "-fPIC", "-O1", str(HERE / "stall.c"), "-o", str(library)],
                   check=True)  # fmt: skip
    return library


@pytest.fixture
def hung(stall, tmp_path):
    """Starts a child that is inside a call which the disk holds; the flag lets the disk go on."""
    children = []

    def start(*words):
        flag = tmp_path / "hung"
        child = subprocess.Popen(
            [sys.executable, str(HERE / "hung_disk.py"), str(tmp_path / "runs"), str(flag), *words],
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, "LD_PRELOAD": str(stall), "ES_STALL": str(flag)},
        )  # fmt: skip
        children.append(child)
        assert child.stdout.readline() == "READY\n"
        time.sleep(0.2)  # now it is inside the call
        assert child.poll() is None
        return child, flag

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()


@pytest.mark.parametrize(
    "call, entries",
    [
        ("wait", 3), ("wait-long", 3), ("flush", 3), ("append", 4), ("append-many", 6),
        ("anchor", 3), ("submit", None), ("close", 3),
    ],
)  # fmt: skip
def test_ctrl_c_ends_a_wait_and_loses_nothing(hung, tmp_path, call, entries):
    child, _flag = hung(call)
    start = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "INTERRUPTED\n"
    assert time.monotonic() - start < 2
    rest = child.stdout.read().split("\n")
    assert child.wait(20) == 0
    if call == "close":
        assert rest[0] == "NOT HUNG"
        rest = rest[1:]
    if entries is not None:
        assert rest[0] == str(entries)
    with eventstore.open_sealed(tmp_path / "runs" / "engine" / "run.redb") as sealed:
        assert str(len(sealed)) == rest[0] and sealed[1].payload == b"hangs"
        assert (sealed.anchor is not None) == (call == "anchor")


def test_a_wait_in_one_piece_is_what_the_test_above_finds(hung):
    child, flag = hung("wait", "unsliced")
    child.send_signal(signal.SIGINT)
    answered, _, _ = select.select([child.stdout], [], [], 0.5)
    assert not answered, "interrupted, although it was not sliced"
    flag.unlink()
    assert child.wait(20) == 0


class Clock:
    """A clock that only the calls of a test move."""

    def __init__(self):
        self.now_ns = 7

    def monotonic_ns(self):
        return self.now_ns


@pytest.mark.parametrize("late_ns", [0, 3_000_000])
@pytest.mark.parametrize(
    "timeout, slices_ms", [(0, [0]), (0.02, [20]), (0.1, [50, 50, 0]), (0.13, [50, 50, 30])]
)
def test_time_runs_out_when_it_should(monkeypatch, timeout, slices_ms, late_ns):
    asked, clock = [], Clock()
    start_ns = clock.now_ns
    monkeypatch.setattr(_wait, "time", clock)

    def never(slice_ns):
        asked.append(slice_ns)
        clock.now_ns += slice_ns + late_ns
        return eventstore.WaitTimeoutError.code

    assert _wait.in_slices(never, timeout) == eventstore.WaitTimeoutError.code
    assert max(asked) <= _wait.SLICE_NS, "Ctrl-C waits for a slice"
    if late_ns == 0:
        assert asked == [slice_ms * 1_000_000 for slice_ms in slices_ms]
    passed_ns = clock.now_ns - start_ns
    assert timeout * 1e9 <= passed_ns <= timeout * 1e9 + late_ns


def test_timeouts_are_checked():
    assert _wait.to_ns(None) is _wait.to_ns(float("inf")) is None
    assert _wait.to_ns(1.5) == 1_500_000_000
    for seconds in (-1, float("nan")):
        with pytest.raises(ValueError):
            _wait.to_ns(seconds)


def test_an_error_of_a_long_call_is_raised_here(tmp_path):
    with pytest.raises(eventstore.NotFoundError):
        eventstore.verify(tmp_path / "nothing.redb")


def test_a_run_that_halts(tmp_path):
    answer = subprocess.run(
        [sys.executable, str(HERE / "halted.py"), str(tmp_path)], capture_output=True, text=True
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "HALTED\n", "")


def test_a_forked_child_is_told(open_run):
    run = open_run()
    run.append("t", "p", b"parent")
    child = os.fork()
    if child == 0:
        try:
            run.submit("t", "p", b"child")
        except eventstore.UsedAfterForkError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert run.append("t", "p", b"parent") == 2
