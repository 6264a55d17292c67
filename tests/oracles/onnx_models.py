"""Writes the small ONNX files that tests/onnx reads: good ones with every feature of the importer, and bad ones, one per refusal.

    .venv/bin/python tests/oracles/onnx_models.py tests/onnx/data
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

OUT = sys.argv[1]
F = T.FLOAT


def value(name, shape=(2,), dtype=F):
    return h.make_tensor_value_info(name, dtype, shape)


def model(name, graph, opset=17, ir=8, imports=(), functions=()):
    sets = [h.make_opsetid("", opset)] + [h.make_opsetid(d, v) for d, v in imports]
    m = h.make_model(graph, opset_imports=sets, ir_version=ir, functions=list(functions))
    m.producer_name = "oracle"
    save(name, m.SerializeToString(deterministic=True))


def save(name, data):
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)


def graph(nodes, inputs, outputs, init=(), name="g", **kw):
    return h.make_graph(nodes, name, [value(i) if isinstance(i, str) else i for i in inputs],
                        [value(o) if isinstance(o, str) else o for o in outputs], list(init), **kw)


def node(op, ins, outs, **kw):
    return h.make_node(op, ins, outs, **kw)


def array(name, data, dtype=np.float32):
    return nh.from_array(np.array(data, dtype), name)


# ---- good ----

def unsorted():
    nodes = [node("Relu", ["b"], ["c"]), node("Add", ["a", "x"], ["b"], name="plus"), node("Neg", ["x"], ["a"])]
    model("unsorted.onnx", graph(nodes, ["x"], ["c"]))


def constants():
    sparse = h.make_sparse_tensor(h.make_tensor("v", F, [2], [5.0, 6.0]), h.make_tensor("i", T.INT64, [2], [1, 3]), [4])
    table = h.make_sparse_tensor(h.make_tensor("v", F, [2], [7.0, 8.0]), h.make_tensor("i", T.INT64, [2, 2], [0, 1, 1, 0]), [2, 2])
    nodes = [
        node("Constant", [], ["tensor"], value=array("t", [1, 2, 3])), node("Constant", [], ["float"], value_float=1.5),
        node("Constant", [], ["floats"], value_floats=[1.5, 2.5]), node("Constant", [], ["int"], value_int=7),
        node("Constant", [], ["ints"], value_ints=[7, 8, 9]), node("Constant", [], ["sparse"], sparse_value=sparse),
        node("Constant", [], ["table"], sparse_value=table)]
    outs = [value("tensor", [3]), value("float", []), value("floats", [2]), value("int", [], T.INT64), value("ints", [3], T.INT64),
            value("sparse", [4]), value("table", [2, 2])]
    model("constants.onnx", graph(nodes, [], outs))


def initializers():
    sparse = h.make_sparse_tensor(h.make_tensor("s", F, [1], [4.0]), h.make_tensor("", T.INT64, [1], [1]), [2])
    model("initializers.onnx", graph([node("Add", ["x", "w"], ["a"]), node("Add", ["a", "s"], ["y"])], ["w", "x"], ["y"],
                                     [array("w", [10, 20])], sparse_initializer=[sparse]))


DTYPES = [("float32", T.FLOAT, np.float32), ("float64", T.DOUBLE, np.float64), ("float16", T.FLOAT16, np.float16),
          ("int8", T.INT8, np.int8),
          ("uint8", T.UINT8, np.uint8), ("int16", T.INT16, np.int16), ("uint16", T.UINT16, np.uint16), ("int32", T.INT32, np.int32),
          ("uint32", T.UINT32, np.uint32), ("int64", T.INT64, np.int64), ("uint64", T.UINT64, np.uint64), ("bool", T.BOOL, np.bool_)]


def types():
    """Each element type twice: NAME_raw and NAME_typed, values 0, 1, 2, 100 (bool: 0, 1, 1, 1;
    4 bits: 0, 1, 7; 2 bits: 0, 1, 1, 0, 1; floats of 8 bits and less: 1, 2)."""
    init = []
    for name, code, np_type in DTYPES:
        data = np.array([0, 1, 2, 100]).astype(np_type)
        init.append(h.make_tensor(name + "_raw", code, [4], data.tobytes(), raw=True))
        init.append(h.make_tensor(name + "_typed", code, [4], data.tolist()))
    bits = [int(np.float32(v).view(np.uint32)) >> 16 for v in (0, 1, 2, 100)]
    for kind in ("raw", "typed"):
        t = T(name="bfloat16_" + kind, data_type=T.BFLOAT16, dims=[4])
        if kind == "raw":
            t.raw_data = np.array(bits, np.uint16).tobytes()
        else:
            t.int32_data.extend(bits)
        init.append(t)
    small = [("uint4", 21, 3, [0x10, 0x07]), ("int4", 22, 3, [0x10, 0x07]), ("uint2", 25, 5, [0x14, 0x01]), ("int2", 26, 5, [0x14, 0x01]),
             ("float8e4m3fn", 17, 2, [0x38, 0x40]), ("float8e4m3fnuz", 18, 2, [0x40, 0x48]), ("float8e5m2", 19, 2, [0x3C, 0x40]),
             ("float8e5m2fnuz", 20, 2, [0x40, 0x44]), ("float4e2m1", 23, 2, [0x42]), ("float8e8m0", 24, 2, [0x7F, 0x80])]
    for name, code, count, data in small:
        init.append(T(name=name + "_raw", data_type=code, dims=[count], raw_data=bytes(data)))
        t = T(name=name + "_typed", data_type=code, dims=[count])
        t.int32_data.extend(data)
        init.append(t)
    outs = ["y"] + [h.make_empty_tensor_value_info(t.name) for t in init]
    model("types.onnx", graph([node("Identity", ["x"], ["y"])], ["x"], outs, init), ir=10)


def symbolic():
    x = value("x", ["batch", None, "1", 3])
    unknown = h.make_tensor_value_info("u", F, None)
    nodes = [node("Relu", ["x"], ["y"]), node("Relu", ["u"], ["v"])]
    model("symbolic.onnx", graph(nodes, [x, unknown], [value("y", ["batch", None, "1", 3]), value("v", None)]))


def dims():
    """Dims of -1, with an empty name, without anything; names that are no words. An input of one element in two ranks."""
    x, y = value("x", [-1, None, None, "?", "a=b, c[0]\n", 2]), value("y", [-1, None, None, "?", "?", 2])
    x.type.tensor_type.shape.dim[1].dim_param = ""
    model("dims.onnx", graph([node("Relu", ["x"], ["y"])], [x], [y]))
    model("single.onnx", graph([node("Neg", ["x"], ["y"])], [value("x", [1])], [value("y", [1])]))
    model("scalar.onnx", graph([node("Neg", ["x"], ["y"])], [value("x", [])], [value("y", [])]))


def unnamed():
    """Left-out inputs, left-out names, a foreign domain that is imported but not used."""
    model("unnamed.onnx", graph([node("Clip", ["x", "", "top"], ["y"])], ["x"], ["y"], [array("top", 3)]), imports=[("com.acme", 3)])


def branch(nodes, outs, name, init=()):
    return h.make_graph(nodes, name, [], [value(o) if isinstance(o, str) else o for o in outs], list(init))


def subgraphs():
    """Nodes of a branch out of order; the innermost branch reads x and w of the outermost graph; one branch returns an outer value as it is."""
    inner_then = branch([node("Add", ["x", "w"], ["z"])], ["z"], "inner_then")
    inner_else = branch([], ["w"], "inner_else")
    then = branch([node("Add", ["r", "i"], ["z"]), node("If", ["cond"], ["i"], then_branch=inner_then, else_branch=inner_else),
                   node("Relu", ["x"], ["r"])], ["z"], "outer_then")
    other = branch([node("Neg", ["late"], ["z"])], ["z"], "outer_else")
    nodes = [node("If", ["cond"], ["y"], then_branch=then, else_branch=other), node("Mul", ["x", "w"], ["late"])]
    model("subgraphs.onnx", graph(nodes, [value("cond", [], T.BOOL), "x"], ["y"], [array("w", [10, 20])]))


def function(name, ins, outs, nodes, attrs=(), defaults=(), imports=(("", 17),), domain="fun"):
    return h.make_function(domain, name, list(ins), list(outs), list(nodes), [h.make_opsetid(d, v) for d, v in imports], list(attrs),
                           list(defaults))


def ref(n, attr, name, kind):
    a = onnx.AttributeProto(name=attr, ref_attr_name=name, type=kind)
    n.attribute.append(a)
    return n


def functions():
    leaky = ref(node("LeakyRelu", ["v"], ["t"]), "alpha", "slope", onnx.AttributeProto.FLOAT)
    inner = function("Inner", ["v"], ["t"], [leaky], attrs=["slope"])
    outer_nodes = [ref(node("Inner", ["a"], ["l"], domain="fun", name="call"), "slope", "slope", onnx.AttributeProto.FLOAT),
                   node("Constant", [], ["one"], value_floats=[1.0, 1.0]), node("Add", ["l", "one"], ["t"]),
                   node("Clip", ["t", "low"], ["r"])]
    outer = function("Outer", ["a", "low"], ["r"], outer_nodes, defaults=[h.make_attribute("slope", 0.5)], imports=(("", 17), ("fun", 1)))
    const = function("Three", [], ["c"], [node("Constant", [], ["c"], value_floats=[3.0, 3.0])])
    through = function("Through", ["p"], ["p", "q"], [node("Neg", ["p"], ["q"])])
    body = branch([node("Add", ["k", "m"], ["s"])], ["s"], "yes")
    rest = branch([node("Sub", ["k", "m"], ["s"])], ["s"], "no")
    chosen = [node("Abs", ["k"], ["m"]), node("If", ["cond"], ["o"], then_branch=body, else_branch=rest)]
    choose = function("Choose", ["k", "cond"], ["o"], chosen)
    nodes = [node("Outer", ["x"], ["y1"], domain="fun", name="first", slope=0.25), node("Outer", ["x"], ["y2"], domain="fun", name="first"),
             node("Three", [], ["c"], domain="fun"), node("Through", ["x"], ["p1", "q1"], domain="fun"),
             node("Choose", ["x", "cond"], ["o"], domain="fun"), node("Sum", ["c", "q1"], ["sum"])]
    model("functions.onnx", graph(nodes, ["x", value("cond", [], T.BOOL)], ["y1", "y2", "sum", "p1", "o"]), imports=[("fun", 1)],
          functions=[inner, outer, const, through, choose], ir=10)


def overloads():
    """Two functions of one name, one called from a branch of the other; attributes that refer to one of the call, or to none at all."""
    def slope(n):
        return ref(n, "alpha", "slope", onnx.AttributeProto.FLOAT)

    plain = h.make_function("fun", "Act", ["v"], ["t"], [slope(node("LeakyRelu", ["v"], ["t"]))], [h.make_opsetid("", 17)], ["slope"])
    nested = ref(node("Act", ["v"], ["s"], domain="fun"), "slope", "slope", onnx.AttributeProto.FLOAT)
    yes, no = branch([nested], ["s"], "yes"), branch([node("Neg", ["v"], ["s"])], ["s"], "no")
    inner = [node("If", ["cond"], ["t"], then_branch=yes, else_branch=no)]
    other = h.make_function("fun", "Act", ["v", "cond"], ["t"], inner, [h.make_opsetid("", 13), h.make_opsetid("fun", 1)], ["slope"], overload="chosen")
    calls = [branch([node("Act", ["x"], ["z"], domain="fun", slope=0.75)], ["z"], "a"), branch([node("Abs", ["x"], ["z"])], ["z"], "b")]
    nodes = [node("Act", ["x"], ["y1"], domain="fun", slope=0.5), node("Act", ["x"], ["y2"], domain="fun"),
             node("Act", ["x", "cond"], ["y3"], domain="fun", overload="chosen", slope=0.25),
             node("If", ["cond"], ["y4"], then_branch=calls[0], else_branch=calls[1])]
    model("overloads.onnx", graph(nodes, ["x", value("cond", [], T.BOOL)], ["y1", "y2", "y3", "y4"]), imports=[("fun", 1)],
          functions=[plain, other], ir=10)


def empty():
    """Tensors without elements and without dimensions in each encoding; texts that say nothing about the graph; opset 17 twice."""
    def external_scalar():
        return external_tensor("outside", "external.bin", 4, 4, [])

    init = [T(name="raw", data_type=F, dims=[0], raw_data=b""), T(name="typed", data_type=F, dims=[2, 0, 3]), array("none", [], np.int64),
            external_tensor("far", "external.bin", 0, 0, [0]), T(name="scalar_raw", data_type=F, raw_data=np.float32(3).tobytes()),
            h.make_tensor("scalar_typed", F, [], [4.0]), external_scalar()]
    listed = node("Constant", [], ["listed"])
    listed.attribute.append(onnx.AttributeProto(name="value_ints", type=onnx.AttributeProto.INTS))
    nodes = [listed, node("Concat", ["raw", "x", "far"], ["a"], axis=0),
             node("Sum", ["a", "scalar_raw", "scalar_typed", "outside"], ["y"])]
    g = graph(nodes, ["x"], ["y", value("typed", [2, 0, 3]), value("listed", [0], T.INT64), value("none", [0], T.INT64)], init)
    g.doc_string = "text \u00e4\n"
    g.quantization_annotation.add(tensor_name="x").quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="scalar_raw")
    for holder in (g, g.node[1], g.input[0]):
        holder.metadata_props.add(key="key", value="value")
    m = h.make_model(g, opset_imports=[h.make_opsetid("", 17), h.make_opsetid("ai.onnx", 17)], ir_version=10, doc_string="text")
    m.metadata_props.add(key="author", value="nobody")
    save("empty.onnx", m.SerializeToString(deterministic=True))


def external_tensor(name, location, offset=None, length=None, shape=(2,), dtype=F):
    t = T(name=name, data_type=dtype, dims=list(shape), data_location=T.EXTERNAL)
    for key, v in (("location", location), ("offset", offset), ("length", length)):
        if v is not None:
            t.external_data.add(key=key, value=str(v))
    return t


def external():
    data = bytearray(np.array([1, 2, 3, 4], np.float32).tobytes() + b"\x02" + np.array([5, 6], np.float32).tobytes() + bytes([1, 0]))
    save("external.bin", bytes(data))
    init = [external_tensor("a", "external.bin", 0, 8), external_tensor("b", "external.bin", 8),
            external_tensor("odd", "external.bin", 17, 8), external_tensor("flags", "external.bin", 16, 2, dtype=T.BOOL)]
    model("external.onnx", graph([node("Sum", ["x", "a", "b", "odd"], ["y"])], ["x"], ["y", value("flags", [2], T.BOOL)], init))


def large():
    """2.68 GB of weights in large.bin, which the test makes (a sparse file): a table of 640 Ki rows, and four numbers behind it."""
    rows, width = 655360, 1024
    init = [external_tensor("table", "large.bin", 0, rows * width * 4, (rows, width)), external_tensor("tail", "large.bin", rows * width * 4, 16, (4,))]
    nodes = [node("Gather", ["table", "rows"], ["picked"]), node("Neg", ["tail"], ["behind"])]
    model("large.onnx", graph(nodes, [value("rows", [2], T.INT64)], [value("picked", [2, width]), value("behind", [4])], init))


# ---- bad: file name = what is wrong ----

def one(op="Relu", ins=("x",), outs=("y",), **kw):
    return [node(op, list(ins), list(outs), name="n", **kw)]


def field(number, data):
    """One length-delimited field in wire format: the protobuf library itself refuses to nest this deep."""
    size, out = len(data), bytearray()
    for n in (number << 3 | 2, size):
        while n > 127:
            out.append(n & 127 | 128)
            n >>= 7
        out.append(n)
    return bytes(out) + data


def deep_model(levels):
    leaf = branch(one(outs=["z"]), ["z"], "leaf").SerializeToString()
    nested = leaf
    for _ in range(levels):
        kind = b"\xa0\x01\x05"
        attrs = field(5, field(1, b"then_branch") + field(6, nested) + kind) + field(5, field(1, b"else_branch") + field(6, leaf) + kind)
        outputs = field(12, value("z").SerializeToString())
        nested = field(1, field(1, b"c") + field(2, b"z") + field(4, b"If") + attrs) + field(2, b"b") + outputs
    inputs = field(11, value("c", [], T.BOOL).SerializeToString()) + field(11, value("x").SerializeToString())
    return onnx.ModelProto(ir_version=8, opset_import=[h.make_opsetid("", 17)]).SerializeToString() + field(7, nested + inputs)


def bad_branches(good):
    two = branch([node("Relu", ["x"], ["z"]), node("Neg", ["x"], ["z2"])], ["z", "z2"], "two")
    whole = branch([node("Cast", ["x"], ["z"], to=T.INT64)], [value("z", dtype=T.INT64)], "whole")
    for name, other in (("number", two), ("type", whole)):
        choice = node("If", ["c"], ["y"], name="n", then_branch=good, else_branch=other)
        model(f"bad_branch_{name}.onnx", graph([choice], [value("c", [], T.BOOL), "x"], ["y"]))


def bad_shapes():
    """Fine as graphs; refused when the shapes are planned."""
    for name, op, data in (("rank", "Conv", np.ones((1, 2, 3), np.float32)), ("product", "MatMul", np.ones((3, 2), np.float32)),
                           ("huge", "Expand", np.array([2**20, 2**19, 2], np.int64)), ("overflow", "Expand", np.array([2**40, 2**40, 2], np.int64)),
                           ("negative", "Reshape", np.array([-5, 2], np.int64))):
        model(f"bad_shape_{name}.onnx", graph(one(op, ins=["x", "w"]), ["x"], [value("y", None)], [nh.from_array(data, "w")]))


def bad_graphs():
    model("bad_cycle.onnx", graph([node("Add", ["x", "b"], ["a"], name="n"), node("Relu", ["a"], ["b"])], ["x"], ["b"]))
    model("bad_dangling.onnx", graph(one(ins=["nowhere"]), ["x"], ["y"]))
    model("bad_output.onnx", graph(one(), ["x"], ["nothing"]))
    model("bad_twice.onnx", graph(one() + [node("Neg", ["x"], ["y"])], ["x"], ["y"]))
    model("bad_initializer_twice.onnx", graph(one("Add", ["x", "w"]), ["x"], ["y"], [array("w", [1, 2]), array("w", [3, 4])]))
    lost, found = branch(one(ins=["lost"], outs=["z"]), ["z"], "t"), branch(one(ins=["x"], outs=["z"]), ["z"], "e")
    choice = node("If", ["c"], ["y"], name="n", then_branch=lost, else_branch=found)
    model("bad_capture.onnx", graph([choice], [value("c", [], T.BOOL), "x"], ["y"]))
    bad_branches(found)
    model("bad_dim.onnx", graph(one(), [value("x", [2, -3])], ["y"]))
    model("bad_rank.onnx", graph(one(), [value("x", [1] * 13)], ["y"]))
    model("bad_arity.onnx", graph(one("Add", ["x"]), ["x"], ["y"]))
    model("bad_attribute.onnx", graph(one("Softmax", axis=1.5), ["x"], ["y"]))
    model("bad_operator.onnx", graph(one("Frobnicate", domain="com.acme"), ["x"], ["y"]), imports=[("com.acme", 1)])
    model("bad_sequence.onnx", graph(one("SequenceLength"), [h.make_tensor_sequence_value_info("x", F, None)], [value("y", [], T.INT64)]))
    model("bad_opset0.onnx", graph(one(), ["x"], ["y"]), opset=0)
    model("bad_opset_news.onnx", graph(one(depth=3), ["x"], ["y"]), opset=41)
    model("bad_opset_twice.onnx", graph(one(), ["x"], ["y"]), imports=[("ai.onnx", 18)])
    old = function("Old", ["a"], ["b"], [node("Relu", ["a"], ["b"])], imports=(("", -5),))
    model("bad_opset_of_function.onnx", graph(one("Old", domain="fun"), ["x"], ["y"]), imports=[("fun", 1)], functions=[old])
    news = h.make_model(graph(one(), ["x"], ["y"]), opset_imports=[h.make_opsetid("", 17)], ir_version=19)
    save("bad_ir_news.onnx", news.SerializeToString() + field(41, b"news"))
    save("bad_nesting.onnx", deep_model(70))
    forever = function("Forever", ["a"], ["b"], [node("Forever", ["a"], ["b"], domain="fun")], imports=(("", 17), ("fun", 1)))
    model("bad_recursion.onnx", graph(one("Forever", domain="fun"), ["x"], ["y"]), imports=[("fun", 1)], functions=[forever])
    save("bad_no_graph.onnx", onnx.ModelProto(ir_version=8, opset_import=[h.make_opsetid("", 17)]).SerializeToString())


def with_weight(name, tensor):
    model(name, graph(one("Add", ["x", "w"]), ["x"], ["y"], [tensor]))


def bad_tensors():
    with_weight("bad_raw_short.onnx", T(name="w", data_type=F, dims=[2], raw_data=b"\0\0\0\0"))
    typed = T(name="w", data_type=F, dims=[3])
    typed.float_data.extend([1.0, 2.0])
    with_weight("bad_typed_short.onnx", typed)
    with_weight("bad_huge.onnx", T(name="w", data_type=F, dims=[1 << 20, 1 << 20], raw_data=b"\0\0\0\0"))
    with_weight("bad_overflow.onnx", T(name="w", data_type=F, dims=[1 << 40, 1 << 40], raw_data=b"\0\0\0\0"))
    with_weight("bad_negative.onnx", T(name="w", data_type=F, dims=[-2], raw_data=b"\0\0\0\0"))
    with_weight("bad_string.onnx", T(name="w", data_type=T.STRING, dims=[1], string_data=[b"text"]))
    with_weight("bad_complex.onnx", T(name="w", data_type=14, dims=[2], raw_data=bytes(16)))
    model("bad_constant_string.onnx", graph(one("Constant", [], ["y"], value_string="text"), [], ["y"]))
    model("bad_constant_strings.onnx", graph(one("Constant", [], ["y"], value_strings=["a", "b"]), [], ["y"]))
    model("bad_constant_empty.onnx", graph(one("Constant", [], ["y"]), [], ["y"]))
    sparse = h.make_sparse_tensor(h.make_tensor("w", F, [1], [4.0]), h.make_tensor("", T.INT64, [1], [9]), [2])
    model("bad_sparse_index.onnx", graph(one("Add", ["x", "w"]), ["x"], ["y"], sparse_initializer=[sparse]))
    big = h.make_sparse_tensor(h.make_tensor("w", F, [1], [4.0]), h.make_tensor("", T.INT64, [1], [1]), [1 << 40])
    model("bad_sparse_huge.onnx", graph(one("Add", ["x", "w"]), ["x"], ["y"], sparse_initializer=[big]))


def bad_externals():
    with_weight("bad_external_missing.onnx", external_tensor("w", "missing.bin"))
    with_weight("bad_external_up.onnx", external_tensor("w", "sub/../../secret.bin"))
    with_weight("bad_external_absolute.onnx", external_tensor("w", "/etc/hostname"))
    with_weight("bad_external_offset.onnx", external_tensor("w", "external.bin", -4))
    with_weight("bad_external_length.onnx", external_tensor("w", "external.bin", 0, 12))
    with_weight("bad_external_short.onnx", external_tensor("w", "external.bin", 24))
    with_weight("bad_external_nowhere.onnx", external_tensor("w", None))


def tensor_files():
    save("tensor.pb", array("t", [[1, 2], [3, 4]]).SerializeToString())
    save("tensor_short.pb", T(name="t", data_type=F, dims=[3], raw_data=b"\0\0\0\0").SerializeToString())
    save("tensor_string.pb", T(name="t", data_type=T.STRING, dims=[1], string_data=[b"text"]).SerializeToString())
    save("tensor_external.pb", external_tensor("t", "external.bin").SerializeToString())


def products():
    """Products for vlm-quantize: a Gemm with factors, a Gemm with one C per row, two products of one name."""
    rng = np.random.default_rng(3)
    w, c = rng.standard_normal((64, 64)).astype("f"), rng.standard_normal((8, 1)).astype("f")
    x, y = value("x", (8, 64)), value("y", (8, 64))
    weight = nh.from_array(w, "w")
    scaled = node("Gemm", ["x", "w", "b"], ["y"], name="n", alpha=3.0, beta=0.5, transB=1)
    model("gemm_scaled.onnx", graph([scaled], [x], [y], [weight, nh.from_array(w[0], "b")]))
    model("gemm_rows.onnx", graph([node("Gemm", ["x", "w", "c"], ["y"], name="n")], [x], [y], [weight, nh.from_array(c, "c")]))
    half = T.FLOAT16
    model("half.onnx", graph([node("MatMul", ["x", "w"], ["y"], name="n")], [value("x", (8, 64), half)], [value("y", (8, 64), half)],
                             [nh.from_array(w.astype(np.float16), "w")]))
    twice = [node("MatMul", ["x", "w"], ["a"], name="n"), node("MatMul", ["a", "v"], ["y"], name="n")]
    model("same_names.onnx", graph(twice, [x], [y], [weight, nh.from_array(w * 100, "v")]))
    np.save(os.path.join(OUT, "products.npy"), rng.standard_normal((8, 64)).astype("f"))


def names():
    """Values that are called as our own made-up ones, and outputs that want the same file."""
    rng = np.random.default_rng(5)
    w, v, table = (rng.standard_normal(s).astype("f") for s in ((64, 64), (64, 64), (300, 64)))
    ours = [b + e + n for b in ("w", "v", "table", "x", "h", "e") for n in ("", "_1")
            for e in ("_quantized", "_dequantized", "_scale", "_zero_point", "_rows_quantized", "_rows_scale")] + [f"value_{k}" for k in range(60)]
    init = [nh.from_array(w, "w"), nh.from_array(v, "v"), nh.from_array(table, "table")]
    init += [array(name, 0.01 * k) for k, name in enumerate(ours[::2])]
    nodes = [node("Gather", ["table", "ids"], ["e"]), node("MatMul", ["x", "w"], ["h"]), node("Add", ["h", "e"], ["h_e"]), node("MatMul", ["h_e", "v"], ["s0"])]
    for k, name in enumerate(ours[::2]):
        made = ours[2 * k + 1]
        nodes += [node("Add", [f"s{k}", name], [made]), node("Neg", [made], [f"m{k}"]), node("Neg", [f"m{k}"], [f"s{k + 1}"])]
    ends = ["y/z", "y_z", "y_z-2", "y:z", "y\tz", "n" * 300, "n" * 301]
    nodes += [node("Add", [f"s{len(ours) // 2}", ours[2 * k]], [end]) for k, end in enumerate(ends)]
    inputs = [value("x", ("n", 64)), value("ids", ("n",), T.INT64)]
    model("names.onnx", graph(nodes, inputs, [value(end, ("n", 64)) for end in ends], init))
    for k in range(3):
        np.save(os.path.join(OUT, f"names_x{k}.npy"), rng.standard_normal((4, 64)).astype("f"))
    np.save(os.path.join(OUT, "names_ids.npy"), np.array([3, 17, 99, 200]))


def many_dims():
    """A product on a tensor of 12 dims, all but the last with a name."""
    rng = np.random.default_rng(9)
    names = [f"d{k}" for k in range(11)]
    weight = nh.from_array(rng.standard_normal((64, 64)).astype("f"), "w")
    model("many_dims.onnx", graph([node("MatMul", ["x", "w"], ["y"])], [value("x", names + [64])], [value("y", names + [64])], [weight]))
    np.save(os.path.join(OUT, "many_dims.npy"), rng.standard_normal([2, 1, 1, 2, 1, 1, 1, 2, 1, 1, 2, 64]).astype("f"))


if __name__ == "__main__":
    for make in (names, many_dims, products, tensor_files, unsorted, constants, initializers, types, symbolic, dims, unnamed, subgraphs, functions, overloads, empty, external, large, bad_graphs, bad_shapes,
                 bad_tensors, bad_externals):
        make()
