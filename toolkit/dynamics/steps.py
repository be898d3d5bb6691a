"""Which steps of a prediction are looked at."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Int

from toolkit.types import Key


class Steps(eqx.Module):
    """Steps of a piece, ascending and counted from 1.

    `stride` is the distance between neighbours where all have the same, else 0: a model that can
    reach every stride-th state at once need not visit those between. With `ends`, one more step
    follows at any distance, the last of the piece.
    """

    at: Int[Array, " steps"]
    stride: int = eqx.field(static=True, default=0)
    ends: bool = eqx.field(static=True, default=False)

    @classmethod
    def every(cls, length: int) -> Steps:
        """All steps 1…length."""
        return cls(jnp.arange(1, length + 1), 1)

    @classmethod
    def spread(cls, length: int, count: int, *, key: Key) -> Steps:
        """About `count` of the steps 1…length, evenly spaced, with a random offset.

        Each is met equally often where the stride divides the length. Elsewhere some of those
        between the ends are met twice as often as the others.
        """
        stride = -(-length // min(count, length))
        count = length // stride
        offset = jr.randint(key, (), 0, length - (count - 1) * stride)
        return cls(1 + offset + stride * jnp.arange(count), stride)

    def to_end(self, length: int) -> Steps:
        """These steps and the last one of a piece of `length` steps, which they must precede."""
        return Steps(jnp.append(self.at, length), self.stride, ends=True)
