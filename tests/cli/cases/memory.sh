# Calibration streams: its peak memory does not depend on the number of images.
# peak COUNT: MiB.
peak() {
  vlm-calibrate "$BUNDLE" --images $(images "$1") --max-new-tokens 4 --quiet --json -o s.h5 | sed -n 's/.*"peak_rss_mib": \([0-9.]*\).*/\1/p'
}
few=$(peak 8) many=$(peak 256)
that "256 images take the memory of 8, within 5 %: $few and $many MiB" awk -v a="$few" -v b="$many" 'BEGIN { exit !(a > 1 && b < 1.05 * a) }'
