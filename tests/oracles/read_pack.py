"""An independent reader of .vlmq files, written from docs/format.md alone: checks every rule it can and prints what is inside.

usage: read_pack.py FILE.vlmq      (compressed sections need the `zstd` program)
"""
import pathlib
import struct
import subprocess
import sys
import tempfile

M = (1 << 64) - 1
P = (11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261)
NAMES = b"META PREP TOKN TEXT GRPH WGHT TENS QPAR CALB GOLD".split()
TYPES = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4,
         24: 8, 25: 2, 26: 2}


def rol(x, n):
    return ((x << n) | (x >> (64 - n))) & M


def xxh64(data):
    def mix(acc, lane):
        return rol((acc + lane * P[1]) & M, 31) * P[0] & M

    n, at = len(data), 0
    if n >= 32:
        acc = [(P[0] + P[1]) & M, P[1], 0, -P[0] & M]
        while at + 32 <= n:
            acc = [mix(a, lane) for a, lane in zip(acc, struct.unpack_from("<4Q", data, at))]
            at += 32
        h = sum(rol(a, r) for a, r in zip(acc, (1, 7, 12, 18))) & M
        for a in acc:
            h = ((h ^ mix(0, a)) * P[0] + P[3]) & M
    else:
        h = P[4]
    h = (h + n) & M
    while at + 8 <= n:
        h = (rol(h ^ mix(0, struct.unpack_from("<Q", data, at)[0]), 27) * P[0] + P[3]) & M
        at += 8
    if at + 4 <= n:
        h = (rol(h ^ struct.unpack_from("<I", data, at)[0] * P[0] & M, 23) * P[1] + P[2]) & M
        at += 4
    for byte in data[at:]:
        h = rol(h ^ byte * P[4] & M, 11) * P[0] & M
    h = (h ^ h >> 33) * P[1] & M
    h = (h ^ h >> 29) * P[2] & M
    return h ^ h >> 32


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        assert self.at + n <= len(self.data), "past the end"
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.take(1)[0]

    def u64(self):
        return struct.unpack("<Q", self.take(8))[0]

    def f32(self):
        return struct.unpack("<f", self.take(4))[0]

    def uint(self):
        value, shift = 0, 0
        while True:
            byte = self.u8()
            assert not (shift and byte == 0), "not the shortest form"
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def sint(self):
        value = self.uint()
        return value >> 1 ^ -(value & 1)

    def text(self):
        return self.take(self.uint()).decode()

    def shape(self):
        kind = self.u8()
        dims = [self.uint() for _ in range(self.uint())]
        count = 1
        for d in dims:
            count *= d
        return kind, dims, (count * TYPES[kind] + 7) // 8

    def end(self):
        assert self.at == len(self.data), "bytes left over"


def unzstd(data, words=None):
    with tempfile.NamedTemporaryFile() as f:
        f.write(words or b"")
        f.flush()
        command = ["zstd", "-dcq"] + (["-D", f.name] if words else [])
        return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def graph(c, strings, tensors, depth=1):
    ref = lambda: strings[c.uint()]
    g = {"name": ref(), "opset": c.sint(), "values": [], "nodes": []}
    for _ in range(c.uint()):
        kind, v = c.u8(), {"name": ref()}
        if kind == 2:
            v["tensor"] = tensors[c.uint()]["shape"]
        else:
            v["type"], rank = c.u8(), c.uint() - 1
            dims = [c.uint() - 1 for _ in range(max(rank, 0))]
            names = c.u8() | (c.u8() << 8 if rank > 8 else 0)
            v["dims"] = [ref() if names >> i & 1 else d for i, d in enumerate(dims)] if rank >= 0 else None
        if kind == 3:
            v["capture"] = c.uint()
        g["values"].append(v)
    g["inputs"] = [g["values"][c.uint()]["name"] for _ in range(c.uint())]
    g["outputs"] = [g["values"][c.uint()]["name"] for _ in range(c.uint())]
    for _ in range(c.uint()):
        node = {"name": ref(), "op": (ref(), ref()), "opset": c.sint()}
        node["in"] = [c.uint() - 1 for _ in range(c.uint())]
        node["out"] = [c.uint() - 1 for _ in range(c.uint())]
        node["attrs"] = {}
        for _ in range(c.uint()):
            name, kind = ref(), c.u8()
            read = [lambda: None, c.sint, c.f32, ref, lambda: tensors[c.uint()]["shape"], lambda: graph(c, strings, tensors, depth + 1),
                    lambda: [c.sint() for _ in range(c.uint())], lambda: [c.f32() for _ in range(c.uint())],
                    lambda: [ref() for _ in range(c.uint())]][kind]
            node["attrs"][name] = read()
        g["nodes"].append(node)
    return g


def header(data):
    magic, major, minor, size, total, need, _, at, n_bytes, count, index_hash, header_hash = struct.unpack_from("<8sHHIQQQQIIQQ", data)
    assert magic == b"\x89VLM\r\n\x1a\n" and major == 1 and size >= 72 and total == len(data) and need in (0, 1, 2, 3)
    assert xxh64(data[:64]) == header_hash and xxh64(data[at:]) == index_hash and n_bytes == len(data) - at
    return size, at, count, need


def compact(data, end, at, count):
    words = (pathlib.Path(__file__).parents[2] / "docs/format-words.txt").read_bytes()[:-1]
    form, stored = data[at], data[at + 1:]
    c, out = Cursor(unzstd(stored, words) if form else stored), []
    for _ in range(count):
        kind, form = c.u8(), c.u8()
        name, codec = (NAMES[kind - 1] if kind else c.take(4)), form & 15
        assert (name in NAMES or form >> 4 == 1) and form >> 4 <= 1 and codec <= 3
        size = c.uint()
        if codec == 3:
            out.append((name.decode(), codec, c.take(size), size, None))
            continue
        raw, stored_hash = (c.uint() if codec else size), c.u64()
        align = 1 if (name, codec) != (b"WGHT", 0) else 65536 if size >= 1 << 20 else 64
        offset = -(-end // align) * align
        blob, end = data[offset:offset + size], offset + size
        assert end <= at and xxh64(blob) == stored_hash
        blob = unzstd(blob) if codec == 1 else blob
        assert codec == 2 or len(blob) == raw
        out.append((name.decode(), codec, blob, raw, None))
    c.end()
    assert end == at
    return out


def wide(data, end, at, count):
    out = []
    assert len(data) - at == 56 * count
    for i in range(count):
        name, flags, codec, zero, offset, stored, raw, stored_hash, raw_hash = struct.unpack_from("<4sIIIQQQQQ", data, at + 56 * i)
        assert name in NAMES or flags == 1
        align = 65536 if (name, codec) == (b"WGHT", 0) else 64
        assert offset == -(-end // align) * align and not any(data[end:offset]) and zero == 0 and flags <= 1
        blob = data[offset:offset + stored]
        assert xxh64(blob) == stored_hash
        if codec == 1:
            blob = unzstd(blob)
        if codec < 2:
            assert len(blob) == raw and xxh64(blob) == raw_hash
        out.append((name.decode(), codec, blob, raw, raw_hash))
        end = offset + stored
    assert at == -(-end // 64) * 64 and not any(data[end:at])
    return out


def sections(data):
    end, at, count, need = header(data)
    return (compact if need & 2 else wide)(data, end, at, count)


def join(planes, bits):
    n = max(bits // 8, 1)
    return bytes(b for element in zip(*(planes[len(planes) // n * p:][:len(planes) // n] for p in range(n))) for b in element)


def weights(parts):
    codec, blob, raw, raw_hash = next(p[1:] for p in parts if p[0] == "WGHT")
    c, tensors, unpacked, stored_at = Cursor(next(p[2] for p in parts if p[0] == "TENS")), [], bytearray(), 0
    for _ in range(c.uint()):
        kind, dims, n = c.shape()
        packed = c.u8()
        unpacked += bytes(-len(unpacked) % 64)
        if packed == 2:
            assert codec and n <= 1024
            data = join(c.take(n), TYPES[kind])
        else:
            stored = n if codec == 0 else c.uint()
            digest = c.u64()
            if codec == 0:
                stored_at = len(unpacked)
            data = blob[stored_at:stored_at + stored]
            data = unzstd(data) if packed else data
            assert xxh64(data) == digest
            stored_at += stored
        assert len(data) == n
        unpacked += data
        tensors.append({"shape": (kind, dims), "bytes": n})
    c.end()
    assert len(unpacked) == raw and (raw_hash is None or xxh64(bytes(unpacked)) == raw_hash)
    assert stored_at == len(blob) if codec else bytes(unpacked) == blob
    return tensors


def main():
    parts = sections(open(sys.argv[1], "rb").read())
    tensors = weights(parts)
    print(len(tensors), "tensors,", sum(t["bytes"] for t in tensors), "bytes")
    for name, _, blob, _, _ in parts:
        c = Cursor(blob)
        if name == "META":
            print({c.text(): c.text() for _ in range(c.uint())})
        elif name == "GRPH":
            roles = [c.text() for _ in range(c.uint())]
            g = graph(c, [c.text() for _ in range(c.uint())], tensors)
            print(roles, g["name"], g["inputs"], "->", g["outputs"], len(g["nodes"]), "nodes")
        elif name == "GOLD":
            for _ in range(c.uint()):
                print("golden", c.text(), end=" ")
                for _ in range(c.uint() + c.uint()):
                    print(c.text(), end=" ")
                    c.take(c.shape()[2])
            print()
        else:
            continue
        c.end()
    print("ok")


if __name__ == "__main__":
    main()
