"""Are shifted transitions transitions? Augmentations held against the simulator, size by size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from toolkit.agents.augmentation import AbstractAugmentation, CommonNoise, StateNoise
from toolkit.agents.symmetry import SymmetryShift
from toolkit.data.normaliser import Normaliser
from toolkit.data.samplers import Transitions
from toolkit.envs.robots import Robot
from toolkit.evaluation.augmented import Errors, augmented, distances, true_next_obs
from toolkit.evaluation.intervals import bootstrap_interval
from toolkit.symmetry import AbstractKoopmanCore
from toolkit.types import Key, Scalar


@dataclass(frozen=True)
class Verdict:
    """How far shifted transitions are from what the simulator does, as means over transitions.

    All are root mean squares over coordinates, in standard deviations of the data. `low` and
    `high` bound `error` at 95 %. `translated_error` is that of the same shifted state with the
    recorded next state moved as far and in the same direction, which knows nothing of the dynamics;
    `wins` is the share of transitions whose error is below that one. `predicted_error` is that of
    the model's own prediction from the shifted state, not a number where no model is at work.
    Of common noise, which is moving along, `wins` tells nothing but how sums were rounded.
    """

    displacement: float
    error: float
    low: float
    high: float
    translated_error: float
    wins: float
    predicted_error: float


def judge(
    augmentation: AbstractAugmentation,
    batch: Transitions,
    robot: Robot | str,
    normaliser: Normaliser,
    *,
    model: AbstractKoopmanCore | None = None,
    key: Key,
) -> Verdict:
    """Shift recorded transitions, put the simulator into the shifted states, and compare.

    Raises:
        UserError: the robot is unknown, a shape is not its own, or MuJoCo is not installed.
    """
    made, _ = augmented(augmentation, batch, key)
    truth = true_next_obs(robot, normaliser, made)
    error, translated = errors_of(batch, made, truth)
    predicted = np.nan
    if model is not None:
        predicted = float(distances(_predicted(model, made), truth).mean())
    low, high = bootstrap_interval(error[:, None], lambda scores: float(scores.mean()))
    return Verdict(
        float(distances(made.obs, batch.obs).mean()), float(error.mean()), low, high,
        float(translated.mean()), float(np.mean(error < translated)), predicted,
    )  # fmt: skip


def errors_of(
    batch: Transitions, made: Transitions, truth: Float[np.ndarray, "rows obs"]
) -> tuple[Errors, Errors]:
    """Errors of the shifted next states, and of the recorded ones moved along with their states."""
    moved = np.asarray(made.obs) - np.asarray(batch.obs)
    along = np.asarray(batch.next_obs) + moved
    return distances(made.next_obs, truth), distances(along, truth)


@eqx.filter_jit
def _predicted(model: AbstractKoopmanCore, batch: Transitions) -> Float[Array, "batch obs"]:
    return jax.vmap(model.predict)(batch.obs, batch.action)


def model_error(model: AbstractKoopmanCore, batch: Transitions) -> float:
    """The model's own error over one step from recorded states, in the units of `Verdict`."""
    return float(distances(_predicted(model, batch), batch.next_obs).mean())


def augmentations(
    bilinear: AbstractKoopmanCore, core: AbstractKoopmanCore, size: float | Scalar
) -> dict[str, tuple[AbstractAugmentation, AbstractKoopmanCore | None]]:
    """Every augmentation that is compared, by name, at a size, and the model at work in it."""
    found: dict[str, tuple[AbstractAugmentation, AbstractKoopmanCore | None]] = {
        "noise": (StateNoise(size), None),
        "common noise": (CommonNoise(size), None),
    }
    for name in bilinear.symmetries:
        found[name] = SymmetryShift(bilinear, name, size), bilinear
    found["eigenspace, no gauge"] = (
        SymmetryShift(bilinear, "eigenspace", size, gauge=False), bilinear,
    )  # fmt: skip
    found["spectral"] = SymmetryShift(core, "spectral", size), core
    found["spectral, random"] = SymmetryShift(core, "random", size), core
    return found


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """The numbers of a verdict, short enough for a table; None where there is none."""
    return {
        name: None if np.isnan(value) else float(f"{value:.5g}")
        for name, value in asdict(verdict).items()
    }
