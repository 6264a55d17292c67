expect "no such image" 2 "^vlm-run: nowhere.png: no such file or folder$" vlm-run "$PACK" nowhere.png
expect "a folder with bad images" 2 "truncated.png: damaged PNG" vlm-run "$PACK" "$IMAGES"
expect "text named .png" 2 "text.png: is not an image; read are PNG, JPEG" vlm-run "$PACK" "$IMAGES/text.png"
expect "an empty file" 2 "empty.png: the file is empty" vlm-run "$PACK" "$IMAGES/empty.png"
expect "a truncated PNG" 2 "truncated.png: damaged PNG: the file is truncated" vlm-run "$PACK" "$IMAGES/truncated.png"
expect "a truncated JPEG" 2 "truncated.jpg: the JPEG data is truncated" vlm-run "$PACK" "$IMAGES/truncated.jpg"
expect "a PNG that lies about its size" 2 "lying.png: damaged PNG" vlm-run "$PACK" "$IMAGES/lying.png"
expect "a PNG of 40 gigapixels" 2 "huge.png: image of 200000 x 200000 pixels; at most" vlm-run "$PACK" "$IMAGES/huge.png"
expect "another image format" 2 "bmp.png: BMP is not supported: convert it to PNG or JPEG" vlm-run "$PACK" "$IMAGES/bmp.png"
expect "an array of the wrong shape" 2 "digits.npy: " vlm-run "$PACK" "$ARRAYS/digits.npy"
for good in rgb.png palette4.png gray16.png rgba.png rgb.jpg progressive.jpg gray.jpg rgb.npy; do
  expect "read: $good" 0 "." vlm-run "$PACK" "$IMAGES/$good"
done
expect "calibration data: no such folder" 2 "^vlm-calibrate: nowhere: no such file or folder$" vlm-calibrate "$BUNDLE" --images nowhere -o s.h5
mkdir none
expect "calibration data: an empty folder" 2 "^vlm-calibrate: none: .*no " vlm-calibrate "$BUNDLE" --images none -o s.h5
printf '{"image": "%s"}\n{"image": 3}\n' "$IMAGE" >list.jsonl
expect "a manifest with a bad line" 2 "list.jsonl.*2" vlm-calibrate "$BUNDLE" --images list.jsonl -o s.h5
echo "gone.png" >list.txt
expect "a list that names a missing image" 2 "gone.png" vlm-calibrate "$BUNDLE" --images list.txt -o s.h5
absent "a calibration that cannot start writes nothing" s.h5
mkdir mixed && cp $(images 2) mixed/ && cp "$IMAGES/truncated.png" mixed/zz.png
expect "calibration data: one bad image is named" 2 "zz.png: damaged PNG" vlm-calibrate "$BUNDLE" --images mixed -o s.h5
rm mixed/zz.png
expect "calibration data: without it, the run goes on" 0 "2 samples" vlm-calibrate "$BUNDLE" --images mixed --resume -o s.h5
