expect "a bundle" 0 "encoder-decoder, .* parameters" vlm-inspect "$BUNDLE"
that "every graph of it" test "$(grep -cE '^(vision|embed|encoder|decoder_first|decoder_step): ' out)" = 5
expect "a single graph" 0 "operators +Add 1, Neg 1, Relu 1" vlm-inspect "$MODELS/unsorted.onnx"
expect "a packed model" 0 "^WGHT +weights" vlm-inspect "$PACK"
that "its provenance" grep -q "calibration_samples: 12" out
expect "a statistics file" 0 "12 samples, [0-9]+ tensors" vlm-inspect "$STATS"
for file in "$BUNDLE" "$PACK" "$STATS" "$MODELS/unsorted.onnx"; do
  expect "JSON of $(basename "$file")" 0 '^ *"' vlm-inspect "$file" --json
  that "an object, and nothing else" test "$(head -c 1 out)$(tail -n 1 out)" = '{}'
done
expect "a damaged statistics file" 2 "^vlm-inspect: cut.h5: " bash -c 'head -c 9000 "$0" >cut.h5; vlm-inspect cut.h5' "$STATS"
expect "an image is no model" 2 "^vlm-inspect: .*rgb.png: " vlm-inspect "$IMAGES/rgb.png"
expect "--verify" 0 "intact" vlm-inspect "$PACK" --verify
expect "--verify of a bundle" 1 "^vlm-inspect: " vlm-inspect "$BUNDLE" --verify
expect "--dot" 0 "" vlm-inspect "$MODELS/unsorted.onnx" --dot graph.dot
that "the graph is written" grep -q "Relu" graph.dot
vlm-quantize "$BUNDLE" --calib "$STATS" --keep '*fc1*' --level 3 --quiet -o other.vlmq
expect "--diff with itself" 0 "" vlm-inspect "$PACK" --diff "$PACK"
expect "--diff with another" 0 "." vlm-inspect other.vlmq --diff "$PACK"
that "names what differs" grep -qE "WGHT|fc1" out
expect "--unpack" 0 "" vlm-inspect "$PACK" --unpack parts
same "the tokenizer comes out as it went in" "$BUNDLE/tokenizer.json" "$(find parts -iname '*tokn*' -o -name tokenizer.json | head -1)"
expect "--plot" 0 "" vlm-inspect "$STATS" --plot plots
that "histograms as SVG" grep -rq "<svg" plots
