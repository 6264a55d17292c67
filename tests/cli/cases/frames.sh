# Raw camera frames: vlm-run --yuv. 192 x 192 of grey, in three kinds of bytes.
head -c 36864 /dev/zero | tr '\0' '\200' >y
head -c 9216 /dev/zero | tr '\0' '\200' >c
cat y c c >grey.yuv
expect "a frame" 0 "^a " vlm-run "$PACK" --yuv grey.yuv:192x192:nv21
cp out first
expect "another kind, turned" 0 "^a " vlm-run "$PACK" --yuv grey.yuv:192x192:i420:90:mirror
same "grey is grey" first out
expect "two of them" 0 "^grey.yuv: a " vlm-run "$PACK" --yuv grey.yuv:192x192:nv12 --yuv grey.yuv:192x192:i420:180
expect "of another size" 2 "grey.yuv: 55296 bytes, a frame of 100 x 100 has 15000$" vlm-run "$PACK" --yuv grey.yuv:100x100:nv21
expect "no such kind" 1 "wanted FILE:WxH:KIND, KIND i420, nv12 or nv21" vlm-run "$PACK" --yuv grey.yuv:192x192:yuyv
expect "no such word" 1 "wanted FILE:WxH:KIND" vlm-run "$PACK" --yuv grey.yuv:192x192:nv21:45
expect "no size" 1 "wanted FILE:WxH:KIND" vlm-run "$PACK" --yuv grey.yuv
expect "no file" 2 "none.yuv" vlm-run "$PACK" --yuv none.yuv:192x192:nv21
expect "images as well" 1 "takes the place of images" vlm-run "$PACK" "$IMAGE" --yuv grey.yuv:192x192:nv21
