"""Runs the Florence-2-base-shape graphs with vlm-run and with ONNX Runtime (FP32) and compares; one line per graph and case.

    .venv/bin/python tests/oracles/compare_florence.py GRAPHS_DIR [--vlm-run build/vlm-run] [--image 768] [--only GRAPH]

GRAPHS_DIR holds the files that the set's materialize.py writes. An output passes when max |got - wanted| <= 1e-4 max |wanted|.
The merged decoder must give the bytes that the separate ones give. Exit 1 when a case fails.
"""
import argparse
import os
import sys
import tempfile

import numpy as np
import onnxruntime as ort

LIMIT = 1e-4
PROMPTS = (5, 12)  # tokens of the prompt
IMAGE_TOKENS = 577
WIDTH = 768

parser = argparse.ArgumentParser()
parser.add_argument("graphs")
parser.add_argument("--vlm-run", default="build/vlm-run")
parser.add_argument("--image", type=int, default=768)
parser.add_argument("--only")
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
rng = np.random.default_rng(7)
failures = 0
sessions = {}


def path(graph):
    return os.path.join(args.graphs, graph + ".onnx")


def reference(graph, feeds):
    """Outputs by name of ONNX Runtime; one session at a time is kept."""
    if graph not in sessions:
        sessions.clear()
        options = ort.SessionOptions()
        options.intra_op_num_threads = args.threads
        sessions[graph] = ort.InferenceSession(path(graph), options, providers=["CPUExecutionProvider"])
    session = sessions[graph]
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))


def ours(graph, feeds):
    """Outputs by name of vlm-run, and its user time in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [args.vlm_run, path(graph), "--threads", str(args.threads), "--output-dir", os.path.join(folder, "out"), "--input"]
        for k, (name, array) in enumerate(feeds.items()):
            np.save(os.path.join(folder, f"in{k}.npy"), array)
            command.append(f"{name}={folder}/in{k}.npy")
        child = os.spawnv(os.P_NOWAIT, command[0], command)
        _, status, usage = os.wait4(child, 0)
        if status != 0:
            raise RuntimeError(f"{command[0]} {graph}: exit {os.waitstatus_to_exitcode(status)}")
        out = os.path.join(folder, "out")
        arrays = {f[:-4]: np.load(os.path.join(out, f)) for f in sorted(os.listdir(out))}
    return arrays, usage.ru_utime


def error(got, wanted):
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return float("inf")
    if wanted.size == 0:
        return 0.0
    top = np.abs(wanted).max()
    return float(np.abs(got.astype(np.float64) - wanted).max() / (top if top > 0 else 1))


def compare(graph, case, feeds):
    """Prints the line; returns our outputs."""
    global failures
    wanted = reference(graph, feeds)
    got, seconds = ours(graph, feeds)
    errors = {n: error(got[n.replace("/", "_")], a) for n, a in wanted.items()}
    worst = max(errors, key=errors.get)
    ok = errors[worst] <= LIMIT
    failures += not ok
    print(f"{'ok  ' if ok else 'FAIL'} {graph:24} {case:44} {len(errors):2} outputs, worst {errors[worst]:.1e} ({worst})"
          f"  {seconds:.2f} s user", flush=True)
    return got


def same(case, one, other):
    """The outputs that both have must be the same bytes."""
    global failures
    names = [n for n in one if n in other and one[n].size and other[n].size]
    different = [n for n in names if one[n].tobytes() != other[n].tobytes()]
    failures += bool(different) or not names
    print(f"{'FAIL' if different or not names else 'ok  '} merged = separate {'':8} {case:43} {len(names):2} outputs, "
          f"{len(different)} different {different[:3]}", flush=True)


def floats(*shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def wants(graph):
    return args.only in (None, graph) or (args.only == "decoder" and "decoder" in graph)


def past_of(present, previous=None):
    """present.L.K.V outputs as past_key_values.L.K.V inputs; what a step does not return comes from the one before."""
    past = dict(previous or {})
    past.update({n.replace("present", "past_key_values"): a for n, a in present.items() if n.startswith("present") and a.size})
    return past


def merged_feeds(feeds, past, use_cache):
    return {**feeds, **past, "use_cache_branch": np.array([use_cache])}


def decoder_chain(prompt, start):
    """A first step of `start` tokens, then two steps of one token, each with both forms of the decoder."""
    tokens = IMAGE_TOKENS + prompt
    common = {"encoder_attention_mask": np.ones((1, tokens), np.int64), "encoder_hidden_states": floats(1, tokens, WIDTH)}
    label = f"{tokens} encoder tokens, "
    feeds = {**common, "inputs_embeds": floats(1, start, WIDTH)}
    first = compare("decoder_model", label + f"{start} tokens", feeds)
    empty = {n.replace("present", "past_key_values"): np.zeros((1, a.shape[1], 0, a.shape[3]), np.float32)
             for n, a in first.items() if n.startswith("present")}
    steps = [(feeds, None, first)]
    past = past_of(first)
    for k in range(2):
        feeds = {"encoder_attention_mask": common["encoder_attention_mask"], "inputs_embeds": floats(1, 1, WIDTH)}
        step = compare("decoder_with_past_model", label + f"past {start + k}", {**feeds, **past})
        steps.append(({**common, **feeds}, past, step))
        past = past_of(step, past)
    for feeds, before, separate in steps:
        if feeds["inputs_embeds"].shape[1] != 1:
            continue  # the merged graph is declared with one token
        case = label + (f"past {before['past_key_values.0.decoder.key'].shape[2]}" if before else f"no past, {start} tokens")
        merged = compare("decoder_model_merged", case, merged_feeds(feeds, before or empty, before is not None))
        same(case, merged, separate)


def main():
    if wants("vision_encoder"):
        compare("vision_encoder", f"1x3x{args.image}x{args.image}", {"pixel_values": floats(1, 3, args.image, args.image)})
    for prompt in PROMPTS:
        if wants("embed_tokens"):
            compare("embed_tokens", f"{prompt} tokens", {"input_ids": rng.integers(0, 50000, (1, prompt))})
    for prompt in PROMPTS:
        tokens = IMAGE_TOKENS + prompt
        if wants("encoder_model"):
            compare("encoder_model", f"{tokens} tokens",
                    {"attention_mask": np.ones((1, tokens), np.int64), "inputs_embeds": floats(1, tokens, WIDTH)})
    for prompt, start in zip(PROMPTS, (1, 4)):
        if wants("decoder"):
            decoder_chain(prompt, start)
    print("all fine" if not failures else f"{failures} cases failed")
    return failures != 0


sys.exit(main())
