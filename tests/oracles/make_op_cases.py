"""Operator cases in the ONNX backend-test layout, with outputs computed by ONNX Runtime.

Usage: .venv/bin/python tests/oracles/make_op_cases.py tests/cli/data/op_cases
Covers what the ONNX suite does not: com.microsoft operators, and forms of standard operators that exporters emit."""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(7)
MS = "com.microsoft"


def f32(*shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def u8(*shape):
    return rng.integers(0, 256, shape).astype(np.uint8)


def s8(*shape):
    return rng.integers(-128, 128, shape).astype(np.int8)


def scalar(value, dtype=np.float32):
    return np.array(value, dtype)


def q(scale, zero, dtype=np.uint8):
    return [scalar(scale), scalar(zero, dtype)]


CASES = []


def case(name, op, inputs, n_out=1, domain="", opset=17, constants=(), **attrs):
    CASES.append((name, op, inputs, n_out, domain, opset, set(constants), attrs))


x = f32(2, 3, 8, scale=2)
case("ms_gelu", "Gelu", [x], domain=MS)
case("ms_bias_gelu", "BiasGelu", [x, f32(8)], domain=MS)
case("ms_fast_gelu", "FastGelu", [x / 2], domain=MS)
case("ms_fast_gelu_bias", "FastGelu", [x, f32(8)], domain=MS)
case("ms_quick_gelu", "QuickGelu", [x], domain=MS, alpha=1.702)
case("ms_skip_layer_norm", "SkipLayerNormalization", [x, f32(2, 3, 8), f32(8), f32(8), f32(8)], 4, MS, epsilon=1e-5)
case("ms_skip_layer_norm_short", "SkipLayerNormalization", [x, f32(1, 3, 8), f32(8)], 1, MS, epsilon=1e-5)
case("ms_skip_simplified", "SkipSimplifiedLayerNormalization", [x, f32(2, 3, 8), f32(8), f32(8)], 4, MS, epsilon=1e-6)
case("simplified_layer_norm", "SimplifiedLayerNormalization", [x, f32(8)], axis=-1, epsilon=1e-6)
ids = rng.integers(0, 11, (2, 3)).astype(np.int32)
segments = rng.integers(0, 2, (2, 3)).astype(np.int32)
case("ms_embed_layer_norm", "EmbedLayerNormalization",
     [ids, segments, f32(11, 8), f32(5, 8), f32(2, 8), f32(8), f32(8), np.array([[1, 1, 0], [1, 1, 1]], np.int32)], 2, MS, epsilon=1e-12)

a, b = u8(2, 3, 4), u8(3, 1)
case("ms_qlinear_add", "QLinearAdd", [a, *q(0.03, 120), b, *q(0.05, 7), *q(0.06, 99)], domain=MS)
case("ms_qlinear_add_s8", "QLinearAdd", [s8(2, 5), *q(0.03, -12, np.int8), s8(2, 5), *q(0.0517, 7, np.int8), *q(0.0613, 9, np.int8)], domain=MS)
case("ms_qlinear_mul", "QLinearMul", [a, *q(0.03, 120), b, *q(0.05, 7), *q(0.3, 99)], domain=MS)
case("ms_qlinear_sigmoid", "QLinearSigmoid", [a, *q(0.06, 120), *q(1 / 256, 0)], domain=MS, constants=(1, 2, 3, 4))
case("ms_qlinear_leaky_relu", "QLinearLeakyRelu", [a, *q(0.06, 120), *q(0.05, 30)], domain=MS, constants=(1, 2, 3, 4), alpha=0.1)
case("ms_qlinear_softmax", "QLinearSoftmax", [a, *q(0.06, 120), *q(1 / 256, 0)], domain=MS, constants=(1, 2, 3, 4), axis=-1, opset_=13)
case("ms_qlinear_concat", "QLinearConcat", [*q(0.05, 128), u8(2, 3), *q(0.03, 5), u8(2, 2), *q(0.07, 140)], domain=MS, constants=(0, 1, 3, 4, 6, 7), axis=1)
image = u8(1, 2, 7, 6)
case("ms_qlinear_average_pool", "QLinearAveragePool", [image, *q(0.0313, 120), *q(0.0217, 100)], domain=MS, constants=(1, 2, 3, 4),
     kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0])
case("ms_qlinear_average_pool_ceil", "QLinearAveragePool", [image, *q(0.0313, 120), *q(0.0217, 100)], domain=MS, constants=(1, 2, 3, 4),
     kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1)
case("ms_qlinear_global_pool", "QLinearGlobalAveragePool", [image, *q(0.0313, 120), *q(0.0217, 100)], domain=MS, constants=(1, 2, 3, 4))
case("ms_quantize_u16", "QuantizeLinear", [f32(2, 3, 4), np.array([0.01, 0.02, 0.5], np.float32), np.array([3, 500, 9], np.uint16)], domain=MS, axis=1)
case("ms_dequantize_s16", "DequantizeLinear", [rng.integers(-3000, 3000, (2, 3)).astype(np.int16), scalar(0.01), scalar(-5, np.int16)], domain=MS)
case("quantize_last_axis_s8", "QuantizeLinear", [f32(5, 4), np.array([0.01, 0.02, 0.5, 1], np.float32), np.array([0, 5, -9, 1], np.int8)], axis=-1)
case("quantize_ties", "QuantizeLinear", [np.arange(-9, 10).astype(np.float32) / 2, scalar(1.0), scalar(3, np.uint8)])
case("dequantize_blocked_s8", "DequantizeLinear", [s8(4, 6), f32(2, 6), s8(2, 6)], opset=21, axis=0, block_size=2)
case("dynamic_quantize_positive", "DynamicQuantizeLinear", [np.abs(f32(3, 40)) + 1], 3)
case("dequantize_s32", "DequantizeLinear", [rng.integers(-90000, 90000, (2, 3)).astype(np.int32), scalar(0.001)])

case("layer_norm_axis1", "LayerNormalization", [f32(3, 4, 37), f32(4, 37), f32(4, 37)], 3, axis=1)
case("layer_norm_no_bias", "LayerNormalization", [f32(5, 129), f32(129)], axis=-1, epsilon=1e-6)
case("group_norm_from_instance", "InstanceNormalization", [f32(2, 4, 33), f32(4), f32(4)])
case("batch_norm_2d", "BatchNormalization", [f32(2, 3, 5, 7), f32(3), f32(3), f32(3), np.abs(f32(3)) + 0.1], epsilon=1e-3)
case("batch_norm_rank2", "BatchNormalization", [f32(6, 3), f32(3), f32(3), f32(3), np.abs(f32(3)) + 0.1])
case("softmax_middle_axis", "Softmax", [f32(2, 19, 5, scale=4)], axis=1)
case("softmax_opset11", "Softmax", [f32(2, 3, 7)], opset=11, axis=1)
case("log_softmax_long", "LogSoftmax", [f32(2, 300, scale=5)], axis=-1)
case("softmax_masked", "Softmax", [np.array([[0, -np.inf, 1], [-3e38, -3e38, -3e38]], np.float32)], axis=-1)
case("reduce_mean_columns", "ReduceMean", [f32(3, 17, 90)], axes=[1], keepdims=0)
case("reduce_mean_mixed", "ReduceMean", [f32(3, 5, 4, 6)], axes=[1, 3], keepdims=1)
case("reduce_log_sum_exp_columns", "ReduceLogSumExp", [f32(7, 31, scale=30)], axes=[0])
case("reduce_l2_rows", "ReduceL2", [f32(2, 400)], axes=[-1])
case("reduce_prod_int64", "ReduceProd", [np.array([[3, 5], [7, 11]], np.int64)], axes=[0], keepdims=0)
case("reduce_max_uint8", "ReduceMax", [u8(4, 9)], axes=[1])
case("pow_half", "Pow", [f32(3, 4).astype(np.float16), scalar(2, np.float16)])
case("div_int64_negative", "Div", [np.array([7, -7, 8, -9], np.int64), np.array([2, 2, -3, -4], np.int64)])
case("mod_int64", "Mod", [np.array([7, -7, 8, -9], np.int64), np.array([2, 2, -3, -4], np.int64)])
case("min_int64", "Min", [np.array([[7], [-7]], np.int64), np.array([2, 5, -8], np.int64)])
case("cumsum_reverse", "CumSum", [f32(3, 5), np.array(1, np.int64)], exclusive=1, reverse=1)
case("argmax_last", "ArgMax", [np.array([[1, 3, 3], [4, 4, 0]], np.float32)], axis=1, select_last_index=1, keepdims=0)
case("where_broadcast", "Where", [np.array([[True], [False]]), f32(3), f32(2, 1)])
case("clip_no_min", "Clip", [f32(9), None, scalar(0.25)])
case("cast_half_to_int", "Cast", [f32(9, scale=50).astype(np.float16)], to=TensorProto.INT32)
case("rounding", "Round", [np.arange(-7, 8).astype(np.float32) / 2])
case("erf_wide", "Erf", [np.linspace(-6, 6, 301).astype(np.float32)])
case("tanh_wide", "Tanh", [np.linspace(-12, 12, 301).astype(np.float32)])
case("exp_wide", "Exp", [np.linspace(-110, 90, 301).astype(np.float32)])
case("cos_large", "Cos", [f32(50, scale=1e4)])
for opset in (1, 9, 11, 16):
    case(f"layer_norm_opset{opset}", "LayerNormalization", [f32(2, 3, 16), f32(16), f32(16)], opset=max(opset, 7), axis=-1, epsilon=1e-5)
for rank in (3, 4, 5):
    batch = (2, 3, 2)[: rank - 2]
    for left in (0, 1):
        for right in (0, 1):
            for turn_a, turn_b in ((1, 0), (0, 1), (1, 1)):
                a, b = ((5, 7) if left else (7, 5)), ((4, 5) if right else (5, 4))
                a = (a[0], *batch, a[1]) if turn_a else (*batch, *a)
                b = (b[0], *batch, b[1]) if turn_b else (*batch, *b)
                for fixed in ((), (1,)) if rank == 3 else ((),):
                    case(f"ms_fused_matmul_{rank}_{left}{right}_{turn_a}{turn_b}{'_constant' if fixed else ''}", "FusedMatMul", [f32(*a), f32(*b)],
                         domain=MS, constants=fixed, alpha=0.5, transA=left, transB=right, transBatchA=turn_a, transBatchB=turn_b)
case("ms_fused_matmul_plain", "FusedMatMul", [f32(2, 1, 7, 5), f32(3, 4, 5)], domain=MS, alpha=-1.5, transB=1)


def build(op, inputs, n_out, domain, opset, constants, attrs):
    attrs = {k.rstrip("_"): v for k, v in attrs.items()}
    names = ["" if t is None else f"x{i}" for i, t in enumerate(inputs)]
    outs = [f"y{i}" for i in range(n_out)]
    if op == "SkipLayerNormalization" or op == "SkipSimplifiedLayerNormalization":
        outs = [outs[0]] + ["", "", "sum"] if n_out == 4 else outs
    node = helper.make_node(op, names, outs, domain=domain, **attrs)
    fed = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(t.dtype), t.shape)
           for i, (n, t) in enumerate(zip(names, inputs)) if t is not None and i not in constants]
    init = [numpy_helper.from_array(t, names[i]) for i, t in enumerate(inputs) if i in constants]
    graph = helper.make_graph([node], op, fed, [helper.make_empty_tensor_value_info(o) for o in outs if o], init)
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8 if opset < 21 else 10)


def save(folder, model, inputs, constants, outputs):
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    model_out = onnx.ModelProto()
    model_out.CopyFrom(model)
    for info, value in zip(model_out.graph.output, outputs):
        info.CopyFrom(helper.make_tensor_value_info(info.name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape))
    (folder / "model.onnx").write_bytes(model_out.SerializeToString())
    fed = [t for i, t in enumerate(inputs) if t is not None and i not in constants]
    for kind, values in (("input", fed), ("output", outputs)):
        for i, value in enumerate(values):
            (data / f"{kind}_{i}.pb").write_bytes(numpy_helper.from_array(np.asarray(value)).SerializeToString())


def main():
    root = pathlib.Path(sys.argv[1])
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    for name, op, inputs, n_out, domain, opset, constants, attrs in CASES:
        model = build(op, inputs, n_out, domain, opset, constants, attrs)
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        fed = {f"x{i}": t for i, t in enumerate(inputs) if t is not None and i not in constants}
        save(root / name, model, inputs, constants, session.run(None, fed))
    print(len(CASES), "cases, onnxruntime", ort.__version__)


if __name__ == "__main__":
    main()
