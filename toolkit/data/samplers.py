"""The two ways to draw from a dataset: single transitions, and windows of consecutive ones."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from toolkit.data.dataset import Dataset
from toolkit.errors import UserError
from toolkit.types import Key


class Transitions(eqx.Module):
    """A batch of transitions. Shapes: `(batch, …)`; `terminal` alone stops bootstrapping."""

    obs: Float[Array, "batch obs"]
    action: Float[Array, "batch action"]
    reward: Float[Array, " batch"]
    next_obs: Float[Array, "batch obs"]
    terminal: Bool[Array, " batch"]


class Window(eqx.Module):
    """Windows, time first: `horizon` actions and the `horizon + 1` states around them.

    Time leads because the latent recurrence then runs at memory speed (see
    `toolkit.spectral.propagate`).
    """

    obs: Float[Array, "states batch obs"]  # states = time + 1
    action: Float[Array, "time batch action"]
    reward: Float[Array, "time batch"]


class TransitionSampler(eqx.Module):
    """Uniform transitions. Rows without a true successor count only where they are terminal.

    With `successors_only` they do not count at all, as dynamics are fitted.

    Raises:
        UserError: no row has a known successor.
    """

    dataset: Dataset
    rows: Int[Array, " usable"]

    def __init__(self, dataset: Dataset, *, successors_only: bool = False):
        known = np.asarray(dataset.valid_next)
        usable = np.flatnonzero(known if successors_only else known | np.asarray(dataset.terminal))
        if usable.size == 0:
            raise UserError(f"{dataset.source.name!r} has no row with a known successor.")
        self.dataset, self.rows = dataset, jnp.asarray(usable, jnp.int32)

    def sample(self, batch_size: int, *, key: Key) -> Transitions:
        """`batch_size` transitions, with replacement. Runs inside compiled code."""
        return transitions_at(
            self.dataset, self.rows[jr.randint(key, (batch_size,), 0, self.rows.size)]
        )

    def everything(self) -> Transitions:
        """Every transition once."""
        return transitions_at(self.dataset, self.rows)


def transitions_at(data: Dataset, at: Int[Array, " batch"]) -> Transitions:
    """The transitions of these rows."""
    return Transitions(
        data.observations[at], data.actions[at], data.rewards[at], data.next_observations[at],
        data.terminal[at],
    )  # fmt: skip


class WindowSampler(eqx.Module):
    """Uniform windows of `horizon` transitions; none crosses an episode or an invalid successor.

    Raises:
        UserError: `horizon` is below one, or no episode is long enough for it.
    """

    dataset: Dataset
    starts: Int[Array, " windows"]
    horizon: int = eqx.field(static=True)

    def __init__(self, dataset: Dataset, horizon: int):
        if horizon < 1:
            raise UserError(f"`horizon` must be at least 1, got {horizon}.")
        self.dataset, self.horizon = dataset, horizon
        runs = run_lengths(dataset)
        starts = np.flatnonzero(runs >= horizon)
        if starts.size == 0:
            raise UserError(
                f"`horizon` is {horizon}, but the longest unbroken run in {dataset.source.name!r} "
                f"has {runs.max()} transitions; choose a shorter horizon or other data."
            )
        self.starts = jnp.asarray(starts, jnp.int32)

    @property
    def num_windows(self) -> int:
        """How many different windows there are."""
        return self.starts.size

    def sample(self, batch_size: int, *, key: Key) -> Window:
        """`batch_size` windows, with replacement. Runs inside compiled code."""
        return self.gather(self.starts[jr.randint(key, (batch_size,), 0, self.starts.size)])

    def gather(self, starts: Int[Array, " batch"]) -> Window:
        """The windows that begin at these rows."""
        data = self.dataset
        at = jnp.arange(self.horizon)[:, None] + starts[None, :]  # (time, batch)
        last = data.next_observations[at[-1]]
        return Window(
            jnp.concatenate([data.observations[at], last[None]]), data.actions[at], data.rewards[at]
        )


def run_lengths(dataset: Dataset) -> np.ndarray:
    """For each row, how many transitions can be followed from it, itself included: `(rows,)`."""
    valid = np.asarray(dataset.valid_next)
    _, stop = dataset.episode_bounds()[np.asarray(dataset.episode)].T
    rows = np.arange(len(valid))
    next_break = np.minimum.accumulate(np.where(valid, len(valid), rows)[::-1])[::-1]
    return np.minimum(stop, next_break) - rows
