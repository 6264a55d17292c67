"""Greedy and beam search on the PyTorch model, and CIDEr-D. `python evaluate.py [checkpoint.pt]` prints the report."""
import collections
import math
import re
import sys

import torch

from common import BOS, EOS, MAX_LENGTH, PAD, PROMPTS, START, load_tokenizer, split, split_pixels


@torch.no_grad()
def greedy(model, pixels, prompt, max_length=MAX_LENGTH, chunk=50):
    """Token ids from the start token on, BOS forced first, EOS forced at max_length (the HF rules), ends at EOS."""
    out = []
    for at in range(0, len(pixels), chunk):
        hidden = model.encode(model.vision(pixels[at:at + chunk]), prompt)
        n = hidden.shape[0]
        ids = torch.full((n, 1), START, device=hidden.device)
        done = torch.zeros(n, dtype=torch.bool, device=hidden.device)
        past = None
        while ids.shape[1] < max_length and not done.all():
            x, present = model.decoder(model.shared(ids[:, -1:]), hidden, None, past)
            past = [(own, cross if past is None else past[i][1]) for i, (own, cross) in enumerate(present)]
            step = model.logits(x)[:, -1].argmax(-1)
            if ids.shape[1] == 1:
                step = torch.full_like(step, BOS)
            elif ids.shape[1] == max_length - 1:
                step = torch.full_like(step, EOS)
            step = torch.where(done, torch.full_like(step, PAD), step)
            ids = torch.cat([ids, step[:, None]], 1)
            done |= step == EOS
        for row in ids.tolist():
            end = row.index(EOS, 1) + 1 if EOS in row[1:] else len(row)
            out.append(row[:end])
    return out


def banned(ids, n):
    """Tokens that would repeat an n-gram of ids (start and BOS count, as in HF)."""
    if n == 0 or len(ids) + 1 < n:
        return []
    tail = tuple(ids[len(ids) - n + 1:])
    return [ids[i + n - 1] for i in range(len(ids) - n + 1) if tuple(ids[i:i + n - 1]) == tail]


def processed(scores, ids, ngram, max_length):
    """Logits processors on log-probabilities of one beam, in HF order."""
    for token in banned(ids, ngram):
        scores[token] = -float("inf")
    only = BOS if len(ids) == 1 else EOS if len(ids) == max_length - 1 else None
    if only is not None:
        keep = torch.full_like(scores, -float("inf"))
        keep[only] = 0
        return keep
    return scores


@torch.no_grad()
def beam(model, pixels, prompt, beams=3, ngram=3, max_length=MAX_LENGTH, length_penalty=1.0):
    """Beam search of one image with HF semantics (early_stopping true); ids from the start token to EOS."""
    hidden = model.encode(model.vision(pixels[None]), prompt).expand(beams, -1, -1).contiguous()
    running, total = [[START]] * beams, torch.tensor([0.0] + [-1e9] * (beams - 1))
    finished, past = [], None  # finished: (score, ids)
    while True:
        x, present = model.decoder(model.shared(torch.tensor([r[-1:] for r in running])), hidden, None, past)
        log = torch.log_softmax(model.logits(x)[:, -1], -1)
        log = torch.stack([processed(log[k].clone(), running[k], ngram, max_length) for k in range(beams)]) + total[:, None]
        vocab = log.shape[1]
        flat = log.flatten()
        # A stable order: by score, then by lower index.
        best = sorted(flat.topk(4 * beams).indices.tolist(), key=lambda i: (-flat[i].item(), i))[:2 * beams]
        going = []
        for rank, i in enumerate(best):
            parent, token, score = i // vocab, i % vocab, flat[i].item()
            ids = running[parent] + [token]
            if token == EOS or len(ids) >= max_length:
                if rank < beams and score > -1e8:
                    finished.append((score / (len(ids) - 1) ** length_penalty, ids))
            else:
                going.append((score, ids, parent))
        finished = sorted(finished, key=lambda f: -f[0])[:beams]
        going = going[:beams]
        length = len(running[0]) + 1
        if len(finished) == beams or length >= max_length or not going:
            break
        while len(going) < beams:
            going.append((-1e9, going[0][1], going[0][2]))
        running, total = [g[1] for g in going], torch.tensor([g[0] for g in going])
        order = [g[2] for g in going]
        past = [((own[0][order], own[1][order]), cross if past is None else past[i][1]) for i, (own, cross) in enumerate(present)]
    return max(finished, key=lambda f: f[0])[1]


def words_of(text):
    """Enough of a tokenizer for our captions: lower case, punctuation dropped."""
    return re.sub(r"[^a-z0-9\- ]", " ", text.lower()).split()


def ngrams(words):
    return [collections.Counter(tuple(words[i:i + n]) for i in range(len(words) - n + 1)) for n in (1, 2, 3, 4)]


def cider_d(candidates, references):
    """CIDEr-D per image, scale 0..10, document frequencies from these references (coco-caption's arithmetic)."""
    refs = [[(r, ngrams(r)) for r in map(words_of, group)] for group in references]
    df = collections.Counter()
    for group in refs:
        df.update(set(g for _, grams in group for order in grams for g in order))
    log_n = math.log(len(refs))

    def weighted(grams):
        vec = [{g: c * (log_n - math.log(max(1, df[g]))) for g, c in order.items()} for order in grams]
        return vec, [math.sqrt(sum(v * v for v in order.values())) for order in vec]

    scores = []
    for text, group in zip(candidates, refs):
        words = words_of(text)
        cand, cand_norm = weighted(ngrams(words))
        total = 0.0
        for ref_words, grams in group:
            ref, ref_norm = weighted(grams)
            delta = max(0, len(words) - 1) - max(0, len(ref_words) - 1)
            for n in range(4):
                dot = sum(min(v, ref[n].get(g, 0)) * ref[n].get(g, 0) for g, v in cand[n].items())
                if cand_norm[n] and ref_norm[n]:
                    dot /= cand_norm[n] * ref_norm[n]
                total += dot * math.exp(-delta * delta / 72)
        scores.append(10 * total / (4 * len(group)))
    return scores


def report(path=None):
    """CIDEr-D of <CAPTION> with greedy search on test and shifted, and with the pictures of other images."""
    import scenes
    from export import load_model
    model, tok = load_model(path), load_tokenizer()
    prompt = tok.encode(PROMPTS["<CAPTION>"]).ids
    for name in ("test", "shifted"):
        items, pixels = split_pixels(name)
        texts = [tok.decode(ids) for ids in greedy(model, torch.from_numpy(pixels), prompt)]
        refs = [i[2] for i in items]
        right = sum(t == scenes.canonical(scenes.sample(f"{name}/{k}")) for k, t in enumerate(texts))
        mean = sum(cider_d(texts, refs)) / len(texts)
        other = sum(cider_d(texts[1:] + texts[:1], refs)) / len(texts)
        print(f"{name}: CIDEr-D {mean:.3f}, with the next image's picture {other:.3f}, canonical caption verbatim {right} of {len(texts)}", flush=True)
    best = sum(cider_d([scenes.canonical(scenes.sample(f"test/{k}")) for k in range(400)], [i[2] for i in split("test")])) / 400
    print(f"test: CIDEr-D of the canonical captions themselves {best:.3f}")


if __name__ == "__main__":
    report(*sys.argv[1:2])
