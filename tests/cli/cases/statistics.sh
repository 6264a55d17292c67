expect "no such statistics" 2 "^vlm-quantize: nowhere.h5: no such file$" vlm-quantize "$BUNDLE" --calib nowhere.h5 -o m.vlmq
expect "no HDF5 file" 2 "is no readable statistics file: not HDF5" vlm-quantize "$BUNDLE" --calib "$BUNDLE/config.json" -o m.vlmq
head -c 100000 "$STATS" >cut.h5
expect "truncated statistics" 2 "^vlm-quantize: cut.h5: is no readable statistics file" vlm-quantize "$BUNDLE" --calib cut.h5 -o m.vlmq
expect "statistics of another model" 2 "stats.h5: statistics of another model: digest [0-9a-f]{32}, .*symbolic.onnx has [0-9a-f]{32}; run vlm-calibrate" \
  vlm-quantize "$MODELS/symbolic.onnx" --calib "$STATS" -o m.vlmq
expect "the same samples twice" 2 "^vlm-calibrate: .*(sample|calibration_)" vlm-calibrate --merge "$STATS" "$STATS" -o m.h5
expect "a merge of nothing" 1 "^vlm-calibrate: --merge wants a value" vlm-calibrate --merge -o m.h5
expect "a merge with a missing part" 2 "^vlm-calibrate: nowhere.h5: no such file or folder$" vlm-calibrate --merge "$STATS" nowhere.h5 -o m.h5
cp "$STATS" other.h5
expect "resuming with another model" 2 "other.h5: belongs to another model or preprocessing" vlm-calibrate "$BUNDLE/embed_tokens.onnx" --inputs "$ARRAYS/i8.npy" --resume -o other.h5
same "a refused resume leaves the file alone" "$STATS" other.h5
damaged=0 crashed=
size=$(stat -c %s "$STATS")
for i in $(seq 0 30); do
  cp "$STATS" flip.h5
  flip flip.h5 $((i * 97 * 227 % size))
  vlm-quantize "$BUNDLE" --calib flip.h5 --dry-run --quiet >/dev/null 2>err || { rc=$?; damaged=$((damaged + 1)); [ $rc = 2 ] || [ $rc = 5 ] || crashed="$crashed $i:$rc"; }
done
that "damaged statistics never crash" test -z "$crashed"
absent "a refused command writes nothing" m.vlmq
absent "a refused merge writes nothing" m.h5
