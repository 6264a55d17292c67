#!/usr/bin/env bash
# Builds everything and runs every test. One command, also on a fresh Debian 12:   ./test.sh
# The last line is "N passed, N failed[, N skipped]"; exit 1 when anything failed. Output of every step: build/log/.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
. scripts/setup.sh

log=build/log
passed=0 failed=0 skipped=0
mkdir -p "$log"

# count PASSED FAILED SKIPPED NAME LOG SECONDS: adds to the sums, one line; the log too when something failed.
count() {
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
  printf '%-34s %5d passed %3d failed' "$4" "$1" "$2"
  [ "$3" = 0 ] || printf ' %3d skipped' "$3"
  printf '  (%d s)\n' "$6"
  [ "$2" = 0 ] && return
  echo "---- $5"
  { grep -q '^not ok' "$5" && grep -A 15 '^not ok' "$5" || cat "$5"; } | tail -n 200
  echo "----"
}

# step NAME SECONDS COMMAND...: one test, passed when the command exits 0 in time.
step() {
  local name=$1 limit=$2 file=$log/${1//[^A-Za-z0-9_-]/_}.txt start=$SECONDS rc=0
  shift 2
  timeout -k 10 "$limit" "$@" >"$file" 2>&1 </dev/null || rc=$?
  [ $rc != 124 ] || echo "stopped after $limit s" >>"$file"
  count $((rc == 0)) $((rc != 0)) 0 "$name" "$file" $((SECONDS - start))
  return $rc
}

# run_tap LOG SECONDS COMMAND...: runs a program that prints TAP; its exit code and duration go into LOG.rc.
run_tap() {
  local file=$1 limit=$2 start=$SECONDS rc=0
  shift 2
  CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 "$limit" "$@" >"$file" 2>&1 </dev/null || rc=$?
  [ $rc != 124 ] || echo "stopped after $limit s" >>"$file"
  echo "$rc $((SECONDS - start))" >"$file.rc"
}

# count_tap NAME LOG: a test that was planned and not reported, and a bad exit, are failures.
count_tap() {
  local file=$2 rc duration plan ok skip bad
  read -r rc duration <"$file.rc" || rc=1 duration=0
  plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$file" | head -1)
  skip=$(grep -cE '^(not )?ok [0-9]+.*# SKIP' "$file")
  ok=$(grep -E '^ok [0-9]+' "$file" | grep -vc '# SKIP')
  bad=$(grep -E '^not ok [0-9]+' "$file" | grep -vc '# SKIP')
  [ -n "$plan" ] && [ "$plan" -gt $((ok + skip + bad)) ] && bad=$((plan - ok - skip))
  [ $((ok + skip + bad)) = 0 ] && bad=1
  [ "$rc" != 0 ] && [ "$bad" = 0 ] && { echo "exit $rc" >>"$file"; bad=1; }
  count "$ok" "$bad" "$skip" "$1" "$file" "$duration"
}

# tap NAME SECONDS COMMAND...
tap() {
  local name=$1
  rm -f "$log/$1.txt.rc"
  shift
  run_tap "$log/$name.txt" "$@"
  count_tap "$name" "$log/$name.txt"
}

# programs PREFIX FOLDER SECONDS: the cmocka program of every tests/*/test_*.c, as many at a time as there are cores.
programs() {
  local names name
  rm -f "$log/$1"test_*
  names=$(find tests -name 'test_*.c' -printf '%f\n' | sed 's/\.c$//' | LC_ALL=C sort)
  xargs -P "$(nproc)" -I {} bash -c 'run_tap "$0" "$1" "$2"' "$log/$1{}.txt" "$3" "$2/tests/{}" <<<"$names"
  for name in $names; do count_tap "$1$name" "$log/$1$name.txt"; done
}

# The ONNX backend suites: what tests/conformance.sh sums up. A suite that is not there counts as skipped.
conformance() {
  local file=$log/conformance.txt start=$SECONDS rc=0 p f u
  timeout -k 10 400 tests/conformance.sh build >"$file" 2>&1 </dev/null || rc=$?
  read -r p f u < <(sed -nE 's/^all +([0-9]+) passed +([0-9]+) failed +([0-9]+) unsupported$/\1 \2 \3/p' "$file")
  [ $rc = 0 ] || [ "${f:-0}" != 0 ] || f=1
  count "${p:-0}" "${f:-1}" "$(grep -c ' not here$' "$file")" "conformance (${u:-no} unsupported)" "$file" $((SECONDS - start))
  grep -E ' (unsupported|not here)$' "$file" | grep -v '^all ' | sed 's/^/  /'
}

build_main() { vlmq_build build -DVLMQ_TESTS=ON -DVLMQ_WERROR=ON; }
build_sanitized() { vlmq_build build/sanitize -DVLMQ_WERROR=ON -DVLMQ_SANITIZE=ON -DCMAKE_BUILD_TYPE=Sanitize; }
export -f run_tap vlmq_build vlmq_configure build_main build_sanitized

finish() {
  local skips=''
  [ $skipped = 0 ] || skips=", $skipped skipped"
  echo "$passed passed, $failed failed$skips"
  [ $failed = 0 ]
  exit
}

vlmq_install $VLMQ_PACKAGES_BUILD $VLMQ_PACKAGES_TEST || { failed=1; finish; }
step "build" 900 bash -c build_main || finish

programs "" build 400
conformance
tap layers 60 tests/layers.sh
tap format 120 tests/format.sh
tap style 120 tests/style.sh build
tap configure 120 tests/configure.sh build
tap hardening 60 tests/hardening.sh build
tap bombs 300 tests/bombs.sh build
tap faults 300 tests/faults/sweep.sh build 6
tap reproducible 300 tests/reproducible.sh
tap change 900 tests/change/run.sh
tap library 900 tests/library.sh build
tap cli 600 tests/cli/run.sh build
tap python 600 tests/python.sh build
tap export 900 tests/export.sh build

if step "build sanitize (ASan, UBSan)" 900 bash -c build_sanitized; then
  export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
  programs "sanitize-" build/sanitize 600
  unset LSAN_OPTIONS
fi
tap matrix 900 tests/matrix.sh build
finish
