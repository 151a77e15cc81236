"""A program whose run halts, for test_waits.py: halted.py BASE. A file may grow to 8 MiB here."""

import resource
import sys

import eventstore

resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))
try:
    with eventstore.open_run(
        sys.argv[1], run_id="run", instance_id="engine", halt_after=None
    ) as run:
        try:
            while True:
                run.append_many([eventstore.Draft("t", "p", bytes(100_000))] * 4)
        except eventstore.HaltedError as error:
            assert error.is_fatal and error.count == 4 and error.seq % 4 == 1, vars(error)
            claimed = error.seq
        state = run.state
        assert state.phase is eventstore.Phase.HALTED
        assert state.halt_status in ("ES_ERR_DISK", "ES_ERR_BACKEND"), state
        run.wait_durable(state.high_watermark)
        for call in (run.flush, lambda: run.submit("t", "p", b""),
                     lambda: run.record_anchor(1, "a", "b")):  # fmt: skip
            try:
                call()
                raise SystemExit("a halted run went on")
            except eventstore.HaltedError:
                pass
except eventstore.HaltedError as error:
    assert run.close_result is not None and not run.close_result.sealed
    assert run.close_result.halt_status == state.halt_status
    assert run.close_result.halt_status in str(error)
else:
    raise SystemExit("a halted run was closed without a word")
recovery = eventstore.recover(sys.argv[1], "engine")
with eventstore.open_sealed(recovery.runs[0].path) as sealed:
    assert len(sealed) in (claimed - 1, claimed + 3), (len(sealed), claimed)
print("HALTED")
