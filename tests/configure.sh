#!/usr/bin/env bash
# What configuring does for users: defaults, what is refused, what may be missing, the version. TAP on standard output.
#   tests/configure.sh BUILD
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. scripts/setup.sh
. tests/build_lib.sh

build=$(cd "${1:?the folder of a build}" && pwd) || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset CFLAGS LDFLAGS

# configured NAME OPTIONS...: in $work/NAME, with compile_commands.json.
configured() {
  local name=$1
  shift
  rm -rf "${work:?}/$name"
  vlmq_configure "$work/$name" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@" >"$work/$name.txt" 2>&1 || { tail -n 20 "$work/$name.txt"; return 1; }
}
# flags NAME: of one ordinary file.
flags() { grep -o '"command": ".*runtime/base/hash.c"' "$work/$1/compile_commands.json" | head -n 1; }
has() { flags "$1" | grep -qE -- "(^| )$2( |$)" || { echo "$2 is not in: $(flags "$1")"; return 1; }; }
hasnt() { ! has "$@" >/dev/null || { echo "$2 is in: $(flags "$1")"; return 1; }; }

by_default() {
  configured default && has default -O3 && has default -DNDEBUG && hasnt default -Werror && has default -std=c11 && has default -ffp-contract=off
}
on_request() { configured werror -DVLMQ_WERROR=ON -DCMAKE_BUILD_TYPE=Debug -DVLMQ_TESTS=OFF && has werror -Werror && hasnt werror -DNDEBUG; }
# Later words win: the numeric contract stands behind what the user says.
keeps_contract() {
  configured cflags -DVLMQ_TESTS=OFF "-DCMAKE_C_FLAGS=-march=x86-64-v3 -ffp-contract=fast" && has cflags -march=x86-64-v3 &&
    flags cflags | grep -q -- '-ffp-contract=fast.*-ffp-contract=off'
}
refuses_fast_math() {
  ! configured fast -DVLMQ_TESTS=OFF -DCMAKE_C_FLAGS=-ffast-math >"$work/said" && grep -q 'ffast-math, which changes results' "$work/said"
}
# The .pc files of this machine but cmocka's.
without_cmocka() {
  local folder file
  mkdir -p "$work/pc"
  for folder in $(pkg-config --variable pc_path pkg-config | tr : ' '); do
    for file in "$folder"/*.pc; do
      case $file in */cmocka.pc | *'*.pc') ;; *) ln -sf "$file" "$work/pc/" ;; esac
    done
  done
  PKG_CONFIG_LIBDIR=$work/pc configured bare && grep -q 'tests are left out: cmocka is not here' "$work/bare.txt" &&
    ! grep -rq test_memory "$work/bare" --include=CTestTestfile.cmake --include=build.ninja --include=Makefile
}
fortifies() {
  configured plain -DVLMQ_TESTS=OFF -DCMAKE_BUILD_TYPE=Debug && hasnt plain -D_FORTIFY_SOURCE=2 &&
    configured none -DVLMQ_TESTS=OFF -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-O0 && hasnt none -D_FORTIFY_SOURCE=2 &&
    has default -D_FORTIFY_SOURCE=2
}
# Tests of test.sh and of ctest are the same.
same_tests() {
  local known
  known=$(cd "$build" && ctest -N | sed -nE 's/^ +Test +#[0-9]+: //p')
  { sed -nE 's/^ *tap ([a-z_]+) .*/\1/p' test.sh; find tests -name 'test_*.c' -printf '%f\n' | sed 's/\.c$//'; } |
    while read -r name; do grep -qxF "$name" <<<"$known" || echo "ctest does not know $name"; done | { ! grep .; }
}
one_version() {
  local version program
  version=$(sed -nE 's/^project\(vlmq VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
  for program in vlm-run vlm-quantize vlm-inspect; do
    [ "$("$build/$program" --version)" = "$program $version" ] || { echo "$program --version: $("$build/$program" --version), wanted $version"; return 1; }
  done
  ! git grep -nF "\"$version\"" -- '*.c' '*.h' '*.cmake' '*.sh'
}
presets() { cmake --list-presets >/dev/null && cmake --list-presets=test >/dev/null && cmake --list-presets=build >/dev/null; }

ok "Release is the default, warnings are no errors" "$work/log" by_default
ok "warnings are errors on request" "$work/log" on_request
ok "CFLAGS are kept, and cannot take the numeric contract back" "$work/log" keeps_contract
ok "CFLAGS that change results are refused" "$work/log" refuses_fast_math
ok "FORTIFY where an optimizer runs" "$work/log" fortifies
ok "without cmocka the tests are left out" "$work/log" without_cmocka
ok "ctest knows every test" "$work/log" same_tests
ok "the version stands in one place" "$work/log" one_version
ok "the presets can be read" "$work/log" presets
plan
