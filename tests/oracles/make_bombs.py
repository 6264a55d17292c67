"""Small files that ask for much: time, memory, stack. Needs nothing but Python; the same files every time.

usage: make_bombs.py FOLDER      prints one line per file: NAME KIND EXIT, what may come of it (tests/bombs.sh)
KIND: model (vlm-inspect, and vlm-run --check where there is an input), tokenizer, image, array, captions, pack
EXIT: the exit codes that are right; 6 where the memory of the machine decides
"""
import json
import pathlib
import struct
import sys
import zlib

ROOT = pathlib.Path(sys.argv[1])
made = []


# ---- protobuf by hand ----

def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while True:
        out.append(n & 127 | (128 if n > 127 else 0))
        n >>= 7
        if not n:
            return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def attribute(name, value):
    if isinstance(value, bytes):
        return field(5, field(1, name) + field(6, value) + field(20, 5))
    if isinstance(value, str):
        return field(5, field(1, name) + field(4, value) + field(20, 3))
    if isinstance(value, list):
        return field(5, field(1, name) + b"".join(field(8, v) for v in value) + field(20, 7))
    return field(5, field(1, name) + field(3, value) + field(20, 2))


def node(op, inputs, outputs, domain="", **attributes):
    body = b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs) + field(4, op)
    body += b"".join(attribute(k, v) for k, v in attributes.items())
    return field(1, body + (field(7, domain) if domain else b""))


def tensor(name, kind, dims, data):
    return field(5, b"".join(field(1, d) for d in dims) + field(2, kind) + field(8, name) + field(9, data))


def ints(name, values):
    return tensor(name, 7, [len(values)], struct.pack(f"<{len(values)}q", *values))


def value(number, name, dims, kind=1):
    shape = b"".join(field(1, field(1, d)) for d in dims)
    return field(number, field(1, name) + field(2, field(1, field(1, kind) + field(2, shape))))


def graph(nodes, inputs=(("x", [4]),), outputs=("y",), tensors=b""):
    return (b"".join(nodes) + field(2, "g") + tensors + b"".join(value(11, n, d) for n, d in inputs)
            + b"".join(field(12, field(1, o)) for o in outputs))


def put(name, kind, exits, data):
    (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
    (ROOT / name).write_bytes(data)
    made.append(f"{name} {kind} {exits}")


def model(name, exits, g, functions=b"", opset=17):
    put(name + ".onnx", "model", exits, field(1, 8) + field(7, g) + field(8, field(2, opset)) + functions)


# ---- graphs ----

def chain(op, n, twice=False, **attributes):
    names = ["x"] + [f"v{k}" for k in range(n - 1)] + ["y"]
    return [node(op, [names[k]] * (2 if twice else 1), [names[k + 1]], **attributes) for k in range(n)]


def models():
    model("million_nodes", "0", graph(chain("Relu", 10**6)))
    model("more_nodes", "2", graph(chain("Relu", 10**6 + 1)))
    model("deep_product", "0", graph(chain("Mul", 10**5, twice=True)))
    model("deep_sum", "0", graph(chain("Add", 10**5, twice=True)))
    model("deep_concat", "0,2", graph(chain("Concat", 40, twice=True, axis=0)))
    model("wide_concat", "0,2", graph([node("Concat", ["x"] * 10**5, ["y"], axis=0)]))
    model("wide_sum", "0", graph([node("Sum", ["x"] * 10**6, ["y"])]))
    model("wide_split", "0,2", graph([node("Split", ["x"], [f"o{k}" for k in range(10**5)] , axis=0)], outputs=("o0",)))
    model("many_inputs", "0,2", graph([node("Relu", ["x"], ["y"])], [("x", [4])] + [(f"i{k}", [4]) for k in range(10**5)]))
    model("many_outputs", "2,0", graph([node("Relu", ["x"], [f"o{k}"]) for k in range(10**5)], outputs=[f"o{k}" for k in range(10**5)]))
    model("many_constants", "0,2", graph([node("Relu", ["x"], ["y"])], tensors=b"".join(tensor(f"c{k}", 1, [1], b"\0" * 4) for k in range(10**5))))
    # lists of lists of a shape, each twice as long, in front of something that looks like attention
    shape = [node("Shape", ["x"], ["s0"])] + [node("Concat", [f"s{k}", f"s{k}"], [f"s{k + 1}"], axis=0) for k in range(40)]
    model("doubling_shape", "0,2", graph(shape + [node("Reshape", ["x", "s40"], ["r"]), node("MatMul", ["r", "r"], ["a"]), node("Softmax", ["a"], ["p"], axis=-1),
                                                    node("MatMul", ["p", "r"], ["y"])]))
    body = graph([node("Relu", ["x"], ["o"])], (), ("o",))
    for k in range(70):
        body = graph([node("Less", ["x", "x"], [f"c{k}"]), node("If", [f"c{k}"], [f"o{k}"], then_branch=body, else_branch=body if k < 3 else graph([node("Neg", ["x"], ["n"])], (), ("n",)))], (), (f"o{k}",))
    model("deep_if", "2", body + value(11, "x", [4]))
    for name, nodes, tensors in (
            ("huge_shape", [node("ConstantOfShape", ["k"], ["y"])], ints("k", [1 << 20, 1 << 20])),
            ("large_shape", [node("ConstantOfShape", ["k"], ["c"]), node("ReduceSum", ["c"], ["y"], keepdims=0)], ints("k", [1 << 14, 1 << 14])),
            ("huge_expand", [node("Expand", ["x", "k"], ["y"])], ints("k", [1 << 30, 1 << 10, 4])),
            ("huge_tile", [node("Tile", ["x", "k"], ["y"])], ints("k", [1 << 40])),
            ("huge_pad", [node("Pad", ["x", "k"], ["y"])], ints("k", [1 << 40, 1 << 40])),
            ("huge_range", [node("Range", ["a", "b", "c"], ["y"])], b"".join(tensor(n, 7, [], struct.pack("<q", v)) for n, v in (("a", 0), ("b", 1 << 45), ("c", 1)))),
            ("huge_one_hot", [node("OneHot", ["i", "d", "v"], ["y"])], ints("i", [1, 2]) + tensor("d", 7, [], struct.pack("<q", 1 << 40)) + tensor("v", 1, [2], b"\0" * 8)),
            ("huge_einsum", [node("Einsum", ["x", "x", "x", "x", "x", "x", "x", "x"], ["y"], equation="a,b,c,d,e,f,g,h->abcdefgh")], b""),
            ("huge_resize", [node("Resize", ["x", "", "", "k"], ["y"])], ints("k", [1 << 44])),
            ("huge_trilu", [node("ConstantOfShape", ["k"], ["c"]), node("EyeLike", ["c"], ["e"]), node("MatMul", ["e", "e"], ["y"])], ints("k", [1 << 16, 1 << 16]))):
        model(name, "0,2,6", graph(nodes, tensors=tensors))


# ---- texts ----

def tokenizer(name, exits, **parts):
    text = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}, **parts}
    put(f"{name}/tokenizer.json", "tokenizer", exits, json.dumps(text).encode())


def tokenizers():
    grow = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 64}
    tokenizer("replace_bomb", "2", normalizer={"type": "Sequence", "normalizers": [grow] * 6})
    tokenizer("many_normalizers", "0,2", normalizer={"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 20000})
    tokenizer("slow_pattern", "0,2", pre_tokenizer={"type": "Split", "pattern": {"Regex": "(a*)*(a*)*(a*)*b"}, "behavior": "Isolated", "invert": False})
    tokenizer("long_pattern", "0,2", pre_tokenizer={"type": "Split", "pattern": {"Regex": "(" * 200 + "a" + "){1,60000}" * 200}, "behavior": "Isolated", "invert": False})
    tokenizer("far_id", "2", model={"type": "WordLevel", "vocab": {"a": 0, "b": 2**31 - 1}, "unk_token": "a"})
    nested = {"type": "Lowercase"}
    for _ in range(400):
        nested = {"type": "Sequence", "normalizers": [nested]}
    tokenizer("nested_normalizers", "0,2", normalizer=nested)
    put("nested_json/tokenizer.json", "tokenizer", "2", b"[" * 10**6 + b"]" * 10**6)
    put("captions_nested.json", "captions", "2", b'{"images":' + b"[" * 10**6)
    put("captions_many.jsonl", "captions", "0,2", b'{"image":"a.png","caption":"b"}\n' * 3 * 10**5)


# ---- pixels and arrays ----

def png(width, height, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\0" * rows, 9)) + chunk(b"IEND", b""))


def pixels():
    put("wide.png", "image", "2", png(100000, 100000, 1000))
    put("short.png", "image", "2", png(9990, 9990, 1000))
    put("text.png", "image", "0,2", png(1, 1, 2)[:-12] + b"".join(
        struct.pack(">I", len(d)) + b"zTXt" + d + struct.pack(">I", zlib.crc32(b"zTXt" + d)) for d in [b"k\0\0" + zlib.compress(b"a" * 10**7, 9)] * 50) + png(1, 1, 2)[-12:])
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"
    for name, shape in (("huge", b"1099511627776,"), ("product", b"4294967296, 4294967296"), ("ranks", b"1," * 40)):
        text = (head % shape).ljust(117) + b"\n"
        put(f"{name}.npy", "array", "2", b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text)


models()
tokenizers()
pixels()
print("\n".join(made))
