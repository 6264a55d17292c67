# ONNX files for other runtimes: what is written runs here as the packed file does.
Q=$ROOT/tests/cli/data/quant

# ---- operators at another opset: every case of ours, exported as floats ----
for dir in "$ROOT"/tests/cli/data/{version,op,optimized,product,shape}_cases/*; do
  to=floats/$(basename "$(dirname "$dir")")/$(basename "$dir")
  mkdir -p "$to" && ln -s "$dir"/test_data_set_* "$to"
  vlm-quantize "$dir/model.onnx" --weights f32 -o "$to/model.onnx" --quiet 2>>refused.txt || echo "$dir" >>refused.txt
done
that "every case is exported" test ! -s refused.txt
expect "and gives what it gave" 0 "^[0-9]+ passed, 0 failed, 0 unsupported$" vlm-run --check floats --atol 1e-5

# ---- products with ranges in the file: the arithmetic is the same, so the bytes are ----
for name in outlier_rare tied_square; do
  vlm-calibrate "$Q/$name/model.onnx" --inputs "$Q/$name/s" -o $name.h5 --quiet
  expect "$name: packed and exported" 0 "" vlm-quantize "$Q/$name/model.onnx" --calib $name.h5 --activations static --onnx-out $name -o $name.vlmq
  expect "$name: as one file" 0 "^$name.onnx: .*, opset 17: [0-9]+ static, 0 dynamic" \
    vlm-quantize "$Q/$name/model.onnx" --calib $name.h5 --activations static -o $name.onnx
  same "$name: the same as in a folder" $name.onnx $name/model.onnx
  expect "$name: equal outputs" 0 "^verdict: no budget set|" vlm-eval $name.vlmq $name.onnx --inputs "$Q/$name/s" --min-sqnr 100
  vlm-quantize "$Q/$name/model.onnx" --calib $name.h5 --activations static -o $name.qo.onnx --format qoperator --quiet
  expect "$name: QOperator within a step" 0 "" vlm-eval $name.vlmq $name.qo.onnx --inputs "$Q/$name/s" --min-sqnr 40
  vlm-quantize "$Q/$name/model.onnx" --calib $name.h5 --activations none -o $name.nb.vlmq --quiet
  vlm-quantize "$Q/$name/model.onnx" --calib $name.h5 --activations none -o $name.nb.onnx --quiet
  expect "$name: weights alone" 0 "" vlm-eval $name.nb.vlmq $name.nb.onnx --inputs "$Q/$name/s" --min-sqnr 80
  vlm-quantize "$Q/$name/model.onnx" --calib $name.h5 --activations dynamic -o $name.dy.onnx --quiet
  expect "$name: ranges at run time" 0 "" vlm-eval "$Q/$name/model.onnx" $name.dy.onnx --inputs "$Q/$name/s"
done
vlm-quantize "$Q/outlier_rare/model.onnx" --calib outlier_rare.h5 --activations static -o one.onnx --threads 1 --cpu c --quiet
same "equal bytes for every thread and CPU level" outlier_rare.onnx one.onnx

# ---- bodies of If share a weight with the outer graph ----
vlm-calibrate "$Q/if_shared/model.onnx" --inputs "$Q/if_shared/s" -o shared.h5 --quiet
vlm-quantize "$Q/if_shared/model.onnx" --calib shared.h5 --activations static -o shared.vlmq --quiet
expect "weights of bodies" 0 "static" vlm-quantize "$Q/if_shared/model.onnx" --calib shared.h5 --activations static -o shared.onnx
expect "bodies run" 0 "" vlm-eval shared.vlmq shared.onnx --inputs "$Q/if_shared/s" --min-sqnr 60

# ---- a pipeline: its files once more, and what stands beside them ----
expect "a pipeline for ONNX Runtime" 0 "^pipe/decoder_model_merged.onnx: .*, opset 17: 0 static, 38 dynamic" \
  vlm-quantize "$BUNDLE" --calib "$STATS" --onnx-out pipe --json=pipe.json
that "a file for each" test -f pipe/vision_encoder.onnx -a -f pipe/encoder_model.onnx -a -f pipe/embed_tokens.onnx -a -f pipe/tokenizer.json
that "the forms in JSON" grep -qE '"onnx": \[\{"file": "pipe/[a-z_]*.onnx", "target": "ort-cpu-x86", "opset": 17, .*"form": "dynamic"' pipe.json
expect "and it answers as the packed one" 0 "^tokens unchanged +(100|99\.[5-9][0-9]*|9[9]\.[5-9])" vlm-eval "$PACK" pipe --images "$SCREENS/test" --limit 12
expect "QOperator too" 0 "" vlm-quantize "$BUNDLE" --calib "$STATS" --onnx-out pipe_qo --format qoperator --quiet
expect "QOperator answers" 0 "^tokens unchanged +(100|99\.[5-9])" vlm-eval "$PACK" pipe_qo --images "$SCREENS/test" --limit 12
expect "no If for OpenVINO" 0 "^pipe_ov/decoder_with_past_model.onnx" vlm-quantize "$BUNDLE" --calib "$STATS" --onnx-out pipe_ov --target openvino
expect "its separate decoders answer" 0 "^tokens unchanged +(100|99\.[5-9])" vlm-eval "$PACK" pipe_ov --images "$SCREENS/test" --limit 12
absent "no merged decoder" pipe_ov/decoder_model_merged.onnx
expect "sizes can be fixed" 0 "" vlm-quantize "$BUNDLE" --calib "$STATS" --onnx-out fixed --freeze batch_size=1 --quiet
that "and are" sh -c "vlm-inspect fixed/vision_encoder.onnx | grep -E 'pixel_values.*\[1, 3'"
expect "one range per tensor for XNNPACK" 0 "^xnnpack has no ranges at run time: --activations static$" \
  vlm-quantize "$BUNDLE" --calib "$STATS" --onnx-out pipe_xnn --target xnnpack
that "and why the rest stays float" grep -qE "^  [0-9]+ not as planned: the target has no matrix product in 8 bits$" err

# ---- what cannot be done is said before anything is written ----
expect "one file of several graphs" 1 "one.onnx: .* is several graphs; --onnx-out DIR" vlm-quantize "$BUNDLE" --calib "$STATS" -o one.onnx
expect "two places" 1 "^vlm-quantize: -o m.onnx and --onnx-out both write ONNX" vlm-quantize "$BUNDLE" --calib "$STATS" -o m.onnx --onnx-out there
expect "no such target" 1 "^vlm-quantize: --target tpu: known are ort-cpu-x86 ort-cpu-arm xnnpack nnapi qnn-htp coreml openvino$" \
  vlm-quantize "$BUNDLE" --calib "$STATS" --onnx-out there --target tpu
expect "a target without ONNX" 1 "^vlm-quantize: --target, --format, --opset and --freeze are of ONNX files" vlm-quantize "$BUNDLE" --calib "$STATS" -o m.vlmq --target nnapi
expect "a format that the target has not" 1 "^vlm-quantize: --format qoperator: nnapi takes no QLinear operators; --format qdq$" \
  vlm-quantize "$BUNDLE" --calib "$STATS" --onnx-out there --target nnapi --format qoperator
expect "a dimension that is not there" 2 'no input has a dimension named "depth"' vlm-quantize "$BUNDLE" --calib "$STATS" --onnx-out there --freeze depth=1
expect "no size" 1 "^vlm-quantize: --freeze depth: wanted DIM=N" vlm-quantize "$BUNDLE" --calib "$STATS" --onnx-out there --freeze depth
expect "an opset without the operator" 2 "cannot be written at opset 20: scales of blocks; --opset 21 can$" \
  vlm-quantize "$ROOT/tests/cli/data/op_cases/dequantize_blocked_s8/model.onnx" --weights f32 -o old.onnx --opset 20
expect "no packed file" 1 "ONNX files are made of the ONNX model, not of a packed one$" vlm-quantize "$PACK" --weights f32 -o packed.onnx
absent "nothing was written" there
