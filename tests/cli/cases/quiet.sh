mapfile -t list < <(images 2)
silent() { that "$1: silent" test ! -s out -a ! -s err; }
expect "calibrate --quiet" 0 "" vlm-calibrate "$BUNDLE" --images "${list[@]}" --quiet -o s.h5; silent calibrate
expect "merge --quiet" 0 "" vlm-calibrate --merge s.h5 --quiet -o t.h5; silent merge
expect "quantize --quiet" 0 "" vlm-quantize "$BUNDLE" --calib s.h5 --level 1 --quiet -o m.vlmq; silent quantize
expect "run --quiet" 0 "^a " vlm-run m.vlmq "$IMAGE" --quiet
that "run --quiet: only the answer" test "$(cat out err | wc -l)" = 1
expect "an error is not silenced" 2 "^vlm-run: nowhere.png: " vlm-run m.vlmq nowhere.png --quiet
# JSON on standard output is alone there.
json() { that "$1: one JSON object on standard output" grep -qE '^\{.*\}$' out; that "$1: nothing else" test "$(wc -l <out)" = 1; }
expect "calibrate --json" 0 '"samples": 2,' vlm-calibrate "$BUNDLE" --images "${list[@]}" --json -o s.h5; json calibrate
expect "quantize --json" 0 '"size_bytes": \{"in": [0-9]+, "out": [0-9]+\}' vlm-quantize "$BUNDLE" --calib s.h5 --level 1 --json -o m.vlmq; json quantize
expect "run --json" 0 '"token_ids": \[2, ' vlm-run m.vlmq "$IMAGE" --json; json run
expect "run --json=FILE: one line per image" 0 "" vlm-run m.vlmq "${list[@]}" --json=answers.jsonl
that "as many lines as images" test "$(grep -c '"token_ids"' answers.jsonl)" = 2
expect "--dry-run prints the plan" 0 "^plan: [0-9]+ static" vlm-quantize "$BUNDLE" --calib s.h5 --dry-run -o dry.vlmq
absent "--dry-run writes nothing" dry.vlmq
expect "calibrate --dry-run prints the plan" 0 "^plan: 2 runs of 2 samples" vlm-calibrate "$BUNDLE" --images "${list[@]}" --dry-run -o dry.h5
absent "calibrate --dry-run writes nothing" dry.h5
expect "a merge's JSON tells of its graphs" 0 '"vision": \{"runs": 2, "tensors": [0-9]+\}' vlm-calibrate --merge s.h5 --json -o t.h5
