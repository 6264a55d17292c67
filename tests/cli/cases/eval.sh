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

# ---- verdicts with evidence ----
run=(vlm-eval "$BUNDLE" "$PACK" --images few --refs "$REFS")
expect "nothing asked is no pass" 0 "^verdict: no budget set$" "${run[@]}"
expect "one image shows nothing" 3 "is refused: inconclusive: CIDEr-D drop 0.00 %, wanted at most 1 %; CIDEr-D of one image is 0 whatever the caption; 1 samples are too few, about 32 are needed$" vlm-eval "$BUNDLE" "$PACK" --images few/test_0002.png --refs "$REFS" --max-drop 1%
expect "nor does its estimate" 3 "is refused: inconclusive" vlm-eval "$BUNDLE" "$PACK" --images few/test_0002.png --refs "$REFS" --max-drop 1% --gate point
expect "a refusal names metric, value and limit" 4 "is refused: slower: speedup [0-9.]+x, wanted at least 1000x$" "${run[@]}" --min-speedup 1000
expect "a gate of another name" 1 "^vlm-eval: --gate mean: known are ci point$" "${run[@]}" --max-drop 1% --gate mean
expect "a negative budget" 1 "^vlm-eval: --max-drop -1: wanted a number from 0 to 100" "${run[@]}" --max-drop -1
# 7 images with word changes of one sign: the interval lies on both sides of a budget near the estimate.
vlm-eval "$BUNDLE" bad.vlmq --images few --refs "$REFS" --json 2>/dev/null >drop.json
middle=$(sed -E 's/.*"drop": \{"cider_d": [^,]*, "percent": ([-0-9.e]+), "ci95": \[([-0-9.e]+), ([-0-9.e]+)\].*/\1 \2 \3/' drop.json | awk '{ print ($1 + $3) / 2 }')
expect "on both sides of the budget" 3 "is refused: inconclusive: .* samples are too few, about [0-9]+ are needed$" vlm-eval "$BUNDLE" bad.vlmq --images few --refs "$REFS" --max-drop "$middle"
expect "the estimate is within it" 0 "^verdict: pass$" vlm-eval "$BUNDLE" bad.vlmq --images few --refs "$REFS" --max-drop "$middle" --gate point

# ---- JSON for a pipeline ----
expect "the whole record" 0 '"checks": \[\{"metric": "cider_d_drop", "value": [-0-9.e]+, "ci95": \[[-0-9.e]+, [-0-9.e]+\], "at_most": 90.0, "result": "pass", "samples": 6' "${run[@]}" --max-drop 90% --seed 7 --json
for member in '"schema": 1' '"tool": \{"name": "vlm-eval", "version": "[0-9.]+"\}' '"options": \{"images": \["few"\]' '"cpu": "[a-z0-9]+"' '"threads": [0-9]+' '"models": \{"reference": \{"path": "[^"]+", "digest": "[0-9a-f]{32}"\}, "candidate": ' '"bootstrap": \{"resamples": 1000, "seed": 7\}'; do
  that "JSON has $member" grep -qE "$member" out
done
expect "the plan as JSON" 0 '^\{"plan": \{"samples": 6, "prompts": \["<CAPTION>"\], "runs": 6, "scored": true\}, "schema": 1, ' "${run[@]}" --dry-run --json
expect "an output that cannot be written" 2 "^vlm-eval: nowhere/e.json: cannot be written: .* make the folder nowhere first" "${run[@]}" --json=nowhere/e.json
expect "all of them" 2 "nowhere/r.jsonl.*nowhere/j.xml.*nowhere/m.md" "${run[@]}" --records nowhere/r.jsonl --junit nowhere/j.xml --markdown nowhere/m.md
expect "records" 0 "" "${run[@]}" --quiet --records r.jsonl
that "a line per image" test "$(wc -l <r.jsonl)" = 6
that "with captions, tokens and scores" grep -qE '^\{"image": "test_0000.png", "prompt": "<CAPTION>", "reference": "a .*", "candidate": "a .*", "exact": (true|false), .*"reference_tokens": [0-9]+, .*"candidate_cider_d": [0-9.]+\}$' r.jsonl
expect "records as a table" 0 "" "${run[@]}" --quiet --records r.csv
that "with a head" grep -q "^image,prompt,reference,candidate,exact,first_divergence,kl_mean,reference_tokens,candidate_tokens,reference_ms,candidate_ms,reference_cider_d,candidate_cider_d$" r.csv
vlm-eval "$BUNDLE" "$PACK" --images "$SCREENS/test" --records early.jsonl --quiet >/dev/null 2>&1 &
early=$!
for _ in $(seq 300); do [ -s early.jsonl ] && break; sleep 0.1; done
kill -TERM $early
wait $early
that "a run that is ended keeps the records so far" grep -qE '^\{"image": "test_0000.png", .*"candidate_cider_d": null\}$' early.jsonl

# ---- prompts ----
expect "a typo in a task" 2 'prompt "<CAPTON>": <CAPTON> is no task of .*; the nearest is <CAPTION> .--raw-prompt' "${run[@]}" --prompt "<CAPTON>" --max-drop 5%
expect "in other programs" 2 "the nearest is <DETAILED_CAPTION>" vlm-run "$BUNDLE" "$IMAGE" --prompt "<detailed caption>"
expect "and in calibrating" 2 "the nearest is <CAPTION>" vlm-calibrate "$BUNDLE" --images few --prompt "<CAPTON>" -o typo.h5
printf '{"image": "%s", "prompt": "<CAPTIN>"}\n' "$SCREENS/test/test_0000.png" >typo.jsonl
expect "and in a manifest" 2 "<CAPTIN> is no task" vlm-eval "$BUNDLE" "$PACK" --images typo.jsonl
expect "as it is" 0 "" vlm-run "$BUNDLE" "$IMAGE" --prompt "<CAPTON>" --raw-prompt
expect "a sign is no task" 0 "" vlm-run "$BUNDLE" "$IMAGE" --prompt "is a < b?"
one=$(vlm-eval "$BUNDLE" --images few --refs "$REFS" --prompt "<CAPTION>" --json 2>/dev/null | grep -oE '"cider_d": [0-9.]+' | head -n 1)
expect "several prompts have a score each" 0 "^<DETAILED_CAPTION>, 6 images$" "${run[@]}" --prompt "<DETAILED_CAPTION>" --prompt "<CAPTION>"
expect "in JSON" 0 '"prompts": \[\{"prompt": "<DETAILED_CAPTION>", "images": 6, "scores": .*\}, \{"prompt": "<CAPTION>", "images": 6, ' "${run[@]}" --prompt "<DETAILED_CAPTION>" --prompt "<CAPTION>" --json
that "the score of one of them is that of its own" grep -qF "\"prompt\": \"<CAPTION>\", \"images\": 6, \"scores\": {\"reference\": {\"bleu\"" out
that "and the same" grep -qF "$one" out
that "no score of all" eval '! grep -qE "^\{\"images\": 12, \"scores\"" out'
expect "the plan of vlm-run as JSON" 0 '^\{"plan": \{"images": 1, "prompts": \["<CAPTION>"\], "runs": 1\}, "skipped": \[\], "schema": 1, ' vlm-run "$BUNDLE" "$IMAGE" --prompt "<CAPTION>" --dry-run --json
