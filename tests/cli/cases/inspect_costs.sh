# Figures of vlm-inspect; the multiply-accumulates are those of datasets/captioner/macs.py.
expect "MACs of the vision encoder" 0 '^ *"macs": 149750784,$' vlm-inspect "$BUNDLE" --json
that "and of the text encoder" grep -qE '^ *"macs": 45196032,$' out
expect "one thread and plain C say the same" 0 "" vlm-inspect "$BUNDLE" --json --threads 1 --cpu c
vlm-inspect "$BUNDLE" --json >all.json
same "byte for byte" all.json out
expect "a packed model does the same work" 0 '^ *"macs": 149750784,$' vlm-inspect "$PACK" --json
expect "nothing but totals fits in short" 0 "together +[0-9.]+ M" vlm-inspect "$BUNDLE"
# The first line names the file, however long its path is.
that "no line is longer than 100 columns" test "$(tail -n +2 out | LC_ALL=C.UTF-8 wc -L)" -le 100
vlm-inspect "$PACK" >out && that "nor of a packed model" test "$(tail -n +2 out | LC_ALL=C.UTF-8 wc -L)" -le 100
vlm-inspect "$STATS" >out && that "nor of statistics" test "$(tail -n +2 out | LC_ALL=C.UTF-8 wc -L)" -le 100
expect "open dims are told" 0 "not stated; --shape DIM=N" vlm-inspect "$MODELS/symbolic.onnx"
expect "--shape of a bundle" 1 "^vlm-inspect: --shape" vlm-inspect "$BUNDLE" --shape height=192
expect "--plot of a model" 1 "^vlm-inspect: --plot does not go with" vlm-inspect "$BUNDLE" --plot plots
absent "no plots" plots
expect "--dot of statistics" 1 "^vlm-inspect: --dot does not go with" vlm-inspect "$STATS" --dot s.dot
expect "what a target takes of a pipeline" 0 "^decoder_step +[0-9]+ +[0-9]+ .* yes$" vlm-inspect "$BUNDLE" --target ort-cpu-arm
expect "two files" 1 "^vlm-inspect: wanted one file or folder, got 2" vlm-inspect "$BUNDLE" "$PACK"
cp "$PACK" bad.vlmq && flip bad.vlmq 100000
expect "--verify of a damaged file" 5 "^vlm-inspect: bad.vlmq: " vlm-inspect bad.vlmq --verify
expect "and as JSON" 5 '"ok": false' vlm-inspect bad.vlmq --verify --json
vlm-inspect "$STATS" --plot one --quiet && vlm-inspect "$STATS" --plot two --threads 1 --quiet
that "the same plots twice" diff -r one two
