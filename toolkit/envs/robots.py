"""Hopper, Walker2d and HalfCheetah of Gymnasium (`-v4`) as functions of whole batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.envs.requirements import import_gymnasium, import_mujoco, quiet_mujoco


@dataclass(frozen=True)
class Robot:
    """One robot: its body, its reward and when it has fallen.

    Observations are joint positions without the horizontal one, then velocities. Rewards are
    forward velocity (m/s) plus 1 for robots that can fall, minus `control_cost`·|action|².
    """

    name: str
    env_id: str
    xml: str
    frame_skip: int
    control_cost: float
    reset_noise: float
    velocity_limit: float | None = None  # observed velocities are clipped to ± this
    height: tuple[float, float] | None = None  # open interval in which the torso stands, m
    angle: float | None = None  # torso angle at which it has fallen, rad
    state_limit: float | None = None  # largest coordinate that counts as healthy
    max_episode_steps: int = 1000

    def model(self):
        """The compiled MuJoCo model, from the XML that Gymnasium brings.

        Raises:
            UserError: MuJoCo or Gymnasium is not installed.
        """
        mujoco, gymnasium = import_mujoco(), import_gymnasium()
        assets = Path(str(gymnasium.__file__)).parent / "envs" / "mujoco" / "assets"
        with quiet_mujoco():
            return mujoco.MjModel.from_xml_path(str(assets / self.xml))

    @property
    def falls(self) -> bool:
        """Whether an episode can end in a true terminal."""
        return self.height is not None

    def observe(self, qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
        """Observations of joint states: `(n, nq), (n, nv)` to `(n, nq − 1 + nv)`."""
        if self.velocity_limit is not None:
            qvel = np.clip(qvel, -self.velocity_limit, self.velocity_limit)
        return np.concatenate([qpos[:, 1:], qvel], axis=1)

    def reward(self, x_before: np.ndarray, x_after: np.ndarray, action: np.ndarray, dt: float):
        """Rewards of one step of `dt` seconds: `(n,), (n,), (n, nu)` to `(n,)`."""
        cost = self.control_cost * np.square(action).sum(axis=1)
        return (x_after - x_before) / dt + float(self.falls) - cost

    def fallen(self, qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
        """Which states end an episode for good: `(n,)` booleans."""
        if self.height is None:
            return np.zeros(len(qpos), bool)
        low, high = self.height
        stands = (low < qpos[:, 1]) & (qpos[:, 1] < high) & (np.abs(qpos[:, 2]) < self.angle)
        if self.state_limit is not None:
            rest = np.concatenate([qpos, qvel], axis=1)[:, 2:]
            stands &= (np.abs(rest) < self.state_limit).all(axis=1)
        return ~stands

    def reset(self, model, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A first state, drawn as Gymnasium does: `(nq,), (nv,)`."""
        noise = self.reset_noise
        qpos = model.qpos0 + rng.uniform(-noise, noise, model.nq)
        if self.falls:
            return qpos, rng.uniform(-noise, noise, model.nv)
        return qpos, noise * rng.standard_normal(model.nv)


ROBOTS = {
    robot.name: robot
    for robot in (
        Robot(
            "hopper", "Hopper-v4", "hopper.xml", 4, 1e-3, 5e-3,
            velocity_limit=10.0, height=(0.7, np.inf), angle=0.2, state_limit=100.0,
        ),
        Robot(
            "walker2d", "Walker2d-v4", "walker2d.xml", 4, 1e-3, 5e-3,
            velocity_limit=10.0, height=(0.8, 2.0), angle=1.0,
        ),
        Robot("halfcheetah", "HalfCheetah-v4", "half_cheetah.xml", 5, 0.1, 0.1),
    )
}  # fmt: skip
"""The robots of the three papers, by D4RL's family name."""


def find_robot(env_id: str) -> Robot | None:
    """The robot whose Gymnasium id this is, if it is one of them."""
    return next((robot for robot in ROBOTS.values() if robot.env_id == env_id), None)
