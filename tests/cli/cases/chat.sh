# The chat template of a decoder-only model goes around the prompt, from the folder and from a packed file.
LLAVA=$ROOT/tests/cli/data/layouts/llava
cp -r "$LLAVA" m
cat >m/chat_template.jinja <<'T'
{% for m in messages %}
<s_read> {% for c in m['content'] %}{% if c['type'] == 'image' %}<image> w6 {% else %}{{ c['text'] | trim }}{% endif %}{% endfor %} w7{% if add_generation_prompt %} w8{% endif %}
{% endfor %}
T
vlm-run m "$IMAGE" --prompt "  w9 w10 " >chat.txt
vlm-run "$LLAVA" "$IMAGE" --prompt "<s_read> <image> w6 w9 w10 w7 w8" >written.txt
vlm-run "$LLAVA" "$IMAGE" --prompt "w9 w10" >plain.txt
same "the template is applied" chat.txt written.txt
that "and changes the answer" bash -c '! cmp -s chat.txt plain.txt'
vlm-run m "$IMAGE" --raw-prompt --prompt "w9 w10" >raw.txt
same "--raw-prompt sends what is written" raw.txt plain.txt
vlm-run m "$IMAGE" --prompt "w9 <image> w10" >placed.txt
vlm-run "$LLAVA" "$IMAGE" --prompt "<s_read> w9 <image> w10 w7 w8" >placed_written.txt
same "a prompt that says where the image goes" placed.txt placed_written.txt
expect "it is packed" 0 "" vlm-quantize m --activations none -o chat.vlmq
vlm-run chat.vlmq "$IMAGE" --prompt "w9 w10" >packed.txt
vlm-quantize "$LLAVA" --activations none -o plain.vlmq >/dev/null 2>&1
vlm-run plain.vlmq "$IMAGE" --prompt "<s_read> <image> w6 w9 w10 w7 w8" >packed_written.txt
same "a packed file carries it" packed.txt packed_written.txt
echo '{% macro a() %}{% endmacro %}' >m/chat_template.jinja
expect "a template of no use" 2 'chat_template.jinja: line 1: .*macro.* is not supported; --raw-prompt' vlm-run m "$IMAGE" --prompt "w9"
expect "without it" 0 "" vlm-run m "$IMAGE" --raw-prompt --prompt "w9"
mkdir g && cp "$LLAVA"/*.json g && mkdir g/onnx && cp "$LLAVA"/onnx/*.onnx g/onnx
sed "1s/{/{\"do_sample\": true, \"num_beam_groups\": 2,/" "$LLAVA/generation_config.json" >g/generation_config.json
expect "settings in vain are named" 0 "not applied: do_sample, num_beam_groups" vlm-run g "$IMAGE"
