"""A full scan into numpy beside the same scan in C, and what a call costs from each side.

    python benchmarks/scan.py [--entries N] [--rounds N] [--limit RATIO] [--library DIR]

Writes a run of N entries of 256 bytes, an order id as key on one in four. Then C and Python scan
it in turn, C P C P ..., each round with a reader of its own; medians, and the processor time of
both. C uses the memory of one page again and again, 1 MiB, its fastest; numpy keeps everything
and scans a long run in parts, side by side on as many threads as there are processors, up to 4.
Exit code 1 when Python takes more than LIMIT times as long. Calls: C, ctypes and cffi (if it is
installed; ABI mode, no compiler). Needs numpy and a C compiler (CC).
"""

import argparse
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=2.0)
    parser.add_argument("--library", default=str(REPOSITORY / "target" / "release"))
    parser.add_argument("--include", default=str(REPOSITORY / "include"))
    return parser.parse_args()


def compiled(options, folder):
    program = Path(folder) / "scan"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    subprocess.run(
        [*compiler, "-std=c11", "-O2", "-Wall", "-Wextra", f"-I{options.include}",
         str(HERE / "scan.c"), "-o", str(program), f"-L{options.library}",
         f"-Wl,-rpath,{os.path.abspath(options.library)}", "-leventstore"],
        check=True,
    )  # fmt: skip
    return program


def written(eventstore, folder, entries):
    payload = bytes(range(256))
    batch = 8192

    def draft(at):
        keys = [eventstore.client_order_id(f"O-{at:012}")] if at % 4 == 0 else ()
        return eventstore.Draft(
            "exec.command.SubmitOrder", "SubmitOrder", payload, keys, ts_init=1 + at
        )

    with eventstore.open_run(folder, run_id="scan", instance_id="engine", halt_after=None) as run:
        for start in range(0, entries - 1, batch):  # RunEnded is the last entry
            drafts = [draft(at) for at in range(start, min(start + batch, entries - 1))]
            run.submit_many(drafts, timeout=None)
        path = run.path
    return path


def measure_scans(eventstore, program, path, options):
    in_c, in_numpy, slim, c_cpu, numpy_cpu = [], [], [], [], []
    for _ in range(options.rounds):
        answer = subprocess.run(
            [program, path, str(1 << 20)], check=True, capture_output=True, text=True
        ).stdout.split()
        assert int(answer[0]) == options.entries, answer
        in_c.append(float(answer[1]))
        c_cpu.append(float(answer[2]))
        with eventstore.open_sealed(path) as reader:
            start, cpu = time.perf_counter(), time.process_time()
            arrays = reader.to_numpy()
            in_numpy.append(time.perf_counter() - start)
            numpy_cpu.append(time.process_time() - cpu)
        assert len(arrays) == options.entries and arrays["seq"][-1] == options.entries
        del arrays
        with eventstore.open_sealed(path) as reader:
            start = time.perf_counter()
            reader.to_numpy(columns=["seq", "ts_init"])
            slim.append(time.perf_counter() - start)
    return [statistics.median(times) for times in (in_c, in_numpy, slim, c_cpu, numpy_cpu)]


def measure_loop(source, names, calls=200_000):
    """Nanoseconds of a statement inside a loop, without those of the empty loop."""
    import timeit

    def best(statement):
        return min(timeit.repeat(statement, globals=names, number=calls, repeat=5)) / calls * 1e9

    return best(source) - best("pass")


def ctypes_calls(eventstore):
    import ctypes

    from eventstore import _abi, _structs

    run = eventstore.open_run("", run_id="run", instance_id="engine", halt_after=None,
                              backend=eventstore.Backend.MEMORY)  # fmt: skip
    reader = run.reader()
    seq, state, err = ctypes.c_uint64(), _structs.EsRunState(), _structs.EsError()
    names = {
        "lib": _abi.lib, "reader": reader.open_handle(), "run": run.open_handle(),
        "out": ctypes.byref(seq), "state": ctypes.byref(state), "err": ctypes.byref(err),
        "size": ctypes.sizeof(state),
    }  # fmt: skip
    answers = [
        measure_loop("lib.es_status_is_fatal(0)", names),
        measure_loop("lib.es_get_high_watermark(reader, out, err)", names),
        measure_loop("lib.es_get_run_state(run, state, size, err)", names),
    ]
    run.close()
    return answers


def without_directives(header):
    """What cffi reads: no preprocessor lines, comments, asserts or marks."""
    text = re.sub(r"/\*.*?\*/", " ", header, flags=re.S)
    text = re.sub(r"(?m)^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$", "", text)
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r'extern "C" \{(.*)\}', r"\1", text, flags=re.S)
    text = re.sub(r"ES_ASSERT_\([^;]*\);", "", text)
    return re.sub(r"\bES_(API|MUST_USE)\b", "", text)


def cffi_calls(options, library):
    try:
        import cffi
    except ImportError:
        return None
    ffi = cffi.FFI()
    shipped = Path(options.include) / "eventstore.cdef.h"
    header = Path(options.include) / "eventstore.h"
    ffi.cdef(shipped.read_text() if shipped.exists() else without_directives(header.read_text()))
    lib = ffi.dlopen(library)
    manifest = ffi.new("es_manifest *")
    assert lib.es_init_manifest(manifest, ffi.sizeof("es_manifest")) == 0
    opening = ffi.new("es_open_options *")
    assert lib.es_init_open_options(opening, ffi.sizeof("es_open_options")) == 0
    opening.backend, opening.halt_after_ns = 2, 2**64 - 1
    texts = [ffi.new("char[]", b"run"), ffi.new("char[]", b"engine")]
    for field, text in zip((manifest.run_id, manifest.instance_id), texts):
        field.data, field.len = text, len(text) - 1
    out, err = ffi.new("es_run **"), ffi.new("es_error *")
    assert lib.es_open_run(b"", 0, manifest, opening, out, err) == 0, ffi.string(err.message)
    run = out[0]
    reader_out = ffi.new("es_reader **")
    assert lib.es_open_reader(run, reader_out, err) == 0
    names = {
        "lib": lib, "run": run, "reader": reader_out[0], "out": ffi.new("uint64_t *"),
        "state": ffi.new("es_run_state *"), "err": err, "size": ffi.sizeof("es_run_state"),
    }  # fmt: skip
    answers = [
        measure_loop("lib.es_status_is_fatal(0)", names),
        measure_loop("lib.es_get_high_watermark(reader, out, err)", names),
        measure_loop("lib.es_get_run_state(run, state, size, err)", names),
    ]
    assert lib.es_close_run(run, ffi.NULL, ffi.NULL, err) == 0
    lib.es_free_reader(reader_out[0])
    lib.es_free_run(run)
    return answers


def submits(eventstore):
    """Microseconds of a submit as a user writes it, and of one draft of a batch."""
    run = eventstore.open_run("", run_id="submit", instance_id="engine", halt_after=None,
                              backend=eventstore.Backend.MEMORY)  # fmt: skip
    payload, count = bytes(256), 40_000
    start = time.perf_counter()
    for _ in range(count):
        run.submit("orders", "SubmitOrder", payload, ts_init=1, timeout=None)
    single = (time.perf_counter() - start) / count * 1e6
    drafts = [eventstore.Draft("orders", "SubmitOrder", payload, ts_init=1)] * 1000
    start = time.perf_counter()
    for _ in range(count // 1000):
        run.submit_many(drafts, timeout=None)
    batch = (time.perf_counter() - start) / count * 1e6
    run.close()
    return single, batch


def main():
    options = arguments()
    library = str(Path(options.library) / "libeventstore.so")
    os.environ.setdefault("EVENTSTORE_LIBRARY", library)
    import eventstore

    with tempfile.TemporaryDirectory() as folder:
        program = compiled(options, folder)
        path = written(eventstore, folder, options.entries)
        print(
            f"{options.entries} entries, {os.path.getsize(path) >> 20} MiB of file, "
            f"{os.cpu_count()} processors"
        )
        in_c, in_numpy, slim, c_cpu, numpy_cpu = measure_scans(eventstore, program, path, options)
        ratio = in_numpy / in_c
        print(f"scan, medians of {options.rounds}: C {in_c:.3f} s, to_numpy {in_numpy:.3f} s, "
              f"ratio {ratio:.2f}; two columns only {slim:.3f} s, {slim / in_c:.2f}")  # fmt: skip
        print(f"  processor time: C {c_cpu:.3f} s, to_numpy {numpy_cpu:.3f} s, "
              f"ratio {numpy_cpu / c_cpu:.2f}")  # fmt: skip
        rows = [("C", [float(number) for number in subprocess.run(
            [program, "--calls"], check=True, capture_output=True, text=True
        ).stdout.split()[:3]])]  # fmt: skip
    rows += [("ctypes", ctypes_calls(eventstore)), ("cffi", cffi_calls(options, library))]
    print("a call, ns: es_status_is_fatal, es_get_high_watermark, es_get_run_state")
    for name, numbers in rows:
        print(f"  {name:<6} " + ("not installed" if numbers is None else
                                "  ".join(f"{number:6.0f}" for number in numbers)))  # fmt: skip
    single, batch = submits(eventstore)
    print(f"Run.submit {single:.1f} us, submit_many {batch:.1f} us a draft")
    if ratio > options.limit:
        print(f"to_numpy took {ratio:.2f} times the C scan, at most {options.limit} is allowed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
