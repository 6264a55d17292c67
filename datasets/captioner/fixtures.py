#!/usr/bin/env python3
"""Expected outputs of the FP32 model, written to fixtures/, and a comparison of the ONNX bundle with PyTorch.

    python fixtures.py [checkpoint.pt]
"""
import json
import sys

import numpy as np
import onnxruntime as ort
import torch

from common import BOS, BUNDLE, EOS, FIXTURES, MAX_LENGTH, PROMPTS, START, load_tokenizer, split_pixels
from evaluate import beam, greedy
from export import LAYERS, HEADS, HEAD_DIM, load_model

BEAM = {"num_beams": 3, "no_repeat_ngram_size": 3}  # early stopping, length penalty 1, as in the published model


class Bundle:
    """The runtime's view: ONNX files only."""

    def __init__(self, merged):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        names = ["vision_encoder", "embed_tokens", "encoder_model"] + (
            ["decoder_model_merged"] if merged else ["decoder_model", "decoder_with_past_model"])
        self.s = {n: ort.InferenceSession(str(BUNDLE / f"{n}.onnx"), options) for n in names}
        self.merged = merged

    def embed(self, ids):
        return self.s["embed_tokens"].run(None, {"input_ids": np.array(ids, np.int64)})[0]

    def decoder(self, first, feeds, past):
        if not self.merged:
            s = self.s["decoder_model" if first else "decoder_with_past_model"]
            have = {i.name for i in s.get_inputs()}
            feeds = {k: v for k, v in {**feeds, **past}.items() if k in have}
        else:
            s = self.s["decoder_model_merged"]
            feeds = {**feeds, **past, "use_cache_branch": np.array([not first])}
        return dict(zip([o.name for o in s.get_outputs()], s.run(None, feeds)))

    def caption(self, pixels, prompt):
        features = self.s["vision_encoder"].run(None, {"pixel_values": pixels[None]})[0]
        x = np.concatenate([features, self.embed([prompt])], 1)
        mask = np.ones(x.shape[:2], np.int64)
        hidden = self.s["encoder_model"].run(None, {"attention_mask": mask, "inputs_embeds": x})[0]
        past = {f"past_key_values.{i}.{k}.{p}": np.zeros((1, HEADS, 0, HEAD_DIM), np.float32)
                for i in range(LAYERS) for k in ("decoder", "encoder") for p in ("key", "value")}
        ids, rows = [START], []
        while len(ids) < MAX_LENGTH and (len(ids) == 1 or ids[-1] != EOS):
            first = len(ids) == 1
            out = self.decoder(first, {"encoder_attention_mask": mask, "encoder_hidden_states": hidden, "inputs_embeds": self.embed([ids[-1:]])}, past)
            rows.append(out["logits"][0, -1])
            for name, value in out.items():
                if name.startswith("present") and (first or ".encoder." not in name):
                    past[name.replace("present", "past_key_values")] = value
            ids.append(BOS if first else EOS if len(ids) == MAX_LENGTH - 1 else int(rows[-1].argmax()))
        return ids, np.stack(rows)


@torch.no_grad()
def teacher_forced(model, pixels, prompt, ids):
    """Logits [T, V] for the decoder inputs ids[:-1]."""
    hidden = model.encode(model.vision(pixels[None]), prompt)
    x, _ = model.decoder(model.shared(torch.tensor([ids[:-1]])), hidden, None)
    return model.logits(x)[0].numpy()


def write(name, body):
    FIXTURES.mkdir(exist_ok=True)
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in body.items())
    (FIXTURES / name).write_text("{\n" + lines + "\n}\n")


def main():
    torch.set_num_threads(1 if "--gentle" in sys.argv else 2)
    paths = [a for a in sys.argv[1:] if not a.startswith("-")]
    model, tok = load_model(*paths), load_tokenizer()
    short, long = (tok.encode(p).ids for p in PROMPTS.values())
    items, pixels = split_pixels("test")
    x = torch.from_numpy(pixels)
    files = [path.name for _, path, _ in items]
    plain = greedy(model, x, short)
    write("expected_tokens.json", dict(zip(files, plain)))
    write("expected_tokens_detailed.json", dict(zip(files, greedy(model, x[:50], long))))
    write("expected_tokens_beam3.json", {f: beam(model, x[k], short, BEAM["num_beams"], BEAM["no_repeat_ngram_size"]) for k, f in enumerate(files[:30])})
    write("expected_captions.json", {f: tok.decode(ids) for f, ids in zip(files, plain)})
    forced = {items[k][0]: teacher_forced(model, x[k], short, plain[k]) for k in range(20)}
    np.savez_compressed(FIXTURES / "logits20.npz", **forced)
    margins = np.concatenate([np.diff(np.sort(v[1:], -1)[:, -2:], axis=-1)[:, 0] for v in forced.values()])
    print("margin of the best logit over the second: smallest %.3f, 5 %% quantile %.3f, median %.3f"
          % (margins.min(), np.quantile(margins, .05), np.median(margins)))
    for merged in (True, False):
        bundle, same, worst = Bundle(merged), 0, 0.0
        for k in range(50):
            ids, rows = bundle.caption(pixels[k], short)
            same += ids == plain[k]
            if k < 20 and ids == plain[k]:
                worst = max(worst, float(np.abs(rows - forced[items[k][0]]).max()))
        print("merged decoder" if merged else "two decoders", f"{same} of 50 equal to PyTorch, largest logit difference {worst:.2e}")


if __name__ == "__main__":
    main()
