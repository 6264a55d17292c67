# --profile: a table on standard error that fits the terminal, beside the usual output; a trace in a file.
mapfile -t list < <(images 2)
export COLUMNS=90
expect "run --profile" 0 "^profile: at most [0-9.]+ GOPS in float32, [0-9.]+ in int8, [0-9.]+ GB/s" vlm-run "$PACK" "$IMAGE" --profile
that "run --profile: the answer is alone on standard output" test "$(wc -l <out)" = 1
that "run --profile: no line is wider than the terminal" test "$(wc -L <err)" -le 90
that "run --profile: a product has its rate and its kernel" grep -qE '^ +[0-9.]+ +[0-9.]+% +[0-9]+ +[0-9.]+ (GOPS|GB/s) +([0-9]+%|cache)  [a-z_]+ Q?MatMul' err
that "run --profile: kernels are named" grep -qE '^ +gemm_[a-z0-9_]+, (rows|NHWC)' err
that "run --profile: totals" grep -qE '^ +[0-9.]+ +[0-9.]+% +1 +vision in all$' err
that "run --profile: all of it" grep -qE '^ +[0-9.]+ 100.0% +in all$' err
COLUMNS=200 expect "run --profile, wide: one line per step" 0 "% +rows +gemm_" vlm-run "$PACK" "$IMAGE" --profile
that "run --profile, wide: no second lines" test "$(grep -cE '^ +gemm_[a-z0-9_]+, ' err)" = 0
expect "run --profile=FILE" 0 "^profile: " vlm-run "$PACK" "${list[@]}" --profile=trace.json
that "a trace of complete events" grep -qE '"traceEvents": ?\[\{"name": ?"[^"]*", ?"cat": ?"[^"]*", ?"ph": ?"X", ?"ts": ?[0-9.]+, ?"dur": ?[0-9.]+, ?"pid": ?1, ?"tid": ?1' trace.json
expect "run --profile=FILE --quiet: no table" 0 "" vlm-run "$PACK" "$IMAGE" --profile=quiet.json --quiet
that "run --profile=FILE --quiet: the trace is there" test -s quiet.json -a ! -s err
expect "run --profile FILE" 1 '^vlm-run: --profile takes its file behind "=": type --profile=t.json$' vlm-run "$PACK" "$IMAGE" --profile t.json
expect "run --profile=FOLDER" 2 "is a folder, a file name is wanted: --profile=./NAME" vlm-run "$PACK" "$IMAGE" --profile=./
expect "run --profile --check" 1 "^vlm-run: --profile does not go with --check" vlm-run --check "$MODELS" --profile
expect "eval --profile: two models" 0 "candidate vision in all" vlm-eval "$BUNDLE" "$PACK" --images "${list[@]}" --profile
that "eval --profile: the reference too" grep -q "reference vision in all" err
