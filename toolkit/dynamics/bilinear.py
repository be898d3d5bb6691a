"""Bilinear Koopman dynamics: every action chooses the linear operator of its step."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Float

from toolkit.dynamics.interface import AbstractDynamics, Heads
from toolkit.dynamics.learner import AbstractDynamicsLearner
from toolkit.symmetry.bilinear import BilinearOperator
from toolkit.types import Key


class BilinearDynamics(AbstractDynamics):
    """z' = K(a)·z with K(a) = K₀ + Σᵢ aᵢ·Kᵢ: the model of KFC, over many steps.

    K₀ starts near the identity, so that a hundred steps neither vanish nor explode before
    training. The operator is not diagonal and changes with every action, so there is no shorter
    way to a late step than through all before it.

    Shapes: latent `(latent,)`; controls are the actions.
    Source: arXiv:2111.01365 §3.
    """

    heads: Heads
    memory: Float[Array, " obs"]
    operator: BilinearOperator
    reencode_every: int = eqx.field(static=True)

    def __init__(
        self,
        heads: Heads,
        obs_dim: int,
        action_dim: int,
        latent_dim: int,
        *,
        reencode_every: int = 0,
        key: Key,
    ):
        self.heads, self.memory = heads, jnp.full(obs_dim, -3.0)
        operator = BilinearOperator(latent_dim, action_dim, key=key)
        near = (0.1 * operator.matrices).at[0].add(jnp.eye(latent_dim))
        self.operator = eqx.tree_at(lambda o: o.matrices, operator, near)
        self.reencode_every = reencode_every

    def controls(self, actions: Float[Array, "time action"]) -> Float[Array, "time action"]:
        """The actions themselves."""
        return actions

    def drive(
        self, latent: Float[Array, " latent"], controls: Float[Array, "time action"]
    ) -> Float[Array, "time latent"]:
        """Latent states after each action, one step after another."""

        def step(z: Array, action: Array) -> tuple[Array, Array]:
            z = self.operator(z, action)
            return z, z

        return lax.scan(step, latent, controls)[1]


class Bilinear(AbstractDynamicsLearner):
    """The bilinear Koopman model of arXiv:2111.01365 on windows, as the other models are fitted."""

    latent: int = 176
    """Real latent coordinates."""
    reencode_every: int = 0
    """Encode the decoded state again after so many steps, in training and prediction; 0 never."""
    learning_rate: float = 1e-3
    """Peak rate of Adam; it warms up, then falls to 1 % along a cosine."""

    def build(self, heads_of: Any, obs_dim: int, action_dim: int, *, key: Key) -> BilinearDynamics:
        heads_key, model_key = jr.split(key)
        return BilinearDynamics(
            heads_of(self.latent, self.hidden, heads_key), obs_dim, action_dim, self.latent,
            reencode_every=self.reencode_every, key=model_key,
        )  # fmt: skip
