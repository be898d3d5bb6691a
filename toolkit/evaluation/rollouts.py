"""Scoring policies in a simulator: returns from fixed starts, on D4RL's scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from toolkit.agents.acting import act, initial_memories
from toolkit.agents.interface import AbstractPolicy
from toolkit.data.tasks import family_of_env
from toolkit.envs import make_envs
from toolkit.envs.interface import Steps
from toolkit.errors import UserError

EVALUATION_SEED = 10_000
"""Episode i of every evaluation starts where this seed and i say, whoever is evaluated."""

NUM_EPISODES = 10


@dataclass(frozen=True)
class Rollouts:
    """Undiscounted returns and lengths of `episodes` episodes, in the order of their starts."""

    env_id: str
    seed: int
    returns: np.ndarray
    lengths: np.ndarray

    @property
    def normalised(self) -> np.ndarray | None:
        """Each return on D4RL's scale, where the environment has one."""
        family = family_of_env(self.env_id)
        return None if family is None else normalised_score(self.env_id, self.returns)


def normalised_score(env_id: str, returns: np.ndarray | float) -> np.ndarray:
    """100·(R − R_random)/(R_expert − R_random), with the references of arXiv:2004.07219.

    Raises:
        UserError: the benchmark has no references for this environment.
    """
    family = family_of_env(env_id)
    if family is None:
        raise UserError(f"{env_id} has no reference returns, so a score cannot be normalised.")
    span = family.expert_return - family.random_return
    return 100.0 * (np.asarray(returns, float) - family.random_return) / span


def evaluate_policy(
    policy: AbstractPolicy,
    env_id: str,
    *,
    num_episodes: int = NUM_EPISODES,
    seed: int = EVALUATION_SEED,
    threads: int | None = None,
) -> Rollouts:
    """Roll a policy out for one episode from each of `num_episodes` starts, side by side.

    Raises:
        UserError: `num_episodes` is below one, the environment is unknown, the policy does not
            fit it, or the simulation breaks.
    """
    check_episodes(num_episodes)
    returns, lengths = np.zeros(num_episodes), np.zeros(num_episodes, int)
    for steps, running in first_episodes(
        policy, env_id, num_episodes=num_episodes, seed=seed, threads=threads
    ):
        returns += np.where(running, steps.reward, 0.0)
        lengths += running
    return Rollouts(env_id, seed, returns, lengths)


def check_episodes(num_episodes: int) -> None:
    """Refuse a number of episodes that nothing can be said of.

    Raises:
        UserError: it is below one.
    """
    if num_episodes < 1:
        raise UserError(f"`num_episodes` must be at least 1, got {num_episodes}.")


def first_episodes(
    policy: AbstractPolicy,
    env_id: str,
    *,
    num_episodes: int = NUM_EPISODES,
    seed: int = EVALUATION_SEED,
    threads: int | None = None,
) -> Iterator[tuple[Steps, np.ndarray]]:
    """Every step of `num_episodes` environments until each has ended once.

    With each step comes which of them were still in their first episode, `(num_episodes,)`.

    Raises:
        UserError: as for `evaluate_policy`.
    """
    check_episodes(num_episodes)
    envs = make_envs(env_id, num_episodes, seed=seed, threads=threads, image_size=policy.sees())
    memory = initial_memories(policy, num_episodes)
    running, root, step = np.ones(num_episodes, bool), jr.key(seed), 0
    try:
        while running.any():
            action, memory = act(policy, jnp.asarray(envs.obs), memory, jr.fold_in(root, step))
            steps = envs.step(np.asarray(action))
            yield steps, running.copy()
            running &= ~steps.ended
            step += 1
    finally:
        envs.close()
