#!/usr/bin/env python3
"""Builds the architectures that the toolchain is for, with random weights, and writes graphs, inputs and PyTorch's outputs.

Each graph becomes OUT/ARCHITECTURE/GRAPH in the ONNX backend-test layout, so that `vlm-run --check OUT` compares them. No weights are
downloaded. The reduced size keeps the structure (heads, grouped queries, partial rotary positions, patch sizes, stages) and is committed;
the full size is for a temporary folder.

Usage: .venv/bin/python tests/oracles/make_architectures.py [--full --out DIR] [ARCHITECTURE...]
"""

import argparse
import shutil
from pathlib import Path

import torch

from architectures import decoders, single, vision
from architectures.export import write

OUT = Path(__file__).resolve().parents[2] / "tests/cli/data/architectures"
WIDTH, D = decoders.WIDTH, 16  # D: of the reduced vision towers

# Graphs of each architecture at reduced size.
REDUCED = {
    "clip_vit_l14_336": lambda: vision.clip(False),
    "siglip_so400m": lambda: vision.siglip(False),
    "mobilenet_v3": lambda: vision.mobilenet(False),
    "bert_base": lambda: single.bert(False),
    "wavenet": lambda: single.wavenet(False),
    "mobilevlm": lambda: [vision.clip_features(vision.LdpV2(D, WIDTH), 11, 56), vision.ldp_v1(D, WIDTH, 12), *decoders.llama(13)],
    "llava": lambda: [vision.clip_features(vision.mlp2x(D, WIDTH), 21), *decoders.llama(22, merged=True, rms_norm_eps=1e-5)],
    "tinyllava_imp": lambda: [vision.siglip_features(vision.mlp2x(D, WIDTH), 31), *decoders.phi(32)],
    "fastvlm": lambda: [vision.fast_vit(WIDTH, 41), *decoders.qwen2(42)],
    "smolvlm": lambda: [vision.smol_vision(WIDTH, 51), *decoders.llama(52, 4, 2)],
    "blip": lambda: [vision.blip_vision(61), *decoders.blip_text(62)],
    "vit_gpt2": lambda: [vision.vit_encoder(71), *decoders.gpt2(72)],
    "trocr": lambda: [vision.deit_encoder(81), *decoders.trocr(82)],
}
FULL = {
    "clip_vit_l14_336": lambda: vision.clip(True),
    "siglip_so400m": lambda: vision.siglip(True),
    "mobilenet_v3": lambda: vision.mobilenet(True),
    "bert_base": lambda: single.bert(True),
    "wavenet": lambda: single.wavenet(True),
}


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--full", action="store_true", help="true size; needs --out")
    p.add_argument("--out", type=Path, default=None)
    p.add_argument("names", nargs="*", metavar="ARCHITECTURE")
    args = p.parse_args()
    if args.full and not args.out:
        p.error("--full needs --out: these files are not for the repository")
    return args


def main():
    args = options()
    table, lines = FULL if args.full else REDUCED, []
    for name in args.names or table:
        folder = (args.out or OUT) / name
        shutil.rmtree(folder, ignore_errors=True)
        torch.manual_seed(0)
        for graph in table[name]():
            lines.append(f"{name}/{graph.name} {write(graph, folder / graph.name)}".rstrip())
            size = sum(f.stat().st_size for f in (folder / graph.name).rglob("*") if f.is_file())
            print(f"{name}/{graph.name}: {size / 1024:.0f} KiB", flush=True)
    if not args.names:
        ((args.out or OUT) / "macs.txt").write_text("\n".join(lines) + "\n")


main()
