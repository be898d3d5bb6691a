"""Pickled `.npy` files through an unpickler that can build arrays and nothing else.

A pickle is a program. This one may call three names, which together rebuild a stored array:
`numpy.ndarray`, `numpy.dtype` and `_reconstruct` (under its old and its new module). The first
is replaced by a token that cannot be called, so that no pickle chooses how much is allocated.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from toolkit.errors import UserError


class _RefusedError(Exception):
    """A name that the pickle wanted and does not get."""


def _reconstruct(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """An empty array for the pickle to fill, as `numpy.ndarray.__reduce__` asks for."""
    if kind is not _ARRAY or shape != (0,) or code != b"b":
        raise _RefusedError("numpy's _reconstruct with unusual arguments")
    return np.ndarray((0,), "b")


_ARRAY = object()
_ADMITTED = {
    "numpy.ndarray": _ARRAY,
    "numpy.dtype": np.dtype,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray._reconstruct": _reconstruct,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        wanted = f"{module_name}.{global_name}"
        if wanted not in _ADMITTED:
            raise _RefusedError(wanted)
        return _ADMITTED[wanted]


def read_pickled_npy(path: Path) -> dict[str, np.ndarray]:
    """The dictionary of arrays inside a `.npy` file, without running anything that it asks for.

    Raises:
        UserError: the file asks for anything but arrays, is damaged, or holds something else.
    """
    with open(path, "rb") as file:
        _skip_header(path, file)
        try:
            content = _ArrayUnpickler(file).load()
        except _RefusedError as refused:
            raise UserError(
                f"{path}: the pickle may only rebuild NumPy arrays, but it asks for `{refused}`, "
                "so nothing was loaded."
            ) from None
        except (MemoryError, RecursionError):
            raise UserError(f"{path}: the pickle asks for more memory than there is.") from None
        except Exception as error:  # a damaged pickle can fail in every way a program can
            raise UserError(
                f"{path}: expected a complete pickle of arrays, got a damaged or truncated one "
                f"({type(error).__name__})."
            ) from None
    return _dictionary(path, content)


def _skip_header(path: Path, file: BinaryIO) -> None:
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read(file)
    except (ValueError, KeyError, EOFError):
        raise UserError(
            f"{path}: expected a whole `.npy` header, got a damaged or truncated one."
        ) from None
    if not dtype.hasobject:
        raise UserError(
            f"{path}: expected a dictionary of arrays as TSRL publishes it, got one bare array of "
            f"shape {shape} and type {dtype}."
        )


def _dictionary(path: Path, content: Any) -> dict[str, np.ndarray]:
    if isinstance(content, np.ndarray) and content.size == 1:
        content = content.reshape(-1)[0]
    entries = content if isinstance(content, dict) else {None: content}
    if not all(isinstance(k, str) and isinstance(v, np.ndarray) for k, v in entries.items()):
        raise UserError(
            f"{path}: expected a dictionary of arrays by name, got {type(content).__name__}."
        )
    return {str(key): array for key, array in entries.items()}
