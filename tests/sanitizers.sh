#!/usr/bin/env bash
# The C interface under AddressSanitizer, then under ThreadSanitizer: library and programs
# instrumented, one runtime for both.
#
# Address: the misuse matrix, a run that halts, the hosts that behave badly and the C examples must
# be clean; then the matrix runs over two faults planted in the library, one write beyond an arena
# and one use of a freed run, which must be reported. The same build shows that a planted panic
# stays inside, and that texts checked before they are copied are noticed.
# Thread: the hosts must be clean, and two planted races be reported. What tests/tsan.supp leaves
# out is the standard library's, and redb's page cache; that it names nothing else is checked.
# (Valgrind: tests/c_abi.rs, tests/hosts.rs.) Needs rustc with its sanitizer runtimes, gcc or CC,
# make.
set -euo pipefail
cd "$(dirname "$0")/.."

hosts="exit load orders producers scribble signals threads"

not_run() {
  printf 'NOT RUN: sanitizers: %s\n' "$1" >&2
  [ "${ES_REQUIRE_TOOLS:-0}" != 1 ] || exit 1
  exit 0
}

cc="${CC:-gcc}"
target=$(rustc -vV | sed -n 's/^host: //p')
command -v "$cc" >/dev/null || not_run "no C compiler"
command -v make >/dev/null || not_run "no make"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build_library KIND SHORT MARK: the library, instrumented and with its planted faults; sets
# library, compile, link and libs.
build_library() {
  local runtime build="$PWD/target/$2"
  runtime=$(ls "$(rustc --print target-libdir)"/librustc-*_rt."$2".a 2>/dev/null | head -n 1 || true)
  [ -n "$runtime" ] || not_run "this rustc has no runtime for -Zsanitizer=$1"
  library="$build/$target/debug"
  # The standard library is not instrumented; rustc wants to be told that this is known.
  local flags="-Zsanitizer=$1 --cfg es_planted"
  [ "$1" = address ] || flags="$flags -Cunsafe-allow-abi-mismatch=sanitizer"
  RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" CARGO_TARGET_DIR="$build" \
    cargo build --quiet --lib --package eventstore --target "$target"
  ln -sf libeventstore.so "$library/libeventstore.so.0"
  nm --dynamic "$library/libeventstore.so" | grep "$3" >/dev/null || {
    echo "the library is not instrumented" >&2
    exit 1
  }
  # rustc's runtime serves gcc's instrumentation too; gcc's own would be a second one in the process.
  compile="-g -O1 -fsanitize=$1 -fno-omit-frame-pointer"
  link="-fno-sanitize=$1 -Wl,--whole-archive $runtime -Wl,--no-whole-archive -Wl,--export-dynamic"
  libs="-lpthread -ldl -lm -lrt"
  programs="$work/$2"
  mkdir -p "$programs"
}

# compile_program SOURCE: one C program, linked to the library unless it loads it on its own.
compile_program() {
  local name linked=("$library/libeventstore.so" "-Wl,-rpath,$library")
  name=$(basename "$1" .c)
  [ "$name" != load ] || linked=()
  # shellcheck disable=SC2086 # lists of flags
  "$cc" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Werror -Iinclude $compile \
    "$1" $link -o "$programs/$name" "${linked[@]}" $libs
}

# run_hosts PERCENT: each host with so much of its load, which must be clean.
run_hosts() {
  local host
  for host in $hosts; do
    compile_program "tests/hosts/$host.c"
    run_host "$host" "$1" >"$work/report" 2>&1 || {
      cat "$work/report" >&2
      echo "host $host: not clean" >&2
      exit 1
    }
    tail -n 1 "$work/report"
  done
}

run_host() {
  local library_of_load=()
  [ "$1" != load ] || library_of_load=("$library/libeventstore.so.0")
  rm -rf "$work/base"
  "$programs/$1" "$work/base" "$2" "${library_of_load[@]}"
}

# must_fail FAULT WORDS COMMAND...: with the fault planted the command fails and prints the words.
must_fail() {
  local fault="$1" words="$2"
  shift 2
  if ES_PLANT="$fault" "$@" >"$work/report" 2>&1; then
    echo "planted $fault: passed" >&2
    exit 1
  fi
  grep -- "$words" "$work/report" >/dev/null || {
    echo "planted $fault: it does not say: $words" >&2
    tail -n 40 "$work/report" >&2
    exit 1
  }
  echo "planted $fault: $words"
}

build_library address asan __asan_report_load
for program in misuse operate halt panic packed; do
  compile_program "tests/c_abi/$program.c"
done
for backend in redb log memory; do
  "$programs/misuse" "$backend" "$work/$backend"
done
for backend in redb log; do
  "$programs/operate" "$backend" "$work/operate-$backend"
done
"$programs/packed" "$work/packed-base"
# What a halted run had open is leaked on purpose: dropping it would write.
for backend in redb log; do
  ASAN_OPTIONS=detect_leaks=0 "$programs/halt" "$backend" "$work/halt-$backend"
done
run_hosts 20

make --silent -C examples-c LIBDIR="$library" BUILD="$work/examples" CFLAGS="$compile" \
  LDFLAGS="$link $libs" all
"$work/examples/json_line_test"
"$work/examples/minimal" "$work/runs" >/dev/null
for backend in redb log memory; do
  "$work/examples/session" --events 5000 --backend "$backend" "$work/runs-$backend" >/dev/null
done
"$work/examples/replay" "$work/runs-redb/DEMO/day-1.redb" >/dev/null
# A first day, a crash, what the crash left, and a day after a day that was closed.
"$work/examples/boot" "$work/boot" >/dev/null
status=0
("$work/examples/boot" "$work/boot" --crash; exit $?) >/dev/null 2>&1 || status=$?
[ "$status" = 134 ] || { echo "boot --crash ended with $status, not with abort's 134" >&2; exit 1; }
"$work/examples/boot" "$work/boot" | grep "status 2" >/dev/null
"$work/examples/boot" "$work/boot" >/dev/null
echo "examples: clean"

# A panic planted in every call is answered, not printed.
ES_PLANT=panic_in_call "$programs/panic" 2>"$work/stderr"
if [ -s "$work/stderr" ]; then
  echo "a panic was printed to the host's stderr:" >&2
  cat "$work/stderr" >&2
  exit 1
fi

for fault in "arena_overflow heap-buffer-overflow" "freed_handle_stays_valid heap-use-after-free"; do
  must_fail "${fault% *}" "ERROR: AddressSanitizer: ${fault#* }" \
    "$programs/misuse" redb "$work/planted-${fault% *}"
done
must_fail check_before_copy "status -400" run_host scribble 20

build_library thread tsan __tsan_write
own=$(grep -v '^#' tests/tsan.supp | grep -v '^race:\(alloc\|core\|std\)::' |
  grep -vx 'race:redb::tree_store::page_store::lru_cache::LRUCache' || true)
[ -z "$own" ] || {
  echo "tests/tsan.supp: only the standard library and redb's page cache may stand there, found: $own" >&2
  exit 1
}
export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp"
run_hosts 20
for fault in relaxed_publish relaxed_claim; do
  must_fail "$fault" "WARNING: ThreadSanitizer: data race" run_host producers 20
  grep "src/writer/handoff/ring.rs" "$work/report" >/dev/null
done
