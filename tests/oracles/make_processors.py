"""Writes tests/hub/data/processors: configurations of image processors and what the classes of the transformers library make of pictures.

  python -m venv /tmp/v && /tmp/v/bin/pip install transformers==4.57.6 numpy pillow==12.2.0
  /tmp/v/bin/python tests/oracles/make_processors.py

The classes are those on Pillow and numpy, which need nothing else. Pillow 13 resizes some pictures in another order, which changes pixels. Pictures are made from their size and number, here and in the test, by
the same arithmetic. The whole of the values would be large, so cases.txt has, for each case, shape, sum and sum of absolute values, and a
sample of the values by a fixed stride; for small results every value. Phi-3-vision's class is not in the library: its steps stand below.
"""
import json
import math
from pathlib import Path

import numpy as np
import transformers
from PIL import Image

OUT = Path(__file__).resolve().parents[1] / "hub" / "data" / "processors"
SAMPLES = 120
PICTURES = {"wide": (61, 37), "tall": (29, 83), "square": (48, 48), "strip": (150, 20), "large": (230, 171), "dot": (3, 2)}

# name -> (what preprocessor_config.json says, pictures)
CONFIGS = {
    "clip-bare": ({"image_processor_type": "CLIPImageProcessor", "size": 28, "crop_size": 24}, "wide tall"),
    "clip-two-edges": ({"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 28, "longest_edge": 40}, "crop_size": 24}, "wide tall"),
    "clip-defaults": ({"image_processor_type": "CLIPImageProcessor"}, "wide"),
    "siglip-paligemma": ({"image_processor_type": "SiglipImageProcessor", "size": {"height": 42, "width": 28}, "image_seq_length": 6}, "wide tall"),
    "vit-defaults": ({"image_processor_type": "ViTImageProcessor", "size": 32}, "wide"),
    "beit": ({"image_processor_type": "BeitImageProcessor", "size": 36, "crop_size": 32}, "tall"),
    "chinese-clip": ({"image_processor_type": "ChineseCLIPImageProcessor", "size": {"height": 30, "width": 28}, "crop_size": 28}, "wide"),
    "bit": ({"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 30}, "crop_size": 28}, "tall"),
    "owlvit": ({"image_processor_type": "OwlViTImageProcessor", "size": {"height": 40, "width": 40}}, "wide"),
    "segformer": ({"image_processor_type": "SegformerImageProcessor", "size": {"height": 32, "width": 32}}, "wide"),
    "pvt": ({"image_processor_type": "PvtImageProcessor", "size": {"height": 30, "width": 34}}, "tall"),
    "mobilenet-v1": ({"image_processor_type": "MobileNetV1ImageProcessor", "size": {"shortest_edge": 36}, "crop_size": 32}, "wide"),
    "mobilenet-v2": ({"image_processor_type": "MobileNetV2ImageProcessor", "size": {"shortest_edge": 36}, "crop_size": 32}, "tall"),
    "mobilevit": ({"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 28}, "crop_size": 32}, "wide tall"),
    "mobilevit-rgb": ({"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 36}, "crop_size": 32, "do_flip_channel_order": False}, "tall"),
    "levit": ({"image_processor_type": "LevitImageProcessor", "size": {"shortest_edge": 28}, "crop_size": 28}, "wide tall"),
    "chameleon": ({"image_processor_type": "ChameleonImageProcessor", "size": {"shortest_edge": 40}, "crop_size": 40}, "wide tall"),
    "glpn": ({"image_processor_type": "GLPNImageProcessor", "size_divisor": 16}, "wide large"),
    "vitmatte": ({"image_processor_type": "VitMatteImageProcessor", "size_divisor": 32}, "wide square"),
    "convnext-defaults": ({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 32}}, "wide"),
    "donut-defaults": ({"image_processor_type": "DonutImageProcessor", "size": {"height": 40, "width": 30}}, "wide tall"),
    "qwen2-vl": ({"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 3136, "max_pixels": 12845056}, "wide tall square strip dot"),
    "qwen2-vl-small": ({"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 784, "max_pixels": 3136}, "wide tall large strip"),
    "qwen2.5-vl": ({"image_processor_type": "Qwen2VLImageProcessor", "size": {"shortest_edge": 1000, "longest_edge": 20000}, "patch_size": 8,
                    "temporal_patch_size": 1, "merge_size": 3}, "wide large"),
    "qwen2-vl-defaults": ({"image_processor_type": "Qwen2VLImageProcessor"}, "wide"),
    "llava-next": ({"image_processor_type": "LlavaNextImageProcessor", "size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24},
                    "image_grid_pinpoints": [[24, 48], [48, 24], [48, 48], [72, 24], [24, 72]]}, "wide tall square strip dot"),
    "llava-next-crop": ({"image_processor_type": "LlavaNextImageProcessor", "size": {"shortest_edge": 30}, "crop_size": {"height": 24, "width": 24},
                         "image_grid_pinpoints": [[24, 48], [48, 24], [48, 48]]}, "wide"),
    "llava-onevision": ({"image_processor_type": "LlavaOnevisionImageProcessor", "size": {"height": 24, "width": 24},
                         "image_grid_pinpoints": [[24 * h, 24 * w] for h in range(1, 7) for w in range(1, 7)]}, "wide tall square strip large"),
    "pixtral": ({"image_processor_type": "PixtralImageProcessor", "size": {"longest_edge": 64}, "patch_size": {"height": 16, "width": 16}},
                "wide tall square strip large dot"),
    "pixtral-bare-patch": ({"image_processor_type": "PixtralImageProcessor", "size": {"longest_edge": 50}, "patch_size": 14}, "large"),
    "gemma3": ({"image_processor_type": "Gemma3ImageProcessor", "size": {"height": 32, "width": 32}}, "wide tall"),
    "gemma3-pan-and-scan": ({"image_processor_type": "Gemma3ImageProcessor", "size": {"height": 32, "width": 32}, "do_pan_and_scan": True,
                             "pan_and_scan_min_crop_size": 16, "pan_and_scan_max_num_crops": 4, "pan_and_scan_min_ratio_to_activate": 1.2},
                            "wide tall square strip large"),
    "idefics2": ({"image_processor_type": "Idefics2ImageProcessor", "size": {"shortest_edge": 24, "longest_edge": 48}}, "wide tall strip dot"),
    "idefics2-split": ({"image_processor_type": "Idefics2ImageProcessor", "size": {"shortest_edge": 24, "longest_edge": 48},
                        "do_image_splitting": True}, "wide tall strip large"),
    "idefics3": ({"image_processor_type": "Idefics3ImageProcessor", "size": {"longest_edge": 96}, "max_image_size": {"longest_edge": 32}},
                 "wide tall strip"),
    "smolvlm2": ({"image_processor_type": "SmolVLMImageProcessor", "size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32},
                  "video_sampling": {"fps": 1, "max_frames": 64}}, "wide large"),
    "internvl": ({"image_processor_type": "GotOcr2ImageProcessor", "size": {"height": 24, "width": 24}, "crop_to_patches": True, "min_patches": 1,
                  "max_patches": 12, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}, "wide tall square strip large dot"),
    "internvl-least": ({"image_processor_type": "GotOcr2ImageProcessor", "size": {"height": 24, "width": 20}, "crop_to_patches": True,
                        "min_patches": 3, "max_patches": 6}, "wide tall"),
    "internvl-whole": ({"image_processor_type": "GotOcr2ImageProcessor", "size": {"height": 24, "width": 24}}, "wide"),
    "phi3.5-vision": ({"image_processor_type": "Phi3VImageProcessor", "num_crops": 4, "num_img_tokens": 144,
                       "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}, "wide tall"),
}


def picture(width, height, number):
    """Ramps, stripes and a hash of the place; C makes the same."""
    y, x = np.mgrid[0:height, 0:width].astype(np.uint32)
    out = np.empty((height, width, 3), np.uint8)
    for c in range(3):
        noise = (x * 2654435761 + y * 40503 + np.uint32(number * 97 + c * 193)) >> np.uint32(7)
        ramp = (x * (3 + c) + y * (5 - c) + np.uint32(number * 31)) & 255
        out[..., c] = np.where((x // 5 + y // 3) % 4 == c, noise & 255, ramp)
    return out


def bicubic(a, size):
    """torch.nn.functional.interpolate(mode="bicubic") of [3, h, w] to [3, size, size]."""
    def weights(x):
        x, k = np.abs(x), -0.75
        return np.where(x <= 1, ((k + 2) * x - (k + 3)) * x * x + 1, np.where(x < 2, ((k * x - 5 * k) * x + 8 * k) * x - 4 * k, 0))

    def matrix(n):
        m = np.zeros((size, n))
        for i in range(size):
            at = (i + 0.5) * n / size - 0.5
            for k in range(-1, 3):
                j = math.floor(at) + k
                m[i, min(max(j, 0), n - 1)] += weights(at - j)
        return m
    return np.einsum("ih,chw,jw->cij", matrix(a.shape[1]), a.astype(np.float64), matrix(a.shape[2])).astype(np.float32)


def phi3(image, c):
    """The published class of Phi-3-vision: as large a board of 336 x 336 tiles as num_crops allow, the whole of it first."""
    tall = image.width < image.height
    if tall:
        image = image.transpose(Image.TRANSPOSE)
    ratio, scale = image.width / image.height, 1
    while scale * math.ceil(scale / ratio) <= c["num_crops"]:
        scale += 1
    scale -= 1
    width = scale * 336
    height = int(width / ratio)
    image = image.resize((width, height), Image.BILINEAR)
    padded = math.ceil(height / 336) * 336
    board = Image.new("RGB", (width, padded), (255, 255, 255))
    board.paste(image, (0, int((padded - height) / 2)))
    if tall:
        board = board.transpose(Image.TRANSPOSE)
    a = np.asarray(board).astype(np.float32) / np.float32(255)
    a = ((a - np.array(c["image_mean"], np.float32)) / np.array(c["image_std"], np.float32)).transpose(2, 0, 1)
    h, w = a.shape[1:]
    tiles = a.reshape(3, h // 336, 336, w // 336, 336).transpose(1, 3, 0, 2, 4).reshape(-1, 3, 336, 336)
    out = np.zeros((c["num_crops"] + 1, 3, 336, 336), np.float32)
    out[0] = bicubic(a, 336)
    out[1:1 + len(tiles)] = tiles
    return {"pixel_values": out[None], "image_sizes": np.array([[h, w]])}


def run(config, image):
    kind = config["image_processor_type"]
    if kind == "Phi3VImageProcessor":
        return phi3(image, config)
    if kind == "Qwen2VLImageProcessor" and "size" in config:  # this version reads "size" in its Fast form alone
        edges = {"min_pixels": config["size"]["shortest_edge"], "max_pixels": config["size"]["longest_edge"], "size": None}
        config = {**config, **edges}
    real = getattr(transformers, kind)(**{k: v for k, v in config.items() if k != "image_processor_type"})
    if kind == "VitMatteImageProcessor":  # its trimap is a fourth channel
        out = real(image, trimaps=Image.new("L", image.size), return_tensors="np")
        return {"pixel_values": out["pixel_values"][:, :3]}
    return real([image], return_tensors="np")


def write_case(lines, name, picture_name, out):
    values = np.asarray(out["pixel_values"], np.float32)
    flat = values.ravel()
    step = max(1, flat.size // SAMPLES)
    grid = np.asarray(out.get("image_grid_thw", [[0, 0, 0]])).ravel()
    size = np.asarray(out.get("image_sizes", [[0, 0]])).ravel()
    mask = int(np.asarray(out["pixel_attention_mask"]).sum()) if "pixel_attention_mask" in out else -1
    if name.startswith("pixtral"):
        size = size[:2]
    lines.append("case {} {} {} {} {} {} {:.9g} {:.9g} {}".format(
        name, picture_name, "x".join(map(str, values.shape)), ",".join(map(str, grid)), ",".join(map(str, size)), mask,
        flat.astype(np.float64).sum(), np.abs(flat.astype(np.float64)).sum(), step))
    lines.append("values " + " ".join(f"{v:.9g}" for v in flat[::step]))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    lines = [f"picture {name} {w} {h} {i}" for i, (name, (w, h)) in enumerate(PICTURES.items())]
    images = {name: Image.fromarray(picture(w, h, i)) for i, (name, (w, h)) in enumerate(PICTURES.items())}
    for name, (config, pictures) in CONFIGS.items():
        (OUT / f"{name}.json").write_text(json.dumps(config) + "\n")
        for p in pictures.split():
            write_case(lines, name, p, run(config, images[p]))
    (OUT / "cases.txt").write_text("\n".join(lines) + "\n")
    print(sum(line.startswith("case") for line in lines), "cases,", sum(p.stat().st_size for p in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
