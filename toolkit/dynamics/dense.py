"""A linear model with a full matrix: what a diagonal spectrum is compared with in theory."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from toolkit.dynamics.interface import AbstractDynamics, Heads, two_layers
from toolkit.nn import MLP
from toolkit.types import Key


class DenseDynamics(AbstractDynamics):
    """z' = K·z + f(a) with any real matrix K.

    Its eigenvalues alone do not bound its powers, nor the gradients through it: a non-normal K
    with |λ| < 1 can let both grow for a long time before they shrink.

    Shapes: latent `(size,)`, `matrix` `(size, size)`.
    """

    heads: Heads
    memory: Float[Array, " obs"]
    matrix: Float[Array, "latent latent"]
    action_encoder: MLP
    reencode_every: int = eqx.field(static=True)

    def __init__(
        self,
        heads: Heads,
        matrix: Float[Array, "latent latent"],
        obs_dim: int,
        action_dim: int,
        *,
        action_hidden: int = 64,
        reencode_every: int = 0,
        key: Key,
    ):
        self.heads, self.memory, self.matrix = heads, jnp.full(obs_dim, -3.0), matrix
        self.action_encoder = two_layers(action_dim, action_hidden, len(matrix), key=key)
        self.reencode_every = reencode_every

    def controls(self, actions: Float[Array, "time action"]) -> Float[Array, "time latent"]:
        """The encoded actions."""
        return jax.vmap(self.action_encoder)(actions)

    def drive(
        self, latent: Float[Array, " latent"], controls: Float[Array, "time latent"]
    ) -> Float[Array, "time latent"]:
        """Latent states after each control, one step after another."""

        def step(z: Array, control: Array) -> tuple[Array, Array]:
            z = self.matrix @ z + control
            return z, z

        return lax.scan(step, latent, controls)[1]
