"""Statistics and records as pandas frames. Needs pandas: pip install "vlmq[frames]"."""

from __future__ import annotations

import json
import os
from typing import Any

import pandas as pd

from .tools import inspect


def samples(statistics: str | os.PathLike[str]) -> pd.DataFrame:
    """One row per sample of a statistics file: its name, its digest, how many ranges it sets alone."""
    return pd.DataFrame(inspect(statistics)["samples"])


def tensors(statistics: str | os.PathLike[str]) -> pd.DataFrame:
    """One row per measured tensor. Ranges become two columns, range_low and range_high; nested values are left out."""
    return pd.DataFrame([_flat(tensor) for tensor in inspect(statistics)["tensors"]])


def records(file: str | os.PathLike[str]) -> pd.DataFrame:
    """One row per image of what vlm-eval --records wrote, lines of JSON or CSV."""
    if os.fspath(file).endswith(".csv"):
        return pd.read_csv(file)
    with open(file, encoding="utf-8") as lines:
        return pd.DataFrame([json.loads(line) for line in lines if line.strip()])


def _flat(tensor: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, value in tensor.items():
        if isinstance(value, list) and len(value) == 2:
            row[key + "_low"], row[key + "_high"] = value
        elif not isinstance(value, (list, dict)):
            row[key] = value
    return row
