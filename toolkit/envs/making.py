"""Environments by their id: Gymnasium's, or `dmc/` and a task of DeepMind Control."""

from __future__ import annotations

from toolkit.envs.interface import AbstractEnvs
from toolkit.errors import UserError, check_seed


def make_envs(
    env_id: str,
    num_envs: int,
    *,
    seed: int = 0,
    threads: int | None = None,
    image_size: int | None = None,
) -> AbstractEnvs:
    """`num_envs` copies: the three robots as one batch, `dmc/DOMAIN-TASK` through dm_control, any
    other id through Gymnasium.

    `threads` is how many of MuJoCo's threads step the robots (default: one per core); other
    environments are stepped one after another. The same seed gives the same episodes, whatever
    the number of threads. With an `image_size`, observations are square pictures of that height.

    Raises:
        UserError: an unknown id, an environment without vectors for observations and actions, an
            action repeat that does not divide the episode, a count below 1, a negative seed, a
            package that is not installed, or pictures of something that has none here.
    """
    from toolkit.envs.batched import BatchedRobots
    from toolkit.envs.dmc import PREFIX, DMCEnvs
    from toolkit.envs.gymnasium_envs import GymnasiumEnvs
    from toolkit.envs.robots import find_robot

    check_seed(seed)
    if threads is not None and threads < 1:
        raise UserError(f"`threads` must be at least 1, got {threads}.")
    if env_id.startswith(PREFIX):
        return DMCEnvs(env_id, num_envs, seed=seed, image_size=image_size)
    if image_size is not None:
        raise UserError(
            f"Agents that learn from pixels need a task of DeepMind Control, such as "
            f"`env` {PREFIX}cartpole-swingup, got {env_id!r}."
        )
    robot = find_robot(env_id)
    if robot is not None:
        return BatchedRobots(robot, num_envs, seed=seed, threads=threads)
    return GymnasiumEnvs(env_id, num_envs, seed=seed)
