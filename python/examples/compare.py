"""Calibrates, quantizes and compares in ten lines:   python compare.py MODEL CALIBRATION TEST REFERENCES.json FOLDER"""

import pathlib
import sys

import vlmq
from vlmq import frames


def main(model: str, calibration: str, test: str, references: str, folder: str) -> None:
    out = pathlib.Path(folder)
    vlmq.calibrate(model, out / "stats.h5", images=calibration)
    vlmq.quantize(model, out / "model.vlmq", calib=out / "stats.h5")
    found = vlmq.evaluate(model, out / "model.vlmq", images=test, refs=references, records=out / "records.jsonl")
    rows = frames.records(out / "records.jsonl")
    print(f"{100 * rows.exact.mean():.1f} % of {len(rows)} captions unchanged, {found['speedup']:.2f} times as fast")
    print(rows.loc[~rows.exact, ["image", "reference", "candidate"]].head().to_string(index=False))


main(*sys.argv[1:])
