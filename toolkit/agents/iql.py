"""Implicit Q-learning: values by expectile regression, no action outside the data (2110.06169)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, Int

from toolkit.agents.augmentation import AbstractAugmentation, state_noise
from toolkit.agents.interface import AbstractOfflineAgent, AbstractPolicy
from toolkit.agents.networks import TanhActor, TwinCritic, ValueNet, polyak
from toolkit.agents.td3 import DeterministicPolicy
from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions
from toolkit.errors import UserError
from toolkit.nn import fresh_copy
from toolkit.training.learner import Metrics
from toolkit.training.optimise import gradient_step, start
from toolkit.types import Key, Scalar

#: Bounds of the log standard deviation, and of an advantage's exponential weight.
LOG_STD_RANGE = (-20.0, 2.0)
LARGEST_WEIGHT = 100.0


class RegressionActor(eqx.Module):
    """π(a|s) = N(tanh(net(s)), diag exp(log_std)²), the deviations independent of the state."""

    mean: TanhActor
    log_std: Float[Array, " action"]

    def log_prob(
        self, obs: Float[Array, "batch obs"], action: Float[Array, "batch action"]
    ) -> Float[Array, " batch"]:
        """Log-densities of a batch of actions, summed over coordinates."""
        log_std = jnp.clip(self.log_std, *LOG_STD_RANGE)[None]
        u = (action - self.mean.batch(obs)) * jnp.exp(-log_std)
        return jnp.sum(-0.5 * jnp.square(u) - log_std - 0.5 * math.log(2 * math.pi), axis=1)


class IQLState(eqx.Module):
    """Actor, critics with their target, value, and an optimiser for each."""

    actor: RegressionActor
    critic: TwinCritic
    target: TwinCritic
    value: ValueNet
    opt_states: tuple[Any, Any, Any]
    update_count: Int[Array, ""]


class IQL(AbstractOfflineAgent):
    """Implicit Q-learning (arXiv:2110.06169)."""

    expectile: float = 0.7
    """Which expectile of the values over actions V(s) is (Eq. 5); near 1 it is their maximum."""
    inverse_temperature: float = 3.0
    """β of the weights exp(β·advantage) (Eq. 7)."""
    discount: float = 0.99
    """γ per environment step."""
    target_rate: float = 0.005
    """Share of the critics that goes into their target at each update."""
    state_noise: float = 0.0
    """Noise on the states that critics and value see (S4RL), in standard deviations; 0 for none."""
    hidden: int = 256
    """Width of the hidden layers."""
    layers: int = 2
    """Hidden layers of each network."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam; the actor's falls to 0 over the run along a cosine."""
    num_updates: int = 100_000
    """Length of the run, in updates."""

    def prepare(self, dataset: Dataset) -> Any:
        if not 0 < self.expectile < 1:
            raise UserError(f"`expectile` must lie between 0 and 1, got {self.expectile}.")
        return super().prepare(dataset)

    def init(self, dataset: Dataset, *, key: Key) -> IQLState:
        keys = jr.split(key, 3)
        obs, action, sizes = dataset.obs_dim, dataset.action_dim, (self.hidden, self.layers)
        mean = TanhActor(obs, action, *sizes, key=keys[0])
        actor = RegressionActor(mean, jnp.zeros(action))
        critic = TwinCritic(obs, action, *sizes, key=keys[1])
        value = ValueNet(obs, *sizes, key=keys[2])
        opt_states = (
            start(self._actor_adam(), actor), start(self._adam(), critic),
            start(self._adam(), value),
        )  # fmt: skip
        count = jnp.zeros((), jnp.int32)
        return IQLState(actor, critic, fresh_copy(critic), value, opt_states, count)

    def policy(self, state: IQLState) -> AbstractPolicy:
        return DeterministicPolicy(state.actor.mean)

    def augmentation(self, state: IQLState) -> AbstractAugmentation:
        """What is done to the transitions that critics and value see."""
        return state_noise(self.state_noise)

    def update(self, state: IQLState, batch: Transitions, *, key: Key) -> tuple[IQLState, Metrics]:
        seen = self.augmentation(state).replacing(batch, key=key)
        opt_actor, opt_critic, opt_value = state.opt_states
        q = state.target.least(seen.obs, seen.action)
        next_value = state.value(seen.next_obs)
        advantage = q - state.value(seen.obs)

        loss_value, grads = eqx.filter_value_and_grad(value_loss)(
            state.value, seen.obs, q, self.expectile
        )
        value, opt_value = gradient_step(self._adam(), state.value, grads, opt_value)

        y = seen.reward + self.discount * jnp.where(seen.terminal, 0.0, next_value)
        loss_critic, grads = eqx.filter_value_and_grad(critic_loss)(state.critic, seen, y)
        critic, opt_critic = gradient_step(self._adam(), state.critic, grads, opt_critic)

        loss_actor, grads = eqx.filter_value_and_grad(actor_loss)(
            state.actor, batch, advantage, self.inverse_temperature
        )
        actor, opt_actor = gradient_step(self._actor_adam(), state.actor, grads, opt_actor)
        state = replace(
            state, actor=actor, critic=critic, value=value,
            target=polyak(state.target, critic, self.target_rate),
            opt_states=(opt_actor, opt_critic, opt_value), update_count=state.update_count + 1,
        )  # fmt: skip
        return state, {
            "loss/value": loss_value, "loss/critic": loss_critic, "loss/actor": loss_actor,
            "value": jnp.mean(y), "advantage": jnp.mean(advantage),
        }  # fmt: skip

    def _adam(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate)

    def _actor_adam(self) -> optax.GradientTransformation:
        return optax.adam(optax.cosine_decay_schedule(self.learning_rate, self.num_updates))


def value_loss(
    value: ValueNet, obs: Float[Array, "batch obs"], q: Float[Array, " batch"], expectile: float
) -> Scalar:
    """mean |τ − 1(u < 0)|·u² with u = min_j Q̄_j(s, a) − V(s) (arXiv:2110.06169 Eq. 5)."""
    u = q - value(obs)
    return jnp.mean(jnp.where(u < 0, 1.0 - expectile, expectile) * jnp.square(u))


def critic_loss(critic: TwinCritic, batch: Transitions, y: Float[Array, " batch"]) -> Scalar:
    """½·Σ_j mean (Q_j(s, a) − y)², y = r + γ(1 − d)·V(s′) (arXiv:2110.06169 Eq. 6)."""
    squared = jnp.square(critic(batch.obs, batch.action) - y[None])
    return 0.5 * jnp.sum(jnp.mean(squared, axis=1))


def actor_loss(
    actor: RegressionActor, batch: Transitions, advantage: Float[Array, " batch"], beta: float
) -> Scalar:
    """−mean min(exp(β·advantage), 100)·log π(a|s) (arXiv:2110.06169 Eq. 7)."""
    weight = jnp.minimum(jnp.exp(beta * advantage), LARGEST_WEIGHT)
    return -jnp.mean(jax.lax.stop_gradient(weight) * actor.log_prob(batch.obs, batch.action))
