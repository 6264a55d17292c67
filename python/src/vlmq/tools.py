"""The programs as functions: each runs one of them with --json and returns what it says as a dict.

Keyword arguments are the options of the program with `_` for `-`: calibrate(model, images=folder, output="s.h5",
threads=2). True gives the option alone, a list gives it once per value (images, inputs and refs: one option, many values).
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import Any

from .errors import IntegrityError, VlmqError

_MANY = {"images", "inputs"}  # options that take several values at once
_VERDICTS = {3, 4}  # exit codes of vlm-eval that are a result and no failure


class ToolError(VlmqError):
    """A program that failed. `exit_code` is its exit code, the text what it printed."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def program(name: str) -> str:
    """Path of a program: VLMQ_PROGRAMS, the package's own, then PATH."""
    folders = [os.environ.get("VLMQ_PROGRAMS"), str(pathlib.Path(__file__).parent / "bin")]
    for folder in filter(None, folders):
        path = pathlib.Path(folder) / name
        if path.exists():
            if not os.access(path, os.X_OK):  # some installers drop the permission
                path.chmod(0o755)
            return str(path)
    found = shutil.which(name)
    if found is None:
        raise ToolError(f"{name} is not in the package and not on the PATH; set VLMQ_PROGRAMS to its folder", 127)
    return found


def _arguments(options: dict[str, Any]) -> list[str]:
    out: list[str] = []
    for key, value in options.items():
        flag = "-o" if key == "output" else "--" + key.replace("_", "-")
        if value is None or value is False:
            continue
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        if value is True:
            out.append(flag)
        elif key in _MANY:
            out += [flag, *map(str, values)]
        else:
            for each in values:
                out += [flag, str(each)]
    return out


def _tool(name: str, positional: list[Any], options: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        result = os.path.join(folder, "result.json")
        command = [program(name), *map(str, positional), *_arguments(options), f"--json={result}", "--quiet"]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
        if done.returncode == 5:
            raise IntegrityError(done.stderr.strip())
        if done.returncode != 0 and done.returncode not in (_VERDICTS if name == "vlm-eval" else ()):
            raise ToolError(done.stderr.strip() or f"{name} ended with exit code {done.returncode}", done.returncode)
        with open(result, encoding="utf-8") as file:
            return json.load(file)


def calibrate(model: str | os.PathLike[str], output: str | os.PathLike[str], **options: Any) -> dict[str, Any]:
    """vlm-calibrate: measures activations on your own data into a statistics file."""
    return _tool("vlm-calibrate", [model], {"output": output, **options})


def quantize(model: str | os.PathLike[str], output: str | os.PathLike[str], **options: Any) -> dict[str, Any]:
    """vlm-quantize: one packed INT8 file; `calib` names the statistics."""
    return _tool("vlm-quantize", [model], {"output": output, **options})


def evaluate(reference: str | os.PathLike[str], candidate: str | os.PathLike[str], **options: Any) -> dict[str, Any]:
    """vlm-eval: scores and verdict. A refused budget is a result (`verdict`), no exception."""
    return _tool("vlm-eval", [reference, candidate], options)


def inspect(file: str | os.PathLike[str], **options: Any) -> dict[str, Any]:
    """vlm-inspect: what a model, a statistics file or a packed file holds."""
    return _tool("vlm-inspect", [file], options)
