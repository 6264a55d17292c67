# A file of another kind in place of a model: the message says what it is and what to do.
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n' >pointer.onnx
printf 'GGUF\3\0\0\0rest of it' >m.gguf
printf '\x40\0\0\0\0\0\0\0{"__metadata__":{}}' >m.safetensors
printf 'PK\3\4archive/data.pkl' >m.pt
printf '\x80\2}q\0.' >old.pt
printf '\x89HDF\r\n\x1a\n....' >m.h5.onnx
printf '{"architectures": ["X"]}' >config.onnx
printf '<!DOCTYPE html><html></html>' >page.onnx
printf 'abcdTFL3' >m.tflite
: >nothing.onnx
cp pointer.onnx pointer.vlmq
expect "a Git LFS pointer" 2 "pointer.onnx: is a Git LFS pointer.*git lfs pull" vlm-inspect pointer.onnx
expect "a Git LFS pointer named .vlmq" 2 "pointer.vlmq: is not a packed model .* but a Git LFS pointer.*git lfs pull" vlm-inspect pointer.vlmq
expect "a picture" 2 "test_0000.png: is a PNG image, no ONNX model: the model comes first" vlm-run "$IMAGE" "$IMAGE"
expect "GGUF" 2 "m.gguf: is a GGUF file.*export the original model to ONNX" vlm-inspect m.gguf
expect "safetensors" 2 "m.safetensors: is a safetensors file.*export" vlm-inspect m.safetensors
expect "PyTorch" 2 "m.pt: is a zip archive, as PyTorch.*torch.onnx.export" vlm-inspect m.pt
expect "an old PyTorch file" 2 "old.pt: is a Python pickle.*torch.onnx.export" vlm-inspect old.pt
expect "HDF5" 2 "m.h5.onnx: .*(HDF5|statistics)" vlm-quantize m.h5.onnx --activations dynamic -o q.vlmq
expect "JSON" 2 "config.onnx: is a JSON file.*folder" vlm-inspect config.onnx
expect "a web page" 2 "page.onnx: is a web page" vlm-inspect page.onnx
expect "TensorFlow Lite" 2 "m.tflite: is a TensorFlow Lite model.*tf2onnx" vlm-inspect m.tflite
expect "an empty file" 2 "nothing.onnx: is empty, no ONNX model: get the file again" vlm-inspect nothing.onnx
mkdir bundle && cp "$BUNDLE"/*.json bundle/ && for f in "$BUNDLE"/*.onnx "$BUNDLE"/onnx/*.onnx; do [ -e "$f" ] && mkdir -p "bundle/$(dirname "${f#"$BUNDLE"/}")" && cp pointer.onnx "bundle/${f#"$BUNDLE"/}"; done
expect "a folder of pointers" 2 "is a Git LFS pointer.*git lfs pull" vlm-run bundle "$IMAGE"
expect "a pointer in place of statistics" 2 "pointer.onnx: is a Git LFS pointer.*git lfs pull" vlm-quantize "$BUNDLE" --calib pointer.onnx -o q.vlmq
expect "a pointer in place of a picture" 2 "pointer.png: is a Git LFS pointer.*git lfs pull" vlm-run "$PACK" "$ROOT/tests/calib/data/odd/pointer.png"
absent "nothing is written" q.vlmq
expect "the pointer that people meet" 2 "git_lfs_pointer.onnx: is a Git LFS pointer" vlm-inspect "$ROOT/tests/cli/data/cases/git_lfs_pointer.onnx"
