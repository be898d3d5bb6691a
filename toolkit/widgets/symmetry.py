"""The explorer of shifts along symmetries, shown as robots."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import plotly.graph_objects as go

from toolkit.data.normaliser import Normaliser
from toolkit.data.samplers import Transitions
from toolkit.envs.impossible import Strain, impossible, strain
from toolkit.envs.poses import poses_of, robot_of
from toolkit.envs.robots import Robot
from toolkit.errors import UserError
from toolkit.evaluation.augmented import augmented, distances, true_next_obs
from toolkit.evaluation.symmetry import augmentations, errors_of
from toolkit.figures.symmetry import shifted_robots_figure
from toolkit.symmetry import AbstractKoopmanCore
from toolkit.types import Key
from toolkit.widgets.controls import Choice, Slider
from toolkit.widgets.explore import explore
from toolkit.widgets.watch import draw_robots

SHOWN = 6
PIXELS = (170, 190)  # height and width of a picture
GHOST = 0.35  # how much of the recorded robot shows through


class Shifted(NamedTuple):
    """What became of a batch that was shifted.

    Shapes: `obs (rows, obs)`, raw; the others `(rows,)`. Units: standard deviations of the data
    for `moved`, `error` and `translated_error` (see `Verdict`); `reasons` as of `impossible`.
    """

    obs: np.ndarray
    moved: np.ndarray
    error: np.ndarray
    translated_error: np.ndarray
    reasons: list[str]

    @property
    def impossible(self) -> np.ndarray:
        """Which states no robot can be in: `(rows,)`."""
        return np.array([bool(reason) for reason in self.reasons])


class ShiftView:
    """Figure of robots in shifted states, over the ghosts of the recorded ones.

    Called with the name of an augmentation of `augmentations`, its size, and the first of the six
    transitions of `batch` (normalised) that are drawn. Every number is measured in MuJoCo: which
    states are impossible beside the strain of the recorded ones, and how far each s̃′ is from where
    the robot gets in one step from s̃. The same random numbers serve every size.

    Raises:
        UserError: the batch has fewer than six transitions, the robot is unknown, or MuJoCo is
            not installed.
    """

    def __init__(
        self,
        bilinear: AbstractKoopmanCore,
        core: AbstractKoopmanCore,
        batch: Transitions,
        *,
        robot: Robot | str,
        normaliser: Normaliser,
        key: Key,
        recorded: Strain | None = None,
        sticks: bool = False,
    ):
        if len(batch.reward) < SHOWN:
            raise UserError(f"`batch` must hold at least {SHOWN} rows, got {len(batch.reward)}.")
        self.robot, self.normaliser, self.batch, self.key = robot_of(robot), normaliser, batch, key
        self.models, self.sticks = (bilinear, core), sticks
        obs = np.asarray(normaliser.denormalise(batch.obs))
        self.recorded = strain(self.robot, obs) if recorded is None else recorded
        self._ghosts = self._pictures(obs)
        self.shifted = functools.lru_cache(maxsize=64)(self._shifted)

    @property
    def names(self) -> list[str]:
        """The augmentations that there are."""
        return list(augmentations(*self.models, 1.0))

    def _shifted(self, name: str, size: float) -> Shifted:
        augmentation, _ = augmentations(*self.models, jnp.asarray(size, jnp.float32))[name]
        made, _ = augmented(augmentation, self.batch, self.key)
        truth = true_next_obs(self.robot, self.normaliser, made)
        error, translated = errors_of(self.batch, made, truth)
        obs = np.asarray(self.normaliser.denormalise(made.obs))
        return Shifted(
            obs, distances(made.obs, self.batch.obs), error, translated,
            impossible(strain(self.robot, obs), self.recorded),
        )  # fmt: skip

    def _pictures(self, obs: np.ndarray) -> np.ndarray:
        """Each state as a picture, all at the same place of the floor."""
        qpos = poses_of(self.robot, obs).qpos
        qpos[:, 0] = 0.0
        (frames,), self.note = draw_robots(self.robot, [qpos], PIXELS, sticks=self.sticks)
        return frames

    def __call__(self, name: str, size: float, first: int = 0) -> go.Figure:
        found = self.shifted(name, size)
        rows = slice(first, first + SHOWN)
        ghosts = self._ghosts[rows].astype(float)
        frames = GHOST * ghosts + (1 - GHOST) * self._pictures(found.obs[rows])
        captions = [
            f"impossible: {reason}" if reason else f"off by {error:.3f} one step later"
            for reason, error in zip(found.reasons[rows], found.error[rows], strict=True)
        ]
        title = (
            f"{name}, size {size:.2g}: moved by {np.median(found.moved):.2g} standard deviations, "
            f"{np.mean(found.impossible):.0%} impossible<br><sup>one step later off by "
            f"{np.median(found.error):.3g} (median); with s′ just moved along as far, by "
            f"{np.median(found.translated_error):.3g}</sup>"
        )
        return shifted_robots_figure(
            frames.round().astype(np.uint8), captions, found.impossible[rows].tolist(), title=title
        )


def explore_shifts(
    bilinear: AbstractKoopmanCore,
    core: AbstractKoopmanCore,
    batch: Transitions,
    *,
    robot: Robot | str,
    normaliser: Normaliser,
    key: Key | None = None,
    name: str = "spectral",
    size: float = 0.1,
    **options: Any,
) -> Any:
    """Generator, size and rows above the robots that were shifted (see `ShiftView`).

    Without the widget packages, the first figure.
    """
    key = jr.key(0) if key is None else key
    view = ShiftView(bilinear, core, batch, robot=robot, normaliser=normaliser, key=key, **options)
    return explore(
        view,
        name=Choice(view.names, start=name, label="shift"),
        size=Slider(size, 0.001, 1.0, log=True, label="size ε"),
        first=Slider(0, 0, len(batch.reward) - SHOWN, SHOWN, label="from row"),
    )
