"""Failures as exceptions: one class per cause, all of them VlmqError."""

from __future__ import annotations

from . import _library
from ._library import lib


class VlmqError(Exception):
    """A failure of the library. `status` is its name ("INPUT"), the text says what, what was wanted and what to do."""

    status = "INTERNAL"


class UsageError(VlmqError, ValueError):
    """An argument that cannot be right."""

    status = "USAGE"


class InputError(VlmqError, ValueError):
    """A file, picture or array that is not what it should be."""

    status = "INPUT"


class UnsupportedError(VlmqError):
    """Valid, but more than this library can do."""

    status = "UNSUPPORTED"


class SystemRefused(VlmqError, OSError):
    """Input or output failed."""

    status = "IO"


class LimitError(VlmqError):
    """More than an option allows."""

    status = "LIMIT"


class IntegrityError(VlmqError):
    """A packed file that is truncated or altered."""

    status = "INTEGRITY"


class OutOfMemory(VlmqError, MemoryError):
    """Memory ran out."""

    status = "MEMORY"


_BY_STATUS = {
    kind.status: kind
    for kind in (UsageError, InputError, UnsupportedError, SystemRefused, LimitError, IntegrityError, OutOfMemory)
}


def call(name: str, *arguments: object) -> None:
    """Calls a function that returns a status; raises what it reports."""
    error = _library.Error()
    status = getattr(lib, name)(*arguments, error)
    if status != 0:
        raise _BY_STATUS.get(lib.vlm_status_name(status).decode(), VlmqError)(error.text.decode())
