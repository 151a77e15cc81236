"""What the tests share: a folder for runs, all backends, data and tools that may be absent."""

import os
import shutil
import time
from pathlib import Path

import pytest

import eventstore

REPOSITORY = Path(__file__).resolve().parents[2]


def say_not_run(name, reason):
    """Written past pytest, which would swallow it."""
    os.write(2, f"\nNOT RUN: {name}: {reason}\n".encode())


def need(module):
    """An optional package; a failure where all tools are required."""
    try:
        return __import__(module)
    except ImportError as error:
        say_not_run(module, str(error))
        if os.environ.get("ES_REQUIRE_TOOLS") == "1":
            pytest.fail(f"{module} must be there, ES_REQUIRE_TOOLS=1 is set: {error}")
        pytest.skip(f"no {module}")


def need_tool(name):
    """A program; a failure where all tools are required."""
    if shutil.which(name) is None:
        say_not_run(name, "not installed")
        if os.environ.get("ES_REQUIRE_TOOLS") == "1":
            pytest.fail(f"{name} must be there, ES_REQUIRE_TOOLS=1 is set")
        pytest.skip(f"no {name}")


def shared_path(relative):
    """A file of the shared data; absent data is no failure."""
    root = Path(os.environ.get("ES_SHARED") or REPOSITORY.parent / "shared")
    path = root / relative
    if not path.exists():
        say_not_run(relative, "the shared data is absent")
        pytest.skip(f"no {relative}")
    return path


def until_free(call, seconds=10):
    """Repeats a call that answers LockedError while a detached run is still being let go."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except eventstore.LockedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@pytest.fixture(params=["redb", "memory", "log"])
def backend(request):
    return eventstore.Backend[request.param.upper()]


@pytest.fixture
def open_run(tmp_path):
    """Opens runs in a folder of the test; one that the test leaves open is detached."""
    opened = []

    def open_one(run_id="run-1", **options):
        options.setdefault("halt_after", None)
        run = eventstore.open_run(tmp_path, run_id=run_id, instance_id="engine", **options)
        opened.append(run)
        return run

    yield open_one
    for run in opened:
        run.detach()
