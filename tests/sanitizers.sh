#!/usr/bin/env bash
# The C interface under AddressSanitizer: library and programs instrumented, one runtime for both.
#
# Runs the misuse matrix, a run that halts and the C examples, which must be clean, then the matrix
# over two faults planted in the library, one write beyond an arena and one use of a freed run,
# which the sanitizer must report. The same build shows that a planted panic stays inside.
# (Valgrind: tests/c_abi.rs.) Needs rustc with its sanitizer runtime, gcc or CC, make.
set -euo pipefail
cd "$(dirname "$0")/.."

not_run() {
  printf 'NOT RUN: sanitizers: %s\n' "$1" >&2
  [ "${ES_REQUIRE_TOOLS:-0}" != 1 ] || exit 1
  exit 0
}

cc="${CC:-gcc}"
target=$(rustc -vV | sed -n 's/^host: //p')
runtime=$(ls "$(rustc --print target-libdir)"/librustc-*_rt.asan.a 2>/dev/null | head -n 1 || true)
[ -n "$runtime" ] || not_run "this rustc has no AddressSanitizer runtime"
command -v "$cc" >/dev/null || not_run "no C compiler"
command -v make >/dev/null || not_run "no make"

build="$PWD/target/asan"
library="$build/$target/debug"
RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address --cfg es_planted" CARGO_TARGET_DIR="$build" \
  cargo build --quiet --lib --package eventstore --target "$target"
ln -sf libeventstore.so "$library/libeventstore.so.0"
nm --dynamic "$library/libeventstore.so" | grep __asan_report_load >/dev/null || {
  echo "the library is not instrumented" >&2
  exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# rustc's runtime serves gcc's instrumentation too; gcc's own would be a second one in the process.
compile="-g -O1 -fsanitize=address -fno-omit-frame-pointer"
link="-fno-sanitize=address -Wl,--whole-archive $runtime -Wl,--no-whole-archive -Wl,--export-dynamic"
libs="-lpthread -ldl -lm -lrt"
for program in misuse operate halt panic; do
  # shellcheck disable=SC2086 # lists of flags
  "$cc" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Werror -Iinclude $compile \
    "tests/c_abi/$program.c" $link -o "$work/$program" \
    "$library/libeventstore.so" -Wl,-rpath,"$library" $libs
done

for backend in redb memory; do
  "$work/misuse" "$backend" "$work/$backend"
done
"$work/operate" "$work/operate-base"
# What a halted run had open is leaked on purpose: dropping it would write.
ASAN_OPTIONS=detect_leaks=0 "$work/halt" "$work/halt-base"

make --silent -C examples-c LIBDIR="$library" BUILD="$work/examples" CFLAGS="$compile" \
  LDFLAGS="$link $libs" all
"$work/examples/json_line_test"
"$work/examples/minimal" "$work/runs" >/dev/null
for backend in redb memory; do
  "$work/examples/session" --events 5000 --backend "$backend" "$work/runs" >/dev/null
done
"$work/examples/replay" "$work/runs/DEMO/day-1.redb" >/dev/null
echo "examples: clean"

# must_report FAULT REPORT: the planted fault is seen, and as what it is.
must_report() {
  if ES_PLANT="$1" "$work/misuse" redb "$work/planted-$1" >"$work/report" 2>&1; then
    echo "planted $1: the matrix passed" >&2
    exit 1
  fi
  grep "ERROR: AddressSanitizer: $2" "$work/report" >/dev/null || {
    echo "planted $1: no report of $2" >&2
    tail -n 40 "$work/report" >&2
    exit 1
  }
  echo "planted $1: reported as $2"
}

# A panic planted in every call is answered, not printed.
ES_PLANT=panic_in_call "$work/panic" 2>"$work/stderr"
if [ -s "$work/stderr" ]; then
  echo "a panic was printed to the host's stderr:" >&2
  cat "$work/stderr" >&2
  exit 1
fi

must_report arena_overflow heap-buffer-overflow
must_report freed_handle_stays_valid heap-use-after-free
