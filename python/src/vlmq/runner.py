"""Models: opened, asked about pictures, run on arrays."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass, field
from typing import Callable, Mapping

import numpy as np

from . import _library, arrays
from ._library import lib
from .errors import InputError, UsageError, call

_ORDERS = {"RGB": (0, 3), "BGR": (1, 3), "RGBA": (2, 4), "BGRA": (3, 4), "GREY": (4, 1)}
_FINISH = ("none", "end", "length", "cancelled", "deadline")
_OUTLINES = ("box", "quad", "polygon")


class _Handle:
    """Something of the library's that is freed once: by close(), by `with`, or with the object."""

    _free: str

    def __init__(self) -> None:
        self._pointer = ctypes.c_void_p()

    def close(self) -> None:
        """Gives it back; more calls do nothing."""
        pointer, self._pointer = getattr(self, "_pointer", None), ctypes.c_void_p()
        if pointer:
            getattr(lib, self._free)(pointer)

    def _there(self) -> ctypes.c_void_p:
        if not self._pointer:
            raise UsageError(f"this {type(self).__name__} is closed")
        return self._pointer

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class Engine(_Handle):
    """Worker threads and kernels for this CPU, for any number of models. It computes for one call at a time."""

    _free = "vlm_engine_free"

    def __init__(self, threads: int = 0, cpu: str | None = None) -> None:
        """threads: 1 to 256, 0 = one per CPU. cpu: a level such as "avx2"; None = the best there is."""
        super().__init__()
        opts = _library.EngineOpts(threads=threads, cpu_level=cpu.encode() if cpu else None)
        call("vlm_engine_create", ctypes.byref(self._pointer), ctypes.byref(opts))

    @property
    def cpu(self) -> str:
        """The level in use, "avx512vnni"."""
        return lib.vlm_engine_cpu(self._there()).decode()

    @property
    def threads(self) -> int:
        """Threads in use, the calling one included."""
        return lib.vlm_engine_threads(self._there())


@dataclass(frozen=True)
class Port:
    """An input or output as the model declares it. A dim is a number, a name, or None for any size."""

    name: str
    type: str | None
    dims: tuple[int | str | None, ...] | None


@dataclass(frozen=True)
class Finding:
    """Something that a reply points at, in pixels of the picture."""

    label: str
    outline: str
    instance: int
    values: np.ndarray


@dataclass(frozen=True)
class Reply:
    """An answer. `finish` is "end", "length", "cancelled" or "deadline"; `timing` has milliseconds by stage.

    `ids` as generated: the last token of the start first, the end token last.
    """

    text: str
    ids: np.ndarray
    finish: str
    timing: dict[str, float]
    findings: list[Finding] = field(default_factory=list)


class Prepared(_Handle):
    """A picture as one model takes it; serves any number of prompts. It keeps its runner alive."""

    _free = "vlm_prepared_free"

    def __init__(self, runner: "Runner", pixels: np.ndarray, order: str) -> None:
        super().__init__()
        self._runner = runner
        picture, held = _picture(pixels, order)
        call("vlm_runner_prepare", ctypes.byref(self._pointer), runner._there(), ctypes.byref(picture))
        del held
        runner._pictures.append(self)

    def close(self) -> None:
        """Gives it back; the runner that made it does so too when it closes."""
        runner = getattr(self, "_runner", None)
        if runner is not None:
            runner._pictures = [other for other in runner._pictures if other is not self]
        super().close()

    @property
    def pixel_values(self) -> np.ndarray:
        """The tensor that the vision encoder gets."""
        array = _library.Array()
        call("vlm_prepared_array", self._there(), ctypes.byref(array))
        return arrays.from_c(array)

    @property
    def milliseconds(self) -> float:
        """What the preparation took."""
        return lib.vlm_prepared_ms(self._there())


def _picture(pixels: np.ndarray, order: str) -> tuple[_library.Picture, np.ndarray]:
    """pixels: uint8 [height, width, channels] or [height, width]; rows may have gaps."""
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8:
        raise InputError(f"pixels of type {pixels.dtype}; wanted uint8, 0 to 255")
    if order not in _ORDERS:
        raise UsageError(f'order "{order}"; wanted one of {", ".join(_ORDERS)}')
    if pixels.ndim == 2:
        pixels, order = pixels[:, :, None], "GREY"
    number, channels = _ORDERS[order]
    if pixels.ndim != 3 or pixels.shape[2] != channels:
        raise InputError(f"pixels of shape {pixels.shape}; {order} wants [height, width, {channels}]")
    if pixels.strides[2] != 1 or pixels.strides[1] != channels or pixels.strides[0] < channels * pixels.shape[1]:
        pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    stride = pixels.strides[0] if height > 1 else channels * width
    return _library.Picture(data=pixels.ctypes.data, width=width, height=height, order=number, stride=stride), pixels


class Runner(_Handle):
    """One model: a .vlmq file, an .onnx file or a folder of ONNX and JSON files."""

    _free = "vlm_runner_free"

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes,
        *,
        engine: Engine | None = None,
        threads: int = 0,
        cpu: str | None = None,
        name: str | None = None,
        low_memory: bool = False,
    ) -> None:
        """model: a path, or the bytes of a .vlmq or .onnx file. Without `engine` it gets one of its own."""
        super().__init__()
        self._pictures: list[Prepared] = []
        self.engine = engine if engine is not None else Engine(threads, cpu)
        opts = _library.OpenOpts(
            engine=self.engine._there(), name=name.encode() if name else None, low_memory=int(low_memory)
        )
        out = ctypes.byref(self._pointer)
        if isinstance(model, bytes):
            call("vlm_runner_open_memory", out, model, len(model), ctypes.byref(opts))
        else:
            call("vlm_runner_open", out, os.fsencode(model), ctypes.byref(opts))

    def close(self) -> None:
        """Gives back the model and the pictures that it prepared."""
        for picture in list(getattr(self, "_pictures", [])):
            picture.close()
        super().close()

    # ---- what it is ----

    def _info(self) -> _library.ModelInfo:
        info = _library.ModelInfo()
        call("vlm_runner_info", self._there(), ctypes.byref(info))
        return info

    @property
    def generates(self) -> bool:
        """True: pictures and prompts in, text out. False: a single graph."""
        return bool(self._info().generates)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(width, height) of what the preprocessing makes; None when it depends on the picture."""
        info = self._info()
        return (info.image_width, info.image_height) if info.image_width else None

    @property
    def graphs(self) -> list[str]:
        """Names of the graphs: "vision", "decoder_step", ... or "model"."""
        return [lib.vlm_runner_graph(self._there(), at).decode() for at in range(self._info().graphs)]

    @property
    def memory(self) -> dict[str, int]:
        """Bytes in memory on behalf of this model, as of its last run."""
        info = _library.MemoryInfo()
        call("vlm_runner_memory", self._there(), ctypes.byref(info))
        return _fields(info)

    def inputs(self, graph: str | None = None) -> list[Port]:
        """Inputs of a graph; the name may be left out where there is just one."""
        return self._ports(graph, 0)

    def outputs(self, graph: str | None = None) -> list[Port]:
        """Outputs of a graph."""
        return self._ports(graph, 1)

    def _ports(self, graph: str | None, side: int) -> list[Port]:
        wanted = graph.encode() if graph else None
        count = lib.vlm_runner_ports(self._there(), wanted, side)
        if count < 0:
            raise UsageError(f"graph {graph!r}; this model has {', '.join(self.graphs)}")
        ports = []
        for at in range(count):
            port = _library.Port()
            call("vlm_runner_port", self._there(), wanted, side, at, ctypes.byref(port))
            ports.append(Port(port.name.decode(), arrays.type_name(port.type), _dims(port)))
        return ports

    # ---- arrays ----

    def run(self, inputs: Mapping[str, np.ndarray], graph: str | None = None) -> dict[str, np.ndarray]:
        """Runs a graph; every input by its name, every output by its name."""
        wanted = graph.encode() if graph else None
        held = []
        for name, value in inputs.items():
            array, kept = arrays.to_c(name, value)
            held.append(kept)
            call("vlm_runner_set", self._there(), wanted, ctypes.byref(array))
        call("vlm_runner_run", self._there(), wanted)
        return {port.name: self._get(wanted, port.name) for port in self.outputs(graph)}

    def _get(self, graph: bytes | None, name: str) -> np.ndarray:
        array = _library.Array()
        call("vlm_runner_get", self._there(), graph, name.encode(), ctypes.byref(array))
        return arrays.from_c(array)

    # ---- pictures and prompts ----

    def prepare(self, pixels: np.ndarray, order: str = "RGB") -> Prepared:
        """Converts, resizes and normalises as the model states. pixels: uint8 [height, width, channels] or [height, width]."""
        return Prepared(self, pixels, order)

    def generate(
        self,
        picture: Prepared | np.ndarray,
        prompt: str | None = None,
        *,
        max_new_tokens: int = 0,
        beams: int = 0,
        deadline_ms: float = 0,
        on_token: Callable[[int, str], bool | None] | None = None,
    ) -> Reply:
        """Answers `prompt` (a task such as "<CAPTION>", or text; None = the model's default) about a picture.

        on_token(id, text) gets each token as it is chosen; True stops the answer there. Zero means the model's own.
        """
        prepared = picture if isinstance(picture, Prepared) else self.prepare(picture)
        listener = _Listener(on_token)
        opts = _library.GenerateOpts(
            max_new_tokens=max_new_tokens, beams=beams, deadline_ms=deadline_ms, on_token=listener.callback
        )
        reply = ctypes.c_void_p()
        text = prompt.encode() if prompt is not None else None
        call("vlm_runner_generate", ctypes.byref(reply), self._there(), prepared._there(), text, ctypes.byref(opts))
        try:
            listener.raise_again()
            return _reply(reply)
        finally:
            lib.vlm_reply_free(reply)

    def cancel(self) -> None:
        """Ends the answer under way; from any thread, and from on_token."""
        lib.vlm_runner_cancel(self._there())


class _Listener:
    """A Python function behind the C callback; what it raises comes out of generate()."""

    def __init__(self, on_token: Callable[[int, str], bool | None] | None) -> None:
        self._error: BaseException | None = None
        self.callback = _library.TOKEN_CALLBACK(0) if on_token is None else _library.TOKEN_CALLBACK(self._heard)
        self._on_token = on_token

    def _heard(self, _user: object, token: int, text: object, count: int) -> int:
        try:
            return int(bool(self._on_token(token, ctypes.string_at(text, count).decode("utf-8", "replace"))))
        except BaseException as error:  # no exception may pass through C
            self._error = error
            return 1

    def raise_again(self) -> None:
        if self._error is not None:
            raise self._error


def _reply(reply: ctypes.c_void_p) -> Reply:
    count = ctypes.c_size_t()
    ids = lib.vlm_reply_ids(reply, ctypes.byref(count))
    timing = _library.Timing()
    call("vlm_reply_timing", reply, ctypes.byref(timing))
    return Reply(
        text=lib.vlm_reply_text(reply).decode(),
        ids=np.array(ids[: count.value], np.int32),
        finish=_FINISH[lib.vlm_reply_finish(reply)],
        timing=_fields(timing),
        findings=[_finding(reply, at) for at in range(lib.vlm_reply_findings(reply))],
    )


def _finding(reply: ctypes.c_void_p, at: int) -> Finding:
    found = _library.Finding()
    call("vlm_reply_finding", reply, at, ctypes.byref(found))
    return Finding(found.label.decode(), _OUTLINES[found.outline], found.instance, np.array(found.values[: found.count]))


def _dims(port: _library.Port) -> tuple[int | str | None, ...] | None:
    if port.rank < 0:
        return None
    named = [port.dim_names[at].decode() if port.dim_names[at] else None for at in range(port.rank)]
    return tuple(dim if dim >= 0 else name for dim, name in zip(port.dims[: port.rank], named))


def _fields(struct: ctypes.Structure) -> dict:
    return {name: getattr(struct, name) for name, *_ in struct._fields_ if name != "size"}
