# What other runtimes take of a model's files (docs/targets.md).
Q=$ROOT/tests/cli/data/quant

expect "a float model" 0 "^the model is in floats; in 8 bits for this target: vlm-quantize --onnx-out DIR --target nnapi$" \
  vlm-inspect "$BUNDLE" --target nnapi
that "no product of three dims" grep -qE "^ +33 +107.5 M +MatMul +its factors are neither matrices with constant weights" out
that "no branch of an If" grep -qE "MatMul +the body of a control-flow operator" out
that "dims to fix, and how" grep -qE "^vlm-quantize --onnx-out DIR --target nnapi --freeze batch_size=N fixes one$" out
that "flags" grep -qE "^NNAPI_FLAG_CPU_DISABLED: " out
that "the share that falls back" grep -qE "^expected fallback: [0-9]+ nodes on the CPU, [0-9.]+ % of the multiplications$" out

expect "an export with open dims" 0 "" vlm-quantize "$BUNDLE" --calib "$STATS" --onnx-out open --target nnapi --activations static --quiet
expect "nothing before dims are fixed" 0 "^counted as if all dims had sizes; as the files are, [0-9]+ of these" vlm-inspect open --target nnapi
expect "as JSON" 0 "" vlm-inspect open --target nnapi --json=open.json --quiet
that "of what it takes" grep -qE '"kernel": "ANEURALNETWORKS_CONV_2D"' open.json
that "decoders are no bodies" sh -c "! grep -q 'control-flow' open.json"

vlm-calibrate "$Q/outlier_rare/model.onnx" --inputs "$Q/outlier_rare/s" -o rare.h5 --quiet
vlm-quantize "$Q/outlier_rare/model.onnx" --calib rare.h5 --activations static -o rare.onnx --quiet
expect "integer kernels" 0 "^model +[0-9]+ +[0-9]+ +- +100.0 % +[1-9]" vlm-inspect rare.onnx --target ort-cpu-x86
expect "bodies of a single file" 0 "^decoder|^model/" vlm-inspect "$BUNDLE/decoder_model_merged.onnx" --target coreml
expect "all targets" 0 "" sh -c "for t in ort-cpu-x86 ort-cpu-arm xnnpack nnapi qnn-htp coreml openvino; do vlm-inspect rare.onnx --target \$t --json --quiet || exit; done"
expect "no such target" 1 "^vlm-inspect: --target tpu: known are ort-cpu-x86" vlm-inspect rare.onnx --target tpu
expect "no packed file" 1 "^vlm-inspect: --target " vlm-inspect "$PACK" --target nnapi
expect "one thing at a time" 1 "^vlm-inspect: .*--dot" vlm-inspect rare.onnx --target nnapi --dot a.dot
