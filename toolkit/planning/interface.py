"""What a planner needs to know of the problem that it plans in."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from toolkit.types import Key, Obs


class AbstractProblem(eqx.Module):
    """Values of action sequences from one start, actions in [−1, 1].

    Sequences are `(horizon, candidates, action)`, time first, because a recurrence over time then
    runs at memory speed.
    """

    action_dim: eqx.AbstractVar[int]

    @abstractmethod
    def start(self, obs: Obs) -> Any:
        """What all candidates start from: the observation, or its latent state."""

    @abstractmethod
    def values(
        self, start: Any, actions: Float[Array, "horizon candidates action"],
        length: Int[Array, ""],
    ) -> Float[Array, " candidates"]:  # fmt: skip
        """The value of each sequence, of which only the first `length` actions count."""

    def proposals(
        self, start: Any, horizon: int, count: int, *, key: Key
    ) -> Float[Array, "horizon proposals action"]:
        """About `count` sequences to consider beside the sampled ones; none unless there is a
        policy to make them.
        """
        return jnp.zeros((horizon, 0, self.action_dim))


def discounts(discount: float, horizon: int, length: Int[Array, ""]) -> Float[Array, " horizon"]:
    """γᵗ for t = 0…horizon − 1, and 0 from `length` on."""
    steps = jnp.arange(horizon)
    return jnp.where(steps < length, discount ** steps.astype(jnp.float32), 0.0)
