"""Writes what the codes of the small floats mean according to ml_dtypes: six formats in the order of small_float.def, 256 float32 each
(float4e2m1: 16 and then zeros).

    .venv/bin/python tests/oracles/make_small_float.py tests/base/data/small_float.f32
"""
import sys

import ml_dtypes
import numpy as np

FORMATS = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float4_e2m1fn", "float8_e8m0fnu")

with open(sys.argv[1], "wb") as f:
    for name in FORMATS:
        codes = np.arange(16 if name.startswith("float4") else 256, dtype=np.uint8)
        values = codes.view(getattr(ml_dtypes, name)).astype(np.float32)
        f.write(np.pad(values, (0, 256 - len(codes))).astype("<f4").tobytes())
