"""Wrong answers to the exercises of `07_offline_rl_from_10k`, and what each is told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toolkit.exercises.offline_rl_from_10k import (
    check_actor_loss,
    check_improvement,
    check_iqm,
    check_to_go,
)


def loss(v, p, a, alpha):
    return -alpha * v.mean() / np.abs(v).mean() + np.mean((p - a) ** 2)


def to_go(r, g):
    rest, found = 0.0, []
    for reward in r[::-1]:
        rest = reward + g * rest
        found.append(rest)
    return np.array(found[::-1])


def iqm(s):
    entries = np.sort(s, axis=None)
    cut = len(entries) // 4
    return entries[cut : len(entries) - cut].mean()


def won(s, o):
    return np.mean((s[:, None] > o[None]) + 0.5 * (s[:, None] == o[None]))


def square(p, a):
    return np.mean((p - a) ** 2)


WRONG: list[tuple[Callable, Callable, str]] = [
    (check_actor_loss, lambda v, p, a, k: k * v.mean() / np.abs(v).mean() + square(p, a),
     "first term is negative"),
    (check_actor_loss, lambda v, p, a, k: -k * v.mean() / np.abs(v).mean() - square(p, a),
     "cloning term is added"),
    (check_actor_loss, lambda v, p, a, k: loss(v, p, a, 1.0), "`alpha` is forgotten"),
    (check_actor_loss, lambda v, p, a, k: loss(v, p, a, 1.0) + (k - 1) * square(p, a),
     "not the cloning"),
    (check_actor_loss, lambda v, p, a, k: -k * v.mean() + square(p, a), "not divided"),
    (check_actor_loss, lambda v, p, a, k: -k * v.mean() / abs(v.mean()) + square(p, a), "mean"),
    (check_actor_loss, lambda v, p, a, k: -k * v.mean() / np.abs(v).mean()
     + np.sum((p - a) ** 2, 1).mean(), "sum over the coordinates"),
    (check_actor_loss, lambda v, p, a, k: -k * v.mean() / np.abs(v).mean() + np.abs(p - a).mean(),
     "Square the differences"),
    (check_actor_loss, lambda v, p, a, k: square(p, a), "behaviour cloning"),
    (check_actor_loss, lambda v, p, a, k: -k * v.mean() / np.abs(v).mean(), "is missing"),
    (check_actor_loss, lambda v, p, a, k: loss(v, p, a, k)[None], "shape"),
    (check_to_go, lambda r, g: np.cumsum(r[::-1])[::-1], "discount is forgotten"),
    (check_to_go, lambda r, g: np.cumsum(r * g ** np.arange(len(r))), "looks ahead"),
    (check_to_go, lambda r, g: to_go(r, g) * g ** np.arange(len(r)), "start of the episode"),
    (check_to_go, lambda r, g: g * to_go(r, g), "counts whole"),
    (check_to_go, lambda r, g: to_go(r, g) - r, "step itself is missing"),
    (check_to_go, lambda r, g: to_go(r, g)[0], "for every step"),
    (check_to_go, lambda r, g: to_go(r, g)[::-1], "backwards"),
    (check_iqm, lambda s: s.mean(), "mean of everything"),
    (check_iqm, np.median, "the median"),
    (check_iqm, lambda s: np.sort(s, axis=None)[2:-2].mean(), "at *each* end"),
    (check_iqm, lambda s: np.sort(s, axis=None)[5:].mean(), "low end"),
    (check_iqm, lambda s: np.sort(s, axis=None)[:-5].mean(), "high end"),
    (check_iqm, lambda s: s.ravel()[5:-5].mean(), "sort first"),
    (check_iqm, lambda s: np.sort(s, axis=None)[6:-6].mean(), "one more"),
    (check_iqm, lambda s: np.quantile(s, [0.25, 0.75]).mean(), "two quartiles"),
    (check_iqm, lambda s: np.diff(np.quantile(s, [0.25, 0.75]))[0], "width"),
    (check_iqm, lambda s: np.sort(s, axis=None)[5:-5].sum(), "the sum"),
    (check_iqm, lambda s: iqm(s) if s.size > 2 else s.min(), "two entries"),
    (check_improvement, lambda s, o: won(o, s), "*second* wins"),
    (check_improvement, lambda s, o: np.mean(s[:, None] > o[None]), "nobody won"),
    (check_improvement, lambda s, o: np.mean(s[:, None] >= o[None]), "not whole"),
    (check_improvement, lambda s, o: won(s.reshape(-1, 1), o.reshape(-1, 1)), "within a set"),
    (check_improvement, lambda s, o: np.mean((s > o[:3]) + 0.5 * (s == o[:3])), "*every* run"),
    (check_improvement, lambda s, o: np.mean(s.mean(0) > o.mean(0)), "compares means"),
    (check_improvement, lambda s, o: s.mean() - o.mean(), "Count who wins"),
    (check_improvement, lambda s, o: 60 * won(s, o), "number of pairs"),
]  # fmt: skip
