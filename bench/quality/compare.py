"""Quantized models against their float forms, ours and the peers', on the same samples: bench/quality/compare.sh calls this.

compare.py BUILD [--models NAME,...] [--work FOLDER] [-o docs/quality.md]

A cell: signal to error of the worst output in dB over all scored samples, share of samples whose largest element is the same where that is what
the model is for, share of the multiply-accumulates of Conv, ConvTranspose, MatMul and Gemm that have both operands in 8 bits. Peers run in ONNX
Runtime, ours as packed files; calibration and scoring samples are the same for all, and none is in both."""
import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import samples

HERE = pathlib.Path(__file__).resolve().parent
WAYS = [("ort-minmax", "ORT static, MinMax"), ("ort-percentile", "ORT static, Percentile"), ("ort-entropy", "ORT static, Entropy"),
        ("ort-products", "ORT static, products only"), ("ort-dynamic", "ORT dynamic"), ("nncf", "NNCF")]
OURS = [([], "vlmq, no flags"), (["--activations", "static"], "vlmq, static")]
PRODUCTS = ("Conv", "FusedConv", "ConvTranspose", "MatMul", "Gemm", "FusedMatMul")
SECONDS = 400  # of one peer on one model


# ---- models ----

def named(model, to):
    """Nodes need names for their share to be told."""
    m = onnx.load(str(model))
    for k, node in enumerate(m.graph.node):
        node.name = node.name or f"{node.op_type}_{k}"
    onnx.save(m, str(to))
    return m


def session(model):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"])


def macs(m, fed):
    """Multiply-accumulates of each product, from the shapes of a run."""
    m = onnx.ModelProto.FromString(m.SerializeToString())
    nodes = [n for n in m.graph.node if n.op_type in PRODUCTS]
    known = {o.name for o in m.graph.output}
    wanted = sorted({name for n in nodes for name in [*n.input[:2], n.output[0]]} - {t.name for t in m.graph.initializer})
    m.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name and name not in known and name not in fed)
    runner = session(m.SerializeToString())
    names = [o.name for o in runner.get_outputs()]
    shapes = {t.name: tuple(t.dims) for t in m.graph.initializer} | {name: x.shape for name, x in fed.items()}
    shapes |= {name: np.shape(x) for name, x in zip(names, runner.run(None, fed))}
    count = {}
    for n in nodes:
        a, b, y = shapes[n.input[0]], shapes[n.input[1]], shapes[n.output[0]]
        if n.op_type in ("Conv", "FusedConv"):
            depth, size = np.prod(b[1:]), np.prod(y)
        elif n.op_type == "ConvTranspose":
            depth, size = np.prod(b[1:]), np.prod(a)
        else:
            turned = any(t.name == "transA" and t.i for t in n.attribute)
            depth, size = a[0] if turned else a[-1], np.prod(y)
        count[n.name] = float(depth * size)
    return count


def share(count, path):
    """By name: integer operators, or products of two dequantized values."""
    m = onnx.load(str(path))
    maker = {o: n for n in m.graph.node for o in n.output}

    def dequantized(name):
        node = maker.get(name)
        while node is not None and node.op_type in ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Slice"):
            node = maker.get(node.input[0])
        return node is not None and node.op_type == "DequantizeLinear"
    found = set()
    for n in m.graph.node:
        integer = "Integer" in n.op_type or n.op_type.startswith("QLinear") or n.op_type == "DynamicQuantizeMatMul"
        if integer or (n.op_type in PRODUCTS and all(dequantized(i) for i in n.input[:2])):
            found |= {n.name, n.name.removesuffix("_quant"), n.name.split("_quant")[0], n.name.removesuffix("_MatMul")}
    whole = sum(count.values())
    return 100 * sum(c for name, c in count.items() if name in found) / whole if whole else 0


# ---- scores ----

def scored(outputs, path, folder, what):
    runner = session(path)
    signal, noise, same, rows = {}, {}, 0, 0
    for want, file in zip(outputs, sorted(folder.glob("*.npz"))):
        with np.load(file) as data:
            got = runner.run(None, {i.name: data[i.name] for i in runner.get_inputs()})
        for name, x, y in zip([o.name for o in runner.get_outputs()], want, got):
            x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
            signal[name] = signal.get(name, 0) + (x * x).sum()
            noise[name] = noise.get(name, 0) + ((x - y) ** 2).sum()
        x, y = np.argmax(want[0], -1), np.argmax(got[0], -1)
        same, rows = same + (x == y).sum(), rows + x.size
    db = min(10 * np.log10(signal[k] / noise[k]) if noise[k] else np.inf for k in signal)
    return {"db": float(db), "same": 100 * float(same) / rows if what else None}


def run(command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)


def short(why, work):
    return why.replace(f"{work}/", "").splitlines()[0][:160]


def peer(way, model, data, work, outputs, count, what):
    out = work / f"{way}.onnx"
    out.unlink(missing_ok=True)
    try:
        done = run([sys.executable, HERE / "peers.py", way, model, data / "calibrate", out], timeout=SECONDS)
        if done.returncode or not out.exists():
            return {"why": short((done.stderr.strip().splitlines() or ["no file"])[-1], work)}
        return {**scored(outputs, out, data / "score", what), "int8": share(count, out)}
    except subprocess.TimeoutExpired:
        return {"why": f"not done after {SECONDS} s"}
    except Exception as why:
        return {"why": short(str(why), work)}


def ours(build, flags, model, data, work, what):
    stats, packed = work / "stats.h5", work / "packed.vlmq"
    for command in ([build / "vlm-calibrate", model, "--inputs", data / "calibrate", "--quiet", "--force", "-o", stats],
                    [build / "vlm-quantize", model, "--calib", stats, "--quiet", "-o", packed, f"--json={work / 'ours.json'}", *flags]):
        done = run(command)
        if done.returncode:
            return {"why": done.stderr.strip()[-160:]}
    done = run([build / "vlm-eval", model, packed, "--inputs", data / "score", "--quiet", f"--json={work / 'scored.json'}"])
    if done.returncode:
        return {"why": done.stderr.strip()[-160:]}
    figures, told = json.loads((work / "scored.json").read_text()), json.loads((work / "ours.json").read_text())
    top1 = figures.get("top1_agreement")
    same = top1 if not isinstance(top1, dict) else next(iter(top1.values()), None)
    return {"db": min(figures["sqnr_db"].values()), "same": same if what else None, "int8": told["macs_int8_percent"]}


def row(build, name, model, source, what, work):
    work.mkdir(parents=True, exist_ok=True)
    data = work / "samples"
    samples.write(model, source, data)
    plain = work / "model.onnx"
    m = named(model, plain)
    runner = session(plain)
    inputs = []
    for file in sorted((data / "score").glob("*.npz")):
        with np.load(file) as arrays:
            inputs.append({key: arrays[key] for key in arrays.files})
    outputs = [runner.run(None, fed) for fed in inputs]
    count = macs(m, inputs[0])
    cells = {title: ours(build, flags, plain, data, work, what) for flags, title in OURS}
    cells |= {title: peer(way, plain, data, work, outputs, count, what) for way, title in WAYS}
    used = [len(list((data / part).iterdir())) for part in ("calibrate", "score")]
    return {"model": name, "gmac": sum(count.values()) / 1e9, "samples": used, "cells": cells}


# ---- the page ----

def cell(c):
    if "why" in c:
        return "-"
    same = f" / {c['same']:.1f}" if c.get("same") is not None else ""
    return f"{c['db']:.1f}{same} / {c['int8']:.0f}"


def page(rows, versions):
    titles = [t for _, t in OURS] + [t for _, t in WAYS]
    text = ["# Quality", "", "Post-training quantization against the float model, by `bench/quality/compare.sh`. A cell: signal to error of the worst "
            "output in dB / samples with the same largest element in %, where a class is what counts / multiply-accumulates with both operands in 8 "
            "bits in %. The more is left in float the easier the first figure: read them together.", "",
            f"Peers: {versions}; per channel, u8 activations, s8 weights, otherwise their defaults. All calibrate with the same samples and are "
            "scored on others (their numbers stand behind the model). `-`: the tool fails, below is why; `inf / 0`: nothing is quantized.", "",
            "| model | " + " | ".join(titles) + " |", "|" + "---|" * (len(titles) + 1)]
    for r in rows:
        text.append(f"| {r['model']} ({r['gmac']:.2f} GMAC; {r['samples'][0]}, {r['samples'][1]}) | "
                    + " | ".join(cell(r["cells"][t]) for t in titles) + " |")
    failures = [f"- {r['model']}, {t}: {r['cells'][t]['why']}" for r in rows for t in titles if "why" in r["cells"][t]]
    return "\n".join([*text, "", *(["Failures:", "", *failures, ""] if failures else [])])


def main():
    import nncf
    import onnxruntime
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--models", help="names with commas between, `;`: the first words are enough")
    parser.add_argument("--work", type=pathlib.Path, default=HERE.parents[1] / "build/quality")
    parser.add_argument("-o", "--output", type=pathlib.Path)
    args = parser.parse_args()
    rows = []
    for name, model, source, what in samples.MODELS:
        if args.models and not any(name.startswith(part) for part in args.models.split(";")):
            continue
        rows.append(row(args.build, name, model, source, what, args.work / name.replace(" ", "_").replace(",", "")))
        print(json.dumps(rows[-1]), flush=True)
    if args.output:
        args.output.write_text(page(rows, f"ONNX Runtime {onnxruntime.__version__}, NNCF {nncf.__version__}"))


if __name__ == "__main__":
    main()
