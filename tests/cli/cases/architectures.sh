# vlm-inspect on every architecture of tests/oracles/make_architectures.py: the multiply-accumulates are those of PyTorch's own counter.
DATA=$ROOT/tests/cli/data/architectures
rows=0 wrong=0 unknown=0
# Reads "GRAPH MACS [DIM=N]...".
while read -r graph macs dims; do
  rows=$((rows + 1)) shapes=()
  for dim in $dims; do shapes+=(--shape "$dim"); done
  vlm-inspect "$DATA/$graph/model.onnx" "${shapes[@]}" --json >out 2>err || { echo "# $graph: $(cat err)"; wrong=$((wrong + 1)); continue; }
  got=$(sed -n 's/^ *"macs": \([0-9]*\),$/\1/p' out | head -1)
  [ "$got" = "$macs" ] || { echo "# $graph: ${got:-no} MACs, PyTorch counts $macs"; wrong=$((wrong + 1)); }
  grep -qE '^ *"parameters": [1-9]' out && grep -qE '^ *"activation_bytes": [1-9]' out || { echo "# $graph: a figure is missing"; unknown=$((unknown + 1)); }
done <"$DATA/macs.txt"
that "MACs are PyTorch's" test "$rows/$wrong" = 40/0
that "parameters and activation memory are told" test "$unknown" = 0
