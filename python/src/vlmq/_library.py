"""The C library: where it is, what its structs look like, and which functions it has. Mirrors include/vlmq/*.h."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import pathlib
from ctypes import POINTER, Structure, c_char, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

ABI_VERSION = 1
ARRAY_RANK = 12


class Error(Structure):
    _fields_ = [("status", c_int), ("text", c_char * 768)]


class Sized(Structure):
    """A struct that begins with its own size, as the *_init functions of the headers make it."""

    def __init__(self, **fields: object) -> None:
        super().__init__(size=ctypes.sizeof(type(self)), **fields)


class Array(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("name", c_char_p),
        ("type", c_int),
        ("rank", c_int32),
        ("dims", c_int64 * ARRAY_RANK),
        ("data", c_void_p),
        ("bytes", c_size_t),
    ]


class EngineOpts(Sized):
    _fields_ = [("size", c_size_t), ("threads", c_int32), ("cpu_level", c_char_p)]


class OpenOpts(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("engine", c_void_p),
        ("name", c_char_p),
        ("max_weight_bytes", c_uint64),
        ("trust_weights", c_int32),
        ("low_memory", c_int32),
    ]


class ModelInfo(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("source", c_char_p),
        ("generates", c_int32),
        ("graphs", c_int32),
        ("image_width", c_int32),
        ("image_height", c_int32),
    ]


class MemoryInfo(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("arena_bytes", c_uint64),
        ("heap_bytes", c_uint64),
        ("released_bytes", c_uint64),
        ("plans", c_int64),
    ]


class Picture(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("data", c_void_p),
        ("bytes", c_size_t),
        ("width", c_int32),
        ("height", c_int32),
        ("order", c_int),
        ("stride", c_int64),
    ]


class Yuv420(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("y", c_void_p),
        ("u", c_void_p),
        ("v", c_void_p),
        ("y_bytes", c_size_t),
        ("u_bytes", c_size_t),
        ("v_bytes", c_size_t),
        ("width", c_int32),
        ("height", c_int32),
        ("y_row", c_int32),
        ("u_row", c_int32),
        ("v_row", c_int32),
        ("y_pixel", c_int32),
        ("u_pixel", c_int32),
        ("v_pixel", c_int32),
        ("crop_left", c_int32),
        ("crop_top", c_int32),
        ("crop_width", c_int32),
        ("crop_height", c_int32),
        ("rotation", c_int32),
        ("mirror", c_int32),
        ("matrix", c_int),
        ("limited", c_int32),
    ]


class Port(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("name", c_char_p),
        ("type", c_int),
        ("rank", c_int32),
        ("dims", c_int64 * ARRAY_RANK),
        ("dim_names", c_char_p * ARRAY_RANK),
    ]


TOKEN_CALLBACK = ctypes.CFUNCTYPE(c_int, c_void_p, c_int32, POINTER(c_char), c_size_t)


class GenerateOpts(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("max_new_tokens", c_int64),
        ("beams", c_int64),
        ("deadline_ms", c_double),
        ("on_token", TOKEN_CALLBACK),
        ("user", c_void_p),
    ]


class Timing(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("vision_ms", c_double),
        ("embed_ms", c_double),
        ("encoder_ms", c_double),
        ("first_ms", c_double),
        ("steps_ms", c_double),
        ("first_token_ms", c_double),
        ("total_ms", c_double),
        ("steps", c_int64),
        ("image_tokens", c_int64),
        ("prompt_tokens", c_int64),
    ]


class Finding(Sized):
    _fields_ = [
        ("size", c_size_t),
        ("label", c_char_p),
        ("outline", c_int),
        ("instance", c_int32),
        ("count", c_size_t),
        ("values", POINTER(c_double)),
    ]


_HANDLE = POINTER(c_void_p)
_ERROR = POINTER(Error)

# name: (result, arguments); a result of c_int with _ERROR as last argument is a status.
FUNCTIONS = {
    "vlm_abi_version": (c_uint32, []),
    "vlm_version": (c_char_p, []),
    "vlm_type_name": (c_char_p, [c_int]),
    "vlm_status_name": (c_char_p, [c_int]),
    "vlm_status_text": (c_char_p, [c_int]),
    "vlm_engine_create": (c_int, [_HANDLE, POINTER(EngineOpts), _ERROR]),
    "vlm_engine_free": (None, [c_void_p]),
    "vlm_engine_cpu": (c_char_p, [c_void_p]),
    "vlm_engine_threads": (c_int32, [c_void_p]),
    "vlm_runner_open": (c_int, [_HANDLE, c_char_p, POINTER(OpenOpts), _ERROR]),
    "vlm_runner_open_memory": (c_int, [_HANDLE, c_char_p, c_size_t, POINTER(OpenOpts), _ERROR]),
    "vlm_runner_open_fd": (c_int, [_HANDLE, c_int, c_uint64, c_uint64, POINTER(OpenOpts), _ERROR]),
    "vlm_runner_free": (None, [c_void_p]),
    "vlm_runner_info": (c_int, [c_void_p, POINTER(ModelInfo), _ERROR]),
    "vlm_runner_memory": (c_int, [c_void_p, POINTER(MemoryInfo), _ERROR]),
    "vlm_runner_graph": (c_char_p, [c_void_p, c_int32]),
    "vlm_runner_ports": (c_int32, [c_void_p, c_char_p, c_int]),
    "vlm_runner_port": (c_int, [c_void_p, c_char_p, c_int, c_int32, POINTER(Port), _ERROR]),
    "vlm_runner_set": (c_int, [c_void_p, c_char_p, POINTER(Array), _ERROR]),
    "vlm_runner_run": (c_int, [c_void_p, c_char_p, _ERROR]),
    "vlm_runner_get": (c_int, [c_void_p, c_char_p, c_char_p, POINTER(Array), _ERROR]),
    "vlm_runner_prepare": (c_int, [_HANDLE, c_void_p, POINTER(Picture), _ERROR]),
    "vlm_image_from_yuv420": (c_int, [_HANDLE, c_void_p, POINTER(Yuv420), _ERROR]),
    "vlm_prepared_free": (None, [c_void_p]),
    "vlm_prepared_array": (c_int, [c_void_p, POINTER(Array), _ERROR]),
    "vlm_prepared_ms": (c_double, [c_void_p]),
    "vlm_runner_generate": (c_int, [_HANDLE, c_void_p, c_void_p, c_char_p, POINTER(GenerateOpts), _ERROR]),
    "vlm_runner_cancel": (c_int, [c_void_p]),
    "vlm_reply_free": (None, [c_void_p]),
    "vlm_reply_text": (c_char_p, [c_void_p]),
    "vlm_reply_ids": (POINTER(c_int32), [c_void_p, POINTER(c_size_t)]),
    "vlm_reply_finish": (c_int, [c_void_p]),
    "vlm_reply_timing": (c_int, [c_void_p, POINTER(Timing), _ERROR]),
    "vlm_reply_findings": (c_size_t, [c_void_p]),
    "vlm_reply_finding": (c_int, [c_void_p, c_size_t, POINTER(Finding), _ERROR]),
}


def _find() -> str:
    """VLMQ_LIBRARY, then the one in the package, then the system's."""
    chosen = os.environ.get("VLMQ_LIBRARY")
    packaged = pathlib.Path(__file__).parent / "lib" / "libvlmq.so"
    found = chosen or (str(packaged) if packaged.exists() else None) or ctypes.util.find_library("vlmq")
    if found is None:
        raise ImportError("libvlmq.so is not in the package and not installed; set VLMQ_LIBRARY to its path")
    return found


def _load() -> ctypes.CDLL:
    path = _find()
    try:
        lib = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"{path} cannot be loaded: {error}") from error
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    if lib.vlm_abi_version() != ABI_VERSION:
        raise ImportError(f"{path} has ABI version {lib.vlm_abi_version()}, this package needs {ABI_VERSION}")
    return lib


lib = _load()
