#!/usr/bin/env python3
"""Writes tokenizer.json in the size and ids of Florence-2 (51,289 tokens), beside the Florence-2-base-shape graphs, which come without one.

Bytes, merges and ids 0 to 1,199 are the captioner's; words that no text contains fill up to 50,264; then <mask>, <od> ... <loc_0> to <loc_999>
... <and> at their published ids. Good for running the pipeline at full size; what it says means nothing. Needs only Python.

Usage: python3 tests/oracles/florence_tokenizer.py FOLDER
"""

import json
import sys
from pathlib import Path

CAPTIONER = Path(__file__).resolve().parents[2] / "datasets/captioner/bundle/tokenizer.json"
MASK = 50264
MARKS = "cap ncap dcap grounding seg".split()
REGIONS = "region_cap region_to_desciption proposal poly".split()  # the misspelling is the model's


def pairs(names):
    return [f"<{slash}{name}>" for name in names for slash in ("", "/")]


def added_tokens():
    names = ["<mask>", *pairs(["od", "ocr"]), *(f"<loc_{k}>" for k in range(1000)), *pairs(MARKS), "<sep>", *pairs(REGIONS), "<and>"]
    return [
        {"id": MASK + k, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for k, name in enumerate(names)
    ]


def main():
    tokenizer = json.loads(CAPTIONER.read_text(encoding="utf-8"))
    vocab = tokenizer["model"]["vocab"]
    for k in range(len(vocab), MASK):
        vocab[f"\u0120\u0120{k}"] = k
    tokenizer["added_tokens"] += added_tokens()
    ids = {t["content"]: t["id"] for t in tokenizer["added_tokens"]}
    assert (ids["<od>"], ids["<loc_0>"], ids["<cap>"], ids["<sep>"], ids["<proposal>"], ids["<and>"]) == (50265, 50269, 51269, 51279, 51284, 51288)
    Path(sys.argv[1], "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")


main()
