# --deadline: an answer ends in time, with what there is, and says so; one that is quick enough stays what it is.
expect "without a deadline" 0 "^a " vlm-run "$PACK" "$IMAGE"
mv out whole
expect "a deadline that is kept" 0 "^a " vlm-run "$PACK" "$IMAGE" --deadline 600000
same "a deadline that is kept changes nothing" whole out
that "a deadline that is kept is not told" test ! -s err
expect "a deadline that is over before the first token" 0 "test_0000.png: the deadline of 1 ms ended the answer after 0 tokens$" \
  vlm-run "$PACK" "$IMAGE" --deadline 1 --threads 1
that "an answer without tokens" test "$(cat out)" = ""
expect "with beams too" 0 "the deadline of 1 ms ended the answer after 0 tokens$" vlm-run "$PACK" "$IMAGE" --deadline 1 --beams 3 --threads 1
expect "JSON says which answers were stopped" 0 '"stopped": ?true' vlm-run "$PACK" "$IMAGE" --deadline 1 --threads 1 --json
expect "JSON says which were not" 0 '"stopped": ?false' vlm-run "$PACK" "$IMAGE" --deadline 600000 --json
expect "--deadline 0" 1 "^vlm-run: --deadline 0: wanted a whole number from 1 to 86400000$" vlm-run "$PACK" "$IMAGE" --deadline 0
expect "--deadline for a single graph" 1 "^vlm-run: --deadline does not go with a single graph" \
  vlm-run "$MODELS/symbolic.onnx" --deadline 5 --input x="$ARRAYS/f4.npy" --output-dir o
# A deadline somewhere in the middle: the tokens are the first ones of the whole answer.
vlm-run "$BUNDLE" "$IMAGE" --cpu c --threads 1 --json >long.json 2>/dev/null
total=$(sed -nE 's/.*"total": ?([0-9]+).*/\1/p' long.json) first=$(sed -nE 's/.*"first_token": ?([0-9]+).*/\1/p' long.json)
vlm-run "$BUNDLE" "$IMAGE" --cpu c --threads 1 --json --deadline $(((total + first) / 2 + 1)) >short.json 2>/dev/null
ids() { sed -nE 's/.*"token_ids": ?\[([0-9, ]*)\].*/\1/p' "$1"; }
that "tokens up to the deadline are those of the whole answer" test "$(ids long.json | cut -c1-$(ids short.json | tr -d '\n' | wc -c))" = "$(ids short.json)"
