"""Transitions with episode structure, on the device."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from toolkit.errors import UserError


@dataclass(frozen=True)
class Source:
    """Where a dataset came from: what a result must say about its data.

    `history` lists what was done to it since (sub-sampling, filters, splits), in words.
    """

    name: str = "arrays"
    sha256: str | None = None
    env: str | None = None
    dt: float | None = None  # seconds between rows, where known
    history: tuple[str, ...] = field(default=())

    def then(self, step: str) -> Source:
        """The same source with one more step in its history."""
        return replace(self, history=(*self.history, step))


class Dataset(eqx.Module):
    """Transitions in the order in which they were recorded, episodes back to back.

    `terminal` is a true end (a fall, a goal); `timeout` is a cut-off, after which the world would
    have gone on. Either closes an episode, and only `terminal` stops bootstrapping. `valid_next`
    says that the stored successor is what really followed; where it is false (for instance the
    next episode's reset state behind a terminal row) the row is not used to fit dynamics. The
    last row of an episode always carries one of the two flags.

    Shapes: `rows` leads every array; float32 and bool, on the default device.
    """

    observations: Float[Array, "rows obs"]
    actions: Float[Array, "rows action"]
    rewards: Float[Array, " rows"]
    next_observations: Float[Array, "rows obs"]
    terminal: Bool[Array, " rows"]
    timeout: Bool[Array, " rows"]
    valid_next: Bool[Array, " rows"]
    episode: Int[Array, " rows"]
    source: Source = eqx.field(static=True, default=Source())

    @classmethod
    def from_arrays(
        cls,
        observations: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        next_observations: np.ndarray | None = None,
        *,
        terminal: np.ndarray | None = None,
        timeout: np.ndarray | None = None,
        valid_next: np.ndarray | None = None,
        source: Source | None = None,
    ) -> Dataset:
        """Check, complete and move arrays to the device.

        Without `next_observations` the successor of a row is the row after it, and the last row
        of each episode has none. Episodes end at `terminal | timeout` and at the last row.

        Raises:
            UserError: an array has the wrong shape, or a row is not finite.
        """
        obs = _matrix("observations", observations)
        rows = len(obs)
        act = _matrix("actions", actions, rows)
        reward = _column("rewards", rewards, rows, np.float32)
        ends_true = _column("terminal", _or_zeros(terminal, rows), rows, bool)
        cut = _column("timeout", _or_zeros(timeout, rows), rows, bool)
        cut[-1] = True  # the recording stopped here, whatever the file says
        cut &= ~ends_true
        ends = ends_true | cut
        valid = _column(
            "valid_next", np.ones(rows, bool) if valid_next is None else valid_next, rows, bool
        )
        if next_observations is None:
            successor, valid = np.concatenate([obs[1:], obs[-1:]]), valid & ~ends
        else:
            successor = _successors(next_observations, obs)
        for name, values in [
            ("observations", obs), ("actions", act), ("rewards", reward[:, None]),
            ("next_observations", np.where(valid[:, None], successor, 0)),
        ]:  # fmt: skip
            _check_finite(name, values)
        successor = np.nan_to_num(successor, nan=0.0, posinf=0.0, neginf=0.0)  # invalid rows only
        columns = (obs, act, reward, successor, ends_true, cut, valid, _episode_ids(ends))
        return cls(*(jnp.asarray(a) for a in columns), source=source or Source())

    @property
    def num_transitions(self) -> int:
        """Number of rows."""
        return self.observations.shape[0]

    @property
    def obs_dim(self) -> int:
        """Number of observation coordinates."""
        return self.observations.shape[1]

    @property
    def action_dim(self) -> int:
        """Number of action coordinates."""
        return self.actions.shape[1]

    @property
    def num_episodes(self) -> int:
        """Number of episodes (or segments, where a file was cut)."""
        return int(self.episode[-1]) + 1

    def episode_bounds(self) -> np.ndarray:
        """First row and row after the last, per episode: `(num_episodes, 2)` on the host."""
        episode = np.asarray(self.episode)
        first = np.flatnonzero(np.diff(episode, prepend=-1))
        return np.stack([first, np.append(first[1:], len(episode))], axis=1)

    def take_episodes(self, ids: np.ndarray, step: str) -> Dataset:
        """The chosen episodes, in the order given, renumbered; `step` goes into the history.

        Raises:
            UserError: no episode is chosen, or an id is out of range.
        """
        bounds = self.episode_bounds()
        ids = np.asarray(ids, int)
        if ids.size == 0:
            raise UserError("No episode was chosen, so there is nothing to make a dataset of.")
        if ids.min() < 0 or ids.max() >= len(bounds):
            raise UserError(
                f"Episode ids must lie in 0..{len(bounds) - 1}, got {ids.min()}..{ids.max()}."
            )
        return self.take_rows(np.concatenate([np.arange(*bounds[i]) for i in ids]), step)

    def take_rows(self, rows: np.ndarray, step: str) -> Dataset:
        """The chosen rows in the order given, cut wherever two are no longer neighbours.

        A cut is a timeout, because the world went on; `step` goes into the history.
        """
        rows = np.asarray(rows, int)
        obs, action, reward, next_obs, terminal, timeout, valid = (
            np.asarray(column)[rows]  # on the host: nothing to compile for a new shape
            for column in (
                self.observations, self.actions, self.rewards, self.next_observations,
                self.terminal, self.timeout, self.valid_next,
            )
        )  # fmt: skip
        ends = terminal | timeout | (np.diff(rows, append=-1) != 1)
        columns = (obs, action, reward, next_obs, terminal, ends & ~terminal, valid)
        return Dataset(
            *map(jnp.asarray, (*columns, _episode_ids(ends))), source=self.source.then(step)
        )

    def __repr__(self) -> str:
        return (
            f"Dataset({self.source.name!r}: {self.num_transitions} transitions in "
            f"{self.num_episodes} episodes, obs {self.obs_dim}, action {self.action_dim}, "
            f"{int(self.terminal.sum())} terminals, {int(self.timeout.sum())} timeouts)"
        )


def _or_zeros(values: np.ndarray | None, rows: int) -> np.ndarray:
    return np.zeros(rows, bool) if values is None else values


def _episode_ids(ends: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(ends[:-1])]).astype(np.int32)


def _numbers(name: str, values: np.ndarray, dtype: type) -> np.ndarray:
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as infinite
            return np.array(values, dtype)
    except (TypeError, ValueError):
        raise UserError(
            f"`{name}` must hold numbers, got {np.asarray(values).dtype} values."
        ) from None


def _matrix(name: str, values: np.ndarray, rows: int | None = None) -> np.ndarray:
    array = _numbers(name, values, np.float32)
    if array.ndim != 2 or 0 in array.shape:
        raise UserError(f"`{name}` must be a non-empty (rows, dims) array, got {array.shape}.")
    if rows is not None and len(array) != rows:
        raise UserError(f"`{name}` must have {rows} rows like `observations`, got {len(array)}.")
    return array


def _successors(values: np.ndarray, obs: np.ndarray) -> np.ndarray:
    array = _matrix("next_observations", values, len(obs))
    if array.shape != obs.shape:
        raise UserError(
            f"`next_observations` must have the shape of `observations` {obs.shape}, "
            f"got {array.shape}."
        )
    return array


def _column(name: str, values: np.ndarray, rows: int, dtype: type) -> np.ndarray:
    array = _numbers(name, values, dtype)
    if array.size != rows or array.ndim > 2 or (array.ndim == 2 and array.shape[1] != 1):
        raise UserError(f"`{name}` must have {rows} rows like `observations`, got {array.shape}.")
    return array.reshape(rows)


def _check_finite(name: str, values: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(1))
    if bad.size:
        raise UserError(
            f"`{name}` is not finite in {bad.size} of {len(values)} rows, the first being row "
            f"{bad[0]}; `toolkit data check` lists them."
        )
