"""What agents with a deterministic actor share: targets, losses, and how they act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import optax
from jax.lax import stop_gradient
from jaxtyping import Array, Bool, Float, Int

from toolkit.agents.interface import AbstractPolicy, Memory
from toolkit.agents.networks import TanhActor, TwinCritic, polyak
from toolkit.data.samplers import Transitions
from toolkit.training.learner import Metrics
from toolkit.training.optimise import gradient_step
from toolkit.types import Action, Key, Obs, Scalar


class AbstractTD3State(eqx.Module):
    """Actor, critics, the targets of both, and two optimisers: what any agent on TD3 holds."""

    actor: eqx.AbstractVar[TanhActor]
    critic: eqx.AbstractVar[TwinCritic]
    target_actor: eqx.AbstractVar[TanhActor]
    target_critic: eqx.AbstractVar[TwinCritic]
    opt_actor: eqx.AbstractVar[Any]
    opt_critic: eqx.AbstractVar[Any]
    update_count: eqx.AbstractVar[Int[Array, ""]]


State = TypeVar("State", bound=AbstractTD3State)


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


def critic_step(
    state: State,
    optimiser: optax.GradientTransformation,
    batch: Transitions,
    y: Float[Array, " batch"],
    used: Bool[Array, " batch"] | None = None,
) -> tuple[State, Scalar]:
    """One step of the critics along `critic_loss`, counted as an update; and that loss."""
    loss, grads = eqx.filter_value_and_grad(critic_loss)(state.critic, batch, y, used)
    critic, opt_critic = gradient_step(optimiser, state.critic, grads, state.opt_critic)
    count = state.update_count + 1
    return replace(state, critic=critic, opt_critic=opt_critic, update_count=count), loss


def actor_step(
    state: State,
    optimiser: optax.GradientTransformation,
    loss: Callable[[TanhActor], tuple[Scalar, Metrics]],
    target_rate: float,
) -> tuple[State, Metrics]:
    """One step of the actor along a loss, and one of every target after it.

    The metrics are the loss's own, and the loss as `loss/actor`.
    """
    (total, terms), grads = eqx.filter_value_and_grad(loss, has_aux=True)(state.actor)
    actor, opt_actor = gradient_step(optimiser, state.actor, grads, state.opt_actor)
    state = replace(
        state, actor=actor, opt_actor=opt_actor,
        target_actor=polyak(state.target_actor, actor, target_rate),
        target_critic=polyak(state.target_critic, state.critic, target_rate),
    )  # fmt: skip
    return state, terms | {"loss/actor": total}


def normalised_value(values: Float[Array, " batch"], used: Bool[Array, " batch"]) -> Scalar:
    """mean Q / mean |Q|, the divisor held constant, over the values that are `used`.

    The scale of the rewards then does not change how much the critic counts beside a constraint
    (arXiv:2106.06860 Eq. 5).
    """
    weight = used.astype(jnp.float32) / jnp.sum(used.astype(jnp.float32))
    return jnp.sum(weight * values) / stop_gradient(jnp.sum(weight * jnp.abs(values)))
