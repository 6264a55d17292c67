"""Decoders in two graphs: `decoder_model` (the whole start sequence) and `decoder_with_past_model` (one token with a cache)."""

import torch
from torch import nn
from transformers import (BlipTextConfig, DynamicCache, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PhiConfig, PhiForCausalLM,
                          Qwen2Config, Qwen2ForCausalLM, TrOCRConfig, TrOCRForCausalLM)
from transformers.models.blip.modeling_blip_text import BlipTextLMHeadModel

from .export import Graph, ids, rand, randomise

VOCAB, WIDTH, ROWS = 64, 24, 10  # ROWS: of an encoder's output
CROSS_WIDTH = 32  # of an encoder whose width differs from the decoder's
STARTS, PASTS = (5, 9), (4, 11)  # start sequences of the first graph, cache lengths of the step graph
BATCH = {0: "batch_size"}


def cache_names(prefix, layers, parts):
    return [f"{prefix}.{i}.{p}" for i in range(layers) for p in parts]


def split(flat, parts):
    return tuple(tuple(flat[i:i + parts]) for i in range(0, len(flat), parts))


# ---- decoder-only: inputs_embeds, attention_mask, position_ids ----

class Embedded(nn.Module):
    """Logits and the new cache, both flat, from embeddings."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, inputs_embeds, attention_mask, position_ids, *past):
        cache = DynamicCache.from_legacy_cache(split(past, 2)) if past else DynamicCache()
        out = self.model(inputs_embeds=inputs_embeds, attention_mask=attention_mask, position_ids=position_ids, past_key_values=cache,
                         use_cache=True)
        return out.logits, *[t for layer in out.past_key_values.to_legacy_cache() for t in layer]


class Tokens(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        self.embedding = embedding

    def forward(self, input_ids):
        return self.embedding(input_ids)


def embedded_set(config, seed, batch, past, new):
    mask = torch.ones(batch, past + new, dtype=torch.int64)
    mask[1:, :2] = 0  # a shorter second prompt, padded at the left
    position = (mask.cumsum(1) - 1).masked_fill(mask == 0, 1)[:, -new:]
    inputs = {"inputs_embeds": rand(seed, batch, new, WIDTH), "attention_mask": mask, "position_ids": position}
    heads = config.num_key_value_heads
    if past:
        for k, name in enumerate(cache_names("past_key_values", config.num_hidden_layers, ("key", "value"))):
            inputs[name] = rand(seed + 1 + k, batch, heads, past, WIDTH // config.num_attention_heads)
    return inputs


def empty_set(config, seed, new):
    inputs = embedded_set(config, seed, 1, 1, new)
    inputs["attention_mask"] = inputs["attention_mask"][:, 1:]
    inputs["position_ids"] = inputs["position_ids"] - 1
    return {n: t[:, :, :0] if n.startswith("past") else t for n, t in inputs.items()}


def embedded_graph(name, model, config, sets, dynamo=False):
    present = cache_names("present", config.num_hidden_layers, ("key", "value"))
    axes = {"inputs_embeds": BATCH | {1: "sequence_length"}, "attention_mask": BATCH | {1: "total_sequence_length"},
            "position_ids": BATCH | {1: "sequence_length"}, "logits": BATCH | {1: "sequence_length"}}
    axes |= {n: BATCH | {2: "past_sequence_length"} for n in sets[0] if n.startswith("past")}
    axes |= {n: BATCH | {2: "past_sequence_length + sequence_length"} for n in present}
    return Graph(name, Embedded(model), sets, ["logits"] + present, axes, dynamo)


def embedded(model, config, seed, merged=False):
    """embed_tokens, and the two graphs or `decoder_model_merged`: one plain graph for any cache, also an empty one."""
    randomise(model, seed)
    words = [{"input_ids": ids(seed + b, VOCAB, b, s)} for b, s in ((1, 5), (2, 3))]
    axes = {n: BATCH | {1: "sequence_length"} for n in ("input_ids", "inputs_embeds")}
    graphs = [Graph("embed_tokens", Tokens(model.get_input_embeddings()), words, ["inputs_embeds"], axes)]
    if merged:
        sets = [embedded_set(config, seed + 3, 2, 3, 4), embedded_set(config, seed + 4, 1, 6, 1), empty_set(config, seed, 4)]
        return graphs + [embedded_graph("decoder_model_merged", model, config, sets)]
    start = [embedded_set(config, seed + 10 * n, b, 0, n) for b, n in zip((1, 2), STARTS)]
    step = [embedded_set(config, seed + 10 * p, b, p, 1) for b, p in zip((2, 1), PASTS)]
    return graphs + [embedded_graph("decoder_model", model, config, start), embedded_graph("decoder_with_past_model", model, config, step)]


COMMON = dict(vocab_size=VOCAB, hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=2, max_position_embeddings=64, pad_token_id=0,
              bos_token_id=1, eos_token_id=2)


def llama(seed, heads=4, kv_heads=4, merged=False, **kw):
    config = LlamaConfig(**COMMON, num_attention_heads=heads, num_key_value_heads=kv_heads, **kw)
    return embedded(LlamaForCausalLM(config), config, seed, merged)


def phi(seed):
    """Partial rotary positions: 32 of 80 in the true size, 4 of 12 here; the block is parallel, the output projection has a bias."""
    config = PhiConfig(**COMMON, num_attention_heads=2, num_key_value_heads=2, partial_rotary_factor=0.4, hidden_act="gelu_new")
    return embedded(PhiForCausalLM(config), config, seed)


def qwen2(seed):
    config = Qwen2Config(**COMMON, num_attention_heads=4, num_key_value_heads=2)
    return embedded(Qwen2ForCausalLM(config), config, seed)


# ---- with cross attention: input_ids, encoder_hidden_states ----

class Crossed(nn.Module):
    def __init__(self, model, parts):
        super().__init__()
        self.model, self.parts = model, parts

    def forward(self, input_ids, encoder_hidden_states, *past):
        out = self.model(input_ids=input_ids, encoder_hidden_states=encoder_hidden_states, use_cache=True, return_dict=True,
                         past_key_values=split(past, len(self.parts)) if past else None)
        return out.logits, *[t for layer in out.past_key_values for t in layer[:len(self.parts)]]


def crossed_set(seed, batch, past, new, layers, parts, heads, encoded):
    inputs = {"input_ids": ids(seed, VOCAB, batch, new), "encoder_hidden_states": rand(seed, batch, ROWS, encoded)}
    if past:
        for k, name in enumerate(cache_names("past_key_values", layers, parts)):
            inputs[name] = rand(seed + 1 + k, batch, heads, ROWS if "encoder" in name else past, WIDTH // heads)
    return inputs


def crossed_graph(name, call, sets, layers):
    present = cache_names("present", layers, call.parts)
    axes = {"input_ids": BATCH | {1: "decoder_sequence_length"}, "encoder_hidden_states": BATCH | {1: "encoder_sequence_length"},
            "logits": BATCH | {1: "decoder_sequence_length"}}
    for n in present + [n for n in sets[0] if n.startswith("past")]:
        past = "past_decoder_sequence_length" + (" + decoder_sequence_length" if n.startswith("present") else "")
        axes[n] = BATCH | {2: "encoder_sequence_length_out" if ".encoder." in n else past}
    return Graph(name, call, sets, ["logits"] + present, axes)


def crossed(model, seed, parts, encoded, layers=2, heads=2):
    call = Crossed(randomise(model, seed), parts)
    start = [crossed_set(seed + 10 * n, b, 0, n, layers, parts, heads, encoded) for b, n in zip((1, 2), STARTS)]
    step = [crossed_set(seed + 10 * p, b, p, 1, layers, parts, heads, encoded) for b, p in zip((2, 1), PASTS)]
    return [crossed_graph("decoder_model", call, start, layers), crossed_graph("decoder_with_past_model", call, step, layers)]


SELF_ONLY, SELF_AND_CROSS = ("key", "value"), ("decoder.key", "decoder.value", "encoder.key", "encoder.value")


def gpt2(seed):
    """GPT-2 computes keys and values of the cross attention anew at each step."""
    config = GPT2Config(vocab_size=VOCAB, n_embd=WIDTH, n_layer=2, n_head=2, n_positions=64, n_inner=48, add_cross_attention=True, bos_token_id=1,
                        eos_token_id=2)
    return crossed(GPT2LMHeadModel(config), seed, SELF_ONLY, WIDTH)


def blip_text(seed):
    config = BlipTextConfig(vocab_size=VOCAB, hidden_size=WIDTH, encoder_hidden_size=CROSS_WIDTH, intermediate_size=64, num_hidden_layers=2,
                            num_attention_heads=2, max_position_embeddings=64, projection_dim=WIDTH, is_decoder=True, bos_token_id=1,
                            eos_token_id=2, sep_token_id=2, pad_token_id=0)
    return crossed(BlipTextLMHeadModel(config), seed, SELF_ONLY, CROSS_WIDTH)


def trocr(seed):
    config = TrOCRConfig(vocab_size=VOCAB, d_model=WIDTH, decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=64,
                         max_position_embeddings=64, cross_attention_hidden_size=CROSS_WIDTH, bos_token_id=1, eos_token_id=2, pad_token_id=0,
                         is_decoder=True)
    return crossed(TrOCRForCausalLM(config), seed, SELF_AND_CROSS, CROSS_WIDTH)
