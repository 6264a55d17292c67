# Files that are made to hurt: every one ends with the wanted exit, words in its message, and a peak of memory below a limit; nothing waits, nothing
# follows links, nothing steers the terminal.
DATA=$ROOT/tests/cli/data/hostile
LIMIT_KIB=200000

# peak FILE: the peak memory in KiB that the wrapper below wrote there.
cat >peak.py <<'PY'
import os, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code if code >= 0 else 128 - code)
PY

# held NAME EXIT PATTERN COMMAND...: as expect, and below LIMIT_KIB.
held() {
  local name=$1 code=$2 pattern=$3
  shift 3
  rm -f peak
  expect "$name" "$code" "$pattern" python3 peak.py peak "$@" || return
  [ "$(cat peak)" -lt "$LIMIT_KIB" ] || fail "$name: memory $(cat peak) KiB"
}
command -v python3 >/dev/null || held() { expect "$@"; }

# run FILE NAME=ARRAY...: a graph on arrays of the folder.
run() {
  local file=$1 inputs=()
  shift
  for input in "$@"; do inputs+=("${input%%=*}=$DATA/${input#*=}.npy"); done
  echo vlm-run "$DATA/$file" --input "${inputs[@]}" --output-dir out_dir
}

held "internal operators in ONNX" 2 'cache_capacity.onnx: node "n" \(CacheAttention\): .*domain "vlm"' $(run cache_capacity.onnx x=x1114)
held "internal operators in a packed file" 5 'cache_capacity.vlmq: node "n" .*input 3 is not an input of the graph' $(run cache_capacity.vlmq x=x1114)
held "the same, inspected" 5 'cache_capacity.vlmq: node "n"' vlm-inspect "$DATA/cache_capacity.vlmq" --verify
held "no axes" 2 'resize_no_axes.onnx.*shape|node "n" \(Resize\)' $(run resize_no_axes.onnx x=x1114)
held "lengths of a scan" 2 'node "Scan_0" \(Scan\): input 0 \(sequence_lens\) has shape \[1\], wanted 500' vlm-run "$DATA/scan8_lens.onnx" --input "x=$DATA/s500.npy" --output-dir out_dir
held "batches of a scan" 2 'node "[^"]*" \(Scan\): input 2 has 3 dims and 1 batch entries, wanted 2 and 4' vlm-run "$DATA/scan8_batch.onnx" --input "initial=$DATA/s4.npy" "x=$DATA/sx.npy" --output-dir out_dir
held "an empty scalar" 2 'NonMaxSuppression\): input 2 \(max_output_boxes_per_class\) has shape \[0\], wanted 1' \
  $(run nms_empty.onnx boxes=nms_b scores=nms_s max_output_boxes_per_class=nms_m iou_threshold=nms_1 score_threshold=nms_1)
held "a first output that is absent" 0 '' $(run dropout_absent.onnx x=x)
held "the same of a pool" 0 '' vlm-run "$DATA/maxpool_absent.onnx" --input "x=$DATA/x1155.npy" --output-dir out_dir
held "nested loops" 2 'loops have run their bodies 4194304 times together; --max-loop-runs' $(run loop2.onnx x=x)
held "a lower limit for loops" 2 'loops have run their bodies 10 times together' $(run loop2.onnx x=x) --max-loop-runs 10
held "names that steer a terminal" 2 'escape_in_name.onnx: node "\\u001b\]0;pwned' $(run escape_in_name.onnx x=x4)
that "no escape reaches it" sh -c "! cat out err | LC_ALL=C grep -q '[[:cntrl:]]'"
held "a later version of statistics" 2 'version 2; this program reads version 1' vlm-inspect "$DATA/stats_version2.h5"
held "statistics that unpack without end" 2 'stats_20000_rows.h5: .*the limit for a file of 117 KiB' vlm-inspect "$DATA/stats_20000_rows.h5"
held "a packed file of our own" 0 'intact' vlm-inspect "$DATA/zero_own_output.vlmq" --verify
held "a picture of a few bytes" 2 'short_scan.jpg: 1718 bytes cannot hold 9990 x 9990' vlm-run "$BUNDLE" "$DATA/short_scan.jpg"
held "functions that double" 2 'doubling.onnx: 40 functions grow to more than 65536 nodes' vlm-inspect "$DATA/doubling.onnx"
held "an equation of dots" 2 'einsum_dots.onnx: node "Einsum" \(Einsum\): .*more than one ellipsis' $(run einsum_dots.onnx x=x2x8)
mkdir samples
cp "$DATA/zeros.npz" samples
held "an array of nothing" 2 'zeros.npz: array "x": .*more than 64 times' vlm-calibrate "$DATA/dropout_absent.onnx" --inputs samples -o z.h5
cp -r "$BUNDLE" bomb
cp "$DATA/tokenizer_replace_bomb.json" bomb/tokenizer.json
held "a tokenizer that multiplies" 2 'tokenizer.json: .*more than 32 MiB' vlm-run bomb "$IMAGE" --prompt a

# ---- files that are none, and links ----
mkdir place store snapshot
cp "$DATA"/ext_*.onnx place
mkfifo place/fifo pipe pipe.h5 pipe.png pipe.vlmq
head -c 4096 /dev/zero >outside.bin
held "external data in a pipe" 2 'ext_fifo.onnx: tensor "w" lies in .*fifo, which is not a file' vlm-inspect place/ext_fifo.onnx
ln -s ../outside.bin place/link.bin
held "external data behind a link" 2 'ext_symlink.onnx: tensor "w" lies in .*link.bin, which is a link out of the folder' vlm-inspect place/ext_symlink.onnx
ln -f outside.bin place/link.bin
held "external data with a second name" 2 'link.bin, which is a link out of the folder' vlm-inspect place/ext_symlink.onnx
rm place/link.bin
cp outside.bin place/link.bin
held "external data of the folder" 0 '' vlm-inspect place/ext_symlink.onnx
cp place/ext_symlink.onnx store/a1
cp outside.bin store/b2
ln -s ../store/a1 snapshot/model.onnx
ln -s ../store/b2 snapshot/link.bin
held "a folder of links into one store" 0 '' vlm-inspect snapshot/model.onnx
for name in pipe pipe.h5 pipe.vlmq; do held "a pipe as $name" 2 "$name: is not a file" vlm-inspect $name; done
held "a pipe as picture" 2 'pipe.png' vlm-run "$BUNDLE" pipe.png
held "a pipe as statistics" 2 'pipe.h5: is not a file' vlm-quantize "$BUNDLE" --calib pipe.h5 -o q.vlmq

# ---- outputs ----
cp "$STATS" s.h5
ln -s s.h5 s_link.h5
ln s.h5 s_name.h5
for name in s.h5 s_link.h5 s_name.h5; do
  held "statistics are not replaced by what is made of them ($name)" 1 "the output $name is read by this command" vlm-quantize "$BUNDLE" --calib s.h5 -o "$name"
  held "nor by JSON ($name)" 1 "is read by this command" vlm-quantize "$BUNDLE" --calib s.h5 -o q.vlmq "--json=$name"
done
same "they are as they were" s.h5 "$STATS"
held "two outputs of one name" 1 'write the same file, q.vlmq' vlm-quantize "$BUNDLE" --calib s.h5 -o q.vlmq --json=q.vlmq
rm s_name.h5 s_link.h5
printf secret >victim
chmod 600 s.h5
bash -c 'ln -s victim "t.h5.tmp-$$"; exec vlm-calibrate --merge s.h5 -o t.h5' >out 2>err
same "a planted link is not followed" victim <(printf secret)
that "the file behind it is written" test -f t.h5
cp s.h5 private.h5
chmod 600 private.h5
vlm-calibrate --merge s.h5 -o private.h5 >out 2>err
that "a private file stays private" test "$(stat -c %a private.h5)" = 600
mkdir arrays
cp "$DATA/x2x8.npy" arrays/y.npy
held "nor is an input by the outputs of a graph" 1 'arrays/y.npy is read by this command' vlm-run "$DATA/identity.onnx" --input x=arrays/y.npy --output-dir arrays

# 121 bytes that ask for a weight of 17 GB: what is folded has a size that the file's own constants justify.
held "a weight that is made, not stored" 0 "^what vlm-quantize would put in 8 bits" vlm-inspect "$DATA/huge_weight.onnx"
