"""Wrong answers to the exercises of `00_start_here`, and what each is told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toolkit.exercises.start_here import (
    check_count_windows,
    check_normalise,
    check_persistence_error,
)


def zscore(rows: np.ndarray, like: np.ndarray, axis: int | None = 0) -> np.ndarray:
    return (rows - like.mean(axis)) / like.std(axis)


def square(obs: np.ndarray) -> np.ndarray:
    return (obs[1:] - obs[0]) ** 2


WRONG: list[tuple[Callable, Callable, str]] = [
    (check_count_windows, lambda n, h: sum(max(0, k - h) for k in n), "off by one"),
    (check_count_windows, lambda n, h: sum(n) - h + 1, "cross episodes"),
    (check_count_windows, lambda n, h: sum(k - h + 1 for k in n), "must count 0"),
    (check_count_windows, lambda n, h: sum(k // h for k in n), "do not overlap"),
    (check_normalise, lambda train, test: zscore(test, test), "deviation of the test part"),
    (check_normalise, lambda train, test: zscore(test, train, None), "wrong axis"),
    (check_normalise, lambda train, test: zscore(test.T, test.T).T, "wrong axis … (axis 1)"),
    (check_normalise, lambda train, test: (test - train.mean(0)) / train.var(0), "variance"),
    (check_normalise, lambda train, test: zscore(train, train), "test rows"),
    (check_normalise, lambda train, test: -zscore(test, train), "wrong sign"),
    (check_persistence_error, lambda o: ((o - o[0]) ** 2).mean((1, 2)), "off by one … `obs[1]`"),
    (check_persistence_error, lambda o: square(o).mean((0, 1)), "wrong axis … per coordinate"),
    (check_persistence_error, lambda o: square(o).sum((1, 2)), "summed"),
    (check_persistence_error, lambda o: (np.diff(o, axis=0) ** 2).mean((1, 2)), "before it"),
    (check_persistence_error, lambda o: square(o).mean(), "time axis is gone"),
]  # fmt: skip
