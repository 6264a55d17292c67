"""Writes a folder's graphs in half precision as NAME_fp16.onnx, as the public conversions are: float16 inside, float32 at inputs and outputs.

  python -m venv /tmp/v && /tmp/v/bin/pip install onnx numpy
  /tmp/v/bin/python tests/oracles/make_half.py FOLDER OUT NAME...      tests/cli/data/half from tests/cli/data/layouts/llava
"""
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def half(tensor):
    if tensor.data_type != FLOAT:
        return
    name = tensor.name
    values = np.clip(numpy_helper.to_array(tensor), -65504, 65504).astype(np.float16)
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def convert(graph, top):
    for t in graph.initializer:
        half(t)
    for v in graph.value_info:
        if v.type.tensor_type.elem_type == FLOAT:
            v.type.tensor_type.elem_type = HALF
    for node in graph.node:
        for a in node.attribute:
            if a.name == "to" and a.i == FLOAT:
                a.i = HALF
            if a.HasField("t"):
                half(a.t)
            if a.HasField("g"):
                convert(a.g, False)
                for o in a.g.output:
                    if o.type.tensor_type.elem_type == FLOAT:
                        o.type.tensor_type.elem_type = HALF
    if top:
        keep_ends(graph)


def rename(graph, old, new):
    """Every use of a value, in bodies too."""
    for node in graph.node:
        node.input[:] = [new if i == old else i for i in node.input]
        for a in node.attribute:
            if a.HasField("g"):
                rename(a.g, old, new)
                for o in a.g.output:
                    if o.name == old:
                        o.name = new


def keep_ends(graph):
    first, last = [], []
    for v in graph.input:
        if v.type.tensor_type.elem_type == FLOAT:
            rename(graph, v.name, v.name + "_half")
            first.append(helper.make_node("Cast", [v.name], [v.name + "_half"], to=HALF))
    for v in graph.output:
        if v.type.tensor_type.elem_type == FLOAT:
            for node in graph.node:
                node.output[:] = [v.name + "_half" if o == v.name else o for o in node.output]
                node.input[:] = [v.name + "_half" if i == v.name else i for i in node.input]
            last.append(helper.make_node("Cast", [v.name + "_half"], [v.name], to=FLOAT))
    nodes = first + list(graph.node) + last
    del graph.node[:]
    graph.node.extend(nodes)


def main():
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    (out / "onnx").mkdir(parents=True, exist_ok=True)
    for f in source.glob("*.json"):
        shutil.copy(f, out)
    for name in sys.argv[3:]:
        path = next(p for p in (source / f"{name}.onnx", source / "onnx" / f"{name}.onnx") if p.exists())
        model = onnx.load(path)
        convert(model.graph, True)
        onnx.checker.check_model(model)
        onnx.save(model, out / "onnx" / f"{name}_fp16.onnx")


if __name__ == "__main__":
    main()
