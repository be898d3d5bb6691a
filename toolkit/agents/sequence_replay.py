"""Replay of sequences with priorities (arXiv:1511.05952), for agents that learn by unrolling."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Int

from toolkit.agents.replay import Replay
from toolkit.data.samplers import Transitions
from toolkit.types import Key

_BLOCK = 1024  # rows that are summed together, so that float32 suffices for millions of rows
_LEAST, _MOST = 1e-6, 1e4


class Sequences(eqx.Module):
    """A batch of steps in a row, time first.

    A step is `valid` if no episode ended between the start and it; what comes after is another
    episode's. `weight` corrects the loss for the uneven drawing, and `index` is where each start
    lies in the replay.
    """

    obs: Float[Array, "batch obs"]  # of the start
    action: Float[Array, "time batch action"]
    reward: Float[Array, "time batch"]
    next_obs: Float[Array, "time batch obs"]
    terminal: Bool[Array, "time batch"]
    valid: Bool[Array, "time batch"]
    weight: Float[Array, " batch"]
    index: Int[Array, " batch"]

    def at(self, steps: Int[Array, " chosen"]) -> Sequences:
        """The chosen steps of every sequence, counted from 0, and the same starts."""
        timed = lambda s: (s.action, s.reward, s.next_obs, s.terminal, s.valid)
        return eqx.tree_at(timed, self, replace_fn=lambda x: x[steps])


class SequenceReplay(eqx.Module):
    """A ring of transitions, in which `num_envs` copies of an environment take turns.

    Every row may start a sequence. A row goes on in its copy's next one if that begins with its
    successor, so the ends of episodes need not be marked.

    `priorities` are |TD error|^α, as what they are drawn by; 0 where there is no row yet.
    """

    replay: Replay
    priorities: Float[Array, " capacity"]
    num_envs: int = eqx.field(static=True)

    @classmethod
    def empty(cls, capacity: int, obs_dim: int, action_dim: int, num_envs: int) -> SequenceReplay:
        """Room for `capacity` transitions, a multiple of `num_envs`.

        Raises:
            UserError: `capacity` is below one.
        """
        replay = Replay.empty(capacity, obs_dim, action_dim)
        return cls(replay, jnp.zeros(capacity), num_envs)

    @property
    def count(self) -> Int[Array, ""]:
        """Transitions ever added."""
        return self.replay.count

    def add(self, batch: Transitions) -> SequenceReplay:
        """The replay with steps of all copies, oldest first, as likely as the likeliest of before.

        The capacity is a multiple of the batch's size.
        """
        rows, most = len(batch.reward), jnp.max(self.priorities)
        at = (self.count % self.replay.capacity + jnp.arange(rows)) % self.replay.capacity
        priorities = self.priorities.at[at].set(jnp.where(most > 0, most, 1.0))
        return SequenceReplay(self.replay.add(batch), priorities, self.num_envs)

    def sample(self, batch_size: int, horizon: int, *, correction: float, key: Key) -> Sequences:
        """`batch_size` sequences of `horizon` steps, drawn by priority, with replacement.

        The weights are (N·P)^−β, β the `correction`, as shares of the largest in the batch.
        """
        capacity = self.replay.capacity
        start = draw(self.priorities, batch_size, key=key)
        steps = jnp.arange(horizon)[:, None] * self.num_envs
        rows = self.replay.rows[(start[None] + steps) % capacity]
        found = _columns(rows, self.replay.obs_dim)
        filled = jnp.minimum(self.count, capacity)
        age = (start - (self.count - filled)) % capacity  # rows that are older than the start
        known = age[None] + steps < filled
        goes_on = jnp.all(found.next_obs[:-1] == found.obs[1:], axis=-1) & ~found.terminal[:-1]
        unbroken = jnp.cumprod(goes_on & known[1:], axis=0, dtype=jnp.int32) > 0
        valid = jnp.concatenate([known[:1], unbroken])
        share = self.priorities[start] / jnp.sum(self.priorities)
        weight = (filled.astype(jnp.float32) * share) ** -correction
        return Sequences(
            found.obs[0], found.action, found.reward, found.next_obs, found.terminal, valid,
            weight / jnp.max(weight), start,
        )  # fmt: skip

    def reprioritised(
        self, index: Int[Array, " batch"], error: Float[Array, " batch"], exponent: float
    ) -> Float[Array, " capacity"]:
        """The priorities with |TD error|^α for these rows, α the `exponent`; of a row that was
        drawn twice the greater one, so that no order of writing decides.
        """
        priority = (jnp.minimum(error, _MOST) + _LEAST) ** exponent
        return self.priorities.at[index].set(0.0).at[index].max(priority)


def draw(weights: Float[Array, " rows"], count: int, *, key: Key) -> Int[Array, " count"]:
    """`count` rows, each with a probability that is proportional to its weight."""
    blocks = jnp.pad(weights, (0, -len(weights) % _BLOCK)).reshape(-1, _BLOCK)
    block_key, row_key = jr.split(key)
    block = _invert(jnp.cumsum(blocks.sum(1))[None].repeat(count, 0), block_key)
    return block * _BLOCK + _invert(jnp.cumsum(blocks[block], axis=1), row_key)


def _invert(cumulated: Float[Array, "count items"], key: Key) -> Int[Array, " count"]:
    """One item of each row of cumulated weights; never one without weight."""
    at = jr.uniform(key, (len(cumulated), 1), maxval=1 - 1e-6) * cumulated[:, -1:]
    return jnp.sum(cumulated <= at, axis=1, dtype=jnp.int32)


class _Columns(eqx.Module):
    obs: Array
    action: Array
    next_obs: Array
    reward: Array
    terminal: Array


def _columns(rows: Float[Array, "time batch width"], n: int) -> _Columns:
    """The parts of the replay's rows."""
    return _Columns(
        rows[..., :n], rows[..., n : -n - 2], rows[..., -n - 2 : -2], rows[..., -2],
        rows[..., -1] > 0.5,
    )  # fmt: skip
