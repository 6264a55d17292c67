"""Writes tests/calib/data/images: tiny image files of every kind, good and bad, and cases.txt with what Pillow reads from them.

  .venv/bin/python tests/oracles/make_images.py

Lines of cases.txt: `good FILE WIDTH HEIGHT CRC` (CRC-32 of the RGB bytes) and `bad FILE STATUS WORDS…` (the message contains the words).
"""
import io
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

OUT = Path(__file__).resolve().parents[1] / "calib" / "data" / "images"
lines = []


def picture(width, height, channels, seed, high=256):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (c + 2) * 3 + y * (5 - c)) % 256 for c in range(channels)]
    noisy = np.stack(planes, -1) + rng.integers(-9, 10, (height, width, channels))
    return np.clip(noisy, 0, 255).astype(np.uint8) if high == 256 else rng.integers(0, high, (height, width, channels)).astype(np.uint16)


def good(name, data, want=None):
    (OUT / name).write_bytes(data)
    if want is None:
        want = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert want.dtype == np.uint8 and want.ndim == 3
    lines.append(f"good {name} {want.shape[1]} {want.shape[0]} {zlib.crc32(np.ascontiguousarray(want).tobytes()):08x}")


def bad(name, data, status, words):
    (OUT / name).write_bytes(data)
    lines.append(f"bad {name} {status} {words}")


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def rows_of(a):
    data = a.astype(">u2" if a.dtype == np.uint16 else np.uint8)
    return b"".join(b"\0" + row.tobytes() for row in data)


def png(a, color, interlace=False, extra=b"", size=None):
    """A plain encoder for what Pillow does not write: 16-bit colour and Adam7."""
    height, width = a.shape[:2] if size is None else size
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)] if interlace else [(0, 0, 1, 1)]
    parts = [a[y::dy, x::dx] for y, x, dy, dx in passes]
    body = zlib.compress(b"".join(rows_of(p) for p in parts if p.size))
    head = struct.pack(">IIBBBBB", width, height, 16 if a.dtype == np.uint16 else 8, color, 0, 0, int(interlace))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def write_png():
    rgb = picture(19, 13, 3, 1)
    good("rgb.png", saved(Image.fromarray(rgb), "PNG"))
    good("one.png", saved(Image.fromarray(rgb[:1, :1]), "PNG"))
    good("gray.png", saved(Image.fromarray(rgb[..., 0]), "PNG"))
    good("gray-alpha.png", saved(Image.fromarray(picture(11, 9, 2, 2), "LA"), "PNG"))
    good("rgba.png", saved(Image.fromarray(picture(10, 9, 4, 3), "RGBA"), "PNG"))
    good("bilevel.png", saved(Image.fromarray(rgb[..., 0]).convert("1"), "PNG"))
    palette = Image.fromarray(rgb).quantize(13)
    good("palette4.png", saved(palette, "PNG"))
    good("palette8.png", saved(Image.fromarray(picture(17, 15, 3, 4)).quantize(100), "PNG"))
    good("palette-clear.png", saved(palette, "PNG", transparency=2))
    good("rgb-clear.png", saved(Image.fromarray(rgb), "PNG", transparency=tuple(int(v) for v in rgb[2, 3])))
    wide = picture(12, 10, 3, 5, 65536)
    good("rgb16.png", png(wide, 2))
    gray16 = wide[..., 0]
    high = np.repeat((gray16 >> 8).astype(np.uint8)[..., None], 3, -1)
    good("gray16.png", png(gray16, 0), high)  # the high byte; Pillow would clip at 255
    good("interlaced.png", png(rgb, 2, True))
    good("interlaced16.png", png(wide, 2, True))
    good("interlaced-tiny.png", png(rgb[:2, :3], 2, True))
    good("gamma.png", png(rgb, 2, extra=chunk(b"gAMA", struct.pack(">I", 100000))))
    whole = saved(Image.fromarray(picture(40, 40, 3, 6)), "PNG")
    bad("truncated.png", whole[: len(whole) // 2], "INPUT", "truncated")
    bad("header-only.png", whole[:8], "INPUT", "truncated")
    bad("checksum.png", whole[:60] + bytes([whole[60] ^ 255]) + whole[61:], "INPUT", "damaged PNG")
    bad("huge.png", png(rgb, 2, size=(200000, 200000)), "LIMIT", "200000 x 200000")
    bad("lying.png", png(rgb, 2, size=(900, 900)), "INPUT", "damaged PNG")


def write_jpeg():
    rgb = Image.fromarray(picture(37, 29, 3, 7))
    good("rgb.jpg", saved(rgb, "JPEG", quality=90, subsampling=0))
    good("sub420.jpg", saved(rgb, "JPEG", quality=80, subsampling=2))
    good("progressive.jpg", saved(rgb, "JPEG", quality=85, progressive=True))
    good("gray.jpg", saved(rgb.convert("L"), "JPEG", quality=85))
    good("cmyk.jpg", saved(rgb.convert("CMYK"), "JPEG", quality=90))
    good("one.jpg", saved(rgb.crop((0, 0, 1, 1)), "JPEG"))
    exif = Image.Exif()
    exif[274] = 6
    good("rotated.jpg", saved(rgb, "JPEG", quality=85, exif=exif))
    good("jpeg-inside.png", saved(rgb, "JPEG", quality=70))
    whole = saved(Image.fromarray(picture(90, 70, 3, 8)), "JPEG", quality=90)
    good("no-end.jpg", whole[:-2], np.asarray(Image.open(io.BytesIO(whole)).convert("RGB")))  # all pixels are there
    bad("truncated.jpg", whole[: len(whole) * 2 // 3], "INPUT", "truncated")
    slow = saved(Image.fromarray(picture(90, 70, 3, 8)), "JPEG", quality=90, progressive=True)
    bad("truncated-progressive.jpg", slow[: len(slow) * 2 // 3], "INPUT", "truncated")
    bad("header-only.jpg", whole[:40], "INPUT", "JPEG")


def write_rest():
    def npy(a):
        buffer = io.BytesIO()
        np.save(buffer, a)
        return buffer.getvalue()

    rgb = picture(7, 5, 3, 9)
    good("rgb.npy", npy(rgb), rgb)
    good("gray.npy", npy(rgb[..., 0]), np.repeat(rgb[..., :1], 3, -1))
    good("rgba.npy", npy(picture(6, 4, 4, 10)), picture(6, 4, 4, 10)[..., :3])
    bad("float.npy", npy(rgb.astype(np.float32)), "INPUT", "float32")
    bad("text.png", b"this is not an image\n", "INPUT", "is not an image")
    bad("empty.png", b"", "INPUT", "empty")
    bad("gif.jpg", saved(Image.fromarray(rgb), "GIF"), "UNSUPPORTED", "GIF")
    bad("bmp.png", saved(Image.fromarray(rgb), "BMP"), "UNSUPPORTED", "BMP")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    write_png()
    write_jpeg()
    write_rest()
    (OUT / "cases.txt").write_text("\n".join(lines) + "\n")
    print(len(lines), "cases;", sum(p.stat().st_size for p in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
