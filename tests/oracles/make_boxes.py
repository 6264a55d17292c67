#!/usr/bin/env python3
"""Writes tests/cli/data/boxes: a model in Florence-2's layout that answers from a table, so that tests know every object beforehand.

The encoder finds which question was asked (the largest embedding over the sequence: one column per question), the decoder counts its cache and
looks the next token up. Nothing is trained; the image only has its size. Objects that belong to the answers: expected.jsonl, one line per task,
for an image of 1000 x 1000 pixels, by the formula of runtime/decode/tasks.h.

Usage: .venv/bin/python tests/oracles/make_boxes.py
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh
from tokenizers import Tokenizer

OUT = Path(__file__).resolve().parents[2] / "tests/cli/data/boxes"
SIDE, LENGTH = 8, 48
BOS, PAD, EOS, UNK = 0, 1, 2, 3

# task: (word of the question that tells it, answer as tokens, objects)
BOX, OTHER, NESTED = [10, 20, 500, 600], [520, 40, 999, 480], [30, 60, 300, 320]
QUAD = [100, 100, 400, 150, 390, 300, 90, 250]
STAR = [500, 100, 900, 800, 100, 800]
HOLE = [700, 150, 850, 150, 775, 300]
TASKS = {
    "<OD>": ("Ġcategory", ["box", BOX, "dog", OTHER, "box", NESTED], [("box", "box", BOX), ("dog", "box", OTHER), ("box", "box", NESTED)]),
    "<OCR_WITH_REGION>": ("Ġregions", ["OPEN", QUAD, "24h", BOX[:2] + OTHER], [("OPEN", "quad", QUAD)]),  # six locations are no quadrilateral
    "<REFERRING_EXPRESSION_SEGMENTATION>": ("Ġmask", [STAR, "<sep>", HOLE], [("", "polygon", STAR), ("", "polygon", HOLE)]),
    "<REGION_PROPOSAL>": ("Ġproposals", [BOX, OTHER], [("", "box", BOX), ("", "box", OTHER)]),
    "<DENSE_REGION_CAPTION>": ("Ġdescriptions", ["nothing"], []),
    "<CAPTION>": ("Ġdescribe", ["box", "Ġand", "Ġdog"], []),
}


def write_json(name, value):
    (OUT / name).write_text(json.dumps(value, indent=1) + "\n")


def answer_tokens(parts):
    return [t for p in parts for t in ([f"<loc_{k}>" for k in p] if isinstance(p, list) else [p])]


def make_vocabulary():
    special = ["<s>", "<pad>", "</s>", "<unk>", "<sep>"]
    words = [w for w, _, _ in TASKS.values()]
    answers = [t for _, parts, _ in TASKS.values() for t in answer_tokens(parts)]
    special += sorted({t for t in answers if t.startswith("<loc_")}, key=lambda t: int(t[5:-1]))
    return list(dict.fromkeys(special + words + answers)), special


def write_tokenizer(vocabulary, special):
    added = [{"id": i, "content": w, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
             for i, w in enumerate(special)]
    frame = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    pair = frame + [{"Sequence": {"id": "B", "type_id": 1}}]
    ids = {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in (("<s>", BOS), ("</s>", EOS))}
    write_json("tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": {"type": "TemplateProcessing", "single": frame, "pair": pair, "special_tokens": ids},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(vocabulary)}, "unk_token": "<unk>"}})


def info(name, dims, dtype=T.FLOAT):
    return h.make_tensor_value_info(name, dtype, dims)


def save(name, nodes, inputs, outputs, init=()):
    graph = h.make_graph(nodes, name, inputs, outputs, [nh.from_array(v, n) for n, v in init])
    m = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(m)
    (OUT / f"{name}.onnx").write_bytes(m.SerializeToString(deterministic=True))


def op(kind, ins, out, **attrs):
    return h.make_node(kind, ins, [out], name=out, **attrs)


def i64(*values):
    return np.array(values, np.int64)


def write_encoders(table):
    k = table.shape[1]
    save("vision_encoder", [op("ReduceMean", ["pixel_values"], "mean", axes=[1, 2, 3], keepdims=1), op("Mul", ["mean", "zero"], "flat"),
                            op("Reshape", ["flat", "one_row"], "row"), op("Expand", ["row", "shape"], "image_features")],
         [info("pixel_values", ["batch_size", 3, SIDE, SIDE])], [info("image_features", ["batch_size", 2, k])],
         [("zero", np.zeros(1, np.float32)), ("one_row", i64(0, 1, 1)), ("shape", i64(1, 2, k))])
    save("embed_tokens", [op("Gather", ["table", "input_ids"], "inputs_embeds")], [info("input_ids", ["batch_size", "length"], T.INT64)],
         [info("inputs_embeds", ["batch_size", "length", k])], [("table", table)])
    save("encoder_model", [op("ReduceMax", ["inputs_embeds"], "last_hidden_state", axes=[1], keepdims=1)],
         [info("attention_mask", ["batch_size", "length"], T.INT64), info("inputs_embeds", ["batch_size", "length", k])],
         [info("last_hidden_state", ["batch_size", "one", k])])


CACHE = ["0.decoder.key", "0.decoder.value", "0.encoder.key", "0.encoder.value"]


def branch(step, k):
    """Position of the token, then the row of the table for the question that was asked. The cache holds the embeddings."""
    p = "then_" if step else "else_"
    new = p + "new"
    nodes = [op("Unsqueeze", ["inputs_embeds", "axis1"], new), op("Unsqueeze", ["encoder_hidden_states", "axis1"], p + "context")]
    grown = new
    if step:
        nodes.append(op("Concat", ["past_key_values.0.decoder.key", new], p + "grown", axis=2))
        grown = p + "grown"
    nodes += [op("Shape", [grown], p + "shape"), op("Gather", [p + "shape", "two"], p + "length"), op("Sub", [p + "length", "c1"], p + "place"),
              op("Gather", ["answers", p + "place"], p + "rows", axis=0),
              op("MatMul", ["encoder_hidden_states", p + "rows"], p + "logits"),
              op("Identity", [grown], p + "k"), op("Identity", [grown], p + "v")]
    outs = [p + "logits", p + "k", p + "v"]
    for name in CACHE[2:]:
        nodes.append(op("Identity", [f"past_key_values.{name}" if step else p + "context"], p + name))
        outs.append(p + name)
    dims = [["batch_size", "length", "vocabulary"]] + [["batch_size", 1, "n", k]] * 4
    return h.make_graph(nodes, p[:-1], [], [info(o, d) for o, d in zip(outs, dims)])


def write_decoder(answers):
    k = answers.shape[1]
    node = h.make_node("If", ["use_cache_branch"], ["logits"] + [f"present.{n}" for n in CACHE], name="optimum::if",
                       then_branch=branch(True, k), else_branch=branch(False, k))
    cache = lambda kind: [info(f"{kind}.{n}", ["batch_size", 1, "encoder_length" if "encoder" in n else "past_length", k]) for n in CACHE]
    save("decoder_model_merged", [node],
         [info("encoder_attention_mask", ["batch_size", "encoder_length"], T.INT64), info("encoder_hidden_states", ["batch_size", "encoder_length", k]),
          info("inputs_embeds", ["batch_size", "length", k])] + cache("past_key_values") + [info("use_cache_branch", [1], T.BOOL)],
         [info("logits", ["batch_size", "length", answers.shape[2]])] + cache("present"),
         [("axis1", i64(1)), ("two", np.array(2, np.int64)), ("c1", np.array(1, np.int64)), ("answers", answers)])


def write_config():
    write_json("config.json", {
        "model_type": "florence2", "is_encoder_decoder": True, "bos_token_id": BOS, "pad_token_id": PAD, "eos_token_id": EOS,
        "projection_dim": len(TASKS), "vision_config": {"model_type": "davit"},
        "text_config": {"model_type": "florence2_language", "d_model": len(TASKS), "decoder_layers": 1, "decoder_attention_heads": 1,
                        "max_position_embeddings": LENGTH, "decoder_start_token_id": EOS}})
    write_json("generation_config.json", {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD, "decoder_start_token_id": EOS,
                                          "forced_bos_token_id": BOS, "forced_eos_token_id": EOS, "max_length": LENGTH})
    write_json("preprocessor_config.json", {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "do_center_crop": False, "size": {"height": SIDE, "width": SIDE}, "resample": 3, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3})


def check_tokens(lines):
    """ONNX Runtime answers the same, one token after the other without a cache."""
    run = ort.InferenceSession(str(OUT / "decoder_model_merged.onnx"), providers=["CPUExecutionProvider"])
    k = len(TASKS)
    feed = {f"past_key_values.{n}": np.zeros((1, 1, 0, k), np.float32) for n in CACHE}
    feed |= {"encoder_attention_mask": np.ones((1, 1), np.int64), "use_cache_branch": np.array([False])}
    for row, line in enumerate(lines):
        wanted = json.loads(line)["token_ids"]
        for n in range(1, len(wanted)):
            feed |= {"encoder_hidden_states": np.eye(k, dtype=np.float32)[None, row:row + 1], "inputs_embeds": np.zeros((1, n, k), np.float32)}
            assert run.run(["logits"], feed)[0].argmax() == wanted[n], (wanted, n)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    vocabulary, special = make_vocabulary()
    ids = {w: i for i, w in enumerate(vocabulary)}
    write_tokenizer(vocabulary, special)
    table = np.zeros((len(vocabulary), len(TASKS)), np.float32)
    answers = np.zeros((LENGTH, len(TASKS), len(vocabulary)), np.float32)
    reader, lines = Tokenizer.from_file(str(OUT / "tokenizer.json")), []
    for k, (task, (word, parts, objects)) in enumerate(TASKS.items()):
        table[ids[word], k] = 1
        tokens = [BOS] + [ids[t] for t in answer_tokens(parts)] + [EOS]
        assert len(tokens) < LENGTH
        for place in range(LENGTH):
            answers[place, k, tokens[place] if place < len(tokens) else EOS] = 1
        items = []
        for i, (label, shape, bins) in enumerate(objects):
            item = {"label": label, shape: [(b + 0.5) * 1000 / 1000 for b in bins]}
            items.append({**item, "instance": 0} if shape == "polygon" else item)
        text = reader.decode(tokens, skip_special_tokens=True).strip()
        lines.append(json.dumps({"task": task, "text": text, "token_ids": [EOS] + tokens, "objects": items}))
    write_encoders(table)
    write_decoder(answers)
    write_config()
    (OUT / "expected.jsonl").write_text("\n".join(lines) + "\n")
    check_tokens(lines)


if __name__ == "__main__":
    main()
