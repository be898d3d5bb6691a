"""The three robots stepped as one batch by MuJoCo's own threads."""

from __future__ import annotations

import os

import numpy as np

from toolkit.envs.interface import AbstractEnvs, EnvSpec, Snapshot, Steps
from toolkit.envs.requirements import import_mujoco
from toolkit.envs.robots import Robot
from toolkit.errors import UserError


class Physics:
    """A robot's simulator as a function: joint states and actions to joint states.

    Every step starts its contact solver cold, so a successor depends on position, velocity and
    action alone, and not on which step came before or on the number of threads. Gymnasium starts
    warm; the two agree to the solver's tolerance.
    """

    def __init__(self, robot: Robot, *, threads: int | None = None):
        mujoco = import_mujoco()
        self.robot, self.model = robot, robot.model()
        self.nq, self.nv, self.nu = self.model.nq, self.model.nv, self.model.nu
        self.dt = self.model.opt.timestep * robot.frame_skip
        threads = threads or os.cpu_count() or 1
        self._data = [mujoco.MjData(self.model) for _ in range(threads)]
        self._pool = mujoco.rollout.Rollout(nthread=threads if threads > 1 else 0)
        self._size = mujoco.mj_stateSize(self.model, mujoco.mjtState.mjSTATE_FULLPHYSICS)

    def step(
        self, qpos: np.ndarray, qvel: np.ndarray, action: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """States one environment step later: `(n, nq), (n, nv), (n, nu)` to `(n, nq), (n, nv)`."""
        rows, nq, nv = len(qpos), self.nq, self.nv
        start = np.zeros((rows, self._size))
        start[:, 1 : 1 + nq], start[:, 1 + nq : 1 + nq + nv] = qpos, qvel  # time leads
        control = np.asarray(action, float)[:, None]
        states, _ = self._pool.rollout(
            self.model, self._data, start, control, nstep=self.robot.frame_skip,
        )  # fmt: skip
        last = states[:, -1]
        return last[:, 1 : 1 + nq], last[:, 1 + nq : 1 + nq + nv]

    def close(self) -> None:
        """Stop the threads."""
        self._pool.close()


class BatchedRobots(AbstractEnvs):
    """Copies of one robot. Copy i's episode j starts from a state that `seed`, i and j decide."""

    def __init__(self, robot: Robot, num_envs: int, *, seed: int = 0, threads: int | None = None):
        if num_envs < 1:
            raise UserError(f"`num_envs` must be at least 1, got {num_envs}.")
        self.physics, self.robot, self.num_envs, self.seed = (
            Physics(robot, threads=threads), robot, num_envs, seed,
        )  # fmt: skip
        nq, nv = self.physics.nq, self.physics.nv
        self.spec = EnvSpec(
            robot.env_id, nq - 1 + nv, self.physics.nu, robot.max_episode_steps, self.physics.dt
        )
        self.qpos, self.qvel = np.empty((num_envs, nq)), np.empty((num_envs, nv))
        self.elapsed, self.episode = np.zeros(num_envs, np.int64), np.full(num_envs, -1, np.int64)
        self._restart(np.ones(num_envs, bool))

    def _advance(self, action: np.ndarray) -> Steps:
        obs, x_before = self.obs, self.qpos[:, 0]
        qpos, qvel = self.physics.step(self.qpos, self.qvel, action)
        reward = self.robot.reward(x_before, qpos[:, 0], action, self.physics.dt)
        terminal = self.robot.fallen(qpos, qvel)
        self.elapsed += 1
        timeout = ~terminal & (self.elapsed >= self.spec.max_episode_steps)
        next_obs = self.robot.observe(qpos, qvel).astype(np.float32)
        self.qpos, self.qvel = qpos.copy(), qvel.copy()
        self.obs = next_obs.copy()
        self._restart(terminal | timeout)
        return Steps(obs, action, reward.astype(np.float32), next_obs, terminal, timeout)

    def _restart(self, which: np.ndarray) -> None:
        for copy in np.flatnonzero(which):
            self.episode[copy] += 1
            rng = np.random.default_rng([self.seed, int(copy), int(self.episode[copy])])
            self.qpos[copy], self.qvel[copy] = self.robot.reset(self.physics.model, rng)
            self.elapsed[copy] = 0
        if which.any():
            self.obs = self.robot.observe(self.qpos, self.qvel).astype(np.float32)

    def snapshot(self) -> Snapshot:
        return {
            "qpos": self.qpos.copy(), "qvel": self.qvel.copy(),
            "elapsed": self.elapsed.copy(), "episode": self.episode.copy(),
        }  # fmt: skip

    def restore(self, snapshot: Snapshot) -> None:
        shapes = {name: values.shape for name, values in snapshot.items()}
        if shapes != {name: values.shape for name, values in self.snapshot().items()}:
            raise UserError(
                f"The snapshot is not one of {self.num_envs} copies of {self.spec.env_id}."
            )
        for name, values in snapshot.items():
            getattr(self, name)[:] = values
        self.obs = self.robot.observe(self.qpos, self.qvel).astype(np.float32)

    def close(self) -> None:
        self.physics.close()
