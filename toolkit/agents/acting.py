"""Policies on many copies of an environment at once."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Shaped

from toolkit.agents.interface import AbstractPolicy, Memory
from toolkit.data.normaliser import Normaliser
from toolkit.types import Action, Key, Obs


class NormalisedPolicy(AbstractPolicy):
    """A policy that was trained on normalised observations, for raw ones."""

    policy: AbstractPolicy
    normaliser: Normaliser

    def memory(self) -> Memory:
        return self.policy.memory()

    def __call__(self, obs: Obs, memory: Memory, *, key: Key) -> tuple[Action, Memory]:
        return self.policy(self.normaliser.normalise(obs), memory, key=key)


def initial_memories(policy: AbstractPolicy, copies: int) -> Any:
    """What each copy's policy carries at the start of an episode: a leading axis of `copies`."""
    return jax.tree.map(lambda leaf: jnp.repeat(leaf[None], copies, axis=0), policy.memory())


@eqx.filter_jit
def act(
    policy: AbstractPolicy, obs: Shaped[Array, "envs ..."], memory: Any, key: Key
) -> tuple[Float[Array, "envs action"], Any]:
    """Actions of all copies, and their memories after them."""
    keys = jr.split(key, len(obs))
    return jax.vmap(lambda o, m, k: policy(o, m, key=k))(obs, memory, keys)


@eqx.filter_jit
def restart_memories(policy: AbstractPolicy, memory: Any, ended: Bool[Array, " envs"]) -> Any:
    """The memories, with those of ended episodes back at their start."""

    def choose(fresh: Array, old: Array) -> Array:
        return jnp.where(ended.reshape(-1, *[1] * (fresh.ndim - 1)), fresh, old)

    return jax.tree.map(choose, initial_memories(policy, len(ended)), memory)
