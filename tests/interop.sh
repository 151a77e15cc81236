#!/usr/bin/env bash
# One session, captured and read back from C, Go, Java, JavaScript and C#: all must print the same.
#
#     tests/interop.sh [LANGUAGE...]        c go java node csharp; without names: all
#
# Each program of tests/interop is built against the library, captures a run, and must print the
# lines of tests/interop/expected.txt; the run must pass `eventstore verify`. Then a session with
# one time changed by a nanosecond must print others, or the comparison compares nothing.
#
# LIBDIR holds libeventstore.so (target/release), INCLUDEDIR eventstore.h (include), EVENTSTORE is
# the command (LIBDIR/eventstore) and JNA_JAR the jar (Debian's). Nothing is written there. Needs per
# language what `has_tools` names; npm fetches koffi, by the version and hash of the lock file.
set -euo pipefail
cd "$(dirname "$0")/.."

libdir=$(realpath "${LIBDIR:-target/release}")
includedir=$(realpath "${INCLUDEDIR:-include}")
eventstore=${EVENTSTORE:-$libdir/eventstore}
cc=${CC:-cc}
jna=${JNA_JAR:-/usr/share/java/jna.jar}
sources=$PWD/tests/interop
[ -e "$libdir/libeventstore.so" ] || { echo "no libeventstore.so in $libdir" >&2; exit 1; }
[ -x "$eventstore" ] || { echo "no command $eventstore: set EVENTSTORE" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/lib"
ln -s "$libdir/libeventstore.so" "$work/lib/libeventstore.so"
ln -s "$libdir/libeventstore.so" "$work/lib/libeventstore.so.0" # the name that programs ask for
export LD_LIBRARY_PATH=$work/lib
export LC_ALL=C # a program that leaves the encoding of texts to the locale is caught

# not_run LANGUAGE REASON: says so, and fails where all tools are required.
not_run() {
  printf 'NOT RUN: interop %s: %s\n' "$1" "$2" >&2
  [ "${ES_REQUIRE_TOOLS:-0}" != 1 ] || exit 1
}

# has_tools LANGUAGE: whether the commands and files that it needs are here.
has_tools() {
  local tool tools
  case $1 in
    c) tools=$cc ;;
    go) tools="go $cc" ;;
    java) tools="javac java $jna" ;;
    node) tools="node npm" ;;
    csharp) tools="mcs mono" ;;
    *)
      echo "interop: no language $1" >&2
      exit 1
      ;;
  esac
  for tool in $tools; do
    if ! command -v "$tool" >/dev/null && [ ! -e "$tool" ]; then
      not_run "$1" "no $tool"
      return 1
    fi
  done
  [ "$1" != node ] || fetch_koffi || { not_run node "npm could not fetch koffi"; return 1; }
}

# Its package holds compiled code for each platform, so its install script is not needed.
fetch_koffi() {
  cp -r "$sources/node" "$work/node" &&
    npm ci --prefix "$work/node" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
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

build_java() {
  javac -encoding UTF-8 -Xlint:all -Werror -cp "$jna" -d "$work/java" "$sources"/java/*.java
  program=(java -cp "$jna:$work/java" -Djna.library.path="$work/lib" Session)
}

build_node() {
  program=(env EVENTSTORE_LIBRARY="$work/lib/libeventstore.so" node "$work/node/session.js")
}

build_csharp() {
  mcs -unsafe -warnaserror -codepage:utf8 -out:"$work/Session.exe" "$sources"/csharp/*.cs
  program=(mono "$work/Session.exe")
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

[ $# -gt 0 ] || set -- c go java node csharp
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
