# names.onnx: values called as our own made-up ones, outputs that want the same file.
for k in 0 1 2; do mkdir -p s/$k && cp "$MODELS/names_x$k.npy" s/$k/x.npy && cp "$MODELS/names_ids.npy" s/$k/ids.npy; done
expect "outputs that want the same file" 0 "^output y/z: y_z-3.npy$" vlm-run "$MODELS/names.onnx" --input x=s/0/x.npy --input ids=s/0/ids.npy --output-dir o
that "each has one" [ "$(ls o | wc -l)" = 7 ]
that "a name that needs no change is kept" [ -e o/y_z.npy -a -e o/y_z-2.npy -a -e o/y:z.npy ]
that "no two are the same" [ "$(cksum o/* | cut -d' ' -f1 | sort -u | wc -l)" = 7 ]
cp -r o p
expect "the names are the same again" 0 "" vlm-run "$MODELS/names.onnx" --input x=s/0/x.npy --input ids=s/0/ids.npy --output-dir p --quiet
that "file by file" diff -r o p
expect "statistics" 0 "3 samples" vlm-calibrate "$MODELS/names.onnx" --inputs s -o s.h5
for form in static dynamic; do
  expect "made-up names do not clash: $form" 0 "" vlm-quantize "$MODELS/names.onnx" --calib s.h5 -o $form.vlmq --activations $form
  expect "the file runs: $form" 0 "verdict: no budget set" vlm-eval "$MODELS/names.onnx" $form.vlmq --inputs s
  expect "unpacks to a file per tensor: $form" 0 "" vlm-inspect $form.vlmq --unpack u-$form
done
