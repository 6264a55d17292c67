"""Paths, prompts, tokenizer and pixels: what training, export and evaluation share."""
import json
import os
import pathlib
import sys
import tempfile

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
DATASETS = HERE.parent
BUNDLE = HERE / "bundle"
FIXTURES = HERE / "fixtures"
# Training images and checkpoints: large, never committed.
CACHE = pathlib.Path(os.environ.get("CAPTIONER_CACHE", pathlib.Path(tempfile.gettempdir()) / "captioner"))
sys.path.insert(0, str(DATASETS / "screens"))

SIZE = 192
BOS, PAD, EOS, UNK = 0, 1, 2, 3
START = EOS  # BART starts its decoder with </s>
PROMPTS = {"<CAPTION>": "What does the image describe?",
           "<DETAILED_CAPTION>": "Describe in detail what is shown in the image."}
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
MAX_LENGTH = 64


def load_tokenizer():
    from tokenizers import Tokenizer
    return Tokenizer.from_file(str(BUNDLE / "tokenizer.json"))


def pixels_u8(image):
    """Stretch to the model's square, as the committed preprocessor_config.json says."""
    return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def normalise(u8):
    """uint8 [..., H, W, 3] to the network's float32 [..., 3, H, W]."""
    x = (u8.astype(np.float32) * np.float32(1 / 255) - MEAN) / STD
    return np.ascontiguousarray(np.moveaxis(x, -1, -3))


def split(name):
    """[(file stem, image path, [captions])] of calibration, validation, test or shifted."""
    root = DATASETS / ("screens-shifted" if name == "shifted" else "screens")
    data = json.loads((root / f"{name}.json").read_text())
    refs = {}
    for a in data["annotations"]:
        refs.setdefault(a["image_id"], []).append(a["caption"])
    folder = root / ("images" if name == "shifted" else name)
    return [(pathlib.Path(i["file_name"]).stem, folder / i["file_name"], refs[i["id"]]) for i in data["images"]]


def split_pixels(name):
    items = split(name)
    return items, normalise(np.stack([pixels_u8(Image.open(p)) for _, p, _ in items]))
