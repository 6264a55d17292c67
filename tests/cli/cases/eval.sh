# Scores, verdicts and their exit codes.
mkdir few && for i in 0 1 2 3 4 5; do ln -s "$SCREENS/test/test_000$i.png" few/; done
REFS=$SCREENS/test.json
expect "no such references" 2 "^vlm-eval: nowhere.json: no such file$" vlm-eval "$BUNDLE" "$PACK" --images few --refs nowhere.json
expect "references that are no JSON" 2 "^vlm-eval: .*text.png" vlm-eval "$BUNDLE" "$PACK" --images few --refs "$IMAGES/text.png"
cp "$SCREENS/calibration/calibration_0000.png" few/zz.png
expect "references that miss an image" 2 '^vlm-eval: image "zz.png" has no reference captions; the references have 400 images' vlm-eval "$BUNDLE" "$PACK" --images few --refs "$REFS"
rm few/zz.png
expect "a budget without references" 1 "^vlm-eval: --max-drop needs captions to score against: add --refs" vlm-eval "$BUNDLE" "$PACK" --images few --max-drop 1%
expect "a budget that is no number" 1 "^vlm-eval: --max-drop little: wanted a number" vlm-eval "$BUNDLE" "$PACK" --images few --refs "$REFS" --max-drop little
expect "no images" 1 "^vlm-eval: --images PATH is missing" vlm-eval "$BUNDLE" "$PACK"
expect "three models" 1 "^vlm-eval: wanted one or two models, got 3" vlm-eval "$BUNDLE" "$PACK" "$PACK" --images few
expect "a graph against a pipeline" 2 "not the same kind of model" vlm-eval "$BUNDLE" "$MODELS/unsorted.onnx" --images few

expect "a model against itself passes" 0 "^verdict: pass" vlm-eval "$BUNDLE" "$BUNDLE" --images few --refs "$REFS" --max-drop 0% --min-agreement 100%
that "every caption of it is unchanged" grep -qE "^captions unchanged +100.0 % of 6$" out
expect "the packed model passes" 0 "^verdict: pass" vlm-eval "$BUNDLE" "$PACK" --images few --refs "$REFS" --max-drop 20% --min-agreement 50%
expect "too slow: exit 4" 4 "is refused: slower" vlm-eval "$BUNDLE" "$PACK" --images few --min-speedup 1000

# 10 % of every activation is cut off.
vlm-quantize "$BUNDLE" --calib "$STATS" --weights s8-tensor --range percentile:90 --everything --level 1 --quiet -o bad.vlmq
expect "a bad recipe changes captions: exit 3" 3 "is refused" vlm-eval "$BUNDLE" bad.vlmq --images few --refs "$REFS" --min-agreement 100%
expect "a drop over the budget: exit 3" 3 "is refused: drop" vlm-eval "$BUNDLE" bad.vlmq --images few --refs "$REFS" --max-drop 1%

expect "JSON" 0 '^\{"images": 6, "scores": \{"reference": \{"bleu": \[' vlm-eval "$BUNDLE" "$PACK" --images few --quiet --refs "$REFS" --json
for key in drop ci95 agreement exact_captions first_divergence sqnr_db kl_per_token top1_agreement latency_ms speedup tokens_per_s memory_mib size_bytes macs_int8_percent verdict exit_code; do
  that "JSON has $key" grep -q "\"$key\": " out
done
that "JSON is alone on standard output" test "$(wc -l <out)" = 1
expect "--json=FILE" 0 "" vlm-eval "$BUNDLE" "$PACK" --images few --quiet --json=e.json
that "the file holds the object" grep -q '"verdict": "no budget set"' e.json

scores() { vlm-eval "$BUNDLE" "$PACK" --images few --refs "$REFS" --json "$@" 2>/dev/null | sed 's/, "latency_ms".*//'; }
scores --threads 1 >one.txt
scores --threads 2 >two.txt
scores --cpu c >c.txt
that "scores were printed" grep -q '"cider_d"' one.txt
same "scores, interval, agreement, KL and SQNR equal for one and two threads" one.txt two.txt
same "and with plain C kernels" one.txt c.txt

echo '{"a": "a red square"}' >h.json
echo '{"b": "a red square"}' >b.json
echo '{"a": ["a red square", "a square that is red"]}' >r.json
expect "two caption files" 0 "^BLEU-4 +" vlm-eval --metrics-only h.json r.json
expect "captions without references" 2 '^vlm-eval: b.json: a caption for image b, which is not in r.json' vlm-eval --metrics-only b.json r.json
expect "one caption file" 1 "^vlm-eval: --metrics-only wants two files" vlm-eval --metrics-only h.json

# A budget is never met by what was not measured.
printf '{"image": "%s", "refs": ["a dark page"]}\n{"image": "%s"}\n' "$SCREENS/test/test_0000.png" "$SCREENS/test/test_0001.png" >part.jsonl
expect "references in a manifest that miss an image" 2 '^vlm-eval: image ".*test_0001.png" has no reference captions, 1 of 2 images have; add its "refs"' vlm-eval "$BUNDLE" "$PACK" --images part.jsonl --max-drop 1%
printf '{"image": "%s", "prompt": "<DETAILED_CAPTION>"}\n' "$SCREENS/test/test_0000.png" >own.jsonl
expect "a prompt in the manifest" 0 "of 1$" vlm-eval "$BUNDLE" "$PACK" --images own.jsonl --prompt "<CAPTION>"
expect "a prompt in the manifest and several others" 1 '^vlm-eval: --prompt is given 2 times, but image .* has its own prompt' vlm-eval "$BUNDLE" "$PACK" --images own.jsonl --prompt "<CAPTION>" --prompt "<DETAILED_CAPTION>"
