"""Random cases of data movement, pooling, resizing, recurrent and attention operators, in the ONNX backend-test layout, computed by ONNX Runtime.

Usage: .venv/bin/python tests/oracles/make_shape_cases.py tests/cli/data/shape_cases [rounds] [seed]
One round makes one case per generator below. Committed: one round. For a long hunt: many rounds into a scratch folder, then vlm-run --check."""
import pathlib
import sys

import numpy as np
import onnxruntime as ort
from onnx import helper, numpy_helper

MS = "com.microsoft"
rng = np.random.default_rng(11)
GENERATORS = []


def generator(function):
    GENERATORS.append(function)
    return function


def f32(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def pick(*choices):
    return choices[rng.integers(len(choices))]


def dims(low=1, high=5, size=7):
    return [int(n) for n in rng.integers(1, size, rng.integers(low, high + 1))]


def any_type(shape):
    dtype = pick(np.float32, np.float32, np.int64, np.uint8, np.int32, np.bool_)
    return (rng.standard_normal(shape) * 20).astype(dtype)


def i64(values):
    return np.array(values, np.int64)


@generator
def transpose():
    x = any_type(dims(1, 5, 18 if rng.random() < 0.3 else 6))
    return "Transpose", [x], {"perm": [int(p) for p in rng.permutation(x.ndim)]}


@generator
def slice_():
    x = any_type(dims(1, 4, 9))
    axes = rng.permutation(x.ndim)[: rng.integers(1, x.ndim + 1)]
    starts, ends, steps = [], [], []
    for _ in axes:
        step = int(pick(1, 1, 2, -1, -2, 3))
        starts.append(int(rng.integers(-10, 11)) if rng.random() < 0.8 else (2**63 - 1 if step < 0 else -(2**62)))
        ends.append(int(rng.integers(-10, 11)) if rng.random() < 0.7 else (2**63 - 1 if step > 0 else -(2**63)))
        steps.append(step)
    return "Slice", [x, i64(starts), i64(ends), i64([int(a) - pick(0, x.ndim) for a in axes]), i64(steps)], {}


@generator
def concat():
    shape = dims(1, 4)
    axis = int(rng.integers(len(shape)))
    first = any_type(shape)
    parts = [first]
    for _ in range(rng.integers(0, 4)):
        shape[axis] = int(rng.integers(0, 5))
        parts.append((rng.standard_normal(shape) * 20).astype(first.dtype))
    return "Concat", parts, {"axis": axis - pick(0, len(shape))}


@generator
def split():
    x = any_type(dims(1, 4, 9))
    axis = int(rng.integers(x.ndim))
    cut = int(rng.integers(0, x.shape[axis] + 1))
    return "Split", [x, i64([cut, x.shape[axis] - cut])], {"axis": axis, "n_out": 2}


@generator
def pad():
    x = f32(*dims(1, 4))
    mode = pick("constant", "reflect", "edge", "wrap")
    high = [n - 1 if mode == "reflect" else n for n in x.shape]
    pads = [int(rng.integers(0, max(h, 0) + 1)) for h in high * 2]
    inputs = [x, i64(pads)] + ([np.float32(1.5)] if mode == "constant" and rng.random() < 0.5 else [])
    return "Pad", inputs, {"mode": mode, "opset": 19}


@generator
def expand():
    shape = dims(1, 4)
    small = [n if rng.random() < 0.5 else 1 for n in shape][int(rng.integers(len(shape))):]
    return "Expand", [any_type(small), i64(shape)], {}


@generator
def tile():
    x = any_type(dims(1, 4))
    return "Tile", [x, i64(rng.integers(0, 4, x.ndim))], {}


@generator
def gather():
    x = any_type(dims(1, 4))
    axis = int(rng.integers(x.ndim))
    index = rng.integers(-x.shape[axis], x.shape[axis], dims(0, 2) if rng.random() < 0.8 else []).astype(pick(np.int64, np.int32))
    return "Gather", [x, index], {"axis": axis}


@generator
def gather_elements():
    x = any_type(dims(1, 4))
    axis = int(rng.integers(x.ndim))
    shape = [n if i != axis else int(rng.integers(1, 6)) for i, n in enumerate(x.shape)]
    return "GatherElements", [x, rng.integers(-x.shape[axis], x.shape[axis], shape)], {"axis": axis}


@generator
def gather_nd():
    x = any_type(dims(2, 4))
    batch = int(rng.integers(0, 2))
    depth = int(rng.integers(1, x.ndim - batch + 1))
    lead = list(x.shape[:batch]) + dims(1, 2)
    index = np.stack([rng.integers(-x.shape[batch + k], x.shape[batch + k], lead) for k in range(depth)], -1)
    return "GatherND", [x, index], {"batch_dims": batch}


@generator
def scatter_elements():
    x = f32(*dims(1, 3))
    axis = int(rng.integers(x.ndim))
    reduction = pick("none", "add", "mul", "max", "min")
    shape = [int(rng.integers(1, n + 1)) for n in x.shape]
    index = np.argsort(rng.random([n if i != axis else x.shape[axis] for i, n in enumerate(shape)]), axis)
    index = np.take(index, range(shape[axis]), axis)
    return "ScatterElements", [x, index.astype(np.int64), f32(*shape)], {"axis": axis, "reduction": reduction, "opset": 18}


@generator
def scatter_nd():
    x = f32(*dims(1, 3))
    depth = int(rng.integers(1, x.ndim + 1))
    n = int(rng.integers(1, 5))
    flat = rng.permutation(int(np.prod(x.shape[:depth])))[:n]
    index = np.stack(np.unravel_index(flat, x.shape[:depth]), -1)
    return "ScatterND", [x, index.astype(np.int64), f32(len(flat), *x.shape[depth:])], {"reduction": pick("none", "add", "mul", "max", "min"), "opset": 18}


@generator
def top_k():
    x = pick(f32(*dims(1, 3, 60)), rng.integers(-5, 5, dims(1, 3, 40)).astype(np.int64))
    axis = int(rng.integers(x.ndim))
    return "TopK", [x, i64([rng.integers(0, x.shape[axis] + 1)])], {"axis": axis, "largest": int(pick(0, 1)), "n_out": 2}


@generator
def resize():
    mode = pick("nearest", "linear", "cubic")
    x = f32(*[int(n) for n in rng.integers(1, 3, 2)], *[int(n) for n in rng.integers(2, 9, 2)])
    coordinates = pick("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
    attrs = {"mode": mode, "coordinate_transformation_mode": coordinates, "opset": 19}
    if mode == "nearest":
        attrs["nearest_mode"] = pick("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    if mode == "cubic":
        attrs["exclude_outside"] = int(pick(0, 1))
    if mode != "nearest" and coordinates == "half_pixel" and rng.random() < 0.5:
        attrs["antialias"] = 1
    sizes = list(x.shape[:2]) + [int(rng.integers(1, 14)) for _ in range(2)]
    return "Resize", [x, None, None, i64(sizes)], attrs


@generator
def upsample():
    x = f32(1, 2, 3, 4)
    return "Upsample", [x, np.array([1, 1, pick(1, 2, 3), 2], np.float32)], {"mode": pick("nearest", "linear"), "opset": 9}


@generator
def pool():
    space = int(rng.integers(1, 4))
    x = f32(2, 2, *[int(n) for n in rng.integers(5, 10, space)])
    kernel = [int(n) for n in rng.integers(1, 4, space)]
    attrs = {"kernel_shape": kernel, "strides": [int(n) for n in rng.integers(1, 4, space)], "ceil_mode": int(pick(0, 1)), "opset": 19}
    op = pick("MaxPool", "AveragePool", "MaxPoolIndices", "LpPool")
    if rng.random() < 0.3:
        attrs["auto_pad"] = pick("SAME_UPPER", "SAME_LOWER", "VALID")
        attrs["ceil_mode"] = 0
        attrs["strides"] = [min(a, b) for a, b in zip(kernel, attrs["strides"])]  # it crops where the kernel is smaller than the stride
    else:
        attrs["pads"] = [int(rng.integers(0, k)) for k in kernel * 2]
        if op.startswith("Max"):
            attrs["dilations"] = [int(n) for n in rng.integers(1, 3, space)]
    if op == "AveragePool":
        attrs["count_include_pad"] = int(pick(0, 1))
        if attrs["ceil_mode"] or "pads" in attrs and attrs["pads"][:space] != attrs["pads"][space:]:
            attrs["count_include_pad"] = 0  # it counts uneven padding wrongly
        if attrs["count_include_pad"]:
            attrs["opset"] = 11  # and since opset 19 even padding
    if op == "LpPool":
        attrs["ceil_mode"] = 0
        attrs["p"] = int(pick(1, 2, 3))
        attrs["opset"] = 18
    if op == "MaxPoolIndices":
        attrs["n_out"] = 2
        attrs["storage_order"] = int(pick(0, 1)) if space < 3 else 0
        op = "MaxPool"
    return op, [x], attrs


@generator
def global_pool():
    return pick("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), [f32(2, 3, *dims(1, 3))], {}


def recurrent(op, gates, per):
    t, b, i, h = (int(n) for n in rng.integers(1, 6, 4))
    direction = pick("forward", "reverse", "bidirectional")
    d = 2 if direction == "bidirectional" else 1
    inputs = [f32(t, b, i), f32(d, gates * h, i), f32(d, gates * h, h), f32(d, 2 * gates * h) if rng.random() < 0.7 else None,
              rng.integers(1, t + 1, b).astype(np.int32) if rng.random() < 0.4 else None, f32(d, b, h) if rng.random() < 0.5 else None]
    attrs = {"hidden_size": h, "direction": direction, "n_out": 3 if op == "LSTM" else 2}
    if op == "LSTM":
        inputs += [f32(d, b, h) if rng.random() < 0.5 else None] + ([f32(d, 3 * h)] if rng.random() < 0.4 else [])
        attrs["input_forget"] = 0
    if op == "GRU":
        attrs["linear_before_reset"] = int(pick(0, 1))
    if rng.random() < 0.3:
        attrs["activations"] = [pick("Tanh", "Sigmoid", "Relu", "Softsign") for _ in range(per * d)]
    if rng.random() < 0.2:
        attrs["clip"] = 0.7
    return op, inputs, attrs


@generator
def lstm():
    return recurrent("LSTM", 4, 3)


@generator
def gru():
    return recurrent("GRU", 3, 2)


@generator
def rnn():
    return recurrent("RNN", 1, 1)


@generator
def einsum():
    equation, shapes = pick(("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]), ("bthd,bshd->bhts", [(2, 3, 2, 4), (2, 5, 2, 4)]), ("ij->ji", [(3, 4)]), ("ii->i", [(4, 4)]),
                            ("...ij,...jk->...ik", [(2, 2, 3, 4), (2, 4, 5)]), ("i,j->ij", [(3,), (4,)]), ("ij,ij->", [(3, 4), (3, 4)]), ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 2)]),
                            ("ijk->jk", [(2, 3, 4)]), ("bhqk,bkhd->bqhd", [(1, 2, 3, 4), (1, 4, 2, 5)]), ("hij,ijc->ihc", [(2, 3, 3), (3, 3, 4)]), ("bi,oi->bo", [(3, 4), (2, 4)]))
    return "Einsum", [f32(*s) for s in shapes], {"equation": equation}


@generator
def grid_sample():
    x = f32(2, 2, int(rng.integers(2, 6)), int(rng.integers(2, 6)))
    grid = (rng.random((2, 3, 4, 2)) * 3 - 1.5).astype(np.float32)
    return "GridSample", [x, grid], {"mode": pick("bilinear", "nearest", "bicubic"), "padding_mode": pick("zeros", "border", "reflection"),
                                     "align_corners": int(pick(0, 1)), "opset": 16}


@generator
def roi_align():
    corner = rng.random((3, 2)) * 5
    rois = np.concatenate([corner, corner + rng.random((3, 2)) * 6 + 0.1], 1).astype(np.float32)
    return "RoiAlign", [f32(2, 2, 8, 9), rois, i64([0, 1, 0])], {"output_height": 2, "output_width": 3, "sampling_ratio": int(pick(0, 1, 2)),
                                                                "spatial_scale": 0.8, "mode": "avg", "opset": 16,
                                                                "coordinate_transformation_mode": pick("half_pixel", "output_half_pixel")}


@generator
def max_roi_pool():
    rois = np.array([[0, 0, 0, 5, 6], [1, 2, 1, 7, 7], [0, 4, 4, 4, 5]], np.float32)
    return "MaxRoiPool", [f32(2, 2, 8, 9), rois], {"pooled_shape": [2, 3], "spatial_scale": float(pick(1, 0.5))}


@generator
def non_max_suppression():
    n = int(rng.integers(1, 20))
    low = rng.random((2, n, 2)) * 3
    boxes = np.concatenate([low, low + rng.random((2, n, 2))], 2).astype(np.float32)
    return "NonMaxSuppression", [boxes, rng.random((2, 3, n)).astype(np.float32), i64([4]), np.array([0.3], np.float32), np.array([0.2], np.float32)], {
        "center_point_box": int(pick(0, 1))}


@generator
def unique():
    x = rng.integers(0, 4, dims(1, 3)).astype(np.int64)
    attrs = {"sorted": int(pick(0, 1)), "n_out": 4}
    if rng.random() < 0.5:
        attrs["axis"] = int(rng.integers(x.ndim))
    return "Unique", [x], attrs


@generator
def blocks():
    b = int(pick(2, 3))
    if rng.random() < 0.5:
        return "DepthToSpace", [f32(2, b * b * 2, 3, 2)], {"blocksize": b, "mode": pick("DCR", "CRD")}
    return "SpaceToDepth", [f32(2, 3, b * 2, b * 3)], {"blocksize": b}


@generator
def trilu():
    return "Trilu", [f32(*dims(2, 4)), i64(rng.integers(-4, 5))], {"upper": int(pick(0, 1))}


@generator
def one_hot():
    return "OneHot", [rng.integers(-6, 7, dims(1, 3)).astype(np.int64), i64(5), np.array([0.5, 2], np.float32)], {"axis": int(pick(-1, 0, 1))}


@generator
def compress():
    x = any_type(dims(1, 3))
    axis = int(rng.integers(x.ndim))
    return "Compress", [x, rng.random(x.shape[axis]) < 0.5], {"axis": axis}


@generator
def col2im():
    return "Col2Im", [f32(1, 2 * 6, 4 * 3), i64([5, 5]), i64([2, 3])], {"opset": 18}


@generator
def stft():
    return "STFT", [f32(2, 60, 1), i64(pick(5, 8)), np.hanning(pick(16, 15, 12)).astype(np.float32)], {"onesided": int(pick(0, 1))}


@generator
def dft():
    return "DFT", [f32(2, pick(4, 8, 12, 5), pick(1, 2))], {"axis": 1, "onesided": 0, "inverse": 0}


@generator
def range_():
    kind = pick(np.float32, np.int64, np.int32)
    return "Range", [kind(rng.integers(-5, 5)), kind(rng.integers(-9, 10)), kind(pick(1, 2, -1, -3))], {}


@generator
def multi_head_attention():
    b, t, s, n, h, hv, p = (int(v) for v in rng.integers(1, 5, 7))
    if rng.random() < 0.4:
        hv = h
    inputs = [f32(b, t, n * h), f32(b, s, n * h), f32(b, s, n * hv), f32(n * (2 * h + hv)) if rng.random() < 0.5 else None, None, None]
    total = s
    if rng.random() < 0.5:
        inputs += [f32(b, n, p, h), f32(b, n, p, hv)]
        total += p
    if rng.random() < 0.4:
        keep = (rng.random((b, total)) < 0.7).astype(np.int32)
        keep[:, 0] = 1
        inputs[4] = keep
    if rng.random() < 0.5:
        inputs[5] = f32(pick(1, b), pick(1, n), t, total)
    return "MultiHeadAttention", inputs, {"num_heads": n, "domain": MS, "n_out": 3 if len(inputs) > 6 else 1, "unidirectional": 0}


@generator
def packed_attention():
    b, t, n, h = (int(v) for v in rng.integers(1, 5, 4))
    inner = int(rng.integers(2, 7))
    inputs = [f32(b, t, inner), f32(inner, 3 * n * h), f32(3 * n * h), None, None, None]
    if rng.random() < 0.5:
        inputs[3] = rng.integers(1, t + 1, b).astype(np.int32)
    if rng.random() < 0.4:
        inputs[4] = f32(2, b, n, 3, h)
        inputs[3] = None
    return "Attention", inputs, {"num_heads": n, "domain": MS, "n_out": 2 if inputs[4] is not None else 1, "unidirectional": int(pick(0, 1))}


@generator
def group_query_attention():
    kv, group, h = int(pick(1, 2)), int(pick(1, 2, 3)), int(pick(8, 16))
    b = int(pick(1, 2))
    prompt = rng.random() < 0.5
    t = int(rng.integers(1, 5)) if prompt else 1
    past = 0 if prompt else int(rng.integers(1, 6))
    total = past + t
    lengths = np.full(b, total - 1, np.int32)
    rotary = rng.random() < 0.6
    inputs = [f32(b, t, kv * group * h), f32(b, t, kv * h), f32(b, t, kv * h), None if prompt else f32(b, kv, past, h), None if prompt else f32(b, kv, past, h),
              lengths, np.array(total, np.int32)]
    if rotary:
        angle = np.outer(np.arange(16), 1.0 / 10000 ** (np.arange(h // 2) / (h // 2)))
        inputs += [np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)]
    attrs = {"num_heads": kv * group, "kv_num_heads": kv, "do_rotary": int(rotary), "domain": MS, "n_out": 3, "rotary_interleaved": int(pick(0, 1)) if rotary else 0}
    if rng.random() < 0.3:
        attrs["softcap"] = 1.5
    if rng.random() < 0.3:
        attrs["local_window_size"] = 2
    if rng.random() < 0.2:
        attrs["smooth_softmax"] = 1
    return "GroupQueryAttention", inputs, attrs


@generator
def ms_rotary():
    angle = np.outer(np.arange(12), 1.0 / 10 ** np.arange(4))
    tables = [np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)]
    if rng.random() < 0.5:
        return "RotaryEmbedding", [f32(2, 3, 16), rng.integers(0, 12, (2, 3)).astype(np.int64), *tables], {"domain": MS, "interleaved": int(pick(0, 1))}
    return "RotaryEmbedding", [f32(2, 2, 3, 8), i64([4]), *tables], {"domain": MS, "interleaved": int(pick(0, 1))}


def body(name, nodes, ins, outs, init=()):
    info = lambda n, kind, shape: helper.make_tensor_value_info(n, kind, shape)
    return helper.make_graph(nodes, name, [info(*i) for i in ins], [info(*o) for o in outs], list(init))


@generator
def loop():
    """Sums x until the sum passes a limit that the body reads from outside; keeps every step."""
    n = int(rng.integers(1, 4))
    node = helper.make_node
    inner = body("body", [node("Add", ["sum_in", "x1"], ["sum_out"]), node("ReduceSum", ["sum_out"], ["total"], keepdims=0), node("Less", ["total", "x2"], ["more"]),
                          node("Identity", ["sum_out"], ["kept"]), node("Cast", ["i"], ["count"], to=1)],
                 [("i", 7, []), ("cond", 9, []), ("sum_in", 1, [n])],
                 [("more", 9, []), ("sum_out", 1, [n]), ("kept", 1, [n]), ("count", 1, [])])
    inputs = [i64(rng.integers(0, 9)), np.abs(f32(n)), np.float32(rng.integers(0, 8)), f32(n)]
    return "Loop", inputs, {"body": inner, "n_out": 3, "names": ["x0", "", "x3"]}


@generator
def scan():
    """Running products over any axis, forwards or backwards."""
    shape = dims(2, 3)
    axis = int(rng.integers(len(shape)))
    rest = shape[:axis] + shape[axis + 1:]
    node = helper.make_node
    inner = body("body", [node("Mul", ["s", "v"], ["s_out"]), node("Neg", ["s_out"], ["w"])], [("s", 1, rest), ("v", 1, rest)], [("s_out", 1, rest), ("w", 1, rest)])
    attrs = {"num_scan_inputs": 1, "scan_input_axes": [axis], "scan_input_directions": [int(pick(0, 1))],
             "scan_output_axes": [int(rng.integers(len(shape)))], "scan_output_directions": [int(pick(0, 1))]}
    return "Scan", [f32(*rest), f32(*shape)], {"body": inner, "n_out": 2, **attrs}


@generator
def if_():
    """Branches that read outer values and give different shapes."""
    node = helper.make_node
    yes = body("yes", [node("Add", ["x1", "x2"], ["a"])], [], [("a", 1, None)])
    no = body("no", [node("Concat", ["x1", "x2"], ["b"], axis=0)], [], [("b", 1, None)])
    return "If", [np.array(pick(True, False)), f32(2, 3), f32(2, 3)], {"then_branch": yes, "else_branch": no, "names": ["x0"]}


def build(op, inputs, n_out, domain, opset, attrs):
    node_inputs = attrs.pop("names", None)
    names = ["" if t is None else f"x{i}" for i, t in enumerate(inputs)]
    while names and not names[-1]:
        names.pop()
    outs = [f"y{i}" for i in range(n_out)]
    fed = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(t.dtype), t.shape) for n, t in zip(names, inputs) if t is not None]
    graph = helper.make_graph([helper.make_node(op, node_inputs or names, outs, domain=domain, **attrs)], op, fed, [helper.make_empty_tensor_value_info(o) for o in outs])
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def save(folder, model, inputs, outputs):
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    for info, value in zip(model.graph.output, outputs):
        info.CopyFrom(helper.make_tensor_value_info(info.name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape))
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for kind, values in (("input", [t for t in inputs if t is not None]), ("output", outputs)):
        for i, value in enumerate(values):
            (data / f"{kind}_{i}.pb").write_bytes(numpy_helper.from_array(np.asarray(value)).SerializeToString())


def main():
    global rng
    root, rounds = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rng = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 11)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    made = 0
    for k in range(rounds):
        for make in GENERATORS:
            op, inputs, attrs = make()
            inputs = [None if t is None else np.asarray(t) for t in inputs]
            n_out, domain, opset = attrs.pop("n_out", 1), attrs.pop("domain", ""), attrs.pop("opset", 17)
            model = build(op, inputs, n_out, domain, opset, attrs)
            try:
                session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
                outputs = session.run(None, {f"x{i}": t for i, t in enumerate(inputs) if t is not None})
            except Exception as error:  # forms that ONNX Runtime itself refuses
                if rounds == 1:
                    print(make.__name__, str(error)[:160])
                continue
            save(root / (make.__name__.strip("_") + (f"_{k}" if rounds > 1 else "")), model, inputs, outputs)
            made += 1
    print(made, "cases, onnxruntime", ort.__version__)


main()
