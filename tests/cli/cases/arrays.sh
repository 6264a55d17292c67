# symbolic.onnx and friends: single graphs fed with .npy files.
expect "a graph without inputs" 2 'input "x" is missing; the inputs are x, u$' vlm-run "$MODELS/symbolic.onnx" --output-dir o
expect "no folder for the outputs" 1 "^vlm-run: --input needs --output-dir DIR: add it$" vlm-run "$MODELS/unsorted.onnx" --input x="$ARRAYS/f4.npy"
expect "an input without a file" 1 "^vlm-run: --input x: wanted NAME=FILE.npy$" vlm-run "$MODELS/unsorted.onnx" --input x --output-dir o
expect "no such array" 2 "nowhere.npy" vlm-run "$MODELS/unsorted.onnx" --input x=nowhere.npy --output-dir o
expect "no array file" 2 "text.npy" vlm-run "$MODELS/unsorted.onnx" --input x="$ARRAYS/text.npy" --output-dir o
expect "an array that is cut off" 2 "short.npy" vlm-run "$MODELS/unsorted.onnx" --input x="$ARRAYS/short.npy" --output-dir o
expect "an input by a wrong name" 2 'input "u" is missing; the inputs are x, u$' vlm-run "$MODELS/symbolic.onnx" --input x="$ARRAYS/f4.npy" --input y="$ARRAYS/f4.npy" --output-dir o
expect "an array of the wrong shape" 2 'input "x".*(got|wanted)' vlm-run "$MODELS/unsorted.onnx" --input x="$ARRAYS/f4.npy" --output-dir o
expect "an array of the wrong type" 2 'input "x".*got.*wanted' vlm-run "$MODELS/unsorted.onnx" --input x="$ARRAYS/i4.npy" --output-dir o
printf '\223NUMPY\1\0\166\0%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }" >x.npy
printf '\0\0\200\77\0\0\0\300' >>x.npy # 1, -2
expect "a graph runs" 0 "" vlm-run "$MODELS/unsorted.onnx" --input x=x.npy --output-dir o
# c = relu(-x + x) = 0
that "its output is written" cmp <(tail -c 8 o/c.npy) <(printf '\0\0\0\0\0\0\0\0')
expect "calibration arrays: no such folder" 2 "^vlm-calibrate: nowhere: no such file or folder$" vlm-calibrate "$MODELS/unsorted.onnx" --inputs nowhere -o s.h5
mkdir in && cp "$ARRAYS/i4.npy" in/x.npy
expect "calibration arrays: wrong type" 2 "^vlm-calibrate: .*x" vlm-calibrate "$MODELS/unsorted.onnx" --inputs in -o s.h5
cp x.npy in/x.npy
expect "calibration of a single graph" 0 "1 samples" vlm-calibrate "$MODELS/unsorted.onnx" --inputs in -o s.h5
expect "an input that the graph lacks" 1 "^vlm-run: --input z=x.npy: .*unsorted.onnx has no such input, or it is given twice$" vlm-run "$MODELS/unsorted.onnx" --input x=x.npy --input z=x.npy --output-dir o
expect "an input given twice" 1 "^vlm-run: --input x=x.npy: .*given twice$" vlm-run "$MODELS/unsorted.onnx" --input x=x.npy --input x=x.npy --output-dir o
