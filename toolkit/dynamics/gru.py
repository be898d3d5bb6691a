"""The GRU baseline: the gated recurrent unit over actions, started at the encoded state."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Float

from toolkit.dynamics.interface import AbstractDynamics, Heads, two_layers
from toolkit.dynamics.learner import AbstractDynamicsLearner
from toolkit.nn import MLP, Linear
from toolkit.types import Key


class GRUDynamics(AbstractDynamics):
    """z' = (1 − u)⊙n + u⊙z with update gate u, reset gate r and candidate n of (z, f(a)).

    The reset gate multiplies the recurrent product, so that all three gates share one matrix
    product per step; those of the actions are computed for all steps at once.

    Shapes: latent `(units,)`.
    Source: arXiv:1406.1078, in the variant of arXiv:1412.3555 that cuDNN and PyTorch use; the
    baseline of arXiv:2306.11941 §4.1.
    """

    heads: Heads
    memory: Float[Array, " obs"]
    action_encoder: MLP
    recurrent: Linear  # units → 3·units: reset, update, candidate
    reencode_every: int = eqx.field(static=True)

    def __init__(
        self,
        heads: Heads,
        obs_dim: int,
        action_dim: int,
        units: int,
        *,
        action_hidden: int = 64,
        reencode_every: int = 0,
        key: Key,
    ):
        keys = jr.split(key)
        self.heads, self.memory = heads, jnp.full(obs_dim, -3.0)
        self.action_encoder = two_layers(action_dim, action_hidden, 3 * units, key=keys[0])
        self.recurrent = Linear(units, 3 * units, key=keys[1])
        self.reencode_every = reencode_every

    def controls(self, actions: Float[Array, "time action"]) -> Float[Array, "time three_units"]:
        """The actions' part of every gate, for all steps at once."""
        return jax.vmap(self.action_encoder)(actions)

    def drive(
        self, latent: Float[Array, " latent"], controls: Float[Array, "time three_units"]
    ) -> Float[Array, "time latent"]:
        """Latent states after each control, one step after another."""

        def step(z: Array, control: Array) -> tuple[Array, Array]:
            (r_z, u_z, n_z), (r_a, u_a, n_a) = (
                jnp.split(self.recurrent(z), 3),
                jnp.split(control, 3),
            )
            update = jax.nn.sigmoid(u_z + u_a)
            candidate = jnp.tanh(n_a + jax.nn.sigmoid(r_z + r_a) * n_z)
            z = candidate + update * (z - candidate)
            return z, z

        return lax.scan(step, latent, controls)[1]


class GRU(AbstractDynamicsLearner):
    """The GRU baseline of arXiv:2306.11941: whole windows in one pass, as there."""

    units: int = 224
    """Recurrent units; the latent state has as many coordinates."""
    reencode_every: int = 0
    """Encode the decoded state again after so many steps, in training and prediction; 0 never."""

    def build(self, heads_of: Any, obs_dim: int, action_dim: int, *, key: Key) -> GRUDynamics:
        heads_key, model_key = jr.split(key)
        return GRUDynamics(
            heads_of(self.units, self.hidden, heads_key), obs_dim, action_dim, self.units,
            action_hidden=self.action_hidden, reencode_every=self.reencode_every, key=model_key,
        )  # fmt: skip
