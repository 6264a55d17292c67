# --draw: names, messages, what is refused. What the pictures show is tested in test_pictures.c.
BOXES=$ROOT/tests/cli/data/boxes
mkdir in other && cp "$IMAGE" in/a.png && cp "$IMAGE" other/a.png && cp "$IMAGES/rgb.jpg" other/b.v2.jpg
draw=(vlm-run "$BOXES" --draw)

expect "dry run: the plan names the picture" 0 '^plan: in/a.png, prompt "<OD>", picture out1/a.png$' "${draw[@]}" out1 in/a.png --prompt "<OD>" --dry-run
absent "dry run: writes nothing" out1
expect "one picture" 0 "^out1/a.png: 3 objects$" "${draw[@]}" out1 in/a.png --prompt "<OD>"
that "it is a picture" vlm-run "$BOXES" out1/a.png --prompt "<OD>"
that "and it is alone" test "$(ls out1)" = a.png
cp out1/a.png first.png
expect "again: replaced" 0 "^out1/a.png: 3 objects$" "${draw[@]}" out1 in/a.png --prompt "<OD>" --threads 1
same "again: the same bytes" first.png out1/a.png
expect "images of one name" 0 "^out2/a-2.png: 3 objects$" "${draw[@]}" out2 in/a.png other/a.png other/b.v2.jpg --prompt "<OD>"
that "images of one name: numbered" test "$(ls out2 | tr '\n' ' ')" = "a-2.png a.png b.v2.png "
cp "$IMAGE" in/a-2.png
expect "a number that is a name" 0 "^plan: in/a-2.png, .*picture out3/a-2-2.png$" "${draw[@]}" out3 in/a.png other/a.png in/a-2.png --prompt "<OD>" --dry-run
expect "several prompts" 0 "^out4/a-2.png: 1 object$" "${draw[@]}" out4 in/a.png --prompt "<OD>" --prompt "<CAPTION>" --prompt "<OCR_WITH_REGION>"
that "several prompts: text alone takes no name" test "$(ls out4 | tr '\n' ' ')" = "a-2.png a.png "
expect "text alone: says that there is no picture" 0 "^--draw: <CAPTION> answers with text alone: no picture$" "${draw[@]}" out5 in/a.png --prompt "<CAPTION>"
that "text alone: no picture" test -z "$(ls out5)"
expect "text alone: the answer is there" 0 "^box and dog$" "${draw[@]}" out5 in/a.png --prompt "<CAPTION>" --quiet
that "--quiet: no other word" test ! -s err
expect "no objects: says so" 0 "^out5/a.png: the answer has no objects, the picture is the plain image$" "${draw[@]}" out5 in/a.png --prompt "<DENSE_REGION_CAPTION>"
expect "JSON: boxes in pixels of the image" 0 '"objects": \[\{"label": "box", "box": \[4.032, 5.248, 192.192, 153.728\]\}, \{"label": "dog"' \
  vlm-run "$BOXES" in/a.png --prompt "<OD>" --json
expect "JSON: a caption has none" 0 '"objects": \[\]' vlm-run "$BOXES" in/a.png --prompt "<CAPTION>" --json

cp in/a.png before.png
expect "an image would be replaced" 1 "^vlm-run: --draw: in/a.png would replace the image in/a.png; give another folder$" "${draw[@]}" in in/a.png --prompt "<OD>"
ln -s in link
expect "an image would be replaced: by another way" 1 "would replace the image" "${draw[@]}" link ./in/a.png --prompt "<OD>"
same "it was not" before.png in/a.png
echo >file
expect "the folder is a file" 2 "^vlm-run: file: cannot be made a folder" "${draw[@]}" file in/a.png --prompt "<OD>"
expect "the folder cannot be made" 2 "^vlm-run: no/such: cannot be made a folder: No such file" "${draw[@]}" no/such in/a.png --prompt "<OD>"
expect "a single graph" 1 "--draw does not go with a single graph" vlm-run "$MODELS/symbolic.onnx" --draw out6
expect "--check" 1 "--draw does not go with --check" vlm-run --check "$MODELS" --draw out6
absent "what is refused writes nothing" out6
if [ -w /dev/full ]; then
  mkdir out7 && ln -s /dev/full out7/a.png
  expect "a full disk" 2 "^vlm-run: out7/a.png: " "${draw[@]}" out7 in/a.png --prompt "<OD>"
fi
