"""numpy arrays on one side, vlm_array on the other. Element types carry ONNX's numbers."""

from __future__ import annotations

import ctypes

import numpy as np

from . import _library
from ._library import lib
from .errors import UnsupportedError

_TYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
    12: np.uint32,
    13: np.uint64,
}
_NUMBERS = {np.dtype(kind): number for number, kind in _TYPES.items()}


def type_name(number: int) -> str | None:
    """"float32"; None when the model does not say."""
    name = lib.vlm_type_name(number) if number else None
    return name.decode() if name else None


def to_c(name: str, value: np.ndarray) -> tuple[_library.Array, np.ndarray]:
    """The struct, and the contiguous array that must live as long as it is used."""
    value = np.asarray(value)
    value = np.ascontiguousarray(value).reshape(value.shape)  # ascontiguousarray makes scalars one-dimensional
    number = _NUMBERS.get(value.dtype)
    if number is None:
        raise UnsupportedError(f"{name}: numpy type {value.dtype}; wanted one of {', '.join(map(str, _NUMBERS))}")
    if value.ndim > _library.ARRAY_RANK:
        raise UnsupportedError(f"{name}: {value.ndim} dims, at most {_library.ARRAY_RANK}")
    dims = (ctypes.c_int64 * _library.ARRAY_RANK)(*value.shape)
    array = _library.Array(
        name=name.encode(), type=number, rank=value.ndim, dims=dims, data=value.ctypes.data, bytes=value.nbytes
    )
    return array, value


def from_c(array: _library.Array) -> np.ndarray:
    """A copy: the library's own memory is reused by the next run."""
    kind = _TYPES.get(array.type)
    if kind is None:
        raise UnsupportedError(f"{(array.name or b'').decode()}: elements of type {type_name(array.type)}; numpy has none")
    shape = tuple(array.dims[: array.rank])
    out = np.empty(shape, kind)
    if out.nbytes:
        ctypes.memmove(out.ctypes.data, array.data, out.nbytes)
    return out
