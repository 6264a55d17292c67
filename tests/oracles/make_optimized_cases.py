"""Small models as ONNX Runtime's optimizer writes them, with outputs of the models it started from.

Usage: .venv/bin/python tests/oracles/make_optimized_cases.py tests/cli/data/optimized_cases
The opsets are older than the operators that the optimizer puts in: it writes LayerNormalization into opset 12, too.
Level "all" is left out: its layout belongs to the CPU it was made on."""
import collections
import pathlib
import shutil
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.transformers import optimizer

rng = np.random.default_rng(11)
WIDTH, HEADS = 16, 2


class Builder:
    """Nodes in order; every call gives the name of its output."""

    def __init__(self, opset):
        self.opset, self.nodes, self.init, self.count = opset, [], {}, collections.Counter()

    def const(self, array, name="c"):
        name = f"{name}{len(self.init)}"
        self.init[name] = np.asarray(array)
        return name

    def weight(self, *shape, scale=None):
        return self.const((rng.standard_normal(shape) * (scale or shape[0] ** -0.5)).astype(np.float32), "w")

    def op(self, kind, *inputs, outputs=1, **attrs):
        self.count[kind] += 1
        outs = [f"{kind}_{self.count[kind]}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), outs, name=f"{kind}_{self.count[kind]}", **attrs))
        return outs[0] if outputs == 1 else outs

    def scalar(self, value):
        return self.const(np.float32(value))

    def shape(self, *dims):
        return self.const(np.array(dims, np.int64))

    def mean(self, x):
        return self.op("ReduceMean", x, axes=[-1])

    def layer_norm(self, x):
        centred = self.op("Sub", x, self.mean(x))
        variance = self.mean(self.op("Pow", centred, self.scalar(2)))
        scaled = self.op("Div", centred, self.op("Sqrt", self.op("Add", variance, self.scalar(1e-5))))
        return self.op("Add", self.op("Mul", scaled, self.weight(WIDTH, scale=1)), self.weight(WIDTH, scale=1))

    def rms_norm(self, x):
        mean = self.mean(self.op("Pow", x, self.scalar(2)))
        root = self.op("Sqrt", self.op("Add", mean, self.scalar(1e-6)))
        return self.op("Mul", self.weight(WIDTH, scale=1), self.op("Mul", x, self.op("Div", self.scalar(1), root)))

    def linear(self, x, k, n, bias=True):
        y = self.op("MatMul", x, self.weight(k, n))
        return self.op("Add", self.weight(n, scale=1), y) if bias else y

    def gelu(self, x):
        half = self.op("Add", self.op("Erf", self.op("Div", x, self.scalar(2**0.5))), self.scalar(1))
        return self.op("Mul", self.op("Mul", x, half), self.scalar(0.5))

    def quick_gelu(self, x):
        return self.op("Mul", x, self.op("Sigmoid", self.op("Mul", x, self.scalar(1.702))))

    def heads(self, x, perm):
        return self.op("Transpose", self.op("Reshape", x, self.shape(0, 0, HEADS, WIDTH // HEADS)), perm=perm)

    def attention(self, x, mask=None):
        q, k, v = (self.heads(self.linear(x, WIDTH, WIDTH), p) for p in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
        scores = self.op("Div", self.op("MatMul", q, k), self.scalar((WIDTH / HEADS) ** 0.5))
        if mask:
            scores = self.op("Add", scores, mask)
        y = self.op("Transpose", self.op("MatMul", self.op("Softmax", scores, axis=3), v), perm=[0, 2, 1, 3])
        return self.linear(self.op("Reshape", y, self.shape(0, 0, WIDTH)), WIDTH, WIDTH)

    def block(self, x, activation, mask=None):
        x = self.layer_norm(self.op("Add", self.attention(x, mask), x))
        y = self.linear(activation(self.linear(x, WIDTH, 32)), 32, WIDTH)
        return self.layer_norm(self.op("Add", y, x))

    def conv(self, x, i, o, k, group=1, **attrs):
        return self.op("Conv", x, self.weight(o, i // group, k, k, scale=(i * k * k / group) ** -0.5), self.weight(o, scale=0.1), group=group,
                       kernel_shape=[k, k], pads=[k // 2] * 4, **attrs)

    def model(self, inputs, output):
        graph = helper.make_graph(self.nodes, "g", inputs, [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
                                  [numpy_helper.from_array(a, n) for n, a in self.init.items()])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=7)


def value(name, dtype, shape):
    return helper.make_tensor_value_info(name, dtype, shape)


def bert():
    b = Builder(12)
    words = b.op("Gather", b.weight(50, WIDTH, scale=1), "ids")
    types = b.op("Gather", b.weight(2, WIDTH, scale=1), "types")
    places = b.op("Gather", b.weight(8, WIDTH, scale=1), b.const(np.arange(5).reshape(1, 5)))
    x = b.layer_norm(b.op("Add", b.op("Add", words, types), places))
    wide = b.op("Cast", b.op("Unsqueeze", b.op("Unsqueeze", "mask", axes=[1]), axes=[2]), to=TensorProto.FLOAT)
    mask = b.op("Mul", b.op("Sub", b.scalar(1), wide), b.scalar(-10000))
    for _ in range(2):
        x = b.block(x, b.gelu, mask)
    inputs = {"ids": rng.integers(0, 50, (2, 5)), "types": rng.integers(0, 2, (2, 5)), "mask": np.array([[1] * 5, [1, 1, 1, 0, 0]])}
    return b.model([value(n, TensorProto.INT64, [2, 5]) for n in inputs], x), inputs


def vit():
    b = Builder(14)
    x = b.op("Conv", "image", b.weight(WIDTH, 3, 4, 4, scale=0.1), kernel_shape=[4, 4], strides=[4, 4])
    x = b.op("Transpose", b.op("Reshape", x, b.shape(0, WIDTH, -1)), perm=[0, 2, 1])
    x = b.op("Concat", b.weight(1, 1, WIDTH, scale=1), x, axis=1)
    for _ in range(2):
        x = b.block(b.layer_norm(x), b.quick_gelu)
    first = b.op("Gather", x, b.const(np.int64(0)), axis=1)
    y = b.op("Gemm", first, b.weight(10, WIDTH), b.weight(10, scale=1), transB=1)
    return b.model([value("image", TensorProto.FLOAT, [1, 3, 12, 12])], b.op("Relu", y)), {
        "image": rng.standard_normal((1, 3, 12, 12)).astype(np.float32)}


def cnn():
    b = Builder(11)
    x = b.op("Relu", b.conv("image", 3, 8, 3, strides=[2, 2]))
    x = b.op("Relu", b.op("Add", b.conv(b.op("LeakyRelu", b.conv(x, 8, 8, 3), alpha=0.1), 8, 8, 3), x))
    x = b.op("Clip", b.conv(x, 8, 8, 3, group=8), b.scalar(0), b.scalar(6))
    x = b.op("Relu", b.op("BatchNormalization", b.conv(x, 8, 12, 1), *(b.const(np.abs(rng.standard_normal(12)).astype(np.float32) + 0.5) for _ in range(4))))
    x = b.op("HardSigmoid", b.conv(x, 12, 12, 1))
    x = b.op("Flatten", b.op("GlobalAveragePool", b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])))
    x = b.op("LeakyRelu", b.op("Gemm", x, b.weight(12, 10), b.weight(10, scale=1)), alpha=0.2)
    return b.model([value("image", TensorProto.FLOAT, [2, 3, 16, 16])], x), {"image": rng.standard_normal((2, 3, 16, 16)).astype(np.float32)}


def llama():
    b = Builder(13)
    x = b.op("Gather", b.weight(50, WIDTH, scale=1), "ids")
    for _ in range(2):
        x = b.op("Add", x, b.attention(b.rms_norm(x)))
        h = b.rms_norm(x)
        gate = b.linear(h, WIDTH, 24, bias=False)
        x = b.op("Add", x, b.linear(b.op("Mul", b.op("Mul", gate, b.op("Sigmoid", gate)), b.linear(h, WIDTH, 24, bias=False)), 24, WIDTH, bias=False))
    x = b.op("MatMul", b.rms_norm(x), b.op("Transpose", b.weight(20, WIDTH), perm=[1, 0]))
    turned = b.op("Transpose", b.op("Reshape", x, b.shape(2, 3, 4, 5)), perm=[1, 2, 0, 3])
    return b.model([value("ids", TensorProto.INT64, [2, 3])], b.op("MatMul", turned, b.op("Transpose", turned, perm=[0, 1, 3, 2]))), {
        "ids": rng.integers(0, 50, (2, 3))}


LEVELS = {"basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC, "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED}
WANTED = {"bert_extended": ["LayerNormalization", "Gelu", "SkipLayerNormalization", "FusedMatMul"],
          "bert_transformers": ["LayerNormalization", "SkipLayerNormalization", "Attention", "BiasGelu"],
          "vit_extended": ["QuickGelu", "FusedMatMul", "FusedGemm"], "cnn_extended": ["FusedConv", "FusedGemm"],
          "llama_extended": ["SimplifiedLayerNormalization", "QuickGelu", "FusedMatMul"]}


def session(model, level, path=None):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 3
    if path:
        options.optimized_model_filepath = str(path)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def save(folder, inputs, outputs):
    data = folder / "test_data_set_0"
    data.mkdir()
    for kind, values in (("input", inputs.items()), ("output", enumerate(outputs))):
        for i, (name, array) in enumerate(values):
            tensor = numpy_helper.from_array(np.asarray(array), name if kind == "input" else "")
            (data / f"{kind}_{i}.pb").write_bytes(tensor.SerializeToString())
    ops = {n.op_type for n in onnx.load(folder / "model.onnx").graph.node}
    missing = set(WANTED.get(folder.name, ())) - ops
    print(folder.name, sorted(ops))
    assert not missing, f"{folder.name} lacks {missing}"


def main():
    root = pathlib.Path(sys.argv[1])
    shutil.rmtree(root, ignore_errors=True)
    for make in (bert, vit, cnn, llama):
        model, inputs = make()
        data = model.SerializeToString()
        outputs = session(data, ort.GraphOptimizationLevel.ORT_DISABLE_ALL).run(None, inputs)
        for level, code in LEVELS.items():
            folder = root / f"{make.__name__}_{level}"
            folder.mkdir(parents=True)
            session(data, code, folder / "model.onnx")
            save(folder, inputs, outputs)
        if make is bert:
            folder = root / "bert_transformers"
            folder.mkdir()
            (folder / "in.onnx").write_bytes(data)
            optimizer.optimize_model(str(folder / "in.onnx"), "bert", HEADS, WIDTH, opt_level=0).save_model_to_file(str(folder / "model.onnx"))
            (folder / "in.onnx").unlink()
            save(folder, inputs, outputs)


if __name__ == "__main__":
    main()
