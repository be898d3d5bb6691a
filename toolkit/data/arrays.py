"""A dataset as its file stores it, before anything is checked or completed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.tasks import Task, parse_task

REQUIRED = ("observations", "actions", "rewards", "terminals")
OPTIONAL = ("next_observations", "timeouts")


@dataclass(frozen=True)
class RawArrays:
    """NumPy arrays under D4RL's names, exactly as stored: NaN, `[N, 1]` columns and all.

    `layout` says which reader made them; `attributes` holds what the file says about itself.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminals: np.ndarray
    next_observations: np.ndarray | None = None
    timeouts: np.ndarray | None = None
    valid_next: np.ndarray | None = None
    name: str = "arrays"
    layout: str = "arrays"
    path: Path | None = None
    sha256: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> Task | None:
        """The benchmark task that the name speaks of."""
        return parse_task(self.name)

    @property
    def fitting_task(self) -> Task | None:
        """That task, if the dimensions are its own; `pen-strokes.hdf5` may be anybody's."""
        task = self.task
        shapes = (*self.observations.shape[1:], *self.actions.shape[1:])
        return task if task and (task.facts.obs_dim, task.facts.action_dim) == shapes else None

    @property
    def stored(self) -> dict[str, np.ndarray]:
        """The arrays that are there, by D4RL's key."""
        every = {key: getattr(self, key) for key in (*REQUIRED, *OPTIONAL)}
        return {key: array for key, array in every.items() if array is not None}


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def arrays_sha256(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 of arrays that have no file: names, types, shapes and contents, in hexadecimal."""
    digest = hashlib.sha256()
    for key, array in sorted(arrays.items()):
        digest.update(f"{key} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
