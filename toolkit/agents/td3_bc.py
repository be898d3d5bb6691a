"""TD3+BC: TD3 whose actor is also pulled towards the recorded actions (arXiv:2106.06860)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Int

from toolkit.agents.augmentation import AbstractAugmentation, state_noise
from toolkit.agents.interface import AbstractOfflineAgent, AbstractPolicy
from toolkit.agents.networks import TanhActor, TwinCritic
from toolkit.agents.td3 import (
    AbstractTD3State,
    DeterministicPolicy,
    actor_step,
    critic_step,
    normalised_value,
    smoothed,
    td_target,
)
from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions
from toolkit.nn import fresh_copy
from toolkit.training.learner import Metrics
from toolkit.training.optimise import start, when
from toolkit.types import Key, Scalar


class TD3BCState(AbstractTD3State):
    """Actor, critics, the targets of both, and two optimisers."""

    actor: TanhActor
    critic: TwinCritic
    target_actor: TanhActor
    target_critic: TwinCritic
    opt_actor: Any
    opt_critic: Any
    update_count: Int[Array, ""]
    actor_loss: Scalar  # of the last update of the actor
    model: Any = None  # of an agent whose augmentation asks one


class TD3BC(AbstractOfflineAgent):
    """Twin delayed deterministic policy gradient with behaviour cloning (arXiv:2106.06860)."""

    alpha: float = 2.5
    """Weight of the normalised value against the cloning (Eq. 5)."""
    discount: float = 0.99
    """γ per environment step."""
    target_rate: float = 0.005
    """Share of the networks that goes into their targets, each time the actor moves."""
    policy_noise: float = 0.2
    """Standard deviation of the noise on target actions."""
    noise_clip: float = 0.5
    """Bound of that noise."""
    policy_every: int = 2
    """Updates of the critics per update of the actor."""
    state_noise: float = 0.0
    """Noise on the states that the critics see (S4RL), in standard deviations; 0 for none."""
    hidden: int = 256
    """Width of the hidden layers."""
    layers: int = 2
    """Hidden layers of each network."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam, for actor and critics."""
    num_updates: int = 100_000
    """Length of the run, in updates."""

    def init(self, dataset: Dataset, *, key: Key) -> TD3BCState:
        actor_key, critic_key = jr.split(key)
        sizes = (dataset.obs_dim, dataset.action_dim, self.hidden, self.layers)
        actor = TanhActor(*sizes, key=actor_key)
        critic = TwinCritic(*sizes, key=critic_key)
        return TD3BCState(
            actor, critic, fresh_copy(actor), fresh_copy(critic), start(self._adam(), actor),
            start(self._adam(), critic), jnp.zeros((), jnp.int32), jnp.zeros(()),
        )  # fmt: skip

    def policy(self, state: TD3BCState) -> AbstractPolicy:
        return DeterministicPolicy(state.actor)

    def augmentation(self, state: TD3BCState) -> AbstractAugmentation:
        """What is done to the transitions that the critics see."""
        return state_noise(self.state_noise)

    def update(
        self, state: TD3BCState, batch: Transitions, *, key: Key
    ) -> tuple[TD3BCState, Metrics]:
        noise_key, augment_key = jr.split(key)
        seen = self.augmentation(state).replacing(batch, key=augment_key)
        proposed = state.target_actor.batch(batch.next_obs)
        next_action = smoothed(proposed, self.policy_noise, self.noise_clip, key=noise_key)
        y = td_target(state.target_critic, seen, next_action, self.discount)
        state, loss = critic_step(state, self._adam(), seen, y)
        due = state.update_count % self.policy_every == 0
        state = when(due, lambda state: self._improve(state, batch), state)
        return state, {
            "loss/critic": loss, "loss/actor": state.actor_loss, "value": jnp.mean(y),
        }  # fmt: skip

    def _improve(self, state: TD3BCState, batch: Transitions) -> TD3BCState:
        """A step of the actor, and one of every target after it."""

        def loss(actor: TanhActor) -> tuple[Scalar, Metrics]:
            return actor_loss(actor, state.critic, batch, self.alpha), {}

        state, metrics = actor_step(state, self._adam(), loss, self.target_rate)
        return replace(state, actor_loss=metrics["loss/actor"])

    def _adam(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate)


def actor_loss(actor: TanhActor, critic: TwinCritic, batch: Transitions, alpha: float) -> Scalar:
    """−α·mean Q₁(s, π(s)) / mean|Q₁(s, π(s))| + mean (π(s) − a)² (arXiv:2106.06860 Eq. 3–5)."""
    action = actor.batch(batch.obs)
    values = critic(batch.obs, action)[0]
    value = normalised_value(values, jnp.ones(len(values), bool))
    return -alpha * value + jnp.mean(jnp.square(action - batch.action))
