"""Writes tests/calib/data/odd: pictures as people bring them, and cases.txt with what Pillow reads from them the usual way
(open, ImageOps.exif_transpose, convert("RGB")).

  .venv/bin/python tests/oracles/make_odd_images.py

Lines: `good FILE WIDTH HEIGHT CRC ORIENTATION` (CRC-32 of the RGB bytes, orientation applied), `white FILE WIDTH HEIGHT CRC` (transparency
blended on white, as the processors of Idefics3 and SmolVLM do), `endless FILE WIDTH HEIGHT CRC` (complete but for the end marker) and
`bad FILE STATUS WORDS...`. Names with "webp" need a build with libwebp.
"""
import io
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps, PngImagePlugin

OUT = Path(__file__).resolve().parents[1] / "calib" / "data" / "odd"
lines = []


def picture(width, height, channels=3, seed=1):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (c + 2) * 7 + y * (11 - c)) % 256 for c in range(channels)]
    return np.clip(np.stack(planes, -1) + rng.integers(-9, 10, (height, width, channels)), 0, 255).astype(np.uint8).squeeze()


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def crc(a):
    return f"{zlib.crc32(np.ascontiguousarray(a).tobytes()):08x}"


def good(name, data):
    (OUT / name).write_bytes(data)
    image = Image.open(io.BytesIO(data))
    image.load()
    stated = image.getexif().get(274, 1)
    a = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    lines.append(f"good {name} {a.shape[1]} {a.shape[0]} {crc(a)} {stated if 1 <= stated <= 8 else 1}")


def white(name, data):
    """transformers' convert_to_rgb of Idefics3 and SmolVLM: RGB stays as it is."""
    good(name, data)
    image = Image.open(io.BytesIO(data))
    if image.mode != "RGB":
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255)), rgba).convert("RGB")
    a = np.asarray(image)
    lines.append(f"white {name} {a.shape[1]} {a.shape[0]} {crc(a)}")


def endless(name, data, whole):
    (OUT / name).write_bytes(data)
    a = np.asarray(Image.open(io.BytesIO(whole)).convert("RGB"))
    lines.append(f"endless {name} {a.shape[1]} {a.shape[0]} {crc(a)}")


def bad(name, data, status, words):
    (OUT / name).write_bytes(data)
    lines.append(f"bad {name} {status} {words}")


def exif(orientation, big, kind=3):
    order = ">" if big else "<"
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *((orientation, 0) if kind == 3 else (orientation,)))
    entries = [struct.pack(order + "HHI4s", 0x10F, 2, 3, b"ab\0\0"), struct.pack(order + "HHI4s", 274, kind, 1, value)]
    return ((b"MM\0*" if big else b"II*\0") + struct.pack(order + "IH", 8, len(entries)) + b"".join(entries) + struct.pack(order + "I", 0))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def before_pixels(png, extra):
    at = png.index(b"IDAT") - 4
    return png[:at] + extra + png[at:]


def behind_pixels(png, extra):
    return png[:-12] + extra + png[-12:]


def orientations():
    rgb = Image.fromarray(picture(13, 9))
    png = saved(rgb, "PNG")
    for o in range(1, 9):
        for big in (False, True):
            tail = f"{o}{'be' if big else 'le'}"
            block = exif(o, big)
            good(f"o{tail}.jpg", saved(rgb, "JPEG", quality=90, exif=b"Exif\0\0" + block))
            good(f"o{tail}.png", before_pixels(png, chunk(b"eXIf", block)))
            good(f"o{tail}.webp", saved(rgb, "WEBP", lossless=True, exif=block))
    for o in (0, 9, 300):
        good(f"o{o}.jpg", saved(rgb, "JPEG", quality=90, exif=b"Exif\0\0" + exif(o, False)))
    good("long.jpg", saved(rgb, "JPEG", exif=b"Exif\0\0" + exif(6, True, 4)))
    good("twice-headed.jpg", saved(rgb, "JPEG", exif=b"Exif\0\0Exif\0\0" + exif(8, False)))
    good("behind.png", behind_pixels(png, chunk(b"eXIf", exif(5, True))))
    for kind, xmp in (("attribute", b'<x tiff:Orientation="6"/>'), ("element", b"<tiff:Orientation>8</tiff:Orientation>")):
        good(f"xmp-{kind}.jpg", saved(rgb, "JPEG", xmp=xmp))
        good(f"xmp-{kind}.webp", saved(rgb, "WEBP", lossless=True, xmp=xmp))
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        good(f"xmp-{kind}.png", saved(rgb, "PNG", pnginfo=info))
    good("exif-over-xmp.jpg", saved(rgb, "JPEG", xmp=b'tiff:Orientation="6"', exif=b"Exif\0\0" + exif(3, False)))
    data = b"Exif\0\0" + exif(7, False)
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n", zip=True)
    good("raw-profile.png", saved(rgb, "PNG", pnginfo=info))
    good("gray-o6.jpg", saved(rgb.convert("L"), "JPEG", exif=b"Exif\0\0" + exif(6, False)))
    good("cmyk-o8.jpg", saved(rgb.convert("CMYK"), "JPEG", exif=b"Exif\0\0" + exif(8, True)))
    good("progressive-o5.jpg", saved(rgb, "JPEG", progressive=True, exif=b"Exif\0\0" + exif(5, True)))


def transparency():
    rgba = Image.fromarray(picture(16, 11, 4, 3), "RGBA")
    white("rgba.png", saved(rgba, "PNG"))
    every = np.zeros((16, 256, 4), np.uint8)
    every[..., 3] = np.arange(256)
    every[..., :3] = (np.arange(16) * 17)[:, None, None]
    white("every-alpha.png", saved(Image.fromarray(every, "RGBA"), "PNG"))
    white("la.png", saved(Image.fromarray(picture(9, 8, 2, 4), "LA"), "PNG"))
    palette = Image.fromarray(picture(16, 11)).quantize(9)
    white("palette-clear.png", saved(palette, "PNG", transparency=2))
    white("palette-alphas.png", saved(palette, "PNG", transparency=bytes(range(0, 180, 20))))
    gray = Image.fromarray(picture(16, 11)[..., 0])
    white("gray-clear.png", saved(gray, "PNG", transparency=int(picture(16, 11)[2, 3, 0])))
    white("rgb-clear.png", saved(Image.fromarray(picture(16, 11)), "PNG", transparency=tuple(int(v) for v in picture(16, 11)[2, 3])))
    white("plain.png", saved(Image.fromarray(picture(16, 11)), "PNG"))
    text = np.zeros((12, 12, 4), np.uint8)
    text[3:9, 5:7, 3] = 255
    white("black-on-clear.png", saved(Image.fromarray(text, "RGBA"), "PNG"))
    white("alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True))
    white("lossy-alpha.webp", saved(rgba, "WEBP", quality=70))


def webp():
    for i, (w, h) in enumerate([(1, 1), (2, 3), (17, 15), (33, 20)]):
        rgb = Image.fromarray(picture(w, h, 3, i).reshape(h, w, 3))
        good(f"lossy{i}.webp", saved(rgb, "WEBP", quality=80))
        good(f"lossless{i}.webp", saved(rgb, "WEBP", lossless=True))
    good("webp-named.jpg", saved(Image.fromarray(picture(21, 13)), "WEBP"))
    good("webp-named.png", saved(Image.fromarray(picture(21, 13)), "WEBP", lossless=True))
    frames = [Image.fromarray(picture(12, 10, 3, k)) for k in range(3)]
    good("moving.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    whole = saved(Image.fromarray(picture(40, 30)), "WEBP")
    bad("cut.webp", whole[: len(whole) // 2], "INPUT", "damaged WebP: the file is truncated")


def names():
    rgb = Image.fromarray(picture(14, 10))
    good("jpeg-named.png", saved(rgb, "JPEG"))
    good("png-named.jpg", saved(rgb, "PNG"))
    good("no-suffix", saved(rgb, "PNG"))
    good("UPPER.JPG", saved(rgb, "JPEG"))
    for kind, suffix in (("GIF", "gif"), ("BMP", "bmp"), ("TIFF", "tif")):
        bad(f"a.{suffix}", saved(rgb, kind), "UNSUPPORTED", f"{kind} is not supported: convert it to PNG or JPEG")
        bad(f"{suffix}-named.jpg", saved(rgb, kind), "UNSUPPORTED", f"{kind} is not supported")
    for brand, kind in (("avif", "AVIF"), ("heic", "HEIC"), ("heix", "HEIC"), ("mif1", "HEIF")):
        bad(f"{brand}-brand.jpg", b"\0\0\0\x18ftyp" + brand.encode() + b"\0\0\0\0mif1miaf", "UNSUPPORTED", f"{kind} is not supported")
    bad("pointer.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "INPUT", "Git LFS pointer")
    bad("page.jpg", b"<!DOCTYPE html><html></html>", "INPUT", "web page")


def kinds():
    """JPEG and PNG as many programs write them."""
    for i, (w, h) in enumerate([(1, 9), (8, 8), (31, 17)]):
        rgb = Image.fromarray(picture(w, h, 3, i).reshape(h, w, 3))
        for sub in (0, 1, 2):
            good(f"sub{sub}-{i}.jpg", saved(rgb, "JPEG", quality=75, subsampling=sub))
            good(f"progressive{sub}-{i}.jpg", saved(rgb, "JPEG", quality=75, subsampling=sub, progressive=True))
        good(f"gray{i}.jpg", saved(rgb.convert("L"), "JPEG"))
        good(f"restart{i}.jpg", saved(rgb, "JPEG", restart_marker_blocks=1))
        good(f"palette{i}.png", saved(rgb.quantize(5), "PNG"))
        good(f"bits{i}.png", saved(rgb.convert("1"), "PNG"))
    good("trailer.jpg", saved(Image.fromarray(picture(20, 20)), "JPEG") + b"\0\0\0\x18ftypmp42" * 9)
    good("trailer.png", saved(Image.fromarray(picture(20, 20)), "PNG") + b"more")
    first, second = Image.fromarray(picture(20, 12)), Image.fromarray(picture(12, 20))
    good("two.mpo", saved(first, "MPO", save_all=True, append_images=[second]))


def ends():
    rgb = Image.fromarray(picture(50, 40))
    for name, options in (("baseline", {}), ("progressive", {"progressive": True}), ("gray", {})):
        whole = saved(rgb.convert("L") if name == "gray" else rgb, "JPEG", quality=85, **options)
        endless(f"no-end-{name}.jpg", whole[:-2], whole)
        endless(f"half-end-{name}.jpg", whole[:-1], whole)
        bad(f"half-{name}.jpg", whole[: len(whole) // 2], "INPUT", "the JPEG data is truncated")
        bad(f"nearly-{name}.jpg", whole[:-40], "INPUT", "the JPEG data is truncated")
    whole = saved(rgb, "JPEG", quality=85)
    endless("no-end-trailer.jpg", whole[:-2] + b"\0\0SEFT" * 20, whole)
    for name, image in (("rgb", rgb), ("palette", rgb.quantize(7))):
        whole = saved(image, "PNG")
        for cut in (12, 8, 1, 14, 16):
            endless(f"{name}-cut{cut}.png", whole[:-cut], whole)
        bad(f"{name}-half.png", whole[: len(whole) // 2], "INPUT", "damaged PNG: the file is truncated")
        bad(f"{name}-nearly.png", whole[:-40], "INPUT", "damaged PNG: the file is truncated")
    flat = saved(Image.new("RGB", (1000, 800)), "JPEG")
    scan = flat.index(b"\xff\xda")
    bad("short-scan.jpg", flat[: scan + 40] + b"\xff\xd9", "INPUT", "the JPEG data is truncated")
    twelve = bytearray(saved(rgb, "JPEG"))
    twelve[twelve.index(b"\xff\xc0") + 4] = 12
    bad("12bit.jpg", bytes(twelve), "UNSUPPORTED", "12-bit JPEG is not supported")
    lossless = bytearray(saved(rgb, "JPEG"))
    lossless[lossless.index(b"\xff\xc0") + 1] = 0xC3
    bad("lossless.jpg", bytes(lossless), "UNSUPPORTED", "lossless JPEG is not supported")
    png = saved(rgb, "PNG")
    bad("cgbi.png", png[:8] + chunk(b"CgBI", b"\x50\0\x20\2") + png[8:], "UNSUPPORTED", "CgBI")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    for write in (orientations, transparency, webp, names, kinds, ends):
        write()
    (OUT / "cases.txt").write_text("\n".join(lines) + "\n")
    print(len(lines), "cases;", sum(p.stat().st_size for p in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
