"""Wrong answers to the exercises of `02_where_the_data_comes_from`, and what each is told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toolkit.exercises.where_the_data_comes_from import (
    check_choose_rows,
    check_log_density,
    check_nearest_kept,
    check_sabotage,
    check_td_target,
)

FILES = {
    "A": "timeouts stored as terminals",
    "B": "actions one row late",
    "C": "healthy",
    "D": "rewards all zero",
    "E": "actions of other rows",
}


def td(reward, value, terminal, timeout, discount):
    return reward + discount * ~terminal * value


def density(action, mean, log_std):
    u = np.arctanh(action)
    normal = -0.5 * ((u - mean) / np.exp(log_std)) ** 2 - log_std - 0.5 * np.log(2 * np.pi)
    return normal - np.log(1 - action**2)


def normal(value, mean, log_std):
    return -0.5 * ((value - mean) / np.exp(log_std)) ** 2 - log_std - 0.5 * np.log(2 * np.pi)


def distance(rows, kept):
    return np.sqrt(((rows[:, None] - kept[None]) ** 2).mean(2))


def said(**changes: str) -> Callable[[], dict[str, str]]:
    return lambda: FILES | changes


def farthest(rows, count):
    kept, nearest = [7], ((rows - rows[7]) ** 2).mean(1)
    while len(kept) < count:
        kept.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, ((rows - rows[kept[-1]]) ** 2).mean(1))
    return np.array(kept)


def by_size(rows):
    return (rows**2).sum(1).argsort()


RIGHT: list[tuple[Callable, Callable]] = [(check_choose_rows, farthest)]
WRONG: list[tuple[Callable, Callable, str]] = [
    (check_td_target, lambda r, v, t, c, g: r + g * ~(t | c) * v, "stop at timeouts too"),
    (check_td_target, lambda r, v, t, c, g: r + g * ~c * v, "flags are exchanged"),
    (check_td_target, lambda r, v, t, c, g: r + g * v, "nothing stops"),
    (check_td_target, lambda r, v, t, c, g: r + g * t * v, "wrong sense"),
    (check_td_target, lambda r, v, t, c, g: r + ~t * v, "γ is missing"),
    (check_td_target, lambda r, v, t, c, g: r - g * ~t * v, "wrong sign"),
    (check_td_target, lambda r, v, t, c, g: ~t * (r + g * v), "reward goes away"),
    (check_td_target, lambda r, v, t, c, g: r + g * ~np.roll(t, 1) * v, "off by one"),
    (check_td_target, lambda r, v, t, c, g: g * ~t * v, "reward is missing"),
    (check_td_target, lambda r, v, t, c, g: g * (r + ~t * v), "is not discounted"),
    (check_log_density, lambda a, m, s: normal(np.arctanh(a), m, s).sum(1), "change of variables"),
    (check_log_density,
     lambda a, m, s: (2 * normal(np.arctanh(a), m, s) - density(a, m, s)).sum(1),
     "wrong sign of the correction"),
    (check_log_density, lambda a, m, s: normal(a, m, s).sum(1), "Undo the tanh"),
    (check_log_density, lambda a, m, s: (normal(a, m, s) - np.log(1 - a**2)).sum(1), "Undo"),
    (check_log_density, lambda a, m, s: density(a, m, s).sum(0), "wrong axis"),
    (check_log_density, lambda a, m, s: density(a, m, s), "one number per coordinate"),
    (check_log_density, lambda a, m, s: density(a, m, s).mean(1), "mean over coordinates"),
    (check_log_density, lambda a, m, s: -density(a, m, s).sum(1), "wrong sign … a loss"),
    (check_log_density, lambda a, m, s: np.exp(density(a, m, s).sum(1)), "its logarithm"),
    (check_log_density, lambda a, m, s: (density(a, m, s) + s).sum(1), "log σ is missing"),
    (check_nearest_kept, lambda r, k: distance(r, k).min(0).mean(), "wrong axis"),
    (check_nearest_kept, lambda r, k: distance(r, k).mean(), "typical kept row"),
    (check_nearest_kept, lambda r, k: (distance(r, k) ** 2).min(1).mean(), "root is missing"),
    (check_nearest_kept, lambda r, k: 2 * distance(r, k).min(1).mean(), "summed over coordinates"),
    (check_nearest_kept, lambda r, k: distance(r, k).min(1), "one number per row"),
    (check_nearest_kept, lambda r, k: distance(r, k).max(1).mean(), "farthest"),
    (check_sabotage, said(A="healthy"), "file A … where its episodes end"),
    (check_sabotage, said(C="rewards all zero"), "file C … rewards vary"),
    (check_sabotage, said(B="actions of other rows"), "file B … at another lag"),
    (check_sabotage, said(E="healthy"), "file E … does any lag stand out"),
    (check_sabotage, said(D="late"), "file D: 'late' is none of"),
    (check_sabotage, lambda: {"A": "healthy"}, "one entry for each of A, B, C, D, E"),
    (check_choose_rows, lambda r, n: np.random.default_rng(5).permutation(len(r))[:n],
     "no better than chance … Come below"),
    (check_choose_rows, lambda r, n: farthest(r[: 2 * n], n), "no better than chance"),
    (check_choose_rows, lambda r, n: np.concatenate(
        [farthest(r, n // 5), np.random.default_rng(1).permutation(len(r))[: n - n // 5]]),
     "better than chance, not enough"),
    (check_choose_rows, lambda r, n: np.arange(n), "the first rows"),
    (check_choose_rows, lambda r, n: by_size(r)[:n], "nearest to the mean"),
    (check_choose_rows, lambda r, n: by_size(r)[-n:], "outliers"),
    (check_choose_rows, lambda r, n: np.isin(np.arange(len(r)), farthest(r, n)), "a mask"),
    (check_choose_rows, lambda r, n: r[farthest(r, n)], "return 100 row numbers"),
    (check_choose_rows, lambda r, n: farthest(r, n - 1), "return 100 row numbers"),
    (check_choose_rows, lambda r, n: by_size(r)[-n:] * 0 + len(r), "off by one"),
    (check_choose_rows, lambda r, n: np.append(farthest(r, n - 1), 7), "1 of the rows"),
]  # fmt: skip
