#!/usr/bin/env bash
# One session, captured and read back from C, Go, Java, JavaScript and C#: all must print the same.
#
#     tests/interop.sh [LANGUAGE...]        c go java node csharp; without names: all
#
# Each program of tests/interop is built against the library, captures a run, and must print the
# lines of tests/interop/expected.txt; the run must pass `eventstore verify`. Then a session with
# one time changed by a nanosecond must print others, or the comparison compares nothing.
#
# LIBDIR holds libeventstore.so (target/release), INCLUDEDIR eventstore.h (include), and EVENTSTORE
# is the command (LIBDIR/eventstore). Nothing is written there. Needs a C compiler, and per language
# what `has_tools` names; Node fetches koffi, at the version and hash of its lock file, with npm.
set -euo pipefail
cd "$(dirname "$0")/.."

libdir=$(realpath "${LIBDIR:-target/release}")
includedir=$(realpath "${INCLUDEDIR:-include}")
eventstore=${EVENTSTORE:-$libdir/eventstore}
cc=${CC:-cc}
sources=$PWD/tests/interop
[ -e "$libdir/libeventstore.so" ] || { echo "no libeventstore.so in $libdir" >&2; exit 1; }
[ -x "$eventstore" ] || { echo "no command $eventstore: set EVENTSTORE" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/lib"
ln -s "$libdir/libeventstore.so" "$work/lib/libeventstore.so"
ln -s "$libdir/libeventstore.so" "$work/lib/libeventstore.so.0" # the name that programs ask for
export LD_LIBRARY_PATH=$work/lib

# has_tools LANGUAGE: whether its tools are here; else says so, and fails where all are required.
has_tools() {
  local tool tools
  case $1 in
    c) tools="$cc" ;;
    go) tools="go $cc" ;;
    *) echo "interop: no language $1" >&2; exit 1 ;;
  esac
  for tool in $tools; do
    if ! command -v "$tool" >/dev/null && [ ! -e "$tool" ]; then
      printf 'NOT RUN: interop %s: no %s\n' "$1" "$tool" >&2
      [ "${ES_REQUIRE_TOOLS:-0}" != 1 ] || exit 1
      return 1
    fi
  done
}

# Each build_* sets `program`, the command that runs the session.

build_c() {
  "$cc" -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror -I"$includedir" \
    "${1:-$sources/c/session.c}" -o "$work/session-c" -L"$work/lib" -leventstore
  program=("$work/session-c")
}

build_go() {
  (cd "$sources/go" &&
    CGO_ENABLED=1 CGO_CFLAGS="-I$includedir" CGO_LDFLAGS="-L$work/lib -leventstore" \
      GOCACHE="$work/go-cache" GOFLAGS=-buildvcs=false go build -o "$work/session-go" .)
  program=("$work/session-go")
}

# session LANGUAGE: runs the program, keeps what it printed, and has the run verified.
session() {
  local base=$work/runs-$1
  "${program[@]}" "$base" >"$work/$1.txt"
  "$eventstore" verify "$base/INTEROP/session.redb" >"$work/verify.txt" || {
    cat "$work/verify.txt" >&2
    exit 1
  }
}

[ $# -gt 0 ] || set -- c go
ran=()
for language in "$@"; do
  has_tools "$language" || continue
  "build_$language"
  session "$language"
  diff -u "$sources/expected.txt" "$work/$language.txt" || {
    echo "interop $language: other lines than expected" >&2
    exit 1
  }
  ran+=("$language")
done

# The planted fault: one nanosecond of one field.
if has_tools c; then
  sed 's/ts_init + 250/ts_init + 251/' "$sources/c/session.c" >"$work/planted.c"
  build_c "$work/planted.c"
  session planted
  if cmp -s "$sources/expected.txt" "$work/planted.txt"; then
    echo "interop: a session with another ts_publish printed the same lines" >&2
    exit 1
  fi
fi
echo "interop: the same session from: ${ran[*]:-nothing}"
