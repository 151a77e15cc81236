"""Writing runs: what goes in comes out, errors are the right ones, `with` does what it says."""

import gc
import sys
import threading
import time
import uuid

import pytest
from conftest import until_free

import eventstore
from eventstore import Draft, client_order_id, venue_order_id

EVERY_FIELD = dict(
    keys=[client_order_id("O-1"), venue_order_id("V-é")],
    ts_init=1_700_000_000_000_000_123,
    ts_publish=1_700_000_000_000_000_456,
    correlation_id=uuid.UUID("12345678-1234-4234-8234-123456789abc"),
    causation_id=uuid.UUID("00000000-0000-4000-8000-000000000001"),
)


def check_every_field(entry, seq, payload):
    assert entry.seq == seq
    assert (entry.topic, entry.payload_type, entry.payload) == ("topic.ü", "Type", payload)
    for name in ("ts_init", "ts_publish", "correlation_id", "causation_id"):
        assert getattr(entry, name) == EVERY_FIELD[name]
    assert entry.keys == ((0, "O-1"), (1, "V-é"))
    assert len(entry.entry_hash) == 32 and any(entry.entry_hash)
    assert entry.time.isoformat() == "2023-11-14T22:13:20+00:00"


def test_every_field_of_an_entry_round_trips(open_run, backend):
    payloads = [b"\0bytes\0", "teẍt", memoryview(b"xviewx")[1:-1], bytearray(b"array"), b""]
    seen = [b"\0bytes\0", "teẍt".encode(), b"view", b"array", b""]
    run = open_run(backend=backend)
    for payload in payloads:
        run.submit("topic.ü", "Type", payload, **EVERY_FIELD)
    drafts = [Draft("topic.ü", "Type", payload, **EVERY_FIELD) for payload in payloads]
    assert run.append_many(drafts) == range(6, 11)
    assert run.append("topic.ü", "Type", "teẍt", **EVERY_FIELD) == 11
    with run.reader() as reader:
        for seq, payload in enumerate(seen + seen + ["teẍt".encode()], start=1):
            check_every_field(reader.entry(seq), seq, payload)
        assert [entry.payload for entry in reader] == seen + seen + ["teẍt".encode()]


def test_what_is_left_out_is_absent(open_run, backend):
    run = open_run(backend=backend)
    run.append("t", "p", b"")
    with run.reader() as reader:
        entry = reader[0]
    assert entry.keys == () and entry.correlation_id is None and entry.causation_id is None
    assert entry.ts_init > 1_600_000_000_000_000_000 and entry.ts_publish > 0


def test_a_manifest_round_trips(open_run, backend):
    run = open_run(
        "child", backend=backend, parent_run_id="parent", schema_version=7, binary_hash="bin",
        crate_versions="a=1", config_hash="conf", feature_flags=["f1", "f2"],
        adapter_versions={"binance": "1.2", "ib": "3"}, actors=[("a", "h1")],
        strategies={"s": "h2"}, algorithms={"twap": "h3"}, subscriptions=["x", "y", "z"],
        endpoints=["e"], seed=2**64 - 1, start_ts_init=123,
    )  # fmt: skip
    with run.reader() as reader:
        live = reader.manifest
        result = run.close()
        sealed = reader.manifest
    assert live == eventstore.Manifest(
        "child", "engine", "parent", 7, "bin", "a=1", "conf", ("f1", "f2"),
        (("binance", "1.2"), ("ib", "3")), (("a", "h1"),), (("s", "h2"),), (("twap", "h3"),),
        ("x", "y", "z"), ("e",), 2**64 - 1, 123,
    )  # fmt: skip
    assert sealed.status is eventstore.RunStatus.ENDED
    assert sealed.high_watermark == result.high_watermark == 1


def test_leaving_with_in_order_seals(open_run, tmp_path):
    with open_run() as run:
        run.submit("t", "p", b"x")
        path = run.path
    assert run.close_result.sealed and run.close_result.high_watermark == 2
    assert run.close() == run.close_result
    assert run.state.phase is eventstore.Phase.CLOSED
    with pytest.raises(eventstore.ClosedError):
        run.submit("t", "p", b"late")
    with eventstore.open_sealed(path) as sealed:
        assert sealed.digest.value == run.close_result.digest
        assert sealed.digest.hex() == run.close_result.digest.hex()


def test_leaving_with_by_an_exception_leaves_the_run_to_recovery(open_run, tmp_path):
    with pytest.raises(ZeroDivisionError):
        with open_run() as run:
            run.append("t", "p", b"kept")
            1 / 0
    assert run.close_result is None
    with pytest.raises(eventstore.BadHandleError, match="detached"):
        run.submit("t", "p", b"late")
    with pytest.raises(eventstore.CrashedPredecessorError):
        until_free(open_run)
    recovery = eventstore.recover(tmp_path, "engine")
    assert recovery.parent_run_id == "run-1"
    assert [row.status for row in recovery.runs] == [eventstore.RunStatus.CRASHED_RECOVERED]
    with eventstore.open_sealed(tmp_path / "engine" / "run-1.redb") as sealed:
        assert sealed[0].payload == b"kept"


def test_a_traceback_does_not_keep_a_run_open(open_run, tmp_path):
    # The error, and so its frames, is alive while the run is recovered.
    try:
        with open_run() as run:
            run.append("t", "p", b"kept")
            run.wait_durable(99)
    except eventstore.InvalidArgumentError as error:
        assert until_free(lambda: eventstore.recover(tmp_path, "engine")).runs
        with eventstore.open_sealed(tmp_path / "engine" / "run-1.redb") as sealed:
            assert len(sealed) == 1
        assert error.__traceback__ is not None
    else:
        pytest.fail("99 was never claimed")


def test_a_run_that_nobody_closes_warns():
    run = eventstore.open_run(
        "unused", run_id="r", instance_id="i", backend=eventstore.Backend.MEMORY
    )
    with pytest.warns(ResourceWarning, match="neither closed nor detached"):
        del run
        gc.collect()


def test_expected_seq(open_run, backend):
    run = open_run(backend=backend)
    assert run.submit("t", "p", b"", expected_seq=1) == 1
    with pytest.raises(eventstore.OutOfOrderError) as caught:
        run.submit("t", "p", b"", expected_seq=9)
    assert (caught.value.seq, caught.value.next_seq) == (9, 2)
    assert caught.value.code == -104 and caught.value.name == "ES_ERR_OUT_OF_ORDER"
    assert not caught.value.is_fatal and not caught.value.is_retryable
    with pytest.raises(eventstore.OutOfOrderError):
        run.append_many([Draft("t", "p", b"")], expected_seq=1)
    assert run.submit_many([Draft("t", "p", b"")] * 3, expected_seq=2) == range(2, 5)
    assert run.submit_many([]) == range(0) and run.append_many([]) == range(0)
    assert run.flush() == 4


def test_the_callers_mistakes(open_run, backend):
    run = open_run(backend=backend)
    for topic in ("", "x" * 1025, "run.lifecycle.X"):
        with pytest.raises(eventstore.InvalidArgumentError):
            run.submit(topic, "p", b"")
    with pytest.raises(ValueError):  # the same error as Python knows it
        run.submit("t", "", b"")
    with pytest.raises(eventstore.InvalidArgumentError) as caught:
        run.submit_many([Draft("t", "p", b""), Draft("t", "", b"")])
    assert caught.value.item_index == 1
    with pytest.raises(eventstore.InvalidArgumentError):
        run.submit("t", "p", b"", keys=[(7, "no such kind")])
    with pytest.raises(ValueError, match="timeout is -1"):
        run.wait_durable(0, timeout=-1)
    with pytest.raises(UnicodeEncodeError):
        run.submit("\ud800", "p", b"")
    with pytest.raises(TypeError):
        run.submit("t", "p", 5.0)
    assert run.state.last_claimed_seq == 0


def test_a_full_queue(open_run, backend):
    run = open_run(backend=backend, manual_writer=True, queue_entries=4)
    run.submit_many([Draft("t", "p", b"x")] * 4)
    with pytest.raises(eventstore.QueueFullError) as full:
        run.submit("t", "p", b"x")
    assert full.value.is_retryable and str(full.value).startswith("ES_ERR_QUEUE_FULL: ")
    with pytest.raises(eventstore.QueueFullError):
        run.submit_many([Draft("t", "p", b"x")])
    run.do_work()
    assert run.submit("t", "p", b"x") == 5


def test_anchors(open_run, backend):
    run = open_run(backend=backend)
    run.submit_many([Draft("t", "p", b"")] * 10)
    with run.reader() as reader:
        assert reader.anchor is None
        assert reader.restore_plan.has_anchor is False
        run.record_anchor(4, "s3://böb/1", "blake3:00")
        assert reader.anchor == eventstore.Anchor(4, "s3://böb/1", "blake3:00")
        run.flush()
        assert reader.restore_plan == eventstore.RestorePlan(True, 4, 5, 10)
        assert len(reader.restore_plan) == 6
        with pytest.raises(eventstore.InvalidArgumentError):
            run.record_anchor(3, "s3://before", "blake3:00", timeout=0)
        long = "x" * 4096
        run.record_anchor(5, long, long, timeout=5)
        assert reader.anchor == eventstore.Anchor(5, long, long)


def test_state_and_stats(open_run, backend):
    run = open_run(backend=backend)
    run.append_many([Draft("t", "p", b"12345")] * 5)
    state = run.state
    assert state.high_watermark == state.last_claimed_seq == 5
    assert state.halt_status is None and state.phase is eventstore.Phase.OPEN
    stats = run.stats
    assert (stats.commits, stats.entries, stats.bytes) == (1, 5, 35)
    assert (run.path is None) == (backend is eventstore.Backend.MEMORY)
    assert "open" in repr(run) and "5 durable" in repr(run)


def test_a_manual_writer(open_run, backend):
    run = open_run(backend=backend, manual_writer=True)
    run.submit("t", "p", b"", ts_init=5)
    assert run.state.high_watermark == 0
    assert run.do_work() == 1 and run.do_work() == 0
    with run.reader() as reader:
        assert reader[0].ts_publish == 5
    with pytest.raises(eventstore.UnsupportedError):
        open_run("other", backend=eventstore.Backend.MEMORY).do_work()


def locked_kib():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmLck:")).split()[1])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux what is locked")
def test_the_queue_is_locked_into_memory_until_the_run_is_gone(open_run):
    before = locked_kib()
    run = open_run(queue_entries=64, queue_bytes=32768, lock_memory=True)
    assert locked_kib() - before >= 32
    run.append("t", "p", b"")
    run.close()
    run.detach()
    deadline = time.monotonic() + 10
    while locked_kib() > before and time.monotonic() < deadline:
        time.sleep(0.001)  # the writer's thread may be the last that has it
    assert locked_kib() == before


def test_options_of_opening(open_run, backend, tmp_path):
    key = bytes(range(32))
    run = open_run(
        backend=backend, run_started=True, require_uuid_v4=True, digest_key=key, prefault=True,
        durability=eventstore.Durability.ONE_PHASE, wait_policy=eventstore.WaitPolicy.PARK,
        writer_cpu=0, hot=0.001, group_entries=10, cache_bytes=1 << 20,
    )  # fmt: skip
    assert run.state.high_watermark == 1
    with pytest.raises(eventstore.InvalidArgumentError):
        run.submit("t", "p", b"", causation_id=uuid.UUID(int=1))
    result = run.close(timeout=10, end_ts_init=2**63)
    with run.reader() as reader:
        assert reader.digest == eventstore.Digest(result.digest, keyed=True)
        assert reader[0].payload_type == "RunStarted" and reader[-1].ts_init == 2**63
        assert reader.manifest.end_ts_init == 2**63
    with pytest.raises(ValueError, match="32 bytes"):
        open_run("other", digest_key=b"short")


def test_eight_producers(open_run, backend):
    run = open_run(backend=backend)
    each = 250
    barrier = threading.Barrier(8)
    seqs = {}

    def produce(name):
        barrier.wait()
        mine = []
        for at in range(each):
            mine.append(run.submit(f"producer.{name}", "p", str(at), timeout=None))
            if at % 50 == 0:
                run.wait_durable(mine[-1])
        seqs[name] = mine

    threads = [threading.Thread(target=produce, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.flush()
    assert sorted(seq for mine in seqs.values() for seq in mine) == list(range(1, 8 * each + 1))
    with run.reader() as reader:
        entries = list(reader)
    for name, mine in seqs.items():
        assert mine == sorted(mine)
        assert [entries[seq - 1].payload for seq in mine] == [b"%d" % at for at in range(each)]
        assert {entries[seq - 1].topic for seq in mine} == {f"producer.{name}"}


def test_detaching_while_others_submit(open_run, tmp_path):
    # Each call in flight keeps the handle; the last one lets go of it.
    for number in range(10):
        run = open_run(f"run-{number}", backend=eventstore.Backend.MEMORY)
        ends = []

        def produce():
            try:
                while True:
                    run.submit("t", "p", b"x", timeout=None)
            except eventstore.EventStoreError as error:
                ends.append(type(error))

        threads = [threading.Thread(target=produce) for _ in range(4)]
        for thread in threads:
            thread.start()
        while run.state.last_claimed_seq < 50:
            pass
        run.detach()
        for thread in threads:
            thread.join()
        assert ends == [eventstore.BadHandleError] * 4
