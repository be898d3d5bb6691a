"""What a benchmark's name promises: dimensions, time step, episode limit, size, returns."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.data.dataset import Source


@dataclass(frozen=True)
class Family:
    """One environment of the benchmark. `dt` in seconds between rows; `env` is Gymnasium's id.

    Normalised scores run from 0 at `random_return` to 100 at `expert_return`.
    """

    obs_dim: int
    action_dim: int
    max_episode_steps: int = 1000
    _: KW_ONLY
    random_return: float
    expert_return: float
    env: str | None = None
    dt: float | None = None
    falls: bool = False  # whether an episode can end in a true terminal


FAMILIES = {
    "hopper": Family(
        11, 3, env="Hopper-v4", dt=0.008, falls=True,
        random_return=-20.272305, expert_return=3234.3,
    ),
    "walker2d": Family(
        17, 6, env="Walker2d-v4", dt=0.008, falls=True,
        random_return=1.629008, expert_return=4592.3,
    ),
    "halfcheetah": Family(
        17, 6, env="HalfCheetah-v4", dt=0.05, random_return=-280.178953, expert_return=12135.0
    ),
    "ant": Family(111, 8, dt=0.05, falls=True, random_return=-325.6, expert_return=3879.7),
    "antmaze": Family(29, 8, random_return=0.0, expert_return=1.0),
    "pen": Family(45, 24, 100, random_return=96.262799, expert_return=3076.8331017826877),
    "hammer": Family(46, 26, 200, random_return=-274.856578, expert_return=12794.134825156867),
    "door": Family(39, 28, 200, random_return=-56.512833, expert_return=2880.5693087298737),
    "relocate": Family(39, 30, 200, random_return=-6.425911, expert_return=4233.877797728884),
    "kitchen": Family(60, 9, 280, random_return=0.0, expert_return=4.0),
}  # fmt: skip
"""Dimensions, limits and reference returns of arXiv:2004.07219's environments."""

QUALITIES = ("random", "medium", "expert", "medium-expert", "medium-replay", "full-replay")
"""What acted in a set of the MuJoCo robots, D4RL's or the toolkit's own."""

_ROWS = {
    ("hopper", "medium"): 999_906,
    ("walker2d", "medium"): 999_995,
    ("halfcheetah", "medium"): 1_000_000,
    ("hopper", "medium-replay"): 402_000,
    ("walker2d", "medium-replay"): 302_000,
    ("halfcheetah", "medium-replay"): 202_000,
}
_MUJOCO = ("hopper", "walker2d", "halfcheetah", "ant")
_LONGEST_FIRST = sorted(QUALITIES, key=len, reverse=True)  # `medium-replay` is not `medium`
_MUJOCO_NAME = re.compile(
    rf"({'|'.join(_MUJOCO)})-({'|'.join(_LONGEST_FIRST)})(?:-v(\d+))?(?=$|[.-])"
)
_OTHER = "|".join(family for family in FAMILIES if family not in _MUJOCO)
_OTHER_NAME = re.compile(rf"({_OTHER})-([a-z-]+?)(?:-v(\d+)(?=$|[.-])|(?=$|\.))")


@dataclass(frozen=True)
class Task:
    """A benchmark name taken apart: `hopper-medium-replay-v2` and its like."""

    family: str
    quality: str
    version: int | None

    @property
    def name(self) -> str:
        """The canonical spelling."""
        stem = f"{self.family}-{self.quality}"
        return stem if self.version is None else f"{stem}-v{self.version}"

    @property
    def facts(self) -> Family:
        """Dimensions, time step and limits of the environment."""
        return FAMILIES[self.family]

    @property
    def max_episode_steps(self) -> int:
        """Rows after which the environment cuts an episode off."""
        return 700 if self.name.startswith("antmaze-umaze") else self.facts.max_episode_steps

    @property
    def num_rows(self) -> int | None:
        """Rows of the published full set: exact where `has_exact_rows`, else good to 1 %."""
        if self.family not in _MUJOCO or self.version is None:
            return None
        if self.quality == "medium-expert":
            return 2_000_000
        if self.version != 2:
            return None
        exact = _ROWS.get((self.family, self.quality))
        return exact if exact or self.quality == "medium-replay" else 1_000_000

    @property
    def has_exact_rows(self) -> bool:
        """Whether the published number of rows is known to the last."""
        return (self.family, self.quality) in _ROWS


def family_of_env(env_id: str) -> Family | None:
    """The benchmark's environment that a Gymnasium id is a version of: `Hopper-v5` is hopper."""
    return FAMILIES.get(env_id.split("/")[-1].rsplit("-v", 1)[0].lower())


def family_name(source: Source) -> str | None:
    """The benchmark's environment that a dataset was recorded in: by its environment's id, else
    by its own name. The Adroit hand's tasks are known by Gymnasium-Robotics' ids too, which
    Minari's datasets have: `AdroitHandPen-v1` is pen.
    """
    stem = (source.env or "").split("/")[-1].rsplit("-v", 1)[0].lower().removeprefix("adroithand")
    task = parse_task(source.name.removeprefix("toolkit/"))
    return stem if stem in FAMILIES else (task.family if task else None)


def parse_task(name: str) -> Task | None:
    """The task that a name, a file name or a D4RL attribute speaks of, if it speaks of one.

    `hopper_medium_replay-v2.hdf5`, `hopper-medium-v2-ratio-100` and `antmaze-umaze-v0` are known.
    """
    text = Path(name).name.lower().replace("_", "-")
    found = _MUJOCO_NAME.match(text) or _OTHER_NAME.match(text)
    if not found:
        return None
    family, quality, version = found.groups()
    return Task(family, quality, int(version) if version else None)
