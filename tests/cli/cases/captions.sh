# One reader of caption files for --refs, --teacher and --metrics-only.
C=$ROOT/tests/cli/data/captions
NOCAPS='{"info":{},"licenses":[],"images":[{"id":1,"coco_url":"u/1.jpg","file_name":"1.jpg","open_images_id":"1"},{"id":2,"file_name":"2.jpg"},{"id":3,"file_name":"3.jpg"}],"annotations":[{"image_id":1,"caption":"a cat sits on a mat","id":0},{"image_id":2,"caption":"a dog runs in the park","id":1},{"image_id":3,"caption":"two people ride a bike","id":2},{"image_id":1,"caption":"the cat is sitting on the mat","id":3},{"image_id":2,"caption":"the dog is running","id":4},{"image_id":3,"caption":"people riding bikes","id":5}]}'
echo "$NOCAPS" >nocaps.json
printf 'image,caption\n1.jpg,a cat sits on a mat\n1.jpg,the cat is sitting on the mat\n2.jpg,a dog runs in the park\n2.jpg,the dog is running\n3.jpg,two people ride a bike\n3.jpg,people riding bikes\n' >flickr.csv
for hyps in hyp hyp_file hyp_float hyp_nan; do
  for refs in "$C/refs.json" "$C/karpathy.json" "$C/textcaps.json" "$C/flickr8k.token.txt" nocaps.json flickr.csv; do
    expect "$hyps against $(basename "$refs")" 0 "^CIDEr-D 2.5527$" vlm-eval --metrics-only "$C/$hyps.json" "$refs"
  done
done
expect "a part without asking" 2 'no caption for 1 of the 3 images of .*refs.json .first: 3.; .*--subset' vlm-eval --metrics-only "$C/hyp_subset.json" "$C/refs.json"
expect "a part" 0 "^2 images scored; left out: 1 images without a caption, 0 captions without references$" vlm-eval --metrics-only "$C/hyp_subset.json" "$C/refs.json" --subset
that "the part's score, as pycocoevalcap has it" grep -q "^CIDEr-D 2.5605$" out
expect "the part in JSON" 0 '"left_out": \{"images_without_caption": 1, "captions_without_references": 0\}' vlm-eval --metrics-only "$C/hyp_subset.json" "$C/refs.json" --subset --json
expect "a split" 0 "^CIDEr-D 2.5605$" vlm-eval --metrics-only "$C/hyp_subset.json" "$C/karpathy.json" --split test
expect "a split that is not there" 2 'no image has "split": "dev"; known are: test, train' vlm-eval --metrics-only "$C/hyp.json" "$C/karpathy.json" --split dev
expect "a split of a file without" 2 'refs.json: does not say which images are of split "test"' vlm-eval --metrics-only "$C/hyp.json" "$C/refs.json" --split test

# Answers of vlm-run.
mkdir few && for i in 0 1 2; do ln -s "$SCREENS/test/test_000$i.png" few/; done
expect "answers" 0 "" vlm-run "$BUNDLE" few/test_0000.png few/test_0001.png few/test_0002.png --json=run.jsonl --quiet
expect "answers are scored" 0 "^CIDEr-D [0-9.]+$" vlm-eval --metrics-only run.jsonl "$SCREENS/test.json" --subset
that "all three" grep -q "^3 images scored; left out: 397 images" err
expect "one answer" 0 "" vlm-run "$BUNDLE" few/test_0000.png --json=one.json --quiet
expect "one answer is scored" 0 "^1 images scored" vlm-eval --metrics-only one.json "$SCREENS/test.json" --subset
expect "earlier answers" 0 "" vlm-eval --metrics-only "$C/join_run.jsonl" "$SCREENS/test.json" --subset

# Joins with images.
mkdir im && cp "$SCREENS/test/test_0000.png" im/cat_1.png && cp "$SCREENS/test/test_0001.png" im/dog_1.png && cp "$SCREENS/test/test_0002.png" im/2.png
for refs in karp.json ext.json refs.jsonl; do
  expect "references: $refs" 0 "^plan: 3 samples" vlm-eval "$BUNDLE" --images im --refs "$C/join_$refs" --dry-run
done
for refs in list noname; do
  expect "a join by numbers that is not unique: $refs" 2 'images "2.png" and "cat_1.png" fit ids' vlm-eval "$BUNDLE" --images im --refs "$C/join_$refs.json" --dry-run
done
rm im/2.png
expect "two images, one entry" 2 'images "[^"]*cat_1.png" and "[^"]*dog_1.png"' vlm-eval "$BUNDLE" --images im --refs "$C/join_list.json" --dry-run
mkdir a b && cp "$SCREENS/test/test_0000.png" a/x.png && cp "$SCREENS/test/test_0001.png" b/x.png && echo '{"x.png": "a dark page"}' >x.json
expect "one name in two folders" 2 'images "a/x.png" and "b/x.png" would both get the captions of "x.png"' vlm-eval "$BUNDLE" --images a b --refs x.json --dry-run
printf 'test_0000.png#0\ta dark page\ntest_0001.png#0\ta light page\ntest_0002.png#0\ta calendar\n' >teacher.txt
expect "a teacher in another form" 0 "" vlm-calibrate "$BUNDLE" --images few --teacher teacher.txt -o t.h5 --quiet
