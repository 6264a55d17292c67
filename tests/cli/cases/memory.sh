# Calibration streams: its peak memory does not depend on the number of images. 3 MiB are the allocator's: 2,560 listed images cost 0.5.
# peak COUNT: MiB.
peak() {
  vlm-calibrate "$BUNDLE" --images $(images "$1") --max-new-tokens 4 --quiet --json -o s.h5 | sed -n 's/.*"peak_rss_mib": \([0-9.]*\).*/\1/p'
}
few=$(peak 8) many=$(peak 256)
that "256 images take the memory of 8, within 3 MiB: $few and $many MiB" awk -v a="$few" -v b="$many" 'BEGIN { exit !(a > 1 && b < a + 3) }'
