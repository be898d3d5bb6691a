"""Writing D4RL's HDF5 layout so that a file is either whole or not there."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from toolkit.data.arrays import RawArrays
from toolkit.data.dataset import Dataset
from toolkit.data.hdf5 import OTHER_ROWS, OTHER_SUCCESSORS, VALID_NEXT, other_successors
from toolkit.drafts import draft_of

Attribute = str | int | float | bool


def write_d4rl(
    path: str | Path,
    dataset: Dataset | RawArrays,
    metadata: Mapping[str, Attribute] | None = None,
    *,
    compact: bool = False,
) -> Path:
    """Write D4RL's layout, gzip-compressed, and return the path.

    A dataset's source goes into the attributes `dataset`, `env`, `dt`, `history` and
    `source_sha256`, which `load` reads back; `metadata` is added to them. The file appears under
    its name only when it is complete.

    A compact file has, in place of `next_observations`, only those that are not the next row,
    under `infos/other_successors`: `load` puts them back exactly, other readers miss them.

    Raises:
        UserError: the folder is missing or read-only, or the disk is full.
    """
    path = Path(path)
    arrays, attributes = _from_dataset(dataset) if isinstance(dataset, Dataset) else _as_is(dataset)
    if compact and "next_observations" in arrays:
        successors = arrays.pop("next_observations")
        rows, others = other_successors(arrays["observations"], successors)
        arrays |= {OTHER_ROWS: rows, OTHER_SUCCESSORS: others}
    with draft_of(path) as draft:
        draft.write_bytes(_encode(arrays, {**attributes, **(metadata or {})}))
    return path


def _encode(arrays: Mapping[str, np.ndarray], attributes: Mapping[str, Attribute]) -> memoryview:
    """The whole file in memory, because a full disk would crash HDF5 and Python with it."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for key, array in arrays.items():
            file.create_dataset(key, data=array, compression="gzip", shuffle=True)
        file.attrs.update(attributes)
    return buffer.getbuffer()


def _from_dataset(dataset: Dataset) -> tuple[dict[str, np.ndarray], dict[str, Attribute]]:
    arrays = {
        "observations": dataset.observations,
        "actions": dataset.actions,
        "rewards": dataset.rewards,
        "next_observations": dataset.next_observations,
        "terminals": dataset.terminal,
        "timeouts": dataset.timeout,
        VALID_NEXT: dataset.valid_next,
    }
    source = dataset.source
    attributes = {
        "dataset": source.name,
        "env": source.env,
        "dt": source.dt,
        "source_sha256": source.sha256,
        "history": json.dumps(source.history),
    }
    known = {key: value for key, value in attributes.items() if value is not None}
    return {key: np.asarray(array) for key, array in arrays.items()}, known


def _as_is(raw: RawArrays) -> tuple[dict[str, np.ndarray], dict[str, Attribute]]:
    arrays = dict(raw.stored)
    if raw.valid_next is not None:
        arrays[VALID_NEXT] = raw.valid_next
    return arrays, {"dataset": raw.name, **raw.attributes}
