"""`toolkit data make toolkit/hopper-medium`: datasets of any size from the stored policies."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from toolkit.behaviours.collecting import Collector, Columns
from toolkit.behaviours.policies import Behaviour, load_behaviour, stages
from toolkit.data.tasks import QUALITIES
from toolkit.drafts import draft_of
from toolkit.envs.batched import Physics
from toolkit.envs.robots import ROBOTS, Robot
from toolkit.errors import UserError, check_seed
from toolkit.registry import suggest
from toolkit.training.passport import installed_version

PREFIX = "toolkit/"
BLOCK_ROWS = 4096
_SPARE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Recipe:
    """What a dataset is made of: equal parts, one after another, each by one policy.

    A part without a behaviour acts uniformly in [−1, 1].
    """

    robot: Robot
    quality: str
    parts: tuple[Behaviour | None, ...]

    @property
    def name(self) -> str:
        """Such as `toolkit/hopper-medium`."""
        return f"{PREFIX}{self.robot.name}-{self.quality}"


def make_names() -> list[str]:
    """Every name that `make_dataset` knows."""
    return [f"{PREFIX}{robot}-{quality}" for robot in ROBOTS for quality in QUALITIES]


def recipe(name: str) -> Recipe:
    """The recipe of a dataset's name.

    `medium-replay` goes through the stored stages of training up to medium, `full-replay` through
    all of them: snapshots of one run acting again, and not that run's own replay buffer.

    Raises:
        UserError: the name is unknown.
    """
    if name not in make_names():
        raise UserError(
            f"{name!r} is not a dataset that can be made; {suggest(name, make_names())}."
        )
    robot, _, quality = name.removeprefix(PREFIX).partition("-")
    return Recipe(ROBOTS[robot], quality, _parts(robot, quality))


def _parts(robot: str, quality: str) -> tuple[Behaviour | None, ...]:
    if quality == "random":
        return (None,)
    if quality == "medium-expert":
        chosen = ["medium", "expert"]
    elif quality.endswith("replay"):
        chosen = stages(robot)
        if quality == "medium-replay":
            chosen = chosen[: chosen.index("medium") + 1]
    else:
        chosen = [quality]
    return tuple(load_behaviour(f"{robot}-{stage}") for stage in chosen)


def make_dataset(
    name: str,
    out: str | Path,
    *,
    num_transitions: int,
    seed: int = 0,
    infos: bool = True,
    threads: int | None = None,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> Path:
    """Make a dataset and write it in D4RL's HDF5 layout; the path of the file.

    Rows are whole episodes in the order of their numbers. Episode e of a part starts and acts as
    the seed, the part and e decide, so a shorter dataset is the beginning of each part of a
    longer one. A part's last episode is cut where its share of the rows ends, and marked as a
    timeout. The same arguments give the same file content on one machine.

    Memory does not grow with `num_transitions`. The file appears under its name when it is
    complete. `infos` stores `infos/qpos`, `infos/qvel` (float64) and `infos/action_log_probs`.
    `on_rows` is told how many rows were written.

    Raises:
        UserError: the name is unknown, `num_transitions` is below one per part, the seed is
            negative, there is no thread, MuJoCo is missing, or the file cannot be written.
    """
    plan, path = recipe(name), Path(out)
    check_seed(seed)
    if threads is not None and threads < 1:
        raise UserError(f"`threads` must be at least 1, got {threads}.")
    shares = _shares(num_transitions, len(plan.parts))
    physics = Physics(plan.robot, threads=threads)
    try:
        _check_space(path, num_transitions * _row_bytes(physics, infos))
        with draft_of(path) as draft, h5py.File(draft, "w") as file:
            writer = _Writer(file, infos)
            for number, (part, share) in enumerate(zip(plan.parts, shares, strict=True)):
                for rows in _part_rows(physics, part, (seed, number), share):
                    writer.append(rows)
                    on_rows(len(rows["rewards"]))
            file.attrs.update(_attributes(plan, num_transitions, seed))
    finally:
        physics.close()
    return path


def _shares(num_transitions: int, parts: int) -> list[int]:
    if num_transitions < parts:
        raise UserError(
            f"`num_transitions` must be at least {parts}, one per part, got {num_transitions}."
        )
    return [num_transitions * (i + 1) // parts - num_transitions * i // parts for i in range(parts)]


def _part_rows(
    physics: Physics, part: Behaviour | None, seed: tuple[int, int], share: int
) -> Iterator[Columns]:
    """The rows of one part, some episodes at a time; the last row is a cut if nothing else."""
    left, pending = share, []
    for rows in Collector(physics, part, seed).episodes():
        taken = {key: column[:left] for key, column in rows.items()}
        left -= len(taken["rewards"])
        pending.append(taken)
        if left == 0:
            taken["timeouts"] = taken["timeouts"].copy()
            taken["timeouts"][-1] = not taken["terminals"][-1]
        if left == 0 or sum(len(p["rewards"]) for p in pending) >= BLOCK_ROWS:
            yield {key: np.concatenate([p[key] for p in pending]) for key in taken}
            pending = []
        if left == 0:
            return


class _Writer:
    """Datasets that grow, row block by row block."""

    def __init__(self, file: h5py.File, infos: bool):
        self.file, self.infos = file, infos

    def append(self, rows: Columns) -> None:
        for key, values in rows.items():
            if key.startswith("infos/") and not self.infos:
                continue
            if key not in self.file:
                self.file.create_dataset(
                    key, data=values, maxshape=(None, *values.shape[1:]),
                    chunks=(BLOCK_ROWS, *values.shape[1:]), compression="gzip", shuffle=True,
                )  # fmt: skip
                continue
            stored: Any = self.file[key]
            before = len(stored)
            stored.resize(before + len(values), axis=0)
            stored[before:] = values


def _check_space(path: Path, num_bytes: int) -> None:
    """Refuse before the work what could not be written after it, because HDF5 crashes then."""
    need = num_bytes + _SPARE_BYTES
    if not path.parent.is_dir():
        raise UserError(f"{path}: the folder {path.parent} does not exist.")
    free = shutil.disk_usage(path.parent).free
    if free < need:
        raise UserError(
            f"{path}: up to {need / 2**20:.0f} MiB are needed, but {free / 2**20:.0f} are free."
        )


def _row_bytes(physics: Physics, infos: bool) -> int:
    nq, nv, nu = physics.nq, physics.nv, physics.nu
    obs = nq - 1 + nv
    return 4 * (2 * obs + nu + 1) + 2 + infos * (8 * (nq + nv) + 4)


def _attributes(plan: Recipe, rows: int, seed: int) -> dict[str, str | int | float]:
    """What the file says of itself: never one of D4RL's own sets."""
    hashes = [part.sha256 if part else "uniform" for part in plan.parts]
    scores = [
        f"{part.stage}: {part.passport['normalized_score']:.1f}" if part else "uniform"
        for part in plan.parts
    ]
    return {
        "dataset": plan.name,
        "env": plan.robot.env_id,
        "env_id": plan.robot.env_id,
        "seed": seed,
        "num_transitions": rows,
        "policy": ", ".join(scores),
        "policy_sha256": ",".join(hashes),
        "mujoco": installed_version("mujoco") or "unknown",
        "gymnasium": installed_version("gymnasium") or "unknown",
        "toolkit": installed_version("koopman-toolkit") or "unknown",
        "origin": "made by the toolkit's own policies; not a D4RL dataset",
    }
