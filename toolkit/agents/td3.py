"""What agents with a deterministic actor share: targets, losses, and how they act."""

from __future__ import annotations

import jax.numpy as jnp
import jax.random as jr
from jax.lax import stop_gradient
from jaxtyping import Array, Bool, Float

from toolkit.agents.interface import AbstractPolicy, Memory
from toolkit.agents.networks import TanhActor, TwinCritic
from toolkit.data.samplers import Transitions
from toolkit.types import Action, Key, Obs, Scalar


class DeterministicPolicy(AbstractPolicy):
    """Acts with π(s)."""

    actor: TanhActor

    def __call__(self, obs: Obs, memory: Memory, *, key: Key) -> tuple[Action, Memory]:
        return self.actor(obs), memory


def smoothed(
    action: Float[Array, "batch action"], noise: float, clip: float, *, key: Key
) -> Float[Array, "batch action"]:
    """clip(a + clip(ε, ±`clip`), ±1) with ε ~ N(0, `noise`²): target policy smoothing.

    Source: arXiv:1802.09477 Eq. 14.
    """
    epsilon = jnp.clip(noise * jr.normal(key, action.shape), -clip, clip)
    return jnp.clip(action + epsilon, -1.0, 1.0)


def td_target(
    target: TwinCritic,
    batch: Transitions,
    next_action: Float[Array, "batch action"],
    discount: float,
) -> Float[Array, " batch"]:
    """y = r + γ(1 − d)·min_j Q̄_j(s′, a′): clipped double Q-learning (arXiv:1802.09477 Eq. 10)."""
    value = target.least(batch.next_obs, next_action)
    return batch.reward + discount * jnp.where(batch.terminal, 0.0, value)


def critic_loss(
    critic: TwinCritic,
    batch: Transitions,
    y: Float[Array, " batch"],
    used: Bool[Array, " batch"] | None = None,
) -> Scalar:
    """Σ_j mean (Q_j(s, a) − y)², over the transitions that are `used` (all, if not given).

    Source: arXiv:1802.09477 Algorithm 1; arXiv:1812.05905 Eq. 5, both critics.
    """
    squared = jnp.square(critic(batch.obs, batch.action) - y[None])
    if used is None:
        return jnp.sum(jnp.mean(squared, axis=1))
    weight = used.astype(jnp.float32)
    return jnp.sum(squared * weight[None]) / jnp.sum(weight)


def normalised_value(values: Float[Array, " batch"], used: Bool[Array, " batch"]) -> Scalar:
    """mean Q / mean |Q|, the divisor held constant, over the values that are `used`.

    The scale of the rewards then does not change how much the critic counts beside a constraint
    (arXiv:2106.06860 Eq. 5).
    """
    weight = used.astype(jnp.float32) / jnp.sum(used.astype(jnp.float32))
    return jnp.sum(weight * values) / stop_gradient(jnp.sum(weight * jnp.abs(values)))
