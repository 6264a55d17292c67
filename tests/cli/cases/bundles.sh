# What the JSON files of a bundle say, as newer and older versions of the library write them.
FILES=$ROOT/tests/cli/data/cases/bundles
bundle() { rm -rf "$1" && mkdir "$1" && ln -s "$BUNDLE"/* "$1"/; }
vlm-run "$BUNDLE" "$IMAGE" >asis.txt
bundle p && rm p/preprocessor_config.json && cp "$FILES/p_procjson/processor_config.json" p/
vlm-run p "$IMAGE" >p.txt
same "processor_config.json" asis.txt p.txt
expect "it is packed" 0 "" vlm-quantize p --activations none -o p.vlmq
expect "and runs" 0 "." vlm-run p.vlmq "$IMAGE"
bundle n && sed 's/"width": 192/"width": 96/' "$FILES/p_procjson/processor_config.json" >n/processor_config.json
vlm-run n "$IMAGE" >n.txt 2>&1
that "processor_config.json comes before preprocessor_config.json" bash -c '! cmp -s asis.txt n.txt'
bundle g && rm g/config.json g/generation_config.json && cp "$FILES"/g_legacy/*.json g/
expect "a length that generation_config.json does not state" 0 "" vlm-run g "$IMAGE" --json
that "the answer is not cut at 8 tokens" bash -c '[ "$(wc -w <asis.txt)" -gt 8 ] && [ "$(grep -o "\"text\": *\"[^\"]*\"" out | wc -w)" -gt 8 ]'
bundle c && rm c/config.json && cp "$FILES/c_textpad/config.json" c/
vlm-run c "$IMAGE" >c.txt
same "a padding token of -1 is none" asis.txt c.txt
bundle u && sed 's/CLIPImageProcessor/FrobImageProcessor/' "$BUNDLE/preprocessor_config.json" >u.json && rm u/preprocessor_config.json && mv u.json u/preprocessor_config.json
expect "a class that is not known" 2 'image processor "FrobImageProcessor" is not known; state its steps as "preprocess" in vlm.json' vlm-run u "$IMAGE"
