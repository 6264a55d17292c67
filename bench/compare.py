"""Runs of single graphs against ONNX Runtime and OpenVINO: bench/compare.sh calls this in its own environment.

compare.py BUILD [--rounds N] [--runs N] [--threads 1,2] [-o docs/performance.md]
compare.py --side ort|openvino MODEL THREADS RUNS [INPUT=SHAPE]...      one side, in a process of its own

Every side of a row runs once per round, one after the other, each in its own process on the same noise; a figure is the median of
the rounds' medians. So a slow second of the machine meets all sides. Nothing else may run meanwhile."""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODELS = ROOT.parent / "shared/data/models"
# name, model, shapes of inputs with open dims, folder of backend-test inputs to calibrate with (None: as float only)
ROWS = [
    ("text detector, 640x640", MODELS / "ch_PP-OCRv2_det_infer/model.onnx", ["x=1x3x640x640"], True),
    ("text orientation", MODELS / "ch_ppocr_mobile_v2.0_cls_infer/model.onnx", ["x=1x3x48x192"], True),
    ("UltraFace, 320x240", MODELS / "ultraface-rfb320/model.onnx", [], True),
    ("face detection, MobileNetV3, 224", MODELS / "openseeface-mnv3_detection/model.onnx", [], True),
    ("file type, v3", MODELS / "magika-standard_v3_3/model.onnx", [], True),
    ("captioner, vision encoder", ROOT / "datasets/captioner/bundle/vision_encoder.onnx", ["pixel_values=1x3x192x192"], False),
    ("captioner, text encoder", ROOT / "datasets/captioner/bundle/encoder_model.onnx", ["inputs_embeds=1x48x192", "attention_mask=1x48"], False),
]


# ---- one side ----

def noise(shape, kind, rng):
    import numpy as np
    if "float" in kind:
        return rng.uniform(-1, 1, shape).astype(np.float32)
    return np.zeros(shape, np.int32 if "int32" in kind else np.int64)


def fixed(name, dims, shapes):
    for text in shapes:
        if text.split("=")[0] == name:
            return [int(d) for d in text.split("=")[1].split("x")]
    return [d if isinstance(d, int) and d > 0 else 1 for d in dims]


def run_times(call, runs):
    for _ in range(3):
        call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def side_ort(model, threads, runs, shapes):
    import numpy as np
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    fed = {i.name: noise(fixed(i.name, i.shape, shapes), i.type, rng) for i in session.get_inputs()}
    return run_times(lambda: session.run(None, fed), runs)


def side_openvino(model, threads, runs, shapes):
    import numpy as np
    import openvino as ov
    core = ov.Core()
    graph = core.read_model(model)
    graph.reshape({i.any_name: fixed(i.any_name, [d.get_length() if d.is_static else 1 for d in i.partial_shape], shapes)
                   for i in graph.inputs})
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
                                                 "INFERENCE_PRECISION_HINT": "f32"})
    rng = np.random.default_rng(1)
    fed = {i.any_name: noise(list(i.shape), str(i.element_type).replace("f32", "float"), rng) for i in compiled.inputs}
    request = compiled.create_infer_request()
    return run_times(lambda: request.infer(fed), runs)


# ---- all sides of a row ----

def ask(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(f"{' '.join(map(str, command))}: {done.stderr.strip()[-300:]}\n")
        return None
    return done.stdout


def ours(build, model, threads, runs, shapes):
    text = ask([build / "bench/bench_graph", model, str(threads), str(runs), *shapes])
    found = text and re.search(r"median ([\d.]+) ms.* ([\d.]+) M multiply-adds", text)
    return (float(found[1]), float(found[2])) if found else (None, None)


def other(kind, model, threads, runs, shapes):
    text = ask([sys.executable, __file__, "--side", kind, model, str(threads), str(runs), *shapes])
    return float(text) if text else None


def samples(model, folder):
    """The inputs of backend-test folders beside the model as arrays."""
    import numpy as np
    import onnx
    from onnx import numpy_helper
    graph = onnx.load(model).graph
    names = [i.name for i in graph.input if i.name not in {c.name for c in graph.initializer}]
    for data in sorted(pathlib.Path(model).parent.glob("test_data_set_*")):
        (folder / data.name).mkdir(parents=True)
        for k, name in enumerate(names):
            tensor = onnx.TensorProto()
            tensor.ParseFromString((data / f"input_{k}.pb").read_bytes())
            np.save(folder / data.name / f"{name}.npy", numpy_helper.to_array(tensor))


def packed(build, model, work):
    """The model in INT8, calibrated on its own test inputs; None when a step fails. Second: share of the MACs."""
    folder, stats, out = work / "samples", work / "stats.h5", work / "model.vlmq"
    samples(model, folder)
    if ask([build / "vlm-calibrate", model, "--inputs", folder, "-o", stats, "--quiet"]) is None:
        return None, None
    text = ask([build / "vlm-quantize", model, "--calib", stats, "-o", out, "--json"])
    return (out, json.loads(text)["macs_int8_percent"]) if text else (None, None)


def median(values):
    good = [v for v in values if v is not None]
    return statistics.median(good) if good else None


def measure(row, args, build):
    name, model, shapes, calibrates = row
    results = []
    with tempfile.TemporaryDirectory() as work:
        small, share = packed(build, model, pathlib.Path(work)) if calibrates else (None, None)
        for threads in args.threads:
            sides, macs = {"f32": [], "int8": [], "ort": [], "openvino": []}, None
            for _ in range(args.rounds):
                ms, macs = ours(build, model, threads, args.runs, shapes)
                sides["f32"].append(ms)
                if small:
                    sides["int8"].append(ours(build, small, threads, args.runs, shapes)[0])
                for kind in ("ort", "openvino"):
                    sides[kind].append(other(kind, model, threads, args.runs, shapes))
            results.append((name, threads, macs, share, {k: median(v) for k, v in sides.items()}))
            print(results[-1], flush=True)
    return results


# ---- the page ----

def peaks(build):
    text = ask([build / "bench/bench_kernels", "--rounds", "3"]) or ""
    f32 = re.search(r"^peak f32 multiply-add +([\d.]+)", text, re.M)
    int8 = re.search(r"^peak int8 multiply-add +([\d.]+)", text, re.M)
    return float(f32[1]) if f32 else None, float(int8[1]) if int8 else None


def cpu_name():
    found = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.processor()


def ratio(a, b):
    return f"{a / b:.2f}" if a and b else "-"


def number(x):
    return f"{x:.2f}" if x else "-"


def page(results, build, args):
    import onnxruntime
    import openvino
    f32, int8 = peaks(build)
    lines = ["# Performance", "",
             "Made by `bench/compare.sh` (bench/compare.py says how): milliseconds of a run, each side in its own process, the sides one after",
             f"the other, the median of {args.rounds} rounds of {args.runs} runs. Peer: the faster of ONNX Runtime {onnxruntime.__version__} and OpenVINO "
             f"{openvino.__version__.split('-')[0]} in FP32.", "",
             f"{cpu_name()}, {os.cpu_count()} logical CPUs; register peak of one core: FP32 {number(f32)} GFLOPS, INT8 {number(int8)} GOPS.",
             f"Load average before: {number(args.load)}.", "",
             "| graph | threads | M multiply-adds | ours FP32 | ours INT8 (MACs) | ONNX Runtime | OpenVINO | FP32 against peer | INT8 against peer | share of FP32 peak |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for name, threads, macs, share, side in results:
        peer = min((v for v in (side["ort"], side["openvino"]) if v), default=None)
        of_peak = f"{2 * macs / side['f32'] / f32 / threads * 100:.0f} %" if macs and side["f32"] and f32 else "-"
        int8_text = f"{number(side['int8'])} ({share:.0f} %)" if side["int8"] and share else number(side["int8"])
        lines.append(f"| {name} | {threads} | {number(macs)} | {number(side['f32'])} | {int8_text} | {number(side['ort'])} | "
                     f"{number(side['openvino'])} | {ratio(peer, side['f32'])} | {ratio(peer, side['int8'])} | {of_peak} |")
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "--side":
        side = {"ort": side_ort, "openvino": side_openvino}[sys.argv[2]]
        print(side(sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6:]))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--threads", type=lambda t: [int(x) for x in t.split(",")], default=[1, 2])
    parser.add_argument("-o", type=pathlib.Path)
    args = parser.parse_args()
    args.load = os.getloadavg()[0]
    results = [r for row in ROWS if row[1].exists() for r in measure(row, args, args.build.resolve())]
    text = page(results, args.build.resolve(), args)
    if args.o:
        args.o.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
