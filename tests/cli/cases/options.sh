for program in vlm-calibrate vlm-quantize vlm-eval vlm-run vlm-inspect; do
  expect "$program: unknown option" 1 "^$program: unknown option --nope; see $program --help$" $program --nope
  expect "$program: missing value" 1 "^$program: --threads wants a value: --threads N$" $program --threads
  expect "$program: a flag with a value" 1 "^$program: --quiet takes no value$" $program --quiet=3
  expect "$program: nothing at all" 1 "wanted|missing" $program
done
expect "a value before an option" 1 "^vlm-run: --cpu wants a value" vlm-run --cpu --quiet "$BUNDLE"
expect "a number that is none" 1 "^vlm-run: --threads many: wanted a whole number from 1 to 256$" vlm-run "$BUNDLE" "$IMAGE" --threads many
expect "a number out of range" 1 "^vlm-run: --threads 0: wanted a whole number" vlm-run "$BUNDLE" "$IMAGE" --threads 0
expect "unknown CPU level" 1 'unknown --cpu level "sse9"; known: c avx2' vlm-run "$BUNDLE" "$IMAGE" --cpu sse9
expect "unknown decoder form" 1 "^vlm-run: --decoder both: wanted merged or separate$" vlm-run "$BUNDLE" "$IMAGE" --decoder both
expect "an option of another program" 1 "^vlm-run: --calib does not belong to this program" vlm-run --calib x.h5 "$BUNDLE"
expect "two models" 1 "^vlm-quantize: wanted one model, got 2" vlm-quantize "$BUNDLE" "$BUNDLE" -o m.vlmq
expect "no output name: calibrate" 1 "^vlm-calibrate: -o STATS.h5 is missing" vlm-calibrate "$BUNDLE" --images "$IMAGE"
expect "no output name: quantize" 1 "^vlm-quantize: -o FILE is missing" vlm-quantize "$BUNDLE" --calib "$STATS"
expect "no statistics" 1 "^vlm-quantize: --calib STATS.h5 is missing" vlm-quantize "$BUNDLE" -o m.vlmq
expect "no images" 1 "^vlm-calibrate: --images PATH is missing" vlm-calibrate "$BUNDLE" -o s.h5
expect "arrays for a pipeline" 1 "is a pipeline: give it --images" vlm-calibrate "$BUNDLE" --inputs "$ARRAYS" -o s.h5
expect "images for a single graph" 1 "is a single graph: give its inputs with --inputs" vlm-calibrate "$MODELS/symbolic.onnx" --images "$IMAGE" -o s.h5
expect "a shard that does not exist" 1 "^vlm-calibrate: --shard 3/3: wanted I/N" vlm-calibrate "$BUNDLE" --images "$IMAGE" --shard 3/3 -o s.h5
expect "unknown kind of weights" 1 "^vlm-quantize: --weights s3: known are s8 s8-tensor f32$" vlm-quantize "$BUNDLE" --calib "$STATS" --weights s3 -o m.vlmq
expect "unknown range method" 1 'unknown --range "guess"; known: auto minmax' vlm-quantize "$BUNDLE" --calib "$STATS" --range guess -o m.vlmq
expect "unknown codec" 1 "^vlm-quantize: --codec lzma: known are zstd raw$" vlm-quantize "$BUNDLE" --calib "$STATS" --codec lzma -o m.vlmq
expect "unknown transform" 1 "^vlm-quantize: --no-transform spin: known" vlm-quantize "$BUNDLE" --calib "$STATS" --no-transform spin -o m.vlmq
absent "a refused command writes nothing" m.vlmq

# What is part of the interface and not built is refused by name, never ignored.
letters='c:vlm-calibrate q:vlm-quantize e:vlm-eval r:vlm-run i:vlm-inspect'
for pair in $letters; do
  letter=$(tr a-z A-Z <<<"${pair%%:*}") program=${pair#*:}
  for option in $(sed -n 's/^X([A-Z_]*, *"\([-a-z]*\)", *[A-Z]*, *"\([A-Za-z]*\)".*/\1:\2/p' "$ROOT/cli/options.def"); do
    case ${option#*:} in *$letter*) expect "$program ${option%%:*} is refused" 1 "^$program: ${option%%:*} is not built yet$" $program "${option%%:*}" x ;; esac
  done
done
