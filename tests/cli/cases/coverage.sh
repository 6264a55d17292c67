# How much is in 8 bits: the closing table, JSON, budgets, and what vlm-inspect foresees.
DATA=$ROOT/tests/cli/data/quant

expect "the table has every graph" 0 "^decoder_step +99\.[0-9] % of 5\.3 MB +9[0-9]\.[0-9] % of 1\.3 M$" vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 -o a.vlmq --json=a.json
that "and all of them together" grep -qE "^together +99\.[0-9] % of 15\.4 MB +8[0-9]\.[0-9] % of 204\.8 M$" err
that "and what stayed float, with reasons" grep -qE "^ +6\.9 KB  vision/stages\.3\.1\.conv1\.weight +tiny depthwise convolution$" err
that "the rest is summed in one line" grep -qE "^ +[0-9.]+ KB  in [0-9]+ more \(-v lists those above 1 KB\)$" err
that "no warning when most is in 8 bits" test -z "$(grep -i warning err)"
for key in '"weights_int8_percent": 99\.[0-9]+' '"macs_int8_percent": 8[0-9]\.[0-9]+' \
  '"left_float": \[\{"graph": "vision", "value": "stages\.3\.1\.conv1\.weight", "bytes": 6912, "reason": "tiny depthwise' \
  '"not_as_planned": \[\]' '"nodes": \{"s8": [0-9]+, "f32": [0-9]+\}'; do
  that "JSON has $key" grep -qE "$key" a.json
done
that "JSON has no figure that nobody measured" test -z "$(grep -oE '"f16"|"task_evaluations"' a.json)"
expect "a dry run says the same" 0 "^together +99\.[0-9] % of 15\.4 MB" vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 --dry-run --json=dry.json
that "but for the size of a file" test -z "$(grep -o '"out"' dry.json)"
expect "a dry run with -v lists everything above 1 KB" 0 "more, none above 1 KB$" vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 --dry-run -v

expect "--min-int8 that holds" 0 "" vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 --min-int8 98% -o b.vlmq
expect "--min-int8 that does not" 3 "^vlm-quantize: 99\.[0-9] % of the weights are in 8 bits, --min-int8 wants 99.5 %; nothing was written$" vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 --min-int8 99.5% -o c.vlmq
absent "nothing is written then" c.vlmq
expect "--min-int8 above all" 1 "^vlm-quantize: --min-int8 101%: wanted a number from 0 to 100$" vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 --min-int8 101% -o c.vlmq
expect "less than half is told" 0 "^warning: only [0-4]?[0-9]\.[0-9] % of the weights are in 8 bits" vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 --keep '*decoder*' --keep '*layers*' --keep '*mlp*' --keep '*MatMul' --dry-run
expect "float weights were asked for: no warning" 0 "" vlm-quantize "$BUNDLE" --weights f32 --level 1 -o f.vlmq
that "and none was given" test -z "$(grep -i warning err)"

expect "vlm-inspect foresees the shares" 0 "^together +99\.[0-9] % of 15\.4 MB +8[0-9]\.[0-9] % of 204\.8 M$" vlm-inspect "$BUNDLE"
expect "in JSON too" 0 '"macs_int8_percent": 8[0-9]\.' vlm-inspect "$BUNDLE" --json

# The body of an If has statistics of its own, and a constant that it shares is stored once.
vlm-calibrate "$DATA/if_shared/model.onnx" --inputs "$DATA/if_shared/s" -o if.h5 --quiet
expect "a branch is planned" 0 "^  model/[^ ]*\.then_branch +(static|dynamic)" vlm-quantize "$DATA/if_shared/model.onnx" --calib if.h5 -o if.vlmq --strict -v
that "the shared weight is stored once" test "$(stat -c %s if.vlmq)" -lt 7000
expect "the branch runs in integers" 0 "^verdict: pass" vlm-eval "$DATA/if_shared/model.onnx" if.vlmq --inputs "$DATA/if_shared/s" --min-sqnr 35

# One constant along two dims.
vlm-calibrate "$DATA/tied_square/model.onnx" --inputs "$DATA/tied_square/s" -o tied.h5 --quiet
for mode in auto static dynamic none; do
  that "tied, $mode: as planned" vlm-quantize "$DATA/tied_square/model.onnx" --calib tied.h5 --activations $mode --strict -o tied.vlmq
  expect "tied, $mode: near the reference" 0 "^verdict: pass" vlm-eval "$DATA/tied_square/model.onnx" tied.vlmq --inputs "$DATA/tied_square/s" --min-sqnr 35
done
