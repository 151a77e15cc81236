#!/usr/bin/env bash
# The Python package as a user gets it: installed by pip into an environment of its own, and used.
#
# Types (mypy --strict), tests against the installed package with all extras, the layout test over
# a header that was altered (must fail), the package without any extra, a wheel with the library
# in it, the example over a captured session and real order flow, the scan benchmark with its
# limit. Needs python3 with venv, a C compiler and PyPI. PYTHON names another interpreter, LIBDIR a
# folder that holds libeventstore already, ENTRIES the size of the benchmark.
set -euo pipefail
cd "$(dirname "$0")/.."

not_run() {
  printf 'NOT RUN: python: %s\n' "$1" >&2
  [ "${ES_REQUIRE_TOOLS:-0}" != 1 ] || exit 1
  exit 0
}

python="${PYTHON:-python3}"
command -v "$python" >/dev/null || not_run "no $python"
command -v "${CC:-cc}" >/dev/null || not_run "no C compiler"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/full" 2>/dev/null || not_run "$python has no venv"
"$python" -m venv "$work/bare"

unset EVENTSTORE_LIBRARY PYTHONPATH
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR="$work"
if [ -z "${LIBDIR:-}" ]; then
  cargo build --quiet --release --lib --package eventstore
  LIBDIR="${CARGO_TARGET_DIR:-target}/release"
fi
library=$(realpath "$LIBDIR/libeventstore.so")
# Programs look for the library under its SONAME.
mkdir "$work/lib"
ln -s "$library" "$work/lib/libeventstore.so"
ln -s "$library" "$work/lib/libeventstore.so.0"

# pip builds in the source tree; a copy keeps the checkout clean.
cp -r python "$work/source"
"$work/full/bin/pip" install --quiet "$work/source[all]" pytest mypy cffi ||
  not_run "pip could not install the package and what its tests need"

echo "python: $("$work/full/bin/python" --version), types"
mypy() { "$work/full/bin/mypy" --cache-dir "$work/mypy" --python-executable "$work/full/bin/python" "$@"; }
(cd python && mypy)
cat >"$work/caller.py" <<'PROGRAM'
from typing import List

import eventstore


def payloads(path: str) -> List[bytes]:
    with eventstore.open_sealed(path) as run:
        first: eventstore.Entry = run[0]
        return [first.payload, *(entry.payload for entry in run[1:])]
PROGRAM
mypy --strict "$work/caller.py"

echo "python: tests against the installed package"
tests() { EVENTSTORE_LIBRARY="$library" "$work/full/bin/python" -m pytest -q -p no:cacheprovider "$@"; }
tests python/tests

sed 's/sizeof(es_entry) == 152/sizeof(es_entry) == 160/' include/eventstore.h >"$work/altered.h"
if EVENTSTORE_HEADER="$work/altered.h" tests python/tests/test_layout.py \
  -k test_sizes_and_offsets_are_the_headers >"$work/altered.txt"; then
  echo "python: the layout test passed over an altered size" >&2
  exit 1
fi
grep "es_entry: 152 bytes, the header says 160" "$work/altered.txt" >/dev/null
echo "python: an altered size is noticed"

echo "python: a wheel with the library in it, no extra, no installed library"
EVENTSTORE_BUNDLE="$library" "$work/bare/bin/pip" wheel --quiet --no-deps --wheel-dir "$work/wheels" \
  "$work/source"
"$work/bare/bin/pip" install --quiet --no-index "$work"/wheels/eventstore-*.whl
(cd "$work" && "$work/bare/bin/python" -W error - "$work/runs") <<'PROGRAM'
import sys
import eventstore
from eventstore import _abi

assert _abi.lib._name.startswith(sys.prefix), _abi.lib._name
with eventstore.open_run(sys.argv[1], run_id="r", instance_id="i", halt_after=None) as run:
    run.append("topic", "type", "payload")
with eventstore.open_sealed(run.path) as sealed:
    assert [entry.payload for entry in sealed] == [b"payload", b""]
    for call, extra in ((sealed.to_numpy, "numpy"), (sealed.to_pandas, "numpy")):
        try:
            call()
        except ImportError as error:
            assert "pip install eventstore[%s]" % extra in str(error), error
        else:
            raise SystemExit("numpy is here, though nothing asked for it")
print("python: bundled,", _abi.lib._name.rsplit("/", 1)[1])
PROGRAM

echo "python: the example, over a session of its own and over real order flow"
export EVENTSTORE_LIBRARY="$library"
"$work/full/bin/python" -W error python/examples/order_life.py --picture "$work/session.png"
test -s "$work/session.png"
shared="${ES_SHARED:-../shared}"
if [ -d "$shared/data" ] && command -v zstd >/dev/null && command -v make >/dev/null; then
  make --silent -C examples-c LIBDIR="$work/lib" BUILD="$work/examples" "$work/examples/ingest"
  "$work/examples/ingest" --base "$work/ingest" \
    "$shared"/data/*.jsonl.zst >/dev/null
  "$work/full/bin/python" -W error python/examples/order_life.py "$work"/ingest/*/*.redb \
    --picture "$work/flow.png" >"$work/flow.txt"
  head -n 20 "$work/flow.txt"
  test -s "$work/flow.png"
else
  echo "NOT RUN: python: real order flow: no shared data, zstd or make" >&2
fi

echo "python: a full scan into numpy against the same scan in C, and the price of a call"
"$work/full/bin/python" python/benchmarks/scan.py --library "$work/lib" \
  --entries "${ENTRIES:-1000000}"
echo "python: all parts passed"
