# Sourced by the scripts that try builds: TAP, and what the programs of a build compute. Needs scripts/setup.sh.

number=0 failed=0
# ok NAME LOG COMMAND...: one line of TAP; the log's end as comments when the command failed.
ok() {
  local name=$1 log=$2
  shift 2
  number=$((number + 1))
  if "$@" >"$log" 2>&1 </dev/null; then echo "ok $number - $name"; return 0; fi
  echo "not ok $number - $name"
  tail -n 40 "$log" | sed 's/^/# /'
  failed=1
  return 1
}
# skip NAME REASON
skip() { number=$((number + 1)); echo "ok $number - $1 # SKIP $2"; }
plan() { echo "1..$number"; [ $failed = 0 ]; }

# answers OUT COMMAND...: tokens and texts for two images, without times.
answers() {
  local out=$1 images=datasets/screens/test
  shift
  "$@" $images/test_0002.png $images/test_0003.png --quiet --json="$out.part" || return
  sed 's/, "timing_ms.*//' "$out.part" >"$out" && rm "$out.part"
}

# computes BUILD OUT [EMULATOR...]: what a user gets from the programs in BUILD, as files in OUT that are compared byte by
# byte: node cases with their differences from the reference data, statistics, packed file, tokens of both models.
computes() {
  local build=$1 out=$2 model=datasets/captioner/bundle images=datasets/screens/test suites=tests/cli/data/op_cases folder
  shift 2
  for folder in /usr/share/libonnx-testdata/data/node; do [ ! -d "$folder" ] || suites+=" $folder"; done
  rm -rf "$out" && mkdir -p "$out" || return
  "$@" "$build/vlm-run" --check $suites --rtol 0 --atol 0 -v >"$out/cases.txt" 2>&1 # with this tolerance some differ
  grep -q '^passed' "$out/cases.txt" || { tail -n 3 "$out/cases.txt"; return 1; }
  "$@" "$build/vlm-calibrate" $model --images $images --limit 3 --prompt '<CAPTION>' --quiet -o "$out/stats.h5" &&
    "$@" "$build/vlm-quantize" $model --calib "$out/stats.h5" --level 1 --quiet -o "$out/packed.vlmq" &&
    answers "$out/float.json" "$@" "$build/vlm-run" $model &&
    answers "$out/int8.json" "$@" "$build/vlm-run" "$out/packed.vlmq"
}
