"""Wrong answers to the exercises of `04_long_horizon_prediction`, and what each is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.exercises.long_horizon_prediction import (
    check_first_divergence,
    check_normalised_error,
    check_share_of_persistence,
    check_waiting_products,
)


def first_divergence(errors: Any, threshold: float, patience: int) -> int | None:
    for first in range(len(errors) - patience + 1):
        if np.all(errors[first : first + patience] > threshold):
            return first + 1
    return None


def square(p: Any, t: Any, s: Any) -> np.ndarray:
    return ((p - t) / s) ** 2


def shifted(by: int) -> Callable:
    def wrong(*inputs: Any) -> int | None:
        right = first_divergence(*inputs)
        return None if right is None else right + by

    return wrong


def excursion(e: Any, level: float, _patience: int) -> int | None:
    return int(np.argmax(e > level)) + 1 if (e > level).any() else None


RIGHT: list[tuple[Callable, Callable]] = [
    (check_share_of_persistence, lambda e, p: e.sum() / p.sum())
]
WRONG: list[tuple[Callable, Callable, str]] = [
    (check_normalised_error, lambda p, t, s: square(p, t, s).mean((0, 2)), "off by one"),
    (check_normalised_error, lambda p, t, s: square(p, t, 1).mean((0, 2))[1:], "raw units"),
    (check_normalised_error, lambda p, t, s: ((p - t) ** 2 / s).mean((0, 2))[1:], "variance"),
    (check_normalised_error, lambda p, t, s: square(p, t, s).mean((1, 2)), "per window"),
    (check_normalised_error, lambda p, t, s: square(p, t, s).mean((0, 1)), "per coordinate"),
    (check_normalised_error, lambda p, t, s: square(p, t, s).mean(), "time axis is gone"),
    (check_normalised_error, lambda p, t, s: square(p, t, s).sum((0, 2))[1:], "summed"),
    (check_normalised_error, lambda p, t, s: abs((p - t) / s).mean((0, 2))[1:], "absolute"),
    (check_normalised_error, lambda p, t, s: ((p - t) / s).mean((0, 2))[1:], "square is missing"),
    (check_normalised_error, lambda p, t, s: square(p, t, s).mean(2)[:, 1:], "windows are still"),
    (check_share_of_persistence, lambda e, p: (e / p).mean(), "mean of the ratios"),
    (check_share_of_persistence, lambda e, p: p.mean() / e.mean(), "upside down"),
    (check_share_of_persistence, lambda e, p: e / p, "one ratio per step"),
    (check_share_of_persistence, lambda e, p: e[-1] / p[-1], "last step alone"),
    (check_share_of_persistence, lambda e, p: 1 - e.mean() / p.mean(), "what was gained"),
    (check_first_divergence, shifted(-1), "off by one"),
    (check_first_divergence, excursion, "single excursion"),
    (check_first_divergence, shifted(2), "where the run *ends"),
    (check_first_divergence, lambda *a: None, "must be 6, got None"),
    (check_first_divergence, lambda *a: 4, "must be 6, got 4"),
    (check_first_divergence, lambda *a: 6, "return None"),
    (check_first_divergence, lambda e, h, k: first_divergence(e[:-1], h, k), "very last step"),
    (check_first_divergence, lambda e, h, k: first_divergence(e, h - 1e-9, k), "equals"),
    (check_first_divergence, lambda *a: np.zeros(3), "return one step"),
    (check_waiting_products, lambda h, u, m: (u**2 * h, 4 * m * h), "three gates"),
    (check_waiting_products, lambda h, u, m: (3 * u**2, 4 * m), "a single step"),
    (check_waiting_products, lambda h, u, m: (3 * u**2 * h, m * h), "four real"),
    (check_waiting_products, lambda h, u, m: (3 * u**2 * h, m**2 * h), "diagonal"),
    (check_waiting_products, lambda h, u, m: (4 * m * h, 3 * u**2 * h), "exchanged"),
    (check_waiting_products, lambda h, u, m: 3 * u**2 * h, "return two numbers"),
]
