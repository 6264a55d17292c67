# Options in a file: what is printed can be given back and makes the same bytes; the command line wins; mistakes are told with the file's name.
cat >recipe.json <<END
{"calib": "$STATS", "level": 3, "vlm-quantize": {"keep": ["*mlp/fc2*", "*fc1*"], "everything": false, "range": "minmax", "quiet": true},
 "vlm-eval": {"gate": "point"}, "threads": 1}
END
expect "config: quantize" 0 '' vlm-quantize "$BUNDLE" --config recipe.json -o a.vlmq
expect "config: the same options typed" 0 '' vlm-quantize "$BUNDLE" --calib "$STATS" --level 3 --keep '*mlp/fc2*' --keep '*fc1*' --range minmax --quiet --threads 1 -o b.vlmq
same "config: the same bytes as typed options" a.vlmq b.vlmq
expect "config: what was given is printed" 0 '"range": "minmax"' vlm-quantize --config recipe.json --print-config -o a.vlmq
cp out printed.json
expect "config: a printed file" 0 '' vlm-quantize "$BUNDLE" --config printed.json --output c.vlmq
same "config: and its bytes" a.vlmq c.vlmq
expect "config: printed again" 0 '' vlm-quantize --config printed.json --print-config
same "config: nothing is lost in print" out printed.json
expect "config: the line wins" 0 '"range": "mse"' vlm-quantize --config recipe.json --print-config --range mse
expect "config: the packed file tells the recipe" 0 "[-][-]range minmax.*--keep '\*mlp/fc2\*' --keep '\*fc1\*'.*--level 3" vlm-inspect a.vlmq
expect "config: typed on the line, a list is not added to" 0 '"keep": \[' vlm-quantize --config recipe.json --print-config --keep x
if grep -q fc1 out; then fail "config: a typed list stands alone" out; else pass "config: a typed list stands alone"; fi
expect "config: --json into a file" 0 '"json": "x.json"' vlm-inspect --json=x.json --print-config
expect "config: --json" 0 '"json": true' vlm-inspect --json --print-config

# Mistakes.
wrong() { # wrong NAME JSON PATTERN
  printf '%s' "$2" >wrong.json
  expect "config: $1" "${4:-1}" "^vlm-quantize: wrong.json: $3" vlm-quantize "$BUNDLE" --config wrong.json -o w.vlmq
}
wrong "an unknown option" '{"wieghts": "s8"}' 'unknown option "wieghts", did you mean "weights"\?'
wrong "an option of another program" '{"holdout": 5}' 'vlm-quantize has no option "holdout"'
wrong "a file in the file" '{"config": "x"}' 'vlm-quantize has no option "config"'
wrong "a number out of range" '{"level": 99}' '--level 99: wanted a whole number from 1 to 19$'
wrong "a fraction" '{"level": 1.5}' '--level 1.5: wanted a whole number'
wrong "text for a number" '{"level": true}' '"level": wanted a number$'
wrong "a number for text" '{"keep": [1]}' '"keep": wanted text$'
wrong "a flag that is none" '{"strict": 1}' '"strict": wanted true or false$'
wrong "several at once" '{"strict": 1, "level": 0}' '"strict": wanted true or false; wrong.json: --level 0: wanted'
wrong "a section that is none" '{"vlm-quantize": 1}' 'vlm-quantize: wanted an object of options' 2
wrong "no object" '["--weights"]' 'wanted an object of options' 2
wrong "no JSON" '{"weights": }' 'line 1 column' 2
expect "config: no file" 2 "^vlm-quantize: none.json: cannot be opened" vlm-quantize "$BUNDLE" --config none.json -o w.vlmq
expect "config: options of the file are checked together" 1 "^vlm-quantize: --codec raw does not go with|--level" vlm-quantize "$BUNDLE" --config recipe.json --codec raw -o w.vlmq
absent "config: mistakes write nothing" w.vlmq
