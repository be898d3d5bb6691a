"""A policy at the controls of a simulated system, and what it did."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jax import Array, lax
from jaxtyping import Float, Shaped

from toolkit.agents.interface import AbstractPolicy
from toolkit.data.systems import AbstractSystem, State, advance
from toolkit.types import Key


class Episode(eqx.Module):
    """Time first: `states` and `obs` have one more than the others.

    `memories` are what the policy remembered before each step and `keys` what it drew with, so
    that any of its decisions can be made again.
    """

    states: Float[Array, "states state"]
    obs: Float[Array, "states obs"]
    actions: Float[Array, "time action"]
    rewards: Float[Array, " time"]
    memories: Any
    keys: Shaped[Array, " time"]


@eqx.filter_jit
def control(
    system: AbstractSystem, policy: AbstractPolicy, start: State, num_steps: int, *, key: Key
) -> Episode:
    """Let a policy act in the system for so many steps; actions are clipped to [−1, 1]."""

    def step(carry: tuple[State, Any], key: Key) -> tuple[tuple[State, Any], tuple]:
        state, memory = carry
        obs = system.observe(state)
        action, after = policy(obs, memory, key=key)
        action = jnp.clip(action, -1.0, 1.0)
        seen = state, obs, action, system.reward(state, action), memory
        return (advance(system, state, action), after), seen

    keys = jr.split(key, num_steps)
    (last, _), seen = lax.scan(step, (start, policy.memory()), keys)
    states, obs, actions, rewards, memories = seen
    return Episode(
        jnp.concatenate([states, last[None]]),
        jnp.concatenate([obs, system.observe(last)[None]]),
        actions, rewards, memories, keys,
    )  # fmt: skip
