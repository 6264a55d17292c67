"""Operators at opsets that ONNX Runtime does not run (1 to 6, 25 and later), and tensors of many dims, with results of numpy.

Usage: .venv/bin/python tests/oracles/make_version_cases.py tests/cli/data/version_cases"""
import pathlib
import shutil
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(17)
CASES = []


def f32(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def case(name, opset, op, inputs, outputs, **attrs):
    CASES.append((name, opset, op, inputs, outputs if isinstance(outputs, list) else [outputs], attrs))


# ---- opsets 1 to 6 ----
x, row, column = f32(2, 3, 4), f32(4), f32(3)
OLD = {"consumed_inputs": [0]}
for name, f in (("Relu", lambda v: np.maximum(v, 0)), ("Abs", np.abs), ("Neg", np.negative), ("Floor", np.floor), ("Ceil", np.ceil), ("Exp", np.exp),
                ("Tanh", np.tanh), ("Reciprocal", lambda v: 1 / v), ("Sigmoid", lambda v: 1 / (1 + np.exp(-v)))):
    case(f"old_{name.lower()}", 1, name, [x], f(x), **OLD)
case("old_sqrt", 1, "Sqrt", [np.abs(x)], np.sqrt(np.abs(x)), **OLD)
case("old_log", 1, "Log", [np.abs(x)], np.log(np.abs(x)), **OLD)
case("old_leaky_relu", 1, "LeakyRelu", [x], np.where(x < 0, np.float32(0.2) * x, x), alpha=0.2, **OLD)
case("old_elu", 1, "Elu", [x], np.where(x < 0, np.exp(x) - 1, x), **OLD)
case("old_selu", 1, "Selu", [x], (np.float32(1.0507) * np.where(x > 0, x, np.float32(1.6732) * (np.exp(x) - 1))).astype(np.float32), **OLD)
case("old_clip", 1, "Clip", [x], np.clip(x, -0.5, 0.25).astype(np.float32), min=-0.5, max=0.25, **OLD)
case("old_max", 1, "Max", [x, -x, x / 2], np.maximum(np.maximum(x, -x), x / 2), **OLD)
case("old_mean", 1, "Mean", [x, x * 3], x * 2, **OLD)
case("old_sum", 6, "Sum", [x, x * 3], x * 4)
for name, f in (("Greater", np.greater), ("Less", np.less)):
    case(f"old_{name.lower()}_middle", 1, name, [x, column], f(x, column[:, None]), axis=1, broadcast=1)
    case(f"old_{name.lower()}_end", 6, name, [x, row], f(x, row), broadcast=1)
ids = rng.integers(0, 3, (2, 3, 4)).astype(np.int32)
case("old_equal", 1, "Equal", [ids, ids[0, :, 0]], ids == ids[0, :, 0][:, None], axis=1, broadcast=1)
yes, no = x > 0, row > 0
for name, f in (("And", np.logical_and), ("Or", np.logical_or), ("Xor", np.logical_xor)):
    case(f"old_{name.lower()}", 1, name, [yes, no], f(yes, no), broadcast=1)
case("old_cast_int32", 1, "Cast", [x * 9], (x * 9).astype(np.int32), to="INT32")
case("old_cast_double", 5, "Cast", [x], x.astype(np.float64), to="DOUBLE")
case("old_cast_float", 1, "Cast", [ids], ids.astype(np.float32), to="FLOAT")
case("old_cast_bool", 1, "Cast", [ids], ids != 0, to="BOOL")
s, b = f32(3), f32(3)
centred = x - x.mean(2, keepdims=True)
case("old_instance_norm", 1, "InstanceNormalization", [x, s, b], centred / np.sqrt((centred**2).mean(2, keepdims=True) + np.float32(1e-5)) * s[:, None] + b[:, None], **OLD)
w, r = f32(1, 5, 4), f32(1, 5, 5)
h = np.zeros((2, 5), np.float32)
steps = []
for t in np.split(xs := f32(3, 2, 4), 3):
    h = np.tanh(t[0] @ w[0].T + h @ r[0].T)
    steps.append(h)
case("old_rnn", 1, "RNN", [xs, w, r], np.stack(steps)[:, None], hidden_size=5, output_sequence=1)

# ---- opsets 25 to 28 ----
for kind in (np.int8, np.int16, np.int32, np.int64, np.uint8):
    bits = np.dtype(kind).itemsize * 8
    v = np.array([-7, -1, 5, 127, -128, 1], np.int64).astype(kind)
    by = np.array([1, 3, 2, bits, bits + 3, 0], kind)
    if kind is not np.uint8:
        v, by = np.append(v, v[:1]), np.append(by, kind(-1))
    wide = [int(k) for k in v]
    fits = [0 <= int(k) < bits for k in by]
    left = np.array([(k << int(n)) if ok else 0 for k, n, ok in zip(wide, by, fits)], object)
    right = [(k >> int(n)) if ok else (-1 if k < 0 else 0) for k, n, ok in zip(wide, by, fits)]
    case(f"new_shift_left_{np.dtype(kind).name}", 28, "BitShift", [v, by], np.array([int(k) & (2**bits - 1) for k in left], np.uint64).astype(kind), direction="LEFT")
    case(f"new_shift_right_{np.dtype(kind).name}", 28, "BitShift", [v, by], np.array(right).astype(kind), direction="RIGHT")
half = [np.array(v, np.float16) for v in (-1, 3, 0.3)]
case("new_range_half", 27, "Range", half, (np.float32(half[0]) + np.arange(14, dtype=np.float32) * np.float32(half[2])).astype(np.float16), stash_type=1)
a, d = np.array([-7.5, 7.5, 3, -3], np.float32), np.array([2, -2, 0.75, 0.75], np.float32)
case("new_mod_float", 28, "Mod", [a, d], a - np.floor(a / d) * d)
big = f32(1, 2, 4, 6)
case("new_space_to_depth_crd", 28, "SpaceToDepth", [big], big.reshape(1, 2, 2, 2, 3, 2).transpose(0, 1, 3, 5, 2, 4).reshape(1, 8, 2, 3), blocksize=2, mode="CRD")


def attention(q, k, v, left, right, causal, past):
    score = q @ k.transpose(0, 1, 3, 2) / np.sqrt(np.float32(q.shape[-1]))
    at, key = np.arange(q.shape[2])[:, None] + past, np.arange(k.shape[2])[None]
    seen = np.ones((q.shape[2], k.shape[2]), bool)
    if left >= 0:
        seen &= key >= at - left
    if right >= 0:
        seen &= key <= at + right
    if causal:
        seen &= key <= at
    score = np.where(seen, score, -np.inf)
    e = np.exp(score - np.where(seen.any(1), score.max(3), 0)[..., None])
    return (np.where(seen, e, 0) / np.maximum(e.sum(3, keepdims=True), 1e-30) @ v).astype(np.float32)


for left, right, causal in ((2, 1, 0), (2, 0, 0), (-1, 1, 0), (1, -1, 0), (0, 0, 0), (2, 3, 1), (2**62, 2**62, 0), (2**63 - 1, 0, 1)):
    q, k, v = f32(2, 2, 4, 8), f32(2, 2, 6, 8), f32(2, 2, 6, 8)
    case(f"new_attention_{min(left, 99)}_{min(right, 99)}_{causal}", 25, "Attention", [q, k, v], attention(q, k, v, left, right, causal, 0),
         left_window_size=left, right_window_size=right, is_causal=causal)
q, k, v, pk, pv = f32(1, 2, 3, 8), f32(1, 2, 3, 8), f32(1, 2, 3, 8), f32(1, 2, 4, 8), f32(1, 2, 4, 8)
ks, vs = np.concatenate([pk, k], 2), np.concatenate([pv, v], 2)
case("new_attention_past", 25, "Attention", [q, k, v, None, pk, pv], [attention(q, ks, vs, 2, 0, 1, 4), ks, vs], left_window_size=2, right_window_size=0, is_causal=1)
case("new_relu", 41, "Relu", [x], np.maximum(x, 0))

# ---- many dims ----
for rank in (9, 12):
    shape = [2, 1, 3, 1, 2, 1, 1, 2, 1, 1, 2, 1][:rank]
    x = f32(*shape)
    perm = list(rng.permutation(rank))
    i64 = lambda *v: np.array(v, np.int64)
    case(f"rank{rank}_transpose", 17, "Transpose", [x], x.transpose(perm), perm=[int(p) for p in perm])
    case(f"rank{rank}_reshape", 17, "Reshape", [x.ravel(), i64(*shape)], x)
    wide = [max(d, 2) if k % 3 == 0 else d for k, d in enumerate(shape)]
    case(f"rank{rank}_expand", 17, "Expand", [x, i64(*wide)], np.broadcast_to(x, wide))
    other = f32(*[1 if k % 2 else d for k, d in enumerate(wide)])
    case(f"rank{rank}_add", 17, "Add", [x, other], x + other)
    case(f"rank{rank}_add_short", 17, "Add", [x, f32(*shape[-3:])], None)
    CASES[-1][4][0] = x + CASES[-1][3][1]
    case(f"rank{rank}_less", 17, "Less", [x, other], x < other)
    case(f"rank{rank}_concat", 17, "Concat", [x, x * 2], np.concatenate([x, x * 2], rank - 1), axis=-1)
    case(f"rank{rank}_slice", 17, "Slice", [x, i64(2, -1), i64(0, -9), i64(2, 7), i64(-1, -1)], x[(slice(None),) * 2 + (slice(2, 0, -1),) + (slice(None),) * 4 + (slice(None, None, -1),)])
    case(f"rank{rank}_squeeze", 17, "Squeeze", [x, i64(1, -rank + 3)], np.squeeze(x, (1, 3)))
    case(f"rank{rank}_unsqueeze", 17, "Unsqueeze", [x[:, 0], i64(1)], x)
    case(f"rank{rank}_reduce_sum", 17, "ReduceSum", [x, i64(0, 4, -2)], x.sum((0, 4, rank - 2)), keepdims=0)
    case(f"rank{rank}_reduce_max", 17, "ReduceMax", [x], x.max((2, rank - 1), keepdims=True), axes=[2, -1])
    case(f"rank{rank}_gather", 17, "Gather", [x, i64(2, 0, -1)], np.take(x, [2, 0, -1], 2), axis=2)
    case(f"rank{rank}_gather_table", 17, "Gather", [x[:, 0], i64(1, 0).reshape(2, 1)], np.take(x[:, 0], [[1], [0]], 0), axis=0)
    case(f"rank{rank}_where", 17, "Where", [x > 0, x, other], np.where(x > 0, x, other))
    case(f"rank{rank}_softmax", 17, "Softmax", [x], np.exp(x) / np.exp(x).sum(2, keepdims=True), axis=2)
    case(f"rank{rank}_cast", 17, "Cast", [x], x.astype(np.float64), to=TensorProto.DOUBLE)
    case(f"rank{rank}_pad", 17, "Pad", [x, i64(*([0, 1] + [0] * (2 * rank - 3) + [1]))], np.pad(x, [(0, 0), (1, 0)] + [(0, 0)] * (rank - 3) + [(0, 1)]))
    case(f"rank{rank}_tile", 17, "Tile", [x, i64(*[2 if k == 5 else 1 for k in range(rank)])], np.repeat(x, 2, 5))
    case(f"rank{rank}_split", 17, "Split", [x], [x[:, :, :1], x[:, :, 1:2], x[:, :, 2:]], axis=2)
    y = f32(*shape[:-2], 1, 4)
    a = f32(*shape[:-2], 3, 1)
    case(f"rank{rank}_matmul", 17, "MatMul", [a, y], a @ y)


def build(opset, op, inputs, outputs, attrs):
    names = ["" if t is None else f"x{k}" for k, t in enumerate(inputs)]
    outs = [f"y{k}" for k in range(len(outputs))]
    info = lambda n, t: helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.asarray(t).dtype), np.asarray(t).shape)
    graph = helper.make_graph([helper.make_node(op, names, outs, **attrs)], op, [info(n, t) for n, t in zip(names, inputs) if n],
                              [info(n, t) for n, t in zip(outs, outputs)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3 if opset < 7 else 14)


def main():
    root = pathlib.Path(sys.argv[1])
    shutil.rmtree(root, ignore_errors=True)
    for name, opset, op, inputs, outputs, attrs in CASES:
        data = root / name / "test_data_set_0"
        data.mkdir(parents=True)
        (root / name / "model.onnx").write_bytes(build(opset, op, inputs, outputs, attrs).SerializeToString())
        for kind, values in (("input", [t for t in inputs if t is not None]), ("output", outputs)):
            for k, value in enumerate(values):
                (data / f"{kind}_{k}.pb").write_bytes(numpy_helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value))).SerializeToString())
    print(len(CASES), "cases")


if __name__ == "__main__":
    main()
