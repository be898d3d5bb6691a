"""Actors and critics that the agents share.

The actor takes one observation, and batches come from `vmap`; the critics take a batch.
"""

from __future__ import annotations

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.agents.distributions import TanhNormal
from toolkit.nn import MLP
from toolkit.types import Action, Key, Obs

Net = TypeVar("Net", bound=eqx.Module)

LOG_STD_RANGE = (-20.0, 2.0)


class GaussianActor(eqx.Module):
    """π(a|s): an MLP that gives the mean and log standard deviation of a `TanhNormal`."""

    net: MLP

    def __init__(self, obs_dim: int, action_dim: int, hidden: int, layers: int, *, key: Key):
        self.net = MLP((obs_dim, *[hidden] * layers, 2 * action_dim), key=key)

    def __call__(self, obs: Obs) -> TanhNormal:
        mean, log_std = jnp.split(self.net(obs), 2)
        return TanhNormal(mean, jnp.clip(log_std, *LOG_STD_RANGE))


class TanhActor(eqx.Module):
    """π(s) in (−1, 1): an MLP with tanh behind it, and dropout behind its hidden layers if asked.

    Dropout acts where a key is given, so that it is off when a policy is scored.
    """

    net: MLP
    dropout: float = eqx.field(static=True)

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        hidden: int,
        layers: int,
        *,
        dropout: float = 0.0,
        key: Key,
    ):
        self.net = MLP((obs_dim, *[hidden] * layers, action_dim), key=key)
        self.dropout = dropout

    def __call__(self, obs: Obs, *, key: Key | None = None) -> Action:
        if not self.dropout or key is None:
            return jnp.tanh(self.net(obs))
        *hidden, last = self.net.layers
        x = obs
        for layer, at in zip(hidden, jr.split(key, len(hidden)), strict=True):
            x = self.net.activation(layer(x))
            kept = jr.bernoulli(at, 1.0 - self.dropout, x.shape)
            x = jnp.where(kept, x / (1.0 - self.dropout), 0.0)
        return jnp.tanh(last(x))

    def batch(
        self, obs: Float[Array, "batch obs"], *, key: Key | None = None
    ) -> Float[Array, "batch action"]:
        """The actions of a batch."""
        if key is None:
            return jax.vmap(self)(obs)
        return jax.vmap(lambda o, k: self(o, key=k))(obs, jr.split(key, len(obs)))


class ValueNet(eqx.Module):
    """V(s): an MLP with one output."""

    net: MLP

    def __init__(self, obs_dim: int, hidden: int, layers: int, *, key: Key):
        self.net = MLP((obs_dim, *[hidden] * layers, 1), key=key)

    def __call__(self, obs: Float[Array, "batch obs"]) -> Float[Array, " batch"]:
        """The values of a batch."""
        return jax.vmap(self.net)(obs)[:, 0]


class TwinCritic(eqx.Module):
    """Q₁ and Q₂ as one MLP whose arrays carry a leading axis of two."""

    nets: MLP

    def __init__(self, obs_dim: int, action_dim: int, hidden: int, layers: int, *, key: Key):
        sizes = (obs_dim + action_dim, *[hidden] * layers, 1)
        self.nets = eqx.filter_vmap(lambda k: MLP(sizes, key=k))(jr.split(key))

    def __call__(
        self, obs: Float[Array, "batch obs"], action: Float[Array, "batch action"]
    ) -> Float[Array, "2 batch"]:
        """Both values of a batch."""
        inputs = jnp.concatenate([obs, action], axis=1)
        each = eqx.filter_vmap(lambda net: jax.vmap(net)(inputs)[:, 0])
        return each(self.nets)

    def least(
        self, obs: Float[Array, "batch obs"], action: Float[Array, "batch action"]
    ) -> Float[Array, " batch"]:
        """min_j Q_j, the pessimistic value of clipped double Q-learning."""
        return jnp.min(self(obs, action), axis=0)


def polyak(target: Net, online: Net, rate: float) -> Net:
    """target + rate·(online − target), leaf by leaf."""

    def step(t: Array, o: Array) -> Array:
        return t + rate * (o - t) if eqx.is_inexact_array(t) else t

    return jax.tree.map(step, target, online)
