#!/usr/bin/env python3
"""Writes the committed splits: pictures and COCO caption files. Same bytes on every run with the same Pillow.

    python generate.py            all splits, next to this file and in ../screens-shifted
    python generate.py test 20    only the first 20 images of one split (for a look)
"""
import io
import json
import pathlib
import random
import sys

import numpy as np
from PIL import Image, ImageFilter

import scenes

HERE = pathlib.Path(__file__).resolve().parent
SPLITS = {"calibration": 256, "validation": 400, "test": 400, "shifted": 200}


def photographed(image, key):
    """The screen as a careless camera sees it: tilted, blurred, pale, tinted, noisy, JPEG-compressed."""
    rng = random.Random(key + "/camera")
    noise = np.random.Generator(np.random.PCG64(rng.getrandbits(63)))
    desk = tuple(rng.randint(60, 190) for _ in range(3))
    pad = 10
    framed = Image.new("RGB", (image.width + 2 * pad, image.height + 2 * pad), desk)
    framed.paste(image, (pad, pad))
    w, h = framed.size
    corner = [(x + rng.uniform(0, 12) * (1 if x == 0 else -1), y + rng.uniform(0, 12) * (1 if y == 0 else -1))
              for x, y in ((0, 0), (0, h), (w, h), (w, 0))]
    framed = framed.transform((w, h), Image.Transform.QUAD, [v for p in corner for v in p], Image.Resampling.BILINEAR)
    framed = framed.rotate(rng.uniform(-4, 4), Image.Resampling.BICUBIC, fillcolor=desk)
    framed = framed.filter(ImageFilter.GaussianBlur(rng.uniform(.4, 1.3)))
    x = np.asarray(framed, np.float32)
    tint = np.array([rng.uniform(.86, 1.08) for _ in range(3)], np.float32)
    x = (x * tint - 128) * rng.uniform(.45, .8) + 128 + rng.uniform(-30, 30)
    # Uneven light from one side, then sensor noise.
    x += np.linspace(-1, 1, x.shape[1], dtype=np.float32)[None, :, None] * rng.uniform(-28, 28)
    x += noise.normal(0, rng.uniform(3, 11), x.shape).astype(np.float32)
    out = io.BytesIO()
    Image.fromarray(np.clip(np.rint(x), 0, 255).astype(np.uint8)).save(out, "JPEG", quality=rng.randint(35, 65))
    return out.getvalue()


def write_split(name, count):
    root = HERE if name != "shifted" else HERE.parent / "screens-shifted"
    folder = root / (name if name != "shifted" else "images")
    folder.mkdir(parents=True, exist_ok=True)
    images, annotations, taken = [], [], set()
    for i in range(count):
        s = scenes.sample(f"{name}/{i}")
        image = scenes.render(s)
        file_name = f"{name}_{i:04d}.{'jpg' if name == 'shifted' else 'png'}"
        if name == "shifted":
            data = photographed(image, s["key"])
            (folder / file_name).write_bytes(data)
            image = Image.open(io.BytesIO(data))
        else:
            # A palette of at most 256 colours holds nearly every screen exactly; others stay RGB.
            colors = image.getcolors(256)
            (image.quantize(len(colors), dither=0) if colors and len(colors) > 1 and exact(image, len(colors)) else image).save(folder / file_name, optimize=True)
        images.append({"id": i + 1, "file_name": file_name, "width": image.width, "height": image.height})
        for text in scenes.references(s, taken):
            annotations.append({"id": len(annotations) + 1, "image_id": i + 1, "caption": text})
    body = {"info": {"description": f"vlmq rendered screens, split {name}"}, "images": images, "annotations": annotations}
    (root / f"{name}.json").write_text(json.dumps(body, indent=0) + "\n")


def exact(image, n):
    return image.quantize(n, dither=0).convert("RGB").tobytes() == image.tobytes()


def main():
    names = sys.argv[1:2] or list(SPLITS)
    for name in names:
        write_split(name, int(sys.argv[2]) if len(sys.argv) > 2 else SPLITS[name])


if __name__ == "__main__":
    main()
