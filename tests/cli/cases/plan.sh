# Plans: saved, edited by hand, given back.
quantize() { vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 "$@"; }
that "a plan is saved" quantize --save-plan p.json --dry-run
quantize --quiet -o a.vlmq
quantize --quiet --plan p.json -o b.vlmq
same "a plan given back makes the same file" a.vlmq b.vlmq

# edited NAME MESSAGE GRAPHS: a plan with these graphs is refused with that message.
edited() {
  echo "{\"graphs\": $3}" >e.json
  expect "$1" 2 "^vlm-quantize: e.json: $2" vlm-quantize "$BUNDLE" --calib "$STATS" --plan e.json -o e.vlmq
}
node=$(grep -o '"node": "[^"]*/Conv"' p.json | head -n 1)
table=$(grep -o '"node": "/shared/Gather"' p.json | head -n 1)
edited "a graph that the model lacks" 'graphs.nope\[0\]: graph "nope" has no quantizable node' "{\"nope\": [{$node, \"decision\": \"float\"}]}"
edited "a graph that is no list" "graphs.vision: wanted a list of nodes" '{"vision": 5}'
edited "an unknown decision" 'graphs.vision\[0\]: decision "s8": wanted float' "{\"vision\": [{$node, \"decision\": \"s8\"}]}"
edited "a table with ranges at run time" 'graphs.embed\[0\]: node ".*": Gather cannot be dynamic' "{\"embed\": [{$table, \"decision\": \"dynamic\"}]}"
edited "a table that is multiplied" 'graphs.embed\[0\]: node ".*": Gather cannot be static' "{\"embed\": [{$table, \"decision\": \"static\", \"range\": [0, 1]}]}"
edited "a static node without a range" 'graphs.vision\[0\]: node ".*" is static but has no range' "{\"vision\": [{$node, \"decision\": \"static\"}]}"
edited "a range of one number" 'graphs.vision\[0\].range: wanted \[low, high\]' "{\"vision\": [{$node, \"decision\": \"static\", \"range\": [1]}]}"
edited "a range that is text" 'graphs.vision\[0\].range: wanted \[low, high\]' "{\"vision\": [{$node, \"decision\": \"static\", \"range\": \"wide\"}]}"
edited "a range upside down" 'graphs.vision\[0\].range: low 3 is above high -3' "{\"vision\": [{$node, \"decision\": \"static\", \"range\": [3, -3]}]}"
edited "a range beyond float" 'graphs.vision\[0\].range: a bound is above' "{\"vision\": [{$node, \"decision\": \"static\", \"range\": [0, 1e300]}]}"
absent "a refused plan writes nothing" e.vlmq
expect "--keep: all by name" 0 "^plan: 0 static, 0 dynamic, 0 weight-only, [1-9][0-9]* float$" vlm-quantize "$BUNDLE" --calib "$STATS" --keep '*' --dry-run
expect "--keep with the type that it has" 0 "^plan: 0 static, 0 dynamic, 0 weight-only, [1-9][0-9]* float$" vlm-quantize "$BUNDLE" --calib "$STATS" --keep '*=f32' --dry-run
expect "--keep without a match" 2 "^vlm-quantize: --keep zzz\*: none of the [0-9]+ nodes of .* has such a name" vlm-quantize "$BUNDLE" --calib "$STATS" --keep 'zzz*' -o e.vlmq
expect "--keep in f16" 1 "^vlm-quantize: --keep zzz=f16: f16 is not built yet; what is kept stays f32" vlm-quantize "$BUNDLE" --calib "$STATS" --keep 'zzz=f16' -o e.vlmq

# Products that are more than x W + b, and two of one name: every mode stays near the reference, and a saved plan gives the same file.
mkdir in && cp "$MODELS/products.npy" in/x.npy
for model in gemm_scaled gemm_rows same_names; do
  vlm-calibrate "$MODELS/$model.onnx" --inputs in -o s.h5 --quiet
  for mode in static dynamic none; do
    that "$model: quantized, $mode" vlm-quantize "$MODELS/$model.onnx" --calib s.h5 --activations $mode --save-plan p.json -o one.vlmq --quiet
    expect "$model: near the reference, $mode" 0 "^verdict: pass" vlm-eval "$MODELS/$model.onnx" one.vlmq --inputs in --min-sqnr 30
    vlm-quantize "$MODELS/$model.onnx" --calib s.h5 --activations $mode --plan p.json -o two.vlmq --quiet
    same "$model: the plan given back, $mode" one.vlmq two.vlmq
  done
done
