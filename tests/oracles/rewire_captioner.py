#!/usr/bin/env python3
"""Re-wires the captioner of datasets/captioner/bundle into the other bundle layouts: tests/cli/data/rewired. Needs the package onnx alone.

    trocr/        encoder_model takes pixels (vision, the embedded question and the text encoder in one graph); decoders take input_ids and no mask;
                  merged and separate files
    vit_gpt2/     the same encoder; caches past_key_values.N.key and .value; keys and values of the cross-attention are computed from
                  encoder_hidden_states at each step; merged and separate files
    decoder_only/ vision_encoder, embed_tokens, decoder_model_merged: the first branch runs the text encoder over image and prompt and then the
                  decoder's start token, the other branch is a decoder step
    named/        the separate files with names of their own for files and tensors, no JSON but vlm.json

The arithmetic is that of the bundle, so all of them give the tokens of datasets/captioner/fixtures/expected_tokens.json; tests/cli/test_rewired.c
compares them. No weight is written twice: initializers are external data that points into the files of the bundle (an .onnx file serves as one),
through a link "weights" in each folder.

Usage: .venv/bin/python tests/oracles/rewire_captioner.py                  writes the folders
       .venv/bin/python tests/oracles/rewire_captioner.py --check BUILD    runs BUILD/vlm-run on all test images in every form and compares tokens
"""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import onnx
from onnx import TensorProto as T
from onnx import helper as h

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "datasets/captioner/bundle"
OUT = ROOT / "tests/cli/data/rewired"
LAYERS, HEADS, SIZE, D, VOCAB = 2, 6, 32, 192, 1200
QUESTION = "What does the image describe?"
QUESTION_IDS = [0, 58, 75, 358, 489, 286, 265, 388, 274, 1187, 34, 2]  # <s> … </s>
START = 2
SMALL = 64  # bytes; shorter initializers stay in the file


# ---- parts ----


class Part:
    """A graph of the bundle: nodes without Constant, initializers as (type, dims, place), place = bytes or (file, offset, length)."""

    def __init__(self, name):
        data = (BUNDLE / f"{name}.onnx").read_bytes()
        g = onnx.load_model_from_string(data).graph
        self.nodes, self.init = [], {}
        self.inputs = [i.name for i in g.input]
        self.outputs = [o.name for o in g.output]
        for t in g.initializer:
            self.init[t.name] = (t.data_type, tuple(t.dims), self.place(t, name, data))
        for n in g.node:
            if n.op_type == "Constant":
                t = n.attribute[0].t
                self.init[n.output[0]] = (t.data_type, tuple(t.dims), t.raw_data)
            else:
                self.nodes.append(n)

    @staticmethod
    def place(t, name, data):
        if t.data_location == T.EXTERNAL:
            entries = {e.key: e.value for e in t.external_data}
            return entries["location"], int(entries["offset"]), int(entries["length"])
        assert t.raw_data
        if len(t.raw_data) < SMALL:
            return t.raw_data
        return f"{name}.onnx", data.index(t.raw_data), len(t.raw_data)


class Wiring:
    """A graph that is put together from parts; names get a prefix per part, and short ones when it is written."""

    def __init__(self, prefix=""):
        self.prefix, self.nodes, self.init, self.count = prefix, [], {}, 0

    def add(self, part, given):
        """All nodes of a part; given: what its inputs are here. Returns {output: value}."""
        self.count += 1
        own = f"{self.prefix}{self.count}:"
        name = lambda v: given.get(v, own + v) if v else v
        assert set(part.inputs) == set(given), (part.inputs, given)
        self.init.update({own + k: v for k, v in part.init.items()})
        for n in part.nodes:
            copy = onnx.NodeProto()
            copy.CopyFrom(n)
            copy.name = ""
            copy.input[:] = [name(v) for v in n.input]
            copy.output[:] = [name(v) for v in n.output]
            self.nodes.append(copy)
        return {o: name(o) for o in part.outputs}

    def op(self, kind, *ins, **attrs):
        self.count += 1
        out = f"{self.prefix}{self.count}:{kind}"
        self.nodes.append(h.make_node(kind, list(ins), [out], **attrs))
        return out

    def ints(self, *values):
        name = f"{self.prefix}ints:" + ",".join(map(str, values))
        self.init[name] = (T.INT64, (len(values),), struct.pack(f"<{len(values)}q", *values))
        return name

    def table(self, ids):
        """Rows of the embedding table."""
        name = self.prefix + "table"
        self.init[name] = EMBED.init["shared.weight"]
        return self.op("Gather", name, ids, axis=0)

    def ones(self, like, *axes):
        """An attention mask that hides nothing, with the given dims of a value."""
        dims = self.op("Gather", self.op("Shape", like), self.ints(*axes), axis=0)
        return self.op("ConstantOfShape", dims, value=h.make_tensor("value", T.INT64, [1], [1]))

    def needed(self, outputs):
        """The nodes that the outputs depend on, and their initializers."""
        wanted, nodes = set(outputs), []
        for n in reversed(self.nodes):
            if wanted & set(n.output):
                nodes.insert(0, n)
                wanted |= set(n.input)
        return nodes, {k: v for k, v in self.init.items() if k in wanted}


# ---- writing ----


def info(name, dims, dtype=T.FLOAT):
    return h.make_tensor_value_info(name, dtype, dims)


def initializer(name, value):
    dtype, dims, place = value
    t = T(name=name, data_type=dtype, dims=dims)
    if isinstance(place, bytes):
        t.raw_data = place
        return t
    t.data_location = T.EXTERNAL
    for key, text in zip(("location", "offset", "length"), (f"weights/{place[0]}", str(place[1]), str(place[2]))):
        t.external_data.add(key=key, value=text)
    return t


class Names:
    """Short names; equal initializers share one."""

    def __init__(self):
        self.values, self.weights = {}, {}

    def keep(self, mapping):
        self.values.update(mapping)

    def weight(self, old, value):
        self.values[old] = self.weights.setdefault(value, f"w{len(self.weights)}")

    def of(self, old):
        return self.values.setdefault(old, f"v{len(self.values)}") if old else old

    def node(self, n):
        n.input[:] = [self.of(v) for v in n.input]
        n.output[:] = [self.of(v) for v in n.output]
        return n


def save(path, nodes, names, inputs, outputs):
    inits = [initializer(new, value) for value, new in names.weights.items()]
    graph = h.make_graph(nodes, path.stem, inputs, outputs, inits)
    m = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(m.SerializeToString(deterministic=True))
    onnx.checker.check_model(str(path))


def write(path, wiring, inputs, outputs):
    """outputs: [(info, value)]."""
    nodes, init = wiring.needed([v for _, v in outputs])
    names = Names()
    names.keep({i.name: i.name for i in inputs})
    for old, value in init.items():
        names.weight(old, value)
    names.keep({v: i.name for i, v in outputs})
    save(path, [names.node(n) for n in nodes], names, inputs, [i for i, _ in outputs])


def write_merged(path, first, step, inputs, outputs):
    """first, step: (wiring, {output name: value}); what step does not give is a constant with nothing in it, as the exporter puts there."""
    names, branches = Names(), []
    names.keep({i.name: i.name for i in inputs})
    for wiring, given in (step, first):
        nothing = wiring.op("ConstantOfShape", wiring.ints(0, HEADS, 1, SIZE), value=h.make_tensor("value", T.FLOAT, [1], [0.0]))
        results = [given.get(o.name) or wiring.op("Identity", nothing) for o in outputs]
        nodes, init = wiring.needed(results)
        for old, value in init.items():
            names.weight(old, value)
        infos = [info(names.of(r), [None] * len(o.type.tensor_type.shape.dim)) for r, o in zip(results, outputs)]
        branches.append(h.make_graph([names.node(n) for n in nodes], "with_past" if wiring is step[0] else "no_past", [], infos))
    node = h.make_node("If", ["use_cache_branch"], [o.name for o in outputs], name="optimum::if", then_branch=branches[0], else_branch=branches[1])
    save(path, [node], names, inputs, outputs)


def folder_for(name, links):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "weights").symlink_to(os.path.relpath(BUNDLE, folder))
    for link in links:
        (folder / link).symlink_to(Path("weights") / link)
    return folder


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


# ---- encoder-decoder, decoder with input_ids ----

VISION, EMBED, ENCODER, FIRST, STEP = (Part(n) for n in ("vision_encoder", "embed_tokens", "encoder_model", "decoder_model", "decoder_with_past_model"))
KINDS = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
PIXELS = info("pixel_values", [1, 3, "height", "width"])
IDS = info("input_ids", ["batch_size", "decoder_length"], T.INT64)
STATES = info("encoder_hidden_states", ["batch_size", "encoder_length", D])
LOGITS = info("logits", ["batch_size", "decoder_length", VOCAB])
FLAG = info("use_cache_branch", [1], T.BOOL)


def caches(prefix, kinds):
    return [info(f"{prefix}.{i}.{k}", ["batch_size", HEADS, "encoder_length" if k.startswith("encoder") else f"{prefix}_length", SIZE])
            for i in range(LAYERS) for k in kinds]


def check_question():
    vocab = {i: t for t, i in json.loads((BUNDLE / "tokenizer.json").read_text())["model"]["vocab"].items()}
    assert "".join(vocab[i] for i in QUESTION_IDS[1:-1]).replace("\u0120", " ") == QUESTION


def write_encoder(path):
    w = Wiring()
    image = w.add(VISION, {"pixel_values": "pixel_values"})["image_features"]
    question = w.op("Unsqueeze", w.table(w.ints(*QUESTION_IDS)), w.ints(0))
    x = w.op("Concat", image, question, axis=1)
    out = w.add(ENCODER, {"inputs_embeds": x, "attention_mask": w.ones(x, 0, 1)})
    write(path, w, [PIXELS], [(info("last_hidden_state", [1, "encoder_length", D]), out["last_hidden_state"])])


def first_from_ids():
    w = Wiring("first")
    given = {"inputs_embeds": w.table("input_ids"), "encoder_hidden_states": "encoder_hidden_states",
             "encoder_attention_mask": w.ones("encoder_hidden_states", 0, 1)}
    return w, w.add(FIRST, given)


def step_from_ids():
    w = Wiring("step")
    past = {i: i for i in STEP.inputs if i.startswith("past_key_values")}
    return w, w.add(STEP, {"inputs_embeds": w.table("input_ids"), "encoder_attention_mask": w.ones("past_key_values.0.encoder.key", 0, 2), **past})


def write_decoders(folder, first, step, grown, all_kinds, step_states):
    """first, step: functions that give a wiring and its outputs by name."""
    present, past = caches("present", all_kinds), caches("past_key_values", all_kinds)
    (w, out), given = first(), [LOGITS] + present
    write(folder / "decoder_model.onnx", w, [STATES, IDS], [(o, out[o.name]) for o in given])
    w, out = step()
    write(folder / "decoder_with_past_model.onnx", w, ([STATES] if step_states else []) + [IDS] + past,
          [(o, out[o.name]) for o in [LOGITS] + caches("present", grown)])
    write_merged(folder / "decoder_model_merged.onnx", first(), step(), [STATES, IDS] + past + [FLAG], given)


def encoder_decoder_config(folder, decoder):
    write_json(folder / "config.json", {
        "model_type": "vision-encoder-decoder", "is_encoder_decoder": True, "decoder_start_token_id": START, "encoder": {"model_type": "vit"},
        "decoder": {**decoder, "vocab_size": VOCAB, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}})


JSON_LINKS = ["generation_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"]


def write_trocr():
    folder = folder_for("trocr", JSON_LINKS)
    write_encoder(folder / "encoder_model.onnx")
    write_decoders(folder, first_from_ids, step_from_ids, KINDS[:2], KINDS, False)
    encoder_decoder_config(folder, {"model_type": "trocr", "d_model": D, "decoder_attention_heads": HEADS, "max_position_embeddings": 256})


def plain(name):
    return name.replace(".decoder.", ".")


def first_plain():
    w, out = first_from_ids()
    return w, {plain(k): v for k, v in out.items()}


def step_plain():
    """The cross-attention's keys and values come from the first graph's nodes, which run on the encoder's states once more."""
    w = Wiring("step")
    mask, ids = w.ones("encoder_hidden_states", 0, 1), w.table("input_ids")
    cross = w.add(FIRST, {"inputs_embeds": ids, "encoder_hidden_states": "encoder_hidden_states", "encoder_attention_mask": mask})
    past = {i: cross[i.replace("past_key_values", "present")] if ".encoder." in i else plain(i) for i in STEP.inputs if i.startswith("past_key_values")}
    out = w.add(STEP, {"inputs_embeds": ids, "encoder_attention_mask": mask, **past})
    return w, {plain(k): v for k, v in out.items()}


def write_vit_gpt2():
    folder = folder_for("vit_gpt2", JSON_LINKS)
    (folder / "encoder_model.onnx").symlink_to("../trocr/encoder_model.onnx")
    write_decoders(folder, first_plain, step_plain, ("key", "value"), ("key", "value"), True)
    encoder_decoder_config(folder, {"model_type": "gpt2", "n_embd": D, "n_head": HEADS, "n_positions": 256})


# ---- decoder-only ----


def prefill():
    """Text encoder over image and prompt, then the decoder's start token."""
    w = Wiring("first")
    x = "inputs_embeds"
    states = w.add(ENCODER, {"inputs_embeds": x, "attention_mask": w.ones(x, 0, 1)})["last_hidden_state"]
    start = w.op("Unsqueeze", w.table(w.ints(START)), w.ints(0))
    return w, w.add(FIRST, {"inputs_embeds": start, "encoder_hidden_states": states, "encoder_attention_mask": w.ones(x, 0, 1)})


def step_from_embeddings():
    w = Wiring("step")
    past = {i: i for i in STEP.inputs if i.startswith("past_key_values")}
    return w, w.add(STEP, {"inputs_embeds": "inputs_embeds", "encoder_attention_mask": w.ones("past_key_values.0.encoder.key", 0, 2), **past})


def write_decoder_only():
    folder = folder_for("decoder_only", JSON_LINKS[1:])
    w = Wiring()
    out = w.add(VISION, {"pixel_values": "pixel_values"})
    write(folder / "vision_encoder.onnx", w, [PIXELS], [(info("image_features", [1, "image_length", D]), out["image_features"])])
    w = Wiring()
    write(folder / "embed_tokens.onnx", w, [info("input_ids", ["batch_size", "length"], T.INT64)],
          [(info("inputs_embeds", ["batch_size", "length", D]), w.table("input_ids"))])
    inputs = [info("inputs_embeds", ["batch_size", "length", D]), info("attention_mask", ["batch_size", "total_length"], T.INT64)]
    write_merged(folder / "decoder_model_merged.onnx", prefill(), step_from_embeddings(), inputs + caches("past_key_values", KINDS) + [FLAG],
                 [LOGITS] + caches("present", KINDS))
    # PaliGemma is the family whose image stands before the start token of the prompt, as in the captioner.
    write_json(folder / "config.json", {
        "model_type": "paligemma", "text_config": {"model_type": "gemma", "hidden_size": D, "num_attention_heads": HEADS, "head_dim": SIZE,
                                                   "num_key_value_heads": HEADS, "max_position_embeddings": 256}})
    write_json(folder / "generation_config.json", {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "max_new_tokens": 63})


# ---- own names ----


def copy_named(path, part, names):
    """The part as it is, with other names for inputs and outputs (those that are not in `names` stay)."""
    new = lambda v: names.get(v, v)
    g = onnx.load(BUNDLE / f"{part}.onnx", load_external_data=False).graph
    copy = lambda v: info(new(v.name), [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim], v.type.tensor_type.elem_type)
    w = Wiring()
    out = w.add(Part(part), {i.name: new(i.name) for i in g.input})
    write(path, w, [copy(i) for i in g.input], [(copy(o), out[o.name]) for o in g.output])


def write_named():
    folder = folder_for("named", [])
    cache = {f"{a}.{i}.{kind}.{what}": f"{b}_{theirs}_{what}_{i}" for i in range(LAYERS) for what in ("key", "value")
             for kind, theirs in (("decoder", "self"), ("encoder", "cross")) for a, b in (("past_key_values", "old"), ("present", "new"))}
    decoder = {"inputs_embeds": "vec", "encoder_attention_mask": "m", "logits": "scores"}
    tensors = {"vision": {"pixel_values": "img", "image_features": "feat"}, "embed": {"input_ids": "ids", "inputs_embeds": "vec"},
               "encoder": {"inputs_embeds": "x", "attention_mask": "m", "last_hidden_state": "ctx"},
               "decoder_first": {**decoder, "encoder_hidden_states": "enc", "present": "new_{kind}_{what}_{layer}"},
               "decoder_step": {**decoder, "past": "old_{kind}_{what}_{layer}", "present": "new_{kind}_{what}_{layer}"}}
    files = {"vision": ("eye.onnx", "vision_encoder"), "embed": ("words.onnx", "embed_tokens"), "encoder": ("reader.onnx", "encoder_model"),
             "decoder_first": ("start.onnx", "decoder_model"), "decoder_step": ("next.onnx", "decoder_with_past_model")}
    for key, (file, part) in files.items():
        copy_named(folder / file, part, {**tensors[key], **(cache if key.startswith("decoder") else {})})
    read = json.loads((BUNDLE / "preprocessor_config.json").read_text())
    write_json(folder / "vlm.json", {
        "family": "encoder-decoder", "graphs": {**{k: f for k, (f, _) in files.items()}, "decoder_merged": None}, "tensors": tensors,
        "preprocess": [{"op": "resize", "width": read["size"]["width"], "height": read["size"]["height"], "filter": "bicubic", "fit": "stretch"},
                       {"op": "scale", "by": read["rescale_factor"]}, {"op": "normalize", "mean": read["image_mean"], "std": read["image_std"]},
                       {"op": "layout", "order": "NCHW"}],
        "tokenizer": "weights/tokenizer.json", "prompt": {"default": QUESTION, "image_position": "before"},
        "generation": {"start": START, "bos": 0, "eos": 2, "pad": 1, "forced_bos": 0, "forced_eos": 2, "max_length": 64, "beams": 1}})


# ---- check ----

FORMS = [("trocr", "merged"), ("trocr", "separate"), ("vit_gpt2", "merged"), ("vit_gpt2", "separate"), ("decoder_only", "merged"), ("named", "separate")]


def check(build):
    """How many answers differ; what vlm-run does not answer counts."""
    expected = json.loads((ROOT / "datasets/captioner/fixtures/expected_tokens.json").read_text())
    images = [str(ROOT / "datasets/screens/test" / name) for name in expected]
    bad = 0
    for layout, form in FORMS:
        command = [f"{build}/vlm-run", str(OUT / layout), *images, "--decoder", form, "--json", "--quiet"]
        lines = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        got = {Path(a["image"]).name: a["token_ids"] for a in map(json.loads, lines)}
        different = [name for name in expected if got.get(name) != expected[name]]
        print(f"{layout:13}{form:9} {len(got)} of {len(expected)} images, {len(different)} with other tokens", *different[:3])
        bad += len(different)
    return bad


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        sys.exit(check(sys.argv[2]) != 0)
    check_question()
    write_trocr()
    write_vit_gpt2()
    write_decoder_only()
    write_named()
