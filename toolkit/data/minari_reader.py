"""Minari datasets, by id or from a local folder. Minari is an extra and is imported on use.

Minari's `mujoco/*` collections are new recordings, not D4RL v2: never mix them in one table.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.arrays import RawArrays, file_sha256
from toolkit.errors import UserError

_ID = re.compile(r"(?:[\w-]+/)*[\w-]+-v\d+")


def is_minari_id(name: str) -> bool:
    """Whether a name has the form `namespace/dataset-v0` of Minari's ids."""
    return "/" in name and _ID.fullmatch(name) is not None


def import_minari(wanted_for: str) -> Any:
    """The `minari` package.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module("minari")
    except ImportError:
        raise UserError(
            f"{wanted_for}: reading Minari datasets needs the extra, which "
            "`pip install 'koopman-toolkit[minari]'` installs."
        ) from None


def read_minari_id(name: str) -> RawArrays:
    """A Minari dataset that is already on this machine.

    Raises:
        UserError: Minari is not installed, or the dataset is not there.
    """
    minari = import_minari(name)
    try:
        dataset = minari.load_dataset(name)
    except (FileNotFoundError, ValueError):
        raise UserError(
            f"{name}: this Minari dataset is not on this machine; "
            f"`toolkit data fetch {name}` downloads it."
        ) from None
    return _collect(dataset)


def read_minari_folder(folder: Path) -> RawArrays:
    """A Minari dataset in a folder of the form `…/NAME-v0` that holds `data/`.

    Raises:
        UserError: Minari is not installed, or it cannot read the folder.
    """
    minari = import_minari(str(folder))
    try:
        return _collect(minari.MinariDataset(folder / "data"))
    except UserError:
        raise
    except Exception as error:  # Minari documents none
        raise UserError(
            f"{folder}: expected a Minari dataset, got one that Minari cannot read "
            f"({type(error).__name__})."
        ) from None


def _collect(dataset: Any) -> RawArrays:
    episodes = list(dataset.iterate_episodes())
    if not episodes:
        raise UserError(f"{dataset.spec.dataset_id}: expected episodes, got an empty dataset.")
    states = [_matrix(dataset, e.observations, len(e.rewards) + 1) for e in episodes]
    terminals = np.concatenate([np.asarray(e.terminations, bool) for e in episodes])
    last = np.cumsum([len(e.rewards) for e in episodes]) - 1
    cut = np.concatenate([np.asarray(e.truncations, bool) for e in episodes])
    cut[last] = True
    return RawArrays(
        observations=np.concatenate([s[:-1] for s in states]),
        next_observations=np.concatenate([s[1:] for s in states]),
        actions=np.concatenate([_matrix(dataset, e.actions, len(e.rewards)) for e in episodes]),
        rewards=np.concatenate([np.asarray(e.rewards, np.float32) for e in episodes]),
        terminals=terminals,
        timeouts=cut & ~terminals,
        name=str(dataset.spec.dataset_id),
        layout="Minari",
        sha256=_sha256(dataset),
        attributes={"env": getattr(dataset.spec.env_spec, "id", None)},
    )


def _matrix(dataset: Any, values: Any, rows: int) -> np.ndarray:
    """`(rows, dims)` float32; the parts of a dictionary side by side, in order of their names."""
    if isinstance(values, dict):
        parts = [_matrix(dataset, values[key], rows) for key in sorted(values)]
        return np.concatenate(parts, axis=1)
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" or array.shape[:1] != (rows,):
        raise UserError(
            f"{dataset.spec.dataset_id}: expected {rows} rows of numbers per episode, got "
            f"{array.dtype} values of shape {array.shape}."
        )
    return array.reshape(rows, -1).astype(np.float32)


def _sha256(dataset: Any) -> str | None:
    file = Path(dataset.storage.data_path) / "main_data.hdf5"
    return file_sha256(file) if file.exists() else None
