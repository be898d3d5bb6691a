"""What critics expect of a policy's own episodes, beside what came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float

from toolkit.agents.acting import NormalisedPolicy, act, initial_memories
from toolkit.agents.interface import AbstractOfflineAgent, AbstractPolicy
from toolkit.data.dataset import Dataset
from toolkit.data.normaliser import Normaliser
from toolkit.evaluation.rollouts import (
    EVALUATION_SEED,
    NUM_EPISODES,
    check_episodes,
    first_episodes,
    normalised_score,
)

NEGLIGIBLE = 0.01
"""A cut-off tail counts as known where it weighs at most this share."""


@dataclass(frozen=True)
class Episodes:
    """What happened in episodes that began together, step by step.

    `running` says which rows belong to an episode; beyond its end they hold another's. `fell`
    says which ended by a terminal. `last_obs` is where each arrived with its last step.

    Shapes: `obs (time, episodes, obs)`, `action (time, episodes, action)`, `reward` and `running`
    `(time, episodes)`, `fell (episodes,)`, `last_obs (episodes, obs)`; raw observations.
    """

    env_id: str
    obs: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    running: np.ndarray
    fell: np.ndarray
    last_obs: np.ndarray

    @property
    def returns(self) -> np.ndarray:
        """Undiscounted return of each episode."""
        return (self.reward * self.running).sum(axis=0)

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each episode."""
        return self.running.sum(axis=0)

    @property
    def score(self) -> float:
        """Mean return on D4RL's scale."""
        return float(normalised_score(self.env_id, self.returns).mean())

    def states(self, episode: int) -> np.ndarray:
        """The observations of one episode, the one after its last step included."""
        count = int(self.lengths[episode])
        return np.concatenate([self.obs[:count, episode], self.last_obs[episode][None]])


def play(
    policy: AbstractPolicy,
    env_id: str,
    *,
    num_episodes: int = NUM_EPISODES,
    seed: int = EVALUATION_SEED,
) -> Episodes:
    """The episodes that `evaluate_policy` scores, kept step by step.

    Raises:
        UserError: as for `evaluate_policy`.
    """
    check_episodes(num_episodes)
    kept: list[tuple[np.ndarray, ...]] = []
    fell = np.zeros(num_episodes, bool)
    last: Any = None
    for steps, running in first_episodes(policy, env_id, num_episodes=num_episodes, seed=seed):
        kept.append((steps.obs, steps.action, steps.reward, running))
        fell |= running & steps.terminal
        last = steps.next_obs if last is None else np.where(running[:, None], steps.next_obs, last)
    obs, action, reward, running = (np.stack(column) for column in zip(*kept, strict=True))
    return Episodes(env_id, obs, action, reward, running, fell, last)


def discounted_to_go(episodes: Episodes, discount: float) -> np.ndarray:
    """R_t = r_t + γ·R_{t+1} to the end of each episode, `(time, episodes)`; 0 beyond it."""
    rest = np.zeros(episodes.reward.shape[1])
    found = np.zeros(episodes.reward.shape)
    for t in reversed(range(len(found))):
        rest = np.where(episodes.running[t], episodes.reward[t] + discount * rest, 0.0)
        found[t] = rest
    return found


def is_known(episodes: Episodes, discount: float) -> np.ndarray:
    """Rows whose discounted return is known: a fall ends it, or what was cut off hardly counts.

    `(time, episodes)` booleans.
    """
    left = episodes.running[::-1].cumsum(axis=0)[::-1]  # steps, this one included
    return episodes.running & (episodes.fell | (discount**left <= NEGLIGIBLE))


def expected_and_real(
    agent: AbstractOfflineAgent,
    state: Any,
    normaliser: Normaliser,
    episodes: Episodes,
    *,
    discount: float,
    every: int = 10,
) -> tuple[np.ndarray, np.ndarray]:
    """What the critics of one seed expect along its episodes, and the discounted return that came.

    Every `every`-th step whose return is known, all episodes in one row.

    Raises:
        UserError: the agent has no critics.
    """
    rows = np.zeros(episodes.running.shape, bool)
    rows[::every] = is_known(episodes, discount)[::every]
    real = discounted_to_go(episodes, discount)[rows]
    padded = np.zeros((_padded(len(real)), 2), int)  # few lengths, so that little is compiled
    padded[: len(real)] = np.argwhere(rows)
    obs, action = (jnp.asarray(a[*padded.T]) for a in (episodes.obs, episodes.action))
    expected = _values(agent, state, normaliser, obs, action)
    return np.asarray(expected)[: len(real)], real


def _padded(count: int) -> int:
    """The next power of four, from 256 on."""
    size = 256
    while size < count:
        size *= 4
    return size


@eqx.filter_jit
def _values(
    agent: AbstractOfflineAgent,
    state: Any,
    normaliser: Normaliser,
    obs: Float[Array, "batch obs"],
    action: Float[Array, "batch action"],
) -> Float[Array, " batch"]:
    return agent.values(state, normaliser.normalise(obs), action)


def action_distances(policy: AbstractPolicy, dataset: Dataset) -> np.ndarray:
    """How far a policy's actions are from the recorded ones in the recorded states, `(rows,)`.

    Root mean square over the action's coordinates, which lie in [−1, 1]. Raw observations.
    """
    memory = initial_memories(policy, dataset.num_transitions)
    action, _ = act(policy, dataset.observations, memory, jr.key(0))
    return np.sqrt(np.mean(np.square(np.asarray(action) - np.asarray(dataset.actions)), axis=1))


def policy_of(agent: AbstractOfflineAgent, state: Any, normaliser: Normaliser) -> NormalisedPolicy:
    """What one seed does, for raw observations."""
    return NormalisedPolicy(agent.policy(state), normaliser)
