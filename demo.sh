#!/usr/bin/env bash
# From a trained captioner and your images to a verified INT8 file, in one command:   ./demo.sh
# Works on a fresh Debian 12; everything it makes is in build/demo/. Run it as often as you like.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/setup.sh

model=datasets/captioner/bundle
screens=datasets/screens
out=build/demo
mkdir -p "$out"
trap 'echo "demo.sh: stopped at line $LINENO: the command above failed" >&2' ERR

heading() { printf '\n\033[1m== %s\033[0m\n' "$1"; }
explain() { printf '   %s\n' "$@"; }
# Shows a command, then runs it.
show() {
  local word line=''
  for word in "$@"; do [[ $word =~ ^[A-Za-z0-9_./%:=-]+$ ]] && line+=" $word" || line+=" '$word'"; done
  printf '\n $%s\n' "$line"
  PATH=build:$PATH "$@"
}
bytes() { cat "$@" | wc -c; }

heading "0. Packages and build"
explain "A C compiler, CMake and ten small libraries from Debian; then the five programs, into build/."
vlmq_install $VLMQ_PACKAGES_BUILD
vlmq_build build -DVLMQ_TESTS=OFF >"$out/build.log" 2>&1 || { tail -n 40 "$out/build.log"; exit 1; }
explain "built: $(ls build/vlm-* | xargs -n 1 basename | tr '\n' ' ')"

heading "1. The model, in FP32"
explain "A small captioner in the layout of public Florence-2 exports: five ONNX graphs, a tokenizer, JSON settings." \
  "It looks at a rendered app screen and says what it sees:"
show vlm-run $model $screens/test/test_0002.png

heading "2. Calibrate: what values flow through the model?"
explain "Your own images, through the model's own loop. INT8 has 256 steps; the statistics say where they are needed."
show vlm-calibrate $model --images $screens/calibration --prompt "<CAPTION>" -o $out/captioner.h5

heading "3. Quantize: one packed INT8 file"
explain "Weights get one scale per output channel, activations the range that measured best. What INT8 would hurt stays float."
show vlm-quantize $model --calib $out/captioner.h5 -o $out/captioner.vlmq

heading "4. Evaluate: what did it cost, what did it gain?"
explain "Both models caption the same 400 test images. Exit code 0 means: the 95 % interval shows that at most 1 % of CIDEr-D" \
  "is lost, at least 90 % of the captions are unchanged, and it is not slower."
show vlm-eval $model $out/captioner.vlmq --images $screens/test --refs $screens/test.json --max-drop 1% --min-agreement 90% --min-speedup 1 | tee "$out/verdict.txt"

heading "5. Use it"
explain "The packed file holds everything: graphs, weights, tokenizer, preprocessing."
show vlm-run $out/captioner.vlmq $screens/test/test_0002.png
show vlm-inspect $out/captioner.vlmq --verify

heading "6. A bad recipe is refused"
explain "One weight scale for all channels, the plain minimum and maximum of every float tensor, no judgement about what" \
  "INT8 would hurt. The file is as small and the program runs; only the verdict sees the damage: every fourth caption is another" \
  "one. The same budget as above; exit code 3."
show vlm-calibrate $model --images $screens/calibration --limit 64 --everything --quiet -o $out/everything.h5
show vlm-quantize $model --calib $out/everything.h5 --weights s8-tensor --range minmax --everything --activations static --quiet -o $out/bad.vlmq
rc=0
show vlm-eval $model $out/bad.vlmq --images $screens/test --refs $screens/test.json --max-drop 1% --min-agreement 90% | tee "$out/refusal.txt" || rc=$?
[ $rc = 3 ] || { echo "exit code $rc, wanted 3: the bad recipe was not refused for its quality"; exit 1; }
printf '\n   exit code 3, as it should be.\n'

heading "Summary"
fp32=$(sed -n 's/^ *size *\([0-9.]* [A-Z]*B\) .*/\1/p' "$out/verdict.txt")
explain "size       $fp32 of FP32 weights -> $(awk -v b="$(bytes $out/captioner.vlmq)" 'BEGIN { printf "%.2f MB", b / 1e6 }') packed$(sed -n 's/^ *size .* \([0-9.]* %\)$/, \1/p' "$out/verdict.txt")" \
  "captions   $(sed -n 's/^captions unchanged *//p' "$out/verdict.txt") images unchanged" \
  "quality    CIDEr-D drop $(sed -n 's/^CIDEr-D drop *//p' "$out/verdict.txt")" \
  "speed      $(sed -n 's/^ *total, median .* \([0-9.]*\)x$/\1/p' "$out/verdict.txt") times FP32 in the same program" \
  "files      $out/captioner.h5, $out/captioner.vlmq"
