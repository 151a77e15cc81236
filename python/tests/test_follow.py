"""Following a run: within the writing process, and from another one; and copies of it."""

import subprocess
import sys
import threading

import pytest

import eventstore
from eventstore import Backend, RunStatus

COUNT = 500

WRITER = """
import sys, eventstore
run = eventstore.open_run(sys.argv[1], run_id="run-1", instance_id="engine",
                          backend=eventstore.Backend.LOG, halt_after=None)
print(run.path, flush=True)
for at in range(int(sys.argv[2])):
    run.append("orders", "Number", str(at))
print("written", flush=True)
if sys.stdin.readline() == "seal\\n":
    run.close()
else:
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def writer(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), str(COUNT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield child
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()


def payloads(entries):
    return [entry.payload for entry in entries if entry.topic == "orders"]


EXPECTED = [str(at).encode() for at in range(COUNT)]


def test_another_process_is_followed_to_its_seal(writer):
    path = writer.stdout.readline().strip()
    with eventstore.open_live(path) as reader:
        writer.stdin.write("seal\n")
        writer.stdin.flush()
        assert payloads(reader.follow()) == EXPECTED
        tail = reader.wait_tail(0)
        assert (tail.sealed, tail.writer_gone, tail.status) == (True, False, RunStatus.ENDED)
        assert tail.high_watermark == COUNT + 1 == len(reader)


def test_a_killed_writer_is_gone_and_its_copy_is_recovered(writer, tmp_path):
    path = writer.stdout.readline().strip()
    reader = eventstore.open_live(path)
    assert writer.stdout.readline() == "written\n"
    copy = eventstore.copy_run(path, tmp_path / "copies")
    assert (copy.sealed, copy.high_watermark, copy.status) == (False, COUNT, RunStatus.RUNNING)
    with pytest.raises(eventstore.WaitTimeoutError):
        reader.wait_tail(COUNT + 1, timeout=0.01)
    writer.stdin.write("die\n")
    writer.stdin.flush()
    assert payloads(reader.follow()) == EXPECTED
    assert reader.wait_tail(0).writer_gone
    eventstore.recover(tmp_path / "copies", "engine")
    copied = tmp_path / "copies" / "engine" / "run-1.eslog"
    assert eventstore.verify(copied)
    with eventstore.open_sealed(copied) as there:
        assert payloads(there) == EXPECTED
    with pytest.raises(eventstore.AlreadyExistsError):
        eventstore.copy_run(path, tmp_path / "copies")


def test_a_run_of_this_process_wakes_its_followers(open_run, backend):
    run = open_run(backend=backend)
    seen = []
    with run.reader() as reader:
        follower = threading.Thread(target=lambda: seen.extend(reader.follow()))
        follower.start()
        for at in range(20):
            run.append("orders", "Number", str(at))
        run.close()
        follower.join()
        assert payloads(seen) == EXPECTED[:20]
        assert reader.wait_tail(10**6).sealed


def test_a_redb_run_that_is_written_is_refused(open_run, tmp_path):
    run = open_run(backend=Backend.REDB)
    with pytest.raises(eventstore.UnsupportedError, match="log backend"):
        eventstore.open_live(run.path)
    with pytest.raises(eventstore.UnsupportedError, match="log backend"):
        eventstore.copy_run(run.path, tmp_path / "copies")
