# Calibration streams: its peak memory does not depend on the number of images. 3 MiB are the allocator's: 2,560 listed images cost 0.5.
# peak COUNT: MiB.
peak() {
  vlm-calibrate "$BUNDLE" --images $(images "$1") --max-new-tokens 4 --quiet --json -o s.h5 | sed -n 's/.*"peak_rss_mib": \([0-9.]*\).*/\1/p'
}
few=$(peak 8) many=$(peak 256)
that "256 images take the memory of 8, within 3 MiB: $few and $many MiB" awk -v a="$few" -v b="$many" 'BEGIN { exit !(a > 1 && b < a + 3) }'

# Answers that come one after the other: what graphs have packed need not be there all at once.
rss() { local m=0 f; "$@" >answers.txt 2>err & local p=$!; while f=$(awk '/^VmHWM/{print $2}' /proc/$p/status 2>/dev/null) && [ -n "$f" ]; do m=$f; sleep 0.005; done; wait $p; echo "$m"; }
mapfile -t list < <(images 24)
high=$(rss vlm-run "$PACK" "${list[@]}" --threads 1); mv answers.txt kept.txt
low=$(rss vlm-run "$PACK" "${list[@]}" --threads 1 --low-memory)
same "--low-memory: the same answers" kept.txt answers.txt
if grep -q __asan_init "$BIN/vlm-run"; then skip "--low-memory takes less" "the address sanitizer keeps what is freed"
else that "--low-memory takes less: $low and $high KiB" test "$low" -lt $((high - 500)); fi
