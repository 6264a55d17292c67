"""Samples of the models in docs/quality.md: two folders of .npz each, one to calibrate with, one to score with; no sample is in both.

Every second image, file or text counts to either side. Nothing is drawn at random."""
import json
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared/data"
SCREENS = ROOT / "datasets/screens"
IMAGENET = (np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225]))


def pictures(*folders):
    found = [p for f in folders for p in sorted(f.rglob("*")) if p.suffix in (".jpg", ".jpeg", ".png") and p.stat().st_size < 3e6]
    return found


def pixels(path, width, height):
    from PIL import Image
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR), np.float32)


def chw(x):
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32)


def photographs():
    return pictures(SHARED / "images/ort-examples", SHARED / "images/ort-genai-test", SHARED / "images/opencv-extra-2013")


def receipts():
    return pictures(SHARED / "images/sroie-receipts")


def text_detector():
    for path in receipts() + photographs()[:12]:
        yield {"x": chw((pixels(path, 320, 480) / 255 - IMAGENET[0]) / IMAGENET[1])}


def orientation():
    """Lines of receipts, every third one upside down. A blank one has no orientation: the model is undecided, any error decides."""
    for path in receipts():
        page = pixels(path, 768, 1152)
        for k in range(8):
            line = page[96 + 120 * k:144 + 120 * k, 96 * (k % 4):96 * (k % 4) + 192]
            if line.std() < 8:
                continue
            yield {"x": chw((line[::-1, ::-1] if k % 3 == 0 else line) / 127.5 - 1)}


def faces():
    for path in photographs():
        yield {"input": chw((pixels(path, 320, 240) - 127) / 128)}


def heat_map():
    for path in photographs():
        yield {"input": chw((pixels(path, 224, 224) / 255 - IMAGENET[0]) / IMAGENET[1])}


def files():
    """Of many kinds, from this repository: sources, pages, pictures, models, tables, archives."""
    kinds = {}
    for path in sorted(p for top in ("datasets/captioner", "docs", "tests", "examples", "scripts", "runtime/base", "python", "cmake")
                       for p in (ROOT / top).rglob("*")):
        if path.is_file() and path.stat().st_size >= 64 and path.suffix != ".pyc":
            kinds.setdefault(path.suffix, []).append(path)
    return [p for suffix in sorted(kinds) for p in kinds[suffix][::max(1, len(kinds[suffix]) // 4)][:4]]


def piece(data, at, size, from_end=False):
    part = data[max(0, len(data) - size):] if from_end else data[at:at + size]
    fill = np.full(size - len(part), 256)
    codes = np.frombuffer(part, np.uint8).astype(np.int64)
    return np.concatenate([fill, codes] if from_end else [codes, fill])


def file_types_v3():
    for path in files():
        data = path.read_bytes().strip()
        yield {"bytes": np.concatenate([piece(data, 0, 1024), piece(data, 0, 1024, True)])[None].astype(np.int32)}


def file_types_v1():
    for path in files():
        data = path.read_bytes().strip()
        middle = max(0, len(data) // 2 - 256)
        parts = [piece(data, 0, 512), piece(data, middle, 512), piece(data, 0, 512, True)]
        yield {"bytes": np.concatenate(parts)[None].astype(np.float32)}


def captioner_pixels():
    for path in pictures(SCREENS / "validation")[:96]:
        yield {"pixel_values": chw((pixels(path, 192, 192) / 255 - IMAGENET[0]) / IMAGENET[1])}


# name, model, samples, what is compared beside the error: how many of the rows of an output have the same largest element
MODELS = [
    ("text detector", SHARED / "models/ch_PP-OCRv2_det_infer/model.onnx", text_detector, None),
    ("text orientation", SHARED / "models/ch_ppocr_mobile_v2.0_cls_infer/model.onnx", orientation, "largest"),
    ("face detector", SHARED / "models/ultraface-rfb320/model.onnx", faces, "largest"),
    ("face heat map", SHARED / "models/openseeface-mnv3_detection/model.onnx", heat_map, None),
    ("file types, v1", SHARED / "models/magika-standard_v1/model.onnx", file_types_v1, "largest"),
    ("file types, v3", SHARED / "models/magika-standard_v3_3/model.onnx", file_types_v3, "largest"),
    ("captioner, vision encoder", ROOT / "datasets/captioner/bundle/vision_encoder.onnx", captioner_pixels, None),
]


def one_input(model, arrays):
    """A model of one input has its own name for it."""
    import onnx
    graph = onnx.load(str(model), load_external_data=False).graph
    constants = {t.name for t in graph.initializer}
    names = [i.name for i in graph.input if i.name not in constants]
    return {names[0]: next(iter(arrays.values()))} if len(names) == 1 else arrays


def write(model, source, folder):
    for k, arrays in enumerate(source()):
        to = folder / ("score" if k % 2 else "calibrate")
        to.mkdir(parents=True, exist_ok=True)
        np.savez(to / f"{k:03}.npz", **one_input(model, arrays))


if __name__ == "__main__":
    import sys
    for name, model, source, _ in MODELS:
        folder = pathlib.Path(sys.argv[1]) / name.replace(" ", "_").replace(",", "")
        write(model, source, folder)
        print(json.dumps({"model": name, **{f.name: len(list(f.iterdir())) for f in sorted(folder.iterdir())}}))
