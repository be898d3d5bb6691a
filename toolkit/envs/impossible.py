"""Which states a robot cannot be in: joints beyond their limits, limbs in the floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from toolkit.envs.poses import robot_of
from toolkit.envs.requirements import import_mujoco
from toolkit.envs.robots import Robot
from toolkit.errors import UserError

DEEPER = 0.01  # m further into the floor, or into another limb, than any recorded state
FURTHER = 0.05  # rad further beyond a joint's limit than any recorded state


@dataclass(frozen=True)
class Strain:
    """What a body in some states does that a body should not.

    Joints and contacts are soft in MuJoCo, so that recorded states have a little of both too.

    Shapes: `(states,)` each.
    Units:  `depth` in metres, how deep limbs overlap the floor or each other; `excess` in radians,
        how far the worst joint is beyond its limit; both 0 where they do not. `fallen` says where
        an episode would be over.
    """

    depth: Float[np.ndarray, " states"]
    excess: Float[np.ndarray, " states"]
    fallen: Bool[np.ndarray, " states"]


def strain(robot: Robot | str, obs: Float[np.ndarray, "states obs"]) -> Strain:
    """The strain of each observed state, by MuJoCo's kinematics and collisions.

    A state that is not finite is as strained as can be.

    Raises:
        UserError: the robot is unknown, a shape is not its own, or MuJoCo is not installed.
    """
    robot = robot_of(robot)
    mujoco, model = import_mujoco(), robot.model()
    data, split = mujoco.MjData(model), model.nq - 1
    obs = np.asarray(obs, float)
    if obs.ndim != 2 or obs.shape[1] != split + model.nv:
        raise UserError(
            f"`obs` of {robot.name} must be (states, {split + model.nv}), got {obs.shape}."
        )
    finite = np.isfinite(obs).all(axis=1)
    qpos = np.concatenate([np.zeros((len(obs), 1)), obs[:, :split]], axis=1)
    depth = np.array(
        [_depth(mujoco, model, data, row) for row in np.where(finite[:, None], qpos, 0)]
    )
    limited = np.flatnonzero(model.jnt_limited)
    angles = qpos[:, model.jnt_qposadr[limited]]
    low, high = model.jnt_range[limited].T
    excess = np.maximum(0.0, np.maximum(low - angles, angles - high)).max(axis=1)
    fallen = robot.fallen(qpos, obs[:, split:])
    return Strain(
        np.where(finite, depth, np.inf), np.where(finite, excess, np.inf), fallen | ~finite
    )


def _depth(mujoco: Any, model: Any, data: Any, qpos: np.ndarray) -> float:
    """How deep the deepest contact is, in metres."""
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    mujoco.mj_collision(model, data)
    return max(0.0, -float(np.min(data.contact.dist, initial=0.0)))


def impossible(found: Strain, recorded: Strain) -> list[str]:
    """Why each state cannot be, in a few words, or nothing where it can.

    A state cannot be if it is more strained than every recorded one, by more than `DEEPER` or
    `FURTHER`. A fall is possible, and no reason.
    """
    deepest, furthest = recorded.depth.max(), recorded.excess.max()

    def why(depth: float, excess: float) -> str:
        if not np.isfinite(depth + excess):
            return "not a number"
        reasons = []
        if depth > deepest + DEEPER:
            reasons.append(f"overlap of {100 * depth:.0f} cm")
        if excess > furthest + FURTHER:
            reasons.append(f"joint {np.degrees(excess):.0f}° off")
        return ", ".join(reasons)

    return [why(*pair) for pair in zip(found.depth, found.excess, strict=True)]
