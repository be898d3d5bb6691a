"""The simulator as a predictor: put into observed states, and driven by given actions."""

from __future__ import annotations

import numpy as np

from toolkit.envs.batched import Physics
from toolkit.envs.poses import robot_of
from toolkit.envs.robots import Robot
from toolkit.errors import UserError


def replay(
    robot: Robot | str, obs: np.ndarray, actions: np.ndarray, *, threads: int | None = None
) -> np.ndarray:
    """Observations `(windows, time + 1, obs)` that MuJoCo gives from the starts on.

    An observation is taken for the whole state. It is not, where an observed velocity was clipped:
    from such a start even the simulator goes astray. How far the robot has come is set to 0.

    Shapes: `obs (windows, obs)`, `actions (time, windows, action)`.
    Raises:
        UserError: the robot is unknown, a shape is not its own, or MuJoCo is not installed.
    """
    robot = robot_of(robot)
    obs, actions = np.asarray(obs, float), np.asarray(actions, float)
    physics = Physics(robot, threads=threads)
    try:
        wanted = (physics.nq - 1 + physics.nv, physics.nu)
        if obs.ndim != 2 or actions.ndim != 3 or (obs.shape[1], actions.shape[2]) != wanted:
            raise UserError(
                f"`obs` and `actions` of {robot.name} must be (windows, {wanted[0]}) and (time, "
                f"windows, {wanted[1]}), got {obs.shape} and {actions.shape}."
            )
        if actions.shape[1] != len(obs):
            raise UserError(f"`actions` must be of {len(obs)} windows, got {actions.shape[1]}.")
        split = physics.nq - 1
        qpos = np.concatenate([np.zeros((len(obs), 1)), obs[:, :split]], axis=1)
        qvel, states = obs[:, split:], [obs]
        for action in actions:
            qpos, qvel = physics.step(qpos, qvel, action)
            states.append(robot.observe(qpos, qvel))
    finally:
        physics.close()
    return np.stack(states, axis=1)
