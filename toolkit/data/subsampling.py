"""Smaller datasets out of larger ones, by whole episodes or by a filter on rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toolkit.data.dataset import Dataset
from toolkit.errors import UserError, check_seed

LISTED = 1000
"""Chosen episodes that are listed; more would not fit into an attribute of a file."""


def subsample_episodes(
    dataset: Dataset,
    *,
    num_episodes: int | None = None,
    fraction: float | None = None,
    num_transitions: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Whole episodes drawn without replacement, in their recorded order.

    Give one of `num_episodes`, `fraction` (of the episodes, rounded, at least one) and
    `num_transitions` (as many episodes as come closest, at least one). With one seed, a smaller
    subset is part of every larger one. Up to `LISTED` chosen ids are written into the source's
    history; of more, the seed says which.

    Source: trajectory-wise reduction of arXiv:2306.04220, App. B.

    Raises:
        UserError: not exactly one of the three is given, it is out of range, or the seed is
            negative.
    """
    amounts = (num_episodes, fraction, num_transitions)
    if sum(amount is not None for amount in amounts) != 1:
        raise UserError(
            "Exactly one of `num_episodes`, `fraction` and `num_transitions` must be given."
        )
    check_seed(seed)
    order = np.random.default_rng(seed).permutation(dataset.num_episodes)
    if num_transitions is not None:
        wanted = _number_closest(dataset, order, num_transitions)
    else:
        wanted = _number_wanted(dataset.num_episodes, num_episodes, fraction)
    ids = np.sort(order[:wanted])
    listed = f": {', '.join(map(str, ids))}" if wanted <= LISTED else ""
    step = f"{wanted} of {dataset.num_episodes} episodes drawn with seed {seed}{listed}"
    return dataset.take_episodes(ids, step)


def _number_closest(dataset: Dataset, order: np.ndarray, num_transitions: int) -> int:
    """How many episodes, in this order, have the number of rows that comes closest."""
    if not 1 <= num_transitions <= dataset.num_transitions:
        raise UserError(
            f"`num_transitions` must lie in 1..{dataset.num_transitions}, got {num_transitions}."
        )
    rows = np.cumsum(np.diff(dataset.episode_bounds(), axis=1)[order, 0])
    return int(np.argmin(np.abs(rows - num_transitions))) + 1


def _number_wanted(available: int, num_episodes: int | None, fraction: float | None) -> int:
    if fraction is not None:
        if not 0 < fraction <= 1:
            raise UserError(f"`fraction` must lie in (0, 1], got {fraction}.")
        return max(round(fraction * available), 1)
    assert num_episodes is not None
    if not 1 <= num_episodes <= available:
        raise UserError(f"`num_episodes` must lie in 1..{available}, got {num_episodes}.")
    return num_episodes


def subsample(
    name_or_file: str | Path,
    out: str | Path,
    *,
    num_episodes: int | None = None,
    fraction: float | None = None,
    num_transitions: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Draw episodes from a named dataset or a file and write them to `out` in D4RL's layout.

    Raises:
        UserError: the source cannot be read, a number is out of range, `out` cannot be written.
    """
    from toolkit.data.loading import load
    from toolkit.data.writing import write_d4rl

    smaller = subsample_episodes(
        load(name_or_file), num_episodes=num_episodes, fraction=fraction,
        num_transitions=num_transitions, seed=seed,
    )  # fmt: skip
    write_d4rl(out, smaller)
    return smaller


def low_speed(dataset: Dataset, dim: int = 8, fraction: float = 0.2) -> Dataset:
    """Only rows whose coordinate `dim` is at most `fraction` times its maximum over the data.

    A kept row whose follower was dropped ends its segment with a timeout: its own successor is
    still true, but no window may step over the gap. Walker2d's forward velocity is `dim` 8.

    Source: low-speed generalisation sets of arXiv:2306.04220, App. B.

    Raises:
        UserError: `dim` or `fraction` is out of range, or no row is slow enough.
    """
    if not 0 <= dim < dataset.obs_dim:
        raise UserError(f"`dim` must lie in 0..{dataset.obs_dim - 1}, got {dim}.")
    if not 0 < fraction <= 1:
        raise UserError(f"`fraction` must lie in (0, 1], got {fraction}.")
    speed = np.asarray(dataset.observations[:, dim])
    limit = fraction * speed.max()
    rows = np.flatnonzero(speed <= limit)
    if limit <= 0 or rows.size == 0:
        raise UserError(
            f"Coordinate {dim} must have a positive maximum to filter by, got {speed.max():.3g}."
        )
    label = f"rows with coordinate {dim} at most {limit:.6g} ({fraction} of its maximum)"
    return dataset.take_rows(rows, label)


def split_episodes(
    dataset: Dataset, test_fraction: float = 0.2, *, seed: int = 0
) -> tuple[Dataset, Dataset]:
    """Train and test sets of whole episodes; the test set gets `round(test_fraction · episodes)`.

    The same seed gives the same split. At least one episode goes to each side.

    Raises:
        UserError: `test_fraction` is not between 0 and 1, there is only one episode, or the seed
            is negative.
    """
    if not 0 < test_fraction < 1:
        raise UserError(f"`test_fraction` must lie between 0 and 1, got {test_fraction}.")
    count = dataset.num_episodes
    if count < 2:
        raise UserError(
            f"{dataset.source.name!r} has a single episode, so it cannot be split by episode."
        )
    check_seed(seed)
    order = np.random.default_rng(seed).permutation(count)
    num_test = min(max(round(test_fraction * count), 1), count - 1)
    test, train = np.sort(order[:num_test]), np.sort(order[num_test:])
    label = f"of a split by episode, test fraction {test_fraction}, seed {seed}"
    return (
        dataset.take_episodes(train, f"training part {label}"),
        dataset.take_episodes(test, f"test part {label}"),
    )
