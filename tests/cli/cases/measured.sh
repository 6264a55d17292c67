# What vlm-quantize says of the outputs is what comes out, with no flags, for every thread and CPU level.
Q=$ROOT/tests/cli/data/quant/outlier_rare
expect "statistics of a few samples" 0 "none kept apart: below 32 samples all are calibrated with" \
  vlm-calibrate "$Q/model.onnx" --inputs "$Q/s" -o rare.h5
expect "told where it was measured" 0 "^measured on 4 samples of those that were calibrated with" \
  vlm-quantize "$Q/model.onnx" --calib rare.h5 -o rare.vlmq
told=$(sed -n 's/^  y  *\([0-9.]*\) dB, 95 % of its rows above [0-9.]* dB$/\1/p' err)
that "a huge value in one row costs the others nothing" awk "BEGIN { exit !($told > 35) }"
expect "every multiplication is in 8 bits" 0 "^model .* 100.0 % of 131.1 K$" \
  vlm-quantize "$Q/model.onnx" --calib rare.h5 --dry-run
expect "what was told comes out" 0 "^  y +$told dB$" vlm-eval "$Q/model.onnx" rare.vlmq --inputs "$Q/s"
expect "the figures in JSON" 0 '"output_sqnr_db": \{"y": [0-9.]+\}, "output_row_sqnr_db": \{"y": [0-9.]+\}, "measured_on": \{"samples": 4, "held_out": false\}' \
  vlm-quantize "$Q/model.onnx" --calib rare.h5 --dry-run --quiet --json
that "each node has what it costs" grep -qE '"node": "a", .*"sqnr_db": [0-9.]+' out

expect "one range for all is measured too" 0 "^warning: an output is below 25 dB" \
  vlm-quantize "$Q/model.onnx" --calib rare.h5 --activations static --dry-run
that "the node is named" grep -qE '^  a \(MatMul, static\) alone gives [0-9.]+ dB$' err
expect "a target is reached at any price" 0 "^1 nodes changed for the outputs' sake" \
  vlm-quantize "$Q/model.onnx" --calib rare.h5 --activations static --target-sqnr 80dB --dry-run -v
that "by what helps" grep -qE "model +float +a \(MatMul\): float: the output needs it" err
mkdir half && cp "$Q"/s/00[01].npz half/
expect "statistics of half of them" 0 "" vlm-calibrate "$Q/model.onnx" --inputs half -o half.h5
expect "given samples that are not calibrated with" 0 "^measured on 2 samples that no range knows:$" \
  vlm-quantize "$Q/model.onnx" --calib half.h5 --inputs "$Q/s" --dry-run
expect "nothing at hand, nothing told" 0 "" vlm-quantize "$Q/model.onnx" --activations dynamic --dry-run --json=none.json
that "no figure that was not measured" test "$(grep -c sqnr_db none.json)" = "$(grep -c weight_sqnr_db none.json)"
that "no outputs in it" test -z "$(grep output_sqnr_db none.json)"

that "packed with one thread on plain C kernels" vlm-quantize "$Q/model.onnx" --calib rare.h5 --threads 1 --cpu c --quiet -o c.vlmq
same "equal bytes for every thread and CPU level" rare.vlmq c.vlmq
for i in 0 1; do vlm-calibrate "$Q/model.onnx" --inputs "$Q/s" --shard $i/2 --quiet -o part$i.h5; done
vlm-calibrate --merge part1.h5 part0.h5 -o merged.h5 --quiet
same "kept samples: equal from two shards" rare.h5 merged.h5

expect "a pipeline is measured on given images" 0 "^measured on 2 samples that no range knows:$" \
  vlm-quantize "$BUNDLE" --calib "$STATS" --level 3 --images "$SCREENS/test" --limit 2 -o images.vlmq --json=images.json
that "stage by stage" grep -qE "^  vision +[0-9.]+ dB$" err
that "answers too" grep -qE "^  [0-9.]+ % of the captions unchanged, KL per token [0-9.]+$" err
that "in JSON" grep -qE '"output_sqnr_db": \{"vision": [0-9.]+, "encoder": [0-9.]+, "logits": [0-9.]+\}, .*"kl_per_token": [0-9.e-]+, "measured_on": \{"samples": 2, "held_out": true\}' images.json
# A bundle that wants beams is measured greedily all the same.
kl() { sed -n 's/.*"kl_per_token": \([0-9.e-]*\).*/\1/p' "$1"; }
cp -r "$BUNDLE" beams && sed -i 's/"num_beams": 1/"num_beams": 3/' beams/generation_config.json
that "the bundle wants beams" grep -q '"num_beams": 3' beams/generation_config.json
expect "greedily, not to the end" 0 "^  of answers, greedily and of 32 tokens at most:$" \
  vlm-quantize beams --calib "$STATS" --images "$SCREENS/test" --limit 2 --dry-run --json=beams.json
that "so beams do not matter" test "$(kl beams.json)" = "$(kl images.json)"
same "measuring changes nothing in the file" "$PACK" images.vlmq
expect "images that were calibrated with are told apart" 0 "^measured on 1 samples of those that were calibrated with" \
  vlm-quantize "$BUNDLE" --calib "$STATS" --images "$SCREENS/calibration" --limit 1 --dry-run
expect "arrays for a pipeline" 1 "is a pipeline: give it --images" vlm-quantize "$BUNDLE" --calib "$STATS" --inputs "$Q/s" -o m.vlmq

# Weights of a pipeline are rounded with what the statistics keep.
expect "what is kept is told" 0 "^forty.h5 holds 36 of the samples themselves \([0-9.]+ KB\), .*--no-keep leaves them out$" \
  vlm-calibrate "$BUNDLE" --images $(images 40) -o forty.h5
expect "and seen in the file" 0 "^holds 36 of the image files themselves \([0-9.]+ KB\), 4 of them held out$" vlm-inspect forty.h5
expect "rounding: with kept images" 0 "^rounding: GPTQ for [0-9]+ of [0-9]+ weights" vlm-quantize "$BUNDLE" --calib forty.h5 --level 3 -o gptq.vlmq --json=gptq.json
that "and measured on those held out" grep -qE "^measured on [1-8] samples that no range knows:" err
that "rounding: equal bytes with one thread on AVX2" vlm-quantize "$BUNDLE" --calib forty.h5 --level 3 --threads 1 --cpu avx2 --quiet -o gptq1.vlmq
same "rounding: equal bytes for every thread and CPU level" gptq.vlmq gptq1.vlmq
expect "rounding: to nearest" 0 "^measured on" vlm-quantize "$BUNDLE" --calib forty.h5 --level 3 --rounding nearest -o nearest.vlmq --json=nearest.json
that "rounding: other weights" bash -c '! cmp -s gptq.vlmq nearest.vlmq'
that "rounding: less is lost" awk "BEGIN { exit !($(kl gptq.json) < $(kl nearest.json)) }"
that "rounding: a tied table is stored once" test "$(stat -c %s gptq.vlmq)" -lt "$(($(stat -c %s nearest.vlmq) * 102 / 100))"
expect "rounding: told in the plan" 0 "" vlm-quantize "$BUNDLE" --calib forty.h5 --dry-run --quiet --save-plan gptq-plan.json
that "by node" grep -qE '"rounding": "gptq"' gptq-plan.json
vlm-calibrate "$BUNDLE" --images $(images 40) --no-keep --quiet -o none.h5
expect "no image is kept" 0 "^plan: " vlm-quantize "$BUNDLE" --calib none.h5 --dry-run
that "so nothing is measured" bash -c '! grep -qE "^(measured|rounding)" err'
that "nor in the file" test "$(stat -c %s none.h5)" -lt "$(stat -c %s forty.h5)"

expect "a budget of answers is kept" 0 "^budget: kept after [0-9]+ evaluations of 6 samples that no range knows$" \
  vlm-quantize "$BUNDLE" --calib "$STATS" --level 3 --images "$SCREENS/test" --refs "$SCREENS/test.json" --limit 6 --max-drop 40% -o kept.vlmq --json=kept.json
that "with what it costs" grep -qE '^> +-?[0-9.]+ % +[0-9.]+ % +[0-9.e-]+ +[0-9.]+ dB +[0-9.]+ % +[0-9.]+ +[0-9.]+ MB  ' err
that "plan by plan in JSON" grep -qE '"budget": \{"kept": true, "samples": 6, "plans": \[\{"what": "as planned", ' kept.json
that "and told in the file" test -s kept.vlmq
expect "no plan has what nothing reaches" 3 "no plan of [0-9]+ reaches --target-sqnr 110: the best has [0-9.]+ dB; nothing was written$" \
  vlm-quantize "$BUNDLE" --calib "$STATS" --images "$SCREENS/test" --limit 1 --target-sqnr 110 -o never.vlmq
that "no file" test ! -e never.vlmq
that "twelve evaluations at most" test "$(grep -cE ' MB  (as planned|ranges|some|float|all)' err)" -le 12
expect "a budget without images" 1 "a budget of a pipeline is kept on images" \
  vlm-quantize "$BUNDLE" --activations dynamic --max-drop 1% -o never.vlmq
expect "captions of a single graph" 1 "max-drop does not go with a single graph" vlm-quantize "$Q/model.onnx" --calib rare.h5 --max-drop 1% --dry-run
