"""Writes those files of tests/cli/data/hostile that are made here, without any package.

    python3 tests/oracles/hostile_models.py tests/cli/data/hostile
"""
import os
import struct
import sys
import zlib

OUT = sys.argv[1]


def save(name, data):
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)


def npy(name, shape, values, descr="<f4", code="f"):
    save(name, npy_bytes(shape, struct.pack("<%d%s" % (len(values), code), *values), descr))


def npy_bytes(shape, data, descr):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, tuple(shape))
    head += " " * ((64 - (11 + len(head)) % 64) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data


# ---- protobuf ----

def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def node(op, ins, outs, domain="", attrs=()):
    return b"".join([field(1, i) for i in ins] + [field(2, o) for o in outs] + [field(3, op), field(4, op)] +
                    [field(5, a) for a in attrs] + ([field(7, domain)] if domain else []))


def text_attr(name, value):
    return field(1, name) + field(4, value) + field(20, 3)


def value(name, dims):
    shape = b"".join(field(1, field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def opset(domain, version):
    return (field(1, domain) if domain else b"") + field(2, version)


def model(name, nodes, inputs, outputs, functions=(), domains=()):
    graph = b"".join([field(1, n) for n in nodes] + [field(2, "g")] + [field(11, i) for i in inputs] + [field(12, o) for o in outputs])
    data = field(1, 8) + field(7, graph) + field(8, opset("", 17))
    save(name, data + b"".join([field(8, opset(d, 1)) for d in domains] + [field(25, f) for f in functions]))


def doubling(levels):
    """Each function calls the one before it twice."""
    functions = []
    for k in range(levels):
        call = ("F%d" % (k - 1), "fun") if k else ("Neg", "")
        nodes = [node(call[0], ["a"], ["b"], call[1]), node(call[0], ["b"], ["c"], call[1])]
        functions.append(b"".join([field(1, "F%d" % k), field(4, "a"), field(5, "c")] + [field(7, n) for n in nodes] +
                                  [field(9, opset("", 17)), field(9, opset("fun", 1)), field(10, "fun")]))
    model("doubling.onnx", [node("F%d" % (levels - 1), ["x"], ["y"], "fun")], [value("x", [2])], [value("y", [2])], functions, ["fun"])


def identity():
    model("identity.onnx", [node("Identity", ["x"], ["y"])], [value("x", [2] * 8)], [value("y", [2] * 8)])


def einsum():
    dots = "..." * 40 + "i->i"
    model("einsum_dots.onnx", [node("Einsum", ["x"], ["y"], attrs=[text_attr("equation", dots)])], [value("x", [2] * 8)], [value("y", [2])])


def npz_bomb(megabytes):
    """One array of zeros, deflated."""
    raw = npy_bytes([megabytes << 18], bytes(megabytes << 20), "<f4")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(raw) + packer.flush()
    sizes = struct.pack("<III", zlib.crc32(raw), len(data), len(raw))
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes + struct.pack("<HH", 5, 0) + b"x.npy"
    central = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33) + sizes + struct.pack("<HHHHHII", 5, 0, 0, 0, 0, 0, 0) + b"x.npy"
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(data), 0)
    save("zeros.npz", local + data + central + end)


npy("s500.npy", (500, 3, 2), [0.5] * 3000)
npy("s4.npy", (4, 2), [0.5] * 8)
npy("x2x8.npy", [2] * 8, [0.5] * 256)
npy("x1155.npy", (1, 1, 5, 5), [float(i) for i in range(25)])
doubling(40)
identity()
einsum()
npz_bomb(128)
