# Single graphs of any kind of output get a verdict, and always latency.
DATA=$ROOT/tests/cli/data/outputs
for model in neginf det_nms dynshape; do
  D=$DATA/$model
  expect "$model: a model against itself passes" 0 "^verdict: pass$" vlm-eval "$D/model.onnx" "$D/model.onnx" --inputs "$D/s" --min-sqnr 100 --min-agreement 100
  that "$model: latency is there" grep -qE "^ +total, median +[0-9.]+ ms" out
  vlm-calibrate "$D/model.onnx" --inputs "$D/s" --quiet -o $model.h5 && vlm-quantize "$D/model.onnx" --calib $model.h5 --quiet -o $model.vlmq
  expect "$model: the packed model has a verdict" 0 "^verdict: pass$" vlm-eval "$D/model.onnx" $model.vlmq --inputs "$D/s" --min-sqnr 20
  expect "$model: nothing asked is no pass" 0 "^verdict: no budget set$" vlm-eval "$D/model.onnx" $model.vlmq --inputs "$D/s"
  expect "$model: JSON" 0 '"latency_ms".*"verdict": "pass", "exit_code": 0, "checks": \[\{"metric": "sqnr_db"' vlm-eval "$D/model.onnx" $model.vlmq --inputs "$D/s" --min-sqnr 20 --json
done
expect "boxes are found again" 0 "boxes +[0-9.]+ dB, [0-9.]+ % of [0-9]+ rows found on both sides" vlm-eval "$DATA/det_nms/model.onnx" det_nms.vlmq --inputs "$DATA/det_nms/s"
expect "and a share of them is a budget" 3 'is refused: agreement: agreement [0-9.]+ %, wanted at least 100 %$' vlm-eval "$DATA/det_nms/model.onnx" det_nms.vlmq --inputs "$DATA/det_nms/s" --min-agreement 100

# Labels.
N=$DATA/neginf
labels=(vlm-eval "$N/model.onnx" neginf.vlmq --inputs "$N/s" --sample-axis)
printf '3\n17\n5\n9\n1\n2\n3\n4\n' >labels.txt
expect "labels in order" 0 "^ +top-5 accuracy" "${labels[@]}" --labels labels.txt
expect "accuracy in JSON" 0 '"accuracy": \{"reference": \{"top1": [0-9.]+, "top5": [0-9.]+\}, "candidate".*"drop_points": [-0-9.]+, "ci95": \[' "${labels[@]}" --labels labels.txt --json
expect "an accuracy budget" 0 "^verdict: pass$" "${labels[@]}" --labels labels.txt --max-accuracy-drop 100
for i in 0 1 2 3; do printf '000.npz#%d %d\n001.npz#%d,%d\n' $i $i $i 63; done >named.txt
expect "labels by name" 0 "^ +top-1 accuracy" "${labels[@]}" --labels named.txt
echo '[1, 2, 3, 4, 5, 6, 7, 8]' >labels.json
expect "labels as JSON" 0 "^ +top-1 accuracy" "${labels[@]}" --labels labels.json
head -n 3 labels.txt >short.txt
expect "too few labels" 2 'short.txt: has 3 labels, sample "000.npz#3" is number 4; a label for each is wanted' "${labels[@]}" --labels short.txt
echo 64 >big.txt
expect "a class that is not there" 2 "label 64: the model has 64 classes, from 0" "${labels[@]}" --labels big.txt
expect "labels that are none" 2 'text.png: line 1: got "' "${labels[@]}" --labels "$IMAGES/text.png"
expect "a budget without labels" 1 "--max-accuracy-drop needs --labels FILE: add it" "${labels[@]}" --max-accuracy-drop 1
expect "a negative budget" 1 "--max-accuracy-drop -1: wanted a number from 0 to 100" "${labels[@]}" --labels labels.txt --max-accuracy-drop -1

# A line per sample.
expect "records" 0 "" "${labels[@]}" --labels labels.txt --records r.csv
that "one line each, and a head" test "$(wc -l <r.csv)" = 9
that "the head" grep -qx "sample,sqnr_db,agreement,label,reference_place,candidate_place,reference_ms,candidate_ms" r.csv
expect "records of another form" 1 "--records r.txt: wanted FILE.jsonl or FILE.csv" "${labels[@]}" --records r.txt
# Since the baseline.
expect "two packed models" 0 "^since the baseline +0 of 8 worse, 0 better \(place of the label\)$" vlm-eval neginf.vlmq --baseline neginf.vlmq --inputs "$N/s" --sample-axis --labels labels.txt
