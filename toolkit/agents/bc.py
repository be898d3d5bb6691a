"""Behaviour cloning, of all episodes or of the best ones."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from toolkit.agents.interface import AbstractOfflineAgent, AbstractPolicy
from toolkit.agents.networks import TanhActor
from toolkit.agents.td3 import DeterministicPolicy
from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions, TransitionSampler
from toolkit.errors import UserError
from toolkit.nn import mean_square
from toolkit.training.learner import Metrics
from toolkit.training.optimise import gradient_step, start
from toolkit.types import Key, Scalar


class BCState(eqx.Module):
    """An actor and its optimiser."""

    actor: TanhActor
    opt_state: Any
    update_count: Int[Array, ""]


class BC(AbstractOfflineAgent):
    """Behaviour cloning: the least squared difference to the recorded actions.

    With `best_share` below 1 ("10 %-BC") only the episodes with the highest returns are cloned.
    """

    best_share: float = 1.0
    """Share of the episodes, by return, that is cloned."""
    hidden: int = 256
    """Width of the hidden layers."""
    layers: int = 2
    """Hidden layers of the actor."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam."""
    num_updates: int = 100_000
    """Length of the run, in updates."""

    def prepare(self, dataset: Dataset) -> TransitionSampler:
        if not 0 < self.best_share <= 1:
            raise UserError(f"`best_share` must lie in 0..1, above 0, got {self.best_share}.")
        if self.best_share < 1:
            dataset = best_episodes(dataset, self.best_share)
        return self.transitions(dataset)

    def init(self, dataset: Dataset, *, key: Key) -> BCState:
        actor = TanhActor(dataset.obs_dim, dataset.action_dim, self.hidden, self.layers, key=key)
        return BCState(actor, start(self._adam(), actor), jnp.zeros((), jnp.int32))

    def policy(self, state: BCState) -> AbstractPolicy:
        return DeterministicPolicy(state.actor)

    def update(self, state: BCState, batch: Transitions, *, key: Key) -> tuple[BCState, Metrics]:
        loss, grads = eqx.filter_value_and_grad(cloning_loss)(state.actor, batch.obs, batch.action)
        actor, opt_state = gradient_step(self._adam(), state.actor, grads, state.opt_state)
        return BCState(actor, opt_state, state.update_count + 1), {"loss/actor": loss}

    def _adam(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate)


def cloning_loss(
    actor: TanhActor, obs: Float[Array, "batch obs"], action: Float[Array, "batch action"]
) -> Scalar:
    """mean (π(s) − a)², over the batch and the coordinates of the action."""
    return mean_square(actor.batch(obs) - action)


def best_episodes(dataset: Dataset, share: float) -> Dataset:
    """The episodes with the highest undiscounted returns, at least one, in their order."""
    rewards = np.asarray(dataset.rewards, np.float64)
    returns = np.array([rewards[slice(*bounds)].sum() for bounds in dataset.episode_bounds()])
    count = max(1, round(share * len(returns)))
    ids = np.sort(np.argsort(returns)[-count:])
    return dataset.take_episodes(ids, f"the {count} episodes with the highest returns")
