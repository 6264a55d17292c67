# A full disk: a message, exit 2, no temporary file, and what was there before stays.
expect "an output folder that does not exist" 2 "^vlm-quantize: nowhere/m.vlmq: cannot be written: No such file or directory; make the folder nowhere first$" vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 -o nowhere/m.vlmq
expect "an output that is a folder" 2 "is a folder, a file name is wanted" vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 -o .
echo old >m.vlmq; echo old >m.h5; echo old >old
expect "quantize over the file size limit" 2 "m.vlmq: writing failed: File too large$" bash -c 'ulimit -f 64; exec "$@"' limited vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 -o m.vlmq
expect "calibrate over the file size limit" 2 "m.h5: .*cannot be written" bash -c 'ulimit -f 64; exec "$@"' limited vlm-calibrate "$BUNDLE" --images "$IMAGE" -o m.h5
expect "merge over the file size limit" 2 "n.h5: .*cannot be written" bash -c 'ulimit -f 64; exec "$@"' limited vlm-calibrate --merge "$STATS" -o n.h5
same "the old packed file is there" old m.vlmq
same "the old statistics are there" old m.h5
absent "no part of a new file" n.h5
mkdir full
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
  expect "quantize on a full disk" 2 "full/m.vlmq: writing failed: No space left on device$" vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 -o full/m.vlmq
  expect "calibrate on a full disk" 2 "full/s.h5: .*cannot be written" vlm-calibrate "$BUNDLE" --images "$IMAGE" -o full/s.h5
  that "the full disk is empty again" test -z "$(ls -A full)"
  umount full
else
  skip "quantize on a full disk" "no right to mount a tmpfs"
fi
# Devices are written to, not replaced; root tries with a device of its own.
device=/dev/full
[ "$(id -u)" != 0 ] || { device=$PWD/device && mknod "$device" c 1 7 2>/dev/null; }
if [ -c "$device" ] && ! echo x 2>/dev/null >"$device"; then
  expect "standard output full" 2 "^vlm-run: standard output cannot be written$" bash -c 'vlm-run "$0" "$1" >"$2"' "$PACK" "$IMAGE" "$device"
  expect "JSON to a full device" 2 "^vlm-run: $device: writing failed: No space left on device$" vlm-run "$PACK" "$IMAGE" --json="$device"
  expect "a packed file to a full device" 2 "$device: writing failed: No space left on device$" vlm-quantize "$BUNDLE" --calib "$STATS" --level 1 -o "$device"
  expect "statistics to a full device" 2 "$device: .*cannot be written" vlm-calibrate --merge "$STATS" -o "$device"
  that "the device is still one" test -c "$device"
else
  skip "a full device" "no device to write to"
fi
