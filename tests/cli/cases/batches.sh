# Samples as people bring them: what is read and how, what is bad, what is not used; nothing is lost without a word.
CASES=$ROOT/tests/cli/data/cases
PICTURES=$CASES/images
webp=0
vlm-run "$PACK" "$PICTURES/is_webp.webp" >/dev/null 2>&1 && webp=1

# Images.
expect "a turned picture is told in the plan" 0 "plan: 1 image is turned as the EXIF orientation says; --no-exif" vlm-run "$PACK" "$PICTURES/exif6.jpg"
cp out turned
expect "it answers as the upright one" 0 "." vlm-run "$PACK" "$PICTURES/exif_upright.jpg"
same "the same answer" turned out
expect "as it is stored" 0 "." vlm-run "$PACK" "$PICTURES/exif6.jpg" --no-exif
that "nothing is said of turning" bash -c '! grep -q turned err'
expect "a PNG without its end" 0 "warning: .*cut_last_12.png has no end marker" vlm-run "$PACK" "$PICTURES/cut_last_12.png"
expect "a JPEG with a trailer in place of its end" 0 "warning: .*j_no_eoi_trailer.jpg has no end marker" vlm-run "$PACK" "$PICTURES/j_no_eoi_trailer.jpg"
expect "12 bits" 2 "k_12bit.jpg: 12-bit JPEG is not supported" vlm-run "$PACK" "$PICTURES/k_12bit.jpg"
that "which is no damage" bash -c '! grep -qi damaged err'
expect "above the limit" 2 "dims_108mp.png: image of 12000 x 9000 pixels.*--max-pixels 108000000" vlm-run "$PACK" "$PICTURES/dims_108mp.png"
expect "the limit raised" 0 "plan: .*108mp" vlm-run "$PACK" "$PICTURES/dims_108mp.png" --max-pixels 108000000 --dry-run
expect "the limit lowered" 2 "test_0000.png: image of .*--max-pixels" vlm-run "$PACK" "$IMAGE" --max-pixels 1000
expect "a scan that is too short" 2 "short_scan.jpg: (the JPEG data is truncated|1718 bytes cannot hold)" bash -c 'ulimit -v 1500000; vlm-run "$0" "$1"' "$PACK" "$PICTURES/short_scan.jpg"
expect "transparency" 0 "." vlm-run "$PACK" "$PICTURES/black_text_transparent.png"
if [ $webp = 1 ]; then
  expect "WebP named .jpg" 0 "." vlm-run "$PACK" "$PICTURES/is_webp.jpg"
  expect "a folder with WebP" 0 "plan: 2 runs of 2 samples" vlm-calibrate "$BUNDLE" --images "$CASES/mixed_folder" --dry-run
else
  expect "WebP without libwebp" 2 "WebP, in a build without libwebp, is not supported: convert it" vlm-run "$PACK" "$PICTURES/is_webp.webp"
fi

# Bad samples: all of them, before the run.
mkdir bad && cp $(images 3) bad/ && cp "$PICTURES/truncated.png" bad/calibration_0001x.png && head -c 900 "$PICTURES/exif6.jpg" >bad/cut.jpg && printf 'GIF89a' >bad/moving.gif && echo notes >bad/notes.txt
expect "two bad of five" 2 "2 of 5 samples cannot be used: .*0001x.png: damaged PNG.*; .*cut.jpg: .*--on-bad skip" vlm-calibrate "$BUNDLE" --images bad -o b.h5
absent "nothing was run" b.h5
expect "what is of another kind is named" 2 "moving.gif: GIF is not supported: convert it to PNG or JPEG" vlm-calibrate "$BUNDLE" --images bad -o b.h5
expect "so does the plan" 2 "2 of 5 samples cannot be used" vlm-calibrate "$BUNDLE" --images bad -o b.h5 --dry-run
expect "skipped" 0 "b.h5: 3 samples" vlm-calibrate "$BUNDLE" --images bad -o b.h5 --on-bad skip --json=b.json
that "counted and named" grep -q "^not used: 4 files" err
that "in JSON too" [ "$(grep -oE '"reason"' b.json | wc -l)" = 4 ]
that "with reasons" grep -qE '"path": ?"bad/notes.txt", ?"reason": ?"is no image"' b.json
expect "the same statistics as of the good ones" 0 "" vlm-calibrate "$BUNDLE" --images $(images 3) -o good.h5
same "byte for byte" good.h5 b.h5
expect "evaluated without them" 0 '"skipped": ?\[\{"path"' vlm-eval "$BUNDLE" "$PACK" --images bad --on-bad skip --json
expect "only bad ones" 2 "none of the 2 samples can be used" vlm-run "$PACK" bad/cut.jpg "$PICTURES/truncated.png" --on-bad skip
cp bad/calibration_0000.png bad/copy.png
expect "a copy is named" 0 "bad/copy.png: has the same content as a sample before it" vlm-calibrate "$BUNDLE" --images bad -o copy.h5 --on-bad skip
same "and not counted twice" good.h5 copy.h5

# Arrays.
for f in "$CASES"/arrays/extra_*.npz "$CASES/arrays/readme.npz"; do
  expect "what is no input is not read: $(basename "$f")" 0 "." vlm-calibrate "$CASES/arrays/two.onnx" --inputs "$f" -v --force -o a.h5
done
expect "and named" 0 "arrays that are no input, not read: label" vlm-calibrate "$CASES/arrays/two.onnx" --inputs "$CASES/arrays/extra_str.npz" -v --force -o a.h5
mkdir values && cp "$CASES"/arrays/{ok,nan,empty}.npy values/
expect "values that are not finite, samples without any" 2 "2 of 3 samples cannot be used: .*empty.npy: the sample is empty.*nan.npy: array \"x\" has [0-9]+ values of 16 that are not finite" \
  vlm-calibrate "$CASES/arrays/one.onnx" --inputs values -o v.h5
expect "left out" 0 "v.h5: 1 sample" vlm-calibrate "$CASES/arrays/one.onnx" --inputs values -o v.h5 --on-bad skip

# Statistics are not lost.
expect "fewer samples than the file has" 1 "good.h5 holds 3 samples, and 2 of them would be lost: --resume adds to them, --force replaces" vlm-calibrate "$BUNDLE" --images $(images 1) -o good.h5
same "it is as it was" good.h5 b.h5
expect "the same samples again" 0 "good.h5: 3 samples" vlm-calibrate "$BUNDLE" --images $(images 3) -o good.h5
expect "replaced when asked" 0 "good.h5: 1 sample" vlm-calibrate "$BUNDLE" --images $(images 1) -o good.h5 --force
expect "resumed with another option" 1 "its samples were measured with \"no such options\", now it is \"--detail\"" vlm-calibrate "$BUNDLE" --images $(images 2) -o good.h5 --resume --detail
expect "or another length" 1 "now it is \"--max-new-tokens 3\"" vlm-calibrate "$BUNDLE" --images $(images 2) -o good.h5 --resume --max-new-tokens 3
expect "few samples are told" 0 "warning: 2 calibration samples; ranges of fewer than 32" vlm-calibrate "$BUNDLE" --images $(images 2) -o few.h5
vlm-calibrate "$BUNDLE" --images "$SCREENS/calibration" --threads 1 -o cut.h5 >out 2>err & pid=$!
for wait in {1..200}; do [ -e cut.h5 ] && break; sleep 0.02; done
kill -TERM $pid
rc=0
wait $pid || rc=$?
that "a run that is ended: exit 130" test $rc = 130
expect "its statistics are not finished" 2 "cut.h5: is of a run that was not finished .*--resume.*--partial" vlm-quantize "$BUNDLE" --calib cut.h5 --level 1 -o cut.vlmq
expect "taken as they are" 0 "" vlm-quantize "$BUNDLE" --calib cut.h5 --level 1 -o cut.vlmq --partial
expect "which is to be seen" 0 "^not finished: " vlm-inspect cut.h5

# Lists, tables and folders for all programs.
n=0
for f in $(images 3); do cp "$f" "./p$n.png"; n=$((n + 1)); done
printf 'p0.png\np1.png\n' >list.txt
printf '{"file_name": "p0.png", "text": "a screen"}\n{"file_name": "p1.png", "text": "another"}\n' >metadata.jsonl
printf 'image,caption\np0.png,"a screen, blue"\np0.png,"so ""it"" is"\np1.png,another\n' >table.csv
for f in list.txt metadata.jsonl table.csv; do
  expect "answers of $f" 0 "^p1.png: ." vlm-run "$PACK" $f
  expect "calibrated with $f" 0 "plan: 2 runs of 2 samples" vlm-calibrate "$BUNDLE" --images $f --dry-run
done
expect "captions of a table are references" 0 "CIDEr" vlm-eval "$BUNDLE" "$PACK" --images table.csv --max-drop 99
mkdir folder && cp p0.png p1.png folder/
expect "answers of a folder" 0 "^folder/p1.png: ." vlm-run "$PACK" folder
printf '{"image": "p0.png", "promt": "<CAPTION>"}\n' >typo.jsonl
expect "an unknown key" 2 "typo.jsonl: line 1: \"promt\" is not known; did you mean \"prompt\"" vlm-run "$PACK" typo.jsonl
printf 'image,captoin\np0.png,x\n' >typo.csv
expect "an unknown column" 2 "\"captoin\" is not known; did you mean \"caption\"" vlm-run "$PACK" typo.csv

# Answers are there as soon as they are known.
vlm-run "$PACK" "$SCREENS/calibration" --threads 1 --json=lines.jsonl >out 2>err & pid=$!
for wait in {1..300}; do [ -s lines.jsonl ] && [ "$(wc -l <lines.jsonl)" -ge 2 ] && break; sleep 0.02; done
kill -KILL $pid
wait $pid 2>/dev/null
that "killed, its answers are there" [ "$(wc -l <lines.jsonl)" -ge 2 ]
vlm-run "$PACK" "$SCREENS/calibration" --threads 1 --json=more.jsonl >out 2>err & pid=$!
for wait in {1..300}; do [ -s more.jsonl ] && break; sleep 0.02; done
kill -INT $pid
rc=0
wait $pid || rc=$?
that "interrupted: exit 130" test $rc = 130
that "it says how far it came" grep -qE "^vlm-run: interrupted; $(wc -l <more.jsonl) of 256 answers are in more.jsonl" err
cp "$PICTURES/truncated.png" folder/
expect "a bad one among good ones" 0 '"skipped": ?\[\{"path": ?"folder/truncated.png"' vlm-run "$PACK" folder --on-bad skip --json

# Pixels that turn out to be broken behind a header that is fine.
mkdir broken && cp $(images 3) broken/ && worst=$(ls broken/*.png | head -n 1)
flip "$worst" $(($(stat -c %s "$worst") / 2))
expect "the run ends at the image" 2 "$(basename "$worst").*PNG" vlm-eval "$BUNDLE" "$PACK" --images broken
expect "or goes on without it" 0 '"skipped": ?\[\{"path": ?"broken/' vlm-eval "$BUNDLE" "$PACK" --images broken --on-bad skip --json
that "the others count" grep -qE '"images": ?2[,}]' out
expect "the reference alone" 0 "." vlm-eval "$BUNDLE" --images broken --on-bad skip
expect "none is left" 2 "none of the images can be read|none of the 1 samples" vlm-eval "$BUNDLE" --images "$worst" --on-bad skip
expect "answers with one left out" 0 "" vlm-run "$PACK" broken --on-bad skip --json=answers.jsonl
that "the last line tells it" bash -c 'tail -n 1 answers.jsonl | grep -q skipped'
grep -v skipped answers.jsonl | sed 's/^{"image": *"\([^"]*\)".*/{"image": "\1", "refs": ["a dark calendar", "a light list"]}/' >refs.jsonl
expect "such a file is scored" 0 "BLEU" vlm-eval --metrics-only answers.jsonl refs.jsonl
