"""Where episodes end, and which stored successors are true: inferred once, for every reader."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.data.arrays import RawArrays

DEFAULT_MAX_EPISODE_STEPS = 1000


@dataclass(frozen=True)
class Structure:
    """Episode structure of raw arrays; every array is `(rows,)` and boolean.

    `follows[i]` says that row i's successor is row i + 1 (true without stored successors, false
    on the last row). `to_reset` marks rows whose successor is another episode's first state.
    """

    terminal: np.ndarray
    timeout: np.ndarray
    valid_next: np.ndarray
    follows: np.ndarray
    to_reset: np.ndarray

    @property
    def ends(self) -> np.ndarray:
        """Last rows of episodes."""
        return self.terminal | self.timeout

    def bounds(self) -> np.ndarray:
        """First row and row after the last, per episode: `(episodes, 2)`."""
        stops = np.flatnonzero(self.ends) + 1
        return np.stack([np.concatenate([[0], stops[:-1]]), stops], axis=1)


def infer_structure(raw: RawArrays) -> Structure:
    """Complete the flags of a file so that no pair and no window crosses an episode.

    A terminal ends an episode. So does a stored timeout, a row whose stored successor is not the
    row after it, and a row whose successor is a reset state. Without `timeouts`, an episode also
    ends at the limit of the named task, if the dimensions are that task's, and, where there are no
    successors to compare, after 1000 rows for unknown tasks, as `d4rl.qlearning_dataset` counts.

    A stored successor is false behind a row whose successor is a reset state: D4RL's
    `qlearning_dataset` pairs terminal rows with the next episode's first observation.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are others' business
        return _infer(raw)


def _infer(raw: RawArrays) -> Structure:
    obs = raw.observations
    terminal = flag(raw.terminals, len(obs))
    follows = _follows(obs, raw.next_observations)
    timeout = flag(raw.timeouts, len(obs)) | ~(follows | terminal)
    limit = _step_limit(raw)
    counted = _count_off(terminal | timeout, limit) if limit else np.zeros(len(obs), bool)
    timeout |= counted
    to_reset = _to_reset(obs, raw.next_observations, terminal, timeout, follows)
    timeout = (timeout | to_reset) & ~terminal
    valid = ~(to_reset | (counted & follows))
    if raw.next_observations is None:
        valid &= ~(terminal | timeout)
    if raw.valid_next is not None:
        valid &= flag(raw.valid_next, len(obs))
    return Structure(terminal, timeout, valid, follows, to_reset)


def flag(values: np.ndarray | None, rows: int) -> np.ndarray:
    """A fresh boolean `(rows,)` column; an absent one is all false."""
    if values is None:
        return np.zeros(rows, bool)
    return np.array(values).reshape(rows).astype(bool)


def _follows(obs: np.ndarray, successor: np.ndarray | None) -> np.ndarray:
    """Whether each row's stored successor is the next row, up to 1e-4 standard deviations."""
    follows = np.ones(len(obs), bool)
    follows[-1] = False
    if successor is not None:
        for column, stored in zip(obs.T, successor.T, strict=True):  # one at a time saves memory
            tolerance = 1e-4 * column.std(dtype=np.float64)
            follows[:-1] &= np.abs(column[1:] - stored[:-1]) <= tolerance
    return follows


def _step_limit(raw: RawArrays) -> int | None:
    if raw.timeouts is not None:
        return None
    if raw.fitting_task is not None:
        return raw.fitting_task.max_episode_steps
    return DEFAULT_MAX_EPISODE_STEPS if raw.next_observations is None else None


def _count_off(ends: np.ndarray, limit: int) -> np.ndarray:
    """Rows at which the step count since the last end reaches `limit`."""
    rows = np.arange(len(ends))
    starts = np.concatenate([[0], np.flatnonzero(ends[:-1]) + 1])
    first = starts[np.searchsorted(starts, rows, side="right") - 1]
    return ((rows - first + 1) % limit == 0) & ~ends


def _to_reset(
    obs: np.ndarray,
    successor: np.ndarray | None,
    terminal: np.ndarray,
    timeout: np.ndarray,
    follows: np.ndarray,
) -> np.ndarray:
    """Rows whose stored successor is the first state of another episode.

    Certain where a terminal row's successor is the following row. Otherwise judged by distance
    (root mean square of z-scores) to the median first state: successors within four times the
    first states' own median distance, reached in one jump from twice that radius (behind a
    terminal) or from half the typical distance of all rows (elsewhere). Nothing is decided where
    first states are not ten times tighter than the data.
    """
    if successor is None:
        return np.zeros(len(obs), bool)
    certain = terminal & follows
    ends = terminal | timeout
    starts = np.concatenate([[0], np.flatnonzero(ends[:-1]) + 1])
    if len(starts) < 3:
        return certain
    center = np.median(obs[starts], axis=0)
    scale = np.array([column.std(dtype=np.float64) for column in obs.T]) + 1e-12
    far = _distance(obs, center, scale)
    radius = 4 * np.median(far[starts])
    if not 0 < radius < 0.1 * np.median(far):
        return certain
    near = _distance(successor, center, scale) <= radius
    jumped = np.where(terminal, far > 2 * radius, far > 0.5 * np.median(far))
    return certain | (near & jumped)


def _distance(points: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    total = np.zeros(len(points))
    for column, middle, unit in zip(points.T, center, scale, strict=True):
        total += ((column - middle) / unit) ** 2
    return np.sqrt(total / len(center))
