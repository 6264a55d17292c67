"""Writes tests/calib/data/npy: small .npy and .npz files, good and bad, and cases.txt.

  .venv/bin/python tests/oracles/make_npy.py

Lines: `good FILE DTYPE SHAPE CRC` (row-major little-endian bytes), `npz FILE ENTRY DTYPE SHAPE CRC`, `bad FILE STATUS WORDS…`; a scalar's SHAPE is `-`.
"""
import io
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parents[1] / "calib" / "data" / "npy"
lines = []


def npy(a, version=None):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, a, version=version)
    return buffer.getvalue()


def raw(header, data=b"", version=1):
    text = header.encode()
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def describe(a):
    a = np.ascontiguousarray(a) if a.ndim else a
    return f"{a.dtype.name} {'x'.join(map(str, a.shape)) or '-'} {zlib.crc32(a.tobytes()):08x}"


def good(name, a, data=None):
    (OUT / name).write_bytes(npy(a) if data is None else data)
    lines.append(f"good {name} {describe(a)}")


def bad(name, data, status, words):
    (OUT / name).write_bytes(data)
    lines.append(f"bad {name} {status} {words}")


def arrays():
    rng = np.random.default_rng(1)
    for code in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
        good(f"{code}.npy", rng.integers(0, 100, (3, 5)).astype(code))
    for code in ("f2", "f4", "f8"):
        good(f"{code}.npy", rng.normal(size=(2, 3, 4)).astype(code))
    a = rng.normal(size=(3, 4, 5)).astype(np.float32)
    good("bool.npy", a[0] > 0)
    good("scalar.npy", np.float32(3.5).reshape(()))
    good("empty.npy", np.zeros((0, 7), np.int64))
    good("fortran.npy", np.asfortranarray(a))
    good("fortran-bool.npy", np.asfortranarray(a[0] > 0))
    good("version2.npy", a, npy(a, (2, 0)))
    good("version3.npy", a, npy(a, (3, 0)))
    small = np.arange(6, dtype=np.int32).reshape(2, 3)
    good("python2.npy", small, raw("{'shape': (2L, 3L), 'fortran_order': False, 'descr': '<i4'}\n", small.tobytes()))


def damaged():
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    whole = npy(a)
    good("big-endian.npy", a, npy(a.astype(">f4")))
    for code in ("i2", "i8", "u4", "f2", "f8"):
        good(f"big-{code}.npy", a.astype(code), npy(a.astype(">" + code)))
    bad("complex.npy", npy(a.astype(np.complex64)), "UNSUPPORTED", "<c8")
    bad("text.npy", npy(np.array(["ab", "c"])), "UNSUPPORTED", "<U2")
    bad("record.npy", npy(np.zeros(2, [("x", "f4"), ("y", "i4")])), "UNSUPPORTED", "records")
    bad("short.npy", whole[:-1], "INPUT", "48 bytes")
    bad("long.npy", whole + b"\0", "INPUT", "48 bytes")
    bad("header-cut.npy", whole[:40], "INPUT", "header")
    bad("magic.npy", b"NUMPY" + whole, "INPUT", "not an .npy")
    bad("version9.npy", whole[:6] + b"\x09" + whole[7:], "UNSUPPORTED", "9.0")
    bad("overflow.npy", raw("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4)}"), "LIMIT", "too large")
    bad("overflow-empty.npy", raw("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904, 0)}"), "LIMIT", "large")
    bad("digits.npy", raw("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, )}"), "INPUT", "shape")
    bad("rank.npy", raw("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1)}", b"\0" * 4), "LIMIT", "dimensions")
    bad("negative.npy", raw("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}"), "INPUT", "shape")
    bad("no-shape.npy", raw("{'descr': '<f4', 'fortran_order': False, }"), "INPUT", "lacks shape")
    bad("twice.npy", raw("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': ()}"), "INPUT", "twice")
    bad("open.npy", raw("{'descr': '<f4', 'fortran_order': False, 'shape': (3"), "INPUT", "closed")
    bad("order.npy", raw("{'descr': '<f4', 'fortran_order': 1, 'shape': ()}"), "INPUT", "fortran_order")


def archives():
    rng = np.random.default_rng(2)
    named = {"pixel_values": rng.normal(size=(1, 3, 4, 4)).astype(np.float32), "input_ids": np.arange(7, dtype=np.int64)[None],
             "a/b": np.zeros((40, 40), np.uint8)}
    np.savez(OUT / "stored.npz", **named)
    np.savez_compressed(OUT / "deflated.npz", **named)
    for name in ("stored.npz", "deflated.npz"):
        lines.extend(f"npz {name} {key} {describe(a)}" for key, a in named.items())
    data = (OUT / "deflated.npz").read_bytes()
    stored = (OUT / "stored.npz").read_bytes()
    at = stored.find(named["pixel_values"].tobytes())
    bad("crc.npz", stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1:], "INPUT", "checksum")
    bad("cut.npz", data[: len(data) - 30], "INPUT", "zip")
    central = data.rfind(b"PK\x01\x02", 0, data.rfind(b"PK\x05\x06"))
    bad("bomb.npz", data[:central + 24] + struct.pack("<I", 0x7fffffff) + data[central + 28:], "INPUT", "cannot come out")
    bad("local.npz", data[:central + 42] + struct.pack("<I", 0x7ffffff0) + data[central + 46:], "INPUT", "local header")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as z:
        z.writestr("x.npy", npy(np.zeros(3)))
    bad("bzip2.npz", buffer.getvalue(), "UNSUPPORTED", "method 12")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("x.txt", b"no array")
    bad("no-array.npz", buffer.getvalue(), "INPUT", "not an .npy")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    arrays()
    damaged()
    archives()
    (OUT / "cases.txt").write_text("\n".join(lines) + "\n")
    print(len(lines), "cases;", sum(p.stat().st_size for p in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
