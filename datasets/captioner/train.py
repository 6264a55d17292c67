#!/usr/bin/env python3
"""Trains the captioner for a given time: python train.py --minutes 80 [--resume]

The learning rate follows the clock, not the step, so the run ends annealed on any machine. Both prompts are trained:
every image with <CAPTION>, a quarter of each batch with <DETAILED_CAPTION>. A head that only exists here predicts which
words the caption holds from the pooled image token: a direct signal for the vision tower while the decoder is still poor.
"""
import argparse
import copy
import json
import math
import os
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F

from common import CACHE, MEAN, PROMPTS, STD, load_tokenizer, split_pixels
from evaluate import greedy
from model import CONFIG, Captioner

START = 2


class Data:
    def __init__(self, seed):
        self.pixels = np.load(CACHE / "train.npy", mmap_mode="r")
        self.texts = json.loads((CACHE / "train.json").read_text())
        self.rng = np.random.default_rng(seed)
        self.noise = torch.randn(1 << 23)
        self.order = np.empty(0, np.int64)

    def batch(self, size):
        if len(self.order) < size:
            self.order = self.rng.permutation(len(self.texts))
        rows, self.order = self.order[:size], self.order[size:]
        return self.augment(self.pixels[rows]), [self.texts[r] for r in rows]

    def augment(self, u8):
        """Shift, brightness, contrast, tint, noise: little enough that every caption stays true."""
        rng, n = self.rng, len(u8)
        u8 = np.pad(u8, ((0, 0), (4, 4), (4, 4), (0, 0)), "edge")
        size, parts = u8.shape[1] - 8, []
        for group in np.array_split(u8, 4):
            dx, dy = rng.integers(0, 9, 2)
            parts.append(group[:, dy:dy + size, dx:dx + size])
        x = torch.from_numpy(np.concatenate(parts)).float()
        gain = torch.from_numpy((rng.uniform(.8, 1.08, (n, 1, 1, 1)) * rng.uniform(.96, 1.04, (n, 1, 1, 3))).astype(np.float32))
        lift = torch.from_numpy(rng.uniform(-14, 14, (n, 1, 1, 1)).astype(np.float32))
        x = x.mul_(gain).add_(lift)
        noisy = n // 3
        at = int(rng.integers(0, len(self.noise) - x[:noisy].numel()))
        x[:noisy] += self.noise[at:at + x[:noisy].numel()].view_as(x[:noisy]) * float(rng.uniform(1, 7))
        x = x.clamp_(0, 255).mul_(1 / 255).sub_(torch.from_numpy(MEAN)).div_(torch.from_numpy(STD))
        return x.permute(0, 3, 1, 2)  # channels-last strides, which suit the CPU convolutions


def padded(ids, device):
    """Labels (-100 behind the end) and decoder inputs, shifted right as BART does it."""
    width = max(len(i) for i in ids)
    labels = torch.full((len(ids), width), -100)
    inputs = torch.ones(len(ids), width, dtype=torch.long)
    for r, i in enumerate(ids):
        labels[r, :len(i)] = torch.tensor(i)
        inputs[r, :len(i)] = torch.tensor([START] + i[:-1])
    return labels.to(device), inputs.to(device)


def text_loss(model, features, prompt, ids):
    labels, inputs = padded(ids, features.device)
    hidden, _ = model.decoder(model.shared(inputs), model.encode(features, prompt), None)
    return F.cross_entropy(model.logits(hidden).flatten(0, 1), labels.flatten(), ignore_index=-100), labels, hidden


def word_loss(head, features, ids, vocab):
    want = torch.zeros(len(ids), vocab, device=features.device)
    for r, i in enumerate(ids):
        want[r, i] = 1
    return F.binary_cross_entropy_with_logits(head(features.mean(1)), want) * 40


def groups(model, head):
    decay = [p for n, p in model.named_parameters() if p.dim() > 1 and "embed" not in n and "shared" not in n and "positions" not in n]
    rest = [p for n, p in model.named_parameters() if not any(p is d for d in decay)]
    return [{"params": decay, "weight_decay": .02}, {"params": rest + list(head.parameters()), "weight_decay": 0.}]


def together(parameters, now, processes):
    """Averages the gradients over the processes; the clock rides along so that all see the same time."""
    grads = [p.grad for p in parameters]
    flat = torch.cat([g.flatten() for g in grads] + [torch.tensor([now])])
    if processes > 1:
        dist.all_reduce(flat)
        flat /= processes
        at = 0
        for g in grads:
            g.copy_(flat[at:at + g.numel()].view_as(g))
            at += g.numel()
    return flat[-1].item()


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--minutes", type=float, default=80)
    args.add_argument("--batch", type=int, default=12, help="images per process and step")
    args.add_argument("--lr", type=float, default=1.1e-3)
    args.add_argument("--resume", action="store_true")
    args.add_argument("--keep", type=float, default=.995, help="weight of the past in the running mean of the weights")
    args.add_argument("--restart-mean", action="store_true", help="begin the running mean anew from the resumed weights")
    # Small layers gain little from a second thread: one single-threaded process per core is about twice as fast.
    args.add_argument("--processes", type=int, default=1 if torch.cuda.is_available() else 2)
    args = args.parse_args()
    if args.processes == 1:
        return work(0, args)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    meeting = CACHE / f"rendezvous{os.getpid()}"
    torch.multiprocessing.spawn(work, (args, str(meeting)), nprocs=args.processes)


def work(rank, args, meeting=None):
    if meeting:
        dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=args.processes)
        torch.set_num_threads(1)
    torch.manual_seed(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tok = load_tokenizer()
    prompts = [tok.encode(p).ids for p in PROMPTS.values()]
    model = Captioner().to(device)
    head = torch.nn.Linear(CONFIG["d_model"], CONFIG["vocab"]).to(device)
    ema = copy.deepcopy(model).eval()
    optimizer = torch.optim.AdamW(groups(model, head), lr=args.lr, betas=(.9, .98), eps=1e-8)
    parameters = list(model.parameters()) + list(head.parameters())
    step, used = 0, 0.0
    path = CACHE / "checkpoint.pt"
    if args.resume:
        state = torch.load(path, map_location=device)
        for part, name in ((model, "model"), (head, "head"), (ema, "ema"), (optimizer, "optimizer")):
            part.load_state_dict(state[name])
        step, used = state["step"], state["used"]
        if args.restart_mean:
            ema.load_state_dict(state["model"])
    data = Data(1000 + step + 7 * rank)
    torch.manual_seed(step + rank)
    if rank == 0:
        _, pixels = split_pixels("validation")
        val = torch.from_numpy(pixels[:60]), canonical("validation", 60), prompts[0], device
    begin, saved, looked, seen, now = time.time() - used, used, used, 0, used
    while now < 60 * args.minutes:
        share = now / (60 * args.minutes)
        lr = args.lr * min(1, (step + 1) / 400) * max(.005, .5 * (1 + math.cos(math.pi * share)))
        for g in optimizer.param_groups:
            g["lr"] = lr
        pixels, texts = data.batch(args.batch)
        features = model.vision(pixels.to(device))
        loss, _, _ = text_loss(model, features, prompts[0], [t[0] for t in texts])
        words = word_loss(head, features, [t[0] for t in texts], CONFIG["vocab"])
        quarter = torch.randperm(len(texts))[:len(texts) // 4].tolist()
        long, _, _ = text_loss(model, features[quarter], prompts[1], [texts[r][1] for r in quarter])
        optimizer.zero_grad(set_to_none=True)
        (loss + .35 * long + .25 * (1 - share) * words).backward()
        now = together(parameters, time.time() - begin, args.processes)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step, seen = step + 1, seen + len(texts) * args.processes
        if rank:
            continue
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), list(model.parameters()), 1 - min(args.keep, (step + 1) / (step + 20)))
        if step % 50 == 0:
            print(f"{now / 60:6.2f} min step {step} lr {lr:.2e} caption {loss.item():.4f} detailed {long.item():.4f} words {words.item():.3f}"
                  f" {seen / (now - used):.1f} images/s", flush=True)
        if now - saved > 120:
            saved = now
            save(path, model, head, ema, optimizer, step, now)
        if now - looked > 600:
            looked = now
            look(ema, *val)
    if rank == 0:
        save(path, model, head, ema, optimizer, step, now)
        look(ema, *val)


def save(path, model, head, ema, optimizer, step, used):
    part = path.with_suffix(".part")
    torch.save({"model": model.state_dict(), "head": head.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict(),
                "step": step, "used": used}, part)
    part.replace(path)


def canonical(name, count):
    """Canonical captions of the first images of a split, from the generator (the order of the references is shuffled)."""
    import scenes
    return [scenes.canonical(scenes.sample(f"{name}/{i}")) for i in range(count)]


def look(ema, pixels, want, prompt, device):
    tok = load_tokenizer()
    got = [tok.decode(ids) for ids in greedy(ema, pixels.to(device), prompt)]
    words = [sum(a == b for a, b in zip(g.split(), w.split())) / len(w.split()) for g, w in zip(got, want)]
    print(f"  validation: {sum(g == w for g, w in zip(got, want))} of {len(got)} verbatim, {100 * sum(words) / len(words):.1f} % words in place", flush=True)
    for g, w in list(zip(got, want))[:4]:
        print("   got ", g, "\n   want", w, flush=True)


if __name__ == "__main__":
    main()
