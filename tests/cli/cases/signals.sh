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
# Once it runs samples, the one at work is finished and saved; the message says how to go on, and that gives the same bytes.
mapfile -t list < <(images 40)
rm -f s.h5
vlm-calibrate "$BUNDLE" --images "${list[@]}" --threads 1 -o s.h5 >out 2>err & pid=$!
for wait in {1..200}; do [ -e s.h5 ] && break; sleep 0.02; done
kill -INT $pid
rc=0
wait $pid || rc=$?
that "calibrate, interrupted at work: exit 130" test $rc = 130
that "it says what is there and how to go on" grep -qE "^vlm-calibrate: interrupted; s.h5 holds [1-9][0-9]* samples?, and --resume goes on from there$" err
held=$(sed -nE 's/.*holds ([0-9]+) samples.*/\1/p' err)
expect "it goes on" 0 "^s.h5: ${held:-no} samples are there already" vlm-calibrate "$BUNDLE" --images "${list[@]:0:$((held + 1))}" --resume -o s.h5
that "a run without a break" vlm-calibrate "$BUNDLE" --images "${list[@]:0:$((held + 1))}" --quiet -o whole.h5
same "and ends with the bytes of a run without a break" s.h5 whole.h5
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
