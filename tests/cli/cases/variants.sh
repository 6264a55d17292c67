# Graphs that come in several precisions, by suffix.
LLAVA=$ROOT/tests/cli/data/layouts/llava HALF=$ROOT/tests/cli/data/half
cp -r "$HALF" only
vlm-run "$LLAVA" "$IMAGE" | cut -d' ' -f1-16 >plain.txt && vlm-run only "$IMAGE" | cut -d' ' -f1-16 >only.txt
same "the only variant is taken, and says the same for 16 tokens" plain.txt only.txt
expect "it is calibrated" 0 "" vlm-calibrate only --images "$IMAGE" -o half.h5
expect "it is quantized" 0 "" vlm-quantize only --calib half.h5 -o half.vlmq
expect "what was packed runs" 0 "" vlm-run half.vlmq "$IMAGE"
cp -r "$LLAVA" both && cp "$HALF"/onnx/*_fp16.onnx both/onnx/
vlm-run both "$IMAGE" | cut -d" " -f1-16 >both.txt
same "plain files come first" plain.txt both.txt
expect "one is asked for" 0 "vision_encoder_fp16.onnx|float16" vlm-inspect both --variant fp16 -v
expect "none fits" 2 "both: no graph comes as q4; there are: fp32, fp16" vlm-run both "$IMAGE" --variant q4
cp -r only two && for f in two/onnx/*_fp16.onnx; do cp "$f" "${f%_fp16.onnx}_int8.onnx"; done
expect "several and none plain" 2 "two: vision_encoder comes as fp16, int8; say which with --variant" vlm-run two "$IMAGE"
expect "one of several" 0 "" vlm-run two "$IMAGE" --variant int8
cp -r only mixed && mv mixed/onnx/embed_tokens_fp16.onnx mixed/onnx/embed_tokens.onnx
expect "a graph that has but the plain form" 0 "" vlm-run mixed "$IMAGE" --variant fp16
expect "a variant that is none" 1 "variant.*fp61.*fp16" vlm-run only "$IMAGE" --variant fp61
