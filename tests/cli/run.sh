#!/usr/bin/env bash
# The command line as scripts see it: messages, exit codes, files. TAP on standard output.
#   tests/cli/run.sh BUILD [CASE...]      BUILD: folder with the programs; CASE: names of files in tests/cli/cases, without .sh
set -uo pipefail
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -ge 1 ] && BIN=$(cd "$1" && pwd) || { echo "usage: $0 BUILD [CASE...]"; exit 1; }
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SHARED=$work/shared
mkdir "$SHARED"
export ROOT BIN SHARED LC_ALL=C

# What several cases read: statistics of 12 images, and the packed model made from them.
fixtures() {
  "$BIN/vlm-calibrate" "$ROOT/datasets/captioner/bundle" --images "$ROOT/datasets/screens/calibration" --limit 12 -o "$SHARED/stats.h5" &&
    "$BIN/vlm-quantize" "$ROOT/datasets/captioner/bundle" --calib "$SHARED/stats.h5" --level 3 -o "$SHARED/model.vlmq"
}

number=0 failed=0
# report CASE: numbers the lines of a case.
report() {
  local line
  while IFS= read -r line; do
    case $line in
      'ok - '*) number=$((number + 1)); echo "ok $number - $1: ${line#ok - }" ;;
      'not ok - '*) number=$((number + 1)); failed=$((failed + 1)); echo "not ok $number - $1: ${line#not ok - }" ;;
      *) echo "# ${line#\# }" ;;
    esac
  done
}

if ! fixtures >"$work/log" 2>&1; then
  echo "1..1"
  echo "not ok 1 - calibrate and quantize the captioner"
  sed 's/^/# /' "$work/log"
  exit 1
fi
[ $# -gt 0 ] || set -- $(cd "$ROOT/tests/cli/cases" && ls ./*.sh | sed 's#^\./##; s/\.sh$//')
# run_case NAME: in a folder of its own; output into WORK/NAME.log.
run_case() {
  local rc=0 log=$WORK/$1.log
  mkdir -p "$WORK/$1"
  (cd "$WORK/$1" && timeout -k 10 300 bash -c '. "$ROOT/tests/cli/lib.sh"; . "$ROOT/tests/cli/cases/$1.sh"' case "$1") >"$log" 2>&1 || rc=$?
  grep -qE '^(not )?ok - ' "$log" || rc=1
  [ $rc = 124 ] && echo "not ok - stopped after 300 s" >>"$log"
  [ $rc = 0 ] || grep -q '^not ok' "$log" || echo "not ok - the case ended with exit $rc" >>"$log"
  rm -rf "${WORK:?}/$1"
}
export -f run_case
export WORK=$work
printf '%s\n' "$@" | xargs -P "$(nproc)" -I {} bash -c 'run_case "$0"' {}
for name in "$@"; do report "$name" <"$work/$name.log"; done
echo "1..$number"
[ $failed = 0 ]
