"""vlmq: runs, calibrates and evaluates quantized vision-language models.

    import vlmq
    with vlmq.Runner("captioner.vlmq") as model:
        print(model.generate(pixels, "<CAPTION>").text)
"""

from ._library import lib as _lib
from .errors import (
    InputError,
    IntegrityError,
    LimitError,
    OutOfMemory,
    SystemRefused,
    UnsupportedError,
    UsageError,
    VlmqError,
)
from .runner import Engine, Finding, Port, Prepared, Reply, Runner
from .tools import ToolError, calibrate, evaluate, inspect, quantize

__version__: str = _lib.vlm_version().decode()

__all__ = [
    "Engine",
    "Finding",
    "InputError",
    "IntegrityError",
    "LimitError",
    "OutOfMemory",
    "Port",
    "Prepared",
    "Reply",
    "Runner",
    "SystemRefused",
    "ToolError",
    "UnsupportedError",
    "UsageError",
    "VlmqError",
    "calibrate",
    "evaluate",
    "inspect",
    "quantize",
]
