#!/usr/bin/env python3
"""Writes small models with random weights in every bundle layout, and the tokens that ONNX Runtime gives for them, to tests/cli/data/layouts.

    trocr/    encoder_model takes pixels; decoder takes input_ids; cache names .decoder. and .encoder.; merged and separate files
    vit_gpt2/ the same with GPT-2's cache names: cross-attention is computed from encoder_hidden_states at each step; merged and separate files
    llava/    decoder-only: vision_encoder, embed_tokens, one plain decoder_model_merged (RMSNorm, rotary positions, grouped queries)
    named/    vision, embedding, text encoder and decoders whose files and tensors have names of their own: vlm.json takes the separate decoders,
              merged.json (to be put in its place) the merged one

Each folder has expected.json: answers without a cache, by running the whole sequence through the first graph for every token; beam search is
the one of make_search.py. The graphs are written operator by operator in the form that the exporters give them.

Usage: .venv/bin/python tests/oracles/make_layouts.py
"""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

import make_search

OUT = Path(__file__).resolve().parents[2] / "tests/cli/data/layouts"
SIDE, PATCH, D, HEADS, VOCAB = 16, 4, 32, 2, 48
SIZE, TOKENS = D // HEADS, (SIDE // PATCH) ** 2
KV_HEADS, GROUP = 2, 2  # of the decoder-only model
BOS, PAD, EOS, IMAGE = 0, 1, 2, 4
LOW = float(np.finfo(np.float32).min)


class Writer:
    """A graph that grows: each method adds one operator and gives the name of its result."""

    def __init__(self, weights, prefix=""):
        self.weights, self.prefix, self.nodes, self.init, self.count = weights, prefix, [], {}, 0

    def op(self, kind, *ins, out=None, **attrs):
        self.count += 1
        out = out or f"{self.prefix}{kind.lower()}_{self.count}"
        self.nodes.append(h.make_node(kind, list(ins), [out], name=f"{self.prefix}/{kind}_{self.count}", **attrs))
        return out

    def const(self, value, dtype=np.int64):
        value = np.array(value, dtype)
        name = f"c_{dtype.__name__}_{'_'.join(str(v) for v in value.ravel()[:6])}_{value.ndim}".replace("-", "m").replace(".", "p")
        self.init[name] = value
        return name

    def weight(self, name):
        self.init[name] = self.weights[name]
        return name

    def linear(self, x, name, bias=True):
        y = self.op("MatMul", x, self.weight(name + ".w"))
        return self.op("Add", self.weight(name + ".b"), y) if bias else y

    def norm(self, x, name):
        return self.op("LayerNormalization", x, self.weight(name + ".scale"), self.weight(name + ".bias"), axis=-1, epsilon=1e-5)

    def heads(self, x, n=HEADS):
        return self.op("Transpose", self.op("Reshape", x, self.const([0, 0, n, SIZE])), perm=[0, 2, 1, 3])

    def merge(self, x, n=HEADS):
        return self.op("Reshape", self.op("Transpose", x, perm=[0, 2, 1, 3]), self.const([0, 0, n * SIZE]))

    def dim(self, x, axis):
        return self.op("Gather", self.op("Shape", x), self.const(axis), axis=0)

    def unsqueeze(self, x, *axes):
        return self.op("Unsqueeze", x, self.const(list(axes)))

    def gelu(self, x):
        e = self.op("Erf", self.op("Div", x, self.const(2**0.5, np.float32)))
        return self.op("Mul", self.op("Mul", x, self.op("Add", e, self.const(1, np.float32))), self.const(0.5, np.float32))

    def mlp(self, x, name):
        return self.linear(self.gelu(self.linear(x, name + ".up")), name + ".down")

    def attend(self, q, k, v, mask=None, divide=False):
        s = self.op("MatMul", q, self.op("Transpose", k, perm=[0, 1, 3, 2]))
        s = self.op("Div" if divide else "Mul", s, self.const(SIZE**0.5 if divide else SIZE**-0.5, np.float32))
        if callable(mask):
            s = mask(s)
        elif mask:
            s = self.op("Add", s, mask)
        return self.op("MatMul", self.op("Softmax", s, axis=-1), v)


def make_weights(seed):
    rng = np.random.default_rng(seed)
    w = {}

    def lin(name, i, o, gain=1.0):
        w[name + ".w"] = (rng.standard_normal((i, o)) * gain / i**0.5).astype(np.float32)
        w[name + ".b"] = (rng.standard_normal(o) * 0.1).astype(np.float32)

    def norm(name):
        w[name + ".scale"] = (1 + rng.standard_normal(D) * 0.1).astype(np.float32)
        w[name + ".bias"] = (rng.standard_normal(D) * 0.1).astype(np.float32)

    w["patch"] = (rng.standard_normal((D, 3, PATCH, PATCH)) * 0.3).astype(np.float32)
    w["patch.bias"] = (rng.standard_normal(D) * 0.1).astype(np.float32)
    w["image_positions"] = (rng.standard_normal((1, TOKENS, D)) * 0.3).astype(np.float32)
    w["table"] = rng.standard_normal((VOCAB, D)).astype(np.float32)
    w["positions"] = (rng.standard_normal((64, D)) * 0.5).astype(np.float32)
    w["rms"] = (1 + rng.standard_normal(D) * 0.1).astype(np.float32)
    for block in ("image", "text", "self0", "cross0"):
        for part in "qkvo":
            lin(f"{block}.{part}", D, D, 1.5)
        norm(block + ".norm")
    lin("group.q", D, GROUP * KV_HEADS * SIZE, 1.5)
    lin("group.o", GROUP * KV_HEADS * SIZE, D, 1.5)
    lin("group.k", D, KV_HEADS * SIZE, 1.5)
    lin("group.v", D, KV_HEADS * SIZE, 1.5)
    for block in ("image", "text", "ffn0"):
        lin(block + ".up", D, 2 * D)
        lin(block + ".down", 2 * D, D)
        norm(block + ".mlp_norm")
    lin("gate", D, 2 * D)
    norm("final")
    lin("head", D, VOCAB, 3.0)
    return w


def block(w, x, name):
    """A pre-norm encoder layer."""
    y = w.norm(x, name + ".norm")
    q, k, v = (w.heads(w.linear(y, f"{name}.{p}")) for p in "qkv")
    x = w.op("Add", x, w.linear(w.merge(w.attend(q, k, v)), name + ".o"))
    return w.op("Add", x, w.mlp(w.norm(x, name + ".mlp_norm"), name))


def vision(w, pixels):
    x = w.op("Conv", pixels, w.weight("patch"), w.weight("patch.bias"), kernel_shape=[PATCH, PATCH], strides=[PATCH, PATCH])
    x = w.op("Transpose", w.op("Reshape", x, w.const([0, D, -1])), perm=[0, 2, 1])
    return block(w, w.op("Add", x, w.weight("image_positions")), "image")


def causal(w, t):
    """[1, 1, T, T] of 0 and the lowest float."""
    r = w.op("Range", w.const(0), t, w.const(1))
    later = w.op("Less", w.unsqueeze(r, 1), w.unsqueeze(r, 0))
    return w.unsqueeze(w.op("Where", later, w.const(LOW, np.float32), w.const(0, np.float32)), 0, 1)


def cross_mask(w, mask):
    inverse = w.op("Sub", w.const(1, np.float32), w.op("Cast", w.unsqueeze(mask, 1, 2), to=T.FLOAT))
    return w.op("Mul", inverse, w.const(LOW, np.float32))


def decoder(w, x, length, past, states, gpt2, mask=None):
    """One layer after embeddings x [1, T, D]. past: None or names by our names. Returns name of logits and {present: name}."""
    present = {}
    p0 = w.dim(past["0.key" if gpt2 else "0.decoder.key"], 2) if past else w.const(0)
    places = w.op("Range", p0, w.op("Add", p0, length), w.const(1))
    x = w.op("Add", x, w.op("Gather", w.weight("positions"), places, axis=0))
    y = w.norm(x, "self0.norm")
    q, k, v = (w.heads(w.linear(y, f"self0.{p}")) for p in "qkv")
    names = ("0.key", "0.value") if gpt2 else ("0.decoder.key", "0.decoder.value")
    if past:
        k = w.op("Concat", past[names[0]], k, axis=2)
        v = w.op("Concat", past[names[1]], v, axis=2)
    present[names[0]], present[names[1]] = k, v
    if gpt2:  # the causal table is cut to size and chooses between scores and the lowest float
        total = w.op("Add", p0, length)
        w.weights["causal_table"] = np.tril(np.ones((64, 64), bool))[None, None]
        rows = w.op("Slice", w.weight("causal_table"), w.unsqueeze(p0, 0), w.unsqueeze(total, 0), w.const([2]))
        rows = w.op("Slice", rows, w.const([0]), w.unsqueeze(total, 0), w.const([3]))
        a = w.attend(q, k, v, lambda s: w.op("Where", rows, s, w.const(LOW, np.float32)), divide=True)
    else:
        a = w.attend(q, k, v, None if past else causal(w, length))
    x = w.op("Add", x, w.linear(w.merge(a), "self0.o"))
    q = w.heads(w.linear(w.norm(x, "cross0.norm"), "cross0.q"))
    if past and not gpt2:
        k, v = past["0.encoder.key"], past["0.encoder.value"]
    else:
        k, v = (w.heads(w.linear(states, f"cross0.{p}")) for p in "kv")
    if not gpt2 and not past:
        present["0.encoder.key"], present["0.encoder.value"] = k, v
    a = w.attend(q, k, v, cross_mask(w, mask) if mask else None)
    x = w.op("Add", x, w.linear(w.merge(a), "cross0.o"))
    x = w.op("Add", x, w.mlp(w.norm(x, "ffn0.mlp_norm"), "ffn0"))
    return w.linear(w.norm(x, "final"), "head"), present


# ---- models ----


def info(name, dims, dtype=T.FLOAT):
    return h.make_tensor_value_info(name, dtype, dims)


PIXELS = info("pixel_values", ["batch_size", 3, SIDE, SIDE])


def cache_info(names, prefix, heads=HEADS):
    return [info(f"{prefix}.{n}", ["batch_size", heads, "encoder_length" if "encoder" in n else "past_length", SIZE]) for n in names]


def save(path, w, inputs, outputs, external=None, nodes=None, init=None):
    init = w.init if init is None else init
    graph = h.make_graph(w.nodes if nodes is None else nodes, path.stem, inputs, outputs, [nh.from_array(v, n) for n, v in sorted(init.items())])
    m = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(m)
    if external:
        offsets = external["offsets"]
        for t in m.graph.initializer:
            if len(t.raw_data) < 256:
                continue
            if t.raw_data not in offsets:
                offsets[t.raw_data] = external["file"].stat().st_size if external["file"].exists() else 0
                with open(external["file"], "ab") as f:
                    f.write(t.raw_data + b"\0" * (-len(t.raw_data) % 64))
            place = {"location": external["file"].name, "offset": str(offsets[t.raw_data]), "length": str(len(t.raw_data))}
            t.ClearField("raw_data")
            t.data_location = T.EXTERNAL
            for key, value in place.items():
                entry = t.external_data.add()
                entry.key, entry.value = key, value
    path.write_bytes(m.SerializeToString(deterministic=True))


def write_decoders(folder, weights, gpt2, forms, ids=True, mask=False):
    """decoder_model, decoder_with_past_model and decoder_model_merged, weights in one external file."""
    external = {"file": folder / "decoder.onnx_data", "offsets": {}}
    kinds = ("key", "value") if gpt2 else ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
    cache = [f"0.{k}" for k in kinds]
    grown = [n for n in cache if "encoder" not in n]
    states = info("encoder_hidden_states", ["batch_size", "encoder_length", D])
    tokens = info("input_ids", ["batch_size", "length"], T.INT64) if ids else info("inputs_embeds", ["batch_size", "length", D])
    masks = [info("encoder_attention_mask", ["batch_size", "encoder_length"], T.INT64)] if mask else []
    logits = info("logits", ["batch_size", "length", VOCAB])

    def body(step, prefix):
        w = Writer(dict(weights), prefix)
        x = w.op("Gather", w.weight("table"), "input_ids", axis=0) if ids else "inputs_embeds"
        length = w.dim("input_ids" if ids else "inputs_embeds", 1)
        past = {n: f"past_key_values.{n}" for n in cache} if step else None
        out, present = decoder(w, x, length, past, "encoder_hidden_states", gpt2, "encoder_attention_mask" if mask else None)
        return w, out, present

    def finish(w, out, present, names):
        w.op("Identity", out, out="logits")
        for n in names:
            w.op("Identity", present[n], out=f"present.{n}")
        return [logits] + cache_info(names, "present")

    if "separate" in forms:
        w, out, present = body(False, "")
        save(folder / "decoder_model.onnx", w, masks + [states, tokens], finish(w, out, present, cache), external)
        w, out, present = body(True, "")
        need = masks + ([states] if gpt2 else []) + [tokens] + cache_info(cache, "past_key_values")
        save(folder / "decoder_with_past_model.onnx", w, need, finish(w, out, present, grown), external)
    if "merged" in forms:
        outer, branches = {}, {}
        for step in (True, False):
            w, out, present = body(step, "with_past" if step else "no_past")
            outer.update(w.init)
            results = [out] + [present.get(n) for n in cache]
            for i, r in enumerate(results):
                if r is None:  # a constant with nothing in it, as the exporter puts there
                    w.nodes.append(h.make_node("Constant", [], [f"const_{i}"], value=nh.from_array(np.zeros((0, HEADS, 1, SIZE), np.float32))))
                    results[i] = f"const_{i}"
            outs = [h.make_empty_tensor_value_info(r) for r in results]
            for o, kind in zip(outs, [logits] + cache_info(cache, "present")):
                o.type.CopyFrom(kind.type)
                for d in o.type.tensor_type.shape.dim:
                    d.Clear()
            branches[step] = h.make_graph(w.nodes, "with_past" if step else "no_past", [], outs)
        node = h.make_node("If", ["use_cache_branch"], ["logits"] + [f"present.{n}" for n in cache], name="optimum::if",
                           then_branch=branches[True], else_branch=branches[False])
        inputs = masks + [states, tokens] + cache_info(cache, "past_key_values") + [info("use_cache_branch", [1], T.BOOL)]
        w = Writer(weights)
        w.nodes = [node]
        save(folder / "decoder_model_merged.onnx", w, inputs, [logits] + cache_info(cache, "present"), external, init=outer)


# ---- decoder-only ----


def rms(w, x):
    mean = w.op("ReduceMean", w.op("Pow", x, w.const(2, np.float32)), axes=[-1], keepdims=1)
    root = w.op("Sqrt", w.op("Add", mean, w.const(1e-6, np.float32)))
    return w.op("Mul", w.weight("rms"), w.op("Mul", x, w.op("Div", w.const(1, np.float32), root)))


def rotate(w, x, cos, sin):
    half = SIZE // 2
    left = w.op("Slice", x, w.const([0]), w.const([half]), w.const([3]))
    right = w.op("Slice", x, w.const([half]), w.const([2**63 - 1]), w.const([3]))
    turned = w.op("Concat", w.op("Neg", right), left, axis=-1)
    return w.op("Add", w.op("Mul", x, cos), w.op("Mul", turned, sin))


def repeat(w, x):
    """Each key head for GROUP query heads: unsqueeze, expand, reshape, with shapes computed as the exporter does."""
    shape = [w.unsqueeze(w.dim(x, a), 0) for a in range(4)]
    wide = w.op("Concat", shape[0], shape[1], w.const([GROUP]), shape[2], shape[3], axis=0)
    flat = w.op("Concat", shape[0], w.unsqueeze(w.op("Mul", w.dim(x, 1), w.const(GROUP)), 0), shape[2], shape[3], axis=0)
    return w.op("Reshape", w.op("Expand", w.unsqueeze(x, 2), wide), flat)


def llama(w):
    length, total = w.dim("inputs_embeds", 1), w.dim("attention_mask", 1)
    w.weights["frequencies"] = (1.0 / 100.0 ** (np.arange(0, SIZE, 2) / SIZE)).astype(np.float32).reshape(1, 1, SIZE // 2)
    angles = w.op("MatMul", w.unsqueeze(w.op("Cast", "position_ids", to=T.FLOAT), 2), w.weight("frequencies"))
    both = w.unsqueeze(w.op("Concat", angles, angles, axis=-1), 1)
    cos, sin = w.op("Cos", both), w.op("Sin", both)
    # key j is hidden from row i when it comes later or the mask is 0
    keys = w.unsqueeze(w.op("Range", w.const(0), total, w.const(1)), 0, 1, 2)
    rows = w.unsqueeze(w.op("Range", w.op("Sub", total, length), total, w.const(1)), 0, 1, 3)
    hidden = w.op("Or", w.op("Greater", keys, rows), w.op("Equal", w.unsqueeze("attention_mask", 1, 2), w.const(0)))
    mask = w.op("Where", hidden, w.const(LOW, np.float32), w.const(0, np.float32))
    x = "inputs_embeds"
    y = rms(w, x)
    q = rotate(w, w.heads(w.linear(y, "group.q", False), GROUP * KV_HEADS), cos, sin)
    k = rotate(w, w.heads(w.linear(y, "group.k", False), KV_HEADS), cos, sin)
    v = w.heads(w.linear(y, "group.v", False), KV_HEADS)
    k = w.op("Concat", "past_key_values.0.key", k, axis=-2, out="present.0.key")
    v = w.op("Concat", "past_key_values.0.value", v, axis=-2, out="present.0.value")
    a = w.attend(q, repeat(w, k), repeat(w, v), mask, divide=True)
    x = w.op("Add", x, w.linear(w.merge(a, GROUP * KV_HEADS), "group.o", False))
    y = rms(w, x)
    gate = w.linear(y, "gate", False)
    y = w.op("Mul", w.op("Mul", gate, w.op("Sigmoid", gate)), w.linear(y, "ffn0.up", False))
    x = rms(w, w.op("Add", x, w.linear(y, "ffn0.down", False)))
    keep = w.op("Neg", w.unsqueeze("num_logits_to_keep", 0))
    x = w.op("Slice", x, keep, w.const([2**63 - 1]), w.const([1]))
    w.op("MatMul", x, w.weight("head.w"), out="logits")


# ---- JSON files ----


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=True) + "\n")


def tokenizer(folder, name="tokenizer.json"):
    words = ["<s>", "<pad>", "</s>", "<unk>", "<image>", "<s_read>"] + [f"w{i}" for i in range(6, VOCAB)]
    added = [{"id": i, "content": w, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
             for i, w in enumerate(words[:6])]
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [BOS], "tokens": ["<s>"]}}}
    write_json(folder / name, {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": template, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(words)}, "unk_token": "<unk>"}})


def preprocessor(folder):
    write_json(folder / "preprocessor_config.json", {
        "image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": SIDE, "width": SIDE}, "resample": 2,
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3})


def fresh(name):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# ---- expected tokens ----


def images():
    """Pixels by a rule that C can follow: value k of image i is ((k * 37 + i * 101) mod 256) / 128 - 1."""
    k = np.arange(3 * SIDE * SIDE)
    return [(((k * 37 * (1 + i) + i * 101) % 256) / 128 - 1).astype(np.float32).reshape(1, 3, SIDE, SIDE) for i in range(3)]


def session(path):
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def search(logits_of, prompt, beams, limit):
    """Tokens from the last one of the prompt on."""
    case = {"vocab": VOCAB, "prompt": prompt, "eos": [EOS], "max_length": len(prompt) + limit, "beams": beams, "repetition_penalty": 1.0,
            "no_repeat_ngram": 0, "bad_words": [], "min_length": 0, "min_new_tokens": 0, "forced_bos": None, "forced_eos": None, "suppressed": [],
            "length_penalty": 1.0, "early_stopping": False}
    margins = []

    def logits(_, ids):
        row = logits_of(ids)
        top = np.sort(row)[::-1]
        margins.append(float(top[0] - top[1]))
        return torch.from_numpy(row.copy())

    make_search.toy_logits = logits
    ids, _ = make_search.greedy(case) if beams == 1 else make_search.beam(case)
    return ids[len(prompt) - 1:], min(margins)


def expect(folder, rows):
    """rows: (prompt text, start ids, image index, logits function). Writes expected.json; refuses near ties and dull answers."""
    cases = []
    for prompt, start, image, logits_of in rows:
        for beams in (1, 3):
            ids, margin = search(logits_of, start, beams, 12)
            assert beams > 1 or margin > 1e-3, (folder, margin)
            cases.append({"prompt": prompt, "image": image, "beams": beams, "ids": [int(i) for i in ids]})
    answers = {tuple(c["ids"]) for c in cases}
    assert len(answers) > 2 and max(len(set(a)) for a in answers) > 4, answers
    (folder / "expected.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(folder.name, *cases, sep="\n  ")


def cross_logits(folder, states, first):
    run = session(folder / first)
    names = [i.name for i in run.get_inputs()]

    def logits_of(ids):
        ids = np.array([ids], np.int64)
        feed = {"encoder_hidden_states": states, "input_ids": ids, "encoder_attention_mask": np.ones(states.shape[:2], np.int64)}
        return run.run(None, {n: feed[n] for n in names})[0][0, -1]

    return logits_of


# ---- layouts ----


def write_ved(name, seed, gpt2, config):
    folder, weights = fresh(name), make_weights(seed)
    w = Writer(weights)
    x = vision(w, "pixel_values")
    if not gpt2:  # a fixed prompt, baked in: its embeddings follow the image
        weights["baked"] = weights["table"][None, [BOS, 9, 17]]
        x = block(w, w.op("Concat", x, w.weight("baked"), axis=1), "text")
    w.op("Identity", x, out="last_hidden_state")
    save(folder / "encoder_model.onnx", w, [PIXELS], [info("last_hidden_state", [1, "length", D])])
    write_decoders(folder, weights, gpt2, ("merged", "separate"))
    write_json(folder / "config.json", config)
    preprocessor(folder)
    tokenizer(folder)
    encoder, rows = session(folder / "encoder_model.onnx"), []
    for i, pixels in enumerate(images()):
        states = encoder.run(None, {"pixel_values": pixels})[0]
        logits_of = cross_logits(folder, states, "decoder_model.onnx")
        rows.append(("", [EOS], i, logits_of))
        rows.append(("<CAPTION>", [EOS], i, logits_of))
        rows.append(("<s_read> w20 w9", [EOS, 5, 20, 9], i, logits_of))
    expect(folder, rows)


def write_trocr():
    write_ved("trocr", 24, False, {
        "model_type": "vision-encoder-decoder", "is_encoder_decoder": True, "encoder": {"model_type": "vit", "image_size": SIDE},
        "decoder": {"model_type": "trocr", "decoder_start_token_id": EOS, "eos_token_id": EOS, "pad_token_id": PAD, "bos_token_id": BOS,
                    "max_position_embeddings": 64, "d_model": D, "decoder_attention_heads": HEADS}})


def write_vit_gpt2():
    write_ved("vit_gpt2", 30, True, {
        "model_type": "vision-encoder-decoder", "is_encoder_decoder": True, "decoder_start_token_id": EOS, "eos_token_id": EOS,
        "encoder": {"model_type": "vit"}, "decoder": {"model_type": "gpt2", "n_positions": 64, "n_embd": D, "n_head": HEADS}})


def write_llava():
    folder, weights = fresh("llava"), make_weights(41)
    (folder / "onnx").mkdir()
    w = Writer(weights)
    w.op("Identity", vision(w, "pixel_values"), out="image_features")
    save(folder / "onnx/vision_encoder.onnx", w, [PIXELS], [info("image_features", [1, TOKENS, D])])
    w = Writer(weights)
    w.op("Gather", w.weight("table"), "input_ids", axis=0, out="inputs_embeds")
    save(folder / "onnx/embed_tokens.onnx", w, [info("input_ids", ["batch_size", "length"], T.INT64)], [info("inputs_embeds", [1, "length", D])])
    w = Writer(weights)
    llama(w)
    inputs = [info("inputs_embeds", ["batch_size", "length", D]), info("attention_mask", ["batch_size", "total_length"], T.INT64),
              info("position_ids", ["batch_size", "length"], T.INT64), info("num_logits_to_keep", [], T.INT64)]
    # heads and head size are symbolic in the graph: config.json states them
    for n in ("key", "value"):
        inputs.append(info(f"past_key_values.0.{n}", ["batch_size", "kv_heads", "past_length", "head_size"]))
    outputs = [info("logits", ["batch_size", "kept", VOCAB])] + [info(f"present.0.{n}", ["batch_size", KV_HEADS, "total_length", SIZE]) for n in ("key", "value")]
    save(folder / "onnx/decoder_model_merged.onnx", w, inputs, outputs)
    write_json(folder / "config.json", {
        "model_type": "llava", "image_token_index": IMAGE, "vision_config": {"model_type": "clip_vision_model"},
        "text_config": {"model_type": "llama", "hidden_size": D, "num_attention_heads": GROUP * KV_HEADS, "num_key_value_heads": KV_HEADS, "head_dim": SIZE,
                        "max_position_embeddings": 64}})
    write_json(folder / "generation_config.json", {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD})
    preprocessor(folder)
    tokenizer(folder)

    look, run, rows = session(folder / "onnx/vision_encoder.onnx"), session(folder / "onnx/decoder_model_merged.onnx"), []
    for i, pixels in enumerate(images()):
        features = look.run(None, {"pixel_values": pixels})[0][0]

        def logits_of(ids, features=features):
            embeds = weights["table"][ids].copy()
            embeds[[k for k, t in enumerate(ids) if t == IMAGE]] = features
            n, empty = len(ids), np.zeros((1, KV_HEADS, 0, SIZE), np.float32)
            mask = np.ones((1, n), np.int64)
            return run.run(None, {"inputs_embeds": embeds[None], "attention_mask": mask, "position_ids": np.cumsum(mask, 1) - 1,
                                  "num_logits_to_keep": np.array(1), "past_key_values.0.key": empty, "past_key_values.0.value": empty})[0][0, -1]

        look_here = [IMAGE] * TOKENS
        rows += [("w7 <image> w30 w8", [BOS, 7] + look_here + [30, 8], i, logits_of),
                 ("w7 {image} w30 w8", [BOS, 7] + look_here + [30, 8], i, logits_of),
                 ("w11 w12", [BOS] + look_here + [11, 12], i, logits_of)]
    expect(folder, rows)


def rename(graph, new):
    for part in [*graph.input, *graph.output]:
        part.name = new.get(part.name, part.name)
    for n in graph.node:
        for part in (n.input, n.output):
            for i, v in enumerate(part):
                part[i] = new.get(v, v)
        for a in n.attribute:
            if a.type == onnx.AttributeProto.GRAPH:
                rename(a.g, new)


def write_named():
    """Names of its own for everything; embeddings outside of the decoder, attention masks in it."""
    folder, weights = fresh("named"), make_weights(58)
    w = Writer(weights)
    w.op("Identity", vision(w, "img"), out="feat")
    save(folder / "eye.onnx", w, [info("img", ["b", 3, SIDE, SIDE])], [info("feat", ["b", TOKENS, D])])
    w = Writer(weights)
    w.op("Gather", w.weight("table"), "ids", axis=0, out="vec")
    save(folder / "words.onnx", w, [info("ids", ["b", "n"], T.INT32)], [info("vec", ["b", "n", D])])
    w = Writer(weights)
    places = w.op("Range", w.const(0), w.dim("x", 1), w.const(1))
    x = w.op("Add", "x", w.op("Gather", w.weight("positions"), places, axis=0))  # so that the order of image and prompt matters
    w.op("Identity", block(w, x, "text"), out="ctx")
    save(folder / "reader.onnx", w, [info("x", ["b", "n", D])], [info("ctx", ["b", "n", D])])
    write_decoders(folder, weights, False, ("separate", "merged"), ids=False, mask=True)
    # Other names; "logits" and "ids" in places where they mislead.
    new = {"inputs_embeds": "vec", "encoder_hidden_states": "enc", "encoder_attention_mask": "m", "logits": "scores"}
    for kind, theirs in (("decoder", "self"), ("encoder", "cross")):
        for what in ("key", "value"):
            new[f"past_key_values.0.{kind}.{what}"] = f"old_{theirs}_{what}_0"
            new[f"present.0.{kind}.{what}"] = f"new_{theirs}_{what}_0"
    for old, name in (("decoder_model", "start"), ("decoder_with_past_model", "next"), ("decoder_model_merged", "both")):
        m = onnx.load(folder / f"{old}.onnx", load_external_data=False)
        own = dict(new)
        if name == "both":  # an inner value of a branch has the name that an input is going to get
            own[m.graph.node[0].attribute[0].g.node[0].output[0]] = "encoder_hidden_states"
        else:
            own[m.graph.node[0].output[0]] = "logits"
        rename(m.graph, own)
        (folder / f"{name}.onnx").write_bytes(m.SerializeToString(deterministic=True))
        (folder / f"{old}.onnx").unlink()
    decoder_names = {"inputs_embeds": "vec", "encoder_attention_mask": "m", "logits": "scores", "present": "new_{kind}_{what}_{layer}"}
    manifest = {
        "family": "encoder-decoder",
        "graphs": {"vision": "eye.onnx", "embed": "words.onnx", "encoder": "reader.onnx", "decoder_first": "start.onnx", "decoder_step": "next.onnx",
                   "decoder_merged": None},
        "tensors": {"vision": {"pixel_values": "img", "image_features": "feat"}, "embed": {"input_ids": "ids", "inputs_embeds": "vec"},
                    "encoder": {"inputs_embeds": "x", "last_hidden_state": "ctx"},
                    "decoder_first": {**decoder_names, "encoder_hidden_states": "enc"},
                    "decoder_step": {**decoder_names, "past": "old_{kind}_{what}_{layer}"}},
        "preprocess": [{"op": "resize", "width": SIDE, "height": SIDE, "filter": "bilinear", "fit": "stretch"}, {"op": "scale", "by": 1 / 255},
                       {"op": "normalize", "mean": [0.5] * 3, "std": [0.5] * 3}, {"op": "layout", "order": "NCHW"}],
        "tokenizer": "vocabulary.json", "prompt": {"default": "w40 w41", "image_position": "after"},
        "generation": {"start": EOS, "bos": BOS, "eos": EOS, "pad": PAD, "max_length": 40}}
    write_json(folder / "vlm.json", manifest)
    graphs, tensors = manifest["graphs"], manifest["tensors"]
    del graphs["decoder_first"], graphs["decoder_step"], tensors["decoder_first"], tensors["decoder_step"]
    graphs["decoder_merged"] = "both.onnx"
    tensors["decoder_merged"] = {**decoder_names, "encoder_hidden_states": "enc", "past": "old_{kind}_{what}_{layer}"}
    write_json(folder / "merged.json", manifest)
    tokenizer(folder, "vocabulary.json")

    look, read, rows = session(folder / "eye.onnx"), session(folder / "reader.onnx"), []
    for i, pixels in enumerate(images()):
        features = look.run(None, {"img": pixels})[0]
        for prompt, ids in (("", [BOS, 40, 41]), ("w9", [BOS, 9])):
            joined = np.concatenate([weights["table"][ids][None], features], 1)
            states = read.run(None, {"x": joined})[0]
            run = session(folder / "start.onnx")
            names = [n.name for n in run.get_inputs()]

            def logits_of(ids, states=states, run=run, names=names):
                feed = {"vec": weights["table"][ids][None], "enc": states, "m": np.ones(states.shape[:2], np.int64)}
                return run.run(["scores"], {n: feed[n] for n in names})[0][0, -1]

            rows.append((prompt, [EOS], i, logits_of))
    expect(folder, rows)


if __name__ == "__main__":
    write_trocr()
    write_vit_gpt2()
    write_llava()
    write_named()
