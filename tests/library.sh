#!/usr/bin/env bash
# The libraries as others use them: installed into an empty prefix, looked at, and built against. TAP on standard output.
#   tests/library.sh BUILD
set -uo pipefail
build=$(cd "${1:?the folder of the build}" && pwd) || exit 1
cd "$(dirname "$0")/.." || exit 1
root=$PWD

# Of libvlmq-runtime.so, stripped. The build types for developers hold assertions and debug code.
MOST_BYTES=$((700 * 1024))
grep -q '^CMAKE_BUILD_TYPE:.*=Release$' "$build/CMakeCache.txt" || MOST_BYTES=1000000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
model=$work/captioner.vlmq
screen=tests/face/data/screen.ppm
at=0 rc=0

# report NAME [FILE]: not ok when FILE has lines.
report() {
  at=$((at + 1))
  if [ ! -s "${2:-/dev/null}" ]; then echo "ok $at - $1"; return; fi
  echo "not ok $at - $1"
  tail -n 12 "$2" | cut -c1-300 | sed 's/^/# /'
  rc=1
}
# check NAME COMMAND...: not ok when the command fails or prints something on standard output.
check() {
  local name=$1 got=0
  shift
  "$@" >"$work/found" 2>"$work/err" || got=$?
  [ $got = 0 ] || { cat "$work/err"; echo "exit $got"; } >>"$work/found"
  report "$name" "$work/found"
}

# ---- what is installed ----

declared() { sed -nE 's/^VLM_API [^(]*[ *](vlm_[a-z0-9_]+)\(.*/\1/p' "$prefix"/include/vlmq/*.h | LC_ALL=C sort; }
exported() { nm -D --defined-only "$prefix/$lib/$1.so" | awk '{print $3}' | LC_ALL=C sort; }
same_symbols() { diff <(declared) <(exported "$1") >&1; }
archive_symbols() { diff <(declared) <(nm -g --defined-only "$prefix/$lib/$1.a" | awk 'NF == 3 {print $3}' | LC_ALL=C sort); }
called() { diff <("$build/tests/test_wrong_calls" --functions | LC_ALL=C sort -u) <(declared); }
no_tools() { readelf -d "$prefix/$lib/$1.so" | grep NEEDED | grep -E 'protobuf|hdf5|png|jpeg|libz\.'; true; }
small() {
  strip -o "$work/stripped.so" "$prefix/$lib/libvlmq-runtime.so"
  local bytes
  bytes=$(stat -c %s "$work/stripped.so")
  echo "# libvlmq-runtime.so: $bytes bytes stripped, at most $MOST_BYTES" >&3
  [ "$bytes" -le $MOST_BYTES ] || echo "$bytes bytes, at most $MOST_BYTES"
}
soname() {
  local abi
  abi=$(sed -nE 's/^#define VLMQ_ABI_VERSION //p' include/vlmq/base.h)
  readelf -d "$prefix/$lib/$1.so" | grep -qF "[$1.so.$abi]" || echo "no SONAME $1.so.$abi"
}
# alone HEADER: by every compiler that is here, in C11 and C++17.
alone() {
  local compiler
  for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    echo "#include <vlmq/$1>" | $compiler -std=c11 -pedantic -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only -xc - || return
  done
  for compiler in g++ clang++; do
    command -v $compiler >/dev/null || continue
    echo "#include <vlmq/$1>" | $compiler -std=c++17 -pedantic -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only -xc++ - || return
  done
}

# ---- what is built against it ----

# says PROGRAM: what vlm-run says of the same pixels.
says() {
  local text
  text=$("$@" "$model" "$screen") || return
  [ "$text" = "$wanted" ] || echo "said \"$text\", wanted \"$wanted\""
}
by_pkgconfig() { # by_pkgconfig NAME COMPILER SOURCE
  $2 -Wall -Wextra -Werror -o "$work/$1" "examples/$3" $(pkg-config --cflags --libs vlmq-runtime) && LD_LIBRARY_PATH=$prefix/$lib says "$work/$1"
}
by_archive() { # the archive and what pkg-config says that it needs
  local libs
  libs=$(pkg-config --cflags --libs --static vlmq-runtime)
  cc -o "$work/archive" examples/caption.c ${libs/-lvlmq-runtime/-l:libvlmq-runtime.a} && says "$work/archive"
}
by_find_package() { # by_find_package NAME OPTIONS...
  local folder=$work/$1
  shift
  cmake -S examples -B "$folder" -DCMAKE_PREFIX_PATH="$prefix" "$@" >&2 && cmake --build "$folder" >&2 && says "$folder/caption" && says "$folder/caption-cpp"
}
wrong_component() {
  mkdir -p "$work/wrong"
  printf 'cmake_minimum_required(VERSION 3.18)\nproject(wrong C)\nfind_package(vlmq REQUIRED COMPONENTS nothing)\n' >"$work/wrong/CMakeLists.txt"
  ! cmake -S "$work/wrong" -B "$work/wrong/build" -DCMAKE_PREFIX_PATH="$prefix" >&2
}
# A project that has vlmq inside, and only what the runtime needs around it: the .pc files of four libraries, no other package.
few_packages() {
  local name folder
  mkdir -p "$work/pc"
  for name in jansson libpcre2-8 libutf8proc libzstd; do
    for folder in $(pkg-config --variable pc_path pkg-config | tr : ' '); do
      [ ! -e "$folder/$name.pc" ] || cp -n "$folder/$name.pc" "$work/pc/"
    done
  done
}
by_subdirectory() {
  few_packages
  mkdir -p "$work/super"
  cat >"$work/super/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.18)
project(super LANGUAGES C)
set(VLMQ_RUNTIME_ONLY ON)
add_subdirectory($root vlmq)
add_executable(app $root/examples/caption.c)
target_link_libraries(app PRIVATE vlmq::runtime)
add_executable(app-static $root/examples/caption.c)
target_link_libraries(app-static PRIVATE vlmq::runtime-static)
END
  local with=()
  if command -v ninja >/dev/null; then with+=(-G Ninja); fi
  if command -v ccache >/dev/null; then with+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache); fi
  PKG_CONFIG_LIBDIR=$work/pc PKG_CONFIG_PATH= cmake -S "$work/super" -B "$work/super/build" "${with[@]}" -DCMAKE_DISABLE_FIND_PACKAGE_JPEG=ON \
    -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON -DCMAKE_DISABLE_FIND_PACKAGE_PNG=ON -DPROTOC_C=/nowhere >&2 &&
    cmake --build "$work/super/build" --parallel "$(nproc)" >&2 && says "$work/super/build/app" && says "$work/super/build/app-static"
}
runtime_install() {
  cmake --install "$work/super/build" --prefix "$work/device" >&2 || return
  (cd "$work/device" && find . -name '*.a' -o -name '*.so' -o -name 'vlm-*' | LC_ALL=C sort | sed 's#.*/##') | diff - <(printf 'libvlmq-runtime.a\nlibvlmq-runtime.so\n')
}

exec 3>&1
[ -e "$build/CMakeCache.txt" ] && cmake --install "$build" --prefix "$prefix" >"$work/log" 2>&1 ||
  { printf '1..1\nnot ok 1 - cmake --install\n'; sed 's/^/# /' "$work/log"; exit 1; }
lib=$(cd "$prefix" && dirname "$(find . -name libvlmq-runtime.so)")
export PKG_CONFIG_PATH=$prefix/$lib/pkgconfig
# The screen as an array, which vlm-run reads: the same pixels behind another header.
read -r width height < <(sed -n 2p "$screen")
{
  printf '\x93NUMPY\x01\x00\x76\x00'
  printf "%-117s\n" "{'descr': '|u1', 'fortran_order': False, 'shape': ($height, $width, 3), }"
  tail -c $((width * height * 3)) "$screen"
} >"$work/screen.npy"
{ "$prefix/bin/vlm-quantize" datasets/captioner/bundle --activations none --level 1 -o "$model" && wanted=$("$prefix/bin/vlm-run" "$model" "$work/screen.npy"); } \
  >"$work/log" 2>&1 || { printf '1..1\nnot ok 1 - the installed programs pack and run the captioner\n'; sed 's/^/# /' "$work/log"; exit 1; }

for name in libvlmq-runtime libvlmq; do
  check "$name.so has the symbols that the headers declare, and no other" same_symbols $name
  check "$name.so has the ABI version in its name" soname $name
done
for name in libvlmq-runtime libvlmq; do check "$name.a has the same symbols" archive_symbols $name; done
check "every public function is called wrongly in the tests" called
check "libvlmq-runtime.so needs no library of the tools" no_tools libvlmq-runtime
check "libvlmq-runtime.so is small" small
for header in "$prefix"/include/vlmq/*.h; do check "vlmq/${header##*/} compiles alone" alone "${header##*/}"; done
check "the C example by pkg-config" by_pkgconfig c cc caption.c
if command -v c++ >/dev/null; then
  check "the C++ example by pkg-config" by_pkgconfig cpp "c++ -std=c++17" caption.cpp
  check "both examples by find_package" by_find_package shared
  check "both examples by find_package, static" by_find_package static -DSTATIC=ON
fi
check "the C example with the archive" by_archive
check "a component that does not exist is refused" wrong_component
check "add_subdirectory, with nothing but the runtime's libraries" by_subdirectory
check "the runtime alone installs itself alone" runtime_install
echo "1..$at"
exit $rc
