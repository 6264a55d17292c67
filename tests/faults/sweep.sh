#!/usr/bin/env bash
# One call of the system fails per run: memory, open, read, write, fsync, rename, mmap, thread start. Each run must end
# with the same bytes as an undisturbed one, or with a message, the right exit code and what was there before.
# TAP, one line per program and kind; a count per line and in all.
#   tests/faults/sweep.sh BUILD [POINTS]     POINTS: most faults per program and kind (40; tests/long.sh gives more)
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd) build=$(cd "$1" && pwd) || exit 1
points=${2:-40}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
if ! ${CC:-gcc} -O1 -fPIC -shared -o shim.so "$root/tests/faults/shim.c" -ldl -pthread 2>cc.txt; then
  echo "1..0 # SKIP the shim needs glibc and a compiler"
  exit 0
fi
export PATH=$build:$PATH LC_ALL=C
Q=$root/tests/cli/data/quant/outlier_rare BOXES=$root/tests/cli/data/boxes
PICTURE=$root/datasets/screens/test/test_0000.png
{
  vlm-calibrate "$Q/model.onnx" --inputs "$Q/s" -o stats.h5 && vlm-quantize "$Q/model.onnx" --calib stats.h5 -o one.vlmq &&
    vlm-calibrate "$BOXES" --images "$PICTURE" -o boxes.h5 && vlm-quantize "$BOXES" --calib boxes.h5 -o boxes.vlmq
  mkdir x && unzip -q -d x "$Q/s/000.npz" 2>/dev/null || python3 -c "import zipfile; zipfile.ZipFile('$Q/s/000.npz').extractall('x')"
} >fixtures.txt 2>&1 || { echo "1..1"; echo "not ok 1 - fixtures"; sed 's/^/# /' fixtures.txt; exit 1; }

# The programs, one line each: NAME, then a command that writes out/ and standard output.
mapfile -t commands <<END
calibrate-arrays vlm-calibrate $Q/model.onnx --inputs $Q/s --threads 1 --force -o out/o.h5
calibrate-images vlm-calibrate $BOXES --images $PICTURE --threads 2 --force -o out/o.h5
merge vlm-calibrate --merge stats.h5 --force -o out/o.h5
quantize-one vlm-quantize $Q/model.onnx --calib stats.h5 --threads 1 -o out/o.vlmq
quantize-boxes vlm-quantize $BOXES --calib boxes.h5 --threads 2 -o out/o.vlmq
run-float vlm-run $BOXES $PICTURE --prompt <OD> --threads 2
run-packed vlm-run boxes.vlmq $PICTURE --prompt <OD> --threads 1
run-arrays vlm-run one.vlmq --input x=x/x.npy --threads 1 --output-dir out
eval-one vlm-eval $Q/model.onnx one.vlmq --inputs $Q/s --threads 1
inspect vlm-inspect one.vlmq --verify --threads 1
inspect-stats vlm-inspect stats.h5
END

number=0 failed=0 all=0 foreign_all=0
# run KIND AT COMMAND...: in a folder out/ that holds an older output; its exit is in rc.
run() {
  local kind=$1 at=$2
  shift 2
  rm -rf out log
  mkdir out
  for f in o.h5 o.vlmq; do echo old >out/$f; done
  rc=0
  timeout -k 5 60 env FAULT_KIND="$kind" FAULT_AT="$at" FAULT_LOG="$work/log" LD_PRELOAD="$work/shim.so" \
    "$@" >std 2>err </dev/null || rc=$?
  (cd out && find . -type f ! -name '*.tmp-*' -exec cat {} + && cat ../std) | sed -E '/ ms |, median|ms\)/d' >bytes
}

# What is wrong with the run, nothing when it is fine.
judge() {
  local kind=$1 what='' message
  message=$(grep -vE '^[0-9/]+ |^ ' err | tail -n 1)
  if [ $rc -ge 124 ]; then what="exit $rc"
  elif [ $rc = 70 ]; then what="exit 70, a bug of ours"
  elif [ $rc = 0 ]; then cmp -s bytes whole || what="exit 0 with other bytes"
  elif ! grep -qE '^vlm-[a-z]+: .' <<<"$message"; then what="exit $rc without a message"
  elif find out -name '*.tmp-*' | grep -q .; then what="a temporary file is left"
  elif [ $rc = 5 ] && [ "$kind" != read ] && [ "$kind" != flip ]; then what="exit 5, integrity"
  elif [ "$kind" = malloc ] && [ $rc != 6 ]; then what="exit $rc for out of memory"
  elif cmp -s bytes whole; then what="exit $rc, yet all was written"
  fi
  [ -z "$what" ] || echo "$what: ${message:0:150}"
}

# sweep NAME KIND COMMAND...
sweep() {
  local name=$1 kind=$2 count step at why bad=0 foreign=0 tried=0 first=''
  shift 2
  run "$kind" 0 "$@"
  cp bytes whole
  count=$(sed -n 's/^calls //p' log)
  [ "$rc" = 0 ] && [ -n "$count" ] || { bad=1 first="undisturbed: exit $rc, $(tail -1 err)"; count=0; }
  [ "$count" -gt 0 ] || [ $bad -gt 0 ] || return
  step=$(((count + points - 1) / points))
  for ((at = 1 + (step > 1 ? RANDOM % step : 0); at <= count; at += step)); do
    run "$kind" $at "$@"
    why=$(judge "$kind")
    tried=$((tried + 1))
    [ -z "$why" ] && continue
    # HDF5 crashes, ends the process, says something else or reads something else (which the digest tells, exit 5) when it gets no memory;
    # never may it write other bytes.
    if [ "$kind" = malloc ] && grep -qE '^at ([^ ]+[.]so[^ ]* )*libhdf5' log && [[ $why == exit\ [125]* ]]; then
      foreign=$((foreign + 1))
      continue
    fi
    bad=$((bad + 1))
    [ -n "${FAULT_VERBOSE:-}" ] && echo "# $name $kind $at: $why [$(sed -n 's/^at //p' log)]"
    [ -n "$first" ] || first="call $at: $why [$(sed -n 's/^at //p' log)]"
  done
  number=$((number + 1)) all=$((all + tried)) foreign_all=$((foreign_all + foreign))
  if [ $bad = 0 ]; then
    echo "ok $number - $name: $kind, $tried faults of $count calls$([ $foreign = 0 ] || echo ", $foreign fell inside HDF5")"
  else
    failed=$((failed + 1))
    echo "not ok $number - $name: $kind, $bad of $tried faults"
    echo "# $first"
  fi
}

RANDOM=${FAULT_SEED:-1}
for line in "${commands[@]}"; do
  read -r name command <<<"$line"
  [[ $name =~ ${FAULT_ONLY:-.} ]] || continue
  for kind in ${FAULT_KINDS:-malloc open read short-read write short fsync rename mmap thread close}; do
    # shellcheck disable=SC2086 # words of the command
    [ "$kind" = flip ] || sweep "$name" "$kind" $command
  done
  # What the disk kept wrong is found before it gets its name.
  # shellcheck disable=SC2086
  case $name in quantize*) [[ ${FAULT_KINDS:-flip} == *flip* ]] && sweep "$name" flip $command ;; esac
done
echo "1..$number"
echo "# $all faults, $foreign_all of them inside HDF5"
[ $failed = 0 ]
