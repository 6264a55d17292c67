"""Says what is on a picture, token by token:   python caption.py MODEL PICTURE.ppm [PROMPT]"""

import sys

import numpy as np
import vlmq


def read_ppm(path: str) -> np.ndarray:
    with open(path, "rb") as file:
        if file.readline().strip() != b"P6":
            raise SystemExit(f"{path}: no binary PPM (P6)")
        width, height = map(int, file.readline().split())
        file.readline()
        return np.frombuffer(file.read(), np.uint8).reshape(height, width, 3)


def main(model: str, picture: str, prompt: str = "<CAPTION>") -> None:
    with vlmq.Runner(model) as runner:
        reply = runner.generate(read_ppm(picture), prompt, on_token=lambda _id, text: print(text, end="", flush=True))
        print()
        print(f"{reply.finish} after {len(reply.ids)} tokens, {reply.timing['total_ms']:.1f} ms", file=sys.stderr)


main(*sys.argv[1:])
