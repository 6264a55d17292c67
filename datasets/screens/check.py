#!/usr/bin/env python3
"""Prints, and holds against the limits, the figures of every split: python check.py"""
import collections
import json
import pathlib
import sys

from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
WANT = {"calibration": 256, "validation": 400, "test": 400, "shifted": 200}
MAX_MB = {"screens": 40, "screens-shifted": 8}


def check(name):
    root = HERE if name != "shifted" else HERE.parent / "screens-shifted"
    data = json.loads((root / f"{name}.json").read_text())
    captions = [a["caption"] for a in data["annotations"]]
    per_image = collections.Counter(a["image_id"] for a in data["annotations"])
    distinct = len(set(captions)) / len(captions)
    words = sum(len(c.split()) for c in captions) / len(captions)
    size = 0
    for image in data["images"]:
        path = root / (name if name != "shifted" else "images") / image["file_name"]
        size += path.stat().st_size
        with Image.open(path) as opened:
            assert opened.size == (image["width"], image["height"]), path
    print(f"{name:12s} images {len(data['images'])}  captions {len(captions)}  per image {min(per_image.values())}-{max(per_image.values())}"
          f"  distinct {100 * distinct:.1f} %  mean words {words:.1f}  {size / 1e6:.2f} MB")
    return (len(data["images"]) == WANT[name] and distinct >= .9 and words >= 9
            and 3 <= min(per_image.values()) and max(per_image.values()) <= 5 and len(per_image) == WANT[name])


def folder_ok(name):
    size = sum(p.stat().st_size for p in (HERE.parent / name).rglob("*") if p.is_file()) / 1e6
    print(f"{name:16s} {size:.2f} MB of at most {MAX_MB[name]}")
    return size <= MAX_MB[name]


if __name__ == "__main__":
    fine = [check(name) for name in WANT] + [folder_ok(name) for name in MAX_MB]
    print("ok" if all(fine) else "NOT OK")
    sys.exit(not all(fine))
