"""The planning problem of TD-MPC: rewards in the latent, and a value behind them."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Float, Int

from toolkit.agents.tdmpc_losses import least_value
from toolkit.agents.world_model import Latent, LatentPolicy, WorldModel, with_noise
from toolkit.planning.interface import AbstractProblem, discounts
from toolkit.types import Key, Obs


class LatentProblem(AbstractProblem):
    """Σ γᵗ·R(z_t, a_t) + γᴴ·min_j Q_j(z_H, π(z_H)), and the policy's own sequences as proposals.

    Source: arXiv:2203.04955 Eq. 3 and §3; arXiv:2306.11941 Eq. 3 with a value behind the horizon.
    """

    model: WorldModel
    policy: LatentPolicy
    discount: float = eqx.field(static=True)
    policy_noise: float = eqx.field(static=True)
    action_dim: int = eqx.field(static=True)

    def __init__(
        self, model: WorldModel, policy: LatentPolicy, discount: float, policy_noise: float
    ):
        self.model, self.policy = model, policy
        self.discount, self.policy_noise = discount, policy_noise
        self.action_dim = policy.net.layers[-1].bias.size

    def start(self, obs: Obs) -> Latent:
        return self.model.encode(obs)

    def values(
        self, start: Latent, actions: Float[Array, "horizon candidates action"],
        length: Int[Array, ""],
    ) -> Float[Array, " candidates"]:  # fmt: skip
        horizon, candidates, _ = actions.shape
        first = jnp.broadcast_to(start, (candidates, *start.shape))
        latents = jnp.concatenate([first[None], self.model.dynamics.rollout(first, actions)])
        rewards = jax.vmap(jax.vmap(self.model.reward))(latents[:-1], actions)
        last = lax.dynamic_slice_in_dim(latents, length, 1)
        behind = least_value(self.model.values, last, jax.vmap(jax.vmap(self.policy))(last))[0]
        within = jnp.sum(discounts(self.discount, horizon, length)[:, None] * rewards, axis=0)
        return within + self.discount ** length.astype(jnp.float32) * behind

    def proposals(
        self, start: Latent, horizon: int, count: int, *, key: Key
    ) -> Float[Array, "horizon proposals action"]:
        def step(latents: Array, key: Key) -> tuple[Array, Array]:
            action = with_noise(jax.vmap(self.policy)(latents), self.policy_noise, key=key)
            return jax.vmap(self.model.dynamics.step)(latents, action), action

        first = jnp.broadcast_to(start, (count, *start.shape))
        return lax.scan(step, first, jr.split(key, horizon))[1]
