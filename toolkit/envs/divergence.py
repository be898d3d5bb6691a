"""How far a predicted robot is from the true one, and when one first sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toolkit.envs.poses import Poses, body_points, poses_of
from toolkit.envs.robots import Robot
from toolkit.errors import UserError

THRESHOLD = 0.05  # m: about the radius of a limb, so its outline no longer covers itself


@dataclass(frozen=True)
class Divergence:
    """The distance between two moving bodies, and the first state at which it is visible.

    Where nothing finite was predicted the distance is NaN, and that counts as visible. `clipped`
    says where the predicted state was no possible one and is drawn at the robot's limits.

    Shapes: `distance (time,)` with the start state as its first, `clipped (time,)` booleans.
    Units:  `distance` and `threshold` in metres, `dt` in seconds.
    Raises:
        UserError: a shape is wrong, a distance is negative, or a scale is not positive.
    """

    distance: np.ndarray
    threshold: float = THRESHOLD
    dt: float = 1.0
    clipped: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))  # by default, nowhere

    def __post_init__(self):
        distance = np.array(self.distance, float)
        distance[~np.isfinite(distance)] = np.nan
        if distance.ndim != 1 or not distance.size or (distance < 0).any():
            raise UserError(
                f"`distance` must be (time,) and not negative, got the shape {distance.shape}."
            )
        clipped = np.asarray(self.clipped, bool)
        clipped = clipped if clipped.size else np.zeros(len(distance), bool)
        if clipped.shape != distance.shape:
            raise UserError(
                f"`clipped` must be {distance.shape} like `distance`, got {clipped.shape}."
            )
        for name in ("threshold", "dt"):
            if not 0 < getattr(self, name) < np.inf:
                raise UserError(f"`{name}` must be positive, got {getattr(self, name)}.")
        object.__setattr__(self, "distance", distance)
        object.__setattr__(self, "clipped", clipped)

    @property
    def step(self) -> int | None:
        """The first step, counted from the start state, that is visibly elsewhere; or None."""
        return _first(~(self.distance <= self.threshold))

    @property
    def odd(self) -> np.ndarray:
        """Where the prediction could not be drawn as it is: `(time,)` booleans."""
        return self.clipped | self.missing

    @property
    def missing(self) -> np.ndarray:
        """Where nothing finite was predicted: `(time,)` booleans."""
        return np.isnan(self.distance)

    def seconds(self, step: int) -> float:
        """The time of a step since the start."""
        return step * self.dt

    def marker(self) -> str:
        """The first visible divergence in words."""
        if self.step is None:
            return f"no visible divergence: never more than {self.threshold:g} m apart"
        return f"first visible divergence: {self.when(self.step)}"

    def when(self, step: int) -> str:
        """A step with its time, `step 12, 0.096 s`."""
        return f"step {step}, {self.seconds(step):.3f} s"

    def warning(self) -> str:
        """What of the prediction could not be drawn as it is; empty where all could."""
        parts = []
        if (step := _first(self.clipped)) is not None:
            parts.append(
                f"from {self.when(step)} the prediction holds states that no such robot can "
                "take, drawn at its limits (shaded)"
            )
        if (step := _first(self.missing)) is not None:
            parts.append(
                f"from {self.when(step)} it holds states that are not finite, "
                "drawn as the last one that was (shaded)"
            )
        return (text := "; ".join(parts))[:1].upper() + text[1:] + "." * bool(text)


def first_divergence(
    true_obs: Any,
    predicted_obs: Any,
    robot: Robot | str,
    threshold: float = THRESHOLD,
    *,
    dt: float | None = None,
) -> Divergence:
    """The largest distance between corresponding points of two bodies, state by state.

    Points are those of `body_points`, so a difference in how far the robots have come does not
    count. Predicted states may be anything: what is impossible is measured as it is drawn.

    Shapes: observations `(time, obs)`, both; `dt` as for `poses_of`.
    Raises:
        UserError: the shapes differ or are not the robot's, a true state is not finite, or the
            threshold is not positive.
    """
    true = poses_of(robot, true_obs, dt=dt, name="true_obs")
    predicted = poses_of(robot, predicted_obs, dt=dt, name="predicted_obs")
    return divergence_of(true, predicted, threshold)


def divergence_of(true: Poses, predicted: Poses, threshold: float = THRESHOLD) -> Divergence:
    """As `first_divergence`, of poses that are known already."""
    if true.missing.any():
        raise UserError(
            f"`true_obs` must be finite, got {int(true.missing.sum())} of {len(true.qpos)} states "
            "that are not."
        )
    if true.qpos.shape != predicted.qpos.shape:
        raise UserError(
            f"`predicted_obs` must hold {len(true.qpos)} states like `true_obs`, got "
            f"{len(predicted.qpos)}."
        )
    ends = [body_points(poses.robot, poses.qpos) for poses in (true, predicted)]
    distance = np.linalg.norm(ends[1] - ends[0], axis=2).max(axis=1)
    distance[predicted.missing] = np.nan
    return Divergence(distance, threshold, true.dt, predicted.clipped)


def _first(where: np.ndarray) -> int | None:
    return int(where.argmax()) if where.any() else None
