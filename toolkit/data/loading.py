"""`load`: one call from a name or a file to a checked dataset."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.arrays import RawArrays
from toolkit.data.catalogue import cached_path, entries, find_entry, sample_path
from toolkit.data.dataset import Dataset, Source
from toolkit.data.minari_reader import is_minari_id, read_minari_id
from toolkit.data.reading import read_arrays
from toolkit.data.structure import infer_structure
from toolkit.data.tasks import FAMILIES
from toolkit.errors import UserError


def load(name_or_file: str | Path) -> Dataset:
    """A dataset from a file, a bundled or simulated name, a fetched name or a Minari id.

    Raises:
        UserError: the name is unknown, the file is not fetched or cannot be read, or its arrays
            have wrong shapes or are not finite.
    """
    name = str(name_or_file)
    if Path(name_or_file).exists():
        return to_dataset(read_arrays(name_or_file))
    entry = find_entry(name)
    if entry is None:
        if is_minari_id(name) and not name.startswith("toolkit/"):
            return to_dataset(read_minari_id(name))
        raise _unknown(name)
    if entry.kind == "simulated":
        from toolkit.data.simulation import simulate

        return simulate(name.removeprefix("toolkit/"))
    if entry.kind == "bundled":
        return to_dataset(replace(read_arrays(sample_path(name)), name=name))
    if entry.kind == "made":
        raise UserError(
            f"{name}: this dataset does not come with the package; `toolkit data make {name} "
            "--out FILE` makes it."
        )
    path = cached_path(entry)
    if not path.exists():
        raise UserError(
            f"{name}: this published dataset is not on this machine; `toolkit data fetch {name}` "
            f"downloads it to {path.parent}."
        )
    return to_dataset(replace(read_arrays(path), name=entry.name))


def to_dataset(raw: RawArrays) -> Dataset:
    """Check raw arrays, infer what their file leaves out, and move them to the device.

    Raises:
        UserError: a shape is wrong or a row is not finite; the message names the file.
    """
    try:
        check_rows(raw)
        structure = infer_structure(raw)
        return Dataset.from_arrays(
            raw.observations,
            raw.actions,
            raw.rewards,
            raw.next_observations,
            terminal=structure.terminal,
            timeout=structure.timeout,
            valid_next=structure.valid_next,
            source=describe(raw),
        )
    except UserError as error:
        raise UserError(f"{raw.path or raw.name}: {error}") from None


def check_rows(raw: RawArrays) -> None:
    """Refuse arrays whose rows do not match, before anything is inferred from them.

    Raises:
        UserError: an array has no rows, another number of rows, or a wrong number of axes.
    """
    obs = raw.observations
    if obs.ndim != 2 or 0 in obs.shape:
        raise UserError(f"`observations` must be a non-empty (rows, dims) array, got {obs.shape}.")
    for key, array in raw.stored.items():
        if array.shape[:1] != obs.shape[:1]:
            raise UserError(
                f"`{key}` must have {len(obs)} rows like `observations`, got {array.shape}."
            )
    successor = raw.next_observations
    if successor is not None and successor.shape != obs.shape:
        raise UserError(
            f"`next_observations` must have the shape of `observations` {obs.shape}, got "
            f"{successor.shape}."
        )
    columns = {key: raw.stored.get(key) for key in ("rewards", "terminals", "timeouts")}
    for key, column in (columns | {"valid_next": raw.valid_next}).items():
        if column is not None and column.size != len(obs):
            raise UserError(f"`{key}` must be one number per row, got {column.shape}.")


def describe(raw: RawArrays) -> Source:
    """Name, SHA-256, environment, seconds between rows and history, as far as they are known.

    The environment and its time step come from the file's own attributes, else from the task
    that the name speaks of, provided that the dimensions agree.
    """
    facts = raw.fitting_task.facts if raw.fitting_task else None
    env = raw.attributes.get("env") or (facts.env if facts else None)
    dt = raw.attributes.get("dt") or (facts.dt if facts else _dt_of_env(env))
    return Source(
        name=raw.name,
        sha256=raw.sha256,
        env=str(env) if env else None,
        dt=float(dt) if isinstance(dt, (int, float, np.number)) else None,
        history=tuple(_history(raw.attributes)),
    )


def _dt_of_env(env: Any) -> float | None:
    family = str(env).split("-")[0].lower()
    return FAMILIES[family].dt if family in FAMILIES else None


def _history(attributes: dict[str, Any]) -> list[str]:
    try:
        steps = json.loads(attributes.get("history", "[]"))
    except (TypeError, ValueError):
        return []
    return [str(step) for step in steps] if isinstance(steps, list) else []


def _unknown(name: str) -> UserError:
    names = [entry.name for entry in entries()]
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if name.endswith((".hdf5", ".h5", ".npy")) or name.startswith((".", "/", "~")):
        return UserError(f"{name}: expected a dataset file, but there is no such file.")
    hint = f"close names are {', '.join(close)}" if close else "`toolkit data list` shows all names"
    return UserError(f"{name}: neither a file nor a known dataset name; {hint}.")
