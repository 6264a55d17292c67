"""Models quantized by ONNX Runtime's tools, and as quantize-aware training exports them, with outputs computed by ONNX Runtime.

Usage: .venv/bin/python tests/oracles/make_quantized.py tests/lower/data/quantized
Each case: model.onnx, test_data_set_0/{input,output}_0.pb, and case.txt: the step of the output's scale, how many products and
convolutions must run in integers."""
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

rng = np.random.default_rng(3)
U8, S8 = QuantType.QUInt8, QuantType.QInt8


def f32(*shape, scale=1.0, shift=0.0):
    return (rng.standard_normal(shape) * scale + shift).astype(np.float32)


def node(op, inputs, outputs, **attrs):
    return helper.make_node(op, inputs.split(), outputs.split(), **attrs)


def save(nodes, initializers, x_shape, y_shape, path, opset=17):
    values = [numpy_helper.from_array(v, k) for k, v in initializers.items()]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x_shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, y_shape)], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)


def network(path):
    """Convolutions with bias, activations, a residual sum, pooling, a join, a matrix product and a Gemm."""
    nodes = [
        node("Conv", "x w0 b0", "c0", pads=[1, 1, 1, 1]), node("Relu", "c0", "r0"),
        node("MaxPool", "r0", "p0", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "p0 w1 b1", "c1", pads=[1, 1, 1, 1], group=8), node("Clip", "c1 low high", "r1"),
        node("Conv", "r1 w2", "c2"), node("Add", "c2 p0", "s"),
        node("Concat", "s p0", "j", axis=1), node("Transpose", "j", "t", perm=[0, 2, 3, 1]),
        node("Reshape", "t shape", "f"), node("MatMul", "f m0", "q0"), node("Add", "q0 a0", "q1"),
        node("GlobalAveragePool", "s", "g"), node("Flatten", "g", "h"), node("Gemm", "h g0 gb", "e", transB=1),
        node("Add", "q1 e", "y"),
    ]
    values = {
        "w0": f32(8, 3, 3, 3, scale=0.3), "b0": f32(8), "w1": f32(8, 1, 3, 3, scale=0.4, shift=0.2), "b1": f32(8, scale=0.3),
        "low": np.float32(0), "high": np.float32(6), "w2": f32(8, 8, 1, 1, scale=0.3), "shape": np.array([-1, 16], np.int64),
        "m0": f32(16, 10, scale=0.25, shift=0.05), "a0": f32(10), "g0": f32(10, 8, scale=0.3), "gb": f32(10),
    }
    save(nodes, values, [1, 3, 8, 8], [16, 10], path)


class Reader(CalibrationDataReader):
    def __init__(self, shape, count=4):
        self.rows = iter([{"x": f32(*shape)} for _ in range(count)])

    def get_next(self):
        return next(self.rows, None)


def last_step(model):
    """Scale of the QuantizeLinear (or quantized operator) that gives the output; 0 when the output is a plain float."""
    values = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    makers = {o: n for n in model.graph.node for o in n.output}
    last = makers[model.graph.output[0].name]
    if last.op_type == "DequantizeLinear":
        return float(values[last.input[1]])
    return 0.0


def write(folder, name, path, shape, integers, optimize=False, step=None):
    model = onnx.load(path)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL if optimize else ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    x = f32(*shape)
    y, = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    data = folder / name / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    (folder / name / "model.onnx").write_bytes(model.SerializeToString())
    (data / "input_0.pb").write_bytes(numpy_helper.from_array(x, "x").SerializeToString())
    (data / "output_0.pb").write_bytes(numpy_helper.from_array(y, "y").SerializeToString())
    step = step if step is not None else last_step(model)
    (folder / name / "case.txt").write_text(f"{step:.9g} {integers}\n")
    print(name, "step", step, "range", y.min(), y.max(), sorted({n.op_type for n in model.graph.node}))


STATIC = {
    "qdq_u8s8_channel": dict(quant_format=QuantFormat.QDQ, activation_type=U8, weight_type=S8, per_channel=True),
    "qdq_u8s8_tensor": dict(quant_format=QuantFormat.QDQ, activation_type=U8, weight_type=S8),
    "qdq_s8s8_channel": dict(quant_format=QuantFormat.QDQ, activation_type=S8, weight_type=S8, per_channel=True),
    "qdq_s8s8_symmetric": dict(quant_format=QuantFormat.QDQ, activation_type=S8, weight_type=S8, per_channel=True,
                               extra_options={"ActivationSymmetric": True}),
    "qdq_u8u8": dict(quant_format=QuantFormat.QDQ, activation_type=U8, weight_type=U8),
    "qdq_u8u8_channel": dict(quant_format=QuantFormat.QDQ, activation_type=U8, weight_type=U8, per_channel=True,
                             extra_options={"WeightSymmetric": False}),
    "qdq_u8s8_moved": dict(quant_format=QuantFormat.QDQ, activation_type=U8, weight_type=S8, extra_options={"WeightSymmetric": False}),
    "qdq_reduce_range": dict(quant_format=QuantFormat.QDQ, activation_type=U8, weight_type=S8, reduce_range=True),
    "qop_u8s8_channel": dict(quant_format=QuantFormat.QOperator, activation_type=U8, weight_type=S8, per_channel=True),
    "qop_u8u8": dict(quant_format=QuantFormat.QOperator, activation_type=U8, weight_type=U8),
    "qop_s8s8": dict(quant_format=QuantFormat.QOperator, activation_type=S8, weight_type=S8),
}


def trained(path, fused):
    """As quantize-aware training exports it: QuantizeLinear on float weights, zero points left out or zero, s8 everywhere."""
    nodes = [
        node("QuantizeLinear", "x sx zx", "xq"), node("DequantizeLinear", "xq sx zx", "xd"),
        node("QuantizeLinear", "w0 sw zw", "w0q", axis=0), node("DequantizeLinear", "w0q sw zw", "w0d", axis=0),
        node("Conv", "xd w0d b0", "c0", pads=[1, 1, 1, 1]), node("Relu", "c0", "r0"),
        node("QuantizeLinear", "r0 sr" + ("" if fused else " zx"), "rq"), node("DequantizeLinear", "rq sr" + ("" if fused else " zx"), "rd"),
        node("Flatten", "rd", "f"),
        node("QuantizeLinear", "m0 sm zm", "mq", axis=1), node("DequantizeLinear", "mq sm", "md", axis=1),
        node("MatMul", "f md", "q0"), node("Add", "q0 a0", "q1"),
        node("QuantizeLinear", "q1 sy zx", "yq"), node("DequantizeLinear", "yq sy zx", "y"),
    ]
    w0, m0 = f32(6, 3, 3, 3, scale=0.3), f32(6 * 36, 7, scale=0.1)
    values = {
        "sx": np.float32(0.025), "zx": np.int8(0), "w0": w0, "sw": np.abs(w0).max((1, 2, 3)) / np.float32(127), "zw": np.zeros(6, np.int8),
        "b0": f32(6), "sr": np.float32(0.03), "m0": m0, "sm": np.abs(m0).max(0) / np.float32(127), "zm": np.zeros(7, np.int8),
        "a0": f32(7), "sy": np.float32(0.05),
    }
    save(nodes, values, [1, 3, 6, 6], [1, 7], path)


def main(folder):
    with tempfile.TemporaryDirectory() as scratch:
        plain = scratch + "/plain.onnx"
        network(plain)
        for name, options in STATIC.items():
            out = f"{scratch}/{name}.onnx"
            quantize_static(plain, out, Reader([1, 3, 8, 8]), **options)
            # What the tools give up on stays float; a sum after the last product widens the step.
            write(folder, name, out, [1, 3, 8, 8], 5)
        for name, kind in {"dynamic_u8": U8, "dynamic_s8": S8}.items():
            out = f"{scratch}/{name}.onnx"
            quantize_dynamic(plain, out, weight_type=kind)
            write(folder, name, out, [1, 3, 8, 8], 5, step=0.0)
        for name, fused in {"trained": False, "trained_u8": True}.items():
            out = f"{scratch}/{name}.onnx"
            trained(out, fused)
            write(folder, name, out, [1, 3, 6, 6], 2)


main(pathlib.Path(sys.argv[1]))
