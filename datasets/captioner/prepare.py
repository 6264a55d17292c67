#!/usr/bin/env python3
"""Tokenizer and training cache.

    python prepare.py tokenizer        writes bundle/tokenizer.json (BPE trained on captions)
    python prepare.py images 30000     renders training scenes into the cache folder
"""
import json
import sys

import numpy as np

from common import BUNDLE, CACHE, PROMPTS, SIZE, load_tokenizer, pixels_u8  # also puts datasets/screens on the path
import scenes

VOCAB = 1200


def tokenizer():
    """Byte-level BPE the way BART has it; our captions, all annotators, are the text."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    texts = list(PROMPTS.values()) * 40
    for i in range(4000):
        s = scenes.sample(f"tokenizer/{i}")
        texts += [scenes.canonical(s), scenes.detailed(s)] + scenes.references(s, set())
    tok = Tokenizer(models.BPE(unk_token=None))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    special = [AddedToken(t, special=True, normalized=False) for t in ("<s>", "<pad>", "</s>", "<unk>")]
    tok.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    BUNDLE.mkdir(parents=True, exist_ok=True)
    tok.save(str(BUNDLE / "tokenizer.json"))
    print("tokens", tok.get_vocab_size())


def images(count):
    CACHE.mkdir(parents=True, exist_ok=True)
    tok = load_tokenizer()
    out = np.lib.format.open_memmap(CACHE / "train.npy", "w+", np.uint8, (count, SIZE, SIZE, 3))
    texts = []
    for i in range(count):
        s = scenes.sample(f"train/{i}")
        out[i] = pixels_u8(scenes.render(s))
        texts.append([tok.encode(scenes.canonical(s)).ids, tok.encode(scenes.detailed(s)).ids])
    out.flush()
    (CACHE / "train.json").write_text(json.dumps(texts))
    print("longest", [max(len(t[k]) for t in texts) for k in (0, 1)], "mean", [sum(len(t[k]) for t in texts) / count for k in (0, 1)])


if __name__ == "__main__":
    tokenizer() if sys.argv[1] == "tokenizer" else images(int(sys.argv[2]))
