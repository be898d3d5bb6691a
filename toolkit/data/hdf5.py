"""D4RL's HDF5 layout: one dataset per array, rows first, attributes for what the file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from toolkit.data.arrays import OPTIONAL, REQUIRED
from toolkit.errors import UserError

VALID_NEXT = "infos/valid_next"
#: In compact files, the successors that are not the next row: which rows have one, and they.
OTHER_ROWS, OTHER_SUCCESSORS = "infos/other_successors/rows", "infos/other_successors/observations"


def read_hdf5(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by D4RL's keys, and those of the file's attributes that are text or numbers.

    Raises:
        UserError: the file is truncated or damaged, or its layout is another one.
    """
    try:
        with h5py.File(path, "r") as file:
            _check_layout(path, file)
            wanted = [key for key in (*REQUIRED, *OPTIONAL, VALID_NEXT) if key in file]
            arrays = {key: _read(path, file, key) for key in wanted}
            if OTHER_ROWS in file:
                others = (_read(path, file, key) for key in (OTHER_ROWS, OTHER_SUCCESSORS))
                arrays["next_observations"] = whole_successors(arrays["observations"], *others)
            attributes = {key: _plain(value) for key, value in file.attrs.items()}
            return arrays, {k: v for k, v in attributes.items() if isinstance(v, str | int | float)}
    except UserError:
        raise
    except (OSError, RuntimeError, LookupError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: expected a whole HDF5 file, got a truncated or damaged one "
            f"({_first_line(error)})."
        ) from None


def whole_successors(obs: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """`next_observations` of a compact file: the next row, but for the others."""
    successors = np.concatenate([obs[1:], obs[-1:]])
    successors[rows] = others
    return successors


def other_successors(obs: np.ndarray, successors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows whose successor is not, bit for bit, the next row, and these successors."""
    follows = np.concatenate([obs[1:], obs[-1:]]).tobytes(), successors.tobytes()
    here, there = (np.frombuffer(x, np.uint8).reshape(len(obs), -1) for x in follows)
    rows = np.flatnonzero((here != there).any(axis=1)).astype(np.int32)
    return rows, successors[rows]


def _check_layout(path: Path, file: h5py.File) -> None:
    missing = [f"`{key}`" for key in REQUIRED if key not in file]
    if missing:
        came = ", ".join(f"`{key}`" for key in list(file)[:8]) or "an empty file"
        raise UserError(
            f"{path}: expected D4RL's layout, but {', '.join(missing)} is missing among {came}."
        )


def _read(path: Path, file: h5py.File, key: str) -> np.ndarray:
    stored = file[key]
    if not isinstance(stored, h5py.Dataset):
        raise UserError(f"{path}: `{key}` must be an array, got a group.")
    if stored.dtype.kind not in "fiub":
        raise UserError(f"{path}: `{key}` must hold numbers, got {stored.dtype} values.")
    return np.asarray(stored[()])


def _plain(value: Any) -> Any:
    """An attribute without NumPy or bytes around it."""
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
