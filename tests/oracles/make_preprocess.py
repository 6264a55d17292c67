"""Writes tests/hub/data/preprocess: small source images, configurations and what Pillow and numpy make of them.

  .venv/bin/python tests/oracles/make_preprocess.py

Expected values are CRC-32 of the exact bytes. The steps below restate the transformers image processors in Pillow and numpy; where the
transformers package can be imported, each configuration is also run through the real processor and must agree bit for bit.
"""
import json
import math
import shutil
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

OUT = Path(__file__).resolve().parents[1] / "hub" / "data" / "preprocess"
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
NET_MEAN, NET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
HALF = [0.5, 0.5, 0.5]


def crc(array):
    return f"{zlib.crc32(np.ascontiguousarray(array).tobytes()):08x}"


def source(width, height, seed):
    """Gradients, edges and noise: smooth parts show rounding, edges show ringing and clipping."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x // 5 + y // 3) % 2 * 255], -1)
    noise = rng.integers(-30, 31, base.shape)
    return np.clip(base + noise * (x % 7 > 2)[..., None], 0, 255).astype(np.uint8)


SOURCES = {"wide": source(61, 37, 1), "tall": source(29, 83, 2), "square": source(48, 48, 3), "dot": source(1, 1, 4),
           "line": source(97, 1, 5), "strip": source(9, 120, 6)}
RESIZES = [("wide", 32, 32), ("wide", 122, 90), ("wide", 61, 20), ("wide", 17, 37), ("wide", 61, 37), ("wide", 1, 1), ("tall", 100, 3), ("tall", 7, 64),
           ("square", 47, 49), ("square", 48, 96), ("square", 13, 13), ("dot", 5, 4), ("line", 10, 6), ("line", 300, 1), ("strip", 3, 8), ("strip", 40, 240)]
GAPS = [("wide", 5, 3), ("tall", 2, 11), ("strip", 4, 9), ("square", 7, 5), ("wide", 30, 4), ("square", 40, 40)]


def base(kind, **keys):
    out = {"image_processor_type": kind, "do_resize": True, "do_rescale": True, "rescale_factor": 0.00392156862745098, "do_normalize": True}
    out.update(keys)
    return out


CONFIGS = {
    "florence2": base("CLIPImageProcessor", size={"height": 32, "width": 32}, resample=3, do_center_crop=False, crop_size={"height": 32, "width": 32},
                      do_convert_rgb=None, image_seq_length=577, image_mean=NET_MEAN, image_std=NET_STD),
    "clip": base("CLIPImageProcessor", size={"shortest_edge": 28}, resample=3, do_center_crop=True, crop_size={"height": 28, "width": 28},
                 image_mean=CLIP_MEAN, image_std=CLIP_STD),
    "clip-crop-larger": base("CLIPImageProcessor", size={"shortest_edge": 20}, resample=2, do_center_crop=True, crop_size={"height": 33, "width": 26},
                             image_mean=CLIP_MEAN, image_std=CLIP_STD),
    "siglip": base("SiglipImageProcessor", size={"height": 27, "width": 27}, resample=3, image_mean=HALF, image_std=HALF),
    "moondream": base("CLIPImageProcessor", size={"height": 21, "width": 21}, resample=3, do_center_crop=False, image_mean=HALF, image_std=HALF),
    "vit": base("ViTImageProcessor", size={"height": 24, "width": 24}, resample=2, image_mean=HALF, image_std=HALF),
    "vit-old": {"feature_extractor_type": "ViTFeatureExtractor", "do_normalize": True, "do_resize": True, "image_mean": HALF, "image_std": HALF,
                "resample": 2, "size": 24},
    "deit": base("DeiTImageProcessor", size={"height": 36, "width": 36}, resample=3, do_center_crop=True, crop_size={"height": 32, "width": 32},
                 image_mean=NET_MEAN, image_std=NET_STD),
    "blip": base("BlipImageProcessor", size={"height": 38, "width": 38}, resample=3, do_convert_rgb=True, image_mean=CLIP_MEAN, image_std=CLIP_STD),
    "convnext": base("ConvNextImageProcessor", size={"shortest_edge": 28}, crop_pct=0.875, resample=3, image_mean=NET_MEAN, image_std=NET_STD),
    "convnext-384": base("ConvNextImageProcessor", size={"shortest_edge": 384}, crop_pct=0.875, resample=3, image_mean=NET_MEAN, image_std=NET_STD),
    "donut": base("DonutImageProcessor", size={"height": 40, "width": 30}, resample=2, do_align_long_axis=False, do_thumbnail=True, do_pad=True,
                  image_mean=HALF, image_std=HALF),
    "donut-align": base("DonutImageProcessor", size={"height": 44, "width": 30}, resample=2, do_align_long_axis=True, do_thumbnail=True, do_pad=True,
                        image_mean=HALF, image_std=HALF),
    "fastvlm-pad": base("CLIPImageProcessor", size={"shortest_edge": 32}, resample=3, do_center_crop=True, crop_size={"height": 32, "width": 32},
                        image_mean=[0.0, 0.0, 0.0], image_std=[1.0, 1.0, 1.0]),
    "llava-pad": base("CLIPImageProcessor", size={"shortest_edge": 34}, resample=3, do_center_crop=True, crop_size={"height": 34, "width": 34},
                      image_mean=CLIP_MEAN, image_std=CLIP_STD),
    "smolvlm": base("Idefics3ImageProcessor", size={"longest_edge": 96}, resample=1, do_image_splitting=True, max_image_size={"longest_edge": 32},
                    do_pad=True, do_convert_rgb=True, image_mean=HALF, image_std=HALF),
    "smolvlm-whole": base("SmolVLMImageProcessor", size={"longest_edge": 64}, resample=1, do_image_splitting=False, max_image_size={"longest_edge": 32},
                          do_pad=True, do_convert_rgb=True, image_mean=HALF, image_std=HALF),
}
PAD_BY_MODEL = {"fastvlm-pad", "llava-pad"}


def resized(a, w, h, code, **more):
    return np.asarray(Image.fromarray(a).resize((w, h), code, **more))


def cover(a, size, code):
    h, w = a.shape[:2]
    short, long = min(w, h), max(w, h)
    long = int(size * long / short)
    return resized(a, *((size, long) if w <= h else (long, size)), code)


def center_crop(a, ch, cw):
    h, w = a.shape[:2]
    top, left = (h - ch) // 2, (w - cw) // 2
    nh, nw = max(h, ch), max(w, cw)
    tp, lp = math.ceil((nh - h) / 2), math.ceil((nw - w) / 2)
    big = np.zeros((nh, nw, 3), np.uint8)
    big[tp:tp + h, lp:lp + w] = a
    return big[max(0, top + tp):top + tp + ch, max(0, left + lp):left + lp + cw]


def pad(a, h, w, color=(0, 0, 0)):
    out = np.empty((h, w, 3), np.uint8)
    out[:] = color
    top, left = (h - a.shape[0]) // 2, (w - a.shape[1]) // 2
    out[top:top + a.shape[0], left:left + a.shape[1]] = a
    return out


def thumbnail(a, th, tw):
    h, w = a.shape[:2]
    nh, nw = min(h, th), min(w, tw)
    if (nh, nw) == (h, w):
        return a
    if h > w:
        nw = int(w * nh / h)
    elif w > h:
        nh = int(h * nw / w)
    return resized(a, nw, nh, FILTERS["bicubic"], reducing_gap=2.0)


def even_longest(a, size, code):
    h, w = a.shape[:2]
    aspect = w / h
    if w >= h:
        w, h = size, int(size / aspect)
        h += h % 2
    else:
        h, w = size, int(size * aspect)
        w += w % 2
    return resized(a, max(w, 1), max(h, 1), code)


def tiles(a, size, code, split):
    if not split:
        return [resized(a, size, size, code)], 0, 0
    h, w = a.shape[:2]
    aspect = w / h
    if w >= h:
        w = math.ceil(w / size) * size
        h = math.ceil(int(w / aspect) / size) * size
    else:
        h = math.ceil(h / size) * size
        w = math.ceil(int(h * aspect) / size) * size
    big = resized(a, w, h, code)
    if (h, w) == (size, size):
        return [big], 0, 0
    parts = [big[y:y + size, x:x + size] for y in range(0, h, size) for x in range(0, w, size)]
    return parts + [resized(big, size, size, code)], h // size, w // size


def values(a, c):
    """rescale: double product rounded to float32; normalize: float32 throughout."""
    x = (a.astype(np.float64) * c.get("rescale_factor", 1 / 255)).astype(np.float32)
    x = (x - np.array(c["image_mean"], np.float32)) / np.array(c["image_std"], np.float32)
    return x.transpose(2, 0, 1)


def process(a, name, c):
    kind = c.get("image_processor_type", c.get("feature_extractor_type"))
    size, code = c["size"], c["resample"]
    rows = columns = 0
    if name in PAD_BY_MODEL:
        side = max(a.shape[:2])
        a = pad(a, side, side, tuple(int(m * 255) for m in c["image_mean"]))
    if kind.startswith(("Idefics3", "SmolVLM")):
        parts, rows, columns = tiles(even_longest(a, size["longest_edge"], code), c["max_image_size"]["longest_edge"], code, c["do_image_splitting"])
        return np.stack([values(p, c) for p in parts])[None], rows, columns
    if kind.startswith("Donut"):
        h, w = size["height"], size["width"]
        if c["do_align_long_axis"] and ((w < h and a.shape[1] > a.shape[0]) or (w > h and a.shape[1] < a.shape[0])):
            a = np.ascontiguousarray(np.rot90(a, 3))
        a = pad(thumbnail(cover(a, min(h, w), code), h, w), h, w)
    elif kind.startswith("ConvNext"):
        s = size["shortest_edge"]
        a = resized(a, s, s, code) if s >= 384 else center_crop(cover(a, int(s / c["crop_pct"]), code), s, s)
    else:
        if isinstance(size, int):
            a = resized(a, size, size, code)
        elif "shortest_edge" in size:
            a = cover(a, size["shortest_edge"], code)
        else:
            a = resized(a, size["width"], size["height"], code)
        if c.get("do_center_crop"):
            a = center_crop(a, c["crop_size"]["height"], c["crop_size"]["width"])
    return values(a, c)[None], rows, columns


def real_processor(name, c):
    try:
        import transformers
    except ImportError:
        return None
    kind = c.get("image_processor_type", c.get("feature_extractor_type")).replace("FeatureExtractor", "ImageProcessor")
    return getattr(transformers, kind)(**{k: v for k, v in c.items() if not k.endswith("_type")})


def check_against_real(name, c, a, got):
    real = real_processor(name, c)
    if real is None:
        return "not installed"
    if name in PAD_BY_MODEL:
        side = max(a.shape[:2])
        a = pad(a, side, side, tuple(int(m * 255) for m in c["image_mean"]))
    want = np.asarray(real(Image.fromarray(a), return_tensors="np")["pixel_values"])
    assert want.dtype == np.float32 and want.shape == got.shape and np.array_equal(want, got), (name, want.shape, got.shape)
    return "agrees"


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    lines = []
    for name, a in SOURCES.items():
        (OUT / f"{name}.rgb").write_bytes(a.tobytes())
        lines.append(f"source {name} {a.shape[1]} {a.shape[0]}")
    for name, w, h in RESIZES:
        for text, code in FILTERS.items():
            lines.append(f"resize {name} {w} {h} {text} {crc(resized(SOURCES[name], w, h, code))}")
    for name, w, h in GAPS:
        for text, code in FILTERS.items():
            lines.append(f"gap {name} {w} {h} {text} {crc(resized(SOURCES[name], w, h, code, reducing_gap=2.0))}")
    seen = {}
    for name, c in CONFIGS.items():
        (OUT / f"{name}.json").write_text(json.dumps(c, indent=1) + "\n")
        for image in ("wide", "tall", "square", "strip"):
            if image == "strip" and name == "convnext-384":
                continue
            got, rows, columns = process(SOURCES[image], name, c)
            seen[name] = check_against_real(name, c, SOURCES[image], got)
            shape = "x".join(map(str, got.shape))
            lines.append(f"config {name} {'pad' if name in PAD_BY_MODEL else '-'} {image} {shape} {rows} {columns} {crc(got)}")
    (OUT / "cases.txt").write_text("\n".join(lines) + "\n")
    print(len(lines), "cases;", sum(p.stat().st_size for p in OUT.iterdir()), "bytes;", seen)


if __name__ == "__main__":
    main()
