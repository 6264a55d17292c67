"""Writes tests/hub/data/chat.json: chat templates, what they are applied to, and what Python's jinja2 says, set up as the transformers library does.

  python -m venv /tmp/v && /tmp/v/bin/pip install jinja2==3.1.6
  /tmp/v/bin/python tests/oracles/make_chat.py

The templates are written here, in the manner of the public ones.
"""
import json
from pathlib import Path

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

OUT = Path(__file__).resolve().parents[1] / "hub" / "data" / "chat.json"

TEMPLATES = {
    "qwen2-vl": """{% set pictures = namespace(value=0) %}{% set films = namespace(value=0) %}{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}<|im_start|>{{ m['role'] }}
{% if m['content'] is string %}{{ m['content'] }}<|im_end|>
{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' or 'image' in c or 'image_url' in c %}{% set pictures.value = pictures.value + 1 %}{% if add_vision_id %}Picture {{ pictures.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>{% elif c['type'] == 'video' %}{% set films.value = films.value + 1 %}<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in c %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}""",
    "llava": """{% for m in messages %}{% if m['role'] != 'system' %}{{ m['role'].upper() + ': ' }}{% endif %}{# pictures first #}{% for c in m['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}{# then the words #}{% if m['role'] != 'assistant' %}{% for c in m['content'] | selectattr('type', 'equalto', 'text') %}{{ c['text'] + ' ' }}{% endfor %}{% else %}{% for c in m['content'] | selectattr('type', 'equalto', 'text') %}{% generation %}{{ c['text'] + ' ' }}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}""",
    "smolvlm": """<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}{% if m['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}{% for line in m['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>
{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}
""",
    "idefics3": """<|begin_of_text|>{% for m in messages -%}
    {{ m.role | title }}{{ ':' if m.content[0].type == 'image' else ': ' }}
    {%- for line in m.content -%}
        {%- if line.type == 'text' -%} {{- line.text -}} {%- elif line.type == 'image' -%} <image> {%- endif -%}
    {%- endfor -%}
    <end_of_utterance>
{% endfor -%}
{% if add_generation_prompt %}Assistant:{% endif %}""",
    "gemma3": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- else -%}
        {%- set first_prefix = messages[0]['content'][0]['text'] + '\\n\\n' -%}
    {%- endif -%}
    {%- set turns = messages[1:] -%}
{%- else -%}
    {%- set first_prefix = "" -%}
    {%- set turns = messages -%}
{%- endif -%}
{%- for m in turns -%}
    {%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Roles must take turns: user, assistant, user, assistant") }}
    {%- endif -%}
    {%- if (m['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = m['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_prefix if loop.first else "") }}
    {%- if m['content'] is string -%}
        {{ m['content'] | trim }}
    {%- elif m['content'] is iterable -%}
        {%- for item in m['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Content is neither text nor a list") }}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model\\n' }}
{%- endif -%}
""",
    "phi3.5-vision": """{% for m in messages %}{{ '<|' + m['role'] + '|>' + '\\n' + m['content'] + '<|end|>\\n' }}{% endfor %}{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}{{ '<|assistant|>\\n' }}{% endif %}""",
    "internvl": """{% for m in messages %}{{ '<|im_start|>' ~ m['role'] ~ '\\n' }}{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' %}{{ '<IMG_CONTEXT>\\n' }}{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
}

# Small ones, each for one rule of the language.
RULES = [
    "a{%- if true -%} b {%- endif %} c", "  {% if true %}\n  x\n  {% endif %}\ny\n", "{% if true %}\n\nx{% endif %}\n\n", " {{- 1 -}} \n z", "a\n  {# note #}\nb\n\n",
    "  {%+ if true %} x {% endif %}", "x{% if true +%}\ny{% endif %}", "a\r\nb{{ 'c' }}\r\n", "{{ 'it''s' }}|{{ \"a\\tb\\u00e9\" }}|{{ 'q\\'q' }}",
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 + 3 * 4 - 1 }} {{ (2 + 3) * 4 }}", "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ 1 == 1 }} {{ 'a' != 'b' }}",
    "{{ not true or true }} {{ true and not false }} {{ none }} {{ missing }}|{{ missing is defined }} {{ missing is not defined }}",
    "{{ 'ab' in 'cabd' }} {{ 'x' not in ['y'] }} {{ 'role' in messages[0] }} {{ 3 in [1, 2] }}",
    "{{ [1, 2, 3][1:] | length }} {{ 'abcdef'[1:4] }} {{ 'abcdef'[::-1] }} {{ 'abcdef'[-2:] }} {{ 'abcdef'[::2] }} {{ [1, 2, 3][-1] }} {{ 'abc'[4:9] }} {{ 'abcdef'[4:1:-2] }}",
    "{% for x in [1, 2, 3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}",
    "{% for x in [] %}x{% else %}none{% endfor %}{% for x in [1, 2, 3, 4] if x % 2 == 0 %}{{ x }}{{ loop.index }}{% endfor %}",
    "{% for k, v in {'a': 1, 'b': 'c'}.items() %}{{ k }}={{ v }} {% endfor %}{% for k in {'x': 1} %}{{ k }}{% endfor %}",
    "{% set x = 1 %}{% for i in range(3) %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "{% set n = namespace(a=1, b='q') %}{% for i in range(1, 4) %}{% set n.a = n.a + i %}{% endfor %}{{ n.a }}{{ n.b }}",
    "{% set t %}  two {{ 1 + 1 }} {% endset %}[{{ t | trim }}]", "{{ ' a b ' | trim | upper | replace(' ', '_') }} {{ 'abc' | length }} {{ 'heLLo wOrld' | capitalize }} {{ 'heLLo wOrld' | title }}",
    "{{ {'a': [1, 'x\\n\"', true, none], 'é': {}} | tojson }}", "{{ '  x '.strip() }}|{{ 'xxay'.lstrip('x') }}|{{ 'a,b,,c'.split(',') | join('-') }}|{{ ' a  b '.split() | join('+') }}|{{ 'a-b-c'.split('-', 1)[1] }}",
    "{{ 'hello'.startswith('he') }} {{ 'hello'.endswith('x') }} {{ 'a' if false else 'b' }} {{ 'c' if true }} {{ 'd' if false }}|", "{{ ['a', 'b'] | join(', ') }} {{ '-'.join(['a', 'b']) }} {{ 'abc' | first }} {{ [1, 2] | last }}",
    "{{ missing | default('x') }} {{ '' | default('y', true) }} {{ 'z' | default('x') }} {{ 5 | string ~ 'a' }} {{ '12' | int + 1 }}", "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{{ messages[0].role }} {{ messages[0]['content'] is string }} {{ messages[0].content is iterable }} {{ messages is mapping }} {{ 3 is number }} {{ none is none }} {{ 3 is odd }}",
    "{{ messages[0].get('x', 'no') }} {{ messages[0].get('role') }} {{ messages | map(attribute='role') | join }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }}",
    "{%- set ns = namespace(found=false) -%}\n{%- for m in messages -%}\n  {%- if m.role == 'user' and not ns.found -%}\n    {%- set ns.found = true -%}\n first {{ loop.index0 }}\n  {%- endif -%}\n{%- endfor -%}", "{{ [1, 2] + [3] == [1, 2, 3] }} {{ {'a': 1} == {'a': 1} }} {{ 'ÄöŁ'[1:] }} {{ 'Äö' | length }}",
    "{{ '{%' }} {{ '}}' }} { % {", "{% if a is defined and a.b %}1{% elif messages | length > 0 %}2{% else %}3{% endif %}", "{{ messages[0]['content'] | trim if messages[0]['content'] is string else 'parts' }}", "{{- bos_token }}{{ eos_token -}}\n",
]
USER = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "  What is this? "}]}]
TALK = [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, *USER, {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
        {"role": "user", "content": [{"type": "text", "text": "Really? ÄÖ \"quoted\""}]}]
PLAIN = [{"role": "user", "content": "<|image_1|>\nWhat?"}]
BROKEN = ["{{ 1", "{% if %}", "{% if true %}", "{% endif %}", "{{ 'open }}", "{% frob %}", "{{ x | frob }}", "{{ x.frob() }}", "{{ missing.a.b }}", "{{ 1 + 'a' }}", "{{ 1 // 0 }}",
          "{# open", "{{ [1 }}", "{{ 1.5 }}", "{% set a.b = 1 %}", "{{ raise_exception('no') }}", "{% macro a() %}{% endmacro %}", "{{ 9223372036854775807 + 1 }}", "{{ [1, 2][::0] }}"]


class Generation(jinja2.ext.Extension):
    """{% generation %} marks text; it says what its body says."""
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def refuse(text):
    raise jinja2.exceptions.TemplateError(text)


def main():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = lambda x: json.dumps(x, ensure_ascii=False)
    env.globals["raise_exception"] = refuse
    cases = []

    def add(template, messages, generate):
        variables = {"messages": messages, "add_generation_prompt": generate, "bos_token": "<bos>", "eos_token": "</s>", "tools": None}
        try:
            expected = {"expected": env.from_string(template).render(**variables)}
        except Exception:
            expected = {"refused": True}
        cases.append({"template": template, "variables": variables, **expected})

    for template in TEMPLATES.values():
        for messages in (USER, TALK, PLAIN):
            for generate in (True, False):
                add(template, messages, generate)
    for template in RULES:
        add(template, PLAIN, True)
    kept = [c for c in cases if "expected" in c and "[{'" not in c["expected"]]
    refused = [c for c in cases if "refused" in c]
    assert len(kept) >= 60, len(kept)
    for template in BROKEN:
        refused.append({"template": template, "variables": {"messages": PLAIN, "x": "t"}, "refused": True})
    OUT.write_text(json.dumps(kept + refused, ensure_ascii=False, indent=0) + "\n")
    print(len(kept), "said,", len(refused), "refused,", OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
