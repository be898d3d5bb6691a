"""Reading any supported file: the content decides which reader, never the name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.arrays import OPTIONAL, REQUIRED, RawArrays, file_sha256
from toolkit.data.catalogue import known_sha256, name_of_sha256
from toolkit.errors import UserError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_NPY = b"\x93NUMPY"


def read_arrays(path: str | Path) -> RawArrays:
    """The arrays of one file exactly as stored, NaN included, and what the file says of itself.

    Reads D4RL's HDF5 layout, the pickled `.npy` files published with arXiv:2306.04220, and a
    local Minari dataset (its folder or its HDF5 file).

    Raises:
        UserError: the file is missing, empty, truncated, of another kind or of another layout.
    """
    path = Path(path)
    start = _start_of(path)
    if path.is_dir() or (start == _HDF5 and _is_minari(path)):
        from toolkit.data.minari_reader import read_minari_folder

        return read_minari_folder(path if path.is_dir() else path.parent.parent)
    if start == _HDF5:
        return _read_d4rl(path)
    if start.startswith(_NPY):
        return _read_published(path)
    kind = "an HTML page" if start.lstrip()[:1] == b"<" else f"a file that starts with {start!r}"
    raise UserError(f"{path}: expected an HDF5 or `.npy` file, got {kind}.")


def _start_of(path: Path) -> bytes:
    """The first eight bytes of a file; nothing for the folder of a Minari dataset."""
    if not path.exists():
        raise UserError(f"{path}: expected a dataset file, but there is no such file.")
    if path.is_dir():
        if (path / "data" / "metadata.json").exists():
            return b""
        raise UserError(f"{path}: expected a dataset file, got a directory.")
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError as error:
        raise UserError(f"{path}: expected a readable file, got {error.strerror}.") from None
    if not start:
        raise UserError(f"{path}: expected a dataset, got an empty file.")
    return start


def _is_minari(path: Path) -> bool:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "episode_0" in file and (path.parent / "metadata.json").exists()
    except (OSError, RuntimeError):
        return False  # damaged: the HDF5 reader says so


def _read_d4rl(path: Path) -> RawArrays:
    from toolkit.data.hdf5 import VALID_NEXT, read_hdf5

    arrays, attributes = read_hdf5(path)
    kept: dict[str, Any] = {key: arrays[key] for key in arrays if key != VALID_NEXT}
    return RawArrays(
        **kept,
        valid_next=arrays.get(VALID_NEXT),
        name=_name(path, attributes),
        layout="D4RL HDF5",
        path=path,
        sha256=file_sha256(path),
        attributes=attributes,
    )


def _name(path: Path, attributes: dict[str, Any]) -> str:
    """What the file calls itself, unless its file name says the same and more (`…-10k`)."""
    own = str(attributes.get("dataset", path.stem))
    return path.stem if path.stem.startswith(own) else own


def _read_published(path: Path) -> RawArrays:
    from toolkit.data.pickled import read_pickled_npy

    sha256 = file_sha256(path)
    expected = known_sha256(path.name)
    if expected not in (None, sha256):
        raise UserError(
            f"{path}: the published file of this name has SHA-256 {expected}, got {sha256}, so it "
            "was not opened."
        )
    arrays = read_pickled_npy(path)
    missing = [f"`{key}`" for key in REQUIRED if key not in arrays]
    if missing:
        raise UserError(
            f"{path}: expected D4RL's keys, but {', '.join(missing)} is missing among "
            f"{', '.join(f'`{key}`' for key in arrays) or 'nothing'}."
        )
    kept: dict[str, Any] = {
        key: _numeric(path, key, arrays[key]) for key in (*REQUIRED, *OPTIONAL) if key in arrays
    }
    name = name_of_sha256(sha256) or path.stem
    return RawArrays(**kept, name=name, layout="pickled .npy", path=path, sha256=sha256)


def _numeric(path: Path, key: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiub":
        raise UserError(f"{path}: `{key}` must hold numbers, got {array.dtype} values.")
    return array
