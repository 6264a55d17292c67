"""Writes folders in the ONNX backend-test layout that tests/cli/test_check.c runs: some pass, some fail, some are unsupported.

    .venv/bin/python tests/oracles/check_cases.py tests/cli/data/check
"""
import os
import sys

import numpy as np
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

OUT = sys.argv[1]


def case(name, op, inputs, outputs, sets=1, domain="", **kw):
    """One node; the tensors of every set are `inputs` and `outputs` as given (which need not be right)."""
    folder = os.path.join(OUT, name)
    os.makedirs(folder, exist_ok=True)
    ins, outs = [f"x{k}" for k in range(len(inputs))], [f"y{k}" for k in range(len(outputs))]
    info = [h.make_tensor_value_info(n, h.np_dtype_to_tensor_dtype(a.dtype), None) for n, a in zip(ins, inputs)]
    made = [h.make_tensor_value_info(n, T.UNDEFINED, None) for n in outs]
    graph = h.make_graph([h.make_node(op, ins, outs, domain=domain, **kw)], name, info, made)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17), h.make_opsetid("com.acme", 1)], ir_version=8)
    with open(os.path.join(folder, "model.onnx"), "wb") as f:
        f.write(model.SerializeToString(deterministic=True))
    for k in range(sets):
        data = os.path.join(folder, f"test_data_set_{k}")
        os.makedirs(data, exist_ok=True)
        for kind, names, arrays in (("input", ins, inputs), ("output", outs, outputs)):
            for i, (n, a) in enumerate(zip(names, arrays)):
                with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as f:
                    f.write(nh.from_array(a, n).SerializeToString(deterministic=True))


def floats(*values):
    return np.array(values, np.float32)


X = floats(-1, 2, np.nan, np.inf)
case("good/relu", "Relu", [floats(-1, 2)], [floats(0, 2)], sets=2)
case("good/deep/neg", "Neg", [X], [floats(1, -2, np.nan, -np.inf)])
case("good/close", "Neg", [floats(1000)], [floats(-1000.9)])
case("good/integers", "Neg", [np.array([1, -2], np.int64)], [np.array([-1, 2], np.int64)])
case("bad/value", "Neg", [floats(1, 2, 3)], [floats(-1, -2.1, -3)])
case("bad/nan", "Neg", [floats(1)], [floats(np.nan)])
case("bad/integer", "Neg", [np.array([100000], np.int64)], [np.array([-100001], np.int64)])
case("bad/type", "Neg", [floats(1)], [np.array([-1], np.float64)])
case("bad/shape", "Neg", [floats(1)], [floats(-1).reshape(1, 1)])
case("bad/no_sets", "Neg", [floats(1)], [floats(-1)], sets=0)
case("unknown/operator", "Frobnicate", [floats(1)], [floats(1)], domain="com.acme")
os.makedirs(os.path.join(OUT, "bad/garbage"), exist_ok=True)
with open(os.path.join(OUT, "bad/garbage/model.onnx"), "wb") as f:
    f.write(b"\x0fnot a model")
