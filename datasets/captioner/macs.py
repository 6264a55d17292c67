#!/usr/bin/env python3
"""Multiply-accumulates and parameters of each part: python macs.py"""
import torch
from torch.overrides import TorchFunctionMode

from common import PROMPTS, SIZE, load_tokenizer
from model import Captioner


class Count(TorchFunctionMode):
    total = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name == "conv2d":
            self.total += out.numel() * args[1][0].numel()
        elif name in ("linear", "matmul", "__matmul__", "bmm"):
            self.total += out.numel() * args[0].shape[-1]
        return out


@torch.no_grad()
def main():
    model = Captioner().eval()
    prompt = load_tokenizer().encode(PROMPTS["<CAPTION>"]).ids
    with Count() as c:
        features = model.vision(torch.zeros(1, 3, SIZE, SIZE))
    print(f"vision_encoder   {c.total / 1e6:8.2f} MMAC, {features.shape[1]} image tokens")
    with Count() as c:
        hidden = model.encode(features, prompt)
    print(f"encoder_model    {c.total / 1e6:8.2f} MMAC, {hidden.shape[1]} tokens")
    x = model.shared(torch.tensor([[2]]))
    with Count() as c:
        y, present = model.decoder(x, hidden, None)
        model.logits(y)
    print(f"decoder, step 0  {c.total / 1e6:8.2f} MMAC")
    with Count() as c:
        y, _ = model.decoder(x, hidden, None, present)
        model.logits(y)
    print(f"decoder, step 1  {c.total / 1e6:8.2f} MMAC")
    for name, part in (("vision", model.vision), ("encoder", model.encoder), ("decoder", model.decoder), ("shared", model.shared), ("all", model)):
        print(f"parameters {name:8s} {sum(p.numel() for p in part.parameters()):9d}")


if __name__ == "__main__":
    main()
