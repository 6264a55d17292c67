#!/usr/bin/env python3
"""Search results to compare with: greedy and beam search of transformers, restated with torch tensors step by step (generation/utils.py and
generation/logits_process.py of version 4.50), run on a scripted model whose logits are a hash of the ids so far.

Writes tests/decode/data/search.json: a list of {options…, "ids", "score"}.
Usage: .venv/bin/python tests/oracles/make_search.py
"""

import json
import random
from pathlib import Path

import torch

MASK = (1 << 64) - 1


def mix(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def toy_logits(case, ids):
    """float32 values in [-8, 8) with 16 fractional bits, so exact in every language; end tokens are lifted by "eos_bias"."""
    h = case["seed"]
    for i in ids[-case["memory"] :]:
        h = mix((h * 31 + i + 0x9E3779B97F4A7C15) & MASK)
    values = [(mix((h + v * 0xD1342543DE82EF95) & MASK) >> 44) / 65536.0 - 8.0 for v in range(case["vocab"])]
    for e in case["eos"]:
        values[e] += case["eos_bias"]
    return torch.tensor(values, dtype=torch.float32)


def process(case, ids, scores):
    """The logits processors, in the library's order, on one row."""
    inf = -float("inf")
    scores = scores.clone()
    n = len(ids)
    if case["repetition_penalty"] != 1.0:
        index = torch.tensor(sorted(set(ids)))
        s = scores[index]
        scores[index] = torch.where(s < 0, s * case["repetition_penalty"], s / case["repetition_penalty"])
    k = case["no_repeat_ngram"]
    if k and n + 1 >= k:
        ngrams = {}
        for gram in zip(*[ids[i:] for i in range(k)]):
            ngrams.setdefault(tuple(gram[:-1]), []).append(gram[-1])
        for banned in ngrams.get(tuple(ids[n + 1 - k : n]), []):
            scores[banned] = inf
    for b in case["bad_words"]:
        scores[b] = inf
    if n < case["min_length"]:
        scores[case["eos"]] = inf
    if n - len(case["prompt"]) < case["min_new_tokens"]:
        scores[case["eos"]] = inf
    if case["forced_bos"] is not None and n == 1:
        scores = torch.full_like(scores, inf)
        scores[case["forced_bos"]] = 0
    if case["forced_eos"] is not None and n == case["max_length"] - 1:
        scores = torch.full_like(scores, inf)
        scores[case["forced_eos"]] = 0
    for s in case["suppressed"]:
        scores[s] = inf
    return scores


def greedy(case):
    ids = list(case["prompt"])
    while True:
        ids.append(int(torch.argmax(process(case, ids, toy_logits(case, ids)))))
        if ids[-1] in case["eos"] or len(ids) >= case["max_length"]:
            return ids, 0.0


def stable_topk(values, k):
    """Like torch.topk, with ties in index order."""
    order = sorted(range(len(values)), key=lambda i: (-values[i].item(), i))[:k]
    return values[order], order


def beam(case):
    n_beams, vocab, max_length, penalty = case["beams"], case["vocab"], case["max_length"], case["length_penalty"]
    early = case["early_stopping"]
    prompt_len = cur_len = len(case["prompt"])
    keep = max(2, 1 + len(case["eos"])) * n_beams
    running = [list(case["prompt"]) for _ in range(n_beams)]
    running_scores = torch.zeros(n_beams)
    running_scores[1:] = -1e9
    sequences = [list(case["prompt"]) for _ in range(n_beams)]
    scores = torch.full((n_beams,), -1e9)
    finished = [False] * n_beams
    unsatisfied = True
    while True:
        rows = []
        for b in range(n_beams):
            row = process(case, running[b], torch.log_softmax(toy_logits(case, running[b]), dim=-1))
            rows.append(row + running_scores[b])
        top, index = stable_topk(torch.cat(rows), keep)
        candidates = [running[i // vocab] + [i % vocab] for i in index]
        hits = torch.tensor([c[-1] in case["eos"] or len(c) >= max_length for c in candidates])
        going = top + hits.to(torch.float32) * -1.0e9
        next_scores, chosen = stable_topk(going, n_beams)
        next_running = [candidates[i] for i in chosen]
        just_finished = hits & (torch.arange(keep) < n_beams)
        final = top / ((cur_len + 1 - prompt_len) ** penalty)
        if all(finished) and early is True:
            final = final - 1.0e9
        if not unsatisfied:
            final = final - 1.0e9
        final = final + (~just_finished).to(torch.float32) * -1.0e9
        scores, chosen = stable_topk(torch.cat([scores, final]), n_beams)
        everything, flags = sequences + candidates, finished + just_finished.tolist()
        sequences, finished = [everything[i] for i in chosen], [flags[i] for i in chosen]
        running, running_scores = next_running, next_scores
        cur_len += 1
        length = max_length - prompt_len if early == "never" and penalty > 0 else cur_len - prompt_len
        best = running_scores[0] / (length**penalty)
        worst = torch.where(torch.tensor(finished), scores.min(), torch.tensor(-1.0e9))
        unsatisfied = unsatisfied and bool((best > worst).any())
        if not (unsatisfied and not (all(finished) and early is True) and not bool(hits.all())):
            return sequences[0], float(scores[0])


def make_case(rng):
    vocab = rng.choice([12, 20, 50, 200])
    prompt = rng.choice([[2], [2], [2], [2, 0], [5, 7, 5]])
    case = {
        "seed": rng.randrange(1 << 48),
        "memory": rng.choice([1, 2, 50]),
        "vocab": vocab,
        "prompt": prompt,
        "eos": rng.choice([[2], [2], [2], [2, 3], [2, 3, 4]]),
        "eos_bias": rng.choice([0.0, 4.0, 8.0, 10.0]),
        "beams": rng.choice([1, 2, 3, 3, 3, 4, 5]),
        "max_length": len(prompt) + rng.choice([1, 2, 4, 8, 12, 20]),
        "length_penalty": rng.choice([1.0, 1.0, 1.0, 0.0, 2.0, -1.0, 0.6, 1.5]),
        "early_stopping": rng.choice([True, True, False, False, "never"]),
        "no_repeat_ngram": rng.choice([0, 3, 3, 2, 1]),
        "repetition_penalty": rng.choice([1.0, 1.0, 1.2, 0.8]),
        "forced_bos": rng.choice([None, 0]),
        "forced_eos": rng.choice([None, 2]),
        "min_length": rng.choice([0, 0, 4]),
        "min_new_tokens": rng.choice([0, 0, 3]),
        "suppressed": rng.choice([[], [], [6, 7]]),
        "bad_words": rng.choice([[], [], [8]]),
    }
    if case["no_repeat_ngram"] == 1 and case["max_length"] > vocab // 2:
        case["no_repeat_ngram"] = 2
    return case


def main():
    rng = random.Random(7)
    cases = []
    for _ in range(400):
        case = make_case(rng)
        ids, score = greedy(case) if case["beams"] == 1 else beam(case)
        # A score that is no finite sum says that no sequence was possible: nothing to compare.
        if score < -1e8:
            continue
        cases.append({**case, "ids": ids, "score": score})
    path = Path(__file__).resolve().parent.parent / "decode/data/search.json"
    path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(len(cases), "cases,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
