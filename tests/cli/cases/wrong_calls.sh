# Calls as newcomers make them: each ends in one message that says what to type next, before any work and with nothing written.
cp "$IMAGE" photo.png

# wrong NAME EXIT MESSAGE COMMAND...: standard error is that one line (an extended regular expression), standard output is empty.
wrong() {
  local name=$1 message=$3 program=$4
  expect "$name" "$2" "^$program: $message$" "${@:4}" || return
  that "$name: one message, nothing else" [ "$(wc -l <err)" = 1 -a ! -s out ]
}

# Names
wrong "a letter too few" 1 "unknown option --promt, did you mean --prompt\?; see vlm-run --help" vlm-run "$PACK" photo.png --promt "<OD>"
wrong "two letters swapped" 1 "unknown option --thraeds, did you mean --threads\?; see vlm-eval --help" vlm-eval "$BUNDLE" --images photo.png --thraeds 2
wrong "one dash" 1 "unknown option -threads, did you mean --threads\?; see vlm-run --help" vlm-run "$PACK" photo.png -threads 2
wrong "underscores" 1 "unknown option --max_new_tokens, did you mean --max-new-tokens\?; see vlm-run --help" vlm-run "$PACK" photo.png --max_new_tokens 4
wrong "the beginning of a name" 1 "unknown option --max-new, did you mean --max-new-tokens\?; see vlm-run --help" vlm-run "$PACK" photo.png --max-new=4
wrong "as others call it" 1 "unknown option --num-beams, did you mean --beams\?; see vlm-run --help" vlm-run "$PACK" photo.png --num-beams 4
wrong "the output in other words" 1 "unknown option --out, did you mean -o\?; see vlm-quantize --help" vlm-quantize "$BUNDLE" --calib "$STATS" -o m.vlmq --out m.vlmq
wrong "an option of another program" 1 "--calib does not belong to this program but to vlm-quantize; see vlm-run --help" vlm-run "$PACK" photo.png --calib "$STATS"
wrong "an option of two other programs" 1 "--max-new-tokens does not belong to this program but to vlm-calibrate, vlm-eval and vlm-run; see vlm-inspect --help" vlm-inspect "$PACK" --max-new-tokens 3
wrong "several at once" 1 "unknown option --promt, did you mean --prompt\?; --threads 0: wanted a whole number from 1 to 256; unknown option --beam, did you mean --beams\?; see vlm-run --help" \
  vlm-run "$PACK" photo.png --promt x --threads 0 --beam 3
wrong "more than can be told" 1 ".*; and 2 more; see vlm-run --help" vlm-run --aaaa --bbbbb --cccccc --ddddddd --eeeeeeee --ffffffff
wrong "typeset dashes" 1 "—threads begins with a typeset dash: type --threads" vlm-run "$PACK" photo.png —threads
wrong "nothing like it" 1 "unknown option --colour; see vlm-run --help" vlm-run "$PACK" photo.png --colour

# Values
wrong "a file behind --json" 1 "--json takes its file behind \"=\": type --json=out.json" vlm-run "$PACK" photo.png --json out.json
wrong "a file behind --json, of two models" 1 "--json takes its file behind \"=\": type --json=out.txt" vlm-eval "$BUNDLE" "$PACK" --images photo.png --json out.txt
wrong "--json= without a file" 1 "--json is empty: wanted FILE" vlm-run "$PACK" photo.png --json=
wrong "no value" 1 "--prompt wants a value: --prompt TEXT" vlm-run "$PACK" photo.png --prompt
wrong "a value that begins with a dash" 1 "--prompt wants a value: write --prompt=-x" vlm-run "$PACK" photo.png --prompt -x
wrong "a decimal comma" 1 "--max-drop 1,5: write 1\.5" vlm-eval "$BUNDLE" "$PACK" --images photo.png --max-drop 1,5
wrong "a percentage above all" 1 "--min-agreement 120%: wanted a number from 0 to 100" vlm-eval "$BUNDLE" "$PACK" --images photo.png --min-agreement 120%
wrong "a number of words" 1 "--level best: wanted a whole number from 1 to 19" vlm-quantize "$BUNDLE" --calib "$STATS" -o m.vlmq --level best
wrong "a level out of range, told before any work" 1 "--level 99: wanted a whole number from 1 to 19" vlm-quantize nowhere --calib nowhere.h5 -o m.vlmq --level 99
wrong "a number that no computer holds" 1 "--seed 99999999999999999999: wanted a whole number from 0 to 9223372036854775807" vlm-eval "$BUNDLE" --images photo.png --seed 99999999999999999999
wrong "a name that is none" 1 "--activations dynmic: known are auto static dynamic none" vlm-quantize "$BUNDLE" --calib "$STATS" -o m.vlmq --activations dynmic
wrong "two different values" 1 "--calib is given twice, .*stats.h5 and other.h5: give it once" vlm-quantize "$BUNDLE" --calib "$STATS" --calib other.h5 -o m.vlmq
wrong "a shape without its size" 1 "--shape batch: wanted DIM=N, such as batch_size=1" vlm-inspect "$MODELS/symbolic.onnx" --shape batch
wrong "an array without its input" 1 "--input x.npy: wanted NAME=FILE.npy" vlm-run "$MODELS/unsorted.onnx" --input x.npy --output-dir o

# What goes together, and what is missing
wrong "the model behind a list" 1 "wanted one model, got 0: --images takes all words behind it, so name the MODEL first; see vlm-calibrate --help" vlm-calibrate -o s.h5 --images photo.png "$BUNDLE"
wrong "no samples" 1 "--images PATH is missing: which samples should be run\? A single graph takes --inputs PATH" vlm-eval "$BUNDLE" "$PACK"
wrong "a budget without a candidate" 1 "--max-drop needs a CANDIDATE: vlm-eval REFERENCE CANDIDATE" vlm-eval "$BUNDLE" --images photo.png --max-drop 1%
wrong "two runs at once" 1 "--verify does not go with --dot: leave one of them out" vlm-inspect "$PACK" --verify --dot m.dot
wrong "a level of nothing" 1 "--level does not go with --codec=raw: leave one of them out" vlm-quantize "$BUNDLE" --calib "$STATS" -o m.vlmq --codec raw --level 3
wrong "options of another kind of model" 1 "--prompt and --beams do not go with a single graph: leave them out" \
  vlm-run "$MODELS/symbolic.onnx" --prompt x --beams 2

# Files
wrong "help as a word" 2 "help: no such file or folder; type --help" vlm-run help
wrong "files that are not there" 2 "one.png: no such file or folder; two.png: no such file or folder" vlm-run "$PACK" one.png two.png
wrong "references that are not there, told before any work" 2 "refs.json: no such file" vlm-eval "$BUNDLE" "$PACK" --images photo.png --refs refs.json
wrong "a folder that is not there" 2 "new/m.vlmq: cannot be written: No such file or directory; make the folder new first" vlm-quantize "$BUNDLE" --calib "$STATS" -o new/m.vlmq
wrong "a file as a folder" 2 "photo.png/m.vlmq: cannot be written: photo.png: Not a directory; give another folder" vlm-quantize "$BUNDLE" --calib "$STATS" -o photo.png/m.vlmq
wrong "two outputs that cannot be written" 2 "a/p: cannot be written: No such file or directory; make the folder a first; b/r: .* first" \
  vlm-quantize "$BUNDLE" --calib "$STATS" -o m.vlmq --save-plan a/p --report b/r
mkdir folder
wrong "a folder as a file" 2 "folder: is a folder, a file name is wanted: --json=folder/NAME" vlm-eval "$BUNDLE" "$PACK" --images photo.png --json=folder
cp "$PACK" packed.vlmq && ln packed.vlmq link.vlmq && ln -s packed.vlmq soft.vlmq && cp packed.vlmq before.vlmq
for name in packed link soft; do
  wrong "the input as output: $name" 1 "the output $name.vlmq is read by this command \(packed.vlmq\); give it another name" \
    vlm-quantize packed.vlmq --activations none -o $name.vlmq
done
same "the input is what it was" before.vlmq packed.vlmq
: >plan.json && ln plan.json again.json
wrong "two outputs that are one file" 1 "--report and --save-plan write the same file, .*; give one of them another name|--save-plan and --report write the same file, .*; give one of them another name" \
  vlm-quantize "$BUNDLE" --calib "$STATS" -o m.vlmq --save-plan plan.json --report again.json
absent "nothing was written" m.vlmq
absent "no JSON was written" out.json

# What looks wrong and is right
expect "-h anywhere is the help" 0 "^Usage:" vlm-run "$PACK" --promt -h
cp photo.png ./-x.png
expect "-- ends the options" 0 "^a " vlm-run "$PACK" --quiet -- -x.png
expect "a name that begins with a dash, behind =" 0 "" vlm-eval "$PACK" --images=-x.png --quiet
expect "a value twice, the same" 0 "^a " vlm-run "$PACK" photo.png --threads 2 --threads=2 --quiet
expect "-vv is -v" 0 "^a " vlm-run "$PACK" photo.png -vv
expect "an empty prompt is one" 0 "" vlm-run "$PACK" photo.png --prompt "" --quiet

# Precisions of a bundle
wrong "a variant that is none" 1 "--variant fp61: known are any fp32 fp16 int8 uint8 quantized q8 q4 q4f16 bnb4" vlm-run "$BUNDLE" photo.png --variant fp61
wrong "a variant that the bundle has not" 2 ".*: no graph comes as q4; there are: fp32" vlm-run "$BUNDLE" photo.png --variant q4
wrong "a variant, misspelt" 1 "unknown option --varient, did you mean --variant\?; see vlm-run --help" vlm-run "$BUNDLE" photo.png --varient q4
