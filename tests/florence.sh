#!/usr/bin/env bash
# The whole chain at the size of Florence-2-base: 231 M parameters, 768x768 images, both decoder forms. Takes about five minutes and 10 GB of disk.
#   tests/florence.sh GRAPHS [BUILD]     GRAPHS: the six files that the set's materialize.py writes; BUILD: folder with the programs, default build
# Prints the figures of docs/scale.md and closes with "N passed, N failed".
set -uo pipefail
graphs=$(realpath "${1:?usage: tests/florence.sh GRAPHS [BUILD]}")
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "${2:-build}")
set=$(realpath ../shared/data/florence2-base-shape)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH=$build:$PATH
passed=0 failed=0

# check NAME COMMAND...: counts; shows the end of what a failed command printed.
check() {
  local name=$1
  shift
  if "$@" >"$work/log" 2>&1; then passed=$((passed + 1)) && echo "ok   $name"; else failed=$((failed + 1)) && echo "FAIL $name" && tail -5 "$work/log"; fi
}

# near NAME GOT WANTED: within 2 %.
near() { check "$1: $2, wanted $3 +- 2 %" awk -v g="$2" -v w="$3" 'BEGIN { exit !(g > 0.98 * w && g < 1.02 * w) }'; }
cost() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2], {"d": d, "g": d["graphs"]}))' "$work/inspect.json" "$1"; }
peak() { /usr/bin/time -f "     peak %M KiB, %e s, %U s user" "$@"; }

mkdir "$work/bundle"
ln -s "$graphs"/*.onnx "$work/bundle/"
cp "$set"/*config.json "$work/bundle/"
python3 tests/oracles/florence_tokenizer.py "$work/bundle" || exit 1
mapfile -t images < <(ls datasets/screens/calibration/*.png | head -8)

check "import of all graphs under 3 s of user time" bash -c 'TIMEFORMAT=%U; t=$( { time vlm-inspect "$0" --json="$1" --quiet; } 2>&1 ); echo "$t"; awk -v t="$t" "BEGIN { exit !(t < 3) }"' "$work/bundle" "$work/inspect.json"
near "parameters, M" "$(cost 'd["parameters"] / 1e6')" 231.4
near "vision, GMAC" "$(cost 'g["vision"]["macs"] / 1e9')" 190
near "text encoder (577 image and 12 prompt tokens), GMAC" "$(cost 'g["encoder"]["macs"] / 1e9')" 28
near "decoder, MMAC per token" "$(cost 'g["decoder_step"]["macs"] / 1e6')" 94
check "vision encoder of 768x768: no integer operator left" env VLMQ_FLORENCE="$graphs" "$build/tests/test_fixed_shapes"

for form in merged separate; do
  check "$form: calibrate on 8 images" peak vlm-calibrate "$work/bundle" --decoder $form --images "${images[@]}" --max-new-tokens 12 -o "$work/$form.h5"
  tail -1 "$work/log"
  check "$form: quantize" peak vlm-quantize "$work/bundle" --decoder $form --calib "$work/$form.h5" -o "$work/$form.vlmq"
  tail -1 "$work/log"
  check "$form: at most 25 % of the weights' bytes" awk -v b="$(stat -c %s "$work/$form.vlmq")" -v w="$(cost 'd["weight_bytes"]')" 'BEGIN { exit !(b <= 0.25 * w) }'
  check "$form: verify" vlm-inspect "$work/$form.vlmq" --verify
  check "$form: answer" /usr/bin/time -f "%M" -o "$work/peak" vlm-run "$work/$form.vlmq" "${images[0]}" --max-new-tokens 12
  check "$form: answers in 450 MiB: $(($(tail -1 "$work/peak") / 1024)) MiB" test "$(tail -1 "$work/peak")" -le $((450 * 1024))
  check "$form: evaluate, faster than FP32" vlm-eval "$work/bundle" "$work/$form.vlmq" --decoder $form --images "${images[@]:0:4}" --max-new-tokens 12 --min-speedup 1
  grep -E '^ *(vision|encoder|decoder_first|per token|first token|total|size|tokens)' "$work/log"
done
for form in merged separate; do
  vlm-run "$work/bundle" "${images[0]}" --decoder $form --max-new-tokens 12 --json --quiet | sed 's/, "timing_ms.*//' >"$work/$form.json"
done
check "merged and separate: the same answer" cmp "$work/merged.json" "$work/separate.json"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
