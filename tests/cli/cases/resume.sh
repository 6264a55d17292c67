# Killed at any moment, resumed, and the same bytes as one run without a kill.
mapfile -t list < <(images 12)
that "one run" vlm-calibrate "$BUNDLE" --images "${list[@]}" --quiet -o whole.h5
that "a first part" vlm-calibrate "$BUNDLE" --images "${list[@]}" --limit 5 --quiet -o part.h5
# How far a run gets in that time depends on the machine: what is there already is a whole number of samples in any case.
for delay in 0.05 0.1 0.2 0.4; do
  vlm-calibrate "$BUNDLE" --images "${list[@]}" --resume --quiet -o part.h5 & pid=$!
  sleep $delay
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
done
expect "resumed after kills" 0 "([5-9]|1[0-2]) samples are there already" vlm-calibrate "$BUNDLE" --images "${list[@]}" --resume -o part.h5
same "the same bytes as one run" whole.h5 part.h5
expect "resumed when all is there" 0 "12 samples" vlm-calibrate "$BUNDLE" --images "${list[@]}" --resume -o part.h5
same "nothing is counted twice" whole.h5 part.h5
touch part.h5.tmp-4194305
that "what a killed run left behind goes with the next" vlm-calibrate "$BUNDLE" --images "${list[@]:0:1}" --quiet --force -o part.h5
absent "its temporary file" part.h5.tmp-4194305
expect "resumed without a file: a new run" 0 "2 samples" vlm-calibrate "$BUNDLE" --images "${list[@]:0:2}" --resume -o new.h5
