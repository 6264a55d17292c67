"""Exported ONNX files in other runtimes. Prints TAP.

  check_export.py BIN WORK RUNTIME...      BIN: folder of the programs; RUNTIME: ort, openvino

Calibrates, packs and exports the captioner and a detector in WORK, then runs what was exported and compares with what vlmq itself does:
tokens, every quantized tensor, signal to error; and the integer kernels of the graph that ONNX Runtime made with those that were predicted.
"""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import onnx
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "datasets/captioner/bundle"
SCREENS = ROOT / "datasets/screens"
DETECTOR = ROOT.parent / "shared/data/models/ch_PP-OCRv2_det_infer"
BOS, EOS, START, MOST = 0, 2, 2, 64
IMAGES = 60
count = 0


def result(good, name, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}" + (f" ({detail})" if detail else ""), flush=True)
    if not good:
        result.failed = True


result.failed = False


def skip(name, why):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {why}", flush=True)


def run(*args):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, args))}: {done.stderr[-800:]}")
    return done.stdout


# ---- runtimes: f(path) -> run(feeds) -> {name: array} ----

def load_ort(path, **opts):
    import onnxruntime as ort
    so = ort.SessionOptions()
    so.log_severity_level = 3
    if opts.get("plain"):
        so.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if opts.get("optimized"):
        so.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        so.optimized_model_filepath = str(opts["optimized"])
    session = ort.InferenceSession(str(path), so, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    wanted = {i.name for i in session.get_inputs()}
    return lambda feeds: dict(zip(names, session.run(None, {k: v for k, v in feeds.items() if k in wanted})))


def load_openvino(path, **opts):
    import openvino as ov
    model = ov.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = {name for port in model.inputs for name in port.get_names()}

    def infer(feeds):
        got = model({k: v for k, v in feeds.items() if k in names})
        return {name: got[port] for port in model.outputs for name in port.get_names()}
    return infer


LOADERS = {"ort": load_ort, "openvino": load_openvino}
TARGETS = {"ort": "ort-cpu-x86", "openvino": "openvino"}


# ---- the captioner ----

def pixels(path):
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    std = np.array([0.229, 0.224, 0.225], np.float32)
    image = np.asarray(Image.open(path).convert("RGB").resize((192, 192), Image.Resampling.BICUBIC))
    return np.ascontiguousarray(((image.astype(np.float32) * np.float32(1 / 255) - mean) / std).transpose(2, 0, 1))


class Captioner:
    def __init__(self, folder, load):
        from tokenizers import Tokenizer
        self.vision, self.embed, self.encoder = (load(folder / f"{n}.onnx") for n in ("vision_encoder", "embed_tokens", "encoder_model"))
        path = folder / "decoder_model_merged.onnx"
        if path.exists():
            self.first = self.step = load(path)
        else:
            path = folder / "decoder_with_past_model.onnx"
            self.first, self.step = load(folder / "decoder_model.onnx"), load(path)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.prompt = np.array([tokenizer.encode("What does the image describe?").ids], np.int64)
        decoder = onnx.load(path, load_external_data=False)
        self.past = [i for i in decoder.graph.input if i.name.startswith("past_key_values")]

    def empty(self, length):
        out = {}
        for i in self.past:
            dims = [d.dim_value for d in i.type.tensor_type.shape.dim]
            out[i.name] = np.zeros((1, dims[1], length if "encoder" in i.name else 0, dims[3]), np.float32)
        return out

    def embeds(self, ids):
        return next(iter(self.embed({"input_ids": ids}).values()))

    def caption(self, image):
        seen = next(iter(self.vision({"pixel_values": image[None]}).values()))
        inputs = np.concatenate([seen, self.embeds(self.prompt)], 1)
        mask = np.ones(inputs.shape[:2], np.int64)
        hidden = next(iter(self.encoder({"attention_mask": mask, "inputs_embeds": inputs}).values()))
        ids, past, first = [START], self.empty(hidden.shape[1]), True
        while ids[-1] != EOS or len(ids) == 1:
            feeds = {"encoder_attention_mask": mask, "encoder_hidden_states": hidden,
                     "inputs_embeds": self.embeds(np.array([[ids[-1]]], np.int64)),
                     "use_cache_branch": np.array([not first])}
            got = (self.first if first else self.step)({**feeds, **past})
            ids.append(BOS if first else EOS if len(ids) == MOST - 1 else int(got["logits"][0, -1].argmax()))
            past = {k: got[k.replace("past_key_values", "present")] if first or "decoder" in k else v
                    for k, v in past.items()}
            first = False
        return ids


def equal_tokens(a, b):
    same = sum(x == y for x, y in zip(a, b))
    return same, max(len(a), len(b))


def check_captioner(bin_, work, runtime, fmt):
    name = f"captioner, {runtime}, {fmt}"
    folder = work / f"captioner-{runtime}-{fmt}"
    shutil.rmtree(folder, ignore_errors=True)
    run(bin_ / "vlm-quantize", BUNDLE, "--calib", work / "captioner.h5", "--onnx-out", folder, "--target", TARGETS[runtime],
        "--format", fmt, "--quiet")
    files = sorted(folder.glob("*.onnx"))
    for path in files:
        onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(files[0], load_external_data=False)
    result(model.ir_version == 8 and model.opset_import[0].version == 17, f"{name}: opset 17, IR 8, valid")
    captioner = Captioner(folder, LOADERS[runtime])
    same = total = 0
    for image, ids in zip(sorted((work / "pixels").glob("*.npy")), own_tokens(bin_, work)):
        got = captioner.caption(np.load(image))
        s, t = equal_tokens(got, ids)
        same, total = same + s, total + t
    result(same >= 0.995 * total, f"{name}: tokens agree with vlmq's", f"{100 * same / total:.2f} % of {total}")
    return folder


def own_tokens(bin_, work):
    lines = run(bin_ / "vlm-run", work / "captioner.vlmq", work / "pixels", "--json", "--quiet").splitlines()
    return [json.loads(line)["token_ids"] for line in lines]


def prepare_captioner(bin_, work):
    (work / "pixels").mkdir(exist_ok=True)
    for path in sorted((SCREENS / "test").glob("*.png"))[:IMAGES]:
        np.save(work / "pixels" / f"{path.stem}.npy", pixels(path))
    run(bin_ / "vlm-calibrate", BUNDLE, "--images", SCREENS / "calibration", "--limit", 64, "-o", work / "captioner.h5", "--force", "--quiet")
    run(bin_ / "vlm-quantize", BUNDLE, "--calib", work / "captioner.h5", "-o", work / "captioner.vlmq", "--quiet")


# ---- what ONNX Runtime made of a file ----

KERNELS = {"QLinearConv": "convolutions", "ConvInteger": "convolutions", "QLinearMatMul": "products", "QGemm": "products",
           "MatMulIntegerToFloat": "products", "DynamicQuantizeMatMul": "products", "MatMulInteger": "products"}


def kernels_of(counts):
    """By kind: a MatMul whose addend is a bias may be a QGemm."""
    out = collections.Counter()
    for name, n in counts.items():
        if name in KERNELS:
            out[KERNELS[name]] += n
        elif name.startswith("QLinear"):
            out[name] += n
    return out


def check_predicted(bin_, path, made, name, whole=True):
    view = json.loads(run(bin_ / "vlm-inspect", path, "--target", "ort-cpu-x86", "--json"))
    nodes = [n for g in view["graphs"].values() for n in g["placement"]]
    own = kernels_of(collections.Counter(n["kernel"] for n in nodes if n["kernel"]))
    result(own == kernels_of(made), f"{name}: integer kernels are those that vlm-inspect foretells",
           ", ".join(f"{n} {k}" for k, n in sorted(own.items())))
    if whole:
        result(not any(n.get("dequantizes") for n in nodes), f"{name}: no large weight is foretold to be dequantized")


def optimized_graphs(path, work):
    optimized = work / "optimized.onnx"
    load_ort(path, optimized=optimized)
    graph = onnx.load(optimized).graph
    return [graph] + [a.g for n in graph.node for a in n.attribute if a.type == onnx.AttributeProto.GRAPH]


def check_fused(path, work, name):
    graphs = optimized_graphs(path, work)
    constants = {i.name: int(np.prod(i.dims)) for g in graphs for i in g.initializer}
    large = [n.name for g in graphs for n in g.node if n.op_type == "DequantizeLinear" and constants.get(n.input[0], 0) > 4096]
    result(not large, f"{name}: no large weight is dequantized at run time", ", ".join(large[:3]))
    return collections.Counter(n.op_type for g in graphs for n in g.node)


# ---- every quantized tensor ----

def byte_tensors(graph):
    return [o for n in graph.node if n.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") for o in n.output[:1]]


def probe_own(bin_, work, model, names, feeds):
    """What vlmq computes: every quantized tensor, and scale and zero point where they are computed."""
    probe, out = work / "probe.onnx", work / "probe"
    for name, kind in names.items():
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, kind, None))
    onnx.save(model, probe)
    args = []
    for k, v in feeds.items():
        np.save(work / f"in_{k}.npy", v)
        args += ["--input", f"{k}={work / f'in_{k}.npy'}"]
    run(bin_ / "vlm-run", probe, *args, "--output-dir", out)
    return {n: np.load(out / f"{n.replace('/', '_')}.npy") for n in names}


def check_steps(bin_, work, path, feeds, name):
    """Each quantized tensor in ONNX Runtime, when those before it are what vlmq has: errors do not add up."""
    names = {}
    model = onnx.load(path)
    for n in model.graph.node:
        if n.op_type == "QuantizeLinear" or n.op_type.startswith("QLinear") or (n.op_type == "QGemm" and len(n.input) > 7):
            names[n.output[0]] = onnx.TensorProto.UINT8
        if n.op_type == "DynamicQuantizeLinear":
            names.update(zip(n.output, (onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8)))
    own = probe_own(bin_, work, model, names, feeds)
    for n in model.graph.node:
        for k, i in enumerate(n.input):
            if i in names:
                n.input[k] = i + "_fed"
    for n, kind in names.items():
        model.graph.input.append(onnx.helper.make_tensor_value_info(n + "_fed", kind, own[n].shape))
    onnx.save(model, work / "probe_fed.onnx")
    theirs = load_ort(work / "probe_fed.onnx", plain=True)({**feeds, **{n + "_fed": own[n] for n in names}})
    bytes_ = [n for n, kind in names.items() if own[n].dtype == np.uint8 and own[n].ndim]
    worst = {n: int(np.abs(own[n].astype(int) - theirs[n].astype(int)).max()) for n in bytes_}
    most = max(worst.values())
    off = sum(int((own[n] != theirs[n]).sum()) for n in bytes_)
    result(most <= 1, f"{name}: every quantized tensor within one step",
           f"{len(bytes_)} tensors; {off} of {sum(own[n].size for n in bytes_)} elements differ, by {most} at most")


# ---- a detector ----

def read_tensor(path):
    t = onnx.TensorProto()
    t.ParseFromString(path.read_bytes())
    return onnx.numpy_helper.to_array(t)


def db(want, got):
    noise = ((want - got) ** 2).sum()
    return 10 * np.log10((want ** 2).sum() / noise) if noise else 200.0


def check_detector(bin_, work, runtime, fmt, inputs, want, own):
    name = f"detector, {runtime}, {fmt}"
    path = work / f"detector-{runtime}-{fmt}.onnx"
    run(bin_ / "vlm-quantize", DETECTOR / "model.onnx", "--calib", work / "detector.h5", "-o", path, "--target", TARGETS[runtime],
        "--format", fmt, "--quiet")
    onnx.checker.check_model(str(path), full_check=True)
    model = LOADERS[runtime](path)
    got = np.concatenate([next(iter(model({"x": x}).values())).ravel() for x in inputs])
    theirs = db(want, got)
    result(theirs >= own - 0.5, f"{name}: signal to error within 0.5 dB of vlmq's", f"{theirs:.2f} dB, {own:.2f} dB")
    return path


def prepare_detector(bin_, work):
    inputs = [read_tensor(DETECTOR / f"test_data_set_{i}" / "input_0.pb") for i in (0, 1)]
    for i, x in enumerate(inputs):
        (work / "detector" / str(i)).mkdir(parents=True, exist_ok=True)
        np.save(work / "detector" / str(i) / "x.npy", x)
    run(bin_ / "vlm-calibrate", DETECTOR / "model.onnx", "--inputs", work / "detector", "-o", work / "detector.h5", "--force", "--quiet")
    run(bin_ / "vlm-quantize", DETECTOR / "model.onnx", "--calib", work / "detector.h5", "-o", work / "detector.vlmq", "--quiet")
    want, own = [], []
    for i, x in enumerate(inputs):
        for model, to in ((DETECTOR / "model.onnx", want), (work / "detector.vlmq", own)):
            out = work / f"out_{i}"
            run(bin_ / "vlm-run", model, "--input", f"x={work / 'detector' / str(i) / 'x.npy'}", "--output-dir", out)
            to.append(np.load(next(out.glob("*.npy"))).ravel())
    want = np.concatenate(want)
    return inputs, want, db(want, np.concatenate(own))


def check_broken(bin_, work, path):
    """Files that ONNX Runtime does not fuse: two QuantizeLinear behind a product, one whose result is an output as well, an operator in front."""
    for what in ("two", "output", "front"):
        model = onnx.load(path)
        broken = work / f"broken-{what}.onnx"
        convs = {n.output[0] for n in model.graph.node if n.op_type == "Conv"}
        q = next(n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] in convs)
        if what == "two":
            model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0.5), "another_scale"))
            model.graph.node.append(onnx.helper.make_node("QuantizeLinear", [q.input[0], "another_scale", q.input[2]], [q.output[0] + "_again"]))
            model.graph.output.append(onnx.helper.make_tensor_value_info(q.output[0] + "_again", onnx.TensorProto.UINT8, None))
        elif what == "output":
            model.graph.output.append(onnx.helper.make_tensor_value_info(q.input[0], onnx.TensorProto.FLOAT, None))
        else:
            node = next(n for n in model.graph.node if n.op_type == "Conv" and n.output[0] == q.input[0])
            dq = next(n for n in model.graph.node if n.output[0] == node.input[0])
            sub = onnx.helper.make_node("Neg", [dq.output[0]], [dq.output[0] + "_neg"])
            node.input[0] = sub.output[0]
            model.graph.node.insert(list(model.graph.node).index(node), sub)
        onnx.save(model, broken)
        made = collections.Counter(n.op_type for g in optimized_graphs(broken, work) for n in g.node)
        check_predicted(bin_, broken, made, f"broken, {what}", whole=False)


def main():
    bin_, work, runtimes = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:]
    os.makedirs(work, exist_ok=True)
    prepare_captioner(bin_, work)
    for runtime in runtimes:
        for fmt in ("qdq", "qoperator") if runtime == "ort" else ("qdq",):
            folder = check_captioner(bin_, work, runtime, fmt)
            if runtime != "ort":
                continue
            for path in sorted(folder.glob("*.onnx")):
                made = check_fused(path, work, f"captioner, {fmt}, {path.stem}")
                check_predicted(bin_, path, made, f"captioner, {fmt}, {path.stem}")
            image = np.load(sorted((work / "pixels").glob("*.npy"))[0])[None]
            check_steps(bin_, work, folder / "vision_encoder.onnx", {"pixel_values": image}, f"captioner, {fmt}, vision")
    if not DETECTOR.exists():
        return skip("the detector", f"{DETECTOR} is not there")
    detector = prepare_detector(bin_, work)
    for runtime in runtimes:
        for fmt in ("qdq", "qoperator") if runtime == "ort" else ("qdq",):
            path = check_detector(bin_, work, runtime, fmt, *detector)
            if runtime != "ort":
                continue
            kernels = check_fused(path, work, f"detector, {fmt}")
            check_predicted(bin_, path, kernels, f"detector, {fmt}")
            result(kernels["QLinearConv"] >= 20, f"detector, {fmt}: integer kernels", f"{kernels['QLinearConv']} QLinearConv")
            check_steps(bin_, work, path, {"x": detector[0][0]}, f"detector, {fmt}")
            if fmt == "qdq":
                check_broken(bin_, work, path)


main()
print(f"1..{count}")
sys.exit(result.failed)
