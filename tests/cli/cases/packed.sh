size=$(stat -c %s "$PACK")
expect "no such packed model" 2 "^vlm-run: nowhere.vlmq: " vlm-run nowhere.vlmq "$IMAGE"
for n in 8 40 64 65536 $((size / 2)) $((size - 1)); do
  head -c "$n" "$PACK" >cut.vlmq
  expect "truncated to $n bytes" 5 "^vlm-run: cut.vlmq: .*(truncated|should have $size bytes, it has $n)" vlm-run cut.vlmq "$IMAGE"
done
: >empty.vlmq
expect "an empty file" 2 "^vlm-run: empty.vlmq: is not a packed model" vlm-run empty.vlmq "$IMAGE"
cp "$PACK" long.vlmq && echo >>long.vlmq
expect "a byte too many" 5 "should have $size bytes, it has $((size + 1))" vlm-run long.vlmq "$IMAGE"
undetected= other=
for i in $(seq 0 60); do
  cp "$PACK" flip.vlmq
  offset=$(((size - 1) * i / 60))
  flip flip.vlmq $offset
  rc=0
  vlm-run flip.vlmq "$IMAGE" >out 2>err || rc=$?
  [ $rc = 0 ] && undetected="$undetected $offset"
  [ $rc = 0 ] || [ $rc = 5 ] || other="$other $offset:$rc"
done
that "61 flipped bits, each found:$undetected" test -z "$undetected"
that "each with exit 5:$other" test -z "$other"
cp "$PACK" flip.vlmq && flip flip.vlmq $((size / 3))
expect "the message names the section" 5 "^vlm-run: flip.vlmq: section [A-Z]{4}.*stored hash [0-9a-f]{16}, computed [0-9a-f]{16}$" vlm-run flip.vlmq "$IMAGE"
expect "a decode step looks nothing up and allocates nothing" 0 "" "$BIN/tests/test_step_calls" "$PACK" "$IMAGE"
expect "vlm-inspect --verify: good" 0 "intact.*, golden cases that hold: 1$" vlm-inspect "$PACK" --verify
expect "vlm-inspect --verify: with plain C kernels" 0 "golden cases that hold: 1$" vlm-inspect "$PACK" --verify --cpu c --threads 1
expect "a model that cannot answer is packed all the same" 0 "no golden answer in the file: .*tokenizer.json" bash -c 'cp -r "$0" b && rm b/tokenizer.json && vlm-quantize b --activations none --level 1 -o b.vlmq' "$BUNDLE"
expect "vlm-inspect --verify: damaged" 5 "^vlm-inspect: flip.vlmq: " vlm-inspect flip.vlmq --verify
expect "vlm-eval: damaged" 5 "^vlm-eval: flip.vlmq: " vlm-eval "$BUNDLE" flip.vlmq --images "$IMAGE"

# The recipe as typed is in the file: options that shape the result, nothing of paths, threads or defaults, in one form.
small="$MODELS/half.onnx"
quantize() { local out=$1; shift; vlm-quantize "$small" --activations dynamic -o "$out" --quiet "$@"; }
that "options of the recipe" quantize a.vlmq --level 3 --weights s8-tensor --threads 1
that "in another order and form" quantize b.vlmq --weights=s8-tensor --threads 2 --cpu c --level=03
same "the same bytes" a.vlmq b.vlmq
expect "vlm-inspect shows the recipe" 0 "options.*--weights s8-tensor --activations dynamic --level 3" vlm-inspect a.vlmq
that "defaults" vlm-quantize "$small" --activations dynamic -o c.vlmq --quiet
that "defaults that were typed" vlm-quantize "$small" --activations dynamic -o d.vlmq --quiet --level 6 --weights s8 --codec zstd
same "make the same file" c.vlmq d.vlmq
that "no options" vlm-quantize "$BUNDLE" --calib "$STATS" --level 6 -o e.vlmq --quiet
that "no record" eval '! vlm-inspect e.vlmq | grep -q "options"'
that "packed without reading back" vlm-quantize "$BUNDLE" --calib "$STATS" --level 3 --no-verify --quiet -o unread.vlmq
same "gives the same bytes" unread.vlmq "$PACK"
