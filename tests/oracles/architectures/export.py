"""A PyTorch module as a case in the ONNX backend-test layout: model.onnx, and inputs and outputs of PyTorch per data set."""

import logging
import math
import warnings
from dataclasses import dataclass, field

import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper as nh
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

warnings.filterwarnings("ignore")
logging.getLogger("torch.onnx").setLevel(logging.ERROR)


@dataclass
class Graph:
    """One graph of an architecture. `sets`: one dict of inputs per data set, all with the same names in the module's order.
    `oracle`: whose outputs; ONNX Runtime's where tracing froze something that depends on the data, so that the graph is not the module.
    `folded`: multiply-accumulates between weights only, which an importer computes once.
    `functions`: modules that become model-local functions.
    `dynamo`: by the exporter that goes through torch.export (opset 18, model-local functions), with the shapes of the first set."""

    name: str
    module: nn.Module
    sets: list
    outputs: list
    axes: dict = field(default_factory=dict)
    dynamo: bool = False
    functions: set = field(default_factory=set)
    oracle: str = "torch"
    folded: int = 0


def randomise(module, seed):
    """Weights that keep every block's output near unit size, so that no part of the network hides behind another."""
    g = torch.Generator().manual_seed(seed)

    def fill(p, mean, std):
        p.data.copy_(mean + std * torch.randn(p.shape, generator=g))

    for name, p in sorted(module.named_parameters()):
        if p.dim() >= 2 and "embed" not in name and "class" not in name and "latent" not in name:
            fill(p, 0, 1 / math.sqrt(math.prod(p.shape[1:])))
        elif p.dim() >= 2:
            fill(p, 0, 0.5)
        elif name.endswith("weight") or name.endswith("gamma"):
            fill(p, 1, 0.2)
        else:
            fill(p, 0, 0.1)
    return module.eval()


def settle(module, *inputs):
    """Running statistics of batch normalisation from one batch, so that activations stay near unit size."""
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.momentum = None
            m.reset_running_stats()
    module.train()
    with torch.no_grad():
        module(*inputs)
    return module.eval()


def rand(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def ids(seed, high, *shape):
    return torch.randint(0, high, shape, generator=torch.Generator().manual_seed(seed))


def _export(graph, path):
    first = graph.sets[0]
    common = dict(input_names=list(first), output_names=graph.outputs)
    if not graph.dynamo:
        torch.onnx.export(graph.module, tuple(first.values()), str(path), opset_version=17, dynamic_axes=graph.axes, dynamo=False,
                          export_modules_as_functions=graph.functions or False, **common)
        return
    program = torch.onnx.export(graph.module, tuple(first.values()), opset_version=18, dynamo=True, verbose=False, **common)
    program.save(str(path))


def _write(tensor, name, path):
    path.write_bytes(nh.from_array(tensor.detach().contiguous().numpy(), name).SerializeToString())


def strip(path):
    """Takes out stack traces and paths of this machine; returns the names of the inputs."""
    m = onnx.load(path, load_external_data=False)
    nodes = list(m.graph.node) + [n for f in m.functions for n in f.node]
    for thing in nodes + list(m.functions) + list(m.graph.value_info) + list(m.graph.input) + list(m.graph.output) + [m.graph, m]:
        thing.ClearField("doc_string")
        thing.ClearField("metadata_props")
    for thing in [m.graph, *m.functions]:
        thing.ClearField("value_info")
    functions = sorted(m.functions, key=lambda f: f.name)
    del m.functions[:]
    m.functions.extend(functions)
    path.write_bytes(m.SerializeToString(deterministic=True))
    return [i.name for i in m.graph.input]


def _results(graph, inputs, wanted, folder):
    if graph.oracle == "torch":
        results = graph.module(*inputs.values())
        return results if isinstance(results, (tuple, list)) else (results,)
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return [torch.from_numpy(r) for r in session.run(graph.outputs, {n: inputs[n].numpy() for n in wanted})]


def costs(graph, wanted):
    """Multiply-accumulates of the first data set by PyTorch's own counter, and the symbolic dims of the inputs `wanted`."""
    inputs = graph.sets[0]
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        graph.module.eval()(*inputs.values())
    dims = {name: inputs[n].shape[axis] for n, axes in graph.axes.items() if n in wanted for axis, name in axes.items()}
    return f"{counter.get_total_flops() // 2 - graph.folded} " + " ".join(f"{k}={v}" for k, v in dims.items())


def write(graph, folder):
    """FOLDER/model.onnx and FOLDER/test_data_set_K; inputs that the exporter drops are not written. Returns costs()."""
    folder.mkdir(parents=True)
    graph.module.eval()  # the exporter puts back the mode that it finds
    with torch.no_grad():
        _export(graph, folder / "model.onnx")
        wanted = strip(folder / "model.onnx")
        for k, inputs in enumerate(graph.sets):
            out = folder / f"test_data_set_{k}"
            out.mkdir()
            results = _results(graph, inputs, wanted, folder)
            assert len(results) == len(graph.outputs), (graph.name, len(results), graph.outputs)
            for i, name in enumerate(wanted):
                _write(inputs[name], name, out / f"input_{i}.pb")
            for i, (name, value) in enumerate(zip(graph.outputs, results)):
                _write(value, name, out / f"output_{i}.pb")
    return costs(graph, wanted)
