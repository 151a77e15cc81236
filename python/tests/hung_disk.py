"""A program whose disk hangs, for test_waits.py: hung_disk.py BASE FLAG CALL [unsliced].

Makes CALL, which cannot end before the flag is gone; says INTERRUPTED when Ctrl-C ended it, then
lets the disk go on and closes, and says how many entries there are.
"""

import contextlib
import os
import sys
import time

import eventstore
from eventstore import _wait


def main():
    base, flag, call = sys.argv[1:4]
    run = eventstore.open_run(
        base, run_id="run", instance_id="engine", queue_entries=8, halt_after=None
    )
    run.append("t", "p", b"before the disk hangs")
    if "unsliced" in sys.argv:
        _wait.SLICE_NS = 10**18
    with open(flag, "w"):
        pass
    seq = run.submit("t", "p", b"hangs")
    time.sleep(0.1)  # the writer has it and waits for the disk
    if call == "submit":
        with_room = 0
        try:
            while True:
                run.submit("t", "p", b"x")
                with_room += 1
        except eventstore.QueueFullError:
            assert with_room > 0
    draft = eventstore.Draft("t", "p", b"batch")
    calls = {
        "wait": lambda: run.wait_durable(seq),
        "wait-long": lambda: run.wait_durable(seq, timeout=1e300),
        "flush": run.flush,
        "append": lambda: run.append("t", "p", b"x"),
        "append-many": lambda: run.append_many([draft] * 3),
        "submit": lambda: run.submit("t", "p", b"x", timeout=None),
        "anchor": lambda: run.record_anchor(seq, "blob", "blake3:00"),
        "close": run.close,
    }
    print("READY", flush=True)
    try:
        calls[call]()
        print("ENDED", flush=True)
    except KeyboardInterrupt:
        print("INTERRUPTED", flush=True)
    try:
        if call != "close":
            run.wait_durable(seq, timeout=0.15)
        print("NOT HUNG", flush=True)
    except TimeoutError:
        pass
    with contextlib.suppress(FileNotFoundError):  # the test lets the disk go on as well
        os.unlink(flag)
    print(run.close().high_watermark, flush=True)


main()
