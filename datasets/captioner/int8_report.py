#!/usr/bin/env python3
"""What naive INT8 does to the captioner: every tensor rounded to 8 bits with min/max ranges from the calibration split.

    python int8_report.py [checkpoint.pt]

Fake quantization in PyTorch: weights symmetric int8, every operator output asymmetric uint8, one scale per tensor.
Left in float: masks, index arithmetic, biases.
"""
import sys

import torch
from torch.overrides import TorchFunctionMode

from common import PROMPTS, load_tokenizer, split_pixels
from evaluate import cider_d, greedy
from export import load_model

NAMES = {"linear", "conv2d", "bmm", "matmul", "__matmul__", "add", "__add__", "gelu", "softmax", "layer_norm", "embedding", "mul", "__mul__", "cat", "mean"}


def round_weight(w, per_channel):
    dims = tuple(range(1, w.dim()))
    top = w.abs().amax(dims, keepdim=True) if per_channel else w.abs().max()
    scale = top.clamp_min(1e-12) / 127
    return torch.clamp(torch.round(w / scale), -127, 127) * scale


class FakeInt8(TorchFunctionMode):
    """Knows an operator by the phase and its number in the phase (every forward pass calls the same sequence)."""

    def __init__(self, model, per_channel):
        super().__init__()
        self.ranges, self.collect, self.phase, self.count = {}, True, "", 0
        for part, name in ((model.vision, "vision"), (model.encoder, "encoder"), (model.decoder, "decoder")):
            part.register_forward_pre_hook(lambda m, a, n=name: self.enter(n, a))
        with torch.no_grad():
            for name, p in model.named_parameters():
                if p.dim() > 1:
                    p.copy_(round_weight(p, per_channel and "positions" not in name))

    def enter(self, name, args):
        first = name == "decoder" and len(args) > 3 and args[3] is None
        self.phase, self.count = name + ("/first" if first else ""), 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") not in NAMES or not isinstance(out, torch.Tensor) or out.dtype != torch.float32:
            return out
        self.count += 1
        key = (self.phase, self.count, func.__name__)
        with torch._C.DisableTorchFunctionSubclass():
            low, high = out.min().item(), out.max().item()
            if self.collect:
                a, b = self.ranges.get(key, (0.0, 0.0))
                self.ranges[key] = min(a, low), max(b, high)
                return out
            if key not in self.ranges or self.ranges[key][0] < -1e30:
                return out
            a, b = self.ranges[key]
            scale = max(b - a, 1e-12) / 255
            zero = round(-a / scale)
            return (torch.clamp(torch.round(out / scale) + zero, 0, 255) - zero) * scale


def main():
    torch.set_num_threads(1 if "--gentle" in sys.argv else 2)
    paths = [a for a in sys.argv[1:] if not a.startswith("-")]
    tok = load_tokenizer()
    prompt = tok.encode(PROMPTS["<CAPTION>"]).ids
    _, calibration = split_pixels("calibration")
    items, pixels = split_pixels("test")
    refs = [i[2] for i in items]
    plain = greedy(load_model(*paths), torch.from_numpy(pixels), prompt)
    print(f"FP32: CIDEr-D {sum(cider_d([tok.decode(i) for i in plain], refs)) / 400:.3f}", flush=True)
    for per_channel in (False, True):
        model = load_model(*paths)
        mode = FakeInt8(model, per_channel)
        with mode:
            greedy(model, torch.from_numpy(calibration[:128]), prompt)
            mode.collect = False
            got = greedy(model, torch.from_numpy(pixels), prompt)
        score = sum(cider_d([tok.decode(i) for i in got], refs)) / len(refs)
        same = sum(a == b for a, b in zip(got, plain))
        print(f"INT8 min/max, weights per {'channel' if per_channel else 'tensor'}: CIDEr-D {score:.3f}, {same} of {len(got)} captions as FP32", flush=True)


if __name__ == "__main__":
    main()
