"""The MLP baseline: a latent state and an action in, the next latent state out."""

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
from toolkit.types import Key, Obs


class MLPDynamics(AbstractDynamics):
    """z' = norm(z + W₂·silu(W₁·z + U·f(a))): two linear layers and a non-linearity, with a skip.

    Every latent state is standardised over its coordinates, the encoded one too. Without that
    bound a model trained on 10 steps runs away over 100, to errors of 10⁸. The actions' part of
    the first layer is computed for all steps at once.

    Shapes: latent `(latent,)`.
    Source: the MLP model of arXiv:2306.11941 §4.1; the skip and the norm are ours.
    """

    heads: Heads
    memory: Float[Array, " obs"]
    action_encoder: MLP
    inner: Linear
    outer: Linear
    reencode_every: int = eqx.field(static=True)

    def __init__(
        self,
        heads: Heads,
        obs_dim: int,
        action_dim: int,
        latent_dim: int,
        width: int,
        *,
        action_hidden: int = 64,
        reencode_every: int = 0,
        key: Key,
    ):
        keys = jr.split(key, 3)
        self.heads, self.memory = heads, jnp.full(obs_dim, -3.0)
        self.action_encoder = two_layers(action_dim, action_hidden, width, key=keys[0])
        self.inner = Linear(latent_dim, width, key=keys[1])
        self.outer = Linear(width, latent_dim, key=keys[2])
        self.reencode_every = reencode_every

    def encode(self, obs: Obs) -> Float[Array, " latent"]:
        """g_θ(s), standardised."""
        return jax.nn.standardize(super().encode(obs))

    def controls(self, actions: Float[Array, "time action"]) -> Float[Array, "time width"]:
        """The actions' part of every hidden layer, for all steps at once."""
        return jax.vmap(self.action_encoder)(actions)

    def drive(
        self, latent: Float[Array, " latent"], controls: Float[Array, "time width"]
    ) -> Float[Array, "time latent"]:
        """Latent states after each control, one step after another."""

        def step(z: Array, control: Array) -> tuple[Array, Array]:
            z = jax.nn.standardize(z + self.outer(jax.nn.silu(self.inner(z) + control)))
            return z, z

        return lax.scan(step, latent, controls)[1]


class MLPModel(AbstractDynamicsLearner):
    """The MLP baseline of arXiv:2306.11941, trained on windows of 10 steps as there."""

    latent: int = 192
    """Real latent coordinates."""
    width: int = 480
    """Width of the dynamics' hidden layer."""
    horizon: int = 10
    """Length of the training windows, in environment steps; the paper's MLP fails beyond 10."""
    reencode_every: int = 0
    """Encode the decoded state again after so many steps, in training and prediction; 0 never."""
    learning_rate: float = 1e-3
    """Peak rate of Adam; it warms up, then falls to 1 % along a cosine."""

    def build(self, heads_of: Any, obs_dim: int, action_dim: int, *, key: Key) -> MLPDynamics:
        heads_key, model_key = jr.split(key)
        return MLPDynamics(
            heads_of(self.latent, self.hidden, heads_key), obs_dim, action_dim, self.latent,
            self.width, action_hidden=self.action_hidden, reencode_every=self.reencode_every,
            key=model_key,
        )  # fmt: skip
