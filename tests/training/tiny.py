"""A learner that compiles in no time: linear regression of the next observation."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int

from toolkit.data import Dataset, Transitions, TransitionSampler
from toolkit.training import AbstractLearner
from toolkit.training.learner import Metrics
from toolkit.types import Key

PATH = "tests.training.tiny:Tiny"


class TinyState(eqx.Module):
    weight: Float[Array, "input obs"]
    bias: Float[Array, " obs"]
    update_count: Int[Array, ""]


class Tiny(AbstractLearner):
    """Stochastic gradient descent; its bias turns into NaN at update `break_at`, if that is set."""

    width: int = 1
    """Copies of the input, which changes the shape of the weight."""
    batch_size: int = 4
    """Transitions per update."""
    learning_rate: float = 0.01
    """Step of the descent."""
    num_updates: int = 40
    """Length of the run, in updates."""
    break_at: int = 0
    """Update that breaks; 0 never."""

    def prepare(self, dataset: Dataset) -> TransitionSampler:
        return TransitionSampler(dataset)

    def init(self, dataset: Dataset, *, key: Key) -> TinyState:
        rows = self.width * (dataset.obs_dim + dataset.action_dim)
        weight = 0.1 * jr.normal(key, (rows, dataset.obs_dim))
        return TinyState(weight, jnp.full(dataset.obs_dim, 0.0), jnp.zeros((), jnp.int32))

    def sample(self, sampler: TransitionSampler, *, key: Key) -> Transitions:
        return sampler.sample(self.batch_size, key=key)

    def update(
        self, state: TinyState, batch: Transitions, *, key: Key
    ) -> tuple[TinyState, Metrics]:
        inputs = jnp.concatenate([batch.obs, batch.action] * self.width, axis=1)
        inputs = inputs + 0.01 * jr.normal(key, inputs.shape)

        def loss(weight: Array, bias: Array) -> Array:
            return jnp.mean(jnp.square(inputs @ weight + bias[None] - batch.next_obs))

        value, grads = jax.value_and_grad(loss, argnums=(0, 1))(state.weight, state.bias)
        count = state.update_count + 1
        bias = state.bias - self.learning_rate * grads[1]
        bias = jnp.where(count == self.break_at, jnp.nan, bias)
        weight = state.weight - self.learning_rate * grads[0]
        return TinyState(weight, bias, count), {"loss/total": value}
