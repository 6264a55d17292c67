#!/usr/bin/env python3
"""Writes the FP32 bundle from the checkpoint's averaged weights: python export.py [checkpoint.pt]

Layout and names are those of the public Florence-2 exports. The graphs stay as the TorchScript exporter writes them.
decoder_model, decoder_with_past_model and decoder_model_merged share one external data file.
"""
import json
import pathlib
import shutil
import sys
import tempfile
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from common import BOS, BUNDLE, CACHE, EOS, MAX_LENGTH, MEAN, PAD, PROMPTS, SIZE, START, STD
from model import CONFIG, Captioner

LAYERS, HEADS = CONFIG["layers"], CONFIG["text_heads"]
HEAD_DIM = CONFIG["d_model"] // HEADS
SHARED_DATA = "decoder_model.onnx_data"
INLINE_BELOW = 1024  # bytes; smaller tensors stay in the .onnx file, as the onnx package does by default


class Embed(torch.nn.Module):
    def __init__(self, m):
        super().__init__()
        self.shared = m.shared

    def forward(self, input_ids):
        return self.shared(input_ids)


class FirstStep(torch.nn.Module):
    def __init__(self, m):
        super().__init__()
        self.m = m

    def forward(self, encoder_attention_mask, encoder_hidden_states, inputs_embeds):
        x, present = self.m.decoder(inputs_embeds, encoder_hidden_states, encoder_attention_mask)
        return (self.m.logits(x), *(t for own, cross in present for t in (*own, *cross)))


class NextStep(torch.nn.Module):
    def __init__(self, m):
        super().__init__()
        self.m = m

    def forward(self, encoder_attention_mask, inputs_embeds, *flat):
        past = [((flat[4 * i], flat[4 * i + 1]), (flat[4 * i + 2], flat[4 * i + 3])) for i in range(LAYERS)]
        # The cross cache is there, so the source is only a sign that this is cross attention.
        x, present = self.m.decoder(inputs_embeds, inputs_embeds, encoder_attention_mask, past)
        return (self.m.logits(x), *(t for own, _ in present for t in own))


def cache_names(prefix, kinds=("decoder", "encoder")):
    return [f"{prefix}.{i}.{kind}.{part}" for i in range(LAYERS) for kind in kinds for part in ("key", "value")]


def cache_axes(names, own):
    return {n: {0: "batch_size", 2: "encoder_sequence_length" if ".encoder." in n else own} for n in names}


def export(module, args, path, inputs, outputs, axes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), args, str(path), input_names=inputs, output_names=outputs, dynamic_axes=axes,
                          opset_version=17, do_constant_folding=True)
    print(path.name, len(onnx.load(path).graph.node), "nodes")


def export_graphs(model, folder):
    b, e, t, p = "batch_size", "encoder_sequence_length", "decoder_sequence_length", "past_decoder_sequence_length"
    d = CONFIG["d_model"]
    export(model.vision, (torch.randn(2, 3, SIZE, SIZE),), folder / "vision_encoder.onnx", ["pixel_values"], ["image_features"],
           {"pixel_values": {0: b, 2: "height", 3: "width"}, "image_features": {0: b, 1: "image_sequence_length"}})
    export(Embed(model), (torch.tensor([[0, 5, 6, 2]] * 2),), folder / "embed_tokens.onnx", ["input_ids"], ["inputs_embeds"],
           {"input_ids": {0: b, 1: "sequence_length"}, "inputs_embeds": {0: b, 1: "sequence_length"}})
    mask, hidden = torch.ones(2, 47, dtype=torch.long), torch.randn(2, 47, d)
    export(model.encoder, (mask, hidden), folder / "encoder_model.onnx", ["attention_mask", "inputs_embeds"], ["last_hidden_state"],
           {"attention_mask": {0: b, 1: e}, "inputs_embeds": {0: b, 1: e}, "last_hidden_state": {0: b, 1: e}})
    present = cache_names("present")
    axes = {"encoder_attention_mask": {0: b, 1: e}, "encoder_hidden_states": {0: b, 1: e}, "inputs_embeds": {0: b, 1: t},
            "logits": {0: b, 1: t}, **cache_axes(present, t)}
    export(FirstStep(model), (mask, hidden, torch.randn(2, 3, d)), folder / "decoder_model.onnx",
           ["encoder_attention_mask", "encoder_hidden_states", "inputs_embeds"], ["logits"] + present, axes)
    past, own = cache_names("past_key_values"), cache_names("present", ("decoder",))
    flat = [torch.randn(2, HEADS, 47 if ".encoder." in n else 5, HEAD_DIM) for n in past]
    axes = {"encoder_attention_mask": {0: b, 1: e}, "inputs_embeds": {0: b}, "logits": {0: b, 1: t},
            **cache_axes(past, p), **cache_axes(own, p + " + 1")}
    export(NextStep(model), (mask, torch.randn(2, 1, d), *flat), folder / "decoder_with_past_model.onnx",
           ["encoder_attention_mask", "inputs_embeds"] + past, ["logits"] + own, axes)


def stays_inside(t):
    """Scalars and integer vectors stay in each branch, as in published merged files."""
    return len(t.dims) == 0 or len(t.dims) == 1 and t.data_type in (TensorProto.INT32, TensorProto.INT64)


def hoist(graph, outer):
    """Moves the branch's weights to the outer graph, one copy per content; the branch reads them by name."""
    rename, keep = {}, []
    for t in graph.initializer:
        if stays_inside(t):
            keep.append(t)
            continue
        key = (t.data_type, tuple(t.dims), numpy_helper.to_array(t).tobytes())
        if key not in outer:
            copy = TensorProto()
            copy.CopyFrom(t)
            copy.name = f"{t.name}_merged_{len(outer)}"
            outer[key] = copy
        rename[t.name] = outer[key].name
    del graph.initializer[:]
    graph.initializer.extend(keep)
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name in rename:
                node.input[i] = rename[name]


def merge(first, following):
    """One graph with one If: then = with past, else = without; as optimum writes it."""
    outer = {}
    for g in (first.graph, following.graph):
        hoist(g, outer)
    first.graph.name, following.graph.name = "no_past", "with_past"
    order = [o.name for o in first.graph.output]
    have = {o.name: o for o in following.graph.output}
    for name in order:
        if name not in have:
            # The cross cache does not change: this branch answers with an empty constant.
            empty = helper.make_tensor("empty", TensorProto.FLOAT, [0, HEADS, 1, HEAD_DIM], [])
            following.graph.node.append(helper.make_node("Constant", [], [name], name="const_tensor", value=empty))
            have[name] = helper.make_tensor_value_info(name, TensorProto.FLOAT, [0, HEADS, 1, HEAD_DIM])
    del following.graph.output[:]
    following.graph.output.extend(have[name] for name in order)
    inputs = {i.name: i for i in list(following.graph.input) + list(first.graph.input)}
    inputs.update({i.name: i for i in first.graph.input})
    names = ["encoder_attention_mask", "encoder_hidden_states", "inputs_embeds"] + cache_names("past_key_values")
    inputs = [inputs[n] for n in names] + [helper.make_tensor_value_info("use_cache_branch", TensorProto.BOOL, [1])]
    outputs = list(first.graph.output)
    for g in (first.graph, following.graph):
        del g.input[:]
    node = helper.make_node("If", ["use_cache_branch"], order, name="optimum::if", then_branch=following.graph, else_branch=first.graph)
    graph = helper.make_graph([node], "merged", inputs, outputs, list(outer.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="vlmq-captioner", ir_version=8)
    return model


class SharedData:
    """One file of weights for several models; equal contents are stored once, 64-byte aligned."""

    def __init__(self, path):
        self.path, self.blob, self.at = path, bytearray(), {}

    def move(self, model):
        for t in model.graph.initializer:
            raw = numpy_helper.to_array(t).tobytes()
            if len(raw) < INLINE_BELOW:
                continue
            if raw not in self.at:
                self.blob += bytes(-len(self.blob) % 64)
                self.at[raw] = len(self.blob)
                self.blob += raw
            offset = self.at[raw]
            for field in ("raw_data", "float_data", "int64_data", "int32_data"):
                t.ClearField(field)
            del t.external_data[:]
            for key, value in (("location", self.path.name), ("offset", offset), ("length", len(raw))):
                t.external_data.add(key=key, value=str(value))
            t.data_location = TensorProto.EXTERNAL

    def write(self):
        self.path.write_bytes(self.blob)


def write_json(name, body):
    (BUNDLE / name).write_text(json.dumps(body, indent=2) + "\n")


def write_configs(model):
    c = CONFIG
    ids = {"bos_token_id": BOS, "pad_token_id": PAD, "eos_token_id": EOS}
    forced = {"decoder_start_token_id": START, "forced_bos_token_id": BOS, "forced_eos_token_id": EOS}
    tokens = (SIZE // 32) ** 2 + 1
    write_json("config.json", {
        "model_type": "florence2", "is_encoder_decoder": True, **ids, "vocab_size": c["vocab"], "projection_dim": c["d_model"],
        "tie_word_embeddings": True, "task_prompts": PROMPTS,
        "vision_config": {
            "model_type": "davit", "depths": c["depths"], "dim_embed": c["dims"], "num_heads": c["heads"], "num_groups": c["groups"],
            "patch_size": [7, 3, 3, 3], "patch_stride": [4, 2, 2, 2], "patch_padding": [3, 1, 1, 1],
            "patch_prenorm": [False, True, True, True], "window_size": c["window"], "mlp_ratio": c["mlp_ratio"],
            "projection_dim": c["d_model"], "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": 50},
            "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": 1},
            "image_feature_source": ["spatial_avg_pool", "temporal_avg_pool"]},
        "text_config": {
            "model_type": "florence2_language", "vocab_size": c["vocab"], "d_model": c["d_model"], "encoder_layers": LAYERS,
            "decoder_layers": LAYERS, "encoder_attention_heads": HEADS, "decoder_attention_heads": HEADS, "encoder_ffn_dim": c["ffn"],
            "decoder_ffn_dim": c["ffn"], "max_position_embeddings": c["max_positions"], "activation_function": "gelu",
            "scale_embedding": False, "normalize_before": False, **ids, **forced}})
    write_json("preprocessor_config.json", {
        "image_processor_type": "CLIPImageProcessor", "image_seq_length": tokens, "do_resize": True, "size": {"height": SIZE, "width": SIZE},
        "resample": 3, "do_center_crop": False, "crop_size": {"height": SIZE, "width": SIZE}, "do_convert_rgb": True, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [.485, .456, .406], "image_std": [.229, .224, .225]})
    write_json("generation_config.json", {**ids, **forced, "num_beams": 1, "no_repeat_ngram_size": 0, "early_stopping": True,
                                          "length_penalty": 1.0, "do_sample": False, "max_length": MAX_LENGTH})
    write_json("tokenizer_config.json", {"tokenizer_class": "BartTokenizer", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>",
                                         "unk_token": "<unk>", "add_prefix_space": False, "clean_up_tokenization_spaces": False})


def load_model(path=None):
    state = torch.load(path or CACHE / "checkpoint.pt", map_location="cpu")
    model = Captioner().eval()
    model.load_state_dict(state["ema"])
    print("step", state["step"], "after", round(state["used"] / 60, 1), "min")
    return model


def main():
    torch.set_num_threads(1)
    model = load_model(sys.argv[1] if len(sys.argv) > 1 else None)
    BUNDLE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        with torch.no_grad():
            export_graphs(model, tmp)
        for name in ("vision_encoder", "embed_tokens", "encoder_model"):
            shutil.copy(tmp / f"{name}.onnx", BUNDLE)
        first, following = (onnx.load(tmp / f"{n}.onnx") for n in ("decoder_model", "decoder_with_past_model"))
        merged = merge(onnx.load(tmp / "decoder_model.onnx"), onnx.load(tmp / "decoder_with_past_model.onnx"))
        data = SharedData(BUNDLE / SHARED_DATA)
        for name, m in (("decoder_model", first), ("decoder_with_past_model", following), ("decoder_model_merged", merged)):
            data.move(m)
            onnx.save(m, BUNDLE / f"{name}.onnx")
        data.write()
    for name in ("decoder_model", "decoder_with_past_model", "decoder_model_merged", "vision_encoder", "encoder_model", "embed_tokens"):
        onnx.checker.check_model(str(BUNDLE / f"{name}.onnx"))
    write_configs(model)
    print("parameters", sum(p.numel() for p in model.parameters()), "bundle", sum(p.stat().st_size for p in BUNDLE.iterdir()) / 1e6, "MB")


if __name__ == "__main__":
    main()
