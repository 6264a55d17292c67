"""Writes the ONNX files with sequences of tensors that tests/onnx reads, and what ONNX Runtime makes of the good ones.

    .venv/bin/python tests/oracles/sequence_models.py tests/onnx/data
"""
import io
import os

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto as T
from onnx import helper as h

from onnx_models import F, OUT, array, branch, function, graph, model, node, one, save, value


def i64(name, data):
    return array(name, data, np.int64)


def sequence(name, dtype=F):
    return h.make_tensor_sequence_value_info(name, dtype, None)


def answers(name, feeds):
    """NAME_want.onnx: the inputs and what ONNX Runtime returns, as initializers."""
    session = ort.InferenceSession(os.path.join(OUT, name + ".onnx"), providers=["CPUExecutionProvider"])
    wanted = dict(feeds)
    wanted.update(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))
    tensors = [array(k, v, np.asarray(v).dtype) for k, v in wanted.items()]
    model(name + "_want.onnx", graph([], [], [h.make_empty_tensor_value_info(k) for k in wanted], tensors))


def loose(*names, dtype=F):
    return [h.make_tensor_value_info(n, dtype, None) for n in names]


X = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 7
YES, NO = {"c": np.array(True)}, {"c": np.array(False)}


def lists():
    """Every operator on lists, positions from both ends, and positions that are computed from a length."""
    nodes = [
        node("Neg", ["x"], ["n"]), node("Abs", ["x"], ["a"]),
        node("SequenceConstruct", ["x", "n", "a"], ["s"]), node("SequenceAt", ["s", "one"], ["y1"]), node("SequenceAt", ["s", "last"], ["y2"]),
        node("SequenceEmpty", [], ["e"], dtype=F), node("SequenceInsert", ["e", "x"], ["e1"]), node("SequenceInsert", ["e1", "n", "zero"], ["e2"]),
        node("SequenceInsert", ["e2", "a", "last"], ["e3"]), node("ConcatFromSequence", ["e3"], ["y3"], axis=-1),
        node("SequenceErase", ["e3"], ["e4"]), node("SequenceErase", ["e3", "minus3"], ["e5"]), node("SequenceLength", ["e4"], ["y4"]),
        node("ConcatFromSequence", ["e5"], ["y5"], axis=-1, new_axis=1), node("ConcatFromSequence", ["e4"], ["y6"], axis=0, new_axis=1),
        node("Identity", ["e3"], ["same"]), node("SequenceLength", ["same"], ["length"]), node("Sub", ["length", "one"], ["end"]),
        node("SequenceAt", ["same", "end"], ["y7"]), node("SequenceErase", ["same", "end"], ["rest"]), node("SequenceLength", ["rest"], ["y8"]),
        node("SequenceAt", ["s", "zero"], ["y9"])]
    init = [i64("zero", 0), array("one", 1, np.int64), i64("last", -1), array("minus3", [-3], np.int32)]
    outs = loose("y1", "y2", "y3", "y5", "y6", "y7", "y9") + loose("y4", "y8", dtype=T.INT64)
    model("sequences.onnx", graph(nodes, [value("x", [2, 3, 4])], outs, init))
    answers("sequences", {"x": X})


def splits():
    """Every form of SplitToSequence; `sizes` is computed, only its length is known."""
    nodes = []
    outs = []

    def use(name, axis, picks, sizes=(), **kw):
        nodes.append(node("SplitToSequence", ["x", *sizes], [name], axis=axis, **kw))
        nodes.append(node("SequenceLength", [name], [name + "_n"]))
        outs.extend(loose(name + "_n", dtype=T.INT64))
        for k, pick in enumerate(picks):
            nodes.append(node("SequenceAt", [name, pick], ["%s_%d" % (name, k)]))
            outs.extend(loose("%s_%d" % (name, k)))

    use("each", 0, ["zero", "last"])
    use("flat", -1, ["zero", "two", "last"], keepdims=0)
    use("pairs", 2, ["zero", "one"], ["two"])
    use("uneven", -1, ["zero", "one"], ["three"])
    use("given", 1, ["zero", "one", "last"], ["parts"], keepdims=0)
    nodes.append(node("Add", ["parts", "extra"], ["sizes"]))
    use("computed", 1, ["zero", "two"], ["sizes"])
    nodes.append(node("ConcatFromSequence", ["flat"], ["joined"], axis=1, new_axis=1))
    nodes.append(node("SequenceAt", ["flat", "i"], ["any"]))
    nodes.append(node("SequenceAt", ["each", "i"], ["any_kept"]))
    outs.extend(loose("joined", "any", "any_kept"))
    init = [i64("zero", 0), i64("one", 1), i64("two", 2), i64("three", 3), i64("last", -1), i64("parts", [2, 0, 1])]
    inputs = [value("x", [2, 3, 4]), value("extra", [3], T.INT64), value("i", [], T.INT64)]
    model("sequence_splits.onnx", graph(nodes, inputs, outs, init, value_info=[value("sizes", [3], T.INT64)]))
    answers("sequence_splits", {"x": X, "extra": np.array([-1, 1, 0], np.int64), "i": np.array(-2, np.int64)})


def open_splits():
    """Slices of size 1 and 2 along a dim that is not known; a Loop reads one per round."""
    body = h.make_graph([node("Identity", ["cond"], ["go"]), node("SequenceAt", ["rows", "k"], ["row"]), node("Add", ["sum", "row"], ["next"])],
                        "body", [value("k", [], T.INT64), value("cond", [], T.BOOL), value("sum", None)],
                        [value("go", [], T.BOOL), value("next", None)])
    nodes = [
        node("SplitToSequence", ["x"], ["rows"], axis=1, keepdims=0), node("SplitToSequence", ["x", "one"], ["kept"], axis=-2),
        node("SequenceAt", ["rows", "one"], ["y1"]), node("SequenceAt", ["kept", "last"], ["y2"]),
        node("SequenceAt", ["rows", "last"], ["start"]), node("Loop", ["trips", "", "start"], ["y3"], body=body),
        node("SplitToSequence", ["x", "two"], ["pairs"], axis=1), node("SequenceAt", ["pairs", "zero"], ["y4"]), node("SequenceAt", ["pairs", "one"], ["y5"])]
    init = [i64("one", 1), i64("last", -1), i64("trips", 3), i64("two", 2), i64("zero", 0)]
    model("sequence_open.onnx", graph(nodes, [value("x", [2, "n", 4])], loose("y1", "y2", "y3", "y4", "y5"), init))
    answers("sequence_open", {"x": X})


def branches():
    """Branches that read a sequence of the outer graph, return one each, or return the outer one as it is."""
    then = h.make_graph([node("SequenceAt", ["s", "one"], ["p"]), node("Neg", ["p"], ["q"]), node("SequenceConstruct", ["q", "p"], ["t"]),
                         node("SequenceLength", ["s"], ["l"])], "then", [], [sequence("t"), value("l", [], T.INT64)])
    other = h.make_graph([node("SequenceErase", ["s", "zero"], ["t"]), node("Identity", ["zero"], ["l"])], "else", [],
                         [sequence("t"), value("l", [], T.INT64)])
    keep = h.make_graph([node("Identity", ["s"], ["v"])], "keep", [], [sequence("v")])
    outer = h.make_graph([], "keep", [], [sequence("s")]) # ONNX Runtime does not take this one
    turn = h.make_graph([node("SequenceAt", ["s", "one"], ["p"]), node("SequenceErase", ["s", "one"], ["u"]),
                         node("SequenceInsert", ["u", "p"], ["v"])], "turn", [], [sequence("v")])
    inputs, outs = [value("x", [2, 3, 4]), value("c", [], T.BOOL)], loose("y1", "y2") + loose("l", dtype=T.INT64)
    init = [i64("zero", 0), i64("one", 1), i64("two", 2)]

    def write(name, kept):
        nodes = [node("Neg", ["x"], ["n"]), node("Abs", ["x"], ["a"]), node("SequenceConstruct", ["x", "n", "a"], ["s"]),
                 node("If", ["c"], ["chosen", "l"], then_branch=then, else_branch=other),
                 node("If", ["c"], ["turned"], then_branch=kept, else_branch=turn),
                 node("ConcatFromSequence", ["chosen"], ["y1"], axis=0), node("SequenceAt", ["turned", "two"], ["y2"])]
        model(name + ".onnx", graph(nodes, inputs, outs, init))

    for name, feed in (("sequence_then", YES), ("sequence_else", NO)):
        write(name, keep)
        answers(name, {"x": X, **feed})
        write(name, outer)


def through_functions():
    """A function that takes and returns a sequence, with its nodes out of order; the split comes from an attribute of the call."""
    size = node("Constant", [], ["size"])
    size.attribute.append(onnx.AttributeProto(name="value_int", ref_attr_name="size", type=onnx.AttributeProto.INT))
    parts = function("Parts", ["v"], ["s"], [size, node("SplitToSequence", ["v", "size"], ["s"], axis=2)], attrs=["size"])
    steps = [node("Constant", [], ["k"], value_int=-1), node("SequenceAt", ["s", "k"], ["first"]), node("Identity", ["s"], ["t"])]
    nodes = [node("Parts", ["x"], ["s"], domain="fun", size=3), node("Back", ["s"], ["y1", "r"], domain="fun"),
             node("ConcatFromSequence", ["r"], ["y2"], axis=2)]

    def write(backwards):
        turn = -1 if backwards else 1
        back = function("Back", ["s"], ["first", "t"], steps[::turn])
        model("sequence_functions.onnx", graph(nodes[::turn], [value("x", [2, 3, 4])], loose("y1", "y2")), imports=[("fun", 1)],
              functions=[parts, back])

    write(False)
    answers("sequence_functions", {"x": X})
    write(True) # ONNX Runtime wants functions in order


class Pieces(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 6)

    def forward(self, x):
        q, k, v = self.linear(x).chunk(3, dim=-1)
        a, b = torch.split(x, [1, 3], dim=2)
        first, *_, last = x.unbind(1)
        halves = torch.split(x, 2, dim=1)
        return q * k + v, torch.tanh(a) + b, torch.stack([first, last], dim=1), torch.cat(halves[::-1], dim=1)


def exported():
    torch.manual_seed(5)
    program = torch.onnx.export(Pieces().eval(), (torch.from_numpy(X),), dynamo=True, opset_version=18, optimize=False)
    buffer = io.BytesIO()
    program.save(buffer)
    proto = onnx.load_from_string(buffer.getvalue())
    for n in proto.graph.node:
        n.doc_string = ""
        del n.metadata_props[:]
    del proto.graph.metadata_props[:]
    for v in list(proto.graph.value_info) + list(proto.graph.input) + list(proto.graph.output):
        del v.metadata_props[:]
    save("sequence_torch.onnx", proto.SerializeToString(deterministic=True))
    answers("sequence_torch", {proto.graph.input[0].name: X})


def refused():
    x, y = value("x", [2, 3, 4]), value("y", None)
    n, k = value("y", [], T.INT64), value("k", [], T.INT64)
    three = node("SequenceConstruct", ["x", "x", "x"], ["s"], name="s")

    def bad(name, nodes, inputs=(x,), outputs=(y,), init=(), opset=17, **kw):
        model("bad_seq_%s.onnx" % name, graph(nodes, list(inputs), list(outputs), list(init), **kw), opset=opset)

    bad("position", [three] + one("SequenceAt", ["s", "k"]), init=[i64("k", 3)])
    bad("position_low", [three] + one("SequenceErase", ["s", "k"], ["t"]) + [node("SequenceAt", ["t", "z"], ["y"])],
        init=[i64("k", -4), i64("z", 0)])
    bad("position_insert", [three] + one("SequenceInsert", ["s", "x", "k"], ["t"]) + [node("SequenceAt", ["t", "z"], ["y"])],
        init=[i64("k", 4), i64("z", 0)])
    bad("position_huge", [three] + one("SequenceAt", ["s", "k"]), init=[i64("k", -2 ** 63)])
    bad("position_two", [three] + one("SequenceAt", ["s", "k"]), init=[i64("k", [0, 1])])
    bad("position_float", [three] + one("SequenceAt", ["s", "k"]), init=[array("k", 1)])
    bad("index", [three] + one("SequenceAt", ["s", "k"]), [x, k])
    bad("index_insert", [three] + one("SequenceInsert", ["s", "x", "k"], ["t"]) + [node("SequenceLength", ["t"], ["y"])], [x, k], [n])
    bad("tensor", one("SequenceLength", ["x"]), outputs=[n])
    bad("used_as_tensor", [three] + one("Neg", ["s"]))
    bad("nested", [three] + one("SequenceConstruct", ["s"], ["t"]) + [node("SequenceLength", ["t"], ["y"])], outputs=[n])
    bad("output", [three], outputs=[sequence("s")])
    bad("output_untyped", [three], outputs=[value("s", None)])
    bad("input", one("SequenceLength", ["t"]), [sequence("t")], [n])
    inside = h.make_graph(one("SequenceLength", ["t"], ["l"]), "then", [], [value("l", [], T.INT64)])
    nothing = h.make_graph([node("Constant", [], ["l"], value_int=0)], "else", [], [value("l", [], T.INT64)])
    bad("input_in_body", [node("If", ["c"], ["y"], then_branch=inside, else_branch=nothing)], [sequence("t"), value("c", [], T.BOOL)], [n])
    bad("twice", [three, node("SequenceConstruct", ["x"], ["s"], name="again")] + one("SequenceLength", ["s"]), outputs=[n])
    bad("cycle", one("SequenceInsert", ["t", "x"], ["t"]) + [node("SequenceLength", ["t"], ["y"])], outputs=[n])
    bad("dangling", one("SequenceLength", ["nowhere"]), outputs=[n])
    bad("types", [node("Cast", ["x"], ["d"], to=T.DOUBLE)] + one("SequenceConstruct", ["x", "d"], ["s"]) +
        [node("SequenceLength", ["s"], ["y"])], outputs=[n], value_info=[value("d", [2, 3, 4], T.DOUBLE)])
    bad("types_empty", [node("SequenceEmpty", [], ["e"], dtype=T.INT64)] + one("SequenceInsert", ["e", "x"], ["s"]) +
        [node("SequenceLength", ["s"], ["y"])], outputs=[n])
    bad("strings", one("SequenceEmpty", [], ["e"], dtype=T.STRING) + [node("SequenceLength", ["e"], ["y"])], outputs=[n])
    bad("type_code", one("SequenceEmpty", [], ["e"], dtype=2 ** 40) + [node("SequenceLength", ["e"], ["y"])], outputs=[n])
    bad("empty_concat", [node("SequenceEmpty", [], ["e"])] + one("ConcatFromSequence", ["e"], axis=0))
    bad("empty_erase", [node("SequenceEmpty", [], ["e"])] + one("SequenceErase", ["e"], ["t"]) + [node("SequenceLength", ["t"], ["y"])],
        outputs=[n])
    bad("new_axis", [three] + one("ConcatFromSequence", ["s"], axis=0, new_axis=2))
    bad("no_axis", [three] + one("ConcatFromSequence", ["s"]))
    bad("opset", [three] + one("SequenceLength", ["s"]), outputs=[n], opset=10)
    for name, kw in (("split_axis", {"axis": 3}), ("split_keepdims", {"keepdims": 2})):
        bad(name, one("SplitToSequence", ["x"], ["s"], **kw) + [node("SequenceLength", ["s"], ["y"])], outputs=[n])
    for name, sizes in (("split_zero", 0), ("split_negative", [-1, 4]), ("split_short", [1, 1]), ("split_long", [1, 3]),
                        ("split_table", [[1, 2]])):
        bad(name, one("SplitToSequence", ["x", "z"], ["s"], axis=1) + [node("SequenceLength", ["s"], ["y"])], outputs=[n],
            init=[i64("z", sizes)])
    bad("split_float", one("SplitToSequence", ["x", "z"], ["s"]) + [node("SequenceLength", ["s"], ["y"])], outputs=[n], init=[array("z", 1)])
    bad("split_open", one("SplitToSequence", ["x"], ["s"]) + [node("SequenceLength", ["s"], ["y"], name="l")], [value("x", ["n", 3])], [n])
    bad("split_open_pairs", one("SplitToSequence", ["x", "z"], ["s"]) + [node("SequenceAt", ["s", "o"], ["y"], name="at")],
        [value("x", ["n", 3])], init=[i64("z", 2), i64("o", -1)])
    bad("split_computed", one("SplitToSequence", ["x", "k"], ["s"]) + [node("SequenceLength", ["s"], ["y"], name="l")], [x, k], [n])
    bad("split_many", one("SplitToSequence", ["x"], ["s"]) + [node("SequenceLength", ["s"], ["y"])], [value("x", [1 << 40])], [n])
    grow = h.make_graph([node("Identity", ["go"], ["on"]), node("SequenceInsert", ["in", "x"], ["out"])], "grow",
                        [k, value("go", [], T.BOOL), sequence("in")], [value("on", [], T.BOOL), sequence("out")])
    bad("loop", [three] + one("Loop", ["trips", "", "s"], ["t"], body=grow) + [node("SequenceLength", ["t"], ["y"])], outputs=[n],
        init=[i64("trips", 2)])
    steps = h.make_graph([node("Identity", ["go"], ["on"]), node("Identity", ["sum"], ["out"])], "steps",
                         [k, value("go", [], T.BOOL), value("sum", None)], [value("on", [], T.BOOL), value("out", None)])
    bad("loop_input", [three] + one("Loop", ["trips", "", "s"], ["t"], body=steps) + [node("SequenceLength", ["t"], ["y"])], outputs=[n],
        init=[i64("trips", 2)])
    steps = h.make_graph([node("Identity", ["go"], ["on"]), node("SequenceConstruct", ["sum"], ["out"])], "steps",
                         [k, value("go", [], T.BOOL), value("sum", None)], [value("on", [], T.BOOL), sequence("out")])
    bad("loop_output", one("Loop", ["trips", "", "x"], ["t"], body=steps) + [node("SequenceLength", ["t"], ["y"])], outputs=[n],
        init=[i64("trips", 2)])

    def choice(name, yes, no, outs):
        branches = [h.make_graph(nodes, b, [], [out]) for b, nodes, out in (("then", *yes), ("else", *no))]
        bad(name, [three] + one("If", ["c"], ["t"], then_branch=branches[0], else_branch=branches[1]) + outs,
            [x, value("c", [], T.BOOL)], [n])

    length = [node("SequenceLength", ["t"], ["y"])]
    two, four = [node("SequenceErase", ["s"], ["r"])], [node("SequenceInsert", ["s", "x"], ["r"])]
    choice("if_lengths", (two, sequence("r")), (four, sequence("r")), length)
    choice("if_kinds", (two, sequence("r")), ([node("Neg", ["x"], ["r"])], value("r", None)), length)


for make in (lists, splits, open_splits, branches, through_functions, exported, refused):
    make()
