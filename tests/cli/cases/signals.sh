# An interrupted program exits 130 and leaves no half-written file: what is there is the old file or, from vlm-calibrate, whole
# statistics of the samples so far, which --resume takes up.
echo old >old
for signal in INT TERM HUP; do
  rm -f s.h5
  rc=0
  timeout --preserve-status -s $signal 1 vlm-calibrate "$BUNDLE" --images "$SCREENS/calibration" --quiet -o s.h5 >out 2>err || rc=$?
  that "calibrate, SIG$signal: exit 130" test $rc = 130
  if [ -e s.h5 ]; then that "calibrate, SIG$signal: the statistics so far can be read" vlm-inspect s.h5 --quiet; fi
done
caught=0
for delay in 0.3 0.6 0.9 1.2 1.5 2 3; do
  echo old >m.vlmq
  rc=0
  timeout --preserve-status -s INT $delay vlm-quantize "$BUNDLE" --calib "$STATS" --level 19 --quiet -o m.vlmq >out 2>err || rc=$?
  if [ $rc = 130 ]; then caught=$((caught + 1)); cmp -s old m.vlmq || echo "not ok - quantize, SIGINT after $delay s: the old file changed"; fi
  [ $rc = 130 ] || [ $rc = 0 ] || echo "not ok - quantize, SIGINT after $delay s: exit $rc"
  [ $rc = 0 ] && break
done
that "quantize was interrupted $caught times" test $caught -gt 0
that "no temporary file is left" test -z "$(find . -name '*.tmp-*')"
# A model that is cut off while it runs: told by name, not a crash.
cp -r "$BUNDLE" cut
rc=0
vlm-run cut $(images 200) --stream >answers 2>err &
pid=$!
while [ ! -s answers ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
find cut -name '*.onnx*' -exec truncate -s 0 {} +
wait $pid || rc=$?
that "a model cut off while it runs: exit 2, not $rc" test $rc = 2
that "its name is told: $(head -1 err)" grep -qE '^cut/.*\.onnx_data: became shorter while it was read' err
