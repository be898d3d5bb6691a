"""One episode of a policy as moving pictures and as a film strip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from toolkit.agents.acting import act, initial_memories
from toolkit.agents.interface import AbstractPolicy
from toolkit.envs.batched import BatchedRobots
from toolkit.envs.pictures import write_animation, write_film_strip
from toolkit.envs.rendering import render_episode
from toolkit.envs.robots import ROBOTS, Robot, find_robot
from toolkit.errors import UserError
from toolkit.evaluation.rollouts import EVALUATION_SEED

FRAMES_PER_SECOND = 25
MAX_SECONDS = 8.0
STRIP_SECONDS = 1.5


@dataclass(frozen=True)
class Motion:
    """Joint states of one episode, `(steps, nq)` and `(steps, nv)`, `dt` seconds apart."""

    robot: Robot
    qpos: np.ndarray
    qvel: np.ndarray
    dt: float


def record_motion(
    policy: AbstractPolicy,
    env_id: str,
    *,
    seed: int = EVALUATION_SEED,
    max_steps: int | None = None,
) -> Motion:
    """The first episode that an evaluation with this seed plays, as joint states.

    Raises:
        UserError: the environment is none of the robots that can be drawn.
    """
    robot = find_robot(env_id)
    if robot is None:
        known = ", ".join(r.env_id for r in ROBOTS.values())
        raise UserError(f"{env_id} cannot be recorded; {known} can.")
    envs = BatchedRobots(robot, 1, seed=seed, threads=1)
    memory, qpos, qvel = initial_memories(policy, 1), [], []
    try:
        for step in range(max_steps or robot.max_episode_steps):
            qpos.append(envs.qpos[0].copy())
            qvel.append(envs.qvel[0].copy())
            key = jr.fold_in(jr.key(seed), step)
            action, memory = act(policy, jnp.asarray(envs.obs), memory, key)
            if envs.step(np.asarray(action)).ended[0]:
                break
    finally:
        envs.close()
    return Motion(robot, np.stack(qpos), np.stack(qvel), envs.physics.dt)


def write_recording(path: str | Path, motion: Motion) -> tuple[Path, Path]:
    """A GIF or MP4 of the first seconds in real time, and beside it a film strip as PNG.

    Raises:
        UserError: no renderer works here, the suffix is another one, or a file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".gif", ".mp4"):
        raise UserError(f"`record` must end in .gif or .mp4, got {path.name!r}.")
    every = max(1, round(1 / (FRAMES_PER_SECOND * motion.dt)))
    shown = round(MAX_SECONDS / motion.dt)
    frames = render_episode(motion.robot, motion.qpos[:shown], motion.qvel[:shown], every=every)
    write_animation(path, frames, fps=1 / (every * motion.dt))
    return path, write_strip(path.with_suffix(".png"), motion)


def write_strip(path: str | Path, motion: Motion) -> Path:
    """Six moments of the first seconds, with their times, as PNG.

    Raises:
        UserError: no renderer works here, or the file cannot be written.
    """
    last = min(len(motion.qpos) - 1, round(STRIP_SECONDS / motion.dt))
    at = np.linspace(0, last, 6).round().astype(int)
    frames = render_episode(motion.robot, motion.qpos[at], motion.qvel[at])
    return write_film_strip(path, frames, [f"{step * motion.dt:.2f} s" for step in at])
