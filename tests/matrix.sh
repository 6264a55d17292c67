#!/usr/bin/env bash
# Builds as users build: each corner must build without a warning and compute the same bytes as a build that is there.
# TAP on standard output.
#   tests/matrix.sh BUILD             the short form: the corners marked +
#   tests/matrix.sh BUILD all         every corner
#   tests/matrix.sh BUILD CORNER...   these
# Builds lie in build/matrix/CORNER and are kept.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. scripts/setup.sh
. tests/build_lib.sh

# corner | compiler | what is built: all (tests too), programs, library | options of cmake. CFLAGS are the user's.
corners='
+clang-v3        | clang | all      | -DCMAKE_C_FLAGS=-march=x86-64-v3
+gcc-make        | gcc   | library  | -DVLMQ_RUNTIME_ONLY=ON
gcc-release      | gcc   | all      | -DCMAKE_BUILD_TYPE=Release
gcc-debug        | gcc   | all      | -DCMAKE_BUILD_TYPE=Debug
gcc-minsize      | gcc   | all      | -DCMAKE_BUILD_TYPE=MinSizeRel
gcc-debinfo      | gcc   | all      | -DCMAKE_BUILD_TYPE=RelWithDebInfo
gcc-lto          | gcc   | programs | -DCMAKE_C_FLAGS=-flto
gcc-O3           | gcc   | programs | -DCMAKE_C_FLAGS=-O3 -DCMAKE_BUILD_TYPE=None
gcc-v3           | gcc   | all      | -DCMAKE_C_FLAGS=-march=x86-64-v3
gcc-plain        | gcc   | programs | -DVLMQ_HARDENING=OFF
clang-release    | clang | all      | -DCMAKE_BUILD_TYPE=Release
clang-debug      | clang | all      | -DCMAKE_BUILD_TYPE=Debug
clang-minsize    | clang | programs | -DCMAKE_BUILD_TYPE=MinSizeRel
clang-debinfo    | clang | programs | -DCMAKE_BUILD_TYPE=RelWithDebInfo
clang-lto        | clang | programs | -DCMAKE_C_FLAGS=-flto
runtime-only     | gcc   | library  | -DVLMQ_RUNTIME_ONLY=ON
aarch64          | aarch64-linux-gnu-gcc | programs | -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake -DVLMQ_SYSROOT=build/sysroot
'

# build FOLDER WHAT OPTIONS...: with warnings as errors; what the linker says counts too.
build() {
  local folder=$1 what=$2 tests=OFF said
  shift 2
  [ "$what" != all ] || tests=ON
  said=$(vlmq_build "$folder" -DVLMQ_WERROR=ON -DVLMQ_TESTS=$tests "$@" 2>&1) || { tail -n 40 <<<"$said"; return 1; }
  ! grep -A 3 'warning:' <<<"$said"
}

# same BUILD OUT [EMULATOR...]
same() {
  local out=$2 file
  computes "$@" || return
  for file in "$reference"/*; do
    cmp "$file" "$out/${file##*/}" || { diff "$file" "$out/${file##*/}" | head -n 4; return 1; }
  done
}

# What this machine lacks for a corner; empty when nothing.
lacks() {
  command -v "$2" >/dev/null || { echo "no $2 here"; return; }
  case $1 in
    aarch64) command -v apt-get >/dev/null || [ -e build/sysroot/complete ] || echo "no arm64 libraries here" ;;
    *-v3) grep -qw avx2 /proc/cpuinfo || echo "this machine does not run x86-64-v3" ;;
  esac
}

corner() {
  local name=$1 compiler=$2 what=$3 folder=$PWD/build/matrix/$1 reason run=()
  shift 3
  reason=$(lacks "$name" "$compiler")
  [ -z "$reason" ] || { skip "$name" "$reason"; return; }
  if [ "${name##*-}" = make ]; then local -x CMAKE_GENERATOR="Unix Makefiles"; fi
  if [ "$name" = aarch64 ]; then
    ok "$name: libraries" "$logs/$name.txt" scripts/sysroot.sh build/sysroot || return
    set -- "${@/build\/sysroot/$PWD/build/sysroot}"
    run=(qemu-aarch64 -L /usr/aarch64-linux-gnu
         -E "LD_LIBRARY_PATH=$PWD/build/sysroot/usr/lib/aarch64-linux-gnu:$PWD/build/sysroot/lib/aarch64-linux-gnu")
  fi
  ok "$name: builds without a warning" "$logs/$name.txt" build "$folder" "$what" -DCMAKE_C_COMPILER="$compiler" "$@" || return
  [ "$what" != library ] || return
  if [ "$name" = aarch64 ] && ! command -v qemu-aarch64 >/dev/null; then skip "$name: same bytes" "no qemu-aarch64 here"; return; fi
  ok "$name: same bytes" "$logs/$name.txt" same "$folder" "$logs/$name" "${run[@]}"
}

reference_build=$(cd "${1:?the folder of a build}" && pwd) || exit 1
shift
logs=build/matrix/log reference=build/matrix/log/reference
mkdir -p "$logs"
ok "what the build computes" "$logs/reference.txt" computes "$reference_build" "$reference"
while IFS='|' read -r name compiler what options; do
  name=$(xargs <<<"$name")
  [ -n "$name" ] || continue
  case " ${*:-+} " in
    *' + '*) [ "${name#+}" != "$name" ] || continue ;;
    *' all '*) ;;
    *" ${name#+} "*) ;;
    *) continue ;;
  esac
  corner "${name#+}" $compiler $what $options
done <<<"$corners"
plan
