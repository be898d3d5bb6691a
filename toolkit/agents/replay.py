"""Replay on the device: one row per transition, the oldest overwritten first."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from toolkit.data.samplers import Transitions
from toolkit.errors import UserError
from toolkit.types import Key


class Replay(eqx.Module):
    """A ring of transitions. A row holds s, a, s', r and the terminal flag side by side, so that
    a batch is one gather.
    """

    rows: Float[Array, "capacity width"]
    count: Int[Array, ""]  # transitions ever added
    obs_dim: int = eqx.field(static=True)

    @classmethod
    def empty(cls, capacity: int, obs_dim: int, action_dim: int) -> Replay:
        """Room for `capacity` transitions: 4·(2·obs + action + 2) bytes each.

        Raises:
            UserError: `capacity` is below one.
        """
        if capacity < 1:
            raise UserError(f"`replay_capacity` must be at least 1, got {capacity}.")
        width = 2 * obs_dim + action_dim + 2
        return cls(jnp.zeros((capacity, width)), jnp.zeros((), jnp.int32), obs_dim)

    @property
    def capacity(self) -> int:
        """Transitions kept at most."""
        return self.rows.shape[0]

    def add(self, batch: Transitions) -> Replay:
        """The replay with a batch more; the capacity is a multiple of the batch's size."""
        new = _as_rows(batch)
        rows = lax.dynamic_update_slice(
            self.rows, new, (self.count % self.capacity, jnp.zeros((), jnp.int32))
        )
        return Replay(rows, self.count + len(new), self.obs_dim)

    def add_some(self, batch: Transitions, kept: Bool[Array, " batch"]) -> Replay:
        """The replay with those of a batch that are `kept`; at most `capacity` of them."""
        new = _as_rows(batch)
        at = (self.count + jnp.cumsum(kept, dtype=jnp.int32) - 1) % self.capacity
        at = jnp.where(kept, at, self.capacity)
        rows = self.rows.at[at].set(new, mode="drop")
        return Replay(rows, self.count + jnp.sum(kept, dtype=jnp.int32), self.obs_dim)

    def sample(self, batch_size: int, *, key: Key) -> Transitions:
        """`batch_size` transitions, uniform with replacement."""
        filled = jnp.minimum(self.count, self.capacity)
        rows = self.rows[jr.randint(key, (batch_size,), 0, filled)]
        n = self.obs_dim
        return Transitions(
            rows[:, :n], rows[:, n : -n - 2], rows[:, -2], rows[:, -n - 2 : -2], rows[:, -1] > 0.5
        )


def _as_rows(batch: Transitions) -> Float[Array, "batch width"]:
    reward, terminal = batch.reward[:, None], batch.terminal[:, None].astype(jnp.float32)
    return jnp.concatenate([batch.obs, batch.action, batch.next_obs, reward, terminal], axis=1)
