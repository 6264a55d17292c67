for program in vlm-calibrate vlm-quantize vlm-eval vlm-run vlm-inspect; do
  expect "$program: unknown option" 1 "^$program: unknown option --nope; see $program --help$" $program --nope
  expect "$program: missing value" 1 "^$program: --threads wants a value: --threads N$" $program --threads
  expect "$program: a flag with a value" 1 "^$program: --quiet takes no value$" $program --quiet=3
  expect "$program: nothing at all" 1 "wanted|missing" $program
done
expect "a value before an option" 1 "^vlm-run: --cpu wants a value" vlm-run --cpu --quiet "$BUNDLE"
expect "a number that is none" 1 "^vlm-run: --threads many: wanted a whole number from 1 to 256$" vlm-run "$BUNDLE" "$IMAGE" --threads many
expect "a number out of range" 1 "^vlm-run: --threads 0: wanted a whole number" vlm-run "$BUNDLE" "$IMAGE" --threads 0
expect "unknown CPU level" 1 '^vlm-run: --cpu sse9: known are c avx2' vlm-run "$BUNDLE" "$IMAGE" --cpu sse9
expect "unknown decoder form" 1 "^vlm-run: --decoder both: known are any merged separate$" vlm-run "$BUNDLE" "$IMAGE" --decoder both
expect "an option of another program" 1 "^vlm-run: --calib does not belong to this program but to vlm-quantize; see vlm-run --help$" vlm-run --calib x.h5 "$BUNDLE"
expect "two models" 1 "^vlm-quantize: wanted one model, got 2" vlm-quantize "$BUNDLE" "$BUNDLE" -o m.vlmq
expect "no output name: calibrate" 1 "^vlm-calibrate: -o FILE is missing: name the file to write$" vlm-calibrate "$BUNDLE" --images "$IMAGE"
expect "no output name: quantize" 1 "^vlm-quantize: -o FILE is missing" vlm-quantize "$BUNDLE" --calib "$STATS"
expect "no statistics" 1 "^vlm-quantize: --calib STATS.h5 is missing" vlm-quantize "$BUNDLE" -o m.vlmq
expect "no images" 1 "^vlm-calibrate: --images PATH is missing" vlm-calibrate "$BUNDLE" -o s.h5
expect "arrays for a pipeline" 1 "is a pipeline: give it --images" vlm-calibrate "$BUNDLE" --inputs "$ARRAYS" -o s.h5
expect "images for a single graph" 1 "is a single graph: give its inputs with --inputs" vlm-calibrate "$MODELS/symbolic.onnx" --images "$IMAGE" -o s.h5
expect "a shard that does not exist" 1 "^vlm-calibrate: --shard 3/3: wanted I/N" vlm-calibrate "$BUNDLE" --images "$IMAGE" --shard 3/3 -o s.h5
expect "unknown kind of weights" 1 "^vlm-quantize: --weights s3: known are s8 s8-tensor f32$" vlm-quantize "$BUNDLE" --calib "$STATS" --weights s3 -o m.vlmq
expect "unknown range method" 1 "^vlm-quantize: --range guess: known are auto minmax percentile\[:P\] entropy mse$" vlm-quantize "$BUNDLE" --calib "$STATS" --range guess -o m.vlmq
expect "unknown codec" 1 "^vlm-quantize: --codec lzma: known are zstd raw$" vlm-quantize "$BUNDLE" --calib "$STATS" --codec lzma -o m.vlmq
expect "unknown transform" 1 "^vlm-quantize: --no-transform spin: known" vlm-quantize "$BUNDLE" --calib "$STATS" --no-transform spin -o m.vlmq
absent "a refused command writes nothing" m.vlmq

# What is part of the interface and not built is refused by name, never ignored.
letters='c:vlm-calibrate q:vlm-quantize e:vlm-eval r:vlm-run i:vlm-inspect'
for pair in $letters; do
  letter=$(tr a-z A-Z <<<"${pair%%:*}") program=${pair#*:}
  for option in $(sed -n 's/^X([a-z0-9_]*, [a-z_]*, "\(-[-a-z0-9]*\)", "\([A-Za-z]*\)".*/\1:\2/p' "$ROOT/cli/options.def"); do
    case ${option#*:} in *$letter*) expect "$program ${option%%:*} is refused" 1 "^$program: ${option%%:*} is not built yet$" $program "${option%%:*}" x ;; esac
  done
done

# What belongs to another use of a program is refused too.
onnx="$MODELS/unsorted.onnx"
expect "merge: a model too" 1 "^vlm-calibrate: --merge takes statistics files only, got b too$" vlm-calibrate b --merge "$STATS" -o t.h5
expect "merge: images too" 1 "^vlm-calibrate: --images does not go with --merge, which runs no model: leave it out$" vlm-calibrate --merge "$STATS" --images "$IMAGE" -o t.h5
expect "merge: a dry run" 0 "^plan: [0-9]+ samples from 1 files into t.h5$" vlm-calibrate --merge "$STATS" --dry-run -o t.h5
absent "merge: a dry run writes nothing" t.h5
expect "merge: a dry run without a name" 0 "into nothing$" vlm-calibrate --merge "$STATS" --dry-run
expect "calibrate: a dry run without a name" 0 "into nothing$" vlm-calibrate "$BUNDLE" --images "$IMAGE" --resume --dry-run
expect "calibrate: a prompt for a single graph" 1 "^vlm-calibrate: --prompt does not go with a single graph: leave it out$" vlm-calibrate "$onnx" --inputs "$ARRAYS" --prompt x -o t.h5
expect "calibrate: a sample axis for images" 1 "^vlm-calibrate: --sample-axis does not go with a pipeline: leave it out$" vlm-calibrate "$BUNDLE" --images "$IMAGE" --sample-axis -o t.h5
expect "eval: a caption budget for a single graph" 1 "^vlm-eval: --max-drop does not go with a single graph: leave it out$" vlm-eval "$onnx" "$onnx" --inputs "$ARRAYS" --max-drop 1%
expect "eval: a budget without a candidate" 1 "^vlm-eval: --min-agreement needs a CANDIDATE: vlm-eval REFERENCE CANDIDATE$" vlm-eval "$BUNDLE" --images "$IMAGE" --min-agreement 9%
expect "eval: a budget of decibels for captions" 1 "^vlm-eval: --min-sqnr does not go with a pipeline: leave it out$" vlm-eval "$BUNDLE" "$PACK" --images "$IMAGE" --min-sqnr 9
expect "eval: a budget for two caption files" 1 "^vlm-eval: --max-drop does not go with --metrics-only" vlm-eval --metrics-only h.json r.json --max-drop 1%
expect "eval: a model with two caption files" 1 "^vlm-eval: --metrics-only takes two caption files only, got b too$" vlm-eval b --metrics-only h.json r.json
for number in nan inf 1e999 1.5x 1.2%; do
  expect "a number: $number" 1 "^vlm-eval: --min-speedup $number: wanted a number$" vlm-eval "$BUNDLE" "$PACK" --images "$IMAGE" --min-speedup $number
done
expect "run: a model with --check" 1 "^vlm-run: --check takes folders only, got b too$" vlm-run b --check "$MODELS"
expect "run: a prompt with --check" 1 "^vlm-run: --prompt does not go with --check: leave it out$" vlm-run --prompt x --check "$MODELS"
expect "run: arrays for a pipeline" 1 "^vlm-run: --input and --output-dir do not go with a pipeline: leave them out$" vlm-run "$PACK" "$IMAGE" --input a="$ARRAYS/f4.npy" --output-dir o
expect "run: tolerances without --check" 1 "^vlm-run: --rtol needs --check DIR: add it$" vlm-run "$PACK" "$IMAGE" --rtol 1
expect "run: images for a single graph" 1 "is a single graph and takes --input NAME=FILE.npy, got " vlm-run "$onnx" "$IMAGE" --output-dir o
expect "run: tokens and JSON in one stream" 1 "^vlm-run: --stream and --json both want standard output: type --json=FILE$" vlm-run "$PACK" "$IMAGE" --stream --json
expect "run: tokens on one, JSON on the other" 0 "." vlm-run "$PACK" "$IMAGE" --stream --json=t.jsonl
expect "run: a negative tolerance" 1 "^vlm-run: --rtol -1: wanted 0 or more$" vlm-run --check "$ROOT/tests/cli/data/check/good" --rtol -1
expect "run: a decoder form of a packed file" 1 "^vlm-run: --decoder chooses between files of a folder; .*model.vlmq is packed" vlm-run "$PACK" "$IMAGE" --decoder separate
expect "quantize: half-precision weights" 0 "^plan: 0 static, 1 dynamic, 0 weight-only, 0 float$" vlm-quantize "$MODELS/half.onnx" --activations dynamic -o half.vlmq
