"""Single graphs without a decoder: BERT and WaveNet."""

import torch
import torch.nn.functional as F
from torch import nn
from transformers import BertConfig, BertModel
from transformers.models.bert.modeling_bert import BertIntermediate, BertSelfAttention

from .export import Graph, ids, rand, randomise
from .vision import Call


def bert_set(vocab, batch, length, short):
    mask = torch.ones(batch, length, dtype=torch.int64)
    mask[-1, length - short:] = 0
    kind = (torch.arange(length) >= length // 2).to(torch.int64).expand(batch, length).contiguous()
    return {"input_ids": ids(length, vocab, batch, length), "attention_mask": mask, "token_type_ids": kind}


def bert(full):
    vocab = 30522 if full else 96
    config = BertConfig() if full else BertConfig(vocab_size=vocab, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                                                  num_attention_heads=4, max_position_embeddings=64)
    model = randomise(BertModel(config), 5)
    inputs, outputs = ("input_ids", "attention_mask", "token_type_ids"), ["last_hidden_state", "pooler_output"]
    axes = {n: {0: "batch_size", 1: "sequence_length"} for n in inputs} | {outputs[0]: {0: "batch_size", 1: "sequence_length"},
                                                                           outputs[1]: {0: "batch_size"}}
    sets = [bert_set(vocab, 1, 128, 9)] if full else [bert_set(vocab, 1, 9, 0), bert_set(vocab, 2, 17, 5)]

    def call(m, i, a, t):
        return m(input_ids=i, attention_mask=a, token_type_ids=t, return_dict=False)

    graphs = [Graph("model", Call(model, call), sets, outputs, axes)]
    if full:
        return graphs
    return graphs + [Graph("functions", Call(model, call), sets, outputs, axes, functions={nn.LayerNorm, BertSelfAttention, BertIntermediate}),
                     Graph("dynamo", Call(model, call), sets[1:], outputs, dynamo=True)]


class WaveNet(nn.Module):
    """Causal convolutions with dilations 1, 2, 4 ... in stacks; gated units, residual and skip paths; logits over mu-law levels."""

    def __init__(self, levels, residual, gate, skip, layers, stacks):
        super().__init__()
        self.start = nn.Conv1d(levels, residual, 1)
        self.dilations = [2**i for i in range(layers)] * stacks
        self.gates = nn.ModuleList(nn.Conv1d(residual, 2 * gate, 2, dilation=d) for d in self.dilations)
        self.residuals = nn.ModuleList(nn.Conv1d(gate, residual, 1) for _ in self.dilations[1:])  # nobody reads that of the last layer
        self.skips = nn.ModuleList(nn.Conv1d(gate, skip, 1) for _ in self.dilations)
        self.end1, self.end2 = nn.Conv1d(skip, skip, 1), nn.Conv1d(skip, levels, 1)

    def forward(self, x):
        x, total = self.start(x), 0
        for dilation, gate, residual, skip in zip(self.dilations, self.gates, [*self.residuals, None], self.skips):
            a, b = gate(F.pad(x, (dilation, 0))).chunk(2, dim=1)
            z = torch.tanh(a) * torch.sigmoid(b)
            total = total + skip(z)
            x = x + residual(z) if residual else x
        return self.end2(F.relu(self.end1(F.relu(total))))


def wave_set(levels, batch, length):
    """Mu-law levels of a noisy tone, one-hot."""
    tone = 0.6 * torch.sin(torch.arange(length) * 0.21) + 0.1 * rand(length, batch, length)
    mu = torch.sign(tone) * torch.log1p((levels - 1) * tone.abs()) / torch.log(torch.tensor(float(levels)))
    level = ((mu.clamp(-1, 1) + 1) / 2 * (levels - 1)).round().long()
    return {"waveform": F.one_hot(level, levels).float().transpose(1, 2).contiguous()}


def wavenet(full):
    """The true size is that of the paper's public implementations: 3 stacks of 10 layers, 32 residual and 512 skip channels."""
    levels = 256 if full else 16
    model = WaveNet(levels, 32, 32, 512, 10, 3) if full else WaveNet(levels, 8, 8, 16, 5, 2)
    model = randomise(model, 6)
    axes = {n: {0: "batch_size", 2: "samples"} for n in ("waveform", "logits")}
    sets = [wave_set(levels, 1, 4096)] if full else [wave_set(levels, 1, 80), wave_set(levels, 2, 47)]
    graphs = [Graph("model", model, sets, ["logits"], axes)]
    return graphs if full else graphs + [Graph("dynamo", model, sets[1:], ["logits"], dynamo=True)]
