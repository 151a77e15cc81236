#!/usr/bin/env bash
# The library as somebody else has it: installed, moved, built against, removed; then as a package.
#
# Builds a C, a C++ and a static C program through pkg-config and through CMake, from the installed
# tree alone, and runs them, the command and the Python module. Whatever is left over is a failure.
# The last part installs the package into this system, as root, and removes it.
# Needs cargo, cc, c++, make, cmake, pkg-config, nm, readelf, python3 with cffi; dpkg-dev for the
# package.
set -euo pipefail
cd "$(dirname "$0")/.."

not_run() {
  printf 'NOT RUN: install: %s\n' "$1" >&2
  [ "${ES_REQUIRE_TOOLS:-0}" != 1 ] || exit 1
  exit 0
}
fail() {
  printf 'install: %s\n' "$*" >&2
  exit 1
}
for tool in cargo cc c++ make cmake pkg-config nm readelf python3; do
  command -v "$tool" >/dev/null || not_run "no $tool"
done
# Debian's Python, which sees Debian's packages; another one may come first in PATH.
python=/usr/bin/python3
"$python" -c 'import cffi' 2>/dev/null || not_run "$python has no cffi"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
xtask() { cargo run --quiet --release --package xtask -- "$@"; }
unset PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX
strict="-Wall -Wextra -Wpedantic -Wconversion -Werror"

# The programs: the quick starts of both headers, the one in C also as C++.
mkdir "$work/programs"
quick_start() { sed -n '/^ \* QUICK START/,/^ \* RULES/s/^ \*     //p' "$1"; }
quick_start include/eventstore.h >"$work/programs/quick.c"
cp "$work/programs/quick.c" "$work/programs/quick.cpp"
quick_start include/eventstore.hpp >"$work/programs/wrapped.cpp"
cp tests/install/CMakeLists.txt "$work/programs"

# runs PROGRAM [ENVIRONMENT...]: in a fresh folder, whose run it must leave.
runs() {
  local program=$1 folder
  shift
  folder=$(mktemp -d "$work/run.XXXXXX")
  (cd "$folder" && env "$@" "$program") >"$folder/printed" || fail "$program does not run"
  local expected="entry 1 is on stable storage"
  case "$program" in *wrapped*) expected="1 orders" ;; esac
  [ "$(head -n 1 "$folder/printed")" = "$expected" ] || fail "$program prints $(cat "$folder/printed")"
  [ -f "$folder/runs/engine/run-1.redb" ] || fail "$program left no run"
}

# is_static PROGRAM: it starts without the shared library.
is_static() {
  if readelf --dynamic "$1" | grep 'libeventstore' >/dev/null; then fail "$1 needs the shared library"; fi
}

# builds_and_runs PREFIX: everything below sees the installed tree and nothing of the sources.
builds_and_runs() {
  local prefix=$1 out libdir
  out=$(mktemp -d "$work/out.XXXXXX")
  libdir=$(pkg-config --variable=libdir eventstore)
  # shellcheck disable=SC2046,SC2086 # lists of flags
  {
    cc -std=c11 $strict $(pkg-config --cflags eventstore) "$work/programs/quick.c" -o "$out/c" \
      $(pkg-config --libs eventstore)
    c++ -std=c++17 $strict $(pkg-config --cflags eventstore) "$work/programs/quick.cpp" -o "$out/cpp" \
      $(pkg-config --libs eventstore)
    c++ -std=c++17 $strict $(pkg-config --cflags eventstore) "$work/programs/wrapped.cpp" -o "$out/wrapped" \
      $(pkg-config --libs eventstore)
    # The whole program static; then the library alone, as an application would, in C and C++; then
    # into another shared library.
    cc -static -std=c11 $strict $(pkg-config --cflags --static eventstore) "$work/programs/quick.c" \
      -o "$out/all-static" $(pkg-config --libs --static eventstore) 2>"$out/warnings"
    cc -std=c11 $strict $(pkg-config --cflags --static eventstore) "$work/programs/quick.c" \
      -o "$out/static" -Wl,-Bstatic -leventstore -Wl,-Bdynamic -L"$libdir" \
      $(pkg-config --libs --static eventstore | sed 's/-leventstore//')
    c++ -std=c++17 $strict $(pkg-config --cflags --static eventstore) "$work/programs/wrapped.cpp" \
      -o "$out/wrapped-static" -Wl,-Bstatic -leventstore -Wl,-Bdynamic -L"$libdir" \
      $(pkg-config --libs --static eventstore | sed 's/-leventstore//')
    cc -shared -fPIC -std=c11 $strict $(pkg-config --cflags eventstore) "$work/programs/quick.c" \
      -o "$out/plugin.so" "$libdir/libeventstore.a" -Wl,-z,defs \
      $(pkg-config --libs --static eventstore | sed 's/-leventstore//')
  }
  runs "$out/c" LD_LIBRARY_PATH="$libdir"
  runs "$out/cpp" LD_LIBRARY_PATH="$libdir"
  runs "$out/wrapped" LD_LIBRARY_PATH="$libdir"
  is_static "$out/static"
  is_static "$out/wrapped-static"
  is_static "$out/plugin.so"
  runs "$out/static"
  runs "$out/wrapped-static"
  runs "$out/all-static"

  cmake -S "$work/programs" -B "$out/cmake" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_FLAGS="$strict" -DCMAKE_CXX_FLAGS="$strict" >"$out/cmake.log" 2>&1 \
    || { cat "$out/cmake.log" >&2; fail "cmake does not configure"; }
  cmake --build "$out/cmake" >>"$out/cmake.log" 2>&1 \
    || { cat "$out/cmake.log" >&2; fail "cmake does not build"; }
  for program in quick_c quick_cpp wrapped_cpp quick_static wrapped_static; do
    runs "$out/cmake/$program" # CMake puts the library's folder into the program
  done
  is_static "$out/cmake/quick_static"
  is_static "$out/cmake/wrapped_static"
}

# has_identity LIBRARY: its name, what stays loaded, and each export with its version.
has_identity() {
  local library=$1
  readelf --dynamic "$library" >"$work/dynamic"
  grep 'soname: \[libeventstore.so.0\]' "$work/dynamic" >/dev/null || fail "$library: another soname"
  grep 'NODELETE' "$work/dynamic" >/dev/null || fail "$library can be unloaded"
  nm --dynamic --defined-only "$library" | awk '$2 == "T" { print $3 }' | sort >"$work/exported"
  grep -A 3 '^ES_API$' include/eventstore.h | grep -o '\bes_[a-z0-9_]*(' | sed 's/($/@@ES_0.1/' \
    | sort >"$work/declared"
  diff "$work/declared" "$work/exported" || fail "$library: exports differ from the header"
}

# cffi_calls PREFIX LIBRARY: without a compiler, through the installed declarations.
cffi_calls() {
  "$python" - "$1/include/eventstore.cdef.h" "$2" <<'EOF'
import sys
import cffi
ffi = cffi.FFI()
ffi.cdef(open(sys.argv[1]).read())
lib = ffi.dlopen(sys.argv[2])
assert lib.es_abi_version() == lib.ES_ABI_VERSION
assert lib.ES_NTS == 2**64 - 1
options = ffi.new("es_open_options *")
assert lib.es_init_open_options(options, ffi.sizeof("es_open_options")) == lib.ES_OK
assert options.struct_size == ffi.sizeof("es_open_options")
print("cffi:", ffi.string(lib.es_status_name(lib.ES_ERR_PANIC)).decode())
EOF
}

# leaves_nothing FOLDER
leaves_nothing() {
  [ ! -e "$1" ] || { find "$1" >&2; fail "$1 is still there"; }
}

echo "== its own tests"
cargo test --quiet -p xtask

echo "== a prefix"
xtask install --prefix "$work/first/eventstore"
has_identity "$work/first/eventstore/lib/libeventstore.so"
# Moved, so that nothing can name the place where it was installed.
mkdir "$work/second"
mv "$work/first/eventstore" "$work/second/moved"
export PKG_CONFIG_PATH="$work/second/moved/lib/pkgconfig"
builds_and_runs "$work/second/moved"
mkdir -p "$work/first"
mv "$work/second/moved" "$work/first/eventstore"
"$work/first/eventstore/bin/eventstore" --version
(
  cd "$work" # the module of the sources is not in reach
  # What Python keeps beside the modules has to go with them.
  PYTHONPATH="$work/first/eventstore/share/eventstore/python" \
    LD_LIBRARY_PATH="$work/first/eventstore/lib" "$python" -c 'import eventstore; print("module:", eventstore.__file__)'
)
[ -d "$work/first/eventstore/share/eventstore/python/eventstore/__pycache__" ] || fail "Python kept nothing"
cffi_calls "$work/first/eventstore" "$work/first/eventstore/lib/libeventstore.so"
xtask install --prefix "$work/first/eventstore" # over itself
xtask uninstall --prefix "$work/first/eventstore"
leaves_nothing "$work/first"

echo "== a prefix with what is not ours in it"
mkdir -p "$work/shared/lib"
echo theirs >"$work/shared/lib/theirs"
xtask install --prefix "$work/shared"
echo theirs >"$work/shared/include/theirs.h"
xtask uninstall --prefix "$work/shared"
left=$(cd "$work/shared" && find . -type f | sort | tr '\n' ' ')
[ "$left" = "./include/theirs.h ./lib/theirs " ] || fail "of a shared prefix is left: $left"

echo "== a destdir"
xtask install --prefix /usr/local --destdir "$work/stage"
export PKG_CONFIG_PATH="$work/stage/usr/local/lib/pkgconfig"
builds_and_runs "$work/stage/usr/local"
if grep -rIl "$work" "$work/stage" >&2; then fail "installed files name the staging folder"; fi
xtask uninstall --prefix /usr/local --destdir "$work/stage"
leaves_nothing "$work/stage"
unset PKG_CONFIG_PATH

echo "== a package"
for tool in dpkg dpkg-deb dpkg-shlibdeps dpkg-architecture; do
  command -v "$tool" >/dev/null || not_run "no $tool"
done
[ "$(id -u)" = 0 ] || not_run "the package needs root"
if dpkg --status eventstore >/dev/null 2>&1; then not_run "a package eventstore is installed already"; fi
xtask deb --out "$work/package"
package=$(echo "$work"/package/*.deb)
dpkg-deb --info "$package"
inventory() { find /usr /etc /var/lib/dpkg/info -path /usr/src -prune -o -print | grep -i eventstore || true; }
inventory >"$work/before"
dpkg --install "$package"
trap 'dpkg --purge eventstore >/dev/null 2>&1; rm -rf "$work"' EXIT
ldconfig -p | grep 'libeventstore.so.0' >/dev/null || fail "ldconfig does not know the library"
has_identity "/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/libeventstore.so.0"
builds_and_runs /usr
/usr/bin/eventstore --version
"$python" -c 'import eventstore; print("module:", eventstore.__file__)'
[ -d /usr/lib/python3/dist-packages/eventstore/__pycache__ ] || fail "Python kept nothing"
cffi_calls /usr libeventstore.so.0
dpkg --purge eventstore
trap 'rm -rf "$work"' EXIT
inventory >"$work/after"
diff "$work/before" "$work/after" || fail "the package left something"
if ldconfig -p | grep libeventstore >&2; then fail "ldconfig still knows the library"; fi

echo "install: everything built, ran and went"
