expect "no such model" 2 "^vlm-run: nowhere: no such file or folder$" vlm-run nowhere "$IMAGE"
mkdir empty
expect "a folder without models" 2 "empty: is no bundle that vlmq knows: looked for decoder_model_merged.onnx" vlm-run empty "$IMAGE"
echo "just text" >text.onnx
expect "no ONNX file" 2 "^vlm-run: text.onnx: is not a valid ONNX file or is cut off" vlm-run text.onnx --output-dir o
head -c 3000 "$BUNDLE/vision_encoder.onnx" >cut.onnx
expect "a truncated ONNX file" 2 "^vlm-run: cut.onnx: is not a valid ONNX file or is cut off" vlm-run cut.onnx --output-dir o
expect "an unknown operator" 2 'bad_operator.onnx: node "n" \(com.acme.Frobnicate\): operator com.acme.Frobnicate is not supported' vlm-run "$MODELS/bad_operator.onnx" --output-dir o
expect "news of an opset" 2 "attribute \"depth\" of operator Relu is not supported" vlm-run "$MODELS/bad_opset_news.onnx" --output-dir o
expect "no opset" 2 "opset is 0; opsets are 1 or more" vlm-run "$MODELS/bad_opset0.onnx" --output-dir o
expect "external data missing" 2 'tensor "w" lies in the file .*missing.bin, which is missing' vlm-run "$MODELS/bad_external_missing.onnx" --output-dir o
expect "external data outside the folder" 2 "bad_external_up.onnx: " vlm-run "$MODELS/bad_external_up.onnx" --output-dir o
expect "a cycle" 2 "the node depends on its own result" vlm-run "$MODELS/bad_cycle.onnx" --output-dir o
expect "vlm-calibrate: no such model" 2 "^vlm-calibrate: nowhere: no such file or folder$" vlm-calibrate nowhere --images "$IMAGE" -o o.h5
expect "vlm-quantize: no such model" 2 "^vlm-quantize: nowhere: no such file or folder$" vlm-quantize nowhere --calib "$STATS" -o o.vlmq
expect "vlm-eval: no such model" 2 "^vlm-eval: nowhere: no such file or folder$" vlm-eval nowhere --images "$IMAGE"
expect "vlm-inspect: no such file" 2 "^vlm-inspect: nowhere: .*[Nn]o such file" vlm-inspect nowhere
expect "vlm-quantize: an unknown operator" 2 "operator com.acme.Frobnicate is not supported" vlm-quantize "$MODELS/bad_operator.onnx" --activations none -o o.vlmq

# A bundle with one part missing or damaged.
bundle() { rm -rf b && mkdir b && ln -s "$BUNDLE"/* b/; }
bundle; rm b/tokenizer.json
expect "a bundle without a tokenizer" 2 "^vlm-run: .*tokenizer.json" vlm-run b "$IMAGE"
bundle; rm b/preprocessor_config.json
expect "a bundle without preprocessing" 2 "^vlm-run: .*preprocessor_config.json" vlm-run b "$IMAGE"
bundle; rm b/vision_encoder.onnx
expect "a bundle without its vision encoder" 2 "^vlm-run: b: no graph takes pixel_values" vlm-run b "$IMAGE"
bundle; rm b/decoder_model.onnx_data
expect "a bundle without its weights" 2 "decoder_model.onnx_data, which is missing" vlm-run b "$IMAGE"
bundle; rm b/tokenizer.json; head -c 500 "$BUNDLE/tokenizer.json" >b/tokenizer.json
expect "a truncated tokenizer" 2 "^vlm-run: .*tokenizer.json: .*not valid JSON" vlm-run b "$IMAGE"
bundle; rm b/decoder_model.onnx_data; head -c 100000 "$BUNDLE/decoder_model.onnx_data" >b/decoder_model.onnx_data
expect "truncated weights" 2 "^vlm-run: b/decoder_model_merged.onnx: .*decoder_model.onnx_data" vlm-run b "$IMAGE"
bundle; echo '{"family": "encoder-decoder"' >b/vlm.json
expect "a manifest that is no JSON" 2 "^vlm-run: .*vlm.json: .*not valid JSON" vlm-run b "$IMAGE"
mkdir many && cp "$MODELS/many_dims.npy" many/x.npy
expect "many dims: statistics" 0 "1 samples" vlm-calibrate "$MODELS/many_dims.onnx" --inputs many -o many.h5
expect "many dims: packed" 0 "" vlm-quantize "$MODELS/many_dims.onnx" --calib many.h5 -o many.vlmq
expect "many dims: names are kept" 0 "d7 = 1, d8 = 1, d9 = 1, d10 = 1" vlm-inspect many.vlmq
expect "many dims: run" 0 "verdict: no budget set" vlm-eval "$MODELS/many_dims.onnx" many.vlmq --inputs many
